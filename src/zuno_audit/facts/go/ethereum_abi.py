"""Contract ABIs as the Solidity compiler writes them: JSON text -> events, their signatures and topics.

Format: "Contract ABI Specification" of the Solidity documentation, section JSON; the topic of an event is the
Keccak-256 hash of its canonical signature (section Events).
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from msgspec import Struct

MAX_JSON_BYTES = 4_000_000
_TYPE = re.compile(
    r"(?:uint\d*|int\d*|address|bool|string|bytes\d*|function|tuple|fixed\w*|ufixed\w*)(?:\[\d*\])*"
)


class Parameter(Struct, frozen=True):
    """One parameter of an event."""

    name: str
    type: str
    indexed: bool


class AbiEvent(Struct, frozen=True):
    """One event of a contract."""

    name: str
    inputs: tuple[Parameter, ...]
    anonymous: bool = False

    @property
    def canonical(self) -> str:
        """The text whose hash is the topic."""
        return f"{self.name}({','.join(p.type for p in self.inputs)})"

    @property
    def signature(self) -> str:
        """The canonical text with the `indexed` marks."""
        return f"{self.name}({','.join(p.type + (' indexed' if p.indexed else '') for p in self.inputs)})"

    @property
    def topic(self) -> str:
        """`0x` and 64 hexadecimal digits."""
        return "0x" + keccak256(self.canonical.encode()).hex()


class Abi(Struct, frozen=True):
    """A contract ABI."""

    events: tuple[AbiEvent, ...]
    functions: tuple[str, ...] = ()

    def event(self, name: str) -> AbiEvent | None:
        """The event called `name`."""
        return next((e for e in self.events if e.name == name), None)


class AbiError(ValueError):
    """A text that is not a contract ABI. Its message says why."""


def parse_abi(text: str, *, artifact: bool = False) -> Abi:
    """The ABI in a JSON text; with `artifact` also an object that has it under `abi`. Raises AbiError."""
    if len(text) > MAX_JSON_BYTES:
        raise AbiError("it is larger than is read")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AbiError("it is not JSON") from error
    if artifact and isinstance(document, dict):
        document = document.get("abi")
    if not isinstance(document, list):
        raise AbiError("it is not a JSON array")
    events: list[AbiEvent] = []
    functions: list[str] = []
    for entry in document:
        if not isinstance(entry, dict):
            raise AbiError("an entry is not an object")
        kind = entry.get("type", "function")
        if kind == "event":
            events.append(_event(entry))
        elif kind == "function":
            functions.append(str(entry.get("name", "")))
        elif kind not in ("constructor", "fallback", "receive", "error"):
            raise AbiError(f"an entry has the unknown type {str(kind)[:20]!r}")
    return Abi(tuple(events), tuple(functions))


def _event(entry: dict[str, Any]) -> AbiEvent:
    name, inputs = entry.get("name"), entry.get("inputs", [])
    if not isinstance(name, str) or not isinstance(inputs, list):
        raise AbiError("an event has no name or no list of inputs")
    parameters: list[Parameter] = []
    for raw in inputs:
        if not isinstance(raw, dict):
            raise AbiError(f"an input of {name[:60]} is not an object")
        type_, indexed = raw.get("type"), raw.get("indexed", False)
        if not isinstance(type_, str) or not _TYPE.fullmatch(type_) or not isinstance(indexed, bool):
            raise AbiError(f"an input of {name[:60]} has no known type")
        canonical = re.sub(r"^(u?int)(?=$|\[)", r"\g<1>256", type_)
        parameters.append(Parameter(str(raw.get("name", "")), canonical, indexed))
    return AbiEvent(name, tuple(parameters), entry.get("anonymous") is True)


# ---------------------------------------------------------------- Keccak-256 (padded unlike SHA-3)

_ROUNDS = (
    0x0000000000000001, 0x0000000000008082, 0x800000000000808A, 0x8000000080008000, 0x000000000000808B,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008A, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000A, 0x000000008000808B, 0x800000000000008B, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800A, 0x800000008000000A,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
)  # fmt: skip
_MASK = 2**64 - 1
_RATE = 136


# where a lane goes, and by how many bits it is turned on the way (rho and pi); lane (x, y) has the place x + 5 * y
_PLACES = (
    (0, 0), (10, 1), (20, 62), (5, 28), (15, 27), (16, 36), (1, 44), (11, 6), (21, 55), (6, 20), (7, 3), (17, 10),
    (2, 43), (12, 25), (22, 39), (23, 41), (8, 45), (18, 15), (3, 21), (13, 8), (14, 18), (24, 2), (9, 61), (19, 56),
    (4, 14),
)  # fmt: skip
# each lane with the two to its right in its row (chi)
_ROWS = tuple((p, p - p % 5 + (p + 1) % 5, p - p % 5 + (p + 2) % 5) for p in range(25))


@lru_cache(maxsize=4096)
def keccak256(data: bytes) -> bytes:
    """The hash that Ethereum uses (FIPS 202 describes the permutation)."""
    lanes = [0] * 25
    padded = data + b"\x01" + b"\0" * ((-len(data) - 1) % _RATE)
    padded = padded[:-1] + bytes([padded[-1] | 0x80])
    for start in range(0, len(padded), _RATE):
        for i in range(_RATE // 8):
            at = start + 8 * i
            lanes[i] ^= int.from_bytes(padded[at : at + 8], "little")
        lanes = _permuted(lanes)
    return b"".join(lane.to_bytes(8, "little") for lane in lanes[:4])


def _permuted(a: list[int]) -> list[int]:
    turned = [0] * 25
    for constant in _ROUNDS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[x - 4] << 1 | c[x - 4] >> 63) & _MASK) for x in range(5)] * 5
        for (place, by), lane, mix in zip(_PLACES, a, d, strict=True):
            lane ^= mix
            turned[place] = (lane << by | lane >> (64 - by)) & _MASK
        a = [turned[p] ^ (~turned[q] & turned[r]) for p, q, r in _ROWS]
        a[0] ^= constant
    return a
