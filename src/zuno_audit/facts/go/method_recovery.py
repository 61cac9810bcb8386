"""Do the methods of the services that a server serves recover by themselves?

Without an interceptor a panic in a handler is still stopped where every method of every registered service defers
something that recovers before it touches the request. Each such method is cut off behind that defer, panics there,
and runs like an interceptor (`recovery.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go.bindings import last_name
from zuno_audit.facts.go.program import Declaration, Package
from zuno_audit.facts.go.recovery import Recovery, RecoveryQuestion, all_of
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.facts.go.values import Func
from zuno_audit.languages.go import syntax as s
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.types import Type

REGISTER = re.compile(r"^Register(\w+)Server$")
_REGISTERS = re.compile(rb"\bRegister(?:\w+Server|Service)\b")
_DESCRIPTION = re.compile(r"^(\w+)_ServiceDesc$")
HEALTH = "google.golang.org/grpc/health"  # its methods do not panic
MAX_METHODS = 200
MAX_LEVELS = 4  # of calls that lead to a registration
MAX_BEFORE = 6  # statements that may stand before the defer
_PANIC = "panic"


class _Registration(Struct, frozen=True, eq=False):
    """A call that registers a service. `service` is its name as `named` in the generated package says it, None
    where the call does not tell.
    """

    call: s.Call
    server: s.Expr
    named: s.Expr
    root: Declaration
    service: str | None


class MethodRecovery:
    """Answers for servers of one program. `constructions` are the functions in which servers are made."""

    def __init__(
        self, analysis: Analysis, recovery: RecoveryQuestion, constructions: Iterable[Declaration]
    ) -> None:
        self.analysis, self.recovery = analysis, recovery
        self._made_in = {root.package.path for root in constructions}
        self._registrations = list(self._find())
        self._answers: dict[int, tuple[Recovery, str]] = {}  # per method: what it does, and its kind of call
        self._packages: dict[int, frozenset[str]] = {}  # per registration
        self._kept: list[s.FuncDecl] = []  # identities of nodes are keys elsewhere

    def of(self, root: Declaration, kind: str) -> Recovery | None:
        """What the methods of one kind (unary or stream) do on a server that is made in a function.

        None where no method is known that recovers; unknown where the methods of one of its services are not known.
        """
        found: list[Recovery] = []
        unknown = ""
        for registration in self._served(root):
            methods = self._methods(registration)
            if methods is None:
                unknown = registration.service or "a service"
            for method in methods or ():
                answer, its_kind = self._method(method)
                if its_kind == kind:
                    found.append(answer)
                    if answer.recovers != "yes":
                        return None
        if not found:
            return None
        if unknown:
            because = f"methods of its services recover, but those of {unknown} cannot be followed"
            return Recovery("unknown", because, found[0].sites)
        return replace(all_of(found), because=f"every {kind} method of its services recovers")

    # ------------------------------------------------------------ which services

    def _find(self) -> Iterator[_Registration]:
        program = self.analysis.program
        paths = {
            *self.analysis.search.files_with(b"Register", b"Server("),
            *self.analysis.search.files_with(b"RegisterService("),
        }
        for path in sorted(paths):
            if program.repository.kind(path) is not FileKind.CODE:
                continue
            if _REGISTERS.search(program.repository.read(path) or b"") is None:
                continue
            package, file = program.package_of(path), program.file(path)
            if package is None or file is None or path not in package.files:
                continue
            for node in file.functions_with(b"Register"):
                for inner in s.nodes_of(node):
                    if isinstance(inner, s.Call) and len(inner.args) == 2:
                        yield from _registration(inner, Declaration(package, file, node))

    def _served(self, root: Declaration) -> Iterator[_Registration]:
        """Every service that the server may serve which is made in a function."""
        for registration in self._registrations:
            if id(registration.call) not in self._packages:
                places = frozenset(self._handed_from(registration.root, registration.server, 0))
                self._packages[id(registration.call)] = places
            packages = self._packages[id(registration.call)]
            if root.package.path in packages or not self._made_in.issuperset(packages):
                yield registration

    def _handed_from(self, root: Declaration, server: s.Expr, level: int) -> Iterator[str]:
        """The packages in which a server is had that is handed down to a function; "" where that is not known."""
        node = root.node
        names = [p.name for p in node.params] if isinstance(node, s.FuncDecl) else []
        if not isinstance(server, s.Ident) or server.name not in names:
            yield root.package.path
            return
        index = names.index(server.name)
        callers = self.analysis.callers(root) if level < MAX_LEVELS else []
        if not callers:
            yield ""
        for site in callers:
            if isinstance(site.call, s.Call) and index < len(site.call.args):
                yield from self._handed_from(site.root, site.call.args[index], level + 1)

    # ------------------------------------------------------------ their methods

    def _methods(self, registration: _Registration) -> list[Declaration] | None:
        """The methods that serve a service; None where they are not known."""
        if registration.service is None:
            return None
        given = static_type(
            registration.call.args[1], registration.root, self.analysis.texts, self.analysis.types
        )
        base = given.elem if given is not None and given.kind == "pointer" else given
        if base is None:
            return None
        if base.kind == "extern":
            return [] if base.path == HEALTH else None
        names = self._names(registration) or self._exported(base)
        if names is None or len(names) > MAX_METHODS:
            return None
        found: list[Declaration] = []
        for name in sorted(names):
            declared = self._declared(base, name)
            if declared is None:
                return None
            found += declared
        return found

    def _names(self, registration: _Registration) -> list[str]:
        """The methods of the generated interface of a service, where the repository has it."""
        fun = registration.named
        package: Package | None = registration.root.package
        if isinstance(fun, s.Selector) and isinstance(fun.x, s.Ident):
            program = self.analysis.program
            path = program.imported(registration.root.file).get(fun.x.name)
            package = program.package(path) if path else None
        declared = package.declaration(f"{registration.service}Server") if package is not None else None
        if declared is None or not isinstance(declared.node, s.TypeSpec):
            return []
        type_ = self.analysis.types.named(declared.package, declared.node.name)
        return [name for name in self.analysis.types.interface_methods(type_) if name[:1].isupper()]

    def _exported(self, base: Type) -> list[str] | None:
        """The exported methods of a struct that has all of them itself."""
        if base.package is None or any(
            f.embedded and not f.name.startswith("Unimplemented") for f in self.analysis.types.fields(base)
        ):
            return None
        names = [name for name in base.package.method_names(base.name) if name[:1].isupper()]
        return names or None

    def _declared(self, base: Type, name: str) -> list[Declaration] | None:
        types = self.analysis.types
        under = types.underlying(base)
        if under is not None and isinstance(under.node, s.InterfaceType):
            return types.implementations(base, name) or None
        found = types.find_method(base, name)
        if found is None:
            return None
        path, method = found
        if isinstance(method, Declaration):
            return [method] if self._is_own(method) else []
        return [] if path and path[-1].startswith("Unimplemented") else None

    def _is_own(self, method: Declaration) -> bool:
        return self.analysis.program.repository.kind(method.file.path) is not FileKind.GENERATED

    # ------------------------------------------------------------ one method

    def _method(self, method: Declaration) -> tuple[Recovery, str]:
        assert isinstance(method.node, s.FuncDecl)
        key = id(method.node)
        if key not in self._answers:
            kind = _kind(method.node)
            answer = self._try(method, method.node, 1 if kind == "unary" else 0) if kind else _NO_ANSWER
            self._answers[key] = (answer, kind)
        return self._answers[key]

    def _try(self, method: Declaration, node: s.FuncDecl, index: int) -> Recovery:
        has_request = index == 1 or len(node.params) == 2
        at = node.params[-1] if index == 1 else node.params[0]
        request = {at.name} if has_request else set()
        best = Recovery("no", f"{node.name} defers nothing before it uses the request")
        for position, stmt in enumerate(node.body.stmts[:MAX_BEFORE]):
            if isinstance(stmt, s.Defer):
                best = self.recovery.after(
                    self.analysis.evaluator(), self._cut(method, node, position), index
                )
                if best.recovers == "yes":
                    break
            elif not isinstance(stmt, s.ExprStmt | s.Assign | s.DeclStmt) or any(
                isinstance(x, s.Ident) and x.name in request for x in s.walk(stmt)
            ):
                break
        return best

    def _cut(self, method: Declaration, node: s.FuncDecl, position: int) -> Func:
        """The method up to a statement, behind which it panics."""
        stmts = node.body.stmts[: position + 1]
        at = stmts[-1].end
        text = s.BasicLit(at, at, "STRING", "panic in a method")
        call = s.Call(at, at, s.Ident(at, at, _PANIC), [text], False)
        cut = s.FuncDecl(
            node.start, node.end, node.name, node.receiver, node.type_params, node.params, node.results, None
        )
        cut._body, cut.has_body = s.Block(node.start, node.end, [*stmts, s.ExprStmt(at, at, call)]), True
        self._kept.append(cut)
        return Func(cut, method.file, method.package)


_NO_ANSWER = Recovery("no", "it is no method of a service")


def _registration(call: s.Call, root: Declaration) -> Iterator[_Registration]:
    name, first = last_name(call.fun), call.args[0]
    match = REGISTER.match(name)
    if match is not None:
        yield _Registration(call, first, call.fun, root, match[1])
    elif name == "RegisterService":
        named = first.x if isinstance(first, s.Unary) else first
        match = _DESCRIPTION.match(last_name(named))
        server = call.fun.x if isinstance(call.fun, s.Selector) else call.fun
        yield _Registration(call, server, named, root, match[1] if match is not None else None)


def _kind(node: s.FuncDecl) -> str:
    """unary, stream, or nothing for what cannot be a method of a service."""
    first = node.params[0].type if node.params else None
    is_context = isinstance(first, s.Selector) and first.sel == "Context"
    if is_context and len(node.params) == 2 and len(node.results) == 2:
        return "unary"
    if 1 <= len(node.params) <= 2 and len(node.results) == 1 and not is_context:
        last = node.params[-1].type
        is_error = isinstance(node.results[0].type, s.Ident) and node.results[0].type.name == "error"
        generic = isinstance(last, s.Index)
        return "stream" if is_error and (last_name(last).endswith(("Server", "Stream")) or generic) else ""
    return ""
