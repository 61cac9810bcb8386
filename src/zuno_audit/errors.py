"""Everything zuno-audit raises on purpose.

    AuditError                 base of all, never raised itself
      UsageError               the caller asked for something that does not exist (exit 2)
      ConfigError              a file that steers the audit is wrong (exit 2)
        RuleError              a rule, query or checklist file is wrong: path, line, what, cure
      SourceError              the tree to audit cannot be read at all (exit 2)
      ReportError              a report cannot be written (exit 2)
      EngineError              a second engine failed; the rules that need it could not run

Errors hold facts; `cli` alone turns them into exit codes and hints.
"""

from __future__ import annotations


class AuditError(Exception):
    """Base class. `str(error)` is one sentence for a person; `hint` says what to do, or is empty."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(AuditError):
    """The request itself is wrong: an unknown phase, format or item."""


class ConfigError(AuditError):
    """A file that steers the audit is wrong. `path` and `line` (1-based, 0 if unknown) say where."""

    def __init__(self, message: str, *, path: str = "", line: int = 0, hint: str = "") -> None:
        where = f"{path}:{line}: " if path and line else f"{path}: " if path else ""
        super().__init__(where + message, hint=hint)
        self.path = path
        self.line = line


class RuleError(ConfigError):
    """A rule, query or checklist file is malformed."""


class SourceError(AuditError):
    """The tree to audit is missing or unreadable."""


class ReportError(AuditError):
    """A report could not be written."""


class EngineError(AuditError):
    """A second engine could not do its work."""
