"""The source line behind a finding, fit to be shown: redacted, visible, cut to a width."""

from __future__ import annotations

from msgspec import Struct

from zuno_audit.model.location import Location, Span
from zuno_audit.model.result import AuditResult
from zuno_audit.model.rule import RuleInfo
from zuno_audit.report.safe import redact, visible

MAX_LINE = 4000  # a longer line is generated text; beyond this column nothing is shown
SECRET_CWE = frozenset({200, 209, 259, 312, 321, 522, 526, 532, 538, 540, 547, 798, 1391})
SECRET_TAGS = frozenset({"secret", "secrets", "credentials"})


class Excerpt(Struct, frozen=True):
    """One line of source and the 0-based range of columns that the finding is about."""

    line: int
    text: str
    start: int
    end: int


class Sources:
    """The lines of the audited files, split once per file."""

    def __init__(self, result: AuditResult) -> None:
        self._read = result.read_text
        self._lines: dict[str, list[str] | None] = {}

    def lines(self, path: str) -> list[str] | None:
        """The lines of a file without their ends, or None when there is no such text."""
        if path not in self._lines:
            text = self._read(path)
            self._lines[path] = None if text is None else text.split("\n")
        return self._lines[path]

    def excerpt(self, location: Location, rule: RuleInfo | None, width: int = 160) -> Excerpt | None:
        """The first line of `location`, at most `width` characters around the place; None if unreadable."""
        lines = self.lines(location.path)
        span = location.span
        if lines is None or not 1 <= span.start_line <= len(lines):
            return None
        line = lines[span.start_line - 1].rstrip("\r")
        if span.start_column > MAX_LINE or not line.strip():
            return None
        start, end = _columns(span, line)
        return _cut(_safe_line(line[:MAX_LINE], location, rule, start, end), width)


def _columns(span: Span, line: str) -> tuple[int, int]:
    """The 0-based columns of a span on its first line; an empty span means the whole line."""
    if span.end_line == span.start_line and span.end_column <= span.start_column:
        return len(line) - len(line.lstrip()), len(line)
    return span.start_column - 1, span.end_column - 1 if span.end_line == span.start_line else len(line)


def is_secret_rule(rule: RuleInfo | None) -> bool:
    """True when a rule points at places that hold secrets."""
    if rule is None:
        return True
    return bool(SECRET_CWE.intersection(rule.cwe) or SECRET_TAGS.intersection(rule.tags))


def _safe_line(line: str, location: Location, rule: RuleInfo | None, start: int, end: int) -> Excerpt:
    is_code = location.path.endswith(".go")
    clean = redact(line, secret_rule=is_secret_rule(rule), is_code=is_code)
    start, end = clean.column(start), clean.column(min(end, len(line)))
    text = clean.text.rstrip()
    indent = len(text) - len(text.lstrip())
    start, end = max(start - indent, 0), max(end - indent, 0)
    text = visible(text[indent:])
    start = min(start, len(text))
    return Excerpt(location.span.start_line, text, start, max(min(end, len(text)), min(start + 1, len(text))))


def _cut(excerpt: Excerpt, width: int) -> Excerpt:
    text, start, end = excerpt.text, excerpt.start, excerpt.end
    if len(text) <= width:
        return excerpt
    left = 0 if end <= width - 1 else max(0, min(start - width // 4, len(text) - width))
    piece = text[left : left + width]
    if left:
        piece = "…" + piece[1:]
    if left + width < len(text):
        piece = piece[:-1] + "…"
    return Excerpt(excerpt.line, piece, max(start - left, 0), min(max(end - left, 1), width))
