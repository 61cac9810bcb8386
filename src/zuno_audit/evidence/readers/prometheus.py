"""Answers of the Prometheus HTTP API: targets, rules, alerts and instant queries.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, as_list, as_object, object_of, text_at

_HEAD = re.compile(rb'\s*\{\s*"status":\s*"(?:success|error)"')


def recognise(head: bytes) -> bool:
    """True for the envelope of every answer."""
    return _HEAD.match(head) is not None


def read(data: bytes) -> Reading:
    """`target`, `alert-rule`, `alert` and `sample` observations. Raises BrokenEvidence."""
    lines = Lines(data)
    document = object_of(data)
    if document.get("status") != "success":
        raise BrokenEvidence(f"Prometheus answered with an error ({text_at(document, 'errorType')})")
    answer = as_object(document.get("data"))
    if "activeTargets" in answer:
        return Reading(tuple(_target(as_object(t), lines) for t in as_list(answer["activeTargets"])))
    if "groups" in answer:
        return Reading(tuple(_rules(as_list(answer["groups"]), lines)))
    if "alerts" in answer:
        return Reading(tuple(_alert(as_object(a), lines) for a in as_list(answer["alerts"])))
    if "result" in answer:
        return Reading(_samples(answer, lines))
    raise BrokenEvidence("an answer of Prometheus without targets, rules, alerts or a result")


def _target(target: dict[str, Any], lines: Lines) -> Observation:
    labels = as_object(target.get("labels") or {})
    name = f"{text_at(labels, 'job')} {text_at(labels, 'instance')}".strip()
    line = lines.holding(text_at(target, "scrapeUrl"))
    pool = (("scrape_pool", text_at(target, "scrapePool")),)
    return Observation("target", name, text_at(target, "health"), labels=(*_texts(labels), *pool), line=line)


def _rules(groups: list[Any], lines: Lines) -> list[Observation]:
    found = []
    for rule in (as_object(r) for g in groups for r in as_list(as_object(g).get("rules"))):
        if rule.get("type") != "alerting":
            continue
        name = text_at(rule, "name")
        labels = (("health", text_at(rule, "health")),)
        found.append(
            Observation("alert", name, text_at(rule, "state"), labels=labels, line=lines.holding(name))
        )
    return found


def _alert(alert: dict[str, Any], lines: Lines) -> Observation:
    name = text_at(alert, "labels", "alertname")
    return Observation("alert", name, text_at(alert, "state"), line=lines.holding(name))


def _samples(answer: dict[str, Any], lines: Lines) -> tuple[Observation, ...]:
    kind, result = answer.get("resultType"), answer["result"]
    if kind == "scalar":
        return (Observation("sample", "", number=_number(result)),)
    if kind != "vector":
        raise BrokenEvidence("only instant queries (vector or scalar) can be judged, not a range")
    found = [Observation("query", "", number=float(len(as_list(result))))]
    for series in map(as_object, as_list(result)):
        metric = as_object(series.get("metric") or {})
        labels, value = _texts(metric), _number(series.get("value"))
        found.append(Observation("sample", text_at(metric, "__name__"), number=value, labels=labels))
    return tuple(found)


def _number(pair: Any) -> float:
    try:
        return float(pair[1])
    except (TypeError, ValueError, IndexError, KeyError):
        raise BrokenEvidence("a sample without a value") from None


def _texts(labels: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in labels.items() if isinstance(value, str))
