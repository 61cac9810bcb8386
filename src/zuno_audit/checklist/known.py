"""The wordings that are known for the items: `rules/checklist/wording.tsv`.

A module of its own, because looking for a checklist needs no more than the names in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from zuno_audit.errors import RuleError

FILE = "checklist/wording.tsv"
NOT = "not"


class Wording(Struct, frozen=True):
    """What is known of an item's wording: digests of its text and body, whether it negates, what it names."""

    text: str
    body: str
    negates: bool
    names: frozenset[str]


def load_wordings(root: Path) -> Mapping[str, Wording]:
    """The known wordings by item, from `rules/checklist/wording.tsv`. Raises RuleError for a malformed file.

    A line is: item, digest of the text, digest of the body (`-` for none), `not` or `-`, names.
    """
    found = {}
    try:
        text = root.joinpath(FILE).read_text("utf-8")
    except OSError as error:
        raise RuleError(f"cannot be read: {error.strerror}", path=FILE) from error
    for number, line in enumerate(text.splitlines(), 1):
        if line and not line.startswith("#"):
            cells = line.split("\t")
            if len(cells) != 5:
                raise RuleError("a line is: item, text, body, not, names", path=FILE, line=number)
            found[cells[0]] = Wording(cells[1], cells[2], cells[3] == NOT, frozenset(cells[4].split()))
    return found
