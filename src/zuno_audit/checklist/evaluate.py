"""From finished rule runs to verdicts: pure, three-valued, the only judge.

A check is false (it has a finding that counts, suppressed or not), unknown (it failed, looked at nothing, is
too dynamic to follow or needs the output of a run) or true. An item is as bad as its worst part,
its sub-items included; parts that do not apply do not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from zuno_audit.checklist.attest import attest
from zuno_audit.model.attestation import Attestation
from zuno_audit.model.control import Checklist, CheckRef, Control
from zuno_audit.model.finding import Finding
from zuno_audit.model.location import Location
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.model.verdict import Check, Status, Verdict

CHECKLIST = "checklist"  # the `rule` of a check that stems from the control itself
MAX_EVIDENCE = 12
MAX_EXCUSES = 3  # that a reason names
WORST_FIRST = (Status.FAIL, Status.ERROR, Status.NEEDS_EVIDENCE, Status.MANUAL, Status.PASS)
_NOTHING_DECIDES = "No rule decides this yet; a person must look."


def evaluate(
    checklist: Checklist,
    runs: Mapping[CheckRef, RuleRun],
    *,
    strict: bool = False,
    attestations: Iterable[Attestation] = (),
) -> tuple[Verdict, ...]:
    """A verdict for every control, in checklist order.

    A check whose run is missing counts as failed, evidence whose run is missing as not supplied. `strict`
    lets a difference in wording alone fail an item. `attestations` lift what is open, and nothing else.
    """
    attested = tuple(attestations)
    children: dict[str, list[str]] = {}
    for control in checklist.controls:
        if control.parent is not None:
            children.setdefault(control.parent, []).append(control.id)
    verdicts: dict[str, Verdict] = {}
    for control in sorted(checklist.controls, key=lambda c: -c.id.count(".")):
        parts = [verdicts[child] for child in children.get(control.id, ())]
        verdicts[control.id] = judge(control, runs, parts, strict=strict, attestations=attested)
    return tuple(verdicts[control.id] for control in checklist.controls)


def judge(
    control: Control,
    runs: Mapping[CheckRef, RuleRun],
    parts: Iterable[Verdict],
    *,
    strict: bool = False,
    attestations: Iterable[Attestation] = (),
) -> Verdict:
    """The verdict of one control, given the verdicts of its direct sub-items."""
    own = _own_checks(control, runs, strict)
    parts = tuple(parts)
    if not own and not parts:
        own = [Check(CHECKLIST, Status.MANUAL, _NOTHING_DECIDES)]
    own = attest(control.id, own, attestations)
    checks = (*own, *_of_parts(parts))
    return Verdict(control, worst(check.status for check in checks), checks)


def worst(statuses: Iterable[Status]) -> Status:
    """The worst status of some parts; not-applicable when none of them applies."""
    present = set(statuses)
    return next((status for status in WORST_FIRST if status in present), Status.NOT_APPLICABLE)


def counts(finding: Finding, *, strict: bool) -> bool:
    """True when a finding makes an item fail. A suppressed one does: it only no longer stops the gate."""
    return not finding.undecided and (strict or not finding.letter)


def _own_checks(control: Control, runs: Mapping[CheckRef, RuleRun], strict: bool) -> list[Check]:
    condition = _condition(control, runs)
    if condition is not None and condition.status is Status.NOT_APPLICABLE:
        return [condition]
    checks = [check for ref in control.checks for check in check_run(ref, runs.get(ref), strict=strict)]
    if condition is not None:
        checks.append(condition)
    if checks and worst(c.status for c in checks) is Status.NOT_APPLICABLE:
        return checks
    checks += [check for ref in control.evidence if (run := runs.get(ref)) for check in check_run(ref, run)]
    nature = None if _is_shown(control, runs) else _nature(control)
    return [*checks, *([] if nature is None else [nature]), *_second_looks(control, runs, nature)]


def _second_looks(
    control: Control, runs: Mapping[CheckRef, RuleRun], nature: Check | None
) -> Iterable[Check]:
    """What a second engine says. That it was not run is said only while a run is awaited anyway."""
    awaited = nature is not None and nature.status is Status.NEEDS_EVIDENCE
    for ref in control.also:
        run = runs.get(ref)
        if run is not None and run.outcome is Outcome.SKIPPED:
            continue
        for check in check_run(ref, run):
            if awaited or check.status is not Status.NEEDS_EVIDENCE:
                yield check


def _is_shown(control: Control, runs: Mapping[CheckRef, RuleRun]) -> bool:
    """True when evidence answers all that the control asks of it, whatever the answer is."""
    shown = [runs.get(ref) for ref in control.evidence]
    return bool(shown) and all(run is not None and run.outcome is not Outcome.OPEN for run in shown)


def _condition(control: Control, runs: Mapping[CheckRef, RuleRun]) -> Check | None:
    """The check of `applies_when`: not-applicable, error or manual; None when the control applies."""
    if control.applies_when is None:
        return None
    run = runs.get(control.applies_when)
    if run is None or run.outcome in (Outcome.FAILED, Outcome.SKIPPED):
        return check_run(control.applies_when, run)[0]
    if run.outcome is Outcome.NOT_APPLICABLE:
        return Check(run.rule, Status.NOT_APPLICABLE, run.reason)
    if any(finding.undecided for finding in run.findings):
        return Check(run.rule, Status.MANUAL, run.reason, _places(run.findings))
    return None


def _nature(control: Control) -> Check | None:
    """What no file can decide of this control."""
    if control.decided_by == "evidence":
        return Check(CHECKLIST, Status.NEEDS_EVIDENCE, control.ask)
    if control.decided_by == "person":
        return Check(CHECKLIST, Status.MANUAL, control.ask)
    return None


def check_run(ref: CheckRef, run: RuleRun | None, *, strict: bool = False) -> list[Check]:
    """What a run means: one check, or two when a run that found faults did not get to its end."""
    if run is None:
        return [Check(ref.rule, Status.ERROR, "The rule was not run.")]
    broken = [finding for finding in run.findings if counts(finding, strict=strict)]
    checks = []
    if broken:
        reason = _with_excuse(Status.FAIL, run.reason, broken)
        checks.append(Check(run.rule, Status.FAIL, reason, _places(broken)))
    if run.outcome is Outcome.FAILED or (run.outcome is Outcome.RAN and run.scope_size <= 0 and not broken):
        checks.append(_error(run))
    return checks or [_unbroken(run)]


def _error(run: RuleRun) -> Check:
    reason = run.reason if run.outcome is Outcome.FAILED else f"Nothing was looked at: {run.reason}"
    return Check(run.rule, Status.ERROR, reason, run.evidence[:MAX_EVIDENCE])


def _unbroken(run: RuleRun) -> Check:
    undecided = [f for f in run.findings if f.undecided]
    if undecided and run.outcome is not Outcome.OPEN:
        reason = _with_excuse(Status.MANUAL, run.reason, undecided)
        return Check(run.rule, Status.MANUAL, reason, _places(undecided))
    status = {
        Outcome.NOT_APPLICABLE: Status.NOT_APPLICABLE,
        Outcome.OPEN: Status.NEEDS_EVIDENCE,
        Outcome.SKIPPED: Status.MANUAL,
    }.get(run.outcome, Status.PASS)
    return Check(run.rule, status, run.reason, run.evidence[:MAX_EVIDENCE])


def _with_excuse(status: Status, reason: str, findings: Iterable[Finding]) -> str:
    """The reason, with the words of those who answer for the findings: `fail, waived until ...`."""
    findings = tuple(findings)
    words = list(dict.fromkeys(f.suppression.words for f in findings if f.suppression is not None))
    if not words:
        return reason
    excused = sum(f.suppression is not None for f in findings)
    more = [f"and {len(words) - MAX_EXCUSES} more"] if len(words) > MAX_EXCUSES else []
    said = "; ".join([*words[:MAX_EXCUSES], *more])
    if excused == len(findings):
        return f"{status.value}, {said}. {reason}"
    return f"{reason} {excused} of {len(findings)} findings {said}."


def _places(findings: Iterable[Finding]) -> tuple[Location, ...]:
    places = dict.fromkeys(finding.location.noted(finding.message) for finding in findings)
    return tuple(places)[:MAX_EVIDENCE]


def _of_parts(parts: tuple[Verdict, ...]) -> list[Check]:
    """One check that sums up the sub-items."""
    if not parts:
        return []
    status = worst(part.status for part in parts)
    if status is Status.NOT_APPLICABLE:
        return [Check(CHECKLIST, status, f"None of the {len(parts)} sub-items applies.")]
    applicable = [part for part in parts if part.status is not Status.NOT_APPLICABLE]
    named = [part.control.id for part in applicable if part.status is status]
    count = f"{len(named)} of {len(applicable)} {'sub-item' if len(applicable) == 1 else 'sub-items'}"
    if status is Status.PASS:
        said = "holds" if len(named) == 1 else "hold"
    else:
        said = f"{'has' if len(named) == 1 else 'have'} the status {status.value}"
    return [Check(CHECKLIST, status, f"{count} {said}: {', '.join(named)}.")]


def attribute(verdicts: Iterable[Verdict]) -> dict[CheckRef, tuple[str, ...]]:
    """The items that a finding of each check accounts for, in checklist order: its own and those above."""
    verdicts = tuple(verdicts)
    by_id = {verdict.control.id: verdict.control for verdict in verdicts}
    order = {item: index for index, item in enumerate(by_id)}
    touched: dict[CheckRef, set[str]] = {}
    for verdict in verdicts:
        for ref in (*verdict.control.checks, *verdict.control.evidence, *verdict.control.also):
            touched.setdefault(ref, set()).update(_ancestry(verdict.control, by_id))
    return {ref: tuple(sorted(items, key=order.__getitem__)) for ref, items in touched.items()}


def unasked(verdicts: Iterable[Verdict]) -> frozenset[CheckRef]:
    """The checks that only items name whose condition does not hold: what they find is nobody's business."""
    asked: set[CheckRef] = set()
    idle: set[CheckRef] = set()
    for verdict in verdicts:
        condition = verdict.control.applies_when
        first = verdict.checks[0] if condition is not None and verdict.checks else None
        is_idle = (
            first is not None
            and condition is not None
            and first.rule == condition.rule
            and first.status is Status.NOT_APPLICABLE
        )
        (idle if is_idle else asked).update((*verdict.control.checks, *verdict.control.also))
        if condition is not None:
            asked.add(condition)
    return frozenset(idle - asked)


def _ancestry(control: Control, by_id: Mapping[str, Control]) -> Iterable[str]:
    current: Control | None = control
    while current is not None:
        yield current.id
        current = by_id.get(current.parent) if current.parent is not None else None
