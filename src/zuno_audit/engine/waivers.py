"""Waivers: findings that somebody answers for until a day, in `zuno-audit.waivers.yml` at the root.

    waivers:
      - rule: grpc-server-without-unary-recovery      # or  item: 1.3.1.1
        paths: ["services/auth-service/**"]
        reason: The service is switched off in March.
        owner: platform team
        expiry: 2027-03-31                            # the last day on which it holds

A file that is not exactly like this ends the audit: half a waiver must not waive, nor be overlooked.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.engine.suppress import MAX_REASON, nearest
from zuno_audit.errors import ConfigError
from zuno_audit.languages.yaml import YamlEntry, YamlList, YamlMap, YamlNode, YamlScalar, parse_yaml
from zuno_audit.model.finding import Suppression
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.redaction import redact
from zuno_audit.source.glob import covers

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

FILE = "zuno-audit.waivers.yml"
MAX_WAIVERS = 1000
MAX_PATTERN = 500
_KEYS = ("rule", "item", "paths", "reason", "owner", "expiry")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}\Z", re.ASCII)
_CURE = "A waiver has rule or item, paths, reason, owner and expiry (YYYY-MM-DD)."


class Waiver(Struct, frozen=True):
    """One waiver. Exactly one of `rule` and `item` is given; `location` is where it is written."""

    location: Location
    rule: str
    item: str
    paths: tuple[str, ...]
    reason: str
    owner: str
    expiry: date

    @property
    def subject(self) -> str:
        """What it is about, for people."""
        return f"rule {self.rule}" if self.rule else f"item {self.item}"

    def is_expired(self, today: date) -> bool:
        """True from the day after its last day."""
        return today > self.expiry

    def covers_path(self, path: str) -> bool:
        """True when one of its patterns matches."""
        return any(covers(pattern, path) for pattern in self.paths)

    def covers_item(self, item: str) -> bool:
        """True for its own item and those below it."""
        return item == self.item or item.startswith(f"{self.item}.")

    def suppression(self) -> Suppression:
        """How a waived finding is marked."""
        return Suppression(
            "external", self.reason, self.location, until=self.expiry.isoformat(), owner=self.owner
        )


def read_waivers(
    repository: Repository, rules: Collection[str], items: Collection[str]
) -> tuple[Waiver, ...]:
    """The waivers of a tree, in the order in which they are written.

    Raises ConfigError (path, line, cure) for a file that cannot be read or is malformed in any way, for an
    unknown rule and for an unknown item.
    """
    if FILE not in repository:
        return ()
    data = repository.read(FILE)
    if data is None:
        raise ConfigError("cannot be read", path=FILE, hint="Make it a small regular file, or remove it.")
    return parse_waivers(data, rules, items)


def parse_waivers(data: bytes, rules: Collection[str], items: Collection[str]) -> tuple[Waiver, ...]:
    """The waivers in the bytes of a file. Raises ConfigError like `read_waivers`."""
    file = parse_yaml(FILE, data)
    for problem in (*file.problems, *file.duplicates):
        raise _wrong(problem.line, problem.message)
    if len(file.documents) > 1:
        raise _wrong(file.documents[1].span.start_line, "there is more than one document in the file")
    listed = _listed(file.documents[0]) if file.documents else ()
    if len(listed) > MAX_WAIVERS:
        raise _wrong(1, f"there are more than {MAX_WAIVERS} waivers")
    return tuple(_Reader(rules, items).waiver(node) for node in listed)


def _wrong(line: int, message: str, cure: str = _CURE) -> ConfigError:
    return ConfigError(redact(message), path=FILE, line=line, hint=cure)


def _listed(top: YamlNode) -> tuple[YamlNode, ...]:
    """The entries below `waivers`; nothing written means none."""
    if isinstance(top, YamlScalar) and top.is_null:
        return ()
    if isinstance(top, YamlList):
        return top.items
    if not isinstance(top, YamlMap):
        raise _wrong(top.span.start_line, "the file holds no list of waivers", "Begin it with `waivers:`.")
    for entry in top.entries:
        if entry.key != "waivers":
            raise _wrong(
                entry.span.start_line, f"unknown key {entry.key[:100]!r}", "The only key here is waivers."
            )
    node = top.get("waivers")
    if node is None or (isinstance(node, YamlScalar) and node.is_null):
        return ()
    if not isinstance(node, YamlList):
        raise _wrong(node.span.start_line, "waivers is not a list", "Begin every waiver with `- `.")
    return node.items


class _Reader(Struct, frozen=True):
    """Reads one waiver after the other, knowing what may be waived."""

    rules: Collection[str]
    items: Collection[str]

    def waiver(self, node: YamlNode) -> Waiver:
        if not isinstance(node, YamlMap):
            raise _wrong(node.span.start_line, "a waiver is a mapping")
        line = node.entries[0].span.start_line if node.entries else node.span.start_line
        self._check_keys(node, line)
        return Waiver(
            location=at_line(FILE, line),
            rule=self._known(node.entry("rule"), self.rules, "rule"),
            item=self._known(node.entry("item"), self.items, "item"),
            paths=_paths(node, line),
            reason=_text(node, "reason", line),
            owner=_text(node, "owner", line),
            expiry=_expiry(node, line),
        )

    def _check_keys(self, node: YamlMap, line: int) -> None:
        for entry in node.entries:
            if entry.key not in _KEYS:
                hint = nearest(entry.key, _KEYS)
                raise _wrong(entry.span.start_line, f"unknown key {entry.key[:100]!r}.{hint}")
        if (node.entry("rule") is None) == (node.entry("item") is None):
            raise _wrong(line, "a waiver names either a rule or an item")

    def _known(self, entry: YamlEntry | None, known: Collection[str], what: str) -> str:
        if entry is None:
            return ""
        name = entry.value.text if isinstance(entry.value, YamlScalar) else ""
        if name not in known:
            message = f"there is no {what} {name[:100]!r}.{nearest(name, known)}"
            raise _wrong(entry.span.start_line, message, f"Name a {what} as the reports do.")
        return name


def _text(node: YamlMap, key: str, line: int) -> str:
    value = node.text(key)
    if value is None or not value.strip():
        entry = node.entry(key)
        raise _wrong(entry.span.start_line if entry else line, f"{key} is missing or is no text")
    return redact(" ".join(value.split()))[:MAX_REASON]


def _paths(node: YamlMap, line: int) -> tuple[str, ...]:
    """One pattern or a list of them."""
    entry = node.entry("paths")
    if entry is None:
        raise _wrong(line, "paths is missing")
    value = entry.value
    nodes = value.items if isinstance(value, YamlList) else (value,)
    patterns = [one.text for one in nodes if isinstance(one, YamlScalar) and not one.is_null and one.text]
    if not nodes or len(patterns) != len(nodes):
        raise _wrong(entry.span.start_line, "paths is not a list of patterns")
    for pattern in patterns:
        if not _is_pattern(pattern):
            message = f"{pattern[:100]!r} is not a pattern of paths relative to the root"
            raise _wrong(entry.span.start_line, message, "Write it like services/auth/**, with `/`.")
    return tuple(patterns)


def _is_pattern(text: str) -> bool:
    """Relative, with `/`, and `**` only as a whole segment."""
    segments = text.split("/")
    is_odd = any(part in ("", ".", "..") or ("**" in part and part != "**") for part in segments)
    return not is_odd and "\\" not in text and len(text) <= MAX_PATTERN


def _expiry(node: YamlMap, line: int) -> date:
    entry = node.entry("expiry")
    text = node.text("expiry") or ""
    where = entry.span.start_line if entry else line
    if entry is None:
        raise _wrong(where, "expiry is missing")
    try:
        if not _DATE.match(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise _wrong(where, f"expiry {text[:40]!r} is not a day", "Write it as YYYY-MM-DD.") from None
