"""Does an interceptor recover? Decided by running it with a handler that panics.

The evaluator knows defer, recover and panics as the language defines them, so every near miss answers for
itself: `defer recover()`, a recover two frames down, a panic that goes on, another goroutine, a defer that
comes after the handler, a branch without it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from zuno_audit.facts.go import groups, library
from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.evaluate import Evaluator, Limits
from zuno_audit.facts.go.interceptors import members
from zuno_audit.facts.go.live_memory import reachable
from zuno_audit.facts.go.panic_logs import ZEROLOG, captures_stack, carries_stack, is_written
from zuno_audit.facts.go.shape import LEVELS, level_of, shape, shapes
from zuno_audit.facts.go.values import (
    FALSE,
    TRUE,
    Const,
    Extern,
    Func,
    Input,
    Nil,
    Opaque,
    Rest,
    Seq,
    Site,
    State,
    Unknown,
    Val,
    Value,
    sites_of,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from zuno_audit.facts.go.types import Types

HANDLED = ("recovery", "handled")  # memory cells of a simulation
LOGGED = ("recovery", "logged")
UNSURE = Const("unsure")  # logged, if the level of the logger allows
INTERNAL = 13  # google.golang.org/grpc/codes
_SENDS = frozenset({"Msg", "Msgf", "Send", "MsgFunc"})
_PRINTS = frozenset(
    {
        "Print",
        "Printf",
        "Println",
        "Error",
        "Errorf",
        "Errorln",
        "Errorw",
        "Log",
        "Logf",
        "Warn",
        "Warnf",
        "Info",
    }
)
_SIMULATION = Limits(steps=20_000, steps_per_call=20_000)
MOST_TRIES = (
    2  # of simulations of one function that are more work than is done, with different values around it
)


class Recovery(msgspec.Struct, frozen=True):
    """What an interceptor does with a panic of its handler.

    `recovers` is yes, no or unknown; `internal` says whether the client gets codes.Internal; `logs_stack` whether
    every recovering path sends a zerolog event with the stack. `because` explains `recovers`; `sites` prove it.
    `mixed` is set where an alternative is better, or may be.
    """

    recovers: str
    because: str
    sites: tuple[tuple[Site, str], ...] = ()
    internal: str = "unknown"
    code_because: str = ""
    code_sites: tuple[tuple[Site, str], ...] = ()
    logs_stack: str = "unknown"
    log_because: str = ""
    log_sites: tuple[tuple[Site, str], ...] = ()
    depends_on_caller: bool = False
    broken: bool = False
    mixed: bool = False


class RecoveryQuestion:
    """Judges interceptors, remembering those that it has judged."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._known: dict[int, tuple[Val, Recovery]] = {}
        self._by_shape: dict[object, Recovery] = {}
        # by kind and function node: what is said of interceptors that are more work than is done
        self._too_large: dict[tuple[str, int], list[Recovery]] = {}

    def judge(self, ev: Evaluator, v: Val, kind: str, state: State) -> Recovery:
        """What one interceptor (`kind` unary or stream) does with a panic."""
        key = id(v)
        known = self._known.get(key)
        if known is None or known[0] is not v:
            known = self._known[key] = (v, self._judge(ev, v, kind, state))
        return known[1]

    def _judge(self, ev: Evaluator, v: Val, kind: str, state: State) -> Recovery:
        inner = members(ev, v)
        if inner is not None:
            return self.any_of(ev, inner, kind, state)
        if isinstance(v, Func):
            return self._simulate(ev, v, kind, state)
        if isinstance(v, Extern):
            return self._extern(ev, v, kind, state)
        if isinstance(v, Nil):
            return Recovery("no", "the interceptor is nil")
        if isinstance(v, Rest):
            return self._judge(ev, v.source, kind, state)
        if isinstance(v, Input):
            return Recovery("unknown", f"{v.origin} decides it", sites_of(v), depends_on_caller=True)
        reason = v.reason if isinstance(v, Unknown) else "it cannot be followed"
        broken = isinstance(v, Unknown) and v.broken
        return Recovery("unknown", reason, sites_of(v), broken=broken)

    def any_of(self, ev: Evaluator, interceptors: list[Value], kind: str, state: State) -> Recovery:
        """A chain recovers when one interceptor of it recovers, whichever alternative is installed."""
        best: Recovery | None = None
        for value in interceptors:
            alternatives = [self.judge(ev, v, kind, state) for v in ev.force(value)]
            here = all_of(alternatives)
            if best is None or _rank(here) > _rank(best):
                best = here
        if best is not None and best.recovers == "yes" and len(interceptors) > 1:
            return self._in_order(ev, interceptors, kind, state, best)
        if best is not None and best.recovers == "no" and not best.broken and len(interceptors) > 1:
            because = f"none of its {len(interceptors)} {kind} interceptors recovers"
            return msgspec.structs.replace(best, because=because)
        return best or Recovery("no", "no interceptor is installed")

    # ------------------------------------------------------------ chains

    def _in_order(
        self, ev: Evaluator, interceptors: list[Value], kind: str, state: State, best: Recovery
    ) -> Recovery:
        """What a whole chain makes of a panic that one of its interceptors, judged `best`, recovers.

        One behind it may run the handler in a goroutine, one before it may hide the error or panic again. What is
        not certain changes nothing.
        """
        chain: list[Func] = []
        after_library = False
        for value in interceptors:
            one = ev.force(value)
            v = one[0] if len(one) == 1 else None
            if isinstance(v, Func):
                chain.append(v)
            elif isinstance(v, Extern) and (v.path, v.name) in lib.RECOVERS:
                chain, after_library = [], True  # what stands before it is left to itself
            elif not isinstance(v, Extern) or not v.path.startswith(lib.PLAIN_INTERCEPTORS):
                return best
        if len(chain) < (1 if after_library else 2):
            return best
        large = any(self._too_large.get((kind, id(func.node))) for func in chain)
        if large or any(len(func.node.params) != 4 for func in chain):
            return best
        alike = tuple(shape(ev, func, state) for func in chain)
        key = (kind, after_library, best, alike)
        if None in alike:
            return self._chain(ev, chain, kind, state, best, after_library)
        if key not in self._by_shape:
            self._by_shape[key] = self._chain(ev, chain, kind, state, best, after_library)
        return self._by_shape[key]

    def _chain(
        self, ev: Evaluator, chain: list[Func], kind: str, state: State, best: Recovery, after_library: bool
    ) -> Recovery:
        simulation = _Simulation(ev, chain[0], state, tuple(chain))
        args = self._arguments(kind)
        handler = Opaque("handler", on_call=simulation.handler)
        for func in reversed(chain[1:]):
            handler = Opaque("handler", on_call=_calling(func, args[2], handler))
        simulation.start([*args, (handler,)])
        if simulation.ev.exhausted:
            return best
        if simulation.exits:
            return simulation.verdict(1 if kind == "unary" else 0)
        return best if after_library else simulation.in_chain(best, 1 if kind == "unary" else 0)

    def _arguments(self, kind: str) -> list[Value]:
        """What an interceptor gets, but for the handler."""
        if kind == "unary":
            context: Value = (Opaque("context", self.types.extern("context", "Context")),)
            info: Value = (Opaque("info", self.types.extern(lib.GRPC, "UnaryServerInfo")),)
            return [context, (Opaque("request"),), info]
        info = (Opaque("info", self.types.extern(lib.GRPC, "StreamServerInfo")),)
        stream: Value = (Opaque("stream", self.types.extern(lib.GRPC, "ServerStream")),)
        return [(Opaque("service"),), stream, info]

    # ------------------------------------------------------------ libraries

    def _extern(self, ev: Evaluator, v: Extern, kind: str, state: State) -> Recovery:
        entry = lib.RECOVERS.get((v.path, v.name))
        if (v.path, v.name) in lib.SELECTS and v.args is not None and len(v.args) == 2:
            return self._selected(ev, v, v.args, kind, state)
        if entry is None:
            if v.path.startswith(lib.PLAIN_INTERCEPTORS):
                return Recovery("no", f"{v.name} of {v.path} does not recover", sites_of(v))
            return Recovery("unknown", f"{v.name} of {v.path} is not known", sites_of(v))
        if entry[0] != kind:
            return Recovery("no", f"{v.name} is for {entry[0]} calls", sites_of(v))
        if v.args is None:
            return Recovery("no", f"{v.name} is named but not called", sites_of(v))
        return self._library_recovery(ev, v, entry[1], state)

    def _selected(
        self, ev: Evaluator, v: Extern, args: tuple[Value, ...], kind: str, state: State
    ) -> Recovery:
        """An interceptor that runs only for the calls that its matcher accepts."""
        inner = all_of([self.judge(ev, x, kind, state) for x in ev.force(args[0])])
        if inner.recovers != "yes":
            return inner
        answers = {self._matches(ev, x, state) for x in ev.force(args[1])}
        if answers == {True}:
            return inner
        if answers == {None}:
            return Recovery("unknown", "it is not known for which calls the interceptor runs", sites_of(v))
        return Recovery("no", "the recovering interceptor runs for some calls only", sites_of(v))

    def _matches(self, ev: Evaluator, v: Val, state: State) -> bool | None:
        """True when a matcher accepts every call, False when not, None when that cannot be followed."""
        if not isinstance(v, Func):
            return None
        inner = ev.derive(lazy=False, limits=_SIMULATION)
        args: list[Value] = [(Opaque("context"),), (Opaque("call"),)]
        exits = inner.simulate(v, args, state.fork())
        answers = {inner.truth(results[0]) if results else None for results in exits}
        if not exits or inner.exhausted:
            return None
        return answers == {True}

    def _library_recovery(self, ev: Evaluator, v: Extern, code: int, state: State) -> Recovery:
        library = "kratos" if v.path.startswith(lib.KRATOS) else "go-grpc-middleware"
        sites = sites_of(v, f"recovers ({library})")
        handlers = [
            o.args[0]
            for value in _flat(ev, v)
            for o in ev.force(value)
            if isinstance(o, Extern) and o.name in lib.RECOVERY_HANDLERS and o.args
        ]
        if not handlers:
            internal = "yes" if code == INTERNAL else "no"
            known = any(isinstance(o, Input | Unknown) for value in _flat(ev, v) for o in ev.force(value))
            return Recovery(
                "yes",
                f"{library} recovers",
                sites,
                internal="unknown" if known else internal,
                code_because="the library's own error",
                code_sites=sites,
                logs_stack="no",
                log_because="no recovery handler is given, so nothing is logged",
                log_sites=sites,
            )
        outcomes = [self._recovery_handler(ev, f, state) for f in ev.force(handlers[-1])]
        found = all_of(outcomes)
        return Recovery(
            found.recovers,
            found.because or f"{library} recovers",
            (*sites, *found.sites),
            found.internal,
            found.code_because,
            found.code_sites or sites,
            found.logs_stack,
            found.log_because,
            found.log_sites or sites,
            found.depends_on_caller,
            found.broken,
        )

    def _recovery_handler(self, ev: Evaluator, v: Val, state: State) -> Recovery:
        """`func(p any) error` or `func(ctx, p any) error`, called by the library with what was recovered."""
        if not isinstance(v, Func):
            return Recovery("unknown", "the recovery handler cannot be followed", sites_of(v))
        count = len(v.node.params)
        given: list[Value] = [(Opaque("context"),), (Opaque("panic value"),)]
        if count == 3:  # kratos: func(ctx, req, err any) error
            given.insert(1, (Opaque("request"),))
        args = given[-count:] if count else []
        simulation = _Simulation(ev, v, state)
        simulation.memory.cells[HANDLED] = (TRUE,)
        simulation.start(args)
        return simulation.verdict(results_index=0)

    def after(self, ev: Evaluator, v: Func, results_index: int) -> Recovery:
        """What a function does that panics of itself; `results_index` says which result is its error."""
        site = Site(v.file, v.node.start, v.node.end)
        args: list[Value] = [
            (Opaque("argument", self.types.resolve(p.type, v.file, v.package)),) for p in v.node.params
        ]
        if isinstance(v.node, s.FuncDecl) and v.node.receiver is not None:
            type_ = self.types.resolve(v.node.receiver.type, v.file, v.package)
            receiver: Value = (Input("receiver", type_, ("receiver", v.file.path, v.node.start), site),)
            v = Func(v.node, v.file, v.package, v.scope, receiver)
        simulation = _Simulation(ev, v, State())
        simulation.memory.cells[HANDLED] = (TRUE,)
        simulation.start(args)
        return simulation.verdict(results_index)

    # ------------------------------------------------------------ interceptors of the repository

    def _simulate(self, ev: Evaluator, v: Func, kind: str, state: State) -> Recovery:
        """One simulation for all interceptors of one shape."""
        keys = [(kind, level, known) for level, known in enumerate(shapes(ev, v, state))]
        for key in keys:
            if key[-1] is not None and key in self._by_shape:
                return self._by_shape[key]
        large = self._too_large.setdefault((kind, id(v.node)), [])
        if len(large) >= MOST_TRIES:
            return large[-1]
        found, level, finished = self._run(ev, v, kind, state)
        if not finished:
            large.append(found)
        for key in keys[level:]:
            self._by_shape[key] = found
        return found

    def _run(self, ev: Evaluator, v: Func, kind: str, state: State) -> tuple[Recovery, int, bool]:
        """What an interceptor does; the level of its shape that decided it, and whether it was followed to its end."""
        simulation = _Simulation(ev, v, state)
        handler = Opaque("handler", on_call=simulation.handler)
        args: list[Value] = [*self._arguments(kind), (handler,)]
        if kind == "unary" and len(v.node.params) == len(v.node.results) == 1:
            inner = simulation.middleware(handler)
            if inner is None:
                return (
                    Recovery("unknown", "what the middleware makes cannot be followed", sites_of(v)),
                    len(LEVELS) - 1,
                    True,
                )
            simulation.func, args = inner, args[:2]
        if len(simulation.func.node.params) != len(args):
            return Recovery("no", "it is not a server interceptor", sites_of(v)), 0, True
        simulation.start(args)
        found = simulation.verdict(results_index=1 if kind == "unary" else 0)
        return found, level_of(simulation.ev), not simulation.ev.exhausted


