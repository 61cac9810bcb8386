"""`gosec -fmt json`."""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, as_list, as_object, object_of, text_at

_KEYS = re.compile(rb'"(?:Golang errors|GosecVersion)":')


def recognise(head: bytes) -> bool:
    """True for gosec's own report."""
    return head.lstrip()[:1] == b"{" and _KEYS.search(head) is not None


def read(data: bytes) -> Reading:
    """A `scan` with the number of files looked at, and an `issue` for each. Raises BrokenEvidence."""
    lines = Lines(data)
    document = object_of(data)
    if not isinstance(document.get("Stats"), dict) or "Issues" not in document:
        raise BrokenEvidence("a gosec report without Stats or Issues")
    errors = document.get("Golang errors") or {}
    files = document["Stats"].get("files")
    scan = Observation(
        "scan",
        "gosec",
        "error" if errors else "ok",
        float(files) if isinstance(files, int) else None,
        labels=(("linters", "gosec"),),
    )
    return Reading(
        (scan, *(_issue(as_object(i), lines) for i in as_list(document["Issues"]) if not _waived(i)))
    )


def _waived(issue: Any) -> bool:
    """A `#nosec` comment: gosec lists these with -track-suppressions, and does not count them."""
    return bool(isinstance(issue, dict) and issue.get("suppressions"))


def _issue(issue: dict[str, Any], lines: Lines) -> Observation:
    where = f"{text_at(issue, 'file').rpartition('/')[2]}:{issue.get('line', '')}"
    labels = (("linter", "gosec"), ("where", where), ("text", text_at(issue, "details")))
    name = f"{text_at(issue, 'rule_id')} {where}"
    line = lines.holding(f'"{text_at(issue, "file")}"')
    return Observation("issue", name, text_at(issue, "severity").lower(), labels=labels, line=line)
