"""Environment variables from end to end: who reads them, where they are documented, who gets them.

The table `env_var` has one row per name. Compose is the way from an env file to a container: a variable has
an effect when code that a binary links reads it and the binary's container gets it, or when compose itself
puts it where something uses it.
"""

from __future__ import annotations

import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cached_property

from msgspec import Struct, field

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.compose import ComposeFile, ComposeFiles, EnvEntry, Service, compose_files
from zuno_audit.facts.compose_tables import image_repository
from zuno_audit.facts.dockerfile import dockerfiles
from zuno_audit.facts.dotenv import env_templates, set_by, shared_env_files
from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.gitignore import is_dotenv
from zuno_audit.facts.go.env import can_run, env_reads
from zuno_audit.facts.go.env_values import env_values
from zuno_audit.facts.go_packages import go_packages
from zuno_audit.facts.images import image_packages
from zuno_audit.facts.kubernetes import helm_files, manifests
from zuno_audit.facts.scripts_env import script_reads
from zuno_audit.languages import shell
from zuno_audit.model.entity import NO, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import FileKind, kind_by_path

MAX_PROOF = 12
_PLACEHOLDER = re.compile(r"[<>|$]|your|change|replace|example|todo", re.IGNORECASE)  # in a template
_SWITCHES = ("_ENABLED", "_DISABLED", "_ON", "_DEBUG")

