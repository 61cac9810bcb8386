"""One Go analysis per repository, and how a question is asked of it.

A question looks at *constructions*: calls that leave the repository and make something (a server, a
connection). `Analysis.constructions` evaluates the function around each call. Where what goes in depends on
the caller, `Analysis.from_callers` evaluates the callers, one construction for each call of the helper.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zuno_audit.facts.go.effects import Effects
from zuno_audit.facts.go.evaluate import Evaluator, Frame, Limits
from zuno_audit.facts.go.program import Declaration, Program, program
from zuno_audit.facts.go.search import CallSite, Search
from zuno_audit.facts.go.types import Type, Types
from zuno_audit.facts.go.values import Extern, Func, Pointer, Site, State, Struct, Value
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_CALLER_LEVELS = 5
MAX_CALLERS = 60
MAX_MAKERS = 20


def analysis(store: FactStore) -> Analysis:
    """The fact provider: one `Analysis` per audited repository."""
    return Analysis(store.get(program))


@dataclass(frozen=True, slots=True, eq=False)
class Construction:
    """One call that makes something, seen from one place.

    `seen_from` is the call of the helper when the construction is seen from a caller; None when it is seen from
    its own function. `calls` are all evaluations of it from there, the last of which is `call`. `failed` says
    why nothing could be evaluated.
    """

    site: Site
    root: Declaration
    call: Extern | None
    evaluator: Evaluator
    seen_from: Site | None = None
    failed: str = ""
    calls: tuple[Extern, ...] = ()


class Analysis:
    """The program with everything that questions share."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.types = Types(program)
        self.effects = Effects(program, self.types)
        self.search = Search(program)

    def evaluator(self, *, lazy: bool = True, limits: Limits | None = None) -> Evaluator:
        """A fresh evaluator."""
        return Evaluator(self.program, self.types, self.effects, lazy=lazy, limits=limits)

    def constructions(
        self,
        import_path: str,
        *names: str,
        references: bool = False,
        leave_out: Callable[[str], bool] = lambda path: False,
    ) -> list[Construction]:
        """Every call of these functions, evaluated from the function that it stands in.

        Files for which `leave_out` holds are not looked at.

        With `references` also every place that hands such a function of the repository to somebody who calls it.
        """
        found: list[Construction] = []
        roots: dict[int, list[CallSite]] = {}
        for site in self.search.calls_to(import_path, *names, leave_out=leave_out):
            roots.setdefault(id(site.root.node), []).append(site)
        if references:
            for name in names:
                for site in self.search.references_to(import_path, name):
                    found.extend(self._evaluate_reference(site, import_path, name))
        for sites in roots.values():
            found.extend(self._evaluate_root(sites, import_path, names))
        return sorted(found, key=lambda c: (c.site.file.path, c.site.start))

    def _evaluate_reference(self, site: CallSite, import_path: str, name: str) -> Iterator[Construction]:
        """The calls that are made of a function which is handed on at `site`."""
        package = self.program.package(import_path)
        declared = package.declaration(name) if package is not None else None
        if declared is None:
            return
        run = _Run(self, site.root, set(), import_path, (name,))
        run.evaluator.watched.add(id(declared.node))
        run.anywhere = True
        run.until = None
        run.evaluate()
        place = Site(site.root.file, site.call.start, site.call.end)
        hits = [hit for hits in run.hits.values() for hit in hits]
        for call, _ in hits:
            yield Construction(place, site.root, call, run.evaluator)

    def _evaluate_root(
        self, sites: list[CallSite], import_path: str, names: tuple[str, ...]
    ) -> Iterator[Construction]:
        root = sites[0].root
        calls = {site.call.start for site in sites}
        run = _Run(self, root, calls, import_path, names)
        run.evaluate()
        for site in sites:
            place = Site(root.file, site.call.start, site.call.end)
            hits = run.hits.get(site.call.start)
            if hits:
                calls = tuple(call for call, _ in hits)
                yield Construction(place, root, calls[-1], run.evaluator, calls=calls)
            else:
                yield Construction(place, root, None, run.evaluator, failed=run.why_not())

    def from_callers(
        self, construction: Construction, helper: Declaration, import_path: str, names: tuple[str, ...]
    ) -> list[Construction]:
        """The construction as each caller of `helper` makes it."""
        found: list[Construction] = []
        roots: dict[int, list[CallSite]] = {}
        for site in self.search.callers(helper)[:MAX_CALLERS]:
            roots.setdefault(id(site.root.node), []).append(site)
        for sites in roots.values():
            root = sites[0].root
            run = _Run(self, root, {construction.site.start}, import_path, names, construction.site.file.path)
            run.evaluator.eager.update((id(helper.node), id(construction.root.node)))
            run.callers = {site.call.start for site in sites}
            run.until = max(site.call.end for site in sites)
            run.evaluate()
            for site in sites:
                calls = run.calls_through(helper, construction.site, site.call.start)
                if calls:
                    place = Site(root.file, site.call.start, site.call.end)
                    found.append(
                        Construction(construction.site, root, calls[-1], run.evaluator, place, calls=calls)
                    )
        return found

    def from_mentions(
        self, construction: Construction, import_path: str, names: tuple[str, ...]
    ) -> list[Construction]:
        """The construction as it is made when its function is handed to somebody who calls it.

        A method value brings its receiver with it; the parameters are for the other side to choose.
        """
        found: list[Construction] = []
        helper = construction.root
        roots: dict[int, list[CallSite]] = {}
        for site in self.search.mentions(helper):
            roots.setdefault(id(site.root.node), []).append(site)
        for sites in list(roots.values())[:MAX_CALLERS]:
            root = sites[0].root
            run = _Run(self, root, {construction.site.start}, import_path, names, construction.site.file.path)
            run.evaluator.eager.add(id(helper.node))
            run.callers = {site.call.start for site in sites}
            run.until = None
            calls = run.hand_over(helper)
            if calls:
                found.append(Construction(construction.site, root, calls[-1], run.evaluator, calls=calls))
        return found

    def from_objects(
        self, construction: Construction, import_path: str, names: tuple[str, ...]
    ) -> list[Construction]:
        """The construction in a method, for every object of its receiver's type that the repository makes.

        For methods that a framework finds by an interface. What is done to the object after the function that
        makes it has ended is not seen: `settings_elsewhere` tells.
        """
        helper = construction.root
        node = helper.node
        if not isinstance(node, s.FuncDecl) or node.receiver is None:
            return []
        type_ = self.types.resolve(node.receiver.type, helper.file, helper.package)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is None or base.kind != "named" or base.package is None:
            return []
        found: list[Construction] = []
        for root in list(self.search.makers(base.package, base.name))[:MAX_MAKERS]:
            run = _Run(self, root, {construction.site.start}, import_path, names, construction.site.file.path)
            run.until = None
            calls = run.on_objects(base, Func(node, helper.file, helper.package))
            if calls:
                found.append(Construction(construction.site, root, calls[-1], run.evaluator, calls=calls))
        return found

    def location(self, site: Site, note: str = "") -> Location:
        """The location of a site."""
        return site.file.location(site.start, site.end, note)


