"""Code that comes too late: it runs only when a server has stopped.

`is_late` asks whether that holds on every way to a node, whichever server it is; `has_returned` asks it of one call
that serves, which is all that matters to what that server serves.
"""

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
_PARTING = (
    s.If, s.For, s.Range, s.Switch, s.TypeSwitch, s.Select, s.Go, s.Defer, s.FuncLit,
)  # fmt: skip


def is_late(asked: Analysis, root: Declaration, node: s.Node, depth: int = 0) -> bool:
    """True when a server runs before a node on every way to it, in a call that returns when it has stopped."""
    if not isinstance(root.node, s.FuncDecl):
        return False
    for other in root.nodes:
        if isinstance(other, s.Call) and _blocks(asked, root, other) and has_returned(root, other, node):
            if not any(_may_be_left_out(n, other, node) for n in _around(root, other)):
                return True
    if depth >= _MAX_DEPTH:
        return False
    callers = asked.search.callers(root)
    return bool(callers) and all(is_late(asked, c.root, c.call, depth + 1) for c in callers)


def has_returned(root: Declaration, first: s.Node, node: s.Node) -> bool:
    """True when a call has returned by the time that a node of the same function runs, if both run."""
    apart = (n for n in _around(root, first) if isinstance(n, s.Go | s.Defer | s.FuncLit))
    return first.end <= node.start and all(_holds(n, node) for n in apart)


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


def _may_be_left_out(around: s.Node, first: s.Node, node: s.Node) -> bool:
    """True for a statement of whose branches one holds a call and not the node that runs later."""
    branch = next((n for n in s.children(around) if _holds(n, first)), around)
    if branch is around or _holds(branch, node):
        return False
    match around:
        case s.If(body=body, orelse=orelse):
            return branch is body or branch is orelse
        case s.For(body=body) | s.Range(body=body):
            return branch is body
    return isinstance(branch, s.Clause)


def _around(root: Declaration, node: s.Node) -> list[s.Node]:
    """What holds a node of a function and decides whether or when it runs."""
    return [n for n in root.nodes if isinstance(n, _PARTING) and _holds(n, node)]


def _holds(around: s.Node, node: s.Node) -> bool:
    return around.start <= node.start and node.end <= around.end
