"""Does the SQL that somebody runs create this schema, this table, this index?

Three answers: it does (with the statement), it does not (with the reason why the closest creates nothing), or
a text that could not be followed may do it, which only a person can decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zuno_audit.checks.base import could_not_run, letter, ran, undecided, violation
from zuno_audit.facts.sql import Database, database
from zuno_audit.facts.sql_runs import postgres_services
from zuno_audit.model.entity import NO, UNKNOWN, YES, Entity
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.model.finding import Finding
    from zuno_audit.model.rule_run import RuleRun


def schema_created(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """The schema `schema` exists."""
    known = store.get(database)
    name = arguments["schema"]
    rows = [row for row in known.table("db_schema").rows if row.get("name").value == name]
    return _Question(store, known, f"schema {name}", (name,)).answer(rows)


def table_created(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """The table `table` exists, in the schema `schema` if there is one of that name.

    Where no statement makes the schema, a table elsewhere is what its own rule reports and here only a note,
    unless `strict` is `yes`.
    """
    known = store.get(database)
    name, schema = arguments["table"], arguments["schema"]
    rows = [row for row in known.table("db_table").rows if row.get("name").value == name]
    question = _Question(store, known, f"table {schema}.{name}", (name,))
    inside = [row for row in rows if row.get("schema").value == schema]
    has_schema = any(row.get("name").value == schema for row in known.table("db_schema").rows)
    if arguments["strict"] == YES or has_schema or any(row.get("created").value != NO for row in inside):
        return question.answer(inside, [row for row in rows if row not in inside])
    notes = []
    best = next((row for row in rows if row.get("created").value == YES), None)
    if best is not None:
        where = best.get("schema").value
        notes.append(letter(f"{name} is created in schema {where}, not in {schema}.", best.location))
    return question.answer(rows, notes=notes)


def index_created(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """An index on `table` exists: the one named `index`, or another that does the same.

    `columns` are the keys (alternatives for one key with `|`); `method`, `unique` and `time_series` narrow
    further when they are not empty. A unique one has exactly these keys, another begins with them.
    """
    known = store.get(database)
    wanted = _Wanted(arguments)
    rows = [row for row in known.table("db_index").rows if wanted.concerns(row)]
    fitting = [row for row in rows if wanted.fits(row)]
    notes = []
    made = next((row for row in fitting if row.get("created").value == YES), None)
    if (
        made is not None
        and wanted.name
        and not any(wanted.is_named(r) for r in fitting if r.get("created").value == YES)
    ):
        message = (
            f"The index on {made.get('table').value} is called {made.get('name').value}, not {wanted.name}."
        )
        notes.append(letter(message, made.location))
    others = [row for row in rows if row not in fitting]
    words = tuple(word for word in (wanted.name, wanted.method if not wanted.name else "") if word)
    question = _Question(store, known, wanted.what, words)
    return question.answer(fitting, others, notes=notes, misfit=wanted.misfit)


class _Wanted:
    """The index that is asked for."""

    def __init__(self, arguments: Mapping[str, str]) -> None:
        self.table = arguments["table"]
        self.name = arguments["index"]
        self.method = arguments["method"]
        self.unique = arguments["unique"] == YES
        self.time_series = arguments["time_series"] == YES
        self.keys = [key.strip().split("|") for key in arguments["columns"].split(",") if key.strip()]
        kind = "unique index" if self.unique else f"{self.method} index".strip()
        self.what = " ".join(
            part for part in (kind, self.name, f"on {self.table}" if self.table else "") if part
        )

    def is_named(self, row: Entity) -> bool:
        return bool(self.name) and row.get("name").value == self.name

    def concerns(self, row: Entity) -> bool:
        """True for an index that is meant to be the wanted one."""
        if self.table and row.get("table").value not in (self.table, None):
            return False
        if self.is_named(row) and row.get("table").value is not None:
            return True
        return self._covers(row) and (not self.method or row.get("method").value == self.method)

    def fits(self, row: Entity) -> bool:
        """True for an index that does what is wanted, if it is created."""
        return not self.misfit(row)

    def misfit(self, row: Entity) -> str:
        """Why an index does not do what is wanted; empty when it does or is not created anyway."""
        if row.get("created").value == NO:
            return ""
        if self.method and row.get("method").value != self.method:
            return f"it is a {row.get('method').value} index"
        if self.unique and row.get("unique").value != YES:
            return "it is not unique"
        if self.unique and row.get("partial").value == YES:
            return "it is unique for some of the rows only"
        if not self.is_named(row) and row.get("partial").value == YES:
            return "it holds some of the rows only"
        if not self._covers(row):
            columns = row.get("columns").value
            known = ", ".join(map(str, columns)) if isinstance(columns, tuple) else ""
            return f"its keys are {known or 'expressions'}"
        if self.time_series and row.get("time_series").value != YES:
            return "none of its keys is a date or a timestamp"
        return ""

    def _covers(self, row: Entity) -> bool:
        columns = row.get("columns").value
        if not self.keys:
            return not self.name or self.is_named(row)
        if not isinstance(columns, tuple) or (self.unique and len(columns) != len(self.keys)):
            return False
        first = set(columns[: len(self.keys)])
        return len(first) == len(self.keys) and all(first & set(key) for key in self.keys)


class _Question:
    """One thing that has to exist, and how to say so."""

    def __init__(self, store: FactStore, known: Database, what: str, words: Sequence[str]) -> None:
        self.store = store
        self.known = known
        self.what = what
        self.words = words

    def answer(
        self,
        rows: Sequence[Entity],
        others: Sequence[Entity] = (),
        *,
        notes: Sequence[Finding] = (),
        misfit: object = None,
    ) -> RuleRun:
        """Pass on a row that is created; else say why the closest creates nothing, or that it may."""
        scope = max(1, len(rows) + len(others))
        made = [row for row in rows if row.get("created").value == YES]
        if self.known.problems:
            problem = self.known.problems[0]
            return could_not_run(f"{problem.path}:{problem.line}: {problem.message}", scope_size=scope)
        if made:
            where = made[0].location
            who = made[0].get("run_by").value
            reason = f"{self.what} is created by {where.path}:{where.line}, which {who} runs"
            return ran(reason, scope, findings=notes, evidence=made[0].get("created").proof)
        doubtful = [row for row in rows if row.get("created").value == UNKNOWN]
        if doubtful:
            return self._undecided(doubtful[0].get("created").because, doubtful[0].location, scope)
        for text in self.known.unseen:
            if text.text == "*" or any(self._mentions(text.text, word) for word in self.words):
                return self._undecided(text.why, text.location, scope)
        return self._missing(rows, others, scope, misfit)

    @staticmethod
    def _mentions(text: str, word: str) -> bool:
        return re.search(rf"(?<![\w$]){re.escape(word)}(?![\w$])", text, re.IGNORECASE) is not None

    def _undecided(self, why: str, where: Location, scope: int) -> RuleRun:
        message = f"Whether {self.what} is created cannot be told: {why}."
        return ran(f"{self.what}: {why}", scope, findings=[undecided(message, where)])

    def _missing(
        self, rows: Sequence[Entity], others: Sequence[Entity], scope: int, misfit: object
    ) -> RuleRun:
        if rows:
            created = rows[0].get("created")
            message = f"{self.what} is written here, but {created.because}."
            return self._fails(message, rows[0].location, scope, created.proof)
        if others:
            reason = misfit(others[0]) if callable(misfit) else ""
            reason = reason or f"it is in schema {others[0].get('schema').value or 'public'}"
            message = (
                f"{self.what} is not created: the closest is {others[0].get('name').value}, but {reason}."
            )
            return self._fails(message, others[0].location, scope, (others[0].location,))
        message = f"{self.what} is not created by any of {len(self.known.files)} SQL files."
        return self._fails(message, self._expected(), scope, ())

    def _fails(self, message: str, where: Location, scope: int, flow: Sequence[Location]) -> RuleRun:
        return ran(message.rstrip("."), scope, findings=[violation(message, where, flow)], evidence=[where])

    def _expected(self) -> Location:
        services = self.store.get(postgres_services)
        if services:
            return services[0].service.location
        return at_line(self.known.files[0] if self.known.files else ".")
