"""Migration tools: which there are, whether anything starts them, and whether their migrations run.

Found in Go code (a library whose `Up` is reached from a main package), compose services, CI jobs, Makefiles
and scripts. A tool that is only installed, imported by dead code or named in a README does not count.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.compose import ComposeFile, Service, compose_files
from zuno_audit.facts.compose_tables import image_repository, is_started
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.facts.sql_files import sql_files
from zuno_audit.facts.sql_runs import DatabaseRun, new_server, place, postgres_services
from zuno_audit.languages import shell
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.postgres.scripts import Outcome
    from zuno_audit.facts.postgres.server import Server

# The table in which each tool remembers what it has applied, unless it is told otherwise.
HISTORY = {
    "golang-migrate": "schema_migrations",
    "dbmate": "schema_migrations",
    "goose": "goose_db_version",
    "flyway": "flyway_schema_history",
    "atlas": "atlas_schema_revisions",
    "sql-migrate": "gorp_migrations",
    "tern": "schema_version",
    "liquibase": "databasechangelog",
}
_LIBRARIES = {
    "github.com/golang-migrate/migrate": "golang-migrate",
    "github.com/pressly/goose": "goose",
    "github.com/amacneil/dbmate": "dbmate",
    "github.com/rubenv/sql-migrate": "sql-migrate",
    "github.com/jackc/tern": "tern",
}
_IMAGES = {
    "migrate": "golang-migrate",
    "goose": "goose",
    "goose-docker": "goose",
    "dbmate": "dbmate",
    "flyway": "flyway",
    "atlas": "atlas",
    "tern": "tern",
    "liquibase": "liquibase",
}
_PROGRAMS = {name: tool for name, tool in _IMAGES.items() if name != "goose-docker"} | {
    "sql-migrate": "sql-migrate"
}
_APPLY = {
    "golang-migrate": {"up", "goto"},
    "goose": {"up", "up-to", "up-by-one"},
    "dbmate": {"up", "migrate"},
    "flyway": {"migrate"},
    "atlas": {"apply"},
    "sql-migrate": {"up"},
    "tern": {"migrate"},
    "liquibase": {"update"},
}
_GO_APPLY = re.compile(
    rb"\.(?:Up|UpContext|UpTo|UpByOne|Steps|Migrate|MigrateTo|CreateAndMigrate|Exec|ExecContext|ExecMax)\("
)
_EMBED = re.compile(rb"^//go:embed[ \t]+(.+)$", re.MULTILINE)
_FILE_URL = re.compile(rb'"file://([^"]+)"')
_OWN_TABLE = re.compile(rb"MigrationsTable\s*:|x-migrations-table=|SetTableName\(")
_OWN_SCHEMA = re.compile(rb"SchemaName\s*:|search_path")
_WORKFLOW = re.compile(r"\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.ya?ml")
_SCRIPT_KEYS = frozenset({"run", "script", "before_script", "after_script"})
_NUMBERED = re.compile(r"(\d+)[_.-].*\.up\.sql$")
_SINGLE = re.compile(r"[VR]?(\d+)[\w.]*?_.*\.sql$")
_DATABASE_URL = re.compile(r"postgres(?:ql)?://(?:[^@/]*@)?([\w.-]+)(?::\d+)?/([\w-]*)")
# types that SQLite and MySQL have, and PostgreSQL has not
_OF_OTHERS = re.compile(
    r'^type "(?:(?:tiny|medium|long)?blob|(?:tiny|medium|long)text|tinyint|mediumint|datetime|double|number|clob)" '
    r"does not exist"
)
_SECTION_START = re.compile(r"^--\s*(?:\+goose\s+up|migrate:up)\b([^\n]*)", re.IGNORECASE | re.MULTILINE)
_SECTION_END = re.compile(
    r"^--\s*(?:\+goose\s+down|migrate:down)\b|^-{4}\s*create above / drop below", re.IGNORECASE | re.MULTILINE
)


class MigrationTool(Struct, frozen=True):
    """One use of a tool, or a folder of migrations that none uses (`tool` is then None)."""

    tool: str | None
    location: Location
    wired: Answer
    folder: str | None = None
    history: str | None = None
    own_schema: bool = False
    steps: int | None = None  # how many of the migrations it applies, None for all


def migration_tools(store: FactStore) -> tuple[MigrationTool, ...]:
    """Every tool and every folder of migrations."""
    tools = [*_from_go(store), *_from_compose(store), *_from_scripts(store)]
    used = {tool.folder for tool in tools}
    for folder in _migration_folders(store):
        if folder not in used:
            first = _migration_files(store, folder)[0]
            reason = f"nothing that runs reads the migrations in {folder}/"
            tools.append(MigrationTool(None, at_line(first), Answer(NO, reason, (at_line(first),)), folder))
    return tuple(sorted(tools, key=lambda tool: (tool.location, tool.tool or "")))


# -- folders


def _migration_folders(store: FactStore) -> tuple[str, ...]:
    """Folders that hold numbered migrations."""
    found: dict[str, None] = {}
    for path in store.repository.files:
        if path.endswith(".sql") and not _is_foreign(path):
            name = posixpath.basename(path)
            if _NUMBERED.match(name) or (_SINGLE.match(name) and "migration" in posixpath.dirname(path)):
                found.setdefault(posixpath.dirname(path))
    return tuple(found)


def _is_foreign(path: str) -> bool:
    return any(part in ("vendor", "node_modules", "testdata") for part in path.split("/"))


def _migration_files(store: FactStore, folder: str) -> list[str]:
    """The migrations of a folder in the order of their versions.

    Where files come in pairs (`.up.sql`, `.down.sql`), tools overlook a file of another name.
    """
    versions: list[tuple[int, str]] = []
    paths = tuple(store.repository.glob(f"{folder}/*.sql" if folder else "*.sql"))
    has_pairs = any(_NUMBERED.match(posixpath.basename(path)) for path in paths)
    for path in paths:
        name = posixpath.basename(path)
        match = _NUMBERED.match(name)
        if match is None and not has_pairs and not name.endswith(".down.sql"):
            match = _SINGLE.match(name)
        if match is not None:
            versions.append((int(match[1]), path))
    return [path for _, path in sorted(versions)]


def _folder_for(store: FactStore, written: str, base: str) -> str | None:
    """The repository folder that a path means: from `base`, from the root, or the only one that ends so."""
    clean = posixpath.normpath(written.removeprefix("file://").lstrip("/") or ".")
    folders = _migration_folders(store)
    for candidate in (posixpath.normpath(posixpath.join(base, clean)), clean):
        if candidate in folders:
            return candidate
    tail = clean.lstrip("./")
    matching = [folder for folder in folders if folder == tail or folder.endswith("/" + tail)]
    return matching[0] if len(matching) == 1 else None


# -- Go


def _from_go(store: FactStore) -> Iterator[MigrationTool]:
    from zuno_audit.facts.go_packages import go_heads

    seen: set[tuple[str, str]] = set()
    for path, head in store.get(go_heads).items():
        if head.is_test:
            continue
        for spec in head.imports:
            tool = next((t for prefix, t in _LIBRARIES.items() if spec.path.startswith(prefix)), None)
            folder = posixpath.dirname(path)
            if tool is not None and (folder, tool) not in seen:
                seen.add((folder, tool))
                yield _go_tool(store, tool, path, folder, spec.line)


def _go_tool(store: FactStore, tool: str, path: str, folder: str, line: int) -> MigrationTool:
    from zuno_audit.facts.go_packages import go_packages

    here = at_line(path, line, f"imports {tool}")
    packages = store.get(go_packages)
    package = packages.by_directory.get(folder)
    sources = [head.path for head in package.files] if package is not None else [path]
    data = b"\n".join(store.repository.read(source) or b"" for source in sources)
    own_table = _OWN_TABLE.search(data) is not None
    return MigrationTool(
        tool,
        here,
        _go_wired(store, sources, here),
        _go_folder(store, folder, data),
        None if own_table else HISTORY[tool],
        _OWN_SCHEMA.search(data) is not None,
    )


def _go_wired(store: FactStore, sources: Sequence[str], here: Location) -> Answer:
    from zuno_audit.facts.go.reach import reach
    from zuno_audit.facts.go_packages import go_packages

    packages = store.get(go_packages)
    folder = posixpath.dirname(here.path)
    if not packages.is_linked(folder):
        return Answer(NO, "no main package imports it", (here,))
    reachable = store.get(reach)
    for source in sources:
        for call in _GO_APPLY.finditer(store.repository.read(source) or b""):
            mains = sorted(reachable.mains(source, call.start()))
            if mains:
                line = (store.repository.read(source) or b"")[: call.start()].count(b"\n") + 1
                where = at_line(source, line, "migrates here")
                return _started(store, mains, where)
    return Answer(NO, "nothing that runs calls it", (here,))


def _started(store: FactStore, mains: Sequence[str], where: Location) -> Answer:
    """A main package of its own for migrations has to be started by something."""
    services = [main for main in mains if "migrat" not in main]
    if services:
        return Answer(YES, f"{services[0]} migrates when it runs", (where,))
    for path in store.repository.files:
        if _may_start(path) and any(main.encode() in (store.repository.read(path) or b"") for main in mains):
            return Answer(YES, f"{path} starts {mains[0]}", (where, at_line(path)))
    return Answer(NO, f"nothing builds or starts {mains[0]}", (where,))


def _may_start(path: str) -> bool:
    from zuno_audit.languages.script import dialect_of

    name = posixpath.basename(path).lower()
    return (
        dialect_of(path) is not None
        or "dockerfile" in name
        or ("compose" in name and name.endswith((".yml", ".yaml")))
        or _WORKFLOW.fullmatch(path) is not None
    )


def _go_folder(store: FactStore, folder: str, data: bytes) -> str | None:
    texts = [m[1].decode("utf-8", "replace") for m in _FILE_URL.finditer(data)]
    texts += [
        posixpath.dirname(word.strip('"`')) or word.strip('"`')
        for m in _EMBED.finditer(data)
        for word in m[1].decode("utf-8", "replace").split()
    ]
    for text in texts:
        found = _folder_for(store, text, folder)
        if found is not None:
            return found
    folders = _migration_folders(store)
    return folders[0] if len(folders) == 1 else None


# -- compose


def _from_compose(store: FactStore) -> Iterator[MigrationTool]:
    for file, service in store.get(compose_files).services():
        tool = _IMAGES.get(image_repository(service.image or "").removesuffix("-alpine"))
        if tool is None:
            continue
        words = " ".join((*service.entrypoint, *service.command)).split()
        folder, missing = _mounted_folder(store, file.path, service, words)
        judged = _judged(store, tool, service.location, words, folder, missing, f"service {service.name}")
        elsewhere = _not_started(store, file, service) or _other_database(store, file.path, service, words)
        if elsewhere and judged.wired.value != NO:
            judged = replace(judged, wired=Answer(NO, elsewhere, (service.location,)))
        yield judged


def _not_started(store: FactStore, file: ComposeFile, service: Service) -> str:
    """Why `docker compose up` does not run what the image of a service is for; nothing when it does."""
    started = is_started(service, default_environment(store, posixpath.dirname(file.path)))
    if started.value != NO:
        return ""
    switches = [f"--profile {name}" for name in service.profiles] + [
        f"--profile={n}" for n in service.profiles
    ]
    switches += [f"run {service.name}", f"run --rm {service.name}", "COMPOSE_PROFILES"]
    for path in store.repository.files:
        text = store.repository.text(path) or "" if service.profiles and _may_start(path) else ""
        if path != file.path and any(switch in text for switch in switches):
            return ""
    return f"service {service.name} does not run: {started.because}"


def _other_database(store: FactStore, path: str, service: Service, words: Sequence[str]) -> str:
    """What is wrong with the database that a service migrates: one that its server does not have, or nothing."""
    environment = dict(default_environment(store, posixpath.dirname(path)))
    given = [w.partition("=")[2] or following for w, following in zip(words, [*words[1:], ""], strict=True)
             if w.lstrip("-").partition("=")[0] in ("database", "url", "u")]  # fmt: skip
    given += [
        e.value for e in service.environment if e.name in ("DATABASE_URL", "GOOSE_DBSTRING") and e.value
    ]
    for url in given:
        target = _DATABASE_URL.match(shell.expand(url.strip("'\""), environment) or "")
        if (
            target is not None
            and target[1] not in _hosts(store)
            and re.fullmatch(r"(?!localhost$)[\w-]+", target[1])
        ):
            return f"it migrates a database on {target[1]}, and no compose file has a service of that name"
        server = next(
            (s for s in store.get(postgres_services) if target and s.service.name == target[1]), None
        )
        if target is None or server is None or server.database in (None, "", target[2]) or not target[2]:
            continue
        made = store.repository.grep_any(b"CREATE DATABASE", b"create database", b"createdb")
        if not any(target[2].encode() in (store.repository.read(p) or b"") for p in made):
            return f"it migrates the database {target[2]}, but {target[1]} has {server.database}"
    return ""


def _hosts(store: FactStore) -> set[str | None]:
    """The names under which the containers of compose files find each other."""
    services = [service for _, service in store.get(compose_files).services()]
    return {name for service in services for name in (service.name, service.container_name, *service.aliases)}


def _steps(tool: str, words: Sequence[str], files: Sequence[str]) -> int | None:
    """How many of the migrations a command applies: `up 1`, `goto 2`, `up-to 2`, `up-by-one`; None for all."""
    for verb, following in zip(words, [*words[1:], ""], strict=True):
        number = int(following) if following.isdigit() else None
        if verb == "up" and tool == "golang-migrate":
            return number
        if verb in ("goto", "up-to") and number is not None:
            return sum(1 for path in files if _version(path) <= number)
        if verb == "up-by-one":
            return 1
    return None


def _version(path: str) -> int:
    name = posixpath.basename(path)
    match = _NUMBERED.match(name) or _SINGLE.match(name)
    return int(match[1]) if match is not None else 0


def _mounted_folder(
    store: FactStore, path: str, service: Service, words: Sequence[str]
) -> tuple[str | None, str | None]:
    """The repository folder behind the path that the tool is given, or the path that is not there."""
    wanted = _path_option(words)
    for volume in service.volumes:
        if volume.path is None:
            continue
        if wanted is None or wanted.rstrip("/").startswith(volume.target.rstrip("/")):
            rest = (wanted or volume.target)[len(volume.target) :].strip("/")
            folder = posixpath.normpath(posixpath.join(volume.path, rest))
            if store.repository.is_directory(folder):
                return folder, None
            return None, folder
    if wanted is not None and wanted.startswith("/") and service.build is None:
        if not any(wanted.startswith(volume.target.rstrip("/") or "/") for volume in service.volumes):
            return None, wanted  # the image of a tool holds no migrations
    return None, None


def _path_option(words: Sequence[str]) -> str | None:
    names = (
        "-path",
        "--path",
        "-source",
        "--source",
        "-dir",
        "--dir",
        "-d",
        "--migrations-dir",
        "-m",
        "--migrations",
    )
    for word, following in zip(words, [*words[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        if name in names:
            return (value if equals else following).removeprefix("file://").strip("'\"") or None
        if word.startswith("-locations="):
            return word.partition("=")[2].removeprefix("filesystem:")
    return None


def _judged(
    store: FactStore,
    tool: str,
    where: Location,
    words: Sequence[str],
    folder: str | None,
    missing: str | None,
    who: str,
) -> MigrationTool:
    text = " ".join(words)
    applies = _APPLY[tool] & set(words)
    wired = Answer(YES, f"{who} runs it", (where,))
    if not applies:
        wired = Answer(NO, f"{who} does not apply migrations", (where,))
    elif missing is not None:
        is_there = store.repository.is_directory(posixpath.normpath(missing))
        why = "holds no numbered migrations" if is_there else "is no folder of the repository"
        wired = Answer(NO, f"{who} reads {missing}, which {why}", (where,))
    elif folder is not None and not _migration_files(store, folder):
        wired = Answer(NO, f"{who} reads {folder}/, which holds no migrations", (where,))
    files = _migration_files(store, folder) if folder is not None else []
    versions = [_version(path) for path in files]
    twice = next((v for v in versions if versions.count(v) > 1), None)
    if twice is not None and wired.value == YES:
        wired = Answer(
            NO, f"two migrations in {folder}/ have the version {twice}, which {tool} refuses", (where,)
        )
    own_table = "x-migrations-table" in text or "-table" in words
    return MigrationTool(
        tool,
        where,
        wired,
        folder,
        None if own_table else HISTORY[tool],
        "search_path" in text,
        _steps(tool, words, files),
    )


# -- scripts, Makefiles and CI


def _from_scripts(store: FactStore) -> Iterator[MigrationTool]:
    from zuno_audit.languages.script import commands, dialect_of

    for path in store.repository.files:
        dialect = dialect_of(path)
        if _is_foreign(path) or (dialect is None and _WORKFLOW.fullmatch(path) is None):
            continue
        data = store.repository.read(path) or b""
        if not any(name.encode() in data for name in _PROGRAMS):
            continue
        if dialect is not None:
            text = data.decode("utf-8", "replace")
            steps = [(command.line, command.words) for command in commands(text, dialect)]
        else:
            steps = list(_workflow_commands(store, path))
        for line, words in steps:
            tool = _command_tool(words)
            if tool is not None and _APPLY[tool] & set(words):
                yield _script_tool(store, tool, path, line, words)


def _workflow_commands(store: FactStore, path: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    from zuno_audit.languages.script import commands
    from zuno_audit.languages.yaml import read_yaml, scalars

    document = read_yaml(store.repository, path)
    for root in document.documents:
        if root is None:
            continue
        for keys, scalar in scalars(root):
            if _SCRIPT_KEYS & set(keys[-2:]):
                for command in commands(scalar.text, "shell"):
                    yield document.at(scalar).line + command.line, command.words


def _command_tool(words: tuple[str, ...]) -> str | None:
    """The tool that a command line starts, also through `docker run`, `docker compose run` and `go run`."""
    if not words:
        return None
    names = [posixpath.basename(word).partition(":")[0].partition("@")[0] for word in words]
    if names[0] in _PROGRAMS:
        return _PROGRAMS[names[0]]
    if names[0] in ("docker", "docker-compose", "podman", "npx", "sudo") and (
        "run" in names or names[0] == "sudo"
    ):
        return next((_PROGRAMS[name] for name in names if name in _PROGRAMS), None)
    if names[:2] == ["go", "run"] and any("/" in word for word in words):
        return next((t for prefix, t in _LIBRARIES.items() if any(w.startswith(prefix) for w in words)), None)
    return None


def _script_tool(store: FactStore, tool: str, path: str, line: int, words: tuple[str, ...]) -> MigrationTool:
    written = _path_option(words)
    folder = None
    missing = None
    if written is not None and "$" not in written:
        folder = _folder_for(store, written, posixpath.dirname(path) if not path.startswith(".") else "")
        missing = written if folder is None else None
    elif written is None:
        folders = _migration_folders(store)
        folder = folders[0] if len(folders) == 1 else None
    return _judged(store, tool, at_line(path, line), words, folder, missing, posixpath.basename(path))


# -- running them


def run_migrations(store: FactStore, runs: list[DatabaseRun]) -> tuple[DatabaseRun, ...]:
    """Apply the migrations of every tool that something starts to the database of the first server."""
    for tool in store.get(migration_tools):
        if tool.wired.value == NO or tool.folder is None or tool.tool is None:
            continue
        if not runs:
            runs = [DatabaseRun(tool.location.path, tool.location, None, new_server(None))]
        _apply(store, tool, runs[0])
    return tuple(runs)


def _apply(store: FactStore, tool: MigrationTool, run: DatabaseRun) -> None:
    server = run.server
    assert tool.folder is not None
    if tool.own_schema:
        server.doubt = server.doubt or f"the schema is chosen in {tool.location.path}"
    stopped = ""
    for path in _migration_files(store, tool.folder)[: tool.steps]:
        if stopped:
            run.not_reached[path] = stopped
            continue
        outcome = _migrate(store, tool, server, path)
        run.outcomes[path] = outcome
        if outcome.failure is not None:
            line = place(store, path, outcome.failure.offset).line
            stopped = f"{path}:{line} fails: {outcome.failure.message}"
        for doubt in outcome.doubts:
            run.doubts.append((doubt.message, place(store, path, doubt.offset)))


def _migrate(store: FactStore, tool: MigrationTool, server: Server, path: str) -> Outcome:
    from zuno_audit.facts.postgres.scripts import run_migration
    from zuno_audit.languages.sql.scripts import parse_file

    text = store.repository.text(path) or ""
    body, options = up_section(text)
    wrapped = tool.tool in ("goose", "dbmate", "flyway", "atlas", "sql-migrate", "tern")
    if re.search(
        r"no transaction|transaction:\s*false", text if tool.tool == "goose" else options, re.IGNORECASE
    ):
        wrapped = False
    if "atlas:txmode none" in text:
        wrapped = False
    by_statement = tool.tool != "golang-migrate"
    pieces = store.get(sql_files).file(path).pieces if body == text else parse_file(body)
    return run_migration(server, path, pieces, wrapped=wrapped, by_statement=by_statement)


def up_section(text: str) -> tuple[str, str]:
    """The part of a file that applies it, everything else as blanks, and the options of its heading."""
    start = _SECTION_START.search(text)
    begin = start.end() if start is not None else 0
    stop = _SECTION_END.search(text, begin)
    end = stop.start() if stop is not None else len(text)
    blank = re.sub(r"[^\n]", " ", text[:begin])
    return blank + text[begin:end], start[1] if start is not None else ""


def migration_tool_table(store: FactStore) -> Table:
    """Table `migration_tool`: one row per use of a migration tool, and per folder of migrations without one.

    Fields: `tool` (None for such a folder), `wired` yes/no/unknown (something that runs applies migrations
    with it), `folder` (None when it is not known), `runs` yes/no/unknown (its migrations run on PostgreSQL),
    `history` (the table that remembers what was applied; None when it is named elsewhere).
    """
    from zuno_audit.facts.sql_runs import database_runs

    tools = store.get(migration_tools)
    runs = store.get(database_runs) if tools else ()
    rows = tuple(_row(store, tool, runs) for tool in tools)
    looked = tuple(p for p in store.repository.files if p.endswith(".sql") or _may_start(p))
    return Table("migration_tool", rows, looked, store.get(compose_files).problems)


def _row(store: FactStore, tool: MigrationTool, runs: Sequence[DatabaseRun]) -> Entity:
    fields = {
        "tool": Answer(tool.tool),
        "wired": tool.wired,
        "folder": Answer(tool.folder),
        "runs": _runs(store, tool, runs),
        "history": Answer(tool.history, proof=(tool.location,)),
    }
    return Entity("migration_tool", tool.location, fields)


def _runs(store: FactStore, tool: MigrationTool, runs: Sequence[DatabaseRun]) -> Answer:
    if tool.wired.value == NO:
        return replace(tool.wired)
    if tool.folder is None:
        return Answer(UNKNOWN, "which migrations it applies is not known", (tool.location,))
    files = _migration_files(store, tool.folder)
    for run in runs:
        for path in files:
            outcome = run.outcomes.get(path)
            if outcome is not None and outcome.failure is not None:
                where = place(store, path, outcome.failure.offset)
                if run.service is None and _OF_OTHERS.search(outcome.failure.message):
                    why = "nothing says that it is for PostgreSQL, and it has a type of another database"
                    return Answer(UNKNOWN, f"{path}:{where.line}: {why}", (where,))
                return Answer(NO, f"{path}:{where.line} fails: {outcome.failure.message}", (where,))
        for why, where in run.doubts:
            if where.path in files:
                return Answer(UNKNOWN, f"{where.path}:{where.line}: {why}", (where,))
    return Answer(YES, f"{len(files)} migrations run", tuple(at_line(path) for path in files[:3]))
