"""What identifies a finding over time: `zunoAuditContext/v1`.

sha256 over rule id, path, enclosing symbol, matched code (white space collapsed, secrets hidden) and the
ordinal among equals, joined by NUL; the first 32 hex digits. Never a line number, never an absolute path.

Layout is no part of it: white space counts only between two words, and a Go statement that is broken over
lines is the same as on one. A finding about a whole file, or about one that is missing, has no code; the
words of its message stand for it, so that two of them do not take each other's place.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable

from msgspec.structs import replace

from zuno_audit.model.finding import Finding
from zuno_audit.model.location import Location, Span
from zuno_audit.model.redaction import redact, redact_source

MAX_MATCHED = 2000  # characters of matched code that identify a finding
MAX_LINES = 200  # lines of it
MAX_STATEMENT = 40  # lines of a Go statement that is broken over lines
WHOLE_FILE = Span()
_DECLARATION = re.compile(
    r"[ \t]*func[ \t]+(?:\([^)\n]*?(\w+)(?:\[[^\]\n]*\])?[ \t]*\)[ \t]*)?(\w+)"
    r"|(type|var|const)[ \t]+(\w+|\()"
)
_GROUPED = re.compile(r"(?:\t| {2,8}(?! ))(\w+)")
_LOOSE = re.compile(r"(?<!\w) | (?!\w)")
_TRAILING_COMMA = re.compile(r",(?=[)\]}])")
_LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`\n]*`|\'(?:[^\'\\\n]|\\.)*\'|//[^\n]*')


def fingerprint(findings: Iterable[Finding], read_text: Callable[[str], str | None]) -> tuple[Finding, ...]:
    """The findings, sorted, with `symbol`, `matched` and `fingerprint` filled in."""
    lines: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str, str, str]] = Counter()
    done = []
    for finding in sorted(findings, key=lambda f: f.sort_key):
        path = finding.location.path
        if path not in lines:
            lines[path] = (read_text(path) or "").split("\n")
        symbol, matched = _context(finding, lines[path])
        key = (finding.rule, path, symbol, matched)
        digest = _digest(*key, str(seen[key]))
        seen[key] += 1
        done.append(replace(finding, symbol=symbol, matched=matched, fingerprint=digest))
    return tuple(done)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _context(finding: Finding, lines: list[str]) -> tuple[str, str]:
    place = finding.location
    is_go = place.path.endswith(".go")
    matched = finding.matched or matched_text(lines, place) or _words(finding.message)
    if finding.symbol or not is_go or place.span == WHOLE_FILE:
        return finding.symbol, matched
    return _enclosing(lines, place.line), matched


def _words(message: str) -> str:
    """What a message says, without its numbers: counts and lines change when something else does."""
    return re.sub(r"\d+", "#", " ".join(redact(message).split()))[:MAX_MATCHED]


def matched_text(lines: list[str], place: Location) -> str:
    """The text of a place, or of its whole line when it is empty: secrets hidden, without layout, bounded.

    Empty for a whole file. Secrets are hidden before anything is cut, so that no cut leaves half of one.
    """
    if place.span == WHOLE_FILE:
        return ""
    is_go = place.path.endswith(".go")
    text = _statement(lines, place.line) if is_go and _is_point(place.span) else _cut(lines, place.span)
    text = _LOOSE.sub("", " ".join((redact if is_go else redact_source)(text).split()))
    return (_TRAILING_COMMA.sub("", text) if is_go else text)[:MAX_MATCHED]


def _is_point(span: Span) -> bool:
    return (span.start_line, span.start_column) == (span.end_line, span.end_column)


def _statement(lines: list[str], line: int) -> str:
    """A Go line and, while brackets are open on it, those that close them; a block is not entered."""
    taken: list[str] = []
    depth = 0
    for text in lines[line - 1 : line - 1 + MAX_STATEMENT]:
        taken.append(text)
        code = _LITERAL.sub("", text)
        depth += code.count("(") + code.count("[") - code.count(")") - code.count("]")
        if depth <= 0:
            break
    return "\n".join(taken)[: 4 * MAX_MATCHED]


def _cut(lines: list[str], span: Span) -> str:
    if span.start_line > len(lines):
        return ""
    first = lines[span.start_line - 1]
    if span.start_line >= span.end_line:
        return (first[span.start_column - 1 : span.end_column - 1] or first)[: 4 * MAX_MATCHED]
    last = min(span.end_line, len(lines))
    middle = lines[span.start_line : min(last - 1, span.start_line + MAX_LINES)]
    text = "\n".join([first[span.start_column - 1 :], *middle, lines[last - 1][: span.end_column - 1]])
    return text[: 4 * MAX_MATCHED]


def _enclosing(lines: list[str], line: int) -> str:
    """The top-level Go declaration around a line, found by its layout; empty when there is none."""
    member = ""
    for index in range(min(line, len(lines)) - 1, -1, -1):
        text = lines[index]
        found = _DECLARATION.match(text)
        if found is not None:
            receiver, function, keyword, name = found.groups()
            if function:
                return f"{receiver}.{function}" if receiver else function
            return member or keyword if name == "(" else name
        if text[:1] in ("}", ")") and index != line - 1 and not text.rstrip().endswith("{"):
            return ""
        if not member and (grouped := _GROUPED.match(text)):
            member = grouped.group(1)
    return ""
