"""Documents that operations need: runbooks, on-call guides, incident, backup and rollback plans, SLAs.

What counts is a section or a file that is about the topic and really holds something: steps, commands,
figures. Headings over nothing, placeholders, open check boxes of a to-do list and sections of plans do not
count.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from posixpath import splitext

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.documents import Document, is_planning_heading, markdown_documents
from zuno_audit.facts.readme import instructions
from zuno_audit.languages.markdown import Line, Section, plain
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import at_line

MAX_STATEMENTS = 100  # values of recovery objectives that are taken from one document
ENOUGH = 3  # steps, rows, commands or sentences that make a section more than a stub; two that are precise do
_BINARY = (".pdf", ".docx", ".doc", ".odt", ".html", ".htm")
_DURATION = (
    r"\d+(?:[.,]\d+)?[\s-]*(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?"
    r"|weeks?|months?|years?"
    r"|phút|giờ|ngày|tuần|tháng|năm|minutos?|horas?|días?|heures?|jours?|stunden?|tage?)\b"
)

TOPICS: dict[str, re.Pattern[str]] = {
    "runbook": re.compile(r"\brun[\s-]?books?\b|\bplay[\s-]?books?\b|\bs[oổ] tay vận hành"),
    "on-call": re.compile(
        r"\bon[\s-]?call\b|\bpager[\s-]?duty\b|\bbereitschaft|\btrực (?:sự cố|hệ thống|vận hành)"
    ),
    "incident-response": re.compile(
        r"\bincidents?\b.*\b(?:respon|manag|handl|process|plan|procedure|play ?book|escalat|severity"
        r"|run ?book)"
        r"|\b(?:respon\w*|manag\w*|handling|procedures?) (?:to|of|for) (?:\w+ )?incidents?\b"
        r"|^\W*incidents?\W*$"
        r"|\bxử lý sự cố|\bứng phó sự cố"
    ),
    "backup": re.compile(
        r"\bback[\s-]?ups?\b.*\b(?:polic|schedul|strateg|plan|procedure|retention|rotation|recover|restor)"
        r"|\b(?:polic\w*|schedul\w*|strateg\w*|retention|restor\w*|disaster recovery)\b.*\bback[\s-]?ups?\b"
        r"|\bdata retention\b|\bretention (?:polic|period|schedule)|^\W*(?:back[\s-]?ups?|retention)\W*$"
        r"|\bsao lưu"
    ),
    "rollback": re.compile(
        r"\broll(?:ing)?[\s-]?backs?\b|\bback[\s-]?out plan|\brevert(?:ing)? (?:a |the )?(?:deploy"
        r"|release)|\bhoàn tác"
    ),
    "service-levels": re.compile(
        r"\bslas?\b|\bslos?\b|\bservice[\s-]levels?\b|\buptime (?:commitment|guarantee|target)"
    ),
}
_HINTS = (
    "runbook", "run book", "run-book", "playbook", "play book", "play-book", "sổ tay", "so tay",
    "on-call", "on call", "oncall", "pager", "bereitschaft", "trực", "incident", "sự cố", "backup",
    "back-up", "back up", "retention", "sao lưu", "rollback", "roll back", "roll-back", "rolling back",
    "rolling-back", "backout", "back out", "back-out", "revert", "hoàn tác", "sla", "slo",
    "service level", "service-level", "uptime",
)  # fmt: skip
_NOT_A_PLAN = re.compile(
    r"\b(?:valid|test|verif|requir|missing|example|simulat|chain|reorg|event|transaction|migration"
    r"|database migration)",
    re.IGNORECASE,
)
_FIGURE = re.compile(
    rf"\d+(?:[.,]\d+)?\s*%|{_DURATION}|\b(?:hourly|daily|nightly|weekly|monthly|yearly"
    r"|(?:every|each|per) (?:\w+ )?(?:hour|day|night|week|month|quarter|year))\b",
    re.IGNORECASE,
)
_NAMED = re.compile(r"`[^`\n]{4,}`")  # a command or a file
_PLACEHOLDER = re.compile(
    r"\b(?:tbd|tba|to ?do|fixme|coming soon|work in progress|lorem ipsum|to be (?:defined|decided|written"
    r"|added|done)"
    r"|not (?:yet )?(?:written|defined|documented)|n/a|xxx+|placeholder)\b|…\s*$|\.\.\.\s*$",
    re.IGNORECASE,
)
_SLOT = re.compile(r"\[[^\]\n]*\](?!\()|<[^<>\n]+>|_{3,}")
_OBJECTIVE_NAME = re.compile(r"\bR[TP]O\b|objective", re.IGNORECASE)
_OBJECTIVE_COLUMN = re.compile(r"\bR[TP]O\b|recovery (?:time|point) objective", re.IGNORECASE)
_VALUE = re.compile(rf"{_DURATION}|\bzero\b|\b0\b", re.IGNORECASE)
_OBJECTIVE = re.compile(
    r"\b(RTO|RPO|recovery time objectives?|recovery point objectives?)\b(?P<between>[^\n]{0,60}?)"
    rf"(?P<value>{_DURATION}|\bzero\b|\b0\b)",
    re.IGNORECASE,
)


def operations_document(store: FactStore) -> Table:
    """Table `operations_document`: one row per file or section that is about a topic of operations.

    Fields: `topic` (runbook, on-call, incident-response, backup, rollback, service-levels), `heading`,
    `planning` yes/no (part of a plan, a story or a test design), `substantial` yes/no/unknown (steps,
    commands or sentences enough),
    `figures` (how many percentages, durations and frequencies), `usable`: substantial, not planning, and its commands
    name only what is there.
    """
    documents = store.get(markdown_documents)
    rows: list[Entity] = []
    for document in documents:
        subject = f"{_words(document.path)}\n{document.heading_text.lower()}"
        if any(hint in subject for hint in _HINTS):
            rows.extend(_rows(store, document))
    rows.extend(_unreadable(store))
    rows.sort(key=lambda row: row.location)
    return Table("operations_document", tuple(rows), tuple(d.path for d in documents))


def _words(path: str) -> str:
    return re.sub(r"[/_.-]+", " ", splitext(path)[0]).lower()


def _rows(store: FactStore, document: Document) -> Iterator[Entity]:
    markdown = document.markdown
    whole = f"{_words(document.path)}\n{markdown.title.lower()}"
    own_topics = {topic for topic, pattern in TOPICS.items() if _is_about(pattern, whole)}
    for topic in sorted(own_topics):
        yield _row(
            store,
            document,
            topic,
            markdown.title or document.path,
            1,
            markdown.lines,
            document.is_planning,
            True,
        )
    for section in markdown.sections():
        heading = section.heading.text.lower()
        for topic, pattern in TOPICS.items():
            if topic not in own_topics and _is_about(pattern, heading):
                yield _section_row(store, document, topic, section)


def _is_about(pattern: re.Pattern[str], subject: str) -> bool:
    return any(pattern.search(line) for line in subject.split("\n"))


def _section_row(store: FactStore, document: Document, topic: str, section: Section) -> Entity:
    trail = (*section.trail, section.heading.text)
    planning = document.is_planning or any(is_planning_heading(h) for h in trail)
    if topic in ("rollback", "backup"):
        planning = planning or _NOT_A_PLAN.search(section.heading.text) is not None
    return _row(
        store, document, topic, section.heading.text, section.heading.line, section.lines, planning, False
    )


def _row(
    store: FactStore,
    document: Document,
    topic: str,
    heading: str,
    line: int,
    lines: tuple[Line, ...] | list[Line],
    planning: bool,
    whole: bool,
) -> Entity:
    units = content_units(lines, count_open_tasks=whole and not planning)
    precise = sum(1 for unit in units if _FIGURE.search(unit.text) or _NAMED.search(unit.text))
    enough = len(units) >= ENOUGH or precise == len(units) == ENOUGH - 1
    proof = tuple(at_line(document.path, unit.number) for unit in units[:3])
    because = (
        f"it holds {len(units)} steps, commands or sentences; {ENOUGH} are the least that says something"
    )
    substantial = Answer(YES if enough else NO, because, proof)
    figures = [u for u in units if _FIGURE.search(u.text)]
    usable = Answer(YES, because, proof) if enough and not planning else Answer(NO, because)
    if planning:
        usable = Answer(NO, "it belongs to a plan, a requirement or a test design and says what should be")
    elif enough:
        last = lines[-1].number if lines else line
        needs = (
            r for r in instructions(store, document, line, last) if not r.is_fed
        )  # dumps are made elsewhere
        dead = next((r for r in needs if r.resolves.value == NO), None)
        if dead is not None:
            place = at_line(document.path, dead.line, dead.target)
            usable = Answer(
                NO, f"it sends its reader to {dead.target}, but {dead.resolves.because}", (place,)
            )
    return Entity(
        "operations_document",
        at_line(document.path, line),
        {
            "topic": Answer(topic),
            "heading": Answer(plain(heading)),
            "planning": Answer(YES if planning else NO),
            "substantial": substantial,
            "figures": Answer(
                len(figures), proof=tuple(at_line(document.path, f.number) for f in figures[:3])
            ),
            "usable": usable,
        },
    )


def content_units(lines: list[Line] | tuple[Line, ...], *, count_open_tasks: bool) -> list[Line]:
    """Lines that say something: steps, table rows, sentences, commands. What hangs on an open task is"
    " left out."""
    found: list[Line] = []
    header_seen = in_open_task = False
    for line in lines:
        text = plain(line.text)
        if line.role == "heading":
            in_open_task = header_seen = False
        elif line.role == "task":
            in_open_task = not count_open_tasks and re.search(r"\[ \]", line.text) is not None
            if not in_open_task and _says_something(text):
                found.append(line)
        elif line.role == "table":
            if header_seen and _says_something(text):
                found.append(line)
            header_seen = True
        elif line.role in ("item", "text"):
            in_open_task = in_open_task and line.text.startswith((" ", "\t"))
            if not in_open_task and _says_something(text):
                found.append(line)
        elif line.role == "code" and not in_open_task and _is_command(line.text):
            found.append(line)
    return found


