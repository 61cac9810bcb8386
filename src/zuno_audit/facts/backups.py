"""Scripts that back databases up, and whether what they name exists in the compose files."""

from __future__ import annotations

import posixpath
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.sql import database
from zuno_audit.facts.sql_runs import postgres_services, psql_options
from zuno_audit.model.entity import NO
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.sql_runs import PostgresService

# options of pg_dump whose value is the next word (https://www.postgresql.org/docs/current/app-pgdump.html)
_VALUED = frozenset(
    ("-d", "--dbname", "-h", "--host", "-p", "--port", "-U", "--username", "-f", "--file", "-F", "--format", "-j",
     "--jobs", "-n", "--schema", "-N", "--exclude-schema", "-t", "--table", "-T", "--exclude-table", "-Z",
     "--compress", "-E", "--encoding", "-S", "--superuser", "--role", "--lock-wait-timeout", "--section")
)  # fmt: skip
_RESTORERS = ("psql", "pg_restore", "createdb", "dropdb")
_ASKS = frozenset({"--version", "-V", "--help"})  # no backup is made then
_TOOLS = {"pg_dump": "pg_dump", "pg_dumpall": "pg_dump", "pg_basebackup": "pg_dump", "mongodump": "mongodump"}


class BackupScript(Struct, frozen=True):
    """A tracked script that starts backup tools. `obstacle` says what keeps it from working, if known."""

    location: Location
    tools: frozenset[str]
    obstacle: str = ""


class Step(Struct, frozen=True):
    """A command that a script runs, and the files that its output goes to."""

    line: int
    words: list[str]
    writes: tuple[str, ...] = ()


def backup_scripts(store: FactStore) -> tuple[BackupScript, ...]:
    """Every tracked shell, batch or Makefile script that calls a backup tool."""
    found = []
    services = {service.name for _, service in store.get(compose_files).services()}
    for path, dialect, text in _scripts(store):
        if not any(tool in text for tool in _TOOLS):
            continue
        tools: set[str] = set()
        obstacle, line = "", 1
        has_data = has_dump = False
        for step in _steps(text, dialect):
            names = [posixpath.basename(word) for word in step.words]
            started = _started(names)
            if started is None or _ASKS & set(names):
                continue
            if not tools:
                line = step.line
            tools.add(_TOOLS[started])
            tool = names.index(started)
            obstacle = obstacle or _obstacle(names, tool, services)
            obstacle = obstacle or _no_database(store, names) or _no_user(store, names)
            if "/dev/null" in step.writes:
                obstacle = obstacle or f"{started} writes to /dev/null"
            if started == "pg_dump":
                has_dump = True
                has_data = has_data or not {"-s", "--schema-only"} & set(names)
        if has_dump and not has_data:
            obstacle = obstacle or "pg_dump --schema-only leaves out the data"
        if tools:
            found.append(BackupScript(at_line(path, line), frozenset(tools), obstacle))
    return tuple(found)


def _steps(text: str, dialect: str) -> Iterator[Step]:
    """The commands that a script may run: no comments, no functions that nobody calls, nothing under `if false`."""
    from zuno_audit.languages.script import commands
    from zuno_audit.languages.shell_run import run_shell

    run = run_shell(text) if dialect == "shell" else None
    if run is None or not run.complete:
        for command in commands(text, dialect):
            yield Step(command.line, [word.strip("\"'") for word in command.words])
        return
    for executed in run.commands:
        words = list(executed.words)
        while words and (words[0].endswith(")") or re.match(r"\w+=", words[0])):
            del words[0]  # the label of a case, variables of the command alone
        yield Step(executed.line, words, executed.writes)


def restore_scripts(store: FactStore) -> tuple[BackupScript, ...]:
    """Every tracked script that restores a dump of PostgreSQL: one with pg_restore, or named so with psql."""
    found = []
    services = {service.name for _, service in store.get(compose_files).services()}
    for path, dialect, text in _scripts(store):
        is_named = "psql" in text and "restore" in posixpath.basename(path).lower()
        if "pg_restore" not in text and not is_named:
            continue
        steps = list(_steps(text, dialect))
        made = {step.words[-1] for step in steps if "createdb" in step.words}
        made |= set(re.findall(r"(?i)create database (?:if not exists )?\"?(\w+)", text))
        obstacle, line, restores = "", 0, False
        for step in steps:
            tool = next((i for i, w in enumerate(step.words) if w in _RESTORERS), None)
            if tool is None:
                continue
            line = line or step.line
            asks = {"-c", "--command"} & set(step.words)
            restores = (
                restores or step.words[tool] == "pg_restore" or (step.words[tool] == "psql" and not asks)
            )
            obstacle = obstacle or _misfit(store, step.words, tool, services, made)
        if line:
            obstacle = obstacle or ("" if restores else "nothing in it reads a dump")
            found.append(BackupScript(at_line(path, line), frozenset({"restore"}), obstacle))
    return tuple(found)


