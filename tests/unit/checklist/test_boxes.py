"""What the verdicts of items mean for boxes."""

from __future__ import annotations

import checklist_text
import pytest

from zuno_audit.checklist.boxes import box_findings, judge_boxes
from zuno_audit.checklist.known import load_wordings
from zuno_audit.checklist.match import match
from zuno_audit.languages.task_list import parse_task_list
from zuno_audit.model.box import ChecklistFile
from zuno_audit.model.finding import Finding
from zuno_audit.model.verdict import Check, Status, Verdict
from zuno_audit.resources import data_root

ITEMS = checklist_text.checklist()
TITLES = {control.id: control.title for control in ITEMS.controls}
IGNORE, RECOVERY, AUTH = TITLES["4.2.4"], TITLES["1.3.1"], TITLES["1.3.1.1"]


def judged(text: str, own: dict[int, Check] | None = None, **statuses: Status) -> ChecklistFile:
    """The boxes of a text; `i4_2_4=Status.FAIL` sets the status of an item, all others pass."""
    tasks = parse_task_list(text.encode(), "LIST.md")
    verdicts = []
    for control in ITEMS.controls:
        status = statuses.get("i" + control.id.replace(".", "_"), Status.PASS)
        verdicts.append(Verdict(control, status, (Check("some-rule", status, "So it is."),)))
    found = match(tasks.boxes, ITEMS, load_wordings(data_root() / "rules"), ("a-rule",))
    return judge_boxes(tasks, found, verdicts, own or {}, ITEMS)


def said(file: ChecklistFile) -> list[tuple[str, str, int, tuple[str, ...]]]:
    """Rule, level, line and items of what is said of the boxes, items without a box left out."""
    return [
        (f.rule.removeprefix("checklist-"), f.level.value, f.location.line, f.checklist) for f in boxed(file)
    ]


def boxed(file: ChecklistFile) -> list[Finding]:
    return [f for f in box_findings(file, TITLES) if f.rule != "checklist-item-without-box"]


def test_a_ticked_box_that_fails_is_an_error_at_its_line() -> None:
    file = judged(f"# x\n\n- [x] {IGNORE}\n", i4_2_4=Status.FAIL)
    assert said(file) == [("box-ticked-but-failing", "error", 3, ("4.2.4",))]
    assert boxed(file)[0].message == "This box is ticked, but item 4.2.4 fails. So it is."
    assert boxed(file)[0].location.span.start_column == 3


@pytest.mark.parametrize("status", [Status.MANUAL, Status.NEEDS_EVIDENCE, Status.ERROR])
def test_a_ticked_box_without_proof_is_a_warning(status: Status) -> None:
    file = judged(f"- [x] {IGNORE}\n", i4_2_4=status)
    assert said(file) == [("box-ticked-without-proof", "warning", 1, ("4.2.4",))]


def test_an_open_box_that_passes_is_ready() -> None:
    assert said(judged(f"- [ ] {IGNORE}\n")) == [("box-ready-to-tick", "note", 1, ("4.2.4",))]


@pytest.mark.parametrize(
    ("mark", "status"),
    [
        ("x", Status.PASS),
        ("x", Status.NOT_APPLICABLE),
        (" ", Status.FAIL),
        (" ", Status.MANUAL),
        (" ", Status.NOT_APPLICABLE),
    ],
)
def test_nothing_is_said_of_what_is_as_it_should_be(mark: str, status: Status) -> None:
    assert said(judged(f"- [{mark}] {IGNORE}\n", i4_2_4=status)) == []


def test_nothing_is_said_of_what_was_given_up() -> None:
    assert said(judged(f"- [x] ~~{IGNORE}~~\n", i4_2_4=Status.FAIL)) == []


def test_other_claims_are_reported_and_never_judged() -> None:
    for status in (Status.PASS, Status.FAIL):
        file = judged("- [ ] All seven gRPC services recover from panics\n", i1_3_1=status)
        assert [rule for rule, *_ in said(file)] == ["box-reworded"]
        assert "7" in boxed(file)[0].message


def test_a_box_of_the_teams_own_keeps_the_one_above_open() -> None:
    text = f"- [ ] {RECOVERY}\n  - [ ] {AUTH}\n  - [ ] `services/new-service/cmd/main.go`\n"
    assert [b.status for b in judged(text).boxes][:2] == [Status.MANUAL, Status.PASS]
    assert judged(f"- [ ] {RECOVERY}\n  - [ ] {AUTH}\n").boxes[0].status is Status.PASS


def test_own_checks_are_judged() -> None:
    text = "- [x] `a.md` exists\n- [ ] `b.md` exists\n- [ ] `c.md` exists\n"
    checks = {0: Status.FAIL, 1: Status.PASS, 2: Status.FAIL}
    file = judged(text, {i: Check("", status, "So it is.") for i, status in checks.items()})
    assert said(file) == [
        ("box-ticked-but-failing", "error", 1, ()),
        ("box-ready-to-tick", "note", 2, ()),
        ("own-box-failing", "warning", 3, ()),
    ]
    assert len(file.own) == 3


def test_boxes_without_a_rule_are_named() -> None:
    file = judged("- [ ] The office plants are watered\n")
    assert said(file) == [("box-without-rule", "note", 1, ())]
    assert "office plants" in boxed(file)[0].message


def test_items_without_a_box_are_named_where_they_belong() -> None:
    controls = [c for c in ITEMS.controls if c.id != "4.2.4"]
    file = judged(checklist_text.markdown_of(controls))
    missing = [f for f in box_findings(file, TITLES) if f.rule == "checklist-item-without-box"]
    assert [f.checklist for f in missing] == [("4.2.4",)]
    before = next(b for b in file.boxes if b.item == "4.2.3")
    assert missing[0].location.line == before.box.line


def test_items_that_were_not_audited_are_passed_over() -> None:
    tasks = parse_task_list(f"- [x] {IGNORE}\n".encode(), "LIST.md")
    found = match(tasks.boxes, ITEMS, {})
    file = judge_boxes(tasks, found, (), {}, ITEMS)
    assert list(box_findings(file, TITLES)) == []


def test_secrets_in_boxes_are_hidden() -> None:
    secret = "ghp_" + "a1B2" * 10
    assert secret not in str(list(box_findings(judged(f"- [x] use {secret} now\n"), TITLES)))


def test_ticking_does_not_change_what_identifies_a_finding() -> None:
    open_, ticked = (boxed(judged(f"- [{mark}] We water the plants\n"))[-1] for mark in " x")
    assert open_.matched == ticked.matched
