"""What keeps Go code from compiling, as far as names and counts tell.

Looked for are the mistakes that an edit leaves behind: an import that nothing uses, a package, function,
field or method that does not exist, a call with too few or too many arguments, a variable that nothing reads,
a name that is declared twice, two package clauses in one folder. What is reported does not compile; what is
not reported may still not. Nothing is type-checked: whatever a name could also mean counts as fine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property, lru_cache
from posixpath import basename, dirname
from string import ascii_letters
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.program import program
from zuno_audit.facts.go_packages import GoPackage, GoPackages, go_packages, module_roots
from zuno_audit.languages.go_outline import GoFunction, GoOutline, assumed_names, outline

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_FILE_BYTES = 1_000_000
MAX_FAULTS = 3  # per file: the first are enough to show that it does not compile

_START = r"(?:(?<![\w.])|(?<=\.\.\.))"  # of a word that no selector's dot stands before
_LETTERS = frozenset(ascii_letters + "_")
_NO_NAME = str.maketrans({c: " " for c in map(chr, range(128)) if not (c.isalnum() or c in "_.({")})
_DEFINED = re.compile(r"(?<![\w.])((?:[A-Za-z_]\w*[ \t]*,[ \t]*)*[A-Za-z_]\w*)[ \t]*$")
_EXPORTED = re.compile(r"[A-Z]\w*")
_STRUCT = re.compile(r"struct[ \t]*\{")
_INTERFACE = re.compile(r"interface[ \t]*\{")
_TYPE = re.compile(r"(?:type)?[ \t]+([A-Za-z_]\w*)[ \t]+(?:struct|interface)[ \t]*\{")
_EMBEDDED = re.compile(r"(?:^|[\n;])[ \t]*\*?(?:\w+\.)?[A-Za-z_]\w*(?:\[[^\]]*\])?[ \t]*(?=[\n;\"]|$)")
_BRACKET = re.compile(r"[()\[\]{}]")
_BRACKET_OR_COMMA = re.compile(r"[()\[\]{},]")
_OPENING = re.compile(r"[(\[{]")
_MEMBER = re.compile(r"[A-Za-z_]\w*")
_WORD_OR_DOT = re.compile(r"[\w.]")
_KEY = re.compile(r"[{,\n][ \t]*([A-Za-z_]\w*)[ \t]*:(?![=:])")
_ASSIGNED = re.compile(r"(?:^|[;{\n]|\bif\b|\bswitch\b)[ \t]*((?:[\w.]+[ \t]*,\s*)*[\w.]+)[ \t]*:?=[ \t]*$")
_PLATFORM_FILE = re.compile(r"_(?:aix|android|darwin|dragonfly|freebsd|illumos|ios|js|linux|netbsd|openbsd|plan9"
                            r"|solaris|wasip1|windows|386|amd64|arm|arm64|loong64|mips\w*|ppc64\w*|riscv64|s390x"
                            r"|wasm)(?:_test)?\.go$")  # fmt: skip
_PREDECLARED = frozenset(
    "append cap clear close complex copy delete imag len make max min new panic print println real recover"
    " any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string"
    " uint uint8 uint16 uint32 uint64 uintptr true false iota nil"
    " break case chan const continue default defer else fallthrough for func go goto if import interface map"
    " package range return select struct switch type var".split()
)


class Fault(Struct, frozen=True):
    """A place that does not compile, and why."""

    path: str
    line: int
    why: str


class Declared(Struct, frozen=True, dict=True):
    """The body of a struct or interface type of ours."""

    body: str

    def has(self, word: str) -> bool:
        """True when the word stands in the body: a field, a method, or something else."""
        at = self.body.find(word)
        while at >= 0:
            around = self.body[max(0, at - 1) : at] + self.body[at + len(word) : at + len(word) + 1]
            if not any(c.isalnum() or c == "_" for c in around):
                return True
            at = self.body.find(word, at + 1)
        return False

    def type_of(self, field: str) -> str:
        """The type of a field, if it is a plain name; empty when it is not, or not found."""
        return _plain_fields(self.body).get(field, "")

    @cached_property
    def embeds(self) -> bool:
        """True when the type takes over fields or methods of another one."""
        return _EMBEDDED.search(self.body) is not None


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


class GoCompile:
    """The faults of packages and test files, worked out when they are asked for."""

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.packages: GoPackages = store.get(go_packages)
        self._outlines: dict[str, GoOutline | None] = {}
        self._faults: dict[str, tuple[Fault, ...]] = {}
        self._names_in: dict[str, Names] = {}
        self._uses_in: dict[str, list[Use]] = {}
        self._makers: dict[str, list[tuple[Use, str]]] = {}
        self._types: dict[str, dict[str, list[Declared]]] = {}
        self._functions: dict[str, dict[str, list[tuple[GoOutline, GoFunction]]]] = {}
        self._package_functions: dict[tuple[str, ...], dict[str, list[GoFunction]]] = {}
        self._members_known: dict[tuple[str, str, str], bool] = {}
        self._words: dict[tuple[str, str], bool] = {}
        self._interfaces: dict[str, dict[str, tuple[str, ...]]] = {}
        self._structs: dict[str, dict[str, list[str]]] = {}
        self._by_folder: dict[str, list[str]] | None = None
        self._modules = sorted(store.get(module_roots).items(), key=lambda m: len(m[1]), reverse=True)

    # ------------------------------------------------------------ files

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
            package = self.packages.by_import.get(import_path)
            if package is not None and alias not in file.renamed and package.name != alias:
                del file.imports[alias]
                file.imports[package.name] = import_path
        return file

    def _is_generated(self, path: str) -> bool:
        """True for code that a tool wrote: it is long, and nobody edits it."""
        return b"DO NOT EDIT" in (self.store.repository.read(path) or b"")[:2000]

    def _written(self, directory: str) -> list[GoOutline]:
        """The files of a package that people write."""
        package = self.packages.by_directory.get(directory)
        paths = [h.path for h in package.files] if package is not None else []
        return [o for p in paths if not self._is_generated(p) and (o := self.outline(p)) is not None]

    def _has_hidden_code(self, directory: str) -> bool:
        """True when files of a package are generated, or belong to some builds only."""
        heads = [self.packages.heads[p] for p in self.files_in(directory)]
        return any(h.constraint or _is_special(h.path) or self._is_generated(h.path) for h in heads)

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

    # ------------------------------------------------------------ questions

    def linked(self, main: str) -> Fault | None:
        """A place, in what a binary links, that does not compile."""
        for directory in sorted(self.packages.linked.get(main, ())):
            for fault in self.package(directory):
                return fault
        return None

    def package(self, directory: str) -> tuple[Fault, ...]:
        """The faults of the package in a folder, tests left out."""
        key = directory + "/"
        if key not in self._faults:
            package = self.packages.by_directory.get(directory)
            heads = package.files if package is not None else ()
            siblings = tuple(h.path for h in heads)
            found = list(self._clauses(directory))
            for head in heads:
                if not found and not head.constraint:
                    found += self._file(head.path, siblings)
            if not found:
                found += self._redeclared([h.path for h in heads if not h.constraint])
            self._faults[key] = tuple(found[:MAX_FAULTS])
        return self._faults[key]

    def test_file(self, path: str) -> tuple[Fault, ...]:
        """The faults of a test file, then those of the packages of ours that it imports or belongs to."""
        if path not in self._faults:
            file = self.outline(path)
            if file is None or file.problem:
                return ()
            siblings = tuple(p for p in self.files_in(dirname(path)) if self._clause(p) == file.package)
            found = list(self._file(path, siblings))
            if not found:
                found += self._below(path, siblings)
            self._faults[path] = tuple(found[:MAX_FAULTS])
        return self._faults[path]

    def _clause(self, path: str) -> str:
        return self.packages.heads[path].package

    def _below(self, path: str, siblings: Iterable[str]) -> Iterator[Fault]:
        start = {i.path for p in (path, *siblings) for i in self.packages.heads[p].imports}
        todo = [p.directory for s in sorted(start) if (p := self.packages.by_import.get(s)) is not None]
        if not self._clause(path).endswith("_test") and dirname(path) in self.packages.by_directory:
            todo.append(dirname(path))
        seen = set(todo)
        while todo:
            directory = todo.pop()
            yield from self.package(directory)
            for head in self.packages.by_directory[directory].files:
                for imported in head.imports:
                    package = self.packages.by_import.get(imported.path)
                    if package is not None and package.directory not in seen:
                        seen.add(package.directory)
                        todo.append(package.directory)

    # ------------------------------------------------------------ one package, one file

    def _clauses(self, directory: str) -> Iterator[Fault]:
        """Files of one folder must agree on the package."""
        heads = [self.packages.heads[p] for p in self.files_in(directory)]
        heads = [
            h for h in heads if h.package and not h.is_test and not h.constraint and not _is_special(h.path)
        ]
        first = heads[0] if heads else None
        for head in heads:
            if first is not None and head.package != first.package:
                yield Fault(
                    head.path, 1, f"this is package {head.package}, but {first.path} is {first.package}"
                )
                return

    def _redeclared(self, paths: Iterable[str]) -> Iterator[Fault]:
        """Names that two files of a package, or one file twice, declare; generated code is left out."""
        first: dict[str, str] = {}
        for path in paths:
            file = (
                None if _is_special(path) or self._is_generated(path) else self.store.get(program).file(path)
            )
            if file is None:
                continue
            for name, start in file.declared():
                if name in first:
                    word = re.compile(rb"\b" + name.rpartition(".")[2].encode() + rb"\b")
                    at = word.search(file.data, start)
                    line = file.location(at.start() if at else start, start).line
                    yield Fault(path, line, f"{name} is declared again, {first[name]} has it already")
                    return
                first[name] = path

    def _file(self, path: str, siblings: tuple[str, ...]) -> Iterator[Fault]:
        file = self.outline(path) if not _is_special(path) and not self._is_generated(path) else None
        if file is None:
            return
        if file.problem:
            yield Fault(path, file.problem_line, file.problem)
            return
        parsed = self.store.get(program).file(path) if not path.endswith("_test.go") else None
        if parsed is not None and parsed.error_line:
            yield Fault(path, parsed.error_line, "it does not parse")
            return
        others = [o for p in siblings if p != path and (o := self.outline(p)) is not None]
        yield from self._unknown_packages(file)
        yield from self._unknown_names(file)
        yield from self._imports(file, others)
        yield from self._unknown_calls(file, others, siblings)
        yield from self._calls(file, siblings)
        yield from self._literals(file)
        yield from self._members(file)
        yield from self._arguments(file)
        yield from self._given_back(file)
        yield from _unread_variables(file)
        yield from _returns(file)

    def _ours(self, import_path: str) -> bool:
        return any(import_path == m or import_path.startswith(m + "/") for _, m in self._modules)

    def _unknown_packages(self, file: GoOutline) -> Iterator[Fault]:
        for import_path in file.imports.values():
            if import_path in self.packages.by_import or not self._ours(import_path):
                continue
            directory, module = next(m for m in self._modules if _is_below(import_path, m[1]))
            inner = (directory + import_path[len(module) :]).strip("/")
            if not any(p.endswith(".go") for p in self.store.repository.glob(f"{inner}/*")):
                yield Fault(
                    file.path, _import_line(file, import_path), f"the package {import_path} does not exist"
                )

    def _unknown_names(self, file: GoOutline) -> Iterator[Fault]:
        seen: set[tuple[str, str]] = set()
        for use in self._uses(file):
            key = (use.alias, use.name)
            if key in seen:
                continue
            seen.add(key)
            if not self.declares(use.package.directory, use.name) and not _is_hidden(file, use.alias):
                yield Fault(file.path, file.line(use.at), f"{use.package.import_path} declares no {use.name}")

    def _names(self, file: GoOutline) -> Names:
        if file.path not in self._names_in:
            self._names_in[file.path] = names_in(file.masked)
        return self._names_in[file.path]

    def _uses(self, file: GoOutline) -> list[Use]:
        """Where a file names something of our packages, by import and place."""
        if file.path not in self._uses_in:
            ours = [
                (a, p) for a, i in file.imports.items() if (p := self.packages.by_import.get(i)) is not None
            ]
            self._uses_in[file.path] = [
                Use(a, p, n, at) for a, p in ours for at, n in _uses_of(file.masked, a)
            ]
        return self._uses_in[file.path]

    def _imports(self, file: GoOutline, others: list[GoOutline]) -> Iterator[Fault]:
        """Imports that nothing uses, and package names that nothing imports.

        What a package from elsewhere calls itself is only guessed, so imports without a use and names without
        an import must not match in number.
        """
        names = self._names(file).members.keys()
        unused: list[str] = []
        guessed: list[str] = []
        alike = 0
        bound = set(file.renamed)
        for imported in self.packages.heads[file.path].imports:
            if imported.alias in ("_", ".") or imported.path == "C":
                continue
            ours = self.packages.by_import.get(imported.path)
            assumed = assumed_names(imported.path)
            own = imported.alias or (ours.name if ours is not None else "")
            if not own and _is_standard(imported.path):
                own = assumed[0]
            called = {own} if own else set(assumed)
            if not own and assumed[0] in bound:
                alike += 1  # two cannot have one name: which of them is called otherwise is not known
            elif names.isdisjoint(called) or (own in bound and own not in file.renamed):
                (unused if own else guessed).append(imported.path)
            bound |= called
        free = (names - bound - _PREDECLARED).difference(*(self._names(o).bare for o in (file, *others)))
        unused += guessed if not free else []
        for import_path in unused:
            yield Fault(file.path, _import_line(file, import_path), f"{import_path} is imported and not used")
        if len(free) > len(guessed) + alike and not self._sees_more(file):
            name = sorted(free)[0]
            at = re.search(rf"{_START}{name}\.", file.masked)
            yield Fault(
                file.path, file.line(at.start() if at else 0), f"{name} is neither imported nor declared"
            )

    def _sees_more(self, file: GoOutline) -> bool:
        """True when names come in that no declaration here shows: by a dot import, or from C."""
        return "." in file.imports or "C" in file.imports

    def _unknown_calls(
        self, file: GoOutline, others: list[GoOutline], siblings: tuple[str, ...]
    ) -> Iterator[Fault]:
        if self._sees_more(file):
            return
        called = self._names(file).called - _PREDECLARED
        called -= self._functions_of(siblings).keys() | {f.name for f in file.functions}
        for name in sorted(called.difference(*(self._names(o).bare for o in (file, *others)))):
            for at in _places(file.masked, name + "("):
                if not _is_no_call(file, at):
                    yield Fault(file.path, file.line(at), f"{name} is not declared")
                    break

    # ------------------------------------------------------------ calls of our functions

    def functions(self, directory: str) -> dict[str, list[tuple[GoOutline, GoFunction]]]:
        """Functions and methods of the package in a folder by name; tests are left out."""
        if directory not in self._functions:
            found: dict[str, list[tuple[GoOutline, GoFunction]]] = {}
            for one in self._written(directory):
                for function in one.functions:
                    found.setdefault(function.name, []).append((one, function))
            self._functions[directory] = found
        return self._functions[directory]

    def _functions_of(self, siblings: tuple[str, ...]) -> dict[str, list[GoFunction]]:
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

    def _calls(self, file: GoOutline, siblings: tuple[str, ...]) -> Iterator[Fault]:
        for use in self._uses(file):
            if file.masked.startswith("(", use.end):
                functions = [f for _, f in self.functions(use.package.directory).get(use.name, ())]
                for fault in self._call(file, use.at, f"{use.alias}.{use.name}", functions):
                    if not _is_hidden(file, use.alias):
                        yield fault
        own, names = self._functions_of(siblings), self._names(file)
        for name in sorted((names.called & own.keys()) - names.bare):
            at = file.masked.find(name + "(")
            while at >= 0:
                if _is_start(file.masked, at) and not file.masked.endswith("func ", 0, at):
                    for fault in self._call(file, at, name, own[name]):
                        if not _is_no_call(file, at):
                            yield fault
                at = file.masked.find(name + "(", at + 1)

    def _call(self, file: GoOutline, at: int, name: str, functions: list[GoFunction]) -> Iterator[Fault]:
        """The faults of one call of a function of ours; nothing when it is not clear which one is meant."""
        if len(functions) != 1 or functions[0].receiver:
            return
        opening = at + len(name)
        closing = file.pairs.get(opening)
        shape = _shape(functions[0].signature)
        if closing is None or shape is None:
            return
        low, high, results = shape
        given = _split(file.masked[opening + 1 : closing])
        spread = bool(given) and (given[-1].endswith("...") or (len(given) == 1 and given[0].endswith(")")))
        if not spread and not low <= len(given) <= high:
            takes = f"{low}" if low == high else f"at least {low}"
            yield Fault(file.path, file.line(at), f"{name} takes {takes} arguments, not {len(given)}")
            return
        is_last = file.masked[closing + 1 : closing + 2] in ("\n", ";", "")
        if is_last and file.masked[max(0, at - 200) : at].rstrip(" \t").endswith("="):
            start = max(0, at - 200)
            target = _ASSIGNED.search(file.masked, max(start, file.masked.rfind("\n", 0, at)), at)
            if target and file.masked[start : target.start()].rstrip().endswith(","):  # more lines than one
                target = _ASSIGNED.search(file.masked, start, at)
            count = len(target.group(1).split(",")) if target else 0
            goes_on = target is not None and file.masked[: target.start()].rstrip().endswith(",")
            if target and not goes_on and count != results and "," not in file.masked[target.end() : at]:
                yield Fault(file.path, file.line(at), f"{name} has {results} results, not {count}")

    # ------------------------------------------------------------ fields and methods

    def _type(self, directory: str, name: str) -> Declared | None:
        """A struct or interface type of a package of ours; None when it is neither, or declared twice."""
        if directory not in self._types:
            found: dict[str, list[Declared]] = {}
            for one in self._written(directory):
                for type_name, body in (*_types_in(one, _STRUCT), *_types_in(one, _INTERFACE)):
                    found.setdefault(type_name, []).append(Declared(body))
            self._types[directory] = found
        types = self._types[directory].get(name, [])
        return types[0] if len(types) == 1 else None

    def _literals(self, file: GoOutline) -> Iterator[Fault]:
        """Keys of composite literals that are no fields of their struct."""
        for use in self._uses(file):
            closing = file.pairs.get(use.end) if file.masked.startswith("{", use.end) else None
            if closing is None or file.masked[use.at - 1] in "*]":
                continue
            declared = self._type(use.package.directory, use.name)
            name = f"{use.alias}.{use.name}"
            for fault in _literal(file, name, declared, use.end, closing) if declared is not None else ():
                if not _is_hidden(file, use.alias):
                    yield fault
        own = self.packages.by_directory.get(dirname(file.path))
        if own is None or own.name != file.package:
            return
        types = {
            n: d for n in self._names(file).built if (d := self._type(dirname(file.path), n)) is not None
        }
        for at, name in sorted((at, n) for n in types for at in _places(file.masked, n + "{")):
            opening = at + len(name)
            closing = file.pairs.get(opening) if not at or file.masked[at - 1] not in "*]" else None
            if closing is not None:
                yield from _literal(file, name, types[name], opening, closing)

    def _members(self, file: GoOutline) -> Iterator[Fault]:
        """Fields and methods that the type of a variable does not have."""
        for function in file.functions:
            for variable, directory, name in dict.fromkeys(self._typed(file, function)):
                declared = self._type(directory, name)
                if declared is None or declared.embeds or variable in file.imports:
                    continue
                everywhere = self._names(file).members.get(variable, ())
                if all(self._has_member(file, directory, name, declared, m) for m in everywhere):
                    continue
                for member, at in _members_of(file, function, variable):
                    if self._has_member(file, directory, name, declared, member):
                        continue
                    if _is_set(file, function, variable, int(variable != function.receiver_name)):
                        break  # its type is not clear, whatever the member
                    yield Fault(file.path, file.line(at), f"{name} has no field or method {member}")
                    return

    def _arguments(self, file: GoOutline) -> Iterator[Fault]:
        """Arguments that lack a method of the interface that a function of ours asks for."""
        for use in self._uses(file):
            closing = file.pairs.get(use.end) if file.masked.startswith("(", use.end) else None
            declared = self.functions(use.package.directory).get(use.name, [])
            if closing is None or len(declared) != 1 or declared[0][1].receiver:
                continue
            other, function = declared[0]
            wanted = [self._interface_of(other, name) for name in _parameter_types(function.signature)]
            given = _split(file.masked[use.end + 1 : closing]) if any(wanted) else []
            for argument, methods in zip(given, wanted, strict=False) if len(given) == len(wanted) else ():
                missing = self._lacks(file, use.at, argument, methods)
                if missing and not _is_hidden(file, use.alias):
                    why = f"{argument} has no method {missing}, which {use.alias}.{use.name} asks for"
                    yield Fault(file.path, file.line(use.at), why)

    def _given_back(self, file: GoOutline) -> Iterator[Fault]:
        """Structs that a function returns as an interface of ours, a method of which they lack."""
        for function, match in _in_functions(file, _GIVEN_BACK):
            methods = self._interface_of(file, _first_result(function.signature))
            missing = self._misses(dirname(file.path), match.group(1), methods) if methods else ""
            if missing and _FUNCTION.search(file.masked, function.opening, function.closing) is None:
                why = f"{match.group(1)} has no method {missing}, which the result of {function.name} has"
                yield Fault(file.path, file.line(match.start()), why)

    def _interface_of(self, file: GoOutline, type_name: str) -> tuple[str, ...]:
        """The methods of an interface of ours as a file names it; empty when it is none."""
        alias, _, name = type_name.rpartition(".")
        place = self.packages.by_import.get(file.imports.get(alias, "")) if alias else None
        directory = place.directory if place is not None else "" if alias else dirname(file.path)
        return self._interface(directory, name) if directory and name else ()

    def _lacks(self, file: GoOutline, at: int, argument: str, methods: tuple[str, ...]) -> str:
        """The first of the methods of an interface that the struct in a variable of ours lacks, if certain."""
        made = _made(file, at, argument) if methods and _MEMBER.fullmatch(argument) else None
        if made is None:
            return ""
        package, kind, is_constructor = made
        own = self.packages.by_import.get(file.imports.get(package, "")) if package else None
        folder = dirname(file.path) if not package else own.directory if own is not None else None
        if is_constructor and folder is not None:
            makers = self.functions(folder).get(kind, [])
            kind = _first_result(makers[0][1].signature) if len(makers) == 1 else ""
        return self._misses(folder, kind, methods) if folder is not None else ""

    def _misses(self, folder: str, kind: str, methods: tuple[str, ...]) -> str:
        """The first of these methods that a struct of ours lacks; empty when it has all, or it is not certain."""
        if not kind or "." in kind or not self._is_plain_struct(folder, kind):
            return ""
        have = {f.name for o in self._all(folder) for f in o.functions if f.receiver == kind}
        return next((m for m in methods if m not in have), "") if have else ""

    def _all(self, directory: str) -> list[GoOutline]:
        return [o for p in self.files_in(directory) if (o := self.outline(p)) is not None]

    def _interface(self, directory: str, name: str) -> tuple[str, ...]:
        """The methods of an interface of a package of ours; empty when they are not all written there."""
        if directory not in self._interfaces:
            found: dict[str, list[str]] = {}
            hidden = self._has_hidden_code(directory)
            for one in self._written(directory) if not hidden else ():
                for type_name, body in _types_in(one, _INTERFACE):
                    found.setdefault(type_name, []).append(body)
            self._interfaces[directory] = {n: _methods_of(b[0]) for n, b in found.items() if len(b) == 1}
        return self._interfaces[directory].get(name, ())

    def _is_plain_struct(self, directory: str, name: str) -> bool:
        """True when a struct of ours is declared once and embeds nothing whose methods matter."""
        if directory not in self._structs:
            found: dict[str, list[str]] = {}
            hidden = any(self.packages.heads[p].constraint for p in self.files_in(directory))
            for one in self._all(directory) if not hidden else ():
                for type_name, body in _types_in(one, _STRUCT):
                    found.setdefault(type_name, []).append(body)
            self._structs[directory] = found
        bodies = self._structs[directory].get(name, [])
        return len(bodies) == 1 and not Declared(_HARMLESS.sub("", bodies[0])).embeds

    def _has_member(
        self, file: GoOutline, directory: str, name: str, declared: Declared, member: str
    ) -> bool:
        key = (directory, name, member)
        if key not in self._members_known:
            self._members_known[key] = declared.has(member) or any(
                f.receiver == name for _, f in self.functions(directory).get(member, ())
            )
        if self._members_known[key]:
            return True
        more = self._has_hidden_code(directory) or dirname(file.path) == directory  # tests may add to a type
        return more and self.declares(directory, member)

    def _typed(self, file: GoOutline, function: GoFunction) -> Iterator[tuple[str, str, str]]:
        """(variable, folder, type) of receiver, parameters and results of our constructors, if it is ours."""
        if function.receiver_name and function.receiver and not file.path.endswith("_test.go"):
            yield function.receiver_name, dirname(file.path), function.receiver
        uses = self._uses(file)
        for signature in (function.signature, *_literal_signatures(file, function)) if uses else ():
            for match in _PARAMETER.finditer(signature):
                package = self.packages.by_import.get(file.imports.get(match.group(2), ""))
                if package is not None:
                    yield match.group(1), package.directory, match.group(3)
        for use, variable in self._made_in(file, function):
            made = self.functions(use.package.directory).get(use.name, [])
            if len(made) == 1 and not made[0][1].receiver:
                qualifier, _, name = _first_result(made[0][1].signature).rpartition(".")
                package = use.package
                if qualifier:
                    package = self.packages.by_import.get(made[0][0].imports.get(qualifier, ""))
                if name and package is not None:
                    yield variable, package.directory, name

    def _made_in(self, file: GoOutline, function: GoFunction) -> list[tuple[Use, str]]:
        """The calls of functions of our packages in a function whose first result has a variable, with its name."""
        if file.path not in self._makers:
            found = []
            for use in self._uses(file):
                closing = file.pairs.get(use.end, 0) if file.masked.startswith("(", use.end) else 0
                if closing and file.masked[closing + 1 : closing + 2] in ("\n", ";"):
                    line = max(0, file.masked.rfind("\n", 0, use.at))
                    if variable := _MADE.search(file.masked, line, use.at):
                        found.append((use, variable.group(1)))
            self._makers[file.path] = sorted(found, key=lambda made: made[0].at)
        return [m for m in self._makers[file.path] if function.opening < m[0].at < function.closing]


def _in_functions(file: GoOutline, pattern: re.Pattern[str]) -> Iterator[tuple[GoFunction, re.Match[str]]]:
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


def _returns(file: GoOutline) -> Iterator[Fault]:
    """Return statements with more or fewer values than the function around them has results.

    Functions with literals of functions, which have results of their own, are left out.
    """
    masked = file.masked
    for function, match in _in_functions(file, _RETURN):
        shape = _shape(function.signature) if match.group(1) else None
        if shape is None:
            continue
        if not _OPENING.search(match.group(1)) and match.group(1).count(",") + 1 == shape[2]:
            continue
        end = match.start(1)
        while end < function.closing and masked[end] not in "\n;}":
            end = file.pairs.get(end, end) + 1
        given = _split(masked[match.start(1) : end].strip())
        several = len(given) == 1 and given[0].endswith(")")  # a call may have several results
        if several or len(given) in (0, shape[2]) or masked[end - 1] in ",.+-*/&|=<([{":
            continue
        if _FUNCTION.search(masked, function.opening, function.closing) is None:
            why = f"{function.name} returns {shape[2]} values, not {len(given)}"
            yield Fault(file.path, file.line(match.start()), why)


def _types_in(file: GoOutline, kind: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """The structs or the interfaces that are declared in a file, with what stands in their braces."""
    for match in kind.finditer(file.masked):
        declared = _TYPE.match(file.masked, file.masked.rfind("\n", 0, match.start()) + 1)
        closing = file.pairs.get(match.end() - 1)
        if declared is not None and declared.end() == match.end() and closing is not None:
            yield declared.group(1), file.masked[match.end() : closing]


def _methods_of(body: str) -> tuple[str, ...]:
    """The methods of an interface; empty when something else is in it."""
    lines = [line.strip() for line in body.split("\n")]
    outer = [line for line in lines if line and not line.startswith(("//", ")", "}"))]
    methods = [match.group(1) for line in outer if (match := _METHOD.match(line))]
    return tuple(methods) if len(methods) == len(outer) else ()


def _made(file: GoOutline, at: int, variable: str) -> tuple[str, str, bool] | None:
    """(package name, type, False) of what a variable holds where it is made as `new(T)`, `&T{}` or `T{}` before a
    place of the same function, (package name, function, True) where a constructor makes it; None when it is made
    otherwise, or more than once."""
    function = next((f for f in file.functions if f.opening < at < f.closing), None)
    if function is None:
        return None
    bound = 0
    found = None
    for match in _BINDS.finditer(file.masked, function.opening, at):
        if variable in (match.group(1) or match.group(2)).replace(",", " ").split():
            bound += 1
            found = _MAKES.match(file.masked, match.start())
    if bound != 1 or found is None or found.group(1) != variable:
        return None
    if found.group(7):
        return found.group(6), found.group(7), True
    return found.group(2) or found.group(4) or "", found.group(3) or found.group(5), False


@lru_cache(maxsize=4096)
def _parameter_types(signature: str) -> tuple[str, ...]:
    """The type of every parameter where all are plain names, possibly of another package; else empty text."""
    if not signature.startswith("("):
        return ()
    types: list[str] = []
    for part in reversed(_split(signature[1 : _closing(signature, 0)])):
        words = part.split()
        if len(words) == 1 and types:
            types.append(types[-1])  # `a, b T`
        else:
            types.append(words[1] if len(words) == 2 and re.fullmatch(r"[\w.]+", words[1]) else "")
    return tuple(reversed(types))


def _literal(file: GoOutline, name: str, declared: Declared, opening: int, closing: int) -> Iterator[Fault]:
    """The keys of a composite literal that are no fields, and constants of the wrong kind."""
    for key, where in _keys(file, opening, closing):
        if not declared.has(key):
            yield Fault(file.path, file.line(where), f"{name} has no field {key}")
        elif (value := _VALUE.match(file.masked, where + len(key))) and file.text[value.start(1)] != "'":
            wrong = _misfit(declared.type_of(key), value.group(1))
            if wrong:
                yield Fault(file.path, file.line(where), f"{key} of {name} is {wrong}")


@lru_cache(maxsize=4096)
def _plain_fields(body: str) -> dict[str, str]:
    """The fields of a struct whose type is a plain name, with that name."""
    return {name.strip(): type_name for names, type_name in _FIELD.findall(body) for name in names.split(",")}


def _misfit(type_name: str, value: str) -> str:
    """What a constant as written is, and what it should be, when it fits no variable of a predeclared type."""
    if type_name not in _KIND_OF:
        return ""
    wanted = _KIND_OF[type_name]
    if value[0] in '"`':
        given = "text"
    else:
        given = {"true": "yes or no", "false": "yes or no", "nil": "nil"}.get(value, "a number")
    return "" if given == wanted else f"{wanted}, not {given}"


_KIND_OF = {
    "string": "text",
    "bool": "yes or no",
    **dict.fromkeys(
        "int int8 int16 int32 int64 uint uint8 uint16 uint32 uint64 byte rune float32 float64".split(),
        "a number",
    ),
}
_CONSTANT = r"(\"[^\"\n]*\"|`[^`]*`|-?\d[\w.]*|true|false|nil)"
_VALUE = re.compile(rf"[ \t]*:[ \t]*{_CONSTANT}[ \t]*(?=[,\n}}])")
_METHOD = re.compile(r"([A-Za-z_]\w*)[ \t]*\(")
_HARMLESS = re.compile(r"\b(?:mock\.Mock|sync\.(?:RW)?Mutex|suite\.Suite)\b")
_BINDS = re.compile(r"(?<![\w.])(\w+(?:[ \t]*,[ \t]*\w+)*)[ \t]*:?=(?!=)|(?<=\bvar )(\w+)")
_MAKES = re.compile(
    r"(\w+)(?:[ \t]*,[ \t]*\w+)?[ \t]*:=[ \t]*"
    r"(?:new\((?:(\w+)\.)?(\w+)\)|&?(?:(\w+)\.)?(\w+)\{|(\w+)\.(New\w*)\()"
)
# A pattern that begins with letters is searched for much faster than one that begins with a look behind.
_GIVEN_BACK = re.compile(r"return(?<![\w.]return)[ \t]+&([A-Z]?\w*)\{")
_RETURN = re.compile(r"return(?<![\w.]return)\b[ \t]*([^\n;}]*)")
_FUNCTION = re.compile(r"(?<![\w.])func\b")
_FIELD = re.compile(r"(?:^|[\n;])[ \t]*((?:\w+[ \t]*,[ \t]*)*\w+)[ \t]+(\w+)[ \t]*(?=[\n;\"`]|$)")
_PARAMETER = re.compile(r"[(,]\s*(\w+)\s+\*?(\w+)\.([A-Z]\w*)(?=\s*[,)])")
_MADE = re.compile(r"(?<=[\n\t;{])(\w+)(?:[ \t]*,[ \t]*\w+)?[ \t]*:=[ \t]*$")
_RESULT = re.compile(r"\*?((?:\w+\.)?[A-Z]\w*)$")


def go_compile(store: FactStore) -> GoCompile:
    """What keeps packages and tests of the repository from compiling."""
    return GoCompile(store)


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


def _places(masked: str, text: str) -> Iterator[int]:
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
        if name is not None and _is_start(masked, at):
            yield at, name.group()
        at = masked.find(prefix, at + len(prefix))


def _is_start(masked: str, at: int) -> bool:
    """True when a word starts here that no selector's dot stands before."""
    return at == 0 or masked.endswith("...", 0, at) or not _WORD_OR_DOT.match(masked, at - 1)


