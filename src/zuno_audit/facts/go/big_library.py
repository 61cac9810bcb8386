"""What math/big, and fmt and strconv with its numbers, do to numbers that are known.

A `*big.Int` or `*big.Float` is a pointer to a struct with the hidden field `value`, an integer; so is what other
packages make of it without loss. Sources: the documentation of the Go standard library, of
github.com/holiman/uint256 and of github.com/shopspring/decimal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go import library
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    Array,
    Const,
    Extern,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    Unknown,
    Val,
    Value,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator

BIG = "math/big"
UINT256 = "github.com/holiman/uint256"
DECIMAL = "github.com/shopspring/decimal"
_NUMBERS = (BIG, UINT256, DECIMAL)
_NOTHING: Value = (Unknown("no value"),)


def consts(value: Value) -> list[Const]:
    """The alternatives that are constants."""
    return [v for v in value if isinstance(v, Const)]


def big(ev: Evaluator, value: int, state: State) -> Pointer:
    """A `*big.Int`."""
    return ev.allocate((Struct(ev.types.extern(BIG, "Int"), {"value": (Const(value),)}),), state)


def big_value(ev: Evaluator, v: Val, state: State) -> Value:
    """What a `*big.Int` holds: a constant where it is known."""
    if isinstance(v, Const):
        return (v,)
    target = ev.force(ev.load(v, state)) if isinstance(v, Pointer) else (v,)
    owner = target[0] if len(target) == 1 else None
    if not isinstance(owner, Struct) or owner.type is None or owner.type.path not in _NUMBERS:
        return ()
    return owner.fields.get("value", (Const(0),))


def _is_float(ev: Evaluator, value: Value | None, state: State) -> bool:
    loaded = [
        x for v in ev.force(value or ()) for x in (ev.load(v, state) if isinstance(v, Pointer) else (v,))
    ]
    return any(isinstance(v, Struct) and v.type is not None and v.type.name == "Float" for v in loaded)


def _number(ev: Evaluator, value: Value | None, state: State) -> int | None:
    forced = ev.force(value or ())
    held = big_value(ev, forced[0], state) if len(forced) == 1 else ()
    if len(held) == 1 and isinstance(held[0], Const) and isinstance(held[0].value, int):
        return held[0].value
    return None


def _bound(v: Extern, args: list[Value]) -> tuple[Value | None, list[Value]]:
    """The receiver and the arguments; in `(*big.Int).String(x)` the first argument is the receiver."""
    owner = v.recv[0] if v.recv is not None and len(v.recv) == 1 else None
    if isinstance(owner, Extern) and owner.args is None and owner.recv is None and args:
        return args[0], args[1:]
    return v.recv, args


def _big_read(function: Callable[..., Any], operands: int = 0) -> library.Model:
    """A method that computes something from the number and constant arguments."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        receiver, args = _bound(v, args)
        operand = [_number(ev, value, state) for value in (receiver, *args[:operands])]
        if any(n is None for n in operand):
            held = [x for value in (receiver, *args[:operands]) for y in ev.force(value or ())
                    for x in big_value(ev, y, state) if not isinstance(x, Const)]  # fmt: skip
            return [(Extern(BIG, v.name, (), recv=(held[0],), site=site),)] if held else None
        try:
            return [(Const(function(*operand), None, site),)]
        except (ValueError, ZeroDivisionError, OverflowError, TypeError):
            return None

    return model


