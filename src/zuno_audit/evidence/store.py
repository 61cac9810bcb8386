"""The evidence folder: every file in it is recognised, read, dated. Nothing in it is executed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from zuno_audit.evidence.freshness import Freshness
from zuno_audit.evidence.observation import BrokenEvidence, Evidence, Meta, Observation, Reading
from zuno_audit.evidence.readers import HEAD_BYTES, format_of, reader
from zuno_audit.evidence.sidecar import SUFFIX, read_meta
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.model.redaction import redact

MAX_FILES = 500
MAX_FILE_BYTES = 64 * 1024 * 1024
MAX_BYTES = 256 * 1024 * 1024  # of all files together
MAX_DEPTH = 4
UNKNOWN_FORMAT = ""
_EMPTY_TIDY = "tidy"


class Broken(Struct, frozen=True):
    """An evidence file that could not be read. `format` is empty when not even that is known."""

    path: str
    line: int
    message: str
    format: str
    command: tuple[str, ...] = ()


class EvidenceFolder(Struct, frozen=True):
    """What the folder holds. `shown` is how reports name it."""

    shown: str
    files: tuple[Evidence, ...] = ()
    broken: tuple[Broken, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()


def read_folder(folder: Path, shown: str, freshness: Freshness) -> EvidenceFolder:
    """Every file of the folder, sorted by path. A folder that is not there holds nothing."""
    files: list[Evidence] = []
    broken: list[Broken] = []
    diagnostics: list[Diagnostic] = []
    total = 0
    for index, (path, status) in enumerate(_listed(folder, diagnostics, shown)):
        name = _shown(path, folder, shown)
        total += status.st_size
        if index >= MAX_FILES or total > MAX_BYTES:
            diagnostics.append(_warning(name, "not read: the evidence folder holds too much"))
            broken.append(Broken(name, 1, "the evidence folder holds too much", UNKNOWN_FORMAT))
            break
        try:
            files.append(_file(path, name, status, freshness))
        except _Unrecognised as error:
            diagnostics.append(_warning(name, f"not evidence: {error}"))
        except _Broken as error:
            broken.append(error.record)
    diagnostics += [
        Diagnostic(Level.ERROR, b.path, b.line, redact(f"Broken evidence: {b.message}.")) for b in broken
    ]
    diagnostics += [
        _warning(file.path, f"Stale evidence decides nothing: {file.stale}.") for file in files if file.stale
    ]
    return EvidenceFolder(shown, tuple(files), tuple(broken), tuple(diagnostics))


class _Unrecognised(Exception):
    pass


class _Broken(Exception):
    def __init__(self, record: Broken) -> None:
        super().__init__(record.message)
        self.record = record


def _warning(path: str, message: str) -> Diagnostic:
    return Diagnostic(Level.WARNING, path, 1, redact(message))


def _listed(folder: Path, diagnostics: list[Diagnostic], shown: str) -> Iterator[tuple[Path, os.stat_result]]:
    """Regular files that are evidence by name, in order; links are passed over with a word."""
    for parent, folders, names in os.walk(folder):
        depth = len(Path(parent).relative_to(folder).parts)
        folders[:] = sorted(n for n in folders if not n.startswith(".")) if depth < MAX_DEPTH else []
        for name in sorted(names):
            path = Path(parent, name)
            if name.startswith(".") or name.endswith(SUFFIX):
                continue
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                yield path, status
            else:
                diagnostics.append(_warning(_shown(path, folder, shown), "not read: not a regular file"))


def _shown(path: Path, folder: Path, shown: str) -> str:
    name = path.relative_to(folder).as_posix().encode("utf-8", "surrogateescape")
    return f"{shown}/{name.decode('utf-8', 'backslashreplace')}"


def _file(path: Path, name: str, status: os.stat_result, freshness: Freshness) -> Evidence:
    meta = _meta(path, name)
    try:
        data = _read(path, status)
        kind = format_of(data[:HEAD_BYTES])
        reading = _reading(kind, data, meta, path.name)
    except BrokenEvidence as error:
        kind = _format_if_readable(path)
        raise _Broken(Broken(name, error.line, str(error), kind, meta.command)) from None
    is_tracked = freshness.repository.is_tracked(name)
    made_at = meta.made_at or reading.made_at or (None if is_tracked else status.st_mtime)
    stale = freshness.why_stale(meta, made_at, is_tracked=is_tracked)
    return Evidence(name, kind or "command", reading.observations, meta, made_at, stale)


def _meta(path: Path, name: str) -> Meta:
    sidecar = path.with_name(path.name + SUFFIX)
    if not sidecar.is_file() or sidecar.is_symlink():
        return Meta()
    try:
        return read_meta(_read(sidecar, sidecar.stat()))
    except BrokenEvidence as error:
        kind = _format_if_readable(path)
        raise _Broken(Broken(name + SUFFIX, error.line, str(error), kind)) from None


def _read(path: Path, status: os.stat_result) -> bytes:
    if status.st_size > MAX_FILE_BYTES:
        raise BrokenEvidence(f"larger than {MAX_FILE_BYTES // 1024 // 1024} MB")
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise BrokenEvidence(f"cannot be read: {error.strerror}") from None


def _format_if_readable(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return format_of(file.read(HEAD_BYTES)) or UNKNOWN_FORMAT
    except OSError:
        return UNKNOWN_FORMAT


def _reading(kind: str | None, data: bytes, meta: Meta, name: str) -> Reading:
    """What the content says; the output of a known command says at least how the command ended."""
    if kind is not None:
        return reader(kind).read(data)
    if not data.strip() and (meta.command[:3] == ("go", "mod", "tidy") or _EMPTY_TIDY in name.lower()):
        return Reading((Observation("tidy", "go.mod", "clean", 0.0),))
    if meta.command:
        return Reading(())
    raise _Unrecognised("an empty file" if not data.strip() else "no known format")
