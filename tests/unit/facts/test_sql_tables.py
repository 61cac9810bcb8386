"""Databases as tables: who runs which file, and what exists afterwards."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.checks.database import index_created, schema_created, table_created
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.migrations import migration_tool_table
from zuno_audit.facts.sql import db_index, db_schema, db_table, sql_script
from zuno_audit.model.finding import Finding

COMPOSE = """\
services:
  db:
    image: postgres:15-alpine
    environment:
      POSTGRES_DB: ${DATABASE}
      POSTGRES_USER: app
      POSTGRES_PASSWORD: ${PASSWORD}
    volumes:
      - ./a/up.sql:/docker-entrypoint-initdb.d/01-a.sql
      - ./b/up.sql:/docker-entrypoint-initdb.d/02-b.sql
"""
A = "CREATE SCHEMA a;\nCREATE TABLE a.one (id int PRIMARY KEY, at timestamptz);\n"
B = "CREATE TABLE two (id int REFERENCES a.one (id));\nCREATE INDEX two_id ON two USING brin (id);\n"


def repository(tmp_path: Path, files: dict[str, str]) -> FactStore:
    base = {"docker-compose.yml": COMPOSE, "a/up.sql": A, "b/up.sql": B, ".env.example": "DATABASE=shop\n"}
    return store_of(tmp_path, {**base, **files})


def created(store: FactStore, kind: str = "table") -> dict[object, object]:
    table = {"table": db_table, "index": db_index, "schema": db_schema}[kind](store)
    return {row.get("name").value: row.get("created").value for row in table.rows}


def test_mounted_files_run_in_the_order_of_their_names(tmp_path: Path) -> None:
    store = repository(tmp_path, {})
    assert created(store) == {"one": "yes", "two": "yes"}
    assert created(store, "schema") == {"a": "yes"}
    one, two = db_table(store).rows
    assert values(one, "schema", "database", "columns") == ("a", "shop", ("id", "at"))
    assert two.get("schema").value == "public"
    assert one.get("created").proof[0].line == 2


def test_other_names_other_order(tmp_path: Path) -> None:
    store = repository(tmp_path, {"docker-compose.yml": COMPOSE.replace("01-a", "03-a")})
    assert created(store) == {"one": "no", "two": "no"}
    assert "stops" not in db_schema(store).rows[0].get("created").because
    assert "b/up.sql:1" in db_schema(store).rows[0].get("created").because


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (
            {"a/up.sql": A + "CREATE TABLE x (a int,);\nCREATE TABLE three (a int);\n"},
            {"one": "yes", "two": "no"},
        ),
        ({"docker-compose.yml": COMPOSE.replace("./b/", "./c/")}, {"one": "yes", "two": "no"}),
        ({"docker-compose.yml": COMPOSE.replace("02-b.sql", "02-b.sql.bak")}, {"one": "yes", "two": "no"}),
        (
            {"docker-compose.yml": COMPOSE.replace("initdb.d/02", "initdb.d/sub/02")},
            {"one": "yes", "two": "no"},
        ),
        ({"a/up.sql": "BEGIN;\n" + A}, {"one": "no", "two": "no"}),
        ({"a/up.sql": "begin;\n" + A + "commit;\n"}, {"one": "yes", "two": "yes"}),
    ],
)
def test_what_keeps_a_table_from_being_there(
    tmp_path: Path, files: dict[str, str], expected: dict[str, str]
) -> None:
    found = created(repository(tmp_path, files))
    assert {name: found[name] for name in expected} == expected


def test_a_mounted_folder_and_a_dockerfile_count(tmp_path: Path) -> None:
    folder = COMPOSE.split("    volumes")[0] + "    volumes: ['./db:/docker-entrypoint-initdb.d:ro']\n"
    store = store_of(tmp_path / "x", {"docker-compose.yml": folder, "db/1.sql": A, "db/deep/2.sql": B})
    assert created(store) == {"one": "yes", "two": "no"}
    built = folder.split("    volumes")[0].replace("image: postgres:15-alpine", "build: ./db")
    dockerfile = "FROM postgres:15\nCOPY init/*.sql /docker-entrypoint-initdb.d/\n"
    files = {"docker-compose.yml": built, "db/Dockerfile": dockerfile, "db/init/1.sql": A, "db/2.sql": B}
    assert created(store_of(tmp_path / "y", files)) == {"one": "yes", "two": "no"}


def test_a_shell_script_feeds_psql(tmp_path: Path) -> None:
    script = (
        "#!/bin/bash\nset -e\n"
        'psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" <<-EOSQL\n'
        "\tCREATE SCHEMA a;\n\tCREATE TABLE a.one (id int PRIMARY KEY);\nEOSQL\n"
    )
    mounted = COMPOSE.replace("./a/up.sql", "./a/up.sh").replace("01-a.sql", "01-a.sh")
    store = repository(tmp_path, {"docker-compose.yml": mounted, "a/up.sh": script})
    assert created(store, "schema")["a"] == "yes"
    assert created(store)["two"] == "yes"


@pytest.mark.parametrize(
    ("file", "mount", "expected"),
    [
        ("/sql/up.sql", "./sql:/sql:ro", "yes"),
        ("/sql/up.sql", "./sql/up.sql:/sql/up.sql", "yes"),
        ("/sql/up.sql", "./other:/sql", "unknown"),
        ("/elsewhere/up.sql", "./sql:/sql", "unknown"),
    ],
)
def test_a_shell_script_runs_a_mounted_file(tmp_path: Path, file: str, mount: str, expected: str) -> None:
    mounted = COMPOSE.replace("./a/up.sql", "./a/up.sh").replace("01-a.sql", "01-a.sh") + f"      - {mount}\n"
    script = f'#!/bin/bash\npsql -v ON_ERROR_STOP=1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -f {file}\n'
    files = {"docker-compose.yml": mounted, "a/up.sh": script, "sql/up.sql": A}
    assert created(repository(tmp_path, files))["two"] == expected


def test_an_unknown_command_leaves_doubt(tmp_path: Path) -> None:
    mounted = COMPOSE.replace("./a/up.sql", "./a/up.sh").replace("01-a.sql", "01-a.sh")
    store = repository(tmp_path, {"docker-compose.yml": mounted, "a/up.sh": "#!/bin/sh\n/opt/magic --now\n"})
    run = schema_created(store, {"schema": "a"})
    assert [f.undecided for f in run.findings] == [True]


def test_scripts_say_why(tmp_path: Path) -> None:
    store = repository(tmp_path, {"a/up.sql": A + "oops;", "c/x.sql": "CREATE TABLE c (a int);"})
    because = [row.get("runs").because for row in sql_script(store).rows]
    assert because[0].startswith("line 3: syntax error")
    assert "a/up.sql:3 fails" in because[1]
    assert because[2] == "nothing runs it"


# -- migrations

MIGRATION = "db/migrations/000001_init.up.sql"
SERVICE = """\
  migrate:
    image: migrate/migrate:v4.17.0
    command: ["-path", "/m", "-database", "postgres://x", "up"]
    volumes: ["./db/migrations:/m"]
