"""Which interceptors the options of a server or connection install, on every path."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, product, zip_longest
from typing import TYPE_CHECKING

import msgspec

from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.values import (
    Extern,
    Func,
    Input,
    Lazy,
    Nil,
    Pointer,
    Rest,
    Seq,
    State,
    Struct,
    Unknown,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import CallRecord, Evaluator

MAX_PATHS = 256
MAX_VALUES = 400  # that are searched for a parameter


class Installed(msgspec.Struct):
    """The interceptors of one kind on one path, outermost first.

    `interceptors` are values (each may have alternatives). `open` names what else may be installed and is not
    known; `inputs` is true when a caller decides it, `broken` when a file did not parse. `conflict` is set when
    gRPC refuses the combination.
    """

    interceptors: list[Value] = msgspec.field(default_factory=list)
    open: list[Val] = msgspec.field(default_factory=list)
    conflict: Extern | None = None
    replaced: list[Value] = msgspec.field(default_factory=list)

    @property
    def depends_on_caller(self) -> bool:
        return any(isinstance(v, Input) for v in self.open)

    @property
    def is_broken(self) -> bool:
        return any(isinstance(v, Unknown) and v.broken for v in self.open)


def option_lists(ev: Evaluator, call: Extern, first: int) -> Iterator[list[Value]]:
    """The option lists that a call can get, one for each combination of alternatives.

    `first` is the position of the first option among the arguments.
    """
    args = call.args or ()
    fixed = list(args[first:])
    if not call.spread or not fixed:
        yield fixed
        return
    head, tail = fixed[:-1], fixed[-1]
    for v in ev.force(tail):
        if isinstance(v, Seq):
            items = list(v.items)
            if v.open and not any(isinstance(x, Rest) for item in items for x in item):
                items.append((Rest(Unknown("elements that are not known")),))
            yield [*head, *items]
        elif isinstance(v, Nil):
            yield head
        else:
            yield [*head, (Rest(v),)]


def installed(ev: Evaluator, options: list[Value], kind: str) -> Iterator[Installed]:
    """What a list of options installs, for each combination of alternatives that matters."""
    relevant: list[list[Val]] = []
    for option in _spliced(ev, options):
        choices = list(ev.force(option))
        if all(_installs_nothing(v, kind) for v in choices):
            continue
        relevant.append(choices)
    for combination in islice(product(*relevant), MAX_PATHS):
        yield _combine(ev, list(combination), kind)


def _spliced(ev: Evaluator, options: list[Value]) -> Iterator[Value]:
    """The options, with those that stand inside the last one that holds others in its place: it replaces the rest."""
    choices = [ev.force(option) for option in options]
    holding = [i for i, values in enumerate(choices) if any(_holds_others(v) for v in values)]
    for i, option in enumerate(options):
        if i not in holding:
            yield option
        elif i == holding[-1]:
            inner = choices[i][0] if len(choices[i]) == 1 else None
            lists = list(option_lists(ev, inner, 0)) if isinstance(inner, Extern) else []
            yield from lists[0] if len(lists) == 1 else [(Rest(Unknown("options that are one of several")),)]


def _holds_others(v: Val) -> bool:
    return isinstance(v, Extern) and (v.path, v.name) in lib.SPLICES


def _installs_nothing(v: Val, kind: str) -> bool:
    if isinstance(v, Struct):  # grpc.EmptyServerOption{}, grpc.EmptyDialOption{}
        return v.type is not None and v.type.kind == "extern" and v.type.path == lib.GRPC
    if not isinstance(v, Extern) or v.args is None:
        return isinstance(v, Nil)
    entry = lib.INSTALLS.get((v.path, v.name))
    if entry is not None:
        return entry[0] != kind
    if (v.path, v.name) in lib.SPLICES:
        return False
    return v.path in lib.PLAIN_OPTIONS or v.path.startswith(lib.GRPC + "/")


def _combine(ev: Evaluator, options: list[Val], kind: str) -> Installed:
    result = Installed()
    single: list[Value] | None = None
    chained: list[Value] = []
    for v in options:
        entry = lib.INSTALLS.get((v.path, v.name)) if isinstance(v, Extern) and v.args is not None else None
        if entry is None or not isinstance(v, Extern):
            if not _installs_nothing(v, kind):
                result.open.append(v.source if isinstance(v, Rest) else v)
            continue
        if entry[0] != kind:
            continue
        interceptors = _interceptor_arguments(ev, v, result)
        if entry[1] == "chain":
            chained.extend(interceptors)
        elif entry[1] == "once" and single is not None:
            result.conflict = v
        else:
            if single is not None:
                result.replaced.extend(single)
            single = interceptors
    result.interceptors = [*(single or []), *chained]
    return result


def _interceptor_arguments(ev: Evaluator, option: Extern, result: Installed) -> list[Value]:
    """The interceptors that an option gets; slices are taken apart, alternatives of a spread are merged."""
    args = list(option.args or ())
    if not option.spread or not args:
        return args
    lists = list(option_lists(ev, option, 0))
    if len(lists) == 1:
        items = lists[0]
    else:
        # Several possible slices: one interceptor position for each that all of them share, the rest is open.
        items = _shared(lists, result)
    kept: list[Value] = []
    for item in items:
        rest = [v for v in item if isinstance(v, Rest)]
        if rest:
            result.open.extend(v.source for v in rest)
        else:
            kept.append(item)
    return kept


def _shared(lists: list[list[Value]], result: Installed) -> list[Value]:
    """Several lists of interceptors as one: an alternative for each list, wrapped as a chain."""
    from zuno_audit.facts.go.values import Extern as Chain

    chains = tuple(Chain("chain", "interceptors", tuple(items)) if items else Nil() for items in lists)
    return [chains]


def members(ev: Evaluator, v: Val) -> list[Value] | None:
    """The interceptors inside one that chains others, or None when it does not."""
    if isinstance(v, Extern) and v.args is not None:
        if v.path == "chain":
            return list(v.args)
        if (v.path, v.name) in lib.CHAINS:
            if not v.spread:
                return list(v.args)
            lists = list(option_lists(ev, v, 0))
            if len(lists) == 1:
                return [tuple(x.source if isinstance(x, Rest) else x for x in item) for item in lists[0]]
            return _shared(lists, Installed())
    return None


def holds_parameter(ev: Evaluator, value: Value, state: State) -> bool:
    """True when a parameter of the function around it is somewhere in a value, or in what it points to."""
    pending: list[Val] = list(value)
    cells: set[object] = set()
    for _ in range(MAX_VALUES):
        if not pending:
            return False
        v = pending.pop()
        if isinstance(v, Input):
            if _is_parameter(v.key):
                return True
        elif isinstance(v, Extern):
            for part in (*(v.args or ()), v.recv or ()):
                pending.extend(part)
        elif isinstance(v, Seq):
            for item in v.items:
                pending.extend(item)
        elif isinstance(v, Rest):
            pending.append(v.source)
        elif isinstance(v, Struct):
            for part in v.fields.values():
                pending.extend(part)
        elif isinstance(v, Pointer) and v.cell not in cells:
            cells.add(v.cell)
            pending.extend(ev.read(v.cell, state))
        elif isinstance(v, Lazy):
            for part in _used_arguments(v.call):
                pending.extend(part)
        elif isinstance(v, Func):
            pending.extend(v.receiver or ())
            for cell in _captured(v) - cells:
                cells.add(cell)
                pending.extend(ev.read(cell, state))
    return False


def _used_arguments(call: CallRecord) -> Iterator[Value]:
    """The receiver and the arguments of a call that its function names at all."""
    node, names = call.func.node, s.names_in(call.func.node)
    if isinstance(node, s.FuncDecl) and node.receiver is not None and node.receiver.name in names:
        yield call.func.receiver or ()
    for param, value in zip_longest(node.params, call.args, fillvalue=None):
        if value is not None and (param is None or param.name in names):
            yield value


def _captured(func: Func) -> set[object]:
    """The variables around a function literal that it names."""
    found: set[object] = set()
    scope = func.scope
    names = s.names_in(func.node) if scope is not None else frozenset()
    while scope is not None:
        found.update(cell for name, cell in scope.names.items() if name in names)
        scope = scope.parent
    return found


def _is_parameter(key: object) -> bool:
    while isinstance(key, tuple) and key and isinstance(key[0], tuple):
        key = key[0]
    return isinstance(key, tuple) and key[:1] == ("param",)
