"""MongoDB databases and collections that Go code or an init script uses: table `mongo_collection`."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.compose import Service, compose_files
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.languages import shell
from zuno_audit.model.entity import UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.search import Use
    from zuno_audit.facts.go.settings import Settings

_DRIVER = b"go.mongodb.org/mongo-driver"
_DATABASE = frozenset(("Database",))  # the method that names a database
_INIT_FOLDER = "/docker-entrypoint-initdb.d"
_SCRIPT = re.compile(
    r"""//[^\n]*|/\*.*?\*/
    |getSiblingDB\(\s*(?P<quote>['"`])(?P<database>[^'"`]+)(?P=quote)\s*\)
    |^[ \t]*use[ (]+['"]?(?P<used>[\w-]+)
    |createCollection\(\s*['"`](?P<collection>[^'"`]+)['"`]
    """,
    re.VERBOSE | re.DOTALL | re.MULTILINE,
)


def mongo_collection(store: FactStore) -> Table:
    """Table `mongo_collection`: one row per call of `Collection` and per name that it may get.

    A mounted init script counts too. Fields: `collection` and `database` (None when they cannot be known),
    `used` yes/unknown (a main package reaches the call), `binary`. Unreached code has no row.
    """
    files = tuple(store.repository.grep(_DRIVER, suffix=".go"))
    rows = list(_init_scripts(store))
    if files:
        rows += _from_code(store)
    problems = store.repository.unread_like(files) + store.get(compose_files).problems
    looked = files + store.get(compose_files).paths
    return Table("mongo_collection", tuple(sorted(rows, key=lambda r: r.location)), looked, problems)


def _from_code(store: FactStore) -> Iterator[Entity]:
    from zuno_audit.facts.go.settings import settings

    texts = store.get(settings)
    for site in texts.origins.method_calls("Collection", b"mongo"):
        if len(site.call.args) in (1, 2):
            yield from _rows(store, texts, site)


def _rows(store: FactStore, texts: Settings, site: Use) -> Iterator[Entity]:
    from zuno_audit.facts.deployed import values
    from zuno_audit.facts.go.bindings import is_call_of
    from zuno_audit.facts.go.origins import At
    from zuno_audit.languages.go.syntax import Call, Selector

    root, call = site
    mains = texts.origins.reach.mains(root.file.path, call.start)
    if not mains:
        return
    assert isinstance(call.fun, Selector)
    where = root.file.location(call.start, call.end)
    collections = values(store, texts.templates(call.args[0], root), mains).texts
    given: list[str] = []
    for expr, inside, _ in texts.origins.of(At(call.fun.x, root), lambda x: is_call_of(x, _DATABASE)):
        assert isinstance(expr, Call)
        given += (texts.templates(expr.args[0], inside) if expr.args else []) or ["${_}"]
    databases, certain = values(store, given, mains)
    for collection in collections or {"": ""}:
        for database in databases or {"": ""}:
            yield _row(database, collection, where, min(mains), certain=certain)


def _row(database: str, collection: str, where: Location, binary: str, *, certain: bool) -> Entity:
    because = f"{database or 'an unknown database'}.{collection or 'a computed name'}"
    fields = {
        "collection": Answer(collection or None, because, (where,)),
        "database": Answer(database or None, because, (where,)),
        "used": Answer(YES if collection and database and certain else UNKNOWN, because, (where,)),
        "binary": Answer(binary),
    }
    return Entity("mongo_collection", where, fields)


def _init_scripts(store: FactStore) -> Iterator[Entity]:
    """Collections that the scripts create which MongoDB's image runs at its first start."""
    for file, service in store.get(compose_files).services():
        if file.is_overlay or "mongo" not in (service.image or ""):
            continue
        for volume in service.volumes:
            if volume.path is None or not volume.target.startswith(_INIT_FOLDER):
                continue
            paths = [volume.path, *store.repository.glob(f"{volume.path}/*")]
            for path in paths:
                if path.endswith(".js") and path in store.repository:
                    yield from _init_script(store, file.path, service, path)


def _init_script(store: FactStore, compose: str, service: Service, path: str) -> Iterator[Entity]:
    entry = service.variable("MONGO_INITDB_DATABASE")
    environment = default_environment(store, posixpath.dirname(compose))
    database = (shell.expand(entry.value or "", environment) if entry is not None else None) or "test"
    text = store.repository.text(path) or ""
    for match in _SCRIPT.finditer(text):
        if match["database"] or match["used"]:
            database = match["database"] or match["used"]
        elif match["collection"]:
            where = at_line(path, text.count("\n", 0, match.start()) + 1)
            yield _row(database, match["collection"], where, f"service {service.name}", certain=True)
