"""`trivy image --format json`."""

from __future__ import annotations

import re
from typing import Any

from zuno_audit.evidence.observation import BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, as_list, as_object, object_of, seconds, text_at

_KEYS = re.compile(rb'"(?:ArtifactName|ArtifactType)":')


def recognise(head: bytes) -> bool:
    """True for a report with an artifact."""
    return head.lstrip()[:1] == b"{" and _KEYS.search(head) is not None


def read(data: bytes) -> Reading:
    """A `scan` named after the artifact, and an `issue` for each vulnerability. Raises BrokenEvidence."""
    lines = Lines(data)
    document = object_of(data)
    artifact = text_at(document, "ArtifactName")
    if not artifact:
        raise BrokenEvidence("a trivy report that does not name its artifact")
    scan = Observation("scan", "trivy", "ok", labels=(("linters", "trivy"), ("artifact", artifact)))
    found = [scan]
    for result in map(as_object, as_list(document.get("Results"))):
        for vulnerability in map(as_object, as_list(result.get("Vulnerabilities"))):
            found.append(_issue(vulnerability, artifact, lines))
    return Reading(tuple(found), seconds(text_at(document, "CreatedAt")))


def _issue(vulnerability: dict[str, Any], artifact: str, lines: Lines) -> Observation:
    name = text_at(vulnerability, "VulnerabilityID")
    package = text_at(vulnerability, "PkgName")
    labels = (("linter", "trivy"), ("artifact", artifact), ("where", f"{artifact} {package}"))
    severity = text_at(vulnerability, "Severity").lower() or "unknown"
    return Observation("issue", f"{name} {package}", severity, labels=labels, line=lines.holding(name))
