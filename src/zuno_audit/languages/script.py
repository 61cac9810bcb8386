"""Commands of shell, batch and PowerShell scripts and of Makefile recipes, with the folder they run in.

Not an interpreter: it follows `cd`, constant variables and line continuations, and says so where it cannot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath

from msgspec import Struct

SCRIPT_DIR = "\x01script\x01"  # the folder of the script, as the script itself computes it
REPO_ROOT = "\x01root\x01"
START = "\x01start\x01"  # the folder that the caller was in

MAX_COMMANDS = 5000

_SELF_FOLDER = re.compile(
    r"""%~dp0\\?
    |\$\(\s*cd\s+"?(?:\$\(\s*dirname\s[^)]*\)|`\s*dirname\s[^`]*`)"?\s*&&\s*pwd[^)]*\)
    |`\s*dirname\s+"?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?"?\s*`
    |\$\(\s*dirname\s+(?:--\s+)?"?\$\{?(?:0|BASH_SOURCE(?:\[0\])?)\}?"?\s*\)
    |\$\{0%/\*\}|\$\{BASH_SOURCE\[0\]%/\*\}
    |\$\{?PSScriptRoot\}?
    |\(?\s*Split-Path\s+(?:-Parent\s+)?(?:-Path\s+)?\$MyInvocation\.MyCommand\.(?:Path|Definition)(?:\s+-Parent)?\s*\)?
    """,
    re.VERBOSE | re.IGNORECASE,
)
_GIT_ROOT = re.compile(r"""\$\(\s*git\s+rev-parse\s+--show-toplevel\s*\)""")
_CONTINUED = {
    "batch": re.compile(r"\^\r?\n"),
    "shell": re.compile(r"\\\r?\n"),
    "powershell": re.compile(r"`\r?\n"),
}
_WORD = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+""")
_SEPARATOR = re.compile(r"&&|\|\||[;|&]")
_VARIABLE = re.compile(r"%(\w+)%|\$\{(\w+)\}|\$\((\w+)\)|\$(?:env:)?(\w+)", re.IGNORECASE)
_ASSIGNMENTS = (
    re.compile(r'^set\s+"?(\w+)=([^"]*)"?$', re.IGNORECASE),
    re.compile(r"^(?:export\s+|local\s+|readonly\s+)?(\w+)=(\S*|\"[^\"]*\"|'[^']*')$"),
    re.compile(r"^\$(?:env:)?(\w+)\s*=\s*(.+)$", re.IGNORECASE),
    re.compile(r"^(\w+)\s*[:?]?=\s*(.*)$"),
)


class Command(Struct, frozen=True):
    """One simple command. `folder` starts with a marker (START, SCRIPT_DIR, REPO_ROOT); None if unknown."""

    line: int
    words: tuple[str, ...]
    folder: str | None
    target: str = ""  # of the Makefile rule, if any


def dialect_of(path: str) -> str | None:
    """batch, shell, powershell or make by the file's name; None for another kind of file."""
    name = path.rsplit("/", 1)[-1].lower()
    if name.endswith((".bat", ".cmd")):
        return "batch"
    if name.endswith((".sh", ".bash")):
        return "shell"
    if name.endswith(".ps1"):
        return "powershell"
    if name in ("makefile", "gnumakefile") or name.endswith(".mk"):
        return "make"
    return None


def commands(text: str, dialect: str) -> Iterator[Command]:
    """The commands of a script in order. Comments, here-documents and what stands behind an unconditional
    exit or is jumped over are left out."""
    variables: dict[str, str] = {}
    folder: str | None = START
    pushed: list[str | None] = []
    saved: list[str | None] = []  # folders at the start of open sub-shells
    left = 0  # sub-shells that the last command ended
    target = ""
    count = 0
    for line, raw in _reachable(list(_logical_lines(text, dialect)), dialect):
        if dialect == "make":
            recipe = raw.startswith("\t")
            if not recipe:
                target = _make_line(raw, variables, target)
                continue
            folder = START  # every recipe line has a shell of its own
            raw = raw.strip().lstrip("@-+")
        for piece in _split(raw):
            part, opened, closed = _parentheses(piece)
            saved.extend([folder] * opened)
            for _ in range(min(left, len(saved))):
                folder = saved.pop()
            left = closed
            assigned = _assignment(part, dialect)
            if assigned:
                variables[assigned[0].lower()] = _expand(assigned[1].strip("\"'"), variables)
                continue
            words = tuple(_expand(_unquote(w), variables) for w in _WORD.findall(part))
            if not words:
                continue
            verb = words[0].lower()
            if verb in ("cd", "pushd", "chdir", "set-location", "push-location"):
                pushed.append(folder) if verb.startswith("push") else None
                folder = _change(folder, words)
                continue
            if verb in ("popd", "pop-location"):
                folder = pushed.pop() if pushed else None
                continue
            count += 1
            if count > MAX_COMMANDS:
                return
            yield Command(line, words, folder, target)


