"""What a report needs to know of a rule, apart from how it decides."""

from __future__ import annotations

from msgspec import Struct

from zuno_audit.model.finding import Level


class RuleInfo(Struct, frozen=True):
    """The public face of a rule.

    `title` names the defect, `why` the harm, `fix` the cure; `bad` and `good` are snippets; `precision` is one
    of very-high, high, medium, low; `security_severity` a number as text or empty; `cwe` numbers.
    """

    id: str
    title: str
    level: Level
    precision: str
    why: str
    fix: str
    bad: str = ""
    good: str = ""
    limits: str = ""
    security_severity: str = ""
    cwe: tuple[int, ...] = ()
    tags: tuple[str, ...] = ()
    pack: str = ""
