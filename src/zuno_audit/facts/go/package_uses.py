"""Which files import go-ethereum's abi package, and whether what they import is used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zuno_audit.facts.go.ethereum_library import ABI
from zuno_audit.facts.go.program import Program, program
from zuno_audit.languages.go import syntax as s
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.repository import CODE_ONLY

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore


def table(store: FactStore) -> Table:
    """`abi_import`: one row per file that imports the abi package.

    Fields: package (the import path), alias (as written, or the empty text), used (code of the file refers to
    it, not only a blank variable).
    """
    code = store.get(program)
    rows: list[Entity] = []
    files: list[str] = []
    problems: list[Problem] = []
    for path in store.repository.grep(ABI.encode(), suffix=".go", kinds=CODE_ONLY):
        file = code.file(path)
        if file is None:
            continue
        files.append(path)
        if file.error_line:
            problems.append(Problem(path, file.error_line, "syntax error"))
        rows.extend(_row(code, file, spec) for spec in file.imports if spec.path == ABI)
    return Table("abi_import", tuple(rows), tuple(files), tuple(problems))


def _row(code: Program, file: GoFile, spec: s.ImportSpec) -> Entity:
    place = file.location(spec.start, spec.end, f"{spec.path} is imported here")
    return Entity(
        "abi_import",
        place,
        {
            "package": Answer(spec.path),
            "alias": Answer(spec.name or ""),
            "used": _used(code, file, spec, place),
        },
    )


def _used(code: Program, file: GoFile, spec: s.ImportSpec, place: Location) -> Answer:
    if spec.name == "_":
        return Answer(NO, "the blank import gives no name to what it imports", (place,))
    if spec.name == ".":
        return Answer(YES, "", (place,))  # the compiler refuses a dot import that nothing uses
    package = code.package_of(file.path)
    if package is not None and file.path not in package.files:
        return Answer(NO, "the default build leaves the file out", (place,))
    names = (spec.name,) if spec.name else code.package_names(spec.path)
    for node in (node for name in names for node in _mentions(file, name)):
        return Answer(YES, "", (place, file.location(node.start, node.end, "and used here")))
    return Answer(NO, f"nothing in the file uses {names[0]}", (place,))


def _mentions(file: GoFile, name: str) -> list[s.Node]:
    """Selectors `name.X` in functions, types and variables that have a name."""
    literal = name.encode() + b"."
    roots: list[s.Node] = list(file.functions_with(literal))
    for spec in file.specs():
        has_name = isinstance(spec, s.TypeSpec) or any(n.name != "_" for n in spec.names)
        if has_name and literal in file.data[spec.start : spec.end]:
            roots.append(spec)
    return [
        node
        for root in roots
        for node in s.walk(root)
        if isinstance(node, s.Selector) and isinstance(node.x, s.Ident) and node.x.name == name
        and not _is_discarded(root, node)
    ]  # fmt: skip


def _is_discarded(root: s.Node, node: s.Node) -> bool:
    """True in `_ = abi.X`, which only keeps the compiler quiet."""
    for inner in s.walk(root):
        if not isinstance(inner, s.Assign) or not inner.start <= node.start < inner.end:
            continue
        if all(isinstance(x, s.Ident) and x.name == "_" for x in inner.lhs):
            return not any(isinstance(x, s.Call) for x in inner.rhs)
    return False
