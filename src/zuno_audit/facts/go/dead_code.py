"""Code inside a function that can never run: behind a statement that ends the block, or in a branch whose
condition is a constant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.texts import initial
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.texts import Texts

_ENDS = {
    "os": frozenset(("Exit",)),
    "log": frozenset(("Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln")),
    "runtime": frozenset(("Goexit",)),
}


def is_dead(node: s.Node, root: Declaration, above: Mapping[int, s.Node], texts: Texts) -> bool:
    """True when a node of a declaration never runs, whoever calls the function. `above` has the parents."""
    child: s.Node = node
    parent = above.get(id(child))
    while parent is not None:
        if _is_cut_off(child, parent, root, texts):
            return True
        child, parent = parent, above.get(id(parent))
    return False


def _is_cut_off(child: s.Node, parent: s.Node, root: Declaration, texts: Texts) -> bool:
    match parent:
        case s.If(cond=cond, body=body, orelse=orelse):
            if child is body:
                return constant_truth(cond, root, texts) is False
            return child is orelse and constant_truth(cond, root, texts) is True
        case s.For(cond=cond, body=body) if cond is not None and child is body:
            return constant_truth(cond, root, texts) is False
        case s.Block(stmts=stmts) | s.Clause(body=list() as stmts):
            if any(isinstance(stmt, s.Labeled) for stmt in stmts):
                return False  # a goto may lead behind the end
            for stmt in stmts:
                if stmt is child:
                    return False
                if _ends(stmt, root, texts):
                    return True
    return False


def _ends(stmt: s.Stmt, root: Declaration, texts: Texts) -> bool:
    """True for a statement behind which nothing of its block runs."""
    if isinstance(stmt, s.Return | s.Branch):
        return True
    if not isinstance(stmt, s.ExprStmt) or not isinstance(stmt.x, s.Call):
        return False
    fun = stmt.x.fun
    if isinstance(fun, s.Ident):
        return fun.name == "panic" and root.package.declaration("panic") is None
    path = texts.package_path(fun.x, root) if isinstance(fun, s.Selector) else None
    return called_name(stmt.x) in _ENDS.get(path or "", ())


def constant_truth(expr: s.Expr | None, root: Declaration, texts: Texts, depth: int = 0) -> bool | None:
    """The truth of a condition that constants decide; None for all others."""
    if depth > 6:
        return None
    match expr:
        case s.Unary(op="!", x=x):
            inner = constant_truth(x, root, texts, depth + 1)
            return None if inner is None else not inner
        case s.Binary(op="&&" | "||" as op, x=x, y=y):
            both = {constant_truth(x, root, texts, depth + 1), constant_truth(y, root, texts, depth + 1)}
            decisive = op == "||"
            if decisive in both:
                return decisive
            return None if None in both else not decisive
        case s.Ident(name=name):
            declared = texts.declaration(expr, root)
            if declared is None and texts.bindings(root).variable(name, expr.start) is None:
                return {"true": True, "false": False}.get(name)
            return _truth_of(declared, name, texts, depth)
        case s.Selector(sel=name):
            return _truth_of(texts.declaration(expr, root), name, texts, depth)
    return None


def _truth_of(declared: Declaration | None, name: str, texts: Texts, depth: int) -> bool | None:
    """The truth of a constant."""
    if declared is None or not isinstance(declared.node, s.ValueSpec) or not declared.node.is_const:
        return None
    return constant_truth(initial(declared.node, name), declared, texts, depth + 1)