def _logical_lines(text: str, dialect: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined, comments and here-documents left out."""
    joiner = _CONTINUED["shell" if dialect == "make" else dialect]
    line = 1
    ends = ""
    text = text.replace("\r\n", "\n")
    for physical in re.split(r"(?<!\\)\n" if dialect in ("shell", "make") else r"(?<![\^`])\n", text):
        span = physical.count("\n") + 1
        body = joiner.sub(" ", physical).rstrip("\r")
        body = body.replace("\\\n", " ").replace("^\n", " ").replace("`\n", " ")
        stripped = body.strip()
        if ends:
            if stripped == ends:
                ends = ""
        elif stripped and not _is_comment(stripped, dialect):
            here = re.search(r"<<-?\s*[\"']?(\w+)[\"']?", stripped) if dialect == "shell" else None
            if here:
                ends = here.group(1)
            yield line, _GIT_ROOT.sub(REPO_ROOT, _SELF_FOLDER.sub(SCRIPT_DIR + "/", body))
        line += span


_LEAVES = {
    "batch": re.compile(r"@?(?:exit(?:\s+/b)?(?:\s+[^&|()]*)?|goto\s*:?\s*([\w.-]+))", re.IGNORECASE),
    "shell": re.compile(r"(?:exit|return)(?:\s+[^&|;]*)?"),
    "powershell": re.compile(r"(?:exit|return)(?:\s+[^&|;]*)?", re.IGNORECASE),
}
_LABEL = re.compile(r":(?!:)\s*([\w.-]+)")
_OPENS = re.compile(r"(?:^|[;&|]|\b(?:then|do|else)\b)\s*(?:if|case|for|while|until|select)\b|[{(](?=\s|$)")
_CLOSES = re.compile(r"(?:^|[;&|])\s*(?:fi|esac|done)\b|(?:^|[\s;])[})]")


def _reachable(lines: list[tuple[int, str]], dialect: str) -> Iterator[tuple[int, str]]:
    """The lines without those behind an exit that no condition stands before, up to a label that is jumped to."""
    leaves = _LEAVES.get(dialect)
    if leaves is None:
        yield from lines
        return
    jumps = {m.lower() for _, raw in lines for m in re.findall(r"(?:goto|call)\s*:?\s*([\w.-]+)", raw, re.I)}
    depth, gone = 0, False
    for line, raw in lines:
        stripped = raw.strip()
        label = _LABEL.match(stripped) if dialect == "batch" else None
        if label is not None and label.group(1).lower() in jumps:
            gone, depth = False, 0
        if gone:
            continue
        yield line, raw
        if not depth and leaves.fullmatch(stripped):
            gone = True
        depth = max(0, depth + _nesting(stripped, dialect))


def _nesting(line: str, dialect: str) -> int:
    """How many more blocks a line opens than it closes."""
    bare = re.sub(r"\"[^\"]*\"|'[^']*'|\$\{[^}]*\}|\$\([^()]*\)", "", line)
    if dialect == "shell":
        return len(_OPENS.findall(bare)) - len(_CLOSES.findall(bare))
    return bare.count("{") + bare.count("(") - bare.count("}") - bare.count(")")


def _is_comment(line: str, dialect: str) -> bool:
    if dialect == "batch":
        return line.startswith(("::", "@rem ", "@REM ")) or re.match(r"(?i)rem(\s|$)", line) is not None
    return line.startswith("#")


def _make_line(raw: str, variables: dict[str, str], target: str) -> str:
    """Takes a variable of a Makefile in, or returns the target that a rule line begins."""
    assigned = re.match(r"^(?:export\s+)?([\w.]+)\s*(?:[:?+]?=|::=)\s*(.*)$", raw)
    if assigned:
        variables[assigned.group(1).lower()] = _expand(assigned.group(2).strip(), variables)
        return target
    rule = re.match(r"^([\w./%-]+)(?:\s+[\w./%-]+)*\s*::?(?!=)", raw)
    return rule.group(1) if rule else target


def _split(line: str) -> Iterator[str]:
    """The simple commands of a line, split at separators outside quotes."""
    start = 0
    quote = ""
    i = 0
    while i < len(line):
        c = line[i]
        if quote:
            quote = "" if c == quote else quote
        elif c in "\"'":
            quote = c
        elif c == "#" and i and line[i - 1] in " \t":
            break
        elif (match := _SEPARATOR.match(line, i)) and line[i - 1 : i] not in (">", "<"):
            yield line[start:i].strip()
            i = start = match.end()
            continue
        i += 1
    yield line[start:i].strip()


def _parentheses(piece: str) -> tuple[str, int, int]:
    """A command without the brackets of the sub-shells that it opens and closes, and how many they are."""
    bare = piece.lstrip("@( \t")
    opened = piece[: len(piece) - len(bare)].count("(")
    closed = 0
    while bare.endswith(")") and bare.count(")") > bare.count("("):
        bare = bare[:-1].rstrip()
        closed += 1
    return bare, opened, closed


def _assignment(part: str, dialect: str) -> tuple[str, str] | None:
    patterns = {"batch": (0,), "shell": (1,), "powershell": (2,), "make": (1,)}[dialect]
    for index in patterns:
        match = _ASSIGNMENTS[index].match(part)
        if match:
            return match.group(1), match.group(2)
    return None


def _unquote(word: str) -> str:
    return re.sub(r"\"((?:[^\"\\]|\\.)*)\"|'([^']*)'", lambda m: m.group(1) or m.group(2) or "", word)


def _expand(word: str, variables: dict[str, str]) -> str:
    """The word with the variables that are known; unknown ones stay as they are written."""

    def value(match: re.Match[str]) -> str:
        name = next(g for g in match.groups() if g is not None).lower()
        return variables.get(name, match.group())

    return _VARIABLE.sub(value, word)[:4096]


def _change(folder: str | None, words: tuple[str, ...]) -> str | None:
    """The folder after a `cd`."""
    rest = [w for w in words[1:] if w.lower() not in ("/d", "-path", "--", "-literalpath")]
    if len(rest) != 1:
        return None
    return resolve(folder, rest[0])


def resolve(folder: str | None, path: str) -> str | None:
    """A path seen from a folder, markers kept; None when it has variables or leaves the known tree."""
    path = path.replace("\\", "/")
    for marker in (SCRIPT_DIR, REPO_ROOT):
        if path.startswith(marker):
            return join(marker, path[len(marker) :].lstrip("/")) if not is_dynamic(path) else None
    if folder is None or is_dynamic(path) or path.startswith(("/", "~", "-")) or re.match(r"[A-Za-z]:", path):
        return None
    return join(folder, path)


def is_dynamic(word: str) -> bool:
    """True when a word holds a variable or a substitution that was not resolved."""
    return re.search(r"[$`%*?]", word) is not None


def places(path: str | None, script: str) -> tuple[str, ...]:
    """The folders of the repository that a marked path can mean, best first; empty when it is unknown.

    A script that computes nothing runs from the root of the repository or from its own folder.
    """
    if path is None:
        return ()
    own = dirname(script)
    bases = {START: ("", own), SCRIPT_DIR: (own,), REPO_ROOT: ("",)}
    for marker, starts in bases.items():
        if path.startswith(marker):
            rest = path[len(marker) :].lstrip("/")
            found = [normpath(join(base, rest) or ".") for base in starts]
            return tuple("" if f == "." else f for f in dict.fromkeys(found) if not f.startswith(".."))
    return ()
