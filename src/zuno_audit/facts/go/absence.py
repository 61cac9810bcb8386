"""What a repository has nowhere: code that stops panics of gRPC handlers, and circuit breakers in front of calls.

Where it cannot be followed what a server or a connection gets, this decides: what nobody wrote and no library brings
is not installed. Told by the text of the code; whatever may be one counts as one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING

from zuno_audit.facts.go import grpc_library as lib
from zuno_audit.facts.go.breaker import always_calls
from zuno_audit.languages.go import syntax as s
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis, Construction
    from zuno_audit.languages.go.parse import GoFile

_RECOVER = b"recover()"
_HANDLES = re.compile(rb"[hH]andler|[iI]nterceptor|\bgrpc\.|\bnext\(")
_HTTP = re.compile(rb"\bhttp\.(?:Handler|HandlerFunc|ResponseWriter)\b")
_GRPC_WORDS = re.compile(rb"grpc|Unary|Stream")
# libraries that stop panics of handlers, or bring servers that do
_RECOVERERS = re.compile(
    r"recover|panic|/kratos|/go-zero|/go-micro|/kitex|/dubbo-go|/dskit/(?:server|middleware)|"
    r"weaveworks/common/(?:server|middleware)|/yarpc"
)
_SOUNDS_LIKE_ONE = re.compile(_RECOVERERS.pattern.encode())
_MADE_ELSEWHERE = re.compile(rb"\b(\w+)\.\w*(?:Server|Unary|Stream)\w*(?:Interceptors?|Options?|Chain)\w*\(")
_BREAKERS = re.compile(rb"[bB]reaker\b|[cC]ircuit[bB]reak|alfOpen|hystrix|failsafe|sentinel-golang")
_CLIENT_OPTIONS = re.compile(rb"Interceptor|DialOption")
_RENAMED = re.compile(rb"(?m)^\s*(?:type\s+)?\w+\s+=?\s*grpc\.(?:UnaryInvoker|Streamer)[ \t]*$")
_COMMENT = re.compile(rb"(?m)^\s*//.*$")
_INTERCEPTS = re.compile(rb"ServerInfo\b|ServerInterceptor|UnaryHandler|StreamHandler|ServerOption")
_STUBS = b"ClientConnInterface"
_INVOKERS = frozenset(("UnaryInvoker", "Streamer"))


class Absence:
    """Answers for one program. Code for which `leave_out` holds serves nobody."""

    def __init__(self, analysis: Analysis, leave_out: Callable[[str], bool]) -> None:
        self.analysis, self.leave_out = analysis, leave_out

    def is_closed(self, construction: Construction) -> bool:
        """True when it is the repository that decides what a construction gets, and all of the code parses."""
        if construction.evaluator.unparsed():
            return False
        root = construction.root
        node = root.node
        if construction.seen_from is not None or not isinstance(node, s.FuncDecl):
            return True
        if root.package.name == "main" or not node.name[:1].isupper():
            return True
        return any(
            not self.leave_out(site.root.file.path)
            for sites in (self.analysis.callers_in_turn(root), self.analysis.mentions(root))
            for site in sites
        )

    # ---------------------------------------------------------------- panics

    @cached_property
    def has_recovery(self) -> bool:
        """True when something in the repository may stop a panic of a handler."""
        followed = self.analysis.search.files_with(_RECOVER)
        return (
            any(self._recovers(file) for file in self._files(followed))
            or any(self._uses_a_recoverer(path, data) for path, data in self._own())
            or any(self._takes_from_elsewhere(path, data) for path, data in self._own())
        )

    def _recovers(self, file: GoFile) -> bool:
        knows_servers = lib.GRPC.encode() in file.data and _INTERCEPTS.search(file.data)
        if self._is_vendored(file.path) and not knows_servers:
            return False
        if file.error_line or file.values_with(_RECOVER):
            return True
        for function in file.functions_with(_RECOVER):
            nodes = s.nodes_of(function)
            deferred = {id(n.call) for n in nodes if isinstance(n, s.Defer)}
            literals = [n for n in nodes if isinstance(n, s.FuncLit)]
            ran = {id(n.call.fun) for n in nodes if isinstance(n, s.Defer) and isinstance(n.call, s.Call)}
            for call in nodes:
                if not (
                    isinstance(call, s.Call) and isinstance(call.fun, s.Ident) and call.fun.name == "recover"
                ):
                    continue
                if id(call) in deferred:
                    continue  # `defer recover()` stops nothing
                around = [n for n in literals if n.start <= call.start < n.end]
                inner = max(around, key=lambda n: n.start, default=None)
                if inner is None and not self._is_used_for_handlers(function.name):
                    continue
                if inner is None or id(inner) not in ran or _is_about_handlers(file, function):
                    return True
        return False

    def _is_used_for_handlers(self, name: str) -> bool:
        """True when a function that deals with handlers names a helper that recovers."""
        literal = name.encode()
        return any(
            _is_about_handlers(file, function)
            for file in self._files(self.analysis.search.files_with(literal))
            for function in file.functions_with(literal)
            if function.name != name
        )

    def _uses_a_recoverer(self, path: str, data: bytes) -> bool:
        program = self.analysis.program
        file = program.file(path) if _SOUNDS_LIKE_ONE.search(data) else None
        return file is not None and any(
            _RECOVERERS.search(imported) and program.package(imported) is None
            for imported in program.imported(file).values()
        )

    def _takes_from_elsewhere(self, path: str, data: bytes) -> bool:
        """True for a file with interceptors or options of servers from libraries that are not known."""
        if lib.GRPC.encode() not in data:
            return False
        aliases = {m.decode() for m in _MADE_ELSEWHERE.findall(data)}
        program = self.analysis.program
        file = program.file(path) if aliases else None
        if file is None:
            return False
        return any(
            alias in aliases
            and program.package(imported) is None
            and not imported.startswith((lib.GRPC, *lib.PLAIN_INTERCEPTORS))
            for alias, imported in program.imported(file).items()
        )

    # ---------------------------------------------------------------- breakers

    @cached_property
    def has_breaker(self) -> bool:
        """True when something in the repository may refuse calls of gRPC after failures."""
        return self._some_refuse or bool(self._of_breakers)

    @cached_property
    def has_breaking_interceptor(self) -> bool:
        """True when that may be an interceptor of clients: the repository's own, or one that a library makes."""
        return self._some_refuse or any(_CLIENT_OPTIONS.search(data) for data in self._of_breakers)

    @cached_property
    def _of_breakers(self) -> list[bytes]:
        return [data for path, data in self._own() if self._speaks_of_breakers(path, data)]

    @cached_property
    def _some_refuse(self) -> bool:
        return any(
            _RENAMED.search(file.data) is not None or self._may_refuse(file)
            for file in self._files(self.analysis.search.files_with(lib.GRPC.encode()))
            if any(word.encode() in file.data for word in _INVOKERS)
            and (not self._is_vendored(file.path) or _BREAKERS.search(file.data))
        )

    def _speaks_of_breakers(self, path: str, data: bytes) -> bool:
        """True for code about breakers that knows of gRPC or of a package with stubs."""
        if not _BREAKERS.search(data) or not _BREAKERS.search(_COMMENT.sub(b"", data)):
            return False
        program = self.analysis.program
        file = program.file(path)
        if lib.GRPC.encode() in data or file is None:
            return True
        packages = [program.package(imported) for imported in program.imported(file).values()]
        return any(
            _STUBS in (program.repository.read(other) or b"")
            for package in packages
            if package is not None
            for other in package.files
        )

    @staticmethod
    def _may_refuse(file: GoFile) -> bool:
        """True for a file with a client interceptor that does not make the call on each way through it."""
        if file.error_line:
            return True
        for function in file.functions():
            inside: list[s.FuncDecl | s.FuncLit] = [function]
            inside += [n for n in s.nodes_of(function) if isinstance(n, s.FuncLit)]
            for node in inside:
                for param in node.params:
                    type_ = param.type
                    named = type_.sel if isinstance(type_, s.Selector) else getattr(type_, "name", None)
                    if named in _INVOKERS and not always_calls(node, param.name):
                        return True
        return False

    # ---------------------------------------------------------------- files

    def _is_vendored(self, path: str) -> bool:
        return self.analysis.program.repository.kind(path) is FileKind.VENDORED

    def _own(self) -> Iterator[tuple[str, bytes]]:
        read = self.analysis.program.repository.read
        for path in self.analysis.search.own_files_with(b"package"):
            if not self.leave_out(path):
                yield path, read(path) or b""

    def _files(self, paths: list[str]) -> Iterator[GoFile]:
        for path in paths:
            file = self.analysis.program.file(path)
            if file is not None and self.analysis.program.repository.kind(path) is not FileKind.TEST:
                yield file


def _is_about_handlers(file: GoFile, function: s.FuncDecl) -> bool:
    """True for a function that may run handlers of gRPC; handlers of HTTP alone are none."""
    text = file.data[function.start : function.end]
    if not _HANDLES.search(text):
        return False
    return not _HTTP.search(text) or _GRPC_WORDS.search(text) is not None
