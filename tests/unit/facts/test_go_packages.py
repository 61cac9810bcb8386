"""Packages, their files and what binaries link, from the heads of the files."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.go.linked import linked
from zuno_audit.facts.go.program import program
from zuno_audit.facts.go_packages import GoImport, go_packages, read_head

GO_MOD = "module example.com/x\n\ngo 1.22\n"


def _main(*imports: str) -> str:
    return "package main\n\n" + "".join(f'import _ "{path}"\n' for path in imports) + "\nfunc main() {}\n"


def test_the_head_of_a_file() -> None:
    text = (
        "\ufeff// Copyright\n\n//go:build linux && !race // why\n\n/* of */ package /* name */ a // comment\n"
        'import "fmt"\nimport (\n\tb "x.io/b" // why\n\t. `x.io/c`\n)\n\nvar d = "import"\nimport "late"\n'
    )
    head = read_head("a.go", text.encode())
    assert (head.package, head.constraint) == ("a", "linux && !race // why")
    assert head.imports == (GoImport("", "fmt", 6), GoImport("b", "x.io/b", 8), GoImport(".", "x.io/c", 9))


def test_no_constraint_behind_the_package_clause() -> None:
    head = read_head("a.go", b"package a\n\n//go:build ignore\n\nfunc f() {}\n")
    assert (head.constraint, head.is_built) == ("", True)


@pytest.mark.parametrize(
    ("name", "head", "built"),
    [
        ("a.go", "", True),
        ("a_linux.go", "", True),
        ("a_windows.go", "", False),
        ("a_linux_arm64.go", "", False),
        ("a_test_arm64.go", "", False),
        ("linux.go", "", True),
        ("a.go", "//go:build !windows && (amd64 || arm64)\n\n", True),
        ("a.go", "//go:build integration\n\n", False),
        ("a.go", "//go:build ignore\n\n", False),
        ("a.go", "/*\n//go:build ignore\n*/\n\n", True),
    ],
)
def test_the_files_of_the_default_build(tmp_path: Path, name: str, head: str, built: bool) -> None:
    store = store_of(tmp_path, {"go.mod": GO_MOD, f"p/{name}": f"{head}package p\n", "p/p.go": "package p\n"})
    package = store.get(go_packages).by_directory["p"]
    assert [h.path for h in package.files if h.path != "p/p.go"] == ([f"p/{name}"] if built else [])
    found = store.get(program).package_in("p")
    assert found is not None
    assert found.files == tuple(h.path for h in package.files)


def test_binaries_link_what_their_default_build_imports(tmp_path: Path) -> None:
    store = store_of(
        tmp_path,
        {
            "go.mod": GO_MOD,
            "cmd/a/main.go": _main("example.com/x/b"),
            "cmd/a/main_windows.go": 'package main\n\nimport _ "example.com/x/windows"\n',
            "cmd/a/main_test.go": 'package main\n\nimport _ "example.com/x/tests"\n',
            "cmd/tool/main.go": "//go:build tools\n\n" + _main("example.com/x/tools"),
            "b/b.go": 'package b\n\nimport _ "example.com/x/c"\n',
            "b/b_race.go": '//go:build race\n\npackage b\n\nimport _ "example.com/x/race"\n',
            "b/doc.go": 'package documentation\n\nimport _ "example.com/x/docs"\n',
            **{f"{p}/{p}.go": f"package {p}\n" for p in ("c", "windows", "tests", "tools", "race", "docs")},
        },
    )
    packages = store.get(go_packages)
    assert packages.mains() == ["cmd/a"]
    assert packages.linked["cmd/a"] == {"cmd/a", "b", "c"}
    assert packages.binaries_of("c") == ["cmd/a"]
    assert not packages.is_linked("windows")
    assert sorted(store.get(linked).files) == ["b/b.go", "c/c.go", "cmd/a/main.go"]


@pytest.mark.parametrize(
    ("main_mod", "work"),
    [
        ("module m.io/app\n\nreplace old.io/lib v1.2.0 => ../lib\n", None),
        ("module m.io/app\n", "use (\n\t./app\n\t./lib\n)\nreplace old.io/lib => ./lib\n"),
    ],
    ids=["go.mod", "go.work"],
)
def test_binaries_link_through_a_local_replace(tmp_path: Path, main_mod: str, work: str | None) -> None:
    files = {
        "app/go.mod": main_mod,
        "app/main.go": _main("old.io/lib/deep", "new.io/lib"),
        "lib/go.mod": "module new.io/lib\n",
        "lib/lib.go": "package lib\n",
        "lib/deep/deep.go": "package deep\n",
    }
    store = store_of(tmp_path, files if work is None else {**files, "go.work": work})
    assert store.get(go_packages).linked == {"app": {"app", "lib", "lib/deep"}}
    found = store.get(program).package("old.io/lib/deep")
    assert found is not None
    assert found.folder == "lib/deep"


def test_what_is_replaced_by_a_folder_outside_is_not_in_the_tree(tmp_path: Path) -> None:
    files = {
        "go.mod": "module m.io/app\n\nreplace x.io/lib => ../lib\n",
        "main.go": _main("x.io/lib"),
        "lib/lib.go": "package lib\n",
    }
    packages = store_of(tmp_path, files).get(go_packages)
    assert packages.linked == {"": {""}}
    assert packages.at("x.io/lib") is None


def test_a_missing_package_is_one_of_our_modules_without_go_files(tmp_path: Path) -> None:
    files = {"go.mod": GO_MOD, "main.go": _main(), "w/w_windows.go": "package w\n", "d/notes.txt": "x"}
    packages = store_of(tmp_path, files).get(go_packages)
    missing = [
        p for p in ("fmt", "example.com/x/d", "example.com/x/w", "example.com/xy") if packages.lacks(p)
    ]
    assert missing == ["example.com/x/d"]
