"""Markdown, HTML, GitHub annotations and JUnit."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace
from sample_result import PLANTED, sample

from zuno_audit.errors import UsageError
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.result import RepositoryInfo
from zuno_audit.report import FORMATS, render


@pytest.mark.parametrize("name", list(FORMATS))
def test_no_format_shows_a_secret_or_a_raw_escape(name: str) -> None:
    text = render(name, sample())
    assert PLANTED not in text and PLANTED[4:] not in text
    assert "\x1b" not in text
    assert text.endswith("\n")
    assert render(name, sample()) == text


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="'pdf'") as error:
        render("pdf", sample())
    assert "sarif-full" in error.value.hint


def test_markdown_has_a_box_with_mark_and_proof_for_every_item() -> None:
    text = render("markdown", sample())
    assert "- [x] ✓ **1.1.1** The constant Größe is defined (pass)" in text
    assert "  - [ ] ✗ **1.3.1.2** user service recovers from \\| panics (FAIL)" in text
    assert text.count("- [x]") == 1
    assert text.count("- [ ]") == 10
    link = "https://github.com/acme/shop/blob/0123456789abcdef0123456789abcdef01234567/shared/gr%C3%B6%C3%9Fe.go#L3"
    assert f"[`shared/größe.go:3`]({link})" in text


def test_markdown_shows_markup_as_text() -> None:
    text = render("markdown", sample())
    assert "<script>" not in text.replace("\\<script\\>", "")
    assert "\\[here\\](99)" in text


def test_html_is_self_contained_and_escaped() -> None:
    text = render("html", sample())
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert re.findall(r"""(?:src|@import|url\()\s*=?\s*["']?https?:""", text) == []
    assert "<link" not in text
    assert "default-src 'none'" in text


def test_html_has_every_item_its_status_and_its_links() -> None:
    text = render("html", sample())
    for verdict in sample().verdicts:
        assert f'<li class="item {verdict.status.value}' in text
        assert f'id="item-{verdict.control.id}"' in text
    assert "shared/gr%C3%B6%C3%9Fe.go#L3" in text
    assert "<mark>grpc.NewServer(opts...)</mark>" in text
    assert 'id="show-failed"' in text and 'id="show-open"' in text


def test_links_need_a_commit_and_an_https_address() -> None:
    for repository in (RepositoryInfo(), RepositoryInfo("a" * 40, url="javascript:alert(1)")):
        text = render("html", replace(sample(), repository=repository))
        assert "javascript:" not in text
        assert 'class="place" href' not in text


def test_annotations_are_escaped_and_on_one_line_each() -> None:
    result = sample()
    nasty = replace(result.findings[1], message="100%\n::error::no", location=at_line("a,b:c.go", 2))
    text = render("github", replace(result, findings=(nasty,), files=("a,b:c.go",)))
    first, last, end = text.split("\n")
    assert first.startswith("::warning file=a%2Cb%3Ac.go,line=2,title=")
    assert "100%25 ::error::no" in first
    assert last.startswith("zuno-audit: NO-GO: 3 of 10 items fail")
    assert end == ""


def test_annotations_are_bounded_and_the_worst_come_first() -> None:
    findings = tuple(
        Finding("name-differs", level, f"m{i}", at_line("README.md"))
        for i in range(12)
        for level in (Level.NOTE, Level.WARNING, Level.ERROR)
    )
    lines = render("github", replace(sample(), findings=findings)).splitlines()
    commands = [line.split(" ", 1)[0] for line in lines[:-1]]
    assert commands == ["::error"] * 10 + ["::warning"] * 10 + ["::notice"] * 10
    assert lines[-1].endswith("6 more findings not shown here.")


def test_suppressed_findings_are_not_annotated() -> None:
    assert ".env.example" not in render("github", sample())


def test_junit_counts_open_items_as_skipped() -> None:
    root = ElementTree.fromstring(render("junit", sample()))
    assert root.attrib == {
        "name": "zuno-audit",
        "tests": "11",
        "failures": "3",
        "errors": "1",
        "skipped": "6",
    }
    cases = {case.attrib["name"].split()[0]: case for case in root.iter("testcase")}
    assert len(cases) == 11
    assert [child.tag for child in cases["1.3.1.2"]] == ["failure"]
    assert cases["1.1.1"][0].text == "1 of 1 constants is defined.\nshared/größe.go:3"
    assert cases["S.1.1"][0].attrib["message"] == "manual: Ask the backend lead."


def test_junit_holds_no_character_that_xml_forbids() -> None:
    result = sample()
    verdict = result.verdicts[1]
    check = replace(verdict.checks[0], reason="bell \x07 nul \x00 half \udcff")
    hostile = replace(verdict, checks=(check,))
    root = ElementTree.fromstring(render("junit", replace(result, verdicts=(hostile,))))
    (failure,) = root.iter("failure")
    assert re.fullmatch(r"bell \S+ nul \S+ half \S+", failure.attrib["message"])
