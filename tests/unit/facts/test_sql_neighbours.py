"""Exchanges and collections that running Go code and compose make, and backups that fit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.checks.data_stores import backup_fits, collection_used, exchange_declared
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.messaging import amqp_exchange
from zuno_audit.facts.mongo import mongo_collection

GO_MOD = "module example.com/shop\n\ngo 1.22\n"
MAIN = """\
package main

import "example.com/shop/bus"

func main() { bus.Start(nil) }
"""
BUS = """\
package bus

import (
	"os"

	amqp "github.com/rabbitmq/amqp091-go"
)

const Orders = "orders.events"

type Exchange struct{ Name, Kind string }

type Queue struct{ Name string }

var chosen string

func declare(ch *amqp.Channel, e Exchange) error {
	return ch.ExchangeDeclare(e.Name, e.Kind, true, false, false, false, nil)
}

func Start(ch *amqp.Channel) {
	_ = os.Getenv
	%s
}

func Unused(ch *amqp.Channel) {
	_ = ch.ExchangeDeclare("unused.events", "topic", true, false, false, false, nil)
}
"""


def exchanges(tmp_path: Path, body: str) -> dict[object, object]:
    store = store_of(tmp_path, {"go.mod": GO_MOD, "main.go": MAIN, "bus/bus.go": BUS % body})
    return {row.get("name").value: row.get("declared").value for row in amqp_exchange(store).rows}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ('_ = ch.ExchangeDeclare("x", "topic", true, false, false, false, nil)', {"x": "yes"}),
        ('_ = ch.ExchangeDeclare(Orders, "topic", true, false, false, false, nil)', {"orders.events": "yes"}),
        (
            'for _, n := range []string{Orders, "b"} {\n'
            '\t\t_ = ch.ExchangeDeclare(n, "topic", true, false, false, false, nil)\n\t}',
            {"orders.events": "yes", "b": "yes"},
        ),
        ('_ = declare(ch, Exchange{Name: Orders, Kind: "topic"})', {"orders.events": "yes"}),
        (
            'for _, e := range []Exchange{{Name: Orders}, {Name: "b"}} {\n\t\t_ = declare(ch, e)\n\t}',
            {"orders.events": "yes", "b": "yes"},
        ),
        (
            '_ = ch.ExchangeDeclare(os.Getenv("EXCHANGE"), "topic", true, false, false, false, nil)',
            {None: "unknown"},
        ),
        ('_ = declare(ch, Exchange{Orders, "topic"})', {"orders.events": "yes"}),
        (
            'q := Queue{Name: "q"}\n\tprintln(q.Name)\n\te := &Exchange{Name: Orders}\n'
            '\t_ = ch.ExchangeDeclare(e.Name, "topic", true, false, false, false, nil)',
            {"orders.events": "yes"},
        ),
        (
            'chosen = "chosen"\n\t_ = ch.ExchangeDeclare(chosen, "topic", true, false, false, false, nil)',
            {"chosen": "yes"},
        ),
        ("println(Orders)", {}),
    ],
)
def test_exchanges_that_running_code_declares(tmp_path: Path, body: str, found: dict[str, str]) -> None:
    assert exchanges(tmp_path, body) == found


def test_exchange_rule_names_what_is_declared(tmp_path: Path) -> None:
    files = {"go.mod": GO_MOD, "main.go": MAIN, "bus/bus.go": BUS % "println(Orders)"}
    run = exchange_declared(store_of(tmp_path, files), {"exchange": "orders.events"})
    (finding,) = run.findings
    assert "declared are: none" in finding.message
    assert (finding.location.path, finding.location.line) == ("bus/bus.go", 9)


RABBIT = """\
services:
  rabbit:
    image: rabbitmq:3-management
    volumes:
      - ./rabbit/definitions.json:/etc/rabbitmq/definitions.json:ro
      - ./rabbit/rabbitmq.conf:/etc/rabbitmq/rabbitmq.conf:ro
