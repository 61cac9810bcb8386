"""CREATE TABLE, CREATE INDEX and constraints: what PostgreSQL checks before it makes them."""

from __future__ import annotations

from collections.abc import Iterable

from zuno_audit.facts.postgres import builtins
from zuno_audit.facts.postgres.catalog import (
    Catalog,
    DatabaseError,
    Key,
    KnownConstraint,
    Origin,
    Relation,
    TableColumn,
    Undecided,
)
from zuno_audit.facts.postgres.expressions import Checker, Scope, check_value, table_scope, unique_sets
from zuno_audit.facts.postgres.types import ENUM, column_type, comparable, group
from zuno_audit.languages.sql.tree import (
    Column,
    Constraint,
    CreateIndex,
    CreateTable,
    Expr,
    IndexKey,
    Name,
)

_TABLES = ("table", "partitioned table", "materialized view")
_MAX_NAME = 63  # NAMEDATALEN - 1


class TableMaker:
    """Makes tables and indexes in a catalog; `doubt` is put on everything that it makes."""

    def __init__(self, catalog: Catalog, user: str | None, path: str, doubt: str = "") -> None:
        self.catalog = catalog
        self.user = user
        self.path = path
        self.doubt = doubt

    def checker(self) -> Checker:
        return Checker(self.catalog, self.user)

    def target(self, name: Name, temporary: bool = False) -> Key:
        """Where a new object of that name goes.

        Raises DatabaseError when the schema does not exist.
        """
        if temporary:
            return ("pg_temp", name.last)
        if name.schema is not None:
            if name.schema not in self.catalog.schemas:
                if self.catalog.hidden:
                    raise Undecided(f'schema "{name.schema}" may not exist', name.start)
                raise DatabaseError(
                    "invalid_schema_name", f'schema "{name.schema}" does not exist', name.start
                )
            return (name.schema, name.last)
        path = self.catalog.path(self.user)
        if not path:
            raise DatabaseError("invalid_schema_name", "no schema has been selected to create in", name.start)
        return (path[0], name.last)

    def is_taken(self, key: Key, lenient: bool, start: int) -> bool:
        """True when the name is taken and the statement does not mind.

        Raises DatabaseError when it does.
        """
        found = self.catalog.relations.get(key)
        if found is None:
            return False
        if found.doubt:
            raise Undecided(f'whether "{key[1]}" exists is not certain: {found.doubt}', start)
        if lenient:
            return True
        raise DatabaseError("duplicate_table", f'relation "{key[1]}" already exists', start)

    # -- tables

    def create_table(self, statement: CreateTable) -> None:
        """CREATE TABLE in all its forms."""
        key = self.target(statement.name, statement.temporary)
        if self.is_taken(key, statement.if_not_exists, statement.name.start):
            return
        origin = Origin(self.path, statement.start)
        if statement.query is not None:
            columns = self.checker().check_query(statement.query)
            self.catalog.add(Relation("table", *key, origin, columns, doubt=self.doubt))
            return
        columns = self._columns(statement)
        table = Relation("table", *key, origin, columns, doubt=self.doubt)
        parent = None
        if statement.partition_of is not None:
            parent = self.checker().relation(statement.partition_of)
            if parent.partition_keys is None:
                message = f'"{parent.name}" is not partitioned'
                raise DatabaseError("wrong_object_type", message, statement.partition_of.start)
            table = table._replace(columns=parent.columns, partition_of=parent.key)
        if statement.partition_keys is not None:
            table = table._replace(partition_keys=self._partition_keys(table, statement.partition_keys))
        self.catalog.add(table)
        try:
            self._constraints(statement, table)
            for name in statement.like_indexes:
                self._copy_indexes(self.checker().relation(name), key)
            if parent is not None:
                self._inherit_indexes(parent, key)
        except (DatabaseError, Undecided):
            self.catalog.drop(key)
            raise

    def _columns(self, statement: CreateTable) -> tuple[TableColumn, ...] | None:
        columns: list[TableColumn] = []
        complete = True
        for name in (*statement.inherits, *statement.likes):
            source = self.checker().relation(name)
            complete = complete and source.columns is not None
            columns += [c for c in source.columns or () if all(c.name != k.name for k in columns)]
        inherited = {c.name for c in columns} if statement.inherits else set()
        for column in statement.columns:
            if any(c.name == column.name for c in columns) and column.name not in inherited:
                message = f'column "{column.name}" specified more than once'
                raise DatabaseError("duplicate_column", message, column.start)
            if column.type is None:
                raise DatabaseError("syntax_error", "a column needs a type", column.start)
            if column.name not in inherited:
                columns.append(self.new_column(column))
        return tuple(columns) if complete else None

    def new_column(self, column: Column) -> TableColumn:
        """The column with its real type.

        Raises DatabaseError when the type does not exist.
        """
        if column.type is None:
            raise DatabaseError("syntax_error", "a column needs a type", column.start)
        kind = self.checker().resolve_type(column.type)
        if column.name in ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"):
            message = f'column name "{column.name}" conflicts with a system column name'
            raise DatabaseError("duplicate_column", message, column.start)
        if kind == "trigger" or (kind or "").startswith("any"):
            raise DatabaseError("invalid_table_definition", f"column has pseudo-type {kind}", column.start)
        return TableColumn(column.name, None if kind is None else column_type(kind))

    def _partition_keys(self, table: Relation, keys: tuple[IndexKey, ...]) -> tuple[str, ...]:
        names: list[str] = []
        for key in keys:
            if key.column is None:
                self.checker().type_of(key.expr, table_scope(table))
                names.append("")  # an expression: no unique constraint can hold it
                continue
            if table.columns is not None and table.column(key.column) is None:
                message = f'column "{key.column}" named in partition key does not exist'
                raise DatabaseError("undefined_column", message, key.start)
            names.append(key.column)
        return tuple(names)

    def _constraints(self, statement: CreateTable, table: Relation) -> None:
        everything = [c for column in statement.columns for c in column.constraints]
        everything += statement.constraints
        keys = [c for c in everything if c.kind == "primary key"]
        if len(keys) > 1:
            message = f'multiple primary keys for table "{table.name}" are not allowed'
            raise DatabaseError("invalid_table_definition", message, keys[1].start)
        for column in statement.columns:
            if column.type is not None and column.type.name in ("serial", "bigserial", "smallserial"):
                self._sequence(table, column.name, statement.start)
            self._default_twice(column)
        order = ("primary key", "unique")
        for constraint in sorted(everything, key=lambda c: 0 if c.kind in order else 1):
            self.add_constraint(table.key, constraint, statement.start)

    def _default_twice(self, column: Column) -> None:
        defaults = [c for c in column.constraints if c.kind in ("default", "generated", "identity")]
        if len(defaults) > 1:
            message = f'multiple default values specified for column "{column.name}"'
            raise DatabaseError("syntax_error", message, defaults[1].start)
        nulls = {c.kind for c in column.constraints if c.kind in ("null", "not null", "primary key")}
        if "null" in nulls and len(nulls) > 1:
            message = f'conflicting NULL/NOT NULL declarations for column "{column.name}"'
            raise DatabaseError("syntax_error", message, column.start)

    def _sequence(self, table: Relation, column: str, start: int) -> None:
        key = (table.schema, self._free_name(table.schema, table.name, column, "seq"))
        self.catalog.add(
            Relation("sequence", *key, Origin(self.path, start), table=table.key, doubt=self.doubt)
        )

    def _inherit_indexes(self, parent: Relation, key: Key) -> None:
        for index in self.catalog.indexes_of(parent.key):
            name = self._free_name(key[0], key[1], "_".join(index.index_columns) or "expr", "idx")
            self.catalog.add(index._replace(schema=key[0], name=name, table=key))

    def _copy_indexes(self, source: Relation, key: Key) -> None:
        """LIKE ... INCLUDING INDEXES: the indexes of another table with names of their own, and its keys."""
        kinds = {c.name: c.kind for c in source.constraints}
        for index in self.catalog.indexes_of(source.key):
            kind = kinds.get(index.name, "")
            label = {"primary key": "pkey", "unique": "key"}.get(kind, "idx")
            middle = "" if label == "pkey" else "_".join(index.index_columns) or "expr"
            name = self._free_name(key[0], key[1], middle, label)
            self.catalog.add(index._replace(schema=key[0], name=name, table=key))
            if kind:
                self._remember(key, KnownConstraint(name, kind, index.index_columns))

    def _free_name(self, schema: str, table: str, column: str, label: str) -> str:
        """ChooseRelationName: shorten to fit, then number until the name is free."""
        number = 0
        while True:
            suffix = label + (str(number) if number else "")
            room = _MAX_NAME - len(suffix) - 1 - (1 if column else 0)
            first, second = table, column
            while len(first) + len(second) > room:
                if len(first) > len(second):
                    first = first[:-1]
                else:
                    second = second[:-1]
            name = "_".join(part for part in (first, second, suffix) if part)
            if (schema, name) not in self.catalog.relations:
                return name
            number += 1

    # -- constraints

    def add_constraint(self, key: Key, constraint: Constraint, start: int) -> None:
        """Check a constraint and put it on its table."""
        table = self.catalog.relations[key]
        self._columns_exist(table, constraint)
        if constraint.name is not None and any(c.name == constraint.name for c in table.constraints):
            message = f'constraint "{constraint.name}" for relation "{table.name}" already exists'
            raise DatabaseError("duplicate_object", message, constraint.start)
        handler = getattr(self, "_add_" + constraint.kind.replace(" ", "_"), None)
        if handler is not None:
            handler(table, constraint, start)

    def _columns_exist(self, table: Relation, constraint: Constraint) -> None:
        seen: set[str] = set()
        for column in constraint.columns:
            if table.columns is not None and table.column(column) is None:
                where = (
                    "referenced in foreign key constraint"
                    if constraint.kind == "foreign key"
                    else "named in key"
                )
                raise DatabaseError(
                    "undefined_column", f'column "{column}" {where} does not exist', constraint.start
                )
            if column in seen and constraint.kind in ("unique", "primary key"):
                message = f'column "{column}" appears twice in {constraint.kind} constraint'
                raise DatabaseError("duplicate_column", message, constraint.start)
            seen.add(column)

    def _add_default(self, table: Relation, constraint: Constraint, start: int) -> None:
        assert constraint.expr is not None
        column = table.column(constraint.columns[0])
        self.check_default(constraint.expr, column)

    def check_default(self, expr: Expr, column: TableColumn | None) -> None:
        """A default names no column, holds no query and fits the type."""
        checker = self.checker()
        if any(e.kind == "column" for e in walk(expr)):
            raise DatabaseError(
                "feature_not_supported", "cannot use column reference in DEFAULT expression", expr.start
            )
        kind = checker.type_of(expr, Scope())
        if checker.queries:
            raise DatabaseError(
                "feature_not_supported", "cannot use subquery in DEFAULT expression", expr.start
            )
        if column is not None:
            check_value(column.type, kind, expr, column.name)

    def _add_check(self, table: Relation, constraint: Constraint, start: int) -> None:
        assert constraint.expr is not None
        checker = self.checker()
        kind = checker.type_of(constraint.expr, table_scope(table))
        if checker.queries:
            raise DatabaseError(
                "feature_not_supported", "cannot use subquery in check constraint", constraint.start
            )
        if group(kind) not in (None, "boolean"):
            message = f"argument of CHECK must be type boolean, not type {kind}"
            raise DatabaseError("datatype_mismatch", message, constraint.expr.start)
        columns = sorted({e.value[-1] for e in walk(constraint.expr) if e.kind == "column"})
        name = constraint.name
        if name is None:
            middle = columns[0] if len(columns) == 1 else ""
            name = self._constraint_name(table, "_".join(p for p in (table.name, middle, "check") if p))
        self._remember(table.key, KnownConstraint(name, "check", tuple(columns)))

    def _constraint_name(self, table: Relation, wanted: str) -> str:
        taken = {c.name for c in table.constraints}
        name, number = wanted[:_MAX_NAME], 0
        while name in taken:
            number += 1
            name = f"{wanted[: _MAX_NAME - 2]}{number}"
        return name

    def _remember(self, key: Key, constraint: KnownConstraint) -> None:
        table = self.catalog.relations[key]
        self.catalog.relations[key] = table._replace(constraints=(*table.constraints, constraint))

    def _add_generated(self, table: Relation, constraint: Constraint, start: int) -> None:
        assert constraint.expr is not None
        checker = self.checker()
        kind = checker.type_of(constraint.expr, table_scope(table))
        if checker.queries:
            message = "cannot use subquery in column generation expression"
            raise DatabaseError("feature_not_supported", message, constraint.start)
        if any(e.kind == "column" and e.value[-1] == constraint.columns[0] for e in walk(constraint.expr)):
            message = f'cannot use generated column "{constraint.columns[0]}" in column generation expression'
            raise DatabaseError("invalid_object_definition", message, constraint.start)
        self._immutable(checker, "generation expression is not immutable", constraint.start)
        column = table.column(constraint.columns[0])
        if column is not None:
            check_value(column.type, kind, constraint.expr, column.name)

    def _immutable(self, checker: Checker, message: str, start: int) -> None:
        if checker.unstable:
            raise DatabaseError("invalid_object_definition", f"{message} ({checker.unstable})", start)
        if checker.doubtful:
            raise Undecided(checker.doubtful, start)

    def _add_identity(self, table: Relation, constraint: Constraint, start: int) -> None:
        column = table.column(constraint.columns[0])
        if (
            column is not None
            and column.type is not None
            and column.type not in ("smallint", "integer", "bigint")
        ):
            message = "identity column type must be smallint, integer, or bigint"
            raise DatabaseError("invalid_parameter_value", message, constraint.start)
        self._sequence(table, constraint.columns[0], start)

    def _add_primary_key(self, table: Relation, constraint: Constraint, start: int) -> None:
        if any(c.kind == "primary key" for c in table.constraints):
            message = f'multiple primary keys for table "{table.name}" are not allowed'
            raise DatabaseError("invalid_table_definition", message, constraint.start)
        self._add_unique(table, constraint, start)

    def _add_unique(self, table: Relation, constraint: Constraint, start: int) -> None:
        if constraint.using is not None:
            self._from_index(table, constraint)
            return
        is_primary = constraint.kind == "primary key"
        self._covers_partitions(table, set(constraint.columns), constraint)
        for column in constraint.columns:
            self._has_operator_class(table.column(column), "btree", constraint.start)
        name = constraint.name
        if name is None:
            middle = "" if is_primary else "_".join(constraint.columns)
            name = self._free_name(table.schema, table.name, middle, "pkey" if is_primary else "key")
        elif (table.schema, name) in self.catalog.relations:
            raise DatabaseError("duplicate_table", f'relation "{name}" already exists', constraint.start)
        self.catalog.add(
            Relation(
                "index", table.schema, name, Origin(self.path, start), (), table=table.key, method="btree",
                unique=True, index_columns=constraint.columns, doubt=self.doubt,
            )
        )  # fmt: skip
        self._remember(table.key, KnownConstraint(name, constraint.kind, constraint.columns))

    def _from_index(self, table: Relation, constraint: Constraint) -> None:
        index = self.catalog.relations.get((table.schema, constraint.using or ""))
        if index is None or index.kind != "index" or index.table != table.key:
            raise DatabaseError(
                "undefined_object", f'index "{constraint.using}" does not exist', constraint.start
            )
        if not index.unique or index.predicate or not index.index_columns:
            message = f'"{index.name}" is not a unique index on plain columns without a predicate'
            raise DatabaseError("wrong_object_type", message, constraint.start)
        name = constraint.name or index.name
        if name != index.name:
            self.catalog.move(index.key, index._replace(name=name))
        self._remember(table.key, KnownConstraint(name, constraint.kind, index.index_columns))

    def _covers_partitions(self, table: Relation, columns: set[str], constraint: Constraint) -> None:
        if table.partition_keys is not None and not set(table.partition_keys) <= columns:
            message = "unique constraint on partitioned table must include all partitioning columns"
            raise DatabaseError("feature_not_supported", message, constraint.start)

    def _add_exclude(self, table: Relation, constraint: Constraint, start: int) -> None:
        if table.partition_keys is not None:
            message = "exclusion constraints are not supported on partitioned tables"
            raise DatabaseError("feature_not_supported", message, constraint.start)
        self._index_keys(table, constraint.keys, constraint.method)
        name = constraint.name or self._free_name(table.schema, table.name, "", "excl")
        self._remember(table.key, KnownConstraint(name, "exclude"))

    def _add_foreign_key(self, table: Relation, constraint: Constraint, start: int) -> None:
        assert constraint.table is not None
        target = self.checker().relation(constraint.table)
        if target.kind != "table":
            message = f'referenced relation "{target.name}" is not a table'
            raise DatabaseError("wrong_object_type", message, constraint.start)
        referenced = constraint.referenced or self._primary_key(target, constraint)
        if len(referenced) != len(constraint.columns):
            message = "number of referencing and referenced columns for foreign key disagree"
            raise DatabaseError("invalid_foreign_key", message, constraint.start)
        self._referenced_columns(table, target, constraint, referenced)
        name = constraint.name
        if name is None:
            name = self._constraint_name(table, f"{table.name}_{'_'.join(constraint.columns)}_fkey")
        self._remember(
            table.key, KnownConstraint(name, "foreign key", constraint.columns, target.key, referenced)
        )

    def _primary_key(self, target: Relation, constraint: Constraint) -> tuple[str, ...]:
        for known in target.constraints:
            if known.kind == "primary key":
                return known.columns
        message = f'there is no primary key for referenced table "{target.name}"'
        raise DatabaseError("undefined_object", message, constraint.start)

    def _referenced_columns(
        self, table: Relation, target: Relation, constraint: Constraint, referenced: tuple[str, ...]
    ) -> None:
        for own, other in zip(constraint.columns, referenced, strict=True):
            column = target.column(other)
            if column is None and target.columns is not None:
                message = f'column "{other}" referenced in foreign key constraint does not exist'
                raise DatabaseError("undefined_column", message, constraint.start)
            mine = table.column(own)
            if column is not None and mine is not None and not comparable(mine.type, column.type):
                message = (
                    f'foreign key constraint cannot be implemented: key columns "{own}" and "{other}" '
                    f"are of incompatible types: {mine.type} and {column.type}"
                )
                raise DatabaseError("datatype_mismatch", message, constraint.start)
        if not any(s == set(referenced) and not partial for s, partial in unique_sets(self.catalog, target)):
            message = (
                f'there is no unique constraint matching given keys for referenced table "{target.name}"'
            )
            raise DatabaseError("invalid_foreign_key", message, constraint.start)

    # -- indexes

    def create_index(self, statement: CreateIndex) -> None:
        """CREATE INDEX."""
        table = self.checker().relation(statement.table)
        if table.kind not in _TABLES:
            message = f'cannot create index on relation "{table.name}"'
            raise DatabaseError("wrong_object_type", message, statement.table.start)
        name = statement.name
        if name is not None and self.is_taken((table.schema, name), statement.if_not_exists, statement.start):
            return
        if statement.concurrently and table.partition_keys is not None:
            message = f'cannot create index on partitioned table "{table.name}" concurrently'
            raise DatabaseError("feature_not_supported", message, statement.start)
        self._method(statement)
        self._index_keys(table, statement.keys, statement.method)
        for column in statement.include:
            if table.columns is not None and table.column(column) is None:
                raise DatabaseError("undefined_column", f'column "{column}" does not exist', statement.start)
        self._predicate(table, statement.where)
        columns = tuple(k.column for k in statement.keys if k.column is not None)
        if statement.unique and table.partition_keys is not None:
            self._covers_partitions(table, set(columns), Constraint("unique", statement.start))
        plain = columns if len(columns) == len(statement.keys) else ()
        if name is None:
            middle = "_".join(k.column or _key_name(k) for k in statement.keys)
            name = self._free_name(table.schema, table.name, middle, "idx")
        self.catalog.add(
            Relation(
                "index",
                table.schema,
                name,
                Origin(self.path, statement.start),
                (),
                table=table.key,
                method=statement.method,
                unique=statement.unique,
                index_columns=plain,
                predicate=statement.where is not None,
                not_null=_not_null(statement.where),
                doubt=self.doubt or table.doubt,
            )
        )

    def _method(self, statement: CreateIndex) -> None:
        method = statement.method
        if method not in builtins.INDEX_METHODS or (
            method == "bloom" and "bloom" not in self.catalog.extensions
        ):
            if self.catalog.hidden or method in ("hnsw", "ivfflat"):
                raise Undecided(f'access method "{method}" is not modelled', statement.start)
            raise DatabaseError(
                "undefined_object", f'access method "{method}" does not exist', statement.start
            )
        if statement.unique and method != "btree":
            message = f'access method "{method}" does not support unique indexes'
            raise DatabaseError("feature_not_supported", message, statement.start)
        if len(statement.keys) > 1 and method in ("hash", "spgist"):
            message = f'access method "{method}" does not support multicolumn indexes'
            raise DatabaseError("feature_not_supported", message, statement.start)
        if statement.include and method not in ("btree", "gist", "spgist"):
            message = f'access method "{method}" does not support included columns'
            raise DatabaseError("feature_not_supported", message, statement.start)

    def _index_keys(self, table: Relation, keys: tuple[IndexKey, ...], method: str) -> None:
        for key in keys:
            if key.column is not None:
                column = table.column(key.column)
                if column is None and table.columns is not None:
                    message = f'column "{key.column}" does not exist'
                    raise DatabaseError("undefined_column", message, key.start)
                kind = column.type if column is not None else None
            else:
                kind = self._key_expression(table, key)
            if key.opclass is not None:
                self._named_class(key.opclass, method, kind)
            elif key.column is not None:
                self._has_operator_class(TableColumn(key.column, kind), method, key.start)

    def _key_expression(self, table: Relation, key: IndexKey) -> str | None:
        checker = self.checker()
        kind = checker.type_of(key.expr, table_scope(table))
        if checker.queries:
            raise DatabaseError("feature_not_supported", "cannot use subquery in index expression", key.start)
        self._fits(checker)
        self._immutable(checker, "functions in index expression must be marked IMMUTABLE", key.start)
        return kind

    @staticmethod
    def _fits(checker: Checker) -> None:
        if checker.overflow is not None:
            message = f'"{checker.overflow.value}" is out of range for type double precision'
            raise DatabaseError("numeric_value_out_of_range", message, checker.overflow.start)

    def _predicate(self, table: Relation, where: Expr | None) -> None:
        if where is None:
            return
        checker = self.checker()
        kind = checker.type_of(where, table_scope(table))
        if checker.queries:
            raise DatabaseError(
                "feature_not_supported", "cannot use subquery in index predicate", where.start
            )
        if group(kind) not in (None, "boolean"):
            message = f"argument of WHERE must be type boolean, not type {kind}"
            raise DatabaseError("datatype_mismatch", message, where.start)
        self._fits(checker)
        self._immutable(checker, "functions in index predicate must be marked IMMUTABLE", where.start)

    def _named_class(self, name: Name, method: str, kind: str | None) -> None:
        matches = [c for c in builtins.operator_classes(method) if c.name == name.last]
        for found in matches:
            if found.extension == "-" or found.extension in self.catalog.extensions:
                return
        if self.catalog.hidden:
            raise Undecided(f'operator class "{name}" is not modelled', name.start)
        message = f'operator class "{name}" does not exist for access method "{method}"'
        raise DatabaseError("undefined_object", message, name.start)

    def _has_operator_class(self, column: TableColumn | None, method: str, start: int) -> None:
        """Refuse a type that the index method cannot order without a named operator class."""
        if column is None or column.type is None:
            return
        kind = {"character varying": "text", "cidr": "inet", "serial": "integer"}.get(
            column.type, column.type
        )
        wanted = {kind}
        if kind.endswith("[]"):
            wanted.add("anyarray")
        if kind.endswith(("range", "multirange")):
            wanted |= {"anyrange", "anymultirange"}
        if kind.startswith(ENUM):
            wanted.add("anyenum")
        for found in builtins.operator_classes(method):
            is_there = found.extension == "-" or found.extension in self.catalog.extensions
            if is_there and found.default and found.type in wanted:
                return
        if self.catalog.hidden or (group(kind) is None and "-" not in builtins.type_extensions(kind)):
            raise Undecided(f"whether {column.type} has an operator class for {method} is not known", start)
        message = f'data type {column.type} has no default operator class for access method "{method}"'
        raise DatabaseError("undefined_object", message, start)


def walk(expr: Expr) -> Iterable[Expr]:
    """The expression and everything inside it, subqueries left out."""
    yield expr
    for arg in expr.args:
        yield from walk(arg)


def _key_name(key: IndexKey) -> str:
    return str(key.expr.value[-1]) if key.expr.kind == "call" else "expr"


def _not_null(where: Expr | None) -> tuple[str, ...]:
    """The columns of `a IS NOT NULL AND b IS NOT NULL`; empty for any other predicate."""
    if where is None:
        return ()
    if where.kind == "bool" and where.value == "and":
        parts = [_not_null(arg) for arg in where.args]
        return tuple(c for part in parts for c in part) if all(parts) else ()
    if where.kind == "test" and where.value == "is not null" and where.args[0].kind == "column":
        return (str(where.args[0].value[-1]),)
    return ()
