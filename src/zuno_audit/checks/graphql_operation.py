"""Checks operations that the checklist writes down against the schema that is served."""

from __future__ import annotations

from collections.abc import Mapping

from zuno_audit.checks.base import could_not_run, ran, violation
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.graphql import SchemaSet, asked_for, schema_sets
from zuno_audit.languages.graphql import Operation, parse_document, validate
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.rule_run import RuleRun
from zuno_audit.source.glob import compile_glob


def check(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """A served schema accepts an operation.

    Arguments: `name` (what to call it), `document` (the operation, without fragments), `path` (where schemas
    are). Raises GraphQLSyntaxError when the checklist's own document is not GraphQL.
    """
    operations = parse_document(arguments["document"])
    inside = compile_glob(arguments["path"]).fullmatch
    sets = [one for one in store.get(schema_sets) if inside(one.origin)]
    problems = [problem for one in sets for problem in one.problems]
    if problems:
        first = problems[0]
        return could_not_run(f"{first.path}:{first.line}: {first.message}.", scope_size=len(sets))
    name = arguments["name"]
    if not sets:
        message = f"No GraphQL schema is served, so {name} cannot be sent."
        return ran(message, 1, findings=[violation(message, at_line(_place(arguments["path"])))])
    errors, chosen = min(
        ((validate(operations, one.schema), one) for one in sets), key=lambda pair: len(pair[0])
    )
    if not errors:
        reason = f"The served schema accepts {name}: {len(operations)} of {len(operations)} operations."
        return ran(reason, len(operations), evidence=_declarations(chosen, operations))
    said = "; ".join(error.message for error in errors[:4])
    place = next(iter(_declarations(chosen, operations)), at_line(chosen.origin))
    message = f"The served schema refuses {name} as it is written in the checklist: {said}."
    return ran(message, len(operations), findings=[violation(message, place)])


def _place(pattern: str) -> str:
    """The part of a path pattern before its first wildcard, or the module's root."""
    return pattern.split("*")[0].rstrip("/") or "go.mod"


def _declarations(one: SchemaSet, operations: tuple[Operation, ...]) -> list[Location]:
    """Where the schema declares the fields that are asked for."""
    found = []
    for operation in operations:
        root = one.schema.root(operation.kind)
        for name in asked_for((operation,)):
            if root is not None and name in root.fields:
                field = root.fields[name]
                found.append(at_line(field.path, field.line, f"{operation.kind} {name}"))
    return found
