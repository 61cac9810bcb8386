"""What counts as recovery: one interceptor per case, in a server that installs it alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go import servers

HEAD = "func unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {\n"
STREAM = "func stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {\n"


def judged(root: Path, code: str, files: dict[str, str] | None = None, kind: str = "unary") -> str:
    """The recovery of the only server of `main.go`."""
    local = tuple({p.rpartition("/")[0] for p in files or {}})
    store = analyse(root, {"main.go": go_file(code, local=local), **(files or {})})
    rows = servers.table(store).rows
    assert len(rows) == 1, [str(r.location) for r in rows]
    return str(rows[0].get(f"{kind}_recovery").value)


def server(option: str) -> str:
    return f"\nfunc main() {{ s := grpc.NewServer({option}); _ = s }}\n"


def body(text: str, more: str = "") -> str:
    """A program whose interceptor has this body."""
    return HEAD + text + "\n}\n" + more + server("grpc.UnaryInterceptor(unary)")


RECOVERS = {
    "stops a deferred panic too": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\ndefer panic("always")\nreturn handler(ctx, req)',
    "named result": 'defer func() { if r := recover(); r != nil { err = status.Error(codes.Internal, "x") } }()\nreturn handler(ctx, req)',
    "no variable for what was recovered": 'defer func() { if recover() != nil { err = status.Error(codes.Internal, "x") } }()\nreturn handler(ctx, req)',
    "early return": 'defer func() { r := recover(); if r == nil { return }; err = status.Errorf(codes.Internal, "%v", r) }()\nreturn handler(ctx, req)',
    "plain error": 'defer func() { if r := recover(); r != nil { err = fmt.Errorf("%v", r) } }()\nreturn handler(ctx, req)',
    "deferred before an early return": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nif req == nil { return nil, errors.New("empty") }\nreturn handler(ctx, req)',
    "panics flag": 'panicked := true\ndefer func() { if r := recover(); r != nil || panicked { err = errors.New("x") } }()\nresp, err = handler(ctx, req)\npanicked = false\nreturn resp, err',
    "switch on what was recovered": 'defer func() { switch r := recover().(type) { case nil: return; case error: err = r; default: err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "if error else": 'defer func() { if r := recover(); r != nil { if e, ok := r.(error); ok { err = e } else { err = fmt.Errorf("%v", r) } } }()\nreturn handler(ctx, req)',
    "two defers": 'defer fmt.Println("done")\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "later defer cleans up": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\ndefer func() { fmt.Println("later") }()\nreturn handler(ctx, req)',
    "recovered again after a panicking defer": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\ndefer func() { if r := recover(); r != nil { panic(r) } }()\nreturn handler(ctx, req)',
    "handler called inside a closure that runs here": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\ncall := func() (any, error) { return handler(ctx, req) }\nreturn call()',
    "protected inner function": 'func() {\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nresp, err = handler(ctx, req)\n}()\nreturn resp, err',
    "both branches call the handler": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nif info.FullMethod == "/a" { return handler(ctx, req) }\nreturn handler(context.Background(), req)',
    "logging in between": 'defer func() { if r := recover(); r != nil { log.Printf("%v %s", r, debug.Stack()); err = status.Error(codes.Internal, "x") } }()\nstart := time.Now()\nresp, err = handler(ctx, req)\nlog.Println(time.Since(start))\nreturn resp, err',
    "error made by a helper": "defer func() { if r := recover(); r != nil { err = toError(r) } }()\nreturn handler(ctx, req)",
    "helper that recovers when deferred": "defer capture(&err)\nreturn handler(ctx, req)",
    "callback of a helper": "defer crash(func(r any) { err = toError(r) })\nreturn handler(ctx, req)",
    "recover() as an argument": "defer func() { note(recover(), &err) }()\nreturn handler(ctx, req)",
    "method of a struct": "defer (&box{}).capture(&err)\nreturn handler(ctx, req)",
    "deferred in a block": '{ defer func() { if r := recover(); r != nil { err = errors.New("x") } }() }\nreturn handler(ctx, req)',
    "result variables of its own": 'var out any\nvar failure error\nfunc() {\ndefer func() { if r := recover(); r != nil { failure = errors.New("x") } }()\nout, failure = handler(ctx, req)\n}()\nreturn out, failure',
    "deferred variable": 'f := func() { if r := recover(); r != nil { err = errors.New("x") } }\ndefer f()\nreturn handler(ctx, req)',
    "skips runtime.Error in the message only": 'defer func() { if r := recover(); r != nil { if _, ok := r.(runtime.Error); ok { log.Println("runtime") }; err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "handler in an errgroup that is protected there": 'var g errgroup.Group\ng.Go(func() (e error) {\ndefer func() { if r := recover(); r != nil { e = errors.New("x") } }()\nresp, e = handler(ctx, req)\nreturn e\n})\nerr = g.Wait()\nreturn resp, err',
    "handler in a goroutine that is protected there": 'done := make(chan struct{})\ngo func() {\ndefer close(done)\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nresp, err = handler(ctx, req)\n}()\n<-done\nreturn resp, err',
}
HELPERS = """
func toError(r any) error { return status.Errorf(codes.Internal, "%v", r) }
func capture(err *error) { if r := recover(); r != nil { *err = toError(r) } }
func crash(f func(any)) { if r := recover(); r != nil { f(r) } }
func note(r any, err *error) { if r != nil { *err = toError(r) } }
type box struct{}
func (b *box) capture(err *error) { if r := recover(); r != nil { *err = toError(r) } }
func deep(err *error) { capture(err) }
func die(r any) { log.Fatal(r) }
"""
DOES_NOT = {
    "panics again when it ends": 'defer func() { if r := recover(); r != nil { defer panic(r); err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "nothing": "return handler(ctx, req)",
    "defer recover()": "defer recover()\nreturn handler(ctx, req)",
    "two frames down": "defer func() { deep(&err) }()\nreturn handler(ctx, req)",
    "helper that calls the helper": "defer deep(&err)\nreturn handler(ctx, req)",
    "closure inside the deferred function": 'defer func() { func() { if r := recover(); r != nil { err = errors.New("x") } }() }()\nreturn handler(ctx, req)',
    "not deferred": 'func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "called in place of deferred": "capture(&err)\nreturn handler(ctx, req)",
    "panics again": "defer func() { if r := recover(); r != nil { log.Println(r); panic(r) } }()\nreturn handler(ctx, req)",
    "panics again for some values": 'defer func() { if r := recover(); r != nil { if _, ok := r.(error); ok { panic(r) }; err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "only errors": "defer func() { if r := recover(); r != nil { e, ok := r.(error); if !ok { panic(r) }; err = e } }()\nreturn handler(ctx, req)",
    "type switch that panics by default": "defer func() { switch r := recover().(type) { case nil: case error: err = r; default: panic(r) } }()\nreturn handler(ctx, req)",
    "os.Exit": "defer func() { if r := recover(); r != nil { log.Println(r); os.Exit(1) } }()\nreturn handler(ctx, req)",
    "log.Fatal": "defer func() { if r := recover(); r != nil { log.Fatal(r) } }()\nreturn handler(ctx, req)",
    "log.Panic": "defer func() { if r := recover(); r != nil { log.Panic(r) } }()\nreturn handler(ctx, req)",
    "Fatal in a helper": "defer func() { if r := recover(); r != nil { die(r) } }()\nreturn handler(ctx, req)",
    "other goroutine": 'go func() { defer func() { if r := recover(); r != nil { err = errors.New("x") } }() }()\nreturn handler(ctx, req)',
    "handler in an errgroup": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\ng, inner := errgroup.WithContext(ctx)\ng.Go(func() (e error) { resp, e = handler(inner, req); return e })\nerr = g.Wait()\nreturn resp, err',
    "handler in a wait group": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nvar wg sync.WaitGroup\nwg.Go(func() { resp, err = handler(ctx, req) })\nwg.Wait()\nreturn resp, err',
    "handler in a goroutine without recover": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\ndone := make(chan struct{})\ngo func() { resp, err = handler(ctx, req); close(done) }()\n<-done\nreturn resp, err',
    "goroutine forwards the panic": "panics := make(chan any, 1)\ngo func() { defer func() { if r := recover(); r != nil { panics <- r } }(); resp, err = handler(ctx, req); panics <- nil }()\nif r := <-panics; r != nil { panic(r) }\nreturn resp, err",
    "after the handler": 'resp, err = handler(ctx, req)\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn resp, err',
    "one branch": 'if info.FullMethod != "/health" { defer func() { if r := recover(); r != nil { err = errors.New("x") } }() }\nreturn handler(ctx, req)',
    "one method without": 'if info.FullMethod == "/health" { return handler(ctx, req) }\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "error dropped": "defer func() { recover() }()\nreturn handler(ctx, req)",
    "error only logged": "defer func() { if r := recover(); r != nil { log.Println(r) } }()\nreturn handler(ctx, req)",
    "error shadowed": 'defer func() { if r := recover(); r != nil { err := errors.New("x"); log.Println(err) } }()\nreturn handler(ctx, req)',
    "error assigned to a local": 'var e error\ndefer func() { if r := recover(); r != nil { e = errors.New("x") } }()\nresp, err = handler(ctx, req)\nif e != nil { return nil, e }\nreturn resp, err',
    "recover in a comment": "// defer func() { if r := recover(); r != nil { } }()\nreturn handler(ctx, req)",
    "recover in a string": 'log.Println("defer func() { recover() }()")\nreturn handler(ctx, req)',
    "recover is a local function": 'recover := func() any { return nil }\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn handler(ctx, req)',
    "protected inner function without the handler": 'func() { defer func() { if r := recover(); r != nil { err = errors.New("x") } }(); log.Println("start") }()\nreturn handler(ctx, req)',
    "deferred closure never installed": 'f := func() { if r := recover(); r != nil { err = errors.New("x") } }\n_ = f\nreturn handler(ctx, req)',
    "deferred function returns a function": 'defer func() func() { return func() { if r := recover(); r != nil { err = errors.New("x") } } }()\nreturn handler(ctx, req)',
    "deferred in a helper that returned": "protect(&err)\nreturn handler(ctx, req)",
    "never calls the handler": 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn nil, nil',
}
MORE = HELPERS + "func protect(err *error) { defer capture(err) }\n"


@pytest.mark.parametrize("case", RECOVERS)
def test_recovers(case: str, tmp_path: Path) -> None:
    assert judged(tmp_path, body(RECOVERS[case], HELPERS)) == "yes"


@pytest.mark.parametrize("case", DOES_NOT)
def test_does_not_recover(case: str, tmp_path: Path) -> None:
    assert judged(tmp_path, body(DOES_NOT[case], MORE)) == "no"


UNNAMED = "func unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {\n"


def test_results_without_names_are_zero_after_a_panic(tmp_path: Path) -> None:
    code = (
        UNNAMED
        + 'var err error\ndefer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nresp, err := handler(ctx, req)\nreturn resp, err\n}\n'
    )
    assert judged(tmp_path, code + server("grpc.UnaryInterceptor(unary)")) == "no"


def test_recover_in_another_package_follows_the_deferred_call(tmp_path: Path) -> None:
    helper = go_file(
        'func CapturePanic(err *error) { if r := recover(); r != nil { *err = fmt.Errorf("%v", r) } }',
        package="trap",
    )
    code = HEAD + "defer trap.CapturePanic(&err)\nreturn handler(ctx, req)\n}\n"
    assert judged(tmp_path, code + server("grpc.UnaryInterceptor(unary)"), {"trap/trap.go": helper}) == "yes"


def test_a_logger_method_that_recovers_when_it_is_deferred(tmp_path: Path) -> None:
    helper = go_file(
        'type Logger struct{ name string }\nfunc (l *Logger) Capture(err *error) { if r := recover(); r != nil { log.Println(l.name, r); *err = status.Error(codes.Internal, "x") } }',
        package="trap",
    )
    code = "type guard struct{ l *trap.Logger }\nfunc (g *guard) intercept" + HEAD.removeprefix("func unary")
    code += "defer g.l.Capture(&err)\nreturn handler(ctx, req)\n}\n"
    code += server("grpc.UnaryInterceptor((&guard{l: &trap.Logger{}}).intercept)")
    assert judged(tmp_path, code, {"trap/trap.go": helper}) == "yes"


def test_a_panic_that_a_package_of_ours_logs_with_zerolog(tmp_path: Path) -> None:
    """What the logger's settings are is asked of the environment, by helpers with two ways out."""
    helper = go_file(
        """
        type Config struct{ Service, Environment string }
        func Env(key, value string) string { if v := os.Getenv(key); v != "" { return v }; return value }
        func New(c *Config) *Logger {
            if c == nil { c = &Config{Service: "x", Environment: Env("ENVIRONMENT", "development")} }
            l := zerolog.New(os.Stdout).With().Str("service", c.Service).Str("environment", c.Environment).Logger()
            return &Logger{logger: l}
        }
        type Logger struct{ logger zerolog.Logger }
        func (l *Logger) With(fields map[string]any) *Logger { return &Logger{logger: l.logger.With().Fields(fields).Logger()} }
        func (l *Logger) Error(text string) { l.logger.Error().Msg(text) }
        """,
        package="logging",
    )
    code = (
        HEAD
        + """defer func() {
            if r := recover(); r != nil {
                logging.New(&logging.Config{Service: logging.Env("SERVICE", "x")}).With(map[string]any{"stack": string(debug.Stack())}).Error("panic")
                err = status.Error(codes.Internal, "x")
            }
        }()
        return handler(ctx, req)
        }
        """
    )
    files = {"logging/logging.go": helper}
    store = analyse(
        tmp_path,
        {"main.go": go_file(code + server("grpc.UnaryInterceptor(unary)"), local=("logging",)), **files},
    )
    (row,) = servers.table(store).rows
    logs = row.get("logs_stack")
    assert (row.get("internal").value, logs.value) == ("yes", "yes"), logs.because


