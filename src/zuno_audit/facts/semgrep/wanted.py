"""Which semgrep rule files an audit wants, and what it is to want none."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

RUN_SECONDS = 300  # for the whole run: 250 Go files and our rules take 14 seconds on two busy cores
NOT_ASKED = "Not run: add --semgrep."
NOT_INSTALLED = "Not run: install zuno-audit[semgrep]."


class SemgrepFile(Struct, frozen=True):
    """`semgrep/<name>.yaml` below a folder of rule packs."""

    name: str
    folder: Path

    @property
    def path(self) -> str:
        """The path below the folder of packs, for messages."""
        return f"semgrep/{self.name}.yaml"


class NotRun(Exception):
    """The second engine was not asked for, or is not installed. The text is one sentence for a report."""