def _is_special(path: str) -> bool:
    """True for files that only some platforms compile."""
    return _PLATFORM_FILE.search(basename(path)) is not None


def _is_below(import_path: str, module: str) -> bool:
    return import_path == module or import_path.startswith(module + "/")


def _is_standard(import_path: str) -> bool:
    return "." not in import_path.split("/", 1)[0]


def _import_line(file: GoOutline, import_path: str) -> int:
    return next((file.line(s.start) for s in file.strings if s.text == import_path), 1)


def _is_hidden(file: GoOutline, alias: str) -> bool:
    """True when a variable of that name hides the package somewhere in the file."""
    assigned = rf"\b{alias}\b\s*(?:,\s*\w+\s*)*:=|\bvar\s+{alias}\b"
    parameter = rf"[(,]\s*{alias}(?:\s*,\s*\w+)*\s+[\w*\[.]"
    return re.search(f"{assigned}|{parameter}", file.masked) is not None


def _is_declaration(file: GoOutline, at: int) -> bool:
    """True for the name of a function, or of a method, where it is declared."""
    before = file.masked[max(0, at - 200) : at].rstrip(" \t")
    return before.endswith("func") or re.search(r"\bfunc[ \t]*\([^()]*\)$", before) is not None


def _is_no_call(file: GoOutline, at: int) -> bool:
    """True where `Name(` calls no function: it declares one, or goes on with a chain of calls."""
    opening = file.block_around(at)
    before = at - 1
    while before > 0 and file.masked[before].isspace():
        before -= 1
    if file.masked[before] == ".":
        return True  # a chain of calls that goes on in the next line
    inside = opening >= 0 and re.search(r"\binterface[ \t]*$", file.masked[max(0, opening - 30) : opening])
    return bool(inside) or _is_declaration(file, at)


