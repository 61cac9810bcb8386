"""The report for a terminal: every item with its proof, the findings with their source, the decision.

Nothing depends on colour: every mark has its word. The text fits into `width` columns, down to 40.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from msgspec import Struct

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location
from zuno_audit.model.result import AuditResult
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.verdict import Check, Status, Verdict
from zuno_audit.report.boxes import shown
from zuno_audit.report.decision import Decision, decide
from zuno_audit.report.excerpt import Excerpt, Sources
from zuno_audit.report.layout import (
    MARKS,
    WORDS,
    Phase,
    by_severity,
    counted_findings,
    deciding_checks,
    phases,
    plural,
    proof,
)
from zuno_audit.report.safe import visible
from zuno_audit.report.stranger import explanation
from zuno_audit.report.wrap import LINK, Line, Segment, cells, coloured, plain, wrap

MIN_WIDTH = 40
MAX_WIDTH = 120  # longer lines are hard to read
MAX_FINDINGS = 100  # shown with their source unless -v asks for all
MAX_PLACES = 2  # that prove an item, unless -v asks for all
COMPRESSED_RUN = 3  # so many items in a row that only a person decides are listed without reasons

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.ERROR: "bold magenta",
    Status.NEEDS_EVIDENCE: "yellow",
    Status.MANUAL: "cyan",
    Status.NOT_APPLICABLE: "dim",
}
LEVEL_STYLES = {Level.ERROR: "bold red", Level.WARNING: "bold yellow", Level.NOTE: "bold blue"}


def render(
    result: AuditResult, *, width: int = 80, color: bool = False, verbose: bool = False, quiet: bool = False
) -> str:
    """The report as text. `verbose` shows every proof and finding; `quiet` only what blocks a release."""
    page = _Page(result, max(MIN_WIDTH, min(width, MAX_WIDTH)), verbose, quiet, frozenset(result.files))
    lines = [line for block in page.blocks() for line in block]
    return coloured(lines) if color else plain(lines)


class _Page(Struct, frozen=True):
    """The report while it is written: blocks of lines, top to bottom."""

    result: AuditResult
    width: int
    verbose: bool
    quiet: bool
    files: frozenset[str]

    def blocks(self) -> Iterator[list[Line]]:
        decision = decide(self.result)
        if not self.quiet:
            yield self.heading()
        yield from self.notice()
        if self.result.nothing_to_audit:  # that no rule was run needs not be said of every item
            yield self.last_lines(decision)
            return
        for phase in phases(self.result):
            yield from self.phase(phase)
        if not self.quiet:
            yield from self.team()
        yield from self.findings()
        if not self.quiet:
            yield from self.decision_table(decision)
        yield self.last_lines(decision)

    def heading(self) -> list[Line]:
        repository = self.result.repository
        parts = [f"zuno-audit {self.result.tool_version}", f"checklist {self.result.checklist.name}"]
        if self.result.profile:
            parts.append(f"profile {self.result.profile}")
        where = repository.branch or ("detached" if repository.commit else "")
        if repository.commit:
            where += f" at {repository.commit[:10]}"
        if repository.dirty:
            where += ", with uncommitted changes"
        if where:
            parts.append(where)
        return wrap([(visible(" · ".join(parts)), "dim")], self.width)

    def notice(self) -> Iterator[list[Line]]:
        text = explanation(self.result)
        if text:
            yield [[], *wrap([("Note: ", "bold yellow"), (visible(text), "")], self.width, 6)]

    def phase(self, phase: Phase) -> Iterator[list[Line]]:
        body = [line for section in phase.sections for line in self.section(section.title, section.verdicts)]
        if not body:
            return
        heading = visible(phase.heading.upper())
        yield [[], *self.spread((heading, "bold"), (phase.tally.words(), "dim"))]
        yield body

    def spread(self, left: Segment, right: Segment) -> list[Line]:
        """Two texts at both ends of a line, or below each other where they do not fit."""
        gap = self.width - cells(left[0]) - cells(right[0])
        if gap >= 2:
            return [[left, (" " * gap, ""), right]]
        return [*wrap([left], self.width), *wrap([("  ", ""), right], self.width, 2)]

    def section(self, title: str, verdicts: tuple[Verdict, ...]) -> Iterator[Line]:
        shown = [v for v in verdicts if not self.quiet or v.status in (Status.FAIL, Status.ERROR)]
        if not shown:
            return
        yield []
        yield from wrap([("  ", ""), (visible(title), "underline")], self.width, 2)
        for is_person, group in groupby(shown, key=_is_for_a_person):
            run = list(group)
            if is_person and len(run) >= COMPRESSED_RUN and not self.verbose:
                yield from self.manual_run(run)
            else:
                for verdict in run:
                    yield from self.item(verdict)

    def manual_run(self, run: list[Verdict]) -> Iterator[Line]:
        head = f"  manual: {len(run)} items for a person (-v says what to look at)"
        yield from wrap([(head, STYLES[Status.MANUAL])], self.width, 4)
        for verdict in run:
            label = f"  {MARKS[Status.MANUAL]} {verdict.control.id}"
            gap = " " * max(2, 13 - cells(label))
            title = visible(verdict.control.title)
            yield from wrap([(label + gap, STYLES[Status.MANUAL]), (title, "")], self.width, 6)

    def item(self, verdict: Verdict) -> Iterator[Line]:
        status, style = verdict.status, STYLES[verdict.status]
        label = f"  {MARKS[status]} {verdict.control.id}"
        indent = min(max(cells(label) + 2, 13), self.width // 3)
        gap = " " * max(2, indent - cells(label))
        hang = cells(label) + len(gap)
        title_style = "bold" if status in (Status.FAIL, Status.ERROR) else ""
        title = (visible(verdict.control.title), title_style)
        lone = _is_for_a_person(verdict) and not self.verbose
        tail = [(f" ({WORDS[status]})", style)] if lone else []
        yield from wrap([(label, style), (gap, ""), title, *tail], self.width, min(hang, self.width // 3))
        if not lone:
            yield from self.reasons(verdict, hang if self.width >= 60 else 6)

    def reasons(self, verdict: Verdict, indent: int) -> Iterator[Line]:
        if self.verbose:
            yield from self.all_checks(verdict, indent)
            return
        checks = deciding_checks(verdict)
        pad: Segment = (" " * indent, "")
        word: Segment = (WORDS[verdict.status], STYLES[verdict.status])
        if not checks:
            yield [pad, word]
        for _, alike in groupby(checks, key=lambda check: check.reason):
            first, *more = alike
            times: Segment = (f" ({len(more) + 1} times)" if more else "", "dim")
            yield from wrap([pad, word, *_after_status(first), times], self.width, indent + 2)
        yield from self.proof(verdict, indent)

    def all_checks(self, verdict: Verdict, indent: int) -> Iterator[Line]:
        for check in verdict.checks:
            head = (f"{' ' * indent}{WORDS[check.status]}", STYLES[check.status])
            text: list[Segment] = [head, *_after_status(check), (f" [{check.rule}]", "dim")]
            yield from wrap(text, self.width, indent + 2)
            yield from self.places(check.evidence, indent + 2)

    def places(self, places: tuple[Location, ...], indent: int) -> Iterator[Line]:
        for place in places:
            note = f" {visible(place.note)}" if place.note else ""
            yield from wrap([(" " * indent, ""), self.link(place), (note, "dim")], self.width, indent + 2)

    def proof(self, verdict: Verdict, indent: int) -> Iterator[Line]:
        """The first places that prove a verdict: on a line of their own, or on one each."""
        places = proof(verdict, limit=1000)
        links = [self.link(place) for place in places[:MAX_PLACES]]
        rest = [(f" (+{len(places) - len(links)})", "dim")] if len(places) > len(links) else []
        joined = [part for link in links for part in ((", ", ""), link)][1:]
        if indent + sum(cells(text) for text, _ in joined + rest) <= self.width:
            lines = [joined + rest] if joined else []
        else:
            lines = [[link] for link in links[:-1]] + [links[-1:] + rest]
        for line in lines:
            yield from wrap([(" " * indent, ""), *line], self.width, indent + 2)

    def link(self, place: Location) -> Segment:
        """`path:line`, or the path alone for what is not there."""
        path = visible(place.path)
        return (f"{path}:{place.line}" if place.path in self.files else path, LINK)

    def team(self) -> Iterator[list[Line]]:
        """What there is to say of the team's own checklist."""
        team = shown(self.result.checklist_file)
        if team is None:
            return
        yield [[], [("THE TEAM'S CHECKLIST", "bold")]]
        path: Segment = (visible(team.path), LINK)
        yield wrap([("  ", ""), path, (f": {team.summary}", "")], self.width, 2)
        if team.own:
            yield [[], *wrap([("  ", ""), ("Boxes of your own", "underline")], self.width, 2)]
        for row in team.own:
            head = f"  {row.mark} {row.place.line:<5} "
            text: list[Segment] = [(head, ""), (visible(row.text), "bold"), (f" ({row.status})", "dim")]
            why = [(f" {visible(row.reason)}", "")] if row.reason else []
            yield wrap([*text, *why], self.width, 10)

    # -- findings

    def findings(self) -> Iterator[list[Line]]:
        counted = by_severity(counted_findings(self.result))
        suppressed = [f for f in self.result.findings if f.suppression is not None]
        if self.quiet:
            return
        if counted or suppressed:
            yield [[], *self.spread(("FINDINGS", "bold"), (_finding_counts(counted, len(suppressed)), "dim"))]
        sources, rules = Sources(self.result), {r.id: r for r in self.result.rules}
        told: set[str] = set()
        limit = len(counted) if self.verbose else MAX_FINDINGS
        for finding in counted[:limit]:
            yield [[], *self.finding(finding, sources, rules.get(finding.rule), told)]
        if len(counted) > limit:
            more = f"… and {plural(len(counted) - limit, 'more finding')}: -v shows all, so does -f json."
            yield [[], *wrap([(more, "bold")], self.width)]
        if suppressed:
            yield [[]]
        for finding in suppressed:
            yield self.suppressed(finding)

    def finding(
        self, finding: Finding, sources: Sources, rule: RuleInfo | None, told: set[str]
    ) -> Iterator[Line]:
        undecided = " (please check)" if finding.undecided else ""
        known = " (known)" if finding.baseline == "unchanged" else ""
        head = f"{finding.level.value}[{finding.rule}]{undecided}{known} "
        yield from wrap(
            [(head, LEVEL_STYLES[finding.level]), (visible(finding.message), "bold")], self.width, 2
        )
        items = f"  {', '.join(finding.checklist)}" if finding.checklist else ""
        is_known = finding.location.path in self.files
        where = (visible(finding.location.path), LINK)
        if is_known:
            where = (f"{where[0]}:{finding.location.line}:{finding.location.span.start_column}", LINK)
        missing = "" if is_known else "  (no such file)"
        yield from wrap([("  --> ", "dim"), where, (missing, ""), (items, "dim")], self.width, 6)
        if self.verbose or finding.level is not Level.NOTE:
            excerpt = sources.excerpt(finding.location, rule, self.width - 8) if is_known else None
            if excerpt is not None:
                yield from _excerpt(excerpt, LEVEL_STYLES[finding.level])
            yield from self.flow(finding)
        yield from self.cure(finding, rule, told)

    def flow(self, finding: Finding) -> Iterator[Line]:
        limit = len(finding.flow) if self.verbose else 6
        for number, step in enumerate(finding.flow[:limit], 1):
            note = f" {visible(step.note)}" if step.note else ""
            yield from wrap([(f"   {number:>2}. ", "dim"), self.link(step), (note, "")], self.width, 7)
        if len(finding.flow) > limit:
            yield [(f"       … {plural(len(finding.flow) - limit, 'more step')}", "dim")]

    def cure(self, finding: Finding, rule: RuleInfo | None, told: set[str]) -> Iterator[Line]:
        if rule is None or not rule.fix or finding.level is Level.NOTE or finding.rule in told:
            return
        told.add(finding.rule)
        first = rule.fix.strip().split("\n\n")[0]
        yield from wrap([("   = fix: ", "bold green"), (visible(first), "")], self.width, 10)

    def suppressed(self, finding: Finding) -> list[Line]:
        assert finding.suppression is not None
        given = finding.suppression
        words = given.words if given.until else f"{given.reason} ({given.kind})"
        text = f" {finding.rule}: {visible(words)}"
        return wrap([("suppressed ", "dim"), self.link(finding.location), (text, "dim")], self.width, 2)

    def excused(self) -> str:
        """How many findings do not count at the gate, and why."""
        findings = self.result.findings
        parts = [
            (sum(f.suppression is not None for f in findings), "suppressed"),
            (sum(f.baseline == "unchanged" and f.suppression is None for f in findings), "known"),
            (sum(f.baseline == "absent" for f in findings), "gone since the baseline"),
        ]
        return "".join(f", {count} {word}" for count, word in parts if count)

    # -- the end

    def decision_table(self, decision: Decision) -> Iterator[list[Line]]:
        if len(decision.phases) < 2:
            return
        yield [[], [("DECISION", "bold")]]
        for part in decision.phases:
            word = part.word
            style = "bold green" if part.is_go else "bold red" if part.tally.counted else "dim"
            text: list[Segment] = [("  ", ""), (f"{word:<6}", style), (" ", "")]
            text += [(visible(part.heading), "bold"), (f": {part.why}", "")]
            yield wrap(text, self.width, 9)

    def last_lines(self, decision: Decision) -> list[Line]:
        style = "bold green" if decision.is_go else "bold red"
        counts = _finding_counts(counted_findings(self.result), 0)
        total = f"{plural(decision.tally.total, 'item')}: {decision.tally.words()}; {counts}"
        total += self.excused()
        go = wrap([(decision.word, style), (": " + decision.why, "bold")], self.width, 2)
        return [[], *go, *wrap([(total, "")], self.width, 2)]


