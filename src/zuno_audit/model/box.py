"""A team's own checklist as data: the boxes of a Markdown file, and what the audit says about each."""

from __future__ import annotations

from msgspec import Struct

from zuno_audit.model.finding import Diagnostic
from zuno_audit.model.location import Location
from zuno_audit.model.verdict import Status


class Box(Struct, frozen=True):
    """One `- [ ]` of a Markdown file.

    `offset` is the place of the byte between the brackets. `text` is the statement without bullet, brackets
    and pin; `body` what stands below it up to the next box, code included. `parent` is the index of the box
    that it is nested in, `headings` the headings above, outermost first. `pin` is what a `<!-- zuno: ... -->`
    says. A struck-out box is one that the team has given up.
    """

    line: int
    column: int
    end_column: int
    offset: int
    is_ticked: bool
    text: str
    body: str = ""
    parent: int | None = None
    headings: tuple[str, ...] = ()
    pin: str = ""
    is_struck: bool = False


class TaskList(Struct, frozen=True):
    """The boxes of a file in the order in which they stand, and what is odd about the file."""

    path: str
    boxes: tuple[Box, ...]
    diagnostics: tuple[Diagnostic, ...] = ()


class BoxMatch(Struct, frozen=True):
    """What a box speaks of.

    `control` is an item id, or empty. `how` is one of

    - `pinned`    the file says so itself;
    - `exact`     a wording that is known for the item;
    - `reworded`  other words for it;
    - `position`  nothing but its place among the other boxes speaks for the item;
    - `elsewhere` its words speak for the item, what stands around it does not;
    - `unclear`   several items fit equally well, `candidates` names them;
    - `none`      no item says this.

    `unknown` holds what the box names and the item's checks know nothing of. `is_reworded` is true when its
    text is not one that is known for the item.
    """

    control: str = ""
    how: str = "none"
    candidates: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    is_reworded: bool = False

    @property
    def is_sure(self) -> bool:
        """True when the verdict of the item is the verdict of the box."""
        return bool(self.control) and self.how not in ("position", "elsewhere") and not self.unknown


class BoxVerdict(Struct, frozen=True):
    """A box, what it was taken for and what the audit says about it.

    `status` is None when nothing can be said: no item and no check for it, or an item that was not audited.
    `item` is an item id, a rule id (pinned), or empty for a box of the team's own. `source` is `item`,
    `rule`, `derived` (a check made of the box's own words) or `none`.
    """

    box: Box
    match: BoxMatch
    status: Status | None
    reason: str = ""
    item: str = ""
    source: str = "none"
    evidence: tuple[Location, ...] = ()


class ChecklistFile(Struct, frozen=True):
    """The checklist of the team, judged.

    `without_box` are the items that no box speaks of; `data` are the bytes that were read.
    """

    path: str
    boxes: tuple[BoxVerdict, ...]
    without_box: tuple[str, ...] = ()
    data: bytes = b""

    @property
    def own(self) -> tuple[BoxVerdict, ...]:
        """The boxes that no item of the built-in checklist stands behind."""
        return tuple(b for b in self.boxes if b.source in ("derived", "rule", "none") and not b.match.control)
