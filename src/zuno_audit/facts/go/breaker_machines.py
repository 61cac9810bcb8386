"""Circuit breakers of libraries as one state machine with settings, for the trials of `breaker_trial.py`.

`LIBRARIES` says for each library how its constructors are read and what its methods do. Sources: the
documentation and source of eapache/go-resiliency (breaker.go), rubyist/circuitbreaker (circuitbreaker.go),
mercari/go-circuitbreaker, afex/hystrix-go (settings.go: volume 20, sleep window 5000 ms), failsafe-go
(circuitbreaker: threshold 1, delay 1 minute), go-zero (core/breaker) and go-kratos/aegis (sre): the last two
refuse at random while too many calls fail and have no such settings. What is not known is a stand-in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import msgspec

from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Assumed,
    Const,
    Extern,
    Func,
    Nil,
    Opaque,
    Seq,
    Site,
    State,
    Struct,
    Unknown,
    Val,
    Value,
    join,
    key_of,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model

SECOND = 1_000_000_000
HYSTRIX = "github.com/afex/hystrix-go/hystrix"
FAILSAFE = "github.com/failsafe-go/failsafe-go"
FAILSAFE_BREAKER = FAILSAFE + "/circuitbreaker"
EAPACHE = "github.com/eapache/go-resiliency/breaker"
RUBYIST = "github.com/rubyist/circuitbreaker"
MERCARI = "github.com/mercari/go-circuitbreaker"
GO_ZERO = ("github.com/zeromicro/go-zero/core/breaker", "github.com/tal-tech/go-zero/core/breaker")
AEGIS = "github.com/go-kratos/aegis/circuitbreaker/sre"
HANDY = "github.com/streadway/handy/breaker"
GORESILIENCE = "github.com/slok/goresilience/circuitbreaker"


class Spec(msgspec.Struct, frozen=True):
    """The settings of one breaker. `probes` limits the calls at once while it tries, `successes` close it."""

    failures: Const
    timeout: Const
    probes: Const | None = None
    successes: Const = msgspec.field(default_factory=lambda: Const(1))


class Library(msgspec.Struct, frozen=True):
    """How the breakers of one library are read and used.

    `read` gives the settings of what a constructor call made, or None when it never opens. `methods` says what
    each method does; `functions` are functions of the package that run their argument, one breaker per name.
    """

    read: Callable[[Evaluator, Extern], Spec | None]
    methods: dict[str, str]
    refusal: str
    functions: dict[str, str] = msgspec.field(default_factory=dict)


# ---------------------------------------------------------------- reading settings


def number(ev: Evaluator, value: Value | None, default: Const) -> Const:
    """A setting: its constant, the default where there is none, a stand-in where it comes from outside."""
    if value is None:
        return default
    forced = ev.force(value)
    if len(forced) == 1 and isinstance(forced[0], Const) and not isinstance(forced[0].value, str | bool):
        return forced[0]
    return Assumed(default.value if default.value else 7)


def chain(ev: Evaluator, v: Val) -> list[Extern]:
    """The calls of a builder chain, last first."""
    found: list[Extern] = []
    current: Val | None = v
    while isinstance(current, Extern) and len(found) < 64:
        found.append(current)
        owner = ev.force(current.recv) if current.recv else ()
        current = owner[0] if len(owner) == 1 else None
    return found


def _option(ev: Evaluator, call: Extern, name: str) -> tuple[Value, ...] | None:
    """The arguments of the functional option `name` among the arguments of a call."""
    for value in call.args or ():
        for v in ev.force(value):
            for x in (y for item in v.items for y in ev.force(item)) if isinstance(v, Seq) else (v,):
                if isinstance(x, Extern) and x.name == name:
                    return x.args
    return None


def _read_eapache(ev: Evaluator, call: Extern) -> Spec | None:
    """breaker.New(errorThreshold, successThreshold, timeout)"""
    args = call.args or ()
    if call.name != "New" or len(args) < 3:
        return None
    return Spec(
        number(ev, args[0], Const(7)),
        number(ev, args[2], Const(30 * SECOND)),
        None,
        number(ev, args[1], Const(1)),
    )


def _read_rubyist(ev: Evaluator, call: Extern) -> Spec | None:
    """Threshold, consecutive and rate breakers; the time that they stay open comes from a backoff."""
    args = call.args or ()
    if call.name in ("NewThresholdBreaker", "NewConsecutiveBreaker") and args:
        return Spec(number(ev, args[0], Const(7)), Assumed(30 * SECOND), Const(1))
    if call.name == "NewRateBreaker" or (call.name == "NewBreakerWithOptions" and args):
        return Spec(Assumed(7), Assumed(30 * SECOND), Const(1))
    return None


def _read_mercari(ev: Evaluator, call: Extern) -> Spec | None:
    """circuitbreaker.New(options...)"""
    if call.name != "New":
        return None
    timeout = _option(ev, call, "WithOpenTimeout")
    probes = _option(ev, call, "WithHalfOpenMaxSuccesses")
    trip = _option(ev, call, "WithTripFunc")
    failures: Const = Assumed(7)
    for v in ev.force(trip[0]) if trip else ():
        if (
            isinstance(v, Extern)
            and v.args
            and v.name
            in (
                "NewTripFuncThreshold",
                "NewTripFuncConsecutiveFailures",
            )
        ):
            failures = number(ev, v.args[0], Const(7))
    return Spec(
        failures,
        number(ev, timeout[0] if timeout else None, Assumed(30 * SECOND)),
        None,
        number(ev, probes[0] if probes else None, Assumed(4)),
    )


def read_failsafe(ev: Evaluator, call: Extern) -> Spec | None:
    """NewBuilder().WithFailureThreshold(5).WithDelay(d).Build(), NewWithDefaults() and the older names."""
    calls = {c.name: c.args or () for c in reversed(chain(ev, call))}
    failures: Const = Const(1)
    for name, args in calls.items():
        if name.startswith(("WithFailureThreshold", "WithFailureRate")):
            failures = number(ev, args[0] if args else None, Const(1))
            if "Rate" in name:
                failures = Assumed(7)
    delay = next((args for name, args in calls.items() if name == "WithDelay"), ())
    timeout: Const = number(ev, delay[0] if delay else None, Const(60 * SECOND))
    if "WithDelayFunc" in calls:
        timeout = Assumed(30 * SECOND)
    success = next((args for name, args in calls.items() if name.startswith("WithSuccessThreshold")), ())
    probes = number(ev, success[-1] if success else None, failures)
    return Spec(failures, timeout, probes, number(ev, success[0] if success else None, failures))


def _read_goresilience(ev: Evaluator, call: Extern) -> Spec | None:
    config = [v for value in call.args or () for v in ev.force(value) if isinstance(v, Struct)]
    fields = config[0].fields if config else {}
    wait = number(ev, fields.get("WaitDurationInOpenState"), Const(5 * SECOND))
    return Spec(Assumed(7), wait, None, number(ev, fields.get("SuccessfulRequiredOnHalfOpen"), Const(1)))


def _read_adaptive(ev: Evaluator, call: Extern) -> Spec | None:
    return Spec(Assumed(7), Assumed(30 * SECOND), None, Assumed(1))


def _read_hystrix(ev: Evaluator, call: Extern) -> Spec | None:
    from zuno_audit.facts.go.hystrix_settings import sleep_window

    name = key_of(ev.force(call.args[0])) if call.args else None
    ev.text_tested = True  # the settings are those of the command
    window = sleep_window(ev, name if isinstance(name, str) else None)
    timeout = Const(window * 1_000_000) if window is not None else Assumed(30 * SECOND)
    return Spec(Assumed(20), timeout, Const(1))


LIBRARIES: dict[str, Library] = {
    EAPACHE: Library(_read_eapache, {"Run": "run"}, "ErrBreakerOpen"),
    RUBYIST: Library(
        _read_rubyist,
        {
            "Call": "run",
            "CallContext": "run",
            "Ready": "allow-bool",
            "Success": "success",
            "Fail": "failure",
        },
        "ErrBreakerOpen",
    ),
    MERCARI: Library(
        _read_mercari,
        {
            "Do": "run",
            "Ready": "allow-bool",
            "Done": "done",
            "Success": "success",
            "Fail": "failure",
            "FailWithContext": "failure",
        },
        "ErrOpen",
    ),
    FAILSAFE_BREAKER: Library(
        read_failsafe,
        {
            "TryAcquirePermit": "allow-bool",
            "RecordSuccess": "success",
            "RecordFailure": "failure",
            "RecordError": "done",
        },
        "ErrOpen",
    ),
    AEGIS: Library(
        _read_adaptive,
        {"Allow": "allow-error", "MarkSuccess": "success", "MarkFailed": "failure"},
        "ErrNotAllowed",
    ),
    HANDY: Library(
        _read_adaptive, {"Allow": "allow-bool", "Success": "success", "Failure": "failure"}, "ErrCircuitOpen"
    ),
    GORESILIENCE: Library(_read_goresilience, {"Run": "run"}, "ErrCircuitOpen"),
    HYSTRIX: Library(
        _read_hystrix,
        {},
        "ErrCircuitOpen",
        {"Do": "run", "DoC": "run", "Go": "channel", "GoC": "channel"},
    ),
    **{
        path: Library(
            _read_adaptive,
            {
                "Do": "run",
                "DoCtx": "run",
                "DoWithAcceptable": "acceptable",
                "DoWithAcceptableCtx": "acceptable",
                "DoWithFallback": "run",
                "DoWithFallbackCtx": "run",
                "Allow": "promise",
            },
            "ErrServiceUnavailable",
            {
                "Do": "run",
                "DoCtx": "run",
                "DoWithAcceptable": "acceptable",
                "DoWithAcceptableCtx": "acceptable",
                "DoWithFallback": "run",
                "DoWithFallbackCtx": "run",
            },
        )
        for path in GO_ZERO
    },
}


# ---------------------------------------------------------------- the machine


class Machine(msgspec.Struct):
    """One breaker in the memory of a simulation."""

    ev: Evaluator
    key: Any
    spec: Spec
    state: State
    site: Site

    def _load(self) -> tuple[int, int, int, int, int]:
        held = self.state.cells.get(("machine", self.key))
        return held[0].value if held and isinstance(held[0], Const) else (0, 0, 0, 0, 0)

    def _save(self, *values: int) -> None:
        self.state.cells["machine", self.key] = (Const(values),)

    def admits(self) -> bool:
        """May a call go through now? Counts it when it may."""
        failures, opened, probes, successes, mode = self._load()
        clock = self.ev.clock or 0
        if mode == 1:
            if not self.ev.compare(">", Const(clock - opened), self.spec.timeout, self.site):
                return False
            failures, probes, successes, mode = 0, 0, 0, 2
        if mode == 2:
            most = self.spec.probes
            if most is not None and self.ev.compare(">=", Const(probes), most, self.site):
                return False
            probes += 1
        self._save(failures, opened, probes, successes, mode)
        return True

    def record(self, success: bool) -> None:
        """Counts an outcome, opens and closes."""
        failures, opened, probes, successes, mode = self._load()
        if success:
            failures, successes = 0, successes + 1
            if mode == 2 and self.ev.compare(">=", Const(successes), self.spec.successes, self.site):
                probes, mode = 0, 0
        else:
            failures, successes = failures + 1, 0
            if mode == 2 or self.ev.compare(">=", Const(failures), self.spec.failures, self.site):
                opened, probes, mode = self.ev.clock or 0, 0, 1
        self._save(failures, opened, probes, successes, mode)

    def settle(self, error: Value) -> None:
        """Counts the outcome that an error tells."""
        answers = {self.ev.is_nil(e) for e in self.ev.force(error)}
        if len(answers) == 1 and None not in answers:
            self.record(answers.pop() is True)
            return
        other = Machine(self.ev, self.key, self.spec, self.state.fork(), self.site)
        self.record(True)
        other.record(False)
        joined = join([self.state, other.state])
        if joined is not None:
            self.state.cells = joined.cells


def breaker_of(ev: Evaluator, v: Extern) -> Extern | None:
    """The constructor call that made the receiver of a method."""
    owner = ev.force(v.recv or ())
    return (
        owner[0] if len(owner) == 1 and isinstance(owner[0], Extern) and owner[0].args is not None else None
    )


def identity(breaker: Extern) -> Any:
    """What tells one breaker from another: each constructor call has its own snapshot of memory."""
    return id(breaker.state) if breaker.state is not None else (breaker.site or id(breaker))


def _callables(ev: Evaluator, args: list[Value]) -> list[Value]:
    return [
        value
        for value in (ev.force(a) for a in args)
        if value and all(isinstance(v, Func) or (isinstance(v, Opaque) and v.on_call) for v in value)
    ]


def _parameters(function: Value, args: list[Value]) -> list[Value]:
    """The arguments that a library hands on to what it runs: a context where one is wanted."""
    v = function[0]
    count = len(v.node.params) if isinstance(v, Func) else 0
    context: Value = args[0] if args and args[0] is not function else (Opaque("context"),)
    return [context, *[(Unknown("argument from a library"),)] * 3][:count]


def _width(function: Value) -> int:
    v = function[0]
    return max(len(v.node.results), 1) if isinstance(v, Func) else 1


def run(machine: Machine, args: list[Value], refusal: Value, accept: bool = False) -> list[Value] | None:
    """Runs the function among the arguments, or refuses; a second function is the fallback."""
    ev, state, site = machine.ev, machine.state, machine.site
    functions = _callables(ev, args)
    if not functions:
        return None
    width = _width(functions[0])
    if not machine.admits():
        results: list[Value] = [*[NIL] * (width - 1), refusal]
    else:
        results = ev.call_value(functions[0], _parameters(functions[0], args), state, site, wanted=width)
        if state.dead:
            return [(Unknown("not reached"),)] * width
        if accept and len(functions) > 1:
            answer = ev.truth(ev.call_value(functions[1], [results[-1]], state, site)[0])
            machine.settle(NIL if answer is True else results[-1])
            return results
        machine.settle(results[-1])
    failed = not any(isinstance(e, Nil) for e in ev.force(results[-1]))
    if failed and len(functions) > 1 and not accept:
        return ev.call_value(
            functions[1], _parameters(functions[1], [results[-1]]) or [results[-1]], state, site
        )
    return results


def _method(path: str, library: Library, kind: str) -> Model:
    refusal: Value = (Extern(path, library.refusal),)

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        breaker = breaker_of(ev, v)
        spec = library.read(ev, chain(ev, breaker)[0]) if breaker is not None else None
        if breaker is None or spec is None:
            return None
        return act(Machine(ev, identity(breaker), spec, state, site), kind, args, refusal)

    return model


def _function(path: str, library: Library, kind: str) -> Model:
    refusal: Value = (Extern(path, library.refusal),)

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        named = next((a for a in args if not _is_context(a)), None)
        call = Extern(path, v.name, (named,) if named is not None else ())
        spec = library.read(ev, call)
        if spec is None or named is None:
            return None
        machine = Machine(ev, (path, key_of(ev.force(named))), spec, state, site)
        return act(machine, kind, args, refusal)

    return model


def _is_context(value: Value) -> bool:
    return any(isinstance(v, Opaque) and v.label == "context" for v in value) or any(
        isinstance(v, Extern) and v.path == "context" for v in value
    )


def act(machine: Machine, kind: str, args: list[Value], refusal: Value) -> list[Value] | None:
    """What a method of a breaker does, by its kind."""
    nothing: Value = (Unknown("no value"),)
    match kind:
        case "run" | "acceptable":
            return run(machine, args, refusal, accept=kind == "acceptable")
        case "channel":
            return _into_channel(machine, args, refusal)
        case "allow-bool":
            return [(TRUE,) if machine.admits() else (FALSE,)]
        case "allow-error":
            return [NIL if machine.admits() else refusal]
        case "promise":
            return [(Opaque("promise"),), NIL] if machine.admits() else [NIL, refusal]
        case "success" | "failure":
            machine.record(kind == "success")
            return [nothing]
        case "done":
            machine.settle(args[-1] if args else NIL)
            return [nothing]
    return None


def _into_channel(machine: Machine, args: list[Value], refusal: Value) -> list[Value] | None:
    """hystrix.Go: an error goes into the channel that it returns, nothing does when the call succeeds."""
    results = run(machine, args, refusal)
    if results is None:
        return None
    channel = Extern("builtin", "make", ((Const(1),),), site=machine.site)
    failed = not any(isinstance(e, Nil) for e in machine.ev.force(results[-1]))
    machine.state.cells["channel", machine.site] = (Seq((results[-1],) if failed else ()),)
    return [(channel,)]


# ---------------------------------------------------------------- failsafe-go's executors


def policies(ev: Evaluator, values: Iterable[Value]) -> list[Val]:
    """Policies among arguments, slices of them and executors taken apart."""
    out: list[Val] = []
    for value in values:
        choices = ev.force(value)
        if len(choices) > 1 and not all(
            isinstance(v, Extern) and v.path == FAILSAFE_BREAKER for v in choices
        ):
            out.append(Unknown("one of several policies"))
            continue
        for v in choices:
            if isinstance(v, Seq):
                out.extend(policies(ev, v.items))
            elif isinstance(v, Extern) and v.path == FAILSAFE and v.args is not None:
                for call in chain(ev, v):
                    out.extend(policies(ev, call.args or ()))
            else:
                out.append(v)
    return out


def _failsafe_run(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """failsafe.Run(fn, policies...) and executor.Run(fn)."""
    given = policies(ev, [*args, *([v.recv] if v.recv is not None else [])])
    breakers = [p for p in given if isinstance(p, Extern) and p.path == FAILSAFE_BREAKER]
    functions = _callables(ev, args)
    if not functions:
        return None
    if not breakers:
        width = _width(functions[0])
        return ev.call_value(functions[0], _parameters(functions[0], []), state, site, wanted=width)
    spec = read_failsafe(ev, breakers[0])
    assert spec is not None
    machine = Machine(ev, identity(breakers[0]), spec, state, site)
    return run(machine, [functions[0]], (Extern(FAILSAFE_BREAKER, "ErrOpen"),))


def _models() -> dict[tuple[str, str], Model]:
    models: dict[tuple[str, str], Model] = {}
    for path, library in LIBRARIES.items():
        for name, kind in library.methods.items():
            models[path, "." + name] = _method(path, library, kind)
        for name, kind in library.functions.items():
            models[path, name] = _function(path, library, kind)
    for name in ("Run", "Get", "RunWithExecution", "GetWithExecution"):
        models[FAILSAFE, name] = models[FAILSAFE, "." + name] = _failsafe_run
    return models


MODELS: dict[tuple[str, str], Model] = _models()
