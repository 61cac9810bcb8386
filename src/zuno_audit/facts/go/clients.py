"""Every gRPC connection and client stub of the repository, and whether a circuit breaker guards it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go import client_frameworks
from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.absence import Absence
from zuno_audit.facts.go.analysis import Analysis, Construction, analysis
from zuno_audit.facts.go.breaker import BreakerQuestion, Guard, all_of
from zuno_audit.facts.go.breaker_settings import reach
from zuno_audit.facts.go.client_frameworks import FRAMEWORKS
from zuno_audit.facts.go.environments import Key, key_of, settled
from zuno_audit.facts.go.evaluate import Evaluator
from zuno_audit.facts.go.interceptors import Installed, holds_parameter, installed, option_lists
from zuno_audit.facts.go.perspectives import Perspectives
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.stub_wrappers import StubWrappers
from zuno_audit.facts.go.values import Const, Extern, Input, State, Unknown
from zuno_audit.languages.go_outline import assumed_names
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.stubs import StubUse

LEFT_OUT = (FileKind.TEST, FileKind.VENDORED)
# Constructors of connections and the position of their first option.
CONSTRUCTORS = {"NewClient": 1, "Dial": 1, "DialContext": 2}
TARGETS = frozenset((lib.GRPC, name) for name in CONSTRUCTORS)
_MAKES = re.compile(rb"\b(?:NewClient|Dial|DialContext)\(")
_CALLED = re.compile(rb"(?:\w+\.)?(\w+)\(")
_TARGET = {"NewClient": 0, "Dial": 0, "DialContext": 1}


def connection_guards(store: FactStore) -> Connections:
    """The fact provider behind both tables."""
    return Connections(store.get(analysis))


def table(store: FactStore) -> Table:
    """`grpc_client`: one row per construction of a connection, and one per call of a helper that makes them.

    Fields: constructor, target, via, counts (yes for one row of each connection: the construction where all
    callers get the same, else each call of the helper), made_for (the file itself and those that call it),
    unary_breaker, stream_breaker, circuit_breaker (of the calls that are known to be made), guarded (of all
    calls: a breaker for unary calls is enough where no stub opens streams), max_failures, reset_timeout_s,
    half_open_max_calls.
    """
    from zuno_audit.facts.go.stubs import deployed_clients, stubs

    connections = store.get(connection_guards)
    found = connections.table(lambda: store.get(stubs).uses)
    return settled(found, connections.open_rows, store.get(deployed_clients).connections)


_ABSENT = Guard("no", "nothing in the repository is a circuit breaker for calls of gRPC")
_NOT_INSTALLED = Guard("no", "no interceptor in the repository can refuse calls")


class ConnectionGuards(Struct, frozen=True):
    """What guards a connection, for both kinds of calls. The caller may decide about nothing but the settings."""

    unary: Guard
    stream: Guard
    settings_of_caller: bool = False

    @property
    def depends_on_caller(self) -> bool:
        if self.settings_of_caller:
            return True
        return any(g.depends_on_caller and g.guarded == "unknown" for g in (self.unary, self.stream))


def _together(guards: list[ConnectionGuards]) -> ConnectionGuards:
    """One answer for several places that the same construction is seen from."""
    of_caller = any(g.settings_of_caller for g in guards)
    return ConnectionGuards(all_of([g.unary for g in guards]), all_of([g.stream for g in guards]), of_caller)


def _takes_options(construction: Construction) -> bool:
    """True when a parameter of the function around a construction gets into its options."""
    return any(
        call.state is not None and holds_parameter(construction.evaluator, value, call.state)
        for call in construction.calls
        for value in (call.args or ())[CONSTRUCTORS.get(call.name, 1) :]
    )


def overall(guards: ConnectionGuards, has_streams: bool | None) -> Guard:
    """Whether calls are guarded: streams count where the generated code is known to open some."""
    if guards.unary.guarded == "yes" and has_streams and guards.stream.guarded != "yes":
        return guards.stream
    return guards.unary


class Connections:
    """Judges connections; the rows of `grpc_client`."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.breakers = BreakerQuestion(analysis.types)
        self._judged: dict[int, tuple[Extern, ConnectionGuards]] = {}
        self._uses: Callable[[], list[StubUse]] = list
        self.open_rows: set[Key] = set()  # those that the environment decides about
        self.perspectives = Perspectives(
            analysis, self._judge_construction, _together, self._unless_set_elsewhere, self.is_left_out
        )
        self.wrappers = StubWrappers(analysis, self.is_left_out)
        self.absence = Absence(analysis, self.is_left_out)

    def table(self, uses: Callable[[], list[StubUse]]) -> Table:
        """`uses` gives the stubs of the repository, which are looked for only where they can matter."""
        self._uses = uses
        rows: list[Entity] = []
        files = self.analysis.search.files_with(lib.GRPC.encode())
        direct = self.analysis.constructions(lib.GRPC, *CONSTRUCTORS, leave_out=self.is_left_out)
        for construction in direct:
            rows.extend(row for row in self._rows(construction) if not self.is_left_out(row.location.path))
        known = {(c.site.file.path, c.site.start) for c in direct}
        for name in CONSTRUCTORS:
            held = self.analysis.search.calls_by_value(lib.GRPC, name, self.is_left_out)
            sites = [c for c in held if (c.root.file.path, c.call.start) not in known]
            for construction in self.analysis.constructions_at(sites, frozenset([(lib.GRPC, name)])):
                rows.extend(
                    r for r in self._rows(construction, name) if not self.is_left_out(r.location.path)
                )
        rows.extend(self._framework_rows())
        relevant = [p for p in files if not self.is_left_out(p) and _MAKES.search(self._bytes(p))]
        rows.sort(key=lambda row: row.location)
        return Table("grpc_client", tuple(rows), tuple(relevant), self.problems(relevant))

    def _framework_rows(self) -> Iterator[Entity]:
        """Connections that go-zero, kratos and their like make."""
        unseen = Guard("unknown", "the code around it is not reached by what is followed")
        for framework in FRAMEWORKS:
            made = self.analysis.constructions(framework.path, *framework.names, leave_out=self.is_left_out)
            for construction in made:
                call = construction.call
                unary = unseen if call is None else framework.judge(construction.evaluator, call)
                stream = unary if unary.guarded != "yes" else Guard("no", "the framework guards unary calls")
                yield self._row(construction, ConnectionGuards(unary, stream))

    def _bytes(self, path: str) -> bytes:
        return self.analysis.program.repository.read(path) or b""

    def is_left_out(self, path: str) -> bool:
        """Test and vendored code does not serve anybody."""
        return self.analysis.program.repository.kind(path) in LEFT_OUT

    def problems(self, paths: list[str]) -> tuple[Problem, ...]:
        """Syntax errors in the packages of these files."""
        program = self.analysis.program
        found: set[Problem] = set()
        for path in paths:
            package = program.package_of(path)
            for sibling in package.files if package is not None else (path,):
                file = program.file(sibling)
                if file is not None and file.error_line:
                    found.add(Problem(sibling, file.error_line, "syntax error"))
        return tuple(sorted(found, key=lambda p: (p.path, p.line)))

    # ------------------------------------------------------------ judging

    def judge(self, ev: Evaluator, call: Extern) -> ConnectionGuards:
        """What guards the connection that a call of Dial, DialContext or NewClient makes."""
        known = self._judged.get(id(call))
        if known is None or known[0] is not call:
            unary, stream = self._kind(ev, call, "unary"), self._kind(ev, call, "stream")
            guards = ConnectionGuards(unary, stream, self._has_settings_of_caller(ev, call, unary, stream))
            known = self._judged[id(call)] = (call, guards)
        return known[1]

    @staticmethod
    def _has_settings_of_caller(ev: Evaluator, call: Extern, *guards: Guard) -> bool:
        """True when a setting of a breaker is not known and a parameter gets into the options."""
        if not any(g.guarded == "yes" and None in g.settings for g in guards) or call.state is None:
            return False
        options = [v for value in (call.args or ())[CONSTRUCTORS.get(call.name, 1) :] for v in value]
        return any(isinstance(v, Input) for _, v in reach(ev, call.state, options))

    def _kind(self, ev: Evaluator, call: Extern, kind: str) -> Guard:
        state = call.state
        assert state is not None
        paths = [
            self._path(ev, one, kind, state)
            for options in option_lists(ev, call, CONSTRUCTORS.get(call.name, 1))
            for one in installed(ev, options, kind)
        ]
        found = all_of(paths)
        better = found.mixed or any(p.depends_on_caller for p in paths)
        if ev.undecided_inputs and found.guarded == "no" and better:
            found = Guard("unknown", "what the caller gives decides it", found.sites, depends_on_caller=True)
        broken = ev.unparsed()
        return Guard("unknown", f"{broken} does not parse", found.sites, broken=True) if broken else found

    def _path(self, ev: Evaluator, one: Installed, kind: str, state: State) -> Guard:
        found = self.breakers.any_of(ev, one.interceptors, kind, state)
        if found.guarded == "yes":
            return found
        if one.replaced:
            lost = self.breakers.any_of(ev, one.replaced, kind, state)
            if lost.guarded == "yes":
                return Guard("no", f"a later {kind} interceptor replaces the breaker's", lost.sites)
        if not one.open:
            return found if one.interceptors else Guard("no", f"no {kind} interceptor is installed")
        inputs = [v for v in one.open if isinstance(v, Input)]
        if inputs:
            return Guard("unknown", f"{inputs[0].origin} may add interceptors", depends_on_caller=True)
        v = one.open[0]
        reason = v.reason if isinstance(v, Unknown) else "an option that cannot be followed"
        return Guard("unknown", reason, broken=one.is_broken)

    # ------------------------------------------------------------ rows

    def _rows(self, construction: Construction, by_value: str = "") -> list[Entity]:
        """The rows of a construction. `by_value` names the function where a variable or field holds it."""
        own = self._judge_construction(construction)
        if by_value and construction.call is None:
            open_ = Guard("unknown", "who calls it, and how, is not followed", depends_on_caller=True)
            own = ConnectionGuards(open_, open_)
        below: list[tuple[Construction, ConnectionGuards]] = []
        if own.depends_on_caller:
            targets = frozenset([(lib.GRPC, by_value)]) if by_value else TARGETS
            own, below = self.perspectives.of(construction, own, targets)
        below = [(seen, self._unless_absent(seen, guards)) for seen, guards in below]
        if not below:
            own = self._unless_absent(construction, own)
        agree = len({(g.unary.guarded, g.stream.guarded) for _, g in below}) < 2
        if below:
            differ = Guard("unknown", "it depends on the caller")
            own = _together([g for _, g in below]) if agree else ConnectionGuards(differ, differ)
        elif not own.depends_on_caller and _takes_options(construction):
            below = [(seen, own) for seen in self.analysis.callers_of(construction)]
        alike = agree and len({(g.unary.settings, g.stream.settings) for _, g in below}) < 2
        if below and self.is_left_out(construction.site.file.path):
            alike = False  # the construction has no row of its own
        callers = [self.analysis.location(c.seen_from or c.site).path for c, _ in below]
        return [
            self._row(construction, own, counts=alike, callers=tuple(callers), name=by_value),
            *(self._row(c, g, counts=not alike, name=by_value) for c, g in below),
        ]

    def _unless_absent(self, construction: Construction, guards: ConnectionGuards) -> ConnectionGuards:
        """Nothing guards a connection where the repository decides what it gets, and has nothing that does."""
        if "unknown" not in (guards.unary.guarded, guards.stream.guarded):
            return guards
        if not self.absence.is_closed(construction) or self.wrappers.wraps_connections():
            return guards
        if self.absence.has_breaker and self.absence.has_breaking_interceptor:
            return guards
        absent = _NOT_INSTALLED if self.absence.has_breaker else _ABSENT
        unary, stream = (absent if g.guarded == "unknown" else g for g in (guards.unary, guards.stream))
        return ConnectionGuards(unary, stream)

    def _unless_set_elsewhere(
        self, guards: ConnectionGuards, helper: Declaration, seen: list[Construction]
    ) -> ConnectionGuards:
        """What was judged of an object is not known once a function that was not seen sets what it reads."""
        pair: list[Guard] = []
        for found in (guards.unary, guards.stream):
            place = self.analysis.settings_elsewhere(helper, seen, additions=found.guarded == "no")
            if place is not None and found.guarded != "unknown":
                because = "a field that it reads is set elsewhere as well"
                found = Guard("unknown", because, ((place, "set here"),))
            pair.append(found)
        return ConnectionGuards(pair[0], pair[1])

    def _judge_construction(self, construction: Construction) -> ConnectionGuards:
        if construction.call is None:
            because = construction.failed or "the code around it is not reached by what is followed"
            unknown = Guard("unknown", because, broken=bool(construction.failed))
            return ConnectionGuards(unknown, unknown)
        judged = [self.judge(construction.evaluator, c) for c in construction.calls or (construction.call,)]
        return _together(judged)

    def _row(
        self,
        construction: Construction,
        guards: ConnectionGuards,
        *,
        counts: bool = True,
        callers: tuple[str, ...] = (),
        name: str = "",
    ) -> Entity:
        place = construction.seen_from or construction.site
        location = self.analysis.location(place)
        via = None
        if construction.seen_from is not None:
            made = self.analysis.location(construction.site)
            via = f"{made.path}:{made.line}"
        guards, whole = self._with_stubs(construction, guards)
        fields = {
            "constructor": Answer(f"grpc.{name}" if name else self._constructor(construction)),
            "target": Answer(self._target(construction)),
            "via": Answer(via),
            "counts": Answer(YES if counts else NO),
            "made_for": Answer(tuple(dict.fromkeys((location.path, *callers)))),
            "guarded": self._answer(self._with_streams(construction, guards, whole), location),
            **self.guard_fields(guards, location, whole),
        }
        row = Entity("grpc_client", location, fields)
        self.note_open(row, whole, construction.evaluator)
        return row

    def note_open(self, row: Entity, guard: Guard, ev: Evaluator) -> None:
        """Remembers a row about which the environment may decide."""
        if not ev.asks_environment and not guard.asks_environment:
            return
        is_open = guard.mixed or (guard.guarded == "yes" and None in guard.settings)
        if is_open or guard.reads_environment:
            self.open_rows.add(key_of(row))

    def _with_streams(self, construction: Construction, guards: ConnectionGuards, whole: Guard) -> Guard:
        """What guards every call: streams too, unless no stub on the connection is known to open any."""
        if whole is not guards.unary or whole.guarded != "yes" or guards.stream.guarded == "yes":
            return whole
        streams = {use.has_streams for use in self._uses() if construction.site in use.connections}
        if streams == {False}:
            return whole
        because = f"unary calls only; whether there are streams is not known ({guards.stream.because})"
        return Guard("unknown", because, guards.stream.sites)

    def _with_stubs(
        self, construction: Construction, guards: ConnectionGuards
    ) -> tuple[ConnectionGuards, Guard]:
        """What guards the calls on a connection, by the stubs that are built on it as well."""
        if guards.unary is _ABSENT:
            return guards, _ABSENT
        if guards.unary.guarded == "unknown" or "yes" == guards.unary.guarded == guards.stream.guarded:
            return guards, guards.unary
        looks = self.wrappers.hinted() or self.wrappers.wraps_connections()
        if guards.unary.guarded == "no" and not looks:
            return guards, guards.unary
        uses = [use for use in self._uses() if construction.site in use.connections]
        if guards.unary.guarded == "yes":
            streams = True if any(use.has_streams for use in uses) else None
            return guards, overall(guards, streams)
        if not uses:
            return guards, self._past_stubs(guards.unary)
        joined = all_of([overall(use.guards, use.has_streams) for use in uses])
        unplaced = (use.guards.unary.guarded for use in self._uses() if not use.connections)
        if joined.guarded == "yes" and "unknown" in unplaced:
            joined = Guard("unknown", "a stub may be built on it past its wrapper")
        return guards, joined

    def _past_stubs(self, guard: Guard) -> Guard:
        """go-kit makes calls without a stub, and guards them one by one."""
        if not self.wrappers.guards_endpoints():
            return guard
        return Guard("unknown", "whether every endpoint on it has a breaker is not followed")

    def guard_fields(self, guards: ConnectionGuards, location: Location, whole: Guard) -> dict[str, Answer]:
        """The fields about breakers that connections and stubs share."""
        unary = self._answer(guards.unary, location)
        stream = self._answer(guards.stream, location)
        both = [g for g in (guards.unary, guards.stream) if g.guarded == "yes"]
        if not both and whole.guarded == "yes":
            both = [whole]
        kind = "streams: " if whole is guards.stream and whole is not guards.unary else ""
        really = replace(whole, guarded="no") if whole.useless and whole.guarded == "yes" else whole
        answer = self._answer(really, location, kind)
        fields = {"unary_breaker": unary, "stream_breaker": stream, "circuit_breaker": answer}
        for name in ("max_failures", "reset_timeout_s", "half_open_max_calls"):
            values = {getattr(g, name) for g in both}
            value = values.pop() if len(values) == 1 else None
            sites = both[0].setting_sites if both else ()
            proof = tuple(self.analysis.location(site, note) for site, note in sites)
            because = (
                "no breaker is there" if not both else "" if value is not None else "it comes from outside"
            )
            fields[name] = Answer(value, because, proof)
        return fields

    def _answer(self, guard: Guard, location: Location, kind: str = "") -> Answer:
        proof = (
            location.noted("the connection is made here"),
            *(self.analysis.location(site, note) for site, note in guard.sites),
        )
        return Answer(guard.guarded, kind + guard.because, proof, guard.broken and guard.guarded != "yes")

    @staticmethod
    def _constructor(construction: Construction) -> str | None:
        """Package and function, whatever name the import has."""
        call, site = construction.call, construction.site
        if call is not None:
            return f"{assumed_names(call.path)[0]}.{call.name}"
        found = _CALLED.match(site.file.data, site.start, site.end)
        return f"grpc.{found.group(1).decode()}" if found is not None else None

    def _target(self, construction: Construction) -> str | None:
        calls = construction.calls or ((construction.call,) if construction.call is not None else ())
        targets = {self._target_of(construction.evaluator, call) for call in calls}
        return targets.pop() if len(targets) == 1 else None

    def _target_of(self, ev: Evaluator, call: Extern) -> str | None:
        if not call.args:
            return None
        if call.path != lib.GRPC:
            return client_frameworks.target(ev, call)
        index = _TARGET.get(call.name, 0)
        value = ev.force(call.args[index]) if index < len(call.args) else ()
        if len(value) == 1 and isinstance(value[0], Const) and isinstance(value[0].value, str):
            return re.sub(r"//[^/@\s]+@", "//****@", value[0].value)
        return None
