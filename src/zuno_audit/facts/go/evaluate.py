"""The evaluator: what an expression can be, and on which paths.

A forward abstract interpreter over `languages/go/syntax.py`. It follows locals, branches, loops, struct
fields, pointers, closures, methods, multi-value results, defers and panics through all packages of the
repository; what libraries do is in `library.py`. Calls whose result nobody needs and that change nothing
are not evaluated (`Lazy`). Work is bounded by `Limits`; what is beyond them is `Unknown`, never guessed.

The semantics follow the Go language specification; section names are given where they decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from zuno_audit.facts.go.effects import Effects
from zuno_audit.facts.go.evaluation.core import Watch
from zuno_audit.facts.go.evaluation.loops import Loops
from zuno_audit.facts.go.evaluation.records import (
    BUILTINS,
    CallRecord,
    Comparison,
    Frame,
    Limits,
    Scope,
    WorkLimitError,
)
from zuno_audit.facts.go.own_variables import start_of_program
from zuno_audit.facts.go.types import Types
from zuno_audit.facts.go.values import (
    Extern,
    Func,
    Input,
    Site,
    State,
    Value,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Program


__all__ = [
    "BUILTINS",
    "CallRecord",
    "Comparison",
    "Evaluator",
    "Frame",
    "Limits",
    "Scope",
    "Watch",
    "WorkLimitError",
]

_ENVIRONMENT = ("Getenv", "LookupEnv")
# Libraries that keep the functions which they get for later, and call none of them at once.
_KEEP_FUNCTIONS = ("google.golang.org/grpc", "github.com/grpc-ecosystem/")


class Evaluator(Loops):
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
        super().__init__(program, types, effects, lazy=lazy, limits=limits)
        self._expressions = {
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
        self._statements = {
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

    def _call_extern(
        self, v: Extern, args: list[Value], state: State, site: Site, spread: bool, wanted: int
    ) -> list[Value]:
        from zuno_audit.facts.go import library

        if v.args is not None:  # the result of a call from elsewhere is called
            self._escape(args, state, site)
            call = Extern(
                v.path, v.name + "()", tuple(args), recv=(v,), site=site, state=state, spread=spread
            )
            return [self._result(call, i) for i in range(max(wanted, 1))]
        key = (v.path, v.name) if v.recv is None else (v.path, "." + v.name)
        if v.path == "os" and v.name in _ENVIRONMENT:
            self.asks_environment.add(site)
        model = self.models.get(key)
        if model is not None:
            results = model(self, v, args, state, site)
            if results is not None:
                return list(results)
        if not v.path.startswith(_KEEP_FUNCTIONS):
            self._escape(args, state, site)
        if library.writes_arguments(v.name):
            self._overwrite(args, state, f"{v.path.rpartition('/')[2]}.{v.name}")
        snapshot = state.snapshot()
        call = Extern(v.path, v.name, tuple(args), recv=v.recv, spread=spread, state=snapshot, site=site)
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

    def _builtin(self, name: str, expr: s.Call, scope: Scope, state: State) -> Value:
        from zuno_audit.facts.go import builtins

        return builtins.call(self, name, expr, scope, state)

    def unparsed(self) -> str:
        """The first file with a syntax error among those whose functions were evaluated, or the empty string."""
        return next((path for path, file in sorted(self.consulted.items()) if file.error_line), "")

    def watch(self, expr: s.Expr, note: Callable[[Value, State], None]) -> None:
        """Tells `note` what one expression gives, each time that it is evaluated."""
        self.special.add(id(expr))
        usual = self._expressions[type(expr)]

        def expression(one: s.Expr, scope: Scope, state: State) -> Value:
            value = usual(one, scope, state)
            if one is expr and not state.dead:
                note(value, state)
            return value

        self._expressions[type(expr)] = expression

    def replace(self, expr: s.Expr, stand_in: Value) -> None:
        """Lets one expression give another value than its own."""
        self.special.add(id(expr))
        self.replaced.append((expr, stand_in))
        usual = self._expressions[type(expr)]
        self._expressions[type(expr)] = lambda one, scope, state: (
            stand_in if one is expr else usual(one, scope, state)
        )

    def derive(self, *, lazy: bool, limits: Limits | None = None) -> Evaluator:
        """Another evaluator over the same memory, for a simulation that starts from a state of this one."""
        other = Evaluator(self.program, self.types, self.effects, lazy=lazy, limits=limits)
        other.heap, other._cells, other.consulted = self.heap, self._cells, self.consulted
        other.called, other.heap_since, other.models = self.called, self.heap_since, self.models
        other.asks_environment = self.asks_environment
        for expr, stand_in in self.replaced:
            other.replace(expr, stand_in)
        return other

    def apart(self, limits: Limits) -> Evaluator:
        """Another evaluator with memory of its own."""
        return Evaluator(self.program, self.types, self.effects, limits=limits)

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

        `until` is a byte offset behind which statements of its body are left out. Returns memory at its end,
        or None when it does not return or a limit was hit (`exhausted`).
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
        start_of_program(self, func, memory)
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
