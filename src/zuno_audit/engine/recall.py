"""Recalls what the rules said of the same files, when the same program is asked the same of them again.

An entry holds the runs of one audit of one folder. It counts only if nothing that the rules look at has changed: the
program and what it is built on, the rules that are asked and their arguments, every file of the tree (by content), and
the answers to what was asked beyond the files. What does not come from rules (evidence, attestations, waivers,
baselines, the date, git's history) is never kept.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import msgspec

from zuno_audit.cache.store import Entries
from zuno_audit.engine.run import Runs, run_beside
from zuno_audit.facts.base import FactStore
from zuno_audit.model.control import CheckRef
from zuno_audit.model.entity import Problem
from zuno_audit.model.finding import Diagnostic
from zuno_audit.model.rule_run import RuleRun
from zuno_audit.resources import data_root
from zuno_audit.rules.rule import Rule
from zuno_audit.source.repository import Seen
from zuno_audit.source.state import is_untouched, state_of

Other = TypeVar("Other")


class _Entry(msgspec.Struct, frozen=True):
    """What is kept. `of` has the place among `runs` for each reference, in the order in which they are asked."""

    state: str
    runs: tuple[RuleRun, ...]
    of: tuple[int, ...]
    problems: tuple[Problem, ...]
    seen_problems: tuple[Problem, ...]
    seen_diagnostics: tuple[Diagnostic, ...]
    asked: tuple[tuple[tuple[str, ...], str], ...]


def recall_or_run(
    folder: Path | None,
    other: Callable[[], Other],
    refs: Iterable[CheckRef],
    rule_of: Callable[[str], Rule],
    store: FactStore,
    progress: Callable[[int, int, str], None] | None = None,
    jobs: int = 1,
) -> tuple[Runs, Other]:
    """What `run_beside` gives, from an entry in `folder` where one counts; else the rules run and leave one there.

    Without a folder, with one inside the audited tree, and where semgrep or rules of the tree take part, nothing is
    recalled. Runs that were cut short by a crash or a limit are not kept.
    """
    refs = tuple(refs)
    rules = {ref: rule_of(ref.rule) for ref in refs}
    root = store.repository.root
    theirs = [
        p for p in (folder, *{r.folder for r in rules.values()}) if p and p.resolve().is_relative_to(root)
    ]
    if folder is None or theirs or store.semgrep is not None:
        return run_beside(other, refs, rule_of, store, progress, jobs)
    started = time.time()
    question = msgspec.json.encode([(ref, rules[ref].info.level) for ref in refs])
    name = hashlib.blake2b(os.fsencode(root) + b"\0" + question, digest_size=16).hexdigest()
    entries = Entries(folder)
    found = entries.find(name)
    state = None if found is None else _state(store)
    if found is not None and (entry := _counting(found, state, store)) is not None:
        return Runs({ref: entry.runs[i] for ref, i in zip(refs, entry.of, strict=True)}, ()), other()

    def beside() -> tuple[Other, str | None]:
        return other(), _state(store) if state is None else state

    runs, (said, made_of) = run_beside(beside, refs, rule_of, store, progress, jobs)
    if made_of is not None and not runs.diagnostics and is_untouched(store.repository, started):
        entries.keep(name, msgspec.json.encode(_entry(made_of, refs, runs, store)))
    return runs, said


def _entry(state: str, refs: tuple[CheckRef, ...], runs: Runs, store: FactStore) -> _Entry:
    distinct = {id(run): run for run in runs.by_ref.values()}
    places = {key: place for place, key in enumerate(distinct)}
    seen = store.repository.seen
    return _Entry(
        state,
        tuple(distinct.values()),
        tuple(places[id(runs.by_ref[ref])] for ref in refs),
        store.problems(),
        seen.problems,
        seen.diagnostics,
        tuple(seen.asked.items()),
    )


def _counting(data: bytes, state: str | None, store: FactStore) -> _Entry | None:
    """The entry in these bytes if it is of this state; the store then knows what was seen when it was made."""
    try:
        entry = msgspec.json.decode(data, type=_Entry)
    except msgspec.DecodeError:
        return None
    if state is None or entry.state != state or not store.repository.still_says(dict(entry.asked)):
        return None
    store.adopt(entry.problems, Seen(entry.seen_problems, entry.seen_diagnostics))
    return entry


def _state(store: FactStore) -> str | None:
    """The digest of the tree and of the program that looks at it."""
    tree = state_of(store.repository)
    return None if tree is None else f"{_program()} {tree}"


@lru_cache(maxsize=1)
def _program() -> str:
    """The digest of what could make the same rules say something else: the interpreter, the libraries that are
    installed (by name and version), and our own files, known by size and time as Python knows them for its bytecode.
    """
    total = hashlib.blake2b(digest_size=16)
    total.update(repr((sys.version, sys.platform, sorted(_installed()))).encode())
    for folder in dict.fromkeys((Path(__file__).parents[1], data_root() / "rules", data_root() / "queries")):
        total.update(repr(sorted(_files(os.fspath(folder)))).encode())
    return total.hexdigest()


def _installed() -> Iterator[str]:
    for folder in sys.path:
        if folder and Path(folder).is_dir():
            yield from (f.name for f in Path(folder).iterdir() if f.suffix in (".dist-info", ".egg-info"))


def _files(folder: str) -> Iterator[tuple[str, int, int]]:
    waiting = [folder]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    if entry.name != "__pycache__":
                        waiting.append(entry.path)
                elif not entry.name.endswith(".pyc"):
                    seen = entry.stat()
                    yield entry.path, seen.st_size, seen.st_mtime_ns
