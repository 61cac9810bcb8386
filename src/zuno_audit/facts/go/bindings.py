"""What a name means inside one declaration: the parameters and local variables in scope, with all that is put
in.

A light companion of the evaluator: for questions about the text around a call (which constant is this
argument, which variable takes the result, who tests it) that need no values.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from zuno_audit.languages.go import syntax as s

_SCOPES = (s.Block, s.If, s.For, s.Range, s.Switch, s.TypeSwitch, s.Clause, s.FuncLit, s.FuncDecl)
FunctionNode = s.FuncDecl | s.FuncLit


class Source(Struct, frozen=True):
    """Something that gives a variable its value.

    `kind` is param (`index` of `function`), receiver, value (`expr`), result (`index` of the call `expr`),
    range-key, range-value (of the range over `expr`), zero or other (an `op=` assignment, `x.(type)`...).
    """

    kind: str
    expr: s.Expr | None = None
    index: int = 0
    function: FunctionNode | None = None
    start: int = 0


class Variable:
    """A local variable or parameter: its name, the range of bytes in which the name means it, its sources."""

    __slots__ = ("end", "name", "sources", "start", "type")

    def __init__(self, name: str, start: int, end: int, type_: s.Expr | None) -> None:
        self.name, self.start, self.end, self.type = name, start, end, type_
        self.sources: list[Source] = []


class Bindings:
    """The variables of one top-level declaration."""

    def __init__(self, root: s.Node) -> None:
        self.root = root
        self._by_name: dict[str, list[Variable]] = {}
        self.functions: list[FunctionNode] = []
        self._visit(root, (root.start, root.end))

    def variable(self, name: str, offset: int) -> Variable | None:
        """The local variable that a name means at a byte offset, or None for names from outside."""
        best: Variable | None = None
        for variable in self._by_name.get(name, ()):
            if variable.start <= offset < variable.end and (best is None or variable.start >= best.start):
                best = variable
        return best

    def function_at(self, offset: int) -> FunctionNode | None:
        """The innermost function around a byte offset."""
        around = [f for f in self.functions if f.start <= offset < f.end]
        return max(around, key=lambda f: f.start, default=None)

    # ---------------------------------------------------------------- collection

    def _visit(self, node: s.Node, scope: tuple[int, int]) -> None:
        stack: list[tuple[s.Node, tuple[int, int]]] = [(node, scope)]
        while stack:
            current, around = stack.pop()
            inner = (current.start, current.end) if isinstance(current, _SCOPES) else around
            if isinstance(current, s.FuncDecl | s.FuncLit):
                self._function(current)
            self._note(current, inner if isinstance(current, s.Range | s.TypeSwitch) else around)
            stack.extend((child, inner) for child in reversed(s.children(current)))

    def _function(self, node: FunctionNode) -> None:
        self.functions.append(node)
        if isinstance(node, s.FuncDecl) and node.receiver is not None and node.receiver.name:
            self._define(
                node.receiver.name,
                node.start,
                node.end,
                Source("receiver", function=node),
                node.receiver.type,
            )
        for index, param in enumerate(node.params):
            if param.name:
                self._define(param.name, node.start, node.end, Source("param", None, index, node), param.type)
        for result in node.results:
            if result.name:
                self._define(result.name, node.start, node.end, Source("zero"), result.type)

    def _note(self, node: s.Node, scope: tuple[int, int]) -> None:
        match node:
            case s.Assign():
                self._assign(node, scope)
            case s.DeclStmt(specs=specs):
                for spec in specs:
                    if isinstance(spec, s.ValueSpec):
                        self._spec(spec, scope)
            case s.Range(key=key, value=value, define=define, x=x):
                for kind, target in (("range-key", key), ("range-value", value)):
                    if isinstance(target, s.Ident):
                        source = Source(kind, x, start=target.start)
                        self._define(target.name, target.start, scope[1], source) if define else self._add(
                            target, source
                        )
            case s.TypeSwitch(name=name) if name:
                self._define(name, node.start, scope[1], Source("other", node.x))
            case s.Unary(op="&", x=s.Ident() as target):
                variable = self.variable(target.name, target.start)
                if variable is not None:
                    variable.sources.append(Source("address", target, start=target.start))

    def _assign(self, node: s.Assign, scope: tuple[int, int]) -> None:
        for index, target in enumerate(node.lhs):
            if not isinstance(target, s.Ident) or target.name == "_":
                continue
            if node.op not in ("=", ":="):
                source = Source("other", node.rhs[0], start=node.start)
            elif len(node.lhs) == len(node.rhs):
                source = Source("value", node.rhs[index], start=node.start)
            else:
                source = Source("result", node.rhs[0], index, start=node.start)
            known = self.variable(target.name, target.start)
            if node.op == ":=" and (known is None or not self._is_in(known, scope)):
                self._define(target.name, node.end, scope[1], source)
            elif known is not None:
                known.sources.append(source)

    @staticmethod
    def _is_in(variable: Variable, scope: tuple[int, int]) -> bool:
        """True when a variable was declared in this very scope, so that `:=` assigns to it."""
        return variable.end == scope[1] and variable.start >= scope[0]

    def _spec(self, spec: s.ValueSpec, scope: tuple[int, int]) -> None:
        for index, name in enumerate(spec.names):
            if len(spec.values) == len(spec.names):
                source = Source("value", spec.values[index], start=spec.start)
            elif spec.values:
                source = Source("result", spec.values[0], index, start=spec.start)
            else:
                source = Source("zero", start=spec.start)
            self._define(name.name, spec.end, scope[1], source, spec.type)

    def _add(self, target: s.Ident, source: Source) -> None:
        known = self.variable(target.name, target.start)
        if known is not None:
            known.sources.append(source)

    def _define(self, name: str, start: int, end: int, source: Source, type_: s.Expr | None = None) -> None:
        variable = Variable(name, start, end, type_)
        variable.sources.append(source)
        self._by_name.setdefault(name, []).append(variable)


def parents(root: s.Node) -> dict[int, s.Node]:
    """The parent of every node below `root`, by the node's `id`."""
    found: dict[int, s.Node] = {}
    stack = [root]
    while stack:
        node = stack.pop()
        for child in s.children(node):
            found[id(child)] = node
            stack.append(child)
    return found


