"""Does the code that reads an environment variable understand a value, or does its parser refuse it?

A function of the repository that gives a number, a truth value or the like is tried out with the value in the
environment; a parser of the standard library that the text goes to is asked itself. Where the text goes
elsewhere every value will do. Sources: the documentation of packages strconv and time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from zuno_audit.facts.go import strconv
from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.bindings import called_name, parents
from zuno_audit.facts.go.evaluate import Limits
from zuno_audit.facts.go.library import MODELS
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.static_types import callee_of
from zuno_audit.facts.go.values import FALSE, NIL, TRUE, Const, Extern, Func, State, Unknown
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.env_read import EnvRead
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model
    from zuno_audit.facts.go.values import Site, Value

_STEPS = 3_000
_DURATION = re.compile(r"[+-]?(?:0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)")
_WORDS = ("true", "false")  # what a switch is set to


def _takes(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def takes(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return takes


def _is_integer(text: str) -> bool:
    return _takes(strconv.parse_int)(text) and -(2**63) <= int(text) < 2**64


_PARSERS: dict[tuple[str, str], Callable[[str], bool]] = {
    ("strconv", "ParseBool"): _takes(strconv.parse_bool),
    ("strconv", "Atoi"): _is_integer,
    ("strconv", "ParseInt"): lambda text: _is_integer(text) or text[:2].lower() in ("0x", "0b", "0o"),
    ("strconv", "ParseUint"): lambda text: _is_integer(text) or text[:2].lower() in ("0x", "0b", "0o"),
    ("strconv", "ParseFloat"): lambda text: _takes(strconv.parse_float)(text) or "0x" in text.lower(),
    ("time", "ParseDuration"): lambda text: _DURATION.fullmatch(text) is not None,
    ("net/url", "ParseRequestURI"): lambda text: re.match(r"/|[A-Za-z][\w+.-]*:", text) is not None,
}


def _takes_whole(bits: int, least: int) -> Callable[[str], bool]:
    """Whether a text is a whole number in any notation that fits; libraries differ in the base."""

    def takes(text: str) -> bool:
        plain = _takes(strconv.parse_int)(text)
        if not plain and not _takes(lambda t: strconv.parse_int(t, 0))(text):
            return False
        return not plain or least <= int(text) < 2**bits

    return takes


_TYPES: dict[str, Callable[[str], bool]] = {
    "bool": _PARSERS["strconv", "ParseBool"],
    "float64": _PARSERS["strconv", "ParseFloat"],
    "time.Duration": _PARSERS["time", "ParseDuration"],
    **{f"int{n}": _takes_whole(n - 1, -(2 ** (n - 1))) for n in (8, 16, 32, 64)},
    **{f"uint{n}": _takes_whole(n, 0) for n in (8, 16, 32, 64)},
    "int": _takes_whole(63, -(2**63)),
    "uint": _takes_whole(64, 0),
}
_VIPER: dict[str, Callable[[str], bool]] = {  # another text gives nought or false
    "GetBool": _TYPES["bool"],
    "GetInt": lambda text: _TYPES["int"](text.removesuffix(".0")),
    "GetInt64": lambda text: _TYPES["int"](text.removesuffix(".0")),
    "GetDuration": lambda text: _TYPES["time.Duration"](text) or _TYPES["float64"](text),
}
_SAME: dict[str, Callable[[str], str]] = {
    "TrimSpace": str.strip,
    "ToLower": str.lower,
    "ToUpper": str.upper,
    "string": str,
}


class EnvValues:
    """Answers for one program."""

    def __init__(self, asked: Analysis) -> None:
        self.asked, self.texts = asked, asked.texts
        self._tried: dict[tuple[int, str], str | None] = {}

    def refuses(self, read: EnvRead, value: str) -> str | None:
        """What refuses a value where a variable is read (`strconv.ParseBool`), or None: nothing does, or it is not
        known.
        """
        if read.type:
            takes = _TYPES.get(read.type)
            return None if takes is None or takes(value) else f"{read.mechanism} ({read.type})"
        viper = _VIPER.get(read.mechanism.removeprefix("viper.")) if read.mechanism[:6] == "viper." else None
        if viper is not None:
            return None if viper(value) else read.mechanism
        file, package = self.asked.program.file(read.code), self.asked.program.package_of(read.code)
        if file is None or package is None:
            return None
        function = file.function_at(read.offset)
        call = next(
            (n for n in s.walk(function) if isinstance(n, s.Call) and n.start == read.offset), None
        ) if function is not None else None  # fmt: skip
        if function is None or call is None:
            return None
        root = Declaration(package, file, function)
        callee = self._own(call, root)
        if callee is not None and not _gives_text(callee):
            return self._try(callee, value)
        return self._around(call, root, value)

    def _own(self, call: s.Call, root: Declaration) -> Declaration | None:
        callee = callee_of(call, root, self.texts, self.asked.types)
        return callee if callee is not None and isinstance(callee.node, s.FuncDecl) else None

    def _around(self, call: s.Call, root: Declaration, value: str) -> str | None:
        """The parser that the text goes to: around the call, or by way of a variable that holds nothing else."""
        above = parents(root.node)
        node: s.Node = call
        while isinstance(parent := above.get(id(node)), s.Call) and called_name(parent) in _SAME:
            value = _SAME[called_name(parent)](value)
            node = parent
        if isinstance(parent, s.Call) and node in parent.args:
            return self._parsed(parent, root, value)
        if not isinstance(parent, s.Assign) or len(parent.rhs) != 1 or not isinstance(parent.lhs[0], s.Ident):
            return None
        bindings = self.texts.bindings(root)
        name = parent.lhs[0]
        variable = bindings.variable(name.name, parent.end)
        refusals: list[str | None] = []
        for other in s.walk(root.node):
            if not isinstance(other, s.Call) or other.start < parent.end or not other.args:
                continue
            argument = other.args[0]
            if isinstance(argument, s.Ident) and argument.name == name.name and self._parser(other, root):
                if bindings.variable(argument.name, argument.start) is variable:
                    refusals.append(self._parsed(other, root, value))
        return refusals[0] if refusals and None not in refusals else None

    def _parser(self, call: s.Call, root: Declaration) -> tuple[str, str] | None:
        if not isinstance(call.fun, s.Selector) or not isinstance(call.fun.x, s.Ident):
            return None
        path = self.asked.program.imported(root.file).get(call.fun.x.name, "")
        return (path, call.fun.sel) if (path, call.fun.sel) in _PARSERS else None

    def _parsed(self, call: s.Call, root: Declaration, value: str) -> str | None:
        parser = self._parser(call, root)
        if parser is None or _PARSERS[parser](value):
            return None
        return ".".join(parser)

    def _try(self, callee: Declaration, value: str) -> str | None:
        key = (id(callee.node), value)
        if key not in self._tried:
            self._tried[key] = self._trial(callee, value)
        return self._tried[key]

    def _trial(self, callee: Declaration, value: str) -> str | None:
        """Runs a reading function with the value in the environment."""
        node = callee.node
        assert isinstance(node, s.FuncDecl)
        asked: dict[str, bool] = {}
        ev = self.asked.evaluator(lazy=False, limits=Limits(steps=_STEPS))
        ev.models = {**MODELS, **_environment(value), **_parsers(asked)}
        func = Func(node, callee.file, callee.package)
        exits = ev.simulate(func, ev.inputs(func), State())
        if ev.exhausted or any(asked.values()):
            return None
        found = [v for results in exits for v in ev.force(results[0] if results else ())]
        if asked:
            recognized = any(isinstance(v, Const) and v.value for v in found)  # by a word of its own
            return None if recognized else next(iter(asked))
        given = {v.value for v in found if isinstance(v, Const)}
        known = all(isinstance(v, Const) for v in found)
        if value in _WORDS and known and given == {value != "true"}:
            return node.name
        return None


def _gives_text(declared: Declaration) -> bool:
    node = declared.node
    assert isinstance(node, s.FuncDecl)
    type_ = node.results[0].type if node.results else None
    return not isinstance(type_, s.Ident | s.Selector) or getattr(type_, "name", "") in (
        "string",
        "error",
        "any",
    )


def _environment(value: str) -> dict[tuple[str, str], Model]:
    def getenv(ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site) -> Iterable[Value]:
        return [(Const(value, None, site),), (TRUE,)]

    return {("os", "Getenv"): getenv, ("os", "LookupEnv"): getenv, ("syscall", "Getenv"): getenv}


def _parsers(asked: dict[str, bool]) -> dict[tuple[str, str], Model]:
    """The parsers, which note whether they take the text."""

    def model(key: tuple[str, str], accepts: Callable[[str], bool]) -> Model:
        def parse(
            ev: Evaluator, v: Extern, args: list[Value], state: State, site: Site
        ) -> Iterable[Value] | None:
            given = ev.force(args[0]) if args else ()
            if len(given) != 1 or not isinstance(given[0], Const) or not isinstance(given[0].value, str):
                return None
            text = given[0].value
            name = ".".join(key)
            asked[name] = asked.get(name, False) or accepts(text)
            if not accepts(text):
                return [(Unknown("no value"),), (Extern("errors", "New", ((Const("syntax"),),), site=site),)]
            parsed: Value = (
                ((TRUE if text in strconv.TRUE else FALSE),)
                if key[1] == "ParseBool"
                else (Unknown("a number"),)
            )
            return [parsed, NIL]

        return parse

    return {key: model(key, accepts) for key, accepts in _PARSERS.items()}


def env_values(store: FactStore) -> EnvValues:
    """The answers for this repository."""
    return EnvValues(store.get(analysis))
