"""Rule files: what is accepted, and where a complaint points to."""

from __future__ import annotations

from pathlib import Path

import pytest

from zuno_audit.errors import RuleError
from zuno_audit.facts.catalog import TABLES
from zuno_audit.model.finding import Level
from zuno_audit.resources import data_root
from zuno_audit.rules.load import RuleFiles, read_rule
from zuno_audit.rules.spec import rule_schema

VALID = """\
id: box-without-lid
title: Box without a lid
kind: presence
severity: error
precision: high
security-severity: "8.0"
cwe: [248]
tags: [boxes]
since: 0.1.0
parameters: {path: "**", names: [a, b], least: 2}
for_each: box
where:
  path: {glob: "{{ path }}"}
require:
  - lid: yes
    message: "no lid: {{ lid.because }}"
why: |
  Things fall out.
fix: Put a lid on it.
"""
PATH = "test/box-without-lid.yaml"


@pytest.fixture(autouse=True)
def _box_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TABLES, "box", "unused:unused")


def test_a_valid_rule() -> None:
    rule = read_rule(VALID, PATH)
    assert (rule.id, rule.quantifier, rule.table) == ("box-without-lid", "for_each", "box")
    assert rule.parameters == (("path", "**"), ("names", "a, b"), ("least", "2"))
    assert rule.require[0].condition == (("lid", "yes"),)
    assert (rule.info.level, rule.info.security_severity, rule.info.cwe) == (Level.ERROR, "8.0", (248,))
    assert (rule.info.why, rule.info.pack) == ("Things fall out.", "test")


def change(old: str, new: str) -> str:
    assert old in VALID
    return VALID.replace(old, new)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (change("since:", "sinse:"), 9, "unknown key 'sinse'"),
        (change("severity: error", "severity: fatal"), 4, "fatal"),
        (change("kind: presence", "kind: guess"), 3, "guess"),
        (change("title: Box without a lid\n", ""), 1, "title"),
        (change("id: box-without-lid", "id: box-with-lid"), 1, "file name"),
        (change("for_each: box", "for_each: crate"), 11, "unknown table 'crate'"),
        (change("for_each: box", "for_each: query:go/box"), 11, "query"),
        (change("for_each: box", "for_each: box\nexists: box"), 1, "exactly one"),
        (change("for_each: box", "forbid: box\nmessage: no"), 11, "no require"),
        (change('{glob: "{{ path }}"}', '{glab: "x"}'), 13, "glab"),
        (change('"{{ path }}"', '"{{ paths }}"'), 13, "not a parameter"),
        (change('    message: "no lid: {{ lid.because }}"\n', ""), 15, "message"),
        (change("lid: yes", "lid: {matches: '('}"), 15, "regular expression"),
        (change("lid: yes", "lid: {in: 3}"), 15, "in"),
        (change("tags: [boxes]", "tags: [boxes]\ntags: [x]"), 9, "duplicate key 'tags'"),
        (change("tags: [boxes]", "tags: [boxes"), 9, "not YAML"),
        (change("tags: [boxes]", "tags: &t [boxes]\ncwe2: *t"), 9, "aliases"),
        (VALID + "---\nid: x\n", 20, "more than one document"),
        ("", 1, ""),
        ("- a\n", 1, ""),
    ],
)
def test_complaint_names_file_and_line(text: str, line: int, words: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_rule(text, PATH)
    assert (caught.value.path, caught.value.line) == (PATH, line)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words", "cure"),
    [
        (change("severity: error", "severity: fatal"), "'fatal' is not known here", "error, note, warning"),
        (change("kind: presence", "kind: guess"), "'guess' is not known here", "dataflow, document"),
        (change("title: Box without a lid\n", ""), "key 'title' is missing", ""),
        (change('{glob: "{{ path }}"}', '{glab: "x"}'), "unknown key 'glab'", "'glob'"),
        (change('{glob: "{{ path }}"}', '{size: "x"}'), "unknown key 'size'", "in, not, at_least, at_most"),
        (change("tags: [boxes]", "tags: boxes"), "a list is expected here, not text", ""),
    ],
)
def test_complaint_says_what_would_be_right(text: str, words: str, cure: str) -> None:
    with pytest.raises(RuleError) as caught:
        read_rule(text, PATH)
    assert words in str(caught.value)
    assert cure in caught.value.hint


def test_rules_are_found_by_file_name(tmp_path: Path) -> None:
    (tmp_path / "go").mkdir()
    (tmp_path / "go" / "box-without-lid.yaml").write_text(VALID, "utf-8")
    (tmp_path / "go" / "pack.yaml").write_text("name: go\ndescription: About Go.\n", "utf-8")
    (tmp_path / "checklist").mkdir()
    (tmp_path / "checklist" / "phase-1.yaml").write_text("not: a rule", "utf-8")
    files = RuleFiles([tmp_path])
    assert files.ids() == ("box-without-lid",)
    assert files.rule("box-without-lid").info.pack == "go"
    assert "phase-1" not in files


def test_an_id_belongs_to_one_file(tmp_path: Path) -> None:
    for pack in ("go", "sql"):
        (tmp_path / pack).mkdir()
        (tmp_path / pack / "box-without-lid.yaml").write_text(VALID, "utf-8")
    with pytest.raises(
        RuleError, match=r"duplicate rule id 'box-without-lid', also in go/box-without-lid\.yaml"
    ):
        RuleFiles([tmp_path])


def test_pack_file_is_checked(tmp_path: Path) -> None:
    (tmp_path / "go").mkdir()
    (tmp_path / "go" / "pack.yaml").write_text("name: go\ncolour: red\n", "utf-8")
    with pytest.raises(RuleError, match=r"go/pack\.yaml:2"):
        RuleFiles([tmp_path]).packs()


def test_every_rule_that_comes_along_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    files = RuleFiles([data_root() / "rules"])
    assert [rule.id for rule in files.all()] == list(files.ids())


def test_schema_describes_the_same_keys() -> None:
    from jsonschema import Draft202012Validator

    from zuno_audit.rules.document import parse_document

    validator = Draft202012Validator(rule_schema())
    assert validator.is_valid(parse_document(VALID, PATH))
    assert not validator.is_valid(parse_document(change("since:", "sinse:"), PATH))
