"""Which code can run: the functions that binaries link, and a cheap call graph, walked backwards on demand.

It is made for questions about few places ("is this route registered by a function that main calls?") and only
parses files that mention the names on the way. A method counts as called wherever a method of that name is
called, so the answer "reached" may be too wide, "not reached" is certain up to reflection. Which function a call
means is for `origins` and `static_types` to say.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from functools import cached_property
from posixpath import dirname
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.program import Declaration, program
from zuno_audit.facts.go_packages import GoPackages, go_packages
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import FuncDecl, Node, nodes_of

if TYPE_CHECKING:
    from tree_sitter import Node as TreeNode

    from zuno_audit.facts.base import FactStore

MAX_STEPS = 400  # functions visited for one question


class Function(Struct, frozen=True, eq=False, dict=True):
    """A function or method of the repository. `decl` is its syntax, lowered when it is asked for."""

    file: GoFile
    name: str
    is_method: bool
    start: int
    end: int

    @property
    def directory(self) -> str:
        return dirname(self.file.path)

    @cached_property
    def decl(self) -> FuncDecl:
        found = self.file.function_at(self.start)
        assert found is not None
        return found

    @property
    def nodes(self) -> list[Node]:
        """Every node of its body."""
        return nodes_of(self.decl)

    @property
    def key(self) -> tuple[str, int]:
        return (self.file.path, self.start)


class GoCode:
    """Parsed files and functions of the packages that binaries link; tests and vendored code left out."""

    def __init__(self, store: FactStore) -> None:
        self.repository = store.repository
        self.packages: GoPackages = store.get(go_packages)
        self.linked_files = {
            head.path: directory
            for directory, package in self.packages.by_directory.items()
            if self.packages.is_linked(directory)
            for head in package.files
        }
        self._by_directory: dict[str, list[str]] = {}
        for path, directory in self.linked_files.items():
            self._by_directory.setdefault(directory, []).append(path)
        self._program = store.get(program)
        self._paths_with: dict[tuple[tuple[bytes, ...], str | None], list[str]] = {}
        self._functions: dict[str, list[Function]] = {}
        self._callers: dict[tuple[str, int], list[Function | None]] = {}
        self._mains: dict[tuple[str, int], frozenset[str]] = {}

    def file(self, path: str) -> GoFile | None:
        """The parsed file, or None when it cannot be read."""
        return self._program.file(path)

    def functions(self, file: GoFile) -> list[Function]:
        """The functions and methods of a file in source order."""
        found = self._functions.get(file.path)
        if found is None:
            found = [f for node in file._tree.root_node.named_children if (f := _function(file, node))]
            self._functions[file.path] = found
        return found

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
        paths = self.linked_files if directory is None else self._by_directory.get(directory, ())
        read = self.repository.read
        return [
            path
            for path in paths
            if (data := read(path)) is not None and all(literal in data for literal in literals)
        ]

    def enclosing(self, file: GoFile, offset: int) -> Function | None:
        """The top-level function around a byte offset."""
        functions = self.functions(file)
        index = bisect_right(functions, offset, key=lambda f: f.start) - 1
        return functions[index] if index >= 0 and offset < functions[index].end else None

    def root(self, function: Function) -> Declaration:
        """The declaration of a function, for those who ask what its names mean."""
        package = self._program.package_of(function.file.path)
        assert package is not None
        return Declaration(package, function.file, function.decl)

    # ------------------------------------------------------------ reachability

    def mains_reaching(self, file: GoFile, offset: int) -> frozenset[str]:
        """Folders of the main packages from whose main or init this place can be reached."""
        folder = dirname(file.path)
        if not self.packages.is_linked(folder):
            return frozenset()
        start = self.enclosing(file, offset)
        if start is None:
            return frozenset(self.packages.binaries_of(folder))
        if start.key not in self._mains:
            self._mains[start.key] = frozenset(self._search(start))
        return self._mains[start.key] & frozenset(self.packages.binaries_of(folder))

    def _search(self, start: Function) -> Iterator[str]:
        seen = {start.key}
        todo = deque([start])
        while todo and len(seen) < MAX_STEPS:
            function = todo.popleft()
            folder = function.directory
            name = function.name
            if not function.is_method and name == "main" and folder in self.packages.linked:
                yield folder
                continue
            if not function.is_method and name == "init":
                yield from self.packages.binaries_of(folder)
                continue
            for caller in self.callers(function):
                if caller is None:
                    yield from self.packages.binaries_of(folder)
                elif caller.key not in seen:
                    seen.add(caller.key)
                    todo.append(caller)

    def callers(self, function: Function) -> list[Function | None]:
        """The functions that mention this one; None for the initializer of a package variable."""
        if function.key not in self._callers:
            near = self._callers_among(function, importers_only=True)
            is_open = function.is_method and function.name[:1].isupper()
            self._callers[function.key] = near or (
                self._callers_among(function, importers_only=False) if is_open else []
            )
        return self._callers[function.key]

    def _callers_among(self, function: Function, *, importers_only: bool) -> list[Function | None]:
        """Callers in the function's package and its importers or, for calls through interfaces, anywhere."""
        found: dict[tuple[str, int], Function | None] = {}
        for file, offset in self.mentions(function, importers_only=importers_only):
            around = self.enclosing(file, offset)
            if around is None or around.key != function.key:
                found.setdefault(around.key if around else (file.path, -1), around)
        return list(found.values())

    @cached_property
    def _importers(self) -> dict[str, list[str]]:
        """The linked files that import a package, by its import path."""
        found: dict[str, list[str]] = {}
        for path in self.linked_files:
            for imported in self.packages.heads[path].imports:
                found.setdefault(imported.path, []).append(path)
        return found

    def _candidates(self, directory: str, name: str) -> list[str]:
        """The linked files that may name what a package declares."""
        own = self.packages.by_directory.get(directory)
        near = self._by_directory.get(directory, [])
        if own is None or not name[:1].isupper():
            return near
        return sorted({*near, *self._importers.get(own.import_path, ())})

    def users_of_type(self, directory: str, name: str) -> list[Function | None]:
        """The functions that name a type of a package; None for a declaration that does.

        Its own declaration is left out. Other things of that name are taken for the type.
        """
        found: dict[tuple[str, int], Function | None] = {}
        word = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
        for path in self._candidates(directory, name):
            places = [m.start() for m in word.finditer(self.repository.read(path) or b"")]
            file = self.file(path) if places else None
            if file is None:
                continue
            for start in places:
                node = file.node_at(start, start + len(name.encode()))
                if node is None or not node.type.endswith("identifier"):
                    continue  # a comment or a text
                around = self.enclosing(file, start)
                if around is not None or dirname(path) != directory or not _declares_type(node):
                    found.setdefault(around.key if around else (path, -1), around)
        return list(found.values())

    def mentions(self, function: Function, *, importers_only: bool = True) -> Iterator[tuple[GoFile, int]]:
        """Places (file, byte offset) that name the function: its package and those that import it, or all.

        The declaration itself is left out.
        """
        name = function.name
        is_method = function.is_method
        own = self.packages.by_directory.get(function.directory)
        literal = name.encode()
        word = re.compile(re.escape(literal) + rb"(?![\w])")
        everywhere = is_method and name[:1].isupper() and not importers_only
        paths = self.linked_files if everywhere else self._candidates(function.directory, name)
        for path in paths:
            same = self.linked_files[path] == function.directory
            data = self.repository.read(path)
            if data is None or literal not in data:
                continue
            must_select = is_method or not same
            places = [m.start() for m in word.finditer(data) if _may_be_named(data, m.start(), must_select)]
            file = self.file(path) if places else None
            if file is None:
                continue
            for start in places:
                kind, operand = _role(file, start, start + len(literal))
                if kind == "selector":
                    path_of = self._program.imported(file).get(operand)
                    if path_of is None if is_method else own is not None and path_of == own.import_path:
                        yield file, start
                elif kind == "name" and same and not is_method:
                    yield file, start


