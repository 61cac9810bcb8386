"""go.mod and go.sum against what the code imports."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.facts.gomod import (
    go_import_table,
    go_module_table,
    go_requirement_table,
    is_at_least,
)
from zuno_audit.source.modules import go_version

H1 = "h1:" + "A" * 43 + "="
MOD = """\
module example.com/app

go 1.25.1

require (
	example.org/used v1.0.0
	example.org/idle v1.0.0
	example.org/late v1.0.0 // indirect
)
"""
SUM = "".join(f"example.org/{m} v1.0.0{s} {H1}\n" for m in ("used", "idle", "late") for s in ("", "/go.mod"))
CODE = """\
// Package app is a comment with import "example.org/not"
package app

import (
	"fmt"
	_ "example.org/used/pkg" // a comment
	x "example.org/late"
)

var s = `import "example.org/string"`
"""


def test_requirements_are_compared_with_imports(tmp_path: Path) -> None:
    rows = go_requirement_table(store_of(tmp_path, {"go.mod": MOD, "go.sum": SUM, "a.go": CODE})).rows
    assert [values(r, "module", "indirect", "imported", "tidy", "in_sum") for r in rows] == [
        ("example.org/used", "no", "yes", "yes", "yes"),
        ("example.org/idle", "no", "no", "no", "yes"),
        ("example.org/late", "yes", "yes", "no", "yes"),
    ]


def test_imports_of_tests_and_other_systems_count_but_ignored_files_do_not(tmp_path: Path) -> None:
    files = {
        "go.mod": MOD,
        "a_test.go": 'package a\n\nimport "example.org/idle/x"\n',
        "b.go": '//go:build windows\n\npackage a\n\nimport "example.org/used"\n',
        "gen.go": '//go:build ignore\n\npackage main\n\nimport "example.org/late"\n',
        "vendor/v/v.go": 'package v\n\nimport "example.org/elsewhere"\n',
        "testdata/t.go": 'package t\n\nimport "example.org/elsewhere"\n',
    }
    store = store_of(tmp_path, files)
    assert column(go_requirement_table(store), "imported") == ["yes", "yes", "no"]
    assert column(go_import_table(store), "import") == ["example.org/idle/x", "example.org/used"]


@pytest.mark.parametrize(("mark", "tidy"), [(" // indirect", "yes"), ("", "no")])
def test_what_only_a_tool_directive_needs_is_indirect(tmp_path: Path, mark: str, tidy: str) -> None:
    mod = (
        f"module example.com/a\n\ngo 1.24\n\ntool example.org/t/cmd/t\n\nrequire example.org/t v1.0.0{mark}\n"
    )
    (row,) = go_requirement_table(store_of(tmp_path, {"go.mod": mod, "a.go": "package a\n"})).rows
    assert values(row, "imported", "tidy") == ("no", tidy)


def test_a_tool_that_code_imports_as_well_is_a_direct_requirement(tmp_path: Path) -> None:
    mod = "module example.com/a\n\ngo 1.24\n\ntool example.org/t/cmd/t\n\nrequire example.org/t v1.0.0\n"
    code = 'package a\n\nimport _ "example.org/t/lib"\n'
    (row,) = go_requirement_table(store_of(tmp_path, {"go.mod": mod, "a.go": code})).rows
    assert values(row, "imported", "tidy") == ("yes", "yes")


def test_an_import_that_no_module_provides_is_seen(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"go.mod": MOD, "a.go": 'package a\n\nimport "example.org/usedtoo"\n'})
    (row,) = go_import_table(store).rows
    assert values(row, "provided", "module") == ("no", None)


@pytest.mark.parametrize(
    ("gone", "expected"),
    [
        (f"example.org/used v1.0.0 {H1}\n", "no"),
        (f"example.org/used v1.0.0/go.mod {H1}\n", "no"),
        (f"example.org/late v1.0.0 {H1}\n", "yes"),
    ],
)
def test_every_hash_of_a_requirement_has_to_be_in_go_sum(tmp_path: Path, gone: str, expected: str) -> None:
    store = store_of(tmp_path, {"go.mod": MOD, "go.sum": SUM.replace(gone, ""), "a.go": CODE})
    assert go_requirement_table(store).rows[0].get("in_sum").value == expected


def test_a_go_sum_that_the_go_command_refuses_vouches_for_nothing(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"go.mod": MOD, "go.sum": SUM + "<<<<<<< ours\n", "a.go": CODE})
    in_sum = go_requirement_table(store).rows[0].get("in_sum")
    assert (in_sum.value, in_sum.failed) == ("unknown", True)


@pytest.mark.parametrize(("folder", "expected"), [("./local", "yes"), ("./other", "no"), ("../local", "no")])
def test_a_module_replaced_by_a_folder_needs_that_folder_and_no_hash(
    tmp_path: Path, folder: str, expected: str
) -> None:
    mod = f"{MOD}\nreplace example.org/used => {folder}\n"
    files = {"go.mod": mod, "go.sum": "", "a.go": CODE, "local/go.mod": "module example.org/used\n"}
    rows = go_requirement_table(store_of(tmp_path, files)).rows
    assert rows[0].get("in_sum").value == expected


def test_an_untracked_go_sum_does_not_count(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"go.mod": MOD, "a.go": CODE}, {"go.sum": SUM})
    (row,) = go_module_table(store).rows
    assert values(row, "tracked", "sum_tracked", "go") == ("yes", "no", "1.25.1")


def test_a_line_that_is_no_directive_is_a_problem(tmp_path: Path) -> None:
    table = go_module_table(store_of(tmp_path, {"go.mod": MOD + "<<<<<<< HEAD\n", "go.sum": "x y\n"}))
    assert [p.path for p in table.problems] == ["go.mod", "go.sum"]


def test_go_versions_are_ordered_like_releases() -> None:
    order = ["1.20", "1.21rc2", "1.21", "1.21.3", "1.25.0", "1.25.1"]
    assert sorted(order, key=lambda v: go_version(v) or (0, 0, 0, 0)) == order
    assert not is_at_least("1.24", "1.25.1")
    assert go_version("tip") is None


def test_a_module_in_a_folder_of_another_one_is_imported_like_any_other(tmp_path: Path) -> None:
    mod = "module example.com/app\n\ngo 1.25\n\nrequire example.com/app/clock v1.0.0\n"
    code = 'package app\n\nimport "example.com/app/clock"\n\nvar _ = clock.Now\n'
    files = {
        "go.mod": mod,
        "app.go": code,
        "clock/go.mod": "module example.com/app/clock\n\ngo 1.25\n",
        "clock/clock.go": "package clock\n\nfunc Now() int { return 0 }\n",
    }
    table = go_requirement_table(store_of(tmp_path, files))
    assert [(row.get("imported").value, row.get("tidy").value) for row in table.rows] == [("yes", "yes")]


def test_a_module_without_code_may_serve_something_else(tmp_path: Path) -> None:
    mod = "module example.com/site\n\ngo 1.25\n\nrequire example.org/theme v1.0.0\n"
    table = go_requirement_table(store_of(tmp_path, {"site/go.mod": mod, "site/config.toml": ""}))
    assert table.rows == ()


def test_a_workspace_has_a_go_sum_of_its_own(tmp_path: Path) -> None:
    own, shared = SUM.splitlines(keepends=True)[:1], SUM.splitlines(keepends=True)[1:]
    files = {"app/go.mod": MOD, "app/go.sum": "".join(own), "app/app.go": CODE}
    assert "no" in values_of_sums(tmp_path / "without", files)
    work = {"go.work": "go 1.25\n\nuse ./app\n", "go.work.sum": "".join(shared)}
    assert "no" not in values_of_sums(tmp_path / "with", {**files, **work})


def values_of_sums(root: Path, files: dict[str, str]) -> set[object]:
    return {row.get("in_sum").value for row in go_requirement_table(store_of(root, files)).rows}
