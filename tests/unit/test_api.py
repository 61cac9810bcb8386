"""The library as its users see it."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import zuno_audit
from zuno_audit import SourceError, Status, UsageError, audit


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A small Go repository that git knows."""
    (tmp_path / "go.mod").write_text("module example.org/shop\n\ngo 1.24\n")
    (tmp_path / "main.go").write_text("package main\n\nfunc main() {}\n")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "-C", str(tmp_path), "add", "."], check=True)
    return tmp_path


def test_every_item_has_a_verdict(shop: Path) -> None:
    report = audit(shop)
    assert len(report.verdicts) == 162
    assert sum(report.summary().values()) == 162
    assert set(report.summary()) == {status.value for status in Status}


def test_failed_items_have_findings_that_name_them(shop: Path) -> None:
    report = audit(shop)
    failed = {v.control.id for v in report.verdicts if v.status is Status.FAIL}
    assert failed <= {item for finding in report.findings for item in finding.checklist}


def test_phases_restrict_the_audit(shop: Path) -> None:
    report = audit(shop, phases=["1", "s"])
    assert {verdict.control.phase for verdict in report.verdicts} == {"1", "S"}
    assert {check.rule for v in report.verdicts for check in v.checks} <= {
        "checklist",
        *(rule.id for rule in report.result.rules),
    }


def test_unknown_phase_names_the_valid_ones(shop: Path) -> None:
    with pytest.raises(UsageError, match="'10'") as caught:
        audit(shop, phases=["10"])
    assert caught.value.hint == "Phases: 1, 2, 3, 4, 5, 6, 7, 8, 9, S, G."


def test_missing_folder_is_a_source_error(tmp_path: Path) -> None:
    with pytest.raises(SourceError):
        audit(tmp_path / "nowhere")


def test_folder_without_go_has_nothing_to_audit(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Hello\n")
    report = audit(tmp_path)
    assert report.result.nothing_to_audit and not report.is_complete
    assert report.summary()["pass"] == 0
    assert report.findings == ()


def test_verdict_by_item(shop: Path) -> None:
    report = audit(shop, phases=["1"])
    assert report.verdict("1.1.1").control.title.startswith("services/graphql-gateway")
    with pytest.raises(UsageError, match=r"S\.1\.1"):
        report.verdict("S.1.1")


def test_same_bytes_from_every_thread(shop: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: audit(shop).to_json(), range(3)))
    assert reports[0] == reports[1] == reports[2]


def test_audit_prints_nothing_and_leaves_the_process_alone(
    shop: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = (Path.cwd(), dict(os.environ))
    audit(shop)
    assert (Path.cwd(), dict(os.environ)) == before
    assert capfd.readouterr() == ("", "")


def test_import_loads_nothing_heavy() -> None:
    code = "import sys, zuno_audit; print(sorted(m for m in sys.modules if m.startswith('zuno_audit')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['zuno_audit']"


def test_public_names_exist() -> None:
    for name in zuno_audit.__all__:
        assert getattr(zuno_audit, name) is not None
    assert dir(zuno_audit) == sorted(zuno_audit.__all__)
    with pytest.raises(AttributeError):
        _ = zuno_audit.nothing


def test_a_finding_about_a_link_lies_where_the_link_leads(shop: Path) -> None:
    (shop / "AGENTS.md").write_text("# For agents\n")
    (shop / "CLAUDE.md").symlink_to("AGENTS.md")
    paths = {finding.location.path for finding in audit(shop).findings}
    assert "AGENTS.md" in paths
    assert "CLAUDE.md" not in paths
