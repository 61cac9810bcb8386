"""Scripts that back databases up, and whether what they name exists in the compose files."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.compose import compose_files
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_TOOLS = {"pg_dump": "pg_dump", "pg_dumpall": "pg_dump", "pg_basebackup": "pg_dump", "mongodump": "mongodump"}


class BackupScript(Struct, frozen=True):
    """A tracked script that starts backup tools. `obstacle` says what keeps it from working, if known."""

    location: Location
    tools: frozenset[str]
    obstacle: str = ""


def backup_scripts(store: FactStore) -> tuple[BackupScript, ...]:
    """Every tracked shell, batch or Makefile script that calls a backup tool."""
    from zuno_audit.languages.script import commands, dialect_of

    found = []
    services = {service.name for _, service in store.get(compose_files).services()}
    for path in store.repository.files:
        dialect = dialect_of(path)
        if dialect is None or not store.repository.is_tracked(path):
            continue
        data = store.repository.read(path) or b""
        if not any(tool.encode() in data for tool in _TOOLS):
            continue
        tools: set[str] = set()
        obstacle, line = "", 1
        for command in commands(data.decode("utf-8", "replace"), dialect):
            names = [posixpath.basename(word.strip("\"'")) for word in command.words]
            started = _started(names)
            if started is None:
                continue
            if not tools:
                line = command.line
            tools.add(_TOOLS[started])
            obstacle = obstacle or _obstacle(names, services)
        if tools:
            found.append(BackupScript(at_line(path, line), frozenset(tools), obstacle))
    return tuple(found)


def _started(names: list[str]) -> str | None:
    """The backup tool that a command runs, itself or inside a container."""
    if names and names[0] in _TOOLS:
        return names[0]
    if names and names[0] in ("docker", "docker-compose", "podman", "kubectl", "sudo"):
        return next((name for name in names if name in _TOOLS), None)
    return None


def _obstacle(names: list[str], services: set[str]) -> str:
    """`docker compose exec [options] SERVICE tool ...` with a service that no compose file has."""
    if names[0] not in ("docker", "docker-compose") or "exec" not in names or not services:
        return ""
    if names[0] == "docker" and "compose" not in names:
        return ""
    tool = next(i for i, name in enumerate(names) if name in _TOOLS)
    service = names[tool - 1]
    if "$" in service or service in services or service.startswith("-"):
        return ""
    return f"no compose file has a service {service}"
