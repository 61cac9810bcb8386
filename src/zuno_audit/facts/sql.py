"""Tables of the database that the repository's SQL makes: schemas, tables, indexes, constraints, scripts.

`created` is `yes` only for what exists after the statements that somebody runs have been run in order, as far
as PostgreSQL would have run them. A statement in a file that nobody runs creates nothing.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.sql_declarations import Declared, declarations
from zuno_audit.facts.sql_files import sql_files
from zuno_audit.facts.sql_runs import DatabaseRun, database_runs, place
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.postgres.catalog import Relation, Schema
    from zuno_audit.model.entity import Problem

_LEFT_OUT = re.compile(r"(?:^|/)(?:vendor|node_modules|testdata|tests?|fixtures?|examples?|sqlc|queries)/")
_REVERSE = re.compile(r"(?:^|[._-])down\.sql$")
_DDL = re.compile(rb"\b(?:create|alter)\b", re.IGNORECASE)
_TIME_TYPES = ("date", "timestamp with time zone", "timestamp without time zone")


class Unseen(Struct, frozen=True):
    """A text that may create things although it could not be followed."""

    text: str
    why: str
    location: Location


class Database(Struct, frozen=True):
    """All that is known of the databases: rows by kind, what was looked at, what could not be followed."""

    rows: dict[str, tuple[Entity, ...]]
    files: tuple[str, ...]
    problems: tuple[Problem, ...]
    unseen: tuple[Unseen, ...]

    def table(self, kind: str) -> Table:
        return Table(kind, self.rows.get(kind, ()), self.files, self.problems)


def database(store: FactStore) -> Database:
    """The databases after every script and migration that something runs."""
    files = _sql_files(store)
    if not files and not store.repository.grep(b"docker-entrypoint-initdb.d"):
        return Database({}, files, (), ())
    runs = store.get(database_runs)
    rows: dict[str, list[Entity]] = {}
    made: set[tuple[str, str, str]] = set()
    for run in runs:
        for name, catalog in run.server.all_catalogs().items():
            for row in _created(store, run, name, catalog.schemas, catalog.relations, made):
                rows.setdefault(row.kind, []).append(row)
    unseen: list[Unseen] = []
    for path in files:
        for row in _not_created(store, runs, path, made, unseen):
            rows.setdefault(row.kind, []).append(row)
    rows["sql_script"] = list(_scripts(store, runs, files))
    unseen += [
        Unseen("*", why, where)
        for run in runs
        for why, where in run.doubts
        if not where.path.endswith(".sql")
    ]
    ordered = {kind: tuple(sorted(found, key=lambda r: r.location)) for kind, found in rows.items()}
    problems = store.repository.unread_like(files or ("x.sql",)) + store.get(compose_files).problems
    return Database(ordered, files, problems, tuple(unseen))


def _sql_files(store: FactStore) -> tuple[str, ...]:
    """The SQL files that define something; those that take it back again are left out."""
    found = []
    for path in store.repository.files:
        if path.endswith(".sql") and not _REVERSE.search(path) and not _LEFT_OUT.search(path):
            data = store.repository.read(path)
            if data is not None and _DDL.search(data):
                found.append(path)
    return tuple(found)


# -- what exists


def _created(
    store: FactStore,
    run: DatabaseRun,
    database_name: str,
    schemas: dict[str, Schema],
    relations: dict[tuple[str, str], Relation],
    made: set[tuple[str, str, str]],
) -> Iterator[Entity]:
    common = {"database": Answer(database_name), "run_by": Answer(run.label, proof=(run.location,))}
    for name, schema in schemas.items():
        origin = schema.origin
        if origin is not None:
            made.add(("schema", "", name))
            where = place(store, origin.path, origin.start)
            doubt = schema.doubt
            yield Entity(
                "db_schema", where, {"name": Answer(name), "created": _is_made(doubt, where), **common}
            )
    for relation in relations.values():
        where = place(store, relation.origin.path, relation.origin.start)
        made.add((relation.kind, relation.schema, relation.name))
        if relation.kind == "table":
            yield Entity("db_table", where, _table_fields(relation, where) | common)
            for constraint in relation.constraints:
                made.add(("constraint", relation.name, constraint.name))
                yield Entity(
                    "db_constraint",
                    where,
                    {
                        "name": Answer(constraint.name),
                        "kind": Answer(constraint.kind),
                        "schema": Answer(relation.schema),
                        "table": Answer(relation.name),
                        "columns": Answer(constraint.columns),
                        "created": _is_made(relation.doubt, where),
                        **common,
                    },
                )
        elif relation.kind == "index":
            owner = relations.get(relation.table) if relation.table is not None else None
            yield Entity("db_index", where, _index_fields(relation, owner, where) | common)


def _is_made(doubt: str, where: Location) -> Answer:
    if doubt:
        return Answer(UNKNOWN, f"whether the statement runs is not certain: {doubt}", (where,))
    return Answer(YES, f"{where.path}:{where.line} creates it", (where,))


def _table_fields(relation: Relation, where: Location) -> dict[str, Answer]:
    columns = None if relation.columns is None else tuple(c.name for c in relation.columns)
    return {
        "schema": Answer(relation.schema),
        "name": Answer(relation.name),
        "columns": Answer(columns),
        "created": _is_made(relation.doubt, where),
    }


def _index_fields(relation: Relation, owner: Relation | None, where: Location) -> dict[str, Answer]:
    types = {c.name: c.type for c in owner.columns or ()} if owner is not None else {}
    time = any(types.get(column) in _TIME_TYPES for column in relation.index_columns)
    return {
        "schema": Answer(relation.schema),
        "name": Answer(relation.name),
        "table": Answer(owner.name if owner is not None else None),
        "columns": Answer(relation.index_columns),
        "method": Answer(relation.method),
        "unique": Answer(YES if relation.unique else NO),
        "partial": Answer(_partial(relation)),
        "time_series": Answer(YES if time else NO),
        "created": _is_made(relation.doubt, where),
    }


def _partial(relation: Relation) -> str:
    """`null` when only rows without a value in a key are left out: uniqueness is the same then."""
    if not relation.predicate:
        return NO
    return "null" if set(relation.not_null) and set(relation.not_null) <= set(relation.index_columns) else YES


# -- what does not


def _not_created(
    store: FactStore,
    runs: tuple[DatabaseRun, ...],
    path: str,
    made: set[tuple[str, str, str]],
    unseen: list[Unseen],
) -> Iterator[Entity]:
    file = store.get(sql_files).file(path)
    text, pieces = file.text, file.pieces
    starts = [piece.start for piece in pieces]
    for run in runs:
        for doubt in run.outcomes[path].doubts if path in run.outcomes else ():
            piece = pieces[bisect_right(starts, doubt.offset) - 1]
            if piece.start <= doubt.offset < piece.end:
                where = place(store, path, doubt.offset)
                unseen.append(Unseen(text[piece.start : piece.end], doubt.message, where))
    for declared in declarations(pieces):
        if _exists(declared, made):
            continue
        where = place(store, path, declared.start)
        reason, certain = _why_not(store, runs, path, declared)
        created = Answer(NO if certain else UNKNOWN, reason, (where,))
        yield Entity(f"db_{declared.kind}", where, _declared_fields(declared, created))


def _exists(declared: Declared, made: set[tuple[str, str, str]]) -> bool:
    if declared.kind == "schema":
        return ("schema", "", declared.name) in made
    if declared.kind == "constraint":
        return ("constraint", declared.table or "", declared.name) in made
    if not declared.name:
        return True  # an index without a name is only seen when it exists
    if declared.schema is not None:
        return (declared.kind, declared.schema, declared.name) in made
    return any(kind == declared.kind and name == declared.name for kind, _, name in made)


def _declared_fields(declared: Declared, created: Answer) -> dict[str, Answer]:
    none = Answer(None)
    fields = {"name": Answer(declared.name), "created": created, "database": none, "run_by": none}
    if declared.kind == "schema":
        return fields
    fields |= {"schema": Answer(declared.schema), "columns": Answer(declared.columns)}
    if declared.kind == "constraint":
        fields |= {"table": Answer(declared.table), "kind": Answer(declared.constraint_kind or None)}
    if declared.kind == "index":
        fields |= {
            "table": Answer(declared.table),
            "method": Answer(declared.method or None),
            "unique": Answer(YES if declared.unique else NO),
            "partial": none,
            "time_series": none,
        }
    return fields


def _why_not(
    store: FactStore, runs: tuple[DatabaseRun, ...], path: str, declared: Declared
) -> tuple[str, bool]:
    """Why a statement creates nothing, and whether that is certain."""
    for run in runs:
        if path in run.not_reached:
            return f"it does not run, because before it {run.not_reached[path]}", True
        outcome = run.outcomes.get(path)
        if outcome is None:
            continue
        refused = outcome.refused.get(declared.piece)
        if refused is not None:
            return f"PostgreSQL refuses the statement: {refused}", True
        doubt = next((d for d in outcome.doubts if d.offset >= declared.piece), None)
        failure = outcome.failure
        if failure is not None:
            line = place(store, path, failure.offset).line
            if failure.offset < declared.piece:
                return f"line {line} stops the script before it: {failure.message}", True
            return f"it is rolled back when line {line} fails: {failure.message}", True
        if outcome.open_block is not None and outcome.open_block <= declared.piece:
            line = place(store, path, outcome.open_block).line
            return f"the transaction that begins at line {line} is never committed", True
        if doubt is not None:
            return f"whether it runs cannot be told: {doubt.message}", False
        return "a later statement drops it, renames it or makes it only under a condition", not outcome.doubts
    return "nothing runs this file: no init folder of a database and no migration tool reads it", True


# -- scripts


def _scripts(store: FactStore, runs: tuple[DatabaseRun, ...], files: tuple[str, ...]) -> Iterator[Entity]:
    for path in files:
        run = next((r for r in runs if path in r.outcomes or path in r.not_reached), None)
        fields = {
            "runs": _script_runs(store, run, path),
            "run_by": Answer(run.label if run is not None else None),
        }
        yield Entity("sql_script", at_line(path), fields)


def _script_runs(store: FactStore, run: DatabaseRun | None, path: str) -> Answer:
    here = at_line(path)
    if run is None:
        return Answer(NO, "nothing runs it", (here,))
    if path in run.not_reached:
        return Answer(NO, f"before it {run.not_reached[path]}", (here,))
    outcome = run.outcomes[path]
    if outcome.failure is not None:
        where = place(store, path, outcome.failure.offset)
        return Answer(NO, f"line {where.line}: {outcome.failure.message}", (where,))
    for doubt in outcome.doubts:
        where = place(store, path, doubt.offset)
        return Answer(UNKNOWN, f"line {where.line}: {doubt.message}", (where,))
    return Answer(YES, f"{run.label} runs it to its end", (here,))


# -- tables


def db_schema(store: FactStore) -> Table:
    """Table `db_schema`: name, created, database, run_by (compose file and service, None when nobody)."""
    return store.get(database).table("db_schema")


def db_table(store: FactStore) -> Table:
    """Table `db_table`: schema (None when nothing says which), name, columns and so on."""
    return store.get(database).table("db_table")


def db_index(store: FactStore) -> Table:
    """Table `db_index`: indexes, those of constraints included.

    Fields: `schema`, `name`, `table`, `columns` (plain ones; empty when there is an expression), `method`,
    `unique` yes/no, `partial` no/null/yes (`null`: only rows without a value in a key are left out),
    `time_series` yes/no (a key is a date or a timestamp), `created`, `database`, `run_by`.
    """
    return store.get(database).table("db_index")


def db_constraint(store: FactStore) -> Table:
    """Table `db_constraint`: name, kind, schema, table, columns, created, database, run_by."""
    return store.get(database).table("db_constraint")


def sql_script(store: FactStore) -> Table:
    """Table `sql_script`: one row per SQL file that defines something: `runs` yes/no/unknown, `run_by`."""
    return store.get(database).table("sql_script")
