"""The JSON report: exact keys, order, and the same bytes every time."""

from __future__ import annotations

import json

from msgspec.structs import replace
from sample_result import PLANTED, sample

from zuno_audit.model.location import at_line
from zuno_audit.report import render


def test_keys_stand_in_the_order_of_the_contract() -> None:
    data = json.loads(render("json", sample()))
    assert list(data) == ["schema", "tool", "repository", "summary", "checklist", "findings", "diagnostics"]
    assert list(data["repository"]) == ["commit", "branch", "dirty"]
    assert list(data["summary"]) == ["pass", "fail", "error", "needs-evidence", "manual", "not-applicable"]
    assert list(data["checklist"][0]) == ["id", "parent", "phase", "section", "title", "status", "checks"]
    assert list(data["findings"][0]) == [
        *("rule", "level", "message", "path", "start_line", "start_column", "end_line", "end_column"),
        *("checklist", "fingerprint", "flow", "suppressed"),
    ]
    assert list(data["diagnostics"][0]) == ["level", "path", "line", "message"]


def test_values_are_those_of_the_result() -> None:
    data = json.loads(render("json", sample()))
    assert data["schema"] == "zuno-audit/report/v1"
    assert data["summary"] == {
        "pass": 1,
        "fail": 3,
        "error": 1,
        "needs-evidence": 1,
        "manual": 4,
        "not-applicable": 1,
    }
    waived = next(f for f in data["findings"] if f["path"] == ".env.example")
    assert waived["suppressed"] == {"kind": "inSource", "reason": "a sample, see the handbook"}
    server = next(f for f in data["findings"] if f["flow"])
    assert (server["start_line"], server["start_column"]) == (6, 52)
    assert server["flow"][0] == {
        "path": "services/user service/cmd/main.go",
        "line": 6,
        "message": "name is set",
    }


def test_findings_are_sorted_by_place_whatever_their_order_in_the_result() -> None:
    result = sample()
    shuffled = replace(result, findings=result.findings[::-1])
    assert render("json", shuffled) == render("json", result)
    data = json.loads(render("json", shuffled))
    places = [(f["path"], f["start_line"], f["start_column"], f["rule"]) for f in data["findings"]]
    assert places == sorted(places)


def test_text_is_utf8_as_it_stands_and_holds_no_secret() -> None:
    text = render("json", sample())
    assert "Größe" in text
    assert text.endswith("}\n")
    assert "\x1b" not in text
    assert PLANTED not in text


def test_a_file_name_that_is_no_utf8_is_written_as_an_escape() -> None:
    result = sample()
    broken = replace(result.findings[0], location=at_line("bad\udcff.go"))
    text = render("json", replace(result, findings=(broken,)))
    assert "bad\\udcff.go" in text
    assert json.loads(text)["findings"][0]["path"] == "bad\udcff.go"
