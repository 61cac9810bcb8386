"""What only looks like a circuit breaker on a connection, and breakers that do not work."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table

MAIN = """
    func main() {
        conn, err := grpc.NewClient("payments:50051",
            grpc.WithTransportCredentials(insecure.NewCredentials()),
            grpc.WithUnaryInterceptor(unary()))
        if err != nil {
            log.Fatal(err)
        }
        defer conn.Close()
    }
"""
SIGNATURE = """func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error"""
CALL = "invoker(ctx, method, req, reply, cc, opts...)"
# A breaker that works, and what is done to it.
WORKING = """
    type Breaker struct {
        mu       sync.Mutex
        failures int
        max      int
        open     bool
        opened   time.Time
    }

    var errOpen = errors.New("circuit open")

    func newBreaker() *Breaker { return &Breaker{max: 5} }

    func (b *Breaker) Allow() error {
        b.mu.Lock()
        defer b.mu.Unlock()
        if b.open {
            if time.Since(b.opened) < 30*time.Second {
                return errOpen
            }
            b.open = false
            b.failures = b.max - 1
        }
        return nil
    }

    func (b *Breaker) Report(err error) {
        b.mu.Lock()
        defer b.mu.Unlock()
        if err == nil {
            b.failures = 0
            return
        }
        b.failures++
        if b.failures >= b.max {
            b.open = true
            b.opened = time.Now()
        }
    }

    func unary() grpc.UnaryClientInterceptor {
        b := newBreaker()
        return SIGNATURE {
            if err := b.Allow(); err != nil {
                return err
            }
            err := CALL
            b.Report(err)
            return err
        }
    }