"""


@pytest.mark.parametrize(
    ("compose", "conf", "declared"),
    [
        (RABBIT, "load_definitions = /etc/rabbitmq/definitions.json\n", "yes"),
        (RABBIT, "# load_definitions = /etc/rabbitmq/definitions.json\n", "no"),
        (
            RABBIT.replace("./rabbit/definitions.json", "./other.json"),
            "load_definitions = /etc/rabbitmq/x\n",
            "no",
        ),
    ],
)
def test_definitions_count_when_they_are_loaded(
    tmp_path: Path, compose: str, conf: str, declared: str
) -> None:
    definitions = json.dumps(
        {"exchanges": [{"name": "orders.events", "vhost": "/", "type": "topic"}]}, indent=1
    )
    files = {
        "docker-compose.yml": compose,
        "rabbit/definitions.json": definitions,
        "rabbit/rabbitmq.conf": conf,
    }
    (row,) = amqp_exchange(store_of(tmp_path, files)).rows
    assert values(row, "name", "declared", "via") == ("orders.events", declared, "definitions")


MONGO = """\
package main

import (
	"os"

	"go.mongodb.org/mongo-driver/mongo"
)

const raw = "raw"

type wrapper struct{ db *mongo.Database }

func (w *wrapper) get() *mongo.Database { return w.db }

func main() {
	client, _ := mongo.Connect(nil)
	w := &wrapper{db: client.Database(os.Getenv("MONGO_DATABASE"))}
	use(w)
}

func use(w *wrapper) { _ = w.get().Collection(raw) }

func unused(w *wrapper) { _ = w.get().Collection("never") }
"""


def mongo_store(tmp_path: Path, source: str = MONGO) -> FactStore:
    compose = """\
services:
  app:
    build: .
    environment:
      MONGO_DATABASE: ${MONGO_DATABASE}
  mongo:
    image: mongo:6
"""
    dockerfile = (
        "FROM golang:1.22 AS b\nWORKDIR /s\nCOPY . .\nRUN go build -o /app .\n"
        "FROM scratch\nCOPY --from=b /app /app\n"
    )
    return store_of(
        tmp_path,
        {
            "go.mod": GO_MOD,
            "main.go": source,
            "docker-compose.yml": compose,
            "Dockerfile": dockerfile + 'CMD ["/app"]\n',
            ".env.example": "MONGO_DATABASE=events\n",
        },
    )


def test_collections_of_running_code(tmp_path: Path) -> None:
    (row,) = mongo_collection(mongo_store(tmp_path)).rows
    assert values(row, "database", "collection", "used") == ("events", "raw", "yes")


@pytest.mark.parametrize(
    ("source", "levels"),
    [
        (MONGO, []),
        (MONGO.replace('raw = "raw"', 'raw = "events.raw"'), ["error"]),
        (MONGO.replace("\tuse(w)\n", ""), ["error"]),
        (MONGO.replace('os.Getenv("MONGO_DATABASE")', '"app"'), ["error"]),
        (MONGO.replace('os.Getenv("MONGO_DATABASE")', "os.Args[1]"), ["warning"]),
    ],
)
def test_collection_rule(tmp_path: Path, source: str, levels: list[str]) -> None:
    run = collection_used(mongo_store(tmp_path, source), {"database": "events", "collection": "raw"})
    assert [f.level.value for f in run.findings] == levels


def test_init_script_of_mongo(tmp_path: Path) -> None:
    compose = (
        "services:\n  m:\n    image: mongo:6\n    volumes: ['./init.js:/docker-entrypoint-initdb.d/i.js']\n"
    )
    script = "// db.createCollection('no')\ndb = db.getSiblingDB('events');\ndb.createCollection('raw');\n"
    (row,) = mongo_collection(store_of(tmp_path, {"docker-compose.yml": compose, "init.js": script})).rows
    assert values(row, "database", "collection", "used") == ("events", "raw", "yes")
    assert row.location.line == 3


DATABASES = """\
services:
  postgres:
    image: postgres:15
    environment: {POSTGRES_DB: "${DB:-shop}", POSTGRES_USER: postgres}
  mongodb:
    image: mongo:6
