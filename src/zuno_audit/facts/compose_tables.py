"""Compose files as tables: `compose_service` and `compose_env`. Values never leave; names and shapes do."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.compose import ComposeFile, EnvEntry, Service, compose_files
from zuno_audit.facts.dotenv import default_environment, set_by
from zuno_audit.facts.secret_values import redacted
from zuno_audit.languages import shell
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Scalar, Table

_IDLE = re.compile(
    r"(?:(?:/bin/)?(?:ba)?sh -c )?[\"']?(?:(?:/\w+)*/)?(?:sleep \S+|true|false|tail -[fF] /dev/null|echo\b.*)[\"']?"
)


def compose_service(store: FactStore) -> Table:
    """Table `compose_service`: one row per service and file, as written there.

    Fields: `name`, `file`, `overlay` yes/no, `image`, `repository` (last segment of the image without tag and
    digest), `software` (the same of the image that it really runs: where it is built here, of the one that the
    build stands on), `runs` yes/no (`docker compose up` starts it, and what it starts is what the image is for),
    `has_build` yes/no, `context` and `dockerfile` (repository paths), `dockerfile_exists` yes/no,
    `target`, `healthcheck` yes/no, `env_names`, `env_references` (variables that the environment takes from
    outside), `env_files`, `ports` (`published:target`, variables replaced from the env template), `published`
    and `container_ports` (numbers as text), `management` (RabbitMQ with its management plugin: by the image, a
    command or a mounted enabled_plugins), `volumes` (`source:target`), `depends_on`, `networks`, `command`,
    `container_name`, `profiles`, `restart`, `startable` yes/no/unknown (it has an image or a build, its own or
    in the file below an overlay). What a service does not have is None or an empty tuple.
    """
    read = store.get(compose_files)
    rows = tuple(_service_row(store, file, service) for file, service in read.services())
    return Table("compose_service", rows, read.paths, read.problems)


def compose_env(store: FactStore) -> Table:
    """Table `compose_env`: one row per variable in the `environment` of a service.

    Fields: `name`, `service`, `file`, `overlay` yes/no, `references` (what the value takes from outside),
    `source`: `literal`, `reference`, `mixed`, `empty` or `caller` (a bare name), `has_default` yes/no,
    `required` yes/no (`${VAR:?}`). The value itself is not a field: it may be a secret.
    """
    read = store.get(compose_files)
    rows = tuple(
        _env_row(file, service, entry) for file, service in read.services() for entry in service.environment
    )
    return Table("compose_env", rows, read.paths, read.problems)


def image_repository(image: str) -> str:
    """`postgres` of `docker.io/library/postgres:15@sha256:...`: the last segment without tag and digest."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def _env_names(store: FactStore, service: Service) -> tuple[str, ...]:
    """The variables that the container gets, by `environment` or `env_file`."""
    own = [entry.name for entry in service.environment]
    by_file = (name for file in service.env_files for name in set_by(store, file.path) or ())
    return tuple(dict.fromkeys((*own, *by_file)))


def _service_row(store: FactStore, file: ComposeFile, service: Service) -> Entity:
    environment = default_environment(store, posixpath.dirname(file.path))
    fields = {
        "name": Answer(service.name),
        "file": Answer(service.path),
        "overlay": _yes_no(file.is_overlay),
        "image": Answer(service.image),
        "management": _management(store, service),
        "repository": Answer(image_repository(service.image) if service.image else None),
        "software": _software(store, service),
        "runs": is_started(service, environment),
        **_build_fields(store, service),
        "healthcheck": _healthcheck(service),
        "env_names": Answer(_env_names(store, service), proof=tuple(e.location for e in service.environment)),
        "env_references": Answer(
            tuple(dict.fromkeys(name for e in service.environment for name in e.references))
        ),
        "env_files": Answer(
            tuple(f.path for f in service.env_files), proof=tuple(f.location for f in service.env_files)
        ),
        **_port_fields(service, environment),
        "volumes": Answer(
            tuple(f"{v.source}:{v.target}" if v.source else v.target for v in service.volumes),
            proof=tuple(v.location for v in service.volumes),
        ),
        "depends_on": Answer(service.depends_on),
        "networks": Answer(service.networks),
        "command": Answer(redacted(" ".join(service.command)) or None),
        "container_name": Answer(service.container_name),
        "profiles": Answer(service.profiles),
        "restart": Answer(service.restart),
        "startable": _startable(store, file, service),
    }
    return Entity("compose_service", service.location, fields)


def _software(store: FactStore, service: Service) -> Answer:
    if service.build is None:
        return Answer(image_repository(service.image) if service.image else None)
    from zuno_audit.facts.image_stages import image_builds  # Dockerfiles: only where an image is built

    build = next((b for b in store.get(image_builds) if b.service is service), None)
    final = build.final() if build is not None else None
    base = build.image_of(final) if build is not None and final is not None else None
    if base is None:
        return Answer(UNKNOWN, "what its image stands on is not known", (service.build.location,))
    return Answer(base.repository)


