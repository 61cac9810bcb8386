"""Are the exchange, the collection, the backup there that operations expect?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from zuno_audit.checks.base import could_not_run, ran, undecided, violation
from zuno_audit.facts.backups import backup_scripts, restore_scripts
from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.compose_tables import image_repository
from zuno_audit.facts.sql_runs import postgres_services
from zuno_audit.model.entity import YES, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.compose import Service
    from zuno_audit.model.finding import Finding
    from zuno_audit.model.rule_run import RuleRun


def exchange_declared(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """Somebody declares the exchange `exchange`: code that can run, or definitions that RabbitMQ loads."""
    table = store.table("amqp_exchange")
    name = arguments["exchange"]
    rows = [row for row in table.rows if row.get("name").value == name]
    made = [row for row in rows if row.get("declared").value == YES]
    scope = max(1, len(table.rows))
    if table.problems:
        return _broken(table, scope)
    if made:
        where = made[0].location
        reason = f"exchange {name} is declared: {made[0].get('declared').because}"
        return ran(reason, scope, evidence=[where])
    dynamic = [row for row in table.rows if row.get("name").value is None]
    if dynamic:
        because = dynamic[0].get("declared").because
        message = f"Whether exchange {name} is declared cannot be told: {because}."
        return ran(message.rstrip("."), scope, findings=[undecided(message, dynamic[0].location)])
    if rows:
        message = f"Exchange {name} is written here, but {rows[0].get('declared').because}."
        return _fails(message, rows[0].location, scope)
    known = sorted({str(row.get("name").value) for row in table.rows if row.get("declared").value == YES})
    message = f"Nothing that runs declares exchange {name}; declared are: {', '.join(known) or 'none'}."
    return _fails(message, _named_in(store, name) or _first(table), scope)


def collection_used(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """Code that can run uses the collection `collection` of the MongoDB database `database`."""
    table = store.table("mongo_collection")
    database, collection = arguments["database"], arguments["collection"]
    what = f"collection {collection} of database {database}"
    scope = max(1, len(table.rows))
    if table.problems:
        return _broken(table, scope)
    fitting = [
        row
        for row in table.rows
        if row.get("collection").value in (collection, None) and row.get("database").value in (database, None)
    ]
    made = [row for row in fitting if row.get("used").value == YES]
    if made:
        return ran(f"{what} is used by {made[0].get('binary').value}", scope, evidence=[made[0].location])
    if fitting:
        message = f"Whether {what} is used cannot be told: {fitting[0].get('used').because}."
        return ran(message.rstrip("."), scope, findings=[undecided(message, fitting[0].location)])
    names = sorted({f"{r.get('database').value}.{r.get('collection').value}" for r in table.rows})
    message = f"Nothing that runs uses {what}; used are: {', '.join(names) or 'none'}."
    return _fails(message, _first(table), scope)


def backup_fits(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """A tracked script backs both databases up, or the commands that operations use fit the compose file.

    Arguments: `postgres_service`, `postgres_user`, `postgres_database`, `mongo_service`.
    What is empty does not matter. `restore: yes` asks for the scripts that restore a dump, not for those
    that make it.
    """
    read = store.get(compose_files)
    scripts = store.get(backup_scripts)
    scope = max(1, len(read.files) + len(scripts))
    if read.problems:
        problem = read.problems[0]
        return could_not_run(f"{problem.path}:{problem.line}: {problem.message}", scope_size=scope)
    is_restore = arguments["restore"] == "yes"
    restores = store.get(restore_scripts) if is_restore else ()
    for script in restores:
        if script.obstacle:
            finding = violation(f"The restore script does not fit: {script.obstacle}.", script.location)
            return ran(script.obstacle, scope, findings=[finding], evidence=[script.location])
    if restores:
        return ran(f"{restores[0].location.path} fits the services", scope, evidence=[restores[0].location])
    scripts = () if is_restore else scripts
    complete = [
        script for script in scripts if script.obstacle == "" and {"pg_dump", "mongodump"} <= script.tools
    ]
    if complete:
        return ran(
            f"{complete[0].location.path} backs both databases up", scope, evidence=[complete[0].location]
        )
    missing = [*_postgres_misfit(store, arguments), *_mongo_misfit(store, arguments)]
    unfit = [script for script in scripts if script.obstacle]
    for script in unfit:
        missing.append(violation(f"The backup script does not fit: {script.obstacle}.", script.location))
    if not missing:
        places = [s.service.location for s in store.get(postgres_services)]
        return ran("the backup commands fit the services of the compose file", scope, evidence=places)
    reason = missing[0].message.rstrip(".")
    return ran(reason, scope, findings=missing, evidence=[f.location for f in missing])


def _postgres_misfit(store: FactStore, arguments: Mapping[str, str]) -> Iterator[Finding]:
    wanted = arguments["postgres_service"]
    services = store.get(postgres_services)
    found = next((s for s in services if s.service.name == wanted), None)
    if found is None:
        names = ", ".join(s.service.name for s in services) or "none"
        yield violation(
            f"No PostgreSQL service is called {wanted}; there are: {names}.", _compose_place(store)
        )
        return
    where = found.service.location
    for what, has, needs in (
        ("database", found.database, arguments["postgres_database"]),
        ("user", found.user, arguments["postgres_user"]),
    ):
        if needs and has is None:
            yield undecided(f"The {what} of service {wanted} comes from outside the repository.", where)
        elif needs and has != needs:
            yield violation(f"The {what} of service {wanted} is {has}, not {needs}.", where)


def _mongo_misfit(store: FactStore, arguments: Mapping[str, str]) -> Iterator[Finding]:
    wanted = arguments["mongo_service"]
    if not wanted:
        return
    services = [
        service
        for file, service in store.get(compose_files).services()
        if not file.is_overlay and _is_mongo(service)
    ]
    if any(service.name == wanted for service in services):
        return
    where = services[0].location if services else _compose_place(store)
    names = ", ".join(service.name for service in services) or "none"
    yield violation(f"No MongoDB service is called {wanted}; there are: {names}.", where)


def _is_mongo(service: Service) -> bool:
    return "mongo" in image_repository(service.image or "") and "express" not in (service.image or "")


def _compose_place(store: FactStore) -> Location:
    files = store.get(compose_files).paths
    return at_line(files[0] if files else "docker-compose.yml")


def _broken(table: Table, scope: int) -> RuleRun:
    problem = table.problems[0]
    return could_not_run(f"{problem.path}:{problem.line}: {problem.message}", scope_size=scope)


def _fails(message: str, where: Location, scope: int) -> RuleRun:
    return ran(message.rstrip("."), scope, findings=[violation(message, where)], evidence=[where])


def _first(table: Table) -> Location:
    if table.rows:
        return table.rows[0].location
    return at_line(table.files[0] if table.files else ".")


def _named_in(store: FactStore, name: str) -> Location | None:
    """A Go file that names the exchange without declaring it."""
    literal = f'"{name}"'.encode()
    for path in store.repository.grep(literal, suffix=".go"):
        if not path.endswith("_test.go"):
            data = store.repository.read(path) or b""
            return at_line(path, data[: data.find(literal)].count(b"\n") + 1)
    return None
