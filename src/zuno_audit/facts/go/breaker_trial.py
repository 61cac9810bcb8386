"""Trying out a function that forwards calls: is it a circuit breaker, and with which settings?

The evaluator runs the function again and again on one memory, with a virtual clock and an invoker that fails:
a breaker stops forwarding after some failures, says so with an error, tries again after some time and lets only
so many calls through while it tries. Calls that succeed it always forwards, which tells it from a limiter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress

from msgspec.structs import replace

from zuno_audit.facts.go import breaker_library, library, lock_library
from zuno_audit.facts.go import breaker_readings as readings
from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.breaker_readings import INVOKED, LONGEST_TIMEOUT, SECOND, Outcome, Sites
from zuno_audit.facts.go.evaluate import Evaluator, Limits
from zuno_audit.facts.go.evaluation.records import WorkLimitError
from zuno_audit.facts.go.guards import Guard
from zuno_audit.facts.go.live_memory import reachable
from zuno_audit.facts.go.own_variables import start_from_initial_values
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Const,
    Extern,
    Func,
    Input,
    Opaque,
    Site,
    State,
    Val,
    Value,
    sites_of,
)
from zuno_audit.languages.go import syntax as s

START = 1_700_000_000 * SECOND  # the virtual clock's first reading
MAX_FAILING_CALLS = 120
_FARTHER = "it would take more failures to open it than are tried"
PATIENCE = 25  # failing calls after which a far limit is looked for
FARTHEST = 10_000  # failures in a row; a limit beyond them protects nobody
MAX_PROBES = 12
MAX_SUCCESSES = 40
OTHER_CODES = (4, 13)  # DeadlineExceeded, Internal: what else a breaker may count
UNAVAILABLE = 14
_LIMITS = Limits(steps=150_000, steps_per_call=150_000, unroll=300, depth=40, recursion=3)
_FIRST_CALL = 20_000  # steps of one call: an interceptor that does more is not followed
# What may be a breaker that cannot be followed. Without any such word, a function that keeps nothing is none.
_SUSPICIOUS = re.compile(
    rb"(?i)breaker|circuit|hystrix|failsafe|resilien|sentinel"
    rb"|\.((?:allow|ready|execute|isopen|acquire|permit|admit|run|guard)\w{0,20})\("
)
# A goroutine, and something for it to wait for.
_STARTS = re.compile(rb"\n[ \t]*go[ \t]+[\w(]")
_WAITS = re.compile(rb"\btime\.(?:NewTicker|Tick|NewTimer|After|Sleep)\(")
# Libraries that limit, retry or observe calls: what they say does not depend on failures.
_NO_BREAKERS = ("golang.org/x/", "go.uber.org/ratelimit", "github.com/juju/ratelimit", "context", "sync")

Arguments = Callable[[Opaque], list[Value]]
_Failing = tuple[int, Outcome, Outcome, Outcome]
_SWALLOWED = Guard("no", "a call that failed comes back without an error: the caller takes it for a success")
_IGNORED = Guard("no", "an open breaker is ignored: the caller sees no error")
_NEVER = Guard("no", "it never makes the call")
_LOST = "a call that fails never comes back"
# Interceptors get what calls the next one as this argument; what calls them gives all others.
INVOKER = {"unary": 5, "stream": 4}


class _Refused(Exception):
    """Ends a simulation of nested calls once one of them was refused."""


class Trial:
    """A series of calls of one function on one memory. Its invoker runs the interceptors `behind` it, in order."""

    def __init__(
        self,
        ev: Evaluator,
        func: Func,
        kind: str,
        state: State,
        arguments: Arguments,
        wire: bool = False,
        behind: Sequence[Func] = (),
    ) -> None:
        self.ev = ev.derive(lazy=False, limits=_LIMITS)
        self.ev.models = {**self.ev.models, **breaker_library.MODELS, **lock_library.MODELS}
        self.ev.asks_environment = set()  # by the code that is tried
        if wire:
            self.ev.models[lib.GRPC, ".Invoke"] = self._wire
            self.ev.models[lib.GRPC, ".NewStream"] = self._wire
        self.ev.clock = START
        self.ev.assume = True
        self.ev.left_running = []
        self.ev.on_func = self._ran
        self.ev.on_extern = self._left
        self.func, self.kind, self.arguments = func, kind, arguments
        self.memory = reachable(ev, state, (func, *behind))
        for one in (func, *behind):
            start_from_initial_values(self.ev, one, self.memory)
        self.error = self._failure(UNAVAILABLE)
        self.succeed = False
        self.nested: Callable[[State], None] | None = None
        self.invocations = 0
        self.is_on_some_paths = False
        self.invoker = Opaque("invoker", on_call=self._invoke)
        for one in reversed(behind):
            self.invoker = Opaque("invoker", on_call=_calling(one, kind, self.invoker))
        self.bodies: dict[int, Func] = {}
        self.has_goroutines = False
        self._ran(func, [], self.memory, Site(func.file, func.node.start, func.node.end))
        self.harmless: set[bytes] = set()  # names of functions that were called of libraries without breakers
        self.asks_an_input = False  # a method of something that a caller gives was called

    @staticmethod
    def _failure(code: int) -> Val:
        return Extern(library.STATUS, "Error", ((Const(code),), (Const("failed"),)), site=None)

    def _ran(self, func: Func, args: list[Value], state: State, site: Site) -> None:
        if id(func.node) not in self.bodies:
            self.bodies[id(func.node)] = func
            self.has_goroutines |= any(isinstance(node, s.Go) for node in s.nodes_of(func.node))
            self.ev.is_alone &= not self.has_goroutines

    def _left(self, ev: Evaluator, call: Extern, state: State) -> None:
        if call.path.startswith(_NO_BREAKERS):
            self.harmless.add(call.name.encode())
        elif any(isinstance(v, Input) for v in call.recv or ()):
            self.asks_an_input = True

    # ------------------------------------------------------------ the far side

    def _invoke(self, ev: Evaluator, args: list[Value], state: State) -> list[Value]:
        state.cells[INVOKED] = (TRUE,)
        self.invocations += 1
        if self.nested is not None:
            self.nested(state)
        error: Value = NIL if self.succeed else (self.error,)
        if self.kind == "unary":
            return [error]
        stream: Value = (Opaque("stream"),) if self.succeed else NIL
        return [stream, error]

    def reach(self, state: State) -> list[Value]:
        """The call arrives at the far side; its results."""
        return self._invoke(self.ev, [], state)

    def _wire(self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> list[Value]:
        return self._invoke(ev, args, state)

    def call(self, memory: State) -> Outcome:
        """Calls the function once; `memory` is not changed, the outcome holds the memory after it."""
        state = memory.fork()
        state.cells[INVOKED] = (FALSE,)
        ev = self.ev
        outer, ev.comparisons = ev.comparisons, []
        frame, depth, ev.frame, ev.depth = ev.frame, ev.depth, None, 0
        ev.step_limit = min(ev.limits.steps, ev.steps + _FIRST_CALL)
        ev.is_alone = self.nested is None and not self.has_goroutines
        ev.uncaught = []
        try:
            breaker_library.run_timers(ev, state)
            exits = ev.simulate(self.func, self.arguments(self.invoker), state)
            with suppress(WorkLimitError):
                ev.finish_goroutines(state)
        finally:
            ev.frame, ev.depth = frame, depth
            comparisons, ev.comparisons = ev.comparisons or [], outer
        flags = state.cells.get(INVOKED, (FALSE,))
        invoked = True if all(f is TRUE for f in flags) else False if all(f is FALSE for f in flags) else None
        nil = {self.ev.is_nil(v) for results in exits if results for v in self.ev.force(results[-1])}
        with_error = True if nil == {False} else False if True in nil else None
        return Outcome(invoked, with_error, nil == {True}, self._lost(exits, nil), comparisons, state)

    def _lost(self, exits: list[list[Value]], error: set[bool | None]) -> str:
        """Why no result of a call can come back; empty where one may."""
        if not exits and not self.ev.exhausted:
            return "it panics" if self.ev.uncaught else "it waits for good, for a lock perhaps"
        if self.kind == "stream" and self.succeed and error == {True}:
            if {self.ev.is_nil(v) for results in exits for v in self.ev.force(results[0])} == {True}:
                return "its stream is gone"
        return ""

    # ------------------------------------------------------------ the verdict

    def verdict(self) -> Guard:
        """What the function does when calls fail; unknown where code that it ran does not parse."""
        found = self._verdict()
        if self.ev.asks_environment:
            found = replace(found, asks_environment=True, reads_environment=True)
        broken = next((f.file.path for f in self.bodies.values() if f.file.error_line), None)
        if broken is None:
            return found
        return Guard("unknown", f"{broken} does not parse", found.sites, broken=True)

    def _verdict(self) -> Guard:
        sites = sites_of(self.func)
        failing = self._fail()
        if isinstance(failing, Guard):
            if failing.guarded == "no" and self._depends_on_caller():
                failing = Guard("unknown", "what the caller gives decides it", depends_on_caller=True)
            return replace(failing, sites=failing.sites or sites)
        failures, tripping, before, refused = failing
        if refused.refused_with_error is False:
            return replace(_IGNORED, sites=sites)
        limit, limit_known = readings.limit_of(before, tripping, failures)
        if failures > FARTHEST:
            return Guard("no", f"it would take {failures} failures in a row to open it", sites)
        refuses_success = self._refuses_success(failures, {c.site for c in readings.flips(before, tripping)})
        if refuses_success is not None:
            return refuses_success
        proof = (*sites, *readings.decisive_sites(before, tripping))
        timeout = self._reset_timeout(refused)
        if timeout is None and self._may_reset_itself():
            return Guard("unknown", "whether something closes it again cannot be followed", proof)
        if timeout is None:
            return Guard("no", "once open it never lets a call through again", proof)
        duration, timeout_known, timeout_sites = timeout
        probes, probes_known, probe_sites = self._half_open(refused.memory, duration)
        closes = self._closes(refused.memory, duration, probes or MAX_PROBES)
        if closes is False:
            return Guard("no", "once open it never closes again, however many calls succeed", proof)
        if closes is None and self.ev.asks_environment:
            return Guard("unknown", "the environment may keep it from closing again", proof)
        if self._stays_open(refused.memory, duration, probes or MAX_PROBES):
            because = "a call that fails while it tries shuts it for good: it never lets one through again"
            return Guard("no", because, proof)
        return Guard(
            "yes",
            f"calls are refused after {limit if limit_known else 'some'} failures",
            proof,
            limit if limit_known else None,
            duration / SECOND if timeout_known else None,
            probes if probes_known else None,
            (*readings.decisive_sites(before, tripping), *timeout_sites, *probe_sites),
        )

    def hidden(self, *, refuses: bool, opens_after: int) -> Guard | None:
        """How a chain certainly hides from the caller, or from the breaker in it, that calls fail; None when not.

        `refuses`: one of the interceptors is a breaker, so that calls are to be refused in the end, after
        `opens_after` failures if it is alone.
        """
        failing = self._fail()
        if not isinstance(failing, Guard):
            return _IGNORED if failing[-1].refused_with_error is False else None
        if failing in (_SWALLOWED, _NEVER):
            return failing
        is_overdue = failing.because == _FARTHER and opens_after < MAX_FAILING_CALLS
        if (
            not refuses
            or (failing.guarded != "no" and not is_overdue)
            or self.is_on_some_paths
            or self._depends_on_caller()
        ):
            return None
        return Guard("no", "another interceptor of the chain hides from the breaker that calls fail")

    def _fail(self) -> Guard | _Failing:
        """What comes of calls that fail, with a code that is counted if there is one."""
        failing = self._fail_until_refused()
        for code in OTHER_CODES if _may_count_others(failing) else ():
            self.error = self._failure(code)
            other = self._fail_until_refused()
            if not isinstance(other, Guard):
                return other
        return failing

    def _fail_until_refused(self) -> Guard | _Failing:
        """Failing calls until one is refused: how many went through, the last that did, the one before it, the
        refusal.
        """
        memory = self.memory
        previous: Outcome | None = None
        before: Outcome | None = None
        skipped: int | None = None
        self.invocations = 0
        for i in range(MAX_FAILING_CALLS):
            self.ev.clock = (self.ev.clock or START) + 1  # time passes, if only a nanosecond
            outcome = self.call(memory)
            if self.ev.exhausted:
                return Guard("unknown", "it does more work than is followed", broken=True)
            if outcome.lost:
                return Guard("no", f"{_LOST}: {outcome.lost}")
            if outcome.invoked is None:
                return self._on_some_paths(i, memory, outcome)
            if outcome.invoked is False:
                if previous is None:
                    return _NEVER
                return max(i, self.invocations) + (skipped or 0), previous, before or previous, outcome
            if outcome.invoked and outcome.without_error:
                return _SWALLOWED
            if i >= 1 and readings.unchanged(memory, outcome.memory):
                return Guard("no", "its interceptor lets every call through, however many failed")
            if i >= PATIENCE and previous is not None and skipped is None:
                far = readings.growing(previous, outcome)
                if not far and i > PATIENCE + 1:
                    break
                skipped = max(min(far) - 1, 0) if far else None
                before, previous, memory = (
                    previous,
                    outcome,
                    readings.advanced(memory, outcome.memory, skipped or 0),
                )
                continue
            before, previous, memory = previous, outcome, outcome.memory
        far = readings.growing(before, previous) if previous is not None else []
        if any(distance <= FARTHEST for distance in far):  # what is farther off is time, or protects nobody
            return Guard("unknown", _FARTHER)
        return Guard("no", f"{i + 1} failures in a row all went through")

    def _depends_on_caller(self) -> bool:
        """True when a breaker that the caller gives would keep its count in what is only a parameter here."""
        return any(
            func.receiver is not None
            and any(isinstance(v, Input) for v in func.receiver)
            and self.ev.effects.writes(func.node, func.file, func.package)
            for func in self.bodies.values()
        )

    def _on_some_paths(self, calls: int, memory: State, outcome: Outcome) -> Guard:
        self.is_on_some_paths = True
        if calls and not self.ev.undecided_inputs:
            return Guard("no", "on some path the call goes round the breaker")
        if not self._may_hide_a_breaker() and self._keeps_nothing(memory, outcome):
            return Guard(
                "no",
                "its interceptors do not count failures: whether a call goes through does not depend on them",
            )
        if self.ev.undecided_inputs or self.asks_an_input:
            return Guard("unknown", "the caller decides whether calls are guarded", depends_on_caller=True)
        return Guard("unknown", "whether the call goes through cannot be followed")

    def _keeps_nothing(self, memory: State, outcome: Outcome) -> bool:
        """True when even a second failing call leaves memory as it was."""
        if readings.unchanged(memory, outcome.memory):
            return True
        again = self.call(outcome.memory)
        return not self.ev.exhausted and readings.unchanged(outcome.memory, again.memory)

    def _may_hide_a_breaker(self) -> bool:
        return any(func.file.error_line or self._is_suspicious(func) for func in self.bodies.values())

    def _is_suspicious(self, func: Func) -> bool:
        found = _SUSPICIOUS.finditer(func.file.data, func.node.start, func.node.end)
        return any(match.group(1) is None or match.group(1) not in self.harmless for match in found)

    def _refuses_success(self, failures: int, decisive: set[Site]) -> Guard | None:
        """Calls that succeed must go through, however many there are: a limiter or a quota refuses them too."""
        memory = self.memory
        self.succeed = True
        found: Guard | None = None
        previous: Outcome | None = None
        seen: list[set[tuple[object, ...]]] = []
        for i in range(min(failures + 2, MAX_SUCCESSES)):
            outcome = self.call(memory)
            seen.append(readings.operands(outcome, decisive))
            if outcome.invoked is False:
                found = Guard("no", "calls that succeed are refused as well: it limits calls, not failures")
            elif outcome.invoked is None:
                found = Guard("unknown", "whether calls that succeed go through cannot be followed")
            elif outcome.lost:
                found = Guard("no", f"a call that succeeds never comes back: {outcome.lost}")
            elif outcome.refused_with_error:
                found = Guard("no", "a call that succeeds comes back with an error")
            if found is not None or (i and readings.unchanged(memory, outcome.memory)):
                break
            if i and decisive and seen[-1] == seen[-2]:
                break  # what opens it does not move
            far = readings.growing(previous, outcome) if i == PATIENCE else []
            previous = outcome
            memory = (
                readings.advanced(memory, outcome.memory, max(min(far) - 1, 0)) if far else outcome.memory
            )
        self.succeed = False
        return found

    def _may_reset_itself(self) -> bool:
        """True when a goroutine that waits stands beside the code: it may close the breaker."""
        return any(
            _WAITS.search(func.file.data) and _STARTS.search(func.file.data) for func in self.bodies.values()
        )

    def tells_a_goroutine(self) -> bool:
        """True when what the function sends into a channel is received by code that it did not run."""
        ran = [(func.file.path, func.node.start, func.node.end) for func in self.bodies.values()]
        read = self.ev.program.repository.read
        for func in self.bodies.values():
            for node in s.nodes_of(func.node):
                name = _last_name(node.chan) if isinstance(node, s.Send) else None
                if name is None:
                    continue
                received = re.compile(rb"(?:<-|\brange)\s*(?:[\w.]*\.)?" + name.encode() + rb"\b")
                for path in func.package.files:
                    for match in received.finditer(read(path) or b""):
                        if not any(p == path and a <= match.start() < b for p, a, b in ran):
                            return True
        return False

    # ------------------------------------------------------------ settings

    def _reset_timeout(self, refused: Outcome) -> tuple[int, bool, Sites] | None:
        """The time after which an open breaker tries again: a candidate that the trial confirms."""
        opened = self.ev.clock or START
        for duration, known, site in readings.durations(refused.comparisons, opened, self.ev.timers):
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
        self.ev.clock = opened + duration + slack
        late = self.call(memory)
        early = None
        if late.invoked is True:
            self.ev.clock = opened + duration - slack
            early = self.call(memory)
        self.ev.clock = opened
        return early is not None and early.invoked is False

    def _closes(self, memory: State, timeout: int, probes: int) -> bool | None:
        """False when calls are refused time and again although those that are let through succeed, None when that
        may be so.

        `probes` calls are let through at once while it tries: one of the next two is refused unless it closed.
        """
        opened = self.ev.clock or START
        self.succeed = True
        last: bool | None = False
        for _ in range(MAX_PROBES):
            self.ev.clock = (self.ev.clock or START) + timeout + max(timeout // 50, 1) + SECOND
            outcome = self.call(memory)
            for _ in range(min(probes, MAX_PROBES) + 1):
                if outcome.invoked is not True or readings.unchanged(memory, outcome.memory):
                    break
                memory = outcome.memory
                outcome = self.call(memory)
            last = True if self.ev.exhausted else outcome.invoked
            if last is not False:
                break
            memory = outcome.memory
        self.succeed, self.ev.clock, self.ev.exhausted = False, opened, False
        return last

    def _stays_open(self, memory: State, timeout: int, probes: int) -> bool:
        """True when calls that fail while it tries make it refuse all others, however long it waits."""
        opened = self.ev.clock or START
        wait = timeout + max(timeout // 50, 1) + SECOND
        self.ev.clock = opened + wait
        for _ in range(min(probes, MAX_PROBES) + 2):
            outcome = self.call(memory)
            if outcome.invoked is not True:
                break
            memory = outcome.memory
        stays = outcome.invoked is False and not self.ev.exhausted
        shut = self.ev.clock
        for later in (wait, 3600 * SECOND, LONGEST_TIMEOUT) if stays else ():
            self.ev.clock = shut + later
            stays = stays and self.call(memory).invoked is False and not self.ev.exhausted
        self.ev.clock, self.ev.exhausted = opened, False
        return stays

    def _half_open(self, memory: State, timeout: int) -> tuple[int | None, bool, Sites]:
        """How many calls are let through at once while the breaker tries: calls are nested in each other."""
        opened = self.ev.clock or START
        self.ev.clock = opened + timeout + max(timeout // 50, 1) + SECOND
        through = 0
        refusals: list[Outcome] = []

        def another(state: State) -> None:
            nonlocal through
            if through >= MAX_PROBES or refusals or self.ev.exhausted:
                return
            through += 1
            inner = self.call(state)
            if inner.invoked is False and not self.ev.exhausted:
                refusals.append(inner)
                raise _Refused

        self.nested = another
        with suppress(_Refused):  # what the calls around it would do afterwards is not wanted
            self.call(memory)
        self.nested, self.ev.exhausted = None, False
        self.ev.clock = opened
        if not refusals:
            return (
                self._successes_to_close(memory, timeout)
                if self._reopens(memory, timeout)
                else (None, False, ())
            )
        for comparison in reversed([c for c in refusals[0].comparisons if readings.is_count(c)]):
            value = readings.bound(comparison, through)
            if value is not None:
                known = readings.is_known(comparison)
                return value, known, ((comparison.site, "calls let through while it tries"),)
        return through, True, ()

    def _reopens(self, memory: State, timeout: int) -> bool:
        """True when one failure while it tries opens the breaker again: it does not just forget."""
        opened = self.ev.clock or START
        self.ev.clock = opened + timeout + max(timeout // 50, 1) + SECOND
        again = self.call(self.call(memory).memory)
        self.ev.clock = opened
        return again.invoked is False

    def _successes_to_close(self, memory: State, timeout: int) -> tuple[int | None, bool, Sites]:
        """Without a limit on calls at once: the number of successes that close the breaker, if one is counted."""
        opened = self.ev.clock or START
        self.ev.clock = opened + timeout + max(timeout // 50, 1) + SECOND
        self.succeed = True
        found: tuple[int | None, bool, Sites] = (None, False, ())
        previous: Outcome | None = None
        for count in range(1, 14):
            outcome = self.call(memory)
            if outcome.invoked is not True:
                break
            for comparison in readings.reached(previous, outcome, count):
                value = int(max(comparison.x.value, comparison.y.value))
                found = (
                    value,
                    readings.is_known(comparison),
                    ((comparison.site, "successes that close it"),),
                )
            if found[0] is not None or readings.unchanged(memory, outcome.memory):
                break
            previous, memory = outcome, outcome.memory
        self.succeed, self.ev.clock = False, opened
        return found


def _calling(func: Func, kind: str, invoker: Opaque) -> Callable[..., list[Value]]:
    """An invoker that runs one more interceptor of a chain."""
    site = Site(func.file, func.node.start, func.node.start + 4)

    def call(ev: Evaluator, args: list[Value], state: State) -> list[Value]:
        given = [*args[: INVOKER[kind]], (invoker,)]
        return ev.call_value((func,), given, state, site, wanted=1 if kind == "unary" else 2)

    return call


def _may_count_others(failing: Guard | _Failing) -> bool:
    """True when a function that is no breaker for one kind of failure may be one for another."""
    if not isinstance(failing, Guard) or failing.guarded != "no":
        return False
    return failing is not _SWALLOWED and not failing.because.startswith(_LOST)


def _last_name(expr: s.Expr) -> str | None:
    return expr.name if isinstance(expr, s.Ident) else expr.sel if isinstance(expr, s.Selector) else None
