"""Loops, labels, break and continue."""

from __future__ import annotations

from zuno_audit.facts.go import iterators
from zuno_audit.facts.go.evaluation.branches import Branches
from zuno_audit.facts.go.evaluation.records import (
    Loop,
    Scope,
    WorkLimitError,
)
from zuno_audit.facts.go.values import (
    NIL,
    TRUE,
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
    State,
    Unknown,
    Val,
    Value,
    union,
)
from zuno_audit.languages.go import syntax as s


class Loops(Branches):
    """Executes loops: exactly while conditions are known, else for zero, one and two rounds."""

    def _enter_loop(self, scope: Scope, *, is_loop: bool, label: str | None = None) -> Loop:
        frame = scope.frame
        pending = getattr(self, "_pending_label", None)
        loop = Loop(label or pending, is_loop)
        self._pending_label: str | None = None
        frame.loops.append(loop)
        return loop

    def _exit_loop(self, scope: Scope) -> None:
        scope.frame.loops.pop()

    def _labeled(self, stmt: s.Labeled, scope: Scope, state: State) -> State | None:
        frame = scope.frame
        frame.labels.add(stmt.label)
        joined = self.join([state, *frame.gotos.pop(stmt.label, ())])
        state = state if joined is None else joined
        self._pending_label = stmt.label
        if isinstance(stmt.stmt, s.For | s.Range | s.Switch | s.TypeSwitch | s.Select):
            return self.exec(stmt.stmt, scope, state)
        self._pending_label = None
        loop = self._enter_loop(scope, is_loop=False, label=stmt.label)
        end = self.exec(stmt.stmt, scope, state)
        self._exit_loop(scope)
        return self.join([end, *loop.breaks])

    def _branch(self, stmt: s.Branch, scope: Scope, state: State) -> State | None:
        if stmt.keyword == "fallthrough":
            return state
        if stmt.keyword == "goto":
            if stmt.label is None or stmt.label in scope.frame.labels:
                raise WorkLimitError  # a loop made of jumps
            scope.frame.gotos.setdefault(stmt.label, []).append(state)
            return None
        for loop in reversed(scope.frame.loops):
            if stmt.label is not None and loop.label != stmt.label:
                continue
            if stmt.keyword == "break":
                loop.breaks.append(state)
                return None
            if stmt.keyword == "continue" and loop.is_loop:
                loop.continues.append(state)
                return None
        return None

    def _for(self, stmt: s.For, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        loop = self._enter_loop(scope, is_loop=True)
        try:
            return self._iterate(stmt, inner, state, loop)
        finally:
            self._exit_loop(scope)

    def _iterate(self, stmt: s.For, scope: Scope, state: State, loop: Loop) -> State | None:
        """Runs a loop exactly while its condition is known, else for zero, one and two rounds."""
        current: State | None = state
        loop.scope = scope
        loop.copies = bool(scope.names) and self._copies_variables(stmt, scope)
        for _ in range(self.limits.unroll):
            if current is None:
                return self.join(loop.breaks)
            condition = (
                self.truth(self.eval(stmt.cond, loop.scope, current)) if stmt.cond is not None else True
            )
            if condition is False:
                return self.join([current, *loop.breaks])
            if condition is None:
                return self._iterate_unknown(stmt, current, loop)
            if stmt.cond is None and (self.lazy or len(loop.breaks) > 0):
                return self._iterate_unknown(stmt, current, loop)
            current = self._round(stmt, current, loop)
        return self.join(loop.breaks) if current is None else self._iterate_unknown(stmt, current, loop)

    def _copies_variables(self, stmt: s.For, scope: Scope) -> bool:
        """True when each round has variables of its own and something could tell (since Go 1.22)."""
        frame = scope.frame
        return self.effects.has_literals(stmt) and self.program.has_loop_variables_per_round(frame.file.path)

    def _round(self, stmt: s.For, state: State, loop: Loop) -> State | None:
        assert loop.scope is not None
        loop.continues = []
        end = self._block(stmt.body, loop.scope, state)
        end = self.join([end, *loop.continues])
        if end is not None and loop.copies:
            loop.scope = self._copied(loop.scope, end)
        if end is not None and stmt.post is not None:
            end = self.exec(stmt.post, loop.scope, end)
        return end

    def _copied(self, scope: Scope, state: State) -> Scope:
        """Variables for the next round, with the values that those of this round have."""
        fresh = Scope(scope.parent, scope.frame)
        for name, cell in scope.names.items():
            self._declare(name, self.read(cell, state), fresh, state)
        return fresh

    def _iterate_unknown(self, stmt: s.For, state: State, loop: Loop) -> State | None:
        ends: list[State | None] = [state]
        current: State | None = state
        loop.copies = False
        scope = loop.scope
        assert scope is not None
        for _ in range(2):
            if current is None:
                break
            start = current.fork()
            if stmt.cond is not None:
                if self.truth(self.eval(stmt.cond, scope, start)) is False:
                    break
                if not self.narrow(stmt.cond, True, scope, start):
                    break
            after = self._round(stmt, start, loop)
            current = self._blur(current, after)
            ends.append(current)
        result = self.join(ends if stmt.cond is not None else [])
        if result is not None and stmt.cond is not None:
            self.narrow(stmt.cond, False, scope, result)
        return self.join([result, *loop.breaks])

    @staticmethod
    def _blur(before: State, after: State | None) -> State | None:
        """Scalars that a round changed can have any value after several rounds."""
        if after is None:
            return None
        for cell, old, value in after.cells.changed_since(before.cells):
            if old is None:
                continue
            if any(isinstance(v, Const) and not isinstance(v.value, bool | str) for v in value):
                kept = [v for v in value if not isinstance(v, Const)]
                after.cells[cell] = (*kept, Unknown("changed in a loop"))
        return after

    def _range(self, stmt: s.Range, scope: Scope, state: State) -> State | None:
        value = self.force(self.eval(stmt.x, scope, state))
        if state.dead:
            return None
        outcomes: list[State | None] = []
        for v in value[:6]:
            loop = self._enter_loop(scope, is_loop=True)
            branch = state.fork() if len(value) > 1 else state
            try:
                outcomes.append(self._range_over(stmt, v, scope, branch, loop))
            finally:
                self._exit_loop(scope)
        return self.join(outcomes)

    def _range_over(self, stmt: s.Range, v: Val, scope: Scope, state: State, loop: Loop) -> State | None:
        if isinstance(v, Pointer):
            inner = self.force(self.load(v, state))
            v = inner[0] if len(inner) == 1 else v
        if isinstance(v, Func):
            return self._range_over_func(stmt, v, scope, state, loop)
        rounds, open_ = self._rounds(v, state)
        if isinstance(v, Input):
            self.undecided_inputs = True
        current: State | None = state
        for key, element in rounds:
            if current is None:
                break
            current = self._range_round(stmt, key, element, scope, current, loop)
        if open_ and current is not None:
            site = self._site(stmt.x, scope)
            elem_type = self._elem(getattr(v, "type", None))
            ends: list[State | None] = [current]
            if isinstance(v, Input):
                element = (Input(f"element of {v.origin}", elem_type, (v.key, "range"), site),)
            elif isinstance(v, Extern):
                element = (Extern(v.path, v.name + "[]", (), recv=(v,), site=site),)
            else:
                reason = v.reason if isinstance(v, Unknown) else "an element"
                element = (Unknown(reason, site, type_=elem_type),)
                if isinstance(v, Seq):
                    for item in v.items:
                        element = union(element, item)
            for _ in range(2):
                if current is None:
                    break
                start = current.fork()
                after = self._range_round(stmt, (Unknown("index"),), element, scope, start, loop)
                current = self._blur(current, after)
                ends.append(current)
            current = self.join(ends)
        return self.join([current, *loop.breaks])

    def _range_over_func(
        self, stmt: s.Range, func: Func, scope: Scope, state: State, loop: Loop
    ) -> State | None:
        """The function is called with a `yield` that runs the body; who leaves the loop does not come back."""

        def round_(ev: Loops, args: list[Value], memory: State) -> list[Value]:
            inside, ev.frame = ev.frame, scope.frame
            key, value = (args[i] if i < len(args) else NIL for i in (0, 1))
            end = ev._range_round(stmt, key, value, scope, memory.fork(), loop)
            ev.frame = inside
            if end is None:
                memory.dead = True
            else:
                memory.become(end)
            return [(TRUE,)]

        self._call_one(func, [(Opaque("yield", on_call=round_),)], state, self._site(stmt.x, scope), False, 0)
        return self.join([None if state.dead else state, *loop.breaks])

    def _rounds(self, v: Val, state: State) -> tuple[list[tuple[Value, Value]], bool]:
        """The known rounds of a range, and whether there may be more."""
        if isinstance(v, Nil):
            return [], False
        if isinstance(v, Seq) and len(v.items) <= self.limits.unroll:
            return [((Const(i),), item) for i, item in enumerate(v.items)], v.open
        if isinstance(v, Const) and type(v.value) is int and 0 <= v.value <= self.limits.unroll:
            return [((Const(i),), (Const(i),)) for i in range(v.value)], False
        if isinstance(v, Extern):
            return iterators.rounds(self, v, state) or ([], True)
        if isinstance(v, Map):
            data = self.read(v.cell, state)
            if len(data) == 1 and isinstance(data[0], MapData) and len(data[0].entries) <= self.limits.unroll:
                rounds: list[tuple[Value, Value]] = []
                for key, value in data[0].entries.items():
                    known = not isinstance(key, tuple)
                    rounds.append(((Const(key) if known else Unknown("key of a map"),), value))
                return rounds, data[0].open
        return [], True

    def _range_round(
        self, stmt: s.Range, key: Value, element: Value, scope: Scope, state: State, loop: Loop
    ) -> State | None:
        inner = Scope(scope, scope.frame)
        for target, value in ((stmt.key, key), (stmt.value, element)):
            if target is None:
                continue
            if stmt.define and isinstance(target, s.Ident):
                self._declare(target.name, value, inner, state)
            else:
                self._assign_to(target, value, scope, state)
        loop.continues = []
        end = self._block(stmt.body, inner, state)
        return self.join([end, *loop.continues])
