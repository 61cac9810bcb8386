"""A progress line on stderr, for people who wait: only on a terminal, only after half a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from zuno_audit.report.safe import visible

PATIENCE = 0.5  # seconds before anything is shown
INTERVAL = 0.1  # seconds between two drawings
BAR = 24


class ProgressLine:
    """An observer of the audit: called with done, total and what is next."""

    def __init__(self) -> None:
        self._next = time.monotonic() + PATIENCE
        self._is_drawn = False

    def __call__(self, done: int, total: int, label: str) -> None:
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + INTERVAL
        self._is_drawn = True
        filled = BAR * done // max(total, 1)
        sys.stderr.write(
            f"\r[{'#' * filled}{'.' * (BAR - filled)}] {done}/{total} {visible(label)[:40]}\x1b[K"
        )
        sys.stderr.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_drawn:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


@contextmanager
def progress_line(*, is_wanted: bool) -> Iterator[ProgressLine | None]:
    """A progress line for the time of the block, or None where nobody would see it."""
    if not is_wanted or not sys.stderr.isatty():
        yield None
        return
    line = ProgressLine()
    try:
        yield line
    finally:
        line.clear()
