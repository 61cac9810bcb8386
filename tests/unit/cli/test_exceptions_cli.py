"""Suppressions, waivers and baselines as a user meets them: files, exit codes, reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from zuno_audit import audit

GO_FILE = 'package main\n\nimport "os"\n\nfunc main() {\n\tprintln(os.Getenv("WORKER_LIMIT"))\n}\n'
RULE = "env-variable-undocumented"
SUPPRESSION = f" // zuno-audit: ignore[{RULE}] -- set by the platform"
LINE = '\tprintln(os.Getenv("WORKER_LIMIT"))'
WAIVER = f"- rule: {RULE}\n  paths: ['*.go']\n  reason: Soon.\n  owner: us\n  expiry: {{}}\n"
WAIVERS = "zuno-audit.waivers.yml"
BASELINE = ".zuno-audit/baseline.json"


@dataclass(frozen=True, slots=True)
class Done:
    """A finished run."""

    code: int
    out: str
    err: str

    @property
    def findings(self) -> list[dict[str, Any]]:
        """The findings of a JSON report about the variable and about exceptions."""
        names = (RULE, "suppression-", "waiver-")
        return [f for f in json.loads(self.out)["findings"] if f["rule"].startswith(names)]

    def item(self, item: str) -> dict[str, Any]:
        """One item of a JSON report."""
        (found,) = [i for i in json.loads(self.out)["checklist"] if i["id"] == item]
        return dict(found)


def zuno_audit(cwd: Path, *arguments: object) -> Done:
    """Run the command line in its own process."""
    done = subprocess.run(
        [sys.executable, "-m", "zuno_audit", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8"))


def check(cwd: Path, *arguments: object) -> Done:
    return zuno_audit(cwd, "-f", "json", "--phase", "4", *arguments)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A program that reads a variable which nothing documents: item 4.2.2 fails at main.go:6."""
    write(tmp_path, {"main.go": GO_FILE, "go.mod": "module example.com/x\n\ngo 1.24\n"})
    return tmp_path


def write(root: Path, files: Mapping[str, str]) -> None:
    for path, text in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


def test_a_suppressed_finding_stays_in_the_report_and_its_item_stays_failed(project: Path) -> None:
    write(project, {"main.go": GO_FILE.replace(LINE, LINE + SUPPRESSION)})
    done = check(project, "-o", "sarif-full=full.sarif", "-o", "sarif=upload.sarif", "-o", "text=out.txt")
    (finding,) = done.findings
    assert finding["suppressed"] == {"kind": "inSource", "reason": "set by the platform"}
    item = done.item("4.2.2")
    assert item["status"] == "fail"
    assert any(c["reason"].startswith("fail, suppressed: set by the platform.") for c in item["checks"])
    full = json.loads((project / "full.sarif").read_text())["runs"][0]["results"]
    (result,) = [r for r in full if r["ruleId"] == RULE]
    (given,) = result["suppressions"]
    assert (given["kind"], given["justification"]) == ("inSource", "set by the platform")
    assert given["location"]["physicalLocation"]["region"]["startLine"] == 6
    assert f'"ruleId": "{RULE}"' not in (project / "upload.sarif").read_text()
    assert "FAIL, suppressed: set by the platform." in " ".join((project / "out.txt").read_text().split())


@pytest.mark.parametrize(
    ("comment", "rule"),
    [
        ("// zuno-audit: ignore[no-such-rule] -- why", "suppression-unknown-rule"),
        (f"// zuno-audit: ignore[{RULE}]", "suppression-malformed"),
        (f"// zuno-audit: ignore[{RULE}] -- why\n\n", "suppression-unused"),
    ],
)
def test_bad_suppressions_are_findings(comment: str, rule: str, project: Path) -> None:
    write(project, {"main.go": GO_FILE.replace(LINE, f"\t{comment}\n{LINE}")})
    told, broken = check(project, "-o", "sarif=a.sarif").findings
    assert (told["rule"], told["start_line"], told["level"]) == (rule, 6, "warning")
    assert broken["rule"] == RULE and broken["suppressed"] is None
    assert f'"ruleId": "{rule}"' in (project / "a.sarif").read_text()


