"""`docs/adding-a-rule.md` says the truth: its paths exist, and whoever follows it has a rule that works."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from zuno_audit import audit
from zuno_audit.authoring.scaffold import Draft
from zuno_audit.cli.app import app
from zuno_audit.cli.exits import Session
from zuno_audit.errors import RuleError
from zuno_audit.model.verdict import Status

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "adding-a-rule.md").read_text("utf-8")
ACME = ROOT / "docs" / "examples" / "acme"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments, obj=Session(), standalone_mode=False)


def block(language: str, heading: str) -> str:
    """The first fenced block below a heading of the guide."""
    section = GUIDE.split(f"## {heading}\n")[1]
    found = re.search(rf"```{language}\n(.*?)```", section, re.DOTALL)
    assert found is not None
    return found.group(1)


def named_paths() -> list[str]:
    """The paths of the repository in backticks and links, placeholders filled with something that exists."""
    filled = {"<pack>": "go", "<id>": "resilient-client-file-missing", "<phase>": "phase-1"}
    filled |= {"/<case>/": "/", "<name>.scm": ""}
    paths = re.findall(r"`((?:rules|queries|tests|docs|src|tools|\.ci)/[^`\s]*|CHANGELOG\.md)`", GUIDE)
    for placeholder, value in filled.items():
        paths = [path.replace(placeholder, value) for path in paths]
    links = re.findall(r"\]\(([^)#]+)\)", GUIDE)
    return [*paths, *(f"docs/{link}" for link in links), "tools/rule_pages.py", ".ci/run"]


@pytest.mark.parametrize("path", named_paths())
def test_every_path_that_the_guide_names_exists(path: str) -> None:
    assert (ROOT / path).exists() or path == "queries/go/"


def test_the_rule_of_the_guide_works(tmp_path: Path) -> None:
    rules, fixtures = tmp_path / "rules", tmp_path / "fixtures"
    for path, text in {
        rules / "acme" / "no-panic.yaml": block("yaml", "The rule"),
        rules / "queries" / "go" / "no_panic.scm": block("scheme", "The query"),
        fixtures
        / "no-panic"
        / "fail"
        / "one"
        / "main.go": 'package main\n\nfunc main() {\n\t// ruleid: no-panic\n\tpanic("no")\n}\n',
        fixtures
        / "no-panic"
        / "pass"
        / "one"
        / "main.go": 'package main\n\n// ok: no-panic\nvar text = "panic()"\n',
    }.items():
        path.parent.mkdir(parents=True)
        path.write_text(text, "utf-8")
    tested = run("rules", "test", "--rules", str(rules))
    assert tested.output == "2 of 2 cases are as marked.\n"
    assert run("rules", "lint", "--rules", str(rules)).output == "0 mistakes in 1 rule.\n"


def test_a_new_rule_touches_only_the_files_that_the_guide_names(tmp_path: Path) -> None:
    draft = Draft("some-defect", "go", tmp_path / "rules", tmp_path / "tests/fixtures/rules")
    written = {path.relative_to(tmp_path).as_posix() for path in draft.write()}
    assert written == {
        "rules/go/some-defect.yaml",
        "rules/queries/go/some_defect.scm",
        "tests/fixtures/rules/some-defect/fail/first/main.go",
        "tests/fixtures/rules/some-defect/pass/near-miss/main.go",
    }
    before = {path: path.read_bytes() for path in (tmp_path / "rules").rglob("*.yaml")}
    result = run("rules", "test", "--rules", str(tmp_path / "rules"))
    assert result.return_value == 0, result.output
    assert {path: path.read_bytes() for path in (tmp_path / "rules").rglob("*.yaml")} == before


def test_the_pack_of_a_stranger_passes_its_own_tests() -> None:
    assert run("rules", "test", "--rules", str(ACME / "rules")).output == "6 of 6 cases are as marked.\n"
    assert run("rules", "lint", "--rules", str(ACME / "rules")).output == "0 mistakes in 3 rules.\n"


def test_the_profile_of_a_stranger_audits_a_repository(tmp_path: Path) -> None:
    shutil.copytree(ACME / "rules", tmp_path / "audit" / "rules")
    shutil.copytree(ACME / "fixtures/acme-readiness-route-missing/pass/served", tmp_path, dirs_exist_ok=True)
    config = "version: 1\nprofile: acme\nrule-folders: [audit/rules]\n"
    (tmp_path / "zuno-audit.yml").write_text(config, "utf-8")
    (tmp_path / "docker-compose.yml").write_text("services:\n  db:\n    image: postgres\n", "utf-8")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    report = audit(tmp_path, trust=True)
    assert {v.control.id: v.status for v in report.verdicts} == {
        "ACME-1.1": Status.PASS,
        "ACME-1.2": Status.FAIL,
        "ACME-1.3": Status.PASS,
        "ACME-1.4": Status.PASS,
    }
    places = [(f.rule, f.location.path, f.location.span.start_line) for f in report.findings]
    assert places == [("acme-image-not-pinned", "docker-compose.yml", 2)]


def test_the_section_on_running_rules_of_ones_own_works(tmp_path: Path) -> None:
    Draft("no-panic", "acme", tmp_path / "my/rules", tmp_path / "my/fixtures").write()
    checklist = "- id: SHOP-1.1\n        title: t\n        decided_by: files\n        checks: [no-panic]\n"
    files = {
        "zuno-audit.yml": block("yaml", "Running rules of your own"),
        "my/rules/checklist/shop.yaml": f'phase: "1"\ntitle: S\nsections:\n  - title: s\n    controls:\n      {checklist}',
        "my/rules/profiles/shop.yaml": 'name: shop\ntitle: S\ndescription: d\nchecklist: {name: shop, version: "1", files: [shop.yaml]}\n',
        "go.mod": "module m\n\ngo 1.22\n",
        "main.go": 'package main\n\nfunc main() {\n\tpanic("x")\n}\n',
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    report = audit(tmp_path, trust=True)
    assert [(f.rule, f.location.path) for f in report.findings] == [("no-panic", "main.go")]
    mistyped = files["my/rules/checklist/shop.yaml"].replace("no-panic", "no-panik")
    (tmp_path / "my/rules/checklist/shop.yaml").write_text(mistyped, "utf-8")
    with pytest.raises(RuleError) as caught:
        audit(tmp_path, trust=True)
    assert (caught.value.path, caught.value.line) == ("checklist/shop.yaml", 9)
    assert "no-panic" in caught.value.hint
