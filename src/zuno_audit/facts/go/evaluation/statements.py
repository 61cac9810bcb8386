"""Statements: assignments, declarations, blocks and returns."""

from __future__ import annotations

from typing import Any

from zuno_audit.facts.go import channels, library
from zuno_audit.facts.go.evaluation.calls import Calls
from zuno_audit.facts.go.evaluation.records import (
    Scope,
    WorkLimitError,
)
from zuno_audit.facts.go.values import (
    Array,
    Const,
    Map,
    MapData,
    Pointer,
    Seq,
    State,
    Struct,
    Unknown,
    Val,
    Value,
    key_of,
    union,
)
from zuno_audit.languages.go import syntax as s


class Statements(Calls):
    """Executes statements (specification, "Statements")."""

    def _stmts(self, stmts: list[s.Stmt], scope: Scope, state: State) -> State | None:
        for i, stmt in enumerate(stmts):
            after = self.exec(stmt, scope, state)
            if after is None or after.dead:
                return self._resume(stmts[i + 1 :], scope) if scope.frame.gotos else None
            state = after
        return state

    def _resume(self, stmts: list[s.Stmt], scope: Scope) -> State | None:
        """Goes on where a path jumped to (specification, "Goto statements")."""
        for i, stmt in enumerate(stmts):
            if isinstance(stmt, s.Labeled) and stmt.label in scope.frame.gotos:
                state = self.join(scope.frame.gotos.pop(stmt.label))
                return None if state is None else self._stmts(stmts[i:], scope, state)
        return None

    def exec(self, stmt: s.Stmt, scope: Scope, state: State) -> State | None:
        """Executes a statement; None when no path goes on behind it."""
        self.steps += 1
        if self.steps > self.step_limit:
            raise WorkLimitError
        handler = self._statements.get(type(stmt))
        if handler is None:
            return state
        return handler(stmt, scope, state)

    def _block(self, stmt: s.Block, scope: Scope, state: State) -> State | None:
        return self._stmts(stmt.stmts, Scope(scope, scope.frame), state)

    def _expr_stmt(self, stmt: s.ExprStmt, scope: Scope, state: State) -> State | None:
        if isinstance(stmt.x, s.Call):
            self.call(stmt.x, scope, state, wanted=1)
        else:
            self.eval(stmt.x, scope, state)
        return alive(state)

    def _send(self, stmt: s.Send, scope: Scope, state: State) -> State | None:
        channel = self.eval(stmt.chan, scope, state)
        value = self.eval(stmt.value, scope, state)
        if not self.lazy and not state.dead:
            channels.send(self, self.force(channel), value, state)
        return alive(state)

    def _assign(self, stmt: s.Assign, scope: Scope, state: State) -> State | None:
        if stmt.op not in ("=", ":="):
            return self._op_assign(stmt, scope, state)
        values = self._right_sides(stmt.rhs, len(stmt.lhs), scope, state)
        if state.dead:
            return None
        for lhs, value in zip(stmt.lhs, values, strict=False):
            if stmt.op == ":=" and isinstance(lhs, s.Ident):
                if lhs.name in scope.names:
                    state.cells[scope.names[lhs.name]] = value
                else:
                    self._declare(lhs.name, value, scope, state)
            else:
                self._assign_to(lhs, value, scope, state)
        return alive(state)

    def _right_sides(self, rhs: list[s.Expr], count: int, scope: Scope, state: State) -> list[Value]:
        if len(rhs) == count:
            return [self.eval(e, scope, state) for e in rhs]
        if len(rhs) != 1:
            return [(Unknown("assignment"),)] * count
        expr = rhs[0]
        site = self._site(expr, scope)
        if isinstance(expr, s.Call):
            values = self.call(expr, scope, state, wanted=count)
        elif isinstance(expr, s.Index):
            owner = self.eval(expr.x, scope, state)
            key = self.eval(expr.indices[0], scope, state)
            values = list(self.index(owner, key, state, site))
        elif isinstance(expr, s.TypeAssert):
            values = list(self._assert_type(expr, scope, state))
        else:
            values = [self.eval(expr, scope, state), (Unknown("received"),)]
        while len(values) < count:
            last = values[0][0] if values and values[0] else None
            values.append((Unknown("result", site, broken=isinstance(last, Unknown) and last.broken),))
        return values[:count]

    def _assign_to(self, lhs: s.Expr, value: Value, scope: Scope, state: State) -> None:
        if self.on_assign is not None:
            self.on_assign(lhs, value)
        if isinstance(lhs, s.Ident):
            if lhs.name == "_":
                return
            cell = scope.lookup(lhs.name)
            if cell is None:
                declared = scope.frame.package.declaration(lhs.name)
                if declared is None:
                    return
                cell = ("global", declared.package.path, lhs.name)
            state.cells[cell] = value
        elif isinstance(lhs, s.Index):
            self._assign_index(lhs, value, scope, state)
        elif isinstance(lhs, s.Selector | s.Star):
            self._assign_through(lhs, value, scope, state)

    def _assign_through(self, lhs: s.Selector | s.Star, value: Value, scope: Scope, state: State) -> None:
        if isinstance(lhs, s.Selector):
            owner = self.force(self.eval(lhs.x, scope, state)) if not self._is_package(lhs.x, scope) else ()
            pointers = [v for v in owner if isinstance(v, Pointer)]
            if len(pointers) > 1:
                for p in pointers:
                    self.store(p.cell, (*p.path, lhs.sel), value, state, strong=False)
                return
        elif isinstance(lhs, s.Star):
            pointers = [v for v in self.force(self.eval(lhs.x, scope, state)) if isinstance(v, Pointer)]
            if len(pointers) > 1:
                for p in pointers:
                    self.store(p.cell, p.path, value, state, strong=False)
                return
        target = self._address(lhs, scope, state)
        if target is not None:
            self.store(target.cell, target.path, value, state)

    def _is_package(self, expr: s.Expr, scope: Scope) -> bool:
        return (
            isinstance(expr, s.Ident)
            and scope.lookup(expr.name) is None
            and expr.name in self.program.imported(scope.frame.file)
        )

    def _assign_index(self, lhs: s.Index, value: Value, scope: Scope, state: State) -> None:
        owner = self.force(self.eval(lhs.x, scope, state))
        keys = self.force(self.eval(lhs.indices[0], scope, state))
        at = key_of(keys)
        if isinstance(at, str):
            self.text_tested = True
        for v in owner:
            if isinstance(v, Map):
                self._assign_map(v, at, value, state, strong=len(owner) == 1)
        if any(isinstance(v, Seq | Pointer) for v in owner):
            base = self._address(lhs.x, scope, state)
            if base is not None:
                target = self.force(self.load(base, state))
                new = tuple(self._with_item(t, at, value) if isinstance(t, Seq) else t for t in target)
                self.store(base.cell, base.path, new, state)
            if self.arrays_matter or any(not isinstance(v, Const) for v in value):
                shared = [v.backing for v in owner if isinstance(v, Seq) and v.backing is not None]
                self._assign_shared(shared, at, value, state)

    @staticmethod
    def _with_item(seq: Seq, at: Any, value: Value) -> Val:
        return _with_item(seq, at, value)

    @staticmethod
    def _assign_shared(backings: list[tuple[Array, int]], at: Any, value: Value, state: State) -> None:
        """Other slices of the array see the new element too (specification, "Slice types").

        For the sake of speed that is not done for numbers and texts where no simulation asks for it.
        """
        for array, first in backings:
            position = first + at if isinstance(at, int) else None
            strong = len(backings) == 1
            seeing = [(c, held) for c, held in state.cells.items() if _has_slice(held, array)]
            for cell, held in seeing:
                new = tuple(_seen_in(v, array, position, value, strong) for v in held)
                if any(a is not b for a, b in zip(new, held, strict=True)):
                    state.cells[cell] = new

    def _assign_map(self, v: Map, at: Any, value: Value, state: State, strong: bool) -> None:
        out: list[Val] = []
        for data in self.read(v.cell, state):
            if isinstance(data, MapData):
                entries = dict(data.entries)
                if at is None:
                    entries[("?", len(entries))] = value
                    out.append(MapData(entries, True))
                else:
                    entries[at] = value if strong or at not in entries else union(entries[at], value)
                    out.append(MapData(entries, data.open))
            else:
                out.append(data)
        state.cells[v.cell] = tuple(out)

    def _op_assign(self, stmt: s.Assign, scope: Scope, state: State) -> State | None:
        left = self.force(self.eval(stmt.lhs[0], scope, state))
        right = self.force(self.eval(stmt.rhs[0], scope, state))
        value = self._combine(stmt.op[:-1], left, right, self._site(stmt, scope))
        self._assign_to(stmt.lhs[0], value, scope, state)
        return alive(state)

    def _inc_dec(self, stmt: s.IncDec, scope: Scope, state: State) -> State | None:
        old = self.force(self.eval(stmt.x, scope, state))
        value = self._combine(stmt.op[0], old, (Const(1),), self._site(stmt, scope))
        self._assign_to(stmt.x, value, scope, state)
        return alive(state)

    def _decl_stmt(self, stmt: s.DeclStmt, scope: Scope, state: State) -> State | None:
        for spec in stmt.specs:
            if isinstance(spec, s.TypeSpec):
                self._local_type(spec, scope)
                continue
            inner = scope
            if spec.is_const:
                inner = Scope(scope, scope.frame)
                inner.names["iota"] = cell = self.new_cell()
                state.cells[cell] = (Const(spec.iota),)
            values = self._spec_values(spec, inner, state)
            for name, value in zip(spec.names, values, strict=False):
                self._declare(name.name, value, scope, state)
        return alive(state)

    def _spec_values(self, spec: s.ValueSpec, scope: Scope, state: State) -> list[Value]:
        frame = scope.frame
        type_ = self.types.resolve(spec.type, frame.file, frame.package, scope) if spec.type else None
        if not spec.values:
            return [self.zero_of(spec.type, type_) for _ in spec.names]
        values = self._right_sides(spec.values, len(spec.names), scope, state)
        return [self._typed(v, type_) for v in values] if type_ is not None else values

    def _local_type(self, spec: s.TypeSpec, scope: Scope) -> None:
        frame = scope.frame
        resolved = self.types.resolve(spec.type, frame.file, frame.package, scope)
        if resolved is not None:
            scope.types = {**(scope.types or {}), spec.name: resolved}

    def _return(self, stmt: s.Return, scope: Scope, state: State) -> State | None:
        frame = scope.frame
        count = max(len(frame.result_types), 1)
        if not stmt.values:
            frame.returns.append((self._named_results(frame, state), state))
            return None
        values = self._right_sides(stmt.values, count, scope, state)
        if state.dead:
            return None
        if any(isinstance(x, s.Ident) and x.name == "nil" for x in stmt.values[:-1]):
            values[-1] = tuple(library.as_error(v) for v in values[-1])
        values = [
            self._typed(v, t) if t is not None else v
            for v, t in zip(values, [*frame.result_types, *[None] * count], strict=False)
        ]
        if frame.result_cells:
            for cell, value in zip(frame.result_cells, values, strict=False):
                state.cells[cell] = value
        frame.returns.append((values, state))
        return None


