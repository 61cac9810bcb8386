"""A rule as it runs: validated, with everything optional filled in.

`rules/spec.py` is the rule as written; a `Rule` exists only when the writing was valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec import Struct, field

from zuno_audit.model.rule import RuleInfo

# A predicate as plain data: a scalar, or a mapping of operators. `matchers/predicates.py` evaluates it.
Predicate = Any
Condition = tuple[tuple[str, Predicate], ...]


class Clause(Struct, frozen=True):
    """One line of `require` or `prefer`: all predicates must hold for a row, else `message` is said.

    `at` is `row` or `proof`: where the finding lies. `undecided` is said when it is not known whether they hold.
    """

    condition: Condition
    message: str
    at: str = "row"
    undecided: str = ""


class Absent(Struct, frozen=True):
    """What is said when there are too few rows: `status` is fail, not-applicable or manual."""

    status: str = "fail"
    path: str = ""
    message: str = ""


class Rule(Struct, frozen=True):
    """A rule that can be run.

    `quantifier` is `for_each`, `exists` or `forbid` over `table`, or `python`: then `check` names the
    function, or `engine`: then no matcher runs it. `parameters` maps names to defaults; None must be given.
    `at_least`/`at_most` bound the rows. `folder` is the folder of packs that it comes from, if any; its own
    queries lie there in `queries`.
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
    folder: Path | None = None

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def queries(self) -> Any:
        """The folder whose `queries` the rule uses, None for those that come with zuno-audit."""
        own = self.folder
        return own if own is not None and (own / "queries").is_dir() else None
