"""The file that the checklist names for a shared constructor: is it there, and does it hold one?"""

from __future__ import annotations

from collections.abc import Mapping

from zuno_audit.checks.base import could_not_run, letter, ran, violation
from zuno_audit.facts.base import FactStore
from zuno_audit.facts.go.program import program
from zuno_audit.model.location import Location, at_line
from zuno_audit.model.rule_run import RuleRun
from zuno_audit.source.classify import FileKind


def check(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """Arguments: `file` (its path), `constructor` (a function's name), `folder` (where else it may be, a glob)."""
    file, constructor = arguments["file"], arguments["constructor"]
    repository = store.repository
    if file in repository:
        parsed = store.get(program).file(file)
        if parsed is None:
            return could_not_run(f"{file} cannot be read")
        if parsed.error_line:
            return could_not_run(f"{file} does not parse (line {parsed.error_line})")
        named = parsed.function(constructor)
        functions = [named] if named is not None else [f for f in parsed.functions() if f.results]
        if functions:
            place = parsed.location(functions[0].start, functions[0].start + 4, f"func {functions[0].name}")
            other = (
                [] if named else [letter(f"{file} has no {constructor}; it has {functions[0].name}.", place)]
            )
            return ran(
                f"1 of 1 file is there and defines {functions[0].name}", 1, evidence=[place], findings=other
            )
    return _elsewhere(store, file, constructor, arguments["folder"])


def _elsewhere(store: FactStore, file: str, constructor: str, folder: str) -> RuleRun:
    """By meaning the constructor counts wherever it is."""
    for place in _declared(store, constructor, folder):
        note = letter(f"{constructor} is defined in {place.path}, not in {file}.", place)
        return ran(
            f"{constructor} is defined, in another file than named", 1, evidence=[place], findings=[note]
        )
    missing = violation(f"{file} is missing and nothing else defines {constructor}.", at_line(file))
    return ran(f"0 of 1 file is there: {file} is missing", 1, findings=[missing])


def _declared(store: FactStore, name: str, folder: str) -> list[Location]:
    repository = store.repository
    within = set(repository.glob(folder))
    found = []
    for path in repository.grep(f"func {name}(".encode(), suffix=".go", kinds={FileKind.CODE}):
        parsed = store.get(program).file(path) if path in within else None
        function = parsed.function(name) if parsed is not None and not parsed.error_line else None
        if parsed is not None and function is not None:
            found.append(parsed.location(function.start, function.start + 4, f"func {name}"))
    return found
