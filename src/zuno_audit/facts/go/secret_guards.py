"""Signing secrets from the environment: does the program refuse to start without one, or with a short one?

Nothing is inferred from names of functions: the start of each binary that reads the variable is tried out in the
evaluator, once with a long value and then without one and with shorter ones. What the long value reaches and the
other does not, behind the point where they part, is what a refusal keeps from running.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.env import env_reads
from zuno_audit.facts.go.evaluate import Evaluator, Limits
from zuno_audit.facts.go.library import MODELS
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reach import Reach, reach
from zuno_audit.facts.go.values import (
    FALSE,
    TRUE,
    Const,
    Extern,
    Func,
    Lazy,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.env_read import EnvRead

_SECRET = re.compile(r"SECRET|JWT|SIGNING_?KEY|ENCRYPTION_?KEY|HMAC|REFRESH_?KEY|SESSION_?KEY", re.IGNORECASE)
_NO_SECRET = re.compile(r"(?:_FILE|_PATH|_URL|_URI|_NAME|_ID|_TTL|_ISSUER|_ALG\w*|_DURATION|EXPIR\w*)$", re.IGNORECASE)
LONG = 128
LENGTHS = (31, 15, 7, 1)  # tried in this order until one is accepted; 31: a byte less than a 256-bit key
MAX_ROWS = 24
_STEPS = 40_000


def secret_guard_table(store: FactStore) -> Table:
    """Table `secret_guard`: one row per variable with a signing secret and binary that reads it.

    Fields: `name`, `binary`, `default` (yes: a constant takes the place of a missing value), `refused_when_missing`
    yes/no/unknown, `minimum_length` (the shortest value that is not refused, as far as it was tried; 0 when every
    length is accepted, None when it is not known).
    """
    asked, reachable = store.get(analysis), store.get(reach)
    reads = [r for r in store.get(env_reads) if _is_secret(r.name) and r.can_run != NO]
    groups: dict[tuple[str, str], list[EnvRead]] = {}
    for read in reads:
        for binary in _binaries(asked, reachable, read):
            groups.setdefault((read.name, binary), []).append(read)
    rows = [_row(asked, name, binary, found) for (name, binary), found in sorted(groups.items())[:MAX_ROWS]]
    return Table("secret_guard", tuple(rows), tuple(asked.search.files_with(b"package")))


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _NO_SECRET.search(name) is None


def _binaries(asked: Analysis, reachable: Reach, read: EnvRead) -> frozenset[str]:
    file = asked.program.file(read.location.path)
    if file is None:
        return frozenset()
    offset = next((m.start() for m in _lines(file.data, read.location.line)), 0)
    return reachable.binaries(read.location.path, offset + read.location.span.start_column - 1)


def _lines(data: bytes, line: int) -> Iterable[re.Match[bytes]]:
    """The match at the start of a line."""
    for number, match in enumerate(re.finditer(rb"^", data, re.MULTILINE), 1):
        if number == line:
            yield match


def _row(asked: Analysis, name: str, binary: str, reads: list[EnvRead]) -> Entity:
    first = reads[0]
    places = tuple(read.location for read in reads)
    defaults = tuple(r.location.noted("a hard-coded value takes its place") for r in reads if r.default)
    trial = _Trial(asked, name, binary)
    start = trial.start
    missing = trial.missing()
    if missing == NO and defaults:
        why = "a value that is written in the code takes its place"
    elif missing == NO:
        why = "nothing that the program runs at its start refuses an empty one"
    else:
        why = trial.why
    proof = (*(defaults or places), *((start,) if start is not None else ()))
    length = trial.minimum(missing)
    fields = {
        "name": Answer(name),
        "binary": Answer(binary),
        "default": Answer(YES if defaults else NO, proof=defaults),
        "refused_when_missing": Answer(missing, why if missing != YES else "", proof),
        "minimum_length": Answer(length, trial.why if length is None else "", proof),
    }
    return Entity("secret_guard", first.location, fields)


class _Planted(Const):
    """The value of the variable."""

    __slots__ = ()


class _Tracking(Evaluator):
    """Never puts off a call that carries the planted value."""

    planted: str | None = ""

    def _may_postpone(self, func: Func, args: list[Value], state: State) -> bool:
        carried = [*args, func.receiver] if func.receiver is not None else args
        if any(self._carries(value, state, 0) for value in carried):
            return False
        return super()._may_postpone(func, args, state)

    def _carries(self, value: Value, state: State, depth: int) -> bool:
        return any(self._is_carrier(v, state, depth) for v in value)

    def _is_carrier(self, v: Val, state: State, depth: int) -> bool:
        if isinstance(v, _Planted):
            return True
        if isinstance(v, Const):
            return isinstance(v.value, str) and v.value == (self.planted or "")
        if depth > 4:
            return False
        if isinstance(v, Struct):
            return any(self._carries(inner, state, depth + 1) for inner in v.fields.values())
        if isinstance(v, Seq):
            return any(self._carries(inner, state, depth + 1) for inner in v.items)
        if isinstance(v, Pointer):
            known = state.cells.get(v.cell) or self.heap.get(v.cell)
            return known is not None and self._carries(known, state, depth + 1)
        return isinstance(v, Lazy)


@dataclass(frozen=True, slots=True)
class _Course:
    """What one run came past: calls that leave the repository, in order; whether the variable was asked for."""

    sites: tuple[tuple[str, int], ...]
    was_asked: bool
    is_complete: bool


class _Trial:
    """Runs the main function of one binary with different values of one variable."""

    def __init__(self, asked: Analysis, name: str, binary: str) -> None:
        self.asked, self.name = asked, name
        package = asked.program.package_in(binary)
        self.main: Declaration | None = package.declaration("main") if package is not None else None
        self.start = None
        if self.main is not None:
            node = self.main.node
            self.start = self.main.file.location(node.start, node.start + 9, "the program starts here")
        self.why = "the start of the program cannot be followed to the place that reads it"
        self._deferred: dict[str, list[tuple[int, int]]] = {}
        self._followed = self._callers_of_reads()
        self._long = self._run("k" * LONG) if self.main is not None else None

    def missing(self) -> str:
        """Whether the program refuses to go on without the variable."""
        return self._refuses(None)

    def minimum(self, missing: str) -> int | None:
        """The shortest length that is not refused, as far as it is tried."""
        if missing == UNKNOWN:
            return None
        for length in LENGTHS:
            answer = self._refuses("k" * length)
            if answer == UNKNOWN:
                return None
            if answer == YES:
                return length + 1
        return 0

    def _refuses(self, value: str | None) -> str:
        long = self._long
        if long is None or not long.was_asked or not long.is_complete:
            return UNKNOWN
        course = self._run(value)
        if not course.is_complete:
            self.why = "the start of the program is larger than is followed"
            return UNKNOWN
        reached = set(course.sites)
        parting = next((i for i, site in enumerate(long.sites) if site not in reached), None)
        if parting is None:
            return NO
        after = [site for site in long.sites[parting:] if not self._is_deferred(site)]
        if not after:
            return UNKNOWN
        return NO if any(site in reached for site in after) else YES

    def _is_deferred(self, site: tuple[str, int]) -> bool:
        """True for a call that stands in a defer statement: it also runs when the function returns early."""
        path, offset = site
        ranges = self._deferred.get(path)
        if ranges is None:
            file = self.asked.program.file(path)
            functions = file.functions_with(b"defer ") if file is not None else []
            ranges = [(n.start, n.end) for f in functions for n in s.walk(f) if isinstance(n, s.Defer)]
            self._deferred[path] = ranges
        return any(start <= offset < end for start, end in ranges)

    def _callers_of_reads(self) -> set[int]:
        """The functions between main and the reads: they are never put off."""
        found: set[int] = set()
        literal = self.name.encode()
        todo = []
        for path in self.asked.search.files_with(literal):
            package, file = self.asked.program.package_of(path), self.asked.program.file(path)
            if package is not None and file is not None and path in package.files:
                todo += [Declaration(package, file, node) for node in file.functions_with(literal)]
        while todo and len(found) < 200:
            declared = todo.pop()
            if id(declared.node) not in found:
                found.add(id(declared.node))
                todo += [site.root for site in self.asked.search.callers(declared)[:20]
                         if isinstance(site.root.node, s.FuncDecl)]
        return found

    def _run(self, value: str | None) -> _Course:
        assert self.main is not None and isinstance(self.main.node, s.FuncDecl)
        ev = _Tracking(
            self.asked.program, self.asked.types, self.asked.effects, limits=Limits(steps=_STEPS)
        )
        ev.planted = value
        ev.eager.update(self._followed)
        asked: list[bool] = []
        ev.models = {**MODELS, **_environment(self.name, value, asked)}
        sites: dict[tuple[str, int], None] = {}

        def watch(ev: Evaluator, call: Extern, state: State) -> None:
            if call.site is not None and not state.dead:
                sites.setdefault((call.site.file.path, call.site.start))

        ev.on_extern = watch
        ev.run(Func(self.main.node, self.main.file, self.main.package))
        return _Course(tuple(sites), bool(asked), not ev.exhausted)


def _environment(name: str, value: str | None, asked: list[bool]) -> dict[tuple[str, str], object]:
    """Models of the functions that read the environment: one variable is known, the others are left alone."""

    def is_it(args: list[Value], ev: Evaluator) -> bool:
        key = ev.force(args[0]) if args else ()
        found = len(key) == 1 and isinstance(key[0], Const) and key[0].value == name
        if found:
            asked.append(True)
        return found

    def getenv(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
        return [(_Planted(value or "", None, site),)] if is_it(args, ev) else None

    def lookup(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
        if not is_it(args, ev):
            return None
        return [(_Planted(value or "", None, site),), (FALSE if value is None else TRUE,)]

    return {("os", "Getenv"): getenv, ("os", "LookupEnv"): lookup, ("syscall", "Getenv"): lookup}


