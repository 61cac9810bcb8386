"""One audited repository for all tests of evidence; every test has an evidence folder of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from evidence import Judge
from fixtures import materialise

from zuno_audit import audit
from zuno_audit.api import Report


@pytest.fixture(scope="session")
def monorepo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return materialise("zuno_mini", tmp_path_factory.mktemp("monorepo"))


@pytest.fixture(scope="session")
def head(monorepo: Path) -> str:
    done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=monorepo, capture_output=True, check=True)
    return done.stdout.decode().strip()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "outputs"
    made.mkdir()
    return made


@pytest.fixture
def judge(monorepo: Path, folder: Path) -> Judge:
    def run(*phases: str) -> Report:
        return audit(monorepo, phases=phases, evidence=folder)

    return run
