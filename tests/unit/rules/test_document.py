"""The small YAML of rule files."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from zuno_audit.errors import RuleError
from zuno_audit.rules.document import line_of, parse_document

LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8))
DATA = st.recursive(
    LEAVES,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=5), x, max_size=3),
    max_leaves=8,
)


@given(DATA)
def test_reads_what_a_yaml_writer_writes(data: object) -> None:
    written = yaml.dump(data, Dumper=yaml.CSafeDumper)
    assert parse_document(written, "x.yaml") == data


@pytest.mark.parametrize(
    ("text", "value"),
    [("yes", "yes"), ("no", "no"), ("on", "on"), ("true", True), ("null", None), ("1.3.1", "1.3.1")],
)
def test_plain_words(text: str, value: object) -> None:
    assert parse_document(f"a: {text}\n", "x.yaml") == {"a": value}


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse_document(text, "x.yaml")
    except RuleError as error:
        assert error.path == "x.yaml" and error.line >= 1


def test_lines_of_keys_and_items() -> None:
    text = "a: 1\nb:\n  - c: 2\n    d: 3\n"
    assert line_of(text, "x", ("b", 0, "d")) == 4
    assert line_of(text, "x", ("b", 0, "e")) == 3
    assert line_of(text, "x", ("z",)) == 1
