"""Placeholders in the sentences and patterns of rules.

`{{ name }}`, `{{ name.because }}` and `{{ name or 'text' }}` are replaced directly; anything richer goes to
Jinja2's sandbox, which is loaded only then. Both show values in the same way, and neither lets a value from the
audited tree carry control characters or line breaks into a report.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from zuno_audit.errors import RuleError
from zuno_audit.model.entity import Answer

MAX_VALUE = 500  # characters of one value in a sentence
_NAME = re.compile(r"\{\{[ \t]*([A-Za-z_]\w*)(?:\.([A-Za-z_]\w*))?(?:[ \t]+or[ \t]+'([^'\\{}]*)')?[ \t]*\}\}")
_Placeholder = tuple[str, str, str | None]  # name, attribute or nothing, what is said where there is no value
_SYNTAX = re.compile(r"\{[{%#]")
_SPACES = re.compile(r"[\t\n\v\f\r\x1c-\x1f\x85\u2028\u2029]+")
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")


class View:
    """A value in a template: prints as a person would write it, and has `because`, `value` and `proof`."""

    __slots__ = ("_answer",)

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __str__(self) -> str:
        return show(self._answer.value)

    @property
    def because(self) -> str:
        return neutral(self._answer.because)

    @property
    def value(self) -> Any:
        return self._answer.value

    @property
    def proof(self) -> str:
        """The first proof as `path:line`, or nothing."""
        return (
            neutral(f"{self._answer.proof[0].path}:{self._answer.proof[0].line}")
            if self._answer.proof
            else ""
        )

    def __eq__(self, other: object) -> bool:
        return bool(self._answer.value == (other.value if isinstance(other, View) else other))

    def __hash__(self) -> int:
        return hash(self._answer.value)

    def __bool__(self) -> bool:
        return self._answer.value not in (None, "", (), "no", "unknown", False)


def show(value: Any) -> str:
    """A value in a sentence: `unknown` for None, yes/no for booleans, commas in lists, no `.0`."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, tuple):
        return neutral(", ".join(show(item) for item in value))
    return neutral(str(value))


def neutral(text: str) -> str:
    """Text on one line, without control and direction characters, at most MAX_VALUE long."""
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", _SPACES.sub(" ", text))
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def render(text: str, names: Mapping[str, Any]) -> str:
    """`text` with its placeholders replaced. `names` maps to text, numbers or Answers.

    Raises RuleError for a placeholder that nothing answers.
    """
    if "{" not in text:
        return text
    pieces = _pieces(text)
    return _by_jinja(text, names) if pieces is None else _by_name(pieces, names)


@lru_cache(maxsize=2048)
def _pieces(text: str) -> tuple[str | _Placeholder, ...] | None:
    """Literal text and placeholders; None when the text needs Jinja2."""
    pieces: list[str | _Placeholder] = []
    end = 0
    for match in _NAME.finditer(text):
        pieces.append(text[end : match.start()])
        pieces.append((match.group(1), match.group(2) or "", match.group(3)))
        end = match.end()
    pieces.append(text[end:])
    if any(isinstance(piece, str) and _SYNTAX.search(piece) for piece in pieces):
        return None
    return tuple(pieces)


def _by_name(pieces: tuple[str | _Placeholder, ...], names: Mapping[str, Any]) -> str:
    return "".join(piece if isinstance(piece, str) else _value(*piece, names) for piece in pieces)


def _value(name: str, attribute: str, otherwise: str | None, names: Mapping[str, Any]) -> str:
    try:
        value = names[name]
    except KeyError:
        raise RuleError(f"the placeholder {{{{ {name} }}}} has no value") from None
    if isinstance(value, Answer):
        value = View(value)
    if attribute:
        if not isinstance(value, View) or attribute not in ("because", "value", "proof"):
            raise RuleError(f"the placeholder {{{{ {name}.{attribute} }}}} has no value")
        value = getattr(value, attribute)
    if otherwise is not None and not value:
        return neutral(otherwise)
    return str(value) if isinstance(value, View) else show(value)


def _by_jinja(text: str, names: Mapping[str, Any]) -> str:
    import jinja2

    views = {k: View(v) if isinstance(v, Answer) else v for k, v in names.items()}
    try:
        return str(_compiled(text).render(views))
    except jinja2.TemplateError as error:
        raise RuleError(f"the template {neutral(text)!r} cannot be filled in: {error}") from error


@lru_cache(maxsize=256)
def _compiled(text: str) -> Any:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    from zuno_audit.rules.bounds import template_fault

    fault = template_fault(text)
    if fault:
        raise RuleError(f"the template {neutral(text)!r} is refused: {fault}")
    environment = ImmutableSandboxedEnvironment(
        autoescape=False, undefined=StrictUndefined, finalize=_finalize, keep_trailing_newline=True
    )
    return environment.from_string(text)


def _finalize(value: Any) -> Any:
    from jinja2 import Undefined

    if isinstance(value, (View, Undefined)):
        return str(value)
    return show(value)
