"""Channels in simulations: how full one is, and whether it is closed, decides what a `select` does.

A channel is the `Extern` of its `make`; what waits in it lies in a memory cell named after the place that made
it. One without a buffer holds what a goroutine sent that ran before somebody receives it. Channels that are made
elsewhere are not followed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.values import TRUE, Const, Extern, Opaque, Seq, Site, State, Val, Value
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluation.memory import Memory
    from zuno_audit.facts.go.evaluation.records import Scope

MAX_CAPACITY = 1024


def _buffer(ev: Memory, channel: Value, state: State) -> tuple[tuple[str, Site], Seq, int] | None:
    """The cell of a channel, what waits in it and its capacity; None when it is not followed."""
    v = channel[0] if len(channel) == 1 else None
    if not isinstance(v, Extern) or (v.path, v.name) != ("builtin", "make") or v.site is None:
        return None
    size = ev.force(v.args[0]) if v.args else (Const(0),)
    capacity = size[0].value if len(size) == 1 and isinstance(size[0], Const) else None
    if not isinstance(capacity, int) or not 0 <= capacity <= MAX_CAPACITY:
        return None
    cell = ("channel", v.site)
    held = state.cells.get(cell) or (Seq(()),)
    return (cell, held[0], capacity) if len(held) == 1 and isinstance(held[0], Seq) else None


def send(ev: Memory, channel: Value, value: Value, state: State) -> None:
    """`channel <- value`; into a full channel somebody takes first."""
    found = _buffer(ev, channel, state)
    if found is not None:
        cell, held, capacity = found
        state.cells[cell] = (Seq((*held.items, value)[-max(capacity, 1) :]),)


def receive(ev: Memory, channel: Value, state: State) -> Value | None:
    """`<-channel`, or None when what comes out of it is not known."""
    found = _buffer(ev, channel, state)
    if found is None or not found[1].items:
        return None
    cell, held, _ = found
    state.cells[cell] = (Seq(held.items[1:]),)
    return held.items[0]


def close(channel: Value, state: State) -> None:
    """`close(channel)`: from now on receiving never waits."""
    v = channel[0] if len(channel) == 1 else None
    if isinstance(v, Extern) and (v.path, v.name) == ("builtin", "make") and v.site is not None:
        state.cells["closed", v.site] = (TRUE,)


def opened(site: Site, state: State) -> None:
    """A channel is made: it is empty and open."""
    state.cells.pop(("channel", site), None)
    state.cells.pop(("closed", site), None)


def is_ready(ev: Memory, comm: s.Stmt | None, scope: Scope, state: State) -> bool | None:
    """Whether the communication of a `select` case can go on at once; None when that is not known."""
    if isinstance(comm, s.Send):
        found = _buffer(ev, ev.force(ev.eval(comm.chan, scope, state)), state)
        return len(found[1].items) < found[2] if found is not None and found[2] else None
    expr = comm.x if isinstance(comm, s.ExprStmt) else comm.rhs[0] if isinstance(comm, s.Assign) else None
    if not isinstance(expr, s.Unary) or expr.op != "<-":
        return None
    channel = ev.force(ev.eval(expr.x, scope, state))
    if len(channel) == 1 and _is_never_ready(channel[0]):
        return False
    found = _buffer(ev, channel, state)
    if found is None:
        return None
    if found[1].items or state.cells.get(("closed", found[0][1])) == (TRUE,):
        return True
    return None if not found[2] and ev.left_running else False


def _is_never_ready(v: Val) -> bool:
    """`ctx.Done()` of the context that a simulation planted: nobody cancels it."""
    return isinstance(v, Extern) and v.name == "Done" and any(isinstance(x, Opaque) for x in v.recv or ())
