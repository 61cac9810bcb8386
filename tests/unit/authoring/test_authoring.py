"""Marks, cases, lint and explanations, as somebody who writes rules meets them."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zuno_audit.authoring.cases import read_case
from zuno_audit.authoring.marks import Place, marks
from zuno_audit.authoring.never import never_holds, never_matches
from zuno_audit.authoring.scaffold import Draft
from zuno_audit.authoring.trial import try_case
from zuno_audit.cli.app import app
from zuno_audit.cli.exits import Session, guarded
from zuno_audit.errors import AuditError, RuleError, UsageError
from zuno_audit.rules.load import RuleFiles

ID = "no-panic"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the draft of one rule, its query and its fixtures."""
    Draft(ID, "own", tmp_path / "rules", tmp_path / "fixtures").write()
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, obj=Session(), standalone_mode=False)


def lint(folder: Path) -> str:
    return run("rules", "lint", "--rules", str(folder / "rules")).output


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def rule_file(folder: Path) -> Path:
    return folder / "rules" / "own" / f"{ID}.yaml"


def query_file(folder: Path) -> Path:
    return folder / "rules" / "queries" / "go" / "no_panic.scm"


@pytest.mark.parametrize(
    "comment", ["// ruleid: a", "  # ruleid: a", "-- ruleid: b, a", "<!-- ruleid: a -->", "/* ruleid: a */"]
)
def test_a_mark_is_about_the_next_line_that_is_no_mark(comment: str) -> None:
    text = f"x\n{comment}\n# ok: other\ny\n"
    assert list(marks("f", text.encode(), "a")) == [("ruleid", Place("f", 4))]
    assert list(marks("f", text.encode(), "c")) == []


@pytest.mark.parametrize("text", ["x // ruleid: a\ny", "ruleid: a\ny", '"# ruleid: a"\ny', "// ruleid a\ny"])
def test_other_text_is_no_mark(text: str) -> None:
    assert list(marks("f", text.encode(), "a")) == []


def test_stored_names_and_expectations_become_a_case(tmp_path: Path) -> None:
    case = tmp_path / "fail" / "one"
    (case / "dot_github").mkdir(parents=True)
    (case / "dot_github" / "ci.yml").write_text("# ruleid: r\non: push\n")
    (case / "expect.yaml").write_text("arguments: {x: [a, b]}\nfindings: [{path: go.mod}]\n")
    read = read_case("r", "fail", case)
    assert set(read.files) == {".github/ci.yml"}
    assert read.expected == {Place(".github/ci.yml", 2), Place("go.mod", 1)}
    assert read.arguments == (("x", "a, b"),)


def test_a_malformed_expectation_says_where(tmp_path: Path) -> None:
    (tmp_path / "expect.yaml").write_text("arguments: {}\nfinding: []\n")
    with pytest.raises(RuleError, match=r"expect.yaml:2: unknown key 'finding'"):
        read_case("r", "fail", tmp_path)


@pytest.mark.parametrize(
    ("text", "trouble"),
    [
        ('package main\n\nfunc main() {\n\tpanic("no")\n}\n', "main.go:4: an unmarked finding"),
        ("package main\n\n// ruleid: no-panic\nfunc main() {\n}\n", "main.go:4: no finding"),
        (
            "package main\n\nfunc main() {\n\t// ok: no-panic\n\tpanic(1)\n}\n",
            "main.go:5: a finding on a line marked ok",
        ),
        (
            "package main\n\nfunc main() {\n\t// todoruleid: no-panic\n\tpanic(1)\n}\n",
            "make todoruleid a ruleid",
        ),
        ("package main\n\nfunc main() { panic(1)\n", "the run is failed, not ran"),
        ("package main\n", "this is no failing case"),
    ],
)
def test_a_case_that_is_not_as_marked_says_what_is_wrong(folder: Path, text: str, trouble: str) -> None:
    case = folder / "fixtures" / ID / "fail" / "first"
    (case / "main.go").write_text(text)
    trial = try_case(RuleFiles([folder / "rules"]).rule(ID), read_case(ID, "fail", case))
    assert any(trouble in said for said in trial.troubles), trial.troubles
    result = run("rules", "test", "--rules", str(folder / "rules"))
    assert result.return_value == 1
    assert trouble in result.output


def test_lint_finds_a_query_that_can_never_match(folder: Path) -> None:
    assert lint(folder) == "0 mistakes in 1 rule.\n"
    edit(query_file(folder), "(identifier)", "(package_clause)")
    assert "Impossible pattern" in lint(folder)


