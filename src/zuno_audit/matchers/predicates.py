"""Three-valued predicates over answers.

A predicate is plain data: a scalar (equality) or a mapping of operators that must all hold. An answer that is
not known makes it UNKNOWN, unless the predicate asks for exactly that; a failed answer is always UNKNOWN.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import IntEnum
from functools import lru_cache
from typing import Any

from zuno_audit.model.entity import UNKNOWN as UNKNOWN_VALUE
from zuno_audit.model.entity import Answer
from zuno_audit.rules.rule import Predicate
from zuno_audit.source.glob import fits

Fill = Callable[[str], str]  # replaces placeholders
Test = Callable[[Answer], "Truth"]
MAX_MATCHED = 1000  # characters that a regular expression is tried on; what is longer is not known to match
_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_LIST = re.compile(r"\s*,\s*")


class Truth(IntEnum):
    """Ordered so that `all` is min and `any` is max."""

    FALSE = 0
    UNKNOWN = 1
    TRUE = 2


def holds(predicate: Predicate, answer: Answer, fill: Fill) -> Truth:
    """Whether a predicate holds for an answer. `fill` replaces placeholders in the predicate's text."""
    if answer.failed:
        return Truth.UNKNOWN
    return _holds(predicate, answer.value, fill)


def bound(predicate: Predicate, fill: Fill) -> Predicate:
    """The predicate with its placeholders replaced once and for all."""
    if isinstance(predicate, str):
        return _filled(predicate, fill)
    if isinstance(predicate, list):
        return [bound(inner, fill) for inner in predicate]
    if not isinstance(predicate, dict):
        return predicate
    return {name: _bound_operand(name, operand, fill) for name, operand in predicate.items()}


def test_of(predicate: Predicate) -> Test:
    """The predicate as a function of an answer, for many answers. Its placeholders must be bound."""
    known: dict[tuple[type, Any], Truth] = {}

    def test(answer: Answer) -> Truth:
        if answer.failed:
            return Truth.UNKNOWN
        value = answer.value
        if isinstance(value, (list, dict)):
            return _holds(predicate, value, str)
        key = (type(value), value)  # 1 is not True
        truth = known.get(key)
        if truth is None:
            truth = known[key] = _holds(predicate, value, str)
        return truth

    return test


def is_bound(predicate: Predicate) -> bool:
    """True when no placeholder is left in a predicate."""
    if isinstance(predicate, str):
        return "{{" not in predicate
    if isinstance(predicate, dict):
        return all(is_bound(operand) for operand in predicate.values())
    return not isinstance(predicate, (list, tuple)) or all(is_bound(item) for item in predicate)


def _bound_operand(name: str, operand: Any, fill: Fill) -> Any:
    if name in ("in", "glob"):
        return _listed(operand, fill)
    if name == "matches":
        return _escaped(operand, fill)
    return bound(operand, fill)


def conjunction(truths: Iterable[Truth]) -> Truth:
    """All of them; TRUE when there are none."""
    out = Truth.TRUE
    for truth in truths:
        if truth is Truth.FALSE:
            return truth
        if truth is Truth.UNKNOWN:
            out = truth
    return out


def _holds(predicate: Predicate, value: Any, fill: Fill) -> Truth:
    if isinstance(predicate, dict):
        return conjunction(_OPERATORS[name](operand, value, fill) for name, operand in predicate.items())
    if predicate is None:
        return _truth(value is None)
    return _or_unknown(_equal(_filled(predicate, fill), value), value)


def _truth(condition: bool) -> Truth:
    return Truth.TRUE if condition else Truth.FALSE


def _is_unknown(value: Any) -> bool:
    return value is None or value == UNKNOWN_VALUE


def _or_unknown(condition: bool, value: Any) -> Truth:
    """TRUE stands; a condition that does not hold is open when the value is not known."""
    if condition:
        return Truth.TRUE
    return Truth.UNKNOWN if _is_unknown(value) else Truth.FALSE


def _filled(operand: Any, fill: Fill) -> Any:
    return fill(operand) if isinstance(operand, str) and "{{" in operand else operand


