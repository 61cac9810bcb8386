"""Where something may be used, by its name alone: construction sites, callers, and the functions around them.

What a name means is left to the evaluator, which runs what is found here, and to `Analysis.callers` and `mentions`,
which go by types and scopes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Package, Program
    from zuno_audit.languages.go.parse import GoFile


class CallSite(NamedTuple):
    """A call and the top-level declaration (function, or variable with an initial value) that it stands in.

    For a function that is used as a value, `call` is the selector that names it.
    """

    root: Declaration
    call: s.Call | s.Selector | s.Ident


class Use(NamedTuple):
    """A `CallSite` that is a call."""

    root: Declaration
    call: s.Call


def uses(sites: Iterable[CallSite]) -> Iterator[Use]:
    """The sites that are calls."""
    for root, call in sites:
        if isinstance(call, s.Call):
            yield Use(root, call)


_ENDS = (b"\n}", b"\n)")  # of a Go file, as gofmt writes it


class Search:
    """Looks for uses by name; what a name means there is for the evaluator to say."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._calls: dict[int, dict[str, list[s.Call]]] = {}
        self._makers: dict[tuple[str, str], list[Declaration]] = {}

    def roots(self, path: str, literal: bytes) -> Iterator[Declaration]:
        """The functions and values of a file of the default build whose text holds a literal."""
        package = self.program.package_of(path)
        if package is None or path not in package.files or not is_go_tool_file(path):
            return
        file = self.program.file(path)
        if file is None:
            return
        nodes: list[s.FuncDecl | s.ValueSpec] = [*file.functions_with(literal), *file.values_with(literal)]
        for node in nodes:
            yield Declaration(package, file, node)

    def calls_to(
        self,
        import_path: str,
        *names: str,
        tests: bool = False,
        leave_out: Callable[[str], bool] = lambda path: False,
        among: Sequence[str] | None = None,
    ) -> Iterator[CallSite]:
        """Calls of functions of a package from elsewhere, by any alias, in source order per file.

        `among` are the files to look at, where the caller knows them.
        """
        for path in self.files_with(import_path.encode(), tests=tests) if among is None else among:
            if leave_out(path):
                continue
            data = self.program.repository.read(path) or b""
            for name in names:
                if name.encode() in data:
                    yield from self._calls_in_file(path, name, import_path)

    def references_to(
        self, import_path: str, name: str, among: Sequence[str] | None = None
    ) -> Iterator[CallSite]:
        """Uses of a function as a value: `pkg.Name` that is not called there."""
        for path in self.files_with(import_path.encode(), name.encode()) if among is None else among:
            package, file = self.program.package_of(path), self.program.file(path)
            if package is None or file is None or path not in package.files:
                continue
            aliases = {a for a, p in self.program.imported(file).items() if p == import_path}
            for function in file.functions_with(name.encode()):
                called = {id(n.fun) for n in s.nodes_of(function) if isinstance(n, s.Call)}
                for node in s.nodes_of(function):
                    if isinstance(node, s.Selector) and node.sel == name and id(node) not in called:
                        if isinstance(node.x, s.Ident) and node.x.name in aliases:
                            yield CallSite(Declaration(package, file, function), node)

    def calls_by_value(
        self,
        import_path: str,
        name: str,
        leave_out: Callable[[str], bool] = lambda path: False,
        among: Sequence[str] | None = None,
    ) -> Iterator[CallSite]:
        """Calls of a function of a package through the variable or field that it was put in: `dial := grpc.Dial`.

        Where nobody calls that, the place where the function is named.
        """
        found: dict[tuple[str, int], CallSite] = {}
        value = re.compile(rb"\b\w+\." + name.encode() + rb"\b(?!\()")
        for path in self.files_with(import_path.encode(), name.encode()) if among is None else among:
            package = self.program.package_of(path)
            if leave_out(path) or package is None or path not in package.files:
                continue
            if not value.search(self.program.repository.read(path) or b""):
                continue
            file = self.program.file(path)
            aliases = (
                {a for a, p in self.program.imported(file).items() if p == import_path} if file else set()
            )
            roots: list[s.FuncDecl | s.ValueSpec] = []
            if file is not None:
                roots += [*file.functions_with(name.encode()), *file.values_with(name.encode())]
            for root in roots:
                nodes = list(s.walk(root))
                called = {id(n.fun) for n in nodes if isinstance(n, s.Call)}
                for node in nodes:
                    if not isinstance(node, s.Selector) or node.sel != name or id(node) in called:
                        continue
                    if isinstance(node.x, s.Ident) and node.x.name in aliases and file is not None:
                        here = CallSite(Declaration(package, file, root), node)
                        holders = [(n, target) for n in nodes for target in _targets(n, node)]
                        if any(isinstance(target, s.Ident) and target.name == "_" for _, target in holders):
                            continue
                        for site in list(self._calls_of_holders(here, holders)) or [here]:
                            found.setdefault((site.root.file.path, site.call.start), site)
        yield from found.values()

    def _calls_of_holders(self, here: CallSite, holders: list[tuple[s.Node, s.Expr]]) -> Iterator[CallSite]:
        """Calls of the variables and fields that a value is put in, by the statement or literal that does it."""
        root = here.root
        for node, target in holders:
            if isinstance(target, s.Selector):
                yield from self._calls_in(root.package, target.sel, s.Selector)
            elif isinstance(target, s.Ident) and isinstance(node, s.CompositeLit):
                yield from self._calls_in(root.package, target.name, s.Selector)
            elif isinstance(target, s.Ident) and node is root.node:
                yield from self._calls_in(root.package, target.name, s.Ident)
            elif isinstance(target, s.Ident) and isinstance(root.node, s.FuncDecl):
                for call in self._index(root.node).get(target.name, ()):
                    if isinstance(call.fun, s.Ident) and call.start > here.call.start:
                        yield CallSite(root, call)

    def _calls_in(self, package: Package, name: str, kind: type[s.Node]) -> Iterator[CallSite]:
        for path in package.files:
            file = self.program.file(path) if not path.endswith("_test.go") else None
            for site in self.calls_named(file, package, name) if file is not None else ():
                if isinstance(site.call, s.Call) and isinstance(site.call.fun, kind):
                    yield site

    def mentions(self, declared: Declaration) -> Iterator[CallSite]:
        """Places that name a function or method without calling it there: handed on, stored, deferred."""
        node, package = declared.node, declared.package
        assert isinstance(node, s.FuncDecl)
        paths = set(package.files)
        if node.name[:1].isupper():
            paths.update(self.files_with(package.name.encode(), node.name.encode()))
        for path in sorted(paths):
            owner, file = self.program.package_of(path), self.program.file(path)
            if owner is None or file is None or path not in owner.files:
                continue
            if node.name.encode() in file.data:
                yield from self._mentions_in(file, owner, node, owner is package)

    def _mentions_in(
        self, file: GoFile, owner: Package, node: s.FuncDecl, inside: bool
    ) -> Iterator[CallSite]:
        literal = node.name.encode()
        roots: list[s.FuncDecl | s.ValueSpec] = [*file.functions_with(literal), *file.values_with(literal)]
        for root in roots:
            if root is node:
                continue
            nodes = s.nodes_of(root) if isinstance(root, s.FuncDecl) else list(s.walk(root))
            called = {id(n.fun) for n in nodes if isinstance(n, s.Call)}
            for inner in nodes:
                if id(inner) in called:
                    continue
                if isinstance(inner, s.Ident):
                    is_use = inside and node.receiver is None and inner.name == node.name
                else:
                    is_use = isinstance(inner, s.Selector) and inner.sel == node.name
                if is_use and isinstance(inner, s.Ident | s.Selector):
                    yield CallSite(Declaration(owner, file, root), inner)

    def makers(self, package: Package, type_name: str) -> list[Declaration]:
        """Functions and variables that make a value of a named type: `T{...}`, `new(T)`, `var x T`."""
        key = (package.path, type_name)
        if key not in self._makers:
            self._makers[key] = list(self._find_makers(package, type_name))
        return self._makers[key]

    def _find_makers(self, package: Package, type_name: str) -> Iterator[Declaration]:
        pattern = re.compile(rb"\b" + type_name.encode() + rb"(?:\[[^\]\n]*\])?\s*\{|new\(|\bvar\b")
        paths = set(package.files)
        if type_name[:1].isupper():
            paths.update(self.files_with(package.name.encode(), type_name.encode() + b"{"))
        for path in sorted(paths):
            owner, file = self.program.package_of(path), self.program.file(path)
            if owner is None or file is None or path not in owner.files or not pattern.search(file.data):
                continue
            literal = type_name.encode()
            roots: list[s.FuncDecl | s.ValueSpec] = [
                *file.functions_with(literal),
                *file.values_with(literal),
            ]
            for root in roots:
                if self._makes(root, type_name):
                    yield Declaration(owner, file, root)

    @staticmethod
    def _makes(root: s.FuncDecl | s.ValueSpec, type_name: str) -> bool:
        nodes = s.nodes_of(root) if isinstance(root, s.FuncDecl) else list(s.walk(root))
        for node in nodes:
            type_: s.Expr | None = None
            if isinstance(node, s.CompositeLit | s.ValueSpec):
                type_ = node.type
            elif isinstance(node, s.Call) and isinstance(node.fun, s.Ident) and node.fun.name == "new":
                type_ = node.args[0] if node.args else None
            while isinstance(type_, s.Index | s.Star):
                type_ = type_.x
            named = type_.sel if isinstance(type_, s.Selector) else getattr(type_, "name", None)
            if named == type_name:
                return True
        return False

    def files_with(self, *literals: bytes, tests: bool = False) -> list[str]:
        """Paths of Go files that hold all literals: those that the analysis follows, or else tests too."""
        if tests or self.program.tests:
            return self.program.repository.grep(*literals, suffix=".go")
        return self.program.sources_with(*literals)

    def cut_files_with(self, literal: bytes) -> list[str]:
        """Those of `files_with` that do not end like most Go files, so that they may be cut off."""
        read = self.program.repository.read
        return [p for p in self.files_with(literal) if not (read(p) or b"").rstrip().endswith(_ENDS)]

    def own_files_with(self, *literals: bytes) -> list[str]:
        """Paths of Go files, vendored ones left out, that hold all literals."""
        first, *others = literals or (b"",)
        read = self.program.repository.read
        found = [path for path in self._own_files if (data := read(path)) is not None and first in data]
        return [path for path in found if all(literal in (read(path) or b"") for literal in others)]

    @cached_property
    def _own_files(self) -> list[str]:
        everything = self.program.tests
        return [
            path
            for path, file in self.program.repository.files.items()
            if path.endswith(".go") and not file.is_link
            if everything
            or not (path.endswith("_test.go") or path.startswith("vendor/") or "/vendor/" in path)
        ]

    def _calls_in_file(self, path: str, name: str, import_path: str) -> Iterator[CallSite]:
        package = self.program.package_of(path)
        if package is None or path not in package.files:
            return
        file = self.program.file(path)
        if file is None:
            return
        aliases = {a for a, p in self.program.imported(file).items() if p == import_path}
        dotted = any(i.name == "." and i.path == import_path for i in file.imports)
        for site in self.calls_named(file, package, name):
            assert isinstance(site.call, s.Call)
            fun = site.call.fun.x if isinstance(site.call.fun, s.Index) else site.call.fun
            if isinstance(fun, s.Selector):
                if isinstance(fun.x, s.Ident) and fun.x.name in aliases and not _is_local(fun.x, site):
                    yield site
            elif dotted:
                yield site
        yield from self._calls_by_variable(file, package, name, aliases)

    def _calls_by_variable(
        self, file: GoFile, package: Package, name: str, aliases: set[str]
    ) -> Iterator[CallSite]:
        """Calls through `var dial = grpc.Dial`, in the package that declares it."""
        if not re.search(rb"=\s*\w+\." + name.encode() + rb"\b(?!\()", file.data):
            return
        for spec in file.values_with(name.encode()):
            for variable, value in zip(spec.names, spec.values, strict=False):
                if isinstance(value, s.Selector) and value.sel == name and isinstance(value.x, s.Ident):
                    if value.x.name in aliases:
                        for other in package.parsed():
                            for site in self.calls_named(other, package, variable.name):
                                if isinstance(site.call, s.Call) and isinstance(site.call.fun, s.Ident):
                                    yield site

    def calls_named(self, file: GoFile, package: Package, name: str) -> Iterator[CallSite]:
        """Calls of something called `name` in one file."""
        literal = name.encode()
        for function in file.functions_with(literal):
            for call in self._index(function).get(name, ()):
                yield CallSite(Declaration(package, file, function), call)
        for spec in file.values_with(literal):
            for call in self._index(spec).get(name, ()):
                yield CallSite(Declaration(package, file, spec), call)

    def _index(self, node: s.FuncDecl | s.ValueSpec) -> dict[str, list[s.Call]]:
        known = self._calls.get(id(node))
        if known is None:
            known = {}
            for inner in s.walk(node):
                if isinstance(inner, s.Call):
                    fun = inner.fun.x if isinstance(inner.fun, s.Index) else inner.fun
                    if isinstance(fun, s.Selector):
                        known.setdefault(fun.sel, []).append(inner)
                    elif isinstance(fun, s.Ident):
                        known.setdefault(fun.name, []).append(inner)
            for calls in known.values():
                calls.sort(key=lambda c: c.start)
            self._calls[id(node)] = known
        return known

    def named_calls(self, declared: Declaration) -> Iterator[CallSite]:
        """Calls of what has the name of a function or method, from places that can see it."""
        node, package = declared.node, declared.package
        assert isinstance(node, s.FuncDecl)
        is_method = node.receiver is not None
        name = node.name
        exported = name[:1].isupper()
        paths = set(package.files)
        if exported:
            wanted = (name.encode() + b"(",) if is_method else (package.path.encode(), name.encode())
            paths.update(self.files_with(*wanted))
        for path in sorted(paths):
            owner = self.program.package_of(path)
            if owner is None or path not in owner.files:
                continue
            data = self.program.repository.read(path) or b""
            if name.encode() not in data:
                continue
            file = self.program.file(path)
            if file is None:
                continue
            for site in self.calls_named(file, owner, name):
                if site.root.node is not node and self._may_be(site, is_method, owner is package, package):
                    yield site

    def _may_be(self, site: CallSite, is_method: bool, inside: bool, package: Package) -> bool:
        assert isinstance(site.call, s.Call)
        fun = site.call.fun.x if isinstance(site.call.fun, s.Index) else site.call.fun
        if isinstance(fun, s.Ident):
            return inside and not is_method
        if not isinstance(fun, s.Selector):
            return False
        path = None
        if isinstance(fun.x, s.Ident):
            path = self.program.imported(site.root.file).get(fun.x.name)
        if is_method:
            return path is None
        return path == package.path


def _is_local(name: s.Ident, site: CallSite) -> bool:
    """True when a variable of the function hides the package of this name."""
    from zuno_audit.facts.go.bindings import Bindings
    from zuno_audit.facts.go.effects import local_names

    node = site.root.node
    if isinstance(node, s.FuncDecl) and name.name not in local_names(node):
        return False
    return Bindings(node).variable(name.name, name.start) is not None


def _targets(node: s.Node, value: s.Expr) -> list[s.Expr]:
    """The variables, or the keys of a literal, that a node puts a value in."""
    match node:
        case s.Assign(lhs=lhs, rhs=rhs):
            return [target for target, held in zip(lhs, rhs, strict=False) if held is value]
        case s.ValueSpec(names=names, values=values):
            return [target for target, held in zip(names, values, strict=False) if held is value]
        case s.CompositeLit(elements=elements):
            return [key for key, held in elements if key is not None and held is value]
    return []
