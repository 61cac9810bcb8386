"""The state that all parts of the evaluator share, and the methods by which they call each other."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.go.effects import Effects
from zuno_audit.facts.go.evaluation.records import (
    CallRecord,
    Comparison,
    Frame,
    Limits,
    Loop,
    Panic,
    Scope,
)
from zuno_audit.facts.go.types import Types
from zuno_audit.facts.go.values import (
    Assumed,
    Cell,
    Extern,
    Func,
    Site,
    State,
    Val,
    Value,
    join,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.program import Program
    from zuno_audit.languages.go.parse import GoFile


Watch = Callable[["Evaluator", Extern, State], None]


class Core:
    """What all parts of the evaluator share: settings, memory of package-level variables, hooks and counters.

    The methods under `TYPE_CHECKING` are those that a part calls of a later one; `Evaluator` has them all.
    """

    def __init__(
        self,
        program: Program,
        types: Types,
        effects: Effects,
        *,
        lazy: bool = True,
        limits: Limits | None = None,
    ) -> None:
        from zuno_audit.facts.go import library

        self.program, self.types, self.effects = program, types, effects
        self.lazy = lazy
        self.limits = limits or Limits()
        self.models = library.MODELS
        self.heap: dict[Cell, Value] = {}
        self.heap_since: dict[Cell, int] = {}  # since when the cells of postponed calls are there
        self.trail: list[CallRecord | Cell] | None = None  # what the postponed call under evaluation made
        self.steps = 0
        self.step_limit = self.limits.steps
        self.frame: Frame | None = None
        self.depth = 0
        self.eager: set[int] = set()  # ids of function nodes that are always evaluated
        self.watched: set[int] = set()  # ids of function nodes; calls that are handed one are evaluated too
        self.special: set[int] = set()  # ids of expressions that are watched or replaced
        self.replaced: list[tuple[s.Expr, Value]] = []  # expressions that give another value than their own
        self.on_extern: Watch | None = None
        self.on_literal: Callable[[Func, State], None] | None = None
        self.on_reference: Callable[[Func, State], None] | None = None  # a function is named but not called
        self.on_func: Callable[[Func, list[Value], State, Site], None] | None = None
        self.on_exit: Callable[[Extern, State], None] | None = None
        self.consulted: dict[str, GoFile] = {}
        self.asks_environment: set[Site] = set()  # where variables of the environment were read
        self.called: set[int] = set()  # ids of the function nodes that were evaluated
        self.exhausted = False
        self.until: tuple[int, int] | None = None
        self.stops: dict[int, int] = {}  # ids of function nodes, and where their evaluation ends
        self.clock: int | None = None  # virtual time in nanoseconds, for simulations
        self.timers: list[tuple[int, Value, list[Value]]] = []  # deadlines, functions and their arguments
        self.comparisons: list[Comparison] | None = None  # recorded when a simulation asks for them
        self.overrides: dict[Site, bool] = {}  # comparisons whose answer a simulation dictates
        self.scalars_wait = False  # a simulation does not look at how numbers and texts are made
        self.arrays_matter = False  # a simulation looks at numbers and texts that slices of one array share
        self.awaits_goroutines = False  # one has run when its function waits for something behind it
        self.goroutines = 0  # around what is evaluated
        self.lasting: tuple[Cell, ...] = ()  # what goroutines that nobody waits for will have done, too
        # goroutines that nobody waits for: what they call, for a simulation that runs them when all else is done
        self.left_running: list[tuple[Value, list[Value], bool, Frame, Site]] | None = None
        self.is_alone = False  # a simulation in which nobody else can release a lock
        self.assume = False  # stand-ins for numbers that come from outside
        self.texts_compared = False  # texts were, and only which of them are equal mattered
        self.text_tested = False  # a text was compared or looked up: what it says may matter
        self.undecided_inputs = False  # a branch was taken both ways because a caller decides it
        self.sees_shared = False  # a variable of a package was read that functions assign, run before or not
        self._assumptions: dict[Any, Assumed] = {}
        self.on_assign: Callable[[s.Expr, Value], None] | None = None  # is told what is assigned to what
        self._cells = itertools.count(1)
        self.uncaught: list[tuple[Value, State]] = []  # panics that left the outermost function
        self.on_leave: Callable[[list[Value], State], None] | None = (
            None  # ways out of the outermost function
        )
        self._globals_in_progress: set[Cell] = set()
        self._expressions: dict[type, Callable[[Any, Scope, State], Value]] = {}
        self._statements: dict[type, Callable[[Any, Scope, State], State | None]] = {}
        self._pending_label: str | None = None

    def new_cell(self) -> int:
        """A fresh cell."""
        return next(self._cells)

    def _site(self, node: s.Node, scope: Scope) -> Site:
        return Site(scope.frame.file, node.start, node.end)

    def join(self, states: Iterable[State | None]) -> State | None:
        """Memory after paths meet: what only some of them changed is still as it was on the others."""
        return join(states, self._untouched)

    def _untouched(self, cell: Cell, parted: int) -> Value | None:
        """What a cell holds that is not in memory because nobody changed it; None when it was not there yet."""
        if type(cell) is tuple:
            return self._global(cell) if cell[0] == "global" else None
        since = self.heap_since.get(cell)
        return self.heap.get(cell) if since is not None and since < parted else None

    if TYPE_CHECKING:

        def run_deferred_evaluation(self, record: CallRecord) -> list[list[Value]]: ...

        def _overwritten(self, old: Val, state: State, by: str, depth: int) -> Val: ...

        def apart(self, limits: Limits) -> Evaluator: ...

        def _assign_to(self, lhs: s.Expr, value: Value, scope: Scope, state: State) -> None: ...

        def _bind_variadic(self, func: Func, args: list[Value], spread: bool) -> list[Value]: ...

        def _builtin(self, name: str, expr: s.Call, scope: Scope, state: State) -> Value: ...

        def _call_exits(
            self, func: Func, args: list[Value], state: State, site: Site | None, panic: Panic | None = None
        ) -> list[list[Value]]: ...

        def _call_extern(
            self, v: Extern, args: list[Value], state: State, site: Site, spread: bool, wanted: int
        ) -> list[Value]: ...

        def _call_one(
            self, v: Val, args: list[Value], state: State, site: Site, spread: bool, wanted: int
        ) -> list[Value]: ...

        def _constant(self, expr: s.Expr | None, default: Any, scope: Scope, state: State) -> Any: ...

        def _enter_loop(self, scope: Scope, *, is_loop: bool, label: str | None = None) -> Loop: ...

        def _exit_loop(self, scope: Scope) -> None: ...

        def _global(self, cell: Cell) -> Value: ...

        def _spec_values(self, spec: s.ValueSpec, scope: Scope, state: State) -> list[Value]: ...

        def _stmts(self, stmts: list[s.Stmt], scope: Scope, state: State) -> State | None: ...

        def derive(self, *, lazy: bool, limits: Limits | None = None) -> Evaluator: ...

        def eval(self, expr: s.Expr, scope: Scope, state: State) -> Value: ...

        def narrow(self, cond: s.Expr, holds: bool, scope: Scope, state: State) -> bool: ...

        def raise_panic(self, value: Value, state: State) -> None: ...

        def run(
            self,
            func: Func,
            args: list[Value] | None = None,
            *,
            state: State | None = None,
            until: int | None = None,
        ) -> State | None: ...
