"""The body of a GraphQL answer: `{"data": {...}, "errors": [...]}`."""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, as_list, object_of

_HEAD = re.compile(rb'\s*\{\s*"(?:data|errors)":\s*[\[{n]')


def recognise(head: bytes) -> bool:
    """True for an object that begins with data or errors."""
    return _HEAD.match(head) is not None


def read(data: bytes) -> Reading:
    """A `field` for each top-level field and its own fields: `given`, `null` or `error`. Never a value.

    Raises BrokenEvidence.
    """
    lines = Lines(data)
    document = object_of(data)
    failed = bool(as_list(document.get("errors")))
    content = document.get("data")
    if not isinstance(content, dict):
        if not failed:
            raise BrokenEvidence("a GraphQL answer without data and without errors")
        content = {}
    found = [Observation("graphql", "", "error" if failed else "ok", number=float(len(content)))]
    for name, value in content.items():
        found.append(Observation("field", name, _state(value), line=lines.holding(f'"{name}"')))
        for inner, part in _fields(value):
            label = f"{name}.{inner}"
            found.append(Observation("field", label, _state(part), line=lines.holding(f'"{inner}"')))
    return Reading(tuple(found))


def _fields(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _state(value: Any) -> str:
    return "null" if value is None or value == "" else "given"
