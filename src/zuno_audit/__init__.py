"""Checks a Go monorepo line by line against a production deployment checklist and proves every verdict.

    from zuno_audit import audit
    report = audit("path/to/repository", phases=["1"])
    print(report.summary())

Importing this package loads nothing but the names below; the work is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zuno_audit.api import Report, audit, inventory
    from zuno_audit.errors import AuditError, ConfigError, ReportError, RuleError, SourceError, UsageError
    from zuno_audit.model.finding import Finding, Level
    from zuno_audit.model.location import Location, Span
    from zuno_audit.model.result import AuditResult
    from zuno_audit.model.verdict import Check, Status, Verdict
    from zuno_audit.version import VERSION as __version__

__all__ = [
    "AuditError",
    "AuditResult",
    "Check",
    "ConfigError",
    "Finding",
    "Level",
    "Location",
    "Report",
    "ReportError",
    "RuleError",
    "SourceError",
    "Span",
    "Status",
    "UsageError",
    "Verdict",
    "__version__",
    "audit",
    "inventory",
]

_HOMES = {
    "api": ("Report", "audit", "inventory"),
    "errors": ("AuditError", "ConfigError", "ReportError", "RuleError", "SourceError", "UsageError"),
    "model.finding": ("Finding", "Level"),
    "model.location": ("Location", "Span"),
    "model.result": ("AuditResult",),
    "model.verdict": ("Check", "Status", "Verdict"),
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "__version__":
        return import_module("zuno_audit.version").VERSION
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
