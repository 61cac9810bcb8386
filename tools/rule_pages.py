"""Writes what `docs/` generates: rule pages, the checklist and the reference of the command line.

`python tools/rule_pages.py [--check]`: with `--check` it only says (exit 1) which pages are out of date.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))


def pages() -> dict[Path, str]:
    """Every generated page, by its path."""
    from zuno_audit.api import rule_files
    from zuno_audit.authoring.pages import checklist_page, index_page, rule_page
    from zuno_audit.authoring.tables import tables_page
    from zuno_audit.cli.project import schema_text
    from zuno_audit.cli.reference import reference_page
    from zuno_audit.config.setup import built_in_checklist

    docs = ROOT / "docs"
    rules, checklist = rule_files(), built_in_checklist()
    made = {docs / "rules" / f"{rule.id}.md": rule_page(rule, checklist) for rule in rules.all()}
    made[docs / "rules" / "index.md"] = index_page(rules.all(), rules.packs())
    made[docs / "checklist.md"] = checklist_page(checklist)
    made[docs / "reference" / "tables.md"] = tables_page()
    made[docs / "reference" / "cli.md"] = reference_page()
    for kind in ("config", "rule", "profile"):
        made[docs / "reference" / f"{kind}.schema.json"] = schema_text(kind)
    return made


def main() -> int:
    """Writes the pages, or says which are not as they would be written."""
    made = pages()
    stale = [path for path, text in made.items() if not path.is_file() or path.read_text("utf-8") != text]
    gone = [path for path in (ROOT / "docs" / "rules").glob("*.md") if path not in made]
    if "--check" in sys.argv[1:]:
        for path in (*stale, *gone):
            print(f"out of date: {path.relative_to(ROOT)} (run python tools/rule_pages.py)")  # noqa: T201
        return int(bool(stale or gone))
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[path], "utf-8")
    for path in gone:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
