"""Every gRPC client stub that the repository builds, and what guards the connection that it is built on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.analysis import MAX_CALLER_LEVELS, Analysis, Construction, Targets, analysis
from zuno_audit.facts.go.breaker import Guard, all_of
from zuno_audit.facts.go.breaker_settings import Settings, configured, reach
from zuno_audit.facts.go.clients import (
    CONSTRUCTORS,
    ConnectionGuards,
    Connections,
    connection_guards,
    overall,
)
from zuno_audit.facts.go.environments import Environments, settled
from zuno_audit.facts.go.evaluate import Evaluator
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.search import CallSite
from zuno_audit.facts.go.values import (
    Extern,
    Func,
    Input,
    Nil,
    Opaque,
    Pointer,
    Site,
    State,
    Struct,
    Unknown,
    Val,
)
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import Answer, Entity, Table

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

# What protoc-gen-go-grpc writes (and older protoc-gen-go): func NewXClient(cc grpc.ClientConnInterface) XClient
_GENERATED = re.compile(
    rb"\nfunc (New(\w+)Client)\(\w+ (?:grpc\.ClientConnInterface|\*grpc\.ClientConn)\) \w+"
)
_CONSTRUCTOR = re.compile(rb"New\w+Client\b")
_BUILT = re.compile(rb"\.New\w+Client\(")
_FOREIGN_CALL = re.compile(rb"\b(\w+)\.(New\w+Client)\(")
_FOREIGN_PACKAGE = re.compile(
    r"(?:pb|proto|protos|grpc_health_v1)(?:/v\d+\w*)?$|/genproto/|/api/|/gen/|/go-control-plane/"
    r"|^google\.golang\.org/grpc/examples/"
)


def table(store: FactStore) -> Table:
    """`grpc_stub`: one row per construction of a client stub, and one per call of a helper that gets the connection.

    Fields: service, known_as (its file and its service), via, connection (path:line where it is made), and those of
    `grpc_client` about breakers. Settings (`has_settings` says whether there are any) are those of the breaker that
    guards the connection, else those that its configuration has.
    """
    found = store.get(stubs)
    return settled(found.table(), found.connections.open_rows, store.get(deployed_clients).stubs)


def deployed_clients(store: FactStore) -> DeployedClients:
    """The fact provider behind rows that the environment decides about."""
    return DeployedClients(Environments(store, store.get(analysis)))


def stubs(store: FactStore) -> Stubs:
    """The fact provider behind `grpc_stub`, which `grpc_client` asks as well."""
    return Stubs(store.get(analysis), store.get(connection_guards))


class StubUse(msgspec.Struct, frozen=True):
    """A stub on a connection: where that is made, whether the stub has streams, and what guards its calls."""

    connections: frozenset[Site]
    has_streams: bool | None
    guards: ConnectionGuards


class Stubs:
    """Judges stubs; the rows of `grpc_stub`."""

    def __init__(self, analysis: Analysis, connections: Connections) -> None:
        self.analysis = analysis
        self.connections = connections
        self.wrappers = connections.wrappers
        self.uses: list[StubUse] = []
        self._rows_found: list[Entity] = []
        self._files: set[str] = set()
        self._built_in: list[str] | None = None
        self._own: list[str] | None = None
        self.targets: Targets = frozenset(self._constructors())
        self._collect()

    def _collect(self) -> None:
        for construction, path, name in self._constructions():
            self._files.add(construction.site.file.path)
            for row, use in self._rows(construction, path, name):
                if not self.connections.is_left_out(row.location.path):
                    self._rows_found.append(row)
                    self.uses.append(use)

    def table(self) -> Table:
        rows = sorted(self._rows_found, key=lambda row: row.location)
        looked_at = tuple(sorted(self._files))
        return Table("grpc_stub", tuple(rows), looked_at, self.connections.problems(self._candidates()))

    def _candidates(self) -> list[str]:
        """Files that build a stub, as far as their bytes say; broken ones must not go unnoticed."""
        if self._built_in is None:
            read = self.analysis.program.repository.read
            self._built_in = [p for p in self._written() if _BUILT.search(read(p) or b"")]
        return self._built_in

    def _written(self) -> list[str]:
        """Files of the repository that name a client and are not generated."""
        if self._own is None:
            read = self.analysis.program.repository.read
            found = self.analysis.search.files_with(b"Client")
            own = (path for path in found if not self.connections.is_left_out(path))
            self._own = [path for path in own if not _is_generated(read(path) or b"")]
        return self._own

    def _names(self) -> dict[str, list[str]]:
        """Files by the names that look like constructors of stubs and stand in them."""
        found: dict[str, list[str]] = {}
        for path in self._written():
            for name in set(_CONSTRUCTOR.findall(self.analysis.program.repository.read(path) or b"")):
                found.setdefault(name.decode(), []).append(path)
        return found

    # ------------------------------------------------------------ where stubs are built

    def _constructors(self) -> Iterator[tuple[str, str]]:
        """Import paths and names of stub constructors: generated in the repository, or from elsewhere."""
        program = self.analysis.program
        for path in self.analysis.search.files_with(b"grpc.ClientConn"):
            data = program.repository.read(path) or b""
            package = program.package_of(path)
            if package is None or path not in package.files:
                continue
            for found in _GENERATED.finditer(data):
                yield package.path, found.group(1).decode()
        for path in self._candidates():
            yield from self._foreign(path)

    def _foreign(self, path: str) -> Iterator[tuple[str, str]]:
        program = self.analysis.program
        data = program.repository.read(path) or b""
        file = program.file(path)
        if file is None:
            return
        imported = program.imported(file)
        for alias, name in set(_FOREIGN_CALL.findall(data)):
            target = imported.get(alias.decode())
            if target is not None and program.package(target) is None and _FOREIGN_PACKAGE.search(target):
                yield target, name.decode()

    def _constructions(self) -> Iterator[tuple[Construction, str, str]]:
        """Every stub that is built, with the import path and name of its constructor."""
        search, names = self.analysis.search, self._names()
        made: dict[tuple[str, int], tuple[str, str]] = {}
        sites: list[CallSite] = []
        for path, name in sorted(self.targets):
            files = names.get(name, [])
            for site in search.calls_to(path, name, among=files):
                made[site.root.file.path, site.call.start] = (path, name)
                sites.append(site)
            for site in search.references_to(path, name, files):
                for construction in self.analysis.constructions_by(site, path, name):
                    yield construction, path, name
        for construction in self.analysis.constructions_at(sites, self.targets):
            place = construction.site
            yield (construction, *made[place.file.path, place.start])

    # ------------------------------------------------------------ rows

    def _rows(self, construction: Construction, path: str, name: str) -> Iterator[tuple[Entity, StubUse]]:
        guards = self._judge(construction)
        below: list[tuple[Construction, ConnectionGuards]] = []
        if guards.depends_on_caller and isinstance(construction.root.node, s.FuncDecl):
            self._callers(construction, construction.root, below, set(), 0)
        if below:
            joined = ConnectionGuards(
                all_of([g.unary for _, g in below]), all_of([g.stream for _, g in below])
            )
            guards = joined
        streams = self._has_streams(path, name)
        for seen, judged in ((construction, guards), *below):
            judged = self._wrapped(seen, judged, name)
            use = StubUse(self._made_at(seen), streams, judged)
            yield self._row(seen, judged, name, streams), use

    def _wrapped(self, construction: Construction, guards: ConnectionGuards, name: str) -> ConnectionGuards:
        """What guards the stub when its connection does not: the type of the repository that it is put into."""
        if guards.unary.guarded != "no" or construction.call is None:
            return guards
        found = self.wrappers.guard(construction, name)
        if found is None or found.guarded == "no":
            return guards
        made = guards.unary.sites[:1]
        found = replace(found, sites=(*made, *found.sites))
        return ConnectionGuards(found, found)

    def _has_streams(self, path: str, name: str) -> bool | None:
        """Whether generated code of this repository opens streams for a service; None for code from elsewhere."""
        package = self.analysis.program.package(path)
        if package is None:
            return None
        client = name.removeprefix("New")
        receiver = f") {client}".encode()
        method = re.compile(rb"\nfunc \(\w+ \*?" + (client[:1].lower() + client[1:]).encode() + rb"\)")
        for file in package.files:
            data = self.analysis.program.repository.read(file) or b""
            if receiver in data and method.search(data):
                bodies = (data[m.start() : data.find(b"\n}", m.start())] for m in method.finditer(data))
                return any(b"NewStream(" in body or b"NewClientStream(" in body for body in bodies)
        return None

    def _made_at(self, construction: Construction) -> frozenset[Site]:
        """Where the connections that a stub may be built on are made."""
        call = construction.call
        if call is None or call.state is None:
            return frozenset()
        reached = reach(construction.evaluator, call.state, self._connections(construction))
        return frozenset(
            v.site
            for _, v in reached
            if isinstance(v, Extern) and v.path == lib.GRPC and v.name in CONSTRUCTORS and v.site is not None
        )

    def _callers(
        self,
        construction: Construction,
        helper: Declaration,
        below: list[tuple[Construction, ConnectionGuards]],
        visited: set[int],
        level: int,
    ) -> None:
        if level >= MAX_CALLER_LEVELS or id(helper.node) in visited:
            return
        visited.add(id(helper.node))
        for seen in self.analysis.from_callers(construction, helper, self.targets):
            guards = self._judge(seen)
            above: list[tuple[Construction, ConnectionGuards]] = []
            if guards.depends_on_caller and isinstance(seen.root.node, s.FuncDecl):
                self._callers(construction, seen.root, above, visited, level + 1)
            below.extend(above or [(seen, guards)])

    def _row(
        self, construction: Construction, guards: ConnectionGuards, name: str, streams: bool | None
    ) -> Entity:
        location = self.analysis.location(construction.seen_from or construction.site)
        via = None
        if construction.seen_from is not None:
            made = self.analysis.location(construction.site)
            via = f"{made.path}:{made.line}"
        service = name.removeprefix("New").removesuffix("Client")
        fields = {
            "service": Answer(service),
            "known_as": Answer((location.path, service)),
            "via": Answer(via),
            "connection": Answer(self._connection(construction)),
            **self.connections.guard_fields(guards, location, overall(guards, streams)),
        }
        self._configured(construction, guards, fields)
        row = Entity("grpc_stub", location, fields)
        self.connections.note_open(row, overall(guards, streams), construction.evaluator)
        return row

    def _configured(
        self, construction: Construction, guards: ConnectionGuards, fields: dict[str, Answer]
    ) -> None:
        """Without a working breaker the settings are those that its configuration would have given it.

        Where code of the breaker does not parse, what it makes of them is not known.
        """
        fields["has_settings"] = Answer("yes")
        if "yes" in (guards.unary.guarded, guards.stream.guarded):
            return
        call = construction.call
        is_broken = guards.unary.broken or guards.stream.broken
        settings = None
        if call is not None and call.state is not None:
            settings = self._settings_near(construction.evaluator, call)
        if settings is None:
            undecided = "unknown" in (guards.unary.guarded, guards.stream.guarded)
            has = "unknown" if undecided else "no"
            fields["has_settings"] = Answer(has, "no breaker is configured", (), is_broken)
            return
        for field, (value, site) in settings.items():
            proof = (self.analysis.location(site, "configured here"),) if site is not None else ()
            because = "as configured; the breaker itself does not work"
            fields[field] = Answer(None if is_broken else value, because, proof, is_broken)

    def _settings_near(self, ev: Evaluator, call: Extern) -> Settings | None:
        """The one configuration in reach of the connection, else the one that is in memory at all."""
        assert call.state is not None
        types = self.analysis.types
        connection = [v for value in call.args or () for v in ev.force(value)]
        near = configured(ev, types, call.state, connection)
        if near is not None:
            return near
        cells = [*call.state.cells.values(), *ev.heap.values()]
        return configured(ev, types, call.state, [v for value in cells for v in value])

    def _connection(self, construction: Construction) -> str | None:
        for v in self._connections(construction):
            if isinstance(v, Extern) and v.site is not None:
                made = self.analysis.location(v.site)
                return f"{made.path}:{made.line}"
        return None

    def _connections(self, construction: Construction) -> tuple[Val, ...]:
        call = construction.call
        return () if call is None else _connections_of(construction.evaluator, call)

    # ------------------------------------------------------------ judging

    def _judge(self, construction: Construction) -> ConnectionGuards:
        call = construction.call
        if call is None or call.state is None:
            because = construction.failed or "the code around it is not reached by what is followed"
            unknown = Guard("unknown", because, broken=bool(construction.failed))
            return ConnectionGuards(unknown, unknown)
        ev = construction.evaluator
        found = [
            self._one(ev, v, one.state)
            for one in construction.calls or (call,)
            for v in _connections_of(ev, one)
            if one.state is not None
        ]
        if not found:
            nothing = Guard("unknown", "the connection cannot be followed")
            return ConnectionGuards(nothing, nothing)
        return ConnectionGuards(all_of([g.unary for g in found]), all_of([g.stream for g in found]))

    def _one(self, ev: Evaluator, v: Val, state: State) -> ConnectionGuards:
        if isinstance(v, Extern) and v.path == lib.GRPC and v.name in CONSTRUCTORS and v.args is not None:
            guards = self.connections.judge(ev, v)
            made = ((v.site, "the connection is made here"),) if v.site is not None else ()
            return ConnectionGuards(
                replace(guards.unary, sites=(*made, *guards.unary.sites)),
                replace(guards.stream, sites=(*made, *guards.stream.sites)),
            )
        if isinstance(v, Pointer | Struct):
            return self._own_connection(ev, v, state)
        if isinstance(v, Input):
            depends = Guard("unknown", f"{v.origin} decides it", depends_on_caller=True)
            return ConnectionGuards(depends, depends)
        reason = v.reason if isinstance(v, Unknown) else "the connection cannot be followed"
        unknown = Guard("unknown", reason, broken=isinstance(v, Unknown) and v.broken)
        return ConnectionGuards(unknown, unknown)

    def _own_connection(self, ev: Evaluator, v: Val, state: State) -> ConnectionGuards:
        """A type of the repository that is used as a connection: its own Invoke and NewStream decide."""
        guards: list[Guard] = []
        for kind, method in (("unary", "Invoke"), ("stream", "NewStream")):
            site = v.site
            if site is None:
                guards.append(Guard("unknown", "the connection cannot be followed"))
                continue
            found: list[Guard] = []
            for target in ev.select((v,), method, state, site):
                if isinstance(target, Func):
                    found.append(self.connections.breakers.connection(ev, target, kind, state))
                elif isinstance(target, Extern) and target.recv is not None:
                    inner = [
                        self._one(ev, x, state) for x in ev.force(target.recv) if not isinstance(x, Opaque)
                    ]
                    found.extend(g.unary if kind == "unary" else g.stream for g in inner)
            guards.append(all_of(found))
        return ConnectionGuards(guards[0], guards[1])


class DeployedClients:
    """The tables of connections and stubs for each environment that the code of a file is deployed in."""

    def __init__(self, environments: Environments) -> None:
        self._environments = environments
        self._stubs: dict[int, tuple[Stubs, Table]] = {}  # by the analysis of an environment
        self._connections: dict[int, Table] = {}

    def stubs(self, path: str) -> list[Table]:
        """The tables of stubs."""
        return [self._of(world)[1] for world in self._environments.of(path)]

    def connections(self, path: str) -> list[Table]:
        """The tables of connections."""
        found: list[Table] = []
        for world in self._environments.of(path):
            if id(world) not in self._connections:
                made = self._of(world)[0]
                self._connections[id(world)] = _connection_table(made)
            found.append(self._connections[id(world)])
        return found

    def _of(self, world: Analysis) -> tuple[Stubs, Table]:
        if id(world) not in self._stubs:
            made = Stubs(world, Connections(world))
            self._stubs[id(world)] = made, made.table()
        return self._stubs[id(world)]


def _connection_table(made: Stubs) -> Table:
    return made.connections.table(lambda: made.uses)


def _connections_of(ev: Evaluator, call: Extern) -> tuple[Val, ...]:
    return tuple(v for v in ev.force(call.args[0]) if not isinstance(v, Nil)) if call.args else ()


def _is_generated(data: bytes) -> bool:
    head = data[:2000]
    return b"// Code generated " in head and b" DO NOT EDIT." in head