@lru_cache(maxsize=4096)
def _shape(signature: str) -> tuple[int, int, int] | None:
    """Least and most arguments and the number of results of a signature; None for generic functions."""
    if not signature.startswith("("):
        return None
    closing = _closing(signature, 0)
    parameters = _split(signature[1:closing])
    results = signature[closing + 1 :].strip()
    count = len(_split(results[1 : _closing(results, 0)])) if results.startswith("(") else int(bool(results))
    if parameters and "..." in parameters[-1]:
        return len(parameters) - 1, 10**6, count
    return len(parameters), len(parameters), count


def _first_result(signature: str) -> str:
    """The name of the type of the first result as written, without its star; empty when it has none."""
    if not signature.startswith("("):
        return ""
    results = signature[_closing(signature, 0) + 1 :].strip()
    if results.startswith("("):
        parts = _split(results[1 : _closing(results, 0)])
        results = parts[0].split()[-1] if parts and "(" not in parts[0] else ""
    match = _RESULT.match(results)
    return match.group(1) if match else ""


def _closing(text: str, opening: int) -> int:
    depth = 0
    for match in _BRACKET.finditer(text, opening):
        depth += 1 if match.group() in "([{" else -1
        if not depth:
            return match.start()
    return len(text)


def _split(text: str) -> list[str]:
    """The parts between the commas that stand outside of brackets."""
    if not _OPENING.search(text):
        parts = [part.strip() for part in text.split(",")]
        return parts if parts[-1] else parts[:-1]
    parts, depth, start = [], 0, 0
    for match in _BRACKET_OR_COMMA.finditer(text):
        character = match.group()
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        elif not depth:
            parts.append(text[start : match.start()].strip())
            start = match.end()
    last = text[start:].strip()
    return [*parts, last] if last else parts


