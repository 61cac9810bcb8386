"""PromQL: what parses, and what it asks for."""

from __future__ import annotations

import pytest

from zuno_audit.languages.promql import parse_promql


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ('rate(http_requests_total{status=~"5.."}[5m]) > 0.05', ("http_requests_total",)),
        ('circuit_breaker_state{state="open"} == 1', ("circuit_breaker_state",)),
        ("histogram_quantile(0.95, sum by (le) (rate(h_bucket[5m])))", ("h_bucket",)),
        ("sum(rate(a[5m])) by (x) / on(x) group_left(y) sum(b) without (z)", ("a", "b")),
        ("max_over_time(rate(a[5m])[1h:1m])", ("a",)),
        ("a offset 5m and b @ start() unless absent(c)", ("a", "b", "c")),
        ('{__name__="x", k!~"y"}', ("x",)),
        ("job:requests:rate5m > bool 1", ("job:requests:rate5m",)),
        ("-a ^ 2 # a comment", ("a",)),
        ("rate(a[$__rate_interval])", ("a",)),
    ],
)
def test_expressions_that_parse(text: str, metrics: tuple[str, ...]) -> None:
    query = parse_promql(text)
    assert (query.error, query.metrics) == ("", metrics)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sum(",
        "a{b=c}",
        'a{b="c"',
        "a[5m",
        "rate(a)",
        "rat(a[5m])",
        "a > 0,05",
        'a{b=~"("}',
        "a b",
        "a >",
        "(" * 500,
    ],
)
def test_expressions_that_do_not(text: str) -> None:
    assert parse_promql(text).error


def test_labels_and_comparisons_are_kept() -> None:
    query = parse_promql('sum by (code) (rate(a{job="x", code!="200"}[1m])) > 1')
    assert [(m.label, m.operator, m.value) for m in query.selectors[0].matchers] == [
        ("job", "=", "x"),
        ("code", "!=", "200"),
    ]
    assert query.labels == ["code"]
    assert query.compares
    assert not parse_promql("rate(a[1m])").compares
