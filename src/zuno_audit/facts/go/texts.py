"""Which texts an expression can be, from the text of the program alone: constants, concatenations,
parameters.

`Texts.fold` gives templates: tuples of strings and `Hole`s (a parameter whose value the caller decides). None
means that it takes the evaluator to know. `settings` puts `Setting`s (values of the environment) into them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go.bindings import Bindings, FunctionNode, Source, last_name
from zuno_audit.facts.go.effects import local_names
from zuno_audit.facts.go.program import Declaration, Program
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.dead_code import DeadCode
    from zuno_audit.facts.go.types import Types

MAX_DEPTH = 8
MAX_TEMPLATES = 200
_CHANGES: dict[str, Callable[[str], str]] = {
    "ToUpper": lambda text: text.upper(),
    "ToLower": lambda text: text.lower(),
    "TrimSpace": lambda text: text.strip(),
}


class Hole(Struct, frozen=True):
    """The value of a parameter, or of each element of it: `function` is where it is declared."""

    function: FunctionNode
    index: int
    each: bool = False


class Setting(Struct, frozen=True):
    """The value of an environment variable, or its default (empty: none) when it is not set."""

    name: str
    default: str = ""

    @property
    def reference(self) -> str:
        """As a shell writes it."""
        return f"${{{self.name}:-{self.default}}}" if self.default else f"${{{self.name}}}"


Template = tuple[str | Hole | Setting, ...]


class Texts:
    """Folds expressions of one program."""

    def __init__(self, program: Program, types: Types | None = None) -> None:
        self.program, self.types = program, types
        self._bindings: dict[int, Bindings] = {}
        self._local_names: dict[int, set[str]] = {}
        self.dead_code: dict[int, DeadCode] = {}  # by the id of a declaration; filled by `dead_code`
        self._given: dict[
            tuple[int, int], list[Template] | None
        ] = {}  # parameters of functions that are seen
        # from one call: by the id of the function and the index

    def bindings(self, root: Declaration) -> Bindings:
        """The local names of a declaration."""
        known = self._bindings.get(id(root.node))
        if known is None:
            known = self._bindings[id(root.node)] = Bindings(root.node)
        return known

    def fold(self, expr: s.Expr, root: Declaration, depth: int = 0) -> list[Template] | None:
        """The templates of an expression inside a declaration, or None when it cannot be told."""
        if depth > MAX_DEPTH:
            return None
        match expr:
            case s.BasicLit(value=str() as value):
                return [(value,)]
            case s.Ident(name=name):
                return self._name(name, expr.start, root, depth)
            case s.Selector():
                return self._declared(self.declaration(expr, root), expr.sel, depth)
            case s.Binary(op="+", x=x, y=y):
                return self._joined([x, y], root, depth)
            case s.Call():
                return self._call(expr, root, depth)
        return None

    @contextmanager
    def called(self, function: s.FuncDecl, call: s.Call, root: Declaration) -> Iterator[None]:
        """While it lasts the parameters of a function are what one call of it gives them."""
        before = dict(self._given)
        given = {
            (id(function), index): self.fold(argument, root)
            for index, argument in enumerate(call.args)
            if index < len(function.params) and not function.params[index].variadic
        }
        self._given.update(given)
        try:
            yield
        finally:
            self._given = before

    def constants(self, expr: s.Expr, root: Declaration) -> list[str] | None:
        """The constant texts of an expression; None when a parameter or the evaluator decides."""
        return plain(self.fold(expr, root))

    def package_path(self, expr: s.Expr, root: Declaration) -> str | None:
        """The import path of the package that a name stands for; None for variables and everything else."""
        path = self.program.imported(root.file).get(expr.name) if isinstance(expr, s.Ident) else None
        if path is None or not isinstance(expr, s.Ident):
            return None
        return None if self.is_variable(expr, root) else path

    def is_variable(self, name: s.Ident, root: Declaration) -> bool:
        """Whether a name means a parameter or local variable of the declaration around it."""
        if isinstance(root.node, s.FuncDecl):
            names = self._local_names.get(id(root.node))
            if names is None:
                names = self._local_names[id(root.node)] = local_names(root.node)
            if name.name not in names:
                return False
        return self.bindings(root).variable(name.name, name.start) is not None

    def declaration(self, expr: s.Expr, root: Declaration) -> Declaration | None:
        """What a name of the package, or `package.Name` of another package of the repository, declares."""
        if isinstance(expr, s.Ident):
            return None if self.is_variable(expr, root) else root.package.declaration(expr.name)
        path = self.package_path(expr.x, root) if isinstance(expr, s.Selector) else None
        package = self.program.package(path) if path is not None else None
        return package.declaration(expr.sel) if package is not None and isinstance(expr, s.Selector) else None

    def constant_of(self, expr: s.Expr, root: Declaration) -> tuple[s.Expr, Declaration] | None:
        """The expression behind the name of a package-level const or var, and where it stands."""
        declared = self.declaration(expr, root)
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return None
        value = initial(declared.node, last_name(expr))
        return (value, declared) if value is not None else None

    def named_constant(self, expr: s.Expr, root: Declaration) -> s.Expr | None:
        """The expression behind the name of a package-level const or var."""
        found = self.constant_of(expr, root)
        return found[0] if found is not None else None

    def _joined(self, parts: list[s.Expr], root: Declaration, depth: int) -> list[Template] | None:
        folded = [self.fold(part, root, depth + 1) for part in parts]
        if any(f is None for f in folded):
            return None
        found = [sum(combination, ()) for combination in product(*(f or [] for f in folded))]
        return [_merged(t) for t in found[:MAX_TEMPLATES]]

    def _call(self, call: s.Call, root: Declaration, depth: int) -> list[Template] | None:
        fun = call.fun
        if isinstance(fun, s.Ident) and len(call.args) == 1:
            converted = root.package.declaration(fun.name)
            is_type = converted is not None and isinstance(converted.node, s.TypeSpec)
            if fun.name == "string" or is_type:
                return self.fold(call.args[0], root, depth + 1)
        if isinstance(fun, s.Selector) and isinstance(fun.x, s.Ident):
            path = self.program.imported(root.file).get(fun.x.name)
            if path == "strings" and fun.sel in ("ToUpper", "ToLower", "TrimSpace") and len(call.args) == 1:
                texts = plain(self.fold(call.args[0], root, depth + 1))
                return None if texts is None else [(_CHANGES[fun.sel](t),) for t in texts]
            if path == "fmt" and fun.sel == "Sprintf" and call.args and isinstance(call.args[0], s.BasicLit):
                return self._formatted(str(call.args[0].value), call.args[1:], root, depth)
            if path == "strings" and fun.sel in ("ReplaceAll", "Replace") and len(call.args) >= 3:
                texts, old, new = (plain(self.fold(a, root, depth + 1)) for a in call.args[:3])
                if texts is not None and old and new:
                    return [(t.replace(old[0], new[0]),) for t in texts]
        declared = self.function(call, root)
        value = returned(declared) if declared is not None else None
        if declared is None or value is None or not isinstance(declared.node, s.FuncDecl):
            return None
        with self.called(declared.node, call, root):
            return self.fold(value, declared, depth + 1)

    def function(self, call: s.Call, root: Declaration) -> Declaration | None:
        """The function of the repository that a call names, packages of its own included."""
        declared = self.declaration(call.fun.x if isinstance(call.fun, s.Index) else call.fun, root)
        return declared if declared is not None and isinstance(declared.node, s.FuncDecl) else None

    def _formatted(
        self, form: str, args: list[s.Expr], root: Declaration, depth: int
    ) -> list[Template] | None:
        pieces = form.replace("%v", "%s").split("%s")
        if any(self._prints_itself(arg, root) for arg in args):
            return None
        if len(pieces) != len(args) + 1 or any("%" in p for p in pieces):
            return None
        parts: list[s.Expr] = []
        for i, piece in enumerate(pieces):
            parts.append(s.BasicLit(0, 0, "STRING", piece))
            parts += args[i : i + 1]
        return self._joined(parts, root, depth)

    def _prints_itself(self, expr: s.Expr, root: Declaration) -> bool:
        """True for a value whose method fmt asks for its text."""
        if self.types is None:
            return False
        type_ = static_type(expr, root, self, self.types)
        return type_ is not None and self.types.text_method(type_) is not None

    def _name(self, name: str, offset: int, root: Declaration, depth: int) -> list[Template] | None:
        variable = self.bindings(root).variable(name, offset)
        if variable is None:
            return self._declared(root.package.declaration(name), name, depth)
        if len(variable.sources) != 1:
            return None
        source = variable.sources[0]
        if source.kind == "param" and source.function is not None:
            if (id(source.function), source.index) in self._given:
                return self._given[id(source.function), source.index]
            return [(Hole(source.function, source.index),)]
        if source.kind == "value" and source.expr is not None:
            return self.fold(source.expr, root, depth + 1)
        if source.kind in ("range-key", "range-value"):
            return self._ranged(source, root, depth)
        return None

    def _ranged(self, source: Source, root: Declaration, depth: int) -> list[Template] | None:
        literal = self.literal(source.expr, root)
        if literal is None:
            return self._each(source, root)
        node, owner = literal
        if isinstance(node.type, s.ArrayType) and source.kind == "range-value":
            elements = [value for _, value in node.elements]
        elif isinstance(node.type, s.MapType):
            elements = [k if source.kind == "range-key" else v for k, v in node.elements if k is not None]
        else:
            return None
        found: list[Template] = []
        for element in elements:
            folded = self.fold(element, owner, depth + 1)
            if folded is None:
                return None
            found += folded
        return found[:MAX_TEMPLATES]

    def _each(self, source: Source, root: Declaration) -> list[Template] | None:
        """The elements of a parameter that is a slice."""
        if source.kind != "range-value" or not isinstance(source.expr, s.Ident):
            return None
        variable = self.bindings(root).variable(source.expr.name, source.expr.start)
        only = variable.sources[0] if variable is not None and len(variable.sources) == 1 else None
        if only is None or only.kind != "param" or only.function is None:
            return None
        return [(Hole(only.function, only.index, each=True),)]

    def argument(self, hole: Hole, call: s.Call, root: Declaration) -> list[Template] | None:
        """What a call puts into a hole of the function that it calls."""
        if hole.index >= len(call.args):
            return [] if hole.each else None
        if not hole.each:
            return self.fold(call.args[hole.index], root)
        elements = call.args[hole.index :]
        owner = root
        if call.ellipsis or not hole.function.params[hole.index].variadic:
            literal = self.literal(call.args[hole.index], root)
            if literal is None:
                return None
            elements, owner = [value for _, value in literal[0].elements], literal[1]
        found: list[Template] = []
        for element in elements:
            folded = self.fold(element, owner)
            if folded is None:
                return None
            found += folded
        return found

    @staticmethod
    def _text(text: str | Setting) -> list[Template]:
        return [(text,)]

    def fill(self, template: Template, call: s.Call, root: Declaration) -> list[Template] | None:
        """A template of a function as one call of it makes it."""
        parts: list[list[Template]] = []
        for part in template:
            filled = self.argument(part, call, root) if isinstance(part, Hole) else self._text(part)
            if filled is None:
                return None
            parts.append(filled)
        return [_merged(sum(combination, ())) for combination in product(*parts)][:MAX_TEMPLATES]

    def literal(self, expr: s.Expr | None, root: Declaration) -> tuple[s.CompositeLit, Declaration] | None:
        """The composite literal that an expression is or is the name of."""
        variable = self.bindings(root).variable(expr.name, expr.start) if isinstance(expr, s.Ident) else None
        if variable is not None:
            only = variable.sources[0] if len(variable.sources) == 1 else None
            found = (only.expr, root) if only is not None else None
        else:
            found = (self.constant_of(expr, root) if expr is not None else None) or (expr, root)
        return (found[0], found[1]) if found is not None and isinstance(found[0], s.CompositeLit) else None

    def _declared(self, declared: Declaration | None, name: str, depth: int) -> list[Template] | None:
        if declared is None or not isinstance(declared.node, s.ValueSpec):
            return None
        value = initial(declared.node, name)
        return None if value is None else self.fold(value, declared, depth + 1)


def returned(declared: Declaration) -> s.Expr | None:
    """The only thing that a function does: the expression that it returns."""
    node = declared.node
    stmts = node.body.stmts if isinstance(node, s.FuncDecl) and node.has_body else []
    if len(stmts) == 1 and isinstance(stmts[0], s.Return) and len(stmts[0].values) == 1:
        return stmts[0].values[0]
    return None


def initial(spec: s.ValueSpec, name: str) -> s.Expr | None:
    """The expression that a var or const line gives to one of its names."""
    for declared, value in zip(spec.names, spec.values, strict=False):
        if declared.name == name and len(spec.values) == len(spec.names):
            return value
    return None


def plain(templates: list[Template] | None) -> list[str] | None:
    """The texts of templates without holes, or None."""
    if templates is None or any(not isinstance(part, str) for t in templates for part in t):
        return None
    return ["".join(str(part) for part in t) for t in templates]


def _merged(template: Template) -> Template:
    out: list[str | Hole | Setting] = []
    for part in template:
        if isinstance(part, str) and out and isinstance(out[-1], str):
            out[-1] = out[-1] + part
        else:
            out.append(part)
    return tuple(out)
