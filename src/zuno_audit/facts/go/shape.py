"""When are two values alike enough that a simulation gives the same answer for both?

The shape of a value is everything that a simulation can see of it: code, constants, structure, and types where
values are not known. Five clients built by one constructor have interceptors of one shape, so one trial does.
"""

from __future__ import annotations

from typing import Any, Literal

from zuno_audit.facts.go.evaluate import Evaluator, Scope
from zuno_audit.facts.go.values import (
    Const,
    Extern,
    Func,
    Input,
    Lazy,
    Map,
    MapData,
    Nil,
    Opaque,
    Pointer,
    Rest,
    Seq,
    State,
    Struct,
    Text,
    TypeValue,
    Unknown,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s

MAX_NODES = 3_000


class _TooLarge(Exception):
    pass


Texts = Literal["any", "alike", "same"]
LEVELS: tuple[Texts, ...] = ("any", "alike", "same")


def shape(ev: Evaluator, v: Val, state: State, *, texts: Texts = "same") -> object | None:
    """A hashable shape, or None when the value is too large to describe.

    With `any` all texts look alike: for simulations that never looked at one. With `alike` it shows which of them are
    equal, and how they were put together: for those that asked no more.
    """
    walker = _Walker(ev, state, texts, {})
    try:
        return walker.val(v)
    except (_TooLarge, RecursionError):
        return None


def shapes(ev: Evaluator, v: Val, state: State) -> tuple[object | None, ...]:
    """The shapes of a value by `LEVELS`, the coarsest first."""
    return tuple(shape(ev, v, state, texts=level) for level in LEVELS)


def level_of(ev: Evaluator) -> int:
    """The place among `LEVELS` of the coarsest shape that decided what a simulation saw."""
    return 2 if ev.text_tested else 1 if ev.texts_compared else 0


class _Walker:
    def __init__(self, ev: Evaluator, state: State, texts: Texts, numbers: dict[str, int]) -> None:
        self.ev, self.state, self.texts, self.numbers = ev, state, texts, numbers
        self.cells: dict[Any, int] = {}
        self.scopes: dict[tuple[int, int], int] = {}
        self.planted: dict[int, int] = {}
        self.left = MAX_NODES

    def value(self, value: Value) -> object:
        return tuple(self.val(v) for v in value)

    def val(self, v: Val) -> object:
        self.left -= 1
        if self.left < 0:
            raise _TooLarge
        match v:
            case Const() if isinstance(v.value, str) and self.texts != "same":
                return self.text(v)
            case Input() if v.type is not None and v.type.name == "string" and self.texts == "any":
                return ("text",)
            case Const():
                return ("const", v.value, type(v).__name__, id(v.type))
            case Func():
                receiver = self.value(v.receiver) if v.receiver is not None else None
                return ("func", id(v.node), id(v.type), receiver, self.scope(v.scope, v.node))
            case Struct():
                fields = tuple((name, self.value(x)) for name, x in sorted(v.fields.items()))
                return ("struct", id(v.type), v.open, fields)
            case Pointer():
                return ("pointer", self.cell(v.cell), v.path)
            case Seq():
                return ("seq", v.open, id(v.type), tuple(self.value(i) for i in v.items))
            case Map():
                return ("map", id(v.type), self.cell(v.cell))
            case MapData():
                entries = tuple((repr(k), self.value(x)) for k, x in v.entries.items())
                return ("data", v.open, entries)
            case Extern():
                args = None if v.args is None else tuple(self.value(a) for a in v.args)
                recv = None if v.recv is None else self.value(v.recv)
                return ("extern", v.path, v.name, v.index, args, recv)
            case Lazy():
                return self.lazy(v)
            case Input():
                return ("input", v.key)
            case Unknown():
                return ("unknown", v.reason, id(v.type), v.broken)
            case Rest():
                return ("rest", self.val(v.source))
            case TypeValue():
                return ("type", id(v.type))
            case Nil():
                return ("nil", id(v.type))
            case Opaque():
                number = self.planted.setdefault(id(v), len(self.planted))
                return ("opaque", number, id(v.type), v.meaning)
        return (type(v).__name__,)

    def text(self, v: Const) -> object:
        """All texts look alike, or all that are equal and were put together in the same way."""
        if self.texts == "any":
            return ("text",)
        form = v.form if isinstance(v, Text) else None
        return (
            "text",
            self.numbers.setdefault(v.value, len(self.numbers)) if v.value else "",
            form,
            id(v.type),
        )

    def lazy(self, v: Lazy) -> object:
        """A call that was not evaluated looks like another of the same function on the same values."""
        call = v.call
        known = call.shapes.get(self.texts)
        if known is not None:  # as it looked before it was evaluated
            return ("lazy", v.index, v.conditions, known)
        if call.exits is not None or call.state is None:
            return ("forced", self.value(self.ev.force((v,))))
        inner = _Walker(self.ev, call.state, self.texts, self.numbers)
        inner.left = self.left
        args = tuple(inner.value(a) for a in call.args)
        receiver = inner.value(call.func.receiver) if call.func.receiver is not None else None
        scope = inner.scope(call.func.scope, call.func.node)
        self.left = inner.left
        known = (id(call.func.node), args, receiver, scope)
        if self.texts != "alike":  # the numbers of its texts depend on what was seen before
            call.shapes[self.texts] = known
        return ("lazy", v.index, v.conditions, known)

    def cell(self, cell: Any) -> object:
        """A cell by its content; a cell that is met again by its number, so cycles end."""
        if cell in self.cells:
            return ("cell", self.cells[cell])
        self.cells[cell] = len(self.cells)
        if type(cell) is tuple:
            return cell
        return self.value(self.ev.read(cell, self.state))

    def scope(self, scope: Scope | None, node: s.FuncDecl | s.FuncLit) -> object:
        """The variables around a function that it names itself."""
        if scope is None:
            return None
        key = (id(scope), id(node))
        if key in self.scopes:
            return ("scope", self.scopes[key])
        self.scopes[key] = len(self.scopes)
        used = s.names_in(node)
        names = tuple((name, self.cell(cell)) for name, cell in scope.names.items() if name in used)
        return (names, self.scope(scope.parent, node))
