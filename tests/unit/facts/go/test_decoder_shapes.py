"""Ways to decode a log, each on a program of its own, and what the inventory says of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from shapes import shapes
from trees import write_tree

from zuno_audit import inventory

SHAPES = shapes(Path(__file__).parent / "shapes" / "decoders.txtar")
MARK = re.compile(r"// (row|allrow|maybe) (.*)$")


@pytest.mark.parametrize("name", SHAPES)
def test_decoders(tmp_path: Path, name: str) -> None:
    files = SHAPES[name]
    write_tree(tmp_path, files)
    with_all = any("// allrow" in text for text in files.values())
    rows: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for row in inventory(tmp_path, include_all=with_all)["log_decoders"]:
        rows.setdefault((row["path"], row["line"]), []).append(row)
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if mark := MARK.search(line):
                found = rows.pop((path, number), [])
                assert found or mark.group(1) == "maybe", f"nothing at {path}:{number}"
                for field, _, value in (part.partition("=") for part in mark.group(2).split()):
                    said = {row[field] for row in found}
                    assert said <= {None if value == "null" else value}, f"{field} at {path}:{number}"
    assert not rows


def test_code_that_is_not_ours_is_left_out(tmp_path: Path) -> None:
    write_tree(tmp_path, SHAPES["test_file"])
    assert inventory(tmp_path)["log_decoders"] == []
