"""HTTP routes of the binaries: path, handler, whether they are served, and on which port.

Table `http_route`: one row per route and binary. A route whose path or mux cannot be followed has answers
that are unknown; it never counts as served.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from posixpath import dirname
from typing import TYPE_CHECKING, TypeGuard

from zuno_audit.facts.deployed import deployments, environments
from zuno_audit.facts.go.analysis import analysis
from zuno_audit.facts.go.bindings import called_name, last_name
from zuno_audit.facts.go.dead_code import is_dead
from zuno_audit.facts.go.gates import Wrap, gates, worst
from zuno_audit.facts.go.http_serving import HttpServing, Route, Serving, http_serving
from zuno_audit.facts.go.late import has_returned, is_late
from zuno_audit.facts.go.origins import At
from zuno_audit.facts.go.reach import Reach, reach
from zuno_audit.facts.go.settings import settings
from zuno_audit.facts.go.switches import switches
from zuno_audit.languages import shell
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import (
    BasicLit,
    Block,
    Call,
    Expr,
    ExprStmt,
    FuncDecl,
    FuncLit,
    Ident,
    If,
    Node,
    Return,
    Selector,
    Stmt,
    walk,
)
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, LazyFields, Problem, Table
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.origins import Origins
    from zuno_audit.facts.go.program import Declaration

PROMHTTP = "github.com/prometheus/client_golang/prometheus/promhttp"
_PLAYGROUND = ("graphql/playground", "graphiql", "friendsofgo/graphiql")
_PROMETHEUS_HANDLERS = ("Handler", "HandlerFor", "HandlerForTransactional", "InstrumentMetricHandler")
_ADDRESS = re.compile(r"(?:^|(.*):)(\d{1,5})$")
_LOOPBACK = re.compile(r"localhost|127(?:\.\d+){3}|\[::1\]")
_WITHOUT_TLS = frozenset({"ListenAndServe", "Run", "Start", "Listen"})  # Serve takes any listener
MAX_DEPTH = 2  # helper functions between a library's handler and the route
# Names of net/http (https://pkg.go.dev/net/http#pkg-constants) that are not an answer of 200.
_STATUS = {
    "StatusOK": 200, "StatusCreated": 201, "StatusAccepted": 202, "StatusNoContent": 204,
    "StatusMovedPermanently": 301, "StatusFound": 302, "StatusBadRequest": 400, "StatusUnauthorized": 401,
    "StatusForbidden": 403, "StatusNotFound": 404, "StatusMethodNotAllowed": 405, "StatusTeapot": 418,
    "StatusTooManyRequests": 429, "StatusInternalServerError": 500, "StatusNotImplemented": 501,
    "StatusBadGateway": 502, "StatusServiceUnavailable": 503, "StatusGatewayTimeout": 504,
}  # fmt: skip


def http_route_table(store: FactStore) -> Table:
    """Table `http_route`.

    Fields: `route` (the path, None if dynamic), `method` (empty: any), `kind` (prometheus, playground or
    other), `binary` (folder of the main package), `served`, `on` (unknown
    where a setting that is off keeps it from being served), `status_ok` (answers 200), `conditional` (only if
    some setting says so), `ports` (where the program listens), `tls` (it speaks TLS there), `published` (host
    ports that lead there).
    """
    reachable = store.get(reach)
    serving = store.get(http_serving)
    handlers = _Handlers(serving.origins)
    rows = [row for route in serving.routes() for row in _rows(store, reachable, serving, handlers, route)]
    rows.sort(key=lambda r: (r.location, str(r.fields["binary"].value)))
    looked = tuple(sorted(reachable.linked.files))
    return Table("http_route", tuple(rows), looked, tuple(_problems(reachable, rows)))


def _problems(reachable: Reach, rows: list[Entity]) -> Iterator[Problem]:
    """Main packages that do not parse: a route in them may not have been seen."""
    for folder in reachable.packages.mains():
        for head in reachable.packages.by_directory[folder].files:
            file = reachable.linked.file(head.path)
            if file is not None and file.error_line:
                yield Problem(head.path, file.error_line, "syntax error")


def _rows(
    store: FactStore, reachable: Reach, serving: HttpServing, handlers: _Handlers, route: Route
) -> Iterator[Entity]:
    file = route.root.file
    here = file.location(route.call.start, route.call.end, f"{route.method} {route.path}".strip())
    is_out = is_dead(route.call, route.root, store.get(settings))
    reached = set() if is_out else reachable.mains(file.path, route.call.start)
    found = serving.servings(route) if reached else []
    is_over = bool(found) and is_late(store.get(analysis), route.root, route.call)
    kind = handlers.kind(route.handler)
    for binary in sorted(reached) or reachable.packages.binaries_of(dirname(file.path)):
        mine = [
            s
            for s in found
            if binary in reachable.mains(s.root.file.path, s.node.start) and not _is_over(route, s)
        ]
        path, mine, is_lost = _visible(route, [] if is_over else mine)
        fields = LazyFields(
            {
                "route": Answer(path or None, proof=(here,)),
                "method": Answer(route.method),
                "kind": Answer(kind, proof=(here,)),
                "binary": Answer(binary),
                "conditional": _conditional(file, route),
            },
            {
                ("served",): partial(
                    _served_openly,
                    store,
                    handlers,
                    route,
                    path,
                    mine,
                    _served(
                        route,
                        binary,
                        binary in reached,
                        mine,
                        is_over or is_lost or serving.is_left_unserved(route),
                        here,
                    ),
                ),
                ("on",): partial(_on, store, route, binary, mine),
                ("status_ok",): partial(_status, handlers, route),
                ("tls",): partial(_tls, mine),
                ("ports", "published"): partial(_addresses, store, binary, mine),
            },
        )
        yield Entity("http_route", here, fields)


def _served_openly(
    store: FactStore, handlers: _Handlers, route: Route, path: str, servings: list[Serving], served: Answer
) -> dict[str, Answer]:
    """`served`, unless what is around the handler or its router keeps requests from it."""
    if served.value != YES:
        return {"served": served}
    known = store.get(gates)
    own = [*handlers.wraps(route.handler), *store.get(http_serving).middlewares(route)]
    ways = [[*own, *s.wraps] for s in servings]
    judged = [worst(known.lets_through(wrap, path) for wrap in way) for way in ways]
    if YES in judged:
        return {"served": served}
    by_place: dict[object, set[str]] = {}
    for serving, answer in zip(servings, judged, strict=True):  # seen from the wrapper and from its caller
        by_place.setdefault((id(serving.node), serving.mounts), set()).add(answer)
    answers = {NO if NO in found else UNKNOWN for found in by_place.values()}
    is_open = UNKNOWN in answers
    way = ways[judged.index(UNKNOWN if is_open else NO)]
    wrap = next(w for w in way if known.lets_through(w, path) != YES)
    place = wrap.root.file.location(wrap.value.start, wrap.value.end, "is around it")
    if is_open:
        return {"served": Answer(UNKNOWN, "a handler around it lets only some requests through", (place,))}
    return {"served": Answer(NO, "a handler around it lets no request through", (place,))}


def _visible(route: Route, servings: list[Serving]) -> tuple[str, list[Serving], bool]:
    """The path under which a route is seen from outside, who serves it there, and whether all others hide it."""
    paths = {s.visible(route.path) for s in servings} if route.path else set()
    if not paths or route.path in paths:
        return (
            route.path,
            [s for s in servings if not route.path or s.visible(route.path) == route.path],
            False,
        )
    path = next((p for p in sorted(filter(None, paths))), None)
    if path is None:
        return route.path, [], True
    return path, [s for s in servings if s.visible(route.path) == path], False


def _status(handlers: _Handlers, route: Route) -> dict[str, Answer]:
    return {"status_ok": handlers.status(route.handler)}


def _tls(servings: list[Serving]) -> dict[str, Answer]:
    """No where every server that serves the route is started in a way that never speaks TLS."""
    names = {called_name(s.node) for s in servings if isinstance(s.node, Call)}
    if names and all(name.endswith("TLS") for name in names):
        return {"tls": Answer(YES)}
    return {"tls": Answer(NO if names and names <= _WITHOUT_TLS else UNKNOWN)}


def _addresses(store: FactStore, binary: str, servings: list[Serving]) -> dict[str, Answer]:
    ports, inside = _ports(store, binary, servings)
    return {"ports": ports, "published": _published(store, binary, ports, inside)}


def _on(store: FactStore, route: Route, binary: str, servings: list[Serving]) -> dict[str, Answer]:
    place = _switched_off(store, route, binary, servings)
    because = "a setting that is off keeps it from being added or served"
    return {"on": Answer(UNKNOWN, because, (place,)) if place is not None else Answer(YES)}


def _switched_off(store: FactStore, route: Route, binary: str, servings: list[Serving]) -> Location | None:
    """The setting that keeps a route from being added, or its router from being served, where the binary runs."""
    known = store.get(switches)
    for environment in environments(store, binary):
        out = known.off(route.call, route.root, environment)
        starts = [known.off(s.node, s.root, environment) for s in servings]
        if out is not None or (starts and None not in starts):
            return out or starts[0]
    return None


def _served(
    route: Route, binary: str, reached: bool, servings: list[Serving], is_certain: bool, here: Location
) -> Answer:
    if not reached:
        return Answer(NO, f"nothing that {binary or 'the binary'} runs adds the route", (here,))
    if not servings and not is_certain:
        return Answer(UNKNOWN, "the router it is added to cannot be followed to a server", (here,))
    if not servings:
        name = "http.DefaultServeMux" if route.mux is None else "the router it is added to"
        return Answer(NO, f"{name} is not served by a server that starts when it is added", (here,))
    places = tuple(s.root.file.location(s.node.start, s.node.end, "is served here") for s in servings[:2])
    return Answer(YES, "its router is served", (here, *places))


def _is_over(route: Route, serving: Serving) -> bool:
    """True when the server has stopped by the time that the function which starts it adds the route."""
    return serving.root.node is route.root.node and has_returned(serving.root, serving.node, route.call)


def _conditional(file: GoFile, route: Route) -> Answer:
    if route.condition is None:
        return Answer(NO, "it is always added")
    condition = file.data[route.condition.cond.start : route.condition.cond.end].decode("utf-8", "replace")
    place = file.location(route.condition.start, route.condition.cond.end)
    return Answer(YES, f"it is only added if {condition[:80]}", (place,))


# ---------------------------------------------------------------- ports


def _ports(store: FactStore, binary: str, servings: list[Serving]) -> tuple[Answer, frozenset[str]]:
    """The ports the servers listen on, in the deployments of the binary or by default, and those of them that
    only the machine itself can reach."""
    texts = store.get(settings)
    environments = [d.environment for d in deployments(store, binary)] or [{}]
    ports: dict[str, bool] = {}
    proof = []
    for serving in servings:
        if serving.address is None:
            continue
        expr, root, _ = serving.address
        proof.append(root.file.location(expr.start, expr.end, "the address"))
        for template in texts.templates(expr, root):
            for environment in environments:
                found = _ADDRESS.search(shell.expand(template, environment) or "")
                if found:
                    inside = _LOOPBACK.fullmatch(found.group(1) or "") is not None
                    ports[found.group(2)] = ports.get(found.group(2), True) and inside
    if not ports:
        reason = "the address of the server is not a constant or a known setting"
        return Answer(UNKNOWN, reason, tuple(proof)), frozenset()
    answer = Answer(tuple(ports), f"it listens on {', '.join(ports)}", tuple(proof))
    return answer, frozenset(port for port, inside in ports.items() if inside)


def _published(store: FactStore, binary: str, ports: Answer, inside: frozenset[str]) -> Answer:
    """The ports of the host that lead to the server; its own where compose does not run the binary.

    What listens on the loopback device of a container is reached by no port of the host.
    """
    if not isinstance(ports.value, tuple):
        return ports
    runs = deployments(store, binary)
    if not runs:
        return Answer(
            ports.value, "no compose service runs the binary, so it is the port of the program", ports.proof
        )
    found: dict[str, None] = {}
    proof = []
    for run in runs:
        for port in run.service.ports:
            target = shell.expand(port.target, run.template)
            published = shell.expand(port.published or "", run.template)
            if target in ports.value and target not in inside and published:
                found[published] = None
                proof.append(port.location)
    if found:
        return Answer(tuple(found), f"compose publishes it on {', '.join(found)}", (*ports.proof, *proof))
    if inside:
        reason = f"it listens on {', '.join(sorted(inside))} of its container's loopback device only"
        return Answer((), reason, ports.proof)
    listening = ", ".join(str(p) for p in ports.value)
    reason = f"{ports.because}, and compose publishes no port that leads to {listening}"
    return Answer((), reason, (runs[0].service.location,))


# ---------------------------------------------------------------- handlers


def library_kind(path: str, name: str) -> str:
    """The kind of handler that a function of a library gives; empty for any other."""
    if path == PROMHTTP and name in _PROMETHEUS_HANDLERS:
        return "prometheus"
    return "playground" if any(p in path for p in _PLAYGROUND) else ""


class _Handlers:
    """What a handler expression is: its kind, and the status that it answers with."""

    def __init__(self, origins: Origins) -> None:
        self.origins = origins
        self.helpers: dict[int, str] = {}  # functions that give such handlers, by the id of their syntax
        self.names: set[str] = set()  # of those functions
        found = [pair for literal in (b'/promhttp"', b"playground") for pair in self._using(literal)]
        for _ in range(MAX_DEPTH):
            for function, kind in found:
                self.helpers[id(function.node)] = kind
                self.names.add(getattr(function.node, "name", ""))
            found = [
                (caller, kind)
                for function, kind in found
                for caller in origins.reach.callers(function)
                if isinstance(caller.node, FuncDecl) and id(caller.node) not in self.helpers
            ]

    def _using(self, literal: bytes) -> Iterator[tuple[Declaration, str]]:
        for file in self.origins.linked.files_with(literal):
            for root in self.origins.functions_with(b"", file):
                kind = next((k for n in root.nodes if (k := self._library_kind(n, root))), "")
                if kind:
                    yield root, kind

    def _library_kind(self, node: Node, root: Declaration) -> str:
        path = self.origins.texts.package_path(node.x, root) if isinstance(node, Selector) else None
        return library_kind(path, last_name(node)) if path is not None else ""

    def wraps(self, handler: At) -> list[Wrap]:
        """What is put around a handler where it is named."""
        if not isinstance(handler.expr, Call) or called_name(handler.expr) == "HandlerFunc":
            return []
        inner = next((n for n in walk(handler.expr) if self._is_handler(n, handler.root)), None)
        if inner is None or inner is handler.expr:
            return []
        return [Wrap(handler.root, handler.expr, inner)]

    def _is_handler(self, node: Node, root: Declaration) -> TypeGuard[Expr]:
        """True for an expression that is plainly a handler."""
        if isinstance(node, Call):
            return called_name(node) == "HandlerFunc" or bool(self._own_kind(node.fun, root))
        if isinstance(node, FuncLit):
            return len(node.params) == 2 and not node.results
        if not isinstance(node, Ident | Selector):
            return False
        return any(
            len(f.params) == 2 and not f.node.results
            for f in self.origins.functions(node, root)[:1]
            if isinstance(f.node, FuncDecl)
        )

    def kind(self, handler: At) -> str:
        """prometheus, playground or other; variables and the functions that give the handler are looked into."""
        seen: set[int] = set()
        todo = [handler]
        while todo:
            at = todo.pop()
            for node in walk(at.expr):
                found = self._own_kind(node, at.root)
                if found:
                    return found
                if isinstance(node, Ident) and id(node) not in seen:
                    seen.add(id(node))
                    todo += [
                        one for one in self.origins.step(At(node, at.root)) if one.root.node is at.root.node
                    ]
        return "other"

    def _own_kind(self, node: Node, root: Declaration) -> str:
        kind = self._library_kind(node, root)
        if kind or not isinstance(node, Selector | Ident) or last_name(node) not in self.names:
            return kind
        functions = self.origins.functions(node, root)
        return next((k for f in functions if (k := self.helpers.get(id(f.node)))), "")

    def status(self, handler: At) -> Answer:
        """Whether the handler answers 200 when nothing is wrong."""
        body = self._body(handler)
        if body is None:
            if self.kind(handler) != "other":
                return Answer(YES, "the library's handler answers 200")
            return Answer(UNKNOWN, "the handler is not a function of this repository")
        code_file, block = body
        status, node = _first_status(block)
        end = (node.start, node.end) if node is not None else (block.start, block.start + 1)
        place = code_file.location(*end)
        if status is None:
            return Answer(UNKNOWN, "the status is computed", (place,))
        if status == 200:
            return Answer(YES, f"it answers {status}", (place,))
        return Answer(NO, f"it answers {status}", (place,))

    def _body(self, at: At) -> tuple[GoFile, Block] | None:
        """The function behind a handler: a literal, a conversion of one, or a function or method by name."""
        handler, root, _ = at
        if isinstance(handler, FuncLit):
            return root.file, handler.body
        if isinstance(handler, Call):
            if len(handler.args) == 1 and called_name(handler) == "HandlerFunc":
                return self._body(At(handler.args[0], root))
            for callee in self.origins.functions(handler.fun, root)[:1]:
                for node in callee.nodes:
                    if isinstance(node, Return):
                        for value in node.values:
                            if isinstance(value, FuncLit | Call):
                                return self._body(At(value, callee))
            return next((body for a in handler.args if (body := self._body(At(a, root))) is not None), None)
        if isinstance(handler, Ident | Selector):
            for callee in self.origins.functions(handler, root)[:1]:
                return (callee.file, callee.node.body) if isinstance(callee.node, FuncDecl) else None
        return None


def _first_status(block: Block) -> tuple[int | None, Node | None]:
    """The status of the straight way through a handler; 200 when it sets none."""
    for statement in block.stmts:
        status = _status_of(statement)
        if status is not None:
            return status
        if isinstance(statement, Return):
            break
    return 200, None


def _status_of(statement: Stmt) -> tuple[int | None, Node] | None:
    if isinstance(statement, If):
        return None  # what is answered when something is wrong
    call = statement.x if isinstance(statement, ExprStmt) else None
    if isinstance(statement, Return) and statement.values:
        call = statement.values[0]
    if not isinstance(call, Call) or not isinstance(call.fun, Selector):
        return None
    name, arguments = call.fun.sel, call.args
    if name == "WriteHeader" and arguments:
        return _code(arguments[0]), call
    if name == "Error" and len(arguments) == 3:
        return _code(arguments[2]), call
    if name in ("NotFound",):
        return 404, call
    if name in (
        "JSON",
        "String",
        "HTML",
        "Data",
        "NoContent",
        "XML",
        "Status",
        "SendStatus",
        "AbortWithStatus",
    ):
        return (_code(arguments[0]), call) if arguments else None
    return None


def _code(expression: Expr) -> int | None:
    if isinstance(expression, BasicLit) and isinstance(expression.value, int):
        return expression.value
    name = expression.sel if isinstance(expression, Selector) else ""
    return _STATUS.get(name)
