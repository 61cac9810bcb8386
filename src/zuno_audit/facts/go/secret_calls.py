"""Which secrets the results of calls show: what is read from outside, what library functions hand on, what
functions of the repository return, and what they mask.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.secret_names import is_secret_key, is_secret_name
from zuno_audit.facts.go.showing import (
    FIELD,
    FORMATS,
    HIDES,
    JSON,
    LOG_FIELDS,
    LOG_PACKAGES,
    PRINTED,
    RAW,
    TEXT,
    YAML,
    At,
    Given,
)
from zuno_audit.facts.go.static_types import callee_of
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.facts.secret_values import words
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.secret_flow import SecretFlow
    from zuno_audit.model.location import Location

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
_OWN_TEXT = frozenset(("String", "Bytes", "Error", "GetValue", "Load", "Get", "Unwrap"))
_READERS = frozenset(
    {"Get", "GetString", "GetStringSlice", "FormValue", "PostFormValue", "PostForm", "Query"}
    | {"QueryParam", "GetHeader", "DefaultQuery", "String", "StringSlice", "StringFlag", "MustGet"}
    | {"Values"}
)
_FLAGS = frozenset(("flag", "github.com/spf13/pflag", "gopkg.in/alecthomas/kingpin.v2"))
_GIVES = frozenset(
    ("get", "generate", "gen", "new", "read", "load", "fetch", "random", "create", "must", "make", "default")
)
_WRITES = ("Write", "WriteString")
# functions that put a text in the place of another one: its index among the arguments, from the end
_REPLACES = {"Replace": -2, "ReplaceAll": -1, "ReplaceAllString": -1, "ReplaceAllLiteralString": -1}
_MASK = re.compile(r"\*{3}|\bx{3,}\b|redact|masked|hidden|filtered|censored", re.IGNORECASE)
# results of library functions that are secrets, whatever the variable is called
_SECRET_RESULTS = {("GenerateKey", "crypto/ed25519"): (1, "private key"), ("BasicAuth", ""): (1, "password")}


class SecretCalls:
    """The calls of one program, for its `SecretFlow`."""

    def __init__(self, flow: SecretFlow, reads: Mapping[Location, str]) -> None:
        self.flow, self.texts, self.types, self.reaching = flow, flow.texts, flow.types, flow.reaching
        self._reads: dict[tuple[str, int], list[tuple[Location, str]]] = {}
        for where, name in reads.items():
            self._reads.setdefault((where.path, where.line), []).append((where, name))
        self._returns: dict[int, list[s.Return]] = {}
        self._ways: dict[str, str] = {}
        self._context: dict[str, list[tuple[s.Expr, Declaration]]] | None = None

    def result(self, call: s.Call, index: int, at: At, how: str) -> str | None:
        """The secret that a result of a call shows."""
        if isinstance(call.fun, s.ArrayType) and call.args:  # []byte(x)
            return self.flow.shown(call.args[0], at)
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

    def way_of_fields(self, path: str, is_default: bool = False) -> str:
        """How a logging library shows fields that have no say in it, by the handlers that the program makes.

        The handlers of slog and logrus that nobody replaces, and their handlers for text, leave them to fmt; other
        handlers are taken for encoders. `is_default`: the logger of the package is used.
        """
        others = {"log/slog": b"slog.New", "github.com/sirupsen/logrus": b"Formatter"}.get(path)
        if others is None:
            return FIELD
        key = path + (" default" if is_default else "")
        if key not in self._ways:
            files = self.flow.asked.search.own_files_with
            printed = bool(files(b"slog.NewTextHandler(") if path == "log/slog" else files(b"TextFormatter{"))
            printed = printed or not files(others)
            if path == "log/slog" and is_default:
                printed = printed or not files(b"slog.SetDefault(")
            self._ways[key] = PRINTED if printed else FIELD
        return self._ways[key]

    def path_of(self, fun: s.Expr, root: Declaration) -> str:
        """The import path of the package whose function is called; empty for methods and own functions."""
        if isinstance(fun, s.Index):
            fun = fun.x
        if not isinstance(fun, s.Selector) or not isinstance(fun.x, s.Ident):
            return ""
        path = self.flow.asked.program.imported(root.file).get(fun.x.name, "")
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
            for site in self.flow.asked.search.calls_to("context", "WithValue"):
                if isinstance(site.call, s.Call) and len(site.call.args) == 3:
                    text = _written(site.call.args[1], site.root)
                    self._context.setdefault(text, []).append((site.call.args[2], site.root))
        for value, root in self._context.get(_written(key, at.root), ()):
            found = self.flow.shown(value, At(root))
            if found is not None:
                return found
        return None

    def _of_library(self, call: s.Call, name: str, path: str, at: At, how: str) -> str | None:
        if path and LOG_PACKAGES.match(path) and name in LOG_FIELDS:
            return self.flow.in_pairs(call, at, 0, self.way_of_fields(path))
        if name in FORMATS:
            return self.flow.formatted(call, at)
        if name == "Parse" and path in _PARSERS:
            return self.flow.shown(call.args[0], at) if call.args and path else None
        if HIDES.search(name):
            return None
        if not at.only and name.startswith("Get") and not call.args and is_secret_name(name[3:], at.root):
            return name[3:]
        if name in ("Marshal", "MarshalIndent"):
            how = YAML if "yaml" in path else JSON
            return self.flow.shown(call.args[0], at, how) if call.args else None
        if self.is_masked(call, at.root):
            return None
        if name in _FIRST or (name == "Encode" and path and len(call.args) == 1):
            return self.flow.shown(call.args[0], at, TEXT) if call.args else None
        if (name == "string" and not path) or self._is_conversion(call, at.root):
            return self.flow.any_of(call.args, at, RAW)
        if name in _ALL:
            return self.flow.any_of(call.args, at, TEXT if name in ("Errorf", "Wrap", "Wrapf") else how)
        if name in _OWN_TEXT and isinstance(call.fun, s.Selector) and not path and len(call.args) < 2:
            found = self.flow.shown(call.fun.x, at, TEXT)
            return found if found is not None else self._built(call.fun.x, at)
        return None

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
                found = self.flow.formatted(node, at, skip)
                if found is not None:
                    return found
        return None

    def _result_of(self, callee: Declaration, call: s.Call, index: int, at: At, how: str) -> str | None:
        """What a function returns, with the arguments of this call put in."""
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        if index >= len(node.results):
            return None
        result = self.types.resolve(node.results[index].type, callee.file, callee.package)
        is_error = at.errors and result is not None and result.name == "error"
        if not is_error and not self.flow.can_hold_text(result):
            return None
        given = self.given(callee, node, call, at)
        if at.only and not any(label for _, label in given):
            return None
        inner = At(callee, given, at.only, at.errors)
        if is_error:
            returned = (self.returned(r, node, index) for r in self.returns_of(node))
            return next((e for v in returned if v is not None and (e := self.flow.error(v, inner))), None)
        values = [v for r in self.returns_of(node) if (v := self.returned(r, node, index)) is not None]
        if any(
            self.is_masked(v, callee) for v in values
        ):  # an argument comes back where there is nothing to mask
            params = {param.name for param in node.params}
            values = [v for v in values if not (isinstance(v, s.Ident) and v.name in params)]
        for value in values:
            found = self.flow.shown(value, inner, how)
            if found is not None:
                return found
        if index == 0 and not at.only and self._names_its_result(node.name, callee):
            return node.name if self.flow.is_text(result, node.name) else None
        return None

    def given(self, callee: Declaration, node: s.FuncDecl, call: s.Call, at: At) -> Given:
        """What the parameters of a function hold in one call of it, as far as it is known."""
        found: dict[str, str | None] = {}
        if node.receiver is not None and node.receiver.name and isinstance(call.fun, s.Selector):
            label = self.flow.shown(call.fun.x, at)
            if label is not None:
                found[node.receiver.name] = label
        for index, argument in enumerate(call.args):
            param = node.params[min(index, len(node.params) - 1)] if node.params else None
            if param is None or not param.name:
                continue
            label = self.flow.shown(argument, at)
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

    @staticmethod
    def returned(statement: s.Return, node: s.FuncDecl, index: int) -> s.Expr | None:
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
        return not HIDES.search(name) and is_secret_name(name, callee)

    def is_masked(self, value: s.Expr, root: Declaration) -> bool:
        """True for `strings.Replace(text, secret, "***", 1)` and its like, also by way of a variable."""
        if isinstance(value, s.Ident):
            variable = self.texts.bindings(root).variable(value.name, value.start)
            sources = self.reaching.sources(variable, value.start, root) if variable is not None else []
            return bool(sources) and all(
                isinstance(x.expr, s.Call) and self.is_masked(x.expr, root) for x in sources
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
                    sources = self.reaching.sources(variable, expr.start, root)
                    return bool(sources) and all(
                        x.kind == "value" and x.expr is not None and self._has_mask(x.expr, root, depth + 1)
                        for x in sources
                    )
        return any(_MASK.search(text) for text in self.texts.constants(expr, root) or ())


def _written(expr: s.Expr, root: Declaration) -> str:
    """An expression as it is written; names of the package carry its path."""
    text = root.file.data[expr.start : expr.end].decode("utf-8", "replace")
    return text.rsplit(".", 1)[-1] if isinstance(expr, s.Selector) else text
