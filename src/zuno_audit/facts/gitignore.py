"""Do `.gitignore` files keep env files out of git? Tables `env_protection` and `tracked_env_file`.

Only a pattern in a tracked ignore file protects everybody: `.git/info/exclude` and a global ignore file
protect one clone.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.dotenv import is_template
from zuno_audit.model.entity import NO, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import FileKind, kind_by_path
from zuno_audit.source.gitignore import IgnoreMatch, parse_ignore_file

ROOT_ENV = ".env"
# names that say that the values are the same for everybody and for tests only
_SHARED_WORDS = frozenset(
    {"test", "testing", "tests", "ci", "defaults", "default", "schema", "vault", "keys"}
)


def env_protection(store: FactStore) -> Table:
    """Table `env_protection`: one row per path where an env file with real values is expected.

    These are `.env` at the root, what the services of compose files name as `env_file`, and every `.env` that an
    ignore file takes back. Fields: `file`, `protected` yes/no (ignored by a pattern in a tracked ignore file,
    and not tracked itself), `ignored` yes/no (by any pattern), `tracked` yes/no, `pattern`, `wanted_by` (`root`,
    the compose file, or the ignore file).
    """
    expected = dict(_expected(store))
    matches = store.repository.ignored(expected)
    rows = tuple(_protection(store, path, wanted, matches[path]) for path, wanted in expected.items())
    ignore_files = tuple(p for p in store.repository.files if posixpath.basename(p) == ".gitignore")
    read = store.get(compose_files)
    problems = tuple(p for p in read.problems if _may_name_env_files(store, p.path))
    return Table("env_protection", rows, (*ignore_files, *read.paths), problems)


def _may_name_env_files(store: FactStore, path: str) -> bool:
    """Whether a compose file that does not parse may say `env_file`: a name with an escape may be that, too."""
    data = store.repository.read(path)
    return data is None or b"env_file" in data or b"\\" in data


def _expected(store: FactStore) -> Iterator[tuple[str, Location | None]]:
    """The paths, with the place that wants them; the root's `.env` is always expected."""
    yield ROOT_ENV, None
    for _, service in store.get(compose_files).services():
        for file in service.env_files:
            if file.path != ROOT_ENV and _holds_real_values(store, file.path):
                yield file.path, file.location
    yield from _taken_back(store)


def _taken_back(store: FactStore) -> Iterator[tuple[str, Location]]:
    """Every `.env` that the pattern of an ignore file takes back, with that pattern."""
    repository = store.repository
    for source in repository.files:
        if not source.endswith(".gitignore") or kind_by_path(source) in (FileKind.VENDORED, FileKind.TEST):
            continue
        data = repository.read(source) or b""
        if b"!" not in data or not repository.is_tracked(source):
            continue
        bodies = [p.body.decode("utf-8", "replace") for p in parse_ignore_file(data) if p.negated]
        for body in (ROOT_ENV, *bodies) if bodies else ():
            path = posixpath.join(posixpath.dirname(source), body)
            if posixpath.basename(body) != ROOT_ENV or path == ROOT_ENV or "../" in path:
                continue
            match = repository.ignored((path,))[path]
            if match is not None and match.negated:
                yield path, at_line(match.source, match.line, match.pattern)


def _holds_real_values(store: FactStore, path: str) -> bool:
    """False for templates, for paths outside or unknown, and for tracked files that are no `.env` by name."""
    if path.startswith(("../", "/")) or "$" in path or is_template(path) or is_shared(path):
        return False
    return is_dotenv(path) or not store.repository.is_tracked(path)


def is_dotenv(path: str) -> bool:
    """True for `.env` and `.env.SOMETHING` at any depth."""
    name = posixpath.basename(path)
    return name == ".env" or name.startswith(".env.")


def is_shared(path: str) -> bool:
    """True for `.env.test` and the like: the same values for everybody, by name."""
    return not _SHARED_WORDS.isdisjoint(posixpath.basename(path).lower().split("."))


def _protection(store: FactStore, path: str, wanted: Location | None, match: IgnoreMatch | None) -> Entity:
    repository = store.repository
    ignored = match is not None and not match.negated
    tracked = repository.is_tracked(path)
    where = at_line(match.source, match.line, match.pattern) if match is not None else at_line(".gitignore")
    shared = ignored and match is not None and _is_shared_source(store, match.source)
    fields = {
        "file": Answer(path),
        "protected": Answer(
            YES if shared and not tracked else NO,
            _why(path, match, ignored, shared, tracked),
            (where, *((wanted,) if wanted is not None else ())),
        ),
        "ignored": Answer(YES if ignored else NO, proof=(where,)),
        "tracked": Answer(YES if tracked else NO),
        "pattern": Answer(match.pattern if match is not None else None),
        "wanted_by": Answer(wanted.path if wanted is not None else "root"),
    }
    return Entity("env_protection", where, fields)


def _is_shared_source(store: FactStore, source: str) -> bool:
    """True when everybody has the ignore file: it is tracked, or lies above the audited folder."""
    if source.startswith(".git/") or "/.git/" in source:
        return False
    return source.startswith("../") or store.repository.is_tracked(source)


def _why(path: str, match: IgnoreMatch | None, ignored: bool, shared: bool, tracked: bool) -> str:
    if tracked:
        return f"{path} is tracked by git, so ignoring it has no effect"
    if match is None:
        return f"no pattern ignores {path}"
    if not ignored:
        return f"the pattern {match.pattern} takes {path} back"
    if not shared:
        return f"only {match.source} ignores it, which git does not share"
    return f"the pattern {match.pattern} ignores it"


def tracked_env_file(store: FactStore) -> Table:
    """Table `tracked_env_file`: one row per tracked `.env` or `.env.SOMETHING` that is no template.

    Those that come with vendored code are left out. Fields: `file`, `shared` yes/no (`.env.test` and the
    like: by its name the same for everybody).
    """
    repository = store.repository
    rows = tuple(
        Entity(
            "tracked_env_file",
            at_line(path),
            {"file": Answer(path), "shared": Answer(YES if is_shared(path) else NO)},
        )
        for path in repository.files
        if ".env" in path and is_dotenv(path) and not is_template(path) and repository.is_tracked(path)
        if kind_by_path(path) is not FileKind.VENDORED
    )
    return Table("tracked_env_file", rows, tuple(repository.files))
