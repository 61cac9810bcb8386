"""`zuno-audit tick FILE`: the verified marks written back into the team's checklist, one byte each."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import Struct

from zuno_audit.api import Report, audit
from zuno_audit.checklist.tick import OPEN, TICKED, Change, apply, diff, plan
from zuno_audit.cli import exits
from zuno_audit.cli.outputs import write_bytes, write_stdout
from zuno_audit.cli.progress import progress_line
from zuno_audit.errors import SourceError
from zuno_audit.model.redaction import redact_source
from zuno_audit.model.verdict import Status
from zuno_audit.report.layout import plural
from zuno_audit.report.safe import visible


class TickOptions(Struct, frozen=True):
    """The options of one run, as given. `path` is the tree to audit, or None for the one FILE lies in."""

    file: str
    path: str | None
    write: bool
    untick: bool
    quiet: bool


def run_tick(options: TickOptions) -> int:
    """Audit, show or write the marks, and return the exit code.

    Nothing is written when the audit is incomplete, or when the file changed meanwhile. Raises AuditError.
    """
    file = Path(options.file)
    with progress_line(is_wanted=not options.quiet) as line:
        root = options.path or work_tree_of(file)
        report = audit(root, checklist_file=options.file, no_baseline=True, progress=line)
    if not report.is_complete:
        _tell_incomplete(report)
        return exits.INCOMPLETE
    checklist = report.result.checklist_file
    assert checklist is not None  # a file that cannot serve as one has been refused
    changes = plan(checklist, untick=options.untick)
    data = _unchanged(file, report)
    if options.write and changes:
        write_bytes(file, apply(data, changes))
    elif changes:
        shown = [visible(redact_source(text)) for text in diff(checklist.path, data, changes).split("\n")]
        write_stdout("\n".join(shown), is_for_people=True)
    return _tell(report, changes, options)


def work_tree_of(file: Path) -> str:
    """The top of the work tree that a file lies in, or the current folder."""
    for folder in file.absolute().parents:
        if (folder / ".git").exists():
            return str(folder)
    return "."


def _unchanged(file: Path, report: Report) -> bytes:
    """The bytes that were audited. Raises SourceError when the file is no longer what it was."""
    checklist = report.result.checklist_file
    assert checklist is not None
    try:
        data = file.read_bytes()
    except OSError as error:
        raise SourceError(f"{str(file)!r} cannot be read: {error.strerror}.") from None
    if data != checklist.data:
        raise SourceError(f"{str(file)!r} changed while it was audited; nothing is written.")
    return data


def _tell_incomplete(report: Report) -> None:
    if report.result.nothing_to_audit:
        why = "there is nothing to audit (no Go file and no go.mod)"
    else:
        errors = sum(verdict.has_error for verdict in report.verdicts)
        what = plural(errors, "item") if errors else "some boxes"
        why = f"{what} could not be checked to the end"
    click.echo(f"The audit is incomplete: {why}. No box is changed.", err=True)


def _tell(report: Report, changes: tuple[Change, ...], options: TickOptions) -> int:
    """Say what was or would be done, and what stays wrong; the exit code."""
    checklist = report.result.checklist_file
    assert checklist is not None
    cleared = sum(change.mark == OPEN for change in changes)
    ticked = sum(change.mark == TICKED for change in changes)
    false = sum(b.status is Status.FAIL and b.box.is_ticked and not b.box.is_struck for b in checklist.boxes)
    left = false if not (options.untick and options.write) else 0
    if not options.quiet:
        name = visible(options.file)
        done = f"{ticked} to tick"
        if options.untick:
            done += f", {cleared} to clear"
        tail = ": written." if options.write and changes else ". Nothing is written without --write."
        click.echo(f"{name}: {done}{tail if changes else '.'}", err=True)
        if left:
            hint = "" if options.untick else " (--untick clears them)"
            click.echo(f"{name}: {left} ticked and failing{hint}.", err=True)
    return exits.FINDINGS if left else exits.OK
