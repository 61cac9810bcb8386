"""Tables made by semgrep: `semgrep:NAME` has a row for each result of the rules in `semgrep/NAME.yaml`.

A row has the fields `check` (the id in that file), `says` (its message, filled in) and one for each
metavariable of the message, in lower case. All files of rules that an audit wants share one run. Code that
is a test, generated or vendored is not looked at; contents of string literals are not repeated.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.semgrep.answer import GivenUp, Match, read_answer
from zuno_audit.facts.semgrep.process import find_semgrep, run_semgrep
from zuno_audit.facts.semgrep.rule_file import RuleFile, SemgrepRule, filled, read_rule_file
from zuno_audit.facts.semgrep.wanted import NOT_ASKED, NOT_INSTALLED, NotRun, SemgrepFile
from zuno_audit.languages.go.grammar import parser
from zuno_audit.model.entity import Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, Span
from zuno_audit.source.repository import CODE_ONLY

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.source.repository import Repository

_STRING = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"?|`[^`]*`?|'(?:[^'\\\n]|\\.)*'?")
_HIDDEN_STRING = '"…"'


@lru_cache(maxsize=256)
def semgrep_table(source: SemgrepFile) -> Callable[[FactStore], Table]:
    """The provider of the table of one file of rules.

    It raises NotRun when semgrep is not asked for or not installed, EngineError when it fails, RuleError for
    a malformed file.
    """

    def provide(store: FactStore) -> Table:
        if store.semgrep is None:
            raise NotRun(NOT_ASKED)
        return store.get(_tables)[source]

    return provide


class _Asked(Struct, frozen=True):
    """A file of rules, the names that its rules get in the run, and which files it concerns."""

    file: RuleFile
    names: Mapping[str, SemgrepRule]
    looked_at: tuple[str, ...]
    concerned: frozenset[str]


def _tables(store: FactStore) -> dict[SemgrepFile, Table]:
    """All tables of the audit, from one run."""
    repository = store.repository
    program = find_semgrep(repository.git.top if repository.git is not None else repository.root)
    if program is None:
        raise NotRun(NOT_INSTALLED)
    asked = [*_asked(store.semgrep or (), repository)]
    paths = sorted({path for one in asked for path in one.concerned})
    numbered = {f"{number:06}{_suffix(path)}": path for number, path in enumerate(paths, 1)}
    matches, given_up = _run(program, asked, numbered, repository)
    broken = tuple(_broken(paths, repository))
    return {one.file.source: _table(one, matches, (*given_up, *broken), repository) for one in asked}


def _asked(sources: tuple[SemgrepFile, ...], repository: Repository) -> Iterator[_Asked]:
    for number, source in enumerate(dict.fromkeys(sources)):
        file = read_rule_file(source)
        looked_at = [p for s in file.suffixes for p in repository.grep(suffix=s, kinds=CODE_ONLY)]
        concerned = set(looked_at)
        for group in file.literals:
            concerned &= {
                p for s in file.suffixes for p in repository.grep_any(*group, suffix=s, kinds=CODE_ONLY)
            }
        names = {f"z{number}-{index}": rule for index, rule in enumerate(file.rules)}
        yield _Asked(file, names, tuple(sorted(looked_at)), frozenset(concerned))


def _suffix(path: str) -> str:
    return "." + path.rpartition(".")[2]


def _run(
    program: str, asked: list[_Asked], numbered: dict[str, str], repository: Repository
) -> tuple[tuple[Match, ...], tuple[GivenUp, ...]]:
    """What semgrep says of these files, under their own paths."""
    if not numbered:
        return (), ()
    rules = {name: rule for one in asked for name, rule in one.names.items()}
    contents = {name: _content(path, repository) for name, path in numbered.items()}
    data = run_semgrep(
        program, [rule.as_run(name) for name, rule in rules.items()], contents, repository.root
    )
    variables = {name: rule.metavariables for name, rule in rules.items()}
    answer = read_answer(data, frozenset(numbered), variables)
    matches = (Match(m.rule, numbered[m.file], m.start, m.end, m.values) for m in answer.matches)
    given_up = (GivenUp(numbered[g.file], g.line, f"semgrep: {g.reason}") for g in answer.given_up)
    return tuple(matches), tuple(given_up)


def _content(path: str, repository: Repository) -> bytes:
    return (repository.read(path) or b"").removeprefix(b"\xef\xbb\xbf")


def _broken(paths: list[str], repository: Repository) -> Iterator[GivenUp]:
    """Go files with a syntax error: semgrep guesses, and does not always say so."""
    for path in paths:
        if path.endswith(".go") and parser().parse(_content(path, repository)).root_node.has_error:
            yield GivenUp(path, 1, "the file has a syntax error")


def _table(
    asked: _Asked, matches: tuple[Match, ...], given_up: tuple[GivenUp, ...], repository: Repository
) -> Table:
    kind = asked.file.source.name.replace("-", "_")
    rows = {
        _row(kind, asked.names[match.rule], match, repository): None
        for match in matches
        if match.rule in asked.names and match.file in asked.concerned
    }
    problems = tuple(Problem(g.file, g.line, g.reason) for g in given_up if g.file in asked.concerned)
    ordered = sorted((row.entity for row in rows), key=lambda row: (row.location, str(row.get("says").value)))
    return Table(kind, tuple(ordered), asked.looked_at, tuple(dict.fromkeys(problems)))


class _Row(Struct, frozen=True):
    """An entity that equals another one at the same place that says the same."""

    location: Location
    check: str
    fields: tuple[tuple[str, str | None], ...]
    kind: str

    @property
    def entity(self) -> Entity:
        return Entity(self.kind, self.location, {name: Answer(value) for name, value in self.fields})


def _row(kind: str, rule: SemgrepRule, match: Match, repository: Repository) -> _Row:
    values = {
        name: None if value is None else _STRING.sub(_HIDDEN_STRING, value)
        for name, value in zip(rule.metavariables, match.values, strict=True)
    }
    lines = _content(match.file, repository).split(b"\n")
    (line, column), (end_line, end_column) = match.start, match.end
    span = Span(line, _column(lines, line, column), end_line, _column(lines, end_line, end_column))
    fields = {
        **{name[1:].lower(): value for name, value in values.items()},
        "check": rule.id,
        "says": filled(rule.message, values),
    }
    return _Row(Location(match.file, span), rule.id, tuple(fields.items()), kind)


def _column(lines: list[bytes], line: int, column: int) -> int:
    """The 1-based column in code points of a 1-based column in bytes."""
    if line > len(lines):
        return 1
    return len(lines[line - 1][: column - 1].decode("utf-8", "replace")) + 1
