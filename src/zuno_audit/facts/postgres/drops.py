"""DROP: what has to be there, and what must not depend on it."""

from __future__ import annotations

from zuno_audit.facts.postgres.catalog import DatabaseError, Undecided
from zuno_audit.facts.postgres.connection import RELATION_KINDS, Connection
from zuno_audit.languages.sql.tree import Drop, Name


class Drops(Connection):
    """Adds DROP."""

    def _run_Drop(self, statement: Drop) -> None:
        if statement.concurrently and self.in_block:
            message = "DROP INDEX CONCURRENTLY cannot run inside a transaction block"
            raise DatabaseError("active_sql_transaction", message, statement.start)
        for name in statement.names:
            if statement.what in RELATION_KINDS:
                self._drop_relation(statement, name)
            elif statement.what == "schema":
                self._drop_schema(statement, name)
            elif statement.what == "extension":
                self._drop_extension(statement, name)
            elif statement.what in ("type", "domain"):
                self._drop_type(statement, name)
            elif statement.what in ("function", "procedure", "routine", "aggregate"):
                self._drop_function(statement, name)
            elif statement.what == "trigger":
                self._drop_trigger(statement, name)
            elif not statement.if_exists or statement.what == "database":
                raise Undecided(f"DROP {statement.what.upper()} is not modelled", statement.start)

    def _missing(self, statement: Drop, what: str) -> None:
        if statement.if_exists:
            return
        if self.catalog.hidden:
            raise Undecided(f"whether {what} exists is not known", statement.start)
        raise DatabaseError("undefined_object", f"{what} does not exist", statement.start)

    def _drop_relation(self, statement: Drop, name: Name) -> None:
        relation = self.catalog.find(name.parts, self.user)
        if relation is None:
            self._missing(statement, f'{statement.what} "{name}"')
            return
        if relation.kind not in RELATION_KINDS[statement.what]:
            message = f'"{relation.name}" is not a {statement.what}'
            raise DatabaseError("wrong_object_type", message, name.start)
        also = {self.catalog.find(n.parts, self.user) for n in statement.names}
        for other in list(self.catalog.relations.values()):
            if other in also or other.key == relation.key or statement.cascade:
                continue
            if relation.key in other.reads or any(c.target == relation.key for c in other.constraints):
                message = f"cannot drop {statement.what} {relation.name} because other objects depend on it"
                raise DatabaseError("dependent_objects_still_exist", message, name.start)
        if relation.kind == "index" and relation.table is not None:
            table = self.catalog.relations.get(relation.table)
            if table is not None and any(c.name == relation.name for c in table.constraints):
                message = f"cannot drop index {relation.name} because a constraint requires it"
                raise DatabaseError("dependent_objects_still_exist", message, name.start)
        self.catalog.drop(relation.key)
        for other in list(self.catalog.relations.values()):
            if relation.key in other.reads:
                self.catalog.drop(other.key)

    def _drop_schema(self, statement: Drop, name: Name) -> None:
        if name.last not in self.catalog.schemas:
            self._missing(statement, f'schema "{name}"')
            return
        inside = [key for key in self.catalog.relations if key[0] == name.last]
        inside += [key for key in self.catalog.types if key[0] == name.last]
        inside += [key for key in self.catalog.functions if key[0] == name.last]
        if inside and not statement.cascade:
            message = f"cannot drop schema {name} because other objects depend on it"
            raise DatabaseError("dependent_objects_still_exist", message, name.start)
        for key in inside:
            self.catalog.drop(key)
            self.catalog.types.pop(key, None)
            self.catalog.functions.pop(key, None)
        self.catalog.extensions = {e: s for e, s in self.catalog.extensions.items() if s != name.last}
        del self.catalog.schemas[name.last]

    def _drop_extension(self, statement: Drop, name: Name) -> None:
        if self.catalog.extensions.pop(name.last, None) is None:
            self._missing(statement, f'extension "{name}"')
        elif self.catalog.relations:
            raise Undecided("what depends on the extension is not modelled", statement.start)

    def _drop_type(self, statement: Drop, name: Name) -> None:
        schemas = (name.schema,) if name.schema is not None else self.catalog.path(self.user)
        for schema in schemas:
            if (schema, name.last) in self.catalog.types:
                if self.catalog.relations and not statement.cascade:
                    raise Undecided("what depends on the type is not modelled", statement.start)
                del self.catalog.types[schema, name.last]
                return
        self._missing(statement, f'type "{name}"')

    def _drop_function(self, statement: Drop, name: Name) -> None:
        schemas = (name.schema,) if name.schema is not None else self.catalog.path(self.user)
        for schema in schemas:
            if (schema, name.last) in self.catalog.functions:
                if self.catalog.triggers and not statement.cascade:
                    raise Undecided("whether a trigger needs the function is not modelled", statement.start)
                del self.catalog.functions[schema, name.last]
                return
        self._missing(statement, f"function {name}")

    def _drop_trigger(self, statement: Drop, name: Name) -> None:
        assert statement.on is not None
        if statement.if_exists and self.catalog.find(statement.on.parts, self.user) is None:
            return
        table = self._checker().relation(statement.on)
        if (table.key, name.last) not in self.catalog.triggers:
            self._missing(statement, f'trigger "{name}" for table "{table.name}"')
        self.catalog.triggers.discard((table.key, name.last))