class _Simulation:
    """One run of a function in which the handler panics."""

    def __init__(self, ev: Evaluator, func: Func, state: State, roots: Value = ()) -> None:
        self.ev = ev.derive(lazy=False, limits=_SIMULATION)
        self.func = func
        self.memory = reachable(ev, state, roots or (func,))
        self.memory.cells[HANDLED] = self.memory.cells[LOGGED] = (FALSE,)
        self.ev.models = {**self.ev.models, **groups.MODELS}
        self.ev.awaits_goroutines = self.ev.scalars_wait = True
        self.ev.lasting = (LOGGED,)
        self.panicked_in = 0  # goroutines: each has a stack of its own
        self.ev.on_exit = self._exit
        self.ev.on_extern = self._extern
        self.ev.on_leave = self._leave
        self.exits: list[Extern] = []
        self.leaves: list[tuple[list[Value], State]] = []
        self.sends: list[Extern] = []
        self.thrown_away: list[Extern] = []  # those whose logger writes nothing
        self.stacks: list[Extern] = []  # calls that take the stack of the panic
        self.prints: list[Extern] = []

    def handler(self, ev: Evaluator, args: list[Value], state: State) -> list[Value]:
        state.cells[HANDLED] = (TRUE,)
        self.panicked_in = ev.goroutines
        ev.raise_panic((Opaque("panic value"),), state)
        return [(Unknown("the handler panics"),)] * 2

    def middleware(self, handler: Opaque) -> Func | None:
        """What a middleware (`func(next Handler) Handler`) puts around the handler."""
        exits = self.ev.simulate(self.func, [(handler,)], self.memory)
        made = [v for results in exits for value in results for v in self.ev.force(value)]
        return made[0] if len(made) == 1 and isinstance(made[0], Func) else None

    def start(self, args: list[Value]) -> None:
        self.ev.simulate(self.func, args, self.memory)

    def _exit(self, v: Extern, state: State) -> None:
        if _after_panic(state):
            self.exits.append(v)

    def _leave(self, results: list[Value], state: State) -> None:
        if _after_panic(state):
            self.leaves.append((results, state))

    def _extern(self, ev: Evaluator, call: Extern, state: State) -> None:
        if not _after_panic(state):
            return
        if call.path in ZEROLOG and call.name in _SENDS:
            self.sends.append(call)
            written = is_written(ev, call)
            if written is False:
                self.thrown_away.append(call)
            elif carries_stack(ev, call, state, self.stacks):
                logged = TRUE if written else UNSURE
                state.cells[LOGGED] = tuple(v if v is TRUE else logged for v in state.cells[LOGGED])
        elif captures_stack(call) and ev.goroutines == self.panicked_in:
            self.stacks.append(call)
        elif call.name in _PRINTS:
            self.prints.append(call)

    # ------------------------------------------------------------ verdict

    def verdict(self, results_index: int) -> Recovery:
        sites = sites_of(self.func)
        if self.ev.exhausted:
            return Recovery("unknown", "the interceptor is larger than is followed", sites, broken=True)
        if self.exits:
            exit_sites = tuple((v.site, "ends the process") for v in self.exits if v.site is not None)
            return Recovery(
                "no", f"after a panic it calls {self.exits[0].name}, which ends the process", exit_sites
            )
        if self.ev.uncaught:
            return self._uncaught(sites)
        if not self.leaves:
            broken = _broken_file(self.func)
            why = broken or "it never calls the handler"
            return Recovery("unknown" if broken else "no", why, sites, broken=bool(broken))
        return self._recovered(sites, results_index)

    def in_chain(self, best: Recovery, index: int) -> Recovery:
        """`best`, or what is certainly worse when its interceptor runs among the others of a chain."""
        if self.ev.uncaught and not self.leaves:
            return Recovery("no", "another interceptor of the chain panics again", best.sites)
        errors = [
            e
            for results, _ in self.leaves
            for value in results[index : index + 1]
            for e in self.ev.force(value)
        ]
        if not errors:
            return best
        if all(self.ev.is_nil(e) for e in errors):
            because = "another interceptor of the chain hides the error, so the client sees success"
            return Recovery("no", because, best.sites, "no", "the client sees success", best.sites)
        codes = [_code(self.ev, [e]) for e in errors]
        if best.internal == "yes" and all(code[0] == "no" for code in codes):
            _, because, sites = codes[0]
            best = msgspec.structs.replace(best, internal="no", code_because=because, code_sites=sites)
        logged = [v for _, state in self.leaves for v in state.cells.get(LOGGED, (FALSE,))]
        if best.logs_stack == "yes" and all(v is FALSE for v in logged):
            logs, because, sites = self._logging()
            best = msgspec.structs.replace(best, logs_stack=logs, log_because=because, log_sites=sites)
        return best

    def _uncaught(self, sites: tuple[tuple[Site, str], ...]) -> Recovery:
        values = [v for value, _ in self.ev.uncaught for v in value]
        places = _recover_calls(self.func)
        unknown = [v for v in values if isinstance(v, Unknown)]
        if self.leaves:
            because = "on some path a panic of the handler goes on"
        elif places:
            because = (
                "a panic of the handler is not stopped: recover() is not called by a deferred function itself"
            )
        else:
            because = "nothing recovers from a panic of the handler"
        if unknown and not any(isinstance(v, Opaque) for v in values):
            because = "after a panic it panics again"
        return Recovery("no", because, (*sites, *((p, "recover is called here") for p in places)))

    def _recovered(self, sites: tuple[tuple[Site, str], ...], index: int) -> Recovery:
        errors: list[Val] = []
        for results, _ in self.leaves:
            value = results[index] if index < len(results) else ()
            errors.extend(self.ev.force(value))
        nils = {self.ev.is_nil(e) for e in errors}
        proof = (*sites, *((p, "recover() stops the panic") for p in _recover_calls(self.func)[:2]))
        if not errors or True in nils:
            because = "after a panic it returns no error, so the client sees success"
            return Recovery("no", because, proof, "no", "the client sees success", proof)
        if any(isinstance(e, Unknown) for e in errors):
            unknown = next(e for e in errors if isinstance(e, Unknown))
            return Recovery(
                "unknown",
                f"what it returns after a panic is not known: {unknown.reason}",
                proof,
                broken=unknown.broken,
            )
        if any(isinstance(e, Input) for e in errors):
            return Recovery(
                "unknown",
                "what it returns after a panic depends on its caller",
                proof,
                depends_on_caller=True,
            )
        internal, code_because, code_sites = _code(self.ev, errors)
        logs, log_because, log_sites = self._logging()
        return Recovery(
            "yes",
            "a deferred function recovers",
            proof,
            internal,
            code_because,
            code_sites,
            logs,
            log_because,
            log_sites,
        )

    def _logging(self) -> tuple[str, str, tuple[tuple[Site, str], ...]]:
        logged = [v for _, state in self.leaves for v in state.cells.get(LOGGED, (FALSE,))]
        sends = tuple((v.site, "zerolog event") for v in self.sends if v.site is not None)
        if all(v is TRUE for v in logged):
            return "yes", "the panic is logged through zerolog with the stack", sends
        if UNSURE in logged and FALSE not in logged:
            return "unknown", "the level below which the zerolog logger writes nothing is not known", sends
        if any(v is TRUE for v in logged):
            return "no", "only some paths log the stack through zerolog", sends
        if self.thrown_away:
            return "no", "the zerolog logger does not write the event", sends
        if self.sends:
            return "no", "the zerolog event has no stack", sends
        prints = tuple((v.site, f"{v.name} is not zerolog") for v in self.prints if v.site is not None)
        if prints:
            first = self.prints[0]
            return "no", f"the panic is written with {_short(first)}, not through zerolog", prints
        return "no", "nothing is logged after a panic", sites_of(self.func)


