"""HTTP routes: which are served, on which port, with which status."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.logs import log_shipper_table, service_log_table
from zuno_audit.facts.routes import http_route_table
from zuno_audit.facts.sentry import sentry_client_table
from zuno_audit.model.entity import Entity

MOD = {"go.mod": "module example.com/app\n\ngo 1.25\n"}
HEAD = """\
package main

import (
	"fmt"
	"net/http"
	"os"

	"example.com/app/metrics"
	"github.com/99designs/gqlgen/graphql/playground"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

var _, _, _, _ = os.Getenv, metrics.Handler, playground.Handler, promhttp.Handler

func ok(w http.ResponseWriter, r *http.Request) { w.Write([]byte("OK")) }

func logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(w, r) })
}

"""
METRICS = """\
package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

func Handler() http.Handler { return promhttp.Handler() }
"""


def routes(tmp_path: Path, main: str, **more: str) -> tuple[Entity, ...]:
    files = {**MOD, "main.go": HEAD + main, "metrics/metrics.go": METRICS}
    return http_route_table(store_of(tmp_path, {**files, **more})).rows


def served(tmp_path: Path, main: str) -> object:
    (row,) = routes(tmp_path, main)
    return row.get("served").value


@pytest.mark.parametrize(
    ("mount", "route", "answer"),
    [
        ('outer.Handle("/", inner)', "/health", "yes"),
        ('outer.Handle("/ops/", http.StripPrefix("/ops", inner))', "/ops/health", "yes"),
        ('outer.Handle("/ops/", inner)', "/health", "no"),
        ('outer.Handle("/health", inner)', "/health", "yes"),
    ],
)
def test_a_router_below_another_is_seen_at_its_mount(
    mount: str, route: str, answer: str, tmp_path: Path
) -> None:
    main = (
        'func main() {\n\tinner := http.NewServeMux()\n\tinner.HandleFunc("/health", ok)\n'
        f'\touter := http.NewServeMux()\n\t{mount}\n\thttp.ListenAndServe(":80", outer)\n}}\n'
    )
    found = {row.get("route").value: row.get("served").value for row in routes(tmp_path, main)}
    assert found[route] == answer


@pytest.mark.parametrize(
    "main",
    [
        'func main() { http.HandleFunc("/health", ok); http.ListenAndServe(":8081", nil) }',
        'func main() { m := http.NewServeMux(); m.HandleFunc("GET /health", ok); '
        'http.ListenAndServe(":8081", m) }',
        'func main() { m := http.NewServeMux(); m.HandleFunc("/health", ok); h := logged(m); '
        'http.ListenAndServe(":8081", logged(h)) }',
        'func main() { m := http.NewServeMux(); m.HandleFunc("/health", ok); '
        'srv := &http.Server{Addr: ":8081", Handler: m}; go srv.ListenAndServe() }',
        'func main() { srv := &http.Server{Addr: ":8081"}; m := http.NewServeMux(); srv.Handler = m; '
        'm.HandleFunc("/health", ok); srv.ListenAndServe() }',
        'func main() { http.ListenAndServe(":8081", router()) }\n\n'
        'func router() http.Handler { m := http.NewServeMux(); m.HandleFunc("/health", ok); return m }',
        'func main() { m := http.NewServeMux(); add(m); http.ListenAndServe(":8081", m) }\n\n'
        'func add(mux *http.ServeMux) { mux.HandleFunc("/health", ok) }',
        "type server struct { mux *http.ServeMux }\n\n"
        "func main() { s := &server{mux: http.NewServeMux()}; s.add(); "
        'http.ListenAndServe(":8081", s.mux) }\n\n'
        'func (s *server) add() { s.mux.HandleFunc("/health", ok) }',
        'func main() { m := http.NewServeMux(); m.HandleFunc("/health", ok); '
        'http.Handle("/", m); http.ListenAndServe(":8081", nil) }',
        "type web struct { srv *http.Server }\n\ntype options struct { Port int }\n\n"
        "type other struct { Port int }\n\n"
        "func main() { newWeb(options{Port: 8081}).run(other{Port: 9090}) }\n\n"
        'func newWeb(o options) *web { m := http.NewServeMux(); m.HandleFunc("/health", ok); '
        'return &web{srv: &http.Server{Addr: fmt.Sprintf(":%d", o.Port), Handler: m}} }\n\n'
        "func (w *web) run(o other) { w.srv.ListenAndServe() }",
        'func main() { m := http.NewServeMux(); srv := &http.Server{Addr: ":8081", Handler: m}; '
        'm.HandleFunc("/health", ok); srv.ListenAndServe() }',
        'func main() { go http.ListenAndServe(":8081", nil); http.HandleFunc("/health", ok); select {} }',
    ],
)
def test_a_route_is_followed_to_its_server(tmp_path: Path, main: str) -> None:
    rows = [r for r in routes(tmp_path, main) if r.get("route").value == "/health"]
    assert [values(r, "served", "status_ok", "ports") for r in rows] == [("yes", "yes", ("8081",))]


@pytest.mark.parametrize(
    "main",
    [
        'func main() { m := http.NewServeMux(); m.HandleFunc("/health", ok); '
        'http.ListenAndServe(":8081", nil) }',
        'func main() { http.HandleFunc("/health", ok); http.ListenAndServe(":8081", http.NewServeMux()) }',
        'func main() { http.HandleFunc("/health", ok) }',
        'func main() { http.ListenAndServe(":8081", nil) }\n\n'
        'func unused() { http.HandleFunc("/health", ok) }',
        'func main() { m := http.NewServeMux(); m.HandleFunc("/health", ok); '
        '_ = &http.Server{Addr: ":8081", Handler: m} }',
        'func main() { http.ListenAndServe(":8081", nil); http.HandleFunc("/health", ok) }',
        'func main() { go func() { http.ListenAndServe(":8081", nil); http.HandleFunc("/health", ok) }(); '
        "select {} }",
    ],
)
def test_a_route_that_nothing_serves(tmp_path: Path, main: str) -> None:
    assert served(tmp_path, main) != "yes"


def test_what_cannot_be_followed_is_unknown(tmp_path: Path) -> None:
    main = 'func main() { m := http.NewServeMux(); m.HandleFunc("/health", ok); run(m) }\n\n'
    main += "var run func(http.Handler)"
    assert served(tmp_path, main) == "unknown"
    main = 'func main() { http.ListenAndServe(":8081", made()) }\n\n'
    main += "var made = func() http.Handler { return router() }\n\n"
    main += 'func router() http.Handler { m := http.NewServeMux(); m.HandleFunc("/health", ok); return m }'
    assert served(tmp_path, main) == "unknown"


@pytest.mark.parametrize(
    ("before", "behind", "expected"),
    [
        ("if false {", "}", "no"),
        ("if withMetrics {", "}", "no"),
        ("if !withMetrics {", "}", "yes"),
        ('if os.Getenv("METRICS") != "" {', "}", "yes"),
        ('if os.Getenv("METRICS") == "" {\n\t\treturn', "}", "no"),
    ],
)
def test_a_route_in_code_that_never_runs(tmp_path: Path, before: str, behind: str, expected: str) -> None:
    main = (
        "const withMetrics = false\n\nfunc main() {\n"
        f'\t{before}\n\thttp.HandleFunc("/health", ok)\n\t{behind}\n\thttp.ListenAndServe(":80", nil)\n}}\n'
    )
    assert served(tmp_path, main) == expected


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        ("promhttp.Handler()", "prometheus"),
        ("logged(promhttp.Handler())", "prometheus"),
        ("metrics.Handler()", "prometheus"),
        ('playground.Handler("x", "/graphql")', "playground"),
        ("http.HandlerFunc(ok)", "other"),
    ],
)
def test_the_kind_of_a_handler(tmp_path: Path, handler: str, kind: str) -> None:
    (row,) = routes(
        tmp_path, f'func main() {{ http.Handle("/x", {handler}); http.ListenAndServe(":1", nil) }}'
    )
    assert values(row, "kind", "served") == (kind, "yes")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("w.WriteHeader(http.StatusOK)", "yes"),
        ("w.WriteHeader(204)", "no"),
        ("if r == nil { w.WriteHeader(503); return }; w.Write(nil)", "yes"),
        ("w.WriteHeader(http.StatusServiceUnavailable)", "no"),
        ('http.Error(w, "no", 500)', "no"),
        ("w.WriteHeader(code())", "unknown"),
    ],
)
def test_the_status_of_a_handler(tmp_path: Path, body: str, expected: str) -> None:
    main = (
        f'func main() {{ http.HandleFunc("/health", h); http.ListenAndServe(":1", nil) }}\n\n'
        f"func h(w http.ResponseWriter, r *http.Request) {{ {body} }}\n\n"
        "func code() int { return len(os.Args) }\n"
    )
    (row,) = routes(tmp_path, main)
    assert row.get("status_ok").value == expected


CONFIG = """\
func env(key, fallback string) string {
	if v := os.Getenv(key); v != "" {
		return v
	}
	return fallback
}