def test_lint_finds_a_query_that_contradicts_itself(folder: Path) -> None:
    edit(query_file(folder), '"panic"))', '"panic") (#eq? @function "print"))')
    assert "queries/go/no_panic.scm:5: the query can never match" in lint(folder)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("message:", "parameters: {path: x}\nmessage:", "the parameter 'path' is used nowhere"),
        ("message:", "where: {line: {at_least: 3, at_most: 2}}\nmessage:", "where.line can never hold"),
        ("message:", "where: {callee: x}\nmessage:", "the query captures no @callee"),
        ("go/no_panic", "go/gone", "there is no such query"),
        ("severity: warning", "severity: wrong", "own/no-panic.yaml:4:"),
    ],
)
def test_lint_finds_mistakes_in_a_rule(folder: Path, old: str, new: str, said: str) -> None:
    edit(rule_file(folder), old, new)
    assert said in lint(folder)


def test_lint_finds_missing_fixtures_and_unknown_arguments(folder: Path) -> None:
    near = folder / "fixtures" / ID / "pass" / "near-miss"
    (near / "expect.yaml").write_text("arguments: {folder: x}\n")
    assert "rule no-panic has no parameter 'folder'" in lint(folder)
    for path in near.iterdir():
        path.unlink()
    near.rmdir()
    assert "it has no passing fixture" in lint(folder)


@pytest.mark.parametrize(
    "predicate",
    [{"in": []}, {"any": []}, {"at_least": 2, "at_most": 1}, {"all": ["a", "b"]}, {"any": [{"in": []}]}],
)
def test_conditions_that_nothing_meets(predicate: object) -> None:
    assert never_holds(predicate)


@pytest.mark.parametrize(
    "predicate", ["a", {"in": ["a"]}, {"all": ["a", {"not": "b"}]}, {"any": ["a", {"in": []}]}]
)
def test_conditions_that_something_may_meet(predicate: object) -> None:
    assert never_holds(predicate) == ""


def test_a_name_with_a_dot_is_no_identifier() -> None:
    query = '(call_expression function: (identifier) @f (#eq? @f "fmt.Println")) @report'
    assert [line for line, _ in never_matches(query)] == [1]
    assert list(never_matches(query.replace("fmt.Println", "println"))) == []


def test_explain_tells_all_there_is_to_know_of_a_rule() -> None:
    text = run("explain", "grpc-server-without-unary-recovery").output
    headings = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert headings[:4] == ["Why", "How it decides", "Parameters", "Limits"]
    assert {"Bad", "Good", "How to fix", "How to suppress"} < set(headings)
    assert "`unary_recovery` is `yes`" in text
    assert "zuno-audit: ignore[grpc-server-without-unary-recovery] -- " in text
    assert "1.3.1.1" in text


def test_explain_knows_the_items_of_every_profile() -> None:
    assert "Every gRPC server recovers" in run("explain", "grpc-1.1").output


def test_an_unknown_name_suggests_what_contains_it() -> None:
    failed = run("explain", "slim").exception
    assert isinstance(failed, UsageError)
    assert "image-not-slim" in failed.hint


def test_a_rule_that_does_not_load_is_told_before_missing_fixtures(tmp_path: Path) -> None:
    file = tmp_path / "rules" / "acme" / "no-panic.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("id: no-panic\nkind: query\n", "utf-8")
    failed = run("rules", "test", "--rules", str(tmp_path / "rules")).exception
    assert isinstance(failed, RuleError)
    assert "is missing" in str(failed)


def test_explain_tells_what_verifies_an_item() -> None:
    text = run("explain", "1.3.1.1").output
    assert "`grpc-server-without-unary-recovery`" in text
    assert "services/auth-service/**" in text


@pytest.mark.parametrize("name", ["grpc-server-without-unary-recvery", "nothing-like-it"])
def test_an_unknown_name_is_a_usage_error_with_a_hint(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(["explain", name]) == 2
    said = capsys.readouterr().err
    assert f"There is no rule or item {name!r}." in said
    assert "Did you mean" in said or "rules list" in said


def test_a_malformed_rule_ends_with_place_and_cure(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(rule_file(folder), "severity: warning", "severety: warning")
    assert guarded(["rules", "test", "--rules", str(folder / "rules")]) == 2
    said = capsys.readouterr().err
    assert "own/no-panic.yaml:4: unknown key 'severety'" in said
    assert "Did you mean 'severity'?" in said


@pytest.mark.parametrize("name", ["Wrong", "../up", "a--b"])
def test_a_bad_id_writes_nothing(tmp_path: Path, name: str) -> None:
    with pytest.raises(AuditError):
        Draft(name, "own", tmp_path / "rules", tmp_path / "fixtures").write()
    assert list(tmp_path.iterdir()) == []


def test_a_draft_replaces_nothing(folder: Path) -> None:
    before = rule_file(folder).read_bytes()
    with pytest.raises(AuditError, match="is there already"):
        Draft(ID, "own", folder / "rules", folder / "fixtures").write()
    assert rule_file(folder).read_bytes() == before
