"""Go packages as seen from the heads of the files: which package, which imports, which binaries link it.

This is what the go tool finds in a tree and what its default build compiles; what the names in it mean is for
`facts/go/program` to say. No Go file is parsed: the scan stops at the first declaration, so that a whole repository
costs milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.languages.go.build import is_in_default_build, platform_of
from zuno_audit.source.classify import is_left_out_by_go
from zuno_audit.source.modules import GoModule, ModuleTree, modules, workspace

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_HEAD_TOKENS = 4000  # a head with more tokens than this is not one

_TOKEN = re.compile(
    rb'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`[^`]*`|[A-Za-z_\x80-\xff][\w\x80-\xff]*|\n|;|\(|\)|\.|[^\s]',
    re.DOTALL,
)
_CONSTRAINT = re.compile(rb"//go:build[ \t]+(.*\S)")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


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

    @property
    def is_conditional(self) -> bool:
        """True for a file that only some builds compile."""
        return self.constraint != "" or any(platform_of(self.path))

    @property
    def is_built(self) -> bool:
        """True for a file that the default build, or its test, compiles (package documentation is for readers)."""
        return self.package != "documentation" and is_in_default_build(self.path, self.constraint)


class GoPackage(Struct, frozen=True):
    """The files of one folder that the default build compiles, and those that other builds compile with them.

    Test files are not among them. A file without a package clause is: it keeps the package from compiling.
    """

    directory: str
    name: str
    import_path: str
    files: tuple[GoHead, ...]
    others: tuple[GoHead, ...] = ()

    @property
    def is_main(self) -> bool:
        return self.name == "main"


class GoPackages(Struct, frozen=True):
    """All packages of the repository by folder, and what each binary links."""

    modules: ModuleTree
    heads: dict[str, GoHead]
    by_directory: dict[str, GoPackage]
    linked: dict[str, frozenset[str]]  # main folder -> folders it links
    folders: frozenset[str]  # that hold Go files of any kind

    def at(self, import_path: str) -> GoPackage | None:
        """The package of this repository that an import path means, also by a local `replace`."""
        for folder in self.modules.folders(import_path):
            if folder in self.by_directory:
                return self.by_directory[folder]
        return None

    def lacks(self, import_path: str) -> bool:
        """True for an import path inside our modules where no Go file is."""
        folders = set(self.modules.folders(import_path))
        return bool(folders) and folders.isdisjoint(self.folders)

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
    return path.endswith(".go") and "vendor" not in path.split("/") and not is_left_out_by_go(path)


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
    tokens = _tokens(data.removeprefix(_BYTE_ORDER_MARK))
    package = constraint = ""
    imports: list[GoImport] = []
    for text, _line in tokens:
        if text == b"package":
            names = (name for name, _ in tokens if not _is_blank(name))
            package = next(names, b"").decode("utf-8", "replace")
            break
        if not _is_blank(text):
            return GoHead(path, "", ())
        if (found := _CONSTRAINT.match(text)) is not None:
            constraint = constraint or found.group(1).decode("utf-8", "replace")
    for text, _line in tokens:
        if text == b"import":
            imports.extend(_import_declaration(tokens))
        elif not _is_blank(text):
            break
    return GoHead(path, package, tuple(imports), constraint)


def _tokens(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Tokens with their lines, lazily; comments are among them."""
    line = 1
    for count, match in enumerate(_TOKEN.finditer(data)):
        text = match.group()
        if count > MAX_HEAD_TOKENS:
            return
        yield text, line
        line += text.count(b"\n")


def _is_blank(token: bytes) -> bool:
    return token in (b"\n", b";") or token[:2] in (b"//", b"/*")


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
        elif not _is_blank(text):
            alias = text.decode("utf-8", "replace")


def go_modules(store: FactStore) -> tuple[GoModule, ...]:
    """Every go.mod that the go tool looks at, sorted by folder."""
    return modules(store.repository)


def module_tree(store: FactStore) -> ModuleTree:
    """The modules by folder, with what go.work and local replacements join to them."""
    return ModuleTree(store.get(go_modules), workspace(store.repository))


def go_packages(store: FactStore) -> GoPackages:
    """Packages, their import paths and what each main package links (tests left out)."""
    heads, tree = store.get(go_heads), store.get(module_tree)
    groups: dict[str, list[GoHead]] = {}
    for head in heads.values():
        groups.setdefault(dirname(head.path), []).append(head)
    found = {directory: make_package(directory, files, tree) for directory, files in groups.items()}
    by_directory = {directory: package for directory, package in found.items() if package.name}
    folders = frozenset(dirname(path) for path in store.repository.files if path.endswith(".go"))
    packages = GoPackages(tree, heads, by_directory, {}, folders)
    return replace(packages, linked=dict(_closures(packages)))


def make_package(directory: str, heads: Iterable[GoHead], tree: ModuleTree) -> GoPackage:
    """The package in a folder with these files; its name is empty when no file of the default build says one."""
    files = [head for head in heads if not head.is_test]
    built = tuple(head for head in files if head.is_built)
    others = tuple(head for head in files if not head.is_built and head.package and not head.is_ignored)
    names = [head.package for head in built if head.package]
    name = max(sorted(set(names)), key=names.count, default="")
    return GoPackage(directory, name, tree.import_path(directory), built, others)


def _closures(packages: GoPackages) -> Iterator[tuple[str, frozenset[str]]]:
    """The main packages by folder, each with the folders of all packages that its binary links, its own included."""
    known: dict[str, str | None] = {}  # the folder of a package of ours, by import path
    imported: dict[str, list[str]] = {}
    for directory, package in packages.by_directory.items():
        paths = {i.path for head in package.files for i in head.imports}
        for path in paths - known.keys():
            found = packages.at(path)
            known[path] = found.directory if found is not None else None
        imported[directory] = [folder for path in paths if (folder := known[path]) is not None]
    for directory, package in packages.by_directory.items():
        if package.is_main:
            seen, todo = {directory}, [directory]
            while todo:
                new = set(imported[todo.pop()]) - seen
                seen |= new
                todo += new
            yield directory, frozenset(seen)
