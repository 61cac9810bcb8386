"""MongoDB databases and collections that the Go code uses: table `mongo_collection`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.model.entity import UNKNOWN, YES, Answer, Entity, Table

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go_code import Function
    from zuno_audit.facts.go_names import GoNames
    from zuno_audit.languages.go.parse import GoFile
    from zuno_audit.languages.go.syntax import Call

_DRIVER = b"go.mongodb.org/mongo-driver"


def mongo_collection(store: FactStore) -> Table:
    """Table `mongo_collection`: one row per call of `Collection` and per name that it may get.

    Fields: `collection` and `database` (None when they cannot be known), `used` yes/unknown (a main package
    reaches the call), `binary`. Code that no main package reaches has no row.
    """
    files = tuple(store.repository.grep(_DRIVER, suffix=".go"))
    if not files:
        return Table("mongo_collection", (), ("go.mod",) if "go.mod" in store.repository else ())
    from zuno_audit.facts.go_code import go_code
    from zuno_audit.facts.go_names import GoNames, method_calls

    code = store.get(go_code)
    names = GoNames(code, marked="Database")
    rows: list[Entity] = []
    for file, function, call in method_calls(code, "Collection", b"mongo"):
        if len(call.args) not in (1, 2) or not call.args:
            continue
        rows += _rows(store, names, file, function, call)
    problems = store.repository.unread_like(files)
    return Table("mongo_collection", tuple(sorted(rows, key=lambda r: r.location)), files, problems)


def _rows(
    store: FactStore, names: GoNames, file: GoFile, function: Function | None, call: Call
) -> Iterator[Entity]:
    from zuno_audit.facts.go_names import MARK, values
    from zuno_audit.languages.go.syntax import Selector

    mains = names.code.mains_reaching(file, call.start)
    if not mains:
        return
    assert isinstance(call.fun, Selector)
    where = file.location(call.start, call.end)
    collections = values(store, names.templates(function, file, call.args[0]), mains)
    given = names.templates(function, file, call.fun.x)
    marked = [template for template in given if template.startswith(MARK)]
    databases = values(store, marked, mains)
    certain = len(set(marked)) == 1
    for collection in collections or {"": min(mains)}:
        for database in databases or {"": min(mains)}:
            because = f"{database or 'an unknown database'}.{collection or 'a computed name'}"
            fields = {
                "collection": Answer(collection or None, because, (where,)),
                "database": Answer(database or None, because, (where,)),
                "used": Answer(YES if collection and database and certain else UNKNOWN, because, (where,)),
                "binary": Answer(min(mains)),
            }
            yield Entity("mongo_collection", where, fields)