type config struct{ Addr string }

func main() {
	cfg := &config{Addr: env("HTTP_ADDR", ":8081")}
	if os.Getenv("PLAYGROUND") == "true" {
		http.Handle("/playground", playground.Handler("x", "/graphql"))
	}
	http.ListenAndServe(cfg.Addr, nil)
}
"""
DOCKERFILE = """\
FROM golang:1.25 AS b
WORKDIR /app
COPY . .
RUN go build -o app .
FROM alpine
COPY --from=b /app/app /app
"""


@pytest.mark.parametrize(
    ("compose", "ports", "published"),
    [
        ("", ("8081",), ("8081",)),
        ("    ports: ['80:8081']\n", ("8081",), ("80",)),
        ("    environment: {HTTP_ADDR: ':${PORT}'}\n    ports: ['${PORT}:${PORT}']\n", ("9000",), ("9000",)),
        ("    ports: ['8080:8080']\n", ("8081",), ()),
    ],
)
def test_the_port_follows_settings_and_compose(
    tmp_path: Path, compose: str, ports: tuple[str, ...], published: tuple[str, ...]
) -> None:
    more = {"Dockerfile": DOCKERFILE, ".env.example": "PORT=9000\n"}
    if compose:
        more["docker-compose.yml"] = "services:\n  app:\n    build: .\n" + compose
    (row,) = routes(tmp_path, CONFIG, **more)
    assert values(row, "ports", "published", "conditional") == (ports, published, "yes")


SENTRY = """\
package main

