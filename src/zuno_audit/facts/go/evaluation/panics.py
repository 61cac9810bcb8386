"""Deferred calls and panics (specification, "Defer statements", "Handling panics")."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.evaluation.expressions import Expressions
from zuno_audit.facts.go.evaluation.records import (
    Deferred,
    DeferredCall,
    Frame,
    Panic,
    Scope,
)
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Const,
    Extern,
    Func,
    Nil,
    Site,
    State,
    Value,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    pass


class Panics(Expressions):
    """Runs deferred calls on every way out of a function."""

    def _named_results(self, frame: Frame, state: State) -> list[Value]:
        return [self.read(c, state) for c in frame.result_cells]

    def _leave(self, frame: Frame, state: State) -> list[list[Value]]:
        """Runs deferred calls on every way out, and joins memory. Other panics go to the caller."""
        exits: list[tuple[list[Value], State]] = []
        if not frame.has_defers:
            exits = frame.returns
            escaped = frame.panics
        else:
            escaped = []
            for results, after in frame.returns:
                exits.extend(self._run_defers(frame, results, after, None, escaped))
            for value, after in frame.panics:
                exits.extend(self._run_defers(frame, None, after, Panic(value), escaped))
        if frame.caller is not None:
            frame.caller.panics.extend(escaped)
        else:
            self.uncaught.extend(escaped)
            if self.on_leave is not None:
                for results, after in exits:
                    self.on_leave(results, after)
        joined = self.join([after for _, after in exits])
        if joined is None:
            state.dead = True
            return []
        state.cells = joined.cells
        if frame.escapes:
            if frame.caller is not None:
                frame.caller.escapes = True
        elif len(state.cells) > 64:  # nothing points at the variables of this activation any more
            state.cells = state.cells.below(frame.cell_mark)
        return [results for results, _ in exits]

    def _run_defers(
        self,
        frame: Frame,
        results: list[Value] | None,
        state: State,
        panic: Panic | None,
        escaped: list[tuple[Value, State]],
    ) -> Iterator[tuple[list[Value], State]]:
        """The ways out of a frame after its deferred calls, last deferred first (specification, "Defer
        statements", "Handling panics")."""
        lists = state.cells.get(frame.defer_cell) or (Deferred(()),)
        for pending in lists:
            if isinstance(pending, Deferred):
                yield from self._run_list(frame, results, state.fork(), panic, pending.calls, escaped)
            else:  # on too many groups of paths to tell: they may recover, and set the results that have names
                if panic is not None:
                    self.exhausted = True
                    escaped.append((panic.value, state.fork()))
                if results is None or frame.result_cells:
                    results = [(pending,)] * len(frame.result_types)
                yield results, state.fork()

    def _run_list(
        self,
        frame: Frame,
        results: list[Value] | None,
        state: State,
        panic: Panic | None,
        calls: tuple[DeferredCall, ...],
        escaped: list[tuple[Value, State]],
    ) -> Iterator[tuple[list[Value], State]]:
        if results is not None and frame.result_cells:
            for cell, value in zip(frame.result_cells, results, strict=False):
                state.cells[cell] = value
        for i in range(len(calls) - 1, -1, -1):
            deferred = calls[i]
            inner = self._run_deferred_call(frame, deferred, state, panic)
            for value, after in inner:  # a deferred call that panics itself
                yield from self._run_list(frame, None, after, Panic(value), calls[:i], escaped)
            if state.dead:
                return
            if panic is not None:
                flag = state.cells.pop(panic.recovered, (FALSE,))
                if any(v is not FALSE for v in flag):
                    if any(v is FALSE for v in flag):
                        still = state.fork()
                        yield from self._run_list(frame, None, still, panic, calls[:i], escaped)
                    panic = None
                    results = None
        if panic is not None:
            escaped.append((panic.value, state))
            return
        if frame.result_cells:
            yield self._named_results(frame, state), state
        elif results is not None:
            yield results, state
        else:  # recovered, and the results have no names: zero values
            yield [self.zero(t) for t in frame.result_types], state

    def _run_deferred_call(
        self, frame: Frame, deferred: DeferredCall, state: State, panic: Panic | None
    ) -> list[tuple[Value, State]]:
        """Runs one deferred call with `frame` as its caller; gives the panics that come out of it."""
        if deferred.is_recover:
            return []  # `defer recover()` does not stop a panic
        saved_panics, frame.panics = frame.panics, []
        saved, self.frame = self.frame, frame
        try:
            outcomes: list[State] = []
            for callee in self.force(deferred.callee):
                branch = state.fork()
                if panic is not None:
                    branch.cells[panic.recovered] = (FALSE,)
                if isinstance(callee, Func):
                    func, args = callee, list(deferred.args)
                    args = self._bind_variadic(func, args, deferred.spread)
                    self._call_exits(func, args, branch, deferred.site, panic)
                elif isinstance(callee, Extern) and (callee.path, callee.name) == ("builtin", "panic"):
                    self.raise_panic(deferred.args[0] if deferred.args else (callee,), branch)
                elif not isinstance(callee, Nil):
                    self._call_one(callee, list(deferred.args), branch, deferred.site, deferred.spread, 1)
                if not branch.dead:
                    outcomes.append(branch)
            joined = self.join(outcomes)
            if joined is None:
                state.dead = True
            else:
                state.become(joined)
            return frame.panics
        finally:
            frame.panics = saved_panics
            self.frame = saved

    def raise_panic(self, value: Value, state: State) -> None:
        """This path panics."""
        if self.frame is not None:
            self.frame.panics.append((value, state.fork()))
        state.dead = True

    def recover(self, state: State) -> Value:
        """The predeclared function: stops the panic only in a frame that was deferred itself."""
        panic = self.frame.panic if self.frame is not None else None
        if panic is None:
            return NIL
        before = state.cells.get(panic.recovered, (FALSE,))
        state.cells[panic.recovered] = (TRUE,)
        if all(v is TRUE for v in before):
            return NIL
        return panic.value if all(v is FALSE for v in before) else union(panic.value, NIL)

    def _defer(self, stmt: s.Defer, scope: Scope, state: State) -> State | None:
        call = stmt.call
        if not isinstance(call, s.Call):
            return state
        callee = self.eval(call.fun, scope, state)
        args = [self.eval(a, scope, state) for a in call.args]
        if state.dead:
            return None
        is_recover = any(isinstance(v, Extern) and (v.path, v.name) == ("builtin", "recover") for v in callee)
        deferred = DeferredCall(callee, args, call.ellipsis, self._site(call, scope), is_recover)
        frame = scope.frame
        frame.has_defers = True
        current = state.cells.get(frame.defer_cell) or (Deferred(()),)
        state.cells[frame.defer_cell] = tuple(
            Deferred((*d.calls, deferred)) if isinstance(d, Deferred) else d for d in current
        )
        return state

    def _go(self, stmt: s.Go, scope: Scope, state: State) -> State | None:
        """A goroutine has a stack of its own: panics in it are not stopped by the frames here."""
        call = stmt.call
        if not isinstance(call, s.Call):
            return state
        callee = self.eval(call.fun, scope, state)
        args = [self.eval(a, scope, state) for a in call.args]
        if state.dead:
            return None
        if self.lazy and not any(isinstance(v, Func) and id(v.node) in self.eager for v in callee):
            return state
        if self.clock is not None:
            delay = self._delay(callee, args, state, self._site(call, scope))
            if delay is not None:
                self.timers.append((self.clock + delay, callee, args))
                return state
        waits = self.awaits_goroutines and waits_behind(stmt, scope.frame.func)
        if self.left_running is not None:
            waits = waits_behind(stmt, scope.frame.func)
            if not waits:
                scope.frame.escapes = True
                site = self._site(call, scope)
                self.left_running.append((callee, args, call.ellipsis, scope.frame, site))
                return state
        branch = state.fork()
        self._run_goroutine(callee, args, branch, call.ellipsis, scope.frame, self._site(call, scope))
        if waits and not branch.dead:
            state.cells = branch.cells
            return state
        lasting = {} if branch.dead else {cell: branch.cells[cell] for cell in self.lasting}
        joined = self.join([state, branch])
        if joined is not None:
            state.cells = joined.cells
        for cell, value in lasting.items():
            state.cells[cell] = value
        return state

    def _delay(self, callee: Value, args: list[Value], state: State, site: Site) -> int | None:
        """How long a goroutine waits in its first statements before it does anything else, in nanoseconds."""
        func = callee[0] if len(callee) == 1 else None
        if not isinstance(func, Func) or not func.node.body.stmts:
            return None
        stmts = func.node.body.stmts
        if b"time." not in func.file.data[stmts[0].start : stmts[0].end]:
            return None
        waits: list[int] = []

        def wait(
            ev: object, v: Extern, given: list[Value], memory: State, place: Site
        ) -> Iterable[Value] | None:
            duration = self.force(given[0]) if given else ()
            if len(duration) == 1 and isinstance(duration[0], Const):
                waits.append(int(duration[0].value))
            return None

        until, models = self.until, self.models
        timed = {("time", name): wait for name in ("Sleep", "After", "NewTimer")}
        self.models = {**models, **timed}
        self.until = (id(func.node), stmts[0].end)
        try:
            self._call_one(func, list(args), state.fork(), site, False, 1)
        finally:
            self.until, self.models = until, models
        return waits[0] if waits else None

    def finish_goroutines(self, state: State) -> None:
        """Runs the goroutines that were left running."""
        while self.left_running:
            callee, args, spread, frame, site = self.left_running.pop(0)
            self._run_goroutine(callee, args, state, spread, frame, site)

    def _run_goroutine(
        self, callee: Value, args: list[Value], state: State, spread: bool, frame: Frame, site: Site
    ) -> list[Value]:
        saved, results = self.frame, []
        self.goroutines += 1
        try:
            for v in self.force(callee):
                self.frame = stack = Frame(frame.func, site, None if not self.lazy else saved, None)
                results = self._call_one(v, list(args), state, site, spread, 1)
                if stack.panics and self.on_exit is not None:
                    self.on_exit(Extern("builtin", "panic in a goroutine", (), site=site), stack.panics[0][1])
        finally:
            self.frame = saved
            self.goroutines -= 1
        return results

    def in_goroutine(self, callee: Value, state: State, site: Site) -> list[Value]:
        """Runs a function in a goroutine that is waited for, as libraries do; the results of it."""
        assert self.frame is not None
        return self._run_goroutine(callee, [], state, False, self.frame, site)

    def end_process(self, v: Extern, state: State) -> None:
        """os.Exit and its kin: no deferred call runs, no path goes on."""
        if self.on_exit is not None:
            self.on_exit(v, state)
        state.dead = True


def waits_behind(stmt: s.Go, func: Func) -> bool:
    """True when a function waits for something behind a `go` statement."""
    for node in s.nodes_of(func.node):
        if node.start < stmt.end:
            continue
        if isinstance(node, s.Select):
            return all(clause.comm is not None for clause in node.clauses)
        if isinstance(node, s.Unary) and node.op == "<-":
            return True
        if isinstance(node, s.Call) and isinstance(node.fun, s.Selector) and node.fun.sel == "Wait":
            return True
    return False
