"""Suppressing comments: how they are read, what they silence, and what is said of bad ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from excused import excused, finding
from trees import store_of

from zuno_audit.engine import own_rules
from zuno_audit.engine.suppress import read_suppressions, suppressions_in
from zuno_audit.model.location import at_line
from zuno_audit.model.rule_run import Outcome

FORM = "zuno-audit: ignore[some-rule] -- we know"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.go", f"x() // {FORM}\n"),
        ("a.go", f"x() /* {FORM} */\n"),
        ("a.go", f"x() //nolint:all // {FORM}\n"),
        ("a.yml", f"a: b # {FORM}\n"),
        ("a.sql", f"select 1; -- {FORM}\n"),
        ("a.md", f"text <!-- {FORM} -->\n"),
        ("a.bat", f"REM {FORM}\r\n"),
        ("Dockerfile", f"# {FORM}\n"),
    ],
)
def test_forms(path: str, text: str) -> None:
    (found,) = read_suppressions(path, text)
    assert (found.rules, found.reason, found.fault) == (("some-rule",), "we know", "")
    assert found.location.line == 1 and 1 in found.lines


def test_lines_of_a_comment_beside_code_and_of_one_above_it() -> None:
    (beside,) = read_suppressions("a.go", f"x() // {FORM}\ny()\n")
    assert beside.lines == (1,)
    first, second = read_suppressions("a.go", f"// {FORM}\n// {FORM}\nx()\n")
    assert (first.lines, second.lines) == ((1, 3), (2, 3))
    (block,) = read_suppressions("a.go", f"/*\n * {FORM}\n */\nx()\n")
    assert block.location.line == 2 and 4 in block.lines


@pytest.mark.parametrize(
    "text",
    [
        f'x := "// {FORM}"\n',
        f"x := `\n// {FORM}\n`\n",
        "// see the manual on zuno-audit: it can ignore things\n",
        "// zuno-audit: runs before every release\n",
        f"// Write {FORM} above the line.\n",
    ],
)
def test_what_only_looks_like_one(text: str) -> None:
    assert read_suppressions("a.go", text) == ()


@pytest.mark.parametrize(
    ("comment", "fault"),
    [
        ("zuno-audit: ignore", "names no rule"),
        ("zuno-audit: ignore -- we know", "names no rule"),
        ("zuno-audit: ignore[] -- we know", "names no rule"),
        ("zuno-audit: ignore[Some Rule] -- we know", "names no rule"),
        ("zuno-audit: ignore[*] -- we know", "names no rule"),
        ("zuno-audit: ignore[some-rule]", "gives no reason"),
        ("zuno-audit: ignore[some-rule] --", "gives no reason"),
        ("zuno-audit: ignore[some-rule] -- ", "gives no reason"),
        ("zuno-audit: ignore[some-rule] we know", "gives no reason"),
        ("zuno-audit: Ignore[some-rule] -- we know", "not ignore"),
        ("zuno-audit: ingore[some-rule] -- we know", "not ignore"),
    ],
)
def test_a_malformed_one_silences_nothing_and_is_told(comment: str, fault: str) -> None:
    found = read_suppressions("a.go", f"x() // {comment}\n")
    broken, told = excused([finding(line=1)], found)
    assert broken.suppression is None
    assert told.rule == own_rules.SUPPRESSION_MALFORMED and fault in told.message


def test_a_finding_on_its_line_is_marked_and_stays() -> None:
    (marked,) = excused([finding(line=2)], read_suppressions("a.go", f"// {FORM}\nx()\n"))
    assert marked.suppression is not None
    assert (marked.suppression.kind, marked.suppression.reason) == ("inSource", "we know")
    assert marked.suppression.location == at_line("a.go", 1)


def test_other_lines_rules_and_files_are_not_silenced() -> None:
    suppressions = read_suppressions("a.go", f"// {FORM}\nx()\n\ny()\n")
    others = [finding(line=4), finding("other-rule", line=2), finding(path="b.go", line=2)]
    *broken, told = excused(others, suppressions)
    assert all(f.suppression is None for f in broken) and len(broken) == 3
    assert told.rule == own_rules.SUPPRESSION_UNUSED


def test_several_rules_in_one_comment() -> None:
    suppressions = read_suppressions("a.go", "x() // zuno-audit: ignore[some-rule, other-rule] -- we know\n")
    one, two = excused([finding(line=1), finding("other-rule", line=1)], suppressions)
    assert one.suppression is not None and two.suppression is not None
    told = excused([finding(line=1)], suppressions)[-1]
    assert told.rule == own_rules.SUPPRESSION_UNUSED and "other-rule" in told.message


def test_an_unknown_rule_is_told_with_the_nearest_one() -> None:
    (told,) = excused([], read_suppressions("a.go", "// zuno-audit: ignore[some-rul] -- we know\n"))
    assert told.rule == own_rules.SUPPRESSION_UNKNOWN_RULE
    assert "some-rul " in told.message and "Did you mean some-rule?" in told.message


def test_rules_about_suppressions_cannot_be_suppressed_by_a_comment() -> None:
    text = "// zuno-audit: ignore[suppression-malformed] -- hush\n// zuno-audit: ignore[]\n"
    told = excused([], read_suppressions("a.go", text))
    assert all(f.suppression is None for f in told)
    assert {f.rule for f in told} == {own_rules.SUPPRESSION_MALFORMED, own_rules.SUPPRESSION_UNKNOWN_RULE}


def test_nothing_is_called_unused_when_the_rule_failed() -> None:
    assert excused([], read_suppressions("a.go", f"// {FORM}\n"), outcome=Outcome.FAILED) == ()


def test_a_secret_in_a_reason_is_hidden() -> None:
    token = "ghp_" + "a1B2" * 9
    (found,) = read_suppressions("a.go", f"// zuno-audit: ignore[some-rule] -- it is {token}\n")
    assert token not in found.reason and "****" in found.reason


def test_tree_is_searched_without_vendored_code_and_links(tmp_path: Path) -> None:
    text = f"package a\n\n// {FORM}\nvar x int\n"
    store = store_of(tmp_path, {"a.go": text, "vendor/v/a.go": text, "a.json": f'{{"a": "// {FORM}"}}'})
    assert [s.location.path for s in suppressions_in(store.repository)] == ["a.go"]
