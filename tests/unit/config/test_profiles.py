"""Which profile is taken, what its parameters do, and what a configuration changes in an audit."""

from __future__ import annotations

from pathlib import Path

import pytest
from fixtures import materialise
from trees import store_of

from zuno_audit import audit
from zuno_audit.checklist.profile import load_profile, profile_names
from zuno_audit.config.setup import built_in_checklist, built_in_library, set_up
from zuno_audit.errors import ConfigError, UsageError
from zuno_audit.model.finding import Level
from zuno_audit.model.verdict import Status

SERVER = """\
package main

import "google.golang.org/grpc"

func main() { s := grpc.NewServer(); _ = s }
"""
SHOP = {"go.mod": "module shop\n\ngo 1.22\n", "cmd/main.go": SERVER}


def project(root: Path, config: str = "", **more: str) -> Path:
    files = {**SHOP, **({"zuno-audit.yml": config} if config else {}), **more}
    store_of(root, files)
    return root


def test_profiles_that_come_along_are_whole() -> None:
    names = profile_names(built_in_library().root)
    assert names == ("go-grpc", "zuno")
    for name in names:
        assert built_in_checklist(name).controls
        assert load_profile(built_in_library(), name).title


def test_a_stranger_is_held_against_zuno_and_told_so(tmp_path: Path) -> None:
    report = audit(project(tmp_path))
    assert report.result.profile == "zuno"
    assert report.verdict("1.3.1.1").status is Status.FAIL
    assert "--profile go-grpc" in report.to_text().replace("\n", " ")


def test_the_configured_profile_is_named_and_the_asked_one_wins(tmp_path: Path) -> None:
    root = project(tmp_path, "version: 1\nprofile: go-grpc\n")
    report = audit(root)
    assert report.result.profile == "go-grpc"
    assert "profile go-grpc" in report.to_text()
    assert "profile go-grpc" in report.to_markdown()
    assert "profile go-grpc" in report.to_html()
    assert '"auditProfile": "go-grpc"' in report.to_sarif()
    assert report.verdict("GRPC-1.1").status is Status.FAIL
    assert audit(root, profile="zuno").result.profile == "zuno"
    assert audit(root, no_config=True).result.profile == "zuno"