import (
	"log"
	"os"

	"github.com/getsentry/sentry-go"
)

func main() {
	if err := sentry.Init(sentry.ClientOptions{Dsn: os.Getenv("SENTRY_DSN")}); err != nil {
		log.Fatal(err)
	}
}
"""


@pytest.mark.parametrize(
    ("compose", "expected"),
    [
        ("", ("yes", "yes", "no")),
        ("    environment: [SENTRY_DSN]\n", ("yes", "yes", "yes")),
        ("    environment: {SENTRY_ENVIRONMENT: x}\n", ("yes", "yes", "no")),
        ("    env_file: [.env]\n", ("yes", "yes", "yes")),
        ("    environment: [SENTRY_DSN=]\n", ("yes", "yes", "no")),
        ("    env_file: [.env]\n    environment: {SENTRY_DSN: ''}\n", ("yes", "yes", "no")),
    ],
)
def test_the_dsn_has_to_reach_the_container(tmp_path: Path, compose: str, expected: tuple[str, ...]) -> None:
    files = {**MOD, "main.go": SENTRY, "Dockerfile": DOCKERFILE, ".env.example": "SENTRY_DSN=\n"}
    files["docker-compose.yml"] = "services:\n  app:\n    build: .\n" + compose
    (row,) = sentry_client_table(store_of(tmp_path, files)).rows
    assert values(row, "initialises", "documented", "delivered") == expected


def test_a_binary_without_sentry(tmp_path: Path) -> None:
    text = SENTRY.replace("func main()", "func unused()") + "\nfunc main() {}\n"
    (row,) = sentry_client_table(store_of(tmp_path, {**MOD, "main.go": text})).rows
    assert values(row, "initialises", "delivered") == ("no", "no")


@pytest.mark.parametrize(
    ("before", "options", "initialises"),
    [
        ('if dsn == "" { return }', "", "yes"),
        ('if dsn != "" { return }', "", "no"),
        ("", "BeforeSend: func(*sentry.Event, *sentry.EventHint) *sentry.Event { return nil }", "no"),
        ("", "BeforeSend: func(e *sentry.Event, _ *sentry.EventHint) *sentry.Event { return e }", "yes"),
    ],
)
def test_sentry_has_to_connect_when_there_is_a_dsn(
    tmp_path: Path, before: str, options: str, initialises: str
) -> None:
    text = (
        'package main\n\nimport (\n\t"os"\n\n\t"github.com/getsentry/sentry-go"\n)\n\nfunc main() {\n'
        f'\tdsn := os.Getenv("SENTRY_DSN")\n\t{before}\n'
        f"\tsentry.Init(sentry.ClientOptions{{Dsn: dsn, {options}}})\n}}\n"
    )
    (row,) = sentry_client_table(store_of(tmp_path, {**MOD, "main.go": text})).rows
    assert row.get("initialises").value == initialises


@pytest.mark.parametrize(
    ("body", "initialises"),
    [
        ('http.ListenAndServe(":80", nil)\n\tstart()', "no"),
        ('if err := http.ListenAndServe(":80", nil); err != nil {\n\t\tprint(err)\n\t}\n\tstart()', "no"),
        ('start()\n\thttp.ListenAndServe(":80", nil)', "yes"),
        ('go http.ListenAndServe(":80", nil)\n\tstart()\n\tselect {}', "yes"),
        ('go func() { http.ListenAndServe(":80", nil) }()\n\tstart()\n\tselect {}', "yes"),
        (
            'if os.Getenv("METRICS") != "" {\n\t\thttp.ListenAndServe(":80", nil)\n\t}\n\tstart()',
            "yes",
        ),
    ],
)
def test_sentry_has_to_connect_before_the_server_runs(tmp_path: Path, body: str, initialises: str) -> None:
    text = (
        'package main\n\nimport (\n\t"net/http"\n\t"os"\n\n\t"github.com/getsentry/sentry-go"\n)\n\n'
        f"func main() {{\n\t{body}\n}}\n\n"
        'func start() {\n\tsentry.Init(sentry.ClientOptions{Dsn: os.Getenv("SENTRY_DSN")})\n}\n'
    )
    (row,) = sentry_client_table(store_of(tmp_path, {**MOD, "main.go": text})).rows
    assert row.get("initialises").value == initialises


LOG = """\
package main