def _after_status(check: Check) -> list[Segment]:
    """What follows the word of a check's status; a reason that begins with the status goes on from there."""
    reason = check.reason.removeprefix(f"{check.status.value}, ")
    joint = ": " if reason == check.reason else ", "
    return [(joint, STYLES[check.status]), (visible(reason), "")]


def _is_for_a_person(verdict: Verdict) -> bool:
    return verdict.status is Status.MANUAL and verdict.control.decided_by == "person"


def _excerpt(excerpt: Excerpt, style: str) -> list[Line]:
    number = str(excerpt.line)
    gutter = " " * len(number)
    lead = " " * cells(excerpt.text[: excerpt.start])
    carets = "^" * max(1, cells(excerpt.text[excerpt.start : excerpt.end]))
    return [
        [(f"   {number} | ", "dim"), (excerpt.text, "")],
        [(f"   {gutter} | ", "dim"), (lead, ""), (carets, style)],
    ]


def _finding_counts(findings: tuple[Finding, ...] | list[Finding], suppressed: int) -> str:
    parts = [
        plural(sum(f.level is level for f in findings), level.value)
        for level in Level
        if any(f.level is level for f in findings)
    ]
    text = ", ".join(parts) or "no findings"
    return f"{text}, {suppressed} suppressed" if suppressed else text
