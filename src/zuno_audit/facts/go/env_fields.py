"""What becomes of a variable that is kept in a field: functions elsewhere give the field a default or refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.env_defaults import Outcome, Surroundings, empty_sense, refuses
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.static_types import static_type
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.entity import NO, YES

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.reach import Reach
    from zuno_audit.facts.go.texts import Texts
    from zuno_audit.facts.go.types import Type

MAX_FUNCTIONS = 200


class FieldTests:
    """Finds the tests of a field for an empty value, in code that can run."""

    def __init__(self, asked: Analysis, texts: Texts, reachable: Reach) -> None:
        self.asked, self.texts, self.reachable = asked, texts, reachable
        self._known: dict[tuple[int, str], Outcome | None] = {}

    def __call__(self, root: Declaration, target: s.Expr, literal: s.Node) -> Outcome | None:
        """What the tests of a field do when it is empty; None without one.

        `target` is the selector that is assigned to, or the key in the composite literal.
        """
        if isinstance(target, s.Selector):
            owner, name = static_type(target.x, root, self.texts, self.asked.types), target.sel
        elif isinstance(target, s.Ident) and isinstance(literal, s.CompositeLit):
            owner, name = self.asked.types.resolve(literal.type, root.file, root.package), target.name
        else:
            return None
        base = _base(owner)
        if base is None or base.kind != "named":
            return None
        if (id(base), name) not in self._known:
            self._known[id(base), name] = self._outcome(base, name)
        return self._known[id(base), name]

    def _outcome(self, owner: Type, name: str) -> Outcome | None:
        default: Outcome | None = None
        for root in self._functions(owner, name):
            for test in s.walk(root.node):
                if not isinstance(test, s.If):
                    continue
                field = next((f for f in _selectors(test.cond, name) if self._is_of(f, owner, root)), None)
                if field is None or empty_sense(test.cond, field, None) is not True:
                    continue
                if self.reachable.can_run(root.file.path, root.node.start) == NO:
                    continue
                if refuses(test.body):
                    return Outcome(required=YES)
                default = default or self._default(root, test, name)
        return default

    def _default(self, root: Declaration, test: s.If, name: str) -> Outcome | None:
        for inner in s.walk(test.body):
            if isinstance(inner, s.Assign) and len(inner.lhs) == len(inner.rhs) == 1:
                lhs = inner.lhs[0]
                if isinstance(lhs, s.Selector) and lhs.sel == name:
                    return Outcome(Surroundings(self.texts, root, self).text(inner.rhs[0]))
        return None

    def _functions(self, owner: Type, name: str) -> Iterator[Declaration]:
        package = owner.package
        assert package is not None
        paths = list(package.files)
        if name[:1].isupper():
            others = self.asked.search.own_files_with(package.path.encode(), b"." + name.encode())
            paths += [p for p in others if p not in package.files]
        found = 0
        tested = re.compile(
            rb"\." + name.encode() + rb"\b\)*[ \t]*(?:==|<=?)"
        )  # empty, or shorter than something
        for path in paths:
            if not tested.search(self.asked.program.repository.read(path) or b""):
                continue
            file, around = self.asked.program.file(path), self.asked.program.package_of(path)
            if file is None or around is None or path not in around.files:
                continue
            for node in file.functions_with(b"." + name.encode()):
                if not tested.search(file.data, node.start, node.end):
                    continue
                found += 1
                if found > MAX_FUNCTIONS:
                    return
                yield Declaration(around, file, node)

    def _is_of(self, field: s.Selector, owner: Type, root: Declaration) -> bool:
        return _base(static_type(field.x, root, self.texts, self.asked.types)) is owner


def _base(type_: Type | None) -> Type | None:
    return type_.elem if type_ is not None and type_.kind == "pointer" else type_


def _selectors(cond: s.Expr, name: str) -> Iterator[s.Selector]:
    for node in s.walk(cond):
        if isinstance(node, s.Selector) and node.sel == name:
            yield node
