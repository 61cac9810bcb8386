"""Findings after an audit of two rules in which comments and waivers had their say."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from zuno_audit.api import rule_files
from zuno_audit.engine import own_rules
from zuno_audit.engine.excuse import Excuser, Excuses
from zuno_audit.engine.suppress import Suppression
from zuno_audit.engine.waivers import Waiver
from zuno_audit.model.control import CheckRef, Control
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.rule_run import Outcome, RuleRun

TODAY = date(2026, 6, 1)
KNOWN = {"some-rule", "other-rule", *own_rules.OWN_RULES}


def finding(rule: str = "some-rule", path: str = "a.go", line: int = 5) -> Finding:
    return Finding(rule, Level.ERROR, f"{rule} is broken.", at_line(path, line))


def excused(
    findings: Iterable[Finding],
    suppressions: Iterable[Suppression] = (),
    waivers: Iterable[Waiver] = (),
    *,
    outcome: Outcome = Outcome.RAN,
    items: dict[str, tuple[str, ...]] | None = None,
    evidence: dict[str, tuple[str, ...]] | None = None,
) -> tuple[Finding, ...]:
    """All findings after an audit in which both rules ran; `items` and `evidence` map item ids to rules."""
    findings = tuple(findings)
    runs = {
        CheckRef(rule): RuleRun(
            rule, (), outcome, 9, "9 looked at.", (), tuple(f for f in findings if f.rule == rule)
        )
        for rule in ("some-rule", "other-rule")
    }
    given = items or {"1.1.1": ("some-rule",), "1.1.2": ("other-rule",)}
    controls = [
        Control(
            item, None, "1", "s", "t", "files", _refs(rules), evidence=_refs((evidence or {}).get(item, ()))
        )
        for item, rules in given.items()
    ]
    own = {rule: rule_files().rule(rule) for rule in own_rules.OWN_RULES}
    excuser = Excuser(tuple(controls), Excuses(tuple(suppressions), tuple(waivers), TODAY), KNOWN, own)
    done = {**excuser.marked(runs), **excuser.complaints()}
    return tuple(f for run in done.values() for f in run.findings)


def _refs(rules: Iterable[str]) -> tuple[CheckRef, ...]:
    return tuple(CheckRef(rule) for rule in rules)