def _says_something(text: str) -> bool:
    if _PLACEHOLDER.search(text):
        return False
    words = re.findall(r"\w{2,}", _SLOT.sub(" ", text))
    return len(words) >= 3


def _is_command(text: str) -> bool:
    stripped = text.strip()
    return len(stripped) > 3 and not stripped.startswith(("#", "//", "```", "~~~", "--"))


def _unreadable(store: FactStore) -> Iterator[Entity]:
    """Files in formats that are not read, whose name says that they are what is looked for."""
    for path in store.repository.files:
        if path.endswith(_BINARY) and store.repository.is_tracked(path):
            for topic, pattern in TOPICS.items():
                if pattern.search(_words(path)):
                    unknown = Answer(UNKNOWN, "files of this format are not read")
                    fields = dict.fromkeys(("substantial", "usable", "planning"), unknown)
                    rest = {"topic": Answer(topic), "heading": Answer(path), "figures": Answer(None)}
                    yield Entity("operations_document", at_line(path), {**fields, **rest})


def recovery_objective(store: FactStore) -> Table:
    """Table `recovery_objective`: one row per place that gives a recovery objective a value.

    Fields: `objective` (RTO or RPO), `value` (as written), `decided` yes/unknown: unknown when it stands in
    a plan or an open task, where it is a goal and not a promise.
    """
    documents = store.get(markdown_documents)
    rows: list[Entity] = []
    for document in documents:
        if any(word in document.text for word in ("RTO", "RPO", "objective", "Objective")):
            rows.extend(islice(_objectives(document), MAX_STATEMENTS))
    return Table("recovery_objective", tuple(rows), tuple(d.path for d in documents))


