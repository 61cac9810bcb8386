"""Branches: if, switch, type switch, select, and what a condition says about variables."""

from __future__ import annotations

from collections.abc import Iterable

from zuno_audit.facts.go import channels
from zuno_audit.facts.go.evaluation.records import (
    Scope,
)
from zuno_audit.facts.go.evaluation.statements import Statements
from zuno_audit.facts.go.values import (
    TRUE,
    Const,
    Input,
    Lazy,
    Pointer,
    State,
    Unknown,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s


class Branches(Statements):
    """Executes branches and joins them."""

    def _if(self, stmt: s.If, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        answer = self.eval(stmt.cond, inner, state)
        condition = self.truth(answer)
        if state.dead:
            return None
        if condition is None and any(isinstance(v, Input) for v in self.force(answer)):
            self.undecided_inputs = True
        outcomes: list[State | None] = []
        if condition is not False:
            branch = state.fork() if condition is None else state
            if condition is not None or self.narrow(stmt.cond, True, inner, branch):
                outcomes.append(self._block(stmt.body, inner, branch))
        if condition is not True:
            branch = state.fork() if condition is None else state
            if condition is not None or self.narrow(stmt.cond, False, inner, branch):
                outcomes.append(branch if stmt.orelse is None else self.exec(stmt.orelse, inner, branch))
        return self.join(outcomes)

    def narrow(self, cond: s.Expr, holds: bool, scope: Scope, state: State) -> bool:
        """Drops the alternatives that contradict a condition. False when none is left: the branch is dead."""
        if isinstance(cond, s.Unary) and cond.op == "!":
            return self.narrow(cond.x, not holds, scope, state)
        if isinstance(cond, s.Binary):
            if (cond.op == "&&" and holds) or (cond.op == "||" and not holds):
                return self.narrow(cond.x, holds, scope, state) and self.narrow(cond.y, holds, scope, state)
            if cond.op in ("==", "!=") and isinstance(cond.y, s.Ident) and cond.y.name == "nil":
                wants_nil = holds is (cond.op == "==")
                return self._narrow_cell(cond.x, "nil" if wants_nil else "non-nil", scope, state)
            return True
        if isinstance(cond, s.Ident):
            return self._narrow_cell(cond, "true" if holds else "false", scope, state)
        return True

    def _narrow_cell(self, expr: s.Expr, what: str, scope: Scope, state: State) -> bool:
        cell = scope.lookup(expr.name) if isinstance(expr, s.Ident) else None
        path: tuple[str, ...] = ()
        if cell is None:
            if not isinstance(expr, s.Selector) or self._is_package(expr.x, scope):
                return True
            target = self._address(expr, scope, state)
            if target is None:
                return True
            cell, path = target.cell, target.path
        value = self.load(Pointer(cell, path), state)
        kept: list[Val] = []
        for v in value:
            if isinstance(v, Lazy):
                kept.append(self._narrow_lazy(v, what, state))
            elif what in ("nil", "non-nil"):
                if self.is_nil(v) in (None, what == "nil"):
                    kept.append(v)
            elif self.truth_of(v) in (None, what == "true"):
                known = isinstance(v, Unknown | Input)
                kept.append(Const(what == "true") if known and isinstance(expr, s.Ident) else v)
        if not kept:
            return False
        if path and self.clock is not None:
            return True  # a simulation compares memory: what is only narrowed must not look changed
        if len(kept) != len(value) or any(a is not b for a, b in zip(kept, value, strict=False)):
            self.store(cell, path, tuple(kept), state)
        return True

    def _narrow_lazy(self, lazy: Lazy, what: str, state: State) -> Lazy:
        """Remembers the condition in every variable that holds a result of the same call."""
        condition = (lazy.index, what)
        for cell, value in state.cells.marked(id(lazy.call), _calls):
            if any(isinstance(v, Lazy) and v.call is lazy.call for v in value):
                state.cells[cell] = tuple(
                    v.given(condition) if isinstance(v, Lazy) and v.call is lazy.call else v for v in value
                )
        return lazy.given(condition)

    def _switch(self, stmt: s.Switch, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        tag = self.force(self.eval(stmt.tag, inner, state)) if stmt.tag is not None else (TRUE,)
        if state.dead:
            return None
        loop = self._enter_loop(scope, is_loop=False)
        outcomes: list[State | None] = []
        remaining: State | None = state
        fall: State | None = None
        default_index: int | None = None
        entries: list[State | None] = []
        for i, clause in enumerate(stmt.clauses):
            if clause.exprs is None:
                default_index = i
                entries.append(None)
                continue
            if remaining is None:
                entries.append(None)
                continue
            matches = self._clause_matches(clause, stmt, tag, inner, remaining)
            if matches is False:
                entries.append(None)
            elif matches is True:
                entries.append(remaining)
                remaining = None
            else:
                if any(isinstance(v, Input) for v in tag):
                    self.undecided_inputs = True
                branch = remaining.fork()
                narrowed = self._narrow_clause(clause, stmt, inner, branch)
                entries.append(branch if narrowed else None)
        if default_index is not None:
            entries[default_index] = remaining
            remaining = None
        for clause, entry in zip(stmt.clauses, entries, strict=True):
            start = self.join([entry, fall])
            fall = None
            if start is None:
                continue
            end = self._stmts(clause.body, Scope(inner, scope.frame), start)
            last = clause.body[-1] if clause.body else None
            if isinstance(last, s.Branch) and last.keyword == "fallthrough":
                fall = end
            else:
                outcomes.append(end)
        self._exit_loop(scope)
        return self.join([*outcomes, remaining, *loop.breaks])

    def _narrow_clause(self, clause: s.Clause, stmt: s.Switch, scope: Scope, state: State) -> bool:
        if stmt.tag is None and clause.exprs is not None and len(clause.exprs) == 1:
            return self.narrow(clause.exprs[0], True, scope, state)
        return True

    def _clause_matches(
        self, clause: s.Clause, stmt: s.Switch, tag: Value, scope: Scope, state: State
    ) -> bool | None:
        answer: bool | None = False
        for expr in clause.exprs or []:
            value = self.force(self.eval(expr, scope, state))
            answers = {self._equal(x, y) for x in tag for y in value}
            this = answers.pop() if len(answers) == 1 else None
            if stmt.tag is None:
                this = self.truth(value)
            if this is True:
                return True if answer is False else None
            if this is None:
                answer = None
        return answer

    def _type_switch(self, stmt: s.TypeSwitch, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        x = stmt.x.x if isinstance(stmt.x, s.TypeAssert) else stmt.x
        value = self.force(self.eval(x, inner, state))
        loop = self._enter_loop(scope, is_loop=False)
        outcomes: list[State | None] = []
        left = list(value)
        for clause in sorted(stmt.clauses, key=lambda c: c.exprs is None):
            chosen, left = self._type_case(clause, left, inner, state)
            if not chosen:
                continue
            branch = state.fork()
            body = Scope(inner, scope.frame)
            if stmt.name:
                self._declare(stmt.name, tuple(chosen), body, branch)
            outcomes.append(self._stmts(clause.body, body, branch))
        if left and all(c.exprs is not None for c in stmt.clauses):
            outcomes.append(state)
        self._exit_loop(scope)
        return self.join([*outcomes, *loop.breaks])

    def _type_case(
        self, clause: s.Clause, left: list[Val], scope: Scope, state: State
    ) -> tuple[list[Val], list[Val]]:
        """The alternatives that a case takes, and those that go on to the next."""
        if clause.exprs is None:
            return left, []
        chosen: list[Val] = []
        rest: list[Val] = []
        for v in left:
            answers = []
            types = []
            for expr in clause.exprs:
                if isinstance(expr, s.Ident) and expr.name == "nil":
                    answers.append(self.is_nil(v))
                else:
                    type_ = self.types.resolve(expr, scope.frame.file, scope.frame.package, scope)
                    types.append(type_)
                    answers.append(self.has_type(v, type_, state))
            if any(a is True for a in answers):
                chosen.append(v)
            elif any(a is None for a in answers):
                typed = types[0] if len(types) == 1 else None
                if isinstance(v, Unknown) and typed is not None:
                    chosen.append(Unknown(v.reason, v.site, type_=typed, broken=v.broken))
                elif isinstance(v, Input) and typed is not None:
                    chosen.append(Input(v.origin, typed, v.key, v.site))
                else:
                    chosen.append(v)
                rest.append(v)
            else:
                rest.append(v)
        return chosen, rest

    def _select(self, stmt: s.Select, scope: Scope, state: State) -> State | None:
        loop = self._enter_loop(scope, is_loop=False)
        outcomes: list[State | None] = []
        for clause in stmt.clauses if self.lazy else self._possible(stmt, scope, state):
            branch = state.fork()
            inner = Scope(scope, scope.frame)
            after: State | None = branch
            if clause.comm is not None:
                after = self.exec(clause.comm, inner, branch)
            outcomes.append(self._stmts(clause.body, inner, after) if after is not None else None)
        self._exit_loop(scope)
        return self.join([*outcomes, *loop.breaks])

    def _possible(self, stmt: s.Select, scope: Scope, state: State) -> list[s.Clause]:
        """The cases that may run (specification, "Select statements"): `default` only when no other can."""
        inner = Scope(scope, scope.frame)
        answers = [(c, c.comm and channels.is_ready(self, c.comm, inner, state.fork())) for c in stmt.clauses]
        others = [(c, ready) for c, ready in answers if c.comm is not None]
        ready_now = any(ready is True for _, ready in others)
        defaults = [c for c, _ in answers if c.comm is None and not ready_now]
        possible = [c for c, ready in others if ready is not False]
        return [*possible, *defaults] if possible or defaults else [c for c, _ in others]


def _calls(values: Iterable[Value]) -> frozenset[int]:
    """The postponed calls whose results are among these values, by their ids."""
    return frozenset(id(v.call) for value in values for v in value if isinstance(v, Lazy))
