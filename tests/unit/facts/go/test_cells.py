"""Memory in pages says the same as a dict that is copied whole."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.facts.go.cells import Cells
from zuno_audit.facts.go.values import Const, Value

VALUES: list[Value] = [(Const(n),) for n in range(4)]
CELLS = st.one_of(st.integers(0, 70), st.tuples(st.just("global"), st.integers(0, 3)))
WRITES = st.lists(st.tuples(CELLS, st.sampled_from([*VALUES, None])), max_size=40)


def write(cells: Cells, plain: dict[object, Value], writes: list[tuple[object, Value | None]]) -> None:
    for cell, value in writes:
        if value is None:
            assert cells.pop(cell) == plain.pop(cell, None)
        else:
            cells[cell] = plain[cell] = value


def both(cell: object, mine: Value | None, theirs: Value | None) -> Value:
    return tuple({id(v): v for v in (*(mine or ()), *(theirs or ()))}.values())


@given(WRITES, WRITES, WRITES, WRITES, st.integers(0, 80))
def test_like_dicts(
    first: list[tuple[object, Value | None]],
    one: list[tuple[object, Value | None]],
    two: list[tuple[object, Value | None]],
    later: list[tuple[object, Value | None]],
    mark: int,
) -> None:
    a, p = Cells(), dict[object, Value]()
    write(a, p, first)
    b, q = a.copy(), dict(p)
    write(a, p, one)
    write(b, q, two)
    assert dict(a.items()) == p and dict(b.items()) == q
    assert len(a) == len(p) and set(a) == set(p)
    assert all((cell in a) is (cell in p) and a.get(cell) is p.get(cell) for cell in q)

    changed = {cell: (old, value) for cell, old, value in b.changed_since(a)}
    assert changed == {cell: (p.get(cell), v) for cell, v in q.items() if p.get(cell) is not v}
    assert dict(a.completed(b).items()) == {**q, **p}
    below = {c: v for c, v in p.items() if not isinstance(c, int) or c < mark}
    assert dict(a.below(mark).items()) == below

    joined = a.joined(b, both)
    expected = {
        cell: p[cell] if p.get(cell) is q.get(cell) else both(cell, p.get(cell), q.get(cell))
        for cell in {**p, **q}
    }
    assert dict(joined.items()) == expected
    write(a, p, later)  # what is joined is apart from what it was made of
    write(joined, expected, list(reversed(later)))
    assert dict(a.items()) == p and dict(b.items()) == q and dict(joined.items()) == expected
