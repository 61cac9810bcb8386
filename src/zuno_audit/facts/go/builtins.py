"""The predeclared functions (specification, "Built-in functions")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go import channels
from zuno_audit.facts.go.values import (
    NIL,
    Array,
    Assumed,
    Const,
    Extern,
    Input,
    Map,
    MapData,
    Nil,
    Pointer,
    Rest,
    Seq,
    Site,
    State,
    Unknown,
    Val,
    Value,
    key_of,
    union,
    widen,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator, Scope

LONG = 8  # elements of a list from which on few alternatives of it are followed: options are seldom more
MAX_LONG = 6


def call(ev: Evaluator, name: str, expr: s.Call, scope: Scope, state: State) -> Value:
    """The result of calling the predeclared function `name`."""
    if name in ("make", "new"):
        return _allocate(ev, name, expr, scope, state)
    if name == "recover":
        return ev.recover(state)
    args = [ev.eval(a, scope, state) for a in expr.args]
    if state.dead:
        return (Unknown("not reached"),)
    site = Site(scope.frame.file, expr.start, expr.end)
    if name == "append":
        return append(ev, args, expr.ellipsis, state, site)
    if name == "panic":
        ev.raise_panic(args[0] if args else NIL, state)
        return (Unknown("a call that does not return", site),)
    if name in ("len", "cap"):
        return _length(ev, args[0], state) if args else (Unknown("length"),)
    if name in ("min", "max"):
        return _extreme(ev, name, args, site)
    if name == "delete" and len(args) == 2:
        _delete(ev, args, state)
    if name == "clear" and args:
        _clear(ev, args[0], state)
    if name == "close" and args:
        channels.close(ev.force(args[0]), state)
    if name == "copy" and len(args) == 2:
        _copy(ev, expr, args, scope, state)
    return (Unknown(f"result of {name}"),)


def _allocate(ev: Evaluator, name: str, expr: s.Call, scope: Scope, state: State) -> Value:
    if not expr.args:
        return (Unknown(name),)
    site = Site(scope.frame.file, expr.start, expr.end)
    frame = scope.frame
    type_ = ev.types.resolve(expr.args[0], frame.file, frame.package, scope)
    if name == "new":
        initial = ev.zero(type_) if type_ is not None else ev.eval(expr.args[0], scope, state)
        return (ev.allocate(initial, state, site),)
    under = ev.types.underlying(type_) if type_ is not None else None
    if (under is not None and under.kind == "map") or isinstance(expr.args[0], s.MapType):
        cell = ev.new_cell()
        state.cells[cell] = (MapData({}),)
        frame.escapes = True
        return (Map(cell, type_, site),)
    if (under is not None and under.kind == "slice") or (type_ is None and _is_slice(expr.args[0])):
        elem = under.elem if under is not None else None  # None for the type parameter of a generic function
        size = ev.force(ev.eval(expr.args[1], scope, state)) if len(expr.args) > 1 else (Const(0),)
        n = size[0].value if len(size) == 1 and isinstance(size[0], Const) else None
        if isinstance(n, int) and 0 <= n <= 256:
            room = ev.force(ev.eval(expr.args[2], scope, state)) if len(expr.args) > 2 else size
            known = room[0].value if len(room) == 1 and isinstance(room[0], Const) else None
            capacity = known if isinstance(known, int) else None
            return (Seq(tuple(ev.zero(elem) for _ in range(n)), False, type_, site, (Array(capacity), 0)),)
        return (Seq((), True, type_, site),)
    sizes = tuple(ev.eval(a, scope, state) for a in expr.args[1:])
    channels.opened(site, state)
    return (Extern("builtin", "make", sizes, site=site),)


def _is_slice(expr: s.Expr) -> bool:
    return isinstance(expr, s.ArrayType) and expr.length is None


def append(ev: Evaluator, args: list[Value], spread: bool, state: State, site: Site) -> Value:
    """Every combination of the slices that are appended to and the elements that are appended."""
    if not args:
        return (Unknown("append"),)
    tails: list[tuple[Value, ...]]
    if spread and len(args) > 1:
        tails = [_items(v, state) for v in ev.force(args[1])]
    else:
        tails = [tuple(args[1:])]
    out: Value = ()
    for base in ev.force(args[0]):
        for tail in tails:
            items = (*_items(base, state), *tail)
            open_ = any(isinstance(v, Rest) for item in items for v in item)
            backing = _appended(ev, base, tail, len(items), state) if ev.arrays_matter and not open_ else None
            out = union(out, (Seq(items, open_, getattr(base, "type", None), site, backing),))
    if len(out) > MAX_LONG and any(isinstance(v, Seq) and len(v.items) > LONG for v in out):
        return widen(out, MAX_LONG)
    return out


def _appended(
    ev: Evaluator, base: Val, tail: tuple[Value, ...], length: int, state: State
) -> tuple[Array, int]:
    """The array behind what append returns: that of the slice, where there is room for more (specification,
    "Appending to and copying slices"). Other slices of it see the new elements.
    """
    if isinstance(base, Seq) and base.backing is not None:
        array, first = base.backing
        if array.capacity is not None and first + length <= array.capacity:
            for i, value in enumerate(tail, len(base.items)):
                ev._assign_shared([base.backing], i, value, state)
            return base.backing
    return Array(length), 0


def _items(v: Val, state: State) -> tuple[Value, ...]:
    if isinstance(v, Seq):
        has_rest = any(isinstance(x, Rest) for item in v.items for x in item)
        if v.open and not has_rest:
            return (*v.items, (Rest(Unknown("elements that are not known")),))
        return v.items
    if isinstance(v, Nil):
        return ()
    return ((Rest(v),),)


def _length(ev: Evaluator, value: Value, state: State) -> Value:
    out: Value = ()
    for v in ev.force(value):
        if isinstance(v, Pointer):
            loaded = ev.force(ev.load(v, state))
            v = loaded[0] if len(loaded) == 1 else v
        if isinstance(v, Seq) and not v.open:
            out = union(out, (Const(len(v.items)),))
        elif isinstance(v, Const) and isinstance(v.value, str | bytes):
            ev.text_tested |= isinstance(v.value, str)
            out = union(out, (Const(len(v.value.encode() if isinstance(v.value, str) else v.value)),))
        elif isinstance(v, Nil):
            out = union(out, (Const(0),))
        elif isinstance(v, Map):
            data = ev.read(v.cell, state)
            known = len(data) == 1 and isinstance(data[0], MapData) and not data[0].open
            size = len(data[0].entries) if known and isinstance(data[0], MapData) else 0
            out = union(out, (Const(size),) if known else (Unknown("length"),))
        elif isinstance(v, Input):
            out = union(out, (Input(f"len({v.origin})", None, (v.key, "len"), v.site),))
        elif isinstance(v, Extern) and (v.path, v.name) == ("runtime/debug", "Stack") and v.args is not None:
            out = union(out, (Assumed(4096),))  # never empty
        else:
            out = union(out, (Extern("builtin", "len", ((v,),)),))
    return out


def _extreme(ev: Evaluator, name: str, args: list[Value], site: Site) -> Value:
    values = [ev.force(a) for a in args]
    if values and all(len(v) == 1 and isinstance(v[0], Const) for v in values):
        consts = [v[0] for v in values if isinstance(v[0], Const)]
        chosen = (min if name == "min" else max)(consts, key=lambda c: c.value)
        for c in consts:
            if c is not chosen:
                ev.note_comparison(site, c, chosen, name == "max", "<")
        typed = next((c.type for c in consts if c.type is not None), None)
        return (Const(chosen.value, typed),)
    return (Unknown(f"result of {name}"),)


def _delete(ev: Evaluator, args: list[Value], state: State) -> None:
    keys = ev.force(args[1])
    at = key_of(keys)
    for v in ev.force(args[0]):
        if isinstance(v, Map):
            out: list[Val] = []
            for data in ev.read(v.cell, state):
                if isinstance(data, MapData):
                    entries = {k: x for k, x in data.entries.items() if k != at}
                    out.append(MapData(entries, data.open or at is None))
                else:
                    out.append(data)
            state.cells[v.cell] = tuple(out)


def _clear(ev: Evaluator, value: Value, state: State) -> None:
    """clear of a map; what a slice holds afterwards is not told."""
    held = ev.force(value)
    for v in held:
        if isinstance(v, Map):
            state.cells[v.cell] = (MapData({}, len(held) > 1),)


def _copy(ev: Evaluator, expr: s.Call, args: list[Value], scope: Scope, state: State) -> None:
    target = ev._address(expr.args[0], scope, state)
    source = ev.force(args[1])
    if target is None or len(source) != 1 or not isinstance(source[0], Seq):
        return
    old = ev.force(ev.load(target, state))
    if len(old) == 1 and isinstance(old[0], Seq):
        items = (*source[0].items[: len(old[0].items)], *old[0].items[len(source[0].items) :])
        ev.store(target.cell, target.path, (Seq(items, old[0].open, old[0].type, old[0].site),), state)
