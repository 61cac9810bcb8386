"""`zuno-audit check`: one audit, one report on standard output, any number in files."""

from __future__ import annotations

import sys

import click
from msgspec import Struct

from zuno_audit.api import Report, audit
from zuno_audit.cache.store import user_folder
from zuno_audit.cli import exits
from zuno_audit.cli.outputs import Output, write_file, write_stdout
from zuno_audit.cli.progress import progress_line
from zuno_audit.cli.terminal import stdout_color, width
from zuno_audit.config.load import Config
from zuno_audit.engine.share import default_jobs
from zuno_audit.errors import ReportError, UsageError
from zuno_audit.model.finding import Level
from zuno_audit.model.result import AuditResult
from zuno_audit.report.safe import visible

MAX_DIAGNOSTICS = 20
DEFAULT_FAIL_ON = "error"


class CheckOptions(Struct, frozen=True):
    """The options of one run, as given."""

    path: str
    format_: str
    outputs: tuple[Output, ...]
    category: str
    phases: tuple[str, ...]
    strict: bool
    profile: str | None
    config: str | None
    no_config: bool
    trust: bool
    fail_on: str | None
    baseline: str | None
    no_baseline: bool
    checklist_file: str | None
    evidence: str | None
    semgrep: bool | None
    no_cache: bool
    jobs: int | None
    quiet: bool
    verbose: int
    color: str


def run_check(options: CheckOptions) -> int:
    """Audit, report and return the exit code. Raises AuditError."""
    if options.baseline is not None and options.no_baseline:
        raise UsageError("--baseline and --no-baseline exclude each other.", hint="Give one of them.")
    if options.config is not None and options.no_config:
        raise UsageError("--config and --no-config exclude each other.", hint="Give one of them.")
    if options.quiet and options.verbose:
        raise UsageError("--quiet and --verbose exclude each other.", hint="Give one of them.")
    if options.verbose >= 2:
        _log_to_stderr()
    with progress_line(is_wanted=not options.quiet) as line:
        report = audit(
            options.path,
            phases=options.phases or None,
            strict=options.strict,
            profile=options.profile,
            config=options.config,
            no_config=options.no_config,
            trust=options.trust,
            baseline=options.baseline,
            no_baseline=options.no_baseline,
            checklist_file=options.checklist_file,
            evidence=options.evidence,
            semgrep=options.semgrep,
            progress=line,
            jobs=options.jobs or default_jobs(),
            cache=None if options.no_cache else user_folder(),
        )
    configured = report.setup.config if report.setup is not None else Config()
    failures = _write_files(report, options)
    write_stdout(_rendered(report, options.format_, options), is_for_people=options.format_ == "text")
    if not options.quiet:
        _tell(report.result)
        _hint(report)
    if failures:
        raise failures[0]
    return exits.code_of(report.result, options.fail_on or configured.fail_on or DEFAULT_FAIL_ON)


def _write_files(report: Report, options: CheckOptions) -> list[ReportError]:
    """Write every file; one that fails does not keep the others from being written."""
    failures = []
    for output in options.outputs:
        try:
            write_file(output.file, _rendered(report, output.format, options, is_file=True))
        except ReportError as error:
            failures.append(error)
    for failure in failures[1:]:
        click.echo(f"Error: {visible(str(failure))}", err=True)
    return failures


def _rendered(report: Report, name: str, options: CheckOptions, *, is_file: bool = False) -> str:
    if name == "text":
        return report.render(
            name,
            width=width() if not is_file else 100,
            color=not is_file and stdout_color(options.color),
            verbose=options.verbose > 0,
            quiet=options.quiet,
        )
    if name.startswith("sarif"):
        return report.render(name, category=options.category, on_omitted=_tell_omitted)
    return report.render(name)


def _tell_omitted(count: int) -> None:
    click.echo(
        f"warning: {count} results do not fit into the SARIF upload; sarif-full holds them all.", err=True
    )


def _tell(result: AuditResult) -> None:
    """Say on stderr what could not be seen, and that the audit is incomplete."""
    worst_first = sorted(result.diagnostics, key=lambda d: (d.level.rank, d.sort_key))
    told = [d for d in worst_first if d.level is not Level.NOTE][:MAX_DIAGNOSTICS]
    for diagnostic in told:
        place = f"{diagnostic.path}:{diagnostic.line}: " if diagnostic.path else ""
        click.echo(visible(f"{diagnostic.level.value}: {place}{diagnostic.message}"), err=True)
    if len(worst_first) > len(told):
        click.echo(f"{len(worst_first) - len(told)} more diagnostics are in the JSON report.", err=True)
    errors = sum(verdict.has_error for verdict in result.verdicts)
    if result.nothing_to_audit:
        click.echo("The audit is incomplete: there is nothing to audit (no Go file and no go.mod).", err=True)
    elif not result.is_complete:
        what = f"{errors} of the items" if errors else "some boxes of the checklist"
        click.echo(f"The audit is incomplete: {what} could not be checked to the end.", err=True)


def _hint(report: Report) -> None:
    """Say once to a person, as long as the project has no configuration, how to go on."""
    if report.setup is None or report.setup.config.path or not sys.stderr.isatty():
        return
    click.echo(
        f"Profile {report.result.profile}. `zuno-audit init` writes a zuno-audit.yml for this project, "
        "`zuno-audit baseline create` lets only new findings count.",
        err=True,
    )


def _log_to_stderr() -> None:
    import logging

    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s")
