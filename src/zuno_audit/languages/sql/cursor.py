"""A cursor over the tokens of one statement, with the reading of names and types that every parser needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.keywords import NOT_A_COLUMN, NOT_A_FUNCTION, RESERVED
from zuno_audit.languages.sql.lexer import Token
from zuno_audit.languages.sql.tree import Name, TypeName

T = TypeVar("T")
MAX_DEPTH = 60  # nesting beyond this is no honest schema

DISPLAY = {
    "int": "integer",
    "int4": "integer",
    "int2": "smallint",
    "int8": "bigint",
    "bool": "boolean",
    "float8": "double precision",
    "float4": "real",
    "varchar": "character varying",
    "bpchar": "character",
    "char": "character",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
    "decimal": "numeric",
    "dec": "numeric",
    "varbit": "bit varying",
    "serial4": "serial",
    "serial8": "bigserial",
    "serial2": "smallserial",
}
# The types that the grammar itself knows; all else is looked up.
_GRAMMAR_TYPES = frozenset(
    [
        "int",
        "integer",
        "smallint",
        "bigint",
        "real",
        "float",
        "decimal",
        "dec",
        "numeric",
        "boolean",
        "bit",
        "character",
        "char",
        "varchar",
        "national",
        "nchar",
        "timestamp",
        "time",
        "interval",
        "double",
    ]
)
_INTERVAL_FIELDS = frozenset(["year", "month", "day", "hour", "minute", "second"])


class Cursor:
    """Reads tokens one by one. All `expect` methods raise SqlError as PostgreSQL would."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.tokens = tokens
        self.at = 0
        self.depth = 0

    @property
    def token(self) -> Token:
        return self.tokens[self.at]

    def peek(self, ahead: int = 1) -> Token:
        """The token `ahead` places further, or the end."""
        at = self.at + ahead
        return self.tokens[at if at < len(self.tokens) else -1]

    def advance(self) -> Token:
        token = self.tokens[self.at]
        if token.kind != "end":
            self.at += 1
        return token

    @property
    def done(self) -> bool:
        return self.token.kind == "end"

    def refusal(self, token: Token | None = None) -> SqlError | NotUnderstood:
        """What PostgreSQL says of a token that does not fit."""
        token = token or self.token
        if token.kind == "broken":
            return SqlError(token.value, token.start)
        if token.kind in ("meta", "variable"):
            return NotUnderstood("a command or variable of psql inside a statement", token.start)
        if token.kind == "end":
            return SqlError("syntax error at end of input", max(token.start - 1, 0))
        return SqlError(f'syntax error at or near "{token.value[:40]}"', token.start)

    def fail(self, token: Token | None = None) -> NoReturn:
        """Refuse the text at a token the way PostgreSQL does."""
        raise self.refusal(token)

    def not_modelled(self, what: str) -> SqlError | NotUnderstood:
        """Giving up on a construct, unless the text is broken beyond doubt."""
        if self.token.kind == "broken":
            return self.refusal()
        return NotUnderstood(what, self.token.start)

    def unknown(self, what: str) -> NoReturn:
        """Give up on a construct that is not modelled."""
        raise self.not_modelled(what)

    # -- words and symbols

    def is_word(self, *words: str) -> bool:
        token = self.tokens[self.at]
        return token.kind == "word" and token.value in words

    def is_phrase(self, *words: str) -> bool:
        """True when the next tokens are these words."""
        at = self.at
        for word in words:  # beyond the end there is nothing to compare: the end is no word
            token = self.tokens[at]
            if token.kind != "word" or token.value != word:
                return False
            at += 1
        return True

    def is_symbol(self, *symbols: str) -> bool:
        token = self.tokens[self.at]
        return token.kind == "symbol" and token.value in symbols

    def take(self, *words: str) -> bool:
        """Consume these words if all of them come next."""
        if self.is_phrase(*words):
            self.at += len(words)
            return True
        return False

    def take_symbol(self, symbol: str) -> bool:
        token = self.tokens[self.at]
        if token.kind == "symbol" and token.value == symbol:
            self.at += 1
            return True
        return False

    def expect(self, *words: str) -> None:
        for word in words:
            if not self.take(word):
                self.fail()

    def expect_symbol(self, symbol: str) -> None:
        if not self.take_symbol(symbol):
            self.fail()

    # -- names

    def identifier(self, forbidden: frozenset[str] = NOT_A_COLUMN) -> str:
        """ColId of the grammar: a quoted name or a word that is not reserved."""
        token = self.token
        if token.kind == "name" or (token.kind == "word" and token.value not in forbidden):
            self.at += 1
            return token.value
        raise self.refusal()

    def label(self) -> str:
        """ColLabel: any word will do."""
        if self.token.kind in ("word", "name"):
            return self.advance().value
        raise self.refusal()

    def name(self, forbidden: frozenset[str] = NOT_A_COLUMN) -> Name:
        """A qualified name: the first part is a ColId, the others may be any word."""
        start = self.token.start
        parts = [self.identifier(forbidden)]
        while self.is_symbol(".") and self.peek().kind in ("word", "name"):
            self.at += 1
            parts.append(self.label())
        return Name(tuple(parts), start)

    def function_name(self) -> Name:
        """func_name: an unqualified one may be a type_function_name, a qualified one starts with a ColId."""
        qualified = self.peek().kind == "symbol" and self.peek().value == "."
        return self.name(NOT_A_COLUMN if qualified else NOT_A_FUNCTION)

    def comma_list(self, read: Callable[[], T]) -> tuple[T, ...]:
        """One or more, separated by commas."""
        items = [read()]
        while self.take_symbol(","):
            items.append(read())
        return tuple(items)

    def names_in_parens(self) -> tuple[str, ...]:
        """`(a, b, c)`."""
        self.expect_symbol("(")
        names = self.comma_list(self.identifier)
        self.expect_symbol(")")
        return names

    def text(self) -> str:
        """A string constant."""
        if self.token.kind != "text":
            self.fail()
        return self.advance().value

    def if_not_exists(self) -> bool:
        if self.is_word("if") and self.peek().value == "not":
            self.expect("if", "not", "exists")
            return True
        return False

    def if_exists(self) -> bool:
        return self.take("if", "exists")

    def skip_parens(self) -> None:
        """Consume a balanced group in parentheses."""
        self.expect_symbol("(")
        depth = 1
        while depth:
            token = self.advance()
            if token.kind in ("end", "broken"):
                self.fail(token)
            if token.kind == "symbol":
                depth += {"(": 1, ")": -1}.get(token.value, 0)

    def role(self) -> str:
        """A role name or one of the words that stand for the current one."""
        if self.is_word("current_user", "session_user", "current_role"):
            self.at += 1
            return "current_user"
        return self.identifier(RESERVED)

    # -- types

    def type_name(self) -> TypeName:
        """Typename of the grammar."""
        start = self.token.start
        self.take("setof")
        schema, name, builtin = None, "", False
        if self.is_word(*_GRAMMAR_TYPES) and self.peek().value != ".":
            name, builtin = self._grammar_type(self.advance().value), True
        else:
            full = self.function_name()
            schema, name = full.schema, full.last
            builtin = full.start != start and False
            if self.is_symbol("%"):
                self.at += 1
                self.label()
                return TypeName("%type", None, start)
            if schema in (None, "pg_catalog"):
                quoted = self.tokens[self.at - 1].kind == "name"
                name = '"char"' if quoted and name == "char" else DISPLAY.get(name, name)
            if self.is_symbol("("):
                self._modifiers()
            if name in ("timestamp without time zone", "time without time zone"):
                name = self._zone(name.split()[0])
        dimensions = 0
        while self.is_symbol("["):
            self.at += 1
            if self.token.kind == "number":
                self.at += 1
            self.expect_symbol("]")
            dimensions += 1
        if self.take("array"):
            dimensions = 1
            if self.take_symbol("["):
                self.advance()
                self.expect_symbol("]")
        return TypeName(name, schema, start, dimensions, builtin)

    def _modifiers(self) -> tuple[str, ...]:
        values: list[str] = []
        self.expect_symbol("(")
        while True:
            self.take_symbol("-")
            if self.token.kind not in ("number", "word", "text", "name"):
                self.fail()
            values.append(self.advance().value)
            if not self.take_symbol(","):
                break
        self.expect_symbol(")")
        return tuple(values)

    def _zone(self, base: str) -> str:
        if self.take("with", "time", "zone"):
            return f"{base} with time zone"
        self.take("without", "time", "zone")
        return f"{base} without time zone"

    def _grammar_type(self, word: str) -> str:
        if word == "double":
            self.expect("precision")
            return "double precision"
        if word in ("timestamp", "time"):
            if self.is_symbol("("):
                self._modifiers()
            return self._zone(word)
        if word == "interval":
            return self._interval()
        if word in ("national", "nchar", "character", "char", "bit", "varchar"):
            return self._character(word)
        if word == "float":
            digits = self._modifiers() if self.is_symbol("(") else ("53",)
            return "real" if digits[0].isdigit() and int(digits[0]) <= 24 else "double precision"
        if word in ("decimal", "dec", "numeric") and self.is_symbol("("):
            self._modifiers()
        return DISPLAY.get(word, word)

    def _interval(self) -> str:
        if self.is_word(*_INTERVAL_FIELDS):
            self.at += 1
            if self.take("to"):
                self.advance()
        if self.is_symbol("("):
            self._modifiers()
        return "interval"

    def _character(self, word: str) -> str:
        if word == "national" and not self.take("character"):
            self.expect("char")
        varying = word == "varchar" or self.take("varying")
        if self.is_symbol("("):
            self._modifiers()
        base = "bit" if word == "bit" else "character"
        return f"{base} varying" if varying else base