def test_an_unknown_profile_names_the_others(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        audit(project(tmp_path / "a"), profile="shop")
    assert "go-grpc, zuno" in caught.value.hint
    with pytest.raises(ConfigError) as configured:
        audit(project(tmp_path / "b", "version: 1\n\nprofile: shop\n"))
    assert configured.value.line == 3


def test_phases_are_those_of_the_profile(tmp_path: Path) -> None:
    root = project(tmp_path)
    with pytest.raises(UsageError) as caught:
        audit(root, profile="go-grpc", phases=["9"])
    assert "1, 2, 3, 4, 5" in caught.value.hint
    assert {v.control.phase for v in audit(root, profile="go-grpc", phases=["1"]).verdicts} == {"1"}


def test_a_parameter_moves_what_is_looked_at(tmp_path: Path) -> None:
    config = "version: 1\nprofile: go-grpc\nparameters: {servers: 'other/**'}\n"
    report = audit(project(tmp_path, config))
    assert report.verdict("GRPC-1.1").status is Status.MANUAL


def test_parameters_reach_titles_and_arguments(tmp_path: Path) -> None:
    config = "version: 1\nprofile: zuno\nparameters: {auth_service: apps/login}\n"
    setup = set_up(store_of(tmp_path, {**SHOP, "zuno-audit.yml": config}).repository)
    control = next(c for c in setup.checklist.controls if c.id == "1.3.1.1")
    assert control.title.startswith("apps/login/")
    assert control.checks[0].arguments == (("service", "apps/login/**"),)


@pytest.mark.parametrize(
    ("config", "line", "words"),
    [
        ("version: 1\nprofile: go-grpc\nparameters:\n  gateway: x\n", 4, "no parameter 'gateway'"),
        ("version: 1\nrules:\n  image-not-slimm: {level: note}\n", 3, "no rule 'image-not-slimm'"),
        ("version: 1\nrule-folders:\n  - ops/rules\n", 3, "not read"),
    ],
)
def test_names_that_do_not_exist_stop_the_audit(tmp_path: Path, config: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        audit(project(tmp_path, config))
    assert (caught.value.line, words in str(caught.value)) == (line, True)
    assert caught.value.hint


def test_a_rule_that_is_off_never_passes(tmp_path: Path) -> None:
    root = materialise("zuno_mini", tmp_path)
    (root / "zuno-audit.yml").write_text(
        "version: 1\nprofile: go-grpc\nrules:\n"
        "  grpc-server-without-recovery-if-any: {level: off, reason: a proxy restarts them}\n"
        "  image-not-built-here: {level: off, reason: we know}\n"
    )
    report = audit(root)
    verdict = report.verdict("GRPC-1.1")
    assert verdict.status is Status.MANUAL
    assert "a proxy restarts them" in verdict.checks[0].reason
    assert report.verdict("GRPC-2.4").status is Status.MANUAL  # its condition is off
    assert report.verdict("GRPC-1.2").status is Status.PASS


def test_a_level_changes_findings_and_no_verdict(tmp_path: Path) -> None:
    config = "version: 1\nprofile: go-grpc\nrules: {grpc-server-without-recovery-if-any: {level: note}}\n"
    report = audit(project(tmp_path, config))
    assert report.verdict("GRPC-1.1").status is Status.FAIL
    levels = {f.level for f in report.findings if f.rule == "grpc-server-without-recovery-if-any"}
    assert levels == {Level.NOTE}


def test_excluded_paths_are_counted(tmp_path: Path) -> None:
    config = "version: 1\nprofile: go-grpc\nexclude: [cmd, nowhere/**]\n"
    report = audit(project(tmp_path, config, **{"main.go": "package main\n"}))
    assert report.verdict("GRPC-1.1").status is Status.MANUAL
    said = [(d.level, d.message) for d in report.diagnostics if d.path == "zuno-audit.yml"]
    assert (Level.NOTE, "exclude 'cmd': 1 files are not audited") in said
    assert (Level.WARNING, "exclude 'nowhere/**': nothing is there to be left out") in said


RULE = """\
id: shop-file-missing
title: Shop file missing
kind: presence
severity: error
precision: high
since: 0.1.0
exists: env_file
absent: {path: .env.example, message: "no env file."}
pass: "{{ count }} of {{ total }} are there"
why: Because.
fix: Add it.
"""
PROFILE = """\
name: shop
title: Shop
description: Ours.
checklist: {name: shop, version: "1", files: [shop.yaml]}
"""
LIST = """\
phase: "1"
title: Shop
sections:
  - title: All
    controls:
      - {id: SHOP-1.1, title: There is an env file, decided_by: files, checks: [shop-file-missing]}
"""


def test_trusted_rule_folders_bring_rules_and_profiles(tmp_path: Path) -> None:
    root = project(
        tmp_path,
        "version: 1\nprofile: shop\nrule-folders: [ops]\n",
        **{
            "ops/shop/shop-file-missing.yaml": RULE,
            "ops/profiles/shop.yaml": PROFILE,
            "ops/checklist/shop.yaml": LIST,
        },
    )
    with pytest.raises(ConfigError, match="not read"):
        audit(root)
    report = audit(root, trust=True)
    assert [(v.control.id, v.status) for v in report.verdicts] == [("SHOP-1.1", Status.FAIL)]


def test_go_grpc_passes_what_it_decides_of_a_sound_repository(tmp_path: Path) -> None:
    report = audit(materialise("zuno_mini", tmp_path), profile="go-grpc")
    assert {v.control.id: v.status for v in report.verdicts if v.status is not Status.PASS} == {}
    assert report.findings == ()


def test_go_grpc_fails_what_is_taken_away(tmp_path: Path) -> None:
    root = materialise("zuno_mini", tmp_path)
    (root / "services/auth-service/cmd/other.go").write_text(
        'package main\n\nimport (\n\t"os"\n\n\t"google.golang.org/grpc"\n)\n\n'
        'func init() { _ = grpc.NewServer(); c, _ := grpc.NewClient(os.Getenv("OTHER_ADDRESS")); _ = c }\n'
    )
    report = audit(root, profile="go-grpc")
    failed = {v.control.id for v in report.verdicts if v.status is Status.FAIL}
    assert failed == {"GRPC-1.1", "GRPC-1.3", "GRPC-3.1"}


def test_items_that_do_not_apply_bring_no_findings(tmp_path: Path) -> None:
    report = audit(project(tmp_path), profile="go-grpc")
    assert report.verdict("GRPC-3.2").status is Status.NOT_APPLICABLE
    assert report.verdict("GRPC-4.1").status is Status.NOT_APPLICABLE
    assert {f.rule for f in report.findings} & {"env-file-not-ignored", "migrations-not-run"} == set()


def test_the_repository_alone_cannot_make_semgrep_run(tmp_path: Path) -> None:
    config = "version: 1\nprofile: go-grpc\nsemgrep: true\n"
    store = store_of(tmp_path, {**SHOP, "zuno-audit.yml": config})
    setup = set_up(store.repository)
    assert not setup.config.semgrep
    assert [(d.level, d.line) for d in setup.diagnostics] == [(Level.WARNING, 3)]
    assert set_up(store.repository, trust=True).config.semgrep
    assert set_up(store.repository, config=tmp_path / "zuno-audit.yml").config.semgrep


def test_evidence_lies_in_the_repository(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    root = project(tmp_path / "shop", "version: 1\n\nevidence: ops/evidence\n")
    with pytest.raises(ConfigError) as caught:
        audit(root)
    assert caught.value.line == 3
    (root / "ops").mkdir()
    (root / "ops" / "evidence").symlink_to(elsewhere)
    with pytest.raises(ConfigError):
        audit(root)
    (root / "ops" / "evidence").unlink()
    (root / "ops" / "evidence").mkdir()
    assert audit(root).result.profile == "zuno"
