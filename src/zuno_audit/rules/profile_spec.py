"""The shape of a profile file, as written: it checks the files and emits the JSON Schema for editors."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

Text = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
ParameterName = Annotated[str, Meta(pattern="^[a-z][a-z0-9_]*$")]
Value = str | int | float | bool | list[str | int | float | bool]


class ChecklistFiles(Struct, forbid_unknown_fields=True):
    """The checklist of a profile: its files below `rules/checklist`, one for each phase, in order."""

    name: Text
    version: Text
    files: Annotated[list[Text], Meta(min_length=1)]


class ProfileSpec(Struct, forbid_unknown_fields=True):
    """`profiles/<name>.yaml`. `recognised_by` holds path patterns; a match recognises a repository."""

    name: Name
    title: Text
    description: Text
    checklist: ChecklistFiles
    parameters: dict[ParameterName, Value] = {}
    recognised_by: list[Text] = []


def profile_schema() -> dict[str, Any]:
    """The JSON Schema of a profile file."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "zuno-audit profile"}
    return {**head, **msgspec.json.schema(ProfileSpec)}
