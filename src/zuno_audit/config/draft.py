"""A first `zuno-audit.yml` for a repository: what is sure as settings, what was found as comments."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from zuno_audit.checklist.profile import Profile
from zuno_audit.config.setup import Setup, set_up
from zuno_audit.facts.base import FactStore
from zuno_audit.model.entity import Entity
from zuno_audit.model.redaction import redact
from zuno_audit.source.repository import Repository

OTHER = "go-grpc"  # for a repository that no profile recognises
MAX_LISTED = 12
SCHEMA = "https://raw.githubusercontent.com/zuno-audit/zuno-audit/main/docs/reference/config.schema.json"


def draft(repository: Repository, profile: str | None = None, checklist: str = "") -> str:
    """The text of a configuration, with comments. `checklist` is the team's own Markdown file, if known.

    Raises UsageError for an unknown profile.
    """
    setup = set_up(repository, profile=profile, no_config=True)
    if not setup.is_recognised:
        setup = set_up(repository, profile=OTHER, no_config=True)
    store = FactStore(repository)
    return "\n".join(_lines(setup, store, checklist)) + "\n"


def _lines(setup: Setup, store: FactStore, checklist: str) -> Iterator[str]:
    profile = setup.profile
    yield f"# yaml-language-server: $schema={SCHEMA}"
    yield "# What this project says about its own audit. Nothing in here can make anything run."
    yield "version: 1"
    yield ""
    yield f"# {profile.title}. There are: {', '.join(setup.profiles)}."
    yield f"profile: {profile.name}"
    yield ""
    yield from _found("gRPC servers", store.table("grpc_server").rows, "service")
    yield from _found("gRPC connections to others", store.table("grpc_client").rows, "target")
    yield "# Values that differ from those of the profile; a line without # counts."
    yield from _parameters(profile)
    yield ""
    yield "# Paths that are not audited. They are counted in the report."
    yield "# exclude:"
    yield "#   - examples/**"
    yield ""
    yield "# Exit with 1 for findings of this level or worse: error, warning, note or never."
    yield "# fail-on: error"
    yield ""
    yield "# Single rules: the level of their findings, or off. What a rule decides is then left to a person."
    yield "# rules:"
    yield "#   image-not-slim: {level: warning, reason: the debug image is large on purpose}"
    yield ""
    yield "# The team's own checklist in Markdown, where another one than the one that is found is meant."
    yield f"# checklist: {_one_line(checklist) or 'docs/PRODUCTION_CHECKLIST.md'}"
    yield ""
    yield "# Where outputs of runs are kept that are shown as evidence."
    yield "# evidence: .zuno-audit/evidence"


def _found(what: str, rows: Iterable[Entity], name: str) -> Iterator[str]:
    """A comment that lists what was found, so that a reader sees what is judged."""
    places = [f"{row.location.path}:{row.location.line}{_named(row, name)}" for row in rows]
    yield f"# {what}: {len(places)} found."
    for place in places[:MAX_LISTED]:
        yield f"#   {redact(_one_line(place))}"
    if len(places) > MAX_LISTED:
        yield f"#   and {len(places) - MAX_LISTED} more; `zuno-audit inventory` lists them all"
    yield ""


def _named(row: Entity, name: str) -> str:
    value = row.get(name).value
    return f" ({value})" if isinstance(value, str) and value else ""


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def _parameters(profile: Profile) -> Iterator[str]:
    yield "# parameters:"
    for name, value in profile.parameters:
        yield f'#   {name}: "{value}"'
