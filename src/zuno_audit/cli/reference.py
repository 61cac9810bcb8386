"""The reference of the command line as a page: the help of every command, as it is printed."""

from __future__ import annotations

from collections.abc import Iterator

import click

WIDTH = 100


def reference_page() -> str:
    """Markdown with the help of all commands."""
    from zuno_audit.cli.app import app

    parts = ["# Command line", "What `--help` prints, command by command."]
    for name, text in _helps(app, None, "zuno-audit"):
        parts += [f"## {name}", f"```text\n{text.rstrip()}\n```"]
    return "\n\n".join(parts) + "\n"


def _helps(command: click.Command, parent: click.Context | None, name: str) -> Iterator[tuple[str, str]]:
    context = click.Context(
        command, parent=parent, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    context.help_option_names = ["-h", "--help"]
    yield context.command_path, command.get_help(context)
    if isinstance(command, click.Group):
        for child in sorted(command.commands):
            yield from _helps(command.commands[child], context, child)
