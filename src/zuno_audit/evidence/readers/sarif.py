"""SARIF 2.1.0 of any tool."""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, as_list, as_object, object_of, seconds, text_at

_KEYS = re.compile(rb'"\$schema":\s*"[^"]*sarif|"runs":\s*\[')
_BANDS = (("critical", 9.0), ("high", 7.0), ("medium", 4.0), ("low", 0.1))
_LEVELS = {"error": "error", "warning": "warning", "note": "note", "none": "note"}


def recognise(head: bytes) -> bool:
    """True for a SARIF log."""
    return head.lstrip()[:1] == b"{" and _KEYS.search(head) is not None


def read(data: bytes) -> Reading:
    """A `scan` for each run and an `issue` for each result that counts. Raises BrokenEvidence."""
    lines = Lines(data)
    document = object_of(data)
    if not isinstance(document.get("runs"), list):
        raise BrokenEvidence("a SARIF log without runs")
    found: list[Observation] = []
    made_at: float | None = None
    for run in map(as_object, document["runs"]):
        calls = [as_object(i) for i in as_list(run.get("invocations"))]
        ends = [seconds(text_at(call, "endTimeUtc")) for call in calls]
        made_at = max(filter(None, (made_at, *ends)), default=None)
        found += _run(run, calls, lines)
    return Reading(tuple(found), made_at)


def _run(run: dict[str, Any], calls: list[dict[str, Any]], lines: Lines) -> list[Observation]:
    tool = text_at(run, "tool", "driver", "name").lower()
    if not tool:
        raise BrokenEvidence("a SARIF run that does not name its tool")
    is_broken = any(call.get("executionSuccessful") is False for call in calls)
    scan = Observation("scan", tool, "error" if is_broken else "ok", labels=(("linters", tool),))
    results = [as_object(r) for r in as_list(run.get("results"))]
    levels = _default_levels(run)
    return [scan, *(_issue(r, tool, levels, lines) for r in results if _counts(r))]


def _default_levels(run: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """By rule: its default level, and the severity that it has as a security rule, where it has one."""
    driver = as_object(as_object(run.get("tool")).get("driver"))
    rules = [as_object(rule) for rule in as_list(driver.get("rules"))]
    return {text_at(r, "id"): (text_at(r, "defaultConfiguration", "level"), _severity(r)) for r in rules}


def _severity(rule: dict[str, Any]) -> str:
    """By `security-severity` (in the bands that GitHub uses), or a tag like gosec's HIGH; else empty."""
    properties = as_object(rule.get("properties") or {})
    try:
        number = float(properties.get("security-severity", ""))
    except (TypeError, ValueError):
        tags = {str(tag).lower() for tag in as_list(properties.get("tags"))}
        return next((name for name, _ in _BANDS if name in tags), "")
    return next((name for name, least in _BANDS if number >= least), "low")


def _counts(result: dict[str, Any]) -> bool:
    kind = result.get("kind", "fail")
    return kind in ("fail", "open", "review") and not result.get("suppressions")


def _issue(
    result: dict[str, Any], tool: str, levels: dict[str, tuple[str, str]], lines: Lines
) -> Observation:
    rule = text_at(result, "ruleId")
    rated = levels.get(rule, ("", ""))
    level = _LEVELS.get(text_at(result, "level") or rated[0], "warning")
    places = as_list(result.get("locations"))
    physical = as_object(as_object(places[0]).get("physicalLocation") or {}) if places else {}
    region = as_object(physical.get("region") or {})
    where = f"{text_at(physical, 'artifactLocation', 'uri')}:{region.get('startLine', 1)}"
    text = text_at(result, "message", "text")
    labels = (("linter", tool), ("where", where), ("text", text))
    line = lines.holding(f'"{rule}"')
    return Observation("issue", f"{rule} {where}", rated[1] or level, labels=labels, line=line)
