"""The texts that code gives to one label of a vector of metrics, where all of them are constants."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import bound_name, called_name, last_name
from zuno_audit.facts.go.origins import Origins, origins
from zuno_audit.facts.go.program import Declaration
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.model.location import Location

_BY_ORDER = ("WithLabelValues", "GetMetricWithLabelValues")
_BY_NAME = ("With", "GetMetricWith")
_TAKES_AWAY = ("Delete", "DeleteLabelValues", "DeletePartialMatch", "Reset")
DIGITS = "0"  # stands for every number
_NUMBERS = frozenset({("strconv", "Itoa"), ("strconv", "FormatInt"), ("strconv", "FormatUint")})
_COMMENT = re.compile(rb"//[^\n]*")
MAX_CALLS = 3  # functions that a value is handed through
_REGISTERS = ("Register", "MustRegister", "Unregister")


def label_values(store: FactStore, made: Location, label: str, index: int) -> frozenset[str] | None:
    """The values that the code gives to a label, the variable label number `index`, of the vector that is made at a
    place.

    None where some are computed, or the vector may be used by what is not seen.
    """
    asked = store.get(origins)
    file = asked.program.file(made.path)
    package = asked.program.package_of(made.path)
    if file is None or package is None:
        return None
    nodes: list[s.FuncDecl | s.ValueSpec] = [*file.functions_with(b"Vec("), *file.values_with(b"Vec(")]
    for node in nodes:
        for call in s.walk(node):
            if isinstance(call, s.Call) and file.location(call.start, call.end) == made:
                name = bound_name(node, call)
                return _values(asked, Declaration(package, file, node), name, label, index) if name else None
    return None


def _values(asked: Origins, root: Declaration, name: str, label: str, index: int) -> frozenset[str] | None:
    found: set[str] = set()
    for path in asked.search.files_with(name.encode()) if name[:1].isupper() else root.package.files:
        for use in _declarations(asked, path, name):
            known: set[int] = set()
            for node in use.nodes:
                if isinstance(node, s.Call):
                    values = _given(asked, use, node, name, label, index, known)
                    if values is None:
                        return None
                    found |= values
                elif isinstance(node, s.Assign | s.ValueSpec):
                    targets = node.lhs if isinstance(node, s.Assign) else node.names
                    known |= {id(t) for t in targets}
                elif isinstance(node, s.CompositeLit):
                    known |= {id(key) for key, _ in node.elements if key is not None}
            if any(id(node) not in known for node in use.nodes if _is_it(node, name)):
                return None
    return frozenset(found)


def _declarations(asked: Origins, path: str, name: str) -> Iterator[Declaration]:
    file, package = asked.program.file(path), asked.program.package_of(path)
    if file is not None and package is not None and path in package.files:
        literal = name.encode()
        nodes: list[s.FuncDecl | s.ValueSpec] = [*file.functions_with(literal), *file.values_with(literal)]
        for node in nodes:
            yield Declaration(package, file, node)


def _given(
    asked: Origins, root: Declaration, call: s.Call, name: str, label: str, index: int, known: set[int]
) -> set[str] | None:
    """The values that a call gives to the label, None for computed ones; what it does to the vector is `known`."""
    if called_name(call) in _REGISTERS:
        known |= {id(a) for a in call.args}
        return set()
    if not isinstance(call.fun, s.Selector) or not _is_it(call.fun.x, name):
        return set()
    method = call.fun.sel
    if method in _TAKES_AWAY:
        known.add(id(call.fun.x))
        return set()
    given: s.Expr | None = None
    if method in _BY_ORDER and not call.ellipsis and index < len(call.args):
        given = call.args[index]
    elif method in _BY_NAME and len(call.args) == 1 and isinstance(call.args[0], s.CompositeLit):
        pairs = call.args[0].elements
        given = next((v for k, v in pairs if isinstance(k, s.BasicLit) and k.value == label), None)
    texts = _texts(asked, given, root, MAX_CALLS) if given is not None else None
    if texts is not None:
        known.add(id(call.fun.x))
    return texts


def _texts(asked: Origins, given: s.Expr, root: Declaration, depth: int) -> set[str] | None:
    """All texts that an expression may be, parameters followed to the callers; None where some are not known."""
    constants = asked.texts.constants(given, root)
    if constants is not None:
        return set(constants)
    if isinstance(given, s.Call) and isinstance(given.fun, s.Selector):
        path = asked.texts.package_path(given.fun.x, root)
        return {DIGITS} if (path, given.fun.sel) in _NUMBERS else None
    node = root.node
    if not depth or not isinstance(given, s.Ident) or not isinstance(node, s.FuncDecl):
        return None
    index = next((i for i, p in enumerate(root.params) if p.name == given.name and not p.variadic), None)
    if index is None or not _is_only_called(asked, root, node):
        return None
    if any(isinstance(n, s.Assign) and any(_is_it(t, given.name) for t in n.lhs) for n in root.nodes):
        return None
    found: set[str] = set()
    for use in asked.calls_of(root):
        more = (
            _texts(asked, use.call.args[index], use.root, depth - 1) if index < len(use.call.args) else None
        )
        if more is None:
            return None
        found |= more
    return found


def _is_only_called(asked: Origins, root: Declaration, node: s.FuncDecl) -> bool:
    """True when nothing takes the function as a value: every mention of its name is a call or its declaration."""
    name = node.name.encode()
    mention = re.compile(rb"(?<!\w)" + name + rb"(?!\w)(?!\s*\()")
    files = asked.search.files_with(name) if name[:1].isupper() or node.receiver else root.package.files
    return not any(mention.search(_COMMENT.sub(b"", asked.program.repository.read(p) or b"")) for p in files)


def _is_it(node: s.Node, name: str) -> bool:
    return isinstance(node, s.Ident | s.Selector) and last_name(node) == name
