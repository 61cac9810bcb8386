"""Scrape jobs, alerts, dashboards and linters."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.grafana import grafana_dashboard_table
from zuno_audit.facts.linters import lint_config_table, linter_table
from zuno_audit.facts.prometheus import alert_rule_table, scrape_job_table

MAIN = """\
package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func main() {
	http.Handle("/metrics", promhttp.Handler())
	http.ListenAndServe(":8081", nil)
}
"""
TREE = {
    "go.mod": "module example.com/app\n\ngo 1.25\n",
    "main.go": MAIN,
    "Dockerfile": "FROM golang:1.25\nWORKDIR /app\nCOPY . .\nRUN go build -o app .\n",
    "docker-compose.yml": """\
services:
  app: {build: .}
  redis: {image: 'redis:7'}
  prometheus:
    image: prom/prometheus
    volumes: ['./prom:/etc/prometheus']
""",
}


def config(targets: str, more: str = "") -> str:
    return f"scrape_configs:\n  - job_name: app\n{more}    static_configs: [{{targets: {targets}}}]\n"


@pytest.mark.parametrize(
    ("targets", "more", "expected"),
    [
        ("['app:8081', 'localhost:9090']", "", "yes"),
        ("['app:9999']", "", "no"),
        ("['app:8081']", "    metrics_path: /prom\n", "no"),
        ("['other.example.org:8081']", "", "unknown"),
        ("['aap:8081']", "", "no"),
        ("['app:8081']", "    scheme: https\n", "no"),
        ("[]", "", "no"),
    ],
)
def test_targets_have_to_serve_metrics(tmp_path: Path, targets: str, more: str, expected: str) -> None:
    (row,) = scrape_job_table(store_of(tmp_path, {**TREE, "prom/prometheus.yml": config(targets, more)})).rows
    assert values(row, "serve", "delivered") == (expected, "yes")


def test_a_configuration_that_nobody_mounts(tmp_path: Path) -> None:
    (row,) = scrape_job_table(store_of(tmp_path, {**TREE, "other.yml": config("['app:8081']")})).rows
    assert row.get("delivered").value == "no"


@pytest.mark.parametrize(
    ("container", "delivered"),
    [
        ("volumes: ['./prom:/etc/prometheus']", "yes"),
        ("volumes: ['./prom/prometheus.yml:/etc/prometheus/prometheus.yml']", "yes"),
        ("volumes: ['./prom:/prom']", "no"),
        ("volumes: ['./prom:/prom']\n    command: ['--config.file=/prom/prometheus.yml']", "yes"),
        ("volumes: ['./prom:/prom']\n    command: --config.file /prom/other.yml", "no"),
    ],
)
def test_prometheus_has_to_read_the_file_that_it_is_given(
    tmp_path: Path, container: str, delivered: str
) -> None:
    compose = TREE["docker-compose.yml"].replace("volumes: ['./prom:/etc/prometheus']", container)
    files = {**TREE, "docker-compose.yml": compose, "prom/prometheus.yml": config("['app:8081']")}
    (row,) = scrape_job_table(store_of(tmp_path, files)).rows
    assert row.get("delivered").value == delivered


def test_the_scrape_configs_of_promtail_are_no_jobs(tmp_path: Path) -> None:
    text = "clients: [{url: 'http://loki:3100'}]\n" + config("['localhost']")
    assert scrape_job_table(store_of(tmp_path, {**TREE, "promtail.yml": text})).rows == ()


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        ("for: 5m", "yes"),
        ("for: 1h30m", "yes"),
        ("keep_firing_for: 10s", "yes"),
        ("for: 5 minutes", "no"),
        ("severity: critical", "no"),
        ("labels: {severity: critical}", "yes"),
    ],
)
def test_a_rule_that_prometheus_refuses_is_none(tmp_path: Path, fields: str, valid: str) -> None:
    rules = f"groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    {fields}\n"
    (row,) = alert_rule_table(store_of(tmp_path, {**TREE, "prom/alerts.yml": rules})).rows
    assert row.get("valid").value == valid


@pytest.mark.parametrize(
    ("mount", "loaded"),
    [
        ("./prom:/etc/prometheus", "yes"),
        ("./prom/prometheus.yml:/etc/prometheus/prometheus.yml", "no"),
    ],
)
def test_rules_have_to_be_where_prometheus_looks(tmp_path: Path, mount: str, loaded: str) -> None:
    files = {
        **TREE,
        "docker-compose.yml": TREE["docker-compose.yml"].replace("./prom:/etc/prometheus", mount),
        "prom/prometheus.yml": config("['app:8081']") + "rule_files: [a.yml]\n",
        "prom/a.yml": "groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up == 0\n",
    }
    (row,) = alert_rule_table(store_of(tmp_path, files)).rows
    assert row.get("loaded").value == loaded


@pytest.mark.parametrize(
    ("expr", "known"),
    [
        ('hits_total{route="/"}', "yes"),
        ('hits_total{path="/"}', "no"),
        ("rate(took_seconds_bucket[5m])", "yes"),
        ("rate(size_bytes_bucket[5m])", "no"),
        ("unset_total", "no"),
    ],
)
def test_a_dashboard_shows_what_has_values(tmp_path: Path, expr: str, known: str) -> None:
    metrics = """\
