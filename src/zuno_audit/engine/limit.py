"""How long a single rule may take: what exceeds it ends as an error, and the audit goes on.

Facts and matchers bound their own work; this is the net below them. The system's timer can only interrupt the
main thread, and only one timer can run: elsewhere, and on Windows, the net is not there.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from zuno_audit.errors import AuditError

RULE_SECONDS = 30.0  # about a hundred times what the slowest rule takes on the largest repository tried


class RuleTimeout(AuditError):
    """A rule took longer than it may."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raises RuleTimeout in the code below when it takes longer, where that can be done."""
    if not _can_interrupt():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise RuleTimeout(f"it took longer than {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _can_interrupt() -> bool:
    """True in the main thread of a system that has timers, while nobody else uses its timer."""
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) in (signal.SIG_DFL, signal.SIG_IGN)
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0
    )
