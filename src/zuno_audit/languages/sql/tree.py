"""The tree of a SQL text. Offsets point into the file; names are as PostgreSQL stores them.

Named tuples, because forty frozen dataclasses take five times as long to import as a schema to parse.
"""

from typing import Any, NamedTuple, TypeAlias


class Name(NamedTuple):
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


class TypeName(NamedTuple):
    """A type as written, with the spellings of the standard folded: `name` is PostgreSQL's display name."""

    name: str
    schema: str | None
    start: int
    dimensions: int = 0
    builtin: bool = False  # the grammar itself knows it (integer, timestamp with time zone)


class Expr(NamedTuple):
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
    args: tuple["Expr", ...] = ()
    query: "Query | None" = None
    star: bool = False


class FromItem(NamedTuple):
    """One element of FROM. `columns` are known only for a list of aliases."""

    alias: str | None
    start: int
    table: Name | None = None
    query: "Query | None" = None
    call: Expr | None = None
    columns: tuple[str, ...] = ()
    lateral: bool = False


class Query(NamedTuple):
    """SELECT, VALUES or TABLE with everything that hangs on it; set operations in `more`."""

    start: int
    targets: tuple[tuple[Expr, str | None], ...] = ()
    items: tuple[FromItem, ...] = ()
    conditions: tuple[Expr, ...] = ()
    ordering: tuple[Expr, ...] = ()
    ctes: "tuple[tuple[str, Query | Insert | Update | Delete], ...]" = ()
    values: tuple[tuple[Expr, ...], ...] = ()
    more: tuple["Query", ...] = ()
    windows: tuple[str, ...] = ()


class Constraint(NamedTuple):
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
    using: str | None = None
    keys: tuple["IndexKey", ...] = ()
    method: str = ""


class Column(NamedTuple):
    """A column definition; `type` is None in a typed or partition table."""

    name: str
    type: TypeName | None
    start: int
    constraints: tuple[Constraint, ...] = ()


class IndexKey(NamedTuple):
    """One key of an index: a plain column (`column`) or an expression."""

    expr: Expr
    column: str | None
    opclass: Name | None
    start: int


class CreateSchema(NamedTuple):
    start: int
    end: int
    name: str | None
    if_not_exists: bool = False
    role: str | None = None
    elements: tuple[Any, ...] = ()


class CreateTable(NamedTuple):
    start: int
    end: int
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
    like_indexes: tuple[Name, ...] = ()  # of LIKE, where indexes are copied as well


class CreateIndex(NamedTuple):
    start: int
    end: int
    name: str | None
    table: Name
    keys: tuple[IndexKey, ...]
    method: str = "btree"
    unique: bool = False
    concurrently: bool = False
    if_not_exists: bool = False
    include: tuple[str, ...] = ()
    where: Expr | None = None


class Action(NamedTuple):
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


class Alter(NamedTuple):
    """ALTER TABLE, VIEW, INDEX, SEQUENCE, TYPE, SCHEMA, ... by `what`."""

    start: int
    end: int
    what: str
    name: Name
    actions: tuple[Action, ...]
    if_exists: bool = False


class CreateType(NamedTuple):
    """`form` is enum, composite, range, base or shell."""

    start: int
    end: int
    name: Name
    form: str
    labels: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()


class CreateDomain(NamedTuple):
    start: int
    end: int
    name: Name
    type: TypeName
    constraints: tuple[Constraint, ...] = ()


class CreateExtension(NamedTuple):
    start: int
    end: int
    name: str
    if_not_exists: bool = False
    schema: str | None = None
    cascade: bool = False


class CreateSequence(NamedTuple):
    start: int
    end: int
    name: Name
    if_not_exists: bool = False


class Parameter(NamedTuple):
    mode: str
    name: str | None
    type: TypeName
    default: Expr | None = None


class CreateFunction(NamedTuple):
    start: int
    end: int
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


class CreateTrigger(NamedTuple):
    start: int
    end: int
    name: str
    table: Name
    function: Name
    replace: bool = False
    columns: tuple[str, ...] = ()
    when: Expr | None = None
    timing: str = ""
    for_row: bool = False


class CreateView(NamedTuple):
    start: int
    end: int
    name: Name
    query: Query
    replace: bool = False
    materialized: bool = False
    if_not_exists: bool = False
    columns: tuple[str, ...] = ()


class CreateDatabase(NamedTuple):
    start: int
    end: int
    name: str


class CreateRole(NamedTuple):
    start: int
    end: int
    name: str


class Drop(NamedTuple):
    """`on` is the table of a trigger, a rule or a policy."""

    start: int
    end: int
    what: str
    names: tuple[Name, ...]
    if_exists: bool = False
    cascade: bool = False
    on: Name | None = None
    concurrently: bool = False


class Comment(NamedTuple):
    """COMMENT ON; for a constraint or a trigger `on` is its table."""

    start: int
    end: int
    what: str
    name: Name
    on: Name | None = None


class SetVariable(NamedTuple):
    """SET and RESET (`values` None); a role's or a database's default when `scope` says so."""

    start: int
    end: int
    variable: str
    values: tuple[str, ...] | None
    local: bool = False


class Transaction(NamedTuple):
    """`kind`: begin, commit, rollback, savepoint, rollback to, release."""

    start: int
    end: int
    kind: str


class Insert(NamedTuple):
    start: int
    end: int
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


class Update(NamedTuple):
    start: int
    end: int
    table: Name
    assignments: tuple[tuple[str, Expr], ...]
    alias: str | None = None
    items: tuple[FromItem, ...] = ()
    where: Expr | None = None
    returning: tuple[tuple[Expr, str | None], ...] = ()
    ctes: tuple[tuple[str, Any], ...] = ()


class Delete(NamedTuple):
    start: int
    end: int
    table: Name
    alias: str | None = None
    items: tuple[FromItem, ...] = ()
    where: Expr | None = None
    returning: tuple[tuple[Expr, str | None], ...] = ()
    ctes: tuple[tuple[str, Any], ...] = ()


class Select(NamedTuple):
    start: int
    end: int
    query: Query


class Do(NamedTuple):
    start: int
    end: int
    language: str
    body: str
    body_start: int


class Grant(NamedTuple):
    """GRANT and REVOKE on tables or schemas; only names that must exist are kept."""

    start: int
    end: int
    what: str
    names: tuple[Name, ...]
    roles: tuple[str, ...]


class OnTable(NamedTuple):
    """A statement that needs its table and changes no definition: TRUNCATE, ANALYZE, LOCK, POLICY..."""

    start: int
    end: int
    what: str
    names: tuple[Name, ...] = ()


class Change(NamedTuple):
    """An INSERT, UPDATE or DELETE that parses: its text with marks for its constants, and the constants."""

    start: int
    end: int
    outline: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    source: str


Statement: TypeAlias = (
    CreateSchema
    | CreateTable
    | CreateIndex
    | Alter
    | CreateType
    | CreateDomain
    | CreateExtension
    | CreateSequence
    | CreateFunction
    | CreateTrigger
    | CreateView
    | CreateDatabase
    | CreateRole
    | Drop
    | Comment
    | SetVariable
    | Transaction
    | Insert
    | Update
    | Delete
    | Select
    | Do
    | Grant
    | OnTable
    | Change
)
