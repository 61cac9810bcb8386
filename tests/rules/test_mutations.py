"""Every protection of the fixture is broken once, and rewritten: the verdicts must follow the meaning.

The catalogue is in `tests/fixtures/mutations`. A break that changes no verdict is a false pass, a rewrite
that changes one is a false alarm.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from fixtures import commit, git, materialise
from mutations import Mutation, catalogue

from zuno_audit import audit

MUTATIONS = catalogue()
DELIVERY = catalogue("delivery")  # build, tests, certificates, deployment: phases 2 to 5

BASE = {
    **dict.fromkeys(("1.1.1", "1.1.2", "1.1.3", "1.1.4"), "pass"),
    **dict.fromkeys(("1.1.2.1", "1.1.2.2", "1.1.2.3", "1.1.2.4", "1.1.2.5"), "pass"),
    "1.1.2.6": "not-applicable",
    **dict.fromkeys(("1.2.1", "1.2.1.1", "1.2.1.2", "1.2.1.3", "1.2.1.4", "1.2.2", "1.2.3"), "pass"),
    **dict.fromkeys(("1.3.1", "1.3.2", "1.3.3", "1.3.4"), "pass"),
    **dict.fromkeys(("1.3.1.1", "1.3.1.2", "1.3.1.3", "1.3.1.4", "1.3.1.5", "1.3.1.6"), "pass"),
    "4.2.1": "pass",
    "4.2.2": "manual",  # a person compares the template with the .env that is really used
    "4.2.3": "manual",  # a person generates the secrets
    "4.2.4": "pass",
}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The untouched fixture under git."""
    return materialise("zuno_mini", tmp_path_factory.mktemp("base") / "zuno_mini")


def judged(root: Path) -> dict[str, str]:
    """The status of every item that the catalogue is about."""
    verdicts = audit(root, phases=["1", "4"]).verdicts
    return {v.control.id: v.status.value for v in verdicts if v.control.id in BASE}


def differences(expected: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """One line for each item that is not as expected."""
    return [
        f"{item}: expected {status}, found {found.get(item)}"
        for item, status in expected.items()
        if found.get(item) != status
    ]


def test_everything_holds_in_the_untouched_fixture(base: Path) -> None:
    assert differences(BASE, judged(base)) == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.name)
def test_the_verdicts_follow_the_meaning(mutation: Mutation, base: Path, tmp_path: Path) -> None:
    root = tmp_path / "zuno_mini"
    shutil.copytree(base, root)
    mutation.apply(root)
    if (root / ".env").exists():
        git(root, "add", "-f", ".env")
    commit(root, mutation.name)
    expected = {**BASE, **mutation.expect}
    for item in mutation.unasserted:
        del expected[item]
    found = judged(root)
    assert differences(expected, found) == [], mutation.why


@pytest.fixture(scope="module")
def delivered(base: Path) -> dict[str, str]:
    """The verdicts of the untouched fixture in the phases 2 to 5."""
    return delivery(base)


def delivery(root: Path) -> dict[str, str]:
    """The status of every item in the phases 2 to 5."""
    return {v.control.id: v.status.value for v in audit(root, phases=["2", "3", "4", "5"]).verdicts}


def test_every_item_of_delivery_holds_as_far_as_files_can_tell(delivered: dict[str, str]) -> None:
    assert set(delivered.values()) == {"needs-evidence", "pass", "manual"}


@pytest.mark.parametrize("mutation", DELIVERY, ids=lambda m: m.name)
def test_the_verdicts_of_delivery_follow_the_meaning(
    mutation: Mutation, base: Path, delivered: dict[str, str], tmp_path: Path
) -> None:
    root = tmp_path / "zuno_mini"
    shutil.copytree(base, root)
    mutation.apply(root)
    commit(root, mutation.name)
    expected = {**delivered, **mutation.expect}
    for item in mutation.unasserted:
        del expected[item]
    assert differences(expected, delivery(root)) == [], mutation.why


def test_the_catalogue_breaks_nearly_every_item_and_has_rewrites() -> None:
    breaks = [m for m in MUTATIONS if m.kind == "break"]
    rewrites = [m for m in MUTATIONS if m.kind == "rewrite"]
    assert len(MUTATIONS) >= 60
    assert len(rewrites) * 2 >= len(breaks)
    assert all("fail" in m.expect.values() for m in breaks)
    assert not any("fail" in m.expect.values() for m in rewrites)
    assert {item for m in MUTATIONS for item in (*m.expect, *m.unasserted)} <= set(BASE)
    broken = {item for m in breaks for item, status in m.expect.items() if status == "fail"}
    assert set(BASE) - broken <= {"1.1.1", "1.2.1.1", "1.2.1.2"}
