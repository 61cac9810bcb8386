"""Running rules: each once, each on its own, and settled into one sorted list."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from zuno_audit.checks import base
from zuno_audit.engine.run import run_rules
from zuno_audit.engine.settle import settle, settle_diagnostics
from zuno_audit.errors import RuleError
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.catalog import TABLES
from zuno_audit.model.control import CheckRef
from zuno_audit.model.entity import Answer, Entity, Problem, Table
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.rule import Clause, Rule
from zuno_audit.source.walk import open_repository

CALLS: list[str] = []
TOKEN = "ghp_" + "A1b2" * 9


def boxes(store: FactStore) -> Table:
    CALLS.append("boxes")
    rows = tuple(
        Entity("box", at_line(path, 1), {"lid": Answer("no", f"the key {TOKEN} is lost")})
        for path in store.repository.files
        if path.endswith(".box")
    )
    return Table("box", rows, tuple(store.repository.files), (Problem("zz/odd.box", 2, "torn"),))


def crashing(store: FactStore) -> Table:
    CALLS.append("crashing")
    raise ZeroDivisionError("secret detail")


def count_files(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    wanted = int(arguments["wanted"])
    found = len(store.repository.files)
    if found == wanted:
        return base.ran(f"{found} of {wanted} files are there.", found)
    return base.ran(
        f"{found} of {wanted} files are there.", found, findings=[base.violation("Files miss.", at_line("x"))]
    )


def rule(name: str, **more: Any) -> Rule:
    info = RuleInfo(name, "t", Level.WARNING, "high", "w", "f")
    return Rule(info=info, kind="presence", quantifier="for_each", **more)


LIDS = rule(
    "lids",
    table="box",
    parameters=(("path", "**"),),
    where=(("path", {"glob": "{{ path }}"}),),
    require=(Clause((("lid", "yes"),), "no lid: {{ lid.because }}"),),
)
CRASH = rule("crash", table="crashing", require=(Clause((("lid", "yes"),), "m"),))
PYTHON = Rule(
    info=RuleInfo("files", "t", Level.ERROR, "high", "w", "f"),
    kind="python",
    quantifier="python",
    check=f"{__name__}:count_files",
    parameters=(("wanted", None),),
)
RULES = {r.id: r for r in (LIDS, CRASH, PYTHON)}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FactStore]:
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    for name in ("a.box", "b.box"):
        (tmp_path / name).write_text("box\n")
    monkeypatch.setitem(TABLES, "box", f"{__name__}:boxes")
    monkeypatch.setitem(TABLES, "crashing", f"{__name__}:crashing")
    CALLS.clear()
    yield FactStore(open_repository(tmp_path))


def test_equal_questions_are_asked_once(store: FactStore) -> None:
    everywhere = CheckRef("lids", (("path", "**"),))
    refs = [CheckRef("lids"), everywhere, CheckRef("lids", (("path", "a.*"),))]
    runs = run_rules(refs, RULES.__getitem__, store)
    assert runs.by_ref[CheckRef("lids")] is runs.by_ref[everywhere]
    assert CALLS == ["boxes"]


def test_crash_stays_with_its_rule(store: FactStore) -> None:
    runs = run_rules([CheckRef("crash"), CheckRef("lids", (("path", "*.box"),))], RULES.__getitem__, store)
    assert runs.by_ref[CheckRef("crash")].outcome is Outcome.FAILED
    assert len(runs.by_ref[CheckRef("lids", (("path", "*.box"),))].findings) == 2
    (diagnostic,) = runs.diagnostics
    assert diagnostic.message == "Rule crash crashed (ZeroDivisionError); this is a bug of zuno-audit."


def test_crashed_table_is_not_computed_again(store: FactStore) -> None:
    other = rule("crash-too", table="crashing")
    run_rules([CheckRef("crash"), CheckRef("crash-too")], {**RULES, "crash-too": other}.__getitem__, store)
    assert CALLS == ["crashing"]


def test_wrong_arguments_stop_the_audit_before_anything_runs(store: FactStore) -> None:
    with pytest.raises(RuleError, match="needs a value for its parameter 'wanted'"):
        run_rules([CheckRef("lids"), CheckRef("files")], RULES.__getitem__, store)
    assert CALLS == []


def test_python_check_gets_its_rule_and_level(store: FactStore) -> None:
    ref = CheckRef("files", (("wanted", "3"),))
    run = run_rules([ref], RULES.__getitem__, store).by_ref[ref]
    assert (run.rule, run.arguments, run.reason) == ("files", (("wanted", "3"),), "2 of 3 files are there.")
    assert [(f.rule, f.level) for f in run.findings] == [("files", Level.ERROR)]


def test_no_secret_gets_out(store: FactStore) -> None:
    run = run_rules([CheckRef("lids")], RULES.__getitem__, store).by_ref[CheckRef("lids")]
    assert run.findings[0].message == "No lid: the key ghp_**** is lost."
    assert TOKEN not in repr(run)


def test_equal_findings_of_different_arguments_are_one(store: FactStore) -> None:
    a, b = CheckRef("lids", (("path", "a.*"),)), CheckRef("lids", (("path", "*.box"),))
    runs = run_rules([a, b], RULES.__getitem__, store).by_ref
    order = ("1.1.1", "1.1.2", "1.1.10")
    items = {a: ("1.1.10",), b: ("1.1.2",)}
    findings = settle(runs, items, order, store.repository.text)
    assert [(f.location.path, f.checklist) for f in findings] == [
        ("a.box", ("1.1.2", "1.1.10")),
        ("b.box", ("1.1.2",)),
    ]


def test_what_could_not_be_read_is_told_once(store: FactStore) -> None:
    run_rules([CheckRef("lids"), CheckRef("lids", (("path", "a.*"),))], RULES.__getitem__, store)
    assert Diagnostic(Level.WARNING, "zz/odd.box", 2, "torn") in settle_diagnostics((), store)
