"""What judging evidence needs to know of the audited tree: its modules, its packages, what they hold."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property
from posixpath import dirname

from zuno_audit.source.classify import FileKind
from zuno_audit.source.modules import ModuleTree, modules
from zuno_audit.source.repository import Repository

_STATEMENTS = re.compile(rb"(?m)^func [^\n]*\{[ \t]*(?:\n|[^\s}])")  # a function that is not empty
_JOB = re.compile(r"""(?m)^[ \t]*(?:-[ \t]+)?job_name:[ \t]*["']?([^"'#\s]+)""")
_CONSTRAINT = re.compile(rb"(?m)^//go:build ")


class Tree:
    """Answers about one repository, each found once."""

    def __init__(self, repository: Repository) -> None:
        self.repository = repository

    @cached_property
    def _modules(self) -> ModuleTree:
        return ModuleTree(modules(self.repository))

    def folder_of(self, import_path: str) -> str | None:
        """The folder of a package of this tree ("" for the root), or None for a package from elsewhere."""
        path = import_path.removesuffix(".test").removesuffix("_test")
        return next(self._modules.folders(path), None)

    @cached_property
    def tested_folders(self) -> frozenset[str]:
        """Folders with test files in the module of the root, or in all modules when the root has none."""
        return self._folders_of(p for p in self.repository.files if p.endswith("_test.go"))

    @cached_property
    def code_folders(self) -> frozenset[str]:
        """Folders of the same modules with functions that every build compiles."""
        return self._folders_of(
            path
            for path in self.repository.grep(
                b"func ", suffix=".go", kinds={FileKind.CODE, FileKind.GENERATED}
            )
            if _is_code(self.repository.read(path) or b"")
        )

    @cached_property
    def go_files(self) -> int:
        """How many hand-written Go files that are no tests these modules hold, without build constraints."""
        return sum(
            _CONSTRAINT.search(self.repository.read(path) or b"") is None
            for path in self.repository.grep(b"package ", suffix=".go", kinds={FileKind.CODE})
            if self._is_of_root(path)
        )

    @cached_property
    def scrape_jobs(self) -> frozenset[str]:
        """Names of the scrape jobs in the Prometheus configurations of the tree."""
        paths = self.repository.grep(b"scrape_configs:", b"job_name:")
        files = (self.repository.text(p) or "" for p in paths if p.endswith((".yml", ".yaml")))
        return frozenset(name for text in files for name in _JOB.findall(text))

    def _folders_of(self, paths: Iterable[str]) -> frozenset[str]:
        return frozenset(dirname(path) for path in paths if self._is_of_root(path))

    def _is_of_root(self, path: str) -> bool:
        parts = path.split("/")[:-1]
        if any(part in ("vendor", "testdata") or part[:1] in ("_", ".") for part in parts):
            return False
        owner = self._modules.root_of(dirname(path))
        return owner is not None and (owner == "" or self._modules.root_of("") is None)


def _is_code(data: bytes) -> bool:
    return _CONSTRAINT.search(data) is None and _STATEMENTS.search(data) is not None
