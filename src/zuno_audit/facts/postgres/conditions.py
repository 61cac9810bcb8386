"""Conditions on the catalog that scripts ask before they create something."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.postgres import builtins
from zuno_audit.languages.sql.tree import Expr, Query

if TYPE_CHECKING:
    from zuno_audit.facts.postgres.server import Server

Rows = Iterable[dict[str, str]]


def holds(server: Server, condition: Expr) -> bool | None:
    """Whether a condition is true; None when it cannot be told."""
    if condition.kind == "boolean":
        return str(condition.value) == "true"
    if condition.kind == "bool":
        values = [holds(server, arg) for arg in condition.args]
        if condition.value == "not":
            return None if values[0] is None else not values[0]
        decisive = str(condition.value) == "or"
        if decisive in values:
            return decisive
        return None if None in values else not decisive
    if condition.kind == "query" and condition.value == "exists" and condition.query is not None:
        return _exists(server, condition.query)
    if condition.kind == "test" and condition.value == "is null":
        return None
    return None


def _exists(server: Server, query: Query) -> bool | None:
    if len(query.items) != 1 or query.more or query.values or query.items[0].table is None:
        return None
    reader = _READERS.get(query.items[0].table.last)
    if reader is None:
        return None
    wanted: dict[str, str] = {}
    rest = False
    for condition in query.conditions:
        rest = _collect(condition, wanted) or rest
    rows = list(reader(server))
    known = set(rows[0]) if rows else set(wanted)
    rest = rest or bool(set(wanted) - known)
    matching = [row for row in rows if all(row.get(k, v) == v for k, v in wanted.items())]
    if not matching and (
        builtins.functions(wanted.get("proname", "")) or builtins.type_extensions(wanted.get("typname", ""))
    ):
        return None
    if not matching:
        # nothing matches what is known of the condition, the rest of it could only narrow further
        return None if server.catalog.hidden or not wanted else False
    if rest or any(row.get("doubt") for row in matching):
        return None
    return True


def _collect(condition: Expr, wanted: dict[str, str]) -> bool:
    """Put `column = 'text'` into `wanted`; True when some of the condition is anything else."""
    if condition.kind == "bool" and condition.value == "and":
        return max(_collect(arg, wanted) for arg in condition.args)
    if condition.kind == "op" and condition.value == "=":
        left, right = condition.args
        if right.kind == "column":
            left, right = right, left
        if right.kind == "cast":
            target = right.value.name
            if target.startswith("reg"):
                return True
            right = right.args[0]
        if left.kind == "cast":
            left = left.args[0]
        if left.kind == "column" and right.kind == "text":
            wanted[left.value[-1]] = right.value
            return False
    return True


def _relations(*kinds: str, name: str, schema: str) -> Callable[[Server], Rows]:
    def rows(server: Server) -> Rows:
        return [
            {name: r.name, schema: r.schema, "doubt": r.doubt}
            for r in server.catalog.relations.values()
            if not kinds or r.kind in kinds
        ]

    return rows


def _indexes(server: Server) -> Rows:
    return [
        {"indexname": r.name, "schemaname": r.schema, "tablename": r.table[1], "doubt": r.doubt}
        for r in server.catalog.relations.values()
        if r.kind == "index" and r.table is not None
    ]


def _types(server: Server) -> Rows:
    found = [{"typname": name, "doubt": t.doubt} for (_, name), t in server.catalog.types.items()]
    return found + [
        {"typname": r.name, "doubt": r.doubt} for r in server.catalog.relations.values() if r.kind != "index"
    ]


def _constraints(name: str, table: str) -> Callable[[Server], Rows]:
    def rows(server: Server) -> Rows:
        return [
            {name: c.name, table: r.name, "doubt": r.doubt}
            for r in server.catalog.relations.values()
            for c in r.constraints
        ]

    return rows


def _columns(server: Server) -> Rows:
    return [
        {"column_name": c.name, "table_name": r.name, "table_schema": r.schema, "doubt": r.doubt}
        for r in server.catalog.relations.values()
        if r.kind in ("table", "view")
        for c in r.columns or ()
    ]


def _user_functions(server: Server) -> Rows:
    return [{"proname": name} for _, name in server.catalog.functions]


def _roles(column: str) -> Callable[[Server], Rows]:
    def rows(server: Server) -> Rows:
        known = server.catalog.roles | ({server.user} if server.user else set())
        return [{column: name, "doubt": "" if server.user else "the roles are not known"} for name in known]

    return rows


_READERS: dict[str, Callable[[Server], Rows]] = {
    "pg_type": _types,
    "pg_proc": _user_functions,
    "pg_trigger": lambda s: [{"tgname": name} for _, name in s.catalog.triggers],
    "pg_constraint": _constraints("conname", "conrelid_name"),
    "table_constraints": _constraints("constraint_name", "table_name"),
    "pg_class": _relations(name="relname", schema="nspname"),
    "pg_tables": _relations("table", name="tablename", schema="schemaname"),
    "tables": _relations("table", "view", name="table_name", schema="table_schema"),
    "columns": _columns,
    "pg_indexes": _indexes,
    "pg_namespace": lambda s: [{"nspname": name, "doubt": n.doubt} for name, n in s.catalog.schemas.items()],
    "schemata": lambda s: [{"schema_name": name, "doubt": n.doubt} for name, n in s.catalog.schemas.items()],
    "pg_roles": _roles("rolname"),
    "pg_authid": _roles("rolname"),
    "pg_user": _roles("usename"),
    "pg_database": lambda s: [{"datname": name} for name in s.databases],
    "pg_extension": lambda s: [{"extname": name} for name in s.catalog.extensions],
}
