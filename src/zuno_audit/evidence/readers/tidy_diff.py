"""`go mod tidy -diff`: a unified diff of go.mod and go.sum; nothing at all when they are tidy."""

from __future__ import annotations

import re

from zuno_audit.evidence.observation import Observation, Reading

_HEAD = re.compile(rb"diff current/\S*go\.(?:mod|sum) tidy/\S*go\.(?:mod|sum)")


def recognise(head: bytes) -> bool:
    """True for the diff that the go command prints."""
    return _HEAD.match(head) is not None


def read(data: bytes) -> Reading:
    """One `tidy` with the number of lines that would change."""
    lines = data.split(b"\n")
    changed = sum(line[:1] in (b"+", b"-") and line[:3] not in (b"+++", b"---") for line in lines)
    return Reading((Observation("tidy", "go.mod", "changes", float(changed)),))
