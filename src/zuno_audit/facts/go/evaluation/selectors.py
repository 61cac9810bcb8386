"""Selectors and addresses: fields, promoted fields, methods, interface methods, `&x`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.evaluation.packages import Packages
from zuno_audit.facts.go.evaluation.records import (
    Scope,
)
from zuno_audit.facts.go.types import Type
from zuno_audit.facts.go.values import (
    Const,
    Extern,
    Func,
    Input,
    Lazy,
    Map,
    Nil,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    TypeValue,
    Unknown,
    Val,
    Value,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    pass


class Selectors(Packages):
    """Evaluates `x.name` and `&x` (specification, "Selectors", "Address operators")."""

    def _selector(self, expr: s.Selector, scope: Scope, state: State) -> Value:
        if isinstance(expr.x, s.Ident) and scope.lookup(expr.x.name) is None:
            frame = scope.frame
            path = self.program.imported(frame.file).get(expr.x.name)
            if path is not None and frame.package.declaration(expr.x.name) is None:
                return self.member_of_package(path, expr.sel, state, self._site(expr, scope))
        owner = self.eval(expr.x, scope, state)
        return self.select(owner, expr.sel, state, self._site(expr, scope), expr.x, scope)

    def select(
        self,
        owner: Value,
        name: str,
        state: State,
        site: Site,
        expr: s.Expr | None = None,
        scope: Scope | None = None,
    ) -> Value:
        """`x.name` for every alternative of x: a field, a promoted field or a method value."""
        out: Value = ()
        for v in owner:
            out = union(out, self._select_one(v, name, state, site, expr, scope))
        if not out and name == "Error" and owner:  # of a nil error, an interface: other receivers may be nil
            self.raise_panic((Unknown("Error of a nil error", site),), state)
        return out or (Unknown(f"selector {name} of nil", site),)

    def _select_one(
        self, v: Val, name: str, state: State, site: Site, expr: s.Expr | None, scope: Scope | None
    ) -> Value:
        if isinstance(v, Lazy):
            if v.type is not None and self.types.find_field(v.type, name) is None:
                method = self._method(v.type, name, (v,), state, site)
                if method is not None:
                    return method
            return self.select(self._force_lazy(v), name, state, site, expr, scope)
        if isinstance(v, Pointer):
            return self._select_through(v, name, state, site)
        if isinstance(v, Struct):
            receiver: Value = (v,)
            if expr is not None and scope is not None:  # x.M() with addressable x is (&x).M()
                target = self._address(expr, scope, state)
                receiver = (target,) if target is not None else receiver
            return self._select_struct(v, name, receiver, state, site)
        if isinstance(v, Const):
            method = self._method(v.type, name, (v,), state, site) if v.type is not None else None
            if method is not None:
                return method
            if v.type is not None and v.type.kind == "extern":
                return (Extern(v.type.path, name, recv=(v,), site=site),)
            return (Unknown(f"selector {name}", site),)
        if isinstance(v, Extern):
            return (Extern(v.path, name, recv=(v,), site=site),)
        if isinstance(v, Nil):
            return (v.type is not None and self._method(v.type, name, (v,), state, site)) or ()
        if isinstance(v, TypeValue):
            return self._method_expression(v, name, site)
        if isinstance(v, Opaque):
            if v.type is not None and v.type.kind in ("extern", "pointer"):
                path = v.type.path or (v.type.elem.path if v.type.elem else "")
                return (Extern(path, name, recv=(v,), site=site),)
            return (Extern("opaque", name, recv=(v,), site=site),)
        type_ = getattr(v, "type", None)
        if isinstance(v, Func | Seq | Map):
            if type_ is not None and type_.kind == "extern":
                return (Extern(type_.path, name, recv=(v,), site=site),)
            if type_ is None and isinstance(v, Func) and name == "ServeHTTP":  # of an http.HandlerFunc
                return (Extern("net/http", name, recv=(v,), site=site),)
            method = self._method(type_, name, (v,), state, site) if type_ is not None else None
            return method or (Unknown(f"selector {name}", site),)
        return self._select_unknown(v, type_, name, state, site)

    def _select_through(self, v: Pointer, name: str, state: State, site: Site) -> Value:
        out: Value = ()
        for target in self.force(self.load(v, state)):
            if isinstance(target, Struct):
                out = union(out, self._select_struct(target, name, (v,), state, site))
            elif isinstance(target, Pointer | Input | Unknown | Extern | Opaque):
                out = union(out, self._select_one(target, name, state, site, None, None))
            elif isinstance(target, Const | Seq | Map | Func):
                type_ = getattr(target, "type", None)
                method = self._method(type_, name, (v,), state, site) if type_ is not None else None
                if method is None and type_ is not None and type_.kind == "extern":
                    method = (Extern(type_.path, name, recv=(v,), site=site),)
                out = union(out, method or (Unknown(f"selector {name}", site),))
        return out

    def _select_struct(self, v: Struct, name: str, receiver: Value, state: State, site: Site) -> Value:
        if v.type is None:
            return v.fields.get(name) or (Unknown(f"field {name}", site),)
        if v.type.kind == "extern":
            if name in v.fields:
                return v.fields[name]
            return (Extern(v.type.path, name, recv=receiver, site=site),)
        found = self.types.find_field(v.type, name)
        method = self._method(v.type, name, receiver, state, site)
        if found is not None and (method is None or not found[0] or self._is_field(v.type, name, found[0])):
            value: Value = (v,)
            for part in (*found[0], name):
                value = self._fields(value, part, state)
            return value
        if method is not None:
            return method
        return (Unknown(f"selector {name}", site),)

    def _is_field(self, type_: Type, name: str, path: tuple[str, ...]) -> bool:
        """True when a promoted field comes before the embedded type from elsewhere that may have a method."""
        method = self.types.find_method(type_, name)
        return (
            method is not None
            and isinstance(method[1], Type)
            and method[1].kind == "extern"
            and len(path) <= len(method[0])
        )

    def _method(
        self, type_: Type | None, name: str, receiver: Value, state: State, site: Site
    ) -> Value | None:
        """The method value `receiver.name`, or None when the type has no such method."""
        if type_ is None:
            return None
        if type_.kind == "extern" or (type_.kind == "pointer" and type_.elem and type_.elem.kind == "extern"):
            return None
        found = self.types.find_method(type_, name)
        if found is None:
            return None
        path, target = found
        owner = receiver
        for part in path:
            owner = self._embedded(owner, part, state)
        if isinstance(target, Type):
            if target.kind == "extern" and path:
                return self.select(owner, name, state, site)
            if path and owner != receiver:
                return self.select(owner, name, state, site)
            return None
        node = target.node
        assert isinstance(node, s.FuncDecl)
        return (Func(node, target.file, target.package, receiver=owner, site=site),)

    def _embedded(self, owner: Value, name: str, state: State) -> Value:
        """The embedded field, as a pointer into the owner where the owner is one."""
        out: Value = ()
        for v in self.force(owner):
            if isinstance(v, Pointer):
                inner = self._fields(self.load(v, state), name, state)
                if len(inner) == 1 and isinstance(inner[0], Struct):
                    out = union(out, (Pointer(v.cell, (*v.path, name), v.site),))
                else:
                    out = union(out, inner)
            else:
                out = union(out, self._fields((v,), name, state))
        return out

    def _method_expression(self, v: TypeValue, name: str, site: Site) -> Value:
        found = self.types.find_method(v.type, name)
        if found is not None and not isinstance(found[1], Type):
            target = found[1]
            assert isinstance(target.node, s.FuncDecl)
            return (Func(target.node, target.file, target.package, site=site),)
        return (Unknown(f"method expression {name}", site),)

    def _select_unknown(self, v: Val, type_: Type | None, name: str, state: State, site: Site) -> Value:
        """A selector of something whose value is not known but whose type may be."""
        if type_ is not None:
            base = type_.elem if type_.kind == "pointer" and type_.elem else type_
            if base.kind == "extern":
                return (Extern(base.path, name, recv=(v,), site=site),)
            if self.types.interface_methods(base):
                return self._interface_method(v, base, name, site)
            field_type = self.types.find_field(type_, name)
            if field_type is not None:
                if isinstance(v, Input):
                    if not field_type[0] and self.types.field_writes.never_written(type_, name):
                        return self.zero(field_type[1])
                    return (Input(f"{v.origin}.{name}", field_type[1], (v.key, name), site),)
                return (Unknown(f"{getattr(v, 'reason', 'value')}, field {name}", site, type_=field_type[1]),)
            method = self._method(type_, name, (v,), state, site)
            if method is not None:
                return method
        if isinstance(v, Input):
            return (Input(f"{v.origin}.{name}", None, (v.key, name), site),)
        return (v,)

    def _interface_method(self, v: Val, type_: Type, name: str, site: Site) -> Value:
        """A method of an interface value: all implementations in the repository, or what the caller gives."""
        if isinstance(v, Input):
            return (Input(f"{v.origin}.{name}", None, (v.key, name), site),)
        found = self.types.implementations(type_, name)
        if not found or len(found) > 4:
            return (Unknown(f"method {name} of an interface", site),)
        out: list[Val] = []
        for declared in found:
            assert isinstance(declared.node, s.FuncDecl)
            from zuno_audit.facts.go.types import receiver_type_name

            owner = self.types.named(declared.package, receiver_type_name(declared.node))
            receiver: Value = (Unknown("an implementation of an interface", site, type_=owner),)
            out.append(Func(declared.node, declared.file, declared.package, receiver=receiver, site=site))
        return tuple(out)

    def _star(self, expr: s.Star, scope: Scope, state: State) -> Value:
        value = self.eval(expr.x, scope, state)
        out: Value = ()
        for v in self.force(value):
            if isinstance(v, Pointer):
                out = union(out, self.load(v, state))
            elif isinstance(v, TypeValue):
                out = union(out, (TypeValue(self.types.pointer(v.type), v.site),))
            elif isinstance(v, Input):
                elem = v.type.elem if v.type is not None and v.type.kind == "pointer" else None
                out = union(out, (Input(f"*{v.origin}", elem, (v.key, "*"), v.site),))
            elif not isinstance(v, Nil):
                out = union(out, (v,))
        return out or (Unknown("nil dereference", self._site(expr, scope)),)

    def _take_address(self, expr: s.Expr, scope: Scope, state: State) -> Value:
        if isinstance(expr, s.CompositeLit):
            value = self.eval(expr, scope, state)
            return (self.allocate(value, state, self._site(expr, scope)),)
        target = self._address(expr, scope, state)
        scope.frame.escapes = True
        if target is not None:
            return (target,)
        value = self.eval(expr, scope, state)
        return (self.allocate(value, state, self._site(expr, scope)),)

    def _address(self, expr: s.Expr, scope: Scope, state: State) -> Pointer | None:
        """The address of a variable, field or element, or None when it is not addressable or not followed."""
        if isinstance(expr, s.Ident):
            cell = scope.lookup(expr.name)
            if cell is None:
                declared = scope.frame.package.declaration(expr.name)
                if declared is None or not isinstance(declared.node, s.ValueSpec):
                    return None
                cell = ("global", declared.package.path, expr.name)
            scope.frame.escapes = True
            return Pointer(cell, (), self._site(expr, scope))
        if isinstance(expr, s.Star):
            value = self.force(self.eval(expr.x, scope, state))
            pointers = [v for v in value if isinstance(v, Pointer)]
            return pointers[0] if len(pointers) == 1 else None
        if isinstance(expr, s.Selector):
            return self._field_address(expr, scope, state)
        if isinstance(expr, s.Index):
            base = self._address(expr.x, scope, state)
            at = self._constant(expr.indices[0], None, scope, state)
            if base is not None and isinstance(at, int):
                owner = self.force(self.load(base, state))
                if len(owner) == 1 and isinstance(owner[0], Seq):
                    return Pointer(base.cell, (*base.path, str(at)), self._site(expr, scope))
        return None

    def _field_address(self, expr: s.Selector, scope: Scope, state: State) -> Pointer | None:
        site = self._site(expr, scope)
        if isinstance(expr.x, s.Ident) and scope.lookup(expr.x.name) is None:
            path = self.program.imported(scope.frame.file).get(expr.x.name)
            if path is not None and scope.frame.package.declaration(expr.x.name) is None:
                return Pointer(("global", path, expr.sel), (), site) if self.program.package(path) else None
        owner = self.force(self.eval(expr.x, scope, state))
        pointers = [v for v in owner if isinstance(v, Pointer)]
        base = (
            pointers[0] if len(pointers) == 1 and all(isinstance(v, Pointer | Nil) for v in owner) else None
        )
        if base is None:
            base = self._address(expr.x, scope, state)
        if base is None:
            return None
        target = self.force(self.load(base, state))
        while len(target) == 1 and isinstance(target[0], Pointer):
            base = target[0]
            target = self.force(self.load(base, state))
        type_ = getattr(target[0], "type", None) if target else None
        found = self.types.find_field(type_, expr.sel) if type_ is not None else None
        for part in found[0] if found is not None else ():
            base = Pointer(base.cell, (*base.path, part), site)
            inner = self.force(self.load(base, state))
            if len(inner) == 1 and isinstance(inner[0], Pointer):
                base = inner[0]
        return Pointer(base.cell, (*base.path, expr.sel), site)
