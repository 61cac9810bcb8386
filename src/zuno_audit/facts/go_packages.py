"""Go packages as seen from the heads of the files: which package, which imports, which binaries link it.

This is what the go tool finds in a tree, for questions about builds and modules. What the default build compiles, and
what the names in it mean, is for `facts/go/program` to say. No Go file is parsed: the scan stops at the first
declaration, so that a whole repository costs milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.source.modules import GoModule, modules

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_HEAD_TOKENS = 4000  # a head with more tokens than this is not one

_TOKEN = re.compile(
    rb'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`[^`]*`|[A-Za-z_\x80-\xff][\w\x80-\xff]*|\n|;|\(|\)|\.|[^\s]',
    re.DOTALL,
)
_CONSTRAINT = re.compile(rb"^//go:build[ \t]+(.+?)[ \t\r]*$", re.MULTILINE)


class GoImport(Struct, frozen=True):
    """One import: the local name it was given (empty if none), its path and the line."""

    alias: str
    path: str
    line: int


class GoHead(Struct, frozen=True):
    """What stands before the first declaration of a Go file. `package` is empty when there is no clause."""

    path: str
    package: str
    imports: tuple[GoImport, ...]
    constraint: str = ""

    @property
    def is_test(self) -> bool:
        return self.path.endswith("_test.go")

    @property
    def is_ignored(self) -> bool:
        """True for a file that no ordinary build compiles (`//go:build ignore`)."""
        return re.fullmatch(r"ignore|.*&&\s*ignore|ignore\s*&&.*", self.constraint) is not None


class GoPackage(Struct, frozen=True):
    """The non-test files of one folder that share a package clause."""

    directory: str
    name: str
    import_path: str
    files: tuple[GoHead, ...]

    @property
    def is_main(self) -> bool:
        return self.name == "main"


class GoPackages(Struct, frozen=True):
    """All packages of the repository by folder, and what each binary links."""

    heads: dict[str, GoHead]
    by_directory: dict[str, GoPackage]
    by_import: dict[str, GoPackage]
    linked: dict[str, frozenset[str]] = field(default_factory=dict)  # main folder -> folders it links

    def mains(self) -> list[str]:
        """Folders of main packages, sorted."""
        return sorted(self.linked)

    def binaries_of(self, directory: str) -> list[str]:
        """Main folders whose binary links the package in this folder."""
        return [main for main in self.mains() if directory in self.linked[main]]

    def is_linked(self, directory: str) -> bool:
        """True when some binary links the package in this folder."""
        return any(directory in linked for linked in self.linked.values())


def is_go_tool_file(path: str) -> bool:
    """True for a Go file that the go tool looks at: not vendored, not testdata, no `_` or `.` folder."""
    if not path.endswith(".go"):
        return False
    parts = path.split("/")
    return not any(p in ("vendor", "testdata") or p[0] in "._" for p in parts if p)


def go_heads(store: FactStore) -> dict[str, GoHead]:
    """The heads of all Go files that the go tool looks at, by path."""
    repository = store.repository
    heads = {}
    for path in repository.files:
        if is_go_tool_file(path) and (data := repository.read(path)) is not None:
            heads[path] = read_head(path, data)
    return heads


def read_head(path: str, data: bytes) -> GoHead:
    """The package clause and the imports of a Go file; stops at the first declaration."""
    tokens = _tokens(data)
    package = ""
    imports: list[GoImport] = []
    for text, _line in tokens:
        if text == b"package":
            package = next(tokens, (b"", 0))[0].decode("utf-8", "replace")
            break
        if text not in (b"\n", b";"):
            return GoHead(path, "", ())
    for text, _line in tokens:
        if text == b"import":
            imports.extend(_import_declaration(tokens))
        elif text not in (b"\n", b";"):
            break
    constraint = _CONSTRAINT.search(data[:4096]) if b"//go:build" in data[:4096] else None
    words = constraint.group(1).decode("utf-8", "replace") if constraint else ""
    return GoHead(path, package, tuple(imports), words)


def _tokens(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Tokens outside comments with their lines, lazily."""
    line = 1
    for count, match in enumerate(_TOKEN.finditer(data)):
        text = match.group()
        if count > MAX_HEAD_TOKENS:
            return
        if not text.startswith((b"//", b"/*")):
            yield text, line
        line += text.count(b"\n")


def _import_declaration(tokens: Iterator[tuple[bytes, int]]) -> Iterator[GoImport]:
    """The specs of one import declaration whose keyword has been read."""
    alias = ""
    grouped = False
    for text, line in tokens:
        if text == b"(":
            grouped = True
        elif text == b")":
            return
        elif text[:1] in b'"`':
            yield GoImport(alias, text[1:-1].decode("utf-8", "replace"), line)
            alias = ""
            if not grouped:
                return
        elif text not in (b"\n", b";"):
            alias = text.decode("utf-8", "replace")


def go_modules(store: FactStore) -> tuple[GoModule, ...]:
    """Every go.mod that the go tool looks at, sorted by folder."""
    return modules(store.repository)


def module_roots(store: FactStore) -> dict[str, str]:
    """Module path by the folder of its go.mod ("" for the root); modules without a name are left out."""
    return {module.directory: module.path for module in store.get(go_modules) if module.path}


def module_of(directory: str, roots: dict[str, str]) -> str | None:
    """The folder of the innermost module that a folder belongs to, or None."""
    while True:
        if directory in roots:
            return directory
        if not directory:
            return None
        directory = dirname(directory)


def go_packages(store: FactStore) -> GoPackages:
    """Packages, their import paths and what each main package links (tests left out)."""
    heads = store.get(go_heads)
    roots = store.get(module_roots)
    groups: dict[str, list[GoHead]] = {}
    for head in heads.values():
        if head.package and not head.is_test and not head.is_ignored:
            groups.setdefault(dirname(head.path), []).append(head)
    by_directory = {d: _package(d, files, roots) for d, files in groups.items()}
    by_import = {p.import_path: p for p in by_directory.values() if p.import_path}
    linked = {d: _closure(p, by_import) for d, p in by_directory.items() if p.is_main}
    return GoPackages(heads, by_directory, by_import, linked)


def _package(directory: str, files: list[GoHead], roots: dict[str, str]) -> GoPackage:
    names = [f.package for f in files]
    name = max(sorted(set(names)), key=names.count)
    root = module_of(directory, roots)
    if root is None:
        import_path = ""
    else:
        below = directory[len(root) :].strip("/")
        import_path = f"{roots[root]}/{below}" if below else roots[root]
    return GoPackage(directory, name, import_path, tuple(f for f in files if f.package == name))


def _closure(main: GoPackage, by_import: dict[str, GoPackage]) -> frozenset[str]:
    """Folders of all packages that a binary links, its own included."""
    seen = {main.directory}
    todo = [main]
    while todo:
        for head in todo.pop().files:
            for imported in head.imports:
                package = by_import.get(imported.path)
                if package is not None and package.directory not in seen:
                    seen.add(package.directory)
                    todo.append(package)
    return frozenset(seen)
