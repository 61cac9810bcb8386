"""Every format against a file that was read in review.

`UPDATE_GOLDEN=1 pytest tests/golden` writes the files anew; read the difference before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from sample_result import sample

from zuno_audit.report import render

HERE = Path(__file__).parent
FILES = {
    "report.txt": ("text", {"width": 80}),
    "report-verbose-40.txt": ("text", {"width": 40, "verbose": True}),
    "report.json": ("json", {}),
    "report.sarif": ("sarif", {}),
    "report-full.sarif": ("sarif-full", {}),
    "report.md": ("markdown", {}),
    "report.html": ("html", {}),
    "report.github": ("github", {}),
    "report.junit.xml": ("junit", {}),
}


@pytest.mark.parametrize("name", list(FILES))
def test_report_is_as_reviewed(name: str) -> None:
    format_name, options = FILES[name]
    text = render(format_name, sample(), **options)
    file = HERE / name
    if os.environ.get("UPDATE_GOLDEN"):
        file.write_bytes(text.encode("utf-8"))
    assert text == file.read_bytes().decode("utf-8")
