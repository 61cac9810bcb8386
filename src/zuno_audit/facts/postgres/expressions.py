"""Checks expressions and queries against a catalog: names, types as far as they matter, immutability."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from msgspec import Struct, field

from zuno_audit.facts.postgres import builtins
from zuno_audit.facts.postgres.builtins import DATE_TYPES, UNSTABLE_OPERATORS
from zuno_audit.facts.postgres.catalog import (
    Catalog,
    DatabaseError,
    Key,
    Relation,
    TableColumn,
    Undecided,
    UserType,
)
from zuno_audit.facts.postgres.types import (
    LITERAL,
    NUMBERS,
    STRINGS,
    bad_literal,
    comparable,
    enum_type,
    group,
    literal_fits,
    number_type,
    shown,
    unstable_cast,
    wider,
)
from zuno_audit.languages.sql.cursor import DISPLAY
from zuno_audit.languages.sql.tree import Delete, Expr, FromItem, Insert, Name, Query, TypeName, Update

_NILADIC = {
    "current_date": "date",
    "current_time": "time with time zone",
    "current_timestamp": "timestamp with time zone",
    "localtime": "time without time zone",
    "localtimestamp": "timestamp without time zone",
    **dict.fromkeys(
        ["current_role", "current_user", "session_user", "user", "current_catalog", "current_schema"], "name"
    ),
}
_COMPARISONS = frozenset(["=", "<>", "!=", "<", ">", "<=", ">="])
_BOOLEAN_OPERATORS = frozenset(
    [
        "~",
        "~*",
        "!~",
        "!~*",
        "~~",
        "~~*",
        "!~~",
        "@>",
        "<@",
        "?",
        "?|",
        "?&",
        "&&",
        "@@",
        "<<",
        ">>",
        "-|-",
        "^@",
    ]
)
_TEXT_TYPES = STRINGS | {LITERAL}
Ctes = dict[str, tuple[TableColumn, ...] | None]


class Source(NamedTuple):
    """One range of rows that columns may come from; `columns` None when they are not known."""

    name: str | None
    columns: tuple[TableColumn, ...] | None


class Scope(NamedTuple):
    """What names mean at a place. `variables` are those of the code around: their types are not known."""

    sources: tuple[Source, ...] = ()
    outer: Scope | None = None
    variables: frozenset[str] = frozenset()
    names_output: frozenset[str] = frozenset()


def table_scope(relation: Relation) -> Scope:
    """The scope of a table's own constraints and indexes."""
    return Scope((Source(relation.name, relation.columns),))


