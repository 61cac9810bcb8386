"""Whether env files stay out of git."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.facts.gitignore import env_protection, tracked_env_file


def protected(tmp_path: Path, files: dict[str, str]) -> list[tuple[object, ...]]:
    table = env_protection(store_of(tmp_path, files))
    return [values(row, "file", "protected") for row in table.rows]


@pytest.mark.parametrize(
    "text", [".env\n", ".env*\n!.env.example\n", "*.env\n.env\n", "/.env\n", "**/.env\n"]
)
def test_patterns_that_protect(tmp_path: Path, text: str) -> None:
    assert protected(tmp_path, {".gitignore": text}) == [(".env", "yes")]


@pytest.mark.parametrize(
    "text", ["", "# .env\n", ".env\n!.env\n", ".env.*\n", "env\n", ".env/\n", "services/.env\n", ".envrc\n"]
)
def test_patterns_that_do_not(tmp_path: Path, text: str) -> None:
    assert protected(tmp_path, {".gitignore": text}) == [(".env", "no")]


def test_an_untracked_ignore_file_and_the_one_of_the_clone_protect_nobody_else(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"a": ""}, {".gitignore": ".env\n"})
    assert column(env_protection(store), "protected") == ["no"]
    other = tmp_path / "other"
    other.mkdir()
    store = store_of(other, {"a": ""}, {".git/info/exclude": ".env\n"})
    (row,) = env_protection(store).rows
    assert values(row, "ignored", "protected") == ("yes", "no")
    assert "git does not share" in row.get("protected").because


def test_a_tracked_env_file_is_not_protected_by_a_pattern(tmp_path: Path) -> None:
    store = store_of(tmp_path, {".gitignore": ".env\n", ".env": "A=1\n"})
    assert column(env_protection(store), "protected") == ["no"]
    assert column(tracked_env_file(store), "file") == [".env"]


def test_env_files_of_services_count_at_their_depth(tmp_path: Path) -> None:
    compose = "services:\n  a: {image: x, env_file: [.env, services/a/.env, a.env.example]}\n"
    assert protected(tmp_path, {".gitignore": "/.env\n", "compose.yml": compose}) == [
        (".env", "yes"),
        ("services/a/.env", "no"),
    ]


def test_a_nested_ignore_file_may_take_the_file_back(tmp_path: Path) -> None:
    compose = "services:\n  a: {image: x, env_file: services/a/.env}\n"
    files = {".gitignore": ".env\n", "services/a/.gitignore": "!.env\n", "compose.yml": compose}
    assert protected(tmp_path, files)[1] == ("services/a/.env", "no")


@pytest.mark.parametrize(
    "files",
    [
        {"services/a/.gitignore": "!.env\n"},
        {"services/a/.gitignore": "*\n!.*\n"},
        {".gitignore": ".env\n!/services/a/.env\n"},
    ],
)
def test_an_env_file_that_is_taken_back_needs_no_service(tmp_path: Path, files: dict[str, str]) -> None:
    found = protected(tmp_path, {".gitignore": ".env\n", **files})
    assert found == [(".env", "yes"), ("services/a/.env", "no")]


@pytest.mark.parametrize("text", ["!.env.example\n", "!.env\n.env\n", "!main.go\n"])
def test_other_patterns_of_a_nested_ignore_file(tmp_path: Path, text: str) -> None:
    found = protected(tmp_path, {".gitignore": ".env\n", "services/a/.gitignore": text})
    assert found == [(".env", "yes")]


def test_the_pattern_is_the_proof(tmp_path: Path) -> None:
    (row,) = env_protection(store_of(tmp_path, {".gitignore": "tmp\n.env\n"})).rows
    assert (row.location.path, row.location.line) == (".gitignore", 2)


def test_which_tracked_files_are_env_files(tmp_path: Path) -> None:
    names = [".env.example", ".env.production", "a/.env", ".env.sample", ".env.test", ".envrc", "env.go"]
    rows = tracked_env_file(store_of(tmp_path, dict.fromkeys(names, ""))).rows
    assert [values(row, "file", "shared") for row in rows] == [
        (".env.production", "no"),
        (".env.test", "yes"),
        ("a/.env", "no"),
    ]


@pytest.mark.parametrize(
    ("compose", "matters"),
    [
        ("services:\n  a: [\n", False),
        ("services:\n  a:\n    env_file: secrets.env\n  b: [\n", True),
        ('services:\n  a:\n    "env\\u005ffile": secrets.env\n  b: [\n', True),
    ],
)
def test_a_compose_file_that_does_not_parse_matters_where_it_may_name_env_files(
    tmp_path: Path, compose: str, matters: bool
) -> None:
    table = env_protection(store_of(tmp_path, {".gitignore": ".env\n", "compose.yml": compose}))
    assert bool(table.problems) is matters