GUARD = """
func guard(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
    defer func() {
        if r := recover(); r != nil {
            log.Printf("%v", r)
            err = status.Error(codes.Internal, "x")
        }
    }()
    return handler(ctx, req)
}
"""
# what `unary` does, the order, recovery, codes.Internal
CHAINS = {
    "logs": (
        "resp, err = handler(ctx, req)\nlog.Println(err)\nreturn resp, err",
        "unary, guard",
        "yes",
        "yes",
    ),
    "hides": (
        "resp, err = handler(ctx, req)\nlog.Println(err)\nreturn resp, nil",
        "unary, guard",
        "no",
        "no",
    ),
    "hides, behind": ("resp, err = handler(ctx, req)\nreturn resp, nil", "guard, unary", "yes", "yes"),
    "hides some": (
        'resp, err = handler(ctx, req)\nif info.FullMethod == os.Getenv("M") { return resp, nil }\nreturn resp, err',
        "unary, guard",
        "yes",
        "yes",
    ),
    "other code": (
        'resp, err = handler(ctx, req)\nif err != nil { return nil, status.Error(codes.Unknown, "x") }\nreturn resp, nil',
        "unary, guard",
        "yes",
        "no",
    ),
    "other code, behind": (
        'resp, err = handler(ctx, req)\nif err != nil { return nil, status.Error(codes.Unknown, "x") }\nreturn resp, nil',
        "guard, unary",
        "yes",
        "yes",
    ),
    "panics": (
        "resp, err = handler(ctx, req)\nif status.Code(err) == codes.Internal { panic(err) }\nreturn resp, err",
        "unary, guard",
        "no",
        None,
    ),
    "goroutine": (
        "done := make(chan struct{})\ngo func() { defer close(done); resp, err = handler(ctx, req) }()\n<-done\nreturn resp, err",
        "guard, unary",
        "no",
        None,
    ),
    "goroutine, before": (
        "done := make(chan struct{})\ngo func() { defer close(done); resp, err = handler(ctx, req) }()\n<-done\nreturn resp, err",
        "unary, guard",
        "yes",
        "yes",
    ),
    "goroutine behind a library": (
        "done := make(chan struct{})\ngo func() { defer close(done); resp, err = handler(ctx, req) }()\n<-done\nreturn resp, err",
        "recovery.UnaryServerInterceptor(), unary",
        "no",
        None,
    ),
    "logs behind a library": (
        "resp, err = handler(ctx, req)\nlog.Println(err)\nreturn resp, err",
        "recovery.UnaryServerInterceptor(), unary",
        "yes",
        "no",
    ),
}


