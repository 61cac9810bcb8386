"""What `.gitignore` files say, decided as git decides it, without running git.

A port of the decisions of git's dir.c and wildmatch.c (2.39), compared with `git check-ignore` in the tests:
the last pattern that matches in the nearest file wins, then files further up, then `.git/info/exclude`;
nothing below an ignored folder can be taken back. A pattern with few stars becomes a regular expression; one
with many is matched by following all its states at once, so that no pattern can make the match explode.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from zuno_audit.source.reader import Reader, Unreadable

MAX_REGEX_STARS = 2  # with two stars, matching is at worst quadratic in the path length
_SPECIAL = frozenset(b"*?[\\")


class IgnoreMatch(Struct, frozen=True):
    """The pattern that decides about a path: in which file (relative to the root), at which line, its text.

    `negated` means that the pattern takes the path back: it is not ignored.
    """

    source: str
    line: int
    pattern: str
    negated: bool


class Pattern(Struct, frozen=True):
    """One line of an ignore file. `body` is what is matched: without `!`, leading and trailing slash."""

    line: int
    text: bytes
    body: bytes
    literal: int  # how many leading bytes of the body are plain
    negated: bool
    only_folders: bool
    only_name: bool  # no slash: matched against the last part of the path
    is_suffix: bool  # a star and plain text


def parse_ignore_file(data: bytes) -> tuple[Pattern, ...]:
    """The patterns of a `.gitignore`, in file order."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    lines = data.split(b"\n")
    patterns = (_parse_line(number, line) for number, line in enumerate(lines, start=1))
    return tuple(p for p in patterns if p is not None)


def _parse_line(number: int, line: bytes) -> Pattern | None:
    line = line.removesuffix(b"\r").split(b"\0", 1)[0]
    if not line or line.startswith(b"#"):
        return None
    text = _without_trailing_spaces(line)
    negated = text.startswith(b"!")
    body = text[1:] if negated else text
    whole = body
    only_folders = body.endswith(b"/")
    if only_folders:
        body = body[:-1]
    only_name = b"/" not in body
    is_suffix = whole.startswith(b"*") and not _SPECIAL.intersection(whole[1:])
    if not only_name and body.startswith(b"/"):
        body = body[1:]
    return Pattern(number, text, body, _plain_length(body), negated, only_folders, only_name, is_suffix)


def _without_trailing_spaces(line: bytes) -> bytes:
    end = i = 0
    while i < len(line):
        step = 2 if line[i] == 0x5C else 1
        if line[i] != 0x20:
            end = min(i + step, len(line))
        i += step
    return line[:end]


def _plain_length(body: bytes) -> int:
    return next((i for i, byte in enumerate(body) if byte in _SPECIAL), len(body))


def matches(pattern: Pattern, path: bytes, is_folder: bool) -> bool:
    """True when the pattern matches this path, which is relative to the folder of the ignore file."""
    if pattern.only_folders and not is_folder:
        return False
    if not pattern.only_name:
        return _matches_path(pattern, path)
    name = path.rpartition(b"/")[2]
    if pattern.literal == len(pattern.body):
        return name == pattern.body
    if pattern.is_suffix:
        return name.endswith(pattern.body[1:])
    return _wildmatch(pattern.body, True)(name)


def _matches_path(pattern: Pattern, path: bytes) -> bool:
    literal = pattern.literal
    if not path.startswith(pattern.body[:literal]):
        return False
    if literal == len(pattern.body):
        return literal == len(path)
    return _wildmatch(pattern.body[literal:], False)(path[literal:])


# --- wildmatch ---

_CLASSES = {
    b"alnum": frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    b"alpha": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"),
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset((*range(32), 127)),
    b"digit": frozenset(b"0123456789"),
    b"graph": frozenset(range(33, 127)),
    b"lower": frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    b"print": frozenset(range(32, 127)),
    b"punct": frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    b"space": frozenset(b" \t\n\r\v\f"),
    b"upper": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"xdigit": frozenset(b"0123456789ABCDEFabcdef"),
}
_ANY = frozenset(range(256))
_NOT_SLASH = _ANY - {0x2F}


class _Token(Struct, frozen=True):
    """Bytes of one kind, once or (`repeated`) any number of times; `skip` tokens may be left out here."""

    accepts: frozenset[int]
    repeated: bool = False
    skip: int = 0


class _NeverMatches(Exception):
    """The pattern is malformed in a way that makes git match nothing."""


