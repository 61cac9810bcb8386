"""The team's own Markdown as the source of the checklist: found or given, understood, judged.

Sits between the API and the layers that do the work: `languages` reads the boxes, `checklist` finds out what
they speak of and judges them, `checks` looks at the repository for boxes that no item stands behind.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from zuno_audit.checklist.boxes import RULES, box_findings, judge_boxes, pinned_rules
from zuno_audit.checklist.evaluate import check_run, worst
from zuno_audit.engine.run import run_rules
from zuno_audit.errors import ConfigError, RuleError
from zuno_audit.model.control import CheckRef
from zuno_audit.model.finding import Diagnostic, Finding, Level
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.model.verdict import Check, Status
from zuno_audit.source.classify import FileKind, kind_by_path

if TYPE_CHECKING:
    from zuno_audit.checklist.known import Wording
    from zuno_audit.facts.base import FactStore
    from zuno_audit.model.box import BoxMatch, ChecklistFile, TaskList
    from zuno_audit.model.control import Checklist
    from zuno_audit.model.verdict import Verdict
    from zuno_audit.rules.load import RuleFiles
    from zuno_audit.source.repository import Repository

LEAST_BOXES = 20  # of a file that is taken for the checklist unasked
LEAST_SHARE = 0.5  # of its boxes must speak of our items
PROBES = 4  # one known name in so many is looked for before a file is read in earnest
FIRST_PROBES = 12  # without any of these no other is looked for
LEAST_PROBES = 5  # of them must occur; other checklists of the repositories tried have none or one
MAX_TRIED = 3  # files that are read in earnest
MAX_DERIVED = 300  # boxes of the team's own that the repository is asked about
SUFFIXES = (".md", ".markdown")
SHIPPED = "production"  # the checklist whose wordings are known
OUTSIDE = "../"  # what the path of a file outside of the tree begins with

_HINT = "Give a Markdown file with `- [ ]` boxes."


class TeamChecklist(Struct, frozen=True):
    """A file that holds the team's checklist, and what its boxes speak of."""

    data: bytes
    tasks: TaskList
    matches: tuple[BoxMatch, ...]

    @property
    def path(self) -> str:
        """Relative to the repository; a file outside of it has `../` and its name."""
        return self.tasks.path


class Judged(Struct, frozen=True):
    """What is to be reported of a team's checklist; nothing where there is none."""

    file: ChecklistFile | None = None
    runs: Mapping[CheckRef, RuleRun] = field(default_factory=dict)
    diagnostics: tuple[Diagnostic, ...] = ()
    text: str = ""

    def files(self, repository: Repository) -> tuple[str, ...]:
        """The files of the repository, with the checklist among them."""
        known = tuple(repository.files)
        is_new = self.file is not None and self.file.path not in repository
        return tuple(sorted((*known, self.file.path))) if self.file and is_new else known

    def reading(self, repository: Repository) -> Callable[[str], str | None]:
        """How to read a file of the repository, or the checklist."""
        if self.file is None or self.file.path in repository:
            return repository.text
        path, text = self.file.path, self.text
        return lambda wanted: text if wanted == path else repository.text(wanted)


class Source(Struct, frozen=True):
    """The items that boxes may speak of. `checklist` is the whole one, whatever is audited.

    `is_as_shipped` is true when it is read with the parameters it comes with: only then do the known wordings
    say what the items verify. `levels` and `off` are what the configuration says of the rules about boxes.
    """

    checklist: Checklist
    rules: RuleFiles
    is_as_shipped: bool = True
    levels: Mapping[str, Level] = field(default_factory=dict)
    off: Collection[str] = ()

    def wordings(self) -> Mapping[str, Wording]:
        """The known wordings of these items, where there are any."""
        if self.checklist.name != SHIPPED or not self.is_as_shipped:
            return {}
        from zuno_audit.checklist.known import load_wordings
        from zuno_audit.resources import data_root

        return load_wordings(data_root() / "rules")

    def understood(self, data: bytes, tasks: TaskList, wordings: Mapping[str, Wording]) -> TeamChecklist:
        """A file with what its boxes speak of."""
        from zuno_audit.checklist.match import match

        return TeamChecklist(data, tasks, match(tasks.boxes, self.checklist, wordings, self.rules.ids()))


