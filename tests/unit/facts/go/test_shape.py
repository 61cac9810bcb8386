"""What has one shape shares one trial: what a trial could tell apart must not."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse, go_file

from zuno_audit.facts.go import clients
from zuno_audit.facts.go.analysis import analysis
from zuno_audit.facts.go.ethereum_abi import AbiEvent, Parameter
from zuno_audit.facts.go.ethereum_library import HiddenEvent
from zuno_audit.facts.go.servers import table
from zuno_audit.facts.go.shape import shape
from zuno_audit.facts.go.values import Opaque, Seq, State, Val
from zuno_audit.model.entity import NO, YES

PROGRAM = """
    type policy interface { Recovers() bool }

    type strict %(type)s
    func (strict) Recovers() bool { return true }

    type lenient %(type)s
    func (lenient) Recovers() bool { return false }

    func guard(p policy) grpc.UnaryServerInterceptor {
        return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (resp any, err error) {
            defer func() {
                if !p.Recovers() {
                    return
                }
                if r := recover(); r != nil {
                    log.Printf("panic: %%v\\n%%s", r, debug.Stack())
                    err = status.Error(codes.Internal, "internal error")
                }
            }()
            return next(ctx, req)
        }
    }

    func main() {
        first := grpc.NewServer(grpc.UnaryInterceptor(guard(%(one)s)))
        second := grpc.NewServer(grpc.UnaryInterceptor(guard(%(other)s)))
        _, _ = first, second
    }
"""


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("[]string", "(nil)"),
        ("map[string]bool", "{}"),
        ("struct{}", "{}"),
        ("[]string", '{"a"}'),
        ("func()", "(func() {})"),
    ],
    ids=["nil", "map", "struct", "slice", "func"],
)
@pytest.mark.parametrize("order", [("strict", "lenient"), ("lenient", "strict")])
def test_servers_with_policies_of_two_types(
    tmp_path: Path, type_: str, value: str, order: tuple[str, str]
) -> None:
    one, other = (name + value for name in order)
    code = PROGRAM % {"type": type_, "one": one, "other": other}
    rows = table(analyse(tmp_path, {"main.go": go_file(code)})).rows
    found = [str(row.fields["unary_recovery"].value) for row in rows]
    assert found == [YES if name == "strict" else NO for name in order]


def test_two_events_have_two_shapes(tmp_path: Path) -> None:
    """They are compared by what they are, and by whether they are one: not by their places in memory."""
    ev = analyse(tmp_path, {"main.go": "package main\n"}).get(analysis).evaluator()
    deposit = AbiEvent("Deposit", (Parameter("amount", "uint256", False),))
    bare = AbiEvent("Deposit", (Parameter("amount", "uint256", True),))

    def of(*values: Val) -> object:
        return shape(ev, Seq(tuple((v,) for v in values)), State())

    assert of(HiddenEvent(deposit, True)) == of(HiddenEvent(deposit, True))
    shapes = [of(HiddenEvent(deposit, True)), of(HiddenEvent(deposit, False)), of(HiddenEvent(bare, True))]
    assert len(set(shapes)) == 3
    assert of(Opaque("a")) != of(Opaque("b"))
    once = Opaque("a")
    assert of(once, once) != of(once, Opaque("a")) == of(Opaque("a"), once)


NAMED = """
    type Breaker struct { name string; fails int; opened time.Time }

    func (b *Breaker) Do(call func() error) error {
        if b.fails >= 5 && time.Since(b.opened) < time.Minute {
            return fmt.Errorf("circuit %%s is open", b.name)
        }
        err := call()
        if err != nil { b.fails++; b.opened = time.Now(); return err }
        b.fails = 0
        return nil
    }

    func guard(name, circuit string) grpc.UnaryClientInterceptor {
        b := &Breaker{name: circuit}
        return func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            %s
            err := b.Do(func() error { return invoker(ctx, method, req, reply, cc, opts...) })
            if err != nil && err.Error() == fmt.Sprintf("circuit %%s is open", name) { %s }
            return err
        }
    }

    func main() {
        _, _ = grpc.NewClient("auth:1", grpc.WithUnaryInterceptor(guard("auth", "auth")))
        _, _ = grpc.NewClient("wallet:1", grpc.WithUnaryInterceptor(guard("wallet", "%s")))
    }
"""
TOLD = 'return status.Error(codes.Unavailable, "try later")'


@pytest.mark.parametrize(
    ("first", "when_open", "circuit", "expected"),
    [
        ("", TOLD, "wallet", ["yes", "yes"]),
        ("", "return nil", "wallet", ["no", "no"]),
        ("", "return nil", "other", ["no", "yes"]),
        (
            'if name == "wallet" { return invoker(ctx, method, req, reply, cc, opts...) }',
            TOLD,
            "wallet",
            ["yes", "no"],
        ),
        (
            'if name != "auth" { return invoker(ctx, method, req, reply, cc, opts...) }',
            TOLD,
            "wallet",
            ["yes", "no"],
        ),
        (
            'if fmt.Sprintf("%s!", name) == "wallet!" { return invoker(ctx, method, req, reply, cc, opts...) }',
            TOLD,
            "wallet",
            ["yes", "no"],
        ),
        (
            'if fmt.Sprintf("%s!", name) == fmt.Sprintf("%s!", "wallet") { return invoker(ctx, method, req, reply, cc, opts...) }',
            TOLD,
            "wallet",
            ["yes", "no"],
        ),
    ],
)
def test_clients_share_a_trial_only_where_their_names_do_not_matter(
    tmp_path: Path, first: str, when_open: str, circuit: str, expected: list[str]
) -> None:
    store = analyse(tmp_path, {"main.go": go_file(NAMED % (first, when_open, circuit))})
    assert [row.get("circuit_breaker").value for row in clients.table(store).rows] == expected


HELPED = """
    type Breaker struct { fails int; opened time.Time }

    func (b *Breaker) Do(call func() error) error {
        if b.fails >= 5 && time.Since(b.opened) < time.Minute { return errors.New("open") }
        err := call()
        if err != nil { b.fails++; b.opened = time.Now(); return err }
        b.fails = 0
        return nil
    }

    func dial(name string, guarded bool) (*grpc.ClientConn, error) {
        b := &Breaker{}
        guard := func(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoker grpc.UnaryInvoker, opts ...grpc.CallOption) error {
            if %s { return invoker(ctx, method, req, reply, cc, opts...) }
            return b.Do(func() error { return invoker(ctx, method, req, reply, cc, opts...) })
        }
        return grpc.NewClient(name, grpc.WithUnaryInterceptor(guard))
    }

    func auth() (*grpc.ClientConn, error) { return dial("auth", true) }
    func wallet() (*grpc.ClientConn, error) { return dial("wallet", false) }
    func main() { _, _ = auth(); _, _ = wallet() }
"""


@pytest.mark.parametrize(
    "bypass",
    [
        "!guarded",
        'name == "wallet"',
        'name != "auth"',
        "len(name) == 6",
        "name[0] == 'w'",
    ],
)
def test_what_a_helper_is_told_decides_for_each_of_its_callers(tmp_path: Path, bypass: str) -> None:
    rows = clients.table(analyse(tmp_path, {"main.go": go_file(HELPED % bypass)})).rows
    found = [row.get("circuit_breaker").value for row in rows if row.get("via").value]
    assert found == ["yes", "no"]
