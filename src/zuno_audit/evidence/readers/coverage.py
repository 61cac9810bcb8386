"""Coverage profiles of Go: `mode: set|count|atomic`, then one line for each block.

Format: `file:line.column,line.column statements count` (golang.org/x/tools/cover). Blocks that occur in
several test binaries (`-coverpkg`) are merged, as `go tool cover` does.
"""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import text_of

_HEAD = re.compile(rb"(?:\xef\xbb\xbf)?mode: (?:set|count|atomic)\r?(?:\n|\Z)")
_BLOCK = re.compile(r"(.+):(\d+\.\d+,\d+\.\d+) (\d{1,9}) (\d{1,18})\Z")


def recognise(head: bytes) -> bool:
    """True for a profile's first line."""
    return _HEAD.match(head) is not None


def read(data: bytes) -> Reading:
    """One `coverage` for each package: `number` statements, label `covered`. Raises BrokenEvidence."""
    blocks: dict[tuple[str, str], tuple[int, bool]] = {}
    for number, line in enumerate(text_of(data).splitlines()[1:], 2):
        match = _BLOCK.match(line)
        if match is None:
            if line and not line.startswith("mode: "):  # profiles that were put one after another
                raise BrokenEvidence("not a block of a coverage profile", number)
            continue
        file, place, statements, count = match.groups()
        key = (file, place)
        blocks[key] = (int(statements), blocks.get(key, (0, False))[1] or int(count) > 0)
    totals: dict[str, list[int]] = {}
    for (file, _), (statements, is_covered) in blocks.items():
        total = totals.setdefault(file.rpartition("/")[0], [0, 0])
        total[0] += statements
        total[1] += statements if is_covered else 0
    return Reading(
        tuple(
            Observation("coverage", package, number=total, labels=(("covered", str(covered)),))
            for package, (total, covered) in totals.items()
        )
    )
