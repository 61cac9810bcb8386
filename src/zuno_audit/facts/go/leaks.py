"""Secrets that Go code gives away: in logs and error texts, written into the code, or as default of a
variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.env import env_reads
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.secret_flow import SecretFlow, shows, verbs_of
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.facts.go.texts import Texts
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.facts.secret_values import names_a_secret, real_kind, words
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import Answer, Entity, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

LOGGED, ERROR_TEXT, HARD_CODED, WEAK_DEFAULT = "logged", "error-text", "hard-coded", "weak-default"
MAX_HELPERS = 2  # functions between a value and the call that logs it

_LOG_PACKAGES = re.compile(
    r"^(?:log|log/slog|fmt|k8s\.io/klog(?:/v2)?|github\.com/golang/glog|github\.com/sirupsen/logrus|"
    r"github\.com/rs/zerolog(?:/log)?|go\.uber\.org/zap|github\.com/go-kit/(?:kit/)?log(?:/level)?|"
    r"github\.com/hashicorp/go-hclog|github\.com/apex/log|github\.com/charmbracelet/log)$"
)
_LEVELS = (
    "Trace",
    "Debug",
    "Info",
    "Notice",
    "Warn",
    "Warning",
    "Error",
    "Err",
    "Fatal",
    "Panic",
    "Crit",
    "Audit",
)
_SUFFIXES = ("", "f", "ln", "w", "Context", "Ctx", "Object")
_LOG_NAMES = frozenset(
    [
        *(level + suffix for level in _LEVELS for suffix in _SUFFIXES),
        *("Print", "Printf", "Println", "Log", "Logf", "Logln", "Msg", "Msgf", "Send", "LogAttrs", "Output"),
        *("WithField", "WithFields", "WithValues", "With", "Fields"),
    ]
)
_FIELD_NAMES = frozenset(
    [
        "String",
        "Str",
        "Any",
        "Interface",
        "Stringer",
        "ByteString",
        "Bytes",
        "Hex",
        "Reflect",
        "Strs",
        "Strings",
        "Object",
        "Dict",
        "RawJSON",
        "Group",
    ]
)
_STRICT_FIELDS = frozenset(("Str", "Interface", "Strs", "Hex", "Bytes"))  # methods of zerolog events
_ERROR_CALLS = {
    "fmt": ("Errorf",),
    "errors": ("New",),
    "github.com/pkg/errors": ("New", "Errorf", "Wrap", "Wrapf", "WithMessage", "WithMessagef"),
    "google.golang.org/grpc/status": ("Error", "Errorf"),
}
_PRINTS = ("Print", "Printf", "Println")
_FPRINTS = ("Fprint", "Fprintf", "Fprintln")
_LOGGER = re.compile(r"(?i)log(?:ger)?\d?$|sugar|^lg?$|zap|event|entry$")
_PREFILTER = re.compile(
    rb"(?i)passw|secret|token|api_?key|private_?key|access_?key|signing_?key|encryption_?key|jwt|dsn|credential|mnemonic|"
    rb"passphrase|conn(?:ection)?_?str|%[+#]v|crypto/hmac|crypto/aes"
)
_ABOUT_NAMES = frozenset(
    [
        "type",
        "kind",
        "name",
        "header",
        "field",
        "param",
        "prefix",
        "suffix",
        "env",
        "flag",
        "path",
        "file",
        "url",
        "uri",
        "endpoint",
        "format",
        "label",
        "table",
        "column",
        "issuer",
        "topic",
        "queue",
        "event",
        "error",
        "msg",
        "message",
        "regex",
        "pattern",
        "usage",
        "help",
        "description",
        "scheme",
        "cookie",
        "audience",
        "key_name",
        "placeholder",
        "mode",
        "policy",
        "state",
        "status",
        "scope",
        "grant",
        "method",
        "algorithm",
        "alg",
        "attribute",
        "annotation",
        "dir",
        "id",
        "version",
        "ref",
        "service",
        "source",
        "provider",
        "backend",
        "store",
        "plugin",
        "parameter",
        "query",
    ]
)
_CERTAIN = frozenset(["password", "passwd", "pwd", "passphrase", "secret"])  # whatever the value looks like
_NO_VALUE = re.compile(
    r"(?-i:[A-Z][A-Z0-9_]*)\Z|.*[\s<>{}%$*].*|(?:/|\./|\.\./|~/|[a-z]+://[^@]*\Z|file:|env:).*|.*\.(?:json|ya?ml|pem|key|crt|txt)\Z|"
    r"(?:authorization|bearer|basic|x-[a-z-]+|true|false|none|null|nil|n/a)\Z",
    re.IGNORECASE | re.DOTALL,
)
_SIGNS = {"SignedString": 0}  # of golang-jwt tokens
_MACS = {"crypto/hmac": {"New": 1}, "crypto/aes": {"NewCipher": 0}}


def secret_leak_table(store: FactStore) -> Table:
    """Table `secret_leak`.

    Fields: `kind` (logged, error-text, hard-coded, weak-default) and `what`, the name of the secret, never
    its value. Test, generated and vendored files are left out.
    """
    asked = store.get(analysis)
    paths = [
        path
        for path in asked.search.files_with(b"package")
        if is_go_tool_file(path)
        and store.repository.kind(path) is FileKind.CODE
        and _PREFILTER.search(store.repository.read(path) or b"")
    ]
    finder = _Finder(asked)
    found = {(where, kind): what for path in paths for kind, what, where in finder.leaks(path)}
    for read in store.get(env_reads):
        if (
            read.default
            and _is_weak(read.name, read.default)
            and store.repository.kind(read.location.path) is FileKind.CODE
        ):
            found.setdefault((read.location, WEAK_DEFAULT), read.name)
    rows = [
        Entity("secret_leak", where, {"kind": Answer(kind), "what": Answer(what)})
        for (where, kind), what in sorted(found.items(), key=lambda item: item[0])
    ]
    return Table("secret_leak", tuple(rows), tuple(paths))


def _is_weak(name: str, default: str) -> bool:
    """True for a default that a secret would have to replace: any text, but no reference to one."""
    return names_a_secret(name) and not _NO_VALUE.match(default) and not default.isdigit()


class _Finder:
    """Looks through one file after the other."""

    def __init__(self, asked: Analysis) -> None:
        self.asked, self.texts = asked, Texts(asked.program)
        self.types = asked.types
        self.flow = SecretFlow(asked, self.texts)
        self._sinks: dict[tuple[int, int], str | None] = {}

    def leaks(self, path: str) -> Iterator[tuple[str, str, Location]]:
        """Kind, name and place of everything in a file."""
        package = self.asked.program.package_of(path)
        if package is None or path not in package.files:
            return
        file = self.asked.program.file(path)
        if file is None:
            return
        nodes: list[s.FuncDecl | s.ValueSpec] = [*file.functions()]
        nodes += [spec for spec in file.specs() if isinstance(spec, s.ValueSpec)]
        for node in nodes:
            root = Declaration(package, file, node)
            for inner in s.walk(node):
                if isinstance(inner, s.Call):
                    for kind, what in self._called(inner, root):
                        yield kind, what, file.location(inner.start, inner.end)
                for what, where in self._written(inner, root):
                    yield HARD_CODED, what, file.location(where.start, where.end)

    # ---------------------------------------------------------------- logs and errors

    def _called(self, call: s.Call, root: Declaration) -> Iterator[tuple[str, str]]:
        kind = self._sink(call, root)
        if kind is not None:
            verbs = verbs_of(call, self.texts, root)
            is_format = called_name(call).endswith("f") and verbs is not None
            for index, argument in enumerate(call.args):
                if is_format and index > 0 and verbs is not None and not shows(verbs, index - 1):
                    continue
                what = self.flow.secret(argument, root) or self.flow.struct(argument, root)
                if what is not None:
                    yield kind, what
                    return
            return
        callee = callee_of(call, root, self.texts, self.types)
        if callee is not None:
            for index, argument in enumerate(call.args):
                kind = self._parameter_sink(callee, index, 0)
                what = self.flow.secret(argument, root) if kind is not None else None
                if kind is not None and what is not None and not self._is_found_inside(callee, index):
                    yield kind, what
                    return

    def _is_found_inside(self, callee: Declaration, index: int) -> bool:
        """True when the parameter has a secret's name: the call inside the helper is reported already."""
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        index = min(index, len(node.params) - 1)
        name = node.params[index].name or ""
        return self.flow.secret(s.Ident(node.body.start + 1, node.body.start + 1, name), callee) is not None

    def _sink(self, call: s.Call, root: Declaration) -> str | None:
        """logged or error-text for a call that shows its arguments, else None."""
        name, fun = called_name(call), call.fun
        if isinstance(fun, s.Ident):
            return LOGGED if name in ("println", "print") and root.package.declaration(name) is None else None
        if not isinstance(fun, s.Selector):
            return None
        path = self._path(fun, root)
        if name in _ERROR_CALLS.get(path, ()):
            return ERROR_TEXT
        if path == "fmt":
            if name in _FPRINTS:
                target = call.args[0] if call.args else None
                return (
                    LOGGED if isinstance(target, s.Selector) and target.sel in ("Stdout", "Stderr") else None
                )
            return LOGGED if name in _PRINTS else None
        if path:
            if not _LOG_PACKAGES.match(path):
                return None
            return LOGGED if name in _LOG_NAMES or name in _FIELD_NAMES else None
        if name in _STRICT_FIELDS and self._is_event(fun.x):
            return LOGGED
        return LOGGED if name in _LOG_NAMES and self._is_logger(fun.x, root) else None

    def _is_event(self, expr: s.Expr) -> bool:
        """A chain of calls that begins with a level: `log.Info().Str(...)`."""
        while isinstance(expr, s.Call) and isinstance(expr.fun, s.Selector):
            if expr.fun.sel in _LEVELS or expr.fun.sel == "With":
                return True
            expr = expr.fun.x
        return False

    def _is_logger(self, expr: s.Expr, root: Declaration) -> bool:
        if self._is_event(expr):
            return True
        type_ = static_type(expr, root, self.texts, self.types)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is not None and base.kind == "extern":
            return _LOG_PACKAGES.match(base.path) is not None or "log" in base.name.lower()
        if base is not None and base.kind == "named":
            return "log" in base.name.lower() and "catalog" not in base.name.lower()
        if isinstance(expr, s.Call) and isinstance(expr.fun, s.Selector):
            return called_name(expr) in _LOG_NAMES and self._is_logger(expr.fun.x, root)
        name = expr.sel if isinstance(expr, s.Selector) else expr.name if isinstance(expr, s.Ident) else ""
        return base is None and _LOGGER.search(name) is not None

    def _path(self, fun: s.Selector, root: Declaration) -> str:
        if isinstance(fun.x, s.Ident) and self.texts.bindings(root).variable(fun.x.name, fun.x.start) is None:
            return self.asked.program.imported(root.file).get(fun.x.name, "")
        return ""

    def _parameter_sink(self, callee: Declaration, index: int, level: int) -> str | None:
        """What a function of the repository does with a parameter: logs it, or puts it into an error."""
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        if node.params and node.params[-1].variadic:
            index = min(index, len(node.params) - 1)
        if index >= len(node.params) or not node.params[index].name or not node.has_body:
            return None
        key = (id(node), index)
        if key not in self._sinks:
            self._sinks[key] = None
            self._sinks[key] = self._find_sink(callee, node, node.params[index].name or "", level)
        return self._sinks[key]

    def _find_sink(self, callee: Declaration, node: s.FuncDecl, name: str, level: int) -> str | None:
        for inner in s.walk(node.body):
            if not isinstance(inner, s.Call):
                continue
            positions = [i for i, a in enumerate(inner.args) if _shows_name(a, name)]
            if not positions:
                continue
            kind = self._sink(inner, callee)
            verbs = verbs_of(inner, self.texts, callee) if called_name(inner).endswith("f") else None
            if kind is not None and any(verbs is None or i == 0 or shows(verbs, i - 1) for i in positions):
                return kind
            target = callee_of(inner, callee, self.texts, self.types) if level < MAX_HELPERS else None
            if target is not None:
                found = self._parameter_sink(target, positions[0], level + 1)
                if found is not None:
                    return found
        return None

    # ---------------------------------------------------------------- values in the code

    def _written(self, node: s.Node, root: Declaration) -> Iterator[tuple[str, s.Node]]:
        """Names that are given a value that stands in the code, and keys of signatures that do."""
        match node:
            case s.ValueSpec(names=names, values=values) if len(names) == len(values):
                for name, value in zip(names, values, strict=True):
                    if self._is_value(name.name, value, root):
                        yield name.name, value
            case s.Assign(lhs=lhs, rhs=rhs, op="=" | ":=") if len(lhs) == len(rhs):
                for target, value in zip(lhs, rhs, strict=True):
                    if self._is_value(_last_name(target), value, root):
                        yield _last_name(target), value
            case s.CompositeLit(elements=elements):
                for key, value in elements:
                    if isinstance(key, s.Ident) and self._is_value(key.name, value, root):
                        yield key.name, value
            case s.Call():
                yield from self._key_of(node, root)

    def _key_of(self, call: s.Call, root: Declaration) -> Iterator[tuple[str, s.Node]]:
        name = called_name(call)
        path = self._path(call.fun, root) if isinstance(call.fun, s.Selector) else ""
        index = _MACS.get(path, {}).get(name)
        if index is None and not path and isinstance(call.fun, s.Selector):
            index = _SIGNS.get(name)
        if index is not None and index < len(call.args):
            text = _literal(call.args[index])
            if text:
                yield f"key of {name}", call.args[index]

    def _is_value(self, name: str, value: s.Expr, root: Declaration) -> bool:
        text = _literal(value)
        if not text or len(text) < 4 or not names_a_secret(name) or _NO_VALUE.match(text):
            return False
        parts = words(name)
        if set(parts) & _ABOUT_NAMES or {"nft", "erc"} & set(parts):
            return False
        plain = re.sub(r"[^a-z0-9]", "", text.lower())
        if plain in "".join(parts) or "".join(parts) in plain:
            return False
        if (
            not set(parts) & _CERTAIN
            and real_kind(text) is None
            and not (len(text) > 11 and re.search(r"\d", text))
        ):
            return False  # a key or a token without the looks of one
        if set(words(text)) <= set(parts) | {
            "x",
            "key",
            "token",
            "secret",
            "password",
            "jwt",
            "api",
            "auth",
            "id",
        }:
            return False  # the name of something that holds a secret, not a secret
        return bool(text)


def _last_name(expr: s.Expr) -> str:
    """The name of a variable or field that is assigned to."""
    return expr.name if isinstance(expr, s.Ident) else expr.sel if isinstance(expr, s.Selector) else ""


def _literal(expr: s.Expr) -> str | None:
    """A text in the code, also as `[]byte("...")`."""
    if isinstance(expr, s.Call) and isinstance(expr.fun, s.ArrayType) and len(expr.args) == 1:
        expr = expr.args[0]
    return expr.value if isinstance(expr, s.BasicLit) and isinstance(expr.value, str) else None


def _shows_name(expr: s.Expr, name: str) -> bool:
    """True when a parameter stands in an argument as it is, or in a text around it."""
    match expr:
        case s.Ident():
            return expr.name == name
        case s.Binary(op="+", x=x, y=y):
            return _shows_name(x, name) or _shows_name(y, name)
        case s.Call() if called_name(expr) in ("string", "Sprintf", "Sprint", "TrimSpace", "Any", "String"):
            return any(_shows_name(a, name) for a in expr.args)
    return False
