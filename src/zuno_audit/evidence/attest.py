"""Writes an attestation: an entry at the end of `.zuno-audit/attestations.yml`, the rest stays as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from zuno_audit.errors import ConfigError, ReportError, UsageError
from zuno_audit.evidence.attestations import MAX_BYTES
from zuno_audit.evidence.places import ATTESTATIONS
from zuno_audit.rules.document import parse_document

_HEAD = "attestations:\n"


class Entry(Struct, frozen=True):
    """What is attested. `when` and `expires` are dates or times as text."""

    item: str
    who: str
    when: str
    statement: str
    expires: str
    covers: tuple[str, ...] = ()
    commit: str | None = None


def append(root: Path, entry: Entry, items: Iterable[str]) -> Path:
    """Adds the entry to the file of the tree and returns where it is.

    Raises UsageError for an unknown item or an empty word, ConfigError for a file that cannot be added to,
    ReportError when it cannot be written.
    """
    if entry.item not in set(items):
        raise UsageError(f"There is no item {entry.item!r} in the checklist.")
    for name in ("who", "statement"):
        if not getattr(entry, name).strip():
            raise UsageError(f"An attestation needs --{name}.")
    path = root / ATTESTATIONS
    if path.is_symlink() or not path.parent.resolve().is_relative_to(root.resolve()):
        raise ConfigError("a link, which is not followed", path=ATTESTATIONS)
    text = _with(_existing(path), entry)
    parse_document(text, ATTESTATIONS)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_text(text, "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise ReportError(f"{ATTESTATIONS} cannot be written: {error.strerror or error}.") from error
    return path


def _existing(path: Path) -> str:
    try:
        if not path.exists():
            return _HEAD
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError("the file is too large", path=ATTESTATIONS)
        text = path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError):
        raise ConfigError("it cannot be read as text", path=ATTESTATIONS) from None
    content = parse_document(text, ATTESTATIONS)
    if content is None or content == {"attestations": []} or content == {"attestations": None}:
        comments = "".join(line + "\n" for line in text.split("\n") if line.startswith("#"))
        return comments + _HEAD
    if set(content) != {"attestations"} or not isinstance(content["attestations"], list):
        raise ConfigError("one key `attestations` with a list is expected", path=ATTESTATIONS)
    return text if text.endswith("\n") else text + "\n"


def _with(text: str, entry: Entry) -> str:
    """The text with the entry at its end, indented like the entries before it."""
    before = next((line for line in text.split("\n") if line.lstrip().startswith("- ")), "  - ")
    indent = before[: len(before) - len(before.lstrip())]
    values: dict[str, object] = {
        "item": entry.item,
        "who": entry.who,
        "when": entry.when,
        "statement": entry.statement,
        "expires": entry.expires,
    }
    if entry.covers:
        values |= {"covers": list(entry.covers)}
        values |= {"commit": entry.commit} if entry.commit else {}
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in values.items()]
    return text + f"{indent}- {lines[0]}\n" + "".join(f"{indent}  {line}\n" for line in lines[1:])
