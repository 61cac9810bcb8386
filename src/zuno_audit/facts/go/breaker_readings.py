"""What a trial of a circuit breaker says about its settings: comparisons, durations, memory that grew."""

from __future__ import annotations

import msgspec

from zuno_audit.facts.go.evaluate import Comparison
from zuno_audit.facts.go.values import Assumed, Const, MapData, Seq, Site, State, Struct, Val, Value, same

SECOND = 1_000_000_000
LONGEST_TIMEOUT = 24 * 3600 * SECOND
MAX_CANDIDATES = 16
INVOKED = ("breaker", "invoked")  # the memory cell in which a simulation notes that the call went through
Sites = tuple[tuple[Site, str], ...]


class Outcome(msgspec.Struct):
    """One call of the function under trial. `invoked` is True, False or None (some paths); `without_error` means
    that the caller sees success, whichever way the function ends. `lost` says why no result can come
    back, whichever way, and is empty where one may.
    """

    invoked: bool | None
    refused_with_error: bool | None
    without_error: bool
    lost: str
    comparisons: list[Comparison]
    memory: State


def is_count(comparison: Comparison) -> bool:
    """A comparison of small whole numbers, not of times."""
    values = [v.value for v in (comparison.x, comparison.y) if isinstance(v, Const)]
    return len(values) == 2 and all(
        isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 100_000 for v in values
    )


def flips(before: Outcome, after: Outcome) -> list[Comparison]:
    """Comparisons of counts whose answer differs between two calls."""
    old = {c.site: c for c in before.comparisons}
    return [
        c
        for c in after.comparisons
        if is_count(c) and c.site in old and is_count(old[c.site]) and old[c.site].result != c.result
    ]


def reached(before: Outcome | None, now: Outcome, count: int) -> list[Comparison]:
    """Comparisons in which a count that grew by one has just reached its limit, which is `count`."""
    old = {c.site: c for c in before.comparisons} if before is not None else {}
    found = []
    for c in now.comparisons:
        if is_count(c) and c.op in (">=", "<=") and c.result and c.x.value == c.y.value == count:
            o = old.get(c.site)
            if o is None or abs(o.x.value - c.x.value) + abs(o.y.value - c.y.value) == 1:
                found.append(c)
    return found


def operands(outcome: Outcome, sites: set[Site]) -> set[tuple[object, ...]]:
    """What was compared at some places."""
    return {(c.site, c.x.value, c.y.value) for c in outcome.comparisons if c.site in sites}


def growing(before: Outcome | None, now: Outcome) -> list[int]:
    """How many such calls a count that grew since the call before still is from a limit that did not move."""
    old = {c.site: c for c in before.comparisons} if before is not None else {}
    found: list[int] = []
    for c in now.comparisons:
        o = old.get(c.site)
        if o is None or not all(isinstance(v.value, int | float) for v in (c.x, c.y, o.x, o.y)):
            continue
        for side, other in (("x", "y"), ("y", "x")):
            count, limit = getattr(c, side).value, getattr(c, other).value
            step = count - getattr(o, side).value
            if step > 0 and limit == getattr(o, other).value and limit >= count:
                found.append(int((limit - count) / step))
    return found


def bound(comparison: Comparison, measured: int) -> int | None:
    """The side of a comparison that is the setting: the one within one of what was measured."""
    for v in (comparison.y, comparison.x):
        if not isinstance(v, Const) or not isinstance(v.value, int | float):
            continue
        if abs(v.value - measured) <= 1 and v.value > 0 and v.site is not comparison.site:
            return int(v.value)
    return None


def is_known(comparison: Comparison) -> bool:
    """False when a stand-in was compared."""
    return not isinstance(comparison.y, Assumed) and not isinstance(comparison.x, Assumed)


def limit_of(before: Outcome, tripping: Outcome, failures: int) -> tuple[int, bool]:
    """The number of failures that opens the breaker: the setting that decided, else what was measured.

    A number in the comparison itself is no setting: `failures > 4` opens it after five.
    """
    for comparison in flips(before, tripping) or [c for c in tripping.comparisons if is_count(c)]:
        old = {c.site: c for c in before.comparisons}.get(comparison.site)
        for side, other in (("y", "x"), ("x", "y")):
            v = getattr(comparison, side)
            fixed = old is None or old is comparison or getattr(old, side).value == v.value
            moving = old is None or getattr(old, other).value != getattr(comparison, other).value
            if fixed and (moving or failures == 1) and abs(v.value - failures) <= 1 and v.value > 0:
                known = not isinstance(v, Assumed)
                return (failures if known and _is_inside(v.site, comparison.site) else int(v.value)), known
    return failures, not any(
        isinstance(v, Assumed) for c in tripping.comparisons for v in (c.x, c.y) if is_count(c)
    )


