"""Signing secrets: is the program tried out without one, and with short ones, and does it refuse?"""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.go.secret_guards import secret_guard_table
from zuno_audit.model.entity import Entity

MAIN = """package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"regexp"
	"unicode/utf8"
)

type config struct{ secret, port string }

%s

var _ = errors.New
var _ = fmt.Sprint
var _ = os.Exit
var _ = log.Print
var _ = base64.StdEncoding
var _ = hex.Dump
var _ = regexp.MustCompile
var _ = utf8.RuneLen
"""
SERVE = '\thttp.Handle("/", http.NotFoundHandler())\n\tlog.Fatal(http.ListenAndServe(":80", nil))\n'
GET = """
func get(key, fallback string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return fallback
}
"""


def guards(tmp_path: Path, code: str) -> list[Entity]:
    files = {"go.mod": "module example.com/app\n\ngo 1.22\n", "main.go": MAIN % code}
    return list(secret_guard_table(store_of(tmp_path, files)).rows)


def told(found: list[Entity]) -> list[tuple[object, ...]]:
    fields = ("name", "default", "refused_when_missing", "minimum_length")
    return [tuple(row.get(f).value for f in fields) for row in found]


def main(body: str) -> str:
    return f"func main() {{\n{body}\n{SERVE}}}\n"


