"""From runs to the list of findings: equal ones merged, items attached, fingerprints computed, sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from zuno_audit.engine.fingerprint import fingerprint
from zuno_audit.facts.base import FactStore
from zuno_audit.model.control import CheckRef
from zuno_audit.model.entity import Problem
from zuno_audit.model.finding import Diagnostic, Finding, Level
from zuno_audit.model.redaction import redact
from zuno_audit.model.rule_run import RuleRun


def settle(
    runs: Mapping[CheckRef, RuleRun],
    items: Mapping[CheckRef, tuple[str, ...]],
    order: Iterable[str],
    read_text: Callable[[str], str | None],
    real_path: Callable[[str], str] = str,
) -> tuple[Finding, ...]:
    """Every finding once, sorted, with the items it accounts for (in `order`) and its fingerprint.

    A finding about a symbolic link lies where the link leads.
    """
    position = {item: index for index, item in enumerate(order)}
    merged: dict[Finding, set[str]] = {}
    for ref, run in runs.items():
        for finding in run.findings:
            path = real_path(finding.location.path)
            if path != finding.location.path:
                finding = replace(finding, location=replace(finding.location, path=path))
            merged.setdefault(finding, set(finding.checklist)).update(items.get(ref, ()))
    return fingerprint(
        (
            replace(finding, checklist=tuple(sorted(ids, key=position.__getitem__)))
            for finding, ids in merged.items()
        ),
        read_text,
    )


def settle_diagnostics(crashes: Iterable[Diagnostic], store: FactStore) -> tuple[Diagnostic, ...]:
    """Crashes, what could not be read and what is odd about the tree, each once, sorted."""
    problems = (*store.problems(), *store.repository.problems)
    found = {*map(_diagnostic, problems), *store.repository.diagnostics, *crashes}
    return tuple(sorted(found, key=lambda d: d.sort_key))


def _diagnostic(problem: Problem) -> Diagnostic:
    return Diagnostic(Level.WARNING, problem.path, problem.line, redact(problem.message))
