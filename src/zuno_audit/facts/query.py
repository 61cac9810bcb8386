"""Tables made by tree-sitter queries: `query:go/NAME` has a row for each match of `queries/go/NAME.scm`.

A query captures `@report`, the place of the row; every other capture is a field with the captured text. Its
leading comments may say `; contains: TEXT` (repeatable): only files that hold all these texts are parsed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zuno_audit.errors import RuleError
from zuno_audit.languages.go.grammar import language, parser
from zuno_audit.model.entity import Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, Span
from zuno_audit.resources import data_root

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MATCH_LIMIT = 10_000  # matches in progress; a file that needs more is a problem
MAX_TEXT = 500  # characters of a captured text
REPORT = "report"
_CONTAINS = re.compile(r"^;\s*contains:\s*(.+?)\s*$", re.MULTILINE)


def query_table(name: str, root: Path | None = None) -> Callable[[FactStore], Table]:
    """The provider of the table `query:NAME`, where `name` is `go/print_call` or the like.

    `root` is the folder that holds `queries`, by default our own. Raises RuleError when there is
    no such query or it does not compile.
    """
    return _provider(name, query_text(name, root))


@lru_cache(maxsize=256)
def _provider(name: str, text: str) -> Callable[[FactStore], Table]:
    literals = tuple(literal.encode() for literal in _CONTAINS.findall(text))
    query = _compiled(name, text)

    def provide(store: FactStore) -> Table:
        return _matches(f"query:{name}", query, literals, store)

    return provide


def query_text(name: str, root: Path | None = None) -> str:
    """The text of a query, see `query_table`. Raises RuleError when there is none of this name."""
    language, _, stem = name.partition("/")
    file = (root or data_root()) / "queries" / language / f"{stem}.scm"
    if language != "go" or not re.fullmatch(r"[a-z0-9_]+", stem) or not file.is_file():
        raise RuleError("there is no such query", path=f"queries/{name}.scm")
    return file.read_text("utf-8")


def _compiled(name: str, text: str) -> Any:
    from tree_sitter import Query, QueryError

    try:
        query = Query(language(), text)
    except QueryError as error:
        raise RuleError(f"the query does not compile: {error}", path=f"queries/{name}.scm") from error
    captures = {query.capture_name(index) for index in range(query.capture_count)}
    if REPORT not in captures:
        raise RuleError(f"the query captures no @{REPORT}", path=f"queries/{name}.scm")
    return query


def _matches(kind: str, query: Any, literals: tuple[bytes, ...], store: FactStore) -> Table:
    rows: list[Entity] = []
    problems: list[Problem] = []
    for path in store.repository.grep(*literals, suffix=".go"):
        data = store.repository.read(path) or b""
        root = parser().parse(data).root_node
        if root.has_error:
            problems.append(Problem(path, 1, "the file has a syntax error"))
        found, is_whole = _rows(kind, query, root, path, data)
        rows += found
        if not is_whole:
            problems.append(Problem(path, 1, "too many matches to follow"))
    files = tuple(path for path in store.repository.files if path.endswith(".go"))
    return Table(kind, tuple(sorted(rows, key=lambda row: row.location)), files, tuple(problems))


def _rows(kind: str, query: Any, root: Any, path: str, data: bytes) -> tuple[list[Entity], bool]:
    from tree_sitter import QueryCursor

    cursor = QueryCursor(query, match_limit=MATCH_LIMIT)
    lines = data.split(b"\n")
    rows = []
    for _, captures in cursor.matches(root):
        fields = {
            name: Answer(_text(nodes[0]), proof=(_place(path, nodes[0], lines),))
            for name, nodes in captures.items()
            if name != REPORT and nodes
        }
        rows.append(Entity(kind, _place(path, captures[REPORT][0], lines), fields))
    return rows, not cursor.did_exceed_match_limit


def _text(node: Any) -> str:
    return str((node.text or b"").decode("utf-8", "replace"))[:MAX_TEXT]


def _place(path: str, node: Any, lines: list[bytes]) -> Location:
    (start, start_byte), (end, end_byte) = node.start_point, node.end_point
    return Location(
        path, Span(start + 1, _column(lines, start, start_byte), end + 1, _column(lines, end, end_byte))
    )


def _column(lines: list[bytes], row: int, offset: int) -> int:
    """The 1-based column in code points of a byte offset in a row."""
    if row >= len(lines):
        return 1
    return len(lines[row][:offset].decode("utf-8", "replace")) + 1
