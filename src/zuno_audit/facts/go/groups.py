"""Groups of goroutines for simulations: golang.org/x/sync/errgroup and `WaitGroup.Go`.

What a group runs has run when somebody waits for it. A panic in it is stopped by nobody outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.go import library
from zuno_audit.facts.go.values import NIL, TRUE, Extern, Nil, Pointer, Site, State, Struct, Unknown, Value

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model

ERRGROUP = "golang.org/x/sync/errgroup"


def _group(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """errgroup.WithContext: a group and a context."""
    group = ev.allocate((Struct(ev.types.extern(ERRGROUP, "Group"), {}),), state, site)
    return [(group,), args[0]] if args else None


def _in_group(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """Group.Go: its function has run before Wait returns, which gives the first error."""
    owner = library.pointer(v.recv)
    if owner is None or not args:
        return None
    kept = Pointer(owner.cell, (*owner.path, "error"))
    results = ev.in_goroutine(ev.force(args[0]), state, site)
    error = ev.force(results[0]) if results else NIL
    if not state.dead and all(ev.is_nil(e) is not False for e in library.peek(ev, kept, state, Nil())):
        ev.store(kept.cell, kept.path, error, state)
    return [(TRUE,)]


def _group_error(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    owner = library.pointer(v.recv)
    if owner is None:
        return None
    return [library.peek(ev, Pointer(owner.cell, (*owner.path, "error")), state, Nil())]


def _beside(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """WaitGroup.Go: a goroutine without a result."""
    if args:
        ev.in_goroutine(ev.force(args[0]), state, site)
    return [(Unknown("no value"),)]


MODELS: dict[tuple[str, str], Model] = {
    (ERRGROUP, "WithContext"): _group,
    (ERRGROUP, ".Go"): _in_group,
    (ERRGROUP, ".TryGo"): _in_group,
    (ERRGROUP, ".Wait"): _group_error,
    ("sync", ".Go"): _beside,
}
