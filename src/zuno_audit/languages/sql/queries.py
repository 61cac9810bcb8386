"""SELECT, VALUES, INSERT, UPDATE and DELETE: as much as naming tables and columns correctly needs."""

from __future__ import annotations

from zuno_audit.languages.sql.cursor import MAX_DEPTH
from zuno_audit.languages.sql.expressions import ExpressionParser
from zuno_audit.languages.sql.keywords import NEEDS_AS, NOT_A_COLUMN
from zuno_audit.languages.sql.tree import Delete, Expr, FromItem, Insert, Query, Update

Targets = tuple[tuple[Expr, str | None], ...]
_JOIN_WORDS = ("join", "inner", "left", "right", "full", "cross", "natural")


class QueryParser(ExpressionParser):
    """Adds `query()` and the three statements that change rows."""

    _join_conditions: tuple[Expr, ...] = ()

    def query(self) -> Query:
        """select_no_parens or select_with_parens, WITH and set operations included."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.unknown("a query nested too deeply")
        start = self.token.start
        ctes = self.ctes()
        first = self._operand()
        others: list[Query] = []
        while self.is_word("union", "intersect", "except"):
            self.at += 1
            if not self.take("all"):
                self.take("distinct")
            others.append(self._operand())
        ordering = self._tail()
        self.depth -= 1
        if not (ctes or others or ordering):
            return first
        return Query(
            start, first.targets, first.items, first.conditions, (*first.ordering, *ordering),
            (*first.ctes, *ctes), first.values, (*first.more, *others), first.windows,
        )  # fmt: skip

    def ctes(self) -> tuple[tuple[str, Query | Insert | Update | Delete], ...]:
        """WITH [RECURSIVE] name [(columns)] AS (statement), ..."""
        if not self.take("with"):
            return ()
        self.take("recursive")
        return self.comma_list(self._cte)

    def _cte(self) -> tuple[str, Query | Insert | Update | Delete]:
        name = self.identifier()
        if self.is_symbol("("):
            self.names_in_parens()
        self.expect("as")
        if self.take("not"):
            self.expect("materialized")
        else:
            self.take("materialized")
        self.expect_symbol("(")
        body: Query | Insert | Update | Delete
        if self.is_word("insert"):
            body = self.insert(())
        elif self.is_word("update"):
            body = self.update(())
        elif self.is_word("delete"):
            body = self.delete(())
        else:
            body = self.query()
        self.expect_symbol(")")
        return name, body

    def _operand(self) -> Query:
        start = self.token.start
        if self.is_symbol("("):
            self.at += 1
            inner = self.query()
            self.expect_symbol(")")
            return inner
        if self.take("values"):
            rows = self.comma_list(self._value_row)
            return Query(start, values=rows)
        if self.take("table"):
            table = self.name()
            return Query(start, ((Expr("column", start, ("*",)), None),), (FromItem(None, start, table),))
        self.expect("select")
        return self._select(start)

    def _value_row(self) -> tuple[Expr, ...]:
        self.expect_symbol("(")
        row = self.comma_list(self.expression)
        self.expect_symbol(")")
        return row

    def _select(self, start: int) -> Query:
        if self.take("distinct"):
            if self.take("on"):
                self._value_row()
        else:
            self.take("all")
        targets: Targets = ()
        if (
            not self.is_word("from", "where", "union", "limit")
            and not self.done
            and not self.is_symbol(")", ";")
        ):
            targets = self.comma_list(self._target)
        if self.is_word("into"):
            self.unknown("SELECT INTO")
        self._join_conditions = ()
        items = self.from_items() if self.take("from") else ()
        conditions = list(self._join_conditions)
        if self.take("where"):
            conditions.append(self.expression())
        ordering: tuple[Expr, ...] = ()
        if self.take("group", "by"):
            if self.is_word("rollup", "cube", "grouping"):
                self.unknown("grouping sets")
            if not self.take("distinct"):
                self.take("all")
            ordering = self.comma_list(self.expression)
        if self.take("having"):
            conditions.append(self.expression())
        windows: list[str] = []
        if self.take("window"):
            windows = list(self.comma_list(self._window))
        return Query(start, targets, items, tuple(conditions), ordering, windows=tuple(windows))

    def _window(self) -> str:
        name = self.identifier()
        self.expect("as")
        self.skip_parens()
        return name

    def _target(self) -> tuple[Expr, str | None]:
        if self.is_symbol("*"):
            start = self.advance().start
            return Expr("column", start, ("*",)), None
        expr = self.expression()
        if self.take("as"):
            return expr, self.label()
        if self.token.kind == "name" or (self.token.kind == "word" and self.token.value not in NEEDS_AS):
            if self.token.value in ("from", "into", "where"):
                return expr, None
            return expr, self.label()
        return expr, None

    def _tail(self) -> tuple[Expr, ...]:
        ordering: tuple[Expr, ...] = ()
        if self.take("order", "by"):
            ordering = self._order_list()
        while True:
            if self.take("limit"):
                if not self.take("all"):
                    self.expression()
            elif self.take("offset"):
                self.expression()
                if not self.take("row"):
                    self.take("rows")
            elif self.is_word("fetch", "for"):
                self._fetch_or_lock()
            else:
                return ordering

    def _fetch_or_lock(self) -> None:
        if self.take("fetch"):
            if not self.take("first"):
                self.expect("next")
            while not self.take("only") and not self.take("with", "ties"):
                if self.done:
                    self.fail()
                self.advance()
            return
        self.expect("for")
        self.take("no", "key")
        self.take("key")
        if not self.take("update"):
            self.expect("share")
        if self.take("of"):
            self.comma_list(self.name)
        if not self.take("nowait"):
            self.take("skip", "locked")

    # -- FROM

    def from_items(self) -> tuple[FromItem, ...]:
        """The elements of FROM; the conditions of their joins are left in `_join_conditions`."""
        items: list[FromItem] = []
        conditions: list[Expr] = []
        self._from_list(items, conditions)
        self._join_conditions = tuple(conditions)
        return tuple(items)

    def _from_list(self, items: list[FromItem], conditions: list[Expr]) -> None:
        while True:
            self._joined_tables(items, conditions)
            if not self.take_symbol(","):
                return

    def _joined_tables(self, items: list[FromItem], conditions: list[Expr]) -> None:
        self._from_item(items, conditions)
        while self.is_word(*_JOIN_WORDS):
            natural = self.take("natural")
            cross = self.take("cross")
            if self.is_word("left", "right", "full"):
                self.at += 1
                self.take("outer")
            else:
                self.take("inner")
            self.expect("join")
            self._from_item(items, conditions)
            if natural or cross:
                continue
            if self.is_word(*_JOIN_WORDS):  # a nested join: a JOIN b JOIN c ON .. ON ..
                self.unknown("a nested join")
            if self.take("using"):
                self.names_in_parens()
            else:
                self.expect("on")
                conditions.append(self.expression())

    def _from_item(self, items: list[FromItem], conditions: list[Expr]) -> None:
        start = self.token.start
        lateral = self.take("lateral")
        self.take("only")
        if self.is_symbol("("):
            if self.at_query() and self._parens_hold_query():
                query = self._subquery()
                alias, columns = self._alias()
                items.append(FromItem(alias, start, query=query, columns=columns, lateral=lateral))
                return
            self.at += 1
            self._joined_tables(items, conditions)
            self.expect_symbol(")")
            if self.is_word("as") or self.token.kind == "name":
                self.unknown("an alias on a join")
            return
        if self.is_word("rows") and self.peek().value == "from":
            self.unknown("ROWS FROM")
        if self._call_follows():
            call = self._column_or_call()
            if self.take("with"):
                self.expect("ordinality")
            alias, columns = self._alias()
            items.append(
                FromItem(alias or call.value[-1], start, call=call, columns=columns, lateral=lateral)
            )
            return
        table = self.name()
        self.take_symbol("*")
        alias, columns = self._alias()
        if self.is_word("tablesample"):
            self.unknown("TABLESAMPLE")
        items.append(FromItem(alias, start, table, columns=columns))

    def _alias(self) -> tuple[str | None, tuple[str, ...]]:
        alias = None
        if self.take("as"):
            if self.is_symbol("("):
                self.unknown("a column definition list")
            alias = self.identifier()
        elif self.token.kind == "name" or (self.token.kind == "word" and self._may_be_alias()):
            alias = self.advance().value
        columns: tuple[str, ...] = ()
        if alias and self.is_symbol("("):
            if self.peek(2).kind != "symbol":
                self.unknown("a column definition list")
            columns = self.names_in_parens()
        return alias, columns

    def _may_be_alias(self) -> bool:
        return self.token.value not in NOT_A_COLUMN and self.token.value not in (
            "set",
            "tablesample",
            "values",
        )

    # -- statements that change rows

    def insert(self, ctes: tuple[tuple[str, Query | Insert | Update | Delete], ...]) -> Insert:
        """INSERT INTO table [(columns)] source [ON CONFLICT ..] [RETURNING ..]."""
        start = self.token.start
        self.expect("insert", "into")
        table = self.name()
        alias = self.identifier() if self.take("as") else None
        columns = None
        if self.is_symbol("(") and not (self.at_query() and self._parens_hold_query()):
            columns = self._target_columns()
        if self.take("overriding"):
            self.advance()
            self.expect("value")
        source = None
        if not self.take("default", "values"):
            source = self.query()
        keys, constraint, assignments, where = self._on_conflict()
        returning = self._returning()
        return Insert(
            start, self.token.start, table, columns, source, alias, keys, constraint, assignments, where,
            returning, ctes,
        )  # fmt: skip

    def _target_columns(self) -> tuple[str, ...]:
        self.expect_symbol("(")
        names = self.comma_list(self._target_column)
        self.expect_symbol(")")
        return names

    def _target_column(self) -> str:
        name = self.identifier()
        if self.is_symbol(".", "["):
            self.unknown("an assignment to a part of a column")
        return name

    def _on_conflict(
        self,
    ) -> tuple[tuple[Expr, ...], str | None, tuple[tuple[str, Expr], ...], Expr | None]:
        if not self.take("on", "conflict"):
            return (), None, (), None
        keys: tuple[Expr, ...] = ()
        constraint = None
        if self.take("on", "constraint"):
            constraint = self.identifier()
        elif self.is_symbol("("):
            self.at += 1
            keys = self.comma_list(self.expression)
            self.expect_symbol(")")
            if self.take("where"):
                self.expression()
        self.expect("do")
        if self.take("nothing"):
            return keys, constraint, (), None
        self.expect("update", "set")
        assignments = self.assignments()
        where = self.expression() if self.take("where") else None
        return keys, constraint, assignments, where

    def assignments(self) -> tuple[tuple[str, Expr], ...]:
        """`a = x, (b, c) = (y, z)`."""
        found: list[tuple[str, Expr]] = []
        while True:
            if self.is_symbol("("):
                names = self._target_columns()
                self.expect_symbol("=")
                value = self.expression()
                found += [(name, value) for name in names]
            else:
                name = self._target_column()
                self.expect_symbol("=")
                found.append((name, self.expression()))
            if not self.take_symbol(","):
                return tuple(found)

    def _returning(self) -> Targets:
        if not self.take("returning"):
            return ()
        targets = self.comma_list(self._target)
        if self.is_word("into"):
            self.unknown("RETURNING INTO")
        return targets

    def update(self, ctes: tuple[tuple[str, Query | Insert | Update | Delete], ...]) -> Update:
        """UPDATE table SET .. [FROM ..] [WHERE ..] [RETURNING ..]."""
        start = self.token.start
        self.expect("update")
        self.take("only")
        table = self.name()
        alias, _ = self._alias()
        self.expect("set")
        assignments = self.assignments()
        items = self.from_items() if self.take("from") else ()
        where = self.expression() if self.take("where") else None
        returning = self._returning()
        return Update(start, self.token.start, table, assignments, alias, items, where, returning, ctes)

    def delete(self, ctes: tuple[tuple[str, Query | Insert | Update | Delete], ...]) -> Delete:
        """DELETE FROM table [USING ..] [WHERE ..] [RETURNING ..]."""
        start = self.token.start
        self.expect("delete", "from")
        self.take("only")
        table = self.name()
        alias, _ = self._alias()
        items = self.from_items() if self.take("using") else ()
        where = self.expression() if self.take("where") else None
        returning = self._returning()
        return Delete(start, self.token.start, table, alias, items, where, returning, ctes)
