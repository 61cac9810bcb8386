"""What people vouch for lifts what is open, as long as it holds, and nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from evidence import put
from fixtures import commit, materialise

from zuno_audit import audit
from zuno_audit.api import Report
from zuno_audit.model.verdict import Status

TODAY = date(2025, 6, 1)
ENTRY = {
    "item": "S.1.1",
    "who": "Jane Doe",
    "when": "2025-02-01",
    "statement": "All services are reviewed.",
    "expires": "2025-12-31",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return materialise("zuno_mini", tmp_path_factory.mktemp("attested"))


@pytest.fixture
def root(repository: Path) -> Path:
    (repository / ".zuno-audit").mkdir(exist_ok=True)
    return repository


def attested(root: Path, *entries: dict[str, str], phases: tuple[str, ...] = ("S",)) -> Report:
    """The report with these entries in the file of attestations."""
    lines = ["attestations:"]
    for entry in entries:
        texts = [f"{key}: {value}" for key, value in entry.items()]
        lines += [f"  - {texts[0]}", *(f"    {text}" for text in texts[1:])]
    return written(root, "\n".join(lines) + "\n", phases)


def written(root: Path, text: str, phases: tuple[str, ...] = ("S",)) -> Report:
    """The report with this text as the file of attestations."""
    (root / ".zuno-audit" / "attestations.yml").write_text(text, "utf-8")
    return audit(root, phases=phases, today=TODAY)


def told(report: Report) -> list[tuple[str, int, str]]:
    """The diagnostics about attestations."""
    return [(str(d.level), d.line, d.message) for d in report.diagnostics if "attestation" in d.message]


def test_an_attestation_lifts_what_waits_for_a_person(root: Path) -> None:
    report = attested(root, ENTRY)
    check = report.verdict("S.1.1").checks[0]
    assert report.verdict("S.1.1").status is Status.PASS
    assert check.reason.startswith(
        "Attested by Jane Doe on 2025-02-01: All services are reviewed. It was open"
    )
    assert (check.evidence[0].path, check.evidence[0].line) == (".zuno-audit/attestations.yml", 2)
    assert report.verdict("S.1.2").status is Status.MANUAL
    assert told(report) == []


def test_an_attestation_lifts_what_waits_for_a_run(root: Path) -> None:
    assert attested(root, {**ENTRY, "item": "7.5.1"}, phases=("7",)).verdict("7.5.1").status is Status.PASS


def test_an_attestation_never_lifts_a_failure(root: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    put(outputs, "schema-lacking.sql")
    attested(root, {**ENTRY, "item": "7.1.2"}, phases=("7",))
    report = audit(root, phases=["7"], today=TODAY, evidence=outputs)
    assert report.verdict("7.1.2").status is Status.FAIL


def test_an_attestation_never_lifts_an_error(root: Path, tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    put(outputs, "schema.sql").write_text("--\n-- PostgreSQL database dump\n--\n", "utf-8")
    attested(root, {**ENTRY, "item": "7.1.2"}, phases=("7",))
    report = audit(root, phases=["7"], today=TODAY, evidence=outputs)
    assert report.verdict("7.1.2").status is Status.ERROR


def test_the_last_day_counts(root: Path) -> None:
    entry = {**ENTRY, "expires": TODAY.isoformat()}
    assert attested(root, entry).verdict("S.1.1").status is Status.PASS


def test_an_expired_attestation_is_an_error_where_it_mattered(root: Path) -> None:
    report = attested(root, {**ENTRY, "expires": "2025-05-31"})
    assert report.verdict("S.1.1").status is Status.ERROR
    assert told(report) == [
        ("error", 6, "The attestation of S.1.1 does not count: it expired on 2025-05-31.")
    ]


def test_an_expired_attestation_does_not_matter_beside_a_valid_one(root: Path) -> None:
    report = attested(root, {**ENTRY, "expires": "2025-05-31"}, ENTRY)
    assert report.verdict("S.1.1").status is Status.PASS


def test_an_attestation_of_no_item_is_told(root: Path) -> None:
    report = attested(root, {**ENTRY, "item": "S.9.9"}, {**ENTRY, "item": "S.1.2"})
    assert report.verdict("S.1.2").status is Status.PASS
    assert report.verdict("S.1.1").status is Status.MANUAL
    assert [entry[:2] for entry in told(report)] == [("error", 2)]


def test_an_item_of_another_phase_is_an_item(root: Path) -> None:
    assert told(attested(root, {**ENTRY, "item": "G.1.2"})) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ({"who": '""'}, 2),
        ({"when": "soon"}, 4),
        ({"expires": "31.12.2025"}, 6),
        ({"when": "2031-01-01"}, 4),
        ({"mood": "good"}, 7),
        ({"covers": "[nothing/**]"}, 7),
        ({"covers": "[4]"}, 7),
    ],
)
def test_a_malformed_entry_is_an_error_of_its_item(change: dict[str, str], line: int, root: Path) -> None:
    report = attested(root, {**ENTRY, **change})
    assert report.verdict("S.1.1").status is Status.ERROR
    assert report.verdict("S.1.2").status is Status.MANUAL
    assert [entry[:2] for entry in told(report)] == [("error", line)]


@pytest.mark.parametrize(
    "text",
    [
        "attestations: [",
        "- item: S.1.1\n",
        "attestations: yes\n",
        "a: &x 1\nb: *x\n",
        "\x00",
        "attestations:\n- 3\n",
    ],
)
def test_a_file_that_cannot_be_read_passes_nothing(text: str, root: Path) -> None:
    report = written(root, text)
    assert {report.verdict(f"S.1.{n}").status for n in range(1, 6)} == {Status.ERROR}
    assert len(told(report)) == 1


@pytest.mark.parametrize("text", ["", "attestations:\n", "attestations: []\n", "# none yet\n"])
def test_an_empty_file_attests_nothing(text: str, root: Path) -> None:
    report = written(root, text)
    assert report.verdict("S.1.1").status is Status.MANUAL
    assert told(report) == []


def test_a_covered_file_that_changes_voids_it(tmp_path: Path) -> None:
    root = materialise("zuno_mini", tmp_path / "repo")
    (root / ".zuno-audit").mkdir()
    entry = {**ENTRY, "covers": '["services/auth-service/**"]'}
    assert attested(root, entry).verdict("S.1.1").status is Status.PASS
    (root / "README.md").write_text("Something else.\n", "utf-8")
    assert attested(root, entry).verdict("S.1.1").status is Status.PASS
    changed = root / "services" / "auth-service" / "cmd" / "main.go"
    changed.write_text(changed.read_text("utf-8") + "\n// more\n", "utf-8")
    report = attested(root, entry)
    assert report.verdict("S.1.1").status is Status.MANUAL
    assert told(report) == [
        (
            "warning",
            7,
            "The attestation of S.1.1 does not count: services/auth-service/cmd/main.go changed since.",
        )
    ]
    commit(root, "More")
    named = {**entry, "commit": "0" * 40}
    assert attested(root, named).verdict("S.1.1").status is Status.ERROR


def test_secrets_in_a_statement_are_hidden(root: Path) -> None:
    token = "ghp_" + "Z" * 36
    assert token not in attested(root, {**ENTRY, "statement": f"used {token}"}).to_json()
