"""One module for each format of evidence, recognised by content.

A reader has `recognise(head: bytes) -> bool`, asked with the first `HEAD_BYTES` of a file, and
`read(data: bytes) -> Reading`, which raises BrokenEvidence. The first that recognises a file reads it.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol, cast

from zuno_audit.evidence.observation import Reading

HEAD_BYTES = 65_536
FORMATS = (
    "go_test",
    "coverage",
    "sarif",
    "gosec",
    "golangci",
    "trivy",
    "docker_images",
    "compose_ps",
    "prometheus",
    "metrics_text",
    "pg_dump",
    "tidy_diff",
    "http_answer",
    "graphql_answer",
    "junit",
)


class Reader(Protocol):
    """What a reader module offers."""

    def recognise(self, head: bytes) -> bool:
        """True when a file that begins like this is of the reader's format."""

    def read(self, data: bytes) -> Reading:
        """What the file says. Raises BrokenEvidence."""


def reader(name: str) -> Reader:
    """The reader of a format."""
    return cast("Reader", import_module(f"{__name__}.{name}"))


def format_of(head: bytes) -> str | None:
    """The format of a file that begins like this, or None."""
    return next((name for name in FORMATS if reader(name).recognise(head)), None)
