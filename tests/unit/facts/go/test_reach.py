"""Which code can run: methods by the types of their receivers, interfaces, values that are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.go.reach import reach

HEAD = """\
package main

import (
	"context"
	"net/http"
)

var _ context.Context
var _ http.Handler

type store struct{}

func (s *store) Save(name string) { target() }

type other struct{}

func (o *other) Save(name string) {}

func target() {}
"""


def can_run(tmp_path: Path, body: str, head: str = HEAD, place: str = "func target()", **more: str) -> str:
    files = {"go.mod": "module example.com/app\n\ngo 1.25\n", "main.go": head + body, **more}
    path = next(p for p, text in files.items() if place in text)
    return store_of(tmp_path, files).get(reach).can_run(path, files[path].encode().index(place.encode()))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('func main() { (&store{}).Save("") }', "yes", id="of its type"),
        pytest.param('func main() { s := made(); s.Save("") }\nfunc made() *store { return &store{} }',
                     "yes", id="of the result of a function"),
        pytest.param('func main() { o := &other{}; o.Save("") }\nvar kept = &store{}',
                     "no", id="of another type that has a method of the name"),
        pytest.param('type saver interface { Save(string) }\nfunc main() { save(&store{}) }\n'
                     'func save(s saver) { s.Save("") }', "yes", id="through an interface"),
        pytest.param('type saver interface { Save(string); Load() }\nfunc main() { save(nil) }\n'
                     'func save(s saver) { s.Save("") }\nvar kept = &store{}',
                     "no", id="through an interface that the type does not satisfy"),
        pytest.param('type saver interface { Save(string) error }\nfunc main() { save(nil) }\n'
                     'func save(s saver) { s.Save("") }\nvar kept = &store{}',
                     "no", id="through an interface whose method gives something"),
        pytest.param('type saver interface { Save(string) }\nfunc main() { save(&other{}) }\n'
                     'func save(s saver) { s.Save("") }', "no", id="through an interface, but none is made"),
        pytest.param('type saver interface { Save(string) }\ntype shop interface { Saver() saver }\n'
                     'func main() { open(nil) }\nfunc open(s shop) { x := s.Saver(); x.Save("") }\n'
                     'var kept = &store{}', "yes", id="of what a method of an interface gives"),
        pytest.param('type outer struct { store }\nfunc main() { o := outer{}; o.Save("") }',
                     "yes", id="promoted"),
        pytest.param('func main() { f := (*store).Save; f(nil, "") }', "yes", id="as an expression"),
        pytest.param('func main() { run((&store{}).Save) }\nfunc run(f func(string)) { f("") }',
                     "yes", id="as a value"),
    ],
)  # fmt: skip
def test_a_method_runs_when_it_may_be_called(tmp_path: Path, body: str, expected: str) -> None:
    assert can_run(tmp_path, body) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("func main() { target() }", "yes"),
        ("func main() { go func() { defer target() }() }", "yes"),
        ("func main() { target := func() {}; target() }", "no"),
        ("func main() { if false { target() } }", "no"),
        ("const debug = false\nfunc main() { if debug { target() } }", "no"),
        ("func main() { return; target() }", "no"),
        ("func main() { _ = target }", "no"),
        ("var _ = target\nfunc main() {}", "no"),
        ("func made() int { target(); return 1 }\nvar _ = made()\nvar _ = 2\nfunc main() {}", "yes"),
        ("var table = map[string]func(){\"target\": nil}\nfunc main() {}", "no"),
        ("var table = map[string]func(){\"a\": target}\nfunc main() {}", "yes"),
        ("type pair struct { target int }\nfunc main() { _ = pair{target: 1}; keep(pair{target: 1}) }\n"
         "func keep(pair) {}", "no"),
        ("func init() { target() }\nfunc main() {}", "yes"),
    ],
)  # fmt: skip
def test_a_function_runs_when_something_that_runs_names_it(tmp_path: Path, body: str, expected: str) -> None:
    assert can_run(tmp_path, body) == expected


def test_a_call_through_an_interface_far_away_counts_beside_a_dead_one_nearby(tmp_path: Path) -> None:
    stored = """\
package stored

type Store struct{}

func New() *Store { return &Store{} }

func (s *Store) Save() { target() }

func (s *Store) unused() { s.Save() }

func target() {}
"""
    served = "package served\n\ntype saver interface{ Save() }\n\nfunc Run(s saver) { s.Save() }\n"
    main = 'package main\n\nimport (\n\t"example.com/app/served"\n\t"example.com/app/stored"\n)\n\n'
    main += "func main() { served.Run(stored.New()) }\n"
    more = {"stored/stored.go": stored, "served/served.go": served}
    assert can_run(tmp_path, "", main, **more) == "yes"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("func main() { lib.Use(&hook{}) }", "unknown", id="an argument of its function"),
        pytest.param("func main() { h := made(); lib.Use(h) }\nfunc made() *hook { return &hook{} }",
                     "unknown", id="an argument that a function gives"),
        pytest.param("func main() { lib.Use(made()) }\nfunc made() lib.Hook { return hook{} }",
                     "unknown", id="a result that is of its interface"),
        pytest.param("func main() { keep(&hook{}) }\nfunc keep(h *hook) {}", "no", id="nothing"),
        pytest.param("func main() { fmt.Println(&hook{}) }", "no", id="an argument of fmt"),
    ],
)  # fmt: skip
def test_what_a_library_gets_it_may_call(tmp_path: Path, body: str, expected: str) -> None:
    head = (
        'package main\n\nimport (\n\t"fmt"\n\n\t"example.org/lib"\n)\n\nvar _, _ = fmt.Println, lib.Use\n\n'
    )
    head += "type hook struct{}\n\nfunc (h hook) Notify(level int) { target() }\n\nfunc target() {}\n\n"
    assert can_run(tmp_path, body, head) == expected


def test_the_handler_of_a_stream_is_called_by_the_library(tmp_path: Path) -> None:
    head = 'package main\n\nimport "example.org/pb"\n\ntype chat struct{}\n\nfunc target() {}\n\n'
    head += "func (c *chat) Say(req *pb.Word, stream pb.Chat_SayServer) error { target(); return nil }\n\n"
    body = "func keep(c *chat) {}\n\nfunc main() { keep(&chat{}) }\n"
    assert can_run(tmp_path, body, head) == "unknown"
