"""Compose files: their services as records for other facts and as tables for rules.

A file counts by its name (`compose.yml`, `docker-compose.yml`, `docker-compose.tls.yaml`...) or, under any
other name, when its top level has `services` with images or builds. `x.NAME.yml` next to a base file is an
overlay.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.base import FactStore
from zuno_audit.languages import shell
from zuno_audit.languages.yaml import (
    YamlEntry,
    YamlFile,
    YamlList,
    YamlMap,
    YamlNode,
    YamlScalar,
    items,
    read_yaml,
    scalar_text,
    texts,
)
from zuno_audit.model.entity import Problem
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind, kind_by_path

_FILE_NAME = re.compile(r"(?:docker-)?compose(?:[.-][\w.-]+)?\.ya?ml", re.IGNORECASE)
_STRUCTURE = re.compile(r"[:{}\[\]]")
_BASE_NAMES = (
    "compose.yaml",
    "compose.yml",
    "docker-compose.yaml",
    "docker-compose.yml",
)  # compose's own order
MAX_EXTENDS = 8  # how far a chain of `extends` is followed

_T = TypeVar("_T")


class EnvEntry(Struct, frozen=True):
    """One variable that a container gets. `value` is as written; None when the caller's shell gives it."""

    name: str
    value: str | None
    location: Location

    @property
    def references(self) -> tuple[str, ...]:
        """The variables that the value takes from outside; for a bare name the name itself."""
        return (self.name,) if self.value is None else shell.names(self.value)


class EnvFile(Struct, frozen=True):
    """An `env_file` of a service. `path` is relative to the repository root."""

    path: str
    location: Location
    required: bool = True


class Port(Struct, frozen=True):
    """A published port. The texts may hold references; `published` is None when compose picks one."""

    target: str
    published: str | None
    location: Location
    host: str = ""
    protocol: str = "tcp"


class Volume(Struct, frozen=True):
    """A mount. `source` is as written, None when anonymous; `path` the repository path of a bind mount."""

    source: str | None
    target: str
    location: Location
    read_only: bool = False
    path: str | None = None


class Build(Struct, frozen=True):
    """How an image is built. `context` and `dockerfile` are relative to the repository root.

    `written` has the keys that are there; the others hold what compose assumes.
    """

    context: str
    dockerfile: str
    location: Location
    target: str | None = None
    args: tuple[EnvEntry, ...] = ()
    inline: str | None = None
    written: frozenset[str] = frozenset()


class Healthcheck(Struct, frozen=True):
    """A health check; `test` is the command, or empty when only times are set."""

    location: Location
    test: tuple[str, ...] = ()
    disabled: bool = False


class Service(Struct, frozen=True):
    """One service of one file, as written there."""

    name: str
    path: str
    location: Location
    image: str | None = None
    build: Build | None = None
    environment: tuple[EnvEntry, ...] = ()
    env_files: tuple[EnvFile, ...] = ()
    ports: tuple[Port, ...] = ()
    expose: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    volumes: tuple[Volume, ...] = ()
    depends_on: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    entrypoint: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    container_name: str | None = None
    restart: str | None = None
    extends: tuple[str, str] | None = None  # file and service
    network_mode: str | None = None
    aliases: tuple[str, ...] = ()  # further names that it has on its networks
    replicas: str | None = None  # of `deploy` or `scale`
    log_driver: str | None = None

    def variable(self, name: str) -> EnvEntry | None:
        """What `environment` says of a variable, or None."""
        return next((entry for entry in self.environment if entry.name == name), None)


class ComposeFile(Struct, frozen=True):
    """One file. `base` is the file it is laid over, None when it stands on its own.

    `references` are all variables that compose replaces anywhere in it, each with every place.
    """

    path: str
    services: tuple[Service, ...]
    base: str | None = None
    name: str | None = None
    networks: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    references: tuple[tuple[shell.Reference, Location], ...] = ()

    @property
    def is_overlay(self) -> bool:
        """True when the file is laid over another one."""
        return self.base is not None

    def service(self, name: str) -> Service | None:
        """The service of that name, or None."""
        return next((service for service in self.services if service.name == name), None)


