"""Reads rule files, checks them and makes `Rule`s.

A rule file is `rules/<pack>/<id>.yaml`. Every complaint is a RuleError with file, line and key.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from zuno_audit.errors import RuleError
from zuno_audit.facts.catalog import TABLES
from zuno_audit.model.finding import Level
from zuno_audit.model.rule import RuleInfo
from zuno_audit.rules.bounds import pattern_fault, template_fault
from zuno_audit.rules.document import Document, KeyPath, Library
from zuno_audit.rules.rule import Absent, Clause, Condition, Rule
from zuno_audit.rules.shape import ShapeError, check_shape, complaining
from zuno_audit.rules.text import argument_text

NOT_PACKS = frozenset({"checklist", "profiles", "queries", "semgrep"})
QUERY_TABLE = "query:"
SEMGREP_TABLE = "semgrep:"
_QUANTIFIERS = ("for_each", "exists", "forbid")
_NO_FIELDS = frozenset({"message", "at", "undecided"})  # keys of a clause that are no field of a row
_WITHOUT_TABLE = frozenset({"python", "engine"})
_PLACEHOLDER = re.compile(r"\{\{\s*([A-Za-z_]\w*)")
_COUNTS = frozenset({"count", "total"})
_WHOLE_PLACEHOLDER = re.compile(r"\{\{.*?\}\}")
_RICH_TEMPLATE = re.compile(r"\{%|\{#|\{\{(?![ \t]*[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)?[ \t]*\}\})")
_PROSE = frozenset({"title", "why", "fix", "bad", "good", "limits"})
_PATTERN_CURE = "Ask for less: glob, contains, in, or a plain regular expression."
_TEMPLATE_CURE = (
    "A text may name parameters and fields, choose with `or` and `if`, and filter with join or default."
)


class RuleFiles:
    """All rule files below one or more folders of packs, by rule id, read when they are asked for."""

    def __init__(self, roots: Iterable[Path]) -> None:
        """`roots` are folders like `rules/`. Raises RuleError for an id that two files claim."""
        self._files: dict[str, tuple[Library, str]] = {}
        self._packs: list[tuple[Library, str]] = []
        self._rules: dict[str, Rule] = {}
        for root in roots:
            library = Library(root)
            for pack in sorted(root.iterdir(), key=lambda entry: entry.name):
                if pack.name not in NOT_PACKS and "." not in pack.name and pack.is_dir():
                    self._add_pack(library, pack)

    def _add_pack(self, library: Library, pack: Path) -> None:
        for name in sorted(entry.name for entry in pack.iterdir()):
            stem, path = name.removesuffix(".yaml"), f"{pack.name}/{name}"
            if name == "pack.yaml":
                self._packs.append((library, path))
            elif stem in self._files:
                raise RuleError(
                    f"duplicate rule id {stem!r}, also in {self._files[stem][1]}", path=path, line=1
                )
            elif stem != name:
                self._files[stem] = (library, path)

    def ids(self) -> tuple[str, ...]:
        """Every rule id, sorted."""
        return tuple(sorted(self._files))

    def __contains__(self, rule_id: str) -> bool:
        return rule_id in self._files

    def rule(self, rule_id: str) -> Rule:
        """The rule of this id, read once.

        Raises KeyError for an unknown id and RuleError for a malformed file.
        """
        if rule_id not in self._rules:
            library, path = self._files[rule_id]
            self._rules[rule_id] = replace(rule_from(library.read(path)), folder=library.root)
        return self._rules[rule_id]

    def text(self, rule_id: str) -> str:
        """The text of a rule's file. Raises KeyError for an unknown id, RuleError for an unreadable file."""
        library, path = self._files[rule_id]
        return library.read(path).text

    def packs(self) -> dict[str, str]:
        """The description of every pack that has a `pack.yaml`, by name. Raises RuleError."""
        from zuno_audit.rules.spec import Pack

        described = {}
        for library, path in self._packs:
            document = library.read(path)
            data = document.content()
            with complaining(document):
                check_shape(data, Pack)
            described[data["name"]] = data["description"]
        return described

    def paths(self) -> tuple[str, ...]:
        """The files of all rules, relative to their folders, sorted."""
        return tuple(sorted(path for _, path in self._files.values()))

    def all(self) -> tuple[Rule, ...]:
        """Every rule, sorted by id. Raises RuleError for the first malformed file."""
        return tuple(self.rule(rule_id) for rule_id in self.ids())


def read_rule(text: str, path: str) -> Rule:
    """The rule in a text. `path` is `<pack>/<id>.yaml`. Raises RuleError."""
    return rule_from(Document(path, text))


def rule_from(document: Document) -> Rule:
    """The rule in a document. Raises RuleError."""
    data = document.content()
    with complaining(document):
        if document.checked is None:
            _check(data, document.path)
        elif data["kind"] not in _WITHOUT_TABLE:
            _check_quantifier(data)
    return _build(data, document.path)


def _check(data: Any, path: str) -> None:
    from zuno_audit.rules.spec import RuleSpec

    check_shape(data, RuleSpec)
    _check_names(data, path)


def _check_names(data: Mapping[str, Any], path: str) -> None:
    stem = path.rpartition("/")[2].removesuffix(".yaml")
    if data["id"] != stem:
        raise ShapeError(f"the file name must be the id: {data['id']}.yaml", "id")
    known = frozenset(data.get("parameters", {}))
    if data["kind"] in _WITHOUT_TABLE:
        return
    _check_quantifier(data)
    _check_placeholders(data, known)
    for section in ("require", "prefer"):
        for index, clause in enumerate(data.get(section, ())):
            _check_clause(clause, section, index)
    _check_patterns(data)


