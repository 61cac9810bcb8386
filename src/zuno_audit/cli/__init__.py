"""The command line: reads options, runs the library, writes reports, maps errors to exit codes.

The only package that prints or exits. Heavy imports happen inside the commands, so that `--help` is instant.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NoReturn


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own arguments) and return the exit code."""
    from zuno_audit.cli.exits import guarded

    return guarded(arguments)


def _with_room(function: Callable[[], int]) -> Callable[[], int]:
    """The function in a frame so large that the frames of what it calls fit behind it.

    CPython keeps frames in chunks of 16 KiB, and gives a chunk back as soon as it is empty: a loop of calls at
    the end of one maps and unmaps memory every time (Python/pystate.c, push_chunk). A chunk for a frame of half
    a megabyte has a whole megabyte; a twentieth of a run is saved. Other interpreters do not mind.
    """

    def call() -> int:
        return function()

    call.__code__ = call.__code__.replace(co_stacksize=1 << 16)
    return call


def run() -> NoReturn:
    """The whole life of the process `zuno-audit`: `main`, then the end.

    It leaves without the interpreter's own end, which would free syntax trees and facts object by object; on
    a small repository that takes a twentieth of the run.
    """
    code = _with_room(main)()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