@pytest.mark.parametrize("case", CHAINS)
def test_an_interceptor_beside_the_one_that_recovers(case: str, tmp_path: Path) -> None:
    text, order, recovers, internal = CHAINS[case]
    code = HEAD + text + "\n}\n" + GUARD + server(f"grpc.ChainUnaryInterceptor({order})")
    (row,) = servers.table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    assert row.get("unary_recovery").value == recovers, row.get("unary_recovery").because
    if recovers == "yes":
        assert row.get("internal").value == internal, row.get("internal").because


LOGGERS = {
    "zerolog.New(os.Stderr)": "yes",
    "zerolog.New(os.Stderr).With().Timestamp().Logger()": "yes",
    "zerolog.Nop()": "no",
    "zerolog.New(io.Discard).With().Timestamp().Logger()": "no",
    "zerolog.New(os.Stderr).Output(io.Discard)": "no",
    "zerolog.New(os.Stderr).Level(zerolog.Disabled)": "no",
    "zerolog.New(io.Discard).Output(os.Stderr)": "yes",
    "zerolog.Logger{}": "no",
    "struct{ log zerolog.Logger }{}.log": "no",
    "zerolog.Logger{}.Output(os.Stderr)": "yes",
}


@pytest.mark.parametrize("logger", LOGGERS)
def test_a_logger_that_writes_nothing_logs_nothing(logger: str, tmp_path: Path) -> None:
    code = body(
        f"""logger := {logger}
        defer func() {{
            if r := recover(); r != nil {{
                logger.Error().Interface("panic", r).Bytes("stack", debug.Stack()).Msg("panic")
                err = status.Error(codes.Internal, "x")
            }}
        }}()
        return handler(ctx, req)"""
    )
    (row,) = servers.table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    assert row.get("logs_stack").value == LOGGERS[logger], row.get("logs_stack").because


