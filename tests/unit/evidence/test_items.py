"""Each format decides the items that it is evidence for: what real tools printed about our own monorepo."""

from __future__ import annotations

from pathlib import Path

import pytest
from evidence import SAMPLES, Judge, put

from zuno_audit.api import Report
from zuno_audit.model.verdict import Check, Status


def shown(report: Report, item: str) -> Check:
    """The check of evidence of an item."""
    checks = [c for c in report.verdict(item).checks if c.rule.startswith("evidence:")]
    assert len(checks) == 1, [c.rule for c in report.verdict(item).checks]
    return checks[0]


CASES = [
    ("go-test-short.jsonl", "3.1.3.1", Status.PASS, "2 tests in 1 packages passed"),
    ("go-test-short.jsonl", "3.1.3.4", Status.PASS, "passed"),
    ("go-test-short.jsonl", "3.1.1", Status.PASS, "skipped"),
    ("go-test-short.jsonl", "3.2.2", Status.NEEDS_EVIDENCE, "skipped"),
    ("go-test-short.jsonl", "3.3.2", Status.NEEDS_EVIDENCE, "skipped"),
    ("go-test-live.jsonl", "3.2.1", Status.PASS, "1 tests in 1 packages passed"),
    ("go-test-live.jsonl", "3.2.2", Status.PASS, "passed"),
    ("go-test-live.jsonl", "3.1.1", Status.NEEDS_EVIDENCE, "left out"),
    ("go-test-failing.jsonl", "3.2.2", Status.FAIL, "1 of the tests"),
    ("go-test-failing.jsonl", "3.1.1", Status.FAIL, "1 of the tests"),
    ("go-test-cut.jsonl", "3.2.2", Status.NEEDS_EVIDENCE, "cut off"),
    ("junit.xml", "3.1.3.1", Status.PASS, "2 tests in 1 packages passed"),
    ("junit.xml", "3.1.1", Status.NEEDS_EVIDENCE, "left out"),
    ("coverage.out", "3.1.2", Status.FAIL, "8.8 % of statements, not more than 70 %"),
    ("golangci-lint.json", "2.1.4.1", Status.PASS, "no issue"),
    ("golangci-lint.json", "2.1.4.2", Status.FAIL, "2 issues"),
    ("gosec.json", "4.3.3", Status.PASS, "ran to its end"),
    ("gosec.json", "4.3.4", Status.PASS, "no issue of severity"),
    ("gosec.sarif", "4.3.4", Status.PASS, "of other severities"),
    ("golangci-lint-clean.json", "2.1.4.2", Status.PASS, "no issue"),
    ("golangci-lint-clean.json", "4.3.4", Status.PASS, "no issue of severity"),
    ("docker-images.jsonl", "2.2.2", Status.PASS, "10 images"),
    ("docker-images.jsonl", "2.2.3", Status.PASS, "below 100 MB"),
    ("targets_down.json", "6.1.1", Status.FAIL, "10 of 10 targets are not up"),
    ("targets_up.json", "6.1.1", Status.NEEDS_EVIDENCE, "lacks the jobs"),
    ("up.json", "6.1.1", Status.FAIL, "not up"),
    ("alerts.json", "6.4.2", Status.PASS, "ServiceDown fired"),
    ("rules.json", "6.4.2", Status.PASS, "ServiceDown fired"),
    ("metrics.txt", "5.2.2.2", Status.PASS, "circuit_breaker_state"),
    ("metrics.txt", "5.2.2.1", Status.PASS, "lines"),
    ("health-verbose.txt", "5.2.1", Status.NEEDS_EVIDENCE, "no saved answer is known to be of /health"),
    ("graphql-error.json", "5.3.1.1", Status.NEEDS_EVIDENCE, "no saved answer holds signInSiwe.nonce"),
    ("schema.sql", "7.1.1", Status.PASS, "schema auth"),
    ("schema.sql", "7.1.2", Status.PASS, "table"),
    ("schema.sql", "7.2.1.1", Status.PASS, "unique_chain_tx"),
    ("schema.sql", "7.2.1.2", Status.PASS, "refresh_hash"),
    ("schema.sql", "7.2.1.4", Status.PASS, "brin"),
    ("schema-lacking.sql", "7.1.2", Status.FAIL, "table catalog.offers"),
    ("schema-lacking.sql", "7.2.1.2", Status.FAIL, "idx_sessions_refresh_hash"),
    ("schema-lacking.sql", "7.1.1", Status.PASS, "schema auth"),
    ("migrations.sql", "7.3.1", Status.PASS, "Migration 3 is applied"),
    ("migrations_old.sql", "7.3.1", Status.FAIL, "Migration 2 is the last"),
    ("migrations.sql", "7.1.1", Status.NEEDS_EVIDENCE, "holds no schema"),
    ("untidy.diff", "2.1.2", Status.FAIL, "would change 2 lines"),
]


