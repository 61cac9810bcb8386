"""Looks for mistakes in rules that loading them does not find: what never matches, is not tried, not used."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from msgspec import Struct

from zuno_audit.authoring.cases import FAIL, PASS, cases_of
from zuno_audit.authoring.never import never_holds, never_matches
from zuno_audit.errors import ConfigError, RuleError
from zuno_audit.facts.query import query_table, query_text
from zuno_audit.matchers.dispatch import resolve_arguments
from zuno_audit.model.control import Checklist, CheckRef
from zuno_audit.rules.load import QUERY_TABLE, RuleFiles
from zuno_audit.rules.rule import Condition, Rule

_WORD = re.compile(r"[A-Za-z_]\w*")
_TEMPLATE = re.compile(r"\{[{%](.*?)[}%]\}", re.DOTALL)


class Remark(Struct, frozen=True, order=True):
    """One mistake: where, what, and what to do about it."""

    path: str
    line: int
    message: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}"


def lint(rules: RuleFiles, fixtures: Path | None, checklists: Iterable[Checklist] = ()) -> list[Remark]:
    """Everything that is wrong with these rules, sorted.

    `fixtures` is the folder with their fixtures, None to leave them out; `checklists` use the rules.
    """
    remarks: list[Remark] = []
    good: dict[str, Rule] = {}
    for rule_id in rules.ids():
        try:
            good[rule_id] = rules.rule(rule_id)
        except RuleError as error:
            remarks.append(_of_error(error))
    try:
        rules.packs()
    except RuleError as error:
        remarks.append(_of_error(error))
    for rule in good.values():
        remarks += _rule(rule)
        if fixtures is not None:
            remarks += _fixtures(rule, fixtures)
    for checklist in checklists:
        remarks += _checklist(checklist, good)
    return sorted(set(remarks))


def _of_error(error: ConfigError) -> Remark:
    where = f"{error.path}:{error.line}: " if error.line else f"{error.path}: "
    return Remark(error.path, error.line or 1, str(error).removeprefix(where), error.hint)


def _rule(rule: Rule) -> Iterator[Remark]:
    yield from _unused(rule)
    yield from _conditions(rule)
    for key, example in (("bad", rule.info.bad), ("good", rule.info.good)):
        if not example:
            yield Remark(rule.path, 1, f"it has no {key} example", f"Add `{key}:` with a snippet.")
    if rule.table.startswith(QUERY_TABLE):
        yield from _query(rule)
    if rule.quantifier == "python":
        yield from _function(rule)


def _unused(rule: Rule) -> Iterator[Remark]:
    used = _words_of_function(rule) if rule.quantifier == "python" else set(_words(_texts(rule)))
    for name, _ in rule.parameters:
        if name not in used:
            yield Remark(rule.path, 1, f"the parameter {name!r} is used nowhere", "Use it or take it out.")


def _texts(rule: Rule) -> Iterator[str]:
    yield from (rule.problems, rule.at_least, rule.at_most, rule.message, rule.passes)
    yield from (rule.absent.path, rule.absent.message)
    yield from (default for _, default in rule.parameters if default)
    yield from _texts_in([predicate for _, predicate in rule.where])
    for clause in (*rule.require, *rule.prefer):
        yield clause.message
        yield clause.undecided
        yield from _texts_in([predicate for _, predicate in clause.condition])


def _texts_in(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, (list, dict)):
        for inner in data.values() if isinstance(data, dict) else data:
            yield from _texts_in(inner)


def _words(texts: Iterable[str]) -> Iterator[str]:
    """Every name in the placeholders of texts."""
    for text in texts:
        for template in _TEMPLATE.findall(text):
            yield from _WORD.findall(template)


def _words_of_function(rule: Rule) -> set[str]:
    try:
        function = _imported(rule)
    except (ImportError, AttributeError):
        return {name for name, _ in rule.parameters}  # `_function` says what is wrong
    return set(_WORD.findall(inspect.getsource(import_module(function.__module__))))


def _imported(rule: Rule) -> Callable[..., Any]:
    module, _, name = rule.check.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _function(rule: Rule) -> Iterator[Remark]:
    try:
        _imported(rule)
    except (ImportError, AttributeError) as error:
        yield Remark(rule.path, 1, f"there is no function {rule.check}: {error}", "Name one that exists.")


def _conditions(rule: Rule) -> Iterator[Remark]:
    sections: list[tuple[str, Condition]] = [("where", rule.where)]
    sections += [(f"require[{i}]", clause.condition) for i, clause in enumerate(rule.require)]
    sections += [(f"prefer[{i}]", clause.condition) for i, clause in enumerate(rule.prefer)]
    for section, condition in sections:
        for name, predicate in condition:
            why = never_holds(predicate)
            if why:
                yield Remark(rule.path, 1, f"{section}.{name} can never hold: {why}", "Mend the condition.")


def _query(rule: Rule) -> Iterator[Remark]:
    name = rule.table.removeprefix(QUERY_TABLE)
    try:
        text = query_text(name, rule.queries)
        query_table(name, rule.queries)
    except RuleError as error:
        cure = "Mend the query: a row of the grammar's node-types.json says what may lie in what."
        yield Remark(error.path, error.line or 1, str(error).removeprefix(f"{error.path}: "), cure)
        return
    for line, why in never_matches(text):
        yield Remark(f"queries/{name}.scm", line, f"the query can never match: {why}", "Mend the query.")
    captures = set(re.findall(r"@([\w.-]+)", re.sub(r";.*", "", text)))
    for field in _fields(rule):
        if captures and field not in captures | {"path", "line"}:
            yield Remark(rule.path, 1, f"the query captures no @{field}", "Capture it, or take it out.")


def _fields(rule: Rule) -> Iterator[str]:
    for condition in (rule.where, *(clause.condition for clause in (*rule.require, *rule.prefer))):
        yield from (name for name, _ in condition)


def _fixtures(rule: Rule, fixtures: Path) -> Iterator[Remark]:
    try:
        cases = cases_of(rule.id, fixtures)
    except RuleError as error:
        yield _of_error(error)
        return
    for kind in (FAIL, PASS):
        if not any(case.kind == kind for case in cases):
            what = "failing" if kind == FAIL else "passing"
            yield Remark(
                rule.path, 1, f"it has no {what} fixture", f"Add {rule.id}/{kind}/CASE/ to the fixtures."
            )
    if rule.quantifier != "engine":
        for case in cases:
            yield from _arguments(rule, case.arguments, f"{case.root}/expect.yaml")


def _arguments(rule: Rule, arguments: tuple[tuple[str, str], ...], path: str) -> Iterator[Remark]:
    try:
        resolve_arguments(rule, CheckRef(rule.id, arguments))
    except RuleError as error:
        known = ", ".join(name for name, _ in rule.parameters) or "none"
        yield Remark(path, 1, str(error).removeprefix(f"{error.path}: "), f"Parameters: {known}.")


def _checklist(checklist: Checklist, rules: dict[str, Rule]) -> Iterator[Remark]:
    for control in checklist.controls:
        refs = (*control.checks, *control.also, *([control.applies_when] if control.applies_when else []))
        for ref in refs:
            if ref.rule in rules:
                yield from _arguments(rules[ref.rule], ref.arguments, f"checklist item {control.id}")
