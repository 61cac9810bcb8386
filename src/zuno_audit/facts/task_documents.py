"""Lists of tasks and statements of readiness: what a document says has been done."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.documents import Document, markdown_documents
from zuno_audit.languages.markdown import Line, Section, plain
from zuno_audit.model.entity import NO, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

_NUMBERED = re.compile(
    r"^\W*(?:(?:task|issue|fix|item|bug|ticket|problem|vấn đề|nhiệm vụ|công việc)\s*#?\s*\d+|#?\d+[.):]\s)",
    re.IGNORECASE,
)
_DONE = re.compile(
    r"✅|✔|☑|🟢|\[x\]|~~|\b(?:done|completed?|resolved|fixed|closed|hoàn thành|đã xong)\b", re.IGNORECASE
)
_OPEN = re.compile(
    r"❌|⏳|🔄|🚧|🟡|⬜|☐|\[ \]|\b(?:to-?do|open|in progress|pending|incomplete|not (?:yet )?(?:done|complete"
    r"|completed|resolved|fixed|started)"
    r"|unresolved|blocked|partial(?:ly)?|wip|won'?t fix|deferred)\b",
    re.IGNORECASE,
)
_STATUS = re.compile(r"^\W*(?:status|state|trạng thái)\W*[:|]\W*(.+)$", re.IGNORECASE)
_LIST_NAME = re.compile(
    r"tasks?\b|to-?do|fix(?:es)?\b|issues?\b|bugs?\b|check-?list|backlog|milestones?", re.IGNORECASE
)
_READY = re.compile(r"\bproduction[\s-]?read(?:y|iness)\b|\bready for production\b", re.IGNORECASE)
_NEGATED = re.compile(
    r"\b(?:not|isn'?t|never|no longer|un)\b[^.]{0,40}\bread(?:y|iness)\b|\bunready\b|\((?:beta|alpha|draft"
    r"|staging|pre-?release)|\b(?:beta|alpha|pre-release|experimental|in development|under development)\b"
    r"|\bread(?:y|iness)\b[^.]{0,40}\b(?:pending|blocked"
    r"|in progress|incomplete|not (?:yet )?(?:reached|met|verified|done|achieved)|after|once|tbd)\b"
    r"|\bread(?:y|iness)\b[^.]{0,40}\b(?:not\b|no longer|goal|target|aim|planned|wanted|expected|estimated"
    r"|by (?:q[1-4]|the end|end|20\d\d))(?![^.]{0,40}\b(?:met|reached|achieved|exceeded)\b)"
    r"|\bnot (?:yet )?(?:at )?100\s*%"
    r"|\b(?:almost|nearly|partially|goal|target"
    r"|to be|towards?|until|before|path to|road to)\b[^.]{0,40}\bproduction[\s-]?read",
    re.IGNORECASE,
)
_METRIC = re.compile(
    r"[<>≥≤~]\s*\d|\b(?:coverage|rate|uptime|availability|latency|cpu|memory|requests)\b", re.IGNORECASE
)
_SCORE = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d+)?)\s*(?:/\s*100\b|%|percent\b)")
_READY_HEADING = re.compile(
    r"\breadiness\b|\bproduction[\s-]?(?:ready|status)\b|\bproject status\b", re.IGNORECASE
)


class _Unit(Struct, frozen=True):
    """One task: where it stands and whether it is done (None: nothing says so)."""

    line: int
    is_done: bool | None


def task_document(store: FactStore) -> Table:
    """Table `task_document`: one row per document whose name or title says that it lists tasks.

    Fields: `name` (file name in lower case without extension, hyphens for blanks and underscores), `tasks`,
    `done`, `open` (how many). Numbered headings are the tasks where there are any, else the check boxes,
    else the rows of tables of which at least half say whether they are done. A task with an open check box below
    it is open, whatever its heading says; one that nothing marks as done is open too. `unmarked`: how many have
    no mark at all.
    """
    documents = store.get(markdown_documents)
    rows = []
    for document in documents:
        if _LIST_NAME.search(document.stem) or _LIST_NAME.search(document.title):
            units = list(_units(document))
            if units:
                rows.append(_task_row(document, units))
    return Table("task_document", tuple(rows), tuple(d.path for d in documents))


def _task_row(document: Document, units: list[_Unit]) -> Entity:
    undone = [unit for unit in units if not unit.is_done]
    proof = tuple(at_line(document.path, unit.line, "not done") for unit in undone[:5])
    return Entity(
        "task_document",
        at_line(document.path),
        {
            "name": Answer(document.stem),
            "tasks": Answer(len(units)),
            "done": Answer(len(units) - len(undone)),
            "open": Answer(len(undone), proof=proof),
            "unmarked": Answer(sum(unit.is_done is None for unit in units)),
        },
    )


def _units(document: Document) -> Iterator[_Unit]:
    markdown = document.markdown
    numbered = [s for s in markdown.sections() if _NUMBERED.match(s.heading.text)]
    if numbered:
        yield from (_section_unit(section) for section in numbered)
        return
    if markdown.tasks:
        yield from (_Unit(task.line, task.is_done) for task in markdown.tasks)
        return
    for rows in _tables(markdown.lines):
        units = [_Unit(row.number, _mark(row.text)) for row in rows]
        if 2 * sum(unit.is_done is not None for unit in units) >= len(
            units
        ):  # a table that says what is done
            yield from units


def _tables(lines: list[Line]) -> Iterator[list[Line]]:
    """The rows of each table, without its header."""
    rows: list[Line] = []
    for line in [*lines, Line(0, "blank", "")]:
        if line.role == "table":
            rows.append(line)
        elif "|" not in line.text or line.role != "blank":  # not the rule below a header
            if rows[1:]:
                yield rows[1:]
            rows = []


def _mark(text: str) -> bool | None:
    if _OPEN.search(text):
        return False
    return True if _DONE.search(text) else None


def _section_unit(section: Section) -> _Unit:
    line = section.heading.line
    if any(below.role == "task" and re.search(r"\[ \]", below.text) for below in section.lines):
        return _Unit(line, False)
    marks = [_mark(section.heading.text), *(_status(below) for below in section.lines)]
    known = [mark for mark in marks if mark is not None]
    if known:
        return _Unit(line, all(known))
    return _Unit(line, True if any(below.role == "task" for below in section.lines) else None)


def _status(line: Line) -> bool | None:
    match = _STATUS.match(re.sub(r"^[\s>*+-]+", "", plain(line.text)))
    return _mark(match.group(1)) if match else None


def readiness_statement(store: FactStore) -> Table:
    """Table `readiness_statement`: one row per document, plans left out, that speaks of production readiness.

    Fields: `name` (like `task_document`), `states_ready` yes/no: a status (not a sentence of praise) says
    "production ready", or a section about readiness gives 100%, and nothing there says otherwise;
    `lowest_score` (of the section, None without scores), `full_score` yes/no: a score of 100 is written down.
    """
    documents = store.get(markdown_documents)
    rows = [
        _readiness_row(document)
        for document in documents
        if ("roduction" in document.text or "eadiness" in document.text)
        and not document.is_planning
        and (_READY.search(document.text) or _READY_HEADING.search(document.heading_text))
    ]
    return Table("readiness_statement", tuple(rows), tuple(d.path for d in documents))


def _readiness_row(document: Document) -> Entity:
    lines = _statement_lines(document)
    scores = [(score, line) for line in lines for score in _scores(line.text)]
    against = [line for line in lines if _NEGATED.search(line.text)]
    below = [line for score, line in scores if score < 100]
    positive = [line for line in lines if _READY.search(line.text) and line not in against]
    full = [line for score, line in scores if score == 100]
    states, line = _verdict(against, below, positive, full)
    because = plain(line.text)[:160] if line is not None else "no status in it says so"
    proof = (at_line(document.path, line.number),) if line is not None else ()
    return Entity(
        "readiness_statement",
        proof[0] if proof else at_line(document.path),
        {
            "name": Answer(document.stem),
            "states_ready": Answer(states, because, proof),
            "lowest_score": Answer(min((score for score, _ in scores), default=None)),
            "full_score": Answer(YES if full and not below else NO, proof=_places(document, full[:4])),
        },
    )


def _scores(text: str) -> Iterator[float]:
    """Scores out of 100: `95/100`, and percentages that measure nothing else."""
    for match in _SCORE.finditer(text):
        if "/" in match.group() or not _METRIC.search(text, 0, match.start(1) + 1):
            yield float(match.group(1))


def _verdict(
    against: list[Line], below: list[Line], positive: list[Line], full: list[Line]
) -> tuple[str, Line | None]:
    for lines, value in ((against, NO), (below, NO), (positive, YES), (full, YES)):
        if lines:
            return value, lines[0]
    return NO, None


def _places(document: Document, lines: list[Line]) -> tuple[Location, ...]:
    return tuple(at_line(document.path, line.number) for line in lines)


def _statement_lines(document: Document) -> list[Line]:
    """The lines of sections about readiness; without such a section, lines that are a status (`Status:"
    " ...`)."""
    chosen: dict[int, Line] = {}
    by_number = {line.number: line for line in document.markdown.lines}
    for section in document.markdown.sections():
        if _READY_HEADING.search(section.heading.text) and not document.is_planning:
            heading = by_number[section.heading.line]
            if _SCORE.search(heading.text) or _NEGATED.search(heading.text):
                chosen[heading.number] = heading
            chosen.update((line.number, line) for line in section.lines if _is_statement(line))
    if not chosen:
        chosen.update((line.number, line) for line in document.markdown.lines if _is_status(line))
    return [chosen[number] for number in sorted(chosen)]


def _is_statement(line: Line) -> bool:
    return line.role in ("text", "item", "task", "table", "heading") and "[ ]" not in line.text


def _is_status(line: Line) -> bool:
    """A short line with a label: `Status: production ready`, `| Version | 1.0 (production ready) |`."""
    if not _is_statement(line) or not _READY.search(line.text):
        return False
    text = re.sub(r"^[\s>*+|-]+", "", plain(line.text))
    return re.match(r"[\w /-]{2,40}\s*[:|]", text) is not None and len(text) < 160
