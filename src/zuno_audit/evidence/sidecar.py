"""`NAME.meta.json` beside an evidence file: the run it is from. Written by `collect`, or by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Meta
from zuno_audit.evidence.readers.common import object_of, seconds

SUFFIX = ".meta.json"
SCHEMA = "zuno-audit/evidence/v1"
_TEXTS = ("commit", "tool", "version", "made_at", "url", "query", "environment")


def read_meta(data: bytes) -> Meta:
    """The sidecar as data. Raises BrokenEvidence for anything that is not as `write_meta` writes it."""
    content = object_of(data)
    for key in _TEXTS:
        if not isinstance(content.get(key, ""), str):
            raise BrokenEvidence(f"{key} is not text")
    command = content.get("command", [])
    status = content.get("exit_status")
    if not isinstance(command, list) or not all(isinstance(word, str) for word in command):
        raise BrokenEvidence("command is not a list of words")
    if status is not None and (not isinstance(status, int) or isinstance(status, bool)):
        raise BrokenEvidence("exit_status is not a number")
    if not isinstance(content.get("dirty", False), bool):
        raise BrokenEvidence("dirty is neither true nor false")
    return Meta(
        commit=content.get("commit", ""),
        dirty=content.get("dirty", False),
        command=tuple(command),
        exit_status=status,
        made_at=_time(content),
        tool=content.get("tool", ""),
        version=content.get("version", ""),
        url=content.get("url", ""),
        query=content.get("query", ""),
        environment=content.get("environment", ""),
    )


def _time(content: Mapping[str, Any]) -> float | None:
    text = content.get("made_at", "")
    when = seconds(text)
    if text and when is None:
        raise BrokenEvidence("made_at is not a time with a zone, like 2026-01-31T12:00:00Z")
    return when


def write_meta(values: Mapping[str, Any]) -> str:
    """The text of a sidecar; what is not known is left out."""
    known = {key: value for key, value in values.items() if value not in (None, "", [])}
    return json.dumps({"schema": SCHEMA, **known}, ensure_ascii=False, indent=2) + "\n"
