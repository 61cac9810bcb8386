"""What go-ethereum's abi packages do, for trying out a decoder on a log that is made up.

A `World` plants known numbers where the abi package decodes a log's data, so that what a decoder returns can
be compared with what it should return. Its `case` says how the data behaves: see `Case`.
Sources: the documentation and source of github.com/ethereum/go-ethereum/accounts/abi (v1.10 to v1.16).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from zuno_audit.facts.go import big_library, library, reordering
from zuno_audit.facts.go.big_library import big, consts
from zuno_audit.facts.go.ethereum_abi import Abi, AbiError, AbiEvent, Parameter, keccak256, parse_abi
from zuno_audit.facts.go.values import (
    NIL,
    TRUE,
    Array,
    Const,
    Extern,
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

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator, Frame
    from zuno_audit.facts.go.types import Type

ABI = "github.com/ethereum/go-ethereum/accounts/abi"
BIND = (f"{ABI}/bind", f"{ABI}/bind/v2")
COMMON = "github.com/ethereum/go-ethereum/common"
HEXUTIL = f"{COMMON}/hexutil"
CRYPTO = "github.com/ethereum/go-ethereum/crypto"
SHA3 = "golang.org/x/crypto/sha3"
TYPES = "github.com/ethereum/go-ethereum/core/types"
METHODS = (
    "Unpack", "UnpackValues", "UnpackIntoMap", "UnpackIntoInterface", "UnpackLog", "UnpackLogIntoMap",
)  # fmt: skip
ADDRESS = "00000000000000000000000071c7656ec7ab88b098defb751b7401b5f6d8976f"
_NUMBER = re.compile(r"u?int(\d+)")
_SIGNATURE = re.compile(r"[A-Za-z_$][\w$]*\([\w,\[\]()]*\)")
_EVENT_NAME = re.compile(r"[A-Z][A-Za-z0-9_]*[a-z][A-Za-z0-9_]*")
_NOTHING: Value = (Unknown("no value"),)


class Case(StrEnum):
    """How the data of the log behaves."""

    GOOD = "good"  # it is what the ABI says
    REFUSED = "refused"  # it is malformed: the abi package returns an error
    MISTYPED_FIRST = "mistyped first"  # the first array has another dynamic type than expected
    MISTYPED_LAST = "mistyped last"  # the last array has another dynamic type than expected
    SHORT_FIRST = "short first"  # the first array is shorter than the others
    SHORT_LAST = "short last"  # the last array is shorter than the others
    MANY = "many"  # the arrays are long


class Decoding(NamedTuple):
    """One call that decodes the data of the log, or one slice taken out of it by hand (`method` is "")."""

    site: Site
    frames: tuple[Frame, ...]
    method: str
    event: AbiEvent | None
    name: str | None
    known: bool  # the ABI is the one that the program really uses

    @property
    def of_event(self) -> bool:
        """Whether what is decoded is an event, whatever the bytes come from."""
        return bool(self.method) and bool(self.name)

    @property
    def of_data(self) -> bool:
        """Whether the abi package decodes the data, and not only the topics."""
        return bool(self.method) and not self.method.startswith("ParseTopics")


COUNT = 6  # elements of an array
MANY = 101  # elements where a limit is looked for: more than the 100 that people like


def numbers(position: int, count: int = COUNT) -> list[int]:
    """The made-up elements of the array at this position: too large for any machine word, and a zero.

    Some are there twice, next to each other and apart, so that it is noticed where repeated ones are dropped:
    in two arrays that belong together one pair is repeated, and other elements in one of them only.
    """
    largest, large, small = 2**256 - 1 - (17 + 82 * position), 2**200 + 3 + position, 2**64 + 5 + position
    again = small if position % 2 else large
    more = (2**190 + 1_000_000 * position + i for i in range(count - COUNT))
    return [largest, 0, large, again, small, largest, *more][:count]


class World:
    """The outside of a decoder: a log, an ABI, and what happens when its data is decoded."""

    def __init__(
        self,
        case: Case,
        fallback: Abi,
        topic: AbiEvent | None = None,
        broken_abis: list[tuple[Site, str]] | None = None,
        certain: bool = False,
    ) -> None:
        self.case = case
        self.many = MANY  # elements of an array in the case MANY
        self.fallback = fallback  # what an ABI is taken for that comes from outside
        self.data = Opaque("log data")
        self.errors: dict[Site, Extern] = {}  # what each decoding call returned in the case REFUSED
        self.looked_at: set[Site] = set()  # the calls whose error was compared or taken apart
        self.topic = topic
        self.certain = certain  # the data is that of a log, and not merely bytes that somebody unpacks
        self.decodings: list[Decoding] = []
        self.signatures = {e.topic: e.name for e in fallback.events}  # names of events by their topic
        self.compared: dict[str, None] = {}  # the events whose topic the log's is compared with
        self.broken_abis = broken_abis if broken_abis is not None else []

    def models(self) -> dict[tuple[str, str], library.Model]:
        """The library models of this world."""
        models: dict[tuple[str, str], library.Model] = dict(library.MODELS)
        models.update(big_library.MODELS)
        models.update(reordering.MODELS)
        models[ABI, "JSON"] = self._json
        models[ABI, ".NonIndexed"] = self._non_indexed
        models[ABI, ".EventByID"] = self._event_by_id
        models[ABI, ".Copy"] = self._copy
        models[ABI, "ConvertType"] = self._convert_type
        models[ABI, "NewType"] = self._new_type
        models[ABI, "ParseTopics"] = models[ABI, "ParseTopicsIntoMap"] = self._parse_topics
        for name in METHODS:
            models[ABI, "." + name] = self._unpack
            for path in BIND:
                models[path, "." + name] = self._unpack
        for path in BIND:
            models[path, "NewBoundContract"] = self._bound_contract
            models[path, ".GetAbi"] = models[path, ".ParseABI"] = self._get_abi
        for path, name in _DATA_THROUGH:
            models[path, name] = self._same_data(library.MODELS.get((path, name)))
        for name in (".Hex", ".String"):
            models[COMMON, name] = self._hash_text
        models[COMMON, "HexToHash"] = _computed_text(lambda t: "0x" + t.removeprefix("0x").rjust(64, "0"))
        models[CRYPTO, "Keccak256Hash"] = models[CRYPTO, "Keccak256"] = self._keccak
        for path in (SHA3, CRYPTO):
            models[path, "NewLegacyKeccak256"] = models[path, "NewKeccakState"] = _new_hash
        models[SHA3, ".Write"] = _write_to_hash
        models[SHA3, ".Sum"] = self._sum
        models[HEXUTIL, "Encode"] = _encoded
        models[HEXUTIL, "EncodeBig"] = big_library.hexadecimal
        models[COMMON, "BigToHash"] = _hash_of
        models["github.com/samber/lo", "Map"] = _lo_map
        models["embed", ".ReadFile"] = _embedded_file
        return models

    # ------------------------------------------------------------ ABIs as values

    def abi_value(self, ev: Evaluator, abi: Abi, state: State, known: bool) -> Struct:
        """An `abi.ABI` with these events."""
        entries: dict[Any, Value] = {e.name: (self._event_value(ev, e, known),) for e in abi.events}
        events = self._map(ev, entries, state, ev.types.extern(ABI, "Event"))
        methods = self._map(ev, {name: (Opaque(f"method {name}"),) for name in abi.functions if name}, state)
        fields: dict[str, Value] = {"Events": (events,), "Methods": (methods,), "(known)": (Const(known),)}
        return Struct(ev.types.extern(ABI, "ABI"), fields)

    @staticmethod
    def _map(ev: Evaluator, entries: dict[Any, Value], state: State, elem: Type | None = None) -> Map:
        cell = ev.new_cell()
        state.cells[cell] = (MapData(entries),)
        return Map(cell, ev.types.map(ev.types.basic("string"), elem) if elem is not None else None)

    def _event_value(self, ev: Evaluator, event: AbiEvent, known: bool) -> Struct:
        self.signatures[event.topic] = event.name
        argument = ev.types.extern(ABI, "Argument")
        hidden: Value = (HiddenEvent(event, known),)
        items = tuple(
            (
                Struct(
                    argument,
                    {
                        "Name": (Const(p.name),),
                        "Type": (Opaque(p.type),),
                        "Indexed": (Const(p.indexed),),
                        "(event)": hidden,
                    },
                ),
            )
            for p in event.inputs
        )
        fields: dict[str, Value] = {
            "Name": (Const(event.name),),
            "RawName": (Const(event.name),),
            "Sig": (Const(event.canonical),),
            "Anonymous": (Const(event.anonymous),),
            "ID": (Const(event.topic, ev.types.extern(COMMON, "Hash")),),
            "Inputs": (Seq(items, False, ev.types.extern(ABI, "Arguments")),),
        }
        return Struct(ev.types.extern(ABI, "Event"), fields)

    def any_of(self, ev: Evaluator, events: Value) -> Value:
        """One of these events, which one is not known: the one of the topic, or an event without description."""
        if self.topic is not None:
            for event in events:
                if any(c.value == self.topic.name for c in consts(_field(event, "Name"))):
                    return (event,)
        unknown: dict[str, Value] = {
            "Inputs": (Seq((), True, ev.types.extern(ABI, "Arguments")),),
            "Name": (Unknown("the name of an event"),),
            "ID": (Opaque("topic", ev.types.extern(COMMON, "Hash")),),
        }
        return (Struct(ev.types.extern(ABI, "Event"), unknown),)

    def _json(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """abi.JSON: of a text that is known, what it says; else an ABI from outside."""
        text = _text_of(ev, args[0]) if args else None
        if text is None:
            return [(self.abi_value(ev, self.fallback, state, False),), NIL]
        try:
            abi = parse_abi(text)
        except AbiError as error:
            self.broken_abis.append((site, str(error)))
            failure = Extern("errors", "New", ((Const(str(error)),),), site=site)
            nothing: dict[str, Value] = {"Events": NIL, "Methods": NIL, "(known)": (TRUE,)}
            return [(Struct(ev.types.extern(ABI, "ABI"), nothing),), (failure,)]
        return [(self.abi_value(ev, abi, state, True),), NIL]

    def _get_abi(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """bind.MetaData: the ABI in its field."""
        for owner in _loaded(ev, v.recv, state):
            if isinstance(owner, Struct) and "ABI" in owner.fields:
                results = self._json(ev, v, [owner.fields["ABI"]], state, site)
                assert results is not None
                parsed, error = results
                return [(ev.allocate(parsed, state, site),), error] if v.name == "GetAbi" else [parsed, error]
        return [(ev.allocate((self.abi_value(ev, self.fallback, state, False),), state, site),), NIL]

    def _bound_contract(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        if len(args) < 2:
            return None
        contract = Struct(ev.types.extern(v.path, "BoundContract"), {"(abi)": args[1]})
        return [(ev.allocate((contract,), state, site),)]

    def _non_indexed(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        arguments = self._arguments(ev, v.recv, state)
        if arguments is None:
            return None
        kept = tuple(
            item for item in arguments.items if not any(x.value for x in consts(_field(item, "Indexed")))
        )
        return [(Seq(kept, arguments.open, arguments.type),)]

    def _event_by_id(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        wanted = self.topic.name if self.topic is not None else None
        for event in self._events(ev, v.recv, state).values():
            if wanted is None or any(c.value == wanted for c in consts(_field(event, "Name"))):
                return [(ev.allocate(event, state, site),), NIL]
        return [NIL, (Extern("errors", "New", ((Const("no event with that id"),),), site=site),)]

    def _new_type(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        names = consts(args[0]) if args else []
        return [(Opaque(str(names[0].value)),), NIL] if names else None

    def _arguments(self, ev: Evaluator, value: Value | None, state: State) -> Seq | None:
        found = _loaded(ev, value, state)
        return found[0] if len(found) == 1 and isinstance(found[0], Seq) else None

    def _events(self, ev: Evaluator, value: Value | None, state: State) -> dict[Any, Value]:
        for owner in _loaded(ev, value, state):
            if isinstance(owner, Struct):
                inner = owner.fields.get("(abi)")
                if inner is not None:
                    return self._events(ev, inner, state)
                for events in owner.fields.get("Events", ()):
                    for data in ev.read(events.cell, state) if isinstance(events, Map) else ():
                        if isinstance(data, MapData):
                            return data.entries
        return {}

    def _is_known(self, ev: Evaluator, value: Value | None, state: State) -> bool:
        """Whether the text of an ABI is known."""
        return any(v.value is True for o in _loaded(ev, value, state) for v in consts(_field(o, "(known)")))

    def _is_abi(self, ev: Evaluator, value: Value | None, state: State) -> bool:
        return any(isinstance(o, Struct) and ("Events" in o.fields or "(abi)" in o.fields)
                   for o in _loaded(ev, value, state))  # fmt: skip

    # ------------------------------------------------------------ decoding

    def _unpack(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """Every way of the abi packages to decode data, by the kind of receiver and the name."""
        by_name = v.path in BIND or self._is_abi(ev, v.recv, state) or _is_named(v, args)
        into = args[0] if v.name not in ("Unpack", "UnpackValues") or len(args) == 3 else None
        rest = args[1:] if into is not None else args
        data = rest[-1] if rest else ()
        name: str | None = None
        if by_name:
            names = consts(rest[0]) if rest else []
            name = str(names[0].value) if names else None
        event = self._described(ev, v, name, by_name, state)
        if name is None and event is not None:
            name = event[0].name or None
        if not self._is_log_data(ev, data, state, bound=v.path in BIND):
            if not by_name or name is None or not self._is_event_name(ev, v, name, state):
                return None
            if any(_is_call_result(x) for x in ev.force(data)):
                return None
        if event is None and name is None and self.topic is not None and by_name:
            event = (self.topic, False)  # the caller names the event
        is_event = self.certain if name is None else name[:1].isupper()
        if event is None and by_name and not is_event:
            return None  # what a contract function returns; events have capital names
        self.decodings.append(
            Decoding(
                site,
                frames_of(ev),
                v.name,
                event[0] if event is not None else None,
                name or _name_in_chain(v),
                event is not None and event[1],
            )
        )
        error: Value = NIL
        if self.case is Case.REFUSED:
            error = (self.errors.setdefault(site, _malformed(site)),)
        elif by_name and name is not None and self._lacks(ev, v, name, state):
            error = (Extern("errors", "New", ((Const("abi: no such event"),),), site=site),)
        if into is None:
            return self._results(ev, event, error, state)
        if event is not None and error is NIL:
            error = self._fill(ev, into, event[0], state, site, every=v.path in BIND)
        elif error is NIL:
            self._open(ev, into, state)
        return [error]

    def _is_event_name(self, ev: Evaluator, v: Extern, name: str, state: State) -> bool:
        """Whether a name is that of an event: by the ABI, or by its capital letter."""
        if self._is_known(ev, v.recv, state):
            return name in self._events(ev, v.recv, state)
        return name in self._events(ev, v.recv, state) or _EVENT_NAME.fullmatch(name) is not None

    def _parse_topics(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """abi.ParseTopics and ParseTopicsIntoMap decode what is indexed."""
        arguments = self._arguments(ev, args[1], state) if len(args) > 1 else None
        event = _hidden(arguments.items[0]) if arguments is not None and arguments.items else None
        name = event[0].name if event is not None else None
        self.decodings.append(
            Decoding(site, frames_of(ev), v.name, event[0] if event else None, name, bool(event and event[1]))
        )
        if self.case is Case.REFUSED:
            return [(self.errors.setdefault(site, _malformed(site)),)]
        return [NIL]

    def _lacks(self, ev: Evaluator, v: Extern, name: str, state: State) -> bool:
        return self._is_abi(ev, v.recv, state) and name not in self._events(ev, v.recv, state)

    def _described(
        self, ev: Evaluator, v: Extern, name: str | None, by_name: bool, state: State
    ) -> tuple[AbiEvent, bool] | None:
        """The event whose parameters are decoded, and whether that is the ABI of the program."""
        if by_name:
            event = self._events(ev, v.recv, state).get(name) if name is not None else None
            hidden = _hidden(event) if event is not None else None
            if hidden is None and name is not None and self._is_known(ev, v.recv, state):
                return AbiEvent(name, ()), True  # the ABI does not have it
            if hidden is None and name is not None and not self._is_abi(ev, v.recv, state):
                known = self.fallback.event(name)
                return (known, False) if known is not None else None
            return hidden
        arguments = self._arguments(ev, v.recv, state)
        if arguments is None or arguments.open:
            name = _name_in_chain(v)
            known = self.fallback.event(name) if name is not None else None
            return (known, False) if known is not None else None
        parameters: list[Parameter] = []
        source: tuple[AbiEvent, bool] | None = None
        for item in arguments.items:
            names, types = consts(_field(item, "Name")), _field(item, "Type")
            indexed = any(c.value for c in consts(_field(item, "Indexed")))
            if len(types) != 1 or not isinstance(types[0], Opaque):
                return None
            parameters.append(Parameter(str(names[0].value) if names else "", str(types[0].label), indexed))
            source = source or _hidden(item)
        if source is None:
            return AbiEvent("", tuple(parameters)), True
        decoded = [p for p in parameters if not p.indexed]
        if decoded == [p for p in source[0].inputs if not p.indexed]:
            return source
        return AbiEvent(source[0].name, tuple(parameters)), source[1]

    def _is_log_data(self, ev: Evaluator, value: Value, state: State, *, bound: bool) -> bool:
        for v in ev.force(value):
            if bound and isinstance(v, Struct | Pointer):
                fields = [x for x in _loaded(ev, (v,), state) if isinstance(x, Struct)]
                return any(x is self.data for s_ in fields for x in s_.fields.get("Data", ())) or not fields
            if self.part_of(v) == "whole" or is_field_of_log(v):
                return True
        return False

    def part_of(self, v: Val, depth: int = 0) -> str:
        """ "whole" for the data of the log, "part" for something sliced out of it by hand, else ""."""
        if v is self.data or is_field_of_log(v):
            return "whole"
        if not isinstance(v, Extern) or depth > 12:
            return ""
        inner = [x for value in (*(v.args or ()), *([v.recv] if v.recv is not None else [])) for x in value]
        parts = {self.part_of(x, depth + 1) for x in inner}
        if v.path == "slice":
            return "" if parts == {""} else "whole" if "whole" in parts and _is_prefix(v) else "part"
        if "part" in parts:
            return "part"
        return "part" if "whole" in parts and (v.path, v.name) in _READERS else ""

    def slices_in(self, v: Val, depth: int = 0) -> frozenset[Site]:
        """Where the parts of the data were cut out that a value is made of."""
        if not isinstance(v, Extern) or depth > 12:
            return frozenset()
        found = {v.site} if v.path == "slice" and v.site is not None else set()
        for value in (*(v.args or ()), *([v.recv] if v.recv is not None else [])):
            for x in value:
                found |= self.slices_in(x, depth + 1)
        return frozenset(found)

    def _results(
        self, ev: Evaluator, event: tuple[AbiEvent, bool] | None, error: Value, state: State
    ) -> list[Value]:
        any_type = ev.types.slice(ev.types.basic("any"))
        if error is not NIL:
            return [NIL, error]
        if event is None:
            return [(Seq((), True, any_type),), NIL]
        values = [value for _, value in self._planted(ev, event[0], state)]
        return [(Seq(tuple(values), False, any_type),), NIL]

    def _planted(
        self, ev: Evaluator, event: AbiEvent, state: State, *, static: bool = False
    ) -> list[tuple[Parameter, Value]]:
        """The decoded values; `static` where the types of the target decide, so that none can be wrong."""
        decoded = [p for p in event.inputs if not p.indexed]
        arrays = [i for i, p in enumerate(decoded) if p.type.endswith("[]")]
        first, last = (arrays[0], arrays[-1]) if arrays else (-1, -1)
        short = {Case.SHORT_FIRST: first, Case.SHORT_LAST: last}.get(self.case, -1)
        mistyped = {Case.MISTYPED_FIRST: first, Case.MISTYPED_LAST: last}.get(self.case, -1)
        out: list[tuple[Parameter, Value]] = []
        for position, parameter in enumerate(decoded):
            count = self.many if self.case is Case.MANY else COUNT - 1 if position == short else COUNT
            value = self._value(ev, parameter.type, position, count, state)
            if position == mistyped and not static:
                value = (TRUE,)  # a bool where nobody expects one
            out.append((parameter, value))
        return out

    def _value(self, ev: Evaluator, type_: str, position: int, count: int, state: State) -> Value:
        if type_.endswith("[]"):
            found = _NUMBER.fullmatch(type_[:-2])
            elem = go_type(ev, type_[:-2])
            if found and int(found.group(1)) > 64:
                items = tuple((big(ev, n, state),) for n in numbers(position, count))
                type_of_all = ev.types.slice(elem) if elem is not None else None
                return (Seq(items, False, type_of_all, None, (Array(count), 0)),)
            return (Seq((), True, ev.types.slice(elem) if elem is not None else None),)
        found = _NUMBER.fullmatch(type_)
        if found and int(found.group(1)) > 64:
            return (big(ev, numbers(position)[0], state),)
        return (Opaque(f"a decoded {type_}", go_type(ev, type_)),)

    def _fill(
        self, ev: Evaluator, into: Value, event: AbiEvent, state: State, site: Site, *, every: bool
    ) -> Value:
        """Stores the values in a map or a struct; gives the error that the abi package returns."""
        indexed: list[tuple[Parameter, Value]] = [
            (p, (Opaque(f"an indexed {p.type}", go_type(ev, p.type)),))
            for p in event.inputs
            if p.indexed and every
        ]
        for target in ev.force(into):
            planted = self._planted(ev, event, state, static=not isinstance(target, Map)) + indexed
            if isinstance(target, Map):
                for data in ev.read(target.cell, state):
                    known = dict(data.entries) if isinstance(data, MapData) else {}
                    known.update({p.name: value for p, value in planted})
                    state.cells[target.cell] = (MapData(known, isinstance(data, MapData) and data.open),)
            elif isinstance(target, Pointer) and not self._fill_struct(ev, target, planted, state):
                return (Extern("errors", "New", ((Const("abi: cannot unmarshal"),),), site=site),)
        return NIL

    def _fill_struct(
        self, ev: Evaluator, target: Pointer, planted: list[tuple[Parameter, Value]], state: State
    ) -> bool:
        owner = ev.force(ev.load(target, state))
        while len(owner) == 1 and isinstance(owner[0], Pointer):
            target = owner[0]
            owner = ev.force(ev.load(target, state))
        type_ = next((v.type for v in owner if isinstance(v, Struct)), None)
        if type_ is None:
            if len(planted) == 1:
                ev.store(target.cell, target.path, planted[0][1], state)
            return True
        fields = ev.types.fields(type_)
        for parameter, value in planted:
            field = next((f for f in fields if f'abi:"{parameter.name}"' in f.tag), None)
            field = field or next((f for f in fields if f.name == camel(parameter.name)), None)
            if field is None:
                continue  # the abi package passes over values without a field
            wanted, given = ev.types.field_type(type_, field.name), go_type(ev, parameter.type)
            if (
                wanted is not None
                and given is not None
                and wanted is not given
                and wanted.kind != "interface"
            ):
                return False
            ev.store(target.cell, (*target.path, field.name), value, state)
        return True

    def _open(self, ev: Evaluator, into: Value, state: State) -> None:
        """What a call writes whose ABI is not known."""
        for target in ev.force(into):
            if isinstance(target, Map):
                entries = {
                    k: x
                    for d in ev.read(target.cell, state)
                    if isinstance(d, MapData)
                    for k, x in d.entries.items()
                }
                state.cells[target.cell] = (MapData(entries, True),)
            elif isinstance(target, Pointer):
                ev._forget([(target,)], state)

    def _copy(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """abi.Arguments.Copy: puts values that Unpack returned into a struct."""
        event = self._described(ev, v, None, False, state)
        if event is None or not args:
            return None
        return [self._fill(ev, args[0], event[0], state, site, every=False)]

    def _convert_type(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """abi.ConvertType(in, new(T)): a T with the value; on a mismatch the library itself panics."""
        if len(args) != 2:
            return None
        if any(v is TRUE for v in args[0]):
            state.dead = True
            return [_NOTHING]
        for target in ev.force(args[1]):
            if isinstance(target, Pointer):
                ev.store(target.cell, target.path, args[0], state)
        return [args[1]]

    def compare_topic(self, topic: Any) -> None:
        """Notes that the topic of the log is compared with this one."""
        if topic in self.signatures:
            self.compared.setdefault(self.signatures[topic])

    def _keccak(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        texts = [c.value for value in args for c in consts(ev.force(value)) if isinstance(c.value, str)]
        if len(texts) != 1:
            return None
        digest = self._digest(texts[0])
        if v.name == "Keccak256":
            return [(Const(digest, None, site),)]
        return [(Const("0x" + digest.hex(), ev.types.extern(COMMON, "Hash")),)]

    def _digest(self, text: str) -> bytes:
        """The hash of a text; when that is the signature of an event, it is a topic."""
        digest = keccak256(text.encode())
        if _SIGNATURE.fullmatch(text):
            self.signatures.setdefault("0x" + digest.hex(), text.partition("(")[0])
        return digest

    def _sum(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        """hash.Hash.Sum of nothing: the hash of what was written."""
        texts = [
            c.value
            for o in _loaded(ev, v.recv, state)
            for c in consts(_field(o, "text"))
            if c.value is not None
        ]
        if len(texts) != 1 or not args or not all(ev.is_nil(x) for x in ev.force(args[0])):
            return None
        return [(Const(self._digest(texts[0]), None, site),)]

    # ------------------------------------------------------------ the log

    def look_at(self, v: Val) -> None:
        """Notes that the program looks at a value that may be an error of a decoding call."""
        if isinstance(v, Extern) and v.site is not None and self.errors.get(v.site) is v:
            self.looked_at.add(v.site)

    def _same_data(self, other: library.Model | None) -> library.Model:
        def model(
            ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
        ) -> Iterable[Value] | None:
            given = ev.force(args[0]) if args else ()
            if len(given) == 1 and self.part_of(given[0]) == "whole":
                return [given, NIL]
            return other(ev, v, args, state, site) if other is not None else None

        return model

    def _hash_text(
        self, ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        known = [c for c in consts(ev.force(v.recv or ())) if isinstance(c.value, str)]
        return [(Const(known[0].value),)] if known else None


def _new_hash(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    made = Struct(ev.types.extern(SHA3, "state"), {"text": (Const(""),)})
    return [(ev.allocate((made,), state, site),)]


def _write_to_hash(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """Write to a hash: it keeps the text, or that it is not known."""
    owner = ev.force(v.recv or ())
    if len(owner) != 1 or not isinstance(owner[0], Pointer) or not args:
        return None
    before = consts(_field(ev.force(ev.load(owner[0], state)), "text"))
    given = [c.value for c in consts(ev.force(args[0])) if isinstance(c.value, str)]
    known = len(before) == 1 and len(given) == 1
    text: Value = (Const(before[0].value + given[0]),) if known else _NOTHING
    ev.store(owner[0].cell, (*owner[0].path, "text"), text, state)
    return [(Unknown("number of bytes"),), NIL]


def _encoded(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """hexutil.Encode."""
    found = [c.value for c in consts(ev.force(args[0])) if isinstance(c.value, bytes)] if args else []
    return [(Const("0x" + found[0].hex(), None, site),)] if len(found) == 1 else None


def _malformed(site: Site) -> Extern:
    return Extern("errors", "New", ((Const("abi: malformed data"),),), site=site)


# Functions that pass the bytes of a log on, or decode their hexadecimal form.
_DATA_THROUGH = (
    ("encoding/hex", "DecodeString"),
    ("strings", "TrimPrefix"),
    ("strings", "TrimSpace"),
    ("strings", "ToLower"),
    ("bytes", "Clone"),
    ("slices", "Clone"),
    (COMMON, "FromHex"),
    (COMMON, "Hex2Bytes"),
    (COMMON, "CopyBytes"),
    (HEXUTIL, "Decode"),
    (HEXUTIL, "MustDecode"),
)
# Functions that read words out of bytes.
_READERS = frozenset(
    {("bytes", "NewReader"), ("bytes", "NewBuffer"), (big_library.BIG, "SetBytes"), (COMMON, "BytesToHash")}
)


def is_field_of_log(v: Val) -> bool:
    """True for `x.Data` of a log that a client returned: not a call like a transaction's `Data()`."""
    if not isinstance(v, Extern) or v.name != "Data" or v.args is not None or v.recv is None:
        return False
    for owner in v.recv:
        current: Val = owner
        for _ in range(8):
            if isinstance(current, Extern):
                if "Log" in current.name:
                    return True
                if current.recv is None or not current.recv:
                    break
                current = current.recv[0]
    return False


