"""The settings that a breaker's configuration has, whether or not the breaker works.

A composite literal (or a struct) is taken for such a configuration when its fields say how many failures open
it, how long it stays open and how many calls are let through while it tries.
"""

from __future__ import annotations

import re

from zuno_audit.facts.go.evaluate import Evaluator
from zuno_audit.facts.go.values import Const, Site, Struct, Value

SECOND = 1_000_000_000
_FIELDS = {
    "max_failures": re.compile(r"(?i)fail|threshold|maxerrors|trip"),
    "reset_timeout_s": re.compile(r"(?i)^(?:reset|open|recovery|cool|sleep).*|^timeout$|(?:reset|open)(?:timeout|window|for)"),
    "half_open_max_calls": re.compile(r"(?i)half|probe|trial|maxrequests|maxcalls|success"),
}


class ConfiguredSettings:
    """Collects configurations while an evaluator runs."""

    _key = "breaker configurations"

    @classmethod
    def watch(cls, ev: Evaluator) -> None:
        """Makes the evaluator remember the configurations that it comes by."""
        seen: list[Struct] = []
        ev.notes[cls._key] = seen

        def on_struct(struct: Struct) -> None:
            if _roles(struct) is not None:
                seen.append(struct)

        ev.on_struct = on_struct

    @classmethod
    def found(cls, ev: Evaluator) -> dict[str, tuple[float | int | None, Site | None]] | None:
        """The settings by field of `grpc_client`, or None when there is no configuration or several differ."""
        structs = ev.notes.get(cls._key) or []
        results: list[dict[str, tuple[float | int | None, Site | None]]] = []
        for struct in structs:
            roles = _roles(struct)
            assert roles is not None
            result = {role: _number(ev, struct.fields[name], role) for role, name in roles.items()}
            if not any({r: v for r, (v, _) in known.items()} == {r: v for r, (v, _) in result.items()} for known in results):
                results.append(result)
        return results[0] if len(results) == 1 else None


def _roles(struct: Struct) -> dict[str, str] | None:
    """Which field of a struct plays which role, or None when a role is missing."""
    roles: dict[str, str] = {}
    for role, pattern in _FIELDS.items():
        names = [n for n in struct.fields if pattern.search(n) and n not in roles.values()]
        if not names:
            return None
        roles[role] = names[0]
    return roles


def _number(ev: Evaluator, value: Value, role: str) -> tuple[float | int | None, Site | None]:
    forced = ev.force(value)
    if len(forced) != 1 or not isinstance(forced[0], Const):
        return None, None
    v = forced[0]
    if isinstance(v.value, bool) or not isinstance(v.value, int | float):
        return None, v.site
    return (v.value / SECOND if role == "reset_timeout_s" else int(v.value)), v.site
