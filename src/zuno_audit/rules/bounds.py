"""What a rule may ask for: patterns and templates whose work stays small whatever text they meet.

Rules may come from strangers. A regular expression that repeats a repetition can take longer than anybody
waits, and so can a template with loops or powers; both are refused where they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any

MAX_PATTERN = 500  # characters of a regular expression
MAX_REPEATS = 2  # of varying length: with n characters to search, work grows as the third power of n
MAX_TEMPLATE = 4000  # characters of one text with placeholders
_FILTERS = frozenset({"default", "first", "join", "last", "length", "lower", "upper"})
_NODES = frozenset(
    {
        *("Template", "Output", "TemplateData", "Name", "Const", "Getattr", "CondExpr", "If"),
        *("And", "Or", "Not", "Compare", "Operand", "Filter", "Test", "Concat"),
    }
)


def pattern_fault(pattern: str) -> str:
    """Why a regular expression is refused; empty when it is not."""
    if len(pattern) > MAX_PATTERN:
        return f"longer than {MAX_PATTERN} characters"
    try:
        re.compile(pattern)
        parsed = import_module("re._parser").parse(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"not a regular expression: {error}"
    kinds = list(_kinds(parsed, within=False))
    if "nested" in kinds:
        return "a repetition of a group with alternatives or with another repetition can take for ever"
    if "reference" in kinds:
        return "references to groups can take for ever"
    if kinds.count("repeat") > MAX_REPEATS:
        return f"more than {MAX_REPEATS} repetitions can take for ever"
    return ""


def _kinds(parsed: Iterable[Any], *, within: bool) -> Iterator[str]:
    """What costs: `repeat`, `nested` (inside of a repetition) and `reference`."""
    for operation, operand in parsed:
        name = str(operation)
        varies = name.endswith("REPEAT") and operand[0] != operand[1]
        if varies and int(operand[1]) > 1:
            yield "repeat"
        if within and (varies or name == "BRANCH"):
            yield "nested"
        if name.startswith("GROUPREF"):
            yield "reference"
        repeats = name.endswith("REPEAT") and int(operand[1]) > 1
        for inner in _inner(operand):
            yield from _kinds(inner, within=within or repeats)


def _inner(operand: Any) -> Iterator[Any]:
    """The patterns inside of an operand of the parser."""
    if type(operand).__name__ == "SubPattern":
        yield operand
    elif isinstance(operand, (tuple, list)):
        for part in operand:
            yield from _inner(part)


def template_fault(text: str) -> str:
    """Why a text with Jinja2 in it is refused; empty when it is not.

    Names, `or`, `and`, `not`, comparisons, conditions and a few filters are allowed: no loops, no arithmetic,
    no calls.
    """
    from jinja2 import Environment, TemplateSyntaxError
    from jinja2.nodes import Node

    if len(text) > MAX_TEMPLATE:
        return f"longer than {MAX_TEMPLATE} characters"
    try:
        tree = Environment(autoescape=False).parse(text)
    except (TemplateSyntaxError, RecursionError) as error:
        return f"not a template: {error}"
    for node in (tree, *tree.find_all(Node)):
        name = type(node).__name__
        if name not in _NODES:
            return f"{name.lower()} is not allowed in a template"
        if name == "Filter" and getattr(node, "name", "") not in _FILTERS:
            return f"only these filters are allowed in a template: {', '.join(sorted(_FILTERS))}"
        if name == "Getattr" and getattr(node, "attr", "") not in ("because", "value", "proof"):
            return "a field has because, value and proof, and no other attribute"
    return ""
