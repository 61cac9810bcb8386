"""Go source text as a small typed syntax tree.

The node classes follow `go/ast` of the Go standard library in names and meaning (reference: the Go language
specification and the documentation of package go/ast), so that a reader who knows Go's own tools finds
everything at once. `lower.py` makes them from tree-sitter nodes. No opinions live here.

Every node has `start` and `end`, byte offsets into its file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Node as TreeNode


class Node:
    """A piece of Go source between two byte offsets."""

    __slots__ = ("end", "start")
    start: int
    end: int


class Expr(Node):
    """An expression or a type expression."""

    __slots__ = ()


class Stmt(Node):
    """A statement."""

    __slots__ = ()


class BadNode(Expr, Stmt):
    """Syntax that could not be parsed. Whatever depends on it is unknown."""

    __slots__ = ()

    def __init__(self, start: int, end: int) -> None:
        self.start, self.end = start, end


# ---------------------------------------------------------------- expressions


class Ident(Expr):
    __slots__ = ("name",)

    def __init__(self, start: int, end: int, name: str) -> None:
        self.start, self.end, self.name = start, end, name


class BasicLit(Expr):
    """A literal. `value` is an int, float, complex or str; `kind` is INT, FLOAT, IMAG, CHAR or STRING."""

    __slots__ = ("kind", "value")

    def __init__(self, start: int, end: int, kind: str, value: Any) -> None:
        self.start, self.end, self.kind, self.value = start, end, kind, value


class CompositeLit(Expr):
    """`T{...}`. `elements` are pairs of key (or None) and value; `type` is None for elided element types."""

    __slots__ = ("elements", "type")

    def __init__(
        self, start: int, end: int, type_: Expr | None, elements: list[tuple[Expr | None, Expr]]
    ) -> None:
        self.start, self.end, self.type, self.elements = start, end, type_, elements


class FuncLit(Expr):
    __slots__ = ("_body", "_names", "_nodes", "params", "results")

    def __init__(self, start: int, end: int, params: list[Param], results: list[Param], body: Any) -> None:
        self.start, self.end, self.params, self.results, self._body = start, end, params, results, body
        self._nodes: list[Node] | None = None
        self._names: frozenset[str] | None = None

    @property
    def body(self) -> Block:
        return lowered_body(self)


class Selector(Expr):
    __slots__ = ("sel", "x")

    def __init__(self, start: int, end: int, x: Expr, sel: str) -> None:
        self.start, self.end, self.x, self.sel = start, end, x, sel


class Index(Expr):
    """`x[i]` or an instantiation `x[T1, T2]`."""

    __slots__ = ("indices", "x")

    def __init__(self, start: int, end: int, x: Expr, indices: list[Expr]) -> None:
        self.start, self.end, self.x, self.indices = start, end, x, indices


class SliceExpr(Expr):
    __slots__ = ("high", "low", "max", "x")

    def __init__(
        self, start: int, end: int, x: Expr, low: Expr | None, high: Expr | None, max_: Expr | None
    ) -> None:
        self.start, self.end, self.x, self.low, self.high, self.max = start, end, x, low, high, max_


class TypeAssert(Expr):
    """`x.(T)`; `type` is None in `x.(type)`."""

    __slots__ = ("type", "x")

    def __init__(self, start: int, end: int, x: Expr, type_: Expr | None) -> None:
        self.start, self.end, self.x, self.type = start, end, x, type_


class Call(Expr):
    """A call or conversion. `ellipsis` is true for `f(xs...)`."""

    __slots__ = ("args", "ellipsis", "fun")

    def __init__(self, start: int, end: int, fun: Expr, args: list[Expr], ellipsis: bool) -> None:
        self.start, self.end, self.fun, self.args, self.ellipsis = start, end, fun, args, ellipsis


class Star(Expr):
    """`*x`: a dereference or a pointer type."""

    __slots__ = ("x",)

    def __init__(self, start: int, end: int, x: Expr) -> None:
        self.start, self.end, self.x = start, end, x


class Unary(Expr):
    __slots__ = ("op", "x")

    def __init__(self, start: int, end: int, op: str, x: Expr) -> None:
        self.start, self.end, self.op, self.x = start, end, op, x


class Binary(Expr):
    __slots__ = ("op", "x", "y")

    def __init__(self, start: int, end: int, op: str, x: Expr, y: Expr) -> None:
        self.start, self.end, self.op, self.x, self.y = start, end, op, x, y


# ---------------------------------------------------------------- types


class Param(Node):
    """A parameter or result. `name` is None when it has none; `variadic` for `...T`."""

    __slots__ = ("name", "type", "variadic")

    def __init__(self, start: int, end: int, name: str | None, type_: Expr, variadic: bool) -> None:
        self.start, self.end, self.name, self.type, self.variadic = start, end, name, type_, variadic


class ArrayType(Expr):
    """`[]T` (length None) or `[n]T` (`[...]T` has an Ident "...")."""

    __slots__ = ("elem", "length")

    def __init__(self, start: int, end: int, elem: Expr, length: Expr | None) -> None:
        self.start, self.end, self.elem, self.length = start, end, elem, length


class MapType(Expr):
    __slots__ = ("key", "value")

    def __init__(self, start: int, end: int, key: Expr, value: Expr) -> None:
        self.start, self.end, self.key, self.value = start, end, key, value


class ChanType(Expr):
    __slots__ = ("elem",)

    def __init__(self, start: int, end: int, elem: Expr) -> None:
        self.start, self.end, self.elem = start, end, elem


class FuncType(Expr):
    __slots__ = ("params", "results")

    def __init__(self, start: int, end: int, params: list[Param], results: list[Param]) -> None:
        self.start, self.end, self.params, self.results = start, end, params, results


class Field(Node):
    """A struct field; `embedded` fields are named after their type. `tag` is the unquoted tag or empty."""

    __slots__ = ("embedded", "name", "tag", "type")

    def __init__(self, start: int, end: int, name: str, type_: Expr, tag: str, embedded: bool) -> None:
        self.start, self.end, self.name, self.type, self.tag, self.embedded = (
            start,
            end,
            name,
            type_,
            tag,
            embedded,
        )


class StructType(Expr):
    __slots__ = ("fields",)

    def __init__(self, start: int, end: int, fields: list[Field]) -> None:
        self.start, self.end, self.fields = start, end, fields


class InterfaceType(Expr):
    """`methods` maps names to their types; `embeds` lists embedded interfaces and unions."""

    __slots__ = ("embeds", "methods")

    def __init__(self, start: int, end: int, methods: dict[str, FuncType], embeds: list[Expr]) -> None:
        self.start, self.end, self.methods, self.embeds = start, end, methods, embeds


# ---------------------------------------------------------------- statements


class Block(Stmt):
    __slots__ = ("stmts",)

    def __init__(self, start: int, end: int, stmts: list[Stmt]) -> None:
        self.start, self.end, self.stmts = start, end, stmts


class ExprStmt(Stmt):
    __slots__ = ("x",)

    def __init__(self, start: int, end: int, x: Expr) -> None:
        self.start, self.end, self.x = start, end, x


class Send(Stmt):
    __slots__ = ("chan", "value")

    def __init__(self, start: int, end: int, chan: Expr, value: Expr) -> None:
        self.start, self.end, self.chan, self.value = start, end, chan, value


class Assign(Stmt):
    """`lhs op rhs` with op one of `=`, `:=`, `+=` and its kin."""

    __slots__ = ("lhs", "op", "rhs")

    def __init__(self, start: int, end: int, lhs: list[Expr], op: str, rhs: list[Expr]) -> None:
        self.start, self.end, self.lhs, self.op, self.rhs = start, end, lhs, op, rhs


class IncDec(Stmt):
    __slots__ = ("op", "x")

    def __init__(self, start: int, end: int, x: Expr, op: str) -> None:
        self.start, self.end, self.x, self.op = start, end, x, op


class ValueSpec(Stmt):
    """One line of a `var` or `const` declaration. `iota` counts the lines of a const group from 0."""

    __slots__ = ("iota", "is_const", "names", "type", "values")

    def __init__(
        self,
        start: int,
        end: int,
        names: list[Ident],
        type_: Expr | None,
        values: list[Expr],
        is_const: bool,
        iota: int,
    ) -> None:
        self.start, self.end, self.names, self.type, self.values = start, end, names, type_, values
        self.is_const, self.iota = is_const, iota


class TypeSpec(Stmt):
    """A type declaration; `params` are the names of its type parameters."""

    __slots__ = ("alias", "name", "params", "type")

    def __init__(self, start: int, end: int, name: str, params: list[str], type_: Expr, alias: bool) -> None:
        self.start, self.end, self.name, self.params, self.type, self.alias = (
            start,
            end,
            name,
            params,
            type_,
            alias,
        )


class DeclStmt(Stmt):
    """Declarations inside a function."""

    __slots__ = ("specs",)

    def __init__(self, start: int, end: int, specs: list[ValueSpec | TypeSpec]) -> None:
        self.start, self.end, self.specs = start, end, specs


class If(Stmt):
    __slots__ = ("body", "cond", "init", "orelse")

    def __init__(
        self, start: int, end: int, init: Stmt | None, cond: Expr, body: Block, orelse: Stmt | None
    ) -> None:
        self.start, self.end, self.init, self.cond, self.body, self.orelse = (
            start,
            end,
            init,
            cond,
            body,
            orelse,
        )


class For(Stmt):
    __slots__ = ("body", "cond", "init", "post")

    def __init__(
        self, start: int, end: int, init: Stmt | None, cond: Expr | None, post: Stmt | None, body: Block
    ) -> None:
        self.start, self.end, self.init, self.cond, self.post, self.body = start, end, init, cond, post, body


class Range(Stmt):
    __slots__ = ("body", "define", "key", "value", "x")

    def __init__(
        self,
        start: int,
        end: int,
        key: Expr | None,
        value: Expr | None,
        define: bool,
        x: Expr,
        body: Block,
    ) -> None:
        self.start, self.end, self.key, self.value, self.define, self.x, self.body = (
            start,
            end,
            key,
            value,
            define,
            x,
            body,
        )


class Clause(Node):
    """A case of a switch or select. `exprs` is None for `default`; `comm` is a select's communication."""

    __slots__ = ("body", "comm", "exprs")

    def __init__(
        self, start: int, end: int, exprs: list[Expr] | None, comm: Stmt | None, body: list[Stmt]
    ) -> None:
        self.start, self.end, self.exprs, self.comm, self.body = start, end, exprs, comm, body


