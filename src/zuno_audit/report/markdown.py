"""The checklist as Markdown: every box with its mark and its proof, then the findings."""

from __future__ import annotations

import re

from zuno_audit.model.location import Location
from zuno_audit.model.result import AuditResult
from zuno_audit.report.page import context, environment
from zuno_audit.report.safe import visible

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>|~#!$])")
_BACKTICKS = re.compile(r"`+")


def render(result: AuditResult) -> str:
    """The report as GitHub-flavoured Markdown."""
    page = environment(is_html=False)
    page.filters.update(md=escaped, code=code_span)
    data = context(result)
    href = data["href"]

    def place(location: Location) -> str:
        known = data["is_there"](location)
        text = code_span(f"{location.path}:{location.line}" if known else location.path)
        url = href(location)
        return f"[{text}]({url})" if url else text

    return page.get_template("report.md.jinja").render({**data, "place": place})


def escaped(text: str) -> str:
    """Text that Markdown shows as it stands: no markup, no HTML, no mention of a user."""
    safe = _SPECIAL.sub(r"\\\1", visible(text).replace("&", "&amp;"))
    return safe.replace("@", "&#64;").replace("://", ":&#47;&#47;")


def code_span(text: str) -> str:
    """Text as code, whatever backticks it holds."""
    text = visible(text)
    fence = "`" * (1 + max((len(run) for run in _BACKTICKS.findall(text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
