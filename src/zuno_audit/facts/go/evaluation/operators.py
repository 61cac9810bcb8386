"""Unary and binary operators, comparisons, and stand-ins for numbers that a simulation needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go import arithmetic, channels
from zuno_audit.facts.go.evaluation.records import (
    Comparison,
    Scope,
)
from zuno_audit.facts.go.evaluation.selectors import Selectors
from zuno_audit.facts.go.values import (
    FALSE,
    TRUE,
    Assumed,
    Const,
    Extern,
    Input,
    Lazy,
    Nil,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Unknown,
    Val,
    Value,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    pass

_ORDER = frozenset(("<", "<=", ">", ">="))
_PARTS = (Const, Extern, Seq, Opaque)  # what a text with known parts is made of
MAX_COMBINATIONS = 144  # of alternatives of two operands; beyond them the result is not known


class Operators(Selectors):
    """Evaluates operators (specification, "Operators")."""

    def _unary(self, expr: s.Unary, scope: Scope, state: State) -> Value:
        if expr.op == "&":
            return self._take_address(expr.x, scope, state)
        value = self.eval(expr.x, scope, state)
        if expr.op == "<-":
            return self._receive(value, state, self._site(expr, scope))
        out: Value = ()
        for v in self.force(value):
            result = arithmetic.unary(expr.op, v.value) if isinstance(v, Const) else None
            if result is None:
                out = union(out, (v,) if isinstance(v, Input) else (Unknown("computed value"),))
            else:
                out = union(out, (Const(result, v.type if isinstance(v, Const) else None),))
        return out

    def _receive(self, value: Value, state: State, site: Site) -> Value:
        if not self.lazy:
            received = channels.receive(self, self.force(value), state)
            if received is not None:
                return received
        v = value[0]
        if isinstance(v, Extern):
            return (Extern(v.path, v.name + "<-", (), recv=value, site=site),)
        return (Unknown("received from a channel", site),)

    def _binary(self, expr: s.Binary, scope: Scope, state: State) -> Value:
        op = expr.op
        left = self.eval(expr.x, scope, state)
        if op in ("&&", "||"):
            first = self.truth(left)
            if first is (op == "||"):
                return (TRUE,) if first else (FALSE,)
            branch = state.fork()
            self.narrow(expr.x, op == "&&", scope, branch)
            right = self.eval(expr.y, scope, branch)
            second = self.truth(right)
            if first is not None:
                state.become(branch)
                return (Const(second),) if second is not None else right
            joined = self.join([state, branch])
            if joined is not None:
                state.cells = joined.cells
            if second is (op == "||"):  # `x && false`, `x || true`
                return (Const(second),)
            return (Unknown("condition"),)
        right = self.eval(expr.y, scope, state)
        if op in ("==", "!="):
            return self._equality(op, left, right, expr, scope, state)
        return self._combine(op, self.force(left), self.force(right), self._site(expr, scope))

    def _combine(self, op: str, left: Value, right: Value, site: Site) -> Value:
        if len(left) * len(right) > MAX_COMBINATIONS:
            return (Unknown("computed value", site),)
        out: Value = ()
        for x in left:
            for y in right:
                out = union(out, (self._combine_two(op, x, y, site),))
        return out or (Unknown("computed value", site),)

    def _combine_two(self, op: str, x: Val, y: Val, site: Site) -> Val:
        if self.assume and op in _ORDER and isinstance(x, Const) != isinstance(y, Const):
            x, y = self._stand_in(x, y), self._stand_in(y, x)
        if isinstance(x, Const) and isinstance(y, Const):
            value = arithmetic.binary(op, x.value, y.value)
            if value is not None:
                if isinstance(value, bool):
                    value = self.overrides.get(site, value)
                    self.note_comparison(site, x, y, value, op)
                    return Const(value, None, site)
                type_ = x.type if op in ("<<", ">>") else x.type or y.type
                made = Assumed if isinstance(x, Assumed) or isinstance(y, Assumed) else Const
                return made(value, type_, site)
        for v in (x, y):
            if isinstance(v, Input):
                return Input(f"{v.origin} (computed)", v.type, (v.key, op, site.start), site)
        if op == "+" and isinstance(x, _PARTS) and isinstance(y, _PARTS):
            return Extern("text", "+", ((x,), (y,)), site=site)  # a text with parts that are known
        broken = any(isinstance(v, Unknown) and v.broken for v in (x, y))
        return Unknown("computed value", site, broken=broken)

    def note_comparison(self, site: Site, x: Const, y: Const, result: bool, op: str) -> None:
        """Remembers what a comparison said, when somebody wants to know."""
        if self.comparisons is not None:
            self.comparisons.append(Comparison(site, x, y, result, op))

    def compare(self, op: str, x: Const, y: Const, site: Site) -> bool:
        """An ordered comparison of two numbers, recorded like one in the source."""
        result = self._combine_two(op, x, y, site)
        return isinstance(result, Const) and result.value is True

    def _stand_in(self, v: Val, other: Val) -> Val:
        if isinstance(v, Const) or not isinstance(other, Const) or isinstance(other.value, str | bool):
            return v
        if isinstance(v, Unknown | Input) or (isinstance(v, Extern) and not v.path.startswith("math/rand")):
            is_time = isinstance(other.value, int | float) and abs(other.value) >= 1_000_000
            typed = getattr(v, "type", None)
            is_time = is_time or (typed is not None and typed.path == "time")
            return self.assumed(v, is_time=is_time or (other.type is not None and other.type.path == "time"))
        return v

    def assumed(self, v: Val, *, is_time: bool) -> Assumed:
        """The stand-in for a number from outside: 7, or 30 s for a time. The same value gets the same one."""
        key = (
            v.key
            if isinstance(v, Input)
            else (v.reason, is_time)
            if isinstance(v, Unknown)
            else v.site or id(v)
        )
        if key not in self._assumptions:
            self._assumptions[key] = Assumed(30_000_000_000 if is_time else 7, None, v.site)
        return self._assumptions[key]

    def _equality(
        self, op: str, left: Value, right: Value, expr: s.Binary, scope: Scope, state: State
    ) -> Value:
        nil_test = isinstance(expr.y, s.Ident) and expr.y.name == "nil" and scope.lookup("nil") is None
        if nil_test:
            if self.lazy and any(isinstance(v, Lazy) and not _is_lone(v) for v in left):
                return (Unknown("nil test"),)
            answers = {self.is_nil(v) for v in self.force(left)}
        else:
            answers = {self._equal(x, y) for x in self.force(left) for y in self.force(right)}
            self._note_equality(op, self.force(left), self.force(right), expr, scope)
        if len(answers) != 1 or None in answers:
            return self._undecided(op, (*left, *right), self._site(expr, scope))
        return (Const(answers.pop() is (op == "==")),)

    @staticmethod
    def _undecided(op: str, operands: Value, site: Site) -> Value:
        """The result of a comparison that is not known: the caller's to decide where an operand is."""
        for v in operands:
            if isinstance(v, Input):
                return (Input(f"{v.origin} (compared)", None, (v.key, op, site.start), site),)
        return (Unknown("comparison"),)

    def _note_equality(self, op: str, left: Value, right: Value, expr: s.Binary, scope: Scope) -> None:
        if self.comparisons is None or len(left) != 1 or len(right) != 1:
            return
        x, y = left[0], right[0]
        if isinstance(x, Const) and isinstance(y, Const) and not isinstance(x.value, str | bool):
            result = (x.value == y.value) is (op == "==")
            self.note_comparison(self._site(expr, scope), x, y, result, op)

    def _equal(self, x: Val, y: Val) -> bool | None:
        from zuno_audit.facts.go import library

        if isinstance(x, Const) and isinstance(y, Const):
            if isinstance(x.value, str):
                told = library.told_by_forms(x, y)
                self.texts_compared |= told
                self.text_tested |= not told
            return bool(x.value == y.value)
        if isinstance(x, Nil) or isinstance(y, Nil):
            other = y if isinstance(x, Nil) else x
            return self.is_nil(other)
        if isinstance(x, Pointer) and isinstance(y, Pointer):
            return bool(x.cell == y.cell and x.path == y.path)
        if isinstance(x, Opaque) or isinstance(y, Opaque):
            return True if x is y else None
        if isinstance(x, Input) or isinstance(y, Input):
            self.texts_compared = True  # a text that the caller gives: with another one it may be known
            return None
        if isinstance(x, Extern) and isinstance(y, Extern):
            known = library.same_error(x, y)
            if known is not None:
                return known
        if library.differ(x, y):
            self.text_tested = True
            return False
        if isinstance(x, Extern) and isinstance(y, Extern) and x.args is None and y.args is None:
            same_name = (x.path, x.name) == (y.path, y.name) and x.recv is None and y.recv is None
            return True if same_name else None
        return None


def _is_lone(lazy: Lazy) -> bool:
    """True for the only result of a call that is no error: whether it is nil says nothing of other results."""
    results = lazy.call.func.node.results
    return len(results) == 1 and not (
        isinstance(results[0].type, s.Ident) and results[0].type.name == "error"
    )
