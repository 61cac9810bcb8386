"""The whole tool on one screen: a folder goes in, a report comes out.

    repository -> facts -> rules -> verdicts -> reports

Nothing here prints, changes global state or exits, and separate calls may run in separate threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from zuno_audit.checklist.catalog import load_checklist
from zuno_audit.checklist.evaluate import attribute, counts, evaluate, unasked
from zuno_audit.checklist.profile import DEFAULT, load_profile, profile_names
from zuno_audit.config.setup import Setup, built_in_checklist, built_in_rules, control_references, set_up
from zuno_audit.engine.baseline import DEFAULT_FILE, MAX_BYTES, Baseline, compare, read_baseline
from zuno_audit.engine.excuse import Excuser, Excuses
from zuno_audit.engine.own_rules import OWN_RULES
from zuno_audit.engine.recall import recall_or_run
from zuno_audit.engine.settle import settle, settle_diagnostics
from zuno_audit.engine.suppress import suppressions_in
from zuno_audit.engine.waivers import read_waivers
from zuno_audit.errors import ConfigError, UsageError
from zuno_audit.evidence.gather import gather
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.semgrep.wanted import SemgrepFile
from zuno_audit.matchers.dispatch import semgrep_file
from zuno_audit.model.control import Checklist, CheckRef
from zuno_audit.model.finding import Diagnostic, Finding, Level
from zuno_audit.model.result import AuditResult
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.model.verdict import Verdict
from zuno_audit.resources import data_root
from zuno_audit.rules.document import Library
from zuno_audit.rules.load import RuleFiles
from zuno_audit.source.info import git_info
from zuno_audit.source.reader import Unreadable
from zuno_audit.source.walk import begin_listing, open_repository
from zuno_audit.team_checklist import Source, chosen_checklist, team_checklist
from zuno_audit.version import VERSION

if TYPE_CHECKING:
    from zuno_audit.model.rule import RuleInfo
    from zuno_audit.source.repository import Repository

_OTHER_BASELINE = "Make one with zuno-audit baseline create, or run with --no-baseline."


class Report:
    """The outcome of an audit. `result` holds the data, the `to_...` methods give it as text."""

    def __init__(self, result: AuditResult, setup: Setup | None = None) -> None:
        self.result = result
        self.setup = setup

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """One verdict for every item, in checklist order."""
        return self.result.verdicts

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All findings, sorted by path, line, column, rule."""
        return self.result.findings

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """What could not be read or run."""
        return self.result.diagnostics

    @property
    def is_complete(self) -> bool:
        """False when a check ended in `error` or there was nothing to audit."""
        return self.result.is_complete

    def verdict(self, item: str) -> Verdict:
        """The verdict of one item. Raises UsageError for an id that was not audited."""
        for verdict in self.result.verdicts:
            if verdict.control.id == item:
                return verdict
        raise UsageError(f"There is no item {item!r} in this report.")

    def summary(self) -> dict[str, int]:
        """How many items have each status; every status is a key."""
        return self.result.summary()

    def render(self, format: str, **options: Any) -> str:
        """The report in a format of the command line. Raises UsageError for an unknown one."""
        from zuno_audit.report import render

        return render(format, self.result, **options)

    def to_text(self) -> str:
        """The report for a terminal."""
        return self.render("text")

    def to_json(self) -> str:
        """The report as `zuno-audit/report/v1`."""
        return self.render("json")

    def to_sarif(self, *, full: bool = False) -> str:
        """SARIF 2.1.0: what GitHub takes, or everything."""
        return self.render("sarif-full" if full else "sarif")

    def to_markdown(self) -> str:
        """The report as Markdown."""
        return self.render("markdown")

    def to_html(self) -> str:
        """The report as one self-contained HTML page."""
        return self.render("html")

    def to_github(self) -> str:
        """Workflow commands that annotate a pull request."""
        return self.render("github")

    def to_junit(self) -> str:
        """The report as JUnit XML."""
        return self.render("junit")


