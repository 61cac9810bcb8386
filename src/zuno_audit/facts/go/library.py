"""What code outside the repository does: the project's only list of library knowledge for the evaluator.

`CONSTANTS` are values of exported constants. `MODELS` are functions and methods (a leading dot) whose effect
matters: they end the process, touch memory, measure time or take errors apart. Everything else is an
`Extern` value, which the questions interpret.
Sources: the documentation of the Go standard library and of google.golang.org/grpc.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go import iterators, sync_library
from zuno_audit.facts.go.own_variables import start_from_initial_values
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Const,
    Extern,
    Func,
    Nil,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    Text,
    Unknown,
    Val,
    Value,
    union,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.types import Type

Model = Callable[["Evaluator", Extern, list[Value], State, Site], "Iterable[Value] | None"]

STATUS = "google.golang.org/grpc/status"
CODES = "google.golang.org/grpc/codes"
# google.golang.org/grpc/codes, in the order of their numbers
CODE_NAMES = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
]
ZERO_TIME = -62_135_596_800 * 1_000_000_000  # January 1, year 1, in nanoseconds of Unix time

CONSTANTS: dict[tuple[str, str], tuple[Any, str, str]] = {
    ("time", "Nanosecond"): (1, "time", "Duration"),
    ("time", "Microsecond"): (1_000, "time", "Duration"),
    ("time", "Millisecond"): (1_000_000, "time", "Duration"),
    ("time", "Second"): (1_000_000_000, "time", "Duration"),
    ("time", "Minute"): (60_000_000_000, "time", "Duration"),
    ("time", "Hour"): (3_600_000_000_000, "time", "Duration"),
    ("math", "MaxInt"): (2**63 - 1, "", ""),
    ("math", "MaxInt8"): (2**7 - 1, "", ""),
    ("math", "MaxInt16"): (2**15 - 1, "", ""),
    ("math", "MaxInt32"): (2**31 - 1, "", ""),
    ("math", "MaxInt64"): (2**63 - 1, "", ""),
    ("math", "MaxUint8"): (2**8 - 1, "", ""),
    ("math", "MaxUint16"): (2**16 - 1, "", ""),
    ("math", "MaxUint32"): (2**32 - 1, "", ""),
    ("math", "MaxUint64"): (2**64 - 1, "", ""),
    **{(CODES, name): (number, CODES, "Code") for number, name in enumerate(CODE_NAMES)},
    **{
        (path, name): (number, path, "State")
        for path in ("github.com/sony/gobreaker", "github.com/sony/gobreaker/v2")
        for number, name in enumerate(("StateClosed", "StateHalfOpen", "StateOpen"))
    },
}
HTTP_STATUS = {
    "OK": 200, "Created": 201, "Accepted": 202, "NoContent": 204, "MovedPermanently": 301, "Found": 302,
    "SeeOther": 303, "NotModified": 304, "TemporaryRedirect": 307, "PermanentRedirect": 308, "BadRequest": 400,
    "Unauthorized": 401, "PaymentRequired": 402, "Forbidden": 403, "NotFound": 404, "MethodNotAllowed": 405,
    "NotAcceptable": 406, "ProxyAuthRequired": 407, "RequestTimeout": 408, "Conflict": 409, "Gone": 410,
    "RequestEntityTooLarge": 413, "UnsupportedMediaType": 415, "Teapot": 418, "UnprocessableEntity": 422,
    "Locked": 423, "UpgradeRequired": 426, "TooManyRequests": 429, "InternalServerError": 500,
    "NotImplemented": 501, "BadGateway": 502, "ServiceUnavailable": 503, "GatewayTimeout": 504,
}  # fmt: skip
CONSTANTS |= {("net/http", "Status" + name): (code, "", "") for name, code in HTTP_STATUS.items()}
CONSTANTS |= {
    ("net/http", "Method" + name): (name.upper(), "", "")
    for name in ("Connect", "Delete", "Get", "Head", "Options", "Patch", "Post", "Put", "Trace")
}

# Types from elsewhere whose zero value is a number.
_SCALARS: dict[tuple[str, str], Any] = {
    ("time", "Duration"): 0,
    ("time", "Time"): ZERO_TIME,
    ("time", "Month"): 0,
    ("time", "Weekday"): 0,
    (CODES, "Code"): 0,
    ("net/http", "ConnState"): 0,
    ("os", "FileMode"): 0,
}
# Types from elsewhere that are interfaces or functions: their zero value is nil.
_NILLABLE = frozenset(
    {
        ("context", "Context"),
        ("net/http", "Handler"),
        ("net/http", "HandlerFunc"),
        ("google.golang.org/grpc", "UnaryServerInterceptor"),
        ("google.golang.org/grpc", "StreamServerInterceptor"),
        ("google.golang.org/grpc", "UnaryClientInterceptor"),
        ("google.golang.org/grpc", "StreamClientInterceptor"),
        ("google.golang.org/grpc", "UnaryHandler"),
        ("google.golang.org/grpc", "StreamHandler"),
        ("google.golang.org/grpc", "UnaryInvoker"),
        ("google.golang.org/grpc", "Streamer"),
        ("google.golang.org/grpc", "ServerOption"),
        ("google.golang.org/grpc", "DialOption"),
        ("google.golang.org/grpc", "ClientConnInterface"),
        ("google.golang.org/grpc", "ClientStream"),
        ("google.golang.org/grpc", "ServerStream"),
        ("google.golang.org/grpc/credentials", "TransportCredentials"),
        ("github.com/prometheus/client_golang/prometheus", "Registerer"),
        ("github.com/prometheus/client_golang/prometheus", "Gatherer"),
        ("github.com/ethereum/go-ethereum/accounts/abi", "Arguments"),
        ("github.com/grpc-ecosystem/go-grpc-middleware/recovery", "RecoveryHandlerFunc"),
        ("github.com/grpc-ecosystem/go-grpc-middleware/recovery", "RecoveryHandlerFuncContext"),
        ("github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery", "RecoveryHandlerFunc"),
        (
            "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery",
            "RecoveryHandlerFuncContext",
        ),
        ("github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector", "MatchFunc"),
        ("io", "Reader"),
        ("io", "Writer"),
    }
)
_NEVER_NIL = frozenset(
    {
        ("fmt", "Errorf"),
        ("context", "Background"),
        ("context", "TODO"),
    }
)

# What grpc calls the functions that make its options.
_OPTION = re.compile(
    r"^(?:With|Chain|Max|Keepalive|Initial)|Interceptor$|Handler$|Creds$|Timeout$|Size$|Codec$|Option$"
)

# pkg/errors, cockroachdb/errors, xerrors, eris and their like
_ERROR_LIBRARY = re.compile(r"(?:^|[/.-])(?:x?errors|xerrs?|eris|errorx|merry)(?:/v\d+)?$")
_MAKES_ERROR = ("New", "Newf", "Errorf")

# json.Unmarshal, (*Decoder).Decode, flag.StringVar, envconfig.Process, cleanenv.ReadConfig, rows.Scan, ...
_FILLS = re.compile(
    r"Unmarshal|Decode|Scan|^(Must)?Parse|Process|Load|Read|Bind|Populate|Fill|Unpack|Hydrate|MapTo|Into$|VarP?$"
)


def is_type(path: str, name: str) -> bool:
    """True for exported names that are types, so that `pkg.Name(x)` is a conversion."""
    return (path, name) in _SCALARS or (path, name) in _NILLABLE


def is_interface(type_: Type) -> bool:
    """True for types from elsewhere that are interfaces or functions."""
    return (type_.path, type_.name) in _NILLABLE


def writes_arguments(name: str) -> bool:
    """True for functions that fill what their arguments point at, going by what libraries call them."""
    return _FILLS.search(name) is not None


def extern_zero(type_: Type) -> Val:
    """The zero value of a type from elsewhere."""
    key = (type_.path, type_.name)
    if key in _SCALARS:
        return Const(_SCALARS[key], type_)
    if key in _NILLABLE:
        return Nil()
    return Struct(type_, {})


def as_error(v: Val) -> Val:
    """The error that `return nil, errors.Wrap(err, "...")` gives.

    Wrapping nil gives nil, but nobody returns nothing without an error.
    """
    if (
        isinstance(v, Extern)
        and v.args
        and v.name.startswith(("Wrap", "With"))
        and _ERROR_LIBRARY.search(v.path)
    ):
        return Extern(v.path, _MAKES_ERROR[0], v.args, state=v.state, site=v.site)
    return v


def is_nil(v: Extern) -> bool | None:
    """Whether the result of a call from elsewhere is nil, or None when it is not known."""
    key = (v.path, v.name)
    if v.args is None:
        return False if v.recv is None and v.name[:1].isupper() and not v.name.startswith("Default") else None
    if v.index == 0 and (key in _NEVER_NIL or (v.name in _MAKES_ERROR and _ERROR_LIBRARY.search(v.path))):
        return False
    if v.path == STATUS and v.name in ("Error", "Errorf") and v.index == 0:
        code = v.args[0] if v.args else ()
        if code and all(isinstance(c, Const) and c.value != 0 for c in code):
            return False
    if v.recv is None and v.index == 0 and _OPTION.search(v.name) and v.path == "google.golang.org/grpc":
        return False
    if v.recv is None and v.index == 0 and v.name.endswith(("ServerInterceptor", "ClientInterceptor")):
        return False
    if v.path == "text":
        return False
    return None


# ---------------------------------------------------------------- processes


def _exit(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    ev.end_process(Extern(v.path, v.name, tuple(args), recv=v.recv, site=site), state)
    return [(Unknown("a call that does not return", site),)]


def _panic(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    ev.raise_panic(args[0] if args else NIL, state)
    return [(Unknown("a call that does not return", site),)]


def _log_event(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """zerolog: an event is sent. `Fatal()` events end the process, `Panic()` events panic."""
    names = chain_names(v)
    if "Fatal" in names:
        return _exit(ev, v, args, state, site)
    if "Panic" in names:
        return _panic(ev, v, args, state, site)
    return None


def chain_names(v: Val) -> list[str]:
    """The method names of a fluent chain, outermost first: `log.Fatal().Err(e).Msg` -> Msg, Err, Fatal."""
    names: list[str] = []
    current: Val | None = v
    while isinstance(current, Extern) and len(names) < 64:
        names.append(current.name)
        current = current.recv[0] if current.recv else None
    return names


# ---------------------------------------------------------------- memory: sync and sync/atomic


def _nothing(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    return [(Unknown("no value"),)]


def _true(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    return [(Unknown("lock"),)] if ev.lazy else [(TRUE,)]


def _once(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """sync.Once.Do: calls its argument unless this Once has done so before."""
    owner = pointer(v.recv)
    if owner is None:
        return None
    done = Pointer(owner.cell, (*owner.path, "done"))
    before = ev.truth(peek(ev, done, state, FALSE))
    if before is not True:
        ev.store(done.cell, done.path, (TRUE,), state)
        for function in ev.force(args[0]):
            if isinstance(function, Func):  # nothing that only it writes has been written before
                start_from_initial_values(ev, function, state)
        ev.call_value(args[0], [], state, site)
    return [(Unknown("no value"),)]


def pointer(value: Value | None) -> Pointer | None:
    if value is not None and len(value) == 1 and isinstance(value[0], Pointer):
        return value[0]
    return None


def peek(ev: Evaluator, pointer: Pointer, state: State, default: Val) -> Value:
    """A hidden field of a library type, with its zero value where nothing was stored."""
    owner = ev.force(ev.load(Pointer(pointer.cell, pointer.path[:-1]), state))
    out: Value = ()
    for v in owner:
        if isinstance(v, Struct):
            known = v.fields.get(pointer.path[-1])
            out = union(out, known if known is not None else (Unknown("memory"),) if v.open else (default,))
        else:
            out = union(out, (Unknown("memory that is not followed"),))
    return out


def _atomic_function(operation: str) -> Model:
    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        target = pointer(ev.force(args[0])) if args else None
        if target is None:
            return None
        return _atomic(ev, operation, target, ev.load(target, state), args[1:], state, site)

    return model


def _atomic_method(operation: str) -> Model:
    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        owner = pointer(v.recv)
        if owner is None:
            return None
        target = Pointer(owner.cell, (*owner.path, "value"))
        types = [getattr(x, "type", None) for x in ev.force(ev.load(owner, state))]
        boolean = any(t is not None and t.name == "Bool" for t in types)
        nillable = any(t is not None and t.name in ("Pointer", "Value") for t in types)
        zero: Val = FALSE if boolean else Nil() if nillable else Const(0)
        return _atomic(ev, operation, target, peek(ev, target, state, zero), args, state, site)

    return model


def _atomic(
    ev: Evaluator, operation: str, target: Pointer, old: Value, args: list[Value], state: State, site: Site
) -> Iterable[Value]:
    if operation == "Load":
        return [old]
    if operation == "Store":
        ev.store(target.cell, target.path, args[0], state)
        return [(Unknown("no value"),)]
    if operation == "Swap":
        ev.store(target.cell, target.path, args[0], state)
        return [old]
    if operation == "Add":
        new = ev._combine("+", ev.force(old), ev.force(args[0]), site)
        new = tuple(_wrap(v) for v in new)
        ev.store(target.cell, target.path, new, state)
        return [new]
    answers = {ev._equal(x, y) for x in ev.force(old) for y in ev.force(args[0])}
    if answers == {True}:
        ev.store(target.cell, target.path, args[1], state)
        return [(TRUE,)]
    if answers == {False}:
        return [(FALSE,)]
    ev.store(target.cell, target.path, args[1], state, strong=False)
    return [(Unknown("compare and swap"),)]


def _wrap(v: Val) -> Val:
    """Adding ^0 subtracts one from an unsigned counter (documentation of sync/atomic)."""
    if isinstance(v, Const) and isinstance(v.value, int) and v.value > 2**63:
        return Const(v.value % 2**64 if v.value % 2**64 < 2**63 else v.value % 2**32, v.type, v.site)
    return v


# ---------------------------------------------------------------- time


def _now(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    return None if ev.clock is None else [(_time(ev, ev.clock),)]


def _time(ev: Evaluator, value: int) -> Const:
    return Const(value, ev.types.extern("time", "Time"))


def _duration(ev: Evaluator, value: int) -> Const:
    return Const(value, ev.types.extern("time", "Duration"))


def _numbers(ev: Evaluator, values: list[Value | None]) -> list[Any] | None:
    """The constants behind values, or None when one is not a single constant."""
    out: list[Any] = []
    for value in values:
        forced = ev.force(value) if value is not None else ()
        if len(forced) != 1 or not isinstance(forced[0], Const):
            return None
        out.append(forced[0].value)
    return out


def _computed(operands: int, function: Callable[..., Any], result: str) -> Model:
    """A pure function of constants: `operands` counts the arguments besides a receiver."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        values: list[Value | None] = [*([v.recv] if v.recv is not None else []), *args[:operands]]
        numbers = _numbers(ev, values)
        if numbers is None or len(numbers) < operands + (v.recv is not None):
            return None
        if result in ("since", "until"):
            if ev.clock is None:
                return None
            numbers = [ev.clock, *numbers] if result == "since" else [*numbers, ev.clock]
        if result != "text" and any(isinstance(n, str) for n in numbers):
            ev.text_tested = True
        try:
            value = function(*numbers)
        except (TypeError, ValueError, OverflowError, IndexError):
            return None
        if result == "time":
            return [(_time(ev, value),)]
        if result in ("duration", "since", "until"):
            return [(_duration(ev, value),)]
        if result == "bool" and len(numbers) == 2 and not isinstance(numbers[0], str):
            ev.note_comparison(site, Const(numbers[0]), Const(numbers[1]), bool(value), v.name)
        return [(Const(value, None, site),)]

    return model


