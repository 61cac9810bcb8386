"""Environment variables that scripts of the repository read: Python programs, shell scripts and Makefiles.

Python is parsed, never run (`os.environ`, `os.getenv`, settings classes of pydantic). Of a shell script or
Makefile the references count that come before the script itself assigns the name.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.env_read import EnvRead
from zuno_audit.languages import shell
from zuno_audit.model.entity import NO, YES
from zuno_audit.model.location import Location, Span
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_BYTES = 1_000_000
_PYTHON = (b"environ", b"getenv", b"BaseSettings")
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_KNOWN_ESCAPES = frozenset(bytes([byte]) for byte in b"\\'\"abfnrtvxNuU0123\r\n")
_UPPER = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_SHELL_ASSIGNMENT = re.compile(
    r"(?:^|[;&|]|\bdo\b|\bthen\b)\s*(?:(?:export|local|readonly|declare|typeset)\s+(?:-\w+\s+)*)?([A-Za-z_]\w*)\+?="
    r"|\bfor\s+([A-Za-z_]\w*)\s+in\b|\bread\s+(?:-\w+\s+)*([A-Za-z_]\w*)"
)
_MAKE_ASSIGNMENT = re.compile(r"^(?:export\s+|override\s+)?([A-Za-z_]\w*)\s*(?::|::|\?|\+|!)?=")
_MAKE_REFERENCE = re.compile(r"(?<!\$)\$[({]([A-Za-z_]\w*)[)}]|\$\$\{?([A-Za-z_]\w*)")
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
_SHELL_OWN = frozenset(
    [
        "BASH_SOURCE",
        "FUNCNAME",
        "LINENO",
        "RANDOM",
        "SECONDS",
        "OPTARG",
        "OPTIND",
        "REPLY",
        "IFS",
        "PPID",
        "UID",
        "EUID",
        "OSTYPE",
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
                found += _python(path, data)
        else:
            text = data.decode("utf-8", "replace")
            found += _makefile(path, text) if kind == "make" else _shell(path, text)
    unique = {(read.location, read.name): read for read in found}
    return tuple(unique[key] for key in sorted(unique))


def _kind(path: str) -> str | None:
    name = basename(path)
    if name.endswith(".py"):
        return "python"
    if name.endswith((".sh", ".bash", ".zsh")):
        return "shell"
    return "make" if name in ("Makefile", "makefile", "GNUmakefile") or name.endswith(".mk") else None


def _read(
    path: str, line: int, column: int, name: str, default: str | None, required: str, how: str
) -> EnvRead:
    where = Location(path, Span(line, column, line, column + len(name)))
    return EnvRead(name, where, default, required, how, dirname(path), YES)


# ---------------------------------------------------------------- shell and make


def _shell(path: str, text: str) -> Iterator[EnvRead]:
    assigned: set[str] = set(_SHELL_OWN)
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#"):
            continue
        code = re.sub(r"'[^']*'", lambda match: " " * len(match.group()), line)
        here = list(_assignments(code))
        for reference in shell.references(code):
            known = reference.name in assigned or any(
                name == reference.name and start <= reference.start for name, start in here
            )
            if not known and _UPPER.match(reference.name):
                required = YES if reference.is_required else NO
                yield _read(
                    path, number, reference.start + 1, reference.name, reference.default, required, "shell"
                )
        assigned.update(name for name, _ in here)


def _assignments(code: str) -> Iterator[tuple[str, int]]:
    """The names that a line assigns, with the column from which on they have their new value."""
    for match in _SHELL_ASSIGNMENT.finditer(code):
        if match.group(1):
            end = re.compile(r"[;&|]").search(code, match.end())
            yield match.group(1), end.start() if end is not None else len(code)
        else:
            yield match.group(2) or match.group(3), match.end()


def _makefile(path: str, text: str) -> Iterator[EnvRead]:
    lines = text.splitlines()
    defaults = {m.group(1) for line in lines if (m := _MAKE_ASSIGNMENT.match(line)) and "?=" not in line}
    for number, line in enumerate(lines, 1):
        soft = _MAKE_ASSIGNMENT.match(line)
        if soft is not None and "?=" in line and _UPPER.match(soft.group(1)):
            value = line.partition("=")[2].strip()
            yield _read(path, number, soft.start(1) + 1, soft.group(1), value, NO, "make")
        if line.lstrip().startswith("#"):
            continue
        for match in _MAKE_REFERENCE.finditer(line):
            name = match.group(1) or match.group(2)
            if name not in defaults and name not in _MAKE_OWN and _UPPER.match(name):
                yield _read(path, number, match.start() + 1, name, None, NO, "make")


# ---------------------------------------------------------------- python


def _plain_escape(match: re.Match[bytes]) -> bytes:
    """An escape that Python knows, or two other characters: the parser complains of unknown ones."""
    return match.group() if match.group(1) in _KNOWN_ESCAPES else b"__"


def _python(path: str, data: bytes) -> Iterator[EnvRead]:
    try:
        tree = ast.parse(_ESCAPE.sub(_plain_escape, data))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and _is_environ(node.value) and isinstance(node.ctx, ast.Load):
            name = _text(node.slice, constants)
            if name:
                yield _read(path, node.lineno, node.col_offset + 1, name, None, YES, "os.environ")
        elif isinstance(node, ast.Call):
            yield from _python_call(path, node, constants)
        elif isinstance(node, ast.ClassDef) and any(_last(base) == "BaseSettings" for base in node.bases):
            yield from _settings(path, node)


def _python_call(path: str, node: ast.Call, constants: dict[str, str]) -> Iterator[EnvRead]:
    is_get = isinstance(node.func, ast.Attribute) and node.func.attr in ("get", "pop", "setdefault")
    on_environ = is_get and isinstance(node.func, ast.Attribute) and _is_environ(node.func.value)
    if not node.args or not (on_environ or _last(node.func) == "getenv"):
        return
    name = _text(node.args[0], constants)
    if name:
        default = _text(node.args[1], constants) if len(node.args) > 1 else None
        yield _read(path, node.lineno, node.col_offset + 1, name, default, NO, "os.getenv")


def _settings(path: str, node: ast.ClassDef) -> Iterator[EnvRead]:
    """The fields of a pydantic settings class, with the prefix of its configuration."""
    prefix = ""
    for inner in ast.walk(node):
        if (isinstance(inner, ast.keyword) and inner.arg == "env_prefix") or (
            isinstance(inner, ast.Assign) and any(_last(t) == "env_prefix" for t in inner.targets)
        ):
            prefix = _text(inner.value, {}) or prefix
    for field in node.body:
        if not isinstance(field, ast.AnnAssign) or not isinstance(field.target, ast.Name):
            continue
        name, default = prefix + field.target.id, None
        value = field.value
        if isinstance(value, ast.Constant):
            default = str(value.value)
        elif isinstance(value, ast.Call) and _last(value.func) == "Field":
            for keyword in value.keywords:
                if keyword.arg in ("alias", "validation_alias", "env"):
                    name = _text(keyword.value, {}) or name
                elif keyword.arg == "default":
                    default = _text(keyword.value, {})
        required = YES if value is None else NO
        yield _read(path, field.lineno, field.col_offset + 1, name.upper(), default, required, "BaseSettings")


def _is_environ(node: ast.expr) -> bool:
    return _last(node) == "environ"


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr, constants: dict[str, str]) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    return constants.get(node.id) if isinstance(node, ast.Name) else None
