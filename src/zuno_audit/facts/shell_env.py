"""Environment variables that a shell script reads: references to names that it has not assigned before."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from zuno_audit.facts.env_read import EnvRead, script_read
from zuno_audit.languages import shell
from zuno_audit.model.entity import NO, YES

_UPPER = re.compile(r"[A-Z][A-Z0-9_]*\Z")
_ASSIGNMENT = re.compile(
    r"(?:^|[;&|({)]|\bdo\b|\bthen\b|\belse\b)\s*(?:(?:export|local|readonly|declare|typeset)\s+(?:-\w+\s+)*)?"
    r"([A-Za-z_]\w*)(?:\[[^\]]*\])?\+?="
)
_DECLARED = re.compile(
    r"\b(export|local|readonly|declare|typeset|read|mapfile|getopts|select|for)\b([^;&|<>]*)"
)
_WORD = re.compile(r"(?<![\w$\"'/.-])([A-Za-z_]\w*)(?==|\s|$)")
_FUNCTION = re.compile(r"(?:function\s+[\w:.-]+|[\w:.-]+\s*\(\))\s*(?:\(\))?\s*(?:\{(?!.*\})|$)")
_CHANGED = re.compile(r"\$\{(?:[#!]([A-Za-z_]\w*)|([A-Za-z_]\w*)(?:\[|[%#/^,@]|:[^-=?+]))")
_HEREDOC = re.compile(r"<<-?\s*(['\"\\]?)([A-Za-z_]\w*)")
_NOUNSET = re.compile(r"^\s*set\s+(?:-\w*u|.*-o\s+nounset)|^#!.*\s-\w*u", re.MULTILINE)
_EMPTY = r"""(?:-z\s+"?\$\{?%s(?::?-)?\}?"?|"?\$\{?%s(?::?-)?\}?"?\s*==?\s*(?:""|''))"""
_ENDS = r"\b(?:exit|return\s+[1-9]|die|fail|abort|fatal|usage)\b"
_OWN = frozenset(
    "BASH_SOURCE FUNCNAME LINENO RANDOM SECONDS OPTARG OPTIND REPLY IFS PPID UID EUID OSTYPE BASH BASHPID BASHOPTS "
    "BASH_VERSION BASH_REMATCH PIPESTATUS DIRSTACK MACHTYPE HOSTTYPE SHELLOPTS SHLVL GROUPS NF NR FS OFS "
    "PWD OLDPWD HOSTNAME".split()
)


class _Line(Struct, frozen=True):
    """One line without comments and single-quoted text, which is blanked."""

    number: int
    code: str
    in_function: bool


def shell_reads(path: str, text: str) -> Iterator[EnvRead]:
    """Every read of the script, in its order."""
    assigned: set[str] = set(_OWN)
    lines = list(_lines(text))
    strict = _NOUNSET.search(text) is not None
    whole = "\n".join(line.code for line in lines)
    outside = {
        name
        for line in lines
        if not line.in_function
        for name, at in _assignments(line.code)
        if not any(found == name and start < at for found, start, _, _ in _references(line.code))
    }
    optional: set[str] = set()  # variables that may be missing, as the script has said before
    for line in lines:
        here = list(_assignments(line.code))
        for name, start, default, required in _references(line.code):
            known = name in assigned or any(name == other and at <= start for other, at in here)
            known = known or (line.in_function and name in outside)
            if known or not _UPPER.match(name):
                continue
            if not required and default is None:
                fails = strict and name not in optional and _is_bare(line.code, name, start)
                required = _is_refused(name, whole) or fails
                default = None if required else _given(name, whole)
            if default is not None or re.match(rf"\$\{{{name}:?\+", line.code[start:]):
                optional.add(name)
            yield script_read(path, line.number, start + 1, name, default, YES if required else NO, "shell")
        assigned.update(name for name, _ in here)


def _references(code: str) -> Iterator[tuple[str, int, str | None, bool]]:
    """Name, column, default and whether a missing value is an error, of each reference."""
    for reference in shell.references(code):
        default = reference.default
        yield reference.name, reference.start, default and default.strip("\"'"), reference.is_required
        for inner in _nested(reference.argument):
            yield inner.name, reference.start, inner.default, inner.is_required
    for match in _CHANGED.finditer(code):
        yield match.group(1) or match.group(2), match.start(), None, False


def _nested(argument: str, depth: int = 0) -> Iterator[shell.Reference]:
    for inner in shell.references(argument) if depth < shell.MAX_NESTING else ():
        yield inner
        yield from _nested(inner.argument, depth + 1)


def _is_bare(code: str, name: str, start: int) -> bool:
    """`$NAME` or `${NAME}`, for which `set -u` makes a missing value an error."""
    return re.match(rf"\$(?:{name}\b|\{{{name}\}})", code[start:]) is not None


def _is_refused(name: str, whole: str) -> bool:
    """`if [ -z "$NAME" ]; then ... exit 1`, `[ -z "$NAME" ] && exit 1`, `[ -n "$NAME" ] || exit 1`."""
    empty = _EMPTY % (name, name)
    block = re.search(rf"\bif\s+\[+\s*{empty}\s*\]+\s*;?\s*then\b(.*?)(?:\bfi\b|\belse\b)", whole, re.DOTALL)
    if block is not None and re.search(_ENDS, block.group(1)):
        return True
    filled = rf'(?:-n\s+)?"?\$\{{?{name}\}}?"?'
    return (
        re.search(rf"(?:\[+|\btest\s)\s*{empty}\s*\]*\s*&&[^\n]*{_ENDS}", whole) is not None
        or re.search(rf"(?:\[+|\btest\s)\s*{filled}\s*\]*\s*\|\|[^\n]*{_ENDS}", whole) is not None
    )


def _given(name: str, whole: str) -> str | None:
    """`if [ -z "$NAME" ]; then NAME=default; fi`."""
    empty = _EMPTY % (name, name)
    found = re.search(
        rf"\[+\s*{empty}\s*\]+\s*(?:;?\s*then|&&)\s+(?:export\s+)?{name}=(\S+?)[;\s]", whole + "\n"
    )
    return found.group(1).strip("\"'") if found is not None and "$" not in found.group(1) else None


def _assignments(code: str) -> Iterator[tuple[str, int]]:
    """The names that a line assigns, with the column from which on they have their new value."""
    for match in _ASSIGNMENT.finditer(code):
        end = re.compile(r"[;&|]").search(code, match.end())
        yield match.group(1), end.start() if end is not None else len(code)
    for match in _DECLARED.finditer(code):
        keyword, names = match.groups()
        if keyword in ("for", "select"):
            names = names.partition(" in ")[0]
        for word in _WORD.finditer(names):
            if names[word.end() : word.end() + 1] == "=":
                yield word.group(1), match.end()
            elif keyword != "export":
                yield word.group(1), match.start()


def _lines(text: str) -> Iterator[_Line]:
    single = double = False
    heredoc: tuple[str, bool] | None = None  # its end, and whether its text is taken as it is
    inside = False
    for number, raw in enumerate(text.splitlines(), 1):
        if heredoc is not None:
            if raw.strip() == heredoc[0]:
                heredoc = None
            elif not heredoc[1]:
                yield _Line(number, _without_escapes(raw), inside)
            continue
        inside = (inside and not raw.startswith("}")) or _FUNCTION.match(raw) is not None
        code, single, double = _scan(raw, single, double)
        begins = None if single or double else _HEREDOC.search(code)
        if begins is None and not (single or double):
            begins = _HEREDOC.search(raw) if "<<" in code else None
        if begins is not None and "<<<" not in raw:
            heredoc = (begins.group(2), bool(begins.group(1)))
        yield _Line(number, code, inside)


def _without_escapes(text: str) -> str:
    return re.sub(r"\\.", "  ", text)


def _scan(raw: str, single: bool, double: bool) -> tuple[str, bool, bool]:
    """A line with single-quoted text, escapes and the comment blanked, and the quotes that stay open."""
    out = list(raw)
    position = 0
    while position < len(raw):
        char = raw[position]
        if single:
            single = char != "'"
            out[position] = " "
        elif char == "\\":
            out[position : position + 2] = "  "[: len(raw) - position]
            position += 1
        elif char == "'" and not double:
            single = True
            out[position] = " "
        elif char == '"':
            double = not double
        elif char == "#" and not double and (position == 0 or raw[position - 1] in " \t;"):
            return "".join(out[:position]), single, double
        position += 1
    return "".join(out), single, double
