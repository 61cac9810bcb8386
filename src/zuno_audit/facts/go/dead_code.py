"""Code inside a declaration that never runs, whoever calls it: behind a statement that ends the block, or in a
branch whose condition is a constant; and what is named only so that the compiler is content.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

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


class DeadCode(Struct, frozen=True):
    """What of a declaration never runs: ranges of bytes, and values that are put into `_`."""

    ranges: tuple[tuple[int, int], ...]
    discarded: tuple[s.Expr, ...]


def is_dead(node: s.Node, root: Declaration, texts: Texts) -> bool:
    """True when a node of a declaration never runs, whoever calls the function."""
    return any(start <= node.start < end for start, end in _dead_code(root, texts).ranges)


def is_discarded(node: s.Node, root: Declaration, texts: Texts) -> bool:
    """True when a node of a declaration is a value, or a part of one, that is put into `_` and nowhere else.

    What the value takes to make it runs: `_ = f()` calls `f`, and `_ = f` only names it.
    """
    values = _dead_code(root, texts).discarded
    return any(v.start <= node.start < v.end and not _is_run(node, v) for v in values)


def _is_run(node: s.Node, value: s.Expr) -> bool:
    """True for a node inside of a call that makes the value; `new(T)` and `(*T)(nil)` call nothing."""
    for around in s.walk(value):  # the outermost first
        if around is not None and around.start <= node.start < around.end:
            if isinstance(around, s.FuncLit):
                return False
            if isinstance(around, s.Call):
                fun = around.fun
                if not isinstance(fun, s.Star) and not (isinstance(fun, s.Ident) and fun.name == "new"):
                    return True
    return False


def _dead_code(root: Declaration, texts: Texts) -> DeadCode:
    known = texts.dead_code.get(id(root.node))
    if known is None:
        ranges: list[tuple[int, int]] = []
        discarded: list[s.Expr] = []
        for node in root.nodes:
            ranges += _cut_off(node, root, texts)
            match node:
                case s.Assign(lhs=names, rhs=values, op="=") | s.ValueSpec(names=names, values=values):
                    discarded += [v for n, v in zip(names, values, strict=False) if _is_blank(n)]
        known = texts.dead_code[id(root.node)] = DeadCode(tuple(ranges), tuple(discarded))
    return known


def _is_blank(target: s.Expr) -> bool:
    return isinstance(target, s.Ident) and target.name == "_"


def _cut_off(node: s.Node, root: Declaration, texts: Texts) -> Iterator[tuple[int, int]]:
    """The parts of a node that never run."""
    match node:
        case s.If(cond=cond, body=body, orelse=orelse):
            truth = constant_truth(cond, root, texts)
            dead = body if truth is False else orelse if truth is True else None
            if dead is not None:
                yield dead.start, dead.end
        case s.For(cond=cond, body=body) if cond is not None and constant_truth(cond, root, texts) is False:
            yield body.start, body.end
        case s.Block(stmts=stmts) | s.Clause(body=list() as stmts):
            if any(isinstance(stmt, s.Labeled) for stmt in stmts):
                return  # a goto may lead behind the end
            end = next((stmt.end for stmt in stmts[:-1] if _ends(stmt, root, texts)), None)
            if end is not None:
                yield end, node.end


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
            if texts.is_variable(expr, root):
                return None
            declared = root.package.declaration(name)
            if declared is None:
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
