"""The one place that says which exit code something means.

0    nothing at or above the threshold
1    findings at or above it
2    wrong usage or configuration, a report that cannot be written
3    the audit is incomplete (beats 1)
70   a bug of zuno-audit
130  interrupted
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence

import click
from msgspec import Struct

from zuno_audit.errors import AuditError
from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.result import AuditResult

OK = 0
FINDINGS = 1
USAGE = 2
INCOMPLETE = 3
BUG = 70
INTERRUPTED = 130

NEVER = "never"
GC_THRESHOLD = 1_000_000  # objects; most stay until the end, so that collecting them often finds nothing


class Session(Struct):
    """What a failing run needs to know of its own options."""

    verbosity: int = 0


def guarded(arguments: Sequence[str] | None) -> int:
    """Run the commands; whatever is raised becomes a message on stderr and an exit code."""
    from zuno_audit.cli.app import app

    session = Session()
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    try:
        code = app.main(
            args=None if arguments is None else list(arguments),
            prog_name="zuno-audit",
            standalone_mode=False,
            obj=session,
        )
        return code if isinstance(code, int) else OK
    except click.ClickException as error:
        error.show(file=sys.stderr)
        return USAGE
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except AuditError as error:
        click.echo(_explained(error), err=True)
        return USAGE
    except Exception as bug:  # noqa: BLE001 - the last line of defence: no traceback reaches a user unasked
        click.echo(_bug_message(bug, session), err=True)
        return BUG


def code_of(result: AuditResult, fail_on: str) -> int:
    """The exit code of a finished audit. `fail_on` is a level or `never`."""
    if not result.is_complete:
        return INCOMPLETE
    if fail_on == NEVER:
        return OK
    threshold = Level(fail_on).rank
    return FINDINGS if any(_counts(f) and f.level.rank <= threshold for f in result.findings) else OK


def _counts(finding: Finding) -> bool:
    return finding.suppression is None and finding.baseline in (None, "new")


def _explained(error: AuditError) -> str:
    from zuno_audit.report.safe import visible

    message = f"Error: {visible(str(error))}"
    return f"{message}\n{visible(error.hint)}" if error.hint else message


def _bug_message(bug: Exception, session: Session) -> str:
    if session.verbosity >= 2:
        import traceback

        return "".join(traceback.format_exception(bug)).rstrip()
    return (
        f"Error: zuno-audit ended unexpectedly ({type(bug).__name__}). This is a bug.\n"
        "Run again with -vv for details, and report it at https://github.com/zuno-audit/zuno-audit/issues."
    )
