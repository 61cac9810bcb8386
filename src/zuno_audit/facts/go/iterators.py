"""Iterators: functions that call `yield`, and those that packages slices and maps make (documentation of package iter).

`rounds` says what a loop over such a value goes through; `MODELS` are the functions that take iterators.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.go.values import (
    NIL,
    TRUE,
    Extern,
    Func,
    Map,
    MapData,
    Opaque,
    Rest,
    Seq,
    Site,
    State,
    Unknown,
    Value,
    union,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.evaluation.loops import Loops
    from zuno_audit.facts.go.library import Model

Rounds = tuple[list[tuple[Value, Value]], bool]
_MAKE = frozenset(
    {
        ("slices", "All"),
        ("slices", "Backward"),
        ("slices", "Values"),
        ("maps", "All"),
        ("maps", "Keys"),
        ("maps", "Values"),
    }
)


def rounds(ev: Loops, v: Extern, state: State) -> Rounds | None:
    """The known rounds of a loop over what packages slices and maps make, and whether there may be more."""
    if (v.path, v.name) not in _MAKE or not v.args:
        return None
    held = ev.force(v.args[0])
    found, open_ = ev._rounds(held[0], state) if len(held) == 1 else ([], True)
    if v.name == "Backward":
        found = found[::-1]
    elif v.name == "Keys":
        found = [(key, NIL) for key, _ in found]
    elif v.name == "Values":
        found = [(value, NIL) for _, value in found]
    return found, open_


def _collect(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """slices.Collect and slices.Sorted: the slice of all that an iterator gives."""
    held = ev.force(args[0]) if args else ()
    if len(held) != 1:
        return None
    if isinstance(held[0], Func):
        return [_all_of(ev, held, state, site)]
    found = rounds(ev, held[0], state) if isinstance(held[0], Extern) else None
    return None if found is None else [(_list([key for key, _ in found[0]], found[1]),)]


def _all_of(ev: Evaluator, iterator: Value, state: State, site: Site) -> Value:
    """Calls an iterator with a `yield` that keeps what it gets."""
    from zuno_audit.facts.go.builtins import append

    cell = ev.new_cell()
    state.cells[cell] = (Seq(()),)

    def keep(ev: Evaluator, given: list[Value], memory: State) -> list[Value]:
        memory.cells[cell] = append(ev, [memory.cells[cell], *given[:1]], False, memory, site)
        return [(TRUE,)]

    ev.call_value(iterator, [(Opaque("yield", on_call=keep),)], state, site)
    return state.cells[cell]


def _list(items: list[Value], open_: bool) -> Seq:
    rest: list[Value] = [(Rest(Unknown("elements that are not known")),)] if open_ else []
    return Seq((*items, *rest), open_)


def _keys(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """golang.org/x/exp/maps.Keys and Values, which give slices."""
    held = ev.force(args[0]) if args else ()
    if len(held) != 1:
        return None
    found, open_ = ev._rounds(held[0], state)
    return [(_list([round_[v.name == "Values"] for round_ in found], open_),)]


def _data(ev: Evaluator, value: Value, state: State) -> MapData | None:
    """What is in a map, if there is only one answer."""
    held = ev.force(value)
    if len(held) == 1 and ev.is_nil(held[0]):
        return MapData({})
    data = ev.read(held[0].cell, state) if len(held) == 1 and isinstance(held[0], Map) else ()
    return data[0] if len(data) == 1 and isinstance(data[0], MapData) else None


def _copy(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """maps.Copy: the entries of the second map are put into the first; others may be where it is not known."""
    targets = [x for x in ev.force(args[0]) if isinstance(x, Map)] if len(args) == 2 else []
    if not targets:
        return None
    source = _data(ev, args[1], state)
    for target in targets:
        old = _data(ev, (target,), state)
        if old is None:
            state.cells[target.cell] = (MapData({}, True),)
        elif source is None or source.open or len(targets) > 1:
            perhaps = Unknown("perhaps copied over", site)
            kept = {key: union(value, (perhaps,)) for key, value in old.entries.items()}
            state.cells[target.cell] = (MapData(kept, True),)
        else:
            state.cells[target.cell] = (MapData({**old.entries, **source.entries}, old.open),)
    return [(Unknown("no value"),)]


def _clone(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """maps.Clone: another map with the same entries."""
    held = ev.force(args[0]) if args else ()
    data = _data(ev, args[0], state) if args else None
    if data is None or not isinstance(held[0], Map):
        return None
    cell = ev.new_cell()
    state.cells[cell] = (data,)
    return [(Map(cell, held[0].type, site),)]


MODELS: dict[tuple[str, str], Model] = {
    **{(path, "Copy"): _copy for path in ("maps", "golang.org/x/exp/maps")},
    **{(path, "Clone"): _clone for path in ("maps", "golang.org/x/exp/maps")},
    **{("slices", name): _collect for name in ("Collect", "Sorted", "SortedFunc", "SortedStableFunc")},
    **{("golang.org/x/exp/maps", name): _keys for name in ("Keys", "Values")},
}