def is_started(service: Service, environment: Mapping[str, str]) -> Answer:
    """Whether `docker compose up` starts the service, and with it what its image is for."""
    wanted = _expanded(service.replicas or "1", environment)
    if re.fullmatch(r"0+", wanted):
        return Answer(NO, f"compose starts {wanted} of it", (service.location,))
    active = environment.get("COMPOSE_PROFILES", "").split(",")
    if service.profiles and not {*active, "*"} & set(service.profiles) and "*" not in active:
        names = ", ".join(service.profiles)
        return Answer(NO, f"it is started for the profile {names} only", (service.location,))
    words = " ".join(service.entrypoint or service.command)
    if _IDLE.fullmatch(words):
        return Answer(NO, f"it runs {words!r} instead of what its image is for", (service.location,))
    return Answer(YES)


def _startable(store: FactStore, file: ComposeFile, service: Service) -> Answer:
    """No for a service without image and build, where the base of the overlay has none of that name either."""
    if service.image or service.build or service.extends is not None or file.includes:
        return Answer(YES)
    read = store.get(compose_files)
    base = next((f for f in read.files if f.path == file.base), None)
    if base is None or any(p.path == base.path for p in read.problems):
        return Answer(UNKNOWN, "what it is laid over is not known", (service.location,))
    if base.includes or any(s.name == service.name for s in base.services):
        return Answer(YES)
    because = f"{service.name} has neither an image nor a build, and {base.path} has no service of that name"
    return Answer(NO, because, (service.location,))


def _management(store: FactStore, service: Service) -> Answer:
    """Whether a RabbitMQ has its management plugin."""
    if service.image and "management" in service.image:
        return Answer(YES, "its image has the plugin", (service.location,))
    words = " ".join((*service.entrypoint, *service.command))
    if re.search(r"rabbitmq-plugins\b.*\benable\b.*\brabbitmq_management\b", words, re.DOTALL):
        return Answer(YES, "its command enables the plugin", (service.location,))
    for volume in service.volumes:
        if volume.path is not None and volume.target.startswith("/etc/rabbitmq"):
            inside = (
                volume.path if volume.target.endswith("enabled_plugins") else f"{volume.path}/enabled_plugins"
            )
            plugins = re.sub(r"%.*", "", store.repository.text(inside) or "")
            if re.search(r"\brabbitmq_management\b", plugins):
                return Answer(YES, "enabled_plugins names the plugin", (volume.location,))
    if service.build is not None:
        return Answer(UNKNOWN, "its image is built here", (service.location,))
    return Answer(NO, f"{service.image or 'it'} does not have the management plugin", (service.location,))


def _build_fields(store: FactStore, service: Service) -> dict[str, Answer]:
    build = service.build
    if build is None:
        none = Answer(None)
        return {"has_build": _yes_no(False), "context": none, "dockerfile": none} | {
            "dockerfile_exists": none,
            "target": none,
        }
    proof = (build.location,)
    is_there = build.inline is not None or build.dockerfile in store.repository
    exists = UNKNOWN if "$" in build.dockerfile or "://" in build.context else YES if is_there else NO
    return {
        "has_build": Answer(YES, proof=proof),
        "context": Answer(build.context, proof=proof),
        "dockerfile": Answer(None if build.inline is not None else build.dockerfile, proof=proof),
        "dockerfile_exists": Answer(exists, proof=proof),
        "target": Answer(build.target, proof=proof),
    }


def _healthcheck(service: Service) -> Answer:
    check = service.healthcheck
    if check is None:
        return Answer(NO, "the service has no healthcheck", (service.location,))
    if check.disabled:
        return Answer(NO, "the health check is disabled", (check.location,))
    if not check.test:
        return Answer(NO, "the health check has no test of its own", (check.location,))
    return Answer(YES, "a health check is configured", (check.location,))


def _port_fields(service: Service, environment: Mapping[str, str]) -> dict[str, Answer]:
    proof = tuple(port.location for port in service.ports)
    published = tuple(_expanded(port.published or "", environment) for port in service.ports)
    targets = tuple(_expanded(port.target, environment) for port in service.ports)
    pairs = tuple(f"{p}:{t}" if p else t for p, t in zip(published, targets, strict=True))
    return {
        "ports": Answer(pairs, proof=proof),
        "published": Answer(tuple(p for p in published if p), proof=proof),
        "container_ports": Answer(targets, proof=proof),
    }


def _expanded(text: str, environment: Mapping[str, str]) -> str:
    """The text with its variables replaced where the template knows them."""
    value = shell.expand(text, environment)
    return text if value is None else value


def _env_row(file: ComposeFile, service: Service, entry: EnvEntry) -> Entity:
    found = shell.references(entry.value or "")
    fields = {
        "name": Answer(entry.name),
        "service": Answer(service.name),
        "file": Answer(entry.location.path),
        "overlay": _yes_no(file.is_overlay),
        "references": Answer(entry.references),
        "source": Answer(_source(entry, found)),
        "has_default": _yes_no(any(r.default is not None for r in found)),
        "required": _yes_no(any(r.is_required for r in found)),
    }
    return Entity("compose_env", entry.location, fields)


def _source(entry: EnvEntry, found: tuple[shell.Reference, ...]) -> Scalar:
    if entry.value is None:
        return "caller"
    if not entry.value:
        return "empty"
    if not found:
        return "literal"
    only = found[0]
    return "reference" if (only.start, only.end) == (0, len(entry.value)) else "mixed"


def _yes_no(holds: bool) -> Answer:
    return Answer(YES if holds else NO)
