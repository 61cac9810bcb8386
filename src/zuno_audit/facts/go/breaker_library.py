"""Circuit breakers of libraries as small state machines, for the trials of `breaker.py`.

Sources: sony/gobreaker (gobreaker.go, v1 and v2: zero settings mean MaxRequests 1, Timeout 60 s, trip when
ConsecutiveFailures > 5), afex/hystrix-go (hystrix/settings.go: volume 20, sleep window 5000 ms, 50 % errors),
failsafe-go (circuitbreaker builder: threshold 1, delay 1 minute), go-zero (core/breaker, always installed).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go.values import (
    NIL,
    Const,
    Extern,
    Func,
    Opaque,
    Seq,
    Site,
    State,
    Struct,
    Unknown,
    Val,
    Value,
    join,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.breaker import Guard
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model

GOBREAKER = ("github.com/sony/gobreaker", "github.com/sony/gobreaker/v2")
HYSTRIX = "github.com/afex/hystrix-go/hystrix"
FAILSAFE_GRPC = "github.com/failsafe-go/failsafe-go/failsafegrpc"
FAILSAFE_BREAKER = "github.com/failsafe-go/failsafe-go/circuitbreaker"
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


def _cell(breaker: Extern) -> tuple[str, int]:
    return ("gobreaker", id(breaker))


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


def _admits(ev: Evaluator, breaker: Extern, state: State, site: Site) -> bool:
    """beforeRequest: may a call go through now? Counts it when it may."""
    settings = _settings(ev, breaker)
    machine = _machine(breaker, state)
    if machine["open"] == 1:
        timeout = _setting(ev, settings, "Timeout", 60 * SECOND)
        waited = Const((ev.clock or 0) - machine["opened"])
        if ev.compare(">", waited, timeout, site):
            machine.update(open=2, probes=0, failures=0)
        else:
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
        return [NIL, (Extern("errors", "New", ((Const("circuit breaker is open"),),), site=site),)]
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
    joined = join([state, other])
    if joined is not None:
        state.cells = joined.cells


def _is_success(ev: Evaluator, settings: Struct | None, error: Value, state: State, site: Site) -> bool | None:
    judge = ev.force(settings.fields["IsSuccessful"]) if settings and "IsSuccessful" in settings.fields else ()
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
        return [NIL, (Extern("errors", "New", ((Const("circuit breaker is open"),),), site=site),)]

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
    machine = _machine(breaker, state)
    return [(Const({0: 0, 1: 2, 2: 1}[machine["open"]], ev.types.extern(v.path, "State")),)]


# ---------------------------------------------------------------- afex/hystrix-go


def _hystrix_do(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """hystrix.Do(name, run, fallback) error and DoC(ctx, name, run, fallback): one circuit per command name."""
    shift = 1 if v.name == "DoC" else 0
    if len(args) < 2 + shift:
        return None
    cell = ("hystrix", "circuit")
    packed = state.cells.get(cell)
    failures, opened, is_open = packed[0].value if packed and isinstance(packed[0], Const) else (0, 0, False)
    if is_open and (ev.clock or 0) - opened <= 5 * SECOND:
        return [_fallback(ev, args[-1], state, site)]
    run_args: list[Value] = [args[0]] if shift else []
    results = ev.call_value(args[1 + shift], run_args, state, site, wanted=1)
    if state.dead:
        return [(Unknown("not reached"),)]
    failed = any(ev.is_nil(e) is False for e in ev.force(results[0]))
    failures = failures + 1 if failed else 0
    state.cells[cell] = (Const((failures, ev.clock or 0, failures >= 20)),)
    return [_fallback(ev, args[-1], state, site)] if failed else [results[0]]


def _fallback(ev: Evaluator, fallback: Value, state: State, site: Site) -> Value:
    error: Value = (Extern("errors", "New", ((Const("hystrix: circuit open"),),), site=site),)
    functions = tuple(f for f in ev.force(fallback) if isinstance(f, Func))
    return ev.call_value(functions, [error], state, site)[0] if functions else error


# ---------------------------------------------------------------- interceptors of libraries


def interceptor(ev: Evaluator, v: Extern, kind: str, state: State) -> Guard | None:
    """What an interceptor that a library makes does, or None when it is not known to be a breaker."""
    from zuno_audit.facts.go.breaker import Guard

    site = ((v.site, "the interceptor"),) if v.site is not None else ()
    if v.path == FAILSAFE_GRPC and v.name.startswith("NewUnaryClientInterceptor"):
        if kind != "unary":
            return Guard("no", f"{v.name} is for unary calls", site)
        policies = [p for value in v.args or () for p in _policies(ev, value)]
        breakers = [p for p in policies if isinstance(p, Extern) and p.path == FAILSAFE_BREAKER]
        if breakers:
            return _failsafe(ev, breakers[0], site)
        return Guard("no", "no policy of it is a circuit breaker", site)
    if v.path.endswith("zrpc/internal/clientinterceptors") and v.name == "BreakerInterceptor":
        return Guard("yes", "go-zero's breaker", site)
    if v.path.startswith("github.com/go-kratos/") and "circuitbreaker" in v.path:
        return Guard("yes", "kratos' breaker", site)
    return None


def _policies(ev: Evaluator, value: Value) -> list[Val]:
    out: list[Val] = []
    for v in ev.force(value):
        if isinstance(v, Seq):
            out.extend(x for item in v.items for x in ev.force(item))
        else:
            out.append(v)
    return out


def _failsafe(ev: Evaluator, breaker: Extern, site: tuple[tuple[Site, str], ...]) -> Guard:
    """The builder chain of a failsafe-go breaker: NewBuilder().WithFailureThreshold(5).WithDelay(d).Build()."""
    from zuno_audit.facts.go.breaker import Guard

    failures: int | None = 1
    delay: float | None = 60.0
    probes: int | None = 1
    current: Val | None = breaker
    seen: set[str] = set()
    while isinstance(current, Extern):
        number = ev.force(current.args[0]) if current.args else ()
        value = number[0].value if len(number) == 1 and isinstance(number[0], Const) else None
        if current.name not in seen and current.args:
            if current.name.startswith("WithFailureThreshold"):
                failures = int(value) if value is not None else None
            elif current.name == "WithDelay":
                delay = value / SECOND if value is not None else None
            elif current.name.startswith("WithSuccessThreshold"):
                probes = int(value) if value is not None else None
        seen.add(current.name)
        current = current.recv[0] if current.recv else None
    return Guard("yes", "failsafe-go's circuit breaker", site, failures, delay, probes, site)


# ---------------------------------------------------------------- timers


def _after_func(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
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
    models: dict[tuple[str, str], Model] = {}
    for path in GOBREAKER:
        models[path, ".Execute"] = _execute
        models[path, ".Allow"] = _allow
        models[path, ".State"] = _state
    models[HYSTRIX, "Do"] = models[HYSTRIX, "DoC"] = _hystrix_do
    models["time", "AfterFunc"] = _after_func
    return models


MODELS: dict[tuple[str, str], Model] = _models()