"""
BROKEN: dict[str, list[tuple[str, str]]] = {
    "lets-one-call-through-now-and-then-for-good": [
        ("b.open = false\n            b.failures = b.max - 1\n", "b.opened = time.Now()\n")
    ],
    "refusal-is-logged-only": [
        (
            "if err := b.Allow(); err != nil {\n                return err\n",
            "if err := b.Allow(); err != nil {\n                log.Println(err)\n",
        )
    ],
    "refusal-falls-back-to-the-call": [
        (
            "if err := b.Allow(); err != nil {\n                return err\n",
            "if err := b.Allow(); err != nil {\n                return CALL\n",
        )
    ],
    "refusal-is-dropped": [
        ("if err := b.Allow(); err != nil {\n                return err\n            }\n", "_ = b.Allow()\n")
    ],
    "refusal-returns-nil": [
        (
            "if err := b.Allow(); err != nil {\n                return err\n",
            "if err := b.Allow(); err != nil {\n                return nil\n",
        )
    ],
    "never-asked": [("if err := b.Allow(); err != nil {\n                return err\n            }\n", "")],
    "never-told": [("            b.Report(err)\n", "")],
    "told-of-success-only": [("            b.Report(err)\n", "            b.Report(nil)\n")],
    "made-for-each-call": [
        (
            "        b := newBreaker()\n        return SIGNATURE {",
            "        return SIGNATURE {\n            b := newBreaker()",
        )
    ],
    "counter-reset-before-each-call": [
        ("        if b.open {\n", "        b.failures = 0\n        if b.open {\n")
    ],
    "counter-never-grows": [("        b.failures++\n", "")],
    "local-copy-grows": [("        b.failures++\n", "        n := b.failures\n        n++\n")],
    "value-receiver": [("func (b *Breaker) Report", "func (b Breaker) Report")],
    "never-opens": [("            b.open = true\n", "")],
    "open-but-allows": [
        ("                return errOpen\n            }\n", "                return nil\n            }\n"),
        (
            "        b.failures++\n",
            "        if b.open {\n            return\n        }\n        b.failures++\n",
        ),
    ],
    "open-at-once-forgotten": [("            b.opened = time.Now()\n", "")],
    "impossible-threshold": [("max: 5", "max: math.MaxInt32")],
    "compares-the-wrong-way": [("b.failures >= b.max", "b.failures < 0")],
    "only-for-one-method": [
        (
            "            if err := b.Allow()",
            '            if method != "/pay.Payments/Charge" {\n                return CALL\n            }\n'
            "            if err := b.Allow()",
        )
    ],
    "off-switch-is-off": [
        (
            "            if err := b.Allow()",
            "            if !enabled {\n                return CALL\n            }\n            if err := b.Allow()",
        ),
        ("func newBreaker()", "const enabled = false\n\n    func newBreaker()"),
    ],
    "breaker-beside-the-call": [
        (
            "if err := b.Allow(); err != nil {\n                return err\n            }\n",
            "go func() { _ = b.Allow() }()\n",
        )
    ],
    "typo-in-time": [("time.Since(b.opened) < 30*time.Second", "time.Since(b.opened) < 0")],
    "closed-again-by-the-failure": [
        (
            "            b.opened = time.Now()\n",
            "            b.opened = time.Now()\n            b.open = false\n",
        )
    ],
    "unreachable-half": [("if b.failures >= b.max {", "if b.failures >= b.max && err == nil {")],
    "counts-nil-only": [
        ("if err == nil {\n            b.failures = 0", "if err != nil {\n            b.failures = 0")
    ],
}

OTHERS: dict[str, str] = {
    "nothing-but-a-call": "func unary() grpc.UnaryClientInterceptor { return SIGNATURE { return CALL } }",
    "retry": """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            var err error
            for attempt := 0; attempt < 3; attempt++ {
                if err = CALL; err == nil {
                    return nil
                }
                time.Sleep(time.Duration(attempt) * 100 * time.Millisecond)
            }
            return err
        }
    }
    """,
    "retry-with-random-backoff": """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            delay := 50 * time.Millisecond
            for {
                err := CALL
                if err == nil || status.Code(err) != codes.Unavailable {
                    return err
                }
                select {
                case <-ctx.Done():
                    return ctx.Err()
                case <-time.After(delay + time.Duration(rand.Int63n(int64(delay)))):
                }
                if delay *= 2; delay > time.Second {
                    return err
                }
            }
        }
    }
    """,
    "semaphore": """
    func unary() grpc.UnaryClientInterceptor {
        slots := make(chan struct{}, 10)
        return SIGNATURE {
            select {
            case slots <- struct{}{}:
                defer func() { <-slots }()
            default:
                return status.Error(codes.ResourceExhausted, "too many calls")
            }
            return CALL
        }
    }
    """,
    "in-flight-counter": """
    func unary() grpc.UnaryClientInterceptor {
        var inFlight atomic.Int64
        return SIGNATURE {
            if inFlight.Add(1) > 100 {
                inFlight.Add(-1)
                return status.Error(codes.ResourceExhausted, "too many calls")
            }
            defer inFlight.Add(-1)
            return CALL
        }
    }
    """,
    "rate-limiter-of-a-library": """
    func unary() grpc.UnaryClientInterceptor {
        limiter := rate.NewLimiter(rate.Every(time.Second), 5)
        return SIGNATURE {
            if !limiter.Allow() {
                return status.Error(codes.ResourceExhausted, "slow down")
            }
            return CALL
        }
    }
    """,
    "token-bucket": """
    type bucket struct {
        mu     sync.Mutex
        tokens float64
        last   time.Time
    }

    func (b *bucket) take() bool {
        b.mu.Lock()
        defer b.mu.Unlock()
        now := time.Now()
        b.tokens = math.Min(10, b.tokens+now.Sub(b.last).Seconds())
        b.last = now
        if b.tokens < 1 {
            return false
        }
        b.tokens--
        return true
    }

    func unary() grpc.UnaryClientInterceptor {
        b := &bucket{tokens: 10}
        return SIGNATURE {
            if !b.take() {
                return status.Error(codes.ResourceExhausted, "slow down")
            }
            return CALL
        }
    }
    """,
    "quota-of-calls-a-minute": """
    func unary() grpc.UnaryClientInterceptor {
        var mu sync.Mutex
        var count int
        var windowEnd time.Time
        return SIGNATURE {
            mu.Lock()
            if time.Now().After(windowEnd) {
                count, windowEnd = 0, time.Now().Add(time.Minute)
            }
            count++
            over := count > 20
            mu.Unlock()
            if over {
                return status.Error(codes.ResourceExhausted, "quota")
            }
            return CALL
        }
    }
    """,
    "health-gate": """
    var healthy atomic.Bool

    func watch() {
        for range time.Tick(time.Second) {
            resp, err := http.Get("http://payments/healthz")
            healthy.Store(err == nil && resp.StatusCode == http.StatusOK)
        }
    }

    func unary() grpc.UnaryClientInterceptor {
        go watch()
        return SIGNATURE {
            if !healthy.Load() {
                return status.Error(codes.Unavailable, "not healthy")
            }
            return CALL
        }
    }
    """,
    "timeout": """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
            defer cancel()
            return CALL
        }
    }
    """,
    "breaker-by-name-only": """
    type CircuitBreaker struct{ name string }

    func (c *CircuitBreaker) Execute(fn func() error) error { return fn() }

    func unary() grpc.UnaryClientInterceptor {
        circuitBreaker := &CircuitBreaker{name: "payments"}
        return SIGNATURE {
            return circuitBreaker.Execute(func() error { return CALL })
        }
    }
    """,
    "failures-are-only-counted": """
    func unary() grpc.UnaryClientInterceptor {
        var failures atomic.Int64
        return SIGNATURE {
            err := CALL
            if err != nil {
                if n := failures.Add(1); n > 5 {
                    log.Printf("%d failures in a row: circuit would be open", n)
                }
            } else {
                failures.Store(0)
            }
            return err
        }
    }
    """,
    "token-refresh-on-the-way": """
    func unary() grpc.UnaryClientInterceptor {
        var mu sync.Mutex
        var token string
        var expires time.Time
        return SIGNATURE {
            mu.Lock()
            if time.Now().After(expires) {
                token, expires = "t", time.Now().Add(time.Minute)
            }
            t := token
            mu.Unlock()
            return invoker(context.WithValue(ctx, "token", t), method, req, reply, cc, opts...)
        }
    }
    """,
    "commented-out": """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            // if !breaker.Allow() { return status.Error(codes.Unavailable, "open") }
            return CALL
        }
    }
    """,
    "stays-open-for-good": """
    func unary() grpc.UnaryClientInterceptor {
        var failures atomic.Int64
        return SIGNATURE {
            if failures.Load() >= 5 {
                return status.Error(codes.Unavailable, "open")
            }
            err := CALL
            if err != nil {
                failures.Add(1)
            }
            return err
        }
    }
    """,
    "response-cache": """
    func unary() grpc.UnaryClientInterceptor {
        var mu sync.Mutex
        failed := map[string]error{}
        return SIGNATURE {
            mu.Lock()
            defer mu.Unlock()
            if len(failed) > 100 {
                failed = map[string]error{}
            }
            err := CALL
            if err != nil {
                failed[method] = err
            }
            return err
        }
    }
    """,
}


def answer(tmp_path: Path, source: str) -> tuple[object, str]:
    source = source.replace("SIGNATURE", SIGNATURE).replace("CALL", CALL)
    files = {"main.go": go_file(MAIN), "breaker.go": go_file(source)}
    rows = table(analyse(tmp_path, files)).rows
    assert [row.location.path for row in rows] == ["main.go"]
    return rows[0].get("circuit_breaker").value, rows[0].get("unary_breaker").because


def test_the_breaker_that_is_broken_below_works(tmp_path: Path) -> None:
    assert answer(tmp_path, WORKING)[0] == "yes"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_breaker_is_none(tmp_path: Path, name: str) -> None:
    source = WORKING
    for old, new in BROKEN[name]:
        assert old in source
        source = source.replace(old, new, 1)
    value, because = answer(tmp_path, source)
    assert value == "no", because


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_no_breaker_is_none(tmp_path: Path, name: str) -> None:
    value, because = answer(tmp_path, OTHERS[name])
    assert value == "no", because


CONFIGURED = """
    type Config struct {
        MaxFailures  int
        ResetTimeout time.Duration
        HalfOpenMax  int
    }

    type Breaker struct {
        cfg      Config
        mu       sync.Mutex
        failures int
        opened   time.Time
        trials   int
    }

    func (b *Breaker) Do(fn func() error) error {
        b.mu.Lock()
        if b.failures >= b.cfg.MaxFailures {
            if time.Since(b.opened) < b.cfg.ResetTimeout || b.trials >= b.cfg.HalfOpenMax {
                b.mu.Unlock()
                return errors.New("open")
            }
            b.trials++
        }
        b.mu.Unlock()
        err := fn()
        b.mu.Lock()
        defer b.mu.Unlock()
        b.trials = 0
        if err == nil {
            b.failures = 0
            return nil
        }
        b.failures++
        b.opened = time.Now()
        return err
    }

    func unary() grpc.UnaryClientInterceptor {
        b := &Breaker{cfg: Config{SETTINGS}}
        return SIGNATURE { return b.Do(func() error { return CALL }) }
    }
"""


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("MaxFailures: 5, ResetTimeout: time.Minute, HalfOpenMax: 3", "yes"),
        ("MaxFailures: 50, ResetTimeout: time.Second, HalfOpenMax: 1", "yes"),
        ("MaxFailures: 1 << 30, ResetTimeout: time.Minute, HalfOpenMax: 3", "no"),
        ("MaxFailures: 5, ResetTimeout: 0, HalfOpenMax: 1000", "no"),
    ],
)
def test_settings_may_make_a_breaker_useless(tmp_path: Path, settings: str, expected: str) -> None:
    value, because = answer(tmp_path, CONFIGURED.replace("SETTINGS", settings))
    assert value == expected, because
