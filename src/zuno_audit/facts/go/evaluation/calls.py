"""Calls of functions of the repository: arguments, activations, bounds on work, and what escapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.evaluation.panics import Panics
from zuno_audit.facts.go.evaluation.records import (
    CallRecord,
    Deferred,
    Frame,
    Panic,
    Scope,
    WorkLimitError,
    join_results,
)
from zuno_audit.facts.go.values import (
    NIL,
    Cell,
    Extern,
    Func,
    Input,
    Lazy,
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
    union,
)
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.types import Type


class Calls(Panics):
    """Calls functions (specification, "Calls")."""

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
        hook, self.on_reference = self.on_reference, None
        value = self.eval(fun, scope, state)
        self.on_reference = hook
        return self.force(value) if any(isinstance(v, Lazy) for v in value) else value

    def _arguments(self, expr: s.Call, scope: Scope, state: State) -> list[Value]:
        first = expr.args[0] if len(expr.args) == 1 else None
        if isinstance(first, s.Call) and not expr.ellipsis and id(first) not in self.special:
            return self.call(first, scope, state)  # f(g()) with several results of g
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
        joined = self.join([b for _, b in outcomes])
        if joined is None:
            state.dead = True
            return [(Unknown("a call that does not return", site),)] * wanted
        state.become(joined)
        return join_results([r for r, _ in outcomes], site)

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
            self._forget(args, state, v)
            return [
                (Input(f"result of {v.origin}", None, (v.key, "()", i), site),) for i in range(max(wanted, 1))
            ]
        if isinstance(v, TypeValue) and args:
            return [args[0]]
        self._forget([tuple(x for value in args for x in value if isinstance(x, Pointer))], state, deep=False)
        reason = v.reason if isinstance(v, Unknown) else "a function that is not followed"
        broken = isinstance(v, Unknown) and v.broken
        return [(Unknown(reason, site, broken=broken),)] * max(wanted, 1)

    def _call_func(
        self, func: Func, args: list[Value], state: State, site: Site, spread: bool
    ) -> list[Value]:
        node = func.node
        if isinstance(node, s.FuncDecl) and node.receiver is not None and func.receiver is None and args:
            func = Func(node, func.file, func.package, func.scope, args[0], func.site)  # a method expression
            args = args[1:]
        args = self._bind_variadic(func, args, spread)
        if self.on_func is not None:
            self.on_func(func, args, state, site)
        may_wait = self.lazy or (self.scalars_wait and self._is_scalar(func))
        if may_wait and id(node) not in self.eager and self._may_postpone(func, args, state):
            record = CallRecord(self, func, args, state.snapshot(), site)
            if self.trail is not None:
                self.trail.append(record)
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
        return join_results(exits, site)

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

    def _is_scalar(self, func: Func) -> bool:
        """True for functions that make numbers and texts of numbers and texts, and say nothing of panics."""
        node = func.node
        known = self.effects.scalar.get(id(node))
        if known is None:
            text = func.file.data[node.start : node.end]
            loud = any(word in text for word in (b"panic(", b"recover(", b"Exit(", b"Fatal", b"Panic"))
            types = [
                self.types.resolve(p.type, func.file, func.package, func.scope)
                for p in (*node.params, *node.results)
            ]
            basic = all(t is not None and self._is_basic(t) for t in types)
            known = bool(node.results) and not loud and basic and func.receiver is None
            self.effects.scalar[id(node)] = known
        return known

    def _may_postpone(self, func: Func, args: list[Value], state: State) -> bool:
        if isinstance(func.node, s.FuncLit):
            return False
        if any(isinstance(v, Opaque) and v.on_call is not None for value in args for v in value):
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
        self.called.add(id(node))
        if func.file.error_line:
            reason = f"{func.file.path} does not parse (line {func.file.error_line})"
            return [[(Unknown(reason, site, broken=True),)] * max(len(node.results), 1)]
        if isinstance(node, s.FuncDecl) and not node.has_body:
            return [[(Unknown(f"{node.name} has no body", site),)] * max(len(node.results), 1)]
        if self.depth >= self.limits.depth or self._recursion(node) > self.limits.recursion:
            self._forget(args, state)
            return [
                [(Unknown("recursion or nesting beyond what is followed", site),)] * max(len(node.results), 1)
            ]
        return self._bounded(func, args, state, site, panic)

    def _bounded(
        self, func: Func, args: list[Value], state: State, site: Site | None, panic: Panic | None
    ) -> list[list[Value]]:
        """A call with its own share of work, so that one large callee cannot starve the rest."""
        outer = self.step_limit
        if self.lazy and id(func.node) not in self.eager:
            self.step_limit = min(outer, self.steps + self.limits.steps_per_call)
        before = state.cells.copy()
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
            stop = self.stops.get(id(func.node))
            if stop is not None:
                stmts = [stmt for stmt in stmts if stmt.start < stop]
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
                cell = self._declare(param.name, self.zero_of(param.type, type_), scope, state)
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

    def _escape(self, args: list[Value], state: State, site: Site) -> None:
        """Values are handed to code that is not followed: it may call what it gets and write through it."""
        for value in args:
            for v in value:
                if isinstance(v, Func):
                    literal = v.node if isinstance(v.node, s.FuncLit) else None
                    if not self.lazy or (literal is not None and self.effects.assigns_captured(literal)):
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
                    type_=self.types.resolve(p.type, v.file, v.package, v.scope)
                    if isinstance(v, Func)
                    else None,
                ),
            )
            for p in params
        ]
        self._call_one(v, args, branch, site, False, 1)
        joined = self.join([state, branch])
        if joined is not None:
            state.cells = joined.cells

    def _forget(
        self, values: list[Value], state: State, by: Input | None = None, *, deep: bool = True
    ) -> None:
        """What code that is not followed can reach by these values is no longer known.

        `by` is what the caller decides: then it decides what is there now as well.
        """
        seen: set[Cell] = set()
        stack = [v for value in values for v in value]
        while stack:
            v = stack.pop()
            if isinstance(v, Pointer) and v.cell not in seen:
                seen.add(v.cell)
                old = self.read(v.cell, state)
                if deep:
                    stack.extend(old)
                state.cells[v.cell] = tuple(self._forgotten(o, v.cell, by) for o in old)
            elif isinstance(v, Struct) and deep:
                stack.extend(x for value in v.fields.values() for x in value)
            elif isinstance(v, Seq) and deep:
                stack.extend(x for value in v.items for x in value)

    def _forgotten(self, old: Val, cell: Cell, by: Input | None) -> Val:
        type_ = getattr(old, "type", None)
        if isinstance(old, Struct) and by is not None and type_ is not None:
            fields: dict[str, Value] = {}
            for field in self.types.fields(type_):
                origin = f"{by.origin}, which sets {field.name}"
                kind = self.types.field_type(type_, field.name)
                fields[field.name] = (Input(origin, kind, (by.key, "sets", cell, field.name), by.site),)
            return Struct(type_, fields, True, old.site)
        if isinstance(old, Struct):
            return Struct(type_, {}, True, old.site)
        if by is not None:
            return Input(f"{by.origin}, which sets it", type_, (by.key, "sets", cell), by.site)
        return Unknown("changed by code that is not followed", type_=type_)

    def _overwrite(self, args: list[Value], state: State, by: str) -> None:
        """A library fills what it gets a pointer to: a decoder, a flag set, a configuration loader."""
        for value in args:
            for v in value:
                if isinstance(v, Pointer):
                    new: Value = ()
                    for old in self.force(self.load(v, state)):
                        new = union(new, (self._overwritten(old, state, by, 0),))
                    self.store(v.cell, v.path, new, state)

    def _overwritten(self, old: Val, state: State, by: str, depth: int) -> Val:
        """The value with everything that can be read from outside no longer known."""
        type_ = getattr(old, "type", None)
        if isinstance(old, Pointer) and depth < 6:
            self._overwrite([(old,)], state, by)
            return old
        if isinstance(old, Func | Extern | Opaque):
            return old
        if not isinstance(old, Struct) or type_ is None or depth >= 6:
            return Unknown(f"read by {by}", type_=type_)
        fields = dict(old.fields)
        for field in self.types.fields(type_):
            kind = self.types.field_type(type_, field.name)
            if not field.name[:1].isupper() or ':"-"' in field.tag or not self._can_be_read(kind):
                fields.setdefault(field.name, self._field(old, field.name))
            elif kind is not None and self._is_struct(kind):
                inner = self._field(old, field.name)
                fields[field.name] = tuple(
                    self._overwritten(x, state, by, depth + 1) for x in self.force(inner)
                )
            else:
                fields[field.name] = (Unknown(f"read by {by}", type_=kind),)
        return Struct(type_, fields, old.open, old.site)

    def _is_struct(self, type_: Type) -> bool:
        under = self.types.underlying(type_)
        return under is not None and under.kind == "struct"

    def _can_be_read(self, type_: Type | None) -> bool:
        """False for functions, channels, interfaces with methods, and lists and maps of those."""
        from zuno_audit.facts.go import library

        if type_ is None:
            return True
        if type_.kind == "extern":
            return not library.is_interface(type_)
        under = self.types.underlying(type_)
        if under is None:
            return True
        if under.kind in ("slice", "array", "map", "pointer"):
            return self._can_be_read(under.elem)
        return under.kind not in ("func", "chan") and not self.types.interface_methods(type_)