class ComposeFiles(Struct, frozen=True):
    """All compose files of the repository and what could not be read of them."""

    files: tuple[ComposeFile, ...]
    paths: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def file(self, path: str) -> ComposeFile | None:
        """The file at `path`, or None."""
        return next((file for file in self.files if file.path == path), None)

    def services(self) -> Iterator[tuple[ComposeFile, Service]]:
        """Every service of every file as written there."""
        for file in self.files:
            for service in file.services:
                yield file, service

    def overlays(self, base: str) -> tuple[ComposeFile, ...]:
        """The files laid over `base`."""
        return tuple(file for file in self.files if file.base == base)

    def beside(self, base: str) -> tuple[str, ...]:
        """The overlay that compose reads without being told: `NAME.override.yml` beside `NAME.yml`."""
        stem = posixpath.splitext(base)[0]
        wanted = (f"{stem}.override.yml", f"{stem}.override.yaml")
        return tuple(file.path for file in self.files if file.path in wanted)[:1]

    def merged(self, *paths: str) -> tuple[Service, ...]:
        """The services that `docker compose -f A -f B` sees: later files win, lists are joined.

        Unknown paths are left out.
        """
        found: dict[str, Service] = {}
        for path in paths:
            file = self.file(path)
            for service in file.services if file is not None else ():
                known = found.get(service.name)
                found[service.name] = service if known is None else merge_services(known, service)
        return tuple(found.values())


def compose_files(store: FactStore) -> ComposeFiles:
    """Every compose file of the repository."""
    repository = store.repository
    paths = tuple(path for path in repository.files if _may_be_compose(store, path))
    files: list[ComposeFile] = []
    looked_at: list[str] = []
    problems: list[Problem] = []
    bases = {posixpath.dirname(path): path for path in sorted(paths, key=_base_rank, reverse=True)}
    for path in paths:
        document = read_yaml(repository, path)
        by_name = _has_compose_name(path)
        if document.problems:
            if by_name:
                looked_at.append(path)
                problems += document.problems
            continue
        root = document.documents[0] if document.documents else None
        if not isinstance(root, YamlMap) or not (by_name or _has_containers(root)):
            continue
        looked_at.append(path)
        problems += document.duplicates
        files.append(_file(document, root, _base_of(path, bases)))
    read = ComposeFiles(tuple(files), tuple(looked_at), tuple(problems))
    known: dict[Location, Service] = {}
    return replace(read, files=tuple(_with_extends(read, file, known) for file in files))


def _with_extends(read: ComposeFiles, file: ComposeFile, known: dict[Location, Service]) -> ComposeFile:
    if all(service.extends is None for service in file.services):
        return file
    return replace(file, services=tuple(_extended(read, service, known, 0) for service in file.services))


def _extended(read: ComposeFiles, service: Service, known: dict[Location, Service], depth: int) -> Service:
    """The service with what it `extends` below it; it keeps its own place. `known` has finished ones."""
    if service.location in known:
        return known[service.location]
    source = read.file(service.extends[0]) if service.extends is not None else None
    if source is None or service.extends is None or depth >= MAX_EXTENDS:
        return service
    parent = source.service(service.extends[1])
    if parent is None:
        return service
    merged = merge_services(_extended(read, parent, known, depth + 1), service)
    known[service.location] = replace(merged, location=service.location, path=service.path)
    return known[service.location]


def _has_compose_name(path: str) -> bool:
    return _FILE_NAME.fullmatch(posixpath.basename(path)) is not None


def _may_be_compose(store: FactStore, path: str) -> bool:
    if not path.endswith((".yml", ".yaml", ".YML", ".YAML")) or kind_by_path(path) is FileKind.VENDORED:
        return False
    if _has_compose_name(path):
        return True
    data = store.repository.read(path)
    if data is None or (not data.startswith(b"services:") and b"\nservices:" not in data):
        return False
    return b"image:" in data or b"build:" in data


