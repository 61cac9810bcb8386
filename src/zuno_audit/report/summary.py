"""The job summary of GitHub Actions: the decision, what fails and the worst findings, as bounded Markdown.

GitHub takes 1 MiB for a step and drops all of a longer summary. What is left out is counted; the formats
`markdown` and `html` hold everything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from zuno_audit.model.finding import Finding
from zuno_audit.model.location import Location
from zuno_audit.model.result import AuditResult
from zuno_audit.model.verdict import Status, Verdict
from zuno_audit.report.decision import Decision, decide
from zuno_audit.report.layout import by_severity, counted_findings, deciding_checks, plural, proof
from zuno_audit.report.markdown import code_span, escaped
from zuno_audit.report.page import finding_counts, line_url
from zuno_audit.report.stranger import explanation

MAX_BYTES = 1000 * 1024  # GitHub's limit is 1024 KiB
MAX_ITEMS = 60
MAX_FINDINGS = 50
MAX_TEXT = 400  # characters of a sentence


def render(result: AuditResult) -> str:
    """The summary, at most MAX_BYTES long."""
    return _bounded("\n".join([*_lines(result), ""]))


def _lines(result: AuditResult) -> Iterator[str]:
    decision = decide(result)
    yield f"# Production checklist: {decision.word}"
    yield ""
    yield f"**{escaped(decision.line)}**"
    note = explanation(result)
    if note:
        yield from ("", f"> {_sentence(note)}")
    if not result.is_complete:
        yield from ("", "> The audit is incomplete: its findings are not uploaded to code scanning.")
    yield from ("", *_table(decision))
    page = _Page(result)
    yield from page.items(Status.FAIL, "Items that fail")
    yield from page.items(Status.ERROR, "Items that could not be checked")
    yield from page.findings()


def _table(decision: Decision) -> Iterator[str]:
    yield "| | Decision | Pass | Fail | Error | Open | Not applicable |"
    yield "|---|---|--:|--:|--:|--:|--:|"
    rows = [(escaped(part.heading), part.word, part.tally) for part in decision.phases]
    for name, word, count in (*rows, ("**Total**", f"**{decision.word}**", decision.tally)):
        numbers = (count.passed, count.failed, count.errors, count.open, count.not_applicable)
        yield f"| {name} | {word} | {' | '.join(map(str, numbers))} |"


class _Page:
    """The parts that name places of the repository."""

    def __init__(self, result: AuditResult) -> None:
        self._result = result
        self._known = frozenset(result.files)

    def items(self, status: Status, heading: str) -> Iterator[str]:
        """The items of one status; of an item with sub-items only these."""
        listed = [v for v in self._result.verdicts if v.status is status and not self._is_summed_up(v)]
        if not listed:
            return
        yield from ("", f"## {heading} ({len(listed)})", "")
        for verdict in listed[:MAX_ITEMS]:
            yield f"- **{escaped(verdict.control.id)}** {escaped(verdict.control.title)}{self._why(verdict)}"
        yield from _left_out(listed, MAX_ITEMS, "more item")

    def findings(self) -> Iterator[str]:
        """The worst findings that count."""
        listed = by_severity(f for f in counted_findings(self._result) if f.baseline != "unchanged")
        if not listed:
            return
        new = "New findings" if self._result.has_baseline else "Findings"
        yield from ("", f"## {new}: {finding_counts(listed)}", "")
        for finding in listed[:MAX_FINDINGS]:
            yield self._finding(finding)
        yield from _left_out(listed, MAX_FINDINGS, "more finding")

    def _is_summed_up(self, verdict: Verdict) -> bool:
        parts = (v for v in self._result.verdicts if v.control.parent == verdict.control.id)
        return any(part.status is verdict.status for part in parts)

    def _why(self, verdict: Verdict) -> str:
        reason = next((check.reason for check in deciding_checks(verdict) if check.reason), "")
        places = "".join(f" {self._place(place)}" for place in proof(verdict, 2))
        return f": {_sentence(reason)}{places}" if reason else places

    def _finding(self, finding: Finding) -> str:
        check = "Please check: " if finding.undecided else ""
        head = f"- **{finding.level.value}** {code_span(finding.rule)} {self._place(finding.location)}"
        return f"{head}: {check}{_sentence(finding.message)}"

    def _place(self, place: Location) -> str:
        if place.path not in self._known:
            return code_span(place.path)
        text = code_span(f"{place.path}:{place.line}")
        url = "" if place.path.startswith("../") else line_url(self._result.repository, place)
        return f"[{text}]({url})" if url else text


def _sentence(text: str) -> str:
    return escaped(text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…")


def _left_out(listed: Sequence[object], limit: int, noun: str) -> Iterator[str]:
    if len(listed) > limit:
        yield from ("", f"{plural(len(listed) - limit, noun)} not shown here.")


def _bounded(text: str) -> str:
    """The text, cut at the end of a line where it is too long."""
    data = text.encode("utf-8", "backslashreplace")
    if len(data) <= MAX_BYTES:
        return text
    end = "\n\nThe summary is cut here: it would be too long.\n"
    kept = data[: MAX_BYTES - len(end)].decode("utf-8", "ignore")
    return kept[: kept.rfind("\n")] + end
