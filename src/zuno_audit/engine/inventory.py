"""Takes the inventory of a repository, its lists shared between two processes where that is safe."""

from __future__ import annotations

from typing import Any

from zuno_audit.engine.share import can_share, run_shared
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.go.inventory import SCHEMA, sections

# neighbours need the same facts, and both halves take about as long
_ORDER = ("metrics", "secret_leaks", "env_vars", "log_decoders", "grpc_clients", "grpc_servers")


def take_inventory(store: FactStore, *, include_all: bool, jobs: int) -> dict[str, Any]:
    """The inventory as `zuno-audit/inventory/v1`; with more than one of `jobs` a second process helps."""
    lists = sections(store, include_all=include_all)
    names = sorted(lists, key=_ORDER.index)
    if can_share(jobs):
        taken, _ = run_shared(names, lambda name: lists[name](), lambda: None)
    else:
        taken = [lists[name]() for name in names]
    rows = dict(zip(names, taken, strict=True))
    return {"schema": SCHEMA, **{name: rows[name] for name in lists}}
