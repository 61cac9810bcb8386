"""Tries rules on their fixtures: a rule must report exactly the marked lines, and run to its end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path

from msgspec import Struct

from zuno_audit.api import audit
from zuno_audit.authoring.cases import FAIL, PASS, Case, cases_of
from zuno_audit.authoring.marks import Place
from zuno_audit.engine.run import run_rules
from zuno_audit.errors import UsageError
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.semgrep.wanted import NOT_INSTALLED
from zuno_audit.matchers.dispatch import semgrep_file
from zuno_audit.model.control import CheckRef
from zuno_audit.model.finding import Finding
from zuno_audit.rules.load import RuleFiles
from zuno_audit.rules.rule import Rule
from zuno_audit.source.walk import open_repository

ENGINE = "engine"
TODAY = date(2026, 1, 1)  # against which waivers in fixtures are held
SECONDS = 30  # that one call of git may take
_GIT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Fixture",
    "GIT_AUTHOR_EMAIL": "fixture@example.com",
    "GIT_COMMITTER_NAME": "Fixture",
    "GIT_COMMITTER_EMAIL": "fixture@example.com",
    "GIT_AUTHOR_DATE": "2025-01-10T12:00:00+00:00",
    "GIT_COMMITTER_DATE": "2025-01-10T12:00:00+00:00",
}


class Trial(Struct, frozen=True):
    """What became of a case: `troubles` are sentences, none when the rule did what the case says.

    `skipped` says why the case was not tried: the rule needs an engine that is not installed.
    """

    case: Case
    troubles: tuple[str, ...]
    skipped: str = ""

    @property
    def is_good(self) -> bool:
        return not self.troubles and not self.skipped


class _Seen(Struct, frozen=True):
    """What a rule did in a case."""

    findings: tuple[Finding, ...]
    outcome: str
    reason: str


def try_rules(rules: RuleFiles, fixtures: Path, only: Iterable[str] = ()) -> Iterator[Trial]:
    """Tries each case of these rules, or of all. Raises RuleError for what cannot be read."""
    for rule_id in tuple(only) or rules.ids():
        for case in cases_of(rule_id, fixtures):
            yield try_case(rules.rule(rule_id), case)


def try_case(rule: Rule, case: Case) -> Trial:
    """Runs a rule in a copy of the case's repository and compares (path, line) with what is expected.

    Raises RuleError for arguments that the rule does not have, UsageError when git cannot be run.
    """
    with tempfile.TemporaryDirectory(prefix="zuno-audit-") as folder:
        root = Path(folder).resolve()
        materialise(case, root)
        seen = _audited(rule, case, root) if rule.quantifier == ENGINE else _run(rule, case, root)
    if seen.reason == NOT_INSTALLED:
        return Trial(case, (), seen.reason)
    return Trial(case, tuple(_troubles(case, seen)))


def materialise(case: Case, root: Path) -> None:
    """Writes the miniature repository of a case into an empty folder and puts it under git."""
    for path, file in case.files.items():
        goal = root / path
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, goal)
        goal.chmod(0o755 if path in case.executable else 0o644)
    _git(root, "init", "-q", "-b", "main")
    tracked = sorted(set(case.files) - case.untracked)
    if tracked:
        _git(root, "add", "-f", "--", *tracked)
    if case.tag:
        _git(root, "commit", "-q", "--no-verify", "-m", "Fixture")
        _git(root, "tag", "-a", case.tag, "-m", "Release")


def _git(root: Path, *arguments: str) -> None:
    command = ["git", "-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        subprocess.run(
            command, cwd=root, env={**environment, **_GIT}, check=True, capture_output=True, timeout=SECONDS
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"git {arguments[0]} failed: {error}", hint="Fixtures need git 2.28 or newer."
        ) from None


def _run(rule: Rule, case: Case, root: Path) -> _Seen:
    ref = CheckRef(rule.id, case.arguments)
    runs = run_rules([ref], lambda _: rule, _store(rule, root))
    run = runs.by_ref[ref]
    return _Seen(run.findings, run.outcome.value, run.reason)


def _store(rule: Rule, root: Path) -> FactStore:
    wanted = (semgrep_file(rule),) if rule.kind == "semgrep" else None
    return FactStore(open_repository(root), wanted)


def _audited(rule: Rule, case: Case, root: Path) -> _Seen:
    """The rules of the engine report in the course of a whole audit."""
    team = root / case.checklist if case.checklist else None
    report = audit(root, no_config=True, today=TODAY, checklist_file=team)
    findings = tuple(f for f in report.findings if f.rule == rule.id)
    return _Seen(findings, "ran", "")


def _troubles(case: Case, seen: _Seen) -> Iterator[str]:
    if seen.outcome != case.outcome:
        yield f"the run is {seen.outcome}, not {case.outcome}: {seen.reason}"
    certain = {_place(f) for f in seen.findings if not (f.undecided or f.letter)}
    said = {_place(finding): finding.message for finding in reversed(seen.findings)}
    undecided = {_place(f) for f in seen.findings if f.undecided}
    for place in sorted(undecided - case.undecided - case.todo):
        yield f"{place}: undecided: {said[place]}"
    for place in sorted(case.undecided - undecided):
        yield f"{place}: not left undecided, as it should be"
    for place in sorted(case.expected - certain):
        yield f"{place}: no finding, though one is marked"
    for place in sorted(certain - case.expected - case.todo):
        marked = "a finding on a line marked ok" if place in case.allowed else "an unmarked finding"
        yield f"{place}: {marked}: {said[place]}"
    for place in sorted(certain & case.todo):
        yield f"{place}: the rule sees it by now: make todoruleid a ruleid"
    yield from _wrong_kind(case)


def _wrong_kind(case: Case) -> Iterator[str]:
    is_marked = case.expected or case.todo or case.undecided
    if case.kind == FAIL and case.outcome == "ran" and not is_marked:
        yield "nothing is marked, so that this is no failing case"
    if case.kind == PASS and case.expected:
        yield "a passing case has a line marked ruleid"


def _place(finding: Finding) -> Place:
    return Place(finding.location.path, finding.location.span.start_line)
