"""Environment variables that Go code reads: by which name, with which default, and whether the read can run.

From every call that really reaches the environment (`os.Getenv` and its kin, under any alias, as a function
value too) the key is followed backwards: through constants, loops over tables, closures and wrappers with the
key in any position, up to the calls where the name is known. What the text does not tell is evaluated.
Libraries that fill structs or flags are in `env_tags` and `env_flags`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.bindings import called_name, parents
from zuno_audit.facts.go.dead_code import is_dead
from zuno_audit.facts.go.env_defaults import Missing, Outcome, Surroundings, refuses_each, try_without
from zuno_audit.facts.go.env_fields import FieldTests
from zuno_audit.facts.go.evaluate import Evaluator, Frame, Limits
from zuno_audit.facts.go.program import Declaration, Package
from zuno_audit.facts.go.reach import reach
from zuno_audit.facts.go.search import Use, uses
from zuno_audit.facts.go.texts import Hole, Template, Texts
from zuno_audit.facts.go.values import Const, Extern, Func, Input, State, Val, Value
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.languages import shell
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, UNKNOWN, YES

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_LEVELS = 5  # wrappers around wrappers
MAX_CALL_SITES = 4_000
MAX_EVALUATED_CALLERS = 100
_SYSTEM = {"Getenv": ("os", "syscall"), "LookupEnv": ("os",), "ExpandEnv": ("os",)}
_IN_TEXT = "\x00"  # begins the template of a text with names in it: $NAME and ${NAME}
_DIRECT = Missing()
_FOUND = Missing(reports=True)


class _Reader(Struct, frozen=True, eq=False):
    """Something that reads the variable named by `template`: the key in terms of its parameters.

    `declared` is the function, or the declaration that `name` is a local variable of (`is_local`), or None
    for a function value held in the field or package variable `name` of `package`.
    """

    name: str
    package: Package
    template: Template
    missing: Missing
    level: int
    declared: Declaration | None = None
    is_local: bool = False
    is_field: bool = False
    origin: Use | None = None


def env_reads(store: FactStore) -> tuple[EnvRead, ...]:
    """Every read in Go code that is no test, whether a binary links it or not; sorted by place."""
    from zuno_audit.facts.go.env_flags import flag_reads
    from zuno_audit.facts.go.env_tags import tag_reads

    asked = store.get(analysis)
    texts = asked.texts
    fields = FieldTests(asked, texts, store.get(reach))
    found = _Finder(asked, texts, fields).reads()
    found += [*tag_reads(asked, texts), *flag_reads(asked, texts, fields)]
    unique = {(read.location, read.name): _placed(read, offset) for read, offset in found}
    return tuple(unique[key] for key in sorted(unique, key=lambda k: (k[0], k[1])))


def _placed(read: EnvRead, offset: int) -> EnvRead:
    path = read.location.path
    return replace(read, directory=dirname(path), code=read.code or path, offset=offset)


def can_run(store: FactStore, read: EnvRead) -> str:
    """Whether some binary links the code that reads a variable and reaches it: yes, no or unknown."""
    return store.get(reach).can_run(read.code, read.offset) if read.code else YES


class _Finder:
    """Follows keys backwards from the calls that read the environment."""

    def __init__(self, asked: Analysis, texts: Texts, fields: FieldTests) -> None:
        self.asked, self.texts, self.fields = asked, texts, fields
        self.search, self.program = asked.search, asked.program
        self.found: list[tuple[EnvRead, int]] = []
        self.todo: list[_Reader] = []
        self.done: set[object] = set()
        self.calls = 0
        self._surroundings: dict[int, Surroundings] = {}

    def reads(self) -> list[tuple[EnvRead, int]]:
        """All reads, each with the byte offset of its call."""
        for name, paths in _SYSTEM.items():
            for path in self.search.own_files_with(name.encode()):
                self._system_uses(path, name, paths)
        for path in self.search.own_files_with(b"os.Environ"):
            self._environ(path)
        while self.todo and self.calls < MAX_CALL_SITES:
            self._follow(self.todo.pop())
        return self.found

    # ---------------------------------------------------------------- where the environment is reached

    def _system_uses(self, path: str, name: str, paths: tuple[str, ...]) -> None:
        missing = _FOUND if name == "LookupEnv" else _DIRECT
        template: Template = (_IN_TEXT, Hole(_ANY, 0)) if name == "ExpandEnv" else (Hole(_ANY, 0),)
        for root in self.search.roots(path, name.encode()):
            above: dict[int, s.Node] | None = None
            for node in s.walk(root.node):
                if not self._is_system(node, name, paths, root):
                    continue
                above = parents(root.node) if above is None else above
                parent = above.get(id(node))
                if isinstance(parent, s.Call) and parent.fun is node:
                    self._call(Use(root, parent), template, missing, 0, None)
                else:
                    self._value(root, node, above, template, missing, 0)

    def _is_system(self, node: s.Node, name: str, paths: tuple[str, ...], root: Declaration) -> bool:
        if isinstance(node, s.Selector) and node.sel == name and isinstance(node.x, s.Ident):
            path = self.program.imported(root.file).get(node.x.name)
            return path in paths and self.texts.bindings(root).variable(node.x.name, node.start) is None
        if isinstance(node, s.Ident) and node.name == name:
            dotted = any(i.name == "." and i.path in paths for i in root.file.imports)
            return dotted and self.texts.bindings(root).variable(name, node.start) is None
        return False

    def _value(
        self,
        root: Declaration,
        node: s.Node,
        above: dict[int, s.Node],
        template: Template,
        missing: Missing,
        level: int,
        origin: Use | None = None,
    ) -> None:
        """A reading function is used as a value: whatever holds it now reads as well."""
        parent = above.get(id(node))
        reader = _Reader("", root.package, template, missing, level + 1, origin=origin)
        match parent:
            case s.Assign(lhs=lhs, rhs=rhs):
                target = lhs[rhs.index(node)] if node in rhs and len(lhs) == len(rhs) else None
                self._held(reader, root, target)
            case s.ValueSpec(names=names, values=values) if node in values:
                self._held(reader, root, names[values.index(node)])
            case s.CompositeLit(elements=elements):
                key = next((k for k, v in elements if v is node), None)
                if isinstance(key, s.Ident):
                    self._add(replace(reader, name=key.name, is_field=True))
                else:  # an element of a table: a call of one of them may be of this one
                    self._value(root, parent, above, template, missing, level, origin)
            case s.Call(args=args) if node in args:
                self._handed_over(reader, root, parent, args.index(node))

    def _held(self, reader: _Reader, root: Declaration, target: s.Expr | None) -> None:
        if isinstance(target, s.Selector):
            self._add(replace(reader, name=target.sel, is_field=True))
        elif isinstance(target, s.Ident):
            is_local = isinstance(root.node, s.FuncDecl) and root.package.declaration(target.name) is None
            local = is_local or self.texts.bindings(root).variable(target.name, target.end + 1) is not None
            if local and isinstance(root.node, s.FuncDecl):
                self._add(replace(reader, name=target.name, declared=root, is_local=True))
            else:
                self._add(replace(reader, name=target.name))

    def _handed_over(self, reader: _Reader, root: Declaration, call: s.Call, index: int) -> None:
        """A reading function is an argument: the parameter of the called function reads."""
        if called_name(call) == "Expand" and self._path_of(call.fun, root) == "os":
            for text in self.texts.constants(call.args[0], root) or ():
                for name in shell.names(text):
                    key = "".join(name if isinstance(part, Hole) else str(part) for part in reader.template)
                    self._found(key, root, call, Outcome(), "os.Expand")
            return
        if isinstance(call.fun, s.FuncLit) and index < len(call.fun.params):  # func(get ...) {...}(os.Getenv)
            called = call.fun.params[index].name
            if called:
                self._add(replace(reader, name=called, declared=root, is_local=True))
            return
        for callee in self._callees(call.fun, root):
            node = callee.node
            assert isinstance(node, s.FuncDecl)
            held = node.params[index].name if index < len(node.params) else None
            if not held:
                continue
            self._add(replace(reader, name=held, declared=callee, is_local=True, package=callee.package))
            above = parents(node)
            for inner in s.walk(node.body):
                if isinstance(inner, s.Ident) and inner.name == held:
                    parent = above.get(id(inner))
                    if not (isinstance(parent, s.Call) and parent.fun is inner) and reader.level < MAX_LEVELS:
                        self._value(callee, inner, above, reader.template, reader.missing, reader.level)

    def _path_of(self, fun: s.Expr, root: Declaration) -> str | None:
        if isinstance(fun, s.Selector) and isinstance(fun.x, s.Ident):
            return self.program.imported(root.file).get(fun.x.name)
        return None

    def _callees(self, fun: s.Expr, root: Declaration) -> list[Declaration]:
        """The functions and methods of the repository that a call may mean."""
        fun = fun.x if isinstance(fun, s.Index) else fun
        declared: Declaration | None = None
        if isinstance(fun, s.Ident):
            declared = root.package.declaration(fun.name)
        elif isinstance(fun, s.Selector):
            path = self._path_of(fun, root)
            if path is not None:
                package = self.program.package(path)
                declared = package.declaration(fun.sel) if package is not None else None
            else:
                return self._methods(fun.sel, root.package)
        return [declared] if declared is not None and isinstance(declared.node, s.FuncDecl) else []

    def _methods(self, name: str, package: Package) -> list[Declaration]:
        found = []
        for path in package.files:
            file = self.program.file(path)
            if file is not None:
                for node in file.functions_with(b") " + name.encode()):
                    if node.receiver is not None and node.name == name:
                        found.append(Declaration(package, file, node))
        return found

    # ---------------------------------------------------------------- a call that reads

    def _call(self, site: Use, template: Template, missing: Missing, level: int, origin: Use | None) -> None:
        """A call of a reading function: its variable is known here, or the function around it reads too.

        `origin` is the call of the system's function inside the wrappers; None when `site` is that call.
        """
        self.calls += 1
        if self.calls > MAX_CALL_SITES:
            return
        filled = self.texts.fill(template, site.call, site.root)
        if filled is None:
            self._evaluate(site, missing, level, origin or site)
            return
        known = ["".join(map(str, one)) for one in filled if not any(isinstance(p, Hole) for p in one)]
        outcome = self._outcome(site, missing) if known else Outcome()
        if len(known) > 1 and outcome == Outcome() and self._may_refuse(site):
            outcome = Outcome(required=UNKNOWN)
        if len(known) > 1 and outcome.required == YES and not self._needs_each(site, known):
            outcome = replace(outcome, required=NO)
        for one in filled:
            hole = next((part for part in one if isinstance(part, Hole)), None)
            if hole is None:
                for name in _names_of("".join(map(str, one))):
                    self._found(name, site.root, site.call, outcome, None)
            else:
                self._wrap(site, one, hole, missing, level, origin or site)

    @staticmethod
    def _may_refuse(site: Use) -> bool:
        """True when the function around a read may refuse, or note what is missing for somebody who does."""
        return _REFUSES.search(site.root.file.data, site.root.node.start, site.root.node.end) is not None

    def _needs_each(self, site: Use, names: list[str]) -> bool:
        """Whether a call that gets several names refuses when one of them is missing."""
        return all(refuses_each(self.asked, d, names) for d in self._callees(site.call.fun, site.root))

    def _wrap(
        self, site: Use, template: Template, hole: Hole, missing: Missing, level: int, origin: Use
    ) -> None:
        """The key is a parameter of the function around the call: that function is a reader."""
        if level >= MAX_LEVELS:
            return
        root, function = site.root, hole.function
        if isinstance(function, s.FuncDecl):
            missing = try_without(self.asked, root, given=self._held_by(site, missing))
            reader = _Reader(function.name, root.package, template, missing, level + 1, root, origin=origin)
            self._add(reader)
            return
        above = parents(root.node)
        missing = try_without(self.asked, root, function)
        self._value(root, function, above, template, missing, level, origin)

    @staticmethod
    def _held_by(site: Use, missing: Missing) -> dict[str, Value]:
        """The parameter that the read goes through, and the function of the system that it holds."""
        fun = site.call.fun
        name = fun.name if isinstance(fun, s.Ident) else None
        if (
            missing not in (_FOUND, _DIRECT)
            or name is None
            or all(param.name != name for param in getattr(site.root.node, "params", ()))
        ):
            return {}
        return {name: (Extern("os", "LookupEnv" if missing is _FOUND else "Getenv"),)}

    def _add(self, reader: _Reader) -> None:
        holder = id(reader.declared.node) if reader.declared is not None else reader.package.path
        key = (reader.name, holder, reader.is_local, reader.is_field, reader.template)
        if key not in self.done and reader.level <= MAX_LEVELS:
            self.done.add(key)
            self.todo.append(reader)

    def _follow(self, reader: _Reader) -> None:
        for site in self._sites(reader):
            self._call(site, reader.template, reader.missing, reader.level, reader.origin)
        if reader.is_field:
            self._handed_on(reader)
        if reader.declared is not None and not reader.is_local:
            self._expanding(reader, reader.declared)

    def _expanding(self, reader: _Reader, declared: Declaration) -> None:
        """A reading function is what os.Expand asks."""
        for path in self.search.own_files_with(b"os.Expand("):
            for root in self.search.roots(path, b"os.Expand("):
                for site in uses(self.search.calls_named(root.file, root.package, "Expand")):
                    callees = self._callees(site.call.args[-1], root) if site.call.args else []
                    if site.root.node is root.node and any(c.node is declared.node for c in callees):
                        self._handed_over(reader, root, site.call, len(site.call.args) - 1)

    def _handed_on(self, reader: _Reader) -> None:
        """The field that holds a reading function is itself used as a value."""
        for path in reader.package.files:
            for root in self.search.roots(path, b"." + reader.name.encode()):
                above: dict[int, s.Node] | None = None
                for node in s.walk(root.node):
                    if isinstance(node, s.Selector) and node.sel == reader.name:
                        above = parents(root.node) if above is None else above
                        parent = above.get(id(node))
                        if isinstance(parent, s.Call) and parent.fun is not node:
                            self._value(root, node, above, reader.template, reader.missing, reader.level)

    def _sites(self, reader: _Reader) -> Iterator[Use]:
        if reader.declared is not None and not reader.is_local:
            for site in uses(self.asked.callers(reader.declared)):
                if is_go_tool_file(site.root.file.path):
                    yield site
        elif reader.declared is not None:
            root = reader.declared
            for site in uses(self.search.calls_named(root.file, root.package, reader.name)):
                if site.root.node is root.node and isinstance(site.call.fun, s.Ident | s.Index):
                    yield site
        else:
            for path in self._files_of(reader):
                package = self.program.package_of(path)
                file = self.program.file(path)
                if package is not None and file is not None:
                    for site in uses(self.search.calls_named(file, package, reader.name)):
                        if self._is_use(site, reader, package):
                            yield site

    def _files_of(self, reader: _Reader) -> list[str]:
        if not reader.name[:1].isupper():
            return list(reader.package.files)
        others = self.search.own_files_with(reader.package.path.encode(), reader.name.encode())
        return sorted({*reader.package.files, *others})

    def _is_use(self, site: Use, reader: _Reader, package: Package) -> bool:
        fun = site.call.fun.x if isinstance(site.call.fun, s.Index) else site.call.fun
        if isinstance(fun, s.Ident):
            local = self.texts.bindings(site.root).variable(fun.name, fun.start)
            return not reader.is_field and package is reader.package and local is None
        if not isinstance(fun, s.Selector):
            return False
        path = self._path_of(fun, site.root)
        return path is None if reader.is_field else path == reader.package.path

    # ---------------------------------------------------------------- results

    def _surroundings_of(self, root: Declaration) -> Surroundings:
        known = self._surroundings.get(id(root.node))
        if known is None:
            known = self._surroundings[id(root.node)] = Surroundings(
                self.texts, root, self.fields, self.asked
            )
        return known

    def _outcome(self, site: Use, missing: Missing) -> Outcome:
        return self._surroundings_of(site.root).outcome(site.call, missing)

    def _found(
        self, name: str, root: Declaration, call: s.Node, outcome: Outcome, mechanism: str | None
    ) -> None:
        if not name or "\x00" in name or "=" in name:
            return
        if is_dead(call, root, self.texts):
            return
        if mechanism is None:
            assert isinstance(call, s.Call)
            mechanism = root.file.data[call.fun.start : call.fun.end].decode("utf-8", "replace")
        location = root.file.location(call.start, call.end)
        self.found.append((EnvRead(name, location, outcome.default, outcome.required, mechanism), call.start))

    # ---------------------------------------------------------------- what only the evaluator can tell

    def _evaluate(
        self,
        site: Use,
        missing: Missing,
        level: int,
        origin: Use,
        followed: frozenset[int] = frozenset(),
    ) -> None:
        """Runs the function around a call, then its callers, and notes the keys that arrive at `origin`."""
        node = site.root.node
        followed |= {id(d.node) for d in self._between(site, origin)}
        names, depends = _Keys(self.asked, site, origin, followed).names(site.root)
        outcome = self._outcome(site, missing)
        if outcome == Outcome() and self._may_refuse(site):
            outcome = Outcome(required=UNKNOWN)  # a table may say which are required
        if len(names) > 1 and outcome.required == YES and not self._needs_each(site, names):
            outcome = replace(outcome, required=NO)
        for name in names:
            self._found(name, site.root, site.call, outcome, None)
        if depends and isinstance(node, s.FuncDecl) and level < MAX_LEVELS:
            missing = try_without(self.asked, site.root)
            for caller in uses(self.asked.callers(site.root)[:MAX_EVALUATED_CALLERS]):
                key = ("caller", id(caller.call), id(origin.call))
                if key not in self.done:
                    self.done.add(key)
                    self._evaluate(caller, missing, level + 1, origin, followed)

    def _between(self, site: Use, origin: Use) -> list[Declaration]:
        """The functions that the evaluation must not put off: around the call, around the read, and what is
        called.
        """
        return [site.root, origin.root, *self._callees(site.call.fun, site.root)]

    # ---------------------------------------------------------------- the whole environment

    def _environ(self, path: str) -> None:
        """A loop over os.Environ(): the names that the function compares with or looks up."""
        for root in self.search.roots(path, b"os.Environ"):
            if not any(
                isinstance(n, s.Call) and called_name(n) == "Environ" and self._path_of(n.fun, root) == "os"
                for n in s.walk(root.node)
            ):
                continue
            for node in s.walk(root.node):
                for expr in _compared(node):
                    for text in self.texts.constants(expr, root) or ():
                        name = text.removesuffix("=")
                        if name.isupper() and name.replace("_", "").isalnum():
                            self._found(name, root, expr, Outcome(), "os.Environ")


_REFUSES = re.compile(rb"\b(?:append\(|Fatal|panic\(|Exit\(|Errorf\(|errors\.New\()")
_ANY = s.FuncDecl(0, 0, "", None, [], [s.Param(0, 0, "key", s.Ident(0, 0, "string"), False)], [], None)


def _names_of(key: str) -> Iterable[str]:
    """The names in a text, or a key itself."""
    return shell.names(key.removeprefix(_IN_TEXT)) if key.startswith(_IN_TEXT) else (key,)


def _compared(node: s.Node) -> list[s.Expr]:
    """The expressions that a node compares a text with or looks up in a map."""
    match node:
        case s.Binary(op="==" | "!=", x=x, y=y):
            return [x, y]
        case s.Clause(exprs=list() as exprs):
            return exprs
        case s.Call(args=[_, prefix]) if called_name(node) in ("HasPrefix", "CutPrefix", "TrimPrefix"):
            return [prefix]
        case s.Index(indices=indices):
            return indices
    return []


def _depends(ev: Evaluator, value: Val, depth: int = 0) -> bool:
    """True when the caller decides a value, or what a library makes of it."""
    if isinstance(value, Extern) and value.args is not None and depth < 4:
        return any(_depends(ev, inner, depth + 1) for arg in value.args for inner in ev.force(arg))
    return isinstance(value, Input)


class _Keys:
    """One evaluation that watches which keys arrive at a call of the system's function."""

    def __init__(self, asked: Analysis, site: Use, origin: Use, followed: frozenset[int]) -> None:
        self.site, self.origin, self.followed, self.asked = site, origin, followed, asked
        self.keys: list[str] = []
        self.depends = False

    def names(self, root: Declaration) -> tuple[list[str], bool]:
        """The constant keys, and whether there are others that the caller decides."""
        ev = self.asked.evaluator(limits=Limits(steps=20_000))
        ev.eager.update(self.followed)
        ev.on_extern = self._watch
        literals: list[tuple[Func, State]] = []
        ev.on_literal = lambda func, state: literals.append((func, state.fork()))
        node = root.node
        if isinstance(node, s.FuncDecl):
            ev.run(Func(node, root.file, root.package))
        else:
            for name in node.names if isinstance(node, s.ValueSpec) else ():
                ev.read(("global", root.package.path, name.name), State())
        if not self.keys and not self.depends:
            inside = [f for f in literals if f[0].node.start <= self.site.call.start < f[0].node.end]
            for func, state in sorted(inside, key=lambda f: f[0].node.end - f[0].node.start)[:1]:
                ev.run(func, state=state)
        return list(dict.fromkeys(self.keys)), self.depends

    def _watch(self, ev: Evaluator, call: Extern, state: State) -> None:
        if call.name not in _SYSTEM or call.path not in _SYSTEM[call.name] or not call.args:
            return
        if not self._is_through(ev, call):
            return
        for value in ev.force(call.args[0]):
            if isinstance(value, Const) and isinstance(value.value, str):
                self.keys += _names_of(_IN_TEXT + value.value if call.name == "ExpandEnv" else value.value)
            else:
                self.depends = self.depends or _depends(ev, value)

    def _is_through(self, ev: Evaluator, call: Extern) -> bool:
        """True for the read that is asked about, when it happens at, or inside of, the call that is asked about."""
        origin = (self.origin.root.file.path, self.origin.call.start)
        if call.site is not None and (call.site.file.path, call.site.start) != origin:
            return False
        path, start = self.site.root.file.path, self.site.call.start
        if call.site is not None and (call.site.file.path, call.site.start) == (path, start):
            return True
        frame: Frame | None = ev.frame
        while frame is not None:
            if frame.site is not None and (frame.site.file.path, frame.site.start) == (path, start):
                return True
            frame = frame.caller
        return False
