"""Env files (`KEY=value`) with their lines, read the way compose and python-dotenv read them.

`export` is allowed, single quotes are literal, double quotes know escapes and may span lines, ` #` begins a
comment after an unquoted value, a later assignment of a name wins.
"""

from __future__ import annotations

import re

from msgspec import Struct

from zuno_audit.model.entity import Problem
from zuno_audit.model.location import Location, Span

_KEY = re.compile(
    r"[ \t]*(?:export[ \t]+)?(?:'([^'\n]+)'|([A-Za-z_][A-Za-z0-9_.-]*))[ \t]*(?:(=|:(?=[ \t]))[ \t]*|$)"
)
_CLOSING = {"'": re.compile(r"(?:\\'|[^'])*'"), '"': re.compile(r'(?:\\.|[^"\\])*"', re.DOTALL)}
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


MAX_VALUE_LINES = 60  # of a quoted value: a private key of 4096 bits has 52


class Assignment(Struct, frozen=True):
    """One line of an env file. `value` is None for a bare name, which takes the value from outside."""

    name: str
    value: str | None
    location: Location


class DotenvFile(Struct, frozen=True):
    """The assignments of one file in order, `# KEY=value` lines (`commented`) and lines that are neither."""

    path: str
    assignments: tuple[Assignment, ...]
    commented: tuple[Assignment, ...] = ()
    problems: tuple[Problem, ...] = ()

    def values(self) -> dict[str, str]:
        """Name to value, the last assignment wins; bare names are left out."""
        return {a.name: a.value for a in self.assignments if a.value is not None}


def parse_dotenv(path: str, text: str) -> DotenvFile:
    """All assignments of an env file. A line that is none leaves a problem; nothing is raised."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    found: list[Assignment] = []
    commented: list[Assignment] = []
    problems: list[Problem] = []
    number = 0
    while number < len(lines):
        line = lines[number]
        stripped = line.strip()
        used = 1
        if stripped.startswith("#"):
            if (hidden := _commented(path, number, line)) is not None:
                commented.append(hidden)
        elif stripped:
            assignment, used = _assignment(path, number, lines)
            if assignment is None:
                problems.append(Problem(path, number + 1, "the line is no assignment"))
            else:
                found.append(assignment)
        number += used
    return DotenvFile(path, tuple(found), tuple(commented), tuple(problems))


def _commented(path: str, number: int, line: str) -> Assignment | None:
    """`# KEY=value`: documentation of an optional variable. Prose with an equals sign is none."""
    body = line.lstrip().lstrip("#")
    match = re.match(r"[ \t]?(?:export[ \t]+)?([A-Z_][A-Z0-9_]*)=(\S*)[ \t]*(?:#.*)?$", body)
    if match is None:
        return None
    return Assignment(match[1], _unquoted(match[2]), _location(path, number, line))


def _assignment(path: str, number: int, lines: list[str]) -> tuple[Assignment | None, int]:
    """The assignment that begins at a line, and how many lines it takes."""
    line = lines[number]
    match = _KEY.match(line)
    if match is None:
        return None, 1
    name = match[1] or match[2]
    where = _location(path, number, line)
    if not match[3]:
        return Assignment(name, None, where), 1
    rest = line[match.end() :]
    if rest[:1] in ("'", '"'):
        return _quoted(name, where, rest, lines, number)
    if rest.startswith("#"):
        return Assignment(name, "", where), 1
    return Assignment(name, _without_comment(rest), where), 1


def _quoted(
    name: str, where: Location, rest: str, lines: list[str], number: int
) -> tuple[Assignment | None, int]:
    quote = rest[0]
    closing = _CLOSING[quote].match(rest, 1)
    used = 1
    if closing is None:  # the value goes on in the lines below, up to the quote that closes it
        rest = "\n".join([rest, *lines[number + 1 : number + MAX_VALUE_LINES]])
        closing = _CLOSING[quote].match(rest, 1)
        if closing is None:
            return None, 1
        used = closing.group().count("\n") + 1
    body = closing.group()[:-1]
    if quote == '"':
        body = _ESCAPE.sub(lambda m: _ESCAPES.get(m[1], m[1]), body)
    return Assignment(name, body, where), used


def _without_comment(value: str) -> str:
    cuts = [cut for mark in (" #", "\t#") if (cut := value.find(mark)) >= 0]
    return value[: min(cuts, default=len(value))].strip()


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value


def _location(path: str, number: int, line: str) -> Location:
    return Location(path, Span(number + 1, 1, number + 1, len(line) + 1))
