"""What the signature of a function says, read off its text: how many arguments it takes, what it gives."""

from __future__ import annotations

import re
from functools import lru_cache

_RESULT = re.compile(r"\*?((?:\w+\.)?[A-Z]\w*)$")
_BRACKET = re.compile(r"[()\[\]{}]")
_BRACKET_OR_COMMA = re.compile(r"[()\[\]{},]")
OPENING = re.compile(r"[(\[{]")


@lru_cache(maxsize=4096)
def arity(signature: str) -> tuple[int, int, int] | None:
    """Least and most arguments and the number of results of a signature; None for generic functions."""
    if not signature.startswith("("):
        return None
    closing = _closing(signature, 0)
    parameters = split(signature[1:closing])
    results = signature[closing + 1 :].strip()
    count = len(split(results[1 : _closing(results, 0)])) if results.startswith("(") else int(bool(results))
    if parameters and "..." in parameters[-1]:
        return len(parameters) - 1, 10**6, count
    return len(parameters), len(parameters), count


def first_result(signature: str) -> str:
    """The name of the type of the first result as written, without its star; empty when it has none."""
    if not signature.startswith("("):
        return ""
    results = signature[_closing(signature, 0) + 1 :].strip()
    if results.startswith("("):
        parts = split(results[1 : _closing(results, 0)])
        results = parts[0].split()[-1] if parts and "(" not in parts[0] else ""
    match = _RESULT.match(results)
    return match.group(1) if match else ""


@lru_cache(maxsize=4096)
def parameter_types(signature: str) -> tuple[str, ...]:
    """The type of every parameter where all are plain names, possibly of another package; else empty text."""
    if not signature.startswith("("):
        return ()
    types: list[str] = []
    for part in reversed(split(signature[1 : _closing(signature, 0)])):
        words = part.split()
        if len(words) == 1 and types:
            types.append(types[-1])  # `a, b T`
        else:
            types.append(words[1] if len(words) == 2 and re.fullmatch(r"[\w.]+", words[1]) else "")
    return tuple(reversed(types))


def _closing(text: str, opening: int) -> int:
    depth = 0
    for match in _BRACKET.finditer(text, opening):
        depth += 1 if match.group() in "([{" else -1
        if not depth:
            return match.start()
    return len(text)


def split(text: str) -> list[str]:
    """The parts between the commas that stand outside of brackets."""
    if not OPENING.search(text):
        parts = [part.strip() for part in text.split(",")]
        return parts if parts[-1] else parts[:-1]
    parts, depth, start = [], 0, 0
    for match in _BRACKET_OR_COMMA.finditer(text):
        character = match.group()
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif not depth:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    last = text[start:].strip()
    return [*parts, last] if last else parts