def test_a_rule_that_was_not_run_leaves_its_suppressions_alone(project: Path) -> None:
    write(
        project, {"main.go": GO_FILE.replace(LINE, LINE + SUPPRESSION), WAIVERS: WAIVER.format("2999-12-31")}
    )
    done = zuno_audit(project, "-f", "json", "--phase", "G")
    assert done.findings == []


def test_a_waiver_until_a_day(project: Path) -> None:
    write(project, {WAIVERS: WAIVER.format("2999-12-31")})
    done = check(project)
    (finding,) = done.findings
    assert finding["suppressed"] == {
        "kind": "external",
        "reason": "Soon.",
        "until": "2999-12-31",
        "owner": "us",
    }
    item = done.item("4.2.2")
    assert item["status"] == "fail"
    assert any(c["reason"].startswith("fail, waived until 2999-12-31: Soon. (us)") for c in item["checks"])


def test_an_expired_waiver_fails_the_gate(project: Path) -> None:
    documented = {".env.example": "WORKER_LIMIT=5\n", ".gitignore": ".env\n"}
    write(project, {**documented, WAIVERS: WAIVER.format("2020-01-01")})
    (finding,) = check(project).findings
    assert (finding["rule"], finding["level"], finding["path"]) == ("waiver-expired", "error", WAIVERS)
    zuno_audit(project, "baseline", "create")
    assert check(project).code == 1
    write(project, {WAIVERS: "waivers: []\n"})
    assert check(project).code == 0


def test_the_day_can_be_given_to_the_library(project: Path) -> None:
    write(project, {WAIVERS: WAIVER.format("2026-03-31")})
    last, after = (audit(project, phases=["4"], today=day) for day in (date(2026, 3, 31), date(2026, 4, 1)))
    assert "waiver-expired" not in {f.rule for f in last.findings}
    assert "waiver-expired" in {f.rule for f in after.findings}
    assert last.to_json() == audit(project, phases=["4"], today=date(2026, 1, 1)).to_json()


@pytest.mark.parametrize(
    ("file", "text", "words"),
    [
        (WAIVERS, WAIVER.format("soon"), f"{WAIVERS}:5: expiry 'soon' is not a day"),
        (WAIVERS, "waivers: [", f"{WAIVERS}:2: YAML does not parse"),
        (BASELINE, "<<<<<<< HEAD\n", f"{BASELINE}:1: not JSON"),
        (BASELINE, '{"schema": "other"}', f"{BASELINE}:1: not a baseline"),
    ],
)
def test_a_malformed_file_is_2_and_nothing_is_overwritten(
    file: str, text: str, words: str, project: Path
) -> None:
    known = '{"schema": "zuno-audit/baseline/v1", "findings": []}'
    write(project, {BASELINE: known, file: text, "old.json": "old"})
    for arguments in (["-o", "json=old.json"], ["baseline", "update"], ["baseline", "prune"]):
        done = zuno_audit(project, *arguments)
        assert done.code == 2 and done.out == ""
        assert words in done.err and len(done.err.splitlines()) == 2
    assert (project / file).read_text() == text
    assert (project / "old.json").read_text() == "old"


def test_only_new_findings_count(project: Path) -> None:
    assert check(project).code == 1
    created = zuno_audit(project, "baseline", "create")
    assert created.code == 0 and created.out == "" and "known finding" in created.err
    again = check(project, "-o", "text=out.txt", "-o", "sarif-full=full.sarif")
    assert again.code == 0
    assert {f["baseline"] for f in json.loads(again.out)["findings"]} == {"unchanged"}
    assert "(known)" in (project / "out.txt").read_text()
    results = json.loads((project / "full.sarif").read_text())["runs"][0]["results"]
    assert {r["baselineState"] for r in results} == {"unchanged"}
    assert check(project, "--no-baseline").code == 1
    assert "baseline" not in json.loads(check(project, "--no-baseline").out)["findings"][0]
    more = GO_FILE.replace(LINE, f'{LINE}\n\tprintln(os.Getenv("QUEUE_LIMIT"))')
    write(project, {"main.go": "// moved down\n\n" + more})
    worse = check(project)
    assert worse.code == 1
    assert [(f["start_line"], f["baseline"]) for f in worse.findings] == [(8, "unchanged"), (9, "new")]


