"""An audit of the same files recalls what the rules said; whatever they look at makes them run again."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from trees import store_of

from zuno_audit import audit
from zuno_audit.cache.store import MAX_ENTRIES, Entries

PHASES = ["4", "8"]  # with rules that ask whether a path is ignored, and for tags
FILES = {
    "go.mod": "module example.org/shop\n\ngo 1.24\n",
    "main.go": 'package main\n\nimport "os"\n\nfunc main() { println(os.Getenv("PORT")) }\n',
    ".env.example": "PORT=8080\n",
    ".gitignore": ".env\n",
}


class Shop:
    """A small repository, and how often rules ran on it."""

    def __init__(self, root: Path, cache: Path) -> None:
        self.root, self.cache = root, cache
        self.ran: list[str] = []

    def audit(self, **options: object) -> str:
        """The report of an audit with the cache; `ran` has the rules that ran."""
        time.sleep(0.05)  # what has just changed may change again within a tick of the clock: it is not kept
        self.ran = []
        told = {"phases": PHASES, "cache": self.cache, **options}
        return audit(self.root, progress=self._see, **told).to_json()  # type: ignore[arg-type]

    def _see(self, done: int, total: int, rule: str) -> None:
        self.ran.append(rule)

    def git(self, *arguments: str) -> None:
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        subprocess.run(["git", *who, *arguments], cwd=self.root, check=True, capture_output=True)


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    store_of(tmp_path / "shop", FILES)
    shop = Shop(tmp_path / "shop", tmp_path / "kept")
    shop.git("commit", "-qm", "first")
    return shop


def test_the_second_audit_runs_no_rule_and_says_the_same(shop: Shop) -> None:
    cold = shop.audit()
    assert shop.ran
    assert shop.audit() == cold
    assert shop.ran == []
    assert audit(shop.root, phases=PHASES).to_json() == cold
    assert shop.audit(jobs=2) == cold


@pytest.mark.skipif(os.name == "nt", reason="a second process is only forked on Linux")
def test_what_two_processes_found_is_recalled_by_one(shop: Shop) -> None:
    cold = shop.audit(jobs=2)
    assert shop.audit(jobs=1) == cold
    assert shop.ran == []


def edit(shop: Shop) -> None:
    file = shop.root / ".env.example"
    before = file.stat()
    file.write_text("PORTS=808\n")  # as many bytes
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def add(shop: Shop) -> None:
    (shop.root / "new.go").write_text("package main\n")


def remove(shop: Shop) -> None:
    (shop.root / ".env.example").unlink()


def untrack(shop: Shop) -> None:
    shop.git("rm", "-q", "--cached", "main.go")


def ignore_less(shop: Shop) -> None:
    (shop.root / ".git" / "info" / "exclude").write_text("!.env\n*.log\n")
    (shop.root / ".gitignore").write_text("")


def tag(shop: Shop) -> None:
    shop.git("tag", "-a", "v1.0.0", "-m", "one")


@pytest.mark.parametrize("change", [edit, add, remove, untrack, ignore_less, tag])
def test_what_rules_look_at_makes_them_run_again(shop: Shop, change: Callable[[Shop], None]) -> None:
    shop.audit()
    change(shop)
    again = shop.audit()
    assert shop.ran
    assert again == audit(shop.root, phases=PHASES).to_json()
    assert shop.audit() == again
    assert shop.ran == []


def test_an_ignore_file_above_the_audited_folder_counts(tmp_path: Path) -> None:
    store_of(tmp_path / "all", {f"shop/{path}": text for path, text in FILES.items() if path != ".gitignore"})
    shop = Shop(tmp_path / "all" / "shop", tmp_path / "kept")
    before = shop.audit()
    (tmp_path / "all" / ".gitignore").write_text(".env\n")
    assert shop.audit() != before
    assert shop.ran


def test_another_question_is_asked_anew(shop: Shop) -> None:
    shop.audit()
    shop.audit(phases=["4"])
    assert shop.ran
    levels = shop.cache.parent / "levels.yml"  # outside of the tree
    levels.write_text("version: 1\nrules:\n  env-variable-undocumented: {level: note}\n")
    shop.audit(config=levels)
    assert shop.ran


def test_a_file_that_changes_meanwhile_is_not_recalled(shop: Shop) -> None:
    def change_once(done: int, total: int, rule: str) -> None:
        if done == total // 2:
            edit(shop)

    time.sleep(0.05)
    audit(shop.root, phases=PHASES, cache=shop.cache, progress=change_once)
    shop.audit()
    assert shop.ran


def test_runs_that_were_cut_short_are_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("zuno_audit.matchers.dispatch.run_rule", fail)
        patch.setattr("zuno_audit.engine.run.run_rule", fail)
        assert "crashed" in shop.audit()
    assert "crashed" not in shop.audit()
    assert shop.ran


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b"\xff\xfe", b'{"state": 1}'])
def test_a_damaged_entry_is_no_entry(shop: Shop, damage: bytes) -> None:
    cold = shop.audit()
    (entry,) = shop.cache.glob("*.json")
    entry.write_bytes(damage)
    assert shop.audit() == cold
    assert shop.ran


def test_the_audited_tree_cannot_bring_entries(shop: Shop) -> None:
    shop.cache = shop.root / ".cache"
    cold = shop.audit()
    assert not shop.cache.exists()
    assert shop.audit() == cold
    assert shop.ran


def test_a_folder_that_cannot_be_used_stops_nothing(shop: Shop, tmp_path: Path) -> None:
    shop.cache = tmp_path / "file"
    shop.cache.write_text("no folder")
    cold = shop.audit()
    assert shop.audit() == cold
    assert shop.cache.read_text() == "no folder"


def test_what_does_not_come_from_rules_is_looked_at_each_time(shop: Shop) -> None:
    before = shop.audit()
    shop.git("commit", "-q", "--allow-empty", "-m", "second")
    after = shop.audit()
    assert shop.ran == []
    assert after != before  # another commit
    assert after == audit(shop.root, phases=PHASES).to_json()


def test_a_large_file_that_no_rule_reads_is_no_problem_later(shop: Shop) -> None:
    (shop.root / "notes.log").write_text("words\n" * 1_000_000)
    cold = audit(shop.root, phases=PHASES).to_json()
    assert shop.audit() == cold
    assert shop.audit() == cold
    assert shop.ran == []


def test_the_oldest_entries_go(tmp_path: Path) -> None:
    entries = Entries(tmp_path)
    for number in range(MAX_ENTRIES + 3):
        entries.keep(f"e{number}", b"{}")
        os.utime(tmp_path / f"e{number}.json", (number, number))
    entries.keep("last", b"{}")
    assert entries.find("last") == b"{}"
    assert entries.find("e0") is None
    assert len(list(tmp_path.iterdir())) == MAX_ENTRIES
