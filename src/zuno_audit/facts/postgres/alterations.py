"""ALTER: what it checks and what it changes."""

from __future__ import annotations

from zuno_audit.facts.postgres.catalog import (
    DatabaseError,
    Key,
    KnownConstraint,
    Relation,
    TableColumn,
    Undecided,
    UserType,
)
from zuno_audit.facts.postgres.connection import Connection
from zuno_audit.facts.postgres.expressions import table_scope
from zuno_audit.facts.postgres.types import assignable, enum_type
from zuno_audit.languages.sql.tree import Action, Alter


class Alterations(Connection):
    """Adds ALTER."""

    def _run_Alter(self, statement: Alter) -> None:
        what = statement.what
        if what in ("role", "user", "group", "database"):
            self._alter_defaults(statement)
        elif what == "schema":
            self._alter_schema(statement)
        elif what in ("type", "domain"):
            self._alter_type(statement)
        elif what in ("function", "procedure", "routine", "aggregate"):
            if not self.catalog.find_functions(statement.name.parts, self.user) and not self.catalog.hidden:
                message = f"could not find a function named {statement.name}"
                raise DatabaseError("undefined_function", message, statement.start)
        else:
            self._alter_relation(statement)

    def _alter_defaults(self, statement: Alter) -> None:
        action = statement.actions[0]
        if statement.what != "database":
            self._role(statement.name.last, statement.start)
        if action.kind == "set search_path":
            names = tuple(part.strip().strip('"') for part in (action.name or "").split(","))
            self.catalog.default_path = names

    def _alter_schema(self, statement: Alter) -> None:
        name = statement.name.last
        action = statement.actions[0]
        if name not in self.catalog.schemas:
            raise DatabaseError("invalid_schema_name", f'schema "{name}" does not exist', statement.start)
        if action.kind == "rename":
            self._rename_schema(name, action.new_name or "", statement.start)
        if action.kind == "owner":
            self._role(action.name or "", statement.start)

    def _rename_schema(self, old: str, new: str, start: int) -> None:
        """Everything in the schema is in one of another name; a search path goes on naming the old one."""
        catalog = self.catalog
        if new in catalog.schemas:
            raise DatabaseError("duplicate_schema", f'schema "{new}" already exists', start)
        if (
            any(s == old for s, _ in (*catalog.types, *catalog.functions))
            or old in catalog.extensions.values()
        ):
            raise Undecided("types or functions in a schema that is renamed are not modelled", start)
        catalog.schemas[new] = catalog.schemas.pop(old)
        for relation in [r for r in catalog.relations.values() if r.schema == old]:
            known = catalog.relations[relation.key]
            catalog.move(relation.key, known._replace(schema=new))

    def _alter_type(self, statement: Alter) -> None:
        found = self.catalog.find_type(statement.name.schema, statement.name.last, self.user)
        action = statement.actions[0]
        if found is None:
            if self.catalog.hidden:
                raise Undecided(f'type "{statement.name}" may not exist', statement.start)
            message = f'type "{statement.name}" does not exist'
            raise DatabaseError("undefined_object", message, statement.start)
        if action.kind == "add value":
            if action.name in found.labels and not action.lenient:
                message = f'enum label "{action.name}" already exists'
                raise DatabaseError("duplicate_object", message, statement.start)
            self._add_label(found, action.name or "")
            return
        if action.kind == "owner":
            self._role(action.name or "", statement.start)
            return
        raise Undecided(f"ALTER TYPE ... {action.kind.upper()} is not modelled", statement.start)

    def _add_label(self, known: UserType, label: str) -> None:
        """The enum and all columns of its type know one more label."""
        old, new = enum_type(known.labels), enum_type((*known.labels, label))
        for key, kind in self.catalog.types.items():
            if kind is known:
                self.catalog.types[key] = known._replace(labels=(*known.labels, label))
        for relation in list(self.catalog.relations.values()):
            columns = tuple(c._replace(type=new) if c.type == old else c for c in relation.columns or ())
            if columns != (relation.columns or ()):
                self.catalog.add(relation._replace(columns=columns))

    def _alter_relation(self, statement: Alter) -> None:
        if statement.if_exists and self.catalog.find(statement.name.parts, self.user) is None:
            if self.catalog.hidden:
                raise Undecided(f'whether "{statement.name}" exists is not known', statement.start)
            return
        relation = self._checker().relation(statement.name)
        if (
            statement.what in ("view", "materialized view", "sequence", "index")
            and relation.kind != statement.what
        ):
            message = f'"{relation.name}" is not a {statement.what}'
            raise DatabaseError("wrong_object_type", message, statement.start)
        key = relation.key
        order = ("drop", "set type", "add column", "")
        actions = sorted(
            statement.actions, key=lambda a: next(i for i, p in enumerate(order) if a.kind.startswith(p))
        )
        for action in actions:
            handler = getattr(self, "_alter_" + action.kind.replace(" ", "_"), None)
            if handler is not None:
                key = handler(self.catalog.relations[key], action, statement.start) or key

    def _alter_rename(self, relation: Relation, action: Action, start: int) -> Key:
        return self._move(relation, relation.schema, action.new_name or "", start)

    def _alter_set_schema(self, relation: Relation, action: Action, start: int) -> Key:
        schema = action.new_name or ""
        if schema not in self.catalog.schemas:
            raise DatabaseError("invalid_schema_name", f'schema "{schema}" does not exist', start)
        for index in self.catalog.indexes_of(relation.key):
            self.catalog.move(index.key, index._replace(schema=schema))
        return self._move(self.catalog.relations[relation.key], schema, relation.name, start)

    def _move(self, relation: Relation, schema: str, name: str, start: int) -> Key:
        if (schema, name) == relation.key:
            return relation.key
        if (schema, name) in self.catalog.relations:
            raise DatabaseError("duplicate_table", f'relation "{name}" already exists', start)
        self.catalog.move(relation.key, relation._replace(schema=schema, name=name))
        return (schema, name)

    def _alter_owner(self, relation: Relation, action: Action, start: int) -> None:
        self._role(action.name or "", action.start)

    def _column(self, relation: Relation, name: str, start: int) -> TableColumn | None:
        column = relation.column(name)
        if column is None and relation.columns is not None:
            message = f'column "{name}" of relation "{relation.name}" does not exist'
            raise DatabaseError("undefined_column", message, start)
        return column

    def _alter_add_column(self, relation: Relation, action: Action, start: int) -> None:
        assert action.column is not None
        if relation.columns is not None and relation.column(action.column.name) is not None:
            if action.lenient:
                return
            message = f'column "{action.column.name}" of relation "{relation.name}" already exists'
            raise DatabaseError("duplicate_column", message, action.start)
        maker = self._maker()
        column = maker.new_column(action.column)
        if relation.columns is not None:
            self.catalog.add(relation._replace(columns=(*relation.columns, column)))
        for constraint in action.column.constraints:
            maker.add_constraint(relation.key, constraint, start)

    def _alter_drop_column(self, relation: Relation, action: Action, start: int) -> None:
        name = action.name or ""
        if action.lenient and relation.columns is not None and relation.column(name) is None:
            return
        self._column(relation, name, action.start)
        for other in self.catalog.relations.values():
            for known in other.constraints:
                if known.target == relation.key and name in known.target_columns and not action.cascade:
                    message = f"cannot drop column {name} because other objects depend on it"
                    raise DatabaseError("dependent_objects_still_exist", message, action.start)
            if other.may_read(relation.key, name) and not action.cascade:
                raise Undecided(f'view "{other.name}" may need the column', action.start)
        columns = tuple(c for c in relation.columns or () if c.name != name)
        kept = tuple(c for c in relation.constraints if name not in c.columns)
        self.catalog.add(relation._replace(columns=columns, constraints=kept))
        for index in self.catalog.indexes_of(relation.key):
            if name in index.index_columns:
                self.catalog.drop(index.key)

    def _alter_rename_column(self, relation: Relation, action: Action, start: int) -> None:
        old, new = action.name or "", action.new_name or ""
        self._column(relation, old, action.start)
        if relation.column(new) is not None:
            message = f'column "{new}" of relation "{relation.name}" already exists'
            raise DatabaseError("duplicate_column", message, action.start)

        def renamed(names: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(new if n == old else n for n in names)

        columns = tuple(c._replace(name=new) if c.name == old else c for c in relation.columns or ())
        constraints = tuple(c._replace(columns=renamed(c.columns)) for c in relation.constraints)
        self.catalog.add(relation._replace(columns=columns, constraints=constraints))
        for index in self.catalog.indexes_of(relation.key):
            self.catalog.add(index._replace(index_columns=renamed(index.index_columns)))

    def _alter_set_default(self, relation: Relation, action: Action, start: int) -> None:
        assert action.expr is not None
        column = self._column(relation, action.name or "", action.start)
        self._maker().check_default(action.expr, column)

    def _alter_alter_column(self, relation: Relation, action: Action, start: int) -> None:
        self._column(relation, action.name or "", action.start)

    def _alter_set_type(self, relation: Relation, action: Action, start: int) -> None:
        assert action.type is not None
        column = self._column(relation, action.name or "", action.start)
        kind = self._checker().resolve_type(action.type)
        if action.expr is not None:
            self._checker().type_of(action.expr, table_scope(relation))
        elif column is not None and not assignable(kind, column.type):
            message = f'column "{column.name}" cannot be cast automatically to type {kind}'
            raise DatabaseError("datatype_mismatch", message, action.start)
        if any(r.may_read(relation.key, action.name or "") for r in self.catalog.relations.values()):
            raise Undecided("a view may use the column", action.start)
        columns = tuple(c._replace(type=kind) if c == column else c for c in relation.columns or ())
        self.catalog.add(relation._replace(columns=columns))

    def _alter_add_constraint(self, relation: Relation, action: Action, start: int) -> None:
        assert action.constraint is not None
        if relation.kind != "table":
            message = f'ALTER action ADD CONSTRAINT cannot be performed on relation "{relation.name}"'
            raise DatabaseError("wrong_object_type", message, action.start)
        self._maker().add_constraint(relation.key, action.constraint, start)

    def _alter_drop_constraint(self, relation: Relation, action: Action, start: int) -> None:
        found = self._constraint(relation, action)
        if found is None:
            return
        for other in self.catalog.relations.values():
            for known in other.constraints:
                uses = known.target == relation.key and set(known.target_columns) == set(found.columns)
                if found.kind in ("unique", "primary key") and uses and not action.cascade:
                    message = f"cannot drop constraint {found.name} because other objects depend on it"
                    raise DatabaseError("dependent_objects_still_exist", message, action.start)
        kept = tuple(c for c in relation.constraints if c is not found)
        self.catalog.add(relation._replace(constraints=kept))
        if found.kind in ("unique", "primary key"):
            self.catalog.relations.pop((relation.schema, found.name), None)

    def _constraint(self, relation: Relation, action: Action) -> KnownConstraint | None:
        found = next((c for c in relation.constraints if c.name == action.name), None)
        if found is None and not action.lenient:
            message = f'constraint "{action.name}" of relation "{relation.name}" does not exist'
            raise DatabaseError("undefined_object", message, action.start)
        return found

    def _alter_validate_constraint(self, relation: Relation, action: Action, start: int) -> None:
        self._constraint(relation, action)

    def _alter_rename_constraint(self, relation: Relation, action: Action, start: int) -> None:
        found = self._constraint(relation, action)
        assert found is not None
        new = found._replace(name=action.new_name or "")
        constraints = tuple(new if c is found else c for c in relation.constraints)
        self.catalog.add(relation._replace(constraints=constraints))
        index = self.catalog.relations.get((relation.schema, found.name))
        if index is not None and index.kind == "index":
            self.catalog.move(index.key, index._replace(name=new.name))

    def _alter_attach_partition(self, relation: Relation, action: Action, start: int) -> None:
        assert action.table is not None
        if relation.kind == "index":
            return
        self._checker().relation(action.table)
        if relation.partition_keys is None:
            message = f'table "{relation.name}" is not partitioned'
            raise DatabaseError("wrong_object_type", message, action.start)

    def _alter_inherit(self, relation: Relation, action: Action, start: int) -> None:
        assert action.table is not None
        self._checker().relation(action.table)
