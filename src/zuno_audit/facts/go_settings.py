"""Where a text in Go code comes from: constants, configuration fields, environment variables and defaults.

The answer is a template as a shell writes it: `:${PORT:-8081}`. Put the environment of a deployment in
(`languages.shell.expand`) and it is the text the program works with.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.go_code import Function, GoCode, go_code
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import (
    Assign,
    BasicLit,
    Binary,
    Call,
    CompositeLit,
    Expr,
    Ident,
    Selector,
    StructType,
    TypeSpec,
    Unary,
    ValueSpec,
)

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_DEPTH = 8
MAX_TEMPLATES = 8  # of one expression
_ENV_TAG = re.compile(r'(?:^|\s)(?:env|envconfig|mapstructure|koanf):"([A-Za-z_][A-Za-z0-9_]*)')
_DEFAULT_TAG = re.compile(r'(?:^|\s)(?:envDefault|default|env-default):"([^"]*)"')
_READS_ENV = (b"Getenv", b"LookupEnv")


class GoSettings:
    """Templates of expressions; see the module's text."""

    def __init__(self, code: GoCode) -> None:
        self.code = code
        self._fields: dict[str, list[str]] = {}
        self._busy: set[str] = set()

    def templates(
        self, function: Function | None, file: GoFile, expression: Expr, depth: int = 0
    ) -> list[str]:
        """What the text may be; empty when it cannot be known."""
        if depth > MAX_DEPTH:
            return []
        found = list(dict.fromkeys(self._templates(function, file, expression, depth)))[:MAX_TEMPLATES]
        return _merged(found)

    def _templates(
        self, function: Function | None, file: GoFile, expression: Expr, depth: int
    ) -> Iterator[str]:
        if isinstance(expression, BasicLit):
            if isinstance(expression.value, str | int):
                yield str(expression.value).replace("$", "$$")
        elif isinstance(expression, Unary):
            yield from self._templates(function, file, expression.x, depth + 1)
        elif isinstance(expression, Binary) and expression.op == "+":
            for left in self.templates(function, file, expression.x, depth + 1):
                for right in self.templates(function, file, expression.y, depth + 1):
                    yield left + right
        elif isinstance(expression, Ident):
            yield from self._name(function, file, expression.name, depth)
        elif isinstance(expression, Selector):
            yield from self._selector(function, file, expression, depth)
        elif isinstance(expression, Call):
            yield from self._call(function, file, expression, depth)

    def _name(self, function: Function | None, file: GoFile, name: str, depth: int) -> Iterator[str]:
        if function is not None:
            is_local = False
            for node in function.nodes:
                if isinstance(node, Assign):
                    for position, target in enumerate(node.lhs):
                        if isinstance(target, Ident) and target.name == name:
                            is_local = True
                            value = node.rhs[position] if position < len(node.rhs) else node.rhs[0]
                            yield from self.templates(function, file, value, depth + 1)
                elif isinstance(node, ValueSpec) and any(n.name == name for n in node.names):
                    is_local = True
                    for value in node.values:
                        yield from self.templates(function, file, value, depth + 1)
            if is_local:
                return
            index = next((i for i, p in enumerate(function.decl.params) if p.name == name), None)
            if index is not None:
                for caller, call in self._calls_of(function):
                    if index < len(call.args):
                        yield from self.templates(caller, caller.file, call.args[index], depth + 1)
                return
        yield from self._declared(dirname(file.path), name, depth)

    def _calls_of(self, function: Function) -> Iterator[tuple[Function, Call]]:
        for file, offset in self.code.mentions(function):
            around = self.code.enclosing(file, offset)
            if around is not None:
                for node in around.nodes:
                    if isinstance(node, Call) and node.fun.end == offset + len(function.name):
                        yield around, node

    def _declared(self, directory: str, name: str, depth: int) -> Iterator[str]:
        for file in self.code.files_with(name.encode(), directory=directory):
            spec = file.spec(name)
            if isinstance(spec, ValueSpec):
                for declared, value in zip(spec.names, spec.values, strict=False):
                    if declared.name == name:
                        yield from self.templates(None, file, value, depth + 1)

    def _selector(self, function: Function | None, file: GoFile, node: Selector, depth: int) -> Iterator[str]:
        if isinstance(node.x, Ident):
            path = self.code.import_path(file, node.x.name)
            if path is not None:
                package = self.code.packages.by_import.get(path)
                if package is not None:
                    yield from self._declared(package.directory, node.sel, depth)
                return
        yield from self.field(node.sel, depth)

    def field(self, name: str, depth: int = 0) -> list[str]:
        """What is put into the struct fields of this name anywhere in linked code."""
        if name in self._busy:
            return []
        if name not in self._fields:
            self._busy.add(name)
            self._fields[name] = list(dict.fromkeys(self._field(name, depth)))[:MAX_TEMPLATES]
            self._busy.discard(name)
        return self._fields[name]

    def _field(self, name: str, depth: int) -> Iterator[str]:
        put = re.compile(rb"\b" + re.escape(name.encode()) + rb"\s*(?::(?!=)|=(?!=)|[\w.*\[\]]+\s+`)")
        for file in self.code.files_with(name.encode()):
            if not put.search(file.data):
                continue
            for spec in file.specs():
                if isinstance(spec, TypeSpec) and isinstance(spec.type, StructType):
                    yield from (t for f in spec.type.fields if f.name == name and (t := _tagged(f.tag)))
            for function in self.code.functions(file):
                if name.encode() in file.data[function.start : function.end]:
                    yield from self._put(function, name, depth)

    def _put(self, function: Function, name: str, depth: int) -> Iterator[str]:
        for node in function.nodes:
            if isinstance(node, CompositeLit):
                for key, value in node.elements:
                    if isinstance(key, Ident) and key.name == name:
                        yield from self.templates(function, function.file, value, depth + 1)
            elif isinstance(node, Assign):
                for target, value in zip(node.lhs, node.rhs, strict=False):
                    if isinstance(target, Selector) and target.sel == name:
                        yield from self.templates(function, function.file, value, depth + 1)

    def _call(self, function: Function | None, file: GoFile, call: Call, depth: int) -> Iterator[str]:
        name = (
            call.fun.sel
            if isinstance(call.fun, Selector)
            else call.fun.name
            if isinstance(call.fun, Ident)
            else ""
        )
        arguments = [self.templates(function, file, a, depth + 1) for a in call.args]
        if name in ("Getenv", "LookupEnv") and arguments and len(arguments[0]) == 1:
            yield f"${{{arguments[0][0]}}}"
        elif name == "Sprintf" and arguments:
            yield from _formatted(arguments)
        elif name == "JoinHostPort" and len(arguments) == 2:
            yield from (f"{h}:{p}" for h in arguments[0] or [""] for p in arguments[1])
        elif name in ("Itoa", "FormatInt", "string", "String", "TrimSpace", "ToLower") and arguments:
            yield from arguments[0]
        elif name == "Or" and len(arguments) == 2:
            yield from (_with_default(a, b) for a in arguments[0] for b in arguments[1] or [""])
        elif arguments and len(arguments[0]) == 1:
            variable = arguments[0][0]
            if re.fullmatch(r"[A-Z][A-Z0-9_]+", variable) and self._reads_environment(file, call.fun):
                defaults = arguments[1] if len(arguments) > 1 else []
                yield from (_with_default(f"${{{variable}}}", d) for d in defaults or [""])

    def _reads_environment(self, file: GoFile, fun: Expr) -> bool:
        """True for a function of the repository that looks an environment variable up, or a viper getter."""
        if isinstance(fun, Selector) and self.code.is_package(file, fun.x, "github.com/spf13/viper"):
            return fun.sel.startswith("Get")
        for callee in self.code.resolve(file, fun):
            body = callee.file.data[callee.start : callee.end]
            if any(literal in body for literal in _READS_ENV):
                return True
            for inner in callee.nodes:
                if isinstance(inner, Call):
                    for deeper in self.code.resolve(callee.file, inner.fun):
                        text = deeper.file.data[deeper.start : deeper.end]
                        if any(literal in text for literal in _READS_ENV):
                            return True
        return False


