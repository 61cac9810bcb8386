"""Names that Go code gives to things outside: which texts an argument may be, for which binary.

Built on the templates of `go_settings`; adds what they leave out: results of the repository's own getters
(`client.GetDatabase()`), loops over lists, and fields of a struct that is a parameter, looked up by its type.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go_code import Function, GoCode, calls, go_code
from zuno_audit.facts.go_settings import GoSettings
from zuno_audit.facts.routes import deployments
from zuno_audit.languages import shell
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import (
    Assign,
    Call,
    CompositeLit,
    Expr,
    Ident,
    Range,
    Return,
    Selector,
    ValueSpec,
)

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MARK = "\x00"  # before a template that a marked method got as its argument
_MAX_DEPTH = 8


class GoNames(GoSettings):
    """Templates of expressions. `marked` is a method whose argument names what its result stands for."""

    def __init__(self, code: GoCode, marked: str = "") -> None:
        super().__init__(code)
        self.marked = marked

    def _call(self, function: Function | None, file: GoFile, call: Call, depth: int) -> Iterator[str]:
        name = call.fun.sel if isinstance(call.fun, Selector) else ""
        if self.marked and name == self.marked and call.args:
            for template in self.templates(function, file, call.args[0], depth + 1) or ["${_}"]:
                yield MARK + template
            return
        found = False
        for template in super()._call(function, file, call, depth):
            found = True
            yield template
        if not found and depth < _MAX_DEPTH:
            yield from self._returned(file, call, depth)

    def _returned(self, file: GoFile, call: Call, depth: int) -> Iterator[str]:
        """What the repository's own function returns first."""
        for callee in self.code.resolve(file, call.fun):
            for node in callee.nodes:
                if isinstance(node, Return) and node.values:
                    yield from self.templates(callee, callee.file, node.values[0], depth + 1)

    def _name(self, function: Function | None, file: GoFile, name: str, depth: int) -> Iterator[str]:
        loop = _loop_over(function, name)
        if loop is None or function is None:
            yield from super()._name(function, file, name, depth)
            return
        for around, literal in self._composites(function, loop.x, depth):
            for key, value in literal.elements:
                wanted = key if _is_named(loop.key, name) and key is not None else value
                if not isinstance(wanted, CompositeLit):
                    yield from self.templates(around, around.file, wanted, depth + 1)

    def _composites(
        self, function: Function, expression: Expr, depth: int
    ) -> Iterator[tuple[Function, CompositeLit]]:
        """The literals that a list or map may be."""
        if depth > _MAX_DEPTH:
            return
        if isinstance(expression, CompositeLit):
            yield function, expression
        elif isinstance(expression, Ident):
            yield from self._named_composites(function, expression.name, depth)

    def _named_composites(
        self, function: Function, name: str, depth: int
    ) -> Iterator[tuple[Function, CompositeLit]]:
        for node in function.nodes:
            if isinstance(node, Assign):
                for target, value in zip(node.lhs, node.rhs, strict=False):
                    if isinstance(target, Ident) and target.name == name:
                        yield from self._composites(function, value, depth + 1)
        index = next((i for i, p in enumerate(function.decl.params) if p.name == name), None)
        if index is not None:
            for caller, call in self._calls_of(function):
                if index < len(call.args):
                    yield from self._composites(caller, call.args[index], depth + 1)
            return
        for file in self.code.files_with(name.encode(), directory=dirname(function.file.path)):
            spec = file.spec(name)
            for value in spec.values if isinstance(spec, ValueSpec) else ():
                if isinstance(value, CompositeLit):
                    yield function, value

    def _selector(self, function: Function | None, file: GoFile, node: Selector, depth: int) -> Iterator[str]:
        kind = self._parameter_type(function, node.x)
        loop = _loop_over(function, node.x.name) if isinstance(node.x, Ident) else None
        if loop is not None and function is not None:
            for around, literal in self._composites(function, loop.x, depth):
                for _, element in literal.elements:
                    yield from self._keyed(around, element, node.sel, depth)
        elif kind is None:
            yield from super()._selector(function, file, node, depth)
        else:
            yield from self._field_of(kind, node.sel, depth)

    def _keyed(self, function: Function, element: Expr, field: str, depth: int) -> Iterator[str]:
        if isinstance(element, CompositeLit):
            for key, value in element.elements:
                if isinstance(key, Ident) and key.name == field:
                    yield from self.templates(function, function.file, value, depth + 1)

    @staticmethod
    def _parameter_type(function: Function | None, expression: Expr) -> str | None:
        """The name of the struct type of a parameter."""
        if function is None or not isinstance(expression, Ident):
            return None
        for parameter in function.decl.params:
            if parameter.name == expression.name and parameter.type is not None:
                text = function.file.data[parameter.type.start : parameter.type.end].decode(
                    "utf-8", "replace"
                )
                match = re.fullmatch(r"\*?(?:\w+\.)?([A-Z_a-z]\w*)", text)
                return match[1] if match else None
        return None

    def _field_of(self, kind: str, field: str, depth: int) -> Iterator[str]:
        """What composite literals of a type, in code that can run, put into a field."""
        for file in self.code.files_with(kind.encode(), field.encode()):
            for around in self.code.functions(file):
                body = file.data[around.start : around.end]
                if kind.encode() not in body or not self.code.mains_reaching(file, around.start):
                    continue
                for literal in _literals(around, kind):
                    yield from self._keyed(around, literal, field, depth)


