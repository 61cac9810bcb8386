"""Functions that refresh a session: does a new token really replace the old one.

The function is followed by names of variables: what a generating call returns is the new token, what is
computed from it carries it on. It must reach a storing call whose failure is not ignored, the stored value
must end up in the statement that stores it, and the caller must get the new token and not the old one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.go_tests import Body, split_arguments
from zuno_audit.facts.graphql import name_words
from zuno_audit.languages.go_outline import GoFunction, GoOutline, outline
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import FileKind

ISSUING = frozenset({"generate", "new", "create", "issue", "make", "random", "mint", "gen", "rotate"})
STORING = frozenset(
    {
        "rotate",
        "update",
        "save",
        "store",
        "set",
        "replace",
        "insert",
        "persist",
        "put",
        "create",
        "upsert",
        "write",
        "swap",
    }
)
_REFRESHING = frozenset({"refresh", "renew", "rotate"})
_ASSIGNED = re.compile(r"(?:^|[;{\n])[ \t]*(?:if\s+)?((?:[\w.]+\s*,\s*)*[\w.]+)\s*:?=(?!=)\s*([^\n]*)")
_PLACEHOLDER = re.compile(r"\b(\w*(?:refresh|token|hash)\w*)\s*=\s*(\$(\d+)|\?|:\w+|@\w+)", re.IGNORECASE)


def token_refresh(store: FactStore) -> Table:
    """Table `token_refresh`: one row per function of ours that is named for refreshing and makes a new token.

    Fields: `name`, `issues` yes/no (it makes a new refresh token), `stores` yes/no/unknown (the new token,
    or what is computed from it, replaces the stored one), `returns` yes/no (the caller gets the new token).
    """
    repository = store.repository
    rows: list[Entity] = []
    problems: list[Problem] = []
    paths = repository.grep_any(
        b") Refresh",
        b") Rotate",
        b") Renew",
        b"func Refresh",
        b"func Rotate",
        suffix=".go",
        kinds=frozenset({FileKind.CODE}),
    )
    for path in paths:
        file = outline(path, repository.text(path) or "")
        if file.problem:
            problems.append(Problem(path, file.problem_line, f"the file does not parse: {file.problem}"))
            continue
        for function in file.functions:
            if _REFRESHING & set(name_words(function.name)[:1]):
                rows.extend(_row(store, Body(file, function)))
    return Table("token_refresh", tuple(rows), tuple(paths), tuple(problems))


def _row(store: FactStore, body: Body) -> Iterator[Entity]:
    issued = list(_issued(body))
    looks_up = any(
        STORING & set(name_words(name)[:1]) or name.startswith(("Get", "Find")) for _, _, name in body.calls
    )
    delegates = any(q and name_words(name)[:1] in (("refresh",), ("renew",)) for _, q, name in body.calls)
    if not issued and (delegates or not (looks_up and "refresh" in body.live.lower())):
        return
    place = at_line(body.file.path, body.file.line(body.function.start))
    carriers = _carriers(body, {name for name, _ in issued})
    proof = tuple(at_line(place.path, line, f"makes {name}") for name, line in issued[:2])
    issues = Answer(YES, f"{body.function.name} makes a new token", proof)
    if not issued:
        issues = Answer(NO, f"{body.function.name} makes no new refresh token", (place,))
    fields = {
        "name": Answer(body.function.name),
        "issues": issues,
        "stores": _stores(store, body, carriers),
        "returns": _returns(body, carriers),
    }
    yield Entity("token_refresh", place, fields)


def _issued(body: Body) -> Iterator[tuple[str, int]]:
    """(variable, line) of every new refresh token; access tokens are no refresh tokens."""
    given = set(re.findall(r"\w+", body.function.signature))
    returned = set(re.findall(r"\bRefreshToken\s*[:=]\s*(\w+)", body.live)) - given
    for match in _ASSIGNED.finditer(body.live):
        called = re.match(r"(?:\w+\.)*(\w+)\s*\(", match.group(2))
        if called is None:
            continue
        words = set(name_words(called.group(1)))
        variable = match.group(1).split(",")[0].strip()
        about = words | set(name_words(variable)) | ({"refresh"} if variable in returned else set())
        if ISSUING & words and "refresh" in about and "access" not in about and not {"hash", "err"} & about:
            yield variable, body.file.line(body.start + match.start(1))


def _carriers(body: Body, names: set[str]) -> set[str]:
    """The variables that hold a new token or something computed from it."""
    carriers = set(names)
    for match in _ASSIGNED.finditer(body.live):
        if set(re.findall(r"[\w.]+", match.group(2))) & carriers and not re.match(
            r"\w+\.\w+.*\berr\b", match.group(1)
        ):
            carriers.update(
                n.strip() for n in match.group(1).split(",") if n.strip() not in ("err", "_", "ok")
            )
    return carriers


def _stores(store: FactStore, body: Body, carriers: set[str]) -> Answer:
    file = body.file
    for at, qualifier, name in body.calls:
        opening = body.start + body.live.find("(", at)
        closing = file.pairs.get(opening)
        words = set(name_words(name))
        if closing is None or not qualifier or not STORING & words or "access" in words:
            continue
        arguments = split_arguments(file, opening, closing)
        position = next(
            (i for i, a in enumerate(arguments) if set(re.findall(r"[\w.]+", a)) & carriers), None
        )
        if position is None:
            continue
        place = at_line(file.path, file.line(opening), f"{name} stores it")
        if _is_ignored(body, at):
            return Answer(NO, f"the error of {name} is ignored", (place,))
        stored = _store_keeps(store, file, name, position)
        return Answer(stored[0], stored[1], (place, *stored[2]))
    return Answer(NO, f"{body.function.name} stores nothing that is computed from the new token")


def _is_ignored(body: Body, at: int) -> bool:
    line_start = body.live.rfind("\n", 0, at) + 1
    before = body.live[line_start:at].strip()
    return before in ("", "_ =", "go", "defer") or before.startswith("_ =")


def _store_keeps(
    store: FactStore, caller: GoOutline, name: str, position: int
) -> tuple[str, str, tuple[Location, ...]]:
    """Whether the implementations of a storing method put the argument at `position` into what they store."""
    top = "/".join(caller.path.split("/")[:-1][:2])
    seen = []
    for path in store.repository.grep(f") {name}(".encode(), suffix=".go", kinds=frozenset({FileKind.CODE})):
        if path.startswith(top):
            file = outline(path, store.repository.text(path) or "")
            seen += [(file, f) for f in file.functions if f.name == name and f.receiver]
    for file, function in seen:
        parameter = _parameter(function, position)
        if parameter is None or not _is_kept(file, function, parameter):
            place = at_line(file.path, file.line(function.start), "does not store it")
            return NO, f"{function.receiver}.{name} does not store the new token", (place,)
    if not seen:
        return UNKNOWN, f"no implementation of {name} was found", ()
    file, function = seen[0]
    return YES, f"{function.receiver}.{name} stores it", (at_line(file.path, file.line(function.start)),)


def _parameter(function: GoFunction, position: int) -> str | None:
    """The name of the parameter at a position."""
    inside = function.signature.split(")")[0].lstrip("(")
    names = [re.match(r"\s*(\w+)", part) for part in inside.split(",")]
    return names[position].group(1) if position < len(names) and names[position] else None  # type: ignore[union-attr]


def _is_kept(file: GoOutline, function: GoFunction, parameter: str) -> bool:
    """The parameter is handed to a call; where that call runs SQL, a column about the token takes its"
    " place."""
    body = Body(file, function)
    used = re.search(rf"[(,]\s*&?{parameter}\s*[,)]|:\s*{parameter}\b|=\s*{parameter}\b", body.live)
    if used is None:
        return False
    statements = [
        s for s in body.strings() if re.search(r"\bupdate\b.*\bset\b", s, re.IGNORECASE | re.DOTALL)
    ]
    return not statements or any(_sets(file, body, statement, parameter) for statement in statements)


