"""Linters: golangci-lint configurations, and the linters that CI runs.

Table `linter`: one row per linter that a configuration switches on (`where: config`) or that a CI step runs
(`where: ci`). Table `lint_config`: one row per golangci-lint configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from zuno_audit.languages.yaml import YamlMap, YamlNode, YamlScalar, parse_yaml, read_yaml, scalars, texts
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
_RUN = re.compile(r"(?:^|[\s;&|(/])(gosec|golangci-lint|staticcheck|govulncheck|trivy)(?=\s|$)")
_NOT_A_RUN = re.compile(r"\b(?:install|curl|wget|echo|which|command -v|brew|apt(?:-get)?|mkdir|cp|mv|rm)\b")
_IGNORED = re.compile(
    r"\|\|\s*(?:true|:|echo\b|exit 0)|;\s*true\s*$|--?(?:no-fail|exit-zero|issues-exit-code[= ]0)\b"
)


def lint_config_table(store: FactStore) -> Table:
    """Table `lint_config`: tracked yes/no, linters (switched on by name)."""
    rows, problems = [], []
    paths = [p for p in store.repository.files if _CONFIG.fullmatch(p)]
    for path in paths:
        enabled, found = _config(store, path)
        problems += found
        tracked = store.repository.is_tracked(path)
        fields = {
            "tracked": Answer(YES if tracked else NO, "" if tracked else "git does not track it"),
            "linters": Answer(tuple(enabled)),
        }
        rows.append(Entity("lint_config", at_line(path), fields))
    return Table("lint_config", tuple(rows), tuple(store.repository.files), tuple(problems))


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
            rows += _ci_rows(path, root)
    rows.sort(key=lambda r: (r.location, str(r.fields["name"].value)))
    return Table("linter", tuple(rows), (*configs, *pipelines), tuple(problems))


def _linter(name: str, where: str, place: Location, enforced: Answer) -> Entity:
    return Entity("linter", place, {"name": Answer(name), "where": Answer(where), "enforced": enforced})


def _ci_rows(path: str, root: YamlNode) -> Iterator[Entity]:
    for keys, scalar in scalars(root):
        line = scalar.span.start_line
        key = keys[-1] if keys else ""
        if key == "uses":
            action = re.match(r"(?:securego/(gosec)|golangci/(golangci-lint)-action)@", scalar.text)
            if action:
                name = action.group(1) or action.group(2)
                yield _linter(name, "ci", at_line(path, line), Answer(YES))
        elif key in _COMMAND_KEYS:
            yield from _commands(path, line, scalar.text)


def _commands(path: str, line: int, text: str) -> Iterator[Entity]:
    for command in text.split("\n"):
        found = _RUN.search(command)
        if (
            found
            and not command.lstrip().startswith("#")
            and not _NOT_A_RUN.search(command[: found.start() + 1])
        ):
            ignored = _IGNORED.search(command)
            answer = Answer(NO, "what it finds is ignored") if ignored else Answer(YES)
            yield _linter(found.group(1), "ci", at_line(path, line), answer)