LOGGED_BY = {
    'stack := debug.Stack()\ngo func() { log.Error().Bytes("stack", stack).Msg("panic") }()': "yes",
    'go func() { log.Error().Bytes("stack", debug.Stack()).Msg("panic") }()': "no",
    'go log.Error().Bytes("stack", debug.Stack()).Msg("panic")': "yes",
    'go func(stack []byte) { log.Error().Bytes("stack", stack).Msg("panic") }(debug.Stack())': "yes",
}


@pytest.mark.parametrize("statement", LOGGED_BY)
def test_a_goroutine_may_log_but_has_a_stack_of_its_own(statement: str, tmp_path: Path) -> None:
    code = body(
        f"""log := zerolog.New(os.Stderr)
        defer func() {{
            if r := recover(); r != nil {{
                {statement}
                err = status.Error(codes.Internal, "x")
            }}
        }}()
        return handler(ctx, req)"""
    )
    (row,) = servers.table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    found = (row.get("unary_recovery").value, row.get("internal").value, row.get("logs_stack").value)
    assert found == ("yes", "yes", LOGGED_BY[statement]), row.get("logs_stack").because


@pytest.mark.parametrize("way", ["", "go func() { STATEMENT }()"])
def test_a_goroutine_that_nobody_waits_for_sets_no_error(way: str, tmp_path: Path) -> None:
    statement = 'err = status.Error(codes.Internal, "x")'
    code = body(
        f"""defer func() {{
            if r := recover(); r != nil {{
                {way.replace("STATEMENT", statement) or statement}
            }}
        }}()
        return handler(ctx, req)"""
    )
    (row,) = servers.table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    assert (row.get("internal").value == "yes") is not bool(way)


