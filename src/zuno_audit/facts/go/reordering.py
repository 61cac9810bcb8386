"""What packages sort and slices do to the order of a slice, for simulations that look at its elements.

Slices of one array see each other's elements, so what is sorted is written through the array. Sources: the
documentation of packages sort and slices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.go.values import Const, Extern, Seq, Site, State, Unknown, Value

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model

Order = Callable[[tuple[Value, ...]], "tuple[Value, ...] | None"]


def _sorted(items: tuple[Value, ...]) -> tuple[Value, ...] | None:
    known = [item[0] for item in items if len(item) == 1 and isinstance(item[0], Const)]
    if len(known) < len(items) or len({type(c.value) for c in known}) > 1:
        return None
    return tuple((c,) for c in sorted(known, key=lambda c: c.value))


def _in_place(order: Order) -> Model:
    """A function that gives the elements of its first argument another order; unknown where `order` gives None."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        for seq in ev.force(args[0]) if args else ():
            if isinstance(seq, Seq) and seq.backing is not None:
                unknown: Value = (Unknown(f"order after {v.name}", site),)
                for i, value in enumerate(order(seq.items) or (unknown,) * len(seq.items)):
                    ev._assign_shared([seq.backing], i, value, state)
        return [()]

    return model


def _compact(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """slices.Compact: each run of equal elements becomes one."""
    held = ev.force(args[0]) if args else ()
    if len(held) != 1 or not isinstance(held[0], Seq) or held[0].open:
        return None
    kept: list[Value] = []
    last: Const | None = None
    for item in held[0].items:
        if len(item) != 1 or not isinstance(item[0], Const):
            return None
        if last is None or last.value != item[0].value:
            kept.append(item)
            last = item[0]
    return [(Seq(tuple(kept), False, held[0].type, site),)]


MODELS: dict[tuple[str, str], Model] = {
    ("sort", name): _in_place(_sorted) for name in ("Strings", "Ints", "Float64s")
}
for _path in ("slices", "golang.org/x/exp/slices"):
    MODELS[_path, "Sort"] = _in_place(_sorted)
    MODELS[_path, "Reverse"] = _in_place(lambda items: items[::-1])
    MODELS[_path, "Compact"] = _compact
    for _name in ("SortFunc", "SortStableFunc"):
        MODELS[_path, _name] = _in_place(lambda items: None)
for _name in ("Slice", "SliceStable"):
    MODELS["sort", _name] = _in_place(lambda items: None)
