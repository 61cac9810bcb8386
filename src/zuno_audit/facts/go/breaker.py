"""Is there a circuit breaker in front of a call? Decided by trying it out.

The question is asked of a function that forwards a call to an `invoker` (a client interceptor, or the `Invoke`
of a wrapped connection). The evaluator runs it again and again on one memory, with a virtual clock and an
invoker that fails: a breaker stops forwarding after some failures, says so with an error, tries again after
some time and lets only so many calls through while it tries. What it is called and how it counts is its own
affair; where a setting comes from outside, a stand-in is used and the setting stays unknown.
Breakers of libraries are state machines here too (`breaker_library.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, product
from typing import TYPE_CHECKING, TypeGuard

from msgspec.structs import replace

from zuno_audit.facts.go import breaker_library
from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.breaker_settings import SANE, alternatives, configured, with_sane_settings
from zuno_audit.facts.go.breaker_trial import FARTHEST, INVOKER, Arguments, Trial
from zuno_audit.facts.go.evaluate import Evaluator
from zuno_audit.facts.go.guards import Guard, all_of, rank
from zuno_audit.facts.go.interceptors import members
from zuno_audit.facts.go.shape import level_of, shape, shapes
from zuno_audit.facts.go.values import (
    NIL,
    Extern,
    Func,
    Input,
    Nil,
    Opaque,
    Rest,
    State,
    Unknown,
    Val,
    Value,
    sites_of,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.types import Types

__all__ = ["BreakerQuestion", "Guard", "all_of"]

MOST_STEPS = 600_000  # of all trials of one repository together: some seconds
MOST_CHAINS = 8  # that are tried where one of several interceptors may stand at a place


class BreakerQuestion:
    """Judges interceptors and wrapped connections, remembering those that it has judged."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._known: dict[tuple[int, str], tuple[Val, Guard]] = {}
        self._by_shape: dict[object, Guard] = {}
        self._chains: dict[object, Guard | None] = {}
        self._spent = 0

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
                "no", f"{v.name} of {v.path} is not a circuit breaker", sites_of(v)
            )
        if isinstance(v, Nil):
            return Guard("no", "the interceptor is nil")
        if isinstance(v, Rest):
            return self._judge(ev, v.source, kind, state)
        if isinstance(v, Input):
            return Guard("unknown", f"{v.origin} decides it", sites_of(v), depends_on_caller=True)
        reason = v.reason if isinstance(v, Unknown) else "it cannot be followed"
        return Guard("unknown", reason, sites_of(v), broken=isinstance(v, Unknown) and v.broken)

    def any_of(self, ev: Evaluator, interceptors: list[Value], kind: str, state: State) -> Guard:
        """A chain is guarded when one interceptor of it is a breaker, whichever alternative is installed."""
        best: Guard | None = None
        for value in interceptors:
            here = all_of([self.judge(ev, v, kind, state) for v in ev.force(value)])
            if best is None or rank(here) > rank(best):
                best = here
        if best is not None and best.guarded == "yes":
            return self._hidden(ev, interceptors, kind, state) or best
        return best or Guard("no", f"no {kind} interceptor is installed")

    # ------------------------------------------------------------ chains

    def _hidden(self, ev: Evaluator, interceptors: list[Value], kind: str, state: State) -> Guard | None:
        """What makes a breaker in a chain useless: another interceptor that answers itself, takes failures for
        success or hides them from the breaker. None where that is not certain.

        A breaker of a library parts the chain in two; its other interceptors hand everything on.
        """
        parts: list[list[list[Func]]] = [[]]  # by part and position: the functions that may stand there
        refuses, opens_after = False, 0
        for value in _flat(ev, interceptors):
            alternatives = [v for v in ev.force(value) if not isinstance(v, Nil)]
            functions = [v for v in alternatives if _is_interceptor(v, kind)]
            judged = [self.judge(ev, v, kind, state) for v in alternatives]
            guards = [guard.guarded for guard in judged]
            if functions:
                parts[-1].append(functions)
                if set(guards) == {"yes"}:
                    refuses, opens_after = (
                        True,
                        max(opens_after, *(g.max_failures or FARTHEST for g in judged)),
                    )
            elif "yes" in guards:
                parts.append([])
        if refuses:
            parts = [[one for part in parts for one in part]]
        for part in parts:
            if len(part) < 2 and (refuses or not part):
                continue
            for chain in islice(product(*part), MOST_CHAINS):
                found = self._chain(ev, list(chain), kind, state, refuses, opens_after)
                if found is not None:
                    return found
        return None

    def _chain(
        self, ev: Evaluator, chain: list[Func], kind: str, state: State, refuses: bool, opens_after: int
    ) -> Guard | None:
        """`Trial.hidden` of a chain, one trial for all of one shape."""
        alike = tuple(shape(ev, func, state) for func in chain)
        key = (kind, refuses, opens_after, alike)
        if key in self._chains:
            return self._chains[key]
        if self._spent > MOST_STEPS:
            return None
        trial = Trial(ev, chain[0], kind, state, self._arguments(kind), behind=chain[1:])
        found = trial.hidden(refuses=refuses, opens_after=opens_after)
        self._spent += trial.ev.steps
        if found is not None:
            found = replace(found, sites=tuple(site for func in chain for site in sites_of(func)))
        if None not in alike:
            self._chains[key] = found
        return found

    def _interceptor(self, ev: Evaluator, v: Func, kind: str, state: State) -> Guard:
        if not _is_interceptor(v, kind):
            return Guard("no", "it is not a client interceptor", sites_of(v))
        invoker = v.node.params[INVOKER[kind]].name
        if not v.file.error_line and looks_away(v.node, invoker):
            return Guard("no", "its interceptors do not look at what a call returns", sites_of(v))
        may_refuse = not always_calls(v.node, invoker)
        return self._trial(ev, v, kind, state, self._arguments(kind), may_refuse=may_refuse)

    def _arguments(self, kind: str) -> Arguments:
        """What an interceptor is called with, around its invoker."""
        context: Value = (Opaque("context", self.types.extern("context", "Context")),)
        connection: Value = (Opaque("connection", self.types.extern(lib.GRPC, "ClientConn")),)
        method: Value = (Opaque("method"),)
        options: Value = NIL

        def arguments(invoker: Opaque) -> list[Value]:
            if kind == "unary":
                return [
                    context,
                    method,
                    (Opaque("request"),),
                    (Opaque("reply"),),
                    connection,
                    (invoker,),
                    options,
                ]
            return [context, (Opaque("stream description"),), connection, method, (invoker,), options]

        return arguments

    def _trial(
        self,
        ev: Evaluator,
        v: Func,
        kind: str,
        state: State,
        arguments: Arguments,
        wire: bool = False,
        may_refuse: bool = True,
    ) -> Guard:
        """One trial for all functions of one shape. `may_refuse`: there is a way through it without the call."""
        keys = [(kind, wire, level, known) for level, known in enumerate(shapes(ev, v, state))]
        for key in keys:
            if key[-1] is not None and key in self._by_shape:
                return self._by_shape[key]
        if self._spent > MOST_STEPS:
            return Guard("unknown", "more interceptors than are tried out", sites_of(v), broken=True)
        trial = Trial(ev, v, kind, state, arguments, wire)
        found = trial.verdict()
        self._spent += trial.ev.steps
        if found.guarded != "yes":
            found = self._each_alternative(lambda: Trial(ev, v, kind, state, arguments, wire), found, ev, v)
        if found.guarded == "no":
            again = Trial(ev, v, kind, state, arguments, wire)
            found = self._blame_settings(found, again, ev, v, state)
        if found.guarded == "no" and may_refuse and trial.tells_a_goroutine():
            found = Guard("unknown", "a goroutine that is not followed may decide it", sites_of(v))
        if ev.asks_environment:
            found = replace(found, asks_environment=True)
        for key in keys[level_of(trial.ev) :]:
            self._by_shape[key] = found
        return found

    def _each_alternative(self, fresh: Callable[[], Trial], whole: Guard, ev: Evaluator, v: Val) -> Guard:
        """What cannot be told with a limit of several values may be a breaker with each of them, or with some."""
        found: list[Guard] = []
        for memory in alternatives(ev, fresh().memory, [v]):
            trial = fresh()
            trial.memory = memory
            found.append(trial.verdict())
            self._spent += trial.ev.steps
            if len({guard.guarded == "yes" for guard in found}) == 2:
                return replace(whole, mixed=True)
        if not found or found[0].guarded != "yes":
            return whole
        found.sort(key=lambda guard: guard.max_failures is not None)  # an unknown limit is what is told
        return all_of(found)

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
        failures, probes = settings["max_failures"][0], settings["half_open_max_calls"][0]
        return replace(
            again,
            because=f"with its settings {found.because}",
            useless=True,
            setting_sites=sites,
            max_failures=None if failures is None else int(failures),
            reset_timeout_s=settings["reset_timeout_s"][0],
            half_open_max_calls=None if probes is None else int(probes),
        )

    def connection(self, ev: Evaluator, invoke: Func, kind: str, state: State) -> Guard:
        """A connection of the repository's own type: its `Invoke` or `NewStream` method."""
        context: Value = (Opaque("context", self.types.extern("context", "Context")),)

        def arguments(invoker: Opaque) -> list[Value]:
            if kind == "unary":
                return [context, (Opaque("method"),), (Opaque("request"),), (Opaque("reply"),), NIL]
            return [context, (Opaque("stream description"),), (Opaque("method"),), NIL]

        return self._trial(ev, invoke, kind, state, arguments, wire=True)


