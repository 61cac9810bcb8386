"""A rule that takes too long ends as an error; the others go on."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
import trees

from zuno_audit.engine.limit import RuleTimeout, limited
from zuno_audit.engine.run import run_isolated
from zuno_audit.facts.base import FactStore
from zuno_audit.model.finding import Level
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.rule import Rule

pytestmark = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")


def rule(check: str) -> Rule:
    info = RuleInfo("slow-rule", "Slow", Level.ERROR, "high", "why", "fix")
    return Rule(info, "python", "python", check=f"{__name__}:{check}", path="own/slow-rule.yaml")


def sleeps(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    time.sleep(30)
    raise AssertionError("not interrupted")


def searches(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    re.search("(a+)+$", "a" * 60 + "b")
    raise AssertionError("not interrupted")


def answers(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    return RuleRun("slow-rule", (), Outcome.RAN, 1, "It is so.")


@pytest.mark.parametrize("check", ["sleeps", "searches"])
def test_what_takes_too_long_fails_and_says_so(tmp_path: Path, check: str) -> None:
    store = trees.store_of(tmp_path, {"a.txt": "x"})
    start = time.perf_counter()
    run, diagnostics = run_isolated(rule(check), {}, store, seconds=0.2)
    assert time.perf_counter() - start < 10
    assert run.outcome is Outcome.FAILED
    assert "took longer than 0.2 seconds" in run.reason
    assert [d.level for d in diagnostics] == [Level.ERROR]
    assert run_isolated(rule("answers"), {}, store, seconds=5)[0].outcome is Outcome.RAN


def test_the_timer_of_somebody_else_is_left_alone() -> None:
    def theirs(number: int, frame: object) -> None:
        raise KeyError

    before = signal.signal(signal.SIGALRM, theirs)
    try:
        with limited(0.01):
            time.sleep(0.05)
        assert signal.getsignal(signal.SIGALRM) is theirs
    finally:
        signal.signal(signal.SIGALRM, before)


def test_afterwards_everything_is_as_it_was() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(RuleTimeout), limited(0.01):
        time.sleep(5)
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_other_threads_run_without_the_net() -> None:
    done: list[bool] = []

    def work() -> None:
        with limited(0.01):
            time.sleep(0.05)
        done.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [True]
