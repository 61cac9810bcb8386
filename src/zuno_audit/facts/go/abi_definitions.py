"""Every contract ABI that the repository keeps: JSON files and Go string constants."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go.ethereum_abi import Abi, AbiError, AbiEvent, Parameter, parse_abi
from zuno_audit.facts.go.program import program
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.repository import CODE_ONLY, FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_MARKS = (b"event", b"inputs", b"indexed")
_SUFFIXES = (".json", ".abi")
_STANDARD_NAME = re.compile(r"(?i)(?:^|/)I?ERC-?\d+[^/]*$")
_KINDS = (FileKind.CODE, FileKind.GENERATED)


class Definition(NamedTuple):
    """One ABI text: where it is, in which form, and what it says or why it says nothing."""

    location: Location
    form: str  # json or go
    name: str
    abi: Abi | None
    broken: str


def definitions(store: FactStore) -> tuple[Definition, ...]:
    """The fact provider behind the table."""
    found = [*_json_files(store), *_go_constants(store)]
    return tuple(sorted(found, key=lambda d: d.location))


def table(store: FactStore) -> Table:
    """`abi_definition`: one row per ABI.

    Fields: form (json, go), name (of the file or constant), valid, events (signatures with `indexed` marks).
    """
    rows: list[Entity] = []
    known = store.get(definitions)
    for one in known:
        events = tuple(e.signature for e in one.abi.events) if one.abi is not None else ()
        because = (
            f"it cannot be used: {one.broken}" if one.broken else f"it has {', '.join(events) or 'no events'}"
        )
        fields = {
            "form": Answer(one.form),
            "name": Answer(one.name),
            "valid": Answer(NO if one.abi is None else YES, because, (one.location,)),
            "events": Answer(events, because, (one.location,)),
        }
        rows.append(Entity("abi_definition", one.location, fields))
    files = {path for suffix in (*_SUFFIXES, ".go") for path in _paths(store, suffix)}
    return Table("abi_definition", tuple(rows), tuple(sorted(files)))


def _paths(store: FactStore, suffix: str) -> list[str]:
    """The files that look like ABIs, and those that are called like a token standard, whatever they hold."""
    if suffix == ".go":
        return store.repository.grep(*_MARKS, suffix=suffix, kinds=_KINDS)
    called = [p for p in store.repository.files if p.endswith(suffix) and _STANDARD_NAME.search(p)]
    called = [p for p in called if store.repository.kind_is_among(p, CODE_ONLY)]
    return sorted({*store.repository.grep(*_MARKS, suffix=suffix, kinds=CODE_ONLY), *called})


def _json_files(store: FactStore) -> list[Definition]:
    found: list[Definition] = []
    for suffix in _SUFFIXES:
        for path in _paths(store, suffix):
            text = store.repository.text(path) or ""
            found.append(_definition(at_line(path), "json", path.rpartition("/")[2], text, artifact=True))
    return found


def _go_constants(store: FactStore) -> list[Definition]:
    found: list[Definition] = []
    code = store.get(program)
    for path in _paths(store, ".go"):
        file = code.file(path)
        if file is None or path.endswith("_test.go"):
            continue
        for spec in file.values_with(b"indexed"):
            for name, value in zip(spec.names, spec.values, strict=False):
                for node in s.walk(value):
                    if (
                        isinstance(node, s.BasicLit)
                        and isinstance(node.value, str)
                        and '"indexed"' in node.value
                    ):
                        place = file.location(spec.start, spec.end, f"{name.name} is an ABI")
                        found.append(_definition(place, "go", name.name, node.value, artifact=False))
    return found


def _definition(place: Location, form: str, name: str, text: str, *, artifact: bool) -> Definition:
    try:
        return Definition(place, form, name, parse_abi(text, artifact=artifact), "")
    except AbiError as error:
        return Definition(place, form, name, None, str(error))


def _event(name: str, *inputs: str) -> AbiEvent:
    """An event from `type name` texts; `type indexed name` for indexed ones."""
    parts = [text.split() for text in inputs]
    return AbiEvent(name, tuple(Parameter(p[-1], p[0], len(p) == 3) for p in parts))


# The events of the token standards (ERC-20, ERC-721, ERC-1155), for ABIs that come from outside.
STANDARD = Abi(
    (
        _event("Transfer", "address indexed from", "address indexed to", "uint256 value"),
        _event("Approval", "address indexed owner", "address indexed spender", "uint256 value"),
        _event(
            "TransferSingle", "address indexed operator", "address indexed from", "address indexed to",
            "uint256 id", "uint256 value",
        ),
        _event(
            "TransferBatch", "address indexed operator", "address indexed from", "address indexed to",
            "uint256[] ids", "uint256[] values",
        ),
        _event("ApprovalForAll", "address indexed owner", "address indexed operator", "bool approved"),
    )
)  # fmt: skip


def assumed_abi(store: FactStore) -> Abi:
    """What an ABI is taken for that comes from outside: all events here and in the standards."""
    events: dict[str, AbiEvent] = {}
    for one in store.get(definitions):
        for event in one.abi.events if one.abi is not None else ():
            events.setdefault(event.name, event)
    for event in STANDARD.events:
        events.setdefault(event.name, event)
    return Abi(tuple(events.values()))