def audit(
    root: str | os.PathLike[str],
    *,
    phases: Iterable[str] | None = None,
    strict: bool = False,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    no_config: bool = False,
    trust: bool = False,
    baseline: str | os.PathLike[str] | Baseline | None = None,
    no_baseline: bool = False,
    today: date | None = None,
    checklist_file: str | os.PathLike[str] | None = None,
    evidence: str | os.PathLike[str] | None = None,
    semgrep: bool | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    jobs: int = 1,
    cache: str | os.PathLike[str] | None = None,
) -> Report:
    """Audits a folder against the checklist.

    `phases` restricts it to some phases of the checklist. `strict` lets a difference in wording fail an item.
    `profile` names the checklist, by default what the configuration says, else what the folder looks like.
    `config` is a configuration file, by default the one at the root of the folder; `no_config` leaves that
    alone. `trust` allows the rule folders that the configuration names.
    `baseline` is what the findings are compared with: a file, a Baseline, or None for
    `.zuno-audit/baseline.json` of the folder if it is there; `no_baseline` leaves that alone. `today`
    is the day that waivers are held against, by default this one.
    `checklist_file` is the team's own checklist, a Markdown file with boxes, by default the one that the
    configuration names, else the one in the folder that speaks of our items, if there is one.
    `evidence` is a folder with the outputs of runs, by default the configured one, else `.zuno-audit/evidence`.
    `semgrep` runs the rules that need it as well, by default as the configuration says, else not.
    `jobs` above 1 lets a second, forked process help where that is safe (Linux, no other threads).
    `cache` is a folder outside of the audited one in which the results of rules are kept for the next audit of
    the same files, by default none; see `engine/recall.py`.
    Raises UsageError for an unknown phase or a folder of evidence that is not there, SourceError when the
    folder cannot be read, RuleError when a rule or checklist file is malformed, ConfigError when the team's
    checklist cannot serve as one, and when the configuration, the baseline or the waivers are malformed.
    """
    listing = begin_listing(Path(root))
    built_in_checklist(DEFAULT)  # what most audits need, read while git lists the files
    repository = listing.repository()
    setup = set_up(repository, profile=profile, config=config, no_config=no_config, trust=trust)
    checklist = select_phases(setup.checklist, phases)
    known = None if no_baseline else baseline_for(repository, baseline)
    excuser = _excuser(repository, setup, checklist, today)
    refs = references(checklist)
    items = _items(setup)
    given = chosen_checklist(checklist_file, setup.config.checklist, repository, items)
    is_empty = not holds_go(repository)

    asks_semgrep = setup.config.semgrep if semgrep is None else semgrep
    store = FactStore(repository, semgrep_files(setup, refs) if asks_semgrep else None)
    wanted = () if is_empty else setup.wanted(refs)
    kept = None if cache is None else Path(cache)
    runs, info = recall_or_run(kept, lambda: git_info(repository), wanted, setup.rule, store, progress, jobs)
    folder = setup.evidence(repository) if evidence is None else Path(evidence)
    ids = (c.id for c in setup.checklist.controls)
    shown = gather(repository, folder, checklist=checklist, items=ids, commit=info.commit, today=today)

    by_ref = excuser.marked({**runs.by_ref, **setup.skipped(refs), **({} if is_empty else shown.runs)})
    attestations = () if is_empty else shown.attestations
    verdicts = evaluate(checklist, by_ref, strict=strict, attestations=attestations)
    team = team_checklist(given, verdicts, items, store)
    read = team.reading(repository)
    idle = unasked(verdicts)
    asked = {ref: run for ref, run in by_ref.items() if ref not in idle}
    every = {**asked, **excuser.marked(team.runs), **excuser.complaints()}
    order = (c.id for c in checklist.controls)
    findings = settle(every, attribute(verdicts), order, read, repository.real_path)
    if known is not None:
        findings = compare(findings, known, unsure_rules(setup.rules, every))

    troubles = (*setup.diagnostics, *runs.diagnostics, *team.diagnostics, *shown.diagnostics)
    result = AuditResult(
        tool_version=VERSION,
        repository=info,
        checklist=checklist,
        verdicts=verdicts,
        findings=_strictly(findings) if strict else findings,
        diagnostics=settle_diagnostics(troubles, store),
        rules=(*shown.rules, *_rules_behind(setup.rules, (*refs, *team.runs))),
        files=team.files(repository),
        profile=setup.profile.name,
        nothing_to_audit=is_empty,
        has_baseline=known is not None,
        checklist_file=team.file,
        read_text=read,
    )
    return Report(result, setup)


def _items(setup: Setup) -> Source:
    """What a team's own checklist may ask for."""
    config = setup.config
    return Source(setup.checklist, setup.rules, not config.parameters, config.levels, config.off)


def _excuser(repository: Repository, setup: Setup, checklist: Checklist, today: date | None) -> Excuser:
    """What suppressions and waivers of the tree excuse. Raises ConfigError for malformed waivers."""
    controls = setup.checklist.controls
    names = {*setup.rules.ids(), *(ref.rule for c in controls for ref in c.evidence)}
    waivers = read_waivers(repository, names, tuple(c.id for c in controls))
    excuses = Excuses(suppressions_in(repository), waivers, today or date.today())
    own = {rule_id: setup.rules.rule(rule_id) for rule_id in OWN_RULES}
    return Excuser(checklist.controls, excuses, names, own)


