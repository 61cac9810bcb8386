"""What identifies a finding over time: `zunoAuditContext/v1`.

sha256 over rule id, path, enclosing symbol, matched code (white space collapsed, secrets hidden) and the
ordinal among equals, joined by NUL; the first 32 hex digits. Never a line number, never an absolute path.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from zuno_audit.model.finding import Finding
from zuno_audit.model.location import Location, Span
from zuno_audit.model.redaction import redact, redact_source

MAX_MATCHED = 2000  # characters of matched code that identify a finding
MAX_LINES = 200  # lines of it
_DECLARATION = re.compile(
    r"func[ \t]+(?:\([^)\n]*?(\w+)(?:\[[^\]\n]*\])?\)[ \t]*)?(\w+)|(type|var|const)[ \t]+(\w+|\()"
)
_GROUPED = re.compile(r"\t(\w+)")


def fingerprint(findings: Iterable[Finding], read_text: Callable[[str], str | None]) -> tuple[Finding, ...]:
    """The findings, sorted, with `symbol`, `matched` and `fingerprint` filled in."""
    lines: dict[str, list[str]] = {}
    seen: Counter[tuple[str, str, str, str]] = Counter()
    done = []
    for finding in sorted(findings, key=lambda f: f.sort_key):
        path = finding.location.path
        if path not in lines:
            lines[path] = (read_text(path) or "").split("\n")
        symbol = finding.symbol or (
            _enclosing(lines[path], finding.location.line) if path.endswith(".go") else ""
        )
        matched = finding.matched or matched_text(lines[path], finding.location)
        key = (finding.rule, path, symbol, matched)
        digest = _digest(*key, str(seen[key]))
        seen[key] += 1
        done.append(replace(finding, symbol=symbol, matched=matched, fingerprint=digest))
    return tuple(done)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def matched_text(lines: list[str], place: Location) -> str:
    """The text of a place, or of its whole line when it is empty: secrets hidden, on one line, bounded.

    Secrets are hidden before anything is cut, so that no cut leaves half of one.
    """
    hide = redact if place.path.endswith(".go") else redact_source
    return " ".join(hide(_cut(lines, place.span)).split())[:MAX_MATCHED]


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
        if text[:1] in ("}", ")") and index != line - 1:
            return ""
        if not member and (grouped := _GROUPED.match(text)):
            member = grouped.group(1)
    return ""
