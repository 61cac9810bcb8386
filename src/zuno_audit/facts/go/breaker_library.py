"""Circuit breakers of libraries for the trials of `breaker_trial.py`: sony/gobreaker, interceptors, timers.

Sources: sony/gobreaker (gobreaker.go, v1 and v2: zero settings mean MaxRequests 1, Timeout 60 s, trip when
ConsecutiveFailures > 5). Other libraries share one state machine (`breaker_machines.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go import breaker_machines as machines
from zuno_audit.facts.go import groups
from zuno_audit.facts.go.values import (
    NIL,
    Assumed,
    Const,
    Extern,
    Func,
    Input,
    Opaque,
    Site,
    State,
    Struct,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.guards import Guard
    from zuno_audit.facts.go.library import Model

GOBREAKER = ("github.com/sony/gobreaker", "github.com/sony/gobreaker/v2")
FAILSAFE_GRPC = "github.com/failsafe-go/failsafe-go/failsafegrpc"
_MAY_BREAK = re.compile(r"(?i)breaker|circuit|hystrix|failsafe|resilien|sentinel")
SECOND = 1_000_000_000


# ---------------------------------------------------------------- sony/gobreaker


def _settings(ev: Evaluator, breaker: Extern) -> Struct | None:
    """The Settings that NewCircuitBreaker got."""
    for value in breaker.args or ():
        forced = ev.force(value)
        if len(forced) == 1 and isinstance(forced[0], Struct):
            return forced[0]
    return None


def _setting(ev: Evaluator, settings: Struct | None, name: str, default: Any) -> Const:
    value = ev.force(settings.fields[name]) if settings is not None and name in settings.fields else ()
    if len(value) == 1 and isinstance(value[0], Const):
        return value[0] if value[0].value else Const(default)
    if not value:
        return Const(default)
    return ev.assumed(value[0], is_time=name in ("Timeout", "Interval"))


def _cell(breaker: Extern) -> tuple[str, Any]:
    return ("gobreaker", machines.identity(breaker))


def _machine(breaker: Extern, state: State) -> dict[str, int]:
    value = state.cells.get(_cell(breaker))
    if value and isinstance(value[0], Const):
        failures, requests, opened, probes, is_open = value[0].value
        return {
            "failures": failures,
            "requests": requests,
            "opened": opened,
            "probes": probes,
            "open": is_open,
        }
    return {"failures": 0, "requests": 0, "opened": 0, "probes": 0, "open": 0}


def _save(breaker: Extern, machine: dict[str, int], state: State) -> None:
    packed = (machine["failures"], machine["requests"], machine["opened"], machine["probes"], machine["open"])
    state.cells[_cell(breaker)] = (Const(packed),)


def _breaker_of(ev: Evaluator, v: Extern) -> Extern | None:
    owner = ev.force(v.recv or ())
    if len(owner) == 1 and isinstance(owner[0], Extern) and owner[0].name.startswith("New"):
        return owner[0]
    return None


def _now(ev: Evaluator, breaker: Extern, state: State, site: Site) -> dict[str, int]:
    """currentState: an open breaker is half open once its time is over."""
    machine = _machine(breaker, state)
    if machine["open"] == 1:
        timeout = _setting(ev, _settings(ev, breaker), "Timeout", 60 * SECOND)
        waited = Const((ev.clock or 0) - machine["opened"])
        if ev.compare(">", waited, timeout, site):
            machine.update(open=2, probes=0, failures=0)
    return machine


def _admits(ev: Evaluator, breaker: Extern, state: State, site: Site) -> bool:
    """beforeRequest: may a call go through now? Counts it when it may."""
    settings = _settings(ev, breaker)
    machine = _now(ev, breaker, state, site)
    if machine["open"] == 1:
        return False
    if machine["open"] == 2:
        most = _setting(ev, settings, "MaxRequests", 1)
        if ev.compare(">=", Const(machine["probes"]), most, site):
            return False
        machine["probes"] += 1
    machine["requests"] += 1
    _save(breaker, machine, state)
    return True


def _record(ev: Evaluator, breaker: Extern, success: bool, state: State, site: Site) -> None:
    """afterRequest: counts the outcome and trips."""
    settings = _settings(ev, breaker)
    machine = _machine(breaker, state)
    if success:
        machine["failures"] = 0
        if machine["open"] == 2 and machine["probes"] >= _setting(ev, settings, "MaxRequests", 1).value:
            machine.update(open=0, requests=0, probes=0)
    else:
        machine["failures"] += 1
        if machine["open"] == 2 or _trips(ev, settings, machine, state, site):
            machine.update(open=1, opened=ev.clock or 0, probes=0, requests=0)
    _save(breaker, machine, state)


def _trips(ev: Evaluator, settings: Struct | None, machine: dict[str, int], state: State, site: Site) -> bool:
    ready = ev.force(settings.fields["ReadyToTrip"]) if settings and "ReadyToTrip" in settings.fields else ()
    functions = [v for v in ready if isinstance(v, Func)]
    if not functions:
        return ev.compare(">", Const(machine["failures"]), Const(5), site)
    counts = Struct(
        ev.types.extern(GOBREAKER[0], "Counts"),
        {
            "Requests": (Const(machine["requests"]),),
            "TotalSuccesses": (Const(0),),
            "TotalFailures": (Const(machine["failures"]),),
            "ConsecutiveSuccesses": (Const(0),),
            "ConsecutiveFailures": (Const(machine["failures"]),),
        },
    )
    answers = [ev.truth(ev.call_value((f,), [(counts,)], state, site)[0]) for f in functions]
    return all(a is True for a in answers)


def _execute(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """CircuitBreaker.Execute: (any, error)."""
    breaker = _breaker_of(ev, v)
    if breaker is None or not args:
        return None
    if not _admits(ev, breaker, state, site):
        return [
            NIL,
            (
                Extern(
                    v.path, "ErrOpenState" if _machine(breaker, state)["open"] == 1 else "ErrTooManyRequests"
                ),
            ),
        ]
    results = ev.call_value(args[0], [], state, site, wanted=2)
    if state.dead:
        return [(Unknown("not reached"),)] * 2
    _count(ev, breaker, results[-1] if results else NIL, state, site)
    return results


def _count(ev: Evaluator, breaker: Extern, error: Value, state: State, site: Site) -> None:
    settings = _settings(ev, breaker)
    success = _is_success(ev, settings, error, state, site)
    if success is not None:
        _record(ev, breaker, success, state, site)
        return
    other = state.fork()
    _record(ev, breaker, True, state, site)
    _record(ev, breaker, False, other, site)
    joined = ev.join([state, other])
    if joined is not None:
        state.cells = joined.cells


def _is_success(
    ev: Evaluator, settings: Struct | None, error: Value, state: State, site: Site
) -> bool | None:
    judge = (
        ev.force(settings.fields["IsSuccessful"]) if settings and "IsSuccessful" in settings.fields else ()
    )
    functions = [f for f in judge if isinstance(f, Func)]
    if functions:
        return ev.truth(ev.call_value((functions[0],), [error], state, site)[0])
    answers = {ev.is_nil(e) for e in ev.force(error)}
    return answers.pop() if len(answers) == 1 else None


def _allow(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """TwoStepCircuitBreaker.Allow: (done func(success bool) or func(err error), error)."""
    breaker = _breaker_of(ev, v)
    if breaker is None:
        return None
    if not _admits(ev, breaker, state, site):
        return [
            NIL,
            (
                Extern(
                    v.path, "ErrOpenState" if _machine(breaker, state)["open"] == 1 else "ErrTooManyRequests"
                ),
            ),
        ]

    def done(inner: Evaluator, values: list[Value], memory: State) -> list[Value]:
        value = values[0] if values else ()
        flags = {inner.truth_of(x) for x in inner.force(value)}
        if flags in ({True}, {False}):
            _record(inner, breaker, flags == {True}, memory, site)
        else:
            _count(inner, breaker, value, memory, site)
        return [(Unknown("no value"),)]

    return [(Opaque("done", on_call=done),), NIL]


def _state(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    breaker = _breaker_of(ev, v)
    if breaker is None:
        return None
    machine = _now(ev, breaker, state, site)
    _save(breaker, machine, state)
    return [(Const({0: 0, 1: 2, 2: 1}[machine["open"]], ev.types.extern(v.path, "State")),)]


# ---------------------------------------------------------------- interceptors of libraries


def interceptor(ev: Evaluator, v: Extern, kind: str, state: State) -> Guard | None:
    """What an interceptor that a library makes does, or None when it is not known to be a breaker."""
    from zuno_audit.facts.go.guards import Guard

    site = ((v.site, "the interceptor"),) if v.site is not None else ()
    if v.path == FAILSAFE_GRPC and v.name.startswith("NewUnaryClientInterceptor"):
        return _failsafe(ev, v, kind, site)
    if v.path.endswith("zrpc/internal/clientinterceptors") and v.name == "BreakerInterceptor":
        return Guard("yes", "go-zero's breaker", site)
    if v.path.startswith("github.com/go-kratos/") and "circuitbreaker" in v.path:
        return Guard("yes", "kratos' breaker", site)
    if _MAY_BREAK.search(v.path) or _MAY_BREAK.search(v.name):
        return Guard("unknown", f"{v.name} of {v.path} may be a circuit breaker", site)
    return None


def _failsafe(ev: Evaluator, v: Extern, kind: str, site: tuple[tuple[Site, str], ...]) -> Guard:
    """failsafegrpc's interceptor: a breaker when one of its policies is."""
    from zuno_audit.facts.go.guards import Guard

    if kind != "unary":
        return Guard("no", f"{v.name} is for unary calls", site)
    given = machines.policies(ev, v.args or ())
    breakers = [p for p in given if isinstance(p, Extern) and p.path == machines.FAILSAFE_BREAKER]
    spec = machines.read_failsafe(ev, breakers[0]) if breakers else None
    if spec is not None:
        failures, delay, probes = (_known(x) for x in (spec.failures, spec.timeout, spec.probes))
        return Guard(
            "yes",
            "failsafe-go's circuit breaker",
            site,
            None if failures is None else int(failures),
            None if delay is None else delay / SECOND,
            None if probes is None else int(probes),
            site,
        )
    if any(isinstance(p, Input | Unknown) for p in given):
        return Guard("unknown", "its policies come from outside", site)
    return Guard("no", "no policy of it is a circuit breaker", site)


