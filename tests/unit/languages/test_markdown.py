"""The Markdown scanner: roles of lines, sections, links, tasks."""

from __future__ import annotations

import pytest

from zuno_audit.languages.markdown import parse_markdown, slugify

TEXT = """\
Title
=====

Some *text* with a [link](docs/a.md "A") and `[no](link)`.

## First **part** ##

- [ ] open
- [x] done
1. step
   ```bash
   # not a heading
   ls [no](link)
   ```

| a | b |
|---|---|
| 1 | 2 |

### Below
<!-- ## hidden
[no](link) -->
## Second part
![image](img.png) and [two](b.md#x) and <a href="c.md">c</a>

[ref]: d.md
[1]: not a reference but a footnote
~~~
## not a heading
"""


def test_headings_sections_and_anchors() -> None:
    found = parse_markdown(TEXT)
    assert [(h.level, h.text, h.line) for h in found.headings] == [
        (1, "Title", 1),
        (2, "First part", 6),
        (3, "Below", 20),
        (2, "Second part", 23),
    ]
    assert found.title == "Title"
    assert [s.trail for s in found.sections()] == [(), ("Title",), ("Title", "First part"), ("Title",)]
    assert found.sections()[1].lines[-1].number == 22
    assert found.anchors() == {"title", "first-part", "below", "second-part"}


def test_links_leave_code_and_comments_out() -> None:
    found = parse_markdown(TEXT)
    assert [(link.target, link.line) for link in found.links] == [
        ("docs/a.md", 4),
        ("img.png", 24),
        ("b.md#x", 24),
        ("c.md", 24),
        ("d.md", 26),
    ]


def test_tasks_and_fences() -> None:
    found = parse_markdown(TEXT)
    assert [(task.is_done, task.text, task.line) for task in found.tasks] == [
        (False, "open", 8),
        (True, "done", 9),
    ]
    assert [(fence.language, fence.line) for fence in found.fences] == [("bash", 12), ("", 29)]
    assert found.fences[0].lines[0].strip() == "# not a heading"


def test_roles_of_lines() -> None:
    roles = {line.number: line.role for line in parse_markdown(TEXT).lines}
    expected = {4: "text", 8: "task", 10: "item", 12: "code", 16: "table", 17: "blank", 21: "comment"}
    assert {number: roles[number] for number in expected} == expected


def test_equal_headings_have_numbered_anchors() -> None:
    assert parse_markdown("# A\n# A\n# A b, c!").anchors() == {"a", "a-1", "a-b-c"}
    assert slugify("🚀 Getting Started") == "-getting-started"


@pytest.mark.parametrize(
    "line",
    ["[" * 200_000, "x" + "`" * 200_000, " " * 200_000 + "x", "[a](" + "b(" * 100_000, "<a " * 100_000],
)
def test_long_lines_cost_nothing(line: str) -> None:
    assert len(parse_markdown(line + "\n# T").headings) == 1