WRAPPED = {
    'fmt.Errorf("recovered: %w", status.Error(codes.Internal, "x"))': "yes",
    'errors.Join(errors.New("panic"), status.Error(codes.Internal, "x"))': "yes",
    'fmt.Errorf("recovered: %w", status.Error(codes.Aborted, "x"))': "no",
    'fmt.Errorf("recovered: %v", status.Error(codes.Internal, "x"))': "no",
    'fmt.Errorf("recovered: %w", errors.New("x"))': "no",
    "status.FromContextError(context.Canceled).Err()": "no",
}


@pytest.mark.parametrize("error", WRAPPED)
def test_the_code_of_a_wrapped_status_reaches_the_client(error: str, tmp_path: Path) -> None:
    code = body(
        f"defer func() {{ if r := recover(); r != nil {{ err = {error} }} }}()\nreturn handler(ctx, req)"
    )
    (row,) = servers.table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    assert row.get("internal").value == WRAPPED[error], row.get("internal").because


LIBRARY = {
    "v2 as it is": ("recovery.UnaryServerInterceptor()", "yes"),
    "v1 as it is": ("grpc_recovery.UnaryServerInterceptor()", "yes"),
    "v2 handler": ("recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(good))", "yes"),
    "v2 context handler": (
        "recovery.UnaryServerInterceptor(recovery.WithRecoveryHandlerContext(goodContext))",
        "yes",
    ),
    "v1 handler": ("grpc_recovery.UnaryServerInterceptor(grpc_recovery.WithRecoveryHandler(good))", "yes"),
    "v1 context handler": (
        "grpc_recovery.UnaryServerInterceptor(grpc_recovery.WithRecoveryHandlerContext(goodContext))",
        "yes",
    ),
    "closure": (
        'recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(func(p any) error { return status.Errorf(codes.Internal, "%v", p) }))',
        "yes",
    ),
    "converted": (
        "recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(recovery.RecoveryHandlerFunc(good)))",
        "yes",
    ),
    "options in a slice": (
        "recovery.UnaryServerInterceptor([]recovery.Option{recovery.WithRecoveryHandler(good)}...)",
        "yes",
    ),
    "handler panics again": ("recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(again))", "no"),
    "handler returns nil": ("recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(silent))", "no"),
    "handler exits": ("recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(exits))", "no"),
    "handler panics for some": ("recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(some))", "no"),
    "last handler counts": (
        "recovery.UnaryServerInterceptor(recovery.WithRecoveryHandler(again), recovery.WithRecoveryHandler(good))",
        "yes",
    ),
    "stream interceptor as unary": ("recovery.StreamServerInterceptor()", "no"),
    "other interceptor": ("logging.UnaryServerInterceptor(nil)", "no"),
    "selector, every call": (
        "selector.UnaryServerInterceptor(recovery.UnaryServerInterceptor(), selector.MatchFunc(every))",
        "yes",
    ),
    "selector, some calls": (
        "selector.UnaryServerInterceptor(recovery.UnaryServerInterceptor(), selector.MatchFunc(most))",
        "no",
    ),
    "selector without recovery": (
        "selector.UnaryServerInterceptor(logging.UnaryServerInterceptor(nil), selector.MatchFunc(most))",
        "no",
    ),
}
HANDLERS = """
func good(p any) error { return status.Errorf(codes.Internal, "%v", p) }
func goodContext(ctx context.Context, p any) error { return status.Errorf(codes.Internal, "%v", p) }
func again(p any) error { panic(p) }
func silent(p any) error { log.Println(p); return nil }
func exits(p any) error { os.Exit(2); return nil }
func some(p any) error { if e, ok := p.(error); ok { panic(e) }; return errors.New("x") }
func every(ctx context.Context, c any) bool { return true }
func most(ctx context.Context, c interceptors.CallMeta) bool { return c.FullMethod() != "/grpc.health.v1.Health/Check" }
"""