class _Run:
    """One evaluation of a root function that watches for calls at some offsets."""

    def __init__(
        self,
        analysis: Analysis,
        root: Declaration,
        calls: set[int],
        import_path: str,
        names: tuple[str, ...],
        path: str | None = None,
    ) -> None:
        self.root, self.calls, self.import_path, self.names = root, calls, import_path, names
        self.path = path or root.file.path
        self.evaluator = analysis.evaluator()
        self.evaluator.on_extern = self._watch
        self.evaluator.on_func = self._watch_function
        self.evaluator.on_literal = self._literal
        self.hits: dict[int, list[tuple[Extern, list[Frame]]]] = {}
        self.literals: list[tuple[Func, State]] = []
        self.until = max(calls) + 1 if calls and self.path == root.file.path else None
        self.anywhere = False  # calls at any place count
        self.callers: set[int] = set()  # offsets in the root's file of calls that lead to the wanted ones
        self.passed: set[int] = set()  # those of them that were evaluated

    def evaluate(self) -> None:
        node = self.root.node
        func_file, package = self.root.file, self.root.package
        if isinstance(node, s.FuncDecl):
            self.evaluator.run(Func(node, func_file, package), until=self.until)
        elif isinstance(node, s.ValueSpec):
            for name in node.names:
                self.evaluator.read(("global", package.path, name.name), State())
        self._run_literals()

    def hand_over(self, helper: Declaration) -> tuple[Extern, ...]:
        """Evaluates the root, then `helper` as it was named there."""
        named: list[tuple[Func, State]] = []

        def note(func: Func, state: State) -> None:
            if func.node is helper.node and len(named) < MAX_MAKERS:
                named.append((func, state.fork()))

        self.evaluator.on_reference = note
        self.evaluate()
        self.evaluator.on_reference = None
        self.hits.clear()
        for func, state in named:
            self.evaluator.run(func, state=state)
        return self._all_calls()

    def on_objects(self, type_: Type, method: Func) -> tuple[Extern, ...]:
        """Evaluates the root, then a method on every object of a type that is there at its end."""
        ends: list[State] = []

        def leave(results: list[Value], state: State) -> None:
            ends.append(_with_results(results, state))

        self.evaluator.on_leave = leave
        self.evaluate()
        self.evaluator.on_leave = None
        self.hits.clear()
        for state in ends[:MAX_MAKERS]:
            for cell, value in list(state.cells.items()):
                if any(isinstance(v, Struct) and v.type is type_ for v in value):
                    receiver: Value = (Pointer(cell),)
                    bound = Func(method.node, method.file, method.package, None, receiver)
                    self.evaluator.run(bound, state=state)
        return self._all_calls()

    def _all_calls(self) -> tuple[Extern, ...]:
        return tuple(call for hits in self.hits.values() for call, _ in hits)

    def _run_literals(self) -> None:
        """Function literals that hold a wanted call but that nobody called (handed to a framework, say)."""
        done: set[int] = set()
        for _ in range(4):
            missing = [c for c in self.calls if c not in self.hits and self.path == self.root.file.path]
            missing.extend(c for c in self.callers if c not in self.passed)
            inner: tuple[Func, State] | None = None
            for func, state in self.literals:
                node = func.node
                if id(node) not in done and any(node.start <= c < node.end for c in missing):
                    if inner is None or node.end - node.start < inner[0].node.end - inner[0].node.start:
                        inner = (func, state)
            if inner is None:
                return
            done.add(id(inner[0].node))
            self.evaluator.run(inner[0], state=inner[1])

    def _literal(self, func: Func, state: State) -> None:
        node = func.node
        wanted = self.calls if func.file.path == self.path else set()
        if func.file is self.root.file:
            wanted = wanted | self.callers
        if any(node.start <= c < node.end for c in wanted):
            self.literals.append((func, state.fork()))

    def calls_through(self, helper: Declaration, made: Site, caller: int) -> tuple[Extern, ...]:
        """The evaluations of a construction for which `helper` was called at the offset `caller` of the root."""
        found: list[Extern] = []
        for call, frames in self.hits.get(made.start, ()):
            site = next((f.site for f in frames if f.func.node is helper.node and f.site is not None), None)
            if site is not None and site.file is self.root.file and site.start == caller:
                found.append(call)
        return tuple(found)

    def _watch_function(self, func: Func, args: list[Value], state: State, site: Site) -> None:
        """A function of the repository itself may be what is looked for: a generated constructor, say."""
        node = func.node
        if (
            isinstance(node, s.FuncDecl)
            and node.name in self.names
            and (self.anywhere or site.start in self.calls)
        ):
            if func.package.path == self.import_path and node.receiver is None:
                call = Extern(self.import_path, node.name, tuple(args), state=state.fork(), site=site)
                self._watch(self.evaluator, call, state)

    def _watch(self, evaluator: Evaluator, call: Extern, state: State) -> None:
        site = call.site
        if site is None:
            return
        if not self.anywhere and (site.start not in self.calls or site.file.path != self.path):
            return
        if call.path != self.import_path or call.name not in self.names:
            return
        frames: list[Frame] = []
        frame = evaluator.frame
        while frame is not None:
            frames.append(frame)
            frame = frame.caller
        self.hits.setdefault(site.start, []).append((call, frames))

    def why_not(self) -> str:
        file = self.root.file
        if file.error_line:
            return f"{file.path} does not parse (line {file.error_line})"
        if self.evaluator.exhausted:
            return "the function around it is larger than is followed"
        return ""


def _with_results(results: list[Value], state: State) -> State:
    """Memory at the end of a function, with the structs that it gives by value in cells of their own."""
    out = state.fork()
    for index, value in enumerate(results):
        if any(isinstance(v, Struct) for v in value):
            out.cells["result", index] = value
    return out
