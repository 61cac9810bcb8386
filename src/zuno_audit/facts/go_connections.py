"""Which real connections the body of a test, or of what it calls, opens.

A connection is opened by a function of a library, or by a method of one of its types: whose method a call is
says the static type of what it is called on, however that came to be there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

from zuno_audit.facts.go.program import Declaration, Package, Program
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.facts.go.texts import Texts
from zuno_audit.facts.go.types import Type, Types
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go_tests import Body

MAX_SOURCES = 4  # values of a variable whose type is an interface

_CONNECTORS: tuple[tuple[str, str, str], ...] = (
    # kind, import path, functions
    ("sql", r"^database/sql$", r"Open|OpenDB"),
    ("postgres", r"jackc/pgx|/pgxpool$", r"Connect|ConnectConfig|New|NewWithConfig"),
    ("postgres", r"^gorm\.io/gorm$|jmoiron/sqlx$", r"Open|Connect|MustConnect"),
    ("postgres", r"testcontainers-go/modules/postgres$", r"Run|RunContainer"),
    ("redis", r"testcontainers-go/modules/redis$", r"Run|RunContainer"),
    (
        "redis",
        r"redis/go-redis|go-redis/redis",
        r"NewClient|NewClusterClient|NewUniversalClient|NewFailoverClient",
    ),
    ("redis", r"gomodule/redigo", r"Dial|DialURL|DialContext"),
    ("rabbitmq", r"testcontainers-go/modules/rabbitmq$", r"Run|RunContainer"),
    ("rabbitmq", r"rabbitmq/amqp091-go|streadway/amqp|Azure/go-amqp", r"Dial|DialConfig|DialTLS|Open"),
    ("mongo", r"mongo-driver(?:/v2)?/mongo$", r"Connect|NewClient"),
    ("mongo", r"testcontainers-go/modules/mongodb$", r"Run|RunContainer"),
    ("container", r"testcontainers/testcontainers-go$|ory/dockertest", r"GenericContainer|Run|NewPool"),
    (
        "websocket",
        r"(?:gorilla|fasthttp|coder)/websocket$|nhooyr\.io/websocket$|x/net/websocket$|gobwas/ws$",
        r"Dial|DialConfig|NewClient",
    ),
    ("websocket", r"hasura/go-graphql-client$", r"NewSubscriptionClient"),
    ("websocket", r"Khan/genqlient/graphql$", r"NewClientUsingWebSocket(?:WithConnectionParams)?"),
    ("http", r"^net/http$", r"Get|Post|PostForm|Head|NewRequest|NewRequestWithContext"),
    (
        "graphql",
        r"hasura/go-graphql-client|machinebox/graphql|shurcooL/graphql|Khan/genqlient",
        r"NewClient",
    ),
    ("grpc", r"^google\.golang\.org/grpc$", r"NewClient|Dial|DialContext"),
    ("net", r"^net$", r"Dial|DialTimeout"),
)
# kind, import path, type, methods
_METHODS: tuple[tuple[str, str, str, str], ...] = (
    ("websocket", r"(?:gorilla|fasthttp)/websocket$|gobwas/ws$", r"Dialer", r"Dial|DialContext"),
    ("websocket", r"^golang\.org/x/net/websocket$", r"Config", r"DialContext"),
    ("websocket", r"^github\.com/99designs/gqlgen/client$", r"Client", r"Websocket\w*"),
    ("net", r"^net$|^crypto/tls$", r"Dialer", r"Dial|DialContext"),
)
_COMPILED_METHODS = tuple(
    (kind, re.compile(path), re.compile(rf"(?:{type_})$"), re.compile(rf"(?:{names})$"))
    for kind, path, type_, names in _METHODS
)
_METHOD_CALL = re.compile(rf"\.\s*(?:{'|'.join(names for *_, names in _METHODS)})\s*\(")
_COMPILED = tuple((kind, re.compile(path), re.compile(rf"(?:{names})$")) for kind, path, names in _CONNECTORS)
_DOUBLES = re.compile(r"sqlmock|miniredis|redismock|httptest|bufconn|amqpmock|mtest|mongomock|gock|httpmock")


def connections(body: Body, receivers: Receivers) -> Iterator[tuple[str, str]]:
    """(kind, place) of every real connection that a body opens. In-memory doubles do not count."""
    doubles = any(_DOUBLES.search(name) for name in _names_in(body))
    for at, kind in (*_by_functions(body), *_by_methods(body, receivers)):
        if not (doubles and kind in ("sql", "redis", "http", "net")):
            yield kind, f"{body.file.path}:{body.file.line(at)}"


def _by_functions(body: Body) -> Iterator[tuple[int, str]]:
    for at, qualifier, name in body.calls:
        import_path = body.file.imports.get(qualifier, "") if qualifier else ""
        for kind in _kinds(import_path, name) if import_path else ():
            yield body.start + at, kind


def _by_methods(body: Body, receivers: Receivers) -> Iterator[tuple[int, str]]:
    if _METHOD_CALL.search(body.live) is None:
        return
    for at, type_, name in receivers.method_calls(body):
        for kind, path, of_type, names in _COMPILED_METHODS:
            if names.match(name) and of_type.match(type_.name) and path.search(type_.path):
                yield at, kind


class Receivers:
    """Whose methods calls are: the types of the program, with those of its test files."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.texts = Texts(program)
        self.types = Types(program)

    def method_calls(self, body: Body) -> Iterator[tuple[int, Type, str]]:
        """(offset, type from elsewhere, method) of every living call of such a type's method in a body."""
        root = self._declaration(body)
        if root is None:
            return
        for node in s.walk(root.node):
            if isinstance(node, s.Call) and isinstance(node.fun, s.Selector):
                at = self._offset(body, node.fun.end - 1)
                if body.start <= at <= body.end and body.is_live(at):
                    for type_ in self._owners(node.fun.x, node.fun.sel, root, 0):
                        yield at, type_, node.fun.sel

    def _declaration(self, body: Body) -> Declaration | None:
        """The syntax of the function whose body it is."""
        path = body.file.path
        package = self._package(path)
        file = self.program.file(path)
        if package is None or file is None or file.error_line:
            return None
        for node in file.functions_with(body.function.name.encode()):
            if node.name == body.function.name and self._offset(body, node.start) == body.function.start:
                return Declaration(package, file, node)
        return None

    def _package(self, path: str) -> Package | None:
        is_test = path.endswith("_test.go")
        return self.program.test_package_of(path) if is_test else self.program.package_of(path)

    def _offset(self, body: Body, at: int) -> int:
        """An offset of the syntax, which counts bytes, as one of the text."""
        if body.file.text.isascii():
            return at
        data = self.program.repository.read(body.file.path) or b""
        return len(data[:at].removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))

    def _owners(self, expr: s.Expr, method: str, root: Declaration, depth: int) -> Iterator[Type]:
        """The types from elsewhere whose method it may be."""
        found = static_type(expr, root, self.texts, self.types)
        base = found.elem if found is not None and found.kind == "pointer" else found
        if base is not None and base.kind == "named":
            promoted = self.types.find_method(base, method)
            base = promoted[1] if promoted is not None and isinstance(promoted[1], Type) else None
        if base is not None and base.kind == "extern":
            yield base
        elif isinstance(expr, s.Ident) and depth < MAX_SOURCES:  # an interface: what is put into it
            variable = self.texts.bindings(root).variable(expr.name, expr.start)
            for source in variable.sources[:MAX_SOURCES] if variable is not None else ():
                if source.kind == "value" and source.expr is not None:
                    yield from self._owners(source.expr, method, root, depth + 1)


@lru_cache(maxsize=4096)
def is_connector(import_path: str) -> bool:
    """True for libraries that can open a connection."""
    paths = [path for _, path, *_ in _COMPILED] + [path for _, path, *_ in _COMPILED_METHODS]
    return any(path.search(import_path) for path in paths)


@lru_cache(maxsize=4096)
def _kinds(import_path: str, name: str) -> tuple[str, ...]:
    return tuple(kind for kind, path, names in _COMPILED if names.match(name) and path.search(import_path))


def _names_in(body: Body) -> Iterable[str]:
    return {first for _, qualifier, _ in body.calls if (first := qualifier.split(".")[0])}
