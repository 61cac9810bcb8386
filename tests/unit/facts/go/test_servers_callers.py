"""How interceptors reach a server through functions, methods, structs and packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from tests.unit.facts.go.test_servers_options import SAFETY, S, U
from zuno_audit.facts.go import servers


def rows(root: Path, files: dict[str, str]) -> list[str]:
    """`path:letters` for every row (and ` via path` where it is seen from a caller), sorted by location."""
    texts = {"safety/safety.go": SAFETY, **files}
    local = tuple(sorted({p.rpartition("/")[0] for p in texts if "/" in p}))
    whole = {
        path: text
        if "\npackage " in "\n" + text or not path.endswith(".go")
        else go_file(
            text,
            package=path.split("/")[-2] if "/" in path and not path.startswith("cmd/") else "main",
            local=local,
        )
        for path, text in texts.items()
    }
    found = []
    for row in servers.table(analyse(root, whole)).rows:
        answers = (row.get("unary_recovery").value, row.get("stream_recovery").value)
        letters = "".join({"yes": "y", "no": "n", "unknown": "?"}[str(a)] for a in answers)
        via = row.get("via").value
        found.append(f"{row.location.path}:{letters}" + (f" via {str(via).partition(':')[0]}" if via else ""))
    return found


def only(root: Path, code: str) -> list[str]:
    return [r.removeprefix("main.go:") for r in rows(root, {"main.go": code})]


OPTS = f"[]grpc.ServerOption{{{U}, {S}}}"
ONE_PACKAGE: dict[str, tuple[str, list[str]]] = {
    "helper returns options": (
        f"func opts() []grpc.ServerOption {{ return {OPTS} }}\nfunc main() {{ _ = grpc.NewServer(opts()...) }}",
        ["yy"],
    ),
    "helper returns one option": (
        f"func opt() grpc.ServerOption {{ return {U} }}\nfunc main() {{ _ = grpc.NewServer(opt()) }}",
        ["yn"],
    ),
    "helper returns options and an error": (
        f'func opts() ([]grpc.ServerOption, error) {{ if len(os.Args) < 2 {{ return nil, errors.New("x") }}; return {OPTS}, nil }}\nfunc main() {{ o, err := opts(); if err != nil {{ log.Fatal(err) }}; _ = grpc.NewServer(o...) }}',
        ["yy"],
    ),
    "helper's error is ignored": (
        f'func opts() ([]grpc.ServerOption, error) {{ if len(os.Args) < 2 {{ return nil, errors.New("x") }}; return {OPTS}, nil }}\nfunc main() {{ o, _ := opts(); _ = grpc.NewServer(o...) }}',
        ["nn"],
    ),
    "tuple of interceptors": (
        "func both() (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) { return safety.Unary, safety.Stream }\nfunc main() { u, s := both(); _ = grpc.NewServer(grpc.UnaryInterceptor(u), grpc.StreamInterceptor(s)) }",
        ["yy"],
    ),
    "tuple, one plain": (
        "func both() (grpc.UnaryServerInterceptor, grpc.StreamServerInterceptor) { return safety.Unary, safety.PlainStream }\nfunc main() { u, s := both(); _ = grpc.NewServer(grpc.UnaryInterceptor(u), grpc.StreamInterceptor(s)) }",
        ["yn"],
    ),
    "helper adds to a copy": (
        f"func add(o []grpc.ServerOption) {{ o = append(o, {U}) }}\nfunc main() {{ o := []grpc.ServerOption{{}}; add(o); _ = grpc.NewServer(o...) }}",
        ["nn"],
    ),
    "helper adds through a pointer": (
        f"func add(o *[]grpc.ServerOption) {{ *o = append(*o, {U}) }}\nfunc main() {{ o := []grpc.ServerOption{{}}; add(&o); _ = grpc.NewServer(o...) }}",
        ["yn"],
    ),
    "helper returns the longer list": (
        f"func add(o []grpc.ServerOption) []grpc.ServerOption {{ return append(o, {U}) }}\nfunc main() {{ o := add(nil); _ = grpc.NewServer(o...) }}",
        ["yn"],
    ),
    "helper replaces an element": (
        f"func spoil(o []grpc.ServerOption) {{ o[0] = grpc.Creds(nil) }}\nfunc main() {{ o := []grpc.ServerOption{{{U}}}; spoil(o); _ = grpc.NewServer(o...) }}",
        ["nn"],
    ),
    "alias replaces an element": (
        f"func main() {{ o := []grpc.ServerOption{{{U}}}; p := o; p[0] = grpc.Creds(nil); _ = grpc.NewServer(o...) }}",
        ["nn"],
    ),
    "struct keeps options": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc newApp() *app {{ return &app{{opts: {OPTS}}} }}\nfunc (a *app) run() {{ _ = grpc.NewServer(a.opts...) }}\nfunc main() {{ newApp().run() }}",
        ["yy", "yy via main.go"],
    ),
    "struct without options": (
        "type app struct { opts []grpc.ServerOption }\nfunc (a *app) run() { _ = grpc.NewServer(a.opts...) }\nfunc main() { (&app{}).run() }",
        ["nn"],
    ),
    "options set in a method": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc (a *app) init() {{ a.opts = append(a.opts, {U}) }}\nfunc (a *app) run() {{ _ = grpc.NewServer(a.opts...) }}\nfunc main() {{ a := &app{{}}; a.init(); a.run() }}",
        ["yn", "yn via main.go"],
    ),
    "options set in a method on a copy": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc (a app) init() {{ a.opts = append(a.opts, {U}) }}\nfunc (a *app) run() {{ _ = grpc.NewServer(a.opts...) }}\nfunc main() {{ a := &app{{}}; a.init(); a.run() }}",
        ["nn", "nn via main.go"],
    ),
    "framework calls the method": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc NewApp() *app {{ a := &app{{}}; a.opts = {OPTS}; return a }}\nfunc (a *app) Run(ctx context.Context) error {{ return grpc.NewServer(a.opts...).Serve(nil) }}\nfunc main() {{ register(NewApp()) }}\nfunc register(x any) {{ plugin.Serve(x) }}",
        ["yy"],
    ),
    "framework calls the method, one constructor without": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc NewApp() *app {{ return &app{{opts: {OPTS}}} }}\nfunc NewOther() *app {{ return &app{{}} }}\nfunc (a *app) Run(ctx context.Context) error {{ return grpc.NewServer(a.opts...).Serve(nil) }}\nfunc main() {{ plugin.Serve(NewApp(), NewOther()) }}",
        ["nn"],
    ),
    "embedded struct": (
        f"type base struct {{ opts []grpc.ServerOption }}\ntype app struct {{ base }}\nfunc (a *app) run() {{ _ = grpc.NewServer(a.opts...) }}\nfunc main() {{ a := &app{{base: base{{opts: {OPTS}}}}}; a.run() }}",
        ["yy", "yy via main.go"],
    ),
    "embedded method": (
        f"type base struct {{ opts []grpc.ServerOption }}\nfunc (b *base) server() *grpc.Server {{ return grpc.NewServer(b.opts...) }}\ntype app struct {{ *base }}\nfunc main() {{ a := &app{{base: &base{{opts: {OPTS}}}}}; _ = a.server() }}",
        ["yy", "yy via main.go"],
    ),
    "builder": (
        f"type builder struct {{ opts []grpc.ServerOption }}\nfunc New() *builder {{ return &builder{{}} }}\nfunc (b *builder) With(o grpc.ServerOption) *builder {{ b.opts = append(b.opts, o); return b }}\nfunc (b *builder) Build() *grpc.Server {{ return grpc.NewServer(b.opts...) }}\nfunc main() {{ _ = New().With({U}).With({S}).Build() }}",
        ["yy", "yy via main.go"],
    ),
    "builder by value": (
        f"type builder struct {{ opts []grpc.ServerOption }}\nfunc (b builder) With(o grpc.ServerOption) builder {{ b.opts = append(b.opts, o); return b }}\nfunc (b builder) Build() *grpc.Server {{ return grpc.NewServer(b.opts...) }}\nfunc main() {{ _ = builder{{}}.With({U}).Build() }}",
        ["yn", "yn via main.go"],
    ),
    "builder by value, result dropped": (
        f"type builder struct {{ opts []grpc.ServerOption }}\nfunc (b builder) With(o grpc.ServerOption) builder {{ b.opts = append(b.opts, o); return b }}\nfunc (b builder) Build() *grpc.Server {{ return grpc.NewServer(b.opts...) }}\nfunc main() {{ b := builder{{}}; b.With({U}); _ = b.Build() }}",
        ["nn", "nn via main.go"],
    ),
    "functional options": (
        f"type config struct {{ opts []grpc.ServerOption }}\ntype Option func(*config)\nfunc WithServer(o ...grpc.ServerOption) Option {{ return func(c *config) {{ c.opts = append(c.opts, o...) }} }}\nfunc New(options ...Option) *grpc.Server {{ c := config{{}}; for _, o := range options {{ o(&c) }}; return grpc.NewServer(c.opts...) }}\nfunc main() {{ a := New(WithServer({U}, {S}))\n b := New()\n _, _ = a, b }}",
        ["??", "yy via main.go", "nn via main.go"],
    ),
    "functional options as an interface": (
        f"type config struct {{ opts []grpc.ServerOption }}\ntype Option interface {{ apply(*config) }}\ntype with struct {{ o grpc.ServerOption }}\nfunc (w with) apply(c *config) {{ c.opts = append(c.opts, w.o) }}\nfunc New(options ...Option) *grpc.Server {{ c := config{{}}; for _, o := range options {{ o.apply(&c) }}; return grpc.NewServer(c.opts...) }}\nfunc main() {{ _ = New(with{{{U}}}) }}",
        ["yn", "yn via main.go"],
    ),
    "parameter": (
        f"func New(opts ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(opts...) }}\nfunc main() {{ a := New({U})\n b := New({S})\n _, _ = a, b }}",
        ["??", "yn via main.go", "ny via main.go"],
    ),
    "parameter in front of its own": (
        f"func New(opts ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(append([]grpc.ServerOption{{{U}}}, opts...)...) }}\nfunc main() {{ a := New()\n b := New({S})\n _, _ = a, b }}",
        ["y?", "yn via main.go", "yy via main.go"],
    ),
    "parameter is ignored": (
        f"func New(opts ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer({U}) }}\nfunc main() {{ a := New()\n b := New({S})\n _, _ = a, b }}",
        ["yn"],
    ),
    "interceptor as parameter": (
        "func New(u grpc.UnaryServerInterceptor) *grpc.Server { return grpc.NewServer(grpc.ChainUnaryInterceptor(u)) }\nfunc main() { a := New(safety.Unary)\n b := New(safety.Plain)\n _, _ = a, b }",
        ["?n", "yn via main.go", "nn via main.go"],
    ),
    "nobody calls it": (
        "func New(opts ...grpc.ServerOption) *grpc.Server { return grpc.NewServer(opts...) }",
        ["??"],
    ),
    "flag parameter": (
        f"func New(safe bool) *grpc.Server {{ var o []grpc.ServerOption; if safe {{ o = append(o, {U}) }}; return grpc.NewServer(o...) }}\nfunc main() {{ a := New(true)\n b := New(false)\n _, _ = a, b }}",
        ["?n", "yn via main.go", "nn via main.go"],
    ),
    "two levels": (
        f"func inner(opts []grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(opts...) }}\nfunc outer(o grpc.ServerOption) *grpc.Server {{ return inner([]grpc.ServerOption{{o}}) }}\nfunc main() {{ _ = outer({U}) }}",
        ["yn", "yn via main.go"],
    ),
    "goroutine calls the helper": (
        f"func serve(opts ...grpc.ServerOption) {{ s := grpc.NewServer(opts...); _ = s.Serve(nil) }}\nfunc main() {{ go serve({U}) }}",
        ["yn", "yn via main.go"],
    ),
    "closure calls the helper": (
        f"func serve(opts ...grpc.ServerOption) error {{ s := grpc.NewServer(opts...); return s.Serve(nil) }}\nfunc main() {{ g := errgroup.Group{{}}; g.Go(func() error {{ return serve({U}) }}) }}",
        ["yn", "yn via main.go"],
    ),
    "method value to a framework": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc (a *app) run(c *cobra.Command, args []string) error {{ return grpc.NewServer(a.opts...).Serve(nil) }}\nfunc main() {{ a := &app{{opts: {OPTS}}}; cmd := &cobra.Command{{RunE: a.run}}; _ = cmd.Execute() }}",
        ["yy"],
    ),
    "package variable": (f"var opts = {OPTS}\nfunc main() {{ _ = grpc.NewServer(opts...) }}", ["yy"]),
    "package variable set in init": (
        f"var opts []grpc.ServerOption\nfunc init() {{ opts = {OPTS} }}\nfunc main() {{ _ = grpc.NewServer(opts...) }}",
        ["yy"],
    ),
    "package variable appended in init": (
        f"var opts = []grpc.ServerOption{{grpc.Creds(nil)}}\nfunc init() {{ opts = append(opts, {U}) }}\nfunc main() {{ _ = grpc.NewServer(opts...) }}",
        ["yn"],
    ),
    "package variable changed elsewhere": (
        f"var opts = {OPTS}\nfunc reset() {{ opts = nil }}\nfunc main() {{ if len(os.Args) > 1 {{ reset() }}; _ = grpc.NewServer(opts...) }}",
        ["nn"],
    ),
    "server as a package variable": (
        f"var s = grpc.NewServer({U})\nfunc main() {{ _ = s.Serve(nil) }}",
        ["yn"],
    ),
    "map in a package variable": (
        f'var sets = map[string][]grpc.ServerOption{{"a": {OPTS}}}\nfunc main() {{ _ = grpc.NewServer(sets["a"]...) }}',
        ["yy"],
    ),
    "interface with one implementation": (
        f"type source interface {{ Options() []grpc.ServerOption }}\ntype good struct{{}}\nfunc (good) Options() []grpc.ServerOption {{ return {OPTS} }}\ntype app struct {{ src source }}\nfunc (a *app) Run() {{ _ = grpc.NewServer(a.src.Options()...) }}\nfunc main() {{ a := &app{{src: good{{}}}}; a.Run() }}",
        ["yy", "yy via main.go"],
    ),
    "interface with two implementations": (
        f"type source interface {{ Options() []grpc.ServerOption }}\ntype good struct{{}}\nfunc (good) Options() []grpc.ServerOption {{ return {OPTS} }}\ntype bad struct{{}}\nfunc (bad) Options() []grpc.ServerOption {{ return nil }}\nfunc New(src source) *grpc.Server {{ return grpc.NewServer(src.Options()...) }}\nfunc main() {{ a := New(good{{}})\n b := New(bad{{}})\n _, _ = a, b }}",
        ["??", "yy via main.go", "nn via main.go"],
    ),
    "own chain function": (
        "func chain(xs ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor { return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) { next := handler; for i := len(xs) - 1; i >= 0; i-- { x, inner := xs[i], next; next = func(ctx context.Context, req any) (any, error) { return x(ctx, req, info, inner) } }; return next(ctx, req) } }\n"
        "func main() { _ = grpc.NewServer(grpc.UnaryInterceptor(chain(safety.Plain, safety.Unary, safety.Plain))) }",
        ["yn"],
    ),
    "own chain function without recovery": (
        "func chain(xs ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor { return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) { next := handler; for i := len(xs) - 1; i >= 0; i-- { x, inner := xs[i], next; next = func(ctx context.Context, req any) (any, error) { return x(ctx, req, info, inner) } }; return next(ctx, req) } }\n"
        "func main() { _ = grpc.NewServer(grpc.UnaryInterceptor(chain(safety.Plain, safety.Plain))) }",
        ["nn"],
    ),
    "chain function that forgets the others": (
        "func chain(xs ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor { return xs[0] }\n"
        "func main() { _ = grpc.NewServer(grpc.UnaryInterceptor(chain(safety.Plain, safety.Unary))) }",
        ["nn"],
    ),
    "recursive chain": (
        "func wrap(xs []grpc.UnaryServerInterceptor, i int, info *grpc.UnaryServerInfo, last grpc.UnaryHandler) grpc.UnaryHandler { if i == len(xs) { return last }; return func(ctx context.Context, req any) (any, error) { return xs[i](ctx, req, info, wrap(xs, i+1, info, last)) } }\n"
        "func chain(xs ...grpc.UnaryServerInterceptor) grpc.UnaryServerInterceptor { return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) { return wrap(xs, 0, info, handler)(ctx, req) } }\n"
        "func main() { _ = grpc.NewServer(grpc.UnaryInterceptor(chain(safety.Plain, safety.Unary))) }",
        ["yn"],
    ),
    "wraps another interceptor": (
        "func skip(next grpc.UnaryServerInterceptor, methods ...string) grpc.UnaryServerInterceptor { return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) { for _, m := range methods { if m == info.FullMethod { return handler(ctx, req) } }; return next(ctx, req, info, handler) } }\n"
        'func main() { a := grpc.NewServer(grpc.UnaryInterceptor(skip(safety.Unary)))\n b := grpc.NewServer(grpc.UnaryInterceptor(skip(safety.Unary, "/health")))\n _, _ = a, b }',
        ["yn", "nn"],
    ),
    "interceptor type with a method": (
        "type guard struct{ next func(any) error }\nfunc (g *guard) Unary() grpc.UnaryServerInterceptor { return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) { defer func() { if r := recover(); r != nil { err = g.next(r) } }(); return handler(ctx, req) } }\n"
        'func toError(r any) error { return status.Error(codes.Internal, "x") }\nfunc main() { g := &guard{next: toError}; _ = grpc.NewServer(grpc.UnaryInterceptor(g.Unary())) }',
        ["yn"],
    ),
    "interceptor type whose callback drops the error": (
        "type guard struct{ next func(any) error }\nfunc (g *guard) Unary() grpc.UnaryServerInterceptor { return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) { defer func() { if r := recover(); r != nil { err = g.next(r) } }(); return handler(ctx, req) } }\n"
        "func ignore(r any) error { return nil }\nfunc main() { g := &guard{next: ignore}; _ = grpc.NewServer(grpc.UnaryInterceptor(g.Unary())) }",
        ["nn"],
    ),
    "generic server wrapper": (
        f"type box[T any] struct {{ opts []grpc.ServerOption; value T }}\nfunc (b *box[T]) run() {{ _ = grpc.NewServer(b.opts...) }}\nfunc main() {{ b := &box[int]{{opts: {OPTS}}}; b.run() }}",
        ["yy", "yy via main.go"],
    ),
    "config-gated, true": (
        f"type config struct {{ Recover bool }}\nfunc New(c config) *grpc.Server {{ var o []grpc.ServerOption; if c.Recover {{ o = append(o, {U}) }}; return grpc.NewServer(o...) }}\nfunc main() {{ _ = New(config{{Recover: true}}) }}",
        ["yn", "yn via main.go"],
    ),
    "config-gated, read from a file": (
        f"type config struct {{ Recover bool }}\nfunc New(c config) *grpc.Server {{ var o []grpc.ServerOption; if c.Recover {{ o = append(o, {U}) }}; return grpc.NewServer(o...) }}\nfunc main() {{ var c config; yaml.Unmarshal(nil, &c); _ = New(c) }}",
        ["nn", "nn via main.go"],
    ),
    "sync.Once": (
        f"var once sync.Once\nvar s *grpc.Server\nfunc get() *grpc.Server {{ once.Do(func() {{ s = grpc.NewServer({U}) }}); return s }}\nfunc main() {{ _ = get() }}",
        ["yn"],
    ),
    "variadic passed on": (
        f"func a(o ...grpc.ServerOption) *grpc.Server {{ return b(o...) }}\nfunc b(o ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(o...) }}\nfunc main() {{ _ = a({U}) }}",
        ["yn", "yn via main.go"],
    ),
    "function in a struct field": (
        f"type app struct {{ mk func(...grpc.ServerOption) *grpc.Server }}\nfunc mk(o ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(o...) }}\nfunc main() {{ a := app{{mk: mk}}; _ = a.mk({U}) }}",
        ["yn", "yn via main.go"],
    ),
    "helper that ends the process": (
        f'func die(err error) {{ log.Fatal(err) }}\nfunc opts() ([]grpc.ServerOption, error) {{ if len(os.Args) < 2 {{ return nil, errors.New("x") }}; return []grpc.ServerOption{{{U}}}, nil }}\nfunc main() {{ o, err := opts(); if err != nil {{ die(err) }}; _ = grpc.NewServer(o...) }}',
        ["yn"],
    ),
    "helper that only logs": (
        f'func note(err error) {{ log.Print(err) }}\nfunc opts() ([]grpc.ServerOption, error) {{ if len(os.Args) < 2 {{ return nil, errors.New("x") }}; return []grpc.ServerOption{{{U}}}, nil }}\nfunc main() {{ o, err := opts(); if err != nil {{ note(err) }}; _ = grpc.NewServer(o...) }}',
        ["nn"],
    ),
    "must helper": (
        f'func must[T any](v T, err error) T {{ if err != nil {{ panic(err) }}; return v }}\nfunc opts() ([]grpc.ServerOption, error) {{ if len(os.Args) < 2 {{ return nil, errors.New("x") }}; return []grpc.ServerOption{{{U}}}, nil }}\nfunc main() {{ _ = grpc.NewServer(must(opts())...) }}',
        ["yn"],
    ),
    "configuration in a package variable, changed in main": (
        f"type config struct {{ safe bool }}\nvar cfg = config{{safe: true}}\nfunc New() *grpc.Server {{ var o []grpc.ServerOption; if cfg.safe {{ o = append(o, {U}) }}; return grpc.NewServer(o...) }}\nfunc main() {{ cfg.safe = false; _ = New() }}",
        ["nn"],
    ),
    "flag in a package variable": (
        f'var safe = true\nfunc init() {{ flag.BoolVar(&safe, "safe", true, "") }}\nfunc main() {{ var o []grpc.ServerOption; if safe {{ o = append(o, {U}) }}; _ = grpc.NewServer(o...) }}',
        ["nn"],
    ),
    "configuration decoded over its defaults": (
        f"type config struct {{ Safe bool }}\nfunc main() {{ c := config{{Safe: true}}; _ = yaml.Unmarshal(nil, &c); var o []grpc.ServerOption; if c.Safe {{ o = append(o, {U}) }}; _ = grpc.NewServer(o...) }}",
        ["nn"],
    ),
    "field that no decoder sets": (
        f'type config struct {{ Port int; Options []grpc.ServerOption `yaml:"-"` }}\nfunc main() {{ c := config{{Options: {OPTS}}}; _ = yaml.Unmarshal(nil, &c); _ = grpc.NewServer(c.Options...) }}',
        ["yy"],
    ),
    "map changed in init": (
        f'var sets = map[string][]grpc.ServerOption{{"a": {OPTS}}}\nfunc init() {{ delete(sets, "a"); sets["a"] = nil }}\nfunc main() {{ for _, o := range sets {{ _ = grpc.NewServer(o...) }} }}',
        ["??"],
    ),
    "closure made twice": (
        f"func main() {{ mk := func(o ...grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(o...) }}; a := mk({U}); b := mk(); _, _ = a, b }}",
        ["nn"],
    ),
    "helper called in a loop": (
        f"func New(o []grpc.ServerOption) *grpc.Server {{ return grpc.NewServer(o...) }}\nfunc main() {{ for _, o := range [][]grpc.ServerOption{{{{{U}}}, nil}} {{ _ = New(o) }} }}",
        ["nn", "nn via main.go"],
    ),
    "interceptor in a variable of a loop": (
        "func main() { var xs []grpc.UnaryServerInterceptor; for _, x := range []grpc.UnaryServerInterceptor{safety.Unary, safety.Plain} { xs = append(xs, func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) { return x(ctx, req, info, h) }) }; _ = grpc.NewServer(grpc.ChainUnaryInterceptor(xs[0])); _ = grpc.NewServer(grpc.ChainUnaryInterceptor(xs[1])) }",
        ["yn", "nn"],
    ),
    "setter after the constructor": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc NewApp() *app {{ return &app{{opts: {OPTS}}} }}\nfunc (a *app) Reset() {{ a.opts = nil }}\nfunc (a *app) Run(ctx context.Context) error {{ return grpc.NewServer(a.opts...).Serve(nil) }}\nfunc main() {{ plugin.Serve(NewApp()) }}",
        ["??"],
    ),
    "adder after the constructor": (
        f"type app struct {{ opts []grpc.ServerOption }}\nfunc NewApp() *app {{ return &app{{opts: {OPTS}}} }}\nfunc (a *app) Add(o grpc.ServerOption) {{ a.opts = append(a.opts, o) }}\nfunc (a *app) Run(ctx context.Context) error {{ return grpc.NewServer(a.opts...).Serve(nil) }}\nfunc main() {{ plugin.Serve(NewApp()) }}",
        ["yy"],
    ),
    "pointer to one of two": (
        f"func main() {{ good, bad := {OPTS}, []grpc.ServerOption{{}}; p := &good; if len(os.Args) > 1 {{ p = &bad }}; _ = grpc.NewServer(*p...) }}",
        ["nn"],
    ),
    "goto over the append": (
        f"func main() {{ var o []grpc.ServerOption; if len(os.Args) > 1 {{ goto serve }}; o = append(o, {U})\nserve:\n _ = grpc.NewServer(o...) }}",
        ["nn"],
    ),
    "variable called grpc": (
        "type fake struct{}\nfunc (fake) NewServer(o ...any) any { return nil }\nfunc main() { grpc := fake{}; _ = grpc.NewServer(1) }",
        [],
    ),
}


@pytest.mark.parametrize("case", ONE_PACKAGE)
def test_one_package(case: str, tmp_path: Path) -> None:
    code, expected = ONE_PACKAGE[case]
    for name, path in (("plugin", "example.org/plugin"), ("yaml", "gopkg.in/yaml.v3"), ("flag", "flag")):
        if f"{name}." in code:
            code = f'import {name} "{path}"\n' + code
    assert only(tmp_path, code) == expected


@pytest.mark.parametrize(
    ("failed", "letters"),
    [
        ('return nil, errors.Wrap(err, "x")', "yy"),
        ('return nil, errors.WithMessage(err, "x")', "yy"),
        ("return nil, errors.New(err.Error())", "yy"),
        ("return nil, nil", "nn"),  # a path that really goes on without options
    ],
)
def test_a_wrapped_error_comes_with_nothing(failed: str, letters: str, tmp_path: Path) -> None:
    code = f"""package main

