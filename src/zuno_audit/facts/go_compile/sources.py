"""The Go files of a repository as text: their outlines, and which names stand in them where."""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname
from string import ascii_letters
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go_packages import GoPackage, GoPackages, go_packages
from zuno_audit.languages.go_outline import GoFunction, GoOutline, outline

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_FILE_BYTES = 1_000_000
_LETTERS = frozenset(ascii_letters + "_")
_NO_NAME = str.maketrans({c: " " for c in map(chr, range(128)) if not (c.isalnum() or c in "_.({")})
FUNCTION = re.compile(r"(?<![\w.])func\b")
_EXPORTED = re.compile(r"[A-Z]\w*")
_WORD_OR_DOT = re.compile(r"[\w.]")


class Fault(Struct, frozen=True):
    """A place that does not compile, and why."""

    path: str
    line: int
    why: str


class Names(Struct, frozen=True):
    """The names in a file, those behind a selector's dot left out, by what stands behind them."""

    called: set[str]  # `name(`
    built: set[str]  # `name{`
    bare: set[str]  # neither a dot nor a parenthesis: it may be declared there
    members: dict[str, set[str]]  # what is selected from a name: `name.Member`


class Use(Struct, frozen=True):
    """Where a file names something of another package of ours."""

    alias: str
    package: GoPackage
    name: str
    at: int

    @property
    def end(self) -> int:
        return self.at + len(self.alias) + 1 + len(self.name)


class Sources:
    """The files of one repository; what is found out about one is remembered."""

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.packages: GoPackages = store.get(go_packages)
        self._outlines: dict[str, GoOutline | None] = {}
        self._names_in: dict[str, Names] = {}
        self._uses_in: dict[str, list[Use]] = {}
        self._functions: dict[str, dict[str, list[tuple[GoOutline, GoFunction]]]] = {}
        self._package_functions: dict[tuple[str, ...], dict[str, list[GoFunction]]] = {}
        self._words: dict[tuple[str, str], bool] = {}
        self._by_folder: dict[str, list[str]] | None = None

    def outline(self, path: str) -> GoOutline | None:
        """The outline of a Go file, made once; None when it cannot be read or is huge."""
        if path not in self._outlines:
            text = self.store.repository.text(path)
            known = text is not None and len(text) <= MAX_FILE_BYTES
            self._outlines[path] = self._named(outline(path, text)) if known and text is not None else None
        return self._outlines[path]

    def _named(self, file: GoOutline) -> GoOutline:
        """The file with packages of ours under the name that their package clause gives them."""
        for alias, import_path in list(file.imports.items()):
            package = self.packages.at(import_path)
            if package is not None and alias not in file.renamed and package.name != alias:
                del file.imports[alias]
                file.imports[package.name] = import_path
        return file

    def is_generated(self, path: str) -> bool:
        """True for code that a tool wrote: it is long, and nobody edits it."""
        return b"DO NOT EDIT" in (self.store.repository.read(path) or b"")[:2000]

    def written(self, directory: str) -> list[GoOutline]:
        """The files of a package that people write."""
        package = self.packages.by_directory.get(directory)
        paths = [h.path for h in (*package.files, *package.others)] if package is not None else []
        return [o for p in paths if not self.is_generated(p) and (o := self.outline(p)) is not None]

    def every(self, directory: str) -> list[GoOutline]:
        return [o for p in self.files_in(directory) if (o := self.outline(p)) is not None]

    def has_hidden_code(self, directory: str) -> bool:
        """True when files of a package are generated, or belong to some builds only."""
        heads = [self.packages.heads[p] for p in self.files_in(directory)]
        return any(h.is_conditional or self.is_generated(h.path) for h in heads)

    def files_in(self, directory: str) -> list[str]:
        """All Go files of a folder; test files as well, because some of them export what others test."""
        if self._by_folder is None:
            self._by_folder = {}
            for path in self.packages.heads:
                self._by_folder.setdefault(dirname(path), []).append(path)
        return self._by_folder.get(directory, [])

    def declares(self, directory: str, name: str) -> bool:
        """True when the name occurs in a file of the package; a name that does not is not declared there."""
        key = (directory, name)
        if key not in self._words:
            read = self.store.repository.read
            self._words[key] = any(has_word(read(p) or b"", name.encode()) for p in self.files_in(directory))
        return self._words[key]

    def names(self, file: GoOutline) -> Names:
        if file.path not in self._names_in:
            self._names_in[file.path] = names_in(file.masked)
        return self._names_in[file.path]

    def uses(self, file: GoOutline) -> list[Use]:
        """Where a file names something of our packages, by import and place."""
        if file.path not in self._uses_in:
            ours = [(a, p) for a, i in file.imports.items() if (p := self.packages.at(i)) is not None]
            self._uses_in[file.path] = [
                Use(a, p, n, at) for a, p in ours for at, n in _uses_of(file.masked, a)
            ]
        return self._uses_in[file.path]

    def functions(self, directory: str) -> dict[str, list[tuple[GoOutline, GoFunction]]]:
        """Functions and methods of the package in a folder by name; tests are left out."""
        if directory not in self._functions:
            found: dict[str, list[tuple[GoOutline, GoFunction]]] = {}
            for one in self.written(directory):
                for function in one.functions:
                    found.setdefault(function.name, []).append((one, function))
            self._functions[directory] = found
        return self._functions[directory]

    def functions_of(self, siblings: tuple[str, ...]) -> dict[str, list[GoFunction]]:
        """Functions, no methods, of the files of one package by name."""
        if siblings not in self._package_functions:
            found: dict[str, list[GoFunction]] = {}
            for path in siblings:
                one = self.outline(path)
                for function in one.functions if one is not None else ():
                    if not function.receiver:
                        found.setdefault(function.name, []).append(function)
            self._package_functions[siblings] = found
        return self._package_functions[siblings]


