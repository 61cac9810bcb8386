"""The terminal report: proof, source, width, colour and hostile text."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from sample_result import PLANTED, sample

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.result import AuditResult
from zuno_audit.report import render
from zuno_audit.report.wrap import cells


def lines(**options: object) -> list[str]:
    return render("text", sample(), **options).splitlines()


def test_every_item_has_mark_word_reason_and_place() -> None:
    page = lines()
    at = page.index("  ✓ 1.1.1    The constant Größe is defined")
    assert page[at + 1].strip() == "pass: 1 of 1 constants is defined."
    assert page[at + 2].strip() == "shared/größe.go:3"
    text = "\n".join(page)
    for words in ("✗ 1.3.1.2", "FAIL: 0 of 1 servers", "! 1.3.2", "ERROR: broken.go", "? 6.1.1"):
        assert words in text
    assert "needs evidence: Run `curl localhost:9090/-/ready`." in text
    assert "− 1.3.1.1" in text and "not applicable: There is no such service." in text


def test_items_for_a_person_are_listed_without_reasons_until_verbose() -> None:
    short = "\n".join(lines())
    assert "manual: 4 items for a person" in short
    assert "○ S.1.3    QA tester has signed" in short
    assert "Ask the QA tester." not in short
    assert "Ask the QA tester." in "\n".join(lines(verbose=True))


def test_the_caret_stands_below_the_marked_source() -> None:
    page = lines(width=120)
    number = next(i for i, line in enumerate(page) if line.strip().startswith("6 |"))
    source, caret = page[number], page[number + 1]
    start = caret.index("^")
    before = cells(caret[:start])
    marked = source[next(i for i in range(len(source)) if cells(source[:i]) == before) :]
    assert marked.startswith("grpc.NewServer(opts...)"[: caret.count("^")])
    assert caret.count("^") == len("grpc.NewServer(opts...)")


def test_the_caret_follows_a_masked_secret() -> None:
    page = lines()
    number = next(i for i, line in enumerate(page) if line.strip().startswith("4 |"))
    assert page[number].endswith('getEnv("JWT_SECRET", "hunt****")}')
    assert page[number + 1].index("^") == page[number].index('"hunt****"')


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int, verbose: bool) -> None:
    assert [line for line in lines(width=width, verbose=verbose) if cells(line) > width] == []


@pytest.mark.parametrize("options", [{}, {"verbose": True}, {"color": True}])
def test_hostile_text_is_shown_and_not_obeyed(options: dict[str, object]) -> None:
    text = render("text", sample(), **options)
    assert PLANTED not in text
    assert "[bold]empty[/bold]" in text
    assert "␛[31m" in text
    assert "\x1b[31m<" not in text


def test_colour_only_adds_escape_sequences() -> None:
    import re

    coloured = render("text", sample(), color=True)
    assert "\x1b[" in coloured
    stripped = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in stripped.splitlines()] == lines()


def test_quiet_shows_what_fails_and_the_decision_only() -> None:
    text = "\n".join(lines(quiet=True))
    assert "1.3.1.2" in text and "1.3.2" in text
    assert "1.1.1" not in text and "S.1.1" not in text and "FINDINGS" not in text
    assert "NO-GO: 3 of 10 items fail" in text


def test_the_last_lines_are_the_decision_and_the_counts() -> None:
    tail = " ".join(" ".join(lines(width=120)[-3:]).split())
    assert "NO-GO: 3 of 10 items fail, 1 could not be checked, 1 waits" in tail
    assert tail.endswith("4 manual, 1 not applicable; 3 errors, 1 warning, 1 note, 1 suppressed")


def test_many_findings_are_bounded_and_counted_unless_verbose() -> None:
    many = tuple(
        Finding("name-differs", Level.ERROR, f"finding {i:03}", at_line("README.md", 1)) for i in range(130)
    )
    result = replace(sample(), findings=many)
    assert "… and 30 more findings" in render("text", result)
    assert "finding 129" not in render("text", result)
    assert "finding 129" in render("text", result, verbose=True)


def strange(missing: int) -> AuditResult:
    """The sample with so many failures whose places are not in the repository."""
    result = sample()
    failed = [v.control.id for v in result.verdicts if v.status == "fail"]
    findings = tuple(
        Finding("x", Level.ERROR, "m", at_line(f"backend/part-{i}/main.go"), checklist=tuple(failed))
        for i in range(missing)
    )
    return replace(result, findings=findings)


def test_a_stranger_is_told_what_was_looked_for_and_not_found() -> None:
    text = " ".join(render("text", strange(8)).split())
    assert "This does not look like the repository that the checklist was written for." in text
    assert "Looked for and not found: backend/part-0/, backend/part-1/" in text
    assert "and 2 more" in text


def test_a_stranger_is_told_of_missing_folders_one_by_one() -> None:
    result = strange(8)
    folders = tuple(replace(f, location=at_line(f"services/part-{i}")) for i, f in enumerate(result.findings))
    text = " ".join(render("text", replace(result, findings=folders)).split())
    assert "Looked for and not found: services/part-0, services/part-1" in text


def test_a_few_missing_files_are_ordinary_failures() -> None:
    assert "does not look like" not in render("text", strange(3))
    assert "does not look like" not in render("text", sample())


def test_an_empty_folder_is_called_that() -> None:
    text = " ".join(render("text", replace(sample(), nothing_to_audit=True)).split())
    assert "no go.mod and no Go file" in text
    assert "NO-GO: there is nothing here that could be audited." in text
    assert "ERROR" not in text and "1.3.2" not in text, "the items have nothing to say"


def test_a_reason_that_several_checks_share_is_given_once() -> None:
    result = sample()
    first = result.verdicts[0]
    checks = tuple(replace(first.checks[0], evidence=(at_line("shared/größe.go", n),)) for n in (3, 4, 5))
    text = render("text", replace(result, verdicts=(replace(first, checks=checks),)))
    assert text.count("1 of 1 constants is defined.") == 1
    assert "1 of 1 constants is defined. (3 times)" in text
    assert "shared/größe.go:3, shared/größe.go:4 (+1)" in text