def _check_quantifier(data: Mapping[str, Any]) -> None:
    given = [name for name in _QUANTIFIERS if data.get(name)]
    if len(given) != 1:
        raise ShapeError("exactly one of for_each, exists and forbid must name a table")
    quantifier = given[0]
    table = data[quantifier]
    if (data["kind"] == "query") != table.startswith(QUERY_TABLE):
        raise ShapeError("kind query goes with a table `query:LANGUAGE/NAME`, and only with one", quantifier)
    if (data["kind"] == "semgrep") != table.startswith(SEMGREP_TABLE):
        raise ShapeError("kind semgrep goes with a table `semgrep:NAME`, and only with one", quantifier)
    if not table.startswith((QUERY_TABLE, SEMGREP_TABLE)) and table not in TABLES:
        raise ShapeError(f"unknown table {table!r}; known: {', '.join(sorted(TABLES))}", quantifier)
    if quantifier == "forbid":
        if not data.get("message"):
            raise ShapeError("forbid needs a message", "forbid")
        if data.get("require") or data.get("prefer"):
            raise ShapeError("forbid has no require and no prefer: put the condition in where", "forbid")
    elif data.get("message"):
        raise ShapeError("message belongs to forbid; clauses of require carry their own", "message")


def _check_placeholders(data: Mapping[str, Any], known: frozenset[str]) -> None:
    for section, names in (("where", known), ("problems", known), ("absent", known | _COUNTS)):
        for where, text in _texts(data.get(section), (section,)):
            for name in _PLACEHOLDER.findall(text):
                if name not in names:
                    raise ShapeError(f"{{{{ {name} }}}} is not a parameter of this rule", *where)


def _texts(value: Any, where: KeyPath) -> Iterable[tuple[KeyPath, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*where, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _texts(inner, (*where, index))


def _check_clause(clause: Mapping[str, Any], section: str, index: int) -> None:
    if not isinstance(clause.get("message"), str) or not clause["message"]:
        raise ShapeError("every clause needs a message", section, index)
    if clause.get("at", "row") not in ("row", "proof"):
        raise ShapeError("at is `row` or `proof`", section, index, "at")
    if not isinstance(clause.get("undecided", ""), str):
        raise ShapeError("undecided is a message", section, index, "undecided")
    if not set(clause) - _NO_FIELDS:
        raise ShapeError("a clause needs at least one field", section, index)


def _check_patterns(data: Mapping[str, Any]) -> None:
    for section in ("where", "require", "prefer"):
        for where, text in _texts(data.get(section), (section,)):
            if where[-1] == "matches":
                fault = pattern_fault(_WHOLE_PLACEHOLDER.sub("x", text))
                if fault:
                    raise ShapeError(fault, *where, hint=_PATTERN_CURE)
    for where, text in _texts(data, ()):
        if _RICH_TEMPLATE.search(text) and where[0] not in _PROSE:
            fault = template_fault(text)
            if fault:
                raise ShapeError(fault, *where, hint=_TEMPLATE_CURE)


def _build(data: Mapping[str, Any], path: str) -> Rule:
    quantifier = next((name for name in _QUANTIFIERS if data.get(name)), data["kind"])
    count = data.get("count", {})
    absent = data.get("absent")
    return Rule(
        info=_info(data, path.split("/")[0]),
        kind=data["kind"],
        quantifier=quantifier,
        table=data.get(quantifier, ""),
        check=data.get("check", ""),
        parameters=tuple(
            (name, None if value is None else argument_text(value))
            for name, value in data.get("parameters", {}).items()
        ),
        where=_condition(data.get("where", {})),
        problems=data.get("problems", ""),
        at_least=argument_text(count.get("at_least", 1)),
        at_most=argument_text(count["at_most"]) if count.get("at_most") is not None else "",
        absent=Absent(**absent) if absent else Absent(),
        has_absent=absent is not None,
        require=_clauses(data.get("require", ())),
        prefer=_clauses(data.get("prefer", ())),
        message=data.get("message", ""),
        at=data.get("at", "row"),
        passes=data.get("pass", ""),
        path=path,
    )


def _info(data: Mapping[str, Any], pack: str) -> RuleInfo:
    return RuleInfo(
        id=data["id"],
        title=data["title"],
        level=Level(data["severity"]),
        precision=data["precision"],
        why=data["why"].strip(),
        fix=data["fix"].strip(),
        bad=data.get("bad", "").rstrip(),
        good=data.get("good", "").rstrip(),
        limits=data.get("limits", "").strip(),
        security_severity=data.get("security-severity") or "",
        cwe=tuple(data.get("cwe", ())),
        tags=tuple(data.get("tags", ())),
        pack=pack,
    )


def _condition(fields: Mapping[str, Any]) -> Condition:
    return tuple(fields.items())


def _clauses(clauses: Iterable[Mapping[str, Any]]) -> tuple[Clause, ...]:
    return tuple(
        Clause(
            condition=tuple((k, v) for k, v in clause.items() if k not in _NO_FIELDS),
            message=clause["message"],
            at=clause.get("at", "row"),
            undecided=clause.get("undecided", ""),
        )
        for clause in clauses
    )
