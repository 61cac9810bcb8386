"""Kubernetes manifests: the objects of plain YAML files as records and as the table `k8s_object`.

Helm templates are not YAML before they are rendered and are left out; so are files without a document with
an `apiVersion` and a `kind`.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.dotenv import TEMPLATE_WORDS
from zuno_audit.languages.yaml import YamlFile, YamlMap, items, read_yaml, scalar_text, texts
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

_SUFFIXES = tuple(
    suffix + ending
    for suffix in (".yaml", ".yml")
    for ending in ("", *(f".{word}" for word in sorted(TEMPLATE_WORDS)))
)
_POD_SPECS = {
    "Pod": ("spec",),
    "CronJob": ("spec", "jobTemplate", "spec", "template", "spec"),
}
_TEMPLATED = ("spec", "template", "spec")  # Deployment, StatefulSet, DaemonSet, ReplicaSet, Job


class ContainerVariable(Struct, frozen=True):
    """A variable of a container: a literal `value`, or the `key` of a `source` (ConfigMap or Secret)."""

    name: str
    value: str | None
    location: Location
    source: str = ""
    source_name: str = ""
    key: str = ""


class Container(Struct, frozen=True):
    """One container of a pod. `env_from`: (`ConfigMap` or `Secret`, name) pairs that give all their keys."""

    name: str
    image: str | None
    location: Location
    ports: tuple[str, ...] = ()
    environment: tuple[ContainerVariable, ...] = ()
    env_from: tuple[tuple[str, str], ...] = ()
    probes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    is_init: bool = False


class K8sObject(Struct, frozen=True):
    """One object. `body` is the whole document; `data` are the entries of a ConfigMap or Secret.

    `is_template` is true for a file that is to be copied first (`secrets.yaml.example`).
    """

    kind: str
    api_version: str
    name: str
    namespace: str | None
    location: Location
    body: YamlMap
    labels: tuple[tuple[str, str], ...] = ()
    pod_labels: tuple[tuple[str, str], ...] = ()
    selector: tuple[tuple[str, str], ...] = ()
    containers: tuple[Container, ...] = ()
    data: tuple[tuple[str, Location], ...] = ()
    is_template: bool = False

    @property
    def path(self) -> str:
        """The file of the object."""
        return self.location.path


class Manifests(Struct, frozen=True):
    """All objects of the repository, the files they are in and what could not be read."""

    objects: tuple[K8sObject, ...]
    files: tuple[str, ...]
    problems: tuple[Problem, ...] = ()

    def of_kind(self, *kinds: str) -> tuple[K8sObject, ...]:
        """The objects of these kinds."""
        return tuple(o for o in self.objects if o.kind in kinds)


def manifests(store: FactStore) -> Manifests:
    """Every object in every plain manifest."""
    charts = _charts(store.repository)
    objects: list[K8sObject] = []
    files: list[str] = []
    problems: list[Problem] = []
    for path in store.repository.files:
        if not path.endswith(_SUFFIXES) or _is_helm_template(path, charts):
            continue
        data = store.repository.read(path)
        if data is None or b"apiVersion:" not in data or b"kind:" not in data:
            continue
        document = read_yaml(store.repository, path)
        found = [o for root in document.documents for o in _objects(document, root)]
        if found or document.problems:
            files.append(path)
        objects += found
        problems += document.problems
    return Manifests(tuple(objects), tuple(files), tuple(problems))


def helm_files(repository: Repository) -> list[str]:
    """The templates and values of all Helm charts."""
    charts = _charts(repository)
    if not charts:
        return []
    return [
        path
        for path in repository.files
        if path.endswith((*_SUFFIXES, ".tpl")) and posixpath.basename(path) != "Chart.yaml"
        if _is_helm_template(path, charts)
        or (posixpath.dirname(path) in charts and posixpath.basename(path).startswith("values"))
    ]


def _charts(repository: Repository) -> set[str]:
    return {posixpath.dirname(path) for path in repository.files if path.endswith("Chart.yaml")}


def _is_helm_template(path: str, charts: set[str]) -> bool:
    parts = path.split("/")
    return (
        any(part == "templates" and "/".join(parts[:i]) in charts for i, part in enumerate(parts[:-1]))
        or posixpath.basename(path) == "Chart.yaml"
    )


def _objects(document: YamlFile, root: object) -> Iterator[K8sObject]:
    if not isinstance(root, YamlMap):
        return
    kind, version = root.text("kind"), root.text("apiVersion")
    if kind is None or version is None:
        return
    if kind.endswith("List") and root.entry("items") is not None:
        for item in items(root.get("items")):
            yield from _objects(document, item)
        return
    entry = root.entry("kind")
    spec = root.get(*_POD_SPECS.get(kind, _TEMPLATED))
    template = root.map("spec", "template", "metadata", "labels")
    selector = root.map("spec", "selector", "matchLabels") or root.map("spec", "selector")
    yield K8sObject(
        kind,
        version,
        root.text("metadata", "name") or "",
        root.text("metadata", "namespace"),
        document.at(entry if entry is not None else root),
        root,
        _labels(root.map("metadata", "labels")),
        _labels(template),
        _labels(selector),
        tuple(_containers(document, spec)),
        tuple(_data(document, root)) if kind in ("ConfigMap", "Secret") else (),
        not document.path.endswith((".yaml", ".yml")),
    )


def _labels(node: YamlMap | None) -> tuple[tuple[str, str], ...]:
    if node is None:
        return ()
    return tuple((e.key, text) for e in node.entries if (text := scalar_text(e.value)) is not None)


def _data(document: YamlFile, root: YamlMap) -> Iterator[tuple[str, Location]]:
    for field in ("data", "stringData", "binaryData"):
        node = root.map(field)
        for entry in node.entries if node is not None else ():
            yield entry.key, document.at(entry)


def _containers(document: YamlFile, spec: object) -> Iterator[Container]:
    if not isinstance(spec, YamlMap):
        return
    for key in ("containers", "initContainers"):
        for item in items(spec.get(key)):
            if isinstance(item, YamlMap):
                yield _container(document, item, key == "initContainers")


def _container(document: YamlFile, node: YamlMap, is_init: bool) -> Container:
    ports = (p.text("containerPort") for p in items(node.get("ports")) if isinstance(p, YamlMap))
    return Container(
        node.text("name") or "",
        node.text("image"),
        document.at(node),
        tuple(port for port in ports if port is not None),
        tuple(_variables(document, node)),
        tuple(_env_from(node)),
        tuple(p for p in ("livenessProbe", "readinessProbe", "startupProbe") if node.map(p) is not None),
        (*texts(node.get("command")), *texts(node.get("args"))),
        is_init,
    )


def _variables(document: YamlFile, node: YamlMap) -> Iterator[ContainerVariable]:
    for item in items(node.get("env")):
        if not isinstance(item, YamlMap) or (name := item.text("name")) is None:
            continue
        where = document.at(item)
        for key, source in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            reference = item.map("valueFrom", key)
            if reference is not None:
                object_name, object_key = reference.text("name") or "", reference.text("key") or ""
                yield ContainerVariable(name, None, where, source, object_name, object_key)
                break
        else:
            yield ContainerVariable(name, item.text("value"), where)


def _env_from(node: YamlMap) -> Iterator[tuple[str, str]]:
    for item in items(node.get("envFrom")):
        if isinstance(item, YamlMap):
            for key, source in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if (name := item.text(key, "name")) is not None:
                    yield source, name


def k8s_object(store: FactStore) -> Table:
    """Table `k8s_object`: one row per object.

    Fields: `file`, `kind`, `api_version`, `name`, `namespace` (None when not written), `namespace_declared`
    (yes: a Namespace object makes it; no: the folder has Namespace objects, but not this one; elsewhere: no
    Namespace object lies beside it), `template` yes/no (a file to be copied first), `labels`, `pod_labels`,
    `selector` (`key=value`), `images`, `container_ports`, `containers` (names), `env_names`, `env_from`
    (`Kind/name`), `probes`, `keys` (of a ConfigMap or Secret).
    """
    read = store.get(manifests)
    made = {o.name for o in read.of_kind("Namespace")}
    beside: dict[str, list[K8sObject]] = {}
    for item in read.of_kind("Namespace"):
        beside.setdefault(posixpath.dirname(item.path), []).append(item)
    rows = tuple(_row(item, _declared(item, made, beside)) for item in read.objects)
    return Table("k8s_object", rows, read.files, read.problems)


def _declared(item: K8sObject, made: set[str], beside: dict[str, list[K8sObject]]) -> Answer:
    """Whether the namespace of an object is made by a manifest; names that are always there need none."""
    if item.namespace in made:
        return Answer(YES)
    others = beside.get(posixpath.dirname(item.path), [])
    if item.namespace in (None, "default", "kube-system", "kube-public") or not others:
        return Answer("elsewhere")
    names = ", ".join(o.name for o in others)
    return Answer(NO, f"the manifests beside it make {names} only", (others[0].location,))


def _row(item: K8sObject, declared: Answer) -> Entity:
    boxes = item.containers
    variables = tuple(variable for box in boxes for variable in box.environment)
    fields = {
        "file": Answer(item.path),
        "kind": Answer(item.kind),
        "api_version": Answer(item.api_version),
        "name": Answer(item.name),
        "namespace": Answer(item.namespace),
        "namespace_declared": declared,
        "template": Answer(YES if item.is_template else NO),
        "labels": Answer(_equations(item.labels)),
        "pod_labels": Answer(_equations(item.pod_labels)),
        "selector": Answer(_equations(item.selector)),
        "images": Answer(
            tuple(b.image for b in boxes if b.image is not None), proof=tuple(b.location for b in boxes)
        ),
        "container_ports": Answer(tuple(port for b in boxes for port in b.ports)),
        "containers": Answer(tuple(b.name for b in boxes)),
        "env_names": Answer(tuple(v.name for v in variables), proof=tuple(v.location for v in variables)),
        "env_from": Answer(tuple(f"{kind}/{name}" for b in boxes for kind, name in b.env_from)),
        "probes": Answer(tuple(dict.fromkeys(probe for b in boxes for probe in b.probes))),
        "keys": Answer(tuple(key for key, _ in item.data), proof=tuple(where for _, where in item.data)),
    }
    return Entity("k8s_object", item.location, fields)


def _equations(labels: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    return tuple(f"{key}={value}" for key, value in labels)
