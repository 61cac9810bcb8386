"""`zuno-audit init`, `schema` and `completion`: what a project and its editors and shells need once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from zuno_audit.cli import exits
from zuno_audit.cli.outputs import write_file, write_stdout
from zuno_audit.errors import UsageError
from zuno_audit.report.safe import visible

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

VARIABLE = "_ZUNO_AUDIT_COMPLETE"


def run_init(path: str, profile: str | None, *, force: bool, is_shown: bool) -> int:
    """Write the configuration of a project and say what to do next.

    Raises UsageError where one is already there, SourceError for an unreadable folder.
    """
    from zuno_audit.config.draft import draft
    from zuno_audit.config.load import NAMES
    from zuno_audit.source.walk import open_repository

    repository = open_repository(Path(path))
    present = [name for name in NAMES if (repository.root / name).exists()]
    if present and not force and not is_shown:
        raise UsageError(f"{present[0]} is already there.", hint="--force replaces it, --stdout only prints.")
    text = draft(repository, profile, _team_checklist(repository))
    if is_shown:
        write_stdout(text, is_for_people=False)
        return exits.OK
    target = repository.root / (present[0] if present else NAMES[0])
    write_file(target, text)
    lines = (
        f"Wrote {target.relative_to(repository.root)}.",
        "Next: zuno-audit                    look at the report",
        "      zuno-audit baseline create    accept what is known, so that only new findings fail a build",
    )
    write_stdout("\n".join([*map(visible, lines), ""]), is_for_people=True)
    return exits.OK


def _team_checklist(repository: Repository) -> str:
    """The path of the team's own checklist, or nothing."""
    from zuno_audit.config.setup import built_in_checklist, built_in_rules
    from zuno_audit.team_checklist import Source, found_checklist

    team, _ = found_checklist(repository, Source(built_in_checklist(), built_in_rules()))
    return "" if team is None else team.tasks.path


def run_schema(kind: str) -> int:
    """Print a JSON Schema."""
    write_stdout(schema_text(kind), is_for_people=False)
    return exits.OK


def schema_text(kind: str) -> str:
    """The JSON Schema of `config`, `rule` or `profile`, as it lies in `docs/reference`."""
    from zuno_audit.config.spec import config_schema
    from zuno_audit.rules.profile_spec import profile_schema
    from zuno_audit.rules.spec import rule_schema

    schema = {"config": config_schema, "rule": rule_schema, "profile": profile_schema}[kind]()
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def run_completion(shell: str) -> int:
    """Print the script that completes the command line in a shell."""
    from click.shell_completion import ShellComplete, get_completion_class

    from zuno_audit.cli.app import app

    kind = get_completion_class(shell)
    if kind is None:
        raise UsageError(f"There is no completion for {shell}.")
    script = ShellComplete.source(kind(app, {}, "zuno-audit", VARIABLE))  # bash's own would start a bash
    click.echo(script)
    return exits.OK
