"""Whether anything but code names a variable that code reads: a document, a manifest, a template, a comment.

Table `env_reading`, weaker than `documented` of `env_var`: it does not ask for a place where variables belong,
so it suits repositories whose habits are not known.
"""

from __future__ import annotations

import re
from posixpath import basename
from typing import TYPE_CHECKING

from zuno_audit.facts.go.env import env_reads
from zuno_audit.model.entity import NO, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import kind_by_path

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_FILE_BYTES = 1024 * 1024
# What the platform around a program sets or documents: clouds, CI, Kubernetes, OpenTelemetry, the Go tool, gopsutil.
_PLATFORM = re.compile(
    r"(?:AWS|AZURE|GITHUB|GITLAB|OTEL|XDG|KUBERNETES_SERVICE)_\w+|GH_TOKEN|GOOGLE_(?:APPLICATION_CREDENTIALS|CLOUD_PROJECT)"
    r"|KUBECONFIG|DOCKER_HOST|HTTPS?_PROXY|NO_PROXY|EDITOR|PAGER|SSH_AUTH_SOCK"
    r"|GO(?:BIN|FLAGS|PROXY|PRIVATE|CACHE|MODCACHE|TOOLCHAIN|WORK)|HOST_(?:PROC|SYS|ETC|VAR|RUN|DEV|ROOT)"
)
_IN_HELP = ("cli.", "kingpin.")  # mechanisms of libraries that print the variable with its flag in --help
_KEY = "viper."  # the variable stands for a key of the settings file, which documents may name instead
_RUNTIME = frozenset({"GODEBUG", "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GOTRACEBACK"})  # pkg.go.dev/runtime
_TEXTS = re.compile(
    r"(?i).*\.(?:md|rst|adoc|txt|ya?ml|toml|conf|hcl|tf|tpl|ini|properties|env|json|nomad|service)"
    r"|(?:.*\.)?env(?:\..+)?|(?:dockerfile|containerfile).*|tiltfile|procfile"
)


def env_reading(store: FactStore) -> Table:
    """Table `env_reading`: one row per variable that code reads and that no system or platform sets.

    Fields: `name`, `named` yes/no (by a file that is neither code nor about tests or continuous integration, or
    by the help that the program prints).
    """
    variables = store.table("env_var")
    read = [
        row
        for row in variables.rows
        if row.get("read").value == YES
        and row.get("system").value == NO
        and row.get("name").value not in _RUNTIME
        and not _PLATFORM.fullmatch(str(row.get("name").value))
    ]
    names = {str(row.get("name").value) for row in read}
    ways: dict[str, set[str]] = {}
    for one in store.get(env_reads):
        ways.setdefault(one.name, set()).add(one.mechanism)
    keys = {n.lower(): n for n in names if any(w.startswith(_KEY) for w in ways.get(n, ()))}
    places = _places(store, names, keys)
    rows = tuple(_row(row, places, ways.get(str(row.get("name").value), set())) for row in read)
    return Table("env_reading", rows, variables.files, variables.problems)


def _row(variable: Entity, places: dict[str, Location], ways: set[str]) -> Entity:
    name = variable.get("name")
    documented = variable.get("documented")
    if documented.value == YES:
        named = documented
    elif (place := places.get(str(name.value))) is not None:
        named = Answer(YES, f"{place.path} names it", (place,))
    elif any(way.startswith(_IN_HELP) for way in ways):
        named = Answer(YES, "the program's help names it", (variable.location,))
    else:
        named = Answer(NO, "no document, manifest, template or Dockerfile names it")
    return Entity("env_reading", variable.location, {"name": name, "named": named})


def _places(store: FactStore, names: set[str], keys: dict[str, str]) -> dict[str, Location]:
    """The first place that names each variable, or the key of a settings file that it stands for."""
    if not names:
        return {}
    repository = store.repository
    pattern = re.compile(
        rb"(?<![A-Za-z0-9_])(?:%s)(?![A-Za-z0-9_])" % b"|".join(map(_escaped, sorted({*names, *keys})))
    )
    found: dict[str, Location] = {}
    for path in repository.files:
        if (
            not _TEXTS.fullmatch(basename(path))
            or path.startswith(".github/")
            or kind_by_path(path) is not None
        ):
            continue
        data = repository.read(path)
        if data is None or len(data) > MAX_FILE_BYTES:
            continue
        for match in pattern.finditer(data):
            text = match.group().decode()
            name = keys.get(text, text)
            if name not in found:
                found[name] = at_line(path, data.count(b"\n", 0, match.start()) + 1, "named here")
    return found


def _escaped(name: str) -> bytes:
    return re.escape(name.encode("utf-8", "replace"))
