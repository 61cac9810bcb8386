"""Trying out one decoder: what it returns for a log that is made up, in one `Case` of `ethereum_library`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from zuno_audit.facts.go.big_library import BIG, big_value
from zuno_audit.facts.go.ethereum_library import (
    ABI,
    ADDRESS,
    BIND,
    COMMON,
    MANY,
    TYPES,
    Case,
    Decoding,
    World,
    frames_of,
)
from zuno_audit.facts.go.evaluate import Evaluator, Limits, Scope
from zuno_audit.facts.go.values import (
    Cell,
    Const,
    Extern,
    Func,
    Input,
    Map,
    MapData,
    Nil,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    Unknown,
    Val,
    Value,
    Zero,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.types import Type

LIMITS = Limits(steps=40_000)
_DEEP = 1_000  # values that are looked at inside one result, with few elements
_WORDS = 2**63


class Exit(NamedTuple):
    """One way out of a decoder: its results and memory then."""

    results: list[Value]
    state: State


class Outcome(msgspec.Struct):
    """What a decoder did in one case."""

    exits: list[Exit] = msgspec.field(default_factory=list)
    panics: int = 0
    unchecked: list[Site] = msgspec.field(default_factory=list)  # assertions and indices that panicked
    exhausted: bool = False
    broken: str = ""
    known: frozenset[Cell] = frozenset()  # memory that was there before


class Context(NamedTuple):
    """The receiver and the parameters that a decoder is tried with, where they are known."""

    receiver: Value | None
    args: dict[int, Value]
    state: State


class Trial(Evaluator):
    """An evaluator in a `World`. It notes slices of the data, failed assertions and looks at the error."""

    def __init__(self, base: Evaluator, world: World, planter: Planter, limits: Limits) -> None:
        super().__init__(base.program, base.types, base.effects, lazy=False, limits=limits)
        self.heap, self._cells, self.consulted = base.heap, base._cells, base.consulted
        self.world, self.planter = world, planter
        self.models = world.models()
        self.awaits_goroutines = True
        self.arrays_matter = world.case is not Case.MANY  # that shows with few elements, too
        self._event_type = self.types.extern(ABI, "Event")
        self.unchecked: list[Site] = []
        self.handed: list[Value] = []  # what is given away: arguments of code that is not followed, sends
        self.bounded: set[Site] = set()  # slices of the data that were compared with something
        self.unbounded: list[Site] = []  # allocations of a length that the data alone decides
        self.watching = True
        if world.case is Case.MANY:
            self.comparisons = []

    @property
    def deep(self) -> range:
        """One step for every value that is looked at inside one result."""
        return range(_DEEP + 8 * (MANY if self.world.case is Case.MANY else 0))

    def limits_seen(self) -> list[int]:
        """Possible limits of the long arrays: the largest number in each comparison that has one above their length."""
        largest: dict[Site, int] = {}
        for c in self.comparisons or ():
            pair = [n for n in (c.x.value, c.y.value) if type(n) in (int, float) and n == int(n)]
            if len(pair) == 2 and self.world.many < max(pair) < _WORDS:
                largest[c.site] = max(largest.get(c.site, 0), int(max(pair)))
        return sorted(set(largest.values()), reverse=True)

    def zero(self, type_: Type | None) -> Value:
        if type_ is not None and type_ is self.types.extern(
            ABI, "Event"
        ):  # what a map without the event gives
            arguments = Seq((), False, self.types.extern(ABI, "Arguments"))
            empty = Const("0x" + "0" * 64, self.types.extern(COMMON, "Hash"))
            return (Struct(type_, {"Inputs": (arguments,), "Name": (Const(""),), "ID": (empty,)}),)
        return super().zero(type_)

    def is_nil(self, v: Val) -> bool | None:
        if self.watching:
            self.world.look_at(v)
        return super().is_nil(v)

    def _call_extern(
        self, v: Extern, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        if v.path == "errors" and v.name in ("Is", "As") and self.watching:
            for v_ in (x for value in args for x in value):
                self.world.look_at(v_)
        if v.name in _WORD_READERS and any(
            self.world.part_of(x) == "whole" for value in args for x in self.force(value)
        ):
            self._note_slice(site)
        return super()._call_extern(v, args, state, site, spread, wanted)

    def _builtin(self, name: str, expr: s.Call, scope: Scope, state: State) -> Value:
        if name == "copy" and len(expr.args) == 2 and _is_plain(expr.args[1]):
            self._copy_data(expr, scope, state)
        elif name == "append" and len(expr.args) == 2 and expr.ellipsis and _is_plain(expr.args[1]):
            base, data = (self.force(self.eval(a, scope, state)) for a in expr.args)
            if all(isinstance(v, Nil) or (isinstance(v, Seq) and not v.items) for v in base):
                if data and all(self.world.part_of(v) for v in data):
                    return data
        elif name == "make":
            type_ = self.types.resolve(expr.args[0], scope.frame.file, scope.frame.package, scope)
            logs = self._channel_of_logs(type_, state)
            if logs is not None:
                return (logs,)
            self._note_allocation(expr, scope, state)
        return super()._builtin(name, expr, scope, state)

    def _copy_data(self, expr: s.Call, scope: Scope, state: State) -> None:
        """`copy(buffer, log.Data)`: the buffer is the data from now on."""
        data = self.force(self.eval(expr.args[1], scope, state))
        target = self._address(expr.args[0], scope, state)
        if target is not None and data and all(self.world.part_of(v) for v in data):
            self.store(target.cell, target.path, data, state)

    def _select_one(
        self, v: Val, name: str, state: State, site: Site, expr: s.Expr | None, scope: Scope | None
    ) -> Value:
        if isinstance(v, Input | Unknown | Extern):
            if name == "Logs" and site.file.data.find(TYPES.encode()) >= 0:  # of a receipt
                log_type = self.types.pointer(self.types.extern(TYPES, "Log"))
                log = self.planter.log_value(self, log_type, state)
                if log is not None:
                    return (Seq((log,), True, self.types.slice(log_type)),)
            type_ = getattr(v, "type", None)
            log = self.planter.log_value(self, type_, state) if type_ is not None else None
            if log is not None:
                return self.select(log, name, state, site)
        return super()._select_one(v, name, state, site, expr, scope)

    def _interface_method(self, v: Val, type_: Type, name: str, site: Site) -> Value:
        """A method of an interface that gives logs gives those that are made up."""
        under = self.types.underlying(type_)
        signature = self.types.interface_methods(type_).get(name)
        if under is None or signature is None or under.file is None or under.package is None:
            return super()._interface_method(v, type_, name, site)
        results = [self.types.resolve(r.type, under.file, under.package) for r in signature.results]

        def give(ev: Evaluator, args: list[Value], state: State) -> list[Value]:
            planted = [self.planter.planted(self, r, state) for r in results]
            return [p or (Input(f"result of {name}", r, (name, i)),)
                    for i, (p, r) in enumerate(zip(planted, results, strict=True))]  # fmt: skip

        if any(self.planter.is_planted(r) for r in results):
            return (Opaque(f"method {name}", on_call=give),)
        return super()._interface_method(v, type_, name, site)

    def _channel_of_logs(self, type_: Type | None, state: State) -> Seq | None:
        """What comes out of a channel of logs."""
        if type_ is None or type_.kind != "chan" or type_.elem is None:
            return None
        log = self.planter.log_value(self, type_.elem, state)
        return None if log is None else Seq((log,), False, type_)

    def _receive(self, value: Value, state: State, site: Site) -> Value:
        for v in self.force(value):
            if isinstance(v, Seq) and v.items:
                return v.items[0]
            logs = self._channel_of_logs(getattr(v, "type", None), state)
            if logs is not None:
                return logs.items[0]
        return super()._receive(value, state, site)

    def _call_one(
        self, v: Val, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        if isinstance(v, Input | Unknown) or (
            isinstance(v, Extern)
            and (v.path, v.name) not in self.models
            and (v.path, "." + v.name) not in self.models
        ):
            self._hand_over(args)
        return super()._call_one(v, args, state, site, spread, wanted)

    def _send(self, stmt: s.Send, scope: Scope, state: State) -> State | None:
        self._hand_over([self.eval(stmt.value, scope, state)])
        return super()._send(stmt, scope, state)

    def _hand_over(self, values: list[Value]) -> None:
        if any(d.method for d in self.world.decodings):
            self.handed += values

    def _combine_two(self, op: str, x: Val, y: Val, site: Site) -> Val:
        if op in _ORDER:
            for v in (x, y):
                self.bounded |= self.world.slices_in(v)
        return super()._combine_two(op, x, y, site)

    def _equal(self, x: Val, y: Val) -> bool | None:
        for one, other in ((x, y), (y, x)):
            if isinstance(one, Const) and _is_topic(other):
                self.world.compare_topic(one.value)
        return super()._equal(x, y)

    def _note_allocation(self, expr: s.Call, scope: Scope, state: State) -> None:
        """`make([]T, n)` with n read out of the data and not compared with anything before."""
        for size in expr.args[1:]:
            for v in self.force(self.eval(size, scope, state)):
                slices = self.world.slices_in(v) if self.world.part_of(v) == "part" else frozenset()
                if slices and not slices & self.bounded:
                    self.unbounded.append(self._site(expr, scope))

    def _note_slice(self, site: Site) -> None:
        self.world.decodings.append(Decoding(site, frames_of(self), "", None, None, True))

    def _slice(self, expr: s.SliceExpr, scope: Scope, state: State) -> Value:
        owner = self.force(self.eval(expr.x, scope, state))
        if not owner or not all(self.world.part_of(v) for v in owner):
            return super()._slice(expr, scope, state)
        for bound in (expr.low, expr.high):
            if bound is not None:
                self.eval(bound, scope, state)
        site = self._site(expr, scope)
        made = tuple(Extern("slice", "slice", ((v,),), recv=(v,), site=site) for v in owner)
        if any(self.world.part_of(v) == "part" for v in made):
            self._note_slice(site)
        return made

    def _type_assert(self, expr: s.TypeAssert, scope: Scope, state: State) -> Value:
        value, ok = self._assert_type(expr, scope, state)
        if ok and all(self.truth_of(v) is False for v in ok):
            self._give_up(expr, scope, state)
        return value

    def index(self, owner: Value, key: Value, state: State, site: Site) -> tuple[Value, Value]:
        value, ok = super().index(owner, key, state, site)
        events = [v for v in value if isinstance(v, Struct) and v.type is self._event_type]
        if len(events) > 1:
            return self.world.any_of(self, tuple(events)), ok
        return value, ok

    def _index(self, expr: s.Index, scope: Scope, state: State) -> Value:
        value = super()._index(expr, scope, state)
        if len(value) == 1 and isinstance(value[0], Unknown) and value[0].reason == "element of a slice":
            at = self._constant(expr.indices[0], None, scope, state)
            owners = self.force(self.eval(expr.x, scope, state))
            if isinstance(at, int) and all(_is_beyond(o, at) for o in owners):
                self._give_up(expr, scope, state)
        return value

    def _assign_index(self, lhs: s.Index, value: Value, scope: Scope, state: State) -> None:
        at = self._constant(lhs.indices[0], None, scope, state)
        owners = self.force(self.eval(lhs.x, scope, state)) if isinstance(at, int) else ()
        if isinstance(at, int) and owners and all(_is_beyond(o, at) for o in owners):
            self._give_up(lhs, scope, state)
        else:
            super()._assign_index(lhs, value, scope, state)

    @staticmethod
    def _with_item(seq: Seq, at: Any, value: Value) -> Val:
        if seq.open and not (isinstance(at, int) and at < len(seq.items)):
            return Seq((union(seq.items[0], value) if seq.items else value,), True, seq.type, seq.site)
        return Evaluator._with_item(seq, at, value)

    def _give_up(self, expr: s.Expr, scope: Scope, state: State) -> None:
        """What Go does here is a panic (specification, "Run-time panics")."""
        site = self._site(expr, scope)
        self.unchecked.append(site)
        self.raise_panic((Unknown("run-time panic", site),), state)


class LowerLimit(Trial):
    """A trial in which one number of the program is a little less than the length of the long arrays."""

    def __init__(self, base: Evaluator, world: World, planter: Planter, limits: Limits, limit: int) -> None:
        super().__init__(base, world, planter, limits)
        self._limit = limit

    def eval(self, expr: s.Expr, scope: Scope, state: State) -> Value:
        value = super().eval(expr, scope, state)
        if len(value) == 1 and isinstance(value[0], Const):
            v = value[0]
            if type(v.value) in (int, float) and v.value == self._limit:
                # a count that goes down is compared after its first step
                low = type(v.value)(self.world.many - 2)
                return (Const(low, v.type, v.site),)
        return value


# Functions and methods that take bytes, or their hexadecimal text, for one or several words.
_ORDER = frozenset(("<", "<=", ">", ">="))
_WORD_READERS = frozenset(
    ["NewReader", "NewBuffer", "Read", "SetBytes", "SetBytes32", "SetString", "BytesToHash", "BytesToAddress",
     "Uint64", "Uint32", "Uint16", "DecodeBig", "MustDecodeBig", "DecodeUint64", "MustDecodeUint64", "ParseInt",
     "ParseUint", "HexToHash", "HexToAddress"]
)  # fmt: skip


def _is_topic(v: Val) -> bool:
    """The topic of a log that may be of any event, or its text."""
    if isinstance(v, Extern) and v.recv is not None and len(v.recv) == 1 and v.name in ("Hex", "String"):
        v = v.recv[0]
    return isinstance(v, Opaque) and v.label == "topic"


def _is_plain(expr: s.Expr) -> bool:
    """Whether an expression can be evaluated twice."""
    return not any(isinstance(node, s.Call) for node in s.walk(expr))


def _is_beyond(v: Val, at: int) -> bool:
    """Whether an index is out of range."""
    return isinstance(v, Nil) or (isinstance(v, Seq) and not v.open and at >= len(v.items))


class Planter:
    """Makes the arguments of a decoder."""

    def __init__(self, base: Evaluator, log_types: frozenset[Type]) -> None:
        self.base, self.log_types = base, log_types

    def argument(
        self, trial: Trial, param: s.Param, type_: Type | None, default: Value, state: State
    ) -> Value:
        """A log, its parts or an ABI where the type says so, else what the caller decides."""
        world, types = trial.world, trial.types
        if type_ is None:
            return default
        if type_.kind == "pointer" and type_.elem is not None:
            inner = self._special(trial, type_.elem, state)
            return default if inner is None else (trial.allocate((inner,), state),)
        if type_.kind == "slice" and type_.elem is not None:
            if type_.elem is types.basic("byte") or type_.elem is types.basic("uint8"):
                return (world.data,)
            if type_.elem is types.extern(COMMON, "Hash"):
                return (self._topics(trial, type_),)
            elem = type_.elem.elem if type_.elem.kind == "pointer" else type_.elem
            inner = self._special(trial, elem, state) if elem is not None else None
            if inner is not None:
                item: Value = (trial.allocate((inner,), state),) if type_.elem.kind == "pointer" else (inner,)
                return (Seq((item,), False, type_),)
            return default
        if type_ is types.basic("string") and (param.name or "").lower() in ("data", "rawdata", "logdata"):
            return (world.data,)
        inner = self._special(trial, type_, state)
        return default if inner is None else (inner,)

    def log_value(self, trial: Trial, type_: Type, state: State) -> Value | None:
        """A log of this type, or a pointer to one; None for other types."""
        inner = type_.elem if type_.kind == "pointer" else type_
        if inner is None or inner not in self.log_types:
            return None
        log = self.log(trial, inner)
        return (trial.allocate((log,), state),) if type_.kind == "pointer" else (log,)

    def is_planted(self, type_: Type | None) -> bool:
        """Whether values of this type are logs."""
        if type_ is None:
            return False
        return type_ in self.log_types or (type_.kind in ("pointer", "slice") and self.is_planted(type_.elem))

    def planted(self, trial: Trial, type_: Type | None, state: State) -> Value | None:
        """A log, a pointer to one, or a slice of them; None for other types."""
        if type_ is None or not self.is_planted(type_):
            return None
        if type_.kind == "slice" and type_.elem is not None:
            log = self.log_value(trial, type_.elem, state)
            return None if log is None else (Seq((log,), False, type_),)
        return self.log_value(trial, type_, state)

    def _special(self, trial: Trial, type_: Type, state: State) -> Val | None:
        if type_ in self.log_types:
            return self.log(trial, type_)
        if type_ is trial.types.extern(ABI, "ABI"):
            return trial.world.abi_value(trial, trial.world.fallback, state, False)
        if any(type_ is trial.types.extern(path, "BoundContract") for path in BIND):
            inner = trial.world.abi_value(trial, trial.world.fallback, state, False)
            return Struct(type_, {"(abi)": (inner,)})
        event = trial.world.topic
        if type_ is trial.types.extern(ABI, "Event") and event is not None:
            return trial.world._event_value(trial, event, False)
        return None

    def _topics(self, trial: Trial, type_: Type | None) -> Seq:
        elem = type_.elem if type_ is not None else None
        hash_type = elem if elem is not None and elem.kind == "extern" else None
        topic = trial.world.topic
        first: Val = Opaque("topic", elem) if topic is None else Const(topic.topic, hash_type)
        rest = tuple((Const("0x" + ADDRESS, hash_type),) for _ in range(3))
        return Seq(((first,), *rest), False, type_)

    def log(self, trial: Trial, type_: Type) -> Struct:
        """A log with this type: four topics and data."""
        topics = trial.types.field_type(type_, "Topics")
        if type_.kind == "extern":
            topics = trial.types.slice(trial.types.extern(COMMON, "Hash"))
        fields: dict[str, Value] = {"Topics": (self._topics(trial, topics),), "Data": (trial.world.data,)}
        for other in trial.types.fields(type_):
            if other.name not in fields:
                found = trial.types.field_type(type_, other.name)
                fields[other.name] = (Input(f"log.{other.name}", found, ("log", other.name)),)
        return Struct(type_, fields)


def try_out(
    base: Evaluator,
    planter: Planter,
    world: World,
    root: Declaration,
    context: Context,
    watch: Callable[[Func, list[Value], State, Site], None] | None = None,
    limits: Limits = LIMITS,
    lowered: int | None = None,
) -> tuple[Outcome, Trial]:
    """Runs a decoder in a world; `watch` is told of every call inside the repository.

    The number `lowered` of the program is less than it is, so that the arrays are longer.
    """
    trial = (
        Trial(base, world, planter, limits)
        if lowered is None
        else LowerLimit(base, world, planter, limits, lowered)
    )
    trial.on_func = watch
    outcome = Outcome()
    node = root.node
    assert isinstance(node, s.FuncDecl)
    state = context.state.fork()
    func = Func(node, root.file, root.package, receiver=context.receiver)
    args: list[Value] = []
    for i, (param, default) in enumerate(zip(node.params, trial.inputs(func), strict=True)):
        known = context.args.get(i)
        type_ = trial.types.resolve(param.type, root.file, root.package)
        if param.variadic and type_ is not None:
            type_ = trial.types.slice(type_)
        args.append(known if known is not None else planter.argument(trial, param, type_, default, state))
    if node.receiver is not None and context.receiver is None:
        receiver_type = trial.types.resolve(node.receiver.type, root.file, root.package)
        func = Func(
            node, root.file, root.package, receiver=planted_receiver(trial, planter, receiver_type, state)
        )
    outcome.known = frozenset(state.cells)
    trial.on_leave = lambda results, after: outcome.exits.append(Exit(results, after))
    trial.simulate(func, args, state)
    trial.watching = False
    outcome.panics = len(trial.uncaught)
    outcome.unchecked = trial.unchecked
    outcome.exhausted = trial.exhausted
    return outcome, trial


def planted_receiver(trial: Trial, planter: Planter, type_: Type | None, state: State) -> Value:
    """A receiver whose fields come from outside, its ABIs being what an unknown ABI is taken for."""
    base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
    if base is None:
        return (Input("receiver", type_, ("receiver",)),)
    fields: dict[str, Value] = {}
    for one in trial.types.fields(base):
        found = trial.types.field_type(base, one.name)
        inner = found.elem if found is not None and found.kind == "pointer" else found
        special = (
            planter._special(trial, inner, state)
            if inner is not None and inner not in planter.log_types
            else None
        )
        if special is not None and found is not None:
            fields[one.name] = (trial.allocate((special,), state),) if found.kind == "pointer" else (special,)
        else:
            fields[one.name] = (Input(f"receiver.{one.name}", found, ("receiver", one.name)),)
    made = Struct(base, fields)
    return (trial.allocate((made,), state),) if type_ is not None and type_.kind == "pointer" else (made,)


# ---------------------------------------------------------------- results


class Found(NamedTuple):
    """A sequence inside a result, and the names that lead to it, innermost last.

    Those of one `place` are what may stand there, depending on the way that was taken.
    """

    names: tuple[str, ...]
    items: tuple[Value, ...]
    open: bool
    place: int


def sequences(trial: Trial, exit_: Exit, values: list[tuple[str, Value]]) -> Iterator[Found]:
    """Every slice inside these values, strings and numbers forced."""
    seen: set[int] = set()
    pending: list[tuple[tuple[str, ...], Value]] = [((name,), value) for name, value in reversed(values)]
    for place in trial.deep:
        if not pending:
            return
        names, value = pending.pop()
        forced = trial.force(value)
        for v in forced:
            if isinstance(v, Pointer):
                if v.cell not in seen:
                    seen.add(v.cell)
                    pending.append((names, trial.load(v, exit_.state)))
            elif isinstance(v, Struct):
                if v.type is not None and v.type.path == BIG:
                    continue
                pending.extend(((*names, name), inner) for name, inner in v.fields.items())
            elif isinstance(v, Map):
                for data in trial.read(v.cell, exit_.state):
                    if isinstance(data, MapData):
                        pending.extend(((*names, str(k)), x) for k, x in data.entries.items())
            elif isinstance(v, Seq):
                yield from list(_columns(trial, names, v, exit_, place)) or [
                    Found(names, v.items, v.open, place)
                ]
                pending.extend((names, item) for item in v.items)
            elif isinstance(v, Extern | Unknown | Input):
                yield Found(names, (), True, place)  # it may be one
            elif isinstance(v, Nil | Zero) and len(forced) > 1:
                yield Found(names, (), False, place)


def _columns(trial: Trial, names: tuple[str, ...], seq: Seq, exit_: Exit, place: int) -> Iterator[Found]:
    """Where the elements are structs: the values of each field, one after the other."""
    rows: list[Struct] = []
    for item in seq.items:
        forced = trial.force(item)
        if len(forced) == 1 and isinstance(forced[0], Pointer):
            forced = trial.force(trial.load(forced[0], exit_.state))
        if len(forced) != 1 or not isinstance(forced[0], Struct):
            return
        if forced[0].type is not None and forced[0].type.path == BIG:
            return
        rows.append(forced[0])
    for name in rows[0].fields if rows else ():
        if all(name in row.fields for row in rows):
            yield Found((*names, name), tuple(row.fields[name] for row in rows), seq.open, place)


def element(trial: Trial, value: Value, state: State) -> Any:
    """An element as text or number; None when it is not known."""
    forced = trial.force(value)
    if len(forced) != 1:
        return None
    v = forced[0]
    if isinstance(v, Const):
        return v.value
    held = big_value(trial, v, state)
    if len(held) == 1 and isinstance(held[0], Const):
        return held[0].value
    return None


def leaves(trial: Trial, exit_: Exit, values: list[Value]) -> Iterator[Any]:
    """Every number and text inside these values."""
    seen: set[int] = set()
    pending = list(values)
    for _ in trial.deep:
        if not pending:
            return
        for v in trial.force(pending.pop()):
            held = element(trial, (v,), exit_.state)
            if held is not None:
                yield held
            elif isinstance(v, Pointer) and v.cell not in seen:
                seen.add(v.cell)
                pending.append(trial.load(v, exit_.state))
            elif isinstance(v, Struct):
                pending.extend(v.fields.values())
            elif isinstance(v, Seq):
                pending.extend(v.items)


def holds_part(trial: Trial, values: list[tuple[str, Value]], exit_: Exit) -> bool:
    """Whether something sliced out of the data by hand is in these values."""
    for found in sequences(trial, exit_, values):
        for item in found.items:
            if any(_is_part(trial, v, exit_.state) for v in trial.force(item)):
                return True
    pending = [value for _, value in values]
    seen: set[int] = set()
    for _ in trial.deep:
        if not pending:
            return False
        for v in trial.force(pending.pop()):
            if _is_part(trial, v, exit_.state):
                return True
            if isinstance(v, Pointer) and v.cell not in seen:
                seen.add(v.cell)
                pending.append(trial.load(v, exit_.state))
            elif isinstance(v, Struct):
                pending.extend(v.fields.values())
    return False


def _is_part(trial: Trial, v: Val, state: State) -> bool:
    if trial.world.part_of(v) == "part":
        return True
    return isinstance(v, Pointer) and any(
        trial.world.part_of(x) == "part" for x in big_value(trial, v, state) if not isinstance(x, Const)
    )


def is_record(value: Value) -> bool:
    """Whether a result says something: not nil and not a zero struct."""
    return any(not isinstance(v, Nil) and not (isinstance(v, Struct) and not v.fields) for v in value)
