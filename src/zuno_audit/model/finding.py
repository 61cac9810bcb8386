"""What a rule says about a place."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from zuno_audit.model.location import Location


class Level(StrEnum):
    """SARIF's levels, worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for error, 1 for warning, 2 for note."""
        return ("error", "warning", "note").index(self.value)


class Suppression(Struct, frozen=True):
    """Why a finding does not count. `kind` is SARIF's: inSource (a comment) or external (a waiver).

    A waiver has an `owner` and a last day, `until` (YYYY-MM-DD).
    """

    kind: str
    reason: str
    location: Location | None = None
    until: str = ""
    owner: str = ""

    @property
    def words(self) -> str:
        """What a report says: `waived until 2027-03-31: reason (owner)`, or `suppressed: reason`."""
        if not self.until:
            return f"suppressed: {self.reason}"
        return f"waived until {self.until}: {self.reason} ({self.owner})"


class Finding(Struct, frozen=True):
    """One result of one rule.

    `level` error or warning or note. An `undecided` finding says that the code could not be followed; it
    never fails an item, it makes it manual. A `letter` finding names a difference in wording only.
    `symbol` is the enclosing declaration and `matched` the redacted source text: both feed the
    fingerprint, which the engine computes. `checklist` holds item ids in checklist order.
    """

    rule: str
    level: Level
    message: str
    location: Location
    flow: tuple[Location, ...] = ()
    undecided: bool = False
    letter: bool = False
    symbol: str = ""
    matched: str = ""
    fingerprint: str = ""
    checklist: tuple[str, ...] = ()
    suppression: Suppression | None = None
    baseline: str | None = None  # new | unchanged | absent, when a baseline was given

    @property
    def sort_key(self) -> tuple[str, int, int, str, int, int, str]:
        """Findings are sorted by path, line, column, rule."""
        s = self.location.span
        return (
            self.location.path,
            s.start_line,
            s.start_column,
            self.rule,
            s.end_line,
            s.end_column,
            self.message,
        )


class Diagnostic(Struct, frozen=True):
    """Something the audit could not see or do. `level` is error, warning or note."""

    level: Level
    path: str
    line: int
    message: str

    @property
    def sort_key(self) -> tuple[str, int, str]:
        return (self.path, self.line, self.message)
