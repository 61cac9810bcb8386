"""Which exit code a result means, and what a user sees of errors."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from msgspec.structs import replace
from sample_result import sample

from zuno_audit.cli import exits, main
from zuno_audit.cli.app import app
from zuno_audit.cli.exits import code_of
from zuno_audit.cli.outputs import write_file
from zuno_audit.errors import ReportError
from zuno_audit.model.box import Box, BoxMatch, BoxVerdict, ChecklistFile
from zuno_audit.model.finding import Level
from zuno_audit.model.result import AuditResult
from zuno_audit.model.verdict import Check, Status


def complete(*levels: Level) -> AuditResult:
    """A result without errors and with findings of these levels only."""
    result = sample()
    verdicts = tuple(v for v in result.verdicts if v.status is not Status.ERROR)
    findings = tuple(f for f in result.findings if f.suppression is None and f.level in levels)
    return replace(result, verdicts=verdicts, findings=findings)


@pytest.mark.parametrize(
    ("levels", "fail_on", "code"),
    [
        ([Level.ERROR], "error", 1),
        ([Level.WARNING], "error", 0),
        ([Level.WARNING], "warning", 1),
        ([Level.NOTE], "warning", 0),
        ([Level.NOTE], "note", 1),
        ([Level.ERROR], "never", 0),
        ([], "note", 0),
    ],
)
def test_threshold(levels: list[Level], fail_on: str, code: int) -> None:
    assert code_of(complete(*levels), fail_on) == code


def test_incomplete_beats_findings_and_never() -> None:
    assert code_of(sample(), "error") == 3
    assert code_of(sample(), "never") == 3
    assert code_of(replace(complete(), nothing_to_audit=True), "never") == 3


def test_an_item_that_fails_and_has_a_check_in_error_makes_the_audit_incomplete() -> None:
    result = complete(Level.ERROR)
    index, failing = next((i, v) for i, v in enumerate(result.verdicts) if v.status is Status.FAIL)
    both = replace(failing, checks=(*failing.checks, Check("other", Status.ERROR, "It crashed.")))
    result = replace(result, verdicts=(*result.verdicts[:index], both, *result.verdicts[index + 1 :]))
    assert code_of(result, "error") == 3
    assert code_of(result, "never") == 3


def test_a_box_whose_own_check_ended_in_error_makes_the_audit_incomplete() -> None:
    box = BoxVerdict(Box(1, 1, 2, 3, False, "`x` exists"), BoxMatch(), Status.ERROR, source="derived")
    file = ChecklistFile("LIST.md", (box,))
    assert code_of(replace(complete(), checklist_file=file), "never") == 3


def test_suppressed_and_known_findings_do_not_count() -> None:
    result = sample()
    waived = tuple(f for f in result.findings if f.suppression is not None)
    assert code_of(replace(complete(), findings=waived), "note") == 0
    known = tuple(replace(f, baseline="unchanged") for f in complete(Level.ERROR).findings)
    assert code_of(replace(complete(), findings=known), "note") == 0
    new = tuple(replace(f, baseline="new") for f in known)
    assert code_of(replace(complete(), findings=new), "note") == 1


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """A command `fail` that raises what the test puts into the list."""
    raised: list[BaseException] = []

    @click.command()
    @click.option("-v", "--verbose", count=True)
    @click.pass_obj
    def fail(session: exits.Session, verbose: int) -> None:
        session.verbosity = verbose
        raise raised[0]

    monkeypatch.setitem(app.commands, "fail", fail)
    return raised


def test_a_bug_is_70_without_a_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("secret detail"))
    assert main(["fail"]) == 70
    err = capsys.readouterr().err
    assert "ZeroDivisionError" in err and "-vv" in err
    assert "Traceback" not in err and "secret detail" not in err


def test_a_bug_shows_its_traceback_with_vv(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("detail"))
    assert main(["fail", "-vv"]) == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_130(failing: list[BaseException], capsys: pytest.CaptureFixture[str]) -> None:
    failing.append(KeyboardInterrupt())
    assert main(["fail"]) == 130
    assert "Interrupted." in capsys.readouterr().err


def test_an_error_is_shown_with_its_hint(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ReportError("It cannot be \x1b[31mwritten.", hint="Try another."))
    assert main(["fail"]) == 2
    assert capsys.readouterr().err == "Error: It cannot be ␛[31mwritten.\nTry another.\n"


def test_a_file_is_replaced_in_one_step_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    file.chmod(0o600)
    write_file(file, "new ✓ \udcff")
    assert file.read_bytes() == "new ✓ \\udcff".encode()
    assert file.stat().st_mode & 0o777 == 0o600
    assert [p.name for p in tmp_path.iterdir()] == ["report.json"]


def test_a_file_that_cannot_be_replaced_stays_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "x").write_text("kept")
    with pytest.raises(ReportError, match="cannot be written"):
        write_file(folder, "new")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
    assert (folder / "x").read_text() == "kept"
