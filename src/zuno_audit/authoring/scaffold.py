"""The first draft of a rule: a file that works, with a fixture that fails and one that passes."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec import Struct

from zuno_audit.errors import UsageError
from zuno_audit.facts.catalog import TABLES
from zuno_audit.version import VERSION

_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*\Z")

_HEAD = """\
id: {id}
title: {title}
kind: {kind}
severity: warning
precision: high
since: {version}
"""
_TAIL = """\
why: |
  The harm that it does.
fix: |
  What to do instead.
bad: |
  the shortest code that is reported
good: |
  the same, mended
limits: |
  What the rule cannot see.
"""
_QUERY_RULE = """\
forbid: query:go/{query}
message: "{{{{ function }}}} is called here."
pass: "no such call in {{{{ total }}}} files"
"""
_TABLE_RULE = """\
for_each: {table}
require:
  - path: {{glob: "**"}}          # a field of the table and what it must be
    message: "{{{{ path }}}} is not as it should be."
pass: "{{{{ count }}}} of {{{{ total }}}} are as they should be"
"""
_QUERY = """\
; Calls of panic. Every capture but @report is a field of the row.
; contains: panic(
(call_expression
  function: (identifier) @function
  (#eq? @function "panic")) @report
"""
_FAIL = """\
package main

func main() {{
	// ruleid: {id}
	panic("no")
}}
"""
_PASS = """\
package main

import "errors"

func run() error {{
	// ok: {id}
	return errors.New("panic(no)")
}}
"""


class Draft(Struct, frozen=True):
    """What is to be written. `table` is empty for a rule with a query of its own."""

    id: str
    pack: str
    rules: Path
    fixtures: Path
    table: str = ""

    def files(self) -> dict[Path, str]:
        """Every file of the draft with its text."""
        words = {
            "id": self.id,
            "title": self.id.replace("-", " ").capitalize(),
            "kind": "document" if self.table else "query",
            "version": VERSION,
            "query": self.id.replace("-", "_"),
            "table": self.table,
        }
        body = _TABLE_RULE if self.table else _QUERY_RULE
        rule = (_HEAD + body + _TAIL).format(**words)
        made = {self.rules / self.pack / f"{self.id}.yaml": rule}
        fail, good = (self.fixtures / self.id / kind for kind in ("fail", "pass"))
        if self.table:
            made[fail / "first" / "expect.yaml"] = (
                "findings: []    # put the files beside and list the places\n"
            )
            made[good / "near-miss" / "expect.yaml"] = "findings: []\n"
            return made
        made[self.rules / "queries" / "go" / f"{words['query']}.scm"] = _QUERY
        made[fail / "first" / "main.go"] = _FAIL.format(**words)
        made[good / "near-miss" / "main.go"] = _PASS.format(**words)
        return made

    def write(self) -> tuple[Path, ...]:
        """Writes the files and returns their paths. Raises UsageError when one is there already."""
        self._check()
        files = self.files()
        for path in files:
            if path.exists():
                raise UsageError(f"{path} is there already.", hint="Choose another id.")
        for path, text in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        return tuple(files)

    def _check(self) -> None:
        for what, name in (("id", self.id), ("pack", self.pack)):
            if _ID.match(name) is None:
                raise UsageError(f"{name!r} is no {what}.", hint="Small letters, digits and hyphens.")
        if self.table and self.table not in TABLES:
            raise UsageError(
                f"There is no table {self.table!r}.", hint=f"Tables: {', '.join(sorted(TABLES))}."
            )
