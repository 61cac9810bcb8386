"""Functions that refresh a session: does a new token really replace the old one.

What a function is called tells nothing. One refreshes when it looks up what it is given in the column that new
tokens are stored in, and gives its caller a token; it is tried out (`go/refresh_trial.py`), and what was
stored, dropped and given on each way out is compared. Its callers are tried out too: they must hand the new
token on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reach import Reach, reach
from zuno_audit.facts.go.refresh_trial import MAX_STEPS, OLD, Course, Done, Exit, try_out
from zuno_audit.facts.graphql import name_words
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Package
    from zuno_audit.facts.go.store_statements import Column

WORD = b"efresh"  # what a package about refreshing tokens speaks of somewhere
MAX_CANDIDATES = 24
MAX_LEVELS = 2  # callers of callers
MAX_ALL_STEPS = 30_000  # of all runs together; functions that are not tried for want of them are not known
_ASKED = ("issues", "stores", "returns")
_REFRESHING = frozenset(("refresh", "renew", "rotate"))


def token_refresh(store: FactStore) -> Table:
    """Table `token_refresh`: one row per function of ours that takes a token and gives another one for it.

    Fields: `name`, `issues` yes/no/unknown (it makes a new refresh token), `stores` yes/no/unknown (the new
    token, or what is computed from it, replaces the stored one on every way out), `returns` yes/no/unknown
    (the caller gets the new token, and the callers of the function hand it on).
    """
    finder = _Finder(store)
    rows = sorted(finder.rows(), key=lambda row: row.location)
    return Table("token_refresh", tuple(rows), tuple(finder.files), tuple(finder.problems()))


class _Tried:
    """A function and what became of the tokens when it was tried."""

    def __init__(self, finder: _Finder, declared: Declaration) -> None:
        self.finder, self.declared = finder, declared
        assert isinstance(declared.node, s.FuncDecl)
        self.name = declared.node.name
        self.course: Course = finder.try_out(declared)
        done = [d for x in self.course.exits for path in x.paths for d in path or ()]
        self.found = {d.column for d in done if d.kind == "find" and OLD in d.tokens}
        self.written = {
            (d.column, t) for d in done if d.kind in ("add", "replace") for t in d.tokens if t != OLD
        }

    def row(self, columns: set[Column] | None) -> Entity | None:
        """The row of the function; None when it refreshes nothing.

        `columns` are those that hold tokens; without them, whatever is looked up may be one.
        """
        node, file = self.declared.node, self.declared.file
        is_named = bool(_REFRESHING & set(name_words(self.name)[:1]))
        is_lost = is_named and not self.course.is_complete and self._speaks_of_tokens
        found = self.found if columns is None else self.found & columns
        if not found and not (is_named and (self._shown or self.written)) and not is_lost:
            return None
        if not (self.course.exits or is_lost) or not self.finder.can_run(self.declared):
            return None
        assert isinstance(node, s.FuncDecl)
        place = file.location(node.start, node.start + 4, f"func {self.name}")
        if not self.course.exits:
            lost = Answer(UNKNOWN, f"{self.name} is too large to be followed to its end", (place,))
            return Entity("token_refresh", place, {"name": Answer(self.name), **dict.fromkeys(_ASKED, lost)})
        fields = {
            "name": Answer(self.name),
            "issues": self._issues(place),
            "stores": self._stores(place),
            "returns": self._returns(place),
        }
        return Entity("token_refresh", place, fields)

    @property
    def _speaks_of_tokens(self) -> bool:
        node = self.declared.node
        return self.declared.file.data.find(b"oken", node.start, node.end) >= 0

    @property
    def _shown(self) -> set[object]:
        """The new tokens that the caller gets on some way out."""
        return {t for x in self.course.exits for t in x.may_show if t != OLD}

    @property
    def _refresh_tokens(self) -> set[object]:
        """The new tokens that are stored; where none is, those that are not signed."""
        stored = {t for _, t in self.written}
        return stored or {t for t in self._shown if t not in self.course.signed}

    def _issues(self, place: Location) -> Answer:
        tokens = self._refresh_tokens
        if tokens:
            return Answer(YES, f"{self.name} makes a new token", tuple(self._made(tokens)))
        if self._is_lost(self.course.exits):
            return Answer(UNKNOWN, f"{self.name} cannot be followed to where tokens are made", (place,))
        return Answer(NO, f"{self.name} makes no new refresh token", (place,))

    def _made(self, tokens: Iterable[object]) -> Iterator[Location]:
        for token in sorted(tokens, key=str)[:2]:
            site = self.course.places.get(token)
            if site is not None:
                yield site.file.location(site.start, site.end, "a new token is made here")

    def _stores(self, place: Location) -> Answer:
        missing = [x for x in self.course.exits for path in x.paths if path is None or not self._swaps(path)]
        proof = tuple(
            site.file.location(site.start, site.end, "stores it")
            for column in sorted({c for c, _ in self.written})
            if (site := self.course.places.get(column)) is not None
        )
        if missing and (self._is_lost(missing) or self._is_elsewhere):
            return Answer(
                UNKNOWN, f"{self.name} cannot be followed to where the new token is stored", (place,)
            )
        if (
            missing
            and self.written
            and not any(self._writes(p) is False for x in missing for p in x.paths if p)
        ):
            return Answer(NO, f"{self.name} leaves the old token valid", (place, *proof))
        if missing:
            return Answer(
                NO, f"{self.name} does not store what is computed from the new token", (place, *proof)
            )
        failing = self.finder.try_out(self.declared, fail=True)
        if failing.has_failed and any(x.may_show & self._refresh_tokens for x in failing.exits):
            return Answer(
                NO, f"{self.name} gives the new token also when storing it fails", proof or (place,)
            )
        return Answer(YES, f"{self.name} stores the new token", (place, *proof))

    @staticmethod
    def _writes(path: frozenset[Done]) -> bool:
        return any(d.kind in ("add", "replace") and any(t != OLD for t in d.tokens) for d in path)

    def _swaps(self, path: frozenset[Done]) -> bool:
        """True when a new token is stored on the path where it is looked up, and the old one is no longer good."""
        dropped = {d.column[:2] for d in path if d.kind == "drop"}
        for done in path:
            if any(t != OLD for t in done.tokens) and (not self.found or done.column in self.found):
                if done.kind == "replace" or (done.kind == "add" and done.column[:2] in dropped):
                    return True
        return False

    @property
    def _is_elsewhere(self) -> bool:
        """True when new tokens go into values of keys: who looks there is not known."""
        return any(c[0] != "sql" and c not in self.found for c, _ in self.written)

    @staticmethod
    def _is_lost(exits: Iterable[Exit]) -> bool:
        paths = [path for x in exits for path in x.paths]
        return any(path is None or any(d.kind == "lost" for d in path) for path in paths)

    def keeps_back(self) -> bool:
        """True when a new token is stored on some way out whose caller gets none of the stored ones."""
        stored = {t for _, t in self.written}
        return any(
            not x.may_show & stored and not self._is_lost([x]) and any(self._writes(p) for p in x.paths if p)
            for x in self.course.exits
        )

    def _returns(self, place: Location) -> Answer:
        tokens = self._refresh_tokens
        without = [x for x in self.course.exits if not x.shows & tokens]
        if without:
            if any(x.may_show & tokens and OLD not in x.may_show for x in without):
                return Answer(UNKNOWN, f"{self.name} gives the new token on some of its paths", (place,))
            return Answer(NO, f"{self.name} does not return the new token", (place,))
        for caller in self.finder.callers(self.declared):
            if self.finder.tried(caller).keeps_back() and self.finder.can_run(caller):
                where = caller.file.location(caller.node.start, caller.node.start + 4)
                name = getattr(caller.node, "name", "")
                return Answer(NO, f"{name} does not hand the new token on", (where,))
        return Answer(YES, "the new token is returned", (place,))


class _Finder:
    """Finds the functions to try."""

    def __init__(self, store: FactStore) -> None:
        self.asked: Analysis = store.get(analysis)
        self.reachable: Reach = store.get(reach)
        repository = store.repository
        self.repository = repository
        self.files = repository.grep(WORD, suffix=".go", kinds=frozenset({FileKind.CODE}))
        self._tried: dict[int, _Tried] = {}
        self._steps_left = MAX_ALL_STEPS

    def problems(self) -> Iterator[Problem]:
        """Files that do not parse."""
        for path in self.files:
            file = self.asked.program.file(path)
            if file is not None and file.error_line:
                yield Problem(path, file.error_line, "syntax error")

    def try_out(self, declared: Declaration, *, fail: bool = False) -> Course:
        """The course of one run, given up when all runs together have become too long."""
        steps = min(MAX_STEPS, self._steps_left)
        course = try_out(self.asked, self.reachable, declared, fail=fail, steps=steps)
        self._steps_left -= min(course.steps, steps)
        return course

    def tried(self, declared: Declaration) -> _Tried:
        """The function, tried once."""
        known = self._tried.get(id(declared.node))
        if known is None:
            known = self._tried[id(declared.node)] = _Tried(self, declared)
        return known

    def rows(self) -> Iterator[Entity]:
        """The rows. The likeliest functions are tried first, the others when none of those does it all."""
        seen: list[_Tried] = []
        found: list[Entity] = []
        for likely in self._candidates():
            for declared in likely:
                seen.append(self.tried(declared))
                columns = {column for tried in seen for column, _ in tried.written}
                row = seen[-1].row(columns)
                if row is not None and _is_whole(row):
                    yield row
                    return
            found = self._innermost(seen, columns) or self._innermost(seen, None) if seen else []
        yield from found

    def _innermost(self, seen: list[_Tried], columns: set[Column] | None) -> list[Entity]:
        """The rows of functions, those left out that only lead to another one with a row."""
        rows = [(tried, row) for tried in seen if (row := tried.row(columns)) is not None]
        leading = {id(caller.node) for tried, _ in rows for caller in self.callers(tried.declared)}
        inner = [row for tried, row in rows if id(tried.declared.node) not in leading]
        return inner or [row for _, row in rows]

    def _candidates(self) -> Iterator[list[Declaration]]:
        """Functions that may refresh: by their names, by what they speak of, and those beside."""
        groups: tuple[list[Declaration], ...] = ([], [], [])
        for path in self.files:
            package, file = self.asked.program.package_of(path), self.asked.program.file(path)
            if package is None or file is None or path not in package.files or file.error_line:
                continue
            for function in file.functions():
                rank = 0 if _REFRESHING & set(name_words(function.name)) else 1
                if rank and file.data.find(WORD, function.start, function.end) < 0:
                    rank = 2
                groups[rank].append(Declaration(package, file, function))
        for group in groups:
            likely = (d for d in group if isinstance(d.node, s.FuncDecl) and _may_refresh(d.node))
            yield sorted(islice(likely, MAX_CANDIDATES), key=lambda d: d.node.start - d.node.end)

    def can_run(self, declared: Declaration) -> bool:
        """False for functions that no program of the repository runs, if it has programs."""
        is_library = not self.reachable.packages.mains()
        return is_library or self.reachable.can_run(declared.file.path, declared.node.start) != NO

    def callers(self, declared: Declaration, level: int = 0) -> Iterator[Declaration]:
        """The functions of the same programs that lead to one, as far as they are followed."""
        if level >= MAX_LEVELS or not isinstance(declared.node, s.FuncDecl):
            return
        programs = self._programs(declared.package)
        for caller in self.reachable.callers(declared)[:8]:
            if not isinstance(caller.node, s.FuncDecl) or not programs & self._programs(caller.package):
                continue
            if self.repository.kind(caller.file.path) is FileKind.CODE and _may_refresh(caller.node):
                yield caller
                yield from self.callers(caller, level + 1)

    def _programs(self, package: Package) -> set[str]:
        """The main packages that link the package; one without a name where there are none."""
        packages = self.reachable.packages
        return set(packages.binaries_of(package.folder)) if packages.mains() else {""}


def _may_refresh(node: s.FuncDecl) -> bool:
    """It takes something and gives something."""
    taken = [p for p in node.params if not _is_context(p.type)]
    given = [r for r in node.results if not _is(r.type, "error")]
    answers = any(_is(p.type, "ResponseWriter", "Context", "Ctx") for p in taken)
    return bool(taken and (given or answers))


def _is_whole(row: Entity) -> bool:
    return all(row.get(name).value == YES for name in _ASKED)


def _is(type_: s.Expr | None, *names: str) -> bool:
    """True for a type of one of these names, of whatever package."""
    inner = type_.x if isinstance(type_, s.Star) else type_
    return getattr(inner, "sel", getattr(inner, "name", "")) in names


def _is_context(type_: s.Expr | None) -> bool:
    """True for `context.Context`."""
    return isinstance(type_, s.Selector) and isinstance(type_.x, s.Ident) and type_.x.name == "context"
