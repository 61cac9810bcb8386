"""Statements: the rest of DDL, and the cutting of a script into statements the way psql does it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple, NoReturn

from zuno_audit.languages.sql.alter import AlterParser
from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.keywords import RESERVED
from zuno_audit.languages.sql.lexer import Token, tokenize
from zuno_audit.languages.sql.repeated import change_at
from zuno_audit.languages.sql.tree import (
    Change,
    Comment,
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
    Do,
    Drop,
    Grant,
    Name,
    OnTable,
    Parameter,
    Select,
    SetVariable,
    Statement,
    Transaction,
    TypeName,
)

_OBJECTS = (
    "materialized view",
    "foreign table",
    "event trigger",
    "table",
    "view",
    "index",
    "sequence",
    "schema",
    "type",
    "domain",
    "extension",
    "function",
    "procedure",
    "routine",
    "aggregate",
    "trigger",
    "policy",
    "rule",
    "database",
    "role",
    "user",
    "group",
    "column",
    "constraint",
    "collation",
    "publication",
    "subscription",
    "server",
    "owned",
)

_PRIVILEGES = ("select", "references", "create", "all", "set", "temporary", "temp")  # those that are reserved


class Piece(NamedTuple):
    """One statement of a script, or one meta command of psql.

    `tree` is None when there is an `error` (PostgreSQL refuses the text) or `not_understood` (we do not know
    it). `subject` names what the statement was about even then: kind, own name, table.
    """

    start: int
    end: int
    tree: Statement | None = None
    meta: str | None = None
    error: SqlError | None = None
    not_understood: NotUnderstood | None = None
    subject: tuple[str, str | None, Name | None] | None = None


def parse_script(text: str) -> tuple[Piece, ...]:
    """All statements of a text in order. Never raises."""
    return tuple(parse_piece(piece) for piece in split(tokenize(blank_copy_data(text))))


def parse_file(text: str) -> tuple[Piece, ...]:
    """As `parse_script`, but plain statements that change rows are a `Change`.

    A file may insert thousands of rows with a statement each: those that differ in constants only are parsed
    once.
    """
    return tuple(_pieces(blank_copy_data(text)))


def _pieces(text: str) -> Iterator[Piece]:
    parsed: set[str] = set()  # outlines
    end = 0
    while True:
        change = change_at(text, end)
        if change is not None and change.outline in parsed:
            yield Piece(change.start, change.end, change)
            end = change.end
            continue
        tokens = next(split(tokenize(text, end)), None)
        if tokens is None:
            return
        piece = parse_piece(tokens)
        end = piece.end
        if change is not None and change.end == end and piece.tree is not None:
            parsed.add(change.outline)
            piece = Piece(change.start, end, change)
        yield piece


def parse_change(change: Change) -> Statement | None:
    """The tree of a statement that parses."""
    at = change.start
    tokens = (t._replace(start=t.start + at, end=t.end + at) for t in tokenize(change.source))
    return parse_piece(next(split(tokens))).tree


def split(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """Cut at `;` outside parentheses and SQL bodies, and at meta commands, as psql's lexer does."""
    current: list[Token] = []
    parens = begins = 0
    for token in tokens:
        if token.kind == "end":
            break
        if token.kind == "meta":
            if current and token.value.startswith("\\g"):
                yield [*current, token]
                current, parens, begins = [], 0, 0
            elif current:
                current.append(token)
            else:
                yield [token]
            continue
        if token.kind == "symbol":
            if token.value == "(":
                parens += 1
            elif token.value == ")":
                parens = max(0, parens - 1)
            elif token.value == ";" and parens == 0 and begins == 0:
                if current:
                    yield [*current, token]
                current = []
                continue
        elif token.kind == "word" and len(current) > 2 and current[0].value == "create":
            begins = _begins(current, token, begins)
        current.append(token)
    if current:
        yield current


def _begins(current: list[Token], token: Token, begins: int) -> int:
    """psql counts BEGIN and CASE against END inside CREATE FUNCTION ... BEGIN ATOMIC."""
    if not any(word.value in ("function", "procedure") for word in current[1:4]):
        return begins
    if token.value == "begin" or (begins and token.value == "case"):
        return begins + 1
    if begins and token.value == "end":
        return begins - 1
    return begins


def blank_copy_data(text: str) -> str:
    """The rows after `COPY ... FROM STDIN;` as blanks, so that offsets stay and no row is read as SQL."""
    import re

    if not re.search(r"\bfrom\s+stdin\b", text, re.IGNORECASE):
        return text
    pattern = re.compile(
        r"^(\s*COPY\b[^;]*\bFROM\s+STDIN\b[^;]*;[^\n]*\n)(.*?)^(\\\.[^\n]*)", re.IGNORECASE | re.M | re.S
    )
    return pattern.sub(lambda m: m[1] + re.sub(r"[^\n]", " ", m[2]) + " " * len(m[3]), text)


