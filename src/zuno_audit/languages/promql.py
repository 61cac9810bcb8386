"""PromQL expressions: whether they parse, and which metrics and labels they ask for.

A recursive-descent parser of the grammar at https://prometheus.io/docs/prometheus/latest/querying/basics/.
It keeps the selectors, not the tree: that is what rules ask about.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

MAX_LENGTH = 20_000
MAX_DEPTH = 200

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
    |(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`)
    |(?P<duration>(?:\d+(?:ms|[smhdwy]))+)
    |(?P<number>0[xX][0-9a-fA-F]+|\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)
    |(?P<variable>\$\{?\w+(?::\w+)?\}?|\[\[\w+\]\])
    |(?P<name>[a-zA-Z_][a-zA-Z0-9_:]*)
    |(?P<operator>=~|!~|!=|==|<=|>=|[-+*/%^<>=(){}\[\],:@])""",
    re.VERBOSE,
)
_AGGREGATORS = frozenset(
    {
        "sum",
        "avg",
        "count",
        "min",
        "max",
        "stddev",
        "stdvar",
        "topk",
        "bottomk",
        "quantile",
        "count_values",
        "group",
    }
    | {"limitk", "limit_ratio"}
)
_BINARY = frozenset(
    {"+", "-", "*", "/", "%", "^", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless", "atan2"}
)
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
# https://prometheus.io/docs/prometheus/latest/querying/functions/
_FUNCTIONS = frozenset(
    re.findall(
        r"\w+",
        """abs absent absent_over_time acos acosh asin asinh atan atanh avg_over_time ceil changes clamp
        clamp_max clamp_min cos cosh count_over_time day_of_month day_of_week day_of_year days_in_month
        deg delta deriv double_exponential_smoothing exp floor histogram_avg histogram_count
        histogram_fraction histogram_quantile histogram_stddev histogram_stdvar histogram_sum
        holt_winters hour idelta increase info irate label_join label_replace last_over_time ln log10
        log2 mad_over_time max_over_time min_over_time minute month pi predict_linear present_over_time
        quantile_over_time rad rate resets round scalar sgn sin sinh sort sort_by_label
        sort_by_label_desc sort_desc sqrt stddev_over_time stdvar_over_time sum_over_time tan tanh time
        timestamp ts_of_max_over_time ts_of_min_over_time vector year""",
    )
)
_RANGED = frozenset(
    {"rate", "irate", "increase", "delta", "idelta", "deriv", "changes", "resets", "predict_linear"}
)


class Matcher(Struct, frozen=True):
    """One label matcher."""

    label: str
    operator: str
    value: str


class Selector(Struct, frozen=True):
    """A selection of series. `name` is empty when only labels select."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    range: str = ""  # the duration in brackets

    @property
    def has_range(self) -> bool:
        return bool(self.range)


class Query(Struct):
    """What an expression asks for. `error` is empty when it parses."""

    selectors: list[Selector] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)  # of `by`, `without`, `on`...
    functions: list[str] = field(default_factory=list)
    operators: list[tuple[str, float | None]] = field(default_factory=list)  # and the number behind, if any
    compares: bool = False
    error: str = ""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, each once."""
        return tuple(dict.fromkeys(s.name for s in self.selectors if s.name))


class _SyntaxError(Exception):
    pass


def parse_promql(text: str) -> Query:
    """The query of an expression; one that does not parse has an `error`."""
    query = Query()
    try:
        _Parser(_tokens(text), query).run()
    except _SyntaxError as error:
        query.error = str(error)
    return query


def _tokens(text: str) -> list[tuple[str, str]]:
    if len(text) > MAX_LENGTH:
        raise _SyntaxError("the expression is too long")
    found = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _SyntaxError(f"unexpected character {text[position]!r}")
        if match.lastgroup != "space":
            found.append((match.lastgroup or "", match.group()))
        position = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, str]], query: Query) -> None:
        self.tokens = tokens
        self.query = query
        self.at = 0
        self.depth = 0

    def run(self) -> None:
        if not self.tokens:
            raise _SyntaxError("the expression is empty")
        self.expression()
        if self.at < len(self.tokens):
            raise _SyntaxError(f"unexpected {self.peek()[1]!r}")

    def peek(self, ahead: int = 0) -> tuple[str, str]:
        index = self.at + ahead
        return self.tokens[index] if index < len(self.tokens) else ("end", "the end")

    def take(self, text: str) -> None:
        if self.peek()[1] != text:
            raise _SyntaxError(f"expected {text!r}, found {self.peek()[1]!r}")
        self.at += 1

    def expression(self) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise _SyntaxError("the expression is nested too deeply")
        self.unary()
        while self.peek()[1].lower() in _BINARY:
            operator = self.peek()[1].lower()
            self.query.compares |= operator in _COMPARISONS
            self.at += 1
            if self.peek()[1].lower() == "bool":
                self.at += 1
            self.query.operators.append((operator, self._number()))
            self.matching()
            self.unary()
        self.depth -= 1

    def _number(self) -> float | None:
        """The number that stands next, if it is one that stands alone."""
        kind, text = self.peek()
        try:
            return float(text) if kind == "number" else None
        except ValueError:
            return None

    def matching(self) -> None:
        while self.peek()[1].lower() in ("on", "ignoring", "group_left", "group_right"):
            needs_labels = self.peek()[1].lower() in ("on", "ignoring")
            self.at += 1
            if needs_labels or self.peek()[1] == "(":
                self.label_list()

    def unary(self) -> None:
        while self.peek()[1] in ("+", "-"):
            self.at += 1
        self.primary()
        self.suffixes()

    def primary(self) -> None:
        kind, text = self.peek()
        self.at += 1
        if kind in ("number", "string", "duration", "variable"):
            return
        if text == "(":
            self.expression()
            self.take(")")
        elif text == "{":
            self.at -= 1
            self.selector("")
        elif kind == "name":
            self.named(text)
        else:
            raise _SyntaxError(f"unexpected {text!r}")

    def named(self, text: str) -> None:
        lower = text.lower()
        following = self.peek()[1].lower()
        if lower in _AGGREGATORS and following in ("(", "by", "without"):
            self.aggregation(lower)
        elif following == "(":
            if lower not in _FUNCTIONS:
                raise _SyntaxError(f"unknown function {text!r}")
            self.query.functions.append(lower)
            before = len(self.query.selectors)
            self.arguments()
            mine = self.query.selectors[before:]
            if lower in _RANGED and len(mine) == 1 and not mine[0].has_range and not self._is_subquery():
                raise _SyntaxError(f"{lower} needs a range such as [5m]")
        elif lower in ("inf", "nan"):
            return
        elif lower in _BINARY or lower in ("by", "without", "on", "ignoring", "bool", "offset"):
            raise _SyntaxError(f"unexpected {text!r}")
        else:
            self.selector(text)

    def _is_subquery(self) -> bool:
        return any(token[1] == ":" for token in self.tokens[: self.at])

    def aggregation(self, name: str) -> None:
        self.query.functions.append(name)
        if self.peek()[1].lower() in ("by", "without"):
            self.at += 1
            self.label_list()
            self.arguments()
        else:
            self.arguments()
            if self.peek()[1].lower() in ("by", "without"):
                self.at += 1
                self.label_list()

    def arguments(self) -> None:
        self.take("(")
        while self.peek()[1] != ")":
            self.expression()
            if self.peek()[1] != ",":
                break
            self.at += 1
        self.take(")")

    def label_list(self) -> None:
        self.take("(")
        while self.peek()[1] != ")":
            kind, text = self.peek()
            if kind not in ("name", "string", "variable"):
                raise _SyntaxError(f"expected a label, found {text!r}")
            self.query.labels.append(text.strip("\"'"))
            self.at += 1
            if self.peek()[1] == ",":
                self.at += 1
        self.take(")")

    def selector(self, name: str) -> None:
        matchers: list[Matcher] = []
        if self.peek()[1] == "{":
            self.at += 1
            while self.peek()[1] != "}":
                kind, label = self.peek()
                if kind not in ("name", "string", "variable"):
                    raise _SyntaxError(f"expected a label, found {label!r}")
                self.at += 1
                if kind == "string" and self.peek()[1] in (",", "}"):
                    name = label[1:-1]
                else:
                    matchers.append(self.matcher(label.strip("\"'")))
                if self.peek()[1] == ",":
                    self.at += 1
            self.take("}")
        exact = next((m.value for m in matchers if m.label == "__name__" and m.operator == "="), "")
        if not name and not matchers:
            raise _SyntaxError("a selector needs a name or a matcher")
        length = self.range()
        self.query.selectors.append(
            Selector(name or exact, tuple(m for m in matchers if m.label != "__name__"), length)
        )

    def matcher(self, label: str) -> Matcher:
        operator = self.peek()[1]
        if operator not in ("=", "!=", "=~", "!~"):
            raise _SyntaxError(f"expected a label matcher, found {operator!r}")
        self.at += 1
        kind, value = self.peek()
        if kind not in ("string", "variable"):
            raise _SyntaxError(f"expected a quoted value, found {value!r}")
        self.at += 1
        text = value[1:-1] if kind == "string" else value
        if operator in ("=~", "!~") and kind == "string" and "$" not in text.rstrip("$"):
            try:
                re.compile(text.replace("\\\\", "\\"))
            except re.error:
                raise _SyntaxError(f"{value} is not a regular expression") from None
        return Matcher(label, operator, text)

    def range(self) -> str:
        """The duration of a range; empty where none stands next."""
        if self.peek()[1] != "[":
            return ""
        self.at += 1
        found = self.peek()[1]
        self.length()
        if self.peek()[1] == ":":
            self.at += 1
            if self.peek()[1] != "]":
                self.length()
        self.take("]")
        return found

    def length(self) -> None:
        kind, text = self.peek()
        if kind not in ("duration", "variable", "number"):
            raise _SyntaxError(f"expected a duration, found {text!r}")
        self.at += 1

    def suffixes(self) -> None:
        while True:
            text = self.peek()[1].lower()
            if text == "[":
                self.range()
            elif text == "offset":
                self.at += 1
                if self.peek()[1] == "-":
                    self.at += 1
                self.length()
            elif text == "@":
                self.at += 1
                if self.peek()[1] in ("start", "end"):
                    self.at += 1
                    self.take("(")
                    self.take(")")
                else:
                    self.at += 1
            else:
                return
