"""Conditions and queries that cannot be met by anything, as far as that can be seen without running them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

_IS_TEXT = re.compile(r"\(#eq\?\s+@([\w.-]+)\s+\"((?:[^\"\\]|\\.)*)\"\s*\)")
_NAME_NODES = ("identifier", "field_identifier", "package_identifier", "type_identifier", "label_name")
_CAPTURED = re.compile(r"\((\w+)\)\s*@([\w.-]+)")
_COMMENT = re.compile(r";[^\n]*")


def never_holds(predicate: Any) -> str:
    """Why no value satisfies a predicate; empty when one may."""
    if not isinstance(predicate, dict):
        return ""
    for name in ("in", "any", "glob"):
        if predicate.get(name) in ([], ""):
            return f"{name} lists nothing"
    low, high = predicate.get("at_least"), predicate.get("at_most")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and low > high:
        return f"nothing is at least {low} and at most {high}"
    members = predicate.get("all", [])
    values = {member for member in members if not isinstance(member, dict)}
    if len(values) > 1:
        return f"nothing equals {' and '.join(sorted(map(repr, values)))}"
    reasons = [never_holds(member) for member in members]
    choices = [never_holds(member) for member in predicate.get("any", [])]
    return next(filter(None, reasons), "") or (choices[0] if choices and all(choices) else "")


def never_matches(query: str) -> Iterator[tuple[int, str]]:
    """Lines of a tree-sitter query that contradict themselves, and how.

    The grammar's own contradictions (a node that cannot lie in another) are found when a query is compiled.
    """
    text = _COMMENT.sub(lambda match: " " * len(match.group()), query)
    for start, pattern in _patterns(text):
        kinds = {name: kind for kind, name in _CAPTURED.findall(pattern)}
        wanted: dict[str, str] = {}
        for match in _IS_TEXT.finditer(pattern):
            name, value = match.groups()
            line = text.count("\n", 0, start + match.start()) + 1
            if wanted.setdefault(name, value) != value:
                yield line, f"@{name} cannot be both {wanted[name]!r} and {value!r}"
            elif kinds.get(name) in _NAME_NODES and not re.fullmatch(r"\w+", value):
                yield line, f"@{name} is one name, which {value!r} is not"


def _patterns(text: str) -> Iterator[tuple[int, str]]:
    """The top-level patterns, each with its offset."""
    depth, start = 0, 0
    for match in re.finditer(r'"(?:[^"\\]|\\.)*"|[()\[\]]', text):
        if match.group() in ("(", "["):
            start = match.start() if depth == 0 else start
            depth += 1
        elif match.group() in (")", "]"):
            depth -= 1
            if depth == 0:
                yield start, text[start : match.end()]