def _listed(operand: Any, fill: Fill) -> list[Any]:
    """The alternatives of `in` and `glob`: a list, or text that separates them by commas."""
    if isinstance(operand, str):
        return [part for part in _LIST.split(fill(operand)) if part]
    return [_filled(item, fill) for item in operand]


def _number(value: Any) -> float | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return float(value)
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _word(value: Any) -> Any:
    """Booleans are the words of answers: yes and no."""
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _equal(expected: Any, value: Any) -> bool:
    expected, value = _word(expected), _word(value)
    if expected == value:
        return True
    if isinstance(value, (int, float)) or (isinstance(expected, (int, float)) and isinstance(value, str)):
        left, right = _number(expected), _number(value)
        return left is not None and left == right
    return False


def _in(operand: Any, value: Any, fill: Fill) -> Truth:
    return _or_unknown(any(_equal(item, value) for item in _listed(operand, fill)), value)


def _not(operand: Any, value: Any, fill: Fill) -> Truth:
    return Truth(Truth.TRUE - _holds(operand, value, fill))


def _at_least(operand: Any, value: Any, fill: Fill) -> Truth:
    return _compare(operand, value, fill, lambda number, bound: number >= bound)


def _at_most(operand: Any, value: Any, fill: Fill) -> Truth:
    return _compare(operand, value, fill, lambda number, bound: number <= bound)


def _compare(operand: Any, value: Any, fill: Fill, test: Callable[[float, float], bool]) -> Truth:
    bound, number = _number(_filled(operand, fill)), _number(value)
    if bound is None or _is_unknown(value):
        return Truth.UNKNOWN
    return _truth(number is not None and test(number, bound))


def _matches(operand: str, value: Any, fill: Fill) -> Truth:
    if _is_unknown(value):
        return Truth.UNKNOWN
    pattern = _regex(_escaped(operand, fill))
    texts = [_text(item) for item in _items(value)]
    if any(pattern.search(text) is not None for text in texts if len(text) <= MAX_MATCHED):
        return Truth.TRUE
    return Truth.UNKNOWN if any(len(text) > MAX_MATCHED for text in texts) else Truth.FALSE


def _escaped(pattern: str, fill: Fill) -> str:
    """Replaces placeholders of a regular expression; what is put in stands for itself."""
    return _PLACEHOLDER.sub(lambda m: re.escape(fill(m.group())), pattern) if "{{" in pattern else pattern


def _glob(operand: Any, value: Any, fill: Fill) -> Truth:
    if _is_unknown(value):
        return Truth.UNKNOWN
    patterns = _listed(operand, fill)
    return _truth(any(fits(pattern, _text(item)) for item in _items(value) for pattern in patterns))


def _contains(operand: Any, value: Any, fill: Fill) -> Truth:
    expected = _filled(operand, fill)
    if isinstance(value, tuple):
        if any(_equal(expected, item) for item in value):
            return Truth.TRUE
        return Truth.UNKNOWN if any(_is_unknown(item) for item in value) else Truth.FALSE
    if _is_unknown(value):
        return Truth.UNKNOWN
    return _truth(str(expected) in _text(value))


def _empty(operand: bool, value: Any, fill: Fill) -> Truth:
    if _is_unknown(value):
        return Truth.UNKNOWN
    return _truth((value in ("", ())) == operand)


def _exists(operand: bool, value: Any, fill: Fill) -> Truth:
    if value == UNKNOWN_VALUE:
        return Truth.UNKNOWN
    return _truth((value is not None) == operand)


def _all(operand: list[Predicate], value: Any, fill: Fill) -> Truth:
    return conjunction(_holds(inner, value, fill) for inner in operand)


def _any(operand: list[Predicate], value: Any, fill: Fill) -> Truth:
    return max((_holds(inner, value, fill) for inner in operand), default=Truth.FALSE)


def _items(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _text(value: Any) -> str:
    return str(_word(value))


@lru_cache(maxsize=1024)
def _regex(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


_OPERATORS: dict[str, Callable[[Any, Any, Fill], Truth]] = {
    "in": _in,
    "not": _not,
    "at_least": _at_least,
    "at_most": _at_most,
    "matches": _matches,
    "glob": _glob,
    "contains": _contains,
    "empty": _empty,
    "exists": _exists,
    "all": _all,
    "any": _any,
}
