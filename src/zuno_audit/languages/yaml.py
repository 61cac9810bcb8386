"""YAML as trees that remember their lines: for compose files, manifests and everything else that is YAML.

Nothing is constructed from tags, so nothing of the audited tree runs. Work is bounded: input size, nesting
and the number of nodes once aliases are followed have a limit; a file beyond one is a problem, not a short
tree.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from zuno_audit.model.entity import Problem
from zuno_audit.model.location import Location, Span

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 100
MAX_NODES = 200_000  # of the tree as it is once every alias is followed

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})


class YamlScalar(Struct, frozen=True):
    """One value as text. `plain`: it is not quoted, so that `null`, `true` and numbers may be meant."""

    text: str
    span: Span
    plain: bool = True
    tag: str = ""

    @property
    def is_null(self) -> bool:
        """True for an empty or explicitly null value."""
        return self.plain and self.text in _NULLS

    @property
    def as_bool(self) -> bool | None:
        """The boolean meant by a plain `true` or `false`, else None."""
        if not self.plain:
            return None
        return True if self.text in _TRUE else False if self.text in _FALSE else None


class YamlList(Struct, frozen=True):
    """A sequence."""

    items: tuple[YamlNode, ...]
    span: Span
    tag: str = ""


class YamlEntry(Struct, frozen=True):
    """One key of a mapping; `span` is the key's."""

    key: str
    value: YamlNode
    span: Span


class YamlMap(Struct, frozen=True, dict=True):
    """A mapping in source order, merge keys (`<<`) followed. Keys that are no scalars are left out."""

    entries: tuple[YamlEntry, ...]
    span: Span
    tag: str = ""

    @cached_property
    def _index(self) -> dict[str, YamlEntry]:
        return {entry.key: entry for entry in self.entries}

    def entry(self, key: str) -> YamlEntry | None:
        """The entry called `key`, or None."""
        return self._index.get(key)

    def get(self, *keys: str) -> YamlNode | None:
        """The value under a path of keys, or None when some step is missing or no mapping."""
        node: YamlNode = self
        for key in keys:
            entry = node.entry(key) if isinstance(node, YamlMap) else None
            if entry is None:
                return None
            node = entry.value
        return node

    def text(self, *keys: str) -> str | None:
        """The text under a path of keys; None when there is no scalar or it is null."""
        return scalar_text(self.get(*keys))

    def map(self, *keys: str) -> YamlMap | None:
        """The mapping under a path of keys, or None."""
        node = self.get(*keys)
        return node if isinstance(node, YamlMap) else None


YamlNode = YamlScalar | YamlList | YamlMap


class YamlFile(Struct, frozen=True):
    """The documents of one file. `duplicates`: keys that occur twice, which most consumers refuse."""

    path: str
    documents: tuple[YamlNode, ...]
    problems: tuple[Problem, ...] = ()
    duplicates: tuple[Problem, ...] = ()

    def at(self, node: YamlNode | YamlEntry, note: str = "") -> Location:
        """Where a node of this file stands."""
        return Location(self.path, node.span, note)


def scalar_text(node: YamlNode | None) -> str | None:
    """The text of a scalar that is not null, else None."""
    return node.text if isinstance(node, YamlScalar) and not node.is_null else None


def items(node: YamlNode | None) -> tuple[YamlNode, ...]:
    """The items of a sequence; a lone scalar counts as a sequence of one, anything else as an empty one."""
    if isinstance(node, YamlList):
        return node.items
    return (node,) if isinstance(node, YamlScalar) and not node.is_null else ()


def texts(node: YamlNode | None) -> tuple[str, ...]:
    """The scalar texts among `items`."""
    return tuple(text for item in items(node) if (text := scalar_text(item)) is not None)


def scalars(node: YamlNode, prefix: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], YamlScalar]]:
    """Every scalar below a node with the keys that lead to it; list positions are left out of the keys."""
    if isinstance(node, YamlScalar):
        yield prefix, node
    elif isinstance(node, YamlList):
        for item in node.items:
            yield from scalars(item, prefix)
    else:
        for entry in node.entries:
            yield from scalars(entry.value, (*prefix, entry.key))


def read_yaml(repository: Repository, path: str) -> YamlFile:
    """The YAML file at `path`; a file that cannot be read is a file with a problem."""
    data = repository.read(path)
    if data is None:
        return YamlFile(path, (), (Problem(path, 1, "the file cannot be read"),))
    return parse_yaml(path, data)


