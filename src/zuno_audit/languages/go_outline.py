"""The outline of a Go file from its tokens: functions, strings, blocks, imports. No tree is built.

For questions that names and nesting answer (what does this test call, where is this method) a masked text is
enough and ten times cheaper than a syntax tree: comments and the inside of strings become blanks, so that a
bracket is a bracket and a name is code. Offsets are offsets of the original text.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import lru_cache

from msgspec import Struct, field

_MIDDLEWARE = "github.com/grpc-ecosystem/go-grpc-middleware"
# Libraries whose package name does not follow from their path.
PACKAGE_NAMES = {
    _MIDDLEWARE: "grpc_middleware",
    **{f"{_MIDDLEWARE}/{name}": f"grpc_{name}" for name in ("auth", "recovery", "retry", "validator")},
    _MIDDLEWARE + "/tags": "grpc_ctxtags",
    "github.com/grpc-ecosystem/go-grpc-prometheus": "grpc_prometheus",
    "github.com/hasura/go-graphql-client": "graphql",
    "github.com/rubyist/circuitbreaker": "circuit",
}
_OPAQUE = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"[^\"\\\n]*(?:\\.[^\"\\\n]*)*\"|`[^`]*`|'(?:\\.|[^'\\\n])+'", re.DOTALL
)
_GOES_ON = re.compile(r"\.\n(?<=[\w)\]}]\.\n)[ \t]+(?=[A-Za-z_])")
_NOT_NEWLINE = re.compile(r"[^\n]")
_BRACKET = re.compile(r"[(){}\[\]]")
_FUNC = re.compile(r"\nfunc\b[ \t]*(?:\(([^()]*)\)[ \t]*)?(\w+)[ \t]*(?=[\[(])")
_PACKAGE = re.compile(r"^\s*package[ \t]+(\w+)")
_IMPORT_SPEC = re.compile(r"(?:^|[\n;(])[ \t]*(?:import[ \t]+)?([\w.]+[ \t]+)?(\")")
_TOP_LEVEL = re.compile(r"package|import|func|var|const|type|\)|\}|;")
_CLOSER = {"(": ")", "{": "}", "[": "]"}


class GoString(Struct, frozen=True):
    """A string literal: where it starts and ends, and its content (escapes as written)."""

    start: int
    end: int
    text: str


class GoFunction(Struct, frozen=True):
    """A function with a body. Offsets: `start` of `func`, `opening` and `closing` of the body's braces."""

    name: str
    receiver: str  # the type's name without the star, or nothing
    receiver_name: str
    start: int
    signature: str
    opening: int
    closing: int


class GoOutline(Struct):
    """One file. `problem` is empty, or says why the text is not Go."""

    path: str
    text: str
    masked: str
    package: str
    imports: dict[str, str] = field(default_factory=dict)  # local name (guessed if not given) -> import path
    dotted: list[str] = field(default_factory=list)  # import paths whose names are used without a qualifier
    renamed: set[str] = field(default_factory=set)  # local names that the file gives itself
    functions: list[GoFunction] = field(default_factory=list)
    strings: list[GoString] = field(default_factory=list)
    pairs: dict[int, int] = field(default_factory=dict)  # opening bracket -> closing bracket
    parents: dict[int, int] = field(default_factory=dict)  # opening brace -> the brace around it, or -1
    problem: str = ""
    problem_line: int = 1
    _lines: list[int] = field(default_factory=list)
    _braces: list[int] = field(default_factory=list)

    def line(self, offset: int) -> int:
        """The 1-based line of an offset."""
        if not self._lines:
            self._lines = [0, *(m.end() for m in re.finditer("\n", self.text))]
        return bisect_right(self._lines, offset)

    def block_around(self, at: int) -> int:
        """The offset of the innermost brace whose block holds an offset, or -1."""
        if not self._braces:
            self._braces = list(self.parents)
        index = bisect_left(self._braces, at) - 1
        opening = self._braces[index] if index >= 0 else -1
        while opening >= 0 and self.pairs.get(opening, len(self.text)) < at:
            opening = self.parents[opening]
        return opening

    def strings_between(self, start: int, end: int) -> list[GoString]:
        """The string literals that start between two offsets, both included."""
        first = bisect_left(self.strings, start, key=lambda s: s.start)
        last = bisect_right(self.strings, end, key=lambda s: s.start)
        return self.strings[first:last]


def outline(path: str, text: str) -> GoOutline:
    """The outline of a Go file. Never fails: what is wrong with the text stands in `problem`."""
    strings: list[GoString] = []
    masked = _mask(text, strings)
    package = _PACKAGE.match(masked)
    found = GoOutline(path, text, masked, package.group(1) if package else "", strings=strings)
    if package is None:
        found.problem = "no package clause"
        return found
    outer = _pair_brackets(found)
    found.imports = _imports(found)
    found.functions = list(_functions(found))
    if not found.problem:
        _check_top_level(found, outer)
    return found


def _mask(text: str, strings: list[GoString]) -> str:
    """The text with comments and string contents blanked; the quotes stay, and a member has a dot before it."""

    def blank(match: re.Match[str]) -> str:
        token = match.group()
        if token[0] == "/":
            return _NOT_NEWLINE.sub(" ", token) if "\n" in token else " " * len(token)
        if token[0] != "'":
            strings.append(GoString(match.start(), match.end(), token[1:-1]))
        inner = token[1:-1]
        return '"' + (_NOT_NEWLINE.sub(" ", inner) if "\n" in inner else " " * len(inner)) + '"'

    masked = _OPAQUE.sub(blank, text)
    if ".\n" in masked:  # a selector that goes on in the next line gets a dot there as well
        masked = _GOES_ON.sub(lambda match: match.group()[:-1] + ".", masked)
    return masked


