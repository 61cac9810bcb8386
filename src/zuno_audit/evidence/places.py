"""Where evidence and attestations lie."""

from __future__ import annotations

OWN_FOLDER = ".zuno-audit/"
DEFAULT_FOLDER = ".zuno-audit/evidence"
ATTESTATIONS = ".zuno-audit/attestations.yml"
OUTSIDE = "evidence"  # how the folder is shown when it lies outside of the audited tree
