"""What an expression can be: the abstract values of the Go evaluator.

A `Value` is a tuple of alternatives, one for each group of paths that differ. Alternatives are immutable.
Memory is a `State`: a mapping from cells (variables and allocated objects) to values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from zuno_audit.facts.go.cells import Cells

if TYPE_CHECKING:
    from zuno_audit.facts.go.types import Type
    from zuno_audit.languages.go.parse import GoFile
    from zuno_audit.languages.go.syntax import FuncDecl, FuncLit

MAX_ALTERNATIVES = 24  # beyond this the rest is forgotten and the value says so

Cell = Any  # an int for variables and objects, a tuple for package-level variables


class Site(NamedTuple):
    """A byte range of a file."""

    file: GoFile
    start: int
    end: int


class Val:
    """One alternative. `site` is where it was made, or None."""

    __slots__ = ("site",)
    site: Site | None


class Const(Val):
    """A constant or computed scalar: int, float, str or bool. `type` is a named type where one is known."""

    __slots__ = ("type", "value")

    def __init__(self, value: Any, type_: Type | None = None, site: Site | None = None) -> None:
        self.value, self.type, self.site = value, type_, site

    def __repr__(self) -> str:
        return f"Const({self.value!r})"


class Assumed(Const):
    """A stand-in for a number that comes from outside, so that a simulation can go on."""

    __slots__ = ()


class Text(Const):
    """A text that was put together: the form, and the parts that were put into it."""

    __slots__ = ("form", "parts")

    def __init__(self, value: str, form: str, parts: tuple[Any, ...], site: Site | None = None) -> None:
        super().__init__(value, None, site)
        self.form, self.parts = form, parts


class Nil(Val):
    """The nil of a pointer, interface, map, slice, channel or function type.

    `type` is the named type of the repository, if it is one whose methods can be called on nil slices and the like.
    """

    __slots__ = ("type",)

    def __init__(self, site: Site | None = None, type_: Type | None = None) -> None:
        self.site, self.type = site, type_

    def __repr__(self) -> str:
        return "Nil"


class Func(Val):
    """A function of the repository: a declaration or literal with its captured scope and bound receiver.

    `type` is the named function type that it was converted to, which may have methods of its own.
    """

    __slots__ = ("file", "node", "package", "receiver", "scope", "type")

    def __init__(
        self,
        node: FuncDecl | FuncLit,
        file: GoFile,
        package: Any,
        scope: Any = None,
        receiver: Value | None = None,
        site: Site | None = None,
        type_: Type | None = None,
    ) -> None:
        self.node, self.file, self.package, self.scope, self.receiver = node, file, package, scope, receiver
        self.site, self.type = site, type_

    def __repr__(self) -> str:
        return f"Func({getattr(self.node, 'name', 'literal')})"


class Struct(Val):
    """A struct by value. Fields that are not there have their zero value, unless `open`: then unknown."""

    __slots__ = ("fields", "open", "type")

    def __init__(
        self, type_: Type | None, fields: dict[str, Value], open_: bool = False, site: Site | None = None
    ) -> None:
        self.type, self.fields, self.open, self.site = type_, fields, open_, site

    def __repr__(self) -> str:
        return f"Struct({self.type}, {sorted(self.fields)})"


class Pointer(Val):
    """The address of a cell, or of a field path or element inside it."""

    __slots__ = ("cell", "path")

    def __init__(self, cell: Cell, path: tuple[str, ...] = (), site: Site | None = None) -> None:
        self.cell, self.path, self.site = cell, path, site

    def __repr__(self) -> str:
        return f"Pointer({self.cell}, {self.path})"


class Array:
    """The array behind a slice: what may be appended in place, where that is known."""

    __slots__ = ("capacity",)

    def __init__(self, capacity: int | None = None) -> None:
        self.capacity = capacity


class Seq(Val):
    """A slice, array or list of variadic arguments. `open` means that more elements may follow.

    `backing` is the array behind a slice and the position of its first element there: slices of one array see
    each other's elements. None for arrays and where nobody else can have a slice of it.
    """

    __slots__ = ("backing", "items", "open", "type")

    def __init__(
        self,
        items: tuple[Value, ...],
        open_: bool = False,
        type_: Type | None = None,
        site: Site | None = None,
        backing: tuple[Array, int] | None = None,
    ) -> None:
        self.items, self.open, self.type, self.site = items, open_, type_, site
        self.backing = backing

    def __repr__(self) -> str:
        return f"Seq({self.items}{', ...' if self.open else ''})"


class Rest(Val):
    """An element of a `Seq` that stands for any number of elements: those of `source`, which is not a `Seq`."""

    __slots__ = ("source",)

    def __init__(self, source: Val) -> None:
        self.source, self.site = source, source.site

    def __repr__(self) -> str:
        return f"Rest({self.source})"


class Map(Val):
    """A map. Like pointers, maps are references: the content lives in a cell as `MapData`."""

    __slots__ = ("cell", "type")

    def __init__(self, cell: Cell, type_: Type | None = None, site: Site | None = None) -> None:
        self.cell, self.type, self.site = cell, type_, site


SET_ELSEWHERE = ("set elsewhere",)  # the key of what functions put into a map that is a package variable


class MapData(Val):
    """Entries of a map by constant key. `open` means that there may be others."""

    __slots__ = ("entries", "open")

    def __init__(self, entries: dict[Any, Value], open_: bool = False) -> None:
        self.entries, self.open, self.site = entries, open_, None


class Extern(Val):
    """Something outside the repository: a call (`args` is a tuple) or a reference (`args` is None).

    `path` is the import path, `name` the function, variable or type; for a method `recv` is the receiver and
    `name` is the method. `state` is the memory at the time of the call.
    """

    __slots__ = ("args", "index", "name", "path", "recv", "spread", "state")

    def __init__(
        self,
        path: str,
        name: str,
        args: tuple[Value, ...] | None = None,
        *,
        recv: Value | None = None,
        spread: bool = False,
        index: int = 0,
        state: State | None = None,
        site: Site | None = None,
    ) -> None:
        self.path, self.name, self.args, self.recv = path, name, args, recv
        self.spread, self.index, self.state, self.site = spread, index, state, site

    def __repr__(self) -> str:
        return f"Extern({self.path}.{self.name}{'' if self.args is None else '(...)'})"


class TypeValue(Val):
    """A type used as an operand: of a conversion, make, new or a method expression."""

    __slots__ = ("type",)

    def __init__(self, type_: Type, site: Site | None = None) -> None:
        self.type, self.site = type_, site


class Input(Val):
    """What the caller or the environment decides: a parameter, a receiver, or a field of one.

    `origin` names it for people ("parameter opts"), `key` identifies it.
    """

    __slots__ = ("key", "origin", "type")

    def __init__(self, origin: str, type_: Type | None, key: Any, site: Site | None = None) -> None:
        self.origin, self.type, self.key, self.site = origin, type_, key, site

    def __repr__(self) -> str:
        return f"Input({self.origin})"


class Opaque(Val):
    """A non-nil value with an identity and nothing else, planted by a simulation: a handler, an invoker...

    `on_call` runs when it is called: it gets the evaluator, the arguments and the state, and gives the results.
    """

    __slots__ = ("label", "on_call", "type")

    def __init__(
        self, label: str, type_: Type | None = None, on_call: Callable[..., Any] | None = None
    ) -> None:
        self.label, self.type, self.on_call, self.site = label, type_, on_call, None

    @property
    def meaning(self) -> object:
        """What tells it apart from others that are planted, hashable."""
        return self.label

    def __repr__(self) -> str:
        return f"Opaque({self.label})"


class Unknown(Val):
    """Cannot be known. `broken` when a file did not parse or a limit was hit."""

    __slots__ = ("broken", "reason", "type")

    def __init__(
        self, reason: str, site: Site | None = None, *, type_: Type | None = None, broken: bool = False
    ) -> None:
        self.reason, self.site, self.type, self.broken = reason, site, type_, broken

    def __repr__(self) -> str:
        return f"Unknown({self.reason})"


class Lazy(Val):
    """A result of a call that has not been evaluated yet, because nobody needed it.

    With `conditions` only the ways out of the call count on which another result, by its index, is known to be "nil",
    "non-nil", "true" or "false".
    """

    __slots__ = ("call", "conditions", "index", "type")

    def __init__(
        self,
        call: Any,
        index: int,
        type_: Type | None,
        site: Site | None,
        conditions: frozenset[tuple[int, str]] = frozenset(),
    ) -> None:
        self.call, self.index, self.type, self.site = call, index, type_, site
        self.conditions = conditions

    def __repr__(self) -> str:
        return f"Lazy({self.call})"

    def given(self, condition: tuple[int, str]) -> Lazy:
        """The result with one more condition that is known to hold."""
        return Lazy(self.call, self.index, self.type, self.site, self.conditions | {condition})


Value = tuple[Val, ...]

TRUE = Const(True)
FALSE = Const(False)
NIL: Value = (Nil(),)


def same(a: Val, b: Val) -> bool:
    """True when two alternatives say the same, wherever they were made."""
    if a is b:
        return True
    kind = type(a)
    if kind is not type(b):
        return False
    compare = _SAME.get(kind)
    if compare is None:
        compare = next((_SAME[base] for base in kind.__mro__ if base in _SAME), None)
    return compare is not None and compare(a, b)


def _same_call(a: Extern, b: Extern) -> bool:
    return (
        a.site == b.site
        and a.name == b.name
        and a.path == b.path
        and a.index == b.index
        and a.args == b.args
        and a.recv == b.recv
    )


def _same_list(a: Seq, b: Seq) -> bool:
    if a.open != b.open or len(a.items) != len(b.items):
        return False
    for x, y in zip(a.items, b.items, strict=True):
        if x is y:
            continue
        if len(x) == 1 and len(y) == 1:
            if not same(x[0], y[0]):
                return False
        elif union(x, y) is not x:
            return False
    return True


_SAME: dict[type, Callable[[Any, Any], bool]] = {
    Const: lambda a, b: bool(a.value == b.value) and type(a.value) is type(b.value),
    Assumed: lambda a, b: bool(a.value == b.value) and type(a.value) is type(b.value),
    Nil: lambda a, b: True,
    Pointer: lambda a, b: bool(a.cell == b.cell) and a.path == b.path,
    Map: lambda a, b: bool(a.cell == b.cell),
    Unknown: lambda a, b: a.reason == b.reason and a.broken == b.broken,
    Input: lambda a, b: bool(a.key == b.key),
    Func: lambda a, b: a.node is b.node and a.scope is b.scope and a.receiver == b.receiver,
    Extern: _same_call,
    Seq: _same_list,
    Lazy: lambda a, b: a.call is b.call and a.index == b.index and a.conditions == b.conditions,
}


def union(a: Value, b: Value) -> Value:
    """All alternatives of both; `a` itself when `b` adds nothing."""
    if a is b:
        return a
    added: list[Val] = []
    for y in b:
        if y in a:  # the very same, which is most often so where paths meet
            continue
        kind = type(y)
        compare = _SAME.get(kind, same)
        for x in a:
            if type(x) is kind and compare(x, y):
                break
        else:
            added.append(y)
    if not added:
        return a
    if len(a) + len(added) > MAX_ALTERNATIVES:
        return widen([*a, *added])
    return (*a, *added)


def widen(alternatives: Iterable[Val], most: int = MAX_ALTERNATIVES) -> Value:
    """The first alternatives, and a mark that there are more than are followed."""
    kept = [v for v in alternatives if not isinstance(v, Unknown)][: most - 1]
    return (*kept, Unknown("more alternatives than are followed"))


PURE = (
    "strings",
    "path",
    "fmt",
    "strconv",
    "text",
    "slice",
)  # packages whose functions give equal results twice


def key_of(value: Value) -> Any:
    """What identifies a map key: a constant, or `("?same", ...)` for a text whose content is not known.

    None when two keys that look alike may differ.
    """
    if len(value) != 1:
        return None
    v = value[0]
    if isinstance(v, Const):
        return v.value
    parts = _identity(v, 0)
    return None if parts is None else ("?same", parts)


def _identity(v: Val, depth: int) -> Any:
    if isinstance(v, Const):
        return v.value
    if isinstance(v, Opaque):
        return ("opaque", id(v))
    if depth > 6 or not isinstance(v, Extern) or v.args is None:
        return None
    if not v.path.startswith(PURE) and v.name != "Target":
        return None
    parts = [_identity(x, depth + 1) for part in (*v.args, *([v.recv] if v.recv else [])) for x in part]
    return None if None in parts else (v.path, v.name, v.index, *parts)


_clock = itertools.count(1)


def now() -> int:
    """A moment of the evaluation, later than all before."""
    return next(_clock)


class State:
    """Memory on one group of paths. `dead` once no path goes on. `since` is when it last parted from another."""

    __slots__ = ("cells", "dead", "since")

    def __init__(self, cells: Cells | None = None, since: int = 0) -> None:
        self.cells = Cells() if cells is None else cells
        self.dead = False
        self.since = since

    def fork(self) -> State:
        """An independent copy, for another path."""
        self.since = now()
        return State(self.cells.copy(), self.since)

    def snapshot(self) -> State:
        """A copy of how memory is at this moment, on no path."""
        return State(self.cells.copy(), self.since)

    def become(self, other: State) -> None:
        """Takes over the memory of another state."""
        self.cells = other.cells
        self.dead = other.dead


# What a cell holds on paths that never touched it, if it was there when these parted at a moment; else None.
Base = Callable[[Cell, int], "Value | None"]


def join(states: Iterable[State | None], base: Base | None = None) -> State | None:
    """Memory after paths meet; None when no path arrives."""
    alive = [s for s in states if s is not None and not s.dead]
    if not alive:
        return None
    result = alive[0]
    for other in alive[1:]:
        if other is not result:
            result = _join_two(result, other, base)
    return result


def _join_two(a: State, b: State, base: Base | None) -> State:
    parted = min(a.since, b.since)

    def meet(cell: Cell, mine: Value | None, theirs: Value | None) -> Value:
        if mine is None:
            assert theirs is not None
            mine = base(cell, parted) if base is not None else None
            return theirs if mine is None else merge(mine, theirs)
        if theirs is None:
            theirs = base(cell, parted) if base is not None else None
            return mine if theirs is None else merge(mine, theirs)
        return merge(mine, theirs)

    return State(a.cells.joined(b.cells, meet), parted)


def merge(a: Value, b: Value) -> Value:
    """Like union, but structs of one type become one struct, field by field, so that work stays bounded."""
    if len(a) == 1 and len(b) == 1:
        x, y = a[0], b[0]
        if isinstance(x, Struct) and isinstance(y, Struct) and x.type is y.type:
            joined = _merge_structs(x, y)
            return a if joined is x else (joined,)
        if isinstance(x, MapData) and isinstance(y, MapData):
            both = _merge_maps(x, y)
            return a if both is x else (both,)
    return union(a, b)


def _merge_structs(x: Struct, y: Struct) -> Val:
    if x is y:
        return x
    fields: dict[str, Value] = {}
    for name in [*x.fields, *(n for n in y.fields if n not in x.fields)]:
        p, q = x.fields.get(name), y.fields.get(name)
        if p is None or q is None:
            known = p if p is not None else q
            missing = y if q is None else x
            other: Value = (
                (Unknown(f"field {name} may have been set elsewhere"),) if missing.open else (ZERO,)
            )
            assert known is not None
            fields[name] = known if p is q else union(known, other)
        else:
            fields[name] = p if p is q else merge(p, q)
    if x.open >= y.open and len(fields) == len(x.fields) and all(fields[n] is v for n, v in x.fields.items()):
        return x  # the same object, so that nobody has to compare the two again
    return Struct(x.type, fields, x.open or y.open, x.site)


def _merge_maps(x: MapData, y: MapData) -> Val:
    entries = dict(x.entries)
    for key, value in y.entries.items():
        mine = entries.get(key)
        entries[key] = value if mine is None else merge(mine, value)
    shared = set(x.entries) == set(y.entries)
    if shared and x.open >= y.open and all(entries[k] is v for k, v in x.entries.items()):
        return x
    return MapData(entries, x.open or y.open or not shared)


class Zero(Val):
    """The zero value of a type that is not looked up before somebody asks."""

    __slots__ = ()

    def __init__(self) -> None:
        self.site = None

    def __repr__(self) -> str:
        return "Zero"


ZERO = Zero()


def sites_of(v: Val, note: str = "the interceptor") -> tuple[tuple[Site, str], ...]:
    """Where a value comes from, as proof."""
    if isinstance(v, Func):
        return ((Site(v.file, v.node.start, v.node.start + 4), note),)
    return ((v.site, note),) if v.site is not None else ()
