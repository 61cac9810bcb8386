"""Marks findings that somebody answers for, by a comment or a waiver, and reports what is wrong with those.

A marked finding stays in the result and its item stays failed; it only no longer counts at the gate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import date

from msgspec import Struct, field
from msgspec.structs import replace

from zuno_audit.engine import own_rules
from zuno_audit.engine.suppress import FORM, Suppression, by_line, nearest
from zuno_audit.engine.waivers import Waiver
from zuno_audit.model.control import CheckRef, Control
from zuno_audit.model.finding import Finding
from zuno_audit.model.finding import Suppression as Mark
from zuno_audit.model.redaction import redact
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.rule import Rule

Runs = Mapping[CheckRef, RuleRun]
_SAW_ALL = frozenset({Outcome.RAN, Outcome.NOT_APPLICABLE, Outcome.OPEN})


class Excuses(Struct, frozen=True):
    """What a tree says about its own findings, and the day on which it says so."""

    suppressions: tuple[Suppression, ...] = ()
    waivers: tuple[Waiver, ...] = ()
    today: date = date.min


class Excuser(Struct):
    """Marks runs as they come, then tells what is wrong with the suppressions and waivers themselves.

    `known` are the ids of all rules, `own` the rules of the engine, `runs` all that was marked so far. `used`
    collects what was of use, by place and rule.
    """

    controls: tuple[Control, ...]
    excuses: Excuses
    known: Collection[str]
    own: Mapping[str, Rule]
    runs: dict[CheckRef, RuleRun] = field(default_factory=dict)
    used: set[tuple[Suppression, str]] = field(default_factory=set)
    used_waivers: set[Waiver] = field(default_factory=set)

    def marked(self, runs: Runs) -> dict[CheckRef, RuleRun]:
        """The runs with their findings marked."""
        self.runs.update(runs)
        if not (self.excuses.suppressions or self.excuses.waivers):
            return dict(runs)
        items, in_source = self._items(runs), self._marks_in_source(runs.values())
        marks = {finding: self._mark(finding, items[finding], in_source) for finding in items}
        return {ref: _marked(run, marks) for ref, run in runs.items()}

    def complaints(self) -> dict[CheckRef, RuleRun]:
        """A run for every rule of the engine that has something to say, its findings marked as well."""
        own = [*self._bad_suppressions()]
        marks = {finding: self._mark(finding, (), {}) for finding in own}
        own += self._bad_waivers()
        runs = {}
        for rule in sorted({finding.rule for finding in own}):
            findings = tuple(f for f in own if f.rule == rule)
            run = RuleRun(rule, (), Outcome.RAN, len(findings), "", (), findings)
            runs[CheckRef(rule)] = _marked(run, marks)
        return runs

    def _items(self, runs: Runs) -> dict[Finding, set[str]]:
        """The items that each finding is about: those whose own checks made it, or those of its box."""
        checks: dict[CheckRef, set[str]] = {}
        for control in self.controls:
            for ref in (*control.checks, *control.evidence, *control.also):
                checks.setdefault(ref, set()).add(control.id)
        found: dict[Finding, set[str]] = {}
        for ref, run in runs.items():
            for finding in run.findings:
                found.setdefault(finding, set()).update(checks.get(ref, ()), finding.checklist)
        return found

    # -- marks

    def _marks_in_source(self, runs: Iterable[RuleRun]) -> dict[Finding, Mark]:
        places = by_line(self.excuses.suppressions)
        marks: dict[Finding, Mark] = {}
        if not places:
            return marks
        for run in runs:
            for finding in run.findings:
                place = finding.location
                suppression = places.get((place.path, place.line, finding.rule))
                if suppression is not None:
                    self.used.add((suppression, finding.rule))
                    marks[finding] = Mark("inSource", suppression.reason, suppression.location)
        return marks

    def _mark(
        self, finding: Finding, items: Collection[str], in_source: Mapping[Finding, Mark]
    ) -> Mark | None:
        """The comment's mark, else that of the waivers, if these cover every item that the finding fails."""
        fitting = [w for w in self.excuses.waivers if _fits(w, finding, items)]
        self.used_waivers.update(fitting)
        if finding in in_source:
            return in_source[finding]
        holding = [w for w in fitting if not w.is_expired(self.excuses.today)]
        by_rule = [w for w in holding if w.rule]
        if by_rule:
            return max(by_rule, key=lambda w: w.expiry).suppression()
        needed = [_longest(w for w in holding if w.covers_item(item)) for item in sorted(items)]
        found = [w for w in needed if w is not None]
        if not found or len(found) < len(needed):
            return None
        return min(found, key=lambda w: w.expiry).suppression()

    # -- what is wrong with suppressions and waivers

    def _bad_suppressions(self) -> Iterator[Finding]:
        for suppression in self.excuses.suppressions:
            if suppression.fault:
                message = f"The suppression does not count, because {suppression.fault}: write {FORM}."
                yield self._own(own_rules.SUPPRESSION_MALFORMED, suppression, message)
            for rule in suppression.rules:
                yield from self._bad_rule(suppression, rule)

    def _bad_rule(self, suppression: Suppression, rule: str) -> Iterator[Finding]:
        if rule not in self.known or rule in self.own:
            names = [name for name in self.known if name not in self.own]
            message = f"There is no rule {rule[:100]} that a comment can suppress.{nearest(rule, names)}"
            yield self._own(own_rules.SUPPRESSION_UNKNOWN_RULE, suppression, message)
        elif (suppression, rule) not in self.used and self._ran_to_the_end({rule}):
            message = f"The suppression is of no use: {rule} finds nothing on its line or the next one."
            yield self._own(own_rules.SUPPRESSION_UNUSED, suppression, message)

    def _bad_waivers(self) -> Iterator[Finding]:
        for waiver in self.excuses.waivers:
            said = f"{waiver.reason} ({waiver.owner})"
            if waiver.is_expired(self.excuses.today):
                message = (
                    f"The waiver of {waiver.subject} has expired on {waiver.expiry.isoformat()}: {said}."
                )
                yield self._own(own_rules.WAIVER_EXPIRED, waiver, message)
            elif waiver not in self.used_waivers and self._ran_to_the_end(self._rules_of(waiver)):
                message = f"The waiver of {waiver.subject} is of no use: nothing it covers is found. {said}."
                yield self._own(own_rules.WAIVER_UNUSED, waiver, message)

    def _rules_of(self, waiver: Waiver) -> set[str]:
        if waiver.rule:
            return {waiver.rule}
        return {ref.rule for c in self.controls if waiver.covers_item(c.id) for ref in (*c.checks, *c.also)}

    def _ran_to_the_end(self, rules: Collection[str]) -> bool:
        """True when these rules were run and saw all of their scope: what they do not find is not there."""
        runs = [run for run in self.runs.values() if run.rule in rules]
        was_run = {run.rule for run in runs} | self.own.keys() >= set(rules)
        return bool(rules) and was_run and all(map(_saw_all, runs))

    def _own(self, rule: str, about: Suppression | Waiver, message: str) -> Finding:
        return Finding(rule, self.own[rule].info.level, redact(message), about.location)


def _saw_all(run: RuleRun) -> bool:
    """False also for an open run that looked at nothing, like that of an engine that was not started."""
    return run.outcome in _SAW_ALL and not (run.outcome is Outcome.OPEN and run.scope_size == 0)


def _fits(waiver: Waiver, finding: Finding, items: Collection[str]) -> bool:
    """True when a waiver is about a finding, or about one of the items that it fails."""
    if finding.rule in own_rules.ABOUT_WAIVERS or not waiver.covers_path(finding.location.path):
        return False
    return finding.rule == waiver.rule if waiver.rule else any(waiver.covers_item(item) for item in items)


def _longest(waivers: Iterable[Waiver]) -> Waiver | None:
    return max(waivers, key=lambda w: w.expiry, default=None)


def _marked(run: RuleRun, marks: Mapping[Finding, Mark | None]) -> RuleRun:
    if not any(marks.get(finding) for finding in run.findings):
        return run
    return replace(run, findings=tuple(replace(f, suppression=marks.get(f)) for f in run.findings))