def _has_containers(root: YamlMap) -> bool:
    services = root.map("services")
    return services is not None and any(
        isinstance(entry.value, YamlMap) and (entry.value.entry("image") or entry.value.entry("build"))
        for entry in services.entries
    )


def _base_rank(path: str) -> int:
    name = posixpath.basename(path).lower()
    return _BASE_NAMES.index(name) if name in _BASE_NAMES else len(_BASE_NAMES)


def _base_of(path: str, bases: Mapping[str, str]) -> str | None:
    """The base of an overlay: the file with compose's own name in the same folder."""
    base = bases[posixpath.dirname(path)]
    name = posixpath.basename(path).lower()
    if base == path or name in _BASE_NAMES or _base_rank(base) == len(_BASE_NAMES):
        return None
    return base if _has_compose_name(path) else None


def _file(document: YamlFile, root: YamlMap, base: str | None) -> ComposeFile:
    services = root.map("services")
    given = _given_files(document, root)
    return ComposeFile(
        document.path,
        tuple(_service(document, e, given) for e in (services.entries if services is not None else ())),
        base,
        root.text("name"),
        _keys(root.get("networks")),
        _keys(root.get("volumes")),
        tuple(_below(document.path, path) for path in _includes(root)),
        tuple(_references(document, root)),
    )


def _references(document: YamlFile, root: YamlMap) -> Iterator[tuple[shell.Reference, Location]]:
    """Every `${VAR}` of the file, those inside defaults included."""
    stack: list[YamlNode] = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, YamlMap):
            stack += [entry.value for entry in reversed(node.entries)]
        elif isinstance(node, YamlList):
            stack += reversed(node.items)
        elif "$" in node.text:
            where = document.at(node)
            for reference in shell.references(node.text):
                yield reference, where
                for inner in shell.names(reference.argument) if reference.argument else ():
                    yield shell.Reference(inner), where


def _includes(root: YamlMap) -> Iterator[str]:
    for item in items(root.get("include")):
        if isinstance(item, YamlMap):
            yield from texts(item.get("path"))
        elif (path := scalar_text(item)) is not None:
            yield path


def _given_files(document: YamlFile, root: YamlMap) -> dict[tuple[str, str], str]:
    """The repository paths of the files behind the top-level `configs` and `secrets`, by kind and name."""
    found = {}
    for kind in ("configs", "secrets"):
        listed = root.map(kind)
        for entry in listed.entries if listed is not None else ():
            file = entry.value.text("file") if isinstance(entry.value, YamlMap) else None
            if file is not None and not file.startswith(("/", "~")):
                found[kind, entry.key] = _below(document.path, file)
    return found


def _granted(document: YamlFile, body: YamlMap, given: Mapping[tuple[str, str], str]) -> Iterator[Volume]:
    """The configs and secrets of a service: compose mounts each as a file."""
    for kind, folder in (("configs", "/"), ("secrets", "/run/secrets/")):
        for item in items(body.get(kind)):
            name = item.text("source") if isinstance(item, YamlMap) else scalar_text(item)
            if name is not None:
                target = (item.text("target") if isinstance(item, YamlMap) else None) or name
                path = given.get((kind, name))
                yield Volume(path, posixpath.join(folder, target), document.at(item), True, path)


def _aliases(body: YamlMap) -> Iterator[str]:
    networks = body.get("networks")
    for entry in networks.entries if isinstance(networks, YamlMap) else ():
        if isinstance(entry.value, YamlMap):
            yield from texts(entry.value.get("aliases"))
    hostname = body.text("hostname")
    if hostname is not None:
        yield hostname


def _service(document: YamlFile, entry: YamlEntry, given: Mapping[tuple[str, str], str]) -> Service:
    where = document.at(entry)
    body = entry.value
    if not isinstance(body, YamlMap):
        return Service(entry.key, document.path, where)
    return Service(
        entry.key,
        document.path,
        where,
        body.text("image"),
        _build(document, body.entry("build")),
        _environment(document, body.get("environment")),
        tuple(_env_files(document, body.get("env_file"))),
        tuple(_ports(document, body.get("ports"))),
        texts(body.get("expose")),
        _healthcheck(document, body.entry("healthcheck")),
        (*_volumes(document, body.get("volumes")), *_granted(document, body, given)),
        _keys(body.get("depends_on")),
        _command(body.get("command")),
        _command(body.get("entrypoint")),
        _keys(body.get("networks")),
        texts(body.get("profiles")),
        body.text("container_name"),
        body.text("restart"),
        _extends(document, body),
        body.text("network_mode"),
        tuple(_aliases(body)),
        body.text("scale") or body.text("deploy", "replicas"),
        body.text("logging", "driver"),
    )