@pytest.mark.parametrize(
    ("code", "refused", "length"),
    [
        pytest.param(
            main('s := os.Getenv("JWT_SECRET"); if len(s) < 32 { log.Fatal("short") }; fmt.Println(len(s))'),
            "yes",
            32,
            id="length check in main",
        ),
        pytest.param(
            main('s, ok := os.LookupEnv("JWT_SECRET"); if !ok { panic("missing") }; http.Handle(s, nil)'),
            "yes",
            0,
            id="only missing is refused",
        ),
        pytest.param(
            main('s := os.Getenv("JWT_SECRET"); if s == "" { os.Exit(1) }; http.Handle(s, nil)'),
            "yes",
            0,
            id="only empty is refused",
        ),
        pytest.param(
            main('s := os.Getenv("JWT_SECRET"); if len(s) < 16 { log.Fatalf("short") }; http.Handle(s, nil)'),
            "yes",
            16,
            id="a check that is too weak",
        ),
        pytest.param(
            main('s := os.Getenv("JWT_SECRET"); if len(s) < 32 { log.Print("short") }; http.Handle(s, nil)'),
            "no",
            0,
            id="only said",
        ),
        pytest.param(
            'func main() {\n\ts := os.Getenv("JWT_SECRET")\n\thttp.Handle(s, nil)\n'
            '\tif err := http.ListenAndServe(":80", nil); err != nil {\n\t\tlog.Print(err)\n\t}\n'
            '\tif len(s) < 32 {\n\t\tlog.Fatal("short")\n\t}\n\tlog.Print("done")\n\tlog.Print("bye")\n}\n',
            "no",
            0,
            id="looked at only after serving",
        ),
        pytest.param(
            main('s := os.Getenv("JWT_SECRET"); if len(s) >= 32 { log.Fatal("?") }; http.Handle(s, nil)'),
            "no",
            0,
            id="the wrong way round",
        ),
        pytest.param(
            "func load() (*config, error) {\n"
            '\tc := &config{secret: os.Getenv("JWT_SECRET")}\n'
            "\tif err := c.validate(); err != nil {\n\t\treturn nil, err\n\t}\n\treturn c, nil\n}\n"
            "func (c *config) validate() error {\n\tif len(c.secret) < 32 {\n\t\treturn "
            'errors.New("short")\n\t}\n'
            "\treturn nil\n}\n"
            + main("c, err := load(); if err != nil { log.Fatal(err) }; http.Handle(c.secret, nil)"),
            "yes",
            32,
            id="an error that main dies of",
        ),
        pytest.param(
            "func load() (*config, error) {\n"
            '\tc := &config{secret: os.Getenv("JWT_SECRET")}\n'
            '\tif len(c.secret) < 32 {\n\t\treturn c, errors.New("short")\n\t}\n\treturn c, nil\n}\n'
            + main("c, err := load(); if err != nil { log.Print(err) }; http.Handle(c.secret, nil)"),
            "no",
            0,
            id="an error that is only logged",
        ),
        pytest.param(
            "func load() (*config, error) {\n"
            '\tc := &config{secret: os.Getenv("JWT_SECRET")}\n'
            '\tif len(c.secret) < 32 {\n\t\treturn c, errors.New("short")\n\t}\n\treturn c, nil\n}\n'
            + main("c, _ := load(); http.Handle(c.secret, nil)"),
            "no",
            0,
            id="an error that is dropped",
        ),
        pytest.param(
            'func load() *config { return &config{secret: os.Getenv("JWT_SECRET")} }\n'
            'func (c *config) validate() { if len(c.secret) < 32 { log.Fatal("short") } }\n'
            + main("c := load(); http.Handle(c.secret, nil)"),
            "no",
            0,
            id="a validation that nobody calls",
        ),
        pytest.param(
            'func load() *config { return &config{secret: os.Getenv("JWT_SECRET")} }\n'
            'func (c *config) validate() { if len(c.secret) < 32 { log.Fatal("short") } }\n'
            + main("c := load(); c.validate(); http.Handle(c.secret, nil)"),
            "yes",
            32,
            id="a validation that is called",
        ),
        pytest.param(
            main(
                's := os.Getenv("JWT_SECRET"); if os.Getenv("MODE") == "production" && len(s) < 32 '
                '{ log.Fatal("short") }; http.Handle(s, nil)'
            ),
            "no",
            0,
            id="only in one mode",
        ),
        pytest.param(
            'var secret = must("JWT_SECRET")\nfunc must(key string) string {\n\ts := os.Getenv(key)\n'
            '\tif len(s) < 32 {\n\t\tlog.Fatal("short")\n\t}\n\treturn s\n}\n'
            + main("http.Handle(secret, nil)"),
            "yes",
            32,
            id="the initial value of a variable",
        ),
        pytest.param(
            'func init() {\n\tfor _, name := range []string{"JWT_SECRET"} {\n\t\tif len(os.Getenv(name)) < 32 {\n'
            '\t\t\tlog.Fatal("short")\n\t\t}\n\t}\n}\n'
            + main('s := os.Getenv("JWT_SECRET"); http.Handle(s, nil)'),
            "yes",
            32,
            id="a check in init",
        ),
        pytest.param(
            main(
                's := os.Getenv("JWT_SECRET"); if utf8.RuneCountInString(s) < 32 { log.Fatal("short") };'
                " http.Handle(s, nil)"
            ),
            "yes",
            32,
            id="a count of runes",
        ),
        pytest.param(
            main(
                'raw, err := base64.StdEncoding.DecodeString(os.Getenv("JWT_SECRET"));'
                ' if err != nil || len(raw) < 32 { log.Fatal("short") }; http.Handle(string(raw), nil)'
            ),
            "yes",
            32,
            id="base64 of 32 bytes",
        ),
        pytest.param(
            main(
                'raw, err := hex.DecodeString(os.Getenv("JWT_SECRET"));'
                ' if err != nil || len(raw) < 8 { log.Fatal("short") }; http.Handle(string(raw), nil)'
            ),
            "yes",
            16,
            id="hexadecimal digits of 8 bytes",
        ),
        pytest.param(
            main(
                's := os.Getenv("JWT_SECRET"); if !regexp.MustCompile("^[0-9a-f]{64}$").MatchString(s)'
                ' { log.Fatal("short") }; http.Handle(s, nil)'
            ),
            "unknown",
            None,
            id="a library decides",
        ),
        pytest.param(
            main(
                's := os.Getenv("JWT_SECRET"); if !regexp.MustCompile("^[0-9a-f]{64}$").MatchString(s)'
                ' { log.Print("short") }; http.Handle(s, nil)'
            ),
            "no",
            0,
            id="a library is asked and the program goes on",
        ),
        pytest.param(
            "type signer struct{ key []byte }\n"
            "func newSigner(secret string) (*signer, error) {\n"
            '\tif len(secret) < 32 {\n\t\treturn nil, errors.New("short")\n\t}\n'
            "\treturn &signer{key: []byte(secret)}, nil\n}\n"
            'func run() error {\n\t_, err := newSigner(os.Getenv("JWT_SECRET"))\n\tif err != nil '
            "{\n\t\treturn err\n\t}\n"
            '\thttp.Handle("/", nil)\n\treturn http.ListenAndServe(":80", nil)\n}\n'
            "func main() {\n\tif err := run(); err != nil {\n\t\tlog.Fatal(err)\n\t}\n}\n",
            "yes",
            32,
            id="a constructor, and a run function",
        ),
    ],
)
def test_refusal(tmp_path: Path, code: str, refused: str, length: int | None) -> None:
    assert told(guards(tmp_path, code)) == [("JWT_SECRET", "no", refused, length)]


class TestDefault:
    def test_takes_the_place_of_a_missing_value(self, tmp_path: Path) -> None:
        code = GET + main(
            's := get("JWT_SECRET", "a-default-secret-of-more-than-32-bytes"); http.Handle(s, nil)'
        )
        assert told(guards(tmp_path, code)) == [("JWT_SECRET", "yes", "no", 0)]

    def test_makes_a_guard_dead(self, tmp_path: Path) -> None:
        code = GET + main(
            's := get("JWT_SECRET", "default"); if s == "" { log.Fatal("?") }; http.Handle(s, nil)'
        )
        (row,) = guards(tmp_path, code)
        assert row.get("refused_when_missing").value == "no"
        assert "written in the code" in row.get("refused_when_missing").because

    def test_is_refused_itself(self, tmp_path: Path) -> None:
        code = GET + main(
            's := get("JWT_SECRET", "default"); if s == "default" || len(s) < 32 { log.Fatal("?") }; '
            "http.Handle(s, nil)"
        )
        assert told(guards(tmp_path, code)) == [("JWT_SECRET", "yes", "yes", 32)]


