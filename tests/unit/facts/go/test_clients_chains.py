"""A breaker among the other interceptors of a client: what the whole chain makes of calls that fail."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table

# A breaker that counts what means that the other side is in trouble, as interceptors, and a few interceptors that
# do no harm.
RESILIENCE = """
type Breaker struct {
	mu       sync.Mutex
	failures int
	opened   time.Time
}

var ErrOpen = errors.New("circuit open")

func (b *Breaker) Do(fn func() error) error {
	b.mu.Lock()
	if b.failures >= 5 && time.Since(b.opened) < 30*time.Second {
		b.mu.Unlock()
		return ErrOpen
	}
	b.mu.Unlock()
	err := fn()
	b.mu.Lock()
	defer b.mu.Unlock()
	switch status.Code(err) {
	case codes.OK, codes.NotFound, codes.InvalidArgument:
		b.failures = 0
	default:
		b.failures++
		b.opened = time.Now()
	}
	return err
}

func (b *Breaker) Unary() grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		return b.Do(func() error { return invoker(ctx, method, req, reply, cc, opts...) })
	}
}

func (b *Breaker) Stream() grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
		streamer grpc.Streamer, opts ...grpc.CallOption) (stream grpc.ClientStream, err error) {
		err = b.Do(func() error {
			stream, err = streamer(ctx, desc, cc, method, opts...)
			return err
		})
		return stream, err
	}
}
"""
UNARY = """
func one(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
	invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	BODY
}
"""
CALL = "invoker(ctx, method, req, reply, cc, opts...)"
HIDING = {
    "swallows": f"_ = {CALL}\nreturn nil",
    "swallows after a look": f"if err := {CALL}; err != nil {{ log.Println(method, err) }}\nreturn nil",
    "never calls": "return nil",
    "never calls and says so": 'return errors.New("not today")',
    "swallows what is unavailable": f"err := {CALL}\nif status.Code(err) == codes.Unavailable {{ return nil }}\nreturn err",
    "calls in the background": f"go {CALL}\nreturn nil",
    "swallows in a deferred function": f"var err error\ndefer func() {{ err = nil }}()\nerr = {CALL}\n"
    "if err != nil { return nil }\nreturn err",
}
HIDING_INSIDE = {
    **HIDING,
    "answers with a code that is not counted": f"if err := {CALL}; err != nil {{\n"
    'return status.Error(codes.NotFound, "no such thing") }\nreturn nil',
}
HARMLESS = {
    "logs": f"err := {CALL}\nif err != nil {{ log.Println(method, err) }}\nreturn err",
    "retries": "var err error\nfor i := 0; i < 3; i++ {\n"
    f"if err = {CALL}; err == nil {{ return nil }}\n}}\nreturn err",
    "wraps": f'if err := {CALL}; err != nil {{ return fmt.Errorf("%s: %w", method, err) }}\nreturn nil',
    "limits": f"if !limiter.Allow() {{ return status.Error(codes.ResourceExhausted, method) }}\nreturn {CALL}",
    "has a deadline": f"ctx, cancel := context.WithTimeout(ctx, time.Second)\ndefer cancel()\nreturn {CALL}",
    "remembers answers": f"if known[method] {{ return nil }}\nerr := {CALL}\n"
    "if err == nil { known[method] = true }\nreturn err",
    "takes what is not there for an answer": f"err := {CALL}\n"
    "if status.Code(err) == codes.NotFound { return nil }\nreturn err",
}


def breakers(tmp_path: Path, option: str, body: str, kind: str = "unary", extra: str = "") -> str:
    code = f"""
