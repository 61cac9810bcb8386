"""Writes `rules/index.json`, so that an audit need not read YAML: `python tools/index_rules.py [--check]`."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))


def main() -> int:
    """Writes the index, or with `--check` only says (exit 1) whether it is out of date."""
    from zuno_audit.api import rule_index

    path = Path(__file__).resolve().parents[1] / "rules" / "index.json"
    text = rule_index()
    if "--check" in sys.argv[1:]:
        return int(not path.is_file() or path.read_text("utf-8") != text)
    path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
