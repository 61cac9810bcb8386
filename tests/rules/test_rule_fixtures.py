"""Every built-in rule on its fixtures: failing cases and near misses, exact to the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from zuno_audit.api import rule_files
from zuno_audit.authoring.cases import FAIL, PASS, Case, cases_of
from zuno_audit.authoring.lint import lint
from zuno_audit.authoring.trial import try_case
from zuno_audit.cli.rules import RuleSet
from zuno_audit.facts.semgrep.process import find_semgrep

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rules"
RULES = rule_files()
CASES = [case for rule_id in RULES.ids() for case in cases_of(rule_id, FIXTURES)]


@pytest.mark.parametrize("rule_id", RULES.ids())
def test_has_a_failing_case_and_a_near_miss(rule_id: str) -> None:
    kinds = {case.kind for case in CASES if case.rule == rule_id}
    assert kinds == {FAIL, PASS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_reports_exactly_the_marked_lines(case: Case) -> None:
    if RULES.rule(case.rule).kind == "semgrep" and find_semgrep(FIXTURES) is None:
        pytest.skip("semgrep is not installed: pip install zuno-audit[semgrep]")
    trial = try_case(RULES.rule(case.rule), case)
    if trial.skipped:
        pytest.skip(trial.skipped)
    assert trial.troubles == ()


def test_no_fixture_belongs_to_an_unknown_rule() -> None:
    assert [folder.name for folder in FIXTURES.iterdir() if folder.name not in RULES] == []


def test_lint_has_nothing_to_say_of_the_built_in_rules() -> None:
    which = RuleSet(fixtures=FIXTURES)
    assert [str(remark) for remark in lint(RULES, FIXTURES, which.checklists())] == []
