"""Whether anything makes a series of a metric vector: without one, a vector exports nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.go.bindings import bound_name
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer

if TYPE_CHECKING:
    from zuno_audit.facts.go.analysis import Analysis
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go.reach import Reach
    from zuno_audit.languages.go import syntax as s

_REGISTERED = re.compile(rb"\b(?:Must)?Register\((?:[^()]|\([^()]*\))*\)")
_DECLARES = re.compile(rb"[ \t]*(?:,[ \t]*\w+[ \t]*)*\*?[ \t]*\w+\.\w+Vec\b")


def makes_series(root: Declaration, call: s.Call, asked: Analysis, reachable: Reach) -> Answer:
    """Whether code that can run names the vector that a call in a declaration makes, other than to register it.

    `no` is certain: the name that the vector is bound to is only registered, or asked for a series by code that never
    runs. `unknown` where it is not bound to a name.
    """
    name = bound_name(root.node, call)
    here = (root.file.location(call.start, call.end),)
    if not name:
        return Answer(UNKNOWN, "what it is bound to is not known", here)
    mention = re.compile(rb"(?<![\w])" + name.encode() + rb"(?!\w)[ \t]*(\.[ \t\n]*(\w+)|)")
    everywhere = name[:1].isupper()
    for path in asked.search.files_with(name.encode()) if everywhere else root.package.files:
        data = asked.program.repository.read(path) or b""
        registered = [m.span() for m in _REGISTERED.finditer(data)]
        for match in mention.finditer(data):
            at = match.start()
            is_bound = path == root.file.path and at < call.start
            if is_bound and not data[match.end() : call.start].strip(b" \t:=&,"):
                continue
            if any(start <= at < end for start, end in registered) or _DECLARES.match(data, match.end(1)):
                continue
            if reachable.can_run(path, at) != NO:
                return Answer(YES)
    return Answer(NO, f"nothing that runs makes a series of {name}, and without one it exports nothing", here)
