"""Which HTTP handlers are served: follows a mux from where a route is added to a server that starts.

Knows net/http and the routers whose values are handlers (chi, gorilla/mux, httprouter) or start themselves
(gin, echo, fiber). What it cannot follow is reported as such and never as served.

Where does a value go is another question than what can this be: the flow is forward, through the text, by the names
of variables and fields. What is asked backwards (paths, addresses, callers, callees, tables) `origins`, `settings` and
`tables` answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go.bindings import element, last_name, mentions_error
from zuno_audit.facts.go.gates import Wrap
from zuno_audit.facts.go.origins import At
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.settings import Settings, settings
from zuno_audit.facts.go.tables import Row, Tables
from zuno_audit.languages import shell
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import (
    Assign,
    BasicLit,
    Binary,
    Call,
    CompositeLit,
    Expr,
    FuncLit,
    Ident,
    If,
    Index,
    Node,
    Return,
    Selector,
    Star,
    Unary,
    ValueSpec,
    walk,
)

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

HTTP = "net/http"
SELF_STARTING = {
    "github.com/gin-gonic/gin": ("Run", "RunTLS", "RunListener", "RunUnix"),
    "github.com/labstack/echo/v4": ("Start", "StartTLS", "StartServer", "StartAutoTLS"),
    "github.com/labstack/echo": ("Start", "StartTLS", "StartServer"),
    "github.com/gofiber/fiber/v2": ("Listen", "ListenTLS", "Listener"),
    "github.com/gofiber/fiber/v3": ("Listen", "Listener"),
}
ROUTERS = (
    HTTP,
    "github.com/go-chi/chi",
    "github.com/go-chi/chi/v5",
    "github.com/gorilla/mux",
    "github.com/julienschmidt/httprouter",
    *SELF_STARTING,
)
VERBS = {
    "Handle": "", "HandleFunc": "", "Any": "", "All": "", "Method": "", "MethodFunc": "", "Handler": "",
    "HandlerFunc": "", "Get": "GET", "GET": "GET", "Post": "POST", "POST": "POST", "Put": "PUT", "PUT": "PUT",
    "Delete": "DELETE", "DELETE": "DELETE", "Patch": "PATCH", "PATCH": "PATCH", "Head": "HEAD",
    "HEAD": "HEAD",
}  # fmt: skip
ORDERED = ("github.com/gin-gonic/gin", "github.com/gofiber/fiber/v2", "github.com/gofiber/fiber/v3")
STARTS = ("ListenAndServe", "ListenAndServeTLS", "Serve", "ServeTLS")
MAX_DEPTH = 8
_PATTERN = re.compile(r"(?:[A-Z]+ )?/[\w./{}*:$~-]*")

Matches = Callable[[Node], bool]


class Serving(Struct, frozen=True, eq=False):
    """A place where a handler begins to be served. `address` is the expression of the address, if any.

    `mounts` are the paths at which other routers hold it, the outermost first, and whether they take the path off;
    `wraps` are the expressions on the way that put something around it.
    """

    root: Declaration
    node: Node
    address: At | None
    mounts: tuple[tuple[str, bool], ...] = ()
    wraps: tuple[Wrap, ...] = ()

    def visible(self, path: str) -> str | None:
        """The path at which a route of the handler is found; None when no request for it gets there."""
        for mount, is_taken_off in reversed(self.mounts):
            prefix = mount.rstrip("/")
            if is_taken_off:
                path = (prefix + path).rstrip("/") or "/"
            elif path != mount and not (mount.endswith("/") and (path + "/").startswith(mount)):
                return None
        return path


class Route(Struct, frozen=True, eq=False):
    """A registration of a handler. `mux` is the expression it is added to, None for the default mux.

    `path` is empty when it cannot be known.
    """

    root: Declaration
    call: Call
    method: str
    path: str
    handler: At
    mux: Expr | None
    condition: If | None


class HttpServing:
    """Routes of the linked code and the servers that serve them."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.origins = settings, settings.origins
        self.linked, self.texts = settings.origins.linked, settings.origins.texts
        self.tables = Tables(self.origins)
        self._default: list[Serving] | None = None
        self._servings: dict[tuple[int, str | int], list[Serving]] = {}  # by function and router

    # ------------------------------------------------------------ routes

    def routes(self) -> Iterator[Route]:
        """Every route with a constant path that linked code adds."""
        for file in self._candidates():
            for root in self.origins.functions_with(b"", file):
                text = file.data[root.node.start : root.node.end]
                if any(b"." + verb.encode() + b"(" in text for verb in VERBS):
                    yield from self._routes_of(root)

    def _candidates(self) -> Iterator[GoFile]:
        wanted = set(ROUTERS)
        for path in self.linked.files:
            head = self.linked.packages.heads[path]
            if any(i.path in wanted for i in head.imports):
                data = self.linked.repository.read(path)
                if data is not None and any(
                    b"." + verb.encode() + b"(" in data for verb in (*VERBS, "Route")
                ):
                    file = self.linked.file(path)
                    if file is not None:
                        yield file

    def _routes_of(self, root: Declaration) -> Iterator[Route]:
        for node in root.nodes:
            if not isinstance(node, Call) or not isinstance(node.fun, Selector) or node.fun.sel not in VERBS:
                continue
            if node.fun.sel in ("Handler", "HandlerFunc") and len(node.args) == 1:
                yield from self._gorilla(root, node)
                continue
            for row in (not self._is_written(node, root) and self.tables.rows(root, node)) or [{}]:
                route = self._added(root, node, row)
                if route is not None:
                    yield route

    def _is_written(self, call: Call, root: Declaration) -> bool:
        """True when the path is a literal or a constant: no loop changes it."""
        first = call.args[0] if call.args else None
        return isinstance(first, BasicLit) or (
            first is not None and self.texts.constant_of(first, root) is not None
        )

    def _added(self, root: Declaration, node: Call, row: Row) -> Route | None:
        """The route that a call adds in one round of the loops around it."""
        assert isinstance(node.fun, Selector)
        arguments = [self.tables.look_up(a, row) or At(a, root) for a in node.args]
        method = VERBS[node.fun.sel]
        if node.fun.sel in ("Method", "MethodFunc") and len(arguments) == 3:
            method = self.text(arguments.pop(0), row) or ""
        if len(arguments) < 2:
            return None
        path = self.text(arguments[0], row)
        if path is None and len(arguments) == 2 and node.fun.sel in ("Handle", "HandleFunc"):
            if not _looks_like_router(node.fun.x):
                return None
            path = self._computed(root, arguments[0].expr)
        elif path is None or not path.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ ").startswith("/"):
            return None
        if " " in path:
            method, _, path = path.partition(" ")
        return self._route(root, node, method, path.strip(), self._handler(arguments[-1], row), node.fun.x)

    def _handler(self, handler: At, row: Row) -> At:
        """What a round of a loop gives of a handler that is wrapped on the spot, else the handler."""
        for node in walk(handler.expr) if row else ():
            found = self.tables.look_up(node, row) if isinstance(node, Ident | Selector | Index) else None
            if found is not None and not isinstance(found.expr, BasicLit):
                return found
        return handler

    def text(self, at: At, row: Row) -> str | None:
        """The text of an expression in a round of a loop, or None."""
        expr, root, _ = at
        if isinstance(expr, Binary) and expr.op == "+":
            parts = [self.text(At(x, root), row) for x in (expr.x, expr.y)]
            return None if None in parts else "".join(part or "" for part in parts)
        if isinstance(expr, Selector) and self.texts.package_path(expr.x, root) == HTTP:
            return expr.sel[6:].upper() if expr.sel.startswith("Method") else None
        found = self.tables.look_up(expr, row)
        return self.text(found, {}) if found is not None else self.constant(expr, root)

    def _computed(self, root: Declaration, expression: Expr) -> str:
        """The path that a setting holds by default; empty when it cannot be known."""
        for template in self.settings.templates(expression, root):
            text = shell.expand(template, {})
            if text and _PATTERN.fullmatch(text):
                return text
        return ""

    def is_left_unserved(self, route: Route) -> bool:
        """True when it is certain that nothing serves the route: its router is only ever added to."""
        if route.mux is None:
            return True
        if isinstance(route.mux, Call):  # made on the spot, and nobody keeps it
            return self._is_http(route.root, route.mux.fun, ("NewServeMux",))
        if not isinstance(route.mux, Ident):
            return False
        name = route.mux.name
        nodes = route.root.nodes
        if not _is_local(nodes, name):
            return False
        adding = {id(n.fun.x) for n in nodes if isinstance(n, Call) and isinstance(n.fun, Selector)}
        defined = {id(t) for n in nodes if isinstance(n, Assign) and n.op == ":=" for t in n.lhs}
        return all(id(n) in adding | defined for n in nodes if isinstance(n, Ident) and n.name == name)

    def _gorilla(self, root: Declaration, node: Call) -> Iterator[Route]:
        """`r.Path("/x").Methods("GET").Handler(h)`."""
        inner = node.fun.x if isinstance(node.fun, Selector) else None
        while isinstance(inner, Call) and isinstance(inner.fun, Selector):
            if inner.fun.sel == "Path" and inner.args:
                path = self.constant(inner.args[0], root)
                if path:
                    yield self._route(root, node, "", path, At(node.args[0], root), inner.fun.x)
                return
            inner = inner.fun.x

    def _route(self, root: Declaration, call: Call, method: str, path: str, handler: At, mux: Expr) -> Route:
        prefix, base = self.base(root, mux)
        full = (prefix.rstrip("/") + "/" + path.lstrip("/")).removesuffix("{$}")
        full = (full.rstrip("/") or "/") if path else ""
        default = self.texts.package_path(base, root) == HTTP
        condition = self._condition(root, call)
        if condition is None:
            condition = self._condition(handler.root, handler.expr)
        return Route(root, call, method, full, handler, None if default else base, condition)

    def base(self, root: Declaration, mux: Expr) -> tuple[str, Expr]:
        """The router behind groups and sub-routers, and the path prefix they add."""
        prefix = ""
        for _ in range(MAX_DEPTH):
            if isinstance(mux, Ident):
                defined = self._group_definition(root, mux.name)
                if defined is None:
                    break
                mux = defined
            if not isinstance(mux, Call) or not isinstance(mux.fun, Selector):
                break
            if mux.fun.sel in ("Group", "PathPrefix", "Route") and mux.args:
                part = self.constant(mux.args[0], root)
                prefix = (part or "").rstrip("/") + prefix
            elif mux.fun.sel not in ("Subrouter", "With", "Use", "StrictSlash", "Methods", "NewRoute"):
                break
            mux = mux.fun.x
        return prefix, mux

    def _group_definition(self, root: Declaration, name: str) -> Expr | None:
        """What a local router was derived from: `g := r.Group("/x")` or `r.Route("/x", func(g) {})`."""
        for node in root.nodes:
            if isinstance(node, Assign) and len(node.lhs) == len(node.rhs) == 1:
                target, value = node.lhs[0], node.rhs[0]
                if isinstance(target, Ident) and target.name == name and _is_derived(value):
                    return value
            elif (
                isinstance(node, Call)
                and isinstance(node.fun, Selector)
                and node.fun.sel in ("Route", "Group")
            ):
                last = node.args[-1] if node.args else None
                if isinstance(last, FuncLit) and any(p.name == name for p in last.params):
                    return node
        return None

    def _condition(self, root: Declaration, call: Node) -> If | None:
        """The innermost `if` around a call that does not just handle an error."""
        best: If | None = None
        for node in root.nodes:
            if isinstance(node, If) and node.start < call.start < node.end and not mentions_error(node.cond):
                best = node
        return best

    def constant(self, expression: Expr, root: Declaration) -> str | None:
        """The text of an expression that is the same wherever it is asked, or None."""
        found = self.texts.constants(expression, root)
        return found[0] if found is not None and len(found) == 1 else None

    # ------------------------------------------------------------ middlewares

    def middlewares(self, route: Route) -> Iterator[Wrap]:
        """What `Use` puts around a route: in its router and in the groups and routers that this one is part of."""
        router = route.call.fun.x if isinstance(route.call.fun, Selector) else None
        for root, name, until in self._routers(route.root, router, route.call.start, 0):
            for node in root.nodes:
                if not isinstance(node, Call) or not isinstance(node.fun, Selector):
                    continue
                if isinstance(node.fun.x, Ident) and node.fun.x.name == name:
                    is_before = node.start < until or not self._is_in_order(root.file)
                    if node.fun.sel in ("Use", "Pre") and is_before:
                        yield from (Wrap(root, value) for value in node.args)

    def _routers(
        self, root: Declaration, router: Expr | None, until: int, depth: int
    ) -> Iterator[tuple[Declaration, str, int]]:
        """The variables that a router and those around it are in, by function, and where routes are added to it."""
        while router is not None and depth < MAX_DEPTH:
            depth += 1
            if isinstance(router, Call) and isinstance(router.fun, Selector):
                router = router.fun.x
                continue
            if not isinstance(router, Ident):
                return
            yield root, router.name, until
            yield from self._handed_on(root, router.name, until)
            index = _parameter_index(root, router.name)
            if index is not None:
                for caller, call in self.origins.calls_of(root):
                    if index < len(call.args):
                        yield from self._routers(caller, call.args[index], call.start, depth)
                return
            router = self._group_definition(root, router.name)

    def _handed_on(self, root: Declaration, name: str, until: int) -> Iterator[tuple[Declaration, str, int]]:
        """The parameters that a router is handed on to before a place."""
        for node in root.nodes:
            if isinstance(node, Call) and (node.start < until or not self._is_in_order(root.file)):
                for index, argument in enumerate(node.args):
                    if isinstance(argument, Ident) and argument.name == name:
                        for callee in self.origins.functions(node.fun, root)[:4]:
                            parameter = _parameter_name(callee, index)
                            if parameter is not None and callee.node is not root.node:
                                yield callee, parameter, callee.node.end

    def _is_in_order(self, file: GoFile) -> bool:
        """True where `Use` is for the routes that are added after it."""
        routers = {p for p in ROUTERS if p != HTTP and self._file_imports(file, p)}
        return bool(routers) and routers <= set(ORDERED)

    # ------------------------------------------------------------ servers

    def servings(self, route: Route) -> list[Serving]:
        """The places that serve a route's mux; empty when none is found."""
        if route.mux is None:
            return self.default_servings()
        of_mux = route.mux.name if isinstance(route.mux, Ident) else id(route.mux)
        key = (id(route.root.node), of_mux)
        if key not in self._servings:
            self._servings[key] = list(self._served(route.root, route.mux, 0, set()))
        return self._servings[key]

    def default_servings(self) -> list[Serving]:
        """The places that serve http.DefaultServeMux."""
        if self._default is None:
            self._default = []
            holders: list[Declaration] = []
            for path in self.linked.files:
                data = self.linked.repository.read(path)
                if data is None or not any(
                    s in data for s in (b".ListenAndServe", b".Serve(", b".ServeTLS(", b".DefaultServeMux")
                ):
                    continue
                file = self.linked.file(path)
                if file is not None:
                    holders += self.origins.functions_with(b".DefaultServeMux", file)
                for root in self.origins.functions_with(b"Serve", file) if file is not None else ():
                    self._default += self._default_in(root)
            self._default += [s for root in holders for s in self._default_mounted(root)]
            self._default += [s for root in holders for s in self._default_handed_on(root)]
        return self._default

    def _default_mounted(self, root: Declaration) -> Iterator[Serving]:
        """Where other routers are served that a function puts http.DefaultServeMux into."""

        def is_it(node: Node) -> bool:
            inner = node.x if isinstance(node, Selector) and node.sel == "ServeHTTP" else node
            return isinstance(inner, Selector) and self._is_http(root, inner, ("DefaultServeMux",))

        for node in root.nodes:
            if isinstance(node, Call) and isinstance(node.fun, Selector) and self._mounts(node, is_it):
                if self.texts.package_path(node.fun.x, root) != HTTP:
                    yield from self._mounted(root, node, is_it, 0, set())

    def _default_handed_on(self, root: Declaration) -> Iterator[Serving]:
        """Where http.DefaultServeMux is served that a function hands on to others."""

        def is_it(node: Node) -> bool:
            return isinstance(node, Selector) and self._is_http(root, node, ("DefaultServeMux",))

        seen: set[object] = set()
        for node in root.nodes:
            if isinstance(node, Call) and not self._is_http(root, node.fun, STARTS):
                if any(_holds(argument, is_it) for argument in node.args):
                    yield from self._into_call(root, node, is_it, 0, seen)
                    yield from _wrapped(self._flows(root, _is(node), 0, set()), root, node, is_it)

    def _default_in(self, root: Declaration) -> Iterator[Serving]:
        for node in root.nodes:
            if isinstance(node, Call) and self._is_http(root, node.fun, STARTS):
                handler = node.args[-1] if len(node.args) > 1 else None
                if handler is not None and (_is_nil(handler) or self._is_default_mux(root, handler)):
                    yield from self._default_in_value(
                        root, handler, [Serving(root, node, At(node.args[0], root))]
                    )
            elif isinstance(node, CompositeLit) and self._is_http(root, node.type, ("Server",)):
                handler = element(node, "Handler")
                if handler is None and self._handler_is_set(root):
                    continue
                if handler is None or _is_nil(handler) or self._is_default_mux(root, handler):
                    started = self._started(root, node, _address_in(node, root), 0)
                    yield from self._default_in_value(root, handler, started)

    def _default_in_value(
        self, root: Declaration, handler: Expr | None, servings: Iterable[Serving]
    ) -> Iterator[Serving]:
        """Servings of an expression with http.DefaultServeMux in it, or of nil, which stands for it."""
        if handler is None or _is_nil(handler):
            yield from servings
            return
        inner = next(
            (n for n in walk(handler) if isinstance(n, Selector) and self._is_default_mux(root, n)), None
        )
        yield from _wrapped(servings, root, handler, _is(inner)) if inner is not None else servings

    def _handler_is_set(self, root: Declaration) -> bool:
        return any(
            isinstance(t, Selector) and t.sel == "Handler"
            for n in root.nodes
            if isinstance(n, Assign)
            for t in n.lhs
        )

    def _is_http(self, root: Declaration, expression: Expr | None, names: tuple[str, ...]) -> bool:
        return (
            isinstance(expression, Selector)
            and expression.sel in names
            and self.texts.package_path(expression.x, root) == HTTP
        )

    def _is_default_mux(self, root: Declaration, expression: Expr) -> bool:
        return any(
            self._is_http(root, n, ("DefaultServeMux",)) for n in walk(expression) if isinstance(n, Selector)
        )

    def _served(self, root: Declaration, mux: Expr, depth: int, seen: set[object]) -> Iterator[Serving]:
        """Where the value of an expression in a function ends up being served."""
        if depth > MAX_DEPTH:
            return
        while isinstance(mux, Star | Unary):
            mux = mux.x
        if isinstance(mux, Ident):
            key: object = (id(root.node), mux.name)
            if key not in seen:
                seen.add(key)
                yield from self._served_name(root, mux.name, depth, seen)
        elif isinstance(mux, Selector):
            if self._is_default_mux(root, mux):
                yield from self.default_servings()
                return
            key = (root.package.folder, mux.sel)
            if key not in seen:
                seen.add(key)
                yield from self._served_field(root, mux.sel, depth, seen)
        elif isinstance(mux, Call):
            yield from self._flows(root, _is(mux), depth, seen)

    def _served_name(self, root: Declaration, name: str, depth: int, seen: set[object]) -> Iterator[Serving]:
        yield from self._flows_named(root, name, depth, seen)
        index = _parameter_index(root, name)
        if index is not None:
            for caller, call in self.origins.calls_of(root):
                if index < len(call.args):
                    yield from self._served(caller, call.args[index], depth + 1, seen)
        elif not _is_local(root.nodes, name):
            for other in self._package_functions(root.package.folder, name.encode()):
                if id(other.node) != id(root.node):
                    yield from self._flows_named(other, name, depth + 1, seen)

    def _flows_named(self, root: Declaration, name: str, depth: int, seen: set[object]) -> Iterator[Serving]:
        """`_flows` of a variable or parameter."""
        again = list(self._wrapped_again(root, name))
        for serving in self._flows(root, _is_named(name), depth, seen):
            more = [
                w for w in again if serving.root.node is not root.node or w.value.start < serving.node.start
            ]
            yield replace(serving, wraps=(*serving.wraps, *more)) if more else serving

    def _wrapped_again(self, root: Declaration, name: str) -> Iterator[Wrap]:
        """What is put around a variable in place: `h = wrap(h)`."""
        for node in root.nodes:
            if isinstance(node, Assign) and len(node.lhs) == len(node.rhs):
                for target, value in zip(node.lhs, node.rhs, strict=True):
                    inner = _held(value, _is_named(name)) if _is_named(name)(target) else None
                    if inner is not None and inner is not _strip(value):
                        is_sure = not any(
                            isinstance(n, If) and n.start < node.start < n.end for n in root.nodes
                        )
                        yield Wrap(root, value, inner, optional=not is_sure)

    def _served_field(self, root: Declaration, name: str, depth: int, seen: set[object]) -> Iterator[Serving]:
        for other in self._package_functions(root.package.folder, name.encode()):
            yield from self._flows(other, _is_field(name), depth, seen)

    def _package_functions(self, directory: str, literal: bytes) -> Iterator[Declaration]:
        for file in self.linked.files_with(literal, directory=directory):
            yield from self.origins.functions_with(literal, file)

    def _flows(self, root: Declaration, matches: Matches, depth: int, seen: set[object]) -> Iterator[Serving]:
        """Follows a value through a function: into servers, other variables, results and arguments."""
        if depth > MAX_DEPTH:
            return
        for node in root.nodes:
            if isinstance(node, Call):
                yield from self._into_call(root, node, matches, depth, seen)
            elif isinstance(node, CompositeLit) and self._is_http(root, node.type, ("Server",)):
                handler = element(node, "Handler")
                if handler is not None and _holds(handler, matches):
                    found: Iterable[Serving] = self._started(root, node, _address_in(node, root), depth)
                    yield from _wrapped(found, root, handler, matches)
            elif isinstance(node, Assign):
                yield from self._into_variable(root, node, matches, depth, seen)
            elif isinstance(node, ValueSpec):
                for target, value in zip(node.names, node.values, strict=False):
                    if _holds(value, matches):
                        found = self._served(root, target, depth + 1, seen)
                        yield from _wrapped(found, root, value, matches)
            elif isinstance(node, CompositeLit):
                for key, value in node.elements:
                    if isinstance(key, Ident) and _holds(value, matches) and key.name != "Handler":
                        found = self._served_once(root, key.name, depth, seen)
                        yield from _wrapped(found, root, value, matches)
            elif isinstance(node, Return):
                held = next((v for v in node.values if _holds(v, matches)), None)
                if held is not None:
                    yield from _wrapped(self._into_callers(root, depth, seen), root, held, matches)

    def _into_callers(self, root: Declaration, depth: int, seen: set[object]) -> Iterator[Serving]:
        if ("result", id(root.node)) not in seen:
            seen.add(("result", id(root.node)))
            for caller, call in self.origins.calls_of(root):
                yield from self._flows(caller, _is(call), depth + 1, seen)

    def _served_once(self, root: Declaration, field: str, depth: int, seen: set[object]) -> Iterator[Serving]:
        key = (root.package.folder, field)
        if key not in seen:
            seen.add(key)
            yield from self._served_field(root, field, depth + 1, seen)

    def _into_call(
        self, root: Declaration, call: Call, matches: Matches, depth: int, seen: set[object]
    ) -> Iterator[Serving]:
        if self._is_http(root, call.fun, STARTS):
            if len(call.args) > 1 and _holds(call.args[-1], matches):
                served = Serving(root, call, At(call.args[0], root))
                yield from _wrapped((served,), root, call.args[-1], matches)
            return
        if isinstance(call.fun, Selector):
            if self._is_starter(root.file, call.fun.sel) and _holds(call.fun.x, matches):
                yield Serving(root, call, At(call.args[0], root) if call.args else None)
                return
            if self._mounts(call, matches):
                yield from self._mounted(root, call, matches, depth, seen)
                return
        for index, argument in enumerate(call.args):
            if matches(argument) or (isinstance(argument, Unary) and matches(argument.x)):
                for callee in self.origins.functions(call.fun, root)[:4]:
                    name = _parameter_name(callee, index)
                    if name is not None and (id(callee.node), name) not in seen:
                        seen.add((id(callee.node), name))
                        yield from self._flows_named(callee, name, depth + 1, seen)

    @staticmethod
    def _mounts(call: Call, matches: Matches) -> bool:
        """True for a call that puts the value into a router."""
        name = call.fun.sel if isinstance(call.fun, Selector) else ""
        is_mount = name in VERBS or name in ("Mount", "Handler")
        return is_mount and len(call.args) > 1 and any(_holds(a, matches) for a in call.args[1:])

    def _mounted(
        self, root: Declaration, call: Call, matches: Matches, depth: int, seen: set[object]
    ) -> Iterator[Serving]:
        """Where the router is served that a call puts the value into."""
        assert isinstance(call.fun, Selector)
        if _holds(call.fun.x, matches):
            return
        if self.texts.package_path(call.fun.x, root) == HTTP:
            found: Iterable[Serving] = self.default_servings()
        else:
            found = self._served(root, self.base(root, call.fun.x)[1], depth + 1, seen)
        mount = self._mount(root, call)
        found = (replace(s, mounts=(*s.mounts, *mount)) for s in found)
        yield from _wrapped(found, root, call.args[-1], matches)

    def _mount(self, root: Declaration, call: Call) -> tuple[tuple[str, bool], ...]:
        """Where a call puts a handler into a router of net/http or chi; nothing where that changes no path."""
        path = self.constant(call.args[0], root)
        if path is None or not isinstance(call.fun, Selector) or call.fun.sel not in ("Handle", "Mount"):
            return ()
        path = path.rpartition(" ")[2]
        if not path.startswith("/") or path == "/" or re.search(r"[*{:]", path):
            return ()
        strips = any(self._is_http(root, n, ("StripPrefix",)) for n in walk(call.args[1]))
        return ((path, strips or call.fun.sel == "Mount"),)

    def _is_starter(self, file: GoFile, name: str) -> bool:
        """True for a method of a router that starts a server itself, where the file imports such a router."""
        return any(name in names and self._file_imports(file, path) for path, names in SELF_STARTING.items())

    def _file_imports(self, file: GoFile, path: str) -> bool:
        return any(i.path == path for i in self.linked.packages.heads[file.path].imports)

    def _into_variable(
        self, root: Declaration, node: Assign, matches: Matches, depth: int, seen: set[object]
    ) -> Iterator[Serving]:
        for position, value in enumerate(node.rhs):
            if not _holds(value, matches) or isinstance(value, FuncLit):
                continue
            target = node.lhs[position] if len(node.lhs) == len(node.rhs) else node.lhs[0]
            if isinstance(target, Selector) and target.sel == "Handler":
                found = self._started_value(root, target.x, self._address(root, target.x), depth)
                yield from _wrapped(found, root, value, matches)
            elif (
                isinstance(target, Ident | Selector) and not matches(target) and not _is_server_literal(value)
            ):
                found = self._served(root, target, depth + 1, seen)
                yield from _wrapped(found, root, value, matches)

    def _address(self, root: Declaration, server: Expr) -> At | None:
        """The address of a server whose handler is set after it was made."""
        for node in root.nodes:
            for target, value in zip(node.lhs, node.rhs, strict=False) if isinstance(node, Assign) else ():
                literal = _strip(value)
                if isinstance(target, Selector) and target.sel == "Addr" and _same(target.x, server):
                    return At(value, root)
                if isinstance(literal, CompositeLit) and _same(target, server):
                    return _address_in(literal, root)
        return None

    # ------------------------------------------------------------ is the server started?

    def _started(
        self, root: Declaration, literal: CompositeLit, address: At | None, depth: int
    ) -> Iterator[Serving]:
        """Where an http.Server literal is started: through a variable or field, or directly."""
        for node in root.nodes:
            if isinstance(node, Assign):
                for position, value in enumerate(node.rhs):
                    if _strip(value) is literal and position < len(node.lhs):
                        yield from self._started_value(root, node.lhs[position], address, depth)
            elif isinstance(node, ValueSpec):
                for name, value in zip(node.names, node.values, strict=False):
                    if _strip(value) is literal:
                        yield from self._started_value(root, name, address, depth)
            elif isinstance(node, Call) and isinstance(node.fun, Selector) and node.fun.sel in STARTS:
                if _strip(node.fun.x) is literal:
                    yield Serving(root, node, address)
            elif isinstance(node, Return) and any(_strip(v) is literal for v in node.values):
                for caller, call in self.origins.calls_of(root):
                    yield from self._started_result(caller, call, address, depth + 1)
            elif isinstance(node, CompositeLit) and node is not literal:
                for key, value in node.elements:
                    if _strip(value) is literal and isinstance(key, Ident):
                        yield from self._started_field(root, key.name, address)

    def _started_result(
        self, root: Declaration, call: Call, address: At | None, depth: int
    ) -> Iterator[Serving]:
        if depth > MAX_DEPTH:
            return
        for node in root.nodes:
            if isinstance(node, Assign):
                for position, value in enumerate(node.rhs):
                    if value is call:
                        target = node.lhs[position if len(node.lhs) == len(node.rhs) else 0]
                        yield from self._started_value(root, target, address, depth)
            elif isinstance(node, Call) and isinstance(node.fun, Selector) and node.fun.x is call:
                if node.fun.sel in STARTS:
                    yield Serving(root, node, address)
            elif isinstance(node, Return) and any(v is call for v in node.values):
                for caller, outer in self.origins.calls_of(root):
                    yield from self._started_result(caller, outer, address, depth + 1)

    def _started_value(
        self, root: Declaration, server: Expr, address: At | None, depth: int
    ) -> Iterator[Serving]:
        if isinstance(server, Selector):
            yield from self._started_field(root, server.sel, address)
            return
        if not isinstance(server, Ident) or depth > MAX_DEPTH:
            return
        name = server.name
        for node in root.nodes:
            if isinstance(node, Call):
                if isinstance(node.fun, Selector) and node.fun.sel in STARTS:
                    if isinstance(node.fun.x, Ident) and node.fun.x.name == name:
                        yield Serving(root, node, address)
                    continue
                for index, argument in enumerate(node.args):
                    if isinstance(argument, Ident) and argument.name == name:
                        for callee in self.origins.functions(node.fun, root)[:4]:
                            parameter = _parameter_name(callee, index)
                            if parameter is not None:
                                inner = Ident(0, 0, parameter)
                                yield from self._started_value(callee, inner, address, depth + 1)
            elif isinstance(node, Return) and any(
                isinstance(v, Ident) and v.name == name for v in node.values
            ):
                for caller, call in self.origins.calls_of(root):
                    yield from self._started_result(caller, call, address, depth + 1)
            elif isinstance(node, CompositeLit):
                for key, value in node.elements:
                    if isinstance(key, Ident) and isinstance(value, Ident) and value.name == name:
                        yield from self._started_field(root, key.name, address)
            elif isinstance(node, Assign):
                for target, value in zip(node.lhs, node.rhs, strict=False):
                    if isinstance(value, Ident) and value.name == name and isinstance(target, Selector):
                        yield from self._started_field(root, target.sel, address)
        if not _is_local(root.nodes, name) and _parameter_index(root, name) is None:
            yield from self._started_field(root, name, address)

    def _started_field(self, root: Declaration, name: str, address: At | None) -> Iterator[Serving]:
        for other in self._package_functions(root.package.folder, name.encode()):
            for node in other.nodes:
                fun = node.fun if isinstance(node, Call) else None
                if isinstance(fun, Selector) and fun.sel in STARTS and last_name(fun.x) == name:
                    yield Serving(other, node, address)


