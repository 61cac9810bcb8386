"""The GitHub action: its scripts run as GitHub would run them, from this checkout and without a network."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures import materialise

ROOT = Path(__file__).resolve().parents[2]
ACTION = yaml.safe_load((ROOT / "action.yml").read_text("utf-8"))
STEPS: list[dict[str, Any]] = ACTION["runs"]["steps"]
WORKFLOWS = [
    ROOT / "action.yml",
    *sorted(ROOT.glob(".github/workflows/*.yml")),
    *sorted(ROOT.glob("docs/examples/*.yml")),
]
_EXPRESSION = re.compile(r"\$\{\{ *([\w.-]+) *\}\}")


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run of the action came to. `code` is that of the gate."""

    code: int
    log: str
    outputs: dict[str, str]
    summary: str


def script(name: str) -> str:
    return str(next(step["run"] for step in STEPS if step.get("name") == name))


def environment(name: str, values: dict[str, str]) -> dict[str, str]:
    """The variables that a step sets, with its expressions filled in."""
    step = next(step for step in STEPS if step.get("name") == name)
    return {key: _EXPRESSION.sub(lambda m: values[m.group(1)], text) for key, text in step["env"].items()}


def run_action(workspace: Path, temp: Path, **given: str) -> Ran:
    """Runs the steps after the installation. Inputs are given with `_` for `-`."""
    tools = temp / "zuno-audit-venv" / "bin"
    tools.mkdir(parents=True)
    start = f"#!/bin/sh\nPYTHONPATH='{ROOT / 'src'}' exec '{sys.executable}' "
    for name, arguments in (("python", '"$@"'), ("zuno-audit", '-P -m zuno_audit "$@"')):
        (tools / name).write_text(f"{start}{arguments}\n")
        (tools / name).chmod(0o755)
    inputs = {f"inputs.{name}": spec["default"] for name, spec in ACTION["inputs"].items()}
    inputs |= {f"inputs.{name.replace('_', '-')}": value for name, value in given.items()}
    files = {name: temp / name for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    for file in files.values():
        file.touch()
    base = {
        "PATH": os.environ["PATH"],
        "RUNNER_TEMP": str(temp),
        "GITHUB_ACTION_PATH": str(ROOT),
        **{name: str(file) for name, file in files.items()},
    }
    audit = _bash(script("Audit"), workspace, {**base, **environment("Audit", inputs)})
    assert audit.returncode == 0, audit.stdout
    lines = files["GITHUB_OUTPUT"].read_text("utf-8").splitlines()
    outputs = dict(line.split("=", 1) for line in lines)
    known = {f"steps.audit.outputs.{name}": value for name, value in outputs.items()}
    gate = _bash(script("Gate"), workspace, {**base, **environment("Gate", known)})
    summary = files["GITHUB_STEP_SUMMARY"].read_text("utf-8")
    return Ran(gate.returncode, audit.stdout + gate.stdout, outputs, summary)


def _bash(text: str, folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """A script as `shell: bash` runs it."""
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def temp(tmp_path: Path) -> Path:
    folder = tmp_path / "runner temp"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return materialise("zuno_mini", tmp_path / "work space")


def broken(workspace: Path) -> Path:
    """The fixture with one server that does not recover."""
    (workspace / "services/auth-service/cmd/other.go").write_text(
        'package main\n\nimport "google.golang.org/grpc"\n\nfunc other() { _ = grpc.NewServer() }\n'
    )
    return workspace


def test_a_good_tree_passes_the_gate_and_fills_the_outputs(workspace: Path, temp: Path) -> None:
    ran = run_action(workspace, temp, phases="1")
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["complete"]) == (0, "0", "true")
    report = json.loads(Path(ran.outputs["json"]).read_text("utf-8"))
    assert ran.outputs["passed"] == str(report["summary"]["pass"])
    assert ran.outputs["failed"] == "0"
    assert json.loads(Path(ran.outputs["sarif"]).read_text("utf-8"))["version"] == "2.1.0"
    assert ran.summary.startswith("# Production checklist: ")
    assert set(ran.outputs) == set(ACTION["outputs"])


def test_findings_are_annotated_and_stop_the_job_at_the_gate(workspace: Path, temp: Path) -> None:
    ran = run_action(broken(workspace), temp, phases="1, 2")
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["complete"]) == (1, "1", "true")
    assert re.search(r"^::error file=services/auth-service/cmd/other\.go,line=5", ran.log, re.MULTILINE)
    assert "1.3.2" in ran.summary
    phases = {i["phase"] for i in json.loads(Path(ran.outputs["json"]).read_text("utf-8"))["checklist"]}
    assert phases == {"1", "2"}


