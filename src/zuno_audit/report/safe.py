"""Text from an audited repository, made safe to show.

The repository is hostile: its file names and source lines may hold escape sequences that repaint a terminal,
marks that reorder what a reader sees, and secrets.
"""

from __future__ import annotations

import re

from msgspec import Struct

from zuno_audit.model import redaction

_REPLACEMENT = 0xFFFD


def _visible_table() -> dict[int, int]:
    table = {c: 0x2400 + c for c in range(0x20)}  # the "control pictures" block mirrors C0
    table[0x7F] = 0x2421
    hidden = [*range(0x80, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029]
    hidden += [0x061C, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0xD800, 0xE000)]
    table.update(dict.fromkeys(hidden, _REPLACEMENT))
    return table


_VISIBLE = _visible_table()
_SPACES = str.maketrans({"\n": " ", "\r": " ", "\t": " "})


def visible(text: str) -> str:
    """`text` with every control, invisible and direction character replaced by one visible character.

    Line breaks and tabs become spaces: the result is always one line, as long as `text`.
    """
    if text.isascii() and text.isprintable():
        return text
    return text.translate(_SPACES).translate(_VISIBLE)


Edit = tuple[int, int, int]  # start, end, length of the replacement


class Redacted(Struct, frozen=True):
    """A line without its secrets, and the edits that made it, one stage after the other."""

    text: str
    stages: tuple[tuple[Edit, ...], ...] = ()

    def column(self, original: int) -> int:
        """Where a 0-based column of the original line is now; columns inside a mask move to its end."""
        for edits in self.stages:
            original = _moved(original, edits)
        return original


_LONG_BLOB = re.compile(r"\b(?:0x)?[0-9a-fA-F]{64}\b|[A-Za-z0-9+/_-]{60,}={0,2}")
_SECRET_WORD = re.compile(
    r"secret|passw|pwd|token|api_?key|private_?key|credential|signing|mnemonic|dsn", re.I
)
_LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"?|\'((?:[^\'\\]|\\.)*)\'?|`([^`]*)`?')
_ASSIGNED = re.compile(r"[=:]\s*([^\s\"'`#(){}\[\],;=:][^\s\"'`#,;]*)")
_NAME_ONLY = re.compile(r"[A-Z][A-Z0-9_]*|[\w.-]*[./_-]?(?:env|go|md|ya?ml|json|sh)|\$\{?\w+\}?", re.ASCII)


def redact(line: str, *, secret_rule: bool = False, is_code: bool = True) -> Redacted:
    """A source line with whatever may be a secret masked.

    Stricter than the redaction of sentences, because a whole line is shown: on a line that speaks of a secret
    (or for a rule about secrets) literals are masked, all of them for such a rule, else those that are no
    sentence. `is_code` False adds what follows an unquoted `=` or `:`, as in environment files and YAML.
    """
    spans = [m.span() for m in _LONG_BLOB.finditer(line)]
    if secret_rule or _SECRET_WORD.search(line):
        spans += _literal_spans(line, secret_rule)
        if not is_code:
            spans += [m.span(1) for m in _ASSIGNED.finditer(line) if not _is_name(m.group(1))]
    masked, edits = _mask(line, spans)
    text = redaction.redact(masked) if is_code else redaction.redact_source(masked)
    return Redacted(text, (edits, _difference(masked, text)))


def _literal_spans(line: str, secret_rule: bool) -> list[tuple[int, int]]:
    spans = []
    for match in _LITERAL.finditer(line):
        group = match.lastindex
        if group is None or _is_name(match.group(group)):
            continue
        is_sentence = " " in match.group(group).strip()
        if secret_rule or not is_sentence:
            spans.append(match.span(group))
    return spans


def _is_name(text: str) -> bool:
    return len(text) < 3 or _NAME_ONLY.fullmatch(text) is not None


def _mask(line: str, spans: list[tuple[int, int]]) -> tuple[str, tuple[Edit, ...]]:
    parts: list[str] = []
    edits: list[Edit] = []
    at = 0
    for start, end in sorted(spans):
        if end <= at:
            continue
        start = max(start, at)
        masked = redaction.mask(line[start:end])
        parts += [line[at:start], masked]
        edits.append((start, end, len(masked)))
        at = end
    return "".join(parts) + line[at:], tuple(edits)


def _difference(before: str, after: str) -> tuple[Edit, ...]:
    """What changed between two texts, as at most one edit."""
    if before == after:
        return ()
    shorter = min(len(before), len(after))
    head = next((i for i in range(shorter) if before[i] != after[i]), shorter)
    tail = next((i for i in range(shorter - head) if before[-1 - i] != after[-1 - i]), shorter - head)
    return ((head, len(before) - tail, len(after) - tail - head),)


def _moved(column: int, edits: tuple[Edit, ...]) -> int:
    shift = 0
    for start, end, length in edits:
        if column >= end:
            shift += length - (end - start)
        elif column > start:
            return start + shift + length
        else:
            break
    return column + shift
