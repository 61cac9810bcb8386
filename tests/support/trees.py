"""Small repositories made of texts, for tests of facts."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zuno_audit.facts.base import FactStore
from zuno_audit.model.entity import Entity, Table
from zuno_audit.source.walk import open_repository


def store_of(root: Path, files: Mapping[str, str], untracked: Mapping[str, str] | None = None) -> FactStore:
    """A fact store over a git repository in `root` that tracks `files` and holds `untracked` besides."""
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    write_tree(root, files)
    if files:
        subprocess.run(["git", "add", "-f", "--", *files], cwd=root, check=True)
    write_tree(root, untracked or {})
    return FactStore(open_repository(root))


def write_tree(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode())


def values(row: Entity, *names: str) -> tuple[object, ...]:
    """The values of some fields of a row."""
    return tuple(row.get(name).value for name in names)


def column(table: Table, name: str) -> list[Any]:
    """One field of all rows."""
    return [row.get(name).value for row in table.rows]
