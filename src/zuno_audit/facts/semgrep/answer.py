"""Reads semgrep's JSON: what it found and which files it gave up on.

The program is trusted no further than its output goes: whatever is not as expected ends the run, so that
nothing missing is taken for nothing found. Its own words are not repeated: they quote the audited code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from zuno_audit.errors import EngineError
from zuno_audit.facts.semgrep.rule_file import SEPARATOR

MAX_TEXT = 200  # characters of a metavariable
_SAID = {
    "PartialParsing": "it does not understand all of the file",
    "ParseError": "it does not understand the file",
    "Syntax error": "it does not understand the file",
    "LexicalError": "it does not understand the file",
    "Lexical error": "it does not understand the file",
    "Other syntax error": "it does not understand the file",
    "AstBuilderError": "it does not understand the file",
    "Timeout": "it took too long",
    "FixpointTimeout": "following values took too long",
    "OutOfMemory": "it needed too much memory",
    "Out of memory": "it needed too much memory",
    "StackOverflow": "it is nested too deeply",
    "Stack overflow": "it is nested too deeply",
    "TooManyMatches": "there are too many matches",
    "Too many matches": "there are too many matches",
}


class Match(Struct, frozen=True):
    """One result. Columns are 1-based and count bytes; `values` are those of the rule's metavariables."""

    rule: str
    file: str
    start: tuple[int, int]
    end: tuple[int, int]
    values: tuple[str | None, ...]


class GivenUp(Struct, frozen=True):
    """A file that semgrep did not see all of, and why."""

    file: str
    line: int
    reason: str


class SemgrepAnswer(Struct, frozen=True):
    """What came of one run."""

    matches: tuple[Match, ...]
    given_up: tuple[GivenUp, ...]


def read_answer(
    data: Any, files: frozenset[str], metavariables: Mapping[str, tuple[str, ...]]
) -> SemgrepAnswer:
    """The answer about `files`. `metavariables` are those of each rule, in the order of its message.

    A file that semgrep does not list as scanned is given up. Raises EngineError for output of another shape,
    about another file or rule, and for an error that is about no single file.
    """
    try:
        matches = tuple(_match(result, files, metavariables) for result in data["results"])
        given_up = [*_given_up(data["errors"], files)]
        scanned = {_file(path, files) for path in data["paths"]["scanned"]}
        if data.get("skipped_rules"):
            raise EngineError("semgrep left rules out.")
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise EngineError(f"semgrep's output is not as expected ({type(error).__name__}).") from None
    given_up += [GivenUp(file, 1, "it did not look at the file") for file in sorted(files - scanned)]
    return SemgrepAnswer(matches, tuple(dict.fromkeys(given_up)))


def _match(result: Any, files: frozenset[str], metavariables: Mapping[str, tuple[str, ...]]) -> Match:
    rule = result["check_id"]
    names = metavariables[rule]
    return Match(
        rule=rule,
        file=_file(result["path"], files),
        start=_point(result["start"]),
        end=_point(result["end"]),
        values=_values(result["extra"]["message"], names),
    )


def _file(path: str, files: frozenset[str]) -> str:
    name = path.replace("\\", "/").removeprefix("./")
    if name not in files:
        raise EngineError("semgrep looked at a file that it was not given.")
    return name


def _point(place: Any) -> tuple[int, int]:
    line, column = int(place["line"]), int(place["col"])
    if line < 1 or column < 1:
        raise ValueError("a place before the file")
    return line, column


def _values(message: str, names: tuple[str, ...]) -> tuple[str | None, ...]:
    """What the metavariables stand for; None for those that are not bound, and for all in doubt."""
    parts = message.split(SEPARATOR)
    if len(parts) != len(names) + 2:
        return (None,) * len(names)
    return tuple(
        None if part == name else part[:MAX_TEXT] for name, part in zip(names, parts[1:-1], strict=True)
    )


def _given_up(errors: Any, files: frozenset[str]) -> Iterator[GivenUp]:
    for error in errors:
        kind = error["type"][0] if isinstance(error["type"], list) else error["type"]
        said = _SAID.get(str(kind), "it had an error")
        if not error.get("path"):
            raise EngineError(f"semgrep gave up: {said}.")
        spans = error.get("spans") or [{}]
        line = spans[0].get("start", {}).get("line", 1)
        yield GivenUp(_file(error["path"], files), max(int(line), 1), said)
