"""Whether the Go code that gqlgen generated still belongs to the schema beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename
from typing import TYPE_CHECKING

from zuno_audit.languages.graphql import SchemaField
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.graphql import SchemaSet

MAX_DIFFERENCES = 8
_FUNCTION = re.compile(r"^func \(ec \*executionContext\) (_|field_|unmarshalInput)(\w+)\(", re.MULTILINE)
_ARGUMENT = re.compile(r'\bargs\["(\w+)"\]\s*=')
_ORDER = re.compile(r"fieldsInOrder := \[\.\.\.\]string\{([^{}]*)\}")
_EMBED = re.compile(r"^//go:embed (.+)$", re.MULTILINE)
_FEDERATION = ("_entities", "_service", "_Service", "_Entity")

Difference = tuple[str, Location]


def agreement(store: FactStore, one: SchemaSet) -> Answer:
    """yes/no/unknown: the generated code has exactly the fields, arguments and types of the schema."""
    if one.problems:
        return Answer(UNKNOWN, "the schema could not be read in full", failed=True)
    if not one.generated:
        return Answer(UNKNOWN, "no configuration names generated code")
    text = store.repository.text(one.generated) if one.generated in store.repository else None
    if text is None:
        return Answer(
            NO, f"the generated code {one.generated} is not in the repository", (at_line(one.origin),)
        )
    generated = _Generated(one.generated, text)
    if not generated.bodies:
        return Answer(
            UNKNOWN, f"{one.generated} is not code that gqlgen generated", (at_line(one.generated),)
        )
    differences = list(_differences(one, generated))[:MAX_DIFFERENCES]
    if not differences:
        both = (at_line(one.origin), at_line(one.generated))
        return Answer(YES, "schema and generated code have the same fields, arguments and types", both)
    proof = tuple(place.noted(what) for what, place in differences)
    return Answer(NO, "; ".join(what for what, _ in differences[:3]), proof)


class _Generated:
    """The functions of the generated file, by what they are for."""

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.bodies: dict[tuple[str, str], tuple[int, str]] = {}
        matches = list(_FUNCTION.finditer(text))
        for index, match in enumerate(matches):
            end = matches[index + 1].start() if index + 1 < len(matches) else len(text)
            self.bodies.setdefault((match.group(1), match.group(2)), (match.start(), text[match.end() : end]))

    def place(self, offset: int) -> Location:
        return at_line(self.path, self.text.count("\n", 0, offset) + 1)

    def names(self, prefix: str) -> Iterator[tuple[str, int]]:
        for (kind, name), (offset, _body) in self.bodies.items():
            if kind == prefix and "__" not in name and not name.startswith("_"):
                yield name, offset


def _differences(one: SchemaSet, generated: _Generated) -> Iterator[Difference]:
    schema = one.schema
    expected = set()
    for known in schema.types.values():
        if known.kind != "type" or known.name.startswith("_"):
            continue
        for field in known.fields.values():
            expected.add(f"{known.name}_{field.name}")
            yield from _field_differences(known.name, field, generated)
    for name, offset in generated.names("_"):
        if name not in expected and name not in schema.types and not name.endswith(_FEDERATION):
            what = name.replace("_", ".", 1)
            yield f"the generated code has {what}, the schema has not", generated.place(offset)
    yield from _input_differences(one, generated)
    yield from _embedded(one, generated)


def _field_differences(owner: str, field: SchemaField, generated: _Generated) -> Iterator[Difference]:
    place = at_line(field.path, field.line)
    found = generated.bodies.get(("_", f"{owner}_{field.name}"))
    if found is None:
        yield f"{owner}.{field.name} is not in the generated code", place
        return
    marshal = f"ec.marshal{'N' if field.type.non_null else 'O'}{field.type.base}2"
    if "ec.marshal" in found[1] and marshal not in found[1]:
        yield f"{owner}.{field.name} has another type in the generated code than {field.type}", place
    arguments = generated.bodies.get(("field_", f"{owner}_{field.name}_args"), (0, ""))[1]
    names = set(_ARGUMENT.findall(arguments))
    if names != set(field.arguments):
        yield f"{owner}.{field.name} has other arguments in the generated code", place


def _input_differences(one: SchemaSet, generated: _Generated) -> Iterator[Difference]:
    inputs = {name: known for name, known in one.schema.types.items() if known.kind == "input"}
    for name, offset in generated.names("unmarshalInput"):
        if name not in inputs:
            yield f"the generated code has the input {name}, the schema has not", generated.place(offset)
    for name, known in inputs.items():
        found = generated.bodies.get(("unmarshalInput", name))
        if found is None:
            continue  # an input type that no argument uses is not generated
        order = _ORDER.search(found[1])
        names = set(re.findall(r'"(\w+)"', order.group(1))) if order else set(known.inputs)
        for missing in sorted(set(known.inputs) ^ names):
            where = "schema" if missing in known.inputs else "generated code"
            yield f"{name}.{missing} is only in the {where}", generated.place(found[0])


def _embedded(one: SchemaSet, generated: _Generated) -> Iterator[Difference]:
    """Schema files that the generated code embeds, against those that the configuration names."""
    match = _EMBED.search(generated.text)
    if match is None:
        return
    embedded = {
        basename(name) for name in re.findall(r'"([^"]+)"|(\S+)', match.group(1)) for name in name if name
    }
    for path in one.files:
        if basename(path) not in embedded:
            yield f"{basename(path)} is not embedded in the generated code", at_line(path)
    for name in sorted(embedded - {basename(path) for path in one.files}):
        yield (
            f"the generated code embeds {name}, which is not part of the schema",
            generated.place(match.start()),
        )
