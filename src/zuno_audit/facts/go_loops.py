"""Tables in code: what a loop goes over when it ranges over a map or a slice that is written down.

`for path, handler := range map[string]http.Handler{...} { mux.Handle(path, handler) }` adds as many routes as the
map has elements. The table may stand in the loop, in a variable (with elements added later), in the result of
a function or in what callers give for a parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import product
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go_code import Function, GoCode
from zuno_audit.languages.go.syntax import (
    ArrayType,
    Assign,
    Call,
    CompositeLit,
    DeclStmt,
    Expr,
    Ident,
    Index,
    MapType,
    Node,
    Range,
    Return,
    Selector,
    Star,
    StructType,
    TypeSpec,
    Unary,
    ValueSpec,
)

if TYPE_CHECKING:
    from zuno_audit.languages.go.parse import GoFile

MAX_DEPTH = 4
MAX_ROWS = 200


class Cell(Struct, frozen=True, eq=False):
    """An expression, the file and the function that its names are those of (None at package level)."""

    expr: Expr
    file: GoFile
    function: Function | None


class Entry(Struct, frozen=True, eq=False):
    """One element of a table; `key` is None where it has none."""

    key: Cell | None
    value: Cell
    type: Cell | None  # of the value, where the literal leaves it out


Row = dict[str, tuple[str, Entry]]  # name of a variable -> "key" or "value", and of which element


class Tables:
    """Finds the rows of loops. `nodes` gives every node of a function, `calls_of` the calls of one."""

    def __init__(
        self,
        code: GoCode,
        nodes: Callable[[Function], list[Node]],
        calls_of: Callable[[Function], Iterable[tuple[Function, Call]]],
    ) -> None:
        self.code, self.nodes, self.calls_of = code, nodes, calls_of

    def rows(self, function: Function, node: Node) -> list[Row]:
        """What the variables of the loops around a node hold, round by round; nothing if that is not known."""
        loops = [
            n for n in self.nodes(function) if isinstance(n, Range) and n.body.start < node.start < n.end
        ]
        rounds = [rows for loop in loops if (rows := self._rounds(function, loop))]
        if not rounds:
            return []
        combined = ({k: v for row in rows for k, v in row.items()} for rows in product(*rounds))
        return [row for row, _ in zip(combined, range(MAX_ROWS), strict=False)]

    def _rounds(self, function: Function, loop: Range) -> list[Row]:
        entries = self._entries(Cell(loop.x, function.file, function), 0)
        rows: list[Row] = []
        for entry in entries or ():
            names = (("key", loop.key), ("value", loop.value))
            rows.append({name.name: (role, entry) for role, name in names if isinstance(name, Ident)})
        return rows

    def look_up(self, expr: Expr, row: Row) -> Cell | None:
        """What an expression that names a variable of a loop, or a field of one, is in a round."""
        entry = self._element(expr, row)
        if entry is not None:
            return entry.value
        if isinstance(expr, Ident) and expr.name in row:
            return row[expr.name][1].key
        entry = self._element(expr.x, row) if isinstance(expr, Selector) else None
        return self._field(entry, expr.sel) if entry is not None and isinstance(expr, Selector) else None

    @staticmethod
    def _element(expr: Expr, row: Row) -> Entry | None:
        """The element that an expression is: the loop's value, or the table at the loop's key."""
        while isinstance(expr, Star | Unary):
            expr = expr.x
        wanted = "value"
        if isinstance(expr, Index) and len(expr.indices) == 1:
            expr, wanted = expr.indices[0], "key"
        role, entry = row.get(expr.name, ("", None)) if isinstance(expr, Ident) else ("", None)
        return entry if role == wanted else None

    # ---------------------------------------------------------------- elements

    def _entries(self, table: Cell, depth: int) -> list[Entry] | None:
        """The elements of a table, or None when they are not all known."""
        if depth > MAX_DEPTH:
            return None
        match table.expr:
            case CompositeLit():
                return list(self._literal(table, table.expr))
            case Unary(op="&", x=x) | Star(x=x):
                return self._entries(Cell(x, table.file, table.function), depth)
            case Ident(name=name):
                return self._named(name, table, depth)
            case Call(fun=Ident(name="append"), args=args) if args:
                base = self._entries(Cell(args[0], table.file, table.function), depth + 1)
                added = [Entry(None, Cell(a, table.file, table.function), None) for a in args[1:]]
                return None if base is None else [*base, *added]
            case Call(fun=fun):
                found = [self._returned(f, depth) for f in self.code.resolve(table.file, fun)[:2]]
                return found[0] if len(found) == 1 else None
        return None

    def _returned(self, function: Function, depth: int) -> list[Entry] | None:
        returns = [n for n in self.nodes(function) if isinstance(n, Return) and len(n.values) == 1]
        if len(returns) != 1:
            return None
        return self._entries(Cell(returns[0].values[0], function.file, function), depth + 1)

    def _literal(self, table: Cell, literal: CompositeLit) -> Iterator[Entry]:
        elem = literal.type.elem if isinstance(literal.type, ArrayType) else None
        elem = literal.type.value if isinstance(literal.type, MapType) else elem
        elem = elem.x if isinstance(elem, Star) else elem
        type_ = Cell(elem, table.file, table.function) if elem is not None else None
        is_map = not isinstance(literal.type, ArrayType)
        for key, value in literal.elements:
            held = Cell(key, table.file, table.function) if key is not None and is_map else None
            yield Entry(held, Cell(value, table.file, table.function), type_)

    def _named(self, name: str, table: Cell, depth: int) -> list[Entry] | None:
        function = table.function
        if function is not None:
            index = next((i for i, p in enumerate(function.decl.params) if p.name == name), None)
            if index is not None:
                return self._given(function, index, depth)
            own = self._local(name, function, depth)
            if own is not None:
                return own
        for file in self.code.files_with(name.encode(), directory=table.file.path.rpartition("/")[0]):
            spec = file.spec(name)
            if isinstance(spec, ValueSpec) and len(spec.values) == len(spec.names):
                value = next(v for n, v in zip(spec.names, spec.values, strict=True) if n.name == name)
                return self._entries(Cell(value, file, None), depth + 1)
        return None

    def _given(self, function: Function, index: int, depth: int) -> list[Entry] | None:
        """What all callers give for a parameter."""
        found: list[Entry] = []
        for caller, call in self.calls_of(function):
            given = call.args[index] if index < len(call.args) else None
            entries = (
                self._entries(Cell(given, caller.file, caller), depth + 1) if given is not None else None
            )
            if entries is None:
                return None
            found += entries
        return found

    def _local(self, name: str, function: Function, depth: int) -> list[Entry] | None:
        """The elements of a local variable: of all that is assigned to it, and what is put into it."""
        found: list[Entry] | None = None
        for node in self.nodes(function):
            for target, value in _assignments(node):
                if isinstance(target, Ident) and target.name == name:
                    if _adds_to(value, name):
                        assert isinstance(value, Call)
                        more = [Entry(None, Cell(a, function.file, function), None) for a in value.args[1:]]
                    else:
                        entries = self._entries(Cell(value, function.file, function), depth + 1)
                        if entries is None:
                            return None
                        more = entries
                    found = [*(found or []), *more]
                elif isinstance(target, Index) and isinstance(target.x, Ident) and target.x.name == name:
                    key = Cell(target.indices[0], function.file, function)
                    found = [*(found or []), Entry(key, Cell(value, function.file, function), None)]
        return found

    # ---------------------------------------------------------------- fields

    def _field(self, entry: Entry, name: str) -> Cell | None:
        """A field of an element that is a struct literal."""
        literal = entry.value.expr
        while isinstance(literal, Unary):
            literal = literal.x
        if not isinstance(literal, CompositeLit):
            return None
        for position, (key, value) in enumerate(literal.elements):
            if isinstance(key, Ident) and key.name == name:
                return Cell(value, entry.value.file, entry.value.function)
            if key is None:
                type_ = entry.type if literal.type is None else None
                if literal.type is not None:
                    type_ = Cell(literal.type, entry.value.file, entry.value.function)
                names = self._field_names(type_)
                if position < len(names) and names[position] == name:
                    return Cell(value, entry.value.file, entry.value.function)
        return None

    def _field_names(self, type_: Cell | None) -> list[str]:
        """The names of the fields of a struct type, in order."""
        expr = type_.expr if type_ is not None else None
        if type_ is not None and isinstance(expr, Ident):
            expr = self._type_named(expr.name, type_)
        return [field.name for field in expr.fields] if isinstance(expr, StructType) else []

    def _type_named(self, name: str, where: Cell) -> Expr | None:
        for node in self.nodes(where.function) if where.function is not None else ():
            for spec in node.specs if isinstance(node, DeclStmt) else ():
                if isinstance(spec, TypeSpec) and spec.name == name:
                    return spec.type
        for file in self.code.files_with(name.encode(), directory=where.file.path.rpartition("/")[0]):
            declared = file.spec(name)
            if isinstance(declared, TypeSpec):
                return declared.type
        return None


def _assignments(node: Node) -> Iterator[tuple[Expr, Expr]]:
    """(target, value) of every assignment that a node makes."""
    if isinstance(node, Assign) and len(node.lhs) == len(node.rhs):
        yield from zip(node.lhs, node.rhs, strict=True)
    elif isinstance(node, ValueSpec) and len(node.names) == len(node.values):
        yield from zip(node.names, node.values, strict=True)


def _adds_to(value: Expr, name: str) -> bool:
    """True for `append(name, ...)`."""
    if not isinstance(value, Call) or not isinstance(value.fun, Ident) or value.fun.name != "append":
        return False
    return bool(value.args) and isinstance(value.args[0], Ident) and value.args[0].name == name
