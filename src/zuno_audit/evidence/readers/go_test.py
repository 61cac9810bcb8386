"""`go test -json` (https://pkg.go.dev/cmd/test2json): the last word on every test and every package."""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import FAILED, UNFINISHED, Observation, Reading
from zuno_audit.evidence.readers.common import json_lines, seconds, text_at

_EVENT = re.compile(rb'\s*\{(?=[^\n]{0,2000}"Action":\s?"[a-z-]+")(?=[^\n]{0,2000}"(?:Package|ImportPath)":)')
_ENDS = frozenset({"pass", "fail", "skip"})
_BEGINS = frozenset({"start", "run", "pause", "cont", "output", "bench"})


def recognise(head: bytes) -> bool:
    """True for lines of test events, build events among them."""
    return _EVENT.match(head) is not None


def read(data: bytes) -> Reading:
    """One `test` for every package and every test in it; what never ended is unfinished."""
    states: dict[tuple[str, str], tuple[str, int]] = {}
    made_at: float | None = None
    for line, event in json_lines(data):
        made_at = seconds(text_at(event, "Time")) or made_at
        action, key = text_at(event, "Action"), (text_at(event, "Package"), text_at(event, "Test"))
        if action == "build-fail":
            key = (text_at(event, "ImportPath").split(" ")[0], "")
            action = FAILED
        if not key[0]:
            continue
        if action in _ENDS:
            states[key] = _worse(states.get(key), (action, line))
        elif action in _BEGINS:
            states.setdefault(key, (UNFINISHED, line))
    return Reading(
        tuple(
            Observation("test", test, state, labels=(("package", package),), line=line)
            for (package, test), (state, line) in states.items()
        ),
        made_at,
    )


def _worse(known: tuple[str, int] | None, new: tuple[str, int]) -> tuple[str, int]:
    """With `-count` a test runs several times: one failure is a failure."""
    return known if known is not None and known[0] == FAILED else new