import (
	"os"

	"github.com/rs/zerolog"
)

func main() {
	logger := zerolog.New(os.Stdout).With().Timestamp().Str("service", "a").Logger()
	logger.Info().Str("trace_id", "1").Msg("up")
}
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LOG, ("yes", "yes", "yes")),
        (LOG.replace('"trace_id"', '"request"'), ("yes", "yes", "no")),
        (
            LOG.replace("zerolog.New(os.Stdout)", "zerolog.New(zerolog.ConsoleWriter{Out: os.Stdout})"),
            ("no", "yes", "yes"),
        ),
        (
            LOG.replace('"os"', '"log"\n\t"os"').replace("func main() {", "func main() {\n\tlog.Printf(1)"),
            ("no", "yes", "yes"),
        ),
        (
            LOG.replace('"os"', '"log"\n\t"os"').replace(
                "func main() {", "func main() {\n\t// log.Printf(1)"
            ),
            ("yes",) * 3,
        ),
        (
            LOG.replace('"os"', 'plain "log"\n\t"os"').replace(
                "func main() {", "func main() {\n\tplain.Print(1)"
            ),
            ("no", "yes", "yes"),
        ),
        ('package main\n\nimport "log"\n\nfunc main() { log.Println("service") }\n', ("no", "no", "no")),
    ],
)
def test_what_a_binary_logs(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    (row,) = service_log_table(store_of(tmp_path, {**MOD, "main.go": text})).rows
    assert values(row, "json", "service_key", "trace_key") == expected


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (".Timestamp()", "", ("yes", "no", "yes")),
        ("os.Stdout", "io.Discard", ("no", "yes", "yes")),
        (".Timestamp()", ".Timestamp().Logger().Level(zerolog.Disabled).With()", ("no", "yes", "yes")),
        ('Str("service", "a")', 'Fields(map[string]any{"service": "a"})', ("yes", "yes", "yes")),
        ("func main() {", 'const name = "service"\n\nfunc main() {', ("yes", "yes", "yes")),
    ],
)
def test_how_a_logger_is_made(tmp_path: Path, old: str, new: str, expected: tuple[str, ...]) -> None:
    text = LOG.replace(old, new)
    if "const" in new:
        text = text.replace('Str("service"', "Str(name")
    (row,) = service_log_table(store_of(tmp_path, {**MOD, "main.go": text})).rows
    assert values(row, "json", "time_key", "service_key") == expected


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ('println("starting")', "no"),
        ('fmt.Fprintln(os.Stdout, "starting")', "no"),
        ('os.Stderr.WriteString("starting")', "no"),
        ("helper.Run()", "no"),
        ('fmt.Fprintln(io.Discard, "starting")', "unknown"),
        ("// println()", "yes"),
        ('_ = "println()"', "yes"),
        ("helper.Quiet()", "yes"),
    ],
)
def test_printing_past_the_logger_is_plain_text(tmp_path: Path, statement: str, expected: str) -> None:
    text = f"""\
package main

import (
	"fmt"
	"io"
	"os"

	"example.com/app/helper"
	"github.com/rs/zerolog"
)

var _, _, _ = fmt.Sprint, io.EOF, helper.Quiet

func unused() {{ println("never") }}

func main() {{
	{statement}
	zerolog.New(os.Stdout).Info().Msg("x")
}}
"""
    helper = 'package helper\n\nimport "log"\n\nfunc Run() { log.Print("x") }\n\nfunc Quiet() {}\n'
    tree = {**MOD, "main.go": text, "helper/helper.go": helper}
    (row,) = service_log_table(store_of(tmp_path, tree)).rows
    assert row.get("json").value == expected


