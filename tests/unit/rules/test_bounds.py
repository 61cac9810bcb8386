"""Patterns and templates of rules: what could take for ever is refused, with place and cure."""

from __future__ import annotations

import time

import pytest

from zuno_audit.errors import RuleError
from zuno_audit.rules.bounds import pattern_fault, template_fault
from zuno_audit.rules.load import read_rule

RULE = """\
id: some-rule
title: Something
kind: document
severity: error
precision: high
since: 0.1.0
for_each: env_file
require:
  - file: {matches: '%s'}
    message: "%s"
why: so
fix: so
"""


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "(a|aa)+$",
        "(.*)*x",
        "((a{1,9}){1,9}){1,9}",
        r"(\w+)\1",
        ".*.*.*x",
        "(a?){50}",
        "(",
        "a" * 501,
    ],
)
def test_patterns_that_could_take_for_ever_are_refused(pattern: str) -> None:
    assert pattern_fault(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["management", "^v[0-9]+$", "[0-9a-f]{40}", "(foo|bar)", "^(?:a|b)-.*x$", "(?i)a.?b", "(ab){3}"],
)
def test_plain_patterns_are_allowed(pattern: str) -> None:
    assert pattern_fault(pattern) == ""


@pytest.mark.parametrize(
    "text",
    [
        "{% for i in range(9) %}{% for j in range(9) %}x{% endfor %}{% endfor %}",
        "{{ 9 ** 9 ** 9 }}",
        "{{ 'a' * 999999999 }}",
        "{{ name.__class__ }}",
        "{{ name() }}",
        "{{ name|pprint }}",
        "{% include 'x' %}",
        "{{ name",
    ],
)
def test_templates_that_do_more_than_name_and_choose_are_refused(text: str) -> None:
    assert template_fault(text)


@pytest.mark.parametrize(
    "text",
    ["{{ tool or 'No tool' }}", "{% if count == 1 %}one{% else %}many{% endif %}", "{{ a|join(', ') }}"],
)
def test_names_choices_and_a_few_filters_are_allowed(text: str) -> None:
    assert template_fault(text) == ""


@pytest.mark.parametrize(
    ("pattern", "message", "line"), [("(a+)+$", "no", 9), ("a", "{{ 9 ** 9 ** 9 }}", 10), ("(", "no", 9)]
)
def test_a_refused_rule_says_where_and_what_to_do(pattern: str, message: str, line: int) -> None:
    with pytest.raises(RuleError) as caught:
        read_rule(RULE % (pattern, message), "own/some-rule.yaml")
    assert (caught.value.path, caught.value.line) == ("own/some-rule.yaml", line)
    assert caught.value.hint


def test_the_slowest_allowed_pattern_ends_soon() -> None:
    from zuno_audit.matchers.predicates import MAX_MATCHED, Truth, holds
    from zuno_audit.model.entity import Answer

    pattern = {"matches": ".*a.*b"}
    assert pattern_fault(pattern["matches"]) == ""
    start = time.perf_counter()
    assert holds(pattern, Answer("a" * MAX_MATCHED), str) is Truth.FALSE
    assert time.perf_counter() - start < 20
    assert holds(pattern, Answer("a" * (MAX_MATCHED + 1)), str) is Truth.UNKNOWN
