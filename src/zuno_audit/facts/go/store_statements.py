"""What calls do to stores: rows looked up by a value, values written to columns, rows removed.

SQL is parsed, whichever library runs it; of Redis and Mongo clients and of gorm the methods are known. A column
is a tuple of the kind of store, the table (or key prefix, or nothing) and the column's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from zuno_audit.facts.go.values import Const, Extern, Value
from zuno_audit.languages.sql.scripts import parse_script
from zuno_audit.languages.sql.tree import Delete, Expr, FromItem, Insert, Query, Select, Update

Column = tuple[str, ...]
_SQL = re.compile(
    r"\s*(?:--[^\n]*\n\s*|/\*.*?\*/\s*)*(?:select|insert|update|delete|with|merge)\b", re.I | re.S
)
_QUESTION = re.compile(r"'(?:[^']|'')*'|\?")
_NUMBER = re.compile(r"\d+")
_SPENT = re.compile(
    r"revok|used|invalid|active|expir|delet|status|replac|consum|rotat|spent|valid|blocked|revision", re.I
)


class Action(Struct, frozen=True):
    """One thing that a call does. `value` is what is looked up or written; None for a removal without one.

    `kind`: find (rows where the column is the value), add (a new row has it), replace (it takes the place of what
    was in the column), drop (the row is removed or marked as no longer good). `key` is what it is found by.
    """

    kind: str
    column: Column
    value: Value | None = None
    key: Value | None = None


def sql_of(args: list[Value]) -> tuple[str, list[Value]] | None:
    """The SQL text among the arguments of a call, and the arguments behind it."""
    for position, value in enumerate(args):
        for v in value:
            if isinstance(v, Const) and isinstance(v.value, str) and _SQL.match(v.value):
                return v.value, args[position + 1 :]
    return None


def sql_actions(text: str, params: list[Value]) -> list[Action] | None:
    """What a SQL text does with its parameters; None when it cannot be read."""
    statements = _parsed(text)
    if statements is None:
        return None
    return [action for statement in statements for action in _Reader(params).statement(statement)]


@lru_cache(maxsize=256)
def _parsed(text: str) -> tuple[Any, ...] | None:
    count = iter(range(1, 1000))
    numbered = _QUESTION.sub(lambda m: f"${next(count)}" if m.group() == "?" else m.group(), text)
    trees = tuple(piece.tree for piece in parse_script(numbered))
    return None if not trees or None in trees else trees


class _Reader:
    """Reads the statements of one text."""

    def __init__(self, params: list[Value]) -> None:
        self.params = params

    def statement(self, tree: Any) -> Iterator[Action]:
        match tree:
            case Select(query=query):
                yield from self._query(query)
            case Query():
                yield from self._query(tree)
            case Insert():
                yield from self._insert(tree)
            case Update():
                yield from self._ctes(tree.ctes)
                table = tree.table.last
                set_ = {name for name, _ in tree.assignments}
                for action in self._conditions((tree.where,), {None: table, tree.alias: table}):
                    if tree.returning or action.column[-1] in set_:  # else it is only said which row
                        yield action
                for name, expr in tree.assignments:
                    yield from self._written("replace", ("sql", table, name), expr)
                if any(_SPENT.search(name) for name, _ in tree.assignments):
                    yield Action("drop", ("sql", table))
            case Delete():
                yield from self._ctes(tree.ctes)
                yield from self._conditions(
                    (tree.where,), {None: tree.table.last, tree.alias: tree.table.last}
                )
                yield Action("drop", ("sql", tree.table.last))

    def _ctes(self, ctes: tuple[tuple[str, Any], ...]) -> Iterator[Action]:
        for _, inner in ctes:
            yield from self.statement(inner)

    def _query(self, query: Query) -> Iterator[Action]:
        yield from self._ctes(query.ctes)
        tables = {item.alias or (item.table.last if item.table else None): item for item in query.items}
        names: dict[str | None, str] = {k: i.table.last for k, i in tables.items() if i.table is not None}
        if len(names) == 1:
            names[None] = next(iter(names.values()))
        yield from self._conditions(query.conditions, names)
        for item in query.items:
            yield from self._item(item)
        for more in query.more:
            yield from self._query(more)

    def _item(self, item: FromItem) -> Iterator[Action]:
        if item.query is not None:
            yield from self._query(item.query)

    def _insert(self, tree: Insert) -> Iterator[Action]:
        yield from self._ctes(tree.ctes)
        table = tree.table.last
        rows = tree.source.values if tree.source is not None else ()
        targets = tuple(e for e, _ in tree.source.targets) if tree.source is not None else ()
        given: dict[str, Expr] = {}
        for row in rows or ((targets,) if targets else ()):
            given |= dict(zip(tree.columns or (), row, strict=False))
        for name, expr in given.items():
            yield from self._written("add", ("sql", table, name), expr)
        for name, expr in tree.assignments:
            is_new = expr.kind == "column" and expr.value[:1] == ("excluded",)
            yield from self._written(
                "replace", ("sql", table, name), given.get(name, expr) if is_new else expr
            )

    def _written(self, kind: str, column: Column, expr: Expr) -> Iterator[Action]:
        for value in self._values(expr):
            yield Action(kind, column, value)

    def _conditions(
        self, conditions: tuple[Expr | None, ...], tables: dict[str | None, str]
    ) -> Iterator[Action]:
        for condition in conditions:
            for expr in _walk(condition):
                if expr.kind not in ("op", "test"):
                    continue
                columns = [x for x in expr.args if x.kind == "column"]
                values = [v for x in expr.args if x.kind != "column" for v in self._values(x)]
                for column in columns if expr.kind == "test" or expr.value == "=" else ():
                    owner = column.value[-2] if len(column.value) > 1 else None
                    table = tables.get(owner, owner or tables.get(None, ""))
                    yield from (Action("find", ("sql", table, column.value[-1]), v) for v in values)

    def _values(self, expr: Expr) -> Iterator[Value]:
        """The values of the parameters in an expression."""
        for inner in _walk(expr):
            number = _NUMBER.search(str(inner.value)) if inner.kind == "param" else None
            if number is not None and 0 < int(number.group()) <= len(self.params):
                yield self.params[int(number.group()) - 1]


def _walk(expr: Expr | None) -> Iterator[Expr]:
    if expr is not None:
        yield expr
        for inner in expr.args:
            yield from _walk(inner)


# ---------------------------------------------------------------- Redis

_REDIS_SETS = frozenset(
    ("Set", "SetEx", "SetEX", "SetNX", "SetXX", "SetArgs", "HSet", "HMSet", "SAdd", "ZAdd")
)
_REDIS_FINDS = frozenset(
    ("Get", "GetEx", "Exists", "HGet", "HGetAll", "SIsMember", "HExists", "GetDel", "GetSet")
)
_REDIS_DROPS = frozenset(("Del", "Unlink", "GetDel", "HDel", "SRem", "ZRem", "Expire", "ExpireAt"))


def redis_actions(name: str, args: list[Value]) -> list[Action]:
    """What a method of a Redis client does; the first argument is a context."""
    keys = args[1:2] if name in _REDIS_SETS | {"HGet", "HDel"} else args[1:]
    found: list[Action] = []
    for key in keys:
        column = ("redis", _prefix(key), "key")
        if name in _REDIS_FINDS:
            found.append(Action("find", column, key))
        if name in _REDIS_DROPS:
            found.append(Action("drop", column, key))
        if name in _REDIS_SETS:
            found += [
                Action("add", column, key),
                *(Action("replace", (*column[:2], "value"), v, key) for v in args[2:]),
            ]
    return found


def _prefix(key: Value) -> str:
    """The constant beginning of a key, as far as it goes."""
    v = key[0] if len(key) == 1 else None
    if isinstance(v, Const) and isinstance(v.value, str):
        return v.value
    if isinstance(v, Extern) and v.args:
        if (v.path, v.name) in (("text", "+"), ("fmt", "Sprintf")):
            return re.split(r"%", _prefix(v.args[0]), maxsplit=1)[0]
    return ""