def _may_be_named(data: bytes, start: int, must_select: bool) -> bool:
    """Whether the text lets a word be one of its own and, where it `must_select`, stand behind a dot."""
    if _is_word_byte(data[start - 1]):
        return False
    if not must_select:
        return True
    before = start - 1
    while before >= 0 and data[before] in b" \t\r\n":
        before -= 1
    return data[before] == 0x2E


def _is_word_byte(byte: int) -> bool:
    return byte == 0x5F or byte >= 0x80 or chr(byte).isalnum()


def _declares_type(node: TreeNode) -> bool:
    """Whether a name is the one that a type declaration declares."""
    if node.parent is None or node.parent.type != "type_spec":
        return False
    declared = node.parent.child_by_field_name("name")
    return declared is not None and declared.start_byte == node.start_byte


def _function(file: GoFile, node: TreeNode) -> Function | None:
    if node.type not in ("function_declaration", "method_declaration"):
        return None
    name = node.child_by_field_name("name")
    if name is None or name.text is None:
        return None
    return Function(
        file, name.text.decode(), node.type == "method_declaration", node.start_byte, node.end_byte
    )


def _role(file: GoFile, start: int, end: int) -> tuple[str, str]:
    """What an occurrence of a word is: ("selector", operand), ("name", ""), or ("", "") for anything else."""
    node = file.node_at(start, end)
    parent = node.parent if node is not None else None
    if node is None or parent is None:
        return "", ""
    if _is_discarded(parent if parent.type == "selector_expression" else node) or _is_switched_off(node):
        return "", ""
    if node.type == "field_identifier" and parent.type == "selector_expression":
        operand = parent.child_by_field_name("operand")
        if operand is None or operand.type != "identifier" or operand.text is None:
            return "selector", ""
        return "selector", operand.text.decode()
    if node.type != "identifier" or parent.type in ("function_declaration", "parameter_declaration"):
        return "", ""
    above = parent.parent
    if parent.type == "literal_element" and above is not None and above.type == "keyed_element":
        return ("", "") if above.named_children[0] == parent else ("name", "")
    return "name", ""


def _is_discarded(node: TreeNode) -> bool:
    """True for `f` in `_ = f` and `var _ = f`: it is named so that the compiler is content, and does not run."""
    values = node.parent
    around = values.parent if values is not None and values.type == "expression_list" else None
    if values is None or around is None or len(values.named_children) != 1:
        return False
    target = around.child_by_field_name("left" if around.type == "assignment_statement" else "name")
    return around.type in ("assignment_statement", "var_spec") and target is not None and target.text == b"_"


def _is_switched_off(node: TreeNode) -> bool:
    """True inside of `if false { ... }`."""
    inner, outer = node, node.parent
    while outer is not None:
        if outer.type == "if_statement" and outer.child_by_field_name("consequence") == inner:
            condition = outer.child_by_field_name("condition")
            if condition is not None and condition.text == b"false":
                return True
        inner, outer = outer, outer.parent
    return False


def go_code(store: FactStore) -> GoCode:
    """The Go code of the repository; files are parsed when they are asked for."""
    return GoCode(store)