def _objectives(document: Document) -> Iterator[Entity]:
    plans = {
        line.number
        for section in document.markdown.sections()
        if is_planning_heading(section.heading.text)
        for line in section.lines
    }
    spoken = [line for line in document.markdown.lines if _OBJECTIVE_NAME.search(line.text)]
    for line in spoken[:MAX_STATEMENTS]:
        if line.role in ("blank", "comment"):
            continue
        for match in _OBJECTIVE.finditer(plain(line.text)):
            wish = document.is_planning or line.number in plans or "[ ]" in line.text
            yield _given(document, line, match.group(1), match.group("value"), wish=wish)
        if line.role == "table":
            for row, name, value in _below(document.markdown.lines, line):
                wish = document.is_planning or row.number in plans or "[ ]" in row.text
                yield _given(document, row, name, value, wish=wish)


def _given(document: Document, line: Line, name: str, value: str, *, wish: bool) -> Entity:
    """The row of a statement that gives an objective a value."""
    objective = "RPO" if name.lower() == "rpo" or "point" in name.lower() else "RTO"
    place = at_line(document.path, line.number)
    because = "it stands in a plan or an open task" if wish else "the document gives it a value"
    fields = {
        "objective": Answer(objective),
        "value": Answer(value),
        "decided": Answer(UNKNOWN if wish else YES, because, (place,)),
    }
    return Entity("recovery_objective", place, fields)


def _below(lines: list[Line], header: Line) -> Iterator[tuple[Line, str, str]]:
    """The values in the columns of a table that its header calls an objective: line, objective and value."""
    if header.number > 1 and lines[header.number - 2].role == "table":
        return  # a row, not the header
    names = [_OBJECTIVE_COLUMN.search(cell) for cell in _cells(header.text)]
    for row in lines[header.number + 1 :]:  # below the row of dashes
        if row.role != "table":
            return
        for name, cell in zip(names, _cells(row.text), strict=False):
            value = _VALUE.search(cell) if name is not None and not _PLACEHOLDER.search(cell) else None
            if name is not None and value is not None:
                yield row, name[0], value[0]


def _cells(row: str) -> list[str]:
    return [plain(cell) for cell in row.strip().strip("|").split("|")]
