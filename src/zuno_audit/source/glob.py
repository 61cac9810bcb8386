"""Path patterns of rules and profiles."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

_MAGIC = frozenset("*?")


def is_plain(pattern: str) -> bool:
    """True when the pattern names one path only."""
    return _MAGIC.isdisjoint(pattern)


def plain_prefix(pattern: str) -> str:
    """The text that every matching path begins with."""
    end = next((i for i, char in enumerate(pattern) if char in _MAGIC), len(pattern))
    return pattern[:end]


@lru_cache(maxsize=4096)
def compile_glob(pattern: str) -> re.Pattern[str]:
    """A path pattern as a regular expression, for `fullmatch`.

    `*` and `?` match inside a segment, `**` over any number of segments (`**/x` also matches `x`); all else,
    brackets and braces too, stands for itself. Where `**` is a segment of its own, matching takes time in
    proportion to the path.
    """
    parts = pattern.split("/")
    if any("**" in part and part != "**" for part in parts):
        return re.compile(_anywhere(pattern), re.DOTALL)
    chunks: list[list[str]] = [[]]
    for part in parts:
        if part == "**":
            chunks.append([])
        else:
            chunks[-1].append(part)
    return re.compile(_in_segments(chunks), re.DOTALL)


def _in_segments(chunks: list[list[str]]) -> str:
    """The segments between `**`. What is followed by `**` settles for its first match: nothing is retried."""
    texts = ["/".join(map(_segment_expression, chunk)) for chunk in chunks]
    if len(texts) == 1:
        return texts[0]
    first, *middle, last = texts
    out = first + "/" if chunks[0] else ""
    for text, chunk in zip(middle, chunks[1:-1], strict=True):
        out += f"(?>(?:[^/]+/)*?{text}/)" if chunk else ""
    return out + (f"(?:[^/]+/)*{last}" if chunks[-1] else ".*")


def _segment_expression(part: str) -> str:
    """One segment. Every `*` but the last one may settle for the first place where what follows matches."""
    first, *rest = ("".join("[^/]" if c == "?" else re.escape(c) for c in text) for text in part.split("*"))
    *middle, last = rest or [""]
    out = first + "".join(f"(?>[^/]*?{text})" for text in middle)
    return out + (f"[^/]*{last}" if rest else "")


def _anywhere(pattern: str) -> str:
    """A pattern in which `**` stands beside other text of a segment."""
    out = []
    i = 0
    while i < len(pattern):
        if pattern.startswith("**/", i):
            out.append("(?:[^/]+/)*")
            i += 3
        elif pattern.startswith("**", i):
            out.append(".*")
            i += 2
        elif pattern[i] == "*":
            out.append("[^/]*")
            i += 1
        elif pattern[i] == "?":
            out.append("[^/]")
            i += 1
        else:
            out.append(re.escape(pattern[i]))
            i += 1
    return "".join(out)


def fits(pattern: str, path: str) -> bool:
    """True when the whole path matches, see `compile_glob`."""
    return path == pattern if is_plain(pattern) else compile_glob(pattern).fullmatch(path) is not None


def covers(pattern: str, path: str) -> bool:
    """Like a full match of `compile_glob`, for patterns that a stranger wrote: the work is bounded.

    `**` must be a segment of its own; as the last one it also stands for no segment at all.
    """
    parts = pattern.split("/")
    at = _reached((0,), parts)
    for segment in path.split("/"):
        at = _reached((step for i in at for step in _steps(i, parts, segment)), parts)
        if not at:
            return False
    return len(parts) in at


def _reached(positions: Iterable[int], parts: Sequence[str]) -> set[int]:
    """These positions in the pattern and those behind every `**` that may stand for nothing."""
    found = set()
    for position in positions:
        found.add(position)
        while position < len(parts) and parts[position] == "**":
            position += 1
            found.add(position)
    return found


def _steps(position: int, parts: Sequence[str], segment: str) -> tuple[int, ...]:
    if position == len(parts):
        return ()
    if parts[position] == "**":
        return (position,)
    return (position + 1,) if _segment(parts[position]).match(segment) else ()


@lru_cache(maxsize=1024)
def _segment(pattern: str) -> re.Pattern[str]:
    return re.compile(fnmatch.translate(pattern.replace("[", "[[]")))
