"""GO or NO-GO: what the verdicts mean for the release, in one sentence, per phase and in total."""

from __future__ import annotations

from msgspec import Struct

from zuno_audit.model.result import AuditResult
from zuno_audit.report.layout import Tally, phases, plural, tally


class PhaseDecision(Struct, frozen=True):
    """The decision for one phase."""

    phase: str
    heading: str
    is_go: bool
    tally: Tally
    why: str

    @property
    def word(self) -> str:
        """`GO`, `NO-GO`, or `n/a` where no item applies: nothing was earned, and nothing is in the way."""
        return go_word(self.is_go) if self.tally.counted else "n/a"


class Decision(Struct, frozen=True):
    """The decision for all phases that were audited. `why` is a sentence."""

    is_go: bool
    tally: Tally
    why: str
    phases: tuple[PhaseDecision, ...]

    @property
    def word(self) -> str:
        """`GO` or `NO-GO`."""
        return go_word(self.is_go)

    @property
    def line(self) -> str:
        """The whole decision on one line."""
        return f"{self.word}: {self.why}"


def go_word(is_go: bool) -> str:
    """How a decision is written."""
    return "GO" if is_go else "NO-GO"


def decide(result: AuditResult) -> Decision:
    """GO only when every item that applies passes: nothing fails, is unchecked or is open."""
    parts = tuple(
        PhaseDecision(p.id, p.heading, _is_go(p.tally), p.tally, _why(p.tally)) for p in phases(result)
    )
    total = tally(result.verdicts)
    if result.nothing_to_audit:
        return Decision(False, total, "there is nothing here that could be audited.", parts)
    why = _why(total)
    applying = [p for p in parts if p.tally.counted]
    blocked = [p for p in applying if not p.is_go]
    if len(applying) > 1 and blocked and len(blocked) < len(applying):
        why += f" in {plural(len(blocked), 'phase')} of {len(applying)}"
    return Decision(_is_go(total), total, why + ".", parts)


def _is_go(count: Tally) -> bool:
    return count.passed > 0 and count.passed == count.counted


def _why(count: Tally) -> str:
    if count.counted == 0:
        return "no item applies here"
    if _is_go(count):
        return f"all {plural(count.counted, 'item')} pass" if count.counted > 1 else "the one item passes"
    parts = []
    if count.failed:
        parts.append(f"{count.failed} of {plural(count.counted, 'item')} {_verb(count.failed, 'fail')}")
    if count.errors:
        parts.append(f"{count.errors} could not be checked")
    if count.open:
        parts.append(_open_words(count))
    return ("" if count.failed else "nothing fails, but " if not count.errors else "") + ", ".join(parts)


def _open_words(count: Tally) -> str:
    run, person = count.needs_evidence, count.manual
    if not run:
        return f"{person} {_verb(person, 'wait')} for a person"
    words = f"{run} {_verb(run, 'wait')} for the output of a run"
    return f"{words} and {person} for a person" if person else words


def _verb(count: int, verb: str) -> str:
    return verb + "s" if count == 1 else verb
