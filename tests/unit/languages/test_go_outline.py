"""The outline of Go files: masking, functions, what is not Go."""

from __future__ import annotations

import pytest

from zuno_audit.languages.go_outline import outline

TEXT = """package a // import "x"

import (
	"fmt"
	o "example.org/other"
	"example.org/go-redis/v9"
)

var s = "a } b" + `c {
d`

func (r *Repo[T]) Get(ctx context.Context) (map[string]interface{}, error) {
	return fmt.Sprint("}"), '}' // }
}

func Plain[K comparable](x struct{ a int }) struct{} { return struct{}{} }
"""


def test_functions_strings_and_imports() -> None:
    found = outline("a.go", TEXT)
    assert found.problem == ""
    assert [(f.name, f.receiver, f.receiver_name, found.line(f.start)) for f in found.functions] == [
        ("Get", "Repo", "r", 12),
        ("Plain", "", "", 16),
    ]
    assert found.text[found.functions[0].closing :].startswith("}\n\nfunc Plain")
    assert found.imports == {"fmt": "fmt", "o": "example.org/other", "redis": "example.org/go-redis/v9"}
    assert [s.text for s in found.strings][-3:] == ["a } b", "c {\nd", "}"]
    assert len(found.masked) == len(TEXT)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("func a() {}", 1),
        ("package a\n\nfunc a() {\n", 3),
        ("package a\nfunc a() { ) }", 2),
        ("package a\n\nthis is not Go\n", 3),
    ],
)
def test_what_is_not_go_has_a_problem(text: str, line: int) -> None:
    found = outline("a.go", text)
    assert (found.problem != "", found.problem_line) == (True, line)
