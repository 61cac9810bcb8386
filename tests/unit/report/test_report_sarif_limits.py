"""What GitHub refuses or drops of an upload never gets into it, with 6,000 findings that are hard to compress."""

from __future__ import annotations

import gzip
import json
import random
from typing import Any

import pytest
from msgspec.structs import replace
from sample_result import sample

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, Span, at_line
from zuno_audit.model.result import AuditResult
from zuno_audit.model.rule import RuleInfo
from zuno_audit.report import render

COUNT = 6000
MAX_BYTES = 8 * 1024 * 1024
LEVELS = (Level.ERROR, Level.WARNING, Level.NOTE)


def noise(source: random.Random, length: int) -> str:
    return source.randbytes(length).hex()[:length]


def flood() -> AuditResult:
    """Findings with long messages and flows of many steps, in no order."""
    source = random.Random(7)
    rules = tuple(
        RuleInfo(
            f"rule-{level}", "Title", level, "high", "Why.", "Fix.", tags=tuple(f"tag-{i}" for i in range(30))
        )
        for level in LEVELS
    )
    findings = [
        Finding(
            rule=f"rule-{LEVELS[i % 3]}",
            level=LEVELS[i % 3],
            message=f"{noise(source, 300)}.",
            location=Location("a.go", Span(i + 1, 1, i + 1, 5)),
            flow=tuple(at_line("a.go", source.randrange(1, COUNT), noise(source, 80)) for _ in range(40)),
            fingerprint=f"{i:032x}",
        )
        for i in range(COUNT)
    ]
    source.shuffle(findings)
    text = "".join(f"line {i}\n" for i in range(COUNT))
    return replace(
        sample(), findings=tuple(findings), rules=rules, files=("a.go",), read_text={"a.go": text}.get
    )


@pytest.fixture(scope="module")
def upload() -> tuple[dict[str, Any], int, list[int]]:
    """The run, the size of the file as it is uploaded, and how many results were left out."""
    omitted: list[int] = []
    text = render("sarif", flood(), on_omitted=omitted.append)
    (run,) = json.loads(text)["runs"]
    return run, len(gzip.compress(text.encode())), omitted


def test_it_is_small_enough(upload: tuple[dict[str, Any], int, list[int]]) -> None:
    run, size, omitted = upload
    assert size <= MAX_BYTES
    assert len(run["results"]) <= 5000
    assert [COUNT - len(run["results"])] == omitted == [run["properties"]["omittedResults"]]


def test_the_worst_findings_are_kept_and_lose_their_flows_last(
    upload: tuple[dict[str, Any], int, list[int]],
) -> None:
    run, _, _ = upload
    kept = {
        level: [r for r in run["results"] if r["level"] == level] for level in ("error", "warning", "note")
    }
    assert len(kept["error"]) == len(kept["warning"]) == 2000
    assert len(kept["note"]) == len(run["results"]) - 4000
    with_flow = [level for level in kept if any("codeFlows" in result for result in kept[level])]
    assert with_flow == ["error", "warning", "note"][: len(with_flow)]
    assert "error" in with_flow


def test_every_result_and_rule_is_within_its_limits(upload: tuple[dict[str, Any], int, list[int]]) -> None:
    run, _, _ = upload
    assert all(len(rule["properties"]["tags"]) <= 10 for rule in run["tool"]["driver"]["rules"])
    for result in run["results"]:
        assert len(result["locations"]) == 1
        flows = [thread for flow in result.get("codeFlows", ()) for thread in flow["threadFlows"]]
        assert sum(len(thread["locations"]) for thread in flows) <= 200
        assert set(result["partialFingerprints"]) == {"primaryLocationLineHash", "zunoAuditContext/v1"}