_DURATION = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}


def _parse_duration(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """time.ParseDuration of a constant text."""
    text = _numbers(ev, list(args[:1]))
    if not text or not isinstance(text[0], str):
        return None
    ev.text_tested = True
    sign, digits = (-1, text[0][1:]) if text[0][:1] == "-" else (1, text[0].removeprefix("+"))
    parts = [(float(m.group(1)), m.group(2)) for m in _DURATION.finditer(digits)]
    if digits != "0" and _DURATION.sub("", digits) + ("" if parts else "?"):
        return [(_duration(ev, 0),), (Extern("errors", "New", ((Const("time: invalid duration"),),)),)]
    total = round(sum(number * _UNITS[unit] for number, unit in parts))
    return [(Const(sign * total, ev.types.extern("time", "Duration"), site),), NIL]


# ---------------------------------------------------------------- reflection


def _reflect_set(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """reflect.ValueOf(&x).Elem().Field(i).Set...(y): what x points to is no longer known."""
    pending: list[Val] = list(v.recv or ())
    for _ in range(64):
        if not pending:
            break
        made = pending.pop()
        if isinstance(made, Extern) and made.name in ("ValueOf", "Indirect"):
            ev._overwrite([ev.force(value) for value in made.args or ()], state, "reflect")
        if isinstance(made, Extern):
            pending.extend(made.recv or ())
    return None


# ---------------------------------------------------------------- errors and gRPC status


def _status_from_error(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """status.FromError and status.Convert of an error that was made by status.Error, or of nil."""
    error = ev.force(args[0]) if args else ()
    if len(error) == 1 and isinstance(error[0], Nil):
        fine: tuple[Value, ...] = ((Const(0),), (Const(""),))
        return [(Extern(STATUS, "New", fine, site=site),), (TRUE,)]
    if len(error) != 1 or not isinstance(error[0], Extern) or not error[0].args:
        return None
    inner = _wrapped(error[0]) or error[0]
    if inner.path == STATUS and inner.args:
        return [(Extern(STATUS, "New", inner.args, site=site),), (TRUE,)]
    if error[0].path in ("errors", "fmt"):
        unknown: tuple[Value, ...] = ((Const(2),), (Const("unknown"),))
        return [(Extern(STATUS, "New", unknown, site=site),), (FALSE,)]
    return None


def _wrapped(v: Extern) -> Extern | None:
    """The status error inside one that wraps it: status.FromError and with it the server look there (errors.As)."""
    args = v.args or ()
    if (v.path, v.name) == ("fmt", "Errorf"):
        form = args[0] if args else ()
        if len(form) != 1 or not isinstance(form[0], Const) or "%w" not in str(form[0].value):
            return None
        args = args[1:]
    elif (v.path, v.name) != ("errors", "Join") and not (
        v.name.startswith(("Wrap", "With")) and _ERROR_LIBRARY.search(v.path)
    ):
        return None
    found = (x for value in args if len(value) == 1 for x in value if isinstance(x, Extern))
    return next((x for x in found if x.index == 0 and status_code(x) is not None), None)


def status_code(v: Val) -> Value | None:
    """The code of an error or status made by the status package, or None."""
    seen = 0
    while isinstance(v, Extern) and seen < 8:
        inner = _wrapped(v)
        if inner is not None:
            return status_code(inner)
        if v.path == STATUS and v.name in ("Error", "Errorf", "New", "Newf") and v.args:
            return v.args[0]
        if v.path == STATUS and v.name == "FromContextError":
            return (Const(1), Const(4), Const(2))  # Canceled, DeadlineExceeded, Unknown
        if v.recv is None or len(v.recv) != 1:
            return None
        v, seen = v.recv[0], seen + 1  # status.New(...).Err(), .WithDetails(...)
    return None


def _status_code(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    values = ev.force(args[0]) if args else ev.force(v.recv or ())
    out: Value = ()
    for value in values:
        code = (Const(0),) if isinstance(value, Nil) else status_code(value)
        if code is None and isinstance(value, Extern) and value.path == "errors" and value.name == "New":
            code = (Const(2),)
        if code is None:
            return None
        out = union(out, code)
    return [out] if out else None


_ERRORS = frozenset({("errors", "New"), ("fmt", "Errorf"), (STATUS, "Error"), (STATUS, "Errorf")})


def same_error(x: Extern, y: Extern) -> bool | None:
    """Whether two errors are identical: each call of errors.New and its kin makes a new one."""
    made = [v.args is not None and (v.path, v.name) in _ERRORS for v in (x, y)]
    if x is y:
        return True
    if all(made):
        return x.site is not None and x.site == y.site
    other = y if made[0] else x
    if any(made) and other.args is None and other.recv is None:
        return False  # an error variable of a library
    return None


def _error_text(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """What `Error` says of an error of the packages status and errors."""
    made = v.recv[0] if v.recv is not None and len(v.recv) == 1 else None
    if not isinstance(made, Extern) or made.index or not made.args or (made.path, made.name) not in _ERRORS:
        return None
    head: list[Value] = []
    rest = list(made.args)
    if made.path == STATUS:
        code = ev.force(rest.pop(0))
        known = code[0].value if len(code) == 1 and isinstance(code[0], Const) else None
        if not rest or not isinstance(known, int) or not 0 <= known < len(CODE_NAMES):
            return None
        head = [(Const(f"rpc error: code = {CODE_NAMES[known]} desc = "),)]
    form = ev.force(rest[0])
    text = form[0].value if len(form) == 1 and isinstance(form[0], Const) else None
    if not isinstance(text, str):
        return None
    if made.name in ("Error", "New"):
        text = text.replace("%", "%%")
    whole = "".join(str(x.value) for part in head for x in part if isinstance(x, Const)) + text
    arguments: list[Value] = [(Const(whole),), *rest[1:]]
    results = _sprintf(ev, Extern("fmt", "Sprintf", site=site), arguments, state, site)
    return results or [(Extern("fmt", "Sprintf", tuple(arguments), state=state, site=site),)]


def differ(x: Val, y: Val) -> bool:
    """True for a text and one that is formatted, where the formatted one begins or ends in another way."""
    if isinstance(y, Const):
        x, y = y, x
    ends = [_fixed_ends(v) for v in (x, y)]
    if None in ends or not any(isinstance(v, Extern) for v in (x, y)):
        return False
    (a, z), (b, w) = (one or ("", "") for one in ends)
    return _part(a, z, b, w)


def _fixed_ends(v: Val) -> tuple[str, str] | None:
    """What a text certainly begins and ends with."""
    if isinstance(v, Const):
        return (v.value, v.value) if isinstance(v.value, str) else None
    if (
        not isinstance(v, Extern)
        or (v.path, v.name) != ("fmt", "Sprintf")
        or not v.args
        or len(v.args[0]) != 1
    ):
        return None
    form = v.args[0][0]
    if not isinstance(form, Const) or not isinstance(form.value, str):
        return None
    return _ends(form.value)


def _wraps(ev: Evaluator, error: Val, target: Extern, depth: int = 0) -> bool | None:
    if not isinstance(error, Extern) or depth > 4:
        return None
    known = same_error(error, target)
    if known or known is None:
        return known
    if (error.path, error.name) == ("fmt", "Errorf"):
        inner = [_wraps(ev, v, target, depth + 1) for value in error.args or () for v in ev.force(value)]
        return True in inner
    return False


def _errors_is(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    if len(args) != 2:
        return None
    error, target = ev.force(args[0]), ev.force(args[1])
    if len(target) != 1 or not isinstance(target[0], Extern):
        return None
    answers = {False if isinstance(e, Nil) else _wraps(ev, e, target[0]) for e in error}
    if len(answers) == 1 and None not in answers:
        return [(TRUE,) if answers.pop() else (FALSE,)]
    return None


def _errors_join(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """errors.Join: nil when all of its arguments are."""
    answers: set[bool | None] = set()
    for value in args:
        for e in ev.force(value):
            if isinstance(e, Seq) and len(args) == 1:
                inner = [{ev.is_nil(x) for x in ev.force(item)} for item in e.items]
                some = any(found == {False} for found in inner)
                answers.add(
                    False if some else True if not e.open and all(f == {True} for f in inner) else None
                )
            else:
                answers.add(ev.is_nil(e))
    if answers == {True} or not args:
        return [NIL]
    if answers == {False}:
        joined = Extern("errors", "Join", tuple(args), site=site)
        if _wrapped(joined) is not None:
            return [(joined,)]
        return [(Extern("errors", "New", ((Const("joined"),),), site=site),)]
    return None


def _first_non_zero(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """cmp.Or: the first of its arguments that is not the zero value."""
    for i, value in enumerate(args):
        forced = ev.force(value)
        if i == len(args) - 1:
            return [value]
        if len(forced) != 1 or not isinstance(forced[0], Const):
            return None
        if forced[0].value not in ("", 0, False):
            return [value]
    return None


def _context(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """context.WithTimeout and its kin: a context that is the parent's, and a cancel function."""
    if ev.lazy or not args:
        return None
    return [args[0], (Extern("context", "CancelFunc", site=site),)]


def _context_error(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    if v.recv is not None and any(isinstance(x, Opaque) for x in v.recv):
        return [NIL]
    return None


# ---------------------------------------------------------------- text


_VERBS = re.compile(r"%[-+# 0-9.]*([a-zA-Z%])")


def with_own_texts(ev: Evaluator, args: list[Value], state: State, site: Site) -> list[Value]:
    """The arguments of fmt.Sprintf, with what their methods say in the place of values that have such methods."""
    formats = _numbers(ev, list(args[:1]))
    if not formats or not isinstance(formats[0], str):
        return args
    verbs = [verb for verb in _VERBS.findall(formats[0]) if verb != "%"]
    return [
        args[0],
        *(
            _own_text(ev, value, state, site) if verb in ("s", "v") else value
            for value, verb in zip(args[1:], [*verbs, *[""] * len(args)], strict=False)
        ),
    ]


def _own_text(ev: Evaluator, value: Value, state: State, site: Site) -> Value:
    """What the String or Error method of a value says, or the value."""
    forced = ev.force(value)
    if len(forced) != 1 or not isinstance(forced[0], Const | Struct) or forced[0].type is None:
        return value
    method = ev.types.text_method(forced[0].type)
    if method is None:
        return value
    results = ev.call_value(ev.select(forced, method, state, site), [], state, site)
    return results[0] if results else value


def _sprintf(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """fmt.Sprintf of constants, for the verbs whose result Python formats alike."""
    args = with_own_texts(ev, args, state, site)
    numbers = _numbers(ev, list(args))
    if not numbers or not isinstance(numbers[0], str):
        return None
    text, rest = numbers[0], numbers[1:]
    out, i, used = [], 0, 0
    while i < len(text):
        if text[i] != "%":
            out.append(text[i])
            i += 1
            continue
        verb = text[i + 1 : i + 2]
        if verb == "%":
            out.append("%")
        elif verb in ("s", "d", "v") and used < len(rest) and not isinstance(rest[used], float | bool):
            out.append(str(rest[used]))
            used += 1
        else:
            return None
        i += 2
    return [(Text("".join(out), text, tuple(rest), site),)]


def told_by_forms(x: Const, y: Const) -> bool:
    """True for two texts that were put together and of which the forms, or that all parts are equal, show whether they
    are equal: whatever the parts say.
    """
    if not isinstance(x, Text) or not isinstance(y, Text):
        return False
    if x.form == y.form:
        return x.parts == y.parts
    (a, z), (b, w) = _ends(x.form), _ends(y.form)
    return _part(a, z, b, w)


def _part(a: str, z: str, b: str, w: str) -> bool:
    """Whether texts that begin and end so are certainly different."""
    n, m = min(len(a), len(b)), min(len(z), len(w))
    return a[:n] != b[:n] or (m > 0 and z[-m:] != w[-m:])


def _ends(form: str) -> tuple[str, str]:
    """What stands before the first verb of a format and behind the last."""
    return form.partition("%")[0], re.split(r"%[^a-zA-Z%]*[a-zA-Z%]", form)[-1]


def _sprint_join(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """strings.Join of a slice of constants."""
    if len(args) != 2:
        return None
    parts, separator = ev.force(args[0]), _numbers(ev, [args[1]])
    if len(parts) != 1 or not isinstance(parts[0], Seq) or parts[0].open or separator is None:
        return None
    texts = _numbers(ev, list(parts[0].items))
    if texts is None or not all(isinstance(t, str) for t in texts):
        return None
    return [(Const(str(separator[0]).join(texts), None, site),)]


# ---------------------------------------------------------------- slices


def _concat(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    from zuno_audit.facts.go.builtins import append

    out: Value = NIL
    for value in args:
        out = append(ev, [out, value], True, state, site)
    return [out]


def _first(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    return [args[0]] if args else None


def _insert(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    from zuno_audit.facts.go.builtins import append

    return [append(ev, [args[0], *args[2:]], False, state, site)] if len(args) > 2 else None


def _delete_func(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """slices.DeleteFunc: the elements that its function does not want away."""
    whole = ev.force(args[0]) if len(args) == 2 else ()
    if len(whole) != 1 or not isinstance(whole[0], Seq) or whole[0].open:
        return None
    kept: list[Value] = []
    for item in whole[0].items:
        wanted_away = ev.truth(ev.call_value(args[1], [item], state, site)[0])
        if wanted_away is None:
            return None
        if not wanted_away:
            kept.append(item)
    return [(Seq(tuple(kept)),)]


def _func_value(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """sync.OnceFunc and sync.OnceValue: what they return does what their argument does."""
    value = args[0] if args else ()
    return [value] if value and all(isinstance(x, Func) for x in value) else None


def _pure_models() -> dict[tuple[str, str], Model]:
    """Functions of constants: of times, texts and numbers."""
    second = 1_000_000_000
    pure: list[tuple[str, str, int, Callable[..., Any], str]] = [
        ("time", "Since", 1, lambda now, t: now - t, "since"),
        ("time", "Until", 1, lambda t, now: t - now, "until"),
        ("time", "Unix", 2, lambda s, n: s * second + n, "time"),
        ("time", "UnixMilli", 1, lambda ms: ms * 1_000_000, "time"),
        ("time", ".Sub", 1, lambda t, u: t - u, "duration"),
        ("time", ".Add", 1, lambda t, d: t + d, "time"),
        ("time", ".After", 1, lambda t, u: t > u, "bool"),
        ("time", ".Before", 1, lambda t, u: t < u, "bool"),
        ("time", ".Equal", 1, lambda t, u: t == u, "bool"),
        ("time", ".Compare", 1, lambda t, u: (t > u) - (t < u), "int"),
        ("time", ".Truncate", 1, lambda t, d: t - t % d if d > 0 else t, "time"),
        ("time", ".UnixMicro", 0, lambda t: t // 1_000, "int"),
        ("time", ".Microseconds", 0, lambda d: d // 1_000, "int"),
        ("time", ".Minutes", 0, lambda d: d / (60 * second), "float"),
        ("time", ".Hours", 0, lambda d: d / (3600 * second), "float"),
        ("time", ".IsZero", 0, lambda t: t == ZERO_TIME, "bool"),
        ("time", ".Unix", 0, lambda t: t // second, "int"),
        ("time", ".UnixNano", 0, lambda t: t, "int"),
        ("time", ".UnixMilli", 0, lambda t: t // 1_000_000, "int"),
        ("time", ".Seconds", 0, lambda d: d / second, "float"),
        ("time", ".Milliseconds", 0, lambda d: d // 1_000_000, "int"),
        ("time", ".Nanoseconds", 0, lambda d: d, "int"),
        ("time", ".UTC", 0, lambda t: t, "time"),
        ("time", ".Local", 0, lambda t: t, "time"),
        ("strings", "ToUpper", 1, lambda t: t.upper(), "text"),
        ("strings", "ToLower", 1, lambda t: t.lower(), "text"),
        ("strings", "TrimSpace", 1, lambda t: t.strip(), "text"),
        ("strings", "TrimPrefix", 2, lambda t, p: t.removeprefix(p), "text"),
        ("strings", "TrimSuffix", 2, lambda t, p: t.removesuffix(p), "text"),
        ("strings", "ReplaceAll", 3, lambda t, old, new: t.replace(old, new) if old else t, "text"),
        ("strings", "HasPrefix", 2, lambda t, p: t.startswith(p), "bool"),
        ("strings", "HasSuffix", 2, lambda t, p: t.endswith(p), "bool"),
        ("strings", "EqualFold", 2, lambda t, u: t.casefold() == u.casefold(), "bool"),
        ("strings", "Contains", 2, lambda t, p: p in t, "bool"),
        ("strings", "TrimLeft", 2, lambda t, cut: t.lstrip(cut) if cut else t, "text"),
        ("strings", "TrimRight", 2, lambda t, cut: t.rstrip(cut) if cut else t, "text"),
        ("strings", "Trim", 2, lambda t, cut: t.strip(cut) if cut else t, "text"),
        ("unicode/utf8", "RuneCountInString", 1, len, "int"),
        ("unicode/utf8", "RuneCount", 1, len, "int"),
        ("strconv", "Itoa", 1, str, "text"),
        ("math", "Ceil", 1, math.ceil, "float"),
        ("math", "Floor", 1, math.floor, "float"),
    ]
    return {
        (path, name): _computed(operands, function, result) for path, name, operands, function, result in pure
    }


def _extreme(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """math.Min and math.Max, which compare."""
    numbers = _numbers(ev, [*args])
    if numbers is None or len(numbers) != 2 or not all(type(n) in (int, float) for n in numbers):
        return None
    x, y = (Const(float(n), None, site) for n in numbers)
    ev.note_comparison(site, x, y, x.value < y.value, "<")
    return [(x,) if (x.value < y.value) is (v.name == "Min") else (y,)]


def _models() -> dict[tuple[str, str], Model]:
    models: dict[tuple[str, str], Model] = {("os", "Exit"): _exit, ("runtime", "Goexit"): _exit}
    fatal = ("Fatal", "Fatalf", "Fatalln")
    for path in (
        "log",
        "github.com/sirupsen/logrus",
        "k8s.io/klog",
        "k8s.io/klog/v2",
        "github.com/golang/glog",
    ):
        for name in fatal:
            models[path, name] = models[path, "." + name] = _exit
        for name in ("Panic", "Panicf", "Panicln"):
            models[path, name] = models[path, "." + name] = _panic
    for path in ("go.uber.org/zap", "google.golang.org/grpc/grpclog"):
        for name in (*fatal, "Fatalw"):
            models[path, name] = models[path, "." + name] = _exit
        for name in ("Panic", "Panicf", "Panicw"):
            models[path, "." + name] = _panic
    for path in ("github.com/rs/zerolog", "github.com/rs/zerolog/log"):
        for name in (".Msg", ".Msgf", ".Send"):
            models[path, name] = _log_event
    for name in ("Lock", "Unlock", "RLock", "RUnlock", "Wait", "Done", "Broadcast", "Signal"):
        models["sync", "." + name] = _nothing
    models["sync", ".TryLock"] = models["sync", ".TryRLock"] = _true
    models["sync", ".Do"] = _once
    models["sync", "OnceFunc"] = models["sync", "OnceValue"] = _func_value
    models["sync", "OnceValues"] = _func_value
    for operation in ("Load", "Store", "Add", "Swap", "CompareAndSwap"):
        for kind in ("Int32", "Int64", "Uint32", "Uint64", "Uintptr"):
            models["sync/atomic", operation + kind] = _atomic_function(operation)
        models["sync/atomic", "." + operation] = _atomic_method(operation)
    models["time", "Now"] = _now
    models["time", "ParseDuration"] = _parse_duration
    for kind in ("", "Bool", "Bytes", "Complex", "Float", "Int", "String", "Uint", "MapIndex", "Zero"):
        models["reflect", ".Set" + kind] = _reflect_set
    models.update(_pure_models())
    models["math", "Max"] = models["math", "Min"] = _extreme
    models.update(sync_library.MODELS)
    models.update(iterators.MODELS)
    models["fmt", "Sprintf"] = _sprintf
    models["strings", "Join"] = _sprint_join
    models[STATUS, "FromError"] = models[STATUS, "Convert"] = _status_from_error
    models[STATUS, ".Error"] = models["errors", ".Error"] = models["fmt", ".Error"] = _error_text
    models[STATUS, "Code"] = models[STATUS, ".Code"] = _status_code
    models["errors", "Is"] = _errors_is
    models["errors", "Join"] = _errors_join
    models["cmp", "Or"] = _first_non_zero
    for name in ("WithTimeout", "WithCancel", "WithDeadline", "WithValue", "WithoutCancel"):
        models["context", name] = _context
    models["context", ".Err"] = _context_error
    for path in ("slices", "golang.org/x/exp/slices"):
        models[path, "Concat"] = _concat
        models[path, "Clone"] = models[path, "Clip"] = models[path, "Grow"] = _first
        models[path, "Insert"] = _insert
        models[path, "DeleteFunc"] = _delete_func
    return models


MODELS: dict[tuple[str, str], Model] = _models()
