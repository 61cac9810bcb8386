"""Markdown as far as facts about documents need it: headings, fences, task lists, links, code spans.

A line scanner, not a renderer: what it says about each line is what CommonMark says for the documents that
people write (ATX and setext headings, fenced and indented code also inside list items, HTML comments, reference
links).
Time is linear.
"""

from __future__ import annotations

import re

from msgspec import Struct, field

MAX_LINE = 4000  # characters of a line that are looked at; longer ones are no prose, and patterns stay cheap

_FENCE = re.compile(r"^[ \t>]*(?:[-*+]|\d{1,9}[.)])?[ \t]*(`{3,}|~{3,})[ \t]*([^`\s]*)[^`]*$")
_HEADING = re.compile(r"^ {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_SETEXT = re.compile(r"^ {0,3}(=+|-{3,})[ \t]*$")
_ITEM = re.compile(r"^[ \t>]*(?:[-*+•]|\d{1,9}[.)])[ \t]+(.*)$")
_MARKERS = "-*+•0123456789>"
_CODE_INDENT = 4  # columns beyond the text around it that make a line code
_TASK = re.compile(r"^\[([ xX])\](?:[ \t]+|$)(.*)$")
_LINK = re.compile(
    r"!?\[((?:[^\[\]\n]|\[[^\[\]\n]*\]){0,500})\]\(\s*(<[^<>\n]*>"
    r"|[^\s()]*(?:\([^\s()]*\)[^\s()]*)*)[^()\n]*\)"
)
_REFERENCE = re.compile(
    r"^ {0,3}\[([^\]\n]+)\]:[ \t]*(<[^<>\n]+>|\S+)(?:[ \t]+(?:\"[^\"]*\"|'[^']*'|\([^()]*\)))?[ \t]*$"
)
_HTML_LINK = re.compile(
    r"""<(?:a|img)\b[^<>]{0,500}?\b(?:href|src)\s*=\s*["']([^"'<>]+)["']""", re.IGNORECASE
)
_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_TABLE_RULE = re.compile(r"^[\s|:+-]+$")


class Heading(Struct, frozen=True):
    """A heading: its level (1 to 6), its text without markup, its line."""

    level: int
    text: str
    line: int


class Fence(Struct, frozen=True):
    """A block of code, fenced or indented (then without a language). `line` is the line of its first line of code."""

    language: str
    line: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)


class Link(Struct, frozen=True):
    """A link or an image: its text, its target as written, its line."""

    text: str
    target: str
    line: int


class Task(Struct, frozen=True):
    """An item of a task list."""

    is_done: bool
    text: str
    line: int


class Line(Struct, frozen=True):
    """A line with its role: blank heading text item task table code comment."""

    number: int
    role: str
    text: str


class Section(Struct):
    """A heading with everything below it, sub-sections included. `trail` holds the headings above it."""

    heading: Heading
    trail: tuple[str, ...]
    document: list[Line]
    end: int  # the line after it

    @property
    def lines(self) -> tuple[Line, ...]:
        """The lines below the heading."""
        return tuple(self.document[self.heading.line : self.end - 1])


class Markdown(Struct):
    """One document."""

    lines: list[Line] = field(default_factory=list)
    headings: list[Heading] = field(default_factory=list)
    fences: list[Fence] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    tasks: list[Task] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The text of the first heading, or nothing."""
        return self.headings[0].text if self.headings else ""

    def sections(self) -> list[Section]:
        """Every heading with its lines, in document order."""
        ends = self._ends()
        found = []
        above: list[Heading] = []
        for heading in self.headings:
            while above and above[-1].level >= heading.level:
                above.pop()
            trail = tuple(h.text for h in above)
            found.append(Section(heading, trail, self.lines, ends[heading.line]))
            above.append(heading)
        return found

    def _ends(self) -> dict[int, int]:
        """The line after the section of each heading, by the heading's line."""
        ends = {}
        open_headings: list[Heading] = []
        for heading in self.headings:
            while open_headings and open_headings[-1].level >= heading.level:
                ends[open_headings.pop().line] = heading.line
            open_headings.append(heading)
        return ends | {heading.line: len(self.lines) + 1 for heading in open_headings}

    def anchors(self) -> set[str]:
        """The fragment identifiers of the headings, as the usual renderers make them."""
        seen: dict[str, int] = {}
        found = set()
        for heading in self.headings:
            slug = slugify(heading.text)
            count = seen.get(slug, 0)
            seen[slug] = count + 1
            found.add(slug if count == 0 else f"{slug}-{count}")
        return found


