"""Findings and verdicts as SARIF results."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from msgspec import Struct, field

from zuno_audit.model.finding import Finding, Level, Suppression
from zuno_audit.model.location import Location, Span, at_line
from zuno_audit.model.result import AuditResult
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.verdict import Status, Verdict
from zuno_audit.report.anchor import Anchors
from zuno_audit.report.excerpt import Sources, is_secret_rule
from zuno_audit.report.layout import deciding_checks, proof
from zuno_audit.report.line_hash import LineHashes, utf16_column
from zuno_audit.report.safe import redact, visible
from zuno_audit.report.sarif_rules import CHECKLIST_RULE

Json = dict[str, Any]

MAX_STEPS = 50
MAX_RELATED = 20
MAX_SNIPPET = 200
PRECISIONS = ("very-high", "high", "medium", "low")
KIND_OF_STATUS = {
    Status.PASS: "pass",
    Status.NOT_APPLICABLE: "notApplicable",
    Status.NEEDS_EVIDENCE: "open",
    Status.ERROR: "open",
    Status.MANUAL: "review",
}


class Entry(Struct, frozen=True):
    """A result and what it is sorted by: `order` in the file, `rank` when there are too many."""

    order: tuple[str, int, int, str]
    rank: tuple[int, int, str, int, int, str]
    data: Json


class _Group(Struct):
    """Findings of one rule on one line: one alert on GitHub, so one result here."""

    path: str
    findings: list[Finding] = field(default_factory=list)


class ResultWriter:
    """Turns the findings of one audit into SARIF results."""

    def __init__(self, result: AuditResult, rule_indexes: dict[str, int], *, is_full: bool) -> None:
        self._result = result
        self._indexes = rule_indexes
        self._is_full = is_full
        self._rules = {rule.id: rule for rule in result.rules}
        self._anchors = Anchors(tuple(path for path in result.files if not path.startswith("../")))
        self._sources = Sources(result)
        self._hashes: dict[str, LineHashes | None] = {}
        self._uris: dict[str, str] = {}
        self._has_baseline = result.has_baseline

    def entries(self) -> list[Entry]:
        """All results of the profile, in the order of the file."""
        entries = [self._entry(group) for group in self._groups()]
        if self._is_full:
            entries += [e for v in self._result.verdicts if (e := self._verdict_entry(v)) is not None]
        return sorted(entries, key=lambda entry: entry.order)

    def physical(self, location: Location, *, snippet: bool = False) -> Json | None:
        """A physical location, or None when the repository has no such file."""
        if not self._anchors.exists(location.path):
            return None
        span = self._fitted(location)
        region = self._region(location.path, span)
        if snippet and self._is_full:
            text = self._snippet(location, None)
            if text:
                region["snippet"] = {"text": text}
        return {
            "artifactLocation": {"uri": self._uri(location.path), "uriBaseId": "%SRCROOT%"},
            "region": region,
        }

    # -- which findings make a result

    def _groups(self) -> list[_Group]:
        groups: dict[tuple[str, str, int, str], _Group] = {}
        for finding in self._result.findings:
            path = self._anchors.nearest(finding.location.path)
            if path is None or finding.rule not in self._indexes or not self._belongs(finding):
                continue
            line = self._place(finding, path).line
            gone = finding.fingerprint if finding.baseline == "absent" else ""  # each by itself
            groups.setdefault((finding.rule, path, line, gone), _Group(path)).findings.append(finding)
        for group in groups.values():
            group.findings.sort(
                key=lambda f: (
                    f.suppression is not None,
                    f.baseline == "unchanged",
                    self._kind(f) != "fail",
                    f.sort_key,
                )
            )
        return list(groups.values())

    def _belongs(self, finding: Finding) -> bool:
        if self._is_full:
            return True
        if finding.suppression is not None or finding.baseline == "absent":
            return False
        return self._kind(finding) == "fail" or self._is_hint(finding)

    def _kind(self, finding: Finding) -> str:
        if finding.undecided:
            return "review"
        rule = self._rules.get(finding.rule)
        is_wording = (
            finding.letter and finding.level is Level.NOTE and (rule is None or rule.level is not Level.NOTE)
        )
        return "informational" if is_wording else "fail"

    def _is_hint(self, finding: Finding) -> bool:
        """A place to look at that may become an alert: only rules of low precision promise so little."""
        rule = self._rules.get(finding.rule)
        return (
            finding.undecided
            and rule is not None
            and rule.precision == "low"
            and self._anchors.exists(finding.location.path)
        )

    # -- one result

    def _entry(self, group: _Group) -> Entry:
        first = group.findings[0]
        place = self._place(first, group.path)
        physical = self._known(place, first if self._is_full else None)
        region = physical["region"]
        uri = physical["artifactLocation"]["uri"]
        data = self._head(first)
        message, related = self._message(group)
        data["message"] = {"text": message}
        data["locations"] = [{"physicalLocation": physical}]
        if related:
            data["relatedLocations"] = related
        flow = self._flow(first)
        if flow:
            data["codeFlows"] = [{"threadFlows": [{"locations": flow}]}]
        self._tail(data, first, group.path, region["startLine"])
        line, column = region["startLine"], region["startColumn"]
        rank = (first.level.rank, self._precision(first.rule), place.path, line, column, first.rule)
        return Entry((uri, line, column, first.rule), rank, data)

    def _head(self, finding: Finding) -> Json:
        data: Json = {"ruleId": finding.rule, "ruleIndex": self._indexes[finding.rule]}
        kind = self._kind(finding)
        if kind == "fail":
            return {**data, "level": finding.level.value}
        if not self._is_full:
            return {**data, "level": Level.NOTE.value}
        return {**data, "kind": kind, "level": "none"}

    def _tail(self, data: Json, finding: Finding, path: str, line: int) -> None:
        prints = self._fingerprints(path, line)
        if finding.fingerprint:
            prints["zunoAuditContext/v1"] = finding.fingerprint
        if prints:
            data["partialFingerprints"] = prints
        if self._is_full:
            data["suppressions"] = self._suppressions(finding)
            if self._has_baseline:
                data["baselineState"] = finding.baseline or "unchanged"
        rule = self._rules.get(finding.rule)
        confidence = "low" if finding.undecided else rule.precision if rule is not None else "medium"
        data["properties"] = {"confidence": confidence}

    def _suppressions(self, finding: Finding) -> list[Json]:
        suppression = finding.suppression
        if suppression is None:
            return []
        data: Json = {
            "kind": suppression.kind,
            "status": "accepted",
            "justification": _justification(suppression),
        }
        physical = self.physical(suppression.location) if suppression.location is not None else None
        if physical is not None:
            data["location"] = {"physicalLocation": physical}
        return [data]

    # -- message and links

    def _message(self, group: _Group) -> tuple[str, list[Json]]:
        first, *others = group.findings
        text = _sentence(first.message)
        if not self._anchors.exists(first.location.path):
            text += _expected(first)
        if self._kind(first) == "review" and not self._is_full:
            text = "Please check: " + text
        related: list[Json] = []
        if len(first.flow) == 1:
            text += self._link(first.flow[0], "See [{}]({}).", first.flow[0].note or "here", related)
        for other in others[:MAX_RELATED]:
            same = other.message == first.message
            tail = "." if same else ": " + _sentence(other.message)
            if not self._anchors.exists(other.location.path):
                tail = tail.rstrip(".") + "." + _expected(other)
            text += self._link(self._place(other, group.path), "Also [{}]({})" + tail, "here", related)
        if len(others) > MAX_RELATED:
            text += f" And {len(others) - MAX_RELATED} more on this line."
        return text, related

    def _link(self, place: Location, template: str, words: str, related: list[Json]) -> str:
        physical = self.physical(place)
        if physical is None:
            return ""
        number = len(related) + 1
        location: Json = {"id": number, "physicalLocation": physical, "message": {"text": _escaped(words)}}
        related.append(location)
        before, _, after = template.partition("[{}]({})")
        return f" {before}[{_escaped(words)}]({number}){after}"

    def _flow(self, finding: Finding) -> list[Json]:
        rule = self._rules.get(finding.rule)
        steps = []
        for place in finding.flow[:MAX_STEPS]:
            physical = self.physical(place)
            if physical is not None:
                steps.append((physical, self._note(place, rule)))
        if len(steps) < 2:
            return []
        out = []
        for number, (physical, note) in enumerate(steps, 1):
            location = {"physicalLocation": physical, "message": {"text": note or f"step {number}"}}
            is_end = number in (1, len(steps))
            out.append({"location": location, "importance": "essential" if is_end else "important"})
        return out

    def _note(self, place: Location, rule: RuleInfo | None) -> str:
        note = redact(place.note, secret_rule=True).text if is_secret_rule(rule) else place.note
        return _escaped(note)

    # -- places

    def _place(self, finding: Finding, path: str) -> Location:
        """Where the result is put: the finding's place, or line 1 of the file that stands in for it."""
        place = finding.location if finding.location.path == path else at_line(path, 1)
        return Location(path, self._fitted(place))

    def _known(self, place: Location, snippet_of: Finding | None) -> Json:
        region = self._region(place.path, place.span)
        if snippet_of is not None and snippet_of.location.path == place.path:
            text = self._snippet(place, self._rules.get(snippet_of.rule))
            if text:
                region["snippet"] = {"text": text}
        return {
            "artifactLocation": {"uri": self._uri(place.path), "uriBaseId": "%SRCROOT%"},
            "region": region,
        }

    def _fitted(self, place: Location) -> Span:
        """The span, moved into the file's text; an empty one is widened to what its line holds."""
        lines = self._sources.lines(place.path)
        span = place.span
        if lines is None:
            return span
        last = max(1, len(lines))
        start = min(max(span.start_line, 1), last)
        end = min(max(span.end_line, start), last)
        if (start, end) != (span.start_line, span.end_line):
            return self._whole_line(lines, start)
        if start == end and span.end_column <= span.start_column:
            return self._whole_line(lines, start)
        return span

    @staticmethod
    def _whole_line(lines: list[str], number: int) -> Span:
        line = lines[number - 1].rstrip()
        first = len(line) - len(line.lstrip()) + 1
        return Span(number, first, number, max(first, len(line) + 1))

    def _region(self, path: str, span: Span) -> Json:
        lines = self._sources.lines(path) or []
        return {
            "startLine": span.start_line,
            "startColumn": _column(lines, span.start_line, span.start_column),
            "endLine": span.end_line,
            "endColumn": _column(lines, span.end_line, span.end_column),
        }

    def _snippet(self, place: Location, rule: RuleInfo | None) -> str:
        excerpt = self._sources.excerpt(place, rule, MAX_SNIPPET)
        return "" if excerpt is None else excerpt.text[excerpt.start : excerpt.end]

    def _uri(self, path: str) -> str:
        if path not in self._uris:
            self._uris[path] = quote(path.encode("utf-8", "surrogateescape"), safe="/!$&'()*+,;=@~")
        return self._uris[path]

    def _fingerprints(self, path: str, line: int) -> Json:
        if path not in self._hashes:
            text = self._result.read_text(path)
            self._hashes[path] = None if text is None else LineHashes(text)
        hashes = self._hashes[path]
        return {} if hashes is None else {"primaryLocationLineHash": hashes.of(line)}

    def _precision(self, rule_id: str) -> int:
        rule = self._rules.get(rule_id)
        return PRECISIONS.index(rule.precision) if rule and rule.precision in PRECISIONS else len(PRECISIONS)

    # -- verdicts

    def _verdict_entry(self, verdict: Verdict) -> Entry | None:
        """A result for an item that did not fail, at the first evidence (or at the root's main file)."""
        kind = KIND_OF_STATUS.get(verdict.status)
        places = [p for p in proof(verdict, limit=100) if self._anchors.exists(p.path)]
        anchor = self._anchors.nearest("")
        if kind is None or anchor is None:
            return None
        place = places[0] if places else at_line(anchor, 1)
        place = Location(place.path, self._fitted(place))
        physical = self._known(place, None)
        region = physical["region"]
        rule_id = f"{CHECKLIST_RULE}/{verdict.control.id}"
        reasons = " ".join(_sentence(c.reason) for c in deciding_checks(verdict) if c.reason)
        data: Json = {
            "ruleId": rule_id,
            "ruleIndex": self._indexes[CHECKLIST_RULE],
            "kind": kind,
            "level": "none",
            "message": {
                "text": f"{_sentence(verdict.control.id + ' ' + verdict.control.title)} {reasons}".strip()
            },
            "locations": [{"physicalLocation": physical}],
        }
        prints = self._fingerprints(place.path, region["startLine"])
        if prints:
            data["partialFingerprints"] = prints
        data["suppressions"] = []
        if self._has_baseline:
            data["baselineState"] = "unchanged"
        data["properties"] = {"verdict": verdict.status.value}
        order = (physical["artifactLocation"]["uri"], region["startLine"], region["startColumn"], rule_id)
        return Entry(order, (3, 0, place.path, region["startLine"], region["startColumn"], rule_id), data)


def _justification(suppression: Suppression) -> str:
    reason = visible(suppression.reason) or "No reason was given."
    if not suppression.until:
        return reason
    return f"{reason} (waived by {visible(suppression.owner)} until {suppression.until})"


def _column(lines: list[str], line: int, column: int) -> int:
    return utf16_column(lines[line - 1], column) if 0 < line <= len(lines) else column


def _expected(finding: Finding) -> str:
    path = finding.location.path
    return "" if path in finding.message else f" Expected at {_escaped(path)}."


def _escaped(text: str) -> str:
    """Plain text for a SARIF message: no backticks, nothing that reads as a link."""
    return re.sub(r"([\[\]\\])", r"\\\1", visible(text).replace("`", "'"))


def _sentence(text: str) -> str:
    flat = _escaped(" ".join(text.split()))
    return flat if flat.endswith((".", "!", "?")) else flat + "."
