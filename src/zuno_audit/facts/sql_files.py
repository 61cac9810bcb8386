"""SQL files, each read and parsed once: their statements and the places of offsets."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from zuno_audit.model.location import Location, Span

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.languages.sql.scripts import Piece
    from zuno_audit.source.repository import Repository


class SqlFile:
    """One file. `pieces` are its statements in order."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = " " + text[1:] if text.startswith("\ufeff") else text  # psql skips the mark too
        self._pieces: tuple[Piece, ...] | None = None
        self._lines: list[int] = []

    @property
    def pieces(self) -> tuple[Piece, ...]:
        if self._pieces is None:
            from zuno_audit.languages.sql.scripts import parse_file

            self._pieces = parse_file(self.text)
        return self._pieces

    def place(self, offset: int, note: str = "") -> Location:
        """The place of an offset."""
        if not self._lines:
            self._lines = [0, *(i + 1 for i, character in enumerate(self.text) if character == "\n")]
        offset = min(offset, len(self.text))
        line = bisect_right(self._lines, offset)
        column = offset - self._lines[line - 1] + 1
        return Location(self.path, Span(line, column, line, column), note)


class SqlFiles:
    """The SQL files of a repository, read when they are asked for."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._files: dict[str, SqlFile] = {}

    def file(self, path: str) -> SqlFile:
        """The file at a path; one that cannot be read is empty."""
        if path not in self._files:
            self._files[path] = SqlFile(path, self._repository.text(path) or "")
        return self._files[path]


def sql_files(store: FactStore) -> SqlFiles:
    """The fact provider."""
    return SqlFiles(store.repository)
