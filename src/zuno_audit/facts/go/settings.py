"""Texts with settings in them: what an address, a name or a key is in a deployment.

The answer is a template as a shell writes it: `:${PORT:-8081}`. Put the environment of a deployment in
(`languages.shell.expand`) and it is the text the program works with. Which call or field reads which variable,
with which default, is what `env_reads` says.
"""

from __future__ import annotations

import re
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.env import env_reads
from zuno_audit.facts.go.origins import At, Origins, origins
from zuno_audit.facts.go.texts import MAX_DEPTH, Setting, Template, Texts
from zuno_audit.facts.go.types import BASIC
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.languages.go.parse import GoFile
    from zuno_audit.model.location import Location

MAX_ALTERNATIVES = 8  # of one expression
_VERB = re.compile(r"%(?:[+#-]?\d*)[sdvq]")
_UNCHANGED = frozenset(("Itoa", "FormatInt", "TrimSpace", "ToLower", "Or", *BASIC))


class Settings(Texts):
    """Templates of expressions; unlike `Texts` it takes what is known of several alternatives."""

    def __init__(self, store: FactStore) -> None:
        self.origins: Origins = store.get(origins)
        super().__init__(self.origins.program)
        self._bindings, self._local_names, self.dead_code = (
            self.origins.texts._bindings, self.origins.texts._local_names, self.origins.texts.dead_code,
        )  # fmt: skip
        self._store = store
        self._busy: set[int] = set()

    @cached_property
    def _reads(self) -> dict[Location, Setting]:
        """The calls and fields that read the environment; asked when the first one is met, it reads all of the code."""
        reads: dict[Location, Setting] = {}
        for read in self._store.get(env_reads):
            reads.setdefault(read.location.noted(""), Setting(read.name, read.default or ""))
        return reads

    def templates(self, expr: s.Expr, root: Declaration) -> list[str]:
        """What a text may be; empty when it cannot be known."""
        found = [_written(template) for template in self.fold(expr, root) or ()]
        return [text for text in dict.fromkeys(found) if text]

    def fold(self, expr: s.Expr, root: Declaration, depth: int = 0) -> list[Template] | None:
        """The templates that are known of an expression inside a declaration; None when there is none."""
        if depth > MAX_DEPTH or id(expr) in self._busy:
            return None
        self._busy.add(id(expr))
        try:
            found = self._fold(expr, root, depth)
        finally:
            self._busy.discard(id(expr))
        return _joined_defaults(found)[:MAX_ALTERNATIVES] or None

    def _fold(self, expr: s.Expr, root: Declaration, depth: int) -> list[Template]:
        if isinstance(expr, s.BasicLit) and isinstance(expr.value, int):
            return [(str(expr.value),)]
        if isinstance(expr, s.Call) and (read := self._read(root.file, expr)) is not None:
            return [(read,)]
        if isinstance(expr, s.BasicLit | s.Binary | s.Call):
            known = super().fold(expr, root, depth)
            if known is not None:
                return known
        given = self._parameter(expr, root) if isinstance(expr, s.Ident) else None
        if given is not None:
            return given
        found = self._field_reads(expr, root) if isinstance(expr, s.Selector) else []
        for at in self.origins.step(At(expr, root)):
            found += self._of_part(at, depth + 1)
        return found

    def _of_part(self, at: At, depth: int) -> list[Template]:
        if at.part == 0 or depth > MAX_DEPTH:
            return self.fold(at.expr, at.root, depth) or []
        return [template for one in self.origins.step(at) for template in self._of_part(one, depth + 1)]

    def _parameter(self, expr: s.Ident, root: Declaration) -> list[Template] | None:
        """What the call that is looked at gives a parameter."""
        variable = self.bindings(root).variable(expr.name, expr.start)
        for source in variable.sources if variable is not None else ():
            if source.kind == "param" and (id(source.function), source.index) in self._given:
                return self._given[id(source.function), source.index] or []
        return None

    def _call(self, call: s.Call, root: Declaration, depth: int) -> list[Template] | None:
        known = super()._call(call, root, depth)
        if known is not None or self.function(call, root) is not None:
            return known
        name = called_name(call)
        if name in _UNCHANGED and call.args:
            return self.fold(call.args[0], root, depth + 1)
        if name == "JoinHostPort" and len(call.args) == 2:
            return self._formatted("%s:%s", call.args, root, depth)
        return None

    def _formatted(
        self, form: str, args: list[s.Expr], root: Declaration, depth: int
    ) -> list[Template] | None:
        """The results of a Sprintf with known arguments. What comes first may be unknown, as the host of an address."""
        texts = _VERB.split(form)
        if len(texts) - 1 > len(args):
            return None
        parts: list[list[Template]] = [[(texts[0],)]]
        for arg, text in zip(args, texts[1:], strict=False):
            known = self.fold(arg, root, depth + 1) or ([()] if len(parts) == 1 and not texts[0] else [])
            parts += [known, [(text,)]]
        return [sum(combination, ()) for combination in product(*parts)][:MAX_ALTERNATIVES]

    # ---------------------------------------------------------------- reads of the environment

    def _read(self, file: GoFile, node: s.Node) -> Setting | None:
        return self._reads.get(file.location(node.start, node.end))

    def _field_reads(self, expr: s.Selector, root: Declaration) -> list[Template]:
        """The variables that a library reads into a field."""
        owner = self.origins.owner(expr, root)
        return [(read,) for file, field in self.origins.declared_fields(owner, expr.sel)
                if (read := self._read(file, field)) is not None]  # fmt: skip


def _written(template: Template) -> str:
    """A template as a shell writes it."""
    return "".join(
        part.replace("$", "$$")
        if isinstance(part, str)
        else part.reference
        if isinstance(part, Setting)
        else ""
        for part in template
    )


def _joined_defaults(templates: list[Template]) -> list[Template]:
    """`x := os.Getenv("X"); if x == "" { x = "y" }` is one setting with a default."""
    found = list(dict.fromkeys(templates))
    settings = [t[0] for t in found if len(t) == 1 and isinstance(t[0], Setting)]
    constants = [t for t in found if t and all(isinstance(part, str) for part in t)]
    if len(settings) == 1 and len(constants) == 1:
        only = settings[0]
        default = only.default or "".join(map(str, constants[0]))
        if only.default in ("", default):
            found = [t for t in found if t not in (constants[0], (only,))]
            return [(Setting(only.name, default),), *found]
    return found


def settings(store: FactStore) -> Settings:
    """The fact provider: one `Settings` per audited repository."""
    return Settings(store)
