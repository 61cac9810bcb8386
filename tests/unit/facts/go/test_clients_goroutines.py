"""Breakers around calls that are made in a goroutine: what nobody waits for does not count."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table

PROGRAM = """
type brk struct {
    mu    sync.Mutex
    n     int
    until time.Time
}

func (b *brk) open() bool {
    b.mu.Lock()
    defer b.mu.Unlock()
    return time.Now().Before(b.until)
}

func (b *brk) record(err error) {
    b.mu.Lock()
    defer b.mu.Unlock()
    if err == nil {
        b.n = 0
        return
    }
    if b.n++; b.n >= 5 {
        b.n, b.until = 0, time.Now().Add(30*time.Second)
    }
}

func (b *brk) Do(f func() error) error {
    if b.open() {
        return errors.New("open")
    }
    err := f()
    b.record(err)
    return err
}

func main() {
    b := &brk{}
    conn, err := grpc.NewClient("a:1", grpc.WithUnaryInterceptor(
        func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            call := func() error { return invoker(ctx, method, req, reply, cc, opts...) }
            BODY
        }))
    _, _ = conn, err
}
"""


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        pytest.param("return b.Do(call)", "yes", id="no goroutine"),
        pytest.param(
            "return b.Do(func() error { done := make(chan error, 1); go func() { done <- call() }(); return <-done })",
            "yes",
            id="waited for",
        ),
        pytest.param(
            "return b.Do(func() error { done := make(chan error, 1); go func() { done <- call() }()\n"
            "select { case err := <-done: return err; case <-ctx.Done(): return ctx.Err() } })",
            "yes",
            id="waited for until the context ends",
        ),
        pytest.param(
            "return b.Do(func() error { var err error; var wg sync.WaitGroup; wg.Add(1)\n"
            "go func() { defer wg.Done(); err = call() }(); wg.Wait(); return err })",
            "yes",
            id="a wait group",
        ),
        pytest.param(
            'if b.open() { return errors.New("open") }; err := call(); go b.record(err); return err',
            "yes",
            id="recorded in the background",
        ),
        pytest.param(
            "return b.Do(func() error { var err error; go func() { err = call() }(); return err })",
            "no",
            id="returns before the call has",
        ),
        pytest.param("return b.Do(func() error { go call(); return nil })", "no", id="fire and forget"),
        pytest.param(
            "done := make(chan error, 1)\n"
            "if err := b.Do(func() error { go func() { done <- call() }(); return nil }); err != nil { return err }\n"
            "return <-done",
            "no",
            id="waited for outside of the breaker",
        ),
        pytest.param(
            "return b.Do(func() error { done := make(chan error, 1); go func() { done <- call() }()\n"
            "select { case err := <-done: return err; default: return nil } })",
            "no",
            id="looked at and not waited for",
        ),
    ],
)
def test_calls_in_a_goroutine(tmp_path: Path, body: str, answer: str) -> None:
    store = analyse(tmp_path, {"main.go": go_file(PROGRAM.replace("BODY", body))})
    (row,) = table(store).rows
    assert row.get("circuit_breaker").value == answer
