"""One connection after another to the databases of a server, and what every statement asks of it."""

from __future__ import annotations

from zuno_audit.facts.postgres.catalog import Catalog, DatabaseError, Undecided
from zuno_audit.facts.postgres.expressions import Checker
from zuno_audit.facts.postgres.tables import TableMaker

RELATION_KINDS = {
    "table": ("table",),
    "view": ("view",),
    "materialized view": ("materialized view",),
    "index": ("index",),
    "sequence": ("sequence",),
    "foreign table": ("table",),
}
_ROLES = frozenset({"public", "current_user"})


class Connection:
    """The databases of one server under one connection after another.

    `user` is the connected role, None when it is not known. `official` says that only contrib extensions are
    installed. `doubt` is why what runs now may not run; everything made meanwhile carries it.
    """

    def __init__(self, database: str = "postgres", user: str | None = None, *, official: bool = True) -> None:
        self.database = database
        self.databases: dict[str, Catalog] = {name: Catalog() for name in {database, "postgres"}}
        self.catalog: Catalog = self.databases[database]
        self.user = user
        self.official = official
        self.doubt = ""
        self.saved: Catalog | None = None  # the catalog at BEGIN
        self.path = ""

    def connect(self, database: str | None = None) -> None:
        """A new connection: settings are forgotten, an open transaction is rolled back.

        Raises DatabaseError when there is no such database.
        """
        self.rollback()
        self.databases[self.database] = self.catalog
        if database is not None:
            if database not in self.databases:
                message = f'database "{database}" does not exist'
                raise DatabaseError("invalid_catalog_name", message, 0)
            roles, self.database = self.catalog.roles, database
            self.catalog = self.databases[database]
            self.catalog.roles = roles
        self.catalog.search_path = self.catalog.default_path

    def all_catalogs(self) -> dict[str, Catalog]:
        """Every database by name, as it stands now."""
        return {**self.databases, self.database: self.catalog}

    def rollback(self) -> None:
        if self.saved is not None:
            self.catalog, self.saved = self.saved, None

    @property
    def in_block(self) -> bool:
        """True between BEGIN and its end."""
        return self.saved is not None

    def _checker(self) -> Checker:
        return Checker(self.catalog, self.user)

    def _maker(self) -> TableMaker:
        return TableMaker(self.catalog, self.user, self.path, self.doubt)

    def _role(self, role: str, start: int) -> None:
        if role in _ROLES or role == self.user or role in self.catalog.roles or role.startswith("pg_"):
            return
        if self.user is None or self.catalog.hidden:
            raise Undecided(f'whether role "{role}" exists is not known', start)
        raise DatabaseError("undefined_object", f'role "{role}" does not exist', start)
