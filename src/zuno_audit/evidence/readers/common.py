"""What several readers need: JSON without surprises, times, line numbers."""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence

MAX_OBSERVATIONS = 500_000  # of one file
MAX_SEARCHED = 1_000_000_000  # bytes in which lines are looked for: about a tenth of a second
_FRACTION = re.compile(r"(\.\d{6})\d+")


def text_of(data: bytes) -> str:
    """The text of a file. Raises BrokenEvidence for anything but UTF-8."""
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        raise BrokenEvidence("not UTF-8 text", data.count(b"\n", 0, error.start) + 1) from None


def json_of(data: bytes) -> Any:
    """The value of a JSON document. Raises BrokenEvidence."""
    return _parsed(text_of(data), 1)


def object_of(data: bytes) -> dict[str, Any]:
    """The object of a JSON document. Raises BrokenEvidence."""
    return as_object(json_of(data), 1)


def json_lines(data: bytes) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a file with one JSON object a line, or of one JSON array. Raises BrokenEvidence."""
    text = text_of(data)
    if text.lstrip()[:1] == "[":
        for value in as_list(_parsed(text, 1), 1):
            yield 1, as_object(value, 1)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, as_object(_parsed(line, number), number)


def _parsed(text: str, line: int) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise BrokenEvidence(f"not JSON: {error.msg}", line + error.lineno - 1) from None
    except (RecursionError, ValueError):
        raise BrokenEvidence("not JSON: nested too deeply or a number too long", line) from None


def as_object(value: Any, line: int = 1) -> dict[str, Any]:
    """The value if it is an object. Raises BrokenEvidence."""
    if not isinstance(value, dict):
        raise BrokenEvidence("a JSON object is expected", line)
    return value


def as_list(value: Any, line: int = 1) -> list[Any]:
    """The value if it is a list; none for null. Raises BrokenEvidence."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise BrokenEvidence("a JSON list is expected", line)
    return value


def text_at(data: dict[str, Any], *keys: str) -> str:
    """The text at a path of keys, or empty text."""
    value: Any = data
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, str) else ""


def seconds(when: str) -> float | None:
    """An RFC 3339 time in seconds since 1970, or None. A time without a zone says too little."""
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", when.strip()).replace("Z", "+00:00"))
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo is not None else None


class Lines:
    """Finds the line of a text in a file, with bounded work: a report may hold as many texts as it likes."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._ends = [match.start() for match in re.finditer(b"\n", data.rstrip(b"\n"))]
        self._searched = 0

    def holding(self, text: str) -> int:
        """The first line that holds the text; 1 when none does, or when too much was searched already."""
        if not self._ends or self._searched > MAX_SEARCHED:
            return 1
        found = self._data.find(text.encode("utf-8", "backslashreplace"))
        self._searched += len(self._data) if found < 0 else found
        return 1 if found < 0 else bisect_left(self._ends, found) + 1
