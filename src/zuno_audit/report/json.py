"""The machine-readable report, `zuno-audit/report/v1`.

Keys and order are fixed; other tools rely on them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zuno_audit.model.finding import Diagnostic, Finding
from zuno_audit.model.location import Location
from zuno_audit.model.result import AuditResult
from zuno_audit.model.verdict import Check, Verdict
from zuno_audit.report.encode import to_json_text

SCHEMA = "zuno-audit/report/v1"


def render(result: AuditResult) -> str:
    """The result as JSON text, the same bytes for the same result."""
    return to_json_text(to_data(result))


def to_data(result: AuditResult) -> dict[str, Any]:
    """The result as plain dicts and lists, in the order of the report."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "zuno-audit", "version": result.tool_version},
        "repository": {
            "commit": result.repository.commit,
            "branch": result.repository.branch,
            "dirty": result.repository.dirty,
        },
        "summary": result.summary(),
        "checklist": [_verdict(v) for v in result.verdicts],
        "findings": [_finding(f) for f in sorted(result.findings, key=lambda f: f.sort_key)],
        "diagnostics": [_diagnostic(d) for d in sorted(result.diagnostics, key=lambda d: d.sort_key)],
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    control = verdict.control
    return {
        "id": control.id,
        "parent": control.parent,
        "phase": control.phase,
        "section": control.section,
        "title": control.title,
        "status": verdict.status.value,
        "checks": [_check(c) for c in verdict.checks],
    }


def _check(check: Check) -> dict[str, Any]:
    return {
        "rule": check.rule,
        "status": check.status.value,
        "reason": check.reason,
        "evidence": _places(check.evidence),
    }


def _finding(finding: Finding) -> dict[str, Any]:
    span = finding.location.span
    return {
        "rule": finding.rule,
        "level": finding.level.value,
        "message": finding.message,
        "path": finding.location.path,
        "start_line": span.start_line,
        "start_column": span.start_column,
        "end_line": span.end_line,
        "end_column": span.end_column,
        "checklist": list(finding.checklist),
        "fingerprint": finding.fingerprint,
        "flow": _places(finding.flow),
        "suppressed": _suppression(finding),
        **({} if finding.baseline is None else {"baseline": finding.baseline}),
    }


def _suppression(finding: Finding) -> dict[str, str] | None:
    if finding.suppression is None:
        return None
    data = {"kind": finding.suppression.kind, "reason": finding.suppression.reason}
    if finding.suppression.until:
        data |= {"until": finding.suppression.until, "owner": finding.suppression.owner}
    return data


def _places(locations: Iterable[Location]) -> list[dict[str, Any]]:
    return [{"path": p.path, "line": p.line, "message": p.note} for p in locations]


def _diagnostic(diagnostic: Diagnostic) -> dict[str, Any]:
    return {
        "level": diagnostic.level.value,
        "path": diagnostic.path,
        "line": diagnostic.line,
        "message": diagnostic.message,
    }