def _tagged(tag: str) -> str:
    name = _ENV_TAG.search(tag)
    if not name or not name.group(1).isupper():
        return ""
    default = _DEFAULT_TAG.search(tag)
    return _with_default(f"${{{name.group(1)}}}", default.group(1) if default else "")


def _with_default(template: str, default: str) -> str:
    bare = re.fullmatch(r"\$\{(\w+)\}", template)
    return f"${{{bare.group(1)}:-{default}}}" if bare and default else template


def _formatted(arguments: list[list[str]]) -> Iterator[str]:
    """The results of a Sprintf with known arguments; verbs of unknown ones make it unknown."""
    for form in arguments[0]:
        parts = re.split(r"%(?:[+#-]?\d*)[sdvq]", form)
        if len(parts) - 1 > len(arguments) - 1:
            continue
        done = [parts[0]]
        for known, part in zip(arguments[1:], parts[1:], strict=False):
            first = known[:2] or ([""] if done[0] == "" else [])
            done = [d + k + part for d in done for k in first]
        yield from done


def _merged(templates: list[str]) -> list[str]:
    """`x := os.Getenv("X"); if x == "" { x = "y" }` is one template with a default."""
    bare = [t for t in templates if re.fullmatch(r"\$\{\w+\}", t)]
    constants = [t for t in templates if t and "$" not in t]
    if len(bare) == 1 and len(constants) == 1:
        return [_with_default(bare[0], constants[0])]
    return [t for t in templates if t]


def go_settings(store: FactStore) -> GoSettings:
    """The settings of the repository's Go code."""
    return GoSettings(store.get(go_code))