def _is_call_result(v: Val) -> bool:
    """True for what calling a contract gives, and for the input of a transaction."""
    current: Val | None = v
    for _ in range(8):
        if not isinstance(current, Extern):
            return False
        if current.name in ("CallContract", "PendingCallContract", "CodeAt", "Output") or (
            current.name == "Data" and current.args is not None
        ):
            return True
        inner = current.recv or (current.args[0] if current.args else None)
        current = inner[0] if inner else None
    return False


def _is_prefix(v: Extern) -> bool:
    """`x[2:]`, which takes off `0x`, and `x[:]`."""
    if v.site is None:
        return False
    text = v.site.file.data[v.site.start : v.site.end].replace(b" ", b"")
    return text.endswith((b"[2:]", b"[:]", b"[0:]", b'[len("0x"):]'))


def _is_named(v: Extern, args: list[Value]) -> bool:
    """Whether a method of a receiver that is not known takes the name of an event (then it is an abi.ABI)."""
    if v.name in ("Unpack",):
        return len(args) >= 2
    return v.name in ("UnpackIntoMap", "UnpackIntoInterface") and len(args) >= 3


def _name_in_chain(v: Extern) -> str | None:
    """The name in `x.Events["Name"].Inputs.NonIndexed().Unpack...` of an ABI that is not known."""
    current: Val | None = v
    for _ in range(10):
        if not isinstance(current, Extern):
            return None
        if current.name == "Events[]" and current.args:
            names = consts(current.args[0])
            return str(names[0].value) if names else None
        current = current.recv[0] if current.recv else None
    return None


