"""`zuno-audit inventory`: what the analysis knows, as JSON or as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zuno_audit.api import inventory
from zuno_audit.cli import exits
from zuno_audit.cli.outputs import write_stdout
from zuno_audit.engine.share import default_jobs
from zuno_audit.report.encode import to_json_text
from zuno_audit.report.safe import visible

QUIET_KEYS = frozenset({"path", "line", "name", "evidence", "reads"})


def run_inventory(path: str, format_: str, *, include_all: bool, jobs: int | None) -> int:
    """Print the inventory and return the exit code. Raises AuditError."""
    data = inventory(path, include_all=include_all, jobs=jobs or default_jobs())
    if format_ == "json":
        write_stdout(to_json_text(data), is_for_people=False)
    else:
        write_stdout("\n".join([*_lines(data), ""]), is_for_people=True)
    return exits.OK


def _lines(data: Mapping[str, Any]) -> Iterator[str]:
    for kind, rows in data.items():
        if not isinstance(rows, list):
            continue
        yield f"{kind.replace('_', ' ').upper()} ({len(rows)})"
        for row in rows:
            yield from _row(row)
        yield ""


def _row(row: Mapping[str, Any]) -> Iterator[str]:
    where = f"{row['path']}:{row['line']}" if "path" in row else ""
    yield visible("  " + "  ".join(part for part in (row.get("name"), where) if part))
    details = ", ".join(f"{key} {_shown(value)}" for key, value in row.items() if key not in QUIET_KEYS)
    if details:
        yield visible(f"      {details}")
    for read in row.get("reads", ()):
        yield visible(f"      read at {read['path']}:{read['line']} by {read['mechanism']}")


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, list):
        return " ".join(map(str, value)) or "nowhere"
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_shown(item)}" for key, item in value.items())
    return str(value)
