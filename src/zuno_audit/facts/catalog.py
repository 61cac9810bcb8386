"""Which provider makes which table. The only place that a new kind of entity is announced."""

from __future__ import annotations

TABLES: dict[str, str] = {}
