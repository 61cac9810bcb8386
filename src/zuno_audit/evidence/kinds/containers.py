"""Containers: every service runs, and is healthy where it says how it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, named, still_open, words
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Argument: `services`, all of which must run. A service that is not listed does not run.

    A one-off service that ended is listed by `ps --all` only; it counts as down when it is among `services`.
    """
    wanted = words(arguments["services"])
    ours = [one for one in seen if one.observation.name in wanted or not _is_up(one)]
    down = [one for one in ours if not _is_up(one) and one.observation.state != "exited"]
    down += [one for one in ours if one.observation.state == "exited" and one.observation.name in wanted]
    if down:
        good = ((one.observation.name, one.path) for one in ours if _is_up(one))
        return broken(
            f"{len(down)} services do not run: {named(one.observation.name for one in down)}.",
            [_fault(one) for one in down],
            good,
        )
    missing = set(wanted) - {one.observation.name for one in ours}
    starting = [one for one in ours if one.observation.label("health") == "starting"]
    if starting:
        return still_open(f"{named(one.observation.name for one in starting)} is still starting")
    if missing and ours:
        message = f"{len(missing)} of {len(wanted)} services are not listed: {named(missing)}."
        return broken(message, [Fault(ours[0], message, "missing")])
    if missing:
        return still_open("none of the services is listed")
    return holds(f"{len(wanted)} of {len(wanted)} services run and none is unhealthy.", ours)


def _is_up(one: Seen) -> bool:
    return one.observation.state == "running" and one.observation.label("health") != "unhealthy"


def _fault(one: Seen) -> Fault:
    health = one.observation.label("health")
    state = f"{one.observation.state or 'unknown'}{f', {health}' if health else ''}"
    return Fault(one, f"Service {one.observation.name} is {state}, not running.", one.observation.name)
