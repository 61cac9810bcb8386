"""Saved answers of servers: status by path and host, fields of GraphQL answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from zuno_audit.evidence.kinds.judgement import Fault, Judgement, broken, holds, named, still_open, words
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `path`, `host` (optional), `status`. Which address it was says the sidecar's `url` or the
    transcript of `curl -v`; an answer without an address says nothing."""
    path, host, status = arguments["path"], arguments.get("host", ""), float(arguments.get("status", "200"))
    mine = [one for one in seen if _path_of(one) == path and (not host or _host_of(one) == host)]
    bad = [one for one in mine if one.observation.number != status]
    where = f"{host}{path}"
    if bad:
        good = ((where, one.path) for one in mine if one.observation.number == status)
        message = f"{where} answers with {bad[0].observation.number:g}, not {status:g}."
        return broken(message, [Fault(one, message, where) for one in bad], good)
    if not mine:
        return still_open(f"no saved answer is known to be of {where}")
    return holds(f"{where} answers with {status:g}.", mine)


def graphql(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Argument: `fields` (`operation.field`), each given in an answer without errors."""
    wanted = words(arguments["fields"])
    proof: list[Seen] = []
    missing: list[str] = []
    faults: list[Fault] = []
    failed = {one.path for one in seen if one.observation.state == "error"}
    for name in wanted:
        mine = [one for one in seen if one.observation.kind == "field" and one.observation.name == name]
        good = [one for one in mine if one.observation.state == "given" and one.path not in failed]
        operation = [one for one in seen if one.observation.name == name.partition(".")[0] != name]
        bad = [one for one in (*mine, *operation) if one.path in failed or one.observation.state == "null"]
        proof += good
        faults += [Fault(one, f"The answer gives no {name}.", name) for one in bad]
        missing += [] if good else [name]
    if faults:
        return broken(f"An answer gives no {named(f.subject for f in faults)}.", faults, _given(proof))
    if missing:
        return still_open(f"no saved answer holds {named(missing)}")
    return holds(f"The answers give {named(wanted)}.", proof)


def _given(proof: Sequence[Seen]) -> list[tuple[str, str]]:
    return [(one.observation.name, one.path) for one in proof]


def _path_of(one: Seen) -> str:
    url = one.meta.url
    try:
        path = urlsplit(url).path if url else one.observation.name.partition("?")[0]
    except ValueError:
        return ""
    return path or ("/" if url else "")


def _host_of(one: Seen) -> str:
    try:
        return urlsplit(one.meta.url).netloc if one.meta.url else one.observation.label("host")
    except ValueError:
        return ""
