"""What happened when a rule was run."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from zuno_audit.model.finding import Finding
from zuno_audit.model.location import Location


class Outcome(StrEnum):
    """RAN: it saw all of its scope. NOT_APPLICABLE: its own condition does not hold here.

    FAILED: it could not run to its end. OPEN: only the output of a run can decide it. SKIPPED: the project
    turned it off, so a person must look.
    """

    RAN = "ran"
    NOT_APPLICABLE = "not-applicable"
    FAILED = "failed"
    OPEN = "open"
    SKIPPED = "skipped"


class RuleRun(Struct, frozen=True):
    """One rule, run with one set of arguments.

    `scope_size` counts what was looked at; `reason` is one sentence with that count; `evidence` the places
    that prove it.
    """

    rule: str
    arguments: tuple[tuple[str, str], ...]
    outcome: Outcome
    scope_size: int
    reason: str
    evidence: tuple[Location, ...] = ()
    findings: tuple[Finding, ...] = ()
