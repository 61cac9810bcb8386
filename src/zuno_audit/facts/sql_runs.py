"""Who runs which SQL: the init folder of PostgreSQL's image, fed by compose mounts or by a Dockerfile.

The official entrypoint takes the files of `/docker-entrypoint-initdb.d` in the order of their names and stops
at the first error (`psql -v ON_ERROR_STOP=1`); what has been committed by then stays.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.facts.compose import ComposeFile, Service, Volume, compose_files
from zuno_audit.facts.dotenv import default_environment, set_by
from zuno_audit.facts.sql_files import sql_files
from zuno_audit.languages import shell
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.postgres.scripts import Outcome
    from zuno_audit.facts.postgres.server import Server

INIT_FOLDER = "/docker-entrypoint-initdb.d"
_TESTS = re.compile(r"(?:^|/)(?:tests?|testdata|fixtures|examples?|vendor|node_modules)/")
_POSTGRES_IMAGES = ("postgres", "postgis", "timescale", "pgvector", "citus", "supabase")
_OTHER_IMAGES = ("mysql", "mariadb", "mongo", "clickhouse", "percona")
_QUIET_COMMANDS = frozenset({"set", "echo", "printf", "export", ":", "true", "exit", "sleep", "cd"})


class InitFile(Struct, frozen=True):
    """A file in the init folder. `path` is its repository path; None when the repository has no such file."""

    name: str
    path: str | None
    location: Location
    source: str


class PostgresService(Struct, frozen=True):
    """A PostgreSQL server of a compose file; names are None when the template gives no value for them."""

    file: ComposeFile
    service: Service
    database: str | None
    user: str | None
    official: bool
    files: tuple[InitFile, ...] = ()


class DatabaseRun(Struct):
    """What is there after the servers of a compose file have started for the first time.

    `outcomes` holds what happened to each file by path; `stopped` is where the initialisation ends early.
    """

    label: str
    location: Location
    service: PostgresService | None
    server: Server
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    stopped: tuple[str, Location] | None = None
    not_reached: dict[str, str] = field(default_factory=dict)
    doubts: list[tuple[str, Location]] = field(default_factory=list)


def postgres_services(store: FactStore) -> tuple[PostgresService, ...]:
    """Every PostgreSQL server of the compose files that stand on their own."""
    read = store.get(compose_files)
    found = []
    for file in read.files:
        if file.is_overlay or _TESTS.search(file.path):
            continue
        services = read.merged(file.path, *(o.path for o in read.overlays(file.path) if _adds_scripts(o)))
        for service in services:
            server = _postgres_service(store, file, service)
            if server is not None:
                found.append(server)
    return tuple(found)


def _adds_scripts(overlay: ComposeFile) -> bool:
    return any(v.target.startswith(INIT_FOLDER) for s in overlay.services for v in s.volumes)


def _postgres_service(store: FactStore, file: ComposeFile, service: Service) -> PostgresService | None:
    environment = default_environment(store, posixpath.dirname(file.path))
    names = {entry.name for entry in service.environment}
    image = shell.expand(service.image, environment) if service.image else None
    repository = (image or "").partition("@")[0]
    is_postgres = any(word in repository for word in _POSTGRES_IMAGES)
    if not is_postgres and (not names & {"POSTGRES_DB", "POSTGRES_PASSWORD"} or service.build is None):
        return None
    if any(word in repository for word in _OTHER_IMAGES):
        return None
    user = _setting(store, service, "POSTGRES_USER", environment, "postgres")
    database = _setting(store, service, "POSTGRES_DB", environment, user)
    plain = repository.partition(":")[0].removeprefix("docker.io/").removeprefix("library/")
    files = tuple(sorted(_init_files(store, service), key=lambda f: f.name))
    return PostgresService(file, service, database, user, plain == "postgres", files)


def _setting(
    store: FactStore, service: Service, name: str, environment: Mapping[str, str], default: str | None
) -> str | None:
    entry = service.variable(name)
    if entry is None and service.variable(f"{name}_FILE"):
        return None
    if entry is None:
        for file in reversed(service.env_files):
            given = set_by(store, file.path)
            if given is None or name in given:
                return None if given is None else given[name] or default
        return default
    if entry.value is None:
        return environment.get(name)
    value = shell.expand(entry.value, environment)
    return default if value == "" else value


def _init_files(store: FactStore, service: Service) -> Iterator[InitFile]:
    for volume in service.volumes:
        target = volume.target.rstrip("/")
        if target == INIT_FOLDER:
            yield from _folder(store, volume)
        elif posixpath.dirname(target) == INIT_FOLDER:
            path = volume.path if volume.path is not None and volume.path in store.repository else None
            yield InitFile(posixpath.basename(target), path, volume.location, volume.source or "")
    yield from _built_in(store, service)


def _folder(store: FactStore, volume: Volume) -> Iterator[InitFile]:
    if volume.path is None:
        return
    for path in store.repository.glob(f"{volume.path}/*" if volume.path != "." else "*"):
        yield InitFile(posixpath.basename(path), path, volume.location, path)


def _built_in(store: FactStore, service: Service) -> Iterator[InitFile]:
    """Scripts that the service's own Dockerfile copies into the init folder."""
    build = service.build
    if build is None or build.inline is not None or build.dockerfile not in store.repository:
        return
    from zuno_audit.facts.dockerfile import dockerfiles

    dockerfile = store.get(dockerfiles).file(build.dockerfile)
    final = dockerfile.final if dockerfile is not None else None
    for copy in final.copies if final is not None else ():
        if not copy.target.rstrip("/").startswith(INIT_FOLDER) or copy.stage is not None:
            continue
        for source in copy.sources:
            path = posixpath.normpath(posixpath.join(build.context, source))
            yield from _copied(store, path, copy.target, copy.location)


