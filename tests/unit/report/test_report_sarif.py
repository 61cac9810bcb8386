"""SARIF: what GitHub gets, what the full profile keeps, and the limits."""

from __future__ import annotations

import json
import random
import re
from typing import Any

import pytest
from msgspec.structs import replace
from sample_result import CONFIG, FILES, MAIN, PLANTED, SERVER, sample

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location, Span, at_line
from zuno_audit.model.result import AuditResult, RepositoryInfo
from zuno_audit.model.rule import RuleInfo
from zuno_audit.report import render
from zuno_audit.report import sarif as sarif_module


def run_of(result: AuditResult, name: str = "sarif", **options: object) -> dict[str, Any]:
    run: dict[str, Any] = json.loads(render(name, result, **options))["runs"][0]
    return run


def by_rule(run: dict[str, Any], rule: str) -> list[dict[str, Any]]:
    return [r for r in run["results"] if r["ruleId"] == rule]


def test_the_upload_holds_only_what_fails() -> None:
    run = run_of(sample())
    assert {r["ruleId"] for r in run["results"]} == {
        *("fallback-secret", "grpc-server-without-unary-recovery", "name-differs"),
    }
    text = json.dumps(run["results"])
    assert '"kind"' not in text and "suppressions" not in text and "snippet" not in text
    assert ".env.example" not in text


def test_a_difference_in_wording_is_no_alert_under_a_rule_of_another_level() -> None:
    result = sample()
    rules = tuple(replace(r, level=Level.ERROR) if r.id == "name-differs" else r for r in result.rules)
    assert by_rule(run_of(replace(result, rules=rules)), "name-differs") == []
    full = by_rule(run_of(replace(result, rules=rules), "sarif-full"), "name-differs")
    assert [(r["kind"], r["level"]) for r in full] == [("informational", "none")]


def test_an_undecided_finding_is_uploaded_only_from_a_rule_of_low_precision() -> None:
    result = sample()
    place = at_line("README.md", 1)
    findings = tuple(replace(f, location=place) if f.undecided else f for f in result.findings)
    rules = tuple(replace(r, precision="low") if r.id == "monitoring-missing" else r for r in result.rules)
    assert by_rule(run_of(replace(result, findings=findings)), "monitoring-missing") == []
    (hint,) = by_rule(run_of(replace(result, findings=findings, rules=rules)), "monitoring-missing")
    assert hint["level"] == "note"
    assert hint["message"]["text"].startswith("Please check: No Prometheus")


def test_two_findings_of_one_rule_on_one_line_are_one_result_with_a_link() -> None:
    (result,) = by_rule(run_of(sample()), "grpc-server-without-unary-recovery")
    assert "Also [here](1): A second server on the same line does not recover." in result["message"]["text"]
    (related,) = result["relatedLocations"]
    assert related["id"] == 1
    assert related["physicalLocation"]["region"]["startColumn"] == 60


def test_columns_count_utf16_units() -> None:
    (result,) = by_rule(run_of(sample()), "grpc-server-without-unary-recovery")
    region = result["locations"][0]["physicalLocation"]["region"]
    line = FILES[MAIN].split("\n")[5].encode("utf-16-le")
    start, end = (region["startColumn"] - 1) * 2, (region["endColumn"] - 1) * 2
    assert line[start:end].decode("utf-16-le") == "grpc.NewServer(opts...)"
    assert region["startColumn"] == SERVER.span.start_column + 3  # three letters outside the BMP before it