var limiter = rate.NewLimiter(10, 10)
var known = map[string]bool{{}}
{UNARY.replace("BODY", body)}
{extra}
func main() {{
	b := &resilience.Breaker{{}}
	conn, err := grpc.NewClient("pay:1", {option})
	_, _ = conn, err
}}
"""
    files = {
        "main.go": go_file(code, local=("resilience",)),
        "resilience/breaker.go": go_file(RESILIENCE, package="resilience"),
    }
    (row,) = table(analyse(tmp_path, files)).rows
    return str(row.get(f"{kind}_breaker").value)


OUTSIDE = "grpc.WithChainUnaryInterceptor(one, b.Unary())"
INSIDE = "grpc.WithChainUnaryInterceptor(b.Unary(), one)"


@pytest.mark.parametrize("name", HIDING)
def test_an_interceptor_around_the_breaker_hides_that_calls_fail(tmp_path: Path, name: str) -> None:
    assert breakers(tmp_path, OUTSIDE, HIDING[name]) == "no"


@pytest.mark.parametrize("name", HIDING_INSIDE)
def test_an_interceptor_inside_the_breaker_hides_that_calls_fail(tmp_path: Path, name: str) -> None:
    assert breakers(tmp_path, INSIDE, HIDING_INSIDE[name]) == "no"


@pytest.mark.parametrize("option", [OUTSIDE, INSIDE])
@pytest.mark.parametrize("name", HARMLESS)
def test_other_interceptors_do_no_harm(tmp_path: Path, name: str, option: str) -> None:
    assert breakers(tmp_path, option, HARMLESS[name]) == "yes"


@pytest.mark.parametrize(
    "option",
    [
        "grpc.WithUnaryInterceptor(one), grpc.WithChainUnaryInterceptor(b.Unary())",
        "grpc.WithChainUnaryInterceptor(one), grpc.WithChainUnaryInterceptor(b.Unary())",
        "grpc.WithUnaryInterceptor(grpc_middleware.ChainUnaryClient(one, b.Unary()))",
        "grpc.WithChainUnaryInterceptor(otelgrpc.UnaryClientInterceptor(), one, b.Unary())",
        "grpc.WithChainUnaryInterceptor(grpc_middleware.ChainUnaryClient(grpc_retry.UnaryClientInterceptor(), one), b.Unary())",
        "grpc.WithChainUnaryInterceptor([]grpc.UnaryClientInterceptor{one, b.Unary()}...)",
        "grpc.WithUnaryInterceptor(b.Unary()), grpc.WithChainUnaryInterceptor(one)",
        "grpc.WithChainUnaryInterceptor(failsafegrpc.NewUnaryClientInterceptor(circuitbreaker.NewWithDefaults[any]()), one)",
        "grpc.WithChainUnaryInterceptor(one, failsafegrpc.NewUnaryClientInterceptor(circuitbreaker.NewWithDefaults[any]()))",
    ],
)
@pytest.mark.parametrize(("body", "answer"), [(HIDING["swallows"], "no"), (HARMLESS["logs"], "yes")])
def test_every_way_to_write_a_chain(tmp_path: Path, option: str, body: str, answer: str) -> None:
    assert breakers(tmp_path, option, body) == answer


@pytest.mark.parametrize(
    ("answer", "body"), [("no", "return nil, nil"), ("yes", "return streamer(ctx, d, cc, m, o...)")]
)
def test_chains_for_streams(tmp_path: Path, answer: str, body: str) -> None:
    stream = f"""
func streaming(ctx context.Context, d *grpc.StreamDesc, cc *grpc.ClientConn, m string,
	streamer grpc.Streamer, o ...grpc.CallOption) (grpc.ClientStream, error) {{
	{body}
}}
"""
    option = "grpc.WithChainStreamInterceptor(b.Stream(), streaming)"
    assert breakers(tmp_path, option, HARMLESS["logs"], "stream", stream) == answer


@pytest.mark.parametrize(("debug", "answer"), [("one", "no"), ("other", "yes")])
def test_one_of_two_interceptors_may_stand_in_the_chain(tmp_path: Path, debug: str, answer: str) -> None:
    other = (
        UNARY.replace("BODY", HARMLESS["logs"]).replace("func one", "func other")
        + f"""
func pick() grpc.UnaryClientInterceptor {{
	if os.Getenv("DEBUG") != "" {{
		return {debug}
	}}
	return other
}}
"""
    )
    option = "grpc.WithChainUnaryInterceptor(pick(), b.Unary())"
    assert breakers(tmp_path, option, HIDING["swallows"], extra=other) == answer


def test_an_interceptor_that_hides_that_the_breaker_is_open(tmp_path: Path) -> None:
    body = f"err := {CALL}\nif errors.Is(err, resilience.ErrOpen) {{ return nil }}\nreturn err"
    assert breakers(tmp_path, OUTSIDE, body) == "no"


NAMED = """
type Breaker struct {
	name     string
	failures int
	isOpen   bool
	opened   time.Time
}

func (b *Breaker) Do(fn func() error) error {
	if b.isOpen && time.Since(b.opened) < time.Minute {
		return fmt.Errorf("breaker %s is open", b.name)
	}
	err := fn()
	if err == nil {
		b.failures = 0
		return nil
	}
	b.failures++
	if b.failures >= 5 {
		b.isOpen, b.opened = true, time.Now()
	}
	return err
}

func (b *Breaker) Unary(name string) grpc.UnaryClientInterceptor {
	return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
		invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
		err := b.Do(func() error { return invoker(ctx, method, req, reply, cc, opts...) })
		if err != nil && err.Error() == fmt.Sprintf("breaker %s is open", name) {
			return status.Error(codes.Unavailable, "later")
		}
		if status.Code(err) == codes.NotFound {
			b.failures, b.isOpen = 0, false
		}
		return err
	}
}
"""


@pytest.mark.parametrize(
    ("made", "answer"),
    [
        ("err", "yes"),
        ("status.Error(codes.NotFound, err.Error())", "no"),
        ('status.Errorf(codes.NotFound, "%s: %v", method, err)', "no"),
    ],
)
def test_a_breaker_that_knows_its_own_refusal_by_its_text(made: str, answer: str, tmp_path: Path) -> None:
    code = f"""
{UNARY.replace("BODY", f"if err := {CALL}; err != nil {{ return {made} }}; return nil")}
func dial(name string) {{
	b := &resilience.Breaker{{}}
	conn, err := grpc.NewClient("pay:1", grpc.WithChainUnaryInterceptor(b.Unary(name), one))
	_, _ = conn, err
}}

func main() {{ dial("pay") }}
"""
    files = {
        "main.go": go_file(code, local=("resilience",)),
        "resilience/breaker.go": go_file(NAMED, package="resilience"),
    }
    rows = table(analyse(tmp_path, files)).rows
    assert {row.get("unary_breaker").value for row in rows} == {answer}
