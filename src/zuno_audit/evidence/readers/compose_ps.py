"""`docker compose ps --format json`: one container a line, or one list (compose before 2.21)."""

from __future__ import annotations

from zuno_audit.evidence.observation import Observation, Reading
from zuno_audit.evidence.readers.common import json_lines, text_at

_KEYS = (b'"Service":', b'"State":')


def recognise(head: bytes) -> bool:
    """True for containers of compose."""
    return head.lstrip()[:1] in (b"{", b"[") and all(key in head for key in _KEYS)


def read(data: bytes) -> Reading:
    """One `container` for each, `state` as docker says it, label `health`. Raises BrokenEvidence."""
    return Reading(
        tuple(
            Observation(
                "container",
                text_at(container, "Service"),
                text_at(container, "State").lower(),
                labels=(("health", text_at(container, "Health").lower()),),
                line=line,
            )
            for line, container in json_lines(data)
        )
    )
