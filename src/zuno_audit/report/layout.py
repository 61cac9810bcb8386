"""Verdicts as readers want them: by phase and section, with counts and with the proof that matters."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from msgspec import Struct

from zuno_audit.model.finding import Finding
from zuno_audit.model.location import Location
from zuno_audit.model.result import AuditResult
from zuno_audit.model.verdict import Check, Status, Verdict

MARKS = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.ERROR: "!",
    Status.NEEDS_EVIDENCE: "?",
    Status.MANUAL: "○",
    Status.NOT_APPLICABLE: "−",
}
WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "FAIL",
    Status.ERROR: "ERROR",
    Status.NEEDS_EVIDENCE: "needs evidence",
    Status.MANUAL: "manual",
    Status.NOT_APPLICABLE: "not applicable",
}
NAMED_PHASES = {"S": "Sign-off", "G": "Go-live"}


class Tally(Struct, frozen=True):
    """How many items have each status."""

    passed: int = 0
    failed: int = 0
    errors: int = 0
    needs_evidence: int = 0
    manual: int = 0
    not_applicable: int = 0

    @property
    def total(self) -> int:
        """All items."""
        return self.counted + self.not_applicable

    @property
    def counted(self) -> int:
        """All items that apply here."""
        return self.passed + self.failed + self.errors + self.open

    @property
    def open(self) -> int:
        """Items that a run or a person still has to decide."""
        return self.needs_evidence + self.manual

    def words(self) -> str:
        """The counts that are not zero: `24 pass, 3 fail, 1 not applicable`."""
        pairs = (
            (self.passed, "pass"),
            (self.failed, "fail"),
            (self.errors, "error" if self.errors == 1 else "errors"),
            (self.needs_evidence, "need evidence" if self.needs_evidence != 1 else "needs evidence"),
            (self.manual, "manual"),
            (self.not_applicable, "not applicable"),
        )
        return ", ".join(f"{n} {word}" for n, word in pairs if n) or "no items"


def tally(verdicts: Iterable[Verdict]) -> Tally:
    """Count verdicts by status."""
    counts = dict.fromkeys(Status, 0)
    for verdict in verdicts:
        counts[verdict.status] += 1
    return Tally(*(counts[status] for status in Status))


class Section(Struct, frozen=True):
    """A heading of the checklist and its verdicts."""

    title: str
    verdicts: tuple[Verdict, ...]


class Phase(Struct, frozen=True):
    """A phase of the checklist. `name` is how people say it: `Phase 1`, `Sign-off`."""

    id: str
    name: str
    title: str
    sections: tuple[Section, ...]
    tally: Tally

    @property
    def heading(self) -> str:
        """Name and title, each once."""
        if not self.title or self.title.lower() == self.name.lower():
            return self.name
        return f"{self.name}: {self.title}" if self.id.isdigit() else self.title


def phases(result: AuditResult) -> tuple[Phase, ...]:
    """The verdicts of a result grouped by phase and section, in checklist order."""
    titles = dict(result.checklist.phase_titles)
    out = []
    for phase_id, group in groupby(result.verdicts, key=lambda v: v.control.phase):
        verdicts = tuple(group)
        sections = tuple(
            Section(title, tuple(part)) for title, part in groupby(verdicts, key=lambda v: v.control.section)
        )
        name = NAMED_PHASES.get(phase_id, f"Phase {phase_id}")
        out.append(Phase(phase_id, name, titles.get(phase_id, ""), sections, tally(verdicts)))
    return tuple(out)


def deciding_checks(verdict: Verdict) -> tuple[Check, ...]:
    """The checks that made the verdict what it is, or all when none has its status; equal words once."""
    deciding = tuple(c for c in verdict.checks if c.status is verdict.status) or verdict.checks
    return tuple({(check.reason, check.evidence): check for check in reversed(deciding)}.values())[::-1]


def proof(verdict: Verdict, limit: int = 3) -> tuple[Location, ...]:
    """The first places that prove a verdict, each line once, from the checks that decided it."""
    seen: dict[tuple[str, int], Location] = {}
    for check in deciding_checks(verdict):
        for place in check.evidence:
            seen.setdefault((place.path, place.line), place)
    return tuple(seen.values())[:limit]


def counted_findings(result: AuditResult) -> tuple[Finding, ...]:
    """Findings that count: neither suppressed nor gone since the baseline."""
    return tuple(f for f in result.findings if f.suppression is None and f.baseline != "absent")


def by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Worst level first, then by place."""
    return sorted(findings, key=lambda f: (f.level.rank, f.sort_key))


def plural(count: int, noun: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
