"""Docker images: they are there, and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, matches, still_open
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `images` (patterns of repositories), `count` (how many there must be), `below_mb`."""
    patterns, count = arguments.get("images", "*"), int(arguments.get("count", "1"))
    ours = [one for one in seen if matches(one.observation.name.rpartition("/")[2], patterns)]
    names = {one.observation.name for one in ours}
    limit = float(arguments["below_mb"]) if "below_mb" in arguments else None
    large = [one for one in ours if limit is not None and (one.observation.number or 0) >= limit * 1e6]
    if large:
        good = (
            (o.observation.name, o.path) for o in ours if (o.observation.number or 0) < (limit or 0) * 1e6
        )
        return broken(
            f"{len(large)} of {len(names)} images are not below {limit:g} MB.",
            [_too_large(one, limit or 0) for one in large],
            good,
        )
    if len(names) < count:
        if ours and limit is None:
            message = f"Only {len(names)} of {count} images called {patterns} are listed."
            return broken(message, [Fault(ours[0], message, "count")])
        return still_open(f"{len(names)} of {count} images called {patterns} are listed")
    size = f", the largest {_largest(ours):.1f} MB, below {limit:g} MB" if limit is not None else ""
    return holds(f"{len(names)} images{size}.", ours)


def _too_large(one: Seen, limit: float) -> Fault:
    size = (one.observation.number or 0) / 1e6
    return Fault(
        one, f"{one.observation.name} has {size:.1f} MB; it must be below {limit:g} MB.", one.observation.name
    )


def _largest(images: Sequence[Seen]) -> float:
    return max(one.observation.number or 0 for one in images) / 1e6