"""


def tool(store: FactStore) -> tuple[object, ...]:
    (row,) = migration_tool_table(store).rows
    return values(row, "tool", "wired", "runs")


def test_a_folder_that_nothing_reads(tmp_path: Path) -> None:
    store = repository(tmp_path, {MIGRATION: "CREATE TABLE m (a int);"})
    assert tool(store) == (None, "no", "no")
    assert created(store)["m"] == "no"


def test_migrations_of_another_database_are_not_called_broken(tmp_path: Path) -> None:
    main = """package main

import (
	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/source/file"
)

func main() {
	m, err := migrate.New("file://db/migrations", "sqlite3://x.db")
	if err != nil {
		panic(err)
	}
	_ = m.Up()
}
"""
    go_mod = "module example.com/app\n\ngo 1.22\n"
    for type_, runs in (("BLOB", "unknown"), ("nonsense", "no"), ("BYTEA", "yes")):
        text = f"CREATE TABLE m (a {type_} NOT NULL);"
        store = store_of(tmp_path / type_, {MIGRATION: text, "main.go": main, "go.mod": go_mod})
        assert tool(store) == ("golang-migrate", "yes", runs)


def test_a_compose_service_migrates_after_the_init_scripts(tmp_path: Path) -> None:
    text = "CREATE TABLE m (a int REFERENCES a.one (id));"
    store = repository(tmp_path, {MIGRATION: text, "docker-compose.yml": COMPOSE + SERVICE})
    assert tool(store) == ("golang-migrate", "yes", "yes")
    assert created(store)["m"] == "yes"


@pytest.mark.parametrize(
    ("service", "migration", "expected"),
    [
        (SERVICE.replace('"up"', '"version"'), "CREATE TABLE m (a int);", ("golang-migrate", "no", "no")),
        (
            SERVICE.replace("./db/migrations:", "./nowhere:"),
            "CREATE TABLE m (a int);",
            ("golang-migrate", "no", "no"),
        ),
        (SERVICE.replace('"/m"', '"/sql"'), "CREATE TABLE m (a int);", ("golang-migrate", "no", "no")),
        (
            SERVICE.replace("postgres://x", "postgres://u@db:5432/scratch?sslmode=disable"),
            "CREATE TABLE m (a int);",
            ("golang-migrate", "no", "no"),
        ),
        (SERVICE, A, ("golang-migrate", "yes", "no")),  # the init script has made the schema already
        (SERVICE, "BEGIN; CREATE INDEX CONCURRENTLY i ON two (id); COMMIT;", ("golang-migrate", "yes", "no")),
    ],
)
def test_a_service_that_does_not_migrate(
    tmp_path: Path, service: str, migration: str, expected: tuple[str, ...]
) -> None:
    store = repository(tmp_path, {MIGRATION: migration, "docker-compose.yml": COMPOSE + service})
    rows = {values(row, "tool", "wired", "runs") for row in migration_tool_table(store).rows}
    assert expected in rows


def test_two_migrations_of_one_version_are_refused(tmp_path: Path) -> None:
    files = {MIGRATION: "CREATE TABLE m (a int);", MIGRATION.replace("init", "more"): "SELECT 1;"}
    store = repository(tmp_path, {**files, "docker-compose.yml": COMPOSE + SERVICE})
    assert tool(store) == ("golang-migrate", "no", "no")
    assert created(store)["m"] == "no"


@pytest.mark.parametrize(
    ("verb", "made"), [('"up"', "yes"), ('"up", "1"', "no"), ('"goto", "1"', "no"), ('"goto", "2"', "yes")]
)
def test_only_so_many_migrations_are_applied(tmp_path: Path, verb: str, made: str) -> None:
    files = {
        MIGRATION: "CREATE TABLE m (a int);",
        MIGRATION.replace("000001_init", "000002_more"): "CREATE TABLE n (a int);",
        "docker-compose.yml": COMPOSE + SERVICE.replace('"up"', verb),
    }
    found = created(repository(tmp_path, files))
    assert (found["m"], found["n"]) == ("yes", made)


@pytest.mark.parametrize(
    ("step", "wired"),
    [
        ("migrate -path db/migrations -database $URL up", "yes"),
        ("docker run --rm -v $PWD/db/migrations:/m migrate/migrate -path=db/migrations up", "yes"),
        ("go install github.com/golang-migrate/migrate/v4/cmd/migrate@latest", None),
        ("migrate -path db/migrations down", None),
    ],
)
def test_ci_migrates_or_only_installs(tmp_path: Path, step: str, wired: str | None) -> None:
    workflow = f"jobs:\n  test:\n    steps:\n      - run: |\n          echo hi\n          {step}\n"
    files = {MIGRATION: "CREATE TABLE m (a int);", ".github/workflows/ci.yml": workflow}
    found = {
        row.get("tool").value: row.get("wired").value
        for row in migration_tool_table(repository(tmp_path, files)).rows
    }
    assert found.get("golang-migrate") == wired


@pytest.mark.parametrize(
    ("folder", "reason"),
    [
        ("services/a/db", "reads services/a/db, which holds no numbered migrations"),
        ("services/b/db", "reads services/b/db, which is no folder of the repository"),
    ],
)
def test_a_folder_without_migrations_is_not_called_missing(tmp_path: Path, folder: str, reason: str) -> None:
    files = {"services/a/db/up.sql": "CREATE TABLE m (a int);", "migrate.sh": f"migrate -path {folder} up\n"}
    (row,) = migration_tool_table(repository(tmp_path, files)).rows
    assert row.fields["wired"].value == "no"
    assert reason in row.fields["wired"].because


GO_MOD = "module example.com/shop\n\ngo 1.22\n"
MIGRATOR = """\
package store

