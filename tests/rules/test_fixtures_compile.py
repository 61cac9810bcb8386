"""The Go fixture and every mutation of it compile: verdicts about impossible code prove nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from fixtures import copy
from mutations import Mutation, catalogue

pytestmark = pytest.mark.go

GO_MUTATIONS = [m for m in catalogue() if any(e.path.endswith((".go", ".json")) for e in m.edits)]


def go(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run go in `root`."""
    environment = {**os.environ, "GOFLAGS": "-mod=readonly", "GOWORK": "off"}
    return subprocess.run(["go", *arguments], cwd=root, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The fixture with its modules at hand; skips aloud when Go or the modules are missing."""
    if shutil.which("go") is None:
        pytest.skip("NOT CHECKED: Go is not installed, so nobody knows whether the fixture compiles")
    root = copy("zuno_mini", tmp_path_factory.mktemp("compile") / "zuno_mini")
    ready = go(root, "list", "-deps", "./...")
    if ready.returncode != 0:
        last = ready.stderr.strip().splitlines()[-1:]
        pytest.skip(f"NOT CHECKED: Go cannot load the fixture's modules: {' '.join(last)}")
    return root


def test_the_fixture_builds(modules: Path) -> None:
    build = go(modules, "build", "./...")
    assert build.returncode == 0, build.stderr


def test_the_fixture_passes_vet(modules: Path) -> None:
    vet = go(modules, "vet", "./...")
    assert vet.returncode == 0, vet.stderr


def test_the_unit_tests_of_the_fixture_pass(modules: Path) -> None:
    run = go(modules, "test", "-short", "./shared/...", "./services/...")
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.parametrize("mutation", GO_MUTATIONS, ids=lambda m: m.name)
def test_the_mutation_builds(mutation: Mutation, modules: Path, tmp_path: Path) -> None:
    root = tmp_path / "zuno_mini"
    shutil.copytree(modules, root)
    mutation.apply(root)
    build = go(root, "build", "./...")
    assert build.returncode == 0, build.stderr
