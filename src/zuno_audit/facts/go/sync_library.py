"""`sync.Map` as a map in memory, for `library.py`.

Source: the documentation of package sync. The entries lie in a hidden field of the variable, as `MapData`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Const,
    Extern,
    MapData,
    Pointer,
    Site,
    State,
    Struct,
    Unknown,
    Value,
    key_of,
    union,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model

_ENTRIES = "entries"
_NO_VALUE: list[Value] = [(Unknown("no value"),)]


class _Table:
    """The entries of one `sync.Map`."""

    def __init__(self, ev: Evaluator, owner: Pointer, state: State) -> None:
        self.ev, self.owner, self.state = ev, owner, state
        self.data = self._read()

    def _read(self) -> MapData:
        held = self.ev.force(self.ev.load(self.owner, self.state))
        if len(held) != 1 or not isinstance(held[0], Struct) or held[0].open:
            return MapData({}, True)
        entries = held[0].fields.get(_ENTRIES, ())
        data = entries[0] if len(entries) == 1 else None
        return data if isinstance(data, MapData) else MapData({}, bool(entries))

    def get(self, key: Any) -> tuple[Value, Value]:
        """The value of a key, and whether it is there."""
        if key is not None and key in self.data.entries:
            return self.data.entries[key], (TRUE,)
        if not self.data.entries and not self.data.open:
            return NIL, (FALSE,)
        if key is not None and not self.data.open and all(type(k) is type(key) for k in self.data.entries):
            return NIL, (FALSE,)
        out: Value = ()
        for value in self.data.entries.values():
            out = union(out, value)
        return union(out, (Unknown("element of a map"),)), (Unknown("key in a map"),)

    def put(self, key: Any, value: Value) -> None:
        entries = dict(self.data.entries)
        entries[("?", len(entries)) if key is None else key] = value
        self._write(MapData(entries, self.data.open or key is None))

    def remove(self, key: Any) -> None:
        entries = {k: v for k, v in self.data.entries.items() if k != key}
        self._write(MapData(entries, self.data.open or key is None))

    def _write(self, data: MapData) -> None:
        self.data = data
        self.ev.store(self.owner.cell, (*self.owner.path, _ENTRIES), (data,), self.state)


def _model(run: Callable[[_Table, list[Value], Site], list[Value]], operands: int) -> Model:
    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        owner = v.recv[0] if v.recv is not None and len(v.recv) == 1 else None
        if not isinstance(owner, Pointer) or len(args) < operands:
            return None
        return run(_Table(ev, owner, state), [ev.force(args[0]), *args[1:]] if args else [], site)

    return model


def _load(table: _Table, args: list[Value], site: Site) -> list[Value]:
    return list(table.get(key_of(args[0])))


def _store(table: _Table, args: list[Value], site: Site) -> list[Value]:
    table.put(key_of(args[0]), args[1])
    return _NO_VALUE


def _load_or_store(table: _Table, args: list[Value], site: Site) -> list[Value]:
    key = key_of(args[0])
    found, is_there = table.get(key)
    known = table.ev.truth(is_there)
    if known is True:
        return [found, is_there]
    value = args[1] if known is False else union(found, args[1])
    table.put(key, value)
    return [value, is_there]


def _load_and_delete(table: _Table, args: list[Value], site: Site) -> list[Value]:
    found = list(table.get(key_of(args[0])))
    table.remove(key_of(args[0]))
    return found


def _delete(table: _Table, args: list[Value], site: Site) -> list[Value]:
    table.remove(key_of(args[0]))
    return _NO_VALUE


def _range(table: _Table, args: list[Value], site: Site) -> list[Value]:
    """Range calls its argument for each entry; what it returns to stop early is not looked at."""
    for key, value in list(table.data.entries.items()):
        known: Value = (Unknown("key of a map"),) if isinstance(key, tuple) else (Const(key),)
        table.ev.call_value(args[0], [known, value], table.state, site)
        if table.state.dead:
            break
    return _NO_VALUE


MODELS: dict[tuple[str, str], Model] = {
    ("sync", ".Load"): _model(_load, 1),
    ("sync", ".Store"): _model(_store, 2),
    ("sync", ".LoadOrStore"): _model(_load_or_store, 2),
    ("sync", ".LoadAndDelete"): _model(_load_and_delete, 1),
    ("sync", ".Delete"): _model(_delete, 1),
    ("sync", ".Range"): _model(_range, 1),
}