def _extends(document: YamlFile, body: YamlMap) -> tuple[str, str] | None:
    node = body.get("extends")
    if isinstance(node, YamlMap):
        name, file = node.text("service"), node.text("file")
        return None if name is None else (_below(document.path, file) if file else document.path, name)
    name = scalar_text(node)
    return None if name is None else (document.path, name)


def _keys(node: YamlNode | None) -> tuple[str, ...]:
    """The names of a list of names or of a mapping by name."""
    if isinstance(node, YamlMap):
        return tuple(entry.key for entry in node.entries)
    return texts(node)


def _command(node: YamlNode | None) -> tuple[str, ...]:
    """A command: one text for the shell form, one per word for the list form."""
    return texts(node)


def _environment(document: YamlFile, node: YamlNode | None) -> tuple[EnvEntry, ...]:
    if isinstance(node, YamlMap):
        return tuple(
            EnvEntry(entry.key, scalar_text(entry.value), document.at(entry)) for entry in node.entries
        )
    found: dict[str, EnvEntry] = {}
    for item in items(node):
        if isinstance(item, YamlScalar):
            name, equals, value = item.text.partition("=")
            found[name.strip()] = EnvEntry(name.strip(), value if equals else None, document.at(item))
    return tuple(found.values())


def _env_files(document: YamlFile, node: YamlNode | None) -> Iterator[EnvFile]:
    for item in (node,) if isinstance(node, YamlMap) else items(node):
        if isinstance(item, YamlMap):
            path, required = item.text("path"), item.get("required")
            is_optional = isinstance(required, YamlScalar) and required.as_bool is False
        else:
            path, is_optional = scalar_text(item), False
        if path is not None:
            yield EnvFile(_below(document.path, path), document.at(item), not is_optional)


