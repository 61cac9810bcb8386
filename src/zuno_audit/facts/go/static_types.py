"""The static type of an expression, from declarations alone: enough to tell whose method a call is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.types import Type
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.texts import Texts
    from zuno_audit.facts.go.types import Types

MAX_DEPTH = 6
# Variables of libraries, with the names of the types that they point to.
VARIABLES = {
    ("github.com/gorilla/websocket", "DefaultDialer"): "Dialer",
    ("github.com/fasthttp/websocket", "DefaultDialer"): "Dialer",
    ("net/http", "DefaultClient"): "Client",
}


def static_type(
    expr: s.Expr | None, root: Declaration, texts: Texts, types: Types, depth: int = 0
) -> Type | None:
    """The type of an expression inside a declaration, or None when it is not known."""
    if depth > MAX_DEPTH or expr is None:
        return None
    file, package = root.file, root.package
    match expr:
        case s.Unary(op="&", x=x):
            inner = static_type(x, root, texts, types, depth + 1)
            return types.pointer(inner) if inner is not None else None
        case s.Star(x=x):
            inner = static_type(x, root, texts, types, depth + 1)
            return inner.elem if inner is not None else None
        case s.CompositeLit(type=type_) if type_ is not None:
            return types.resolve(type_, file, package)
        case s.TypeAssert(type=type_):
            return types.resolve(type_, file, package)
        case s.Ident(name=name):
            return _named(name, expr, root, texts, types, depth)
        case s.Selector(x=x, sel=sel):
            path = texts.package_path(x, root)
            if path is not None:
                if texts.program.package(path) is None and (path, sel) in VARIABLES:
                    return types.pointer(types.extern(path, VARIABLES[path, sel]))
                return _declared(texts.declaration(expr, root), sel, texts, types, depth)
            owner = static_type(x, root, texts, types, depth + 1)
            return types.field_type(owner, sel) if owner is not None else None
        case s.Call():
            return _result(expr, 0, root, texts, types, depth)
    return None


def _named(
    name: str, expr: s.Ident, root: Declaration, texts: Texts, types: Types, depth: int
) -> Type | None:
    variable = texts.bindings(root).variable(name, expr.start)
    if variable is None:
        return _declared(root.package.declaration(name), name, texts, types, depth)
    if variable.type is not None:
        return types.resolve(variable.type, root.file, root.package)
    source = variable.sources[0]
    if source.kind == "value":
        return static_type(source.expr, root, texts, types, depth + 1)
    if source.kind == "result" and isinstance(source.expr, s.Call):
        return _result(source.expr, source.index, root, texts, types, depth)
    if source.kind == "range-value":
        owner = static_type(source.expr, root, texts, types, depth + 1)
        under = types.underlying(owner) if owner is not None else None
        return under.elem if under is not None else None
    return None


def _declared(declared: Declaration | None, name: str, texts: Texts, types: Types, depth: int) -> Type | None:
    if declared is None or not isinstance(declared.node, s.ValueSpec):
        return None
    if declared.node.type is not None:
        return types.resolve(declared.node.type, declared.file, declared.package)
    values = declared.node.values
    for position, target in enumerate(declared.node.names):
        if target.name == name and len(values) == len(declared.node.names):
            return static_type(values[position], declared, texts, types, depth + 1)
    return None


def _result(
    call: s.Call, index: int, root: Declaration, texts: Texts, types: Types, depth: int
) -> Type | None:
    """The type of a result of a call: of a builtin, a conversion, or a function of the repository."""
    fun = call.fun.x if isinstance(call.fun, s.Index) else call.fun
    if isinstance(fun, s.Ident) and fun.name == "new" and call.args:
        inner = types.resolve(call.args[0], root.file, root.package)
        return types.pointer(inner) if inner is not None else None
    callee = callee_of(call, root, texts, types, depth)
    if callee is None:
        if isinstance(fun, s.Ident) and (named := types.resolve(fun, root.file, root.package)) is not None:
            return named
        return _result_of_value(fun, index, root, texts, types, depth)
    node = callee.node
    if isinstance(node, s.FuncDecl) and index < len(node.results):
        return types.resolve(node.results[index].type, callee.file, callee.package)
    return None


def _result_of_value(
    fun: s.Expr, index: int, root: Declaration, texts: Texts, types: Types, depth: int
) -> Type | None:
    """The type of a result of a method of an interface of the repository, or of a function in a variable or field."""
    found: tuple[s.Expr | None, Type | None] = (None, None)
    if isinstance(fun, s.Selector) and texts.package_path(fun.x, root) is None:
        owner = static_type(fun.x, root, texts, types, depth + 1)
        method = types.find_method(owner, fun.sel) if owner is not None else None
        if method is not None and isinstance(method[1], Type):
            found = types.interface_method(method[1], fun.sel) or found
    if found[0] is None:
        held = static_type(fun, root, texts, types, depth + 1)
        under = types.underlying(held) if held is not None else None
        found = (under.node, under) if under is not None and under.kind == "func" else found
    function, inside = found
    if not isinstance(function, s.FuncType) or inside is None or index >= len(function.results):
        return None
    assert inside.file is not None and inside.package is not None
    return types.resolve(function.results[index].type, inside.file, inside.package)


def callee_of(
    call: s.Call, root: Declaration, texts: Texts, types: Types, depth: int = 0
) -> Declaration | None:
    """The function or method of the repository that a call calls, or None."""
    return called(call.fun, root, texts, types, depth)


def called(fun: s.Expr, root: Declaration, texts: Texts, types: Types, depth: int = 0) -> Declaration | None:
    """The function or method of the repository that an operand of a call means, or None."""
    fun = fun.x if isinstance(fun, s.Index) else fun
    found = texts.declaration(fun, root)
    if isinstance(fun, s.Selector) and found is None and texts.package_path(fun.x, root) is None:
        owner = static_type(fun.x, root, texts, types, depth + 1)
        method = types.find_method(owner, fun.sel) if owner is not None else None
        found = method[1] if method is not None and isinstance(method[1], Declaration) else None
    return found if found is not None and isinstance(found.node, s.FuncDecl) else None
