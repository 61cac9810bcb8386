"""Formats whose tools were not at hand: Trivy and compose, written after their documentation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from evidence import Judge, describe

from zuno_audit.model.verdict import Status

SERVICES = [
    "auth-service",
    "user-service",
    "wallet-service",
    "orchestrator-service",
    "media-service",
    "chain-registry-service",
    "catalog-service",
    "indexer-service",
    "subscription-worker",
    "graphql-gateway",
]


def trivy(folder: Path, head: str, image: str, *severities: str) -> None:
    """A report of `trivy image --format json` (schema version 2)."""
    found = [
        {"VulnerabilityID": f"CVE-2025-{n:04}", "PkgName": "libssl3", "Severity": s}
        for n, s in enumerate(severities)
    ]
    report: dict[str, Any] = {
        "SchemaVersion": 2,
        "ArtifactName": image,
        "ArtifactType": "container_image",
        "Results": [{"Target": f"{image} (alpine 3.22)", "Class": "os-pkgs", "Vulnerabilities": found}],
    }
    target = folder / f"{image.partition(':')[0]}.json"
    target.write_text(json.dumps(report, indent=2), "utf-8")
    describe(target, commit=head)


@pytest.mark.parametrize(
    ("severities", "status"),
    [
        ((), Status.PASS),
        (("LOW", "MEDIUM"), Status.PASS),
        (("LOW", "HIGH"), Status.FAIL),
        (("CRITICAL",), Status.FAIL),
        (("UNKNOWN",), Status.NEEDS_EVIDENCE),
    ],
)
def test_high_and_critical_vulnerabilities_fail(
    severities: tuple[str, ...], status: Status, folder: Path, head: str, judge: Judge
) -> None:
    trivy(folder, head, "zuno-marketplace-auth-service:latest", *severities)
    trivy(folder, head, "zuno-marketplace-graphql-gateway:latest")
    assert judge("4").verdict("4.3.2").status is status


def test_an_image_that_was_not_scanned_is_open(folder: Path, head: str, judge: Judge) -> None:
    trivy(folder, head, "zuno-marketplace-auth-service:latest")
    verdict = judge("4").verdict("4.3.2")
    assert verdict.status is Status.NEEDS_EVIDENCE
    assert any("no scan of zuno-marketplace-graphql-gateway" in check.reason for check in verdict.checks)


def compose(folder: Path, head: str, **changed: dict[str, str]) -> None:
    """The lines of `docker compose ps --all --format json`."""
    lines = [
        {"Name": f"x-{s}-1", "Service": s, "State": "running", "Health": "healthy", "ExitCode": 0}
        | changed.get(s.replace("-", "_"), {})
        for s in SERVICES
    ]
    kept = [line for line in lines if line["State"]]
    (folder / "ps.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
    describe(folder / "ps.jsonl", commit=head)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({}, Status.PASS, "10 of 10 services run"),
        ({"State": "exited"}, Status.FAIL, "media-service"),
        ({"State": "restarting"}, Status.FAIL, "media-service"),
        ({"Health": "unhealthy"}, Status.FAIL, "media-service"),
        ({"Health": "starting"}, Status.NEEDS_EVIDENCE, "still starting"),
        ({"State": ""}, Status.FAIL, "not listed: media-service"),
    ],
)
def test_every_service_must_run(
    change: dict[str, str], status: Status, words: str, folder: Path, head: str, judge: Judge
) -> None:
    compose(folder, head, media_service=change)
    check = next(c for c in judge("3").verdict("3.3.1").checks if c.rule == "evidence:containers")
    assert (check.status, words in check.reason) == (status, True), check.reason


def query(folder: Path, head: str, value: str, **meta: str) -> None:
    """The answer to an instant query."""
    answer = {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1736510400.0, value]}]},
    }
    (folder / "p95.json").write_text(json.dumps(answer), "utf-8")
    describe(folder / "p95.json", commit=head, **meta)


P95 = "histogram_quantile(0.95, rate(http_request_duration_seconds_bucket[5m]))"


@pytest.mark.parametrize(
    ("value", "text", "status"),
    [
        ("0.12", P95, Status.PASS),
        ("0.5", P95, Status.FAIL),
        ("NaN", P95, Status.NEEDS_EVIDENCE),
        ("0.12", P95.replace("0.95", "0.5"), Status.NEEDS_EVIDENCE),
        ("0.12", "", Status.NEEDS_EVIDENCE),
    ],
)
def test_the_measured_percentile_must_be_low_enough(
    value: str, text: str, status: Status, folder: Path, head: str, judge: Judge
) -> None:
    query(folder, head, value, query=text, environment="production")
    shown = [c.status for c in judge("9").verdict("9.1.4").checks if c.rule == "evidence:query"]
    assert shown == [status]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"data": {"signInSiwe": {"nonce": "abc", "message": "m"}}}, Status.PASS),
        ({"data": {"signInSiwe": {"nonce": "", "message": "m"}}}, Status.FAIL),
        ({"data": {"signInSiwe": None}, "errors": [{"message": "no"}]}, Status.FAIL),
    ],
)
def test_a_graphql_answer_must_hold_the_field(
    answer: dict[str, Any], status: Status, folder: Path, head: str, judge: Judge
) -> None:
    (folder / "signin.json").write_text(json.dumps(answer), "utf-8")
    describe(folder / "signin.json", commit=head)
    shown = [c.status for c in judge("5").verdict("5.3.1.1").checks if c.rule == "evidence:graphql"]
    assert shown == [status]
