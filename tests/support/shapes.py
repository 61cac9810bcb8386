"""Files with many small repositories: `=== name`, and in each `-- path --` before the text of a file."""

from __future__ import annotations

import re
from pathlib import Path

GO_MOD = "module example.com/x\n\ngo 1.22\n"


def shapes(path: Path) -> dict[str, dict[str, str]]:
    """The files of each repository; those without a go.mod get one."""
    found: dict[str, dict[str, str]] = {}
    for chunk in re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        name, _, body = chunk.partition("\n")
        parts = re.split(r"^-- (\S+) --\n", body, flags=re.MULTILINE)
        files = dict(zip(parts[1::2], parts[2::2], strict=True))
        if not any(file.endswith("go.mod") for file in files):
            files["go.mod"] = GO_MOD
        found[name] = files
    return found
