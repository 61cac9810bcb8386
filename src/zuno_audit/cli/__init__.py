"""The command line: reads options, runs the library, writes reports, maps errors to exit codes.

The only package that prints or exits. Heavy imports happen inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own arguments) and return the exit code."""
    from zuno_audit.cli.exits import guarded

    return guarded(arguments)
