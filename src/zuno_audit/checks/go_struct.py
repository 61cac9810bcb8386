"""Does the code declare a struct with these fields?"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from zuno_audit.checks.base import could_not_run, letter, ran, undecided, violation
from zuno_audit.facts.go.analysis import Analysis, analysis
from zuno_audit.languages.go import syntax as s
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.glob import compile_glob
from zuno_audit.source.repository import CODE_ONLY

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.types import Type
    from zuno_audit.model.finding import Finding
    from zuno_audit.model.rule_run import RuleRun


def check(store: FactStore, arguments: Mapping[str, str]) -> RuleRun:
    """The struct `name` has the `fields`, a comma-separated list of `Name type`, somewhere under `within`.

    Types are `string` or slices of it, looked at by what they are underneath. Another file than `path`, and
    another case of the letters of a field, differ by the letter only.
    """
    name, path = arguments["name"], arguments["path"]
    inside = compile_glob(arguments["within"]).fullmatch
    code = store.get(analysis)
    pattern = re.compile(rb"\b" + re.escape(name.encode()) + rb"\b")
    looked: list[GoFile] = []
    for candidate in store.repository.grep(name.encode(), suffix=".go", kinds=CODE_ONLY):
        if inside(candidate) and pattern.search(store.repository.read(candidate) or b""):
            file = code.program.file(candidate)
            if file is not None:
                looked.append(file)
    found = sorted(
        (f for f in looked if isinstance(f.spec(name), s.TypeSpec)), key=lambda f: (f.path != path, f.path)
    )
    broken = [f for f in looked if f.error_line]
    if broken and (not found or found[0] in broken):
        return could_not_run(
            f"{broken[0].path}:{broken[0].error_line}: syntax error.", scope_size=len(looked)
        )
    if not found:
        expected = code.program.file(path)
        if expected is not None and expected.error_line:
            return could_not_run(f"{path}:{expected.error_line}: syntax error.", scope_size=1)
        message = f"No struct {name} is declared."
        return ran(message, 1, findings=[violation(message, at_line(path))])
    return _judge(code, found[0], name, arguments["fields"], path)


def _judge(code: Analysis, file: GoFile, name: str, wanted: str, path: str) -> RuleRun:
    spec, package = file.spec(name), code.program.package_of(file.path)
    assert isinstance(spec, s.TypeSpec)
    place = file.location(spec.start, spec.end, f"{name} is declared here")
    type_ = code.types.resolve(s.Ident(0, 0, name), file, package) if package is not None else None
    under = code.types.underlying(type_) if type_ is not None else None
    if type_ is None or under is None or file.path not in (package.files if package is not None else ()):
        message = f"What {name} is cannot be followed."
        return ran(message, 1, findings=[undecided(message, place)])
    findings: list[Finding] = []
    if under.kind != "struct":
        findings.append(violation(f"{name} is no struct.", place))
    else:
        for text in wanted.split(","):
            finding = _field(code, type_, name, text.split(), place)
            if finding is not None:
                findings.append(finding)
    if file.path != path:
        findings.append(letter(f"{name} is declared in {file.path}, not in {path}.", place))
    count = len(wanted.split(","))
    return ran(f"{name} has {count} of {count} fields.", count, findings=findings, evidence=[place])


def _field(code: Analysis, type_: Type, name: str, wanted: list[str], place: Location) -> Finding | None:
    field, expected = wanted
    found = code.types.find_field(type_, field)
    actual = field
    if found is None:
        actual = next((f.name for f in code.types.fields(type_) if f.name.lower() == field.lower()), "")
        found = code.types.find_field(type_, actual) if actual else None
    if found is None:
        return violation(f"{name} has no field {field}.", place)
    shown = _shape(code, found[1])
    if shown != expected:
        return violation(f"{name}.{actual} is of type {shown or found[1]}, not {expected}.", place)
    return None if actual == field else letter(f"{name} calls the field {actual}, not {field}.", place)


def _shape(code: Analysis, type_: Type | None) -> str:
    """`string` and `[]string`, whatever the type is called."""
    under = code.types.underlying(type_) if type_ is not None else None
    if under is None:
        return ""
    if under.kind == "basic":
        return under.name
    if under.kind == "slice":
        inner = _shape(code, under.elem)
        return f"[]{inner}" if inner else ""
    return ""
