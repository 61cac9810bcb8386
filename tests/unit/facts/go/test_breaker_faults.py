"""One home-made breaker, and the small slips that make it useless: locks, probes, results that get lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go.clients import table
from zuno_audit.model.entity import Answer

BREAKER = """
    type Breaker struct {
        sync.RWMutex
        failures, probes, limit, most int
        open, trying bool
        since time.Time
        wait time.Duration
    }

    func newBreaker() *Breaker {
        return &Breaker{limit: 5, most: 3, wait: time.Minute}
    }

    func (b *Breaker) isOpen() bool {
        b.RLock()
        defer b.RUnlock()
        return b.open
    }

    func (b *Breaker) allow() bool {
        if !b.isOpen() {
            return true
        }
        b.Lock()
        defer b.Unlock()
        if !b.trying && time.Since(b.since) > b.wait {
            b.trying = true
            b.probes = 0
        }
        if b.trying && b.probes < b.most {
            b.probes++
            return true
        }
        return false
    }

    func (b *Breaker) report(err error) {
        b.Lock()
        switch {
        case err == nil:
            b.failures = 0
            b.open = false
            b.trying = false
        case b.trying:
            b.trying = false
            b.since = time.Now()
        default:
            b.failures++
            if b.failures >= b.limit {
                b.open = true
                b.since = time.Now()
            }
        }
        b.Unlock()
    }

    var errOpen = status.Error(codes.Unavailable, "circuit open")

    func unary(b *Breaker) grpc.UnaryClientInterceptor {
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn,
            invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            if !b.allow() {
                return errOpen
            }
            err := invoker(ctx, method, req, reply, cc, opts...)
            b.report(err)
            if err != nil && err.Error() == "EOF" {
                return status.Error(codes.Unavailable, "gone")
            }
            return err
        }
    }

    func stream(b *Breaker) grpc.StreamClientInterceptor {
        return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string,
            streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
            if !b.allow() {
                return nil, errOpen
            }
            opened, err := streamer(ctx, desc, cc, method, opts...)
            b.report(err)
            if err != nil {
                return nil, err
            }
            return opened, nil
        }
    }

    func main() {
        b := newBreaker()
        conn, err := grpc.NewClient("payments:50051",
            grpc.WithTransportCredentials(insecure.NewCredentials()),
            grpc.WithUnaryInterceptor(unary(b)), grpc.WithStreamInterceptor(stream(b)))
        if err != nil {
            log.Fatal(err)
        }
        defer conn.Close()
    }
"""


def guards(tmp_path: Path, old: str = "", new: str = "") -> tuple[Answer, Answer]:
    assert old in BREAKER
    rows = table(analyse(tmp_path, {"main.go": go_file(BREAKER.replace(old, new) if old else BREAKER)})).rows
    assert len(rows) == 1
    return rows[0].get("unary_breaker"), rows[0].get("stream_breaker")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", ""),
        ("        b.Unlock()\n    }\n\n    var", "        defer b.Unlock()\n    }\n\n    var"),
        ("sync.RWMutex", "sync.Mutex\n        read sync.RWMutex"),
        ("b.Lock()\n        switch", "go b.isOpen()\n        b.Lock()\n        switch"),
    ],
)
def test_locks_that_are_released_do_no_harm(tmp_path: Path, old: str, new: str) -> None:
    if new.startswith("sync.Mutex"):
        source = BREAKER.replace(old, new).replace("b.RLock()", "b.read.RLock()")
        source = source.replace("b.RUnlock()", "b.read.RUnlock()")
        rows = table(analyse(tmp_path, {"main.go": go_file(source)})).rows
        found = rows[0].get("unary_breaker"), rows[0].get("stream_breaker")
    else:
        found = guards(tmp_path, old, new)
    assert [cell.value for cell in found] == ["yes", "yes"], [cell.because for cell in found]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("        b.Unlock()\n    }\n\n    var", "    }\n\n    var"),  # never released
        ("        defer b.RUnlock()\n", ""),  # readers stay: the first writer waits for good
        ("        b.RLock()\n", ""),  # ends the process
        ("        b.Lock()\n        switch", "        switch"),
        ("defer b.Unlock()\n        if !b.trying", "defer b.Unlock()\n        if b.isOpen() && !b.trying"),
        ("            b.failures = 0\n", "            return\n"),  # leaves with the lock
    ],
)
def test_a_lock_that_nobody_releases_stops_all_calls(tmp_path: Path, old: str, new: str) -> None:
    assert [cell.value for cell in guards(tmp_path, old, new)] == ["no", "no"]


def test_a_call_that_fails_must_come_back_whatever_its_code(tmp_path: Path) -> None:
    broken = 'if status.Code(err) == codes.Unavailable {\n panic("down")\n}\nb.report(err)\n            if err != nil && '
    found = guards(tmp_path, "b.report(err)\n            if err != nil && ", broken)
    assert [cell.value for cell in found] == ["no", "yes"], [cell.because for cell in found]


@pytest.mark.parametrize(
    ("old", "new", "unary", "stream"),
    [
        ('err != nil && err.Error() == "EOF"', 'err == nil && err.Error() == "EOF"', "no", "yes"),
        ('err != nil && err.Error() == "EOF"', 'err != nil || err.Error() == "EOF"', "no", "yes"),
        ("return opened, nil", "return nil, nil", "yes", "no"),
        ("            if err != nil {\n                return nil", "            if err == nil {\n                return nil",
         "yes", "no"),
    ],
)  # fmt: skip
def test_calls_that_succeed_must_come_back(
    tmp_path: Path, old: str, new: str, unary: str, stream: str
) -> None:
    found = guards(tmp_path, old, new)
    assert [cell.value for cell in found] == [unary, stream], [cell.because for cell in found]


@pytest.mark.parametrize(
    "old", ["            b.trying = false\n            b.since = time.Now()\n        default", "b.trying = false\n            b.since"]
)  # fmt: skip
def test_a_probe_that_fails_must_not_shut_it_for_good(tmp_path: Path, old: str) -> None:
    new = old.replace("            b.trying = false\n", "").replace("b.trying = false", "")
    found = guards(tmp_path, old, new)
    assert [cell.value for cell in found] == ["no", "no"]
    assert "shuts it for good" in found[0].because


def test_a_breaker_in_a_file_that_does_not_parse_is_not_known_for_any_client(tmp_path: Path) -> None:
    broken, main = BREAKER.split("    func unary(", 1)
    main = "    func unary(" + main.replace("func main() {", "func one(b *Breaker) {").replace(
        "b := newBreaker()", ""
    )
    main += main[main.index("    func one(") :].replace("one(", "two(")
    main += "    func main() {\n one(newBreaker())\n two(newBreaker())\n }\n"
    files = {
        "main.go": go_file(main),
        "breaker.go": go_file(broken.replace("return b.open\n", "return b.open (\n")),
    }
    rows = [row for row in table(analyse(tmp_path, files)).rows if row.get("via").value is None]
    assert len(rows) == 2
    answers = [row.get(name) for row in rows for name in ("unary_breaker", "stream_breaker")]
    assert [(cell.value, cell.failed) for cell in answers] == [("unknown", True)] * 4
