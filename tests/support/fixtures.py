"""Fixture repositories: copied out of the tree, dotfiles renamed, put under git."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORIES = Path(__file__).resolve().parents[1] / "fixtures" / "repos"
_DOT = "dot_"
_QUIET = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Fixture",
    "GIT_AUTHOR_EMAIL": "fixture@example.com",
    "GIT_COMMITTER_NAME": "Fixture",
    "GIT_COMMITTER_EMAIL": "fixture@example.com",
    "GIT_AUTHOR_DATE": "2025-01-10T12:00:00+00:00",
    "GIT_COMMITTER_DATE": "2025-01-10T12:00:00+00:00",
}


def materialise(name: str, target: Path, *, tag: str | None = "v1.0.0") -> Path:
    """Copy the fixture `name` into the folder `target` and commit it there; returns `target`.

    Every part of a path that starts with `dot_` gets a dot instead (a real nested `.gitignore` would hide
    files of the fixture from the outer repository). `tag` is made as an annotated tag, None makes none.
    Dates and author are fixed, so that the commit is the same everywhere. Raises FileNotFoundError for an
    unknown name.
    """
    copy(name, target)
    git(target, "init", "-q", "-b", "main")
    commit(target, "Fixture")
    if tag is not None:
        git(target, "tag", "-a", tag, "-m", f"Release {tag}")
    return target


def copy(name: str, target: Path) -> Path:
    """Like `materialise`, without git."""
    source = REPOSITORIES / name
    if not source.is_dir():
        raise FileNotFoundError(source)
    for path in sorted(source.rglob("*")):
        if path.is_file():
            goal = target / stored_as(path.relative_to(source))
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, goal)
    return target


def stored_as(path: Path) -> Path:
    """The path that a stored fixture path has in the materialised tree."""
    return Path(*("." + part.removeprefix(_DOT) if part.startswith(_DOT) else part for part in path.parts))


def commit(root: Path, message: str) -> None:
    """Commit everything that git does not ignore."""
    git(root, "add", "-A")
    git(root, "commit", "-q", "--no-verify", "--allow-empty", "-m", message)


def git(root: Path, *arguments: str) -> None:
    """Run git in `root`, untouched by the user's configuration. Raises CalledProcessError."""
    command = ["git", "-c", "core.autocrlf=false", "-c", "gc.auto=0", *arguments]
    subprocess.run(command, cwd=root, env={**os.environ, **_QUIET}, check=True, capture_output=True)
