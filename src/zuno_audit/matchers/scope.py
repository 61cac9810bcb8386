"""Which rows of a table a rule is about, and which of its clauses each of them satisfies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from msgspec import Struct

from zuno_audit.errors import RuleError
from zuno_audit.matchers.predicates import Test, Truth, bound, conjunction, holds, is_bound, test_of
from zuno_audit.matchers.template import neutral, render
from zuno_audit.matchers.wording import noun, sentence
from zuno_audit.model.entity import Answer, Entity, Problem, Table
from zuno_audit.rules.rule import Condition, Predicate, Rule

Clause = Callable[
    [Entity], tuple[Truth, str]
]  # whether it holds for a row, and what is blind if that is open


class Judged(Struct, frozen=True):
    """A row in scope.

    `is_certain` is false when the row is only perhaps in scope; `clauses` has one truth per `require`;
    `blind` is what a failed answer kept from being seen, or empty.
    """

    row: Entity
    is_certain: bool
    clauses: tuple[Truth, ...]
    blind: str

    @property
    def truth(self) -> Truth:
        return conjunction(self.clauses)

    @property
    def is_good(self) -> bool:
        """True when the row is in scope and satisfies everything, both for certain."""
        return self.is_certain and self.truth is Truth.TRUE


class Scope(Struct, frozen=True):
    """What a rule looks at with its arguments.

    `files` counts the files of the table in scope (only for `forbid`); `problems` are those that touch it: at
    paths that `problems` of the rule names, else at paths that its `where` does not rule out.
    """

    rule: Rule
    kind: str
    arguments: Mapping[str, str]
    rows: tuple[Judged, ...]
    files: int
    problems: tuple[Problem, ...]

    @property
    def certain(self) -> tuple[Judged, ...]:
        return tuple(judged for judged in self.rows if judged.is_certain)

    @property
    def good(self) -> tuple[Judged, ...]:
        return tuple(judged for judged in self.rows if judged.is_good)

    @property
    def blind(self) -> str:
        """One sentence on what in scope could not be seen; empty when all was."""
        if self.problems:
            return _unread(self.problems)
        return next((judged.blind for judged in self.rows if judged.blind), "")

    def fill(self, text: str) -> str:
        """Text in which only arguments may occur."""
        return render(text, self.arguments)


def scope_of(rule: Rule, table: Table, arguments: Mapping[str, str]) -> Scope:
    """The scope of a rule over a table. Raises RuleError for a field that the rows do not have."""

    def fill(text: str) -> str:
        return render(text, arguments)

    where = [(name, bound(predicate, fill)) for name, predicate in rule.where]
    paths = [{"glob": fill(rule.problems)}] if rule.problems else [p for name, p in where if name == "path"]
    tests = [(name, test_of(predicate)) for name, predicate in where]
    clauses = [_clause(clause.condition, arguments) for clause in rule.require]
    judged = (_judge(clauses, tests, row) for row in table.rows)
    return Scope(
        rule=rule,
        kind=table.kind,
        arguments=arguments,
        rows=tuple(row for row in judged if row is not None),
        files=sum(_touches(paths, path) for path in table.files) if rule.quantifier == "forbid" else 0,
        problems=tuple(problem for problem in table.problems if _touches(paths, problem.path)),
    )


def _touches(predicates: Iterable[Predicate], path: str) -> bool:
    """True when something at this path may be in scope."""
    answer = Answer(path)
    return all(holds(predicate, answer, str) is not Truth.FALSE for predicate in predicates)


def _judge(clauses: Iterable[Clause], where: Iterable[tuple[str, Test]], row: Entity) -> Judged | None:
    within, blind = all_hold(where, row)
    if within is Truth.FALSE:
        return None
    truths = []
    for clause in clauses:
        truth, missing = clause(row)
        truths.append(truth)
        blind = blind or missing
    return Judged(row, within is Truth.TRUE, tuple(truths), blind)


def _clause(condition: Condition, arguments: Mapping[str, str]) -> Clause:
    """A condition as a function of a row, for many rows."""
    if all(is_bound(predicate) for _, predicate in condition):
        tests = [(name, test_of(predicate)) for name, predicate in condition]
        return lambda row: all_hold(tests, row)
    return lambda row: condition_holds(condition, row, arguments)


def condition_holds(condition: Condition, row: Entity, arguments: Mapping[str, str]) -> tuple[Truth, str]:
    """Like `all_hold`, for predicates whose placeholders name arguments or fields of the row itself."""
    names = Names(arguments, row)

    def fill(text: str) -> str:
        return render(text, names)

    def test(predicate: Predicate) -> Test:
        return lambda answer: holds(predicate, answer, fill)

    return all_hold([(name, test(predicate)) for name, predicate in condition], row)


def all_hold(condition: Iterable[tuple[str, Test]], row: Entity) -> tuple[Truth, str]:
    """Whether all tests hold for a row, and what is blind when a failed answer leaves that open."""
    truth, blind = Truth.TRUE, ""
    for name, test in condition:
        answer = answer_of(row, name)
        one = test(answer)
        if one is Truth.FALSE:
            return one, ""
        if one is Truth.UNKNOWN:
            truth = one
        if answer.failed and not blind:
            blind = _unanswered(row, name, answer)
    return truth, blind if truth is Truth.UNKNOWN else ""


def answer_of(row: Entity, name: str) -> Answer:
    """A field of a row. Raises RuleError when the rows of this table have no such field."""
    try:
        return row.get(name)
    except KeyError:
        known = ", ".join(sorted(row.fields))
        raise RuleError(f"a row of {row.kind} has no field {name!r}, only {known}") from None


class Names(Mapping[str, Any]):
    """What a placeholder can name: given values, and the fields of a row, `path` and `line`.

    Where both have a name, given values win, unless `row_first`: `{{ path }}` in a predicate is the
    parameter, in a message it is the place.
    """

    def __init__(self, given: Mapping[str, Any], row: Entity, *, row_first: bool = False) -> None:
        self._given = given
        self._row = row
        self._row_first = row_first

    def __getitem__(self, name: str) -> Any:
        if self._row_first and self._in_row(name):
            return self._row.get(name)
        if name in self._given:
            return self._given[name]
        return self._row.get(name)

    def _in_row(self, name: str) -> bool:
        return name in ("path", "line") or name in self._row.fields

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._given, "path", "line", *self._row.fields))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _unread(problems: tuple[Problem, ...]) -> str:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return sentence(f"{first.path}:{first.line} could not be read to the end: {neutral(first.message)}{more}")


def _unanswered(row: Entity, name: str, answer: Answer) -> str:
    why = neutral(answer.because) or "a file that it needs could not be read"
    return sentence(f"{row.location.path}:{row.location.line}: {noun(name)} is not known: {why}")
