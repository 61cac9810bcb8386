"""What a person vouches for."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct


class AttestationState(StrEnum):
    """VALID lifts an open item. VOID: a covered file changed, it is as if it were not there.

    EXPIRED and BROKEN make the item an error where they would have lifted it. NAMELESS: no such item.
    """

    VALID = "valid"
    VOID = "void"
    EXPIRED = "expired"
    BROKEN = "broken"
    NAMELESS = "nameless"


class Attestation(Struct, frozen=True):
    """Who said what of which item, and when. `item` is `*` where it cannot be told which one was meant.

    `path` and `line` are where it is written, `why` a clause that says why it does not count.
    """

    item: str
    who: str
    when: str
    statement: str
    path: str
    line: int
    state: AttestationState = AttestationState.VALID
    why: str = ""