def _is_inside(site: Site | None, around: Site) -> bool:
    return site is not None and site.file is around.file and around.start <= site.start < around.end


def decisive_sites(before: Outcome, tripping: Outcome) -> Sites:
    """The comparisons that changed their answer when the breaker opened."""
    return tuple((c.site, "failures are counted against the limit") for c in flips(before, tripping)[:2])


def durations(
    comparisons: list[Comparison], now: int, timers: list[tuple[int, Value, list[Value]]]
) -> list[tuple[int, bool, Site | None]]:
    """Candidates for the reset timeout, from the comparisons of a refused call and from timers; likely ones first."""
    found: dict[int, tuple[bool, Site | None]] = {}
    for deadline, _, _ in timers:
        found.setdefault(_rounded(deadline - now), (True, None))
    for unit, least in ((1, 1_000_000), (SECOND, 0), (1_000_000, 0), (1, 0)):
        for c in reversed(comparisons):
            for number in _numbers(c):
                duration = _rounded(int(number * unit))
                if least <= duration <= LONGEST_TIMEOUT and duration > 0:
                    found.setdefault(duration, (is_known(c), c.site))
    return [(duration, *rest) for duration, rest in found.items() if duration > 0][:MAX_CANDIDATES]


def _rounded(duration: int) -> int:
    """Without the nanoseconds that pass between calls."""
    return round(duration, -3) if duration >= 1_000_000 else duration


def _numbers(comparison: Comparison) -> list[float]:
    values = [v.value for v in (comparison.y, comparison.x) if isinstance(v, Const)]
    if len(values) != 2 or not all(isinstance(n, int | float) and not isinstance(n, bool) for n in values):
        return []
    return [*(abs(n) for n in values), abs(values[0] - values[1])]


# ---------------------------------------------------------------- memory


def unchanged(before: State, after: State) -> bool:
    """True when a call left nothing behind that the next call could see."""
    for cell, now, value in before.cells.changed_since(after.cells):
        if cell != INVOKED and (now is None or not _alike(value, now)):
            return False
    return True


def _alike(a: Value, b: Value) -> bool:
    return len(a) == len(b) and all(_alike_val(x, y) for x, y in zip(a, b, strict=True))


def _alike_val(a: Val, b: Val) -> bool:
    if isinstance(a, Struct) and isinstance(b, Struct):
        return (
            a.type is b.type
            and a.fields.keys() == b.fields.keys()
            and all(_alike(v, b.fields[name]) for name, v in a.fields.items())
        )
    if isinstance(a, MapData) and isinstance(b, MapData):
        return a.entries.keys() == b.entries.keys() and all(
            _alike(v, b.entries[k]) for k, v in a.entries.items()
        )
    if isinstance(a, Seq) and isinstance(b, Seq):
        return len(a.items) == len(b.items) and all(
            _alike(x, y) for x, y in zip(a.items, b.items, strict=True)
        )
    return same(a, b)


def advanced(before: State, now: State, by: int) -> State:
    """Memory in which every count that grew by one in a call has grown by so many more."""
    patched = now.fork()
    for cell, old, value in now.cells.changed_since(before.cells):
        if old is not None and len(old) == len(value) == 1:
            patched.cells[cell] = (_advance(old[0], value[0], by),)
    return patched


def _advance(old: Val, now: Val, by: int) -> Val:
    if isinstance(old, Const) and isinstance(now, Const) and isinstance(now.value, tuple):
        pairs = zip(old.value, now.value, strict=True)  # the counters of a library's breaker
        return Const(tuple(n + by if n - o == 1 else n for o, n in pairs))
    if isinstance(old, Const) and isinstance(now, Const) and not isinstance(now.value, bool | str | tuple):
        if not isinstance(old.value, bool | str | tuple) and now.value - old.value == 1:
            return Const(now.value + by, now.type, now.site)
        return now
    if isinstance(old, Struct) and isinstance(now, Struct) and old.type is now.type:
        fields = {
            name: (_advance(old.fields[name][0], value[0], by),)
            if name in old.fields and len(value) == len(old.fields[name]) == 1
            else value
            for name, value in now.fields.items()
        }
        return Struct(now.type, fields, now.open, now.site)
    return now