@pytest.mark.parametrize(
    ("services", "files", "configured"),
    [
        ("loki: {image: 'grafana/loki:3'}", {}, ["no"]),
        ("loki: {image: 'grafana/loki:3'}\n  vector: {image: 'timberio/vector:1'}", {}, ["yes", "yes"]),
        (
            "promtail: {image: 'grafana/promtail:3', volumes: ['./p.yml:/etc/promtail/config.yml']}",
            {},
            ["no"],
        ),
        (
            "promtail: {image: 'grafana/promtail:3', volumes: ['./p.yml:/etc/promtail/config.yml']}",
            {"p.yml": "clients:\n- url: http://loky:3100/push\n"},
            ["no"],
        ),
        (
            "promtail: {image: 'grafana/promtail:3', volumes: ['./p.yml:/etc/promtail/config.yml']}",
            {"p.yml": "clients:\n- url: http://promtail:3100/push\n"},
            ["yes"],
        ),
    ],
)
def test_a_shipper_has_a_configuration_and_a_store_a_shipper(
    tmp_path: Path, services: str, files: dict[str, str], configured: list[str]
) -> None:
    tree = {"docker-compose.yml": f"services:\n  {services}\n", **files}
    rows = log_shipper_table(store_of(tmp_path, tree)).rows
    assert [row.get("configured").value for row in rows] == configured


@pytest.mark.parametrize(
    ("driver", "count"),
    [("loki", 1), ("grafana/loki-docker-driver:3.1", 1), ("fluentd", 1), ("json-file", 0), ("local", 0)],
)
def test_a_log_driver_ships(tmp_path: Path, driver: str, count: int) -> None:
    compose = f"services:\n  app: {{image: app, logging: {{driver: '{driver}'}}}}\n"
    assert len(log_shipper_table(store_of(tmp_path, {"docker-compose.yml": compose})).rows) == count


def test_log_shippers(tmp_path: Path) -> None:
    compose = "services:\n  promtail: {image: 'grafana/promtail:3'}\n  app: {image: app}\n"
    files = {"docker-compose.yml": compose, "infra/filebeat.yml": "x: 1\n"}
    rows = log_shipper_table(store_of(tmp_path, files)).rows
    assert [values(r, "name", "how") for r in rows] == [("promtail", "compose"), ("filebeat.yml", "config")]


SERVED = 'http.ListenAndServe(":80", mux)'
TABLE = 'map[string]http.Handler{"/metrics": promhttp.Handler(), "/ok": http.HandlerFunc(ok)}'
TYPED = "type route struct { path string; handler http.Handler }\n"
ENTRIES = '{"/metrics", promhttp.Handler()}, {handler: http.HandlerFunc(ok), path: "/ok"}'


