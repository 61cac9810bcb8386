"""Texts that Go takes for numbers, and those that only Python does."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from zuno_audit.facts.go import strconv


def is_refused(parse: Callable[..., object], *arguments: object) -> bool:
    try:
        parse(*arguments)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [("5", 10, 5), ("-12", 10, -12), ("ff", 16, 255), ("0x1f", 0, 31), ("010", 0, 8), ("1_000", 0, 1000)],
)
def test_whole_numbers(text: str, base: int, value: int) -> None:
    assert strconv.parse_int(text, base) == value


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("", 10),
        (" 5", 10),
        ("5\n", 10),
        ("1_000", 10),
        ("٣", 10),
        ("٣", 0),
        ("0x1f", 16),
        ("8", 8),
        ("5s", 10),
    ],
)
def test_what_is_no_whole_number(text: str, base: int) -> None:
    assert is_refused(strconv.parse_int, text, base)


@pytest.mark.parametrize(("text", "value"), [("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("-2e3", -2000.0)])
def test_floats(text: str, value: float) -> None:
    assert strconv.parse_float(text) == value


@pytest.mark.parametrize("text", ["", " 1.5", "1_0.5", "1,5", "1.5s", "٣.٥"])
def test_what_is_no_float(text: str) -> None:
    assert is_refused(strconv.parse_float, text)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("T", True), ("False", False)])
def test_truth_values(text: str, value: bool) -> None:
    assert strconv.parse_bool(text) is value


@pytest.mark.parametrize("text", ["yes", "on", "tRUE", " true", ""])
def test_what_is_no_truth_value(text: str) -> None:
    assert is_refused(strconv.parse_bool, text)
