"""The checklist that comes along, and complaints about a malformed one."""

from __future__ import annotations

from collections import Counter

import pytest

from zuno_audit.checklist.catalog import load_checklist, read_phase
from zuno_audit.checklist.profile import load_profile
from zuno_audit.errors import RuleError
from zuno_audit.model.control import Checklist, CheckRef
from zuno_audit.resources import data_root
from zuno_audit.rules.document import Library

PHASE = """\
phase: "1"
title: Code
sections:
  - title: Boxes
    controls:
      - id: 1.1.1
        title: Every box has a lid
        decided_by: files
        checks:
          - box-without-lid: {path: "a/**", names: [x, y], least: 2}
          - box-missing
      - id: 1.1.1.1
        title: Somebody looked
        decided_by: person
        ask: Look.
        checks: []
"""


def zuno() -> Checklist:
    library = Library(data_root() / "rules")
    return load_checklist(library, load_profile(library, "zuno"))


def test_all_boxes_are_there() -> None:
    checklist = zuno()
    assert len(checklist.controls) == 162
    assert checklist.phases() == ("1", "2", "3", "4", "5", "6", "7", "8", "9", "S", "G")
    assert [phase for phase, _ in checklist.phase_titles] == list(checklist.phases())
    per_phase = Counter(control.phase for control in checklist.controls)
    assert [per_phase[phase] for phase in checklist.phases()] == [27, 9, 17, 15, 19, 14, 12, 8, 18, 17, 6]


def test_parents_are_items() -> None:
    controls = zuno().controls
    by_id = {control.id: control for control in controls}
    assert by_id["1.3.1.2"].parent == "1.3.1"
    assert by_id["1.3.1"].parent is None
    assert all(control.parent in by_id for control in controls if control.parent)


def test_checks_carry_their_arguments_as_text() -> None:
    (phase, title), controls = read_phase(PHASE, "checklist/x.yaml")
    assert (phase, title) == ("1", "Code")
    assert controls[0].checks == (
        CheckRef("box-without-lid", (("least", "2"), ("names", "x, y"), ("path", "a/**"))),
        CheckRef("box-missing"),
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("title: Boxes", "titel: Boxes", 4, "unknown key 'titel'"),
        ("decided_by: files", "decided_by: chance", 8, "decided_by is one of"),
        ("        ask: Look.\n", "", 12, "ask goes with"),
        ("id: 1.1.1\n", "id: 2.1.1\n", 6, "not an item id of phase 1"),
        ("id: 1.1.1.1\n", "id: 1.1.1\n", 12, "duplicate item 1.1.1"),
        ("- box-missing", "- [box-missing]", 11, "a check is a rule id"),
        ("least: 2", "least: null", 10, "arguments"),
    ],
)
def test_complaint_names_file_and_line(old: str, new: str, line: int, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_phase(PHASE.replace(old, new), "checklist/x.yaml")
    assert (caught.value.path, caught.value.line) == ("checklist/x.yaml", line)
    assert words in str(caught.value)
