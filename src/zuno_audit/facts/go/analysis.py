"""One Go analysis per repository, and how a question is asked of it.

A question looks at *constructions*: calls that leave the repository and make something (a server, a
connection). `Analysis.constructions` evaluates the function around each call. Where what goes in depends on
the caller, `Analysis.from_callers` evaluates the callers, one construction for each call of the helper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from zuno_audit.facts.go.bindings import is_same
from zuno_audit.facts.go.effects import Effects, root_name
from zuno_audit.facts.go.evaluate import Evaluator, Frame, Limits
from zuno_audit.facts.go.program import Declaration, Program, program
from zuno_audit.facts.go.search import CallSite, Search
from zuno_audit.facts.go.types import Type, Types
from zuno_audit.facts.go.values import Extern, Func, Pointer, Site, State, Struct, Val, Value
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.injection import Injection
    from zuno_audit.facts.go.library import Model
    from zuno_audit.facts.go.references import References
    from zuno_audit.facts.go.texts import Texts

MAX_CALLER_LEVELS = 5
MAX_CALLERS = 60
MAX_MAKERS = 20

# Functions that make what a question is about: import paths and names.
Targets = frozenset[tuple[str, str]]


def analysis(store: FactStore) -> Analysis:
    """The fact provider: one `Analysis` per audited repository."""
    return Analysis(store.get(program))


class Construction(msgspec.Struct, frozen=True, eq=False):
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
        self._runs: dict[object, _Run] = {}
        self._injection: Injection | None = None
        self._texts: Texts | None = None
        self._callers: dict[int, list[CallSite]] = {}  # by the ids of the functions' nodes
        self._made_in: dict[tuple[int, Targets], set[int]] = {}  # offsets of the constructions in a function
        self.blockers: dict[int, bool] = {}  # what `late` knows of functions, by the ids of their nodes
        self.blocker_names: frozenset[str] | None = None
        self.models: Mapping[tuple[str, str], Model] | None = None  # of libraries, instead of the usual ones

    def with_models(self, models: Mapping[tuple[str, str], Model]) -> Analysis:
        """The same program where libraries do something else."""
        other = copy(self)
        other._runs, other._made_in, other._injection, other.models = {}, {}, None, models
        return other

    @property
    def texts(self) -> Texts:
        """What names mean in the text of the program; one for all questions."""
        if self._texts is None:
            from zuno_audit.facts.go.texts import Texts

            self._texts = Texts(self.program, self.types)
        return self._texts

    @cached_property
    def references(self) -> References:
        """Who names what, by scopes and types."""
        from zuno_audit.facts.go.references import References

        return References(self)

    def callers(self, declared: Declaration) -> list[CallSite]:
        """The calls that may be of a function or method, tests and vendored code with them where these are followed."""
        known = self._callers.get(id(declared.node))
        if known is None:
            known = self._callers[id(declared.node)] = list(self.callers_in_turn(declared))
        return known

    def callers_in_turn(self, declared: Declaration) -> Iterator[CallSite]:
        """`callers` one by one, for who may have seen enough after the first: files are parsed on the way."""
        known = self._callers.get(id(declared.node))
        return iter(known) if known is not None else self._meant(self.search.named_calls(declared), declared)

    def mentions(self, declared: Declaration) -> Iterator[CallSite]:
        """The places that name a function or method without calling it there: handed on, stored, deferred."""
        return self._meant(self.search.mentions(declared), declared)

    def _meant(self, sites: Iterable[CallSite], declared: Declaration) -> Iterator[CallSite]:
        for site in sites:
            name = site.call.fun if isinstance(site.call, s.Call) else site.call
            name = name.x if isinstance(name, s.Index) else name
            if isinstance(name, s.Ident | s.Selector) and self.references.meaning(site.root, name, declared):
                yield site

    def evaluator(self, *, lazy: bool = True, limits: Limits | None = None) -> Evaluator:
        """A fresh evaluator."""
        made = Evaluator(self.program, self.types, self.effects, lazy=lazy, limits=limits)
        if self.models is not None:
            made.models = dict(self.models)
        return made

    def constructions(
        self,
        import_path: str,
        *names: str,
        leave_out: Callable[[str], bool] = lambda path: False,
        among: Sequence[str] | None = None,
    ) -> list[Construction]:
        """Every call of these functions, evaluated from the function that it stands in.

        Files for which `leave_out` holds are not looked at; `among` are the only files to look at, if given.
        """
        sites = self.search.calls_to(import_path, *names, leave_out=leave_out, among=among)
        return self.constructions_at(sites, frozenset((import_path, name) for name in names))

    def constructions_at(self, sites: Iterable[CallSite], targets: Targets) -> list[Construction]:
        """What is made by these calls of `targets`: one evaluation for all calls in one function."""
        found: list[Construction] = []
        roots: dict[int, list[CallSite]] = {}
        for site in sites:
            roots.setdefault(id(site.root.node), []).append(site)
        for together in roots.values():
            found.extend(self._evaluate_root(together, targets))
        return sorted(found, key=lambda c: (c.site.file.path, c.site.start))

    def constructions_by(self, site: CallSite, import_path: str, name: str) -> Iterator[Construction]:
        """What the calls make that are made of a function of the repository which is handed on at `site`."""
        package = self.program.package(import_path)
        declared = package.declaration(name) if package is not None else None
        if declared is None:
            return
        run = _Run(self, site.root, set(), frozenset([(import_path, name)]))
        run.evaluator.watched.add(id(declared.node))
        run.anywhere = True
        run.until = None
        run.evaluate()
        place = Site(site.root.file, site.call.start, site.call.end)
        hits = [hit for hits in run.hits.values() for hit in hits]
        for call, _ in hits:
            yield Construction(place, site.root, call, run.evaluator)

    def _evaluate_root(self, sites: list[CallSite], targets: Targets) -> Iterator[Construction]:
        root = sites[0].root
        calls = self._made_in[id(root.node), targets] = {site.call.start for site in sites}
        run = _Run(self, root, calls, targets)
        run.evaluate()
        for site in sites:
            place = Site(root.file, site.call.start, site.call.end)
            hits = run.hits.get(site.call.start)
            if hits:
                made = tuple(call for call, _ in hits)
                yield Construction(place, root, made[-1], run.evaluator, calls=made)
            else:
                yield Construction(place, root, None, run.evaluator, failed=run.why_not())

    def values_of(
        self, root: Declaration, expr: s.Expr, inner: s.Expr | None, stand_in: Value
    ) -> Iterator[tuple[Evaluator, Val, State]]:
        """What an expression of a function can be, with `stand_in` for what a part of it, `inner`, gives, wherever
        the expression has that part.
        """
        run = _Run(self, root, {expr.start}, frozenset())
        found: list[tuple[Value, State]] = []

        def note(value: Value, state: State) -> None:
            found.append((value, state.fork()))
            run.hits.setdefault(expr.start, [])

        run.evaluator.watch(expr, note)
        for part in s.walk(expr) if inner is not None else ():
            if isinstance(part, s.Expr) and _stands_for(part, inner):
                run.evaluator.replace(part, stand_in)
        run.evaluate()
        for value, state in found:
            for v in run.evaluator.force(value):
                yield run.evaluator, v, state

    def from_callers(
        self, construction: Construction, helper: Declaration, targets: Targets
    ) -> list[Construction]:
        """The construction as each caller of `helper` makes it, without a call where it was not reached.

        The callers are found by name, as the evaluation shows which calls are of `helper`.
        """
        found: list[Construction] = []
        roots: dict[int, list[CallSite]] = {}
        for site in islice(self.search.named_calls(helper), MAX_CALLERS):
            roots.setdefault(id(site.root.node), []).append(site)
        for sites in roots.values():
            root = sites[0].root
            run = self._run_callers(construction, helper, sites, targets)
            for site in sites:
                calls = run.calls_through(helper, construction.site, site.call.start)
                place = Site(root.file, site.call.start, site.call.end)
                if calls:
                    found.append(
                        Construction(construction.site, root, calls[-1], run.evaluator, place, calls=calls)
                    )
                elif self._is_call_of(site, helper):
                    why = run.why_not()
                    found.append(Construction(construction.site, root, None, run.evaluator, place, why))
        return found

    def callers_of(self, construction: Construction) -> list[Construction]:
        """The construction from each call of its function, told by types alone: for helpers whose callers make no
        difference to the answer."""
        found: list[Construction] = []
        for site in self._callers_of(construction.root)[:MAX_CALLERS]:
            if self._is_call_of(site, construction.root):
                place = Site(site.root.file, site.call.start, site.call.end)
                found.append(replace(construction, root=site.root, seen_from=place))
        return found

    def _is_call_of(self, site: CallSite, declared: Declaration) -> bool:
        """True for a call that is one of this function by the types of its operands."""
        from zuno_audit.facts.go.static_types import callee_of

        call = site.call
        callee = callee_of(call, site.root, self.texts, self.types) if isinstance(call, s.Call) else None
        return callee is not None and callee.node is declared.node

    def _run_callers(
        self,
        construction: Construction,
        helper: Declaration,
        sites: list[CallSite],
        targets: Targets,
    ) -> _Run:
        """One evaluation of a caller for all constructions in one function."""
        root, made = sites[0].root, construction.root
        key = (id(root.node), id(helper.node), id(made.node), targets)
        run = self._runs.get(key)
        if run is None:
            calls = self._made_in.get((id(made.node), targets), {construction.site.start})
            run = self._runs[key] = _Run(self, root, calls, targets, made.file.path)
            run.evaluator.eager.update((id(helper.node), id(made.node)))
            run.evaluator.stops[id(made.node)] = max(calls) + 1
            run.callers = {site.call.start for site in sites}
            run.until = max(site.call.end for site in sites)
            run.evaluate()
        return run

    def from_mentions(
        self, construction: Construction, helper: Declaration, targets: Targets
    ) -> list[Construction]:
        """The construction as it is made when `helper` is handed to somebody who calls it.

        Where the root itself calls it, by way of a variable or a field, that call is what it is seen from.

        A method value brings its receiver with it; the parameters are for the other side to choose.
        """
        found: list[Construction] = []
        roots: dict[int, list[CallSite]] = {}
        for site in self.search.mentions(helper):
            roots.setdefault(id(site.root.node), []).append(site)
        for sites in list(roots.values())[:MAX_CALLERS]:
            root = sites[0].root
            run, is_new = self._run_from(root, construction, helper, targets)
            if is_new:
                run.callers = {site.call.start for site in sites}
                run.hand_over(helper)
            for place, calls in run.by_call_of(helper, construction.site):
                found.append(
                    Construction(construction.site, root, calls[-1], run.evaluator, place, calls=calls)
                )
        return found

    def _run_from(
        self,
        root: Declaration,
        construction: Construction,
        helper: Declaration,
        targets: Targets,
        purpose: str = "mentions",
    ) -> tuple[_Run, bool]:
        """An evaluation of a root that watches for all constructions in a function; whether it is a new one."""
        made = construction.root
        key = (purpose, id(root.node), id(helper.node), id(made.node), targets)
        run = self._runs.get(key)
        if run is not None:
            return run, False
        calls = self._made_in.get((id(made.node), targets), {construction.site.start})
        run = self._runs[key] = _Run(self, root, calls, targets, made.file.path)
        run.evaluator.eager.update((id(made.node), id(helper.node)))
        run.evaluator.stops[id(made.node)] = max(calls) + 1
        run.until = None
        return run, True

    def from_injection(
        self, construction: Construction, helper: Declaration, targets: Targets
    ) -> list[Construction]:
        """The construction in a function that a container of dependency injection calls."""
        if not self.search.files_with(b"go.uber.org/fx") and not self.search.files_with(b"google/wire"):
            return []
        if self._injection is None:
            from zuno_audit.facts.go.injection import Injection

            self._injection = Injection(self)
        injection = self._injection
        found: list[Construction] = []
        for handed in injection.handed:
            func, made = handed.func, construction.site
            around = func.file is made.file and func.node.start <= made.start < func.node.end
            if func.node is not helper.node and not around:
                continue
            calls = self._made_in.get((id(construction.root.node), targets), {made.start})
            run = _Run(self, construction.root, calls, targets, made.file.path)
            run.use(injection.base.derive(lazy=True))
            run.evaluator.eager.update((id(construction.root.node), id(helper.node), id(func.node)))
            run.until = None
            args = injection.arguments(handed)
            run.evaluator.run(func, args, state=injection.state_for(handed))
            hits = run.calls_at(made)
            if hits:
                found.append(Construction(made, construction.root, hits[-1], run.evaluator, calls=hits))
        return found

    def from_objects(
        self,
        construction: Construction,
        helper: Declaration,
        targets: Targets,
        *,
        above: bool = False,
    ) -> list[Construction]:
        """The construction behind a method, for every object of its type that the repository makes.

        With `above` the objects as the callers of the functions that make them see them.

        For methods that a framework finds by an interface. What is done to the object after the function that
        makes it has ended is not seen: `settings_elsewhere` tells.
        """
        node = helper.node
        if not isinstance(node, s.FuncDecl) or node.receiver is None:
            return []
        type_ = self.types.resolve(node.receiver.type, helper.file, helper.package)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        if base is None or base.kind != "named" or base.package is None:
            return []
        makers = list(self.search.makers(base.package, base.name))[:MAX_MAKERS]
        roots: dict[int, tuple[Declaration, int | None]] = {id(m.node): (m, None) for m in makers}
        if above:
            callers = [site for maker in makers for site in self._callers_of(maker)][:MAX_MAKERS]
            ends = {id(site.root.node): site.call.end for site in sorted(callers, key=lambda s: s.call.end)}
            roots = {id(site.root.node): (site.root, ends[id(site.root.node)]) for site in callers}
        found: list[Construction] = []
        for root, end in roots.values():
            run, is_new = self._run_from(root, construction, helper, targets, f"objects {above}")
            if is_new:
                run.evaluator.eager.update(id(maker.node) for maker in makers)
                run.on_objects(base, Func(node, helper.file, helper.package), end)
            calls = run.calls_at(construction.site)
            if calls:
                found.append(Construction(construction.site, root, calls[-1], run.evaluator, calls=calls))
        return found

    def settings_elsewhere(
        self, helper: Declaration, seen: list[Construction], *, additions: bool
    ) -> Site | None:
        """An assignment to a field that a method reads, in a function that none of the evaluations came by.

        Adding to a list by `x.f = append(x.f, ...)` counts only with `additions`.
        """
        node = helper.node
        if not isinstance(node, s.FuncDecl) or node.receiver is None:
            return None
        receiver = node.receiver.name
        names = {x.sel for x in s.nodes_of(node) if isinstance(x, s.Selector) and root_name(x) == receiver}
        names = _fields_given(seen[0].site, node.receiver) or names
        called = set().union(*(c.evaluator.called for c in seen), {id(node)})
        pattern = re.compile(rb"\.(?:" + b"|".join(n.encode() for n in sorted(names)) + rb")\s*=[^=]")
        for file in helper.package.parsed() if names else ():
            for function in file.functions() if pattern.search(file.data) else ():
                if id(function) in called or not pattern.search(file.data, function.start, function.end):
                    continue
                for inner in s.nodes_of(function):
                    if isinstance(inner, s.Assign) and inner.op == "=" and (additions or not _adds(inner)):
                        if any(isinstance(x, s.Selector) and x.sel in names for x in inner.lhs):
                            return Site(file, inner.start, inner.end)
        return None

    def _callers_of(self, declared: Declaration) -> list[CallSite]:
        return self.callers(declared) if isinstance(declared.node, s.FuncDecl) else []

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
        targets: Targets,
        path: str | None = None,
    ) -> None:
        self.root, self.calls, self.targets = root, calls, targets
        self.path = path or root.file.path
        self.use(analysis.evaluator())
        self.hits: dict[int, list[tuple[Extern, list[Frame]]]] = {}
        self.literals: list[tuple[Func, State]] = []
        self.until = max(calls) + 1 if calls and self.path == root.file.path else None
        self.anywhere = False  # calls at any place count
        self.callers: set[int] = set()  # offsets in the root's file of calls that lead to the wanted ones
        self.passed: set[int] = set()  # those of them that were evaluated

    def use(self, evaluator: Evaluator) -> None:
        """Watches what this evaluator does."""
        self.evaluator = evaluator
        evaluator.on_extern = self._watch
        evaluator.on_func = self._watch_function
        evaluator.on_literal = self._literal

    def evaluate(self) -> None:
        node = self.root.node
        func_file, package = self.root.file, self.root.package
        end: State | None = None
        if isinstance(node, s.FuncDecl):
            func = Func(node, func_file, package)
            end = self.evaluator.run(func, until=self.until)
            if self.until is not None and self.literals and self._missing():
                end = self.evaluator.run(func)  # a literal may be called further down
        elif isinstance(node, s.ValueSpec):
            for name in node.names:
                self.evaluator.read(("global", package.path, name.name), State())
        self._run_literals()
        if end is not None and self.literals and self._missing():
            # it may call what its variables get only after it was made
            self.literals = [(func, end) for func, _ in reversed(self.literals)]
            self._run_literals()

    def hand_over(self, helper: Declaration) -> None:
        """Evaluates the root, then `helper` as it was named there."""
        named: list[tuple[Func, State]] = []

        def note(func: Func, state: State) -> None:
            if func.node is helper.node and len(named) < MAX_MAKERS:
                named.append((func, state.fork()))

        self.evaluator.on_reference = note
        self.evaluate()
        self.evaluator.on_reference = None
        if self.hits:  # it was called by way of a variable or field
            return
        for func, state in named:
            self.evaluator.run(func, state=state)

    def on_objects(self, type_: Type, method: Func, cut: int | None = None) -> None:
        """Evaluates the root, then a method on every object of a type that is there at its end.

        Where the whole root is more work than is done, only what stands before `cut` is evaluated.
        """
        ends: list[State] = []

        def leave(results: list[Value], state: State) -> None:
            ends.append(_with_results(results, state))

        self.evaluator.on_leave = leave
        limit = self.evaluator.step_limit
        self.evaluator.step_limit = limit if cut is None else limit // 12
        self.evaluate()
        self.evaluator.step_limit = limit
        if self.evaluator.exhausted and cut is not None:
            ends.clear()
            self.evaluator.exhausted, self.until = False, cut
            self.evaluate()
        self.evaluator.on_leave = None
        self.hits.clear()
        for state in ends[:MAX_MAKERS]:
            for cell, value in list(state.cells.items()):
                if any(isinstance(v, Struct) and v.type is type_ for v in value):
                    receiver: Value = (Pointer(cell),)
                    bound = Func(method.node, method.file, method.package, None, receiver)
                    self.evaluator.run(bound, state=state)

    def by_call_of(self, helper: Declaration, made: Site) -> list[tuple[Site | None, tuple[Extern, ...]]]:
        """The evaluations of a construction by the call of `helper` in the root's file that led to it."""
        found: dict[Site | None, list[Extern]] = {}
        for call, frames in self.hits.get(made.start, ()):
            site = next((f.site for f in frames if f.func.node is helper.node), None)
            found.setdefault(site if site is not None and site.file is self.root.file else None, []).append(
                call
            )
        return [(site, tuple(calls)) for site, calls in found.items()]

    def calls_at(self, site: Site) -> tuple[Extern, ...]:
        """The evaluations of the construction at a site."""
        return tuple(call for call, _ in self.hits.get(site.start, ()))

    def _missing(self) -> list[int]:
        """Offsets of wanted calls that were not evaluated."""
        own = [c for c in self.calls if c not in self.hits and self.path == self.root.file.path]
        return [*own, *(c for c in self.callers if c not in self.passed)]

    def _run_literals(self) -> None:
        """Function literals that hold a wanted call but that nobody called (handed to a framework, say)."""
        done: set[int] = set()
        for _ in range(4):
            missing = self._missing()
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
        """The evaluations of a construction to which the call at the offset `caller` led, by way of `helper`."""
        found: list[Extern] = []
        for call, frames in self.hits.get(made.start, ()):
            sites = [f.site for f in frames if f.site is not None]
            here = any(site.file is self.root.file and site.start == caller for site in sites)
            if here and any(f.func.node is helper.node for f in frames):
                found.append(call)
        return tuple(found)

    def _watch_function(self, func: Func, args: list[Value], state: State, site: Site) -> None:
        """A function of the repository itself may be what is looked for: a generated constructor, say."""
        node = func.node
        if isinstance(node, s.FuncDecl) and (self.anywhere or site.start in self.calls):
            path = func.package.path
            if node.receiver is None and (path, node.name) in self.targets:
                call = Extern(path, node.name, tuple(args), state=state.fork(), site=site)
                self._watch(self.evaluator, call, state)

    def _watch(self, evaluator: Evaluator, call: Extern, state: State) -> None:
        site = call.site
        if site is None:
            return
        if not self.anywhere and (site.start not in self.calls or site.file.path != self.path):
            return
        if (call.path, call.name) not in self.targets:
            return
        frames: list[Frame] = []
        frame = evaluator.frame
        while frame is not None:
            frames.append(frame)
            frame = frame.caller
        self.passed.update(f.site.start for f in frames if f.site and f.site.file is self.root.file)
        self.hits.setdefault(site.start, []).append((call, frames))

    def why_not(self) -> str:
        file = self.root.file
        if file.error_line:
            return f"{file.path} does not parse (line {file.error_line})"
        if self.evaluator.exhausted:
            return "the function around it is larger than is followed"
        return ""


