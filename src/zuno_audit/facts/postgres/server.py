"""Runs statements against a catalog: PostgreSQL's own checks, transaction blocks, PL/pgSQL blocks."""

from __future__ import annotations

from zuno_audit.facts.postgres import builtins
from zuno_audit.facts.postgres.alterations import Alterations
from zuno_audit.facts.postgres.catalog import (
    Catalog,
    DatabaseError,
    Key,
    Origin,
    Relation,
    Schema,
    TableColumn,
    Undecided,
    UserFunction,
    UserType,
)
from zuno_audit.facts.postgres.connection import RELATION_KINDS
from zuno_audit.facts.postgres.drops import Drops
from zuno_audit.facts.postgres.expressions import Scope, Source
from zuno_audit.facts.postgres.types import number_type, text_class
from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.scripts import Piece, parse_change
from zuno_audit.languages.sql.tree import (
    Change,
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


class Server(Alterations, Drops):
    """A connection that runs statements; see `Connection` for its arguments."""

    def __init__(self, database: str = "postgres", user: str | None = None, *, official: bool = True) -> None:
        super().__init__(database, user, official=official)
        self._alike: set[tuple[object, ...]] = set()  # changes accepted since the last definition

    def rollback(self) -> None:
        self._alike.clear()
        super().rollback()

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
            self._alike.clear()
            self._transaction(piece.tree)
            return
        if isinstance(piece.tree, Change):
            self._change(piece.tree)
            return
        self._alike.clear()
        before = self.catalog.copy()
        try:
            self.run(piece.tree)
        except (DatabaseError, Undecided):
            self.catalog = before
            raise

    def _change(self, change: Change) -> None:
        """Check a statement, unless one that differs from it in nothing that matters was just accepted."""
        labels = {label for kind in self.catalog.types.values() for label in kind.labels}
        texts = tuple((text_class(text), text if text in labels else "") for text in change.texts)
        key = (change.outline, texts, tuple(map(number_type, change.numbers)))
        if key not in self._alike:
            tree = parse_change(change)
            assert tree is not None
            self.run(tree)
            self._alike.add(key)

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
            is_there = function.extension == "-" or function.extension in self.catalog.extensions
            if is_there and function.result == "trigger":
                return
        if self.catalog.hidden:
            raise Undecided(f"whether {name}() exists is not known", name.start)
        raise DatabaseError("undefined_function", f"function {name}() does not exist", name.start)

    # -- the rest

    def _run_Comment(self, statement: Comment) -> None:
        what = statement.what
        if what == "column":
            table = self._checker().relation(Name(statement.name.parts[:-1], statement.name.start))
            self._column(table, statement.name.last, statement.start)
        elif what in RELATION_KINDS:
            found = self._checker().relation(statement.name)
            if found.kind not in RELATION_KINDS[what]:
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
        if not builtins.is_setting(statement.variable):
            message = f'unrecognized configuration parameter "{statement.variable}"'
            raise DatabaseError("undefined_object", message, statement.start)
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