def team_checklist(
    given: TeamChecklist | None, verdicts: Sequence[Verdict], source: Source, store: FactStore
) -> Judged:
    """The given checklist, or the one that is found, judged by the verdicts of the items."""
    team = given
    diagnostics: tuple[Diagnostic, ...] = ()
    if team is None:
        team, diagnostics = found_checklist(store.repository, source)
    if team is None:
        return Judged(diagnostics=diagnostics)
    judged = judge(team, verdicts, source, store)
    return replace(judged, diagnostics=(*diagnostics, *judged.diagnostics))


def chosen_checklist(
    file: str | os.PathLike[str] | None, configured: str, repository: Repository, source: Source
) -> TeamChecklist | None:
    """The checklist that the caller names, else the one that the repository's configuration names, or None.

    What the configuration names must lie in the repository. Raises ConfigError for a file that cannot serve
    as a checklist.
    """
    if file is not None:
        shown = os.fspath(file)
        target = _existing(Path(file), repository)
        return _serving(_bytes_of(target, shown), shown, _path_in(repository, target), source)
    if not configured:
        return None
    path = configured.removeprefix("./")
    data = repository.read(path)
    if data is None:
        raise ConfigError("the checklist that the configuration names is not there", path=path, hint=_HINT)
    return _serving(data, path, path, source)


def _existing(target: Path, repository: Repository) -> Path:
    """The file as named from here, or as named from the root of the repository."""
    if not target.exists() and not target.is_absolute() and (repository.root / target).exists():
        return repository.root / target
    return target


def _bytes_of(target: Path, shown: str) -> bytes:
    from zuno_audit.languages.task_list import MAX_BYTES

    try:
        if not target.is_file():
            raise ConfigError("there is no such checklist file", path=shown, hint=_HINT)
        with target.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigError(f"the checklist cannot be read: {why}", path=shown, hint=_HINT) from None


def _serving(data: bytes, shown: str, path: str, source: Source) -> TeamChecklist:
    from zuno_audit.languages.task_list import parse_task_list

    tasks = parse_task_list(data, path)
    if not tasks.boxes:
        first = tasks.diagnostics[0] if tasks.diagnostics else None
        why = first.message if first else "this checklist has no box"
        raise ConfigError(why, path=shown, line=first.line if first else 1, hint=_HINT)
    return source.understood(data, tasks, source.wordings())


def _path_in(repository: Repository, target: Path) -> str:
    try:
        return target.resolve().relative_to(repository.root.resolve()).as_posix()
    except ValueError:
        return OUTSIDE + target.name


def found_checklist(
    repository: Repository, source: Source
) -> tuple[TeamChecklist | None, tuple[Diagnostic, ...]]:
    """The tracked Markdown file most of whose boxes speak of our items, or None; and what was odd."""
    candidates = [
        path for path in repository.files if path.endswith(SUFFIXES) and _has_boxes(repository, path)
    ]
    if not candidates:
        return None, ()
    wordings = source.wordings()
    familiar = _most_familiar(repository, candidates, wordings)
    if not familiar:
        return None, ()
    from zuno_audit.languages.task_list import parse_task_list

    best: TeamChecklist | None = None
    diagnostics: list[Diagnostic] = []
    for path, data in familiar:
        tasks = parse_task_list(data, path)
        if not tasks.boxes:
            diagnostics += tasks.diagnostics
        elif len(tasks.boxes) >= LEAST_BOXES:
            team = source.understood(data, tasks, wordings)
            if _share(team) >= LEAST_SHARE and (best is None or _familiar(team) > _familiar(best)):
                best = team
    return best, tuple(diagnostics)


