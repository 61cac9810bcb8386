"""Ways to read the environment, each in a repository of its own, and what the inventory says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from shapes import shapes
from trees import write_tree

from zuno_audit import inventory

SHAPES = shapes(Path(__file__).parent / "shapes" / "env.txtar")
PLACE = re.compile(r"R:([A-Z0-9_]+)")
SHOWN = {True: "true", False: "false", None: "null"}


@pytest.mark.parametrize("name", SHAPES)
def test_variables(tmp_path: Path, name: str) -> None:
    """WANT has a line per variable: its name, then what is to be compared; `?` where either way is fine."""
    files = {path: text for path, text in SHAPES[name].items() if path != "WANT"}
    write_tree(tmp_path, files)
    places: dict[str, set[tuple[str, int]]] = {}
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            for variable in PLACE.findall(line):
                places.setdefault(variable, set()).add((path, number))
    found = {row["name"]: row for row in inventory(tmp_path)["env_vars"]}
    for want in filter(None, SHAPES[name]["WANT"].split("\n")):
        variable, *wanted = want.split()
        row = found.pop(variable, None)
        if row is None:
            assert "?" in wanted, f"{variable} is not found"
            continue
        said = {
            "required": SHOWN[row["required"]],
            "default": "null" if row["default"] is None else row["default"],
            "docs": ",".join(row["documented_in"]),
        }
        for field, _, value in (part.partition("=") for part in wanted if part != "?"):
            assert said[field] == value, f"{field} of {variable}"
        if variable in places:
            assert {(read["path"], read["line"]) for read in row["reads"]} == places[variable], variable
    assert not found