def parse_yaml(path: str, data: bytes) -> YamlFile:
    """All documents of a file. What does not parse leaves a problem with its line; nothing is raised."""
    import yaml

    if len(data) > MAX_BYTES:
        return YamlFile(path, (), (Problem(path, 1, f"YAML larger than {MAX_BYTES} bytes is not read"),))
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(path)
    try:
        stream = loader(data.decode("utf-8-sig", "replace"))
        while stream.check_event():
            builder.take(stream.get_event())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        builder.problems.append(Problem(path, line, f"YAML does not parse: {error.problem or error.context}"))
    except yaml.YAMLError:  # a character that YAML does not allow: it has no line
        builder.problems.append(Problem(path, 1, "YAML does not parse: a character that YAML does not allow"))
    except _TooMuchError as error:
        builder.problems.append(Problem(path, error.line, str(error)))
    documents = () if builder.problems else tuple(builder.documents)
    return YamlFile(path, documents, tuple(builder.problems), tuple(builder.duplicates))


class _TooMuchError(Exception):
    """A limit was hit."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


class _Open(Struct):
    """A collection whose end has not been seen."""

    is_map: bool
    event: Any
    children: list[YamlNode] = field(default_factory=list)
    size: int = 1


class _Builder:
    """Turns parser events into nodes without recursion."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.documents: list[YamlNode] = []
        self.problems: list[Problem] = []
        self.duplicates: list[Problem] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[YamlNode, int]] = {}

    def take(self, event: Any) -> None:
        """One event of the stream, in order."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._add(
                event, YamlScalar(event.value, _span(event, event), _is_plain(event), event.tag or ""), 1
            )
        elif kind in ("MappingStartEvent", "SequenceStartEvent"):
            if len(self._open) >= MAX_DEPTH:
                raise _TooMuchError(_line(event), f"YAML nested deeper than {MAX_DEPTH} is not read")
            self._open.append(_Open(kind == "MappingStartEvent", event))
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            self._close(event)
        elif kind == "AliasEvent":
            self._alias(event)
        elif kind == "DocumentStartEvent":
            self._anchors.clear()

    def _close(self, end: Any) -> None:
        opened = self._open.pop()
        span, tag = _span(opened.event, end), opened.event.tag or ""
        node: YamlNode
        if opened.is_map:
            node = self._map(opened.children, span, tag)
        else:
            node = YamlList(tuple(opened.children), span, tag)
        self._add(opened.event, node, opened.size)

    def _add(self, event: Any, node: YamlNode, size: int) -> None:
        if event.anchor:
            self._anchors[event.anchor] = (node, size)
        self._attach(node, size, _line(event))

    def _attach(self, node: YamlNode, size: int, line: int) -> None:
        if not self._open:
            self.documents.append(node)
            return
        parent = self._open[-1]
        parent.children.append(node)
        parent.size += size
        if parent.size > MAX_NODES:
            raise _TooMuchError(line, f"YAML of more than {MAX_NODES} nodes with its aliases is not read")

    def _alias(self, event: Any) -> None:
        known = self._anchors.get(event.anchor)
        if known is None:  # undefined, or an alias inside its own anchor
            raise _TooMuchError(_line(event), "YAML does not parse: an alias without an anchor before it")
        self._attach(*known, _line(event))

    def _map(self, children: list[YamlNode], span: Span, tag: str) -> YamlMap:
        own: dict[str, YamlEntry] = {}
        merged: dict[str, YamlEntry] = {}
        for key, value in zip(children[::2], children[1::2], strict=True):
            if not isinstance(key, YamlScalar):
                continue
            if key.text == "<<" and key.plain:
                for entry in _merge_entries(value):
                    merged.setdefault(entry.key, entry)
                continue
            if key.text in own:
                message = f"the key {key.text!r} occurs twice in one mapping"
                self.duplicates.append(Problem(self.path, key.span.start_line, message))
            own[key.text] = YamlEntry(key.text, value, key.span)
        index = {**{k: v for k, v in merged.items() if k not in own}, **own}
        return YamlMap(tuple(index.values()), span, tag)


def _merge_entries(value: YamlNode) -> Iterator[YamlEntry]:
    for source in value.items if isinstance(value, YamlList) else (value,):
        if isinstance(source, YamlMap):
            yield from source.entries


def _is_plain(event: Any) -> bool:
    return bool(event.implicit[0]) and not event.style


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _span(start: Any, end: Any) -> Span:
    first, last = start.start_mark, end.end_mark
    return Span(first.line + 1, first.column + 1, last.line + 1, last.column + 1)
