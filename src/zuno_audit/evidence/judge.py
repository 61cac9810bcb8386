"""From evidence to rule runs: what each item asks of the evidence folder, decided by the kinds.

A run is RAN with findings or proof when fresh evidence decides, FAILED when evidence that could decide
cannot be read, and OPEN when nothing decides: then the item waits for evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from zuno_audit.evidence.kinds import KINDS, Kind
from zuno_audit.evidence.kinds.judgement import Decision, Fault, Judgement
from zuno_audit.evidence.observation import Evidence, Meta, Observation, Seen
from zuno_audit.evidence.store import Broken, EvidenceFolder
from zuno_audit.evidence.tree import Tree
from zuno_audit.model.control import EVIDENCE, CheckRef
from zuno_audit.model.finding import Diagnostic, Finding, Level
from zuno_audit.model.location import at_line
from zuno_audit.model.redaction import redact
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.rule_run import Outcome, RuleRun

MAX_FINDINGS = 50  # of one run
_RUN = Observation("run", "")
_NOTHING = Judgement(Decision.OPEN, "")


class Judged(Struct, frozen=True):
    """The runs by reference, and what is to be told about the evidence."""

    runs: Mapping[CheckRef, RuleRun]
    diagnostics: tuple[Diagnostic, ...]


def judge(refs: Iterable[CheckRef], folder: EvidenceFolder, tree: Tree) -> Judged:
    """A run for every reference to evidence that the folder says anything about."""
    runs: dict[CheckRef, RuleRun] = {}
    told: list[Diagnostic] = list(folder.diagnostics)
    for ref in dict.fromkeys(refs):
        kind = KINDS[ref.rule.removeprefix(EVIDENCE)]
        run, disagreements = _run(ref, kind, folder, tree)
        told += disagreements
        if run is not None:
            runs[ref] = run
    return Judged(runs, tuple(dict.fromkeys(told)))


def rule_infos(refs: Iterable[CheckRef]) -> tuple[RuleInfo, ...]:
    """What reports need to know of the kinds that these references name."""
    names = sorted({ref.rule for ref in refs})
    return tuple(_info(name, KINDS[name.removeprefix(EVIDENCE)]) for name in names)


def _info(name: str, kind: Kind) -> RuleInfo:
    return RuleInfo(
        id=name,
        title=kind.defect,
        level=Level.ERROR,
        precision="very-high",
        why="The output of a real run shows that this item of the checklist does not hold.",
        fix=kind.fix,
        tags=("evidence",),
        pack="evidence",
    )


def _run(
    ref: CheckRef, kind: Kind, folder: EvidenceFolder, tree: Tree
) -> tuple[RuleRun | None, list[Diagnostic]]:
    arguments = dict(ref.arguments)
    files = [file for file in folder.files if _serves(file, kind) and _is_for(file, arguments)]
    fresh = [file for file in files if not file.stale]
    judgement = _judged(kind, arguments, fresh, tree)
    run = _as_run(ref, judgement, files)
    unread = [b for b in folder.broken if _could_serve(b, kind)]
    if unread:
        return _failed(ref, run, unread), _disagreements(ref, judgement)
    if judgement.decision is Decision.OPEN and not files:
        return None, []
    return run, _disagreements(ref, judgement)


def _serves(file: Evidence, kind: Kind) -> bool:
    return (kind.name == "command" and bool(file.meta.command)) or file.format in kind.formats


def _is_for(file: Evidence, arguments: Mapping[str, str]) -> bool:
    wanted = arguments.get("environment", "")
    return not wanted or file.meta.environment == wanted


def _could_serve(broken: Broken, kind: Kind) -> bool:
    if kind.name == "command":
        return bool(broken.command)
    return broken.format in kind.formats


def _judged(kind: Kind, arguments: Mapping[str, str], fresh: list[Evidence], tree: Tree) -> Judgement:
    if not fresh:
        return _NOTHING
    judgement = kind.function()([seen for file in fresh for seen in _seen(file, kind)], arguments, tree)
    odd = [file.meta for file in fresh if _ended_oddly(file.meta, kind, judgement, file.path)]
    if judgement.decision is Decision.HOLDS and odd:
        status = odd[0].exit_status
        return Judgement(Decision.OPEN, f"`{' '.join(odd[0].command)}` ended with exit status {status}")
    return judgement


def _seen(file: Evidence, kind: Kind) -> list[Seen]:
    observations = (_RUN,) if kind.name == "command" else file.observations
    return [Seen(file.path, observation, file.meta) for observation in observations]


def _ended_oddly(meta: Meta, kind: Kind, judgement: Judgement, path: str) -> bool:
    """A run that ended with an error is not believed when its output looks good."""
    if meta.exit_status is None or all(place.path != path for place in judgement.proof):
        return False
    return meta.exit_status not in kind.exits or (kind.name == "go-test" and meta.exit_status != 0)


def _as_run(ref: CheckRef, judgement: Judgement, files: list[Evidence]) -> RuleRun:
    if judgement.decision is Decision.OPEN:
        return RuleRun(ref.rule, ref.arguments, Outcome.OPEN, 0, redact(_why_open(judgement, files)))
    findings = tuple(_finding(ref, fault) for fault in judgement.faults[:MAX_FINDINGS])
    reason = redact(_with_files(judgement))
    proof = () if findings else judgement.proof
    return RuleRun(ref.rule, ref.arguments, Outcome.RAN, max(judgement.size, 1), reason, proof, findings)


def _why_open(judgement: Judgement, files: list[Evidence]) -> str:
    """Why files that are there decide nothing."""
    stale = [f"{file.path} is stale: {file.stale}" for file in files if file.stale]
    parts = [*([judgement.reason] if judgement.reason else []), *stale[:3]]
    return f"The evidence does not decide this: {'; '.join(parts)}."


def _with_files(judgement: Judgement) -> str:
    """The reason, with the files that disagree named."""
    pairs = _disagreeing(judgement)
    if not pairs:
        return judgement.reason
    bad, good = pairs[0]
    return f"{judgement.reason} {bad.seen.path} and {good} disagree; the worse counts."


def _disagreeing(judgement: Judgement) -> list[tuple[Fault, str]]:
    good: dict[str, str] = {}
    for subject, path in judgement.good:
        good.setdefault(subject, path)
    return [
        (fault, good[fault.subject])
        for fault in judgement.faults
        if fault.subject in good and good[fault.subject] != fault.seen.path
    ]


def _disagreements(ref: CheckRef, judgement: Judgement) -> list[Diagnostic]:
    return [
        Diagnostic(
            Level.WARNING,
            fault.seen.path,
            fault.seen.line,
            redact(f"Disagrees with {other} ({ref.rule}, {fault.subject}); the worse counts."),
        )
        for fault, other in _disagreeing(judgement)[:3]
    ]


def _finding(ref: CheckRef, fault: Fault) -> Finding:
    place = at_line(fault.seen.path, fault.seen.line)
    matched = redact(fault.subject)[:200]  # so that no text of the evidence file is quoted
    return Finding(ref.rule, Level.ERROR, redact(fault.message), place, matched=matched)


def _failed(ref: CheckRef, run: RuleRun, broken: list[Broken]) -> RuleRun:
    """Certain findings still count; but with a file that cannot be read nothing passes."""
    first = broken[0]
    reason = redact(f"{first.path}:{first.line} is broken evidence: {first.message}.")
    places = tuple(at_line(b.path, b.line) for b in broken)
    return RuleRun(ref.rule, ref.arguments, Outcome.FAILED, 0, reason, places, run.findings)
