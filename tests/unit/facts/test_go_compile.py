"""Mistakes that keep Go code from compiling, and near misses that compile."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.go_compile import go_compile

LIBRARY = """package lib

import "context"

type Options struct {
	Name string
	Base
}

type Base struct{ ID int }

type Client struct {
	options Options
}

type Plain struct{ Count int }

func New(ctx context.Context, options Options) (*Client, error) { return &Client{options}, nil }

func Must(names ...string) *Plain { return &Plain{Count: len(names)} }

func (c *Client) Call() error { return nil }
"""
MAIN = """package main

import (
	"context"
	"fmt"

	"example.com/app/lib"
)

func main() {
	client, err := lib.New(context.Background(), lib.Options{Name: "x"})
	if err != nil {
		panic(err)
	}
	fmt.Println(client.Call(), lib.Must("a", "b").Count, helper(1))
}

func helper(n int) int { return n }
"""


def fault_of(root: Path, main: str, library: str = LIBRARY, **more: str) -> str:
    """Why the binary in `cmd` does not compile; empty when nothing is found."""
    files = {
        "go.mod": "module example.com/app\n\ngo 1.25\n",
        "cmd/main.go": main,
        "lib/lib.go": library,
        **more,
    }
    fault = go_compile(store_of(root, files)).linked("cmd")
    return "" if fault is None else f"{fault.path}:{fault.line} {fault.why}"


def test_code_that_compiles_has_no_fault(tmp_path: Path) -> None:
    assert fault_of(tmp_path, MAIN) == ""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("lib.New(", "lib.Make(", "cmd/main.go:11 example.com/app/lib declares no Make"),
        (
            'lib.Options{Name: "x"})',
            'lib.Options{Name: "x"}, 1)',
            "cmd/main.go:11 lib.New takes 2 arguments, not 3",
        ),
        ("client, err := lib", "client := lib", "cmd/main.go:11 lib.New has 2 results, not 1"),
        (
            'lib.Options{Name: "x"}',
            'lib.Options{Title: "x"}',
            "cmd/main.go:11 lib.Options has no field Title",
        ),
        ("helper(1)", "helper(1, 2)", "cmd/main.go:15 helper takes 1 arguments, not 2"),
        ("helper(1)", "assist(1)", "cmd/main.go:15 assist is not declared"),
        ("client.Call()", "client.Send()", "cmd/main.go:15 Client has no field or method Send"),
        ('\t"fmt"\n', '\t"fmt"\n\t"os"\n', "cmd/main.go:6 os is imported and not used"),
        ('\t"fmt"\n', "", "cmd/main.go:14 fmt is neither imported nor declared"),
        (
            "func main() {\n",
            "func main() {\n\tunread := 1\n",
            "cmd/main.go:11 unread is declared and not used",
        ),
        ("func main() {\n", "func main() {{\n", "cmd/main.go:10 a bracket is not closed"),
        ("helper(1))", "helper(1),,)", "cmd/main.go:15 it does not parse"),
        ('app/lib"', 'app/libs"', "cmd/main.go:7 the package example.com/app/libs does not exist"),
    ],
)
def test_a_mistake_is_found_where_it_is(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert old in MAIN
    assert fault_of(tmp_path, MAIN.replace(old, new, 1)) == expected


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('lib.Options{Name: "x"}', "lib.Options{Base: lib.Base{ID: 1}}"),
        ('lib.Must("a", "b")', "lib.Must()"),
        ('lib.Must("a", "b")', "lib.Must([]string{}...)"),
        ("fmt.Println(client", "var out fmt.Stringer\n\t_ = out\n\tfmt.Println(client"),
        ("func helper(n int) int { return n }", "var helper = func(n ...int) int { return len(n) }"),
        ("helper(1)", "func() int {\n\t\tn := 1\n\t\treturn n\n\t}(), helper(1)"),
        ("\tfmt.Println(client", "\tlib := map[string]int{}\n\t_ = lib\n\tfmt.Println(client"),
        ('\t"fmt"\n', '\tfmt "fmt"\n\t_ "os"\n'),
        ("client, err := lib", "client,\n\t\terr := lib"),
        ("client.Call()", "client.\n\t\tCall()"),
        (
            "func helper(n int)",
            "func (c *Plain) Do() { _ = func(c *lib.Client) error { return c.Call() } }\n\ntype Plain struct{}\n\nfunc helper(n int)",
        ),
        ("fmt.Println(client", "fmt.\n\t\tPrintln(client"),
        ("lib.Must(", "lib.\n\t\tMust("),
    ],
)
def test_near_misses_compile(tmp_path: Path, old: str, new: str) -> None:
    assert old in MAIN
    assert fault_of(tmp_path, MAIN.replace(old, new, 1)) == ""


def test_a_mistake_in_a_package_below_keeps_the_binary_from_compiling(tmp_path: Path) -> None:
    broken = LIBRARY.replace("return nil }\n", "return gone() }\n")
    assert fault_of(tmp_path, MAIN, broken) == "lib/lib.go:22 gone is not declared"


@pytest.mark.parametrize(
    ("literal", "expected"),
    [
        ("func(n int, plain *lib.Plain) { println(plain.Size) }", "Plain has no field or method Size"),
        ("func(n int, plain *lib.Plain) { println(plain.Count) }", ""),
        ("func(options lib.Options) { println(options.Size) }", ""),  # it embeds another type
        ("func(plain *lib.Plain) { { plain := other{}; println(plain.Size) } }", ""),
    ],
)
def test_a_parameter_of_a_function_literal_has_a_type(tmp_path: Path, literal: str, expected: str) -> None:
    main = MAIN.replace(
        "func main() {\n", f"type other struct{{ Size int }}\n\nfunc main() {{\n\t_ = {literal}\n"
    )
    assert fault_of(tmp_path, main).partition("cmd/main.go:13 ")[2] == expected


def test_two_packages_in_one_folder_do_not_compile(tmp_path: Path) -> None:
    more = {"lib/other.go": "package other\n\nfunc Other() {}\n"}
    assert fault_of(tmp_path, MAIN, **more) == "lib/other.go:1 this is package other, but lib/lib.go is lib"


@pytest.mark.parametrize(
    ("again", "expected"),
    [
        ("func Must() {}\n", "3 Must is"),
        ("\nvar (\n\tother = 1\n\tMust  = 2\n)\n", "6 Must is"),
        ("type Plain int\n", "3 Plain is"),
        ("func (*Client) Call() {}\n", "3 Client.Call is"),
    ],
)
def test_a_name_that_two_files_declare_does_not_compile(tmp_path: Path, again: str, expected: str) -> None:
    found = fault_of(tmp_path, MAIN, **{"lib/more.go": f"package lib\n\n{again}"})
    assert found == f"lib/more.go:{expected} declared again, lib/lib.go has it already"


def test_a_name_that_one_file_declares_twice_does_not_compile(tmp_path: Path) -> None:
    twice = LIBRARY + "\nfunc (c *Client) Call() error { return nil }\n"
    assert "Client.Call is declared again" in fault_of(tmp_path, MAIN, twice)


@pytest.mark.parametrize(
    "more",
    [
        {"lib/more.go": "package lib\n\nfunc init() {}\n\nfunc init() {}\n\nvar _ = 1\nvar _ = 2\n"},
        {"lib/more.go": "package lib\n\nfunc (*Plain) Call() {}\n\nfunc Call() {}\n"},
        {"lib/more.go": "//go:build never\n\npackage lib\n\nfunc Must() {}\n"},
        {"lib/more_windows.go": "package lib\n\nfunc Must() {}\n"},
        {"lib/more_test.go": "package lib_test\n\nfunc Must() {}\n"},
        {"other/more.go": "package other\n\nfunc Must() {}\n"},
    ],
)
def test_names_that_may_be_declared_again(tmp_path: Path, more: dict[str, str]) -> None:
    assert fault_of(tmp_path, MAIN, **more) == ""


def test_a_package_whose_name_is_only_guessed_is_not_reported(tmp_path: Path) -> None:
    main = MAIN.replace('\t"fmt"\n', '\t"fmt"\n\n\t"example.org/go-strange/v2/impl"\n')
    main = main.replace("helper(1))", "helper(1), oddname.Value)")
    assert fault_of(tmp_path, main) == ""


def test_two_paths_that_end_alike_are_two_packages(tmp_path: Path) -> None:
    imports = '\t"fmt"\n\n\t"github.com/spf13/cobra"\n\t"github.com/x/integrations/cobra"\n'
    main = MAIN.replace('\t"fmt"\n', imports).replace(
        "fmt.Println(", "fmt.Println(cobra.Command{}, fig.Spec(), "
    )
    assert fault_of(tmp_path, main) == ""


@pytest.mark.parametrize(
    ("path", "name"),
    [("acp-go-sdk", "acp"), ("golang-lru/v2", "lru"), ("go-grpc-prom", "grpc_prom"), ("yaml.v3", "yaml")],
)
def test_a_path_that_is_no_name_may_be_used_under_any_of_its_words(
    tmp_path: Path, path: str, name: str
) -> None:
    """Nothing is left over that the import could be used under instead: another file has a variable of that name."""
    main = MAIN.replace('\t"fmt"\n', f'\t"fmt"\n\n\t"example.org/{path}"\n')
    main = main.replace("helper(1))", f"helper(1), {name}.Value)")
    other = f"package main\n\nfunc other({name} int) int {{ return {name} }}\n"
    assert fault_of(tmp_path, main, **{"cmd/other.go": other}) == ""


def test_a_chain_of_calls_over_lines_is_no_call_of_ours(tmp_path: Path) -> None:
    main = MAIN.replace("helper(1))", "strings.NewReplacer().\n\t\t// first\n\t\tReplace(``))")
    main = main.replace('"fmt"\n', '"fmt"\n\t"strings"\n')
    assert fault_of(tmp_path, main) == ""


def test_a_test_file_answers_for_itself_and_for_what_it_imports(tmp_path: Path) -> None:
    test = 'package lib_test\n\nimport (\n\t"testing"\n\n\t"example.com/app/lib"\n)\n\n'
    test += 'func TestMust(t *testing.T) {\n\tif lib.Must("a").Count != 1 {\n\t\tt.Fatal()\n\t}\n}\n'
    files = {"go.mod": "module example.com/app\n", "lib/lib.go": LIBRARY, "lib/lib_test.go": test}
    assert go_compile(store_of(tmp_path / "a", files)).test_file("lib/lib_test.go") == ()
    files["lib/lib_test.go"] = test.replace('lib.Must("a")', "lib.Must2()")
    (fault,) = go_compile(store_of(tmp_path / "b", files)).test_file("lib/lib_test.go")
    assert (fault.path, fault.line) == ("lib/lib_test.go", 10)
    files |= {"lib/lib_test.go": test, "lib/lib.go": LIBRARY.replace("len(names)", "size(names)")}
    (fault,) = go_compile(store_of(tmp_path / "c", files)).test_file("lib/lib_test.go")
    assert (fault.path, fault.why) == ("lib/lib.go", "size is not declared")


CONSTANTS = """package main

