"""What a Python rule answers with.

A check is `def check(store: FactStore, arguments: Mapping[str, str]) -> RuleRun`. It builds its answer with
the functions below and leaves out who it is: the engine fills in rule, arguments and level.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location
from zuno_audit.model.rule_run import Outcome, RuleRun

MAX_EVIDENCE = 12


def violation(message: str, location: Location, flow: Sequence[Location] = ()) -> Finding:
    """Something that does not hold, for certain."""
    return Finding("", Level.ERROR, message, location, flow=tuple(flow))


def undecided(message: str, location: Location, flow: Sequence[Location] = ()) -> Finding:
    """Code that could not be followed: the item becomes manual."""
    return Finding("", Level.WARNING, message, location, flow=tuple(flow), undecided=True)


def letter(message: str, location: Location) -> Finding:
    """A difference in wording only: the item passes unless the audit is strict."""
    return Finding("", Level.NOTE, message, location, letter=True)


def ran(
    reason: str, scope_size: int, *, findings: Iterable[Finding] = (), evidence: Iterable[Location] = ()
) -> RuleRun:
    """A run that saw all of its scope. `reason` is a sentence with the count; no scope is never a pass."""
    proof = tuple(dict.fromkeys(evidence))[:MAX_EVIDENCE]
    return RuleRun("", (), Outcome.RAN, scope_size, reason, proof, tuple(findings))


def not_applicable(reason: str) -> RuleRun:
    """The rule's own condition does not hold in this repository."""
    return RuleRun("", (), Outcome.NOT_APPLICABLE, 0, reason)


def could_not_run(reason: str, *, scope_size: int = 0, findings: Iterable[Finding] = ()) -> RuleRun:
    """The rule could not see all it needed: never a pass. Findings that are certain still count."""
    return RuleRun("", (), Outcome.FAILED, scope_size, reason, (), tuple(findings))


def needs_run(reason: str, scope_size: int, evidence: Iterable[Location] = ()) -> RuleRun:
    """All that files show holds; the rest needs the output of a run."""
    return RuleRun("", (), Outcome.OPEN, scope_size, reason, tuple(dict.fromkeys(evidence))[:MAX_EVIDENCE])
