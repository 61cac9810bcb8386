"""Tables in code: what a loop goes over when it ranges over a map or a slice that is written down.

`for path, handler := range map[string]http.Handler{...} { mux.Handle(path, handler) }` adds as many routes as the
map has elements. The table may stand in the loop, or come from anywhere that `origins` follows; what is appended to
it or put into it later counts too. Unlike a set of alternatives, a row keeps together what belongs together.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.origins import At
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.origins import Origins
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.types import Type

MAX_DEPTH = 8
MAX_ROWS = 200


class Entry(Struct, frozen=True, eq=False):
    """One element of a table; `key` is None where it has none. `type` is that of the value, if the literal tells."""

    key: At | None
    value: At
    type: Type | None


Row = dict[str, tuple[str, Entry]]  # name of a variable -> "key" or "value", and of which element


class Tables:
    """Finds the rows of loops."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins

    def rows(self, root: Declaration, node: s.Node) -> list[Row]:
        """What the variables of the loops around a node hold, round by round; nothing if that is not known."""
        around = [n for n in root.nodes if isinstance(n, s.Range) and n.body.start < node.start < n.end]
        rounds = [rows for loop in around if (rows := self._rounds(loop, root))]
        if not rounds:
            return []
        combined = ({k: v for row in rows for k, v in row.items()} for rows in product(*rounds))
        return [row for row, _ in zip(combined, range(MAX_ROWS), strict=False)]

    def _rounds(self, loop: s.Range, root: Declaration) -> list[Row]:
        names = (("key", loop.key), ("value", loop.value))
        return [
            {name.name: (role, entry) for role, name in names if isinstance(name, s.Ident)}
            for entry in self._entries(At(loop.x, root), 0) or ()
        ]

    def look_up(self, expr: s.Expr, row: Row) -> At | None:
        """What an expression that names a variable of a loop, or a field of one, is in a round."""
        entry = self._element(expr, row)
        if entry is not None:
            return entry.value
        if isinstance(expr, s.Ident) and expr.name in row:
            return row[expr.name][1].key
        entry = self._element(expr.x, row) if isinstance(expr, s.Selector) else None
        return self._field(entry, expr.sel) if entry is not None and isinstance(expr, s.Selector) else None

    @staticmethod
    def _element(expr: s.Expr, row: Row) -> Entry | None:
        """The element that an expression is: the loop's value, or the table at the loop's key."""
        while isinstance(expr, s.Star | s.Unary):
            expr = expr.x
        wanted = "value"
        if isinstance(expr, s.Index) and len(expr.indices) == 1:
            expr, wanted = expr.indices[0], "key"
        role, entry = row.get(expr.name, ("", None)) if isinstance(expr, s.Ident) else ("", None)
        return entry if role == wanted else None

    # ---------------------------------------------------------------- elements

    def _entries(self, table: At, depth: int) -> list[Entry] | None:
        """The elements of a table, or None when they are not all known."""
        expr, root, _ = table
        if depth > MAX_DEPTH:
            return None
        if isinstance(expr, s.CompositeLit):
            return list(self._literal(expr, root))
        if (
            isinstance(expr, s.Call)
            and isinstance(expr.fun, s.Ident)
            and expr.fun.name == "append"
            and expr.args
        ):
            base = self._entries(At(expr.args[0], root), depth + 1)
            return None if base is None else [*base, *self._added(expr, root)]
        found: list[Entry] = []
        sources = self.origins.step(table)
        for source in sources:
            if _adds_to(source.expr, expr):
                found += self._added(source.expr, root)
                continue
            entries = self._entries(source, depth + 1)
            if entries is None:
                return None
            found += entries
        if isinstance(expr, s.Ident):
            found += self._put(expr, root)
        return found if sources else None

    @staticmethod
    def _added(call: s.Expr, root: Declaration) -> list[Entry]:
        return [Entry(None, At(a, root), None) for a in call.args[1:]] if isinstance(call, s.Call) else []

    def _literal(self, literal: s.CompositeLit, root: Declaration) -> Iterator[Entry]:
        made = self.origins.type_of(literal, root)
        under = self.origins.types.underlying(made) if made is not None else None
        elem = under.elem if under is not None else None
        is_list = isinstance(literal.type, s.ArrayType)
        for key, value in literal.elements:
            yield Entry(At(key, root) if key is not None and not is_list else None, At(value, root), elem)

    def _put(self, variable: s.Ident, root: Declaration) -> Iterator[Entry]:
        """What `table[key] = value` adds to a local variable."""
        names = self.origins.texts.bindings(root)
        own = names.variable(variable.name, variable.start)
        for node in root.nodes if own is not None else ():
            if isinstance(node, s.Assign) and len(node.lhs) == len(node.rhs):
                for target, value in zip(node.lhs, node.rhs, strict=True):
                    if isinstance(target, s.Index) and isinstance(target.x, s.Ident):
                        if names.variable(target.x.name, target.start) is own:
                            yield Entry(At(target.indices[0], root), At(value, root), None)

    # ---------------------------------------------------------------- fields

    def _field(self, entry: Entry, name: str) -> At | None:
        """A field of an element that is a struct literal."""
        literal, root, _ = entry.value
        while isinstance(literal, s.Unary):
            literal = literal.x
        if not isinstance(literal, s.CompositeLit):
            return None
        value = self.origins.value_in(literal, self.origins.type_of(literal, root) or entry.type, name)
        return At(value, root) if value is not None else None


def _adds_to(source: s.Expr, variable: s.Expr) -> bool:
    """True for `append(variable, ...)`."""
    if not isinstance(source, s.Call) or not isinstance(source.fun, s.Ident) or source.fun.name != "append":
        return False
    first = source.args[0] if source.args else None
    return isinstance(first, s.Ident) and isinstance(variable, s.Ident) and first.name == variable.name