@pytest.mark.parametrize(
    ("loop", "more"),
    [
        (f"for p, h := range {TABLE} {{ mux.Handle(p, h) }}", ""),
        (f"table := {TABLE}\n\tfor p, h := range table {{ mux.Handle(p, logged(h)) }}", ""),
        ("for p, h := range table { mux.Handle(p, h) }", f"var table = {TABLE}"),
        ("for p := range table { mux.Handle(p, table[p]) }", f"var table = {TABLE}"),
        (
            "for p, h := range table() { mux.Handle(p, h) }",
            f"func table() map[string]http.Handler {{ return {TABLE} }}",
        ),
        (f"for _, r := range []route{{ {ENTRIES} }} {{ mux.Handle(r.path, r.handler) }}", TYPED),
        (
            f"rs := []route{{ {ENTRIES} }}\n\tfor i := range rs {{ mux.Handle(rs[i].path, rs[i].handler) }}",
            TYPED,
        ),
        (
            'rs := []*route{{"/metrics", promhttp.Handler()}}\n\trs = append(rs, &route{"/ok", http.HandlerFunc(ok)})\n'
            "\tfor _, r := range rs { mux.Handle(r.path, r.handler) }",
            TYPED,
        ),
        (
            'rs := map[string]http.Handler{}\n\trs["/metrics"] = promhttp.Handler()\n'
            '\trs["/ok"] = http.HandlerFunc(ok)\n\tfor p, h := range rs { mux.Handle(p, h) }',
            "",
        ),
        (
            f"mount(mux, []route{{ {ENTRIES} }})",
            TYPED + "func mount(m *http.ServeMux, rs []route) "
            '{ for _, r := range rs { m.Handle(http.MethodGet+" "+r.path, r.handler) } }',
        ),
    ],
)
def test_routes_in_a_table_are_routes(loop: str, more: str, tmp_path: Path) -> None:
    rows = routes(
        tmp_path, f"{more}\nfunc main() {{\n\tmux := http.NewServeMux()\n\t{loop}\n\t{SERVED}\n}}\n"
    )
    found = sorted(values(row, "route", "kind", "served") for row in rows)
    assert found == [("/metrics", "prometheus", "yes"), ("/ok", "other", "yes")]


@pytest.mark.parametrize(
    "loop",
    [
        'for p, h := range map[string]http.Handler{"/ok": http.HandlerFunc(ok)} { mux.Handle(p, h) }',
        'for p, h := range map[string]http.Handler{"/metrics": http.HandlerFunc(ok)} { mux.Handle(p, h) }',
        f"for p, h := range {TABLE} {{ other.Handle(p, h) }}",
        f"for p, h := range {TABLE} {{ _, _ = p, h }}",
        "for p, h := range elsewhere.Table() { mux.Handle(p, h) }",
    ],
)
def test_a_table_without_the_route_or_for_another_router_serves_no_metrics(loop: str, tmp_path: Path) -> None:
    main = (
        f"func main() {{\n\tmux, other := http.NewServeMux(), http.NewServeMux()\n\t{loop}\n\t{SERVED}\n}}\n"
    )
    found = [values(row, "route", "kind", "served") for row in routes(tmp_path, main)]
    assert ("/metrics", "prometheus", "yes") not in found


def test_a_route_of_a_table_that_a_setting_adds_is_conditional(tmp_path: Path) -> None:
    main = (
        f"{TYPED}func main() {{\n\tmux := http.NewServeMux()\n"
        '\trs := []route{{"/ok", http.HandlerFunc(ok)}}\n'
        '\tif os.Getenv("X") != "" { rs = append(rs, route{"/metrics", promhttp.Handler()}) }\n'
        f"\tfor _, r := range rs {{ mux.Handle(r.path, r.handler) }}\n\t{SERVED}\n}}\n"
    )
    found = {row.get("route").value: row.get("conditional").value for row in routes(tmp_path, main)}
    assert found == {"/ok": "no", "/metrics": "yes"}


