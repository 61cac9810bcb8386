"""Who names a function, a method or a type: the places whose name means it, by scope and by type.

A place in code that never runs, or that only keeps the compiler quiet, is none. What the receiver of a method is
decides whether a selector means it: a value of its type does for certain, an interface that its type satisfies may,
and a value of a type that is not known may where the file knows the package of the method.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.dead_code import is_dead, is_discarded
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.search import Use
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.facts.go.types import Type, receiver_type_name
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.program import Package

Name = s.Ident | s.Selector
How = Literal["name", "interface", "chance"]


class Reference(NamedTuple):
    """A name in a declaration, and the call of it if it is called there.

    `how` says what it is known by: `name` (its scope or the type of the receiver), `interface` (one that the type of
    the method satisfies), or `chance` (the type of the receiver is not known).
    """

    root: Declaration
    name: Name
    call: s.Call | None
    how: How


class References:
    """Answers for one program; test files and vendored code name nothing."""

    def __init__(self, asked: Analysis) -> None:
        self.program, self.types, self.texts = asked.program, asked.types, asked.texts
        self._packages = asked.program.known
        self._near: dict[int, tuple[Reference, ...]] = {}
        self._far: dict[int, tuple[Reference, ...]] = {}
        self._names: dict[int, dict[str, list[tuple[Name, s.Call | None]]]] = {}
        self._satisfied: dict[tuple[str, str, int], How | None] = {}
        self._embedded: dict[tuple[str, str], bool] = {}

    def near(self, declared: Declaration) -> tuple[Reference, ...]:
        """The references in the package of a function or method, and in those that import it if it is exported."""
        node = _function(declared)
        if id(node) not in self._near:
            self._near[id(node)] = tuple(self._to(declared, self._near_paths(declared.package, node.name)))
        return self._near[id(node)]

    def far(self, declared: Declaration) -> tuple[Reference, ...]:
        """The references everywhere else: to an exported method, as through an interface.

        A receiver whose type is not known counts only where no other is left.
        """
        node = _function(declared)
        if id(node) not in self._far:
            paths: list[str] = []
            if node.receiver is not None and node.name[:1].isupper():
                near = set(self._near_paths(declared.package, node.name))
                paths = [path for path in self._files if path not in near]
            found = list(self._to(declared, paths))
            told = [r for r in found if r.how != "chance"]
            self._far[id(node)] = tuple(told if told or self.near(declared) else found)
        return self._far[id(node)]

    def calls(self, declared: Declaration) -> list[Use]:
        """The calls that may be of a function or method; of other declarations there are none."""
        if not isinstance(declared.node, s.FuncDecl):
            return []
        found = (*self.near(declared), *self.far(declared))
        return [Use(r.root, r.call) for r in found if r.call is not None]

    def to_type(self, package: Package, name: str) -> Iterator[Reference]:
        """The places that name a type, its own declaration left out."""
        for root, inner, _ in self._named(name, self._near_paths(package, name), package):
            if isinstance(root.node, s.TypeSpec) and root.node.name == name and root.package is package:
                continue
            if self._is_of_package(root, inner, package) and self._counts(root, inner):
                yield Reference(root, inner, None, "name")

    # ---------------------------------------------------------------- where to look

    @cached_property
    def _files(self) -> list[str]:
        """The files that the default build compiles."""
        return [head.path for package in self._packages.by_directory.values() for head in package.files]

    @cached_property
    def _importers(self) -> dict[str, list[str]]:
        """The files that import a package, by its folder."""
        folders: dict[str, str | None] = {}
        found: dict[str, list[str]] = {}
        for path in self._files:
            for imported in self._packages.heads[path].imports:
                if imported.path not in folders:
                    folders[imported.path] = self.program.folder_of(imported.path)
                folder = folders[imported.path]
                if folder is not None:
                    found.setdefault(folder, []).append(path)
        return found

    def _near_paths(self, package: Package, name: str) -> list[str]:
        """The files that may name what a package declares."""
        if not name[:1].isupper():
            return list(package.files)
        return list(dict.fromkeys([*package.files, *self._importers.get(package.folder, ())]))

    # ---------------------------------------------------------------- what a name means

    def _named(
        self, name: str, paths: Iterable[str], package: Package | None
    ) -> Iterator[tuple[Declaration, Name, s.Call | None]]:
        """The names in code that are spelled so: those behind a dot, and others where those of a package are seen."""
        literal = re.escape(name.encode())  # a pattern that begins with a name is found by it
        word = re.compile(literal + rb"(?<!\w" + literal + rb")(?!\w)")
        for path in paths:
            data = self.program.repository.read(path)
            owner = self.program.package_of(path)
            if data is None or name.encode() not in data or owner is None or path not in owner.files:
                continue
            bare = package is not None and (owner is package or self._has_dot_import(path, package))
            places = [m.start() for m in word.finditer(data) if bare or _is_selected(data, m.start())]
            file = self.program.file(path) if places else None
            if file is None:
                continue
            roots = {id(node): node for at in places if (node := file.declaration_at(at)) is not None}
            for node in roots.values():
                root = Declaration(owner, file, node)
                for inner, call in self._index(root).get(name, ()):
                    if bare or isinstance(inner, s.Selector):
                        yield root, inner, call

    def _has_dot_import(self, path: str, package: Package) -> bool:
        head = self._packages.heads.get(path)
        return head is not None and any(
            i.alias == "." and self.program.package(i.path) is package for i in head.imports
        )

    def _index(self, root: Declaration) -> dict[str, list[tuple[Name, s.Call | None]]]:
        """The names in a declaration, each with the call of it; no keys of literals and nothing assigned to."""
        known = self._names.get(id(root.node))
        if known is None:
            known = self._names[id(root.node)] = {}
            left_out: set[int] = set()
            calls: dict[int, s.Call] = {}
            node = root.node
            signature = list(s.walk([*node.params, *node.results])) if isinstance(node, s.FuncDecl) else []
            for inner in (*signature, *root.nodes):  # a parent comes before what is in it
                kind = type(inner)
                if kind is s.Ident:
                    if id(inner) not in left_out:
                        known.setdefault(inner.name, []).append((inner, calls.get(id(inner))))
                elif kind is s.Selector:
                    known.setdefault(inner.sel, []).append((inner, calls.get(id(inner))))
                elif kind is s.Call:
                    calls[id(inner.fun.x if isinstance(inner.fun, s.Index) else inner.fun)] = inner
                elif kind is s.CompositeLit:
                    left_out.update(id(key) for key, _ in inner.elements if isinstance(key, s.Ident))
                elif kind is s.Assign:
                    left_out.update(id(target) for target in inner.lhs if isinstance(target, s.Ident))
                elif kind is s.ValueSpec:
                    left_out.update(id(target) for target in inner.names)
        return known

    def _to(self, declared: Declaration, paths: Iterable[str]) -> Iterator[Reference]:
        node, package = _function(declared), declared.package
        is_method = node.receiver is not None
        for root, name, call in self._named(node.name, paths, None if is_method else package):
            how = self.meaning(root, name, declared) if root.node is not node else None
            if how is not None and self._counts(root, name):
                yield Reference(root, name, call, how)

    def meaning(self, root: Declaration, name: Name, declared: Declaration) -> How | None:
        """How a name that is spelled like a function or method means it; None where it means something else."""
        if _function(declared).receiver is None:
            return "name" if self._is_of_package(root, name, declared.package) else None
        return self._by_receiver(root, name, declared) if isinstance(name, s.Selector) else None

    def _counts(self, root: Declaration, name: Name) -> bool:
        return not is_dead(name, root, self.texts) and not is_discarded(name, root, self.texts)

    def _is_of_package(self, root: Declaration, name: Name, package: Package) -> bool:
        """Whether a name means what a package declares."""
        if isinstance(name, s.Selector):
            path = self.texts.package_path(name.x, root)
            return path is not None and self.program.package(path) is package
        return not self.texts.is_variable(name, root)

    def _by_receiver(self, root: Declaration, name: s.Selector, declared: Declaration) -> How | None:
        """What makes a selector mean a method; None where it means something else."""
        if self.texts.package_path(name.x, root) is not None:
            return None
        type_ = static_type(name.x, root, self.texts, self.types) or self._type_named(name.x, root)
        if type_ is None:
            return "chance"
        base = type_.elem if type_.kind == "pointer" and type_.elem is not None else type_
        if base.kind == "extern":
            return None if base is not type_ else "chance"  # it may be an interface, a pointer is to none
        found = self.types.find_method(type_, name.sel)
        if found is None:
            return "chance" if self.types.underlying(base) is None or base.name == "error" else None
        if isinstance(found[1], Declaration):
            return "name" if found[1].node is declared.node else None
        if found[1].kind == "extern":
            return "chance"
        return self._by_interface(declared, found[1])

    def _type_named(self, expr: s.Expr, root: Declaration) -> Type | None:
        """The type in a method expression: `T.M`, `(*T).M`."""
        inner = expr.x if isinstance(expr, s.Star) else expr
        found = self.texts.declaration(inner, root)
        if found is None or not isinstance(found.node, s.TypeSpec):
            return None
        return self.types.resolve(inner, root.file, root.package)

    def _by_interface(self, method: Declaration, interface: Type) -> How | None:
        """How a call through an interface means a method: `chance` where what its type embeds decides."""
        package, name = method.package, receiver_type_name(_function(method))
        key = (package.folder, name, id(interface))
        if key not in self._satisfied:
            owner = self.types.pointer(self.types.named(package, name))
            wanted = self.types.interface_methods(interface)
            found = {one: self.types.find_method(owner, one) for one in wanted}
            how: How | None = "interface"
            if any(m is None for m in found.values()):
                how = "chance" if self._may_be_embedded(package, name) else None
            elif not all(_is_alike(m[1], wanted[one]) for one, m in found.items() if m is not None):
                how = None
            elif any(m is not None and _is_elsewhere(m[1]) for m in found.values()):
                how = "chance"
            self._satisfied[key] = how
        return self._satisfied[key]

    def _may_be_embedded(self, package: Package, name: str) -> bool:
        """Whether the text of some struct may embed a type, so that its methods are promoted."""
        key = (package.folder, name)
        if key not in self._embedded:
            line = rb"(?m)^[ \t]*\*?(?:\w+\.)?" + name.encode() + rb"(?:\[[^\]\n]*\])?[ \t]*(?:[/`\r].*)?$"
            read = self.program.repository.read
            paths = self._near_paths(package, name)
            self._embedded[key] = any(re.search(line, read(path) or b"") for path in paths)
        return self._embedded[key]


def _is_alike(method: Declaration | Type, wanted: s.FuncType) -> bool:
    """Whether a method takes and gives as many values as another; what is not known may."""
    node = method.node
    if not isinstance(node, s.FuncDecl):
        return True
    return len(node.params) == len(wanted.params) and len(node.results) == len(wanted.results)


def _is_elsewhere(method: Declaration | Type) -> bool:
    return isinstance(method, Type) and method.kind == "extern"


def _function(declared: Declaration) -> s.FuncDecl:
    assert isinstance(declared.node, s.FuncDecl)
    return declared.node


def _is_selected(data: bytes, start: int) -> bool:
    """Whether the text lets a word stand behind a dot."""
    before = start - 1
    while before >= 0 and data[before] in b" \t\r\n":
        before -= 1
    return before >= 0 and data[before] == 0x2E


def references(store: FactStore) -> References:
    """The fact provider: one `References` per audited repository."""
    return store.get(analysis).references
