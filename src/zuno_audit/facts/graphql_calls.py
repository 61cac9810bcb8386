"""Which gRPC services the resolvers of a GraphQL schema ask, and whether they do so for every request.

Table `graphql_call`: one row per operation of a served schema. Resolvers are
methods of types called resolver, and functions in a table by the operation's name. A call counts by the name of a
method of a generated client; helpers of the resolver's own package are followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.bindings import mentions_error
from zuno_audit.facts.go.origins import Origins, origins
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.types import receiver_type_name
from zuno_audit.facts.graphql import schema_sets
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import (
    BasicLit,
    Binary,
    Block,
    Call,
    CompositeLit,
    Expr,
    FuncDecl,
    FuncLit,
    Ident,
    If,
    Return,
    Selector,
    Stmt,
    walk,
)
from zuno_audit.languages.graphql import ROOTS
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, LazyFields, Table
from zuno_audit.model.location import at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_DEPTH = 2  # helpers between a resolver and the call
_CLIENT = re.compile(r"^type (\w+)Client interface \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_METHOD = re.compile(r"^\t([A-Z]\w*)\(", re.MULTILINE)


class Resolver(Struct, frozen=True, eq=False):
    """The body of a resolver and the declaration that it stands in."""

    root: Declaration
    body: Block
    name: str


def graphql_call(store: FactStore) -> Table:
    """Table `graphql_call`.

    Fields: `operation` (query, mutation, subscription), `name`, `asks` (services by the names of their generated
    clients; None when the resolver cannot be found) and `always_asks` (those that it asks for a request without a
    token or an argument, too; None when something else decides).
    """
    sets = store.get(schema_sets)
    rows = [
        Entity(
            "graphql_call",
            at_line(operation.path, operation.line),
            LazyFields(
                {"operation": Answer(kind), "name": Answer(operation.name)},
                {("asks", "always_asks"): partial(_asked, store, operation.name)},
            ),
        )
        for one in sets
        for kind in ROOTS
        if (root := one.schema.root(kind)) is not None
        for operation in root.fields.values()
    ]
    rows.sort(key=lambda row: row.location)
    return Table("graphql_call", tuple(rows), tuple(dict.fromkeys(f for one in sets for f in one.files)))


def _asked(store: FactStore, operation: str) -> dict[str, Answer]:
    values = store.get(origins)
    resolvers = list(_resolvers(values, operation))
    if not resolvers:
        unknown = Answer(None, f"no resolver method answers {operation}")
        return {"asks": unknown, "always_asks": unknown}
    found: dict[str, Answer] = {}
    proof = []
    for resolver in resolvers:
        for service, call, always in _calls(store, values, resolver.root, resolver.body, 0):
            proof.append(resolver.root.file.location(call.start, call.end, f"asks {service}"))
            if service not in found or found[service].value != YES:
                found[service] = always
    if not found:
        body = resolvers[0].body
        place = resolvers[0].root.file.location(body.start, body.start + 1, f"answers {operation}")
        none = Answer((), f"{resolvers[0].name} asks no gRPC service", (place,))
        return {"asks": none, "always_asks": none}
    certain = tuple(service for service, always in found.items() if always.value == YES)
    open_ = next((always for always in found.values() if always.value == UNKNOWN), None)
    why = open_ or next((always for always in found.values() if always.value == NO), Answer(YES))
    value = None if open_ is not None and not certain else certain
    return {
        "asks": Answer(tuple(found), "", tuple(proof)),
        "always_asks": Answer(value, why.because, why.proof),
    }


def _resolvers(values: Origins, operation: str) -> Iterator[Resolver]:
    wanted = operation.replace("_", "").lower()
    for file in values.linked.files_with(b"esolver)"):
        for root in values.functions_with(b"esolver)", file):
            method = root.node
            if isinstance(method, FuncDecl) and "esolver" in receiver_type_name(method):
                if method.name.replace("_", "").lower() == wanted:
                    yield Resolver(root, method.body, method.name)
    quoted = f'"{operation}"'.encode()
    for file in values.linked.files_with(quoted):
        is_generated = b"DO NOT EDIT" in file.data[:2000]
        for root in values.functions_with(quoted, file) if not is_generated else ():
            for node in root.nodes:
                for key, value in node.elements if isinstance(node, CompositeLit) else ():
                    if isinstance(key, BasicLit) and key.value == operation:
                        yield from _listed(values, root, value)


def _listed(values: Origins, root: Declaration, value: Expr) -> Iterator[Resolver]:
    """The function that a table holds for an operation."""
    if isinstance(value, FuncLit):
        yield Resolver(root, value.body, "the function of the table")
    elif isinstance(value, Ident | Selector):
        for found in values.functions(value, root)[:2]:
            if isinstance(found.node, FuncDecl):
                yield Resolver(found, found.node.body, found.node.name)


def _client_methods(store: FactStore) -> dict[str, tuple[str, ...]]:
    """The services whose generated client has a method, by its name."""
    found: dict[str, list[str]] = {}
    for path in store.repository.grep(b"Client interface {", suffix=".go"):
        text = store.repository.text(path) or ""
        for service, body in _CLIENT.findall(text) if "grpc.CallOption" in text else ():
            for method in _METHOD.findall(body):
                found.setdefault(method, []).append(service)
    return {name: tuple(services) for name, services in found.items()}


def _calls(
    store: FactStore, values: Origins, root: Declaration, body: Block, depth: int
) -> Iterator[tuple[str, Call, Answer]]:
    """(service, call, whether it is made for every request) of the calls in a body and the helpers it calls."""
    methods = store.get(_client_methods)
    for node in walk(body):
        if not isinstance(node, Call):
            continue
        fun = node.fun
        if isinstance(fun, Selector) and values.texts.package_path(fun.x, root) is not None:
            continue
        if isinstance(fun, Selector) and fun.sel in methods and len(node.args) >= 2:
            for service in methods[fun.sel]:
                yield service, node, _always(root.file, body, node)
        elif depth < MAX_DEPTH and isinstance(fun, Ident | Selector):
            for helper in values.functions(fun, root)[:3]:
                if helper.package is root.package and isinstance(helper.node, FuncDecl):
                    for service, _, inner in _calls(store, values, helper, helper.node.body, depth + 1):
                        outer = _always(root.file, body, node)
                        yield service, node, inner if outer.value == YES else outer


def _always(file: GoFile, body: Block, call: Call) -> Answer:
    """Whether a body comes to a call for every request that carries nothing but the query."""
    unknown: Answer | None = None
    for statement in body.stmts:
        holds = statement.start <= call.start and call.end <= statement.end
        if isinstance(statement, Return) and not holds:
            return Answer(NO, "it returns before the call", (file.location(statement.start, statement.end),))
        if not isinstance(statement, If):
            if holds:
                break
            continue
        if holds and not (statement.body.start <= call.start and call.end <= statement.body.end):
            break
        if not holds and not _leaves(statement.body):
            continue
        kind = _kind(statement.cond)
        place = (file.location(statement.cond.start, statement.cond.end),)
        text = file.data[statement.cond.start : statement.cond.end].decode("utf-8", "replace")[:60]
        if kind == "empty" and not holds:
            return Answer(NO, f"it returns before the call when {text}", place)
        if kind == "other" or (kind == "empty" and holds):
            unknown = Answer(UNKNOWN, f"{text} decides whether it comes to the call", place)
        if holds:
            break
    return unknown or Answer(YES, "it asks for every request")


def _leaves(body: Stmt) -> bool:
    return isinstance(body, Block) and bool(body.stmts) and isinstance(body.stmts[-1], Return)


def _kind(condition: Expr) -> str:
    """What a condition asks: `nil` (of an error or a pointer), `empty` (of a text) or `other`."""
    if mentions_error(condition):
        return "nil"
    if not isinstance(condition, Binary):
        return "other"
    if condition.op in ("&&", "||"):
        kinds = {_kind(condition.x), _kind(condition.y)}
        return "other" if "other" in kinds else "empty" if "empty" in kinds else "nil"
    sides = (condition.x, condition.y)
    if any(isinstance(side, Ident) and side.name == "nil" for side in sides):
        return "nil"
    if condition.op == "==" and any(isinstance(side, BasicLit) and side.value in ("", 0) for side in sides):
        return "empty"
    return "other"
