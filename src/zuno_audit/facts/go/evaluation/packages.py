"""Package-level names: constants, variables with everything that is assigned to them, functions, types."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.go.evaluation.memory import Memory
from zuno_audit.facts.go.evaluation.records import (
    BUILTINS,
    Frame,
    Limits,
    Scope,
)
from zuno_audit.facts.go.types import BASIC
from zuno_audit.facts.go.values import (
    FALSE,
    SET_ELSEWHERE,
    TRUE,
    Cell,
    Const,
    Extern,
    Func,
    Map,
    MapData,
    Nil,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    TypeValue,
    Unknown,
    Val,
    Value,
    merge,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Declaration, Package
    from zuno_audit.languages.go.parse import GoFile

# The directive stands right before the declaration; only blank lines and line comments may come between.
_EMBED = re.compile(
    rb"//go:embed[ \t]+([^\n]+)\n(?:[ \t]*(?://[^\n]*)?\n)*[ \t]*"
    rb"(?:var[ \t]*(?:\([ \t\n]*)?)?$"
)


class Packages(Memory):
    """Evaluates declarations of packages."""

    def _package_name(
        self, name: str, file: GoFile, package: Package, site: Site, scope: Scope | None, state: State
    ) -> Value:
        """A name that no block declares: of the package, of a dot import, or predeclared."""
        if scope is not None:
            local = scope.type_named(name)
            if local is not None:
                return (TypeValue(local, site),)
        declared = package.declaration(name)
        if declared is not None:
            return self.declared(declared, name, state, site)
        if name == "nil":
            return (Nil(site),)
        if name in ("true", "false"):
            return (TRUE,) if name == "true" else (FALSE,)
        for spec in file.imports:
            if spec.name == ".":
                value = self.member_of_package(spec.path, name, state, site)
                if not isinstance(value[0], Extern) or name[:1].isupper():
                    return value
        if name in BUILTINS:
            return (Extern("builtin", name, site=site),)
        if name in BASIC or name in ("error", "any"):
            return (TypeValue(self.types.basic(name), site),)
        return (Unknown(f"{name} is not declared in this package", site, broken=self._is_broken(package)),)

    def _is_broken(self, package: Package) -> bool:
        return any(f.error_line for f in package.parsed())

    def declared(self, declared: Declaration, name: str, state: State, site: Site | None) -> Value:
        """The value of a top-level declaration."""
        node = declared.node
        if isinstance(node, s.FuncDecl):
            return (Func(node, declared.file, declared.package, site=site),)
        if isinstance(node, s.TypeSpec):
            type_ = self.types.resolve(s.Ident(0, 0, name), declared.file, declared.package)
            return (TypeValue(type_, site),) if type_ is not None else (Unknown(f"type {name}", site),)
        cell = ("global", declared.package.path, name)
        value = state.cells.get(cell)
        return value if value is not None else self._global(cell)

    def _global(self, cell: Cell) -> Value:
        """A package-level variable or constant: its initial value and every other value it is given."""
        known = self.heap.get(cell)
        if known is not None:
            return known
        if cell in self._globals_in_progress:
            return (Unknown("initialisation cycle"),)
        self._globals_in_progress.add(cell)
        try:
            value = self._evaluate_global(cell)
        finally:
            self._globals_in_progress.discard(cell)
        self.heap[cell] = value
        return value

    def _evaluate_global(self, cell: Cell) -> Value:
        _, path, name = cell
        package = self.program.package(path) or self.program.package_in(path)
        declared = package.declaration(name) if package is not None else None
        if package is None or declared is None or not isinstance(declared.node, s.ValueSpec):
            return (Unknown(f"variable {name}"),)
        spec = declared.node
        if declared.file.error_line:
            return (Unknown(f"{declared.file.path} does not parse", broken=True),)
        self.consulted[declared.file.path] = declared.file
        embedded = self._embedded_text(spec, declared.file, package)
        value = (embedded,) if embedded is not None else self._initial(spec, name, declared.file, package)
        if spec.is_const:
            return value
        for assigned in self.effects.assignments_to_global(package, name):
            given = self._assigned_value(assigned, cell, value)
            self.sees_shared |= not _in_init(*assigned)
            value = given if _in_init(*assigned) else merge(value, given)
        for part in sorted(self.effects.parts_set(package, name)):
            value = tuple(self._loosened(v, part) for v in self.force(value))
        if self.effects.is_read_into(package, name):  # flag.BoolVar(&name, ...)
            return tuple(self._overwritten(v, State(), "a library", 0) for v in self.force(value))
        return value

    def _keep(self, cell: Cell, value: Value) -> None:
        """An object that package-level variables refer to: there from the start."""
        if cell not in self.heap:
            self.heap[cell] = value
            self.heap_since[cell] = 0

    def _loosened(self, v: Val, part: str) -> Val:
        """A value of which a field (or an element, `[]`) is assigned in some function."""
        if isinstance(v, Pointer) and not v.path:
            self.heap[v.cell] = tuple(self._loosened(x, part) for x in self.read(v.cell, State()))
        elif isinstance(v, Map) and part == "[]":
            under = self.types.underlying(v.type) if v.type is not None else None
            other: Value = (
                Unknown("an element that is set elsewhere", type_=under.elem if under is not None else None),
            )
            self.heap[v.cell] = tuple(
                MapData({**d.entries, SET_ELSEWHERE: other}, True) if isinstance(d, MapData) else d
                for d in self.read(v.cell, State())
            )
        elif isinstance(v, Seq) and part == "[]":
            under = self.types.underlying(v.type) if v.type is not None else None
            elem = under.elem if under is not None else None
            unknown: Value = (Unknown("an element that is set elsewhere", type_=elem),)
            return Seq(tuple(union(item, unknown) for item in v.items), v.open, v.type, v.site)
        elif isinstance(v, Struct):
            type_ = self.types.field_type(v.type, part) if v.type is not None else None
            set_elsewhere: Value = (Unknown(f"field {part} is set elsewhere", type_=type_),)
            return Struct(
                v.type, {**v.fields, part: union(self._field(v, part), set_elsewhere)}, v.open, v.site
            )
        return v

    def _embedded_text(self, spec: s.ValueSpec, file: GoFile, package: Package) -> Const | None:
        """The file that `//go:embed` puts into a string or byte slice (documentation of package embed)."""
        if spec.is_const or spec.values:
            return None
        found = _EMBED.search(file.data[max(0, spec.start - 600) : spec.start])
        type_ = self.types.resolve(spec.type, file, package) if found is not None else None
        if found is None or type_ is None or type_.kind not in ("basic", "slice", "named"):
            return None
        name = found.group(1).decode("utf-8", "replace").strip().strip('"`')
        text = self.program.repository.text(f"{package.folder}/{name}".lstrip("/"))
        return None if text is None else Const(text, None, Site(file, spec.start, spec.end))

    def initial_value(self, declared: Declaration, name: str) -> Value:
        """What a package-level variable has before anybody assigns it."""
        assert isinstance(declared.node, s.ValueSpec)
        return self._initial(declared.node, name, declared.file, declared.package)

    def _initial(self, spec: s.ValueSpec, name: str, file: GoFile, package: Package) -> Value:
        frame = Frame(Func(_empty_function(spec), file, package), None, None, None)
        scope = Scope(None, frame)
        state = State()
        saved, self.frame = self.frame, frame
        try:
            if spec.is_const:
                scope.names["iota"] = cell = self.new_cell()
                state.cells[cell] = (Const(spec.iota),)
            results = self._spec_values(spec, scope, state)
        finally:
            self.frame = saved
        for key, value in state.cells.items():
            self._keep(key, value)
        index = next(i for i, n in enumerate(spec.names) if n.name == name)
        return results[index] if index < len(results) else (Unknown(f"variable {name}"),)

    def _assigned_value(self, assigned: tuple[Declaration, s.Assign], cell: Cell, before: Value) -> Value:
        """What an assignment outside the declaration gives to a package-level variable."""
        declared, statement = assigned
        name = cell[2]
        assert isinstance(declared.node, s.FuncDecl)
        seen: list[Value] = []
        inner = self.apart(Limits(steps=8_000))
        inner._globals_in_progress = self._globals_in_progress
        inner.models = self.models
        inner._cells = self._cells
        target = cell
        inner.heap[cell] = before

        def hear(lhs: s.Expr, value: Value) -> None:
            if lhs in statement.lhs and isinstance(lhs, s.Ident | s.Selector):
                last = lhs.name if isinstance(lhs, s.Ident) else lhs.sel
                if last == name:
                    seen.append(value)

        inner.on_assign = hear
        state = inner.run(Func(declared.node, declared.file, declared.package))
        if state is not None:
            for cell, value in state.cells.items():
                self._keep(cell, value)
        for key, value in inner.heap.items():
            if key != target:
                self._keep(key, value)
        out: Value = ()
        for value in seen:
            out = union(out, value)
        return out or (Unknown(f"variable {name} is assigned in {declared.file.path}"),)

    def member_of_package(self, path: str, name: str, state: State, site: Site) -> Value:
        """`pkg.Name`: a declaration of this repository, or something from elsewhere."""
        from zuno_audit.facts.go import library

        package = self.program.package(path)
        if package is None:
            known = library.CONSTANTS.get((path, name))
            if known is not None:
                value, type_path, type_name = known
                type_ = self.types.extern(type_path, type_name) if type_path else None
                return (Const(value, type_, site),)
            if library.is_type(path, name):
                return (TypeValue(self.types.extern(path, name), site),)
            return (Extern(path, name, site=site),)
        declared = package.declaration(name)
        if declared is None:
            return (Unknown(f"{name} is not declared in {path}", site, broken=self._is_broken(package)),)
        return self.declared(declared, name, state, site)


def _in_init(declared: Declaration, statement: s.Assign) -> bool:
    """True for a statement of `init` that always runs, before anything else can read the variable."""
    node = declared.node
    if not isinstance(node, s.FuncDecl) or node.name != "init" or node.receiver is not None:
        return False
    return any(stmt is statement for stmt in node.body.stmts)


def _empty_function(node: s.Node) -> s.FuncDecl:
    return s.FuncDecl(node.start, node.end, "", None, [], [], [], None)
