"""From a path on disk to a `Repository`."""

from __future__ import annotations

from pathlib import Path

from zuno_audit.source.git import Git
from zuno_audit.source.repository import Repository, SourceFile


def open_repository(root: Path) -> Repository:
    """The repository at `root`. Raises SourceError when there is no readable folder."""
    git = Git(root)
    tracked = [p for p in git.run("ls-files", "-z").decode().split("\0") if p]
    untracked = [p for p in git.run("ls-files", "-z", "-o", "--exclude-standard").decode().split("\0") if p]
    return Repository(root, [*(SourceFile(p, True) for p in tracked), *(SourceFile(p, False) for p in untracked)], git)