def _sets(file: GoOutline, body: Body, statement: str, parameter: str) -> bool:
    assigned = (
        statement[: m.start()] if (m := re.search(r"\bwhere\b", statement, re.IGNORECASE)) else statement
    )
    for match in _PLACEHOLDER.finditer(assigned):
        if "previous" in match.group(1).lower():
            continue
        if match.group(3) is None or _argument_number(file, body, parameter) == int(match.group(3)):
            return True
    return False


def _argument_number(file: GoOutline, body: Body, parameter: str) -> int | None:
    """Which SQL argument a parameter is, in the call that runs the statement."""
    for at, _, name in body.calls:
        if name in ("ExecContext", "Exec", "QueryRowContext", "QueryRow", "Query", "QueryContext"):
            opening = body.start + body.live.find("(", at)
            closing = file.pairs.get(opening)
            if closing is not None:
                arguments = split_arguments(file, opening, closing)
                skipped = (
                    2 if arguments and re.fullmatch(r"\w*ctx\w*|context\.\w+\(\)", arguments[0], re.I) else 1
                )
                if parameter in arguments[skipped:]:
                    return arguments[skipped:].index(parameter) + 1
    return None


def _returns(body: Body, carriers: set[str]) -> Answer:
    place = at_line(body.file.path, body.file.line(body.function.closing))
    for match in re.finditer(r"\breturn\b", body.live):
        end = body.live.find("\n", match.end())
        opening = body.live.find("{", match.end(), end)
        closing = body.file.pairs.get(body.start + opening) if opening >= 0 else None
        text = body.live[match.end() : closing - body.start if closing else end]
        tokens = re.findall(r"\bRefreshToken\s*:\s*([\w.]+)", text) or re.findall(r"[\w.]+", text)
        if set(tokens) & carriers:
            line = body.file.line(body.start + match.start())
            return Answer(YES, "the new token is returned", (at_line(place.path, line),))
    named = re.findall(r"\.RefreshToken\s*=\s*([\w.]+)", body.live)
    if set(named) & carriers:
        return Answer(YES, "the new token is put into the result")
    return Answer(NO, f"{body.function.name} does not return the new token", (place,))
