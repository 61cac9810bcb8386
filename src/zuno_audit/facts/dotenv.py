"""Env files of the repository: templates that document variables, and real ones that should not be there."""

from __future__ import annotations

import posixpath
import re

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.secret_values import names_a_secret, real_kind
from zuno_audit.languages.dotenv import DotenvFile, parse_dotenv
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import FileKind, kind_by_path

TEMPLATE_WORDS = frozenset({"example", "examples", "sample", "template", "tmpl", "tpl", "dist", "skeleton"})

_NAME = re.compile(r"\.env(?:[._-].*)?|[\w.-]+\.env(?:[._-][\w-]+)?|env\.(?:example|sample|template|dist)")
_SEPARATOR = re.compile(r"[._-]")
_OTHER_SUFFIXES = (".go", ".md", ".ts", ".js", ".py", ".sh", ".yaml", ".yml", ".json", ".toml")


def is_env_file(path: str) -> bool:
    """True for `.env`, `.env.production`, `qa.env`, `.env.example` and the like."""
    name = posixpath.basename(path).lower()
    return ".env" in f".{name}" and not name.endswith(_OTHER_SUFFIXES) and _NAME.fullmatch(name) is not None


def is_template(path: str) -> bool:
    """True when the name says that the file is to be copied and filled in."""
    return not TEMPLATE_WORDS.isdisjoint(_SEPARATOR.split(posixpath.basename(path).lower()))


def env_files(store: FactStore) -> tuple[DotenvFile, ...]:
    """Every env file but those of vendored code, templates included, sorted by path."""
    found = []
    for path in store.repository.files:
        if "env" in path and is_env_file(path) and kind_by_path(path) is not FileKind.VENDORED:
            text = store.repository.text(path)
            if text is None:
                found.append(DotenvFile(path, (), (), (Problem(path, 1, "the file cannot be read"),)))
            else:
                found.append(parse_dotenv(path, text))
    return tuple(found)


def env_templates(store: FactStore) -> tuple[DotenvFile, ...]:
    """The env files that document variables."""
    return tuple(file for file in store.get(env_files) if is_template(file.path))


def shared_env_files(store: FactStore) -> tuple[DotenvFile, ...]:
    """The env files in git that are no templates: whoever has the repository sees what they set."""
    files = store.get(env_files)
    return tuple(f for f in files if not is_template(f.path) and store.repository.is_tracked(f.path))


def default_environment(store: FactStore, directory: str) -> dict[str, str]:
    """What `.env` holds for compose in a folder: there, or in the nearest folder above that has one.

    That is the `.env` in git, else the template. Secrets of a `.env` are left out, so that no report shows one.
    """
    files = {
        posixpath.dirname(file.path): _harmless(file)
        for file in store.get(env_files)
        if _is_in_git(store, file)
    }
    for template in store.get(env_templates):
        files.setdefault(posixpath.dirname(template.path), template.values())
    while True:
        if directory in files:
            return files[directory]
        if not directory:
            return {}
        directory = posixpath.dirname(directory)


def set_by(store: FactStore, path: str) -> dict[str, str] | None:
    """The variables that a container gets by an env file: those in it when it is in git, else, for an `.env` that
    everybody makes for himself, those of the nearest template at or above it. None when nothing tells.
    """
    for file in store.get(env_files):
        if file.path == path and store.repository.is_tracked(path):
            return file.values()
    if path in store.repository:
        return parse_dotenv(path, store.repository.text(path) or "").values()
    templates = {posixpath.dirname(t.path): t for t in reversed(store.get(env_templates))}
    directory = posixpath.dirname(path)
    while directory not in templates and directory:
        directory = posixpath.dirname(directory)
    return templates[directory].values() if directory in templates and is_env_file(path) else None


def _is_in_git(store: FactStore, file: DotenvFile) -> bool:
    return posixpath.basename(file.path) == ".env" and store.repository.is_tracked(file.path)


def _harmless(file: DotenvFile) -> dict[str, str]:
    return {n: v for n, v in file.values().items() if not names_a_secret(n) and real_kind(v) is None}


def env_file(store: FactStore) -> Table:
    """Table `env_file`: one row per env file.

    Fields: `file`, `template` yes/no, `tracked` yes/no, `for_tests` yes/no (it lies in a folder of tests), `names`
    (all assigned), `empty_names` (those without a value).
    """
    files = store.get(env_files)
    rows = tuple(_row(store, file) for file in files)
    problems = tuple(problem for file in files for problem in file.problems)
    return Table("env_file", rows, tuple(file.path for file in files), problems)


def _row(store: FactStore, file: DotenvFile) -> Entity:
    where = file.assignments[0].location if file.assignments else _top(file)
    values = file.values()
    fields = {
        "file": Answer(file.path),
        "template": Answer(YES if is_template(file.path) else NO),
        "tracked": Answer(YES if store.repository.is_tracked(file.path) else NO),
        "for_tests": Answer(YES if kind_by_path(file.path) is FileKind.TEST else NO),
        "names": Answer(tuple(values), proof=tuple(a.location for a in file.assignments)),
        "empty_names": Answer(tuple(name for name, value in values.items() if not value)),
    }
    return Entity("env_file", where, fields)


def _top(file: DotenvFile) -> Location:
    return at_line(file.path)
