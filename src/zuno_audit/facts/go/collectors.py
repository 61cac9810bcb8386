"""Where a Prometheus metric goes after it was made: is it registered, by code that can run, and with which
registry.

The value is followed through variables, fields, results, slices, loops and collectors of the repository to
calls of `Register` and `MustRegister` of client_golang
(https://pkg.go.dev/github.com/prometheus/client_golang/prometheus).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from zuno_audit.facts.go.bindings import called_name, mentions_error, parents
from zuno_audit.facts.go.dead_code import is_dead
from zuno_audit.facts.go.late import is_late
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.registries import PROMETHEUS, Registerer
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.reach import Reach
    from zuno_audit.facts.go.texts import Texts
    from zuno_audit.facts.go.types import Type
    from zuno_audit.model.location import Location

REGISTERS = frozenset(("Register", "MustRegister"))
MAX_NODES = 400
MAX_CALLS = 4  # between main and a call that unregisters
TOO_LATE = "it is registered when the server has stopped"
UNREGISTERED = "it may be unregistered when the program starts"
_HAND_ON = ("All", "Backward", "Clone", "Collect", "Concat", "Values")  # of packages slices and maps
VALUE_KINDS = {"CounterValue": "counter", "GaugeValue": "gauge", "UntypedValue": "untyped"}
_CONST_METRICS = frozenset(
    ("MustNewConstMetric", "NewConstMetric", "MustNewConstHistogram", "MustNewConstSummary")
)


class Registration(Struct, frozen=True):
    """Whether a metric is registered, and with what: all registrations that can run.

    `kind` is the type that constant metrics of a description are given, where there is but one. `is_read_back` for
    a metric that no registry needs: the program reads its value itself, or makes it to see whether it can be made.
    `sites` are the calls that register it, where they are known.
    """

    answer: str
    registerers: tuple[Registerer, ...] = ()
    place: Location | None = None
    why: str = ""
    kind: str = ""
    is_read_back: bool = False
    sites: tuple[tuple[Declaration, s.Call], ...] = ()


class _Trail(Struct):
    """One value on its way: what has been visited, and what was found."""

    seen: set[object] = field(default_factory=set)
    found: list[Registration] = field(default_factory=list)
    kinds: set[str] = field(default_factory=set)
    escapes: bool = False
    is_read_back: bool = False
    unregistered: list[tuple[Declaration, s.Call]] = field(default_factory=list)


class Collectors:
    """Follows metrics in one program."""

    def __init__(self, asked: Analysis, texts: Texts, reachable: Reach) -> None:
        self.asked, self.texts, self.reachable = asked, texts, reachable
        self.program, self.types = asked.program, asked.types
        self._parents: dict[int, dict[int, s.Node]] = {}
        self._types: dict[tuple[str, str], _Trail] = {}

    def registration(self, root: Declaration, node: s.Node) -> Registration:
        """What becomes of the value of an expression inside a declaration."""
        trail = _Trail()
        self._value(root, node, trail)
        found = self._verdict(trail)
        return replace(found, kind=trail.kinds.pop()) if len(trail.kinds) == 1 else found

    def _verdict(self, trail: _Trail) -> Registration:
        for answer in (YES, UNKNOWN):
            alike = [
                found for found in trail.found if found.answer == answer and not self._is_undone(found, trail)
            ]
            sure = [found for found in alike if not self._may_be_undone(found.place, trail)]
            if alike and not sure:
                return replace(alike[0], answer=UNKNOWN, why=UNREGISTERED)
            if alike:
                alike = sure
                registerers = tuple(r for found in alike for r in found.registerers)
                return replace(
                    alike[0], registerers=registerers, sites=tuple(x for found in alike for x in found.sites)
                )
        if trail.escapes or len(trail.seen) > MAX_NODES:
            return Registration(UNKNOWN, why="it is handed to code that is not followed")
        if trail.found:
            why = trail.found[0].why or "the code that registers it never runs"
            return Registration(NO, place=trail.found[0].place, why=why)
        return Registration(NO, why="nothing registers it", is_read_back=trail.is_read_back)

    def _is_undone(self, found: Registration, trail: _Trail) -> bool:
        """True when the function that registers a metric goes on to unregister it, whatever happens."""
        place = found.place
        for root, call in trail.unregistered:
            where = root.file.location(call.start, call.end)
            if place is None or place.path != where.path or not place < where:
                continue
            same = {_registry_text(r) for r in (*found.registerers, self._registerer(call.fun, root))}
            if len(same) == 1 and self._is_always_run(root, call):
                node = root.node
                return root.file.location(node.start, node.end).line <= place.line
        return False

    def _is_always_run(self, root: Declaration, call: s.Call) -> bool:
        """True for a call that the body of a function makes itself, not under a condition."""
        above, node = self.above(root), root.node
        child: s.Node = call
        parent = above.get(id(child))
        while isinstance(parent, s.ExprStmt | s.Assign | s.Unary) or (
            isinstance(parent, s.If) and child is not parent.body and child is not parent.orelse
        ):
            child, parent = parent, above.get(id(parent))
        return isinstance(node, s.FuncDecl) and parent is node.body and child is not call

    def may_be_undone(self, root: Declaration, node: s.Node, place: Location) -> bool:
        """Whether a metric that is registered at a place may be unregistered before the program does its work."""
        if not self.asked.search.files_with(b".Unregister("):
            return False
        trail = _Trail()
        self._value(root, node, trail)
        return self._may_be_undone(place, trail)

    def _may_be_undone(self, place: Location | None, trail: _Trail) -> bool:
        return any(self._is_at_start(root, call, place, 0) for root, call in trail.unregistered)

    def _is_at_start(self, root: Declaration, call: s.Node, place: Location | None, depth: int) -> bool:
        """True for a call that the start of a program can make, behind a place if that is in the same function:
        not when it waits for something first, nor to take back what failed."""
        node = root.node
        if not isinstance(node, s.FuncDecl) or depth > MAX_CALLS:
            return False
        body, here = root.file.location(node.start, node.end), root.file.location(call.start, call.end)
        if place is not None and place.path == here.path and body.line <= place.line and here < place:
            if place.span is not None and body.span is not None and place.line <= body.span.end_line:
                return False
        around: s.Node | None = self.above(root).get(id(call))
        while around is not None:
            if isinstance(around, s.Go | s.Defer | s.FuncLit):
                return False
            if isinstance(around, s.If) and mentions_error(around.cond):
                return False
            around = self.above(root).get(id(around))
        if any(n.end <= call.start and _waits(n) for n in root.nodes) or self.is_dead(call, root):
            return False
        if node.receiver is None and node.name in ("main", "init"):
            return not is_late(self.asked, root, call) and self.can_run(root, call) != NO
        return not is_late(self.asked, root, call, MAX_CALLS) and any(
            self._is_at_start(c.root, c.call, place, depth + 1) for c in self.reachable.references.calls(root)
        )

    # ---------------------------------------------------------------- values

    def is_dead(self, node: s.Node, root: Declaration) -> bool:
        """True for code of a function that never runs, whoever calls it."""
        return is_dead(node, root, self.texts)

    def can_run(self, root: Declaration, node: s.Node) -> str:
        """Whether a place in a declaration can run."""
        return self.reachable.can_run(root.file.path, node.start)

    def above(self, root: Declaration) -> dict[int, s.Node]:
        """The parent of each node of a declaration, by id."""
        known = self._parents.get(id(root.node))
        if known is None:
            known = self._parents[id(root.node)] = parents(root.node)
        return known

    def _value(self, root: Declaration, node: s.Node, trail: _Trail) -> None:
        """Looks at what the code around an expression does with its value."""
        key = (root.file.path, node.start, node.end, type(node).__name__)
        if key in trail.seen or len(trail.seen) > MAX_NODES:
            return
        trail.seen.add(key)
        parent = self.above(root).get(id(node))
        match parent:
            case s.Unary(op="&") | s.SliceExpr() | s.TypeAssert():
                self._value(root, parent, trail)
            case s.Call():
                self._in_call(root, node, parent, trail)
            case s.CompositeLit():
                self._in_literal(root, node, parent, trail)
            case s.Assign(lhs=lhs, rhs=rhs) if node in rhs:
                target = lhs[rhs.index(node)] if len(lhs) == len(rhs) else lhs[0]
                self._held(root, target, parent.end, trail)
            case s.ValueSpec(names=names, values=values) if node in values:
                self._held(root, names[min(values.index(node), len(names) - 1)], parent.end, trail)
            case s.Range(x=x, value=s.Ident() as loop) if x is node:
                self._local(root, loop.name, loop.end, trail)
            case s.Range(x=x, key=s.Ident() as loop) if x is node and self._is_iterator(root, node, "Values"):
                self._local(root, loop.name, loop.end, trail)
            case s.Index(x=x) if x is node:
                self._value(root, parent, trail)
            case s.Return():
                literal = self._literal_around(root, parent)
                if literal is not None:
                    self._returned_by(root, literal, trail)
                else:
                    self._returned(root, trail)
            case s.Send():
                self._collector_of(root, trail)
            case s.Selector(x=x) if x is node:
                self._selected(root, parent, trail)

    def _literal_around(self, root: Declaration, node: s.Node) -> s.FuncLit | None:
        """The innermost function literal that a node stands in."""
        around: s.Node | None = node
        while around is not None and not isinstance(around, s.FuncLit):
            around = self.above(root).get(id(around))
        return around

    def _returned_by(self, root: Declaration, literal: s.FuncLit, trail: _Trail) -> None:
        """The results of a function literal: those of its calls, where a variable of the function holds it."""
        holder = self.above(root).get(id(literal))
        if isinstance(holder, s.Call) and holder.fun is literal:
            self._value(root, holder, trail)
            return
        target = holder.lhs[0] if isinstance(holder, s.Assign) and len(holder.lhs) == 1 else None
        if not isinstance(target, s.Ident):
            trail.escapes = True
            return
        bindings = self.texts.bindings(root)
        variable = bindings.variable(target.name, literal.end)
        for node in s.walk(root.node):
            if isinstance(node, s.Ident) and node.name == target.name and node.start > literal.end:
                if variable is None or bindings.variable(node.name, node.start) is not variable:
                    continue
                call = self.above(root).get(id(node))
                if isinstance(call, s.Call) and call.fun is node:
                    self._value(root, call, trail)

    def _selected(self, root: Declaration, node: s.Selector, trail: _Trail) -> None:
        """`metric.Collect(ch)` in the Collect method of a collector of our own: it is part of that
        collector.
        """
        if node.sel in ("Collect", "Describe"):
            self._collector_of(root, trail)
        elif node.sel in REGISTERS:
            trail.escapes = True  # it registers itself, in code that is not followed
        elif node.sel == "Write" and isinstance(self.above(root).get(id(node)), s.Call):
            trail.is_read_back = True
        else:
            self._receiver(root, node, trail)

    def _receiver(self, root: Declaration, node: s.Selector, trail: _Trail) -> None:
        """A method of our own is called: its receiver holds the value."""
        call = self.above(root).get(id(node))
        if not isinstance(call, s.Call) or call.fun is not node:
            return
        callee = callee_of(call, root, self.texts, self.types)
        declared = callee.node if callee is not None else None
        if callee is not None and isinstance(declared, s.FuncDecl) and declared.receiver is not None:
            if declared.receiver.name and is_go_tool_file(callee.file.path):
                self._local(callee, declared.receiver.name, declared.body.start + 1, trail)

    def _collector_of(self, root: Declaration, trail: _Trail) -> None:
        declared = root.node
        if isinstance(declared, s.FuncDecl) and declared.receiver is not None:
            type_ = self.types.resolve(declared.receiver.type, root.file, root.package)
            base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
            if (
                base is not None
                and base.kind == "named"
                and self.types.find_method(base, "Collect") is not None
            ):
                self._type(base, trail)
        elif isinstance(declared, s.FuncDecl) and any(isinstance(n, s.FuncLit) for n in s.nodes_of(declared)):
            trail.escapes = True  # a function may be a collector by way of a library

    def _in_call(self, root: Declaration, node: s.Node, call: s.Call, trail: _Trail) -> None:
        if node is call.fun:
            return
        name = called_name(call)
        if name == "Unregister":
            trail.unregistered.append((root, call))
        trail.kinds.update(kind for a in call.args for kind in (_kind_of(a, name),) if kind)
        callee = callee_of(call, root, self.texts, self.types)
        if callee is not None and not is_go_tool_file(callee.file.path):
            trail.escapes = True
            self._value(root, call, trail)
        elif callee is not None:
            self._argument(callee, call, node, trail)
        elif name in REGISTERS:
            self._registered(root, call, trail)
        elif name in _CONST_METRICS:
            self._collector_of(root, trail)
            made = self.above(root).get(id(call))
            if isinstance(made, s.Assign) and isinstance(made.lhs[0], s.Ident) and made.lhs[0].name == "_":
                trail.is_read_back = True
        elif (
            name == "append"
            or (len(call.args) == 1 and self._is_conversion(call, root))
            or self._is_iterator(root, call, *_HAND_ON)
        ):
            self._value(root, call, trail)
        elif isinstance(root.node, s.FuncDecl) and root.node.name in ("Collect", "Describe"):
            self._into_literal(root, call, node, trail)
            self._collector_of(root, trail)
        elif self.package_path(call.fun, root) != PROMETHEUS and not self._is_harmless(name):
            trail.escapes = True

    def _into_literal(self, root: Declaration, call: s.Call, node: s.Node, trail: _Trail) -> None:
        """The value is an argument of a function literal that a local variable holds."""
        if not isinstance(call.fun, s.Ident):
            return
        variable = self.texts.bindings(root).variable(call.fun.name, call.fun.start)
        literal = variable.sources[0].expr if variable is not None else None
        index = next((i for i, a in enumerate(call.args) if a is node), 0)
        if isinstance(literal, s.FuncLit) and index < len(literal.params) and literal.params[index].name:
            name = literal.params[index].name
            assert name is not None
            self._local(root, name, literal.body.start + 1, trail)

    def _is_iterator(self, root: Declaration, node: s.Node, *names: str) -> bool:
        """True for calls of functions of packages slices and maps that hand on the elements."""
        return (
            isinstance(node, s.Call)
            and called_name(node) in names
            and self.package_path(node.fun, root) in ("slices", "maps")
        )

    @staticmethod
    def _is_harmless(name: str) -> bool:
        return name in ("len", "panic", "Println", "Printf", "Errorf", "As", "Is", "Unregister")

    def _is_conversion(self, call: s.Call, root: Declaration) -> bool:
        return (
            isinstance(call.fun, s.Selector)
            and self.package_path(call.fun, root) == PROMETHEUS
            and called_name(call)
            in ("Collector", "Metric", "Gauge", "Counter", "Observer", "Histogram", "Summary")
        )

    def package_path(self, fun: s.Expr, root: Declaration) -> str:
        """The import path of the package whose member an expression is, or nothing."""
        if (
            isinstance(fun, s.Selector)
            and isinstance(fun.x, s.Ident)
            and self.texts.bindings(root).variable(fun.x.name, fun.x.start) is None
        ):
            return self.program.imported(root.file).get(fun.x.name, "")
        return ""

    def _registered(self, root: Declaration, call: s.Call, trail: _Trail) -> None:
        place = root.file.location(call.start, call.end, "is registered here")
        answer = NO if self.is_dead(call, root) else self.can_run(root, call)
        why = ""
        if answer != NO and is_late(self.asked, root, call):
            answer, why = NO, TOO_LATE
        given = (self._registerer(call.fun, root),)
        trail.found.append(Registration(answer, given, place, why, sites=((root, call),)))

    def _registerer(self, fun: s.Expr, root: Declaration) -> Registerer:
        """The registry whose method is called."""
        if isinstance(fun, s.Selector) and self.package_path(fun, root) != PROMETHEUS:
            return Registerer(fun.x, root)
        return Registerer()

    def _argument(self, callee: Declaration, call: s.Call, node: s.Node, trail: _Trail) -> None:
        """The value is an argument of a function of the repository: its parameter holds it."""
        declared = callee.node
        assert isinstance(declared, s.FuncDecl)
        index = next((i for i, a in enumerate(call.args) if a is node), len(declared.params))
        if declared.params and declared.params[-1].variadic:
            index = min(index, len(declared.params) - 1)
        if index < len(declared.params) and declared.params[index].name:
            name = declared.params[index].name
            assert name is not None
            self._local(callee, name, declared.body.start + 1, trail)

    def _in_literal(self, root: Declaration, node: s.Node, literal: s.CompositeLit, trail: _Trail) -> None:
        key = next((k for k, v in literal.elements if v is node), None)
        type_ = static_type(literal, root, self.texts, self.types)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        under = self.types.underlying(base) if base is not None else None
        if isinstance(literal.type, s.ArrayType | s.MapType) or (
            under is not None and under.kind in ("slice", "map")
        ):
            self._value(root, literal, trail)
        elif isinstance(key, s.Ident):
            package = base.package if base is not None and base.package is not None else root.package
            self._field(package.path, key.name, trail)
            if (
                base is not None
                and base.kind == "named"
                and self.types.find_method(base, "Collect") is not None
            ):
                self._embedded(base, key.name, trail)
        elif under is not None and isinstance(under.node, s.StructType):
            position = next((i for i, (_, v) in enumerate(literal.elements) if v is node), 0)
            if position < len(under.node.fields) and base is not None and base.package is not None:
                self._field(base.package.path, under.node.fields[position].name, trail)

    def _embedded(self, type_: Type, name: str, trail: _Trail) -> None:
        """A metric that is embedded in a struct makes the struct a collector."""
        if any(f.embedded and f.name == name for f in self.types.fields(type_)):
            self._type(type_, trail)

    # ---------------------------------------------------------------- holders

    def _held(self, root: Declaration, target: s.Expr, offset: int, trail: _Trail) -> None:
        """A variable, field or element takes the value; `offset` is the end of the statement."""
        match target:
            case s.Ident(name="_"):
                return
            case s.Ident(name=name):
                if self.texts.bindings(root).variable(name, offset) is not None:
                    self._local(root, name, offset, trail)
                else:
                    self._global(root, name, trail)
            case s.Selector(x=x, sel=sel):
                owner = static_type(x, root, self.texts, self.types)
                base = owner.elem if owner is not None and owner.kind == "pointer" else owner
                package = base.package if base is not None and base.package is not None else root.package
                self._field(package.path, sel, trail)
            case s.Index(x=x):
                self._held(root, x, offset, trail)

    def _local(self, root: Declaration, name: str, offset: int, trail: _Trail) -> None:
        bindings = self.texts.bindings(root)
        variable = bindings.variable(name, offset)
        key = ("local", root.file.path, root.node.start, name, variable.start if variable is not None else -1)
        if key in trail.seen:
            return
        trail.seen.add(key)
        for node in s.walk(root.node):
            if (
                isinstance(node, s.Ident)
                and node.name == name
                and bindings.variable(name, node.start) is variable
            ):
                self._value(root, node, trail)

    def _global(self, root: Declaration, name: str, trail: _Trail) -> None:
        package = root.package
        key = ("global", package.path, name)
        if key in trail.seen:
            return
        trail.seen.add(key)
        for path in package.files:
            for other in self.asked.search.roots(path, name.encode()):
                for node in s.walk(other.node):
                    if (
                        isinstance(node, s.Ident)
                        and node.name == name
                        and self.texts.bindings(other).variable(name, node.start) is None
                    ):
                        self._value(other, node, trail)
        if name[:1].isupper():
            for path in self.asked.search.files_with(package.path.encode(), b"." + name.encode()):
                for other in self.asked.search.roots(path, b"." + name.encode()):
                    for node in s.walk(other.node):
                        if (
                            isinstance(node, s.Selector)
                            and node.sel == name
                            and self.package_path(node, other) == package.path
                        ):
                            self._value(other, node, trail)

    def _field(self, package_path: str, name: str, trail: _Trail) -> None:
        key = ("field", package_path, name)
        if key in trail.seen:
            return
        trail.seen.add(key)
        package = self.program.package(package_path)
        paths = list(package.files) if package is not None else []
        if name[:1].isupper():
            paths += self.asked.search.files_with(package_path.encode(), b"." + name.encode())
        for path in dict.fromkeys(paths):
            for other in self.asked.search.roots(path, b"." + name.encode()):
                for node in s.walk(other.node):
                    if (
                        isinstance(node, s.Selector)
                        and node.sel == name
                        and not self.package_path(node, other)
                    ):
                        self._value(other, node, trail)

    def _type(self, type_: Type, trail: _Trail) -> None:
        """Every value of a collector type of the repository."""
        assert type_.package is not None
        key = (type_.package.path, type_.name)
        known = self._types.get(key)
        if known is None:
            known = self._types[key] = _Trail()  # a collector inside itself adds nothing
            self._values_of(type_, known)
        trail.found += known.found
        trail.escapes = trail.escapes or known.escapes

    def _values_of(self, type_: Type, trail: _Trail) -> None:
        assert type_.package is not None
        paths = [*type_.package.files]
        if type_.name[:1].isupper():
            paths += self.asked.search.files_with(type_.package.path.encode(), b"." + type_.name.encode())
        for path in dict.fromkeys(paths):
            for root in self.asked.search.roots(path, type_.name.encode()):
                for node in s.walk(root.node):
                    if self._makes(node, type_, root):
                        self._value(root, node, trail)

    def _makes(self, node: s.Node, type_: Type, root: Declaration) -> bool:
        if isinstance(node, s.CompositeLit) and node.type is not None:
            return self.types.resolve(node.type, root.file, root.package) is type_
        if (
            isinstance(node, s.Call)
            and isinstance(node.fun, s.Ident)
            and node.fun.name == "new"
            and node.args
        ):
            return self.types.resolve(node.args[0], root.file, root.package) is type_
        return False

    def _returned(self, root: Declaration, trail: _Trail) -> None:
        declared = root.node
        if not isinstance(declared, s.FuncDecl):
            trail.escapes = True
            return
        for site in self.reachable.references.calls(root):
            self._value(site.root, site.call, trail)


def _waits(node: s.Node) -> bool:
    """True for what goes on only when something else has happened."""
    if isinstance(node, s.Call):
        return called_name(node) in ("Wait", "Sleep")
    return isinstance(node, s.Select) or (isinstance(node, s.Unary) and node.op == "<-")


def _registry_text(registerer: Registerer) -> bytes:
    """How a function writes a registry; nothing for the package's own."""
    expr, root = registerer.expr, registerer.root
    if expr is None or root is None or (isinstance(expr, s.Selector) and expr.sel == "DefaultRegisterer"):
        return b""
    return root.file.data[expr.start : expr.end]


def _kind_of(expr: s.Expr, function: str) -> str:
    """The type of a constant metric, by its value type or by the function that makes it. A function of our own
    may take the value type as an argument.
    """
    for kind in ("Histogram", "Summary"):
        if function in (f"MustNewConst{kind}", f"NewConst{kind}"):
            return kind.lower()
    return VALUE_KINDS.get(expr.sel, "") if isinstance(expr, s.Selector) else ""
