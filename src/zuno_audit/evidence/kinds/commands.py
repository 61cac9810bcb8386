"""Commands: how they ended, as the sidecar says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, still_open
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Argument: `run`, the command; a run of it may have more options, and must have ended with 0."""
    wanted = arguments["run"].split()
    runs = [one for one in seen if _is_run_of(one.meta.command, wanted)]
    ended = [one for one in runs if one.meta.exit_status is not None]
    bad = [one for one in ended if one.meta.exit_status != 0]
    if bad:
        faults = [
            Fault(one, f"`{' '.join(one.meta.command)}` ended with {one.meta.exit_status}.", "run")
            for one in bad
        ]
        good = (("run", one.path) for one in ended if one.meta.exit_status == 0)
        return broken(f"`{arguments['run']}` failed.", faults, good)
    if not ended:
        why = "is not known how it ended" if runs else "was not recorded"
        return still_open(f"`{arguments['run']}`: it {why}")
    return holds(f"`{' '.join(ended[0].meta.command)}` ended with exit status 0.", ended)


def tidy(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """`go mod tidy -diff` shows nothing."""
    diffs = [one for one in seen if one.observation.kind == "tidy"]
    bad = [one for one in diffs if one.observation.state == "changes"]
    if bad:
        message = f"go mod tidy would change {bad[0].observation.number:g} lines."
        good = (("tidy", one.path) for one in diffs if one.observation.state != "changes")
        return broken(message, [Fault(one, message, "tidy") for one in bad], good)
    if any(one.meta.exit_status not in (None, 0) for one in diffs):
        return still_open("go mod tidy did not get to its end")
    if not diffs:
        return still_open("no output of `go mod tidy -diff`")
    return holds("go mod tidy changes nothing.", diffs)


def _is_run_of(command: Sequence[str], wanted: Sequence[str]) -> bool:
    """The same program and words in the same order; options may stand between them."""
    if not command or not wanted or command[0].rpartition("/")[2] != wanted[0]:
        return False
    rest = iter(command[1:])
    return all(any(word == other for other in rest) for word in wanted[1:])
