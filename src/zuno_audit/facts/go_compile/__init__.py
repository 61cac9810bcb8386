"""What keeps Go code from compiling, as far as names and counts tell.

Looked for are the mistakes that an edit leaves behind: an import that nothing uses, a package, function,
field or method that does not exist, a call with too few or too many arguments, a variable that nothing reads,
a name that is declared twice, two package clauses in one folder. What is reported does not compile; what is
not reported may still not. Nothing is type-checked: whatever a name could also mean counts as fine.
"""

from __future__ import annotations

from zuno_audit.facts.go_compile.faults import GoCompile, go_compile
from zuno_audit.facts.go_compile.sources import Fault

__all__ = ["Fault", "GoCompile", "go_compile"]
