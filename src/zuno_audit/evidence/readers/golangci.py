"""`golangci-lint run --output.json.path stdout` (v1: `--out-format json`)."""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, as_list, as_object, object_of, text_at

_HEAD = re.compile(rb'\s*\{\s*"(?:Issues|Report)":')


def recognise(head: bytes) -> bool:
    """True for the object of issues and report, in any layout."""
    return _HEAD.match(head) is not None and b'"Golang errors"' not in head and b'"GosecVersion"' not in head


def read(data: bytes) -> Reading:
    """A `scan` (state ok or error, label `linters`), and an `issue` for each. Raises BrokenEvidence."""
    lines = Lines(data)
    document = object_of(_without_summary(data))
    report = as_object(document.get("Report") or {})
    linters = [as_object(linter) for linter in as_list(report.get("Linters"))]
    enabled = sorted(text_at(linter, "Name") for linter in linters if linter.get("Enabled") is True)
    error = text_at(report, "Error")
    scan = Observation(
        "scan", "golangci-lint", "error" if error else "ok", labels=(("linters", ",".join(enabled)),)
    )
    return Reading((scan, *(_issue(as_object(i), lines) for i in as_list(document.get("Issues")))))


def _without_summary(data: bytes) -> bytes:
    """golangci-lint 2 prints "0 issues." behind the JSON when both go to standard output."""
    first, newline, rest = data.partition(b"\n")
    looks_like_summary = re.fullmatch(rb"\s*(?:\d+ issues?[.:]\s*(?:\* [\w-]+: \d+\s*)*)?", rest)
    return first if newline and looks_like_summary else data


def _issue(issue: dict[str, Any], lines: Lines) -> Observation:
    position = as_object(issue.get("Pos") or {})
    name = text_at(issue, "FromLinter")
    if not name:
        raise BrokenEvidence("an issue without FromLinter")
    where = f"{text_at(position, 'Filename')}:{position.get('Line', 1)}"
    return Observation(
        "issue",
        f"{name} {where}",
        text_at(issue, "Severity").lower(),
        labels=(("linter", name), ("where", where), ("text", text_at(issue, "Text"))),
        line=lines.holding(text_at(issue, "Text")[:60]),
    )
