"""What exists in a database: schemas, relations, types, functions. Copied at BEGIN, dropped at ROLLBACK."""

from typing import NamedTuple

from msgspec import Struct, field

Key = tuple[str, str]  # schema, name


class DatabaseError(Exception):
    """A statement that PostgreSQL refuses while it runs. `condition` is PL/pgSQL's name for it."""

    def __init__(self, condition: str, message: str, offset: int) -> None:
        super().__init__(message)
        self.condition = condition
        self.message = message
        self.offset = offset


class Undecided(Exception):
    """Whether a statement runs cannot be told."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset


class Origin(NamedTuple):
    """The statement that made an object."""

    path: str
    start: int


class Schema(NamedTuple):
    """A schema; the server's own have no origin."""

    origin: Origin | None = None
    doubt: str = ""


class TableColumn(NamedTuple):
    """A column; `type` is None when it cannot be told."""

    name: str
    type: str | None


class KnownConstraint(NamedTuple):
    """A named constraint. `unique` ones say which columns."""

    name: str
    kind: str
    columns: tuple[str, ...] = ()
    target: Key | None = None
    target_columns: tuple[str, ...] = ()


class Relation(NamedTuple):
    """A table, view, index or sequence: they share one namespace.

    `columns` is None when they cannot be told. `doubt` says why it may not exist after all.
    """

    kind: str
    schema: str
    name: str
    origin: Origin
    columns: tuple[TableColumn, ...] | None = ()
    constraints: tuple[KnownConstraint, ...] = ()
    partition_keys: tuple[str, ...] | None = None
    partition_of: Key | None = None
    table: Key | None = None
    method: str = ""
    unique: bool = False
    index_columns: tuple[str, ...] = ()
    predicate: bool = False
    not_null: tuple[str, ...] = ()  # the columns of a predicate that only says IS NOT NULL
    reads: frozenset[Key] = frozenset()
    reads_columns: frozenset[str] = frozenset()
    doubt: str = ""

    def may_read(self, table: Key, column: str) -> bool:
        """True when a view may need this column of the table."""
        return table in self.reads and bool(self.reads_columns & {column, "*"})

    @property
    def key(self) -> Key:
        return (self.schema, self.name)

    def column(self, name: str) -> TableColumn | None:
        """The column of that name, or None."""
        return next((c for c in self.columns or () if c.name == name), None)


class UserType(NamedTuple):
    """A domain, an enum, a composite or a range; `base` is the type below a domain."""

    kind: str
    base: str | None = None
    labels: tuple[str, ...] = ()
    doubt: str = ""


class UserFunction(NamedTuple):
    """One overload."""

    least: int
    most: int
    volatility: str
    result: str | None
    language: str = "plpgsql"
    signature: tuple[str, ...] = ()


class Catalog(Struct, eq=False):
    """One database. Entities are immutable, so a copy of the tables of names is a full copy."""

    schemas: dict[str, "Schema"] = field(
        default_factory=lambda: {name: Schema() for name in ("public", "pg_catalog", "information_schema")}
    )
    relations: dict[Key, Relation] = field(default_factory=dict)
    types: dict[Key, UserType] = field(default_factory=dict)
    functions: dict[Key, tuple[UserFunction, ...]] = field(default_factory=dict)
    triggers: set[tuple[Key, str]] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    extensions: dict[str, str] = field(default_factory=lambda: {"plpgsql": "pg_catalog"})
    search_path: tuple[str, ...] = ("$user", "public")
    default_path: tuple[str, ...] = ("$user", "public")
    hidden: bool = False  # something happened that could not be followed: unknown names may exist

    def copy(self) -> "Catalog":
        """An independent copy."""
        return Catalog(
            dict(self.schemas),
            dict(self.relations),
            dict(self.types),
            dict(self.functions),
            set(self.triggers),
            set(self.roles),
            dict(self.extensions),
            self.search_path,
            self.default_path,
            self.hidden,
        )

    # -- names

    def path(self, user: str | None) -> tuple[str, ...]:
        """The schemas of the search path that exist, the user's own first."""
        names = (user if name == "$user" else name for name in self.search_path)
        return tuple(name for name in names if name is not None and name in self.schemas)

    def find(self, parts: tuple[str, ...], user: str | None) -> Relation | None:
        """The relation of that name, qualified or by search path."""
        if len(parts) > 1:
            return self.relations.get((parts[-2], parts[-1]))
        for schema in self.path(user):
            found = self.relations.get((schema, parts[-1]))
            if found is not None:
                return found
        return None

    def find_type(self, schema: str | None, name: str, user: str | None) -> UserType | None:
        """The user's type of that name; a table is a type too."""
        for candidate in (schema,) if schema is not None else self.path(user):
            found = self.types.get((candidate, name))
            if found is not None:
                return found
            relation = self.relations.get((candidate, name))
            if relation is not None and relation.kind in ("table", "view"):
                return UserType("composite")
        return None

    def find_functions(self, parts: tuple[str, ...], user: str | None) -> tuple[UserFunction, ...]:
        """All overloads of a user's function."""
        if len(parts) > 1:
            return self.functions.get((parts[-2], parts[-1]), ())
        found: tuple[UserFunction, ...] = ()
        for schema in self.path(user):
            found += self.functions.get((schema, parts[-1]), ())
        return found

    def indexes_of(self, table: Key) -> tuple[Relation, ...]:
        """The indexes of a table."""
        return tuple(r for r in self.relations.values() if r.kind == "index" and r.table == table)

    # -- changes

    def add(self, relation: Relation) -> None:
        self.relations[relation.key] = relation

    def drop(self, key: Key) -> None:
        """Remove a relation with its indexes, triggers and the foreign keys that point at it."""
        self.relations.pop(key, None)
        for index in self.indexes_of(key):
            self.relations.pop(index.key, None)
        self.triggers = {t for t in self.triggers if t[0] != key}
        for other in list(self.relations.values()):
            kept = tuple(c for c in other.constraints if c.target != key)
            if len(kept) != len(other.constraints):
                self.relations[other.key] = other._replace(constraints=kept)

    def move(self, old: Key, relation: Relation) -> None:
        """Give a relation another key: what points at it follows."""
        self.relations.pop(old, None)
        self.relations[relation.key] = relation
        for other in list(self.relations.values()):
            changed = other
            if other.table == old:
                changed = changed._replace(table=relation.key)
            if any(c.target == old for c in other.constraints):
                changed = changed._replace(
                    constraints=tuple(
                        c._replace(target=relation.key) if c.target == old else c for c in other.constraints
                    ),
                )
            if changed is not other:
                self.relations[other.key] = changed
        self.triggers = {(relation.key, name) if t == old else (t, name) for t, name in self.triggers}
