"""What the audit says about a checkbox."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from zuno_audit.model.control import Control
from zuno_audit.model.location import Location


class Status(StrEnum):
    """The six statuses of an item, in the order in which summaries list them."""

    PASS = "pass"
    FAIL = "fail"
    ERROR = "error"
    NEEDS_EVIDENCE = "needs-evidence"
    MANUAL = "manual"
    NOT_APPLICABLE = "not-applicable"


class Check(Struct, frozen=True):
    """One reason of a verdict: a rule (or `checklist` for the control's own nature) and what it found."""

    rule: str
    status: Status
    reason: str
    evidence: tuple[Location, ...] = ()


class Verdict(Struct, frozen=True):
    """A control, its status and every check behind it."""

    control: Control
    status: Status
    checks: tuple[Check, ...]

    @property
    def has_error(self) -> bool:
        """True when a check ended in `error`, also where a worse one decides the status."""
        return any(status is Status.ERROR for status in (self.status, *(c.status for c in self.checks)))