def _has_boxes(repository: Repository, path: str) -> bool:
    file = repository.files[path]
    if not file.tracked or file.is_link or kind_by_path(path) is FileKind.VENDORED:
        return False
    data = repository.read(path)
    if data is None:
        return False
    return data.count(b"[ ]") + data.count(b"[x]") + data.count(b"[X]") >= LEAST_BOXES


def _most_familiar(
    repository: Repository, paths: Iterable[str], wordings: Mapping[str, Wording]
) -> list[tuple[str, bytes]]:
    """The files in which most of our names occur, best first."""
    names = sorted({n for w in wordings.values() for n in w.names if len(n) >= 8 and ("." in n or "_" in n)})
    probes = [name.encode() for name in names[::PROBES]]
    found = []
    for path in paths:
        data = repository.read(path) or b""
        lowered = data.lower()
        if not any(probe in lowered for probe in probes[:FIRST_PROBES]):
            continue
        count = sum(probe in lowered for probe in probes)
        if count >= LEAST_PROBES:
            found.append((-count, path, data))
    return [(path, data) for _, path, data in sorted(found)[:MAX_TRIED]]


def _familiar(team: TeamChecklist) -> int:
    return sum(bool(match.control) for match in team.matches)


def _share(team: TeamChecklist) -> float:
    return _familiar(team) / len(team.matches)


def judge(team: TeamChecklist, verdicts: Sequence[Verdict], source: Source, store: FactStore) -> Judged:
    """The boxes judged by the verdicts of the items."""
    own, diagnostics = _own_checks(team, store, source.rules)
    judged = judge_boxes(team.tasks, team.matches, verdicts, own, source.checklist)
    file = replace(judged, data=team.data)
    titles = {control.id: control.title for control in source.checklist.controls}
    by_rule: dict[str, list[Finding]] = {rule: [] for rule in RULES}
    for finding in box_findings(file, titles):
        if finding.rule not in source.off:
            level = source.levels.get(finding.rule, finding.level)
            by_rule[finding.rule].append(replace(finding, level=level))
    runs = {
        CheckRef(rule): RuleRun(rule, (), Outcome.RAN, len(file.boxes), "", (), tuple(findings))
        for rule, findings in by_rule.items()
    }
    text = team.data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    return Judged(file, runs, (*team.tasks.diagnostics, *diagnostics), text)


def _own_checks(
    team: TeamChecklist, store: FactStore, rules: RuleFiles
) -> tuple[dict[int, Check], list[Diagnostic]]:
    """The checks of the boxes that no item stands behind, by index."""
    checks: dict[int, Check] = {}
    diagnostics: list[Diagnostic] = []
    for index, ref in pinned_rules(team.tasks, team.matches).items():
        checks[index], trouble = _run_pinned(ref, store, rules)
        line = team.tasks.boxes[index].line
        diagnostics += [Diagnostic(Level.WARNING, team.path, line, message) for message in trouble]
    return checks | _derived(team, store.repository), diagnostics


def _derived(team: TeamChecklist, repository: Repository) -> dict[int, Check]:
    """The checks that follow from the words of boxes, by index: where no item is sure."""
    pairs = enumerate(zip(team.tasks.boxes, team.matches, strict=True))
    own = [(i, box) for i, (box, match) in pairs if not (match.is_sure or box.pin or box.is_struck)]
    if not own:
        return {}
    from zuno_audit.checks.own_boxes import derived_check

    folder = "" if team.path.startswith(OUTSIDE) else team.path.rpartition("/")[0]
    derived = ((i, derived_check(box.text, folder, repository)) for i, box in own[:MAX_DERIVED])
    return {index: check for index, check in derived if check is not None}


def _run_pinned(ref: CheckRef, store: FactStore, rules: RuleFiles) -> tuple[Check, list[str]]:
    try:
        runs = run_rules([ref], rules.rule, store)
    except RuleError as error:
        return Check(ref.rule, Status.ERROR, f"The pin cannot be followed: {error}."), [str(error)]
    checks = check_run(ref, runs.by_ref[ref])
    status = worst(check.status for check in checks)
    first = next(check for check in checks if check.status is status)
    return first, [diagnostic.message for diagnostic in runs.diagnostics]
