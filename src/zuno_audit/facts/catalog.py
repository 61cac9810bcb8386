"""Which provider makes which table. The only place that a new kind of entity is announced."""

from __future__ import annotations

TABLES: dict[str, str] = {
    "env_var": "zuno_audit.facts.environment:env_var",
    "tracked_env_file": "zuno_audit.facts.gitignore:tracked_env_file",
    "env_protection": "zuno_audit.facts.gitignore:env_protection",
    "secret_in_file": "zuno_audit.facts.secrets:secret_in_file",
    "build_script": "zuno_audit.facts.build_scripts:build_script_table",
    "compose_env": "zuno_audit.facts.compose_tables:compose_env",
    "compose_service": "zuno_audit.facts.compose_tables:compose_service",
    "dockerfile": "zuno_audit.facts.dockerfile:dockerfile",
    "dockerfile_stage": "zuno_audit.facts.dockerfile:dockerfile_stage",
    "env_file": "zuno_audit.facts.dotenv:env_file",
    "go_import": "zuno_audit.facts.gomod:go_import_table",
    "go_module": "zuno_audit.facts.gomod:go_module_table",
    "go_requirement": "zuno_audit.facts.gomod:go_requirement_table",
    "image_build": "zuno_audit.facts.images:image_build_table",
    "k8s_object": "zuno_audit.facts.kubernetes:k8s_object",
    "lint_config": "zuno_audit.facts.linters:lint_config_table",
    "linter": "zuno_audit.facts.linters:linter_table",
}