def _keys(file: GoOutline, opening: int, closing: int) -> Iterator[tuple[str, int]]:
    """The keys of a composite literal, those of literals inside left out."""
    at = opening
    while (match := _KEY.search(file.masked, at, closing)) is not None:
        between = _OPENING.finditer(file.masked, max(at, opening + 1), match.start(1))
        around = next((c for o in between if (c := file.pairs.get(o.start(), 0)) > match.start(1)), None)
        if around is not None:
            at = around
            continue
        yield match.group(1), match.start(1)
        at = match.end(1)


def _literal_signatures(file: GoOutline, function: GoFunction) -> Iterator[str]:
    """The parameters of the function literals in a function, with their brackets."""
    at = file.masked.find("func(", function.opening, function.closing)
    while at >= 0:
        closing = file.pairs.get(at + 4)
        if closing is not None:
            yield file.masked[at + 4 : closing + 1]
        at = file.masked.find("func(", at + 5, function.closing)


def _members_of(file: GoOutline, function: GoFunction, variable: str) -> Iterator[tuple[str, int]]:
    prefix = variable + "."
    at = file.masked.find(prefix, function.opening, function.closing)
    while at >= 0:
        if _is_start(file.masked, at):
            name = _MEMBER.match(file.masked, at + len(prefix))
            if name is not None:
                yield name.group(), at
        at = file.masked.find(prefix, at + 1, function.closing)


