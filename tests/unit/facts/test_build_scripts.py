"""Build scripts: which packages they name, from which folder."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.build_scripts import build_script_table

MAIN = 'package main\n\nimport "example.com/app/shared"\n\nfunc main() { shared.X() }\n'
TREE = {
    "go.mod": "module example.com/app\n\ngo 1.25\n",
    "services/a/cmd/main.go": MAIN,
    "shared/x.go": "package shared\n\nfunc X() {}\n",
}


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("b/a.bat", "@echo off\r\ngo build -o build/a ./services/a/cmd\r\n", ("services/a/cmd", "yes", "no")),
        (
            "b/a.bat",
            "pushd %~dp0..\r\ngo build ^\r\n -o x .\\services\\a\\cmd\r\n",
            ("services/a/cmd", "yes", "yes"),
        ),
        ("b/a.bat", "rem go build ./nothing\ngo build ./services/a/cmdd\n", ("services/a/cmdd", "no", "no")),
        (
            "b/a.sh",
            'cd "$(dirname "$0")/.." && GOOS=linux go build ./services/a/cmd\n',
            ("services/a/cmd", "yes", "yes"),
        ),
        ("b/a.sh", "(cd services && go build ./a/cmd)\n", ("services/a/cmd", "yes", "no")),
        ("b/a.sh", "go build services/a/cmd\n", ("services/a/cmd", "no", "no")),
        ("b/a.sh", "go build ./shared\n", ("shared", "no", "no")),
        ("b/a.sh", "go build ./services/a/cmd/main.go\n", ("services/a/cmd", "yes", "no")),
        ("b/a.sh", "go build -C services/a ./cmd\n", ("services/a/cmd", "yes", "no")),
        ("b/a.sh", 'go build "$TARGET"\n', (None, "unknown", "unknown")),
        (
            "Makefile",
            "SVC := a\nbuild:\n\t@cd services && \\\n\tgo build ./$(SVC)/cmd\n",
            ("services/a/cmd", "yes", "yes"),
        ),
    ],
)
def test_what_a_script_builds(tmp_path: Path, path: str, text: str, expected: tuple[object, ...]) -> None:
    (row,) = build_script_table(store_of(tmp_path, {**TREE, path: text})).rows
    assert values(row, "package", "works", "from_own_folder") == expected


def test_a_binary_whose_own_package_is_gone_cannot_be_built(tmp_path: Path) -> None:
    files = {k: v for k, v in TREE.items() if not k.startswith("shared/")}
    (row,) = build_script_table(store_of(tmp_path, {**files, "b.sh": "go build ./services/a/cmd\n"})).rows
    assert row.get("works").value == "no"
    assert "example.com/app/shared does not exist" in row.get("works").because


def test_installing_a_tool_of_another_module_is_no_build(tmp_path: Path) -> None:
    text = "go install example.org/tool@v1\ngo install example.org/tool/cmd\n"
    assert build_script_table(store_of(tmp_path, {**TREE, "b.sh": text})).rows == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.bat", "goto :eof\ngo build ./services/a/cmd\n"),
        ("a.bat", "exit /b 0\ngo build ./services/a/cmd\n"),
        ("a.bat", "echo go build ./services/a/cmd\n"),
        ("a.bat", "goto end\ngo build ./services/a/cmd\n:end\necho done\n"),
        ("a.sh", "exit 0\ngo build ./services/a/cmd\n"),
        ("a.sh", "printf 'go build ./services/a/cmd'\necho go build ./services/a/cmd\n"),
    ],
)
def test_what_is_never_reached_or_only_printed_builds_nothing(tmp_path: Path, path: str, text: str) -> None:
    assert build_script_table(store_of(tmp_path, {**TREE, path: text})).rows == ()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.bat", "if not exist go.mod (\n  exit /b 1\n)\ngo build ./services/a/cmd\n"),
        ("a.bat", "goto build\n:build\ngo build ./services/a/cmd\n"),
        ("a.bat", "if errorlevel 1 goto fail\ngo build ./services/a/cmd\n:fail\n"),
        ("a.sh", "if [ ! -f go.mod ]; then\n  exit 1\nfi\ngo build ./services/a/cmd\n"),
        ("a.sh", "die() {\n  exit 1\n}\ntest -f go.mod || exit 1\ngo build ./services/a/cmd\n"),
        ("a.sh", "go build example.com/app/services/a/cmd\n"),
    ],
)
def test_what_is_reached_builds(tmp_path: Path, path: str, text: str) -> None:
    (row,) = build_script_table(store_of(tmp_path, {**TREE, path: text})).rows
    assert values(row, "package", "works") == ("services/a/cmd", "yes")


def test_a_binary_with_a_mistake_in_it_cannot_be_built(tmp_path: Path) -> None:
    files = {
        **TREE,
        "shared/x.go": "package shared\n\nfunc X(n int) {}\n",
        "b.sh": "go build ./services/a/cmd\n",
    }
    (row,) = build_script_table(store_of(tmp_path, files)).rows
    assert row.get("works").value == "no"
    assert "services/a/cmd/main.go:5 does not compile" in row.get("works").because


ABROAD = {
    **TREE,
    "go.mod": "module example.com/app\n\ngo 1.25\n\nrequire example.org/near v1.0.0\n",
    "go.sum": "example.org/near v1.0.0 h1:x=\nexample.org/near v1.0.0/go.mod h1:x=\n",
    "shared/x.go": 'package shared\n\nimport (\n\t"strings"\n\n\t"example.org/near/sub"\n)\n\n'
    "func X() { sub.Do(strings.ToUpper(``)) }\n",
    "b.sh": "go build ./services/a/cmd\n",
}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "yes"),
        ({"go.mod": "module example.com/app\n\ngo 1.25\n"}, "no"),
        ({"go.mod": "module example.com/app\n\ngo 1.25\n\nrequire example.org/nearby v1.0.0\n"}, "no"),
        ({"unlinked/y.go": 'package unlinked\n\nimport "example.org/far"\n\nvar _ = far.Y\n'}, "yes"),
        ({"shared/x_test.go": 'package shared\n\nimport "example.org/far"\n\nvar _ = far.Y\n'}, "yes"),
        (
            {
                "shared/y.go": '//go:build never\n\npackage shared\n\nimport "example.org/far"\n\nvar _ = far.Y\n'
            },
            "yes",
        ),
    ],
)
def test_a_binary_needs_a_module_for_what_it_imports(
    tmp_path: Path, change: dict[str, str], expected: str
) -> None:
    (row,) = build_script_table(store_of(tmp_path, {**ABROAD, **change})).rows
    works = row.get("works")
    assert works.value == expected
    if expected == "no":
        assert (
            "shared/x.go:6 imports example.org/near/sub, which no module in go.mod provides" in works.because
        )