@pytest.mark.parametrize("case", LIBRARY)
def test_library(case: str, tmp_path: Path) -> None:
    interceptor, expected = LIBRARY[case]
    assert judged(tmp_path, HANDLERS + server(f"grpc.UnaryInterceptor({interceptor})")) == expected


def test_a_stream_interceptor_is_judged_by_the_same_rules(tmp_path: Path) -> None:
    good = (
        STREAM
        + 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn handler(srv, ss)\n}\n'
    )
    code = good + server("grpc.StreamInterceptor(stream)")
    assert judged(tmp_path, code, kind="stream") == "yes"


def test_a_stream_interceptor_that_only_logs(tmp_path: Path) -> None:
    code = (
        STREAM
        + "defer func() { if r := recover(); r != nil { log.Println(r) } }()\nreturn handler(srv, ss)\n}\n"
    )
    assert judged(tmp_path, code + server("grpc.StreamInterceptor(stream)"), kind="stream") == "no"


MANY = "\n".join(f'if os.Getenv("F{i}") != "" {{ defer fmt.Println({i}) }}' for i in range(6))


def test_more_groups_of_deferred_calls_than_are_followed_around_a_server(tmp_path: Path) -> None:
    recovering = (
        'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()\nreturn handler(ctx, req)'
    )
    start = (
        f"\nfunc start(options ...grpc.ServerOption) {{\n{MANY}\ns := grpc.NewServer(options...)\n_ = s\n}}\n"
    )
    code = HEAD + recovering + "\n}\n" + start + "\nfunc main() { start(grpc.UnaryInterceptor(unary)) }\n"
    store = analyse(tmp_path, {"main.go": go_file(code)})
    assert {row.get("unary_recovery").value for row in servers.table(store).rows} == {"yes"}


def test_more_groups_of_deferred_calls_than_are_followed(tmp_path: Path) -> None:
    recovering = 'if req != nil { defer func() { if r := recover(); r != nil { err = errors.New("x") } }() }'
    assert judged(tmp_path, body(f"{MANY}\n{recovering}\nreturn handler(ctx, req)")) == "unknown"
