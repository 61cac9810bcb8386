"""What a kind answers with, and how it is put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from fnmatch import fnmatchcase

from msgspec import Struct

from zuno_audit.evidence.observation import Seen
from zuno_audit.model.location import Location, at_line

MAX_NAMED = 3  # of many, so many are named in a sentence
MAX_PROOF = 12
MAX_FAULTS = 200


class Decision(StrEnum):
    """HOLDS: shown to hold. BROKEN: shown not to. OPEN: the evidence does not tell."""

    HOLDS = "holds"
    BROKEN = "broken"
    OPEN = "open"


class Fault(Struct, frozen=True):
    """Something that does not hold, where a file says so. `subject` is what two files may disagree about."""

    seen: Seen
    message: str
    subject: str


class Judgement(Struct, frozen=True):
    """The decision, one sentence for it, how much was looked at, and the places that show it.

    `good` are subjects that a file shows to hold, by file, so that disagreement can be told.
    """

    decision: Decision
    reason: str
    size: int = 0
    proof: tuple[Location, ...] = ()
    faults: tuple[Fault, ...] = ()
    good: tuple[tuple[str, str], ...] = ()


def holds(reason: str, seen: Sequence[Seen]) -> Judgement:
    """Shown to hold by these observations."""
    return Judgement(Decision.HOLDS, reason, len(seen), proof_of(seen))


def broken(reason: str, faults: Sequence[Fault], good: Iterable[tuple[str, str]] = ()) -> Judgement:
    """Shown not to hold. Of many faults the first are kept; the reason says how many there are."""
    faults = faults[:MAX_FAULTS]
    proof = proof_of([fault.seen for fault in faults])
    return Judgement(Decision.BROKEN, reason, len(faults), proof, tuple(faults), tuple(good))


def still_open(reason: str) -> Judgement:
    """The evidence does not tell."""
    return Judgement(Decision.OPEN, reason)


def proof_of(seen: Iterable[Seen]) -> tuple[Location, ...]:
    """Places of observations, each once, one for each file first."""
    first: dict[str, Location] = {}
    rest: dict[Location, None] = {}
    for one in seen:
        place = at_line(one.path, one.line)
        if one.path in first:
            rest[place] = None
        else:
            first[one.path] = place
    return tuple(dict.fromkeys([*first.values(), *rest]))[:MAX_PROOF]


def named(names: Iterable[str]) -> str:
    """The first few of some names, sorted, and how many more there are."""
    every = sorted(set(names))
    more = f" and {len(every) - MAX_NAMED} more" if len(every) > MAX_NAMED else ""
    return ", ".join(every[:MAX_NAMED]) + more


def words(arguments: str) -> tuple[str, ...]:
    """The members of a list argument."""
    return tuple(word.strip() for word in arguments.split(",") if word.strip())


def matches(name: str, patterns: str) -> bool:
    """True when one of the comma-separated patterns fits all of the name (`*` and `?`)."""
    return any(fnmatchcase(name, pattern) for pattern in words(patterns))
