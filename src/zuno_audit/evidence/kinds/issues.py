"""Linters and scanners: they ran over everything and report nothing of the severities asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import (
    MAX_FAULTS,
    MAX_NAMED,
    Fault,
    Judgement,
    broken,
    holds,
    matches,
    named,
    still_open,
    words,
)
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree

_NOT_COMPILED = "typecheck"  # golangci-lint's name for code that does not compile: all else is then unseen


def ran(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `tool` (a linter that took part), `artifacts` (patterns, each with a scan of its own)."""
    tool, artifacts = arguments.get("tool", ""), words(arguments.get("artifacts", ""))
    scans = [one for one in seen if one.observation.kind == "scan" and _took_part(one, tool)]
    incomplete = _why_incomplete(scans, seen, tree)
    if incomplete:
        return incomplete
    missing = [a for a in artifacts if not any(_is_of(one, a) for one in scans)]
    if missing:
        return still_open(f"no scan of {named(missing)}")
    if not scans:
        return still_open(f"no run of {tool}")
    return holds(f"{tool} ran to its end {_times(scans)}.", scans)


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `tool` that ran, `linter` of it, `severity` (those that count; all when it is not given)."""
    linter, program = arguments.get("linter", ""), arguments.get("tool", "")
    tool = linter or program
    scans = [
        one
        for one in seen
        if one.observation.kind == "scan" and _took_part(one, linter) and _took_part(one, program)
    ]
    paths = {one.path for one in scans}
    issues = [
        one
        for one in seen
        if one.observation.kind == "issue"
        and one.path in paths
        and (not linter or one.observation.label("linter") == linter)
    ]
    severities = {word.lower() for word in words(arguments.get("severity", ""))}
    bad = [one for one in issues if not severities or _is_bad(one, severities)]
    if bad:
        return broken(
            f"{len(bad)} issues{_of(severities)} are reported.",
            [_fault(one) for one in bad],
            _clean(scans, bad),
        )
    incomplete = _why_incomplete(scans, seen, tree)
    if incomplete:
        return incomplete
    unrated = [one for one in issues if severities and not one.observation.state]
    if unrated:
        return still_open(f"{len(unrated)} issues carry no severity ({named(_said(one) for one in unrated)})")
    if not scans:
        return still_open(f"no run of {tool}")
    aside = f"; {len(issues)} of other severities" if issues else ""
    return holds(f"{tool} reports no issue{_of(severities)}{aside}.", scans)


def vulnerabilities(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `artifacts` (patterns, each must have been scanned), `severity` (those that count)."""
    patterns = words(arguments.get("artifacts", "*"))
    severities = {word.lower() for word in words(arguments.get("severity", ""))}
    ours = [one for one in seen if any(_is_of(one, pattern) for pattern in patterns)]
    scans = [one for one in ours if one.observation.kind == "scan"]
    bad = [one for one in ours if one.observation.kind == "issue" and _is_bad(one, severities | {"unknown"})]
    certain = [one for one in bad if one.observation.state != "unknown"]
    if certain:
        reason = f"{len(certain)} vulnerabilities{_of(severities)} are reported."
        return broken(reason, [_fault(one) for one in certain], _clean(scans, certain))
    if bad:
        return still_open(f"{len(bad)} vulnerabilities are of unknown severity")
    missing = [pattern for pattern in patterns if not any(_is_of(one, pattern) for one in scans)]
    if missing:
        return still_open(f"no scan of {named(missing)}")
    return holds(f"{len(scans)} scans report no vulnerability{_of(severities)}.", scans)


def _why_incomplete(scans: Sequence[Seen], seen: Sequence[Seen], tree: Tree) -> Judgement | None:
    """Why scans do not tell about everything, or None."""
    paths = {one.path for one in scans}
    for one in seen:
        if one.path in paths and one.observation.label("linter") == _NOT_COMPILED:
            fault = Fault(one, f"The code does not compile: {_said(one)}.", "compiles")
            return broken("Code that does not compile was not looked at.", [fault])
    stopped = [one for one in scans if one.observation.state == "error"]
    if stopped:
        return still_open(f"{stopped[0].observation.name} did not get to its end")
    counted = [one for one in scans if one.observation.number is not None]
    few = [one for one in counted if (one.observation.number or 0) < tree.go_files]
    if few and len(few) == len(scans):
        return still_open(f"it looked at {few[0].observation.number:g} of {tree.go_files} Go files")
    partial = [one for one in scans if _is_partial(one)]
    if partial and len(partial) == len(scans):
        return still_open(f"`{' '.join(partial[0].meta.command)}` does not look at every package")
    return None


def _is_partial(one: Seen) -> bool:
    """True when the command is known and names packages, but not all of them."""
    command = one.meta.command
    targets = [word for word in command[1:] if not word.startswith("-") and ("/" in word or word == ".")]
    is_linter = one.observation.name in ("golangci-lint", "gosec")
    return is_linter and bool(targets) and not any(word in ("./...", "...") for word in command)


def _took_part(one: Seen, tool: str) -> bool:
    names = one.observation.label("linters").split(",")
    return not tool or one.observation.name == tool or tool in names


def _is_of(one: Seen, pattern: str) -> bool:
    artifact = one.observation.label("artifact")
    return matches(artifact, pattern) or matches(
        artifact.removesuffix(":latest"), pattern.removesuffix(":latest")
    )


def _is_bad(one: Seen, severities: set[str]) -> bool:
    is_unseen = one.observation.label("linter") == _NOT_COMPILED
    return one.observation.state in severities or is_unseen


def _clean(scans: Sequence[Seen], bad: Sequence[Seen]) -> list[tuple[str, str]]:
    """Scans by the same tool that do not report what others do."""
    paths = {one.path for one in bad}
    tools = {scan.observation.name for scan in scans if scan.path in paths}
    clean = [scan for scan in scans if scan.path not in paths and scan.observation.name in tools]
    return [(one.observation.name, scan.path) for one in bad[:MAX_FAULTS] for scan in clean[:MAX_NAMED]]


def _said(one: Seen) -> str:
    text = one.observation.label("text")
    return f"{one.observation.name}: {text[:200]}" if text else one.observation.name


def _fault(one: Seen) -> Fault:
    severity = f" ({one.observation.state})" if one.observation.state else ""
    return Fault(one, f"{_said(one)}{severity}.", one.observation.name)


def _of(severities: set[str]) -> str:
    return f" of severity {' or '.join(sorted(severities))}" if severities else ""


def _times(scans: Sequence[Seen]) -> str:
    return "once" if len(scans) == 1 else f"{len(scans)} times"
