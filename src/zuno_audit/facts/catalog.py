"""Which provider makes which table. The only place that a new kind of entity is announced.

The order is that of the work: tables that need the same facts stand together, since two processes that share
an audit start from the two ends. It decides nothing but the time.
"""

from __future__ import annotations

TABLES: dict[str, str] = {
    # Go code by value
    "grpc_server": "zuno_audit.facts.go.servers:table",
    "grpc_client": "zuno_audit.facts.go.clients:table",
    "grpc_stub": "zuno_audit.facts.go.stubs:table",
    # what Go code reads from its environment
    "metric": "zuno_audit.facts.go.metrics:metric_table",
    "http_route": "zuno_audit.facts.routes:http_route_table",
    "secret_leak": "zuno_audit.facts.go.leaks:secret_leak_table",
    "secret_guard": "zuno_audit.facts.go.secret_guards:secret_guard_table",
    "env_reading": "zuno_audit.facts.env_named:env_reading",
    "env_var": "zuno_audit.facts.environment:env_var",
    "mongo_collection": "zuno_audit.facts.mongo:mongo_collection",
    "amqp_exchange": "zuno_audit.facts.messaging:amqp_exchange",
    "document_reference": "zuno_audit.facts.readme:document_reference",
    "deployment_instruction": "zuno_audit.facts.readme:deployment_instruction",
    "sentry_client": "zuno_audit.facts.sentry:sentry_client_table",
    # other Go code by value
    "token_refresh": "zuno_audit.facts.token_refresh:token_refresh",
    "graphql_call": "zuno_audit.facts.graphql_calls:graphql_call",
    "log_decoder": "zuno_audit.facts.go.decoders:table",
    "abi_definition": "zuno_audit.facts.go.abi_definitions:table",
    "abi_import": "zuno_audit.facts.go.package_uses:table",
    "grpc_transport": "zuno_audit.facts.tls:grpc_transport_table",
    # files that stand alone
    "graphql_schema": "zuno_audit.facts.graphql:graphql_schema",
    "graphql_document": "zuno_audit.facts.graphql:graphql_document",
    "graphql_operation": "zuno_audit.facts.graphql:graphql_operation",
    "graphql_server": "zuno_audit.facts.graphql_server:graphql_server",
    "operations_document": "zuno_audit.facts.operations_documents:operations_document",
    "recovery_objective": "zuno_audit.facts.operations_documents:recovery_objective",
    "readiness_statement": "zuno_audit.facts.task_documents:readiness_statement",
    "task_document": "zuno_audit.facts.task_documents:task_document",
    "git_tag": "zuno_audit.facts.tags:git_tag",
    "alert_rule": "zuno_audit.facts.prometheus:alert_rule_table",
    "scrape_job": "zuno_audit.facts.prometheus:scrape_job_table",
    "grafana_dashboard": "zuno_audit.facts.grafana:grafana_dashboard_table",
    "linter": "zuno_audit.facts.linters:linter_table",
    "lint_config": "zuno_audit.facts.linters:lint_config_table",
    "private_key": "zuno_audit.facts.certificates:private_key_table",
    "certificate_script": "zuno_audit.facts.certificates:certificate_script_table",
    "secret_in_file": "zuno_audit.facts.secrets:secret_in_file",
    "k8s_object": "zuno_audit.facts.kubernetes:k8s_object",
    "tilt_load": "zuno_audit.facts.tilt:tilt_load_table",
    # how services run
    "service_health": "zuno_audit.facts.health:service_health_table",
    "service_log": "zuno_audit.facts.logs:service_log_table",
    "log_shipper": "zuno_audit.facts.logs:log_shipper_table",
    "compose_service": "zuno_audit.facts.compose_tables:compose_service",
    "compose_env": "zuno_audit.facts.compose_tables:compose_env",
    "dockerfile": "zuno_audit.facts.dockerfile:dockerfile",
    "dockerfile_stage": "zuno_audit.facts.dockerfile:dockerfile_stage",
    "env_file": "zuno_audit.facts.dotenv:env_file",
    "env_protection": "zuno_audit.facts.gitignore:env_protection",
    "tracked_env_file": "zuno_audit.facts.gitignore:tracked_env_file",
    # databases
    "db_schema": "zuno_audit.facts.sql:db_schema",
    "db_table": "zuno_audit.facts.sql:db_table",
    "db_constraint": "zuno_audit.facts.sql:db_constraint",
    "db_index": "zuno_audit.facts.sql:db_index",
    "sql_script": "zuno_audit.facts.sql:sql_script",
    "migration_tool": "zuno_audit.facts.migrations:migration_tool_table",
    # what is built and tested
    "go_import": "zuno_audit.facts.gomod:go_import_table",
    "go_module": "zuno_audit.facts.gomod:go_module_table",
    "go_requirement": "zuno_audit.facts.gomod:go_requirement_table",
    "go_test": "zuno_audit.facts.gotests:go_test",
    "go_test_file": "zuno_audit.facts.gotests:go_test_file",
    "deployment": "zuno_audit.facts.deployment:deployment_table",
    "compose_command": "zuno_audit.facts.deployment:compose_command_table",
    "image_build": "zuno_audit.facts.images:image_build_table",
    "build_script": "zuno_audit.facts.build_scripts:build_script_table",
}

# Modules of tables, and of rules in Python, that need what another module of tables needs: one process does both.
BESIDE = {
    "zuno_audit.facts.routes": "zuno_audit.facts.go.metrics",
    "zuno_audit.checks.data_stores": "zuno_audit.facts.mongo",
    "zuno_audit.checks.database": "zuno_audit.facts.sql",
}