import (
	"os"

	"github.com/pkg/errors"
	"google.golang.org/grpc"

	"example.com/x/safety"
)

var _ = errors.New

func opts() ([]grpc.ServerOption, error) {{
	if _, err := os.ReadFile("cert"); err != nil {{
		{failed}
	}}
	return {OPTS}, nil
}}

func main() {{
	o, err := opts()
	if err != nil {{
		panic(err)
	}}
	_ = grpc.NewServer(o...)
}}
"""
    assert only(tmp_path, code) == [letters]


def test_a_server_made_by_vendored_code_counts_where_it_is_called(tmp_path: Path) -> None:
    helper = """package kit

import "google.golang.org/grpc"

func New(options ...grpc.ServerOption) *grpc.Server { return grpc.NewServer(options...) }
"""
    code = f"""package main

import (
	"google.golang.org/grpc"

	"example.com/x/safety"
	"example.org/kit"
)

var _ = grpc.NewServer

func main() {{ kit.New({U}) }}
"""
    files = {"vendor/example.org/kit/kit.go": helper, "safety/safety.go": SAFETY, "main.go": code}
    table = servers.table(analyse(tmp_path, files))
    assert [(r.location.path, r.get("counts").value) for r in table.rows] == [("main.go", "yes")]


def test_one_row_of_each_server_counts(tmp_path: Path) -> None:
    code = f"""
func alike(extra ...grpc.ServerOption) {{ _ = grpc.NewServer(append({OPTS}, extra...)...) }}
func differing(options ...grpc.ServerOption) {{ _ = grpc.NewServer(options...) }}
func main() {{
	alike()
	alike(grpc.MaxRecvMsgSize(1))
	differing({U})
	differing()
}}
"""
    files = {"safety/safety.go": SAFETY, "main.go": go_file(code, package="main", local=("safety",))}
    table = servers.table(analyse(tmp_path, files))
    counted = [
        (bool(r.get("via").value), r.get("any_recovery").value)
        for r in table.rows
        if r.get("counts").value == "yes"
    ]
    assert sorted(counted) == [(False, "yes"), (True, "no"), (True, "yes")]
