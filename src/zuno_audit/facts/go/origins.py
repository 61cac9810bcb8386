"""Where a value comes from: the expressions that are put into what an expression names, one step back.

Follows variables, parameters (to the calls of their function), fields (to what is put into a field of that type),
results of functions and elements of tables that are written down, in code that binaries link. It asks which
expressions there are, not on which paths they arrive: that is what the evaluator is for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Literal, NamedTuple

from zuno_audit.facts.go.analysis import analysis
from zuno_audit.facts.go.bindings import element, last_name
from zuno_audit.facts.go.linked import linked
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reach import reach
from zuno_audit.facts.go.search import Use, uses
from zuno_audit.facts.go.static_types import called, static_type
from zuno_audit.facts.go.texts import initial
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.bindings import Source
    from zuno_audit.facts.go.program import Package
    from zuno_audit.facts.go.types import Type
    from zuno_audit.languages.go.parse import GoFile

MAX_STEPS = 8
MAX_METHODS = 5  # of one name, where the type of the receiver is not known


class At(NamedTuple):
    """An expression in a declaration, or a part of it: the result of a call by its index, the values or the keys of
    a table."""

    expr: s.Expr
    root: Declaration
    part: int | Literal["values", "keys"] = 0


class Origins:
    """Answers for one repository. Elements of tables that are tables again are not looked into."""

    def __init__(self, store: FactStore) -> None:
        self.linked, self.reach = store.get(linked), store.get(reach)
        asked = store.get(analysis)
        self.program, self.types, self.search, self.texts = (
            asked.program, asked.types, asked.search, asked.texts,
        )  # fmt: skip
        self._fields: dict[tuple[object, str], list[At]] = {}

    def of(self, at: At, wanted: Callable[[s.Expr], bool]) -> list[At]:
        """The nearest expressions of a kind that an expression comes from."""
        found: list[At] = []
        seen: set[int] = set()
        level = [at]
        for _ in range(MAX_STEPS):
            level = [one for one in level if id(one.expr) not in seen]
            seen.update(id(one.expr) for one in level)
            here = [one for one in level if one.part == 0 and wanted(one.expr)]
            found += here
            level = [below for one in level if one not in here for below in self.step(one)]
        return found

    def step(self, at: At) -> list[At]:
        """The expressions whose values an expression has; nothing where it is none of those that are followed."""
        expr, root, part = at
        if isinstance(part, str):
            if isinstance(expr, s.CompositeLit):
                return list(_elements(expr, root, part))
            return [one._replace(part=part) for one in self.step(At(expr, root))]
        match expr:
            case s.Unary(x=x) | s.Star(x=x) | s.TypeAssert(x=x):
                return [At(x, root)]
            case s.Ident():
                variable = self.texts.bindings(root).variable(expr.name, expr.start)
                if variable is not None:
                    return [one for source in variable.sources for one in self._source(source, root)]
                return self._declared(expr, root)
            case s.Selector():
                return self._declared(expr, root) or self._field(expr, root)
            case s.Call():
                return list(self._returned(at))
            case s.Index(x=x):
                return [At(x, root, "values")]
        return []

    def _declared(self, expr: s.Expr, root: Declaration) -> list[At]:
        """What a constant or variable of a package is declared with, and what its package assigns to it."""
        declared = self.texts.declaration(expr, root)
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return []
        name = last_name(expr)
        value = initial(declared.node, name)
        found = [At(value, declared)] if value is not None else []
        return found if declared.node.is_const else [*found, *self._assigned(declared.package, name)]

    def _assigned(self, package: Package, name: str) -> Iterator[At]:
        assigns = re.compile(rb"(?m)^[^\n:={(]*\b" + name.encode() + rb"\b[^\n:={(]*=(?!=)")
        for file in self.linked.files_with(name.encode(), directory=package.folder):
            for node in file.functions_with(name.encode()) if assigns.search(file.data) else ():
                root = Declaration(package, file, node)
                for assign in root.nodes:
                    for target, at in _targets(assign, root):
                        if isinstance(target, s.Ident) and target.name == name:
                            if self.texts.bindings(root).variable(name, target.start) is None:
                                yield at

    def _source(self, source: Source, root: Declaration) -> list[At]:
        match source.kind:
            case "value" if source.expr is not None:
                return [At(source.expr, root)]
            case "result" if source.expr is not None:
                return [At(source.expr, root, source.index)]
            case "param" if source.function is root.node:
                return list(self._given(root, source.index))
            case "range-key" | "range-value" if source.expr is not None:
                return [At(source.expr, root, "keys" if source.kind == "range-key" else "values")]
        return []

    def _given(self, declared: Declaration, index: int) -> Iterator[At]:
        for site in self.calls_of(declared):
            if index < len(site.call.args):
                yield At(site.call.args[index], site.root)

    def calls_of(self, declared: Declaration) -> list[Use]:
        """The calls in linked code that may be of a function, as far as the types of receivers tell."""
        found = self.reach.references.calls(declared)
        return [site for site in found if site.root.file.path in self.linked.files]

    def functions_with(self, literal: bytes, file: GoFile) -> Iterator[Declaration]:
        """The functions and methods of a file whose text holds a literal."""
        package = self.program.package_of(file.path)
        if package is not None:
            yield from (Declaration(package, file, node) for node in file.functions_with(literal))

    def method_calls(self, method: str, *literals: bytes) -> Iterator[Use]:
        """Calls of methods of this name in linked files that hold all literals."""
        for file in self.linked.files_with(f".{method}(".encode(), *literals):
            package = self.program.package_of(file.path)
            for site in uses(self.search.calls_named(file, package, method)) if package is not None else ():
                if isinstance(site.call.fun, s.Selector) and isinstance(site.root.node, s.FuncDecl):
                    yield site

    def functions(self, fun: s.Expr, root: Declaration) -> list[Declaration]:
        """The functions of the repository that an operand of a call may mean: methods by name alone where the type
        of the receiver is not known."""
        callee = called(fun, root, self.texts, self.types)
        if callee is not None:
            return [callee]
        fun = fun.x if isinstance(fun, s.Index) else fun
        if not isinstance(fun, s.Selector) or self.texts.package_path(fun.x, root) is not None:
            return []
        return self.types.methods_named(fun.sel)[:MAX_METHODS]

    def _returned(self, at: At) -> Iterator[At]:
        assert isinstance(at.expr, s.Call) and isinstance(at.part, int)
        index = at.part
        for callee in self.functions(at.expr.fun, at.root):
            node = callee.node
            assert isinstance(node, s.FuncDecl)
            inner = [n for n in s.nodes_of(node) if isinstance(n, s.FuncLit)]
            for found in s.nodes_of(node):
                if not isinstance(found, s.Return) or any(n.start < found.start < n.end for n in inner):
                    continue
                if len(found.values) > index:
                    yield At(found.values[index], callee)
                elif len(found.values) == 1:
                    yield At(found.values[0], callee, index)
                elif index < len(node.results) and (name := node.results[index].name):
                    yield At(s.Ident(found.start, found.start, name), callee)

    # ---------------------------------------------------------------- fields

    def _field(self, expr: s.Selector, root: Declaration) -> list[At]:
        element = self._element(expr, root)
        if element:
            return element
        return self.field(self.owner(expr, root), expr.sel)

    def _element(self, expr: s.Selector, root: Declaration) -> list[At]:
        """The field in the elements of a table, where the operand is the variable of a loop over one."""
        x = expr.x
        variable = self.texts.bindings(root).variable(x.name, x.start) if isinstance(x, s.Ident) else None
        if variable is None or any(source.kind != "range-value" for source in variable.sources):
            return []
        literals = self.of(At(x, root), lambda found: isinstance(found, s.CompositeLit))
        owner = self.owner(expr, root)
        found = [
            (self.value_in(one.expr, self.type_of(one.expr, one.root) or owner, expr.sel), one.root)
            for one in literals
            if isinstance(one.expr, s.CompositeLit)
        ]
        return [At(value, inside) for value, inside in found if value is not None]

    def owner(self, expr: s.Selector, root: Declaration) -> Type | None:
        """The struct type that declares a selected field, or None when it is not known."""
        type_ = static_type(expr.x, root, self.texts, self.types)
        found = self.types.find_field(type_, expr.sel) if type_ is not None else None
        for name in found[0] if found is not None else ():
            type_ = self.types.field_type(type_, name) if type_ is not None else None
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        return base if base is not None and base.kind in ("named", "extern") else None

    def field(self, owner: Type | None, name: str) -> list[At]:
        """What is put into a field of a struct type, or into fields of that name where the type is not known."""
        key = (owner, name)
        if key not in self._fields:
            is_ours = owner is None or owner.kind == "named"
            self._fields[key] = list(self._put(owner, name)) if is_ours else []
        return self._fields[key]

    def _put(self, owner: Type | None, name: str) -> Iterator[At]:
        written = re.compile(name.encode() + rb"(?<!\w" + name.encode() + rb")\s*(?::(?!=)|=(?!=)|,)")
        roots = list(self._declarations_with(name.encode(), written))
        if owner is not None:  # in literals without keys
            literal = owner.name.encode() + b"{"
            seen = {id(root.node) for root in roots}
            without = re.compile(rb"\b" + literal + rb"+\s*(?!\w+:)[^}\s]")
            roots += [r for r in self._declarations_with(literal, without) if id(r.node) not in seen]
        for root in roots:
            found = list(self._put_in(root, owner, name))
            if found and self.reach.mains(root.file.path, root.node.start):
                yield from found

    def _declarations_with(self, literal: bytes, pattern: re.Pattern[bytes]) -> Iterator[Declaration]:
        """The functions and variables with a literal, in linked files that hold a pattern."""
        for file in self.linked.files_with(literal):
            package = self.program.package_of(file.path) if pattern.search(file.data) else None
            if package is not None:
                yield from (Declaration(package, file, node) for node in file.functions_with(literal))
                yield from (Declaration(package, file, node) for node in file.values_with(literal))

    def _put_in(self, root: Declaration, owner: Type | None, name: str) -> Iterator[At]:
        for node in root.nodes:
            if isinstance(node, s.CompositeLit):
                made = self.type_of(node, root)
                is_other = owner is not None and made is not None and made is not owner
                value = self.value_in(node, made, name) if not is_other else None
                if value is not None:
                    yield At(value, root)
            for target, at in _targets(node, root):
                if isinstance(target, s.Selector) and target.sel == name:
                    held = self.owner(target, root) if owner is not None else None
                    if held is None or held is owner:
                        yield at

    def declared_fields(self, owner: Type | None, name: str) -> Iterator[tuple[GoFile, s.Field]]:
        """The declarations of a field of a struct type, or of all fields of that name where the type is not known."""
        if owner is not None:
            under = self.types.underlying(owner)
            for field in self.types.fields(owner) if under is not None else ():
                if field.name == name and under is not None and under.file is not None:
                    yield under.file, field
            return
        for file in self.linked.files_with(name.encode()):
            for spec in file.specs():
                if isinstance(spec, s.TypeSpec) and isinstance(spec.type, s.StructType):
                    yield from ((file, field) for field in spec.type.fields if field.name == name)

    def type_of(self, literal: s.CompositeLit, root: Declaration) -> Type | None:
        """The type that is written before a literal, or None."""
        return self.types.resolve(literal.type, root.file, root.package) if literal.type is not None else None

    def value_in(self, literal: s.CompositeLit, made: Type | None, name: str) -> s.Expr | None:
        """What a literal of a struct type puts into a field, by its key or by its position."""
        keyed = element(literal, name)
        if keyed is not None or made is None or not literal.elements or literal.elements[0][0] is not None:
            return keyed
        names = [field.name for field in self.types.fields(made)]
        return next((v for n, (_, v) in zip(names, literal.elements, strict=False) if n == name), None)


def _elements(literal: s.CompositeLit, root: Declaration, part: str) -> Iterator[At]:
    for key, value in literal.elements:
        if part == "values":
            yield At(value, root)
        elif key is not None and not isinstance(literal.type, s.ArrayType):
            yield At(key, root)


def _targets(node: s.Node, root: Declaration) -> Iterator[tuple[s.Expr, At]]:
    """What an assignment assigns to, each with what it gets."""
    if isinstance(node, s.Assign) and node.op == "=":
        for index, target in enumerate(node.lhs):
            is_one_call = len(node.lhs) != len(node.rhs)
            yield target, At(node.rhs[0], root, index) if is_one_call else At(node.rhs[index], root)


def origins(store: FactStore) -> Origins:
    """The fact provider: one `Origins` per audited repository."""
    return Origins(store)
