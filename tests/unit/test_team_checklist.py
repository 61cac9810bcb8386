"""The team's own Markdown as the source of the checklist, as users of the library see it."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import checklist_text
import pytest
from work_tree import WorkTree

from zuno_audit import ConfigError, Status, audit
from zuno_audit.api import Report
from zuno_audit.model.finding import Finding

ITEMS = checklist_text.checklist().controls
OWN_LIST = "".join(f"- [ ] Task {n} of the sprint is finished\n" for n in range(40))


@pytest.fixture
def shop(tmp_path: Path) -> WorkTree:
    """A small Go repository in which `.env` is ignored and its template is tracked."""
    tree = WorkTree(tmp_path)
    tree.write(
        {
            "go.mod": "module example.org/shop\n\ngo 1.24\n",
            "main.go": "package main\n\nfunc main() {}\n",
            ".gitignore": ".env\n",
            ".env.example": "A=\n",
        }
    )
    tree.git("init", "-q")
    tree.git("add", ".")
    return tree


def add(tree: WorkTree, files: dict[str, str | bytes]) -> None:
    tree.write(files)
    tree.git("add", "-f", ".")


def path_of(report: Report) -> str | None:
    file = report.result.checklist_file
    return None if file is None else file.path


def of_boxes(report: Report) -> list[Finding]:
    return [f for f in report.findings if f.rule.startswith("checklist-")]


def statuses(report: Report) -> dict[str, Status]:
    return {verdict.control.id: verdict.status for verdict in report.verdicts}


def test_without_a_checklist_nothing_is_said_of_boxes(shop: WorkTree) -> None:
    report = audit(shop.root)
    assert path_of(report) is None
    assert of_boxes(report) == []


def test_the_checklist_is_found_by_what_its_boxes_say(shop: WorkTree) -> None:
    text = checklist_text.markdown_of(ITEMS, words=checklist_text.in_other_words, numbered=True)
    add(shop, {"docs/before-launch.md": text, "TODO.md": OWN_LIST})
    assert path_of(audit(shop.root)) == "docs/before-launch.md"


@pytest.mark.parametrize(
    "files",
    [
        {"TODO.md": OWN_LIST},
        {"README.md": checklist_text.markdown_of(ITEMS[:10])},
        {"vendor/x/LIST.md": checklist_text.markdown_of(ITEMS)},
        {"LIST.md": "```\n" + checklist_text.markdown_of(ITEMS) + "```\n"},
        {"LIST.txt": checklist_text.markdown_of(ITEMS)},
        {"LIST.md": checklist_text.markdown_of(ITEMS[:25]) + OWN_LIST},
    ],
)
def test_other_lists_are_not_taken_for_it(shop: WorkTree, files: dict[str, str | bytes]) -> None:
    add(shop, files)
    report = audit(shop.root)
    assert path_of(report) is None
    assert of_boxes(report) == []


def test_an_untracked_file_is_not_the_teams(shop: WorkTree) -> None:
    shop.write({"LIST.md": checklist_text.markdown_of(ITEMS)})
    assert path_of(audit(shop.root)) is None


def test_the_file_changes_no_verdict(shop: WorkTree) -> None:
    before = statuses(audit(shop.root))
    every = [control.id for control in ITEMS]
    add(shop, {"LIST.md": checklist_text.markdown_of(ITEMS, ticked=every)})
    assert statuses(audit(shop.root)) == before


def test_every_false_tick_is_an_error_at_its_line(shop: WorkTree) -> None:
    every = [control.id for control in ITEMS]
    text = checklist_text.markdown_of(ITEMS, ticked=every)
    add(shop, {"LIST.md": text})
    report = audit(shop.root)
    failed = [item for item, status in statuses(report).items() if status is Status.FAIL]
    found = [f for f in of_boxes(report) if f.rule == "checklist-box-ticked-but-failing"]
    assert sorted(f.checklist[0] for f in found) == sorted(failed)
    titles = {control.id: control.title for control in ITEMS}
    for finding in found:
        assert titles[finding.checklist[0]] in text.splitlines()[finding.location.line - 1]


WAIVER = """\
waivers:
  - {subject}
    paths: [{paths}]
    reason: It is in the next release.
    owner: us
    expiry: 2030-01-01
