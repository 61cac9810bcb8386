"""What happens when an environment variable is missing: a default takes its place, or the program refuses.

A wrapper is tried out: it is evaluated in an empty environment, and what comes out is its default (the
parameter that is handed back, or a constant); when nothing comes out, the variable is required. For a call in
ordinary code the statements around it are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go.bindings import FunctionNode, called_name, calls_in, is_same, parents
from zuno_audit.facts.go.evaluate import Limits
from zuno_audit.facts.go.library import MODELS
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.static_types import called
from zuno_audit.facts.go.values import (
    FALSE,
    TRUE,
    Const,
    Func,
    Input,
    Pointer,
    Seq,
    Site,
    State,
    Unknown,
    Val,
    Value,
)
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.library import Model
    from zuno_audit.facts.go.texts import Texts
    from zuno_audit.languages.go.parse import GoFile

_ENDS = frozenset(
    [
        "Fatal",
        "Fatalf",
        "Fatalln",
        "Fatalw",
        "Exit",
        "Panic",
        "Panicf",
        "Panicln",
        "Panicw",
        "panic",
        "Goexit",
    ]
)
# Functions that give an error for an empty text.
_REFUSE_NOTHING = frozenset(["Atoi", "ParseInt", "ParseUint", "ParseFloat", "ParseBool", "ParseDuration"])
_UNCHANGED = frozenset(["TrimSpace", "ToLower", "ToUpper", "Trim", "string", "TrimSuffix", "TrimPrefix"])
MAX_DEFAULT = 200


class Missing(Struct, frozen=True):
    """What a reading function does without the variable.

    `parameter` is the index of the parameter that it hands back, `constant` a constant that it gives;
    `required` yes when it does not return; `reports` when it gives an error or false besides.
    """

    parameter: int | None = None
    constant: str | None = None
    required: str = NO
    reports: bool = False


def _empty(ev: Evaluator, v: object, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    return [(Const("", None, site),)]


def _not_found(ev: Evaluator, v: object, args: list[Value], state: State, site: Site) -> Iterable[Value]:
    return [(Const("", None, site),), (FALSE,)]


_EMPTY_ENVIRONMENT = {
    **MODELS,
    ("os", "Getenv"): _empty,
    ("os", "LookupEnv"): _not_found,
    ("syscall", "Getenv"): _not_found,
}


def try_without(
    analysis: Analysis,
    declared: Declaration,
    literal: s.FuncLit | None = None,
    given: Mapping[str, Value] | None = None,
) -> Missing:
    """Evaluates a reading function, or a function literal inside it, in an empty environment.

    `given` are the values of some of its parameters.
    """
    node = declared.node if literal is None else literal
    assert isinstance(node, s.FuncDecl | s.FuncLit)
    ev, func, state, args, targets = _prepared(analysis, declared, node)
    args = [(given or {}).get(p.name or "", v) for p, v in zip(node.params, args, strict=True)]
    ev.models = _EMPTY_ENVIRONMENT
    exits = ev.simulate(func, args, state)
    if ev.exhausted:
        return Missing(required=UNKNOWN)
    if not exits:
        return Missing(required=YES)
    reports = len(node.results) > 1 and all(_is_refusal(ev, results) for results in exits)
    found: Value = ()
    if node.results:
        for results in exits:
            found += ev.force(results[0]) if results else ()
    else:
        for target in targets:
            found += ev.force(ev.load(target, state))
    missing = replace(_default_among(found, node, declared.file), reports=reports)
    text = declared.file.data[node.start : node.end]
    keeps = b"append(" in text and analysis.effects.writes(node, declared.file, declared.package)
    if keeps and missing.constant is None and missing.parameter is None and not reports:
        return replace(missing, required=UNKNOWN)  # somebody may look at the list of what is missing
    return missing


def refuses_each(analysis: Analysis, declared: Declaration, names: list[str]) -> bool:
    """True when a function that gets several names refuses to go on without one of them, though it finds the others."""
    node = declared.node
    assert isinstance(node, s.FuncDecl)
    index = next((i for i, p in enumerate(node.params) if p.variadic), None)
    if index is None:
        return True
    for missing in (names[0], names[-1]):
        ev, func, state, args, _ = _prepared(analysis, declared, node)
        ev.models = {**MODELS, **_environment_without(missing)}
        args[index] = (Seq(tuple((Const(name),) for name in names), False, None),)
        exits = ev.simulate(func, args, state)
        if exits and not all(_is_refusal(ev, results) for results in exits):
            return False
    return True


def _environment_without(name: str) -> dict[tuple[str, str], Model]:
    def getenv(ev: Evaluator, v: object, args: list[Value], state: State, site: Site) -> Iterable[Value]:
        is_missing = any(isinstance(k, Const) and k.value == name for k in ev.force(args[0]))
        return [(Const("" if is_missing else "x", None, site),), (FALSE if is_missing else TRUE,)]

    return {("os", "Getenv"): getenv, ("os", "LookupEnv"): getenv, ("syscall", "Getenv"): getenv}


def _prepared(
    analysis: Analysis, declared: Declaration, node: s.FuncDecl | s.FuncLit
) -> tuple[Evaluator, Func, State, list[Value], list[Pointer]]:
    """An evaluator for one function, with memory, arguments and the places that its pointers point to."""
    ev = analysis.evaluator(lazy=False, limits=Limits(steps=4_000))
    func, state = Func(node, declared.file, declared.package), State()
    return (ev, func, state, *_arguments(ev, func, state))


def _arguments(ev: Evaluator, func: Func, state: State) -> tuple[list[Value], list[Pointer]]:
    """Inputs for all parameters; pointers get a place of their own, so that what is stored there can be
    seen.
    """
    args = ev.inputs(func)
    targets: list[Pointer] = []
    for index, param in enumerate(func.node.params):
        if isinstance(param.type, s.Star):
            pointer = ev.allocate((Unknown("what was there before"),), state)
            args[index] = (pointer,)
            targets.append(pointer)
    return args, targets


def _is_refusal(ev: Evaluator, results: list[Value]) -> bool:
    last = ev.force(results[-1]) if results else ()
    return bool(last) and all(
        v.value is False if isinstance(v, Const) and isinstance(v.value, bool) else ev.is_nil(v) is False
        for v in last
    )


def _default_among(found: Iterable[Val], node: FunctionNode, file: GoFile) -> Missing:
    constant = None
    for value in found:
        key = value.key if isinstance(value, Input) else None
        if isinstance(key, tuple) and key[-1:] == ("[]",):  # an element of a variadic parameter
            key = key[0]
        if isinstance(key, tuple) and key[:3] == ("param", file.path, node.start):
            return Missing(parameter=key[3])
        if isinstance(value, Const) and value.value not in ("", 0, False):
            constant = str(value.value)
    return Missing(constant=constant)


# ---------------------------------------------------------------- the statements around a call


class Outcome(Struct, frozen=True):
    """The default at one place that reads a variable, and whether the program refuses to go on without it."""

    default: str | None = None
    required: str = NO


FieldTests = Callable[[Declaration, s.Expr, s.Node], "Outcome | None"]


class Surroundings:
    """Reads the statements around the calls in one declaration."""

    def __init__(
        self, texts: Texts, root: Declaration, fields: FieldTests, analysis: Analysis | None = None
    ) -> None:
        self.texts, self.root, self.fields, self.analysis = texts, root, fields, analysis
        self.bindings = texts.bindings(root)
        self._parents: dict[int, s.Node] | None = None

    @property
    def above(self) -> dict[int, s.Node]:
        """The parent of each node, by the node's id."""
        if self._parents is None:
            self._parents = parents(self.root.node)
        return self._parents

    def parent(self, node: s.Node) -> s.Node | None:
        """The node around a node."""
        return self.above.get(id(node))

    def outcome(self, call: s.Call, missing: Missing) -> Outcome:
        """What becomes of a call that reads a variable when there is none."""
        default = missing.constant
        if missing.parameter is not None and missing.parameter < len(call.args):
            default = self.text(call.args[missing.parameter])
        decides = missing.parameter is not None and missing.parameter < len(call.args)
        if missing.required != NO or default or (decides and default is None):
            return Outcome(default, missing.required)
        found = self._around(call, missing.reports)
        return Outcome(default if found.default is None else found.default, found.required)

    def text(self, expr: s.Expr) -> str | None:
        """A default as text: a constant, or a computation of constants as it is written; None for others."""
        constants = self.texts.constants(expr, self.root)
        if constants:
            return constants[0]
        if isinstance(expr, s.BasicLit):
            return str(expr.value)
        number, owner = self.texts.constant_of(expr, self.root) or (expr, self.root)
        if isinstance(number, s.BasicLit):
            return str(number.value)
        if self._is_constant(number, owner):
            return owner.file.data[number.start : number.end][:MAX_DEFAULT].decode("utf-8", "replace")
        return None

    def _is_constant(self, expr: s.Expr, owner: Declaration) -> bool:
        """Literals, operators and the constants of packages from elsewhere."""
        match expr:
            case s.BasicLit():
                return True
            case s.Ident(name="true" | "false"):
                return True
            case s.Binary(x=x, y=y):
                return self._is_constant(x, owner) and self._is_constant(y, owner)
            case s.Unary(op="-" | "+" | "!" | "^", x=x):
                return self._is_constant(x, owner)
            case s.Selector(x=s.Ident(name=alias)):
                program = self.texts.program
                path = program.imported(owner.file).get(alias)
                local = self.texts.bindings(owner).variable(alias, expr.start)
                return local is None and path is not None and program.package(path) is None
        return False

    def _around(self, call: s.Call, reports: bool) -> Outcome:
        node: s.Node = call
        parent = self.parent(node)
        while isinstance(parent, s.Call) and node is not parent.fun:
            if called_name(parent) == "Or":
                others = [a for a in parent.args if a is not node]
                return Outcome(self.text(others[-1])) if others else Outcome()
            if called_name(parent) in _REFUSE_NOTHING and isinstance(self.parent(parent), s.Assign):
                node, parent, reports = parent, self.parent(parent), True
                break
            if called_name(parent) not in _UNCHANGED and called_name(parent) != "len":
                return self._handed_on(parent, node) or Outcome()
            node, parent = parent, self.parent(parent)
        if isinstance(parent, s.Binary):
            return self._tested(node, parent)
        if isinstance(parent, s.CompositeLit):
            return self._stored(node, parent)
        if isinstance(parent, s.Switch) and parent.tag is node:
            return self._switched(parent) or Outcome()
        if isinstance(parent, s.Return) and node is call:
            return Outcome()
        if isinstance(parent, s.Assign):
            return self._assigned(node, parent.lhs, parent.rhs, parent, reports)
        if isinstance(parent, s.ValueSpec):
            return self._assigned(node, list(parent.names), parent.values, parent, reports)
        return Outcome()

    def _handed_on(self, call: s.Call, node: s.Node) -> Outcome | None:
        """`first(os.Getenv("X"), "x")`: what a function of the repository gives when it gets an empty text."""
        callee = (
            called(call.fun, self.root, self.texts, self.analysis.types)
            if self.analysis is not None
            else None
        )
        if self.analysis is None or callee is None or not isinstance(callee.node, s.FuncDecl):
            return None
        params = callee.node.params
        texts: list[Value] = []
        for arg in call.args:
            is_read = arg is node or (isinstance(arg, s.Call) and called_name(arg) in ("Getenv", "LookupEnv"))
            text = "" if is_read else self.text(arg)
            texts.append((Const(text),) if text is not None else (Unknown("an argument"),))
        given: dict[str, Value] = {}
        for index, param in enumerate(params):
            if param.variadic:
                given[param.name or ""] = (Seq(tuple(texts[index:])),)
            elif index < len(texts):
                given[param.name or ""] = texts[index]
        missing = try_without(self.analysis, callee, given=given)
        return Outcome(missing.constant, missing.required)

    def _assigned(
        self, node: s.Node, lhs: list[s.Expr], rhs: list[s.Expr], statement: s.Node, reports: bool
    ) -> Outcome:
        position = next((i for i, value in enumerate(rhs) if value is node), 0)
        if position >= len(lhs):
            return Outcome()
        target = lhs[position]
        second = lhs[1] if reports and len(rhs) == 1 and len(lhs) == 2 else None
        function = self.bindings.function_at(statement.start)
        if function is None:
            return Outcome()
        around = self.parent(statement)
        block = self.parent(around) if isinstance(around, s.DeclStmt) else around
        guarded = self._inside(statement, node)
        if guarded is not None:
            return guarded
        for test in s.walk(function.body):
            if not isinstance(test, s.If | s.Switch) or test.end <= statement.end:
                continue
            if test.init is statement or self.parent(test) is block:
                if isinstance(test, s.If):
                    outcome = self._guard(test, target, second, function)
                else:
                    outcome = self._cases(test, target, second, function)
                if outcome is not None:
                    return outcome
        if isinstance(target, s.Selector):
            return self.fields(self.root, target, node) or Outcome()
        return Outcome()

    def _inside(self, statement: s.Node, node: s.Node) -> Outcome | None:
        """`if os.Getenv("X") != "" { port = os.Getenv("X") }`: what the test says of the same call."""
        inner, around = statement, self.parent(statement)
        while around is not None and not isinstance(around, s.FuncDecl | s.FuncLit):
            if isinstance(around, s.If) and around.body is inner and isinstance(around.cond, s.Binary):
                for side in (around.cond.x, around.cond.y):
                    is_other = side is not node and isinstance(node, s.Expr) and is_same(side, node)
                    if is_other and around.cond.op == "!=":
                        return self._tested(side, around.cond)
            inner, around = around, self.parent(around)
        return None

    def _stored(self, node: s.Node, literal: s.CompositeLit) -> Outcome:
        """The read goes into a field: what the functions do that look at the field."""
        key = next((k for k, v in literal.elements if v is node), None)
        return (self.fields(self.root, key, literal) or Outcome()) if isinstance(key, s.Ident) else Outcome()

    def _switched(self, switch: s.Switch) -> Outcome | None:
        """`switch os.Getenv("X") { case "": ... }`."""
        for clause in switch.clauses:
            for expr in clause.exprs or ():
                if isinstance(expr, s.BasicLit) and expr.value == "":
                    body = s.Block(clause.start, clause.end, clause.body)
                    return Outcome(required=YES) if refuses(body) else None
        return None

    def _cases(
        self, switch: s.Switch, target: s.Expr, second: s.Expr | None, function: FunctionNode
    ) -> Outcome | None:
        """`switch { case v == "": ... }` and `switch v { case "": ... }`."""
        for clause in switch.clauses:
            for expr in clause.exprs or ():
                is_empty = isinstance(expr, s.BasicLit) and expr.value == ""
                if switch.tag is None:
                    sense = empty_sense(expr, target, second)
                else:
                    sense = True if is_empty and is_same(switch.tag, target) else None
                if sense:
                    return self._when_empty(clause.body, target, function) or self._otherwise(
                        switch, clause, target
                    )
        return None

    def _otherwise(self, switch: s.Switch, empty: s.Clause, target: s.Expr) -> Outcome | None:
        """What the case of an empty value leaves in the variable that another case overwrites with the value."""
        for clause in switch.clauses:
            for assign in (n for stmt in clause.body for n in s.walk(stmt) if clause is not empty):
                if not isinstance(assign, s.Assign) or len(assign.lhs) != len(assign.rhs):
                    continue
                for kept, value in zip(assign.lhs, assign.rhs, strict=True):
                    if is_same(value, target):
                        return self._when_empty(empty.body, kept, _NOTHING) or Outcome(
                            self._value_before(kept, switch.start)
                        )
        return None

    def _when_empty(self, stmts: list[s.Stmt], target: s.Expr, function: FunctionNode) -> Outcome | None:
        """What statements do that run when there is no value: assign another, refuse, return."""
        for stmt in stmts:
            for inner in s.walk(stmt):
                if isinstance(inner, s.Assign) and len(inner.lhs) == len(inner.rhs):
                    for lhs, rhs in zip(inner.lhs, inner.rhs, strict=True):
                        if is_same(lhs, target):
                            return Outcome(self.text(rhs))
        if any(refuses(stmt) for stmt in stmts):
            return Outcome(required=YES)
        type_ = function.results[0].type if len(function.results) == 1 else None
        if type_ is None or (isinstance(type_, s.Ident) and type_.name == "error"):
            return None
        if isinstance(type_, s.Ident) and type_.name == "bool" and _answers(function):
            return None
        for stmt in stmts:
            returned = _returned(stmt)
            if returned is not None and not (isinstance(returned, s.Ident) and returned.name == "nil"):
                return Outcome(self.text(returned))
        return None

    def _after(self, test: s.If) -> list[s.Stmt]:
        """What runs behind an `if` that does not go on, when that is calls and a return; else nothing."""
        around = self.parent(test)
        stmts = around.stmts if isinstance(around, s.Block) else []
        position = next((i for i, stmt in enumerate(stmts) if stmt is test), len(stmts))
        straight: list[s.Stmt] = []
        for stmt in stmts[position + 1 :]:
            if not isinstance(stmt, s.Return | s.ExprStmt):
                break
            straight.append(stmt)
        return straight if straight and (isinstance(straight[-1], s.Return) or refuses(straight[-1])) else []

    def _guard(
        self, test: s.If, target: s.Expr, second: s.Expr | None, function: FunctionNode
    ) -> Outcome | None:
        sense = empty_sense(test.cond, target, second)
        if sense is None:
            return None
        body: s.Stmt | None = test.body if sense else test.orelse
        if body is not None and second is not None and _gives_back(body, second, function):
            return Outcome(required=YES)
        if body is not None:
            outcome = self._when_empty([body], target, function)
            if outcome is not None:
                return outcome
        if sense:
            return None
        if body is None and test.body.stmts and isinstance(test.body.stmts[-1], s.Return):
            after = self._when_empty(self._after(test), target, function)
            if after is not None:
                return after
        return self._overwritten(test.body, target)

    def _overwritten(self, body: s.Block, target: s.Expr) -> Outcome | None:
        """`if v != "" { port = v }`: the default is what `port` holds before."""
        for inner in s.walk(body):
            if isinstance(inner, s.Assign) and len(inner.rhs) == 1 and is_same(inner.rhs[0], target):
                return Outcome(self._value_before(inner.lhs[0], inner.start))
        return None

    def _value_before(self, lhs: s.Expr, offset: int) -> str | None:
        if isinstance(lhs, s.Selector) and isinstance(lhs.x, s.Ident):
            return self._field_before(lhs.x, lhs.sel, offset)
        if isinstance(lhs, s.Ident):
            variable = self.bindings.variable(lhs.name, offset)
            if variable is not None:
                values = [
                    x.expr for x in variable.sources if x.kind == "value" and x.start < offset and x.expr
                ]
                return self.text(values[-1]) if values else None
            constants = self.texts.constants(lhs, self.root)
            return constants[0] if constants else None
        return None

    def _field_before(self, owner: s.Ident, name: str, offset: int) -> str | None:
        """What a field of a local variable holds: the last assignment before, or its literal."""
        for node in s.walk(self.root.node):
            if isinstance(node, s.Assign) and node.start < offset and len(node.lhs) == len(node.rhs) == 1:
                lhs = node.lhs[0]
                if isinstance(lhs, s.Selector) and lhs.sel == name and is_same(lhs.x, owner):
                    return self.text(node.rhs[0])
        variable = self.bindings.variable(owner.name, offset)
        for source in variable.sources if variable is not None else ():
            made = source.expr.x if isinstance(source.expr, s.Unary) else source.expr
            if isinstance(made, s.CompositeLit):
                for key, value in made.elements:
                    if isinstance(key, s.Ident) and key.name == name:
                        return self.text(value)
        return None

    def _tested(self, node: s.Node, test: s.Binary) -> Outcome:
        """`if os.Getenv("X") == "" { ... }` and `if os.Getenv("X") != "" { x = os.Getenv("X") }`."""
        statement = self.parent(test)
        if not isinstance(statement, s.If) or not isinstance(node, s.Call):
            return Outcome()
        other = test.y if test.x is node else test.x
        empty = 0 if called_name(node) == "len" else ""
        if not (isinstance(other, s.BasicLit) and other.value == empty):
            return Outcome()
        if test.op == "==" and refuses(statement.body):
            return Outcome(required=YES)
        if test.op in ("!=", ">"):
            return self._overwritten(statement.body, node) or Outcome()
        return Outcome()


