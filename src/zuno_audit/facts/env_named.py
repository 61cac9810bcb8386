"""Whether anything but code names a variable that code reads: a document, a manifest, a template, a comment.

Table `env_reading`, weaker than `documented` of `env_var`: it does not ask for a place where variables belong,
so it suits repositories whose habits are not known.
"""

from __future__ import annotations

import re
from posixpath import basename
from typing import TYPE_CHECKING

from zuno_audit.model.entity import NO, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import kind_by_path

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_FILE_BYTES = 1024 * 1024
_RUNTIME = frozenset({"GODEBUG", "GOMAXPROCS", "GOGC", "GOMEMLIMIT", "GOTRACEBACK"})  # pkg.go.dev/runtime
_TEXTS = re.compile(
    r"(?i).*\.(?:md|rst|adoc|txt|ya?ml|toml|conf|hcl|tf|tpl|ini|properties|env|json|nomad|service)"
    r"|(?:.*\.)?env(?:\..+)?|(?:dockerfile|containerfile).*|tiltfile|procfile"
)


def env_reading(store: FactStore) -> Table:
    """Table `env_reading`: one row per variable that code reads and that the system does not set.

    Fields: `name`, `named` yes/no (by a file that is neither code nor about tests or continuous integration).
    """
    variables = store.table("env_var")
    read = [
        row
        for row in variables.rows
        if row.get("read").value == YES
        and row.get("system").value == NO
        and row.get("name").value not in _RUNTIME
    ]
    places = _places(store, {str(row.get("name").value) for row in read})
    rows = tuple(_row(row, places) for row in read)
    return Table("env_reading", rows, variables.files, variables.problems)


def _row(variable: Entity, places: dict[str, Location]) -> Entity:
    name = variable.get("name")
    documented = variable.get("documented")
    if documented.value == YES:
        named = documented
    elif (place := places.get(str(name.value))) is not None:
        named = Answer(YES, f"{place.path} names it", (place,))
    else:
        named = Answer(NO, "no document, manifest, template or Dockerfile names it")
    return Entity("env_reading", variable.location, {"name": name, "named": named})


def _places(store: FactStore, names: set[str]) -> dict[str, Location]:
    """The first place that names each variable."""
    if not names:
        return {}
    repository = store.repository
    pattern = re.compile(
        rb"(?<![A-Za-z0-9_])(?:%s)(?![A-Za-z0-9_])" % b"|".join(map(_escaped, sorted(names)))
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
            name = match.group().decode()
            if name not in found:
                found[name] = at_line(path, data.count(b"\n", 0, match.start()) + 1, "named here")
    return found


def _escaped(name: str) -> bytes:
    return re.escape(name.encode("utf-8", "replace"))
