"""The job summary: what fails, safe to show, and never too long for GitHub."""

from __future__ import annotations

import re

from msgspec.structs import replace
from sample_result import sample

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.verdict import Check, Status
from zuno_audit.report import render
from zuno_audit.report.summary import MAX_BYTES, MAX_FINDINGS, MAX_ITEMS


def test_the_decision_the_failing_items_and_the_findings_are_there() -> None:
    result = sample()
    text = render("summary", result)
    assert text.startswith("# Production checklist: NO-GO\n")
    failing = [v.control.id for v in result.verdicts if v.status is Status.FAIL]
    parents = {v.control.parent for v in result.verdicts if v.status is Status.FAIL}
    for item in failing:
        assert (f"- **{item}** " in text) == (item not in parents)
    assert "| **Total** | **NO-GO** |" in text
    worst = next(f for f in result.findings if f.level is Level.ERROR and f.suppression is None)
    assert f"- **error** `{worst.rule}`" in text


def test_an_incomplete_audit_says_that_nothing_is_uploaded() -> None:
    result = sample()
    assert not result.is_complete
    assert "incomplete" in render("summary", result)
    whole = replace(result, verdicts=tuple(v for v in result.verdicts if v.status is not Status.ERROR))
    assert "incomplete" not in render("summary", whole)


def test_findings_and_items_are_bounded_and_counted_and_the_worst_come_first() -> None:
    result = sample()
    findings = tuple(
        Finding("name-differs", level, f"m{i}", at_line("README.md"))
        for i in range(3000)
        for level in (Level.NOTE, Level.ERROR)
    )
    one = next(v for v in result.verdicts if v.status is Status.FAIL)
    verdicts = tuple(
        replace(one, control=replace(one.control, id=f"1.1.{i}", parent=None)) for i in range(500)
    )
    text = render("summary", replace(result, findings=findings, verdicts=verdicts))
    assert text.count("\n- **error** ") == MAX_FINDINGS
    assert "- **note** " not in text
    assert f"{6000 - MAX_FINDINGS} more findings not shown here." in text
    assert f"{500 - MAX_ITEMS} more items not shown here." in text


def test_known_findings_are_left_out() -> None:
    result = sample()
    known = tuple(replace(f, baseline="unchanged") for f in result.findings)
    assert "indings:" not in render("summary", replace(result, findings=known, has_baseline=True))


def test_the_longest_summary_fits() -> None:
    result = sample()
    one = next(v for v in result.verdicts if v.status is Status.FAIL)
    long = replace(one, control=replace(one.control, title="é*" * 300_000, parent=None))
    text = render("summary", replace(result, verdicts=(long, long)))
    assert len(text.encode()) <= MAX_BYTES
    assert text.endswith("The summary is cut here: it would be too long.\n")


def test_text_of_the_repository_is_no_markup() -> None:
    result = sample()
    nasty = "<img src=x onerror=y> @everyone [x](javascript:y)\n# heading `code` \x1b[31m"
    one = next(v for v in result.verdicts if v.status is Status.FAIL)
    hostile = replace(one, checks=(Check("rule", Status.FAIL, nasty),))
    finding = Finding("name-differs", Level.ERROR, nasty, at_line("a`b|<b>\n# c.go", 3))
    text = render("summary", replace(result, verdicts=(hostile,), findings=(finding,)))
    lines = text.splitlines()
    assert not re.search(r"(?<!\\)<img|@everyone|(?<!\\)\]\(javascript", text)
    assert "\x1b" not in text
    assert [line for line in lines if line.startswith("# ")] == ["# Production checklist: NO-GO"]
