"""Reads of environment variables in Go code, found by the text of the calls: `os.Getenv` and its wrappers.

A wrapper is a function that hands its own first parameter to `os.Getenv` or to another wrapper. Values are
not followed any further: where a name is computed, the names that the file spells out count as read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from posixpath import dirname

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.go_packages import GoHead, GoPackages, go_packages
from zuno_audit.model.location import Location, Span

MAX_WRAPPER_DEPTH = 4

_FUNCTION = re.compile(
    rb"^func\s+(?:\([^)\n]*\)\s*)?([A-Za-z_]\w*)\s*(?:\[[^\]\n]*\])?\(\s*([A-Za-z_]\w*)", re.MULTILINE
)
_CONSTANT = re.compile(
    rb"^[ \t]*(?:const[ \t]+|var[ \t]+)?([A-Za-z_]\w*)[ \t]*(?:string[ \t]*)?=[ \t]*\"([A-Z]\w*)\"", re.M
)
_NEWLINE = re.compile(rb"\n")
_SPELLED = re.compile(rb"\"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\"")
_TAG = re.compile(rb"\b(?:env|envconfig):\"([A-Za-z_]\w*)")
_ARGUMENTS = rb"\(\s*(?:\"([^\"\n]+)\"|((?:[A-Za-z_]\w*\.)?[A-Za-z_]\w*))\s*(?:,\s*\"([^\"\n]*)\")?"
_DECLARES = re.compile(rb"func\s+(?:\([^)]*\)\s*)?")
_SYSTEM_CALLS = {"os": (b"Getenv", b"LookupEnv"), "syscall": (b"Getenv",)}

Wrappers = Mapping[str, frozenset[bytes]]  # names of wrappers by the folder of their package


@dataclass(frozen=True, slots=True)
class _Call:
    """A call of a reading function. The variable is named by a literal or by an identifier."""

    offset: int
    function: bytes
    name: bytes | None
    identifier: bytes | None
    default: bytes | None


def env_calls(store: FactStore) -> tuple[EnvRead, ...]:
    """Every read in Go code that is no test, whether a binary links it or not; sorted by place."""
    packages = store.get(go_packages)
    sources = {
        head.path: (head, data)
        for head in packages.heads.values()
        if not head.is_test and not head.is_ignored and (data := store.repository.read(head.path))
    }
    wrappers = _wrappers(packages, sources.values())
    constants: dict[str, dict[bytes, bytes]] = {}
    found: list[EnvRead] = []
    for head, data in sources.values():
        calls = list(_calls(head, data, packages, wrappers))
        functions = _functions(data) if calls else _Functions((), ())
        own = set(_wrapping(functions, calls))
        lines = _newlines(data) if calls else []
        computed: _Call | None = None
        for call in calls:
            name = call.name
            if name is None and call.identifier is not None:
                name = _constant(call.identifier, head, packages, sources, constants)
            if name is not None:
                found.append(_read(head, lines, call.offset, call, name))
            elif functions.around(call.offset)[0] not in own:
                computed = call
        if computed is not None:
            found += _spelled_out(head, data, lines, computed)
        found += _tags(head, data)
    return tuple(sorted(set(found), key=lambda read: (read.location, read.name)))


def _wrappers(packages: GoPackages, sources: Collection[tuple[GoHead, bytes]]) -> Wrappers:
    """Wrappers by folder; each round finds those that call the ones found before."""
    known: dict[str, set[bytes]] = {}
    for _ in range(MAX_WRAPPER_DEPTH):
        size = sum(map(len, known.values()))
        frozen = {folder: frozenset(names) for folder, names in known.items()}
        for head, data in sources:
            calls = [c for c in _calls(head, data, packages, frozen) if c.identifier is not None]
            for name in _wrapping(_functions(data), calls) if calls else ():
                known.setdefault(dirname(head.path), set()).add(name)
        if sum(map(len, known.values())) == size:
            break
    return {folder: frozenset(names) for folder, names in known.items()}


@dataclass(frozen=True, slots=True)
class _Functions:
    """The functions of a file: where they begin, and their names with their first parameters."""

    starts: tuple[int, ...]
    heads: tuple[tuple[bytes, bytes], ...]

    def around(self, offset: int) -> tuple[bytes, bytes]:
        """Name and first parameter of the function around an offset; empty outside of all."""
        index = bisect_right(self.starts, offset)
        return self.heads[index - 1] if index else (b"", b"")


def _functions(data: bytes) -> _Functions:
    found = tuple(_FUNCTION.finditer(data))
    return _Functions(tuple(m.start() for m in found), tuple((m[1], m[2]) for m in found))


def _newlines(data: bytes) -> list[int]:
    return [match.start() for match in _NEWLINE.finditer(data)]


def _wrapping(functions: _Functions, calls: list[_Call]) -> Iterator[bytes]:
    """The functions whose first parameter is what a call reads."""
    for call in calls:
        name, parameter = functions.around(call.offset)
        if name and parameter == call.identifier:
            yield name


def _spelled_out(head: GoHead, data: bytes, lines: list[int], call: _Call) -> Iterator[EnvRead]:
    """The names of a table that a loop hands to a reading function."""
    for match in _SPELLED.finditer(data):
        yield _read(head, lines, match.start(), call, match[1])


def _calls(head: GoHead, data: bytes, packages: GoPackages, wrappers: Wrappers) -> Iterator[_Call]:
    names = [name for name in _system_calls(head) if name in data]
    names += [name for name in _names_in_scope(head, packages, wrappers) if name + b"(" in data]
    if not names:
        return
    pattern = (
        rb"(?<![\w\"])(?:\w+\.)?(" + b"|".join(map(re.escape, sorted(names, key=len, reverse=True))) + rb")"
    )
    for match in re.finditer(pattern + _ARGUMENTS, data):
        line_start = data.rfind(b"\n", 0, match.start()) + 1
        before = data[line_start : match.start()]
        if b"//" not in before.replace(b"://", b"") and _DECLARES.fullmatch(before) is None:
            yield _Call(match.start(), match[1], match[2], match[3], match[4])


def _system_calls(head: GoHead) -> Iterator[bytes]:
    """The calls of the standard library under the names that the file gives them."""
    for imported in head.imports:
        for name in _SYSTEM_CALLS.get(imported.path, ()):
            prefix = (imported.alias or imported.path).encode()
            yield name if prefix == b"." else prefix + b"." + name


def _names_in_scope(head: GoHead, packages: GoPackages, wrappers: Wrappers) -> Iterator[bytes]:
    yield from wrappers.get(dirname(head.path), ())
    for imported in head.imports:
        package = packages.by_import.get(imported.path)
        if package is not None and package.directory in wrappers:
            prefix = (imported.alias or package.name).encode()
            for name in wrappers[package.directory]:
                yield name if prefix == b"." else prefix + b"." + name


def _constant(
    identifier: bytes,
    head: GoHead,
    packages: GoPackages,
    sources: Mapping[str, tuple[GoHead, bytes]],
    known: dict[str, dict[bytes, bytes]],
) -> bytes | None:
    """The text of a package-level constant, of this package or (`pkg.Name`) of an imported one."""
    qualifier, dot, name = identifier.rpartition(b".")
    package = packages.by_directory.get(dirname(head.path))
    if dot:
        candidates = (packages.by_import.get(i.path) for i in head.imports)
        aliases = {i.path: i.alias for i in head.imports}
        package = next(
            (p for p in candidates if p and (aliases.get(p.import_path) or p.name).encode() == qualifier),
            None,
        )
    if package is None:
        return None
    if package.directory not in known:
        known[package.directory] = {
            match[1]: match[2]
            for file in package.files
            if file.path in sources
            for match in _CONSTANT.finditer(sources[file.path][1])
        }
    return known[package.directory].get(name)


def _read(head: GoHead, lines: list[int], offset: int, call: _Call, name: bytes) -> EnvRead:
    default = call.default.decode("utf-8", "replace") if call.default is not None else None
    return EnvRead(
        name.decode("utf-8", "replace"),
        _location(head.path, lines, offset),
        default,
        mechanism=call.function.decode(),
        directory=dirname(head.path),
    )


def _tags(head: GoHead, data: bytes) -> Iterator[EnvRead]:
    """Struct tags of the libraries that fill a struct from the environment."""
    if b'env:"' not in data and b'envconfig:"' not in data:
        return
    lines = _newlines(data)
    for match in _TAG.finditer(data):
        where = _location(head.path, lines, match.start())
        yield EnvRead(match[1].decode(), where, mechanism="struct tag", directory=dirname(head.path))


def _location(path: str, lines: list[int], offset: int) -> Location:
    line = bisect_right(lines, offset) + 1
    return Location(path, Span(line, 1, line, 1))
