"""Tables made by tree-sitter queries."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from zuno_audit.errors import RuleError
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.query import query_table
from zuno_audit.model.entity import Table
from zuno_audit.source.walk import open_repository

QUERY = """\
; Calls of a function of package fmt.
; contains: fmt
(call_expression
  function: (selector_expression operand: (identifier) @package field: (field_identifier) @function)
  (#eq? @package "fmt")) @report
"""


def table(tmp_path: Path, query: str, **files: str) -> Table:
    (tmp_path / "data" / "queries" / "go").mkdir(parents=True)
    (tmp_path / "data" / "queries" / "go" / "print_call.scm").write_text(query, "utf-8")
    tree = tmp_path / "tree"
    tree.mkdir()
    for name, text in files.items():
        (tree / f"{name}.go").write_text(text, "utf-8")
    subprocess.run(["git", "init", "-q", str(tree)], check=True)
    return query_table("go/print_call", tmp_path / "data")(FactStore(open_repository(tree)))


def test_a_row_for_each_match(tmp_path: Path) -> None:
    text = 'package a\n\nfunc f() {\n\t/* ä */ fmt.Println("x")\n\tlog.Println("y")\n}\n'
    found = table(tmp_path, QUERY, a=text, b="package a\n")
    (row,) = found.rows
    span = row.location.span
    assert (row.location.path, span.start_line, span.start_column, span.end_column) == ("a.go", 4, 10, 26)
    assert row.get("function").value == "Println"
    assert found.files == ("a.go", "b.go")
    assert found.problems == ()


def test_file_with_a_syntax_error_is_a_problem(tmp_path: Path) -> None:
    found = table(tmp_path, QUERY, a="package a\n\nfunc f( { fmt.Println(1) }\n")
    assert [problem.path for problem in found.problems] == ["a.go"]


@pytest.mark.parametrize(
    ("query", "words"),
    [("(call_expression", "does not compile"), ("(call_expression) @x", "captures no @report")],
)
def test_malformed_query_is_refused(tmp_path: Path, query: str, words: str) -> None:
    with pytest.raises(RuleError, match=words):
        table(tmp_path, query)


@pytest.mark.parametrize("name", ["go/nothing", "go/../x", "sql/x", "go"])
def test_query_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuleError, match="no such query"):
        query_table(name, tmp_path)