def _big_write(function: Callable[..., Any], operands: int) -> library.Model:
    """A method that sets its receiver and returns it."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        forced = ev.force(v.recv or ())
        if len(forced) != 1 or not isinstance(forced[0], Pointer):
            return None
        operand = [_number(ev, value, state) for value in args[:operands]]
        held: Value
        if any(n is None for n in operand):
            held = next(
                (big_value(ev, x, state) or (x,) for value in args for x in ev.force(value)
                 if not isinstance(x, Const)),
                _NOTHING,
            )  # fmt: skip
        else:
            try:
                held = (Const(function(*operand)),)
            except (ValueError, ZeroDivisionError, OverflowError, TypeError):
                held = _NOTHING
        ev.store(forced[0].cell, (*forced[0].path, "value"), held, state)
        return [v.recv or ()]

    return model


def _new_int(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    value = args[0] if args else ()
    return [(ev.allocate((Struct(ev.types.extern(BIG, "Int"), {"value": ev.force(value)}),), state, site),)]


def _set_bytes(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """SetBytes and SetString of something that is not known: the receiver holds it."""
    forced = ev.force(v.recv or ())
    if len(forced) != 1 or not isinstance(forced[0], Pointer) or not args:
        return None
    given: Value = ev.force(args[0])
    texts = consts(given)
    if v.name == "SetBytes" and texts and isinstance(texts[0].value, bytes):
        given = (Const(int.from_bytes(texts[0].value)),)
    if v.name == "SetString" and texts and isinstance(texts[0].value, str) and len(args) == 2:
        base = _number(ev, args[1], state)
        try:
            given = (Const(int(texts[0].value, base or 0)),)
        except ValueError:
            return [NIL, (FALSE,)]
    ev.store(forced[0].cell, (*forced[0].path, "value"), given, state)
    return [v.recv or (), (TRUE,)]


def _in_base(n: int, base: int) -> str:
    if base == 10:
        return str(n)
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    out, rest = "", abs(n)
    while rest:
        out, rest = digits[rest % base] + out, rest // base
    return ("-" if n < 0 else "") + (out or "0")


def _append(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """Append to an empty buffer: the digits."""
    if len(args) != 2:
        return None
    buffer = ev.force(args[0])
    if not buffer or not all(ev.is_nil(x) or (isinstance(x, Seq) and not x.items) for x in buffer):
        return None
    return _big_read(_in_base, 1)(ev, v, args[1:], state, site)


def _signed(n: int) -> int:
    n &= 2**64 - 1
    return n - 2**64 if n >= 2**63 else n


def _format(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """strconv.FormatInt and FormatUint."""
    known = [_number(ev, value, state) for value in args[:2]]
    if len(known) != 2 or None in known:
        return None
    return [(Const(_in_base(known[0] or 0, known[1] or 10), None, site),)]


def _shown(ev: Evaluator, value: Value, state: State, verb: str) -> str | None:
    """What fmt prints for a value, or None."""
    forced = ev.force(value)
    if len(forced) != 1:
        return None
    v = forced[0]
    if isinstance(v, Const):
        return _printed(v.value, verb)
    if isinstance(v, Seq) and not v.open:
        parts = [_shown(ev, item, state, verb) for item in v.items]
        return None if None in parts else f"[{' '.join(p or '' for p in parts)}]"
    if _is_float(ev, value, state):
        return None
    n = _number(ev, value, state)
    return None if n is None else _printed(n, verb)


def _printed(value: Any, verb: str) -> str | None:
    """A number or text as fmt prints it; `verb` has the flags, the width and the precision."""
    if isinstance(value, bool | bytes) or (isinstance(value, str) and verb[-1:] not in ("s", "v")):
        return None
    if isinstance(value, float):
        verb = verb[:-1] + "g" if verb == "v" else verb
        fits = verb[-1:] in ("f", "g", "e")
    else:
        verb = verb[:-1] + "s" if verb[-1:] == "v" else verb
        fits = verb[-1:] in ("s", "d", "x", "X", "o")
    try:
        return f"%{verb}" % value if fits else None
    except (TypeError, ValueError, OverflowError):
        return None


def _sprint(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    shown = _shown(ev, args[0], state, "v") if len(args) == 1 else None
    return None if shown is None else [(Const(shown, None, site),)]


_VERB = re.compile(r"%([-+# 0]?\d{0,3}(?:\.\d{0,3})?[a-zA-Z]|%)")


def _sprintf(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    formats = [c.value for c in consts(ev.force(args[0])) if isinstance(c.value, str)] if args else []
    if len(formats) != 1:
        return None
    args = library.with_own_texts(ev, args, state, site)
    rest = iter(args[1:])
    out, position = "", 0
    for found in _VERB.finditer(formats[0]):
        out += formats[0][position : found.start()]
        position = found.end()
        if found.group(1) == "%":
            out += "%"
            continue
        value = next(rest, None)
        shown = _shown(ev, value, state, found.group(1)) if value is not None else None
        if shown is None:
            return library.MODELS["fmt", "Sprintf"](ev, v, args, state, site)
        out += shown
    tail = formats[0][position:]
    return None if "%" in tail else [(Const(out + tail, None, site),)]


def _text(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """String: all digits of an Int, ten of a Float."""
    if not _is_float(ev, v.recv, state):
        return (_DIGITS if v.name == "String" else _big_read(_in_base, 1))(ev, v, args, state, site)
    n = _number(ev, v.recv, state)
    how = [_number(ev, value, state) for value in args]
    if n is None or None in how:
        return None
    if len(how) == 2 and how[0] == ord("f"):
        places = max(how[1] or 0, 0)
        return [(Const(str(n) + ("." + "0" * places if places else ""), None, site),)]
    return [(Const(f"{float(n):.10g}", None, site),)]


def _set_float(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """SetInt, SetPrec and their kin: a Float has as many bits as SetPrec says, or as the number needs."""
    forced = ev.force(v.recv or ())
    if len(forced) != 1 or not isinstance(forced[0], Pointer) or not _is_float(ev, v.recv, state):
        return _big_write(lambda n: n, 1)(ev, v, args, state, site)
    owner = ev.force(ev.load(forced[0], state))
    bits = consts(owner[0].fields.get("bits", ())) if len(owner) == 1 and isinstance(owner[0], Struct) else []
    given = _number(ev, args[0], state) if args else None
    if given is None:
        return None
    if v.name == "SetPrec":
        ev.store(forced[0].cell, (*forced[0].path, "bits"), (Const(given),), state)
        n = _number(ev, v.recv, state)
        rounded = None if n is None else _rounded(n, given)
    else:
        rounded = _rounded(given, bits[0].value) if bits else given
    if rounded is not None:
        ev.store(forced[0].cell, (*forced[0].path, "value"), (Const(rounded),), state)
    return [v.recv or ()]


def _rounded(n: int, bits: int) -> int:
    """The nearest number with so many bits, halfway to even; 0 bits are as many as it takes."""
    over = abs(n).bit_length() - bits
    if over <= 0 or bits <= 0:
        return n
    high, low = abs(n) >> over, abs(n) & ((1 << over) - 1)
    high += low > 1 << (over - 1) or (low == 1 << (over - 1) and high & 1)
    return (high << over) * (-1 if n < 0 else 1)


def _marshalled(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """MarshalText and MarshalJSON: the digits, and no error."""
    n = None if _is_float(ev, v.recv, state) else _number(ev, v.recv, state)
    return None if n is None else [(Const(str(n), None, site),), NIL]


def _hex_of_bytes(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """hex.EncodeToString."""
    found = [c.value for c in consts(ev.force(args[0]))] if args else []
    return [(Const(found[0].hex(), None, site),)] if len(found) == 1 and isinstance(found[0], bytes) else None


def _split(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """strings.Split and strings.Fields of a text that is known."""
    texts = [c.value for value in args for c in consts(ev.force(value)) if isinstance(c.value, str)]
    if len(texts) != len(args) or not texts or "" in texts[1:]:
        return None
    parts = texts[0].split(texts[1] if len(texts) > 1 else None)
    type_ = ev.types.slice(ev.types.basic("string"))
    return [(Seq(tuple((Const(p, None, site),) for p in parts), False, type_, site, (Array(len(parts)), 0)),)]


def _float(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value] | None:
    """Float64 of an Int or a Float: 53 bits of it."""
    n = _number(ev, v.recv, state)
    if n is None:
        return None
    try:
        return [(Const(float(n), None, site),), (Unknown("accuracy"),)]
    except OverflowError:
        return None


def _same_number(wide: bool) -> library.Model:
    """A function that hands a big.Int on, all of it."""

    def model(
        ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
    ) -> Iterable[Value] | None:
        n = _number(ev, args[0] if args else v.recv, state)
        if n is None:
            return None
        return [(big(ev, n, state),), FALSE_VALUE] if wide else [(big(ev, n, state),)]

    return model


FALSE_VALUE: Value = (FALSE,)


def hexadecimal(
    ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
) -> Iterable[Value] | None:
    """hexutil.EncodeBig."""
    n = _number(ev, args[0], state) if args else None
    return None if n is None else [(Const(hex(n), None, site),)]


_DIGITS = _big_read(str)
MODELS: dict[tuple[str, str], library.Model] = {
    (BIG, "NewInt"): _new_int,
    (BIG, ".String"): _text,
    (BIG, ".Text"): _text,
    (BIG, ".Bytes"): _big_read(lambda n: abs(n).to_bytes((abs(n).bit_length() + 7) // 8)),
    (BIG, ".MarshalText"): _marshalled,
    (BIG, ".MarshalJSON"): _marshalled,
    (BIG, ".SetPrec"): _set_float,
    ("encoding/hex", "EncodeToString"): _hex_of_bytes,
    ("strings", "Split"): _split,
    ("strings", "Fields"): _split,
    (BIG, ".Append"): _append,
    (BIG, ".Float64"): _float,
    (BIG, ".SetInt"): _set_float,
    (UINT256, "FromBig"): _same_number(wide=True),
    (UINT256, "MustFromBig"): _same_number(wide=False),
    (UINT256, ".ToBig"): _same_number(wide=False),
    (DECIMAL, "NewFromBigInt"): _same_number(wide=False),
    (BIG, ".Dec"): _big_read(str),
    (BIG, ".Hex"): _big_read(hex),
    (BIG, ".Uint64"): _big_read(lambda n: n & (2**64 - 1)),
    (BIG, ".Int64"): _big_read(_signed),
    (BIG, ".IsUint64"): _big_read(lambda n: 0 <= n < 2**64),
    (BIG, ".IsInt64"): _big_read(lambda n: -(2**63) <= n < 2**63),
    (BIG, ".Sign"): _big_read(lambda n: (n > 0) - (n < 0)),
    (BIG, ".BitLen"): _big_read(int.bit_length),
    (BIG, ".Cmp"): _big_read(lambda a, b: (a > b) - (a < b), 1),
    (BIG, ".Set"): _big_write(lambda n: n, 1),
    (BIG, ".SetInt64"): _big_write(lambda n: n, 1),
    (BIG, ".SetUint64"): _big_write(lambda n: n, 1),
    (BIG, ".Add"): _big_write(lambda a, b: a + b, 2),
    (BIG, ".Sub"): _big_write(lambda a, b: a - b, 2),
    (BIG, ".Mul"): _big_write(lambda a, b: a * b, 2),
    (BIG, ".Mod"): _big_write(lambda a, b: a % b, 2),
    (BIG, ".And"): _big_write(lambda a, b: a & b, 2),
    (BIG, ".Rsh"): _big_write(lambda a, b: a >> b, 2),
    (BIG, ".SetBytes"): _set_bytes,
    (BIG, ".SetString"): _set_bytes,
    ("strconv", "FormatInt"): _format,
    ("strconv", "FormatUint"): _format,
    ("fmt", "Sprintf"): _sprintf,
    ("fmt", "Sprint"): _sprint,
}
