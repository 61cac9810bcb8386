"""The commands `init`, `schema` and `completion`; what they do is in `project.py`, loaded when needed."""

from __future__ import annotations

import click


@click.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--profile", metavar="NAME", help="Which checklist [default: what PATH looks like].")
@click.option("--force", is_flag=True, help="Replace a configuration that is there.")
@click.option("--stdout", "is_shown", is_flag=True, help="Print the configuration, write nothing.")
def init(path: str, profile: str | None, force: bool, is_shown: bool) -> int:
    """Write zuno-audit.yml for PATH, with what was found there in comments."""
    from zuno_audit.cli.project import run_init

    return run_init(path, profile, force=force, is_shown=is_shown)


@click.command()
@click.argument("kind", type=click.Choice(["config", "rule", "profile"]))
def schema(kind: str) -> int:
    """Print the JSON Schema of zuno-audit.yml, of rule files or of profiles, for editors."""
    from zuno_audit.cli.project import run_schema

    return run_schema(kind)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print the completion script of a shell: eval "$(zuno-audit completion bash)"."""
    from zuno_audit.cli.project import run_completion

    return run_completion(shell)
