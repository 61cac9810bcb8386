"""Tokens of PostgreSQL: its quoting rules, nested comments and dollar quotes (manual, section 4.1)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from zuno_audit.languages.sql.errors import SqlError


class Token(NamedTuple):
    """One token.

    `kind` is word, name (quoted), text, bits, number, param, variable, symbol, meta, broken or end.
    `value` is lower case for a word, without quotes for a name or a text, the command line for a meta
    command of psql, PostgreSQL's complaint for a broken one (a quote that is never closed).
    """

    kind: str
    value: str
    start: int
    end: int


# Names: letters, digits, _ and everything beyond ASCII; negated classes compile a hundred times faster.
_TOKEN = re.compile(
    r"""
    (?:[\ \t\n\r\f\v]+|--[^\r\n]*)*+
    (?:
      (?P<word>[^\x00-@\[-^`{-\x7f][^\x00-\#%-/:-@\[-^`{-\x7f]*)
    | (?P<number>(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    | (?P<comment>/\*)
    | (?P<text>')
    | (?P<name>")
    | (?P<dollar>\$(?:[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*)?\$)
    | (?P<param>\$\d+)
    | (?P<cast>::|:=|=>|\.\.)
    | (?P<variable>:(?:\w+|'\w+'|"\w+"|\{\?\w+\}))
    | (?P<single>[()\[\],;.:])
    | (?P<operator>[-+*/<>=~!@\#%^&|`?]+)
    | (?P<meta>\\[^\r\n]*)
    | (?P<end>\Z)
    | (?P<other>.)
    )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_PLAIN_TEXT = re.compile(r"'((?:[^']|'')*)'")
_ESCAPED_TEXT = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_QUOTED_NAME = re.compile(r'"((?:[^"]|"")*)"')
_CONTINUED = re.compile(r"(?:[ \t\f]|--[^\r\n]*)*[\r\n]\s*(?=')")
_PREFIXES = {"e": "text", "b": "bits", "x": "bits", "n": "text", "u": "text"}
_QUOTES = frozenset("'&\"")
_LOOSE_END = re.compile(r"[~!@#%^&|`?]")


def tokenize(text: str, start: int = 0) -> Iterator[Token]:
    """The tokens from `start` on one after the other, ended by one of kind `end`.

    A quote or a comment that is never closed swallows the rest: the token before the end is then `broken`.
    """
    try:
        yield from _scan(text, start)
    except SqlError as error:
        yield Token("broken", error.message, error.offset, len(text))
    yield Token("end", "", len(text), len(text))


def _scan(text: str, end: int) -> Iterator[Token]:
    match_at = _TOKEN.match
    while match := match_at(text, end):
        kind = match.lastgroup or ""
        start, end = match.span(kind)
        if kind == "word":
            token = Token("word", text[start:end].lower(), start, end)
            if token.value in _PREFIXES and text[end : end + 1] in _QUOTES:
                token = _prefixed(text, token)
        elif kind == "single" or kind == "cast":
            token = Token("symbol", text[start:end], start, end)
        elif kind == "text":
            token = _text(text, start, start, _PLAIN_TEXT, "text")
        elif kind == "operator":
            token = _operator(start, text[start:end])
        elif kind == "comment":
            end = _skip_comment(text, start)
            continue
        elif kind == "name":
            token = _name(text, start, start)
        elif kind == "dollar":
            token = _dollar(text, start, text[start:end])
        elif kind == "other":
            raise SqlError(f'syntax error at or near "{text[start]}"', start)
        elif kind == "end":
            return
        else:
            token = Token(kind, text[start:end], start, end)
        yield token
        end = token.end


def _prefixed(text: str, word: Token) -> Token:
    """E'..', B'..', X'..', N'..', U&'..' and U&".."; anything else is a plain word."""
    quote = word.end
    if word.value == "u" and text.startswith("&'", quote):
        return _text(text, word.start, quote + 1, _PLAIN_TEXT, "text")
    if word.value == "u" and text.startswith('&"', quote):
        return _name(text, word.start, quote + 1)
    if word.value != "u" and text.startswith("'", quote):
        pattern = _ESCAPED_TEXT if word.value == "e" else _PLAIN_TEXT
        return _text(text, word.start, quote, pattern, _PREFIXES[word.value])
    return word


def _text(text: str, start: int, quote: int, pattern: re.Pattern[str], kind: str) -> Token:
    """A string; pieces that only a line break separates are one string."""
    value = ""
    while True:
        match = pattern.match(text, quote)
        if match is None:
            raise SqlError("unterminated quoted string", start)
        value += match.group(1).replace("''", "'")
        end = match.end()
        more = _CONTINUED.match(text, end)
        if more is None:
            return Token(kind, value, start, end)
        quote = more.end()


def _name(text: str, start: int, quote: int) -> Token:
    match = _QUOTED_NAME.match(text, quote)
    if match is None:
        raise SqlError("unterminated quoted identifier", start)
    if not match.group(1):
        raise SqlError("zero-length delimited identifier", start)
    return Token("name", match.group(1).replace('""', '"'), start, match.end())


def _dollar(text: str, start: int, tag: str) -> Token:
    end = text.find(tag, start + len(tag))
    if end < 0:
        raise SqlError("unterminated dollar-quoted string", start)
    return Token("text", text[start + len(tag) : end], start, end + len(tag))


def _skip_comment(text: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise SqlError("unterminated /* comment", start)


def _operator(start: int, symbols: str) -> Token:
    """The longest operator that holds no comment start and does not wrongly end in + or -."""
    for comment in ("--", "/*"):
        at = symbols.find(comment)
        if at > 0:
            symbols = symbols[:at]
    while len(symbols) > 1 and symbols[-1] in "+-" and not _LOOSE_END.search(symbols[:-1]):
        symbols = symbols[:-1]
    return Token("symbol", symbols, start, start + len(symbols))


def body_start(token: Token) -> int:
    """Where the text inside the quotes of a string token begins."""
    return token.start + max(1, (token.end - token.start - len(token.value)) // 2)
