"""DO blocks and function bodies: branches that can be decided run, the others leave doubt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.postgres.catalog import DatabaseError, Undecided
from zuno_audit.facts.postgres.conditions import holds
from zuno_audit.facts.postgres.expressions import Checker, Scope
from zuno_audit.languages.sql.errors import NotUnderstood, SqlError
from zuno_audit.languages.sql.plpgsql import (
    Block,
    Code,
    Evaluate,
    Execute,
    If,
    Leave,
    Loop,
    Raise,
    Skip,
    Sql,
    parse_plpgsql,
)
from zuno_audit.languages.sql.scripts import parse_script
from zuno_audit.languages.sql.tree import CreateFunction, Delete, Insert, Select, Update

if TYPE_CHECKING:
    from zuno_audit.facts.postgres.server import Server

# PL/pgSQL's names of conditions that are classes of others, or spelled in another way here.
_CLASSES = {
    "others": None,
    "duplicate_object": {"duplicate_object", "42710"},
    "syntax_error_or_access_rule_violation": {"undefined_table", "undefined_function", "undefined_object"},
}


class _Left(Exception):
    """RETURN was reached."""


def check_body(server: Server, function: CreateFunction, schema: str) -> None:
    """What CREATE FUNCTION checks of a body: PL/pgSQL its syntax, SQL also its names."""
    if function.body is None:
        return
    if function.language == "plpgsql":
        _parse(function.body, function.body_start)
    elif function.language == "sql":
        _check_sql_body(server, function)
    elif function.language not in ("c", "internal"):
        message = f'language "{function.language}" does not exist'
        raise DatabaseError("undefined_object", message, function.start)
    else:
        raise Undecided(f"a function in {function.language}", function.start)


def _parse(body: str, start: int) -> Block:
    try:
        return parse_plpgsql(body, start)
    except SqlError as error:
        raise DatabaseError("syntax_error", error.message, error.offset) from error
    except NotUnderstood as unknown:
        raise Undecided(unknown.what, unknown.offset) from unknown


def _check_sql_body(server: Server, function: CreateFunction) -> None:
    names = frozenset(p.name for p in function.parameters if p.name is not None)
    scope = Scope(variables=names)
    for piece in parse_script(function.body or ""):
        at = function.body_start
        if piece.error is not None:
            raise DatabaseError("syntax_error", piece.error.message, at + piece.error.offset)
        if piece.not_understood is not None or piece.tree is None:
            raise Undecided("a statement in a function that is not modelled", at + piece.start)
        checker = Checker(server.catalog, server.user)
        if isinstance(piece.tree, Select):
            checker.check_query(piece.tree.query, scope)
        elif isinstance(piece.tree, Insert | Update | Delete):
            checker.check_change(piece.tree, scope)
        else:
            raise Undecided("a definition inside a function", at + piece.start)


def run_block(server: Server, body: str, start: int) -> None:
    """Run a DO block.

    Raises DatabaseError when it surely ends in an error, Undecided when that cannot be told.
    """
    block = _parse(body, start)
    try:
        _block(server, block, frozenset())
    except _Left:
        return


def _block(server: Server, block: Block, variables: frozenset[str]) -> None:
    names = variables | set(block.variables) | {"found", "sqlerrm", "sqlstate"}
    before = server.catalog.copy()
    try:
        _run(server, block.body, names)
    except DatabaseError as error:
        for conditions, handler in block.handlers:
            if any(_matches(condition, error.condition) for condition in conditions):
                server.catalog = before
                _run(server, handler, names)
                return
        raise


def _matches(condition: str, raised: str) -> bool:
    if condition == "others":
        return True
    return condition == raised or raised in (_CLASSES.get(condition) or ())


def _run(server: Server, code: Iterable[Code], variables: frozenset[str]) -> None:
    for step in code:
        _step(server, step, variables)


def _step(server: Server, step: Code, variables: frozenset[str]) -> None:
    checker = Checker(server.catalog, server.user)
    scope = Scope(variables=variables)
    if isinstance(step, Block):
        _block(server, step, variables)
    elif isinstance(step, If):
        _if(server, step, variables)
    elif isinstance(step, Loop):
        _maybe(server, step.body, variables | set(step.variables), "it stands in a loop")
    elif isinstance(step, Sql):
        _sql(server, step, variables)
    elif isinstance(step, Execute):
        _execute(server, step, scope)
    elif isinstance(step, Raise):
        if step.error:
            raise DatabaseError("raise_exception", "the block raises an exception", step.start)
    elif isinstance(step, Evaluate | Leave):
        if step.query is not None:
            checker.check_query(step.query, scope)
        if step.expr is not None:
            checker.type_of(step.expr, scope)
        if isinstance(step, Leave):
            raise _Left
    else:
        assert isinstance(step, Skip)


def _sql(server: Server, step: Sql, variables: frozenset[str]) -> None:
    piece = step.piece
    if piece.not_understood is not None:
        raise Undecided(piece.not_understood.what, piece.not_understood.offset)
    assert piece.tree is not None
    server.run(piece.tree, variables)


def _execute(server: Server, step: Execute, scope: Scope) -> None:
    if step.text.kind != "text":
        Checker(server.catalog, server.user).type_of(step.text, scope)
        server.catalog.hidden = True
        raise Undecided("EXECUTE of a text that is put together at run time", step.start)
    for piece in parse_script(str(step.text.value)):
        if piece.error is not None:
            raise DatabaseError("syntax_error", piece.error.message, step.start)
        if piece.tree is None:
            raise Undecided("EXECUTE of something that is not modelled", step.start)
        server.run(piece.tree)


def _if(server: Server, step: If, variables: frozenset[str]) -> None:
    uncertain = False
    for condition, body in step.branches:
        value: bool | None = True
        if condition is not None:
            Checker(server.catalog, server.user).type_of(condition, Scope(variables=variables))
            value = holds(server, condition)
        if value is False:
            continue
        if value is not None and not uncertain:
            _run(server, body, variables)
            return
        _maybe(server, body, variables, "it stands under a condition that cannot be decided")
        uncertain = True
        if value is not None:
            return


def _maybe(server: Server, body: Iterable[Code], variables: frozenset[str], why: str) -> None:
    """Run code that may or may not run: what it makes is in doubt, and so is whether it fails."""
    doubt, server.doubt = server.doubt, server.doubt or why
    before = server.catalog.copy()
    try:
        _run(server, body, variables)
    except DatabaseError as error:
        server.catalog = before
        raise Undecided(f"{why}, and it would fail: {error.message}", error.offset) from error
    finally:
        server.doubt = doubt
