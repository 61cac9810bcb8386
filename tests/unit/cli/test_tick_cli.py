"""`zuno-audit tick` and `--checklist` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import checklist_text
import pytest
from work_tree import WorkTree

from zuno_audit.cli import main
from zuno_audit.cli.exits import FINDINGS, INCOMPLETE, OK, USAGE

ITEMS = checklist_text.checklist().controls
SHARED = Path(__file__).parents[4] / "shared" / "checklist"


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkTree:
    """A small Go repository, the current folder, in which `.env` is ignored and its template is tracked."""
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
    monkeypatch.chdir(tmp_path)
    return tree


Statuses = dict[str, str]


@pytest.fixture
def statuses(capfd: pytest.CaptureFixture[str]) -> Callable[[], Statuses]:
    """The status of every item, as the JSON report has it."""

    def read() -> Statuses:
        main(["-f", "json", "--fail-on", "never", "-q"])
        return {item["id"]: item["status"] for item in json.loads(capfd.readouterr().out)["checklist"]}

    return read


def changed(before: bytes, after: bytes) -> dict[int, tuple[bytes, bytes]]:
    """The bytes that differ, by line."""
    assert len(before) == len(after)
    return {
        before.count(b"\n", 0, i) + 1: (before[i : i + 1], after[i : i + 1])
        for i in range(len(before))
        if before[i] != after[i]
    }


def test_a_diff_is_shown_and_nothing_is_written(shop: WorkTree, capfd: pytest.CaptureFixture[str]) -> None:
    text = checklist_text.markdown_of(ITEMS).encode()
    shop.write({"LIST.md": text})
    assert main(["tick", "LIST.md"]) == OK
    out, err = capfd.readouterr()
    title = next(control.title for control in ITEMS if control.id == "4.2.4")
    assert f"-- [ ] {title}\n+- [x] {title}\n" in out
    assert "Nothing is written" in err
    assert (shop.root / "LIST.md").read_bytes() == text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("words", [checklist_text.same, checklist_text.in_other_words])
def test_exactly_the_passing_boxes_are_ticked(
    shop: WorkTree, statuses: Callable[[], Statuses], newline: str, words: Callable[[str], str]
) -> None:
    passing = [item for item, status in statuses().items() if status == "pass"]
    assert passing
    written = partial(checklist_text.markdown_of, ITEMS, words=words, numbered=True, newline=newline)
    text = b"\xef\xbb\xbf" + written().encode()
    shop.write({"LIST.md": text})
    assert main(["tick", "LIST.md", "--write", "-q"]) == OK
    wanted = written(ticked=passing).encode()
    assert (shop.root / "LIST.md").read_bytes() == b"\xef\xbb\xbf" + wanted


def test_exactly_the_right_bytes_of_the_original_change(
    shop: WorkTree, statuses: Callable[[], Statuses]
) -> None:
    if not (SHARED / "production-checklist.md").is_file():
        pytest.skip("the checklist that the items were made from is not beside this repository")
    before = (SHARED / "production-checklist.md").read_bytes()
    rows = [row.split("\t")[:2] for row in (SHARED / "items.tsv").read_text("utf-8").splitlines()[1:]]
    passing = [item for item, status in statuses().items() if status == "pass"]
    shop.write({"LIST.md": before})
    assert main(["tick", "LIST.md", "--write", "-q"]) == OK
    after = (shop.root / "LIST.md").read_bytes()
    assert changed(before, after) == {int(line): (b" ", b"x") for item, line in rows if item in passing}


def test_false_ticks_stay_until_they_are_to_be_cleared(
    shop: WorkTree, statuses: Callable[[], Statuses], capfd: pytest.CaptureFixture[str]
) -> None:
    every = [control.id for control in ITEMS]
    failing = [item for item, status in statuses().items() if status == "fail"]
    text = checklist_text.markdown_of(ITEMS, ticked=every).encode()
    shop.write({"LIST.md": text})
    assert main(["tick", "LIST.md", "--write"]) == FINDINGS
    assert f"{len(failing)} ticked and failing" in capfd.readouterr().err
    assert (shop.root / "LIST.md").read_bytes() == text
    assert main(["tick", "LIST.md", "--write", "--untick"]) == OK
    left = [item for item in every if item not in failing]
    wanted = checklist_text.markdown_of(ITEMS, ticked=left).encode()
    assert (shop.root / "LIST.md").read_bytes() == wanted


def test_permissions_and_links_stay(shop: WorkTree) -> None:
    shop.write({"docs/LIST.md": checklist_text.markdown_of(ITEMS)})
    (shop.root / "docs/LIST.md").chmod(0o640)
    (shop.root / "LINK.md").symlink_to("docs/LIST.md")
    assert main(["tick", "LINK.md", "--write", "-q"]) == OK
    assert (shop.root / "LINK.md").is_symlink()
    assert (shop.root / "docs/LIST.md").stat().st_mode & 0o777 == 0o640
    assert b"[x]" in (shop.root / "docs/LIST.md").read_bytes()
    assert sorted(p.name for p in (shop.root / "docs").iterdir()) == ["LIST.md"]


def test_the_tree_to_audit_may_be_another(shop: WorkTree, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("elsewhere") / "LIST.md"
    other.write_text("- [ ] `go.mod` exists\n")
    assert main(["tick", str(other), str(shop.root), "--write", "-q"]) == OK
    assert other.read_text() == "- [x] `go.mod` exists\n"


def test_the_work_tree_of_the_file_is_audited(
    shop: WorkTree, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    shop.write({"docs/LIST.md": "- [ ] `go.mod` exists\n"})
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert main(["tick", str(shop.root / "docs/LIST.md"), "--write", "-q"]) == OK
    assert (shop.root / "docs/LIST.md").read_text() == "- [x] `go.mod` exists\n"


def test_an_incomplete_audit_ticks_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "LIST.md").write_text("- [ ] `LIST.md` exists\n")
    assert main(["tick", str(tmp_path / "LIST.md"), str(tmp_path), "--write"]) == INCOMPLETE
    assert "No box is changed" in capfd.readouterr().err
    assert (tmp_path / "LIST.md").read_text() == "- [ ] `LIST.md` exists\n"


def test_a_file_that_does_not_parse_keeps_boxes_open(shop: WorkTree) -> None:
    text = checklist_text.markdown_of(ITEMS)
    shop.write({"LIST.md": text, "main.go": "package main\n\nfunc main( {\n"})
    code = main(["tick", "LIST.md", "--write", "-q"])
    if code == INCOMPLETE:
        assert (shop.root / "LIST.md").read_text() == text


@pytest.mark.parametrize("name", ["nowhere.md", "go.mod", "."])
def test_what_is_no_checklist_is_refused(
    shop: WorkTree, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["tick", name, "--write"], ["--checklist", name]):
        assert main(arguments) == USAGE
        out, err = capfd.readouterr()
        assert out == ""
        assert "Give a Markdown file" in err
        assert "Traceback" not in err


def test_check_takes_the_file_that_is_named(shop: WorkTree, capfd: pytest.CaptureFixture[str]) -> None:
    shop.write({"LIST.md": "- [x] `docs/none.md` exists\n"})
    assert main(["--checklist", "LIST.md", "--phase", "4", "-f", "json"]) == FINDINGS
    findings = json.loads(capfd.readouterr().out)["findings"]
    found = [f for f in findings if f["rule"] == "checklist-box-ticked-but-failing"]
    assert [(f["path"], f["start_line"]) for f in found] == [("LIST.md", 1)]


def test_the_diff_shows_no_secret(shop: WorkTree, capfd: pytest.CaptureFixture[str]) -> None:
    secret = "hunter2hunter2hunter2"
    shop.write({"LIST.md": f"- [ ] `go.mod` exists\n- [ ] set PASSWORD={secret} \x1b[31m\n"})
    main(["tick", "LIST.md"])
    out, _ = capfd.readouterr()
    assert "+- [x] `go.mod` exists" in out
    assert secret not in out
    assert "\x1b" not in out
