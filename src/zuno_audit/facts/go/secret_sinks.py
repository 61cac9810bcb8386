"""Calls that show what they are given to people who read logs, errors and answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go.bindings import called_name, last_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.secret_flow import SecretFlow
from zuno_audit.facts.go.secret_names import names_something_about
from zuno_audit.facts.go.showing import FIELD, JSON, LOG_PACKAGES, RAW, TEXT, At
from zuno_audit.facts.secret_values import words
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.types import Type

LOGGED, ERROR_TEXT = "logged", "error-text"
MAX_HELPERS = 3  # functions between a value and the call that shows it

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
    "Exit",
    "Verbose",
)
_SUFFIXES = ("", "f", "ln", "w", "Context", "Ctx", "Object", "S", "Depth", "SDepth", "fDepth", "fn", "z")
_PRINTS = ("Print", "Printf", "Println")
_FPRINTS = ("Fprint", "Fprintf", "Fprintln")
_LOG_NAMES = frozenset(
    [
        *(level + suffix for level in _LEVELS for suffix in _SUFFIXES),
        *(*_PRINTS, "Log", "Logf", "Logln", "Msg", "Msgf", "Send", "LogAttrs", "Output"),
        *("WithField", "WithFields", "WithValues", "With", "Fields"),
    ]
)
_FIELD_NAMES = frozenset(
    {"String", "Str", "Any", "Interface", "Stringer", "ByteString", "Bytes", "Hex", "Reflect", "Strs"}
    | {"Object", "Strings", "Dict", "RawJSON", "Group"}
)
_EVENT_FIELDS = frozenset(
    ("Str", "Interface", "Strs", "Hex", "Bytes", "Any", "Stringer", "Fields", "RawJSON")
)
_ERRORS = {
    "fmt": ("Errorf",),
    "errors": ("New",),
    "net/http": ("Error",),
    "golang.org/x/xerrors": ("New", "Errorf"),
    "github.com/pkg/errors": ("New", "Errorf", "Wrap", "Wrapf", "WithMessage", "WithMessagef"),
    "github.com/cockroachdb/errors": ("New", "Newf", "Errorf", "Wrap", "Wrapf"),
    "google.golang.org/grpc/status": ("Error", "Errorf", "New", "Newf"),
    "github.com/weaveworks/common/httpgrpc": ("Errorf",),
    "github.com/labstack/echo/v4": ("NewHTTPError",),
    "github.com/gofiber/fiber/v2": ("NewError",),
}
_DUMPS = re.compile(
    r"^github\.com/(?:davecgh/go-spew/spew|kr/pretty|k0kubun/pp(?:/v3)?|sanity-io/litter|alecthomas/repr)$"
)
_DUMP_NAMES = frozenset((*_PRINTS, "Dump", "Sdump", "Log"))
_LOGGER = re.compile(r"(?i)log(?:ger)?\d?$|sugar|^lg?$|zap|event|entry$")
_NO_LOGGER = ("catalog", "blog", "dialog", "changelog", "logical", "login", "logout")
# what no client is ever given: tokens and the like may be the very answer, and a secret that was just made
_NEVER_ANSWERED = frozenset(("password", "passwd", "pwd", "passphrase", "dsn", "mnemonic"))
_SETTINGS = frozenset(
    ("password", "passwd", "pwd", "passphrase", "secret", "secrets", "dsn", "mnemonic", "key")
)


class Sink(NamedTuple):
    """A call that shows its arguments from index `start` on, and how it shows those that no format governs."""

    kind: str
    start: int = 0
    how: str = TEXT
    to_client: bool = False  # an answer to a request: tokens may be meant to be there


class Sinks:
    """Answers for one program."""

    def __init__(self, flow: SecretFlow) -> None:
        self.flow, self.texts, self.types = flow, flow.texts, flow.types
        self._parameters: dict[tuple[int, str], Sink | None] = {}

    def given_away(self, call: s.Call, root: Declaration, *, by_helpers: bool) -> tuple[str, str] | None:
        """The kind of leak and the name of the secret that a call gives away, also through functions of the
        repository where that is asked for.
        """
        sink = self.sink(call, root)
        if sink is not None:
            what = self.flow.formatted(call, At(root), sink.start, sink.how)
            if what is None and sink.kind != ERROR_TEXT and self.flow.errors_keep_secrets:
                what = self.flow.formatted(call, At(root, errors=True), sink.start, sink.how)
            settings = _NEVER_ANSWERED if sink.how == JSON else _SETTINGS
            if what is None or (sink.to_client and settings.isdisjoint(words(what))):
                return None
            return sink.kind, what
        if not by_helpers or all(isinstance(a, s.BasicLit | s.FuncLit) for a in call.args):
            return None
        callee = self.flow.calls.own_callee(call, root)
        if callee is None:
            return None
        assert isinstance(callee.node, s.FuncDecl)
        params = callee.node.params
        for index, argument in enumerate(call.args):
            if isinstance(argument, s.BasicLit | s.FuncLit) or not params:
                continue
            param = params[min(index, len(params) - 1)]
            if not param.name or names_something_about(param.name):
                continue
            what = self.flow.shown(argument, At(root), RAW if _is_string(param) else TEXT)
            if what is None:
                continue
            found = self._parameter(callee, param.name, 0)
            if found is not None and not self._is_found_inside(callee, param.name):
                return found.kind, what
        return None

    def _is_found_inside(self, callee: Declaration, name: str) -> bool:
        """True when the parameter has a secret's name: the call inside the helper is reported already."""
        assert isinstance(callee.node, s.FuncDecl)
        start = callee.node.body.start + 1
        return self.flow.shown(s.Ident(start, start, name), At(callee), TEXT) is not None

    def _parameter(self, callee: Declaration, name: str, level: int) -> Sink | None:
        """What a function of the repository does with a parameter: logs it, or puts it into an error."""
        key = (id(callee.node), name)
        if key not in self._parameters:
            self._parameters[key] = None
            self._parameters[key] = self._find(callee, name, level)
        return self._parameters[key]

    def _find(self, callee: Declaration, name: str, level: int) -> Sink | None:
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        at = At(callee, ((name, "parameter"),), only=True)
        for inner in s.walk(node.body):
            if not isinstance(inner, s.Call) or not inner.args:
                continue
            sink = self.sink(inner, callee)
            if sink is not None:
                if not sink.to_client and self.flow.formatted(inner, at, sink.start, sink.how) is not None:
                    return sink
                continue
            target = self.flow.calls.own_callee(inner, callee) if level < MAX_HELPERS else None
            if target is None:
                continue
            assert isinstance(target.node, s.FuncDecl)
            params = target.node.params
            for index, argument in enumerate(inner.args):
                param = params[min(index, len(params) - 1)].name if params else None
                if param and self.flow.shown(argument, at, TEXT) is not None:
                    found = self._parameter(target, param, level + 1)
                    if found is not None:
                        return found
        return None

    # ---------------------------------------------------------------- which calls show their arguments

    def sink(self, call: s.Call, root: Declaration) -> Sink | None:
        """How a call shows its arguments, or None for a call that does not."""
        name, fun = called_name(call), call.fun
        if isinstance(fun, s.Ident):
            if name in ("println", "print", "panic") and root.package.declaration(name) is None:
                return Sink(ERROR_TEXT if name == "panic" else LOGGED)
            return None
        if not isinstance(fun, s.Selector):
            return None
        path = self.flow.calls.path_of(fun, root)
        if not path:
            return self._of_method(call, name, fun, root)
        if name in _ERRORS.get(path, ()):
            return Sink(ERROR_TEXT, start=1 if path == "net/http" else 0)
        if path == "fmt" or (path == "io" and name == "WriteString"):
            if name in _FPRINTS or path == "io":
                return self._written_to(call, root)
            return Sink(LOGGED) if name in _PRINTS else None
        if _DUMPS.match(path):
            return Sink(LOGGED) if name in _DUMP_NAMES else None
        if not LOG_PACKAGES.match(path):
            return None
        if name in _FIELD_NAMES:
            return Sink(LOGGED, how=self.flow.calls.way_of_fields(path))
        return self._log_call(name, path, is_default=True) if name in _LOG_NAMES else None

    def _written_to(self, call: s.Call, root: Declaration) -> Sink | None:
        """Fprint and io.WriteString: to the terminal, or as an answer to a request."""
        target = call.args[0] if call.args else None
        if isinstance(target, s.Selector) and target.sel in ("Stdout", "Stderr"):
            return Sink(LOGGED, start=1)
        if target is not None and self._is_response(target, root):
            return Sink(LOGGED, start=1, to_client=True)
        return None

    def _is_response(self, expr: s.Expr, root: Declaration) -> bool:
        type_ = self.flow.type_of(expr, root)
        return (
            type_ is not None
            and type_.kind == "extern"
            and (type_.path, type_.name)
            == (
                "net/http",
                "ResponseWriter",
            )
        )

    def _answers(self, expr: s.Expr, root: Declaration) -> bool:
        """True for an encoder of JSON that writes the answer to a request."""
        if isinstance(expr, s.Ident):
            variable = self.texts.bindings(root).variable(expr.name, expr.start)
            values = [source.expr for source in variable.sources] if variable is not None else []
            return len(values) == 1 and isinstance(values[0], s.Call) and self._answers(values[0], root)
        if not isinstance(expr, s.Call) or called_name(expr) != "NewEncoder" or not expr.args:
            return False
        path = self.flow.calls.path_of(expr.fun, root)
        return path == "encoding/json" and self._is_response(expr.args[0], root)

    def _of_method(self, call: s.Call, name: str, fun: s.Selector, root: Declaration) -> Sink | None:
        if name in ("Write", "WriteString"):
            if isinstance(fun.x, s.Selector) and fun.x.sel in ("Stdout", "Stderr"):
                return Sink(LOGGED)
            return Sink(LOGGED, to_client=True) if self._is_response(fun.x, root) else None
        if name == "Encode":
            return Sink(LOGGED, how=JSON, to_client=True) if self._answers(fun.x, root) else None
        if name in _EVENT_FIELDS and self._is_event(fun.x):
            return Sink(LOGGED, how=FIELD)
        if name in _LOG_NAMES and self._is_logger(fun.x, root) and not self._does_nothing(call, root):
            type_ = self.flow.type_of(fun.x, root)
            base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
            if base is None:
                return self._log_call(name, self._only_library(root))
            return self._log_call(name, base.path if base.kind == "extern" else "")
        return None

    def _only_library(self, root: Declaration) -> str:
        """The logging library that a file imports, when there is one: a logger of no known type is its own."""
        imported = self.flow.asked.program.imported(root.file).values()
        found = {path for path in imported if path != "fmt" and LOG_PACKAGES.match(path)}
        return found.pop() if len(found) == 1 else ""

    def _does_nothing(self, call: s.Call, root: Declaration) -> bool:
        """True for a method of the repository with an empty body."""
        callee = self.flow.calls.own_callee(call, root)
        node = callee.node if callee is not None else None
        return isinstance(node, s.FuncDecl) and not node.body.stmts

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
        type_ = self.flow.type_of(expr, root)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is not None and base.kind == "extern":
            return self._is_extern_logger(base)
        if base is not None and base.kind == "named":
            name = base.name.lower()
            return "log" in name and not any(word in name for word in _NO_LOGGER)
        if isinstance(expr, s.Call) and isinstance(expr.fun, s.Selector):
            path = self.flow.calls.path_of(expr.fun, root)
            if path and path != "fmt" and LOG_PACKAGES.match(path):
                return True
            return called_name(expr) in _LOG_NAMES and self._is_logger(expr.fun.x, root)
        name = last_name(expr)
        return base is None and _LOGGER.search(name) is not None and not name.lower().startswith(_NO_LOGGER)

    def _log_call(self, name: str, path: str, is_default: bool = False) -> Sink:
        """Structured loggers ask values how they want to be shown; those with formats and the standard library's
        old one leave it to fmt. `is_default`: a function of the package, not a method of a logger.
        """
        is_structured = path not in ("log", "fmt", "") and not name.endswith(("f", "ln"))
        if not is_structured and not name.endswith("w"):
            return Sink(LOGGED, how=TEXT)
        return Sink(LOGGED, how=self.flow.calls.way_of_fields(path, is_default))

    @staticmethod
    def _is_extern_logger(type_: Type) -> bool:
        if LOG_PACKAGES.match(type_.path) is not None:
            return True
        return "log" in type_.name.lower() or (type_.path.endswith("/cobra") and type_.name == "Command")


def _is_string(param: s.Param) -> bool:
    return isinstance(param.type, s.Ident) and param.type.name == "string" and not param.variadic