class _Matcher:
    """A compiled pattern; call it with the text."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        few = sum(token.repeated for token in tokens) <= MAX_REGEX_STARS
        self._regex = re.compile(_regex(tokens), re.DOTALL) if few else None

    def __call__(self, text: bytes) -> bool:
        return self._regex.fullmatch(text) is not None if self._regex else self.follow(text)

    def follow(self, text: bytes) -> bool:
        """The same answer as the regular expression, in time proportional to text times pattern."""
        tokens = self._tokens
        states = self._closure({(0, False)})
        for byte in text:
            reached = set()
            for state, _ in states:
                if state < len(tokens) and byte in tokens[state].accepts:
                    reached.add((state, True) if tokens[state].repeated else (state + 1, False))
            states = self._closure(reached)
            if not states:
                return False
        return any(state == len(tokens) for state, _ in states)

    def _closure(self, states: set[tuple[int, bool]]) -> set[tuple[int, bool]]:
        """Where one may be without another byte: positions, and whether their token has taken a byte already.

        A token that may be skipped together with those behind it is not skipped once it has taken one.
        """
        waiting = list(states)
        while waiting:
            state, has_begun = waiting.pop()
            if state == len(self._tokens):
                continue
            token = self._tokens[state]
            steps = (token.skip if not has_begun else 0, int(token.repeated))
            for target in ((state + step, False) for step in steps if step):
                if target not in states:
                    states.add(target)
                    waiting.append(target)
        return states


def _regex(tokens: list[_Token]) -> bytes:
    """The tokens as a regular expression; `skip` tokens become an optional group."""
    out = []
    closing: dict[int, int] = {}
    for position, token in enumerate(tokens):
        if token.skip:
            out.append(b"(?:")
            closing[position + token.skip - 1] = closing.get(position + token.skip - 1, 0) + 1
        out.append(_byte_class(token.accepts) + (b"*" if token.repeated else b""))
        out.append(b")?" * closing.get(position, 0))
    return b"".join(out)


def _byte_class(accepts: frozenset[int]) -> bytes:
    if accepts == _ANY:
        return b"."
    if accepts == _NOT_SLASH:
        return b"[^/]"
    if not accepts:
        return b"(?!)"
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(accepts)) + b"]"


@lru_cache(maxsize=4096)
def _wildmatch(pattern: bytes, is_name: bool) -> _Matcher:
    try:
        return _Matcher(_tokens(pattern, is_name))
    except _NeverMatches:
        return _Matcher([_Token(frozenset())])


def _tokens(pattern: bytes, is_name: bool) -> list[_Token]:
    tokens: list[_Token] = []
    i = 0
    while i < len(pattern):
        byte = pattern[i]
        if byte == 0x2A:  # *
            i = _stars(pattern, i, is_name, tokens)
        elif byte == 0x3F:  # ?
            tokens.append(_Token(_ANY if is_name else _NOT_SLASH))
            i += 1
        elif byte == 0x5B:  # [
            accepts, i = _bracket(pattern, i + 1)
            tokens.append(_Token(accepts if is_name else accepts - {0x2F}))
        else:
            if byte == 0x5C:  # backslash
                i += 1
                if i == len(pattern):
                    raise _NeverMatches
            tokens.append(_Token(frozenset((pattern[i],))))
            i += 1
    return tokens


def _stars(pattern: bytes, start: int, is_name: bool, tokens: list[_Token]) -> int:
    """Adds what the stars at `start` mean; returns the index after them."""
    end = start
    while end < len(pattern) and pattern[end] == 0x2A:
        end += 1
    if is_name:
        tokens.append(_Token(_ANY, repeated=True))
        return end
    rest = pattern[end : end + 2]
    opens = start == 0 or pattern[start - 1] == 0x2F
    closes = not rest or rest[0] == 0x2F or rest == b"\\/"
    if end - start < 2 or not (opens and closes):
        tokens.append(_Token(_NOT_SLASH, repeated=True))
        return end
    if rest[:1] == b"/":  # "**/" may stand for nothing at all, the slash included
        tokens.append(_Token(_ANY, repeated=True, skip=2))
        tokens.append(_Token(frozenset(b"/")))
        return end + 1
    tokens.append(_Token(_ANY, repeated=True))
    return end


def _bracket(pattern: bytes, i: int) -> tuple[frozenset[int], int]:
    """The bytes a bracket expression accepts, and the index after it. Raises _NeverMatches when malformed."""
    negated = pattern[i : i + 1] in (b"!", b"^")
    i += negated
    accepted: set[int] = set()
    previous = 0
    first = True
    while first or pattern[i : i + 1] != b"]":
        first = False
        if i >= len(pattern):
            raise _NeverMatches
        if pattern[i] == 0x5C:
            i += 1
            previous = _at(pattern, i)
            accepted.add(previous)
        elif pattern[i] == 0x2D and previous and pattern[i + 1 : i + 2] not in (b"", b"]"):
            i += 1
            i += pattern[i] == 0x5C
            accepted.update(range(previous, _at(pattern, i) + 1))
            previous = 0
        elif pattern[i : i + 2] == b"[:":
            i, previous = _named_class(pattern, i, accepted)
        else:
            previous = pattern[i]
            accepted.add(previous)
        i += 1
    return (_ANY - accepted if negated else frozenset(accepted)), i + 1


def _at(pattern: bytes, i: int) -> int:
    if i >= len(pattern):
        raise _NeverMatches
    return pattern[i]


def _named_class(pattern: bytes, i: int, accepted: set[int]) -> tuple[int, int]:
    """Adds `[:name:]` at `i`; returns the index of its last byte and what a `-` would start from."""
    end = pattern.find(b"]", i + 2)
    if end < 0:
        raise _NeverMatches
    if end - i - 3 < 0 or pattern[end - 1] != 0x3A:
        accepted.add(0x5B)
        return i, 0x5B
    name = pattern[i + 2 : end - 1]
    if name not in _CLASSES:
        raise _NeverMatches
    accepted.update(_CLASSES[name])
    return end, 0


# --- the ignore files of one tree ---


class _IgnoreFile(Struct, frozen=True):
    """An ignore file; `folder` is what it speaks about, "" or with a final `/`. Last pattern first."""

    source: str
    folder: bytes
    patterns: tuple[Pattern, ...]


class IgnoreRules:
    """All ignore files that speak about one tree.

    `top` is where the ignore files begin (the work tree, or the root itself), `root` the audited folder.
    Paths are bytes relative to `root`. `exclude` is git's own `info/exclude`, if there is one.
    """

    def __init__(self, root: Path, top: Path, exclude: Path | None = None) -> None:
        self._reader = Reader(top)
        inside = root.relative_to(top).as_posix()
        self._prefix = b"" if inside == "." else os.fsencode(inside) + b"/"
        self._up = "../" * len(root.relative_to(top).parts)
        self._folders: dict[bytes, IgnoreMatch | None] = {b"": None}
        files = [self._load(b"")]
        if exclude is not None:
            patterns = _patterns(Reader(exclude.parent), os.fsencode(exclude.name), follow=True)
            files.append(_IgnoreFile(".git/info/exclude", b"", patterns))
        self._chains = {b"": tuple(file for file in files if file.patterns)}

    def match(self, path: bytes, is_folder: bool = False) -> IgnoreMatch | None:
        """The pattern that decides about this path, or None when none speaks about it."""
        full = self._prefix + path
        above = self._ignored_folder(full.rpartition(b"/")[0])
        return above if above is not None else self._own_match(full, is_folder)

    def _ignored_folder(self, folder: bytes) -> IgnoreMatch | None:
        """The pattern that ignores this folder or one above it."""
        unknown = []
        while folder not in self._folders:
            unknown.append(folder)
            folder = folder.rpartition(b"/")[0]
        found = self._folders[folder]
        for deeper in reversed(unknown):
            if found is None:
                own = self._own_match(deeper, True)
                found = None if own is None or own.negated else own
            self._folders[deeper] = found
        return found

    def _own_match(self, full: bytes, is_folder: bool) -> IgnoreMatch | None:
        for file in self._files_above(full.rpartition(b"/")[0]):
            relative = full[len(file.folder) :]
            for pattern in file.patterns:
                if matches(pattern, relative, is_folder):
                    return _say(pattern, self._shown(file.source))
        return None

    def _files_above(self, folder: bytes) -> tuple[_IgnoreFile, ...]:
        """The ignore files that speak about what lies in this folder, the nearest first."""
        unknown = []
        while folder not in self._chains:
            unknown.append(folder)
            folder = folder.rpartition(b"/")[0]
        chain = self._chains[folder]
        for deeper in reversed(unknown):
            own = self._load(deeper + b"/")
            chain = (own, *chain) if own.patterns else chain
            self._chains[deeper] = chain
        return chain

    def _load(self, folder: bytes) -> _IgnoreFile:
        source = folder + b".gitignore"
        return _IgnoreFile(os.fsdecode(source), folder, _patterns(self._reader, source, follow=False))

    def _shown(self, source: str) -> str:
        """A path relative to the work tree as one relative to the audited root."""
        inside = os.fsdecode(self._prefix)
        return source[len(inside) :] if inside and source.startswith(inside) else self._up + source


def _patterns(reader: Reader, path: bytes, *, follow: bool) -> tuple[Pattern, ...]:
    """The patterns of a file, the last one first; none when it cannot be read (git goes on, too)."""
    try:
        return parse_ignore_file(reader.read(path, follow=follow))[::-1]
    except Unreadable:
        return ()


def _say(pattern: Pattern, source: str) -> IgnoreMatch:
    return IgnoreMatch(source, pattern.line, pattern.text.decode("utf-8", "replace"), pattern.negated)
