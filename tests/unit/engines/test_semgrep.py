"""semgrep as a second engine: what it finds, what it must not do, and what becomes of its failures.

Tests marked by `real` run the real semgrep and skip aloud where it is not installed; `.ci/run` installs it. The
others put a small program in its place.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from trees import store_of

from zuno_audit.api import Report, audit, rule_files
from zuno_audit.cli import main
from zuno_audit.errors import EngineError, RuleError
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.semgrep.answer import read_answer
from zuno_audit.facts.semgrep.process import find_semgrep, run_semgrep
from zuno_audit.facts.semgrep.rule_file import SEPARATOR, read_rule_file
from zuno_audit.facts.semgrep.table import semgrep_table
from zuno_audit.facts.semgrep.wanted import SemgrepFile
from zuno_audit.model.entity import Table
from zuno_audit.model.finding import Finding
from zuno_audit.model.verdict import Status

INSTALLED = find_semgrep(Path("/nonexistent"))
real = pytest.mark.skipif(
    INSTALLED is None, reason="semgrep is not installed: pip install zuno-audit[semgrep]"
)
SKIPPED = (
    'package main\n\nimport "crypto/tls"\n\n'
    "func main() { _ = &tls.Config{InsecureSkipVerify: true} } // nosemgrep\n"
)
CLEAN = "package main\n\nfunc main() {}\n"
MODULE = "module example.com/m\n\ngo 1.22\n"
RULES = tuple(rule for rule in rule_files().all() if rule.kind == "semgrep")
ITEMS = ("2.1.4.2", "4.3.4")


def tree(root: Path, files: Mapping[str, str]) -> Path:
    store_of(root, {"go.mod": MODULE, **files})
    return root


def audited(root: Path, *, semgrep: bool | None = True, **options: Any) -> Report:
    return audit(root, semgrep=semgrep, no_config=True, **options)


def tls_findings(report: Report) -> list[Finding]:
    return [f for f in report.findings if f.rule == "tls-verification-off"]


def own_rules(folder: Path, text: str) -> SemgrepFile:
    """A file of semgrep rules in a folder of packs."""
    (folder / "semgrep").mkdir(parents=True, exist_ok=True)
    (folder / "semgrep" / "own.yaml").write_text(text, "utf-8")
    return SemgrepFile("own", folder)


def table(root: Path, source: SemgrepFile, files: Mapping[str, str]) -> Table:
    store = store_of(root, files)
    return semgrep_table(source)(FactStore(store.repository, (source,)))


def program(folder: Path, body: str) -> str:
    """A program in Python that stands in for semgrep."""
    file = folder / "semgrep"
    folder.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!{sys.executable}\n{body}", "utf-8")
    file.chmod(0o755)
    return str(file)


def without_semgrep(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The interpreter and the PATH of a machine on which semgrep is not installed."""
    tools = folder / "tools"
    tools.mkdir()
    git = next(Path(p) / "git" for p in os.environ["PATH"].split(os.pathsep) if (Path(p) / "git").exists())
    (tools / "git").symlink_to(git)
    monkeypatch.setenv("PATH", str(tools))
    monkeypatch.setattr(sys, "executable", str(tools / "python"))


# --- what is said when it is not run


def test_without_the_option_its_rules_are_listed_as_not_run(tmp_path: Path) -> None:
    report = audited(tree(tmp_path, {"main.go": SKIPPED}), semgrep=None)
    for item in ITEMS:
        verdict = report.verdict(item)
        said = {c.rule: c for c in verdict.checks}
        assert said["tls-verification-off"].reason == "Not run: add --semgrep."
        assert said["tls-verification-off"].status is Status.NEEDS_EVIDENCE
        assert verdict.status is not Status.PASS
    assert not tls_findings(report)
    assert not [d for d in report.diagnostics if "semgrep" in d.message]


def test_not_installed_is_never_a_pass_and_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_semgrep(monkeypatch, tmp_path)
    report = audited(tree(tmp_path / "tree", {"main.go": CLEAN}))
    for item in ITEMS:
        checks = [c for c in report.verdict(item).checks if c.rule == "tls-verification-off"]
        assert [c.reason for c in checks] == ["Not run: install zuno-audit[semgrep]."]
        assert [c.status for c in checks] == [Status.NEEDS_EVIDENCE]
    told = [d.message for d in report.diagnostics if "semgrep" in d.message]
    assert told == ["semgrep: Not run: install zuno-audit[semgrep]."]