def _copied(store: FactStore, source: str, target: str, location: Location) -> Iterator[InitFile]:
    repository = store.repository
    if source in repository:
        is_folder = target.rstrip("/") == INIT_FOLDER
        name = posixpath.basename(source if is_folder else target)
        yield InitFile(name, source, location, source)
        return
    pattern = f"{source}/*" if repository.is_directory(source) else source
    for path in repository.glob(pattern.removeprefix("./")):
        yield InitFile(posixpath.basename(path), path, location, path)


def database_runs(store: FactStore) -> tuple[DatabaseRun, ...]:
    """One run for every PostgreSQL server: its init folder, then the migrations that something starts."""
    from zuno_audit.facts.migrations import run_migrations

    runs = [_initialise(store, server) for server in store.get(postgres_services)]
    return run_migrations(store, runs)


def new_server(service: PostgresService | None) -> Server:
    """The empty server of a service."""
    from zuno_audit.facts.postgres.server import Server

    if service is None:
        return Server("postgres", None, official=False)
    return Server(service.database or "postgres", service.user, official=service.official)


def _initialise(store: FactStore, server: PostgresService) -> DatabaseRun:
    service = server.service
    database = new_server(server)
    run = DatabaseRun(f"{server.file.path} ({service.name})", service.location, server, database)
    for file in server.files:
        if run.stopped is not None:
            if file.path is not None:
                run.not_reached[file.path] = run.stopped[0]
            continue
        if file.name.endswith(".sql"):
            _run_sql(store, run, database, file)
        elif file.name.endswith((".sh", ".sql.gz", ".sql.xz", ".sql.zst")):
            _run_other(store, run, database, file)
    return run


def _run_sql(store: FactStore, run: DatabaseRun, database: Server, file: InitFile) -> None:
    from zuno_audit.facts.postgres.scripts import run_psql

    if file.path is None or store.repository.read(file.path) is None:
        message = f"{file.source} is mounted as {file.name} but is no file of the repository"
        run.stopped = (message, file.location)
        return
    outcome = run_psql(database, file.path, store.get(sql_files).file(file.path).pieces)
    run.outcomes[file.path] = outcome
    if outcome.failure is not None:
        where = place(store, file.path, outcome.failure.offset)
        run.stopped = (f"{file.path}:{where.line} fails: {outcome.failure.message}", where)
    for doubt in outcome.doubts:
        run.doubts.append((doubt.message, place(store, file.path, doubt.offset)))


def _run_other(store: FactStore, run: DatabaseRun, database: Server, file: InitFile) -> None:
    text = store.repository.text(file.path) if file.path is not None else None
    if text is None or not file.name.endswith(".sh"):
        _doubt(run, database, f"what {file.name} does is not known", file.location)
        return
    _run_shell(store, run, database, file, text)