def frames_of(ev: Evaluator) -> tuple[Frame, ...]:
    """The activations that are running, innermost first."""
    frames: list[Frame] = []
    frame = ev.frame
    while frame is not None:
        frames.append(frame)
        frame = frame.caller
    return tuple(frames)


def _loaded(ev: Evaluator, value: Value | None, state: State) -> list[Val]:
    """The alternatives behind pointers."""
    out: list[Val] = []
    for v in ev.force(value or ()):
        depth = 0
        targets: list[Val] = [v]
        while depth < 3 and any(isinstance(t, Pointer) for t in targets):
            targets = [
                x for t in targets for x in (ev.force(ev.load(t, state)) if isinstance(t, Pointer) else (t,))
            ]
            depth += 1
        out.extend(targets)
    return out


def _field(value: Value | Val, name: str) -> Value:
    for v in value if isinstance(value, tuple) else (value,):
        if isinstance(v, Struct) and name in v.fields:
            return v.fields[name]
    return ()


class HiddenEvent(Opaque):
    """The event that a value of the abi package stands for, and whether its ABI is known."""

    __slots__ = ("event", "is_known")

    def __init__(self, event: AbiEvent, is_known: bool) -> None:
        super().__init__("event")
        self.event, self.is_known = event, is_known

    @property
    def meaning(self) -> object:
        return self.event, self.is_known


