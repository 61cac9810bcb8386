"""A client stub inside a type of the repository whose methods go through a circuit breaker.

The function that builds the stub is evaluated; objects that hold the stub in a field at its end are its wrappers.
Each exported method of a wrapper that makes a call is tried out like an interceptor (`breaker_trial.py`): the
stub is guarded when all of them are, and when nobody calls it past its wrapper.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.breaker_trial import Trial
from zuno_audit.facts.go.evaluate import Limits
from zuno_audit.facts.go.guards import Guard, all_of
from zuno_audit.facts.go.values import (
    NIL,
    Const,
    Extern,
    Func,
    Lazy,
    Opaque,
    Pointer,
    State,
    Struct,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis, Construction
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.types import Type

MAX_METHODS = 24
MAX_STATEMENTS = 3  # behind the one that builds a stub, in which it is put into its wrapper
NEVER = "it never makes the call"
# A wrapper is looked for where code that can be seen from the stub's constructor has one of these words, and
# everywhere in a repository in which few files know of gRPC.
_HINTS = (b"reaker", b"Circuit", b"circuit open", b"circuit is", b"alfOpen", b"hystrix", b"failsafe")
FEW_FILES = 16
_INVOKES = re.compile(rb"\) (?:Invoke\((?:[^),]*,){4}|NewStream\((?:[^),]*,){3})[^)]*\.CallOption,?\s*\)")
_FORWARDS = re.compile(rb"(?<!\bfx)\.(?:Invoke|NewStream)\b")
_LIMITS = Limits(steps=20_000, steps_per_call=8_000)
_BASIC = {"string": "text", "bool": True}
_RUNNERS = frozenset(
    ["Execute", "Do", "DoC", "DoCtx", "Go", "GoC", "Run", "Call", "CallContext", "Get", "DoWithAcceptable"]
)


class StubWrappers:
    """Looks for what stands between a stub and its callers."""

    def __init__(self, analysis: Analysis, leave_out: Callable[[str], bool]) -> None:
        self.analysis = analysis
        self.leave_out = leave_out
        self._hinted: frozenset[str] | None = None
        self._endpoints: bool | None = None
        self._connections: bool | None = None
        self._ends: dict[tuple[int, int], tuple[Evaluator, list[State]]] = {}

    def guard(self, construction: Construction, name: str) -> Guard | None:
        """What guards the calls of a stub that `construction` builds, or None when nothing wraps it."""
        if not isinstance(construction.root.node, s.FuncDecl) or not self._is_hinted(construction.root):
            return None
        direct = self._direct_use(construction)
        if direct is not None:
            return direct
        place = construction.seen_from or construction.site
        key = (id(construction.root.node), place.start)
        if key not in self._ends:
            self._ends[key] = self._evaluate(construction)
        ev, ends = self._ends[key]
        guards: list[Guard] = []
        for state in ends[:4]:
            for cell, type_, field in self._holders(ev, state, construction):
                guards.append(self._wrapper(ev, state, cell, type_, field, construction, name))
        return all_of(guards) if guards else None

    def hinted(self) -> frozenset[str]:
        """Import paths of the packages that speak of circuit breakers."""
        if self._hinted is None:
            program = self.analysis.program
            few = len(self.analysis.search.files_with(lib.GRPC.encode())) <= FEW_FILES
            paths = self._own_files((b"package",) if few else _HINTS)
            packages = (program.package_of(path) for path in paths)
            self._hinted = frozenset(p.path for p in packages if p is not None)
        return self._hinted

    def wraps_connections(self) -> bool:
        """True when a type of the repository can stand in for a connection and hands calls on."""
        if self._connections is None:
            read, program = self.analysis.program.repository.read, self.analysis.program
            paths = (
                p for p in self._own_files((b") Invoke(", b") NewStream(")) if _INVOKES.search(read(p) or b"")
            )
            packages = (program.package_of(path) for path in paths)
            self._connections = any(
                _FORWARDS.search(read(path) or b"") for p in packages if p is not None for path in p.files
            )
        return self._connections

    def _own_files(self, words: tuple[bytes, ...]) -> Iterator[str]:
        """Files that are not left out and hold one of the words."""
        repository = self.analysis.program.repository
        for path in repository.files:
            if path.endswith(".go") and not path.endswith("_test.go") and not self.leave_out(path):
                data = repository.read(path) or b""
                if any(word in data for word in words):
                    yield path

    def guards_endpoints(self) -> bool:
        """True when the repository uses go-kit's breakers, which guard calls one by one."""
        if self._endpoints is None:
            self._endpoints = any(True for _ in self._own_files((b"/kit/circuitbreaker",)))
        return self._endpoints

    def _is_hinted(self, root: Declaration) -> bool:
        imported = self.analysis.program.imported(root.file).values()
        return root.package.path in self.hinted() or not self.hinted().isdisjoint(imported)

    # ------------------------------------------------------------ the stub and who holds it

    def _direct_use(self, construction: Construction) -> Guard | None:
        """Calls of a local variable that holds the stub, in the function that builds it."""
        root = construction.root.node
        if not isinstance(root, s.FuncDecl):
            return None
        names: set[str] = set()
        for node in s.nodes_of(root):
            if isinstance(node, s.Assign) and any(_is_at(x, construction) for x in node.rhs):
                names.update(x.name for x in node.lhs[:1] if isinstance(x, s.Ident))
        runners = [
            argument
            for node in s.nodes_of(root)
            if isinstance(node, s.Call) and isinstance(node.fun, s.Selector) and node.fun.sel in _RUNNERS
            for argument in node.args
            if isinstance(argument, s.FuncLit)
        ]
        found: Guard | None = None
        for node in s.nodes_of(root):
            if not (isinstance(node, s.Call) and isinstance(node.fun, s.Selector)):
                continue
            if isinstance(node.fun.x, s.Ident) and node.fun.x.name in names:
                if not any(r.start <= node.start < r.end for r in runners):
                    return Guard("no", "it is called directly")
                found = Guard("unknown", "whether the function around each call guards it is not followed")
        return found

    def _evaluate(self, construction: Construction) -> tuple[Evaluator, list[State]]:
        """Memory behind the first statement after which an object holds the stub.

        Before the stub is used, that is: what a call does to a breaker would only blur what is known of it.
        """
        root = construction.root
        node = root.node
        assert isinstance(node, s.FuncDecl)
        place = construction.seen_from or construction.site
        behind = [x.end for x in node.body.stmts if x.end > place.start]
        ev = self.analysis.evaluator(limits=_LIMITS)
        ends: list[State] = []
        for until in (*behind[:MAX_STATEMENTS], None):
            ev, ends = self._run(root, node, until)
            if any(True for state in ends for _ in self._holders(ev, state, construction)):
                break
        return ev, ends

    def _run(self, root: Declaration, node: s.FuncDecl, until: int | None) -> tuple[Evaluator, list[State]]:
        ev = self.analysis.evaluator(limits=_LIMITS)
        ends: list[State] = []

        def leave(results: list[Value], state: State) -> None:
            ends.append(_holding(results, state))

        ev.on_leave = leave
        ev.run(Func(node, root.file, root.package), until=until)
        ev.on_leave = None
        return ev, ends

    def _holders(
        self, ev: Evaluator, state: State, construction: Construction
    ) -> Iterator[tuple[object, Type, str]]:
        """Objects of the repository's types with the field that holds the stub."""
        for cell, value in list(state.cells.items()):
            for v in ev.force(value) if any(isinstance(x, Lazy) for x in value) else value:
                if isinstance(v, Pointer) and not v.path and v.cell not in state.cells:
                    yield from self._holding_fields(ev, v.cell, ev.read(v.cell, state), construction)
                elif isinstance(v, Struct):
                    yield from self._holding_fields(ev, cell, (v,), construction)

    def _holding_fields(
        self, ev: Evaluator, cell: object, value: Value, construction: Construction
    ) -> Iterator[tuple[object, Type, str]]:
        for v in value:
            if isinstance(v, Struct) and v.type is not None and v.type.kind == "named":
                for field, held in v.fields.items():
                    if any(_is_stub(x, construction) for x in held):
                        yield cell, v.type, field

    # ------------------------------------------------------------ trying out

    def _wrapper(
        self,
        ev: Evaluator,
        state: State,
        cell: object,
        type_: Type,
        field: str,
        construction: Construction,
        name: str,
    ) -> Guard:
        package = type_.package
        assert package is not None
        missing = self._promoted(type_, field, construction, name)
        if missing is not None:
            return missing
        guards: list[Guard] = []
        names = package.method_names(type_.name)
        for method in sorted(names)[:MAX_METHODS]:
            declared = package.method(type_.name, method)
            if declared is None or not isinstance(declared.node, s.FuncDecl):
                continue
            if method[:1].isupper() or self._is_used_outside(declared, names):
                found = self._method(ev, state, cell, declared, construction)
                if found.because != NEVER:
                    guards.append(found)
        if not guards:
            return Guard("no", f"no method of {type_.name} makes a call through a breaker")
        return all_of(guards)

    def _is_used_outside(self, declared: Declaration, siblings: set[str]) -> bool:
        """True for a method that something else than the wrapper's own methods calls or hands on."""
        for site in (*self.analysis.callers(declared), *self.analysis.mentions(declared)):
            node = site.root.node
            if not isinstance(node, s.FuncDecl) or node.receiver is None or node.name not in siblings:
                return True
        return False

    def _promoted(self, type_: Type, field: str, construction: Construction, name: str) -> Guard | None:
        """An embedded stub brings methods along that the wrapper does not have itself."""
        types = self.analysis.types
        declared = next((f for f in types.fields(type_) if f.name == field), None)
        if declared is None or not declared.embedded:
            return None
        found = types.find_field(type_, field)
        owner = found[1] if found is not None else None
        wanted = set(types.interface_methods(owner)) if owner is not None else set()
        if not wanted:
            return Guard("unknown", f"which methods {type_.name} inherits of the stub is not known")
        package = type_.package
        assert package is not None
        missing = sorted(wanted - package.method_names(type_.name))
        return Guard("no", f"{type_.name}.{missing[0]} is the stub's own") if missing else None

    def _method(
        self, ev: Evaluator, state: State, cell: object, declared: Declaration, construction: Construction
    ) -> Guard:
        node = declared.node
        assert isinstance(node, s.FuncDecl)
        func = Func(node, declared.file, declared.package, None, (Pointer(cell),))
        arguments = [self._argument(p, declared) for p in node.params]
        trial = Trial(ev, func, "unary", state, lambda invoker: list(arguments), wire=True)
        path = construction.call.path if construction.call is not None else ""
        if self.analysis.program.package(path) is None:
            trial.ev.models = _ForeignStub(trial, path)
        return trial.verdict()

    def _argument(self, param: s.Param, declared: Declaration) -> Value:
        """An argument with which a method can be expected to make its call."""
        if param.variadic:
            return NIL
        type_ = self.analysis.types.resolve(param.type, declared.file, declared.package)
        if type_ is not None and type_.path == "context":
            return (Opaque("context", type_),)
        under = self.analysis.types.underlying(type_) if type_ is not None else None
        if under is not None and under.kind == "basic":
            return (Const(_BASIC.get(under.name, 7)),)
        return (Opaque("argument", type_ if type_ is not None and type_.kind == "extern" else None),)


