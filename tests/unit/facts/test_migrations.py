"""Migrations count where something that is started applies them to a database that is there."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.migrations import migration_tool_table

COMPOSE = """\
services:
  postgres:
    image: postgres:17
    environment: {POSTGRES_DB: app, POSTGRES_PASSWORD: x}
  migrate:
    image: migrate/migrate:v4.19.0
    command: ["-path", "/migrations", "-database", "postgres://postgres:x@postgres:5432/app", "up"]
    volumes: ["./migrations:/migrations"]
"""
MIGRATION = {"migrations/000001_a.up.sql": "CREATE TABLE a (id int);\n"}
PROFILE = COMPOSE.replace("  migrate:\n", '  migrate:\n    profiles: ["tools"]\n')


@pytest.mark.parametrize(
    ("compose", "more", "wired"),
    [
        (COMPOSE, {}, "yes"),
        (PROFILE, {}, "no"),
        (PROFILE, {"deploy.sh": "docker compose --profile tools up -d\n"}, "yes"),
        (PROFILE, {"deploy.sh": "docker compose run --rm migrate\n"}, "yes"),
        (PROFILE, {".env.example": "COMPOSE_PROFILES=tools\n"}, "yes"),
        (COMPOSE.replace("@postgres:", "@pg:"), {}, "no"),
        (COMPOSE.replace("@postgres:", "@pg:").replace("17\n", "17\n    hostname: pg\n"), {}, "yes"),
        (COMPOSE.replace("@postgres:", "@db.example.com:"), {}, "yes"),
        (COMPOSE.replace("v4.19.0\n", 'v4.19.0\n    entrypoint: ["echo"]\n'), {}, "no"),
        (COMPOSE.replace("v4.19.0\n", "v4.19.0\n    deploy: {replicas: 0}\n"), {}, "no"),
    ],
)
def test_a_service_that_migrates_has_to_be_started(
    tmp_path: Path, compose: str, more: dict[str, str], wired: str
) -> None:
    rows = migration_tool_table(store_of(tmp_path, {"docker-compose.yml": compose, **MIGRATION, **more})).rows
    (row,) = (row for row in rows if row.get("tool").value)
    assert row.get("wired").value == wired
