"""The audited tree: which files there are, what they hold, what git knows of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
import re

from zuno_audit.model.entity import Problem
from zuno_audit.source.git import Git

MAX_FILE_BYTES = 4 * 1024 * 1024  # larger files are not source code; they leave a problem


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A regular file inside the tree. `path` is relative to the root, with `/`."""

    path: str
    tracked: bool


class Repository:
    """A read-only view of a directory tree. Nothing in it is ever executed.

    `files` holds tracked files and untracked ones that git does not ignore (without git: every file that
    `.gitignore` files do not ignore), sorted by path. `problems` collects what could not be read.
    """

    def __init__(self, root: Path, files: Iterable[SourceFile], git: Git | None) -> None:
        self.root = root
        self.git = git
        self.files: dict[str, SourceFile] = {f.path: f for f in sorted(files, key=lambda f: f.path)}
        self.problems: list[Problem] = []
        self._bytes: dict[str, bytes | None] = {}

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def is_tracked(self, path: str) -> bool:
        """True when git has the file in its index (without git: when the file is there)."""
        file = self.files.get(path)
        return file is not None and file.tracked

    def glob(self, pattern: str) -> Iterator[str]:
        """Paths that match a pattern: `*` and `?` inside a segment, `**` over any number of segments."""
        match = compile_glob(pattern).fullmatch
        return (path for path in self.files if match(path))

    def is_directory(self, path: str) -> bool:
        """True when some file lies below this folder."""
        prefix = path.rstrip("/") + "/"
        return any(p.startswith(prefix) for p in self.files)

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, or None (with a problem recorded) when it cannot be read or is too large."""
        if path not in self._bytes:
            self._bytes[path] = self._load(path)
        return self._bytes[path]

    def _load(self, path: str) -> bytes | None:
        target = self.root / path
        try:
            if target.stat().st_size > MAX_FILE_BYTES:
                self.problems.append(Problem(path, 1, f"not read: larger than {MAX_FILE_BYTES} bytes"))
                return None
            return target.read_bytes()
        except OSError as error:
            self.problems.append(Problem(path, 1, f"not read: {error.strerror}"))
            return None

    def text(self, path: str) -> str | None:
        """The file decoded as UTF-8; bad bytes become U+FFFD. None like `read`."""
        data = self.read(path)
        return None if data is None else data.decode("utf-8", "replace")

    def grep(self, *literals: bytes, suffix: str = "") -> list[str]:
        """Paths with this suffix whose bytes hold all literals. The prefilter of every question."""
        found = []
        for path in self.files:
            if path.endswith(suffix):
                data = self.read(path)
                if data is not None and all(literal in data for literal in literals):
                    found.append(path)
        return found


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """A path pattern as a regular expression; see `Repository.glob`."""
    out = []
    i = 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out.append("(?:[^/]+/)*")
            i += 3
        elif pattern.startswith("**", i):
            out.append(".*")
            i += 2
        elif pattern[i] == "*":
            out.append("[^/]*")
            i += 1
        elif pattern[i] == "?":
            out.append("[^/]")
            i += 1
        else:
            out.append(re.escape(pattern[i]))
            i += 1
    return re.compile("".join(out), re.DOTALL)