def _flat(ev: Evaluator, interceptors: list[Value]) -> Iterator[Value]:
    """The interceptors of a chain, those inside one that chains others in its place."""
    for value in interceptors:
        forced = ev.force(value)
        inner = members(ev, forced[0]) if len(forced) == 1 else None
        if inner is None:
            yield value
        else:
            yield from _flat(ev, inner)


def _is_interceptor(v: Val, kind: str) -> TypeGuard[Func]:
    return isinstance(v, Func) and len(v.node.params) == INVOKER[kind] + 2


def looks_away(node: s.FuncDecl | s.FuncLit, invoker: str | None) -> bool:
    """True when a function does nothing with the invoker but `return invoker(...)`, and nothing afterwards."""
    direct = {
        id(node.values[0].fun)
        for node in s.nodes_of(node)
        if isinstance(node, s.Return) and len(node.values) == 1 and isinstance(node.values[0], s.Call)
    }
    uses = [x for x in s.nodes_of(node) if isinstance(x, s.Ident) and x.name == invoker]
    if any(isinstance(x, s.Defer | s.FuncLit) for x in s.nodes_of(node) if x is not node):
        return False
    return bool(uses) and all(id(x) in direct for x in uses)


def always_calls(node: s.FuncDecl | s.FuncLit, invoker: str | None) -> bool:
    """True when a function makes one call of its invoker under no condition, with no return before it, or sees
    nothing of what the calls return.
    """
    if looks_away(node, invoker):
        return True
    nodes = s.nodes_of(node)
    called = {id(n.fun) for n in nodes if isinstance(n, s.Call)}
    uses = [n for n in nodes if isinstance(n, s.Ident) and n.name == invoker]
    if any(id(n) not in called for n in uses):
        return False
    inner = [
        (n.start, n.end)
        for n in nodes
        if isinstance(n, s.Block | s.Clause | s.FuncLit) and n is not node.body
    ]
    sure = [n.start for n in uses if not any(a <= n.start < b for a, b in inner)]
    if not sure:
        return False
    made = [n.start for n in uses]
    returns = [n for n in nodes if isinstance(n, s.Return) and n.start < min(sure)]
    return all(any(n.start <= use < n.end for use in made) for n in returns)
