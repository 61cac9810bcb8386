"""Suppressions: `zuno-audit: ignore[rule-id] -- reason` in a comment, on the line of a finding or above it.

Only real comments count (`languages/comments.py`). A suppression is read even where it suppresses nothing, so
that mistyped and outlived ones can be told.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.languages.comments import Comment, comments, syntax_of
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.redaction import redact
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

FORM = "zuno-audit: ignore[rule-id] -- reason"
MAX_REASON = 500  # characters that are kept of a reason
_LITERAL = b"zuno-audit:"
_ADDRESSED = re.compile(
    r"(?:^|(?://|\#|--|/\*|\*)[ \t]*)zuno-audit:[ \t]*(?P<rest>(?i:ignore)\b.*|\w+[ \t]*\[.*)"
)
_WELL_FORMED = re.compile(r"ignore\[(?P<rules>[^\[\]]*)\][ \t]+--[ \t]+(?P<reason>\S.*)")
_RULE_ID = re.compile(r"[a-z0-9]+(?:[-/:][a-z0-9]+)*\Z")


class Suppression(Struct, frozen=True):
    """One suppressing comment. `fault` says what is wrong with it, empty when it is well formed.

    `lines` are the lines whose findings it is about.
    """

    location: Location
    lines: tuple[int, ...]
    rules: tuple[str, ...] = ()
    reason: str = ""
    fault: str = ""


def suppressions_in(repository: Repository) -> tuple[Suppression, ...]:
    """Every suppression of the tree, by path and line; vendored code has none of its own."""
    return tuple(
        suppression
        for path in _candidates(repository)
        for suppression in read_suppressions(path, repository.text(path) or "")
    )


def _candidates(repository: Repository) -> Iterator[str]:
    """Files that hold the literal and could hold a comment."""
    for path, file in repository.files.items():
        if file.is_link or syntax_of(path) is None:
            continue
        data = repository.read(path)
        if data is not None and _LITERAL in data and repository.kind(path) is not FileKind.VENDORED:
            yield path


def read_suppressions(path: str, text: str) -> tuple[Suppression, ...]:
    """The suppressions in the text of one file."""
    found = [
        (comment, offset, match.group("rest").strip())
        for comment in comments(path, text)
        for offset, line in enumerate(comment.text.split("\n"))
        if (match := _ADDRESSED.search(line.strip())) is not None
    ]
    alone = {comment.line: comment.end_line for comment, _, _ in found if comment.stands_alone}
    return tuple(_suppression(path, c, c.line + offset, rest, _lines(c, alone)) for c, offset, rest in found)


def _lines(comment: Comment, alone: dict[int, int]) -> tuple[int, ...]:
    """Its own lines and, when it stands alone, the next one that is no suppression itself."""
    own = tuple(range(comment.line, min(comment.end_line, comment.line + 100) + 1))
    if not comment.stands_alone:
        return own
    following = comment.end_line + 1
    while following in alone:
        following = alone[following] + 1
    return (*own, following)


def _suppression(path: str, comment: Comment, line: int, rest: str, lines: tuple[int, ...]) -> Suppression:
    place = at_line(path, line)
    match = _WELL_FORMED.match(rest)
    if match is None:
        return Suppression(place, lines, fault=_fault(rest))
    rules = tuple(name.strip() for name in match.group("rules").split(","))
    if not all(_RULE_ID.match(name) for name in rules):
        return Suppression(place, lines, fault="it names no rule")
    reason = redact(" ".join(match.group("reason").split()))[:MAX_REASON]
    return Suppression(place, lines, tuple(dict.fromkeys(rules)), reason)


def _fault(rest: str) -> str:
    if not rest.startswith("ignore"):
        return "the word after the colon is not ignore"
    if not re.match(r"ignore\[[^\[\]]*[^\[\],\s][^\[\]]*\]", rest):
        return "it names no rule"
    return "it gives no reason"


def by_line(suppressions: Iterable[Suppression]) -> dict[tuple[str, int, str], Suppression]:
    """The suppression for each path, line and rule; the first one wins."""
    found: dict[tuple[str, int, str], Suppression] = {}
    for suppression in suppressions:
        for line in suppression.lines:
            for rule in suppression.rules:
                found.setdefault((suppression.location.path, line, rule), suppression)
    return found


def nearest(name: str, names: Collection[str]) -> str:
    """` Did you mean x?` for a name that is close to a known one, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(name[:100], sorted(names), n=1)
    return f" Did you mean {close[0]}?" if close else ""
