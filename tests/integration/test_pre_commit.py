"""The pre-commit hook, tried with pre-commit itself: a commit that breaks a protection is refused.

pre-commit installs zuno-audit into an environment of its own, for which pip needs a package index.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from fixtures import materialise

ROOT = Path(__file__).resolve().parents[2]
NEEDED = ("src", "rules", "queries", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE")
PRE_COMMIT = Path(sys.executable).parent / "pre-commit"
NO_INDEX = re.compile(
    r"No matching distribution|Could not find a version|ConnectionError|ProxyError|Temporary failure"
)
CONFIG = """repos:
  - repo: {hooks}
    rev: {rev}
    hooks:
      - id: zuno-audit
        args: [--phase, "1"]
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A work tree, and the environment in which git and pre-commit run there."""

    root: Path
    home: Path

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "PRE_COMMIT", "PYTHON"))}
        own = {
            "HOME": str(self.home),
            "PRE_COMMIT_HOME": str(self.home / "pre-commit"),
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{
                f"GIT_{who}_{what}": "a@example.com"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        return subprocess.run(
            [str(part) for part in command],
            cwd=self.root,
            env={**kept, **own},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )


def hooks(target: Path) -> Path:
    """zuno-audit as a repository of hooks: what a release of it holds."""
    target.mkdir()
    for name in (".pre-commit-hooks.yaml", *NEEDED):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "index.json"))
        else:
            shutil.copyfile(source, target / name)
    return target


def test_a_commit_that_breaks_a_protection_is_refused(tmp_path: Path) -> None:
    if not PRE_COMMIT.exists():
        pytest.skip("pre-commit is not installed: pip install pre-commit")
    home = tmp_path / "home"
    home.mkdir()
    released = Place(hooks(tmp_path / "zuno-audit"), home)
    for command in (("init", "-q"), ("add", "-A"), ("commit", "-q", "-m", "Release")):
        assert released.run("git", *command).returncode == 0
    rev = released.run("git", "rev-parse", "HEAD").stdout.strip()

    project = Place(materialise("zuno_mini", tmp_path / "project"), home)
    config = project.root / ".pre-commit-config.yaml"
    config.write_text(CONFIG.format(hooks=released.root, rev=rev))
    project.run("git", "add", ".pre-commit-config.yaml")
    installed = project.run(PRE_COMMIT, "install", "--install-hooks")
    if installed.returncode != 0 and NO_INDEX.search(installed.stdout):
        pytest.skip("pip reaches no package index, so pre-commit cannot install the hook")
    assert installed.returncode == 0, installed.stdout

    good = project.run("git", "commit", "-q", "-m", "Use the hook")
    assert good.returncode == 0, good.stdout
    assert "Passed" in good.stdout

    server = project.root / "services/auth-service/cmd/other.go"
    server.write_text(
        'package main\n\nimport "google.golang.org/grpc"\n\nfunc other() { _ = grpc.NewServer() }\n'
    )
    project.run("git", "add", "-A")
    bad = project.run("git", "commit", "-q", "-m", "No recovery")
    assert bad.returncode == 1
    assert "Failed" in bad.stdout and "other.go:5" in bad.stdout
    assert project.run("git", "log", "--format=%s", "-1").stdout.strip() == "Use the hook"
