"""Readers take whatever they are given: they say what a file holds, or where it is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from evidence import SAMPLES

from zuno_audit.evidence.observation import BrokenEvidence
from zuno_audit.evidence.readers import HEAD_BYTES, format_of, reader

FORMATS = {
    "coverage.out": "coverage",
    "docker-images.jsonl": "docker_images",
    "go-test-short.jsonl": "go_test",
    "golangci-lint.json": "golangci",
    "gosec.json": "gosec",
    "gosec.sarif": "sarif",
    "graphql-error.json": "graphql_answer",
    "health-verbose.txt": "http_answer",
    "health.http": "http_answer",
    "junit.xml": "junit",
    "metrics.txt": "metrics_text",
    "rules.json": "prometheus",
    "schema.sql": "pg_dump",
    "untidy.diff": "tidy_diff",
}


def lines_of_trouble(data: bytes) -> int | None:
    """The line at which a file is broken, 0 when it is not, None when it is not recognised."""
    name = format_of(data[:HEAD_BYTES])
    if name is None:
        return None
    try:
        reader(name).read(data)
    except BrokenEvidence as error:
        return error.line
    return 0


@pytest.mark.parametrize(("sample", "name"), FORMATS.items())
def test_real_outputs_are_recognised_and_read(sample: str, name: str) -> None:
    data = (SAMPLES / sample).read_bytes()
    assert format_of(data[:HEAD_BYTES]) == name
    assert reader(name).read(data).observations


@pytest.mark.parametrize("sample", sorted(SAMPLES.iterdir()), ids=lambda path: path.name)
def test_a_cut_or_dirtied_file_has_a_line_that_exists(sample: Path) -> None:
    data = sample.read_bytes()
    for at in range(1, 30):
        place = len(data) * at // 30
        for damaged in (data[:place], data[:place] + b'\xff"{' + data[place:], data[place:]):
            trouble = lines_of_trouble(damaged)
            assert trouble is None or 0 <= trouble <= damaged.count(b"\n") + 1


def test_half_a_surrogate_pair_is_no_reason_to_stop() -> None:
    report = {"runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "\ud800"}]}]}
    assert lines_of_trouble(json.dumps(report, indent=1).encode()) == 0


def test_a_text_inside_a_function_is_no_statement() -> None:
    text = (
        "--\n-- PostgreSQL database dump\n--\n\nCREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $_$\n"
        "CREATE TABLE auth.sessions (\n$_$;\n\n--\n-- PostgreSQL database dump complete\n--\n"
    )
    assert reader("pg_dump").read(text.encode()).observations == ()
