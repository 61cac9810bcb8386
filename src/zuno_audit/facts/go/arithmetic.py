"""Constant arithmetic of Go on Python numbers (specification, "Arithmetic operators", "Conversions")."""

from __future__ import annotations

from typing import Any

MAX_SHIFT = 512
MAX_TEXT = 100_000


def unary(op: str, x: Any) -> Any:
    """`op x`, or None where it has no value."""
    if op == "!" and isinstance(x, bool):
        return not x
    if isinstance(x, bool) or not isinstance(x, int | float):
        return None
    if op == "-":
        return -x
    if op == "+":
        return x
    if op == "^" and isinstance(x, int):
        return ~x
    return None


def binary(op: str, x: Any, y: Any) -> Any:
    """`x op y`, or None where it has no value (a division by zero, mixed kinds)."""
    if isinstance(x, str) != isinstance(y, str) or isinstance(x, bool) != isinstance(y, bool):
        return None
    if op in ("<", "<=", ">", ">="):
        return {"<": x < y, "<=": x <= y, ">": x > y, ">=": x >= y}[op]
    if isinstance(x, str):
        return x + y if op == "+" and len(x) + len(y) <= MAX_TEXT else None
    if isinstance(x, bool):
        return None
    if op == "+":
        return x + y
    if op == "-":
        return x - y
    if op == "*":
        return x * y
    if op in ("/", "%"):
        return _divide(op, x, y)
    if isinstance(x, int) and isinstance(y, int):
        return _bits(op, x, y)
    return None


def _divide(op: str, x: Any, y: Any) -> Any:
    if y == 0:
        return None
    if isinstance(x, float) or isinstance(y, float):
        return x / y if op == "/" else None
    quotient = abs(x) // abs(y) * (1 if (x < 0) == (y < 0) else -1)  # Go truncates towards zero
    return quotient if op == "/" else x - quotient * y


def _bits(op: str, x: int, y: int) -> int | None:
    if op == "&":
        return x & y
    if op == "|":
        return x | y
    if op == "^":
        return x ^ y
    if op == "&^":
        return x & ~y
    if op in ("<<", ">>") and 0 <= y <= MAX_SHIFT:
        return x << y if op == "<<" else x >> y
    return None


def convert(value: Any, kind: str) -> Any:
    """A constant converted to a basic type; sized integers wrap around as they do at run time."""
    if kind.startswith("float") and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, float) and ("int" in kind or kind in ("byte", "rune")):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        if kind in ("uint8", "byte"):
            return value & 0xFF
        if kind in ("uint16", "uint32", "uint64", "uint"):
            return value & ((1 << int(kind[4:] or 64)) - 1)
        if kind == "string":
            return chr(value) if 0 <= value < 0x110000 else "\ufffd"
    return value
