"""What the statements of a SQL file say they create, whether or not anybody runs them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.languages.sql.tree import (
    Alter,
    Constraint,
    CreateIndex,
    CreateSchema,
    CreateTable,
    Do,
    Name,
    SetVariable,
    Statement,
)

if TYPE_CHECKING:
    from zuno_audit.languages.sql.scripts import Piece


class Declared(NamedTuple):
    """Something that a statement is to create.

    `kind` is schema, table, index or constraint; `schema` the one it names or the search path's first,
    None when neither says. `start` is the statement's own offset, `piece` that of the script's statement.
    """

    kind: str
    schema: str | None
    name: str
    start: int
    piece: int
    table: str | None = None
    columns: tuple[str, ...] = ()
    method: str = ""
    unique: bool = False
    constraint_kind: str = ""


def declarations(pieces: Iterable[Piece]) -> tuple[Declared, ...]:
    """Everything that the statements of one file are to create, in order."""
    found: list[Declared] = []
    schema: str | None = None
    for piece in pieces:
        if isinstance(piece.tree, SetVariable) and piece.tree.variable == "search_path":
            schema = next((v for v in piece.tree.values or () if v != "$user"), None)
        elif piece.tree is not None:
            found += _of_statement(piece.tree, schema, piece.start)
        elif piece.subject is not None:
            found += _of_subject(piece, schema)
    return tuple(found)


def _of_subject(piece: Piece, schema: str | None) -> Iterator[Declared]:
    """A statement that does not parse, but whose subject is known."""
    assert piece.subject is not None
    kind, own, name = piece.subject
    if kind == "schema" and own is not None:
        yield Declared("schema", None, own, piece.start, piece.start)
    elif kind == "table" and name is not None:
        yield Declared("table", name.schema or schema, name.last, piece.start, piece.start)
    elif kind in ("index", "constraint") and own is not None:
        table = name.last if name is not None else None
        where = (name.schema if name is not None else None) or schema
        if kind == "constraint":
            yield Declared("constraint", where, own, piece.start, piece.start, table)
        yield Declared("index", where, own, piece.start, piece.start, table)


def _of_statement(tree: Statement, schema: str | None, piece: int) -> Iterator[Declared]:
    if isinstance(tree, CreateSchema):
        if tree.name is not None:
            yield Declared("schema", None, tree.name, tree.start, piece)
        for element in tree.elements:
            yield from _of_statement(element, tree.name, piece)
    elif isinstance(tree, CreateTable):
        columns = tuple(c.name for c in tree.columns)
        yield Declared(
            "table", tree.name.schema or schema, tree.name.last, tree.start, piece, columns=columns
        )
        everything = [c for column in tree.columns for c in column.constraints] + list(tree.constraints)
        for constraint in everything:
            yield from _of_constraint(constraint, tree.name, schema, tree.start, piece)
    elif isinstance(tree, CreateIndex):
        keys = tuple(k.column for k in tree.keys if k.column is not None)
        yield Declared(
            "index", tree.table.schema or schema, tree.name or "", tree.start, piece, tree.table.last, keys,
            tree.method, tree.unique,
        )  # fmt: skip
    elif isinstance(tree, Alter):
        for action in tree.actions:
            constraints = list(action.column.constraints) if action.column is not None else []
            constraints += [action.constraint] if action.constraint is not None else []
            for constraint in constraints:
                yield from _of_constraint(constraint, tree.name, schema, tree.start, piece)
    elif isinstance(tree, Do):
        yield from _of_block(tree, schema, piece)


def _of_constraint(
    constraint: Constraint, table: Name, schema: str | None, start: int, piece: int
) -> Iterator[Declared]:
    if constraint.name is None:
        return
    where = table.schema or schema
    yield Declared(
        "constraint", where, constraint.name, start, piece, table.last, constraint.columns,
        constraint_kind=constraint.kind,
    )  # fmt: skip
    if constraint.kind in ("unique", "primary key"):
        yield Declared(
            "index", where, constraint.name, start, piece, table.last, constraint.columns, "btree", True
        )


def _of_block(tree: Do, schema: str | None, piece: int) -> Iterator[Declared]:
    from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
    from zuno_audit.languages.sql.plpgsql import parse_plpgsql, statements_of

    try:
        block = parse_plpgsql(tree.body, tree.body_start)
    except (SqlError, NotUnderstood):
        return
    for statement in statements_of(block):
        yield from _of_statement(statement, schema, piece)
