"""The settings that a breaker's configuration has, whether or not the breaker works.

A struct in memory is taken for such a configuration when its fields say how many failures open it, how long it
stays open and how many calls are let through while it tries.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import product
from math import prod

from zuno_audit.facts.go.evaluate import Evaluator
from zuno_audit.facts.go.types import Types
from zuno_audit.facts.go.values import (
    Cell,
    Const,
    Extern,
    Func,
    Input,
    Lazy,
    Map,
    MapData,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    Val,
    Value,
)

SECOND = 1_000_000_000
MAX_FORCED = 60  # calls that are evaluated to see what they return
MAX_VALUES = 5_000  # values in reach that are looked at
MOST_ALTERNATIVES = 8  # mixes of the values of all numbers
# Names of the fields that play a role; the first pattern that fits a field wins. Counters that a breaker keeps
# while it works (failures, openedAt, halfOpenCalls) are not settings.
_FIELDS = {
    "max_failures": (
        re.compile(
            r"(?i)(?:max|limit|threshold|trip).*(?:fail|err)|(?:fail|err).*(?:max|limit|threshold)|tripafter"
        ),
        re.compile(r"(?i)^(?:threshold|limit|consecutivefailures)$"),
    ),
    "reset_timeout_s": (
        re.compile(
            r"(?i)(?:reset|open|recover|cool|sleep|retry).*(?:timeout|duration|window|interval|period|for|after)$"
        ),
        re.compile(r"(?i)^(?:timeout|cooldown|cooloff|pause|delay)$"),
    ),
    "half_open_max_calls": (
        re.compile(r"(?i)half.*(?:max|limit|probes|requests|threshold)|maxrequests|probes$|trials?$"),
        re.compile(r"(?i)success.*threshold|^half_?open(?:calls)?$"),
    ),
}
SANE = {"max_failures": 5, "reset_timeout_s": 60, "half_open_max_calls": 3}

Settings = dict[str, tuple[float | int | None, Site | None]]


def configured(ev: Evaluator, types: Types, state: State, roots: Iterable[Val]) -> Settings | None:
    """The settings by field of `grpc_client` that configurations in reach of some values have, or None.

    None when nothing in reach is a configuration, or several differ.
    """
    found: list[Settings] = []
    for _, v in reach(ev, state, roots):
        for struct in _structs(v):
            settings = _settings(ev, types, struct)
            if settings is not None and _numbers(settings) not in [_numbers(f) for f in found]:
                found.append(settings)
    return found[0] if len(found) == 1 else None


def reach(ev: Evaluator, state: State, roots: Iterable[Val]) -> Iterator[tuple[Cell | None, Val]]:
    """Every value that can be reached from some values, with the memory cell that it lies in (None for none)."""
    pending: list[tuple[Cell | None, Val]] = [(None, v) for v in roots]
    cells: set[Cell] = set()
    scopes: set[int] = set()
    forced = 0
    for _ in range(MAX_VALUES):
        if not pending:
            return
        cell, v = pending.pop()
        if isinstance(v, Lazy):
            if forced < MAX_FORCED and _may_hold_objects(v):
                forced += 1
                pending.extend((cell, x) for x in ev.force((v,)))
            continue
        yield cell, v
        for name in _cells_of(v, scopes):
            if name not in cells:
                cells.add(name)
                pending.extend((name, x) for x in ev.read(name, state))
        pending.extend((None, x) for value in _values_of(v) for x in value)


def _may_hold_objects(v: Lazy) -> bool:
    """False for a call whose result is a plain value, an error or something from elsewhere."""
    type_ = v.type.elem if v.type is not None and v.type.kind == "pointer" else v.type
    return type_ is None or (type_.kind not in ("basic", "extern") and type_.name != "error")


def _cells_of(v: Val, scopes: set[int]) -> Iterator[Cell]:
    if isinstance(v, Pointer | Map):
        yield v.cell
    elif isinstance(v, Func):
        scope = v.scope
        while scope is not None and id(scope) not in scopes:
            scopes.add(id(scope))
            yield from scope.names.values()
            scope = scope.parent


def _values_of(v: Val) -> Iterator[Value]:
    if isinstance(v, Struct):
        yield from v.fields.values()
    elif isinstance(v, Seq):
        yield from v.items
    elif isinstance(v, MapData):
        yield from v.entries.values()
    elif isinstance(v, Func) and v.receiver is not None:
        yield v.receiver
    elif isinstance(v, Extern):
        yield from v.args or ()
        if v.recv is not None:
            yield v.recv


def _structs(v: Val) -> Iterator[Struct]:
    """A struct and the structs inside it."""
    if isinstance(v, Struct):
        yield v
        for value in v.fields.values():
            for inner in value:
                yield from _structs(inner)


def _settings(ev: Evaluator, types: Types, struct: Struct) -> Settings | None:
    names = (
        [*struct.fields, *(f.name for f in types.fields(struct.type))] if struct.type else [*struct.fields]
    )
    roles = _roles(names)
    if roles is None:
        return None
    settings = {role: _number(ev, ev._field(struct, name), role) for role, name in roles.items()}
    return settings if all(v is not None for v, _ in settings.values()) else None


def _numbers(settings: Settings) -> dict[str, float | int | None]:
    return {role: value for role, (value, _) in settings.items()}


def _roles(names: list[str]) -> dict[str, str] | None:
    """Which field plays which role, or None when a role is missing."""
    roles: dict[str, str] = {}
    for role, patterns in _FIELDS.items():
        fitting = [n for pattern in patterns for n in names if pattern.search(n) and n not in roles.values()]
        if not fitting:
            return None
        roles[role] = fitting[0]
    return roles


def with_sane_settings(ev: Evaluator, types: Types, state: State, roots: Iterable[Val]) -> State:
    """Memory in which every configuration in reach has the usual settings: would it be a breaker then?"""
    patched = state.fork()
    for cell in {cell for cell, _ in reach(ev, state, roots) if cell is not None}:
        value = ev.read(cell, state)
        if any(isinstance(v, Struct) for v in value):
            patched.cells[cell] = tuple(_sane(types, v) for v in value)
    return patched


def alternatives(ev: Evaluator, state: State, roots: Iterable[Val]) -> list[State]:
    """Memory once for every mix of the values that numbers in reach may have (a default, or what the environment
    says); numbers with the same values are one setting. Nothing when every number has one, or there are too many.
    """
    values = {cell: ev.read(cell, state) for cell, _ in reach(ev, state, roots) if cell is not None}
    settings: list[Value] = []
    for value in values.values():
        _collect(ev, value, settings)
    if not settings or prod(map(len, settings)) > MOST_ALTERNATIVES:
        return []
    states = []
    for mix in product(*settings):
        patched = state.fork()
        for cell, value in values.items():
            chosen = _chosen(ev, value, settings, mix)
            if chosen is not value:
                patched.cells[cell] = chosen
        states.append(patched)
    return states


def _collect(ev: Evaluator, value: Value, settings: list[Value]) -> None:
    """Adds the numbers of a value that may be several."""
    numbers = _numbers_of(ev, value)
    if len(numbers) > 1 and numbers not in settings:
        settings.append(numbers)
    for v in value:
        for inner in v.fields.values() if isinstance(v, Struct) else ():
            _collect(ev, inner, settings)


def _chosen(ev: Evaluator, value: Value, settings: list[Value], mix: tuple[Val, ...]) -> Value:
    """The value with one number for each of the settings; the value itself when there is none in it."""
    numbers = _numbers_of(ev, value)
    if len(numbers) > 1:
        return (mix[settings.index(numbers)],)
    changed = tuple(
        Struct(v.type, {k: _chosen(ev, x, settings, mix) for k, x in v.fields.items()}, v.open, v.site)
        if isinstance(v, Struct)
        else v
        for v in value
    )
    return changed if any(isinstance(v, Struct) for v in value) else value


def _numbers_of(ev: Evaluator, value: Value) -> Value:
    """The alternatives of a number that the code gives in one of them at least; nothing for other values."""
    if any(isinstance(v, Lazy) and _may_hold_objects(v) for v in value):
        return ()
    forced = ev.force(value)
    numbers = [
        isinstance(v, Const) and isinstance(v.value, int | float) and not isinstance(v.value, bool)
        for v in forced
    ]
    outside = all(number or isinstance(v, Input | Extern) for v, number in zip(forced, numbers, strict=True))
    return tuple(forced) if any(numbers) and outside else ()


def _sane(types: Types, v: Val) -> Val:
    if not isinstance(v, Struct):
        return v
    fields = {name: tuple(_sane(types, x) for x in value) for name, value in v.fields.items()}
    names = [*v.fields, *(f.name for f in types.fields(v.type))] if v.type else [*v.fields]
    for role, name in (_roles(names) or {}).items():
        unit = SECOND if role == "reset_timeout_s" else 1
        fields[name] = (Const(SANE[role] * unit),)
    return Struct(v.type, fields, v.open, v.site)


def _number(ev: Evaluator, value: Value, role: str) -> tuple[float | int | None, Site | None]:
    forced = ev.force(value)
    if len(forced) != 1 or not isinstance(forced[0], Const):
        return None, None
    v = forced[0]
    if isinstance(v.value, bool) or not isinstance(v.value, int | float):
        return None, v.site
    return (v.value / SECOND if role == "reset_timeout_s" else int(v.value)), v.site
