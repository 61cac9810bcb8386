"""Fields that nothing ever writes: an unexported field without a write in its package keeps its zero value.

Only the package itself can write an unexported field (specification, "Exported identifiers"); tests do not count.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.program import Package
    from zuno_audit.facts.go.types import Type, Types
    from zuno_audit.languages.go.parse import GoFile


class FieldWrites:
    """Answers per field, remembered. "May be written" is safe to say too often."""

    def __init__(self, types: Types) -> None:
        self.types = types
        self._known: dict[tuple[Type, str], bool] = {}

    def never_written(self, type_: Type, name: str) -> bool:
        """True when the field `name` of this struct type (or of what it points at) always is zero."""
        base = type_.elem if type_.kind == "pointer" and type_.elem is not None else type_
        if base.kind != "named" or base.package is None or name[:1].isupper() or name == "_":
            return False
        if all(field.name != name or field.embedded for field in self.types.fields(base)):
            return False
        key = (base, name)
        if key not in self._known:
            self._known[key] = not self._may_be_written(base, base.package, name)
        return self._known[key]

    def _may_be_written(self, type_: Type, package: Package, name: str) -> bool:
        literal = name.encode()
        # x.name = ..., x.name, y = ..., x.name++, x.name += ..., x.name[i] = ..., &x.name, x.name.field = ...
        assigned = re.compile(
            rb"\." + literal + rb"\b[^\n;{]*(?:[^=!<>:]=[^=]|\+\+|--)|&[\w.]*\." + literal + rb"\b"
        )
        for file in package.parsed():
            if file.error_line or assigned.search(file.data):
                return True
            if any(
                self._literal_sets(x, type_, name, file, package) for x in _literals(file, type_, literal)
            ):
                return True
        return False

    def _literal_sets(
        self, literal: s.CompositeLit, type_: Type, name: str, file: GoFile, package: Package
    ) -> bool:
        if not literal.elements:
            return False
        keys = [key for key, _ in literal.elements]
        if any(isinstance(key, s.Ident) and key.name == name for key in keys):
            made = self.types.resolve(literal.type, file, package) if literal.type is not None else None
            return made is None or made is type_
        return keys[0] is None and self.types.resolve(literal.type, file, package) is type_


def _literals(file: GoFile, type_: Type, field: bytes) -> list[s.CompositeLit]:
    """Composite literals that may be of a type, or have a key that is called like the field."""
    if field not in file.data and type_.name.encode() not in file.data:
        return []
    roots = [*file.functions_with(field), *file.functions_with(type_.name.encode())]
    roots_of_values = [*file.values_with(field), *file.values_with(type_.name.encode())]
    found = [n for root in roots for n in s.nodes_of(root)]
    found.extend(n for root in roots_of_values for n in s.walk(root))
    return [n for n in found if isinstance(n, s.CompositeLit)]
