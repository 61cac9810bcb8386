"""Whether plain data has the shape of a type, and where not: shared by rules, profiles and configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

from zuno_audit.errors import ConfigError, RuleError
from zuno_audit.rules.document import Document, KeyPath, line_of

_UNKNOWN = re.compile(r"unknown field `(.+)`")
_MISSING = re.compile(r"missing required field `(.+)`")
_NOT_AMONG = re.compile(r"Invalid (?:enum )?value (.+)")
_TYPE = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_KINDS = {
    "array": "a list",
    "object": "a mapping",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}
_PART = re.compile(r"\.([^.\[\]`]+)|\[(\d+|\.\.\.)\]")


class ShapeError(Exception):
    """A fault at a key path, before it has a line."""

    def __init__(self, message: str, *where: str | int, hint: str = "") -> None:
        super().__init__(message)
        self.where: KeyPath = where
        self.hint = hint


@contextmanager
def complaining(document: Document, error: type[ConfigError] = RuleError) -> Iterator[None]:
    """Gives faults their file and line. Raises `error`."""
    try:
        yield
    except ShapeError as wrong:
        message = f"{wrong} (at {_key_path(wrong.where)})"
        line = line_of(document.text, document.path, wrong.where)
        raise error(message, path=document.path, line=line, hint=wrong.hint) from None


def check_shape(data: Any, shape: Any) -> Any:
    """The data as `shape`. Raises ShapeError for an unknown key or a value of the wrong type."""
    import msgspec

    try:
        return msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        fault = str(error)
        message, _, at = fault.partition(" - at `")
        where = _shape_path(data, at, lambda narrowed: _complaint(narrowed, shape) == fault)
        unknown = _UNKNOWN.search(message)
        if unknown is None:
            raise _in_words(message, where, shape) from None
        key = unknown.group(1)
        raise ShapeError(
            f"unknown key {key!r}", *where, key, hint=_near(key, _keys_at(shape, where))
        ) from None


def _complaint(data: Any, shape: Any) -> str:
    import msgspec

    try:
        msgspec.convert(data, shape)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _key_path(where: KeyPath) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where)
    return text.lstrip(".") or "the top"


def _shape_path(data: Any, at: str, is_at_fault: Callable[[Any], bool]) -> KeyPath:
    """msgspec's path as keys. For `[...]`, a value of a mapping, the key is found by trying each."""
    path: list[str | int] = []
    for name, index in _PART.findall(at):
        if index == "...":
            key = _faulty_key(data, tuple(path), is_at_fault)
            if key is None:
                break
            path.append(key)
        else:
            path.append(int(index) if index else name)
    return tuple(path)


def _faulty_key(data: Any, where: KeyPath, is_at_fault: Callable[[Any], bool]) -> str | None:
    """The key of the mapping at `where` without whose neighbours the same fault is still there."""
    mapping = reduce(lambda inner, key: inner[key], where, data)
    for key in mapping if isinstance(mapping, dict) else ():
        if is_at_fault(_replaced(data, where, {key: mapping[key]})):
            return str(key)
    return None


def _replaced(data: Any, where: KeyPath, value: Any) -> Any:
    """A copy of the data with another value at a key path."""
    if not where:
        return value
    copy = data.copy()
    copy[where[0]] = _replaced(data[where[0]], where[1:], value)
    return copy


def _in_words(message: str, where: KeyPath, shape: Any) -> ShapeError:
    """msgspec's complaint for somebody who writes YAML."""
    missing = _MISSING.search(message)
    if missing is not None:
        return ShapeError(f"key {missing.group(1)!r} is missing", *where)
    value = _NOT_AMONG.search(message)
    if value is not None:
        allowed = [str(v) for one in _types_at(shape, where) for v in _values_of(one)]
        allowed += [str(one.tag) for one in _types_at(shape, where[:-1]) if getattr(one, "tag", None)]
        hint = f"It is one of {', '.join(filter(None, dict.fromkeys(allowed)))}." if allowed else ""
        return ShapeError(f"{value.group(1)} is not known here", *where, hint=hint)
    wrong = _TYPE.fullmatch(message)
    if wrong is not None:
        wanted = " or ".join(_KINDS.get(kind, kind) for kind in wrong.group(1).split(" | "))
        return ShapeError(
            f"{wanted} is expected here, not {_KINDS.get(wrong.group(2), wrong.group(2))}", *where
        )
    if message == "Expected `str` of length >= 1":
        return ShapeError("the text is empty", *where)
    return ShapeError(message, *where)


def _types_at(shape: Any, where: KeyPath) -> list[Any]:
    """The types that a value at a key path may have, by msgspec's account of them."""
    import msgspec.inspect as types

    found = _flat(types.type_info(shape))
    for key in where:
        inner: list[Any] = []
        for one in found:
            if isinstance(one, types.StructType):
                inner += [f.type for f in one.fields if f.encode_name == key]
            elif isinstance(one, types.DictType):
                inner.append(one.value_type)
            elif isinstance(one, types.ListType | types.VarTupleType):
                inner.append(one.item_type)
        found = [flat for one in inner for flat in _flat(one)]
    return found


def _flat(one: Any) -> list[Any]:
    """The members of a union, without what only annotates them."""
    if hasattr(one, "types"):
        return [flat for inner in one.types for flat in _flat(inner)]
    return _flat(one.type) if type(one).__name__ == "Metadata" else [one]


def _values_of(one: Any) -> tuple[Any, ...]:
    """The values of a literal or an enumeration."""
    if hasattr(one, "values"):
        return tuple(one.values)
    return (
        tuple(member.value for member in getattr(one, "cls", ())) if type(one).__name__ == "EnumType" else ()
    )


def _keys_at(shape: Any, where: KeyPath) -> list[str]:
    """The keys that a mapping at a key path may have; empty where any will do."""
    fields = (f for one in _types_at(shape, where) for f in getattr(one, "fields", ()))
    return list(dict.fromkeys(f.encode_name for f in fields))


def _near(key: str, known: list[str]) -> str:
    """The keys that there are, the likeliest first."""
    if key in known or not known:
        return ""
    from difflib import get_close_matches

    close = get_close_matches(key, known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known keys: {', '.join(known)}."