def test_a_semgrep_in_the_audited_tree_is_not_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_semgrep(monkeypatch, tmp_path)
    root = tree(tmp_path / "tree", {"main.go": SKIPPED})
    program(root / "bin", f"open({str(tmp_path / 'started')!r}, 'w')\n")
    (tmp_path / "link").symlink_to(root / "bin")
    monkeypatch.setenv("PATH", f"{root / 'bin'}:{tmp_path / 'link'}:bin:.:{os.environ['PATH']}")
    monkeypatch.chdir(root)
    report = audited(root)
    assert not (tmp_path / "started").exists()
    assert report.verdict("4.3.4").status is not Status.PASS


def test_known_findings_are_not_gone_when_it_is_not_run(tmp_path: Path, capsys: Any) -> None:
    root = tree(tmp_path, {"main.go": SKIPPED})
    (root / ".zuno-audit").mkdir()
    known = {"fingerprint": "0" * 32, "rule": "tls-verification-off", "path": "main.go"}
    file = root / ".zuno-audit" / "baseline.json"
    file.write_text(json.dumps({"schema": "zuno-audit/baseline/v1", "findings": [known]}), "utf-8")
    main(["baseline", "prune", str(root), "-q"])
    assert "tls-verification-off" in file.read_text("utf-8")


def test_a_suppression_is_not_useless_when_it_is_not_run(tmp_path: Path) -> None:
    comment = "// zuno-audit: ignore[tls-verification-off] -- a test server\n"
    report = audited(
        tree(tmp_path, {"main.go": SKIPPED.replace("func main", comment + "func main")}), semgrep=None
    )
    assert not [f for f in report.findings if f.rule == "suppression-unused"]


# --- what it finds


@real
def test_its_results_become_findings_of_the_items(tmp_path: Path) -> None:
    report = audited(tree(tmp_path, {"main.go": SKIPPED}))
    (finding,) = tls_findings(report)
    assert (
        finding.message
        == "The TLS certificate of the other side is not verified (InsecureSkipVerify is true)."
    )
    assert (finding.location.path, finding.location.line) == ("main.go", 5)
    assert set(ITEMS) <= set(finding.checklist)
    assert (finding.symbol, finding.matched) == ("main", "InsecureSkipVerify:true")
    assert [report.verdict(item).status for item in ITEMS] == [Status.FAIL, Status.FAIL]


@real
def test_a_fingerprint_survives_lines_that_are_put_before_it(tmp_path: Path) -> None:
    (one,) = tls_findings(audited(tree(tmp_path / "a", {"main.go": SKIPPED})))
    moved = SKIPPED.replace("func main", "// A comment.\nvar x = 1\n\nfunc main")
    (other,) = tls_findings(audited(tree(tmp_path / "b", {"main.go": moved})))
    assert one.fingerprint == other.fingerprint
    assert one.location != other.location


@real
def test_finding_nothing_does_not_lift_an_item(tmp_path: Path) -> None:
    report = audited(tree(tmp_path, {"main.go": CLEAN}))
    for item in ITEMS:
        assert report.verdict(item).status is not Status.PASS
        checks = [c for c in report.verdict(item).checks if c.rule == "tls-verification-off"]
        assert [c.reason for c in checks] == [
            "In 1 Go files no connection gives up the verification of the other side."
        ]


@real
def test_ignore_files_and_folders_that_it_skips_by_default_are_looked_at(tmp_path: Path) -> None:
    files = {
        "build/main.go": SKIPPED,
        "dist/main.go": SKIPPED,
        "a/-rf.go": SKIPPED,
        "a/new\nline.go": SKIPPED,
        ".semgrepignore": "*\n",
        ".semgrep.yml": "rules: [",
        ".gitignore": "*.go\n",
    }
    report = audited(tree(tmp_path, files))
    places = {f.location.path for f in tls_findings(report)}
    assert places == {"build/main.go", "dist/main.go", "a/-rf.go", "a/new\nline.go"}


@real
def test_tests_generated_and_vendored_code_are_left_alone(tmp_path: Path) -> None:
    files = {
        "main.go": CLEAN,
        "main_test.go": SKIPPED,
        "vendor/example.com/x/x.go": SKIPPED,
        "gen.go": "// Code generated by x. DO NOT EDIT.\n" + SKIPPED,
    }
    assert not tls_findings(audited(tree(tmp_path, files)))


@real
def test_columns_count_characters(tmp_path: Path) -> None:
    code = 'package main\n\nfunc main() { _, _ = "é😀", &tls.Config{InsecureSkipVerify: true} }\n'
    (finding,) = tls_findings(audited(tree(tmp_path, {"main.go": "\ufeff" + code})))
    line = code.split("\n")[2]
    assert finding.location.span.start_column == line.index("InsecureSkipVerify") + 1
    assert finding.location.span.end_column == line.index(": true") + 7


