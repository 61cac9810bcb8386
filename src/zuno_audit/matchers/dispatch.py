"""From a rule and its arguments to the matcher that runs it."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from msgspec.structs import replace

from zuno_audit.errors import RuleError
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.semgrep.wanted import NOT_ASKED, NotRun, SemgrepFile
from zuno_audit.matchers.quantifier import run_over
from zuno_audit.matchers.template import render
from zuno_audit.model.control import CheckRef
from zuno_audit.model.entity import Table
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.rule_run import RuleRun
from zuno_audit.resources import data_root
from zuno_audit.rules.load import QUERY_TABLE, SEMGREP_TABLE
from zuno_audit.rules.rule import Rule


def resolve_arguments(rule: Rule, ref: CheckRef) -> dict[str, str]:
    """The value of every parameter. Raises RuleError for an unknown argument and for one that is missing.

    A default may use the parameters that come before it.
    """
    given = dict(ref.arguments)
    unknown = sorted(set(given) - {name for name, _ in rule.parameters})
    if unknown:
        names = ", ".join(name for name, _ in rule.parameters)
        hint = f"Its parameters: {names}." if names else "It has none."
        raise RuleError(f"rule {rule.id} has no parameter {unknown[0]!r}", path=rule.path, hint=hint)
    values: dict[str, str] = {}
    for name, default in rule.parameters:
        if name in given:
            values[name] = given[name]
        elif default is None:
            raise RuleError(f"rule {rule.id} needs a value for its parameter {name!r}", path=rule.path)
        else:
            values[name] = render(default, values)
    return values


def run_rule(rule: Rule, store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """Runs a rule. May raise anything that a fact provider or a Python check raises."""
    if rule.quantifier == "python":
        return _run_python(rule, store, arguments)
    if rule.quantifier == "engine":
        raise RuleError("the engine reports this rule itself; no item can name it", path=rule.path)
    return run_over(rule, table_of(rule, store), arguments)


def table_of(rule: Rule, store: FactStore) -> Table:
    """The table that a rule quantifies over. Raises NotRun when the second engine was not asked for."""
    if rule.table.startswith(QUERY_TABLE):
        from zuno_audit.facts.query import query_table

        return store.get(query_table(rule.table.removeprefix(QUERY_TABLE), rule.queries))
    if rule.table.startswith(SEMGREP_TABLE):
        if store.semgrep is None:  # said here already, so that a plain audit imports nothing for it
            raise NotRun(NOT_ASKED)
        from zuno_audit.facts.semgrep.table import semgrep_table

        return store.whole(store.get(semgrep_table(semgrep_file(rule))))
    return store.table(rule.table)


def semgrep_file(rule: Rule) -> SemgrepFile:
    """The file of semgrep rules that a rule of kind semgrep goes with."""
    folder = rule.folder if rule.folder is not None else data_root() / "rules"
    return SemgrepFile(rule.table.removeprefix(SEMGREP_TABLE), folder)


def _run_python(rule: Rule, store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    module, _, name = rule.check.partition(":")
    run: RuleRun = getattr(import_module(module), name)(store, arguments)
    return replace(run, findings=tuple(_owned(finding, rule) for finding in run.findings))


def _owned(finding: Finding, rule: Rule) -> Finding:
    """A finding of a Python check with the rule's id and level."""
    level = Level.WARNING if finding.undecided else Level.NOTE if finding.letter else rule.info.level
    return replace(finding, rule=rule.id, level=level)
