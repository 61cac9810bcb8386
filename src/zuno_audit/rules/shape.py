"""Whether plain data has the shape of a type, and where not: shared by rules, profiles and configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from functools import reduce
from typing import Any, get_args

from zuno_audit.errors import ConfigError, RuleError
from zuno_audit.rules.document import Document, KeyPath, line_of

_UNKNOWN = re.compile(r"unknown field `(.+)`")
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
            raise ShapeError(message, *where) from None
        key = unknown.group(1)
        raise ShapeError(f"unknown key {key!r}", *where, key, hint=_near(key, shape)) from None


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


def _near(key: str, shape: Any) -> str:
    """The keys that there are, the likeliest first; empty where the type has no keys of its own."""
    import msgspec

    try:
        shapes = get_args(shape) or (shape,)
        fields = (field for one in shapes for field in msgspec.structs.fields(one))
        known = list(dict.fromkeys(field.encode_name for field in fields))
    except TypeError:
        return ""
    if key in known:
        return ""
    close = get_close_matches(key, known, 1)
    return f"Did you mean {close[0]!r}?" if close else f"Known keys: {', '.join(known)}."
