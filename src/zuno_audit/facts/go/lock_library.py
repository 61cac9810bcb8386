"""`sync.Mutex` and `sync.RWMutex` for a trial that makes one call at a time.

With nobody else there, a lock that is taken is never released by anybody: whoever waits for it waits for good,
and unlocking what is not locked ends the process (documentation of package sync). How often a lock is taken
lies in a hidden field of the variable: -1 by a writer, else the number of readers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.go.values import (
    FALSE,
    TRUE,
    Const,
    Extern,
    Pointer,
    Site,
    State,
    Struct,
    Unknown,
    Value,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model

_TAKEN = "taken"
_WRITER = -1


def _model(run: Callable[[int], int | None], *, tries: bool = False) -> Model:
    """`run` gives what becomes of a lock, or None when it cannot be done."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        owner = v.recv[0] if v.recv is not None and len(v.recv) == 1 else None
        taken = _taken(ev, owner, state) if isinstance(owner, Pointer) else None
        after = run(taken) if taken is not None else None
        if isinstance(owner, Pointer) and after is not None:
            ev.store(owner.cell, (*owner.path, _TAKEN), (Const(after),), state)
        elif taken is not None and not tries and ev.is_alone:
            state.dead = True
        if not tries:
            return [(Unknown("no value"),)]
        return [(Unknown("a lock"),)] if taken is None else [(FALSE if after is None else TRUE,)]

    return model


def _taken(ev: Evaluator, owner: Pointer, state: State) -> int | None:
    """How often a lock is taken; None when that is not known."""
    held = ev.force(ev.load(owner, state))
    if len(held) != 1 or not isinstance(held[0], Struct) or held[0].open:
        return None
    value = held[0].fields.get(_TAKEN, (Const(0),))
    count = value[0] if len(value) == 1 else None
    return count.value if isinstance(count, Const) and isinstance(count.value, int) else None


def _lock(taken: int) -> int | None:
    return _WRITER if taken == 0 else None


def _unlock(taken: int) -> int | None:
    return 0 if taken == _WRITER else None


def _read_lock(taken: int) -> int | None:
    return taken + 1 if taken >= 0 else None


def _read_unlock(taken: int) -> int | None:
    return taken - 1 if taken > 0 else None


MODELS: dict[tuple[str, str], Model] = {
    ("sync", ".Lock"): _model(_lock),
    ("sync", ".Unlock"): _model(_unlock),
    ("sync", ".RLock"): _model(_read_lock),
    ("sync", ".RUnlock"): _model(_read_unlock),
    ("sync", ".TryLock"): _model(_lock, tries=True),
    ("sync", ".TryRLock"): _model(_read_lock, tries=True),
}
