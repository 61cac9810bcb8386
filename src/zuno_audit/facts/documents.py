"""The documents of a repository: which there are, and which of them are plans rather than descriptions.

A plan to write a runbook is not a runbook. Stories, epics, requirements, test designs and to-do lists say
what should be; everything that quantifies over documents asks whether a document, or the section, is one of
those.
"""

from __future__ import annotations

import re
from posixpath import splitext
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.languages.markdown import Markdown, parse_markdown
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

SUFFIXES = (".md", ".markdown", ".mdx", ".rst", ".adoc")
_HEADING = re.compile(r"^(?: {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*|={1,6}[ \t]+(.+))[ \t]*$", re.MULTILINE)
_PLANNING_PATH = re.compile(
    r"(?:^|[/_.-])(?:stor(?:y|ies)|epics?|prd|requirements?|qa|assessments?|backlog|road-?map|proposals?"
    r"|todos?|tasks?"
    r"|planning|post-launch|sprints?|nfr|user-stories|templates?)(?=[/_.-]|$)",
    re.IGNORECASE,
)
_PLANNING_TITLE = re.compile(
    r"\b(?:stor(?:y|ies)|epics?|prd|product requirements?|requirements document|backlog|road ?map|proposal"
    r"|to-?do|tasks?"
    r"|test design|risk (?:profile|assessment)|nfr assessment|requirements? (?:trace|traceability)"
    r"|post-launch)\b",
    re.IGNORECASE,
)
_PLANNING_HEADING = re.compile(
    r"^\W*(?:(?:stor(?:y|ies)|epic|task|nfr|fr|tc|ac|iv|us|req|issue|ticket|milestone|sprint"
    r"|phase)[\s:#.-]*[\w-]*\d)"
    r"|\b(?:requirements?|acceptance criteria|success criteria|objectives|deliverables|to-?do|test cases?"
    r"|validation"
    r"|future (?:work|enhancements?)|next steps|open questions|user stor(?:y|ies))\b",
    re.IGNORECASE,
)


class Document(Struct):
    """A tracked document of the repository. `markdown` is parsed when it is first asked for."""

    path: str
    text: str
    _markdown: Markdown | None = field(default=None)

    @property
    def markdown(self) -> Markdown:
        if self._markdown is None:
            self._markdown = parse_markdown(self._normalised())
        return self._markdown

    def _normalised(self) -> str:
        if not self.path.endswith(".adoc"):
            return self.text
        return re.sub(r"^=+(?=[ \t])", lambda m: "#" * min(len(m.group()), 6), self.text, flags=re.MULTILINE)

    @property
    def title(self) -> str:
        """The first heading, found without parsing the document."""
        match = _HEADING.search(self.text)
        return (match.group(1) or match.group(2) or "").strip() if match else ""

    @property
    def heading_text(self) -> str:
        """All lines that may be headings, found without parsing: enough to see that nothing is there."""
        found, previous = [], ""
        for line in self.text.split("\n"):
            start = line.lstrip()[:3]
            if start[:1] == "#" or (start[:1] == "=" and self.path.endswith(".adoc")):
                found.append(line)
            elif start in ("===", "---") and previous:
                found.append(previous)
            previous = line
        return "\n".join(found)

    @property
    def is_planning(self) -> bool:
        """True for stories, epics, requirements, test designs, to-do lists and the like."""
        return bool(_PLANNING_PATH.search(splitext(self.path)[0]) or _PLANNING_TITLE.search(self.title))

    @property
    def stem(self) -> str:
        """The file name without extension, lower case, with hyphens for blanks and underscores."""
        return re.sub(r"[\s_]+", "-", splitext(self.path.rpartition("/")[2])[0]).lower()


def is_planning_heading(heading: str) -> bool:
    """True for the heading of a section that says what should be: a story, a task, acceptance criteria."""
    return _PLANNING_HEADING.search(heading) is not None


def markdown_documents(store: FactStore) -> tuple[Document, ...]:
    """All tracked documents that people write for people: nothing in hidden folders, vendored or test"
    " data."""
    repository = store.repository
    found = []
    for path in repository.files:
        if not path.endswith(SUFFIXES) or not repository.is_tracked(path) or _is_foreign(path):
            continue
        if repository.kind(path) is FileKind.VENDORED:
            continue
        text = repository.text(path)
        if text is not None:
            found.append(Document(path, text))
    return tuple(found)


def _is_foreign(path: str) -> bool:
    """Documents of tools (agent prompts, issue templates) and test data are no documentation of the"
    " system."""
    return any(part.startswith(".") or part == "testdata" for part in path.split("/")[:-1])
