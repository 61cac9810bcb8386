"""The cutting of a script into statements, the way psql does it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.lexer import Token, tokenize
from zuno_audit.languages.sql.repeated import change_at
from zuno_audit.languages.sql.statements import StatementParser
from zuno_audit.languages.sql.tree import (
    Change,
    Name,
    Statement,
)


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
