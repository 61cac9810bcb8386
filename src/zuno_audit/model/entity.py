"""Facts as plain data: tables of entities whose fields are answers.

A fact provider states what is true of the repository ("this server recovers on every path, here is why")
and never what that means for a rule. Rules quantify over these tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct, field

from zuno_audit.model.location import Location

Scalar = str | int | float | bool | None

YES = "yes"
NO = "no"
UNKNOWN = "unknown"


class Answer(Struct, frozen=True):
    """One field of an entity.

    `value` is text, a number, a bool, a tuple of those, or one of "yes", "no", "unknown"; `None` means that
    it cannot be known. `because` is a clause that explains it and fits behind a colon. `proof` lists the
    places that show it, in the order in which a reader should look. `failed` marks an answer that is
    missing because a file could not be parsed or a limit was hit: it may never count in favour.
    """

    value: Scalar | tuple[Scalar, ...]
    because: str = ""
    proof: tuple[Location, ...] = ()
    failed: bool = False


class LazyFields(Mapping[str, Answer]):
    """The fields of a row: some are known, others are worked out in groups when one of them is asked for."""

    def __init__(
        self, known: dict[str, Answer], later: Mapping[tuple[str, ...], Callable[[], dict[str, Answer]]]
    ) -> None:
        self._known = known
        self._later = {name: work_out for names, work_out in later.items() for name in names}

    def __getitem__(self, name: str) -> Answer:
        if name not in self._known and name in self._later:
            self._known.update(self._later[name]())
        return self._known[name]

    def __contains__(self, name: object) -> bool:
        return name in self._known or name in self._later

    def __iter__(self) -> Iterator[str]:
        yield from dict.fromkeys((*self._known, *self._later))

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Entity(Struct, frozen=True):
    """One thing found in the repository: a server, a client, a variable, a table, a file..."""

    kind: str
    location: Location
    fields: Mapping[str, Answer]

    def get(self, name: str) -> Answer:
        """The answer called `name`. The pseudo-fields `path` and `line` are always there.

        Raises KeyError for a field that the entity's kind does not have.
        """
        if name == "path":
            return Answer(self.location.path)
        if name == "line":
            return Answer(self.location.line)
        return self.fields[name]


class Problem(Struct, frozen=True):
    """Something that kept a provider from seeing all of a file. It turns what it touches into `error`."""

    path: str
    line: int
    message: str


class Table(Struct, frozen=True):
    """All entities of one kind, sorted by location.

    `files` are the paths that were looked at; `problems` the ones that could not be.
    """

    kind: str
    rows: tuple[Entity, ...]
    files: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())
