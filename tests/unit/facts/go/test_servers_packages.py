"""Servers through several packages: wrappers, vendored libraries, dependency injection, what is not built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.facts.go.test_servers_callers import rows
from tests.unit.facts.go.test_servers_options import S, U

OPTS = f"[]grpc.ServerOption{{{U}, {S}}}"
GRPC = '"google.golang.org/grpc"'


def vendored(code: str, package: str, *imports: str) -> str:
    """A file of a vendored package, with its imports written out."""
    lines = "".join(f"\t{i}\n" for i in (GRPC, *imports))
    return f"package {package}\n\nimport (\n{lines})\n\n{code}\n"


KIT = "type Config struct { Middleware []grpc.UnaryServerInterceptor; Port int }\nfunc New(c Config) *grpc.Server { xs := append([]grpc.UnaryServerInterceptor{safety.Plain}, c.Middleware...); return grpc.NewServer(grpc.ChainUnaryInterceptor(xs...)) }"
VENDORED_KIT = vendored(
    "type Config struct { Unary []grpc.UnaryServerInterceptor }\nfunc New(c Config) *grpc.Server { return grpc.NewServer(grpc.ChainUnaryInterceptor(c.Unary...)) }",
    "kit",
)
# Frameworks that build the server themselves: a base with methods that add, behind an interface...
ZRPC_INTERNAL = """
type Server interface { AddUnaryInterceptors(xs ...grpc.UnaryServerInterceptor); Start() error }
type baseRpcServer struct { unary []grpc.UnaryServerInterceptor }
func newBase() *baseRpcServer { return &baseRpcServer{} }
func (b *baseRpcServer) AddUnaryInterceptors(xs ...grpc.UnaryServerInterceptor) { b.unary = append(b.unary, xs...) }
type rpcServer struct { *baseRpcServer; name string }
func NewRpcServer() Server { return &rpcServer{baseRpcServer: newBase()} }
func (s *rpcServer) Start() error { return grpc.NewServer(grpc.ChainUnaryInterceptor(s.unary...)).Serve(nil) }
"""
ZRPC = """
type Config struct { Recover bool }
type RpcServer struct { server internal.Server }
func MustNewServer(c Config) *RpcServer { s, err := NewServer(c); if err != nil { log.Fatal(err) }; return s }
func NewServer(c Config) (*RpcServer, error) { if err := c.Validate(); err != nil { return nil, err }; s := internal.NewRpcServer(); setup(s, c); return &RpcServer{server: s}, nil }
func (c Config) Validate() error { return nil }
func setup(s internal.Server, c Config) { if c.Recover { s.AddUnaryInterceptors(safety.Unary) } }
func (r *RpcServer) Start() { if err := r.server.Start(); err != nil { panic(err) } }
"""
# ... and middleware of the framework's own kind, adapted to one interceptor.
KRATOS = """
type Middleware func(Handler) Handler
type Handler func(ctx context.Context, req any) (any, error)
type Server struct { *grpc.Server; m []Middleware; in []grpc.UnaryServerInterceptor; opts []grpc.ServerOption }
type ServerOption func(*Server)
func WithMiddleware(m ...Middleware) ServerOption { return func(s *Server) { s.m = append(s.m, m...) } }
func Options(o ...grpc.ServerOption) ServerOption { return func(s *Server) { s.opts = o } }
func Chain(m ...Middleware) Middleware { return func(next Handler) Handler { for i := len(m) - 1; i >= 0; i-- { next = m[i](next) }; return next } }
func (s *Server) unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		h := func(ctx context.Context, req any) (any, error) { return handler(ctx, req) }
		if len(s.m) > 0 { return Chain(s.m...)(h)(ctx, req) }
		return h(ctx, req)
	}
}
func New(opts ...ServerOption) *Server {
	srv := &Server{}
	for _, o := range opts { o(srv) }
	unary := []grpc.UnaryServerInterceptor{srv.unary()}
	if len(srv.in) > 0 { unary = append(unary, srv.in...) }
	g := []grpc.ServerOption{grpc.ChainUnaryInterceptor(unary...)}
	if len(srv.opts) > 0 { g = append(g, srv.opts...) }
	srv.Server = grpc.NewServer(g...)
	return srv
}
func Recovery() Middleware { return func(next Handler) Handler { return func(ctx context.Context, req any) (reply any, err error) { defer func() { if r := recover(); r != nil { err = status.Error(codes.Internal, "x") } }(); return next(ctx, req) } } }
func Logging() Middleware { return func(next Handler) Handler { return func(ctx context.Context, req any) (any, error) { return next(ctx, req) } } }
"""
SERVER = "func server(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(opts...) }\n"
PROGRAMS: dict[str, tuple[dict[str, str], list[str]]] = {
    "wrapper package": (
        {
            "shared/server.go": "func New(opts ...grpc.ServerOption) *grpc.Server { return grpc.NewServer(opts...) }",
            "cmd/a/main.go": f"func main() {{ _ = shared.New({U}, {S}) }}",
            "cmd/b/main.go": "func main() { _ = shared.New() }",
        },
        [
            "cmd/a/main.go:yy via shared/server.go",
            "cmd/b/main.go:nn via shared/server.go",
            "shared/server.go:??",
        ],
    ),
    "wrapper that protects everybody": (
        {
            "shared/server.go": f"func New(opts ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(append({OPTS}, opts...)...) }}",
            "cmd/a/main.go": "func main() { _ = shared.New(grpc.Creds(nil)) }",
            "cmd/b/main.go": "func main() { _ = shared.New() }",
        },
        [
            "cmd/a/main.go:yy via shared/server.go",
            "cmd/b/main.go:yy via shared/server.go",
            "shared/server.go:yy",
        ],
    ),
    "wrapper of a wrapper": (
        {
            "base/base.go": "func New(opts []grpc.ServerOption) *grpc.Server { return grpc.NewServer(opts...) }",
            "kit/kit.go": f"func Server(extra ...grpc.ServerOption) *grpc.Server {{ return base.New(append([]grpc.ServerOption{{{U}}}, extra...)) }}",
            "cmd/a/main.go": f"func main() {{ _ = kit.Server({S}) }}",
            "cmd/b/main.go": "func main() { _ = kit.Server() }",
        },
        ["base/base.go:y?", "cmd/a/main.go:yy via base/base.go", "cmd/b/main.go:yn via base/base.go"],
    ),
    "options of another package": (
        {
            "shared/options.go": f"func Options() []grpc.ServerOption {{ return {OPTS} }}",
            "main.go": "func main() { _ = grpc.NewServer(shared.Options()...) }",
        },
        ["main.go:yy"],
    ),
    "variable of another package": (
        {
            "shared/options.go": f"var Options = {OPTS}",
            "main.go": "func main() { _ = grpc.NewServer(shared.Options...) }",
        },
        ["main.go:yy"],
    ),
    "variable of another package, emptied by a third": (
        {
            "shared/options.go": f"var Options = {OPTS}",
            "other/other.go": "func init() { shared.Options = nil }",
            "main.go": "func main() { _ = grpc.NewServer(shared.Options...) }",
        },
        ["main.go:nn"],
    ),
    "config struct with exported fields": (
        {
            "kit/kit.go": KIT,
            "app/app.go": "type App struct { Cfg kit.Config }\nfunc New(c kit.Config) *App { a := &App{Cfg: c}; a.protect(); return a }\nfunc (a *App) protect() { a.Cfg.Middleware = append(a.Cfg.Middleware, safety.Unary) }\nfunc (a *App) Run() error { return kit.New(a.Cfg).Serve(nil) }",
            "main.go": "func main() { _ = app.New(kit.Config{Port: 1}).Run() }",
        },
        ["kit/kit.go:yn", "main.go:yn via kit/kit.go"],
    ),
    "config struct whose field nobody fills": (
        {"kit/kit.go": KIT, "main.go": "func main() { _ = kit.New(kit.Config{Port: 1}) }"},
        ["kit/kit.go:nn", "main.go:nn via kit/kit.go"],
    ),
    "vendored wrapper": (
        {
            "vendor/example.org/kit/kit.go": VENDORED_KIT,
            "cmd/a/main.go": 'import kit "example.org/kit"\nfunc main() { _ = kit.New(kit.Config{Unary: []grpc.UnaryServerInterceptor{safety.Unary}}) }',
            "cmd/b/main.go": 'import kit "example.org/kit"\nfunc main() { _ = kit.New(kit.Config{}) }',
        },
        [
            "cmd/a/main.go:yn via vendor/example.org/kit/kit.go",
            "cmd/b/main.go:nn via vendor/example.org/kit/kit.go",
        ],
    ),
    "vendored wrapper, method that a framework calls": (
        {
            "vendor/example.org/kit/kit.go": VENDORED_KIT,
            "app/app.go": 'import kit "example.org/kit"\nimport modules "example.org/modules"\ntype App struct { Cfg kit.Config }\nfunc New(c kit.Config) *App { a := &App{Cfg: c}; a.protect(); modules.Register(a.start); return a }\nfunc (a *App) protect() { a.Cfg.Unary = append(a.Cfg.Unary, safety.Unary) }\nfunc (a *App) start() error { return kit.New(a.Cfg).Serve(nil) }',
            "main.go": 'import kit "example.org/kit"\nimport yaml "gopkg.in/yaml.v3"\nfunc main() { var c kit.Config; _ = yaml.Unmarshal(nil, &c); _ = app.New(c) }',
        },
        ["app/app.go:yn via vendor/example.org/kit/kit.go"],
    ),
    "framework, on by configuration": (
        {
            "internal/s.go": ZRPC_INTERNAL,
            "zrpc/z.go": ZRPC,
            "main.go": "func main() { s := zrpc.MustNewServer(zrpc.Config{Recover: true}); s.Start() }",
        },
        ["internal/s.go:yn", "main.go:yn via internal/s.go"],
    ),
    "framework, off by configuration": (
        {
            "internal/s.go": ZRPC_INTERNAL,
            "zrpc/z.go": ZRPC,
            "main.go": "func main() { s := zrpc.MustNewServer(zrpc.Config{}); s.Start() }",
        },
        ["internal/s.go:nn", "main.go:nn via internal/s.go"],
    ),
    "framework, configuration from a file": (
        {
            "internal/s.go": ZRPC_INTERNAL,
            "zrpc/z.go": ZRPC,
            "main.go": 'import conf "example.org/conf"\nfunc main() { s := zrpc.MustNewServer(load()); s.Start() }\nfunc load() zrpc.Config { var c zrpc.Config; conf.MustLoad("x", &c); return c }',
        },
        ["internal/s.go:nn", "main.go:nn via internal/s.go"],
    ),
    "framework with middleware of its own": (
        {
            "kr/s.go": KRATOS,
            "cmd/a/main.go": "func main() { _ = kr.New(kr.WithMiddleware(kr.Logging(), kr.Recovery())) }",
            "cmd/b/main.go": "func main() { _ = kr.New(kr.WithMiddleware(kr.Logging())) }",
            "cmd/c/main.go": "func main() { _ = kr.New(kr.Options(grpc.Creds(nil))) }",
        },
        [
            "cmd/a/main.go:yn via kr/s.go",
            "cmd/b/main.go:nn via kr/s.go",
            "cmd/c/main.go:nn via kr/s.go",
            "kr/s.go:?n",
        ],
    ),
    "vendored code has no row of its own": (
        {
            "vendor/example.org/kit/kit.go": vendored(
                "func New() *grpc.Server { return grpc.NewServer() }", "kit"
            ),
            "main.go": f"func main() {{ _ = grpc.NewServer({U}) }}",
        },
        ["main.go:yn"],
    ),
    "own package called grpc": (
        {
            "grpc/server.go": "package grpc\n\ntype Server struct{}\nfunc NewServer(o ...any) *Server { return nil }",
            "main.go": 'package main\n\nimport "example.com/x/grpc"\n\nfunc main() { _ = grpc.NewServer() }',
        },
        [],
    ),
    "own package called xds": (
        {
            "xds/server.go": "package xds\n\nfunc NewGRPCServer(o ...any) any { return nil }",
            "main.go": 'package main\n\nimport "example.com/x/xds"\n\nfunc main() { _ = xds.NewGRPCServer() }',
        },
        [],
    ),
    "own recovery package that does not recover": (
        {
            "recovery/recovery.go": "func UnaryServerInterceptor() grpc.UnaryServerInterceptor { return safety.Plain }",
            "main.go": "func main() { _ = grpc.NewServer(grpc.UnaryInterceptor(recovery.UnaryServerInterceptor())) }",
        },
        ["main.go:nn"],
    ),
    "own middleware package that recovers": (
        {
            "middleware/middleware.go": "func Interceptors() (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) { return safety.Unary, safety.Stream }",
            "main.go": "func main() { u, s := middleware.Interceptors(); _ = grpc.NewServer(grpc.UnaryInterceptor(u), grpc.StreamInterceptor(s)) }",
        },
        ["main.go:yy"],
    ),
    "alias": (
        {"main.go": f"package main\n\nimport rpc {GRPC}\n\nfunc main() {{ _ = rpc.NewServer() }}"},
        ["main.go:nn"],
    ),
    "dot import": (
        {"main.go": f"package main\n\nimport . {GRPC}\n\nfunc main() {{ _ = NewServer() }}"},
        ["main.go:nn"],
    ),
    "test files": (
        {
            "main_test.go": f"package main\n\nimport {GRPC}\n\nfunc TestX() {{ _ = grpc.NewServer() }}",
            "main.go": "package main\n\nfunc main() {}",
        },
        [],
    ),
    "options that only a test gives": (
        {
            "kit/kit.go": "func New(opts ...grpc.ServerOption) *grpc.Server { return grpc.NewServer(opts...) }",
            "kit/kit_test.go": f"package kit\n\nimport {GRPC}\n\nfunc TestX() {{ _ = New(grpc.ChainUnaryInterceptor(nil)) }}",
            "main.go": f"func main() {{ _ = kit.New({U}) }}",
        },
        ["kit/kit.go:yn", "main.go:yn via kit/kit.go"],
    ),
    "file of another build": (
        {
            "options.go": f"package main\n\nimport {GRPC}\n\nfunc options() []grpc.ServerOption {{ return []grpc.ServerOption{{}} }}",
            "options_safe.go": f'//go:build safe\n\npackage main\n\nimport (\n\t{GRPC}\n\t"example.com/x/safety"\n)\n\nfunc options() []grpc.ServerOption {{ return {OPTS} }}',
            "main.go": "func main() { _ = grpc.NewServer(options()...) }",
        },
        ["main.go:nn"],
    ),
    "file that is never built": (
        {
            "main.go": f"//go:build ignore\n\npackage main\n\nimport {GRPC}\n\nfunc main() {{ _ = grpc.NewServer() }}"
        },
        [],
    ),
    "options through files of one package": (
        {
            "options.go": f"var base = []grpc.ServerOption{{{U}}}\nfunc more() grpc.ServerOption {{ return {S} }}",
            "main.go": "func main() { _ = grpc.NewServer(append(base, more())...) }",
        },
        ["main.go:yy"],
    ),
    "fx: options by their type": (
        {
            "main.go": f"func options() []grpc.ServerOption {{ return {OPTS} }}\n{SERVER}func main() {{ fx.New(fx.Provide(options, server), fx.Invoke(func(s *grpc.Server) {{ _ = s.Serve(nil) }})).Run() }}"
        },
        ["main.go:yy"],
    ),
    "fx: one option by its type": (
        {
            "main.go": f"func option() grpc.ServerOption {{ return {U} }}\nfunc server(opt grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(opt) }}\nfunc main() {{ fx.New(fx.Provide(option), fx.Provide(server)).Run() }}"
        },
        ["main.go:yn"],
    ),
    "fx: interceptors without recovery": (
        {
            "main.go": "func xs() []grpc.UnaryServerInterceptor { return []grpc.UnaryServerInterceptor{safety.Plain} }\nfunc server(x []grpc.UnaryServerInterceptor) *grpc.Server { return grpc.NewServer(grpc.ChainUnaryInterceptor(x...)) }\nfunc main() { fx.New(fx.Provide(xs, server)).Run() }"
        },
        ["main.go:nn"],
    ),
    "fx: closure in a module of another package": (
        {
            "svc/svc.go": f"var Module = fx.Options(fx.Provide(func() []grpc.ServerOption {{ return {OPTS} }}), fx.Provide(NewServer))\nfunc NewServer(opts []grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(opts...) }}",
            "main.go": "func main() { fx.New(svc.Module).Run() }",
        },
        ["svc/svc.go:yy"],
    ),
    "fx: the closure makes the server": (
        {
            "svc/svc.go": f"var Module = fx.Options(fx.Provide(options), fx.Provide(func(opts []grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(opts...) }}))\nfunc options() []grpc.ServerOption {{ return {OPTS} }}",
            "main.go": "func main() { fx.New(svc.Module).Run() }",
        },
        ["svc/svc.go:yy"],
    ),
    "fx: parameter struct": (
        {
            "main.go": f'type params struct {{ fx.In; Options []grpc.ServerOption; More []grpc.UnaryServerInterceptor `optional:"true"` }}\nfunc options() []grpc.ServerOption {{ return {OPTS} }}\nfunc server(p params) *grpc.Server {{ return grpc.NewServer(append(p.Options, grpc.ChainUnaryInterceptor(p.More...))...) }}\nfunc main() {{ fx.New(fx.Provide(options, server)).Run() }}'
        },
        ["main.go:yy"],
    ),
    "fx: optional and not provided": (
        {
            "main.go": 'type params struct { fx.In; Options []grpc.ServerOption `optional:"true"` }\nfunc server(p params) *grpc.Server { return grpc.NewServer(p.Options...) }\nfunc main() { fx.New(fx.Provide(server)).Run() }'
        },
        ["main.go:nn"],
    ),
    "fx: named": (
        {
            "main.go": f'type params struct {{ fx.In; Options []grpc.ServerOption `name:"b"` }}\nfunc a() []grpc.ServerOption {{ return nil }}\nfunc b() []grpc.ServerOption {{ return {OPTS} }}\nfunc server(p params) *grpc.Server {{ return grpc.NewServer(p.Options...) }}\nfunc main() {{ fx.New(fx.Provide(a, fx.Annotate(b, fx.ResultTags(`name:"b"`)), server)).Run() }}'
        },
        ["main.go:yy"],
    ),
    "fx: result struct and group": (
        {
            "main.go": f'type out struct {{ fx.Out; Option grpc.ServerOption `group:"options"` }}\ntype params struct {{ fx.In; Options []grpc.ServerOption `group:"options"` }}\nfunc a() out {{ return out{{Option: {U}}} }}\nfunc b() out {{ return out{{Option: {S}}} }}\nfunc server(p params) *grpc.Server {{ return grpc.NewServer(p.Options...) }}\nfunc main() {{ fx.New(fx.Provide(a, b, server)).Run() }}'
        },
        ["main.go:yy"],
    ),
    "fx: provider with dependencies of its own": (
        {
            "main.go": f"type config struct {{ safe bool }}\nfunc newConfig() *config {{ return &config{{safe: true}} }}\nfunc options(c *config) []grpc.ServerOption {{ if c.safe {{ return {OPTS} }}; return nil }}\n{SERVER}func main() {{ fx.New(fx.Provide(newConfig, options, server)).Run() }}"
        },
        ["main.go:yy"],
    ),
    "fx: provider that may fail": (
        {
            "main.go": f'func options() ([]grpc.ServerOption, error) {{ if len(os.Args) < 2 {{ return nil, errors.New("x") }}; return {OPTS}, nil }}\n{SERVER}func main() {{ fx.New(fx.Provide(options, server)).Run() }}'
        },
        ["main.go:yy"],
    ),
    "fx: two providers of one type": (
        {
            "main.go": f"func a() []grpc.ServerOption {{ return {OPTS} }}\nfunc b() []grpc.ServerOption {{ return nil }}\n{SERVER}func main() {{ if len(os.Args) > 1 {{ fx.New(fx.Provide(a, server)).Run() }} else {{ fx.New(fx.Provide(b, server)).Run() }} }}"
        },
        ["main.go:nn"],
    ),
    "fx: nobody provides it": (
        {"main.go": f"{SERVER}func main() {{ fx.New(fx.Provide(server)).Run() }}"},
        ["main.go:??"],
    ),
    "fx: supplied": (
        {"main.go": f"{SERVER}func main() {{ fx.New(fx.Supply({OPTS}), fx.Provide(server)).Run() }}"},
        ["main.go:yy"],
    ),
    "fx: decorated": (
        {
            "main.go": f"func options() []grpc.ServerOption {{ return {OPTS} }}\nfunc none(o []grpc.ServerOption) []grpc.ServerOption {{ return nil }}\n{SERVER}func main() {{ fx.New(fx.Provide(options, server), fx.Decorate(none)).Run() }}"
        },
        ["main.go:nn"],
    ),
    "wire: provider set": (
        {
            "main.go": f"func options() []grpc.ServerOption {{ return {OPTS} }}\n{SERVER}var Set = wire.NewSet(options, server)\nfunc main() {{}}"
        },
        ["main.go:yy"],
    ),
    "wire: generated injector": (
        {
            "main.go": f"func options() []grpc.ServerOption {{ return {OPTS} }}\n{SERVER}func main() {{ _ = initialise() }}",
            "wire_gen.go": f"// Code generated by Wire. DO NOT EDIT.\n\npackage main\n\nimport {GRPC}\n\nfunc initialise() *grpc.Server {{\n\to := options()\n\ts := server(o)\n\treturn s\n}}",
        },
        ["main.go:yy", "wire_gen.go:yy via main.go"],
    ),
}


@pytest.mark.parametrize("case", PROGRAMS)
def test_program(case: str, tmp_path: Path) -> None:
    files, expected = PROGRAMS[case]
    assert rows(tmp_path, files) == expected
