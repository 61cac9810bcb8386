"""CREATE TABLE, CREATE INDEX and their parts: columns, constraints, index keys."""

from __future__ import annotations

from zuno_audit.languages.sql.queries import QueryParser
from zuno_audit.languages.sql.tree import (
    Column,
    Constraint,
    CreateIndex,
    CreateTable,
    IndexKey,
    Name,
)

_COLUMN_CONSTRAINTS = (
    "constraint",
    "not",
    "null",
    "default",
    "check",
    "unique",
    "primary",
    "references",
    "generated",
    "collate",
    "deferrable",
    "initially",
    "compression",
    "storage",
)
_TABLE_CONSTRAINTS = ("constraint", "check", "unique", "primary", "foreign", "exclude")


class DefinitionParser(QueryParser):
    """Adds what tables and indexes are made of.

    `subject` is what the statement is about (kind, own name, table), known even when the rest does not parse.
    """

    subject: tuple[str, str | None, Name | None] | None = None

    # -- columns

    def column(self) -> Column:
        """columnDef: name, type, then constraints in any order."""
        start = self.token.start
        name = self.identifier()
        kind = self.type_name()
        if self.is_word("storage", "compression"):
            self.at += 1
            self.label()
        return Column(name, kind, start, self._column_constraints(name))

    def _column_constraints(self, column: str) -> tuple[Constraint, ...]:
        found: list[Constraint] = []
        while self.is_word(*_COLUMN_CONSTRAINTS):
            constraint = self._column_constraint(column)
            if constraint is not None:
                found.append(constraint)
        return tuple(found)

    def _column_constraint(self, column: str) -> Constraint | None:
        start = self.token.start
        name = self.identifier() if self.take("constraint") else None
        if self.take("not", "null"):
            return Constraint("not null", start, name, (column,))
        if self.take("null"):
            return Constraint("null", start, name, (column,))
        if self.take("default"):
            return Constraint("default", start, name, (column,), self.expression(4))
        if self.is_word("check"):
            return self._check(start, name)
        if self.take("unique"):
            self._nulls_distinct()
            self._index_parameters()
            return Constraint("unique", start, name, (column,))
        if self.take("primary", "key"):
            self._index_parameters()
            return Constraint("primary key", start, name, (column,))
        if self.is_word("references"):
            return self._references(start, name, (column,))
        if self.take("generated"):
            return self._generated(start, name, column)
        if name is None and self.take("collate"):
            self.name()
            return None
        if name is None and self._deferrability():
            return None
        raise self.refusal()

    def _generated(self, start: int, name: str | None, column: str) -> Constraint:
        if self.take("by"):
            self.expect("default")
        else:
            self.expect("always")
        self.expect("as")
        if self.take("identity"):
            if self.is_symbol("("):
                self.skip_parens()
            return Constraint("identity", start, name, (column,))
        self.expect_symbol("(")
        expr = self.expression()
        self.expect_symbol(")")
        self.expect("stored")
        return Constraint("generated", start, name, (column,), expr)

    # -- constraints

    def at_table_constraint(self) -> bool:
        """True when a table constraint begins here and not a column of that name."""
        return self.is_word(*_TABLE_CONSTRAINTS)

    def table_constraint(self) -> Constraint:
        """TableConstraint of the grammar."""
        start = self.token.start
        name = self.identifier() if self.take("constraint") else None
        if self.is_word("check"):
            constraint = self._check(start, name)
        elif self.is_word("unique", "primary"):
            constraint = self._unique(start, name)
        elif self.take("foreign", "key"):
            constraint = self._references(start, name, self.names_in_parens())
        elif self.is_word("exclude"):
            constraint = self._exclude(start, name)
        else:
            self.fail()
        while self._deferrability():
            pass
        return constraint

    def _check(self, start: int, name: str | None) -> Constraint:
        self.expect("check")
        self.expect_symbol("(")
        expr = self.expression()
        self.expect_symbol(")")
        self.take("no", "inherit")
        return Constraint("check", start, name, (), expr)

    def _unique(self, start: int, name: str | None) -> Constraint:
        kind = "unique"
        if self.take("primary"):
            self.expect("key")
            kind = "primary key"
        else:
            self.expect("unique")
            self._nulls_distinct()
        if self.take("using", "index"):
            return Constraint(kind, start, name, using=self.identifier())
        columns = self.names_in_parens()
        if self.is_word("include"):
            self.at += 1
            self.names_in_parens()
        self._index_parameters()
        return Constraint(kind, start, name, columns)

    def _nulls_distinct(self) -> None:
        if self.take("nulls"):
            self.take("not")
            self.expect("distinct")

    def _index_parameters(self) -> None:
        self._parameters()
        if self.take("using", "index", "tablespace"):
            self.identifier()

    def _references(self, start: int, name: str | None, columns: tuple[str, ...]) -> Constraint:
        self.expect("references")
        table = self.name()
        referenced = self.names_in_parens() if self.is_symbol("(") else ()
        if self.take("match") and not self.take("full") and not self.take("simple"):
            self.expect("partial")
        while self.is_word("on") and self.peek().value in ("delete", "update"):
            self.at += 2
            self._referential_action()
        return Constraint("foreign key", start, name, columns, table=table, referenced=referenced)

    def _referential_action(self) -> None:
        if self.take("no", "action") or self.take("restrict") or self.take("cascade"):
            return
        self.expect("set")
        if not self.take("null"):
            self.expect("default")
        if self.is_symbol("("):
            self.names_in_parens()

    def _exclude(self, start: int, name: str | None) -> Constraint:
        self.expect("exclude")
        method = self.identifier() if self.take("using") else "gist"
        self.expect_symbol("(")
        keys = self.comma_list(self._exclusion)
        self.expect_symbol(")")
        self._index_parameters()
        expr = None
        if self.take("where"):
            self.expect_symbol("(")
            expr = self.expression()
            self.expect_symbol(")")
        return Constraint("exclude", start, name, expr=expr, keys=keys, method=method)

    def _exclusion(self) -> IndexKey:
        key = self.index_key()
        self.expect("with")
        self.advance()
        return key

    def _deferrability(self) -> bool:
        return (
            self.take("not", "deferrable")
            or self.take("deferrable")
            or self.take("initially", "deferred")
            or self.take("initially", "immediate")
            or self.take("not", "valid")
            or self.take("no", "inherit")
        )

    # -- tables

    def create_table(self, start: int, temporary: bool) -> CreateTable:
        """What follows CREATE [TEMP] TABLE."""
        lenient = self.if_not_exists()
        name = self.name()
        self.subject = ("table", None, name)
        if self.take("partition", "of"):
            return self._partition(start, lenient, name)
        if self.take("of"):
            self.unknown("a typed table")
        columns: list[Column] = []
        constraints: list[Constraint] = []
        likes: list[tuple[Name, bool]] = []
        has_list = self.is_symbol("(")
        if has_list:
            self._elements(columns, constraints, likes)
        inherits: tuple[Name, ...] = ()
        if self.take("inherits"):
            self.expect_symbol("(")
            inherits = self.comma_list(self.name)
            self.expect_symbol(")")
        keys = self._partition_keys()
        self._storage()
        query = None
        if self.take("as"):
            query = self.query()
            if self.take("with"):
                self.take("no")
                self.expect("data")
        elif not has_list:
            self.fail()
        return CreateTable(
            start,
            self.token.start,
            name,
            lenient,
            temporary,
            tuple(columns),
            tuple(constraints),
            tuple(name for name, _ in likes),
            inherits,
            None,
            keys,
            None,
            query,
            tuple(name for name, with_indexes in likes if with_indexes),
        )

    def _elements(
        self, columns: list[Column], constraints: list[Constraint], likes: list[tuple[Name, bool]]
    ) -> None:
        self.expect_symbol("(")
        if self.take_symbol(")"):
            return
        while True:
            if self.take("like"):
                source, with_indexes = self.name(), False
                while self.is_word("including", "excluding"):
                    takes = self.is_word("including")
                    self.at += 1
                    if self.is_word("indexes", "all"):
                        with_indexes = takes
                    self.at += 1
                likes.append((source, with_indexes))
            elif self.at_table_constraint():
                constraints.append(self.table_constraint())
            elif self.peek().value in (",", ")") and self.token.kind in ("word", "name"):
                columns.append(Column(self.identifier(), None, self.tokens[self.at - 1].start))
            else:
                columns.append(self.column())
            if not self.take_symbol(","):
                break
        self.expect_symbol(")")

    def _partition(self, start: int, lenient: bool, name: Name) -> CreateTable:
        parent = self.name()
        constraints: list[Constraint] = []
        if self.is_symbol("("):
            self.at += 1
            while True:
                if self.at_table_constraint():
                    constraints.append(self.table_constraint())
                else:
                    column = self.identifier()
                    if self.take("with"):
                        self.expect("options")
                    constraints += self._column_constraints(column)
                if not self.take_symbol(","):
                    break
            self.expect_symbol(")")
        if not self.take("default"):
            self.expect("for", "values")
            self._partition_bound()
        keys = self._partition_keys()
        self._storage()
        return CreateTable(
            start, self.token.start, name, lenient, constraints=tuple(constraints), partition_of=parent,
            partition_keys=keys,
        )  # fmt: skip

    def _partition_bound(self) -> None:
        if self.take("in"):
            self._arguments()
        elif self.take("from"):
            self._arguments()
            self.expect("to")
            self._arguments()
        else:
            self.expect("with")
            self.skip_parens()

    def _partition_keys(self) -> tuple[IndexKey, ...] | None:
        if not self.take("partition", "by"):
            return None
        if not self.is_word("range", "list", "hash"):
            self.fail()
        self.at += 1
        return self._keys()

    def _parameters(self) -> None:
        """WITH (name [= value], ...)."""
        if self.is_word("with") and self.peek().value == "(":
            self.at += 1
            self.parameter_list()

    def parameter_list(self) -> None:
        """`(name [= value], ...)`."""
        self.expect_symbol("(")
        while True:
            self.label()
            if self.take_symbol("."):
                self.label()
            if self.take_symbol("="):
                self.take_symbol("-")
                if self.token.kind not in ("word", "number", "text", "name"):
                    self.fail()
                self.advance()
            if not self.take_symbol(","):
                break
        self.expect_symbol(")")

    def _storage(self) -> None:
        """USING, WITH, ON COMMIT and TABLESPACE change nothing that matters here."""
        if self.take("using"):
            self.identifier()
        if self.take("without"):
            self.expect("oids")
        self._parameters()
        if self.take("on", "commit"):
            while self.is_word("drop", "delete", "preserve", "rows"):
                self.at += 1
        if self.take("tablespace"):
            self.identifier()

    # -- indexes

    def create_index(self, start: int, unique: bool) -> CreateIndex:
        """What follows CREATE [UNIQUE] INDEX."""
        concurrently = self.take("concurrently")
        lenient = self.if_not_exists()
        name = None
        if lenient or not self.is_word("on"):
            name = self.identifier()
        self.subject = ("index", name, None)
        self.expect("on")
        self.take("only")
        table = self.name()
        self.subject = ("index", name, table)
        method = self.identifier() if self.take("using") else "btree"
        keys = self._keys()
        include = self.names_in_parens() if self.take("include") else ()
        self._nulls_distinct()
        self._parameters()
        if self.take("tablespace"):
            self.identifier()
        where = self.expression() if self.take("where") else None
        return CreateIndex(
            start, self.token.start, name, table, keys, method, unique, concurrently, lenient, include, where
        )

    def _keys(self) -> tuple[IndexKey, ...]:
        self.expect_symbol("(")
        keys = self.comma_list(self.index_key)
        self.expect_symbol(")")
        return keys

    def index_key(self) -> IndexKey:
        """A column, a call or an expression in parentheses, with collation, operator class and order."""
        start = self.token.start
        if self.is_symbol("("):
            self.at += 1
            expr = self.expression()
            self.expect_symbol(")")
            column = None
        else:
            expr = self._word() if self.token.kind == "word" else self._column_or_call()
            if expr.kind not in ("column", "call", "cast"):
                self.fail(self.tokens[self.at - 1])
            plain = expr.kind == "column" and len(expr.value) == 1
            if expr.kind == "column" and not plain:
                self.fail()
            column = expr.value[0] if plain else None
        if self.take("collate"):
            self.name()
        opclass = None
        if self.token.kind == "name" or (
            self.token.kind == "word" and self.token.value not in ("asc", "desc", "nulls", "with")
        ):
            opclass = self.name()
            if self.is_symbol("("):
                self.skip_parens()
        if not self.take("asc"):
            self.take("desc")
        if self.take("nulls") and not self.take("first"):
            self.expect("last")
        return IndexKey(expr, column, opclass, start)
