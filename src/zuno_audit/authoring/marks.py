"""Marks in fixtures: comments that say which rule must, or must not, report the line below.

`ruleid: ID` a finding must lie on the next line, `ok: ID` none may, `todoruleid: ID` one should, and the rule
does not see it yet. A mark stands alone in a comment of any of the usual forms; commas separate several ids.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

RULEID, OK, TODO = "ruleid", "ok", "todoruleid"
MAX_BYTES = 1024 * 1024  # a fixture is small; nothing larger is searched
_MARK = re.compile(
    r"\s*(?://|\#|--|<!--|/\*|;)\s*(ruleid|ok|todoruleid):\s*([a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)\s*(?:-->|\*/)?\s*"
)


class Place(Struct, frozen=True, order=True):
    """A line of a fixture, where a finding lies."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


def marks(path: str, data: bytes, rule: str) -> Iterator[tuple[str, Place]]:
    """The marks about one rule: the kind and the marked line, the next one that is no mark itself."""
    if len(data) > MAX_BYTES or (b"ruleid:" not in data and b"ok:" not in data):
        return
    pending: list[str] = []
    for number, line in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        match = _MARK.fullmatch(line)
        if match is None:
            yield from ((kind, Place(path, number)) for kind in pending)
            pending = []
        elif rule in re.split(r"\s*,\s*", match.group(2)):
            pending.append(match.group(1))