def _is(wanted: Node) -> Matches:
    return lambda node: node is wanted


def _is_named(name: str) -> Matches:
    return lambda node: isinstance(node, Ident) and node.name == name


def _is_field(name: str) -> Matches:
    return lambda node: isinstance(node, Selector) and node.sel == name


def _looks_like_router(expression: Expr) -> bool:
    name = last_name(expression)
    return any(word in name.lower() for word in ("mux", "router", "http", "engine", "app")) or name in (
        "r",
        "e",
        "g",
    )


def _is_derived(value: Expr) -> bool:
    return (
        isinstance(value, Call)
        and isinstance(value.fun, Selector)
        and value.fun.sel in ("Group", "Subrouter", "PathPrefix", "With", "Route")
    )


def _address_in(server: CompositeLit, root: Declaration) -> At | None:
    found = element(server, "Addr")
    return At(found, root) if found is not None else None


def _strip(value: Expr) -> Expr:
    return value.x if isinstance(value, Unary) and value.op == "&" else value


def _same(one: Expr, other: Expr) -> bool:
    """True for two mentions of the same variable or field."""
    if isinstance(one, Ident) and isinstance(other, Ident):
        return one.name == other.name
    return isinstance(one, Selector) and isinstance(other, Selector) and one.sel == other.sel


