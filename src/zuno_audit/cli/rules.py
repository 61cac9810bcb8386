"""`zuno-audit rules ...` and `zuno-audit explain`: rules for the people who read and write them."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from msgspec import Struct

from zuno_audit.authoring.pages import item_page, rule_page
from zuno_audit.cli import exits
from zuno_audit.cli.outputs import write_stdout
from zuno_audit.config.setup import built_in_checklist, built_in_rules
from zuno_audit.errors import UsageError
from zuno_audit.model.control import Checklist
from zuno_audit.report.encode import to_json_text
from zuno_audit.report.safe import visible
from zuno_audit.resources import data_root
from zuno_audit.rules.document import Library
from zuno_audit.rules.load import RuleFiles

NEAR = ("tests/fixtures/rules", "fixtures")  # where fixtures are looked for, beside a folder of rules


class RuleSet(Struct, frozen=True):
    """The rules that a command is about: ours, or those of a folder."""

    folder: Path | None = None
    fixtures: Path | None = None

    def rules(self) -> RuleFiles:
        """Raises RuleError, and UsageError for a folder that is not there or holds no rules."""
        if self.folder is None:
            return built_in_rules()
        if not self.folder.is_dir():
            raise UsageError(f"There is no folder {str(self.folder)!r}.")
        rules = RuleFiles([self.folder])
        if not rules.ids():
            hint = "A folder of rules holds packs, and a pack its rules: rules/acme/some-rule.yaml."
            raise UsageError(f"There are no rules in {str(self.folder)!r}.", hint=hint)
        return rules

    def where_fixtures_are(self) -> Path:
        """The folder of fixtures. Raises UsageError when there is none."""
        if self.fixtures is not None:
            if not self.fixtures.is_dir():
                raise UsageError(f"There is no folder {str(self.fixtures)!r}.")
            return self.fixtures
        root = self.folder.resolve().parent if self.folder is not None else Path(str(data_root()))
        for name in NEAR:
            if (root / name).is_dir():
                return root / name
        raise UsageError(
            "No fixtures are known for these rules.", hint="Name their folder with --fixtures DIR."
        )

    def checklists(self) -> tuple[Checklist, ...]:
        """The checklists that use the rules."""
        from zuno_audit.checklist.catalog import load_checklist
        from zuno_audit.checklist.profile import load_profile, profile_names

        library = Library(self.folder if self.folder is not None else data_root() / "rules")
        profiles = [load_profile(library, name) for name in profile_names(library.root)]
        return tuple(load_checklist(library, profile) for profile in profiles)


def run_list(which: RuleSet, format_: str) -> int:
    """Print every rule. Raises AuditError."""
    rules = which.rules().all()
    if format_ == "json":
        entries = [
            {"id": r.id, "pack": r.info.pack, "level": r.info.level.value, "title": r.info.title}
            for r in rules
        ]
        write_stdout(to_json_text({"rules": entries}), is_for_people=False)
        return exits.OK
    width = max(len(rule.id) for rule in rules)
    lines = [f"{r.id:<{width}}  {r.info.level.value:<7}  {r.info.title}" for r in rules]
    write_stdout("\n".join([*map(visible, lines), ""]), is_for_people=True)
    return exits.OK


def run_show(which: RuleSet, rule_id: str) -> int:
    """Print the file of a rule. Raises UsageError for an unknown one."""
    write_stdout(which.rules().text(_known(which.rules(), rule_id)), is_for_people=True)
    return exits.OK


def run_explain(which: RuleSet, name: str) -> int:
    """Print the page of a rule or of an item. Raises UsageError for what is neither."""
    rules = which.rules()
    if name in rules:
        text = rule_page(rules.rule(name), built_in_checklist())
    else:
        controls = [c for checklist in which.checklists() for c in checklist.controls]
        control = next((c for c in controls if c.id == name.upper()), None)
        if control is None:
            raise _unknown(rules, name, [c.id for c in controls])
        all_rules = RuleFiles([*([which.folder] if which.folder is not None else []), data_root() / "rules"])
        text = item_page(
            control, [all_rules.rule(r) for r in {ref.rule for ref in (*control.checks, *control.also)}]
        )
    write_stdout(text, is_for_people=True)
    return exits.OK


def run_lint(which: RuleSet, format_: str, *, needs_fixtures: bool) -> int:
    """Print what is wrong with the rules; 1 when something is. Raises AuditError."""
    from zuno_audit.authoring.lint import lint

    rules = which.rules()
    fixtures = which.where_fixtures_are() if needs_fixtures else None
    remarks = lint(rules, fixtures, which.checklists())
    if format_ == "json":
        entries = [{"path": r.path, "line": r.line, "message": r.message, "cure": r.cure} for r in remarks]
        write_stdout(to_json_text({"remarks": entries}), is_for_people=False)
        return exits.FINDINGS if remarks else exits.OK
    lines = [line for r in remarks for line in (visible(str(r)), f"    {visible(r.cure)}") if line.strip()]
    lines.append(f"{_many(len(remarks), 'mistake')} in {_many(len(rules.ids()), 'rule')}.")
    write_stdout("\n".join([*lines, ""]), is_for_people=True)
    return exits.FINDINGS if remarks else exits.OK


def run_test(which: RuleSet, only: tuple[str, ...]) -> int:
    """Try rules on their fixtures; 1 when one does not do what is marked. Raises AuditError."""
    from zuno_audit.authoring.trial import try_rules

    rules = which.rules()
    rules.all()  # a rule that does not load is told before a fixture that is missing
    fixtures = which.where_fixtures_are()
    chosen = tuple(_known(rules, rule_id) for rule_id in only)
    trials = []
    for trial in try_rules(rules, fixtures, chosen):
        trials.append(trial)
        if not trial.is_good:
            word = "SKIP" if trial.skipped else "FAIL"
            lines = [
                f"{word} {trial.case.name}",
                *(f"    {t}" for t in (*trial.troubles, trial.skipped) if t),
            ]
            write_stdout("\n".join([*map(visible, lines), ""]), is_for_people=True)
    if not trials:
        raise UsageError("These rules have no fixtures.", hint=f"Put some into {fixtures}/RULE/fail/CASE/.")
    good, skipped = sum(t.is_good for t in trials), sum(bool(t.skipped) for t in trials)
    more = f", {skipped} not tried" if skipped else ""
    write_stdout(f"{good} of {len(trials)} cases are as marked{more}.\n", is_for_people=True)
    return exits.OK if good + skipped == len(trials) else exits.FINDINGS


def run_tables(name: str | None) -> int:
    """Print what tables there are, or one of them. Raises UsageError."""
    from zuno_audit.authoring.tables import table_text
    from zuno_audit.facts.catalog import TABLES

    text = "\n".join(sorted(TABLES)) if name is None else table_text(name)
    write_stdout(f"{text}\n", is_for_people=True)
    return exits.OK


def run_new(which: RuleSet, rule_id: str, pack: str, table: str) -> int:
    """Write the first draft of a rule and say what to do next. Raises UsageError."""
    from zuno_audit.authoring.scaffold import Draft

    folder = which.folder or Path("rules")
    beside = folder.resolve().parent
    near = next((beside / name for name in NEAR if (beside / name).is_dir()), beside / NEAR[-1])
    written = Draft(rule_id, pack, folder, which.fixtures or near, table).write()
    lines = [
        *(f"wrote {_from_here(path)}" for path in written),
        f"Next: zuno-audit rules test --rules {folder} {rule_id}",
    ]
    write_stdout("\n".join([*map(visible, lines), ""]), is_for_people=True)
    return exits.OK


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _from_here(path: Path) -> str:
    """The path as somebody in this folder would write it."""
    here = Path.cwd().resolve()
    return str(path.resolve().relative_to(here) if path.resolve().is_relative_to(here) else path)


def _known(rules: RuleFiles, rule_id: str) -> str:
    if rule_id not in rules:
        raise _unknown(rules, rule_id)
    return rule_id


def _unknown(rules: RuleFiles, name: str, others: list[str] | None = None) -> UsageError:
    among = [*rules.ids(), *(others or ())]
    word = name.lower()
    close = [n for n in among if len(word) > 2 and word in n.lower()][:5] or get_close_matches(name, among, 3)
    hint = f"Did you mean {' or '.join(close)}?" if close else "`zuno-audit rules list` lists the rules."
    what = "rule or item" if others is not None else "rule"
    return UsageError(f"There is no {what} {name!r}.", hint=hint)
