"""Dockerfiles as instructions with lines: continuations, comments inside them, heredocs, `# escape=`, flags.

The grammar is that of https://docs.docker.com/reference/dockerfile/. Nothing is run; a line that cannot be an
instruction is a problem.
"""

from __future__ import annotations

import json
import re
import shlex

from msgspec import Struct, field

from zuno_audit.model.entity import Problem
from zuno_audit.model.location import Location, Span

MAX_BYTES = 256 * 1024

INSTRUCTIONS = frozenset(
    {
        "FROM",
        "RUN",
        "CMD",
        "LABEL",
        "MAINTAINER",
        "EXPOSE",
        "ENV",
        "ADD",
        "COPY",
        "ENTRYPOINT",
        "VOLUME",
        "USER",
    }
    | {"WORKDIR", "ARG", "ONBUILD", "STOPSIGNAL", "HEALTHCHECK", "SHELL"}
)
_DIRECTIVE = re.compile(r"#\s*(escape|syntax|check)\s*=\s*(\S+)\s*$", re.IGNORECASE)
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z_][A-Za-z0-9_]*)\1")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S+))?\s*")
_WITH_HEREDOC = ("RUN", "COPY", "ADD")


class Instruction(Struct, frozen=True):
    """One instruction. `arguments` is the joined text behind name and flags, `heredocs` are the bodies."""

    name: str
    arguments: str
    location: Location
    flags: tuple[tuple[str, str], ...] = ()
    heredocs: tuple[str, ...] = ()

    def flag(self, name: str) -> str | None:
        """The value of `--name=value`, "" for a bare flag, None when it is not there."""
        return next((value for key, value in self.flags if key == name), None)

    @property
    def words(self) -> tuple[str, ...]:
        """The arguments as words: those of the JSON form, else split like a shell does, quotes removed."""
        if (listed := self.exec_form) is not None:
            return listed
        try:
            return tuple(shlex.split(self.arguments))
        except ValueError:  # quotes that do not close
            return tuple(self.arguments.split())

    @property
    def script(self) -> str:
        """What the shell of a RUN gets: the here-document when the line has nothing else, otherwise the line."""
        alone = _HEREDOC.fullmatch(self.arguments) is not None
        return "\n".join(self.heredocs if alone else (self.arguments, *self.heredocs))

    @property
    def exec_form(self) -> tuple[str, ...] | None:
        """The words of the JSON form (`["a", "b"]`), or None for the shell form."""
        if not self.arguments.startswith("["):
            return None
        try:
            listed = json.loads(self.arguments)
        except (ValueError, RecursionError):
            return None
        if isinstance(listed, list) and all(isinstance(word, str) for word in listed):
            return tuple(listed)
        return None

    def pairs(self) -> tuple[tuple[str, str | None], ...]:
        """The `NAME=value` pairs of ENV, ARG and LABEL; the value of a bare ARG is None."""
        words = self.words
        if self.name == "ENV" and words and "=" not in words[0]:  # the old form: ENV NAME the rest
            name, _, value = self.arguments.partition(" ")
            return ((name, value.strip()),)
        split = (word.partition("=") for word in words)
        return tuple((name, value if equals else None) for name, equals, value in split)


class DockerfileSource(Struct, frozen=True):
    """The instructions of one file in order."""

    path: str
    instructions: tuple[Instruction, ...]
    problems: tuple[Problem, ...] = ()


def parse_dockerfile(path: str, text: str) -> DockerfileSource:
    """All instructions of a Dockerfile. What is none leaves a problem; nothing is raised."""
    if len(text) > MAX_BYTES:
        return DockerfileSource(
            path, (), (Problem(path, 1, f"Dockerfile larger than {MAX_BYTES} is not read"),)
        )
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    reader = _Reader(path, lines, _escape_character(lines))
    reader.read()
    return DockerfileSource(path, tuple(reader.instructions), tuple(reader.problems))


def _escape_character(lines: list[str]) -> str:
    """The continuation character: a backslash unless a directive at the top says backtick."""
    for line in lines:
        match = _DIRECTIVE.match(line.strip())
        if match is None:
            break
        if match[1].lower() == "escape":
            return match[2]
    return "\\"


class _Reader(Struct):
    path: str
    lines: list[str]
    escape: str
    instructions: list[Instruction] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _next: int = 0

    def read(self) -> None:
        while self._next < len(self.lines):
            first = self._next
            logical = self._logical_line()
            if logical:
                self._instruction(first, logical)

    def _logical_line(self) -> str:
        """The next line with its continuations; comments and empty lines between them do not count."""
        parts: list[str] = []
        while self._next < len(self.lines):
            line = self.lines[self._next]
            self._next += 1
            stripped = line.strip()
            if not stripped or stripped.startswith("#"):
                if parts:
                    continue
                return ""
            if not stripped.endswith(self.escape):
                parts.append(stripped if not parts else line.rstrip())
                break
            parts.append(line.rstrip()[:-1])
        return " ".join(part.strip() for part in parts)

    def _instruction(self, first: int, logical: str) -> None:
        word, _, rest = logical.partition(" ")
        name = word.upper()
        if name not in INSTRUCTIONS:
            # the word is not repeated: it may be a piece of a secret that lost its line
            self.problems.append(
                Problem(self.path, first + 1, "the line begins with no Dockerfile instruction")
            )
            return
        flags, arguments = _flags(rest.strip())
        heredocs = self._heredocs(arguments) if name in _WITH_HEREDOC else ()
        span = Span(first + 1, 1, self._next, len(self.lines[self._next - 1]) + 1)
        self.instructions.append(Instruction(name, arguments, Location(self.path, span), flags, heredocs))

    def _heredocs(self, arguments: str) -> tuple[str, ...]:
        bodies = []
        for match in _HEREDOC.finditer(arguments):
            body = []
            while self._next < len(self.lines):
                line = self.lines[self._next]
                self._next += 1
                if line.strip() == match[2]:
                    break
                body.append(line)
            bodies.append("\n".join(body))
        return tuple(bodies)


def _flags(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    flags = []
    while (match := _FLAG.match(text)) is not None:
        flags.append((match[1], match[2] or ""))
        text = text[match.end() :]
    return tuple(flags), text
