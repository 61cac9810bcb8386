"""CREATE, of everything but tables and indexes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from zuno_audit.languages.sql.alter import AlterParser
from zuno_audit.languages.sql.errors import SqlError
from zuno_audit.languages.sql.keywords import RESERVED
from zuno_audit.languages.sql.lexer import Token, body_start
from zuno_audit.languages.sql.tree import (
    CreateDatabase,
    CreateDomain,
    CreateExtension,
    CreateFunction,
    CreateRole,
    CreateSchema,
    CreateSequence,
    CreateTrigger,
    CreateType,
    CreateView,
    OnTable,
    Parameter,
    Statement,
    TypeName,
)


class CreateParser(AlterParser):
    """Reads what is made."""

    def _read_create(self, start: int) -> Statement:
        replace_it = self.take("or", "replace")
        temporary = False
        while self.is_word("temp", "temporary", "local", "global", "unlogged", "recursive", "trusted"):
            temporary = temporary or self.token.value in ("temp", "temporary")
            self.at += 1
        if self.take("table"):
            if replace_it:
                self.fail(self.tokens[self.at - 1])
            return self.create_table(start, temporary)
        unique = self.take("unique")
        if self.take("index"):
            if replace_it:
                self.fail(self.tokens[self.at - 1])
            return self.create_index(start, unique)
        if unique:
            self.fail()
        if self.is_word("constraint") and self.peek().value == "trigger":
            self.at += 1
        word = self.advance()
        if replace_it and word.value not in ("function", "procedure", "view", "trigger", "rule", "aggregate",
                                             "language", "transform"):  # fmt: skip
            self.fail(word)
        name = f"_create_{word.value}"
        if word.kind != "word" or not hasattr(self, name):
            self._no_such_object(word)
        reader: Callable[[int, bool], Statement] = getattr(self, name)
        return reader(start, replace_it)

    def _no_such_object(self, word: Token) -> NoReturn:
        known = (
            "access aggregate cast collation conversion event foreign group language operator publication"
            " server statistics subscription tablespace text transform"
        )
        if word.kind == "word" and word.value in known.split():
            self.unknown(f"CREATE {word.value.upper()} is not modelled")
        self.fail(word)

    def _create_schema(self, start: int, _: bool) -> Statement:
        lenient = self.if_not_exists()
        name = None
        if not self.is_word("authorization"):
            name = self.identifier()
            self.subject = ("schema", name, None)
        role = None
        if self.take("authorization"):
            role = self.role()
        elements: list[Statement] = []
        while self.is_word("create", "grant"):
            begin = self.token.start
            self.at += 1
            elements.append(self._read_create(begin))
        return CreateSchema(start, start, name or role, lenient, role, tuple(elements))

    def _create_extension(self, start: int, _: bool) -> Statement:
        lenient = self.if_not_exists()
        name = self.identifier()
        self.take("with")
        schema, cascade = None, False
        while self.is_word("schema", "version", "cascade"):
            word = self.advance().value
            if word == "cascade":
                cascade = True
            elif word == "schema":
                schema = self.identifier()
            else:
                self.advance()
        return CreateExtension(start, start, name, lenient, schema, cascade)

    def _create_sequence(self, start: int, _: bool) -> Statement:
        lenient = self.if_not_exists()
        name = self.name()
        self._sequence_options()
        return CreateSequence(start, start, name, lenient)

    def _create_type(self, start: int, _: bool) -> Statement:
        name = self.name()
        self.subject = ("type", None, name)
        if not self.is_word("as"):
            if self.is_symbol("("):
                self.unknown("a base type")
            return CreateType(start, start, name, "shell")
        self.expect("as")
        if self.take("enum"):
            self.expect_symbol("(")
            labels = () if self.is_symbol(")") else self.comma_list(self.text)
            self.expect_symbol(")")
            return CreateType(start, start, name, "enum", labels)
        if self.take("range"):
            self.skip_parens()
            return CreateType(start, start, name, "range")
        self.expect_symbol("(")
        columns = () if self.is_symbol(")") else self.comma_list(self.column)
        self.expect_symbol(")")
        return CreateType(start, start, name, "composite", columns=columns)

    def _create_domain(self, start: int, _: bool) -> Statement:
        name = self.name()
        self.subject = ("type", None, name)
        self.take("as")
        base = self.type_name()
        return CreateDomain(start, start, name, base, self._column_constraints("value"))

    def _create_view(self, start: int, replace_it: bool, materialized: bool = False) -> Statement:
        lenient = materialized and self.if_not_exists()
        name = self.name()
        self.subject = ("view", None, name)
        columns = self.names_in_parens() if self.is_symbol("(") else ()
        self._storage()
        self.expect("as")
        query = self.query()
        if self.take("with"):
            if materialized:
                self.take("no")
                self.expect("data")
            else:
                if not self.take("cascaded"):
                    self.take("local")
                self.expect("check", "option")
        return CreateView(start, start, name, query, replace_it, materialized, lenient, columns)

    def _create_materialized(self, start: int, _: bool) -> Statement:
        self.expect("view")
        return self._create_view(start, False, materialized=True)

    def _create_database(self, start: int, _: bool) -> Statement:
        name = self.identifier()
        while not self.done:
            self.advance()
        return CreateDatabase(start, start, name)

    def _create_role(self, start: int, _: bool) -> Statement:
        name = self.identifier(RESERVED)
        if self.is_word("not") or name == "if":
            self.fail()
        while not self.done:
            if self.is_symbol("(", ")"):
                self.fail()
            self.advance()
        return CreateRole(start, start, name)

    _create_user = _create_role

    def _create_policy(self, start: int, _: bool) -> Statement:
        self.identifier()
        self.expect("on")
        table = self.name()
        self._rest_of_policy()
        return OnTable(start, start, "policy", (table,))

    def _rest_of_policy(self) -> None:
        while not self.done:
            if self.is_symbol("("):
                self.at += 1
                self.expression()
                self.expect_symbol(")")
            elif self.token.kind in ("word", "name") or self.is_symbol(","):
                self.at += 1
            else:
                self.fail()

    def _create_rule(self, start: int, _: bool) -> Statement:
        self.unknown("CREATE RULE is not modelled")

    def _create_trigger(self, start: int, replace_it: bool) -> Statement:
        name = self.identifier()
        timing = self.advance()
        if timing.value == "instead":
            self.expect("of")
        elif timing.value not in ("before", "after"):
            self.fail(timing)
        columns = self._trigger_events()
        self.expect("on")
        table = self.name()
        if self.take("from"):
            self.name()
        while self._deferrability():
            pass
        if self.take("referencing"):
            while self.is_word("old", "new"):
                self.at += 1
                if not self.take("table"):
                    self.expect("row")
                self.take("as")
                self.identifier()
        for_row = False
        if self.take("for"):
            self.take("each")
            for_row = self.take("row")
            if not for_row:
                self.expect("statement")
        when = None
        if self.take("when"):
            self.expect_symbol("(")
            when = self.expression()
            self.expect_symbol(")")
        self.expect("execute")
        if not self.take("function"):
            self.expect("procedure")
        function = self.function_name()
        self._trigger_arguments()
        return CreateTrigger(
            start, start, name, table, function, replace_it, columns, when, timing.value, for_row
        )

    def _trigger_arguments(self) -> None:
        self.expect_symbol("(")
        while not self.is_symbol(")"):
            if self.done:
                self.fail()
            self.advance()
        self.expect_symbol(")")

    def _trigger_events(self) -> tuple[str, ...]:
        columns: tuple[str, ...] = ()
        while True:
            if not self.is_word("insert", "update", "delete", "truncate"):
                self.fail()
            word = self.advance().value
            if word == "update" and self.take("of"):
                columns = self.comma_list(self.identifier)
            if not self.take("or"):
                return columns

    def _create_function(self, start: int, replace_it: bool, procedure: bool = False) -> Statement:
        name = self.function_name()
        self.subject = ("function", None, name)
        self.expect_symbol("(")
        parameters: tuple[Parameter, ...] = ()
        if not self.is_symbol(")"):
            parameters = self.comma_list(self._parameter)
        self.expect_symbol(")")
        returns: TypeName | None = None
        returns_table = False
        if self.take("returns"):
            if self.is_word("table") and self.peek().value == "(":
                returns_table = True
                self.at += 1
                parameters += tuple(c._replace(mode="table") for c in self._returned_columns())
            else:
                returns = self.type_name()
        language, body, at, volatility = "sql", None, start, "v"
        while not self.done:
            if self.take("as"):
                at = body_start(self.token)
                body = self.text()
                if self.take_symbol(","):
                    self.text()
            elif self.take("language"):
                language = self.advance().value.lower()
            elif self.is_word("immutable", "stable", "volatile"):
                volatility = self.advance().value[0]
            elif self.is_word("begin", "return"):
                self.unknown("a function with an SQL body")
            else:
                self._function_option()
        if body is None:
            raise SqlError("no function body specified", start)
        return CreateFunction(
            start, start, name, replace_it, procedure, parameters, returns, language, body, at, volatility,
            returns_table,
        )  # fmt: skip

    def _create_procedure(self, start: int, replace_it: bool) -> Statement:
        return self._create_function(start, replace_it, procedure=True)

    def _returned_columns(self) -> tuple[Parameter, ...]:
        self.expect_symbol("(")
        columns = self.comma_list(self._parameter)
        self.expect_symbol(")")
        return columns

    def _function_option(self) -> None:
        if self.is_word("set"):
            self.at += 1
            self.setting(self.token.start, False, inside_function=True)
            return
        if (
            self.is_word(
                "strict",
                "security",
                "definer",
                "invoker",
                "external",
                "called",
                "returns",
                "null",
                "on",
                "input",
                "leakproof",
                "not",
                "window",
                "parallel",
                "safe",
                "unsafe",
                "restricted",
                "cost",
                "rows",
                "support",
            )
            or self.token.kind == "number"
        ):
            self.at += 1
            return
        self.fail()

    def _parameter(self) -> Parameter:
        mode = self.advance().value if self.is_word("in", "out", "inout", "variadic") else "in"
        name = None
        following = self.peek()
        starts_type = following.value in ("default", "precision", "varying") or (
            self.is_word("timestamp", "time") and following.value in ("with", "without")
        )
        if self.token.kind in ("word", "name") and following.kind in ("word", "name") and not starts_type:
            name = self.advance().value
            if mode == "in" and self.is_word("in", "out", "inout"):
                mode = self.advance().value
        kind = self.type_name()
        default = None
        if self.take("default") or self.take_symbol("=") or self.take_symbol(":="):
            default = self.expression()
        return Parameter(mode, name, kind, default)
