"""The result of an audit: the only thing that reports see."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from zuno_audit.model.box import ChecklistFile
from zuno_audit.model.control import Checklist
from zuno_audit.model.finding import Diagnostic, Finding
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.verdict import Status, Verdict


class RepositoryInfo(Struct, frozen=True):
    """Where the audited tree stands. All are None/False where git does not say.

    `url` is the https form of the origin without user info.
    """

    commit: str | None = None
    branch: str | None = None
    dirty: bool = False
    url: str | None = None


class AuditResult(Struct, frozen=True):
    """Everything an audit found, sorted and free of times, durations and absolute paths.

    `read_text(path)` gives the text of a repository file for excerpts and line hashes, or None.
    `nothing_to_audit` is true when the tree holds nothing the rules could look at.
    `has_baseline` is true when the findings were compared with one.
    `checklist_file` is the team's own checklist, where there is one.
    """

    tool_version: str
    repository: RepositoryInfo
    checklist: Checklist
    verdicts: tuple[Verdict, ...]
    findings: tuple[Finding, ...]
    diagnostics: tuple[Diagnostic, ...]
    rules: tuple[RuleInfo, ...]
    files: tuple[str, ...] = ()
    profile: str = ""
    nothing_to_audit: bool = False
    has_baseline: bool = False
    checklist_file: ChecklistFile | None = None
    read_text: Callable[[str], str | None] = lambda path: None

    def summary(self) -> dict[str, int]:
        """How many items have each status; every status is a key."""
        counts = {status.value: 0 for status in Status}
        for verdict in self.verdicts:
            counts[verdict.status.value] += 1
        return counts

    @property
    def is_complete(self) -> bool:
        """False when some check ended in `error`, of an item or of a box, or there was nothing to audit."""
        boxes = self.checklist_file.boxes if self.checklist_file is not None else ()
        return not (
            self.nothing_to_audit
            or any(verdict.has_error for verdict in self.verdicts)
            or any(box.status is Status.ERROR for box in boxes)
        )