def test_each_of_two_secrets_is_judged_on_its_own(tmp_path: Path) -> None:
    code = main(
        'a, b := os.Getenv("JWT_SECRET"), os.Getenv("REFRESH_SECRET"); '
        'if len(a) < 32 { log.Fatal("short") }; http.Handle(a+b, nil)'
    )
    assert told(guards(tmp_path, code)) == [
        ("JWT_SECRET", "no", "yes", 32),
        ("REFRESH_SECRET", "no", "no", 0),
    ]


def test_code_that_a_framework_calls_is_open(tmp_path: Path) -> None:
    code = (
        'func run() { s := os.Getenv("JWT_SECRET"); if len(s) < 32 { log.Fatal("short") } }\n'
        'func main() { http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { run() }) }\n'
    )
    assert told(guards(tmp_path, code)) == [("JWT_SECRET", "no", "unknown", None)]


@pytest.mark.parametrize("name", ["PORT", "AWS_SECRET_ACCESS_KEY", "JWT_SECRET_FILE", "TOKEN_ID"])
def test_other_variables_have_no_row(tmp_path: Path, name: str) -> None:
    assert guards(tmp_path, main(f'http.Handle(os.Getenv("{name}"), nil)')) == []


@pytest.mark.parametrize(
    ("name", "imports", "role"),
    [
        ("JWT_SECRET", "", "token"),
        ("SERVER_ACCESS_TOKEN_SECRET", "", "token"),
        ("JWT_SECRET_BASE64", "", "token"),
        ("REFRESH_TOKEN_KEY", "", "refresh"),
        ("SESSION_SECRET", "", "other"),
        ("PINATA_JWT_KEY", "", "other"),
        ("ACME_JWT_KEY", '_ "crypto/hmac"', "token"),
    ],
)
def test_what_is_signed_with_a_secret(name: str, imports: str, role: str, tmp_path: Path) -> None:
    code = main(f'http.Handle(os.Getenv("{name}"), nil)')
    files = {
        "go.mod": "module example.com/app\n\ngo 1.22\n",
        "cmd/server/main.go": (MAIN % code).replace('"regexp"', f'"regexp"\n{imports}'),
    }
    (row,) = secret_guard_table(store_of(tmp_path, files)).rows
    assert row.get("role").value == role


LOADER = """
const (
	access    = "JWT_SECRET"
	refresh   = "REFRESH_" + "SECRET"
	minimum   = 32
)

func required(name string) (string, error) {
	value := os.Getenv(name)
	if value == "" {
		return "", fmt.Errorf("%s is not set", name)
	}
	return value, nil
}

func secret(name string) ([]byte, error) {
	value, err := required(name)
	if err != nil {
		return nil, err
	}
	key := []byte(value)
	if err := strong(key); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return key, nil
}

func strong(key []byte) error {
	if size := len(key); minimum > size {
		return errors.New("short")
	}
	return nil
}

func load() (a, b []byte, err error) {
	if a, err = secret(access); err != nil {
		return nil, nil, err
	}
	if b, err = secret(refresh); err != nil {
		return nil, nil, err
	}
	return a, b, nil
}
""" + main("a, b, err := load()\n\tif err != nil { log.Fatal(err) }\n\thttp.Handle(string(a)+string(b), nil)")


@pytest.mark.parametrize(
    ("old", "new", "minimums"),
    [
        ("", "", (32, 32)),
        ("minimum > size", "minimum > 8*size", (2, 2)),
        ("minimum > size", "size == 0 && minimum > 0", (0, 0)),
        ('return errors.New("short")', 'log.Print("short")', (0, 0)),
        (
            "if err := strong(key); err != nil {",
            "if err := strong(key); err != nil && name == access {",
            (32, 0),
        ),
        ("if err := strong(key); err != nil {", "if err := strong([]byte(name)); err == nil {", (0, 0)),
    ],
)
def test_a_check_in_a_helper_and_composed_names(
    old: str, new: str, minimums: tuple[int, int], tmp_path: Path
) -> None:
    found = {
        row.get("name").value: row.get("minimum_length").value
        for row in guards(tmp_path, LOADER.replace(old, new))
    }
    assert found == dict(zip(("JWT_SECRET", "REFRESH_SECRET"), minimums, strict=True))