"""
FALSE_TICK = "checklist-box-ticked-but-failing"


def about_ticks(report: Report) -> list[tuple[str, bool]]:
    """What is said of the one ticked box and of its excuse, and whether each still counts."""
    rules = {FALSE_TICK, "suppression-unused", "waiver-unused", "waiver-expired"}
    return sorted((f.rule, f.suppression is None) for f in report.findings if f.rule in rules)


@pytest.mark.parametrize("above", [True, False])
def test_a_comment_answers_for_a_false_tick(shop: WorkTree, above: bool) -> None:
    comment = f"<!-- zuno-audit: ignore[{FALSE_TICK}] -- it is in the next release -->"
    lines = checklist_text.markdown_of(ITEMS, ticked=["1.1.1"]).splitlines(keepends=True)
    at = next(i for i, line in enumerate(lines) if "[x]" in line)
    lines[at] = f"{comment}\n{lines[at]}" if above else f"{lines[at].rstrip()} {comment}\n"
    add(shop, {"LIST.md": "".join(lines)})
    report = audit(shop.root)
    assert about_ticks(report) == [(FALSE_TICK, False)]
    (found,) = [f for f in report.findings if f.rule == FALSE_TICK]
    assert found.suppression is not None
    assert found.suppression.reason == "it is in the next release"
    assert report.verdict("1.1.1").status is Status.FAIL


def test_a_comment_about_a_box_that_is_right_is_of_no_use(shop: WorkTree) -> None:
    comment = f"<!-- zuno-audit: ignore[{FALSE_TICK}] -- it is in the next release -->\n"
    add(shop, {"LIST.md": checklist_text.markdown_of(ITEMS) + comment})
    assert about_ticks(audit(shop.root)) == [("suppression-unused", True)]


@pytest.mark.parametrize("subject", [f"rule: {FALSE_TICK}", "item: 1.1.1"])
@pytest.mark.parametrize(
    ("paths", "day", "expected"),
    [
        ("LIST.md", date(2029, 1, 1), [(FALSE_TICK, False)]),
        ("OTHER.md", date(2029, 1, 1), [(FALSE_TICK, True), ("waiver-unused", True)]),
        ("LIST.md", date(2031, 1, 1), [(FALSE_TICK, True), ("waiver-expired", True)]),
    ],
)
def test_a_waiver_of_the_rule_or_of_the_item_covers_a_false_tick(
    shop: WorkTree, subject: str, paths: str, day: date, expected: list[tuple[str, bool]]
) -> None:
    waivers = WAIVER.format(subject=subject, paths=paths)
    text = checklist_text.markdown_of(ITEMS, ticked=["1.1.1"])
    add(shop, {"LIST.md": text, "zuno-audit.waivers.yml": waivers})
    assert about_ticks(audit(shop.root, today=day)) == expected


def test_sarif_and_json_lie_at_the_line(shop: WorkTree) -> None:
    add(shop, {"LIST.md": checklist_text.markdown_of(ITEMS, ticked=["1.1.1"])})
    report = audit(shop.root)
    wanted = next(f for f in of_boxes(report) if f.rule == "checklist-box-ticked-but-failing")
    (entry,) = [f for f in json.loads(report.to_json())["findings"] if f["rule"] == wanted.rule]
    assert (entry["path"], entry["start_line"], entry["level"]) == ("LIST.md", wanted.location.line, "error")
    run = json.loads(report.to_sarif())["runs"][0]
    (result,) = [r for r in run["results"] if r["ruleId"] == wanted.rule]
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "LIST.md"
    assert place["region"]["startLine"] == wanted.location.line


def test_reports_for_people_show_the_teams_boxes(shop: WorkTree) -> None:
    text = checklist_text.markdown_of(
        ITEMS, extra={"4.2.4": "- [ ] `docs/runbook.md` exists\n- [ ] Plants <b>"}
    )
    add(shop, {"LIST.md": text})
    report = audit(shop.root)
    for shown in (report.to_text(), report.to_markdown(), report.to_html()):
        assert "LIST.md" in shown
        assert "docs/runbook.md is not in the repository" in " ".join(shown.split()).replace("\\", "")
    assert "<b>" not in report.to_html().split('id="team"')[1].split("</section>")[0].replace("<b>Boxes", "")


def test_phases_restrict_what_is_said(shop: WorkTree) -> None:
    every = [control.id for control in ITEMS]
    add(shop, {"LIST.md": checklist_text.markdown_of(ITEMS, ticked=every)})
    report = audit(shop.root, phases=["4"])
    assert {item.split(".")[0] for f in of_boxes(report) for item in f.checklist} == {"4"}
    assert path_of(report) == "LIST.md"


def test_a_given_file_wins_and_may_lie_outside(
    shop: WorkTree, tmp_path_factory: pytest.TempPathFactory
) -> None:
    add(shop, {"LIST.md": checklist_text.markdown_of(ITEMS)})
    other = tmp_path_factory.mktemp("elsewhere") / "ours.md"
    other.write_text("- [x] `docs/none.md` exists\n- [ ] `go.mod` exists\n")
    report = audit(shop.root, checklist_file=other)
    assert path_of(report) == "../ours.md"
    assert [f.rule for f in of_boxes(report) if f.level == "error"] == ["checklist-box-ticked-but-failing"]
    assert str(other.parent) not in report.to_json()
    assert "../" not in report.to_sarif().replace("at ../ours.md", "")


def test_a_given_file_may_be_named_from_the_root(shop: WorkTree) -> None:
    add(shop, {"docs/LIST.md": "- [ ] `go.mod` exists\n"})
    assert path_of(audit(shop.root, checklist_file="docs/LIST.md")) == "docs/LIST.md"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# Nothing to tick\n\n- plain\n", "no box"),
        (b"", "no box"),
        (b"- [ ] a\n" * 300_000, "larger than"),
        ("- [ ] a\n".encode("utf-16"), "binary"),
        (b"```\n- [ ] never closed\n", "never closed"),
    ],
)
def test_a_file_that_cannot_serve_is_refused(shop: WorkTree, content: bytes, said: str) -> None:
    shop.write({"LIST.md": content})
    with pytest.raises(ConfigError, match=said) as caught:
        audit(shop.root, checklist_file=shop.root / "LIST.md")
    assert caught.value.line == 1
    assert caught.value.hint


@pytest.mark.parametrize("name", ["nowhere.md", "."])
def test_no_file_is_refused(shop: WorkTree, name: str) -> None:
    with pytest.raises(ConfigError, match="no such checklist"):
        audit(shop.root, checklist_file=name)


def test_the_configuration_names_a_file_of_the_repository_only(shop: WorkTree) -> None:
    add(shop, {"ops/LIST.md": "- [ ] `go.mod` exists\n"})
    add(shop, {"zuno-audit.yml": "version: 1\nchecklist: ops/LIST.md\n"})
    assert path_of(audit(shop.root)) == "ops/LIST.md"
    for outside in ("/etc/hostname", "../LIST.md", "nowhere.md"):
        add(shop, {"zuno-audit.yml": f"version: 1\nchecklist: {outside}\n"})
        with pytest.raises(ConfigError):
            audit(shop.root)


def test_broken_markdown_is_a_diagnostic_at_its_line(shop: WorkTree) -> None:
    text = checklist_text.markdown_of(ITEMS) + "\n- [x unfinished\n\n```\n- [ ] hidden\n"
    add(shop, {"LIST.md": text})
    lines = [d.line for d in audit(shop.root).diagnostics if d.path == "LIST.md"]
    total = text.count("\n")
    assert lines == [total - 3, total - 1]


def test_a_pin_to_a_rule_runs_it(shop: WorkTree) -> None:
    boxes = [
        "- [x] tasks <!-- zuno: task-list-open document=tasks file=TASKS.md -->",
        "- [x] more tasks <!-- zuno: task-list-open -->",
        "- [x] even more <!-- zuno: no-such-rule -->",
    ]
    add(shop, {"LIST.md": "\n".join(boxes)})
    report = audit(shop.root, checklist_file=shop.root / "LIST.md")
    levels = [(f.location.line, f.level.value) for f in of_boxes(report) if f.level != "note"]
    assert sorted(levels)[:3] == [(1, "error"), (2, "warning"), (3, "warning")]
    assert any(d.path == "LIST.md" and d.line == 2 for d in report.diagnostics)
