"""Tests: every test that ran passed, something ran, and nothing that had to run is missing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from zuno_audit.evidence.kinds.judgement import (
    Fault,
    Judgement,
    broken,
    holds,
    matches,
    named,
    still_open,
    words,
)
from zuno_audit.evidence.observation import FAILED, PASSED, SKIPPED, UNFINISHED, Seen
from zuno_audit.evidence.tree import Tree
from zuno_audit.source.glob import compile_glob

_RACE = re.compile(r"-{1,2}race(?:=true|=1)?\Z")


def judge(seen: Sequence[Seen], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    """Arguments: `packages` (globs of folders), `tests` (patterns of test names, case aside), `complete: yes`
    (every folder with tests must have run), `race: yes`, `no_skips: yes` (a skipped test proves nothing)."""
    packages = arguments.get("packages", "**")
    ours = [(tree.folder_of(one.observation.label("package")), one) for one in seen]
    scope = [(folder, one) for folder, one in ours if folder is not None and _is_in(folder, packages)]
    wanted = arguments.get("tests", "")
    if wanted:
        scope = [(f, o) for f, o in scope if _is_wanted(o, wanted) or _is_package(o)]
    if not scope:
        return still_open(f"no test result is about {_what(packages)}")
    faults = [_fault(folder, one) for folder, one in scope if one.observation.state == FAILED]
    if wanted and faults and all(_is_package(f.seen) for f in faults):
        blamed = {
            one.observation.label("package")
            for one in seen
            if one.observation.state == FAILED and not _is_package(one)
        }
        faults = [f for f in faults if f.seen.observation.label("package") not in blamed]  # by another test
    if faults:
        good = ((_subject(f, o), o.path) for f, o in scope if o.observation.state == PASSED)
        tests = [f for f in faults if not _is_package(f.seen)] or faults
        return broken(f"{len(tests)} of the tests of {_what(packages)} fail.", tests, good)
    return _unless_open(scope, arguments, tree)


def _unless_open(scope: Sequence[tuple[str, Seen]], arguments: Mapping[str, str], tree: Tree) -> Judgement:
    packages, wanted = arguments.get("packages", "**"), arguments.get("tests", "")
    tests = [one for _, one in scope if not _is_package(one)]
    passed = [one for one in tests if one.observation.state == PASSED]
    unfinished = [one for _, one in scope if one.observation.state == UNFINISHED]
    done = {(one.observation.label("package"), one.observation.name) for one in passed}
    skipped = [
        one
        for one in tests
        if one.observation.state == SKIPPED
        and (one.observation.label("package"), one.observation.name) not in done
    ]
    if unfinished:
        return still_open(f"the run was cut off: {named(_said(o) for o in unfinished)} did not end")
    if not passed:
        why = f"{len(skipped)} were skipped" if skipped else "none ran"
        return still_open(f"no test of {_what(packages)}{_called(wanted)} passed: {why}")
    if skipped and arguments.get("no_skips") == "yes":
        return still_open(f"skipped tests prove nothing: {named(_said(o) for o in skipped)}")
    ran = {folder for folder, one in scope if _is_package(one)} | {f for f, o in scope if not _is_package(o)}
    missing = {f for f in tree.tested_folders if _is_in(f, packages)} - ran
    if arguments.get("complete") == "yes" and missing:
        return still_open(f"the run left out {named(folder or '.' for folder in missing)}")
    return _with_race(passed, skipped, len(ran), arguments)


def _with_race(
    passed: Sequence[Seen], skipped: Sequence[Seen], packages: int, arguments: Mapping[str, str]
) -> Judgement:
    aside = f", {len(skipped)} skipped" if skipped else ""
    reason = f"{len(passed)} tests in {packages} packages passed{aside}"
    if arguments.get("race") == "yes":
        commands = {one.meta.command for one in passed}
        without = [c for c in commands if c and not any(_RACE.match(word) for word in c)]
        if without:
            return still_open(f"the run was made without the race detector: `{' '.join(without[0])}`")
        if () in commands:
            reason += "; the output does not show whether the race detector was on"
    return holds(f"{reason}.", passed)


def _is_in(folder: str, globs: str) -> bool:
    return any(
        compile_glob(glob).fullmatch(folder) is not None or glob in ("**", f"{folder}/**")
        for glob in words(globs)
    )


def _is_package(one: Seen) -> bool:
    return one.observation.name == ""


def _is_wanted(one: Seen, patterns: str) -> bool:
    return not _is_package(one) and matches(one.observation.name.lower(), patterns.lower())


def _subject(folder: str, one: Seen) -> str:
    return f"{folder} {one.observation.name}"


def _said(one: Seen) -> str:
    return one.observation.name or one.observation.label("package")


def _fault(folder: str, one: Seen) -> Fault:
    what = f"Test {one.observation.name}" if one.observation.name else "The package"
    return Fault(one, f"{what} in {folder or 'the root folder'} fails.", _subject(folder, one))


def _what(packages: str) -> str:
    return "the repository" if packages == "**" else packages


def _called(wanted: str) -> str:
    return f" called like {wanted}" if wanted else ""
