"""What a zerolog event says of a panic: is it written at all, and does it carry the stack?

Sources: github.com/rs/zerolog (log.go, event.go, globals.go) and the packages runtime and runtime/debug.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.values import (
    Const,
    Extern,
    Func,
    Lazy,
    Map,
    MapData,
    Nil,
    Pointer,
    Seq,
    State,
    Struct,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator

ZEROLOG = ("github.com/rs/zerolog", "github.com/rs/zerolog/log")
_LEVELS = ("trace", "debug", "info", "warn", "error", "fatal", "panic", "", "disabled")
_NUMBERS = {name: number for number, name in enumerate(_LEVELS, -1)}
_ERROR, _NO_LEVEL = 3, 6
_OFTEN_OFF = 0  # what is not above debug is written only where somebody asks for it
_SET = re.compile(rb"\bSetGlobalLevel\(\s*(?:\w+\.(\w+?)(?:Level)?\s*\))?")
_STACK_OF = {"runtime": ("Stack", "Callers"), "runtime/debug": ("Stack",)}
_GLOBAL = re.compile(rb"\bLogger\s*=[^=]")
_MARSHALER = re.compile(rb"\bErrorStackMarshaler\s*=\s*(\S+)")
# Methods of events that write numbers, which are no stack.
_PLAIN = re.compile(r"(?:Int(?!erface)|Uint|Float|Bool|Dur|Time)\w*$")
_KEEPS_A_STACK = ("github.com/pkg/errors", "github.com/go-errors/errors", "github.com/cockroachdb/errors")
MAX_VALUES = 2_000
MAX_CHAIN = 64
_PER_GLOBAL = 16  # of a chain: a logger that is made from the one before it


def captures_stack(call: Extern) -> bool:
    """True for a call that takes the stack of the goroutine that makes it."""
    if call.name not in _STACK_OF.get(call.path, ()):
        return False
    buffer = call.args[-1 if call.name == "Callers" else 0] if call.args else ()
    return not buffer or not all(_is_empty(v) for v in buffer)


def _is_empty(v: Val) -> bool:
    return isinstance(v, Nil) or (isinstance(v, Seq) and not v.items and not v.open)


# ---------------------------------------------------------------- is it written?


def is_written(ev: Evaluator, call: Extern) -> bool | None:
    """Whether a zerolog event that is sent is written: not by a logger that writes nothing, nor below the level of
    its logger or of all. None where the level is not known and may well be above that of the event.
    """
    return _is_written(ev, call, call.state, None, None, False, 0)


def _is_written(
    ev: Evaluator,
    v: Val,
    state: State | None,
    event: int | None,
    own: Value | None,
    has_writer: bool,
    depth: int,
) -> bool | None:
    """Walks from the event to its logger: `event` is its level, `own` the last level that the logger was given."""
    if not has_writer and _is_zero(ev, v, state):
        return False  # the zero Logger has no writer
    if depth > MAX_CHAIN or not (isinstance(v, Extern) and v.path in ZEROLOG):
        return _is_above(ev, event, own if own is not None else (v,))
    given = ev.force(v.args[0]) if v.args else ()
    if v.args is not None and event is None:
        if v.name == "Discard":
            return False
        event = _event_level(ev, v, given)
    elif v.args is not None:
        one = given[0] if len(given) == 1 and isinstance(given[0], Extern) else None
        if v.name == "Nop" and v.recv is None:
            return False
        if v.name in ("New", "Output"):
            if not has_writer and one is not None and one.name == "Discard":
                return False
            has_writer = True
        if v.name == "Level" and own is None:
            own = given
    if not v.recv:
        answers = {
            _is_written(ev, one, kept, event, own, has_writer, depth + _PER_GLOBAL)
            for one, kept in (_global_loggers(ev) if _is_global(v) else ())
        }
        if not answers:
            return _is_above(ev, event, own)
        return answers.pop() if len(answers) == 1 else None
    seen = v.state or state
    answers = {_is_written(ev, one, seen, event, own, has_writer, depth + 1) for one in ev.force(v.recv)}
    return answers.pop() if len(answers) == 1 else None


def _is_global(v: Extern) -> bool:
    """True for the logger of the package zerolog/log, which its functions use too."""
    return (
        v.path == ZEROLOG[1]
        and v.recv is None
        and (v.args is not None or v.name == "Logger")
        and v.name != "Ctx"
    )


def _global_loggers(ev: Evaluator) -> Iterator[tuple[Val, State]]:
    """What the program assigns to `log.Logger` of zerolog."""
    found: list[tuple[Value, State]] = []
    for path in ev.program.sources_with(b".Logger"):
        data = ev.program.repository.read(path) or b""
        if ZEROLOG[1].encode() not in data or _GLOBAL.search(data) is None:
            continue
        file, package = ev.program.file(path), ev.program.package_of(path)
        if file is None or package is None or path not in package.files:
            continue
        imported = ev.program.imported(file)
        for node in file.functions_with(b".Logger"):
            for assign in s.nodes_of(node):
                for target, value in (
                    zip(assign.lhs, assign.rhs, strict=False) if isinstance(assign, s.Assign) else ()
                ):
                    if isinstance(target, s.Selector) and target.sel == "Logger":
                        if isinstance(target.x, s.Ident) and imported.get(target.x.name) == ZEROLOG[1]:
                            other = ev.apart(ev.limits)
                            other.watch(value, lambda v, state: found.append((v, state.fork())))
                            other.run(Func(node, file, package), until=value.end + 1)
    for kept, state in found:
        for v in ev.force(kept):
            yield v, state


def _is_zero(ev: Evaluator, v: Val, state: State | None) -> bool:
    """True for a Logger that nobody has set, in a variable of a function or in a field.

    What a variable of a package gets in the end is another question.
    """
    if isinstance(v, Pointer) and state is not None:
        is_global = isinstance(v.cell, tuple) and v.cell[0] == "global"
        held = () if is_global else ev.force(ev.load(v, state))
        return bool(held) and all(isinstance(x, Struct) and _is_zero(ev, x, None) for x in held)
    type_ = v.type if isinstance(v, Struct) else None
    return (
        isinstance(v, Struct)
        and type_ is not None
        and (type_.path, type_.name) == (ZEROLOG[0], "Logger")
        and not v.fields
        and not v.open
    )


def _event_level(ev: Evaluator, v: Extern, given: Value) -> int | None:
    if v.name in ("Trace", "Debug", "Info", "Warn", "Error", "Fatal", "Panic"):
        return _NUMBERS[v.name.lower()]
    if v.name == "WithLevel":
        level = _level(ev, given)
        return _ERROR if level is None else level
    return {"Err": _ERROR, "Log": _NO_LEVEL}.get(v.name)


def _level(ev: Evaluator, value: Value) -> int | None:
    """The number of a level; None when it is not known."""
    v = value[0] if len(value) == 1 else None
    if isinstance(v, Const) and isinstance(v.value, int):
        return v.value
    if not isinstance(v, Extern) or v.path not in ZEROLOG:
        return None
    if v.args is None:
        return _NUMBERS.get(v.name.removesuffix("Level").lower())
    text = ev.force(v.args[0]) if v.name == "ParseLevel" and v.args else ()
    if len(text) == 1 and isinstance(text[0], Const) and isinstance(text[0].value, str):
        return _NUMBERS.get(text[0].value.lower())
    return None


def _global_levels(ev: Evaluator) -> Iterator[int | None]:
    """The levels below which the program lets nothing through."""
    for path in ev.program.sources_with(b"SetGlobalLevel("):
        for found in _SET.finditer(ev.program.repository.read(path) or b""):
            name = (found.group(1) or b"?").decode().lower()
            yield _NUMBERS.get("" if name == "no" else name)


def _is_above(ev: Evaluator, event: int | None, own: Value | None) -> bool | None:
    """Whether an event is written, by its level, the one of its logger and the one of all loggers."""
    number = _ERROR if event is None else event
    answers: list[bool | None] = [True]
    for levels in ([_level(ev, (v,)) for v in own or ()], list(_global_levels(ev))):
        allowed = {None if level is None else number >= level for level in levels}
        if allowed == {False}:
            return False
        if False in allowed or (None in allowed and number <= _OFTEN_OFF):
            answers.append(None)
    return None if None in answers else True


# ---------------------------------------------------------------- does it carry the stack?


def carries_stack(ev: Evaluator, call: Extern, state: State, captured: Collection[Extern]) -> bool:
    """True when an event carries a stack: the text of one of the `captured` calls, a buffer that one of them filled, or
    the stack that an error brings with it.
    """
    taken = {id(one) for one in captured}
    filled = {v.site for one in captured for value in (one.args or ()) for v in value if isinstance(v, Seq)}
    seen: set[int] = set()
    pending: list[Val] = [call]
    for _ in range(MAX_VALUES):
        if not pending:
            return False
        v = pending.pop()
        if id(v) in seen:
            continue
        seen.add(id(v))
        if id(v) in taken or (isinstance(v, Seq) and v.site is not None and v.site in filled):
            return True
        if isinstance(v, Extern) and (_is_told_by_error(ev, v) or _is_formatted(v)):
            return True
        pending.extend(_parts(ev, v, state))
    return False


def _parts(ev: Evaluator, v: Val, state: State) -> Iterator[Val]:
    """The values whose text is in that of another."""
    values: list[Value] = []
    match v:
        case Extern():
            is_text = v.path != "builtin" and not (v.path in ZEROLOG and _PLAIN.match(v.name))
            values = [*((v.args or ()) if is_text else ()), v.recv or ()]
        case Struct():
            values = list(v.fields.values())
        case Seq():
            values = list(v.items)
        case Map():
            values = [ev.read(v.cell, state)]
        case MapData():
            values = list(v.entries.values())
        case Pointer():
            values = [ev.load(v, state)]
        case Lazy():
            values = [ev.force((v,))]
    for value in values:
        yield from value


def _is_told_by_error(ev: Evaluator, v: Extern) -> bool:
    """True for `.Stack().Err(err)` of an event, where something marshals stacks and the error has one."""
    if v.path not in ZEROLOG or v.name not in ("Err", "AnErr") or not v.args:
        return False
    inner: Val | None = v
    for _ in range(MAX_CHAIN):
        inner = inner.recv[0] if isinstance(inner, Extern) and inner.recv else None
        if not isinstance(inner, Extern) or inner.name == "Stack":
            break
    if not isinstance(inner, Extern):
        return False
    read = ev.program.repository.read
    paths = ev.program.sources_with(b"ErrorStackMarshaler")
    marshals = [value for path in paths for value in _MARSHALER.findall(read(path) or b"")]
    if any(b"MarshalStack" not in value for value in marshals):
        return True  # of its own: it may take the stack itself
    return bool(marshals) and any(_brings_stack(one) for one in ev.force(v.args[-1]))


def _brings_stack(v: Val) -> bool:
    return isinstance(v, Extern) and v.path in _KEEPS_A_STACK


def _is_formatted(v: Extern) -> bool:
    """True for `%+v` of an error that keeps the stack of where it was made, or its own text of it."""
    if v.path in _KEEPS_A_STACK and v.name in ("ErrorStack", "StackTrace", "Stack"):
        return True
    if v.path != "fmt" or not v.args:
        return False
    form = v.args[0][0] if v.args[0] else None
    is_long = isinstance(form, Const) and isinstance(form.value, str) and "%+v" in form.value
    return is_long and any(_brings_stack(x) for value in v.args[1:] for x in value)
