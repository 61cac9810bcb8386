"""The shape of `zuno-audit.yml`, as written: it checks the file and emits the JSON Schema for editors.

Nothing here can make anything run: the keys name paths, patterns, levels and plain values.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from zuno_audit.rules.profile_spec import Value

MAX_TEXT = 300  # characters of a path, pattern or value
MAX_PATTERNS = 200

Path = Annotated[str, Meta(min_length=1, max_length=MAX_TEXT, description="relative to the root, with `/`")]
Pattern = Annotated[
    str, Meta(min_length=1, max_length=MAX_TEXT, description="`*` in a segment, `**` over any")
]


class RuleSetting(Struct, forbid_unknown_fields=True):
    """What becomes of one rule. With `off` its items are left to a person, and `reason` says why."""

    level: Annotated[
        Literal["error", "warning", "note", "off"], Meta(description="level of its findings, or off")
    ]
    reason: Annotated[str, Meta(max_length=500, description="why; needed with `off`")] = ""


class ConfigSpec(Struct, forbid_unknown_fields=True, rename="kebab"):
    """`zuno-audit.yml`."""

    version: Annotated[Literal[1], Meta(description="of this format")]
    profile: Annotated[str, Meta(description="which checklist: zuno, go-grpc or one of a rule folder")] = ""
    parameters: Annotated[dict[str, Value], Meta(description="values for parameters of the profile")] = {}
    exclude: Annotated[
        list[Pattern],
        Meta(max_length=MAX_PATTERNS, description="paths that are not audited; they are counted"),
    ] = []
    fail_on: Annotated[
        Literal["error", "warning", "note", "never", ""], Meta(description="as `--fail-on`, which wins")
    ] = ""
    rules: Annotated[dict[str, RuleSetting], Meta(description="settings of single rules, by id")] = {}
    evidence: Annotated[str, Meta(max_length=MAX_TEXT, description="folder with outputs of runs")] = ""
    checklist: Annotated[str, Meta(max_length=MAX_TEXT, description="Markdown file with the checklist")] = ""
    semgrep: Annotated[bool, Meta(description="like `--semgrep`; asks for --trust")] = False
    rule_folders: Annotated[
        list[Path], Meta(max_length=20, description="folders like `rules/`; only read with --trust")
    ] = []


def config_schema() -> dict[str, Any]:
    """The JSON Schema of `zuno-audit.yml`."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "zuno-audit configuration"}
    return {**head, **msgspec.json.schema(ConfigSpec)}
