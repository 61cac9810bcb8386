"""Ways to make and register metrics: what the inventory says of each program.

A label stands at the end of the line on which the construction begins, one for each row, with `; ` between them:

    // metric NAME TYPE LABELS REGISTERED      labels `a,b`, `-` for none; `null` is not known
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from shapes import shapes
from trees import write_tree

from zuno_audit import inventory

SHAPES = shapes(Path(__file__).parent / "shapes" / "metrics.txtar")
LABEL = re.compile(r"// (metric .*)$")
Row = tuple[str, str, str]  # name, type, labels


def as_label(row: dict[str, Any]) -> Row:
    labels = row["labels"]
    joined = "null" if labels is None else ",".join(sorted(labels)) or "-"
    return row["name"] or "null", row["type"], joined


@pytest.mark.parametrize("name", SHAPES)
def test_metrics(tmp_path: Path, name: str) -> None:
    files = SHAPES[name]
    write_tree(tmp_path, files)
    found: dict[tuple[str, int], dict[Row, str]] = {}
    for row in inventory(tmp_path)["metrics"]:
        found.setdefault((row["path"], row["line"]), {})[as_label(row)] = row["registered"]
    for path, text in files.items():
        for number, line in enumerate(text.split("\n"), 1):
            if mark := LABEL.search(line):
                rows = found.pop((path, number), {})
                for label in mark.group(1).split("; "):
                    _, metric, kind, labels, registered = label.split()
                    answer = rows.pop((metric, kind, ",".join(sorted(labels.split(",")))))
                    assert answer in registered.split("|"), f"{metric} at {path}:{number}"
                assert not rows
    assert not found
