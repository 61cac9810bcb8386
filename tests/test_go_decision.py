"""The whole way: our own monorepo, the outputs of its runs and what people vouch for come to GO."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from evidence import describe, put
from fixtures import materialise

from zuno_audit import audit
from zuno_audit.evidence.attest import Entry, append
from zuno_audit.model.verdict import Status
from zuno_audit.report.decision import decide

TODAY = date(2025, 6, 1)
SAMPLES = (
    "go-test-short.jsonl",
    "gosec.json",
    "docker-images.jsonl",
    "alerts.json",
    "metrics.txt",
    "schema.sql",
)


def supply(root: Path, head: str) -> None:
    """What `collect` leaves: outputs, and the commit that they are from."""
    folder = root / ".zuno-audit" / "evidence"
    race = ["go", "test", "-json", "-race", "-short", "./..."]
    for sample in SAMPLES:
        put(folder, sample, commit=head, command=race if sample.startswith("go-test") else [])
    put(folder, "metrics.txt", "production-metrics.txt", commit=head, environment="production")
    put(folder, "migrations.sql", commit=head)
    put(folder, "health.http", commit=head, url="http://localhost:8081/health")
    for name, command in (("download", "go mod download"), ("build", "go build ./...")):
        (folder / f"{name}.txt").write_text("", "utf-8")
        describe(folder / f"{name}.txt", commit=head, command=command.split(), exit_status=0)
    (folder / "go-mod-tidy.diff").write_text("", "utf-8")
    describe(folder / "go-mod-tidy.diff", commit=head, command=["go", "mod", "tidy", "-diff"], exit_status=0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = materialise("zuno_mini", tmp_path_factory.mktemp("release"))
    supply(made, (made / ".git" / "refs" / "heads" / "main").read_text("utf-8").strip())
    return made


def test_evidence_decides_what_it_can_and_leaves_the_rest_open(root: Path) -> None:
    before, after = audit(root, evidence=_empty(root)), audit(root, today=TODAY)
    moved = {
        v.control.id
        for v, w in zip(before.verdicts, after.verdicts, strict=True)
        if v.status is Status.NEEDS_EVIDENCE and w.status is Status.PASS
    }
    assert {"2.1.1", "2.1.2", "2.1.3", "2.2.2", "2.2.3", "3.1.1", "3.1.3.1", "4.3.3", "4.3.4"} <= moved
    assert {"5.2.1.1", "6.4.2", "7.1.1", "7.1.2", "7.2.1", "7.2.1.4", "7.3.1"} <= moved
    assert [d.message for d in after.diagnostics] == []
    assert not decide(after.result).is_go


def test_nothing_else_stands_in_the_way_of_go(root: Path) -> None:
    statuses = {v.control.id: v.status for v in audit(root, today=TODAY).verdicts}
    assert {item for item, status in statuses.items() if status in (Status.FAIL, Status.ERROR)} == set()


def test_people_vouch_for_the_rest_and_the_decision_is_go(root: Path) -> None:
    everything = audit(root, today=TODAY)
    items = [verdict.control.id for verdict in everything.verdicts]
    still_open = [
        v.control.id for v in everything.verdicts if v.status in (Status.MANUAL, Status.NEEDS_EVIDENCE)
    ]
    for item in still_open:
        append(root, Entry(item, "Jane Doe", "2025-05-01", "Done and seen.", "2025-12-31"), items)
    report = audit(root, today=TODAY)
    assert [
        (v.control.id, v.status)
        for v in report.verdicts
        if v.status not in (Status.PASS, Status.NOT_APPLICABLE)
    ] == []
    assert decide(report.result).line.startswith("GO: all ")
    later = audit(root, today=date(2026, 1, 1))
    assert not decide(later.result).is_go
    assert later.verdict(still_open[0]).status is Status.ERROR


def _empty(root: Path) -> Path:
    folder = root.parent / "nothing"
    folder.mkdir(exist_ok=True)
    return folder