def _below(file: str, path: str) -> str:
    """A path written in a compose file, relative to the repository root."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


def _build(document: YamlFile, entry: YamlEntry | None) -> Build | None:
    if entry is None:
        return None
    where = document.at(entry)
    body = entry.value
    if not isinstance(body, YamlMap):
        context = _below(document.path, scalar_text(body) or ".")
        dockerfile = posixpath.normpath(posixpath.join(context, "Dockerfile"))
        return Build(context, dockerfile, where, written=frozenset({"context"}))
    context = _below(document.path, body.text("context") or ".")
    dockerfile = posixpath.normpath(posixpath.join(context, body.text("dockerfile") or "Dockerfile"))
    arguments = _environment(document, body.get("args"))
    written = frozenset(e.key for e in body.entries)
    return Build(
        context, dockerfile, where, body.text("target"), arguments, body.text("dockerfile_inline"), written
    )


def _ports(document: YamlFile, node: YamlNode | None) -> Iterator[Port]:
    for item in items(node):
        where = document.at(item)
        if isinstance(item, YamlMap):
            if (target := item.text("target")) is not None:
                host, protocol = item.text("host_ip") or "", item.text("protocol") or "tcp"
                yield Port(target, item.text("published"), where, host, protocol)
        elif (text := scalar_text(item)) is not None:
            yield _short_port(text, where)


def _short_port(text: str, where: Location) -> Port:
    """`[[host:]published:]target[/protocol]`; colons inside `${...}` and `[...]` are not separators."""
    text, slash, protocol = text.partition("/") if "/" in text and "${" not in text else (text, "", "")
    parts = _split_outside_brackets(text)
    target = parts[-1]
    published = parts[-2] if len(parts) > 1 and parts[-2] else None
    host = ":".join(parts[:-2])
    return Port(target, published, where, host, protocol if slash else "tcp")


def _split_outside_brackets(text: str) -> list[str]:
    parts: list[str] = []
    depth = start = 0
    for match in _STRUCTURE.finditer(text):
        depth += (match.group() in "{[") - (match.group() in "}]")
        if match.group() == ":" and depth == 0:
            parts.append(text[start : match.start()])
            start = match.end()
    return [*parts, text[start:]]


def _volumes(document: YamlFile, node: YamlNode | None) -> Iterator[Volume]:
    for item in items(node):
        where = document.at(item)
        if isinstance(item, YamlMap):
            flag = item.get("read_only")
            read_only = isinstance(flag, YamlScalar) and flag.as_bool is True
            source, target = item.text("source"), item.text("target") or ""
        elif (text := scalar_text(item)) is not None:
            parts = _split_outside_brackets(text)
            source, target = (parts[0], parts[1]) if len(parts) > 1 else (None, parts[0])
            read_only = len(parts) > 2 and "ro" in parts[2].split(",")
        else:
            continue
        is_bind = source is not None and source.startswith((".", "/", "~"))
        inside = is_bind and source is not None and source.startswith(".")
        path = _below(document.path, source) if inside and source is not None else None
        yield Volume(source, target, where, read_only, path)


def _healthcheck(document: YamlFile, entry: YamlEntry | None) -> Healthcheck | None:
    if entry is None or not isinstance(entry.value, YamlMap):
        return None
    where = document.at(entry)
    test = texts(entry.value.get("test"))
    flag = entry.value.get("disable")
    disabled = (isinstance(flag, YamlScalar) and flag.as_bool is True) or test[:1] == ("NONE",)
    return Healthcheck(where, test, disabled)


def merge_services(base: Service, over: Service) -> Service:
    """What compose makes of a service in two files: scalars and commands are replaced, the rest is joined."""
    names = {entry.name for entry in over.environment}
    mounts = {volume.target for volume in over.volumes}
    return replace(
        over,
        location=base.location,
        path=base.path,
        image=over.image or base.image,
        build=_merged_build(base.build, over.build),
        environment=(*(e for e in base.environment if e.name not in names), *over.environment),
        env_files=_joined(base.env_files, over.env_files),
        ports=_joined(base.ports, over.ports),
        expose=_joined(base.expose, over.expose),
        healthcheck=_merged_healthcheck(base.healthcheck, over.healthcheck),
        volumes=(*(v for v in base.volumes if v.target not in mounts), *over.volumes),
        depends_on=_joined(base.depends_on, over.depends_on),
        command=over.command or base.command,
        entrypoint=over.entrypoint or base.entrypoint,
        networks=_joined(base.networks, over.networks),
        profiles=_joined(base.profiles, over.profiles),
        container_name=over.container_name or base.container_name,
        restart=over.restart or base.restart,
        network_mode=over.network_mode or base.network_mode,
        aliases=_joined(base.aliases, over.aliases),
        replicas=over.replicas or base.replicas,
        log_driver=over.log_driver or base.log_driver,
    )


def _joined(first: tuple[_T, ...], second: tuple[_T, ...]) -> tuple[_T, ...]:
    return tuple(dict.fromkeys((*first, *second)))


def _merged_build(base: Build | None, over: Build | None) -> Build | None:
    """The keys of both; those of the later file win, and build arguments are joined by name."""
    if base is None or over is None:
        return over or base
    context = over.context if "context" in over.written else base.context
    named = over if "dockerfile" in over.written else base
    names = {entry.name for entry in over.args}
    return Build(
        context,
        posixpath.normpath(posixpath.join(context, posixpath.relpath(named.dockerfile, named.context))),
        over.location,
        over.target or base.target,
        (*(e for e in base.args if e.name not in names), *over.args),
        over.inline or base.inline,
        base.written | over.written,
    )


def _merged_healthcheck(base: Healthcheck | None, over: Healthcheck | None) -> Healthcheck | None:
    if base is None or over is None:
        return over or base
    return replace(over, test=over.test or base.test)