type box struct {
	name, owner string
	count       int
	mark        rune
}

type Opener interface {
	Open() error
	Close(hard bool) error
}

func newOpener() Opener { return &door{} }

type door struct{}

func (d *door) Open() error { return nil }

func (d *door) Close(hard bool) error { return nil }

func size(b box) (int, error) {
	if b.count > 1 {
		return 0, nil
	}
	return len(b.name), newOpener().Open()
}

func main() { _, _ = size(box{name: "a", owner: "b", count: 1, mark: 'x'}) }
"""


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("", "", ""),
        ("count: 1", "count: limit", ""),
        ('name: "a"', "name: 1", "name of box is text, not a number"),
        ("count: 1", 'count: "1"', "count of box is a number, not text"),
        ('owner: "b"', 'keeper: "b"', "box has no field keeper"),
        ("return 0, nil", "return nil", "size returns 2 values, not 1"),
        ("return 0, nil", "return 0, nil, nil", "size returns 2 values, not 3"),
        (") Close(hard", ") Shut(hard", "door has no method Close, which the result of newOpener has"),
        ("type door struct{}", "type door struct{ Opener }", ""),
    ],
)
def test_constants_results_and_interfaces_have_to_fit(
    tmp_path: Path, old: str, new: str, expected: str
) -> None:
    fault = fault_of(tmp_path, CONSTANTS.replace(old, new) if old else CONSTANTS)
    assert fault.partition(" ")[2] == expected


def test_an_argument_needs_the_methods_of_the_parameter(tmp_path: Path) -> None:
    library = "package lib\n\ntype Store interface{ Find() }\n\nfunc Use(n int, s Store) {}\n"
    main = (
        'package main\n\nimport "example.com/app/lib"\n\ntype fake struct{}\n\nfunc (f *fake) Find() {}\n\n'
        "func main() {\n\tf := &fake{}\n\tlib.Use(1, f)\n}\n"
    )
    library = library.replace("interface{ Find() }", "interface {\n\tFind()\n}")
    assert fault_of(tmp_path / "a", main, library) == ""
    why = fault_of(tmp_path / "b", main, library.replace("\tFind()", "\tFind()\n\tDrop()"))
    assert why.endswith("f has no method Drop, which lib.Use asks for")
