"""The one engine behind `for_each`, `exists` and `forbid`: a rule over a table becomes a `RuleRun`.

It observes and never judges a checkbox. A row whose `where` cannot be decided is perhaps in scope: it can
leave a run undecided but never counts for a pass. What could not be read inside the scope makes the run
FAILED; findings that are certain all the same are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from zuno_audit.errors import RuleError
from zuno_audit.matchers.predicates import Truth
from zuno_audit.matchers.scope import Judged, Names, Scope, answer_of, condition_holds, scope_of
from zuno_audit.matchers.template import neutral, render
from zuno_audit.matchers.wording import counted, literal_prefix, noun, patterns_of, sentence
from zuno_audit.model.entity import Entity, Table
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.redaction import redact
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.rule import Clause, Condition, Rule

MAX_EVIDENCE = 12
MAX_FLOW = 50


def run_over(rule: Rule, table: Table, arguments: Mapping[str, str]) -> RuleRun:
    """Runs a rule over its table. `arguments` holds a value for every parameter of the rule.

    Raises RuleError when the rule names a field or placeholder that the rows do not have.
    """
    scope = scope_of(rule, table, arguments)
    return {"for_each": _for_each, "exists": _exists, "forbid": _forbid}[rule.quantifier](scope)


def _for_each(scope: Scope) -> RuleRun:
    """Every row in scope satisfies all clauses, and there are as many rows as `count` says."""
    findings = [finding for judged in scope.rows for finding in _shortfalls(scope, judged)]
    findings += [finding for judged in scope.good for finding in _letters(scope, judged)]
    if scope.blind:
        return _failed(scope, findings, scope.blind)
    if len(scope.certain) < _least(scope):
        return _too_few(scope, findings)
    return _ran(scope, [*findings, *_too_many(scope)], len(scope.certain))


def _exists(scope: Scope) -> RuleRun:
    """At least `count` rows in scope satisfy all clauses."""
    size = max(len(scope.certain), 1)
    if len(scope.good) >= _least(scope):
        return _ran(scope, _fewest_letters(scope), size)
    if scope.blind:
        return _failed(scope, [], scope.blind)
    if not scope.rows:
        return _too_few(scope, [])
    return _ran(scope, [_closest(scope)], size)


def _forbid(scope: Scope) -> RuleRun:
    """No row is in scope; what was looked at are the files of the table."""
    clause = Clause(scope.rule.where, scope.rule.message, scope.rule.at)
    findings = [
        _finding(scope, clause, judged.row, undecided=not judged.is_certain)
        for judged in scope.rows
        if not judged.blind
    ]
    if scope.blind:
        return _failed(scope, findings, scope.blind)
    if not scope.files and not scope.rows:
        if scope.rule.has_absent:
            return _too_few(scope, [])
        return _failed(scope, [], f"No file could hold a {noun(scope.kind)}, so nothing was looked at.")
    return _ran(scope, findings, max(scope.files, 1))


# --- how many


def _least(scope: Scope) -> int:
    """The number of rows that there must be; never zero, because an empty scope is never a pass."""
    return max(_number(scope, scope.rule.at_least), 1)


def _number(scope: Scope, text: str) -> int:
    try:
        return int(scope.fill(text))
    except ValueError:
        raise RuleError(f"count is not a whole number: {text!r}", path=scope.rule.path) from None


def _too_few(scope: Scope, findings: list[Finding]) -> RuleRun:
    """Fewer rows in scope than the rule needs."""
    size = len(scope.certain)
    perhaps = [judged for judged in scope.rows if not judged.is_certain]
    if perhaps and len(scope.rows) >= _least(scope):
        return _ran(scope, [*findings, _perhaps(scope, perhaps[0])], max(size, 1))
    if scope.rule.absent.status == "not-applicable" and not findings:
        return RuleRun(scope.rule.id, (), Outcome.NOT_APPLICABLE, size, _absent_message(scope))
    missing = _missing(scope)
    return RuleRun(scope.rule.id, (), Outcome.RAN, max(size, 1), missing.message, (), (*findings, missing))


def _too_many(scope: Scope) -> list[Finding]:
    if not scope.rule.at_most:
        return []
    most = _number(scope, scope.rule.at_most)
    message = f"One {noun(scope.kind)} too many: {len(scope.certain)} in scope, at most {most} may be."
    return [_at(scope, judged.row.location, message) for judged in scope.certain[most:]]


def _missing(scope: Scope) -> Finding:
    """The finding about something that is not there; with no code to match, its message identifies it."""
    message = _absent_message(scope)
    undecided = scope.rule.absent.status == "manual"
    finding = _at(scope, at_line(_expected_path(scope)), message, undecided=undecided)
    return replace(finding, matched=redact(message))


def _absent_message(scope: Scope) -> str:
    if scope.rule.absent.message:
        return sentence(render(scope.rule.absent.message, _values(scope)))
    least, found = _least(scope), len(scope.certain)
    wanted = "" if least == 1 else f" ({found} of {least})"
    return f"No {noun(scope.kind)} was found where one is required{wanted}."


def _expected_path(scope: Scope) -> str:
    """Where the missing thing was expected: the part of the pattern that names a place."""
    patterns = [text for name, p in scope.rule.where if name == "path" for text in patterns_of(p)]
    pattern = scope.rule.absent.path or next(iter(patterns), "")
    return literal_prefix(scope.fill(pattern)) or "go.mod"


# --- findings


def _shortfalls(scope: Scope, judged: Judged) -> Iterator[Finding]:
    """One finding for every clause that a row does not satisfy for certain."""
    for clause, truth in zip(scope.rule.require, judged.clauses, strict=True):
        if truth is Truth.FALSE or (truth is Truth.UNKNOWN and not judged.blind):
            undecided = truth is Truth.UNKNOWN or not judged.is_certain
            open_ = truth is Truth.UNKNOWN
            yield _finding(scope, clause, judged.row, undecided=undecided, is_open=open_)


def _letters(scope: Scope, judged: Judged) -> Iterator[Finding]:
    for clause in scope.rule.prefer:
        if condition_holds(clause.condition, judged.row, scope.arguments)[0] is not Truth.TRUE:
            yield _finding(scope, clause, judged.row, letter=True)


def _fewest_letters(scope: Scope) -> list[Finding]:
    """The differences in wording of the row that has the fewest of them."""
    return min(([*_letters(scope, judged)] for judged in scope.good), key=len, default=[])


def _closest(scope: Scope) -> Finding:
    """What keeps `exists` from holding: the row that might do, else the one that comes closest."""
    rest = [judged for judged in scope.rows if not judged.is_good]
    if not rest:
        return _missing(scope)
    best = max(rest, key=lambda judged: (judged.truth, judged.is_certain, sum(judged.clauses)))
    if best.truth is Truth.TRUE:
        return _perhaps(scope, best)
    clause = next(c for c, t in zip(scope.rule.require, best.clauses, strict=True) if t is best.truth)
    is_open = best.truth is Truth.UNKNOWN
    return _finding(scope, clause, best.row, undecided=is_open, is_open=is_open)


def _perhaps(scope: Scope, judged: Judged) -> Finding:
    message = f"It cannot be told whether this {noun(scope.kind)} is one that the rule is about."
    return _at(scope, judged.row.location, message, undecided=True)


def _finding(
    scope: Scope,
    clause: Clause,
    row: Entity,
    *,
    undecided: bool = False,
    is_open: bool = False,
    letter: bool = False,
) -> Finding:
    """The finding about a row; `is_open` when it is not known whether the clause holds."""
    proofs = _proofs(clause.condition, row)
    place = proofs[0] if clause.at == "proof" and proofs else row.location
    flow = proofs if not proofs or _same(proofs[0], place) else (_own_place(row), *proofs)
    text = clause.undecided if is_open and clause.undecided else clause.message
    message = sentence(render(text, Names(_values(scope), row, row_first=True)))
    if is_open and not clause.undecided:
        message = f"It could not be decided whether this is so: {message}"
    return _at(scope, place, message, flow if len(flow) > 1 else (), undecided=undecided, letter=letter)


def _at(
    scope: Scope,
    place: Location,
    message: str,
    flow: tuple[Location, ...] = (),
    *,
    undecided: bool = False,
    letter: bool = False,
) -> Finding:
    return Finding(
        rule=scope.rule.id,
        level=Level.WARNING if undecided else Level.NOTE if letter else scope.rule.info.level,
        message=message,
        location=Location(place.path, place.span),
        flow=flow[:MAX_FLOW],
        undecided=undecided,
        letter=letter,
    )


def _proofs(condition: Condition, row: Entity) -> tuple[Location, ...]:
    """The places that prove the fields of a condition, in reading order, each once."""
    proofs = []
    for name, _ in condition:
        answer = answer_of(row, name)
        proofs += [proof.noted(neutral(proof.note or answer.because)) for proof in answer.proof]
    return tuple(dict.fromkeys(proofs))


def _own_place(row: Entity) -> Location:
    return row.location.noted(neutral(row.location.note) or noun(row.kind))


def _same(one: Location, other: Location) -> bool:
    return (one.path, one.span) == (other.path, other.span)


# --- outcomes


def _failed(scope: Scope, findings: Iterable[Finding], reason: str) -> RuleRun:
    sure = tuple(finding for finding in findings if not finding.undecided and not finding.letter)
    return RuleRun(scope.rule.id, (), Outcome.FAILED, len(scope.certain), reason, (), sure)


def _ran(scope: Scope, findings: list[Finding], size: int) -> RuleRun:
    reason = _reason(scope, findings)
    return RuleRun(scope.rule.id, (), Outcome.RAN, size, reason, _evidence(scope), tuple(findings))


def _evidence(scope: Scope) -> tuple[Location, ...]:
    """The satisfied rows and the proofs of what they were asked for, each line once."""
    found: dict[tuple[str, int], Location] = {}
    for judged in scope.good if scope.rule.quantifier != "forbid" else ():
        proofs = [proof for clause in scope.rule.require for proof in _proofs(clause.condition, judged.row)]
        for place in (_own_place(judged.row), *proofs):
            found.setdefault((place.path, place.line), place)
    return tuple(found.values())[:MAX_EVIDENCE]


def _reason(scope: Scope, findings: list[Finding]) -> str:
    """One sentence with the count, and the first thing that speaks against a pass."""
    sure = [finding for finding in findings if not finding.undecided and not finding.letter]
    against = sure or [finding for finding in findings if finding.undecided]
    if against:
        return _reason_against(scope, against, is_sure=bool(sure))
    if scope.rule.passes:
        return sentence(render(scope.rule.passes, _values(scope)))
    total = _values(scope)["total"]
    if scope.rule.quantifier == "forbid":
        return f"No {noun(scope.kind)} in {total} {counted('file', total)}."
    return f"{len(scope.good)} of {total} {counted(scope.kind, total)} hold."


def _reason_against(scope: Scope, against: list[Finding], *, is_sure: bool) -> str:
    total = _values(scope)["total"]
    places = len({(finding.location, finding.rule) for finding in against})
    if scope.rule.quantifier == "for_each":
        wrong = Truth.FALSE if is_sure else Truth.UNKNOWN
        places = sum(judged.is_certain and judged.truth is wrong for judged in scope.rows) or places
    first = against[0].message
    if scope.rule.quantifier == "forbid":
        doubt = "" if is_sure else " perhaps"
        return f"{places}{doubt} in {total} {counted('file', total)}: {first}"
    many = f"of {total} {counted(scope.kind, total)}"
    if scope.rule.quantifier == "exists":
        return f"None {many} will do{'' if is_sure else ' for certain'}: {first}"
    if not is_sure:
        return f"{places} {many} cannot be followed: {first}"
    return f"{places} {many} {'falls' if places == 1 else 'fall'} short: {first}"


def _values(scope: Scope) -> dict[str, Any]:
    """Arguments, `total` (rows in scope, or files for `forbid`) and `count` (rows that satisfy)."""
    if scope.rule.quantifier == "forbid":
        return {**scope.arguments, "total": scope.files, "count": len(scope.certain)}
    return {**scope.arguments, "total": len(scope.certain), "count": len(scope.good)}
