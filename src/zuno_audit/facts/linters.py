"""Linters: golangci-lint configurations, and the linters that CI runs.

Table `linter`: one row per linter that a configuration switches on (`where: config`) or that a CI step runs
(`where: ci`). Table `lint_config`: one row per golangci-lint configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import normpath
from typing import TYPE_CHECKING, Any

from zuno_audit.languages.script import commands as script_commands
from zuno_audit.languages.yaml import (
    YamlList,
    YamlMap,
    YamlNode,
    YamlScalar,
    parse_yaml,
    read_yaml,
    scalars,
    texts,
)
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

# golangci-lint's own order of names (https://golangci-lint.run/docs/configuration/file/).
_CONFIG = re.compile(r"(?:.*/)?\.golangci\.(?:yml|yaml|toml|json)")
_CI = re.compile(
    r"\.github/workflows/[^/]+\.ya?ml|\.gitlab-ci\.ya?ml|\.circleci/config\.ya?ml|azure-pipelines\.ya?ml"
    r"|bitbucket-pipelines\.ya?ml|\.pre-commit-config\.ya?ml|\.drone\.ya?ml|\.travis\.ya?ml"
)
_COMMAND_KEYS = ("run", "script", "before_script", "after_script", "commands", "command", "entry", "bash")
_RUN = re.compile(
    r"(?:^|[\s;&|(/])(gosec|golangci-lint|staticcheck|govulncheck|trivy)(?:[@:][\w.-]+)?(?=[\s\"']|$)"
)
_ASKS_ONLY = re.compile(r"[\"']?\s+(?:--?version|version|--?help|-h|help)\b")
_NEVER = re.compile(r"\s*(?:\$\{\{\s*)?(?:false|!\s*true)(?:\s*\}\})?\s*", re.IGNORECASE)
MAX_CALLS = 3  # scripts and Makefile targets that call each other
_NOT_A_RUN = re.compile(
    r"\b(?:install|curl|wget|echo|which|command -v|brew|apt(?:-get)?|mkdir|cp|mv|(?<!-)rm)\b"
)
_IGNORED = re.compile(
    r"\|\|\s*(?:true|:|echo\b|exit 0)|;\s*true\s*$|--?(?:no-fail|exit-zero|issues-exit-code[= ]0)\b"
)


def lint_config_table(store: FactStore) -> Table:
    """Table `lint_config`: tracked yes/no, configures yes/no (anything is set), linters (on by name)."""
    rows, problems = [], []
    paths = [p for p in store.repository.files if _CONFIG.fullmatch(p)]
    for path in paths:
        enabled, found = _config(store, path)
        problems += found
        tracked = store.repository.is_tracked(path)
        fields = {
            "tracked": Answer(YES if tracked else NO, "" if tracked else "git does not track it"),
            "configures": _configures(store, path),
            "linters": Answer(tuple(enabled)),
        }
        rows.append(Entity("lint_config", at_line(path), fields))
    return Table("lint_config", tuple(rows), tuple(store.repository.files), tuple(problems))


def _configures(store: FactStore, path: str) -> Answer:
    """Whether anything is set: a file of comments leaves golangci-lint with its defaults."""
    lines = (store.repository.text(path) or "").splitlines()
    if any(line.strip() and not line.lstrip().startswith(("#", "---")) for line in lines):
        return Answer(YES)
    return Answer(NO, "nothing is set in it")


def _config(store: FactStore, path: str) -> tuple[dict[str, Location], list[Problem]]:
    """The linters that a golangci-lint configuration switches on by name, with their places."""
    if path.endswith((".yml", ".yaml")):
        document = read_yaml(store.repository, path)
    elif path.endswith(".json"):
        document = parse_yaml(path, store.repository.read(path) or b"")  # JSON is YAML
    else:
        return _toml_config(store, path)
    root = document.documents[0] if document.documents else None
    problems = list(document.problems)
    linters = root.map("linters") if isinstance(root, YamlMap) else None
    if linters is None:
        return {}, problems
    disabled = set(texts(linters.get("disable")))
    enabled = {
        item.text: document.at(item)
        for _, item in _scalars_at(linters.get("enable"))
        if item.text not in disabled
    }
    everything = linters.get("enable-all")
    if linters.text("default") == "all" or (isinstance(everything, YamlScalar) and everything.as_bool):
        enabled |= {name: at_line(path) for name in ("gosec",) if name not in disabled}
    return enabled, problems


def _scalars_at(node: YamlNode | None) -> Iterator[tuple[tuple[str, ...], YamlScalar]]:
    if node is not None:
        yield from scalars(node)


def _toml_config(store: FactStore, path: str) -> tuple[dict[str, Location], list[Problem]]:
    import tomllib

    try:
        data: Mapping[str, Any] = tomllib.loads(store.repository.text(path) or "")
    except tomllib.TOMLDecodeError as error:
        return {}, [Problem(path, 1, f"not TOML: {error}")]
    linters = data.get("linters", {})
    if not isinstance(linters, dict):
        return {}, []
    enabled, disabled = linters.get("enable", []), linters.get("disable", [])
    names = (
        [n for n in enabled if isinstance(n, str) and n not in disabled] if isinstance(enabled, list) else []
    )
    if linters.get("default") == "all" or linters.get("enable-all") is True:
        names.append("gosec")
    return {name: at_line(path) for name in names}, []


def linter_table(store: FactStore) -> Table:
    """Table `linter`: name, where (config or ci), enforced (its findings stop the build)."""
    repository = store.repository
    rows: list[Entity] = []
    problems: list[Problem] = []
    configs = [p for p in repository.files if _CONFIG.fullmatch(p)]
    for path in configs:
        enabled, found = _config(store, path)
        problems += found
        rows += [_linter(name, "config", place, Answer(YES)) for name, place in enabled.items()]
    pipelines = [p for p in repository.files if _CI.fullmatch(p)]
    for path in pipelines:
        document = read_yaml(repository, path)
        problems += document.problems
        for root in document.documents:
            rows += _ci_rows(store, path, root)
    rows.sort(key=lambda r: (r.location, str(r.fields["name"].value)))
    return Table("linter", tuple(rows), (*configs, *pipelines), tuple(problems))


def _linter(name: str, where: str, place: Location, enforced: Answer) -> Entity:
    return Entity("linter", place, {"name": Answer(name), "where": Answer(where), "enforced": enforced})


def _ci_rows(store: FactStore, path: str, root: YamlNode) -> Iterator[Entity]:
    """What the steps of a pipeline run; steps and jobs whose condition is never true are left out."""
    if isinstance(root, YamlMap):
        condition = root.get("if")
        if isinstance(condition, YamlScalar) and _NEVER.fullmatch(condition.text):
            return
        for entry in root.entries:
            key, node = entry.key, entry.value
            if isinstance(node, YamlScalar):
                yield from _step_rows(store, path, key, node)
            elif key in _COMMAND_KEYS and isinstance(node, YamlList):
                for item in node.items:
                    if isinstance(item, YamlScalar):
                        yield from _step_rows(store, path, key, item)
                    else:
                        yield from _ci_rows(store, path, item)
            else:
                yield from _ci_rows(store, path, node)
    elif isinstance(root, YamlList):
        for item in root.items:
            yield from _ci_rows(store, path, item)


def _step_rows(store: FactStore, path: str, key: str, scalar: YamlScalar) -> Iterator[Entity]:
    line = scalar.span.start_line
    if key == "uses":
        action = re.match(r"(?:securego/(gosec)|golangci/(golangci-lint)-action)@", scalar.text)
        if action:
            name = action.group(1) or action.group(2)
            yield _linter(name, "ci", at_line(path, line), Answer(YES))
    elif key in _COMMAND_KEYS:
        yield from _commands(store, path, line, scalar.text, 0)


def _commands(store: FactStore, path: str, line: int, text: str, depth: int) -> Iterator[Entity]:
    """The linters that a piece of shell runs itself, or through scripts and Makefile targets."""
    for command in text.replace("\\\n", " ").split("\n"):
        if command.lstrip().startswith("#"):
            continue
        found = _RUN.search(command)
        if (
            found
            and not _NOT_A_RUN.search(command[: found.start() + 1])
            and not _ASKS_ONLY.match(command, found.end())
        ):
            ignored = _IGNORED.search(command)
            answer = Answer(NO, "what it finds is ignored") if ignored else Answer(YES)
            yield _linter(found.group(1), "ci", at_line(path, line), answer)
        elif depth < MAX_CALLS:
            for script, called in _called(store, command):
                for row in _commands(store, path, line, called, depth + 1):
                    place = at_line(path, line, f"calls {script}")
                    yield _linter(str(row.fields["name"].value), "ci", place, row.fields["enforced"])


def _called(store: FactStore, command: str) -> Iterator[tuple[str, str]]:
    """The scripts and Makefile targets that a command calls, each with its text."""
    words = command.split()
    for index, word in enumerate(words):
        name = normpath(word.strip("\"'"))
        if name.endswith((".sh", ".bash")) and (text := store.repository.text(name)) is not None:
            yield name, text
        elif word == "make" and (makefile := store.repository.text("Makefile")) is not None:
            wanted = {w for w in words[index + 1 :] if not w.startswith("-") and "=" not in w}
            recipes = [c for c in script_commands(makefile, "make") if c.target in wanted]
            yield "Makefile", "\n".join(" ".join(c.words) for c in recipes)