def _is_named(expression: Expr | None, name: str) -> bool:
    return isinstance(expression, Ident) and expression.name == name


def _loop_over(function: Function | None, name: str) -> Range | None:
    """The `range` that binds a variable."""
    if function is None or b"range" not in function.file.data[function.start : function.end]:
        return None
    for node in function.nodes:
        if isinstance(node, Range) and (_is_named(node.key, name) or _is_named(node.value, name)):
            return node
    return None


def _literals(function: Function, kind: str) -> Iterator[CompositeLit]:
    """Literals of a struct type, those inside `[]T{{...}}` included."""
    for node in function.nodes:
        if not isinstance(node, CompositeLit) or node.type is None:
            continue
        text = function.file.data[node.type.start : node.type.end].decode("utf-8", "replace")
        if re.fullmatch(rf"(?:\w+\.)?{kind}", text):
            yield node
        elif re.fullmatch(rf"(?:\[[\w.]*\]|map\[\w+\])\*?(?:\w+\.)?{kind}", text):
            yield from (value for _, value in node.elements if isinstance(value, CompositeLit))


def method_calls(
    code: GoCode, method: str, *literals: bytes
) -> Iterator[tuple[GoFile, Function | None, Call]]:
    """Calls of a method by name in linked code whose files hold the literals."""
    for file in code.files_with(f".{method}(".encode(), *literals):
        for function in code.functions(file):
            if f".{method}(".encode() not in file.data[function.start : function.end]:
                continue
            for call in calls(function.decl):
                if isinstance(call.fun, Selector) and call.fun.sel == method:
                    yield file, function, call


class Named(NamedTuple):
    """The texts that an expression may be, each with a binary; not `certain` if one run may see several."""

    texts: dict[str, str]
    certain: bool


def values(store: FactStore, templates: list[str], mains: frozenset[str]) -> Named:
    """The texts that templates stand for in the deployments of some binaries.

    A template whose variables nothing sets is left out.
    """
    found: dict[str, str] = {}
    certain = True
    for main in sorted(mains):
        environments = [d.environment for d in deployments(store, main)] or [{}]
        for environment in environments:
            expanded = (shell.expand(template.removeprefix(MARK), environment) for template in templates)
            texts = {text for text in expanded if text}
            certain = certain and len(texts) == 1
            for text in texts:
                found.setdefault(text, main)
    return Named(dict(sorted(found.items())), certain)


def go_names(store: FactStore) -> GoNames:
    """Names without a marked method."""
    return GoNames(store.get(go_code))
