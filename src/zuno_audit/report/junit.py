"""JUnit XML: every item of the checklist is a test case, every phase a suite.

Open items are skipped, not passed: a build server must not show green for what nobody has checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from zuno_audit.model.result import AuditResult
from zuno_audit.model.verdict import Status, Verdict
from zuno_audit.report.layout import WORDS, Phase, Tally, deciding_checks, phases, proof, tally

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, section 2.2


def render(result: AuditResult) -> str:
    """The verdicts as one `testsuites` document, without times."""
    return "\n".join([*_document(result), ""])


def _document(result: AuditResult) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f"<testsuites name={_attribute('zuno-audit')} {_counts(tally(result.verdicts))}>"
    for phase in phases(result):
        yield from _suite(phase)
    yield "</testsuites>"


def _suite(phase: Phase) -> Iterator[str]:
    yield f"  <testsuite name={_attribute(phase.heading)} {_counts(phase.tally)}>"
    for section in phase.sections:
        for verdict in section.verdicts:
            yield from _case(verdict, f"{phase.heading}.{section.title}")
    yield "  </testsuite>"


def _case(verdict: Verdict, class_name: str) -> Iterator[str]:
    name = f"{verdict.control.id} {verdict.control.title}"
    yield f"    <testcase classname={_attribute(class_name)} name={_attribute(name)}>"
    reason = " ".join(check.reason for check in deciding_checks(verdict) if check.reason)
    places = "\n".join(f"{p.path}:{p.line} {p.note}".rstrip() for p in proof(verdict, limit=20))
    word = WORDS[verdict.status]
    if verdict.status is Status.PASS:
        proof_text = f"{reason}\n{places}".strip()
        yield f"      <system-out>{_text(proof_text)}</system-out>"
    elif verdict.status in (Status.FAIL, Status.ERROR):
        tag = "failure" if verdict.status is Status.FAIL else "error"
        yield f"      <{tag} message={_attribute(reason)} type={_attribute(word)}>{_text(places)}</{tag}>"
    else:
        yield f"      <skipped message={_attribute(f'{word}: {reason}')}/>"
    yield "    </testcase>"


def _counts(count: Tally) -> str:
    skipped = count.open + count.not_applicable
    return f'tests="{count.total}" failures="{count.failed}" errors="{count.errors}" skipped="{skipped}"'


def _text(text: str) -> str:
    return escape(_FORBIDDEN.sub("\ufffd", text))


def _attribute(text: str) -> str:
    return quoteattr(_FORBIDDEN.sub("\ufffd", text))
