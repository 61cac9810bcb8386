"""Canary: auditing a repository whose every executable setting writes a file leaves that file unwritten."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from work_tree import WorkTree

from zuno_audit.source.git import Git, GitError
from zuno_audit.source.info import changed_since, git_info, last_commit_time, tags
from zuno_audit.source.modules import modules
from zuno_audit.source.repository import Repository
from zuno_audit.source.walk import open_repository

COMMANDS = (
    "core.fsmonitor",
    "core.sshCommand",
    "core.gitProxy",
    "core.pager",
    "core.editor",
    "core.askPass",
    "core.alternateRefsCommand",
    "credential.helper",
    "diff.external",
    "diff.canary.command",
    "diff.canary.textconv",
    "filter.canary.clean",
    "filter.canary.smudge",
    "filter.canary.process",
    "filter.a=b.clean",
    "gpg.program",
    "gpg.ssh.program",
    "interactive.diffFilter",
    "merge.canary.driver",
    "pager.ls-files",
    "pager.config",
    "remote.origin.uploadpack",
    "remote.origin.vcs",
    "sequence.editor",
    "trailer.canary.command",
    "uploadpack.packObjectsHook",
    "url.ext::canary.insteadOf",
    "alias.ls-files",
    "alias.rev-parse",
    "alias.config",
    "alias.diff-index",
)
SWITCHES = {
    "log.showSignature": "true",
    "protocol.ext.allow": "always",
    "protocol.allow": "always",
    "extensions.partialClone": "origin",
    "remote.origin.promisor": "true",
    "remote.origin.url": "ext::CANARY",
    "submodule.recurse": "true",
    "diff.ignoreSubmodules": "none",
    "core.untrackedCache": "true",
}
HOOKS = (
    "fsmonitor-watchman",
    "post-index-change",
    "post-checkout",
    "pre-commit",
    "reference-transaction",
    "query-watchman",
)

Trapped = tuple[WorkTree, Path, str]


@pytest.fixture
def trapped(repo: WorkTree, tmp_path: Path) -> Trapped:
    """A repository full of traps, and the file that any of them writes."""
    alarm = tmp_path / "alarm"
    script = tmp_path / "canary.sh"
    _executable(script, f"#!/bin/sh\necho \"$0 $*\" >> '{alarm}'\ncat 2>/dev/null || true\n")
    repo.write(
        {
            "main.go": "package main\n",
            "go.mod": "module m\n",
            "old.go": "package main\n",
            "sub/a.go": "package a\n",
        }
    )
    first = repo.commit("one")
    repo.write({"more.go": "package main\n"}).commit("two")
    repo.git("tag", "-a", "v1", "-m", "one")
    repo.write({".gitattributes": "*.go filter=canary diff=canary\n*.mod filter=a=b\n"})
    for name in HOOKS:
        _executable(repo.root / ".git" / "hooks" / name, script.read_text())
    # changes of the same size that were made "at once" make git compare contents, which runs filters
    os.utime(repo.root / "old.go", (1, 1))
    repo.write({"main.go": "package mine\n"})
    for name in ("git", "ls-files", "git-ls-files", "sh", "cat"):
        _executable(repo.root / name, script.read_text())
    for key in COMMANDS:
        repo.git("config", key, str(script))
    for key, value in SWITCHES.items():
        repo.git("config", key, value.replace("CANARY", str(script)))
    repo.git("config", "core.hooksPath", str(repo.root / ".git" / "hooks"))
    alarm.unlink(missing_ok=True)
    return repo, alarm, first


def _executable(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def _ask_everything(repository: Repository, first: str) -> None:
    git_info(repository)
    tags(repository)
    last_commit_time(repository)
    changed_since(repository, first)
    changed_since(repository, "0" * 40)
    modules(repository)
    repository.ignored(["main.go", "x/", ".env"])
    repository.grep(b"package")


def test_the_canary_sings_when_git_is_run_without_protection(trapped: Trapped) -> None:
    repo, alarm, _ = trapped
    repo.git("status")
    assert alarm.exists()


def test_auditing_runs_nothing_of_the_repository(trapped: Trapped) -> None:
    repo, alarm, first = trapped
    repository = open_repository(repo.root)
    _ask_everything(repository, first)
    assert repository.git is not None
    assert repository.is_tracked("main.go")
    assert not alarm.exists(), alarm.read_text()


def test_nothing_runs_when_objects_of_a_partial_clone_are_missing(trapped: Trapped) -> None:
    repo, alarm, first = trapped
    for folder in (repo.root / ".git" / "objects").iterdir():
        if len(folder.name) == 2:
            for file in folder.iterdir():
                file.unlink()
    _ask_everything(open_repository(repo.root), first)
    assert not alarm.exists(), alarm.read_text()


def test_a_git_that_lies_in_the_audited_tree_is_not_used(
    trapped: Trapped, monkeypatch: pytest.MonkeyPatch
) -> None:
    repo, alarm, first = trapped
    inside = str(repo.root)
    monkeypatch.chdir(repo.root)
    for extra in (inside, ".", "", inside + "/sub/.."):
        monkeypatch.setenv("PATH", extra + os.pathsep + os.environ["PATH"])
        _ask_everything(open_repository(repo.root), first)
    assert not alarm.exists(), alarm.read_text()


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY"])
def test_the_callers_git_variables_do_not_move_the_audit(
    repo: WorkTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    repo.write({"main.go": "package main\n"}).commit()
    monkeypatch.setenv(name, str(tmp_path / "elsewhere"))
    repository = open_repository(repo.root)
    assert list(repository.files) == ["main.go"]
    assert repository.diagnostics == []


def test_configuration_given_by_environment_does_not_run(
    repo: WorkTree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alarm = tmp_path / "alarm"
    repo.write({"main.go": "package main\n"}).commit()
    script = tmp_path / "canary.sh"
    _executable(script, f"#!/bin/sh\ntouch '{alarm}'\n")
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "core.fsmonitor")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", str(script))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", str(script))
    monkeypatch.setenv("GIT_TRACE", str(alarm))
    assert open_repository(repo.root).is_tracked("main.go")
    assert not alarm.exists()


@pytest.mark.parametrize(
    "command", [("status",), ("diff",), ("config", "--list"), ("diff-index", "HEAD"), ("fetch",)]
)
def test_commands_that_may_run_filters_or_reach_the_network_are_refused(
    repo: WorkTree, command: tuple[str, ...]
) -> None:
    with pytest.raises(GitError, match="not among the commands"):
        Git(repo.root, repo.root).run(*command)
