"""Env files as compose reads them."""

from __future__ import annotations

import pytest

from zuno_audit.languages.dotenv import parse_dotenv


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("export A=b", "b"),
        ("A = b ", "b"),
        ("A=b # why", "b"),
        ("A=b#c", "b#c"),
        ("A='b # c'", "b # c"),
        ('A="b\\nc" # why', "b\nc"),
        ("A=", ""),
        ("A=# why", ""),
        ("A=x=y", "x=y"),
        ("\ufeffA=b", "b"),
        ("A: b", "b"),
    ],
)
def test_values(line: str, value: str) -> None:
    assert parse_dotenv(".env", line + "\n").values() == {"A": value}


def test_a_quoted_value_may_span_lines_and_the_next_keeps_its_line() -> None:
    file = parse_dotenv(".env", 'A="one\ntwo"\nB=3\n')
    assert file.values() == {"A": "one\ntwo", "B": "3"}
    assert [a.location.line for a in file.assignments] == [1, 3]


def test_the_last_assignment_wins() -> None:
    assert parse_dotenv(".env", "A=1\nA=2\n").values() == {"A": "2"}


def test_a_bare_name_has_no_value() -> None:
    (assignment,) = parse_dotenv(".env", "A\n").assignments
    assert (assignment.name, assignment.value) == ("A", None)


def test_commented_assignments_are_kept_apart_from_prose() -> None:
    file = parse_dotenv(".env", "# A=b\n# when a=b then do this\n")
    assert [a.name for a in file.commented] == ["A"]
    assert file.assignments == ()


def test_windows_line_ends() -> None:
    assert parse_dotenv(".env", "A=b\r\nC=d\r\n").values() == {"A": "b", "C": "d"}


def test_a_line_that_is_no_assignment_is_a_problem() -> None:
    file = parse_dotenv(".env", "A=b\n-----\n")
    assert [(p.path, p.line) for p in file.problems] == [(".env", 2)]
