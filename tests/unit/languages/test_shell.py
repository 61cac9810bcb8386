"""References to variables."""

from __future__ import annotations

import pytest

from zuno_audit.languages import shell


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("$A", ("A",)),
        ("${A}", ("A",)),
        ("x${A}:${B}", ("A", "B")),
        ("${A:-$B}", ("A", "B")),
        ("${A:-${B:-c}}", ("A", "B")),
        ("$$A", ()),
        ("$${A}", ()),
        ("100$", ()),
        ("${}", ()),
        ("${A", ()),
    ],
)
def test_names(text: str, names: tuple[str, ...]) -> None:
    assert shell.names(text) == names


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("${A}", "1"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${GONE:-${A}}", "1"),
        ("${GONE}", None),
        ("${A:+yes}", "yes"),
        ("${GONE:+yes}", ""),
        ("$$A", "$A"),
        ("${A}:${A}", "1:1"),
    ],
)
def test_expansion(text: str, value: str | None) -> None:
    assert shell.expand(text, {"A": "1", "EMPTY": ""}) == value


def test_a_question_mark_makes_a_variable_required() -> None:
    (reference,) = shell.references("${A:?must be set}")
    assert (reference.is_required, reference.default) == (True, None)


def test_nested_defaults_are_followed_to_a_limit() -> None:
    text = "x"
    for n in range(2000):
        text = f"${{A{n}:-{text}}}"
    assert len(shell.names(text)) < 100
