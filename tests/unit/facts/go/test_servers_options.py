"""How interceptors reach a server: every way to write the options inside one package."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go import servers

SAFETY = go_file(
    """
func Unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = status.Errorf(codes.Internal, "%v", r)
		}
	}()
	return handler(ctx, req)
}

func Stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = status.Errorf(codes.Internal, "%v", r)
		}
	}()
	return handler(srv, ss)
}

func Plain(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	return handler(ctx, req)
}

func PlainStream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return handler(srv, ss)
}
""",
    package="safety",
)


def letters(root: Path, code: str, files: dict[str, str] | None = None) -> list[str]:
    """Unary and stream recovery of every server, as `yn`, `nn`, `u?`... in source order."""
    others = {"safety/safety.go": SAFETY, **(files or {})}
    local = tuple({p.rpartition("/")[0] for p in others if "/" in p})
    store = analyse(root, {"main.go": go_file(code, local=local), **others})
    found = []
    for row in servers.table(store).rows:
        answers = (row.get("unary_recovery").value, row.get("stream_recovery").value)
        found.append("".join({"yes": "y", "no": "n", "unknown": "?"}[str(a)] for a in answers))
    return found


def main(body: str) -> str:
    return "func main() {\n" + body + "\n}\n"


U, S = "grpc.ChainUnaryInterceptor(safety.Unary)", "grpc.ChainStreamInterceptor(safety.Stream)"
LISTS = {
    "no options": ("s := grpc.NewServer(); _ = s", "nn"),
    "nothing that intercepts": (
        "s := grpc.NewServer(grpc.Creds(nil), grpc.MaxRecvMsgSize(4), grpc.KeepaliveParams(keepalive.ServerParameters{}), grpc.StatsHandler(otelgrpc.NewServerHandler())); _ = s",
        "nn",
    ),
    "inline": (f"s := grpc.NewServer({U}, {S}); _ = s", "yy"),
    "unary only": (f"s := grpc.NewServer({U}); _ = s", "yn"),
    "stream only": (f"s := grpc.NewServer({S}); _ = s", "ny"),
    "single interceptors": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(safety.Unary), grpc.StreamInterceptor(safety.Stream)); _ = s",
        "yy",
    ),
    "behind another": (
        "s := grpc.NewServer(grpc.ChainUnaryInterceptor(safety.Plain, safety.Unary)); _ = s",
        "yn",
    ),
    "in front of another": (
        "s := grpc.NewServer(grpc.ChainUnaryInterceptor(safety.Unary, safety.Plain)); _ = s",
        "yn",
    ),
    "plain ones": (
        "s := grpc.NewServer(grpc.ChainUnaryInterceptor(safety.Plain), grpc.ChainStreamInterceptor(safety.PlainStream)); _ = s",
        "nn",
    ),
    "two chains": (
        "s := grpc.NewServer(grpc.ChainUnaryInterceptor(safety.Plain), grpc.ChainUnaryInterceptor(safety.Unary)); _ = s",
        "yn",
    ),
    "single and chain": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(safety.Plain), grpc.ChainUnaryInterceptor(safety.Unary)); _ = s",
        "yn",
    ),
    "unary interceptor twice": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(safety.Unary), grpc.UnaryInterceptor(safety.Plain)); _ = s",
        "nn",
    ),
    "nil interceptor": ("s := grpc.NewServer(grpc.ChainUnaryInterceptor(nil)); _ = s", "nn"),
    "empty chain": ("s := grpc.NewServer(grpc.ChainUnaryInterceptor()); _ = s", "nn"),
    "client interceptors": (
        'conn, _ := grpc.NewClient("a", grpc.WithUnaryInterceptor(nil)); _ = conn; s := grpc.NewServer(); _ = s',
        "nn",
    ),
    "literal slice": (f"opts := []grpc.ServerOption{{{U}, {S}}}; s := grpc.NewServer(opts...); _ = s", "yy"),
    "append": (
        f"var opts []grpc.ServerOption; opts = append(opts, {U}); opts = append(opts, {S}); s := grpc.NewServer(opts...); _ = s",
        "yy",
    ),
    "append of several": (
        f"opts := append([]grpc.ServerOption{{{U}}}, {S}); s := grpc.NewServer(opts...); _ = s",
        "yy",
    ),
    "append in the call": (
        f"opts := []grpc.ServerOption{{{U}}}; s := grpc.NewServer(append(opts, {S})...); _ = s",
        "yy",
    ),
    "append of a slice": (
        f"a := []grpc.ServerOption{{{U}}}; b := []grpc.ServerOption{{{S}}}; s := grpc.NewServer(append(a, b...)...); _ = s",
        "yy",
    ),
    "made and appended": (
        f"opts := make([]grpc.ServerOption, 0, 4); opts = append(opts, {U}); s := grpc.NewServer(opts...); _ = s",
        "yn",
    ),
    "made and set": (
        f"opts := make([]grpc.ServerOption, 2); opts[0] = {U}; opts[1] = {S}; s := grpc.NewServer(opts...); _ = s",
        "yy",
    ),
    "slices.Concat": (
        f"s := grpc.NewServer(slices.Concat([]grpc.ServerOption{{{U}}}, []grpc.ServerOption{{{S}}})...); _ = s",
        "yy",
    ),
    "copied": (
        f"a := []grpc.ServerOption{{{U}}}; b := make([]grpc.ServerOption, len(a)); copy(b, a); s := grpc.NewServer(b...); _ = s",
        "yn",
    ),
    "append dropped": (
        f"opts := []grpc.ServerOption{{}}; _ = append(opts, {U}); s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "overwritten": (
        f"opts := []grpc.ServerOption{{{U}}}; opts = []grpc.ServerOption{{grpc.Creds(nil)}}; s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "other list passed": (
        f"good := []grpc.ServerOption{{{U}}}; bad := []grpc.ServerOption{{}}; _ = good; s := grpc.NewServer(bad...); _ = s",
        "nn",
    ),
    "cut off": (
        f"opts := []grpc.ServerOption{{grpc.Creds(nil), {U}}}; s := grpc.NewServer(opts[:1]...); _ = s",
        "nn",
    ),
    "cut in front": (
        f"opts := []grpc.ServerOption{{grpc.Creds(nil), {U}}}; s := grpc.NewServer(opts[1:]...); _ = s",
        "yn",
    ),
    "element replaced": (
        f"opts := []grpc.ServerOption{{{U}}}; opts[0] = grpc.Creds(nil); s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "shadowed in a block": (
        f"opts := []grpc.ServerOption{{}}; if len(os.Args) > 0 {{ opts := append(opts, {U}); _ = opts }}; s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "appended afterwards": (
        f"opts := []grpc.ServerOption{{}}; s := grpc.NewServer(opts...); opts = append(opts, {U}); _ = s",
        "nn",
    ),
    "one branch": (
        f'opts := []grpc.ServerOption{{}}; if os.Getenv("A") != "" {{ opts = append(opts, {U}) }}; s := grpc.NewServer(opts...); _ = s',
        "nn",
    ),
    "both branches": (
        f'var opts []grpc.ServerOption; if os.Getenv("A") != "" {{ opts = append(opts, {U}, {S}, grpc.Creds(nil)) }} else {{ opts = append(opts, {U}, {S}) }}; s := grpc.NewServer(opts...); _ = s',
        "yy",
    ),
    "both branches, one short": (
        f'var opts []grpc.ServerOption; if os.Getenv("A") != "" {{ opts = append(opts, {U}, {S}) }} else {{ opts = append(opts, {U}) }}; s := grpc.NewServer(opts...); _ = s',
        "yn",
    ),
    "switch": (
        f'var opts []grpc.ServerOption; switch os.Getenv("A") {{ case "a": opts = []grpc.ServerOption{{{U}}}; case "b": opts = append(opts, {U}); default: opts = []grpc.ServerOption{{{U}, {S}}} }}; s := grpc.NewServer(opts...); _ = s',
        "yn",
    ),
    "switch without default": (
        f'var opts []grpc.ServerOption; switch os.Getenv("A") {{ case "a": opts = append(opts, {U}); case "b": opts = append(opts, {U}) }}; s := grpc.NewServer(opts...); _ = s',
        "nn",
    ),
    "constant condition": (
        f"const on = true; var opts []grpc.ServerOption; if on {{ opts = append(opts, {U}) }}; s := grpc.NewServer(opts...); _ = s",
        "yn",
    ),
    "constant condition that is false": (
        f"const on = false; var opts []grpc.ServerOption; if on {{ opts = append(opts, {U}) }}; s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "loop over interceptors": (
        "xs := []grpc.UnaryServerInterceptor{safety.Plain, safety.Unary}; var opts []grpc.ServerOption; for _, x := range xs { opts = append(opts, grpc.ChainUnaryInterceptor(x)) }; s := grpc.NewServer(opts...); _ = s",
        "yn",
    ),
    "spread of interceptors": (
        "xs := []grpc.UnaryServerInterceptor{safety.Plain, safety.Unary}; s := grpc.NewServer(grpc.ChainUnaryInterceptor(xs...)); _ = s",
        "yn",
    ),
    "spread after a branch": (
        "xs := []grpc.UnaryServerInterceptor{safety.Unary}; if len(os.Args) > 2 { xs = append(xs, safety.Plain) }; s := grpc.NewServer(grpc.ChainUnaryInterceptor(xs...)); _ = s",
        "yn",
    ),
    "spread, branch without": (
        "var xs []grpc.UnaryServerInterceptor; if len(os.Args) > 2 { xs = append(xs, safety.Unary) }; s := grpc.NewServer(grpc.ChainUnaryInterceptor(xs...)); _ = s",
        "nn",
    ),
    "prepended": (
        "xs := []grpc.UnaryServerInterceptor{safety.Plain}; xs = append([]grpc.UnaryServerInterceptor{safety.Unary}, xs...); s := grpc.NewServer(grpc.ChainUnaryInterceptor(xs...)); _ = s",
        "yn",
    ),
    "v1 chain": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(grpc_middleware.ChainUnaryServer(safety.Plain, safety.Unary)), grpc.StreamInterceptor(grpc_middleware.ChainStreamServer(grpc_recovery.StreamServerInterceptor()))); _ = s",
        "yy",
    ),
    "v1 options": (
        "s := grpc.NewServer(grpc_middleware.WithUnaryServerChain(grpc_recovery.UnaryServerInterceptor()), grpc_middleware.WithStreamServerChain(safety.PlainStream)); _ = s",
        "yn",
    ),
    "v1 chain of nothing that recovers": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(grpc_middleware.ChainUnaryServer(safety.Plain))); _ = s",
        "nn",
    ),
    "v2": (
        "s := grpc.NewServer(grpc.ChainUnaryInterceptor(logging.UnaryServerInterceptor(nil), recovery.UnaryServerInterceptor()), grpc.ChainStreamInterceptor(recovery.StreamServerInterceptor())); _ = s",
        "yy",
    ),
    "variable for the interceptor": (
        "x := safety.Unary; s := grpc.NewServer(grpc.UnaryInterceptor(x)); _ = s",
        "yn",
    ),
    "variable reassigned": (
        "x := safety.Unary; x = safety.Plain; s := grpc.NewServer(grpc.UnaryInterceptor(x)); _ = s",
        "nn",
    ),
    "typed variable": (
        "var x grpc.UnaryServerInterceptor = safety.Unary; s := grpc.NewServer(grpc.UnaryInterceptor(x)); _ = s",
        "yn",
    ),
    "zero variable": (
        "var x grpc.UnaryServerInterceptor; s := grpc.NewServer(grpc.ChainUnaryInterceptor(x)); _ = s",
        "nn",
    ),
    "converted": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(grpc.UnaryServerInterceptor(safety.Unary))); _ = s",
        "yn",
    ),
    "variable for the option": (f"opt := {U}; s := grpc.NewServer(opt); _ = s", "yn"),
    "function value for NewServer": (f"make := grpc.NewServer; s := make({U}); _ = s", "yn"),
    "EmptyServerOption": (f"s := grpc.NewServer(grpc.EmptyServerOption{{}}, {U}); _ = s", "yn"),
    "join of options": (f"s := grpc.NewServer([]grpc.ServerOption{{{U}, {S}}}...); _ = s", "yy"),
    "pointer to options": (
        f"opts := &[]grpc.ServerOption{{}}; *opts = append(*opts, {U}); s := grpc.NewServer(*opts...); _ = s",
        "yn",
    ),
    "array": (f"opts := [2]grpc.ServerOption{{{U}, {S}}}; s := grpc.NewServer(opts[:]...); _ = s", "yy"),
    "map of options": (
        f'm := map[string]grpc.ServerOption{{"u": {U}, "s": {S}}}; var opts []grpc.ServerOption; for _, o := range m {{ opts = append(opts, o) }}; s := grpc.NewServer(opts...); _ = s',
        "yy",
    ),
    "map entry": (f'm := map[string]grpc.ServerOption{{"u": {U}}}; s := grpc.NewServer(m["u"]); _ = s', "yn"),
    "missing map entry": (
        f'm := map[string]grpc.ServerOption{{"u": {U}}}; s := grpc.NewServer(grpc.Creds(nil), m["v"]); _ = s',
        "nn",
    ),
    "map of lists": (
        f'm := map[string][]grpc.ServerOption{{"a": {{{U}}}, "b": {{{U}, {S}}}}}; s := grpc.NewServer(m[os.Args[1]]...); _ = s',
        "nn",
    ),
    "closure appends": (
        f"var opts []grpc.ServerOption; add := func(o grpc.ServerOption) {{ opts = append(opts, o) }}; add({U}); add({S}); s := grpc.NewServer(opts...); _ = s",
        "yy",
    ),
    "closure not called": (
        f"var opts []grpc.ServerOption; add := func() {{ opts = append(opts, {U}) }}; _ = add; s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "function literal called": (
        f"s := grpc.NewServer(func() grpc.ServerOption {{ return {U} }}()); _ = s",
        "yn",
    ),
    "otel interceptors": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(otelgrpc.UnaryServerInterceptor())); _ = s",
        "nn",
    ),
    "unknown package's interceptor": (
        "s := grpc.NewServer(grpc.UnaryInterceptor(thing.Interceptor())); _ = s",
        "?n",
    ),
    "loop with unknown length": (
        f"var opts []grpc.ServerOption; for range os.Args {{ opts = append(opts, {U}) }}; s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "goto": (
        f"opts := []grpc.ServerOption{{{U}}}; if len(os.Args) > 1 {{ goto end }}; opts = nil\nend:\n s := grpc.NewServer(opts...); _ = s",
        "nn",
    ),
    "early return makes another server": (
        f"if len(os.Args) > 1 {{ grpc.NewServer(); return }}; s := grpc.NewServer({U}); _ = s",
        ["nn", "yn"],
    ),
    "two servers": (f"a := grpc.NewServer({U}, {S})\n b := grpc.NewServer()\n _, _ = a, b", ["yy", "nn"]),
    "assigned in two branches": (
        f"var s *grpc.Server; if len(os.Args) > 1 {{ s = grpc.NewServer({U}) }} else {{ s = grpc.NewServer() }}; _ = s",
        ["yn", "nn"],
    ),
    "after an exit": (f'if len(os.Args) < 2 {{ log.Fatal("usage") }}; s := grpc.NewServer({U}); _ = s', "yn"),
    "unreachable addition": (
        f"opts := []grpc.ServerOption{{{U}}}; if false {{ opts = nil }}; s := grpc.NewServer(opts...); _ = s",
        "yn",
    ),
    "in a goroutine": (f"go func() {{ s := grpc.NewServer({U}); _ = s.Serve(nil) }}()", "yn"),
    "in a deferred function": (f"defer func() {{ s := grpc.NewServer({U}); _ = s }}()", "yn"),
    "in a cobra command": (
        f"opts := []grpc.ServerOption{{{U}}}; cmd := &cobra.Command{{RunE: func(c *cobra.Command, args []string) error {{ s := grpc.NewServer(opts...); return s.Serve(nil) }}}}; _ = cmd.Execute()",
        "yn",
    ),
    "in an errgroup": (
        f"g := errgroup.Group{{}}; opts := []grpc.ServerOption{{{U}}}; g.Go(func() error {{ return grpc.NewServer(opts...).Serve(nil) }})",
        "yn",
    ),
    "in a handler": (
        f'http.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {{ s := grpc.NewServer({U}); s.ServeHTTP(w, r) }})',
        "yn",
    ),
    "xds": (f"s, err := xds.NewGRPCServer({U}); _, _ = s, err", "yn"),
    "chained call": (f"grpc.NewServer({U}).Serve(nil)", "yn"),
    "in a condition": (f"if s := grpc.NewServer({U}); s != nil {{ return }}", "yn"),
    "proxy": (
        "s := grpc.NewServer(grpc.UnknownServiceHandler(func(srv any, ss grpc.ServerStream) error { return nil })); _ = s",
        "nn",
    ),
    "generic helper": (f"s := grpc.NewServer(keep({U})...); _ = s", "yn"),
    "map of maps, keys in fields": (
        f'm := map[string]map[string]grpc.ServerOption{{"a": {{}}}}; k := struct{{A, B string}}{{"a", "b"}}; m[k.A][k.B] = {U}; s := grpc.NewServer(m[k.A][k.B]); _ = s',
        "yn",
    ),
}
GENERIC = "func keep[T any](xs ...T) []T { return append([]T{}, xs...) }\n"


@pytest.mark.parametrize("case", LISTS)
def test_list(case: str, tmp_path: Path) -> None:
    text, expected = LISTS[case]
    wanted = [] if expected is None else [expected] if isinstance(expected, str) else expected
    code = main(text).replace("thing.", "thing.") + (GENERIC if "keep(" in text else "")
    if "thing." in text:
        code = 'import thing "example.org/thing"\n\n' + code
    assert letters(tmp_path, code) == wanted


BUILD = f"""
func build() ([]grpc.ServerOption, error) {{
	if os.Getenv("X") != "" {{
		return []grpc.ServerOption{{{U}}}, nil
	}}
	return nil, errors.New("no X")
}}
"""
ERRORS = {
    "looked at, and on": ("if err != nil { log.Print(err) }", "nn"),
    "only the good way is looked at": ('if err == nil { log.Print("fine") }', "nn"),
    "both ways go on": ('if err == nil { log.Print("fine") } else { log.Print(err) }', "nn"),
    "the bad way ends": ("if err != nil { log.Fatal(err) }", "yn"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_options_from_a_function_that_may_fail(case: str, tmp_path: Path) -> None:
    text, expected = ERRORS[case]
    code = main(f"opts, err := build()\n{text}\ns := grpc.NewServer(opts...); _ = s") + BUILD
    assert letters(tmp_path, code) == [expected]
