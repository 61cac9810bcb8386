"""The one engine behind `for_each`, `exists` and `forbid`: a rule over a table becomes a `RuleRun`.

It observes and never judges a checkbox. A row whose `where` cannot be decided is in scope "perhaps": it can make a
run undecided but never counts for a pass. Problems of the table inside the rule's scope make the run FAILED.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zuno_audit.errors import RuleError
from zuno_audit.matchers.predicates import Truth, conjunction, holds
from zuno_audit.matchers.template import neutral, render, show
from zuno_audit.model.entity import Answer, Entity, Problem, Table
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.rule import Clause, Condition, Rule

MAX_EVIDENCE = 12
MAX_FLOW = 50


@dataclass(frozen=True, slots=True)
class Judged:
    """A row in scope. `certain` is false when it is only perhaps in scope; `clauses` has one truth per `require`."""

    row: Entity
    certain: bool
    clauses: tuple[Truth, ...]
    failed: bool

    @property
    def truth(self) -> Truth:
        return conjunction(self.clauses)


def run_over(rule: Rule, table: Table, arguments: Mapping[str, str]) -> RuleRun:
    """Runs a rule over its table. `arguments` holds a value for every parameter of the rule.

    Raises RuleError when the rule names a field or placeholder that the rows do not have.
    """
    run = _Run(rule, table, arguments)
    match rule.quantifier:
        case "for_each":
            return run.for_each()
        case "exists":
            return run.exists()
        case _:
            return run.forbid()


class _Names(Mapping[str, Any]):
    """What a placeholder can name: arguments and counts first, then the fields of a row."""

    def __init__(self, plain: Mapping[str, Any], row: Entity | None = None) -> None:
        self.plain = plain
        self.row = row

    def __getitem__(self, name: str) -> Any:
        if self.row is not None and (name in ("path", "line") or name in self.row.fields):
            return self.row.get(name)
        return self.plain[name]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self.plain, *(("path", "line", *self.row.fields) if self.row else ())))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class _Run:
    """One run of one rule; holds what its steps share."""

    def __init__(self, rule: Rule, table: Table, arguments: Mapping[str, str]) -> None:
        self.rule = rule
        self.table = table
        self.arguments = arguments
        self.problems = [problem for problem in table.problems if self._touches(problem.path)]
        self.rows = [judged for row in table.rows if (judged := self._judge(row)) is not None]
        self.certain = [judged for judged in self.rows if judged.certain]

    # --- the three quantifiers

    def for_each(self) -> RuleRun:
        """Every row in scope satisfies all clauses, and there are as many rows as `count` says."""
        good = [j for j in self.certain if j.truth is Truth.TRUE]
        findings = [f for j in self.rows for f in self._findings(j)]
        findings += [f for j in good for f in self._letters(j)]
        self._count(len(good), len(self.certain))
        if self.broken:
            return self._failed(findings, len(self.certain))
        if len(self.certain) < self.at_least:
            return self._too_few(findings, len(self.certain))
        findings += self._too_many()
        return self._ran(findings, len(self.certain), good)

    def exists(self) -> RuleRun:
        """At least `count` rows in scope satisfy all clauses."""
        good = [j for j in self.certain if j.truth is Truth.TRUE]
        self._count(len(good), len(self.certain))
        if len(good) >= self.at_least:
            return self._ran(self._best_letters(good), len(self.certain), good)
        if self.broken:
            return self._failed([], len(self.certain))
        if not self.rows:
            return self._too_few([], 0)
        return self._ran(self._closest(good), max(len(self.certain), 1), good)

    def forbid(self) -> RuleRun:
        """No row is in scope; what was looked at are the files of the table."""
        files = sum(1 for path in self.table.files if self._touches(path))
        self._count(len(self.certain), files)
        findings = [self._forbidden(j) for j in self.rows if not j.failed]
        if self.broken or (files == 0 and not self.rows and not self.rule.has_absent):
            return self._failed(findings, files)
        if files == 0 and not self.rows:
            return self._too_few(findings, 0)
        return self._ran(findings, max(files, len(self.rows)), [])

    # --- scope

    def _touches(self, path: str) -> bool:
        """True when something at this path may be in the rule's scope."""
        if self.rule.problems:
            return holds({"glob": self.rule.problems}, Answer(path), self._plain) is not Truth.FALSE
        return all(
            holds(predicate, Answer(path), self._plain) is not Truth.FALSE
            for name, predicate in self.rule.where
            if name == "path"
        )

    def _judge(self, row: Entity) -> Judged | None:
        within, failed_scope = self._condition(self.rule.where, row)
        if within is Truth.FALSE:
            return None
        results = [self._condition(clause.condition, row) for clause in self.rule.require]
        failed = failed_scope or any(failed for _, failed in results)
        return Judged(row, within is Truth.TRUE, tuple(truth for truth, _ in results), failed)

    def _condition(self, condition: Condition, row: Entity) -> tuple[Truth, bool]:
        """Whether all predicates hold, and whether that is open because of a failed answer."""
        names = _Names(self.arguments, row) if any(True for _ in condition) else self.arguments
        truth, failed = Truth.TRUE, False
        for name, predicate in condition:
            answer = self._answer(row, name)
            one = holds(predicate, answer, lambda text: render(text, _arguments_first(self.arguments, names)))
            truth = min(truth, one)
            failed = failed or (answer.failed and one is Truth.UNKNOWN)
        return truth, failed and truth is Truth.UNKNOWN

    def _answer(self, row: Entity, name: str) -> Answer:
        try:
            return row.get(name)
        except KeyError:
            raise RuleError(
                f"rows of {self.table.kind} have no field {name!r}", path=self.rule.path
            ) from None

    @property
    def broken(self) -> bool:
        """True when something in scope could not be seen."""
        return bool(self.problems) or any(judged.failed for judged in self.rows)

    @property
    def at_least(self) -> int:
        return int(float(self._plain(self.rule.at_least)))

    # --- findings

    def _findings(self, judged: Judged) -> Iterator[Finding]:
        """One finding for every clause that a row does not satisfy for certain."""
        if judged.failed and judged.truth is not Truth.FALSE:
            return
        for clause, truth in zip(self.rule.require, judged.clauses, strict=True):
            if truth is not Truth.TRUE and not (judged.failed and truth is Truth.UNKNOWN):
                undecided = truth is Truth.UNKNOWN or not judged.certain
                yield self._finding(clause, judged.row, undecided=undecided)

    def _letters(self, judged: Judged) -> Iterator[Finding]:
        for clause in self.rule.prefer:
            if self._condition(clause.condition, judged.row)[0] is not Truth.TRUE:
                yield self._finding(clause, judged.row, letter=True)

    def _best_letters(self, good: list[Judged]) -> list[Finding]:
        """The wording differences of the row that has the fewest of them."""
        return min(([*self._letters(judged)] for judged in good), key=len, default=[])

    def _closest(self, good: list[Judged]) -> list[Finding]:
        """What keeps `exists` from holding: the row that might do, else the one that comes closest."""
        rest = [judged for judged in self.rows if judged not in good]
        best = max(rest, key=lambda j: (j.truth, j.certain, sum(j.clauses)), default=None)
        if best is None:
            return []
        worst = min(range(len(best.clauses)), key=best.clauses.__getitem__, default=None)
        if worst is None or best.clauses[worst] is Truth.TRUE:
            return [self._perhaps(best)] if not best.certain else [self._missing(undecided=False)]
        undecided = any(j.truth is not Truth.FALSE for j in rest)
        return [self._finding(self.rule.require[worst], best.row, undecided=undecided)]

    def _perhaps(self, judged: Judged) -> Finding:
        message = f"It cannot be told whether this {words(self.table.kind)} is the one that is asked for."
        return self._at(judged.row.location, message, undecided=True)

    def _forbidden(self, judged: Judged) -> Finding:
        clause = Clause(self.rule.where, self.rule.message, self.rule.at)
        return self._finding(clause, judged.row, undecided=not judged.certain)

    def _finding(
        self, clause: Clause, row: Entity, *, undecided: bool = False, letter: bool = False
    ) -> Finding:
        flow = self._proofs(clause.condition, row)
        place = flow[0] if clause.at == "proof" and flow else row.location
        if clause.at != "proof" and flow and (flow[0].path, flow[0].span) != (place.path, place.span):
            flow = (place.noted(place.note or words(row.kind)), *flow)
        message = sentence(render(clause.message, _Names(self._counts(), row)))
        return self._at(
            Location(place.path, place.span),
            message,
            flow[:MAX_FLOW] if len(flow) > 1 else (),
            undecided,
            letter,
        )

    def _at(
        self,
        place: Location,
        message: str,
        flow: tuple[Location, ...] = (),
        undecided: bool = False,
        letter: bool = False,
    ) -> Finding:
        level = Level.WARNING if undecided else Level.NOTE if letter else self.rule.info.level
        return Finding(self.rule.id, level, message, place, flow=flow, undecided=undecided, letter=letter)

    def _proofs(self, condition: Condition, row: Entity) -> tuple[Location, ...]:
        return tuple(
            dict.fromkeys(
                proof.noted(neutral(proof.note or answer.because))
                for name, _ in condition
                for answer in (self._answer(row, name),)
                for proof in answer.proof
            )
        )

    # --- outcomes

    def _too_few(self, findings: list[Finding], size: int) -> RuleRun:
        """Fewer rows in scope than the rule needs."""
        perhaps = [judged for judged in self.rows if not judged.certain]
        if len(self.certain) + len(perhaps) >= self.at_least and perhaps:
            return self._ran([*findings, self._perhaps(perhaps[0])], max(size, 1), [])
        if self.rule.absent.status == "not-applicable" and not findings:
            return RuleRun(self.rule.id, (), Outcome.NOT_APPLICABLE, size, self._absent_message())
        missing = self._missing(undecided=self.rule.absent.status == "manual")
        reason = missing.message
        return RuleRun(self.rule.id, (), Outcome.RAN, size, reason, (), (*findings, missing))

    def _missing(self, *, undecided: bool) -> Finding:
        return self._at(at_line(self._expected_path()), self._absent_message(), undecided=undecided)

    def _absent_message(self) -> str:
        if self.rule.absent.message:
            return sentence(render(self.rule.absent.message, self._counts()))
        wanted = "" if self.at_least == 1 else f" ({len(self.certain)} of {self.at_least})"
        return f"No {words(self.table.kind)} was found where one is required{wanted}."

    def _expected_path(self) -> str:
        """Where the missing thing was expected: the part of the pattern that names a place."""
        patterns = [self.rule.absent.path] if self.rule.absent.path else []
        patterns += [text for name, p in self.rule.where if name == "path" for text in _path_texts(p)]
        place = literal_prefix(self._plain(patterns[0])) if patterns else ""
        return place or "go.mod"

    def _too_many(self) -> list[Finding]:
        if not self.rule.at_most:
            return []
        most = int(float(self._plain(self.rule.at_most)))
        message = f"This is one {words(self.table.kind)} too many: {len(self.certain)} in scope, at most {most} may be."
        return [self._at(judged.row.location, message) for judged in self.certain[most:]]

    def _failed(self, findings: list[Finding], size: int) -> RuleRun:
        """Something in scope was not seen. Findings that are certain all the same are kept."""
        sure = tuple(f for f in findings if not f.undecided and not f.letter)
        return RuleRun(self.rule.id, (), Outcome.FAILED, size, self._unseen(), self._evidence(()), sure)

    def _unseen(self) -> str:
        if self.problems:
            return _problem_sentence(self.problems)
        for judged in self.rows:
            if judged.failed:
                return self._failed_answer(judged.row)
        return f"No file was found that could hold a {words(self.table.kind)}, so nothing was looked at."

    def _failed_answer(self, row: Entity) -> str:
        names = [name for c in (self.rule.where, *(c.condition for c in self.rule.require)) for name, _ in c]
        for name in names:
            answer = self._answer(row, name)
            if answer.failed:
                why = neutral(answer.because) or "it could not be worked out"
                return sentence(f"{row.location.path}:{row.location.line}: {words(name)} is not known: {why}")
        return f"{row.location.path}:{row.location.line} could not be seen to the end."

    def _ran(self, findings: list[Finding], size: int, good: Iterable[Judged]) -> RuleRun:
        good = tuple(good)
        return RuleRun(
            self.rule.id, (), Outcome.RAN, size, self._reason(findings), self._evidence(good), tuple(findings)
        )

    def _reason(self, findings: list[Finding]) -> str:
        """One sentence with the count, and the first thing that speaks against a pass."""
        sure = [f for f in findings if not f.undecided and not f.letter]
        open_ = [f for f in findings if f.undecided]
        if sure or open_:
            places = len({f.location for f in sure or open_})
            verb = "fall short" if sure else "cannot be followed"
            if self.rule.quantifier == "exists":
                return f"{self._looked_at()}, none of them {'will do' if sure else 'for certain'}: {(sure or open_)[0].message}"
            return f"{self._looked_at()}, {places} {verb}: {(sure or open_)[0].message}"
        if self.rule.passes:
            return sentence(render(self.rule.passes, self._counts()))
        return f"{self._looked_at()}, {'none was found' if self.rule.quantifier == 'forbid' else 'all hold'}."

    def _looked_at(self) -> str:
        counts = self._counts()
        noun = "files" if self.rule.quantifier == "forbid" else f"rows of {words(self.table.kind)}"
        return f"{counts['total']} {noun} looked at"

    def _evidence(self, good: Iterable[Judged]) -> tuple[Location, ...]:
        """The proofs of what the satisfied rows were asked for; the row itself where an answer has none."""
        found: dict[tuple[str, int], Location] = {}
        for judged in good:
            own = judged.row.location
            proofs = [p for c in self.rule.require for p in self._proofs(c.condition, judged.row)]
            for proof in (own.noted(neutral(own.note) or words(judged.row.kind)), *proofs):
                found.setdefault((proof.path, proof.line), proof)
        return tuple(found.values())[:MAX_EVIDENCE]

    # --- text

    def _plain(self, text: str) -> str:
        """Text in which only arguments may occur."""
        return render(text, self.arguments)

    def _count(self, count: int, total: int) -> None:
        self.tally = {"count": count, "total": total}

    def _counts(self) -> dict[str, Any]:
        return {**self.arguments, **self.tally}


