"""What the evaluator remembers while it runs: scopes, activations, loops, panics and deferred calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from zuno_audit.facts.go.types import Type
from zuno_audit.facts.go.values import (
    Cell,
    Const,
    Func,
    Site,
    State,
    Unknown,
    Val,
    Value,
    now,
    union,
)

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluation.core import Core
    from zuno_audit.facts.go.program import Package
    from zuno_audit.languages.go.parse import GoFile


BUILTINS = frozenset(
    (
        "append",
        "cap",
        "clear",
        "close",
        "complex",
        "copy",
        "delete",
        "imag",
        "len",
        "make",
        "max",
        "min",
        "new",
        "panic",
        "print",
        "println",
        "real",
        "recover",
    )
)


class Limits(Struct, frozen=True):
    """Bounds on work. `steps` counts evaluated nodes; the other numbers are nesting and repetition."""

    steps: int = 60_000
    steps_per_call: int = 12_000
    depth: int = 24
    recursion: int = 2
    unroll: int = 300


class Scope:
    """A block: names of variables (cells) and of local types. `frame` is the activation it belongs to."""

    __slots__ = ("consts", "frame", "names", "parent", "types")

    def __init__(self, parent: Scope | None, frame: Frame) -> None:
        self.parent = parent
        self.frame = frame
        self.names: dict[str, Cell] = {}
        self.types: dict[str, Type] | None = None

    def lookup(self, name: str) -> Cell | None:
        """The cell of a variable, or None."""
        scope: Scope | None = self
        while scope is not None:
            cell = scope.names.get(name)
            if cell is not None:
                return cell
            scope = scope.parent
        return None

    def type_named(self, name: str) -> Type | None:
        """A type declared inside the function."""
        scope: Scope | None = self
        while scope is not None:
            if scope.types is not None and name in scope.types:
                return scope.types[name]
            scope = scope.parent
        return None


class Frame:
    """One activation of a function."""

    __slots__ = (
        "caller",
        "cell_mark",
        "defer_cell",
        "escapes",
        "file",
        "func",
        "gotos",
        "has_defers",
        "labels",
        "loops",
        "package",
        "panic",
        "panics",
        "result_cells",
        "result_types",
        "returns",
        "site",
    )

    def __init__(self, func: Func, site: Site | None, caller: Frame | None, panic: Panic | None) -> None:
        self.func = func
        self.file: GoFile = func.file
        self.package: Package = func.package
        self.site = site
        self.caller = caller
        self.panic = panic
        self.returns: list[tuple[list[Value], State]] = []
        self.panics: list[tuple[Value, State]] = []
        self.loops: list[Loop] = []
        self.gotos: dict[str, list[State]] = {}  # paths that jump to labels further down
        self.labels: set[str] = set()  # labels that were passed
        self.result_cells: list[Cell] = []
        self.result_types: list[Type | None] = []
        self.defer_cell: Cell = None
        self.has_defers = False
        self.escapes = False
        self.cell_mark = 0


class Loop:
    """A statement that `break` or `continue` can leave."""

    __slots__ = ("breaks", "continues", "copies", "is_loop", "label", "scope")

    def __init__(self, label: str | None, is_loop: bool) -> None:
        self.label = label
        self.is_loop = is_loop
        self.breaks: list[State] = []
        self.continues: list[State] = []
        self.scope: Scope | None = None  # the variables of the present round of a `for`
        self.copies = False  # each round has variables of its own


class Panic:
    """A panic that deferred functions of one frame may recover."""

    __slots__ = ("recovered", "value")

    def __init__(self, value: Value) -> None:
        self.value = value
        self.recovered = ("recovered", id(self))  # the cell that says whether recover() has run


class Deferred(Val):
    """The deferred calls of a frame on one group of paths, in the order in which they were deferred."""

    __slots__ = ("calls",)

    def __init__(self, calls: tuple[DeferredCall, ...]) -> None:
        self.calls = calls
        self.site = None


class DeferredCall:
    """One deferred call: what is called, with which arguments (evaluated when it was deferred)."""

    __slots__ = ("args", "callee", "is_recover", "site", "spread")

    def __init__(self, callee: Value, args: list[Value], spread: bool, site: Site, is_recover: bool) -> None:
        self.callee, self.args, self.spread, self.site, self.is_recover = (
            callee,
            args,
            spread,
            site,
            is_recover,
        )


class CallRecord:
    """A call whose results may still be asked for. `exits` are the results of each way out."""

    __slots__ = ("args", "evaluator", "exits", "func", "shapes", "since", "site", "state")

    def __init__(
        self,
        evaluator: Core,
        func: Func,
        args: list[Value],
        state: State | None,
        site: Site | None,
        exits: list[list[Value]] | None = None,
    ) -> None:
        self.evaluator, self.func, self.args, self.state, self.site = evaluator, func, args, state, site
        self.exits = exits
        self.shapes: dict[str, object] = {}  # what `shape.py` said of it before it was evaluated
        self.since = now()  # when the call was made

    def evaluate(self) -> list[list[Value]]:
        """The results of every way out of the call."""
        if self.exits is None:
            assert self.state is not None
            self.exits = []  # a call that needs its own result: nothing comes out
            self.exits = self.evaluator.run_deferred_evaluation(self)
            self.state = None
        return self.exits


class Comparison(NamedTuple):
    """A comparison that was evaluated, for simulations that look at what decided."""

    site: Site
    x: Const
    y: Const
    result: bool
    op: str


class WorkLimitError(Exception):
    """Raised inside the evaluator when a limit is reached; never leaves it."""


def join_results(exits: list[list[Value]], site: Site | None) -> list[Value]:
    """The results of several ways out as one list of alternatives."""
    if not exits:
        return [(Unknown("a call that does not return", site),)]
    count = max(len(r) for r in exits)
    out: list[Value] = []
    for i in range(count):
        value: Value = ()
        for results in exits:
            if i < len(results):
                value = union(value, results[i])
        out.append(value)
    return out
