"""Expressions of PostgreSQL by precedence climbing (manual, 4.1.6), and the odd spellings of gram.y."""

from __future__ import annotations

from zuno_audit.languages.sql.cursor import MAX_DEPTH, Cursor
from zuno_audit.languages.sql.keywords import NOT_A_COLUMN, NOT_A_FUNCTION, RESERVED
from zuno_audit.languages.sql.tree import Expr, Query, TypeName

# Powers: OR 1, AND 2, NOT 3, IS 4, comparison 5, BETWEEN IN LIKE 6, other operators 7, + - 8, * / % 9,
# ^ 10, AT TIME ZONE 11, COLLATE 12, unary minus 13, [] 14, :: 15
_COMPARISON = frozenset(["<", ">", "=", "<=", ">=", "<>", "!="])
_NOT_OPERATORS = frozenset(["(", ")", "[", "]", ",", ";", ".", ":", "::", ":=", "=>", ".."])
_NILADIC = frozenset(
    [
        "current_date",
        "current_time",
        "current_timestamp",
        "localtime",
        "localtimestamp",
        "current_role",
        "current_user",
        "session_user",
        "user",
        "current_catalog",
        "current_schema",
    ]
)
_TYPED_LITERALS = frozenset(
    [
        "date",
        "time",
        "timestamp",
        "timestamptz",
        "interval",
        "integer",
        "int",
        "bigint",
        "smallint",
        "real",
        "float",
        "boolean",
        "numeric",
        "bit",
        "char",
        "character",
        "varchar",
        "double",
        "uuid",
        "inet",
        "cidr",
        "json",
        "jsonb",
        "point",
        "box",
        "text",
        "regclass",
    ]
)
_CALL_WORDS = frozenset({"coalesce", "greatest", "least", "nullif", "grouping"})
_ODD_CALLS = frozenset(["extract", "overlay", "position", "substring", "trim"])


