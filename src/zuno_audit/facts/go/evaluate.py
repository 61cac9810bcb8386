"""The evaluator: what an expression can be, and on which paths.

A forward abstract interpreter over `languages/go/syntax.py`. It follows locals, branches, loops, struct
fields, pointers, closures, methods, multi-value results, defers and panics through all packages of the
repository; what libraries do is in `library.py`. Calls whose result nobody needs and that change nothing
are not evaluated (`Lazy`). Work is bounded by `Limits`; what is beyond them is `Unknown`, never guessed.

The semantics follow the Go language specification; section names are given where they decide.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from zuno_audit.facts.go import arithmetic
from zuno_audit.facts.go.effects import Effects
from zuno_audit.facts.go.types import BASIC, Type, Types
from zuno_audit.facts.go.values import (
    FALSE,
    NIL,
    TRUE,
    ZERO,
    Assumed,
    Cell,
    Const,
    Extern,
    Func,
    Input,
    Lazy,
    Map,
    MapData,
    Nil,
    Opaque,
    Pointer,
    Seq,
    Site,
    State,
    Struct,
    TypeValue,
    Unknown,
    Val,
    Value,
    Zero,
    join,
    merge,
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Declaration, Package, Program
    from zuno_audit.languages.go.parse import GoFile

BUILTINS = frozenset(
    "append cap clear close complex copy delete imag len make max min new panic print println real recover".split()
)


@dataclass(frozen=True, slots=True)
class Limits:
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
        "has_defers",
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
        self.result_cells: list[Cell] = []
        self.result_types: list[Type | None] = []
        self.defer_cell: Cell = None
        self.has_defers = False
        self.escapes = False
        self.cell_mark = 0


class Loop:
    """A statement that `break` or `continue` can leave."""

    __slots__ = ("breaks", "continues", "is_loop", "label")

    def __init__(self, label: str | None, is_loop: bool) -> None:
        self.label = label
        self.is_loop = is_loop
        self.breaks: list[State] = []
        self.continues: list[State] = []


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

    __slots__ = ("args", "evaluator", "exits", "func", "site", "state")

    def __init__(
        self,
        evaluator: Evaluator,
        func: Func,
        args: list[Value],
        state: State | None,
        site: Site | None,
        exits: list[list[Value]] | None = None,
    ) -> None:
        self.evaluator, self.func, self.args, self.state, self.site = evaluator, func, args, state, site
        self.exits = exits

    def evaluate(self) -> list[list[Value]]:
        """The results of every way out of the call."""
        if self.exits is None:
            assert self.state is not None
            self.exits = []  # a call that needs its own result: nothing comes out
            self.exits = self.evaluator.run_deferred_evaluation(self)
            self.state = None
        return self.exits


class Given(Lazy):
    """A result of a call on the ways out where other results are known to be nil, non-nil, true or false."""

    __slots__ = ("conditions",)

    def __init__(self, lazy: Lazy, conditions: tuple[tuple[int, str], ...]) -> None:
        super().__init__(lazy.call, lazy.index, lazy.type, lazy.site)
        self.conditions = conditions


class Comparison(NamedTuple):
    """A comparison that was evaluated, for simulations that look at what decided."""

    site: Site
    x: Const
    y: Const
    result: bool
    op: str


class WorkLimitError(Exception):
    """Raised inside the evaluator when a limit is reached; never leaves it."""


Watch = Callable[["Evaluator", Extern, State], None]
# The directive stands right before the declaration; only blank lines and line comments may come between.
_EMBED = re.compile(rb"//go:embed[ \t]+([^\n]+)\n(?:[ \t]*(?://[^\n]*)?\n)*[ \t]*(?:var[ \t]*(?:\([ \t\n]*)?)?$")
_ORDER = frozenset(("<", "<=", ">", ">="))


class Evaluator:
    """Evaluates functions of one program. Cheap to make: one per question.

    `lazy` postpones calls that change nothing; a simulation that wants to see every step turns it off.
    `on_extern` is told of every call that leaves the repository.
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
        self.steps = 0
        self.step_limit = self.limits.steps
        self.frame: Frame | None = None
        self.depth = 0
        self.eager: set[int] = set()  # ids of function nodes that are always evaluated
        self.watched: set[int] = set()  # ids of function nodes; calls that are handed one are evaluated too
        self.on_extern: Watch | None = None
        self.on_literal: Callable[[Func, State], None] | None = None
        self.on_func: Callable[[Func, list[Value], State, Site], None] | None = None
        self.on_exit: Callable[[Extern, State], None] | None = None
        self.consulted: dict[str, GoFile] = {}
        self.exhausted = False
        self.until: tuple[int, int] | None = None
        self.clock: int | None = None  # virtual time in nanoseconds, for simulations
        self.timers: list[tuple[int, Value]] = []  # deadlines and functions of time.AfterFunc
        self.comparisons: list[Comparison] | None = None  # recorded when a simulation asks for them
        self.overrides: dict[Site, bool] = {}  # comparisons whose answer a simulation dictates
        self.assume = False  # stand-ins for numbers that come from outside
        self.text_tested = False  # a text was compared or looked up: what it says may matter
        self.undecided_inputs = False  # a branch was taken both ways because a caller decides it
        self._assumptions: dict[Any, Assumed] = {}
        self._cells = itertools.count(1)
        self.uncaught: list[tuple[Value, State]] = []  # panics that left the outermost function
        self.on_leave: Callable[[list[Value], State], None] | None = None  # ways out of the outermost function
        self._globals_in_progress: set[Cell] = set()
        self._expressions: dict[type, Callable[[Any, Scope, State], Value]] = {
            s.Ident: self._ident,
            s.BasicLit: self._basic_lit,
            s.CompositeLit: self._composite_lit,
            s.FuncLit: self._func_lit,
            s.Selector: self._selector,
            s.Index: self._index,
            s.SliceExpr: self._slice,
            s.TypeAssert: self._type_assert,
            s.Call: self._call_expr,
            s.Star: self._star,
            s.Unary: self._unary,
            s.Binary: self._binary,
        }
        self._statements: dict[type, Callable[[Any, Scope, State], State | None]] = {
            s.ExprStmt: self._expr_stmt,
            s.Assign: self._assign,
            s.IncDec: self._inc_dec,
            s.DeclStmt: self._decl_stmt,
            s.Block: self._block,
            s.If: self._if,
            s.For: self._for,
            s.Range: self._range,
            s.Switch: self._switch,
            s.TypeSwitch: self._type_switch,
            s.Select: self._select,
            s.Return: self._return,
            s.Defer: self._defer,
            s.Go: self._go,
            s.Labeled: self._labeled,
            s.Branch: self._branch,
            s.Send: self._send,
        }

    # ================================================================ cells

    def new_cell(self) -> int:
        """A fresh cell."""
        return next(self._cells)

    def allocate(self, value: Value, state: State, site: Site | None = None) -> Pointer:
        """A new object in memory, and its address."""
        cell = self.new_cell()
        state.cells[cell] = value
        if self.frame is not None:
            self.frame.escapes = True
        return Pointer(cell, (), site)

    def read(self, cell: Cell, state: State) -> Value:
        """What a cell holds."""
        value = state.cells.get(cell)
        if value is None:
            value = self.heap.get(cell)
            if value is None:
                if type(cell) is tuple and cell[0] == "global":
                    return self._global(cell)
                return (Unknown("memory that is not followed"),)
        return value

    def load(self, pointer: Pointer, state: State) -> Value:
        """What a pointer points at."""
        value = self.read(pointer.cell, state)
        for name in pointer.path:
            value = self._fields(value, name, state)
        return value

    def store(self, cell: Cell, path: tuple[str, ...], value: Value, state: State, strong: bool = True) -> None:
        """Writes to a cell or to a field path inside it; a weak write keeps what was there as well."""
        if not path:
            state.cells[cell] = value if strong else merge(self.read(cell, state), value)
            return
        state.cells[cell] = self._with_field(self.read(cell, state), path, value, strong, state)

    def _with_field(
        self, owner: Value, path: tuple[str, ...], value: Value, strong: bool, state: State
    ) -> Value:
        out: list[Val] = []
        name = path[0]
        for v in self.force(owner):
            if isinstance(v, Struct):
                old = self._field(v, name)
                new = value if len(path) == 1 else self._with_field(old, path[1:], value, strong, state)
                if not strong and len(path) == 1:
                    new = union(old, new)
                out.append(Struct(v.type, {**v.fields, name: new}, v.open, v.site))
            elif isinstance(v, Seq) and name.isdigit() and int(name) < len(v.items):
                items = list(v.items)
                i = int(name)
                items[i] = value if len(path) == 1 else self._with_field(items[i], path[1:], value, strong, state)
                out.append(Seq(tuple(items), v.open, v.type, v.site))
            elif isinstance(v, Input) and v.type is not None:
                out.append(Struct(v.type, {name: value}, True, v.site))
            elif isinstance(v, Unknown | Input | Zero | Nil):
                out.append(Struct(getattr(v, "type", None), {name: value}, True, v.site))
            else:
                out.append(v)
        return tuple(out)

    # ================================================================ forcing and looking inside

    def force(self, value: Value) -> Value:
        """The value with postponed calls evaluated."""
        if len(value) == 1 and not isinstance(value[0], Lazy):
            return value
        if not any(isinstance(v, Lazy) for v in value):
            return value
        out: Value = ()
        for v in value:
            out = union(out, self._force_lazy(v) if isinstance(v, Lazy) else (v,))
        return out

    def _force_lazy(self, lazy: Lazy) -> Value:
        exits = lazy.call.evaluate()
        conditions = lazy.conditions if isinstance(lazy, Given) else ()
        out: Value = ()
        for results in exits:
            if lazy.index < len(results) and all(self._may_hold(results, c) for c in conditions):
                out = union(out, self.force(results[lazy.index]))
        return out or (Unknown("a call that does not return", lazy.site),)

    def _may_hold(self, results: list[Value], condition: tuple[int, str]) -> bool:
        index, what = condition
        if index >= len(results):
            return True
        value = self.force(results[index])
        if what in ("nil", "non-nil"):
            answers = {self.is_nil(v) for v in value}
            return None in answers or (what == "nil") in answers
        answers = {self.truth_of(v) for v in value}
        return None in answers or (what == "true") in answers

    def run_deferred_evaluation(self, record: CallRecord) -> list[list[Value]]:
        """Evaluates a postponed call with the memory it saw; objects it made become visible to everybody."""
        saved, depth = self.frame, self.depth
        before = record.state
        assert before is not None
        state = before.fork()
        self.frame = None
        try:
            exits = self._call_exits(record.func, record.args, state, record.site)
        finally:
            self.frame, self.depth = saved, depth
        for cell, value in state.cells.items():
            if cell not in before.cells:
                self.heap.setdefault(cell, value)
        return exits

    def _fields(self, owner: Value, name: str, state: State) -> Value:
        """The field (or array element) `name` of every alternative."""
        out: Value = ()
        for v in self.force(owner):
            if isinstance(v, Struct):
                out = union(out, self._field(v, name))
            elif isinstance(v, Pointer):
                out = union(out, self._fields(self.load(v, state), name, state))
            elif isinstance(v, Seq) and name.isdigit():
                i = int(name)
                out = union(out, v.items[i] if i < len(v.items) else (Unknown("index out of range"),))
            elif isinstance(v, Input):
                type_ = self.types.field_type(v.type, name) if v.type is not None else None
                out = union(out, (Input(f"{v.origin}.{name}", type_, (v.key, name), v.site),))
            elif isinstance(v, Unknown):
                type_ = self.types.field_type(v.type, name) if v.type is not None else None
                out = union(out, (Unknown(v.reason, v.site, type_=type_, broken=v.broken),))
            elif not isinstance(v, Nil):
                out = union(out, (Unknown(f"field {name}"),))
        return out or (Unknown(f"field {name} of nil"),)

    def _field(self, struct: Struct, name: str) -> Value:
        value = struct.fields.get(name)
        if value is not None:
            if any(isinstance(v, Zero) for v in value):
                zero = self.zero(self.types.field_type(struct.type, name) if struct.type else None)
                out: Value = ()
                for v in value:
                    out = union(out, zero if isinstance(v, Zero) else (v,))
                return out
            return value
        if struct.open:
            type_ = self.types.field_type(struct.type, name) if struct.type else None
            return (Unknown(f"field {name} may have been set elsewhere", type_=type_),)
        return self.zero(self.types.field_type(struct.type, name) if struct.type else None)

    def zero(self, type_: Type | None) -> Value:
        """The zero value of a type (specification, "The zero value")."""
        from zuno_audit.facts.go import library

        if type_ is None:
            return (Unknown("zero value of a type that is not known"),)
        if type_.kind == "extern":
            return (library.extern_zero(type_),)
        under = self.types.underlying(type_)
        if under is None:
            return (Unknown("zero value of a type that is not known"),)
        if under.kind == "extern":
            return (library.extern_zero(under),)
        if under.kind == "basic":
            return (Const(BASIC[under.name], type_ if type_.kind == "named" else None),)
        if under.kind == "struct":
            return (Struct(type_, {}),)
        if under.kind == "array":
            if under.size is None or under.size > 64:
                return (Seq((), True, type_),)
            assert under.elem is not None
            return (Seq(tuple(self.zero(under.elem) for _ in range(under.size)), False, type_),)
        return NIL

    def is_nil(self, v: Val) -> bool | None:
        """Whether an alternative is nil, or None when that is not known."""
        from zuno_audit.facts.go import library

        if isinstance(v, Nil):
            return True
        if isinstance(v, Const | Func | Struct | Pointer | Map | Opaque | Seq | TypeValue):
            return False
        if isinstance(v, Extern):
            return library.is_nil(v)
        return None

    def truth_of(self, v: Val) -> bool | None:
        """The value of a boolean alternative, or None."""
        return v.value if isinstance(v, Const) and isinstance(v.value, bool) else None

    def truth(self, value: Value) -> bool | None:
        """True or False when all alternatives agree, else None."""
        answers = {self.truth_of(v) for v in self.force(value)}
        return answers.pop() if len(answers) == 1 else None

    # ================================================================ expressions

    def eval(self, expr: s.Expr, scope: Scope, state: State) -> Value:
        """What an expression can be. May change `state` (calls) or end it (`state.dead`)."""
        self.steps += 1
        if self.steps > self.step_limit:
            raise WorkLimitError
        handler = self._expressions.get(type(expr))
        if handler is None:
            type_ = self.types.resolve(expr, scope.frame.file, scope.frame.package, scope)
            if type_ is not None:
                return (TypeValue(type_),)
            return (Unknown("syntax that is not understood", self._site(expr, scope)),)
        return handler(expr, scope, state)

    def _site(self, node: s.Node, scope: Scope) -> Site:
        return Site(scope.frame.file, node.start, node.end)

    def _ident(self, expr: s.Ident, scope: Scope, state: State) -> Value:
        name = expr.name
        cell = scope.lookup(name)
        if cell is not None:
            return self.read(cell, state)
        return self._package_name(name, scope.frame.file, scope.frame.package, self._site(expr, scope), scope, state)

    def _package_name(
        self, name: str, file: GoFile, package: Package, site: Site, scope: Scope | None, state: State
    ) -> Value:
        """A name that no block declares: of the package, of a dot import, or predeclared."""
        if scope is not None:
            local = scope.type_named(name)
            if local is not None:
                return (TypeValue(local, site),)
        declared = package.declaration(name)
        if declared is not None:
            return self.declared(declared, name, state, site)
        if name == "nil":
            return (Nil(site),)
        if name in ("true", "false"):
            return (TRUE,) if name == "true" else (FALSE,)
        for spec in file.imports:
            if spec.name == ".":
                value = self.member_of_package(spec.path, name, state, site)
                if not isinstance(value[0], Extern) or name[:1].isupper():
                    return value
        if name in BUILTINS:
            return (Extern("builtin", name, site=site),)
        if name in BASIC or name in ("error", "any"):
            return (TypeValue(self.types.basic(name), site),)
        return (Unknown(f"{name} is not declared in this package", site, broken=self._is_broken(package)),)

    def _is_broken(self, package: Package) -> bool:
        return any(f.error_line for f in package.parsed())

    def declared(self, declared: Declaration, name: str, state: State, site: Site | None) -> Value:
        """The value of a top-level declaration."""
        node = declared.node
        if isinstance(node, s.FuncDecl):
            return (Func(node, declared.file, declared.package, site=site),)
        if isinstance(node, s.TypeSpec):
            type_ = self.types.resolve(s.Ident(0, 0, name), declared.file, declared.package)
            return (TypeValue(type_, site),) if type_ is not None else (Unknown(f"type {name}", site),)
        cell = ("global", declared.package.path, name)
        value = state.cells.get(cell)
        return value if value is not None else self._global(cell)

    def _global(self, cell: Cell) -> Value:
        """A package-level variable or constant: its initial value and every other value it is given."""
        known = self.heap.get(cell)
        if known is not None:
            return known
        if cell in self._globals_in_progress:
            return (Unknown("initialisation cycle"),)
        self._globals_in_progress.add(cell)
        try:
            value = self._evaluate_global(cell)
        finally:
            self._globals_in_progress.discard(cell)
        self.heap[cell] = value
        return value

    def _evaluate_global(self, cell: Cell) -> Value:
        _, path, name = cell
        package = self.program.package(path) or self.program.package_in(path)
        declared = package.declaration(name) if package is not None else None
        if package is None or declared is None or not isinstance(declared.node, s.ValueSpec):
            return (Unknown(f"variable {name}"),)
        spec = declared.node
        if declared.file.error_line:
            return (Unknown(f"{declared.file.path} does not parse", broken=True),)
        self.consulted[declared.file.path] = declared.file
        embedded = self._embedded_text(spec, declared.file, package)
        value = (embedded,) if embedded is not None else self._initial(spec, name, declared.file, package)
        if spec.is_const:
            return value
        for assigned in self.effects.assignments_to_global(package, name):
            given = self._assigned_value(assigned, name)
            value = given if _in_init(*assigned) else merge(value, given)
        return value

    def _embedded_text(self, spec: s.ValueSpec, file: GoFile, package: Package) -> Const | None:
        """The file that a `//go:embed` directive puts into a string or byte slice (documentation of package embed)."""
        if spec.is_const or spec.values:
            return None
        found = _EMBED.search(file.data[max(0, spec.start - 600) : spec.start])
        type_ = self.types.resolve(spec.type, file, package) if found is not None else None
        if found is None or type_ is None or type_.kind not in ("basic", "slice", "named"):
            return None
        name = found.group(1).decode("utf-8", "replace").strip().strip('"`')
        text = self.program.repository.text(f"{package.folder}/{name}".lstrip("/"))
        return None if text is None else Const(text, None, Site(file, spec.start, spec.end))

    def _initial(self, spec: s.ValueSpec, name: str, file: GoFile, package: Package) -> Value:
        frame = Frame(Func(_empty_function(spec), file, package), None, None, None)
        scope = Scope(None, frame)
        state = State()
        saved, self.frame = self.frame, frame
        try:
            if spec.is_const:
                scope.names["iota"] = cell = self.new_cell()
                state.cells[cell] = (Const(spec.iota),)
            results = self._spec_values(spec, scope, state)
        finally:
            self.frame = saved
        for key, value in state.cells.items():
            self.heap.setdefault(key, value)
        index = next(i for i, n in enumerate(spec.names) if n.name == name)
        return results[index] if index < len(results) else (Unknown(f"variable {name}"),)

    def _assigned_value(self, assigned: tuple[Declaration, s.Assign], name: str) -> Value:
        """What an assignment outside the declaration gives to a package-level variable."""
        declared, statement = assigned
        assert isinstance(declared.node, s.FuncDecl)
        seen: list[Value] = []
        inner = Evaluator(self.program, self.types, self.effects, limits=Limits(steps=8_000))
        inner._globals_in_progress = self._globals_in_progress
        inner.models = self.models
        inner._cells = self._cells
        target = ("global", "", "")
        original = inner._assign_to

        def spy(lhs: s.Expr, value: Value, scope: Scope, state: State) -> None:
            if lhs in statement.lhs and isinstance(lhs, s.Ident | s.Selector):
                last = lhs.name if isinstance(lhs, s.Ident) else lhs.sel
                if last == name:
                    seen.append(value)
            original(lhs, value, scope, state)

        inner._assign_to = spy  # type: ignore[method-assign]
        state = inner.run(Func(declared.node, declared.file, declared.package))
        if state is not None:
            for cell, value in state.cells.items():
                self.heap.setdefault(cell, value)
        self.heap.update({k: v for k, v in inner.heap.items() if k not in self.heap and k != target})
        out: Value = ()
        for value in seen:
            out = union(out, value)
        return out or (Unknown(f"variable {name} is assigned in {declared.file.path}"),)

    def _basic_lit(self, expr: s.BasicLit, scope: Scope, state: State) -> Value:
        return (Const(expr.value, None, self._site(expr, scope)),)

    def _func_lit(self, expr: s.FuncLit, scope: Scope, state: State) -> Value:
        scope.frame.escapes = True
        func = Func(expr, scope.frame.file, scope.frame.package, scope, site=self._site(expr, scope))
        if self.on_literal is not None:
            self.on_literal(func, state)
        return (func,)

    def _composite_lit(self, expr: s.CompositeLit, scope: Scope, state: State) -> Value:
        type_ = None
        if expr.type is not None:
            type_ = self.types.resolve(expr.type, scope.frame.file, scope.frame.package, scope)
        return self._composite(expr, type_, scope, state)

    def _composite(self, expr: s.CompositeLit, type_: Type | None, scope: Scope, state: State) -> Value:
        """A composite literal of a type (specification, "Composite literals")."""
        site = self._site(expr, scope)
        under = self.types.underlying(type_) if type_ is not None else None
        kind = under.kind if under is not None else _shape(expr)
        if kind == "pointer" and under is not None:  # an elided &T in a slice or map of pointers
            value = self._composite(expr, under.elem, scope, state)
            return (self.allocate(value, state, site),)
        if kind in ("slice", "array"):
            return self._sequence(expr, type_, under, scope, state, site)
        if kind == "map":
            entries: dict[Any, Value] = {}
            open_ = False
            for key, element in expr.elements:
                value = self._element(element, under.elem if under else None, scope, state)
                keys = self._element(key, under.key if under else None, scope, state) if key else ()
                if len(keys) == 1 and isinstance(keys[0], Const):
                    entries[keys[0].value] = value
                else:
                    open_ = True
                    entries[("?", element.start)] = value
            cell = self.new_cell()
            state.cells[cell] = (MapData(entries, open_),)
            scope.frame.escapes = True
            return (Map(cell, type_, site),)
        return self._struct(expr, type_, under, scope, state, site)

    def _sequence(
        self,
        expr: s.CompositeLit,
        type_: Type | None,
        under: Type | None,
        scope: Scope,
        state: State,
        site: Site,
    ) -> Value:
        items: list[Value] = []
        elem = under.elem if under is not None else None
        for key, element in expr.elements:
            if key is not None:
                keys = self.eval(key, scope, state)
                at = keys[0].value if len(keys) == 1 and isinstance(keys[0], Const) else None
                if not isinstance(at, int) or not 0 <= at < 4096:
                    return (Seq(tuple(items), True, type_, site),)
                while len(items) <= at:
                    items.append(self.zero(elem))
                items[at] = self._element(element, elem, scope, state)
            else:
                items.append(self._element(element, elem, scope, state))
        if under is not None and under.kind == "array" and under.size and len(items) < under.size <= 64:
            items.extend(self.zero(elem) for _ in range(under.size - len(items)))
        return (Seq(tuple(items), False, type_, site),)

    def _struct(
        self,
        expr: s.CompositeLit,
        type_: Type | None,
        under: Type | None,
        scope: Scope,
        state: State,
        site: Site,
    ) -> Value:
        fields: dict[str, Value] = {}
        declared = self.types.fields(type_) if type_ is not None else []
        by_name = {f.name: f for f in declared}
        for i, (key, element) in enumerate(expr.elements):
            if isinstance(key, s.Ident):
                name = key.name
            elif key is None and i < len(declared):
                name = declared[i].name
            elif key is None and type_ is not None and type_.kind == "extern":
                name = str(i)
            else:
                self.eval(element, scope, state)
                continue
            field_type = None
            if name in by_name and under is not None and under.file is not None and under.package is not None:
                field_type = self.types.resolve(by_name[name].type, under.file, under.package)
            fields[name] = self._typed(self._element(element, field_type, scope, state), field_type)
        return (Struct(type_, fields, False, site),)

    def _element(self, element: s.Expr, type_: Type | None, scope: Scope, state: State) -> Value:
        if isinstance(element, s.CompositeLit) and element.type is None:
            return self._composite(element, type_, scope, state)
        return self._typed(self.eval(element, scope, state), type_)

    def _typed(self, value: Value, type_: Type | None) -> Value:
        """Gives untyped constants the type they are used at (specification, "Assignability")."""
        if type_ is None or type_.kind not in ("named", "extern", "basic"):
            return value
        if len(value) == 1 and isinstance(value[0], Const):
            v = value[0]
            if type_.kind == "basic":
                if v.type is None and type_.name.startswith("float") and isinstance(v.value, int):
                    return (Const(float(v.value), None, v.site),)
                return value
            if v.type is None and (type_.kind == "extern" or self._is_basic(type_)):
                return (Const(v.value, type_, v.site),)
        return value

    def _is_basic(self, type_: Type) -> bool:
        under = self.types.underlying(type_)
        return under is not None and under.kind == "basic"

    # ---------------------------------------------------------------- selectors

    def _selector(self, expr: s.Selector, scope: Scope, state: State) -> Value:
        if isinstance(expr.x, s.Ident) and scope.lookup(expr.x.name) is None:
            frame = scope.frame
            path = self.program.imported(frame.file).get(expr.x.name)
            if path is not None and frame.package.declaration(expr.x.name) is None:
                return self.member_of_package(path, expr.sel, state, self._site(expr, scope))
        owner = self.eval(expr.x, scope, state)
        return self.select(owner, expr.sel, state, self._site(expr, scope), expr.x, scope)

    def member_of_package(self, path: str, name: str, state: State, site: Site) -> Value:
        """`pkg.Name`: a declaration of this repository, or something from elsewhere."""
        from zuno_audit.facts.go import library

        package = self.program.package(path)
        if package is None:
            known = library.CONSTANTS.get((path, name))
            if known is not None:
                value, type_path, type_name = known
                type_ = self.types.extern(type_path, type_name) if type_path else None
                return (Const(value, type_, site),)
            if library.is_type(path, name):
                return (TypeValue(self.types.extern(path, name), site),)
            return (Extern(path, name, site=site),)
        declared = package.declaration(name)
        if declared is None:
            return (
                Unknown(f"{name} is not declared in {path}", site, broken=self._is_broken(package)),
            )
        return self.declared(declared, name, state, site)

    def select(
        self,
        owner: Value,
        name: str,
        state: State,
        site: Site,
        expr: s.Expr | None = None,
        scope: Scope | None = None,
    ) -> Value:
        """`x.name` for every alternative of x: a field, a promoted field or a method value."""
        out: Value = ()
        for v in owner:
            out = union(out, self._select_one(v, name, state, site, expr, scope))
        return out or (Unknown(f"selector {name} of nil", site),)

    def _select_one(
        self, v: Val, name: str, state: State, site: Site, expr: s.Expr | None, scope: Scope | None
    ) -> Value:
        if isinstance(v, Lazy):
            if v.type is not None:
                method = self._method(v.type, name, (v,), state, site)
                if method is not None:
                    return method
            return self.select(self._force_lazy(v), name, state, site, expr, scope)
        if isinstance(v, Pointer):
            return self._select_through(v, name, state, site)
        if isinstance(v, Struct):
            receiver: Value = (v,)
            if expr is not None and scope is not None:  # x.M() with addressable x is (&x).M()
                target = self._address(expr, scope, state)
                receiver = (target,) if target is not None else receiver
            return self._select_struct(v, name, receiver, state, site)
        if isinstance(v, Const):
            method = self._method(v.type, name, (v,), state, site) if v.type is not None else None
            if method is not None:
                return method
            if v.type is not None and v.type.kind == "extern":
                return (Extern(v.type.path, name, recv=(v,), site=site),)
            return (Unknown(f"selector {name}", site),)
        if isinstance(v, Extern):
            return (Extern(v.path, name, recv=(v,), site=site),)
        if isinstance(v, Nil):
            return ()
        if isinstance(v, TypeValue):
            return self._method_expression(v, name, site)
        if isinstance(v, Opaque):
            if v.type is not None and v.type.kind in ("extern", "pointer"):
                path = v.type.path or (v.type.elem.path if v.type.elem else "")
                return (Extern(path, name, recv=(v,), site=site),)
            return (Extern("opaque", name, recv=(v,), site=site),)
        type_ = getattr(v, "type", None)
        if isinstance(v, Func | Seq | Map):
            if type_ is not None and type_.kind == "extern":
                return (Extern(type_.path, name, recv=(v,), site=site),)
            method = self._method(type_, name, (v,), state, site) if type_ is not None else None
            return method or (Unknown(f"selector {name}", site),)
        return self._select_unknown(v, type_, name, state, site)

    def _select_through(self, v: Pointer, name: str, state: State, site: Site) -> Value:
        out: Value = ()
        for target in self.force(self.load(v, state)):
            if isinstance(target, Struct):
                out = union(out, self._select_struct(target, name, (v,), state, site))
            elif isinstance(target, Pointer | Input | Unknown | Extern | Opaque):
                out = union(out, self._select_one(target, name, state, site, None, None))
            elif isinstance(target, Const | Seq | Map | Func):
                type_ = getattr(target, "type", None)
                method = self._method(type_, name, (v,), state, site) if type_ is not None else None
                if method is None and type_ is not None and type_.kind == "extern":
                    method = (Extern(type_.path, name, recv=(v,), site=site),)
                out = union(out, method or (Unknown(f"selector {name}", site),))
        return out

    def _select_struct(self, v: Struct, name: str, receiver: Value, state: State, site: Site) -> Value:
        if v.type is None:
            return v.fields.get(name) or (Unknown(f"field {name}", site),)
        if v.type.kind == "extern":
            if name in v.fields:
                return v.fields[name]
            return (Extern(v.type.path, name, recv=receiver, site=site),)
        found = self.types.find_field(v.type, name)
        method = self._method(v.type, name, receiver, state, site)
        if found is not None and (method is None or not found[0]):
            value: Value = (v,)
            for part in (*found[0], name):
                value = self._fields(value, part, state)
            return value
        if method is not None:
            return method
        return (Unknown(f"selector {name}", site),)

    def _method(self, type_: Type | None, name: str, receiver: Value, state: State, site: Site) -> Value | None:
        """The method value `receiver.name`, or None when the type has no such method."""
        if type_ is None:
            return None
        if type_.kind == "extern" or (type_.kind == "pointer" and type_.elem and type_.elem.kind == "extern"):
            return None
        found = self.types.find_method(type_, name)
        if found is None:
            return None
        path, target = found
        owner = receiver
        for part in path:
            owner = self._embedded(owner, part, state)
        if isinstance(target, Type):
            if target.kind == "extern" and path:
                return self.select(owner, name, state, site)
            if path and owner != receiver:
                return self.select(owner, name, state, site)
            return None
        node = target.node
        assert isinstance(node, s.FuncDecl)
        return (Func(node, target.file, target.package, receiver=owner, site=site),)

    def _embedded(self, owner: Value, name: str, state: State) -> Value:
        """The embedded field, as a pointer into the owner where the owner is one."""
        out: Value = ()
        for v in self.force(owner):
            if isinstance(v, Pointer):
                inner = self._fields(self.load(v, state), name, state)
                if len(inner) == 1 and isinstance(inner[0], Struct):
                    out = union(out, (Pointer(v.cell, (*v.path, name), v.site),))
                else:
                    out = union(out, inner)
            else:
                out = union(out, self._fields((v,), name, state))
        return out

    def _method_expression(self, v: TypeValue, name: str, site: Site) -> Value:
        found = self.types.find_method(v.type, name)
        if found is not None and not isinstance(found[1], Type):
            target = found[1]
            assert isinstance(target.node, s.FuncDecl)
            return (Func(target.node, target.file, target.package, site=site),)
        return (Unknown(f"method expression {name}", site),)

    def _select_unknown(self, v: Val, type_: Type | None, name: str, state: State, site: Site) -> Value:
        """A selector of something whose value is not known but whose type may be."""
        if type_ is not None:
            base = type_.elem if type_.kind == "pointer" and type_.elem else type_
            if base.kind == "extern":
                return (Extern(base.path, name, recv=(v,), site=site),)
            if self.types.interface_methods(base):
                return self._interface_method(v, base, name, site)
            field_type = self.types.find_field(type_, name)
            if field_type is not None:
                if isinstance(v, Input):
                    return (Input(f"{v.origin}.{name}", field_type[1], (v.key, name), site),)
                return (Unknown(f"{getattr(v, 'reason', 'value')}, field {name}", site, type_=field_type[1]),)
            method = self._method(type_, name, (v,), state, site)
            if method is not None:
                return method
        if isinstance(v, Input):
            return (Input(f"{v.origin}.{name}", None, (v.key, name), site),)
        return (v,)

    def _interface_method(self, v: Val, type_: Type, name: str, site: Site) -> Value:
        """A method of an interface value: all implementations in the repository, or what the caller gives."""
        if isinstance(v, Input):
            return (Input(f"{v.origin}.{name}", None, (v.key, name), site),)
        found = self.types.implementations(type_, name)
        if not found or len(found) > 4:
            return (Unknown(f"method {name} of an interface", site),)
        out: list[Val] = []
        for declared in found:
            assert isinstance(declared.node, s.FuncDecl)
            from zuno_audit.facts.go.types import receiver_type_name

            owner = self.types.named(declared.package, receiver_type_name(declared.node))
            receiver: Value = (Unknown("an implementation of an interface", site, type_=owner),)
            out.append(Func(declared.node, declared.file, declared.package, receiver=receiver, site=site))
        return tuple(out)

    # ---------------------------------------------------------------- operators

    def _index(self, expr: s.Index, scope: Scope, state: State) -> Value:
        owner = self.eval(expr.x, scope, state)
        if owner and isinstance(owner[0], Func | TypeValue | Extern) and len(owner) == 1:
            first = owner[0]
            if isinstance(first, Func) or (isinstance(first, TypeValue)) or (
                isinstance(first, Extern) and first.args is None and first.recv is None
            ):
                return owner  # an instantiation
        key = self.eval(expr.indices[0], scope, state)
        return self.index(owner, key, state, self._site(expr, scope))[0]

    def index(self, owner: Value, key: Value, state: State, site: Site) -> tuple[Value, Value]:
        """`x[i]` and the second result of the comma-ok form."""
        keys = self.force(key)
        at = keys[0].value if len(keys) == 1 and isinstance(keys[0], Const) else None
        if isinstance(at, str):
            self.text_tested = True
        out: Value = ()
        ok: Value = ()
        for v in self.force(owner):
            if isinstance(v, Pointer):
                v_out, v_ok = self.index(self.load(v, state), key, state, site)
                out, ok = union(out, v_out), union(ok, v_ok)
            elif isinstance(v, Map):
                v_out, v_ok = self._map_index(v, keys, at, state)
                out, ok = union(out, v_out), union(ok, v_ok)
            elif isinstance(v, Seq):
                ok = union(ok, (TRUE,))
                if isinstance(at, int) and 0 <= at < len(v.items):
                    out = union(out, v.items[at])
                else:
                    for item in v.items if at is None else ():
                        out = union(out, item)
                    if v.open or not v.items or at is not None:
                        out = union(out, (Unknown("element of a slice", site, type_=self._elem(v.type)),))
            elif isinstance(v, Const) and isinstance(v.value, str) and isinstance(at, int):
                data = v.value.encode()
                out = union(out, (Const(data[at]),) if 0 <= at < len(data) else ())
            elif isinstance(v, Input):
                out = union(out, (Input(f"{v.origin}[...]", self._elem(v.type), (v.key, "[]"), site),))
                ok = union(ok, (Unknown("key in a map"),))
            elif isinstance(v, Extern):
                out = union(out, (Extern(v.path, v.name + "[]", (keys,), recv=(v,), site=site),))
                ok = union(ok, (Unknown("key in a map"),))
            elif isinstance(v, Nil):
                out = union(out, (Unknown("element of nil"),))
                ok = union(ok, (FALSE,))
            else:
                out = union(out, (Unknown("element", site),))
                ok = union(ok, (Unknown("key in a map"),))
        return out or (Unknown("element", site),), ok or (Unknown("key in a map"),)

    def _elem(self, type_: Type | None) -> Type | None:
        under = self.types.underlying(type_) if type_ is not None else None
        return under.elem if under is not None else None

    def _map_index(self, v: Map, keys: Value, at: Any, state: State) -> tuple[Value, Value]:
        out: Value = ()
        ok: Value = ()
        for data in self.read(v.cell, state):
            if not isinstance(data, MapData):
                return (Unknown("element of a map", type_=self._elem(v.type)),), (Unknown("key in a map"),)
            if at is not None:
                if at in data.entries:
                    return data.entries[at], ((Unknown("key in a map"),) if data.open else (TRUE,))
                if not data.open:
                    out, ok = union(out, self.zero(self._elem(v.type))), union(ok, (FALSE,))
                    continue
            elif not data.entries and not data.open:
                return self.zero(self._elem(v.type)), (FALSE,)
            for value in data.entries.values():
                out = union(out, value)
            if data.open or at is None:
                missing = self.zero(self._elem(v.type)) if self._elem(v.type) is not None else ()
                out = union(out, missing or (Unknown("element of a map", type_=self._elem(v.type)),))
            ok = union(ok, (Unknown("key in a map"),))
        return out, ok

    def _slice(self, expr: s.SliceExpr, scope: Scope, state: State) -> Value:
        owner = self.force(self.eval(expr.x, scope, state))
        low = self._constant(expr.low, 0, scope, state)
        if expr.high is not None:  # buf[:n] with n from the call that filled buf is what that call wrote
            bound = self.force(self.eval(expr.high, scope, state))
            if bound and all(isinstance(v, Extern) and v.args and v.path != "builtin" for v in bound):
                return bound
        high = self._constant(expr.high, None, scope, state)
        out: Value = ()
        for v in owner:
            if isinstance(v, Pointer):
                loaded = self.force(self.load(v, state))
                v = loaded[0] if len(loaded) == 1 else v
            if isinstance(v, Seq) and isinstance(low, int) and (high is None or isinstance(high, int)):
                items = v.items[low:high]
                if not v.open or (isinstance(high, int) and high <= len(v.items)):
                    out = union(out, (Seq(items, False, v.type, v.site),))
                else:
                    out = union(out, (Seq(items, True, v.type, v.site),))
            elif isinstance(v, Seq):
                out = union(out, (Seq((), True, v.type, v.site),))
            elif isinstance(v, Const) and isinstance(v.value, str) and isinstance(low, int):
                if high is None or isinstance(high, int):
                    out = union(out, (Const(v.value.encode()[low:high].decode("utf-8", "replace"), v.type),))
                else:
                    out = union(out, (Unknown("part of a text"),))
            elif isinstance(v, Extern | Opaque):
                out = union(
                    out, (Extern("slice", "slice", ((v,),), recv=(v,), site=self._site(expr, scope)),)
                )
            else:
                out = union(out, (v,))
        return out

    def _constant(self, expr: s.Expr | None, default: Any, scope: Scope, state: State) -> Any:
        """A constant index, the default, or a non-int marker for what is not known."""
        if expr is None:
            return default
        value = self.force(self.eval(expr, scope, state))
        if len(value) == 1 and isinstance(value[0], Const) and isinstance(value[0].value, int):
            return value[0].value
        return "unknown"

    def _type_assert(self, expr: s.TypeAssert, scope: Scope, state: State) -> Value:
        return self._assert_type(expr, scope, state)[0]

    def _assert_type(self, expr: s.TypeAssert, scope: Scope, state: State) -> tuple[Value, Value]:
        """`x.(T)` and the second result of the comma-ok form."""
        value = self.force(self.eval(expr.x, scope, state))
        type_ = self.types.resolve(expr.type, scope.frame.file, scope.frame.package, scope)
        out: Value = ()
        ok: Value = ()
        for v in value:
            answer = self.has_type(v, type_, state)
            if answer is not False:
                if isinstance(v, Unknown | Input) and type_ is not None:
                    v = (
                        Input(v.origin, type_, v.key, v.site)
                        if isinstance(v, Input)
                        else Unknown(v.reason, v.site, type_=type_, broken=v.broken)
                    )
                elif isinstance(v, Extern):
                    v = Extern(
                        v.path,
                        v.name,
                        v.args,
                        recv=v.recv,
                        index=v.index,
                        state=v.state,
                        site=v.site,
                    )
                out = union(out, (v,))
            ok = union(ok, (TRUE,) if answer else (FALSE,) if answer is False else (Unknown("type"),))
        return out or self.zero(type_), ok

    def has_type(self, v: Val, type_: Type | None, state: State) -> bool | None:
        """Whether a value has a dynamic type (or implements an interface), or None."""
        if isinstance(v, Nil):
            return False
        dynamic = self.dynamic_type(v, state)
        if dynamic is None or type_ is None:
            return None
        if dynamic is type_:
            return True
        methods = self.types.interface_methods(type_)
        if methods:
            return all(self.types.find_method(dynamic, m) is not None for m in methods)
        if type_.kind == "interface":
            return True if not isinstance(type_.node, s.InterfaceType) else None
        if type_.kind == "extern" or dynamic.kind == "extern":
            return None
        return False

    def dynamic_type(self, v: Val, state: State) -> Type | None:
        """The dynamic type of an alternative where it is known."""
        if isinstance(v, Struct | Seq | Map):
            return v.type
        if isinstance(v, Const):
            if v.type is not None:
                return v.type
            kind = {bool: "bool", int: "int", float: "float64", str: "string"}.get(type(v.value))
            return self.types.basic(kind) if kind else None
        if isinstance(v, Pointer) and not v.path:
            target = self.force(self.load(v, state))
            inner = self.dynamic_type(target[0], state) if len(target) == 1 else None
            return self.types.pointer(inner) if inner is not None else None
        return None

    def _star(self, expr: s.Star, scope: Scope, state: State) -> Value:
        value = self.eval(expr.x, scope, state)
        out: Value = ()
        for v in self.force(value):
            if isinstance(v, Pointer):
                out = union(out, self.load(v, state))
            elif isinstance(v, TypeValue):
                out = union(out, (TypeValue(self.types.pointer(v.type), v.site),))
            elif isinstance(v, Input):
                elem = v.type.elem if v.type is not None and v.type.kind == "pointer" else None
                out = union(out, (Input(f"*{v.origin}", elem, (v.key, "*"), v.site),))
            elif not isinstance(v, Nil):
                out = union(out, (v,))
        return out or (Unknown("nil dereference", self._site(expr, scope)),)

    def _unary(self, expr: s.Unary, scope: Scope, state: State) -> Value:
        if expr.op == "&":
            return self._take_address(expr.x, scope, state)
        value = self.eval(expr.x, scope, state)
        if expr.op == "<-":
            return self._receive(value, self._site(expr, scope))
        out: Value = ()
        for v in self.force(value):
            result = arithmetic.unary(expr.op, v.value) if isinstance(v, Const) else None
            if result is None:
                out = union(out, (v,) if isinstance(v, Input) else (Unknown("computed value"),))
            else:
                out = union(out, (Const(result, v.type if isinstance(v, Const) else None),))
        return out

    def _receive(self, value: Value, site: Site) -> Value:
        v = value[0]
        if isinstance(v, Extern):
            return (Extern(v.path, v.name + "<-", (), recv=value, site=site),)
        return (Unknown("received from a channel", site),)

    def _take_address(self, expr: s.Expr, scope: Scope, state: State) -> Value:
        if isinstance(expr, s.CompositeLit):
            value = self.eval(expr, scope, state)
            return (self.allocate(value, state, self._site(expr, scope)),)
        target = self._address(expr, scope, state)
        scope.frame.escapes = True
        if target is not None:
            return (target,)
        value = self.eval(expr, scope, state)
        return (self.allocate(value, state, self._site(expr, scope)),)

    def _address(self, expr: s.Expr, scope: Scope, state: State) -> Pointer | None:
        """The address of a variable, field or element, or None when it is not addressable or not followed."""
        if isinstance(expr, s.Ident):
            cell = scope.lookup(expr.name)
            if cell is None:
                declared = scope.frame.package.declaration(expr.name)
                if declared is None or not isinstance(declared.node, s.ValueSpec):
                    return None
                cell = ("global", declared.package.path, expr.name)
            scope.frame.escapes = True
            return Pointer(cell, (), self._site(expr, scope))
        if isinstance(expr, s.Star):
            value = self.force(self.eval(expr.x, scope, state))
            pointers = [v for v in value if isinstance(v, Pointer)]
            return pointers[0] if len(pointers) == 1 else None
        if isinstance(expr, s.Selector):
            return self._field_address(expr, scope, state)
        if isinstance(expr, s.Index):
            base = self._address(expr.x, scope, state)
            at = self._constant(expr.indices[0], None, scope, state)
            if base is not None and isinstance(at, int):
                owner = self.force(self.load(base, state))
                if len(owner) == 1 and isinstance(owner[0], Seq):
                    return Pointer(base.cell, (*base.path, str(at)), self._site(expr, scope))
        return None

    def _field_address(self, expr: s.Selector, scope: Scope, state: State) -> Pointer | None:
        site = self._site(expr, scope)
        if isinstance(expr.x, s.Ident) and scope.lookup(expr.x.name) is None:
            path = self.program.imported(scope.frame.file).get(expr.x.name)
            if path is not None and scope.frame.package.declaration(expr.x.name) is None:
                return Pointer(("global", path, expr.sel), (), site) if self.program.package(path) else None
        owner = self.force(self.eval(expr.x, scope, state))
        pointers = [v for v in owner if isinstance(v, Pointer)]
        base = pointers[0] if len(pointers) == 1 and all(isinstance(v, Pointer | Nil) for v in owner) else None
        if base is None:
            base = self._address(expr.x, scope, state)
        if base is None:
            return None
        target = self.force(self.load(base, state))
        while len(target) == 1 and isinstance(target[0], Pointer):
            base = target[0]
            target = self.force(self.load(base, state))
        type_ = getattr(target[0], "type", None) if target else None
        found = self.types.find_field(type_, expr.sel) if type_ is not None else None
        for part in found[0] if found is not None else ():
            base = Pointer(base.cell, (*base.path, part), site)
            inner = self.force(self.load(base, state))
            if len(inner) == 1 and isinstance(inner[0], Pointer):
                base = inner[0]
        return Pointer(base.cell, (*base.path, expr.sel), site)

    def _binary(self, expr: s.Binary, scope: Scope, state: State) -> Value:
        op = expr.op
        left = self.eval(expr.x, scope, state)
        if op in ("&&", "||"):
            first = self.truth(left)
            if first is (op == "||"):
                return (TRUE,) if first else (FALSE,)
            branch = state.fork()
            self.narrow(expr.x, op == "&&", scope, branch)
            right = self.eval(expr.y, scope, branch)
            second = self.truth(right)
            if first is not None:
                state.become(branch)
                return (Const(second),) if second is not None else right
            joined = join([state, branch])
            if joined is not None:
                state.cells = joined.cells
            if second is (op == "||"):
                return (Unknown("condition"),) if first is None else (Const(second),)
            return (FALSE,) if op == "&&" and second is False else (Unknown("condition"),)
        right = self.eval(expr.y, scope, state)
        if op in ("==", "!="):
            return self._equality(op, left, right, expr, scope, state)
        return self._combine(op, self.force(left), self.force(right), self._site(expr, scope))

    def _combine(self, op: str, left: Value, right: Value, site: Site) -> Value:
        out: Value = ()
        for x in left:
            for y in right:
                out = union(out, (self._combine_two(op, x, y, site),))
        return out or (Unknown("computed value", site),)

    def _combine_two(self, op: str, x: Val, y: Val, site: Site) -> Val:
        if self.assume and op in _ORDER and isinstance(x, Const) != isinstance(y, Const):
            x, y = self._stand_in(x, y), self._stand_in(y, x)
        if isinstance(x, Const) and isinstance(y, Const):
            value = arithmetic.binary(op, x.value, y.value)
            if value is not None:
                if isinstance(value, bool):
                    value = self.overrides.get(site, value)
                    self.note_comparison(site, x, y, value, op)
                    return Const(value, None, site)
                type_ = x.type if op in ("<<", ">>") else x.type or y.type
                made = Assumed if isinstance(x, Assumed) or isinstance(y, Assumed) else Const
                return made(value, type_, site)
        for v in (x, y):
            if isinstance(v, Input):
                return Input(f"{v.origin} (computed)", v.type, (v.key, op, site.start), site)
        if op == "+" and isinstance(x, Const | Extern | Seq) and isinstance(y, Const | Extern | Seq):
            return Extern("text", "+", ((x,), (y,)), site=site)  # a text with parts that are known
        broken = any(isinstance(v, Unknown) and v.broken for v in (x, y))
        return Unknown("computed value", site, broken=broken)

    def note_comparison(self, site: Site, x: Const, y: Const, result: bool, op: str) -> None:
        """Remembers what a comparison said, when somebody wants to know."""
        if self.comparisons is not None:
            self.comparisons.append(Comparison(site, x, y, result, op))

    def compare(self, op: str, x: Const, y: Const, site: Site) -> bool:
        """An ordered comparison of two numbers, recorded like one in the source."""
        result = self._combine_two(op, x, y, site)
        return isinstance(result, Const) and result.value is True

    def _stand_in(self, v: Val, other: Val) -> Val:
        if isinstance(v, Const) or not isinstance(other, Const) or isinstance(other.value, str | bool):
            return v
        if isinstance(v, Unknown | Input) or (isinstance(v, Extern) and not v.path.startswith("math/rand")):
            is_time = isinstance(other.value, int | float) and abs(other.value) >= 1_000_000
            typed = getattr(v, "type", None)
            is_time = is_time or (typed is not None and typed.path == "time")
            return self.assumed(v, is_time=is_time or (other.type is not None and other.type.path == "time"))
        return v

    def assumed(self, v: Val, *, is_time: bool) -> Assumed:
        """The stand-in for a number from outside: 7, or 30 s for a time. The same value gets the same one."""
        key = v.key if isinstance(v, Input) else v.reason if isinstance(v, Unknown) else v.site or id(v)
        if key not in self._assumptions:
            self._assumptions[key] = Assumed(30_000_000_000 if is_time else 7, None, v.site)
        return self._assumptions[key]

    def _equality(
        self, op: str, left: Value, right: Value, expr: s.Binary, scope: Scope, state: State
    ) -> Value:
        nil_test = isinstance(expr.y, s.Ident) and expr.y.name == "nil" and scope.lookup("nil") is None
        if nil_test:
            if any(isinstance(v, Lazy) for v in left) and self.lazy:
                return (Unknown("nil test"),)
            answers = {self.is_nil(v) for v in left}
        else:
            answers = {self._equal(x, y) for x in self.force(left) for y in self.force(right)}
            self._note_equality(op, self.force(left), self.force(right), expr, scope)
        if len(answers) != 1 or None in answers:
            return (Unknown("comparison"),)
        return (Const(answers.pop() is (op == "==")),)

    def _note_equality(self, op: str, left: Value, right: Value, expr: s.Binary, scope: Scope) -> None:
        if self.comparisons is None or len(left) != 1 or len(right) != 1:
            return
        x, y = left[0], right[0]
        if isinstance(x, Const) and isinstance(y, Const) and not isinstance(x.value, str | bool):
            result = (x.value == y.value) is (op == "==")
            self.note_comparison(self._site(expr, scope), x, y, result, op)

    def _equal(self, x: Val, y: Val) -> bool | None:
        from zuno_audit.facts.go import library

        if isinstance(x, Const) and isinstance(y, Const):
            if isinstance(x.value, str):
                self.text_tested = True
            return bool(x.value == y.value)
        if isinstance(x, Nil) or isinstance(y, Nil):
            other = y if isinstance(x, Nil) else x
            return self.is_nil(other)
        if isinstance(x, Pointer) and isinstance(y, Pointer):
            return bool(x.cell == y.cell and x.path == y.path)
        if isinstance(x, Opaque) or isinstance(y, Opaque):
            return True if x is y else None
        if isinstance(x, Extern) and isinstance(y, Extern):
            known = library.same_error(x, y)
            if known is not None:
                return known
        if isinstance(x, Extern) and isinstance(y, Extern) and x.args is None and y.args is None:
            same_name = (x.path, x.name) == (y.path, y.name) and x.recv is None and y.recv is None
            return True if same_name else None
        return None

    # ================================================================ calls

    def _call_expr(self, expr: s.Call, scope: Scope, state: State) -> Value:
        results = self.call(expr, scope, state)
        return results[0] if results else (Unknown("no value", self._site(expr, scope)),)

    def call(self, expr: s.Call, scope: Scope, state: State, wanted: int = 1) -> list[Value]:
        """All results of a call expression."""
        site = self._site(expr, scope)
        callee = self._callee(expr.fun, scope, state)
        if len(callee) == 1:
            v = callee[0]
            if isinstance(v, Extern) and v.path == "builtin" and v.args is None:
                return [self._builtin(v.name, expr, scope, state)]
            if isinstance(v, TypeValue):
                return [self._convert(v.type, expr, scope, state)]
        args = self._arguments(expr, scope, state)
        if state.dead:
            return [(Unknown("not reached"),)] * wanted
        return self.call_value(callee, args, state, site, spread=expr.ellipsis, wanted=wanted)

    def _callee(self, fun: s.Expr, scope: Scope, state: State) -> Value:
        value = self.eval(fun, scope, state)
        return self.force(value) if any(isinstance(v, Lazy) for v in value) else value

    def _arguments(self, expr: s.Call, scope: Scope, state: State) -> list[Value]:
        if len(expr.args) == 1 and isinstance(expr.args[0], s.Call) and not expr.ellipsis:
            inner = self.call(expr.args[0], scope, state)
            return inner  # f(g()) with several results of g
        return [self.eval(a, scope, state) for a in expr.args]

    def call_value(
        self,
        callee: Value,
        args: list[Value],
        state: State,
        site: Site,
        *,
        spread: bool = False,
        wanted: int = 1,
    ) -> list[Value]:
        """Calls every alternative of a function value; memory and results of all are joined."""
        if len(callee) == 1:
            return self._call_one(callee[0], args, state, site, spread, wanted)
        outcomes: list[tuple[list[Value], State]] = []
        for v in callee:
            if isinstance(v, Nil):
                continue
            branch = state.fork()
            results = self._call_one(v, list(args), branch, site, spread, wanted)
            if not branch.dead:
                outcomes.append((results, branch))
        joined = join([b for _, b in outcomes])
        if joined is None:
            state.dead = True
            return [(Unknown("a call that does not return", site),)] * wanted
        state.become(joined)
        return _join_results([r for r, _ in outcomes], site)

    def _call_one(
        self, v: Val, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        if isinstance(v, Func):
            return self._call_func(v, args, state, site, spread)
        if isinstance(v, Extern):
            return self._call_extern(v, args, state, site, spread, wanted)
        if isinstance(v, Opaque) and v.on_call is not None:
            results = v.on_call(self, args, state)
            return list(results)
        if isinstance(v, Nil):
            self.raise_panic((Unknown("call of a nil function", site),), state)
            return [(Unknown("call of a nil function", site),)] * wanted
        self._escape(args, state, site)
        if isinstance(v, Input):
            return [
                (Input(f"result of {v.origin}", None, (v.key, "()", i), site),) for i in range(max(wanted, 1))
            ]
        if isinstance(v, TypeValue) and args:
            return [args[0]]
        reason = v.reason if isinstance(v, Unknown) else "a function that is not followed"
        broken = isinstance(v, Unknown) and v.broken
        return [(Unknown(reason, site, broken=broken),)] * max(wanted, 1)

    # ---------------------------------------------------------------- functions of the repository

    def _call_func(self, func: Func, args: list[Value], state: State, site: Site, spread: bool) -> list[Value]:
        node = func.node
        if isinstance(node, s.FuncDecl) and node.receiver is not None and func.receiver is None and args:
            func = Func(node, func.file, func.package, func.scope, args[0], func.site)  # a method expression
            args = args[1:]
        args = self._bind_variadic(func, args, spread)
        if self.on_func is not None:
            self.on_func(func, args, state, site)
        if self.lazy and id(node) not in self.eager and self._may_postpone(func, args, state):
            record = CallRecord(self, func, args, state.fork(), site)
            types = [
                self.types.resolve(r.type, func.file, func.package, func.scope) for r in self._results(node)
            ]
            return [(Lazy(record, i, t, site),) for i, t in enumerate(types)]
        exits = self._call_exits(func, args, state, site)
        if state.dead:
            return [(Unknown("a call that does not return", site),)] * max(len(self._results(node)), 1)
        if len(exits) > 1 and len(exits[0]) > 1:
            record = CallRecord(self, func, args, None, site, exits)
            return [(Lazy(record, i, None, site),) for i in range(len(exits[0]))]
        return _join_results(exits, site)

    @staticmethod
    def _results(node: s.FuncDecl | s.FuncLit) -> list[s.Param]:
        return node.results

    def _bind_variadic(self, func: Func, args: list[Value], spread: bool) -> list[Value]:
        params = func.node.params
        if not params or not params[-1].variadic or spread:
            return args
        fixed = len(params) - 1
        elem = self.types.resolve(params[-1].type, func.file, func.package, func.scope)
        type_ = self.types.slice(elem) if elem is not None else None
        rest = tuple(args[fixed:])
        tail: Value = (Seq(rest, False, type_),) if rest else NIL
        return [*args[:fixed], tail]

    def _may_postpone(self, func: Func, args: list[Value], state: State) -> bool:
        if isinstance(func.node, s.FuncLit):
            return False
        if self.watched and any(
            isinstance(v, Func) and id(v.node) in self.watched for value in args for v in value
        ):
            return False
        return not self.effects.writes(func.node, func.file, func.package)

    def _call_exits(
        self, func: Func, args: list[Value], state: State, site: Site | None, panic: Panic | None = None
    ) -> list[list[Value]]:
        """Evaluates a call. `state` becomes memory after it; the results of every way out are returned."""
        node = func.node
        self.consulted[func.file.path] = func.file
        if func.file.error_line:
            reason = f"{func.file.path} does not parse (line {func.file.error_line})"
            return [[(Unknown(reason, site, broken=True),)] * max(len(node.results), 1)]
        if isinstance(node, s.FuncDecl) and not node.has_body:
            return [[(Unknown(f"{node.name} has no body", site),)] * max(len(node.results), 1)]
        if self.depth >= self.limits.depth or self._recursion(node) > self.limits.recursion:
            self._forget(args, state)
            return [[(Unknown("recursion or nesting beyond what is followed", site),)] * max(len(node.results), 1)]
        return self._bounded(func, args, state, site, panic)

    def _bounded(
        self, func: Func, args: list[Value], state: State, site: Site | None, panic: Panic | None
    ) -> list[list[Value]]:
        """A call with its own share of work, so that one large callee cannot starve the rest."""
        outer = self.step_limit
        if self.lazy and id(func.node) not in self.eager:
            self.step_limit = min(outer, self.steps + self.limits.steps_per_call)
        before = dict(state.cells)
        saved_frame, saved_depth = self.frame, self.depth
        try:
            return self._activate(func, args, state, site, panic)
        except (WorkLimitError, RecursionError):
            self.frame, self.depth = saved_frame, saved_depth
            if self.step_limit >= outer:
                self.exhausted = True
                raise WorkLimitError from None
            state.cells, state.dead = before, False
            self._forget(args + ([func.receiver] if func.receiver else []), state)
            unknown = Unknown("more work than is done for one call", site, broken=False)
            return [[(unknown,)] * max(len(func.node.results), 1)]
        finally:
            self.step_limit = outer

    def _recursion(self, node: s.Node) -> int:
        count, frame = 0, self.frame
        while frame is not None:
            count += frame.func.node is node
            frame = frame.caller
        return count

    def _activate(
        self, func: Func, args: list[Value], state: State, site: Site | None, panic: Panic | None
    ) -> list[list[Value]]:
        frame = Frame(func, site, self.frame, panic)
        frame.cell_mark = frame.defer_cell = self.new_cell()
        state.cells[frame.defer_cell] = (Deferred(()),)
        saved, self.frame = self.frame, frame
        self.depth += 1
        try:
            scope = Scope(func.scope, frame)
            self._bind(func, args, scope, state)
            body = State(state.cells)
            stmts = func.node.body.stmts
            if self.until is not None and self.until[0] == id(func.node):
                stmts = [stmt for stmt in stmts if stmt.start < self.until[1]]
            end = self._stmts(stmts, scope, body)
            if end is not None and not end.dead:
                frame.returns.append((self._named_results(frame, end), end))
            return self._leave(frame, state)
        finally:
            self.frame = saved
            self.depth -= 1

    def _bind(self, func: Func, args: list[Value], scope: Scope, state: State) -> None:
        node = func.node
        frame = scope.frame
        if isinstance(node, s.FuncDecl) and node.receiver is not None and node.receiver.name:
            receiver = func.receiver or (Unknown("receiver"),)
            self._declare(node.receiver.name, self._receiver_value(node, receiver, state), scope, state)
        for i, param in enumerate(node.params):
            value = args[i] if i < len(args) else (Unknown(f"parameter {param.name}"),)
            if param.name and param.name != "_":
                if isinstance(param.type, s.Ident | s.Selector):
                    value = self._typed(value, self.types.resolve(param.type, func.file, func.package, scope))
                self._declare(param.name, value, scope, state)
        for param in node.results:
            type_ = self.types.resolve(param.type, func.file, func.package, scope)
            frame.result_types.append(type_)
            if param.name:
                cell = self._declare(param.name, self.zero(type_), scope, state)
                frame.result_cells.append(cell)

    def _receiver_value(self, node: s.FuncDecl, receiver: Value, state: State) -> Value:
        """The receiver as the method sees it: a pointer for pointer methods, a copy for value methods."""
        assert node.receiver is not None
        if isinstance(node.receiver.type, s.Star):
            if any(isinstance(v, Struct) for v in receiver):
                return (self.allocate(receiver, state),)
            return receiver
        out: Value = ()
        for v in self.force(receiver) if any(isinstance(v, Lazy) for v in receiver) else receiver:
            out = union(out, self.load(v, state) if isinstance(v, Pointer) else (v,))
        return out

    def _declare(self, name: str, value: Value, scope: Scope, state: State) -> Cell:
        cell = self.new_cell()
        if name != "_":
            scope.names[name] = cell
        state.cells[cell] = value
        return cell

    def _named_results(self, frame: Frame, state: State) -> list[Value]:
        return [self.read(c, state) for c in frame.result_cells]

    def _leave(self, frame: Frame, state: State) -> list[list[Value]]:
        """Runs deferred calls on every way out, and joins memory. Panics that nobody recovers go to the caller."""
        exits: list[tuple[list[Value], State]] = []
        if not frame.has_defers:
            exits = frame.returns
            escaped = frame.panics
        else:
            escaped = []
            for results, after in frame.returns:
                exits.extend(self._run_defers(frame, results, after, None, escaped))
            for value, after in frame.panics:
                exits.extend(self._run_defers(frame, None, after, Panic(value), escaped))
        if frame.caller is not None:
            frame.caller.panics.extend(escaped)
        else:
            self.uncaught.extend(escaped)
            if self.on_leave is not None:
                for results, after in exits:
                    self.on_leave(results, after)
        joined = join([after for _, after in exits])
        if joined is None:
            state.dead = True
            return []
        state.cells = joined.cells
        if frame.escapes:
            if frame.caller is not None:
                frame.caller.escapes = True
        elif len(state.cells) > 64:  # nothing points at the variables of this activation any more
            mark = frame.cell_mark
            state.cells = {c: v for c, v in state.cells.items() if type(c) is not int or c < mark}
        return [results for results, _ in exits]

    def _run_defers(
        self,
        frame: Frame,
        results: list[Value] | None,
        state: State,
        panic: Panic | None,
        escaped: list[tuple[Value, State]],
    ) -> Iterator[tuple[list[Value], State]]:
        """The ways out of a frame after its deferred calls, last deferred first (specification, "Defer
        statements", "Handling panics")."""
        lists = state.cells.get(frame.defer_cell) or (Deferred(()),)
        for pending in lists:
            assert isinstance(pending, Deferred)
            yield from self._run_list(frame, results, state.fork(), panic, pending.calls, escaped)

    def _run_list(
        self,
        frame: Frame,
        results: list[Value] | None,
        state: State,
        panic: Panic | None,
        calls: tuple[DeferredCall, ...],
        escaped: list[tuple[Value, State]],
    ) -> Iterator[tuple[list[Value], State]]:
        if results is not None and frame.result_cells:
            for cell, value in zip(frame.result_cells, results, strict=False):
                state.cells[cell] = value
        for i in range(len(calls) - 1, -1, -1):
            deferred = calls[i]
            inner = self._run_deferred_call(frame, deferred, state, panic)
            for value, after in inner:  # a deferred call that panics itself
                yield from self._run_list(frame, None, after, Panic(value), calls[:i], escaped)
            if state.dead:
                return
            if panic is not None:
                flag = state.cells.pop(panic.recovered, None)
                if flag is not None:
                    if any(v is FALSE for v in flag):
                        still = state.fork()
                        yield from self._run_list(frame, None, still, panic, calls[:i], escaped)
                    panic = None
                    results = None
        if panic is not None:
            escaped.append((panic.value, state))
            return
        if frame.result_cells:
            yield self._named_results(frame, state), state
        elif results is not None:
            yield results, state
        else:  # recovered, and the results have no names: zero values
            yield [self.zero(t) for t in frame.result_types], state

    def _run_deferred_call(
        self, frame: Frame, deferred: DeferredCall, state: State, panic: Panic | None
    ) -> list[tuple[Value, State]]:
        """Runs one deferred call with `frame` as its caller; gives the panics that come out of it."""
        if deferred.is_recover:
            return []  # `defer recover()` does not stop a panic
        saved_panics, frame.panics = frame.panics, []
        saved, self.frame = self.frame, frame
        try:
            outcomes: list[State] = []
            for callee in self.force(deferred.callee):
                branch = state.fork()
                if panic is not None:
                    branch.cells[panic.recovered] = (FALSE,)
                if isinstance(callee, Func):
                    func, args = callee, list(deferred.args)
                    args = self._bind_variadic(func, args, deferred.spread)
                    self._call_exits(func, args, branch, deferred.site, panic)
                elif not isinstance(callee, Nil):
                    self._call_one(callee, list(deferred.args), branch, deferred.site, deferred.spread, 1)
                if not branch.dead:
                    outcomes.append(branch)
            joined = join(outcomes)
            if joined is None:
                state.dead = True
            else:
                state.become(joined)
            return frame.panics
        finally:
            frame.panics = saved_panics
            self.frame = saved

    def raise_panic(self, value: Value, state: State) -> None:
        """This path panics."""
        if self.frame is not None:
            self.frame.panics.append((value, state.fork()))
        state.dead = True

    def recover(self, state: State) -> Value:
        """The predeclared function: stops the panic only in a frame that was deferred itself."""
        panic = self.frame.panic if self.frame is not None else None
        if panic is None:
            return NIL
        if any(v is TRUE for v in state.cells.get(panic.recovered, ())):
            return NIL
        state.cells[panic.recovered] = (TRUE,)
        return panic.value

    # ---------------------------------------------------------------- functions from elsewhere

    def _call_extern(
        self, v: Extern, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        if v.args is not None:  # the result of a call from elsewhere is called
            self._escape(args, state, site)
            call = Extern(v.path, v.name + "()", tuple(args), recv=(v,), site=site, state=state, spread=spread)
            return [self._result(call, i) for i in range(max(wanted, 1))]
        key = (v.path, v.name) if v.recv is None else (v.path, "." + v.name)
        model = self.models.get(key)
        if model is not None:
            results = model(self, v, args, state, site)
            if results is not None:
                return list(results)
        self._escape(args, state, site)
        snapshot = state.fork()
        call = Extern(
            v.path, v.name, tuple(args), recv=v.recv, spread=spread, state=snapshot, site=site
        )
        if self.on_extern is not None:
            self.on_extern(self, call, state)
        return [self._result(call, i) for i in range(max(wanted, 1))]

    @staticmethod
    def _result(call: Extern, index: int) -> Value:
        if index == 0:
            return (call,)
        return (
            Extern(
                call.path,
                call.name,
                call.args,
                recv=call.recv,
                index=index,
                state=call.state,
                site=call.site,
                spread=call.spread,
            ),
        )

    def end_process(self, v: Extern, state: State) -> None:
        """os.Exit and its kin: no deferred call runs, no path goes on."""
        if self.on_exit is not None:
            self.on_exit(v, state)
        state.dead = True

    def _escape(self, args: list[Value], state: State, site: Site) -> None:
        """Values are handed to code that is not followed: it may call what it gets and write through it."""
        for value in args:
            for v in value:
                if isinstance(v, Func) and isinstance(v.node, s.FuncLit):
                    if not self.lazy or self.effects.assigns_captured(v.node):
                        self._maybe_call(v, state, site)
                elif isinstance(v, Func) and not self.lazy:
                    self._maybe_call(v, state, site)
                elif isinstance(v, Opaque) and v.on_call is not None:
                    self._maybe_call(v, state, site)

    def _maybe_call(self, v: Val, state: State, site: Site) -> None:
        branch = state.fork()
        params = v.node.params if isinstance(v, Func) else []
        args: list[Value] = [
            (
                Unknown(
                    "argument from a library",
                    type_=self.types.resolve(p.type, v.file, v.package, v.scope) if isinstance(v, Func) else None,
                ),
            )
            for p in params
        ]
        self._call_one(v, args, branch, site, False, 1)
        joined = join([state, branch])
        if joined is not None:
            state.cells = joined.cells

    def _forget(self, values: list[Value], state: State) -> None:
        """What code that is not followed can reach by these values is no longer known."""
        seen: set[Cell] = set()
        stack = [v for value in values for v in value]
        while stack:
            v = stack.pop()
            if isinstance(v, Pointer) and v.cell not in seen:
                seen.add(v.cell)
                stack.extend(self.read(v.cell, state))
                old = self.read(v.cell, state)
                state.cells[v.cell] = tuple(
                    Struct(o.type, {}, True, o.site)
                    if isinstance(o, Struct)
                    else Unknown("changed by code that is not followed")
                    for o in old
                )
            elif isinstance(v, Struct):
                stack.extend(x for value in v.fields.values() for x in value)
            elif isinstance(v, Seq):
                stack.extend(x for value in v.items for x in value)

    # ---------------------------------------------------------------- builtins and conversions

    def _builtin(self, name: str, expr: s.Call, scope: Scope, state: State) -> Value:
        from zuno_audit.facts.go import builtins

        return builtins.call(self, name, expr, scope, state)

    def _convert(self, type_: Type, expr: s.Call, scope: Scope, state: State) -> Value:
        """A conversion `T(x)` (specification, "Conversions")."""
        if not expr.args:
            return self.zero(type_)
        value = self.eval(expr.args[0], scope, state)
        return self.convert(value, type_)

    def convert(self, value: Value, type_: Type) -> Value:
        """The value with another type; constants keep their value, floats to integers are truncated."""
        if type_.kind == "interface":
            return value
        under = self.types.underlying(type_)
        kind = under.name if under is not None and under.kind == "basic" else ""
        keep = type_ if type_.kind in ("named", "extern") else None
        out: Value = ()
        for v in self.force(value) if kind else value:
            if isinstance(v, Const):
                out = union(out, (Const(arithmetic.convert(v.value, kind), keep, v.site),))
            elif isinstance(v, Seq) and keep is not None:
                out = union(out, (Seq(v.items, v.open, type_, v.site),))
            elif isinstance(v, Struct) and keep is not None:
                out = union(out, (Struct(type_, v.fields, v.open, v.site),))
            else:
                out = union(out, (v,))
        return out

    # ================================================================ statements

    def _stmts(self, stmts: list[s.Stmt], scope: Scope, state: State) -> State | None:
        current: State | None = state
        for stmt in stmts:
            current = self.exec(stmt, scope, current)
            if current is None or current.dead:
                return None
        return current

    def exec(self, stmt: s.Stmt, scope: Scope, state: State) -> State | None:
        """Executes a statement; None when no path goes on behind it."""
        self.steps += 1
        if self.steps > self.step_limit:
            raise WorkLimitError
        handler = self._statements.get(type(stmt))
        if handler is None:
            return state
        return handler(stmt, scope, state)

    def _block(self, stmt: s.Block, scope: Scope, state: State) -> State | None:
        return self._stmts(stmt.stmts, Scope(scope, scope.frame), state)

    def _expr_stmt(self, stmt: s.ExprStmt, scope: Scope, state: State) -> State | None:
        if isinstance(stmt.x, s.Call):
            self.call(stmt.x, scope, state, wanted=1)
        else:
            self.eval(stmt.x, scope, state)
        return None if state.dead else state

    def _send(self, stmt: s.Send, scope: Scope, state: State) -> State | None:
        self.eval(stmt.chan, scope, state)
        self.eval(stmt.value, scope, state)
        return None if state.dead else state

    def _assign(self, stmt: s.Assign, scope: Scope, state: State) -> State | None:
        if stmt.op not in ("=", ":="):
            return self._op_assign(stmt, scope, state)
        values = self._right_sides(stmt.rhs, len(stmt.lhs), scope, state)
        if state.dead:
            return None
        for lhs, value in zip(stmt.lhs, values, strict=False):
            if stmt.op == ":=" and isinstance(lhs, s.Ident):
                if lhs.name in scope.names:
                    state.cells[scope.names[lhs.name]] = value
                else:
                    self._declare(lhs.name, value, scope, state)
            else:
                self._assign_to(lhs, value, scope, state)
        return None if state.dead else state

    def _right_sides(self, rhs: list[s.Expr], count: int, scope: Scope, state: State) -> list[Value]:
        if len(rhs) == count:
            return [self.eval(e, scope, state) for e in rhs]
        if len(rhs) != 1:
            return [(Unknown("assignment"),)] * count
        expr = rhs[0]
        site = self._site(expr, scope)
        if isinstance(expr, s.Call):
            values = self.call(expr, scope, state, wanted=count)
        elif isinstance(expr, s.Index):
            owner = self.eval(expr.x, scope, state)
            key = self.eval(expr.indices[0], scope, state)
            values = list(self.index(owner, key, state, site))
        elif isinstance(expr, s.TypeAssert):
            values = list(self._assert_type(expr, scope, state))
        else:
            values = [self.eval(expr, scope, state), (Unknown("received"),)]
        while len(values) < count:
            last = values[0][0] if values and values[0] else None
            values.append(
                (Unknown("result", site, broken=isinstance(last, Unknown) and last.broken),)
            )
        return values[:count]

    def _assign_to(self, lhs: s.Expr, value: Value, scope: Scope, state: State) -> None:
        if isinstance(lhs, s.Ident):
            if lhs.name == "_":
                return
            cell = scope.lookup(lhs.name)
            if cell is None:
                declared = scope.frame.package.declaration(lhs.name)
                if declared is None:
                    return
                cell = ("global", declared.package.path, lhs.name)
            state.cells[cell] = value
        elif isinstance(lhs, s.Index):
            self._assign_index(lhs, value, scope, state)
        elif isinstance(lhs, s.Selector | s.Star):
            self._assign_through(lhs, value, scope, state)

    def _assign_through(self, lhs: s.Selector | s.Star, value: Value, scope: Scope, state: State) -> None:
        if isinstance(lhs, s.Selector):
            owner = self.force(self.eval(lhs.x, scope, state)) if not self._is_package(lhs.x, scope) else ()
            pointers = [v for v in owner if isinstance(v, Pointer)]
            if len(pointers) > 1:
                for p in pointers:
                    self.store(p.cell, (*p.path, lhs.sel), value, state, strong=False)
                return
        target = self._address(lhs, scope, state)
        if target is not None:
            self.store(target.cell, target.path, value, state)

    def _is_package(self, expr: s.Expr, scope: Scope) -> bool:
        return (
            isinstance(expr, s.Ident)
            and scope.lookup(expr.name) is None
            and expr.name in self.program.imported(scope.frame.file)
        )

    def _assign_index(self, lhs: s.Index, value: Value, scope: Scope, state: State) -> None:
        owner = self.force(self.eval(lhs.x, scope, state))
        keys = self.force(self.eval(lhs.indices[0], scope, state))
        at = keys[0].value if len(keys) == 1 and isinstance(keys[0], Const) else None
        if isinstance(at, str):
            self.text_tested = True
        for v in owner:
            if isinstance(v, Map):
                self._assign_map(v, at, value, state, strong=len(owner) == 1)
        if any(isinstance(v, Seq | Pointer) for v in owner):
            base = self._address(lhs.x, scope, state)
            if base is None:
                return
            target = self.force(self.load(base, state))
            new = tuple(self._with_item(t, at, value) if isinstance(t, Seq) else t for t in target)
            self.store(base.cell, base.path, new, state)

    @staticmethod
    def _with_item(seq: Seq, at: Any, value: Value) -> Val:
        items = list(seq.items)
        if isinstance(at, int) and 0 <= at < len(items):
            items[at] = value
            return Seq(tuple(items), seq.open, seq.type, seq.site)
        return Seq(tuple(union(i, value) for i in items), seq.open, seq.type, seq.site)

    def _assign_map(self, v: Map, at: Any, value: Value, state: State, strong: bool) -> None:
        out: list[Val] = []
        for data in self.read(v.cell, state):
            if isinstance(data, MapData):
                entries = dict(data.entries)
                if at is None:
                    entries[("?", len(entries))] = value
                    out.append(MapData(entries, True))
                else:
                    entries[at] = value if strong or at not in entries else union(entries[at], value)
                    out.append(MapData(entries, data.open))
            else:
                out.append(data)
        state.cells[v.cell] = tuple(out)

    def _op_assign(self, stmt: s.Assign, scope: Scope, state: State) -> State | None:
        left = self.force(self.eval(stmt.lhs[0], scope, state))
        right = self.force(self.eval(stmt.rhs[0], scope, state))
        value = self._combine(stmt.op[:-1], left, right, self._site(stmt, scope))
        self._assign_to(stmt.lhs[0], value, scope, state)
        return None if state.dead else state

    def _inc_dec(self, stmt: s.IncDec, scope: Scope, state: State) -> State | None:
        old = self.force(self.eval(stmt.x, scope, state))
        value = self._combine(stmt.op[0], old, (Const(1),), self._site(stmt, scope))
        self._assign_to(stmt.x, value, scope, state)
        return None if state.dead else state

    def _decl_stmt(self, stmt: s.DeclStmt, scope: Scope, state: State) -> State | None:
        for spec in stmt.specs:
            if isinstance(spec, s.TypeSpec):
                self._local_type(spec, scope)
                continue
            inner = scope
            if spec.is_const:
                inner = Scope(scope, scope.frame)
                inner.names["iota"] = cell = self.new_cell()
                state.cells[cell] = (Const(spec.iota),)
            values = self._spec_values(spec, inner, state)
            for name, value in zip(spec.names, values, strict=False):
                self._declare(name.name, value, scope, state)
        return None if state.dead else state

    def _spec_values(self, spec: s.ValueSpec, scope: Scope, state: State) -> list[Value]:
        frame = scope.frame
        type_ = self.types.resolve(spec.type, frame.file, frame.package, scope) if spec.type else None
        if not spec.values:
            return [self.zero(type_) for _ in spec.names]
        values = self._right_sides(spec.values, len(spec.names), scope, state)
        return [self._typed(v, type_) for v in values] if type_ is not None else values

    def _local_type(self, spec: s.TypeSpec, scope: Scope) -> None:
        frame = scope.frame
        resolved = self.types.resolve(spec.type, frame.file, frame.package, scope)
        if resolved is not None:
            scope.types = {**(scope.types or {}), spec.name: resolved}

    # ---------------------------------------------------------------- branches

    def _if(self, stmt: s.If, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        answer = self.eval(stmt.cond, inner, state)
        condition = self.truth(answer)
        if state.dead:
            return None
        if condition is None and any(isinstance(v, Input) for v in self.force(answer)):
            self.undecided_inputs = True
        outcomes: list[State | None] = []
        if condition is not False:
            branch = state.fork() if condition is None else state
            if condition is not None or self.narrow(stmt.cond, True, inner, branch):
                outcomes.append(self._block(stmt.body, inner, branch))
        if condition is not True:
            branch = state.fork() if condition is None else state
            if condition is not None or self.narrow(stmt.cond, False, inner, branch):
                outcomes.append(branch if stmt.orelse is None else self.exec(stmt.orelse, inner, branch))
        return join(outcomes)

    def narrow(self, cond: s.Expr, holds: bool, scope: Scope, state: State) -> bool:
        """Drops the alternatives that contradict a condition. False when none is left: the branch is dead."""
        if isinstance(cond, s.Unary) and cond.op == "!":
            return self.narrow(cond.x, not holds, scope, state)
        if isinstance(cond, s.Binary):
            if (cond.op == "&&" and holds) or (cond.op == "||" and not holds):
                return self.narrow(cond.x, holds, scope, state) and self.narrow(cond.y, holds, scope, state)
            if cond.op in ("==", "!=") and isinstance(cond.y, s.Ident) and cond.y.name == "nil":
                wants_nil = holds is (cond.op == "==")
                return self._narrow_cell(cond.x, "nil" if wants_nil else "non-nil", scope, state)
            return True
        if isinstance(cond, s.Ident):
            return self._narrow_cell(cond, "true" if holds else "false", scope, state)
        return True

    def _narrow_cell(self, expr: s.Expr, what: str, scope: Scope, state: State) -> bool:
        cell = scope.lookup(expr.name) if isinstance(expr, s.Ident) else None
        path: tuple[str, ...] = ()
        if cell is None:
            if not isinstance(expr, s.Selector) or self._is_package(expr.x, scope):
                return True
            target = self._address(expr, scope, state)
            if target is None:
                return True
            cell, path = target.cell, target.path
        value = self.load(Pointer(cell, path), state)
        kept: list[Val] = []
        for v in value:
            if isinstance(v, Lazy):
                kept.append(self._narrow_lazy(v, what, state))
            elif what in ("nil", "non-nil"):
                if self.is_nil(v) in (None, what == "nil"):
                    kept.append(v)
            elif self.truth_of(v) in (None, what == "true"):
                known = isinstance(v, Unknown | Input)
                kept.append(Const(what == "true") if known and isinstance(expr, s.Ident) else v)
        if not kept:
            return False
        if len(kept) != len(value) or any(a is not b for a, b in zip(kept, value, strict=False)):
            self.store(cell, path, tuple(kept), state)
        return True

    def _narrow_lazy(self, lazy: Lazy, what: str, state: State) -> Lazy:
        """Remembers the condition in every variable that holds a result of the same call."""
        condition = (lazy.index, what)
        for cell, value in list(state.cells.items()):
            if any(isinstance(v, Lazy) and v.call is lazy.call for v in value):
                state.cells[cell] = tuple(
                    _given(v, condition) if isinstance(v, Lazy) and v.call is lazy.call else v for v in value
                )
        return _given(lazy, condition)

    def _switch(self, stmt: s.Switch, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        tag = self.force(self.eval(stmt.tag, inner, state)) if stmt.tag is not None else (TRUE,)
        if state.dead:
            return None
        loop = self._enter_loop(scope, is_loop=False)
        outcomes: list[State | None] = []
        remaining: State | None = state
        fall: State | None = None
        default_index: int | None = None
        entries: list[State | None] = []
        for i, clause in enumerate(stmt.clauses):
            if clause.exprs is None:
                default_index = i
                entries.append(None)
                continue
            if remaining is None:
                entries.append(None)
                continue
            matches = self._clause_matches(clause, stmt, tag, inner, remaining)
            if matches is False:
                entries.append(None)
            elif matches is True:
                entries.append(remaining)
                remaining = None
            else:
                branch = remaining.fork()
                narrowed = self._narrow_clause(clause, stmt, inner, branch)
                entries.append(branch if narrowed else None)
        if default_index is not None:
            entries[default_index] = remaining
            remaining = None
        for clause, entry in zip(stmt.clauses, entries, strict=True):
            start = join([entry, fall])
            fall = None
            if start is None:
                continue
            end = self._stmts(clause.body, Scope(inner, scope.frame), start)
            last = clause.body[-1] if clause.body else None
            if isinstance(last, s.Branch) and last.keyword == "fallthrough":
                fall = end
            else:
                outcomes.append(end)
        self._exit_loop(scope)
        return join([*outcomes, remaining, *loop.breaks])

    def _narrow_clause(self, clause: s.Clause, stmt: s.Switch, scope: Scope, state: State) -> bool:
        if stmt.tag is None and clause.exprs is not None and len(clause.exprs) == 1:
            return self.narrow(clause.exprs[0], True, scope, state)
        return True

    def _clause_matches(
        self, clause: s.Clause, stmt: s.Switch, tag: Value, scope: Scope, state: State
    ) -> bool | None:
        answer: bool | None = False
        for expr in clause.exprs or []:
            value = self.force(self.eval(expr, scope, state))
            answers = {self._equal(x, y) for x in tag for y in value}
            this = answers.pop() if len(answers) == 1 else None
            if stmt.tag is None:
                this = self.truth(value)
            if this is True:
                return True if answer is False else None
            if this is None:
                answer = None
        return answer

    def _type_switch(self, stmt: s.TypeSwitch, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        x = stmt.x.x if isinstance(stmt.x, s.TypeAssert) else stmt.x
        value = self.force(self.eval(x, inner, state))
        loop = self._enter_loop(scope, is_loop=False)
        outcomes: list[State | None] = []
        left = list(value)
        for clause in sorted(stmt.clauses, key=lambda c: c.exprs is None):
            chosen, left = self._type_case(clause, left, inner, state)
            if not chosen:
                continue
            branch = state.fork()
            body = Scope(inner, scope.frame)
            if stmt.name:
                self._declare(stmt.name, tuple(chosen), body, branch)
            outcomes.append(self._stmts(clause.body, body, branch))
        if left and all(c.exprs is not None for c in stmt.clauses):
            outcomes.append(state)
        self._exit_loop(scope)
        return join([*outcomes, *loop.breaks])

    def _type_case(
        self, clause: s.Clause, left: list[Val], scope: Scope, state: State
    ) -> tuple[list[Val], list[Val]]:
        """The alternatives that a case takes, and those that go on to the next."""
        if clause.exprs is None:
            return left, []
        chosen: list[Val] = []
        rest: list[Val] = []
        for v in left:
            answers = []
            types = []
            for expr in clause.exprs:
                if isinstance(expr, s.Ident) and expr.name == "nil":
                    answers.append(self.is_nil(v))
                else:
                    type_ = self.types.resolve(expr, scope.frame.file, scope.frame.package, scope)
                    types.append(type_)
                    answers.append(self.has_type(v, type_, state))
            if any(a is True for a in answers):
                chosen.append(v)
            elif any(a is None for a in answers):
                typed = types[0] if len(types) == 1 else None
                if isinstance(v, Unknown) and typed is not None:
                    chosen.append(Unknown(v.reason, v.site, type_=typed, broken=v.broken))
                elif isinstance(v, Input) and typed is not None:
                    chosen.append(Input(v.origin, typed, v.key, v.site))
                else:
                    chosen.append(v)
                rest.append(v)
            else:
                rest.append(v)
        return chosen, rest

    def _select(self, stmt: s.Select, scope: Scope, state: State) -> State | None:
        loop = self._enter_loop(scope, is_loop=False)
        outcomes: list[State | None] = []
        for clause in stmt.clauses:
            branch = state.fork()
            inner = Scope(scope, scope.frame)
            if not self.lazy and len(stmt.clauses) > 1 and self._is_never_ready(clause, inner, branch.fork()):
                continue
            after: State | None = branch
            if clause.comm is not None:
                after = self.exec(clause.comm, inner, branch)
            outcomes.append(self._stmts(clause.body, inner, after) if after is not None else None)
        self._exit_loop(scope)
        return join([*outcomes, *loop.breaks])

    def _is_never_ready(self, clause: s.Clause, scope: Scope, state: State) -> bool:
        """`<-ctx.Done()` of the context that a simulation planted: nobody cancels it."""
        comm = clause.comm
        expr = comm.x if isinstance(comm, s.ExprStmt) else comm.rhs[0] if isinstance(comm, s.Assign) else None
        if not isinstance(expr, s.Unary) or expr.op != "<-":
            return False
        value = self.eval(expr.x, scope, state)
        v = value[0] if len(value) == 1 else None
        return (
            isinstance(v, Extern)
            and v.name == "Done"
            and v.recv is not None
            and any(isinstance(x, Opaque) for x in v.recv)
        )

    # ---------------------------------------------------------------- loops

    def _enter_loop(self, scope: Scope, *, is_loop: bool, label: str | None = None) -> Loop:
        frame = scope.frame
        pending = getattr(self, "_pending_label", None)
        loop = Loop(label or pending, is_loop)
        self._pending_label: str | None = None
        frame.loops.append(loop)
        return loop

    def _exit_loop(self, scope: Scope) -> None:
        scope.frame.loops.pop()

    def _labeled(self, stmt: s.Labeled, scope: Scope, state: State) -> State | None:
        self._pending_label = stmt.label
        if isinstance(stmt.stmt, s.For | s.Range | s.Switch | s.TypeSwitch | s.Select):
            return self.exec(stmt.stmt, scope, state)
        self._pending_label = None
        loop = self._enter_loop(scope, is_loop=False, label=stmt.label)
        end = self.exec(stmt.stmt, scope, state)
        self._exit_loop(scope)
        return join([end, *loop.breaks])

    def _branch(self, stmt: s.Branch, scope: Scope, state: State) -> State | None:
        if stmt.keyword == "fallthrough":
            return state
        for loop in reversed(scope.frame.loops):
            if stmt.label is not None and loop.label != stmt.label:
                continue
            if stmt.keyword == "break":
                loop.breaks.append(state)
                return None
            if stmt.keyword == "continue" and loop.is_loop:
                loop.continues.append(state)
                return None
        return None if stmt.keyword != "goto" else state

    def _for(self, stmt: s.For, scope: Scope, state: State) -> State | None:
        inner = Scope(scope, scope.frame)
        if stmt.init is not None:
            after = self.exec(stmt.init, inner, state)
            if after is None:
                return None
            state = after
        loop = self._enter_loop(scope, is_loop=True)
        try:
            return self._iterate(stmt, inner, state, loop)
        finally:
            self._exit_loop(scope)

    def _iterate(self, stmt: s.For, scope: Scope, state: State, loop: Loop) -> State | None:
        """Runs a loop exactly while its condition is known, else for zero, one and two rounds."""
        current: State | None = state
        for _ in range(self.limits.unroll):
            if current is None:
                return join(loop.breaks)
            condition = self.truth(self.eval(stmt.cond, scope, current)) if stmt.cond is not None else True
            if condition is False:
                return join([current, *loop.breaks])
            if condition is None:
                return self._iterate_unknown(stmt, scope, current, loop)
            if stmt.cond is None and len(loop.breaks) > 0:
                return self._iterate_unknown(stmt, scope, current, loop)
            current = self._round(stmt, scope, current, loop)
        return join([current, *loop.breaks])

    def _round(self, stmt: s.For, scope: Scope, state: State, loop: Loop) -> State | None:
        loop.continues = []
        end = self._block(stmt.body, scope, state)
        end = join([end, *loop.continues])
        if end is not None and stmt.post is not None:
            end = self.exec(stmt.post, scope, end)
        return end

    def _iterate_unknown(self, stmt: s.For, scope: Scope, state: State, loop: Loop) -> State | None:
        ends: list[State | None] = [state]
        current: State | None = state
        for _ in range(2):
            if current is None:
                break
            start = current.fork()
            if stmt.cond is not None:
                if self.truth(self.eval(stmt.cond, scope, start)) is False:
                    break
                if not self.narrow(stmt.cond, True, scope, start):
                    break
            after = self._round(stmt, scope, start, loop)
            current = self._blur(current, after)
            ends.append(current)
        result = join(ends if stmt.cond is not None else [])
        if result is not None and stmt.cond is not None:
            self.narrow(stmt.cond, False, scope, result)
        return join([result, *loop.breaks])

    @staticmethod
    def _blur(before: State, after: State | None) -> State | None:
        """Scalars that a round changed can have any value after several rounds."""
        if after is None:
            return None
        for cell, value in after.cells.items():
            old = before.cells.get(cell)
            if old is None or old is value:
                continue
            if any(isinstance(v, Const) and not isinstance(v.value, bool | str) for v in value):
                kept = [v for v in value if not isinstance(v, Const)]
                after.cells[cell] = (*kept, Unknown("changed in a loop"))
        return after

    def _range(self, stmt: s.Range, scope: Scope, state: State) -> State | None:
        value = self.force(self.eval(stmt.x, scope, state))
        if state.dead:
            return None
        outcomes: list[State | None] = []
        for v in value[:6]:
            loop = self._enter_loop(scope, is_loop=True)
            branch = state.fork() if len(value) > 1 else state
            try:
                outcomes.append(self._range_over(stmt, v, scope, branch, loop))
            finally:
                self._exit_loop(scope)
        return join(outcomes)

    def _range_over(self, stmt: s.Range, v: Val, scope: Scope, state: State, loop: Loop) -> State | None:
        if isinstance(v, Pointer):
            inner = self.force(self.load(v, state))
            v = inner[0] if len(inner) == 1 else v
        rounds, open_ = self._rounds(v, state)
        current: State | None = state
        for key, element in rounds:
            if current is None:
                break
            current = self._range_round(stmt, key, element, scope, current, loop)
        if open_ and current is not None:
            site = self._site(stmt.x, scope)
            elem_type = self._elem(getattr(v, "type", None))
            ends: list[State | None] = [current]
            if isinstance(v, Input):
                element = (Input(f"element of {v.origin}", elem_type, (v.key, "range"), site),)
            elif isinstance(v, Extern):
                element = (Extern(v.path, v.name + "[]", (), recv=(v,), site=site),)
            else:
                reason = v.reason if isinstance(v, Unknown) else "an element"
                element = (Unknown(reason, site, type_=elem_type),)
                if isinstance(v, Seq):
                    for item in v.items:
                        element = union(element, item)
            for _ in range(2):
                if current is None:
                    break
                start = current.fork()
                after = self._range_round(stmt, (Unknown("index"),), element, scope, start, loop)
                current = self._blur(current, after)
                ends.append(current)
            current = join(ends)
        return join([current, *loop.breaks])

    def _rounds(self, v: Val, state: State) -> tuple[list[tuple[Value, Value]], bool]:
        """The known rounds of a range, and whether there may be more."""
        if isinstance(v, Nil):
            return [], False
        if isinstance(v, Seq) and len(v.items) <= self.limits.unroll:
            return [((Const(i),), item) for i, item in enumerate(v.items)], v.open
        if isinstance(v, Const) and isinstance(v.value, int) and not isinstance(v.value, bool):
            if 0 <= v.value <= self.limits.unroll:
                return [((Const(i),), (Const(i),)) for i in range(v.value)], False
        if isinstance(v, Map):
            data = self.read(v.cell, state)
            if len(data) == 1 and isinstance(data[0], MapData) and len(data[0].entries) <= self.limits.unroll:
                rounds: list[tuple[Value, Value]] = []
                for key, value in data[0].entries.items():
                    known = not (isinstance(key, tuple) and key[:1] == ("?",))
                    rounds.append(((Const(key) if known else Unknown("key of a map"),), value))
                return rounds, data[0].open
        return [], True

    def _range_round(
        self, stmt: s.Range, key: Value, element: Value, scope: Scope, state: State, loop: Loop
    ) -> State | None:
        inner = Scope(scope, scope.frame)
        for target, value in ((stmt.key, key), (stmt.value, element)):
            if target is None:
                continue
            if stmt.define and isinstance(target, s.Ident):
                self._declare(target.name, value, inner, state)
            else:
                self._assign_to(target, value, scope, state)
        loop.continues = []
        end = self._block(stmt.body, inner, state)
        return join([end, *loop.continues])

    # ---------------------------------------------------------------- leaving

    def _return(self, stmt: s.Return, scope: Scope, state: State) -> State | None:
        frame = scope.frame
        count = max(len(frame.result_types), 1)
        if not stmt.values:
            frame.returns.append((self._named_results(frame, state), state))
            return None
        values = self._right_sides(stmt.values, count, scope, state)
        if state.dead:
            return None
        values = [
            self._typed(v, t) if t is not None else v
            for v, t in zip(values, [*frame.result_types, *[None] * count], strict=False)
        ]
        if frame.result_cells:
            for cell, value in zip(frame.result_cells, values, strict=False):
                state.cells[cell] = value
        frame.returns.append((values, state))
        return None

    def _defer(self, stmt: s.Defer, scope: Scope, state: State) -> State | None:
        call = stmt.call
        if not isinstance(call, s.Call):
            return state
        callee = self.eval(call.fun, scope, state)
        args = [self.eval(a, scope, state) for a in call.args]
        if state.dead:
            return None
        is_recover = any(isinstance(v, Extern) and (v.path, v.name) == ("builtin", "recover") for v in callee)
        deferred = DeferredCall(callee, args, call.ellipsis, self._site(call, scope), is_recover)
        frame = scope.frame
        frame.has_defers = True
        current = state.cells.get(frame.defer_cell) or (Deferred(()),)
        state.cells[frame.defer_cell] = tuple(
            Deferred((*d.calls, deferred)) for d in current if isinstance(d, Deferred)
        )
        return state

    def _go(self, stmt: s.Go, scope: Scope, state: State) -> State | None:
        """A goroutine has a stack of its own: panics in it are not stopped by the frames here."""
        call = stmt.call
        if not isinstance(call, s.Call):
            return state
        callee = self.eval(call.fun, scope, state)
        args = [self.eval(a, scope, state) for a in call.args]
        if state.dead:
            return None
        if self.lazy:
            return state
        saved = self.frame
        branch = state.fork()
        site = self._site(call, scope)
        try:
            for v in self.force(callee):
                self.frame = stack = Frame(scope.frame.func, site, None, None)
                self._call_one(v, list(args), branch, site, call.ellipsis, 1)
                if stack.panics and self.on_exit is not None:
                    self.on_exit(Extern("builtin", "panic in a goroutine", (), site=site), stack.panics[0][1])
        finally:
            self.frame = saved
        joined = join([state, branch])
        if joined is not None:
            state.cells = joined.cells
        return state

    # ================================================================ entry points

    def derive(self, *, lazy: bool, limits: Limits | None = None) -> Evaluator:
        """Another evaluator over the same memory, for a simulation that starts from a state of this one."""
        other = Evaluator(self.program, self.types, self.effects, lazy=lazy, limits=limits)
        other.heap, other._cells, other.consulted = self.heap, self._cells, self.consulted
        return other

    def simulate(self, func: Func, args: list[Value], state: State) -> list[list[Value]]:
        """Calls a function from the outside and gives the results of every way out.

        `uncaught` holds the panics that left it; `state` becomes memory after it.
        """
        try:
            return self._call_exits(func, args, state, None)
        except WorkLimitError:
            self.exhausted = True
            state.dead = True
            return []

    def run(
        self,
        func: Func,
        args: list[Value] | None = None,
        *,
        state: State | None = None,
        until: int | None = None,
    ) -> State | None:
        """Evaluates a function from the outside: parameters that are not given are `Input`.

        `until` is a byte offset behind which statements of its body are left out. Returns memory at its end, or
        None when it does not return or a limit was hit (`exhausted`).
        """
        node = func.node
        inputs = args if args is not None else self.inputs(func)
        if isinstance(node, s.FuncDecl) and node.receiver is not None and func.receiver is None:
            type_ = self.types.resolve(node.receiver.type, func.file, func.package)
            key = ("receiver", func.file.path, node.start)
            site = Site(func.file, node.receiver.start, node.receiver.end)
            receiver: Value = (Input(f"receiver of {node.name}", type_, key, site),)
            func = Func(node, func.file, func.package, func.scope, receiver, func.site)
        memory = State() if state is None else state.fork()
        self.until = (id(node), until) if until is not None else None
        self.eager.add(id(node))
        try:
            self._call_exits(func, inputs, memory, None)
        except WorkLimitError:
            self.exhausted = True
            return None
        return None if memory.dead else memory

    def inputs(self, func: Func) -> list[Value]:
        """The parameters of a function as its callers may choose them."""
        out: list[Value] = []
        for i, param in enumerate(func.node.params):
            type_ = self.types.resolve(param.type, func.file, func.package, func.scope)
            if param.variadic and type_ is not None:
                type_ = self.types.slice(type_)
            key = ("param", func.file.path, func.node.start, i)
            site = Site(func.file, param.start, param.end)
            out.append((Input(f"parameter {param.name}", type_, key, site),))
        return out


def _in_init(declared: Declaration, statement: s.Assign) -> bool:
    """True for a statement of an `init` function that always runs, before anything else can read the variable."""
    node = declared.node
    if not isinstance(node, s.FuncDecl) or node.name != "init" or node.receiver is not None:
        return False
    return any(stmt is statement for stmt in node.body.stmts)


def _given(lazy: Lazy, condition: tuple[int, str]) -> Given:
    known = lazy.conditions if isinstance(lazy, Given) else ()
    return Given(lazy, known if condition in known else (*known, condition))


def _join_results(exits: list[list[Value]], site: Site | None) -> list[Value]:
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


def _shape(expr: s.CompositeLit) -> str:
    """What a composite literal of a type that is not known looks like."""
    if isinstance(expr.type, s.ArrayType):
        return "slice"
    if isinstance(expr.type, s.MapType):
        return "map"
    return "struct"


def _empty_function(node: s.Node) -> s.FuncDecl:
    return s.FuncDecl(node.start, node.end, "", None, [], [], [], None)