_NOTHING = s.FuncLit(0, 0, [], [], s.Block(0, 0, []))


def _gives_back(body: s.Stmt, error: s.Expr, function: FunctionNode) -> bool:
    """True for `return` alone where this error is a named result."""
    last = function.results[-1] if function.results else None
    is_error = last is not None and isinstance(last.type, s.Ident) and last.type.name == "error"
    is_named = is_error and isinstance(error, s.Ident) and last is not None and last.name == error.name
    return is_named and any(isinstance(n, s.Return) and not n.values for n in s.walk(body))


def empty_sense(cond: s.Expr, target: s.Expr, second: s.Expr | None) -> bool | None:
    """True when a condition holds for an empty `target`, False for a filled one, None for other tests."""
    match cond:
        case s.Binary(op="||", x=x, y=y):
            found = [sense for part in (x, y) if (sense := empty_sense(part, target, second)) is not None]
            return True if True in found else None
        case s.Binary(op="&&", x=x, y=y):
            found = [sense for part in (x, y) if (sense := empty_sense(part, target, second)) is not None]
            return False if False in found else None
        case s.Binary(op=("==" | "!=" | "<" | "<=" | ">" | ">=") as op, x=x, y=y):
            return _comparison(op, x, y, target, second)
        case s.Unary(op="!", x=x) if second is not None and is_same(x, second):
            return True
        case s.Ident() if second is not None and is_same(cond, second):
            return False
    return None


