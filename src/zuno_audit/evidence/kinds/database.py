"""The database as it is: schemas, tables, indexes and applied migrations in a dump."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, named, still_open, words
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree

_VERSION = re.compile(r"[0-9]{1,18}\Z")
_MIGRATION = re.compile(r"(?:.*/)?0*(\d{1,18})_[^/]*\.up\.sql\Z")


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `schemas`, `tables` (schema.table), an index by `index` (alternatives), `table`, `method`,
    `columns`, `unique`; `migrations: yes` (all of the tree are applied). Each dump must hold all of it."""
    dumps = list(dict.fromkeys(one.path for one in seen))
    if not dumps:
        return still_open("no dump of the database")
    proof: list[Seen] = []
    faults: list[Fault] = []
    good: list[tuple[str, str]] = []
    partial: list[str] = []
    for dump in dumps:
        mine = [one for one in seen if one.path == dump]
        missing, found = _missing(mine, arguments)
        proof += found
        if missing and not any(one.observation.kind == "schema" for one in mine):
            partial.append(dump)  # of one table, or of data only: what it lacks may be there
            continue
        for what in missing:
            faults.append(Fault(mine[0], f"The dump of the database has no {what}.", what))
        good += [(what, dump) for what in _asked(arguments) if what not in missing]
    if faults:
        return broken(f"The database lacks {named(f.subject for f in faults)}.", faults, good)
    if len(partial) == len(dumps):
        return still_open(f"{named(partial)} holds no schema beside public")
    if arguments.get("migrations") == "yes":
        return _migrations(seen, tree)
    return holds(f"The dump holds {named(_asked(arguments))}.", proof)


def _asked(arguments: Mapping[str, str]) -> list[str]:
    asked = [f"schema {name}" for name in words(arguments.get("schemas", ""))]
    asked += [f"table {name}" for name in words(arguments.get("tables", ""))]
    return [*asked, *([_index_words(arguments)] if _asks_index(arguments) else [])]


def _missing(dump: Sequence[Seen], arguments: Mapping[str, str]) -> tuple[list[str], list[Seen]]:
    missing, proof = [], []
    for kind in ("schema", "table"):
        known = {one.observation.name: one for one in dump if one.observation.kind == kind}
        for name in words(arguments.get(f"{kind}s", "")):
            if name in known:
                proof.append(known[name])
            elif kind == "table" and "." not in name and (ends := _ending(known, name)):
                proof.append(ends)
            else:
                missing.append(f"{kind} {name}")
    if _asks_index(arguments):
        indexes = [one for one in dump if one.observation.kind == "index" and _fits(one, arguments)]
        proof += indexes
        missing += [] if indexes else [_index_words(arguments)]
    return missing, proof


def _ending(tables: Mapping[str, Seen], name: str) -> Seen | None:
    return next((one for table, one in tables.items() if table.rpartition(".")[2] == name), None)


def _asks_index(arguments: Mapping[str, str]) -> bool:
    return "index" in arguments or "method" in arguments or "columns" in arguments


def _fits(one: Seen, arguments: Mapping[str, str]) -> bool:
    """By its meaning where columns are given, else by its name."""
    index = one.observation
    names = words(arguments.get("index", ""))
    table = arguments.get("table", "")
    columns = [tuple(alternatives.split("|")) for alternatives in words(arguments.get("columns", ""))]
    parts = [part.split()[0] for part in words(index.label("columns"))]
    return (
        (not table or index.label("table").rpartition(".")[2] == table)
        and (not arguments.get("method") or index.label("method") == arguments["method"])
        and (arguments.get("unique") != "yes" or index.label("unique") == "yes")
        and (_covers(parts, columns) if columns else not names or index.name in names)
    )


def _covers(parts: Sequence[str], columns: Sequence[Sequence[str]]) -> bool:
    """The index begins with these columns, in any order."""
    first = parts[: len(columns)]
    return len(first) == len(columns) and all(any(name in wanted for name in first) for wanted in columns)


def _index_words(arguments: Mapping[str, str]) -> str:
    kind = f"{arguments['method']} index" if "method" in arguments else "index"
    table = f" on {arguments['table']}" if "table" in arguments else ""
    return " ".join(part for part in (kind, arguments.get("index", "")) if part) + table


def _migrations(seen: Sequence[Seen], tree: Tree) -> Judgement:
    versions = {m.group(1) for m in map(_MIGRATION.match, tree.repository.files) if m}
    rows = [one for one in seen if one.observation.kind == "migration"]
    dirty = [one for one in rows if one.observation.state == "dirty"]
    if dirty:
        name = dirty[0].observation.name
        fault = Fault(dirty[0], f"Migration {name} failed half-way (dirty).", f"migration {name}")
        return broken("A migration is dirty.", [fault])
    if not rows:
        return still_open("the dump holds no row of schema_migrations")
    if not versions:
        return still_open("no numbered migration files are known to compare with")
    latest, applied = max(versions, key=int), {one.observation.name for one in rows}
    reached = max((int(name) for name in applied if _VERSION.match(name)), default=-1)
    if reached < int(latest):
        message = f"Migration {reached} is the last that is applied; the tree has {latest}."
        return broken(message, [Fault(rows[-1], message, "migrations")])
    return holds(f"Migration {reached} is applied; the newest of the tree is {latest}.", rows)
