"""What the two documents, Markdown and HTML, share: the templates and the words they use."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from zuno_audit.model.finding import Finding, Level
from zuno_audit.model.location import Location
from zuno_audit.model.result import AuditResult, RepositoryInfo
from zuno_audit.report.boxes import shown
from zuno_audit.report.decision import decide
from zuno_audit.report.excerpt import Excerpt, Sources
from zuno_audit.report.layout import MARKS, WORDS, by_severity, counted_findings, phases, plural
from zuno_audit.report.stranger import explanation

if TYPE_CHECKING:
    from jinja2 import Environment

SHORT_COMMIT = 10


@lru_cache(maxsize=2)
def environment(*, is_html: bool) -> Environment:
    """The templates of this package; HTML escapes whatever is put in."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    folder = Path(__file__).with_name("templates")
    return Environment(
        loader=FunctionLoader(lambda name: folder.joinpath(name).read_text("utf-8")),
        autoescape=is_html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def context(result: AuditResult) -> dict[str, Any]:
    """Everything a template may use."""
    sources = Sources(result)
    rules = {rule.id: rule for rule in result.rules}
    counted = by_severity(counted_findings(result))
    known = frozenset(result.files)
    inside = frozenset(path for path in known if not path.startswith("../"))

    def excerpt(finding: Finding) -> Excerpt | None:
        return sources.excerpt(finding.location, rules.get(finding.rule), 160)

    return {
        "result": result,
        "repository": result.repository,
        "phases": phases(result),
        "decision": decide(result),
        "note": explanation(result),
        "findings": counted,
        "finding_counts": finding_counts(counted),
        "suppressed": [f for f in result.findings if f.suppression is not None],
        "team": shown(result.checklist_file),
        "rules": rules,
        "excerpt": excerpt,
        "href": lambda place: line_url(result.repository, place) if place.path in inside else "",
        "is_there": lambda place: place.path in known,
        "once": lambda places: list({(p.path, p.line): p for p in reversed(places)}.values())[::-1],
        "marks": MARKS,
        "words": WORDS,
        "commit": (result.repository.commit or "")[:SHORT_COMMIT],
    }


def finding_counts(findings: list[Finding]) -> str:
    """`3 errors, 1 note`, or `no findings`."""
    counts = [(sum(f.level is level for f in findings), level.value) for level in Level]
    return ", ".join(plural(count, word) for count, word in counts if count) or "no findings"


def line_url(repository: RepositoryInfo, place: Location) -> str:
    """The address of a line at its commit, or "" where the repository has no web address.

    The form is GitHub's; GitLab and Gitea redirect it.
    """
    if not repository.commit or not (repository.url or "").startswith("https://"):
        return ""
    base = (repository.url or "").removesuffix("/").removesuffix(".git")
    path = quote(place.path.encode("utf-8", "surrogateescape"))
    return f"{base}/blob/{repository.commit}/{path}#L{place.line}"