class Switch(Stmt):
    __slots__ = ("clauses", "init", "tag")

    def __init__(
        self, start: int, end: int, init: Stmt | None, tag: Expr | None, clauses: list[Clause]
    ) -> None:
        self.start, self.end, self.init, self.tag, self.clauses = start, end, init, tag, clauses


class TypeSwitch(Stmt):
    """`switch name := x.(type)`; `name` is None without a binding."""

    __slots__ = ("clauses", "init", "name", "x")

    def __init__(
        self, start: int, end: int, init: Stmt | None, name: str | None, x: Expr, clauses: list[Clause]
    ) -> None:
        self.start, self.end, self.init, self.name, self.x, self.clauses = start, end, init, name, x, clauses


class Select(Stmt):
    __slots__ = ("clauses",)

    def __init__(self, start: int, end: int, clauses: list[Clause]) -> None:
        self.start, self.end, self.clauses = start, end, clauses


class Return(Stmt):
    __slots__ = ("values",)

    def __init__(self, start: int, end: int, values: list[Expr]) -> None:
        self.start, self.end, self.values = start, end, values


class Defer(Stmt):
    __slots__ = ("call",)

    def __init__(self, start: int, end: int, call: Expr) -> None:
        self.start, self.end, self.call = start, end, call


class Go(Stmt):
    __slots__ = ("call",)

    def __init__(self, start: int, end: int, call: Expr) -> None:
        self.start, self.end, self.call = start, end, call


