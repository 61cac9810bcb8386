"""Package-level variables in which only the code under trial keeps its state.

A variable of a package can have been assigned by anybody, so the evaluator reads it as any of the values that it is
ever given. A trial may start from its initial value where nobody but the functions under trial writes it: then
it is the memory of what is tried, like a field of an object.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.effects import local_names, root_name
from zuno_audit.facts.go.values import Func, State
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.program import Package
    from zuno_audit.languages.go.parse import GoFile

Place = tuple["GoFile", "s.FuncDecl | s.FuncLit"]
MAX_FUNCTIONS = 200


def start_from_initial_values(ev: Evaluator, func: Func, memory: State) -> None:
    """Puts the initial values of the variables that only `func` and what it calls write into `memory`."""
    package: Package = func.package
    own = _reachable(func)
    written = {name for place in own for name in _written(place)}
    for name in sorted(written):
        declared = package.declaration(name)
        cell = ("global", package.path, name)
        if name[:1].isupper() or declared is None or cell in memory.cells:
            continue
        if isinstance(declared.node, s.ValueSpec) and not declared.node.is_const:
            if not _is_written_elsewhere(package, name, own):
                memory.cells[cell] = ev.initial_value(declared, name)


def start_of_program(ev: Evaluator, func: Func, memory: State) -> None:
    """Puts the initial values of the variables that `main` itself writes, and nobody else, into `memory`: nothing has
    run before it.
    """
    package: Package = func.package
    if package.name != "main" or not isinstance(func.node, s.FuncDecl) or func.node.name != "main":
        return
    literals = [n for n in s.nodes_of(func.node) if isinstance(n, s.FuncLit)]
    in_literals = {x.name for n in literals for x in s.nodes_of(n) if isinstance(x, s.Ident)}
    own: list[Place] = [(func.file, func.node)]
    for name in sorted(_written(own[0]) - in_literals):
        declared = package.declaration(name)
        cell = ("global", package.path, name)
        if declared is None or not isinstance(declared.node, s.ValueSpec) or cell in memory.cells:
            continue
        if not declared.node.is_const and not _is_written_elsewhere(package, name, own):
            memory.cells[cell] = ev.initial_value(declared, name)


def _reachable(func: Func) -> list[Place]:
    """A function and the functions of its package that it names, and those that they name."""
    package: Package = func.package
    by_name: dict[str, list[Place]] = {}
    for file in package.parsed():
        for function in file.functions():
            by_name.setdefault(function.name, []).append((file, function))
    found: list[Place] = [(func.file, func.node)]
    for _, node in found:
        if len(found) > MAX_FUNCTIONS:
            break
        names = {x.sel if isinstance(x, s.Selector) else x.name for x in _names(s.nodes_of(node))}
        for name in sorted(names & by_name.keys()):
            found.extend(place for place in by_name.pop(name) if place[1] is not func.node)
    return found


def _names(nodes: Iterable[s.Node]) -> Iterator[s.Selector | s.Ident]:
    return (x for x in nodes if isinstance(x, s.Selector | s.Ident))


def _writes(node: s.Node) -> Iterator[str]:
    """The variables that a statement or expression assigns, or whose address it takes."""
    targets: list[s.Expr] = []
    if isinstance(node, s.Assign) and node.op != ":=":
        targets = list(node.lhs)
    elif isinstance(node, s.IncDec) or (isinstance(node, s.Unary) and node.op == "&"):
        targets = [node.x]
    for target in targets:
        name = root_name(target)
        if name is not None:
            yield name


def _written(place: Place) -> set[str]:
    """The names that a function writes and does not declare itself."""
    written = {name for node in s.nodes_of(place[1]) for name in _writes(node)}
    return written - local_names(place[1]) if written else written


def _is_written_elsewhere(package: Package, name: str, own: list[Place]) -> bool:
    for file in package.parsed():
        for function in file.functions_with(name.encode()):
            for node in s.nodes_of(function):
                if name in _writes(node) and not any(
                    file is at and inside.start <= node.start < inside.end for at, inside in own
                ):
                    return True
    return False
