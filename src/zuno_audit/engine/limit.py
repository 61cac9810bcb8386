"""How long a single rule may take: what exceeds it ends as an error, and the audit goes on.

Facts and matchers bound their own work; this is the net below them. What counts is computing, so that a busy
machine changes no verdict; a rule that only waits is given a multiple of that. The system's timers can only
interrupt the main thread, and there is one of each: elsewhere, and on Windows, the net is not there.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from zuno_audit.errors import AuditError

RULE_SECONDS = 60.0  # of computing; four times what the slowest rule takes on the largest repository tried
WAITING = 4  # times as long by the clock


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

    timers = _timers()
    before = {number: signal.signal(number, stop) for _, number, _ in timers}
    for timer, _, factor in timers:
        signal.setitimer(timer, seconds * factor)
    try:
        yield
    finally:
        for timer, number, _ in timers:
            signal.setitimer(timer, 0)
            signal.signal(number, before[number])


def _timers() -> tuple[tuple[int, int, int], ...]:
    """The timers, the signals that they send, and how many times the limit each is set to."""
    return (signal.ITIMER_PROF, signal.SIGPROF, 1), (signal.ITIMER_REAL, signal.SIGALRM, WAITING)


def _can_interrupt() -> bool:
    """True in the main thread of a system that has timers, while nobody else uses them."""
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and all(signal.getsignal(n) in (signal.SIG_DFL, signal.SIG_IGN) for _, n, _ in _timers())
        and all(signal.getitimer(timer)[0] == 0 for timer, _, _ in _timers())
    )
