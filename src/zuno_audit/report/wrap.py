"""Wrapping of styled text to a terminal width, by display cells.

A `Segment` is a piece of text and the style it has (a rich style, or ""). Rich itself is loaded only where
colours are wanted: most runs are read by programs, and its import costs more than the whole report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from unicodedata import category, east_asian_width

LINK = "cyan"  # the style of places; they are kept in one piece, so that a terminal can open them

Segment = tuple[str, str]
Line = list[Segment]

_WORDS = re.compile(r"\s+|\S+")
_PARTS = re.compile(r"[^/]+/?|/")


def cells(text: str) -> int:
    """How many terminal columns `text` takes."""
    return len(text) if text.isascii() else sum(map(_cell, text))


@lru_cache(maxsize=4096)
def _cell(char: str) -> int:
    if category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if east_asian_width(char) in "WF" else 1


def wrap(segments: Iterable[Segment], width: int, hang: int = 0) -> list[Line]:
    """Break segments into lines of at most `width` cells; lines after the first are indented by `hang`.

    Breaks at spaces; what is longer than a line is broken after slashes or cut. `width` below `hang` + 8 is
    widened to that, so that it always ends.
    """
    width = max(width, hang + 8)
    lines: list[Line] = [[]]
    used = 0
    for text, style in segments:
        size = cells(text)
        if used + size <= width:
            lines[-1].append((text, style))
            used += size
            continue
        for word in _pieces(text, style, width - hang):
            used = _place(lines, used, word, style, width, hang)
    return lines


def _place(lines: list[Line], used: int, word: str, style: str, width: int, hang: int) -> int:
    """Put a word at the end of the last line, or on new ones. Returns the cells used of the last line."""
    size = cells(word)
    if used + size > width and used > (hang if len(lines) > 1 else 0):
        lines.append([(" " * hang, "")] if hang else [])
        word = word.lstrip()
        used, size = hang, cells(word)
    while used + size > width:
        head, word = _split(word, width - used)
        lines[-1].append((head, style))
        lines.append([(" " * hang, "")] if hang else [])
        used, size = hang, cells(word)
    if word:
        lines[-1].append((word, style))
    return used + size


def _pieces(text: str, style: str, room: int) -> Iterable[str]:
    """What is not broken: places that fit on a line, words, and the parts of longer ones."""
    if style == LINK and cells(text) <= room:
        yield text
        return
    for word in _WORDS.findall(text):
        yield from (word,) if cells(word) <= room else _PARTS.findall(word)


def _split(text: str, width: int) -> tuple[str, str]:
    used = 0
    for i, char in enumerate(text):
        used += _cell(char)
        if used > width and i:
            return text[:i], text[i:]
    return text, ""


def plain(lines: Sequence[Line]) -> str:
    """Lines as text without styles."""
    return "\n".join("".join(text for text, _ in line).rstrip() for line in lines) + "\n"


def coloured(lines: Sequence[Line]) -> str:
    """Lines as text with ANSI colours. Nothing in the text is read as markup."""
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", no_color=False, highlight=False,
                      markup=False, emoji=False, legacy_windows=False, width=1000, _environ={})  # fmt: skip
    page = Text("\n").join(Text.assemble(*_joined(line)) for line in lines)
    console.print(page, soft_wrap=True)
    return out.getvalue()


def _joined(line: Line) -> Line:
    """Neighbours of one style as one segment: fewer escape sequences."""
    return [
        ("".join(text for text, _ in group), style)
        for style, group in groupby(line, key=lambda part: part[1])
    ]
