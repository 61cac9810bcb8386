"""Baselines: the file, what is new, unchanged and absent, and what a revision keeps."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from zuno_audit.engine import own_rules
from zuno_audit.engine.baseline import (
    Baseline,
    Known,
    baseline_of,
    compare,
    present,
    pruned,
    read_baseline,
    updated,
)
from zuno_audit.errors import ConfigError
from zuno_audit.model.finding import Finding, Level, Suppression
from zuno_audit.model.location import at_line

A, B, C = "a" * 32, "b" * 32, "c" * 32
KNOWN = st.builds(
    Known,
    st.text("0123456789abcdef", min_size=32, max_size=32),
    st.sampled_from(["some-rule", "other-rule"]),
    st.text(max_size=20),
)


def finding(fingerprint: str, rule: str = "some-rule") -> Finding:
    return Finding(rule, Level.ERROR, "It is broken.", at_line("a.go", 3), fingerprint=fingerprint)


def known(fingerprint: str, rule: str = "some-rule") -> Known:
    return Known(fingerprint, rule, "a.go")


def states(findings: tuple[Finding, ...]) -> dict[str, str | None]:
    return {f.fingerprint[0]: f.baseline for f in findings}


def test_the_file() -> None:
    text = baseline_of([known(B), known(A)]).text()
    entry = '{{"fingerprint": "{}", "rule": "some-rule", "path": "a.go"}}'
    assert text == (
        '{\n  "schema": "zuno-audit/baseline/v1",\n  "findings": [\n'
        f"    {entry.format(A)},\n    {entry.format(B)}\n  ]\n}}\n"
    )
    assert json.loads(Baseline().text()) == {"schema": "zuno-audit/baseline/v1", "findings": []}


@given(st.lists(KNOWN, max_size=6))
def test_what_is_written_is_read_again_in_any_order(entries: list[Known]) -> None:
    made = baseline_of(entries)
    assert read_baseline(made.text().encode(), "b.json") == made == baseline_of(reversed(entries))


def test_two_branches_merge_line_by_line() -> None:
    """Each finding is a line of its own, so that git merges additions at different places."""
    base, more = baseline_of([known(A), known(C)]).text(), baseline_of([known(A), known(B), known(C)]).text()
    assert [line for line in more.splitlines() if line not in base.splitlines()] == [
        f'    {{"fingerprint": "{B}", "rule": "some-rule", "path": "a.go"}},'
    ]


GOOD = baseline_of([known(A), known(B)]).text()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("{\n", "<<<<<<< HEAD\n{\n", 1, "not JSON"),
        (f'"{B}"', f'"{B}', 5, "not JSON"),
        ("baseline/v1", "baseline/v9", 1, "schema"),
        (f'"{B}"', '"xyz"', 5, "findings[1]"),
        (f'"{B}"', "7", 5, "findings[1]"),
        (', "path": "a.go"}\n', "}\n", 5, "findings[1]"),
        ('"path": "a.go"},', '"path": "a.go", "line": 3},', 4, "findings[0]"),
        ('"findings"', '"finding"', 1, "nothing else"),
    ],
)
def test_a_malformed_file_is_an_error_with_place_and_cure(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read_baseline(GOOD.replace(old, new, 1).encode(), "b.json")
    assert (caught.value.path, caught.value.line) == ("b.json", line)
    assert words in str(caught.value) and "create --force" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b"\xff\xfe", b"[]", b"null", b"[" * 100_000, b'{"schema": 1}'])
def test_other_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(ConfigError):
        read_baseline(data, "b.json")


def test_new_unchanged_absent() -> None:
    done = compare([finding(A), finding(B)], baseline_of([known(B), known(C)]), unsure=())
    assert states(done) == {"a": "new", "b": "unchanged", "c": "absent"}


def test_what_a_rule_that_did_not_run_does_not_find_is_not_absent() -> None:
    done = compare([], baseline_of([known(A), known(B, "other-rule")]), unsure={"other-rule"})
    assert states(done) == {"a": "absent"}
    assert pruned(baseline_of([known(A), known(B, "other-rule")]), done).findings == (known(B, "other-rule"),)


def test_an_expired_waiver_is_new_for_ever() -> None:
    expired = finding(A, own_rules.WAIVER_EXPIRED)
    assert present([expired]).findings == ()
    (again,) = compare([expired], baseline_of([known(A, own_rules.WAIVER_EXPIRED)]), unsure=())
    assert again.baseline == "new"


def test_suppressed_findings_are_not_taken_in() -> None:
    assert present([replace(finding(A), suppression=Suppression("inSource", "we know"))]).findings == ()


def test_revisions() -> None:
    old = baseline_of([known(B), known(C)])
    done = compare([finding(A), finding(B)], old, unsure=())
    assert [k.fingerprint for k in present(done).findings] == [A, B]
    assert [k.fingerprint for k in pruned(old, done).findings] == [B]
    assert [k.fingerprint for k in updated(old, done).findings] == [A, B]
