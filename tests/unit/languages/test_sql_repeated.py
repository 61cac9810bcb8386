"""Scripts that fill tables: thousands of statements which differ in constants only are judged one by one."""

from __future__ import annotations

import pytest

from zuno_audit.facts.postgres.scripts import run_psql
from zuno_audit.facts.postgres.server import Server
from zuno_audit.languages.sql.scripts import parse_file, parse_script
from zuno_audit.languages.sql.tree import Change

TABLE = """CREATE TYPE mood AS ENUM ('ok', 'sad');
CREATE TABLE t (id bigint PRIMARY KEY, name text, u uuid, j jsonb, m mood, at timestamptz);
INSERT INTO t (id, name) VALUES (1, 'a');
"""

REFUSED = {
    "a text that is no number": ("INSERT INTO t (id) VALUES ('1');", "INSERT INTO t (id) VALUES ('x');"),
    "a text that is no uuid": (
        "INSERT INTO t (u) VALUES ('3fa85f64-5717-4562-b3fc-2c963f66afa6');",
        "INSERT INTO t (u) VALUES ('3fa85f64-5717-4562');",
    ),
    "broken JSON": ("INSERT INTO t (j) VALUES ('{}');", "INSERT INTO t (j) VALUES ('{');"),
    "no label of the enum": ("INSERT INTO t (m) VALUES ('ok');", "INSERT INTO t (m) VALUES ('glad');"),
    "a relation in a text": ("SELECT 't'::regclass;", "SELECT 'x'::regclass;"),
    "an interval read as a moment": (
        "UPDATE t SET at = at - '2024-01-01' WHERE true;",
        "UPDATE t SET at = at - '1 day' WHERE true;",
    ),
    "the column is gone": ("INSERT INTO t (name) VALUES ('a');", "ALTER TABLE t DROP COLUMN name;\n"
                           "INSERT INTO t (name) VALUES ('b');"),
    "the table is gone": ("INSERT INTO t (name) VALUES ('a');", "DROP TABLE t;\nINSERT INTO t (name) VALUES ('b');"),
    "the column was rolled back": (
        "BEGIN; ALTER TABLE t ADD COLUMN extra int; INSERT INTO t (extra) VALUES (1);",
        "ROLLBACK; INSERT INTO t (extra) VALUES (2);",
    ),
    "the transaction failed": (
        "BEGIN; ALTER TABLE t ADD COLUMN extra int; INSERT INTO t (extra) VALUES (1);",
        "\\set ON_ERROR_STOP off\nDELETE FROM nothing; COMMIT;\n\\set ON_ERROR_STOP on\nINSERT INTO t (extra) VALUES (2);",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("good", "bad"), REFUSED.values(), ids=REFUSED)
def test_a_statement_is_refused_although_one_like_it_runs(good: str, bad: str) -> None:
    fine = run_psql(Server(), "x.sql", parse_file(TABLE + good))
    broken = run_psql(Server(), "x.sql", parse_file(TABLE + good + "\n" + bad + "\n"))
    assert fine.failure is None
    assert broken.failure is not None
    assert broken.failure.offset >= len(TABLE + good)


TEXTS = {
    "a semicolon in a text": "INSERT INTO t (name) VALUES ('a;b');",
    "quotes in a text": "INSERT INTO t (name) VALUES ('it''s');",
    "an escaped quote": r"INSERT INTO t (name) VALUES (E'a\';b');",
    "a comment with a quote": "INSERT INTO t (name) VALUES (1 -- it's\n);",
    "a comment with a semicolon": "INSERT INTO t (name) VALUES (1 /* ; */);",
    "a text in dollars": "INSERT INTO t (name) VALUES ($$;'$$);",
    "a text in two pieces": "INSERT INTO t (name) VALUES ('a'\n';b');",
    "a quoted name": 'INSERT INTO "t;x" ("na;me") VALUES (1);',
    "a parenthesis that is never closed": "INSERT INTO t (name VALUES ('a'); SELECT 1;",
    "a variable of psql": "INSERT INTO t (name) VALUES (:'v');",
    "a quote that is never closed": "INSERT INTO t (name) VALUES ('a); SELECT 1;",
    "a body of statements": "CREATE FUNCTION f() RETURNS void BEGIN ATOMIC INSERT INTO t (id) VALUES (1);"
    " INSERT INTO t (id) VALUES (2); END;",
    "no semicolon": "INSERT INTO t (name) VALUES ('a')",
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_statements_end_where_the_lexer_ends_them(text: str) -> None:
    script = f"{text}\n{text}\nSELECT 1;"
    assert [(p.start, p.end) for p in parse_file(script)] == [(p.start, p.end) for p in parse_script(script)]


def test_repeated_statements_are_not_parsed_again() -> None:
    rows = "".join(
        f"INSERT INTO t (id, name) VALUES ({i}, 'n''{i}') ON CONFLICT DO NOTHING;\n" for i in range(50)
    )
    changes = [p.tree for p in parse_file(TABLE + rows)[3:]]
    assert len(changes) == 50
    assert len({c.outline for c in changes if isinstance(c, Change)}) == 1
