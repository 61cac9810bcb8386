"""Environment variables that scripts of the repository read: Python programs, shell scripts and Makefiles.

Python is in `python_env`, which is loaded for files that can read the environment. Of a shell script or
Makefile the references count that come before the script itself assigns the name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename
from typing import TYPE_CHECKING

from zuno_audit.facts.env_read import EnvRead, script_read
from zuno_audit.facts.shell_env import shell_reads
from zuno_audit.model.entity import NO, YES
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_BYTES = 1_000_000
_PYTHON = (b"environ", b"getenv", b"BaseSettings")
_UPPER = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_MAKE_ASSIGNMENT = re.compile(r"^[ ]*(?:export\s+|override\s+)*([A-Za-z_]\w*)\s*(::?=|\?=|\+=|!=|=)")
_MAKE_MADE = re.compile(
    r"^[^\t#=]*:\s*(?:export\s+)?([A-Za-z_]\w*)\s*[:?+]?="  # a variable of a target
    r"|^\s*define\s+([A-Za-z_]\w*)|\$\((?:foreach|eval)\s+([A-Za-z_]\w*)\s*(?:,|[:?+]?=)"
    r"|^\t.*?(?:\bfor\s+([A-Za-z_]\w*)\s+in\b)|^\t.*?(?:[;&@\t]|\bexport )\s*([A-Za-z_]\w*)=[^=]"
)
_MAKE_REFERENCE = re.compile(
    r"(?<!\$)\$[({]([A-Za-z_]\w*)[)}]|\$\$\{?([A-Za-z_]\w*)|^\s*ifn?def\s+([A-Za-z_]\w*)"
)
_MAKE_OWN = frozenset(
    [
        "MAKE",
        "MAKEFLAGS",
        "MAKEFILE_LIST",
        "MAKECMDGOALS",
        "CURDIR",
        "SHELL",
        "MAKELEVEL",
        "VPATH",
        "CC",
        "CXX",
        "AR",
    ]
)


def script_reads(store: FactStore) -> tuple[EnvRead, ...]:
    """Every read, sorted by place. Files that are no code of ours (tests, vendored ones) are left out."""
    found: list[EnvRead] = []
    repository = store.repository
    for path in repository.files:
        kind = _kind(path)
        if kind is None or repository.kind(path) is not FileKind.CODE:
            continue
        data = repository.read(path)
        if data is None or len(data) > MAX_BYTES:
            continue
        if kind == "python":
            if any(word in data for word in _PYTHON):
                from zuno_audit.facts.python_env import python_reads

                found += python_reads(path, data)
        else:
            text = data.decode("utf-8", "replace")
            found += _makefile(path, text) if kind == "make" else shell_reads(path, text)
    unique = {(read.location, read.name): read for read in found}
    return tuple(unique[key] for key in sorted(unique))


def _kind(path: str) -> str | None:
    name = basename(path)
    if name.endswith(".py"):
        return "python"
    if name.endswith((".sh", ".bash", ".zsh")):
        return "shell"
    return "make" if name in ("Makefile", "makefile", "GNUmakefile") or name.endswith(".mk") else None


def _makefile(path: str, text: str) -> Iterator[EnvRead]:
    """References to names that the file does not assign, and names that it assigns softly (`?=`)."""
    lines = text.splitlines()
    own = {name for line in lines for name in _made(line)}
    soft = {m.group(1) for line in lines if (m := _MAKE_ASSIGNMENT.match(line)) and m.group(2) == "?="}
    for number, line in enumerate(lines, 1):
        code = line.partition("#")[0] if not line.startswith("\t") else line
        assignment = _MAKE_ASSIGNMENT.match(code)
        if assignment is not None and assignment.group(2) == "?=" and _UPPER.match(assignment.group(1)):
            value = code[assignment.end() :].strip()
            name = assignment.group(1)
            if name not in own:
                yield script_read(path, number, assignment.start(1) + 1, name, value, NO, "make")
        if code.lstrip().startswith("#"):
            continue
        for match in _MAKE_REFERENCE.finditer(code):
            name = next(filter(None, match.groups()))
            if name not in own and name not in soft and name not in _MAKE_OWN and _UPPER.match(name):
                required = YES if _is_refused(name, text) else NO
                yield script_read(path, number, match.start() + 1, name, None, required, "make")


def _made(line: str) -> Iterator[str]:
    """The names that a line assigns for good: `=`, `:=`, a variable of a target, a loop, a shell variable."""
    assignment = _MAKE_ASSIGNMENT.match(line)
    if assignment is not None and assignment.group(2) != "?=":
        yield assignment.group(1)
    for match in _MAKE_MADE.finditer(line):
        yield next(filter(None, match.groups()))


def _is_refused(name: str, text: str) -> bool:
    """`ifndef NAME` or a test of it, and then `$(error ...)` or an exit."""
    patterns = (
        rf"^\s*(?:ifndef\s+{name}\s*|ifeq\s*\(\s*\$[({{]{name}[)}}]\s*,\s*\)\s*)$(?:(?!^\s*endif)[\s\S])*?\$\(error\b",
        rf"\$\((?:if|or)\s+\$[({{]{name}[)}}]\s*,,?\s*\$\(error\b",
        rf"""(?:-n\s+"?\$[({{]{name}[)}}]"?\s*\]?\s*\|\||-z\s+"?\$[({{]{name}[)}}]"?\s*\]?\s*(?:&&|;\s*then))[^\n]*\bexit\b""",
    )
    return any(re.search(pattern, text, re.MULTILINE) for pattern in patterns)