# what the entry points of official images read (their pages on Docker Hub); redis and valkey read nothing
_IMAGE_VARIABLES: dict[str, tuple[str, ...]] = {
    "postgres": ("POSTGRES_", "PG"),
    "postgis": ("POSTGRES_", "PG"),
    "timescaledb": ("POSTGRES_", "PG"),
    "mysql": ("MYSQL_",),
    "mariadb": ("MYSQL_", "MARIADB_"),
    "mongo": ("MONGO_INITDB_",),
    "rabbitmq": ("RABBITMQ_",),
    "redis": (),
    "valkey": (),
    "memcached": (),
}
_FROM_THE_SYSTEM = frozenset(
    {
        "HOME",
        "PATH",
        "USER",
        "PWD",
        "TMPDIR",
        "TMP",
        "TEMP",
        "HOSTNAME",
        "TZ",
        "LANG",
        "SHELL",
        "CI",
        "GOPATH",
    }
    | {"GOOS", "GOARCH", "GOROOT", "TERM", "NO_COLOR", "APPDATA", "USERPROFILE", "LOGNAME"}
)
_NAME_IN_TEXT = re.compile(rb"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
_NAME_IN_CHART = re.compile(
    rb"[ \t]*-?[ \t]*(?:name:[ \t]*[\"']?([A-Z][A-Z0-9_]*)[\"']?[ \t\r]*$|([A-Z][A-Z0-9_]*):)"
)
_NAME_AS_CODE = re.compile(rb"`([A-Z][A-Z0-9]{2,})`")  # a name without `_` may be any word elsewhere


def go_reads(store: FactStore) -> tuple[EnvRead, ...]:
    """What Go code reads, tests left out."""
    return store.get(env_reads)


class Variable(Struct):
    """Everything that is known of one name."""

    name: str
    reads: list[EnvRead] = field(default_factory=list)
    documented: dict[str, Location] = field(default_factory=dict)  # by file
    templates: dict[str, Location] = field(default_factory=dict)  # by env template
    uses: list[Use] = field(default_factory=list)


class Use(Struct, frozen=True):
    """Where compose or a script uses a variable. `container` is the service or "" (a port, a name...)."""

    location: Location
    container: str = ""
    repository: str = ""
    has_effect: bool = True
    because: str = ""


class Environment:
    """The join of code, compose, manifests and documents."""

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.compose: ComposeFiles = store.get(compose_files)
        self.packages = store.get(go_packages)
        self.variables: dict[str, Variable] = {}
        self.mentions: dict[str, dict[str, None]] = {}  # files that name what only scripts read
        for read in go_reads(store):
            self._of(read.name).reads.append(read)
        self._document()
        for read in store.get(script_reads):
            if read.name in self.variables:
                self.variables[read.name].uses.append(Use(read.location))
        for file in self.compose.files:
            self._use(file)

    def _of(self, name: str) -> Variable:
        return self.variables.setdefault(name, Variable(name))

    # --- code

    def binaries(self, read: EnvRead) -> list[str]:
        """The folders of the main packages that link the code of a read; none when it cannot run."""
        return [] if can_run(self.store, read) == NO else self.packages.binaries_of(read.directory)

    def live_reads(self, name: str) -> list[EnvRead]:
        """The reads that some binary links and can run."""
        variable = self.variables.get(name)
        return [read for read in variable.reads if self.binaries(read)] if variable is not None else []

    # --- documents

    def documented_in(self, name: str) -> list[str]:
        """The files that document a variable that code or a script reads, sorted."""
        variable = self.variables.get(name)
        return sorted(variable.documented if variable is not None else self.mentions.get(name, ()))

    def _document(self) -> None:
        for template in self.store.get(env_templates):
            for assignment in template.commented:
                self._of(assignment.name).documented[template.path] = assignment.location
            for assignment in template.assignments:
                variable = self._of(assignment.name)
                variable.documented[template.path] = assignment.location
                variable.templates[template.path] = assignment.location
        in_scripts = {read.name for read in self.store.get(script_reads)}
        for name, location in self._mentions():
            if name in self.variables:
                self.variables[name].documented.setdefault(location.path, location)
            elif name in in_scripts:
                self.mentions.setdefault(name, {}).setdefault(location.path)

    def _mentions(self) -> Iterator[tuple[str, Location]]:
        """Names in compose files, manifests, Dockerfiles, guides and the env files that are in git."""
        for env_file in self.store.get(shared_env_files):
            yield from ((one.name, one.location) for one in env_file.assignments)
        for _, service in self.compose.services():
            yield from ((entry.name, entry.location) for entry in service.environment)
        for file in self.compose.files:
            yield from ((reference.name, where) for reference, where in file.references)
        for item in self.store.get(manifests).objects:
            yield from item.data
            yield from ((v.name, v.location) for box in item.containers for v in box.environment)
        for image in self.store.get(dockerfiles).files:
            yield from ((name, where) for stage in image.stages for name, _, where in stage.environment)
        yield from self._charts()
        yield from self._guides()

    def _charts(self) -> Iterator[tuple[str, Location]]:
        """Names in the templates and values of Helm charts, which are no YAML before they are filled in."""
        for path in helm_files(self.store.repository):
            data = self.store.repository.read(path) or b""
            for number, line in enumerate(data.split(b"\n"), 1):
                if match := _NAME_IN_CHART.match(line):
                    yield (match.group(1) or match.group(2)).decode(), at_line(path, number)

    def _guides(self) -> Iterator[tuple[str, Location]]:
        for path in self.store.repository.files:
            is_guide = path.lower().endswith(".md") and posixpath.basename(path).lower().startswith("readme")
            if is_guide and kind_by_path(path) is not FileKind.VENDORED:
                data = self.store.repository.read(path) or b""
                for number, line in enumerate(data.split(b"\n"), 1):
                    for match in _NAME_IN_TEXT.finditer(line) if b"_" in line else ():
                        yield match.group().decode(), at_line(path, number)
                    for match in _NAME_AS_CODE.finditer(line) if b"`" in line else ():
                        yield match.group(1).decode(), at_line(path, number)

    # --- compose

    @cached_property
    def binary_of(self) -> dict[tuple[str, str], str]:
        """The main package in the container of a service, by file and service name."""
        mains = self.packages.mains()
        built = {
            (image.file.path, image.service.name): package
            for image, package in self.store.get(image_packages)
        }
        found = {}
        for (file, name), package in built.items():
            if package is not None and package in self.packages.linked:
                found[file, name] = package
                continue
            named = [main for main in mains if name in main.split("/")]
            if len(named) == 1:
                found[file, name] = named[0]
        return found

    def services_of(self, read: EnvRead) -> list[tuple[ComposeFile, Service]]:
        """The services whose container runs a binary that links the code of a read."""
        binaries = set(self.binaries(read))
        return [
            (file, service)
            for file, service in self.compose.services()
            if self.binary_of.get((file.path, service.name)) in binaries
        ]

    def _use(self, file: ComposeFile) -> None:
        """Notes every reference to a variable in a compose file, with what becomes of it."""
        in_environment: set[int] = set()  # lines: of the key of a mapping, or of the item of a list
        for service in file.services:
            for entry in service.environment:
                in_environment.add(entry.location.line)
                for name in entry.references:
                    self._of(name).uses.append(self._environment_use(file, service, entry))
            for name, use in self._uses_by_file(service):
                self._of(name).uses.append(use)
        services = sorted(file.services, key=lambda service: service.location.line)
        for reference, where in file.references:
            if where.line in in_environment:
                continue
            above = bisect_right(services, where.line, key=lambda service: service.location.line)
            owner = services[above - 1] if above else None
            use = Use(where) if owner is None else Use(where, owner.name, _repository(owner))
            self._of(reference.name).uses.append(use)

    def _uses_by_file(self, service: Service) -> Iterator[tuple[str, Use]]:
        """The variables by which an env file sets up a server that runs from an image of others."""
        repository = _repository(service)
        prefixes = _IMAGE_VARIABLES.get(repository)
        if service.build is not None or not prefixes:
            return
        for file in service.env_files:
            for name in set_by(self.store, file.path) or ():
                if name.startswith(prefixes):
                    yield name, Use(file.location, service.name, repository)

    def _environment_use(self, file: ComposeFile, service: Service, entry: EnvEntry) -> Use:
        """What a variable does that becomes a variable of a container."""
        repository = _repository(service)
        where = (entry.location, service.name, repository)
        if service.image is not None and service.build is None:
            if repository not in _IMAGE_VARIABLES or entry.name.startswith(_IMAGE_VARIABLES[repository]):
                return Use(*where)
            if entry.name in _words_of_commands(service):
                return Use(*where)
            return Use(*where, False, f"the image {repository} does not read {entry.name}")
        binary = self.binary_of.get((file.path, service.name))
        if binary is None or self._is_read_in(entry.name, binary):
            return Use(*where)
        return Use(*where, False, f"the code in {service.name} does not read {entry.name}")

    def _is_read_in(self, name: str, binary: str) -> bool:
        variable = self.variables.get(name)
        return variable is not None and any(binary in self.binaries(read) for read in variable.reads)

    def gets(self, file: ComposeFile, service: Service, name: str) -> tuple[bool, Location | None]:
        """Whether a container gets a variable, by `environment` or `env_file`, overlays included."""
        base = file.base or file.path
        for layer in (base, *(overlay.path for overlay in self.compose.overlays(base))):
            part = self.compose.file(layer)
            other = part.service(service.name) if part is not None else None
            if other is None:
                continue
            entry = other.variable(name)
            if entry is not None:
                return True, entry.location
            for env_file in other.env_files:
                if is_dotenv(env_file.path) or env_file.path not in self.store.repository:
                    return True, env_file.location
                if self._assigns(env_file.path, name):
                    return True, env_file.location
        return False, None

    def given(self, name: str, live: list[EnvRead]) -> Iterator[tuple[EnvRead, str, Location]]:
        """The values that compose and templates give a variable, with the reads that get them."""
        entries = [
            (self.binary_of.get((file.base or file.path, service.name)), _constant(entry.value), entry)
            for file in self.compose.files
            for service in file.services
            if (entry := service.variable(name)) is not None and entry.value is not None
        ]
        for read in live:
            binaries = set(self.binaries(read))
            for binary, value, entry in entries:
                if binary in binaries and value:
                    yield read, value, entry.location
            for template in self.store.get(env_templates):
                for one in template.assignments:
                    if one.name == name and one.value and not _PLACEHOLDER.search(one.value):
                        yield read, one.value, one.location

    def _assigns(self, path: str, name: str) -> bool:
        text = self.store.repository.text(path) or ""
        return re.search(rf"^\s*(?:export\s+)?{re.escape(name)}\s*=", text, re.MULTILINE) is not None


def _constant(value: str) -> str | None:
    """What a value in compose is when nobody sets anything else: the text, or the default of its only reference."""
    references = shell.references(value)
    if not references:
        return value
    one = references[0]
    is_all = len(references) == 1 and (one.start, one.end) == (0, len(value))
    return one.argument if is_all and one.operator in ("-", ":-") and "$" not in one.argument else None


def _repository(service: Service) -> str:
    return image_repository(service.image) if service.image is not None else ""


def _words_of_commands(service: Service) -> set[str]:
    """Variables that the container's own commands use: `$$NAME` is `$NAME` when they run."""
    texts: Iterable[str] = (*service.command, *service.entrypoint)
    return {name for text in texts for name in shell.names(text.replace("$$", "$"))}


def environment(store: FactStore) -> Environment:
    """The join for this repository."""
    return Environment(store)


def env_var(store: FactStore) -> Table:
    """Table `env_var`: one row per variable that code reads, compose uses or an env template documents.

    Fields: `name`; `read` yes/no (by code that a binary links); `readers` (folders of those binaries);
    `used` yes/no (`read`, or compose puts it where something uses it); `effective` yes/no (a value in the env
    file arrives: every container whose code reads it gets it, or compose uses it); `undelivered_to` (services
    whose code reads it and that do not get it); `containers` (services and image names in which compose puts
    it to use); `documented` yes/no, `documented_in` (files), `templates` (env templates that assign it);
    `refused_by`: the parser in the code that refuses a value which compose or a template gives it, or `true` for a
    switch, "" when none is known to; `has_default` yes/no/None, `system` yes/no (set by the operating system, not
    by us).
    """
    joined = store.get(environment)
    rows = [_row(joined, variable) for variable in joined.variables.values()]
    rows.sort(key=lambda row: (row.location, str(row.fields["name"].value)))
    files = (*joined.packages.heads, *joined.compose.paths, *(t.path for t in store.get(env_templates)))
    return Table("env_var", tuple(rows), files, joined.compose.problems)


def _row(joined: Environment, variable: Variable) -> Entity:
    live = joined.live_reads(variable.name)
    places = [
        *(read.location for read in live),
        *variable.templates.values(),
        *(use.location for use in variable.uses),
        *(read.location for read in variable.reads),
        *variable.documented.values(),
    ]
    undelivered = _undelivered(joined, variable.name, live)
    effects = [use for use in variable.uses if use.has_effect]
    fields = {
        "name": Answer(variable.name),
        "read": _read_answer(joined, variable, live),
        "readers": Answer(tuple(sorted({b for read in live for b in joined.binaries(read)}))),
        "used": _used(joined, variable, live, effects),
        "effective": _effective(joined, variable, live, effects, undelivered),
        "undelivered_to": Answer(tuple(undelivered), proof=tuple(undelivered.values())[:MAX_PROOF]),
        "containers": Answer(
            tuple(sorted({n for use in effects for n in (use.container, use.repository) if n})),
            proof=tuple(use.location for use in effects)[:MAX_PROOF],
        ),
        "documented": Answer(
            YES if variable.documented else NO, proof=tuple(variable.documented.values())[:MAX_PROOF]
        ),
        "documented_in": Answer(tuple(sorted(variable.documented))),
        "templates": Answer(tuple(sorted(variable.templates))),
        "has_default": Answer(_has_default(live)),
        "refused_by": _refused_by(joined, variable.name, live),
        "system": Answer(YES if variable.name in _FROM_THE_SYSTEM else NO),
    }
    return Entity("env_var", places[0], fields)


def _refused_by(joined: Environment, name: str, live: list[EnvRead]) -> Answer:
    """The parser that refuses a value which the variable is given here; a switch takes `true` in any case."""
    values = joined.store.get(env_values)
    for read, value, where in joined.given(name, live):
        parser = values.refuses(read, value)
        if parser is not None:
            return Answer(parser, "", (where, read.location))
    for read in live if name.endswith(_SWITCHES) else ():
        parser = values.refuses(read, "true")
        if parser is not None:
            return Answer(parser, "", (read.location,))
    return Answer("")


def _has_default(live: list[EnvRead]) -> str | None:
    if not live:
        return None
    return YES if all(read.default for read in live) else NO


def _read_answer(joined: Environment, variable: Variable, live: list[EnvRead]) -> Answer:
    if live:
        return Answer(YES, "code reads it", tuple(read.location for read in live)[:MAX_PROOF])
    if variable.reads:
        places = tuple(read.location for read in variable.reads)[:MAX_PROOF]
        linked = any(joined.packages.is_linked(read.directory) for read in variable.reads)
        why = "in a function that nothing calls" if linked else "which no binary links"
        return Answer(NO, f"only {places[0].path} reads it, {why}", places)
    return Answer(NO, "no code reads it")


def _used(joined: Environment, variable: Variable, live: list[EnvRead], effects: list[Use]) -> Answer:
    read = _read_answer(joined, variable, live)
    if live or effects:
        return Answer(YES, "", (*read.proof, *(use.location for use in effects))[:MAX_PROOF])
    if variable.uses:
        return Answer(NO, variable.uses[0].because, tuple(use.location for use in variable.uses)[:MAX_PROOF])
    return Answer(NO, f"{read.because} and compose does not use it", read.proof)


def _undelivered(joined: Environment, name: str, live: list[EnvRead]) -> dict[str, Location]:
    """The services whose code reads a variable that nobody gives them, with the place of the service."""
    missing: dict[str, Location] = {}
    for read in live:
        for file, service in joined.services_of(read):
            if service.build is not None and not joined.gets(file, service, name)[0]:
                missing.setdefault(service.name, service.location.noted(f"{service.name} does not get it"))
    return missing


def _effective(
    joined: Environment,
    variable: Variable,
    live: list[EnvRead],
    effects: list[Use],
    undelivered: dict[str, Location],
) -> Answer:
    if undelivered:
        reads = tuple(read.location for read in live)[:3]
        names = ", ".join(undelivered)
        return Answer(
            NO,
            f"the code in {names} reads it and compose does not pass it on",
            (*reads, *undelivered.values())[:MAX_PROOF],
        )
    return _used(joined, variable, live, effects)
