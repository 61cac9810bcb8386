"""A construction as those see it who decide what goes into it: its callers, a container, a framework.

The questions about servers and about connections judge a construction in the function that it stands in. Where that
depends on the caller, every caller is asked, and the callers of callers. A function that nobody calls by name is
called by a framework: by a container of dependency injection, or through a value or an interface.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from zuno_audit.facts.go.analysis import MAX_CALLER_LEVELS, Analysis, Construction, Targets
from zuno_audit.facts.go.program import Declaration
from zuno_audit.languages.go import syntax as s


class Judgement(Protocol):
    """What a question says about one construction."""

    @property
    def depends_on_caller(self) -> bool: ...


J = TypeVar("J", bound=Judgement)
Doubt = Callable[[J, Declaration, list[Construction]], J]


class Perspectives(Generic[J]):
    """Asks `judge` from every place that decides about a construction.

    `join` makes one judgement of those that a framework leads to. `doubt` takes back what was judged of an object
    when other code may set its fields. Code for which `leave_out` holds is called by nobody who matters.
    """

    def __init__(
        self,
        analysis: Analysis,
        judge: Callable[[Construction], J],
        join: Callable[[list[J]], J],
        doubt: Doubt[J],
        leave_out: Callable[[str], bool],
    ) -> None:
        self.analysis = analysis
        self.judge, self.join, self.doubt, self.leave_out = judge, join, doubt, leave_out

    def of(
        self, construction: Construction, own: J, targets: Targets
    ) -> tuple[J, list[tuple[Construction, J]]]:
        """The judgement from the function itself, and one for each call that decides about it.

        `own` is the judgement that depends on the caller.
        """
        below: list[tuple[Construction, J]] = []
        root = construction.root
        if isinstance(root.node, s.FuncDecl):
            self._callers(construction, root, targets, below, set(), 0)
            if not below:
                mentioned = self.analysis.from_mentions(construction, root, targets)
                below = [(c, self.judge(c)) for c in mentioned if c.seen_from is not None]
        if not below:
            own = self._handed_over(construction, root, own, targets)
        return own, below

    def _callers(
        self,
        construction: Construction,
        helper: Declaration,
        targets: Targets,
        below: list[tuple[Construction, J]],
        visited: set[int],
        level: int,
    ) -> None:
        if level >= MAX_CALLER_LEVELS or id(helper.node) in visited:
            return
        visited.add(id(helper.node))
        for seen in self.analysis.from_callers(construction, helper, targets):
            if seen.call is None and self.leave_out(seen.root.file.path):
                continue
            judgement = self.judge(seen)
            above: list[tuple[Construction, J]] = []
            if judgement.depends_on_caller and isinstance(seen.root.node, s.FuncDecl):
                self._callers(construction, seen.root, targets, above, visited, level + 1)
                if not above:
                    judgement = self._handed_over(construction, seen.root, judgement, targets)
            below.extend(above or [(seen, judgement)])

    def _handed_over(self, construction: Construction, helper: Declaration, own: J, targets: Targets) -> J:
        """A construction in a function that nobody calls by name: a framework does."""
        if self.leave_out(helper.file.path):
            return own
        analysis = self.analysis
        injected = [self.judge(c) for c in analysis.from_injection(construction, helper, targets)]
        if injected:
            return self.join(injected)
        if not isinstance(helper.node, s.FuncDecl):
            return own
        seen = analysis.from_mentions(construction, helper, targets)
        judged = [self.judge(one) for one in seen]
        if not judged or any(j.depends_on_caller for j in judged):
            for above in (False, True):
                seen = analysis.from_objects(construction, helper, targets, above=above)
                if seen:
                    judged = [self.doubt(self.judge(one), helper, seen) for one in seen]
                if judged and not any(j.depends_on_caller for j in judged):
                    break
        return self.join(judged) if judged else own
