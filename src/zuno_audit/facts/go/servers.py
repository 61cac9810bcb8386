"""Every gRPC server that the repository makes, and whether it recovers from panics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go import server_frameworks
from zuno_audit.facts.go.absence import Absence
from zuno_audit.facts.go.analysis import MAX_CALLER_LEVELS, Analysis, Construction, analysis
from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.client_frameworks import ZRPC
from zuno_audit.facts.go.interceptors import Installed, holds_parameter, installed, option_lists
from zuno_audit.facts.go.method_recovery import REGISTER, MethodRecovery
from zuno_audit.facts.go.perspectives import Perspectives
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.recovery import Recovery, RecoveryQuestion, all_of
from zuno_audit.facts.go.values import Input, Site, Unknown
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.values import State

LEFT_OUT = (FileKind.TEST, FileKind.VENDORED)
_KRATOS = tuple(root + "/transport/grpc" for root in lib.KRATOS)
CONSTRUCTORS = (
    (lib.GRPC, "NewServer"),
    (lib.XDS, "NewGRPCServer"),
    *((path, "NewServer") for path in _KRATOS),
    *server_frameworks.SERVERS,
)
MAX_USERS = 40


def table(store: FactStore) -> Table:
    """`grpc_server`: one row per construction, and one per call of a helper that makes servers.

    Fields: service, via, used_in (the file itself and, for a server that a helper makes alike for everybody, the
    files that call the helper), counts (yes for one row of each server: the construction where all callers get
    the same, else each call of the helper), made_for (the file itself and those that lead to it),
    unary_recovery, stream_recovery, any_recovery, internal (codes.Internal on both kinds that recover),
    logs_stack (zerolog with the stack on both), unary_stopped and stream_stopped (a panic becomes an error by an
    interceptor, or in every method of every service that the server is known to serve).
    """
    return _Question(store.get(analysis)).table()


class _Judgement(Struct, frozen=True):
    """`shared`: a variable of the package may have been given its value by then, which the callers tell."""

    unary: Recovery
    stream: Recovery
    shared: bool = False

    @property
    def depends_on_caller(self) -> bool:
        return self.shared or self.unary.depends_on_caller or self.stream.depends_on_caller


class _Question:
    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.recovery = RecoveryQuestion(analysis.types)
        self.perspectives = Perspectives(
            analysis, self._judge, _together, self._unless_set_elsewhere, self._is_left_out
        )
        self.rows: list[tuple[Entity, Declaration]] = []  # with the function that makes the server
        self.absence = Absence(analysis, self._is_left_out)
        self.problems: list[Problem] = []

    def table(self) -> Table:
        files: set[str] = set()
        for path, name in CONSTRUCTORS:
            among = self.analysis.search.files_with(path.encode(), name.encode())
            among = [p for p in among if not self._is_test(p)]
            files.update(p for p in among if not self._is_left_out(p))
            direct = self.analysis.constructions(path, name, among=among)
            for construction in direct:
                self._rows(construction, path, name)
            known = {(c.site.file.path, c.site.start) for c in direct}
            held = self.analysis.search.calls_by_value(path, name, self._is_left_out, among)
            by_value = [c for c in held if (c.root.file.path, c.call.start) not in known]
            for construction in self.analysis.constructions_at(by_value, frozenset([(path, name)])):
                self._rows(construction, path, name, by_value=True)
        self._ask_methods()
        self._note_broken(files)
        rows = sorted((row for row, _ in self.rows), key=lambda row: row.location)
        return Table("grpc_server", tuple(rows), tuple(sorted(files)), tuple(self.problems))

    def _ask_methods(self) -> None:
        """Adds whether a panic is stopped, by an interceptor or by the methods themselves."""
        methods: MethodRecovery | None = None
        for i, (row, root) in enumerate(self.rows):
            fields = {}
            for kind in ("unary", "stream"):
                answer = row.get(f"{kind}_recovery")
                if answer.value != YES:
                    if methods is None:
                        roots = (root for row, root in self.rows if row.get("via").value is None)
                        methods = MethodRecovery(self.analysis, self.recovery, roots)
                    found = methods.of(root, kind)
                    if found is not None:
                        answer = self._answer(found, row.location)
                fields[f"{kind}_stopped"] = answer
            self.rows[i] = (replace(row, fields={**row.fields, **fields}), root)

    def _note_broken(self, files: set[str]) -> None:
        """Files that mention the constructor, or stand beside it, and do not parse; the rest of one that was cut
        off may have mentioned it."""
        program = self.analysis.program
        cut = self.analysis.search.cut_files_with(lib.GRPC.encode())
        files = files.union(path for path in cut if not self._is_left_out(path))
        for path in sorted(files):
            package = program.package_of(path)
            for sibling in package.files if package is not None else (path,):
                file = program.file(sibling)
                if file is not None and file.error_line:
                    self.problems.append(Problem(sibling, file.error_line, "syntax error"))
        self.problems = sorted(set(self.problems), key=lambda p: (p.path, p.line))

    # ------------------------------------------------------------ rows

    def _rows(self, construction: Construction, path: str, name: str, *, by_value: bool = False) -> None:
        own = self._judge(construction)
        if by_value and construction.call is None:
            open_ = Recovery("unknown", "who calls it, and how, is not followed", depends_on_caller=True)
            own = _Judgement(open_, open_)
        below: list[tuple[Construction, _Judgement]] = []
        if own.depends_on_caller:
            seen_alone = replace(own, shared=False)
            own, below = self.perspectives.of(construction, seen_alone, frozenset([(path, name)]))
            answers = {_told(j) for _, j in below}
            if not seen_alone.depends_on_caller and (
                "unknown" in sum(answers, ()) or answers == {_told(own)}
            ):
                own, below = seen_alone, []
            below = [(seen, self._unless_absent(seen, judgement)) for seen, judgement in below]
        if below:
            own = _Judgement(_agreed([j.unary for _, j in below]), _agreed([j.stream for _, j in below]))
        else:
            own = self._unless_absent(construction, own)
        if not below and not own.depends_on_caller and _takes_options(construction):
            below = [(seen, own) for seen in self.analysis.callers_of(construction)]
        users = () if below or own.depends_on_caller else self._users(construction.root)
        alike = len({(j.unary.recovers, j.stream.recovers) for _, j in below}) < 2
        agree = alike and not (below and self._is_left_out(construction.site.file.path))
        callers = [self.analysis.location(c.seen_from or c.site).path for c, _ in below]
        self._add(construction, own, users, counts=agree, callers=tuple(callers))
        for seen, judgement in below:
            self._add(seen, judgement, self._users(seen.root), counts=not agree)

    def _unless_absent(self, construction: Construction, judgement: _Judgement) -> _Judgement:
        """Nothing recovers where the repository decides what a server gets, and has nothing that does."""
        if "unknown" not in (judgement.unary.recovers, judgement.stream.recovers):
            return judgement
        if not self.absence.is_closed(construction) or self.absence.has_recovery:
            return judgement
        none = Recovery("no", "nothing in the repository recovers from panics of handlers")
        pair = (judgement.unary, judgement.stream)
        unary, stream = (none if found.recovers == "unknown" else found for found in pair)
        return _Judgement(unary, stream)

    def _unless_set_elsewhere(
        self, judgement: _Judgement, helper: Declaration, seen: list[Construction]
    ) -> _Judgement:
        """What was judged of an object is not known once a function that was not seen sets what it reads."""
        pair: list[Recovery] = []
        for found in (judgement.unary, judgement.stream):
            additions = found.recovers == "no"
            place = self.analysis.settings_elsewhere(helper, seen, additions=additions)
            if place is not None and found.recovers != "unknown":
                because = "a field that it reads is set elsewhere as well"
                found = Recovery("unknown", because, ((place, "set here"),))
            pair.append(found)
        return _Judgement(pair[0], pair[1])

    def _users(self, root: Declaration) -> tuple[str, ...]:
        """The files whose code leads to a function, by the names of the calls, nearest first."""
        found: dict[str, None] = {}
        pending = [(root, 0)]
        seen: set[int] = set()
        while pending and len(found) < MAX_USERS:
            declared, level = pending.pop(0)
            if id(declared.node) in seen or not isinstance(declared.node, s.FuncDecl):
                continue
            seen.add(id(declared.node))
            if declared.node.name in ("main", "init") or level >= MAX_CALLER_LEVELS:
                continue
            for site in self.analysis.callers(declared):
                found.setdefault(site.root.file.path)
                pending.append((site.root, level + 1))
        return tuple(found)

    def _add(
        self,
        construction: Construction,
        judgement: _Judgement,
        users: tuple[str, ...],
        *,
        counts: bool,
        callers: tuple[str, ...] = (),
    ) -> None:
        place = construction.seen_from or construction.site
        location = self.analysis.location(place)
        via = None
        if construction.seen_from is not None:
            made = self.analysis.location(construction.site)
            via = f"{made.path}:{made.line}"
        if self._is_left_out(location.path):
            return
        unary = self._answer(judgement.unary, location)
        stream = self._answer(judgement.stream, location)
        row = Entity(
            "grpc_server",
            location,
            {
                "service": Answer(self._service(construction)),
                "via": Answer(via),
                "used_in": Answer((location.path, *(u for u in users if u != location.path))),
                "counts": Answer(YES if counts else NO),
                "made_for": Answer(tuple(dict.fromkeys((location.path, *users, *callers)))),
                "any_recovery": _any(unary, stream),
                "unary_recovery": unary,
                "stream_recovery": stream,
                "internal": self._both(judgement, "internal", "code_because", "code_sites", location),
                "logs_stack": self._both(judgement, "logs_stack", "log_because", "log_sites", location),
            },
        )
        self.rows.append((row, construction.root))

    def _answer(self, recovery: Recovery, location: Location) -> Answer:
        proof = (
            location.noted("the server is made here"),
            *(self.analysis.location(site, note) for site, note in recovery.sites),
        )
        failed = recovery.broken and recovery.recovers != "yes"
        return Answer(recovery.recovers, recovery.because, proof, failed)

    def _both(
        self, judgement: _Judgement, value: str, because: str, sites: str, location: Location
    ) -> Answer:
        """An answer about both interceptors: the worse one decides. Without recovery there is none."""
        pair = (judgement.unary, judgement.stream)
        recovering = [r for r in pair if r.recovers == "yes" or getattr(r, value) == "no"]
        if not recovering:
            worst = min(pair, key=lambda r: r.recovers != "no")
            return Answer(None, "nothing stops a panic here", (location,), failed=worst.broken)
        worst = min(recovering, key=lambda r: {"no": 0, "unknown": 1, "yes": 2}[getattr(r, value)])
        proof = tuple(self.analysis.location(site, note) for site, note in getattr(worst, sites))
        return Answer(getattr(worst, value), getattr(worst, because), proof or (location,))

    def _is_test(self, path: str) -> bool:
        return self.analysis.program.repository.kind(path) is FileKind.TEST

    def _is_left_out(self, path: str) -> bool:
        return self.analysis.program.repository.kind(path) in LEFT_OUT

    def _service(self, construction: Construction) -> str | None:
        """The service that is registered in the function around the construction, by the generated name."""
        node = construction.root.node
        if not isinstance(node, s.FuncDecl):
            return None
        names = []
        for inner in s.nodes_of(node):
            if isinstance(inner, s.Call):
                found = REGISTER.match(called_name(inner))
                if found and found.group(1) not in names:
                    names.append(found.group(1))
        kept = [n for n in names if n not in ("Health", "ServerReflection")]
        return kept[0] if kept else None

    # ------------------------------------------------------------ judging

    def _judge(self, construction: Construction) -> _Judgement:
        if construction.call is None:
            because = construction.failed or "the code around it is not reached by what is followed"
            unknown = Recovery("unknown", because, broken=bool(construction.failed))
            return _Judgement(unknown, unknown)
        unary, stream = self._kind(construction, "unary"), self._kind(construction, "stream")
        return _Judgement(unary, stream, construction.evaluator.sees_shared and (unary.mixed or stream.mixed))

    def _kind(self, construction: Construction, kind: str) -> Recovery:
        ev = construction.evaluator
        if construction.call is not None and construction.call.path in ZRPC:
            return self._by_framework(construction, kind)
        paths = [
            self._path(ev, one, kind, call.state)
            for call in construction.calls
            if call.state is not None
            for options in option_lists(ev, call, 0)
            for one in installed(ev, options, kind)
        ]
        found = all_of(paths)
        is_kratos = construction.call is not None and construction.call.path in _KRATOS
        if is_kratos and kind == "unary" and found.recovers == "no" and self._is_said(construction, b".Use("):
            return Recovery("unknown", "middleware may be added to the server afterwards", found.sites)
        if ev.undecided_inputs and found.mixed:
            because = "what the caller gives decides it"
            return Recovery("unknown", because, found.sites, depends_on_caller=True)
        return found

    def _by_framework(self, construction: Construction, kind: str) -> Recovery:
        """go-zero's own recovery, or one that is added to the server afterwards, which is not followed."""
        otherwise = server_frameworks.default(self.analysis.program.repository)
        ev = construction.evaluator
        found = all_of([server_frameworks.recovery(ev, call, otherwise) for call in construction.calls])
        adds = f".Add{kind.title()}Interceptors(".encode()
        if found.recovers == "no" and self._is_said(construction, adds, b".AddOptions("):
            return Recovery("unknown", "interceptors are added to the server afterwards", found.sites)
        return found

    def _is_said(self, construction: Construction, *words: bytes) -> bool:
        """True when a file of the package around a construction has one of the words."""
        read = self.analysis.program.repository.read
        texts = [read(path) or b"" for path in construction.root.package.files]
        return any(word in text for text in texts for word in words)

    def _path(self, ev: Evaluator, one: Installed, kind: str, state: State) -> Recovery:
        if one.conflict is not None:
            site = one.conflict.site
            sites: tuple[tuple[Site, str], ...] = ((site, "second use"),) if site is not None else ()
            return Recovery("no", f"grpc panics: the {kind} interceptor is set twice", sites)
        found = self.recovery.any_of(ev, one.interceptors, kind, state)
        if found.recovers == "yes" and one.depends_on_caller:
            return replace(found, depends_on_caller=True)
        if found.recovers == "yes" or not one.open:
            return found if one.interceptors else Recovery("no", f"no {kind} interceptor is installed")
        v = one.open[0]
        if one.depends_on_caller:
            origin = next(x.origin for x in one.open if isinstance(x, Input))
            return Recovery("unknown", f"{origin} may add interceptors", depends_on_caller=True)
        reason = v.reason if isinstance(v, Unknown) else "an option that cannot be followed"
        return Recovery("unknown", reason, broken=one.is_broken)


def _together(judgements: list[_Judgement]) -> _Judgement:
    return _Judgement(all_of([j.unary for j in judgements]), all_of([j.stream for j in judgements]))


def _told(judgement: _Judgement) -> tuple[str, str]:
    return judgement.unary.recovers, judgement.stream.recovers


def _takes_options(construction: Construction) -> bool:
    """True when a parameter of the function around a construction gets into its options."""
    return any(
        holds_parameter(construction.evaluator, value, call.state)
        for call in construction.calls
        for value in call.args or ()
        if call.state is not None
    )


def _any(unary: Answer, stream: Answer) -> Answer:
    """Whether a panic of at least one kind of call is recovered."""
    best = max((unary, stream), key=lambda a: {"no": 0, "unknown": 1, "yes": 2}[str(a.value)])
    return Answer(best.value, best.because, best.proof, best.failed)


def _agreed(below: list[Recovery]) -> Recovery:
    """What all callers have in common, or unknown when they differ."""
    joined = all_of(below)
    if len({r.recovers for r in below}) == 1:
        return joined
    return Recovery("unknown", "its callers differ", joined.sites, broken=joined.broken)
