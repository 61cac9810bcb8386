"""What a function may change beyond its own variables, decided from its text alone.

The evaluator postpones calls that change nothing. "May change" is safe to say too often: it only costs time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.types import Type
from zuno_audit.languages.go import syntax as s
from zuno_audit.source.classify import FileKind, kind_by_path

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Declaration, Package, Program
    from zuno_audit.facts.go.types import Types
    from zuno_audit.languages.go.parse import GoFile

_NOT_OURS = frozenset({FileKind.VENDORED, FileKind.TEST})
_ENDS = re.compile(r"Fatal|Panic|Exit|Goexit")  # of a process, a goroutine or a path
_CHANGING_METHODS = frozenset(
    [
        "Add",
        "And",
        "Broadcast",
        "CompareAndDelete",
        "CompareAndSwap",
        "Decode",
        "Delete",
        "Do",
        "LoadAndDelete",
        "LoadOrStore",
        "Or",
        "Parse",
        "Push",
        "Put",
        "Register",
        "Reset",
        "Scan",
        "Set",
        "Signal",
        "Store",
        "Swap",
        "Unmarshal",
        "Write",
    ]
)


class Effects:
    """Answers per function, remembered."""

    def __init__(self, program: Program, types: Types) -> None:
        self.program, self.types = program, types
        self._writes: dict[int, bool] = {}
        self._captured: dict[int, bool] = {}
        self._literals: dict[int, bool] = {}
        self._interface_writes: dict[tuple[int, str], bool] = {}
        self.scalar: dict[int, bool] = {}  # by function node: makes numbers and texts of such
        self._read_into: dict[tuple[str, str], bool] = {}
        self._parts_set: dict[tuple[str, str], frozenset[str]] = {}
        self._imported_by: dict[str, list[str]] = {}
        self._assignments: dict[tuple[str, str], list[tuple[Declaration, s.Assign]]] = {}

    def writes(self, node: s.FuncDecl | s.FuncLit, file: GoFile, package: Package) -> bool:
        """True when a call may change memory that its caller can see."""
        known = self._writes.get(id(node))
        if known is None:
            self._writes[id(node)] = False  # recursion adds nothing of its own
            known = self._writes[id(node)] = _Scan(self, node, file, package).writes()
        return known

    def has_literals(self, node: s.Node) -> bool:
        """True when there is a function literal or an address inside a statement."""
        known = self._literals.get(id(node))
        if known is None:
            known = self._literals[id(node)] = any(
                isinstance(x, s.FuncLit) or (isinstance(x, s.Unary) and x.op == "&") for x in s.walk(node)
            )
        return known

    def implementation_writes(self, interface: Type, method: str) -> bool:
        """True when a method of an interface may change what its receiver holds."""
        key = (id(interface), method)
        known = self._interface_writes.get(key)
        if known is None:
            self._interface_writes[key] = False
            found = self.types.implementations(interface, method) or self.types.methods_named(method)
            known = len(found) > 4 or any(
                isinstance(d.node, s.FuncDecl) and self.writes(d.node, d.file, d.package) for d in found
            )
            self._interface_writes[key] = known
        return known

    def assigns_captured(self, node: s.FuncLit) -> bool:
        """True when a function literal assigns to variables of the functions around it."""
        known = self._captured.get(id(node))
        if known is None:
            local = local_names(node)
            known = self._captured[id(node)] = any(
                root is None or root not in local for root in _assigned_roots(node)
            )
        return known

    def assignments_to_global(self, package: Package, name: str) -> list[tuple[Declaration, s.Assign]]:
        """Assignments to a package-level variable outside its declaration."""
        key = (package.path, name)
        if key not in self._assignments:
            self._assignments[key] = list(self._find_assignments(package, name))
        return self._assignments[key]

    def _find_assignments(self, package: Package, name: str) -> list[tuple[Declaration, s.Assign]]:
        from zuno_audit.facts.go.program import Declaration

        found: list[tuple[Declaration, s.Assign]] = []
        pattern = re.compile(rb"\b" + name.encode() + rb"\s*(?:,[^=\n]*|<<|>>|&\^|[-+*/%&|^])?=[^=]")
        for owner, file, alias, function in self._naming(package, name, pattern):
            for node in s.nodes_of(function):
                if isinstance(node, s.Assign) and node.op != ":=":
                    if any(self._is_global(x, name, alias, owner is package, function) for x in node.lhs):
                        found.append((Declaration(owner, file, function), node))
        return found

    def _naming(
        self, package: Package, name: str, pattern: re.Pattern[bytes]
    ) -> Iterator[tuple[Package, GoFile, str | None, s.FuncDecl]]:
        """The functions that may name a package-level variable, in files with a pattern, with the package and the
        file that they are in and what that calls the variable's package.
        """
        for path in self._candidates(package, name):
            data = self.program.repository.read(path)
            file = self.program.file(path) if data is not None and pattern.search(data) else None
            owner = self.program.package_of(path)
            if file is None or owner is None:
                continue
            alias = next((a for a, p in self.program.imported(file).items() if p == package.path), None)
            for function in file.functions_with(name.encode()):
                yield owner, file, alias, function

    def is_read_into(self, package: Package, name: str) -> bool:
        """True when a library gets the address of a package-level variable to put something there."""
        key = (package.path, name)
        if key not in self._read_into:
            self._read_into[key] = self._find_reads(package, name)
        return self._read_into[key]

    def _find_reads(self, package: Package, name: str) -> bool:
        pattern = re.compile(rb"&\s*(?:\w+\.)?" + name.encode() + rb"\b")
        for owner, _, alias, function in self._naming(package, name, pattern):
            for call in s.nodes_of(function):
                if isinstance(call, s.Call) and _changes(called_name(call)):
                    pointed = [a.x for a in call.args if isinstance(a, s.Unary) and a.op == "&"]
                    if any(self._is_global(x, name, alias, owner is package, function) for x in pointed):
                        return True
        return False

    def parts_set(self, package: Package, name: str) -> frozenset[str]:
        """The fields of a package-level variable that are assigned somewhere; `[]` stands for elements."""
        key = (package.path, name)
        if key not in self._parts_set:
            self._parts_set[key] = frozenset(self._find_parts(package, name))
        return self._parts_set[key]

    def _find_parts(self, package: Package, name: str) -> Iterator[str]:
        pattern = re.compile(rb"\b" + name.encode() + rb"\s*[.\[][^=\n]*(?:[^=!<>:]=[^=]|\+\+|--)")
        for owner, _, alias, function in self._naming(package, name, pattern):
            for node in s.nodes_of(function):
                if isinstance(node, s.Assign | s.IncDec):
                    targets = node.lhs if isinstance(node, s.Assign) else [node.x]
                    for target in targets:
                        part = self._part_of(target, name, alias, owner is package, function)
                        if part:
                            yield part

    def _part_of(
        self, target: s.Expr, name: str, alias: str | None, inside: bool, function: s.FuncDecl
    ) -> str:
        """The first step from a package-level variable to what is assigned, or the empty string."""
        part = ""
        while isinstance(target, s.Selector | s.Index | s.Star):
            if self._is_global(target, name, alias, inside, function):
                return part
            if isinstance(target, s.Selector):
                part = target.sel
            elif isinstance(target, s.Index):
                part = "[]"
            target = target.x
        return part if self._is_global(target, name, alias, inside, function) else ""

    def _candidates(self, package: Package, name: str) -> list[str]:
        """The files that can see a package-level variable; those of vendored packages only those beside it."""
        if not name[:1].isupper():
            return list(package.files)
        literal = b"." + name.encode()
        read = self.program.repository.read
        return [*package.files, *(p for p in self._importers(package) if literal in (read(p) or b""))]

    def _importers(self, package: Package) -> list[str]:
        known = self._imported_by.get(package.path)
        if known is None:
            vendored = kind_by_path(package.folder + "/x.go") is FileKind.VENDORED
            found = self.program.sources_with(b'"' + package.path.encode() + b'"')
            known = [
                path
                for path in found
                if path not in package.files and not (vendored and kind_by_path(path) in _NOT_OURS)
            ]
            self._imported_by[package.path] = known
        return known

    @staticmethod
    def _is_global(lhs: s.Expr, name: str, alias: str | None, inside: bool, function: s.FuncDecl) -> bool:
        if isinstance(lhs, s.Ident):
            return inside and lhs.name == name and name not in local_names(function)
        if isinstance(lhs, s.Selector) and isinstance(lhs.x, s.Ident):
            return lhs.sel == name and lhs.x.name == alias
        return False


def local_names(node: s.FuncDecl | s.FuncLit) -> set[str]:
    """All names that a function declares anywhere inside it."""
    names = {p.name for p in [*node.params, *node.results] if p.name}
    if isinstance(node, s.FuncDecl) and node.receiver is not None and node.receiver.name:
        names.add(node.receiver.name)
    for inner in s.nodes_of(node):
        if isinstance(inner, s.Assign) and inner.op == ":=":
            names.update(x.name for x in inner.lhs if isinstance(x, s.Ident))
        elif isinstance(inner, s.ValueSpec):
            names.update(n.name for n in inner.names)
        elif isinstance(inner, s.Range) and inner.define:
            names.update(x.name for x in (inner.key, inner.value) if isinstance(x, s.Ident))
        elif isinstance(inner, s.TypeSwitch) and inner.name:
            names.add(inner.name)
        elif isinstance(inner, s.FuncLit):
            names.update(p.name for p in [*inner.params, *inner.results] if p.name)
    return names


def root_name(expr: s.Expr) -> str | None:
    """The variable at the bottom of `x.f[i].g`, or None for calls and literals."""
    while True:
        match expr:
            case s.Ident(name=name):
                return name
            case s.Selector(x=x) | s.Index(x=x) | s.Star(x=x) | s.SliceExpr(x=x) | s.TypeAssert(x=x):
                expr = x
            case s.Unary(op="&", x=x):
                expr = x
            case _:
                return None


def _assigned_roots(node: s.FuncDecl | s.FuncLit) -> list[str | None]:
    roots: list[str | None] = []
    for inner in s.nodes_of(node):
        if isinstance(inner, s.Assign) and inner.op != ":=":
            roots.extend(root_name(x) for x in inner.lhs)
        elif isinstance(inner, s.IncDec):
            roots.append(root_name(inner.x))
    return roots


class _Scan:
    """One pass over one function."""

    def __init__(
        self, effects: Effects, node: s.FuncDecl | s.FuncLit, file: GoFile, package: Package
    ) -> None:
        self.effects, self.node, self.file, self.package = effects, node, file, package
        self.types = effects.types
        self.locals = local_names(node)
        self.fresh = _fresh_names(node)
        self.params: dict[str, Type | None] = {}
        self.local_types: dict[str, Type | None] = {}
        params = list(node.params)
        if isinstance(node, s.FuncDecl) and node.receiver is not None:
            params.append(node.receiver)
        for param in params:
            if param.name:
                self.params[param.name] = self.types.resolve(param.type, file, package)

    def writes(self) -> bool:
        if isinstance(self.node, s.FuncDecl) and not self.node.has_body:
            return False
        return any(self._changes(inner) for inner in s.nodes_of(self.node))

    def _changes(self, inner: s.Node) -> bool:
        if isinstance(inner, s.Assign) and inner.op != ":=":
            return any(self._is_outside(x) for x in inner.lhs)
        if isinstance(inner, s.IncDec):
            return self._is_outside(inner.x)
        if isinstance(inner, s.Call):
            return self._call_changes(inner)
        return False

    def _is_outside(self, lhs: s.Expr) -> bool:
        if isinstance(lhs, s.Ident):
            return lhs.name != "_" and lhs.name not in self.locals
        root = root_name(lhs)
        return root is None or root not in self.fresh

    def _call_changes(self, call: s.Call) -> bool:
        fun = call.fun.x if isinstance(call.fun, s.Index) else call.fun
        if isinstance(fun, s.Ident):
            return self._named_call_changes(fun.name, call)
        if isinstance(fun, s.Selector):
            alias = fun.x.name if isinstance(fun.x, s.Ident) and fun.x.name not in self.locals else None
            path = self.effects.program.imported(self.file).get(alias) if alias else None
            if path is not None:
                return self._package_call_changes(path, fun.sel, call)
            return self._method_changes(fun, call) or (fun.sel == "Do" and self._runs_a_writer(call))
        return not isinstance(
            fun, s.FuncLit | s.ArrayType | s.MapType | s.FuncType | s.Star | s.InterfaceType
        )

    def _runs_a_writer(self, call: s.Call) -> bool:
        """True for `once.Do(f)` where the function by that name changes something."""
        named = [a.name for a in call.args if isinstance(a, s.Ident) and a.name not in self.locals]
        return any(self._named_call_changes(name, call) for name in named if name != "nil")

    def _named_call_changes(self, name: str, call: s.Call) -> bool:
        if name in self.locals:
            return True  # a function value: a closure may change anything
        declared = self.package.declaration(name)
        if declared is not None:
            if isinstance(declared.node, s.FuncDecl):
                return self.effects.writes(declared.node, declared.file, declared.package)
            return isinstance(declared.node, s.ValueSpec)
        if name == "panic":
            return True
        if name in ("copy", "delete", "clear", "close"):
            return bool(call.args) and root_name(call.args[0]) not in self.fresh
        return False

    def _package_call_changes(self, path: str, name: str, call: s.Call) -> bool:
        package = self.effects.program.package(path)
        if package is not None:
            declared = package.declaration(name)
            if declared is not None and isinstance(declared.node, s.FuncDecl):
                return self.effects.writes(declared.node, declared.file, declared.package)
            return declared is None or isinstance(declared.node, s.ValueSpec)
        return (
            _ENDS.match(name) is not None
            or any(
                isinstance(a, s.Unary) and a.op == "&" and root_name(a) not in self.fresh for a in call.args
            )
            or (
                (_changes(name) or (name == "Copy" and path.endswith("maps")))
                and any(root_name(a) in self.params for a in call.args)
            )
        )

    def _method_changes(self, fun: s.Selector, call: s.Call) -> bool:
        if _ENDS.match(fun.sel) is not None:
            return True
        type_ = self._static_type(fun.x)
        if type_ is None:
            root = root_name(fun.x)
            if root is not None and root in self.params:
                return True
            return _changes(fun.sel) and self._hands_out(call)
        base = type_.elem if type_.kind == "pointer" and type_.elem else type_
        if base.kind == "extern":
            if base.path in ("sync/atomic", "sync"):
                return fun.sel in _CHANGING_METHODS
            return _changes(fun.sel) and self._hands_out(call)
        found = self.types.find_method(type_, fun.sel)
        if found is None:
            return self.types.find_field(type_, fun.sel) is not None  # a function in a field
        target = found[1]
        if not isinstance(target, Type):
            node = target.node
            return isinstance(node, s.FuncDecl) and self.effects.writes(node, target.file, target.package)
        if target.kind == "extern":
            return False
        if any(root_name(a) in self.params for a in call.args):
            return True
        return self.effects.implementation_writes(target, fun.sel)

    def _hands_out(self, call: s.Call) -> bool:
        """True when an argument gives access to memory of the caller."""
        for arg in call.args:
            root = root_name(arg)
            if root in self.params or (isinstance(arg, s.Unary) and arg.op == "&" and root not in self.fresh):
                return True
        return False

    def _static_type(self, expr: s.Expr) -> Type | None:
        match expr:
            case s.Ident(name=name):
                return self.params.get(name) or self._local_type(name)
            case s.Call(fun=s.Ident() | s.Selector() as fun):
                return self._result_type(fun)
            case s.Unary(op="&", x=x):
                inner = self._static_type(x)
                return self.types.pointer(inner) if inner is not None else None
            case s.CompositeLit(type=type_):
                return self.types.resolve(type_, self.file, self.package)
            case s.Selector(x=x, sel=sel):
                owner = self._static_type(x)
                return self.types.field_type(owner, sel) if owner is not None else None
            case s.Star(x=x):
                owner = self._static_type(x)
                return owner.elem if owner is not None and owner.kind == "pointer" else None
        return None

    def _local_type(self, name: str) -> Type | None:
        """The type of a local variable, from the first thing that is put into it."""
        if name not in self.local_types:
            self.local_types[name] = None  # for variables that are defined by themselves
            self.local_types[name] = self._first_type(name)
        return self.local_types[name]

    def _first_type(self, name: str) -> Type | None:
        if name not in self.locals:
            return None
        for node in s.nodes_of(self.node):
            if isinstance(node, s.Assign) and node.op == ":=":
                for i, target in enumerate(node.lhs):
                    if isinstance(target, s.Ident) and target.name == name:
                        if len(node.lhs) == len(node.rhs):
                            return self._static_type(node.rhs[i])
                        call = node.rhs[0]
                        return self._result_type(call.fun, i) if isinstance(call, s.Call) else None
            elif isinstance(node, s.ValueSpec) and any(n.name == name for n in node.names):
                if node.type is not None:
                    return self.types.resolve(node.type, self.file, self.package)
                return self._static_type(node.values[0]) if len(node.values) == 1 else None
        return None

    def _result_type(self, fun: s.Expr, index: int = 0) -> Type | None:
        """The type of a result of a function or method of the repository."""
        declared = None
        if isinstance(fun, s.Ident) and fun.name not in self.locals:
            declared = self.package.declaration(fun.name)
        elif isinstance(fun, s.Selector):
            alias = fun.x.name if isinstance(fun.x, s.Ident) and fun.x.name not in self.locals else None
            path = self.effects.program.imported(self.file).get(alias) if alias else None
            other = self.effects.program.package(path) if path is not None else None
            if other is not None:
                declared = other.declaration(fun.sel)
            elif path is None:
                owner = self._static_type(fun.x)
                found = self.types.find_method(owner, fun.sel) if owner is not None else None
                declared = found[1] if found is not None and not isinstance(found[1], Type) else None
        node = declared.node if declared is not None else None
        if declared is None or not isinstance(node, s.FuncDecl) or index >= len(node.results):
            return None
        return self.types.resolve(node.results[index].type, declared.file, declared.package)


def _changes(name: str) -> bool:
    from zuno_audit.facts.go import library

    return name in _CHANGING_METHODS or library.writes_arguments(name)


def _fresh_names(node: s.FuncDecl | s.FuncLit) -> set[str]:
    """Variables that hold nothing but objects made inside the function."""
    fresh: set[str] = set()
    stale: set[str] = set()
    for inner in s.nodes_of(node):
        if isinstance(inner, s.Assign) and len(inner.lhs) == len(inner.rhs):
            for lhs, rhs in zip(inner.lhs, inner.rhs, strict=True):
                if isinstance(lhs, s.Ident):
                    (fresh if _is_fresh(rhs, lhs.name) else stale).add(lhs.name)
        elif isinstance(inner, s.Assign):
            stale.update(x.name for x in inner.lhs if isinstance(x, s.Ident))
        elif isinstance(inner, s.ValueSpec):
            simple = not inner.values or all(_is_fresh(v, "") for v in inner.values)
            pointer = isinstance(inner.type, s.Star)
            (fresh if simple and not pointer else stale).update(n.name for n in inner.names)
    return fresh - stale


def _is_fresh(rhs: s.Expr, name: str) -> bool:
    if isinstance(rhs, s.Unary) and rhs.op == "&":
        rhs = rhs.x
    if isinstance(rhs, s.CompositeLit | s.BasicLit):
        return True
    if isinstance(rhs, s.Call) and isinstance(rhs.fun, s.Ident):
        if rhs.fun.name in ("make", "new"):
            return True
        return rhs.fun.name == "append" and bool(rhs.args) and root_name(rhs.args[0]) == name
    return False
