"""Checks made of a box's own words."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.checks.own_boxes import derived_check
from zuno_audit.model.verdict import Status
from zuno_audit.source.repository import Repository

FILES = {
    ".gitignore": ".env\n*.key\nbuild/\n",
    "Makefile": "build:\n\tgo build ./...\n\n.PHONY: lint test\nlint test:\n\ttrue\n",
    "README.md": "# x\n",
    "config.yaml": "a: 1\n",
    "docs/runbook.md": "# Runbook\n",
    "ops/CHECKLIST.md": "- [ ] x\n",
    "ops/scripts/migrate.sh": "true\n",
    "package.json": '{"scripts": {"e2e": "true"}}\n',
    "secrets/prod.key": "tracked although ignored\n",
    "scripts/deploy.ps1": "exit\n",
}


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return store_of(tmp_path, FILES).repository


HOLDS = [
    "`docs/runbook.md` exists",
    "**Verify** `docs/runbook.md` exists in the repository",
    "1.2 Check that the file `config.yaml` is present.",
    "The folder `docs/` is there",
    "Check whether `config.yaml` exists",
    "`README.md`, `config.yaml` and `docs/runbook.md` exist",
    "[the runbook](docs/runbook.md) exists",
    "`docs/*.md` exist",
    "`scripts/migrate.sh` exists",
    "`docs/old.md` no longer exists",
    "`docs/old.md` has been removed",
    "`.env` is ignored",
    "Make sure `.env` is in `.gitignore`",
    "`build/` is ignored by git",
    "`.env` must be git-ignored",
    "`config.yaml` is committed",
]
FAILS = [
    "`docs/none.md` exists",
    "`README.md` and `docs/none.md` exist",
    "`docs/none.md` exists and describes the failover",
    "`docs/runbook.md` does not exist",
    "`config.yaml` is ignored",
    "`secrets/prod.key` is ignored",
    "`*.key` is ignored",
    "`docs/none.md` is committed",
    "Run `./scripts/none.sh`",
    "**Run** `bash scripts/none.sh --all`:",
    "`make deploy`",
    "Run `npm run none`",
]
OPEN = [
    ("`docs/runbook.md` exists and describes the failover", Status.MANUAL),
    ("`runbook.md` exists", Status.MANUAL),
    ("`.env` exists", Status.NEEDS_EVIDENCE),
    ("Run `./scripts/deploy.ps1`", Status.NEEDS_EVIDENCE),
    ("Run `./migrate.sh`", Status.NEEDS_EVIDENCE),
    ("`make lint`", Status.NEEDS_EVIDENCE),
    ("`make test`", Status.NEEDS_EVIDENCE),
    ("Run `npm run e2e`", Status.NEEDS_EVIDENCE),
]
SAYS_MORE = [
    "`docs/none.md` exists if the team wants it",
    "If `docs/none.md` exists, remove it",
    "`docs/none.md` or `README.md` exists",
    "`circuit_breaker_state` exists",
    "`auth.events` exists",
    "`users` table exists",
    "`/etc/passwd` exists",
    "`../other/file.md` exists",
    "`https://example.org/a.md` exists",
    "`docs/none.md` exists on the wiki",
    "`go test ./...` passes",
    "The plants are watered",
    "",
]


@pytest.mark.parametrize("text", HOLDS)
def test_what_holds(text: str, repository: Repository) -> None:
    check = derived_check(text, "ops", repository)
    assert check is not None
    assert check.status is Status.PASS, check.reason


@pytest.mark.parametrize("text", FAILS)
def test_what_does_not(text: str, repository: Repository) -> None:
    check = derived_check(text, "ops", repository)
    assert check is not None
    assert check.status is Status.FAIL, check.reason


@pytest.mark.parametrize(("text", "status"), OPEN)
def test_what_files_alone_cannot_show(text: str, status: Status, repository: Repository) -> None:
    check = derived_check(text, "", repository)
    assert check is not None
    assert check.status is status, check.reason


@pytest.mark.parametrize("text", SAYS_MORE)
def test_what_is_no_simple_statement(text: str, repository: Repository) -> None:
    assert derived_check(text, "", repository) is None


def test_the_proof_is_named(repository: Repository) -> None:
    check = derived_check("`docs/runbook.md` exists", "", repository)
    assert check is not None
    assert [place.path for place in check.evidence] == ["docs/runbook.md"]