class Labeled(Stmt):
    __slots__ = ("label", "stmt")

    def __init__(self, start: int, end: int, label: str, stmt: Stmt) -> None:
        self.start, self.end, self.label, self.stmt = start, end, label, stmt


class Branch(Stmt):
    """`break`, `continue`, `goto` or `fallthrough`."""

    __slots__ = ("keyword", "label")

    def __init__(self, start: int, end: int, keyword: str, label: str | None) -> None:
        self.start, self.end, self.keyword, self.label = start, end, keyword, label


# ---------------------------------------------------------------- declarations


class FuncDecl(Node):
    """A function or method. `receiver` is None for functions; `type_params` are names."""

    __slots__ = (
        "_body",
        "_names",
        "_nodes",
        "has_body",
        "name",
        "params",
        "receiver",
        "results",
        "type_params",
    )

    def __init__(
        self,
        start: int,
        end: int,
        name: str,
        receiver: Param | None,
        type_params: list[str],
        params: list[Param],
        results: list[Param],
        body: TreeNode | None,
    ) -> None:
        self.start, self.end, self.name, self.receiver = start, end, name, receiver
        self.type_params, self.params, self.results = type_params, params, results
        self._body: Any = body
        self._nodes: list[Node] | None = None
        self._names: frozenset[str] | None = None
        self.has_body = body is not None

    @property
    def body(self) -> Block:
        return lowered_body(self)

    def body_from(self, find: Callable[[], TreeNode | None]) -> None:
        """Sets what finds the concrete body when it is first asked for."""
        self._body = find


