"""`zuno-audit init`, `schema` and `completion` as a user meets them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fixtures import materialise
from trees import store_of

from zuno_audit.cli import main
from zuno_audit.config.load import read_config

GO = {"go.mod": "module shop\n\ngo 1.22\n", "main.go": "package main\n\nfunc main() {}\n"}


def test_init_writes_a_configuration_that_can_be_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = materialise("zuno_mini", tmp_path)
    assert main(["init", str(root)]) == 0
    assert "baseline create" in capsys.readouterr().out
    text = (root / "zuno-audit.yml").read_bytes()
    assert read_config(text, "zuno-audit.yml").profile == "zuno"
    assert b"services/auth-service/cmd/main.go:" in text
    assert main(["--phase", "1", "-q", str(root)]) == 0


def test_init_replaces_nothing_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_of(tmp_path, {**GO, ".zuno-audit.yml": "mine"})
    assert main(["init", str(tmp_path)]) == 2
    assert "--force" in capsys.readouterr().err
    assert (tmp_path / ".zuno-audit.yml").read_text() == "mine"
    assert not (tmp_path / "zuno-audit.yml").exists()
    assert main(["init", "--force", str(tmp_path)]) == 0
    assert "version: 1" in (tmp_path / ".zuno-audit.yml").read_text()


def test_init_offers_the_general_profile_to_a_stranger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_of(tmp_path, GO)
    assert main(["init", "--stdout", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert read_config(shown.encode(), "x").profile == "go-grpc"
    assert not (tmp_path / "zuno-audit.yml").exists()


def test_every_commented_setting_can_be_taken_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store_of(tmp_path, GO)
    main(["init", "--stdout", "--profile", "zuno", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    starts = ("# parameters:", "# exclude:", "# fail-on:", "# rules:", "#   ", "# checklist:", "# evidence:")
    text = "\n".join(
        line.removeprefix("# ").replace("#   ", "  ") if line.startswith(starts) else line for line in lines
    )
    config = read_config(text.encode(), "x")
    assert config.parameters["gateway"] == "services/graphql-gateway"
    assert config.exclude == ("examples/**",)
    assert list(config.levels) == ["image-not-slim"]


def test_the_configuration_sets_the_threshold_and_the_option_wins(tmp_path: Path) -> None:
    config = "version: 1\nprofile: go-grpc\nfail-on: never\n"
    server = 'package main\n\nimport "google.golang.org/grpc"\n\nfunc main() { _ = grpc.NewServer() }\n'
    store_of(tmp_path, {**GO, "main.go": server, "zuno-audit.yml": config})
    assert main(["-q", "--phase", "1", str(tmp_path)]) == 0
    assert main(["-q", "--phase", "1", "--fail-on", "error", str(tmp_path)]) == 1
    assert main(["-q", "--no-config", "--phase", "1", str(tmp_path)]) == 1
    assert main(["-q", "--no-config", "--config", "x", str(tmp_path)]) == 2


def test_a_wrong_configuration_ends_with_place_and_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store_of(tmp_path, {**GO, "zuno-audit.yml": "version: 1\nprofil: zuno\n"})
    assert main([str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert "zuno-audit.yml:2: unknown key 'profil'" in said
    assert "Did you mean 'profile'?" in said


@pytest.mark.parametrize("kind", ["config", "rule", "profile"])
def test_schemas_are_json(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out)["title"].startswith("zuno-audit")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    assert "_ZUNO_AUDIT_COMPLETE" in capsys.readouterr().out


@pytest.mark.parametrize(("typed", "expected"), [("ba", "plain,baseline"), ("--prof", "plain,--profile")])
def test_commands_and_options_of_the_default_command_are_completed(typed: str, expected: str) -> None:
    words = {"_ZUNO_AUDIT_COMPLETE": "bash_complete", "COMP_WORDS": f"zuno-audit {typed}", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "zuno_audit"],
        env={**os.environ, **words},
        capture_output=True,
        text=True,
        check=False,
    )
    assert expected in done.stdout.splitlines()
