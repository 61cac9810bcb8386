"""The part of memory that a function can reach, for simulations that start from a large one.

A container of dependency injection leaves thousands of cells behind, and each path of a simulation copies and joins
all of them. What nothing can name any more makes no difference.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go.cells import Cells
from zuno_audit.facts.go.values import (
    Cell,
    Extern,
    Func,
    Lazy,
    Map,
    MapData,
    Pointer,
    Rest,
    Seq,
    State,
    Struct,
    Val,
    Value,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator

SMALL = 400  # cells that are not worth the search


def reachable(ev: Evaluator, state: State, roots: Value) -> State:
    """A copy of memory with the package-level variables and all that they and `roots` lead to."""
    if len(state.cells) < SMALL:
        return state.fork()
    found: set[Cell] = {cell for cell in state.cells if type(cell) is tuple}
    seen: set[int] = set()  # ids of values and scopes
    pending: list[Value] = [roots, *(state.cells[cell] for cell in found)]
    while pending:
        for v in pending.pop():
            if id(v) in seen:
                continue
            seen.add(id(v))
            pending.extend(_parts(v))
            for cell in _cells(v, seen):
                if cell not in found:
                    found.add(cell)
                    pending.append(state.cells.get(cell) or ev.heap.get(cell, ()))
    small = state.fork()
    small.cells = Cells((c, v) for c, v in state.cells.items() if c in found)
    return small


def _cells(v: Val, seen: set[int]) -> Iterator[Cell]:
    if isinstance(v, Pointer | Map):
        yield v.cell
    elif isinstance(v, Func):
        yield from _variables(v, seen)
    elif isinstance(v, Lazy):
        yield from _variables(v.call.func, seen)


def _variables(func: Func, seen: set[int]) -> Iterator[Cell]:
    scope: Any = func.scope
    while scope is not None and id(scope) not in seen:
        seen.add(id(scope))
        yield from scope.names.values()
        scope = scope.parent


def _parts(v: Val) -> list[Value]:
    """The values inside a value."""
    if isinstance(v, Struct):
        return list(v.fields.values())
    if isinstance(v, Seq):
        return list(v.items)
    if isinstance(v, MapData):
        return list(v.entries.values())
    if isinstance(v, Extern):
        return [*(v.args or ()), v.recv or ()]
    if isinstance(v, Func):
        return [v.receiver or ()]
    if isinstance(v, Rest):
        return [(v.source,)]
    if isinstance(v, Lazy):
        call = v.call
        return [*call.args, call.func.receiver or (), *(r for results in call.exits or () for r in results)]
    return []
