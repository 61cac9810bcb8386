"""Secrets that Go code gives away: in logs and error texts, written into the code, or as default of a
variable.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.env import env_reads
from zuno_audit.facts.go.hard_coded import HARD_CODED, WEAK_DEFAULT, HardCoded, is_weak, literal_text
from zuno_audit.facts.go.program import Declaration, Package
from zuno_audit.facts.go.secret_flow import SecretFlow
from zuno_audit.facts.go.secret_guards import refused_defaults
from zuno_audit.facts.go.secret_sinks import Sinks
from zuno_audit.facts.go_packages import is_go_tool_file
from zuno_audit.facts.secrets import ANCHORS, secrets_in_text
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import Answer, Entity, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

# what shows a whole value or takes a key, in a file that says no word of secrets
_OTHER = (
    *(b"%+v", b"%#v", b"crypto/hmac", b"NewCipher", b"SetBasicAuth", b"HexToECDSA", b"CookieStore"),
    *(b"securecookie", b"PlainAuth", b"json.NewEncoder("),
)
_VIPER_DEFAULT = "viper.SetDefault"  # the default of all reads through viper stands there
_LOGIN = re.compile(rb"://[^\s/\"`]*:[^\s/\"`]*@")
# a function without one of these gives nothing away
_SHOWS = (
    *(b"Err", b"rint", b"og", b"Info", b"anic", b"Warn", b"Debug", b"Fatal", b"Dump", b"Write", b"Trace"),
    *(b"Wrap", b"Notice", b"status.", b".New(", b".Encode(", *_OTHER, b"://"),
)


def secret_leak_table(store: FactStore) -> Table:
    """Table `secret_leak`.

    Fields: `kind` (logged, error-text, hard-coded, weak-default) and `what`, the name of the secret, never
    its value. Test, generated and vendored files are left out.
    """
    asked = store.get(analysis)
    code = [
        path
        for path in asked.search.files_with(b"package")
        if is_go_tool_file(path) and store.repository.kind(path) is FileKind.CODE
    ]
    reads = store.get(env_reads)
    defaults = {read.default for read in reads if read.default and is_weak(read.name, read.default)}
    finder = _Finder(asked, {read.location: read.name for read in reads})
    paths = [
        path for path in code if finder.flow.mentions(path) or _is_other(store.repository.read(path) or b"")
    ]
    found: dict[tuple[Location, str], str] = {}
    paths += finder.users(paths, code)
    for path in paths:
        for kind, what, where, text in finder.leaks(path):
            if text not in defaults or "default" not in what.lower():  # reported where it takes the place
                found.setdefault((where, kind), what)
    by_viper = {read.name for read in reads if read.mechanism == _VIPER_DEFAULT}
    for read in reads:
        elsewhere = read.name in by_viper and read.mechanism != _VIPER_DEFAULT
        if (
            read.default
            and not (elsewhere and read.mechanism.startswith("viper."))
            and is_weak(read.name, read.default)
            and store.repository.kind(read.location.path) is FileKind.CODE
            and not (_is_compared(asked, read.default, code) and read.name in store.get(refused_defaults))
        ):
            found.setdefault((read.location, WEAK_DEFAULT), read.name)
    rows = [
        Entity("secret_leak", where, {"kind": Answer(kind), "what": Answer(what)})
        for (where, kind), what in sorted(found.items(), key=lambda item: item[0])
    ]
    return Table("secret_leak", tuple(rows), tuple(sorted(paths)))


def _is_compared(asked: Analysis, text: str, code: list[str]) -> bool:
    """True when code compares something with a text or with a constant that has it."""
    quoted = b'"' + re.escape(text.encode()) + b'"'
    named = re.compile(rb"\b(\w+)[ \t]*(?:\bstring[ \t]*)?:?=[ \t]*" + quoted)
    texts = [data for p in code if (data := asked.program.repository.read(p)) and text.encode() in data]
    names = {match[1] for data in texts for match in named.finditer(data)}
    either = b"|".join([quoted, *(rb"(?:\w+\.)?" + name + rb"\b" for name in sorted(names))])
    compares = re.compile(
        rb"[=!]=[ \t]*(?:" + either + rb")|(?:" + either + rb")[ \t]*[=!]=|\bcase\b[^\n]*(?:" + either + b")"
    )
    if names:
        texts = [data for p in code if (data := asked.program.repository.read(p))]
    return any(compares.search(data) for data in texts)


def _is_other(data: bytes) -> bool:
    return any(literal in data for literal in (*_OTHER, *ANCHORS)) or (
        b"://" in data and _LOGIN.search(data) is not None
    )


class _Finder:
    """Looks through one file after the other."""

    def __init__(self, asked: Analysis, reads: dict[Location, str]) -> None:
        self.asked = asked
        self.flow = SecretFlow(asked, reads)
        self.sinks, self.hard_coded = Sinks(self.flow), HardCoded(self.flow)

    def users(self, paths: list[str], code: list[str]) -> list[str]:
        """Files that say no word of secrets themselves, but call functions of `paths` that give them one. From
        here on such a call is a mention.
        """
        names: dict[Package, set[str]] = {}
        for path in paths:
            package, file = self.asked.program.package_of(path), self.asked.program.file(path)
            if package is None or file is None or path not in package.files:
                continue
            for node in file.functions():
                if self.flow.gives(Declaration(package, file, node)):
                    names.setdefault(package, set()).add(node.name)
        known, found = set(paths), set()
        for package, functions in names.items():
            call = re.compile(rb"\b(?:" + "|".join(sorted(functions)).encode() + rb")\(")
            for path in {*package.files, *self.asked.search.files_with(package.path.encode())}:
                calls = [m.start() for m in call.finditer(self.asked.program.repository.read(path) or b"")]
                if calls:
                    self.flow.mentions(path).extend(calls)
                    self.flow.mentions(path).sort()
                    found.add(path)
        return [path for path in code if path in found and path not in known]

    def leaks(self, path: str) -> Iterator[tuple[str, str, Location, str | None]]:
        """Kind, name, place and, for what stands in the code, value of everything in a file."""
        package = self.asked.program.package_of(path)
        if package is None or path not in package.files:
            return
        file = self.asked.program.file(path)
        if file is None:
            return
        nodes: list[s.FuncDecl | s.ValueSpec] = [*file.functions()]
        nodes += [spec for spec in file.specs() if isinstance(spec, s.ValueSpec)]
        written: set[int] = set()
        for node in nodes:
            speaks = self.flow.speaks_of_secrets(path, node)
            if not speaks and all(file.data.find(x, node.start, node.end) < 0 for x in _SHOWS):
                continue
            root = Declaration(package, file, node)
            end = 0  # of the call that was found last: what stands inside is no finding of its own
            for inner in s.walk(node):
                if isinstance(inner, s.Call) and inner.start >= end:
                    given_away = self.sinks.given_away(inner, root, by_helpers=speaks)
                    if given_away is not None:
                        end = inner.end
                        yield *given_away, file.location(inner.start, inner.end), None
                for kind, what, value, owner in self.hard_coded.written(inner, root):
                    where = owner.file.location(value.start, value.end)
                    written.add(where.line)
                    yield kind, what, where, literal_text(value)
        for start, length, name in secrets_in_text(file.data):
            where = file.location(start, start + length)
            if where.line not in written and self._is_literal(root_nodes=nodes, offset=start):
                yield HARD_CODED, name, where, None

    @staticmethod
    def _is_literal(root_nodes: list[s.FuncDecl | s.ValueSpec], offset: int) -> bool:
        """True for a place inside a text of the code, not in a comment."""
        around = (n for n in root_nodes if n.start <= offset < n.end)
        return any(
            isinstance(inner, s.BasicLit) and inner.start <= offset < inner.end
            for node in around
            for inner in s.walk(node)
        )