def _rules_behind(rules: RuleFiles, refs: Iterable[CheckRef]) -> Iterator[RuleInfo]:
    """What is told of the rules of these checks and of the engine's own."""
    return (rules.rule(rule_id).info for rule_id in sorted({*OWN_RULES, *(ref.rule for ref in refs)}))


def inventory(root: str | os.PathLike[str], *, include_all: bool = False, jobs: int = 1) -> dict[str, Any]:
    """What the analysis knows of any Go repository, as `zuno-audit/inventory/v1`.

    `include_all` takes in test, generated and vendored code. `jobs` as for `audit`. Raises SourceError for an
    unreadable folder.
    """
    from zuno_audit.engine.inventory import take_inventory

    return take_inventory(FactStore(open_repository(Path(root))), include_all=include_all, jobs=jobs)


def baseline_for(repository: Repository, given: str | os.PathLike[str] | Baseline | None) -> Baseline | None:
    """The baseline to compare with, see `audit`; None when there is none. Raises ConfigError."""
    if isinstance(given, Baseline):
        return given
    if given is not None:
        return read_baseline(_bytes_of(Path(given)), str(given))
    if not (repository.root / DEFAULT_FILE).exists():
        return None
    try:
        data = repository.reader.read(DEFAULT_FILE.encode(), limit=MAX_BYTES)
    except Unreadable as error:
        raise ConfigError(f"not read: {error}", path=DEFAULT_FILE, hint=_OTHER_BASELINE) from None
    return read_baseline(data, DEFAULT_FILE)


def _bytes_of(file: Path) -> bytes:
    try:
        if not file.is_file():
            raise ConfigError("there is no such baseline", path=str(file), hint=_OTHER_BASELINE)
        with file.open("rb") as stream:
            return stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigError(f"cannot be read: {why}", path=str(file), hint=_OTHER_BASELINE) from None


def unsure_rules(rules: RuleFiles, runs: Mapping[CheckRef, RuleRun]) -> frozenset[str]:
    """The rules of which nobody can say that what they do not find is not there."""
    failed = {
        run.rule
        for run in runs.values()
        if run.outcome in (Outcome.FAILED, Outcome.SKIPPED)
        or (run.outcome is Outcome.OPEN and run.scope_size == 0)
    }
    ran = {run.rule for run in runs.values()} | set(OWN_RULES)
    return frozenset(failed | (set(rules.ids()) - ran))


def rule_files() -> RuleFiles:
    """The rules that come with zuno-audit. Raises RuleError when two files claim one id."""
    return built_in_rules()


def rule_index() -> str:
    """The text of `rules/index.json` for rules, checklists and profiles as they are. Raises RuleError."""
    library = Library(data_root() / "rules")
    rules = RuleFiles([library.root])
    rules.all()
    paths = list(rules.paths())
    for name in profile_names(library.root):
        profile = load_profile(library, name)
        load_checklist(library, profile)
        paths += [f"profiles/{name}.yaml", *profile.paths]
    return library.index_of(dict.fromkeys(paths))


def select_phases(checklist: Checklist, phases: Iterable[str] | None) -> Checklist:
    """The controls of these phases, or of all. Raises UsageError for a phase that is not in the checklist."""
    if phases is None:
        return checklist
    wanted = {str(phase).upper() for phase in ([phases] if isinstance(phases, str) else phases)}
    valid = checklist.phases()
    unknown = sorted(wanted - set(valid))
    if unknown:
        raise UsageError(f"Unknown phase {unknown[0]!r}.", hint=f"Phases: {', '.join(valid)}.")
    if not wanted:
        return checklist
    return replace(checklist, controls=tuple(c for c in checklist.controls if c.phase in wanted))


def references(checklist: Checklist) -> tuple[CheckRef, ...]:
    """Every check of the checklist, each once, in checklist order."""
    return tuple(dict.fromkeys(ref for c in checklist.controls for ref in control_references(c)))


def semgrep_files(setup: Setup, refs: Iterable[CheckRef]) -> tuple[SemgrepFile, ...]:
    """The files of semgrep rules that these checks need, each once. Raises RuleError."""
    rules = (setup.rule(ref.rule) for ref in setup.wanted(refs))
    return tuple(dict.fromkeys(semgrep_file(rule) for rule in rules if rule.kind == "semgrep"))


def holds_go(repository: Repository) -> bool:
    """True when there is a Go file or a go.mod: without either there is nothing to audit."""
    return any(path.endswith(".go") or path.rpartition("/")[2] == "go.mod" for path in repository.files)


def _strictly(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings whose differences in wording count as faults."""
    return tuple(
        replace(f, level=Level.ERROR) if f.letter and counts(f, strict=True) else f for f in findings
    )
