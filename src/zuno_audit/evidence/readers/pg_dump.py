"""`pg_dump`: schemas, tables, indexes and constraints, and the rows of schema_migrations where it has them.

Only statements at the start of a line count, not what stands in a dollar-quoted body or a data block.
"""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import text_of

_NAME = r'((?:"(?:[^"]|"")+"|[\w$]+)(?:\.(?:"(?:[^"]|"")+"|[\w$]+))?)'
_SCHEMA = re.compile(rf"CREATE SCHEMA (?:IF NOT EXISTS )?{_NAME};?\Z")
_TABLE = re.compile(rf"CREATE (?:UNLOGGED |FOREIGN )?TABLE (?:IF NOT EXISTS )?{_NAME} ")
_INDEX = re.compile(rf"CREATE (UNIQUE )?INDEX {_NAME} ON (?:ONLY )?{_NAME} USING (\w+) \((.*)\)")
_ALTER = re.compile(rf"ALTER TABLE (?:ONLY )?{_NAME}\Z")
_CONSTRAINT = re.compile(rf"\s+ADD CONSTRAINT {_NAME} (PRIMARY KEY|UNIQUE)[^(]*\((.*)\);")
_COPY = re.compile(rf"COPY {_NAME} \((.*)\) FROM stdin;")
_DOLLAR = re.compile(r"\$(?:[A-Za-z_]\w*)?\$")
_END = "-- PostgreSQL database dump complete"


def recognise(head: bytes) -> bool:
    """True for the comment that pg_dump begins with."""
    return b"-- PostgreSQL database dump" in head[:2000]


def read(data: bytes) -> Reading:
    """`schema`, `table`, `index` and `migration` observations. Raises BrokenEvidence for a cut dump."""
    lines = text_of(data).splitlines()
    if _END not in lines[-12:]:
        raise BrokenEvidence("the dump is cut off: its last line is missing", max(len(lines), 1))
    return Reading(tuple(_Dump().statements(lines)))


class _Dump:
    """Goes through the lines, knowing whether it is inside a quoted body or a data block."""

    def __init__(self) -> None:
        self.quote = ""
        self.copying = ""
        self.altered = ""
        self.found: list[Observation] = []

    def statements(self, lines: list[str]) -> list[Observation]:
        for number, line in enumerate(lines, 1):
            if self.copying:
                self._row(line, number)
            elif not self._is_quoted(line):
                self._statement(line, number)
        return self.found

    def _row(self, line: str, number: int) -> None:
        if line == "\\.":
            self.copying = ""
        elif self.copying.rpartition(".")[2] == "schema_migrations":
            values = line.split("\t")
            state = "dirty" if "t" in values[1:] else "applied"
            self.found.append(Observation("migration", values[0], state, line=number))

    def _is_quoted(self, line: str) -> bool:
        """Whether the line belongs to a dollar-quoted text, its last line included."""
        was_quoted = bool(self.quote)
        for mark in _DOLLAR.findall(line):
            if not self.quote:
                self.quote = mark
            elif mark == self.quote:
                self.quote = ""
        return was_quoted

    def _statement(self, line: str, number: int) -> None:
        if match := _SCHEMA.match(line):
            self._add("schema", match.group(1), number)
        elif match := _TABLE.match(line):
            self._add("table", match.group(1), number)
        elif match := _INDEX.match(line):
            unique, name, table, method, columns = match.groups()
            self._index(name, table, method, columns, bool(unique), number)
        elif match := _ALTER.match(line):
            self.altered = match.group(1)
        elif self.altered and (match := _CONSTRAINT.match(line)):
            self._index(match.group(1), self.altered, "btree", match.group(3), True, number)
        elif match := _COPY.match(line):
            self.copying = _plain(match.group(1))

    def _add(self, kind: str, name: str, line: int) -> None:
        self.found.append(Observation(kind, _plain(name), line=line))

    def _index(self, name: str, table: str, method: str, columns: str, unique: bool, line: int) -> None:
        labels = (
            ("table", _plain(table)),
            ("method", method.lower()),
            ("columns", _plain(columns)),
            ("unique", "yes" if unique else "no"),
        )
        self.found.append(Observation("index", _plain(name), labels=labels, line=line))


def _plain(name: str) -> str:
    return name.replace('"', "")
