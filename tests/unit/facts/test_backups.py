"""Scripts that back databases up and restore them: what they really run, and whether it fits."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.backups import backup_scripts, restore_scripts

COMPOSE = """\
services:
  postgres:
    image: postgres:17
    environment: {POSTGRES_DB: marketplace, POSTGRES_PASSWORD: x}
    volumes: ["./init:/docker-entrypoint-initdb.d"]
  mongodb:
    image: mongo:8
"""
SCHEMA = "CREATE SCHEMA auth;\nCREATE TABLE auth.sessions (id int);\n"
DUMP = "docker compose exec -T postgres pg_dump -U postgres marketplace > out.sql\n"
MONGO = "docker compose exec -T mongodb mongodump --archive > out.gz\n"


@pytest.mark.parametrize(
    ("text", "tools"),
    [
        (DUMP + MONGO, {"pg_dump", "mongodump"}),
        (DUMP + "# " + MONGO, {"pg_dump"}),
        (DUMP + "exit 0\n" + MONGO, {"pg_dump"}),
        (DUMP + "mongo() {\n  " + MONGO + "}\n", {"pg_dump"}),
        (DUMP + "mongo() {\n  " + MONGO + "}\nmongo\n", {"pg_dump", "mongodump"}),
        (DUMP + "if false; then\n  " + MONGO + "fi\n", {"pg_dump"}),
        (DUMP + 'if [ -n "$1" ]; then\n  ' + MONGO + "fi\n", {"pg_dump", "mongodump"}),
        (DUMP + "cat <<EOF\n" + MONGO + "EOF\n", {"pg_dump"}),
        (DUMP + "docker compose exec -T mongodb mongodump --version\n", {"pg_dump"}),
        (
            "case $1 in\n  sql) PGPASSWORD=x pg_dump marketplace > a;;\nesac\n" + MONGO,
            {"pg_dump", "mongodump"},
        ),
    ],
)
def test_tools_count_where_the_script_runs_them(tmp_path: Path, text: str, tools: set[str]) -> None:
    (script,) = backup_scripts(store_of(tmp_path, {"docker-compose.yml": COMPOSE, "backup.sh": text}))
    assert script.tools == tools
    assert script.obstacle == ""


def test_a_dump_that_nobody_keeps_is_an_obstacle(tmp_path: Path) -> None:
    text = DUMP.replace("out.sql", "/dev/null") + MONGO
    (script,) = backup_scripts(store_of(tmp_path, {"docker-compose.yml": COMPOSE, "backup.sh": text}))
    assert "/dev/null" in script.obstacle


CREATE = "docker compose exec -T postgres createdb -U postgres test_restore\n"
READ = "docker compose exec -T postgres psql -U postgres test_restore < out.sql\n"
COUNT = (
    'docker compose exec -T postgres psql -U postgres test_restore -c "SELECT count(*) FROM auth.sessions;"\n'
)


@pytest.mark.parametrize(
    ("text", "obstacle"),
    [
        (CREATE + READ + COUNT, ""),
        (CREATE + COUNT, "nothing in it reads a dump"),
        (READ + COUNT, "nothing creates the database test_restore"),
        (CREATE + READ + COUNT.replace("sessions", "session"), "no table auth.session is created"),
        (CREATE + READ + COUNT.replace("auth.sessions", "other.things"), ""),  # a schema that others make
    ],
)
def test_a_restore_reads_a_dump_into_tables_that_are_there(tmp_path: Path, text: str, obstacle: str) -> None:
    files = {"docker-compose.yml": COMPOSE, "init/up.sql": SCHEMA, "restore.sh": text}
    (script,) = restore_scripts(store_of(tmp_path, files))
    assert script.obstacle == obstacle
