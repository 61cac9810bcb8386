"""Waivers: how the file is read, what it covers, and when it ends."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from excused import excused, finding
from trees import store_of

from zuno_audit.engine import own_rules
from zuno_audit.engine.suppress import read_suppressions
from zuno_audit.engine.waivers import FILE, Waiver, parse_waivers, read_waivers
from zuno_audit.errors import ConfigError
from zuno_audit.model.location import at_line
from zuno_audit.model.rule_run import Outcome

RULES, ITEMS = ("some-rule", "other-rule", *own_rules.OWN_RULES), ("1.1.1", "1.1.1.1", "1.1.2")
GOOD = """\
waivers:
  - rule: some-rule
    paths: ["services/**", "a.go"]
    reason: It goes in March.
    owner: platform
    expiry: 2026-06-01
"""


def read(text: str) -> tuple[Waiver, ...]:
    return parse_waivers(text.encode(), RULES, ITEMS)


def waiver(rule: str = "", item: str = "", *, paths: str = "**", expiry: str = "2026-06-01") -> Waiver:
    subject = f"rule: {rule}" if rule else f"item: {item}"
    (made,) = read(
        f"- {subject}\n  paths: ['{paths}']\n  reason: We know.\n  owner: us\n  expiry: {expiry}\n"
    )
    return made


def test_a_waiver_as_written() -> None:
    (one,) = read(GOOD)
    assert (one.rule, one.item, one.paths) == ("some-rule", "", ("services/**", "a.go"))
    assert (one.reason, one.owner, one.expiry) == ("It goes in March.", "platform", date(2026, 6, 1))
    assert one.location == at_line(FILE, 2)


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "waivers:\n", "waivers: []\n", "[]\n"])
def test_no_waivers(text: str) -> None:
    assert read(text) == ()


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("some-rule", "some-rul", 2, "Did you mean some-rule?"),
        ("rule: some-rule", "item: 9.9.9", 2, "no item '9.9.9'"),
        ("rule: some-rule", "item: 1.1.1\n    rule: some-rule", 2, "either a rule or an item"),
        ("- rule: some-rule\n    paths", "- paths", 2, "either a rule or an item"),
        ("expiry:", "until:", 6, "unknown key 'until'"),
        ("    expiry: 2026-06-01\n", "", 2, "expiry is missing"),
        ("2026-06-01", "2026-02-30", 6, "'2026-02-30' is not a day"),
        ("2026-06-01", "next year", 6, "'next year' is not a day"),
        ("It goes in March.", "", 4, "reason is missing"),
        ("It goes in March.", "[a]", 4, "reason is missing or is no text"),
        ("    owner: platform\n", "", 2, "owner is missing"),
        ('["services/**", "a.go"]', "[]", 3, "paths is not a list"),
        ('["services/**", "a.go"]', "{}", 3, "paths is not a list"),
        ('"a.go"', '"/etc"', 3, "'/etc' is not a pattern"),
        ('"a.go"', '"../a.go"', 3, "'../a.go' is not a pattern"),
        ('"a.go"', '"a**b"', 3, "'a**b' is not a pattern"),
        ("waivers:", "waiver:", 1, "unknown key 'waiver'"),
        ("    owner: platform\n", "    owner: platform\n    owner: us\n", 6, "occurs twice"),
        ("- rule: some-rule", "- [", 4, "does not parse"),
        ("waivers:", "<<<<<<< HEAD\nwaivers:", 2, "does not parse"),
    ],
)
def test_a_malformed_file_is_an_error_with_place_and_cure(old: str, new: str, line: int, words: str) -> None:
    assert old in GOOD
    with pytest.raises(ConfigError) as caught:
        read(GOOD.replace(old, new))
    assert caught.value.path == FILE and caught.value.line == line
    assert words in str(caught.value) and caught.value.hint


def test_more_errors() -> None:
    for text in ("text\n", "waivers: 3\n", "waivers: [3]\n", GOOD + "---\n" + GOOD, "[" * 5000, "\x00"):
        with pytest.raises(ConfigError):
            read(text)


def test_the_file_is_read_from_the_tree(tmp_path: Path) -> None:
    assert read_waivers(store_of(tmp_path / "a", {"a.go": ""}).repository, RULES, ITEMS) == ()
    assert len(read_waivers(store_of(tmp_path / "b", {FILE: GOOD}).repository, RULES, ITEMS)) == 1


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "outside.yml").write_text(GOOD)
    (tree / FILE).symlink_to(tmp_path / "outside.yml")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_waivers(store_of(tree, {"a.go": ""}).repository, RULES, ITEMS)


def test_a_rule_waiver_covers_its_rule_on_its_paths_only() -> None:
    here, there, other = excused(
        [finding(path="services/a/main.go"), finding(path="tools/main.go"), finding("other-rule")],
        waivers=[waiver("some-rule", paths="services/**")],
    )
    assert here.suppression is not None
    assert here.suppression.words == "waived until 2026-06-01: We know. (us)"
    assert here.suppression.kind == "external"
    assert there.suppression is None and other.suppression is None


def test_it_holds_on_its_last_day_and_fails_the_gate_from_the_next() -> None:
    (held,) = excused([finding()], waivers=[waiver("some-rule", expiry="2026-06-01")])
    assert held.suppression is not None
    broken, expired = excused([finding()], waivers=[waiver("some-rule", expiry="2026-05-31")])
    assert broken.suppression is None
    assert (expired.rule, expired.level.value) == (own_rules.WAIVER_EXPIRED, "error")
    assert "expired on 2026-05-31" in expired.message and "us" in expired.message


def test_an_expired_waiver_of_nothing_fails_the_gate_too() -> None:
    (expired,) = excused([], waivers=[waiver("some-rule", expiry="2026-05-31")])
    assert expired.rule == own_rules.WAIVER_EXPIRED


def test_an_expired_waiver_cannot_be_waived() -> None:
    waivers = [waiver("some-rule", expiry="2020-01-01"), waiver("waiver-expired")]
    assert all(f.suppression is None for f in excused([finding()], waivers=waivers))


def test_a_waiver_of_nothing_is_told_unless_its_rule_failed() -> None:
    (told,) = excused([], waivers=[waiver("some-rule")])
    assert told.rule == own_rules.WAIVER_UNUSED
    assert excused([], waivers=[waiver("some-rule")], outcome=Outcome.FAILED) == ()


def test_an_item_waiver_covers_findings_of_the_item_and_below() -> None:
    items = {"1.1.1": (), "1.1.1.1": ("some-rule",), "1.1.2": ("other-rule",)}
    mine, other = excused([finding(), finding("other-rule")], waivers=[waiver(item="1.1.1")], items=items)
    assert mine.suppression is not None and other.suppression is None


def test_a_finding_that_fails_an_item_that_is_not_waived_still_counts() -> None:
    items = {"1.1.1": ("some-rule",), "1.1.2": ("some-rule", "other-rule")}
    (broken,) = excused([finding()], waivers=[waiver(item="1.1.1")], items=items)
    assert broken.suppression is None
    both = [waiver(item="1.1.1", expiry="2026-09-01"), waiver(item="1.1.2", expiry="2026-07-01")]
    (waived,) = excused([finding()], waivers=both, items=items)
    assert waived.suppression is not None and waived.suppression.until == "2026-07-01"


def test_a_waiver_can_cover_an_unused_suppression() -> None:
    suppressions = read_suppressions("a.go", "// zuno-audit: ignore[some-rule] -- we know\n")
    (told,) = excused([], suppressions, [waiver("suppression-unused")])
    assert told.rule == own_rules.SUPPRESSION_UNUSED and told.suppression is not None


def test_a_finding_of_evidence_belongs_to_the_item_that_asks_for_it() -> None:
    items = {"1.1.1": ("other-rule",), "1.1.2": ()}
    (broken,) = excused([finding()], waivers=[waiver(item="1.1.2")], items=items)
    assert broken.suppression is None
    (waived,) = excused(
        [finding()], waivers=[waiver(item="1.1.2")], items=items, evidence={"1.1.2": ("some-rule",)}
    )
    assert waived.suppression is not None


def test_a_missing_file_can_be_waived() -> None:
    (waived,) = excused([finding(path="docs/RUNBOOK.md")], waivers=[waiver("some-rule", paths="docs/*.md")])
    assert waived.suppression is not None