@real
def test_a_file_that_does_not_parse_is_a_diagnostic_and_no_pass(tmp_path: Path) -> None:
    broken = "package main\n\nvar InsecureSkipVerify = \n\nfunc f( {\n"
    report = audited(tree(tmp_path, {"broken.go": broken, "main.go": CLEAN}))
    checks = [c for c in report.verdict("4.3.4").checks if c.rule == "tls-verification-off"]
    assert [c.status for c in checks] == [Status.ERROR]
    assert not report.is_complete
    assert "broken.go" in {d.path for d in report.diagnostics}


@real
def test_what_it_does_not_understand_is_a_problem_and_its_words_are_not_repeated(tmp_path: Path) -> None:
    source = own_rules(
        tmp_path / "packs",
        "rules: [{id: a, languages: [python], severity: INFO, message: found, pattern: 'f($X)'}]",
    )
    made = table(tmp_path / "tree", source, {"a.py": "f(1)\n", "b.py": "f(2)\nx = ((( 'hunter2'\n"})
    assert [row.location.path for row in made.rows][:1] == ["a.py"]
    assert {p.path for p in made.problems} == {"b.py"}
    assert "hunter2" not in str(made.problems)


@real
def test_metavariables_are_fields_without_the_contents_of_literals(tmp_path: Path) -> None:
    text = (
        "# contains: login\n"
        "rules: [{id: login, languages: [go], severity: INFO, message: 'by $WHO with $WHAT', "
        "pattern: 'login($WHO, $WHAT)'}]"
    )
    source = own_rules(tmp_path / "packs", text)
    code = 'package a\n\nfunc f() { login(user.Name, "hunter2") }\n'
    made = table(tmp_path / "tree", source, {"a.go": code, "b.go": "package a\n"})
    (row,) = made.rows
    assert row.get("who").value == "user.Name"
    assert row.get("what").value == '"…"'
    assert row.get("says").value == 'by user.Name with "…"'
    assert made.files == ("a.go", "b.go")
    assert made.kind == "own"


@real
def test_a_configuration_can_ask_for_it_and_the_command_line_can_refuse(tmp_path: Path, capsys: Any) -> None:
    root = tree(tmp_path, {"main.go": SKIPPED, "zuno-audit.yml": "version: 1\nsemgrep: true\n"})
    assert main([str(root), "-f", "json", "-q", "--trust"]) in (1, 3)
    assert '"rule": "tls-verification-off", "level": "error"' in " ".join(capsys.readouterr().out.split())
    main([str(root), "-f", "json", "-q"])
    assert "semgrep is not run because" in capsys.readouterr().out
    main([str(root), "-f", "json", "-q", "--no-semgrep"])
    assert "Not run: add --semgrep." in capsys.readouterr().out


# --- the subprocess


def fake(folder: Path, body: str, *, timeout: float = 30) -> Any:
    """What `run_semgrep` makes of a program that does this."""
    return run_semgrep(
        program(folder / "bin", body), [], {"000001.go": b"package a"}, folder / "tree", timeout
    )


def test_it_sees_nothing_of_our_environment_and_only_copies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = tmp_path / "tree" / "bin"
    hidden.mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{hidden}:relative:{os.environ['PATH']}")
    for name in ("SEMGREP_APP_TOKEN", "SEMGREP_RULES", "PYTHONPATH", "HTTPS_PROXY", "GIT_DIR", "SECRET"):
        monkeypatch.setenv(name, "from-outside")
    body = (
        "import json, os, sys\n"
        "print(json.dumps({'env': dict(os.environ), 'files': sorted(os.listdir('.')), 'args': sys.argv}))\n"
    )
    seen = fake(tmp_path, body)
    assert "from-outside" not in seen["env"].values()
    assert str(hidden) not in seen["env"]["PATH"]
    assert "relative" not in seen["env"]["PATH"].split(os.pathsep)
    assert seen["env"]["HOME"] != os.environ.get("HOME")
    assert seen["files"] == [".semgrepignore", "000001.go"]
    assert {"--metrics=off", "--disable-version-check", "--disable-nosem"} <= set(seen["args"])
    assert not Path(seen["env"]["HOME"]).exists()


