"""Fingerprints: what changes them and what does not."""

from __future__ import annotations

import hashlib
import re

from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.engine.fingerprint import fingerprint
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, Span, at_line

GO = """package main

func helper() {}

func (s *Server[T]) Run(ctx context.Context) error {
\tsrv := grpc.NewServer()
\treturn srv.Serve(nil)
}

var (
\tone = grpc.NewServer()
\ttwo = grpc.NewServer()
)
"""


def at(text: str, needle: str, path: str = "a.go", nth: int = 0) -> Finding:
    lines = [n for n, line in enumerate(text.split("\n"), 1) if needle in line]
    line = lines[nth]
    column = text.split("\n")[line - 1].index(needle) + 1
    span = Span(line, column, line, column + len(needle))
    return Finding("r", Level.ERROR, "m", Location(path, span))


def one(text: str, finding: Finding) -> Finding:
    (done,) = fingerprint([finding], lambda path: text)
    return done


def test_recipe() -> None:
    done = one(GO, at(GO, "grpc.NewServer()"))
    assert (done.symbol, done.matched) == ("Server.Run", "grpc.NewServer()")
    parts = "\0".join(("r", "a.go", "Server.Run", "grpc.NewServer()", "0"))
    assert done.fingerprint == hashlib.sha256(parts.encode()).hexdigest()[:32]


def test_symbols() -> None:
    assert one(GO, at(GO, "one =")).symbol == "one"
    assert one(GO, at(GO, "two =")).symbol == "two"
    assert one(GO, at(GO, "helper")).symbol == "helper"
    assert one(GO, at(GO, "package")).symbol == ""
    assert one(GO + "\n// tail\n", at(GO + "\n// tail\n", "// tail")).symbol == ""


@given(st.lists(st.sampled_from(["", "// a comment", "func other() {\n}"]), max_size=4))
def test_lines_above_do_not_matter(lines: list[str]) -> None:
    moved = GO.replace("\nfunc (s", "\n" + "\n".join(lines) + "\nfunc (s")
    needle = "grpc.NewServer()"
    assert one(moved, at(moved, needle)).fingerprint == one(GO, at(GO, needle)).fingerprint


def test_white_space_inside_does_not_matter_but_the_path_does() -> None:
    wide = GO.replace("srv := grpc", "srv  :=   grpc")
    base = one(GO, at(GO, "srv := grpc.NewServer()"))
    assert one(wide, at(wide, "srv  :=   grpc.NewServer()")).fingerprint == base.fingerprint
    assert one(GO, at(GO, "srv := grpc.NewServer()", "b.go")).fingerprint != base.fingerprint


def test_equals_are_told_apart_by_their_order() -> None:
    text = "x\nx\n"
    done = fingerprint([at(text, "x", "a.txt", 1), at(text, "x", "a.txt", 0)], lambda path: text)
    assert [f.location.line for f in done] == [1, 2]
    assert done[0].fingerprint != done[1].fingerprint


def test_secrets_are_hidden_before_they_are_hashed() -> None:
    text = "JWT_SECRET=" + "s3cr3t" * 5
    done = one(text, at(text, text, ".env"))
    assert done.matched == "JWT_SECRET=s3cr****"


def test_missing_file_has_a_fingerprint_too() -> None:
    finding = Finding("r", Level.ERROR, "m", Location("gone.yaml"))
    (done,) = fingerprint([finding], lambda path: None)
    assert len(done.fingerprint) == 32


PROGRAM = (
    "package main\n",
    "func dial(addr string) *grpc.ClientConn {\n\tconn, _ := grpc.NewClient(addr, opts)\n\treturn conn\n}\n",
    "func (s *Server) Run() {\n\tif err := s.start(); err != nil {\n\t\tpanic(err)\n\t}\n\tlog()\n}\n",
    'func limits() {\n\tset("a", 1)\n\tset("b", 2)\n\tset("a", 1)\n}\n',
)
NEEDLES = ("grpc.NewClient", "s.start()", "panic(err)", 'set("a", 1)', 'set("b", 2)')


def prints(text: str, path: str = "a.go", *, points: bool = False) -> list[str]:
    """The fingerprints of a finding at every needle, sorted. `points`: located at a line only."""
    findings = []
    for number, line in enumerate(text.split("\n"), 1):
        for needle in NEEDLES:
            for found in re.finditer(re.escape(needle), line):
                span = Span(number, found.start() + 1, number, found.end() + 1)
                place = at_line(path, number) if points else Location(path, span)
                findings.append(Finding("r", Level.ERROR, "m", place))
    return sorted(f.fingerprint for f in fingerprint(findings, lambda _: text))


