"""Which Prometheus registry an expression is: followed through variables, parameters, fields, results and
packages to where registries are made.

A registry is named by the place of its `NewRegistry`, the package's own is `DEFAULT`. Parameters are what the
callers give, those of one binary where the question is about one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.bindings import Source, called_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.reaching import Reaching
from zuno_audit.facts.go.static_types import callee_of, static_type
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.collectors import Collectors
    from zuno_audit.facts.go.reach import Reach
    from zuno_audit.facts.go.texts import Texts
    from zuno_audit.facts.go.types import Type

PROMETHEUS = "github.com/prometheus/client_golang/prometheus"
DEFAULT = "default"
_EXTPROM = "github.com/thanos-io/thanos/pkg/extprom"  # the same wrappers, which let nil be nil
MAX_DEPTH = 10
MAX_CALLERS = 20
MAX_WRAP_DEPTH = 40
MAX_SOURCES = 12
_MAKES = frozenset(("NewRegistry", "NewPedanticRegistry"))
_PASSES_LAST = ("WrapRegisterer", "WrapCollector", "ToTransactionalGatherer", "Registerer", "Gatherer")
_NOT_KNOWN = ""
_NOT_DECODED = re.compile(r'(?:json|yaml|toml|mapstructure):"-[",]')


class Registerer(Struct, frozen=True, eq=False):
    """An expression that gives a registry, inside a declaration; without one the package's own."""

    expr: s.Expr | None = None
    root: Declaration | None = None


class Registries(Struct, frozen=True):
    """The registries that a value stands for. `may` holds the empty text when there can be others.

    `must` are those that it stands for on every path.
    """

    must: frozenset[str]
    may: frozenset[str]


UNKNOWN_REGISTRY = Registries(frozenset(), frozenset((_NOT_KNOWN,)))
NONE = Registries(frozenset(), frozenset())


def only(name: str) -> Registries:
    """One registry and no other."""
    return Registries(frozenset((name,)), frozenset((name,)))


def either(found: Iterable[Registries]) -> Registries:
    """One of these, whichever path is taken."""
    all_of = tuple(found)
    if not all_of:
        return UNKNOWN_REGISTRY
    must = frozenset.intersection(*(f.must for f in all_of))
    return Registries(must, frozenset().union(*(f.may for f in all_of)))


def every(found: Iterable[Registries]) -> Registries:
    """All of these at once."""
    all_of = tuple(found)
    return Registries(
        frozenset().union(*(f.must for f in all_of)), frozenset().union(*(f.may for f in all_of))
    )


def are_exported(registered: Registries, exported: Registries) -> bool | None:
    """Whether what is registered with one of `registered` is seen by who looks at `exported`."""
    if registered.must & exported.must:
        return True
    if registered.may and _NOT_KNOWN not in registered.may and registered.may <= exported.must:
        return True
    if registered.may & exported.may or _NOT_KNOWN in registered.may | exported.may:
        return None
    return False


Wrap = tuple[
    str | None, tuple[str, ...] | None
]  # a prefix of names, and constant labels; None where computed
NO_WRAP: Wrap = ("", ())
_PLAIN = frozenset((NO_WRAP,))
_UNKNOWN: frozenset[Wrap] = frozenset(((None, None),))
# registerers that libraries keep, which add nothing
_KEPT = frozenset((("sigs.k8s.io/controller-runtime/pkg/metrics", "Registry"),))


