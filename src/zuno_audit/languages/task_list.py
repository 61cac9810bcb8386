"""Task lists in Markdown, to the byte: every `- [ ]` with its nesting, headings and the place of its mark.

`languages/markdown.py` says what a document means; this reader says where each byte of a box is, so that a
mark can be changed and nothing else. It follows CommonMark and GitHub's task lists for what people write:
fences (also inside list items), HTML comments, block quotes, tabs, any line ending. Time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field
from msgspec.structs import replace

from zuno_audit.model.box import Box, TaskList
from zuno_audit.model.finding import Diagnostic, Level

MAX_BYTES = 1024 * 1024  # a checklist of 162 boxes has 24 kB; nobody reads one that is fifty times as long
MAX_BOXES = 1500  # about ten times the longest checklist known
MAX_LINE = 2000  # characters of a line that are looked at
MAX_BODY = 4000  # characters kept of what stands below a box
MAX_COMPLAINTS = 20
_BLANKS = " \t\v\f"  # latin-1 has more of them, which are parts of UTF-8 here

_LINES = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_QUOTE = re.compile(r"(?: {0,3}>[ \t]?)+")
_BULLET = re.compile(r"([ \t]*)([-*+]|\d{1,9}[.)])([ \t]+)")
_MARK = re.compile(r"\[([ \txX])\](?=[ \t]+\S)")
_FENCE = re.compile(r"[ \t]*(`{3,}|~{3,})([^\r\n]*)")
_HEADING = re.compile(r" {0,3}(#{1,6})(?=[ \t]|\Z)")
_SETEXT = re.compile(r" {0,3}(=+|-{2,})[ \t]*\Z")
_RULER = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*\Z")
_COMMENT = re.compile(r"<!--.{0,2000}?-->")  # pins and suppressions are no words of a box
_PIN = re.compile(r"<!--[ \t]*zuno:[ \t]*([^>]{1,300}?)[ \t]*-->")
_STRUCK = re.compile(r"~~.+~~[ \t.]*\Z")
_NEARLY = re.compile(
    r"[ \t]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+(?:"
    r"\[\](?!\()|\[[ \txX]\](?=[^\s(\[:])|\[[ \t]{2,}\]|\[[ \t]+[xX][ \t]*\]|\[[xX][ \t]+\]"  # marks
    r"|\[[ \t]*\\?\Z|\[[ xX][ \t]+[^\]]*\Z|\[[ \txX]\][ \t]*\Z"  # never closed, without text
    r")|[-*+]\[[ \txX]\][ \t])"
)


def parse_task_list(data: bytes, path: str = "") -> TaskList:
    """The boxes of a Markdown file. Never fails; what looks like a box and is none is a diagnostic.

    Bytes that are no UTF-8 are kept apart, not refused. Over `MAX_BYTES` or `MAX_BOXES` there are no boxes
    and a diagnostic: a list that was read in part could pass for the whole.
    """
    if len(data) > MAX_BYTES:
        return _refused(path, f"not read: a checklist larger than {MAX_BYTES} bytes")
    if b"\0" in data:
        return _refused(path, "not read: binary data or UTF-16, no Markdown in UTF-8")
    reader = _Reader(path)
    reader.read(data.decode("latin-1"))
    if len(reader.boxes) > MAX_BOXES:
        return _refused(path, f"not read: more than {MAX_BOXES} boxes")
    return TaskList(path, tuple(reader.finished()), tuple(reader.complaints))


def _refused(path: str, why: str) -> TaskList:
    return TaskList(path, (), (Diagnostic(Level.WARNING, path, 1, why),))


class _Item(Struct):
    """An open list item: where its bullet and its content begin, and its box (index) if it is one."""

    indent: int
    content: int
    box: int | None


class _Fence(Struct):
    marker: str
    line: int
    container: int  # a line with less indentation ends the list item that the fence is in


class _Reader(Struct):
    """The state of one pass. Text is latin-1, so that one character is one byte."""

    path: str
    boxes: list[Box] = field(default_factory=list)
    bodies: list[list[str]] = field(default_factory=list)
    complaints: list[Diagnostic] = field(default_factory=list)
    headings: list[tuple[int, str]] = field(default_factory=list)
    items: list[_Item] = field(default_factory=list)
    fence: _Fence | None = None
    comment: int = 0  # the line where an open comment begins
    paragraph: str = ""  # the line before, if it is plain text
    is_after_blank: bool = True

    def read(self, text: str) -> None:
        start = 3 if text.startswith("\xef\xbb\xbf") else 0
        for number, match in enumerate(_LINES.finditer(text, start), 1):
            if match.end() == match.start():
                break
            line = match.group().rstrip("\r\n")
            self._line(number, match.start(), line[:MAX_LINE])
            if len(self.boxes) > MAX_BOXES:
                return
        if self.fence is not None:
            self._complain(self.fence.line, "this code block is never closed: boxes below it do not count")
        if self.comment:
            self._complain(self.comment, "this comment is never closed: boxes below it do not count")

    def finished(self) -> Iterator[Box]:
        """The boxes with their bodies."""
        for box, body in zip(self.boxes, self.bodies, strict=True):
            yield replace(box, body="\n".join(body)[:MAX_BODY])

    def _line(self, number: int, offset: int, line: str) -> None:
        quote = _QUOTE.match(line)
        skipped = quote.end() if quote else 0
        rest = line[skipped:]
        indent, at = _indentation(rest)
        is_blank = at == len(rest)
        paragraph, self.paragraph = self.paragraph, ""
        if self.fence is not None and self._in_fence(rest, indent, is_blank):
            return
        if self.comment:
            self._in_comment(rest)
            return
        if is_blank:
            self.is_after_blank = True
            return
        self._content(number, offset + skipped, rest, indent, paragraph, skipped)
        self.is_after_blank = False

    def _in_fence(self, line: str, indent: int, is_blank: bool) -> bool:
        """True when the line belongs to the open fence."""
        assert self.fence is not None
        if not is_blank and indent < self.fence.container:
            self._complain(self.fence.line, "this code block ends with its list item, not with a fence")
            self.fence = None
            return False
        stripped = line.strip(_BLANKS)
        if len(stripped) >= len(self.fence.marker) and not stripped.strip(self.fence.marker[0]):
            self.fence = None
        else:
            self._below(line)
        return True

    def _in_comment(self, line: str) -> None:
        if "-->" in line:
            self.comment = 0

    def _content(self, number: int, offset: int, line: str, indent: int, paragraph: str, quoted: int) -> None:
        if line.lstrip(_BLANKS).startswith("<!--"):
            self._comment(number, line)
        elif self._opens_fence(number, line, indent):
            return
        elif (heading := _HEADING.match(line)) is not None:
            self._heading(len(heading.group(1)), line[heading.end() :].strip(_BLANKS + "#"))
        elif paragraph and not self.items and (setext := _SETEXT.match(line)) is not None:
            self._heading(1 if setext.group(1)[0] == "=" else 2, paragraph)
        elif _RULER.match(line):
            self.items.clear()
        elif (bullet := _BULLET.match(line)) is not None and (self.items or indent < 4):
            self._item(number, offset, line, bullet, indent, quoted)
        else:
            self._text(number, line, indent)

    def _comment(self, number: int, line: str) -> None:
        if "-->" not in line:
            self.comment = number
            return
        pin = _PIN.search(line)
        if pin is not None and not self.boxes:
            self._complain(number, "this pin belongs to no box: put it on the line of a box, or just below")
        elif pin is not None:
            self.boxes[-1] = replace(self.boxes[-1], pin=_decoded(pin.group(1)))

    def _opens_fence(self, number: int, line: str, indent: int) -> bool:
        bullet = _BULLET.match(line)
        fence = _FENCE.match(line, bullet.end() if bullet else 0)
        if fence is None or ("`" in fence.group(2) and fence.group(1)[0] == "`"):
            return False
        if bullet is not None:
            indent = _width(line[: bullet.end()])
            self._close_items(_width(bullet.group(1)))
            self.items.append(_Item(_width(bullet.group(1)), indent, None))
        elif not self.items and indent >= 4:
            return False
        containers = [item.content for item in self.items if item.content <= indent]
        self.fence = _Fence(fence.group(1), number, max(containers, default=0))
        return True

    def _heading(self, level: int, text: str) -> None:
        self.items.clear()
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        self.headings.append((level, _decoded(text)))

    def _item(
        self, number: int, offset: int, line: str, bullet: re.Match[str], indent: int, quoted: int
    ) -> None:
        self._close_items(indent)
        content = _width(line[: bullet.end()])
        mark = _MARK.match(line, bullet.end())
        if mark is None:
            self._nearly(number, line)
            self.items.append(_Item(indent, content, self.items[-1].box if self.items else None))
            self._below(line)
            return
        parent = self.items[-1].box if self.items else None
        self.items.append(_Item(indent, content, len(self.boxes)))
        text = line[mark.end() :].strip(_BLANKS)
        pin = _PIN.search(text)
        before = _decoded(line[: mark.start()])
        shown = _decoded(_COMMENT.sub("", text).strip(_BLANKS))
        self.boxes.append(
            Box(
                line=number,
                column=quoted + len(before) + 1,
                end_column=quoted + len(_decoded(line.rstrip(_BLANKS))) + 1,
                offset=offset + mark.start(1),
                is_ticked=mark.group(1) in "xX",
                text=shown,
                parent=parent,
                headings=tuple(text for _, text in self.headings),
                pin=_decoded(pin.group(1)) if pin else "",
                is_struck=_STRUCK.match(shown) is not None,
            )
        )
        self.bodies.append([])

    def _close_items(self, indent: int) -> None:
        """Leave the items that an item at this indentation is not nested in."""
        while self.items and indent < self.items[-1].indent + 2:
            self.items.pop()

    def _text(self, number: int, line: str, indent: int) -> None:
        if self.items and self.is_after_blank and indent < 1:
            self.items.clear()
        if not self.items:
            self.paragraph = line.strip(_BLANKS)
        self._nearly(number, line)
        self._below(line)

    def _below(self, line: str) -> None:
        """A line that belongs to the box above it."""
        if self.items or (self.fence is not None and self.fence.container):
            box = self.items[-1].box if self.items else None
            if box is not None and box == len(self.boxes) - 1 and len(self.bodies[box]) < 200:
                self.bodies[box].append(_decoded(line.rstrip(_BLANKS)))

    def _nearly(self, number: int, line: str) -> None:
        if _NEARLY.match(line):
            self._complain(number, "this looks like a box and is none: write `- [ ] text` or `- [x] text`")

    def _complain(self, line: int, message: str) -> None:
        if len(self.complaints) < MAX_COMPLAINTS:
            self.complaints.append(Diagnostic(Level.WARNING, self.path, line, message))


def _indentation(line: str) -> tuple[int, int]:
    """How far a line is indented, and where its text begins."""
    at = len(line) - len(line.lstrip(" \t"))
    return _width(line[:at]), at


def _width(text: str) -> int:
    return len(text.expandtabs(4)) if "\t" in text else len(text)


def _decoded(text: str) -> str:
    return text if text.isascii() else text.encode("latin-1").decode("utf-8", "replace")
