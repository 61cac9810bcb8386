"""Compose files: records and tables."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import column, store_of, values

from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.compose_tables import compose_env, compose_service

BASE = """\
services:
  db:
    image: docker.io/library/postgres:15
    environment:
      POSTGRES_PASSWORD: ${DB_PASSWORD:?set it}
    healthcheck:
      test: ["CMD", "pg_isready"]
  api:
    build:
      context: .
      dockerfile: docker/api.Dockerfile
    env_file: [.env, {path: other.env, required: false}]
    environment:
      - PORT=:${PORT}
      - MODE
      - LITERAL=x
      - EMPTY=
    ports:
      - "${PORT}:${PORT}"
      - "127.0.0.1:9000:9001/udp"
      - target: 7000
        published: "7001"
    volumes: [./data:/data:ro, named:/n]
    depends_on: {db: {condition: service_healthy}}
"""


def test_fields_of_services(tmp_path: Path) -> None:
    store = store_of(tmp_path, {"docker-compose.yml": BASE, ".env.example": "PORT=80\n"})
    db, api = compose_service(store).rows
    assert values(db, "name", "repository", "healthcheck", "has_build") == ("db", "postgres", "yes", "no")
    assert db.location.line == 2
    assert values(api, "has_build", "dockerfile", "dockerfile_exists", "healthcheck") == (
        "yes",
        "docker/api.Dockerfile",
        "no",
        "no",
    )
    assert values(api, "ports", "container_ports") == (
        ("80:80", "9000:9001", "7001:7000"),
        ("80", "9001", "7000"),
    )
    assert values(api, "env_names", "env_files") == (
        ("PORT", "MODE", "LITERAL", "EMPTY"),
        (".env", "other.env"),
    )
    assert values(api, "depends_on", "volumes") == (("db",), ("./data:/data", "named:/n"))


def test_environment_says_where_a_value_comes_from_and_never_the_value(tmp_path: Path) -> None:
    table = compose_env(store_of(tmp_path, {"compose.yaml": BASE.replace("LITERAL=x", "LITERAL=hunter2")}))
    assert column(table, "source") == ["reference", "mixed", "caller", "literal", "empty"]
    assert column(table, "required") == ["yes", "no", "no", "no", "no"]
    assert "hunter2" not in repr(table)


def test_a_disabled_health_check_is_none(tmp_path: Path) -> None:
    disabled = "  a: {image: x, healthcheck: {disable: true}}\n"
    off = f"services:\n{disabled}  b: {{image: x, healthcheck: {{test: NONE}}}}\n"
    assert column(compose_service(store_of(tmp_path, {"compose.yml": off})), "healthcheck") == ["no", "no"]


@pytest.mark.parametrize(
    ("service", "runs"),
    [
        ("image: 'redis:7'", "yes"),
        ("image: 'redis:7', scale: 0", "no"),
        ("image: 'redis:7', deploy: {replicas: 0}", "no"),
        ("image: 'redis:7', deploy: {replicas: 2}", "yes"),
        ("image: 'redis:7', profiles: [tools]", "no"),
        ("image: 'redis:7', entrypoint: [sleep, infinity]", "no"),
        ("image: 'redis:7', command: 'sh -c \"tail -f /dev/null\"'", "no"),
        ("image: 'redis:7', command: [redis-server, --appendonly, 'yes']", "yes"),
    ],
)
def test_a_service_that_compose_does_not_start(tmp_path: Path, service: str, runs: str) -> None:
    files = {"compose.yml": f"services:\n  a: {{{service}}}\n"}
    assert column(compose_service(store_of(tmp_path, files)), "runs") == [runs]


def test_an_active_profile_starts_its_services(tmp_path: Path) -> None:
    text = "services:\n  a: {image: x, profiles: [tools]}\n"
    files = {"compose.yml": text, ".env.example": "COMPOSE_PROFILES=dev,tools\n"}
    assert column(compose_service(store_of(tmp_path, files)), "runs") == ["yes"]


def test_a_built_image_is_what_it_stands_on(tmp_path: Path) -> None:
    text = (
        "services:\n  db: {image: 'shop-db:latest', build: ./db}\n  c: {image: 'docker.io/bitnami/redis:7'}\n"
    )
    files = {"compose.yml": text, "db/Dockerfile": "FROM postgres:15-alpine\nCOPY up.sql /\n"}
    assert column(compose_service(store_of(tmp_path, files)), "software") == ["postgres", "redis"]


def test_overlays_are_laid_over_the_base_of_their_folder(tmp_path: Path) -> None:
    overlay = "services:\n  api:\n    environment: {TLS: 'true', LITERAL: y}\n"
    files = {
        "docker-compose.yml": BASE,
        "docker-compose.tls.yml": overlay,
        "other/docker-compose.dev.yml": overlay,
    }
    read = compose_files(store_of(tmp_path, files))
    assert {file.path: file.base for file in read.files} == {
        "docker-compose.tls.yml": "docker-compose.yml",
        "docker-compose.yml": None,
        "other/docker-compose.dev.yml": None,
    }
    api = next(s for s in read.merged("docker-compose.yml", "docker-compose.tls.yml") if s.name == "api")
    assert {e.name: e.value for e in api.environment}["LITERAL"] == "y"
    assert (api.variable("TLS") is not None, api.build is not None) == (True, True)


def test_extends_brings_what_the_parent_has(tmp_path: Path) -> None:
    text = "services:\n  a: {image: x, environment: {A: '1'}}\n  b: {extends: a, environment: {B: '2'}}\n"
    rows = compose_service(store_of(tmp_path, {"compose.yml": text})).rows
    assert values(rows[1], "image", "env_names") == ("x", ("A", "B"))


def test_extends_in_a_circle_ends(tmp_path: Path) -> None:
    text = "services:\n  a: {extends: b, image: x}\n  b: {extends: a}\n"
    assert len(compose_service(store_of(tmp_path, {"compose.yml": text})).rows) == 2


def test_a_file_of_another_name_counts_by_its_services(tmp_path: Path) -> None:
    files = {
        "deploy/stack.yml": "services:\n  a: {image: x}\n",
        ".github/workflows/ci.yml": "jobs:\n  a:\n    services:\n      db: {image: x}\n",
    }
    assert compose_service(store_of(tmp_path, files)).files == ("deploy/stack.yml",)


def test_a_broken_compose_file_is_a_problem(tmp_path: Path) -> None:
    table = compose_service(store_of(tmp_path, {"docker-compose.yml": "services:\n  a: [\n"}))
    assert [problem.path for problem in table.problems] == ["docker-compose.yml"]
    assert table.files == ("docker-compose.yml",)


def test_a_key_twice_is_a_problem_because_compose_refuses_it(tmp_path: Path) -> None:
    text = "services:\n  a: {image: x}\n  a: {image: y}\n"
    (problem,) = compose_service(store_of(tmp_path, {"compose.yml": text})).problems
    assert problem.line == 3


def test_a_command_is_shown_without_its_passwords(tmp_path: Path) -> None:
    command = (
        "run --requirepass hunter2 --password=hunter2 -d postgres://u:hunter2@db/x --port 80 --token $$T"
    )
    text = f"services:\n  a: {{image: x, command: '{command}'}}\n"
    (row,) = compose_service(store_of(tmp_path, {"compose.yml": text})).rows
    shown = str(row.get("command").value)
    assert "hunter2" not in shown
    assert "--port 80 --token $$T" in shown


def test_a_service_of_an_overlay_needs_one_of_its_name_below(tmp_path: Path) -> None:
    overlay = "services:\n  api: {environment: {TLS: 'on'}}\n  apis: {environment: {TLS: 'on'}}\n  new: {image: x}\n"
    table = compose_service(
        store_of(tmp_path, {"docker-compose.yml": BASE, "docker-compose.tls.yml": overlay})
    )
    found = {values(row, "file", "name"): row.get("startable").value for row in table.rows}
    assert [name for (_, name), answer in found.items() if answer == "no"] == ["apis"]


def test_an_overlay_of_a_file_that_does_not_parse_is_left_open(tmp_path: Path) -> None:
    overlay = "services:\n  api: {environment: {TLS: 'on'}}\n"
    files = {"docker-compose.yml": "services:\n  api: [\n", "docker-compose.tls.yml": overlay}
    assert column(compose_service(store_of(tmp_path, files)), "startable") == ["unknown"]