def test_the_threshold_and_what_is_turned_off_are_respected(workspace: Path, temp: Path) -> None:
    ran = run_action(
        broken(workspace), temp, phases="1", fail_on="never", annotations="false", summary="false"
    )
    assert ran.code == 0
    assert "::error" not in ran.log
    assert ran.summary == ""


def test_an_incomplete_audit_is_not_uploaded_and_fails_the_gate(workspace: Path, temp: Path) -> None:
    file = workspace / "services/auth-service/cmd/main.go"
    file.write_text(file.read_text().replace("func main() {", "func main( {"))
    ran = run_action(workspace, temp, phases="1")
    assert (ran.code, ran.outputs["exit-code"], ran.outputs["complete"]) == (3, "3", "false")
    assert "incomplete" in ran.summary
    upload = next(step for step in STEPS if step.get("name") == "Upload SARIF")
    assert "steps.audit.outputs.complete == 'true'" in upload["if"]


def test_wrong_usage_leaves_no_report_of_an_earlier_run(workspace: Path, temp: Path) -> None:
    old = temp / "zuno-audit-report"
    old.mkdir()
    (old / "zuno-audit.sarif").write_text("old")
    ran = run_action(workspace, temp, profile="no-such-profile")
    assert (ran.code, ran.outputs["complete"]) == (2, "false")
    assert "sarif" not in ran.outputs
    assert "no-such-profile" in ran.log


@pytest.mark.parametrize(
    "name", ["path", "profile", "phases", "config", "baseline", "evidence", "category", "fail_on"]
)
def test_no_input_becomes_code(name: str, workspace: Path, temp: Path) -> None:
    hostile = "\"; touch pwned; $(touch pwned) `touch pwned` ' --write"
    ran = run_action(workspace, temp, **{"summary": "false", name: hostile})
    assert ran.outputs["exit-code"] in ("0", "1", "2")
    assert not list(workspace.parent.rglob("pwned"))


def test_what_the_tree_holds_is_no_workflow_command(workspace: Path, temp: Path) -> None:
    name = "##[set-output name=x]y\n::add-mask::z\n.env"
    (workspace / name).write_text("JWT_SECRET=x\n")
    (workspace / "services/auth-service/cmd/::set-env name=A::b.go").write_text("package main\n\nfunc (\n")
    ran = run_action(workspace, temp)
    (token,) = re.findall(r"^::stop-commands::(\w{32})$", ran.log, re.MULTILINE)
    before, _, rest = ran.log.partition(f"::stop-commands::{token}\n")
    _, _, after = rest.partition(f"\n::{token}::\n")
    commands = {line.split(" ", 1)[0] for line in (before + after).splitlines() if line.startswith("::")}
    assert commands <= {"::error", "::warning", "::notice"}
    annotations = [line for line in after.splitlines() if not line.startswith("::")]
    assert not [line for line in annotations if "##[" in line]


def test_nothing_in_the_audited_folder_is_imported(workspace: Path, temp: Path) -> None:
    for module in ("json", "secrets", "zuno_audit", "sitecustomize"):
        (workspace / f"{module}.py").write_text(f"open('imported-{module}', 'w')\n")
    run_action(workspace, temp, phases="1")
    assert not list(workspace.glob("imported-*"))
    install = script("Install zuno-audit")
    assert all("-I -m" in line for line in install.splitlines() if "-m " in line)


def test_no_script_holds_an_expression_and_every_input_is_used() -> None:
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert not [text for text in scripts if "${{" in text]
    used = set(re.findall(r"inputs\.([\w-]+)", json.dumps(STEPS)))
    assert used == set(ACTION["inputs"])
    assert STEPS[-1]["name"] == "Gate"


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)
def test_every_action_is_pinned_by_hash_and_says_its_version(file: Path) -> None:
    lines = [line for line in file.read_text("utf-8").splitlines() if re.match(r"\s*(- )?uses:", line)]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_zizmor_finds_nothing() -> None:
    zizmor = Path(sys.executable).parent / "zizmor"
    if not zizmor.exists():
        pytest.skip("zizmor is not installed: pip install zizmor")
    done = subprocess.run(
        [zizmor, "--offline", "--pedantic", "--no-progress", *WORKFLOWS],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(("trust", "code"), [("false", 2), ("true", 1)])
def test_rules_of_the_audited_folder_need_trust(workspace: Path, temp: Path, trust: str, code: int) -> None:
    shutil.copytree(ROOT / "docs/examples/acme/rules", workspace / "audit/rules")
    config = "version: 1\nprofile: acme\nrule-folders: [audit/rules]\n"
    (workspace / "zuno-audit.yml").write_text(config, "utf-8")
    assert run_action(workspace, temp, trust=trust).code == code
