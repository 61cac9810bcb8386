"""Environment variables that scripts read."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.scripts_env import script_reads


def reads(tmp_path: Path, path: str, text: str) -> list[tuple[str, str | None, str]]:
    return [(r.name, r.default, r.required) for r in script_reads(store_of(tmp_path, {path: text}))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('os.environ["A_B"]', [("A_B", None, "yes")]),
        ('os.environ.get("A_B", "x")', [("A_B", "x", "no")]),
        ('os.getenv("A_B")', [("A_B", None, "no")]),
        ("getenv(NAME)", [("C_D", None, "no")]),
        ('os.environ["A_B"] = "x"', []),
        ('settings.get("A_B")', []),
        ('print("os.environ")', []),
    ],
)
def test_python(tmp_path: Path, line: str, expected: list[tuple[str, str | None, str]]) -> None:
    text = f'import os\nfrom os import getenv\n\nNAME = "C_D"\n{line}\n'
    assert reads(tmp_path, "tool.py", text) == expected


@pytest.mark.filterwarnings("error")
def test_unknown_escapes_are_not_complained_about(tmp_path: Path) -> None:
    text = 'import os\n\npattern = "\\d\\777"\nquoted = "\\""\nos.environ["A_B"]\n'
    assert reads(tmp_path, "tool.py", text) == [("A_B", None, "yes")]


def test_pydantic_settings(tmp_path: Path) -> None:
    text = (
        "from pydantic_settings import BaseSettings, SettingsConfigDict\n\n\nclass Settings(BaseSettings):\n"
        '    model_config = SettingsConfigDict(env_prefix="APP_")\n    port: int = 80\n    token: str\n'
        '    key: str = Field(alias="API_KEY")\n'
    )
    expected = [("APP_PORT", "80", "no"), ("APP_TOKEN", None, "yes"), ("API_KEY", None, "yes")]
    assert reads(tmp_path, "settings.py", text) == expected


@pytest.mark.parametrize("text", ["def (:\n os.environ['A']", "os.environ\x00"])
def test_python_that_does_not_parse(tmp_path: Path, text: str) -> None:
    assert reads(tmp_path, "tool.py", text) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('echo "$A_B"\n', [("A_B", None, "no")]),
        ("echo ${A_B:-x}\n", [("A_B", "x", "no")]),
        (': "${A_B:?missing}"\n', [("A_B", None, "yes")]),
        ('A_B="${A_B:-x}"\necho $A_B\n', [("A_B", "x", "no")]),
        ("A_B=x\necho $A_B\n", []),
        ("A_B=${A_B:-x}; echo $A_B\n", [("A_B", "x", "no")]),
        ("for A_B in 1 2; do echo $A_B; done\n", []),
        ("# $A_B\necho '$A_B'\n", []),
        ("echo $lower\n", []),
    ],
)
def test_shell(tmp_path: Path, text: str, expected: list[tuple[str, str | None, str]]) -> None:
    assert reads(tmp_path, "run.sh", text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all:\n\techo $(A_B)\n", [("A_B", None, "no")]),
        ("all:\n\techo $$A_B\n", [("A_B", None, "no")]),
        ("A_B ?= x\nall:\n\techo $(A_B)\n", [("A_B", "x", "no")]),
        ("A_B := x\nall:\n\techo $(A_B)\n", []),
        ("all:\n\t$(MAKE) $(wildcard *.go)\n", []),
    ],
)
def test_makefile(tmp_path: Path, text: str, expected: list[tuple[str, str | None, str]]) -> None:
    assert reads(tmp_path, "Makefile", text) == expected


def test_tests_and_other_files_are_left_out(tmp_path: Path) -> None:
    assert reads(tmp_path, "test_tool.py", "import os\nos.environ['A_B']\n") == []
    assert reads(tmp_path / "other", "notes.txt", "$A_B\n") == []
