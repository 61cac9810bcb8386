"""Which of the values that are put into a variable it can have at a place, as far as the text tells."""

from __future__ import annotations

from zuno_audit.facts.go.bindings import Source, Variable
from zuno_audit.facts.go.program import Declaration
from zuno_audit.languages.go import syntax as s


class Reaching:
    """Answers for the declarations of one program; what it finds out about one is remembered."""

    def __init__(self) -> None:
        self._blocks: dict[int, list[tuple[int, int, bool]]] = {}

    def sources(self, variable: Variable, offset: int, root: Declaration) -> list[Source]:
        """The sources whose value a variable can have at a place: not those that come later, nor those that
        another one has replaced on every way.
        """
        sources = variable.sources
        if len(sources) < 2:
            return sources
        blocks = self.blocks(root)
        around = [b for b in blocks if b[0] <= offset < b[1]]
        loops = [b for b in around if b[2]]
        reaching = [
            x for x in sources if x.start < offset or any(start <= x.start < end for start, end, _ in loops)
        ]
        ordered = sorted((x for x in reaching if x.start < offset), key=lambda x: x.start)
        for last in reversed(ordered):
            if last.kind in ("other", "address"):
                continue
            inner = max((b for b in blocks if b[0] <= last.start < b[1]), key=lambda b: b[0], default=None)
            if inner is None or inner[0] <= offset < inner[1]:
                return [x for x in reaching if x.start >= last.start]
        return reaching

    def blocks(self, root: Declaration) -> list[tuple[int, int, bool]]:
        """Where the blocks of a declaration begin and end, and whether they run more than once."""
        known = self._blocks.get(id(root.node))
        if known is None:
            kinds = (s.Block, s.Clause, s.For, s.Range, s.FuncLit)
            known = self._blocks[id(root.node)] = [
                (n.start, n.end, isinstance(n, s.For | s.Range | s.FuncLit))
                for n in s.walk(root.node)
                if isinstance(n, kinds)
            ]
        return known
