"""Boxes to the byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.languages.task_list import MAX_BOXES, MAX_BYTES, parse_task_list
from zuno_audit.model.box import TaskList


def read(text: str) -> TaskList:
    return parse_task_list(text.encode(), "list.md")


def texts(text: str) -> list[str]:
    return [box.text for box in read(text).boxes]


@pytest.mark.parametrize(
    "line",
    [
        "- [ ] a",
        "* [ ] a",
        "+ [x] a",
        "1. [ ] a",
        "2) [X] a",
        "  - [ ] a",
        "> - [x] a",
        "- [\t] a",
        "-\t[ ]\ta",
    ],
)
def test_every_shape_of_a_box(line: str) -> None:
    assert texts(line) == ["a"]


@pytest.mark.parametrize(
    "line",
    ["- [y] a", "[ ] a", "- a [ ] b", "-[ ] a", "- [ ](there) a", "- [x](there)", "- [ ]a", "    - [ ] a"],
)
def test_what_is_no_box(line: str) -> None:
    assert texts(line) == []


def test_ticks_are_read_whatever_their_case() -> None:
    assert [box.is_ticked for box in read("- [ ] a\n- [x] b\n- [X] c\n").boxes] == [False, True, True]


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_the_offset_is_that_of_the_mark(prefix: bytes, newline: bytes) -> None:
    lines = [
        "# Ünïcode ✅".encode(),
        b"",
        "- [ ] é \xa0".encode(),
        b"  * [x] bad \xff\xfe byte",
        b"1. [X] c  ",
    ]
    data = prefix + newline.join(lines) + newline
    boxes = parse_task_list(data).boxes
    assert [(box.line, data[box.offset : box.offset + 1]) for box in boxes] == [
        (3, b" "),
        (4, b"x"),
        (5, b"X"),
    ]
    assert all(data[box.offset - 1 : box.offset] == b"[" for box in boxes)


def test_columns_count_code_points() -> None:
    box = read("- a\n  - [ ] ünï **code**").boxes[0]
    assert (box.column, box.end_column) == (5, 21)


def test_nesting_follows_indentation() -> None:
    text = "- [ ] a\n  - [ ] b\n    - [ ] c\n  - [ ] d\n- [ ] e\n\t- [ ] f\n## h\n  - [ ] g\n"
    assert [box.parent for box in read(text).boxes] == [None, 0, 1, 0, None, 4, None]


def test_a_plain_item_passes_nesting_on() -> None:
    assert [box.parent for box in read("- [ ] a\n  - plain\n    - [ ] b\n").boxes] == [None, 0]


def test_headings_above_are_known() -> None:
    text = "# A\n## B ##\n- [ ] x\n\nTitle\n=====\n\n- [ ] y\n"
    assert [box.headings for box in read(text).boxes] == [("A", "B"), ("Title",)]


def test_code_does_not_hold_boxes() -> None:
    text = "- [ ] a\n  ```sh\n  - [ ] no\n  ```\n- [ ] b\n~~~\n- [ ] no\n```\n- [ ] no\n~~~\n- [ ] c\n"
    assert texts(text) == ["a", "b", "c"]
    assert "no" in read(text).boxes[0].body


def test_a_fence_ends_with_its_list_item() -> None:
    found = read("- [ ] a\n  ```\n  code\n- [ ] b\n")
    assert [box.text for box in found.boxes] == ["a", "b"]
    assert [(d.line, "ends with its list item" in d.message) for d in found.diagnostics] == [(2, True)]


def test_an_open_fence_is_complained_of_where_it_opens() -> None:
    found = read("- [ ] a\n\ntext\n\n```\n- [ ] hidden\n")
    assert [box.text for box in found.boxes] == ["a"]
    assert [(d.line, "never closed" in d.message) for d in found.diagnostics] == [(5, True)]


def test_comments_do_not_hold_boxes() -> None:
    assert texts("<!--\n- [ ] no\n-->\n- [ ] yes\n") == ["yes"]
    assert [d.line for d in read("- [ ] a\n<!-- open\n- [ ] no\n").diagnostics] == [2]


def test_pins_stand_on_the_line_or_below() -> None:
    found = read("- [ ] a <!-- zuno: 1.1.1 -->\n- [ ] b\n  <!-- zuno: some-rule path=x -->\n")
    assert [(box.text, box.pin) for box in found.boxes] == [("a", "1.1.1"), ("b", "some-rule path=x")]


def test_struck_out_boxes_are_known() -> None:
    assert [box.is_struck for box in read("- [ ] ~~old~~\n- [ ] ~~old~~ new\n").boxes] == [True, False]


@pytest.mark.parametrize(
    "line", ["- []  a", "- [ ]a", "- [x a", "- [ x] a", "- [x ] a", "-[ ] a", "- [ ]", "- [  ] a"]
)
def test_what_looks_like_a_box_is_complained_of(line: str) -> None:
    found = read(f"- [ ] fine\n{line}\n")
    assert [box.text for box in found.boxes] == ["fine"]
    assert [(d.path, d.line) for d in found.diagnostics] == [("list.md", 2)]


@pytest.mark.parametrize("line", ["- [a](b)", "- [x](b)", "- [ ref ] more", "- text [x", "* [v1]: link"])
def test_what_does_not_look_like_a_box_is_not(line: str) -> None:
    assert read(line).diagnostics == ()


@pytest.mark.parametrize(
    "data",
    [
        b"- [ ] a\n" * (MAX_BOXES + 1),
        b"- [ ] a " + b"b" * MAX_BYTES,
        "- [ ] a\n".encode("utf-16"),
        b"- [ ] a\0\n",
    ],
)
def test_what_is_too_large_or_no_text_has_no_boxes_and_a_reason(data: bytes) -> None:
    found = parse_task_list(data, "list.md")
    assert found.boxes == ()
    assert "not read" in found.diagnostics[0].message


PIECES = [
    b"- [ ] ",
    b"- [x] a",
    b"\n",
    b"\r\n",
    b"\r",
    b"  ",
    b"\t",
    b"```",
    b"~~~",
    b"<!--",
    b"-->",
    b"# ",
    b"> ",
]
PIECES += [b"\xff", "é".encode(), b"1. ", b"text", b"\xc2\x85", b"\x0b"]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join))
def test_every_box_has_its_mark_between_brackets(data: bytes) -> None:
    for box in parse_task_list(data).boxes:
        assert data[box.offset - 1 : box.offset] == b"["
        assert data[box.offset + 1 : box.offset + 2] == b"]"
        assert data[: box.offset].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") == box.line - 1
        assert box.parent is None or box.parent < len(parse_task_list(data).boxes)