class ImportSpec(Node):
    """`name` is the alias, `.`, `_` or None."""

    __slots__ = ("name", "path")

    def __init__(self, start: int, end: int, name: str | None, path: str) -> None:
        self.start, self.end, self.name, self.path = start, end, name, path


def lowered_body(function: FuncDecl | FuncLit) -> Block:
    """The body of a function, lowered when it is first asked for (most functions never are)."""
    body = function._body
    if not isinstance(body, Block):
        from zuno_audit.languages.go.lower import lower_block

        body = body() if callable(body) else body
        body = Block(function.end, function.end, []) if body is None else lower_block(body)
        function._body = body
    return body


def nodes_of(function: FuncDecl | FuncLit) -> list[Node]:
    """Every node of a function's body, in the order of `walk`; made once."""
    if function._nodes is None:
        function._nodes = list(walk(function.body))
    return function._nodes


def names_in(function: FuncDecl | FuncLit) -> frozenset[str]:
    """Every identifier in a function's body."""
    if function._names is None:
        function._names = frozenset(node.name for node in nodes_of(function) if isinstance(node, Ident))
    return function._names


def walk(node: Any) -> Any:
    """Yields a node and every node below it, depth first, function bodies included."""
    stack = [node]
    while stack:
        current = stack.pop()
        kind = type(current)
        if kind is list or kind is tuple:
            stack.extend(reversed(current))
            continue
        if kind is dict:
            stack.extend(current.values())
            continue
        if current is None:  # the key of an element that has none
            continue
        yield current
        if kind is FuncDecl or kind is FuncLit:
            stack.append(current.body)
        names = _CHILDREN.get(kind)
        for name in _children(kind) if names is None else names:
            value = getattr(current, name)
            if value is not None:
                stack.append(value)


def children(node: Node) -> list[Node]:
    """The nodes directly below a node, function bodies included, in source order."""
    kind = type(node)
    found: list[Node] = [node.body] if isinstance(node, FuncDecl | FuncLit) else []
    names = _CHILDREN.get(kind)
    stack: list[Any] = [getattr(node, name) for name in (_children(kind) if names is None else names)]
    while stack:
        current = stack.pop()
        if isinstance(current, Node):
            found.append(current)
        elif isinstance(current, list | tuple):
            stack.extend(current)
        elif isinstance(current, dict):
            stack.extend(current.values())
    found.sort(key=_offset)
    return found


def _offset(node: Node) -> int:
    return node.start


_CHILDREN: dict[type, tuple[str, ...]] = {}
# Slots that never hold nodes.
_LEAVES = frozenset(
    (
        "start end _body _names _nodes name op kind sel value_ tag_ label keyword has_body type_params ellipsis "
        "variadic embedded is_const iota alias define path tag"
    ).split()
)


def _children(kind: type) -> tuple[str, ...]:
    """The slots of a node class that hold nodes (in source order as far as it matters)."""
    found = tuple(
        name for base in kind.__mro__ for name in getattr(base, "__slots__", ()) if name not in _LEAVES
    )
    if kind is BasicLit:
        found = ()
    elif kind is Switch:
        found = (*found, "tag")
    elif kind is ValueSpec:
        found = ("names", "type", "values")
    elif kind is TypeSpec:
        found = ("type",)
    _CHILDREN[kind] = found
    return found
