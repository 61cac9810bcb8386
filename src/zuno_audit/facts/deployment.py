"""Ways to deploy, and what keeps each from working.

Table `deployment`: one row per way that the repository offers (`compose`, `compose+overlay`, `tilt`,
`kubernetes`).
Table `compose_command`: one row per command of a compose service that is a shell script.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.compose import ComposeFile, Service, compose_files
from zuno_audit.facts.dockerfile import dockerfiles
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.facts.image_stages import image_builds
from zuno_audit.facts.images import image_build_table
from zuno_audit.facts.kubernetes import manifests
from zuno_audit.facts.tilt import tilt_load_table
from zuno_audit.languages import shell
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

# variables that switch the TLS of a service itself on and off; not those of what it connects to
_TLS_SWITCH = re.compile(r"(?:GRPC_|SERVER_|SERVICE_)?(?:(?:ENABLE|USE)_)?M?TLS(?:_ENABLED?|_ON|_MODE)?")
_CERTIFICATES = re.compile(
    r"(?:\w+_)?(?:M?TLS|SSL|CERTS?|CERTIFICATES?)(?:_\w+)?_(?:DIR|DIRECTORY|FOLDER|PATH|FILE)"
)
_OFF = frozenset(("false", "0", "no", "off", "disabled", "disable"))
_SETS = re.compile(r"(?:^|[\s;\"'({])(?:for\s+(\w+)\s+in\b|(?:local|export|readonly|read)\s+(\w+)\b|(\w+)=)")


def lost_variables(command: str) -> tuple[str, ...]:
    """Variables that a script sets itself but compose replaces before the script runs.

    Compose replaces every `$name` in a compose file; only `$$name` reaches the shell
    (https://docs.docker.com/reference/compose-file/interpolation/).
    """
    own = {name for groups in _SETS.findall(command) for name in groups if name}
    return tuple(dict.fromkeys(r.name for r in shell.references(command) if r.name in own))


def compose_command_table(store: FactStore) -> Table:
    """Table `compose_command`: service, file, overlay, lost (names of variables that compose swallows)."""
    read = store.get(compose_files)
    rows = []
    for file, service in read.services():
        text = "\n".join((*service.entrypoint, *service.command))
        if text:
            lost = lost_variables(text)
            names = ", ".join(lost)
            reason = f"compose replaces {names} before the shell sees it (write $$)" if lost else ""
            fields = {
                "service": Answer(service.name),
                "file": Answer(file.path),
                "overlay": Answer(YES if file.is_overlay else NO),
                "lost": Answer(lost, reason, (service.location,)),
            }
            rows.append(Entity("compose_command", service.location, fields))
    return Table("compose_command", tuple(rows), read.paths, read.problems)


def deployment_table(store: FactStore) -> Table:
    """Table `deployment`.

    Fields: `way`, `given_by` (the compose file, the overlay that is laid over one, the Tiltfile or the folder of
    manifests), `overlay` (its file), `folder`, `works` (no obstacle; the first is named), `fits` (no obstacle
    in the compose files themselves: images and what runs in them left out) and `encrypted` (no service that the
    overlay speaks of has TLS switched off).
    """
    rows = [*_compose_rows(store), *_tilt_rows(store), *_kubernetes_rows(store)]
    read = store.get(compose_files)
    looked = (*read.paths, *store.table("tilt_load").files, *store.get(manifests).files)
    return Table("deployment", tuple(rows), tuple(dict.fromkeys(looked)), read.problems)


def _row(way: str, place: Location, works: Answer, *, overlay: str, folder: str, **more: Answer) -> Entity:
    fields = {"way": Answer(way), "works": works, "overlay": Answer(overlay), "folder": Answer(folder)}
    fields["given_by"] = Answer(folder if way == "kubernetes" else place.path)
    return Entity("deployment", place, {"fits": works, "encrypted": Answer(YES), **fields, **more})


def _compose_rows(store: FactStore) -> Iterator[Entity]:
    files = store.get(compose_files)
    for file in files.files:
        if file.is_overlay:
            continue
        yield _compose_row(store, file, None)
        for overlay in files.overlays(file.path):
            if overlay.services:
                yield _compose_row(store, file, overlay)


def _compose_row(store: FactStore, file: ComposeFile, overlay: ComposeFile | None) -> Entity:
    place = at_line((overlay or file).path)
    paths = (file.path, overlay.path) if overlay else (file.path,)
    services = store.get(compose_files).merged(*paths)
    own = (*_overlay_obstacles(file, overlay), *_service_obstacles(store, services))
    works = _first_obstacle(*own, *_image_obstacles(store, paths), *_database_obstacles(store, file))
    return _row(
        "compose+overlay" if overlay else "compose",
        place,
        works,
        overlay=overlay.path if overlay else "",
        folder=dirname(file.path),
        fits=_first_obstacle(*own),
        encrypted=_encrypted(store, services, overlay),
    )


def _encrypted(store: FactStore, services: tuple[Service, ...], overlay: ComposeFile | None) -> Answer:
    """Whether a service that the overlay speaks of runs with TLS switched off, by the overlay or the template."""
    for service in services:
        if overlay is None or overlay.service(service.name) is None:
            continue
        template = default_environment(store, dirname(service.path))
        values = dict(template) if service.env_files else {}
        for entry in service.environment:
            given = template.get(entry.name) if entry.value is None else shell.expand(entry.value, template)
            values[entry.name] = given or ""
        for name, value in values.items():
            if _TLS_SWITCH.fullmatch(name) and value.strip().lower() in _OFF:
                return Answer(NO, f"{service.name} runs with {name}={value}", (service.location,))
            if _CERTIFICATES.fullmatch(name) and value.startswith("/") and not _has(store, service, value):
                reason = f"{service.name} looks for certificates in {value}, which nothing mounts there"
                return Answer(NO, reason, (service.location,))
    return Answer(YES, "nothing switches TLS off")


def _has(store: FactStore, service: Service, path: str) -> bool:
    """True when a mount, a secret or the image may put something at an absolute path of the container."""
    places = [v.target for v in service.volumes]
    for image in store.get(image_builds):
        if image.service.name == service.name and image.dockerfile is not None:
            places += [c.target for stage in image.dockerfile.stages for c in stage.copies]
    own = path.rstrip("/")
    return own.startswith("/run/secrets") or any(
        place.rstrip("/") == own or own.startswith(place.rstrip("/") + "/") or place.startswith(own + "/")
        for place in places
        if place.startswith("/")
    )


def _first_obstacle(*obstacles: Answer) -> Answer:
    for value in (NO, UNKNOWN):
        for obstacle in obstacles:
            if obstacle.value == value:
                return obstacle
    return Answer(YES, "its files are there and fit together")


def _overlay_obstacles(file: ComposeFile, overlay: ComposeFile | None) -> Iterator[Answer]:
    for service in overlay.services if overlay else ():
        is_new = file.service(service.name) is None
        if is_new and service.image is None and service.build is None:
            reason = f"{service.name} is in no other file and has neither an image nor a build"
            yield Answer(NO, reason, (service.location,))


def _image_obstacles(store: FactStore, paths: tuple[str, ...]) -> Iterator[Answer]:
    for row in store.get(image_build_table).rows:
        if row.fields["file"].value in paths:
            answer = row.fields["buildable"]
            yield Answer(
                answer.value,
                f"the image of {row.fields['name'].value} cannot be built: {answer.because}",
                answer.proof,
            )


def _service_obstacles(store: FactStore, services: tuple[Service, ...]) -> Iterator[Answer]:
    names = {s.name for s in services}
    waiting = _in_a_circle(services)
    if waiting is not None:
        reason = f"{waiting.name} waits for itself: compose refuses services that depend on each other"
        yield Answer(NO, reason, (waiting.location,))
    for service in services:
        for wanted in service.depends_on:
            if wanted not in names:
                yield Answer(
                    NO, f"{service.name} depends on {wanted}, which does not exist", (service.location,)
                )
        if service.image is None and service.build is None:
            yield Answer(NO, f"{service.name} has neither an image nor a build", (service.location,))
        for volume in service.volumes:
            path = volume.path
            is_file = path is not None and re.search(r"\.[a-z]{2,5}$", path) is not None
            if path and is_file and "$" not in path and path not in store.repository:
                yield Answer(NO, f"{service.name} mounts {path}, which does not exist", (volume.location,))
        lost = lost_variables("\n".join((*service.entrypoint, *service.command)))
        if lost:
            reason = f"compose replaces {', '.join(lost)} in the command of {service.name}"
            yield Answer(NO, f"{reason} before the shell sees it", (service.location,))


def _in_a_circle(services: tuple[Service, ...]) -> Service | None:
    """A service that depends on itself, through others or not."""
    waits = {service.name: service.depends_on for service in services}
    for service in services:
        seen: set[str] = set()
        todo = list(service.depends_on)
        while todo:
            name = todo.pop()
            if name == service.name:
                return service
            if name not in seen:
                seen.add(name)
                todo += waits.get(name, ())
    return None


def _database_obstacles(store: FactStore, file: ComposeFile) -> Iterator[Answer]:
    """Scripts that a database of the file runs when it starts, and that it stops at."""
    for row in store.table("sql_script").rows:
        answer = row.fields["runs"]
        if str(row.fields["run_by"].value or "").startswith(file.path) and answer.value != YES:
            reason = f"the database does not come up: {row.location.path}: {answer.because}"
            yield Answer(answer.value, reason, (row.location, *answer.proof), failed=answer.failed)


def _copied_scripts(store: FactStore, built: set[str]) -> Iterator[Answer]:
    """SQL scripts that the built images run when they start, and that fail."""
    sources = {
        source
        for file in store.get(dockerfiles).files
        if file.path in built
        for stage in file.stages
        for copy in stage.copies
        if "initdb" in copy.target
        for source in copy.sources
    }
    for row in store.table("sql_script").rows:
        answer = row.fields["runs"]
        if row.location.path in sources and answer.value != YES and row.fields["run_by"].value:
            yield Answer(
                answer.value, f"{row.location.path}: {answer.because}", (row.location, *answer.proof)
            )


def _tilt_rows(store: FactStore) -> Iterator[Entity]:
    table = store.get(tilt_load_table)
    for path in table.files:
        if basename(path) != "Tiltfile" or "/" in path:
            continue
        loads = [r for r in table.rows if r.location.path == path]
        obstacles = [r.fields["tracked"] for r in loads if r.fields["how"].value != "deps"]
        built = {str(r.fields["file"].value) for r in loads if "build" in str(r.fields["how"].value)}
        for dockerfile in sorted(built):
            rows = [
                r for r in store.get(image_build_table).rows if r.fields["dockerfile"].value == dockerfile
            ]
            # what fails in every image that compose builds of it is the fault of the Dockerfile or of its sources
            field = "buildable" if all(r.fields["buildable"].value == NO for r in rows) else "toolchain"
            for answer in (row.fields[field] for row in rows):
                reason = f"{dockerfile} cannot be built: {answer.because}"
                obstacles.append(Answer(answer.value, reason, answer.proof))
        obstacles += _copied_scripts(store, built)
        problems = [p for p in table.problems if p.path == path]
        if problems:
            obstacles.append(Answer(None, problems[0].message, failed=True))
        works = _first_obstacle(*obstacles) if obstacles else Answer(NO, "the Tiltfile loads nothing")
        yield _row("tilt", at_line(path), works, overlay="", folder="")


def _kubernetes_rows(store: FactStore) -> Iterator[Entity]:
    folders: dict[str, list[Location]] = {}
    for item in store.get(manifests).objects:
        if item.kind in ("Deployment", "StatefulSet", "DaemonSet") and not item.is_template:
            folders.setdefault(dirname(item.path), []).append(item.location)
    for folder, places in sorted(folders.items()):
        works = Answer(YES, f"{len(places)} workloads", tuple(places[:3]))
        yield _row("kubernetes", places[0], works, overlay="", folder=folder)