def _comparison(op: str, x: s.Expr, y: s.Expr, target: s.Expr, second: s.Expr | None) -> bool | None:
    if isinstance(x, s.BasicLit):
        x, y = y, x
        op = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(op, op)
    if second is not None and is_same(x, second) and isinstance(y, s.Ident) and y.name == "nil":
        return op == "!="
    length = isinstance(x, s.Call) and called_name(x) == "len" and bool(x.args)
    subject = x.args[0] if isinstance(x, s.Call) and x.args else x
    while isinstance(subject, s.Call) and subject.args and called_name(subject) in _UNCHANGED:
        subject = subject.args[0]
    if not is_same(subject, target) or not isinstance(y, s.BasicLit):
        return None
    if length and isinstance(y.value, int):
        holds = {
            "==": y.value == 0,
            "!=": y.value != 0,
            "<": y.value > 0,
            "<=": True,
            ">": False,
            ">=": y.value == 0,
        }
        return holds[op]
    if y.value == "" and op in ("==", "!="):
        return op == "=="
    return None


def refuses(body: s.Stmt) -> bool:
    """True when a block ends the process, panics, or returns an error: not one that something in it may give."""
    given = {
        id(inner)
        for test in s.walk(body)
        if isinstance(test, s.If) and test is not body
        for inner in s.walk(test.body)
        if isinstance(inner, s.Return) and inner.values and _is_name(inner.values[-1], "err")
    }
    for inner in s.walk(body):
        if isinstance(inner, s.Return) and id(inner) not in given:
            if any(_is_error(value) for value in inner.values):
                return True
    return any(called_name(call) in _ENDS for call in calls_in(body))


