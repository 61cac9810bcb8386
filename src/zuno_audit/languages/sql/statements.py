"""One statement, of any kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from zuno_audit.languages.sql.create import CreateParser
from zuno_audit.languages.sql.keywords import RESERVED
from zuno_audit.languages.sql.lexer import Token, body_start
from zuno_audit.languages.sql.tree import (
    Comment,
    Do,
    Drop,
    Grant,
    Name,
    OnTable,
    Select,
    SetVariable,
    Statement,
    Transaction,
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


class StatementParser(CreateParser):
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

    # -- of objects

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