def slugify(heading: str) -> str:
    """The anchor of a heading: lower case, punctuation dropped, blanks as hyphens."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def plain(text: str) -> str:
    """Inline text without markup: emphasis, code marks, link targets."""
    text = _LINK.sub(lambda m: m.group(1), text)
    return re.sub(r"[*`]|(?<!\w)__?|__?(?!\w)", "", text).strip()


def code_spans(text: str) -> list[str]:
    """What stands between backticks in a line."""
    return [match.group(2).strip() for match in _SPAN.finditer(text)]


def parse_markdown(text: str) -> Markdown:
    """The document. Never fails: every text is Markdown."""
    return _Scanner().scan(text)


class _Scanner:
    """The state of a pass over the lines."""

    def __init__(self) -> None:
        self.found = Markdown()
        self.fence: tuple[str, str, int] | None = None
        self.code: list[str] = []
        self.in_comment = False
        self.items: list[int] = []  # the columns at which the text of the open list items starts
        self.indented: tuple[int, int] | None = (
            None  # first line and column of an open block of indented code
        )

    def scan(self, text: str) -> Markdown:
        for number, raw in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
            role = self._role(number, raw)
            self.found.lines.append(Line(number, role, raw[:MAX_LINE]))
            if role in ("text", "item", "task", "table", "heading"):
                self._inline(number, raw)
        self._close()
        return self.found

    def _role(self, number: int, raw: str) -> str:
        if len(raw) > MAX_LINE:
            raw = raw[:MAX_LINE]
        if self.fence is not None:
            return self._in_fence(raw)
        if not self.in_comment and self._is_indented_code(number, raw):
            return "code"
        if self.in_comment or raw.lstrip().startswith("<!--"):
            self.in_comment = "-->" not in raw
            return "comment"
        if (opening := _FENCE.match(raw)) is not None:
            self.fence = (opening.group(1), opening.group(2).lower(), number + 1)
            return "code"
        if not raw.strip():
            return "blank"
        if (heading := _HEADING.match(raw)) is not None:
            self._heading(Heading(len(heading.group(1)), plain(heading.group(2) or ""), number))
            return "heading"
        return self._setext(number, raw) or self._block(number, raw)

    def _is_indented_code(self, number: int, raw: str) -> bool:
        """Whether the line is code because of its indent; keeps the open list items up to date."""
        if not raw.strip():
            if self.indented is not None:
                self.code.append("")
            return False
        if raw[0] not in " \t" and self.indented is None:
            if self.items and (self.found.lines[-1].role in ("blank", "heading", "code") or _ITEM.match(raw)):
                self.items.clear()
            if raw[0] in _MARKERS and (item := _ITEM.match(raw)) is not None:
                self.items.append(item.start(1))
            return False
        text = raw.expandtabs(_CODE_INDENT)
        column = len(text) - len(text.lstrip())
        if self.indented is not None:
            if column >= self.indented[1]:
                self.code.append(text[self.indented[1] :])
                return True
            self._close()
        after_blank = not self.found.lines or self.found.lines[-1].role in ("blank", "heading", "code")
        while self.items and column < self.items[-1] and (after_blank or _ITEM.match(raw)):
            self.items.pop()
        needed = (self.items[-1] if self.items else 0) + _CODE_INDENT
        if after_blank and column >= needed:
            self.indented = (number, needed)
            self.code.append(text[needed:])
            return True
        if (item := _ITEM.match(text)) is not None:
            self.items.append(item.start(1))
        return False

    def _in_fence(self, raw: str) -> str:
        assert self.fence is not None
        marker = self.fence[0]
        stripped = raw.strip()
        if len(stripped) >= len(marker) and stripped.strip(marker[0]) == "":
            self._close()
        else:
            self.code.append(raw)
        return "code"

    def _close(self) -> None:
        if self.fence is not None:
            self.found.fences.append(Fence(self.fence[1], self.fence[2], tuple(self.code)))
        elif self.indented is not None:
            self.found.fences.append(Fence("", self.indented[0], tuple(self.code)))
        self.fence, self.indented, self.code = None, None, []

    def _heading(self, heading: Heading) -> None:
        self.found.headings.append(heading)

    def _setext(self, number: int, raw: str) -> str | None:
        underline = _SETEXT.match(raw)
        if underline is None or not self.found.lines or self.found.lines[-1].role != "text":
            return None
        above = self.found.lines[-1]
        self.found.lines[-1] = Line(above.number, "heading", above.text)
        self._heading(Heading(1 if raw.strip()[0] == "=" else 2, plain(above.text), above.number))
        return "blank"

    def _block(self, number: int, raw: str) -> str:
        if (item := _ITEM.match(raw)) is not None:
            if (task := _TASK.match(item.group(1))) is not None:
                self.found.tasks.append(Task(task.group(1) != " ", plain(task.group(2)), number))
                return "task"
            return "item"
        if raw.lstrip().startswith("|"):
            return "blank" if _TABLE_RULE.match(raw) else "table"
        if re.fullmatch(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*", raw):
            return "blank"
        return "text"

    def _inline(self, number: int, raw: str) -> None:
        if ("[" not in raw and "<" not in raw) or len(raw) > MAX_LINE:
            return
        masked = _SPAN.sub(lambda m: " " * len(m.group()), raw)
        for link in _LINK.finditer(masked):
            self.found.links.append(Link(link.group(1), link.group(2).strip("<>"), number))
        if (reference := _REFERENCE.match(masked)) is not None and not reference.group(1).startswith("^"):
            self.found.links.append(Link(reference.group(1), reference.group(2).strip("<>"), number))
        if "<" in masked:
            for target in _HTML_LINK.findall(masked):
                self.found.links.append(Link("", target, number))