def _is_name(expr: s.Expr, name: str) -> bool:
    return isinstance(expr, s.Ident) and expr.name == name


def _is_error(value: s.Expr) -> bool:
    if isinstance(value, s.Unary) and isinstance(value.x, s.CompositeLit):
        return _is_error(value.x)
    if isinstance(value, s.CompositeLit):
        type_ = value.type.sel if isinstance(value.type, s.Selector) else getattr(value.type, "name", "")
        return type_.endswith(("Error", "Err"))
    if isinstance(value, s.Call):
        owner = value.fun.x if isinstance(value.fun, s.Selector) else None
        of_errors = isinstance(owner, s.Ident) and "err" in owner.name.lower()
        if called_name(value) in ("New", "Join"):
            return of_errors
        return called_name(value) in ("Errorf", "Error", "Wrap", "Wrapf", "WithMessage")
    name = value.name if isinstance(value, s.Ident) else value.sel if isinstance(value, s.Selector) else ""
    return name == "err" or (name.startswith(("Err", "err")) and name[3:4].isupper())


def _answers(function: FunctionNode) -> bool:
    """True for a function that returns nothing but true and false: what it returns is no value of a variable."""
    returned = [v for n in s.walk(function.body) if isinstance(n, s.Return) for v in n.values]
    return all(isinstance(v, s.Ident) and v.name in ("true", "false") for v in returned)


def _returned(body: s.Stmt) -> s.Expr | None:
    for inner in s.walk(body):
        if isinstance(inner, s.Return) and len(inner.values) == 1:
            return inner.values[0]
    return None
