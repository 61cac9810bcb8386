"""Statements that fill tables: told apart from each other by more than their constants.

A script may insert thousands of rows with one statement each. Those whose text differs in constants only are
parsed once.
"""

from __future__ import annotations

import re

from zuno_audit.languages.sql.tree import Change

# A whole statement without comments, dollar quotes, variables of psql or prefixed strings. Whatever is written
# otherwise is left to the lexer.
_CHANGE = re.compile(
    r"""
    \s*+
    (?P<statement>
      (?:INSERT|UPDATE|DELETE)\b
      (?: [^'";\\$/:&-]
        | :: | -(?!-|\s*')
        | (?<![\w&])'(?:[^']|'')*+'(?!\s*')
        | "[^"]*+"
      )*+
      ;
    )
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CONSTANT = re.compile(r"""'(?:[^']|'')*+'|"[^"]*+"|(?<![\w.])[0-9]{1,30}(?P<rest>\.[0-9]{1,30})?(?![\w.])""")
_LONGEST = 4096  # thousands of rows in one statement are no repetition of another
_NAMES = re.compile(r"regclass|nextval|setval|currval", re.IGNORECASE)  # whose text names a relation


def change_at(text: str, at: int) -> Change | None:
    """The plain INSERT, UPDATE or DELETE with which a text goes on at an offset, `;` included."""
    match = _CHANGE.match(text, at)
    if match is None or match.end() - at > _LONGEST or _NAMES.search(match["statement"]):
        return None
    texts: list[str] = []
    numbers: list[str] = []

    def mark(constant: re.Match[str]) -> str:
        value = constant.group()
        if value[0] == '"':
            return value
        if value[0] == "'":
            texts.append(value[1:-1].replace("''", "'"))
            return "''"
        numbers.append(value)
        return "0.0" if constant["rest"] else "0"

    start, end = match.span("statement")
    outline = _CONSTANT.sub(mark, match["statement"])
    return Change(start, end, outline, tuple(texts), tuple(numbers), match["statement"])
