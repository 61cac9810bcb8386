"""The ignore rules against `git check-ignore`, and their meaning in a repository."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from work_tree import WorkTree

from zuno_audit.source.gitignore import IgnoreRules, _Matcher, _NeverMatches, _tokens, parse_ignore_file
from zuno_audit.source.repository import Repository
from zuno_audit.source.walk import open_repository

PATTERNS = [
    "*.log",
    "!keep.log",
    "/root.txt",
    "build/",
    "/dist/",
    "a/b",
    "a/**",
    "**/deep",
    "a/**/z",
    "**/x/**",
    "foo**bar",
    "foo**/bar",
    "x/**y",
    "[a-c].go",
    "[!a-c].go",
    "[^a]x",
    "[]a]x",
    "[a-]x",
    "[[:digit:]]*",
    "[[:nope:]]x",
    "[[:alpha:]",
    "[a",
    "\\!bang",
    "\\#hash",
    "#comment",
    "trailing\\ ",
    "spaces   ",
    "tab\t",
    " lead",
    "*",
    "!*/",
    "!*.go",
    "\\",
    "a\\",
    "\\a",
    "*a*b*c*d",
    "?",
    "??",
    "a?c",
    "**",
    "***",
    "a/***/b",
    "/**/c",
    "/",
    "//",
    "!",
    "!/",
    "a//b",
    "/a/",
    ".*",
    "*.",
    "a[/]b",
    "vendor/*",
    "!vendor/mod.go",
    "sub/*.go",
    "*/q",
]
PATHS = [
    "keep.log",
    "x.log",
    "root.txt",
    "d/root.txt",
    "build/",
    "build/x",
    "d/build/",
    "d/build/y",
    "dist/",
    "d/dist/",
    "a/b",
    "d/a/b",
    "a/",
    "a/q/z",
    "a/z",
    "deep",
    "d/deep",
    "d/e/deep",
    "x/",
    "d/x/y",
    "x/y",
    "x/ay",
    "x/a/y",
    "foobar",
    "fooxbar",
    "foo/bar",
    "foo/x/bar",
    "foo-x/bar",
    "a.go",
    "d.go",
    "ax",
    "bx",
    "]x",
    "-x",
    "9z",
    "!bang",
    "#hash",
    "trailing",
    "spaces",
    "abcd",
    "axbxcxd",
    "bb",
    "a?",
    "abc",
    "axc",
    ".env",
    ".a/b",
    "a.",
    "vendor/",
    "vendor/mod.go",
    "vendor/x/y.go",
    "sub/a.go",
    "sub/t/a.go",
    "z/q",
    "z/z/q",
    "c",
    "d/c",
    "e/d/c",
    "a/x/b",
    "q",
    "tab",
    "lead",
]


Answers = dict[str, tuple[str, int, bytes] | None]


def _by_git(root: Path, paths: list[str]) -> Answers:
    """What git says: path -> (source, line, pattern) or None."""
    data = b"".join(os.fsencode(p) + b"\0" for p in paths)
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", "-v", "-n", "-z", "--stdin"],
        cwd=root,
        input=data,
        capture_output=True,
        check=False,
        env={"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    assert done.returncode in (0, 1), done.stderr
    parts = done.stdout.split(b"\0")
    found: Answers = {}
    for source, line, pattern, path in zip(*[iter(parts)] * 4, strict=False):
        found[os.fsdecode(path)] = (source.decode(), int(line), pattern) if source else None
    return found


def _by_us(root: Path, paths: list[str]) -> Answers:
    rules = IgnoreRules(root, root, root / ".git" / "info" / "exclude")
    found: Answers = {}
    for path in paths:
        match = rules.match(os.fsencode(path), (root / path).is_dir())
        found[path] = None if match is None else (match.source, match.line, match.pattern.encode())
    return found


def _agree(repo: WorkTree, files: Mapping[str, bytes], paths: Sequence[str]) -> None:
    """Paths that end in `/` are made on disk first: git asks the disk what is a folder."""
    repo.write(files)
    for path in paths:
        if path.endswith("/"):
            (repo.root / path).mkdir(parents=True, exist_ok=True)
    names = list(dict.fromkeys(path.rstrip("/") for path in paths if "//" not in path))
    assert _by_us(repo.root, names) == _by_git(repo.root, names)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_each_pattern_alone_agrees_with_git(repo: WorkTree, pattern: str) -> None:
    _agree(repo, {".gitignore": pattern.encode() + b"\n"}, PATHS)


def test_all_patterns_together_agree_with_git_in_both_orders(repo: WorkTree) -> None:
    _agree(repo, {".gitignore": "\n".join(PATTERNS).encode()}, PATHS)
    _agree(repo, {".gitignore": "\n".join(reversed(PATTERNS)).encode()}, PATHS)


def test_crlf_bom_missing_final_newline_and_nul_agree_with_git(repo: WorkTree) -> None:
    _agree(
        repo,
        {".gitignore": b"\xef\xbb\xbf*.log\r\nbuild/\r\n\xff*.x\nno\0thing\nlast.go"},
        [*PATHS, "last.go", "no"],
    )


def test_nested_files_and_exclude_agree_with_git(repo: WorkTree) -> None:
    files = {
        ".gitignore": b"*.log\nclosed/\n/only-root\nopen/*\n!open/in\n",
        "open/.gitignore": b"!x.log\n/y.go\nsub/z\n",
        "open/in/.gitignore": b"*\n!*.go\n",
        "closed/.gitignore": b"!inside.go\n",
        ".git/info/exclude": b"secret.txt\n!closed/\nopen/in/k.go\n*.tmp\n",
    }
    names = ["x.log", "y.go", "inside.go", "secret.txt", "k.go", "a.tmp", "sub/z", "only-root", "q/r.go", "z"]
    folders = ["", "open/", "open/in/", "open/in/deep/", "closed/", "other/"]
    _agree(repo, files, [f + n for f in folders for n in names] + ["open/", "open/in/", "closed/"])


LETTERS = st.sampled_from(
    ["a", "b", "*", "**", "/", "?", "[ab]", "[!a]", "[a-c]", "\\", "!", "#", " ", ".", "[", "]", "-", ":"]
)
LINES = st.lists(LETTERS, min_size=1, max_size=7).map("".join)
NAMES = st.text("ab.!# -[]", min_size=1, max_size=4).filter(lambda n: n not in (".", ".."))
TREE_PATHS = st.tuples(st.lists(NAMES, min_size=1, max_size=4).map("/".join), st.sampled_from(["", "/"])).map(
    "".join
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    top=st.lists(LINES, min_size=1, max_size=12),
    nested=st.lists(LINES, max_size=4),
    paths=st.lists(TREE_PATHS, min_size=1, max_size=40),
)
def test_random_patterns_agree_with_git(
    repo: WorkTree, top: list[str], nested: list[str], paths: list[str]
) -> None:
    with TemporaryDirectory(dir=repo.root) as folder:  # folders of one example must not be seen by the next
        inner = type(repo)(Path(folder)).init()
        files = {".gitignore": "\n".join(top).encode(), "a/.gitignore": "\n".join(nested).encode()}
        _agree(inner, files, [*_without_clashes(paths), "a/b", "a/a/b", "a/ab/"])


def _without_clashes(paths: list[str]) -> list[str]:
    """Paths of which none is a folder and a file at once."""
    folders = {p.rstrip("/") for p in paths if p.endswith("/")} | {"a", "a/a", "a/ab"}
    above = {"/".join(f.split("/")[:n]) for f in [*folders, *paths] for n in range(1, f.count("/") + 1)}
    return [p for p in paths if p.endswith("/") or p not in folders | above]


@example("**/", False, ["a"])
@example("**/a", False, ["ba", "b/a", "a"])
@given(LINES, st.booleans(), st.lists(st.text("ab./-", max_size=8), max_size=20))
def test_both_ways_of_matching_give_the_same_answer(pattern: str, is_name: bool, texts: list[str]) -> None:
    try:
        matcher = _Matcher(_tokens(pattern.encode(), is_name))
    except _NeverMatches:
        return
    for text in texts:
        assert matcher(text.encode()) == matcher.follow(text.encode())


@given(st.binary(max_size=200))
def test_no_ignore_file_makes_the_parser_fail(data: bytes) -> None:
    assert all(pattern.line >= 1 for pattern in parse_ignore_file(data))


def test_a_pattern_made_to_explode_is_matched_in_bounded_time(tree: WorkTree) -> None:
    tree.write(
        {
            ".gitignore": b"*a" * 60 + b"b\n" + b"**/*a" * 40 + b"/b\n",
            "a" * 250: "",
            ("a" * 60 + "/") * 20 + "c": "",
        }
    )
    started = time.monotonic()
    assert len(open_repository(tree.root).files) == 3
    assert time.monotonic() - started < 5


def _answers(repository: Repository, paths: list[str]) -> dict[str, object]:
    return {p: m and (m.source, m.line, m.pattern, m.negated) for p, m in repository.ignored(paths).items()}


def test_the_answer_names_file_line_and_pattern(repo: WorkTree) -> None:
    repo.write({".gitignore": "# all\n*.log\n", "logs/.gitignore": "!keep.log\n", "main.go": ""})
    answer = _answers(open_repository(repo.root), ["x.log", "logs/keep.log", "main.go"])
    assert answer == {
        "x.log": (".gitignore", 2, "*.log", False),
        "logs/keep.log": ("logs/.gitignore", 1, "!keep.log", True),
        "main.go": None,
    }


def test_a_tracked_file_is_still_said_to_be_ignored_by_the_patterns(repo: WorkTree) -> None:
    repo.write({".env": "A=1\n"}).commit()
    repo.write({".gitignore": ".env\n"})
    repository = open_repository(repo.root)
    assert repository.is_tracked(".env")
    assert repository.is_ignored(".env") is True


def test_paths_that_do_not_exist_can_be_asked_about(repo: WorkTree) -> None:
    repo.write({".gitignore": ".env*\n!.env.example\nbuild/\n"})
    repository = open_repository(repo.root)
    asked = [".env", "services/a/.env.local", ".env.example", "build", "build/", "../x", "/etc/passwd"]
    assert [repository.is_ignored(path) for path in asked] == [True, True, False, False, True, None, None]


def test_a_negation_that_cannot_reach_below_an_ignored_folder_changes_nothing(repo: WorkTree) -> None:
    repo.write({".gitignore": "config/\n!config/.env.example\n"})
    assert open_repository(repo.root).is_ignored("config/.env.example") is True


def test_rules_above_the_audited_folder_count_and_are_named(repo: WorkTree) -> None:
    repo.write({".gitignore": "*.log\n", "svc/.gitignore": "tmp\n", "svc/main.go": "", "svc/a.log": ""})
    repository = open_repository(repo.root / "svc")
    assert list(repository.files) == [".gitignore", "main.go"]
    answer = _answers(repository, ["a.log", "tmp"])
    assert answer == {"a.log": ("../.gitignore", 1, "*.log", False), "tmp": (".gitignore", 1, "tmp", False)}


def test_exclude_is_found_in_a_linked_work_tree(repo: WorkTree, tmp_path: Path) -> None:
    repo.write({"main.go": ""}).commit()
    repo.write({".git/info/exclude": "*.secret\n"})
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    repository = open_repository(tmp_path / "linked")
    assert list(repository.files) == ["main.go"]
    assert repository.is_ignored("a.secret") is True
