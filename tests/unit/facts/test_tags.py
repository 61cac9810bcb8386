"""Git tags."""

from __future__ import annotations

import subprocess
from pathlib import Path

from trees import store_of, values

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.tags import git_tag
from zuno_audit.source.walk import open_repository


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def test_annotated_tags_are_told_from_bare_names(tmp_path: Path) -> None:
    store_of(tmp_path, {"a": "x"})
    git(tmp_path, "commit", "-qm", "x")
    git(tmp_path, "tag", "bare")
    git(tmp_path, "tag", "-a", "v1.0.0", "-m", "release")
    git(tmp_path, "tag", "-a", "tree", "-m", "no commit", "HEAD^{tree}")
    rows = git_tag(FactStore(open_repository(tmp_path))).rows
    assert [(*values(row, "name", "annotated"), row.get("commit").value is None) for row in rows] == [
        ("bare", "no", False),
        ("tree", "yes", True),
        ("v1.0.0", "yes", False),
    ]


def test_without_git_tags_are_unknown(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("x")
    table = git_tag(FactStore(open_repository(tmp_path)))
    assert [values(row, "name", "annotated", "commit") for row in table.rows] == [("unknown",) * 3]