def _is_server_literal(value: Expr) -> bool:
    inner = _strip(value)
    return isinstance(inner, CompositeLit) and isinstance(inner.type, Selector) and inner.type.sel == "Server"


def _is_nil(expression: Expr) -> bool:
    return isinstance(expression, Ident) and expression.name == "nil"


def _wrapped(
    servings: Iterable[Serving], root: Declaration, value: Expr, matches: Matches
) -> Iterator[Serving]:
    """Servings of an expression that holds the value, with what it puts around it."""
    inner = _held(value, matches)
    if inner is None or inner is _strip(value):
        yield from servings
        return
    wrap = Wrap(root, value, inner)
    yield from (replace(s, wraps=(*s.wraps, wrap)) for s in servings)


def _holds(expression: Expr, matches: Matches) -> bool:
    """True when the value flows into the expression: it is it, or an argument, element or operand of it."""
    return _held(expression, matches) is not None


def _held(expression: Expr, matches: Matches) -> Expr | None:
    """The part of an expression that is the value which flows into it."""
    stack: list[Expr] = [expression]
    while stack:
        node = stack.pop()
        if matches(node):
            return node
        if isinstance(node, Call):
            stack += [*node.args, node.fun.x] if isinstance(node.fun, Selector) else node.args
        elif isinstance(node, CompositeLit):
            stack += [v for _, v in node.elements]
        elif isinstance(node, Unary | Star | Index) or (
            isinstance(node, Selector) and node.sel == "ServeHTTP"
        ):
            stack.append(node.x)
        elif isinstance(node, FuncLit):
            calls = [c for c in walk(node.body) if isinstance(c, Call) and isinstance(c.fun, Selector)]
            stack += [c.fun.x for c in calls if isinstance(c.fun, Selector) and c.fun.sel == "ServeHTTP"]
    return None


def _parameter_index(root: Declaration, name: str) -> int | None:
    return next((i for i, p in enumerate(root.params) if p.name == name), None)


def _parameter_name(root: Declaration, index: int) -> str | None:
    params = root.params
    if not params:
        return None
    return params[min(index, len(params) - 1)].name if index < len(params) or params[-1].variadic else None


def _is_local(nodes: list[Node], name: str) -> bool:
    for node in nodes:
        if isinstance(node, Assign) and node.op == ":=":
            if any(isinstance(t, Ident) and t.name == name for t in node.lhs):
                return True
        elif isinstance(node, ValueSpec) and any(n.name == name for n in node.names):
            return True
    return False


def http_serving(store: FactStore) -> HttpServing:
    """The HTTP routes and servers of the repository."""
    return HttpServing(store.get(settings))
