"""The team's own checklist as the reports show it: counts, and every box with its mark and its words."""

from __future__ import annotations

import re

from msgspec import Struct

from zuno_audit.model.box import BoxVerdict, ChecklistFile
from zuno_audit.model.location import Location, Span
from zuno_audit.model.redaction import redact_source
from zuno_audit.model.verdict import Status
from zuno_audit.report.layout import MARKS, WORDS, plural

MAX_TEXT = 160  # characters of a box that are shown
NO_RULE = "no rule"
GIVEN_UP = "given up"
NOT_AUDITED = "not audited"
_MARKUP = re.compile(r"\*\*|~~|`")


class Row(Struct, frozen=True):
    """One box as it is shown. `depth` is how many boxes it is nested in."""

    depth: int
    is_ticked: bool
    text: str
    status: str
    mark: str
    item: str
    reason: str
    place: Location
    is_own: bool
    headings: tuple[str, ...]


class Shown(Struct, frozen=True):
    """A checklist as it is shown."""

    path: str
    summary: str
    rows: tuple[Row, ...]

    @property
    def own(self) -> tuple[Row, ...]:
        """The boxes that no item of the built-in checklist stands behind."""
        return tuple(row for row in self.rows if row.is_own)


def shown(file: ChecklistFile | None) -> Shown | None:
    """The checklist of the team for a report, or None."""
    if file is None:
        return None
    depths: list[int] = []
    rows = []
    own = {id(judged) for judged in file.own}
    for judged in file.boxes:
        parent = judged.box.parent
        depths.append(0 if parent is None else depths[parent] + 1)
        rows.append(_row(file.path, judged, depths[-1], id(judged) in own))
    return Shown(file.path, _summary(file), tuple(rows))


def _row(path: str, judged: BoxVerdict, depth: int, is_own: bool) -> Row:
    box, status = judged.box, judged.status
    text = redact_source(_MARKUP.sub("", box.text))
    text = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    word = WORDS[status] if status else NOT_AUDITED if judged.source == "item" else NO_RULE
    return Row(
        depth=depth,
        is_ticked=box.is_ticked,
        text=text,
        status=GIVEN_UP if box.is_struck else word,
        mark=MARKS[status] if status else " ",
        item=judged.item,
        reason=judged.reason,
        place=Location(path, Span(box.line, box.column, box.line, box.end_column)),
        is_own=is_own,
        headings=box.headings,
    )


def _summary(file: ChecklistFile) -> str:
    """`162 boxes, 160 of them speak of items; 28 ready to tick, 1 ticked and failing.`"""
    boxes = [b for b in file.boxes if not b.box.is_struck]
    mapped = sum(bool(b.match.control) for b in file.boxes)
    ready = sum(b.status is Status.PASS and not b.box.is_ticked for b in boxes)
    false = sum(b.status is Status.FAIL and b.box.is_ticked for b in boxes)
    unproved = sum(
        b.box.is_ticked and b.status not in (Status.PASS, Status.FAIL, Status.NOT_APPLICABLE) for b in boxes
    )
    count = "1 box" if len(file.boxes) == 1 else f"{len(file.boxes)} boxes"
    parts = [f"{ready} ready to tick", f"{false} ticked and failing", f"{unproved} ticked without proof"]
    without = f", {plural(len(file.without_box), 'item')} without a box" if file.without_box else ""
    return f"{count}, {mapped} of them speak of items{without}; {', '.join(parts)}."
