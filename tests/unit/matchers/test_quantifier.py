"""What rules say about tiny tables: the whole path from YAML to a run."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

from zuno_audit.errors import RuleError
from zuno_audit.facts.catalog import TABLES
from zuno_audit.matchers.dispatch import resolve_arguments
from zuno_audit.matchers.quantifier import run_over
from zuno_audit.model.control import CheckRef
from zuno_audit.model.entity import Answer, Entity, Problem, Scalar, Table
from zuno_audit.model.finding import Level
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.load import read_rule

HEAD = """
id: box-without-lid
title: Box without a lid
kind: presence
severity: error
precision: high
since: 0.1.0
why: Things fall out.
fix: Put a lid on it.
"""

LIDS = """
for_each: box
require:
  - lid: "yes"
    message: "The box has no lid: {{ lid.because }}."
"""


@pytest.fixture(autouse=True)
def _box_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, "box", "unused:unused")


def box(path: str, **fields: Answer | Scalar | tuple[Scalar, ...]) -> Entity:
    answers = {k: v if isinstance(v, Answer) else Answer(v) for k, v in fields.items()}
    return Entity("box", at_line(path, 3), answers)


def run(
    body: str,
    *rows: Entity,
    problems: tuple[Problem, ...] = (),
    files: tuple[str, ...] | None = None,
    **arguments: str,
) -> RuleRun:
    rule = read_rule(dedent(HEAD) + dedent(body), "test/box-without-lid.yaml")
    looked_at = tuple(row.location.path for row in rows) if files is None else files
    table = Table("box", rows, looked_at, problems)
    return run_over(rule, table, resolve_arguments(rule, CheckRef(rule.id, tuple(sorted(arguments.items())))))


def with_path(body: str) -> str:
    return "parameters: {path: '**'}\nwhere:\n  path: {glob: '{{ path }}'}\n" + dedent(body)


class TestForEach:
    def test_passes_with_the_count_and_the_proof(self) -> None:
        proof = Location("lid.go", at_line("lid.go", 7).span, "the lid")
        done = run(LIDS, box("a.go", lid=Answer("yes", proof=(proof,))), box("b.go", lid="yes"))
        assert (done.outcome, done.findings, done.scope_size) == (Outcome.RAN, (), 2)
        assert done.reason == "2 of 2 boxes hold."
        assert [(p.path, p.line) for p in done.evidence] == [("a.go", 3), ("lid.go", 7), ("b.go", 3)]

    def test_says_the_sentence_of_the_rule(self) -> None:
        done = run(LIDS + 'pass: "{{ count }} of {{ total }} boxes are closed"', box("a.go", lid="yes"))
        assert done.reason == "1 of 1 boxes are closed."

    def test_one_finding_for_each_row_that_falls_short(self) -> None:
        done = run(LIDS, box("a.go", lid="yes"), box("b.go", lid=Answer("no", "it was lost")))
        assert [f.message for f in done.findings] == ["The box has no lid: it was lost."]
        assert done.findings[0].location == at_line("b.go", 3)
        assert done.findings[0].level is Level.ERROR
        assert done.reason == "1 of 2 boxes falls short: The box has no lid: it was lost."

    def test_finding_carries_the_proofs_as_a_chain_from_the_row(self) -> None:
        done = run(LIDS, box("b.go", lid=Answer("no", "lost", proof=(at_line("lost.go", 9),))))
        assert [(s.path, s.line, s.note) for s in done.findings[0].flow] == [
            ("b.go", 3, "box"),
            ("lost.go", 9, "lost"),
        ]

    def test_finding_can_lie_at_the_proof(self) -> None:
        body = LIDS.rstrip() + "\n    at: proof\n"
        done = run(body, box("b.go", lid=Answer("no", "lost", proof=(at_line("lost.go", 9),))))
        assert done.findings[0].location == at_line("lost.go", 9)

    def test_unknown_is_undecided_and_never_a_fault(self) -> None:
        done = run(
            LIDS, box("a.go", lid=Answer("unknown", "it is chosen at run time")), box("b.go", lid="yes")
        )
        (finding,) = done.findings
        assert finding.undecided and finding.level is Level.WARNING
        assert done.reason.startswith("1 of 2 boxes cannot be followed: ")
        assert finding.message == (
            "It could not be decided whether this is so: The box has no lid: it is chosen at run time."
        )

    def test_a_clause_can_say_what_is_not_known(self) -> None:
        body = LIDS.rstrip() + '\n    undecided: "Nobody knows about the lid: {{ lid.because }}."\n'
        done = run(
            body, box("a.go", lid=Answer("unknown", "it is dark")), box("b.go", lid=Answer("no", "lost"))
        )
        assert [f.message for f in done.findings] == [
            "Nobody knows about the lid: it is dark.",
            "The box has no lid: lost.",
        ]

    def test_the_reason_counts_rows_not_findings_or_places(self) -> None:
        row = box("a.go", lid=Answer("no", "lost"))
        assert run(LIDS, row, row, box("b.go", lid="yes")).reason.startswith("2 of 3 boxes fall short: ")

    def test_row_perhaps_in_scope_makes_a_shortfall_undecided(self) -> None:
        body = "where: {colour: red}\n" + dedent(LIDS)
        done = run(body, box("a.go", colour="red", lid="yes"), box("b.go", colour="unknown", lid="no"))
        assert [f.undecided for f in done.findings] == [True]

    def test_row_perhaps_in_scope_does_not_count(self) -> None:
        done = run("where: {colour: red}\n" + dedent(LIDS), box("b.go", colour="unknown", lid="yes"))
        assert [f.undecided for f in done.findings] == [True]

    def test_failed_answer_fails_the_run(self) -> None:
        done = run(
            LIDS, box("a.go", lid=Answer(None, "x.go does not parse", failed=True)), box("b.go", lid="yes")
        )
        assert (done.outcome, done.findings) == (Outcome.FAILED, ())
        assert done.reason == "a.go:3: lid is not known: x.go does not parse."

    def test_failed_answer_does_not_hide_a_certain_fault(self) -> None:
        done = run(LIDS, box("a.go", lid=Answer("no", failed=True)), box("b.go", lid="no"))
        assert done.outcome is Outcome.FAILED
        assert [f.location.path for f in done.findings] == ["b.go"]

    def test_problem_in_scope_fails_the_run(self) -> None:
        problem = Problem("services/a/x.go", 4, "syntax\nerror")
        done = run(
            with_path(LIDS), box("services/a/y.go", lid="yes"), problems=(problem,), path="services/a/**"
        )
        assert done.outcome is Outcome.FAILED
        assert done.reason == "services/a/x.go:4 could not be read to the end: syntax error."

    def test_problem_outside_the_scope_is_no_matter(self) -> None:
        problem = Problem("services/b/x.go", 4, "syntax error")
        done = run(
            with_path(LIDS), box("services/a/y.go", lid="yes"), problems=(problem,), path="services/a/**"
        )
        assert (done.outcome, done.findings) == (Outcome.RAN, ())

    def test_problems_can_be_looked_for_elsewhere(self) -> None:
        problem = Problem("shared/x.go", 4, "syntax error")
        body = "problems: 'shared/**'\n" + with_path(LIDS)
        done = run(body, box("services/a/y.go", lid="yes"), problems=(problem,), path="services/a/**")
        assert done.outcome is Outcome.FAILED

    def test_empty_scope_is_a_fault_at_the_place_that_was_asked_for(self) -> None:
        done = run(with_path(LIDS), box("services/b/y.go", lid="yes"), path="services/a/**")
        (finding,) = done.findings
        assert finding.location.path == "services/a"
        assert finding.message == "No box was found where one is required."

    def test_missing_things_are_told_apart_by_what_is_missing(self) -> None:
        body = "absent: {path: boxes.txt, message: 'no {{ path }}'}\n" + with_path(LIDS)
        one, two = run(body, path="a").findings[0], run(body, path="b").findings[0]
        assert one.location == two.location
        assert one.matched != two.matched

    @pytest.mark.parametrize(
        ("status", "outcome", "undecided"),
        [
            ("fail", Outcome.RAN, [False]),
            ("manual", Outcome.RAN, [True]),
            ("not-applicable", Outcome.NOT_APPLICABLE, []),
        ],
    )
    def test_empty_scope_is_what_absent_says(
        self, status: str, outcome: Outcome, undecided: list[bool]
    ) -> None:
        absent = "absent: {status: STATUS, path: 'boxes/{{ path }}', message: 'nothing under {{ path }}'}\n"
        absent = absent.replace("STATUS", status)
        done = run(absent + with_path(LIDS), path="x")
        assert done.outcome is outcome
        assert [f.undecided for f in done.findings] == undecided
        assert done.reason == "Nothing under x."

    def test_fewer_rows_than_needed(self) -> None:
        done = run("count: {at_least: 2}\n" + dedent(LIDS), box("a.go", lid="yes"))
        assert [f.message for f in done.findings] == ["No box was found where one is required (1 of 2)."]

    def test_more_rows_than_allowed(self) -> None:
        done = run("count: {at_most: 1}\n" + dedent(LIDS), box("a.go", lid="yes"), box("b.go", lid="yes"))
        assert [f.location.path for f in done.findings] == ["b.go"]

    def test_zero_rows_never_pass_even_when_asked_for(self) -> None:
        done = run("count: {at_least: 0}\n" + dedent(LIDS))
        assert [f.undecided for f in done.findings] == [False]

    def test_wording_is_a_note_about_satisfied_rows_only(self) -> None:
        body = dedent(LIDS) + "prefer:\n  - name: Box\n    message: 'It is called {{ name }}.'\n"
        done = run(body, box("a.go", lid="yes", name="Chest"), box("b.go", lid="no", name="Crate"))
        letters = [f for f in done.findings if f.letter]
        assert [(f.message, f.level) for f in letters] == [("It is called Chest.", Level.NOTE)]

    def test_field_that_rows_do_not_have_is_an_error_of_the_rule(self) -> None:
        with pytest.raises(RuleError, match="no field 'lid'"):
            run(LIDS, box("a.go", colour="red"))


class TestExists:
    BODY = """
    exists: box
    require:
      - lid: "yes"
        message: "The best box has no lid."
      - size: {at_least: 2}
        message: "The best box is too small ({{ size }})."
    """

    def test_one_good_row_is_enough(self) -> None:
        done = run(self.BODY, box("a.go", lid="no", size=1), box("b.go", lid="yes", size=2))
        assert (done.findings, done.reason) == ((), "1 of 2 boxes hold.")
        assert [p.path for p in done.evidence] == ["b.go"]

    def test_one_good_row_is_enough_though_a_file_was_not_read(self) -> None:
        done = run(self.BODY, box("b.go", lid="yes", size=2), problems=(Problem("c.go", 1, "broken"),))
        assert (done.outcome, done.findings) == (Outcome.RAN, ())

    def test_finding_is_about_the_row_that_comes_closest(self) -> None:
        done = run(self.BODY, box("a.go", lid="no", size=1), box("b.go", lid="yes", size=1))
        assert [(f.location.path, f.message) for f in done.findings] == [
            ("b.go", "The best box is too small (1).")
        ]

    def test_row_that_might_do_leaves_it_open(self) -> None:
        done = run(self.BODY, box("a.go", lid="no", size=9), box("b.go", lid="unknown", size=2))
        assert [(f.location.path, f.undecided) for f in done.findings] == [("b.go", True)]

    def test_unread_file_leaves_absence_open(self) -> None:
        done = run(self.BODY, box("a.go", lid="no", size=1), problems=(Problem("c.go", 1, "broken"),))
        assert (done.outcome, done.findings) == (Outcome.FAILED, ())

    def test_too_few_good_rows_is_a_fault(self) -> None:
        done = run("count: {at_least: 2}\n" + dedent(self.BODY), box("b.go", lid="yes", size=2))
        assert [f.undecided for f in done.findings] == [False]

    def test_nothing_there_is_absent(self) -> None:
        assert [f.message for f in run(self.BODY).findings] == ["No box was found where one is required."]


class TestForbid:
    BODY = """
    forbid: box
    where: {lid: "no"}
    message: "There is an open box: {{ lid.because }}."
    """

    def test_nothing_found_in_the_files_looked_at(self) -> None:
        done = run(self.BODY, box("a.go", lid="yes"), files=("a.go", "b.go"))
        assert (done.findings, done.scope_size, done.reason) == ((), 2, "No box in 2 files.")

    def test_every_row_is_a_finding(self) -> None:
        done = run(self.BODY, box("a.go", lid=Answer("no", "lost")), box("b.go", lid=Answer("no", "sold")))
        assert [f.message for f in done.findings] == [
            "There is an open box: lost.",
            "There is an open box: sold.",
        ]
        assert done.reason == "2 in 2 files: There is an open box: lost."

    def test_row_that_cannot_be_told_is_undecided(self) -> None:
        done = run(self.BODY, box("a.go", lid="unknown"))
        assert [f.undecided for f in done.findings] == [True]

    def test_no_file_looked_at_is_no_pass(self) -> None:
        assert run(self.BODY).outcome is Outcome.FAILED

    def test_no_file_looked_at_may_be_not_applicable(self) -> None:
        assert run("absent: {status: not-applicable}\n" + dedent(self.BODY)).outcome is Outcome.NOT_APPLICABLE

    def test_files_outside_the_scope_do_not_count(self) -> None:
        body = indent(dedent(self.BODY), "").replace("where: {", "where: {path: {glob: 'x/**'}, ")
        assert run(body, box("a.go", lid="no"), files=("a.go",)).outcome is Outcome.FAILED

    def test_unread_file_is_no_pass_but_faults_stay(self) -> None:
        done = run(self.BODY, box("a.go", lid="no"), problems=(Problem("c.go", 1, "broken"),))
        assert (done.outcome, len(done.findings)) == (Outcome.FAILED, 1)


def test_message_shows_hostile_values_on_one_line() -> None:
    body = 'for_each: box\nrequire:\n  - lid: "yes"\n    message: "Lid: {{ lid }}."\n'
    done = run(body, box("a.go", lid="a\n::error::\x1b[31mb\u202ec"))
    assert done.findings[0].message == "Lid: a ::error::�[31mb�c."


def test_argument_that_a_rule_does_not_have_is_refused() -> None:
    with pytest.raises(RuleError, match="no parameter 'colour'"):
        run(LIDS, box("a.go", lid="yes"), colour="red")


def test_argument_that_a_rule_needs_must_be_given() -> None:
    with pytest.raises(RuleError, match="needs a value for its parameter 'path'"):
        run("parameters: {path: null}\n" + dedent(LIDS), box("a.go", lid="yes"))
