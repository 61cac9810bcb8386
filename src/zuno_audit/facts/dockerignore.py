"""`.dockerignore`: which files of a build context the builder gets to see.

Reference: https://docs.docker.com/build/concepts/context/#dockerignore-files. Patterns are those of Go's
filepath.Match with `**`; the last pattern that matches a file or a folder above it decides.
"""

from __future__ import annotations

import re
from functools import lru_cache
from posixpath import join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository


class IgnorePattern(Struct, frozen=True):
    """One line: the expression that a path has to match, and whether it takes the path back in."""

    line: int
    text: str
    expression: re.Pattern[str]
    negated: bool


class DockerIgnore(Struct, frozen=True):
    """The patterns of one file in order; none when there is no file."""

    path: str = ""
    patterns: tuple[IgnorePattern, ...] = ()
    any_of: re.Pattern[str] = re.compile(r"(?!)")  # matches what some pattern excludes

    def excluded_by(self, path: str) -> IgnorePattern | None:
        """The pattern that keeps a path (relative to the context) out of the build, or None."""
        if not self.any_of.fullmatch(path):
            return None
        decided = None
        for pattern in self.patterns:
            if _matches(pattern.expression, path):
                decided = None if pattern.negated else pattern
        return decided


def _matches(expression: re.Pattern[str], path: str) -> bool:
    """True when the path itself or a folder above it matches."""
    parts = path.split("/")
    return any(expression.fullmatch("/".join(parts[:n])) for n in range(len(parts), 0, -1))


def docker_ignore(repository: Repository, context: str, dockerfile: str) -> DockerIgnore:
    """The patterns for a build: `<Dockerfile>.dockerignore` goes before `.dockerignore` of the context."""
    for path in (dockerfile + ".dockerignore", normpath(join(context, ".dockerignore"))):
        if path in repository:
            patterns = read_patterns(repository.text(path) or "")
            parts = [p.expression.pattern for p in patterns if not p.negated] or [r"(?!)"]
            return DockerIgnore(path, patterns, re.compile(f"(?:{'|'.join(parts)})(?:/.*)?", re.DOTALL))
    return DockerIgnore()


def read_patterns(text: str) -> tuple[IgnorePattern, ...]:
    """The patterns of a .dockerignore file."""
    patterns = []
    for number, raw in enumerate(text.lstrip("\ufeff").splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        negated = line.startswith("!")
        body = normpath(line[1:].strip() if negated else line).lstrip("/")
        if body not in ("", "."):
            patterns.append(IgnorePattern(number, line, _expression(body), negated))
    return tuple(patterns)


@lru_cache(maxsize=1024)
def _expression(pattern: str) -> re.Pattern[str]:
    out = []
    i = 0
    while i < len(pattern):
        c = pattern[i]
        if pattern.startswith("**/", i):
            out.append("(?:[^/]+/)*")
            i += 3
        elif pattern.startswith("**", i):
            out.append(".*")
            i += 2
        elif c == "*":
            out.append("[^/]*")
            i += 1
        elif c == "?":
            out.append("[^/]")
            i += 1
        elif c == "[" and (end := pattern.find("]", i + 2)) > 0:
            body = pattern[i + 1 : end].replace("\\", "\\\\").replace("[", "\\[")
            out.append(f"[{body}]")
            i = end + 1
        elif c == "\\" and i + 1 < len(pattern):
            out.append(re.escape(pattern[i + 1]))
            i += 2
        else:
            out.append(re.escape(c))
            i += 1
    try:
        return re.compile("".join(out), re.DOTALL)
    except re.error:  # a bad character class: docker refuses the file, here it matches nothing
        return re.compile(r"(?!)")
