"""Reads a file of semgrep rules: what it searches for, in which files, and with which metavariables.

Only what searches is taken over. Ids and messages are written anew, so that results can be told apart and
say what each metavariable stands for; whatever semgrep could do beside searching (fixes, validators that
call out, joins) is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from zuno_audit.errors import RuleError
from zuno_audit.facts.semgrep.wanted import SemgrepFile

MAX_BYTES = 256 * 1024  # our longest file has 4 KiB
SEPARATOR = "\N{SYMBOL FOR UNIT SEPARATOR}"  # between metavariables in the message that semgrep fills in
SUFFIXES = {
    "go": (".go",),
    "python": (".py",),
    "javascript": (".js", ".mjs", ".cjs"),
    "typescript": (".ts",),
    "yaml": (".yml", ".yaml"),
    "json": (".json",),
    "bash": (".sh",),
}
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_CONTAINS = re.compile(r"^#[ \t]*contains:[ \t]*(\S.*?)[ \t]*$", re.MULTILINE)
_METAVARIABLE = re.compile(r"\$[A-Z_][A-Z0-9_]*")
_SEARCHING = frozenset(
    {
        "mode",
        "options",
        "min-version",
        "max-version",
        "pattern",
        "patterns",
        "pattern-either",
        "pattern-regex",
        "pattern-sources",
        "pattern-sinks",
        "pattern-sanitizers",
        "pattern-propagators",
    }
)
_TAKEN_OUT = frozenset({"id", "message", "severity", "languages", "metadata"})
_MODES = ("search", "taint")


class SemgrepRule(Struct, frozen=True):
    """One rule. `body` is what searches; `metavariables` are those of its message and patterns, sorted."""

    id: str
    message: str
    languages: tuple[str, ...]
    metavariables: tuple[str, ...]
    body: Mapping[str, Any]

    def as_run(self, name: str) -> dict[str, Any]:
        """The rule as semgrep gets it, called `name`."""
        return {
            "id": name,
            "message": SEPARATOR.join(("", *self.metavariables, "")),
            "severity": "WARNING",
            "languages": list(self.languages),
            **self.body,
        }


class RuleFile(Struct, frozen=True):
    """The rules of one file. A file is concerned when it holds one literal of each group in `literals`."""

    source: SemgrepFile
    rules: tuple[SemgrepRule, ...]
    literals: tuple[tuple[bytes, ...], ...]

    @property
    def suffixes(self) -> tuple[str, ...]:
        """How names of files in its languages end."""
        languages = {language for rule in self.rules for language in rule.languages}
        return tuple(sorted({suffix for language in languages for suffix in SUFFIXES[language]}))


def read_rule_file(source: SemgrepFile) -> RuleFile:
    """The rules in a file. Its comments may say `# contains: TEXT | OTHER TEXT`, repeatable.

    Raises RuleError for a file that is not there or holds anything but rules that search.
    """
    text = _text(source)
    rules = tuple(_rules(text, source.path))
    groups = tuple(
        tuple(part.strip().encode() for part in group.split("|")) for group in _CONTAINS.findall(text)
    )
    return RuleFile(source, rules, groups)


def _text(source: SemgrepFile) -> str:
    file = source.folder / "semgrep" / f"{source.name}.yaml"
    if not _NAME.match(source.name) or not file.is_file():
        raise RuleError("there is no such file of semgrep rules", path=source.path)
    try:
        data = file.read_bytes()
        if len(data) > MAX_BYTES:
            raise RuleError(f"longer than {MAX_BYTES // 1024} KiB", path=source.path)
        return data.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RuleError(f"cannot be read: {error}", path=source.path) from error


def _rules(text: str, path: str) -> Iterator[SemgrepRule]:
    import yaml

    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise RuleError(f"not YAML: {' '.join(str(error).split())}", path=path) from error
    listed = content.get("rules") if isinstance(content, dict) else None
    if not isinstance(listed, list) or not listed:
        raise RuleError("there is no list of rules in it", path=path)
    seen: set[str] = set()
    for data in listed:
        rule = _rule(data, path)
        if rule.id in seen:
            raise RuleError(f"there are two rules {rule.id!r}", path=path)
        seen.add(rule.id)
        yield rule


def _rule(data: Any, path: str) -> SemgrepRule:
    if not isinstance(data, dict) or not all(isinstance(data.get(k), str) for k in ("id", "message")):
        raise RuleError("a rule has an id and a message", path=path)
    unknown = sorted(str(key) for key in data if key not in _SEARCHING | _TAKEN_OUT)
    if unknown:
        raise RuleError(f"rule {data['id']!r}: {unknown[0]!r} is not a key that only searches", path=path)
    if data.get("mode", "search") not in _MODES:
        raise RuleError(f"rule {data['id']!r}: mode is one of {', '.join(_MODES)}", path=path)
    languages = data.get("languages")
    if not isinstance(languages, list) or not languages or not all(name in SUFFIXES for name in languages):
        raise RuleError(f"rule {data['id']!r}: languages are some of {', '.join(SUFFIXES)}", path=path)
    body = {key: value for key, value in data.items() if key in _SEARCHING}
    used = set(_METAVARIABLE.findall(data["message"]))
    return SemgrepRule(data["id"], data["message"], tuple(languages), tuple(sorted(used)), body)


def filled(message: str, values: Mapping[str, str | None]) -> str:
    """A message with its metavariables replaced by what they stand for, where that is known."""
    return _METAVARIABLE.sub(lambda match: values.get(match.group()) or match.group(), message)
