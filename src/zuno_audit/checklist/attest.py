"""What attestations do to the checks of an item: they lift what is open, never a fail or an error."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from zuno_audit.model.attestation import Attestation, AttestationState
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.verdict import Check, Status

ATTESTATION = "attestation"  # the `rule` of a check that stems from an attestation
ANY_ITEM = "*"
_OPEN = (Status.MANUAL, Status.NEEDS_EVIDENCE)
_STATUS = {
    AttestationState.EXPIRED: Status.ERROR,
    AttestationState.BROKEN: Status.ERROR,
    AttestationState.VOID: Status.MANUAL,
}


def attest(item: str, checks: list[Check], attestations: Iterable[Attestation]) -> list[Check]:
    """The item's own checks after what people vouch for.

    A valid attestation makes every open check pass, and its reason says who lifted it. Without a valid one,
    an expired or broken one makes an item with an open check an error, and a void one leaves it open.
    """
    if all(check.status not in _OPEN for check in checks):
        return checks
    mine = [a for a in attestations if a.item in (item, ANY_ITEM)]
    valid = next((a for a in mine if a.state is AttestationState.VALID), None)
    if valid is not None:
        return [_lifted(check, valid) if check.status in _OPEN else check for check in checks]
    return [*checks, *(_useless(a) for a in mine if a.state in _STATUS)]


def _lifted(check: Check, by: Attestation) -> Check:
    statement = by.statement.rstrip(".")
    reason = f"Attested by {by.who} on {by.when}: {statement}. It was open because: {check.reason}"
    return replace(check, status=Status.PASS, reason=reason, evidence=(_place(by), *check.evidence))


def _useless(attestation: Attestation) -> Check:
    reason = f"An attestation does not count: {attestation.why}."
    return Check(ATTESTATION, _STATUS[attestation.state], reason, (_place(attestation),))


def _place(attestation: Attestation) -> Location:
    return at_line(attestation.path, attestation.line, "attested here")
