"""What cannot be followed is `no` where the repository has nowhere what is asked for, else `unknown`."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go import clients, servers

# What nobody can follow gives options to a server and a connection.
OPEN = """
type source interface {
    Server() []grpc.ServerOption
    Dial() []grpc.DialOption
}

var registered = map[string]source{}

func Register(name string, s source) { registered[name] = s }

func main() {
    s := registered[os.Getenv("KIND")]
    server := grpc.NewServer(s.Server()...)
    conn, err := grpc.NewClient("x:1", s.Dial()...)
    fmt.Println(server, conn, err)
}
"""
UNARY = "func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error)"
CLIENT = "(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error"
CALL = "invoker(ctx, method, req, reply, cc, opts...)"


def server(root: Path, more: str = "", **files: str) -> object:
    others = {f"{name}/{name}.go": go_file(text, package=name) for name, text in files.items()}
    rows = servers.table(analyse(root, {"main.go": go_file(OPEN + more), **others})).rows
    assert len(rows) == 1
    return rows[0].get("unary_recovery").value


def client(root: Path, more: str = "", **files: str) -> object:
    others = {f"{name}/{name}.go": go_file(text, package=name) for name, text in files.items()}
    rows = clients.table(analyse(root, {"main.go": go_file(OPEN + more), **others})).rows
    assert len(rows) == 1
    return rows[0].get("circuit_breaker").value


@pytest.mark.parametrize(
    "more",
    [
        "",
        "func web(next http.Handler) http.Handler { return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { defer func() { recover() }(); next.ServeHTTP(w, r) }) }",
        "func work(f func()) { defer func() { if r := recover(); r != nil { log.Println(r) } }(); f() }",
        "func safe() { if r := recover(); r != nil { log.Println(r) } }\nfunc work(f func()) { defer safe(); f() }",
        "func traced() grpc.ServerOption { return grpc.UnaryInterceptor(otelgrpc.UnaryServerInterceptor()) }",
    ],
)
def test_nothing_recovers(tmp_path: Path, more: str) -> None:
    assert server(tmp_path, more) == "no"


@pytest.mark.parametrize(
    "more",
    [
        f"func guard() grpc.UnaryServerInterceptor {{ return {UNARY} {{ defer func() {{ if r := recover(); r != nil {{ err = errors.New("
        '"x") } }(); return handler(ctx, req) } }',
        f"func safe(err *error) {{ if r := recover(); r != nil {{ *err = errors.New("
        f'"x") }} }}\nfunc guard() grpc.UnaryServerInterceptor {{ return {UNARY} {{ defer safe(&err); return handler(ctx, req) }} }}',
        "func guard() grpc.ServerOption { return grpc.UnaryInterceptor(recovery.UnaryServerInterceptor()) }",
        "func guard() grpc.ServerOption { return grpc.UnaryInterceptor(breaker.UnaryServerInterceptor()) }",
    ],
    ids=["interceptor", "helper", "library", "library that is not known"],
)
def test_something_may_recover(tmp_path: Path, more: str) -> None:
    assert server(tmp_path, more) == "unknown"


def test_a_library_without_callers_is_open(tmp_path: Path) -> None:
    code = "func New(options ...grpc.ServerOption) *grpc.Server { return grpc.NewServer(options...) }"
    rows = servers.table(analyse(tmp_path, {"lib/lib.go": go_file(code, package="lib")})).rows
    assert [row.get("unary_recovery").value for row in rows] == ["unknown"]


@pytest.mark.parametrize(
    "more",
    [
        "",
        f"func timed{CLIENT} {{ start := time.Now(); err := {CALL}; log.Println(time.Since(start)); return err }}",
        f'func login{CLIENT} {{ if os.Getenv("TOKEN") == "" {{ return errors.New("no token") }}; return {CALL} }}',
        "// A circuit breaker would be nice here.",
    ],
)
def test_no_breaker(tmp_path: Path, more: str) -> None:
    assert client(tmp_path, more) == "no"


@pytest.mark.parametrize(
    "more",
    [
        f'var bad int\nfunc fuse{CLIENT} {{ if bad > 5 {{ return errors.New("later") }}; err := {CALL}; if err != nil {{ bad++ }}; return err }}',
        f"var bad int\nfunc fuse{CLIENT} {{ var err error; if bad < 5 {{ err = {CALL}; if err != nil {{ bad++ }} }}; return err }}",
        f"func through(f func() error) error {{ return f() }}\nfunc fuse{CLIENT} {{ return through(func() error {{ return {CALL} }}) }}",
        "var cb = gobreaker.NewCircuitBreaker(gobreaker.Settings{})",
    ],
    ids=["refuses first", "calls in a branch only", "hands the call on", "library"],
)
def test_something_may_be_a_breaker(tmp_path: Path, more: str) -> None:
    assert client(tmp_path, more) == "unknown"


def test_a_breaker_for_something_else_is_none(tmp_path: Path) -> None:
    cache = 'var cb = gobreaker.NewCircuitBreaker(gobreaker.Settings{})\nfunc Get() any { v, _ := cb.Execute(func() (any, error) { return http.Get("http://x") }); return v }'
    assert client(tmp_path, cache=cache) == "no"
