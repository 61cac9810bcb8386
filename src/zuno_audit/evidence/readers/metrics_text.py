"""The text that `/metrics` serves: Prometheus exposition format 0.0.4, or OpenMetrics.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import MAX_OBSERVATIONS, text_of

_HEAD = re.compile(rb"\s*# (?:HELP|TYPE|UNIT) [a-zA-Z_:]")
_COMMENT = re.compile(r"#\s*TYPE\s+([a-zA-Z_:][\w:]*)\s+(\w+)\s*\Z")
_SAMPLE = re.compile(
    r'([a-zA-Z_:][\w:]*)[ \t]*(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+([-+]?[\w.+-]+)(?:[ \t]+.*)?\Z'
)
_LABEL = re.compile(r'([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"')


def recognise(head: bytes) -> bool:
    """True for text that begins with a HELP or TYPE line."""
    return _HEAD.match(head) is not None


def read(data: bytes) -> Reading:
    """A `metric` for each TYPE line, a `sample` for each sample. Raises BrokenEvidence."""
    found: list[Observation] = []
    for number, line in enumerate(text_of(data).split("\n"), 1):
        line = line.strip()
        comment = _COMMENT.match(line)
        if comment is not None:
            found.append(Observation("metric", comment.group(1), comment.group(2), line=number))
        elif line and not line.startswith("#"):
            found.append(_sample(line, number))
        if len(found) > MAX_OBSERVATIONS:
            raise BrokenEvidence("too many samples", number)
    return Reading(tuple(found))


def _sample(line: str, number: int) -> Observation:
    match = _SAMPLE.match(line) if len(line) < 20_000 else None
    if match is None:
        raise BrokenEvidence("not a line of the Prometheus format", number)
    name, labels, value = match.groups()
    try:
        parsed = float(value)
    except ValueError:
        raise BrokenEvidence("a sample without a number", number) from None
    return Observation("sample", name, number=parsed, labels=tuple(_LABEL.findall(labels or "")), line=number)
