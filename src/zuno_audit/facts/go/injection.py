"""What dependency injection gives a function: `go.uber.org/fx`, `go.uber.org/dig` and `github.com/google/wire`.

Nobody calls a constructor that is handed to such a container; the container does, with values that other
constructors make, found by their types. Sources: documentation of fx (Provide, Supply, Decorate, Annotate, In,
Out), of dig, and the guide of wire.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from zuno_audit.facts.go.evaluate import Evaluator
from zuno_audit.facts.go.values import (
    NIL,
    Const,
    Extern,
    Func,
    Nil,
    Seq,
    State,
    Struct,
    Unknown,
    Value,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.types import Type

FX, DIG, WIRE = "go.uber.org/fx", "go.uber.org/dig", "github.com/google/wire"
_CONTAINERS = {FX: ("Provide", "Supply", "Decorate", "Invoke", "Replace"), WIRE: ("NewSet", "Build", "Value")}
_GIVEN = frozenset(
    {"Supply", "Replace", "Value"}
)  # their arguments are values, those of the others functions
_TAG = re.compile(r'(name|group):"([^",]*)')
MAX_ROOTS = 200
MAX_DEPTH = 12


class Handed(msgspec.Struct, frozen=True, eq=False):
    """A function that a container calls. `params` and `results` are the tags that fx.Annotate gives.

    `module` is the declaration that hands it over: what a module provides itself is what its functions get.
    """

    func: Func
    state: State
    purpose: str
    module: int
    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()


class _Made(msgspec.Struct, frozen=True, eq=False):
    """Something of a type that can be had: result `index` of a function (or field `field` of it), or a value."""

    type: Type
    tag: str
    module: int
    by: Handed | None = None
    index: int = 0
    field: str = ""
    value: Value = ()


class Injection:
    """The containers of one repository; looked for when somebody asks."""

    def __init__(self, analysis: Analysis) -> None:
        self.analysis = analysis
        self.base: Evaluator = analysis.evaluator()
        self.memory = State()
        self.handed: list[Handed] = []
        self._made: list[_Made] = []
        self._results: dict[int, list[list[Value]]] = {}
        self._pending: set[int] = set()
        self._module = 0
        self._collect()

    # ------------------------------------------------------------ what is handed to containers

    def _collect(self) -> None:
        roots = {}
        for path, names in _CONTAINERS.items():
            for site in self.analysis.search.calls_to(path, *names):
                roots[id(site.root.node)] = site.root
        for root in list(roots.values())[:MAX_ROOTS]:
            ev = self.base.derive(lazy=True)
            ev.on_extern = self._note
            self._module = id(root.node)
            if isinstance(root.node, s.FuncDecl):
                ev.run(Func(root.node, root.file, root.package))
            elif isinstance(root.node, s.ValueSpec):
                for name in root.node.names:
                    ev.read(("global", root.package.path, name.name), State())
        for handed in self.handed:
            if handed.purpose not in ("Invoke", "Decorate"):
                self._made.extend(self._makes(handed))

    def _note(self, ev: Evaluator, call: Extern, state: State) -> None:
        if call.name not in _CONTAINERS.get(call.path, ()):
            return
        self.memory.cells = self.memory.cells.completed(state.cells)
        for value in _arguments(ev, call):
            for v in ev.force(value):
                if call.name in _GIVEN:
                    type_ = ev.dynamic_type(v, state)
                    if type_ is not None:
                        self._made.append(_Made(type_, "", self._module, value=(v,)))
                elif isinstance(v, Func):
                    self.handed.append(Handed(v, state.fork(), call.name, self._module))
                elif isinstance(v, Extern) and v.name == "Annotate" and v.args:
                    self._annotated(ev, v, state, call.name)

    def _annotated(self, ev: Evaluator, v: Extern, state: State, purpose: str) -> None:
        """`fx.Annotate(f, fx.ParamTags(...), fx.ResultTags(...))`."""
        tags: dict[str, tuple[str, ...]] = {}
        for value in (v.args or ())[1:]:
            for option in ev.force(value):
                if isinstance(option, Extern) and option.name in ("ParamTags", "ResultTags"):
                    tags[option.name] = tuple(_text(ev, t) for t in _arguments(ev, option))
        for f in ev.force((v.args or ((),))[0]):
            if isinstance(f, Func):
                params, results = tags.get("ParamTags", ()), tags.get("ResultTags", ())
                self.handed.append(Handed(f, state.fork(), purpose, self._module, params, results))

    def _makes(self, handed: Handed) -> Iterator[_Made]:
        func, types = handed.func, self.analysis.types
        for index, result in enumerate(func.node.results):
            type_ = types.resolve(result.type, func.file, func.package, func.scope)
            if type_ is None:
                continue
            tag = _tag(handed.results[index]) if index < len(handed.results) else ""
            if not self._embeds(type_, "Out"):
                yield _Made(type_, tag, handed.module, handed, index)
                continue
            for field in types.fields(type_):
                kind = types.field_type(type_, field.name)
                if kind is not None and not field.embedded:
                    yield _Made(kind, _tag(field.tag), handed.module, handed, index, field.name)

    def _embeds(self, type_: Type, name: str) -> bool:
        """True for structs that embed fx.In, dig.Out and their kin."""
        for field in self.analysis.types.fields(type_):
            if field.embedded and field.name == name:
                kind = self.analysis.types.field_type(type_, name)
                return kind is not None and kind.path in (FX, DIG)
        return False

    # ------------------------------------------------------------ what a function gets

    def arguments(self, handed: Handed) -> list[Value]:
        """The parameters of a function as its container fills them; what nobody provides is `Input`."""
        func, types = handed.func, self.analysis.types
        inputs = self.base.inputs(func)
        for index, param in enumerate(func.node.params):
            type_ = types.resolve(param.type, func.file, func.package, func.scope)
            if type_ is None:
                continue
            if param.variadic:
                inputs[index] = self._value_of(types.slice(type_), "", handed.module) or NIL
                continue
            tag = _tag(handed.params[index]) if index < len(handed.params) else ""
            if self._embeds(type_, "In"):
                inputs[index] = self._struct(type_, handed.module)
                continue
            given = self._value_of(type_, tag, handed.module)
            if given is not None:
                inputs[index] = given
        return inputs

    def _struct(self, type_: Type, module: int) -> Value:
        """A parameter struct: each field is looked up by its own type."""
        types = self.analysis.types
        fields: dict[str, Value] = {}
        for field in types.fields(type_):
            kind = types.field_type(type_, field.name)
            if kind is None or field.embedded:
                continue
            tag = _tag(field.tag)
            given = self._value_of(kind, tag, module)
            if 'optional:"true"' in field.tag and not self._is_from(kind, tag, module):
                given = union(given or (), self.base.zero(kind))
            fields[field.name] = given or (Unknown(f"nobody provides {field.name}", type_=kind),)
        return (Struct(type_, fields),)

    def _value_of(self, type_: Type, tag: str, module: int) -> Value | None:
        """What a function of a module gets of a type, or None.

        A container has one provider of a type: that of the module itself, else any that there is.
        """
        if tag.startswith("group:"):
            members = [m for m in self._made if m.tag == tag]
            return (Seq(tuple(self._value(m) for m in members), False, type_),)
        out: Value = ()
        own = self._is_from(type_, tag, module)
        for made in self._made:
            if made.type is type_ and made.tag == tag and (not own or made.module == module):
                out = union(out, self._value(made))
        for handed in self.handed:
            if handed.purpose == "Decorate" and out:
                out = self._decorated(handed, type_, out)
        return out or None

    def _is_from(self, type_: Type, tag: str, module: int) -> bool:
        """True when a module provides a type itself."""
        return any(m.type is type_ and m.tag == tag and m.module == module for m in self._made)

    def _decorated(self, handed: Handed, type_: Type, before: Value) -> Value:
        for made in self._makes(handed):
            if made.type is type_:
                return self._value(made)
        return before

    def _value(self, made: _Made) -> Value:
        if made.by is None:
            return made.value
        out: Value = ()
        for results in self._call(made.by):
            if made.index < len(results):
                out = union(out, results[made.index])
        if made.field:
            fields: Value = ()
            for v in self.base.force(out):
                known = v.fields.get(made.field) if isinstance(v, Struct) else None
                fields = union(fields, known or (Unknown(f"field {made.field}"),))
            return fields
        return out or (Unknown("a provider that does not return"),)

    def _call(self, handed: Handed) -> list[list[Value]]:
        """The results of a constructor on every way out that the container accepts: without an error."""
        key = id(handed)
        if key in self._results:
            return self._results[key]
        if key in self._pending or len(self._pending) >= MAX_DEPTH:
            return []
        self._pending.add(key)
        try:
            args = self.arguments(handed)
            state = self.state_for(handed)
            ev = self.base.derive(lazy=True)
            exits = [list(r) for r in ev.simulate(handed.func, args, state) if not _failed(ev, handed, r)]
            self.memory.cells = state.cells.completed(self.memory.cells)
        finally:
            self._pending.discard(key)
        self._results[key] = exits
        return exits

    def state_for(self, handed: Handed) -> State:
        """Memory in which a function runs: where it was handed over, and all that providers made."""
        state = handed.state.fork()
        state.cells = state.cells.completed(self.memory.cells)
        return state


def _arguments(ev: Evaluator, call: Extern) -> list[Value]:
    """The arguments of a call, a spread slice taken apart."""
    args = list(call.args or ())
    if not call.spread or not args:
        return args
    out = args[:-1]
    for v in ev.force(args[-1]):
        if isinstance(v, Seq):
            out.extend(v.items)
    return out


def _text(ev: Evaluator, value: Value) -> str:
    forced = ev.force(value)
    v = forced[0] if len(forced) == 1 else None
    return v.value if isinstance(v, Const) and isinstance(v.value, str) else ""


def _tag(text: str) -> str:
    """`name:x`, `group:x` or the empty string."""
    found = _TAG.search(text)
    return f"{found.group(1)}:{found.group(2)}" if found else ""


def _failed(ev: Evaluator, handed: Handed, results: list[Value]) -> bool:
    """True for a way out with an error: the container stops there."""
    declared = handed.func.node.results
    if not results or len(declared) < 2:
        return False
    last = declared[-1].type
    if not isinstance(last, s.Ident) or last.name != "error":
        return False
    answers = {ev.is_nil(v) for v in ev.force(results[-1])}
    others = [v for value in results[:-1] for v in ev.force(value)]
    return answers == {False} or (True not in answers and all(isinstance(v, Nil) for v in others))
