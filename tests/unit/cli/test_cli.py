"""The command line as a user meets it: exit codes, streams, files, colours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from zuno_audit.report import FORMATS

GO_FILE = "package main\n\nfunc main() {}\n"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run."""

    code: int
    out: str
    err: str


def zuno_audit(*arguments: object, cwd: Path, **environment: str) -> Done:
    """Run the command line in its own process, with an environment of its own."""
    kept = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM")}
    done = subprocess.run(
        [sys.executable, "-m", "zuno_audit", *map(str, arguments)],
        cwd=cwd,
        env={**kept, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with one Go program."""
    (tmp_path / "main.go").write_text(GO_FILE)
    (tmp_path / "go.mod").write_text("module example.com/x\n\ngo 1.24\n")
    return tmp_path


def test_check_is_the_default_command(project: Path) -> None:
    plain = zuno_audit("-f", "json", cwd=project)
    named = zuno_audit("check", "-f", "json", ".", cwd=project.parent / project.name)
    assert json.loads(plain.out)["schema"] == "zuno-audit/report/v1"
    assert plain.out == named.out
    assert plain.code == named.code


def test_a_folder_named_like_a_command_is_reached_with_a_dot(project: Path) -> None:
    folder = project / "inventory"
    folder.mkdir()
    (folder / "main.go").write_text(GO_FILE)
    done = zuno_audit("./inventory", "-f", "json", "--fail-on", "never", cwd=project)
    assert json.loads(done.out)["schema"] == "zuno-audit/report/v1"


@pytest.mark.parametrize("name", list(FORMATS))
def test_stdout_holds_only_the_report(name: str, project: Path) -> None:
    done = zuno_audit("-f", name, "--phase", "S", "--fail-on", "never", cwd=project)
    assert done.code in (0, 3)
    start = {
        "json": "{",
        "sarif": "{",
        "sarif-full": "{",
        "html": "<!DOCTYPE html>",
        "junit": "<?xml",
        "markdown": "# ",
        "summary": "# ",
        "github": "::error ",
    }
    assert done.out.startswith(start.get(name, "zuno-audit"))
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["no-such-folder"], "no-such-folder"),
        (["--phase", "10"], "10"),
        (["-f", "pdf"], "'pdf' is not one of"),
        (["-o", "pdf=x"], "'pdf' is not a format"),
        (["-o", "json"], "FORMAT=FILE"),
        (["-o", "json=-"], "standard output is chosen with -f"),
        (["-o", "json=a", "-o", "text=a"], "given twice"),
        (["--fail-on", "sometimes"], "sometimes"),
        (["--no-such-option"], "no-such-option"),
        (["-j", "0"], "0"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(
    arguments: list[str], words: str, project: Path
) -> None:
    done = zuno_audit(*arguments, cwd=project)
    assert done.code == 2
    assert words in done.err
    assert done.out == ""
    assert "Traceback" not in done.err


def test_nothing_to_audit_is_incomplete(tmp_path: Path) -> None:
    done = zuno_audit("--fail-on", "never", cwd=tmp_path)
    assert done.code == 3
    assert "nothing to audit" in done.err


def test_reports_are_written_beside_the_one_on_stdout(project: Path) -> None:
    done = zuno_audit(
        "-f", "json", "-o", "json=a.json", "-o", "html=b.html", "--fail-on", "never", cwd=project
    )
    assert (project / "a.json").read_text("utf-8") == done.out
    assert (project / "b.html").read_text("utf-8").startswith("<!DOCTYPE html>")
    assert sorted(p.name for p in project.iterdir()) == ["a.json", "b.html", "go.mod", "main.go"]


def test_a_file_that_cannot_be_written_is_2_and_the_others_are_not_lost(project: Path) -> None:
    done = zuno_audit("-o", "json=missing/a.json", "-o", "junit=b.xml", "-f", "json", cwd=project)
    assert done.code == 2
    assert "missing/a.json" in done.err and "cannot be written" in done.err
    assert (project / "b.xml").exists()
    assert json.loads(done.out)["tool"]["name"] == "zuno-audit"
    assert not (project / "missing").exists()


def test_no_file_is_written_when_the_audit_does_not_start(tmp_path: Path) -> None:
    done = zuno_audit("no-such-folder", "-o", "sarif=a.sarif", cwd=tmp_path)
    assert done.code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "environment", "is_coloured"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
    ],
)
def test_colour(arguments: list[str], environment: dict[str, str], is_coloured: bool, project: Path) -> None:
    done = zuno_audit("--phase", "S", *arguments, cwd=project, **environment)
    assert ("\x1b[" in done.out) is is_coloured


def test_columns_sets_the_width(project: Path) -> None:
    done = zuno_audit("--phase", "S", cwd=project, COLUMNS="40")
    assert max(len(line) for line in done.out.splitlines()) <= 40


def test_a_terminal_without_unicode_gets_ascii_marks(project: Path) -> None:
    done = zuno_audit("--phase", "S", cwd=project, PYTHONIOENCODING="ascii")
    assert done.out.isascii()
    assert "S.1.1" in done.out


def test_a_closed_pipe_is_no_error(project: Path) -> None:
    code = f"{sys.executable} -m zuno_audit -v | head -c 10"
    done = subprocess.run(
        ["sh", "-c", code],
        cwd=project,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert b"Traceback" not in done.stderr and b"BrokenPipe" not in done.stderr


def test_version_and_help(tmp_path: Path) -> None:
    assert zuno_audit("--version", cwd=tmp_path).out.startswith("zuno-audit 0.")
    help_text = zuno_audit("--help", cwd=tmp_path).out
    for words in ("Reports:", "What is audited:", "Examples:", "--fail-on", "inventory"):
        assert words in help_text


def test_phases_restrict_the_report(project: Path) -> None:
    done = zuno_audit("--phase", "s", "--phase", "G", "-f", "json", cwd=project)
    assert {item["phase"] for item in json.loads(done.out)["checklist"]} == {"S", "G"}


def test_a_file_name_full_of_control_characters_does_not_reach_the_terminal(project: Path) -> None:
    (project / "x\x1b[2J.go").write_text("package main\nfunc {")
    done = zuno_audit(cwd=project)
    assert "\x1b" not in done.out + done.err
