"""Placeholders: the direct way and Jinja2 show the same, and nothing hostile comes through."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.errors import RuleError
from zuno_audit.matchers.template import render
from zuno_audit.model.entity import Answer
from zuno_audit.model.location import at_line

SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-99, 99), st.floats(-9, 9), st.text(max_size=20))


@given(st.one_of(SCALARS, st.lists(SCALARS, max_size=3).map(tuple)), st.text(max_size=20))
def test_both_ways_show_the_same(value: Any, because: str) -> None:
    names = {"x": Answer(value, because, (at_line("a.go", 4),))}
    plain = (
        "{{ x }}|{{x.because}}|{{ x.value }}|{{ x.proof }}|{{ x or 'none' }}|{{ x.because or 'no reason' }}"
    )
    assert render(plain, names) == render(plain + "{# by Jinja2 #}", names)


@given(st.text())
def test_values_stay_on_one_line_without_control_characters(text: str) -> None:
    shown = render("{{ x }}", {"x": Answer(text)})
    assert len(shown.splitlines()) <= 1
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 or 0x202A <= ord(c) <= 0x202E for c in shown)


def test_values_are_not_templates_themselves() -> None:
    assert render("{{ x }}", {"x": "{{ y }}"}) == "{{ y }}"
    assert render("{{ x }}{# #}", {"x": "{{ 7 * 7 }}"}) == "{{ 7 * 7 }}"


def test_conditions_go_to_jinja() -> None:
    text = "{% if n == 1 %}one{% else %}{{ n }}{% endif %}"
    assert render(text, {"n": Answer(1)}) == "one"
    assert render(text, {"n": Answer(2.0)}) == "2"


def test_text_without_placeholders_is_left_alone() -> None:
    assert render("a {b} 100% {", {}) == "a {b} 100% {"


@pytest.mark.parametrize(
    "text", ["{{ nobody }}", "{{ x.nothing }}", "{{ nobody }}{# #}", "{{ x.nothing }}{# #}"]
)
def test_placeholder_without_a_value_is_an_error(text: str) -> None:
    with pytest.raises(RuleError):
        render(text, {"x": Answer("a")})


def test_templates_cannot_reach_python() -> None:
    with pytest.raises(RuleError):
        render("{{ x.__class__.__mro__ }}{# #}", {"x": Answer("a")})
