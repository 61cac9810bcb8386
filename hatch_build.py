"""Build hook: writes the index of the rule files, so that an installed audit need not read YAML.

The index is an optimisation only. Entries that no longer fit their rule file are ignored (by hash), so a
checkout in development mode stays correct when rules change.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class RuleIndexHook(BuildHookInterface):
    """Makes `rules/index.json` before files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        root = Path(self.root)
        sys.path.insert(0, str(root / "src"))
        try:
            from zuno_audit.api import rule_index

            (root / "rules" / "index.json").write_text(rule_index(), "utf-8")
        finally:
            sys.path.remove(str(root / "src"))
