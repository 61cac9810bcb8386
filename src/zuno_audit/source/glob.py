"""Path patterns of rules and profiles."""

from __future__ import annotations

import re
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
    brackets and braces too, stands for itself.
    """
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
    return re.compile("".join(out), re.DOTALL)
