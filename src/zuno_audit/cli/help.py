"""Click classes: a default command, options grouped in the help, examples at its end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
from click.shell_completion import CompletionItem

OWN_FLAGS = ("--help", "-h", "--version")
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class GroupedOption(click.Option):
    """An option that is listed under a heading of its own."""

    def __init__(self, *args: Any, group: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help lists options by heading, then examples."""

    def __init__(self, *args: Any, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": CONTEXT, **kwargs})
        self.examples = examples

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options below their headings."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record is not None:
                groups.setdefault(getattr(param, "group", "Options"), []).append(record)
        for name, records in groups.items():
            with formatter.section(name):
                formatter.write_dl(records, col_max=34)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(self.examples, formatter)


class DefaultGroup(click.Group):
    """A group that reads anything but a command's name as the arguments of its default command."""

    def __init__(self, *args: Any, default: str, examples: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **{"context_settings": CONTEXT, **kwargs})
        self.default = default
        self.examples = examples

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the default command in front of arguments that name none."""
        is_completing_first = ctx.resilient_parsing and not args
        if not is_completing_first and (not args or args[0] not in (*self.commands, *OWN_FLAGS)):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Commands, and what the default command would complete: its options, or files."""
        items = super().shell_complete(ctx, incomplete)
        default = self.commands[self.default]
        if incomplete.startswith("-"):
            inner = default.make_context(self.default, [], parent=ctx, resilient_parsing=True)
            known = {item.value for item in items}
            return [*items, *(i for i in default.shell_complete(inner, incomplete) if i.value not in known)]
        return [*items, CompletionItem(incomplete, type="file")]

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage of the default command."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] [PATH]")

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands and the default command's options."""
        self.format_commands(ctx, formatter)
        default = self.commands[self.default]
        default.format_options(click.Context(default, parent=ctx), formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples."""
        write_examples(self.examples, formatter)


def write_examples(examples: str, formatter: click.HelpFormatter) -> None:
    """Write example lines as they stand."""
    lines: Sequence[str] = examples.strip().splitlines()
    if lines:
        with formatter.section("Examples"):
            for line in lines:
                formatter.write(f"  {line}\n")
