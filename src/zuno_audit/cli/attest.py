"""`zuno-audit attest ITEM`: somebody vouches for what no file and no run can decide."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click
from msgspec import Struct

from zuno_audit.cli import exits
from zuno_audit.config.setup import set_up
from zuno_audit.errors import UsageError
from zuno_audit.evidence.attest import Entry, append
from zuno_audit.source.info import git_info
from zuno_audit.source.walk import open_repository

DAYS = 180  # an attestation lasts half a year, unless somebody says otherwise


class AttestOptions(Struct, frozen=True):
    """The options of one run, as given."""

    item: str
    path: str
    who: str
    statement: str
    expires: str | None
    covers: tuple[str, ...]


def run_attest(options: AttestOptions) -> int:
    """Write the attestation and return the exit code. Raises AuditError."""
    repository = open_repository(Path(options.path))
    setup = set_up(repository, profile=None, config=None, no_config=False, trust=False)
    now = datetime.now(UTC)
    entry = Entry(
        item=options.item,
        who=options.who,
        when=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        statement=options.statement,
        expires=_expires(options.expires, now.date()),
        covers=options.covers,
        commit=git_info(repository).commit if options.covers else None,
    )
    path = append(repository.root, entry, (control.id for control in setup.checklist.controls))
    click.echo(f"{path.name}: item {entry.item} is attested until {entry.expires}.", err=True)
    return exits.OK


def _expires(given: str | None, today: date) -> str:
    if given is None:
        return (today + timedelta(days=DAYS)).isoformat()
    try:
        day = date.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{given!r} is not a day like 2027-01-31.") from None
    if day < today:
        raise UsageError(f"{given} is over already.")
    return day.isoformat()
