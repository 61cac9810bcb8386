"""Signing secrets from the environment: does the program refuse to start without one, or with a short one?

Nothing is inferred from names of functions: the start of each binary that reads the variable is tried out in
the evaluator, once with a long value and then without one and with shorter ones. What the long value reaches
and the other does not, behind the point where they part, is what a refusal keeps from running.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.env import can_run, env_reads
from zuno_audit.facts.go.env_defaults import refuses
from zuno_audit.facts.go.evaluate import Evaluator, Limits, Scope
from zuno_audit.facts.go.library import MODELS, Model
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reach import Reach, reach
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
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
from zuno_audit.facts.go_packages import go_packages
from zuno_audit.facts.secret_values import names_a_secret, words
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.env_read import EnvRead
    from zuno_audit.languages.go.parse import GoFile

_SECRET = re.compile(
    r"(?:^|_)(?:(?:JWT|REFRESH|ACCESS|SESSION|SIGNING|ENCRYPTION|COOKIE|TOKEN|AUTH|APP|HMAC|CSRF|HASH|MASTER)"
    r"_?)+(?:SECRET|KEY|SECRET_KEY|PRIVATE_KEY)(?:_HEX|_BASE64|_B64)?$|^SECRET(?:_KEY)?$",
    re.IGNORECASE,
)
_OF_TOKENS = frozenset(("jwt", "token", "access", "auth", "signing", "hmac"))
_OF_OTHERS = frozenset(("session", "encryption", "cookie", "app", "csrf", "hash", "master"))
_SIGNS = (
    b"/golang-jwt/jwt",
    b"/dgrijalva/jwt-go",
    b"/lestrrat-go/jwx",
    b"go-jose",
    b'"crypto/hmac"',
    b"/paseto",
)
_FOREIGN = re.compile(r"^(?:AWS|GCP|AZURE|GOOGLE|GITHUB|STRIPE|S3|MINIO|TWILIO)_", re.IGNORECASE)
FILLING = "a"  # what the values that are tried are made of: a letter, a hexadecimal digit and a base64 one
LONG = 128
LENGTHS = (31, 15, 7, 1)  # tried in this order until one is refused; 31: a byte less than a 256-bit key
MAX_ROWS = 24
_SERVES = frozenset(("ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS"))
_STEPS = 40_000
_VALIDATES = re.compile(r"Valid|^Struct|^Check|^Verify")
_SERVED = ("secret", "served")  # the memory cell in which a run notes that it has served


def secret_guard_table(store: FactStore) -> Table:
    """Table `secret_guard`: one row per variable with a signing secret and binary that reads it.

    Fields: `name`, `role` (refresh, token or other: what is signed with it, by the words of its name; other, too,
    for what belongs to somebody else: a program that signs nothing hands it on), `binary`, `default` (yes: a
    constant takes the place of a missing value), `refused_when_missing` yes/no/unknown, `minimum_length` (the
    shortest value that is not refused, as far as it was tried; 0 when every length is accepted, None when it is
    not known).
    """
    groups = _groups(store, _is_secret)
    trials = _trials(store, groups)
    for trial in trials.values():
        trial.asks_libraries = True
    rows = [
        _row(trials[binary], name, _role(store, name, binary), binary, reads)
        for (name, binary), reads in groups.items()
    ]
    files = tuple(store.get(analysis).search.files_with(b"package"))
    problems = []
    if len(groups) == MAX_ROWS:
        problems.append(Problem(rows[-1].location.path, 1, "more signing secrets than are tried"))
    return Table("secret_guard", tuple(rows), files, tuple(problems))


def refusals(store: FactStore) -> dict[str, str]:
    """For each secret in the environment, and each variable whose reads do not tell, whether a program that reads it
    refuses to start without it: yes (one of them does), no (none does) or unknown.
    """
    doubtful = {read.name for read in store.get(env_reads) if read.required == UNKNOWN}
    groups = _groups(store, lambda name: name in doubtful or names_a_secret(name))
    trials = _trials(store, groups)
    answers: dict[str, set[str]] = {}
    for name, binary in groups:
        answers.setdefault(name, set()).add(trials[binary].missing(name))
    return {name: next(a for a in (YES, UNKNOWN, NO) if a in found) for name, found in answers.items()}


def refused_defaults(store: FactStore) -> frozenset[str]:
    """Secrets in the environment that every program which reads them refuses to start without: what stands in the code
    in their place is never used.
    """
    groups = _groups(store, names_a_secret)
    trials = _trials(store, groups)
    answers: dict[str, set[str]] = {}
    for name, binary in groups:
        answers.setdefault(name, set()).add(trials[binary].missing(name))
    return frozenset(name for name, found in answers.items() if found == {YES})


def _groups(store: FactStore, is_wanted: Callable[[str], bool]) -> dict[tuple[str, str], list[EnvRead]]:
    """The reads of wanted variables, by variable and binary."""
    asked, reachable = store.get(analysis), store.get(reach)
    groups: dict[tuple[str, str], list[EnvRead]] = {}
    for read in store.get(env_reads):
        if is_wanted(read.name) and can_run(store, read) != NO:
            for binary in _binaries(asked, reachable, read):
                groups.setdefault((read.name, binary), []).append(read)
    return {key: groups[key] for key in sorted(groups)[:MAX_ROWS]}


def _trials(store: FactStore, groups: dict[tuple[str, str], list[EnvRead]]) -> dict[str, _Trial]:
    """A trial of each binary with the variables that it reads."""
    trials: dict[str, _Trial] = {}
    for (name, binary), reads in groups.items():
        trial = trials.setdefault(binary, _Trial(store.get(analysis), binary))
        trial.names.append(name)
        trial.reads += reads
    return trials


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None and _FOREIGN.match(name) is None


def _role(store: FactStore, name: str, binary: str) -> str:
    parts = set(words(name))
    known = _OF_TOKENS | _OF_OTHERS | {"refresh", "secret", "key", "private", "hex", "base", "b", "64"}
    if not parts <= known | set(words(binary)) and not _signs(store, binary):
        return "other"
    if "refresh" in parts:
        return "refresh"
    return "token" if parts & _OF_TOKENS or not parts & _OF_OTHERS else "other"


def _signs(store: FactStore, binary: str) -> bool:
    """Whether a binary links code that signs or checks signatures with a shared secret."""
    packages = store.get(go_packages)
    files = [
        head.path
        for directory in packages.linked.get(binary, ())
        if directory in packages.by_directory
        for head in packages.by_directory[directory].files
    ]
    return any(
        literal in data for path in files if (data := store.repository.read(path)) for literal in _SIGNS
    )


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


def _row(trial: _Trial, name: str, role: str, binary: str, reads: list[EnvRead]) -> Entity:
    first = reads[0]
    places = tuple(read.location for read in reads)
    defaults = tuple(r.location.noted("a hard-coded value takes its place") for r in reads if r.default)
    start = trial.start
    missing = trial.missing(name)
    if missing == NO and defaults:
        why = "a value that is written in the code takes its place"
    elif missing == NO:
        why = "nothing that the program runs at its start refuses an empty one"
    else:
        why = trial.why
    proof = (*(defaults or places), *((start,) if start is not None else ()))
    length = trial.minimum(name, missing)
    fields = {
        "name": Answer(name),
        "role": Answer(role),
        "binary": Answer(binary),
        "default": Answer(YES if defaults else NO, proof=defaults),
        "refused_when_missing": Answer(missing, why if missing != YES else "", proof),
        "minimum_length": Answer(length, trial.why if length is None else _accepts(length, missing), proof),
    }
    return Entity("secret_guard", first.location, fields)


def _accepts(length: int, missing: str) -> str:
    if missing == NO:
        return "not even a missing value is refused"
    return f"a value of {length} characters is not refused" if length else "no length is refused"


def _value_on(file: GoFile, start: int) -> s.ValueSpec | None:
    """The declaration of a variable of the package on the line that starts here."""
    end = file.data.find(b"\n", start)
    specs = (spec for spec in file.specs() if isinstance(spec, s.ValueSpec) and not spec.is_const)
    return next((spec for spec in specs if spec.start < end and start <= spec.end), None)


def _calls_something(expr: s.Expr) -> bool:
    return any(isinstance(node, s.Call) for node in s.walk(expr))


class _Planted(Const):
    """The value of the variable."""

    __slots__ = ()


class _Tracking(Evaluator):
    """Never puts off a call that carries the planted value, a part of it, the name of the variable or what stands in
    the code in its place.
    """

    names: frozenset[str] = frozenset()
    doubtful = False  # what a library says of the value decides whether the program goes on

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.libraries: set[Site] = set()  # calls of libraries that are handed the value
        self._conditions: list[tuple[Site, s.Expr]] = []

    def _if(self, stmt: s.If, scope: Scope, state: State) -> State | None:
        if not self.libraries and stmt.init is None and not _calls_something(stmt.cond):
            return super()._if(stmt, scope, state)
        if not refuses(stmt.body):
            return super()._if(stmt, scope, state)
        self._conditions.append((self._site(stmt.cond, scope), stmt.cond))
        try:
            return super()._if(stmt, scope, state)
        finally:
            self._conditions.pop()

    def eval(self, expr: s.Expr, scope: Scope, state: State) -> Value:
        value = super().eval(expr, scope, state)
        if self._conditions and self.libraries and not self.doubtful:
            where, condition = self._conditions[-1]
            if condition.start <= expr.start and expr.end <= condition.end and scope.frame.file is where.file:
                self.doubtful = any(isinstance(v, Extern) and v.site in self.libraries for v in value)
        return value

    def judges(self, call: Extern, state: State) -> bool:
        """Whether a library is handed the value itself, or is asked to validate something that has it."""
        for v in (v for value in call.args or () for v in value):
            if isinstance(v, Const):
                if isinstance(v.value, str) and v.value and not v.value.strip(FILLING):
                    return True
            elif _VALIDATES.search(call.name) and self._is_carrier(v, state, 0):
                return True
        return False

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
            return isinstance(v.value, str) and (not v.value.strip(FILLING) or v.value in self.names)
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


class _Course(msgspec.Struct, frozen=True):
    """What one run came past: calls that leave the repository, in order, and those among them that serve until
    the program ends; the calls that end the program, and whether it has served before; which variables were
    asked for.
    """

    sites: tuple[tuple[str, int], ...]
    serving: frozenset[tuple[str, int]]
    ends: dict[tuple[str, int], bool]
    asked: frozenset[str]
    is_complete: bool
    is_doubtful: bool


class _Trial:
    """Runs the main function of one binary with different values of the variables `names`."""

    def __init__(self, asked: Analysis, binary: str) -> None:
        self.asked = asked
        self.names: list[str] = []
        self.reads: list[EnvRead] = []
        self.asks_libraries = False  # a check that a library makes leaves it open whether the program refuses
        package = asked.program.package_in(binary)
        self.main: Declaration | None = package.declaration("main") if package is not None else None
        self.start = None
        if self.main is not None:
            node = self.main.node
            self.start = self.main.file.location(node.start, node.start + 9, "the program starts here")
        self.why = "the start of the program cannot be followed to the place that reads it"
        self._ranges: dict[tuple[str, bytes], list[tuple[int, int]]] = {}
        self._courses: dict[tuple[frozenset[str], str | None], _Course] = {}

    def missing(self, name: str) -> str:
        """Whether the program refuses to go on without the variable."""
        if len(self.names) > 1 and self._refuses(frozenset(self.names), None) == NO:
            return NO if name in self._long.asked else UNKNOWN  # not even without all of them
        return self._refuses(frozenset({name}), None)

    def minimum(self, name: str, missing: str) -> int | None:
        """The shortest length that is not refused, as far as it is tried; 0 when a missing value is not."""
        if missing == UNKNOWN:
            return None
        for length in LENGTHS if missing == YES else ():
            answer = self._refuses(frozenset({name}), FILLING * length)
            if answer == UNKNOWN:
                return None
            if answer == YES:
                whole = FILLING * (length // 4 * 4)  # the text of a decoder has so many characters
                if not whole or self._refuses(frozenset({name}), whole) == YES:
                    return length + 1
        return 0

    @property
    def _long(self) -> _Course:
        return self._run(frozenset(), None)

    def _refuses(self, names: frozenset[str], value: str | None) -> str:
        """Whether the program refuses when these variables have this value, and all others a long one."""
        if self.main is None:
            return UNKNOWN
        long = self._long
        if not names & long.asked or not long.is_complete:
            return UNKNOWN
        course = self._run(names, value)
        if not course.is_complete:
            self.why = "the start of the program is larger than is followed"
            return UNKNOWN
        reached = set(course.sites)
        parting = next((i for i, site in enumerate(long.sites) if site not in reached), None)
        if parting is None:
            if long.is_doubtful and self.asks_libraries:
                self.why = "what a library says of the value decides"
                return UNKNOWN
            return NO
        ends = [late for site, late in course.ends.items() if site not in long.ends]
        if ends and all(ends):
            self.why = "it is looked at only when the program has served"
            return NO
        after = [site for site in long.sites[parting:] if not self._is_deferred(site)]
        if not after:
            return UNKNOWN
        if len(after) == 1 and any(site in long.serving for site in long.sites[:parting]):
            return NO  # it has served without the value, and only its end is missing
        return NO if any(site in reached for site in after) else YES

    def _is_deferred(self, site: tuple[str, int]) -> bool:
        """True for a call that stands in a defer statement: it also runs when the function returns early."""
        return self._is_inside(site, b"defer ", s.Defer)

    def _is_inside(self, site: tuple[str, int], word: bytes, kind: type[s.Node]) -> bool:
        path, offset = site
        ranges = self._ranges.get((path, word))
        if ranges is None:
            file = self.asked.program.file(path)
            functions = file.functions_with(word) if file is not None else []
            ranges = [(n.start, n.end) for f in functions for n in s.walk(f) if isinstance(n, kind)]
            self._ranges[path, word] = ranges
        return any(start <= offset < end for start, end in ranges)

    @cached_property
    def _followed(self) -> set[int]:
        """The functions between main and the reads: they are never put off."""
        return set(self._between)

    @cached_property
    def _between(self) -> dict[int, Declaration]:
        """The declarations between the start of the program and the reads, by the ids of their nodes."""
        found: dict[int, Declaration] = {}
        todo = []
        for path, line in sorted({(r.location.path, r.location.line) for r in self.reads}):
            package, file = self.asked.program.package_of(path), self.asked.program.file(path)
            if package is not None and file is not None:
                for match in _lines(file.data, line):
                    around = file.function_at(match.end()) or _value_on(file, match.end())
                    todo += [Declaration(package, file, around)] if around is not None else []
        while todo and len(found) < 200:
            declared = todo.pop()
            if id(declared.node) not in found:
                found[id(declared.node)] = declared
                if isinstance(declared.node, s.FuncDecl):
                    todo += [site.root for site in self.asked.callers(declared)[:20]]
        return found

    def _run(self, names: frozenset[str], value: str | None) -> _Course:
        known = self._courses.get((names, value))
        if known is None:
            known = self._courses[names, value] = self._start(names, value)
        return known

    def _start(self, names: frozenset[str], value: str | None) -> _Course:
        assert self.main is not None
        ev = tracking = _Tracking(
            self.asked.program, self.asked.types, self.asked.effects, limits=Limits(steps=_STEPS)
        )
        ev.names = frozenset([*self.names, *(read.default for read in self.reads if read.default)])
        ev.eager.update(self._followed)
        values = {name: value if name in names else FILLING * LONG for name in self.names}
        asked: set[str] = set()
        ev.models = {**MODELS, **_DECODERS, **_environment(values, asked)}
        sites: dict[tuple[str, int], None] = {}
        serving: set[tuple[str, int]] = set()
        ends: dict[tuple[str, int], bool] = {}

        def watch(ev: Evaluator, call: Extern, state: State) -> None:
            if call.site is not None and not state.dead:
                site = (call.site.file.path, call.site.start)
                sites.setdefault(site)
                if tracking.judges(call, state):
                    tracking.libraries.add(call.site)
                if call.name in _SERVES and not self._is_inside(site, b"go ", s.Go):
                    serving.add(site)
                    state.cells[_SERVED] = (TRUE,)

        def end(call: Extern, state: State) -> None:
            if call.site is not None:
                site = (call.site.file.path, call.site.start)
                served = all(v is TRUE for v in state.cells.get(_SERVED, (FALSE,)))
                ends[site] = ends.get(site, True) and served

        ev.on_extern, ev.on_exit = watch, end
        memory: State | None = State()
        assert memory is not None
        memory.cells[_SERVED] = (FALSE,)
        node = self.main.node
        assert isinstance(node, s.FuncDecl)
        for func in (*self._initial, Func(node, self.main.file, self.main.package)):
            memory = ev.run(func, state=memory) if memory is not None else None
        if memory is not None:
            sites[self.main.file.path, node.end] = None  # it comes to its end
        return _Course(
            tuple(sites), frozenset(serving), ends, frozenset(asked), not ev.exhausted, ev.doubtful
        )

    @cached_property
    def _initial(self) -> list[Func]:
        """What runs before main and leads to the reads: functions called init, and initial values of variables."""
        found: list[Func] = []
        for declared in self._between.values():
            node = declared.node
            if isinstance(node, s.ValueSpec):
                body = s.Block(node.start, node.end, [s.ExprStmt(v.start, v.end, v) for v in node.values])
                node = s.FuncDecl(node.start, node.end, "init", None, [], [], [], None)
                node._body, node.has_body = body, True
                found.insert(0, Func(node, declared.file, declared.package))
            elif isinstance(node, s.FuncDecl) and node.name == "init" and node.receiver is None:
                found.append(Func(node, declared.file, declared.package))
        return found


def _decoded(decode: Callable[[str], bytes]) -> Model:
    """DecodeString of packages base64 and hex: the bytes, or an error."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        given = ev.force(args[0]) if args else ()
        if len(given) != 1 or not isinstance(given[0], Const) or not isinstance(given[0].value, str):
            return None
        try:
            return [(Const(decode(given[0].value), None, site),), NIL]
        except ValueError:
            return [NIL, (Extern("errors", "New", ((Const("illegal data"),),), site=site),)]

    return model


def _base64(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_DECODERS = {("encoding/hex", "DecodeString"): _decoded(bytes.fromhex)}
_DECODERS["encoding/base64", ".DecodeString"] = _decoded(_base64)


def _environment(values: dict[str, str | None], asked: set[str]) -> dict[tuple[str, str], Model]:
    """Models of the functions that read the environment: some variables are known, the others are left
    alone.
    """

    def key_of(args: list[Value], ev: Evaluator) -> str | None:
        key = ev.force(args[0]) if args else ()
        if len(key) == 1 and isinstance(key[0], Const) and key[0].value in values:
            asked.add(key[0].value)
            return str(key[0].value)
        return None

    def getenv(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        key = key_of(args, ev)
        return None if key is None else [(_Planted(values[key] or "", None, site),)]

    def lookup(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        key = key_of(args, ev)
        if key is None:
            return None
        found = values[key] is not None
        return [(_Planted(values[key] or "", None, site),), (TRUE if found else FALSE,)]

    return {("os", "Getenv"): getenv, ("os", "LookupEnv"): lookup, ("syscall", "Getenv"): lookup}