def _calling(func: Func, info: Value, handler: Opaque) -> Callable[..., list[Value]]:
    """A handler that runs the next interceptor of a chain."""
    site = Site(func.file, func.node.start, func.node.start + 4)

    def call(ev: Evaluator, args: list[Value], state: State) -> list[Value]:
        return ev.call_value((func,), [*args[:2], info, (handler,)], state, site, wanted=2)

    return call


def _after_panic(state: State) -> bool:
    return any(v is TRUE for v in state.cells.get(HANDLED, ()))


def all_of(outcomes: list[Recovery]) -> Recovery:
    """Alternatives: each must recover, so the worst one speaks for all."""
    if not outcomes:
        return Recovery("unknown", "nothing is known of it")
    worst = min(outcomes, key=_rank)
    internal = _worst([o.internal for o in outcomes])
    logs = _worst([o.logs_stack for o in outcomes])
    code = next(o for o in outcomes if o.internal == internal)
    log = next(o for o in outcomes if o.logs_stack == logs)
    return Recovery(
        worst.recovers,
        worst.because,
        worst.sites,
        internal,
        code.code_because,
        code.code_sites,
        logs,
        log.log_because,
        log.log_sites,
        any(o.depends_on_caller for o in outcomes if o.recovers == worst.recovers),
        any(o.broken for o in outcomes),
        worst.recovers != "yes"
        and any(o.recovers == "yes" or o.depends_on_caller or o.mixed for o in outcomes),
    )


