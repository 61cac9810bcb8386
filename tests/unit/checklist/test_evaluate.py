"""Verdicts: the meaning of runs, the order of statuses, and that worse input never gives a better verdict."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from zuno_audit.checklist.evaluate import attribute, evaluate, worst
from zuno_audit.model.control import Checklist, CheckRef, Control
from zuno_audit.model.finding import Finding, Level, Suppression
from zuno_audit.model.location import at_line
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.model.verdict import Status, Verdict

REF = CheckRef("r")
FAULT = Finding("r", Level.ERROR, "It is broken.", at_line("a.go", 3))
OPEN = replace(FAULT, level=Level.WARNING, undecided=True)
LETTER = replace(FAULT, level=Level.NOTE, letter=True)
WAIVED = replace(FAULT, suppression=Suppression("inSource", "we know"))


def run(*findings: Finding, outcome: Outcome = Outcome.RAN, size: int = 5) -> RuleRun:
    return RuleRun("r", (), outcome, size, "5 of 5 hold.", (at_line("a.go", 9),), findings)


def control(item: str, decided_by: str = "files", *checks: CheckRef, parent: str | None = None) -> Control:
    return Control(
        item, parent, "1", "s", "t", decided_by, checks, "" if decided_by == "files" else "Run it."
    )


def judge(*controls: Control, strict: bool = False, **runs: RuleRun) -> dict[str, Verdict]:
    by_ref = {CheckRef(name): replace(r, rule=name) for name, r in runs.items()}
    verdicts = evaluate(Checklist("c", "1", controls), by_ref, strict=strict)
    return {verdict.control.id: verdict for verdict in verdicts}


def status(decided_by: str, done: RuleRun, *, strict: bool = False) -> Status:
    return judge(control("1.1.1", decided_by, REF), strict=strict, r=done)["1.1.1"].status


@pytest.mark.parametrize(
    ("done", "expected"),
    [
        (run(), Status.PASS),
        (run(FAULT), Status.FAIL),
        (run(OPEN), Status.MANUAL),
        (run(OPEN, FAULT), Status.FAIL),
        (run(LETTER), Status.PASS),
        (run(WAIVED), Status.FAIL),
        (run(size=0), Status.ERROR),
        (run(LETTER, size=0), Status.ERROR),
        (run(FAULT, size=0), Status.FAIL),
        (run(OPEN, size=0), Status.ERROR),
        (run(outcome=Outcome.FAILED), Status.ERROR),
        (run(OPEN, outcome=Outcome.FAILED), Status.ERROR),
        (run(FAULT, outcome=Outcome.FAILED), Status.FAIL),
        (run(outcome=Outcome.NOT_APPLICABLE), Status.NOT_APPLICABLE),
        (run(outcome=Outcome.OPEN), Status.NEEDS_EVIDENCE),
        (run(OPEN, outcome=Outcome.OPEN), Status.NEEDS_EVIDENCE),
    ],
)
def test_status_of_one_check(done: RuleRun, expected: Status) -> None:
    assert status("files", done) is expected


def test_strict_fails_differences_in_wording() -> None:
    assert status("files", run(LETTER), strict=True) is Status.FAIL


def test_failed_run_with_faults_shows_both() -> None:
    verdict = judge(control("1.1.1", "files", REF), r=run(FAULT, outcome=Outcome.FAILED))["1.1.1"]
    assert [check.status for check in verdict.checks] == [Status.FAIL, Status.ERROR]


def test_evidence_of_a_failed_check_is_where_the_faults_are() -> None:
    (check,) = judge(control("1.1.1", "files", REF), r=run(FAULT))["1.1.1"].checks
    assert [(p.path, p.line, p.note) for p in check.evidence] == [("a.go", 3, "It is broken.")]


def test_a_failed_item_stays_failed_and_says_who_answers_for_it() -> None:
    (check,) = judge(control("1.1.1", "files", REF), r=run(WAIVED))["1.1.1"].checks
    assert check.status is Status.FAIL
    assert check.reason == "fail, suppressed: we know. 5 of 5 hold."
    waiver = Suppression("external", "off in March", until="2027-01-31", owner="platform")
    (check,) = judge(control("1.1.1", "files", REF), r=run(replace(FAULT, suppression=waiver)))[
        "1.1.1"
    ].checks
    assert check.reason == "fail, waived until 2027-01-31: off in March (platform). 5 of 5 hold."


def test_a_reason_says_when_only_some_findings_are_suppressed() -> None:
    (check,) = judge(control("1.1.1", "files", REF), r=run(FAULT, WAIVED))["1.1.1"].checks
    assert check.reason == "5 of 5 hold. 1 of 2 findings suppressed: we know."


def test_a_suppressed_open_question_still_waits_for_a_person() -> None:
    waived = replace(OPEN, suppression=Suppression("inSource", "we know"))
    (check,) = judge(control("1.1.1", "files", REF), r=run(waived))["1.1.1"].checks
    assert check.status is Status.MANUAL
    assert check.reason.startswith("manual, suppressed: we know.")


def test_missing_run_is_an_error() -> None:
    assert judge(control("1.1.1", "files", REF))["1.1.1"].status is Status.ERROR


@pytest.mark.parametrize(
    ("decided_by", "done", "expected"),
    [
        ("evidence", run(), Status.NEEDS_EVIDENCE),
        ("evidence", run(OPEN), Status.NEEDS_EVIDENCE),
        ("evidence", run(FAULT), Status.FAIL),
        ("evidence", run(outcome=Outcome.NOT_APPLICABLE), Status.NOT_APPLICABLE),
        ("person", run(), Status.MANUAL),
        ("person", run(FAULT), Status.FAIL),
        ("person", run(outcome=Outcome.FAILED), Status.ERROR),
        ("person", run(outcome=Outcome.NOT_APPLICABLE), Status.NOT_APPLICABLE),
    ],
)
def test_what_files_cannot_decide(decided_by: str, done: RuleRun, expected: Status) -> None:
    assert status(decided_by, done) is expected


def test_items_without_checks_never_pass() -> None:
    found = judge(control("1.1.1"), control("1.1.2", "evidence"), control("1.1.3", "person"))
    assert [v.status for v in found.values()] == [Status.MANUAL, Status.NEEDS_EVIDENCE, Status.MANUAL]
    assert [v.checks[0].reason for v in found.values()][1:] == ["Run it.", "Run it."]


def test_parent_without_checks_is_what_its_parts_are() -> None:
    family = (control("1.1.1"), control("1.1.1.1", "files", REF, parent="1.1.1"))
    assert judge(*family, r=run())["1.1.1"].status is Status.PASS
    assert judge(*family, r=run(FAULT))["1.1.1"].status is Status.FAIL
    assert judge(*family, r=run(outcome=Outcome.NOT_APPLICABLE))["1.1.1"].status is Status.NOT_APPLICABLE


def test_parts_that_do_not_apply_do_not_count() -> None:
    a, b = CheckRef("a"), CheckRef("b")
    found = judge(
        control("1.1.1"),
        control("1.1.1.1", "files", a, parent="1.1.1"),
        control("1.1.1.2", "files", b, parent="1.1.1"),
        a=run(),
        b=run(outcome=Outcome.NOT_APPLICABLE),
    )
    assert found["1.1.1"].status is Status.PASS
    assert found["1.1.1"].checks[-1].reason == "1 of 1 sub-item holds: 1.1.1.1."


def test_condition_decides_whether_an_item_applies() -> None:
    item = replace(control("1.1.1", "files", REF), applies_when=CheckRef("c"))
    assert (
        judge(item, r=run(FAULT), c=run(outcome=Outcome.NOT_APPLICABLE))["1.1.1"].status
        is Status.NOT_APPLICABLE
    )
    assert judge(item, r=run(), c=run(outcome=Outcome.FAILED))["1.1.1"].status is Status.ERROR
    assert judge(item, r=run(), c=run(OPEN))["1.1.1"].status is Status.MANUAL
    assert judge(item, r=run(), c=run())["1.1.1"].status is Status.PASS


def test_finding_accounts_for_its_items_and_those_above() -> None:
    found = judge(
        control("1.1.1"),
        control("1.1.1.2", "files", REF, parent="1.1.1"),
        control("1.1.2", "files", REF),
        r=run(FAULT),
    )
    assert attribute(found.values()) == {REF: ("1.1.1", "1.1.1.2", "1.1.2")}


# --- worse input never gives a better verdict

BADNESS = {
    Status.FAIL: 5,
    Status.ERROR: 4,
    Status.NEEDS_EVIDENCE: 3,
    Status.MANUAL: 2,
    Status.PASS: 1,
    Status.NOT_APPLICABLE: 0,
}
RUNS = st.builds(
    lambda findings, outcome, size: run(*findings, outcome=outcome, size=size),
    st.lists(st.sampled_from([FAULT, OPEN, LETTER, WAIVED]), max_size=3),
    st.sampled_from(list(Outcome)),
    st.integers(0, 3),
)
NAMES = ("a", "b", "c")
DECIDERS = st.sampled_from(["files", "evidence", "person"])


@st.composite
def families(draw: st.DrawFn) -> tuple[Control, ...]:
    """An item, two sub-items and a sub-sub-item, with any checks."""
    tree = (("1.1.1", None), ("1.1.1.1", "1.1.1"), ("1.1.1.2", "1.1.1"))
    made = []
    for item, parent in tree:
        names = draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))
        made.append(control(item, draw(DECIDERS), *map(CheckRef, names), parent=parent))
    return tuple(made)


def worsen(done: RuleRun, how: str) -> RuleRun:
    match how:
        case "fault":
            return replace(done, findings=(*done.findings, FAULT))
        case "undecided":
            return replace(done, findings=(*done.findings, OPEN))
        case "letter":
            return replace(done, findings=(*done.findings, LETTER))
        case _:
            return replace(done, outcome=Outcome.FAILED)


@given(
    families(),
    st.fixed_dictionaries(dict.fromkeys(NAMES, RUNS)),
    st.sampled_from(NAMES),
    st.sampled_from(["fault", "undecided", "letter", "failed"]),
    st.booleans(),
)
def test_worse_input_never_gives_a_better_verdict(
    family: tuple[Control, ...], runs: dict[str, RuleRun], name: str, how: str, strict: bool
) -> None:
    before = judge(*family, strict=strict, **runs)
    after = judge(*family, strict=strict, **{**runs, name: worsen(runs[name], how)})
    for item, verdict in before.items():
        assert BADNESS[after[item].status] >= BADNESS[verdict.status]


@given(st.lists(st.sampled_from(Status), max_size=5), st.sampled_from(Status))
def test_another_part_never_makes_a_whole_better(parts: list[Status], more: Status) -> None:
    assert BADNESS[worst([*parts, more])] >= BADNESS[worst(parts)]
