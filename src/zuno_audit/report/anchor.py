"""Where to hang a finding about a file that is not there: the nearest file that is."""

from __future__ import annotations

from collections import defaultdict

PREFERRED = (
    "go.mod",
    "Dockerfile",
    "docker-compose.yml",
    "docker-compose.yaml",
    "compose.yml",
    "compose.yaml",
    "README.md",
    "main.go",
)
"""What stands for a folder, best first; without any of these its first file does."""


class Anchors:
    """The files of a repository by folder."""

    def __init__(self, files: tuple[str, ...]) -> None:
        self._files = frozenset(files)
        self._best: dict[str, str] = {}
        by_folder: dict[str, list[str]] = defaultdict(list)
        for path in files:
            by_folder[path.rpartition("/")[0]].append(path)
        for folder, paths in by_folder.items():
            self._best[folder] = min(paths, key=_preference)
        self._first = min(files, default=None)

    def exists(self, path: str) -> bool:
        """True when the repository has this file."""
        return path in self._files

    def nearest(self, path: str) -> str | None:
        """`path` itself, or a file of the closest folder above it that has one; None without any file."""
        if path in self._files:
            return path
        folder = path.rstrip("/")
        while folder:
            if folder in self._best:
                return self._best[folder]
            folder = folder.rpartition("/")[0]
        return self._best.get("", self._first)


def _preference(path: str) -> tuple[int, str]:
    name = path.rpartition("/")[2]
    return (PREFERRED.index(name) if name in PREFERRED else len(PREFERRED), path)
