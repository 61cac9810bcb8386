"""YAML as plain data, read once and strictly.

Rules and checklist files use a small YAML: no anchors, no tags, no duplicate keys. `yes` and `no` are text,
because they are answers of facts; `true` and `false` are booleans. Positions are only asked for when there is
something to complain about.
"""

from __future__ import annotations

import re
from typing import Any, cast

import yaml

from zuno_audit.errors import RuleError
from zuno_audit.rules.document import KeyPath

_NUMBER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_WORDS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


def parse(text: str, path: str) -> Any:
    """See `document.parse_document`."""
    return _Builder(text, path, {}).document()


def lines(text: str, path: str) -> dict[KeyPath, int]:
    """The 1-based line of every key path."""
    found: dict[KeyPath, int] = {}
    _Builder(text, path, found).document()
    return found


MAX_DEPTH = 50  # of nesting; whoever needs more means harm


class _Builder:
    """Turns the parser's events into data; `lines` collects positions when it is asked for."""

    def __init__(self, text: str, path: str, lines: dict[KeyPath, int]) -> None:
        self.path = path
        self.lines = lines
        self.loader: Any = yaml.CSafeLoader(text)

    def document(self) -> Any:
        try:
            event = self._skip_to_content()
            value = None if event is None else self._value(event, ())
            if event is not None:
                self._expect_end()
            return value
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
            what = getattr(error, "problem", None) or str(error).splitlines()[0]
            raise RuleError(f"not YAML: {what}", path=self.path, line=mark.line + 1 if mark else 1) from error

    def _skip_to_content(self) -> Any:
        while True:
            event = self.loader.get_event()
            if isinstance(event, yaml.NodeEvent):
                return event
            if event is None or isinstance(event, yaml.StreamEndEvent):
                return None

    def _expect_end(self) -> None:
        self.loader.get_event()
        event = self.loader.get_event()
        if type(event) is not yaml.StreamEndEvent:
            raise self._wrong("more than one document in a file", event.start_mark)

    def _value(self, event: Any, where: KeyPath) -> Any:
        kind = type(event)
        if len(where) > MAX_DEPTH:
            raise self._wrong("nested too deeply", event.start_mark)
        if kind is yaml.ScalarEvent:
            self.lines.setdefault(where, event.start_mark.line + 1)
            return _scalar(event)
        if kind is yaml.MappingStartEvent:
            return self._mapping(event, where)
        if kind is yaml.SequenceStartEvent:
            return self._sequence(event, where)
        raise self._wrong("anchors and aliases are not allowed here", event.start_mark)

    def _mapping(self, start: Any, where: KeyPath) -> dict[str, Any]:
        self.lines.setdefault(where, start.start_mark.line + 1)
        result: dict[str, Any] = {}
        get = self.loader.get_event
        while type(event := get()) is not yaml.MappingEndEvent:
            if type(event) is not yaml.ScalarEvent:
                raise self._wrong("a key must be plain text", event.start_mark)
            key, mark = event.value, cast("Any", event.start_mark)
            if key in result:
                raise self._wrong(f"duplicate key {key!r}", mark)
            inner = (*where, key)
            self.lines[inner] = mark.line + 1
            result[key] = self._value(get(), inner)
        return result

    def _sequence(self, start: Any, where: KeyPath) -> list[Any]:
        self.lines.setdefault(where, start.start_mark.line + 1)
        result: list[Any] = []
        get = self.loader.get_event
        while type(event := get()) is not yaml.SequenceEndEvent:
            result.append(self._value(event, (*where, len(result))))
        return result

    def _wrong(self, message: str, mark: Any) -> RuleError:
        return RuleError(message, path=self.path, line=mark.line + 1)


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style or event.tag:
        return text
    if text in _WORDS:
        return _WORDS[text]
    number = _NUMBER.match(text)
    if number is None:
        return text
    return float(text) if number.group(1) else int(text)