class _ForeignStub(dict[Any, Any]):
    """The models of a trial, in which every method of a stub from elsewhere reaches the far side."""

    def __init__(self, trial: Trial, path: str) -> None:
        super().__init__(trial.ev.models)
        self.trial, self.path = trial, path

    def get(self, key: object, default: object = None) -> object:
        if isinstance(key, tuple) and key[0] == self.path and str(key[1]).startswith("."):
            return self._call
        return super().get(key, default)

    def _call(self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: object) -> list[Value]:
        results = self.trial.reach(state)
        return [(Opaque("reply"),) if self.trial.succeed else NIL, results[-1]]


def _is_at(expr: s.Expr, construction: Construction) -> bool:
    place = construction.seen_from or construction.site
    return isinstance(expr, s.Call) and expr.start == place.start


def _is_stub(v: Val, construction: Construction) -> bool:
    """True for what the constructor of the stub returned."""
    site = v.call.site if isinstance(v, Lazy) else v.site if isinstance(v, Extern) else None
    made = construction.site
    return site is not None and site.file is made.file and site.start == made.start


def _holding(results: list[Value], state: State) -> State:
    """Memory with the results of a function in it, so that objects which it returns by value are found too."""
    kept = state.fork()
    for i, value in enumerate(results):
        kept.cells["result", i] = value
    return kept
