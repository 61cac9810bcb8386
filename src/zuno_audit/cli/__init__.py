"""The command line: reads options, runs the library, writes reports, maps errors to exit codes.

The only package that prints or exits. Heavy imports happen inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own arguments) and return the exit code."""
    from zuno_audit.cli.exits import guarded

    return guarded(arguments)


def run() -> NoReturn:
    """The whole life of the process `zuno-audit`: `main`, then the end.

    It leaves without the interpreter's own end, which would free syntax trees and facts object by object; on
    a small repository that takes a twentieth of the run.
    """
    code = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
