"""Attestations lift what is open; nothing that anybody vouches for makes a bad verdict better."""

from __future__ import annotations

import pytest

from zuno_audit.checklist.attest import attest
from zuno_audit.model.attestation import Attestation, AttestationState
from zuno_audit.model.verdict import Check, Status

VALID = Attestation("1.1.1", "Jane", "2025-01-01", "Seen.", "a.yml", 2)


def statuses(status: Status, *states: AttestationState) -> set[Status]:
    given = [Attestation("1.1.1", "J", "2025-01-01", "x", "a.yml", 2, state, "why") for state in states]
    return {check.status for check in attest("1.1.1", [Check("r", status, "because")], given)}


@pytest.mark.parametrize("status", [Status.FAIL, Status.ERROR, Status.PASS, Status.NOT_APPLICABLE])
@pytest.mark.parametrize("state", list(AttestationState))
def test_what_is_decided_stays_as_it_is(status: Status, state: AttestationState) -> None:
    assert statuses(status, state) == {status}


@pytest.mark.parametrize("status", [Status.MANUAL, Status.NEEDS_EVIDENCE])
def test_what_is_open_is_lifted_by_a_valid_one_only(status: Status) -> None:
    assert statuses(status, AttestationState.VALID) == {Status.PASS}
    assert statuses(status, AttestationState.EXPIRED, AttestationState.VALID) == {Status.PASS}
    assert Status.ERROR in statuses(status, AttestationState.EXPIRED)
    assert Status.ERROR in statuses(status, AttestationState.BROKEN)
    assert Status.PASS not in statuses(status, AttestationState.VOID)
    assert statuses(status, AttestationState.NAMELESS) == {status}


def test_one_bad_part_keeps_an_attested_item_bad() -> None:
    checks = [Check("a", Status.FAIL, "no"), Check("b", Status.MANUAL, "who knows")]
    assert [check.status for check in attest("1.1.1", checks, [VALID])] == [Status.FAIL, Status.PASS]


def test_another_item_is_not_lifted() -> None:
    assert [c.status for c in attest("1.1.2", [Check("a", Status.MANUAL, "?")], [VALID])] == [Status.MANUAL]
