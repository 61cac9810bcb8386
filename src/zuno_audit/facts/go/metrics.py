"""Prometheus metrics: names, types and labels as they are exported, whether they are registered, and who
serves them.

Only github.com/prometheus/client_golang counts; what OpenTelemetry, tally and others export under which name
is decided outside of the code. Names are put together as prometheus.BuildFQName does it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from zuno_audit.facts.deployed import environments
from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.collectors import (
    TOO_LATE,
    UNREGISTERED,
    VALUE_KINDS,
    Collectors,
    Registration,
)
from zuno_audit.facts.go.evaluate import Limits
from zuno_audit.facts.go.foreign_handlers import foreign_handlers
from zuno_audit.facts.go.late import is_late
from zuno_audit.facts.go.origins import origins
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reach import Reach, reach
from zuno_audit.facts.go.registries import (
    NO_WRAP,
    PROMETHEUS,
    Registerer,
    Registries,
    RegistryFlow,
    Wrap,
    are_exported,
    every,
)
from zuno_audit.facts.go.search import Use
from zuno_audit.facts.go.series import makes_series
from zuno_audit.facts.go.switches import switches
from zuno_audit.facts.go.texts import Hole, Template, Texts
from zuno_audit.facts.go.values import Const, Extern, Func, Map, MapData, Seq, State, Struct, Value
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, LazyFields, Problem, Table
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.evaluate import Evaluator

PROMAUTO = PROMETHEUS + "/promauto"
PROMHTTP = PROMETHEUS + "/promhttp"
MAX_LEVELS = 3  # functions between a construction and the call that knows its name
MAX_CALLERS = 60
MAX_WRAPS = 6  # ways to wrap the registerer of one construction
_KINDS = ("Counter", "Gauge", "Histogram", "Summary", "Untyped")
_CONSTRUCTORS = {f"New{kind}{suffix}": kind.lower() for kind in _KINDS for suffix in ("", "Vec", "Func")}
_HANDLERS = ("Handler", "HandlerFor", "HandlerForTransactional")
_NOTHING = s.BadNode(0, 0)
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")


class Metric(msgspec.Struct, frozen=True):
    """One metric. `name` and `labels` are None when they are not known; `binaries` can run it."""

    name: str | None
    kind: str
    labels: tuple[str, ...] | None
    location: Location
    registration: Registration
    binaries: tuple[str, ...]
    vector: tuple[Declaration, s.Call] | None = None  # where it is made, if it has series by label
    last: str = ""  # the part of the name that the options call Name, where nobody says the rest


NEVER_RUNS = "the code that makes it never runs"


def _is_bare(call: s.Call) -> bool:
    """True for a metric with no options at all: a stand-in that nobody is to see."""
    options = call.args[0] if call.args else None
    return isinstance(options, s.CompositeLit) and not options.elements


class _NeedsCallerError(Exception):
    """Raised inside this module when only a caller knows; never leaves it."""


class _Seen(msgspec.Struct, frozen=True):
    """An expression as it is seen through a chain of calls: `chain[0]` is the call of the function around
    it.
    """

    expr: s.Expr
    root: Declaration
    chain: tuple[Use, ...]


def metrics(store: FactStore) -> tuple[Metric, ...]:
    """Every metric that code of the repository makes, tests left out; sorted by place."""
    asked = store.get(analysis)
    found = _Finder(asked, asked.texts, store.get(reach)).metrics()
    return tuple(sorted(found, key=lambda m: (m.location, m.name or "")))


def metric_table(store: FactStore) -> Table:
    """Table `metric`.

    Fields: `name` (None if not known; of a metric that is never made, what is known of it), `type` (counter,
    gauge, histogram, summary, untyped or unknown), `labels` (None if not known; constant ones included),
    `registered` yes/no/unknown, `in_library` (yes in a module that no program of the repository
    is built with for certain), `read_back` (yes for one that nothing registers since the program reads it itself or
    only sees whether it can be made), `binaries` (folders of the main packages that can run the code that makes
    it), `served` yes/no/unknown (one of them serves a Prometheus handler of the registry that the metric is
    in), `served_by` (those that do; None if that is not known) and `written` (no: it is a vector of which nothing that
    runs makes a series).
    """
    asked = store.get(analysis)
    rows = tuple(_row(store, asked, metric) for metric in store.get(metrics))
    files = tuple(asked.search.files_with(b"prometheus"))
    problems = tuple(_problems(asked, files))
    return Table("metric", rows, files or tuple(asked.search.files_with(b"package")), problems)


def _problems(asked: Analysis, files: tuple[str, ...]) -> Iterator[Problem]:
    for path in files:
        data = asked.program.repository.read(path) or b""
        if PROMETHEUS.encode() in data:
            file = asked.program.file(path)
            if file is not None and file.error_line:
                yield Problem(path, file.error_line, "syntax error")


def _row(store: FactStore, asked: Analysis, metric: Metric) -> Entity:
    registration = metric.registration
    proof = (metric.location, *((registration.place,) if registration.place is not None else ()))
    reachable = store.get(reach)
    in_library = reachable.is_library(metric.location.path)

    def written() -> dict[str, Answer]:
        return {
            "written": makes_series(*metric.vector, asked, reachable, store.get(origins))
            if metric.vector
            else Answer(YES)
        }

    fields = {
        "name": _name(metric),
        "type": Answer(metric.kind),
        "labels": Answer(metric.labels, "" if metric.labels is not None else "its labels are computed"),
        "registered": Answer(registration.answer, registration.why, proof),
        "in_library": Answer(YES if in_library else NO, "", proof),
        "read_back": Answer(YES if registration.is_read_back else NO, "", proof),
        "binaries": Answer(metric.binaries),
    }
    later: dict[tuple[str, ...], Callable[[], dict[str, Answer]]] = {
        ("served", "served_by"): partial(_serving_of, store, metric, proof, in_library),
        ("written",): written,
    }
    return Entity("metric", metric.location, LazyFields(fields, later))


def _serving_of(
    store: FactStore, metric: Metric, proof: tuple[Location, ...], in_library: bool
) -> dict[str, Answer]:
    """Whether and by which binaries a metric is served, as their deployments have the settings."""
    registration, serving = metric.registration, store.get(_serving)
    answers = {binary: serving.serves(binary, registration.registerers) for binary in metric.binaries}
    off = {b: _switched_off(store, registration, b) for b, answer in answers.items() if answer == YES}
    answers |= {binary: UNKNOWN for binary, place in off.items() if place is not None}
    served_by: tuple[str, ...] | None = tuple(b for b, answer in answers.items() if answer == YES)
    if not served_by and UNKNOWN in answers.values():
        served_by = None
    served = _served(registration, answers, proof)
    if served.value == UNKNOWN and any(off.values()):
        places = tuple(place for place in off.values() if place is not None)
        served = Answer(UNKNOWN, "a setting that is off keeps it from being registered", (*proof, *places))
    if served.value == NO and registration.answer != NO and in_library:
        served = Answer(UNKNOWN, "it belongs to a library, whose users decide who serves it", proof)
    found = served_by if registration.answer != NO else ()
    return {"served": served, "served_by": Answer(found, served.because, served.proof)}


def _switched_off(store: FactStore, registration: Registration, binary: str) -> Location | None:
    """The setting that keeps a metric from being registered where a binary runs."""
    known = store.get(switches)
    for environment in environments(store, binary):
        out = [known.off(call, root, environment) for root, call in registration.sites]
        if out and None not in out:
            return out[0]
    return None


def _name(metric: Metric) -> Answer:
    if metric.name is None and metric.registration.answer == NO:
        return Answer(metric.last, "the code that would complete its name never runs", (metric.location,))
    return Answer(metric.name, "" if metric.name else "its name is computed", (metric.location,))


def _served(registration: Registration, answers: dict[str, str], proof: tuple[Location, ...]) -> Answer:
    if registration.answer == NO:
        return Answer(NO, registration.why, proof)
    if YES in answers.values():
        if registration.answer == UNKNOWN:
            return Answer(UNKNOWN, registration.why, proof)
        return Answer(YES, "", proof)
    if UNKNOWN in answers.values():
        return Answer(UNKNOWN, "it is not known whether a served handler exports its registry", proof)
    return Answer(NO, "no binary that has it serves a Prometheus handler for its registry", proof)


# ---------------------------------------------------------------- who serves which registry


class _Serving:
    """The Prometheus handlers that binaries serve, and the registries that they export."""

    def __init__(self, store: FactStore) -> None:
        self.by_binary: dict[str, str] = {}
        for row in store.table("http_route").rows:
            if row.fields["kind"].value == "prometheus":
                binary, served = str(row.fields["binary"].value), str(row.fields["served"].value)
                if served == YES:
                    served = str(row.fields["on"].value)
                if self.by_binary.get(binary) != YES:
                    self.by_binary[binary] = served
        asked, reachable = store.get(analysis), store.get(reach)
        collectors = Collectors(asked, asked.texts, reachable)
        self.flow = RegistryFlow(asked, asked.texts, reachable, collectors)
        self.handlers: dict[str, list[Registerer]] = {}
        for site in asked.search.calls_to(PROMHTTP, *_HANDLERS) if self.by_binary else ():
            assert isinstance(site.call, s.Call)
            given = Registerer()
            if called_name(site.call) != "Handler":
                given = Registerer(site.call.args[0] if site.call.args else _NOTHING, site.root)
            for binary in reachable.binaries(site.root.file.path, site.call.start):
                self.handlers.setdefault(binary, []).append(given)
        self._exported: dict[str, Registries] = {}
        self.foreign = store.get(foreign_handlers)
        self.reachable = reachable

    def serves(self, binary: str, registerers: tuple[Registerer, ...]) -> str:
        """Whether a binary serves the metrics that are registered so."""
        served = self.by_binary.get(binary, NO)
        if served == NO or not self.handlers.get(binary):
            return UNKNOWN if binary in self.foreign else NO
        answers = {are_exported(self.flow.of(r, binary), self._exports(binary)) for r in registerers}
        if True in answers:
            return served
        is_open = None in answers or not answers or binary in self.foreign
        return UNKNOWN if is_open else NO

    def _exports(self, binary: str) -> Registries:
        """The registries that the handlers of a binary export."""
        if binary not in self._exported:
            self._exported[binary] = every(self.flow.of(h, binary) for h in self.handlers[binary])
        return self._exported[binary]


def _serving(store: FactStore) -> _Serving:
    return _Serving(store)


# ---------------------------------------------------------------- constructions


class _Finder:
    """Finds the constructions and puts their names together."""

    def __init__(self, asked: Analysis, texts: Texts, reachable: Reach) -> None:
        self.asked, self.texts, self.reachable = asked, texts, reachable
        self.program = asked.program
        self.collectors = Collectors(asked, texts, reachable)
        self.flow = RegistryFlow(asked, texts, reachable, self.collectors)

    def metrics(self) -> Iterator[Metric]:
        """All metrics."""
        for path in self.asked.search.files_with(PROMETHEUS.encode()):
            data = self.program.repository.read(path) or b""
            names = [n for n in (*_CONSTRUCTORS, "NewDesc") if n.encode() + b"(" in data]
            for root in self.asked.search.roots(path, b"New") if names else ():
                for node in s.walk(root.node):
                    if isinstance(node, s.Call) and called_name(node) in names and node.args:
                        yield from self._construction(root, node)

    def _construction(self, root: Declaration, call: s.Call) -> Iterator[Metric]:
        maker = self._maker(call.fun, root)
        if maker is None:
            return
        constructed = _CONSTRUCTORS.get(called_name(call))
        kind = constructed or self._kind_of_desc(root)
        vector = (root, call) if called_name(call).endswith("Vec") else None
        location = root.file.location(call.start, call.end)
        named = [(*one, self._registration(root, call, maker, one[2])) for one in self._named(root, call)]
        if any(registration.why != NEVER_RUNS for *_, registration in named):
            named = [one for one in named if one[3].why != NEVER_RUNS]  # other callers make it
        made: list[Metric] = []  # several callers may make the same one
        for name, labels, chain, registration in named:
            binaries = self._binaries(root, call, chain)
            last = "" if name is not None else self._last(root, call)
            for prefix, added in self._wraps(root, maker, chain, registration):
                full = None if name is None or prefix is None else prefix + name
                every_label = (
                    None if labels is None or added is None else tuple(dict.fromkeys([*labels, *added]))
                )
                type_ = constructed or registration.kind or kind
                metric = Metric(full, type_, every_label, location, registration, binaries, vector, last)
                if metric not in made:
                    made.append(metric)
                    yield metric

    def _last(self, root: Declaration, call: s.Call) -> str:
        """The constant field Name of the options, or nothing."""
        try:
            options = self._options(_Seen(call.args[0], root, ())) or {}
            texts = self._texts(options["Name"]) if "Name" in options else None
        except _NeedsCallerError:
            return ""
        return texts[0] if texts and len(texts) == 1 else ""

    def _binaries(self, root: Declaration, call: s.Call, chain: tuple[Use, ...]) -> tuple[str, ...]:
        found = set(self.reachable.binaries(root.file.path, call.start))
        for site in chain:
            found &= self.reachable.binaries(site.root.file.path, site.call.start)
        return tuple(sorted(found))

    def _maker(self, fun: s.Expr, root: Declaration) -> tuple[str, s.Expr | None] | None:
        """("plain", None), or ("auto", registerer): None for things that client_golang does not make."""
        if isinstance(fun, s.Ident):
            dotted = {i.path for i in root.file.imports if i.name == "."}
            if root.package.declaration(fun.name) is not None or not dotted & {PROMETHEUS, PROMAUTO}:
                return None
            return ("auto" if PROMAUTO in dotted else "plain"), None
        if not isinstance(fun, s.Selector):
            return None
        owner = fun.x
        if isinstance(owner, s.Selector) and owner.sel == "V2" and self._path(owner, root) == PROMETHEUS:
            return "plain", None
        if isinstance(owner, s.Ident):
            variable = self.texts.bindings(root).variable(owner.name, owner.start)
            if variable is None:
                path = self.program.imported(root.file).get(owner.name)
                if path is not None:
                    return {PROMETHEUS: ("plain", None), PROMAUTO: ("auto", None)}.get(path)
                declared = self.texts.named_constant(owner, root)
                return self._factory(declared, root)
            source = variable.sources[0]
            if variable.type is not None and self._path(variable.type, root) == PROMAUTO:
                return "auto", owner
            return self._factory(source.expr, root)
        return self._factory(owner, root)

    def _factory(self, expr: s.Expr | None, root: Declaration) -> tuple[str, s.Expr | None] | None:
        if isinstance(expr, s.Call) and called_name(expr) == "With" and expr.args:
            return ("auto", expr.args[0]) if self._path(expr.fun, root) == PROMAUTO else None
        if isinstance(expr, s.Selector) and any(i.path == PROMAUTO for i in root.file.imports):
            return "auto", expr  # a factory in a field
        return None

    def _path(self, fun: s.Expr, root: Declaration) -> str:
        if isinstance(fun, s.Selector) and isinstance(fun.x, s.Ident):
            return self.program.imported(root.file).get(fun.x.name, "")
        return ""

    def _kind_of_desc(self, root: Declaration) -> str:
        """The type that the package gives to its constant metrics, if it gives but one."""
        kinds = set()
        for path in root.package.files:
            data = self.program.repository.read(path) or b""
            kinds |= {kind for word, kind in VALUE_KINDS.items() if word.encode() in data}
            kinds |= {k for k in ("histogram", "summary") if f"NewConst{k.title()}".encode() in data}
        return kinds.pop() if len(kinds) == 1 else "unknown"

    # ---------------------------------------------------------------- registration

    def _registration(
        self, root: Declaration, call: s.Call, maker: tuple[str, s.Expr | None], chain: tuple[Use, ...]
    ) -> Registration:
        places = [(root.file.path, call.start), *((c.root.file.path, c.call.start) for c in chain)]
        answers = [self.reachable.can_run(*place) for place in places]
        if NO in answers or self.collectors.is_dead(call, root):
            return Registration(NO, why=NEVER_RUNS)
        if maker[0] == "plain":
            found = self.collectors.registration(root, call)
            if chain and found.answer == YES:  # what becomes of the object that this caller gets
                outer = self.collectors.registration(chain[-1].root, chain[-1].call)
                if outer.answer == YES:
                    found = replace(
                        found, registerers=outer.registerers, place=outer.place, sites=outer.sites
                    )
        else:
            found = self._automatic(root, call, maker[1], chain)
            if found.answer == YES and is_late(self.asked, root, call):
                return Registration(NO, place=found.place, why=TOO_LATE)
            if found.answer == YES and found.place and self.collectors.may_be_undone(root, call, found.place):
                return replace(found, answer=UNKNOWN, why=UNREGISTERED)
        if found.answer == YES and UNKNOWN in answers:
            return Registration(
                UNKNOWN, found.registerers, found.place, "it is not known whether the code runs"
            )
        return found

    def _automatic(
        self, root: Declaration, call: s.Call, registerer: s.Expr | None, chain: tuple[Use, ...]
    ) -> Registration:
        place = root.file.location(call.start, call.end, "promauto registers it")
        if registerer is None:
            return Registration(YES, (Registerer(),), place, sites=((root, call),))
        try:
            seen = self._through(_Seen(registerer, root, chain))
        except _NeedsCallerError:
            return self._by_callers(root, call, registerer, place)
        if isinstance(seen.expr, s.Ident) and seen.expr.name == "nil":
            found = self.collectors.registration(root, call)  # a collector of our own may hold it
            if found.answer != NO:
                return found
            why = "promauto.With(nil) registers nothing"
            return Registration(
                NO, place=place, why=why, is_read_back=seen.expr is registerer and _is_bare(call)
            )
        return Registration(YES, (Registerer(seen.expr, seen.root),), place, sites=((root, call),))

    def _by_callers(
        self, root: Declaration, call: s.Call, registerer: s.Expr, place: Location
    ) -> Registration:
        """Only the callers know the registerer: when every one of them that can run gives nil, it is not."""
        found = []
        given = Registerer(registerer, root)
        for binary in self.reachable.binaries(root.file.path, registerer.start):
            found.append(self.flow.of(given, binary))
        if found and not any(registries.may for registries in found):
            return Registration(NO, place=place, why="promauto.With(nil) registers nothing")
        return Registration(YES, (given,), place, sites=((root, call),))

    def _wraps(
        self,
        root: Declaration,
        maker: tuple[str, s.Expr | None],
        chain: tuple[Use, ...],
        found: Registration,
    ) -> list[Wrap]:
        """What wrapped registerers put before the name and add to the labels: one for each way to register."""
        if maker[1] is not None:
            try:
                seen = self._through(_Seen(maker[1], root, chain))
            except _NeedsCallerError:
                seen = _Seen(maker[1], root, ())
            given = [Registerer(seen.expr, seen.root)]
        else:
            given = list(found.registerers)
        wraps = {wrap for registerer in given for wrap in self.flow.wraps(registerer)}
        if len(wraps) > MAX_WRAPS:
            return [(None, None)]
        if len(wraps) > 1:
            wraps.discard((None, None))  # the names that are known are true
        return sorted(wraps, key=str) or [NO_WRAP]

    # ---------------------------------------------------------------- names and labels

    def _named(
        self, root: Declaration, call: s.Call
    ) -> list[tuple[str | None, tuple[str, ...] | None, tuple[Use, ...]]]:
        """Name and labels of a construction, for each chain of calls that decides them."""
        found = list(self._chains(root, call, ()))
        if found:
            return found
        try:
            return [(None, self._labels(_Seen(call, root, ())), ())]
        except _NeedsCallerError:
            return [(None, None, ())]

    def _chains(
        self, root: Declaration, call: s.Call, chain: tuple[Use, ...]
    ) -> Iterator[tuple[str | None, tuple[str, ...] | None, tuple[Use, ...]]]:
        try:
            names, labels = self._names(_Seen(call, root, chain)), self._labels(_Seen(call, root, chain))
        except _NeedsCallerError:
            outer = chain[-1].root if chain else root
            for site in (
                self.reachable.references.calls(outer)[:MAX_CALLERS] if len(chain) < MAX_LEVELS else ()
            ):
                yield from self._chains(root, call, (*chain, site))
            return
        if names is None:
            found = self._evaluated(root, call, chain)
            above: list[tuple[str | None, tuple[str, ...] | None, tuple[Use, ...]]] = []
            if all(n is None for n, _ in found) and len(chain) < MAX_LEVELS:
                sites = self.reachable.references.calls(chain[-1].root if chain else root)[:MAX_CALLERS]
                for site in sites:  # perhaps their arguments decide
                    above += self._chains(root, call, (*chain, site))
            if any(n is not None for n, _, _ in above):
                yield from above
            elif found == [(None, None)]:
                told = [row for row in above if row[1] is not None]
                yield from told or [(None, labels, chain)]
            else:
                yield from ((n, lab, chain) for n, lab in found)
        else:
            if labels is None:
                labels = self._evaluated_labels(root, call, chain)
            yield from ((name, labels, chain) for name in names)

    def _through(self, seen: _Seen) -> _Seen:
        """Replaces a parameter by the argument of the call that the chain knows."""
        expr, root, chain = seen.expr, seen.root, seen.chain
        while isinstance(expr, s.Ident):
            variable = self.texts.bindings(root).variable(expr.name, expr.start)
            only = variable.sources[0] if variable is not None and len(variable.sources) == 1 else None
            if only is None or only.kind != "param" or only.function is not root.node:
                break
            if not chain:
                raise _NeedsCallerError
            call = chain[0].call
            if not isinstance(call, s.Call) or only.index >= len(call.args):
                break
            expr, root, chain = call.args[only.index], chain[0].root, chain[1:]
        return _Seen(expr, root, chain)

    def _names(self, seen: _Seen) -> list[str] | None:
        call = seen.expr
        assert isinstance(call, s.Call)
        first = _Seen(call.args[0], seen.root, seen.chain)
        if called_name(call) == "NewDesc":
            return self._joined(self._full_name(first))
        options = self._options(first)
        if options is None:
            return None
        empty = _Seen(s.BasicLit(0, 0, "STRING", ""), seen.root, seen.chain)
        parts = [options.get(key, empty) for key in ("Namespace", "Subsystem", "Name")]
        last = self._full_name(parts[2])
        return self._joined([*parts[:2], *last] if len(last) == 1 else last)

    def _full_name(self, seen: _Seen) -> list[_Seen]:
        expr = seen.expr
        if isinstance(expr, s.Call) and called_name(expr) == "BuildFQName" and len(expr.args) == 3:
            return [_Seen(arg, seen.root, seen.chain) for arg in expr.args]
        return [seen]

    def _joined(self, parts: list[_Seen]) -> list[str] | None:
        """prometheus.BuildFQName: the parts that are not empty, with `_` between them; nothing without a
        name.
        """
        choices: list[list[str]] = [[]]
        for part in parts:
            texts = self._texts(part)
            if texts is None:
                return None
            choices = [[*choice, text] for choice in choices for text in texts]
        found = ["_".join(p for p in choice if p) if choice[-1] else "" for choice in choices]
        return [name for name in found if _NAME.match(name)] or None

    def _texts(self, seen: _Seen) -> list[str] | None:
        seen = self._through(seen)
        templates = self.texts.fold(seen.expr, seen.root)
        chain = seen.chain
        while templates is not None and any(isinstance(p, Hole) for t in templates for p in t):
            if not chain:
                raise _NeedsCallerError
            site, chain = chain[0], chain[1:]
            filled: list[Template] = []
            for template in templates:
                if not isinstance(site.call, s.Call):
                    return None
                more = self.texts.fill(template, site.call, site.root)
                if more is None:
                    return None
                filled += more
            templates = filled
        if templates is None:
            is_empty = isinstance(seen.expr, s.Selector) and self.flow.is_empty_text(seen.expr, seen.root)
            return [""] if is_empty else None
        return ["".join(str(p) for p in t) for t in templates]

    def _options(self, seen: _Seen) -> dict[str, _Seen] | None:
        """The fields of an options literal, wherever it was written; None when it takes the evaluator."""
        seen = self._through(seen)
        expr = seen.expr
        if isinstance(expr, s.Call) and len(expr.args) == 1 and called_name(expr).endswith("Opts"):
            return self._options(_Seen(expr.args[0], seen.root, seen.chain))
        literal = self.texts.literal(expr, seen.root)
        if literal is None or (isinstance(expr, s.Ident) and self._is_changed(expr, seen.root)):
            return None
        node, owner = literal
        chain = seen.chain if owner is seen.root else ()
        fields = {k.name: _Seen(v, owner, chain) for k, v in node.elements if isinstance(k, s.Ident)}
        for name in ("CounterOpts", "GaugeOpts", "HistogramOpts", "SummaryOpts"):
            if name in fields:
                return {**(self._options(fields[name]) or {}), **fields}
        return fields

    def _is_changed(self, expr: s.Ident, root: Declaration) -> bool:
        """True when fields of a variable are assigned after it was made."""
        return any(
            isinstance(lhs, s.Selector) and isinstance(lhs.x, s.Ident) and lhs.x.name == expr.name
            for node in s.walk(root.node)
            if isinstance(node, s.Assign)
            for lhs in node.lhs
        )

    def _labels(self, seen: _Seen) -> tuple[str, ...] | None:
        """Variable labels, then constant ones."""
        call = seen.expr
        assert isinstance(call, s.Call)
        name = called_name(call)
        found: list[str] | None = []
        constant: _Seen | None = None
        if name == "NewDesc":
            found = self._strings(_Seen(call.args[2], seen.root, seen.chain)) if len(call.args) > 2 else []
            constant = _Seen(call.args[3], seen.root, seen.chain) if len(call.args) > 3 else None
        else:
            options = self._options(_Seen(call.args[0], seen.root, seen.chain)) or {}
            constant = options.get("ConstLabels")
            variable = options.get("VariableLabels")
            if name.endswith("Vec"):
                given = _Seen(call.args[1], seen.root, seen.chain) if len(call.args) > 1 else variable
                found = self._strings(given) if given is not None else None
        keys = self._keys(constant) if constant is not None else []
        if found is None or keys is None:
            return None
        return tuple(dict.fromkeys([*found, *keys]))

    def _strings(self, seen: _Seen) -> list[str] | None:
        given = self._rest(seen)
        if given is not None:
            found = [self._texts(argument) for argument in given]
            return None if any(t is None for t in found) else [t for group in found for t in group or []]
        seen = self._through(seen)
        expr = seen.expr
        if isinstance(expr, s.Ident) and expr.name == "nil":
            return []
        if isinstance(expr, s.Call) and called_name(expr) == "append" and expr.args:
            first = self._strings(_Seen(expr.args[0], seen.root, seen.chain))
            rest = [self._texts(_Seen(a, seen.root, seen.chain)) for a in expr.args[1:]]
            if expr.ellipsis:
                rest = [self._strings(_Seen(expr.args[-1], seen.root, seen.chain))]
            if first is None or any(r is None for r in rest):
                return None
            return [*first, *(t for r in rest for t in r or [])]
        literal = self.texts.literal(expr, seen.root)
        if literal is None:
            return None
        chain = seen.chain if literal[1] is seen.root else ()
        out: list[str] = []
        for _, element in literal[0].elements:
            if isinstance(element, s.CompositeLit):  # prometheus.ConstrainedLabel{Name: "x"}
                named = next(
                    (v for k, v in element.elements if isinstance(k, s.Ident) and k.name == "Name"), None
                )
                element = named if named is not None else element
            texts = self._texts(_Seen(element, literal[1], chain))
            if texts is None:
                return None
            out += texts
        return out

    def _rest(self, seen: _Seen) -> list[_Seen] | None:
        """The arguments that a call gives one by one to a parameter `labels ...string`."""
        expr = seen.expr
        if not isinstance(expr, s.Ident):
            return None
        variable = self.texts.bindings(seen.root).variable(expr.name, expr.start)
        only = variable.sources[0] if variable is not None and len(variable.sources) == 1 else None
        if only is None or only.kind != "param" or only.function is not seen.root.node:
            return None
        if not only.function.params[only.index].variadic:
            return None
        if not seen.chain:
            raise _NeedsCallerError
        site = seen.chain[0]
        if not isinstance(site.call, s.Call) or site.call.ellipsis:
            return None
        return [_Seen(argument, site.root, seen.chain[1:]) for argument in site.call.args[only.index :]]

    def _keys(self, seen: _Seen) -> list[str] | None:
        seen = self._through(seen)
        if isinstance(seen.expr, s.Ident) and seen.expr.name == "nil":
            return []
        literal = self.texts.literal(seen.expr, seen.root)
        if literal is None:
            return None
        texts = [
            self._texts(_Seen(k, literal[1], seen.chain)) for k, _ in literal[0].elements if k is not None
        ]
        return None if any(t is None for t in texts) else [t for group in texts for t in group or []]

    # ---------------------------------------------------------------- what only the evaluator can tell

    def _evaluated_labels(
        self, root: Declaration, call: s.Call, chain: tuple[Use, ...]
    ) -> tuple[str, ...] | None:
        """The labels that arrive at a construction, if they are always the same."""
        found = {labels for _, labels in self._evaluated(root, call, chain)}
        return found.pop() if len(found) == 1 else None

    def _evaluated(
        self, root: Declaration, call: s.Call, chain: tuple[Use, ...]
    ) -> list[tuple[str | None, tuple[str, ...] | None]]:
        """Runs the outermost function of a chain and looks at what arrives at the construction."""
        found: list[tuple[str | None, tuple[str, ...] | None]] = []
        others: list[tuple[str | None, tuple[str, ...] | None]] = []  # by other calls in the same function
        ev = self.asked.evaluator(limits=Limits(steps=20_000))
        ev.eager.update({id(root.node), *(id(c.root.node) for c in chain)})

        def watch(ev: Evaluator, made: Extern, state: State) -> None:
            if (
                made.site is not None
                and (made.site.file.path, made.site.start)
                == (
                    root.file.path,
                    call.start,
                )
                and made.name == called_name(call)
            ):
                here = not chain or _is_through(ev, chain[-1])
                (found if here else others).append(_from_values(ev, made, state))

        ev.on_extern = watch
        outer = chain[-1].root if chain else root
        if isinstance(outer.node, s.FuncDecl):
            ev.run(Func(outer.node, outer.file, outer.package))
        elif isinstance(outer.node, s.ValueSpec):
            for name in outer.node.names:
                ev.read(("global", outer.package.path, name.name), State())
        return list(dict.fromkeys(found or others)) or [(None, None)]


def _is_through(ev: Evaluator, site: Use) -> bool:
    """True when what is evaluated was entered by this call."""
    frame = ev.frame
    while frame is not None:
        if (
            frame.site is not None
            and frame.site.file is site.root.file
            and frame.site.start == site.call.start
        ):
            return True
        frame = frame.caller
    return False


def _from_values(ev: Evaluator, made: Extern, state: State) -> tuple[str | None, tuple[str, ...] | None]:
    args = made.args or ()
    options = ev.force(args[0]) if args else ()
    if made.name == "NewDesc":
        constant = _keys(ev, args[3], state) if len(args) > 3 else ()
        return _text(ev, args[0]), _both(_sequence(ev, args[2]) if len(args) > 2 else (), constant)
    if len(options) != 1 or not isinstance(options[0], Struct):
        return None, None
    fields = options[0].fields
    parts = [_text(ev, fields[key]) if key in fields else "" for key in ("Namespace", "Subsystem", "Name")]
    known = [p for p in parts if p is not None]
    name = "_".join(p for p in known if p) if len(known) == len(parts) and known[-1] else None
    labels = _sequence(ev, args[1]) if made.name.endswith("Vec") and len(args) > 1 else ()
    return name, _both(labels, _keys(ev, fields["ConstLabels"], state) if "ConstLabels" in fields else ())


def _both(labels: tuple[str, ...] | None, constant: tuple[str, ...] | None) -> tuple[str, ...] | None:
    return None if labels is None or constant is None else tuple(dict.fromkeys([*labels, *constant]))


def _keys(ev: Evaluator, value: Value, state: State) -> tuple[str, ...] | None:
    """The keys of a map of labels."""
    forced = ev.force(value)
    if len(forced) == 1 and ev.is_nil(forced[0]):
        return ()
    held = ev.read(forced[0].cell, state) if len(forced) == 1 and isinstance(forced[0], Map) else ()
    if len(held) != 1 or not isinstance(held[0], MapData) or held[0].open:
        return None
    keys = tuple(held[0].entries)
    return keys if all(isinstance(key, str) for key in keys) else None


def _text(ev: Evaluator, value: Value) -> str | None:
    forced = ev.force(value)
    if len(forced) == 1 and isinstance(forced[0], Const) and isinstance(forced[0].value, str):
        return forced[0].value
    return None


def _sequence(ev: Evaluator, value: Value) -> tuple[str, ...] | None:
    forced = ev.force(value)
    if len(forced) == 1 and ev.is_nil(forced[0]):
        return ()
    if len(forced) != 1 or not isinstance(forced[0], Seq) or forced[0].open:
        return None
    texts = [_text(ev, item) for item in forced[0].items]
    return None if any(t is None for t in texts) else tuple(t for t in texts if t is not None)
