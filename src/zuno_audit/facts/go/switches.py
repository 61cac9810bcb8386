"""Switches: settings that decide whether code runs at all.

`Switches.off` asks of a place in the code which condition around it, before it or around every call of its
function keeps it from running in an environment. What it cannot tell keeps nothing from running.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name, parents
from zuno_audit.facts.go.origins import At
from zuno_audit.facts.go.settings import Settings, settings
from zuno_audit.languages import shell
from zuno_audit.languages.go import syntax as s
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.program import Declaration

MAX_DEPTH = 6
MAX_CALLERS = 3  # levels of functions
_ON = frozenset(("1", "t", "true", "yes", "on", "y", "enabled"))
_OFF = frozenset(("", "0", "f", "false", "no", "off", "n", "disabled"))
Environment = Mapping[str, str]


def switches(store: FactStore) -> Switches:
    """The fact provider: one `Switches` per audited repository."""
    return Switches(store.get(settings))


class Switches:
    """Answers for one program."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.origins = settings, settings.origins
        self._parents: dict[int, dict[int, s.Node]] = {}

    def off(
        self, node: s.Node, root: Declaration, environment: Environment, level: int = 0
    ) -> Location | None:
        """The condition that keeps a node from running in an environment, whoever calls its function."""
        for cond, wanted in self._conditions(node, root):
            if self.truth(At(cond, root), environment) is (not wanted):
                return root.file.location(cond.start, cond.end, "a setting decides whether it runs")
        uses = self.origins.calls_of(root) if level < MAX_CALLERS else []
        found = [self.off(use.call, use.root, environment, level + 1) for use in uses]
        return None if not found or None in found else found[0]

    def _conditions(self, node: s.Node, root: Declaration) -> Iterator[tuple[s.Expr, bool]]:
        """Conditions, and what each must be for the node to run."""
        above = self._parents.get(id(root.node))
        if above is None:
            above = self._parents[id(root.node)] = parents(root.node)
        child = node
        while (parent := above.get(id(child))) is not None:
            match parent:
                case s.If(cond=cond, body=body, orelse=orelse) if child in (body, orelse):
                    yield cond, child is body
                case s.Block(stmts=stmts) | s.Clause(body=list() as stmts):
                    for stmt in stmts:
                        if stmt is child:
                            break
                        if isinstance(stmt, s.If) and stmt.orelse is None and _leaves(stmt.body):
                            yield stmt.cond, False
            child = parent

    def truth(self, at: At, environment: Environment, depth: int = 0) -> bool | None:
        """What a condition is in an environment; None where that is not known."""
        if depth > MAX_DEPTH or not isinstance(at.part, int):
            return None
        expr, root, part = at
        if part == 0:
            match expr:
                case s.Unary(op="!", x=x):
                    inner = self.truth(At(x, root), environment, depth + 1)
                    return None if inner is None else not inner
                case s.Binary(op="&&" | "||" as op, x=x, y=y):
                    both = {self.truth(At(side, root), environment, depth + 1) for side in (x, y)}
                    decisive = op == "||"
                    return decisive if decisive in both else None if None in both else not decisive
                case s.Binary(op="==" | "!=" as op, x=x, y=y):
                    answers = {
                        a == b for a, b in product(*(self._texts(z, root, environment) for z in (x, y)))
                    }
                    return None if len(answers) != 1 else answers.pop() is (op == "==")
                case s.Ident(name="true" | "false" as name):
                    return name == "true"
                case s.Call(args=[first, *_]) if called_name(expr) == "ParseBool":
                    return _only({_boolean(text) for text in self._texts(first, root, environment)})
        texts = self._texts(expr, root, environment) if part == 0 else set()
        if texts:
            return _only({_boolean(text) for text in texts})
        return _only({self.truth(one, environment, depth + 1) for one in self.origins.step(at)})

    def _texts(self, expr: s.Expr, root: Declaration, environment: Environment) -> set[str]:
        """What a text is in an environment; nothing where that is not known."""
        if isinstance(expr, s.BasicLit) and isinstance(expr.value, str):
            return {expr.value}
        templates = self.settings.templates(expr, root)
        return {shell.expand(template, environment) or "" for template in templates}


def _only(answers: set[bool | None]) -> bool | None:
    return next(iter(answers)) if len(answers) == 1 else None


def _boolean(text: str) -> bool | None:
    word = text.strip().lower()
    return True if word in _ON else False if word in _OFF else None


def _leaves(body: s.Block) -> bool:
    """True for a block that ends by leaving its function."""
    return bool(body.stmts) and isinstance(body.stmts[-1], s.Return)
