"""Bytes -> a parsed Go file: package name, imports, and top-level declarations by name."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING

from zuno_audit.languages.go import lower, syntax
from zuno_audit.languages.go.grammar import parse_ranges, parser
from zuno_audit.model.location import Location, Span
from zuno_audit.source.classify import HEAD_BYTES, is_marked_go

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tree_sitter import Node as TreeNode
    from tree_sitter import Tree

# The grammar wants a type behind `new(` and `make(`. Go 1.26 allows `new(expression)`, and functions may be called
# like the builtins. Renaming them for a second try keeps every byte offset.
_NEW_CALL = re.compile(rb"\bnew\(")
_NEW_ALIAS = lower.NEW_ALIAS.encode() + b"("
_MAKE_CALL = re.compile(rb"\bmake\((?=\s*(?:(?!chan\b)[\w.]+\s*[(+*/-]|[&!\"`'0-9)]|func\b))")
_MAKE_ALIAS = lower.MAKE_ALIAS.encode() + b"("
_FUNCTIONS = frozenset(("function_declaration", "method_declaration"))
_VALUES = frozenset(("const_declaration", "var_declaration"))
_SPECS = _VALUES | {"type_declaration"}


class GoFile:
    """One parsed file.

    `error_line` is the 1-based line of the first syntax error, or 0. Declarations are lowered when asked for.
    Of a generated file, the bodies of functions are parsed when they are asked for; a syntax error in one of
    them is known from then on.
    """

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        ranges = outside_of_bodies(data) if is_marked_go(data[:HEAD_BYTES]) else []
        tree = parse_ranges(data, ranges) if len(ranges) > 1 else None
        self._has_bodies = tree is None or tree.root_node.has_error
        self._tree = _parsed(data, None) if tree is None or self._has_bodies else tree
        self._whole: dict[int, TreeNode] = {}  # functions with their bodies, where the tree has none
        self.error_line = _first_error_line(self._tree.root_node, data)
        self.package = ""
        self.imports: list[syntax.ImportSpec] = []
        self.bound_imports: dict[str, str] | None = None  # filled by whoever can resolve package names
        self._declarations: list[TreeNode] = []  # in source order
        self._functions: dict[str, list[TreeNode]] = {}
        self._methods: dict[tuple[str, str], TreeNode] = {}
        self._specs: dict[str, TreeNode] = {}
        self._repeated: list[tuple[str, int]] = []
        self._lowered: dict[int, syntax.FuncDecl] = {}
        self._lowered_specs: dict[int, list[syntax.ValueSpec | syntax.TypeSpec]] = {}
        self._lines: list[int] | None = None
        self._index(self._tree.root_node)

    def _index(self, root: TreeNode) -> None:
        for node in root.named_children:
            kind = node.type
            if kind in _FUNCTIONS:
                name = node.child_by_field_name("name")
                if name is None or name.text is None:
                    continue
                if kind == "function_declaration":
                    self._functions.setdefault(name.text.decode(), []).append(node)
                else:
                    key = (_receiver_name(node), name.text.decode())
                    if key in self._methods and key[1] != "_":
                        self._repeated.append((".".join(key), node.start_byte))
                    self._methods[key] = node
                self._declarations.append(node)
            elif kind in _SPECS:
                self._index_specs(node, node)
                self._declarations.append(node)
            elif kind == "import_declaration":
                self.imports.extend(lower.lower_imports(node))
            elif kind == "package_clause":
                names = [c for c in node.named_children if c.type == "package_identifier"]
                self.package = (names[0].text or b"").decode() if names else ""
        self._starts = [node.start_byte for node in self._declarations]

    def _index_specs(self, node: TreeNode, declaration: TreeNode) -> None:
        for child in node.named_children:
            if child.type == "var_spec_list":
                self._index_specs(child, declaration)
            elif child.type in ("const_spec", "var_spec", "type_spec", "type_alias"):
                for name in child.children_by_field_name("name"):
                    if name.is_named and name.text is not None:
                        text = name.text.decode()
                        if text in self._specs and text != "_":
                            self._repeated.append((text, name.start_byte))
                        self._specs[text] = declaration

    # ------------------------------------------------------------ declarations

    def declared(self) -> Iterator[tuple[str, int]]:
        """What may be declared once only in a package, with byte offsets: names, and methods as `Type.Method`."""
        for name, nodes in self._functions.items():
            for node in nodes if name not in ("init", "_") else ():
                yield name, node.start_byte
        for (owner, name), node in self._methods.items():
            yield f"{owner}.{name}", node.start_byte
        for name, node in self._specs.items():
            if name != "_":
                yield name, node.start_byte
        yield from self._repeated

    def functions(self) -> list[syntax.FuncDecl]:
        """All functions and methods in source order."""
        return [self._function(n) for n in self._declarations if n.type in _FUNCTIONS]

    def functions_with(self, literal: bytes) -> list[syntax.FuncDecl]:
        """The functions and methods whose text holds a literal, in source order."""
        nodes = [n for n in self._declarations if n.type in _FUNCTIONS and self._holds(n, literal)]
        return [self._function(n) for n in nodes]

    def values_with(self, literal: bytes) -> list[syntax.ValueSpec]:
        """The var and const specs whose text holds a literal, in source order."""
        nodes = [n for n in self._declarations if n.type in _VALUES and self._holds(n, literal)]
        found = [spec for n in nodes for spec in self._specs_of(n)]
        return [spec for spec in found if isinstance(spec, syntax.ValueSpec)]

    def _holds(self, node: TreeNode, literal: bytes) -> bool:
        return self.data.find(literal, node.start_byte, node.end_byte) >= 0

    def function_at(self, offset: int) -> syntax.FuncDecl | None:
        """The function or method around a byte offset."""
        node = self._node_at(offset)
        return self._function(node) if node is not None and node.type in _FUNCTIONS else None

    def declaration_at(self, offset: int) -> syntax.FuncDecl | syntax.ValueSpec | syntax.TypeSpec | None:
        """The function, method, const, var or type around a byte offset."""
        function = self.function_at(offset)
        if function is not None:
            return function
        specs = self._specs_of(self._node_at(offset))
        return next((spec for spec in specs if spec.start <= offset < spec.end), None)

    def _node_at(self, offset: int) -> TreeNode | None:
        """The syntax of the top-level declaration around a byte offset."""
        index = bisect_right(self._starts, offset) - 1
        return (
            self._declarations[index] if index >= 0 and offset < self._declarations[index].end_byte else None
        )

    def function(self, name: str) -> syntax.FuncDecl | None:
        """The function called `name` (not a method)."""
        nodes = self._functions.get(name)
        return self._function(nodes[0]) if nodes else None

    def method(self, type_name: str, name: str) -> syntax.FuncDecl | None:
        """The method `name` of the type `type_name`."""
        node = self._methods.get((type_name, name))
        return self._function(node) if node is not None else None

    def methods_of(self, type_name: str) -> list[str]:
        """The names of the methods that this file declares on a type."""
        return [method for owner, method in self._methods if owner == type_name]

    def spec(self, name: str) -> syntax.ValueSpec | syntax.TypeSpec | None:
        """The const, var or type called `name`."""
        for spec in self._specs_of(self._specs.get(name)):
            if isinstance(spec, syntax.TypeSpec):
                if spec.name == name:
                    return spec
            elif any(n.name == name for n in spec.names):
                return spec
        return None

    def specs(self) -> list[syntax.ValueSpec | syntax.TypeSpec]:
        """All const, var and type specs in source order."""
        return [spec for n in self._declarations if n.type in _SPECS for spec in self._specs_of(n)]

    def declares(self, name: str) -> bool:
        """True when the file declares a function, const, var or type of this name."""
        return name in self._functions or name in self._specs

    def node_at(self, start: int, end: int) -> TreeNode | None:
        """The smallest node of the concrete tree around a byte range."""
        found = self._tree.root_node.descendant_for_byte_range(start, end)
        above = found
        while above is not None and not self._has_bodies:
            if above.type in ("function_declaration", "method_declaration"):
                return self._with_body(above).descendant_for_byte_range(start, end)
            above = above.parent
        return found

    def _function(self, node: TreeNode) -> syntax.FuncDecl:
        found = self._lowered.get(node.start_byte)
        if found is None:
            found = self._lowered[node.start_byte] = lower.lower_function(node)
            if not self._has_bodies:
                found.body_from(lambda: self._with_body(node).child_by_field_name("body"))
        return found

    def _with_body(self, node: TreeNode) -> TreeNode:
        """A function or method of the tree with its body."""
        if self._has_bodies:
            return node
        found = self._whole.get(node.start_byte)
        if found is None:
            root = _parsed(self.data, (node.start_byte, node.end_byte)).root_node
            self.error_line = self.error_line or _first_error_line(root, self.data)
            found = next((c for c in root.named_children if c.type == node.type), node)
            self._whole[node.start_byte] = found
        return found

    def _specs_of(self, node: TreeNode | None) -> list[syntax.ValueSpec | syntax.TypeSpec]:
        if node is None or node.type not in _SPECS:
            return []
        found = self._lowered_specs.get(node.start_byte)
        if found is None:
            found = self._lowered_specs[node.start_byte] = lower.lower_specs(node)
        return found

    # ------------------------------------------------------------ positions

    def location(self, start: int, end: int, note: str = "") -> Location:
        """The location of a byte range; columns count code points."""
        first_line, first_column = self._position(start)
        last_line, last_column = self._position(end)
        return Location(self.path, Span(first_line, first_column, last_line, last_column), note)

    def _position(self, offset: int) -> tuple[int, int]:
        if self._lines is None:
            starts = [0]
            starts.extend(m.end() for m in re.finditer(rb"\n", self.data))
            self._lines = starts
        line = bisect_right(self._lines, offset) - 1
        prefix = self.data[self._lines[line] : offset]
        return line + 1, len(prefix.decode("utf-8", "replace")) + 1


def _parsed(data: bytes, part: tuple[int, int] | None) -> Tree:
    """The tree of a file, or of a part of it."""
    tree = parser().parse(data) if part is None else parse_ranges(data, [part])
    if tree.root_node.has_error:
        renamed = _MAKE_CALL.sub(_MAKE_ALIAS, _NEW_CALL.sub(_NEW_ALIAS, data))
        if renamed != data:
            again = parser().parse(renamed) if part is None else parse_ranges(renamed, [part])
            tree = tree if again.root_node.has_error else again
    return tree


def outside_of_bodies(data: bytes) -> list[tuple[int, int]]:
    """The byte ranges of a file as gofmt writes it that lie outside of the bodies of its functions.

    A body ends at the first brace that begins a line. Where that may be one in a raw string, it is left in.
    """
    found: list[tuple[int, int]] = []
    at = 0
    start = data.find(b"\nfunc ")
    while start >= 0:
        line_end = data.find(b"\n", start + 1)
        if data.endswith(b"}", start, line_end):  # it ends in its first line
            start = data.find(b"\nfunc ", line_end)
            continue
        end = data.find(b"\n}", start)
        if end < 0:
            break
        opening = data.find(b"{\n", start, end)
        if opening >= 0 and data.count(b"`", opening, end) % 2 == 0:
            found.append((at, opening + 1))
            at = end
        start = data.find(b"\nfunc ", end)
    return [*found, (at, len(data))]


def _receiver_name(node: TreeNode) -> str:
    receiver = node.child_by_field_name("receiver")
    if receiver is None:
        return ""
    params = lower._params(receiver)
    return lower.embedded_name(params[0].type) if params else ""


def _first_error_line(root: TreeNode, data: bytes) -> int:
    """The first line with a syntax error, or 0 when there is none, or only a semicolon is missed that Go does
    not want."""
    stack = [root] if root.has_error else []
    offsets: list[int] = []
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            offsets.append(node.start_byte)
        elif node.has_error:
            inside = [c for c in node.children if c.is_error or c.is_missing or c.has_error]
            stack.extend(inside)
            if not inside and not _is_closed_group(node, data):
                offsets.append(node.start_byte)
    return data.count(b"\n", 0, min(offsets)) + 1 if offsets else 0


def _is_closed_group(node: TreeNode, data: bytes) -> bool:
    """True for `const ( a = 1; b )`: a semicolon may be omitted before a closing bracket (specification,
    "Semicolons"), but the grammar misses it, in a token that it does not show."""
    if node.type not in ("const_declaration", "var_declaration", "type_declaration"):
        return False
    return data[node.start_byte : node.end_byte].endswith(b")")