def parse_piece(tokens: list[Token]) -> Piece:
    """Parse the tokens of one statement."""
    start, end = tokens[0].start, tokens[-1].end
    if tokens[0].kind == "meta":
        return Piece(start, end, meta=tokens[0].value)
    last = tokens[-1]
    body = tokens[:-1] if last.kind == "symbol" and last.value == ";" else tokens
    parser = StatementParser([*body, Token("end", "", end, end)])
    try:
        tree = parser.statement()
        if not parser.done:
            parser.fail()
    except SqlError as error:
        return Piece(start, end, error=error, subject=parser.subject)
    except NotUnderstood as unknown:
        return Piece(start, end, not_understood=unknown, subject=parser.subject)
    return Piece(start, end, tree._replace(start=start, end=end), subject=parser.subject)


class StatementParser(AlterParser):
    """Reads one statement."""

    def statement(self) -> Statement:
        """Any statement.

        Raises SqlError for what PostgreSQL refuses, NotUnderstood for what is not modelled.
        """
        start = self.token.start
        if self.is_word("with", "select", "values", "table") or self.is_symbol("("):
            return self._rows(start)
        if self.is_word("insert"):
            return self.insert(())
        if self.is_word("update"):
            return self.update(())
        if self.is_word("delete"):
            return self.delete(())
        verb = self.advance()
        if verb.kind != "word" or not hasattr(self, f"_read_{verb.value}"):
            self._no_such_verb(verb)
        reader: Callable[[int], Statement] = getattr(self, f"_read_{verb.value}")
        return reader(start)

    def _no_such_verb(self, verb: Token) -> NoReturn:
        known = (
            "cluster checkpoint deallocate declare discard execute explain fetch import listen load merge"
            " move notify prepare reassign reindex security unlisten vacuum close"
        )
        if verb.kind == "word" and verb.value in known.split():
            self.at -= 1
            self.unknown(f"{verb.value.upper()} is not modelled")
        self.fail(verb)

    def _rows(self, start: int) -> Statement:
        if self.is_word("with"):
            mark = self.at
            ctes = self.ctes()
            if self.is_word("insert"):
                return self.insert(ctes)
            if self.is_word("update"):
                return self.update(ctes)
            if self.is_word("delete"):
                return self.delete(ctes)
            self.at = mark
        return Select(start, start, self.query())

    # -- transactions and settings

    def _read_begin(self, start: int) -> Statement:
        if not self.take("work"):
            self.take("transaction")
        self._transaction_modes()
        return Transaction(start, start, "begin")

    def _read_start(self, start: int) -> Statement:
        self.expect("transaction")
        self._transaction_modes()
        return Transaction(start, start, "begin")

    def _transaction_modes(self) -> None:
        while self.is_word("isolation", "read", "not", "deferrable"):
            while self.token.kind == "word":
                self.at += 1
            self.take_symbol(",")

    def _read_commit(self, start: int) -> Statement:
        if not self.take("work"):
            self.take("transaction")
        return Transaction(start, start, "commit")

    _read_end = _read_commit

    def _read_rollback(self, start: int) -> Statement:
        if not self.take("work"):
            self.take("transaction")
        if self.take("to"):
            self.take("savepoint")
            self.identifier()
            return Transaction(start, start, "rollback to")
        return Transaction(start, start, "rollback")

    _read_abort = _read_rollback

    def _read_savepoint(self, start: int) -> Statement:
        self.identifier()
        return Transaction(start, start, "savepoint")

    def _read_release(self, start: int) -> Statement:
        self.take("savepoint")
        self.identifier()
        return Transaction(start, start, "release")

    def _read_set(self, start: int) -> Statement:
        local = self.take("local")
        if not local:
            self.take("session")
        if self.is_word("transaction", "constraints", "characteristics", "role", "authorization"):
            while not self.done:
                self.advance()
            return SetVariable(start, start, "role", ())
        if self.take("time", "zone"):
            self.advance()
            return SetVariable(start, start, "timezone", ())
        if self.take("schema"):
            return SetVariable(start, start, "search_path", (self.text(),), local)
        return self.setting(start, local)

    def _read_reset(self, start: int) -> Statement:
        name = str(self.name(RESERVED - {"all"}))
        return SetVariable(start, start, name, None)

    def _read_show(self, start: int) -> Statement:
        while self.token.kind in ("word", "name", "symbol"):
            self.advance()
        return OnTable(start, start, "show")

    # -- CREATE

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

    # -- the rest

    def object_kind(self) -> str:
        """The kind of object after DROP, COMMENT ON, ALTER."""
        for kind in _OBJECTS:
            if self.take(*kind.split()):
                return kind
        known = "access cast conversion language operator statistics tablespace text transform foreign large"
        if self.is_word(*known.split()):
            self.unknown("an object of this kind is not modelled")
        raise self.refusal()

    def _read_drop(self, start: int) -> Statement:
        what = self.object_kind()
        if what in ("owned", "server", "publication", "subscription", "collation", "event trigger"):
            self.unknown(f"DROP {what.upper()} is not modelled")
        concurrently = what == "index" and self.take("concurrently")
        lenient = self.if_exists()
        if what in ("trigger", "rule", "policy"):
            name = Name((self.identifier(),), self.tokens[self.at - 1].start)
            self.expect("on")
            on: Name | None = self.name()
            names: tuple[Name, ...] = (name,)
        else:
            on = None
            routine = what in ("function", "procedure", "routine", "aggregate")
            names = self.comma_list(self._dropped_function if routine else self._dropped)
        if self.is_symbol("(") or self.is_word("with"):
            self.unknown("an option of DROP")
        cascade = self.take("cascade") or (self.take("restrict") and False)
        return Drop(start, start, what, names, lenient, cascade, on, concurrently)

    def _dropped(self) -> Name:
        return self.name()

    def _dropped_function(self) -> Name:
        name = self.function_name()
        if self.is_symbol("("):
            self.skip_parens()
        return name

    def _read_comment(self, start: int) -> Statement:
        self.expect("on")
        what = self.object_kind()
        on = None
        if what in ("function", "procedure", "routine", "aggregate"):
            name = self._dropped_function()
        else:
            name = self.name() if what != "type" else self.function_name()
            if what in ("constraint", "trigger", "policy", "rule"):
                self.expect("on")
                self.take("domain")
                on = self.name()
        self.expect("is")
        if not self.take("null"):
            self.text()
        return Comment(start, start, what, name, on)

    def _read_do(self, start: int) -> Statement:
        language = "plpgsql"
        if self.take("language"):
            language = self.advance().value.lower()
        at = body_start(self.token)
        body = self.text()
        if self.take("language"):
            language = self.advance().value.lower()
        return Do(start, start, language, body, at)

    def _read_grant(self, start: int) -> Statement:
        what = "none"
        names: tuple[Name, ...] = ()
        self.comma_list(self._privilege)
        if self.take("on"):
            what, names = self._granted()
        if not self.take("to"):
            self.expect("from")
        roles = self.comma_list(lambda: (self.take("group"), self.role())[1])
        while self.is_word("with", "grant", "admin", "option", "granted", "by", "cascade", "restrict"):
            self.at += 1
        return Grant(start, start, what, names, roles)

    def _read_revoke(self, start: int) -> Statement:
        if not self.take("grant", "option", "for"):
            self.take("admin", "option", "for")
        return self._read_grant(start)

    def _privilege(self) -> None:
        """A privilege with its columns, or the name of a role."""
        if self.take("alter", "system") or self.take("all", "privileges"):
            return
        if self.is_word(*_PRIVILEGES):
            self.advance()
        else:
            self.identifier()
        if self.is_symbol("("):
            self.names_in_parens()

    def _granted(self) -> tuple[str, tuple[Name, ...]]:
        if self.take("all"):
            self.advance()
            self.expect("in", "schema")
            return "schema", self.comma_list(self.name)
        if self.is_word("schema", "sequence", "database", "table"):
            what = self.advance().value
            return what, self.comma_list(self.name)
        if self.is_word(
            "function",
            "procedure",
            "routine",
            "type",
            "domain",
            "language",
            "foreign",
            "parameter",
            "large",
            "tablespace",
        ):
            while not self.done and not self.is_word("to", "from"):
                self.advance()
            return "none", ()
        return "table", self.comma_list(self.name)

    def _read_truncate(self, start: int) -> Statement:
        self.take("table")
        self.take("only")
        names = self.comma_list(self.name)
        if self.is_word("restart", "continue"):
            self.at += 1
            self.expect("identity")
        if not self.take("cascade"):
            self.take("restrict")
        return OnTable(start, start, "truncate", names)

    def _read_analyze(self, start: int) -> Statement:
        if self.is_symbol("("):
            self.skip_parens()
        self.take("verbose")
        names = () if self.done else self.comma_list(self._analyzed)
        return OnTable(start, start, "analyze", names)

    def _analyzed(self) -> Name:
        name = self.name()
        if self.is_symbol("("):
            self.skip_parens()
        return name

    def _read_lock(self, start: int) -> Statement:
        self.take("table")
        names = self.comma_list(self.name)
        while self.token.kind == "word":
            self.at += 1
        return OnTable(start, start, "lock", names)

    def _read_refresh(self, start: int) -> Statement:
        self.expect("materialized", "view")
        self.take("concurrently")
        return OnTable(start, start, "refresh", (self.name(),))

    def _read_call(self, start: int) -> Statement:
        self.unknown("CALL is not modelled")

    def _read_copy(self, start: int) -> Statement:
        name = self.name() if not self.is_symbol("(") else None
        if name is None or not self._copies_from_stdin():
            self.unknown("COPY other than FROM STDIN is not modelled")
        return OnTable(start, start, "copy", (name,))

    def _copies_from_stdin(self) -> bool:
        stdin = False
        while not self.done:
            stdin = stdin or self.is_phrase("from", "stdin")
            self.advance()
        return stdin


def body_start(token: Token) -> int:
    """Where the text inside the quotes of a string token begins."""
    return token.start + max(1, (token.end - token.start - len(token.value)) // 2)
