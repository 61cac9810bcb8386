"""`docker images --format json`: one image a line, sizes as text in decimal units (go-units HumanSize)."""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import json_lines, text_at

_KEYS = (b'"Repository":', b'"Size":', b'"Tag":')
_SIZE = re.compile(r"([0-9.]{1,20})\s*([kKMGT]?)B")
_FACTORS = {"": 1.0, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}


def recognise(head: bytes) -> bool:
    """True for lines of images."""
    return head.lstrip()[:1] in (b"{", b"[") and all(key in head.split(b"\n", 1)[0] for key in _KEYS)


def read(data: bytes) -> Reading:
    """One `image` for each line, `number` its size in bytes. Raises BrokenEvidence."""
    return Reading(
        tuple(
            Observation(
                "image",
                text_at(image, "Repository"),
                number=_bytes(text_at(image, "Size"), line),
                labels=(("tag", text_at(image, "Tag")),),
                line=line,
            )
            for line, image in json_lines(data)
        )
    )


def _bytes(size: str, line: int) -> float:
    match = _SIZE.match(size)
    if match is None or match.group(1).count(".") > 1 or match.group(1) == ".":
        raise BrokenEvidence("an image without a size that can be read", line)
    return float(match.group(1)) * _FACTORS[match.group(2)]