def _fields_given(made: Site, receiver: s.Param) -> set[str]:
    """The fields of a receiver of the same type that make up all arguments of a construction; empty for others."""
    around = made.file.function_at(made.start)
    owner = around.receiver if around is not None else None
    if around is None or owner is None or _type_name(owner) != _type_name(receiver):
        return set()
    call = next((n for n in s.nodes_of(around) if isinstance(n, s.Call) and n.start == made.start), None)
    inner = [n for arg in call.args for n in s.walk(arg)] if call is not None else []
    if not all(n.name == owner.name for n in inner if isinstance(n, s.Ident)):
        return set()
    if any(not isinstance(n, s.Ident | s.Selector) for n in inner):
        return set()
    return {n.sel for n in inner if isinstance(n, s.Selector)}


def _stands_for(part: s.Expr, inner: s.Expr | None) -> bool:
    """True for an expression, and for other mentions of it if it is a variable or a field."""
    if part is inner or inner is None:
        return part is inner
    return isinstance(part, s.Ident | s.Selector) and is_same(part, inner)


def _type_name(param: s.Param) -> str:
    type_ = param.type.x if isinstance(param.type, s.Star) else param.type
    return type_.name if isinstance(type_, s.Ident) else ""


def _with_results(results: list[Value], state: State) -> State:
    """Memory at the end of a function, with the structs that it gives by value in cells of their own."""
    out = state.fork()
    for index, value in enumerate(results):
        if any(isinstance(v, Struct) for v in value):
            out.cells["result", index] = value
    return out


def _adds(assign: s.Assign) -> bool:
    """True for `x.f = append(x.f, ...)`."""
    if len(assign.lhs) != 1 or len(assign.rhs) != 1:
        return False
    call, target = assign.rhs[0], assign.lhs[0]
    return (
        isinstance(call, s.Call)
        and isinstance(call.fun, s.Ident)
        and call.fun.name == "append"
        and bool(call.args)
        and isinstance(call.args[0], s.Selector)
        and isinstance(target, s.Selector)
        and call.args[0].sel == target.sel
    )
