"""Which provider makes which table. The only place that a new kind of entity is announced."""

from __future__ import annotations

TABLES: dict[str, str] = {
    "k8s_object": "zuno_audit.facts.kubernetes:k8s_object",
    "dockerfile": "zuno_audit.facts.dockerfile:dockerfile",
    "dockerfile_stage": "zuno_audit.facts.dockerfile:dockerfile_stage",
    "compose_env": "zuno_audit.facts.compose_tables:compose_env",
    "compose_service": "zuno_audit.facts.compose_tables:compose_service",
    "env_file": "zuno_audit.facts.dotenv:env_file",
}