@pytest.mark.parametrize(("sample", "item", "status", "words"), CASES, ids=[f"{c[1]}-{c[0]}" for c in CASES])
def test_a_real_output_decides_its_item(
    sample: str, item: str, status: Status, words: str, folder: Path, head: str, judge: Judge
) -> None:
    put(folder, sample, commit=head)
    check = shown(judge(item[0]), item)
    assert (check.status, words in check.reason) == (status, True), check.reason
    if status in (Status.PASS, Status.FAIL):
        assert check.evidence[0].path == f"evidence/{sample}"


def test_what_fails_is_a_finding_at_its_line(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "go-test-failing.jsonl", commit=head)
    report = judge("3")
    found = [f for f in report.findings if f.rule == "evidence:go-test" and "3.2.2" in f.checklist]
    assert [f.location.path for f in found] == ["evidence/go-test-failing.jsonl"]
    text = (SAMPLES / "go-test-failing.jsonl").read_text("utf-8").split("\n")[found[0].location.line - 1]
    assert '"Action":"fail"' in text and '"Test":"TestCacheRoundTrip"' in text
    assert report.verdict("3.2.2").status is Status.FAIL


@pytest.mark.parametrize(("status", "verdict"), [(200, Status.PASS), (503, Status.FAIL)])
def test_the_sidecar_says_which_address_answered(
    status: int, verdict: Status, folder: Path, head: str, judge: Judge
) -> None:
    target = put(folder, "health.http", commit=head, url="http://localhost:8081/health")
    target.write_text(target.read_text("utf-8").replace("200 OK", f"{status} x"), "utf-8")
    assert shown(judge("5"), "5.2.1.1").status is verdict


def test_an_open_breaker_is_no_closed_one(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "metrics_open.txt", commit=head, environment="production")
    check = shown(judge("9"), "9.1.3")
    assert check.status is Status.FAIL
    assert "auth-service" in check.evidence[0].note


def test_closed_breakers_are_closed(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "metrics.txt", commit=head, environment="production")
    assert shown(judge("9"), "9.1.3").reason == "5 of circuit_breaker_state are closed."


def test_staging_says_nothing_of_production(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "metrics.txt", commit=head, environment="staging")
    assert [c.rule for c in judge("9").verdict("9.1.3").checks if c.rule.startswith("evidence:")] == []


def test_large_images_fail(folder: Path, head: str, judge: Judge) -> None:
    target = put(folder, "docker-images.jsonl", commit=head)
    target.write_text(target.read_text("utf-8").replace('"18MB"', '"1.02GB"'), "utf-8")
    check = shown(judge("2"), "2.2.3")
    assert check.status is Status.FAIL
    assert check.evidence[0].note == "zuno-marketplace-auth-service has 1020.0 MB; it must be below 100 MB."


def test_nothing_supplied_leaves_the_question(judge: Judge) -> None:
    verdict = judge("7").verdict("7.1.1")
    assert verdict.status is Status.NEEDS_EVIDENCE
    asked = next(check.reason for check in verdict.checks if check.rule == "checklist")
    assert asked == "Query information_schema.schemata of the deployed database."


def test_good_evidence_does_not_outweigh_files(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "golangci-lint.json", commit=head)
    verdict = judge("2").verdict("2.1.4")
    assert shown(judge("2"), "2.1.4").status is Status.PASS
    assert verdict.status is Status.FAIL  # a sub-item fails
