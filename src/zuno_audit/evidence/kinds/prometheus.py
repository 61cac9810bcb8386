"""Prometheus: targets are up, alerts fire, metrics exist and are in order, queries stay below a limit."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, named, still_open, words
from zuno_audit.evidence.observation import Observation, Seen
from zuno_audit.evidence.tree import Tree

_SUFFIXES = ("", "_total", "_bucket", "_count", "_sum", "_created")


def targets(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Every target is up (`health: up`, or the sample `up` is 1), and there is one."""
    found = [one for one in seen if one.observation.kind == "target" or _is_up_sample(one.observation)]
    down = [one for one in found if not _is_up(one.observation) and one.observation.state != "unknown"]
    if down:
        good = ((_name(one.observation), one.path) for one in found if _is_up(one.observation))
        reason = (
            f"{len(down)} of {len(found)} targets are not up: {named(_name(o.observation) for o in down)}."
        )
        return broken(reason, [_down(one) for one in down], good)
    if not found:
        return still_open("no list of targets")
    unknown = [one for one in found if one.observation.state == "unknown"]
    if unknown:
        return still_open(f"{named(_name(one.observation) for one in unknown)} was not scraped yet")
    missing = tree.scrape_jobs - {_job(one.observation) for one in found}
    if missing:
        return still_open(f"the list lacks the jobs {named(missing)}, which the tree configures")
    return holds(f"{len(found)} of {len(found)} targets are up.", found)


def alert(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Argument: `name`. That alert fires in one of the answers; one that does not, says nothing."""
    mine = [
        one for one in seen if one.observation.kind == "alert" and one.observation.name == arguments["name"]
    ]
    sick = [one for one in mine if one.observation.label("health") == "err"]
    if sick:
        fault = Fault(sick[0], f"The rule of {arguments['name']} cannot be evaluated.", arguments["name"])
        return broken(f"Prometheus cannot evaluate {arguments['name']}.", [fault])
    firing = [one for one in mine if one.observation.state == "firing"]
    if not firing:
        return still_open(f"{arguments['name']} fires in no answer of Prometheus")
    return holds(f"{arguments['name']} fired.", firing)


def metric(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `name` (alternatives; none means any metric at all), `state` (the label that must be 1)."""
    names = words(arguments.get("name", ""))
    found = [one for one in seen if one.observation.kind in ("sample", "metric") and _is_called(one, names)]
    if not found:
        return _no_metric(seen, names)
    state = arguments.get("state", "")
    if not state:
        return holds(f"{len(found)} lines of {named(one.observation.name for one in found)}.", found)
    samples = [one for one in found if one.observation.kind == "sample"]
    told = [one for one in samples if one.observation.label("state")]
    if not told or len(told) < len(samples):
        return still_open(f"{names[0]} has no label `state`, so its numbers cannot be read")
    bad = [one for one in told if one.observation.label("state") != state and one.observation.number != 0]
    if bad:
        reason = f"{len(bad)} of {named(names)} are not {state}."
        return broken(reason, [_not_in_state(one, state) for one in bad])
    good = [one for one in told if one.observation.label("state") == state and one.observation.number == 1]
    if not good:
        return still_open(f"no sample of {names[0]} says {state}")
    return holds(f"{len(good)} of {named(names)} are {state}.", good)


def query(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `metric` and `contains` (words that the query must hold), `below`.

    Which query it was stands in the sidecar only; an answer without one says nothing.
    """
    wanted = (*words(arguments["metric"]), *words(arguments.get("contains", "")))
    mine = [one for one in seen if one.meta.query and all(word in one.meta.query for word in wanted)]
    samples = [one for one in mine if one.observation.kind == "sample"]
    if not samples:
        return still_open(
            f"no answer to a query of {', '.join(wanted)}" if not mine else "the answer is empty"
        )
    unknown = [one for one in samples if one.observation.number is None or math.isnan(one.observation.number)]
    limit = float(arguments["below"])
    high = [one for one in samples if (one.observation.number or 0) >= limit]
    if high:
        reason = f"{len(high)} of {len(samples)} values are not below {limit:g}."
        return broken(reason, [_too_high(one, limit) for one in high])
    if unknown:
        return still_open(f"{len(unknown)} of {len(samples)} values are not numbers")
    worst = max(one.observation.number or 0 for one in samples)
    return holds(f"{len(samples)} values, the highest {worst:g}, below {limit:g}.", samples)


def _is_up_sample(observation: Observation) -> bool:
    return observation.kind == "sample" and observation.name == "up"


def _is_up(observation: Observation) -> bool:
    return observation.state == "up" if observation.kind == "target" else observation.number == 1


def _name(observation: Observation) -> str:
    if observation.kind == "target":
        return observation.name
    return f"{observation.label('job')} {observation.label('instance')}".strip()


def _job(observation: Observation) -> str:
    return observation.label("scrape_pool") or observation.label("job")


def _down(one: Seen) -> Fault:
    name = _name(one.observation)
    return Fault(one, f"Target {name} is {one.observation.state or 'not up'}.", name)


def _is_called(one: Seen, names: Sequence[str]) -> bool:
    return not names or any(one.observation.name == name + end for name in names for end in _SUFFIXES)


def _no_metric(seen: Sequence[Seen], names: Sequence[str]) -> Judgement:
    """A whole page of metrics without the metric shows that it is missing; a query's answer does not."""
    pages = [one for one in seen if one.observation.kind == "metric"]
    if not pages:
        return still_open(f"no output of /metrics{f' with {names[0]}' if names else ''}")
    return still_open(f"{pages[0].path} holds no {' or '.join(names)}")


def _not_in_state(one: Seen, state: str) -> Fault:
    labels = ", ".join(f"{k}={v}" for k, v in one.observation.labels)
    return Fault(
        one, f"{one.observation.name} ({labels}) is {one.observation.number:g}, not {state}.", labels
    )


def _too_high(one: Seen, limit: float) -> Fault:
    return Fault(one, f"The value {one.observation.number:g} is not below {limit:g}.", one.meta.query)
