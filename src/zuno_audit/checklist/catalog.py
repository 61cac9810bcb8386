"""Reads the checklist: `rules/checklist/*.yaml`, one file per phase, into controls."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from importlib.resources.abc import Traversable
from typing import Any

from zuno_audit.errors import RuleError
from zuno_audit.model.control import Checklist, CheckRef, Control
from zuno_audit.rules.document import Document, Library, Path, line_of
from zuno_audit.rules.text import argument_text

NAME = "production"
VERSION = "1.0.0"
FILES = (*(f"phase-{n}.yaml" for n in range(1, 10)), "sign-off.yaml", "go-live.yaml")
_DECIDERS = ("files", "evidence", "person")
_CONTROL_KEYS = frozenset({"id", "title", "decided_by", "checks", "ask", "applies_when"})
_ID = re.compile(r"[1-9SG](\.[0-9]+){2,3}\Z")


def paths() -> tuple[str, ...]:
    """The files of the checklist, relative to `rules/`."""
    return tuple(f"checklist/{name}" for name in FILES)


def load_checklist(root: Traversable) -> Checklist:
    """The checklist below `root` (the folder `rules`), all phases in order.

    Raises RuleError (path, line) for a malformed file. Whether the rules exist is checked by the caller, who
    knows them.
    """
    controls: list[Control] = []
    titles: list[tuple[str, str]] = []
    library = Library(root)
    for path in paths():
        title, read = _phase(library.read(path))
        controls.extend(read)
        titles.append(title)
    return Checklist(NAME, VERSION, _with_parents(controls), tuple(titles))


def read_phase(text: str, path: str) -> tuple[tuple[str, str], list[Control]]:
    """The phase with its heading, and the controls of one file, still without parents. Raises RuleError."""
    return _phase(Document(path, text))


def _phase(document: Document) -> tuple[tuple[str, str], list[Control]]:
    data = document.content()
    try:
        controls = list(_controls(data))
        return (str(data["phase"]), str(data["title"])), controls
    except _Wrong as wrong:
        line = line_of(document.text, document.path, wrong.where)
        raise RuleError(str(wrong), path=document.path, line=line) from None


class _Wrong(Exception):
    def __init__(self, message: str, *where: str | int) -> None:
        super().__init__(message)
        self.where: Path = where


def _controls(data: Any) -> Iterator[Control]:
    _expect_keys(data, {"phase", "title", "sections"}, ())
    seen: set[str] = set()
    for s, section in enumerate(data["sections"]):
        _expect_keys(section, {"title", "controls"}, ("sections", s))
        for c, control in enumerate(section["controls"]):
            where: Path = ("sections", s, "controls", c)
            made = _control(control, str(data["phase"]), section["title"], where)
            if made.id in seen:
                raise _Wrong(f"duplicate item {made.id}", *where)
            seen.add(made.id)
            yield made


def _expect_keys(data: Any, keys: Collection[str], where: Path) -> None:
    if not isinstance(data, dict):
        raise _Wrong("a mapping is expected here", *where)
    for key in data:
        if key not in keys:
            raise _Wrong(f"unknown key {key!r}", *where, key)
    for key in keys:
        if key not in data:
            raise _Wrong(f"key {key!r} is missing", *where)


def _control(data: Any, phase: str, section: str, where: Path) -> Control:
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
    )


def _check_control(data: Mapping[str, Any], phase: str, where: Path) -> None:
    if not _ID.match(data["id"]) or data["id"].split(".")[0] != phase:
        raise _Wrong(f"{data['id']!r} is not an item id of phase {phase}", *where, "id")
    if data["decided_by"] not in _DECIDERS:
        raise _Wrong(f"decided_by is one of {', '.join(_DECIDERS)}", *where, "decided_by")
    if (data["decided_by"] == "files") == bool(data.get("ask")):
        raise _Wrong("ask goes with decided_by evidence and person, and only with them", *where)
    if not isinstance(data.get("checks") or [], list):
        raise _Wrong("checks is a list", *where, "checks")


def _reference(data: Any, where: Path) -> CheckRef:
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
