"""The one door to this layer: what the evidence folder and the attestations of a tree come to."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from pathlib import Path

from msgspec import Struct

from zuno_audit.errors import RuleError, UsageError
from zuno_audit.evidence.places import ATTESTATIONS, DEFAULT_FOLDER, OUTSIDE
from zuno_audit.model.attestation import Attestation
from zuno_audit.model.control import EVIDENCE, Checklist, CheckRef
from zuno_audit.model.finding import Diagnostic
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.rule_run import RuleRun
from zuno_audit.source.repository import Repository

NOON = time_of_day(12)


class Gathered(Struct, frozen=True):
    """Runs of evidence, attestations, and what is to be told about both.

    `rules` is what reports need to know of the kinds of evidence that say anything.
    """

    runs: Mapping[CheckRef, RuleRun]
    attestations: tuple[Attestation, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    rules: tuple[RuleInfo, ...] = ()


def gather(
    repository: Repository,
    folder: Path | None,
    *,
    checklist: Checklist,
    items: Iterable[str],
    commit: str | None,
    today: date | None = None,
) -> Gathered:
    """What evidence and attestations say about the controls of `checklist`.

    `folder` is None for the default one, which need not exist. `items` are all ids that can be attested,
    `commit` is HEAD, `today` the day that expiry is held against (by default now).
    Raises UsageError for a folder that is not there, RuleError for a checklist that asks for an unknown kind.
    """
    place = repository.root / DEFAULT_FOLDER if folder is None else folder
    if folder is not None and not folder.is_dir():
        raise UsageError(f"The evidence folder {str(folder)!r} does not exist.", hint="Give a folder.")
    there = place.is_dir() and _is_allowed(place, repository.root, folder)
    if not there and not (repository.root / ATTESTATIONS).exists():
        return Gathered({})
    return _gathered(repository, place if there else None, checklist, items, commit, today)


def _gathered(
    repository: Repository,
    place: Path | None,
    checklist: Checklist,
    items: Iterable[str],
    commit: str | None,
    today: date | None,
) -> Gathered:
    """Like `gather`, for a tree that has either; what it needs is imported only now."""
    from zuno_audit.evidence.attestations import read_attestations
    from zuno_audit.evidence.freshness import Freshness
    from zuno_audit.evidence.judge import judge, rule_infos
    from zuno_audit.evidence.store import EvidenceFolder, read_folder
    from zuno_audit.evidence.tree import Tree

    refs = evidence_references(checklist)
    check_kinds(refs)
    now = time.time()
    day = now if today is None else datetime.combine(today, NOON, UTC).timestamp()
    shown = shown_folder(place or repository.root / DEFAULT_FOLDER, repository.root)
    freshness = Freshness(repository, now, commit, "" if shown == OUTSIDE else shown)
    attested = read_attestations(repository.root, items, freshness, day)
    found = EvidenceFolder(shown) if place is None else read_folder(place, shown, freshness)
    judged = judge(refs, found, Tree(repository))
    diagnostics = (*judged.diagnostics, *attested.diagnostics)
    return Gathered(judged.runs, attested.entries, diagnostics, rule_infos(judged.runs))


def evidence_references(checklist: Checklist) -> tuple[CheckRef, ...]:
    """What the checklist asks of evidence, each once."""
    return tuple(dict.fromkeys(ref for control in checklist.controls for ref in control.evidence))


def check_kinds(refs: Iterable[CheckRef]) -> None:
    """Raises RuleError for a kind that does not exist or an argument that it does not have."""
    from zuno_audit.evidence.kinds import KINDS

    for ref in refs:
        name = ref.rule.removeprefix(EVIDENCE)
        if name not in KINDS:
            raise RuleError(f"there is no kind of evidence {name!r}", path="checklist")
        unknown = sorted({argument for argument, _ in ref.arguments} - KINDS[name].arguments)
        if unknown:
            raise RuleError(f"evidence of kind {name!r} has no argument {unknown[0]!r}", path="checklist")


def shown_folder(folder: Path, root: Path) -> str:
    """The folder as reports name it: relative to the tree, or `evidence` when it lies outside."""
    resolved = folder.resolve()
    inside = resolved.is_relative_to(root.resolve()) and resolved != root.resolve()
    return resolved.relative_to(root.resolve()).as_posix() if inside else OUTSIDE


def _is_allowed(folder: Path, root: Path, given: Path | None) -> bool:
    """The default folder must not be a link that leads out of the tree."""
    return given is not None or folder.resolve().is_relative_to(root.resolve())