class RegistryFlow:
    """Follows registries in one program."""

    def __init__(self, asked: Analysis, texts: Texts, reachable: Reach, collectors: Collectors) -> None:
        self.asked, self.texts, self.reachable, self.collectors = asked, texts, reachable, collectors
        self.program, self.types = asked.program, asked.types
        self._parameters: dict[tuple[int, int, str], Registries] = {}
        self._wrapped: dict[object, frozenset[Wrap]] = {}
        self._open: set[object] = set()  # what is being looked for
        self._is_cyclic = False
        self.reaching = Reaching()
        self._registry = self.types.pointer(self.types.extern(PROMETHEUS, "Registry"))
        self._fields: dict[tuple[Type, str], list[tuple[s.Expr, Declaration]]] = {}

    def of(self, registerer: Registerer, binary: str) -> Registries:
        """The registries of an expression as the code of a binary runs it."""
        if registerer.expr is None or registerer.root is None:
            return only(DEFAULT)
        return self._expression(registerer.expr, registerer.root, binary, 0)

    def _expression(self, expr: s.Expr, root: Declaration, binary: str, depth: int) -> Registries:
        if depth > MAX_DEPTH:
            return UNKNOWN_REGISTRY
        match expr:
            case s.Unary(op="&", x=x) | s.Star(x=x) | s.TypeAssert(x=x):
                return self._expression(x, root, binary, depth)
            case s.CompositeLit(elements=elements):
                return every(self._expression(value, root, binary, depth + 1) for _, value in elements)
            case s.Ident(name="nil"):
                return NONE
            case s.Ident():
                return self._name(expr, root, binary, depth)
            case s.Selector():
                return self._selector(expr, root, binary, depth)
            case s.Call():
                return self._call(expr, root, binary, depth)
        return UNKNOWN_REGISTRY

    def _name(self, expr: s.Ident, root: Declaration, binary: str, depth: int) -> Registries:
        variable = self.texts.bindings(root).variable(expr.name, expr.start)
        if variable is None:
            return self._global(root.package.declaration(expr.name), expr.name, binary, depth)
        sources = [x for x in variable.sources if x.kind not in ("zero", "address")]
        if not sources or len(sources) > MAX_SOURCES:
            return UNKNOWN_REGISTRY
        return either(self._source(source, root, binary, depth + 1) for source in sources)

    def _source(self, source: Source, root: Declaration, binary: str, depth: int) -> Registries:
        if source.kind == "param" and source.function is root.node:
            return self._parameter(source.index, root, binary, depth)
        if source.expr is None:
            return UNKNOWN_REGISTRY
        if source.kind == "value":
            return self._expression(source.expr, root, binary, depth)
        if source.kind == "result" and isinstance(source.expr, s.Call):
            return self._call(source.expr, root, binary, depth, source.index)
        return UNKNOWN_REGISTRY

    def _parameter(self, index: int, root: Declaration, binary: str, depth: int) -> Registries:
        """What the callers give that run in the binary."""
        node = root.node
        if not isinstance(node, s.FuncDecl):
            return UNKNOWN_REGISTRY
        key = (id(node), index, binary)
        if key in self._parameters:
            return self._parameters[key]
        found = []
        for site in self.reachable.references.calls(root)[:MAX_CALLERS]:
            path, start = site.root.file.path, site.call.start
            if self.reachable.can_run(path, start) == NO or binary not in self.reachable.binaries(
                path, start
            ):
                continue
            if not isinstance(site.call, s.Call) or index >= len(site.call.args):
                return UNKNOWN_REGISTRY
            given = site.call.args[index:] if node.params[index].variadic else [site.call.args[index]]
            found.append(every(self._expression(x, site.root, binary, depth) for x in given))
        answer = either(found)
        if depth <= MAX_DEPTH // 2:  # deeper, the limit may have decided
            self._parameters[key] = answer
        return answer

    def _selector(self, expr: s.Selector, root: Declaration, binary: str, depth: int) -> Registries:
        path = self.collectors.package_path(expr, root)
        if path == PROMETHEUS:
            is_default = expr.sel in ("DefaultRegisterer", "DefaultGatherer")
            return only(DEFAULT) if is_default else UNKNOWN_REGISTRY
        if path:
            package = self.program.package(path)
            declared = package.declaration(expr.sel) if package is not None else None
            return self._global(declared, expr.sel, binary, depth)
        owner = static_type(expr.x, root, self.texts, self.types)
        base = owner.elem if owner is not None and owner.kind == "pointer" else owner
        if base is None or base.kind != "named":
            return UNKNOWN_REGISTRY
        sources = self._known_sources(base, expr.sel)
        if len(sources) > MAX_SOURCES:
            return UNKNOWN_REGISTRY
        return either(self._expression(value, where, binary, depth + 1) for value, where in sources)

    def _known_sources(self, type_: Type, name: str) -> list[tuple[s.Expr, Declaration]]:
        key = (type_, name)
        if key not in self._fields:
            self._fields[key] = list(self._field_sources(type_, name))
        return self._fields[key]

    def _global(self, declared: Declaration | None, name: str, binary: str, depth: int) -> Registries:
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return UNKNOWN_REGISTRY
        found = []
        for position, target in enumerate(declared.node.names):
            if target.name == name and len(declared.node.values) == len(declared.node.names):
                found.append(self._expression(declared.node.values[position], declared, binary, depth + 1))
        for root, assign in self.asked.effects.assignments_to_global(declared.package, name):
            for target_, value in zip(assign.lhs, assign.rhs, strict=False):
                if getattr(target_, "sel", getattr(target_, "name", "")) == name:
                    found.append(self._expression(value, root, binary, depth + 1))
        return either(found)

    def _field_sources(self, type_: Type, name: str) -> Iterator[tuple[s.Expr, Declaration]]:
        """What literals and assignments put into a field."""
        assert type_.package is not None
        paths = [*type_.package.files]
        if name[:1].isupper():
            paths += self.asked.search.files_with(type_.package.path.encode(), name.encode())
        for path in dict.fromkeys(paths):
            named = [*self.asked.search.roots(path, name.encode())]
            named += self.asked.search.roots(path, type_.name.encode())  # literals without names of fields
            for root in {id(root.node): root for root in named}.values():
                for node in s.walk(root.node):
                    if isinstance(node, s.CompositeLit) and self._is(node, type_, root):
                        yield from ((value, root) for value in self._elements(node, type_, name))
                    elif isinstance(node, s.Assign) and len(node.lhs) == len(node.rhs):
                        for target, value in zip(node.lhs, node.rhs, strict=True):
                            if not isinstance(target, s.Selector) or target.sel != name:
                                continue
                            if self._is(target.x, type_, root):
                                yield value, root

    def _elements(self, literal: s.CompositeLit, type_: Type, name: str) -> Iterator[s.Expr]:
        """The element of a literal that a field gets."""
        fields = [field.name for field in self.types.fields(type_)]
        for position, (key, value) in enumerate(literal.elements):
            named = (
                key.name
                if isinstance(key, s.Ident)
                else fields[position : position + 1]
                if key is None
                else ""
            )
            if named in (name, [name]):
                yield value

    def _is(self, expr: s.Expr, type_: Type, root: Declaration) -> bool:
        found = static_type(expr, root, self.texts, self.types)
        return found is type_ or (found is not None and found.kind == "pointer" and found.elem is type_)

    # ---------------------------------------------------------------- wrapped registerers

    def wraps(self, registerer: Registerer) -> frozenset[Wrap]:
        """What a registerer puts before names and adds to labels, for each way in which it can be made."""
        if registerer.expr is None or registerer.root is None:
            return _PLAIN
        return self._wraps(registerer.expr, registerer.root, None, 0)

    def _wraps(self, expr: s.Expr, root: Declaration, frame: _Frame | None, depth: int) -> frozenset[Wrap]:
        """`frame` is the call through which the function around the expression was entered, if any."""
        if self._is_registry(expr, root):
            return _PLAIN
        if depth > MAX_WRAP_DEPTH:
            return _UNKNOWN
        match expr:
            case s.Unary(op="&", x=x) | s.Star(x=x) | s.TypeAssert(x=x):
                return self._wraps(x, root, frame, depth + 1)
            case s.Call():
                return self._wraps_of_call(expr, root, frame, depth)
            case (
                s.Ident(name="nil") | s.CompositeLit(elements=[])
            ):  # a registerer of our own, which exports nothing
                return frozenset()
            case s.CompositeLit(elements=elements):  # one that hands on to another
                held = [value for _, value in elements if self._is_registerer(value, root)]
                return self._wraps(held[0], root, frame, depth + 1) if len(held) == 1 else _UNKNOWN
            case s.Ident(name=name):
                variable = self.texts.bindings(root).variable(name, expr.start)
                if variable is None:
                    return self._wraps_of_global(root.package.declaration(name), name, depth)
                given = self.reaching.sources(variable, expr.start, root)
                return _union(self._wraps_of_source(x, root, frame, depth + 1) for x in given)
            case s.Selector(x=x, sel=sel):
                path = self.collectors.package_path(expr, root)
                if path == PROMETHEUS or (path, sel) in _KEPT:
                    return _PLAIN
                if path:
                    package = self.program.package(path)
                    declared = package.declaration(sel) if package is not None else None
                    return self._wraps_of_global(declared, sel, depth)
                owner = static_type(x, root, self.texts, self.types)
                base = owner.elem if owner is not None and owner.kind == "pointer" else owner
                if base is None or base.kind != "named":
                    return _UNKNOWN
                sources = self._known_sources(base, sel)[:MAX_SOURCES]
                return self._remembered(
                    (base, sel),
                    lambda: _union(self._wraps(v, where, None, depth + 1) for v, where in sources),
                )
        return _UNKNOWN

    def _is_registerer(self, expr: s.Expr, root: Declaration) -> bool:
        type_ = static_type(expr, root, self.texts, self.types)
        return type_ is not None and type_ is self.types.extern(PROMETHEUS, "Registerer")

    def _is_registry(self, expr: s.Expr, root: Declaration) -> bool:
        """True for a `*prometheus.Registry`: what wraps a registerer is none."""
        if not isinstance(expr, s.Ident | s.Selector | s.Call):
            return False
        type_ = static_type(expr, root, self.texts, self.types)
        return type_ is not None and type_ is self._registry

    def _wraps_of_global(self, declared: Declaration | None, name: str, depth: int) -> frozenset[Wrap]:
        """A package-level variable: what it starts with and what is assigned to it."""
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return _UNKNOWN
        node = declared.node
        values = [
            (node.values[i], declared)
            for i, target in enumerate(node.names)
            if target.name == name and len(node.values) == len(node.names)
        ]
        for root, assign in self.asked.effects.assignments_to_global(declared.package, name):
            for target_, value in zip(assign.lhs, assign.rhs, strict=False):
                if getattr(target_, "sel", getattr(target_, "name", "")) == name:
                    values.append((value, root))
        if not values:
            return _UNKNOWN
        return self._remembered(
            ("global", declared.package.path, name),
            lambda: _union(self._wraps(value, root, None, depth + 1) for value, root in values),
        )

    def _remembered(self, key: object, find: Callable[[], frozenset[Wrap]]) -> frozenset[Wrap]:
        """What was found before; inside a cycle nothing, and then only the outermost answer is kept.

        What goes round a cycle is wrapped once more on its way, so it is asked for twice.
        """
        known = self._wrapped.get(key)
        if known is not None:
            return known
        if key in self._open:
            self._is_cyclic = True
            return frozenset()
        self._open.add(key)
        found = find()
        if self._is_cyclic and len(self._open) == 1 and found:
            self._wrapped[key] = found
            found = find()
        self._open.discard(key)
        if not self._open or not self._is_cyclic:
            self._wrapped[key] = found
        if not self._open:
            self._is_cyclic = False
        return found

    def _wraps_of_call(
        self, call: s.Call, root: Declaration, frame: _Frame | None, depth: int
    ) -> frozenset[Wrap]:
        name = called_name(call)
        if self.collectors.package_path(call.fun, root).startswith((PROMETHEUS, _EXTPROM)):
            if name in _MAKES:
                return _PLAIN
            if name == "With" and len(call.args) == 1:  # of promauto
                return self._wraps(call.args[0], root, frame, depth + 1)
            if name not in ("WrapRegistererWithPrefix", "WrapRegistererWith") or len(call.args) != 2:
                return _UNKNOWN
            inner = self._wraps(call.args[1], root, frame, depth + 1)
            prefixes: list[str | None] = [""]
            keys: tuple[str, ...] | None = ()
            if name.endswith("Prefix"):
                prefixes = self._prefixes(call.args[0], root, frame, depth)
            else:
                keys = self._keys(call.args[0], root)
            return frozenset(_wrapped(prefix, keys, wrap) for prefix in prefixes for wrap in inner)
        callee = callee_of(call, root, self.texts, self.types)
        if callee is None:
            return _UNKNOWN
        entered = _Frame(call, root, frame)
        returned = [r.values[0] for r in _returns(callee.node) if r.values]
        return _union(self._wraps(value, callee, entered, depth + 1) for value in returned)

    def _prefixes(
        self, expr: s.Expr, root: Declaration, frame: _Frame | None, depth: int
    ) -> list[str | None]:
        """The texts that an expression can be; a parameter is what the callers give."""
        found = self.texts.constants(expr, root)
        if found or depth > MAX_WRAP_DEPTH:
            return [*found] if found else [None]
        match expr:
            case s.Binary(op="+", x=x, y=y):
                before = self._prefixes(x, root, frame, depth + 1)
                behind = self._prefixes(y, root, frame, depth + 1)
                return [None if a is None or b is None else a + b for a in before for b in behind]
            case s.Ident(name=name):
                variable = self.texts.bindings(root).variable(name, expr.start)
                sources = variable.sources if variable is not None else []
                if len(sources) == 1 and sources[0].kind == "param" and sources[0].function is root.node:
                    given = self._given(sources[0].index, root, frame)
                    texts = [x for arg in given for x in self._prefixes(*arg, depth + 1)]
                    return [*dict.fromkeys(texts)] or [None]
        return [None]

    def _given(
        self, index: int, root: Declaration, frame: _Frame | None
    ) -> list[tuple[s.Expr, Declaration, _Frame | None]]:
        """What is given for a parameter: by the call through which the function was entered, else by all that run."""
        if frame is not None:
            args = frame.call.args
            return [(args[index], frame.root, frame.outer)] if index < len(args) else []
        return [
            (site.call.args[index], site.root, None)
            for site in self.reachable.references.calls(root)[:MAX_CALLERS]
            if isinstance(site.call, s.Call)
            and index < len(site.call.args)
            and self.reachable.can_run(site.root.file.path, site.call.start) != NO
        ]

    def _keys(self, expr: s.Expr, root: Declaration) -> tuple[str, ...] | None:
        literal = self.texts.literal(expr, root)
        if literal is None:
            return None
        keys = [self.texts.constants(key, literal[1]) for key, _ in literal[0].elements if key is not None]
        return None if any(k is None for k in keys) else tuple(text for k in keys for text in k or [])

    def _wraps_of_source(
        self, source: Source, root: Declaration, frame: _Frame | None, depth: int
    ) -> frozenset[Wrap]:
        if source.kind == "param" and source.function is root.node:
            if frame is None:
                return self._wraps_of_parameter(source.index, root, depth)
            given = self._given(source.index, root, frame)
            return self._wraps(*given[0], depth) if given else _UNKNOWN
        if source.kind in ("value", "result") and source.index == 0 and source.expr is not None:
            return self._wraps(source.expr, root, frame, depth)
        return _UNKNOWN if source.kind != "zero" else frozenset()

    def _wraps_of_parameter(self, index: int, root: Declaration, depth: int) -> frozenset[Wrap]:
        def find() -> frozenset[Wrap]:
            return _union(self._wraps(*given, depth + 1) for given in self._given(index, root, None))

        return self._remembered((id(root.node), index), find)

    # ---------------------------------------------------------------- names that stay empty

    def is_empty_text(self, expr: s.Selector, root: Declaration, depth: int = 0) -> bool:
        """True for a field that is always empty: nobody writes it but with other such fields, and no decoder may."""
        owner = static_type(expr.x, root, self.texts, self.types)
        base = owner.elem if owner is not None and owner.kind == "pointer" else owner
        if depth > 3 or base is None or base.kind != "named":
            return False
        field = next((f for f in self.types.fields(base) if f.name == expr.sel), None)
        if field is None or (expr.sel[:1].isupper() and not _NOT_DECODED.search(field.tag or "")):
            return False
        return all(
            (isinstance(value, s.BasicLit) and value.value == "")
            or (isinstance(value, s.Selector) and self.is_empty_text(value, where, depth + 1))
            for value, where in self._known_sources(base, expr.sel)
        )

    def _call(self, call: s.Call, root: Declaration, binary: str, depth: int, index: int = 0) -> Registries:
        name = called_name(call)
        if self.collectors.package_path(call.fun, root).startswith(PROMETHEUS):
            if name == "With" and len(call.args) == 1:  # of promauto
                return self._expression(call.args[0], root, binary, depth + 1)
            if name in _MAKES:
                return only(f"{root.file.path}:{call.start}")
            if name.startswith(_PASSES_LAST) and call.args:
                return self._expression(call.args[-1], root, binary, depth + 1)
            return UNKNOWN_REGISTRY
        if name == "append" and call.args:
            return every(self._expression(x, root, binary, depth + 1) for x in call.args)
        callee = callee_of(call, root, self.texts, self.types)
        if callee is None:
            return UNKNOWN_REGISTRY
        returned = [r for r in _returns(callee.node) if len(r.values) > index]
        return either(self._expression(r.values[index], callee, binary, depth + 1) for r in returned)


class _Frame(Struct, frozen=True, eq=False):
    """A call that was followed into the function that it calls."""

    call: s.Call
    root: Declaration
    outer: _Frame | None


def _union(found: Iterable[frozenset[Wrap]]) -> frozenset[Wrap]:
    return frozenset().union(*found)


def _wrapped(prefix: str | None, keys: tuple[str, ...] | None, inner: Wrap) -> Wrap:
    before, labels = inner
    return (
        None if prefix is None or before is None else before + prefix,
        None if keys is None or labels is None else (*keys, *labels),
    )


def _returns(node: s.Node) -> Iterator[s.Return]:
    """The return statements of a function, those of literals inside left out."""
    stack = list(s.children(node))
    while stack:
        current = stack.pop()
        if isinstance(current, s.Return):
            yield current
        elif not isinstance(current, s.FuncLit):
            stack.extend(s.children(current))
