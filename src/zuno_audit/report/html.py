"""The report as one HTML page: no script, nothing loaded from anywhere, fit for screen, phone and paper."""

from __future__ import annotations

from zuno_audit.model.result import AuditResult
from zuno_audit.report.page import context, environment
from zuno_audit.report.safe import visible


def render(result: AuditResult) -> str:
    """The report as HTML text. Everything from the repository is escaped."""
    page = environment(is_html=True)
    page.filters["plain"] = visible
    return page.get_template("report.html.jinja").render(context(result))
