"""How types go together: enough of pg_cast and pg_operator to see what PostgreSQL surely refuses."""

from __future__ import annotations

import json
import re
from functools import lru_cache

from zuno_audit.facts.postgres.builtins import DATE_TYPES, UNSTABLE_CASTS

LITERAL = "unknown"  # PostgreSQL's name for the type of a quoted constant

ENUM = "enum"  # an enum is known by its labels: `enum` and each of them after a separator
_BETWEEN = "\x1f"

NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
STRINGS = frozenset({"text", "character varying", "character", "name", "citext", '"char"'})
_SERIAL = {"serial": "integer", "bigserial": "bigint", "smallserial": "smallint"}
_GROUPS = {
    **dict.fromkeys(NUMBERS, "number"),
    **dict.fromkeys(STRINGS, "string"),
    "boolean": "boolean",
    "date": "date",
    "timestamp with time zone": "date",
    "timestamp without time zone": "date",
    "time with time zone": "time",
    "time without time zone": "time",
    "interval": "interval",
    "uuid": "uuid",
    "json": "json",
    "jsonb": "jsonb",
    "bytea": "bytea",
    "inet": "inet",
    "cidr": "inet",
}
_UUID = re.compile(r"\{?[0-9a-fA-F]{4}(-?[0-9a-fA-F]{4}){7}\}?")
_INTEGER = re.compile(r"\s*[+-]?\d+\s*")
_NUMBER = re.compile(r"\s*([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|NaN|[+-]?inf(inity)?)\s*", re.IGNORECASE)
_BOOLEAN = frozenset(
    [
        "t",
        "tr",
        "tru",
        "true",
        "y",
        "ye",
        "yes",
        "on",
        "1",
        "f",
        "fa",
        "fal",
        "fals",
        "false",
        "n",
        "no",
        "of",
        "off",
        "0",
    ]
) - {"o"}


def column_type(name: str) -> str:
    """What a serial really is."""
    return _SERIAL.get(name, name)


def enum_type(labels: tuple[str, ...]) -> str:
    """The type of a column whose values are these labels."""
    return _BETWEEN.join((ENUM, *labels))


def shown(kind: str | None) -> str:
    """The type for a message."""
    return "unknown" if kind is None else kind.split(_BETWEEN)[0]


def bad_literal(kind: str | None, text: str) -> str:
    """PostgreSQL's complaint about a text that a type does not accept."""
    what = (
        "value for enum" if kind is not None and kind.startswith(ENUM) else f"syntax for type {shown(kind)}"
    )
    return f'invalid input {what}: "{text[:40]}"'


def group(kind: str | None) -> str | None:
    """The family inside which types compare with each other; None when it cannot be told."""
    if kind is None or kind == LITERAL:
        return None
    if kind.endswith("[]"):
        inner = group(kind[:-2])
        return None if inner is None else inner + "[]"
    return _GROUPS.get(kind)


def comparable(left: str | None, right: str | None) -> bool:
    """False when no operator of PostgreSQL compares the two."""
    a, b = group(left), group(right)
    return a is None or b is None or a == b


def assignable(target: str | None, source: str | None) -> bool:
    """False when a value of the source type can never go into a column of the target type."""
    a, b = group(target), group(source)
    if a is None or b is None or a == b or a == "string":
        return True
    return {a, b} in ({"json", "jsonb"}, {"interval", "time"}) or (a == "time" and b == "date")


def literal_fits(kind: str | None, text: str) -> bool:
    """False when the type's input function surely refuses the text."""
    if kind in ("smallint", "integer", "bigint"):
        return _INTEGER.fullmatch(text) is not None
    if kind in ("numeric", "real", "double precision"):
        return _NUMBER.fullmatch(text) is not None
    if kind == "boolean":
        return text.strip().lower() in _BOOLEAN
    if kind == "uuid":
        return _UUID.fullmatch(text) is not None
    if kind is not None and kind.startswith(ENUM):
        return text in kind.split(_BETWEEN)[1:]
    if kind in ("json", "jsonb"):
        try:
            json.loads(text)
        except ValueError:
            return False
    return True


@lru_cache(maxsize=4096)
def text_class(text: str) -> tuple[bool, ...]:
    """What `literal_fits` says of a text, enums left out: texts of one class fit the same types."""
    return tuple(literal_fits(kind, text) for kind in ("integer", "numeric", "boolean", "uuid", "json"))


def number_type(text: str) -> str:
    """The type of a numeric constant."""
    if not text.isdigit():
        return "numeric"
    value = int(text) if len(text) < 25 else 1 << 70
    return "integer" if value < 1 << 31 else "bigint" if value < 1 << 63 else "numeric"


def wider(left: str | None, right: str | None) -> str | None:
    """The type of an arithmetic operation on two numbers."""
    if left == LITERAL:
        return right
    if right == LITERAL:
        return left
    if left in NUMBERS and right in NUMBERS:
        return NUMBERS[max(NUMBERS.index(left), NUMBERS.index(right))]
    return None


def unstable_cast(source: str | None, target: str) -> bool | None:
    """True when the cast is not immutable, None when it cannot be told."""
    if source in (LITERAL, target):
        return False
    if source is None:
        return None if target in DATE_TYPES or target in STRINGS else False
    if (source, target) in UNSTABLE_CASTS:
        return True
    if source in STRINGS:
        return target in DATE_TYPES or target.startswith("reg") or target.endswith("[]")
    if target in STRINGS:
        if source.endswith("[]") or source.startswith(ENUM):
            return True
        return source in DATE_TYPES and source != "interval"
    return False
