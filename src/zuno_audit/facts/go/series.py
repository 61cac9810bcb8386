"""Whether anything makes a series of a metric vector: without one, a vector exports nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import bound_name, last_name
from zuno_audit.facts.go.origins import At, Origins
from zuno_audit.facts.go.program import Declaration
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.reach import Reach

_REGISTERED = re.compile(rb"\b(?:Must)?Register\((?:[^()]|\([^()]*\))*\)")
_DECLARES = re.compile(rb"[ \t]*(?:,[ \t]*\w+[ \t]*)*\*?[ \t]*\w+\.\w+Vec\b")


_BY_ORDER = ("WithLabelValues", "GetMetricWithLabelValues")
_BY_NAME = ("With", "GetMetricWith")
MAX_HANDS = 4  # functions and fields that a vector is handed through


def makes_series(
    root: Declaration, call: s.Call, asked: Analysis, reachable: Reach, origins: Origins
) -> Answer:
    """Whether code that can run names the vector that a call in a declaration makes, other than to register it.

    `no` is certain: the name that the vector is bound to is only registered, or asked for a series by code that never
    runs, or by calls with another number of values than it has labels, which panic. `unknown` where it is not bound
    to a name.
    """
    name = bound_name(root.node, call)
    here = (root.file.location(call.start, call.end),)
    if not name:
        return Answer(UNKNOWN, "what it is bound to is not known", here)
    mention = re.compile(rb"(?<![\w])" + name.encode() + rb"(?!\w)[ \t]*(\.[ \t\n]*(\w+)|)")
    everywhere = name[:1].isupper()
    for path in asked.search.files_with(name.encode()) if everywhere else root.package.files:
        data = asked.program.repository.read(path) or b""
        registered = [m.span() for m in _REGISTERED.finditer(data)]
        for match in mention.finditer(data):
            at = match.start()
            is_bound = path == root.file.path and at < call.start
            if is_bound and not data[match.end() : call.start].strip(b" \t:=&,"):
                continue
            if any(start <= at < end for start, end in registered) or _DECLARES.match(data, match.end(1)):
                continue
            if reachable.can_run(path, at) != NO:
                uses = _Uses(origins, reachable, _labels(origins, root, call))
                if uses.all_panic(root, name):
                    because = (
                        f"each use of {name} that runs gives it another number of values than it has labels"
                    )
                    return Answer(NO, f"{because}, and panics", here)
                return Answer(YES)
    return Answer(NO, f"nothing that runs makes a series of {name}, and without one it exports nothing", here)


def _labels(origins: Origins, root: Declaration, call: s.Call) -> int | None:
    """How many labels of a vector have no constant value; None where that is computed."""
    return _length(origins, At(call.args[-1], root)) if len(call.args) > 1 else None


def _length(origins: Origins, at: At) -> int | None:
    """The number of elements of a slice or map that is written down."""
    for _ in range(MAX_HANDS):
        if isinstance(at.expr, s.CompositeLit):
            return len(at.expr.elements)
        steps = origins.step(at)
        if len(steps) != 1:
            return None
        at = steps[0]
    return None


class _Uses:
    """What code does with a vector of so many labels, by the names that it is bound to."""

    def __init__(self, origins: Origins, reachable: Reach, labels: int | None) -> None:
        self.origins, self.reachable, self.labels = origins, reachable, labels
        self.seen: set[tuple[int, str]] = set()

    def all_panic(self, root: Declaration, name: str) -> bool:
        """True when there is a use, and every one that can run is known to panic."""
        if self.labels is None:
            return False
        is_local = isinstance(root.node, s.FuncDecl) and any(
            isinstance(n, s.Assign)
            and n.op == ":="
            and any(last_name(t) == name for t in n.lhs if isinstance(t, s.Ident))
            for n in root.nodes
        )
        found = set(self._in(root, name, 0) if is_local else self._everywhere(root, name, 0))
        return found == {True}

    def _everywhere(self, root: Declaration, name: str, depth: int) -> Iterator[bool]:
        paths = self.origins.search.files_with(name.encode()) if name[:1].isupper() else root.package.files
        for path in paths:
            file, package = self.origins.program.file(path), self.origins.program.package_of(path)
            if file is not None and package is not None and path in package.files:
                literal = name.encode()
                nodes: list[s.FuncDecl | s.ValueSpec] = [
                    *file.functions_with(literal),
                    *file.values_with(literal),
                ]
                for node in nodes:
                    yield from self._in(Declaration(package, file, node), name, depth)

    def _in(self, root: Declaration, name: str, depth: int) -> Iterator[bool]:
        """For each use in a declaration whether it panics."""
        if (id(root.node), name) in self.seen or depth > MAX_HANDS:
            if depth > MAX_HANDS:
                yield False
            return
        self.seen.add((id(root.node), name))
        bound: set[int] = set()
        nodes = [*s.walk(root.node)] if isinstance(root.node, s.ValueSpec) else root.nodes
        for node in nodes:
            if isinstance(node, s.Assign | s.ValueSpec):
                bound |= {id(t) for t in (node.lhs if isinstance(node, s.Assign) else node.names)}
            elif isinstance(node, s.CompositeLit):
                bound |= {id(key) for key, _ in node.elements if key is not None}
        for node in nodes:
            if isinstance(node, s.Selector) and _is_it(node.x, name):
                bound.add(id(node.x))
            elif isinstance(node, s.Call):
                yield from self._called(root, node, name, bound, depth)
            elif isinstance(node, s.CompositeLit):
                for key, value in node.elements:
                    if isinstance(key, s.Ident) and _is_it(value, name):
                        bound.add(id(value))
                        if self._runs(root, value):
                            yield from self._everywhere(root, key.name, depth + 1)
        yield from (False for n in nodes if _is_it(n, name) and id(n) not in bound and self._runs(root, n))

    def _called(
        self, root: Declaration, call: s.Call, name: str, bound: set[int], depth: int
    ) -> Iterator[bool]:
        fun = call.fun
        if last_name(fun) in ("Register", "MustRegister", "Unregister"):
            bound |= {id(a) for a in call.args}
            return
        if isinstance(fun, s.Selector) and _is_it(fun.x, name):
            bound.add(id(fun.x))
            if fun.sel in (*_BY_ORDER, *_BY_NAME) and self._runs(root, call):
                yield self._panics(root, call)
            return
        for index, argument in enumerate(call.args):
            if _is_it(argument, name):
                bound.add(id(argument))
                callees = self.origins.functions(fun, root) if self._runs(root, call) else []
                for callee in callees:
                    parameter = callee.params[index] if index < len(callee.params) else None
                    if parameter is not None and parameter.name and not parameter.variadic:
                        yield from self._in(callee, parameter.name, depth + 1)
                    else:
                        yield False
                if not callees and self._runs(root, call):
                    yield False

    def _panics(self, root: Declaration, call: s.Call) -> bool:
        assert isinstance(call.fun, s.Selector)
        if call.fun.sel in _BY_NAME or call.ellipsis:
            given = _length(self.origins, At(call.args[-1], root)) if len(call.args) == 1 else None
        else:
            given = len(call.args)
        return given is not None and given != self.labels

    def _runs(self, root: Declaration, node: s.Node) -> bool:
        return self.reachable.can_run(root.file.path, node.start) != NO


def _is_it(node: s.Node, name: str) -> bool:
    return isinstance(node, s.Ident | s.Selector) and last_name(node) == name
