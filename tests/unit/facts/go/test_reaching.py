"""Which of the values that are put into a variable it can have where it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse

from zuno_audit.facts.go.analysis import analysis
from zuno_audit.facts.go.program import program
from zuno_audit.facts.go.reaching import Reaching
from zuno_audit.languages.go import syntax as s


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("x := 1; x = 2; use(x)", "2"),
        ("x := 1; use(x); x = 2", "1"),
        ("x := 1; if ok { x = 2 }; use(x)", "1 2"),
        ("x := 1; if ok { x = 2; use(x) }", "2"),
        ("x := 1; for ok { use(x); x = 2 }", "1 2"),
        ("x := 1; x = wrap(use(x), 2)", "1"),
        ("x := 1; f := func() { use(x) }; x = 2; f()", "1 2"),
        ("x := 1; x = 2; go func() { use(x) }()", "2"),
        ("x := 1; go func() { x = 3 }(); use(x)", "1 3"),
        ("x := 1; f := func() { use(x); x = 3 }; f(); x = 2; f()", "1 2 3"),
    ],
)
def test_the_sources_of_a_use(tmp_path: Path, body: str, expected: str) -> None:
    store = analyse(tmp_path, {"main.go": f"package main\n\nfunc main() {{ {body} }}\n"})
    package = store.get(program).package_in("")
    root = package.declaration("main") if package is not None else None
    assert root is not None
    call = next(
        n for n in root.nodes if isinstance(n, s.Call) and isinstance(n.fun, s.Ident) and n.fun.name == "use"
    )
    variable = store.get(analysis).texts.bindings(root).variable("x", call.args[0].start)
    assert variable is not None
    sources = Reaching().sources(variable, call.args[0].start, root)
    texts = [root.file.data[x.expr.start : x.expr.end].decode() for x in sources if x.expr is not None]
    assert sorted(texts) == expected.split()
