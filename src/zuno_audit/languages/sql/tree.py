"""The tree of a SQL text. Offsets point into the file; names are as PostgreSQL stores them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Name:
    """A name, qualified or not: `parts` from the outermost to the object itself."""

    parts: tuple[str, ...]
    start: int

    @property
    def last(self) -> str:
        return self.parts[-1]

    @property
    def schema(self) -> str | None:
        return self.parts[-2] if len(self.parts) > 1 else None

    def __str__(self) -> str:
        return ".".join(self.parts)


@dataclass(frozen=True, slots=True)
class TypeName:
    """A type as written, with the spellings of the standard folded: `name` is PostgreSQL's display name."""

    name: str
    schema: str | None
    start: int
    dimensions: int = 0
    builtin: bool = False  # the grammar itself knows it (integer, timestamp with time zone)


@dataclass(frozen=True, slots=True)
class Expr:
    """An expression.

    kind      value                          args
    column    tuple of names (last may be *)
    text, number, bits, boolean, null, default, param, variable
    call      tuple of names                 arguments
    cast      TypeName                       the operand
    op        the operator                   one or two operands
    bool      and, or, not                   operands
    test      is null, in, like, ...         operands (result is boolean)
    case, array, row, collate, subscript, field, named
    query     exists, in, scalar, array      `query` holds the tree
    """

    kind: str
    start: int
    value: Any = None
    args: tuple[Expr, ...] = ()
    query: Query | None = None
    star: bool = False


@dataclass(frozen=True, slots=True)
class FromItem:
    """One element of FROM. `columns` are known only for a list of aliases."""

    alias: str | None
    start: int
    table: Name | None = None
    query: Query | None = None
    call: Expr | None = None
    columns: tuple[str, ...] = ()
    lateral: bool = False


