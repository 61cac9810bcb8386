"""Places in the audited repository."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace


class Span(Struct, frozen=True, order=True):
    """A region of a text: 1-based lines, 1-based columns in code points, end column exclusive."""

    start_line: int = 1
    start_column: int = 1
    end_line: int = 1
    end_column: int = 1


class Location(Struct, frozen=True, order=True):
    """A region of one file. `path` is relative to the repository root, with `/`; `note` says what is there."""

    path: str
    span: Span = Span()
    note: str = ""

    @property
    def line(self) -> int:
        return self.span.start_line

    def noted(self, note: str) -> Location:
        """The same place with another note."""
        return replace(self, note=note)


def at_line(path: str, line: int = 1, note: str = "") -> Location:
    """The start of a line, for places that have no finer region."""
    return Location(path, Span(line, 1, line, 1), note)
