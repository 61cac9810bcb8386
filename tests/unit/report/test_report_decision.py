"""GO and NO-GO, and why."""

from __future__ import annotations

from msgspec.structs import replace
from sample_result import sample

from zuno_audit.model.verdict import Status, Verdict
from zuno_audit.report.decision import decide


def with_statuses(*statuses: Status) -> tuple[Verdict, ...]:
    verdicts = sample().verdicts
    return tuple(replace(v, status=s) for v, s in zip(verdicts, statuses, strict=False))


def decided(*statuses: Status) -> str:
    return decide(replace(sample(), verdicts=with_statuses(*statuses))).line


def test_go_needs_every_applicable_item_to_pass() -> None:
    assert decided(Status.PASS, Status.NOT_APPLICABLE, Status.PASS) == "GO: all 2 items pass."
    assert decided(Status.PASS) == "GO: the one item passes."


def test_open_items_are_no_go_though_nothing_fails() -> None:
    assert decided(Status.PASS, Status.MANUAL) == ("NO-GO: nothing fails, but 1 waits for a person.")


def test_errors_are_no_go() -> None:
    assert decided(Status.PASS, Status.ERROR) == "NO-GO: 1 could not be checked."


def test_nothing_applicable_is_no_go() -> None:
    assert decided(Status.NOT_APPLICABLE) == "NO-GO: no item applies here."
    assert decided() == "NO-GO: no item applies here."


def test_each_phase_is_decided_and_the_total_says_how_many_block() -> None:
    verdicts = tuple(
        replace(v, status=Status.PASS) if v.control.phase == "1" else v for v in sample().verdicts
    )
    decision = decide(replace(sample(), verdicts=verdicts))
    assert [(p.phase, p.is_go) for p in decision.phases] == [
        ("1", True),
        ("4", False),
        ("6", False),
        ("S", False),
    ]
    assert decision.why.endswith("in 3 phases of 4.")
    assert decision.phases[1].why == "1 of 1 item fails"


def test_a_phase_in_which_nothing_applies_is_neither_earned_nor_in_the_way() -> None:
    statuses = {"1": Status.PASS, "4": Status.NOT_APPLICABLE}
    verdicts = tuple(replace(v, status=statuses.get(v.control.phase, Status.FAIL)) for v in sample().verdicts)
    decision = decide(replace(sample(), verdicts=verdicts))
    assert [(p.phase, p.word) for p in decision.phases] == [
        ("1", "GO"),
        ("4", "n/a"),
        ("6", "NO-GO"),
        ("S", "NO-GO"),
    ]
    assert decision.why.endswith("in 2 phases of 3.")