def _pair_brackets(found: GoOutline) -> list[tuple[int, int]]:
    """Fills `pairs` and `parents`; returns the pairs that no bracket is around, in order."""
    masked, pairs, parents = found.masked, found.pairs, found.parents
    stack: list[tuple[str, int]] = []
    outer: list[tuple[int, int]] = []
    braces = [-1]
    for match in _BRACKET.finditer(masked):
        at = match.start()
        bracket = masked[at]
        closer = _CLOSER.get(bracket)
        if closer is not None:
            stack.append((closer, at))
            if bracket == "{":
                parents[at] = braces[-1]
                braces.append(at)
        elif not stack or stack[-1][0] != bracket:
            found.problem = f"unexpected {bracket!r}"
            found.problem_line = found.line(at)
            return outer
        else:
            opening = stack.pop()[1]
            pairs[opening] = at
            if bracket == "}":
                braces.pop()
            if not stack:
                outer.append((opening, at))
    if stack:
        found.problem = "a bracket is not closed"
        found.problem_line = found.line(stack[0][1])
    return outer


def _check_top_level(found: GoOutline, outer: list[tuple[int, int]]) -> None:
    """Every line outside of brackets must begin with a keyword of a declaration."""
    outside = []
    position = 0
    for opening, closing in outer:
        outside.append((position, found.masked[position:opening]))
        position = closing
    outside.append((position, found.masked[position:]))
    for start, piece in outside:
        for match in re.finditer(r"\n[ \t]*([^\s])", piece):
            at = start + match.start(1)
            if match.group(1) in '"`' or _TOP_LEVEL.match(found.masked, at):
                continue
            if re.search(r"[=,+\-*/|&.<>:]\s*$", piece[: match.start()]) or match.group(1) in ".":
                continue
            found.problem = "text outside of a declaration"
            found.problem_line = found.line(at)
            return


def _imports(found: GoOutline) -> dict[str, str]:
    first = re.search(r"^(?:func|var|const|type)\b", found.masked, re.MULTILINE)
    end = first.start() if first else len(found.masked)
    by_start = {s.start: s.text for s in found.strings if s.start < end}
    imports = {}
    for match in _IMPORT_SPEC.finditer(found.masked, 0, end):
        path = by_start.get(match.start(2))
        if path is not None:
            given = (match.group(1) or "").strip()
            assumed = assumed_names(path)
            imports[given or next((n for n in assumed if f"{n}." in found.masked), assumed[0])] = path
            if given:
                found.renamed.add(given)
            if given == ".":
                found.dotted.append(path)
    return imports


@lru_cache(maxsize=4096)
def assumed_names(import_path: str) -> tuple[str, ...]:
    """The names that a package from elsewhere may have, the likeliest first; its code is not there to ask.

    That is the last element of the path without version, `go-` and `-go`. Where that is no identifier
    (`acp-go-sdk`, `golang-lru`), packages call themselves by its last or first word or join all of them
    (`golang.org/x/tools/internal/imports`, ImportPathToAssumedName, takes the first).
    """
    if import_path in PACKAGE_NAMES:
        return (PACKAGE_NAMES[import_path],)
    parts = import_path.split("/")
    last = parts[-2] if len(parts) > 1 and re.fullmatch(r"v[0-9]+", parts[-1]) else parts[-1]
    last = re.sub(r"\.v[0-9]+$", "", last)
    last = last.removeprefix("go-").removesuffix("-go").removesuffix(".go")
    words = [word for word in re.split(r"\W+", last) if word] or [last]
    return tuple(dict.fromkeys((words[-1], words[0], "_".join(words), "".join(words))))


def _functions(found: GoOutline) -> list[GoFunction]:
    functions = []
    for match in _FUNC.finditer(found.masked):
        opening = _body(found, match.end())
        if opening is None or opening not in found.pairs:
            continue
        receiver_name, receiver = _receiver(match.group(1) or "")
        signature = found.masked[match.end() : opening]
        functions.append(
            GoFunction(
                match.group(2),
                receiver,
                receiver_name,
                match.start() + 1,
                signature,
                opening,
                found.pairs[opening],
            )
        )
    return functions


def _receiver(text: str) -> tuple[str, str]:
    words = re.findall(r"\w+", text.split("[")[0])
    if not words:
        return "", ""
    return (words[0], words[1]) if len(words) > 1 else ("", words[0])


def _body(found: GoOutline, at: int) -> int | None:
    """The brace that opens the body of the function whose parameters start at `at`."""
    masked, pairs = found.masked, found.pairs
    while at < len(masked):
        character = masked[at]
        if character in "([":
            if at not in pairs:
                return None
            at = pairs[at] + 1
        elif character == "{":
            if re.search(r"\b(?:interface|struct)[ \t]*$", masked[max(0, at - 12) : at]):
                if at not in pairs:
                    return None
                at = pairs[at] + 1
            else:
                return at
        elif character == "\n":
            return None
        else:
            at += 1
    return None


def split_arguments(file: GoOutline, opening: int, closing: int) -> list[str]:
    """The arguments of a call as written, split at its own commas."""
    found, start, at = [], opening + 1, opening + 1
    while at < closing:
        character = file.masked[at]
        if character in "({[" and at in file.pairs:
            at = file.pairs[at]
        elif character == ",":
            found.append(file.text[start:at].strip())
            start = at + 1
        at += 1
    last = file.text[start:closing].strip()
    return [*found, last] if last else found
