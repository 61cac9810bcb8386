"""A team's checklist made of the built-in items in our own words, numbered and worded as a test wants it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from zuno_audit.config.setup import built_in_checklist
from zuno_audit.model.control import Checklist, Control

OTHER_WORDS = {
    "Every": "Each and every",
    "all": "all of the",
    "is there": "is in place",
    "exists": "can be found",
    "recovers from": "survives",
    "Dashboard of": "Grafana board for",
    "Flow:": "Users can:",
    "reports": "shows",
    "pass": "are green",
    "works": "is fine",
    "installs": "has",
    "goes through": "is built by",
    "is defined": "has been written",
    "End to end:": "Whole way through:",
    "are imported": "have been loaded",
    "is written down": "is on paper",
    "is done": "has happened",
}


def checklist() -> Checklist:
    """The built-in checklist."""
    return built_in_checklist()


def same(text: str) -> str:
    """The title as it is."""
    return text


def in_other_words(text: str) -> str:
    """A title that says the same in other words."""
    for ours, other in OTHER_WORDS.items():
        text = text.replace(ours, other)
    return f"Please make sure: {text[0].lower() + text[1:] if text[:2].istitle() else text}"


def markdown_of(
    items: Iterable[Control],
    *,
    words: Callable[[str], str] = same,
    numbered: bool = False,
    ticked: Iterable[str] = (),
    extra: Mapping[str, str] | None = None,
    newline: str = "\n",
) -> str:
    """The items as a task list: a heading for each section, sub-items indented.

    `ticked` are ids; `extra` holds lines to put after an item.
    """
    lines = _lines(items, words, numbered, frozenset(ticked), extra or {})
    return newline.join([*lines, ""])


def _lines(
    items: Iterable[Control],
    words: Callable[[str], str],
    numbered: bool,
    ticked: frozenset[str],
    extra: Mapping[str, str],
) -> Iterator[str]:
    yield "# What must hold"
    section = ("", "")
    for number, item in enumerate(items, 1):
        if (item.phase, item.section) != section:
            section = (item.phase, item.section)
            yield f"\n## {number * 3 if numbered else ''} {item.section}\n"
        indent = "  " if item.parent else ""
        mark = "x" if item.id in ticked else " "
        prefix = f"{number}.{number % 5 + 1} " if numbered else ""
        yield f"{indent}- [{mark}] {prefix}{words(item.title)}"
        if item.id in extra:
            yield extra[item.id]


def mojibake(text: str) -> bytes:
    """UTF-8 that was read as Windows-1252 and written again."""
    return re.sub(r"[^\x00-\x7f]+", lambda m: m.group().encode().decode("cp1252", "replace"), text).encode()