def gap(draw: st.DrawFn) -> str:
    return draw(
        st.sampled_from(["", "\n", "\n// a comment\n", "\nvar unused = 1\n", "\nfunc other() {\n}\n"])
    )


@st.composite
def rearranged(draw: st.DrawFn) -> str:
    """The program with its functions in any order and other things between them."""
    first, *rest = PROGRAM
    return first + "".join(gap(draw) + part for part in draw(st.permutations(rest))) + gap(draw)


@given(rearranged(), st.booleans())
def test_moved_functions_and_inserted_lines_change_nothing(text: str, points: bool) -> None:
    assert prints(text, points=points) == prints("".join(PROGRAM), points=points)


@given(st.lists(st.sampled_from(["\n", "\n\t// why\n", "\n\tlog()\n"]), min_size=9, max_size=9))
def test_lines_inside_a_function_change_nothing(between: list[str]) -> None:
    pieces = re.split(r"(?<=[{};)l])\n(?=\t)", "".join(PROGRAM))
    text = pieces[0] + "".join(f"{between[i % len(between)]}{piece}" for i, piece in enumerate(pieces[1:]))
    assert prints(text) == prints("".join(PROGRAM))


def test_a_statement_broken_over_lines_is_the_same() -> None:
    text = "".join(PROGRAM)
    broken = text.replace("grpc.NewClient(addr, opts)", "grpc.NewClient(\n\t\taddr,\n\t\topts,\n\t)")
    tight = text.replace("conn, _ := grpc.NewClient(addr, opts)", "conn,_:=grpc.NewClient( addr,opts )")
    assert prints(broken, points=True) == prints(tight, points=True) == prints(text, points=True)


def test_a_header_broken_over_lines_keeps_the_symbol() -> None:
    text = "".join(PROGRAM)
    broken = text.replace("func dial(addr string) *grpc", "func dial(\n\taddr string,\n) *grpc")
    assert prints(broken) == prints(text)


@given(st.text("abcdefgh/_", min_size=1, max_size=12))
def test_another_file_name_changes_all_of_them(name: str) -> None:
    text = "".join(PROGRAM)
    assert not set(prints(text, f"{name}.go")) & set(prints(text, "Other.go"))


def test_another_word_in_the_code_changes_it() -> None:
    text = "".join(PROGRAM)
    assert prints(text.replace("(addr, opts)", "(addr2, opts)"), points=True) != prints(text, points=True)
    assert one("a b\n", at("a b\n", "a b", "x")).fingerprint != one("ab\n", at("ab\n", "ab", "x")).fingerprint


def test_ordinals_do_not_depend_on_the_order_of_the_findings() -> None:
    text = "".join(PROGRAM)
    findings = [at(text, 'set("a", 1)', nth=1), at(text, 'set("a", 1)', nth=0)]
    assert fingerprint(findings, lambda _: text) == fingerprint(reversed(findings), lambda _: text)


def test_a_finding_about_a_whole_file_survives_lines_at_its_top() -> None:
    whole = Finding("r", Level.ERROR, "No alert called A is in the 3 rules of it.", at_line("alerts.yml"))
    before = one("groups:\n", whole)
    assert one("# our alerts\n\ngroups:\n", whole).fingerprint == before.fingerprint
    recounted = Finding("r", Level.ERROR, "No alert called A is in the 4 rules of it.", at_line("alerts.yml"))
    assert one("groups:\n", recounted).fingerprint == before.fingerprint


def test_two_missing_things_in_one_file_do_not_take_each_other_s_place() -> None:
    first, second = (Finding("r", Level.ERROR, f"No table {n}.", at_line("up.sql")) for n in ("a", "b"))
    both = {f.fingerprint for f in fingerprint([first, second], lambda _: None)}
    assert {one("", first).fingerprint, one("", second).fingerprint} == both and len(both) == 2


@given(st.text("abcXYZ019", min_size=16, max_size=40))
def test_the_rest_of_a_secret_is_not_in_the_fingerprint(tail: str) -> None:
    one_secret, other = (f"PASSWORD=same{part}" for part in (tail, tail[::-1] + "q"))
    assert (
        one(one_secret, at(one_secret, one_secret, ".env")).fingerprint
        == one(other, at(other, other, ".env")).fingerprint
    )