def test_the_evidence_chain_is_a_code_flow_with_inline_locations() -> None:
    (result,) = by_rule(run_of(sample()), "grpc-server-without-unary-recovery")
    steps = result["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [s["importance"] for s in steps] == ["essential", "important", "essential"]
    assert steps[1]["location"]["message"]["text"] == "the server is created \\[here\\](99)"


def test_text_from_the_repository_makes_no_links() -> None:
    (result,) = by_rule(run_of(sample()), "grpc-server-without-unary-recovery")
    text = result["message"]["text"]
    assert "\\[bold\\]empty\\[/bold\\]" in text
    assert re.findall(r"(?<!\\)\[((?:\\.|[^\]\\])*)\]\((\d+)\)", text) == [("here", "1")]


def test_a_missing_file_hangs_on_the_nearest_file_and_names_the_expected_one() -> None:
    result = sample()
    gone = Finding("fallback-secret", Level.ERROR, "It is missing.", at_line("services/auth/config/x/y.go"))
    far = replace(gone, location=at_line("infra/k8s/gateway.yaml"))
    run = run_of(replace(result, findings=(gone, far)))
    places = {
        r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]: r["message"]["text"]
        for r in run["results"]
    }
    assert places == {
        CONFIG: "It is missing. Expected at services/auth/config/x/y.go.",
        "go.mod": "It is missing. Expected at infra/k8s/gateway.yaml.",
    }


def test_uris_are_encoded_and_results_sorted() -> None:
    results = run_of(sample(), "sarif-full")["results"]
    places = [
        (p["artifactLocation"]["uri"], p["region"]["startLine"], p["region"]["startColumn"], r["ruleId"])
        for r in results
        for p in [r["locations"][0]["physicalLocation"]]
    ]
    assert "shared/gr%C3%B6%C3%9Fe.go" in {p[0] for p in places}
    assert "services/user%20service/cmd/main.go" in {p[0] for p in places}
    assert places == sorted(places)


def test_the_full_profile_keeps_suppressed_findings_and_every_open_item() -> None:
    run = run_of(sample(), "sarif-full")
    assert all("suppressions" in r for r in run["results"])
    (waived,) = [r for r in run["results"] if r["suppressions"]]
    assert waived["suppressions"][0]["kind"] == "inSource"
    assert waived["suppressions"][0]["justification"] == "a sample, see the handbook"
    kinds = {r["ruleId"]: r["kind"] for r in run["results"] if r["ruleId"].startswith("checklist-item/")}
    assert kinds["checklist-item/1.1.1"] == "pass"
    assert kinds["checklist-item/1.3.1.1"] == "notApplicable"
    assert kinds["checklist-item/1.3.2"] == kinds["checklist-item/6.1.1"] == "open"
    assert kinds["checklist-item/S.1.1"] == "review"
    assert "checklist-item/4.2.3" not in kinds


def test_no_profile_shows_a_secret() -> None:
    assert PLANTED not in render("sarif", sample())
    full = render("sarif-full", sample())
    assert PLANTED not in full
    assert '"snippet"' in full


def test_rules_carry_help_taxonomy_and_at_most_ten_tags() -> None:
    result = sample()
    rules = (replace(result.rules[0], tags=tuple(f"tag-{i:02}" for i in range(20))), *result.rules[1:])
    run = run_of(replace(result, rules=rules))
    driver = run["tool"]["driver"]
    assert [r["id"] for r in driver["rules"]] == sorted(r.id for r in rules)
    rule = driver["rules"][0]
    assert rule["name"] == "FallbackSecret"
    assert rule["helpUri"].endswith("/docs/rules/fallback-secret.md")
    assert "## Bad\n\n```go\n" in rule["help"]["markdown"]
    assert rule["properties"]["security-severity"] == "8.0"
    tags = rule["properties"]["tags"]
    assert len(tags) == 10 and tags == sorted(tags)
    assert {"security", "external/cwe/cwe-798"} <= set(tags)
    assert run["taxonomies"][0]["taxa"][1]["shortDescription"]["text"] == "Use of Hard-coded Credentials."
    targets = [r["target"] for r in rule["relationships"]]
    assert [(t["id"], t["toolComponent"]["name"]) for t in targets] == [
        ("4.2.3", "zuno-checklist"),
        ("798", "CWE"),
    ]
    assert run["tool"]["extensions"][0]["taxa"][targets[0]["index"]]["id"] == "4.2.3"


def test_every_item_is_a_taxon_with_its_verdict() -> None:
    taxa = run_of(sample())["tool"]["extensions"][0]["taxa"]
    verdicts = {t["id"]: t["properties"]["verdict"] for t in taxa}
    assert verdicts["1.3.2"] == "error"
    assert verdicts["6.1.1"] == "needs-evidence"
    assert len(verdicts) == 11