def _is_set(file: GoOutline, function: GoFunction, variable: str, times: int = 0) -> bool:
    """True when the name is bound more often than that in a function, so that its type is not clear."""
    text = function.signature + file.masked[function.opening : function.closing]
    bound = (
        rf"(?<![\w.]){variable}\b(?:[ \t]*,[ \t]*\w+)*[ \t]*:=|,[ \t]*{variable}[ \t]*(?:,[ \t]*\w+[ \t]*)*:="
    )
    type_ = r"(?:\*|\[\w*\]|map\b|func\b|chan\b|\w+\.)*[A-Za-z_]\w*"
    bound += rf"|\bvar[ \t]+{variable}\b|\b{variable}[ \t]+{type_}[ \t]*[,)]"
    return len(re.findall(bound, text)) > times


def _unread_variables(file: GoOutline) -> Iterator[Fault]:
    """Variables that are declared by `:=` and named nowhere behind it."""
    masked = file.masked
    for function in file.functions:
        at = masked.find(":=", function.opening, function.closing)
        while at >= 0:
            names = _DEFINED.search(masked, max(function.opening, masked.rfind("\n", 0, at)), at)
            for name in names.group(1).split(",") if names else ():
                name = name.strip()
                if name == "_" or _occurs(masked, name, at + 2, function.closing):
                    continue
                if names is not None and not _occurs(masked, name, function.start, names.start()):
                    yield Fault(file.path, file.line(at), f"{name} is declared and not used")
                    return
            at = masked.find(":=", at + 2, function.closing)


def _occurs(text: str, word: str, start: int, end: int) -> bool:
    at = text.find(word, start, end)
    while at >= 0:
        before, after = text[at - 1] if at else " ", text[at + len(word)]
        if (
            before != "."
            and not (before.isalnum() or before == "_")
            and not (after.isalnum() or after == "_")
        ):
            return True
        at = text.find(word, at + 1, end)
    return False
