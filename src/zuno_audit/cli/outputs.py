"""Where reports go: files, replaced in one step, and standard output."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click
from msgspec import Struct

from zuno_audit.errors import ReportError
from zuno_audit.report import FORMATS

ASCII = str.maketrans("✓✗○−…·", "+xo-~-")  # for terminals that have no such characters


class Output(Struct, frozen=True):
    """A report that is to be written to a file."""

    format: str
    file: Path


def parse_output(value: str, param: click.Parameter) -> Output:
    """`FORMAT=FILE` as an Output. Raises click.BadParameter."""
    name, equals, file = value.partition("=")
    if not equals or not file:
        raise click.BadParameter(f"{value!r} is not of the form FORMAT=FILE.", param=param)
    if name not in FORMATS:
        raise click.BadParameter(f"{name!r} is not a format ({', '.join(FORMATS)}).", param=param)
    if file == "-":
        raise click.BadParameter("standard output is chosen with -f, not with -o.", param=param)
    return Output(name, Path(file))


def write_file(path: Path, text: str) -> None:
    """Replace a file in one step: whoever reads it sees the old or the new report, never a part.

    Raises ReportError; then the old file is as it was and nothing new is left behind.
    """
    write_bytes(path, to_bytes(text))


def write_bytes(path: Path, data: bytes) -> None:
    """Replace a file in one step, like `write_file`. Raises ReportError."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # /dev/stdout and its like
        else:
            _replace(path.resolve(), data)
    except OSError as error:
        why = error.strerror or str(error)
        if not path.parent.is_dir():
            why = f"there is no folder {str(path.parent)!r}"
        raise ReportError(
            f"{str(path)!r} cannot be written: {why}.",
            hint="Choose a file in a folder that exists and may be written to.",
        ) from error


def _replace(path: Path, data: bytes) -> None:
    import tempfile

    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(name).chmod(_permissions(path))
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _permissions(path: Path) -> int:
    """Those of the file that is replaced, else what a new file gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def to_bytes(text: str) -> bytes:
    """UTF-8; what has no encoding (half a surrogate pair) is written as an escape."""
    return text.encode("utf-8", "backslashreplace")


def write_stdout(text: str, *, is_for_people: bool) -> None:
    """Write the report. Programs get UTF-8, people what their terminal shows. A closed pipe is no error."""
    encoding = (sys.stdout.encoding or "utf-8") if is_for_people else "utf-8"
    if encoding.lower().replace("-", "") == "utf8":
        data = to_bytes(text)
    else:
        data = text.translate(ASCII).encode(encoding, "replace")
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        nothing = os.open(os.devnull, os.O_WRONLY)  # so that the flush at exit does not fail again
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)
    except OSError as error:
        raise ReportError(f"The report cannot be written to standard output: {error.strerror}.") from error
