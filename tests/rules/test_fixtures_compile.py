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
    environment = {**os.environ, "GOFLAGS": "-mod=readonly -trimpath", "GOWORK": "off"}
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


def test_every_mutation_builds(modules: Path, tmp_path: Path) -> None:
    """Mutations of different files are built together; a batch that fails is taken apart."""
    broken = {
        mutation.name: complaint
        for batch in batches(GO_MUTATIONS)
        if complaints(modules, tmp_path, batch)
        for mutation in batch
        if (complaint := complaints(modules, tmp_path, [mutation]))
    }
    assert broken == {}


def complaints(modules: Path, scratch: Path, mutations: list[Mutation]) -> str:
    """What the compiler says about the fixture with these mutations, nothing when it is content."""
    root = scratch / "zuno_mini"
    shutil.rmtree(root, ignore_errors=True)
    shutil.copytree(modules, root)
    for mutation in mutations:
        mutation.apply(root)
    return go(root, "build", "./...").stderr


def batches(mutations: list[Mutation]) -> list[list[Mutation]]:
    """Groups in which no two mutations touch the same file."""
    groups: list[tuple[set[str], list[Mutation]]] = []
    for mutation in mutations:
        files = {edit.path for edit in mutation.edits}
        for taken, group in groups:
            if taken.isdisjoint(files):
                taken |= files
                group.append(mutation)
                break
        else:
            groups.append((files, [mutation]))
    return [group for _, group in groups]