def _rank(recovery: Recovery) -> tuple[int, bool]:
    return {"no": 0, "unknown": 1, "yes": 2}[recovery.recovers], recovery.mixed


def _worst(values: Iterable[str]) -> str:
    return min(values, key=lambda v: {"no": 0, "unknown": 1, "yes": 2}[v])


def _short(v: Extern) -> str:
    return f"{v.path.rpartition('/')[2]}.{v.name}"


def _broken_file(func: Func) -> str:
    return f"{func.file.path} does not parse" if func.file.error_line else ""


def _recover_calls(func: Func) -> list[Site]:
    return [
        Site(func.file, node.start, node.end)
        for node in s.nodes_of(func.node)
        if isinstance(node, s.Call) and isinstance(node.fun, s.Ident) and node.fun.name == "recover"
    ]


def _code(ev: Evaluator, errors: list[Val]) -> tuple[str, str, tuple[tuple[Site, str], ...]]:
    """Whether every error carries codes.Internal."""
    sites = tuple((e.site, "the error that the client gets") for e in errors if e.site is not None)
    answer = "yes"
    because = "the client gets codes.Internal"
    for error in errors:
        code = library.status_code(error)
        values = ev.force(code) if code is not None else ()
        if code is None and isinstance(error, Extern) and error.path in ("errors", "fmt"):
            return "no", "a plain error reaches the client as codes.Unknown", sites
        if not values or not all(isinstance(c, Const) for c in values):
            answer, because = "unknown", "the status code cannot be followed"
            continue
        wrong = [c for c in values if isinstance(c, Const) and c.value != INTERNAL]
        if wrong:
            number = wrong[0].value if isinstance(wrong[0], Const) else -1
            names = library.CODE_NAMES
            name = names[number] if isinstance(number, int) and 0 <= number < len(names) else str(number)
            return "no", f"the client gets codes.{name}", sites
    return answer, because, sites


def _flat(ev: Evaluator, v: Extern) -> list[Value]:
    """The options of a library interceptor, a spread slice taken apart."""
    out: list[Value] = []
    for i, value in enumerate(v.args or ()):
        if v.spread and i == len(v.args or ()) - 1:
            for x in ev.force(value):
                if isinstance(x, Seq):
                    out.extend(
                        tuple(y.source if isinstance(y, Rest) else y for y in item) for item in x.items
                    )
                elif not isinstance(x, Nil):
                    out.append((x,))
        else:
            out.append(value)
    return out
