"""A rule as it runs: validated, with everything optional filled in.

`rules/spec.py` is the rule as written; a `Rule` exists only when the writing was valid.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zuno_audit.model.rule import RuleInfo

# A predicate as plain data: a scalar, or a mapping of operators. `matchers/predicates.py` evaluates it.
Predicate = Any
Condition = tuple[tuple[str, Predicate], ...]


@dataclass(frozen=True, slots=True)
class Clause:
    """One line of `require` or `prefer`: all predicates must hold for a row, else `message` is said.

    `at` is `row` or `proof`: where the finding lies.
    """

    condition: Condition
    message: str
    at: str = "row"


@dataclass(frozen=True, slots=True)
class Absent:
    """What is said when there are too few rows: `status` is fail, not-applicable or manual."""

    status: str = "fail"
    path: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that can be run.

    `quantifier` is `for_each`, `exists` or `forbid` over `table`, or `python`: then `check` names the
    function, or `engine`: then no matcher runs it. `parameters` maps names to defaults; None must be given.
    `at_least`/`at_most` bound the rows.
    """

    info: RuleInfo
    kind: str
    quantifier: str
    table: str = ""
    check: str = ""
    parameters: tuple[tuple[str, str | None], ...] = ()
    where: Condition = ()
    problems: str = ""
    at_least: str = "1"
    at_most: str = ""
    absent: Absent = field(default_factory=Absent)
    has_absent: bool = False
    require: tuple[Clause, ...] = ()
    prefer: tuple[Clause, ...] = ()
    message: str = ""
    at: str = "row"
    passes: str = ""
    path: str = ""

    @property
    def id(self) -> str:
        return self.info.id
