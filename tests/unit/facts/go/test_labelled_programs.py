"""Whole programs with labels: what the tables of servers and clients must say of each construction.

A label stands at the end of the line on which the construction begins (or the call of the helper that makes it):

    // want: server yes no            unary and stream calls recover or not
    // want: client yes 5 60 3        a breaker, with its failures, seconds and calls while half open; `-` is null
    // want: client via no            a row that is seen from a caller

`u` is not looked at, `n` is anything but yes. Rows that have no label are none of a program's business, save rows of
constructions: of these there are no more than the labels say.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from go_program import analyse

from zuno_audit.facts.go import clients, servers
from zuno_audit.model.entity import Entity

PROGRAMS = Path(__file__).parents[3] / "fixtures" / "go_programs"
SETTINGS = ("max_failures", "reset_timeout_s", "half_open_max_calls")
Place = tuple[str, str, int, bool]  # server or client, path, line, seen from a caller


def programs() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for file in sorted(PROGRAMS.glob("*.txt")):
        for part in re.split(r"(?m)^=== ", file.read_text())[1:]:
            title, _, body = part.partition("\n")
            pieces = re.split(r"(?m)^-- (.+) --\n", body)
            assert title not in found
            found[title] = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return found


def wanted(files: dict[str, str]) -> dict[Place, list[list[str]]]:
    found: dict[Place, list[list[str]]] = {}
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            for label in line.partition("// want: ")[2].split("; "):
                kind, *words = label.split() or [""]
                via = words[:1] == ["via"]
                if kind:
                    found.setdefault((kind, path, number, via), []).append(words[via:])
    return found


def answers(row: Entity, kind: str) -> list[str]:
    if kind == "server":
        return [str(row.get(name).value) for name in ("unary_recovery", "stream_recovery")]
    breaker = str(row.get("circuit_breaker").value)
    values = [row.get(name).value for name in SETTINGS]
    return [breaker, *("-" if v is None else f"{float(str(v)):g}" for v in values)]


def fits(words: list[str], found: list[str]) -> bool:
    """True when a row says what a label wants; settings that a label leaves out may be anything."""
    return all(w == "u" or (w == "n" and f != "yes") or w == f for w, f in zip(words, found, strict=False))


@pytest.mark.parametrize("title", programs())
def test_inventory_says_what_the_labels_want(title: str, tmp_path: Path) -> None:
    files = programs()[title]
    assert wanted(files)
    store = analyse(tmp_path, files)
    found: dict[Place, list[list[str]]] = {}
    for kind, table in (("server", servers.table(store)), ("client", clients.table(store))):
        for row in table.rows:
            place = (kind, row.location.path, row.location.line, row.get("via").value is not None)
            found.setdefault(place, []).append(answers(row, kind))
    for place, labels in wanted(files).items():
        rows = found.pop(place, [])
        assert len(rows) == len(labels), (place, rows)
        for words in labels:
            match = next((row for row in rows if fits(words, row)), None)
            assert match is not None, (place, words, rows)
            rows.remove(match)
    assert not [place for place in found if not place[3]]
