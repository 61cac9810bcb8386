"""`zuno-audit collect`: shows each command, asks, runs it, and keeps its output as evidence."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from msgspec import Struct

from zuno_audit.cli import exits
from zuno_audit.errors import UsageError
from zuno_audit.evidence.collect import Planned, collect, plan
from zuno_audit.evidence.freshness import Freshness
from zuno_audit.evidence.gather import shown_folder
from zuno_audit.evidence.places import DEFAULT_FOLDER, OUTSIDE
from zuno_audit.report.safe import visible
from zuno_audit.source.info import git_info
from zuno_audit.source.repository import Repository
from zuno_audit.source.walk import open_repository


class CollectOptions(Struct, frozen=True):
    """The options of one run, as given."""

    path: str
    phases: tuple[str, ...]
    evidence: str | None
    yes: bool
    dry_run: bool
    timeout: float
    environment: str


def run_collect(options: CollectOptions) -> int:
    """Run what was agreed to and return the exit code. Raises AuditError."""
    repository = open_repository(Path(options.path))
    planned = plan(repository.root, options.phases or None)
    if options.dry_run:
        for one in planned:
            click.echo(visible(_shown(one)))
        return exits.OK
    if not options.yes and not sys.stdin.isatty():
        raise UsageError(
            "Nothing was run: there is nobody to ask.", hint="Look at --dry-run, then run again with --yes."
        )
    folder = Path(options.evidence) if options.evidence else repository.root / DEFAULT_FOLDER
    commit = git_info(repository).commit
    changed = _freshness(repository, folder, commit).changed_since(commit) if commit else ()
    failed = 0
    for one in planned:
        click.echo(visible(_shown(one)))
        if one.obstacle or not (options.yes or click.confirm("Run it?", default=False)):
            continue
        done = collect(
            one,
            root=repository.root,
            folder=folder,
            commit=commit,
            is_dirty=bool(changed),
            seconds=options.timeout,
            environment=options.environment,
        )
        failed += done.is_kept and done.exit_status != 0
        complaint = f": {done.complaint}" if done.exit_status and done.complaint else ""
        word = "exit status" if done.is_kept else "could not do its work here, nothing is kept; exit status"
        click.echo(visible(f"    {word} {done.exit_status}{complaint}"))
    if failed:
        click.echo(f"{failed} commands did not end with 0; their output is kept as evidence.", err=True)
    return exits.OK


def _freshness(repository: Repository, folder: Path, commit: str | None) -> Freshness:
    shown = shown_folder(folder, repository.root)
    return Freshness(repository, time.time(), commit, "" if shown == OUTSIDE else shown)


def _shown(one: Planned) -> str:
    return f"{one.obstacle} ({one.command.line()})" if one.obstacle else f"$ {one.command.line()}"
