"""Comments: what is one in each format, and what only looks like one."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.languages.comments import comments, syntax_of

CASES = {
    "a.go": ('x := "// no" // yes\ny := `\n// no\n` /* yes\n*/\nr := \'"\' // yes\n', [1, 4, 6]),
    "go.mod": ("module x // yes\n", [1]),
    "a.yml": ('a: b # yes\nc: "# no"\nd: |\n  # no\n  x\n# yes\ne: x#no\nf:\n- a # yes\n', [1, 6, 9]),
    "a.sh": (
        "echo '# no' # yes\ncat <<EOF\n# no\nEOF\n# yes\necho $# ${#x} \"# no\n# no\" \\# no # yes\n",
        [1, 5, 7],
    ),
    "Dockerfile": ("# yes\nRUN echo # no\nRUN <<EOF\n# no\nEOF\n  # yes\n", [1, 6]),
    "deploy/Dockerfile.dev": ("# yes\n", [1]),
    "a.sql": (
        "select '-- no'; -- yes\n/* yes */ do $$ -- no\n$$; -- yes\nselect $1, $2; -- yes\n",
        [1, 2, 3, 4],
    ),
    "a.md": (
        "<!-- yes -->\n```\n<!-- no -->\n```\n`<!-- no -->` x <!-- yes -->\n~~~ go\n<!-- no -->\n~~~\n",
        [1, 5],
    ),
    "a.html": ("<p> # no <!-- yes -->\n", [1]),
    "a.bat": ("REM yes\r\n:: yes\r\n@rem yes\r\necho rem no\r\nremove no\r\n", [1, 2, 3]),
    "a.ps1": ("'# no' # yes\n<# yes\n#>\n@\"\n# no\n\"@\n$x#no\n", [1, 2]),
    ".env.example": ('A=1 # yes\nB="# no"\n#yes\nC=a#no\n', [1, 3]),
    ".gitignore": ("# yes\na # no\n", [1]),
    "Makefile": ('X = 1 # yes\n\techo "# no" # yes\n\techo \\# no\n', [1, 2]),
    "a.graphql": ('"""\n# no\n"""\n# yes\ntype A { "# no" a: B # yes\n}', [4, 5]),
    "a.toml": ('a="# no" # yes\nb="""\n# no\n"""\nc=\'# no\'# yes\n', [1, 5]),
    "a.py": ('a="# no" # yes\nb="""\n# no\n"""\nc=\'# no\'# yes\n', [1, 5]),
    "a.json": ('{"a": "// no"} // no\n', []),
    "a.unknown": ("# no\n", []),
}


@pytest.mark.parametrize("path", list(CASES))
def test_only_real_comments(path: str) -> None:
    text, expected = CASES[path]
    found = comments(path, text)
    assert [comment.line for comment in found] == expected
    assert all("yes" in comment.text for comment in found)


def test_place_and_whether_anything_is_before_it() -> None:
    first, second = comments("a.go", "\t// a\nx := 1 /* b\nc */\n")
    assert (first.text, first.line, first.column, first.stands_alone) == (" a", 1, 2, True)
    assert (second.line, second.end_line, second.column, second.stands_alone) == (2, 3, 8, False)


def test_yaml_that_does_not_parse_has_no_comments() -> None:
    assert comments("a.yml", "a: [\n# x\n") == ()


HOSTILE = (
    "/*",
    "`",
    "'",
    '"',
    "<<EOF\n",
    "```\n",
    "<!--",
    "$a$",
    "'''",
    '"""',
    "# a\n",
    '"\\',
    "  ",
    "~~~\n~",
)
PATHS = (
    "a.go",
    "a.yml",
    "a.sh",
    "a.sql",
    "a.md",
    "a.html",
    "a.ps1",
    "a.py",
    "Dockerfile",
    "Makefile",
    ".env",
)


@pytest.mark.parametrize("path", PATHS)
def test_hostile_text_takes_linear_time(path: str) -> None:
    start = time.monotonic()
    for unit in HOSTILE:
        comments(path, unit * (100_000 // len(unit)))
    assert time.monotonic() - start < 10  # a quadratic scan takes minutes


@given(st.sampled_from(PATHS), st.text(alphabet="#/*-'\"`$<>!\\ \nEOFa:{", max_size=200))
def test_any_text_is_read(path: str, text: str) -> None:
    lines = text.count("\n") + 1
    assert all(1 <= comment.line <= comment.end_line <= lines for comment in comments(path, text))


def test_syntax_goes_by_the_name() -> None:
    assert [syntax_of(p) for p in ("x/Tiltfile", ".env", "prod.env", "x.yaml", "x.json")] == [
        "python",
        "dotenv",
        "dotenv",
        "yaml",
        None,
    ]