def alive(state: State) -> State | None:
    """The state, or None when no path goes on."""
    return None if state.dead else state


def _with_item(seq: Seq, at: Any, value: Value) -> Seq:
    """A sequence with another element; at a position that is not known, each element may be the new one."""
    items = list(seq.items)
    if isinstance(at, int) and 0 <= at < len(items):
        items[at] = value
    else:
        items = [union(i, value) for i in items]
    return Seq(tuple(items), seq.open, seq.type, seq.site, seq.backing)


def _has_slice(held: Value, array: Array) -> bool:
    """Whether a value, or a struct in it, has a slice of an array."""
    for v in held:
        if type(v) is Seq:
            if v.backing is not None and v.backing[0] is array:
                return True
        elif type(v) is Struct:
            for inner in v.fields.values():
                if _has_slice(inner, array):
                    return True
    return False


def _seen_in(v: Val, array: Array, position: int | None, value: Value, strong: bool) -> Val:
    """What an alternative looks like after the element of an array was assigned."""
    if isinstance(v, Seq) and v.backing is not None and v.backing[0] is array:
        if position is None:
            return _with_item(v, None, value)
        at = position - v.backing[1]
        if not 0 <= at < len(v.items) or v.items[at] is value:
            return v
        return _with_item(v, at, value if strong else union(v.items[at], value))
    if isinstance(v, Struct):
        fields = {
            n: tuple(_seen_in(x, array, position, value, strong) for x in f) for n, f in v.fields.items()
        }
        if any(a is not b for n, f in v.fields.items() for a, b in zip(fields[n], f, strict=True)):
            return Struct(v.type, fields, v.open, v.site)
    return v
