"""How long a hystrix-go command stays open: its `SleepWindow`, wherever the program configures it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from zuno_audit.facts.go.values import Const, State
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.program import Package

HYSTRIX = "github.com/afex/hystrix-go/hystrix"
DEFAULT = 5_000  # ms, hystrix/settings.go
MAX_FILES = 20


def sleep_window(ev: Evaluator, command: str | None) -> int | None:
    """Milliseconds, the default where nothing configures the command, None where it cannot be known."""
    found: set[int | None] = set()
    for name, window in _configured(ev):
        if name is None or command is None or name == command:
            found.add(window)
    if not found:
        return DEFAULT
    return found.pop() if len(found) == 1 else None


def _configured(ev: Evaluator) -> Iterator[tuple[str | None, int | None]]:
    """The commands that are configured, with their sleep windows; None for what is not a constant."""
    program = ev.program
    for path in program.repository.grep(HYSTRIX.encode(), suffix=".go")[:MAX_FILES]:
        data = program.repository.read(path) or b""
        package, file = program.package_of(path), program.file(path)
        if path.endswith("_test.go") or package is None or file is None:
            continue
        if b"DefaultSleepWindow" in data or b".Configure(" in data:
            yield None, None
        for function in file.functions_with(b"ConfigureCommand"):
            for node in s.nodes_of(function):
                if isinstance(node, s.Call) and isinstance(node.fun, s.Selector):
                    if node.fun.sel == "ConfigureCommand" and len(node.args) == 2:
                        name = _constant(ev, node.args[0], package)
                        yield (name if isinstance(name, str) else None), _window(ev, node.args[1], package)


def _window(ev: Evaluator, config: s.Expr, package: Package) -> int | None:
    if not isinstance(config, s.CompositeLit):
        return None
    for key, value in config.elements:
        if isinstance(key, s.Ident) and key.name == "SleepWindow":
            number = _constant(ev, value, package)
            return number if isinstance(number, int) else None
    return DEFAULT


def _constant(ev: Evaluator, expr: s.Expr, package: Package) -> object:
    if isinstance(expr, s.BasicLit):
        return expr.value
    if isinstance(expr, s.Ident):
        declared = package.declaration(expr.name)
        value = ev.declared(declared, expr.name, State(), None) if declared is not None else ()
        if len(value) == 1 and isinstance(value[0], Const):
            return value[0].value
    return None