def has_word(data: bytes, word: bytes) -> bool:
    """True when a word stands in the text, outside of line comments and not behind the dot of a selector."""
    at = data.find(word)
    while at >= 0:
        before, after = data[max(0, at - 1) : at], data[at + len(word) : at + len(word) + 1]
        is_alone = not _is_word(before) and before != b"." and not _is_word(after)
        if is_alone and b"//" not in data[data.rfind(b"\n", 0, at) + 1 : at]:
            return True
        at = data.find(word, at + 1)
    return False


def _is_word(byte: bytes) -> bool:
    return byte.isalnum() or byte == b"_" or byte >= b"\x80"


def names_in(masked: str) -> Names:
    """The names in the text of a file without comments and strings."""
    found = Names(set(), set(), set(), {})
    chains = masked.translate(_NO_NAME).replace("(", "( ").replace("{", "{ ").split()
    for chain in set(chains):
        spread = chain.startswith("...")
        word, dot, rest = (chain[3:] if spread else chain).partition(".")
        if word[:1] not in _LETTERS:
            continue
        if dot:
            found.members.setdefault(word, set()).add(rest.partition(".")[0].rstrip("({"))
            if rest.startswith(".."):  # `word...`
                found.bare.add(word)
        elif word[-1] != "(":
            found.bare.add(word.removesuffix("{"))
            if word[-1] == "{" and not spread:
                found.built.add(word[:-1])
        elif not spread:
            found.called.add(word[:-1])
    return found


def places(masked: str, text: str) -> Iterator[int]:
    """Where a text that begins with a word stands, the words that a dot stands before left out."""
    at = masked.find(text)
    while at >= 0:
        if not at or not _WORD_OR_DOT.match(masked, at - 1):
            yield at
        at = masked.find(text, at + 1)


def _uses_of(masked: str, alias: str) -> Iterator[tuple[int, str]]:
    prefix = alias + "."
    at = masked.find(prefix)
    while at >= 0:
        name = _EXPORTED.match(masked, at + len(prefix))
        if name is not None and is_start(masked, at):
            yield at, name.group()
        at = masked.find(prefix, at + len(prefix))


def is_start(masked: str, at: int) -> bool:
    """True when a word starts here that no selector's dot stands before."""
    return at == 0 or masked.endswith("...", 0, at) or not _WORD_OR_DOT.match(masked, at - 1)


def is_hidden(file: GoOutline, alias: str) -> bool:
    """True when a variable of that name hides the package somewhere in the file."""
    assigned = rf"\b{alias}\b\s*(?:,\s*\w+\s*)*:=|\bvar\s+{alias}\b"
    parameter = rf"[(,]\s*{alias}(?:\s*,\s*\w+)*\s+[\w*\[.]"
    return re.search(f"{assigned}|{parameter}", file.masked) is not None


def in_functions(file: GoOutline, pattern: re.Pattern[str]) -> Iterator[tuple[GoFunction, re.Match[str]]]:
    """The places inside of functions where a pattern matches."""
    functions = iter(file.functions)
    function = next(functions, None)
    for match in pattern.finditer(file.masked) if function is not None else ():
        while function is not None and function.closing < match.start():
            function = next(functions, None)
        if function is None:
            return
        if function.opening < match.start():
            yield function, match
