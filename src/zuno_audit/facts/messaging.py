"""AMQP exchanges that somebody declares: Go code that can run, or definitions that RabbitMQ loads."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.compose import Service, compose_files
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_LOADS = re.compile(
    r"^\s*(?:management\.)?(?:load_definitions|definitions\.local\.path)\s*=\s*(\S+)", re.MULTILINE
)
_MAX_JSON = 2_000_000


def amqp_exchange(store: FactStore) -> Table:
    """Table `amqp_exchange`: one row per exchange and place that declares it.

    Fields: `name` (None when it cannot be known), `declared` yes/no/unknown, `via` code/definitions, `binary`
    (the main package, None for definitions). A constant that is only published to has no row.
    """
    rows = [*_from_code(store), *_from_definitions(store)]
    looked = tuple(store.repository.grep(b"amqp", suffix=".go")) + store.get(compose_files).paths
    problems = store.repository.unread_like(looked) + store.get(compose_files).problems
    return Table("amqp_exchange", tuple(sorted(rows, key=lambda r: r.location)), looked, problems)


def _from_code(store: FactStore) -> Iterator[Entity]:
    if not store.repository.grep(b"ExchangeDeclare", suffix=".go"):
        return
    from zuno_audit.facts.deployed import values
    from zuno_audit.facts.go.settings import settings

    texts = store.get(settings)
    for root, call in texts.origins.method_calls("ExchangeDeclare"):
        mains = texts.origins.reach.mains(root.file.path, call.start)
        if not mains or not call.args:
            continue
        where = root.file.location(call.start, call.end)
        found = values(store, texts.templates(call.args[0], root), mains).texts
        for name, main in found.items():
            yield _row(name, Answer(YES, f"{main} declares it", (where,)), "code", main, where)
        if not found:
            because = "the name of the exchange cannot be followed"
            yield _row(None, Answer(UNKNOWN, because, (where,)), "code", min(mains), where)


def _row(name: str | None, declared: Answer, via: str, binary: str | None, where: Location) -> Entity:
    fields = {"name": Answer(name), "declared": declared, "via": Answer(via), "binary": Answer(binary)}
    return Entity("amqp_exchange", where, fields)


def _from_definitions(store: FactStore) -> Iterator[Entity]:
    repository = store.repository
    for path in repository.grep(b'"exchanges"', suffix=".json"):
        data = repository.read(path)
        if data is None or len(data) > _MAX_JSON:
            continue
        try:
            content = json.loads(data)
        except (ValueError, RecursionError):
            yield _row(
                None,
                Answer(UNKNOWN, f"{path} is no valid JSON", (at_line(path),)),
                "definitions",
                None,
                at_line(path),
            )
            continue
        exchanges = content.get("exchanges") if isinstance(content, dict) else None
        if not isinstance(exchanges, list):
            continue
        loaded = _loaded(store, path)
        for exchange in exchanges:
            name = exchange.get("name") if isinstance(exchange, dict) else None
            if isinstance(name, str) and name:
                line = data[: max(data.find(json.dumps(name).encode()), 0)].count(b"\n") + 1
                yield _row(name, loaded, "definitions", None, at_line(path, line))


def _loaded(store: FactStore, path: str) -> Answer:
    """Whether a RabbitMQ service gets the file and is told to load it."""
    here = at_line(path)
    for file, service in store.get(compose_files).services():
        if file.is_overlay or "rabbitmq" not in (service.image or service.name):
            continue
        target = next((v.target for v in service.volumes if _mounts(v.path, v.target, path)), None)
        if target is None:
            continue
        if _is_told(store, service, target, path):
            return Answer(YES, f"service {service.name} loads it", (service.location, here))
        reason = f"service {service.name} mounts it, but nothing tells RabbitMQ to load it"
        return Answer(NO, reason, (service.location, here))
    return Answer(NO, "no RabbitMQ service mounts it", (here,))


def _mounts(source: str | None, target: str, path: str) -> bool:
    return source is not None and (path == source or path.startswith(source.rstrip("/") + "/"))


def _is_told(store: FactStore, service: Service, target: str, path: str) -> bool:
    name = path.rsplit("/", 1)[-1]
    for volume in service.volumes:
        if volume.path is None or not volume.target.startswith("/etc/rabbitmq"):
            continue
        for conf in [volume.path, *store.repository.glob(f"{volume.path}/**")]:
            text = (
                store.repository.text(conf) if conf in store.repository and conf.endswith(".conf") else None
            )
            match = _LOADS.search(text) if text is not None else None
            if match is not None and (match[1] == target or match[1].endswith("/" + name)):
                return True
    settings = " ".join(e.value or "" for e in service.environment) + " ".join(service.command)
    return "load_definitions" in settings and name in settings
