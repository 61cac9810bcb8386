"""Reads of environment variables in Go code, found by the text of the calls: `os.Getenv` and its wrappers.

A wrapper is a function that hands its own first parameter to `os.Getenv` or to another wrapper. Values are
not followed any further: where a name is computed, the names that the file spells out count as read.
"""

from __future__ import annotations

import re
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
        own = set(_wrapping(data, calls))
        for call in calls:
            name = call.name
            if name is None and call.identifier is not None:
                name = _constant(call.identifier, head, packages, sources, constants)
            if name is not None:
                found.append(_read(head, data, call.offset, call, name))
            elif _enclosing(data, call) not in own:
                found += _spelled_out(head, data, call)
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
            for name in _wrapping(data, calls) if calls else ():
                known.setdefault(dirname(head.path), set()).add(name)
        if sum(map(len, known.values())) == size:
            break
    return {folder: frozenset(names) for folder, names in known.items()}


def _wrapping(data: bytes, calls: list[_Call]) -> Iterator[bytes]:
    """The functions whose first parameter is what a call reads."""
    functions = [(m.start(), m[1], m[2]) for m in _FUNCTION.finditer(data)]
    for call in calls:
        above = [function for function in functions if function[0] < call.offset]
        if above and above[-1][2] == call.identifier:
            yield above[-1][1]


def _enclosing(data: bytes, call: _Call) -> bytes | None:
    """The name of the function around a call."""
    above = [match[1] for match in _FUNCTION.finditer(data, 0, call.offset)]
    return above[-1] if above else None


def _spelled_out(head: GoHead, data: bytes, call: _Call) -> Iterator[EnvRead]:
    """The names of a table that a loop hands to a reading function."""
    for match in _SPELLED.finditer(data):
        yield _read(head, data, match.start(), call, match[1])


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


def _read(head: GoHead, data: bytes, offset: int, call: _Call, name: bytes) -> EnvRead:
    default = call.default.decode("utf-8", "replace") if call.default is not None else None
    return EnvRead(
        name.decode("utf-8", "replace"),
        _location(head.path, data, offset),
        default,
        mechanism=call.function.decode(),
        directory=dirname(head.path),
    )


def _tags(head: GoHead, data: bytes) -> Iterator[EnvRead]:
    """Struct tags of the libraries that fill a struct from the environment."""
    if b'env:"' not in data and b'envconfig:"' not in data:
        return
    for match in _TAG.finditer(data):
        where = _location(head.path, data, match.start())
        yield EnvRead(match[1].decode(), where, mechanism="struct tag", directory=dirname(head.path))


def _location(path: str, data: bytes, offset: int) -> Location:
    line = data.count(b"\n", 0, offset) + 1
    start = data.rfind(b"\n", 0, offset) + 1
    column = len(data[start:offset].decode("utf-8", "replace")) + 1
    return Location(path, Span(line, column, line, column))