def _hidden(value: Value) -> tuple[AbiEvent, bool] | None:
    """The event that an `abi.Event` or `abi.Argument` stands for."""
    inputs = _field(value, "Inputs")
    if inputs and isinstance(inputs[0], Seq):
        if not inputs[0].items:
            names = consts(_field(value, "Name"))
            return (AbiEvent(str(names[0].value), ()), True) if names else None
        return _hidden(inputs[0].items[0])
    for v in _field(value, "(event)"):
        if isinstance(v, HiddenEvent):
            return v.event, v.is_known
    return None


def go_type(ev: Evaluator, type_: str) -> Type | None:
    """The Go type that the abi package uses for a Solidity type."""
    if type_.endswith("[]"):
        elem = go_type(ev, type_[:-2])
        return ev.types.slice(elem) if elem is not None else None
    found = _NUMBER.fullmatch(type_)
    if found:
        if int(found.group(1)) in (8, 16, 32, 64):
            return ev.types.basic(type_)
        return ev.types.pointer(ev.types.extern(big_library.BIG, "Int"))
    if type_ == "address":
        return ev.types.extern(COMMON, "Address")
    if type_ in ("bool", "string"):
        return ev.types.basic(type_)
    return ev.types.slice(ev.types.basic("byte")) if type_ == "bytes" else None


