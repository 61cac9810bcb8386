"""What to tell a reader whose repository is not the one that the checklist describes."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from zuno_audit.model.finding import Level
from zuno_audit.model.result import AuditResult
from zuno_audit.model.verdict import Status

MIN_MISSING = 4  # fewer missing places are ordinary failures
SHOWN = 6
OTHER_PROFILE = "go-grpc"  # the one whose checklist names no place
_OTHER = f", `--profile {OTHER_PROFILE}` audits any that talks gRPC."


def missing_places(result: AuditResult) -> tuple[str, ...]:
    """Where failed items expected files and the repository has none: the topmost folder that is not there."""
    files = set(result.files)
    folders = _folders(files)
    places = set()
    for finding in result.findings:
        path = re.sub(r"(^|/)[^/]*[*?{\[].*$", "", finding.location.path)
        if finding.level is Level.ERROR and path and path not in files and path not in folders:
            places.add(_topmost_missing(path, folders))
    return tuple(sorted(p for p in places if not any(q != p and q.startswith(p) for q in places)))


def explanation(result: AuditResult) -> str:
    """One paragraph when most of what the checklist names is not there, else ""."""
    if result.nothing_to_audit:
        return (
            "There is nothing here that this audit can look at: no go.mod and no Go file. "
            "Is this the root of the repository?"
        )
    missing = missing_places(result)
    if len(missing) < MIN_MISSING or not _mostly_missing(result):
        return ""
    return (
        "This does not look like the repository that the checklist was written for. "
        f"Looked for and not found: {_listed(missing)}. "
        "Items that name these places fail because the places are missing; they say nothing about the rest "
        "of the code. `zuno-audit inventory` shows what the analysis knows of any Go repository"
        f"{_OTHER if result.profile != OTHER_PROFILE else '.'}"
    )


def _mostly_missing(result: AuditResult) -> bool:
    files = set(result.files)
    failed = {v.control.id for v in result.verdicts if v.status is Status.FAIL}
    gone = {i for f in result.findings if f.location.path not in files for i in f.checklist}
    return len(failed & gone) * 2 >= len(failed) > 0


def _folders(files: Iterable[str]) -> set[str]:
    folders = set()
    for path in files:
        while "/" in path:
            path = path.rpartition("/")[0]
            if path in folders:
                break
            folders.add(path)
    return folders


def _topmost_missing(path: str, folders: set[str]) -> str:
    """Two folders deep at most: `services/auth-service/`, though `services` itself may be missing."""
    parts = path.split("/")
    if "." not in parts[-1] and len(parts) > 1:
        parts.append("")  # a folder
    for depth in range(1, len(parts)):
        head = "/".join(parts[:depth])
        if head not in folders and depth >= min(2, len(parts) - 1):
            return head if head == path else head + "/"
    return path


def _listed(missing: tuple[str, ...]) -> str:
    groups: dict[str, list[str]] = defaultdict(list)
    for place in missing:
        groups[place.partition("/")[0] if place.count("/") > 1 else ""].append(place)
    biggest = sorted(groups.values(), key=lambda g: (-len(g), g))
    flat = [place for group in biggest for place in group]
    rest = len(flat) - SHOWN
    return ", ".join(flat[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
