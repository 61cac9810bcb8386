"""Where the tree stands in git's history."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from work_tree import WorkTree

from zuno_audit.model.result import RepositoryInfo
from zuno_audit.source.info import changed_since, git_info, https_url, last_commit_time, tags
from zuno_audit.source.walk import open_repository


def _info(tree: WorkTree) -> RepositoryInfo:
    return git_info(open_repository(tree.root))


def test_commit_branch_and_address(repo: WorkTree) -> None:
    commit = repo.write({"a.go": "package a\n"}).commit()
    repo.git("remote", "add", "origin", "https://user:secret@Example.com/o/r.git")
    assert _info(repo) == RepositoryInfo(commit, "main", False, "https://example.com/o/r")
    assert last_commit_time(open_repository(repo.root)) == 1700000000


def test_without_git_nothing_is_known(tree: WorkTree) -> None:
    tree.write({"a.go": "package a\n"})
    repository = open_repository(tree.root)
    assert git_info(repository) == RepositoryInfo()
    assert (tags(repository), last_commit_time(repository), changed_since(repository, "0" * 40)) == (
        (),
        None,
        None,
    )


def test_before_the_first_commit_there_is_only_a_branch(repo: WorkTree) -> None:
    assert _info(repo) == RepositoryInfo(None, "main", False)
    repo.write({"a.go": "package a\n"})
    assert _info(repo) == RepositoryInfo(None, "main", True)
    assert last_commit_time(open_repository(repo.root)) is None


def test_a_detached_head_has_no_branch(repo: WorkTree) -> None:
    commit = repo.write({"a.go": "package a\n"}).commit()
    repo.git("checkout", "-q", commit)
    assert (_info(repo).commit, _info(repo).branch) == (commit, None)


def test_a_branch_name_with_slashes_is_kept(repo: WorkTree) -> None:
    repo.write({"a.go": "package a\n"}).commit()
    repo.git("checkout", "-q", "-b", "feature/x")
    assert _info(repo).branch == "feature/x"


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.write({"a.go": "package b\n"}),
        lambda r: r.write({"new.go": "package a\n"}),
        lambda r: (r.root / "a.go").unlink(),
        lambda r: (r.write({"a.go": "package b\n"}), r.git("add", "-A"), r.write({"a.go": "package a\n"})),
        lambda r: ((r.root / "link").unlink(), (r.root / "link").symlink_to("b.go")),
        lambda r: (r.git("update-index", "--assume-unchanged", "a.go"), r.write({"a.go": "package b\n"})),
    ],
)
def test_a_change_makes_the_tree_dirty(repo: WorkTree, change: Callable[[WorkTree], object]) -> None:
    repo.write({"a.go": "package a\n"})
    (repo.root / "link").symlink_to("a.go")
    repo.commit()
    assert _info(repo).dirty is False
    change(repo)
    assert _info(repo).dirty is True


def test_a_touched_file_an_ignored_file_and_crlf_do_not_make_it_dirty(repo: WorkTree) -> None:
    repo.write({".gitignore": "*.log\n", "a.go": "package a\n", "b.go": "package b\n"}).commit()
    os.utime(repo.root / "a.go", (1, 1))
    repo.write({"x.log": "", "b.go": "package b\r\n"})
    assert _info(repo).dirty is False


def test_only_changes_below_the_audited_folder_count(repo: WorkTree) -> None:
    repo.write({"svc/a.go": "package a\n", "other/b.go": "package b\n"}).commit()
    repo.write({"other/b.go": "package c\n"})
    repo.git("add", "-A")
    assert git_info(open_repository(repo.root / "svc")).dirty is False
    assert git_info(open_repository(repo.root / "other")).dirty is True


def test_tags_say_whether_they_are_annotated_and_where_they_lead(repo: WorkTree) -> None:
    first = repo.write({"a.go": "package a\n"}).commit()
    repo.git("tag", "light")
    second = repo.commit("two")
    repo.git("tag", "-a", "v1.0.0", "-m", "release")
    found = [(t.name, t.annotated, t.target) for t in tags(open_repository(repo.root))]
    assert found == [("light", False, first), ("v1.0.0", True, second)]


def test_what_changed_since_a_commit(repo: WorkTree) -> None:
    first = repo.write({"a.go": "package a\n", "b.go": "package b\n", "c.go": "package c\n"}).commit()
    repo.write({"b.go": "package bb\n"}).commit()
    repo.write({"new.go": "package n\n"})
    (repo.root / "c.go").unlink()
    repository = open_repository(repo.root)
    assert changed_since(repository, first) == ("b.go", "c.go", "new.go")
    assert changed_since(repository, repo.head()) == ("c.go", "new.go")
    assert changed_since(repository, "f" * 40) is None
    assert changed_since(repository, "--output=x") is None


@pytest.mark.parametrize(
    ("remote", "url"),
    [
        ("git@github.com:o/r.git", "https://github.com/o/r"),
        ("ssh://git@github.com:22/o/r.git", "https://github.com/o/r"),
        ("https://tok:en@host:8443/o/r?x=1#y", "https://host:8443/o/r"),
        ("git://host/o/r/", "https://host/o/r"),
        ("/srv/git/r.git", None),
        ("../r", None),
        ("C:\\r", None),
        ("file:///srv/r", None),
        ("ext::sh -c x", None),
        ("https://[bad", None),
        ("", None),
    ],
)
def test_the_address_of_the_origin_holds_no_secret(remote: str, url: str | None) -> None:
    assert https_url(remote) == url
