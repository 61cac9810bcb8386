"""Rule and checklist files as plain data, from YAML or from the index that was made of it.

Reading YAML and checking it takes long beside a small audit. `rules/index.json` holds the checked content of
files under the hash of their bytes: a file whose hash is there needs no YAML, any other is simply read.
`python tools/index_rules.py` writes the index; without it everything works, only later.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from zuno_audit.errors import RuleError

INDEX = "index.json"
KeyPath = tuple[str | int, ...]


def parse_document(text: str, path: str) -> Any:
    """The content of a YAML document: dicts, lists, text, numbers, booleans, None.

    Raises RuleError (path, line) for a syntax error, a duplicate key or anything outside the small YAML.
    """
    from zuno_audit.rules.yaml_document import parse

    return parse(text, path)


def line_of(text: str, path: str, where: KeyPath) -> int:
    """The 1-based line of a key path such as `("require", 0, "message")`, or of its nearest ancestor."""
    from zuno_audit.rules.yaml_document import lines

    known = lines(text, path)
    while where and where not in known:
        where = where[:-1]
    return known.get(where, 1)


class Document(Struct, frozen=True):
    """A file's text. `checked` is its content when it was found in the index, so that no check is needed."""

    path: str
    text: str
    checked: Any = None

    def content(self) -> Any:
        """The content, from the index or from YAML. Raises RuleError like `parse_document`."""
        return parse_document(self.text, self.path) if self.checked is None else self.checked


class Library:
    """Reads the documents below one folder (`rules/`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._index = _read_index(root)

    def read(self, path: str) -> Document:
        """The document at a path below the folder. Raises RuleError when it cannot be read."""
        data = self._bytes(path)
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RuleError("not UTF-8 text", path=path) from error
        entry = self._index.get(path)
        fits = entry is not None and entry[0] == _digest(data)
        return Document(path, text, entry[1] if entry is not None and fits else None)

    def index_of(self, paths: Iterable[str]) -> str:
        """The text of an index of these documents, which the caller has checked."""
        entries = {
            path: {"sha256": _digest(self._bytes(path)), "content": self.read(path).content()}
            for path in sorted(paths)
        }
        import json

        return json.dumps({"version": 1, "files": entries}, ensure_ascii=False, indent=0) + "\n"

    def _bytes(self, path: str) -> bytes:
        try:
            return self.root.joinpath(path).read_bytes()
        except OSError as error:
            raise RuleError(f"cannot be read: {error.strerror}", path=path) from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _read_index(root: Path) -> Mapping[str, tuple[str, Any]]:
    try:
        loaded = msgspec.json.decode(root.joinpath(INDEX).read_bytes())
        return {path: (entry["sha256"], entry["content"]) for path, entry in loaded["files"].items()}
    except (OSError, msgspec.DecodeError, KeyError, TypeError, AttributeError):
        return {}  # no index, or a damaged one: the files themselves are what counts
