"""Fingerprints: what changes them and what does not."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.engine.fingerprint import fingerprint
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, Span

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
