"""The checklist as data: controls and what verifies them."""

from __future__ import annotations

from msgspec import Struct

EVIDENCE = "evidence:"  # what the `rule` of a reference to evidence begins with; its kind follows


class CheckRef(Struct, frozen=True):
    """A rule and the arguments it is run with. Equal references share one run."""

    rule: str
    arguments: tuple[tuple[str, str], ...] = ()


class Control(Struct, frozen=True):
    """One checkbox.

    `decided_by` says who has the last word: `files`, `evidence` (the output of a run) or `person`; `ask` says
    what is to be run or looked at when it is not files alone. `checks` must all hold. `applies_when` is a
    check whose empty scope makes the control not-applicable. `evidence` is what the outputs of runs must show,
    all of it, so that nobody needs to be asked; empty when no kind of evidence can decide. `also` are checks of a
    second engine: what they find fails the control, and nothing that they do not find speaks for it.
    """

    id: str
    parent: str | None
    phase: str
    section: str
    title: str
    decided_by: str
    checks: tuple[CheckRef, ...] = ()
    ask: str = ""
    applies_when: CheckRef | None = None
    evidence: tuple[CheckRef, ...] = ()
    also: tuple[CheckRef, ...] = ()


class Checklist(Struct, frozen=True):
    """All controls in checklist order. `phase_titles` pairs a phase with its heading, where it has one."""

    name: str
    version: str
    controls: tuple[Control, ...]
    phase_titles: tuple[tuple[str, str], ...] = ()

    def phases(self) -> tuple[str, ...]:
        """The phases in checklist order, each once."""
        return tuple(dict.fromkeys(c.phase for c in self.controls))
