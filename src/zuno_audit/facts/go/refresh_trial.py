"""Trying out a function that may refresh a session: what becomes of the token that it gets, and of new ones.

The function runs in a world where everything outside the repository succeeds. What its caller gives is the old
token; what random sources, UUIDs and signed tokens give is new. Noted is what is looked up by the old one, what
new ones are written to which column, and which of them the caller gets, on each way out. A second run, in which
writing a new token fails, tells whether the failure is noticed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go.evaluate import Evaluator, Limits
from zuno_audit.facts.go.library import MODELS
from zuno_audit.facts.go.store_statements import Action, Column, redis_actions, sql_actions, sql_of
from zuno_audit.facts.go.values import (
    FALSE,
    Const,
    Extern,
    Func,
    Input,
    Lazy,
    Map,
    MapData,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    Unknown,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO

if TYPE_CHECKING:
    from collections.abc import Callable

    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.evaluation.records import Frame, Scope
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.reach import Reach
    from zuno_audit.facts.go.types import Type

OLD = "old"
OPS = ("done",)  # the cell that holds what was done on the paths so far
MAX_STEPS = (
    8_000  # of one run: a function that refreshes takes some hundred, with the handler around it 2,000
)
MAX_DEPTH = 14

_RANDOM = re.compile(
    r"^(?:crypto/rand|math/rand(?:/v2)?|github\.com/(?:google|gofrs|satori/go\.)/?uuid(?:/v\d+)?|github\.com/satori/go\.uuid"
    r"|github\.com/(?:oklog/ulid(?:/v2)?|rs/xid|segmentio/ksuid|matoous/go-nanoid(?:/v2)?|lithammer/shortuuid(?:/v\d+)?))$"
)
_NEW = re.compile(r"^(?:New|Must|Make|Text$|Int|Uint|Generate|Prime$|Nanoid)")
_NOT_NEW = frozenset(("NewSource", "NewSHA1", "NewMD5", "NewHash", "NewReader", "MustParse"))
_JWT = re.compile(r"jwt|jose|paseto", re.I)
_SIGNS = frozenset(("SignedString", "CompactSerialize", "Serialize", "Sign", "Encrypt", "CompactJWS"))
_ONE_WAY = re.compile(r"^crypto/|golang\.org/x/crypto/|^hash/|blake|murmur|xxhash")
_ERRORS_ALONE = frozenset(
    (
        "Scan",
        "Err",
        "Close",
        "Commit",
        "Rollback",
        "Ping",
        "PingContext",
        "StructScan",
        "Get",
        "GetContext",
        "Wait",
    )
)
_HANDS_OUT = frozenset(
    (
        "Encode",
        "Write",
        "WriteString",
        "JSON",
        "SetCookie",
        "Send",
        "Fprint",
        "Fprintf",
        "Fprintln",
        "String",
        "Render",
    )
)
_PURE = re.compile(
    r"^(?!database/)[a-z]+(?:/[a-z0-9]+)*$|^(?:text|slice|opaque|builtin)$|zap|zerolog|logrus|opentelemetry|prometheus|/grpc|protobuf"
)
_STORES = re.compile(
    r"redis|^database/sql|jackc/pg|sqlx|gorm|mongo-driver|uptrace/bun|go-pg|bbolt|badger|memcache"
)
_READS_REQUEST = re.compile(
    r"^read by .*\.(?:\w*Decode\w*|\w*Unmarshal\w*|\w*Bind\w*|BodyParser|\w*Parse\w*)$"
)
_FIELD_INDEXED = re.compile(rb"[\w.]+\.(\w+)\s*\[")
FINE = Opaque("no error")


class Done(NamedTuple):
    """Something that was done, and with which tokens (new ones by number, the old one as `OLD`)."""

    kind: str
    column: Column
    tokens: frozenset[object]


class Exit(NamedTuple):
    """A way out that gives the caller something.

    `shows` are tokens that the caller gets whichever way led here, `may_show` those that it gets on some; `paths`
    is what was done on each group of paths, None where that is not known.
    """

    shows: frozenset[object]
    may_show: frozenset[object]
    paths: tuple[frozenset[Done] | None, ...]


class Course(NamedTuple):
    """What one run came to. `places` says where new tokens were made and columns written.

    `signed` are the new tokens that are signatures: access tokens, mostly. `has_failed` when a token was not written
    because the run was to fail. `steps` is the work that it took.
    """

    exits: tuple[Exit, ...]
    places: dict[object, Site]
    signed: frozenset[object]
    has_failed: bool
    is_complete: bool
    steps: int


def try_out(
    asked: Analysis, reachable: Reach, declared: Declaration, *, fail: bool = False, steps: int = MAX_STEPS
) -> Course:
    """Runs a function with an old token; with `fail` new tokens cannot be written.

    After `steps` evaluated nodes the run is given up, and the course is not complete.
    """
    world = _World(asked, reachable, fail, Limits(steps=steps, steps_per_call=steps, depth=30))
    node = declared.node
    assert isinstance(node, s.FuncDecl)
    world.results = [world.types.resolve(r.type, declared.file, declared.package) for r in node.results]
    world.on_leave = world.leave
    receiver: Value | None = None
    if node.receiver is not None:
        type_ = world.types.resolve(node.receiver.type, declared.file, declared.package)
        receiver = (Unknown("receiver", type_=type_),)
    func = Func(node, declared.file, declared.package, None, receiver)
    args: list[Value] = [
        (Opaque("context"),) if any(_is_context(v) for v in value) else value for value in world.inputs(func)
    ]
    state = State()
    state.cells[OPS] = (Const(frozenset()),)
    world.simulate(func, args, state)
    return Course(
        tuple(world.exits),
        world.places,
        frozenset(world.signed),
        bool(world.failed),
        not world.exhausted,
        world.steps,
    )


def _is_context(v: Val) -> bool:
    type_ = getattr(v, "type", None)
    return type_ is not None and type_.kind == "extern" and (type_.path, type_.name) == ("context", "Context")


class _World(Evaluator):
    """An evaluator in which the outside succeeds, or fails to write."""

    def __init__(self, asked: Analysis, reachable: Reach, fail: bool, limits: Limits) -> None:
        super().__init__(asked.program, asked.types, asked.effects, lazy=False, limits=limits)
        self.models = {k: v for k, v in MODELS.items() if k not in (("errors", "Is"), ("errors", "As"))}
        self.reachable, self.fail = reachable, fail
        self.results: list[Type | None] = []
        self.exits: list[Exit] = []
        self.places: dict[object, Site] = {}
        self.signed: set[object] = set()
        self._numbers: dict[int, tuple[int, Extern]] = {}  # new tokens by identity
        self._absorbed: dict[object, list[tuple[Val, Value]]] = {}  # what was written into hashes and buffers
        self._filled: tuple[Site, int, Value] | None = None
        self.failed: dict[int, Extern] = {}

    # ---------------------------------------------------------------- the outside

    def is_nil(self, v: Val) -> bool | None:
        if v is FINE:
            return True
        if isinstance(v, Extern) and (v.name in ("Err", "Error") and v.recv is not None):
            return not self._has_failed(v)
        return super().is_nil(v)

    def truth_of(self, v: Val) -> bool | None:
        return True if v is FINE else super().truth_of(v)

    def _has_failed(self, v: Extern) -> bool:
        return id(v) in self.failed or any(
            isinstance(x, Extern) and self._has_failed(x) for x in v.recv or ()
        )

    def _interface_method(self, v: Val, type_: Type, name: str, site: Site) -> Value:
        """Implementations that no program links are left out: they are stand-ins for tests."""
        found = super()._interface_method(v, type_, name, site)
        if len(found) == 1:
            return found
        linked = tuple(
            f
            for f in found
            if isinstance(f, Func) and self.reachable.can_run(f.file.path, f.node.start) != NO
        )
        return linked or found

    def _leave(self, frame: Frame, state: State) -> list[list[Value]]:
        """A function that can succeed does: its ways out with an error are left out."""
        if frame.caller is not None and len(frame.returns) > 1:
            fine = [
                (results, after) for results, after in frame.returns if not self._is_refusal(results, frame)
            ]
            frame.returns = fine or frame.returns
        return super()._leave(frame, state)

    def _is_refusal(self, results: list[Value], frame: Frame) -> bool:
        if not results or not frame.result_types or frame.result_types[-1] is not self.types.basic("error"):
            return False
        error = self.force(results[-1])
        return bool(error) and all(self.is_nil(v) is False for v in error)

    def call(self, expr: s.Call, scope: Scope, state: State, wanted: int = 1) -> list[Value]:
        results = super().call(expr, scope, state, wanted)
        filled, self._filled = self._filled, None
        if filled is not None and filled[0] == self._site(expr, scope) and filled[1] < len(expr.args):
            target = expr.args[filled[1]]
            target = target.x if isinstance(target, s.SliceExpr) else target
            self._assign_to(target, filled[2], scope, state)
        return results

    def _call_one(
        self, v: Val, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        if isinstance(v, Unknown | Input):
            self._note_lost(args, state)
        return super()._call_one(v, args, state, site, spread, wanted)

    def _call_extern(
        self, v: Extern, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        if (v.path, v.name) in (("errors", "Is"), ("errors", "As")) and v.recv is None:
            return [(FALSE,)]
        if spread and args and len(args[-1]) == 1 and isinstance(args[-1][0], Seq):
            args = [*args[:-1], *args[-1][0].items]
        results = super()._call_extern(v, args, state, site, False, wanted)
        if state.dead:
            return results
        made = (
            results[0][0] if results and len(results[0]) == 1 and isinstance(results[0][0], Extern) else None
        )
        self._note_random(v, args, made, site)
        self._absorb(v, args)
        failed = self._stores(v, args, state, site) or self._has_failed(v)
        if made is not None and failed:
            self.failed[id(made)] = made
        error: Value = (Extern("errors", "New", ((Const("failed"),),), site=site),) if failed else (FINE,)
        if len(results) > 1:
            return [*results[:-1], error]
        if made is not None and v.name in _ERRORS_ALONE and v.recv is not None:
            return [error]
        return results

    def _note_random(self, v: Extern, args: list[Value], made: Extern | None, site: Site) -> None:
        fills = {
            ("crypto/rand", "Read"): 0,
            ("math/rand", "Read"): 0,
            ("io", "ReadFull"): 1,
            ("io", "ReadAtLeast"): 1,
        }
        at = fills.get((v.path, v.name)) if v.recv is None else None
        if at == 1 and not any(isinstance(x, Extern) and x.path == "crypto/rand" for x in args[0]):
            at = None
        if at is not None:
            token = Extern("crypto/rand", "bytes", (), site=site)
            self._number(token, site)
            self._filled = (site, at, (token,))
        elif (
            v.name in ("Encode", "EncodeToString", "PutUint64")
            and v.path.startswith("encoding/")
            and len(args) == 2
        ):
            self._filled = (site, 0, (Extern(v.path, v.name, tuple(args[1:]), site=site),))
        elif made is not None and self._is_new(v):
            self._number(made, site)
            if v.name in _SIGNS:
                self.signed.add(len(self._numbers))

    @staticmethod
    def _is_new(v: Extern) -> bool:
        if v.name in _SIGNS and _JWT.search(v.path):
            return True
        return (
            v.recv is None and v.name not in _NOT_NEW and bool(_RANDOM.match(v.path) and _NEW.match(v.name))
        )

    def _number(self, token: Extern, site: Site) -> None:
        number = len(self._numbers) + 1
        self._numbers[id(token)] = (number, token)
        self.places[number] = site

    def _absorb(self, v: Extern, args: list[Value]) -> None:
        """A hash or buffer holds what is written to it."""
        if v.recv is not None and v.name in ("Write", "WriteString", "WriteByte", "Sum") and args:
            for owner in v.recv:
                for value in args:
                    self._absorbed.setdefault(_identity(owner), []).append((owner, value))

    # ---------------------------------------------------------------- what is done

    def _stores(self, v: Extern, args: list[Value], state: State, site: Site) -> bool:
        """Notes what a call does to a store; true when it was to write a new token and fails."""
        if v.name in _HANDS_OUT and OLD in self._carried(v.recv or (args[0] if args else ()), state):
            if not _ONE_WAY.search(v.path):
                self._note(Done("sent", (), self._shown(args, state)), state, site)
        statement = sql_of(args)
        actions: list[Action] | None = []
        if statement is not None:
            actions = sql_actions(*statement)
        elif v.recv is not None and "redis" in v.path:
            actions = redis_actions(v.name, args)
        elif not (_PURE.search(v.path) or _JWT.search(v.path) or _RANDOM.match(v.path)):
            self._note_lost(args, state)
        if actions is None:
            self._note_lost(args, state)
            return False
        failed = False
        for action in actions:
            carried = self._carried(action.value, state) if action.value is not None else frozenset()
            column = action.column
            if action.key is not None and OLD in self._carried(action.key, state):
                column = (*column[:2], "key")  # it is found where the old one led
            is_new = any(t != OLD for t in carried)
            if action.kind in ("add", "replace") and is_new and self.fail:
                failed = True
            elif action.kind == "drop" or carried:
                self._note(Done(action.kind, column, carried), state, site)
        return failed

    def _of(self, args: list[Value], state: State) -> frozenset[object]:
        return frozenset().union(*(self._carried(a, state) for a in args))

    def _note_lost(self, args: list[Value], state: State) -> None:
        carried = self._of(args, state)
        if carried:
            self._note(Done("lost", (), carried), state, None)

    def _note(self, done: Done, state: State, site: Site | None) -> None:
        if site is not None and done.kind in ("add", "replace"):
            self.places.setdefault(done.column, site)
        state.cells[OPS] = tuple(
            Const(v.value | {done}) if isinstance(v, Const) else v for v in state.cells.get(OPS, ())
        )

    def _assign_index(self, lhs: s.Index, value: Value, scope: Scope, state: State) -> None:
        """`m[key] = value` of a map that outlives the call."""
        key = self.eval(lhs.indices[0], scope, state)
        site = self._site(lhs, scope)
        for kind, part, written in (("add", "key", key), ("replace", "value", value)):
            carried = self._carried(written, state)
            if carried and isinstance(lhs.x, s.Selector):
                column = ("map", lhs.x.sel, "key" if OLD in self._carried(key, state) else part)
                self._note(Done(kind, column, carried), state, site)
        super()._assign_index(lhs, value, scope, state)

    def index(self, owner: Value, key: Value, state: State, site: Site) -> tuple[Value, Value]:
        """A look into a map that outlives the call."""
        name = _FIELD_INDEXED.match(site.file.data, site.start, site.end)
        carried = self._carried(key, state) if name is not None else frozenset()
        if name is not None and OLD in carried:
            self._note(Done("find", ("map", name.group(1).decode(), "key"), carried), state, None)
        return super().index(owner, key, state, site)

    def _builtin(self, name: str, expr: s.Call, scope: Scope, state: State) -> Value:
        if name == "delete" and len(expr.args) == 2 and isinstance(expr.args[0], s.Selector):
            carried = self._carried(self.eval(expr.args[1], scope, state), state)
            self._note(Done("drop", ("map", expr.args[0].sel), carried), state, None)
        if name == "append" and len(expr.args) > 1:
            first = self.force(self.eval(expr.args[0], scope, state))
            if first and all(isinstance(v, Extern | Const) for v in first):  # bytes that come from elsewhere
                rest = [self.eval(a, scope, state) for a in expr.args[1:]]
                return (Extern("text", "append", (first, *rest), site=self._site(expr, scope)),)
        return super()._builtin(name, expr, scope, state)

    # ---------------------------------------------------------------- what comes out

    def leave(self, results: list[Value], state: State) -> None:
        """A way out of the function that is tried."""
        if self.frame is None or self.frame.caller is not None:
            return
        given = results
        if self.results and self.results[-1] is self.types.basic("error") and results:
            error = self.force(results[-1])
            if error and all(self.is_nil(v) is False for v in error):
                return
            given = results[:-1]
        shows = frozenset().union(*(self._must(v, state) for v in given))
        may = frozenset().union(*(self._shown([v], state) for v in given))
        paths = tuple(v.value if isinstance(v, Const) else None for v in state.cells.get(OPS, ()))
        sent = [frozenset(t for d in path or () if d.kind == "sent" for t in d.tokens) for path in paths]
        if sent:
            shows |= frozenset.intersection(*sent)
            may = may.union(*sent)
        if may:
            self.exits.append(Exit(shows, may, paths))

    def _carried(self, value: Value, state: State) -> frozenset[object]:
        """The tokens that a value is made of, also where they cannot be told from it any more."""
        return self._tokens(value, state, 0, frozenset.union, hidden=True)

    def _shown(self, values: list[Value], state: State) -> frozenset[object]:
        """The tokens that can be read off some alternative of the values."""
        found = (self._tokens(v, state, 0, frozenset.union, hidden=False) for v in values)
        return frozenset().union(*found)

    def _must(self, value: Value, state: State) -> frozenset[object]:
        """The tokens that can be read off every alternative of a value."""
        return self._tokens(value, state, 0, frozenset.intersection, hidden=False)

    def _tokens(
        self, value: Value, state: State, depth: int, meet: Callable[..., frozenset[object]], *, hidden: bool
    ) -> frozenset[object]:
        if not value or depth > MAX_DEPTH:
            return frozenset()
        return meet(*(self._tokens_of(v, state, depth + 1, meet, hidden=hidden) for v in value))

    def _tokens_of(
        self, v: Val, state: State, depth: int, meet: Callable[..., frozenset[object]], *, hidden: bool
    ) -> frozenset[object]:
        parts: list[Value] = []
        own: frozenset[object] = frozenset()
        match v:
            case Input():
                return frozenset((OLD,))
            case Unknown():
                return frozenset((OLD,)) if _READS_REQUEST.match(v.reason) else own
            case Extern():
                if id(v) in self._numbers:
                    own = frozenset((self._numbers[id(v)][0],))
                if (own or _ONE_WAY.search(v.path)) and not hidden:
                    return own
                if _STORES.search(v.path):
                    return own  # what a store gives is not what it was asked by
                parts = [*(v.args or ()), *([v.recv] if v.recv else [])]
                for owner in v.recv or ():
                    parts += [held for _, held in self._absorbed.get(_identity(owner), ())]
            case Struct():
                parts = list(v.fields.values())
            case Seq():
                parts = list(v.items)
            case Lazy():
                parts = [self.force((v,))]
            case Pointer():
                parts = [self.load(v, state)]
            case Map():
                data = self.read(v.cell, state)
                parts = [x for d in data if isinstance(d, MapData) for x in d.entries.values()]
        return own.union(*(self._tokens(p, state, depth, meet, hidden=hidden) for p in parts))


def _identity(v: Val) -> object:
    return ("cell", v.cell) if isinstance(v, Pointer) else id(v)