package main

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var (
	hits  = promauto.NewCounterVec(prometheus.CounterOpts{Name: "hits_total"}, []string{"route"})
	took  = promauto.NewHistogram(prometheus.HistogramOpts{Name: "took_seconds"})
	size  = promauto.NewSummary(prometheus.SummaryOpts{Name: "size_bytes"})
	unset = promauto.NewCounterVec(prometheus.CounterOpts{Name: "unset_total"}, []string{"route"})
)

func init() { hits.WithLabelValues("/").Inc() }
"""
    (row,) = grafana_dashboard_table(
        store_of(tmp_path, {**TREE, "metrics.go": metrics, "d/x.json": board("X", expr)})
    ).rows
    assert row.get("known").value == known


def test_a_name_that_is_computed_may_be_the_one(tmp_path: Path) -> None:
    metrics = """\
package main

import (
	"os"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

var some = promauto.NewCounter(prometheus.CounterOpts{Name: os.Args[1]})
"""
    files = {**TREE, "metrics.go": metrics, "d/x.json": board("X", "hits_total")}
    (row,) = grafana_dashboard_table(store_of(tmp_path, files)).rows
    assert row.get("known").value == "unknown"


@pytest.mark.parametrize(
    ("uid", "known"), [("PBFA97CFB590B2093", "yes"), ("${source}", "yes"), ("other", "no"), ("named", "yes")]
)
def test_a_dashboard_asks_a_data_source_that_is_there(tmp_path: Path, uid: str, known: str) -> None:
    sources = "apiVersion: 1\ndatasources:\n- {name: Prometheus, type: prometheus}\n- {name: N, uid: named}\n"
    panel = {"datasource": {"type": "prometheus", "uid": uid}, "targets": [{"expr": "up"}]}
    files = {"d/x.json": json.dumps({"title": "X", "panels": [panel]}), "g/sources.yml": sources}
    (row,) = grafana_dashboard_table(store_of(tmp_path, {**TREE, **files})).rows
    assert row.get("known").value == known


@pytest.mark.parametrize(
    ("expr", "purpose", "valid"),
    [
        ('rate(http_requests_total{status=~"5.."}[5m]) > 0.05', "error-rate", "yes"),
        ("sum(rate(app_errors_total[5m])) / sum(rate(app_requests_total[5m])) > 0.1", "error-rate", "yes"),
        ('circuit_breaker_state{state="open"} == 1', "breaker-open", "yes"),
        ('up{job="app"} == 0', "service-down", "yes"),
        ('absent(up{job="app"})', "service-down", "yes"),
        ("up{job=app} == 0", "other", "no"),
        ("rate(http_requests_total[5m]) > 100", "other", "yes"),
        ('up{job="app"}', "service-down", "no"),
    ],
)
def test_the_purpose_of_an_alert(tmp_path: Path, expr: str, purpose: str, valid: str) -> None:
    rules = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expr}]}]})
    (row,) = alert_rule_table(store_of(tmp_path, {**TREE, "prom/alerts.yml": rules})).rows
    assert values(row, "purpose", "valid") == (purpose, valid)


@pytest.mark.parametrize(
    ("expr", "valid"),
    [
        ("up == 0", "yes"),
        ("up < 1", "yes"),
        ("up != 1", "yes"),
        ("sum(up) < 3", "yes"),
        ("up == 1", "no"),
        ("up > 0", "no"),
        ("up == bool 1", "no"),
        ("1 - up > 0", "yes"),
        ("absent(up) == 1", "yes"),
        ('breaker_state{state="open"} == 1', "yes"),
        ('breaker_state{state="open"} == 0', "no"),
        ('breaker_state{state="closed"} == 0', "yes"),
        ("breaker_state == 2", "yes"),
        ('rate(http_requests_total{status=~"5.."}[5m]) > 0.05', "yes"),
        ('rate(http_requests_total{status=~"5.."}[5m]) < 0.05', "no"),
        ('1 - rate(http_requests_total{status=~"5.."}[5m]) < 0.95', "yes"),
    ],
)
def test_an_alert_that_fires_while_all_is_well_is_none(tmp_path: Path, expr: str, valid: str) -> None:
    rules = json.dumps({"groups": [{"name": "g", "rules": [{"alert": "A", "expr": expr}]}]})
    (row,) = alert_rule_table(store_of(tmp_path, {**TREE, "prom/alerts.yml": rules})).rows
    assert row.get("valid").value == valid


def test_an_alert_needs_a_job_and_a_configuration_that_loads_it(tmp_path: Path) -> None:
    alerts = 'groups:\n- name: g\n  rules:\n  - alert: Down\n    expr: up{job="%s"} == 0\n'
    loading = config("['app:8081']") + "rule_files: ['*.yml']\n"
    files = {
        **TREE,
        "prom/prometheus.yml": loading,
        "prom/a.yml": alerts % "app",
        "prom/b.yaml": alerts % "appp",
    }
    rows = alert_rule_table(store_of(tmp_path, files)).rows
    assert [values(r, "known", "loaded") for r in rows] == [("yes", "yes"), ("no", "no")]


def board(title: str, *queries: str) -> str:
    panels = [{"title": "p", "targets": [{"expr": q}]} for q in queries]
    return json.dumps({"title": title, "panels": [{"panels": panels}]})


def test_dashboards_are_told_by_what_they_show(tmp_path: Path) -> None:
    files = {
        "d/health.json": board("Service health", "up"),
        "d/x.json": board("Overview", 'rate(http_requests_total{status=~"5.."}[5m])'),
        "d/empty.json": board("Circuit breaker"),
        "d/broken.json": '{"panels": [',
        "package.json": '{"name": "x"}',
    }
    table = grafana_dashboard_table(store_of(tmp_path, files))
    assert [(r.location.path, r.get("topics").value, r.get("queries").value) for r in table.rows] == [
        ("d/empty.json", ("breaker",), 0),
        ("d/health.json", ("health",), 1),
        ("d/x.json", ("errors",), 1),
    ]
    assert table.rows[0].get("known").value == "no"
    assert [p.path for p in table.problems] == ["d/broken.json"]


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        (
            ".golangci.yml",
            "linters:\n  enable: [gosec, govet]\n",
            [("gosec", "config", "yes"), ("govet", "config", "yes")],
        ),
        (".golangci.yml", "linters:\n  enable: [gosec]\n  disable: [gosec]\n", []),
        (".golangci.toml", '[linters]\nenable = ["gosec"]\n', [("gosec", "config", "yes")]),
        (".golangci.yaml", "version: '2'\nlinters:\n  default: all\n", [("gosec", "config", "yes")]),
        (
            ".github/workflows/ci.yml",
            "jobs:\n  a:\n    steps:\n    - uses: securego/gosec@master\n    - run: |\n"
            "        # gosec ./...\n        gosec ./... || true\n"
            "        curl -sfL https://x/gosec/install.sh | sh\n    - name: gosec\n",
            [("gosec", "ci", "yes"), ("gosec", "ci", "no")],
        ),
        (
            ".github/workflows/ci.yml",
            "jobs:\n  a:\n    if: ${{ false }}\n    steps:\n    - run: gosec ./...\n  b:\n    steps:\n"
            "    - if: false\n      run: gosec ./...\n    - run: gosec --version\n    - run: echo gosec ./...\n",
            [],
        ),
        (
            ".github/workflows/ci.yml",
            'jobs:\n  a:\n    steps:\n    - run: \'"$(go env GOPATH)/bin/gosec" ./...\'\n    - run: [gosec, "gosec ./x"]\n',
            [("gosec", "ci", "yes")] * 3,
        ),
    ],
)
def test_linters_that_run(tmp_path: Path, path: str, text: str, expected: list[tuple[str, ...]]) -> None:
    rows = linter_table(store_of(tmp_path, {path: text})).rows
    assert [values(r, "name", "where", "enforced") for r in rows] == expected


def test_linters_that_scripts_and_make_run(tmp_path: Path) -> None:
    files = {
        ".github/workflows/ci.yml": "jobs:\n  a:\n    steps:\n    - run: make scan\n    - run: ./scripts/scan.sh\n",
        "Makefile": "GOSEC ?= bin/gosec\nscan:\n\t$(GOSEC) ./...\n\nother:\n\tstaticcheck ./...\n",
        "scripts/scan.sh": "set -e\ngovulncheck ./...\n",
    }
    rows = linter_table(store_of(tmp_path, files)).rows
    assert [values(r, "name", "enforced") for r in rows] == [("gosec", "yes"), ("govulncheck", "yes")]


def test_a_lint_configuration_of_comments_configures_nothing(tmp_path: Path) -> None:
    files = {".golangci.yml": "# linters:\n#   enable: [gosec]\n", "x/.golangci.toml": "[linters]\n"}
    rows = lint_config_table(store_of(tmp_path, files)).rows
    assert [values(r, "configures") for r in rows] == [("no",), ("yes",)]


def test_a_lint_configuration_that_does_not_parse_is_a_problem(tmp_path: Path) -> None:
    table = lint_config_table(store_of(tmp_path, {".golangci.yml": "linters: [\n"}))
    assert len(table.problems) == 1


def test_a_job_that_is_there_twice_keeps_prometheus_from_starting(tmp_path: Path) -> None:
    twice = config("['app:8081']") + config("['app:8081']").removeprefix("scrape_configs:\n")
    rows = scrape_job_table(store_of(tmp_path, {**TREE, "prom/prometheus.yml": twice})).rows
    assert [row.get("serve").value for row in rows] == ["no", "no"]


@pytest.mark.parametrize(("mode", "expected"), [("", "no"), ("    network_mode: host\n", "unknown")])
def test_localhost_is_the_container_of_prometheus(tmp_path: Path, mode: str, expected: str) -> None:
    tree = {**TREE, "prom/prometheus.yml": config("['localhost:8081']")}
    tree["docker-compose.yml"] += mode
    (row,) = scrape_job_table(store_of(tmp_path, tree)).rows
    assert row.get("serve").value == expected


STATES = """\
package main

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var states = promauto.NewGaugeVec(prometheus.GaugeOpts{Name: "breaker_state"}, []string{"state"})

func main() {
	states.WithLabelValues("open").Set(1)
	http.Handle("/metrics", promhttp.Handler())
	http.ListenAndServe(":8081", nil)
}
"""


def rules(*texts: str) -> str:
    listed = "".join(f"      - {{{text}}}\n" for text in texts)
    return f"groups:\n  - name: g\n    rules:\n{listed}"


@pytest.mark.parametrize(
    ("texts", "purpose", "known"),
    [
        (["alert: A, expr: 'breaker_state{state=\"open\"} == 1'"], "breaker-open", "yes"),
        (["alert: A, expr: 'breaker_state{state=\"OPEN\"} == 1'"], "breaker-open", "no"),
        (["alert: A, expr: 'breaker_state{state=\"half-open\"} == 1'"], "other", "no"),
        (["alert: A, expr: 'breaker_state{state=\"opened\"} == 1'"], "breaker-open", "no"),
        (["alert: A, expr: 'breaker_state{state=~\"open|half-open\"} == 1'"], "breaker-open", "yes"),
        (["alert: A, expr: 'breaker_state{state=~\"(shut|half-open)\"} == 1'"], "other", "no"),
        (["alert: A, expr: 'breaker_state{state=\"closed\"} == 0'"], "other", "no"),
        (["alert: A, expr: 'breaker_state{state!=\"closed\"} == 1'"], "breaker-open", "yes"),
        (
            ["record: 'a:open', expr: 'sum(breaker_state{state=\"open\"})'", "alert: A, expr: 'a:open > 0'"],
            "breaker-open",
            "yes",
        ),
        (
            [
                "record: 'a:open', expr: 'breaker_state'",
                "record: 'b:open', expr: 'max_over_time(a:open{state=\"open\"}[5m])'",
                "alert: A, expr: 'b:open > 0'",
            ],
            "breaker-open",
            "yes",
        ),
        (["record: 'a:open', expr: 'breaker_states'", "alert: A, expr: 'a:open > 0'"], "breaker-open", "no"),
        (["record: 'a:open', expr: 'breaker_state'", "alert: A, expr: 'a:opened > 0'"], "other", "no"),
    ],
)
def test_alerts_on_what_is_recorded_and_on_states(
    tmp_path: Path, texts: list[str], purpose: str, known: str
) -> None:
    tree = {
        **TREE,
        "main.go": STATES,
        "prom/prometheus.yml": "rule_files: [rules.yml]\n" + config("['app:8081']"),
        "prom/rules.yml": rules(*texts),
    }
    (row,) = alert_rule_table(store_of(tmp_path, tree)).rows
    assert values(row, "purpose", "known", "valid") == (purpose, known, "yes")


HELPERS = """
func keep(all *prometheus.GaugeVec) {}

func hand(how func(string)) { how(strconv.Quote("x")) }

func set(state string) { states.WithLabelValues(state).Set(1) }
"""


@pytest.mark.parametrize(
    ("use", "known"),
    [
        ('states.WithLabelValues("closed").Set(1)', "no"),
        ('states.With(prometheus.Labels{"state": "closed"}).Set(1)', "no"),
        ('states.With(prometheus.Labels{"state": "open"}).Set(1)', "yes"),
        ("states.WithLabelValues(http.MethodGet[:2]).Set(1)", "yes"),
        ('states.WithLabelValues("closed").Set(1)\n\tkeep(states)', "yes"),
        ('set("closed")', "no"),
        ('set("closed")\n\tset("open")', "yes"),
        ('set("closed")\n\thand(set)', "yes"),
        ("states.WithLabelValues(strconv.Itoa(1)).Set(1)", "no"),
        ('states.DeleteLabelValues("open")\n\tstates.WithLabelValues("closed").Set(1)', "no"),
    ],
)
def test_an_alert_on_a_value_that_no_code_sets_never_fires(tmp_path: Path, use: str, known: str) -> None:
    main = STATES.replace('states.WithLabelValues("open").Set(1)', use)
    tree = {
        **TREE,
        "main.go": main.replace('"net/http"', '"net/http"\n\t"strconv"') + HELPERS,
        "prom/prometheus.yml": "rule_files: [rules.yml]\n" + config("['app:8081']"),
        "prom/rules.yml": rules("alert: A, expr: 'breaker_state{state=\"open\"} == 1'"),
    }
    (row,) = alert_rule_table(store_of(tmp_path, tree)).rows
    assert row.get("known").value == known


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        ("expr: up == 2", "no"),
        ("expr: up < 0", "no"),
        ("expr: up < 1", "yes"),
        ("expr: avg(up) < 0.5", "yes"),
        ("expr: 'avg_over_time(up[5m]) > 1'", "no"),
        ("expr: sum(up) < 2", "yes"),
        ("expr: 'sum(rate(hits{status=~\"5..\"}[5m])) / sum(rate(hits[5m])) > 5'", "no"),
        ("expr: 'sum(rate(hits{status=~\"5..\"}[5m])) / sum(rate(hits[5m])) > 0.05'", "yes"),
        ("expr: 'sum(rate(hits[5m])) / sum(rate(seen[5m])) > 5'", "yes"),
        ("expr: 'rate(hits{status=\"500\"}[1s]) > 0'", "no"),
        ("expr: 'rate(hits{status=\"500\"}[30s]) > 0'", "yes"),
        ("expr: up == 0, for: 100y", "no"),
    ],
)
def test_an_expression_that_never_holds(tmp_path: Path, fields: str, valid: str) -> None:
    prometheus = "global: {scrape_interval: 15s}\nrule_files: [rules.yml]\n" + config("['app:8081']")
    tree = {**TREE, "prom/prometheus.yml": prometheus, "prom/rules.yml": rules(f"alert: A, {fields}")}
    (row,) = alert_rule_table(store_of(tmp_path, tree)).rows
    assert row.get("valid").value == valid


def test_a_rule_file_has_no_spec(tmp_path: Path) -> None:
    spec = "spec:\n  " + rules("alert: A, expr: up == 0").replace("\n", "\n  ")
    kind = "apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n"
    assert alert_rule_table(store_of(tmp_path / "a", {**TREE, "r.yml": spec})).rows == ()
    assert len(alert_rule_table(store_of(tmp_path / "b", {**TREE, "r.yml": kind + spec})).rows) == 1


@pytest.mark.parametrize(
    ("app", "prometheus", "serve"),
    [
        ("networks: [a]", "networks: [a, b]", "yes"),
        ("networks: [a]", "networks: [b]", "no"),
        ("networks: [a]", "", "no"),
        ("networks: {a: {aliases: [web]}}", "networks: [a]", "yes"),
    ],
)
def test_prometheus_reaches_what_shares_a_network(
    tmp_path: Path, app: str, prometheus: str, serve: str
) -> None:
    compose = TREE["docker-compose.yml"].replace("app: {build: .}", f"app:\n    build: .\n    {app}")
    target = "web:8081" if "web" in app else "app:8081"
    tree = {**TREE, "docker-compose.yml": f"{compose}    {prometheus}\n"}
    (row,) = scrape_job_table(
        store_of(tmp_path, {**tree, "prom/prometheus.yml": config(f"['{target}']")})
    ).rows
    assert row.get("serve").value == serve


def test_a_name_in_a_comment_is_no_container(tmp_path: Path) -> None:
    tree = {**TREE, "docker-compose.yml": TREE["docker-compose.yml"] + "# the gateway comes later\n"}
    (row,) = scrape_job_table(
        store_of(tmp_path, {**tree, "prom/prometheus.yml": config("['gateway:8081']")})
    ).rows
    assert row.get("serve").value == "no"


def test_https_needs_a_server_that_speaks_it(tmp_path: Path) -> None:
    grpc = 'package main\n\nimport "crypto/tls"\n\nvar TLSConfig = &tls.Config{}\n'
    text = config("['app:8081']", "    scheme: https\n")
    plain, secure = tmp_path / "plain", tmp_path / "secure"
    (row,) = scrape_job_table(store_of(plain, {**TREE, "tls.go": grpc, "prom/prometheus.yml": text})).rows
    assert row.get("serve").value == "no"
    main = MAIN.replace('ListenAndServe(":8081", nil)', 'ListenAndServeTLS(":8081", "a.crt", "a.key", nil)')
    (row,) = scrape_job_table(store_of(secure, {**TREE, "main.go": main, "prom/prometheus.yml": text})).rows
    assert row.get("serve").value == "yes"


def test_compose_configs_are_mounted(tmp_path: Path) -> None:
    compose = TREE["docker-compose.yml"].replace(
        "volumes: ['./prom:/etc/prometheus']",
        "configs: [{source: prom, target: /etc/prometheus/prometheus.yml}]",
    )
    compose += "configs:\n  prom: {file: ./prom/prometheus.yml}\n"
    files = {**TREE, "docker-compose.yml": compose, "prom/prometheus.yml": config("['app:8081']")}
    (row,) = scrape_job_table(store_of(tmp_path, files)).rows
    assert row.get("delivered").value == "yes"


def test_the_panels_of_a_dashboard_answer_for_their_topics(tmp_path: Path) -> None:
    panels = [
        {"title": "Database", "targets": [{"expr": "rate(nowhere_queries_total[5m])"}]},
        {"title": "Service health", "targets": [{"expr": "up"}]},
    ]
    text = json.dumps({"title": "Overview", "panels": panels})
    rows = grafana_dashboard_table(store_of(tmp_path, {**TREE, "d/x.json": text})).rows
    assert {row.get("topics").value: row.get("known").value for row in rows} == {
        ("health",): "yes",
        ("database",): "no",
    }
    assert [row.get("first").value for row in rows] == ["yes", "no"]


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ("", "no"),
        ("        labels: {job: shop}\n", "yes"),
        ("    relabel_configs: [{source_labels: [x], target_label: job}]\n", "yes"),
    ],
)
def test_a_label_may_name_the_job(tmp_path: Path, more: str, known: str) -> None:
    text = "rule_files: [rules.yml]\nscrape_configs:\n  - job_name: app\n    static_configs:\n      - targets: ['app:8081']\n"
    tree = {
        **TREE,
        "prom/prometheus.yml": text + more,
        "prom/rules.yml": rules("alert: A, expr: 'up{job=\"shop\"} == 0'"),
    }
    (row,) = alert_rule_table(store_of(tmp_path, tree)).rows
    assert row.get("known").value == known
