"""Fixtures of rules: miniature repositories below `<fixtures>/<rule-id>/{fail,pass}/<case>/`.

The files of a case are stored as they are, but a part of a path that starts with `dot_` gets a dot instead
(a real nested `.gitignore` would hide fixtures from the repository around them). What comments cannot say
stands in `expect.yaml`, which is no part of the miniature repository:

    arguments: {service: "services/**"}     # of the rule; its defaults hold for the others
    findings:                               # besides the marked lines
      - {path: go.mod, line: 1}
    undecided:                              # findings that leave it to a person
      - {path: main.go, line: 3}
    untracked: [".env"]                     # files that git does not track
    executable: [run.sh]                    # files that may be started
    tag: v1.0.0                             # an annotated tag on the only commit
    checklist: TASKS.md                     # the team's own, for rules that the engine reports
    outcome: not-applicable                 # of the run; default: ran
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from zuno_audit.authoring.marks import OK, RULEID, TODO, Place, marks
from zuno_audit.rules.document import Document
from zuno_audit.rules.shape import check_shape, complaining
from zuno_audit.rules.text import argument_text

FAIL, PASS = "fail", "pass"
EXPECT = "expect.yaml"
_DOT = "dot_"
Scalar = str | int | float | bool


class ExpectedFinding(Struct, forbid_unknown_fields=True):
    """A finding that no comment marks."""

    path: str
    line: Annotated[int, Meta(ge=1)] = 1


class ExpectSpec(Struct, forbid_unknown_fields=True):
    """`expect.yaml`, as written."""

    arguments: dict[str, Scalar | list[Scalar]] = {}
    findings: list[ExpectedFinding] = []
    undecided: list[ExpectedFinding] = []
    untracked: list[str] = []
    executable: list[str] = []
    tag: str = ""
    checklist: str = ""
    outcome: Literal["ran", "not-applicable", "failed", "open"] = "ran"


class Case(Struct, frozen=True):
    """One miniature repository and what a rule must report in it.

    `kind` is `fail` or `pass`; `files` maps paths in the miniature repository to the files that hold them.
    """

    rule: str
    kind: str
    root: Path
    files: Mapping[str, Path]
    expected: frozenset[Place]
    allowed: frozenset[Place]
    todo: frozenset[Place]
    undecided: frozenset[Place] = frozenset()
    arguments: tuple[tuple[str, str], ...] = ()
    untracked: frozenset[str] = frozenset()
    executable: frozenset[str] = frozenset()
    tag: str = ""
    checklist: str = ""
    outcome: str = "ran"

    @property
    def name(self) -> str:
        """`rule/kind/case`."""
        return f"{self.rule}/{self.kind}/{self.root.name}"


class _Marked(Struct):
    """The marked lines of a case, by kind of mark."""

    places: dict[str, set[Place]] = field(default_factory=lambda: {RULEID: set(), OK: set(), TODO: set()})

    def add(self, path: str, file: Path, rule: str) -> None:
        for kind, place in marks(path, file.read_bytes(), rule):
            self.places[kind].add(place)


def cases_of(rule: str, fixtures: Path) -> tuple[Case, ...]:
    """Every case of a rule below the folder of fixtures, failing ones first. Raises RuleError."""
    return tuple(
        read_case(rule, kind, folder) for kind in (FAIL, PASS) for folder in _folders(fixtures / rule / kind)
    )


def _folders(parent: Path) -> list[Path]:
    return sorted(entry for entry in parent.iterdir() if entry.is_dir()) if parent.is_dir() else []


def read_case(rule: str, kind: str, folder: Path) -> Case:
    """The case in a folder. Raises RuleError for a malformed `expect.yaml`."""
    spec = _expect(folder)
    files = dict(_files(folder))
    marked = _Marked()
    for path, file in files.items():
        marked.add(path, file, rule)
    listed = {Place(finding.path, finding.line) for finding in spec.findings}
    return Case(
        rule=rule,
        kind=kind,
        root=folder,
        files=files,
        expected=frozenset(marked.places[RULEID] | listed),
        allowed=frozenset(marked.places[OK]),
        todo=frozenset(marked.places[TODO]),
        undecided=frozenset(Place(finding.path, finding.line) for finding in spec.undecided),
        arguments=tuple(sorted((name, argument_text(value)) for name, value in spec.arguments.items())),
        untracked=frozenset(spec.untracked),
        executable=frozenset(spec.executable),
        tag=spec.tag,
        checklist=spec.checklist,
        outcome=spec.outcome,
    )


def _expect(folder: Path) -> ExpectSpec:
    file = folder / EXPECT
    if not file.is_file():
        return ExpectSpec()
    document = Document(str(file), file.read_text("utf-8"))
    with complaining(document):
        spec: ExpectSpec = check_shape(document.content() or {}, ExpectSpec)
    return spec


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file != folder / EXPECT:
            parts = file.relative_to(folder).parts
            yield "/".join("." + p.removeprefix(_DOT) if p.startswith(_DOT) else p for p in parts), file
