"""Runs statements against a catalog: PostgreSQL's own checks, transaction blocks, PL/pgSQL blocks."""

from __future__ import annotations

from zuno_audit.facts.postgres import builtins
from zuno_audit.facts.postgres.catalog import (
    Catalog,
    DatabaseError,
    Key,
    KnownConstraint,
    Origin,
    Relation,
    Schema,
    TableColumn,
    Undecided,
    UserFunction,
    UserType,
)
from zuno_audit.facts.postgres.expressions import Checker, Scope, Source, table_scope
from zuno_audit.facts.postgres.tables import TableMaker
from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.statements import Piece
from zuno_audit.languages.sql.tree import (
    Action,
    Alter,
    Comment,
    CreateDatabase,
    CreateDomain,
    CreateExtension,
    CreateFunction,
    CreateIndex,
    CreateRole,
    CreateSchema,
    CreateSequence,
    CreateTable,
    CreateTrigger,
    CreateType,
    CreateView,
    Delete,
    Do,
    Drop,
    Expr,
    Grant,
    Insert,
    Name,
    OnTable,
    Select,
    SetVariable,
    Statement,
    Transaction,
    TypeName,
    Update,
)

_RELATION_KINDS = {
    "table": ("table",),
    "view": ("view",),
    "materialized view": ("materialized view",),
    "index": ("index",),
    "sequence": ("sequence",),
    "foreign table": ("table",),
}
_ROLES = frozenset({"public", "current_user"})