def test_gone_findings_are_absent_until_they_are_pruned(project: Path) -> None:
    zuno_audit(project, "baseline", "create")
    before = json.loads((project / BASELINE).read_text())["findings"]
    changed = GO_FILE.replace("WORKER_LIMIT", "QUEUE_LIMIT")
    write(project, {"main.go": changed})
    assert [f["baseline"] for f in check(project).findings if f["path"] == "main.go"] == ["absent", "new"]
    assert zuno_audit(project, "baseline", "prune").code == 0
    pruned = json.loads((project / BASELINE).read_text())["findings"]
    assert [e for e in before if e not in pruned] == [e for e in before if e["rule"] == RULE]
    assert check(project).code == 1
    assert zuno_audit(project, "baseline", "update").code == 0
    assert check(project).code == 0
    assert len(json.loads((project / BASELINE).read_text())["findings"]) == len(before)


def test_create_does_not_replace_a_baseline_unasked(project: Path) -> None:
    write(project, {BASELINE: "mine"})
    refused = zuno_audit(project, "baseline", "create")
    assert refused.code == 2 and "--force" in refused.err
    assert (project / BASELINE).read_text() == "mine"
    assert zuno_audit(project, "baseline", "create", "--force").code == 0
    assert json.loads((project / BASELINE).read_text())["schema"] == "zuno-audit/baseline/v1"


def test_another_file(project: Path) -> None:
    assert zuno_audit(project, "baseline", "create", "--baseline", "known.json", "-q").err == ""
    assert check(project, "--baseline", "known.json").code == 0
    assert not (project / BASELINE).exists()
    missing = check(project, "--baseline", "missing.json")
    assert missing.code == 2 and "missing.json" in missing.err
    both = check(project, "--baseline", "known.json", "--no-baseline")
    assert both.code == 2 and "exclude each other" in both.err


def test_update_and_prune_need_a_baseline(project: Path) -> None:
    for how in ("update", "prune"):
        done = zuno_audit(project, "baseline", how)
        assert done.code == 2 and "baseline create" in done.err
    assert not (project / ".zuno-audit").exists()


def test_nothing_to_audit_writes_no_baseline(tmp_path: Path) -> None:
    done = zuno_audit(tmp_path, "baseline", "create")
    assert done.code == 3 and "nothing to audit" in done.err
    assert list(tmp_path.iterdir()) == []


def test_a_baseline_that_cannot_be_written_is_2(project: Path) -> None:
    write(project, {".zuno-audit": "a file"})
    for arguments in ([], ["--baseline", "missing/known.json"]):
        done = zuno_audit(project, "baseline", "create", *arguments)
        assert done.code == 2 and "cannot be" in done.err
    assert sorted(p.name for p in project.iterdir()) == [".zuno-audit", "go.mod", "main.go"]


def test_documents_say_until_when_a_waiver_holds(project: Path) -> None:
    write(project, {WAIVERS: WAIVER.format("2999-12-31")})
    report = audit(project, phases=["4"])
    for text in (report.to_markdown(), report.to_html(), report.to_text()):
        assert "2999-12-31" in text and "Soon." in text


def test_a_baseline_is_not_written_through_a_link_out_of_the_tree(project: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.mkdir()
    (project / ".zuno-audit").symlink_to(outside)
    done = zuno_audit(project, "baseline", "create")
    assert done.code == 2 and "leads out" in done.err
    assert list(outside.iterdir()) == []