def _known(setting: Const | None) -> float | None:
    return None if setting is None or isinstance(setting, Assumed) else float(setting.value)


# ---------------------------------------------------------------- timers


def _after_func(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """time.AfterFunc: the function runs when the virtual clock passes the time."""
    duration = ev.force(args[0]) if args else ()
    if ev.clock is None or len(duration) != 1 or not isinstance(duration[0], Const):
        return None
    ev.timers.append((ev.clock + int(duration[0].value), args[1], []))
    return [(Extern("time", "AfterFunc", tuple(args), site=site),)]


def run_timers(ev: Evaluator, state: State) -> None:
    """Runs the functions whose time has come."""
    for deadline, function, args in list(ev.timers):
        if ev.clock is not None and ev.clock >= deadline:
            for f in ev.force(function):
                if isinstance(f, Func):
                    ev.simulate(f, list(args), state)


def _models() -> dict[tuple[str, str], Model]:
    models: dict[tuple[str, str], Model] = dict(machines.MODELS)
    for path in GOBREAKER:
        models[path, ".Execute"] = _execute
        models[path, ".Allow"] = _allow
        models[path, ".State"] = _state
    models["time", "AfterFunc"] = _after_func
    models.update(groups.MODELS)
    return models


MODELS: dict[tuple[str, str], Model] = _models()
