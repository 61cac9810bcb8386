"""Whether a place in the Go code can run: linked into a binary, and reached from its main, an init or an
initializer.

`no` is certain up to reflection, `yes` may be too wide for methods (a call through an interface counts for
every method of the name); what only a library can call (`ServeHTTP`, a gRPC handler) is `unknown`,
unless no value of its type is made.
"""

from __future__ import annotations

from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from zuno_audit.facts.go.types import receiver_type_name
from zuno_audit.facts.go_code import MAX_STEPS, Function, GoCode, go_code
from zuno_audit.facts.go_packages import GoPackages, go_modules, module_of
from zuno_audit.languages.go.syntax import Ident, Selector
from zuno_audit.model.entity import NO, UNKNOWN, YES
from zuno_audit.source.modules import GoModule, workspace

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

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


class Reach:
    """Answers for one repository, remembered per function."""

    def __init__(self, code: GoCode, found: tuple[GoModule, ...] = (), used: tuple[str, ...] = ()) -> None:
        self.code = code
        self._roots = {module.directory: module.path for module in found if module.path}
        self._libraries = _libraries(code.packages, found, used)
        self._known: dict[tuple[str, int], str] = {}
        self._made: dict[tuple[str, str], bool] = {}

    def is_library(self, path: str) -> bool:
        """Whether a file belongs to a module without programs, which no program here is built with: who runs its
        code is decided elsewhere.
        """
        return module_of(dirname(path), self._roots) in self._libraries

    def can_run(self, path: str, offset: int) -> str:
        """yes, no or unknown for the code at a byte offset of a file."""
        if not self.code.packages.is_linked(dirname(path)) or path not in self.code.linked_files:
            return NO
        file = self.code.file(path)
        if file is None:
            return UNKNOWN
        function = self.code.enclosing(file, offset)
        if function is None:
            return YES  # the initializer of a package variable of a linked package
        if function.key not in self._known:
            self._known[function.key] = self._answer(function)
        return self._known[function.key]

    def is_dead(self, path: str, offset: int) -> bool:
        """Whether a binary links the code at a byte offset and nothing calls it, directly or not, that others
        could call.
        """
        if path not in self.code.linked_files:
            return False  # who calls it is not looked at
        file = self.code.file(path)
        function = self.code.enclosing(file, offset) if file is not None else None
        if function is None:
            return False
        seen, todo = {function.key}, [function]
        while todo:
            current = todo.pop()
            if current.name[:1].isupper() or current.name in ("main", "init") or len(seen) > MAX_STEPS:
                return False
            for caller in self.code.callers(current):
                if caller is None:
                    return False
                if caller.key not in seen:
                    seen.add(caller.key)
                    todo.append(caller)
        return True

    def binaries(self, path: str, offset: int) -> frozenset[str]:
        """The folders of the main packages that can run the place, as far as it is known."""
        file = self.code.file(path)
        reached = self.code.mains_reaching(file, offset) if file is not None else frozenset()
        if reached or self.can_run(path, offset) == NO:
            return reached
        return frozenset(self.code.packages.binaries_of(dirname(path)))

    def _answer(self, function: Function) -> str:
        if self.code.mains_reaching(function.file, function.start):
            return YES
        seen = {function.key}
        todo = [function]
        while todo:
            if len(seen) > MAX_STEPS:
                return UNKNOWN
            current = todo.pop()
            callers = self.code.callers(current)
            if not callers and _may_be_called_by_libraries(current) and self._is_made(current):
                return UNKNOWN
            for caller in callers:
                if caller is not None and caller.key not in seen:
                    seen.add(caller.key)
                    todo.append(caller)
        return NO

    def _is_made(self, method: Function) -> bool:
        """Whether there may be a value to call the method of: something that may run names its type.

        Certain not to run are plain functions that nothing mentions, and methods of the type itself.
        """
        owner = (method.directory, receiver_type_name(method.decl))
        if owner not in self._made:
            self._made[owner] = self._may_be_made(*owner)
        return self._made[owner]

    def _may_be_made(self, directory: str, name: str) -> bool:
        seen: set[tuple[str, int]] = set()
        todo = self.code.users_of_type(directory, name)
        while todo:
            current = todo.pop()
            if current is None or current.name in ("main", "init") or len(seen) > MAX_STEPS:
                return True
            if current.key in seen:
                continue
            seen.add(current.key)
            if not current.is_method:
                todo.extend(self.code.callers(current))
            elif current.directory != directory or receiver_type_name(current.decl) != name:
                return True
        return False


def _may_be_called_by_libraries(function: Function) -> bool:
    if not function.is_method:
        return False
    if function.name in _CALLED_BY_LIBRARIES:
        return True
    params = function.decl.params
    first = params[0].type if params else None
    is_context = isinstance(first, Selector) and isinstance(first.x, Ident) and first.sel == "Context"
    return function.name[:1].isupper() and is_context and len(params) <= MAX_PARAMETERS


def _libraries(packages: GoPackages, found: tuple[GoModule, ...], used: tuple[str, ...]) -> frozenset[str]:
    """The folders of the modules whose packages no program of the repository is built with for certain."""
    roots = {module.directory: module.path for module in found if module.path}
    local = {normpath(join(m.directory, r.new)) for m in found for r in m.replaces if r.is_local}
    taken = {"" if folder == "." else folder for folder in (*local, *used)}
    taken |= {module_of(directory, roots) or "" for directory in packages.linked}
    return frozenset(roots) - taken


def reach(store: FactStore) -> Reach:
    """The fact provider: one `Reach` per audited repository."""
    work = workspace(store.repository)
    uses = tuple(folder for folder, _ in work.uses) if work is not None else ()
    return Reach(store.get(go_code), store.get(go_modules), uses)