class Checker(Struct, eq=False):
    """Checks expressions in one catalog. What it learns on the way stays in its attributes."""

    catalog: Catalog
    user: str | None = None
    unstable: str = ""  # why an expression is not immutable
    doubtful: str = ""  # why it may not be
    overflow: Expr | None = None  # a constant too large for the type it is converted to
    queries: list[Expr] = field(default_factory=list)
    reads: set[Key] = field(default_factory=set)
    columns: set[str] = field(default_factory=set)  # every column name that occurs, `*` included

    # -- names

    def resolve_type(self, name: TypeName) -> str | None:
        """PostgreSQL's display name of a type; None when it is a user's composite or cannot be told.

        Raises DatabaseError when it does not exist.
        """
        if name.name == "%type":
            return None
        kind = self._base_type(name)
        return None if kind is None else kind + "[]" * min(name.dimensions, 1)

    def _base_type(self, name: TypeName) -> str | None:
        if name.builtin:
            return name.name
        user = self.catalog.find_type(name.schema, name.name, self.user)
        if user is not None:
            if user.doubt and not self.catalog.hidden:
                raise Undecided(f'type "{name.name}" may not exist: {user.doubt}', name.start)
            return self._user_type(user)
        if name.schema in (None, "pg_catalog") and self._is_builtin_type(name.name):
            return name.name
        for extension in builtins.type_extensions(name.name):
            schema = self.catalog.extensions.get(extension)
            if (
                schema is not None
                and (name.schema or schema) == schema
                and self._visible(schema, name.schema)
            ):
                return name.name
        if self.catalog.hidden:
            raise Undecided(
                f'type "{name.name}" may come from a statement that could not be followed', name.start
            )
        full = f"{name.schema}.{name.name}" if name.schema else name.name
        raise DatabaseError("undefined_object", f'type "{full}" does not exist', name.start)

    def _visible(self, schema: str, qualifier: str | None) -> bool:
        return qualifier == schema or schema in self.catalog.path(self.user)

    def _user_type(self, user: UserType) -> str | None:
        if user.kind == "domain":
            return user.base
        return enum_type(user.labels) if user.kind == "enum" else None

    @staticmethod
    def _is_builtin_type(name: str) -> bool:
        return (
            "-" in builtins.type_extensions(name) or name in DISPLAY.values() or name in ("serial", "trigger")
        )

    def relation(self, name: Name, what: str = "relation") -> Relation:
        """The relation of that name.

        Raises DatabaseError when there is none, Undecided when it cannot be told.
        """
        found = self.catalog.find(name.parts, self.user)
        if found is not None:
            self.reads.add(found.key)
            return found
        if self.catalog.hidden:
            raise Undecided(f'"{name}" may come from a statement that could not be followed', name.start)
        if name.schema is not None and name.schema not in self.catalog.schemas:
            if what == "table reference":
                raise DatabaseError("undefined_table", f'relation "{name}" does not exist', name.start)
            raise DatabaseError("invalid_schema_name", f'schema "{name.schema}" does not exist', name.start)
        raise DatabaseError("undefined_table", f'relation "{name}" does not exist', name.start)

    # -- expressions

    def type_of(self, expr: Expr, scope: Scope, ctes: Ctes | None = None) -> str | None:
        """The type of an expression; None when it cannot be told.

        Raises DatabaseError for names that do not exist and types that surely do not fit.
        """
        reader = getattr(self, f"_{expr.kind}", None)
        if reader is None:
            self._all(expr.args, scope, ctes)
            return None
        result: str | None = reader(expr, scope, ctes)
        return result

    def _all(self, args: Iterable[Expr], scope: Scope, ctes: Ctes | None) -> list[str | None]:
        return [self.type_of(arg, scope, ctes) for arg in args]

    def _number(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str:
        return number_type(expr.value)

    def _text(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str:
        return LITERAL

    def _null(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str:
        return LITERAL

    def _boolean(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str:
        return "boolean"

    def _column(self, expr: Expr, scope: Scope | None, ctes: Ctes | None) -> str | None:
        parts: tuple[str, ...] = expr.value
        self.columns.add(parts[-1])
        if parts[-1] == "*":
            return None
        inner = scope
        while scope is not None:
            found, kind = self._column_in(parts, scope)
            if found:
                return kind
            scope = scope.outer
        return self._no_column(parts, expr.start, inner)

    def _column_in(self, parts: tuple[str, ...], scope: Scope) -> tuple[bool, str | None]:
        name = parts[-1]
        if len(parts) > 1:
            for source in scope.sources:
                if source.name == parts[-2]:
                    if source.columns is None:
                        return True, None
                    column = next((c for c in source.columns if c.name == name), None)
                    if column is not None:
                        return True, column.type
            return parts[-2] in scope.variables, None
        open_ended = False
        for source in scope.sources:
            if source.columns is None:
                open_ended = True
                continue
            column = next((c for c in source.columns if c.name == name), None)
            if column is not None:
                return True, column.type
        if name in scope.variables or name in scope.names_output or open_ended:
            return True, None
        return any(source.name == name for source in scope.sources), None

    def _no_column(self, parts: tuple[str, ...], start: int, scope: Scope | None) -> str | None:
        if len(parts) > 1:
            known = False
            while scope is not None:
                known = known or any(s.name == parts[-2] for s in scope.sources)
                scope = scope.outer
            if not known:
                raise DatabaseError(
                    "undefined_table", f'missing FROM-clause entry for table "{parts[-2]}"', start
                )
        raise DatabaseError("undefined_column", f'column "{".".join(parts)}" does not exist', start)

    def _cast(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        source = self.type_of(expr.args[0], scope, ctes)
        target = self.resolve_type(expr.value)
        operand = expr.args[0]
        if target is None:
            return None
        if operand.kind == "text" and not literal_fits(target, operand.value):
            message = bad_literal(target, operand.value)
            raise DatabaseError("invalid_text_representation", message, operand.start)
        if operand.kind == "text" and target == "regclass":
            self._named_relation(operand)
        shaky = unstable_cast(source, target)
        if shaky:
            self.unstable = self.unstable or f"the cast from {source} to {target} depends on session settings"
        elif shaky is None:
            self.doubtful = self.doubtful or f"a cast to {target} of something whose type is not known"
        return target

    def _named_relation(self, literal: Expr) -> None:
        """A relation that a text names: `'x'::regclass`, `nextval('x')`."""
        text = str(literal.value)
        if not text.isdigit() and not text.startswith("pg_"):
            parts = tuple(part.strip('"') if '"' in part else part.lower() for part in text.split("."))
            if parts[0] not in ("pg_catalog", "information_schema"):
                self.relation(Name(parts, literal.start))

    def _bool(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str:
        for arg, kind in zip(expr.args, self._all(expr.args, scope, ctes), strict=True):
            if group(kind) not in (None, "boolean"):
                message = f"argument of {expr.value.upper()} must be type boolean, not type {kind}"
                raise DatabaseError("datatype_mismatch", message, arg.start)
        return "boolean"

    def _test(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str:
        kinds = self._all(expr.args, scope, ctes)
        if expr.value in ("between", "in"):
            for arg, kind in zip(expr.args[1:], kinds[1:], strict=True):
                if arg.kind != "query":
                    self._compare("=", expr.args[0], kinds[0], arg, kind, expr.start)
        return "boolean"

    def _op(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        kinds = self._all(expr.args, scope, ctes)
        symbol: str = expr.value
        if len(kinds) == 1:
            return kinds[0]
        left, right = kinds
        self._overflow(expr.args, kinds)
        if symbol in _COMPARISONS:
            symbol = "<>" if symbol == "!=" else symbol
            self._compare(symbol, expr.args[0], left, expr.args[1], right, expr.start)
            return "boolean"
        if symbol == "||":
            return self._concatenation(left, right)
        if symbol == "-" and left in DATE_TYPES and expr.args[1].kind == "text":
            self._moment(left, expr.args[1])
        if symbol in "+-*/%^" and len(symbol) == 1:
            return self._arithmetic(symbol, left, right)
        if symbol in _BOOLEAN_OPERATORS:
            if symbol == "@@" and left in _TEXT_TYPES:
                self.unstable = self.unstable or "text @@ depends on the text search configuration"
            return "boolean"
        return {"->>": "text", "#>>": "text", "->": left, "#>": left}.get(symbol)

    @staticmethod
    def _moment(kind: str, literal: Expr) -> None:
        """`moment - 'text'` reads the text as another moment: an interval there is an error."""
        if kind != "interval" and not re.search(
            r"\d{3,}|now|today|yesterday|epoch|infinity", str(literal.value)
        ):
            message = f'invalid input syntax for type {kind}: "{str(literal.value)[:40]}"'
            raise DatabaseError("invalid_datetime_format", message, literal.start)

    def _arithmetic(self, symbol: str, left: str | None, right: str | None) -> str | None:
        self._operator_stability(symbol, left, right)
        if left in NUMBERS or right in NUMBERS:
            if (left in DATE_TYPES) or (right in DATE_TYPES):
                return "date" if "date" in (left, right) else None
            return wider(left, right)
        if left in DATE_TYPES and right in DATE_TYPES:
            if symbol == "-" and left == right:
                return "integer" if left == "date" else "interval"
            both = {left, right}
            if "interval" in both and both != {"interval"}:
                other = (both - {"interval"}).pop()
                return "timestamp without time zone" if other == "date" else other
        return None

    def _concatenation(self, left: str | None, right: str | None) -> str | None:
        for text, other in ((left, right), (right, left)):
            if text in STRINGS or text == LITERAL:
                if other is None:
                    self.doubtful = self.doubtful or "|| with something whose type is not known"
                    return None
                if (
                    other not in _TEXT_TYPES
                    and not other.endswith("[]")
                    and group(other) not in ("jsonb", "bytea")
                ):
                    self.unstable = self.unstable or f"text || {other} depends on session settings"
                    return "text"
        return "text" if left in _TEXT_TYPES and right in _TEXT_TYPES else left

    def _compare(
        self, symbol: str, a: Expr, left: str | None, b: Expr, right: str | None, start: int
    ) -> None:
        if not comparable(left, right):
            message = f"operator does not exist: {left} {symbol} {right}"
            raise DatabaseError("undefined_function", message, start)
        if left == right == "json":
            raise DatabaseError("undefined_function", "operator does not exist: json = json", start)
        for kind, other in ((left, b), (right, a)):
            if other.kind == "text" and not literal_fits(kind, other.value):
                message = bad_literal(kind, other.value)
                raise DatabaseError("invalid_text_representation", message, other.start)
        self._operator_stability(symbol, left, right)

    def _operator_stability(self, symbol: str, left: str | None, right: str | None) -> None:
        if (symbol, left, right) in UNSTABLE_OPERATORS:
            self.unstable = (
                self.unstable or f"{left} {symbol} {right} depends on the time zone of the session"
            )
        elif (left is None and (right is None or right in DATE_TYPES)) or (
            right is None and left in DATE_TYPES
        ):
            self.doubtful = self.doubtful or f"operator {symbol} on something whose type is not known"

    def _overflow(self, args: Iterable[Expr], kinds: list[str | None]) -> None:
        """A numeric constant beyond the range of the double precision value it meets."""
        if not {"double precision", "real"} & set(kinds):
            return
        for arg in args:
            constant = arg.args[0] if arg.kind == "op" and len(arg.args) == 1 else arg
            if constant.kind == "number" and float(constant.value) == float("inf"):
                self.overflow = self.overflow or constant

    def _case(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        kinds = self._all(expr.args, scope, ctes)
        results = [k for k in kinds[1::2] if k is not None and k != LITERAL]
        return results[0] if results else None

    def _array(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        kinds = [k for k in self._all(expr.args, scope, ctes) if k != LITERAL]
        return f"{kinds[0]}[]" if kinds and kinds[0] is not None else None

    def _collate(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        return self.type_of(expr.args[0], scope, ctes)

    def _subscript(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        kind = self.type_of(expr.args[0], scope, ctes)
        return kind[:-2] if kind is not None and kind.endswith("[]") else None

    def _query(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        self.queries.append(expr)
        assert expr.query is not None
        columns = self.check_query(expr.query, scope, ctes)
        if expr.value == "exists":
            return "boolean"
        return columns[0].type if columns and expr.value == "scalar" else None

    # -- calls

    def _call(self, expr: Expr, scope: Scope, ctes: Ctes | None) -> str | None:
        name: str = expr.value[-1]
        kinds = self._all(expr.args, scope, ctes)
        if len(expr.value) == 1 and name in _NILADIC and not expr.args:
            self.unstable = self.unstable or f"{name.upper()} is not immutable"
            return _NILADIC[name]
        if len(expr.value) == 1 and name in ("coalesce", "greatest", "least", "nullif"):
            self._overflow(expr.args, kinds)
            known = [k for k in kinds if k is not None and k != LITERAL]
            for k in known[1:]:
                if not comparable(known[0], k):
                    message = f"{name.upper()} types {known[0]} and {k} cannot be matched"
                    raise DatabaseError("datatype_mismatch", message, expr.start)
            return None if None in kinds else (known[0] if known else "text")
        if name in ("xmlelement", "grouping", "normalize") and len(expr.value) == 1:
            raise Undecided(f"{name}() is not modelled", expr.start)
        return self._function(expr, kinds)

    def _function(self, expr: Expr, kinds: list[str | None]) -> str | None:
        parts: tuple[str, ...] = expr.value
        arguments = len(expr.args)
        if parts[-1] in ("nextval", "setval", "currval") and expr.args and expr.args[0].kind == "text":
            self._named_relation(expr.args[0])
        own = [f for f in self.catalog.find_functions(parts, self.user) if f.least <= arguments <= f.most]
        if own:
            if own[0].volatility != "i" and own[0].language == "sql":
                self.doubtful = self.doubtful or f"{parts[-1]}() may be inlined"
            elif own[0].volatility != "i":
                self.unstable = self.unstable or f"{parts[-1]}() is not declared IMMUTABLE"
            return own[0].result
        for function in builtins.functions(parts[-1]):
            if self._is_reachable(function.extension, parts) and (
                expr.star or function.least <= arguments <= function.most
            ):
                self._function_stability(function, expr, kinds)
                return self._result(function, kinds)
        if self.catalog.hidden:
            raise Undecided(f"{parts[-1]}() may come from a statement that could not be followed", expr.start)
        if builtins.type_extensions(parts[-1]) or self.catalog.find_type(None, parts[-1], self.user):
            raise Undecided(f"{parts[-1]}() is a cast in disguise", expr.start)
        given = ", ".join(map(shown, kinds))
        message = f"function {'.'.join(parts)}({given}) does not exist"
        raise DatabaseError("undefined_function", message, expr.start)

    def _is_reachable(self, extension: str, parts: tuple[str, ...]) -> bool:
        schema = "pg_catalog" if extension == "-" else self.catalog.extensions.get(extension)
        if schema is None:
            return False
        if len(parts) > 1:
            return parts[-2] == schema
        return schema == "pg_catalog" or schema in self.catalog.path(self.user)

    def _function_stability(
        self, function: builtins.BuiltinFunction, expr: Expr, kinds: list[str | None]
    ) -> None:
        levels = set(function.volatility) - {"a"}
        if levels == {"i"}:
            return
        reason = f"{function.name}() is not immutable"
        if "i" not in levels:
            self.unstable = self.unstable or reason
            return
        verdict = mixed_stability(function.name, kinds)
        if verdict:
            self.unstable = self.unstable or f"{reason} for {', '.join(map(shown, kinds))}"
        elif verdict is None:
            self.doubtful = self.doubtful or f"{function.name}() is immutable for some types only"

    @staticmethod
    def _result(function: builtins.BuiltinFunction, kinds: list[str | None]) -> str | None:
        if function.result is not None:
            return None if function.result.startswith("any") else function.result
        name = function.name
        if name in (
            "lower",
            "upper",
            "btrim",
            "ltrim",
            "rtrim",
            "substring",
            "replace",
            "left",
            "right",
            "concat",
        ):
            return "text" if kinds and kinds[0] in _TEXT_TYPES else None
        if name == "date_trunc" and len(kinds) > 1:
            return kinds[1]
        if name == "timezone" and len(kinds) > 1:
            swap = {
                "timestamp with time zone": "timestamp without time zone",
                "timestamp without time zone": "timestamp with time zone",
            }
            return swap.get(kinds[1] or "")
        if name in ("max", "min", "abs", "round", "floor", "ceil") and kinds:
            return kinds[0]
        return None

    # -- queries

    def check_query(
        self, query: Query, outer: Scope | None = None, ctes: Ctes | None = None
    ) -> tuple[TableColumn, ...] | None:
        """The columns of a query's result; None when they cannot be told."""
        known: Ctes = dict(ctes or {})
        for name, body in query.ctes:
            known[name] = None  # a recursive one may use itself
            if isinstance(body, Query):
                known[name] = self.check_query(body, outer, known)
            else:
                self.check_change(body, outer, known)
        if query.values:
            for row in query.values:
                self._all(row, Scope(outer=outer), known)
            return tuple(TableColumn(f"column{i + 1}", None) for i in range(len(query.values[0])))
        scope = Scope(outer=outer)
        for item in query.items:
            scope = scope._replace(sources=(*scope.sources, self._source(item, scope, known)))
        for expr in query.conditions:
            kind = self.type_of(expr, scope, known)
            if group(kind) not in (None, "boolean"):
                raise DatabaseError(
                    "datatype_mismatch",
                    f"argument of WHERE must be type boolean, not type {kind}",
                    expr.start,
                )
        columns = self._targets(query, scope, known)
        outputs = frozenset(c.name for c in columns or ())
        for expr in query.ordering:
            self.type_of(expr, scope._replace(names_output=outputs), known)
        for other in query.more:
            self.check_query(other, outer, known)
        return columns

    def _targets(self, query: Query, scope: Scope, ctes: Ctes) -> tuple[TableColumn, ...] | None:
        columns: list[TableColumn] = []
        complete = True
        for expr, alias in query.targets:
            if expr.kind == "column" and expr.value[-1] == "*":
                self.columns.add("*")
                for source in scope.sources:
                    if len(expr.value) > 1 and source.name != expr.value[-2]:
                        continue
                    complete = complete and source.columns is not None
                    columns += source.columns or ()
                continue
            kind = self.type_of(expr, scope, ctes)
            columns.append(TableColumn(alias or _output_name(expr), kind))
        return tuple(columns) if complete else None

    def _source(self, item: FromItem, scope: Scope, ctes: Ctes) -> Source:
        columns: tuple[TableColumn, ...] | None
        name = item.alias
        if item.query is not None:
            columns = self.check_query(item.query, scope if item.lateral else scope.outer, ctes)
        elif item.call is not None:
            self.type_of(item.call, scope, ctes)
            columns = None
        else:
            assert item.table is not None
            name = name or item.table.last
            columns = self._table_columns(item.table, ctes)
        if item.columns and columns is not None:
            renamed = [c._replace(name=new) for c, new in zip(columns, item.columns, strict=False)]
            columns = (*renamed, *columns[len(renamed) :])
        elif item.columns:
            columns = None
        return Source(name, columns)

    def _table_columns(self, name: Name, ctes: Ctes) -> tuple[TableColumn, ...] | None:
        if name.schema is None and name.last in ctes:
            return ctes[name.last]
        if name.schema in ("pg_catalog", "information_schema"):
            return None
        if (
            name.schema is None
            and name.last.startswith("pg_")
            and not self.catalog.find(name.parts, self.user)
        ):
            return None
        found = self.relation(name, "table reference")
        if found.kind in ("index", "composite"):
            raise DatabaseError("wrong_object_type", f'cannot open relation "{name}"', name.start)
        return found.columns

    # -- statements that change rows

    def check_change(
        self, change: Insert | Update | Delete, outer: Scope | None = None, ctes: Ctes | None = None
    ) -> None:
        """Check INSERT, UPDATE or DELETE.

        Raises DatabaseError for names that do not exist and values that surely do not fit.
        """
        known: Ctes = dict(ctes or {})
        for name, body in change.ctes:
            known[name] = None
            if isinstance(body, Query):
                known[name] = self.check_query(body, outer, known)
            else:
                self.check_change(body, outer, known)
        table = self.relation(change.table, "table reference")
        scope = Scope((Source(change.alias or table.name, table.columns),), outer)
        if isinstance(change, Insert):
            self._check_insert(change, table, scope, outer, known)
        else:
            for item in change.items:
                scope = scope._replace(sources=(*scope.sources, self._source(item, scope, known)))
        if isinstance(change, Update):
            self._assignments(change.assignments, table, scope, known)
        if change.where is not None:
            self.type_of(change.where, scope, known)
        for expr, _ in change.returning:
            self.type_of(expr, scope, known)

    def _assignments(
        self, assignments: tuple[tuple[str, Expr], ...], table: Relation, scope: Scope, ctes: Ctes
    ) -> None:
        for column, expr in assignments:
            self._target(table, column, expr.start)
            self.type_of(expr, scope, ctes)

    @staticmethod
    def _target(table: Relation, column: str, start: int) -> TableColumn | None:
        found = table.column(column)
        if found is None and table.columns is not None:
            message = f'column "{column}" of relation "{table.name}" does not exist'
            raise DatabaseError("undefined_column", message, start)
        return found

    def _check_insert(
        self, insert: Insert, table: Relation, scope: Scope, outer: Scope | None, ctes: Ctes
    ) -> None:
        for column in insert.columns or ():
            self._target(table, column, insert.start)
        targets = [self._target(table, c, insert.start) for c in insert.columns or ()]
        if insert.columns is None and table.columns is not None:
            targets = list(table.columns)
        self._check_rows(insert, targets, outer, ctes)
        excluded = scope._replace(sources=(*scope.sources, Source("excluded", table.columns)))
        self._assignments(insert.assignments, table, excluded, ctes)
        for expr in insert.conflict_columns:
            self.type_of(expr, scope, ctes)
        if insert.conflict_columns and all(e.kind == "column" for e in insert.conflict_columns):
            self._arbiter(insert, table)
        if insert.conflict_constraint is not None:
            names = {c.name for c in table.constraints}
            if insert.conflict_constraint not in names:
                message = f'constraint "{insert.conflict_constraint}" for table "{table.name}" does not exist'
                raise DatabaseError("undefined_object", message, insert.start)

    def _arbiter(self, insert: Insert, table: Relation) -> None:
        wanted = {e.value[-1] for e in insert.conflict_columns}
        partial = False
        for columns, predicate in unique_sets(self.catalog, table):
            if columns == wanted:
                if not predicate:
                    return
                partial = True
        if partial:
            raise Undecided("ON CONFLICT infers a partial index", insert.start)
        message = "there is no unique or exclusion constraint matching the ON CONFLICT specification"
        raise DatabaseError("invalid_column_reference", message, insert.start)

    def _check_rows(
        self, insert: Insert, targets: list[TableColumn | None], outer: Scope | None, ctes: Ctes
    ) -> None:
        query = insert.source
        if query is None:
            return
        if not query.values:
            columns = self.check_query(query, outer, ctes)
            if columns is not None and targets:
                self._count(len(columns), targets, insert)
            return
        for row in query.values:
            if targets:
                self._count(len(row), targets, insert)
            for expr, target in zip(row, targets, strict=False):
                kind = self.type_of(expr, Scope(outer=outer), ctes)
                check_value(target.type if target else None, kind, expr, target.name if target else "")

    @staticmethod
    def _count(given: int, targets: list[TableColumn | None], insert: Insert) -> None:
        if given > len(targets):
            raise DatabaseError(
                "syntax_error", "INSERT has more expressions than target columns", insert.start
            )
        if given < len(targets) and insert.columns is not None:
            raise DatabaseError(
                "syntax_error", "INSERT has more target columns than expressions", insert.start
            )


def unique_sets(catalog: Catalog, table: Relation) -> list[tuple[set[str], bool]]:
    """The column sets that are unique in a table, and whether only under a predicate."""
    found = [(set(c.columns), False) for c in table.constraints if c.kind in ("unique", "primary key")]
    for index in catalog.indexes_of(table.key):
        if index.unique and index.index_columns:
            found.append((set(index.index_columns), index.predicate))
    return found


def check_value(target: str | None, kind: str | None, expr: Expr, column: str) -> None:
    """Refuse a value that can never go into a column.

    Raises DatabaseError.
    """
    from zuno_audit.facts.postgres.types import assignable

    if expr.kind == "text" and not literal_fits(target, expr.value):
        message = bad_literal(target, expr.value)
        raise DatabaseError("invalid_text_representation", message, expr.start)
    if not assignable(target, kind):
        message = f'column "{column}" is of type {target} but expression is of type {kind}'
        raise DatabaseError("datatype_mismatch", message, expr.start)


def mixed_stability(name: str, kinds: list[str | None]) -> bool | None:
    """For a function that is immutable for some types only: True when not for these, None when unknown."""
    last = kinds[-1] if kinds else None
    zoned = "timestamp with time zone"
    if name in ("date_trunc", "date_part", "extract", "date", "timestamp", "time"):
        return None if last is None else last == zoned
    if name == "timezone":
        return None if last is None else last == "time with time zone"
    if name == "age":
        return len(kinds) == 1
    if name in ("to_tsvector", "to_tsquery", "plainto_tsquery", "phraseto_tsquery", "websearch_to_tsquery"):
        return len(kinds) == 1
    if name == "to_timestamp":
        return len(kinds) == 2
    if name == "length":
        return len(kinds) == 2
    if name in ("quote_literal", "quote_nullable"):
        return None if last is None else last not in _TEXT_TYPES
    return None


def _output_name(expr: Expr) -> str:
    if expr.kind == "column":
        return str(expr.value[-1])
    if expr.kind == "call":
        return str(expr.value[-1])
    if expr.kind == "cast":
        inner = _output_name(expr.args[0])
        return inner if inner != "?column?" else expr.value.name
    return "?column?"
