"""The commands about evidence and their options: `collect` and `attest`."""

from __future__ import annotations

from typing import Any

import click

from zuno_audit.cli.exits import Session
from zuno_audit.cli.help import GroupedCommand

_PHASES = ("1", "2", "3", "4", "5", "6", "7", "8", "9", "S", "G")
TIMEOUT = 900.0  # seconds for one command; a cold `go test -race` of a large monorepo takes minutes

COLLECT_EXAMPLES = """
zuno-audit collect --dry-run             what would be run, and what is missing here
zuno-audit collect --phase 2 --phase 3   asks before each command
zuno-audit collect --phase 4 --yes --timeout 1800
"""
ATTEST_EXAMPLES = """
zuno-audit attest S.1.1 --who "Jane Doe" --statement "All services are reviewed." --covers "services/**"
"""


@click.command(cls=GroupedCommand, examples=COLLECT_EXAMPLES)
@click.argument("path", default=".", type=click.Path())
@click.option(
    "--phase",
    "phases",
    multiple=True,
    type=click.Choice(_PHASES, case_sensitive=False),
    metavar="1..9|S|G",
    help="Only the commands of this phase; may be repeated.",
)
@click.option(
    "--evidence",
    type=click.Path(),
    metavar="DIR",
    help="Where outputs go [default: .zuno-audit/evidence of PATH].",
)
@click.option("-y", "--yes", is_flag=True, help="Run every command without asking.")
@click.option("--dry-run", is_flag=True, help="Only list the commands.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    default=TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="Upper limit for one command.",
)
@click.option(
    "--environment",
    default="",
    metavar="NAME",
    help="What the services run in: staging, production...",
)
@click.option("-v", "--verbose", count=True, help="-vv shows debugging messages.")
@click.pass_obj
def collect(session: Session, /, verbose: int, **options: Any) -> int:
    """Run the commands of the checklist that this machine can run, and keep their outputs as evidence.

    Each command is shown before it runs. `go test` and `go build` run code of PATH. Exit status: 0 done
    (whatever the commands said), 2 wrong usage.
    """
    session.verbosity = verbose
    from zuno_audit.cli.collect import CollectOptions, run_collect

    return run_collect(CollectOptions(**options))


@click.command(cls=GroupedCommand, examples=ATTEST_EXAMPLES)
@click.argument("item")
@click.argument("path", default=".", type=click.Path())
@click.option("--who", required=True, metavar="NAME", help="Who vouches for it.")
@click.option("--statement", required=True, metavar="TEXT", help="What was looked at, and what came of it.")
@click.option(
    "--expires", metavar="YYYY-MM-DD", help="The last day on which it counts [default: in 180 days]."
)
@click.option(
    "--covers",
    multiple=True,
    metavar="GLOB",
    help="Void it when a file like this changes; may be repeated.",
)
@click.option("-v", "--verbose", count=True, help="-vv shows debugging messages.")
@click.pass_obj
def attest(session: Session, /, verbose: int, **options: Any) -> int:
    """Write down in .zuno-audit/attestations.yml of PATH that somebody vouches for ITEM.

    It lifts an item that waits for a person or for a run; never one that fails or could not be checked.
    """
    session.verbosity = verbose
    from zuno_audit.cli.attest import AttestOptions, run_attest

    return run_attest(AttestOptions(**options))
