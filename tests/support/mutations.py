"""The mutation catalogue: edits of a fixture that break one protection, or rewrite it to the same effect.

Every file of `tests/fixtures/mutations` and its folders holds `mutations`, a list of

    name: kebab-case                  # unique in the catalogue
    kind: break | rewrite
    why: one sentence for the reader of a failed test
    edits:
      - {file: path, old: text, new: text}             # `old` occurs exactly once
      - {file: path, old: text, new: text, all: true}  # `old` occurs at least once, all are replaced
      - {add: path, text: text}                        # the file does not exist yet
      - {delete: path}
    expect: {item: status}            # items that change; all others keep the status of the untouched fixture
    unasserted: [item]                # items about which the catalogue has no opinion

Paths are those of the materialised fixture. `{{random}}` in a text becomes 64 hexadecimal digits that depend
on the name of the mutation only: real enough for a secret, yet nobody's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

CATALOGUE = Path(__file__).resolve().parents[1] / "fixtures" / "mutations"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file: `text` is None for a deletion, `old` is empty for a new file."""

    path: str
    old: str = ""
    text: str | None = None
    everywhere: bool = False


@dataclass(frozen=True, slots=True)
class Mutation:
    """A named set of edits and what they do to the verdicts."""

    name: str
    kind: str
    why: str
    edits: tuple[Edit, ...]
    expect: Mapping[str, str]
    unasserted: frozenset[str]

    def apply(self, root: Path) -> None:
        """Edit the tree at `root`. Raises ValueError when an edit does not fit it."""
        for edit in self.edits:
            _apply(edit, root, self.name)


def catalogue(folder: str = "") -> tuple[Mutation, ...]:
    """All mutations of a folder of the catalogue in the order of its files, those of folders below left out.

    Raises ValueError when two have the same name.
    """
    found = [
        _mutation(entry)
        for path in sorted((CATALOGUE / folder).glob("*.yaml"))
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["mutations"]
    ]
    names = [mutation.name for mutation in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two mutations are called {', '.join(twice)}")
    return tuple(found)


def _mutation(entry: Mapping[str, Any]) -> Mutation:
    unknown = set(entry) - {"name", "kind", "why", "edits", "expect", "unasserted"}
    if unknown or entry["kind"] not in {"break", "rewrite"}:
        raise ValueError(f"{entry['name']}: unknown keys {sorted(unknown)} or kind {entry['kind']!r}")
    return Mutation(
        name=entry["name"],
        kind=entry["kind"],
        why=entry["why"],
        edits=tuple(_edit(raw) for raw in entry["edits"]),
        expect=entry.get("expect") or {},
        unasserted=frozenset(entry.get("unasserted") or ()),
    )


def _edit(raw: Mapping[str, Any]) -> Edit:
    match raw:
        case {"delete": str(path)}:
            return Edit(path)
        case {"add": str(path), "text": str(text)}:
            return Edit(path, text=text)
        case {"file": str(path), "old": str(old), "new": str(new)} if old:
            return Edit(path, old, new, bool(raw.get("all", False)))
        case _:
            raise ValueError(f"an edit of unknown shape: {sorted(raw)}")


def _apply(edit: Edit, root: Path, name: str) -> None:
    path = root / edit.path
    if edit.text is None:
        path.unlink()
        return
    text = edit.text.replace("{{random}}", hashlib.sha256(name.encode()).hexdigest())
    if not edit.old:
        if path.exists():
            raise ValueError(f"{name}: {edit.path} exists already")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode())
        return
    before = path.read_bytes().decode()
    hits = before.count(edit.old)
    if hits == 0 or (hits > 1 and not edit.everywhere):
        raise ValueError(f"{name}: {edit.path} holds the text {hits} times: {edit.old!r}")
    path.write_bytes(before.replace(edit.old, text).encode())
