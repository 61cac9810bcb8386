"""The commands and their options. `check` is the default: `zuno-audit PATH` is `zuno-audit check PATH`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from zuno_audit.cli.evidence_commands import attest, collect
from zuno_audit.cli.exits import Session
from zuno_audit.cli.help import DefaultGroup, GroupedCommand, GroupedOption
from zuno_audit.cli.outputs import Output, parse_output
from zuno_audit.cli.project_commands import completion, init, schema
from zuno_audit.cli.rule_commands import explain, rules
from zuno_audit.report import FORMATS
from zuno_audit.version import VERSION

LEVELS = ("error", "warning", "note", "never")

CHECK_EXAMPLES = """
zuno-audit                               audit this folder, report to the terminal
zuno-audit ../zuno -v                    with every proof and every finding
zuno-audit --phase 1 --phase 4           only code and security
zuno-audit -o sarif=out.sarif -o html=report.html
zuno-audit -f json --fail-on never > audit.json
zuno-audit baseline create               from now on, only new findings count
zuno-audit tick CHECKLIST.md --write     tick what the audit has verified
zuno-audit inventory -f json ../service  what the analysis knows of a repository
"""


def _output(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[Output, ...]:
    outputs = tuple(parse_output(value, param) for value in values)
    files = [output.file for output in outputs]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice is not None:
        raise click.BadParameter(f"{str(twice)!r} is given twice.", param=param)
    return outputs


@click.group(cls=DefaultGroup, default="check", examples=CHECK_EXAMPLES)
@click.version_option(VERSION, "--version", prog_name="zuno-audit", message="%(prog)s %(version)s")
def app() -> None:
    """Checks a Go monorepo against a production checklist and proves every verdict with file and line."""


JOBS_HELP = "Upper limit of processes: 1, or 2 where a second one helps [default: 2]."
REPORTS: dict[str, Any] = {"cls": GroupedOption, "group": "Reports"}
SCOPE: dict[str, Any] = {"cls": GroupedOption, "group": "What is audited"}
RUNNING: dict[str, Any] = {"cls": GroupedOption, "group": "Running"}
TERMINAL: dict[str, Any] = {"cls": GroupedOption, "group": "Terminal"}


@app.command(cls=GroupedCommand, examples=CHECK_EXAMPLES)
@click.argument("path", default=".", type=click.Path())
@click.option(
    *("-f", "--format", "format_"),
    type=click.Choice(list(FORMATS)),
    default="text",
    show_default=True,
    help="Report on standard output.",
    **REPORTS,
)
@click.option(
    *("-o", "--output", "outputs"),
    multiple=True,
    metavar="FORMAT=FILE",
    callback=_output,
    help="Write one more report to a file; may be repeated.",
    **REPORTS,
)
@click.option(
    "--category", default="zuno-audit", show_default=True, help="Category of the SARIF upload.", **REPORTS
)
@click.option(
    *("--phase", "phases"),
    multiple=True,
    metavar="1..9|S|G",
    help="Audit only this phase; may be repeated.",
    **SCOPE,
)
@click.option(
    "--profile",
    metavar="NAME",
    help="Which checklist: zuno, go-grpc or your own [default: what zuno-audit.yml says, else zuno].",
    **SCOPE,
)
@click.option(
    "--config",
    type=click.Path(),
    metavar="FILE",
    help="Configuration [default: zuno-audit.yml at the root of PATH if it is there].",
    **SCOPE,
)
@click.option("--no-config", is_flag=True, help="Read no configuration.", **SCOPE)
@click.option(
    "--trust",
    is_flag=True,
    help="Allow what PATH's configuration asks for: its own rule folders, semgrep.",
    **SCOPE,
)
@click.option(
    "--strict", is_flag=True, help="Fail items that hold by meaning but not by the letter.", **SCOPE
)
@click.option(
    "--fail-on",
    type=click.Choice(LEVELS),
    help="Exit with 1 for findings of this level or worse: new ones, where there is a baseline "
    "[default: what zuno-audit.yml says, else error].",
    **SCOPE,
)
@click.option(
    *("--baseline", "baseline"),
    type=click.Path(),
    metavar="FILE",
    help="Known findings, which do not count [default: .zuno-audit/baseline.json if it is there].",
    **SCOPE,
)
@click.option("--no-baseline", is_flag=True, help="Compare with no baseline.", **SCOPE)
@click.option(
    *("--checklist", "checklist_file"),
    type=click.Path(),
    metavar="FILE",
    help="The team's own Markdown checklist [default: the one in PATH, if there is one].",
    **SCOPE,
)
@click.option(
    "--evidence",
    type=click.Path(),
    metavar="DIR",
    help="Outputs of runs [default: .zuno-audit/evidence of PATH, if it is there].",
    **SCOPE,
)
@click.option(
    "--semgrep/--no-semgrep",
    default=None,
    help="Run the rules that need semgrep, too [default: what zuno-audit.yml says, else not].",
    **RUNNING,
)
@click.option("--no-cache", is_flag=True, help="Read and write no cache: every rule runs.", **RUNNING)
@click.option(*("-j", "--jobs"), type=click.IntRange(min=1), metavar="N", help=JOBS_HELP, **RUNNING)
@click.option("-q", "--quiet", is_flag=True, help="Only what fails; no diagnostics.", **TERMINAL)
@click.option(
    "-v", "--verbose", count=True, help="Every proof and finding; -vv also debugging messages.", **TERMINAL
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; NO_COLOR and FORCE_COLOR are respected.",
    **TERMINAL,
)
@click.pass_obj
def check(session: Session, /, **options: Any) -> int:
    """Audit PATH (default: this folder) against the checklist.

    Exit status: 0 nothing to report, 1 findings, 2 wrong usage, 3 audit incomplete.
    """
    session.verbosity = options["verbose"]
    from zuno_audit.cli.check import CheckOptions, run_check

    return run_check(CheckOptions(**options))


@app.command(cls=GroupedCommand)
@click.argument("path", default=".", type=click.Path())
@click.option(
    *("-f", "--format", "format_"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format on standard output.",
)
@click.option("--all", "include_all", is_flag=True, help="Take in test, generated and vendored code.")
@click.option(*("-j", "--jobs"), type=click.IntRange(min=1), metavar="N", help=JOBS_HELP)
@click.option("-v", "--verbose", count=True, help="-vv shows debugging messages.")
@click.pass_obj
def inventory(
    session: Session, path: str, format_: str, include_all: bool, jobs: int | None, verbose: int
) -> int:
    """List what the analysis knows of PATH: servers, clients, decoders, variables, metrics."""
    session.verbosity = verbose
    from zuno_audit.cli.inventory import run_inventory

    return run_inventory(path, format_, include_all=include_all, jobs=jobs)


@app.command(cls=GroupedCommand)
@click.argument("file", type=click.Path())
@click.argument("path", required=False, type=click.Path())
@click.option("--write", is_flag=True, help="Change FILE; without it a diff is shown.")
@click.option("--untick", is_flag=True, help="Clear ticked boxes that fail, too.")
@click.option("-q", "--quiet", is_flag=True, help="Say nothing beside the diff.")
@click.option("-v", "--verbose", count=True, help="-vv shows debugging messages.")
@click.pass_obj
def tick(session: Session, /, verbose: int, **options: Any) -> int:
    """Tick the boxes of the checklist FILE that the audit of PATH has verified.

    PATH is by default the work tree that FILE lies in, else this folder. Only the byte between the brackets
    of a box ever changes. Exit status: 0 done, 1 boxes stay that are ticked and fail, 2 wrong usage, 3 audit
    incomplete (nothing is written).
    """
    session.verbosity = verbose
    from zuno_audit.cli.tick import TickOptions, run_tick

    return run_tick(TickOptions(**options))


@app.group()
def baseline() -> None:
    """Keep a list of known findings, so that only new ones fail a build."""


_BASELINE_FILE = click.option(
    *("--baseline", "file"),
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The file [default: .zuno-audit/baseline.json in PATH].",
)
_QUIET = click.option("-q", "--quiet", is_flag=True, help="Say nothing when it went well.")
_PATH = click.argument("path", default=".", type=click.Path())


@baseline.command()
@_PATH
@_BASELINE_FILE
@_QUIET
@click.option("--force", is_flag=True, help="Replace a baseline that is there.")
def create(path: str, file: Path | None, quiet: bool, force: bool) -> int:
    """Write every finding of PATH into a new baseline."""
    from zuno_audit.cli.baseline import CREATE, BaselineOptions, run_baseline

    return run_baseline(CREATE, BaselineOptions(path, file, quiet, force))


@baseline.command()
@_PATH
@_BASELINE_FILE
@_QUIET
def update(path: str, file: Path | None, quiet: bool) -> int:
    """Add what is new in PATH to the baseline and take out what is gone."""
    from zuno_audit.cli.baseline import UPDATE, BaselineOptions, run_baseline

    return run_baseline(UPDATE, BaselineOptions(path, file, quiet))


@baseline.command()
@_PATH
@_BASELINE_FILE
@_QUIET
def prune(path: str, file: Path | None, quiet: bool) -> int:
    """Take out of the baseline what is gone from PATH; add nothing."""
    from zuno_audit.cli.baseline import PRUNE, BaselineOptions, run_baseline

    return run_baseline(PRUNE, BaselineOptions(path, file, quiet))


app.add_command(init)
app.add_command(schema)
app.add_command(completion)
app.add_command(rules)
app.add_command(collect)
app.add_command(attest)
app.add_command(explain)