def _arguments_first(arguments: Mapping[str, str], names: Mapping[str, Any]) -> Mapping[str, Any]:
    return _Chain(arguments, names)


class _Chain(Mapping[str, Any]):
    """Arguments before the fields of the row: in a predicate, `{{ path }}` is the parameter."""

    def __init__(self, first: Mapping[str, Any], second: Mapping[str, Any]) -> None:
        self.first = first
        self.second = second

    def __getitem__(self, name: str) -> Any:
        return self.first[name] if name in self.first else self.second[name]

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self.first, *self.second))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _problem_sentence(problems: list[Problem]) -> str:
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return sentence(f"{first.path}:{first.line} could not be read to the end: {neutral(first.message)}{more}")


def _path_texts(predicate: Any) -> list[str]:
    """The patterns in a predicate on `path`."""
    if isinstance(predicate, str):
        return [predicate]
    if isinstance(predicate, dict):
        return [text for key in ("glob", "in", "any", "all") for text in _path_texts(predicate.get(key))]
    if isinstance(predicate, list):
        return [text for item in predicate for text in _path_texts(item)]
    return []


def literal_prefix(pattern: str) -> str:
    """The part of a path pattern before its first wildcard segment: `services/a/**` gives `services/a`."""
    kept = []
    for segment in pattern.split(",")[0].strip().split("/"):
        if any(wildcard in segment for wildcard in "*?["):
            break
        kept.append(segment)
    return "/".join(kept)


def words(name: str) -> str:
    """A table or field name as words."""
    return show(name).replace("_", " ").removeprefix("query:")


def sentence(text: str) -> str:
    """Text that starts with a capital where it starts with a plain word, and ends with a full stop."""
    text = text.strip()
    first = text.split(" ", 1)[0]
    if first.isalpha() and first.islower():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", "…")) else text + "."
