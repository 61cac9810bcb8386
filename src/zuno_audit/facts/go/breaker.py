"""Is there a circuit breaker in front of a call? Decided by trying it out.

The question is asked of a function that forwards a call to an `invoker` (a client interceptor, or the `Invoke`
of a wrapped connection). The evaluator runs it again and again on one memory, with a virtual clock and an
invoker that fails: a breaker stops forwarding after some failures, says so with an error, tries again after
some time and lets only so many calls through while it tries. What it is called and how it counts is its own
affair; where a setting comes from outside, a stand-in is used and the setting stays unknown.
Breakers of libraries are state machines here too (`breaker_library.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zuno_audit.facts.go import breaker_library, library
from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.breaker_settings import SANE, configured, with_sane_settings
from zuno_audit.facts.go.evaluate import Comparison, Evaluator, Limits
from zuno_audit.facts.go.interceptors import members
from zuno_audit.facts.go.shape import shape
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Assumed,
    Const,
    Extern,
    Func,
    Input,
    Nil,
    Opaque,
    Site,
    State,
    Unknown,
    Val,
    Value,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.types import Types

INVOKED = ("breaker", "invoked")  # a memory cell of the simulation
SECOND = 1_000_000_000
START = 1_700_000_000 * SECOND  # the virtual clock's first reading
MAX_FAILING_CALLS = 120
PATIENCE = 25  # failing calls after which a far limit is looked for
MAX_PROBES = 40
LONGEST_TIMEOUT = 24 * 3600 * SECOND
_LIMITS = Limits(steps=150_000, steps_per_call=150_000, unroll=300)


@dataclass(frozen=True, slots=True)
class Guard:
    """What stands between a caller and the wire.

    `guarded` is yes, no or unknown. The settings are None where they come from outside. `sites` prove it.
    """

    guarded: str
    because: str
    sites: tuple[tuple[Site, str], ...] = ()
    max_failures: int | None = None
    reset_timeout_s: float | None = None
    half_open_max_calls: int | None = None
    setting_sites: tuple[tuple[Site, str], ...] = ()
    depends_on_caller: bool = False
    broken: bool = False

    @property
    def settings(self) -> tuple[int | None, float | None, int | None]:
        return (self.max_failures, self.reset_timeout_s, self.half_open_max_calls)


class BreakerQuestion:
    """Judges interceptors and wrapped connections, remembering those that it has judged."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._known: dict[tuple[int, str], tuple[Val, Guard]] = {}
        self._by_shape: dict[object, Guard] = {}

    def judge(self, ev: Evaluator, v: Val, kind: str, state: State) -> Guard:
        """What one client interceptor (`kind` unary or stream) does when calls fail."""
        key = (id(v), kind)
        known = self._known.get(key)
        if known is None or known[0] is not v:
            known = self._known[key] = (v, self._judge(ev, v, kind, state))
        return known[1]

    def _judge(self, ev: Evaluator, v: Val, kind: str, state: State) -> Guard:
        inner = members(ev, v)
        if inner is not None:
            return self.any_of(ev, inner, kind, state)
        if isinstance(v, Func):
            return self._interceptor(ev, v, kind, state)
        if isinstance(v, Extern):
            return breaker_library.interceptor(ev, v, kind, state) or Guard(
                "no", f"{v.name} of {v.path} is not a circuit breaker", _sites(v)
            )
        if isinstance(v, Nil):
            return Guard("no", "the interceptor is nil")
        if isinstance(v, Input):
            return Guard("unknown", f"{v.origin} decides it", _sites(v), depends_on_caller=True)
        reason = v.reason if isinstance(v, Unknown) else "it cannot be followed"
        return Guard("unknown", reason, _sites(v), broken=isinstance(v, Unknown) and v.broken)

    def any_of(self, ev: Evaluator, interceptors: list[Value], kind: str, state: State) -> Guard:
        """A chain is guarded when one interceptor of it is a breaker, whichever alternative is installed."""
        best: Guard | None = None
        for value in interceptors:
            here = all_of([self.judge(ev, v, kind, state) for v in ev.force(value)])
            if best is None or _rank(here) > _rank(best):
                best = here
        return best or Guard("no", f"no {kind} interceptor is installed")

    def _interceptor(self, ev: Evaluator, v: Func, kind: str, state: State) -> Guard:
        context: Value = (Opaque("context", self.types.extern("context", "Context")),)
        connection: Value = (Opaque("connection", self.types.extern(lib.GRPC, "ClientConn")),)
        method: Value = (Opaque("method"),)
        options: Value = NIL

        def arguments(invoker: Opaque) -> list[Value]:
            if kind == "unary":
                return [context, method, (Opaque("request"),), (Opaque("reply"),), connection, (invoker,), options]
            return [context, (Opaque("stream description"),), connection, method, (invoker,), options]

        if len(v.node.params) != (7 if kind == "unary" else 6):
            return Guard("no", "it is not a client interceptor", _sites(v))
        return self._trial(ev, v, kind, state, arguments)

    def _trial(
        self,
        ev: Evaluator,
        v: Func,
        kind: str,
        state: State,
        arguments: Callable[[Opaque], list[Value]],
        wire: bool = False,
    ) -> Guard:
        """One trial for all functions of one shape."""
        keys = [(kind, wire, texts, shape(ev, v, state, texts=texts)) for texts in (False, True)]
        for key in keys:
            if key[-1] is not None and key in self._by_shape:
                return self._by_shape[key]
        trial = Trial(ev, v, kind, state, arguments, wire)
        found = trial.verdict()
        if found.guarded == "no":
            again = Trial(ev, v, kind, state, arguments, wire)
            found = self._blame_settings(found, again, ev, v, state)
        for key in keys if not trial.ev.text_tested else keys[1:]:
            self._by_shape[key] = found
        return found

    def _blame_settings(self, found: Guard, trial: Trial, ev: Evaluator, v: Val, state: State) -> Guard:
        """What is no breaker may be one with useless settings: then these are what is wrong."""
        settings = configured(ev, self.types, state, [v])
        if settings is None or all(settings[role][0] == usual for role, usual in SANE.items()):
            return found
        trial.memory = with_sane_settings(ev, self.types, trial.memory, [v])
        again = trial.verdict()
        if again.guarded != "yes":
            return found
        sites = tuple((site, "configured here") for _, site in settings.values() if site is not None)
        values = {role: value for role, (value, _) in settings.items()}
        return replace(again, because=f"with its settings {found.because}", setting_sites=sites, **values)

    def connection(self, ev: Evaluator, invoke: Func, kind: str, state: State) -> Guard:
        """A connection of the repository's own type: its `Invoke` or `NewStream` method."""
        context: Value = (Opaque("context", self.types.extern("context", "Context")),)

        def arguments(invoker: Opaque) -> list[Value]:
            if kind == "unary":
                return [context, (Opaque("method"),), (Opaque("request"),), (Opaque("reply"),), NIL]
            return [context, (Opaque("stream description"),), (Opaque("method"),), NIL]

        return self._trial(ev, invoke, kind, state, arguments, wire=True)


