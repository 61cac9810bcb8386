"""Expressions: literals, elements, slices, type assertions and conversions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go import arithmetic
from zuno_audit.facts.go.evaluation.operators import Operators
from zuno_audit.facts.go.evaluation.records import (
    Scope,
    WorkLimitError,
)
from zuno_audit.facts.go.types import Type
from zuno_audit.facts.go.values import (
    FALSE,
    SET_ELSEWHERE,
    TRUE,
    Array,
    Const,
    Extern,
    Func,
    Input,
    Map,
    MapData,
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
    key_of,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    pass


class Expressions(Operators):
    """Evaluates expressions (specification, "Expressions")."""

    def eval(self, expr: s.Expr, scope: Scope, state: State) -> Value:
        """What an expression can be. May change `state` (calls) or end it (`state.dead`)."""
        self.steps += 1
        if self.steps > self.step_limit:
            raise WorkLimitError
        handler = self._expressions.get(type(expr))
        if handler is None:
            type_ = self.types.resolve(expr, scope.frame.file, scope.frame.package, scope)
            if type_ is not None:
                return (TypeValue(type_),)
            return (Unknown("syntax that is not understood", self._site(expr, scope)),)
        value = handler(expr, scope, state)
        if self.on_reference is not None and len(value) == 1 and isinstance(value[0], Func):
            self.on_reference(value[0], state)
        return value

    def _ident(self, expr: s.Ident, scope: Scope, state: State) -> Value:
        name = expr.name
        cell = scope.lookup(name)
        if cell is not None:
            return self.read(cell, state)
        return self._package_name(
            name, scope.frame.file, scope.frame.package, self._site(expr, scope), scope, state
        )

    def _basic_lit(self, expr: s.BasicLit, scope: Scope, state: State) -> Value:
        return (Const(expr.value, None, self._site(expr, scope)),)

    def _func_lit(self, expr: s.FuncLit, scope: Scope, state: State) -> Value:
        scope.frame.escapes = True
        func = Func(expr, scope.frame.file, scope.frame.package, scope, site=self._site(expr, scope))
        if self.on_literal is not None:
            self.on_literal(func, state)
        return (func,)

    def _composite_lit(self, expr: s.CompositeLit, scope: Scope, state: State) -> Value:
        type_ = None
        if expr.type is not None:
            type_ = self.types.resolve(expr.type, scope.frame.file, scope.frame.package, scope)
        return self._composite(expr, type_, scope, state)

    def _composite(self, expr: s.CompositeLit, type_: Type | None, scope: Scope, state: State) -> Value:
        """A composite literal of a type (specification, "Composite literals")."""
        site = self._site(expr, scope)
        under = self.types.underlying(type_) if type_ is not None else None
        kind = under.kind if under is not None else _shape(expr)
        if kind == "pointer" and under is not None:  # an elided &T in a slice or map of pointers
            value = self._composite(expr, under.elem, scope, state)
            return (self.allocate(value, state, site),)
        if kind in ("slice", "array"):
            return self._sequence(expr, type_, under, scope, state, site)
        if kind == "map":
            entries: dict[Any, Value] = {}
            open_ = False
            for key, element in expr.elements:
                value = self._element(element, under.elem if under else None, scope, state)
                keys = self._element(key, under.key if under else None, scope, state) if key else ()
                if len(keys) == 1 and isinstance(keys[0], Const):
                    entries[keys[0].value] = value
                else:
                    open_ = True
                    entries[("?", element.start)] = value
            cell = self.new_cell()
            state.cells[cell] = (MapData(entries, open_),)
            scope.frame.escapes = True
            return (Map(cell, type_, site),)
        return self._struct(expr, type_, under, scope, state, site)

    def _sequence(
        self,
        expr: s.CompositeLit,
        type_: Type | None,
        under: Type | None,
        scope: Scope,
        state: State,
        site: Site,
    ) -> Value:
        items: list[Value] = []
        elem = under.elem if under is not None else None
        for key, element in expr.elements:
            if key is not None:
                keys = self.eval(key, scope, state)
                at = keys[0].value if len(keys) == 1 and isinstance(keys[0], Const) else None
                if not isinstance(at, int) or not 0 <= at < 4096:
                    return (Seq(tuple(items), True, type_, site),)
                while len(items) <= at:
                    items.append(self.zero(elem))
                items[at] = self._element(element, elem, scope, state)
            else:
                items.append(self._element(element, elem, scope, state))
        if under is not None and under.kind == "array" and under.size and len(items) < under.size <= 256:
            items.extend(self.zero(elem) for _ in range(under.size - len(items)))
        backing = None if under is not None and under.kind == "array" else (Array(len(items)), 0)
        return (Seq(tuple(items), False, type_, site, backing),)

    def _struct(
        self,
        expr: s.CompositeLit,
        type_: Type | None,
        under: Type | None,
        scope: Scope,
        state: State,
        site: Site,
    ) -> Value:
        fields: dict[str, Value] = {}
        declared = self.types.fields(type_) if type_ is not None else []
        by_name = {f.name: f for f in declared}
        for i, (key, element) in enumerate(expr.elements):
            if isinstance(key, s.Ident):
                name = key.name
            elif key is None and i < len(declared):
                name = declared[i].name
            elif key is None and type_ is not None and type_.kind == "extern":
                name = str(i)
            else:
                self.eval(element, scope, state)
                continue
            field_type = None
            if name in by_name and under is not None and under.file is not None and under.package is not None:
                field_type = self.types.resolve(by_name[name].type, under.file, under.package)
            fields[name] = self._typed(self._element(element, field_type, scope, state), field_type)
        return (Struct(type_, fields, False, site),)

    def _element(self, element: s.Expr, type_: Type | None, scope: Scope, state: State) -> Value:
        if isinstance(element, s.CompositeLit) and element.type is None:
            return self._composite(element, type_, scope, state)
        return self._typed(self.eval(element, scope, state), type_)

    def _typed(self, value: Value, type_: Type | None) -> Value:
        """Gives untyped constants the type they are used at (specification, "Assignability")."""
        if type_ is None or type_.kind not in ("named", "extern", "basic"):
            return value
        if len(value) == 1 and isinstance(value[0], Const):
            v = value[0]
            if type_.kind == "basic":
                if v.type is None and type_.name.startswith("float") and isinstance(v.value, int):
                    return (Const(float(v.value), None, v.site),)
                return value
            if v.type is None and (type_.kind == "extern" or self._is_basic(type_)):
                return (Const(v.value, type_, v.site),)
        if len(value) == 1 and isinstance(value[0], Func) and type_.kind == "named":
            return self.convert(value, type_)
        return value

    def _is_basic(self, type_: Type) -> bool:
        under = self.types.underlying(type_)
        return under is not None and under.kind == "basic"

    def _index(self, expr: s.Index, scope: Scope, state: State) -> Value:
        owner = self.eval(expr.x, scope, state)
        if len(owner) == 1 and _is_generic(owner[0]):
            return owner  # an instantiation
        key = self.eval(expr.indices[0], scope, state)
        return self.index(owner, key, state, self._site(expr, scope))[0]

    def index(self, owner: Value, key: Value, state: State, site: Site) -> tuple[Value, Value]:
        """`x[i]` and the second result of the comma-ok form."""
        keys = self.force(key)
        at = key_of(keys)
        if isinstance(at, str):
            self.text_tested = True
        elif at is None and any(isinstance(k, Input) for k in keys):
            self.undecided_inputs = True
        out: Value = ()
        ok: Value = ()
        for v in self.force(owner):
            if isinstance(v, Pointer):
                v_out, v_ok = self.index(self.load(v, state), key, state, site)
                out, ok = union(out, v_out), union(ok, v_ok)
            elif isinstance(v, Map):
                v_out, v_ok = self._map_index(v, keys, at, state)
                out, ok = union(out, v_out), union(ok, v_ok)
            elif isinstance(v, Seq):
                ok = union(ok, (TRUE,))
                if isinstance(at, int) and 0 <= at < len(v.items):
                    out = union(out, v.items[at])
                else:
                    for item in v.items if at is None else ():
                        out = union(out, item)
                    if v.open or not v.items or at is not None:
                        out = union(out, (Unknown("element of a slice", site, type_=self._elem(v.type)),))
            elif isinstance(v, Const) and isinstance(v.value, str) and isinstance(at, int):
                self.text_tested = True
                data = v.value.encode()
                out = union(out, (Const(data[at]),) if 0 <= at < len(data) else ())
            elif isinstance(v, Input):
                out = union(out, (Input(f"{v.origin}[...]", self._elem(v.type), (v.key, "[]"), site),))
                ok = union(ok, (Unknown("key in a map"),))
            elif isinstance(v, Extern):
                out = union(out, (Extern(v.path, v.name + "[]", (keys,), recv=(v,), site=site),))
                ok = union(ok, (Unknown("key in a map"),))
            elif isinstance(v, Nil):
                out = union(out, (Unknown("element of nil"),))
                ok = union(ok, (FALSE,))
            else:
                out = union(out, (Unknown("element", site),))
                ok = union(ok, (Unknown("key in a map"),))
        return out or (Unknown("element", site),), ok or (Unknown("key in a map"),)

    def _elem(self, type_: Type | None) -> Type | None:
        under = self.types.underlying(type_) if type_ is not None else None
        return under.elem if under is not None else None

    def _map_index(self, v: Map, keys: Value, at: Any, state: State) -> tuple[Value, Value]:
        out: Value = ()
        ok: Value = ()
        for data in self.read(v.cell, state):
            if not isinstance(data, MapData):
                return (Unknown("element of a map", type_=self._elem(v.type)),), (Unknown("key in a map"),)
            if at is not None:
                if at in data.entries:
                    known = not data.open or isinstance(at, tuple)
                    return data.entries[at], ((TRUE,) if known else (Unknown("key in a map"),))
                if not data.open and not _may_be_there(at, data):
                    out, ok = union(out, self.zero(self._elem(v.type))), union(ok, (FALSE,))
                    continue
            elif not data.entries and not data.open:
                return self.zero(self._elem(v.type)), (FALSE,)
            for value in data.entries.values():
                out = union(out, value)
            if (data.open or at is None) and SET_ELSEWHERE not in data.entries:
                missing = self.zero(self._elem(v.type)) if self._elem(v.type) is not None else ()
                out = union(out, missing or (Unknown("element of a map", type_=self._elem(v.type)),))
            ok = union(ok, (Unknown("key in a map"),))
        return out, ok

    def _slice(self, expr: s.SliceExpr, scope: Scope, state: State) -> Value:
        owner = self.force(self.eval(expr.x, scope, state))
        low = self._constant(expr.low, 0, scope, state)
        if expr.high is not None:  # buf[:n] with n from the call that filled buf is what that call wrote
            bound = self.force(self.eval(expr.high, scope, state))
            if bound and all(isinstance(v, Extern) and v.args and v.path != "builtin" for v in bound):
                return bound
        high = self._constant(expr.high, None, scope, state)
        out: Value = ()
        for v in owner:
            if isinstance(v, Pointer):
                loaded = self.force(self.load(v, state))
                v = loaded[0] if len(loaded) == 1 else v
            if isinstance(v, Seq) and isinstance(low, int) and (high is None or isinstance(high, int)):
                items = v.items[low:high]
                known = not v.open or (isinstance(high, int) and high <= len(v.items))
                backing = None
                if v.backing is not None and expr.max is None:
                    backing = v.backing[0], v.backing[1] + low
                out = union(out, (Seq(items, not known, v.type, v.site, backing),))
            elif isinstance(v, Seq):
                out = union(out, (Seq((), True, v.type, v.site),))
            elif isinstance(v, Const) and isinstance(v.value, str) and isinstance(low, int):
                if high is None or isinstance(high, int):
                    out = union(out, (Const(v.value.encode()[low:high].decode("utf-8", "replace"), v.type),))
                else:
                    out = union(out, (Unknown("part of a text"),))
            elif isinstance(v, Extern | Opaque) and high == 0:
                out = union(out, (Seq(()),))
            elif isinstance(v, Extern | Opaque):
                out = union(
                    out, (Extern("slice", "slice", ((v,),), recv=(v,), site=self._site(expr, scope)),)
                )
            else:
                out = union(out, (v,))
        return out

    def _constant(self, expr: s.Expr | None, default: Any, scope: Scope, state: State) -> Any:
        """A constant index, the default, or a non-int marker for what is not known."""
        if expr is None:
            return default
        value = self.force(self.eval(expr, scope, state))
        if len(value) == 1 and isinstance(value[0], Const) and isinstance(value[0].value, int):
            return value[0].value
        return "unknown"

    def _type_assert(self, expr: s.TypeAssert, scope: Scope, state: State) -> Value:
        return self._assert_type(expr, scope, state)[0]

    def _assert_type(self, expr: s.TypeAssert, scope: Scope, state: State) -> tuple[Value, Value]:
        """`x.(T)` and the second result of the comma-ok form."""
        value = self.force(self.eval(expr.x, scope, state))
        type_ = self.types.resolve(expr.type, scope.frame.file, scope.frame.package, scope)
        out: Value = ()
        ok: Value = ()
        for v in value:
            answer = self.has_type(v, type_, state)
            if answer is not False:
                if isinstance(v, Unknown | Input) and type_ is not None:
                    v = (
                        Input(v.origin, type_, v.key, v.site)
                        if isinstance(v, Input)
                        else Unknown(v.reason, v.site, type_=type_, broken=v.broken)
                    )
                elif isinstance(v, Extern):
                    v = Extern(
                        v.path,
                        v.name,
                        v.args,
                        recv=v.recv,
                        index=v.index,
                        state=v.state,
                        site=v.site,
                    )
                out = union(out, (v,))
            ok = union(ok, (TRUE,) if answer else (FALSE,) if answer is False else (Unknown("type"),))
        return out or self.zero(type_), ok

    def has_type(self, v: Val, type_: Type | None, state: State) -> bool | None:
        """Whether a value has a dynamic type (or implements an interface), or None."""
        if isinstance(v, Nil):
            return False
        dynamic = self.dynamic_type(v, state)
        if dynamic is None or type_ is None:
            return None
        if dynamic is type_:
            return True
        methods = self.types.interface_methods(type_)
        if methods:
            return all(self.types.find_method(dynamic, m) is not None for m in methods)
        if type_.kind == "interface":
            return True if not isinstance(type_.node, s.InterfaceType) else None
        if type_.kind == "extern" or dynamic.kind == "extern":
            return None
        return False

    def dynamic_type(self, v: Val, state: State) -> Type | None:
        """The dynamic type of an alternative where it is known."""
        if isinstance(v, Struct | Seq | Map):
            return v.type
        if isinstance(v, Const):
            if v.type is not None:
                return v.type
            kind = {bool: "bool", int: "int", float: "float64", str: "string"}.get(type(v.value))
            return self.types.basic(kind) if kind else None
        if isinstance(v, Pointer) and not v.path:
            target = self.force(self.load(v, state))
            inner = self.dynamic_type(target[0], state) if len(target) == 1 else None
            return self.types.pointer(inner) if inner is not None else None
        return None

    def _convert(self, type_: Type, expr: s.Call, scope: Scope, state: State) -> Value:
        """A conversion `T(x)` (specification, "Conversions")."""
        if not expr.args:
            return self.zero(type_)
        value = self.eval(expr.args[0], scope, state)
        return self.convert(value, type_)

    def convert(self, value: Value, type_: Type) -> Value:
        """The value with another type; constants keep their value, floats to integers are truncated."""
        if type_.kind == "interface":
            return value
        under = self.types.underlying(type_)
        kind = under.name if under is not None and under.kind == "basic" else ""
        keep = type_ if type_.kind in ("named", "extern") else None
        out: Value = ()
        for v in self.force(value) if kind else value:
            if isinstance(v, Const):
                out = union(out, (Const(arithmetic.convert(v.value, kind), keep, v.site),))
            elif isinstance(v, Seq) and keep is not None:
                out = union(out, (Seq(v.items, v.open, type_, v.site),))
            elif isinstance(v, Struct) and keep is not None:
                out = union(out, (Struct(type_, v.fields, v.open, v.site),))
            elif isinstance(v, Map) and keep is not None:
                out = union(out, (Map(v.cell, type_, v.site),))
            elif isinstance(v, Nil):
                out = union(out, (self.nil_of(type_, v.site),))
            elif isinstance(v, Func) and keep is not None and under is not None and under.kind == "func":
                out = union(out, (Func(v.node, v.file, v.package, v.scope, v.receiver, v.site, keep),))
            elif isinstance(v, Input) and kind and type_.kind == "named":
                out = union(out, (Input(v.origin, type_, v.key, v.site),))
            else:
                out = union(out, (v,))
        return out


def _may_be_there(at: Any, data: MapData) -> bool:
    """True when a key that is not known may be equal to another of the map."""
    unknown = isinstance(at, tuple)
    return any(isinstance(key, tuple) is not unknown for key in data.entries)


def _shape(expr: s.CompositeLit) -> str:
    """What a composite literal of a type that is not known looks like."""
    if isinstance(expr.type, s.ArrayType):
        return "slice"
    if isinstance(expr.type, s.MapType):
        return "map"
    return "struct"


def _is_generic(v: Val) -> bool:
    """True for what `x[T]` instantiates rather than indexes."""
    if isinstance(v, Extern):
        return v.args is None and v.recv is None
    return isinstance(v, Func | TypeValue)