ENABLED = """\
func enabled(name string, otherwise bool) bool {
	if v := os.Getenv(name); v != "" {
		return v == "true"
	}
	return otherwise
}

type config struct{ Metrics bool }

func load() *config { return &config{Metrics: enabled("METRICS", DEFAULT)} }

func mount(on bool) {
	if !on {
		return
	}
	http.Handle("/metrics", promhttp.Handler())
}

func always() { http.Handle("/metrics", promhttp.Handler()) }

"""
SWITCHED = {
    "a comparison": ('if os.Getenv("METRICS") == "true" {', "no"),
    "another comparison": ('if os.Getenv("METRICS") != "false" {', "yes"),
    "a variable": ('on := os.Getenv("METRICS") != ""\n\tif on {', "no"),
    "parsed": ('if on, _ := strconv.ParseBool(os.Getenv("METRICS")); on {', "no"),
    "parsed, the other way round": ('if off, _ := strconv.ParseBool(os.Getenv("NO_METRICS")); !off {', "yes"),
    "looked up": ('if _, ok := os.LookupEnv("NO_METRICS"); !ok {', "yes"),
    "two of them": ('if os.Getenv("ENV") != "test" && os.Getenv("METRICS") == "on" {', "no"),
    "an early return": ('if os.Getenv("METRICS") == "" {\n\t\treturn\n\t}\n\t{', "no"),
    "in the other branch": ('if os.Getenv("METRICS") == "" {\n\t\tfmt.Println("none")\n\t} else {', "no"),
    "nothing to do with it": ("if len(os.Args) > 3 {", "yes"),
}


@pytest.mark.parametrize("name", SWITCHED)
def test_a_route_under_a_setting_is_served_where_the_setting_is_on(tmp_path: Path, name: str) -> None:
    condition, answer = SWITCHED[name]
    head = 'import "strconv"\n\nvar _ = strconv.Itoa\n\n'
    main = (
        f'func main() {{\n\tgo http.ListenAndServe(":80", nil)\n\t{condition}\n'
        '\t\thttp.Handle("/metrics", promhttp.Handler())\n\t}\n\tselect {}\n}\n'
    )
    files = {
        **MOD,
        "main.go": HEAD.replace("\nvar _,", "\n" + head + "var _,") + main,
        "metrics/metrics.go": METRICS,
    }
    (row,) = http_route_table(store_of(tmp_path, files)).rows
    assert values(row, "served", "on") == ("yes", {"no": "unknown"}.get(answer, answer))


@pytest.mark.parametrize(
    ("default", "compose", "answer"),
    [
        ("true", "", "yes"),
        ("false", "", "unknown"),
        ("true", "'false'", "unknown"),
        ("false", "'true'", "yes"),
    ],
)
@pytest.mark.parametrize(
    "call",
    [
        "mount(load().Metrics)",
        'mount(enabled("METRICS", DEFAULT))',
        "cfg := load()\n\tif cfg.Metrics {\n\t\talways()\n\t}",
    ],
)
def test_the_default_of_a_setting_or_compose_decides_whether_a_route_is_served(
    tmp_path: Path, call: str, default: str, compose: str, answer: str
) -> None:
    main = f'func main() {{\n\t{call}\n\thttp.ListenAndServe(":80", nil)\n}}\n'
    more = {"Dockerfile": DOCKERFILE}
    if compose:
        more["docker-compose.yml"] = (
            f"services:\n  app:\n    build: .\n    environment: {{METRICS: {compose}}}\n"
        )
    rows = routes(tmp_path, (ENABLED + main).replace("DEFAULT", default), **more)
    assert [row.get("on").value for row in rows if row.get("served").value == "yes"] == [answer]


def test_a_server_that_a_setting_starts(tmp_path: Path) -> None:
    main = (
        'func main() {\n\tmux := http.NewServeMux()\n\tmux.Handle("/metrics", promhttp.Handler())\n'
        '\tif addr := os.Getenv("METRICS_ADDR"); addr != "" {\n\t\tgo http.ListenAndServe(addr, mux)\n\t}\n'
        "\tselect {}\n}\n"
    )
    (row,) = routes(tmp_path, main)
    assert values(row, "served", "on") == ("yes", "unknown")


@pytest.mark.parametrize(
    ("main", "answer"),
    [
        ("run(); http.Handle(ROUTE)", "no"),
        ("http.Handle(ROUTE); run()", "yes"),
        ("go run(); http.Handle(ROUTE); select {}", "yes"),
        ("go run(); select {}; http.Handle(ROUTE)", "no"),
        ("if err := run(); err != nil { panic(err) }; add()", "no"),
    ],
)
def test_a_route_that_is_added_when_the_server_has_stopped(tmp_path: Path, main: str, answer: str) -> None:
    route = '"/metrics", promhttp.Handler()'
    add = "func add() { http.Handle(ROUTE) }" if "add()" in main else ""
    text = f'func run() error {{ return http.ListenAndServe(":80", nil) }}\n\nfunc main() {{ {main} }}\n\n{add}\n'
    assert served(tmp_path, text.replace("ROUTE", route)) == answer
