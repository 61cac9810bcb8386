"""Static types of Go, as little as the evaluator needs: names, fields, methods, embedding, zero values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go.field_writes import FieldWrites
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluation.records import Scope
    from zuno_audit.facts.go.program import Declaration, Package, Program
    from zuno_audit.languages.go.parse import GoFile

BASIC = {
    "bool": False,
    "string": "",
    "int": 0,
    "int8": 0,
    "int16": 0,
    "int32": 0,
    "int64": 0,
    "uint": 0,
    "uint8": 0,
    "uint16": 0,
    "uint32": 0,
    "uint64": 0,
    "uintptr": 0,
    "byte": 0,
    "rune": 0,
    "float32": 0.0,
    "float64": 0.0,
    "complex64": 0.0,
    "complex128": 0.0,
}
# Slice types from elsewhere that questions look into, with the names of their element types.
EXTERN_SLICES = {("github.com/ethereum/go-ethereum/accounts/abi", "Arguments"): "Argument"}
MAX_IMPLEMENTATIONS = 4  # of an interface; beyond that a method of it is not followed
# Methods that more types have than are followed.
_EVERYWHERE = frozenset({"Close", "Error", "Read", "String", "Write"})
_METHOD = re.compile(
    rb"\nfunc[ \t]*\([ \t]*(?:\w+[ \t]+)?\*?[ \t]*(\w+)[ \t]*(?:\[[^\]\n]*\])?[ \t]*\)[ \t]*(\w+)\("
)
INTERFACES = frozenset(["error", "any", "comparable"])


class Type:
    """A type. `kind` is named, extern, basic, pointer, slice, array, map, chan, func, struct or interface.

    named: `package` and `name` (declared in the repository). extern: `path` and `name`. pointer, slice, array,
    chan: `elem`. map: `key` and `elem`. func, struct, interface: `node` with the names of `file`.
    Types are interned, so equal types are the same object.
    """

    __slots__ = ("elem", "file", "key", "kind", "name", "node", "package", "path", "size", "underlying_")

    def __init__(
        self,
        kind: str,
        *,
        name: str = "",
        path: str = "",
        package: Package | None = None,
        elem: Type | None = None,
        key: Type | None = None,
        node: s.Expr | None = None,
        file: GoFile | None = None,
        size: int | None = None,
    ) -> None:
        self.kind, self.name, self.path, self.package = kind, name, path, package
        self.elem, self.key, self.node, self.file, self.size = elem, key, node, file, size
        self.underlying_: Type | None = None

    def __repr__(self) -> str:
        match self.kind:
            case "named":
                return f"{self.package.name if self.package else ''}.{self.name}"
            case "extern":
                return f"{self.path}.{self.name}"
            case "basic":
                return self.name
            case "pointer":
                return f"*{self.elem}"
            case "slice" | "array":
                return f"[]{self.elem}"
            case "map":
                return f"map[{self.key}]{self.elem}"
        return self.kind


class Types:
    """Resolves type expressions and looks up fields and methods in one program."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.field_writes = FieldWrites(self)
        self._interned: dict[object, Type] = {}
        self._implementations: dict[tuple[int, str], list[Declaration]] = {}
        self._methods_named: dict[str, list[Declaration]] = {}
        self._owners_in: dict[str, dict[str, list[str]]] = {}  # by file and method
        self._resolved: dict[int, tuple[s.Expr, Type | None]] = {}
        self._is_local = False  # the last resolution used a type declared inside a function
        self._found_fields: dict[tuple[Type, str], tuple[tuple[str, ...], Type | None] | None] = {}
        self._found_methods: dict[tuple[Type, str], tuple[tuple[str, ...], Declaration | Type] | None] = {}

    def _intern(self, identity: object, kind: str, **slots: Any) -> Type:
        found = self._interned.get(identity)
        if found is None:
            found = self._interned[identity] = Type(kind, **slots)
        return found

    def pointer(self, elem: Type) -> Type:
        """`*elem`."""
        return self._intern(("*", id(elem)), "pointer", elem=elem)

    def slice(self, elem: Type) -> Type:
        """`[]elem`."""
        return self._intern(("[]", id(elem)), "slice", elem=elem)

    def map(self, key: Type, elem: Type) -> Type:
        """`map[key]elem`."""
        return self._intern(("map", id(key), id(elem)), "map", key=key, elem=elem)

    def basic(self, name: str) -> Type:
        """A predeclared type."""
        return self._intern(("basic", name), "interface" if name in INTERFACES else "basic", name=name)

    def named(self, package: Package, name: str) -> Type:
        """A type declared in the repository."""
        return self._intern(("named", package.path, name), "named", package=package, name=name)

    def extern(self, path: str, name: str) -> Type:
        """A type declared elsewhere."""
        return self._intern(("extern", path, name), "extern", path=path, name=name)

    def resolve(
        self, expr: s.Expr | None, file: GoFile, package: Package, local: Scope | None = None
    ) -> Type | None:
        """The type that an expression denotes, or None when it is not known (a type parameter, say).

        `local` maps names of types declared inside functions to types.
        """
        known = self._resolved.get(id(expr))
        if known is not None and known[0] is expr:
            return known[1]
        self._is_local = False
        found = self._resolve(expr, file, package, local)
        if not self._is_local and expr is not None:
            self._resolved[id(expr)] = (expr, found)
        return found

    def _resolve(
        self, expr: s.Expr | None, file: GoFile, package: Package, local: Scope | None
    ) -> Type | None:
        match expr:
            case s.Ident(name=name):
                return self._resolve_name(name, file, package, local)
            case s.Star(x=x):
                elem = self._resolve(x, file, package, local)
                return None if elem is None else self.pointer(elem)
            case s.Selector(x=s.Ident(name=alias), sel=sel):
                path = self.program.imported(file).get(alias)
                return None if path is None else self._in_package(path, sel)
            case s.Index(x=x):
                return self._resolve(x, file, package, local)
            case s.ArrayType(elem=e, length=length):
                elem = self._resolve(e, file, package, local)
                if elem is None:
                    return None
                if length is None:
                    return self.slice(elem)
                size = _array_length(length, package, 0)
                return self._intern(("[n]", id(elem), size), "array", elem=elem, size=size)
            case s.MapType(key=k, value=v):
                key, elem = self._resolve(k, file, package, local), self._resolve(v, file, package, local)
                return self._intern(("map", id(key), id(elem)), "map", key=key, elem=elem)
            case s.ChanType(elem=e):
                elem = self._resolve(e, file, package, local)
                return self._intern(("chan", id(elem)), "chan", elem=elem)
            case s.FuncType():
                return self._intern((file.path, expr.start), "func", node=expr, file=file, package=package)
            case s.StructType():
                return self._intern((file.path, expr.start), "struct", node=expr, file=file, package=package)
            case s.InterfaceType():
                return self._intern(
                    (file.path, expr.start), "interface", node=expr, file=file, package=package
                )
        return None

    def _resolve_name(self, name: str, file: GoFile, package: Package, local: Scope | None) -> Type | None:
        if local is not None:
            found = local.type_named(name)
            if found is not None:
                self._is_local = True
                return found
        declared = package.declaration(name)
        if declared is not None and isinstance(declared.node, s.TypeSpec):
            return self._declared(declared)
        if name in BASIC or name in INTERFACES:
            return self.basic(name)
        for spec in file.imports:
            if spec.name == ".":
                found_in = self._in_package(spec.path, name)
                if found_in is not None and found_in.kind == "named":
                    return found_in
        return None

    def _declared(self, declared: Declaration) -> Type | None:
        node = declared.node
        assert isinstance(node, s.TypeSpec)
        if node.alias:
            return self.resolve(node.type, declared.file, declared.package)
        return self.named(declared.package, node.name)

    def _in_package(self, path: str, name: str) -> Type | None:
        package = self.program.package(path)
        if package is None:
            return self.extern(path, name)
        declared = package.declaration(name)
        if declared is None or not isinstance(declared.node, s.TypeSpec):
            return None
        return self._declared(declared)

    def underlying(self, type_: Type) -> Type | None:
        """The underlying type; of types from elsewhere only that of `EXTERN_SLICES` is known."""
        if type_.kind == "extern":
            elem = EXTERN_SLICES.get((type_.path, type_.name))
            return None if elem is None else self.slice(self.extern(type_.path, elem))
        if type_.kind != "named":
            return type_
        if type_.underlying_ is None:
            assert type_.package is not None
            declared = type_.package.declaration(type_.name)
            if declared is None or not isinstance(declared.node, s.TypeSpec):
                return None
            resolved = self.resolve(declared.node.type, declared.file, declared.package)
            for _ in range(8):
                if resolved is None or resolved.kind != "named" or resolved is type_:
                    break
                resolved = self.underlying(resolved)
            type_.underlying_ = resolved
        return type_.underlying_

    def fields(self, type_: Type) -> list[s.Field]:
        """The fields of a struct type (through names and pointers), embedded ones included."""
        under = self.underlying(type_.elem if type_.kind == "pointer" and type_.elem else type_)
        if under is None or not isinstance(under.node, s.StructType):
            return []
        return under.node.fields

    def field_type(self, type_: Type, name: str) -> Type | None:
        """The type of a field, promoted ones included."""
        found = self.find_field(type_, name)
        return None if found is None else found[1]

    def find_field(self, type_: Type, name: str) -> tuple[tuple[str, ...], Type | None] | None:
        """The path of embedded fields that leads to a field, and its type. Breadth first, as Go selects."""
        key = (type_, name)
        if key not in self._found_fields:
            self._found_fields[key] = self._search_field(type_, name)
        return self._found_fields[key]

    def _search_field(self, type_: Type, name: str) -> tuple[tuple[str, ...], Type | None] | None:
        level: list[tuple[tuple[str, ...], Type]] = [((), type_)]
        for _ in range(5):
            below: list[tuple[tuple[str, ...], Type]] = []
            for path, owner in level:
                base = owner.elem if owner.kind == "pointer" and owner.elem else owner
                under = self.underlying(base)
                if under is None or not isinstance(under.node, s.StructType):
                    continue
                assert under.file is not None and under.package is not None
                for field in under.node.fields:
                    resolved = self.resolve(field.type, under.file, under.package)
                    if field.name == name:
                        return path, resolved
                    if field.embedded and resolved is not None:
                        below.append(((*path, field.name), resolved))
            level = below
        return None

    def find_method(self, type_: Type, name: str) -> tuple[tuple[str, ...], Declaration | Type] | None:
        """The method `x.name` of a value of this type.

        The first part is the path of embedded fields to the receiver; the second the declaration, or the type
        from elsewhere (or interface) that has the method.
        """
        key = (type_, name)
        if key not in self._found_methods:
            self._found_methods[key] = self._search_method(type_, name)
        return self._found_methods[key]

    def _search_method(self, type_: Type, name: str) -> tuple[tuple[str, ...], Declaration | Type] | None:
        level: list[tuple[tuple[str, ...], Type]] = [((), type_)]
        for _ in range(5):
            below: list[tuple[tuple[str, ...], Type]] = []
            elsewhere: tuple[tuple[str, ...], Type] | None = None  # may have it, unless another here does
            for path, owner in level:
                base = owner.elem if owner.kind == "pointer" and owner.elem else owner
                if base.kind == "named" and base.package is not None:
                    declared = base.package.method(base.name, name)
                    if declared is not None:
                        return path, declared
                elif base.kind == "extern" and path and name[:1].isupper():
                    elsewhere = elsewhere or (path, base)
                under = self.underlying(base)
                if under is None:
                    continue
                if isinstance(under.node, s.InterfaceType) and name in self.interface_methods(under):
                    return path, base
                if isinstance(under.node, s.StructType):
                    assert under.file is not None and under.package is not None
                    for field in under.node.fields:
                        if field.embedded:
                            resolved = self.resolve(field.type, under.file, under.package)
                            if resolved is not None:
                                below.append(((*path, field.name), resolved))
            if elsewhere is not None:
                return elsewhere
            level = below
        return None

    def text_method(self, type_: Type) -> str | None:
        """The method of a type of the repository that fmt asks for the text of a value: Error or String."""
        for name in ("Error", "String"):
            found = self.find_method(type_, name)
            if found is None or isinstance(found[1], Type):
                continue
            node = found[1].node
            if not isinstance(node, s.FuncDecl) or node.params:
                continue
            receiver = node.receiver
            if type_.kind == "pointer" or receiver is None or not isinstance(receiver.type, s.Star):
                return name
        return None

    def interface_methods(self, type_: Type) -> dict[str, s.FuncType]:
        """The methods of an interface of the repository, embedded interfaces included."""
        under = self.underlying(type_)
        if under is None or not isinstance(under.node, s.InterfaceType):
            return {}
        methods = dict(under.node.methods)
        assert under.file is not None and under.package is not None
        for embedded in under.node.embeds:
            resolved = self.resolve(embedded, under.file, under.package)
            if resolved is not None and resolved is not type_:
                methods.update(self.interface_methods(resolved))
        return methods

    def interface_method(self, type_: Type, name: str) -> tuple[s.FuncType, Type] | None:
        """A method of an interface of the repository, and the interface that declares it."""
        under = self.underlying(type_)
        if under is None or not isinstance(under.node, s.InterfaceType):
            return None
        if name in under.node.methods:
            return under.node.methods[name], under
        assert under.file is not None and under.package is not None
        for embedded in under.node.embeds:
            resolved = self.resolve(embedded, under.file, under.package)
            found = self.interface_method(resolved, name) if resolved not in (None, type_) else None
            if found is not None:
                return found
        return None

    def implementations(self, type_: Type, method: str) -> list[Declaration]:
        """The methods called `method` of all types of the repository that implement an interface."""
        key = (id(type_), method)
        if key not in self._implementations:
            self._implementations[key] = self._find_implementations(type_, method)
        return self._implementations[key]

    def _find_implementations(self, type_: Type, method: str) -> list[Declaration]:
        wanted = sorted(self.interface_methods(type_))
        found: list[Declaration] = []
        if _EVERYWHERE.issuperset(wanted):
            return found
        rarest = max(wanted, key=len)
        literal = b") " + rarest.encode() + b"("
        for path in self.program.sources_with(literal):
            package = self.program.package_of(path)
            if package is None or path not in package.files:
                continue
            for owner in self._owners(path, rarest):
                if all(self._declares(package, owner, m) for m in wanted):
                    declared = package.method(owner, method)
                    if declared is not None:
                        found.append(declared)
            if len(found) > MAX_IMPLEMENTATIONS:
                break
        return found

    def methods_named(self, method: str) -> list[Declaration]:
        """Methods of this name of any type of the repository: a few more than are followed, if there are many."""
        known = self._methods_named.get(method)
        if known is None:
            known = self._methods_named[method] = []
            literal = b") " + method.encode() + b"("
            for path in self.program.sources_with(literal):
                package = self.program.package_of(path)
                if package is None or path not in package.files or len(known) > MAX_IMPLEMENTATIONS:
                    continue
                for owner in self._owners(path, method):
                    declared = package.method(owner, method)
                    if declared is not None:
                        known.append(declared)
        return known

    def _declares(self, package: Package, owner: str, method: str) -> bool:
        """True when the text of a package has a method of a type; nothing is parsed for that."""
        literal = b") " + method.encode() + b"("
        for path in package.files:
            if literal in (self.program.repository.read(path) or b"") and owner in self._owners(path, method):
                return True
        return False

    def _owners(self, path: str, method: str) -> list[str]:
        """The types in a file's text that have a method of this name."""
        known = self._owners_in.get(path)
        if known is None:
            known = self._owners_in[path] = {}
            for owner, name in _METHOD.findall(self.program.repository.read(path) or b""):
                known.setdefault(name.decode(), []).append(owner.decode())
        return known.get(method, [])


def receiver_type_name(function: s.FuncDecl) -> str:
    """The name of the type that a method is declared on, or the empty string."""
    from zuno_audit.languages.go.lower import embedded_name

    return embedded_name(function.receiver.type) if function.receiver is not None else ""


def _array_length(expr: s.Expr, package: Package, depth: int) -> int | None:
    """The length of an array type: a number, or a constant of the package that is one."""
    if isinstance(expr, s.BasicLit):
        return expr.value if isinstance(expr.value, int) else None
    if isinstance(expr, s.Ident) and depth < 4:
        declared = package.declaration(expr.name)
        spec = declared.node if declared is not None else None
        if isinstance(spec, s.ValueSpec) and spec.is_const and len(spec.values) == len(spec.names):
            for name, value in zip(spec.names, spec.values, strict=True):
                if name.name == expr.name:
                    return _array_length(value, package, depth + 1)
    return None