import (
	"embed"

	"github.com/golang-migrate/migrate/v4"
)

//go:embed migrations/*.sql
var files embed.FS

func Migrate(url string) error {
	m, err := migrate.New("iofs://migrations", url)
	if err != nil {
		return err
	}
	return m.Up()
}
"""


@pytest.mark.parametrize(
    ("main", "wired"),
    [
        (
            'package main\n\nimport "example.com/shop/store"\n\nfunc main() { _ = store.Migrate("x") }\n',
            "yes",
        ),
        ('package main\n\nimport _ "example.com/shop/store"\n\nfunc main() {}\n', "no"),
        ("package main\n\nfunc main() {}\n", "no"),
    ],
)
def test_a_library_counts_when_main_reaches_it(tmp_path: Path, main: str, wired: str) -> None:
    files = {
        "go.mod": GO_MOD,
        "main.go": main,
        "store/store.go": MIGRATOR,
        "store/migrations/000001_x.up.sql": "CREATE TABLE m (a int);",
    }
    (row,) = migration_tool_table(repository(tmp_path, files)).rows
    assert values(row, "tool", "wired", "folder") == ("golang-migrate", wired, "store/migrations")


def test_goose_runs_the_upper_half_only(tmp_path: Path) -> None:
    text = "-- +goose Up\nCREATE TABLE m (a int);\n-- +goose Down\nDROP TABLE m;\n"
    files = {
        "db/migrations/00001_init.sql": text,
        "Makefile": "migrate:\n\tgoose -dir db/migrations postgres $(URL) up\n",
    }
    assert created(repository(tmp_path, files))["m"] == "yes"


# -- rules


def index(store: FactStore, **arguments: str) -> list[Finding]:
    defaults = {"table": "", "index": "", "columns": "", "method": "", "unique": "no", "time_series": "no"}
    return list(index_created(store, {**defaults, **arguments}).findings)


@pytest.mark.parametrize(
    ("statement", "levels"),
    [
        ("CREATE UNIQUE INDEX once ON a.one (id, at) WHERE at IS NOT NULL;", []),
        ("ALTER TABLE a.one ADD CONSTRAINT once UNIQUE (at, id);", []),
        ('create unique index "other" on a.one using btree (id, at);', ["note"]),
        ("CREATE INDEX once ON a.one (id, at);", ["error"]),
        ("CREATE UNIQUE INDEX once ON a.one (id);", ["error"]),
        ("CREATE UNIQUE INDEX once ON a.one (id, at) WHERE id > 5;", ["error"]),
        ("ALTER TABLE a.one ADD CONSTRAINT once UNIQUE (id, at) WHERE at IS NOT NULL;", ["error"]),
        ("-- CREATE UNIQUE INDEX once ON a.one (id, at);", ["error"]),
        ("CREATE UNIQUE INDEX once ON a.one (id, at); DROP INDEX a.once;", ["error"]),
        ("VACUUM; CREATE UNIQUE INDEX once ON a.one (id, at);", ["warning"]),
    ],
)
def test_a_unique_index_by_meaning(tmp_path: Path, statement: str, levels: list[str]) -> None:
    store = repository(tmp_path, {"a/up.sql": A + statement})
    findings = index(store, table="one", index="once", columns="id,at", unique="yes")
    assert [f.level.value for f in findings] == levels


def test_a_brin_index_needs_a_time_column(tmp_path: Path) -> None:
    assert index(repository(tmp_path / "x", {}), method="brin", time_series="yes")
    brin = {"a/up.sql": A + "CREATE INDEX i ON a.one USING BRIN (at);"}
    assert not index(repository(tmp_path / "y", brin), method="brin", time_series="yes")


@pytest.mark.parametrize(
    ("table", "schema", "strict", "levels"),
    [
        ("one", "a", "yes", []),
        ("two", "a", "no", ["error"]),  # the schema is there, the table is not in it
        ("two", "b", "no", ["note"]),  # no such schema: its own rule says so
        ("two", "b", "yes", ["error"]),
        ("three", "a", "no", ["error"]),
    ],
)
def test_a_table_in_its_schema(
    tmp_path: Path, table: str, schema: str, strict: str, levels: list[str]
) -> None:
    arguments = {"table": table, "schema": schema, "strict": strict}
    run = table_created(repository(tmp_path, {}), arguments)
    assert [f.level.value for f in run.findings] == levels


def test_an_index_made_at_run_time_is_undecided(tmp_path: Path) -> None:
    block = "DO $$ BEGIN EXECUTE format('CREATE SCHEMA %I', 'late'); END $$;\n"
    run = schema_created(repository(tmp_path, {"b/up.sql": block}), {"schema": "late"})
    assert [f.undecided for f in run.findings] == [True]


def test_rows_stay_when_files_are_split(tmp_path: Path) -> None:
    schema, table = A.splitlines()
    compose = (
        COMPOSE.replace("./a/up.sql", "./a/1.sql")
        + "      - ./a/2.sql:/docker-entrypoint-initdb.d/01-b.sql\n"
    )
    files = {"docker-compose.yml": compose, "a/1.sql": schema, "a/2.sql": table, "b/up.sql": B}
    store = store_of(tmp_path, files)
    assert column(db_table(store), "created") == ["yes", "yes"]
