"""Shares work between two processes where that is safe: Linux, and no other thread that a fork would cut off.

Groups of work stand in a row; this process takes from the front, the forked one from the back, so that
neighbours, which need the same facts, mostly end up together. A pipe holds one token per group: whoever reads
a token may take the next group of its side, so none is taken twice and nobody waits for a plan.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

Group = TypeVar("Group")
Result = TypeVar("Result")
Rest = TypeVar("Rest")

MAX_GROUPS = (
    4096  # tokens must fit a pipe's buffer (at least 4 KiB everywhere, POSIX says 512 bytes are atomic)
)


MAX_JOBS = 2  # more processes would compute the same facts again


def default_jobs() -> int:
    """How many processes are worth starting on this machine."""
    return min(os.cpu_count() or 1, MAX_JOBS)


def can_share(jobs: int) -> bool:
    """True when a second process may be forked here."""
    return jobs > 1 and sys.platform == "linux" and threading.active_count() == 1


def run_shared(
    groups: Sequence[Group], work: Callable[[Group], Result], rest: Callable[[], Rest]
) -> tuple[list[Result], Rest | None]:
    """The results of `work` for each group, in order, and what `rest` says in the other process at its end.

    Results must be picklable. What the other process fails to deliver is done again in this one.
    """
    tokens = _tokens(min(len(groups), MAX_GROUPS))
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_the_other(groups, work, rest, tokens, writing)
    os.close(writing)
    done: dict[int, Result] = {}
    reaped = False
    try:
        while os.read(tokens, 1):
            done[len(done)] = work(groups[len(done)])
        received = _read_all(reading)
        _, status = os.waitpid(child, 0)
        reaped = True
    finally:
        os.close(tokens)
        os.close(reading)
        if not reaped:  # interrupted: the other process must not outlive this one
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    said: Rest | None = None
    if status == 0:
        others, said = _unpack(received)
        done |= others
    return [done[i] if i in done else work(group) for i, group in enumerate(groups)], said


def _tokens(count: int) -> int:
    reading, writing = os.pipe()
    os.write(writing, b"." * count)
    os.close(writing)
    return reading


def _be_the_other(
    groups: Sequence[Any], work: Callable[[Any], Any], rest: Callable[[], Any], tokens: int, writing: int
) -> None:
    """The forked process: it takes groups from the back, writes what came out, and ends without any clean-up."""
    import pickle

    status = 1
    try:
        done: dict[int, Any] = {}
        while os.read(tokens, 1):
            index = len(groups) - 1 - len(done)
            done[index] = work(groups[index])
        data = memoryview(pickle.dumps((done, rest())))
        while data:
            data = data[os.write(writing, data) :]
        status = 0
    finally:
        os._exit(status)


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, 1 << 16):
        parts.append(part)
    return b"".join(parts)


def _unpack(received: bytes) -> tuple[dict[int, Any], Any]:
    """What our own forked process wrote; never data from elsewhere."""
    import pickle

    done, said = pickle.loads(received)
    return done, said
