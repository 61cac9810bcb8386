"""Tokens of PostgreSQL: its quoting rules, nested comments and dollar quotes (manual, section 4.1)."""

import re
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
      (?P<space>[\ \t\n\r\f\v]+|--[^\r\n]*)
    | (?P<word>[^\x00-@\[-^`{-\x7f][^\x00-\#%-/:-@\[-^`{-\x7f]*)
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
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_PLAIN_TEXT = re.compile(r"'((?:[^']|'')*)'")
_ESCAPED_TEXT = re.compile(r"'((?:[^'\\]|''|\\.)*)'", re.DOTALL)
_QUOTED_NAME = re.compile(r'"((?:[^"]|"")*)"')
_CONTINUED = re.compile(r"(?:[ \t\f]|--[^\r\n]*)*[\r\n]\s*(?=')")
_PREFIXED = {"e": "text", "b": "bits", "x": "bits", "n": "text", "u&": "text"}
_LOOSE_END = re.compile(r"[~!@#%^&|`?]")


def tokenize(text: str, start: int = 0) -> list[Token]:
    """All tokens from `start` on, ended by one of kind `end`.

    A quote or a comment that is never closed swallows the rest: the token before the end is then `broken`.
    """
    tokens: list[Token] = []
    try:
        _scan(text, start, tokens)
    except SqlError as error:
        tokens.append(Token("broken", error.message, error.offset, len(text)))
    tokens.append(Token("end", "", len(text), len(text)))
    return tokens


def _scan(text: str, start: int, tokens: list[Token]) -> None:
    i = start
    size = len(text)
    match_at = _TOKEN.match
    while i < size:
        match = match_at(text, i)
        if match is None:
            raise SqlError(f'syntax error at or near "{text[i]}"', i)
        kind = match.lastgroup
        end = match.end()
        if kind == "space":
            i = end
        elif kind == "word":
            word = match.group()
            if end < size and text[end] in "'&\"" and word.lower() in ("e", "b", "x", "n", "u"):
                i = _prefixed(text, i, end, word.lower(), tokens)
            else:
                tokens.append(Token("word", word.lower(), i, end))
                i = end
        elif kind == "operator":
            i = _operator(text, i, match.group(), tokens)
        elif kind == "single" or kind == "cast":
            tokens.append(Token("symbol", match.group(), i, end))
            i = end
        elif kind == "comment":
            i = _skip_comment(text, i)
        elif kind == "text":
            i = _text(text, i, i, _PLAIN_TEXT, "text", tokens)
        elif kind == "name":
            i = _name(text, i, i, tokens)
        elif kind == "dollar":
            i = _dollar(text, i, match.group(), tokens)
        else:
            tokens.append(Token(str(kind), match.group(), i, end))
            i = end


def _prefixed(text: str, start: int, quote: int, prefix: str, tokens: list[Token]) -> int:
    """E'..', B'..', X'..', N'..', U&'..' and U&".."; anything else is a plain word."""
    if prefix == "u" and text.startswith("&'", quote):
        return _text(text, start, quote + 1, _PLAIN_TEXT, "text", tokens)
    if prefix == "u" and text.startswith('&"', quote):
        return _name(text, start, quote + 1, tokens)
    if prefix != "u" and text[quote] == "'":
        pattern = _ESCAPED_TEXT if prefix == "e" else _PLAIN_TEXT
        return _text(text, start, quote, pattern, _PREFIXED[prefix], tokens)
    tokens.append(Token("word", text[start:quote].lower(), start, quote))
    return quote


def _text(text: str, start: int, quote: int, pattern: re.Pattern[str], kind: str, tokens: list[Token]) -> int:
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
            tokens.append(Token(kind, value, start, end))
            return end
        quote = more.end()


def _name(text: str, start: int, quote: int, tokens: list[Token]) -> int:
    match = _QUOTED_NAME.match(text, quote)
    if match is None:
        raise SqlError("unterminated quoted identifier", start)
    if not match.group(1):
        raise SqlError("zero-length delimited identifier", start)
    tokens.append(Token("name", match.group(1).replace('""', '"'), start, match.end()))
    return match.end()


def _dollar(text: str, start: int, tag: str, tokens: list[Token]) -> int:
    end = text.find(tag, start + len(tag))
    if end < 0:
        raise SqlError("unterminated dollar-quoted string", start)
    tokens.append(Token("text", text[start + len(tag) : end], start, end + len(tag)))
    return end + len(tag)


def _skip_comment(text: str, start: int) -> int:
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    raise SqlError("unterminated /* comment", start)


def _operator(text: str, start: int, symbols: str, tokens: list[Token]) -> int:
    """The longest operator that holds no comment start and does not wrongly end in + or -."""
    for comment in ("--", "/*"):
        at = symbols.find(comment)
        if at > 0:
            symbols = symbols[:at]
    while len(symbols) > 1 and symbols[-1] in "+-" and not _LOOSE_END.search(symbols[:-1]):
        symbols = symbols[:-1]
    tokens.append(Token("symbol", symbols, start, start + len(symbols)))
    return start + len(symbols)
