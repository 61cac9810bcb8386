"""The fact store: every fact is computed at most once, when somebody asks for it.

A provider is a function `provider(store) -> T`. `store.get(provider)` runs it once. A provider of a *table*
is listed in `facts/catalog.py` under the kind of its entities, so that rules can name it and nothing is
imported before a rule needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeVar, cast

from msgspec.structs import replace

from zuno_audit.facts.catalog import TABLES
from zuno_audit.model.entity import Problem, Table

if TYPE_CHECKING:
    from zuno_audit.facts.semgrep.wanted import SemgrepFile
    from zuno_audit.source.repository import Repository, Seen

T = TypeVar("T")


class FactStore:
    """What is true of one repository, computed on demand.

    `semgrep` are the files of semgrep rules that the audit wants, None when that engine is not to be run. With
    `everything` the tables that can do so look at test, generated and vendored code as if it were ours.
    """

    def __init__(
        self,
        repository: Repository,
        semgrep: tuple[SemgrepFile, ...] | None = None,
        *,
        everything: bool = False,
    ) -> None:
        self.repository = repository
        self.semgrep = semgrep
        self.everything = everything
        self._facts: dict[Callable[[FactStore], Any], Any] = {}
        self._crashes: dict[Callable[[FactStore], Any], Exception] = {}
        self._elsewhere: tuple[Problem, ...] = ()  # problems of tables that another process computed

    def get(self, provider: Callable[[FactStore], T]) -> T:
        """The value of a provider; it runs at most once. A provider that raised raises the same again."""
        if provider in self._crashes:
            raise self._crashes[provider]
        if provider not in self._facts:
            try:
                self._facts[provider] = provider(self)
            except Exception as error:
                self._crashes[provider] = error
                raise
        return cast("T", self._facts[provider])

    def problems(self) -> tuple[Problem, ...]:
        """What the tables computed so far could not read."""
        tables = [fact for fact in self._facts.values() if isinstance(fact, Table)]
        return (*(problem for table in tables for problem in table.problems), *self._elsewhere)

    def adopt(self, problems: tuple[Problem, ...], seen: Seen) -> None:
        """Takes over what the tables of another process could not read, and what it has seen of the repository."""
        self._elsewhere = problems
        self.repository.adopt(seen)

    def table(self, kind: str) -> Table:
        """The table of this kind; files like its own that could not be read are among its problems.

        Raises KeyError when no provider knows the kind.
        """
        module, _, name = TABLES[kind].partition(":")
        provider: Callable[[FactStore], Table] = getattr(import_module(module), name)
        return self.whole(self.get(provider))

    def whole(self, table: Table) -> Table:
        """A table with the files like its own that could not be read among its problems."""
        unread = [p for p in self.repository.unread_like(table.files) if p not in table.problems]
        return replace(table, problems=(*table.problems, *unread)) if unread else table