def test_category_and_provenance_are_left_out_when_there_are_none() -> None:
    result = replace(sample(), repository=RepositoryInfo())
    run = run_of(result, category="")
    assert "automationDetails" not in run and "versionControlProvenance" not in run
    assert run_of(result, category="nightly")["automationDetails"] == {"id": "nightly/"}


def crowd(count: int, flow: tuple[Location, ...] = ()) -> AuditResult:
    """A result with so many findings on lines of their own."""
    levels = (Level.ERROR, Level.WARNING, Level.NOTE)
    rules = tuple(RuleInfo(f"rule-{level}", "Title", level, "high", "Why.", "Fix.") for level in levels)
    source = "".join(f"line {i}\n" for i in range(count))
    findings = tuple(
        Finding(
            f"rule-{levels[i % 3]}",
            levels[i % 3],
            "Message.",
            Location("a.go", Span(i + 1, 1, i + 1, 5)),
            flow,
        )
        for i in range(count)
    )
    return replace(sample(), findings=findings, rules=rules, files=("a.go",), read_text={"a.go": source}.get)


def test_the_same_5000_of_6000_findings_are_kept_whatever_their_order() -> None:
    result = crowd(6000)
    omitted: list[int] = []
    text = render("sarif", result, on_omitted=omitted.append)
    run = json.loads(text)["runs"][0]
    assert len(run["results"]) == 5000
    assert run["properties"]["omittedResults"] == 1000
    assert omitted == [1000]
    assert (
        "1000 results were left out"
        in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    )
    assert sum(r["level"] == "error" for r in run["results"]) == 2000
    assert sum(r["level"] == "note" for r in run["results"]) == 1000
    shuffled = list(result.findings)
    random.Random(1).shuffle(shuffled)
    assert render("sarif", replace(result, findings=tuple(shuffled))) == text
    assert len(run_of(result, "sarif-full")["results"]) >= 6000


def test_a_file_too_large_loses_flows_of_the_lowest_level_first(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = (at_line("a.go", 1, "one"), at_line("a.go", 2, "two"))
    result = crowd(300, flow)
    whole = run_of(result)
    size = len(render("sarif", replace(result, findings=result.findings)).encode())
    monkeypatch.setattr(sarif_module, "_fits", lambda text: len(text.encode()) < size - 1000)
    smaller = run_of(result)
    assert len(smaller["results"]) == len(whole["results"])
    with_flow = {r["level"] for r in smaller["results"] if "codeFlows" in r}
    assert with_flow == {"error", "warning"}
    monkeypatch.setattr(
        sarif_module, "_fits", lambda text: len(json.loads(text)["runs"][0]["results"]) <= 100
    )
    least = run_of(result)
    assert {r["level"] for r in least["results"]} == {"error"}
    assert least["properties"]["omittedResults"] == 300 - len(least["results"])


def test_diagnostics_become_notifications() -> None:
    (notification,) = run_of(sample())["invocations"][0]["toolExecutionNotifications"]
    assert notification["level"] == "warning"
    assert notification["message"]["text"] == "services/broken.go: not parsed: syntax error"
    assert "locations" not in notification  # the sample has no such file


def test_inserting_lines_above_changes_no_fingerprint() -> None:
    result = sample()
    moved = tuple(
        replace(f, location=replace(f.location, span=Span(*(v + 2 * (i % 2 == 0) for i, v in enumerate(s)))))
        if f.location.path == CONFIG
        else f
        for f in result.findings
        for s in [
            (
                f.location.span.start_line,
                f.location.span.start_column,
                f.location.span.end_line,
                f.location.span.end_column,
            )
        ]
    )
    texts = {**FILES, CONFIG: FILES[CONFIG].replace("func Load", "// one\n// two\nfunc Load")}
    before = by_rule(run_of(result), "fallback-secret")
    after = by_rule(run_of(replace(result, findings=moved, read_text=texts.get)), "fallback-secret")
    line = after[0]["locations"][0]["physicalLocation"]["region"]["startLine"]
    assert line == before[0]["locations"][0]["physicalLocation"]["region"]["startLine"] + 2
    assert [r["partialFingerprints"] for r in after] == [r["partialFingerprints"] for r in before]
