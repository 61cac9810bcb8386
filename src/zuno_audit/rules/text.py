"""Values that a rule or the checklist hands on as text."""

from __future__ import annotations

from typing import Any


def argument_text(value: Any) -> str:
    """An argument as text: yes/no for booleans, lists joined by `, `, numbers without a trailing `.0`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        return ", ".join(argument_text(v) for v in value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
