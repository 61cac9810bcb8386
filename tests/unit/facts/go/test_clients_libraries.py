"""Circuit breakers of libraries on gRPC connections."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table
from zuno_audit.model.entity import Entity

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
GOBREAKER = """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{SETTINGS})
        return SIGNATURE {
            _, err := cb.Execute(func() (interface{}, error) { return nil, CALL })
            return err
        }
    }
"""
V2 = "github.com/sony/gobreaker/v2"
RUBYIST = "github.com/rubyist/circuitbreaker"
MERCARI = "github.com/mercari/go-circuitbreaker"

# name: (source, imports that replace the usual ones, settings or ... where not checked)
YES: dict[str, tuple[str, dict[str, str], list[object]]] = {
    "gobreaker-defaults": (GOBREAKER.replace("SETTINGS", 'Name: "payments"'), {}, [5, 60.0, 1]),
    "gobreaker-settings": (
        GOBREAKER.replace(
            "SETTINGS",
            """MaxRequests: 3, Interval: 10 * time.Second, Timeout: 30 * time.Second,
            ReadyToTrip: func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= 5 },
            OnStateChange: func(name string, from, to gobreaker.State) { log.Println(name, from, to) }""",
        ),
        {},
        [5, 30.0, 3],
    ),
    "gobreaker-more-than-five": (
        GOBREAKER.replace(
            "SETTINGS",
            "ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 5 }",
        ),
        {},
        [..., 60.0, 1],
    ),
    "gobreaker-ratio": (
        GOBREAKER.replace(
            "SETTINGS",
            """ReadyToTrip: func(c gobreaker.Counts) bool {
                ratio := float64(c.TotalFailures) / float64(c.Requests)
                return c.Requests >= 10 && ratio >= 0.6
            }, Timeout: 5 * time.Second""",
        ),
        {},
        [10, 5.0, 1],
    ),
    "gobreaker-v2-generic": (
        GOBREAKER.replace("NewCircuitBreaker(", "NewCircuitBreaker[any](")
        .replace("interface{}", "any")
        .replace("SETTINGS", "Timeout: 20 * time.Second"),
        {"gobreaker": V2},
        [5, 20.0, 1],
    ),
    "gobreaker-two-step": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewTwoStepCircuitBreaker(gobreaker.Settings{Timeout: 15 * time.Second})
        return SIGNATURE {
            done, err := cb.Allow()
            if err != nil {
                return status.Error(codes.Unavailable, err.Error())
            }
            err = CALL
            done(err == nil)
            return err
        }
    }
    """,
        {},
        [5, 15.0, 1],
    ),
    "gobreaker-two-step-v2-error": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewTwoStepCircuitBreaker[any](gobreaker.Settings{Timeout: 15 * time.Second})
        return SIGNATURE {
            done, err := cb.Allow()
            if err != nil {
                return err
            }
            err = CALL
            done(err)
            return err
        }
    }
    """,
        {"gobreaker": V2},
        [5, 15.0, 1],
    ),
    "gobreaker-map-per-method": (
        """
    type registry struct {
        mu sync.Mutex
        m  map[string]*gobreaker.CircuitBreaker
    }

    func (r *registry) get(name string) *gobreaker.CircuitBreaker {
        r.mu.Lock()
        defer r.mu.Unlock()
        cb, ok := r.m[name]
        if !ok {
            cb = gobreaker.NewCircuitBreaker(gobreaker.Settings{Name: name, Timeout: 10 * time.Second})
            r.m[name] = cb
        }
        return cb
    }

    func unary() grpc.UnaryClientInterceptor {
        r := &registry{m: map[string]*gobreaker.CircuitBreaker{}}
        return SIGNATURE {
            _, err := r.get(method).Execute(func() (interface{}, error) { return nil, CALL })
            return err
        }
    }
    """,
        {},
        [5, 10.0, 1],
    ),
    "gobreaker-sync-map": (
        """
    func unary() grpc.UnaryClientInterceptor {
        var breakers sync.Map
        return SIGNATURE {
            v, _ := breakers.LoadOrStore(method, gobreaker.NewCircuitBreaker(gobreaker.Settings{Name: method}))
            cb := v.(*gobreaker.CircuitBreaker)
            _, err := cb.Execute(func() (interface{}, error) { return nil, CALL })
            if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
                return status.Error(codes.Unavailable, err.Error())
            }
            return err
        }
    }
    """,
        {},
        [5, 60.0, 1],
    ),
    "gobreaker-maps-the-open-error": (
        """
    type Client struct{ cb *gobreaker.CircuitBreaker }

    func (c *Client) intercept(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
        invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
        _, err := c.cb.Execute(func() (any, error) {
            if err := CALL; err != nil {
                return nil, err
            }
            return reply, nil
        })
        if err == gobreaker.ErrOpenState {
            return status.Error(codes.Unavailable, "circuit breaker is open")
        }
        return err
    }

    func unary() grpc.UnaryClientInterceptor {
        st := gobreaker.Settings{Name: "x"}
        st.Timeout = 25 * time.Second
        st.ReadyToTrip = func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 2 }
        c := &Client{cb: gobreaker.NewCircuitBreaker(st)}
        return c.intercept
    }
    """,
        {},
        [..., 25.0, 1],
    ),
    "gobreaker-more-than-four": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{
            ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 4 },
        })
        return SIGNATURE {
            _, err := cb.Execute(func() (interface{}, error) { return nil, CALL })
            return err
        }
    }
    """,
        {},
        [5, 60.0, 1],
    ),
    "gobreaker-settings-from-the-environment": (
        """
    func unary() grpc.UnaryClientInterceptor {
        n, _ := strconv.Atoi(os.Getenv("MAX"))
        d, _ := time.ParseDuration(os.Getenv("TIMEOUT"))
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{
            Timeout: d,
            ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures >= uint32(n) },
        })
        return SIGNATURE {
            _, err := cb.Execute(func() (interface{}, error) { return nil, CALL })
            return err
        }
    }
    """,
        {},
        [None, None, 1],
    ),
    "gobreaker-behind-an-interface": (
        """
    type executor interface {
        Execute(func() (any, error)) (any, error)
    }

    func guarding(cb executor) grpc.UnaryClientInterceptor {
        return SIGNATURE {
            _, err := cb.Execute(func() (any, error) { return nil, CALL })
            return err
        }
    }

    func unary() grpc.UnaryClientInterceptor {
        return guarding(gobreaker.NewCircuitBreaker(gobreaker.Settings{}))
    }
    """,
        {},
        [5, 60.0, 1],
    ),
    "hystrix-defaults": (
        """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            return hystrix.Do(method, func() error { return CALL }, nil)
        }
    }
    """,
        {},
        [None, 5.0, 1],
    ),
    "hystrix-configured": (
        """
    func init() {
        hystrix.ConfigureCommand("payments", hystrix.CommandConfig{
            Timeout: 1000, MaxConcurrentRequests: 100, ErrorPercentThreshold: 25, SleepWindow: 3000,
        })
    }

    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            return hystrix.DoC(ctx, "payments", func(ctx context.Context) error { return CALL }, nil)
        }
    }
    """,
        {},
        [None, 3.0, 1],
    ),
    "hystrix-go": (
        """
    func unary() grpc.UnaryClientInterceptor {
        hystrix.ConfigureCommand("payments", hystrix.CommandConfig{SleepWindow: 7000})
        return SIGNATURE {
            done := make(chan struct{}, 1)
            errs := hystrix.Go("payments", func() error {
                if err := CALL; err != nil {
                    return err
                }
                done <- struct{}{}
                return nil
            }, nil)
            select {
            case <-done:
                return nil
            case err := <-errs:
                return err
            }
        }
    }
    """,
        {},
        [None, 7.0, 1],
    ),
    "failsafe-builder": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := circuitbreaker.NewBuilder[any]().
            WithFailureThreshold(5).
            WithDelay(time.Minute).
            WithSuccessThreshold(2).
            Build()
        return failsafegrpc.NewUnaryClientInterceptor[any](cb)
    }
    """,
        {},
        [5, 60.0, 2],
    ),
    "failsafe-with-retry": (
        """
    func unary() grpc.UnaryClientInterceptor {
        retry := retrypolicy.NewBuilder[any]().WithMaxRetries(3).Build()
        breaker := circuitbreaker.NewWithDefaults[any]()
        return failsafegrpc.NewUnaryClientInterceptor[any](retry, breaker)
    }
    """,
        {},
        [1, 60.0, 1],
    ),
    "failsafe-ratio-and-old-names": (
        """
    func unary() grpc.UnaryClientInterceptor {
        b := circuitbreaker.Builder[any]().WithFailureThresholdRatio(3, 10).WithDelay(20 * time.Second)
        policies := []failsafe.Policy[any]{b.Build()}
        return failsafegrpc.NewUnaryClientInterceptor[any](policies...)
    }
    """,
        {},
        [3, 20.0, ...],
    ),
    "failsafe-executor": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := circuitbreaker.NewBuilder[any]().WithFailureThreshold(4).Build()
        return failsafegrpc.NewUnaryClientInterceptorWithExecutor[any](failsafe.With[any](cb))
    }
    """,
        {},
        [4, 60.0, ...],
    ),
    "failsafe-run": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := circuitbreaker.NewBuilder[any]().WithFailureThreshold(4).WithDelay(9 * time.Second).Build()
        return SIGNATURE {
            return failsafe.Run(func() error { return CALL }, cb)
        }
    }
    """,
        {},
        [4, 9.0, ...],
    ),
    "eapache": (
        """
    func unary() grpc.UnaryClientInterceptor {
        b := breaker.New(3, 2, 5*time.Second)
        return SIGNATURE {
            return b.Run(func() error { return CALL })
        }
    }
    """,
        {},
        [3, 5.0, 2],
    ),
    "eapache-open-error-mapped": (
        """
    func unary() grpc.UnaryClientInterceptor {
        b := breaker.New(3, 1, 5*time.Second)
        return SIGNATURE {
            result := b.Run(func() error { return CALL })
            switch result {
            case nil:
                return nil
            case breaker.ErrBreakerOpen:
                return status.Error(codes.Unavailable, "open")
            default:
                return result
            }
        }
    }
    """,
        {},
        [3, 5.0, 1],
    ),
    "rubyist-call": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := circuit.NewConsecutiveBreaker(10)
        return SIGNATURE {
            return cb.Call(func() error { return CALL }, 0)
        }
    }
    """,
        {"circuit": RUBYIST},
        [10, None, ...],
    ),
    "rubyist-ready": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := circuit.NewThresholdBreaker(4)
        return SIGNATURE {
            if !cb.Ready() {
                return status.Error(codes.Unavailable, "open")
            }
            err := CALL
            if err != nil {
                cb.Fail()
            } else {
                cb.Success()
            }
            return err
        }
    }
    """,
        {"circuit": RUBYIST},
        [4, None, ...],
    ),
    "mercari": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := circuitbreaker.New(
            circuitbreaker.WithTripFunc(circuitbreaker.NewTripFuncConsecutiveFailures(5)),
            circuitbreaker.WithOpenTimeout(10*time.Second),
            circuitbreaker.WithHalfOpenMaxSuccesses(3),
        )
        return SIGNATURE {
            _, err := cb.Do(ctx, func() (interface{}, error) { return nil, CALL })
            return err
        }
    }
    """,
        {"circuitbreaker": MERCARI},
        [5, 10.0, 3],
    ),
    "go-zero-breaker": (
        """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            return breaker.DoWithAcceptable(method, func() error { return CALL }, func(err error) bool {
                return status.Code(err) != codes.Unavailable
            })
        }
    }
    """,
        {"breaker": "github.com/zeromicro/go-zero/core/breaker"},
        [None, None, ...],
    ),
    "kratos-aegis": (
        """
    func unary() grpc.UnaryClientInterceptor {
        b := sre.NewBreaker()
        return SIGNATURE {
            if err := b.Allow(); err != nil {
                return status.Error(codes.Unavailable, "open")
            }
            err := CALL
            if err != nil {
                b.MarkFailed()
            } else {
                b.MarkSuccess()
            }
            return err
        }
    }
    """,
        {"sre": "github.com/go-kratos/aegis/circuitbreaker/sre"},
        [None, None, ...],
    ),
}
# A breaker of a library that is there and does not guard: the answer is no.
NO: dict[str, tuple[str, dict[str, str]]] = {
    "gobreaker-made-per-call": (
        """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{})
            _, err := cb.Execute(func() (interface{}, error) { return nil, CALL })
            return err
        }
    }
    """,
        {},
    ),
    "gobreaker-never-trips": (
        GOBREAKER.replace("SETTINGS", "ReadyToTrip: func(gobreaker.Counts) bool { return false }"),
        {},
    ),
    "gobreaker-hides-the-error": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{})
        return SIGNATURE {
            var err error
            cb.Execute(func() (interface{}, error) {
                err = CALL
                return nil, nil
            })
            return err
        }
    }
    """,
        {},
    ),
    "gobreaker-all-is-success": (
        GOBREAKER.replace("SETTINGS", "IsSuccessful: func(err error) bool { return true }"),
        {},
    ),
    "gobreaker-open-goes-direct": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{})
        return SIGNATURE {
            _, err := cb.Execute(func() (interface{}, error) { return nil, CALL })
            if err == gobreaker.ErrOpenState {
                return CALL
            }
            return err
        }
    }
    """,
        {},
    ),
    "gobreaker-result-dropped": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{})
        return SIGNATURE {
            cb.Execute(func() (interface{}, error) { return nil, CALL })
            return nil
        }
    }
    """,
        {},
    ),
    "gobreaker-round-something-else": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewCircuitBreaker(gobreaker.Settings{})
        return SIGNATURE {
            cb.Execute(func() (interface{}, error) { return http.Get("http://auth/token") })
            return CALL
        }
    }
    """,
        {},
    ),
    "two-step-without-done": (
        """
    func unary() grpc.UnaryClientInterceptor {
        cb := gobreaker.NewTwoStepCircuitBreaker(gobreaker.Settings{})
        return SIGNATURE {
            if _, err := cb.Allow(); err != nil {
                return err
            }
            return CALL
        }
    }
    """,
        {},
    ),
    "hystrix-fallback-calls-again": (
        """
    func unary() grpc.UnaryClientInterceptor {
        return SIGNATURE {
            return hystrix.Do("x", func() error { return CALL }, func(error) error { return CALL })
        }
    }
    """,
        {},
    ),
    "failsafe-retry-only": (
        """
    func unary() grpc.UnaryClientInterceptor {
        return failsafegrpc.NewUnaryClientInterceptor[any](retrypolicy.NewWithDefaults[any]())
    }
    """,
        {},
    ),
    "grpc-retry": (
        """
    func unary() grpc.UnaryClientInterceptor {
        return grpc_retry.UnaryClientInterceptor(grpc_retry.WithMax(5))
    }
    """,
        {},
    ),
}


