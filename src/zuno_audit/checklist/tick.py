"""Writes verified marks back into a checklist: which bytes change, and how that looks as a diff.

Nothing but the byte between the brackets of a box ever changes: line endings, trailing blanks, a byte order
mark and bytes that are no text stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from zuno_audit.model.box import BoxVerdict, ChecklistFile
from zuno_audit.model.verdict import Status

CONTEXT = 3  # lines around a change, as `diff -u` has them
TICKED, OPEN = b"x", b" "


class Change(Struct, frozen=True):
    """One byte that changes: where it is, on which line, and what it becomes."""

    offset: int
    line: int
    mark: bytes


def plan(file: ChecklistFile, *, untick: bool = False) -> tuple[Change, ...]:
    """The boxes to tick, because they are open and pass; with `untick` also those to clear, because they are
    ticked and fail."""
    changes = []
    for judged in file.boxes:
        mark = _mark(judged, untick)
        if mark:
            changes.append(Change(judged.box.offset, judged.box.line, mark))
    return tuple(changes)


def _mark(judged: BoxVerdict, untick: bool) -> bytes:
    box = judged.box
    if box.is_struck:
        return b""
    if judged.status is Status.PASS and not box.is_ticked:
        return TICKED
    return OPEN if untick and judged.status is Status.FAIL and box.is_ticked else b""


def apply(data: bytes, changes: Sequence[Change]) -> bytes:
    """The file with the changes in it. Raises ValueError when a change does not fall between brackets."""
    changed = bytearray(data)
    for change in changes:
        at = change.offset
        if data[at - 1 : at] != b"[" or data[at + 1 : at + 2] != b"]" or data[at : at + 1] not in b" \txX":
            raise ValueError(f"line {change.line} is not the box that was read")
        changed[at : at + 1] = change.mark
    return bytes(changed)


def diff(path: str, data: bytes, changes: Sequence[Change]) -> str:
    """The changes as a unified diff. Bytes that are no UTF-8 are shown as replacement characters."""
    if not changes:
        return ""
    old, new = _lines(data), _lines(apply(data, changes))
    out = [f"--- a/{path}", f"+++ b/{path}"]
    for first, last in _hunks([change.line - 1 for change in changes], len(old)):
        count = last - first
        out.append(f"@@ -{first + 1},{count} +{first + 1},{count} @@")
        removed: list[str] = []
        added: list[str] = []
        for number in range(first, last):
            if old[number] != new[number]:
                removed.append(f"-{old[number]}")
                added.append(f"+{new[number]}")
                continue
            out += [*removed, *added, f" {old[number]}"]
            removed, added = [], []
        out += [*removed, *added]
    return "\n".join([*out, ""])


def _lines(data: bytes) -> list[str]:
    """The lines as the reader of task lists counts them, without their ends."""
    lines = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return [line.decode("utf-8", "replace") for line in lines]


def _hunks(changed: Sequence[int], total: int) -> list[tuple[int, int]]:
    """Ranges of lines around the changed ones, those that touch joined."""
    hunks: list[tuple[int, int]] = []
    for line in sorted(changed):
        first, last = max(0, line - CONTEXT), min(total, line + CONTEXT + 1)
        if hunks and first <= hunks[-1][1]:
            hunks[-1] = (hunks[-1][0], last)
        else:
            hunks.append((first, last))
    return hunks
