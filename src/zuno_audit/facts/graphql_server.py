"""Who serves GraphQL: servers with their transports, and the methods that answer the operations."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname

from msgspec import Struct

from zuno_audit.facts.base import FactStore
from zuno_audit.languages.go_outline import GoFunction, GoOutline, outline
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import at_line
from zuno_audit.source.classify import FileKind

GQLGEN_HANDLER = "github.com/99designs/gqlgen/graphql/handler"
GQLGEN_TRANSPORT = "github.com/99designs/gqlgen/graphql/handler/transport"
OURS = frozenset({FileKind.CODE})


class Method(Struct, frozen=True):
    """A method and whether its body only says that it is not implemented."""

    path: str
    line: int
    receiver: str
    is_stub: bool


def graphql_server(store: FactStore) -> Table:
    """Table `graphql_server`: one row per GraphQL server that our code creates.

    Fields: `constructor` (as written), `websocket` yes/no/unknown (subscriptions can be served over
    WebSocket),
    `subscriptions` (how many the schema of the same service has).
    """
    from zuno_audit.facts.graphql import schema_sets

    repository = store.repository
    rows: list[Entity] = []
    problems: list[Problem] = []
    paths = repository.grep(GQLGEN_HANDLER.encode() + b'"', suffix=".go", kinds=OURS)
    for path in paths:
        file = outline(path, repository.text(path) or "")
        if file.problem:
            problems.append(Problem(path, file.problem_line, f"the file does not parse: {file.problem}"))
        for at, name in _constructions(file):
            every = store.get(schema_sets)
            sets = tuple(s for s in every if _is_below(path, s.home)) or every
            count = sum(len(r.fields) for s in sets if (r := s.schema.root("subscription")))
            place = at_line(path, file.line(at))
            fields = {
                "constructor": Answer(f"handler.{name}"),
                "websocket": _websocket(store, file, at, name),
                "subscriptions": Answer(count),
            }
            rows.append(Entity("graphql_server", place, fields))
    return Table("graphql_server", tuple(rows), tuple(paths), tuple(problems))


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(folder + "/")


def _constructions(file: GoOutline) -> Iterator[tuple[int, str]]:
    alias = next((name for name, path in file.imports.items() if path == GQLGEN_HANDLER), None)
    if alias is None:
        return
    for match in re.finditer(rf"\b{re.escape(alias)}\.(NewDefaultServer|New)\s*\(", file.masked):
        yield match.start(), match.group(1)


def _websocket(store: FactStore, file: GoOutline, at: int, name: str) -> Answer:
    place = at_line(file.path, file.line(at))
    variable = _variable(file, at)
    uses = (
        re.findall(rf"(?<![\w.]){re.escape(variable)}\b(?!\s*(?:\.|:?=[^=]))", file.masked[at:])
        if variable
        else [""]
    )
    if not uses:
        return Answer(NO, f"{variable} is made by handler.{name}, but nothing serves it", (place,))
    if name == "NewDefaultServer":
        return Answer(YES, "handler.NewDefaultServer includes the WebSocket transport", (place,))
    siblings = [p for p in store.repository.files if dirname(p) == dirname(file.path) and p.endswith(".go")]
    for path in siblings:
        if store.repository.kind(path) is FileKind.CODE:
            other = file if path == file.path else outline(path, store.repository.text(path) or "")
            alias = next((n for n, p in other.imports.items() if p == GQLGEN_TRANSPORT), None)
            if alias is None:
                continue
            pattern = rf"(\w+)\s*\.\s*AddTransport\s*\(\s*&?\s*{re.escape(alias)}\.Websocket\b"
            every = list(re.finditer(pattern, other.masked))
            others = {m for p, _ in _constructions(other) if (m := _variable(other, p))} - {variable}
            added = next(
                (a for a in every if path != file.path or not variable or a.group(1) not in others), None
            )
            if added is not None:
                proof = at_line(path, other.line(added.start()), "adds transport.Websocket")
                return Answer(YES, "transport.Websocket is added to the server", (proof,))
            if not every and re.search(rf"\b{re.escape(alias)}\.Websocket\b", other.masked):
                return Answer(
                    UNKNOWN, "transport.Websocket is mentioned, but it cannot be seen that it is added"
                )
    return Answer(
        NO, f"the server is made by handler.{name} and no transport.Websocket is added to it", (place,)
    )


def _variable(file: GoOutline, at: int) -> str:
    """The variable that a construction is assigned to, or nothing."""
    made = re.search(r"(?:^|[\s;{])(\w+)\s*:?=\s*$", file.masked[:at])
    return made.group(1) if made is not None else ""


def implementation(store: FactStore, home: str, operation: str) -> Answer:
    """yes/no/unknown: below `home` a method with the operation's name does more than refuse."""
    methods = store.get(_methods)
    wanted = operation.replace("_", "").lower()
    found = [m for m in methods.get(wanted, ()) if _is_below(m.path, home)]
    resolvers = [m for m in found if "resolver" in m.receiver.lower()] or found
    if not resolvers:
        some = any(
            _is_below(m.path, home) and "resolver" in m.receiver.lower()
            for group in methods.values()
            for m in group
        )
        return Answer(NO if some else UNKNOWN, f"no resolver method answers {operation}")
    real = [m for m in resolvers if not m.is_stub]
    chosen = (real or resolvers)[0]
    proof = (at_line(chosen.path, chosen.line, f"answers {operation}"),)
    if real:
        return Answer(YES, f"{chosen.receiver} answers it", proof)
    return Answer(NO, f"the resolver of {operation} only says that it is not implemented", proof)


def _methods(store: FactStore) -> dict[str, list[Method]]:
    """Methods of types whose file speaks of resolvers, by lower-case name."""
    found: dict[str, list[Method]] = {}
    for path in store.repository.grep_any(b"esolver)", suffix=".go", kinds=OURS):
        file = outline(path, store.repository.text(path) or "")
        for function in file.functions:
            if function.receiver:
                method = Method(path, file.line(function.start), function.receiver, _is_stub(file, function))
                found.setdefault(function.name.replace("_", "").lower(), []).append(method)
    return found


def _is_stub(file: GoOutline, function: GoFunction) -> bool:
    """True when the first statement of the body says "not implemented" and leaves."""
    body = file.masked[function.opening + 1 : function.closing]
    first = re.match(r"\s*(panic\s*\(|return\b)[^\n]*", body)
    if first is None:
        return not body.strip()
    end = function.opening + 1 + first.end()
    statement = file.text[function.opening + 1 : end]
    said = " ".join(s.text for s in file.strings_between(function.opening, end)) + statement
    return re.search(r"not[ _-]?(?:yet[ _-])?implemented|unimplemented|todo", said, re.IGNORECASE) is not None