def camel(name: str) -> str:
    """abi.ToCamelCase: the field that a parameter goes to."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _text_of(ev: Evaluator, value: Value) -> str | None:
    """The text that a reader, byte slice or string is made of."""
    for v in ev.force(value):
        if isinstance(v, Const) and isinstance(v.value, str):
            return v.value
        if isinstance(v, Extern) and v.args:
            if (v.path, v.name) in _TEXT_READERS:
                return _text_of(ev, v.args[0])
            if (v.path, v.name) in (("os", "ReadFile"), ("os", "Open"), ("io/ioutil", "ReadFile")):
                return _file_text(ev, v.args[0])
    return None


_TEXT_READERS = frozenset(
    {("strings", "NewReader"), ("bytes", "NewReader"), ("bytes", "NewBufferString"), ("bytes", "NewBuffer"),
     ("strings", "TrimSpace"), ("io", "NopCloser"), ("bufio", "NewReader")}
)  # fmt: skip


def _file_text(ev: Evaluator, value: Value) -> str | None:
    """A file of the repository that the program opens by a constant name."""
    names = [str(c.value) for c in consts(ev.force(value))]
    if len(names) != 1:
        return None
    wanted = "/" + re.sub(r"^(?:\.{1,2}/|/)+", "", names[0])
    found = [p for p in ev.program.repository.files if ("/" + p).endswith(wanted)]
    return ev.program.repository.text(found[0]) if len(found) == 1 else None


def _embedded_file(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    text = _file_text(ev, args[0]) if args else None
    return None if text is None else [(Const(text),), NIL]


def _hash_of(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    shown = big_library.hexadecimal(ev, v, args, state, site)
    texts = [c for value in shown or () for c in consts(value)]
    return [(Const(texts[0].value, ev.types.extern(COMMON, "Hash")),)] if texts else None


def _computed_text(function: Callable[[str], str]) -> library.Model:
    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        texts = [c.value for c in consts(ev.force(args[0])) if isinstance(c.value, str)] if args else []
        return [(Const(function(texts[0]), ev.types.extern(COMMON, "Hash")),)] if len(texts) == 1 else None

    return model


def _lo_map(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    source = ev.force(args[0]) if len(args) == 2 else ()
    if len(source) != 1 or not isinstance(source[0], Seq) or source[0].open:
        return None
    items = tuple(
        ev.call_value(args[1], [item, (Const(i),)], state, site)[0] for i, item in enumerate(source[0].items)
    )
    return [(Seq(items, False, None, site),)]
