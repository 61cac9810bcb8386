"""The shape of a rule file, as written. The same types check the files and emit the JSON Schema for editors.

What a type cannot say (names that must exist, kinds that must fit) is checked in `rules/load.py`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

Scalar = str | int | float | bool | None
RuleId = Annotated[str, Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", description="kebab-case; names the defect")]
Text = Annotated[str, Meta(min_length=1)]
Number = int | float | Annotated[str, Meta(pattern=r"\{\{")]  # a number, or a parameter that holds one


class Operators(Struct, forbid_unknown_fields=True, omit_defaults=True, rename={"in_": "in", "not_": "not"}):
    """A predicate that is more than equality. All operators that are given must hold."""

    in_: list[Scalar] | str | msgspec.UnsetType = msgspec.UNSET
    not_: Scalar | Operators | msgspec.UnsetType = msgspec.UNSET
    at_least: Number | msgspec.UnsetType = msgspec.UNSET
    at_most: Number | msgspec.UnsetType = msgspec.UNSET
    matches: str | msgspec.UnsetType = msgspec.UNSET
    glob: str | list[str] | msgspec.UnsetType = msgspec.UNSET
    contains: str | int | float | bool | msgspec.UnsetType = msgspec.UNSET
    empty: bool | msgspec.UnsetType = msgspec.UNSET
    exists: bool | msgspec.UnsetType = msgspec.UNSET
    all: list[Scalar | Operators] | msgspec.UnsetType = msgspec.UNSET
    any: list[Scalar | Operators] | msgspec.UnsetType = msgspec.UNSET


Predicate = Scalar | Operators
ClauseSpec = dict[str, Predicate]  # field: predicate, and `message`, `at`, `undecided`


class Count(Struct, forbid_unknown_fields=True, frozen=True):
    """How many rows there must be."""

    at_least: Number = 1
    at_most: Number | None = None


class AbsentSpec(Struct, forbid_unknown_fields=True, frozen=True):
    """What is said when there are too few rows."""

    status: Literal["fail", "not-applicable", "manual"] = "fail"
    path: str = ""
    message: str = ""


class Described(
    Struct, forbid_unknown_fields=True, rename={"security_severity": "security-severity"}, kw_only=True
):
    """What every rule says about itself."""

    id: RuleId
    title: Text
    severity: Literal["error", "warning", "note"]
    precision: Literal["very-high", "high", "medium", "low"]
    since: str
    why: Text
    fix: Text
    bad: str = ""
    good: str = ""
    limits: str = ""
    # a number as text; not on the border of two of GitHub's classes (4.0, 7.0, 9.0)
    security_severity: Annotated[str, Meta(pattern=r"^(?![479]\.0)([0-9]|10)\.[0-9]$")] | None = None
    cwe: list[int] = []
    tags: list[str] = []
    parameters: dict[str, Scalar | list[Scalar]] = {}


class Quantified(Described, kw_only=True):
    """A rule over a table. Exactly one of `for_each`, `exists` and `forbid` names it."""

    for_each: str | None = None
    exists: str | None = None
    forbid: str | None = None
    where: dict[str, Predicate] = {}
    problems: str = ""
    count: Count = Count()
    absent: AbsentSpec | None = None
    require: list[ClauseSpec] = []
    prefer: list[ClauseSpec] = []
    message: str = ""
    at: Literal["row", "proof"] = "row"
    pass_: str = msgspec.field(default="", name="pass")


class QueryRule(Quantified, tag_field="kind", tag="query"):
    """Rows are the matches of a tree-sitter query."""


class DataflowRule(Quantified, tag_field="kind", tag="dataflow"):
    """Rows come from facts that follow values through the code."""


class DocumentRule(Quantified, tag_field="kind", tag="document"):
    """Rows come from configuration, SQL, schema or prose files."""


class PresenceRule(Quantified, tag_field="kind", tag="presence"):
    """Rows are files or other things that must be there."""


class SemgrepRule(Quantified, tag_field="kind", tag="semgrep"):
    """Rows are the results of semgrep with a file of its rules. Only run with --semgrep."""


class PythonRule(Described, tag_field="kind", tag="python", kw_only=True):
    """A function decides. Only where the quantifiers cannot say it."""

    check: Annotated[str, Meta(pattern=r"^zuno_audit\.checks\.[a-z0-9_]+:[a-z0-9_]+$")]


class EngineRule(Described, tag_field="kind", tag="engine", kw_only=True):
    """The engine reports it: a rule about suppressions and waivers."""


RuleSpec = QueryRule | DataflowRule | DocumentRule | PresenceRule | SemgrepRule | PythonRule | EngineRule


class Pack(Struct, forbid_unknown_fields=True):
    """`pack.yaml`: what the rules of a folder have in common."""

    name: Text
    description: Text


def rule_schema() -> dict[str, Any]:
    """The JSON Schema of a rule file."""
    schema = msgspec.json.schema(RuleSpec)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "zuno-audit rule", **schema}
