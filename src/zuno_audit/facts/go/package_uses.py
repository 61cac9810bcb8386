"""Which files import go-ethereum's abi package, and whether what they import is used."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.facts.go.dead_code import is_dead, is_discarded
from zuno_audit.facts.go.ethereum_library import ABI
from zuno_audit.facts.go.program import Declaration, Package
from zuno_audit.languages.go import syntax as s
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.repository import CODE_ONLY

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore


def table(store: FactStore) -> Table:
    """`abi_import`: one row per file that imports the abi package.

    Fields: package (the import path), alias (as written, or the empty text), used (code of the file refers to
    it, not only a blank variable).
    """
    asked = store.get(analysis)
    rows: list[Entity] = []
    files: list[str] = []
    problems: list[Problem] = []
    for path in store.repository.grep(ABI.encode(), suffix=".go", kinds=CODE_ONLY):
        file = asked.program.file(path)
        if file is None:
            continue
        files.append(path)
        if file.error_line:
            problems.append(Problem(path, file.error_line, "syntax error"))
        rows.extend(_row(asked, file, spec) for spec in file.imports if spec.path == ABI)
    return Table("abi_import", tuple(rows), tuple(files), tuple(problems))


def _row(asked: Analysis, file: GoFile, spec: s.ImportSpec) -> Entity:
    place = file.location(spec.start, spec.end, f"{spec.path} is imported here")
    return Entity(
        "abi_import",
        place,
        {
            "package": Answer(spec.path),
            "alias": Answer(spec.name or ""),
            "used": _used(asked, file, spec, place),
        },
    )


def _used(asked: Analysis, file: GoFile, spec: s.ImportSpec, place: Location) -> Answer:
    if file.error_line:
        return Answer(UNKNOWN, f"{file.path} does not parse (line {file.error_line})", (place,), failed=True)
    if spec.name == "_":
        return Answer(NO, "the blank import gives no name to what it imports", (place,))
    if spec.name == ".":
        return Answer(YES, "", (place,))  # the compiler refuses a dot import that nothing uses
    package = asked.program.package_of(file.path)
    if package is None or file.path not in package.files:
        return Answer(NO, "the default build leaves the file out", (place,))
    names = (spec.name,) if spec.name else asked.program.package_names(spec.path)
    for node in (node for name in names for node in _mentions(asked, package, file, name)):
        return Answer(YES, "", (place, file.location(node.start, node.end, "and used here")))
    return Answer(NO, f"nothing in the file uses {names[0]}", (place,))


def _mentions(asked: Analysis, package: Package, file: GoFile, name: str) -> Iterator[s.Node]:
    """Selectors `name.X` in functions, types and variables that have a name, where they are more than named."""
    literal = name.encode() + b"."
    roots: list[s.FuncDecl | s.TypeSpec | s.ValueSpec] = list(file.functions_with(literal))
    for spec in file.specs():
        has_name = isinstance(spec, s.TypeSpec) or any(n.name != "_" for n in spec.names)
        if has_name and literal in file.data[spec.start : spec.end]:
            roots.append(spec)
    for root in (Declaration(package, file, node) for node in roots):
        for node in s.walk(root.node):
            if isinstance(node, s.Selector) and isinstance(node.x, s.Ident) and node.x.name == name:
                if not is_dead(node, root, asked.texts) and not is_discarded(node, root, asked.texts):
                    yield node
