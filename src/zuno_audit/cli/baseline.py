"""`zuno-audit baseline create|update|prune`: writes which findings are known.

The file is replaced in one step, and only after an audit that looked at something; a baseline that cannot be
read is never overwritten unless `create --force` says so.
"""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import Struct

from zuno_audit.api import Report, audit, baseline_for
from zuno_audit.cli import exits
from zuno_audit.cli.outputs import write_file
from zuno_audit.cli.progress import progress_line
from zuno_audit.engine.baseline import DEFAULT_FILE, Baseline, present, pruned, updated
from zuno_audit.errors import ConfigError, ReportError, UsageError
from zuno_audit.report.layout import plural
from zuno_audit.report.safe import visible
from zuno_audit.source.walk import open_repository

CREATE, UPDATE, PRUNE = "create", "update", "prune"


class BaselineOptions(Struct, frozen=True):
    """The options of one run, as given."""

    path: str
    file: Path | None
    quiet: bool
    force: bool = False


def run_baseline(how: str, options: BaselineOptions) -> int:
    """Audit, write the baseline and return the exit code. Raises AuditError; then nothing is written."""
    target = _target(options)
    old = None if how == CREATE else _read(options)
    if how == CREATE and not options.force and (target.exists() or target.is_symlink()):
        raise UsageError(
            f"There is a baseline already: {options.file or DEFAULT_FILE}.",
            hint="Use zuno-audit baseline update, or create --force to begin anew.",
        )
    with progress_line(is_wanted=not options.quiet) as line:
        report = audit(options.path, baseline=old, no_baseline=old is None, progress=line)
    if report.result.nothing_to_audit:
        click.echo("There is nothing to audit (no Go file and no go.mod); no baseline is written.", err=True)
        return exits.INCOMPLETE
    new = _revised(how, old or Baseline(), report)
    if options.file is None:
        _make_folder(target.parent)
    write_file(target, new.text())
    _tell(how, old or Baseline(), new, report, options)
    return exits.OK if report.is_complete else exits.INCOMPLETE


def _target(options: BaselineOptions) -> Path:
    """The file to write. The default one must not lead out of the audited folder."""
    if options.file is not None:
        return options.file
    root = open_repository(Path(options.path)).root
    target = root / DEFAULT_FILE
    if not target.resolve().is_relative_to(root.resolve()):
        raise ConfigError("leads out of the folder", path=DEFAULT_FILE, hint="Name a file with --baseline.")
    return target


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise ReportError(
            f"The folder {folder.name} cannot be made: {error.strerror or error}.",
            hint="Name a file with --baseline.",
        ) from error


def _read(options: BaselineOptions) -> Baseline:
    old = baseline_for(open_repository(Path(options.path)), options.file)
    if old is None:
        raise ConfigError(
            "there is no such baseline", path=DEFAULT_FILE, hint="Make one with zuno-audit baseline create."
        )
    return old


def _revised(how: str, old: Baseline, report: Report) -> Baseline:
    if how == CREATE:
        return present(report.findings)
    return pruned(old, report.findings) if how == PRUNE else updated(old, report.findings)


def _tell(how: str, old: Baseline, new: Baseline, report: Report, options: BaselineOptions) -> None:
    """Say on stderr what has changed."""
    if not options.quiet:
        before = {known.fingerprint for known in old.findings}
        after = {known.fingerprint for known in new.findings}
        changes = "" if how == CREATE else f" ({len(after - before)} added, {len(before - after)} removed)"
        name = visible(str(options.file or DEFAULT_FILE))
        click.echo(f"{name}: {plural(len(new.findings), 'known finding')}{changes}.", err=True)
    if not report.is_complete:
        click.echo("Some items could not be checked: what is known of them stays as it was.", err=True)
