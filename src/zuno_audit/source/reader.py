"""Bytes of one file, without ever leaving the tree, blocking or reading too much.

Files are opened without following links and without waiting (a FIFO would otherwise hang the audit), and only
regular files are read. The folders above a file are looked at once: a folder that is a link is not entered.
"""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path
from typing import BinaryIO

MAX_FILE_BYTES = 4 * 1024 * 1024  # larger files are not source code; they leave a problem
MAX_TOTAL_BYTES = 2 * 1024 * 1024 * 1024  # of one audit; about twenty times the largest repository tried
HEAD_BYTES = 8192  # what is kept of a file over the limit
HASH_AT_ONCE_BYTES = 16 * 1024 * 1024  # larger files are hashed piece by piece, without the CRLF reading

_FLAGS = (
    os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
)
_FLAGS |= getattr(os, "O_BINARY", 0)


class Unreadable(Exception):
    """The message says why, as the end of "not read: ..."."""


class IsFolder(Unreadable):
    """The path leads to a folder: what it holds is read under its own name."""


class TooLarge(Unreadable):
    """The file is over the limit; `head` is how it begins."""

    def __init__(self, message: str, head: bytes) -> None:
        super().__init__(message)
        self.head = head


class Reader:
    """Reads files below `root`. Paths are bytes relative to it, with `/`."""

    def __init__(self, root: Path) -> None:
        self._root = os.fsencode(root)
        self._real_folders: dict[bytes, bool] = {b"": True}
        self._total = 0
        self._counted: set[bytes] = set()

    def read(self, path: bytes, *, limit: int = MAX_FILE_BYTES, follow: bool = True) -> bytes:
        """The bytes of a regular file, or of the one in the tree that a link leads to. Raises Unreadable."""
        try:
            return self._read_regular(path, limit)
        except _IsLink:
            if not follow:
                raise
            return self._read_regular(self.resolve(path), limit)

    def _read_regular(self, path: bytes, limit: int) -> bytes:
        descriptor = self._open(path)
        try:
            size = os.fstat(descriptor).st_size
            if size > limit:
                raise TooLarge(f"larger than {limit} bytes", os.read(descriptor, HEAD_BYTES))
            again = path in self._counted  # a file that is read anew counts once
            if not again and self._total + size > MAX_TOTAL_BYTES:
                raise Unreadable(f"the audit has already read {MAX_TOTAL_BYTES} bytes")
            data = _read_all(descriptor, size, limit)
            if not again:
                self._counted.add(path)
                self._total += len(data)
            return data
        except OSError as error:
            raise Unreadable(error.strerror or str(error)) from None
        finally:
            os.close(descriptor)

    def _open(self, path: bytes) -> int:
        if not self._is_real_folder(os.path.dirname(path)):  # noqa: PTH120 - bytes
            raise Unreadable("it lies behind a symbolic link")
        full = self._root + b"/" + path
        try:
            descriptor = os.open(full, _FLAGS)
        except OSError as error:
            if os.path.islink(full):  # noqa: PTH114 - bytes
                raise _IsLink("a symbolic link") from None
            raise Unreadable(error.strerror or str(error)) from None
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            os.close(descriptor)
            raise (IsFolder if stat.S_ISDIR(mode) else Unreadable)("not a regular file")
        return descriptor

    def _is_real_folder(self, folder: bytes) -> bool:
        known = self._real_folders.get(folder)
        return self._look_at_folders(folder) if known is None else known

    def _look_at_folders(self, folder: bytes) -> bool:
        unknown = []
        while folder not in self._real_folders:
            unknown.append(folder)
            folder = folder.rpartition(b"/")[0]
        real = self._real_folders[folder]
        for deeper in reversed(unknown):
            real = real and not os.path.islink(self._root + b"/" + deeper)  # noqa: PTH114 - bytes
            self._real_folders[deeper] = real
        return real

    def resolve(self, path: bytes) -> bytes:
        """Where a link leads, relative to the root. Raises Unreadable when it leads outside or nowhere."""
        try:
            target = os.path.realpath(self._root + b"/" + path, strict=True)
        except (OSError, RuntimeError):
            raise Unreadable("a symbolic link that leads nowhere") from None
        prefix = self._root.rstrip(b"/") + b"/"
        if not target.startswith(prefix):
            raise Unreadable("a symbolic link that leads out of the tree")
        inside = target[len(prefix) :]
        if inside.split(b"/", 1)[0] == b".git":
            raise Unreadable("a symbolic link that leads into .git")
        return inside

    def blob_ids(self, path: bytes, algorithm: str, is_link: bool) -> tuple[str, ...]:
        """The ids git may give to this file: as it is, and with LF for CRLF. Empty when it cannot be read."""
        try:
            if is_link:
                return (_blob_id(os.readlink(self._root + b"/" + path), algorithm),)  # noqa: PTH115
            descriptor = self._open(path)
        except (OSError, Unreadable, _IsLink):
            return ()
        with os.fdopen(descriptor, "rb") as file:
            size = os.fstat(descriptor).st_size
            if size > HASH_AT_ONCE_BYTES:
                return (_large_blob_id(file, size, algorithm),)
            return blob_ids(file.read(), algorithm)


class _IsLink(Unreadable):
    """The path itself is a symbolic link."""


def _read_all(descriptor: int, size: int, limit: int) -> bytes:
    """All bytes of a regular file of about this size; one that grows over the limit meanwhile is refused."""
    data = os.read(descriptor, size + 1)
    if len(data) <= size:
        return data
    parts = [data]
    left = limit + 1 - len(data)
    while left > 0:
        part = os.read(descriptor, min(left, 1 << 20))
        if not part:
            return b"".join(parts)
        parts.append(part)
        left -= len(part)
    raise TooLarge(f"larger than {limit} bytes", parts[0])


def blob_ids(data: bytes, algorithm: str) -> tuple[str, ...]:
    """The ids git may give to this content: as it is, and with LF for CRLF."""
    if b"\r\n" not in data:
        return (_blob_id(data, algorithm),)
    return (_blob_id(data, algorithm), _blob_id(data.replace(b"\r\n", b"\n"), algorithm))


def _blob_id(data: bytes, algorithm: str) -> str:
    digest = hashlib.new(algorithm, b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return digest.hexdigest()


def _large_blob_id(file: BinaryIO, size: int, algorithm: str) -> str:
    digest = hashlib.new(algorithm, b"blob %d\0" % size, usedforsecurity=False)
    while part := file.read(1 << 20):
        digest.update(part)
    return digest.hexdigest()
