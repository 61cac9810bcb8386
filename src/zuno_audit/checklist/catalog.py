"""Reads the checklist of a profile: files below `rules/checklist`, one per phase, into controls.

`{{ name }}` in titles, asks and arguments stands for a parameter of the profile.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec.structs import replace

from zuno_audit.checklist.profile import Parameters, Profile
from zuno_audit.errors import RuleError
from zuno_audit.model.control import EVIDENCE, Checklist, CheckRef, Control
from zuno_audit.rules.document import Document, KeyPath, Library, line_of
from zuno_audit.rules.text import argument_text

_DECIDERS = ("files", "evidence", "person")
_CONTROL_KEYS = frozenset({"id", "title", "decided_by", "checks", "ask", "applies_when", "evidence", "also"})
_ID = re.compile(r"(?:[A-Z]+-)?([1-9A-Z])(?:\.[0-9]+){1,3}\Z")
_PLACEHOLDER = re.compile(r"\{\{ *(\w+) *\}\}")
_FILLED = ("title", "ask", "checks", "applies_when", "also")  # keys whose text may hold placeholders


def load_checklist(library: Library, profile: Profile, parameters: Parameters | None = None) -> Checklist:
    """The checklist of a profile, all phases in order, read with the profile's parameters or with these.

    Raises RuleError (path, line) for a malformed file. Whether the rules exist is checked by the caller, who
    knows them.
    """
    controls: list[Control] = []
    titles: list[tuple[str, str]] = []
    values = dict(profile.parameters if parameters is None else parameters)
    for path in profile.paths:
        title, read = _phase(library.read(path), values)
        controls.extend(read)
        titles.append(title)
    return Checklist(
        profile.checklist_name, profile.checklist_version, _with_parents(controls), tuple(titles)
    )


def read_phase(
    text: str, path: str, parameters: Mapping[str, str] | None = None
) -> tuple[tuple[str, str], list[Control]]:
    """The phase with its heading, and the controls of one file, still without parents. Raises RuleError."""
    return _phase(Document(path, text), parameters or {})


def _phase(document: Document, parameters: Mapping[str, str]) -> tuple[tuple[str, str], list[Control]]:
    data = document.content()
    try:
        controls = list(_controls(data, parameters))
        return (str(data["phase"]), str(data["title"])), controls
    except _Wrong as wrong:
        line = line_of(document.text, document.path, wrong.where)
        raise RuleError(str(wrong), path=document.path, line=line) from None


class _Wrong(Exception):
    def __init__(self, message: str, *where: str | int) -> None:
        super().__init__(message)
        self.where: KeyPath = where


def _controls(data: Any, parameters: Mapping[str, str]) -> Iterator[Control]:
    _expect_keys(data, {"phase", "title", "sections"}, ())
    seen: set[str] = set()
    for s, section in enumerate(data["sections"]):
        _expect_keys(section, {"title", "controls"}, ("sections", s))
        for c, control in enumerate(section["controls"]):
            where: KeyPath = ("sections", s, "controls", c)
            made = _control(_filled(control, parameters, where), str(data["phase"]), section["title"], where)
            if made.id in seen:
                raise _Wrong(f"duplicate item {made.id}", *where)
            seen.add(made.id)
            yield made


def _expect_keys(data: Any, keys: Collection[str], where: KeyPath) -> None:
    if not isinstance(data, dict):
        raise _Wrong("a mapping is expected here", *where)
    for key in data:
        if key not in keys:
            raise _Wrong(f"unknown key {key!r}", *where, key)
    for key in keys:
        if key not in data:
            raise _Wrong(f"key {key!r} is missing", *where)


def _filled(control: Any, parameters: Mapping[str, str], where: KeyPath) -> Any:
    """A control whose placeholders are replaced."""
    if not isinstance(control, dict):
        return control
    return {
        key: _fill(value, parameters, (*where, key)) if key in _FILLED else value
        for key, value in control.items()
    }


def _fill(value: Any, parameters: Mapping[str, str], where: KeyPath) -> Any:
    if isinstance(value, str):
        return _fill_text(value, parameters, where) if "{{" in value else value
    if isinstance(value, list):
        return [_fill(inner, parameters, (*where, i)) for i, inner in enumerate(value)]
    if isinstance(value, dict):
        return {key: _fill(inner, parameters, (*where, key)) for key, inner in value.items()}
    return value


def _fill_text(text: str, parameters: Mapping[str, str], where: KeyPath) -> str:
    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in parameters:
            raise _Wrong(f"{{{{ {name} }}}} is not a parameter of the profile", *where)
        return parameters[name]

    return _PLACEHOLDER.sub(value_of, text)


def _control(data: Any, phase: str, section: str, where: KeyPath) -> Control:
    if not isinstance(data, dict):
        raise _Wrong("a control is a mapping", *where)
    for key in data:
        if key not in _CONTROL_KEYS:
            raise _Wrong(f"unknown key {key!r}", *where, key)
    for key in ("id", "title", "decided_by"):
        if not isinstance(data.get(key), str) or not data[key]:
            raise _Wrong(f"key {key!r} is missing or not text", *where)
    _check_control(data, phase, where)
    refs = data.get("checks") or []
    applies = data.get("applies_when")
    return Control(
        id=data["id"],
        parent=None,
        phase=phase,
        section=section,
        title=data["title"],
        decided_by=data["decided_by"],
        checks=tuple(_reference(ref, (*where, "checks", i)) for i, ref in enumerate(refs)),
        ask=data.get("ask", ""),
        applies_when=None if applies is None else _reference(applies, (*where, "applies_when")),
        evidence=tuple(
            _evidence(entry, (*where, "evidence", i)) for i, entry in enumerate(data.get("evidence") or [])
        ),
        also=tuple(_reference(ref, (*where, "also", i)) for i, ref in enumerate(data.get("also") or [])),
    )


def _check_control(data: Mapping[str, Any], phase: str, where: KeyPath) -> None:
    id_ = _ID.match(data["id"])
    if id_ is None or id_.group(1) != phase:
        raise _Wrong(f"{data['id']!r} is not an item id of phase {phase}", *where, "id")
    if data["decided_by"] not in _DECIDERS:
        raise _Wrong(f"decided_by is one of {', '.join(_DECIDERS)}", *where, "decided_by")
    if (data["decided_by"] == "files") == bool(data.get("ask")):
        raise _Wrong("ask goes with decided_by evidence and person, and only with them", *where)
    if data.get("evidence") and data["decided_by"] != "evidence":
        raise _Wrong("evidence goes with decided_by evidence", *where, "evidence")
    if data.get("also") and data["decided_by"] == "files" and not data.get("checks"):
        raise _Wrong("also comes on top of what decides: name checks, evidence or a person", *where, "also")
    for key in ("evidence", "checks", "also"):
        if not isinstance(data.get(key) or [], list):
            raise _Wrong(f"{key} is a list", *where, key)


def _evidence(data: Any, where: KeyPath) -> CheckRef:
    """`{kind: NAME, argument: value...}`. The caller checks whether the kind exists."""
    if not isinstance(data, dict) or not isinstance(data.get("kind"), str):
        raise _Wrong("evidence is a kind with its arguments", *where)
    arguments = {name: value for name, value in data.items() if name != "kind"}
    if any(value is None for value in arguments.values()):
        raise _Wrong("an argument of evidence has no value", *where)
    texts = sorted((name, argument_text(value)) for name, value in arguments.items())
    return CheckRef(EVIDENCE + data["kind"], tuple(texts))


def _reference(data: Any, where: KeyPath) -> CheckRef:
    """`rule-id`, or a mapping of one rule id to its arguments."""
    if isinstance(data, str):
        return CheckRef(data)
    if not isinstance(data, dict) or len(data) != 1:
        raise _Wrong("a check is a rule id, or one rule id with its arguments", *where)
    rule, arguments = next(iter(data.items()))
    if not isinstance(arguments, dict) or any(value is None for value in arguments.values()):
        raise _Wrong(f"the arguments of {rule} must be a mapping of names to values", *where, rule)
    return CheckRef(rule, tuple(sorted((name, argument_text(value)) for name, value in arguments.items())))


def _with_parents(controls: list[Control]) -> tuple[Control, ...]:
    ids = {control.id for control in controls}
    if len(ids) != len(controls):
        raise RuleError("an item id occurs in two files", path="checklist")
    parents = (control.id.rpartition(".")[0] for control in controls)
    return tuple(
        replace(control, parent=parent) if parent in ids else control
        for control, parent in zip(controls, parents, strict=True)
    )
