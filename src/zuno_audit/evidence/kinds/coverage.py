"""Coverage: the share of statements that tests reach, over the whole tree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, named, still_open
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Argument: `more_than`, a percentage that must be exceeded.

    A profile that leaves packages out says nothing of the whole. Of several whole profiles the worst counts.
    """
    floor = float(arguments["more_than"])
    partial = []
    shares: list[tuple[float, Seen]] = []
    for path in dict.fromkeys(one.path for one in seen):
        mine = [one for one in seen if one.path == path]
        missing = _left_out(mine, tree)
        if missing:
            partial.append(f"{path} leaves out {named(missing)}")
        elif (share := _share(mine)) is not None:
            shares.append((share, mine[0]))
    if not shares:
        return still_open("; ".join(partial) or "the profile holds no statement of this repository")
    low = [(share, one) for share, one in shares if share <= floor]
    if low:
        return _too_low(low, shares, floor)
    worst = min(share for share, _ in shares)
    return holds(f"{worst:.1f} % of statements, more than {floor:g} %.", [one for _, one in shares])


def _too_low(
    low: Sequence[tuple[float, Seen]], shares: Sequence[tuple[float, Seen]], floor: float
) -> Judgement:
    worst = min(share for share, _ in low)
    faults = [
        Fault(one, f"Tests cover {share:.1f} % of statements; it must be more than {floor:g} %.", "total")
        for share, one in low
    ]
    good = (("total", one.path) for share, one in shares if share > floor)
    return broken(f"{worst:.1f} % of statements, not more than {floor:g} %.", faults, good)


def _left_out(profile: Sequence[Seen], tree: Tree) -> set[str]:
    covered = {tree.folder_of(one.observation.name) for one in profile}
    return {folder or "." for folder in tree.code_folders if folder not in covered}


def _share(profile: Sequence[Seen]) -> float | None:
    total = sum(one.observation.number or 0 for one in profile)
    return 100 * sum(float(one.observation.label("covered")) for one in profile) / total if total else None
