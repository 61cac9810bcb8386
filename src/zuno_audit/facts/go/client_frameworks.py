"""Connections that a framework makes, with the breaker that it builds in.

Sources: go-zero (zrpc/client.go, zrpc/internal/client.go, zrpc/config.go: the breaker's interceptor is on by
default, `Middlewares.Breaker` turns it off), kratos (transport/grpc/client.go: `WithMiddleware` runs around unary
calls, middleware/circuitbreaker is one of them).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from zuno_audit.facts.go.guards import Guard
from zuno_audit.facts.go.values import Const, Extern, Input, Seq, Struct, Unknown, Val, Value

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator

ZRPC = ("github.com/zeromicro/go-zero/zrpc", "github.com/tal-tech/go-zero/zrpc")
_SET = re.compile(rb"\.Breaker[ \t]*=[^=]|\.Middlewares[ \t]*=[^=]")
_WITHOUT_MIDDLEWARE = (
    "NewDirectClientConf",
    "NewEtcdClientConf",
)  # fill in a configuration that has no breaker
KRATOS = ("github.com/go-kratos/kratos/v2/transport/grpc", "github.com/go-kratos/kratos/transport/grpc")


class Framework(msgspec.Struct, frozen=True):
    """A library whose functions `names` make connections; `judge` says what guards the unary calls of one."""

    path: str
    names: tuple[str, ...]
    judge: Callable[[Evaluator, Extern], Guard]


def _zrpc(ev: Evaluator, call: Extern) -> Guard:
    sites = ((call.site, "the framework makes the connection"),) if call.site is not None else ()
    built_in = Guard("yes", "go-zero's breaker is built in", sites)
    if call.name == "NewClientWithTarget":
        return built_in
    config = ev.force(call.args[0]) if call.args else ()
    if call.site is not None and _SET.search(call.site.file.data):
        built_in = Guard("unknown", "code sets what turns go-zero's breaker on", sites)
    for v in config:
        if isinstance(v, Extern) and v.path in ZRPC and v.name in _WITHOUT_MIDDLEWARE:
            return Guard("no", f"{v.name} leaves go-zero's breaker out", sites)
        if not isinstance(v, Struct):
            continue
        chosen = [x for x in ev.force(v.fields.get("Middlewares", ())) if isinstance(x, Struct)]
        flags = [f for x in chosen for f in ev.force(_field(x, "Breaker"))]
        if any(isinstance(f, Const) and f.value is False for f in flags):
            return Guard("no", "the configuration leaves go-zero's breaker out", sites)
        if v.open:
            continue
        if not v.fields:  # what nobody fills in here is loaded, with the defaults where go-zero does it
            if call.site is not None and b"/go-zero/core/conf" not in call.site.file.data:
                return Guard("unknown", "what loads the configuration decides about go-zero's breaker", sites)
            continue
        if not chosen and not ev.force(v.fields.get("Middlewares", ())):
            return Guard("no", "the configuration in the code does not turn go-zero's breaker on", sites)
        if not chosen:
            return Guard("unknown", "whether this configuration turns go-zero's breaker on", sites)
    return built_in


def _field(struct: Struct, name: str) -> Value:
    """A flag of a struct, false where nothing sets it."""
    return struct.fields.get(name, (Const(True),) if struct.open else (Const(False),))


def _kratos(ev: Evaluator, call: Extern) -> Guard:
    sites = ((call.site, "the framework makes the connection"),) if call.site is not None else ()
    open_ = False
    for option in _flat(ev, (call.args or ())[1:]):
        if isinstance(option, Extern) and option.name == "WithMiddleware":
            for middleware in _flat(ev, option.args or ()):
                if isinstance(middleware, Extern) and middleware.path.endswith("middleware/circuitbreaker"):
                    return Guard("yes", "kratos' breaker", sites)
                open_ = open_ or isinstance(middleware, Input | Unknown)
        open_ = open_ or isinstance(option, Input | Unknown)
    if open_:
        return Guard("unknown", "its options cannot be followed", sites)
    return Guard("no", "no middleware of it is a circuit breaker", sites)


def _flat(ev: Evaluator, values: tuple[tuple[Val, ...], ...]) -> list[Val]:
    """Arguments with slices taken apart; one that may be several things is not known."""
    out: list[Val] = []
    for value in values:
        choices = ev.force(value)
        if len(choices) != 1:
            out.append(Unknown("one of several"))
        elif isinstance(choices[0], Seq):
            out.extend(_flat(ev, choices[0].items))
        else:
            out.append(choices[0])
    return out


FRAMEWORKS = (
    *(Framework(path, ("NewClient", "MustNewClient", "NewClientWithTarget"), _zrpc) for path in ZRPC),
    *(Framework(path, ("Dial", "DialInsecure"), _kratos) for path in KRATOS),
)


def target(ev: Evaluator, call: Extern) -> str | None:
    """The address that a call names as a constant."""
    if call.path in ZRPC and call.name == "NewClientWithTarget" and call.args:
        found = _flat(ev, call.args[:1])
    else:
        options = [o for o in _flat(ev, (call.args or ())[1:]) if isinstance(o, Extern)]
        found = [x for o in options if o.name == "WithEndpoint" for x in _flat(ev, o.args or ())]
    values = [v.value for v in found if isinstance(v, Const) and isinstance(v.value, str)]
    return values[0] if len(values) == 1 else None
