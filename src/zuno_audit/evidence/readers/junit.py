"""JUnit XML as gotestsum and go-junit-report write it: `classname` is the package."""

from __future__ import annotations

from xml.etree import ElementTree

from zuno_audit.evidence.observation import FAILED, PASSED, SKIPPED, BrokenEvidence, Observation, Reading
from zuno_audit.evidence.readers.common import Lines, seconds


def recognise(head: bytes) -> bool:
    """True for XML with test suites."""
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()[:2]
    return start in (b"<?", b"<t", b"<!") and b"<testsuite" in head


def read(data: bytes) -> Reading:
    """One `test` for every case, and one for every suite that names a package. Raises BrokenEvidence."""
    lines = Lines(data)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        raise BrokenEvidence("a document type is not allowed in JUnit XML", lines.holding("<!"))
    try:
        root = ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise BrokenEvidence(f"not XML: {error.msg}", error.position[0]) from None
    found: list[Observation] = []
    made_at: float | None = None
    for suite in root.iter("testsuite"):
        made_at = max(filter(None, (made_at, seconds(suite.get("timestamp", "")))), default=None)
        found += _suite(suite, lines)
    return Reading(tuple(found), made_at)


def _suite(suite: ElementTree.Element, lines: Lines) -> list[Observation]:
    cases = suite.findall("testcase")
    tests = [_case(case, suite, lines) for case in cases]
    name = suite.get("name", "")
    bad = any(t.state == FAILED for t in tests) or any(
        suite.get(count, "0") not in ("", "0") for count in ("failures", "errors")
    )
    line = lines.holding(f'name="{name}"')
    package = Observation("test", "", FAILED if bad else PASSED, labels=(("package", name),), line=line)
    return [package, *tests]


def _case(case: ElementTree.Element, suite: ElementTree.Element, lines: Lines) -> Observation:
    name = case.get("name", "")
    if case.find("failure") is not None or case.find("error") is not None:
        state = FAILED
    else:
        state = SKIPPED if case.find("skipped") is not None else PASSED
    package: str = case.get("classname") or suite.get("name") or ""
    labels: tuple[tuple[str, str], ...] = (("package", package),)
    return Observation("test", name, state, labels=labels, line=lines.holding(f'name="{name}"'))
