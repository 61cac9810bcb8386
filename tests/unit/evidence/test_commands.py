"""`collect` and `attest` as people run them."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from fixtures import commit, git

from zuno_audit.cli.exits import guarded

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-in programs are shell scripts")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "repo"
    made.mkdir()
    (made / "go.mod").write_text("module example.com/tiny\n\ngo 1.25.0\n", "utf-8")
    git(made, "init", "-q", "-b", "main")
    commit(made, "Tiny")
    return made


def program(folder: Path, name: str, script: str) -> None:
    """A program on PATH that stands in for the real one."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with nothing on it but git, a shell and what the test adds."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("git", "sh", "sleep", "cat", "touch"):
        source = next(Path(p, name) for p in os.environ["PATH"].split(":") if Path(p, name).exists())
        (folder / name).symlink_to(source)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_a_dry_run_runs_nothing(root: Path, tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program(tools, "go", f"touch {root}/ran")
    assert guarded(["collect", str(root), "--phase", "2", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "$ go mod tidy -diff" in out
    assert "not on this machine: golangci-lint" in out
    assert not (root / "ran").exists() and not (root / ".zuno-audit").exists()


def test_without_anybody_to_ask_nothing_runs(
    root: Path, tools: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    program(tools, "go", f"touch {root}/ran")
    assert guarded(["collect", str(root), "--phase", "2"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert not (root / "ran").exists()


def test_output_is_kept_with_where_it_is_from(root: Path, tools: Path) -> None:
    program(tools, "go", 'case "$1" in version) echo go version go1.99;; *) echo "$@";; esac')
    assert guarded(["collect", str(root), "--phase", "2", "--yes", "--environment", "staging"]) == 0
    folder = root / ".zuno-audit" / "evidence"
    assert (folder / "go-build.txt").read_text("utf-8") == "build ./...\n"
    meta = json.loads((folder / "go-build.txt.meta.json").read_text("utf-8"))
    head = (root / ".git" / "refs" / "heads" / "main").read_text("utf-8").strip()
    assert (meta["commit"], meta["exit_status"], meta["version"]) == (head, 0, "go version go1.99")
    assert meta["command"] == ["go", "build", "./..."]
    assert meta["environment"] == "staging"
    assert "dirty" in meta and meta["dirty"] is False
    assert (folder / ".gitignore").read_text("utf-8") == "*\n"


def test_a_changed_tree_is_remembered(root: Path, tools: Path) -> None:
    program(tools, "go", "exit 0")
    (root / "more.go").write_text("package tiny\n", "utf-8")
    assert guarded(["collect", str(root), "--phase", "2", "--yes"]) == 0
    meta = json.loads((root / ".zuno-audit" / "evidence" / "go-build.txt.meta.json").read_text("utf-8"))
    assert meta["dirty"] is True


def test_a_command_that_takes_too_long_is_ended(
    root: Path, tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(tools, "gosec", 'case "$1" in -version | --version) ;; *) sleep 60 ;; esac')
    assert guarded(["collect", str(root), "--phase", "4", "--yes", "--timeout", "1"]) == 0
    assert "exit status 124" in capsys.readouterr().out


def test_programs_of_the_audited_tree_are_not_run(
    root: Path, tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(root / "bin", "gosec", f"touch {root}/ran")
    monkeypatch.setenv("PATH", f"{root}/bin:{tools}:.")
    monkeypatch.chdir(root)
    (tools / "trivy").symlink_to(root / "bin" / "gosec")
    assert guarded(["collect", str(root), "--phase", "4", "--yes"]) == 0
    assert capsys.readouterr().out.count("not on this machine") == 3
    assert not (root / "ran").exists()


def test_who_cannot_work_here_leaves_no_evidence(
    root: Path, tools: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program(tools, "docker", 'echo "Cannot connect to the Docker daemon at unix:///x." >&2; exit 1')
    (root / "docker-compose.yml").write_text("services: {}\n", "utf-8")
    assert guarded(["collect", str(root), "--phase", "2", "--yes"]) == 0
    assert "nothing is kept" in capsys.readouterr().out
    assert list((root / ".zuno-audit" / "evidence").glob("docker*")) == []


def test_attest_writes_an_entry_that_counts(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--who", 'Jane "J" Doe', "--statement", "Reviewed: all of it # really."]
    assert guarded(["attest", "S.1.1", str(root), *words, "--covers", "go.mod"]) == 0
    assert guarded(["attest", "S.1.2", str(root), *words]) == 0
    capsys.readouterr()
    assert guarded([str(root), "--phase", "S", "-f", "json", "--fail-on", "never"]) == 0
    items = {v["id"]: v for v in json.loads(capsys.readouterr().out)["checklist"]}
    assert (items["S.1.1"]["status"], items["S.1.2"]["status"]) == ("pass", "pass")
    assert 'Jane "J" Doe' in items["S.1.1"]["checks"][0]["reason"]
    assert "Reviewed: all of it # really." in items["S.1.1"]["checks"][0]["reason"]


def test_attest_keeps_what_is_there(root: Path) -> None:
    file = root / ".zuno-audit" / "attestations.yml"
    file.parent.mkdir()
    old = (
        "# ours\nattestations:\n- item: S.1.3  # QA\n  who: A\n  when: 2025-01-01\n"
        "  statement: ok\n  expires: 2099-01-01"
    )
    file.write_text(old, "utf-8")
    assert guarded(["attest", "S.1.1", str(root), "--who", "B", "--statement", "yes"]) == 0
    text = file.read_text("utf-8")
    assert text.startswith(old + "\n- item: ")


@pytest.mark.parametrize(
    "words",
    [
        ["S.9.9", "--who", "A", "--statement", "x"],
        ["S.1.1", "--who", " ", "--statement", "x"],
        ["S.1.1", "--who", "A", "--statement", "x", "--expires", "2001-01-01"],
        ["S.1.1", "--who", "A", "--statement", "x", "--expires", "soon"],
    ],
)
def test_attest_refuses_nonsense(words: list[str], root: Path) -> None:
    assert guarded(["attest", words[0], str(root), *words[1:]]) == 2
    assert not (root / ".zuno-audit" / "attestations.yml").exists()


def test_attest_does_not_touch_a_broken_file(root: Path) -> None:
    file = root / ".zuno-audit" / "attestations.yml"
    file.parent.mkdir()
    file.write_text("attestations: [", "utf-8")
    assert guarded(["attest", "S.1.1", str(root), "--who", "A", "--statement", "x"]) == 2
    assert file.read_text("utf-8") == "attestations: ["
