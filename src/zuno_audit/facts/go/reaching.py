"""Which of the values that are put into a variable it can have at a place, as far as the text tells."""

from __future__ import annotations

from msgspec import Struct

from zuno_audit.facts.go.bindings import Source, Variable
from zuno_audit.facts.go.program import Declaration
from zuno_audit.languages.go import syntax as s


class Span(Struct, frozen=True):
    """Where a block, or a statement or function with one, begins and ends.

    `repeats` when it may run more than once, `is_function` when it runs at another time than what is around it.
    """

    start: int
    end: int
    repeats: bool
    is_function: bool

    def holds(self, offset: int) -> bool:
        return self.start <= offset < self.end


class Reaching:
    """Answers for the declarations of one program; what it finds out about one is remembered."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[Span]] = {}

    def sources(self, variable: Variable, offset: int, root: Declaration) -> list[Source]:
        """The sources whose value a variable can have at a place: not those that come later, nor those that
        another one has replaced on every way.
        """
        sources = variable.sources
        if len(sources) < 2:
            return sources
        around = [b for b in self._blocks_of(root) if b.holds(offset)]
        sets = [x for x in sources if _end(x) <= offset and x.kind not in ("other", "address")]
        last = max((_end(x) for x in sets if self.has_run(x.start, offset, root)), default=0)
        return [
            x
            for x in sources
            if (last <= _end(x) if _end(x) <= offset else any(_comes_back(b, x) for b in around))
        ]

    def has_run(self, start: int, offset: int, root: Declaration) -> bool:
        """Whether a statement that begins before a place has always run where the place is come to."""
        holding = (b for b in self._blocks_of(root) if b.holds(start))
        inner = max(holding, key=lambda b: b.start, default=None)
        return inner is None or inner.holds(offset)

    def _blocks_of(self, root: Declaration) -> list[Span]:
        known = self._blocks.get(id(root.node))
        if known is None:
            kinds = (s.Block, s.Clause, s.For, s.Range, s.FuncLit)
            known = self._blocks[id(root.node)] = [
                Span(n.start, n.end, isinstance(n, s.For | s.Range | s.FuncLit), isinstance(n, s.FuncLit))
                for n in s.walk(root.node)
                if isinstance(n, kinds)
            ]
        return known


def _end(source: Source) -> int:
    """Where a source has given its value."""
    return source.start if source.expr is None else max(source.start, source.expr.end)


def _comes_back(around: Span, source: Source) -> bool:
    """Whether what is in a block may run after a source that stands behind it in the text."""
    if around.holds(source.start):
        return around.repeats
    return around.is_function and source.start >= around.end
