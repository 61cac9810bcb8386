"""References to variables as shells, compose and env files write them: `$NAME`, `${NAME:-default}`, `$$`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from msgspec import Struct

MAX_REFERENCES = 500  # of one text; more is not configuration
MAX_LENGTH = 2000  # characters between the braces of one reference
MAX_NESTING = 10  # of defaults inside defaults

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r":?[-?+=]")


class Reference(Struct, frozen=True):
    """One reference. `argument` is what follows the operator.

    `operator` is "", or one of `-`, `=`, `?`, `+`, with or without a colon before it.
    """

    name: str
    operator: str = ""
    argument: str = ""
    start: int = 0
    end: int = 0

    @property
    def is_required(self) -> bool:
        """True when a missing variable is an error (`?`)."""
        return self.operator.endswith("?")

    @property
    def default(self) -> str | None:
        """The text used when the variable is missing, or None."""
        return self.argument if self.operator.endswith(("-", "=")) else None


def references(text: str) -> tuple[Reference, ...]:
    """The outermost references of a text, in order. `$$` and a lone `$` are text."""
    return tuple(_scan(text))


def names(text: str) -> tuple[str, ...]:
    """The names of all variables of a text, those inside defaults too, each once."""
    found: dict[str, None] = {}
    waiting = [(text, 0)]
    while waiting:
        part, depth = waiting.pop(0)
        for reference in references(part):
            found.setdefault(reference.name)
            if reference.argument and depth < MAX_NESTING:
                waiting.append((reference.argument, depth + 1))
    return tuple(found)


def expand(text: str, environment: Mapping[str, str], depth: int = 0) -> str | None:
    """The text with its references replaced, or None when a variable has neither a value nor a default."""
    out = []
    last = 0
    for reference in references(text):
        value = _value(reference, environment, depth)
        if value is None:
            return None
        out += [text[last : reference.start], value]
        last = reference.end
    out.append(text[last:])
    return "".join(out).replace("$$", "$")


def _value(reference: Reference, environment: Mapping[str, str], depth: int) -> str | None:
    value = environment.get(reference.name)
    is_set = value is not None and (value != "" or not reference.operator.startswith(":"))
    if reference.operator.endswith("+"):
        return expand(reference.argument, environment, depth + 1) if is_set else ""
    if is_set:
        return value
    if reference.default is None or depth >= MAX_NESTING:
        return None
    return expand(reference.default, environment, depth + 1)


def _scan(text: str) -> Iterator[Reference]:
    position = text.find("$")
    for _ in range(MAX_REFERENCES):
        if position < 0 or position + 1 >= len(text):
            return
        reference = _reference(text, position)
        if reference is not None:
            yield reference
            position = text.find("$", reference.end)
        else:
            position = text.find("$", position + (2 if text[position + 1] == "$" else 1))


def _reference(text: str, start: int) -> Reference | None:
    """The reference that begins at the `$` at `start`, or None."""
    if bare := _NAME.match(text, start + 1):
        return Reference(bare.group(), start=start, end=bare.end())
    name = _NAME.match(text, start + 2) if text.startswith("{", start + 1) else None
    if name is None:
        return None
    if text.startswith("}", name.end()):
        return Reference(name.group(), start=start, end=name.end() + 1)
    operator = _OPERATOR.match(text, name.end())
    end = _closing_brace(text, name.end())
    if operator is None or end is None:
        return None
    return Reference(name.group(), operator.group(), text[operator.end() : end], start, end + 1)


def _closing_brace(text: str, position: int) -> int | None:
    """Where the brace that is open at `position` closes."""
    depth = 1
    for i in range(position, min(position + MAX_LENGTH, len(text))):
        if text[i] == "{" and text[i - 1] == "$":
            depth += 1
        elif text[i] == "}":
            depth -= 1
            if depth == 0:
                return i
    return None
