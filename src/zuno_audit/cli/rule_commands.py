"""The commands `rules ...` and `explain`; what they do is in `rules.py`, loaded when needed."""

from __future__ import annotations

from pathlib import Path

import click

_RULES = click.option(
    *("--rules", "folder"),
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of packs, instead of the rules that come with zuno-audit.",
)
_FIXTURES = click.option(
    "--fixtures",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where the fixtures are [default: tests/fixtures/rules or fixtures beside the rules].",
)
_FORMAT = click.option(
    *("-f", "--format", "format_"),
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Format on standard output.",
)


@click.group()
def rules() -> None:
    """Read, write and try rules."""


@rules.command("list")
@_RULES
@_FORMAT
def list_(folder: Path | None, format_: str) -> int:
    """List every rule with its level."""
    from zuno_audit.cli.rules import RuleSet, run_list

    return run_list(RuleSet(folder), format_)


@rules.command()
@click.argument("rule")
@_RULES
def show(rule: str, folder: Path | None) -> int:
    """Print the file of RULE."""
    from zuno_audit.cli.rules import RuleSet, run_show

    return run_show(RuleSet(folder), rule)


@rules.command("lint")
@_RULES
@_FIXTURES
@_FORMAT
@click.option("--no-fixtures", is_flag=True, help="Do not ask for fixtures.")
def lint_(folder: Path | None, fixtures: Path | None, format_: str, no_fixtures: bool) -> int:
    """Find queries that never match, missing fixtures, unknown parameters and the like."""
    from zuno_audit.cli.rules import RuleSet, run_lint

    return run_lint(RuleSet(folder, fixtures), format_, needs_fixtures=not no_fixtures)


@rules.command()
@click.argument("only", nargs=-1, metavar="[RULE]...")
@_RULES
@_FIXTURES
def test(only: tuple[str, ...], folder: Path | None, fixtures: Path | None) -> int:
    """Try rules on their fixtures: they must report exactly the marked lines."""
    from zuno_audit.cli.rules import RuleSet, run_test

    return run_test(RuleSet(folder, fixtures), only)


@rules.command()
@click.argument("table", required=False)
def tables(table: str | None) -> int:
    """List what rules can quantify over, or the fields of TABLE."""
    from zuno_audit.cli.rules import run_tables

    return run_tables(table)


@rules.command()
@click.argument("rule")
@click.option("--pack", default="own", show_default=True, help="The folder of the rule in DIR.")
@click.option("--table", default="", help="A table to quantify over, instead of a query of its own.")
@click.option(
    *("--rules", "folder"),
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="A folder of packs [default: rules].",
)
@_FIXTURES
def new(rule: str, pack: str, table: str, folder: Path | None, fixtures: Path | None) -> int:
    """Write the first draft of RULE, with a failing and a passing fixture."""
    from zuno_audit.cli.rules import RuleSet, run_new

    return run_new(RuleSet(folder, fixtures), rule, pack, table)


@click.command()
@click.argument("name", metavar="RULE|ITEM")
@_RULES
def explain(name: str, folder: Path | None) -> int:
    """Explain a rule (what, why, how it decides, limits, cure) or an item of the checklist."""
    from zuno_audit.cli.rules import RuleSet, run_explain

    return run_explain(RuleSet(folder), name)
