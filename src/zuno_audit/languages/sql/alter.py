"""ALTER: tables in full, of other objects what changes names, columns or settings."""

from __future__ import annotations

from zuno_audit.languages.sql.definitions import DefinitionParser
from zuno_audit.languages.sql.keywords import RESERVED
from zuno_audit.languages.sql.tree import Action, Alter, Constraint, SetVariable, Statement

_TABLE_LIKE = ("table", "view", "index", "sequence", "materialized view", "foreign table")


class AlterParser(DefinitionParser):
    """Adds ALTER and SET."""

    def object_kind(self) -> str:
        raise NotImplementedError

    def setting(self, start: int, local: bool, *, inside_function: bool = False) -> SetVariable:
        """`name TO value, value` or `name = value`."""
        variable = str(self.name())
        if inside_function and self.take("from", "current"):
            return SetVariable(start, start, variable, ())
        if not self.take("to"):
            self.expect_symbol("=")
        values = self.comma_list(self._setting_value)
        return SetVariable(start, start, variable, values, local)

    def _setting_value(self) -> str:
        self.take_symbol("-")
        token = self.token
        if token.kind in ("text", "number", "name"):
            return self.advance().value
        if token.kind == "word" and (
            token.value not in RESERVED or token.value in ("true", "false", "on", "default")
        ):
            return self.advance().value
        raise self.refusal()

    def _read_alter(self, start: int) -> Statement:
        if self.is_word("default", "system", "large"):
            self.unknown("this kind of ALTER is not modelled")
        what = self.object_kind()
        if what in ("role", "user", "group", "database"):
            return self._alter_settings(start, what)
        lenient = self.if_exists()
        if what in ("function", "procedure", "routine", "aggregate"):
            return self._alter_routine(start, what)
        if what not in (*_TABLE_LIKE, "type", "domain", "schema"):
            self.unknown(f"ALTER {what.upper()} is not modelled")
        self.take("only")
        name = self.name() if what not in ("type", "domain") else self.function_name()
        self.subject = (what, None, name)
        actions: tuple[Action, ...]
        if what in ("type", "domain"):
            actions = (self._type_action(what),)
        elif what == "sequence":
            actions = (self._sequence_action(),)
        else:
            self.take_symbol("*")
            actions = self.comma_list(self._action)
        return Alter(start, start, what, name, actions, lenient)

    def _alter_settings(self, start: int, what: str) -> Statement:
        """ALTER DATABASE or ROLE ... SET: the search_path of sessions to come."""
        name = self.name(RESERVED)
        if self.take("in", "database"):
            self.identifier()
        if self.take("set"):
            setting = self.setting(start, False)
            return Alter(
                start,
                start,
                what,
                name,
                (Action("set " + setting.variable, start, ",".join(setting.values or ())),),
            )
        while not self.done:
            self.advance()
        return Alter(start, start, what, name, (Action("options", start),))

    def _alter_routine(self, start: int, what: str) -> Statement:
        name = self.function_name()
        if self.is_symbol("("):
            self.skip_parens()
        if self.take("owner", "to"):
            return Alter(start, start, what, name, (Action("owner", start, self.role()),))
        raise self.not_modelled("ALTER FUNCTION is not modelled")

    def _sequence_action(self) -> Action:
        return self._renaming() or self._sequence_change()

    def _sequence_change(self) -> Action:
        start = self.token.start
        self._sequence_options()
        return Action("options", start)

    def _sequence_options(self) -> None:
        """SeqOptList of the grammar."""
        while not self.done:
            if self.take("owned", "by"):
                self.name()
            elif self.take("as"):
                self.type_name()
            elif self.take("cycle") or any(self.take("no", w) for w in ("cycle", "minvalue", "maxvalue")):
                continue
            elif self.is_word("increment", "start", "restart", "minvalue", "maxvalue", "cache"):
                self._sequence_number(self.advance().value)
            else:
                self.fail()

    def _sequence_number(self, option: str) -> None:
        said = self.take("by" if option == "increment" else "with")
        self.take_symbol("-")
        if self.token.kind == "number":
            self.advance()
        elif option != "restart" or said:
            self.fail()

    def _renaming(self) -> Action | None:
        """What every kind of object knows: RENAME TO, SET SCHEMA, OWNER TO."""
        start = self.token.start
        if self.take("rename", "to"):
            return Action("rename", start, new_name=self.identifier())
        if self.take("set", "schema"):
            return Action("set schema", start, new_name=self.identifier())
        if self.take("owner", "to"):
            return Action("owner", start, self.role())
        return None

    def _type_action(self, what: str) -> Action:
        common = self._renaming()
        if common is not None:
            return common
        start = self.token.start
        if self.take("add", "value"):
            lenient = self.if_not_exists()
            label = self.text()
            if self.is_word("before", "after"):
                self.at += 1
                self.text()
            return Action("add value", start, label, lenient=lenient)
        raise self.not_modelled(f"this ALTER {what.upper()} is not modelled")

    # -- ALTER TABLE

    def _action(self) -> Action:
        common = self._renaming()
        if common is not None:
            return common
        start = self.token.start
        if self.take("rename"):
            return self._rename(start)
        if self.take("add"):
            return self._add(start)
        if self.take("drop"):
            return self._drop(start)
        if self.take("alter"):
            if self.is_word("constraint"):
                self.unknown("ALTER CONSTRAINT is not modelled")
            return self._alter_column(start)
        if self.take("validate", "constraint"):
            return Action("validate constraint", start, self.identifier())
        if self.is_word("enable", "disable", "force", "no", "cluster", "set", "reset", "replica"):
            return self._switch(start)
        if self.take("inherit"):
            return Action("inherit", start, table=self.name())
        if self.take("attach", "partition"):
            table = self.name()
            if not self.take("default"):
                if self.done:
                    self.fail()
                self.take("for", "values")
                self._partition_bound()
            return Action("attach partition", start, table=table)
        if self.take("detach", "partition"):
            table = self.name()
            if not self.take("concurrently"):
                self.take("finalize")
            return Action("detach partition", start, table=table)
        raise self.refusal()

    def _switch(self, start: int) -> Action:
        """Row security, triggers, storage parameters: nothing that later statements depend on."""
        words: list[str] = []
        while self.token.kind in ("word", "name"):
            words.append(self.advance().value)
        if self.is_symbol("("):
            self.parameter_list()
        phrase = " ".join(words)
        known = (
            "enable row level security",
            "disable row level security",
            "force row level security",
            "no force row level security",
            "set logged",
            "set unlogged",
            "set without cluster",
            "set",
            "reset",
        )
        if phrase in known or phrase.startswith(
            ("enable ", "disable ", "cluster on ", "set tablespace ", "replica identity ")
        ):
            return Action("switch", start, phrase)
        raise self.not_modelled(f"ALTER TABLE ... {phrase.upper()} is not modelled")

    def _rename(self, start: int) -> Action:
        if self.take("constraint"):
            name = self.identifier()
            self.expect("to")
            return Action("rename constraint", start, name, self.identifier())
        self.take("column")
        name = self.identifier()
        self.expect("to")
        return Action("rename column", start, name, self.identifier())

    def _add(self, start: int) -> Action:
        if self.at_table_constraint():
            return Action("add constraint", start, constraint=self._named_constraint())
        self.take("column")
        lenient = self.if_not_exists()
        column = self.column()
        return Action("add column", start, column.name, column=column, lenient=lenient)

    def _named_constraint(self) -> Constraint:
        if self.is_word("constraint"):
            name = self.peek()
            if name.kind in ("word", "name") and self.subject is not None:
                self.subject = ("constraint", name.value, self.subject[2])
        return self.table_constraint()

    def _drop(self, start: int) -> Action:
        if self.take("constraint"):
            lenient = self.if_exists()
            name = self.identifier()
            return Action("drop constraint", start, name, lenient=lenient, cascade=self._cascade())
        self.take("column")
        lenient = self.if_exists()
        name = self.identifier()
        return Action("drop column", start, name, lenient=lenient, cascade=self._cascade())

    def _cascade(self) -> bool:
        if self.take("cascade"):
            return True
        self.take("restrict")
        return False

    def _alter_column(self, start: int) -> Action:
        self.take("column")
        name = self.identifier()
        if self.take("set", "default"):
            return Action("set default", start, name, expr=self.expression())
        if (
            self.take("drop", "default")
            or self.take("set", "not", "null")
            or self.take("drop", "not", "null")
        ):
            return Action("alter column", start, name)
        if self.take("drop", "expression") or self.take("drop", "identity"):
            self.if_exists()
            return Action("alter column", start, name)
        if self.take("set", "data", "type") or self.take("type"):
            kind = self.type_name()
            if self.take("collate"):
                self.name()
            using = self.expression() if self.take("using") else None
            return Action("set type", start, name, type=kind, expr=using)
        if self.take("add", "generated"):
            if self.take("by"):
                self.expect("default")
            else:
                self.expect("always")
            self.expect("as", "identity")
            if self.is_symbol("("):
                self.skip_parens()
            return Action("alter column", start, name)
        if self.is_word("set", "reset"):
            self.at += 1
            if self.take("statistics"):
                self.take_symbol("-")
                self.advance()
            elif self.is_word("storage", "compression"):
                self.at += 1
                self.label()
            elif self.is_symbol("("):
                self.skip_parens()
            else:
                self.fail()
            return Action("alter column", start, name)
        raise self.refusal()
