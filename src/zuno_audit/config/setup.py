"""What is audited, and with what: configuration, profile, checklist and rules, brought together.

The profile is the one asked for, else the configured one, else the one whose paths the repository has, else
`zuno`: a checklist whose services are missing says so loudly, a shorter one could be taken for the whole.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.checklist.catalog import load_checklist
from zuno_audit.checklist.profile import DEFAULT, Parameters, Profile, load_profile, profile_names
from zuno_audit.config.load import Config, check_names, find_config, load_config
from zuno_audit.errors import RuleError, UsageError
from zuno_audit.model.control import Checklist, CheckRef, Control
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.resources import data_root
from zuno_audit.rules.document import Library
from zuno_audit.rules.load import RuleFiles
from zuno_audit.rules.rule import Rule
from zuno_audit.source.repository import Repository


class Setup(Struct, frozen=True):
    """One audit, before it runs. `is_recognised` is False when nothing spoke for the profile.

    `profiles` are the names that there are.
    """

    profile: Profile
    checklist: Checklist
    rules: RuleFiles
    config: Config
    is_recognised: bool = True
    profiles: tuple[str, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()

    def evidence(self, repository: Repository) -> Path | None:
        """The folder of evidence that the configuration names, if it lies in the repository.

        Raises ConfigError for one that does not.
        """
        if not self.config.evidence:
            return None
        folder = repository.root / self.config.evidence
        if not folder.is_dir() or not folder.resolve().is_relative_to(repository.root):
            message = f"there is no folder {self.config.evidence!r} in the repository"
            raise self.config.wrong(
                message, "evidence", hint="`zuno-audit collect` fills a folder of evidence."
            )
        return folder

    def rule(self, rule_id: str) -> Rule:
        """A rule with the level that the configuration gives its findings."""
        rule = self.rules.rule(rule_id)
        level = self.config.levels.get(rule_id)
        return rule if level is None else replace(rule, info=replace(rule.info, level=level))

    def wanted(self, refs: Iterable[CheckRef]) -> tuple[CheckRef, ...]:
        """The references whose rules are not off."""
        return tuple(ref for ref in refs if ref.rule not in self.config.off)

    def skipped(self, refs: Iterable[CheckRef]) -> dict[CheckRef, RuleRun]:
        """A run that says so for every reference whose rule is off."""
        return {
            ref: RuleRun(
                ref.rule,
                ref.arguments,
                Outcome.SKIPPED,
                0,
                f"Turned off in {self.config.path}: {self.config.off[ref.rule]}. A person must look.",
            )
            for ref in refs
            if ref.rule in self.config.off
        }


def set_up(
    repository: Repository,
    *,
    profile: str | None = None,
    config: str | os.PathLike[str] | None = None,
    no_config: bool = False,
    trust: bool = False,
) -> Setup:
    """Reads the configuration and what follows from it; takes the excluded paths out of the repository.

    `config` is a file to read instead of the repository's own; `no_config` reads none. `trust` allows rule
    folders of the repository, and its own configuration to ask for semgrep.
    Raises ConfigError, RuleError, and UsageError for an unknown profile.
    """
    settings, notes = (Config(), ()) if no_config else _settings(repository, config)
    if settings.semgrep and config is None and not trust:
        settings, notes = replace(settings, semgrep=False), (*notes, _semgrep_is_not_run(settings))
    roots = _roots(repository, settings, trust)
    libraries = tuple(_library(root) for root in roots)
    rules = _rules(roots)
    chosen, is_recognised = _choose(libraries, repository, profile, settings)
    parameters = chosen.with_parameters(settings.parameters)
    check_names(
        settings, dict(chosen.parameters), rules.ids() if settings.levels or settings.off else (), chosen.name
    )
    holder = _holder(libraries, chosen.name)
    checklist = checked(_checklist(holder, chosen, parameters), rules, holder, chosen)
    left_out = _leave_out(repository, settings)
    names = tuple(name for library in libraries for name in profile_names(library.root))
    return Setup(chosen, checklist, rules, settings, is_recognised, names, (*notes, *left_out))


def checked(checklist: Checklist, rules: RuleFiles, library: Library, profile: Profile) -> Checklist:
    """The checklist. Raises RuleError when it names a rule that does not exist."""
    for control in checklist.controls:
        for ref in control_references(control):
            if ref.rule not in rules:
                from difflib import get_close_matches

                message = f"item {control.id} names the rule {ref.rule!r}, which does not exist"
                path, line = _place(library, profile, control.id, ref.rule)
                close = get_close_matches(ref.rule, rules.ids(), 1)
                hint = f"Did you mean {close[0]!r}?" if close else "`zuno-audit rules list` lists the rules."
                raise RuleError(message, path=path, line=line, hint=hint)
    return checklist


def _place(library: Library, profile: Profile, item: str, rule: str) -> tuple[str, int]:
    """The file and the line in which an item of a checklist names a rule."""
    for path in profile.paths:
        lines = library.read(path).text.splitlines()
        starts = [
            n for n, line in enumerate(lines) if re.search(rf"\bid: *['\"]?{re.escape(item)}['\"]?\s*$", line)
        ]
        for start in starts:
            number = next((n for n in range(start, len(lines)) if rule in lines[n]), start)
            return path, number + 1
    return "checklist", 1


def control_references(control: Control) -> tuple[CheckRef, ...]:
    """The checks of one control, its condition and its second looks included."""
    condition = () if control.applies_when is None else (control.applies_when,)
    return (*control.checks, *condition, *control.also)


@lru_cache(maxsize=1)
def built_in_rules() -> RuleFiles:
    """The rules that come with zuno-audit. Raises RuleError when two files claim one id."""
    return RuleFiles([data_root() / "rules"])


@lru_cache(maxsize=1)
def built_in_library() -> Library:
    """The profiles and checklists that come with zuno-audit."""
    return Library(data_root() / "rules")


def built_in_checklist(profile: str = DEFAULT) -> Checklist:
    """The checklist of a built-in profile, with its own parameters. Raises UsageError for an unknown one."""
    library = built_in_library()
    found = load_profile(library, profile)
    return checked(_checklist(library, found, found.parameters), built_in_rules(), library, found)


@lru_cache(maxsize=16)
def _checklist(library: Library, profile: Profile, parameters: Parameters) -> Checklist:
    return load_checklist(library, profile, parameters)


def _settings(
    repository: Repository, config: str | os.PathLike[str] | None
) -> tuple[Config, tuple[Diagnostic, ...]]:
    return find_config(repository) if config is None else (load_config(Path(config)), ())


def _roots(repository: Repository, config: Config, trust: bool) -> tuple[Path, ...]:
    """The folders of rules: the built-in one, and those of the repository where the user trusts it."""
    own = []
    for index, name in enumerate(config.rule_folders):
        if not trust:
            message = f"the rule folder {name!r} is not read"
            hint = "Rules of the audited repository are only read with --trust."
            raise config.wrong(message, "rule-folders", index, hint=hint)
        folder = repository.root / name
        if not folder.is_dir() or not folder.resolve().is_relative_to(repository.root):
            raise config.wrong(f"there is no folder {name!r} in the repository", "rule-folders", index)
        own.append(folder)
    return (data_root() / "rules", *own)


def _library(root: Path) -> Library:
    return built_in_library() if root == built_in_library().root else Library(root)


def _rules(roots: tuple[Path, ...]) -> RuleFiles:
    return built_in_rules() if len(roots) == 1 else RuleFiles(roots)


def _choose(
    libraries: tuple[Library, ...], repository: Repository, asked: str | None, config: Config
) -> tuple[Profile, bool]:
    """The profile, and whether anything speaks for it."""
    names = [name for library in libraries for name in profile_names(library.root)]
    if asked or config.profile:
        name = asked or config.profile
        if name not in names:
            hint = f"Profiles: {', '.join(names)}."
            if asked:
                raise UsageError(f"There is no profile {name!r}.", hint=hint)
            raise config.wrong(f"there is no profile {name!r}", "profile", hint=hint)
        return load_profile(_holder(libraries, name), name), True
    for name in sorted(names, key=lambda name: name != DEFAULT):
        profile = load_profile(_holder(libraries, name), name)
        if any(next(repository.glob(pattern), None) for pattern in profile.recognised_by):
            return profile, True
    return load_profile(libraries[0], DEFAULT), False


def _holder(libraries: tuple[Library, ...], profile: str) -> Library:
    """The folder that has the profile; the built-in one wins."""
    return next(library for library in libraries if profile in profile_names(library.root))


def _semgrep_is_not_run(config: Config) -> Diagnostic:
    """The audited repository alone cannot make a program run."""
    message = "semgrep is not run because the audited repository asks for it: add --semgrep or --trust"
    return Diagnostic(Level.WARNING, config.path, config.line("semgrep"), message)


def _leave_out(repository: Repository, config: Config) -> tuple[Diagnostic, ...]:
    """Takes the excluded paths out of the repository and says how many they are."""
    notes = []
    for index, pattern in enumerate(config.exclude):
        count = repository.leave_out(pattern)
        line = config.line("exclude", index)
        level = Level.NOTE if count else Level.WARNING
        message = f"{count} files are not audited" if count else "nothing is there to be left out"
        notes.append(Diagnostic(level, config.path, line, f"exclude {pattern!r}: {message}"))
    return tuple(notes)
