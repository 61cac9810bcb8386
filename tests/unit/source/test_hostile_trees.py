"""Trees made to confuse, stall or lead away: a clear message or a diagnostic, never a hang or a silence."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from work_tree import WorkTree

from zuno_audit.errors import SourceError
from zuno_audit.source.reader import MAX_FILE_BYTES
from zuno_audit.source.repository import Repository
from zuno_audit.source.walk import open_repository


@pytest.fixture(autouse=True)
def _no_test_may_hang() -> Iterator[None]:
    def stop(signum: int, frame: object) -> None:
        raise TimeoutError("the test hangs")

    previous = signal.signal(signal.SIGALRM, stop)
    signal.alarm(45)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, previous)


def _said(repository: Repository) -> list[str]:
    problems = [f"{p.path}: {p.message}" for p in repository.problems]
    return problems + [f"{d.path}: {d.message}" for d in repository.diagnostics]


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (lambda tree: tree.root / "nowhere", "does not exist"),
        (lambda tree: tree.write({"f.txt": ""}).root / "f.txt", "is a file, not a folder"),
        (lambda tree: tree.init().root / ".git", "is the .git folder"),
    ],
)
def test_a_path_that_is_no_tree_is_refused_with_the_reason(
    tree: WorkTree, prepare: Callable[[WorkTree], Path], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        open_repository(prepare(tree))


def test_a_bare_repository_is_refused_with_the_reason(tree: WorkTree) -> None:
    tree.git("init", "-q", "--bare", ".")
    with pytest.raises(SourceError, match="a bare git repository"):
        open_repository(tree.root)


def test_a_link_that_leads_to_itself_is_refused(tree: WorkTree) -> None:
    (tree.root / "loop").symlink_to("loop")
    with pytest.raises(SourceError, match="loop"):
        open_repository(tree.root / "loop")


def test_an_empty_folder_and_an_empty_work_tree_have_no_files(tree: WorkTree, tmp_path: Path) -> None:
    assert open_repository(tree.root).files == {}
    assert open_repository(tree.init().root).files == {}


def test_a_tree_without_git_is_walked_by_its_ignore_files(tree: WorkTree) -> None:
    tree.write(
        {
            ".gitignore": "*.log\nout/\n",
            "a.log": "",
            "out/x.go": "",
            "d/main.go": "package main\n",
            "d/.env": "A=1",
        }
    )
    repository = open_repository(tree.root)
    assert list(repository.files) == [".gitignore", "d/.env", "d/main.go"]
    assert repository.git is None
    assert repository.is_tracked("d/.env")


def test_files_of_git_are_the_same_with_and_without_git(repo: WorkTree) -> None:
    repo.write(
        {
            ".gitignore": "*.log\n!keep.log\nbuild/\n",
            "keep.log": "",
            "x.log": "",
            "build/a": "",
            "ä b/c.go": "",
            "d/e": "",
        }
    )
    by_git = list(open_repository(repo.root).files)
    shutil.rmtree(repo.root / ".git")
    assert list(open_repository(repo.root).files) == by_git == [".gitignore", "d/e", "keep.log", "ä b/c.go"]


@pytest.mark.parametrize("broken", ["HEAD", "index", "config"])
def test_a_broken_git_folder_leaves_a_diagnostic_and_the_files_are_walked(
    repo: WorkTree, broken: str
) -> None:
    repo.write({"main.go": "package main\n"}).commit()
    (repo.root / ".git" / broken).write_bytes(b"[\xff\0 broken")
    repository = open_repository(repo.root)
    assert list(repository.files) == ["main.go"]
    assert any("git cannot read this repository" in line for line in _said(repository))


def test_an_empty_git_folder_or_a_git_file_to_nowhere_leaves_a_diagnostic(tree: WorkTree) -> None:
    tree.write({"main.go": "package main\n", ".git": "gitdir: /nowhere/at/all\n"})
    assert any("git cannot read" in line for line in _said(open_repository(tree.root)))
    (tree.root / ".git").unlink()
    (tree.root / ".git").mkdir()
    repository = open_repository(tree.root)
    assert list(repository.files) == ["main.go"]
    assert any("git cannot read" in line for line in _said(repository))


@pytest.mark.parametrize("setting", [("core.worktree", "/"), ("core.bare", "true")])
def test_the_configuration_cannot_move_the_tree_elsewhere(repo: WorkTree, setting: tuple[str, str]) -> None:
    repo.write({"main.go": "package main\n"}).commit()
    repo.git("config", *setting)
    repository = open_repository(repo.root)
    assert list(repository.files) == ["main.go"]
    assert repository.diagnostics == []


def test_a_machine_without_git_still_audits_the_files(
    repo: WorkTree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    repo.write({"main.go": "package main\n"}).commit()
    monkeypatch.setenv("PATH", str(tmp_path))
    repository = open_repository(repo.root)
    assert list(repository.files) == ["main.go"]
    assert any("git is not installed" in line for line in _said(repository))


def test_a_folder_that_the_work_tree_around_it_ignores_is_walked(repo: WorkTree) -> None:
    repo.write({".gitignore": "copies/\n", "copies/app/main.go": "package main\n"}).commit()
    repository = open_repository(repo.root / "copies" / "app")
    assert list(repository.files) == ["main.go"]
    assert any("ignores it" in line for line in _said(repository))


def test_a_subfolder_is_audited_alone_with_paths_relative_to_it(repo: WorkTree) -> None:
    repo.write({"svc/a/main.go": "package main\n", "other/x.go": "package x\n"}).commit()
    repo.write({"svc/new.go": "package svc\n"})
    repository = open_repository(repo.root / "svc")
    assert list(repository.files) == ["a/main.go", "new.go"]
    assert (repository.is_tracked("a/main.go"), repository.is_tracked("new.go")) == (True, False)
    assert repository.read("a/main.go") == b"package main\n"


def test_links_never_lead_out_of_the_tree(repo: WorkTree, tmp_path: Path) -> None:
    (tmp_path / "outside.go").write_text("package secret\n")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "in.go").write_text("package secret\n")
    repo.write({"in/real.go": "package in\n"})
    (repo.root / "out.go").symlink_to(tmp_path / "outside.go")
    (repo.root / "up.go").symlink_to("../outside.go")
    (repo.root / "folder").symlink_to(tmp_path / "outside")
    (repo.root / "passwd.go").symlink_to("/etc/passwd")
    (repo.root / "config.go").symlink_to(".git/config")
    repository = open_repository(repo.root)
    for path in ("out.go", "up.go", "passwd.go", "config.go", "folder/in.go", "../outside.go", "folder"):
        assert repository.read(path) is None
    unread = {"out.go", "up.go", "passwd.go", "config.go", "folder"}
    assert {problem.path for problem in repository.problems} == unread
    assert repository.grep(b"package") == ["in/real.go"]


def test_a_tracked_folder_that_became_a_link_is_not_followed(repo: WorkTree, tmp_path: Path) -> None:
    repo.write({"svc/main.go": "package main\n"}).commit()
    shutil.move(repo.root / "svc", tmp_path / "svc")
    (repo.root / "svc").symlink_to(tmp_path / "svc")
    repository = open_repository(repo.root)
    assert repository.grep(b"package") == []
    assert repository.is_tracked("svc/main.go")
    assert any("svc/main.go" in line for line in _said(repository))


def test_a_link_to_a_folder_of_the_tree_is_no_file_that_cannot_be_read(repo: WorkTree) -> None:
    repo.write({"a/main.go": "package main\n"})
    (repo.root / "again").symlink_to("a")
    repository = open_repository(repo.root)
    assert repository.read("again") is None
    assert repository.unread_like(["x"]) == ()


def test_a_link_inside_the_tree_can_be_read_but_is_not_found_twice(repo: WorkTree) -> None:
    repo.write({"a/main.go": "package main\n"})
    (repo.root / "b.go").symlink_to("a/main.go")
    repository = open_repository(repo.root)
    assert repository.read("b.go") == b"package main\n"
    assert repository.grep(b"package") == ["a/main.go"]
    assert "b.go" in repository


def test_link_loops_end(tree: WorkTree) -> None:
    tree.write({"d/x.go": "package d\n"})
    (tree.root / "d" / "again").symlink_to("..")
    (tree.root / "one.go").symlink_to("two.go")
    (tree.root / "two.go").symlink_to("one.go")
    repository = open_repository(tree.root)
    assert repository.grep(b"package") == ["d/x.go"]
    assert repository.read("one.go") is None
    assert "one.go: not read: a symbolic link that leads nowhere" in _said(repository)


@pytest.mark.parametrize("tracked", [True, False])
def test_a_fifo_is_never_waited_for(repo: WorkTree, tracked: bool) -> None:
    repo.write({"main.go": "package main\n"})
    if tracked:
        repo.commit()
        (repo.root / "main.go").unlink()
        os.mkfifo(repo.root / "main.go")
    else:
        shutil.rmtree(repo.root / ".git")
        os.mkfifo(repo.root / "pipe.go")
    repository = open_repository(repo.root)
    repository.grep(b"package", suffix=".go")
    assert any("a regular file" in line or "FIFO" in line for line in _said(repository))


@pytest.mark.parametrize("name", ["config", "index", "info/exclude"])
def test_a_fifo_in_the_git_folder_ends_in_a_diagnostic(
    repo: WorkTree, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("zuno_audit.source.git.TIMEOUT_SECONDS", 1)
    repo.write({"main.go": "package main\n"}).commit()
    (repo.root / ".git" / name).unlink()
    os.mkfifo(repo.root / ".git" / name)
    repository = open_repository(repo.root)
    assert list(repository.files) == ["main.go"]
    assert any("took longer" in line for line in _said(repository))
    assert repository.is_ignored("x.log") is False


def test_an_ignore_file_that_is_a_fifo_or_a_link_is_not_waited_for(tree: WorkTree, tmp_path: Path) -> None:
    tree.write({"main.go": "package main\n"})
    (tmp_path / "rules").write_text("*.go\n")
    (tree.root / ".gitignore").symlink_to(tmp_path / "rules")
    assert "main.go" in open_repository(tree.root)
    (tree.root / ".gitignore").unlink()
    os.mkfifo(tree.root / ".gitignore")
    assert "main.go" in open_repository(tree.root)


def test_large_and_binary_go_files_leave_a_problem_each_once(repo: WorkTree) -> None:
    repo.write(
        {
            "large.go": b"package a\n" + b"/" * MAX_FILE_BYTES,
            "binary.go": b"package b\0",
            "image.png": b"\x89PNG\0",
        }
    )
    repository = open_repository(repo.root)
    for _ in range(2):
        assert repository.grep(b"package", suffix=".go") == []
    assert sorted(_said(repository)) == [
        "binary.go: not read: binary data in a Go file",
        f"large.go: not read: larger than {MAX_FILE_BYTES} bytes",
    ]
    assert repository.read("image.png") == b"\x89PNG\0"


def test_a_large_binary_is_a_note_and_a_large_text_a_problem(repo: WorkTree) -> None:
    repo.write({"film.mp4": b"\0" * (MAX_FILE_BYTES + 1), "dump.sql": b"x" * (MAX_FILE_BYTES + 1)})
    repository = open_repository(repo.root)
    assert repository.grep(b"x") == []
    assert [p.path for p in repository.problems] == ["dump.sql"]
    assert [d.path for d in repository.diagnostics] == ["film.mp4"]


def test_bad_bytes_marks_and_line_ends_are_read(repo: WorkTree) -> None:
    repo.write({"bad.go": b"package a // \xff\n", "bom.env": b"\xef\xbb\xbfA=1\r\n"})
    repository = open_repository(repo.root)
    assert repository.text("bad.go") == "package a // \ufffd\n"
    assert repository.text("bom.env") == "A=1\r\n"
    assert repository.read("bom.env") == b"\xef\xbb\xbfA=1\r\n"


@pytest.mark.parametrize("with_git", [True, False])
def test_strange_names_are_listed_and_read_and_can_be_written_as_utf8(tree: WorkTree, with_git: bool) -> None:
    if with_git:
        tree.init()
    names = [
        b"new\nline.go",
        b"\xff\xfe.go",
        b"tab\t.go",
        b" lead.go",
        b"-rf.go",
        b":(glob)x.go",
        b'quo"te.go',
        "ü.go".encode(),
    ]
    for name in names:
        with open(os.path.join(os.fsencode(tree.root), name), "wb") as file:  # noqa: PTH118, PTH123 - bytes
            file.write(b"package x\n")
    if with_git:
        tree.commit()
    repository = open_repository(tree.root)
    assert len(repository.grep(b"package x", suffix=".go")) == len(names)
    assert "\\xff\\xfe.go" in repository
    for path in repository.files:
        assert path.encode()
        assert repository.is_tracked(path)
    assert repository.problems == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_what_may_not_be_read_leaves_a_problem(tree: WorkTree) -> None:
    tree.write({"closed/main.go": "", "shut.go": ""})
    (tree.root / "closed").chmod(0)
    (tree.root / "shut.go").chmod(0)
    repository = open_repository(tree.root)
    repository.grep(b"x", suffix=".go")
    (tree.root / "closed").chmod(0o700)
    assert sorted(p.path for p in repository.problems) == ["closed", "shut.go"]


@pytest.fixture
def deep_tree(tree: WorkTree) -> Iterator[WorkTree]:
    """A folder in a folder, 1500 times, and a file at the bottom. shutil and pytest could not remove it."""
    folder = os.open(tree.root, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("d", dir_fd=folder)
        deeper = os.open("d", os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = deeper
    os.close(os.open("x.go", os.O_WRONLY | os.O_CREAT, dir_fd=folder))
    os.close(folder)
    yield tree
    subprocess.run(["rm", "-rf", str(tree.root)], check=True)


def test_deep_folders_are_walked(deep_tree: WorkTree) -> None:
    path = "d/" * 1500 + "x.go"
    repository = open_repository(deep_tree.root)
    assert path in repository
    assert repository.read(path) == b""


def test_submodules_and_nested_repositories_are_named_and_not_audited(repo: WorkTree, tmp_path: Path) -> None:
    other = type(repo)(tmp_path / "other")
    other.root.mkdir()
    other.init().write({"lib.go": "package lib\n"}).commit()
    repo.write({"main.go": "package main\n"})
    repo.git("submodule", "add", "-q", str(other.root), "lib")
    nested = type(repo)(repo.root / "nested")
    nested.root.mkdir()
    nested.init().write({"n.go": "package n\n"}).commit()
    repository = open_repository(repo.root)
    assert list(repository.files) == [".gitmodules", "main.go"]
    assert sorted(d.path for d in repository.diagnostics) == ["lib", "nested"]


def test_a_tracked_file_deleted_on_disk_is_tracked_but_not_there(repo: WorkTree) -> None:
    repo.write({"a.go": "package a\n", ".env": "A=1\n"}).commit()
    (repo.root / ".env").unlink()
    repository = open_repository(repo.root)
    assert ".env" not in repository
    assert repository.is_tracked(".env")
    assert any("not on disk" in line for line in _said(repository))


def test_files_left_out_of_a_sparse_checkout_leave_a_problem(repo: WorkTree) -> None:
    repo.write({"in/a.go": "package a\n", "out/b.go": "package b\n"}).commit()
    repo.git("sparse-checkout", "set", "in")
    repository = open_repository(repo.root)
    assert list(repository.files) == ["in/a.go"]
    assert [p.path for p in repository.problems] == ["out/b.go"]


def test_a_file_in_conflict_is_listed_once(repo: WorkTree) -> None:
    repo.write({"a.go": "package a\n"}).commit()
    repo.git("checkout", "-q", "-b", "other")
    repo.write({"a.go": "package b\n"}).commit()
    repo.git("checkout", "-q", "main")
    repo.write({"a.go": "package c\n"}).commit()
    repo.git("merge", "other")
    assert list(open_repository(repo.root).files) == ["a.go"]
