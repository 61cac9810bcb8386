"""The faults of packages and test files: in what their files import, name, call and return."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.go.program import program
from zuno_audit.facts.go_compile.members import Members
from zuno_audit.facts.go_compile.signatures import OPENING, arity, split
from zuno_audit.facts.go_compile.sources import (
    FUNCTION,
    Fault,
    Sources,
    in_functions,
    is_hidden,
    is_start,
    places,
)
from zuno_audit.languages.go.build import platform_of
from zuno_audit.languages.go_outline import GoFunction, GoOutline, assumed_names

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_FAULTS = 3  # per file: the first are enough to show that it does not compile
_START = r"(?:(?<![\w.])|(?<=\.\.\.))"  # of a word that no selector's dot stands before
_DEFINED = re.compile(r"(?<![\w.])((?:[A-Za-z_]\w*[ \t]*,[ \t]*)*[A-Za-z_]\w*)[ \t]*$")
_ASSIGNED = re.compile(r"(?:^|[;{\n]|\bif\b|\bswitch\b)[ \t]*((?:[\w.]+[ \t]*,\s*)*[\w.]+)[ \t]*:?=[ \t]*$")
_PREDECLARED = frozenset(
    "append cap clear close complex copy delete imag len make max min new panic print println real recover"
    " any bool byte comparable complex64 complex128 error float32 float64 int int8 int16 int32 int64 rune string"
    " uint uint8 uint16 uint32 uint64 uintptr true false iota nil"
    " break case chan const continue default defer else fallthrough for func go goto if import interface map"
    " package range return select struct switch type var".split()
)
_RETURN = re.compile(r"return(?<![\w.]return)\b[ \t]*([^\n;}]*)")


class GoCompile:
    """The faults of packages and test files, worked out when they are asked for."""

    def __init__(self, store: FactStore) -> None:
        self.store = store
        self.sources = Sources(store)
        self.members, self.packages = Members(self.sources), self.sources.packages
        self._faults: dict[str, tuple[Fault, ...]] = {}

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
            heads = (*package.files, *package.others) if package is not None else ()
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
            file = self.sources.outline(path)
            if file is None or file.problem:
                return ()
            siblings = tuple(
                p for p in self.sources.files_in(dirname(path)) if self._clause(p) == file.package
            )
            found = list(self._file(path, siblings))
            if not found:
                found += self._below(path, siblings)
            self._faults[path] = tuple(found[:MAX_FAULTS])
        return self._faults[path]

    def _clause(self, path: str) -> str:
        return self.packages.heads[path].package

    def _below(self, path: str, siblings: Iterable[str]) -> Iterator[Fault]:
        start = {i.path for p in (path, *siblings) for i in self.packages.heads[p].imports}
        todo = [p.directory for s in sorted(start) if (p := self.packages.at(s)) is not None]
        if not self._clause(path).endswith("_test") and dirname(path) in self.packages.by_directory:
            todo.append(dirname(path))
        seen = set(todo)
        while todo:
            directory = todo.pop()
            yield from self.package(directory)
            for head in self.packages.by_directory[directory].files:
                for imported in head.imports:
                    package = self.packages.at(imported.path)
                    if package is not None and package.directory not in seen:
                        seen.add(package.directory)
                        todo.append(package.directory)

    def _clauses(self, directory: str) -> Iterator[Fault]:
        """Files of one folder must agree on the package."""
        heads = [self.packages.heads[p] for p in self.sources.files_in(directory)]
        heads = [h for h in heads if h.package and not h.is_test and not h.is_conditional]
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
                None
                if any(platform_of(path)) or self.sources.is_generated(path)
                else self.store.get(program).file(path)
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
        file = (
            self.sources.outline(path)
            if not any(platform_of(path)) and not self.sources.is_generated(path)
            else None
        )
        if file is None:
            return
        if file.problem:
            yield Fault(path, file.problem_line, file.problem)
            return
        parsed = self.store.get(program).file(path) if not path.endswith("_test.go") else None
        if parsed is not None and parsed.error_line:
            yield Fault(path, parsed.error_line, "it does not parse")
            return
        others = [o for p in siblings if p != path and (o := self.sources.outline(p)) is not None]
        yield from self._unknown_packages(file)
        yield from self._unknown_names(file)
        yield from self._imports(file, others)
        yield from self._unknown_calls(file, others, siblings)
        yield from self._calls(file, siblings)
        yield from self.members.faults(file)
        yield from _unread_variables(file)
        yield from _returns(file)

    def _unknown_packages(self, file: GoOutline) -> Iterator[Fault]:
        for import_path in file.imports.values():
            if self.packages.lacks(import_path):
                yield Fault(
                    file.path, _import_line(file, import_path), f"the package {import_path} does not exist"
                )

    def _unknown_names(self, file: GoOutline) -> Iterator[Fault]:
        seen: set[tuple[str, str]] = set()
        for use in self.sources.uses(file):
            key = (use.alias, use.name)
            if key in seen:
                continue
            seen.add(key)
            if not self.sources.declares(use.package.directory, use.name) and not is_hidden(file, use.alias):
                yield Fault(file.path, file.line(use.at), f"{use.package.import_path} declares no {use.name}")

    def _imports(self, file: GoOutline, others: list[GoOutline]) -> Iterator[Fault]:
        """Imports that nothing uses, and package names that nothing imports.

        What a package from elsewhere calls itself is only guessed, so imports without a use and names without
        an import must not match in number.
        """
        names = self.sources.names(file).members.keys()
        unused: list[str] = []
        guessed: list[str] = []
        alike = 0
        bound = set(file.renamed)
        for imported in self.packages.heads[file.path].imports:
            if imported.alias in ("_", ".") or imported.path == "C":
                continue
            ours = self.packages.at(imported.path)
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
        free = (names - bound - _PREDECLARED).difference(
            *(self.sources.names(o).bare for o in (file, *others))
        )
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
        called = self.sources.names(file).called - _PREDECLARED
        called -= self.sources.functions_of(siblings).keys() | {f.name for f in file.functions}
        for name in sorted(called.difference(*(self.sources.names(o).bare for o in (file, *others)))):
            for at in places(file.masked, name + "("):
                if not _is_no_call(file, at):
                    yield Fault(file.path, file.line(at), f"{name} is not declared")
                    break

    def _calls(self, file: GoOutline, siblings: tuple[str, ...]) -> Iterator[Fault]:
        for use in self.sources.uses(file):
            if file.masked.startswith("(", use.end):
                functions = [f for _, f in self.sources.functions(use.package.directory).get(use.name, ())]
                for fault in self._call(file, use.at, f"{use.alias}.{use.name}", functions):
                    if not is_hidden(file, use.alias):
                        yield fault
        own, names = self.sources.functions_of(siblings), self.sources.names(file)
        for name in sorted((names.called & own.keys()) - names.bare):
            at = file.masked.find(name + "(")
            while at >= 0:
                if is_start(file.masked, at) and not file.masked.endswith("func ", 0, at):
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
        shape = arity(functions[0].signature)
        if closing is None or shape is None:
            return
        low, high, results = shape
        given = split(file.masked[opening + 1 : closing])
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


def go_compile(store: FactStore) -> GoCompile:
    """What keeps packages and tests of the repository from compiling."""
    return GoCompile(store)


def _returns(file: GoOutline) -> Iterator[Fault]:
    """Return statements with more or fewer values than the function around them has results.

    Functions with literals of functions, which have results of their own, are left out.
    """
    masked = file.masked
    for function, match in in_functions(file, _RETURN):
        shape = arity(function.signature) if match.group(1) else None
        if shape is None:
            continue
        if not OPENING.search(match.group(1)) and match.group(1).count(",") + 1 == shape[2]:
            continue
        end = match.start(1)
        while end < function.closing and masked[end] not in "\n;}":
            end = file.pairs.get(end, end) + 1
        given = split(masked[match.start(1) : end].strip())
        several = len(given) == 1 and given[0].endswith(")")  # a call may have several results
        if several or len(given) in (0, shape[2]) or masked[end - 1] in ",.+-*/&|=<([{":
            continue
        if FUNCTION.search(masked, function.opening, function.closing) is None:
            why = f"{function.name} returns {shape[2]} values, not {len(given)}"
            yield Fault(file.path, file.line(match.start()), why)


def _is_standard(import_path: str) -> bool:
    return "." not in import_path.split("/", 1)[0]


def _import_line(file: GoOutline, import_path: str) -> int:
    return next((file.line(s.start) for s in file.strings if s.text == import_path), 1)


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
