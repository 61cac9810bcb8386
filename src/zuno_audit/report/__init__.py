"""Reports: pure functions from an `AuditResult` to text.

Every format is one module with `render(result, ...) -> str`. Formats are announced here and imported only
when one is asked for, so that a run pays for no template engine that it does not use.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import import_module

from zuno_audit.errors import UsageError
from zuno_audit.model.result import AuditResult

FORMATS: dict[str, tuple[str, dict[str, str]]] = {
    "text": ("text", {}),
    "json": ("json", {}),
    "sarif": ("sarif", {"profile": "github"}),
    "sarif-full": ("sarif", {"profile": "full"}),
    "markdown": ("markdown", {}),
    "html": ("html", {}),
    "github": ("github", {}),
    "junit": ("junit", {}),
    "summary": ("summary", {}),
}
"""Format name -> module of this package and the options that make the format."""


def renderer(name: str) -> Callable[..., str]:
    """The `render` function of a format, taking the result and the format's own keyword options.

    Raises UsageError for a name that is not in FORMATS.
    """
    if name not in FORMATS:
        raise UsageError(f"Unknown report format {name!r}.", hint="Formats: " + ", ".join(FORMATS) + ".")
    module, options = FORMATS[name]
    return partial(import_module(f"{__name__}.{module}").render, **options)


def render(name: str, result: AuditResult, **options: object) -> str:
    """The report called `name`. Options that the format does not know raise TypeError."""
    return renderer(name)(result, **options)
