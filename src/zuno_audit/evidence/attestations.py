"""`.zuno-audit/attestations.yml`: what people vouch for, item by item.

attestations:
  - item: S.1.1
    who: Jane Doe <jane@example.com>
    when: 2026-11-20T09:00:00Z
    statement: I reviewed the code of all services.
    expires: 2027-05-20
    covers: ["services/**"]      # optional: void when such a file changes
    commit: 0123abcd...          # optional: what `covers` is compared with; else the commit of `when`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct

from zuno_audit.errors import RuleError
from zuno_audit.evidence.freshness import Freshness
from zuno_audit.evidence.places import ATTESTATIONS
from zuno_audit.model.attestation import Attestation, AttestationState
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.model.redaction import redact
from zuno_audit.rules.document import line_of, parse_document
from zuno_audit.source.git import GitError
from zuno_audit.source.glob import compile_glob

MAX_BYTES = 2 * 1024 * 1024
ANY_ITEM = "*"  # of an attestation whose item cannot be known: it matters to every item that is open
_KEYS = frozenset({"item", "who", "when", "statement", "expires", "covers", "commit"})
_NEEDED = ("item", "who", "when", "statement", "expires")
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")


class Attestations(Struct, frozen=True):
    """Every attestation of the file with what it is worth, and what is to be told about them."""

    entries: tuple[Attestation, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


class _Bad(Exception):
    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


def read_attestations(root: Path, items: Iterable[str], freshness: Freshness, now: float) -> Attestations:
    """The attestations of a tree, as they are worth at `now`. Never raises for a bad file.

    `items` are all ids of the checklist.
    """
    path = root / ATTESTATIONS
    if not path.is_file():
        return Attestations()
    try:
        text = _text(root, path)
        content = parse_document(text, ATTESTATIONS)
        listed = _listed(content)
    except RuleError as error:
        return _unreadable(str(error).removeprefix(f"{ATTESTATIONS}:{error.line}: "), error.line or 1)
    except (OSError, UnicodeDecodeError, _Bad) as error:
        return _unreadable("not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error), 1)
    reader = _Reader(text, frozenset(items), freshness, now)
    entries = tuple(reader.entry(index, entry) for index, entry in enumerate(listed))
    return Attestations(entries, tuple(d for e in entries if (d := _diagnostic(e)) is not None))


def _text(root: Path, path: Path) -> str:
    if not path.resolve().is_relative_to(root.resolve()):
        raise _Bad("a link that leads out of the tree")
    if path.stat().st_size > MAX_BYTES:
        raise _Bad("the file is too large")
    return path.read_bytes().decode("utf-8-sig")


def _listed(content: Any) -> list[Any]:
    if content is None:
        return []
    if not isinstance(content, dict) or set(content) != {"attestations"}:
        raise _Bad("one key `attestations` with a list is expected")
    listed = [] if content["attestations"] is None else content["attestations"]
    if not isinstance(listed, list):
        raise _Bad("`attestations` is not a list")
    return listed


def _unreadable(message: str, line: int) -> Attestations:
    why = redact(f"the attestations cannot be read: {message}")
    entry = Attestation(ANY_ITEM, "", "", "", ATTESTATIONS, line, AttestationState.BROKEN, why)
    return Attestations((entry,), (Diagnostic(Level.ERROR, ATTESTATIONS, line, f"Here {why}."),))


def _diagnostic(entry: Attestation) -> Diagnostic | None:
    if entry.state is AttestationState.VALID:
        return None
    level = Level.WARNING if entry.state is AttestationState.VOID else Level.ERROR
    who = f" of {entry.item}" if entry.item != ANY_ITEM else ""
    return Diagnostic(
        level, entry.path, entry.line, redact(f"The attestation{who} does not count: {entry.why}.")
    )


class _Reader:
    """Reads entries of one file."""

    def __init__(self, text: str, items: frozenset[str], freshness: Freshness, now: float) -> None:
        self.text = text
        self.now = now
        self.items = items
        self.freshness = freshness

    def entry(self, index: int, data: Any) -> Attestation:
        """The attestation, whatever it is worth."""
        known = isinstance(data, dict) and isinstance(data.get("item"), str) and data["item"] in self.items
        item = data["item"] if known else ANY_ITEM
        line = self._line(index)
        try:
            return self._checked(index, data)
        except _Bad as error:
            line = self._line(index, error.key) if error.key else line
            named_wrongly = error.key == "item" and isinstance(data, dict) and "item" in data
            state = AttestationState.NAMELESS if named_wrongly else AttestationState.BROKEN
            return Attestation(item, "", "", "", ATTESTATIONS, line, state, redact(str(error)))

    def _line(self, index: int, *keys: str) -> int:
        return line_of(self.text, ATTESTATIONS, ("attestations", index, *keys))

    def _checked(self, index: int, data: Any) -> Attestation:
        if not isinstance(data, dict):
            raise _Bad("it is not a mapping")
        for key in data:
            if key not in _KEYS:
                raise _Bad(f"unknown key {key!r}", str(key))
        for key in _NEEDED:
            if data.get(key) in (None, ""):
                raise _Bad(f"`{key}` is missing")
        item, who, statement = (str(data[key]) for key in ("item", "who", "statement"))
        if item not in self.items:
            raise _Bad(f"the checklist has no item {item!r}", "item")
        when, expires = _moment(data, "when"), _moment(data, "expires", end_of_day=True)
        if when.timestamp() > self.now + 86_400:
            raise _Bad("`when` lies in the future", "when")
        line = self._line(index)
        state, why = AttestationState.VALID, ""
        if expires.timestamp() < self.now:
            state, why = AttestationState.EXPIRED, f"it expired on {data['expires']}"
            line = self._line(index, "expires")
        elif data.get("covers") and (change := self._changed(data, when)):
            state, why, line = AttestationState.VOID, change, self._line(index, "covers")
        return Attestation(
            item, redact(who), f"{when:%Y-%m-%d}", redact(statement), ATTESTATIONS, line, state, redact(why)
        )

    def _changed(self, data: Mapping[str, Any], when: datetime) -> str:
        """Why a covered file makes the attestation void, or empty text."""
        globs = data["covers"] if isinstance(data["covers"], list) else [data["covers"]]
        if not all(isinstance(glob, str) and glob for glob in globs):
            raise _Bad("`covers` is not a list of patterns", "covers")
        commit = str(data.get("commit") or self._commit_of(when))
        if not _COMMIT.match(commit):
            raise _Bad("`commit` is not a commit id", "commit")
        changed = self.freshness.changed_since(commit)
        if changed is None:
            raise _Bad(f"`covers` cannot be checked: commit {commit[:12]} is not known here", "covers")
        repository = self.freshness.repository
        for glob in globs:
            match = compile_glob(glob).fullmatch
            hit = next((path for path in changed if match(path)), None)
            if hit is not None:
                return f"{hit} changed since"
            if not any(match(path) for path in repository.files):
                raise _Bad(f"`covers` names no file: {glob}", "covers")
        return ""

    def _commit_of(self, when: datetime) -> str:
        """The commit that was the newest at that time."""
        git = self.freshness.repository.git
        try:
            if git is None:
                raise GitError("there is no git here")
            before = f"--before={int(when.timestamp())}"
            found = git.run("rev-list", "--max-count=1", before, "HEAD").decode().strip()
        except GitError as error:
            raise _Bad(f"`covers` cannot be checked: {error}", "covers") from None
        if not found:
            raise _Bad("`covers` cannot be checked: it is older than the first commit", "covers")
        return found


def _moment(data: Mapping[str, Any], key: str, *, end_of_day: bool = False) -> datetime:
    """A date or a time in UTC. A mere date begins the day, or ends it where that is what counts."""
    text = str(data[key]).strip()
    try:
        if len(text) == len("2026-01-31"):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day + timedelta(days=1, seconds=-1) if end_of_day else day
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise _Bad(f"`{key}` is not a date like 2026-01-31", key) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
