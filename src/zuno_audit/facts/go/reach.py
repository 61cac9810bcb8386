"""Whether a place in the Go code can run: linked into a binary, and reached from its main, an init or an
initializer.

The references to functions are walked backwards, on demand, so that a question about few places only parses files that
mention the names on the way. `no` is certain up to reflection, `yes` may be too wide for methods that are called
through an interface or on values whose types are not known; such calls count where a value of the method's type may be
made. What only a library can call (`ServeHTTP`, a gRPC handler) is `unknown`, unless no value of its type is made.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from posixpath import dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.go.linked import Linked, linked
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.references import Reference, References, references
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.facts.go.types import receiver_type_name
from zuno_audit.facts.go_packages import GoPackages
from zuno_audit.languages.go.syntax import Call, Expr, FuncDecl, Ident, Index, Return, Selector
from zuno_audit.model.entity import NO, UNKNOWN, YES

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.types import Type

MAX_STEPS = 400  # functions visited for one question
MAX_USERS = 40  # of a type whose values a library may get
MAX_PARAMETERS = 4  # of a method that a library calls with a context
# methods that interfaces of the standard library and of known libraries ask for
_CALLED_BY_LIBRARIES = frozenset(
    [
        "String",
        "Error",
        "ServeHTTP",
        "Write",
        "Read",
        "Close",
        "MarshalJSON",
        "UnmarshalJSON",
        "MarshalText",
        "UnmarshalText",
        "MarshalYAML",
        "UnmarshalYAML",
        "Scan",
        "Value",
        "Len",
        "Less",
        "Swap",
        "Describe",
        "Collect",
        "Format",
        "GoString",
        "LogValue",
        "Unwrap",
        "Is",
        "As",
        "RoundTrip",
        "Handle",
        "Enabled",
        "WithAttrs",
        "WithGroup",
        "Levels",
        "Fire",
        "Run",
        "Seek",
        "ReadAt",
        "WriteTo",
        "ReadFrom",
        "Next",
        "Set",
        "Type",
        "Decode",
        "Push",
        "Pop",
        "Setup",
        "Cleanup",
        "ConsumeClaim",
        "Start",
        "Stop",
        "Init",
        "Export",
        "Shutdown",
        "ForceFlush",
        "OnStart",
        "OnEnd",
    ]
)
# packages that ask for none but these, or do not look at values
_ASK_FOR_KNOWN = frozenset(
    "fmt log log/slog errors encoding/json encoding/xml reflect context sync sync/atomic sort slices maps".split()
)


class Reach:
    """Answers for one repository, remembered per function."""

    def __init__(self, linked: Linked, references: References) -> None:
        self.linked, self.references, self.packages = linked, references, linked.packages
        self._libraries = _libraries(self.packages)
        self._known: dict[int, str] = {}
        self._mains: dict[int, frozenset[str]] = {}
        self._made: dict[tuple[str, str], bool] = {}
        self._handed_out: dict[tuple[str, str], bool] = {}

    def is_library(self, path: str) -> bool:
        """Whether a file belongs to a module without programs, which no program here is built with: who runs its
        code is decided elsewhere.
        """
        return self.packages.modules.root_of(dirname(path)) in self._libraries

    def enclosing(self, path: str, offset: int) -> Declaration | None:
        """The function around a byte offset of a linked file; None outside of functions."""
        file = self.linked.file(path) if path in self.linked.files else None
        package = self.linked.program.package_of(path)
        node = file.function_at(offset) if file is not None else None
        return Declaration(package, file, node) if package and file and node else None

    # ---------------------------------------------------------------- from which programs

    def mains(self, path: str, offset: int) -> frozenset[str]:
        """Folders of the main packages from whose main or init this place can be reached."""
        if path not in self.linked.files:
            return frozenset()
        function = self.enclosing(path, offset)
        if function is None:
            return frozenset(self.packages.binaries_of(dirname(path)))
        return self._mains_of(function)

    def _mains_of(self, function: Declaration) -> frozenset[str]:
        known = self._mains.get(id(function.node))
        if known is None:
            known = self._mains[id(function.node)] = self._search(function)
        return known

    def _search(self, start: Declaration) -> frozenset[str]:
        wanted = frozenset(self.packages.binaries_of(start.package.folder))
        found: set[str] = set()
        seen = {id(start.node)}
        todo = deque([start])
        later: list[Declaration] = []  # who calls these from afar is only looked for when it matters
        while not wanted <= found and len(seen) < MAX_STEPS and (todo or later):
            if todo:
                current = todo.popleft()
                mains = self._starts(current)
                if mains is not None:
                    found |= mains
                    continue
                later.append(current)
                callers = self._near_callers(current)
            else:
                callers = [caller for one in later for caller in self._far_callers(one)]
                later = []
            for caller in callers:
                if id(caller.node) not in seen:
                    seen.add(id(caller.node))
                    todo.append(caller)
        return wanted & found

    def _starts(self, declared: Declaration) -> frozenset[str] | None:
        """The programs that begin with a declaration or are known to get there; None where the callers tell."""
        node, folder = declared.node, declared.package.folder
        if not isinstance(node, FuncDecl):
            return frozenset(self.packages.binaries_of(folder))  # an initializer
        if node.receiver is None and node.name == "main" and folder in self.packages.linked:
            return frozenset((folder,))
        if node.receiver is None and node.name == "init":
            return frozenset(self.packages.binaries_of(folder))
        return self._mains.get(id(node))

    def callers(self, function: Declaration) -> list[Declaration]:
        """The linked functions and initializers that name a function, those first that know its package."""
        return list(_once([*self._near_callers(function), *self._far_callers(function)]))

    def _near_callers(self, function: Declaration) -> list[Declaration]:
        return self._roots_of(function, self.references.near(function))

    def _far_callers(self, function: Declaration) -> list[Declaration]:
        return self._roots_of(function, self.references.far(function))

    def _roots_of(self, function: Declaration, found: Iterable[Reference]) -> list[Declaration]:
        """Where the references stand that may call; only values that are made have methods to call."""
        return [
            r.root
            for r in found
            if r.root.file.path in self.linked.files and (r.how == "name" or self._is_made(function))
        ]

    def binaries(self, path: str, offset: int) -> frozenset[str]:
        """The folders of the main packages that can run the place, as far as it is known."""
        reached = self.mains(path, offset)
        if reached or self.can_run(path, offset) == NO:
            return reached
        return frozenset(self.packages.binaries_of(dirname(path)))

    # ---------------------------------------------------------------- at all

    def can_run(self, path: str, offset: int) -> str:
        """yes, no or unknown for the code at a byte offset of a file."""
        if path not in self.linked.files:
            return NO
        if self.linked.file(path) is None:
            return UNKNOWN
        function = self.enclosing(path, offset)
        if function is None:
            return YES  # the initializer of a package variable of a linked package
        if id(function.node) not in self._known:
            self._known[id(function.node)] = self._answer(function)
        return self._known[id(function.node)]

    def _answer(self, function: Declaration) -> str:
        if self._mains_of(function):
            return YES
        seen = {id(function.node)}
        todo = [function]
        while todo:
            if len(seen) > MAX_STEPS:
                return UNKNOWN
            current = todo.pop()
            if self._may_be_called_by_libraries(current):
                return UNKNOWN
            for caller in self.callers(current):
                if isinstance(caller.node, FuncDecl) and id(caller.node) not in seen:
                    seen.add(id(caller.node))
                    todo.append(caller)
        return NO

    def is_dead(self, path: str, offset: int) -> bool:
        """Whether a binary links the code at a byte offset and nothing calls it, directly or not, that others
        could call.
        """
        function = self.enclosing(path, offset)
        if function is None:
            return False
        seen, todo = {id(function.node)}, [function]
        while todo:
            current = todo.pop()
            if not _is_closed(current) or len(seen) > MAX_STEPS:
                return False
            for caller in self.callers(current):
                if id(caller.node) not in seen:
                    seen.add(id(caller.node))
                    todo.append(caller)
        return True

    def _may_be_called_by_libraries(self, function: Declaration) -> bool:
        """Whether a library may call a method: none of our calls is known to be of it, and it is one that interfaces
        of libraries ask for, or all that is known of its values is that a library gets them.
        """
        node = function.node
        if not isinstance(node, FuncDecl) or node.receiver is None or not node.name[:1].isupper():
            return False
        references = self.references
        if any(r.how != "chance" for r in (*references.near(function), *references.far(function))):
            return False
        return self._is_made(function) and (_is_of_libraries(node) or self._is_handed_out(function))

    def _is_handed_out(self, method: Declaration) -> bool:
        """Whether a library gets a value of the type of a method: as an argument, or as the result of a function that
        says it gives a type of a library.
        """
        owner = receiver_type_name(_function(method))
        key = (method.package.folder, owner)
        if key not in self._handed_out:
            found = [r.root for r in self.references.to_type(method.package, owner)]
            makers = [d for d in _once(found) if isinstance(d.node, FuncDecl) and d.node.receiver is None]
            users = _once([*found, *(caller for maker in makers for caller in self.callers(maker))])
            type_ = self.references.types.named(method.package, owner)
            self._handed_out[key] = any(self._hands_out(root, type_) for root in islice(users, MAX_USERS))
        return self._handed_out[key]

    def _hands_out(self, root: Declaration, type_: Type) -> bool:
        texts, types = self.references.texts, self.references.types
        results = root.node.results if isinstance(root.node, FuncDecl) else []
        given = [types.resolve(r.type, root.file, root.package) for r in results]
        returns = any(g is not None and g.kind == "extern" for g in given)
        for node in root.nodes:
            values: list[Expr] = []
            if isinstance(node, Return):
                values = node.values if returns else []
            elif isinstance(node, Call) and node.args and self._is_of_library(node.fun, root):
                values = node.args
            for value in values:
                held = static_type(value, root, texts, types)
                if held is type_ or (held is not None and held.kind == "pointer" and held.elem is type_):
                    return True
        return False

    def _is_of_library(self, fun: Expr, root: Declaration) -> bool:
        """Whether a call may be of a function or method of a library that asks for methods that are not in the list."""
        texts, types = self.references.texts, self.references.types
        fun = fun.x if isinstance(fun, Index) else fun
        if not isinstance(fun, Selector):
            return False
        path = texts.package_path(fun.x, root)
        if path is not None:
            return texts.program.package(path) is None and path not in _ASK_FOR_KNOWN
        type_ = static_type(fun.x, root, texts, types)
        base = type_.elem if type_ is not None and type_.kind == "pointer" else type_
        return base is None or base.kind == "extern"

    def _is_made(self, method: Declaration) -> bool:
        """Whether there may be a value to call the method of: something that may run names its type.

        Certain not to run are plain functions that nothing mentions, and methods of the type itself.
        """
        owner = receiver_type_name(_function(method))
        key = (method.package.folder, owner)
        if key not in self._made:
            self._made[key] = self._may_be_made(method, owner)
        return self._made[key]

    def _may_be_made(self, method: Declaration, owner: str) -> bool:
        package = method.package
        seen: set[int] = set()
        todo = [r.root for r in self.references.to_type(package, owner)]
        while todo:
            current = todo.pop()
            node = current.node
            if current.file.path not in self.linked.files or id(node) in seen:
                continue
            seen.add(id(node))
            if not isinstance(node, FuncDecl) or node.name in ("main", "init") or len(seen) > MAX_STEPS:
                return True
            if node.receiver is None:
                todo += self.callers(current)
            elif current.package is not package or receiver_type_name(node) != owner:
                return True
        return False


def _function(declared: Declaration) -> FuncDecl:
    assert isinstance(declared.node, FuncDecl)
    return declared.node


def _once(found: Iterable[Declaration]) -> Iterator[Declaration]:
    seen: set[int] = set()
    for declared in found:
        if id(declared.node) not in seen:
            seen.add(id(declared.node))
            yield declared


def _is_closed(declared: Declaration) -> bool:
    """True for a function that only its own package can call, and that does not run by itself."""
    node = declared.node
    return isinstance(node, FuncDecl) and not node.name[:1].isupper() and node.name not in ("main", "init")


def _is_of_libraries(method: FuncDecl) -> bool:
    """True for a method that interfaces of known libraries have, or that looks like one that serves calls."""
    if method.name in _CALLED_BY_LIBRARIES:
        return True
    types = [param.type for param in method.params]
    takes_context = bool(types) and isinstance(types[0], Selector) and _is_context(types[0])
    return len(types) <= MAX_PARAMETERS and (takes_context or (bool(types) and _is_stream(types[-1])))


def _is_context(type_: Selector) -> bool:
    return isinstance(type_.x, Ident) and type_.sel == "Context"


def _is_stream(type_: Expr | None) -> bool:
    """True for the server's end of a gRPC stream: `pb.Chat_SayServer`, `grpc.ServerStreamingServer[pb.Word]`."""
    type_ = type_.x if isinstance(type_, Index) else type_
    return isinstance(type_, Selector) and type_.sel.endswith(("Server", "ServerStream"))


def _libraries(packages: GoPackages) -> frozenset[str]:
    """The folders of the modules whose packages no program of the repository is built with for certain."""
    modules = packages.modules
    taken = {modules.root_of(directory) or "" for directory in packages.linked}
    return frozenset(modules.paths) - modules.shared - taken


def reach(store: FactStore) -> Reach:
    """The fact provider: one `Reach` per audited repository."""
    return Reach(store.get(linked), store.get(references))
