"""Variables from the template to the code that reads them."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.environment import env_var
from zuno_audit.model.entity import Entity

COMPOSE = """\
services:
  api:
    build: {context: ., dockerfile: Dockerfile}
    environment:
      - LIMIT=${LIMIT}
  db:
    image: postgres:16
    environment: {POSTGRES_PASSWORD: "${DB_PASSWORD}"}
  cache:
    image: redis:7
    environment: {CACHE_PASSWORD: "${CACHE_PASSWORD}"}
"""
DOCKERFILE = """\
FROM golang:1.25 AS b
WORKDIR /src
COPY . .
RUN go build -o /app ./cmd/api
FROM scratch
COPY --from=b /app /app
"""
MAIN = """\
package main

import (
	"os"

	"example.com/m/env"
)

const tokenName = "API_TOKEN"

func main() {
	_ = env.GetString("LIMIT", "10")
	_ = os.Getenv(tokenName)
	// _ = os.Getenv("COMMENTED_OUT")
}
"""
ENV = """\
package env

import "os"

func GetString(key, fallback string) string {
	if v, ok := os.LookupEnv(key); ok {
		return v
	}
	return fallback
}
"""
DEAD = 'package dead\n\nimport "os"\n\nvar X = os.Getenv("DEAD_SWITCH")\n'
FILES = {
    "go.mod": "module example.com/m\n\ngo 1.25\n",
    "cmd/api/main.go": MAIN,
    "env/env.go": ENV,
    "dead/dead.go": DEAD,
    "Dockerfile": DOCKERFILE,
    "docker-compose.yml": COMPOSE,
    ".env.example": "LIMIT=1\nDB_PASSWORD=x\nDEAD_SWITCH=1\nCACHE_PASSWORD=x\nAPI_TOKEN=\nNOBODY=1\n",
}


def variable(store: FactStore, name: str) -> Entity:
    return next(row for row in env_var(store).rows if row.get("name").value == name)


def changed(path: str, old: str, new: str) -> dict[str, str]:
    assert old in FILES[path]
    return {**FILES, path: FILES[path].replace(old, new)}


def test_a_variable_that_arrives(tmp_path: Path) -> None:
    row = variable(store_of(tmp_path, FILES), "LIMIT")
    assert values(row, "read", "effective", "undelivered_to", "documented", "readers") == (
        "yes",
        "yes",
        (),
        "yes",
        ("cmd/api",),
    )
    assert (row.location.path, row.location.line) == ("cmd/api/main.go", 12)


def test_a_variable_that_compose_does_not_pass_on(tmp_path: Path) -> None:
    row = variable(store_of(tmp_path, FILES), "API_TOKEN")
    assert values(row, "read", "effective", "undelivered_to") == ("yes", "no", ("api",))


@pytest.mark.parametrize(
    "more",
    [
        "      - API_TOKEN\n",
        "      - API_TOKEN=${API_TOKEN}\n",
        "    env_file: .env\n",
        "    env_file: [.env]\n",
    ],
)
def test_ways_to_pass_it_on(tmp_path: Path, more: str) -> None:
    files = changed("docker-compose.yml", "      - LIMIT=${LIMIT}\n", "      - LIMIT=${LIMIT}\n" + more)
    assert values(variable(store_of(tmp_path, files), "API_TOKEN"), "effective") == ("yes",)


def test_an_overlay_may_pass_it_on(tmp_path: Path) -> None:
    overlay = "services:\n  api:\n    environment: {API_TOKEN: '${API_TOKEN}'}\n"
    store = store_of(tmp_path, {**FILES, "docker-compose.prod.yml": overlay})
    assert values(variable(store, "API_TOKEN"), "effective") == ("yes",)


def test_code_that_no_binary_links_reads_nothing(tmp_path: Path) -> None:
    row = variable(store_of(tmp_path, FILES), "DEAD_SWITCH")
    assert values(row, "read", "used", "effective") == ("no", "no", "no")
    assert "no binary links" in row.get("effective").because


def test_a_comment_reads_nothing(tmp_path: Path) -> None:
    names = [row.get("name").value for row in env_var(store_of(tmp_path, FILES)).rows]
    assert "COMMENTED_OUT" not in names
    assert "LIMIT" in names


def test_a_documented_variable_that_nothing_reads(tmp_path: Path) -> None:
    assert values(variable(store_of(tmp_path, FILES), "NOBODY"), "used", "templates") == (
        "no",
        (".env.example",),
    )


def test_a_password_reaches_a_server_whose_image_reads_it(tmp_path: Path) -> None:
    row = variable(store_of(tmp_path, FILES), "DB_PASSWORD")
    assert values(row, "used", "containers") == ("yes", ("db", "postgres"))


def test_redis_reads_no_variable_but_its_command_may(tmp_path: Path) -> None:
    row = variable(store_of(tmp_path, FILES), "CACHE_PASSWORD")
    assert values(row, "used", "containers") == ("no", ())
    other = tmp_path / "other"
    other.mkdir()
    command = 'image: redis:7\n    command: ["sh", "-c", "redis-server --requirepass $$CACHE_PASSWORD"]'
    row = variable(
        store_of(other, changed("docker-compose.yml", "image: redis:7", command)), "CACHE_PASSWORD"
    )
    assert values(row, "used", "containers") == ("yes", ("cache", "redis"))


def test_a_variable_under_another_name_in_the_container_is_not_read(tmp_path: Path) -> None:
    files = changed("docker-compose.yml", "- LIMIT=${LIMIT}", "- LIMITS=${LIMIT}")
    assert values(variable(store_of(tmp_path, files), "LIMIT"), "effective") == ("no",)


def test_names_that_a_loop_reads_count(tmp_path: Path) -> None:
    loop = 'for _, name := range []string{"FIRST_URL", "SECOND_URL"} {\n\t\t_ = os.Getenv(name)\n\t}'
    store = store_of(tmp_path, changed("cmd/api/main.go", "_ = os.Getenv(tokenName)", loop))
    assert values(variable(store, "SECOND_URL"), "read", "documented") == ("yes", "no")


def test_an_env_file_in_git_documents_what_it_sets(tmp_path: Path) -> None:
    loop = 'for _, name := range []string{"FIRST_URL", "SECOND_URL"} {\n\t\t_ = os.Getenv(name)\n\t}'
    files = changed("cmd/api/main.go", "_ = os.Getenv(tokenName)", loop)
    store = store_of(tmp_path, {**files, "deploy/.env.ci": "SECOND_URL=http://x\nSTRAY=1\n"})
    assert values(variable(store, "SECOND_URL"), "documented_in") == (("deploy/.env.ci",),)
    assert "STRAY" not in [row.get("name").value for row in env_var(store).rows]


def test_without_compose_reading_is_enough(tmp_path: Path) -> None:
    files = {path: text for path, text in FILES.items() if path != "docker-compose.yml"}
    assert values(variable(store_of(tmp_path, files), "API_TOKEN"), "effective") == ("yes",)


def test_wrappers_of_wrappers_and_another_name_for_os(tmp_path: Path) -> None:
    env = (
        'package env\n\nimport sys "os"\n\nfunc get(k string) string { return sys.Getenv(k) }\n\n'
        "func GetString(key, fallback string) string {\n\tif v := get(key); v != fallback {\n"
        "\t\treturn v\n\t}\n"
        "\treturn fallback\n}\n"
    )
    assert values(variable(store_of(tmp_path, {**FILES, "env/env.go": env}), "LIMIT"), "read") == ("yes",)
