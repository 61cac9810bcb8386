"""Code that comes too late: it runs only when the server of the program has stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.program import Declaration

_LISTEN = ("ListenAndServe", "ListenAndServeTLS")
_SERVE = ("Serve", "ServeTLS")  # other types have methods of these names, too
_MAX_DEPTH = 4


def is_late(asked: Analysis, root: Declaration, node: s.Node, depth: int = 0) -> bool:
    """True when a server runs before a node on every way to it, in a call that returns when it has stopped."""
    if not isinstance(root.node, s.FuncDecl):
        return False
    for other in root.nodes:
        if isinstance(other, s.Call) and other.end <= node.start and _blocks(asked, root, other):
            around = [n for n in root.nodes if n.start <= other.start and other.end <= n.end]
            if not any(_may_be_left_out(n, other, node) for n in around):
                return True
    if depth >= _MAX_DEPTH:
        return False
    callers = asked.search.callers(root)
    return bool(callers) and all(is_late(asked, c.root, c.call, depth + 1) for c in callers)


def _blocks(asked: Analysis, root: Declaration, call: s.Call) -> bool:
    """True for a call of a library that serves until the server stops."""
    name = called_name(call)
    if name not in (*_LISTEN, *_SERVE) or callee_of(call, root, asked.texts, asked.types) is not None:
        return False
    if name in _LISTEN or not isinstance(call.fun, s.Selector):
        return name in _LISTEN
    if asked.texts.package_path(call.fun.x, root) == "net/http":
        return True
    type_ = static_type(call.fun.x, root, asked.texts, asked.types)
    base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
    return base is not None and (base.kind, base.path, base.name) == ("extern", "net/http", "Server")


def _may_be_left_out(around: s.Node, node: s.Node, later: s.Node) -> bool:
    """True for a statement in which a node may not run, or not before a later one."""
    if isinstance(around, s.If):
        return around.body.start <= node.start
    if isinstance(around, s.Go | s.Defer | s.FuncLit | s.For | s.Range):
        return not around.start <= later.start < around.end
    return isinstance(around, s.Switch | s.TypeSwitch | s.Select)