def _scripts(store: FactStore) -> Iterator[tuple[str, str, str]]:
    """Path, dialect and text of every tracked script."""
    from zuno_audit.languages.script import dialect_of

    for path in store.repository.files:
        dialect = dialect_of(path)
        if dialect is not None and store.repository.is_tracked(path):
            yield path, dialect, (store.repository.read(path) or b"").decode("utf-8", "replace")


def _misfit(store: FactStore, words: list[str], tool: int, services: set[str], made: set[str]) -> str:
    """What a command of a restore names and the compose files, the script or the schema do not have."""
    stray = _obstacle(words, tool, services)
    if stray:
        return stray
    server = next((s for s in store.get(postgres_services) if s.service.name in words[:tool]), None)
    end = next((i for i, w in enumerate(words) if i > tool and w[:1] in "<>|"), len(words))
    options = psql_options(tuple(words[tool:end]))
    name = options.get("dbname", "")
    if server is not None and words[tool] in ("psql", "pg_restore") and re.fullmatch(r"\w[\w-]*", name):
        if server.database and name not in {server.database, "postgres", "template1", *made}:
            return f"nothing creates the database {name}"
    stranger = _stranger(server, options.get("username", ""))
    if stranger:
        return stranger
    for schema, table in re.findall(r"(?i)\bfrom\s+\"?(\w+)\"?\.\"?(\w+)", options.get("command", "")):
        rows = [r for r in store.get(database).table("db_table").rows if r.get("name").value == table]
        made_there = [r for r in rows if r.get("schema").value == schema and r.get("created").value != NO]
        if not made_there and (rows or _is_known(store, schema)):
            return f"no table {schema}.{table} is created"
    return ""


def _is_known(store: FactStore, schema: str) -> bool:
    """True when all tables of a schema are known: the SQL makes some there, and none that could not be followed."""
    known = store.get(database)
    tables = [r for r in known.table("db_table").rows if r.get("schema").value == schema]
    return bool(tables) and not known.unseen and not known.problems


def _no_user(store: FactStore, names: list[str]) -> str:
    """`docker compose exec SERVICE pg_dump -U NAME` of a user that the service does not have."""
    tool = next((i for i, name in enumerate(names) if name in ("pg_dump", "pg_dumpall")), None)
    server = next((s for s in store.get(postgres_services) if tool and s.service.name in names[:tool]), None)
    if tool is None:
        return ""
    for word, following in pairwise([*names[tool + 1 :], ""]):
        if word in ("-U", "--username"):
            return _stranger(server, following)
        if word.startswith("--username="):
            return _stranger(server, word.removeprefix("--username="))
    return ""


def _stranger(server: PostgresService | None, user: str) -> str:
    """Says that a server does not have a user; nothing where it does, or where that is not known."""
    if server is None or not server.user or user == server.user or not re.fullmatch(r"\w+", user):
        return ""
    return f"{server.service.name} has no user {user}, but {server.user}"


def _started(names: list[str]) -> str | None:
    """The backup tool that a command runs, itself or inside a container."""
    if names and names[0] in _TOOLS:
        return names[0]
    if names and names[0] in ("docker", "docker-compose", "podman", "kubectl", "sudo"):
        return next((name for name in names if name in _TOOLS), None)
    return None


def _obstacle(names: list[str], tool: int, services: set[str]) -> str:
    """`docker compose exec [options] SERVICE tool ...` with a service that no compose file has."""
    before = names[:tool]
    if names[0] not in ("docker", "docker-compose") or "exec" not in before or not services:
        return ""
    if names[0] == "docker" and "compose" not in before:
        return ""  # that names a container
    service = names[tool - 1]
    if "$" in service or service in services or service.startswith("-"):
        return ""
    return f"no compose file has a service {service}"


def _no_database(store: FactStore, names: list[str]) -> str:
    """`docker compose exec SERVICE pg_dump NAME` of a database that the service does not have."""
    if "pg_dump" not in names:
        return ""
    tool = names.index("pg_dump")
    server = next((s for s in store.get(postgres_services) if s.service.name in names[:tool]), None)
    database = _dumped(names[tool + 1 :])
    if server is None or server.database is None or database in ("", "postgres", server.database):
        return ""
    made = store.repository.grep_any(b"CREATE DATABASE", b"create database", b"createdb")
    if any(database.encode() in (store.repository.read(path) or b"") for path in made):
        return ""
    return f"{server.service.name} has no database {database}, but {server.database}"


def _dumped(words: list[str]) -> str:
    """The database that pg_dump is to dump; empty when it is not written there."""
    found = ""
    waiting = ""
    for word in words:
        if word[:1] in (">", "<", "|", "&") or word.startswith(("1>", "2>")):
            break
        name, _, value = word.partition("=")
        if waiting:
            found = word if waiting in ("-d", "--dbname") else found
            waiting = ""
        elif (name == "--dbname" and value) or (word.startswith("-d") and word != "-d"):
            found = value or word[2:]
        elif word in _VALUED:
            waiting = word
        elif not word.startswith("-"):
            found = found or word
    return "" if not re.fullmatch(r"\w[\w-]*", found) else found
