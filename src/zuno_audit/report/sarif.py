"""SARIF 2.1.0, in two profiles: `github` for upload to code scanning, `full` for archives and viewers.

GitHub reads neither `kind` nor `suppressions`: in the upload everything is an alert, so it holds only what
fails. The full profile holds the verdicts, the suppressed findings and redacted snippets too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.result import AuditResult
from zuno_audit.report.encode import to_json_text
from zuno_audit.report.safe import visible
from zuno_audit.report.sarif_results import Entry, ResultWriter
from zuno_audit.report.sarif_rules import (
    CHECKLIST,
    CHECKLIST_RULE_INFO,
    CWE,
    NOTIFICATIONS,
    checklist_component,
    cwe_taxonomy,
    items_by_rule,
    rule_descriptor,
)

Json = dict[str, Any]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
INFORMATION_URI = "https://github.com/zuno-audit/zuno-audit"
MAX_RESULTS = 5_000  # GitHub shows no more
MAX_GZIP = 8_000_000  # GitHub refuses 10 MB
MAX_NOTIFICATIONS = 1_000


def render(
    result: AuditResult,
    *,
    profile: str = "github",
    category: str = "zuno-audit",
    on_omitted: Callable[[int], None] | None = None,
) -> str:
    """The result as SARIF text, the same bytes for the same result.

    `category` becomes `automationDetails.id`; empty leaves it out. `on_omitted` is told how many results
    the limits of the github profile left out, if any.
    """
    rules = tuple(sorted(result.rules, key=lambda rule: rule.id))
    if profile == "full":
        rules = tuple(sorted((*rules, CHECKLIST_RULE_INFO), key=lambda rule: rule.id))
    indexes = {rule.id: index for index, rule in enumerate(rules)}
    writer = ResultWriter(result, indexes, is_full=profile == "full")
    entries = writer.entries()
    log = _Log(result, rules, profile, category, writer)
    if profile == "full":
        return log.text(entries, 0)
    kept, omitted, text = _fit(entries, log)
    if omitted and on_omitted is not None:
        on_omitted(len(entries) - len(kept))
    return text


def _fit(entries: list[Entry], log: _Log) -> tuple[list[Entry], int, str]:
    """Keep what GitHub takes: the worst 5,000, then without code flows, then fewer. Text comes with it."""
    kept = sorted(entries, key=lambda entry: entry.rank)[:MAX_RESULTS]
    text = log.text(_in_order(kept), len(entries) - len(kept))
    for level in ("note", "warning", "error"):
        if _fits(text):
            break
        kept = [_without_flow(e) if e.data["level"] == level else e for e in kept]
        text = log.text(_in_order(kept), len(entries) - len(kept))
    while kept and not _fits(text):
        kept = kept[: len(kept) * 3 // 4]
        text = log.text(_in_order(kept), len(entries) - len(kept))
    return kept, len(entries) - len(kept), text


def _fits(text: str) -> bool:
    data = text.encode("utf-8")
    if len(data) <= MAX_GZIP:
        return True
    import gzip

    return len(gzip.compress(data, 6, mtime=0)) <= MAX_GZIP


def _without_flow(entry: Entry) -> Entry:
    data = {key: value for key, value in entry.data.items() if key != "codeFlows"}
    return Entry(entry.order, entry.rank, data)


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.order)


class _Log:
    """The frame around the results."""

    def __init__(
        self, result: AuditResult, rules: tuple[Any, ...], profile: str, category: str, writer: ResultWriter
    ) -> None:
        self._result = result
        self._profile = profile
        self._category = category
        self._writer = writer
        self._cwe = cwe_taxonomy(rules)
        items = items_by_rule(result.checklist)
        self._rules = [rule_descriptor(rule, result.checklist, items.get(rule.id, [])) for rule in rules]

    def text(self, entries: list[Entry], omitted: int) -> str:
        """The whole file."""
        return to_json_text({"$schema": SCHEMA, "version": "2.1.0", "runs": [self._run(entries, omitted)]})

    def _run(self, entries: list[Entry], omitted: int) -> Json:
        run: Json = {
            "tool": {"driver": self._driver(), "extensions": [checklist_component(self._result)]},
            "invocations": [
                {"executionSuccessful": True, "toolExecutionNotifications": self._notifications(omitted)}
            ],
        }
        provenance = self._provenance()
        if provenance:
            run["versionControlProvenance"] = [provenance]
        run["originalUriBaseIds"] = {"%SRCROOT%": {"description": {"text": "Root of the repository."}}}
        run["results"] = [entry.data for entry in entries]
        if self._category:
            run["automationDetails"] = {"id": self._category.rstrip("/") + "/"}
        run["columnKind"] = "utf16CodeUnits"
        if self._cwe is not None:
            run["taxonomies"] = [self._cwe]
        run["properties"] = {
            "profile": self._profile,
            **({"auditProfile": self._result.profile} if self._result.profile else {}),
            "verdicts": self._result.summary(),
            "omittedResults": omitted,
        }
        return run

    def _driver(self) -> Json:
        return {
            "name": "zuno-audit",
            "semanticVersion": self._result.tool_version,
            "informationUri": INFORMATION_URI,
            "rules": self._rules,
            "notifications": NOTIFICATIONS,
            "supportedTaxonomies": [CHECKLIST] if self._cwe is None else [CHECKLIST, CWE],
        }

    def _provenance(self) -> Json:
        repository = self._result.repository
        if not repository.url or not repository.commit:
            return {}
        data: Json = {"repositoryUri": repository.url, "revisionId": repository.commit}
        if repository.branch:
            data["branch"] = repository.branch
        return {**data, "mappedTo": {"uriBaseId": "%SRCROOT%"}}

    def _notifications(self, omitted: int) -> list[Json]:
        diagnostics = sorted(self._result.diagnostics, key=lambda d: d.sort_key)
        out = [self._notification(d) for d in diagnostics[:MAX_NOTIFICATIONS]]
        if omitted:
            text = f"{omitted} results were left out; the profile sarif-full holds them all."
            descriptor = {"id": NOTIFICATIONS[1]["id"], "index": 1}
            out.insert(0, {"descriptor": descriptor, "level": "warning", "message": {"text": text}})
        return out

    def _notification(self, diagnostic: Diagnostic) -> Json:
        level = "note" if diagnostic.level is Level.NOTE else "warning"
        where = f"{diagnostic.path}: " if diagnostic.path else ""
        notification: Json = {
            "descriptor": {"id": NOTIFICATIONS[0]["id"], "index": 0},
            "level": level,
            "message": {"text": visible(f"{where}{diagnostic.message}")},
        }
        physical = self._writer.physical(at_line(diagnostic.path, max(1, diagnostic.line)))
        if physical is not None:
            notification["locations"] = [{"physicalLocation": physical}]
        return notification