def is_call_of(call: s.Expr | None, names: frozenset[str]) -> bool:
    """True for a call of something with one of these last names."""
    return isinstance(call, s.Call) and called_name(call) in names


def called_name(call: s.Call) -> str:
    """The last name of what is called; empty for calls of literals and results."""
    return last_name(call.fun.x if isinstance(call.fun, s.Index) else call.fun)


def last_name(expr: s.Node | None) -> str:
    """The name of a variable, or the one behind the dot of a selector; empty for all else."""
    return expr.sel if isinstance(expr, s.Selector) else expr.name if isinstance(expr, s.Ident) else ""


def calls_in(node: s.Node) -> Iterator[s.Call]:
    """Every call at or below a node."""
    for inner in s.walk(node):
        if isinstance(inner, s.Call):
            yield inner


def element(literal: s.CompositeLit, name: str) -> s.Expr | None:
    """The value under a key of a composite literal."""
    return next((v for k, v in literal.elements if isinstance(k, s.Ident) and k.name == name), None)


def mentions_error(condition: s.Expr) -> bool:
    """True for a condition that looks at an error value."""
    return any(isinstance(n, s.Ident) and n.name.lower().endswith("err") for n in s.walk(condition))


def bound_name(node: s.Node, call: s.Call) -> str:
    """The variable or field that a construction is bound to where it stands; empty when it is used otherwise."""
    for inner in s.walk(node):
        if isinstance(inner, s.CompositeLit):
            pairs = list(inner.elements)
        elif isinstance(inner, s.Assign) and len(inner.lhs) == len(inner.rhs):
            pairs = list(zip(inner.lhs, inner.rhs, strict=True))
        elif isinstance(inner, s.ValueSpec) and len(inner.names) == len(inner.values):
            pairs = list(zip(inner.names, inner.values, strict=True))
        else:
            continue
        for target, value in pairs:
            if value is call:
                return (
                    target.name
                    if isinstance(target, s.Ident)
                    else target.sel
                    if isinstance(target, s.Selector)
                    else ""
                )
    return ""


def is_same(a: s.Expr, b: s.Expr) -> bool:
    """True when two expressions are written alike (names, selectors, calls with the same arguments)."""
    match a, b:
        case s.Ident(name=x), s.Ident(name=y):
            return x == y
        case s.Selector(x=p, sel=x), s.Selector(x=q, sel=y):
            return x == y and is_same(p, q)
        case s.BasicLit(value=x), s.BasicLit(value=y):
            return bool(x == y)
        case s.Call(fun=f, args=xs), s.Call(fun=g, args=ys):
            return len(xs) == len(ys) and is_same(f, g) and all(map(is_same, xs, ys))
        case s.Unary(op="*", x=p), q:
            return is_same(p, q)
        case s.Star(x=p), q:
            return is_same(p, q)
    return False
