"""Code that comes too late: it runs only when a server has stopped.

Servers stand for all that goes on until the program is told to stop: `select {}`, the end of a context and a signal
too, and functions of the repository that do one of these on every way through them.

`is_late` asks whether that holds on every way to a node, whichever server it is; `has_returned` asks it of one call
that serves, which is all that matters to what that server serves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.languages.go import syntax as s
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.program import Declaration

_LISTEN = ("ListenAndServe", "ListenAndServeTLS")
_SERVE = ("Serve", "ServeTLS")  # other types have methods of these names, too
_MAX_DEPTH = 4
_MAX_LEVELS = 2  # of functions around what blocks
_DONE = b".Done()"
_MAY_BLOCK = (b"Serve(", b"ListenAndServe", b"select {}", b"select{}", _DONE, b"signal.Notify")
_RECEIVES_END = re.compile(
    rb"[^\n]*?<-(?:[^\n]*\.Done\(\)|\w*[Ee]rr\w*|\w*(?:sig|quit|stop|shutdown)\w*)", re.IGNORECASE
)
_WAITING = s.Call | s.Select | s.ExprStmt | s.Assign
_FUNCTION = re.compile(rb"\nfunc (?:\([^)\n]*\) ?)?(\w+)")
_LIMITED = (b"WithTimeout(", b"WithDeadline(", b"time.After(")
_PARTING = (
    s.If, s.For, s.Range, s.Switch, s.TypeSwitch, s.Select, s.Go, s.Defer, s.FuncLit,
)  # fmt: skip


def is_late(asked: Analysis, root: Declaration, node: s.Node, depth: int = 0) -> bool:
    """True when a server runs before a node on every way to it, in a call that returns when it has stopped."""
    if not isinstance(root.node, s.FuncDecl):
        return False
    for other in root.nodes:
        if (
            isinstance(other, _WAITING)
            and other.end <= node.start
            and _waits(asked, root, other)
            and _is_behind(root, other, node)
        ):
            return True
    if depth >= _MAX_DEPTH or root.node.name in ("main", "init"):
        return False
    is_called = False
    for caller in asked.callers_in_turn(root):
        is_called = True
        if not is_late(asked, caller.root, caller.call, depth + 1):
            return False
    return is_called


def has_returned(root: Declaration, first: s.Node, node: s.Node) -> bool:
    """True when a call has returned by the time that a node of the same function runs, if both run."""
    apart = (n for n in _around(root, first) if isinstance(n, s.Go | s.Defer | s.FuncLit))
    return first.end <= node.start and all(_holds(n, node) for n in apart)


def _is_behind(root: Declaration, first: s.Node, node: s.Node) -> bool:
    """True when a node runs only after another of the same function, which is never left out."""
    around = _around(root, first)
    return has_returned(root, first, node) and not any(_may_be_left_out(n, first, node) for n in around)


def _waits(asked: Analysis, root: Declaration, node: s.Node) -> bool:
    """True for what returns only when the program is told to stop."""
    match node:
        case s.Call():
            if _blocks(asked, root, node):
                return True
            if called_name(node) not in _names(asked):
                return False
            callee = callee_of(node, root, asked.texts, asked.types)
            return callee is not None and isinstance(callee.node, s.FuncDecl) and _stops(asked, callee)
        case s.Select(clauses=clauses):
            ends = [_ends_the_program(_received(c.comm), root) or _fails(_received(c.comm)) for c in clauses]
            return all(ends) and (not ends or not all(_fails(_received(c.comm)) for c in clauses))
        case s.ExprStmt() | s.Assign():
            return _ends_the_program(_received(node), root)
    return False


def _received(comm: s.Stmt | None) -> s.Expr | None:
    """The channel that a statement receives from."""
    value = (
        comm.x
        if isinstance(comm, s.ExprStmt)
        else comm.rhs[0]
        if isinstance(comm, s.Assign) and comm.rhs
        else None
    )
    return value.x if isinstance(value, s.Unary) and value.op == "<-" else None


def _fails(channel: s.Expr | None) -> bool:
    """True for a channel for errors, by its name: of a server that fails, say."""
    return isinstance(channel, s.Ident) and "err" in channel.name.lower()


def _ends_the_program(channel: s.Expr | None, root: Declaration) -> bool:
    """True for the end of a context that has no deadline here, and for a channel that gets signals."""
    if isinstance(channel, s.Call):
        text = root.file.data[root.node.start : root.node.end]
        return called_name(channel) == "Done" and not any(word in text for word in _LIMITED)
    if not isinstance(channel, s.Ident):
        return False
    for node in root.nodes:
        if isinstance(node, s.Call) and called_name(node) == "Notify" and node.args:
            if isinstance(node.args[0], s.Ident) and node.args[0].name == channel.name:
                return True
    return False


def _names(asked: Analysis) -> frozenset[str]:
    """The names of functions that may wait for the end of the program, by their texts alone."""
    if asked.blocker_names is None:
        found: set[str] = set()
        words: set[bytes] = set(_MAY_BLOCK)
        for _ in range(_MAX_LEVELS):
            names = {name for word in words for name in _named_around(asked, word)} - found - {"main", "init"}
            found |= names
            words = {name.encode() + b"(" for name in names}
        asked.blocker_names = frozenset(found)
    return asked.blocker_names


def _named_around(asked: Analysis, word: bytes) -> Iterator[str]:
    """The names of the functions whose text has a word. Nobody generates code that runs a program."""
    kind = asked.program.repository.kind
    for path in asked.search.files_with(word):
        if kind(path) is FileKind.GENERATED:
            continue
        data = asked.program.repository.read(path) or b""
        at = data.find(word)
        while at >= 0:
            if word != _DONE or _is_waited_for(data, at):
                start = max(data.rfind(b"\nfunc ", 0, at), 0)
                if head := _FUNCTION.match(data, start):
                    yield head.group(1).decode()
                at = max(data.find(b"\n}", at), at)
            at = data.find(word, at + 1)


def _is_waited_for(data: bytes, at: int) -> bool:
    """True when the line before an offset only receives, by itself or as the one clause of its `select`."""
    line = data[data.rfind(b"\n", 0, at) + 1 : at]
    text = line.lstrip()
    if not text.startswith(b"case "):
        return b"<-" in text
    indent = b"\n" + line[: len(line) - len(text)]
    start, end = data.rfind(indent + b"select {", 0, at), data.find(indent + b"}", at)
    clauses = data[start:end].split(indent + b"case ")[1:]
    return start >= 0 and b"default:" not in data[start:end] and all(_RECEIVES_END.match(c) for c in clauses)


def _stops(asked: Analysis, declared: Declaration) -> bool:
    """True for a function that waits for the end of the program on every way through it."""
    key = id(declared.node)
    if key not in asked.blockers:
        asked.blockers[key] = False  # while it is looked at
        waits = any(_waits(asked, declared, x) and _always(declared, x) for x in declared.nodes)
        asked.blockers[key] = waits
    return asked.blockers[key]


def _always(root: Declaration, node: s.Node) -> bool:
    """True when nobody gets through a function past a node without an error."""
    end = s.Ident(root.node.end, root.node.end, "")
    before = (n for n in root.nodes if isinstance(n, s.Return) and n.end <= node.start)
    return _is_behind(root, node, end) and all(_is_error(n) for n in before)


def _is_error(stmt: s.Return) -> bool:
    last = stmt.values[-1] if stmt.values else None
    return last is not None and not (isinstance(last, s.Ident) and last.name == "nil")


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
    served = (("net/http", "Server"), ("google.golang.org/grpc", "Server"))
    return base is not None and base.kind == "extern" and (base.path, base.name) in served


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
