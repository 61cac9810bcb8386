"""A mapping that is copied far more often than it is changed: the memory of the evaluator.

It is kept in pages, which copies share until one of them writes. So a copy costs next to nothing, and where paths
meet only pages are looked at that one of them wrote to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zuno_audit.facts.go.values import Cell, Value

_BITS = 4  # consecutive ints share a page of 16; every tuple has one of its own


class _Page(dict["Cell", "Value"]):
    """Cells that lie together. `marks` is what `marked` found here, kept once nobody writes to it any more."""

    __slots__ = ("marks",)
    marks: frozenset[int]


_NOTHING = _Page()

# What a cell holds where paths meet, from what it holds on either; None on one that does not have it.
Meet = Callable[["Cell", "Value | None", "Value | None"], "Value"]


class Cells:
    """What cells hold. Behaves like a dict, in order of pages."""

    __slots__ = ("_own", "_pages")

    def __init__(self, items: Iterable[tuple[Cell, Value]] = ()) -> None:
        self._pages: dict[int, _Page] = {}
        # the pages that no copy shares and that are written in place; None when `_pages` itself is shared
        self._own: set[int] | None = set()
        for cell, value in items:
            self[cell] = value

    def copy(self) -> Cells:
        """An independent copy."""
        other = Cells.__new__(Cells)
        other._pages = self._pages
        self._own = other._own = None
        return other

    def get(self, cell: Cell, default: Any = None) -> Any:
        """What a cell holds, or the default."""
        page = self._pages.get(hash(cell) >> _BITS)
        return default if page is None else page.get(cell, default)

    def __getitem__(self, cell: Cell) -> Value:
        return self._pages[hash(cell) >> _BITS][cell]

    def __contains__(self, cell: Cell) -> bool:
        page = self._pages.get(hash(cell) >> _BITS)
        return page is not None and cell in page

    def __setitem__(self, cell: Cell, value: Value) -> None:
        number = hash(cell) >> _BITS
        own = self._own
        if own is not None and number in own:
            self._pages[number][cell] = value
        else:
            self._writable(number)[cell] = value

    def _writable(self, number: int) -> _Page:
        """A page of its own, in place of one that it shares."""
        if self._own is None:
            self._pages = self._pages.copy()
            self._own = set()
        page = self._pages.get(number)
        page = self._pages[number] = _Page() if page is None else _Page(page)
        self._own.add(number)
        return page

    def pop(self, cell: Cell, default: Any = None) -> Any:
        """What a cell held that is not there any more, or the default."""
        if cell not in self:
            return default
        number = hash(cell) >> _BITS
        own = self._own
        page = self._pages[number] if own is not None and number in own else self._writable(number)
        return page.pop(cell)

    def __len__(self) -> int:
        return sum(map(len, self._pages.values()))

    def __iter__(self) -> Iterator[Cell]:
        for page in self._pages.values():
            yield from page

    def items(self) -> Iterator[tuple[Cell, Value]]:
        """All cells and what they hold."""
        for page in self._pages.values():
            yield from page.items()

    def values(self) -> Iterator[Value]:
        """What all cells hold."""
        for page in self._pages.values():
            yield from page.values()

    def completed(self, other: Cells) -> Cells:
        """With the cells of `other` that are not here."""

        def meet(cell: Cell, mine: Value | None, theirs: Value | None) -> Value:
            held = theirs if mine is None else mine
            assert held is not None
            return held

        return self.joined(other, meet)

    def changed_since(self, before: Cells) -> list[tuple[Cell, Value | None, Value]]:
        """The cells that hold something else than before: what they held, if they were there, and what they hold."""
        if self._pages is before._pages:
            return []
        changed: list[tuple[Cell, Value | None, Value]] = []
        for number, page in self._pages.items():
            old = before._pages.get(number)
            if old is not page:
                get = (_NOTHING if old is None else old).get
                changed += [
                    (cell, get(cell), value) for cell, value in page.items() if get(cell) is not value
                ]
        return changed

    def below(self, mark: int) -> Cells:
        """Without the cells from a number on."""
        kept = self.copy()
        kept._pages = pages = {}
        kept._own = set()
        for number, page in self._pages.items():
            if number >= mark >> _BITS:
                left = {c: v for c, v in page.items() if type(c) is not int or c < mark}
                if len(left) != len(page):
                    if left:
                        pages[number] = _Page(left)
                    continue
            pages[number] = page
        return kept

    def joined(self, other: Cells, meet: Meet) -> Cells:
        """What cells hold where two paths meet; `meet` is asked about those that differ."""
        both = self.copy()
        mine, theirs = self._pages, other._pages
        if mine is theirs:
            return both
        pages: dict[int, _Page] | None = None
        for number, page in theirs.items():
            held = mine.get(number)
            if held is not page:
                met = _met(_NOTHING if held is None else held, page, meet)
                if met is not held:
                    if pages is None:
                        pages = mine.copy()
                    pages[number] = met
        if len(mine) != len(theirs) or (pages is not None and len(pages) != len(theirs)):
            for number in mine.keys() - theirs.keys():
                met = _met(mine[number], _NOTHING, meet)
                if met is not mine[number]:
                    if pages is None:
                        pages = mine.copy()
                    pages[number] = met
        if pages is not None:
            both._pages, both._own = pages, set()
        return both

    def marked(
        self, mark: int, marks: Callable[[Iterable[Value]], frozenset[int]]
    ) -> list[tuple[Cell, Value]]:
        """The cells on pages that bear a mark. `marks` says which the values of a page bear."""
        found: list[tuple[Cell, Value]] = []
        own = self._own or ()
        for number, page in self._pages.items():
            if number in own:
                found += page.items()
                continue
            known = getattr(page, "marks", None)
            if known is None:
                known = page.marks = marks(page.values())
            if mark in known:
                found += page.items()
        return found


def _met(mine: _Page, theirs: _Page, meet: Meet) -> _Page:
    """A page where two paths meet; the first itself when the other adds nothing."""
    both: _Page | None = None
    get = mine.get
    shared = 0
    for cell, value in theirs.items():
        held = get(cell)
        if held is not None:
            shared += 1
        if held is not value:
            met = meet(cell, held, value)
            if met is not held:
                if both is None:
                    both = _Page(mine)
                both[cell] = met
    if shared != len(mine):
        for cell, held in mine.items():
            if cell not in theirs:
                met = meet(cell, held, None)
                if met is not held:
                    if both is None:
                        both = _Page(mine)
                    both[cell] = met
    return mine if both is None else both