@dataclass(frozen=True, slots=True)
class Query:
    """SELECT, VALUES or TABLE with everything that hangs on it; set operations in `more`."""

    start: int
    targets: tuple[tuple[Expr, str | None], ...] = ()
    items: tuple[FromItem, ...] = ()
    conditions: tuple[Expr, ...] = ()
    ordering: tuple[Expr, ...] = ()
    ctes: tuple[tuple[str, Query | Insert | Update | Delete], ...] = ()
    values: tuple[tuple[Expr, ...], ...] = ()
    more: tuple[Query, ...] = ()
    windows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint of a column or a table.

    `kind`: not null, null, default, check, unique, primary key, foreign key, exclude, generated, identity.
    """

    kind: str
    start: int
    name: str | None = None
    columns: tuple[str, ...] = ()
    expr: Expr | None = None
    table: Name | None = None
    referenced: tuple[str, ...] = ()
    index: str | None = None
    keys: tuple[IndexKey, ...] = ()
    method: str = ""


@dataclass(frozen=True, slots=True)
class Column:
    """A column definition; `type` is None in a typed or partition table."""

    name: str
    type: TypeName | None
    start: int
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class IndexKey:
    """One key of an index: a plain column (`column`) or an expression."""

    expr: Expr
    column: str | None
    opclass: Name | None
    start: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What all statements have."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class CreateSchema(Statement):
    name: str | None
    if_not_exists: bool = False
    role: str | None = None
    elements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateTable(Statement):
    name: Name
    if_not_exists: bool = False
    temporary: bool = False
    columns: tuple[Column, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    likes: tuple[Name, ...] = ()
    inherits: tuple[Name, ...] = ()
    partition_of: Name | None = None
    partition_keys: tuple[IndexKey, ...] | None = None
    of_type: Name | None = None
    query: Query | None = None


@dataclass(frozen=True, slots=True)
class CreateIndex(Statement):
    name: str | None
    table: Name
    keys: tuple[IndexKey, ...]
    method: str = "btree"
    unique: bool = False
    concurrently: bool = False
    if_not_exists: bool = False
    include: tuple[str, ...] = ()
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Action:
    """One action of ALTER TABLE. `kind` is its words: add column, drop constraint, set default, ..."""

    kind: str
    start: int
    name: str | None = None
    new_name: str | None = None
    column: Column | None = None
    constraint: Constraint | None = None
    type: TypeName | None = None
    expr: Expr | None = None
    table: Name | None = None
    lenient: bool = False  # IF EXISTS or IF NOT EXISTS
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class Alter(Statement):
    """ALTER TABLE, VIEW, INDEX, SEQUENCE, TYPE, SCHEMA, ... by `what`."""

    what: str
    name: Name
    actions: tuple[Action, ...]
    if_exists: bool = False


@dataclass(frozen=True, slots=True)
class CreateType(Statement):
    """`form` is enum, composite, range, base or shell."""

    name: Name
    form: str
    labels: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateDomain(Statement):
    name: Name
    type: TypeName
    constraints: tuple[Constraint, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateExtension(Statement):
    name: str
    if_not_exists: bool = False
    schema: str | None = None
    cascade: bool = False


@dataclass(frozen=True, slots=True)
class CreateSequence(Statement):
    name: Name
    if_not_exists: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    mode: str
    name: str | None
    type: TypeName
    default: Expr | None = None


@dataclass(frozen=True, slots=True)
class CreateFunction(Statement):
    name: Name
    replace: bool
    procedure: bool
    parameters: tuple[Parameter, ...]
    returns: TypeName | None
    language: str
    body: str | None
    body_start: int
    volatility: str = "v"
    returns_table: bool = False


@dataclass(frozen=True, slots=True)
class CreateTrigger(Statement):
    name: str
    table: Name
    function: Name
    replace: bool = False
    columns: tuple[str, ...] = ()
    when: Expr | None = None
    timing: str = ""
    for_row: bool = False


@dataclass(frozen=True, slots=True)
class CreateView(Statement):
    name: Name
    query: Query
    replace: bool = False
    materialized: bool = False
    if_not_exists: bool = False
    columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreateDatabase(Statement):
    name: str


@dataclass(frozen=True, slots=True)
class CreateRole(Statement):
    name: str


@dataclass(frozen=True, slots=True)
class Drop(Statement):
    """`on` is the table of a trigger, a rule or a policy."""

    what: str
    names: tuple[Name, ...]
    if_exists: bool = False
    cascade: bool = False
    on: Name | None = None
    concurrently: bool = False


@dataclass(frozen=True, slots=True)
class Comment(Statement):
    """COMMENT ON; for a constraint or a trigger `on` is its table."""

    what: str
    name: Name
    on: Name | None = None


@dataclass(frozen=True, slots=True)
class SetVariable(Statement):
    """SET and RESET (`values` None); a role's or a database's default when `scope` says so."""

    variable: str
    values: tuple[str, ...] | None
    local: bool = False


@dataclass(frozen=True, slots=True)
class Transaction(Statement):
    """`kind`: begin, commit, rollback, savepoint, rollback to, release."""

    kind: str


@dataclass(frozen=True, slots=True)
class Insert(Statement):
    table: Name
    columns: tuple[str, ...] | None
    source: Query | None
    alias: str | None = None
    conflict_columns: tuple[Expr, ...] = ()
    conflict_constraint: str | None = None
    assignments: tuple[tuple[str, Expr], ...] = ()
    where: Expr | None = None
    returning: tuple[tuple[Expr, str | None], ...] = ()
    ctes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Update(Statement):
    table: Name
    assignments: tuple[tuple[str, Expr], ...]
    alias: str | None = None
    items: tuple[FromItem, ...] = ()
    where: Expr | None = None
    returning: tuple[tuple[Expr, str | None], ...] = ()
    ctes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Delete(Statement):
    table: Name
    alias: str | None = None
    items: tuple[FromItem, ...] = ()
    where: Expr | None = None
    returning: tuple[tuple[Expr, str | None], ...] = ()
    ctes: tuple[tuple[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Select(Statement):
    query: Query


@dataclass(frozen=True, slots=True)
class Do(Statement):
    language: str
    body: str
    body_start: int


@dataclass(frozen=True, slots=True)
class Grant(Statement):
    """GRANT and REVOKE on tables or schemas; only names that must exist are kept."""

    what: str
    names: tuple[Name, ...]
    roles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OnTable(Statement):
    """A statement that needs its table and changes no definition: TRUNCATE, ANALYZE, LOCK, POLICY..."""

    what: str
    names: tuple[Name, ...] = field(default=())
