"""go.mod and go.work."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from work_tree import WorkTree

from zuno_audit.source.modules import (
    ModuleTree,
    Replacement,
    Requirement,
    modules,
    parse_go_mod,
    parse_go_work,
    workspace,
)
from zuno_audit.source.walk import open_repository

GO_MOD = """// the module
module "example.com/m" // name

go 1.22.1
toolchain go1.22.3

require example.com/one v1.0.0
require (
\texample.com/two v2.0.0+incompatible // indirect
\t// a comment
\t`example.com/three` v0.0.0-20200101000000-abcdefabcdef//indirect
\texample.com/four v1.2.3 // not indirect
)
replace example.com/one => ../one
replace (
\texample.com/two v2.0.0 => example.com/fork v2.1.0
)
exclude example.com/five v1.0.0
retract [v1.0.0, v1.1.0] // broken
tool example.com/tool
"""


def test_everything_a_go_mod_says_has_a_line() -> None:
    module = parse_go_mod("svc/go.mod", GO_MOD)
    assert module.problems == ()
    assert (module.directory, module.path, module.line) == ("svc", "example.com/m", 2)
    assert (module.go, module.go_line, module.toolchain, module.toolchain_line) == (
        "1.22.1",
        4,
        "go1.22.3",
        5,
    )
    assert module.requires == (
        Requirement("example.com/one", "v1.0.0", 7),
        Requirement("example.com/two", "v2.0.0+incompatible", 9, True),
        Requirement("example.com/three", "v0.0.0-20200101000000-abcdefabcdef", 11, True),
        Requirement("example.com/four", "v1.2.3", 12),
    )
    assert module.replaces == (
        Replacement("example.com/one", "", "../one", "", 14),
        Replacement("example.com/two", "v2.0.0", "example.com/fork", "v2.1.0", 16),
    )
    assert [r.is_local for r in module.replaces] == [True, False]
    assert module.excludes == (Requirement("example.com/five", "v1.0.0", 18),)
    assert module.tools == (("example.com/tool", 20),)
    assert module.retracts == (("[ v1.0.0 , v1.1.0 ]", 19),)
    assert module.import_path("svc/a/b") == "example.com/m/a/b"
    assert module.requirement("example.com/four") == Requirement("example.com/four", "v1.2.3", 12)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("go 1.22\n", 1, "no module directive"),
        ("module m\nrequire (\nexample.com/a v1.0.0\n", 2, "not closed"),
        ("module m\nrequire example.com/a\n", 2, "takes a module path and a version"),
        ("module m\nreplace a b\n", 2, "`replace` takes"),
        ('module m\nrequire "example.com/a v1\n', 2, "cannot be read"),
        ("module m\n<<<<<<< HEAD\n", 2, "not a directive"),
    ],
)
def test_a_malformed_go_mod_leaves_a_problem_at_its_line(text: str, line: int, message: str) -> None:
    problems = parse_go_mod("go.mod", text).problems
    assert [(p.line, message in p.message) for p in problems] == [(line, True)]


def test_a_workspace_names_its_folders_from_the_root() -> None:
    work = parse_go_work(
        "go.work", "go 1.22\nuse .\nuse (\n\t./services/a // main\n\t./shared/\n)\nreplace x => ./y\n"
    )
    assert work.problems == ()
    assert work.uses == (("", 2), ("services/a", 4), ("shared", 5))
    assert (work.go, work.replaces) == ("1.22", (Replacement("x", "", "./y", "", 7),))


def test_modules_of_a_tree_and_the_module_of_a_file(tree: WorkTree) -> None:
    tree.write(
        {
            "go.mod": "module m\n",
            "go.work": "use ./svc\n",
            "svc/go.mod": "module m/svc\r\ngo 1.22\r\n",
            "svc/vendor/x/go.mod": "module x\n",
            "svc/testdata/go.mod": "module t\n",
            "tools/go.mod": b"\xff broken",
        }
    )
    repository = open_repository(tree.root)
    found = modules(repository)
    assert [(m.directory, m.path) for m in found] == [("", "m"), ("svc", "m/svc"), ("tools", "")]
    assert {p.path for m in found for p in m.problems} == {"tools/go.mod"}
    found_in = ModuleTree(found)
    assert [found_in.root_of(folder) for folder in ("svc/a", "", "other", "tools/x")] == [
        "svc",
        "",
        "",
        "tools",
    ]
    work = workspace(repository)
    assert work is not None
    assert work.uses == (("svc", 1),)
    assert ModuleTree(()).root_of("x") is None


def test_import_paths_and_folders() -> None:
    """A local `replace`, in a go.mod or the go.work, gives a folder of the tree a second path."""
    tree = ModuleTree(
        (
            parse_go_mod(
                "go.mod", "module m\nreplace (\n\tfork.io/a v1.0.0 => ./third/a\n\tb.io => ../b\n)\n"
            ),
            parse_go_mod("svc/go.mod", "module m/svc\nreplace m => ../\n"),
            parse_go_mod("third/a/go.mod", "module other.io/a\n"),
            parse_go_mod("docs/go.mod", ""),
        ),
        parse_go_work("go.work", "use ./svc\nreplace old.io/c => ./third/c\n"),
    )
    assert tree.import_path("svc/x") == "m/svc/x"
    assert tree.import_path("third/a/y") == "other.io/a/y"
    assert tree.import_path("docs/z") == "docs/z"
    assert list(tree.folders("fork.io/a/y")) == ["third/a/y"] == list(tree.folders("other.io/a/y"))
    assert list(tree.folders("old.io/c")) == ["third/c"]
    assert list(tree.folders("m")) == [""]
    assert list(tree.folders("m/svc/x")) == ["svc/x"]
    assert list(tree.folders("m/docs/z")) == []  # a go.mod ends the module around it
    assert list(tree.folders("b.io")) == [] == list(tree.folders("mm/x"))
    assert tree.shared == {"svc", "", "third/a", "third/c"}


@given(st.text(st.sampled_from('require()=>"`//\\ \n\tmodulevx.1'), max_size=80))
def test_no_text_makes_the_parsers_fail(text: str) -> None:
    for problem in (*parse_go_mod("go.mod", text).problems, *parse_go_work("go.work", text).problems):
        assert 1 <= problem.line <= text.count("\n") + 1
