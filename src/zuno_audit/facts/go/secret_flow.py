"""Is what an expression shows a secret? Values are followed from what they were read from (the environment,
flags, requests, fields and variables whose names say so) through variables, fields, texts and functions.

The answer is a name, never a value. Lengths, digests, masked texts, parts of texts and types that hide their
content (`String`, `MarshalJSON`, `LogValue`...) are not secrets; whether they hide it is read off their code.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go.bindings import Source, Variable, called_name, last_name
from zuno_audit.facts.go.hard_coded import is_value, literal_text
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.secret_names import (
    PAGES,
    deals_with_access,
    is_dsn_name,
    is_secret_key,
    is_secret_name,
    mentions,
    names_a_path,
    names_something_about,
)
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.facts.go.texts import initial
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.facts.secret_values import TOKEN, names_a_secret, words
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.types import Type
    from zuno_audit.model.location import Location

# the ways in which a value is shown
RAW = "raw"  # its text as it is
TEXT = "text"  # by fmt: %v, %s, %+v
SYNTAX = "syntax"  # by fmt: %#v
JSON = "json"  # by encoding/json
YAML = "yaml"  # by gopkg.in/yaml and its like
FIELD = "field"  # as a field of a structured log

MAX_DEPTH = 8
MAX_STRUCTS = 3
_HIDING = {
    TEXT: ("Format", "Error", "String"),
    SYNTAX: ("Format", "GoString"),
    JSON: ("MarshalJSON", "MarshalText"),
    YAML: ("MarshalYAML", "MarshalText"),
    FIELD: (
        "LogValue",
        "MarshalLogObject",
        "MarshalZerologObject",
        "MarshalJSON",
        "MarshalText",
        "Error",
        "String",
        "Format",
    ),
}
_LEFT_OUT = {
    JSON: re.compile(r'json:"-[",]'),
    FIELD: re.compile(r'json:"-[",]'),
    YAML: re.compile(r'yaml:"-[",]'),
}
_ENCODERS = frozenset(_LEFT_OUT)
_LOG_FIELDS = frozenset(
    {"String", "Str", "Any", "Interface", "Stringer", "ByteString", "Bytes", "Hex", "Reflect", "Strs"}
    | {"Strings", "Object", "Dict", "RawJSON", "Group", "Stringp", "Inline", "Objects", "Attr"}
)
LOG_PACKAGES = re.compile(
    r"^(?:log|log/slog|fmt|k8s\.io/klog(?:/v2)?|github\.com/golang/glog|github\.com/sirupsen/logrus|"
    r"github\.com/rs/zerolog(?:/log)?|go\.uber\.org/zap|github\.com/go-kit/(?:kit/)?log(?:/level)?|"
    r"github\.com/hashicorp/go-hclog|github\.com/apex/log|github\.com/charmbracelet/log|"
    r"github\.com/go-logr/logr|github\.com/inconshreveable/log15(?:/v3)?|github\.com/golang/glog)$"
)
# functions that hand on the text of their first argument, or of all
_FIRST = frozenset(
    {"TrimSpace", "Trim", "TrimPrefix", "TrimSuffix", "TrimRight", "TrimLeft", "TrimFunc", "ToUpper"}
    | {"ToLower", "ReplaceAll", "Replace", "Title", "Quote", "QuoteToASCII", "EncodeToString"}
    | {"QueryEscape", "PathEscape", "QueryUnescape", "Clone", "Split", "SplitN", "Fields", "NewReader"}
    | {"NewBufferString", "Parse", "Marshal", "MarshalIndent", "DecodeString", "Repeat", "ReadAll"}
    | {"StringPtr", "ToString"}
)
_ALL = frozenset(
    {"Join", "Concat", "Or", "append", "Append", "Appendf", "Errorf", "Wrap", "Wrapf", "UserPassword"}
    | {"Command", "CommandContext", "min", "max", "NewReplacer", "Append", "StringValue", "AnyValue"}
)
_PARSERS = frozenset(("net/url", ""))  # packages whose Parse keeps the text
_FORMATS = {"Sprintf": 0, "Sprint": None, "Sprintln": None}
_OWN_TEXT = frozenset(("String", "Bytes", "Error", "GetValue", "Load", "Get", "Unwrap"))
_READERS = frozenset(
    {"Get", "GetString", "GetStringSlice", "FormValue", "PostFormValue", "PostForm", "Query"}
    | {"QueryParam", "GetHeader", "DefaultQuery", "String", "StringSlice", "StringFlag", "MustGet"}
    | {"Values"}
)
_FLAGS = frozenset(("flag", "github.com/spf13/pflag", "gopkg.in/alecthomas/kingpin.v2"))
_HIDES = re.compile(
    r"mask|redact|hide|hidden|obfuscat|censor|sanitiz|scrub|hash|digest|fingerprint|checksum|sum(?:256|512)?$|crc|len$|"
    r"bcrypt|scrypt|argon|encrypt|seal|verify|compare|equal|valid|exists?$|^is[A-Z]|^has[A-Z]|count|parse|lookup",
    re.IGNORECASE,
)
_GIVES = frozenset(
    ("get", "generate", "gen", "new", "read", "load", "fetch", "random", "create", "must", "make", "default")
)
_WRITES = ("Write", "WriteString")
# functions that put a text in the place of another one: its index among the arguments, from the end
_REPLACES = {"Replace": -2, "ReplaceAll": -1, "ReplaceAllString": -1, "ReplaceAllLiteralString": -1}
_MASK = re.compile(r"\*{3}|\bx{3,}\b|redact|masked|hidden|filtered|censored", re.IGNORECASE)
# results of library functions that are secrets, whatever the variable is called
_SECRET_RESULTS = {("GenerateKey", "crypto/ed25519"): (1, "private key"), ("BasicAuth", ""): (1, "password")}
_ITSELF = "itself"  # what a method shows that shows all of its receiver
_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(?:\[\d+\])?([a-zA-Z])")

Given = tuple[tuple[str, str | None], ...]


class At(NamedTuple):
    """Where an expression stands: its declaration, and what parameters of that are known to hold.

    With `only` nothing else counts as a secret but what is given. With `errors` the texts of errors are looked into
    that functions of the repository return.
    """

    root: Declaration
    given: Given = ()
    only: bool = False
    errors: bool = False


class Verb(NamedTuple):
    """A verb of a format: how it shows its argument, or None where it does not show the text."""

    how: str | None


class SecretFlow:
    """Answers for one program. `reads` are the reads of the environment: the variable, by place."""

    def __init__(self, asked: Analysis, reads: Mapping[Location, str]) -> None:
        self.asked, self.texts, self.types = asked, asked.texts, asked.types
        self._reads: dict[tuple[str, int], list[tuple[Location, str]]] = {}
        for where, name in reads.items():
            self._reads.setdefault((where.path, where.line), []).append((where, name))
        self._known: dict[tuple[int, At, str], tuple[s.Expr, str | None]] = {}
        self._static: dict[int, tuple[s.Expr, Type | None]] = {}
        self._fields: dict[tuple[int, str], list[tuple[s.Field, Type | None, str]]] = {}
        self._reveals: dict[tuple[int, int], str | None] = {}
        self._returns: dict[int, list[s.Return]] = {}
        self._blocks: dict[int, list[tuple[int, int, bool]]] = {}
        self._writes: dict[int, dict[str, list[tuple[s.Selector, s.Expr, s.Assign]]]] = {}
        self._carried: dict[int, dict[str, list[tuple[s.Expr, s.Expr | None, Declaration]]]] = {}
        self._context: dict[str, list[tuple[s.Expr, Declaration]]] | None = None
        self._mentions: dict[str, list[int]] = {}
        self._depth, self._is_cut = 0, False

    def mentions(self, path: str) -> list[int]:
        """The offsets in a file of words that have to do with secrets."""
        known = self._mentions.get(path)
        if known is None:
            known = self._mentions[path] = mentions(self.asked.program.repository.read(path) or b"")
        return known

    def speaks_of_secrets(self, path: str, node: s.Node) -> bool:
        """True when such a word stands in a node of a file."""
        found = self.mentions(path)
        index = bisect_left(found, node.start)
        return index < len(found) and found[index] < node.end

    # ---------------------------------------------------------------- what is shown

    def shown(self, expr: s.Expr, at: At, how: str = RAW) -> str | None:
        """The name of the secret that showing a value in one of the ways gives away, or None."""
        if isinstance(expr, s.BasicLit | s.FuncLit):
            return None
        key = (id(expr), at, how)
        known = self._known.get(key)
        if known is not None:
            return known[1]
        if self._depth > MAX_DEPTH:
            self._is_cut = True
            return None
        self._known[key] = (expr, None)  # a value that depends on itself adds nothing
        self._depth += 1
        found = self._shown(expr, at, how)
        self._depth -= 1
        if found is not None or not self._is_cut:
            self._known[key] = (expr, found)
        else:
            self._known.pop(key)  # the depth decided, and from elsewhere it may be less
        if self._depth == 0:
            self._is_cut = False
        return found

    def _shown(self, expr: s.Expr, at: At, how: str) -> str | None:
        type_ = self.type_of(expr, at.root) if how != RAW else None
        if type_ is None:
            return self._text_of(expr, at, how)
        is_struct = not at.only and self._struct_type(type_) is not None
        found = self._struct(expr, type_, at, how) if is_struct else self._text_of(expr, at, how)
        method = self._hiding_method(type_, how, is_exported=True) if found is not None else None
        if method is None:
            return found
        revealed = self._revealed(method)
        return found if revealed == _ITSELF else revealed

    def _text_of(self, expr: s.Expr, at: At, how: str) -> str | None:
        match expr:
            case s.Ident(name=name):
                return self._variable(name, expr, at, how)
            case s.Selector(sel=sel):
                return self._member(sel, expr, at)
            case s.Binary(op="+", x=x, y=y):
                return self.shown(x, at) or self.shown(y, at)
            case s.Star(x=x) | s.Unary(op="&" | "*", x=x) | s.TypeAssert(x=x):
                return self.shown(x, at, how)
            case s.SliceExpr(low=None | s.BasicLit(), high=None, x=x):
                return self.shown(x, at, how)
            case s.Index(x=x, indices=[index]):
                return self._element(x, index, at, how)
            case s.CompositeLit(elements=elements):
                for key, value in elements:
                    found = self.shown(value, at, how) or self.keyed(key, value, at)
                    if found is not None:
                        return found
            case s.Call():
                return self._call(expr, at, how)
        return None

    def type_of(self, expr: s.Expr, root: Declaration) -> Type | None:
        """The static type of an expression, remembered."""
        known = self._static.get(id(expr))
        if known is None:
            known = self._static[id(expr)] = (expr, static_type(expr, root, self.texts, self.types))
        return known[1]

    def _element(self, x: s.Expr, index: s.Expr, at: At, how: str) -> str | None:
        if isinstance(index, s.BasicLit) and isinstance(index.value, str):
            if not at.only and is_secret_key(index.value, at.root):
                return index.value
            literal = self.texts.literal(x, at.root)
            if literal is not None:
                for key, value in literal[0].elements:
                    if isinstance(key, s.BasicLit) and key.value == index.value:
                        return self.shown(value, at, how)
            return None
        type_ = self.type_of(x, at.root)
        if type_ is not None and type_.kind == "basic":
            return None  # a byte of a text
        return self.shown(x, at, how)

    # ---------------------------------------------------------------- variables

    def _variable(self, name: str, expr: s.Ident, at: At, how: str) -> str | None:
        root = at.root
        variable = self.texts.bindings(root).variable(name, expr.start)
        if variable is None:
            return None if at.only else self._package_variable(name, expr, root, how)
        sources = self.reaching(variable, expr.start, root)
        if any(source.kind in ("param", "receiver") and source.function is root.node for source in sources):
            for given, label in at.given:
                if given == name:
                    return label
        if names_a_path(name):
            return None  # whatever the setting is called that it comes from
        is_secret = not at.only and self._is_named_secret(name, expr, root)
        if is_secret and not self._is_clean(name, sources, at) and not self._is_key_of_secret(name, root):
            return name
        is_error = (type_ := self.type_of(expr, root)) is not None and type_.name == "error"
        for source in sources:
            found = self._source(source, at, how)
            if found is None and is_error and source.kind == "value" and source.expr is not None:
                found = self._error(source.expr, at) if at.errors else None
            if found is not None:
                return found
        if any(isinstance(x.expr, s.Call) and called_name(x.expr) == "make" for x in sources):
            return self._copied_into(variable, at)
        return None

    def _is_key_of_secret(self, name: str, root: Declaration) -> bool:
        """True for the key under which a secret is kept: `secretKey` beside `secretName`, or in `data[secretKey]`."""
        if words(name) != ("secret", "key"):
            return False
        return any(
            (isinstance(n, s.Ident) and n.name.lower() == "secretname")
            or (isinstance(n, s.Index) and any(isinstance(i, s.Ident) and i.name == name for i in n.indices))
            for n in s.walk(root.node)
        )

    def _copied_into(self, variable: Variable, at: At) -> str | None:
        """What `copy(buffer, x)` and `hex.Encode(buffer, x)` put into a buffer."""
        for node in s.walk(at.root.node):
            if (
                not isinstance(node, s.Call)
                or called_name(node) not in ("copy", "Encode")
                or len(node.args) != 2
            ):
                continue
            target = node.args[0].x if isinstance(node.args[0], s.SliceExpr) else node.args[0]
            if isinstance(target, s.Ident) and target.name == variable.name:
                found = self.shown(node.args[1], at)
                if found is not None:
                    return found
        return None

    def _source(self, source: Source, at: At, how: str) -> str | None:
        if source.expr is None:
            return None
        match source.kind:
            case "value" | "range-value" | "other":
                return self.shown(source.expr, at, how)
            case "result" if isinstance(source.expr, s.Call):
                return self._result(source.expr, source.index, at, how)
            case "result" if source.index == 0:
                return self.shown(source.expr, at, how)
        return None

    def _package_variable(self, name: str, expr: s.Expr, root: Declaration, how: str) -> str | None:
        declared = root.package.declaration(name)
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return None
        value = initial(declared.node, name)
        text = literal_text(value) if value is not None else None
        if declared.node.is_const or text is not None:
            return name if text is not None and is_value(name, text) else None
        if self._is_named_secret(name, expr, root):
            return name
        return self.shown(value, At(declared), how) if value is not None else None

    def _is_clean(self, name: str, sources: list[Source], at: At) -> bool:
        """True when a variable that is named like a secret holds none: texts of the code, or what hiding
        functions made.
        """
        is_dsn = is_dsn_name(name)
        return bool(sources) and all(self._is_clean_source(source, at, is_dsn) for source in sources)

    def _is_clean_source(self, source: Source, at: At, is_dsn: bool) -> bool:
        expr = source.expr
        if source.kind not in ("value", "result") or expr is None:
            return False
        if isinstance(expr, s.BasicLit) or (
            isinstance(expr, s.Ident | s.Selector) and self.texts.constants(expr, at.root)
        ):
            return True
        if is_dsn and isinstance(expr, s.Binary):
            return self.shown(expr, at) is None
        if not isinstance(expr, s.Call):
            return False
        name = called_name(expr)
        callee = self.own_callee(expr, at.root)
        if callee is None:
            if is_dsn and name in _FORMATS:
                return self.shown(expr, at) is None
            return _HIDES.search(name) is not None
        if self._result(expr, source.index, at, TEXT) is not None:
            return False
        return any(self.shown(a, at) is not None for a in expr.args) or _HIDES.search(name) is not None

    def reaching(self, variable: Variable, offset: int, root: Declaration) -> list[Source]:
        """The sources whose value a variable can have at a place: not those that come later, nor those that
        another one has replaced on every way.
        """
        sources = variable.sources
        if len(sources) < 2:
            return sources
        blocks = self._blocks_of(root)
        around = [b for b in blocks if b[0] <= offset < b[1]]
        loops = [b for b in around if b[2]]
        reaching = [
            x for x in sources if x.start < offset or any(start <= x.start < end for start, end, _ in loops)
        ]
        ordered = sorted((x for x in reaching if x.start < offset), key=lambda x: x.start)
        for last in reversed(ordered):
            if last.kind in ("other", "address"):
                continue
            inner = max((b for b in blocks if b[0] <= last.start < b[1]), key=lambda b: b[0], default=None)
            if inner is None or inner[0] <= offset < inner[1]:
                return [x for x in reaching if x.start >= last.start]
        return reaching

    def _blocks_of(self, root: Declaration) -> list[tuple[int, int, bool]]:
        known = self._blocks.get(id(root.node))
        if known is None:
            kinds = (s.Block, s.Clause, s.For, s.Range, s.FuncLit)
            known = self._blocks[id(root.node)] = [
                (n.start, n.end, isinstance(n, s.For | s.Range | s.FuncLit))
                for n in s.walk(root.node)
                if isinstance(n, kinds)
            ]
        return known

    # ---------------------------------------------------------------- names and types

    def _is_named_secret(self, name: str, expr: s.Expr, root: Declaration) -> bool:
        if not is_secret_name(name, root):
            return False
        type_ = self.type_of(expr, root)
        if type_ is None and set(words(name)) <= TOKEN:
            return deals_with_access(root)
        return self.is_text(type_, name)

    def is_text(self, type_: Type | None, name: str) -> bool:
        """True for texts and bytes, and for types that are not known where the name leaves no doubt."""
        if type_ is None:
            parts = [part for part in words(name) if part not in TOKEN]
            return names_a_secret("_".join(parts))
        if type_.kind == "pointer" and type_.elem is not None:
            type_ = type_.elem
        under = self.types.underlying(type_)
        if under is None:
            return False
        if under.kind in ("slice", "array"):
            elem = under.elem
            return elem is not None and elem.kind == "basic" and elem.name in ("byte", "uint8", "string")
        return under.kind == "basic" and under.name == "string"

    def _can_hold_text(self, type_: Type | None) -> bool:
        """False for numbers, truth values and errors."""
        if type_ is None:
            return True
        under = self.types.underlying(type_) or type_
        if under.kind == "basic":
            return under.name == "string"
        return not (under.kind == "interface" and type_.name == "error")

    # ---------------------------------------------------------------- fields

    def _member(self, name: str, expr: s.Selector, at: At) -> str | None:
        root = at.root
        if at.only:
            return None
        owner = expr.x
        if isinstance(owner, s.Ident) and self.texts.bindings(root).variable(owner.name, owner.start) is None:
            path = self.asked.program.imported(root.file).get(owner.name)
            if path is not None:
                package = self.asked.program.package(path)
                declared = package.declaration(name) if package is not None else None
                if declared is None:
                    return None
                return self._package_variable(name, expr, declared, RAW)
        around = last_name(owner)
        if set(words(name)) <= TOKEN and PAGES.search(around):
            return None
        if is_secret_name(name, root):
            return name if self._is_named_secret(name, expr, root) else None
        return self._carried_by(owner, name, expr, root)

    def _carried_by(self, owner: s.Expr, name: str, expr: s.Expr, root: Declaration) -> str | None:
        """A field with a neutral name that its package fills with a secret."""
        type_ = self.type_of(owner, root)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is None or base.kind != "named" or base.package is None:
            return None
        if not self.is_text(self.type_of(expr, root), "password"):
            return None
        for value, made, where in self._fillings(base).get(name, ()):
            owner_type = self.type_of(made, where) if made is not None else None
            target = (
                owner_type.elem if owner_type is not None and owner_type.kind == "pointer" else owner_type
            )
            if target is base:
                found = self.shown(value, At(where))
                if found is not None:
                    return found
        return None

    def _fillings(self, base: Type) -> dict[str, list[tuple[s.Expr, s.Expr | None, Declaration]]]:
        """What the package of a type writes to fields, by their names, in functions that speak of secrets."""
        package = base.package
        assert package is not None
        known = self._carried.get(id(package))
        if known is not None:
            return known
        known = self._carried[id(package)] = {}
        for path in package.files:
            if path.endswith("_test.go") or not self.mentions(path):
                continue
            file = self.asked.program.file(path)
            for node in file.functions() if file is not None else ():
                if not self.speaks_of_secrets(path, node):
                    continue
                assert file is not None
                where = Declaration(package, file, node)
                for inner in s.walk(node.body):
                    if isinstance(inner, s.CompositeLit):
                        for name, value in self._fields_of(inner, where):
                            known.setdefault(name, []).append((value, inner, where))
                    elif isinstance(inner, s.Assign) and len(inner.lhs) == len(inner.rhs):
                        for target, value in zip(inner.lhs, inner.rhs, strict=True):
                            if isinstance(target, s.Selector):
                                known.setdefault(target.sel, []).append((value, target.x, where))
        return known

    def _fields_of(self, literal: s.CompositeLit, where: Declaration) -> Iterator[tuple[str, s.Expr]]:
        """The fields that a struct literal fills, with their values: by name or by position."""
        by_position = bool(literal.elements) and literal.elements[0][0] is None
        type_ = self.type_of(literal, where) if by_position else None
        fields = self.types.fields(type_) if type_ is not None else []
        for i, (key, value) in enumerate(literal.elements):
            if isinstance(key, s.Ident):
                yield key.name, value
            elif key is None and i < len(fields):
                yield fields[i].name, value

    # ---------------------------------------------------------------- calls

    def _call(self, call: s.Call, at: At, how: str) -> str | None:
        return self._result(call, 0, at, how)

    def _result(self, call: s.Call, index: int, at: At, how: str) -> str | None:
        """The secret that a result of a call shows."""
        if isinstance(call.fun, s.ArrayType) and call.args:  # []byte(x)
            return self.shown(call.args[0], at)
        name = called_name(call)
        if not name or name == "len":
            return None
        path = self.path_of(call.fun, at.root)
        if not at.only:
            found = self._read(call, name, path, index, at)
            if found is not None:
                return found
        callee = self.own_callee(call, at.root)
        if callee is not None:
            return self._result_of(callee, call, index, at, how)
        if index != 0:
            return None
        return self._of_library(call, name, path, at, how)

    def own_callee(self, call: s.Call, root: Declaration) -> Declaration | None:
        """The function or method with a body that a call calls; none of vendored libraries."""
        callee = callee_of(call, root, self.texts, self.types)
        node = callee.node if callee is not None else None
        if callee is None or not isinstance(node, s.FuncDecl) or not node.has_body:
            return None
        return callee if is_go_tool_file(callee.file.path) else None

    def path_of(self, fun: s.Expr, root: Declaration) -> str:
        """The import path of the package whose function is called; empty for methods and own functions."""
        if isinstance(fun, s.Index):
            fun = fun.x
        if not isinstance(fun, s.Selector) or not isinstance(fun.x, s.Ident):
            return ""
        path = self.asked.program.imported(root.file).get(fun.x.name, "")
        if path and self.texts.bindings(root).variable(fun.x.name, fun.x.start) is not None:
            return ""  # a variable hides the package
        return path

    def _read(self, call: s.Call, name: str, path: str, index: int, at: At) -> str | None:
        """A call that reads a secret from outside: the environment, a flag, a request, a setting."""
        result, label = _SECRET_RESULTS.get((name, path), (None, ""))
        if result == index and not (path == "" and call.args):
            return label
        if index != 0:
            return None
        file = at.root.file
        line = file.location(call.start, call.start).line if self._reads else 0
        for where, variable in self._reads.get((file.path, line), ()):
            if where == file.location(call.start, call.end) and is_secret_name(variable, at.root):
                return variable
        if name in ("Getenv", "LookupEnv") and call.args:
            keys = self.texts.constants(call.args[0], at.root) or []
            return next((k for k in keys if is_secret_name(k, at.root)), None)
        if name in _READERS and call.args and (len(call.args) == 1 or path in _FLAGS):
            if LOG_PACKAGES.match(path):
                return None
            keys = self.texts.constants(call.args[0], at.root) or []
            return next((k for k in keys if is_secret_key(k, at.root)), None)
        if name == "Value" and len(call.args) == 1 and not path:
            return self._context_value(call.args[0], at)
        return None

    def _context_value(self, key: s.Expr, at: At) -> str | None:
        """`ctx.Value(key)`: what `context.WithValue` puts in under a key that is written alike."""
        if self._context is None:
            self._context = {}
            for site in self.asked.search.calls_to("context", "WithValue"):
                if isinstance(site.call, s.Call) and len(site.call.args) == 3:
                    text = _written(site.call.args[1], site.root)
                    self._context.setdefault(text, []).append((site.call.args[2], site.root))
        for value, root in self._context.get(_written(key, at.root), ()):
            found = self.shown(value, At(root))
            if found is not None:
                return found
        return None

    def _of_library(self, call: s.Call, name: str, path: str, at: At, how: str) -> str | None:
        if path and LOG_PACKAGES.match(path) and name in _LOG_FIELDS:
            return self.in_pairs(call, at, 0, FIELD)
        if name in _FORMATS:
            return self.formatted(call, at)
        if name == "Parse" and path in _PARSERS:
            return self.shown(call.args[0], at) if call.args and path else None
        if _HIDES.search(name):
            return None
        if not at.only and name.startswith("Get") and not call.args and is_secret_name(name[3:], at.root):
            return name[3:]
        if name in ("Marshal", "MarshalIndent"):
            how = YAML if "yaml" in path else JSON
            return self.shown(call.args[0], at, how) if call.args else None
        if self._is_masked(call, at.root):
            return None
        if name in _FIRST or (name == "Encode" and path and len(call.args) == 1):
            return self.shown(call.args[0], at, TEXT) if call.args else None
        if (name == "string" and not path) or self._is_conversion(call, at.root):
            return self._any_of(call.args, at, RAW)
        if name in _ALL:
            return self._any_of(call.args, at, TEXT if name in ("Errorf", "Wrap", "Wrapf") else how)
        if name in _OWN_TEXT and isinstance(call.fun, s.Selector) and not path and len(call.args) < 2:
            found = self.shown(call.fun.x, at, TEXT)
            return found if found is not None else self._built(call.fun.x, at)
        return None

    def _any_of(self, args: list[s.Expr], at: At, how: str) -> str | None:
        for argument in args:
            found = self.shown(argument, at, how)
            if found is not None:
                return found
        return None

    def keyed(self, key: s.Expr | None, value: s.Expr, at: At) -> str | None:
        """The key under which a value is shown, where it says that the value is a secret: `"password", p`."""
        if not isinstance(key, s.BasicLit) or not isinstance(key.value, str) or at.only:
            return None
        if not isinstance(value, s.Ident | s.Selector) or not is_secret_key(key.value, at.root):
            return None
        name = value.name if isinstance(value, s.Ident) else value.sel
        type_ = self.type_of(value, at.root)
        if names_something_about(name) or (type_ is not None and not self.is_text(type_, name)):
            return None
        method = self._hiding_method(type_, FIELD, is_exported=True) if type_ is not None else None
        if method is not None and self._revealed(method) is None:
            return None
        if isinstance(value, s.Ident):
            variable = self.texts.bindings(at.root).variable(name, value.start)
            if variable is None:
                return None
            sources = self.reaching(variable, value.start, at.root)
            if type_ is None and not any(source.kind == "param" for source in sources):
                return None
            return None if self._is_clean(name, sources, at) else key.value
        return key.value if type_ is not None else None

    def in_pairs(self, call: s.Call, at: At, start: int, how: str) -> str | None:
        """The secret among arguments that are keys and values by turns."""
        previous: s.Expr | None = None
        for argument in call.args[start:]:
            found = self.shown(argument, at, how) or self.keyed(previous, argument, at)
            if found is not None:
                return found
            previous = argument
        return None

    def formatted(self, call: s.Call, at: At, start: int = 0, how: str = TEXT) -> str | None:
        """The secret that a call like fmt.Printf shows, `start` being the index of the first argument that
        counts. Formats decide for each argument how it is shown.
        """
        verbs, first = self._verbs(call, at.root)
        if verbs is None:
            return self.in_pairs(call, at, start, how)
        for index, argument in enumerate(call.args[start:], start):
            shown = how
            if index >= first:
                verb = verbs[index - first] if index - first < len(verbs) else Verb(how)
                if verb.how is None:
                    continue
                shown = verb.how
            found = self.shown(argument, at, shown)
            if found is not None:
                return found
        return None

    def _verbs(self, call: s.Call, root: Declaration) -> tuple[list[Verb] | None, int]:
        """The verbs of a call's constant format and the index of the argument of the first one."""
        if not called_name(call).endswith(("f", "fDepth")):
            return None, 0
        for index, argument in enumerate(call.args[:3]):
            constants = self.texts.constants(argument, root)
            if constants:
                return verbs_of(constants[0]), index + 1
        return None, 0

    def _is_conversion(self, call: s.Call, root: Declaration) -> bool:
        if not isinstance(call.fun, s.Ident) or len(call.args) != 1:
            return False
        declared = root.package.declaration(call.fun.name)
        return declared is not None and isinstance(declared.node, s.TypeSpec)

    def _built(self, expr: s.Expr, at: At) -> str | None:
        """What was written to a builder or buffer that a local variable holds."""
        if not isinstance(expr, s.Ident):
            return None
        variable = self.texts.bindings(at.root).variable(expr.name, expr.start)
        if variable is None:
            return None
        for node in s.walk(at.root.node):
            if (
                not isinstance(node, s.Call)
                or node.start > expr.start
                or not isinstance(node.fun, s.Selector)
            ):
                continue
            name, target = node.fun.sel, node.fun.x
            skip = 0
            if name.startswith("Fprint") and node.args:
                target = node.args[0].x if isinstance(node.args[0], s.Unary) else node.args[0]
                skip = 1
            elif name not in _WRITES:
                continue
            if isinstance(target, s.Ident) and target.name == expr.name:
                found = self.formatted(node, at, skip)
                if found is not None:
                    return found
        return None

    # ---------------------------------------------------------------- functions of the repository

    def gives(self, declared: Declaration) -> bool:
        """True for a function whose first result is the text of a secret, or a struct that holds one."""
        node = declared.node
        assert isinstance(node, s.FuncDecl)
        if not node.results or not node.has_body:
            return False
        type_ = self.types.resolve(node.results[0].type, declared.file, declared.package)
        base = self._struct_type(type_) if type_ is not None else None
        if base is not None:
            return bool(self._secret_fields(base, TEXT))
        if not self.is_text(type_, "") or not self.speaks_of_secrets(declared.file.path, node):
            return False
        returned = (self._returned(statement, node, 0) for statement in self.returns_of(node))
        return any(v is not None and self.shown(v, At(declared), TEXT) is not None for v in returned)

    def _result_of(self, callee: Declaration, call: s.Call, index: int, at: At, how: str) -> str | None:
        """What a function returns, with the arguments of this call put in."""
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        if index >= len(node.results):
            return None
        result = self.types.resolve(node.results[index].type, callee.file, callee.package)
        is_error = at.errors and result is not None and result.name == "error"
        if not is_error and not self._can_hold_text(result):
            return None
        given = self.given(callee, node, call, at)
        if at.only and not any(label for _, label in given):
            return None
        inner = At(callee, given, at.only, at.errors)
        if is_error:
            returned = (self._returned(r, node, index) for r in self.returns_of(node))
            return next((e for v in returned if v is not None and (e := self._error(v, inner))), None)
        values = [v for r in self.returns_of(node) if (v := self._returned(r, node, index)) is not None]
        if any(
            self._is_masked(v, callee) for v in values
        ):  # an argument comes back where there is nothing to mask
            params = {param.name for param in node.params}
            values = [v for v in values if not (isinstance(v, s.Ident) and v.name in params)]
        for value in values:
            found = self.shown(value, inner, how)
            if found is not None:
                return found
        if index == 0 and not at.only and self._names_its_result(node.name, callee):
            return node.name if self.is_text(result, node.name) else None
        return None

    @cached_property
    def errors_keep_secrets(self) -> bool:
        """True when a type of the repository is an error and has a field with a secret."""
        program = self.asked.program
        for path in self.asked.search.own_files_with(b") Error() string"):
            file, package = program.file(path), program.package_of(path)
            if file is None or package is None:
                continue
            for node in file.functions_with(b"Error() string"):
                if node.name == "Error" and node.receiver is not None:
                    type_ = self.types.resolve(node.receiver.type, file, package)
                    base = self._struct_type(type_) if type_ is not None else None
                    if base is not None and self._secret_fields(base, TEXT):
                        return True
        return False

    def _error(self, expr: s.Expr, at: At) -> str | None:
        """The secret in the text of an error, where a type of the repository keeps one: what fmt puts into an error
        is given away where it does.
        """
        type_ = self.type_of(expr, at.root)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is not None and base.kind == "named" and self._struct_type(base) is not None:
            return self.shown(expr, at, TEXT)
        if isinstance(expr, s.Call) and self.own_callee(expr, at.root) is None:
            return next((e for x in expr.args if (e := self._error(x, at))), None)
        if isinstance(expr, s.Call):
            return self.shown(expr, at, TEXT)
        if isinstance(expr, s.Ident) and self._depth < MAX_DEPTH:
            variable = self.texts.bindings(at.root).variable(expr.name, expr.start)
            for source in self.reaching(variable, expr.start, at.root) if variable is not None else ():
                if source.expr is not None and source.expr is not expr and source.start < expr.start:
                    if source.kind == "result" and isinstance(source.expr, s.Call):
                        found = self._result(source.expr, source.index, at, TEXT)
                    else:
                        found = self._error(source.expr, at)
                    if found is not None:
                        return found
        return None

    def _is_masked(self, value: s.Expr, root: Declaration) -> bool:
        """True for `strings.Replace(text, secret, "***", 1)` and its like, also by way of a variable."""
        if isinstance(value, s.Ident):
            variable = self.texts.bindings(root).variable(value.name, value.start)
            sources = self.reaching(variable, value.start, root) if variable is not None else []
            return bool(sources) and all(
                isinstance(x.expr, s.Call) and self._is_masked(x.expr, root) for x in sources
            )
        if not isinstance(value, s.Call):
            return False
        place = _REPLACES.get(called_name(value))
        return place is not None and len(value.args) > 1 and self._has_mask(value.args[place], root)

    def _has_mask(self, expr: s.Expr, root: Declaration, depth: int = 0) -> bool:
        """True for a text in the code, or one that is put together with it, that says that it hides something."""
        match expr:
            case s.BasicLit(value=str() as text):
                return _MASK.search(text) is not None
            case s.Binary(op="+", x=x, y=y) if depth < 4:
                return self._has_mask(x, root, depth + 1) or self._has_mask(y, root, depth + 1)
            case s.Ident(name=name) if depth < 4:
                variable = self.texts.bindings(root).variable(name, expr.start)
                if variable is not None:
                    sources = self.reaching(variable, expr.start, root)
                    return bool(sources) and all(
                        x.kind == "value" and x.expr is not None and self._has_mask(x.expr, root, depth + 1)
                        for x in sources
                    )
        return any(_MASK.search(text) for text in self.texts.constants(expr, root) or ())

    @staticmethod
    def _returned(statement: s.Return, node: s.FuncDecl, index: int) -> s.Expr | None:
        if index < len(statement.values) and len(statement.values) == len(node.results):
            return statement.values[index]
        if len(statement.values) == 1 and index == 0:
            return statement.values[0]
        name = node.results[index].name if not statement.values else None
        return s.Ident(statement.start, statement.end, name) if name else None

    @staticmethod
    def _names_its_result(name: str, callee: Declaration) -> bool:
        parts = words(name)
        if len(parts) > 1 and parts[0] not in _GIVES:
            return False
        return not _HIDES.search(name) and is_secret_name(name, callee)

    def given(self, callee: Declaration, node: s.FuncDecl, call: s.Call, at: At) -> Given:
        """What the parameters of a function hold in one call of it, as far as it is known."""
        found: dict[str, str | None] = {}
        if node.receiver is not None and node.receiver.name and isinstance(call.fun, s.Selector):
            label = self.shown(call.fun.x, at)
            if label is not None:
                found[node.receiver.name] = label
        for index, argument in enumerate(call.args):
            param = node.params[min(index, len(node.params) - 1)] if node.params else None
            if param is None or not param.name:
                continue
            label = self.shown(argument, at)
            if label is not None:
                found[param.name] = label
            elif isinstance(argument, s.BasicLit):
                found.setdefault(param.name, None)
        return tuple(sorted(found.items(), key=lambda item: item[0]))

    def returns_of(self, node: s.FuncDecl) -> list[s.Return]:
        """The return statements of a function itself, not of literals inside."""
        known = self._returns.get(id(node))
        if known is None:
            inner = [(n.start, n.end) for n in s.walk(node.body) if isinstance(n, s.FuncLit)]
            known = self._returns[id(node)] = [
                n
                for n in s.walk(node.body)
                if isinstance(n, s.Return) and not any(a <= n.start < b for a, b in inner)
            ]
        return known

    # ---------------------------------------------------------------- types that hide what they hold

    def _hiding_method(self, type_: Type, how: str, *, is_exported: bool) -> Declaration | None:
        """The method that decides how a value of a type is shown, or None for the default way.

        fmt calls no methods on unexported fields, and no method of a pointer on a value.
        """
        is_pointer = type_.kind == "pointer"
        base = type_.elem if is_pointer and type_.elem is not None else type_
        if base.kind != "named" or base.package is None or (how in (TEXT, SYNTAX) and not is_exported):
            return None
        for name in _HIDING.get(how, ()):
            found = self.types.find_method(base, name)
            method = found[1] if found is not None else None
            if (
                isinstance(method, Declaration)
                and isinstance(method.node, s.FuncDecl)
                and method.node.has_body
            ):
                receiver = method.node.receiver
                if is_pointer or receiver is None or not isinstance(receiver.type, s.Star):
                    return method
        return None

    def _revealed(self, method: Declaration) -> str | None:
        """The secret that a method that shows its receiver gives away all the same: a field of it, or
        `_ITSELF`.
        """
        node = method.node
        assert isinstance(node, s.FuncDecl)
        receiver = node.receiver.name if node.receiver is not None else None
        key = (id(node), 0)
        if key not in self._reveals:
            self._reveals[key] = None
            given: Given = ()
            if receiver and node.receiver is not None:
                type_ = self.types.resolve(node.receiver.type, method.file, method.package)
                if type_ is not None and self._struct_type(type_) is None:
                    given = ((receiver, _ITSELF),)
            at = At(method, given)
            exprs = [v for r in self.returns_of(node) for v in r.values[:1]]
            exprs += [
                a
                for n in s.walk(node.body)
                if isinstance(n, s.Call)
                and called_name(n).startswith(("Fprint", "Write", "Add", "Str", "Any"))
                for a in n.args
            ]
            self._reveals[key] = self._any_of(exprs, at, RAW)
        return self._reveals[key]

    # ---------------------------------------------------------------- structs

    def _struct_type(self, type_: Type) -> Type | None:
        """The named struct of the repository that a type is or points at."""
        base = type_.elem if type_.kind == "pointer" and type_.elem is not None else type_
        if base.kind != "named" or base.package is None:
            return None
        under = self.types.underlying(base)
        return base if under is not None and isinstance(under.node, s.StructType) else None

    def _struct(self, expr: s.Expr, type_: Type, at: At, how: str) -> str | None:
        """`Type.Field` when showing a struct gives away a field of it."""
        base = self._struct_type(type_)
        assert base is not None
        for field, inner, label in self._secret_fields(base, how):
            if self._holds(expr, at, field, inner, how, 0):
                return label
        return None

    def _secret_fields(self, base: Type, how: str, depth: int = 0) -> list[tuple[s.Field, Type | None, str]]:
        """The fields that show a secret, with their type and `Type.Field`."""
        key = (id(base), how)
        if key in self._fields:
            return self._fields[key]
        found = self._fields[key] = []
        under = self.types.underlying(base)
        if (
            under is None
            or not isinstance(under.node, s.StructType)
            or base.package is None
            or depth > MAX_STRUCTS
        ):
            return found
        assert under.file is not None and under.package is not None
        anchor = base.package.declaration(base.name)
        for field in under.node.fields:
            inner = self.types.resolve(field.type, under.file, under.package)
            if inner is None or anchor is None or self._is_left_out(field, how):
                continue
            label = self._field_label(base, field, inner, anchor, how, depth)
            if label is None:
                continue
            method = self._hiding_method(inner, how, is_exported=field.name[:1].isupper())
            if method is None or self._revealed(method) is not None:
                found.append((field, inner, label))
        return found

    def _field_label(
        self, base: Type, field: s.Field, inner: Type, anchor: Declaration, how: str, depth: int
    ) -> str | None:
        """`Type.Field` for a field that holds a secret, itself or further in."""
        if is_secret_name(field.name, anchor):
            is_shown = inner.kind != "pointer" or how in _ENCODERS
            return f"{base.name}.{field.name}" if is_shown and self.is_text(inner, field.name) else None
        nested = self._nested(inner, how)
        if nested is None or nested is base:
            return None
        inside = self._secret_fields(nested, how, depth + 1)
        return inside[0][2] if inside else None

    def _nested(self, type_: Type, how: str) -> Type | None:
        """The struct inside a field that is shown with it: pointers are followed by encoders only."""
        if type_.kind in ("slice", "array", "map") and type_.elem is not None:
            type_ = type_.elem
        if type_.kind == "pointer" and how not in _ENCODERS:
            return None
        return self._struct_type(type_)

    @staticmethod
    def _is_left_out(field: s.Field, how: str) -> bool:
        """True for fields that encoders leave out."""
        if how not in _ENCODERS:
            return False
        return not field.name[:1].isupper() or _LEFT_OUT[how].search(field.tag or "") is not None

    def _holds(self, expr: s.Expr, at: At, field: s.Field, inner: Type | None, how: str, depth: int) -> bool:
        """True unless the field of this struct value is known to be empty or harmless."""
        if depth > MAX_STRUCTS:
            return True
        match expr:
            case s.Unary(op="&", x=x) | s.Star(x=x):
                return self._holds(x, at, field, inner, how, depth + 1)
            case s.CompositeLit():
                return self._literal_holds(expr, at, field, how)
            case s.Ident():
                return self._local_holds(expr, at, field, inner, how, depth)
            case s.Call():
                callee = self.own_callee(expr, at.root)
                if callee is None:
                    return True
                assert isinstance(callee.node, s.FuncDecl)
                returned = [r.values[0] for r in self.returns_of(callee.node) if r.values]
                at = At(callee)
                returned = [v for v in returned if not (isinstance(v, s.Ident) and v.name == "nil")]
                return not returned or any(self._holds(v, at, field, inner, how, depth + 1) for v in returned)
        return True

    def _literal_holds(self, literal: s.CompositeLit, at: At, field: s.Field, how: str) -> bool:
        if not literal.elements:
            return False
        if literal.elements[0][0] is None:
            type_ = self.type_of(literal, at.root)
            fields = self.types.fields(type_) if type_ is not None else []
            position = next((i for i, f in enumerate(fields) if f.name == field.name), None)
            if position is None or position >= len(literal.elements):
                return True
            return not self._is_harmless(literal.elements[position][1], at, how)
        for key, value in literal.elements:
            if isinstance(key, s.Ident) and key.name == field.name:
                return not self._is_harmless(value, at, how)
        return False

    def _is_harmless(self, value: s.Expr, at: At, how: str) -> bool:
        """True for a value that is no secret for sure: a text of the code, or made by a hiding function."""
        if isinstance(value, s.BasicLit) or (isinstance(value, s.Ident) and value.name == "nil"):
            return True
        type_ = self.type_of(value, at.root)
        if type_ is not None and self._struct_type(type_) is not None:
            return self._struct(value, type_, at, how) is None
        if isinstance(value, s.Call):
            return self._is_clean_source(Source("value", value), at, is_dsn=False)
        return False

    def _local_holds(
        self, expr: s.Ident, at: At, field: s.Field, inner: Type | None, how: str, depth: int
    ) -> bool:
        variable = self.texts.bindings(at.root).variable(expr.name, expr.start)
        if variable is None:
            return True
        writes = [
            (value, statement)
            for target, value, statement in self._written_fields(at.root).get(field.name, ())
            if isinstance(target.x, s.Ident)
            and statement.start < expr.start
            and self.texts.bindings(at.root).variable(target.x.name, target.x.start) is variable
        ]
        blocks = self._blocks_of(at.root)
        for value, statement in reversed(writes):
            if not self._is_harmless(value, at, how):
                return True
            block = max(
                (b for b in blocks if b[0] <= statement.start < b[1]), key=lambda b: b[0], default=None
            )
            if block is None or block[0] <= expr.start < block[1]:
                return False
        sources = self.reaching(variable, expr.start, at.root)
        if len(sources) != 1 or sources[0].kind not in ("value", "result") or sources[0].expr is None:
            return True
        if self._is_passed(variable, expr, at.root):
            return True
        if sources[0].kind == "result" and sources[0].index != 0:
            return True
        return self._holds(sources[0].expr, at, field, inner, how, depth + 1)

    def _written_fields(self, root: Declaration) -> dict[str, list[tuple[s.Selector, s.Expr, s.Assign]]]:
        known = self._writes.get(id(root.node))
        if known is None:
            known = self._writes[id(root.node)] = {}
            for node in s.walk(root.node):
                if isinstance(node, s.Assign) and len(node.lhs) == len(node.rhs):
                    for target, value in zip(node.lhs, node.rhs, strict=True):
                        if isinstance(target, s.Selector):
                            known.setdefault(target.sel, []).append((target, value, node))
        return known

    def _is_passed(self, variable: Variable, use: s.Ident, root: Declaration) -> bool:
        """True when code elsewhere can have filled a variable before a place: its address was taken, it was
        handed on as a pointer, or a method was called.
        """
        is_pointer = isinstance(variable.sources[0].expr, s.Unary)
        bindings = self.texts.bindings(root)
        for node in s.walk(root.node):
            match node:
                case s.Unary(op="&", x=s.Ident() as x):
                    pass
                case s.Call(fun=s.Selector(x=s.Ident() as x)):
                    pass
                case s.Call(args=args) if is_pointer:
                    if any(
                        isinstance(a, s.Ident)
                        and a.name == variable.name
                        and a is not use
                        and a.start < use.start
                        for a in args
                    ):
                        return True
                    continue
                case _:
                    continue
            if (
                x.name == variable.name
                and x.start < use.start
                and bindings.variable(x.name, x.start) is variable
            ):
                return True
        return False


def verbs_of(form: str) -> list[Verb]:
    """The verbs of a format, one for each argument. Types, addresses, numbers and truth values show no text,
    neither do a few first characters.
    """
    out: list[Verb] = []
    for flags, _, precision, verb in _VERB.findall(form.replace("%%", "")):
        if verb not in "svqxXw" or (precision and int(precision) <= 8):
            out.append(Verb(None))
        else:
            out.append(Verb(SYNTAX if verb == "v" and "#" in flags else TEXT))
    return out


def _written(expr: s.Expr, root: Declaration) -> str:
    """An expression as it is written; names of the package carry its path."""
    text = root.file.data[expr.start : expr.end].decode("utf-8", "replace")
    return text.rsplit(".", 1)[-1] if isinstance(expr, s.Selector) else text
