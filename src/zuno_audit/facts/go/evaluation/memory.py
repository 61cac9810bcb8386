"""Memory: cells, structs and their fields, postponed calls, zero values, what is nil and what is true."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.evaluation.core import Core
from zuno_audit.facts.go.evaluation.records import (
    CallRecord,
    WorkLimitError,
)
from zuno_audit.facts.go.types import BASIC, Type
from zuno_audit.facts.go.values import (
    Cell,
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
    Zero,
    merge,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    pass


class Memory(Core):
    """Reads and writes cells."""

    def allocate(self, value: Value, state: State, site: Site | None = None) -> Pointer:
        """A new object in memory, and its address."""
        cell = self.new_cell()
        state.cells[cell] = value
        if self.frame is not None:
            self.frame.escapes = True
        return Pointer(cell, (), site)

    def read(self, cell: Cell, state: State) -> Value:
        """What a cell holds."""
        value: Value | None = state.cells.get(cell)
        if value is None:
            value = self.heap.get(cell)
            if value is None:
                if type(cell) is tuple and cell[0] == "global":
                    return self._global(cell)
                return (Unknown("memory that is not followed"),)
        return value

    def load(self, pointer: Pointer, state: State) -> Value:
        """What a pointer points at."""
        value = self.read(pointer.cell, state)
        for name in pointer.path:
            value = self._fields(value, name, state)
        return value

    def store(
        self, cell: Cell, path: tuple[str, ...], value: Value, state: State, strong: bool = True
    ) -> None:
        """Writes to a cell or to a field path inside it; a weak write keeps what was there as well."""
        if not path:
            state.cells[cell] = value if strong else merge(self.read(cell, state), value)
            return
        state.cells[cell] = self._with_field(self.read(cell, state), path, value, strong, state)

    def _with_field(
        self, owner: Value, path: tuple[str, ...], value: Value, strong: bool, state: State
    ) -> Value:
        out: list[Val] = []
        name = path[0]
        for v in self.force(owner):
            if isinstance(v, Struct):
                old = self._field(v, name)
                new = value if len(path) == 1 else self._with_field(old, path[1:], value, strong, state)
                if not strong and len(path) == 1:
                    new = union(old, new)
                out.append(Struct(v.type, {**v.fields, name: new}, v.open, v.site))
            elif isinstance(v, Seq) and name.isdigit() and int(name) < len(v.items):
                items = list(v.items)
                i = int(name)
                items[i] = (
                    value if len(path) == 1 else self._with_field(items[i], path[1:], value, strong, state)
                )
                out.append(Seq(tuple(items), v.open, v.type, v.site))
            elif isinstance(v, Unknown | Input):
                known = self._opened(v, state)
                old = known.fields.get(name) or self._fields((v,), name, state)
                new = value if len(path) == 1 else self._with_field(old, path[1:], value, strong, state)
                out.append(Struct(known.type, {**known.fields, name: new}, True, v.site))
            elif isinstance(v, Zero | Nil):
                inner = value if len(path) == 1 else self._with_field((v,), path[1:], value, strong, state)
                out.append(Struct(getattr(v, "type", None), {name: inner}, True, v.site))
            else:
                out.append(v)
        return tuple(out)

    def _opened(self, v: Unknown | Input, state: State) -> Struct:
        """A struct that is not known as one whose fields are not known."""
        type_ = v.type.elem if v.type is not None and v.type.kind == "pointer" else v.type
        fields = self.types.fields(type_) if type_ is not None else []
        return Struct(type_, {f.name: self._fields((v,), f.name, state) for f in fields}, True, v.site)

    def force(self, value: Value) -> Value:
        """The value with postponed calls evaluated."""
        if len(value) == 1 and not isinstance(value[0], Lazy):
            return value
        if not any(isinstance(v, Lazy) for v in value):
            return value
        out: Value = ()
        for v in value:
            out = union(out, self._force_lazy(v) if isinstance(v, Lazy) else (v,))
        return out

    def _force_lazy(self, lazy: Lazy) -> Value:
        exits = lazy.call.evaluate()
        out: Value = ()
        for results in exits:
            if lazy.index < len(results) and all(self._may_hold(results, c) for c in lazy.conditions):
                out = union(out, self.force(results[lazy.index]))
        return out or (Unknown("a call that does not return", lazy.site),)

    def _may_hold(self, results: list[Value], condition: tuple[int, str]) -> bool:
        index, what = condition
        if index >= len(results):
            return True
        value = self.force(results[index])
        if what in ("nil", "non-nil"):
            answers = {self.is_nil(v) for v in value}
            return None in answers or (what == "nil") in answers
        answers = {self.truth_of(v) for v in value}
        return None in answers or (what == "true") in answers

    def run_deferred_evaluation(self, record: CallRecord) -> list[list[Value]]:
        """Evaluates a postponed call with the memory it saw; objects it made become visible to everybody."""
        saved, depth = self.frame, self.depth
        before = record.state
        assert before is not None
        state = before.snapshot()
        self.frame = None
        leave, self.on_leave = self.on_leave, None  # its end is not the end of what is evaluated
        outer, self.trail = self.trail, []
        if saved is None:  # asked for by a question: each has a share of work of its own
            most = self.limits.steps + self.limits.steps_per_call
            self.step_limit = max(self.step_limit, min(self.steps + self.limits.steps_per_call, most))
        try:
            exits = self._call_exits(record.func, record.args, state, record.site)
        except WorkLimitError:
            if saved is not None:
                raise
            self.exhausted = True
            unknown = Unknown("more work than is done for one call", record.site, broken=True)
            return [[(unknown,)] * max(len(record.func.node.results), 1)]
        finally:
            self.frame, self.depth, self.on_leave = saved, depth, leave
            trail, self.trail = self.trail or [], outer
        for cell, old, value in state.cells.changed_since(before.cells):
            if old is None and cell not in self.heap:
                self.heap[cell] = value
                trail.append(cell)
        self._date(trail, record.since)
        return exits

    def _date(self, trail: list[CallRecord | Cell], since: int) -> None:
        """What a postponed call made is there since the call was made, not since somebody asked for it."""
        for made in trail:
            if isinstance(made, CallRecord):
                made.since = since
            else:
                self.heap_since[made] = since
        if self.trail is not None:
            self.trail.extend(trail)

    def _fields(self, owner: Value, name: str, state: State) -> Value:
        """The field (or array element) `name` of every alternative."""
        out: Value = ()
        for v in self.force(owner):
            if isinstance(v, Struct):
                out = union(out, self._field(v, name))
            elif isinstance(v, Pointer):
                out = union(out, self._fields(self.load(v, state), name, state))
            elif isinstance(v, Seq) and name.isdigit():
                i = int(name)
                out = union(out, v.items[i] if i < len(v.items) else (Unknown("index out of range"),))
            elif isinstance(v, Input):
                type_ = self.types.field_type(v.type, name) if v.type is not None else None
                out = union(out, (Input(f"{v.origin}.{name}", type_, (v.key, name), v.site),))
            elif isinstance(v, Unknown):
                type_ = self.types.field_type(v.type, name) if v.type is not None else None
                out = union(out, (Unknown(v.reason, v.site, type_=type_, broken=v.broken),))
            elif not isinstance(v, Nil):
                out = union(out, (Unknown(f"field {name}"),))
        return out or (Unknown(f"field {name} of nil"),)

    def _field(self, struct: Struct, name: str) -> Value:
        value = struct.fields.get(name)
        if value is not None:
            if any(isinstance(v, Zero) for v in value):
                zero = self.zero(self.types.field_type(struct.type, name) if struct.type else None)
                out: Value = ()
                for v in value:
                    out = union(out, zero if isinstance(v, Zero) else (v,))
                return out
            return value
        if struct.open:
            type_ = self.types.field_type(struct.type, name) if struct.type else None
            return (Unknown(f"field {name} may have been set elsewhere", type_=type_),)
        return self.zero(self.types.field_type(struct.type, name) if struct.type else None)

    def zero_of(self, node: s.Expr | None, type_: Type | None) -> Value:
        """The zero value of a type that stands in the code, which may have type parameters in it (`[]T`)."""
        is_list = isinstance(node, s.ArrayType) and node.length is None
        if type_ is None and (is_list or isinstance(node, s.MapType | s.Star | s.FuncType)):
            return (Nil(),)
        return self.zero(type_)

    def zero(self, type_: Type | None) -> Value:
        """The zero value of a type (specification, "The zero value")."""
        from zuno_audit.facts.go import library

        if type_ is None:
            return (Unknown("zero value of a type that is not known"),)
        if type_.kind == "extern":
            return (library.extern_zero(type_),)
        under = self.types.underlying(type_)
        if under is None:
            return (Unknown("zero value of a type that is not known"),)
        if under.kind == "extern":
            return (library.extern_zero(under),)
        if under.kind == "basic":
            return (Const(BASIC[under.name], type_ if type_.kind == "named" else None),)
        if under.kind == "struct":
            return (Struct(type_, {}),)
        if under.kind == "array":
            if under.size is None or under.size > 256:
                return (Seq((), True, type_),)
            assert under.elem is not None
            return (Seq(tuple(self.zero(under.elem) for _ in range(under.size)), False, type_),)
        return (self.nil_of(type_),)

    def nil_of(self, type_: Type, site: Site | None = None) -> Nil:
        """The nil of a type; it keeps one that may have methods which take nil."""
        under = self.types.underlying(type_)
        keeps = type_.kind == "named" and under is not None and under.kind in ("slice", "map", "func")
        return Nil(site, type_ if keeps else None)

    def is_nil(self, v: Val) -> bool | None:
        """Whether an alternative is nil, or None when that is not known."""
        from zuno_audit.facts.go import library

        if isinstance(v, Nil):
            return True
        if isinstance(v, Const | Func | Struct | Pointer | Map | Opaque | Seq | TypeValue):
            return False
        if isinstance(v, Extern):
            return library.is_nil(v)
        type_ = getattr(v, "type", None)
        under = self.types.underlying(type_) if type_ is not None and type_.kind == "named" else None
        return False if under is not None and under.kind in ("basic", "struct") else None

    def truth_of(self, v: Val) -> bool | None:
        """The value of a boolean alternative, or None."""
        return v.value if isinstance(v, Const) and isinstance(v.value, bool) else None

    def truth(self, value: Value) -> bool | None:
        """True or False when all alternatives agree, else None."""
        answers = {self.truth_of(v) for v in self.force(value)}
        return answers.pop() if len(answers) == 1 else None
