"""What evidence must be before it counts: fresh, whole, in agreement, and from the run that is asked for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from evidence import Judge, describe, put
from fixtures import commit, git, materialise

from zuno_audit import audit
from zuno_audit.errors import UsageError
from zuno_audit.model.verdict import Status

TABLES = "7.1.2"


def test_evidence_of_an_unknown_commit_is_stale(folder: Path, judge: Judge) -> None:
    put(folder, "schema.sql", commit="0" * 40)
    report = judge("7")
    assert report.verdict(TABLES).status is Status.NEEDS_EVIDENCE
    assert any("is not known here" in check.reason for check in report.verdict(TABLES).checks)
    stale = [d for d in report.diagnostics if d.path == "evidence/schema.sql"]
    assert [d.message.startswith("Stale evidence decides nothing") for d in stale] == [True]


def test_a_failure_that_is_stale_decides_nothing_either(folder: Path, judge: Judge) -> None:
    put(folder, "schema-lacking.sql", commit="0" * 40)
    assert judge("7").verdict(TABLES).status is Status.NEEDS_EVIDENCE


def test_evidence_goes_stale_when_the_code_changes(tmp_path: Path) -> None:
    root = materialise("zuno_mini", tmp_path / "repo")
    made_at = git_head(root)
    outputs = tmp_path / "outputs"
    put(outputs, "schema.sql", commit=made_at)
    assert audit(root, phases=["7"], evidence=outputs).verdict(TABLES).status is Status.PASS
    (root / "migrations" / "000004_more.up.sql").write_text("CREATE TABLE auth.more (id int);\n", "utf-8")
    assert audit(root, phases=["7"], evidence=outputs).verdict(TABLES).status is Status.NEEDS_EVIDENCE
    commit(root, "More")
    reasons = [c.reason for c in audit(root, phases=["7"], evidence=outputs).verdict(TABLES).checks]
    assert any("migrations/000004_more.up.sql changed since" in reason for reason in reasons)


def test_committing_evidence_does_not_make_it_stale(tmp_path: Path) -> None:
    root = materialise("zuno_mini", tmp_path / "repo")
    put(root / ".zuno-audit" / "evidence", "schema.sql", commit=git_head(root))
    commit(root, "Evidence")
    verdict = audit(root, phases=["7"]).verdict(TABLES)
    assert verdict.status is Status.PASS
    assert verdict.checks[-1].evidence[0].path == ".zuno-audit/evidence/schema.sql"


def test_the_time_of_a_tracked_file_says_nothing(tmp_path: Path) -> None:
    root = materialise("zuno_mini", tmp_path / "repo")
    put(root / ".zuno-audit" / "evidence", "schema.sql")
    assert audit(root, phases=["7"]).verdict(TABLES).status is Status.PASS  # newer than the commit
    commit(root, "Evidence")
    assert audit(root, phases=["7"]).verdict(TABLES).status is Status.NEEDS_EVIDENCE


def test_a_file_older_than_the_commit_is_stale(folder: Path, judge: Judge) -> None:
    target = put(folder, "schema.sql")
    assert judge("7").verdict(TABLES).status is Status.PASS
    os.utime(target, (1_000_000_000, 1_000_000_000))
    report = judge("7")
    assert report.verdict(TABLES).status is Status.NEEDS_EVIDENCE
    assert any("older than the commit" in c.reason for c in report.verdict(TABLES).checks)


def test_a_file_from_the_future_is_stale(folder: Path, judge: Judge) -> None:
    target = put(folder, "schema.sql")
    os.utime(target, (time.time() + 9e6,) * 2)
    assert any("lies in the future" in c.reason for c in judge("7").verdict(TABLES).checks)


def test_uncommitted_changes_at_the_time_of_the_run_make_it_stale(
    folder: Path, head: str, judge: Judge
) -> None:
    put(folder, "schema.sql", commit=head, dirty=True)
    assert judge("7").verdict(TABLES).status is Status.NEEDS_EVIDENCE


def test_when_two_disagree_the_worse_counts_and_both_are_named(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "schema.sql", commit=head)
    put(folder, "schema-lacking.sql", commit=head)
    report = judge("7")
    check = next(c for c in report.verdict(TABLES).checks if c.rule == "evidence:database")
    assert check.status is Status.FAIL
    assert "evidence/schema-lacking.sql and evidence/schema.sql disagree; the worse counts" in check.reason
    assert any("Disagrees with evidence/schema.sql" in d.message for d in report.diagnostics)


def test_a_broken_file_beside_a_good_one_is_an_error(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "schema.sql", commit=head)
    cut = put(folder, "schema.sql", "cut.sql", commit=head)
    cut.write_text("\n".join(cut.read_text("utf-8").split("\n")[:200]), "utf-8")
    report = judge("7")
    assert report.verdict(TABLES).status is Status.ERROR
    assert not report.is_complete
    told = [(d.level, d.path, d.line) for d in report.diagnostics if "Broken evidence" in d.message]
    assert told == [("error", "evidence/cut.sql", 199)]
    assert report.verdict("7.4.1").status is not Status.ERROR  # about MongoDB: a dump does not matter


BROKEN = [
    ("go-test-short.jsonl", "3.1.1", lambda t: t.replace('"Action":"pass"', '"Action:"pass"', 1)),
    ("coverage.out", "3.1.2", lambda t: t + "no block\n"),
    ("golangci-lint.json", "2.1.4.1", lambda t: t[:-40]),
    ("gosec.json", "4.3.4", lambda t: t[:-40]),
    ("gosec.sarif", "4.3.4", lambda t: t[:-40]),
    ("docker-images.jsonl", "2.2.3", lambda t: t.replace('"Size":"18MB"', '"Size":"N/A"')),
    ("targets_up.json", "6.1.1", lambda t: t[:-20]),
    ("metrics.txt", "5.2.2.2", lambda t: t + "garbage here\n"),
    ("junit.xml", "3.1.3.1", lambda t: t[:-30]),
    ("junit.xml", "3.1.3.1", lambda t: t.replace("?>", '?><!DOCTYPE a [<!ENTITY b "c">]>', 1)),
]


@pytest.mark.parametrize(("sample", "item", "damage"), BROKEN)
def test_damaged_output_is_an_error_with_a_line(
    sample: str, item: str, damage: object, folder: Path, head: str, judge: Judge
) -> None:
    assert callable(damage)
    target = put(folder, sample, commit=head)
    target.write_text(damage(target.read_text("utf-8")), "utf-8")
    report = judge(item[0])
    assert report.verdict(item).status in (Status.ERROR, Status.FAIL)  # fail where files say so already
    assert any(c.status is Status.ERROR for c in report.verdict(item).checks)
    told = [d.path for d in report.diagnostics if d.message.startswith("Broken evidence")]
    assert told == [f"evidence/{sample}"]


@pytest.mark.parametrize("text", ["[]", "{", '{"commit": 3}', '{"command": "go test"}', '{"made_at": "now"}'])
def test_a_broken_sidecar_is_an_error(text: str, folder: Path, judge: Judge) -> None:
    put(folder, "schema.sql").with_name("schema.sql.meta.json").write_text(text, "utf-8")
    report = judge("7")
    assert report.verdict(TABLES).status is Status.ERROR
    assert [d.path for d in report.diagnostics] == ["evidence/schema.sql.meta.json"]


@pytest.mark.parametrize("data", [b"", b"hello\n", b"\x00\xff\xfe" * 50, b"{}", b"[" * 100_000, b'{"a": 1'])
def test_what_is_no_evidence_is_told_and_decides_nothing(data: bytes, folder: Path, judge: Judge) -> None:
    (folder / "notes.txt").write_bytes(data)
    report = judge("7")
    assert report.verdict(TABLES).status is Status.NEEDS_EVIDENCE
    assert [(d.level, d.path) for d in report.diagnostics] == [("warning", "evidence/notes.txt")]


def test_links_are_not_followed(folder: Path, tmp_path: Path, head: str, judge: Judge) -> None:
    (folder / "schema.sql").symlink_to(put(tmp_path / "elsewhere", "schema.sql"))
    report = judge("7")
    assert report.verdict(TABLES).status is Status.NEEDS_EVIDENCE
    assert "not a regular file" in report.diagnostics[0].message


def test_a_good_looking_output_of_a_failed_run_is_not_believed(folder: Path, head: str, judge: Judge) -> None:
    put(folder, "go-test-live.jsonl", commit=head, command=["go", "test", "-json"], exit_status=1)
    reasons = [c.reason for c in judge("3").verdict("3.2.2").checks]
    assert any("ended with exit status 1" in reason for reason in reasons)


def test_a_run_without_the_race_detector_is_not_one_with_it(folder: Path, head: str, judge: Judge) -> None:
    words = ["go", "test", "-json", "./..."]
    target = put(folder, "go-test-short.jsonl", commit=head, command=words, exit_status=0)
    assert judge("3").verdict("3.1.1").status is Status.NEEDS_EVIDENCE
    describe(target, commit=head, command=[*words, "-race"], exit_status=0)
    assert judge("3").verdict("3.1.1").status is Status.PASS


@pytest.mark.parametrize(
    ("status", "verdict"), [(0, Status.PASS), (1, Status.FAIL), (None, Status.NEEDS_EVIDENCE)]
)
def test_a_command_counts_by_how_it_ended(
    status: int | None, verdict: Status, folder: Path, head: str, judge: Judge
) -> None:
    (folder / "build.txt").write_text("", "utf-8")
    command = ["/usr/local/bin/go", "build", "-v", "./..."]
    describe(folder / "build.txt", commit=head, command=command, exit_status=status)
    assert judge("2").verdict("2.1.3").status is verdict


def test_an_empty_diff_is_a_tidy_module(folder: Path, head: str, judge: Judge) -> None:
    (folder / "go-mod-tidy.diff").write_text("", "utf-8")
    assert judge("2").verdict("2.1.2").status is Status.PASS
    describe(folder / "go-mod-tidy.diff", commit=head, command=["go", "mod", "tidy", "-diff"], exit_status=1)
    assert judge("2").verdict("2.1.2").status is Status.NEEDS_EVIDENCE


def test_coverage_must_exceed_the_threshold_over_everything(tmp_path: Path) -> None:
    root, outputs = tmp_path / "tiny", tmp_path / "outputs"
    root.mkdir()
    (root / "go.mod").write_text("module example.com/tiny\n\ngo 1.25.0\n", "utf-8")
    (root / "tiny.go").write_text("package tiny\n\nfunc Sign(n int) int {\n\treturn n\n}\n", "utf-8")
    git(root, "init", "-q", "-b", "main")
    commit(root, "Tiny")
    put(outputs, "coverage-tiny.out", commit=git_head(root))
    verdict = audit(root, phases=["3"], evidence=outputs).verdict("3.1.2")
    assert (verdict.status, verdict.checks[0].reason) == (
        Status.PASS,
        "80.0 % of statements, more than 70 %.",
    )
    put(outputs, "coverage-tiny-low.out", commit=git_head(root))
    verdict = audit(root, phases=["3"], evidence=outputs).verdict("3.1.2")
    assert verdict.status is Status.FAIL
    assert "coverage-tiny-low.out and evidence/coverage-tiny.out disagree" in verdict.checks[0].reason
    (outputs / "coverage-tiny-low.out").unlink()
    (outputs / "coverage-tiny-low.out.meta.json").unlink()
    (root / "more").mkdir()
    (root / "more" / "more.go").write_text("package more\n\nfunc Two() int {\n\treturn 2\n}\n", "utf-8")
    commit(root, "More")
    put(outputs, "coverage-tiny.out", commit=git_head(root))
    verdict = audit(root, phases=["3"], evidence=outputs).verdict("3.1.2")
    assert verdict.status is Status.NEEDS_EVIDENCE
    assert "leaves out more" in verdict.checks[0].reason


def test_no_secret_of_an_evidence_file_is_shown(folder: Path, head: str, judge: Judge) -> None:
    token = "ghp_" + "Z" * 36
    target = put(folder, "golangci-lint.json", commit=head)
    target.write_text(
        target.read_text("utf-8").replace("Potential file inclusion", f"Token {token}"), "utf-8"
    )
    report = judge("2")
    for name in ("json", "sarif", "html", "markdown", "text", "junit", "github"):
        assert token not in report.render(name)


def test_a_folder_that_is_not_there_is_wrong_usage(monorepo: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="does not exist"):
        audit(monorepo, phases=["7"], evidence=tmp_path / "nowhere")


def git_head(root: Path) -> str:
    """The commit of a repository."""
    return (root / ".git" / "refs" / "heads" / "main").read_text("utf-8").strip()