def client(tmp_path: Path, source: str, imports: dict[str, str]) -> Entity:
    source = source.replace("SIGNATURE", SIGNATURE).replace("CALL", CALL)
    text = go_file(source)
    for name, path in imports.items():
        import re

        line = re.compile(rf'\t{name} "[^"]*"\n')
        text = line.sub("", text).replace("import (\n", f'import (\n\t{name} "{path}"\n', 1)
    rows = table(analyse(tmp_path, {"main.go": go_file(MAIN), "breaker.go": text})).rows
    assert [row.location.path for row in rows] == ["main.go"]
    return rows[0]


@pytest.mark.parametrize("name", YES)
def test_a_breaker_of_a_library_guards(tmp_path: Path, name: str) -> None:
    source, imports, settings = YES[name]
    row = client(tmp_path, source, imports)
    assert row.get("circuit_breaker").value == "yes", row.get("unary_breaker").because
    found = [row.get(n).value for n in ("max_failures", "reset_timeout_s", "half_open_max_calls")]
    assert [f for f, s in zip(found, settings, strict=True) if s is not ...] == [
        s for s in settings if s is not ...
    ]


@pytest.mark.parametrize("name", NO)
def test_a_breaker_of_a_library_that_does_not_guard(tmp_path: Path, name: str) -> None:
    source, imports = NO[name]
    row = client(tmp_path, source, imports)
    assert row.get("circuit_breaker").value == "no", row.get("unary_breaker").because