def test_it_is_ended_with_all_it_started_when_it_takes_too_long(tmp_path: Path) -> None:
    mark = tmp_path / "still-there"
    child = f"import time; time.sleep(2.5); open({str(mark)!r}, 'w')"
    body = (
        f"import subprocess, sys, time\nsubprocess.Popen([sys.executable, '-c', {child!r}])\ntime.sleep(60)\n"
    )
    begun = time.monotonic()
    with pytest.raises(EngineError, match="took longer than 1 seconds"):
        fake(tmp_path, body, timeout=1)
    assert time.monotonic() - begun < 20
    time.sleep(2.5)
    assert not mark.exists()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; print('{}'); sys.exit(2)", "failed"),
        ("print('{]')", "no JSON"),
        ("print('[' * 200000)", "no JSON"),
        ("import sys; sys.exit(0)", "no JSON"),
    ],
)
def test_a_run_that_fails_is_an_error(tmp_path: Path, body: str, said: str) -> None:
    with pytest.raises(EngineError, match=said):
        fake(tmp_path, body + "\n")


def test_a_program_that_cannot_be_started_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="cannot be started"):
        run_semgrep(str(tmp_path / "nowhere"), [], {}, tmp_path)


# --- its answer


def answer(**changes: Any) -> dict[str, Any]:
    result = {
        "check_id": "r",
        "path": "./1.go",
        "start": {"line": 2, "col": 3},
        "end": {"line": 2, "col": 9},
        "extra": {"message": SEPARATOR.join(("", "a", "$B", ""))},
    }
    return {"results": [result], "errors": [], "paths": {"scanned": ["1.go"]}, **changes}


FILES, VARIABLES = frozenset({"1.go"}), {"r": ("$A", "$B")}


def test_an_answer_says_where_and_what() -> None:
    (match,) = read_answer(answer(), FILES, VARIABLES).matches
    assert (match.file, match.start, match.end) == ("1.go", (2, 3), (2, 9))
    assert match.values == ("a", None)


def test_values_that_cannot_be_told_apart_are_none() -> None:
    data = answer()
    data["results"][0]["extra"]["message"] = SEPARATOR.join(("", "a", "b", "c", ""))
    assert read_answer(data, FILES, VARIABLES).matches[0].values == (None, None)


def test_a_file_that_was_not_scanned_is_given_up() -> None:
    given_up = read_answer(answer(paths={"scanned": []}), FILES, VARIABLES).given_up
    assert [(g.file, g.reason) for g in given_up] == [("1.go", "it did not look at the file")]


def test_an_error_about_a_file_gives_it_up_in_our_own_words() -> None:
    error = {"type": ["PartialParsing", []], "path": "1.go", "message": "`hunter2` was unexpected"}
    timeout = {"type": "Timeout", "path": "1.go", "spans": [{"start": {"line": 7}}]}
    strange = {"type": "hunter2", "path": "1.go"}
    given_up = read_answer(answer(errors=[error, timeout, strange]), FILES, VARIABLES).given_up
    assert [(g.line, g.reason) for g in given_up] == [
        (1, "it does not understand all of the file"),
        (7, "it took too long"),
        (1, "it had an error"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"results": None},
        {"results": [{}]},
        {"errors": [{"type": "Rule parse error"}]},
        {"errors": [{}]},
        {"paths": {}},
        {"paths": {"scanned": ["../../etc/passwd"]}},
        {"skipped_rules": ["r"]},
    ],
)
def test_an_answer_of_another_shape_is_an_error(changes: dict[str, Any]) -> None:
    with pytest.raises(EngineError):
        read_answer(answer(**changes), FILES, VARIABLES)


@pytest.mark.parametrize(
    ("key", "value"), [("check_id", "x"), ("path", "2.go"), ("start", {"line": 0, "col": 1})]
)
def test_a_result_about_something_else_is_an_error(key: str, value: Any) -> None:
    data = answer()
    data["results"][0][key] = value
    with pytest.raises(EngineError):
        read_answer(data, FILES, VARIABLES)


# --- its rules


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{id: a, languages: [go], message: m, pattern: f(), fix: g()}", "'fix'"),
        ("{id: a, languages: [go], message: m, mode: join}", "mode"),
        ("{id: a, languages: [cobol], message: m, pattern: f()}", "languages"),
        ("{languages: [go], message: m, pattern: f()}", "id"),
        ("{id: a, languages: [go], message: m, pattern: f(), validators: []}", "'validators'"),
        ("}", "not YAML"),
    ],
)
def test_rules_that_do_more_than_search_are_refused(tmp_path: Path, rule: str, said: str) -> None:
    with pytest.raises(RuleError, match=said):
        read_rule_file(own_rules(tmp_path, f"rules: [{rule}]"))


@pytest.mark.parametrize("name", ["nowhere", "../own", "own/x", ""])
def test_a_file_that_is_not_there_is_an_error(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuleError, match="no such file"):
        read_rule_file(SemgrepFile(name, tmp_path))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_our_own_files_read(rule: Any) -> None:
    name = rule.table.removeprefix("semgrep:")
    assert read_rule_file(SemgrepFile(name, rule.folder)).suffixes == (".go",)