def _doubt(run: DatabaseRun, database: Server, why: str, location: Location) -> None:
    run.doubts.append((why, location))
    database.doubt = database.doubt or why
    for catalog in database.all_catalogs().values():
        catalog.hidden = True


def _run_shell(store: FactStore, run: DatabaseRun, database: Server, file: InitFile, text: str) -> None:
    """A shell script: the SQL that it feeds to psql; every other command leaves a doubt."""
    from zuno_audit.languages.shell_run import UNKNOWN, run_shell
    from zuno_audit.model.location import at_line

    assert file.path is not None and run.service is not None
    prelude = f"POSTGRES_DB={run.service.database or ''}\nPOSTGRES_USER={run.service.user or ''}\n"
    known = run.service.database is not None and run.service.user is not None
    result = run_shell((prelude if known else "") + text)
    shift = 2 if known else 0
    if not result.complete:
        _doubt(run, database, f"{file.path} is too long to follow", file.location)
    for command in result.commands:
        where = at_line(file.path, max(1, command.line - shift))
        words = command.words
        if not words or posixpath.basename(words[0]) in _QUIET_COMMANDS or words[0].startswith("["):
            continue
        if posixpath.basename(words[0]) != "psql" or any(UNKNOWN in w for w in (*words, command.text)):
            _doubt(run, database, f"what {words[0][:40]} does in {file.path} is not known", where)
            continue
        if not _psql(store, run, database, file.path, words, command.text, where):
            return


def _psql(
    store: FactStore,
    run: DatabaseRun,
    database: Server,
    path: str,
    words: tuple[str, ...],
    text: str,
    where: Location,
) -> bool:
    from zuno_audit.facts.postgres.catalog import DatabaseError
    from zuno_audit.facts.postgres.scripts import run_psql
    from zuno_audit.languages.sql.scripts import parse_script

    options = psql_options(words)
    given = options.get("file")
    source = _outside(run.service, given) if given is not None and run.service is not None else None
    if given is not None and (source is None or store.repository.read(source) is None):
        _doubt(run, database, f"what psql -f {given} reads is not known", where)
        return True
    main = database.database
    stop = "ON_ERROR_STOP" in " ".join(words)
    try:
        database.connect(options.get("dbname") or main)
    except DatabaseError as error:
        run.stopped = (f"{path}:{where.line} fails: {error.message}", where)
        return False
    if source is not None:
        path = source
        outcome = run_psql(database, path, store.get(sql_files).file(path).pieces, stop=stop)
    else:
        outcome = run_psql(database, path, parse_script(options.get("command") or text), stop=stop)
    database.connect(main)
    known = run.outcomes.setdefault(path, outcome)
    known.refused.update(outcome.refused)
    for doubt in outcome.doubts:
        run.doubts.append((doubt.message, where))
    if outcome.failure is not None:
        if source is not None:
            where = place(store, path, outcome.failure.offset)
        run.stopped = (f"{path}:{where.line} fails: {outcome.failure.message}", where)
        return False
    return True


def _outside(server: PostgresService, path: str) -> str | None:
    """Where a file of the container is in the repository, by its mounts; None when nothing mounts it."""
    for volume in server.service.volumes:
        target = volume.target.rstrip("/")
        if volume.path is not None and (path == target or path.startswith(target + "/")):
            return posixpath.normpath(posixpath.join(volume.path, path[len(target) :].lstrip("/")))
    return None


def psql_options(words: tuple[str, ...]) -> dict[str, str]:
    """`dbname`, `command` and `file` of a psql command line."""
    short = {
        "-d": "dbname",
        "-c": "command",
        "-f": "file",
        "-U": "username",
        "-v": "set",
        "-h": "host",
        "-p": "port",
    }
    found: dict[str, str] = {}
    rest = iter(words[1:])
    for word in rest:
        name, equals, value = word.partition("=")
        if word.startswith("--") and name[2:] in short.values():
            found[name[2:]] = value if equals else next(rest, "")
        elif word in short:
            found[short[word]] = next(rest, "")
        elif word[:2] in short and len(word) > 2:
            found[short[word[:2]]] = word[2:]
        elif not word.startswith("-"):
            found.setdefault("dbname", word)
    return found


def place(store: FactStore, path: str, offset: int, note: str = "") -> Location:
    """The place of an offset in a file."""
    return store.get(sql_files).file(path).place(offset, note)
