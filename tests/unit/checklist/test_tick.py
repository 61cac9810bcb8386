"""Marks written back: one byte each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zuno_audit.checklist.tick import Change, apply, diff, plan
from zuno_audit.languages.task_list import parse_task_list
from zuno_audit.model.box import BoxMatch, BoxVerdict, ChecklistFile
from zuno_audit.model.verdict import Status


def judged(data: bytes, *statuses: Status | None) -> ChecklistFile:
    """The boxes of a file with these verdicts, in order."""
    boxes = parse_task_list(data, "LIST.md").boxes
    assert len(boxes) == len(statuses)
    return ChecklistFile(
        "LIST.md", tuple(BoxVerdict(b, BoxMatch(), status) for b, status in zip(boxes, statuses, strict=True))
    )


def ticked(data: bytes, *statuses: Status | None, untick: bool = False) -> bytes:
    return apply(data, plan(judged(data, *statuses), untick=untick))


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_only_bytes_between_brackets_change(prefix: bytes, newline: bytes) -> None:
    lines = [b"# \xe2\x9c\x85 t ", b"- [ ] a  ", b"  * [\t] \xff\xfe", b"1. [x] \xc3\xb0\xc5\xb8", b"- [ ] d"]
    data = prefix + newline.join(lines)
    after = ticked(data, Status.PASS, Status.PASS, Status.PASS, Status.FAIL)
    changed = [i for i, (a, b) in enumerate(zip(data, after, strict=True)) if a != b]
    assert [after[i - 1 : i + 2] for i in changed] == [b"[x]", b"[x]"]
    assert after == data.replace(b"- [ ] a", b"- [x] a").replace(b"[\t]", b"[x]")


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.PASS] + [None])
def test_nothing_but_a_pass_ticks(status: Status | None) -> None:
    assert ticked(b"- [ ] a\n", status, untick=True) == b"- [ ] a\n"


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.FAIL] + [None])
def test_nothing_but_a_failure_clears(status: Status | None) -> None:
    assert ticked(b"- [X] a\n", status, untick=True) == b"- [X] a\n"


def test_false_ticks_are_cleared_when_asked() -> None:
    assert ticked(b"- [x] a\n- [X] b\n", Status.FAIL, Status.FAIL) == b"- [x] a\n- [X] b\n"
    assert ticked(b"- [x] a\n- [X] b\n", Status.FAIL, Status.FAIL, untick=True) == b"- [ ] a\n- [ ] b\n"


def test_what_was_given_up_stays() -> None:
    data = b"- [ ] ~~a~~\n- [x] ~~b~~\n"
    assert ticked(data, Status.PASS, Status.FAIL, untick=True) == data


def test_ticking_twice_changes_nothing_more() -> None:
    once = ticked(b"- [ ] a\n", Status.PASS)
    assert ticked(once, Status.PASS) == once


def test_another_file_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1"):
        apply(b"nothing here", [Change(3, 1, b"x")])


def test_the_diff_is_one_that_git_applies(tmp_path: Path) -> None:
    lines = [f"- [ ] box {n}" if n % 7 == 0 else f"line {n}" for n in range(60)]
    data = ("\n".join(lines) + "\n").encode()
    changes = plan(judged(data, *[Status.PASS] * 9))
    (tmp_path / "LIST.md").write_bytes(data)
    text = diff("LIST.md", data, changes)
    subprocess.run(["git", "apply", "-"], input=text.encode(), cwd=tmp_path, check=True)
    assert (tmp_path / "LIST.md").read_bytes() == apply(data, changes)
    assert text.count("@@ ") == text.count("@@ -")


def test_neighbouring_changes_share_a_hunk() -> None:
    data = b"- [ ] a\n- [ ] b\n- [ ] c\n"
    text = diff("L.md", data, plan(judged(data, Status.PASS, Status.FAIL, Status.PASS)))
    assert text == (
        "--- a/L.md\n+++ b/L.md\n@@ -1,3 +1,3 @@\n-- [ ] a\n+- [x] a\n - [ ] b\n-- [ ] c\n+- [x] c\n"
    )


def test_no_change_has_no_diff() -> None:
    assert diff("L.md", b"- [ ] a\n", ()) == ""
