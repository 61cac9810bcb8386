"""Predicates: every operator, and what it makes of answers that are not known."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.matchers.predicates import Truth, holds
from zuno_audit.model.entity import Answer

T, F, U = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN


def same(text: str) -> str:
    return text


@pytest.mark.parametrize(
    ("predicate", "value", "expected"),
    [
        ("yes", "yes", T),
        ("yes", "no", F),
        ("yes", "unknown", U),
        ("yes", None, U),
        ("unknown", "unknown", T),
        (None, None, T),
        (None, "x", F),
        (True, "yes", T),
        ("no", False, T),
        (5, 5.0, T),
        (5, "5", T),
        ("60", 60, T),
        ("60", 61, F),
        ("1.0", "1", F),
        ({"in": ["a", "b"]}, "b", T),
        ({"in": ["a", "b"]}, "c", F),
        ({"in": ["a", "b"]}, None, U),
        ({"in": ["no", "unknown"]}, "unknown", T),
        ({"in": "a, b,c"}, "c", T),
        ({"not": "no"}, "yes", T),
        ({"not": "no"}, "no", F),
        ({"not": "no"}, "unknown", U),
        ({"not": "unknown"}, "unknown", F),
        ({"at_least": 2}, 2, T),
        ({"at_least": 2}, 1, F),
        ({"at_least": 2}, "many", F),
        ({"at_least": 2}, None, U),
        ({"at_least": 2, "at_most": 3}, 4, F),
        ({"matches": "^ab"}, "abc", T),
        ({"matches": "^bc"}, "abc", F),
        ({"matches": "^b"}, ("a", "b"), T),
        ({"matches": "."}, "unknown", U),
        ({"glob": "a/**"}, "a/b/c", T),
        ({"glob": ["x", "a/*"]}, "a/b/c", F),
        ({"glob": "x/**, a/**"}, "a/b", T),
        ({"contains": "b"}, ("a", "b"), T),
        ({"contains": "c"}, ("a", "b"), F),
        ({"contains": "c"}, ("a", "unknown"), U),
        ({"contains": "c"}, ("a", None), U),
        ({"contains": "bc"}, "abcd", T),
        ({"contains": 2}, (1, 2), T),
        ({"empty": True}, (), T),
        ({"empty": True}, "", T),
        ({"empty": False}, "", F),
        ({"empty": True}, None, U),
        ({"exists": True}, None, F),
        ({"exists": False}, None, T),
        ({"exists": True}, "", T),
        ({"exists": True}, "unknown", U),
        ({"all": [{"at_least": 1}, {"not": 3}]}, 3, F),
        ({"any": ["a", {"matches": "^b"}]}, "bc", T),
        ({"any": ["a", "unknown"]}, "unknown", T),
        ({"all": [{"exists": True}, {"matches": "x"}]}, None, F),
    ],
)
def test_operator(predicate: Any, value: Any, expected: Truth) -> None:
    assert holds(predicate, Answer(value), same) is expected


PREDICATES = st.recursive(
    st.sampled_from(["yes", "no", "unknown", None, 1, {"at_least": 1}, {"empty": True}, {"exists": True}]),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"not": inner}),
        st.fixed_dictionaries({"all": st.lists(inner, min_size=1, max_size=3)}),
        st.fixed_dictionaries({"any": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=6,
)
VALUES = st.sampled_from(["yes", "no", "unknown", None, 0, 1, (), ("a",), True])


@given(PREDICATES, VALUES)
def test_failed_answer_never_counts_either_way(predicate: Any, value: Any) -> None:
    assert holds(predicate, Answer(value, failed=True), same) is U


@given(PREDICATES, VALUES)
def test_negation_turns_true_and_false_and_leaves_unknown(predicate: Any, value: Any) -> None:
    answer = Answer(value)
    assert holds({"not": predicate}, answer, same) == Truth.TRUE - holds(predicate, answer, same)


def test_placeholder_in_a_pattern_stands_for_itself() -> None:
    def fill(text: str) -> str:
        return text.replace("{{ name }}", "a.b")

    assert holds({"matches": "^{{ name }}$"}, Answer("a.b"), fill) is T
    assert holds({"matches": "^{{ name }}$"}, Answer("axb"), fill) is F
