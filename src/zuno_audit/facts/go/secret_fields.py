"""Which fields of structs hold secrets, and which of them showing a struct gives away: types hide what they hold by
their methods (`String`, `MarshalJSON`, `LogValue`...), encoders leave fields out, and a field may be empty.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import Source, Variable, called_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.secret_names import is_secret_name
from zuno_audit.facts.go.showing import FIELD, JSON, PRINTED, RAW, SYNTAX, TEXT, YAML, At, Given
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.secret_flow import SecretFlow
    from zuno_audit.facts.go.types import Type

MAX_STRUCTS = 3
_HIDING = {
    TEXT: ("Format", "Error", "String"),
    SYNTAX: ("Format", "GoString"),
    JSON: ("MarshalJSON", "MarshalText"),
    YAML: ("MarshalYAML", "MarshalText"),
    PRINTED: ("LogValue", "MarshalText", "Error", "String", "Format"),
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
ITSELF = "itself"  # what a method shows that shows all of its receiver


class SecretFields:
    """The structs of one program, for its `SecretFlow`."""

    def __init__(self, flow: SecretFlow) -> None:
        self.flow, self.texts, self.types, self.reaching = flow, flow.texts, flow.types, flow.reaching
        self._fields: dict[tuple[int, str], list[tuple[s.Field, Type | None, str]]] = {}
        self._reveals: dict[tuple[int, int], str | None] = {}
        self._writes: dict[int, dict[str, list[tuple[s.Selector, s.Expr, s.Assign]]]] = {}
        self._carried: dict[int, dict[str, list[tuple[s.Expr, s.Expr | None, Declaration]]]] = {}

    def hiding_method(self, type_: Type, how: str, *, is_exported: bool) -> Declaration | None:
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

    def revealed(self, method: Declaration) -> str | None:
        """The secret that a method that shows its receiver gives away all the same: a field of it, or
        `ITSELF`.
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
                if type_ is not None and self.struct_type(type_) is None:
                    given = ((receiver, ITSELF),)
            at = At(method, given)
            exprs = [v for r in self.flow.calls.returns_of(node) for v in r.values[:1]]
            exprs += [
                a
                for n in s.walk(node.body)
                if isinstance(n, s.Call)
                and called_name(n).startswith(("Fprint", "Write", "Add", "Str", "Any"))
                for a in n.args
            ]
            self._reveals[key] = self.flow.any_of(exprs, at, RAW)
        return self._reveals[key]

    def struct_type(self, type_: Type) -> Type | None:
        """The named struct of the repository that a type is or points at."""
        base = type_.elem if type_.kind == "pointer" and type_.elem is not None else type_
        if base.kind != "named" or base.package is None:
            return None
        under = self.types.underlying(base)
        return base if under is not None and isinstance(under.node, s.StructType) else None

    def struct(self, expr: s.Expr, type_: Type, at: At, how: str) -> str | None:
        """`Type.Field` when showing a struct gives away a field of it."""
        base = self.struct_type(type_)
        assert base is not None
        how = TEXT if how == PRINTED else how
        for field, inner, label in self.holding(base, how):
            if self._holds(expr, at, field, inner, how, 0):
                return label
        return None

    def holding(self, base: Type, how: str, depth: int = 0) -> list[tuple[s.Field, Type | None, str]]:
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
            method = self.hiding_method(inner, how, is_exported=field.name[:1].isupper())
            if method is None or self.revealed(method) is not None:
                found.append((field, inner, label))
        return found

    def _field_label(
        self, base: Type, field: s.Field, inner: Type, anchor: Declaration, how: str, depth: int
    ) -> str | None:
        """`Type.Field` for a field that holds a secret, itself or further in."""
        if is_secret_name(field.name, anchor):
            is_shown = inner.kind != "pointer" or how in _ENCODERS
            return f"{base.name}.{field.name}" if is_shown and self.flow.is_text(inner, field.name) else None
        nested = self.nested(inner, how)
        if nested is None or nested is base:
            return None
        inside = self.holding(nested, how, depth + 1)
        return inside[0][2] if inside else None

    def nested(self, type_: Type, how: str) -> Type | None:
        """The struct inside a field that is shown with it: pointers are followed by encoders only."""
        if type_.kind in ("slice", "array", "map") and type_.elem is not None:
            type_ = type_.elem
        if type_.kind == "pointer" and how not in _ENCODERS:
            return None
        return self.struct_type(type_)

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
                callee = self.flow.calls.own_callee(expr, at.root)
                if callee is None:
                    return True
                assert isinstance(callee.node, s.FuncDecl)
                returned = [r.values[0] for r in self.flow.calls.returns_of(callee.node) if r.values]
                at = At(callee)
                returned = [v for v in returned if not (isinstance(v, s.Ident) and v.name == "nil")]
                return not returned or any(self._holds(v, at, field, inner, how, depth + 1) for v in returned)
        return True

    def _literal_holds(self, literal: s.CompositeLit, at: At, field: s.Field, how: str) -> bool:
        if not literal.elements:
            return False
        if literal.elements[0][0] is None:
            type_ = self.flow.type_of(literal, at.root)
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
        type_ = self.flow.type_of(value, at.root)
        if type_ is not None and self.struct_type(type_) is not None:
            return self.struct(value, type_, at, how) is None
        if isinstance(value, s.Call):
            return self.flow.is_clean_source(Source("value", value), at, is_dsn=False)
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
        for value, statement in reversed(writes):
            if not self._is_harmless(value, at, how):
                return True
            if self.reaching.has_run(statement.start, expr.start, at.root):
                return False
        sources = self.reaching.sources(variable, expr.start, at.root)
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

    def carried_by(self, owner: s.Expr, name: str, expr: s.Expr, root: Declaration) -> str | None:
        """A field with a neutral name that its package fills with a secret."""
        type_ = self.flow.type_of(owner, root)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is None or base.kind != "named" or base.package is None:
            return None
        if not self.flow.is_text(self.flow.type_of(expr, root), "password"):
            return None
        for value, made, where in self._fillings(base).get(name, ()):
            owner_type = self.flow.type_of(made, where) if made is not None else None
            target = (
                owner_type.elem if owner_type is not None and owner_type.kind == "pointer" else owner_type
            )
            if target is base:
                found = self.flow.shown(value, At(where))
                if found is not None:
                    return found
        return None

    def fills_receiver(self, method: Declaration) -> bool:
        """True when functions that speak of secrets fill a struct of the type that a method belongs to."""
        node = method.node
        if not isinstance(node, s.FuncDecl) or node.receiver is None:
            return False
        type_ = self.types.resolve(node.receiver.type, method.file, method.package)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is None or base.kind != "named" or base.package is None:
            return False
        return any(
            made is not None and self.flow.type_of(made, where) is base
            for fillings in self._fillings(base).values()
            for _, made, where in fillings
        )

    def _fillings(self, base: Type) -> dict[str, list[tuple[s.Expr, s.Expr | None, Declaration]]]:
        """What the package of a type writes to fields, by their names, in functions that speak of secrets."""
        package = base.package
        assert package is not None
        known = self._carried.get(id(package))
        if known is not None:
            return known
        known = self._carried[id(package)] = {}
        for path in package.files:
            if path.endswith("_test.go") or not self.flow.mentions(path):
                continue
            file = self.flow.asked.program.file(path)
            for node in file.functions() if file is not None else ():
                if not self.flow.speaks_of_secrets(path, node):
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
        type_ = self.flow.type_of(literal, where) if by_position else None
        fields = self.types.fields(type_) if type_ is not None else []
        for i, (key, value) in enumerate(literal.elements):
            if isinstance(key, s.Ident):
                yield key.name, value
            elif key is None and i < len(fields):
                yield fields[i].name, value