@dataclass(slots=True)
class _Outcome:
    """One call of the function under trial. `invoked` is True, False or None (some paths)."""

    invoked: bool | None
    refused_with_error: bool | None
    comparisons: list[Comparison]
    memory: State


class Trial:
    """A series of calls of one function on one memory."""

    def __init__(
        self,
        ev: Evaluator,
        func: Func,
        kind: str,
        state: State,
        arguments: Callable[[Opaque], list[Value]],
        wire: bool = False,
    ) -> None:
        self.ev = ev.derive(lazy=False, limits=_LIMITS)
        self.ev.models = {**self.ev.models, **breaker_library.MODELS}
        if wire:
            self.ev.models[lib.GRPC, ".Invoke"] = self._wire
            self.ev.models[lib.GRPC, ".NewStream"] = self._wire
        self.ev.clock = START
        self.ev.assume = True
        self.func, self.kind, self.arguments = func, kind, arguments
        self.memory = state.fork()
        self.error: Val = Extern(
            library.STATUS, "Error", ((Const(14),), (Const("unavailable"),)), site=None
        )  # codes.Unavailable
        self.succeed = False
        self.nested: Callable[[State], None] | None = None
        self.invoker = Opaque("invoker", on_call=self._invoke)

    # ------------------------------------------------------------ the far side

    def _invoke(self, ev: Evaluator, args: list[Value], state: State) -> list[Value]:
        state.cells[INVOKED] = (TRUE,)
        if self.nested is not None:
            self.nested(state)
        error: Value = NIL if self.succeed else (self.error,)
        if self.kind == "unary":
            return [error]
        stream: Value = (Opaque("stream"),) if self.succeed else NIL
        return [stream, error]

    def _wire(self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> list[Value]:
        return self._invoke(ev, args, state)

    def call(self, memory: State) -> _Outcome:
        """Calls the function once; `memory` is not changed, the outcome holds the memory after it."""
        state = memory.fork()
        state.cells[INVOKED] = (FALSE,)
        outer, self.ev.comparisons = self.ev.comparisons, []
        breaker_library.run_timers(self.ev, state)
        exits = self.ev.simulate(self.func, self.arguments(self.invoker), state)
        comparisons, self.ev.comparisons = self.ev.comparisons, outer
        flags = state.cells.get(INVOKED, (FALSE,))
        invoked = True if all(f is TRUE for f in flags) else False if all(f is FALSE for f in flags) else None
        return _Outcome(invoked, self._is_error(exits), comparisons, state)

    def _is_error(self, exits: list[list[Value]]) -> bool | None:
        answers = set()
        for results in exits:
            error = results[-1] if results else ()
            answers.update(self.ev.is_nil(v) for v in self.ev.force(error))
        if answers == {False}:
            return True
        return False if True in answers else None

    # ------------------------------------------------------------ the verdict

    def verdict(self) -> Guard:
        sites = _sites(self.func)
        failing = self._fail_until_refused()
        if isinstance(failing, Guard):
            return replace(failing, sites=failing.sites or sites)
        failures, tripping, before, refused = failing
        if refused.refused_with_error is False:
            return Guard("no", "an open breaker is ignored: the caller sees no error", sites)
        proof = (*sites, *_decisive_sites(before, tripping))
        timeout = self._reset_timeout(refused)
        if timeout is None:
            return Guard("no", "once open it never lets a call through again", proof)
        duration, timeout_known, timeout_sites = timeout
        probes, probes_known, probe_sites = self._half_open(refused.memory, duration)
        limit, limit_known = _limit(before, tripping, failures)
        return Guard(
            "yes",
            f"calls are refused after {limit if limit_known else 'some'} failures",
            proof,
            limit if limit_known else None,
            duration / SECOND if timeout_known else None,
            probes if probes_known else None,
            (*_decisive_sites(before, tripping), *timeout_sites, *probe_sites),
        )

    def _fail_until_refused(self) -> Guard | tuple[int, _Outcome, _Outcome, _Outcome]:
        """Failing calls until one is refused: how many went through, the last that did, the one before, the refusal."""
        memory = self.memory
        previous: _Outcome | None = None
        before: _Outcome | None = None
        for i in range(MAX_FAILING_CALLS):
            outcome = self.call(memory)
            if self.ev.exhausted:
                return Guard("unknown", "it does more work than is followed", broken=True)
            if outcome.invoked is None:
                return self._on_some_paths(i)
            if outcome.invoked is False:
                if previous is None:
                    return self._never(outcome)
                return i, previous, before or previous, outcome
            if i >= 1 and _unchanged(memory, outcome.memory):
                return Guard("no", "failures are not counted: every call goes through")
            before, previous, memory = previous, outcome, outcome.memory
            if i == PATIENCE:
                skipped = self._skip_ahead(before, outcome)
                if skipped is not None:
                    return skipped
        return Guard("no", f"{MAX_FAILING_CALLS} failures in a row all went through")

    def _skip_ahead(
        self, before: _Outcome | None, now: _Outcome
    ) -> tuple[int, _Outcome, _Outcome, _Outcome] | None:
        """A count that grows with each failure towards a far limit: one call in which it is said to be reached."""
        for comparison, limit in _growing(before, now):
            self.ev.overrides = {comparison.site: not comparison.result}
            tripping = self.call(now.memory)
            self.ev.overrides = {}
            refused = self.call(tripping.memory)
            if tripping.invoked is True and refused.invoked is False:
                return limit, tripping, now, refused
        return None

    def _on_some_paths(self, calls: int) -> Guard:
        if self.ev.undecided_inputs:
            return Guard("unknown", "the caller decides whether calls are guarded", depends_on_caller=True)
        if calls == 0:
            return Guard("unknown", "whether the call goes through cannot be followed")
        return Guard("no", "on some path the call goes round the breaker")

    def _never(self, outcome: _Outcome) -> Guard:
        if self.func.file.error_line:
            return Guard("unknown", f"{self.func.file.path} does not parse", broken=True)
        return Guard("no", "it never makes the call")

    def _reset_timeout(self, refused: _Outcome) -> tuple[int, bool, tuple[tuple[Site, str], ...]] | None:
        """The time after which an open breaker tries again: a candidate that the trial confirms."""
        opened = self.ev.clock or START
        for duration, known, site in _durations(refused.comparisons, opened, self.ev.timers):
            if self._closed_until(refused.memory, opened, duration):
                place = ((site, "time after which it tries again"),) if site is not None else ()
                return duration, known, place
        for duration in (3600 * SECOND, LONGEST_TIMEOUT):
            self.ev.clock = opened + duration
            outcome = self.call(refused.memory)
            self.ev.clock = opened
            if outcome.invoked is not False:
                return duration, False, ()
        return None

    def _closed_until(self, memory: State, opened: int, duration: int) -> bool:
        """Refused just before `duration` has passed, let through just after (clocks may count whole seconds)."""
        slack = max(duration // 50, 1) + (SECOND if duration >= 2 * SECOND else 0)
        self.ev.clock = opened + duration - slack
        early = self.call(memory)
        self.ev.clock = opened + duration + slack
        late = self.call(memory)
        self.ev.clock = opened
        return early.invoked is False and late.invoked is True

    def _half_open(self, memory: State, timeout: int) -> tuple[int | None, bool, tuple[tuple[Site, str], ...]]:
        """How many calls are let through at once while the breaker tries: calls are nested in each other."""
        opened = self.ev.clock or START
        self.ev.clock = opened + timeout + max(timeout // 50, 1) + SECOND
        through: list[_Outcome] = []
        refusals: list[_Outcome] = []

        def another(state: State) -> None:
            if len(through) >= MAX_PROBES or refusals:
                return
            through.append(_Outcome(True, None, list(self.ev.comparisons or []), state))
            inner = self.call(state)
            if inner.invoked is False:
                refusals.append(inner)

        self.nested = another
        self.call(memory)
        self.nested = None
        self.ev.clock = opened
        if not refusals:
            return self._successes_to_close(memory, timeout)
        counts = [c for c in refusals[0].comparisons if _is_count(c)]
        for comparison in reversed(counts):
            value = _bound(comparison, len(through))
            if value is not None:
                known = not isinstance(comparison.y, Assumed) and not isinstance(comparison.x, Assumed)
                return value, known, ((comparison.site, "calls let through while it tries"),)
        return len(through), True, ()

    def _successes_to_close(
        self, memory: State, timeout: int
    ) -> tuple[int | None, bool, tuple[tuple[Site, str], ...]]:
        """Without a limit on calls at once: the number of successes that close the breaker, if one is counted."""
        opened = self.ev.clock or START
        self.ev.clock = opened + timeout + max(timeout // 50, 1) + SECOND
        self.succeed = True
        seen: list[_Outcome] = []
        for _ in range(MAX_PROBES):
            outcome = self.call(memory)
            memory = outcome.memory
            if len(seen) >= 1:
                for flipped in _flips(seen[-1], outcome):
                    value = _bound(flipped, len(seen) + 1)
                    if value is not None:
                        self.succeed, self.ev.clock = False, opened
                        known = not isinstance(flipped.y, Assumed) and not isinstance(flipped.x, Assumed)
                        return value, known, ((flipped.site, "successes that close it"),)
            seen.append(outcome)
            if outcome.invoked is not True or len(seen) > 12:
                break
        self.succeed, self.ev.clock = False, opened
        return None, False, ()


# ---------------------------------------------------------------- reading comparisons


def _is_count(comparison: Comparison) -> bool:
    """A comparison of small whole numbers, not of times."""
    values = [v.value for v in (comparison.x, comparison.y) if isinstance(v, Const)]
    return len(values) == 2 and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 100_000 for v in values
    )


def _flips(before: _Outcome, after: _Outcome) -> list[Comparison]:
    """Comparisons of counts whose answer differs between two calls."""
    old = {c.site: c for c in before.comparisons}
    return [
        c
        for c in after.comparisons
        if _is_count(c) and c.site in old and _is_count(old[c.site]) and old[c.site].result != c.result
    ]


def _growing(before: _Outcome | None, now: _Outcome) -> list[tuple[Comparison, int]]:
    """Comparisons of a count that grew by one since the call before with a larger limit that did not move."""
    old = {c.site: c for c in before.comparisons} if before is not None else {}
    found: list[tuple[Comparison, int]] = []
    for c in now.comparisons:
        o = old.get(c.site)
        if o is None or not all(isinstance(v.value, int | float) for v in (c.x, c.y, o.x, o.y)):
            continue
        for side, other in (("x", "y"), ("y", "x")):
            count, limit = getattr(c, side).value, getattr(c, other).value
            if count - getattr(o, side).value == 1 and limit == getattr(o, other).value and limit > count:
                found.append((c, int(limit)))
    return found


def _bound(comparison: Comparison, measured: int) -> int | None:
    """The side of a comparison that is the setting: the one within one of what was measured."""
    for v in (comparison.y, comparison.x):
        if isinstance(v, Const) and isinstance(v.value, int | float):
            if abs(v.value - measured) <= 1 and v.value > 0 and v.site is not comparison.site:
                return int(v.value)
    return None


def _limit(before: _Outcome, tripping: _Outcome, failures: int) -> tuple[int, bool]:
    """The number of failures that opens the breaker: the constant that decided, else what was measured."""
    for comparison in _flips(before, tripping) or [c for c in tripping.comparisons if _is_count(c)]:
        old = {c.site: c for c in before.comparisons}.get(comparison.site)
        for side, other in (("y", "x"), ("x", "y")):
            v = getattr(comparison, side)
            fixed = old is None or old is comparison or getattr(old, side).value == v.value
            moving = old is None or getattr(old, other).value != getattr(comparison, other).value
            if fixed and (moving or failures == 1) and abs(v.value - failures) <= 1 and v.value > 0:
                return int(v.value), not isinstance(v, Assumed)
    return failures, not any(
        isinstance(v, Assumed) for c in tripping.comparisons for v in (c.x, c.y) if _is_count(c)
    )


def _decisive_sites(before: _Outcome, tripping: _Outcome) -> tuple[tuple[Site, str], ...]:
    return tuple((c.site, "failures are counted against the limit") for c in _flips(before, tripping)[:2])


def _durations(
    comparisons: list[Comparison], now: int, timers: list[tuple[int, Value, list[Value]]]
) -> list[tuple[int, bool, Site | None]]:
    """Candidates for the reset timeout, from the comparisons of a refused call and from timers."""
    found: dict[int, tuple[bool, Site | None]] = {}
    for deadline, _, _ in timers:
        found.setdefault(deadline - now, (True, None))
    for c in comparisons:
        values = [v for v in (c.x, c.y) if isinstance(v, Const)]
        if len(values) != 2:
            continue
        known = not any(isinstance(v, Assumed) for v in values)
        numbers = [v.value for v in values]
        if not all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            continue
        spread = abs(numbers[0] - numbers[1])
        for number in (*numbers, spread):
            for unit in (1, 1_000_000, SECOND):
                duration = int(abs(number) * unit)
                if 0 < duration <= LONGEST_TIMEOUT:
                    found.setdefault(duration, (known, c.site))
    return [(duration, known, site) for duration, (known, site) in found.items() if duration > 0][:24]


def _unchanged(before: State, after: State) -> bool:
    """True when a call left nothing behind that the next call could see."""
    return all(after.cells.get(cell) is value for cell, value in before.cells.items() if cell != INVOKED)


# ---------------------------------------------------------------- combining


def all_of(guards: list[Guard]) -> Guard:
    """Alternatives: each must be guarded, and settings count only where all agree."""
    if not guards:
        return Guard("unknown", "nothing is known of it")
    worst = min(guards, key=_rank)
    if worst.guarded != "yes" or len(guards) == 1:
        return worst
    failures, resets, probes = ({g.settings[i] for g in guards} for i in range(3))
    return replace(
        worst,
        max_failures=failures.pop() if len(failures) == 1 else None,
        reset_timeout_s=resets.pop() if len(resets) == 1 else None,
        half_open_max_calls=probes.pop() if len(probes) == 1 else None,
    )


def _rank(guard: Guard) -> int:
    return {"no": 0, "unknown": 1, "yes": 2}[guard.guarded]


def _sites(v: Val, note: str = "the interceptor") -> tuple[tuple[Site, str], ...]:
    if isinstance(v, Func):
        return ((Site(v.file, v.node.start, v.node.start + 4), note),)
    return ((v.site, note),) if v.site is not None else ()