class Server:
    """The databases of one server under one connection after another.

    `user` is the connected role, None when it is not known. `official` says that only contrib extensions are
    installed. `doubt` is why what runs now may not run; everything made meanwhile carries it.
    """

    def __init__(self, database: str = "postgres", user: str | None = None, *, official: bool = True) -> None:
        self.database = database
        self.databases: dict[str, Catalog] = {name: Catalog() for name in {database, "postgres"}}
        self.catalog: Catalog = self.databases[database]
        self.user = user
        self.official = official
        self.doubt = ""
        self.saved: Catalog | None = None  # the catalog at BEGIN
        self.path = ""

    # -- connections and transactions

    def connect(self, database: str | None = None) -> None:
        """A new connection: settings are forgotten, an open transaction is rolled back.

        Raises DatabaseError when there is no such database.
        """
        self.rollback()
        self.databases[self.database] = self.catalog
        if database is not None:
            if database not in self.databases:
                message = f'database "{database}" does not exist'
                raise DatabaseError("invalid_catalog_name", message, 0)
            roles, self.database = self.catalog.roles, database
            self.catalog = self.databases[database]
            self.catalog.roles = roles
        self.catalog.search_path = self.catalog.default_path

    def all_catalogs(self) -> dict[str, Catalog]:
        """Every database by name, as it stands now."""
        return {**self.databases, self.database: self.catalog}

    def rollback(self) -> None:
        if self.saved is not None:
            self.catalog, self.saved = self.saved, None

    @property
    def in_block(self) -> bool:
        """True between BEGIN and its end."""
        return self.saved is not None

    def execute(self, piece: Piece) -> None:
        """Run one statement.

        Raises DatabaseError when PostgreSQL refuses it, Undecided when it cannot be told. The catalog is
        then as before.
        """
        if piece.error is not None:
            raise DatabaseError("syntax_error", piece.error.message, piece.error.offset)
        if piece.not_understood is not None:
            raise Undecided(piece.not_understood.what, piece.not_understood.offset)
        if piece.tree is None:
            raise DatabaseError("syntax_error", 'syntax error at or near "\\"', piece.start)
        if isinstance(piece.tree, Transaction):
            self._transaction(piece.tree)
            return
        before = self.catalog.copy()
        try:
            self.run(piece.tree)
        except (DatabaseError, Undecided):
            self.catalog = before
            raise

    def _transaction(self, statement: Transaction) -> None:
        if statement.kind == "begin" and self.saved is None:
            self.saved = self.catalog.copy()
        elif statement.kind == "commit":
            self.saved = None
        elif statement.kind == "rollback":
            self.rollback()
        elif statement.kind == "rollback to":
            raise Undecided("ROLLBACK TO SAVEPOINT is not modelled", statement.start)

    # -- statements

    def run(self, statement: Statement, variables: frozenset[str] = frozenset()) -> None:
        """Check and apply a statement; the caller restores the catalog when it raises."""
        handler = getattr(self, "_run_" + type(statement).__name__, None)
        if handler is None:
            raise Undecided(f"{type(statement).__name__} is not modelled", statement.start)
        if isinstance(statement, Insert | Update | Delete | Select):
            handler(statement, variables)
        else:
            handler(statement)

    def _checker(self) -> Checker:
        return Checker(self.catalog, self.user)

    def _maker(self) -> TableMaker:
        return TableMaker(self.catalog, self.user, self.path, self.doubt)

    def _origin(self, statement: Statement) -> Origin:
        return Origin(self.path, statement.start)

    def _run_CreateSchema(self, statement: CreateSchema) -> None:
        if statement.role is not None:
            self._role(statement.role, statement.start)
        name = statement.name
        if name is None or name == "current_user":
            name = self.user
        if name is None:
            raise Undecided("the schema is named like a role that is not known", statement.start)
        if name.startswith("pg_"):
            message = f'unacceptable schema name "{name}"'
            raise DatabaseError("reserved_name", message, statement.start)
        if name in self.catalog.schemas:
            if statement.if_not_exists:
                return
            raise DatabaseError("duplicate_schema", f'schema "{name}" already exists', statement.start)
        self.catalog.schemas[name] = Schema(self._origin(statement), self.doubt)
        if statement.elements:
            path, self.catalog.search_path = self.catalog.search_path, (name, *self.catalog.search_path)
            for element in statement.elements:
                self.run(element)
            self.catalog.search_path = path

    def _role(self, role: str, start: int) -> None:
        if role in _ROLES or role == self.user or role in self.catalog.roles or role.startswith("pg_"):
            return
        if self.user is None or self.catalog.hidden:
            raise Undecided(f'whether role "{role}" exists is not known', start)
        raise DatabaseError("undefined_object", f'role "{role}" does not exist', start)

    def _run_CreateTable(self, statement: CreateTable) -> None:
        self._maker().create_table(statement)

    def _run_CreateIndex(self, statement: CreateIndex) -> None:
        if statement.concurrently and self.in_block:
            message = "CREATE INDEX CONCURRENTLY cannot run inside a transaction block"
            raise DatabaseError("active_sql_transaction", message, statement.start)
        self._maker().create_index(statement)

    def _run_CreateExtension(self, statement: CreateExtension) -> None:
        name = statement.name
        if name in self.catalog.extensions:
            if statement.if_not_exists:
                return
            raise DatabaseError("duplicate_object", f'extension "{name}" already exists', statement.start)
        if name not in builtins.CONTRIB:
            if self.official:
                message = f'extension "{name}" is not available'
                raise DatabaseError("feature_not_supported", message, statement.start)
            self.catalog.hidden = True
        schema = statement.schema
        if schema is not None and schema not in self.catalog.schemas:
            raise DatabaseError("invalid_schema_name", f'schema "{schema}" does not exist', statement.start)
        for needed in builtins.REQUIRES.get(name, ()):
            if needed not in self.catalog.extensions:
                if not statement.cascade:
                    message = f'required extension "{needed}" is not installed'
                    raise DatabaseError("undefined_object", message, statement.start)
                self.catalog.extensions[needed] = schema or self._own_schema(statement.start)
        self.catalog.extensions[name] = schema or self._own_schema(statement.start)

    def _own_schema(self, start: int) -> str:
        path = self.catalog.path(self.user)
        if not path:
            raise DatabaseError("undefined_schema", "no schema has been selected to create in", start)
        return path[0]

    def _run_CreateSequence(self, statement: CreateSequence) -> None:
        maker = self._maker()
        key = maker.target(statement.name)
        if not maker.is_taken(key, statement.if_not_exists, statement.start):
            self.catalog.add(Relation("sequence", *key, self._origin(statement), doubt=self.doubt))

    def _run_CreateType(self, statement: CreateType) -> None:
        key = self._new_type(statement.name)
        if statement.form == "range":
            self.catalog.types[key] = UserType("range", doubt=self.doubt)
        elif statement.form == "enum":
            if len(set(statement.labels)) != len(statement.labels):
                raise DatabaseError("unique_violation", "an enum label appears twice", statement.start)
            self.catalog.types[key] = UserType("enum", labels=statement.labels, doubt=self.doubt)
        else:
            for column in statement.columns:
                self._maker().new_column(column)
            self.catalog.types[key] = UserType("composite", doubt=self.doubt)

    def _new_type(self, name: Name) -> Key:
        key = self._maker().target(name)
        taken = self.catalog.relations.get(key)
        if key in self.catalog.types or (taken is not None and taken.kind != "index"):
            raise DatabaseError("duplicate_object", f'type "{name.last}" already exists', name.start)
        return key

    def _run_CreateDomain(self, statement: CreateDomain) -> None:
        key = self._new_type(statement.name)
        base = self._checker().resolve_type(statement.type)
        scope = Scope((Source(None, (TableColumn("value", base),)),))
        for constraint in statement.constraints:
            if constraint.kind in ("unique", "primary key", "foreign key"):
                message = f"{constraint.kind} constraints not possible for domains"
                raise DatabaseError("syntax_error", message, constraint.start)
            if constraint.expr is not None:
                self._checker().type_of(constraint.expr, scope)
        self.catalog.types[key] = UserType("domain", base, doubt=self.doubt)

    def _run_CreateView(self, statement: CreateView) -> None:
        maker = self._maker()
        key = maker.target(statement.name)
        existing = self.catalog.relations.get(key)
        kind = "materialized view" if statement.materialized else "view"
        replaces = statement.replace and existing is not None and existing.kind == "view"
        if not replaces and maker.is_taken(key, statement.if_not_exists, statement.name.start):
            return
        checker = self._checker()
        columns = checker.check_query(statement.query)
        if statement.columns and columns is not None:
            renamed = [c._replace(name=n) for c, n in zip(columns, statement.columns, strict=False)]
            columns = (*renamed, *columns[len(renamed) :])
        names = [c.name for c in columns or ()]
        if len(set(names)) != len(names):
            raise DatabaseError("duplicate_column", "a column is specified more than once", statement.start)
        reads = frozenset(checker.reads)
        self.catalog.add(
            Relation(
                kind, *key, self._origin(statement), columns, reads=reads,
                reads_columns=frozenset(checker.columns), doubt=self.doubt,
            )
        )  # fmt: skip

    def _run_CreateDatabase(self, statement: CreateDatabase) -> None:
        if self.in_block:
            message = "CREATE DATABASE cannot run inside a transaction block"
            raise DatabaseError("active_sql_transaction", message, statement.start)
        if statement.name in self.databases or statement.name in ("template1", "template0"):
            message = f'database "{statement.name}" already exists'
            raise DatabaseError("duplicate_database", message, statement.start)
        self.databases[statement.name] = Catalog(roles=self.catalog.roles)

    def _run_CreateRole(self, statement: CreateRole) -> None:
        if statement.name in self.catalog.roles or statement.name == self.user:
            message = f'role "{statement.name}" already exists'
            raise DatabaseError("duplicate_object", message, statement.start)
        self.catalog.roles.add(statement.name)

    # -- functions and triggers

    def _run_CreateFunction(self, statement: CreateFunction) -> None:
        from zuno_audit.facts.postgres.blocks import check_body

        maker = self._maker()
        key = maker.target(statement.name)
        checker = self._checker()
        inputs = [p for p in statement.parameters if p.mode in ("in", "inout", "variadic")]
        kinds = [self._parameter_type(p.type) for p in statement.parameters]
        signature = tuple(str(k) for k, p in zip(kinds, statement.parameters, strict=True) if p in inputs)
        result = None
        if statement.returns is not None:
            result = checker.resolve_type(statement.returns)
        elif (
            not statement.procedure
            and not statement.returns_table
            and len(inputs) == len(statement.parameters)
        ):
            message = "function result type must be specified"
            raise DatabaseError("invalid_function_definition", message, statement.start)
        for parameter in statement.parameters:
            if parameter.default is not None:
                checker.type_of(parameter.default, Scope())
        overloads = self.catalog.functions.get(key, ())
        if any(f.signature == signature for f in overloads) and not statement.replace:
            message = f'function "{statement.name.last}" already exists with same argument types'
            raise DatabaseError("duplicate_function", message, statement.start)
        check_body(self, statement, key[0])
        least = sum(1 for p in inputs if p.default is None and p.mode != "variadic")
        most = 999 if any(p.mode == "variadic" for p in inputs) else len(inputs)
        kept = tuple(f for f in overloads if f.signature != signature)
        function = UserFunction(least, most, statement.volatility, result, statement.language, signature)
        self.catalog.functions[key] = (*kept, function)

    def _parameter_type(self, name: TypeName) -> str | None:
        return self._checker().resolve_type(name)

    def _run_CreateTrigger(self, statement: CreateTrigger) -> None:
        table = self._checker().relation(statement.table)
        if table.kind == "view" and statement.timing != "instead" and statement.for_row:
            message = f'"{table.name}" is a view: views cannot have row-level BEFORE or AFTER triggers'
            raise DatabaseError("wrong_object_type", message, statement.start)
        if table.kind not in ("table", "view"):
            raise DatabaseError("wrong_object_type", f'"{table.name}" cannot have triggers', statement.start)
        if table.kind == "table" and statement.timing == "instead":
            message = f'"{table.name}" is a table: tables cannot have INSTEAD OF triggers'
            raise DatabaseError("wrong_object_type", message, statement.start)
        for column in statement.columns:
            if table.columns is not None and table.column(column) is None:
                message = f'column "{column}" of relation "{table.name}" does not exist'
                raise DatabaseError("undefined_column", message, statement.start)
        self._trigger_function(statement)
        if statement.when is not None:
            rows = (Source("new", table.columns), Source("old", table.columns))
            self._checker().type_of(statement.when, Scope(rows))
        if (table.key, statement.name) in self.catalog.triggers and not statement.replace:
            message = f'trigger "{statement.name}" for relation "{table.name}" already exists'
            raise DatabaseError("duplicate_object", message, statement.start)
        self.catalog.triggers.add((table.key, statement.name))

    def _trigger_function(self, statement: CreateTrigger) -> None:
        name = statement.function
        own = [f for f in self.catalog.find_functions(name.parts, self.user) if f.least == 0]
        if own:
            if own[0].result not in ("trigger", None):
                message = f"function {name} must return type trigger"
                raise DatabaseError("invalid_object_definition", message, name.start)
            return
        for function in builtins.functions(name.last):
            if function.extension == "-" or function.extension in self.catalog.extensions:
                if function.result == "trigger":
                    return
        if self.catalog.hidden:
            raise Undecided(f"whether {name}() exists is not known", name.start)
        raise DatabaseError("undefined_function", f"function {name}() does not exist", name.start)

    # -- ALTER

    def _run_Alter(self, statement: Alter) -> None:
        what = statement.what
        if what in ("role", "user", "group", "database"):
            self._alter_defaults(statement)
        elif what == "schema":
            self._alter_schema(statement)
        elif what in ("type", "domain"):
            self._alter_type(statement)
        elif what in ("function", "procedure", "routine", "aggregate"):
            if not self.catalog.find_functions(statement.name.parts, self.user) and not self.catalog.hidden:
                message = f"could not find a function named {statement.name}"
                raise DatabaseError("undefined_function", message, statement.start)
        else:
            self._alter_relation(statement)

    def _alter_defaults(self, statement: Alter) -> None:
        action = statement.actions[0]
        if statement.what != "database":
            self._role(statement.name.last, statement.start)
        if action.kind == "set search_path":
            names = tuple(part.strip().strip('"') for part in (action.name or "").split(","))
            self.catalog.default_path = names

    def _alter_schema(self, statement: Alter) -> None:
        name = statement.name.last
        action = statement.actions[0]
        if name not in self.catalog.schemas:
            raise DatabaseError("invalid_schema_name", f'schema "{name}" does not exist', statement.start)
        if action.kind == "rename":
            raise Undecided("ALTER SCHEMA ... RENAME is not modelled", statement.start)
        if action.kind == "owner":
            self._role(action.name or "", statement.start)

    def _alter_type(self, statement: Alter) -> None:
        found = self.catalog.find_type(statement.name.schema, statement.name.last, self.user)
        action = statement.actions[0]
        if found is None:
            if self.catalog.hidden:
                raise Undecided(f'type "{statement.name}" may not exist', statement.start)
            message = f'type "{statement.name}" does not exist'
            raise DatabaseError("undefined_object", message, statement.start)
        if action.kind == "add value":
            if action.name in found.labels and not action.lenient:
                message = f'enum label "{action.name}" already exists'
                raise DatabaseError("duplicate_object", message, statement.start)
            return
        if action.kind == "owner":
            self._role(action.name or "", statement.start)
            return
        raise Undecided(f"ALTER TYPE ... {action.kind.upper()} is not modelled", statement.start)

    def _alter_relation(self, statement: Alter) -> None:
        if statement.if_exists and self.catalog.find(statement.name.parts, self.user) is None:
            if self.catalog.hidden:
                raise Undecided(f'whether "{statement.name}" exists is not known', statement.start)
            return
        relation = self._checker().relation(statement.name)
        if (
            statement.what in ("view", "materialized view", "sequence", "index")
            and relation.kind != statement.what
        ):
            message = f'"{relation.name}" is not a {statement.what}'
            raise DatabaseError("wrong_object_type", message, statement.start)
        key = relation.key
        order = ("drop", "set type", "add column", "")
        actions = sorted(
            statement.actions, key=lambda a: next(i for i, p in enumerate(order) if a.kind.startswith(p))
        )
        for action in actions:
            handler = getattr(self, "_alter_" + action.kind.replace(" ", "_"), None)
            if handler is not None:
                key = handler(self.catalog.relations[key], action, statement.start) or key

    def _alter_rename(self, relation: Relation, action: Action, start: int) -> Key:
        return self._move(relation, relation.schema, action.new_name or "", start)

    def _alter_set_schema(self, relation: Relation, action: Action, start: int) -> Key:
        schema = action.new_name or ""
        if schema not in self.catalog.schemas:
            raise DatabaseError("invalid_schema_name", f'schema "{schema}" does not exist', start)
        for index in self.catalog.indexes_of(relation.key):
            self.catalog.move(index.key, index._replace(schema=schema))
        return self._move(self.catalog.relations[relation.key], schema, relation.name, start)

    def _move(self, relation: Relation, schema: str, name: str, start: int) -> Key:
        if (schema, name) == relation.key:
            return relation.key
        if (schema, name) in self.catalog.relations:
            raise DatabaseError("duplicate_table", f'relation "{name}" already exists', start)
        self.catalog.move(relation.key, relation._replace(schema=schema, name=name))
        return (schema, name)

    def _alter_owner(self, relation: Relation, action: Action, start: int) -> None:
        self._role(action.name or "", action.start)

    def _column(self, relation: Relation, name: str, start: int) -> TableColumn | None:
        column = relation.column(name)
        if column is None and relation.columns is not None:
            message = f'column "{name}" of relation "{relation.name}" does not exist'
            raise DatabaseError("undefined_column", message, start)
        return column

    def _alter_add_column(self, relation: Relation, action: Action, start: int) -> None:
        assert action.column is not None
        if relation.columns is not None and relation.column(action.column.name) is not None:
            if action.lenient:
                return
            message = f'column "{action.column.name}" of relation "{relation.name}" already exists'
            raise DatabaseError("duplicate_column", message, action.start)
        maker = self._maker()
        column = maker.new_column(action.column)
        if relation.columns is not None:
            self.catalog.add(relation._replace(columns=(*relation.columns, column)))
        for constraint in action.column.constraints:
            maker.add_constraint(relation.key, constraint, start)

    def _alter_drop_column(self, relation: Relation, action: Action, start: int) -> None:
        name = action.name or ""
        if action.lenient and relation.columns is not None and relation.column(name) is None:
            return
        self._column(relation, name, action.start)
        for other in self.catalog.relations.values():
            for known in other.constraints:
                if known.target == relation.key and name in known.target_columns and not action.cascade:
                    message = f"cannot drop column {name} because other objects depend on it"
                    raise DatabaseError("dependent_objects_still_exist", message, action.start)
            if other.may_read(relation.key, name) and not action.cascade:
                raise Undecided(f'view "{other.name}" may need the column', action.start)
        columns = tuple(c for c in relation.columns or () if c.name != name)
        kept = tuple(c for c in relation.constraints if name not in c.columns)
        self.catalog.add(relation._replace(columns=columns, constraints=kept))
        for index in self.catalog.indexes_of(relation.key):
            if name in index.index_columns:
                self.catalog.drop(index.key)

    def _alter_rename_column(self, relation: Relation, action: Action, start: int) -> None:
        old, new = action.name or "", action.new_name or ""
        self._column(relation, old, action.start)
        if relation.column(new) is not None:
            message = f'column "{new}" of relation "{relation.name}" already exists'
            raise DatabaseError("duplicate_column", message, action.start)

        def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if n == old else n for n in names)

        columns = tuple(c._replace(name=new) if c.name == old else c for c in relation.columns or ())
        constraints = tuple(c._replace(columns=renamed(c.columns)) for c in relation.constraints)
        self.catalog.add(relation._replace(columns=columns, constraints=constraints))
        for index in self.catalog.indexes_of(relation.key):
            self.catalog.add(index._replace(index_columns=renamed(index.index_columns)))

    def _alter_set_default(self, relation: Relation, action: Action, start: int) -> None:
        assert action.expr is not None
        column = self._column(relation, action.name or "", action.start)
        self._maker().check_default(action.expr, column)

    def _alter_alter_column(self, relation: Relation, action: Action, start: int) -> None:
        self._column(relation, action.name or "", action.start)

    def _alter_set_type(self, relation: Relation, action: Action, start: int) -> None:
        from zuno_audit.facts.postgres.types import assignable

        assert action.type is not None
        column = self._column(relation, action.name or "", action.start)
        kind = self._checker().resolve_type(action.type)
        if action.expr is not None:
            self._checker().type_of(action.expr, table_scope(relation))
        elif column is not None and not assignable(kind, column.type):
            message = f'column "{column.name}" cannot be cast automatically to type {kind}'
            raise DatabaseError("datatype_mismatch", message, action.start)
        if any(r.may_read(relation.key, action.name or "") for r in self.catalog.relations.values()):
            raise Undecided("a view may use the column", action.start)
        columns = tuple(c._replace(type=kind) if c == column else c for c in relation.columns or ())
        self.catalog.add(relation._replace(columns=columns))

    def _alter_add_constraint(self, relation: Relation, action: Action, start: int) -> None:
        assert action.constraint is not None
        if relation.kind != "table":
            message = f'ALTER action ADD CONSTRAINT cannot be performed on relation "{relation.name}"'
            raise DatabaseError("wrong_object_type", message, action.start)
        self._maker().add_constraint(relation.key, action.constraint, start)

    def _alter_drop_constraint(self, relation: Relation, action: Action, start: int) -> None:
        found = self._constraint(relation, action)
        if found is None:
            return
        for other in self.catalog.relations.values():
            for known in other.constraints:
                uses = known.target == relation.key and set(known.target_columns) == set(found.columns)
                if found.kind in ("unique", "primary key") and uses and not action.cascade:
                    message = f"cannot drop constraint {found.name} because other objects depend on it"
                    raise DatabaseError("dependent_objects_still_exist", message, action.start)
        kept = tuple(c for c in relation.constraints if c is not found)
        self.catalog.add(relation._replace(constraints=kept))
        if found.kind in ("unique", "primary key"):
            self.catalog.relations.pop((relation.schema, found.name), None)

    def _constraint(self, relation: Relation, action: Action) -> KnownConstraint | None:
        found = next((c for c in relation.constraints if c.name == action.name), None)
        if found is None and not action.lenient:
            message = f'constraint "{action.name}" of relation "{relation.name}" does not exist'
            raise DatabaseError("undefined_object", message, action.start)
        return found

    def _alter_validate_constraint(self, relation: Relation, action: Action, start: int) -> None:
        self._constraint(relation, action)

    def _alter_rename_constraint(self, relation: Relation, action: Action, start: int) -> None:
        found = self._constraint(relation, action)
        assert found is not None
        new = found._replace(name=action.new_name or "")
        constraints = tuple(new if c is found else c for c in relation.constraints)
        self.catalog.add(relation._replace(constraints=constraints))
        index = self.catalog.relations.get((relation.schema, found.name))
        if index is not None and index.kind == "index":
            self.catalog.move(index.key, index._replace(name=new.name))

    def _alter_attach_partition(self, relation: Relation, action: Action, start: int) -> None:
        assert action.table is not None
        if relation.kind == "index":
            return
        self._checker().relation(action.table)
        if relation.partition_keys is None:
            message = f'table "{relation.name}" is not partitioned'
            raise DatabaseError("wrong_object_type", message, action.start)

    def _alter_inherit(self, relation: Relation, action: Action, start: int) -> None:
        assert action.table is not None
        self._checker().relation(action.table)

    # -- DROP

    def _run_Drop(self, statement: Drop) -> None:
        if statement.concurrently and self.in_block:
            message = "DROP INDEX CONCURRENTLY cannot run inside a transaction block"
            raise DatabaseError("active_sql_transaction", message, statement.start)
        for name in statement.names:
            if statement.what in _RELATION_KINDS:
                self._drop_relation(statement, name)
            elif statement.what == "schema":
                self._drop_schema(statement, name)
            elif statement.what == "extension":
                self._drop_extension(statement, name)
            elif statement.what in ("type", "domain"):
                self._drop_type(statement, name)
            elif statement.what in ("function", "procedure", "routine", "aggregate"):
                self._drop_function(statement, name)
            elif statement.what == "trigger":
                self._drop_trigger(statement, name)
            elif not statement.if_exists or statement.what == "database":
                raise Undecided(f"DROP {statement.what.upper()} is not modelled", statement.start)

    def _missing(self, statement: Drop, what: str) -> None:
        if statement.if_exists:
            return
        if self.catalog.hidden:
            raise Undecided(f"whether {what} exists is not known", statement.start)
        raise DatabaseError("undefined_object", f"{what} does not exist", statement.start)

    def _drop_relation(self, statement: Drop, name: Name) -> None:
        relation = self.catalog.find(name.parts, self.user)
        if relation is None:
            self._missing(statement, f'{statement.what} "{name}"')
            return
        if relation.kind not in _RELATION_KINDS[statement.what]:
            message = f'"{relation.name}" is not a {statement.what}'
            raise DatabaseError("wrong_object_type", message, name.start)
        also = {self.catalog.find(n.parts, self.user) for n in statement.names}
        for other in list(self.catalog.relations.values()):
            if other in also or other.key == relation.key or statement.cascade:
                continue
            if relation.key in other.reads or any(c.target == relation.key for c in other.constraints):
                message = f"cannot drop {statement.what} {relation.name} because other objects depend on it"
                raise DatabaseError("dependent_objects_still_exist", message, name.start)
        if relation.kind == "index" and relation.table is not None:
            table = self.catalog.relations.get(relation.table)
            if table is not None and any(c.name == relation.name for c in table.constraints):
                message = f"cannot drop index {relation.name} because a constraint requires it"
                raise DatabaseError("dependent_objects_still_exist", message, name.start)
        self.catalog.drop(relation.key)
        for other in list(self.catalog.relations.values()):
            if relation.key in other.reads:
                self.catalog.drop(other.key)

    def _drop_schema(self, statement: Drop, name: Name) -> None:
        if name.last not in self.catalog.schemas:
            self._missing(statement, f'schema "{name}"')
            return
        inside = [key for key in self.catalog.relations if key[0] == name.last]
        inside += [key for key in self.catalog.types if key[0] == name.last]
        inside += [key for key in self.catalog.functions if key[0] == name.last]
        if inside and not statement.cascade:
            message = f"cannot drop schema {name} because other objects depend on it"
            raise DatabaseError("dependent_objects_still_exist", message, name.start)
        for key in inside:
            self.catalog.drop(key)
            self.catalog.types.pop(key, None)
            self.catalog.functions.pop(key, None)
        self.catalog.extensions = {e: s for e, s in self.catalog.extensions.items() if s != name.last}
        del self.catalog.schemas[name.last]

    def _drop_extension(self, statement: Drop, name: Name) -> None:
        if self.catalog.extensions.pop(name.last, None) is None:
            self._missing(statement, f'extension "{name}"')
        elif self.catalog.relations:
            raise Undecided("what depends on the extension is not modelled", statement.start)

    def _drop_type(self, statement: Drop, name: Name) -> None:
        schemas = (name.schema,) if name.schema is not None else self.catalog.path(self.user)
        for schema in schemas:
            if (schema, name.last) in self.catalog.types:
                if self.catalog.relations and not statement.cascade:
                    raise Undecided("what depends on the type is not modelled", statement.start)
                del self.catalog.types[schema, name.last]
                return
        self._missing(statement, f'type "{name}"')

    def _drop_function(self, statement: Drop, name: Name) -> None:
        schemas = (name.schema,) if name.schema is not None else self.catalog.path(self.user)
        for schema in schemas:
            if (schema, name.last) in self.catalog.functions:
                if len(self.catalog.functions[schema, name.last]) > 1 or self.catalog.triggers:
                    if not statement.cascade and self.catalog.triggers:
                        raise Undecided(
                            "whether a trigger needs the function is not modelled", statement.start
                        )
                del self.catalog.functions[schema, name.last]
                return
        self._missing(statement, f"function {name}")

    def _drop_trigger(self, statement: Drop, name: Name) -> None:
        assert statement.on is not None
        if statement.if_exists and self.catalog.find(statement.on.parts, self.user) is None:
            return
        table = self._checker().relation(statement.on)
        if (table.key, name.last) not in self.catalog.triggers:
            self._missing(statement, f'trigger "{name}" for table "{table.name}"')
        self.catalog.triggers.discard((table.key, name.last))

    # -- the rest

    def _run_Comment(self, statement: Comment) -> None:
        what = statement.what
        if what == "column":
            table = self._checker().relation(Name(statement.name.parts[:-1], statement.name.start))
            self._column(table, statement.name.last, statement.start)
        elif what in _RELATION_KINDS:
            found = self._checker().relation(statement.name)
            if found.kind not in _RELATION_KINDS[what]:
                raise DatabaseError("wrong_object_type", f'"{found.name}" is not a {what}', statement.start)
        elif what == "schema":
            if statement.name.last not in self.catalog.schemas:
                message = f'schema "{statement.name}" does not exist'
                raise DatabaseError("invalid_schema_name", message, statement.start)
        elif what in ("function", "procedure", "routine"):
            if not self.catalog.find_functions(statement.name.parts, self.user) and not self.catalog.hidden:
                message = f"function {statement.name} does not exist"
                raise DatabaseError("undefined_function", message, statement.start)
        elif what in ("type", "domain"):
            self._checker().resolve_type(
                TypeName(statement.name.last, statement.name.schema, statement.name.start)
            )
        elif what in ("constraint", "trigger"):
            self._comment_on_part(statement)
        elif what not in ("database", "role", "extension"):
            raise Undecided(f"COMMENT ON {what.upper()} is not modelled", statement.start)

    def _comment_on_part(self, statement: Comment) -> None:
        if statement.on is None:
            return
        table = self._checker().relation(statement.on)
        if statement.what == "constraint":
            known = {c.name for c in table.constraints}
        else:
            known = {name for key, name in self.catalog.triggers if key == table.key}
        if statement.name.last not in known:
            message = f'{statement.what} "{statement.name}" for table "{table.name}" does not exist'
            raise DatabaseError("undefined_object", message, statement.start)

    def _run_SetVariable(self, statement: SetVariable) -> None:
        if statement.variable == "search_path":
            if statement.values is None or statement.values == ("default",):
                self.catalog.search_path = self.catalog.default_path
            elif not (statement.local and not self.in_block):
                self.catalog.search_path = statement.values
        elif statement.variable == "role":
            return

    def _run_Insert(self, statement: Insert, variables: frozenset[str]) -> None:
        self._checker().check_change(statement, _outer(variables))

    _run_Update = _run_Insert
    _run_Delete = _run_Insert

    def _run_Select(self, statement: Select, variables: frozenset[str]) -> None:
        self._checker().check_query(statement.query, _outer(variables))
        for expr, _ in statement.query.targets:
            self._set_config(expr)

    def _set_config(self, expr: Expr) -> None:
        """`SELECT set_config('search_path', 'x', false)`, as pg_dump writes it."""
        if expr.kind != "call" or expr.value[-1] != "set_config" or len(expr.args) != 3:
            return
        if expr.args[0].value == "search_path":
            if expr.args[1].kind != "text":
                raise Undecided("the search_path is computed", expr.start)
            value = str(expr.args[1].value)
            self.catalog.search_path = tuple(p.strip().strip('"') for p in value.split(",") if p.strip())

    def _run_Do(self, statement: Do) -> None:
        from zuno_audit.facts.postgres.blocks import run_block

        if statement.language != "plpgsql":
            raise Undecided(f"a DO block in {statement.language}", statement.start)
        run_block(self, statement.body, statement.body_start)

    def _run_Grant(self, statement: Grant) -> None:
        for name in statement.names:
            if statement.what == "schema" and name.last not in self.catalog.schemas:
                message = f'schema "{name}" does not exist'
                raise DatabaseError("invalid_schema_name", message, name.start)
            if statement.what in ("table", "sequence"):
                self._checker().relation(name)
        for role in statement.roles:
            self._role(role, statement.start)

    def _run_OnTable(self, statement: OnTable) -> None:
        for name in statement.names:
            self._checker().relation(name)


def _outer(variables: frozenset[str]) -> Scope | None:
    return Scope(variables=variables) if variables else None


def as_error(error: SqlError | NotUnderstood) -> DatabaseError | Undecided:
    """A parser's complaint as the server's."""
    if isinstance(error, SqlError):
        return DatabaseError("syntax_error", error.message, error.offset)
    return Undecided(error.what, error.offset)
