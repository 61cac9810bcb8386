"""Workflow commands of GitHub Actions: annotations on a pull request.

GitHub shows at most 10 errors, 10 warnings and 10 notices of a step; the worst come first here and the rest
is counted. Escaping follows `command.ts` of actions/toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.result import AuditResult
from zuno_audit.report.decision import decide
from zuno_audit.report.layout import by_severity, counted_findings, plural
from zuno_audit.report.safe import visible

COMMANDS = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
MAX_PER_COMMAND = 10

_IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_IN_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def render(result: AuditResult) -> str:
    """One annotation per line, then a line with the decision and how many more findings there are."""
    return "\n".join([*_lines(result), ""])


def _lines(result: AuditResult) -> Iterator[str]:
    findings = by_severity(f for f in counted_findings(result) if f.baseline != "unchanged")
    titles = {rule.id: rule.title for rule in result.rules}
    files = frozenset(result.files)
    left_out = 0
    for level, command in COMMANDS.items():
        of_level = [f for f in findings if f.level is level]
        left_out += max(0, len(of_level) - MAX_PER_COMMAND)
        for finding in of_level[:MAX_PER_COMMAND]:
            yield _annotation(
                command, finding, titles.get(finding.rule, finding.rule), finding.location.path in files
            )
    more = f" {plural(left_out, 'more finding')} not shown here." if left_out else ""
    yield f"zuno-audit: {decide(result).line}{more}"


def _annotation(command: str, finding: Finding, title: str, is_there: bool) -> str:
    span = finding.location.span
    properties = {"file": finding.location.path}
    if is_there:
        properties["line"] = str(span.start_line)
        if span.end_line > span.start_line:
            properties["endLine"] = str(span.end_line)
        elif span.end_column > span.start_column:
            properties["col"] = str(span.start_column)
            properties["endColumn"] = str(span.end_column)
    properties["title"] = f"{title} ({finding.rule})"
    items = f" [{', '.join(finding.checklist)}]" if finding.checklist else ""
    check = "Please check: " if finding.undecided else ""
    pairs = ",".join(f"{key}={visible(value).translate(_IN_PROPERTY)}" for key, value in properties.items())
    return f"::{command} {pairs}::{visible(check + finding.message + items).translate(_IN_MESSAGE)}"
