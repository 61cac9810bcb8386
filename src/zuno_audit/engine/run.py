"""Runs rules: each distinct (rule, arguments) once, each isolated from the crashes of the others."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.engine.limit import RULE_SECONDS, limited
from zuno_audit.engine.share import can_share, run_shared
from zuno_audit.errors import AuditError
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.catalog import BESIDE, TABLES
from zuno_audit.facts.semgrep.wanted import RUN_SECONDS, NotRun
from zuno_audit.matchers.dispatch import resolve_arguments, run_rule
from zuno_audit.model.control import CheckRef
from zuno_audit.model.finding import Diagnostic, Finding, Level
from zuno_audit.model.location import Location
from zuno_audit.model.redaction import redact
from zuno_audit.model.rule_run import Outcome, RuleRun
from zuno_audit.rules.rule import Rule

Other = TypeVar("Other")
Done = tuple[RuleRun, tuple[Diagnostic, ...]]
MAX_FINDINGS = 2000  # of one run: more says nothing new


class Runs(Struct, frozen=True):
    """The finished runs by reference, and what went wrong on the way."""

    by_ref: Mapping[CheckRef, RuleRun]
    diagnostics: tuple[Diagnostic, ...]


def run_rules(
    refs: Iterable[CheckRef],
    rule_of: Callable[[str], Rule],
    store: FactStore,
    progress: Callable[[int, int, str], None] | None = None,
    jobs: int = 1,
) -> Runs:
    """Runs every reference; references that come to the same arguments share a run. See `run_beside`."""
    return run_beside(lambda: None, refs, rule_of, store, progress, jobs)[0]


def run_beside(
    other: Callable[[], Other],
    refs: Iterable[CheckRef],
    rule_of: Callable[[str], Rule],
    store: FactStore,
    progress: Callable[[int, int, str], None] | None = None,
    jobs: int = 1,
) -> tuple[Runs, Other]:
    """Runs every reference, and some other work on the same repository, whose result must be picklable.

    `progress` is told before each run how many are done, how many there are and which rule is next.
    With more than one of `jobs` a second process helps, where that is safe.

    A rule that crashes yields a FAILED run and a diagnostic. Raises RuleError, before anything runs, for
    arguments that a rule does not have or lacks.
    """
    planned = {ref: (rule_of(ref.rule), resolve_arguments(rule_of(ref.rule), ref)) for ref in refs}
    resolved = {
        ref: CheckRef(rule.id, tuple(sorted(arguments.items()))) for ref, (rule, arguments) in planned.items()
    }
    tasks = {resolved[ref]: task for ref, task in planned.items()}
    told = _Teller(progress, len(tasks))

    def work(group: Sequence[CheckRef] | None) -> Any:
        if group is None:
            return other()
        out: list[Done] = []
        for name in group:
            rule, arguments = tasks[name]
            told.next(rule.id)
            run, trouble = run_isolated(rule, arguments, store)
            out.append((_finish(run, name), trouble))
        return out

    groups: list[list[CheckRef] | None] = [*_groups(tasks)]
    groups.insert(len(groups) // 2, None)  # where the two processes meet, as a rule
    if can_share(jobs) and len(groups) > 2:
        done, seen = run_shared(groups, work, lambda: (store.problems(), store.repository.seen))
        if seen is not None:
            store.adopt(*seen)
    else:
        done = [work(group) for group in groups]
    by_name = {
        name: one
        for group, finished in zip(groups, done, strict=True)
        for name, one in zip(group or (), finished if group else (), strict=True)
    }
    diagnostics = [d for name in tasks for d in by_name[name][1]]
    runs = Runs({ref: by_name[name][0] for ref, name in resolved.items()}, tuple(diagnostics))
    return runs, done[groups.index(None)]


class _Teller:
    """Tells an observer how far the runs are."""

    def __init__(self, progress: Callable[[int, int, str], None] | None, total: int) -> None:
        self.progress, self.total, self.done = progress, total, 0
        self.process = os.getpid()  # a forked process keeps quiet

    def next(self, rule: str) -> None:
        if self.progress is not None and os.getpid() == self.process:
            self.progress(self.done, self.total, rule)
        self.done += 1


def _groups(tasks: Mapping[CheckRef, tuple[Rule, Mapping[str, str]]]) -> list[list[CheckRef]]:
    """The runs by the module that makes their table, or that it stands beside, in the catalog's order.

    Rules in Python that the catalog does not know stand in the middle.
    """
    modules = list(dict.fromkeys(_module(provider) for provider in TABLES.values()))
    order = {module: index for index, module in enumerate(modules)}
    groups: dict[str, list[CheckRef]] = {}
    for name, (rule, _) in tasks.items():
        module = _module(TABLES.get(rule.table, rule.check or rule.table))
        groups.setdefault(BESIDE.get(module, module), []).append(name)

    def place(module: str) -> tuple[int, str]:
        return order.get(module, len(order) // 2), module

    return [groups[module] for module in sorted(groups, key=place)]


def _module(provider: str) -> str:
    return provider.partition(":")[0]


def run_isolated(
    rule: Rule, arguments: Mapping[str, str], store: FactStore, seconds: float = RULE_SECONDS
) -> tuple[RuleRun, tuple[Diagnostic, ...]]:
    """A run of one rule whatever happens inside it: a crash becomes a FAILED run and a diagnostic, and so
    does one that takes longer than `seconds`.

    A rule whose engine was not run is OPEN; a diagnostic says so where that engine was asked for. The run of
    that engine has a limit of its own, which comes on top.
    """
    try:
        with limited(seconds + RUN_SECONDS if rule.kind == "semgrep" else seconds):
            return run_rule(rule, store, arguments), ()
    except NotRun as why:
        told = (Diagnostic(Level.WARNING, "", 1, f"semgrep: {why}"),) if store.semgrep is not None else ()
        return RuleRun(rule.id, (), Outcome.OPEN, 0, str(why)), told
    except AuditError as error:
        message = f"Rule {rule.id} could not run: {error}"
    except Exception as error:
        import logging

        logging.getLogger(__name__).debug("rule %s crashed", rule.id, exc_info=True)
        message = f"Rule {rule.id} crashed ({type(error).__name__}); this is a bug of zuno-audit."
    run = RuleRun(rule.id, (), Outcome.FAILED, 0, redact(message))
    return run, (Diagnostic(Level.ERROR, f"rules/{rule.path}", 1, redact(message)),)


def _finish(run: RuleRun, resolved: CheckRef) -> RuleRun:
    """A run that knows what it was run with, says nothing secret and is bounded."""
    findings = tuple(_redacted(finding) for finding in run.findings[:MAX_FINDINGS])
    return replace(
        run,
        rule=resolved.rule,
        arguments=resolved.arguments,
        reason=redact(run.reason),
        evidence=_redact_notes(run.evidence),
        findings=findings,
    )


def _redacted(finding: Finding) -> Finding:
    return replace(finding, message=redact(finding.message), flow=_redact_notes(finding.flow))


def _redact_notes(places: Iterable[Location]) -> tuple[Location, ...]:
    return tuple(place.noted(redact(place.note)) if place.note else place for place in places)
