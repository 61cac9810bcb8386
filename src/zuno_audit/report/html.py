"""The report as one HTML page: no script, nothing loaded from anywhere, fit for screen, phone and paper."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.model.result import AuditResult
from zuno_audit.report.page import context, environment
from zuno_audit.report.safe import visible

if TYPE_CHECKING:
    from markupsafe import Markup


_CODE = re.compile(r"`([^`\n]+)`")


def _prose(text: str) -> Markup:
    """Our own prose, with the code in it."""
    from markupsafe import Markup, escape

    return Markup(_CODE.sub(r"<code>\1</code>", str(escape(visible(text)))))


def render(result: AuditResult) -> str:
    """The report as HTML text. Everything from the repository is escaped."""
    page = environment(is_html=True)
    page.filters["plain"] = visible
    page.filters["prose"] = _prose
    return page.get_template("report.html.jinja").render(context(result))