class ExpressionParser(Cursor):
    """Adds `expression()`. `query()` comes from the parser of queries."""

    def query(self) -> Query:
        raise NotImplementedError

    def at_query(self) -> bool:
        """True when a query in parentheses or a bare one begins here."""
        ahead = 0
        while self.peek(ahead).kind == "symbol" and self.peek(ahead).value == "(":
            ahead += 1
        token = self.peek(ahead)
        return token.kind == "word" and token.value in ("select", "values", "with", "table")

    def expression(self, power: int = 0) -> Expr:
        """An a_expr that binds at least this tightly.

        Raises SqlError, or NotUnderstood for what is not modelled.
        """
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.unknown("an expression nested too deeply")
        left = self._prefix()
        while True:
            more = self._infix(left, power)
            if more is None:
                break
            left = more
        self.depth -= 1
        return left

    # -- what an expression begins with

    def _prefix(self) -> Expr:
        token = self.token
        if token.kind == "symbol":
            if token.value == "(":
                return self._parenthesis()
            if token.value in _NOT_OPERATORS or token.value in (
                "*",
                "=",
                "<",
                ">",
                "/",
                "^",
                "<>",
                "<=",
                ">=",
            ):
                self.fail()
            if token.value.startswith("`"):
                self.fail()
            self.at += 1
            return Expr("op", token.start, token.value, (self.expression(13 if token.value in "+-" else 7),))
        if token.kind in ("text", "number", "bits", "param", "variable"):
            self.at += 1
            return Expr(token.kind, token.start, token.value)
        if token.kind == "name":
            return self._column_or_call()
        if token.kind == "word":
            return self._word()
        raise self.refusal()

    def _word(self) -> Expr:
        token = self.token
        word = token.value
        if word == "not":
            self.at += 1
            return Expr("bool", token.start, "not", (self.expression(3),))
        if word in ("true", "false", "null", "default"):
            self.at += 1
            kind = {"null": "null", "default": "default"}.get(word, "boolean")
            return Expr(kind, token.start, word)
        if word == "case":
            return self._case()
        if word == "cast" and self.peek().value == "(":
            return self._cast()
        if word == "exists" and self.peek().value == "(":
            self.at += 1
            return Expr("query", token.start, "exists", query=self._subquery())
        if word == "array" and self.peek().value in ("[", "("):
            return self._array()
        if word == "row" and self.peek().value == "(":
            self.at += 1
            return Expr("row", token.start, None, self._arguments())
        if word in _NILADIC and not (word == "current_schema" and self.peek().value == "("):
            self.at += 1
            if word.startswith(("current_t", "local")) and self.is_symbol("("):
                self._modifiers()
            return Expr("call", token.start, (word,))
        if word in _TYPED_LITERALS and self._typed_literal_follows():
            return self._typed_literal()
        if word in _ODD_CALLS and self.peek().value == "(":
            return self._odd_call()
        return self._column_or_call()

    def _parenthesis(self) -> Expr:
        start = self.token.start
        if self.at_query() and self._parens_hold_query():
            return Expr("query", start, "scalar", query=self._subquery())
        self.at += 1
        items = self.comma_list(self.expression)
        self.expect_symbol(")")
        if len(items) > 1:
            return Expr("row", start, None, items)
        inner = items[0]
        while self.is_symbol(".") and self.peek().kind in ("word", "name", "symbol"):
            self.at += 1
            field = self.advance().value
            inner = Expr("field", start, field, (inner,))
        return inner

    def _parens_hold_query(self) -> bool:
        """`((select 1) + 2)` starts like a query in parentheses but is none."""
        if self.peek().value != "(":
            return True
        depth, at = 0, self.at
        while at < len(self.tokens) - 1:
            token = self.tokens[at]
            if token.kind == "symbol":
                depth += {"(": 1, ")": -1}.get(token.value, 0)
                if depth == 1 and token.value == ")":
                    following = self.tokens[at + 1]
                    return following.value in (
                        ")",
                        "union",
                        "intersect",
                        "except",
                        "order",
                        "limit",
                        "offset",
                    )
            at += 1
        return True

    def _subquery(self) -> Query:
        self.expect_symbol("(")
        query = self.query()
        self.expect_symbol(")")
        return query

    def _arguments(self) -> tuple[Expr, ...]:
        self.expect_symbol("(")
        if self.take_symbol(")"):
            return ()
        items = self.comma_list(self.expression)
        self.expect_symbol(")")
        return items

    def _case(self) -> Expr:
        start = self.advance().start
        parts: list[Expr] = []
        if not self.is_word("when"):
            parts.append(self.expression())
        if not self.is_word("when"):
            self.fail()
        while self.take("when"):
            parts.append(self.expression())
            self.expect("then")
            parts.append(self.expression())
        if self.take("else"):
            parts.append(self.expression())
        self.expect("end")
        return Expr("case", start, None, tuple(parts))

    def _cast(self) -> Expr:
        start = self.advance().start
        self.expect_symbol("(")
        operand = self.expression()
        self.expect("as")
        target = self.type_name()
        self.expect_symbol(")")
        return Expr("cast", start, target, (operand,))

    def _array(self) -> Expr:
        start = self.advance().start
        if self.is_symbol("("):
            return Expr("query", start, "array", query=self._subquery())
        return self._array_items(start)

    def _array_items(self, start: int) -> Expr:
        self.expect_symbol("[")
        if self.take_symbol("]"):
            return Expr("array", start)
        items = self.comma_list(
            lambda: self._array_items(self.token.start) if self.is_symbol("[") else self.expression()
        )
        self.expect_symbol("]")
        return Expr("array", start, None, items)

    def _typed_literal_follows(self) -> bool:
        at, saved = self.at, self.at
        at += 1
        while self.tokens[at].kind == "word" and self.tokens[at].value in (
            "with", "without", "time", "zone", "precision", "varying",
        ):  # fmt: skip
            at += 1
        if self.tokens[at].value == "(" and self.tokens[at + 1].kind == "number":
            at += 3
        self.at = saved
        return self.tokens[at].kind == "text"

    def _typed_literal(self) -> Expr:
        start = self.token.start
        target = self.type_name()
        value = self.advance()
        if target.name == "interval" and self.is_word("year", "month", "day", "hour", "minute", "second"):
            self.at += 1
            if self.take("to"):
                self.advance()
        return Expr("cast", start, target, (Expr("text", value.start, value.value),))

    def _odd_call(self) -> Expr:
        """Calls with words between the arguments: EXTRACT(x FROM y), TRIM(BOTH FROM z), ..."""
        start = self.token.start
        word = self.advance().value
        self.expect_symbol("(")
        args: list[Expr] = []
        if word == "extract":
            field = self.advance()
            args.append(Expr("text", field.start, field.value))
            self.expect("from")
            args.append(self.expression())
        elif word == "position":
            args.append(self.expression(7))
            self.expect("in")
            args.append(self.expression(7))
        else:
            while not self.is_symbol(")"):
                if self.take_symbol(",") or self.is_word(
                    "from", "for", "both", "leading", "trailing", "placing"
                ):
                    if self.token.kind == "word" and self.token.value in RESERVED:
                        self.at += 1
                    continue
                args.append(self.expression())
                if not self.is_symbol(")", ",") and not self.is_word("from", "for", "placing", "similar"):
                    self.fail()
        self.expect_symbol(")")
        name = {"trim": "btrim"}.get(word, word)
        return Expr("call", start, (name,), tuple(args))

    def _column_or_call(self) -> Expr:
        start = self.token.start
        first = self.token
        is_call = self._call_follows()
        if first.kind == "word":
            forbidden = NOT_A_FUNCTION if is_call and self.peek().value != "." else NOT_A_COLUMN
            if is_call and (first.value.startswith("xml") or first.value in ("treat", "normalize")):
                self.unknown(f"{first.value}() has a grammar of its own")
            call_like = is_call and first.value in _CALL_WORDS
            if first.value in forbidden and not call_like:
                self.fail()
        parts = [self.advance().value]
        while self.is_symbol("."):
            self.at += 1
            if self.take_symbol("*"):
                return Expr("column", start, (*parts, "*"))
            parts.append(self.label())
        if self.is_symbol("("):
            return self._call(tuple(parts), start)
        if self.token.kind == "text" and len(parts) <= 2:  # type 'literal'
            value = self.advance()
            target = TypeName(parts[-1], parts[-2] if len(parts) > 1 else None, start)
            return Expr("cast", start, target, (Expr("text", value.start, value.value),))
        return Expr("column", start, tuple(parts))

    def _call_follows(self) -> bool:
        ahead = 1
        while self.peek(ahead).value == "." and self.peek(ahead + 1).kind in ("word", "name"):
            ahead += 2
        return self.peek(ahead).kind == "symbol" and self.peek(ahead).value == "("

    def _call(self, name: tuple[str, ...], start: int) -> Expr:
        self.expect_symbol("(")
        args: tuple[Expr, ...] = ()
        star = False
        if self.take_symbol("*"):
            star = True
        elif not self.is_symbol(")"):
            if not self.take("distinct"):
                self.take("all")
            args = self.comma_list(self._argument)
            if self.take("order", "by"):
                self._order_list()
        self.expect_symbol(")")
        self._call_tail()
        return Expr("call", start, name, args, star=star)

    def _argument(self) -> Expr:
        self.take("variadic")
        if self.token.kind in ("word", "name") and self.peek().value in (":=", "=>"):
            name = self.advance()
            self.at += 1
            return Expr("named", name.start, name.value, (self.expression(),))
        return self.expression()

    def _call_tail(self) -> None:
        if self.take("within", "group"):
            self.expect_symbol("(")
            self.expect("order", "by")
            self._order_list()
            self.expect_symbol(")")
        if self.is_word("filter") and self.peek().value == "(":
            self.at += 2
            self.expect("where")
            self.expression()
            self.expect_symbol(")")
        if self.is_word("over"):
            self.at += 1
            if self.is_symbol("("):
                self.skip_parens()
            else:
                self.identifier()

    def _order_list(self) -> tuple[Expr, ...]:
        return self.comma_list(self._order_item)

    def _order_item(self) -> Expr:
        item = self.expression()
        if not self.take("asc") and not self.take("desc") and self.take("using"):
            self.advance()
        if self.take("nulls") and not self.take("first"):
            self.expect("last")
        return item

    # -- what may follow

    def _infix(self, left: Expr, power: int) -> Expr | None:
        token = self.token
        if token.kind == "symbol":
            return self._symbol(left, power)
        if token.kind != "word":
            return None
        word = token.value
        if word in ("and", "or"):
            mine = 2 if word == "and" else 1
            if mine <= power:
                return None
            self.at += 1
            return Expr("bool", left.start, word, (left, self.expression(mine)))
        if word == "is" and power < 4:
            return self._is(left)
        if word in ("isnull", "notnull") and power < 4:
            self.at += 1
            return Expr("test", left.start, "is null" if word == "isnull" else "is not null", (left,))
        if word in ("between", "in", "like", "ilike", "similar") and power < 6:
            return self._membership(left, word)
        if word == "not" and power < 6 and self.peek().value in ("between", "in", "like", "ilike", "similar"):
            self.at += 1
            return self._membership(left, self.token.value)
        if word == "at" and power < 11 and self.peek().value == "time":
            self.expect("at", "time", "zone")
            return Expr("call", left.start, ("timezone",), (self.expression(11), left))
        if word == "collate" and power < 12:
            self.at += 1
            self.name()
            return Expr("collate", left.start, None, (left,))
        if word == "operator" and self.peek().value == "(":
            self.unknown("the OPERATOR() notation")
        if word == "overlaps" and power < 7:
            self.at += 1
            return Expr("test", left.start, "overlaps", (left, self.expression(7)))
        return None

    def _symbol(self, left: Expr, power: int) -> Expr | None:
        symbol = self.token.value
        if symbol == "::":
            self.at += 1
            return Expr("cast", left.start, self.type_name(), (left,))
        if symbol == "[":
            self.at += 1
            while not self.is_symbol("]"):
                if not self.take_symbol(":"):
                    self.expression()
            self.expect_symbol("]")
            return Expr("subscript", left.start, None, (left,))
        if symbol in _NOT_OPERATORS:
            return None
        mine = _power(symbol)
        if mine <= power:
            return None
        if symbol.startswith("`"):
            self.fail()
        self.at += 1
        if self.is_word("any", "some", "all") and self.peek().value == "(":
            self.at += 1
            return Expr("test", left.start, symbol, (left, *self._set()))
        return Expr("op", left.start, symbol, (left, self.expression(mine)))

    def _set(self) -> tuple[Expr, ...]:
        """`(query)` or `(expression)` after ANY and ALL; the operand's own type does not matter here."""
        start = self.token.start
        if self.at_query():
            return (Expr("query", start, "in", query=self._subquery()),)
        self.expect_symbol("(")
        items = self.comma_list(self.expression)
        self.expect_symbol(")")
        return items

    def _is(self, left: Expr) -> Expr:
        self.at += 1
        negated = self.take("not")
        if self.take("distinct", "from"):
            return Expr("op", left.start, "=", (left, self.expression(5)))
        if self.is_word("null"):
            self.at += 1
            return Expr("test", left.start, "is not null" if negated else "is null", (left,))
        if self.is_word("true", "false", "unknown", "document", "normalized"):
            self.at += 1
            return Expr("test", left.start, "is", (left,))
        raise self.refusal()

    def _membership(self, left: Expr, word: str) -> Expr:
        self.at += 1
        if word == "similar":
            self.expect("to")
        if word == "between":
            self.take("symmetric")
            low = self.expression(6)
            self.expect("and")
            return Expr("test", left.start, "between", (left, low, self.expression(6)))
        if word == "in":
            if not self.is_symbol("("):
                self.fail()
            return Expr("test", left.start, "in", (left, *self._set()))
        if self.is_word("any", "some", "all") and self.peek().value == "(":
            self.at += 1
            return Expr("test", left.start, "like", (left, *self._set()))
        right = self.expression(6)
        if self.take("escape"):
            self.expression(6)
        return Expr("test", left.start, "like", (left, right))


def _power(symbol: str) -> int:
    if symbol in _COMPARISON:
        return 5
    return {"+": 8, "-": 8, "*": 9, "/": 9, "%": 9, "^": 10}.get(symbol, 7)
