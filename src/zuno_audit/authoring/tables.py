"""What tables there are and which fields their rows have, in the words of their providers."""

from __future__ import annotations

import inspect
from importlib import import_module

from zuno_audit.errors import UsageError
from zuno_audit.facts.catalog import TABLES

_HEAD = """\
# Tables

What a rule can quantify over with `for_each`, `exists` and `forbid`. Every row has `path` and `line` besides its
fields. Most fields answer yes, no or unknown; `{{ field.because }}` says why. Rules with a tree-sitter query of their
own use `query:go/NAME` instead; the captures of the query are its fields.
"""


def table_text(name: str) -> str:
    """What is known of one table. Raises UsageError for an unknown one."""
    if name not in TABLES:
        raise UsageError(f"There is no table {name!r}.", hint=f"Tables: {', '.join(sorted(TABLES))}.")
    module, _, function = TABLES[name].partition(":")
    return inspect.getdoc(getattr(import_module(module), function)) or "Not described."


def tables_page() -> str:
    """Markdown: every table."""
    parts = [_HEAD.strip()]
    for name in sorted(TABLES):
        parts.append(f"## {name}\n\n{table_text(name)}")
    return "\n\n".join(parts) + "\n"
