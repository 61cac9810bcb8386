"""Which code binaries link: the files of the packages that main packages import, directly or not.

Test files, vendored code and files that the default build leaves out are not among them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.program import Program, program
from zuno_audit.facts.go_packages import GoPackages, go_packages

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.languages.go.parse import GoFile


class Linked:
    """The files by path, each with the folder of its package; parsed when they are asked for."""

    def __init__(self, program: Program, packages: GoPackages) -> None:
        self.program, self.packages, self.repository = program, packages, program.repository
        self.files: dict[str, str] = {}
        self._by_directory: dict[str, list[str]] = {}
        anywhere = frozenset().union(*packages.linked.values())
        for directory, package in packages.by_directory.items():
            if directory in anywhere:
                paths = self._by_directory[directory] = [head.path for head in package.files]
                self.files.update(dict.fromkeys(paths, directory))
        self._paths_with: dict[tuple[tuple[bytes, ...], str | None], list[str]] = {}

    def file(self, path: str) -> GoFile | None:
        """The parsed file, or None when it cannot be read."""
        return self.program.file(path)

    def files_with(self, *literals: bytes, directory: str | None = None) -> Iterator[GoFile]:
        """Linked files (of one package folder, if given) whose bytes hold all literals."""
        key = (literals, directory)
        paths = self._paths_with.get(key)
        if paths is None:
            paths = self._paths_with[key] = self._find_paths(literals, directory)
        for path in paths:
            file = self.file(path)
            if file is not None:
                yield file

    def _find_paths(self, literals: tuple[bytes, ...], directory: str | None) -> list[str]:
        paths = self.files if directory is None else self._by_directory.get(directory, ())
        read = self.repository.read
        return [
            path
            for path in paths
            if (data := read(path)) is not None and all(literal in data for literal in literals)
        ]


def linked(store: FactStore) -> Linked:
    """The fact provider: one `Linked` per audited repository."""
    return Linked(store.get(program), store.get(go_packages))
