"""Programs in which code from elsewhere may serve the metrics: vendored packages and libraries known to do so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.go_packages import go_packages
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_HANDLER = re.compile(rb"\bHandler(?:For(?:Transactional)?)?\(")
_PROMHTTP = b'"github.com/prometheus/client_golang/prometheus/promhttp"'
_VENDOR = re.compile(r"(?:.*/)?vendor/(.+)/[^/]+$")
_KINDS = frozenset((FileKind.VENDORED,))
MAX_LEVELS = 1  # of vendored packages between the handler's package and a program's own
# Packages that mount /metrics by themselves, some of them only where configuration says so.
_SERVES = (
    "github.com/weaveworks/common/server",
    "github.com/grafana/dskit/server",
    "github.com/zeromicro/go-zero/core/service",
    "github.com/zeromicro/go-zero/core/prometheus",
    "github.com/zeromicro/go-zero/rest",
    "github.com/zeromicro/go-zero/zrpc",
    "github.com/zsais/go-gin-prometheus",
    "github.com/penglongli/gin-metrics",
    "github.com/ansrivas/fiberprometheus",
    "github.com/labstack/echo-contrib/prometheus",
)


def foreign_handlers(store: FactStore) -> frozenset[str]:
    """The folders of the main packages that are built with such code."""
    packages = store.get(go_packages)
    wanted: dict[str, list[str]] = {}
    for directory, package in packages.by_directory.items():
        for head in package.files:
            for imported in head.imports:
                wanted.setdefault(imported.path, []).append(directory)
    paths = _vendored(store) | {p for p in wanted if p.startswith(_SERVES)}
    return frozenset(
        main
        for path in paths
        for directory in wanted.get(path, ())
        for main in packages.binaries_of(directory)
    )


def _vendored(store: FactStore) -> set[str]:
    """Import paths of vendored packages that make a Prometheus handler, or import one that does."""
    repository = store.repository
    level = {
        match[1]
        for path in repository.grep(_PROMHTTP, suffix=".go", kinds=_KINDS)
        if (match := _VENDOR.match(path)) is not None and _HANDLER.search(repository.read(path) or b"")
    }
    found = set(level)
    for _ in range(MAX_LEVELS if level else 0):
        quoted = [b'"' + path.encode() + b'"' for path in level]
        importers = repository.grep_any(*quoted, suffix=".go", kinds=_KINDS) if level else ()
        level = {match[1] for path in importers if (match := _VENDOR.match(path)) is not None} - found
        found |= level
    return found