"""
ARGUMENTS = {
    "postgres_service": "postgres",
    "postgres_user": "postgres",
    "postgres_database": "shop",
    "mongo_service": "mongodb",
    "restore": "no",
}
SCRIPT = """\
#!/bin/sh
docker compose exec -T {pg} pg_dump -U postgres shop > a
docker compose exec mongo mongodump > b
"""


@pytest.mark.parametrize(
    ("files", "levels"),
    [
        ({"docker-compose.yml": DATABASES}, []),
        ({"docker-compose.yml": DATABASES.replace("-shop", "-store")}, ["error"]),
        ({"docker-compose.yml": DATABASES.replace("mongodb:", "mongo:")}, ["error"]),
        ({"docker-compose.yml": DATABASES.replace("  postgres:\n", "  db:\n")}, ["error"]),
        ({"docker-compose.yml": DATABASES.replace("${DB:-shop}", "${DB}")}, ["warning"]),
        (
            {
                "docker-compose.yml": DATABASES.replace("mongodb:", "mongo:"),
                "backup.sh": SCRIPT.replace("{pg}", "postgres"),
            },
            [],
        ),
        (
            {
                "docker-compose.yml": DATABASES.replace("mongodb:", "mongo:"),
                "backup.sh": SCRIPT.replace("{pg}", "db"),
            },
            ["error", "error"],
        ),
        *(
            (
                {
                    "docker-compose.yml": DATABASES,
                    "backup.sh": SCRIPT.replace("{pg}", "postgres")
                    .replace("exec mongo ", "exec mongodb ")
                    .replace("-U postgres shop", options),
                },
                levels,
            )
            for options, levels in (
                ("-U postgres -d shop", []),
                ("-Fc --dbname=shop", []),
                ("-U shop", ["error"]),
                ("-p 5433", []),
                ("-s shop", ["error"]),
                ('-U postgres "$NAME"', []),
                ("-U postgres shops", ["error"]),
                ("-U postgres -d shops", ["error"]),
                ("-t shop --dbname=shops", ["error"]),
            )
        ),
    ],
)
def test_backup_fits_the_services(tmp_path: Path, files: dict[str, str], levels: list[str]) -> None:
    run = backup_fits(store_of(tmp_path, files), ARGUMENTS)
    assert [f.level.value for f in run.findings] == levels


RESTORE = """\
#!/bin/sh
docker compose exec -T postgres createdb -U postgres trial
docker compose exec -T postgres psql -U postgres trial < "$1"
docker compose exec -T postgres psql -U postgres trial -c "SELECT count(*) FROM auth.sessions;"
"""


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("", "", ""),
        ("-U postgres trial <", '--username=postgres -d "trial" <', ""),
        ("-T postgres psql", "-T db psql", "no compose file has a service db"),
        ("docker compose exec -T postgres psql", "docker exec -i shop-postgres-1 psql", ""),
        ("createdb -U postgres trial", "createdb -U postgres trials", "nothing creates the database trial"),
        ("psql -U postgres", "psql -U root", "postgres has no user root, but postgres"),
        ("auth.sessions", "public.sessions", "no table public.sessions is created"),
    ],
)
def test_a_restore_fits_services_and_schema(tmp_path: Path, old: str, new: str, reason: str) -> None:
    files = {
        "docker-compose.yml": DATABASES.replace(
            "  mongodb:", "    volumes: ['./up.sql:/docker-entrypoint-initdb.d/up.sql']\n  mongodb:"
        ),
        "up.sql": "CREATE SCHEMA auth; CREATE TABLE auth.sessions (id int);",
        "restore.sh": RESTORE.replace(old, new) if old else RESTORE,
        "backup.sh": SCRIPT.replace("{pg}", "gone"),
    }
    run = backup_fits(store_of(tmp_path, files), {**ARGUMENTS, "restore": "yes"})
    assert [f.message for f in run.findings] == (
        [f"The restore script does not fit: {reason}."] if reason else []
    )
