"""Prometheus metrics: names as exported, labels, and whether code that can run registers and serves them."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from trees import store_of

from zuno_audit.facts.go.metrics import metric_table
from zuno_audit.model.entity import Entity

_IMPORTS = {
    "context": "context",
    "errors": "errors",
    "grpc": "google.golang.org/grpc",
    "os": "os",
    "signal": "os/signal",
    "http": "net/http",
    "net": "net",
    "prometheus": "github.com/prometheus/client_golang/prometheus",
    "promauto": "github.com/prometheus/client_golang/prometheus/promauto",
    "promhttp": "github.com/prometheus/client_golang/prometheus/promhttp",
}


def rows(tmp_path: Path, body: str, **others: str) -> list[Entity]:
    """The metrics of a main package with this body; `others` are files of other packages (`a__b.go` is
    a/b.go).
    """
    files = {"go.mod": "module example.com/app\n\ngo 1.22\n", "main.go": _source("main", body)}
    for name, text in others.items():
        path = name.replace("__", "/") + ".go"
        files[path] = _source(path.split("/")[-2], text)
    return list(metric_table(store_of(tmp_path, files)).rows)


def _source(package: str, body: str) -> str:
    body = dedent(body)
    used = [path for name, path in _IMPORTS.items() if f"{name}." in body]
    own = [line.removeprefix("// import ") for line in body.splitlines() if line.startswith("// import ")]
    return f"package {package}\n\nimport (\n" + "".join(f'\t"{p}"\n' for p in [*used, *own]) + f")\n{body}"


def told(found: list[Entity], *fields: str) -> list[tuple[object, ...]]:
    return [tuple(row.get(f).value for f in fields) for row in found]


OPTS = 'prometheus.CounterOpts{Name: "x_total"}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(
            f"var x = promauto.NewCounter({OPTS})\nfunc main() {{}}", [("x_total", "counter", ())], id="auto"
        ),
        pytest.param(
            'var x = promauto.NewGaugeVec(prometheus.GaugeOpts{Namespace: "a", Subsystem: "b", Name: "x"}, '
            '[]string{"service", "method"})\nfunc main() {}',
            [("a_b_x", "gauge", ("service", "method"))],
            id="namespace, subsystem, labels",
        ),
        pytest.param(
            'const ns = "a"\nvar labels = []string{"k"}\n'
            'var x = promauto.NewHistogramVec(prometheus.HistogramOpts{Namespace: ns, Name: "x", '
            'ConstLabels: prometheus.Labels{"c": "1"}}, append(labels, "m"))\nfunc main() {}',
            [("a_x", "histogram", ("k", "m", "c"))],
            id="constants, append, constant labels",
        ),
        pytest.param(
            "func counter(ns, name string, labels ...string) *prometheus.CounterVec {\n"
            "return promauto.NewCounterVec(prometheus.CounterOpts{Namespace: ns, Name: name}, labels) }\n"
            'func main() { counter("a", "x_total", "k"); counter("b", "y_total") }',
            [("a_x_total", "counter", ("k",)), ("b_y_total", "counter", ())],
            id="parameters",
        ),
        pytest.param(
            "func counter(o prometheus.CounterOpts, l []string) { promauto.NewCounterVec(o, l) }\n"
            'func main() { counter(prometheus.CounterOpts{Name: "x_total"}, []string{"k"}) }',
            [("x_total", "counter", ("k",))],
            id="options as a parameter",
        ),
        pytest.param(
            'func main() { o := prometheus.CounterOpts{Subsystem: "s"}; o.Name = "x_total"; '
            "promauto.NewCounter(o) }",
            [("s_x_total", "counter", ())],
            id="options filled later",
        ),
        pytest.param(
            'func main() { for _, n := range []string{"x_total", "y_total"} { '
            "promauto.NewCounter(prometheus.CounterOpts{Name: n}) } }",
            [("x_total", "counter", ()), ("y_total", "counter", ())],
            id="loop over names",
        ),
        pytest.param(
            'func main() { promauto.NewGaugeFunc(prometheus.GaugeOpts{Name: "x"}, func() float64 { return 1 '
            "}) }",
            [("x", "gauge", ())],
            id="function",
        ),
        pytest.param(
            "func main() { promauto.NewCounter(prometheus.CounterOpts{Name: os.Args[1]}) }",
            [(None, "counter", ())],
            id="name from outside",
        ),
        pytest.param(
            "type own struct{}\nfunc (own) NewCounter(o int) int { return o }\n"
            "func main() { var prometheus own; prometheus.NewCounter(1) }",
            [],
            id="another thing called prometheus",
        ),
    ],
)
def test_names(tmp_path: Path, body: str, expected: list[tuple[object, ...]]) -> None:
    assert told(rows(tmp_path, body), "name", "type", "labels") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param(f"var x = promauto.NewCounter({OPTS})\nfunc main() {{}}", "yes", id="promauto"),
        pytest.param(
            f"func main() {{ r := prometheus.NewRegistry(); promauto.With(r).NewCounter({OPTS}) }}",
            "yes",
            id="with",
        ),
        pytest.param(
            f"func main() {{ f := promauto.With(prometheus.DefaultRegisterer); f.NewCounter({OPTS}) }}",
            "yes",
            id="factory variable",
        ),
        pytest.param(f"func main() {{ promauto.With(nil).NewCounter({OPTS}) }}", "no", id="with nil"),
        pytest.param(
            f"func load(r prometheus.Registerer) {{ promauto.With(r).NewCounter({OPTS}) }}\nfunc main() "
            f"{{ load(nil) }}",
            "no",
            id="every caller gives nil",
        ),
        pytest.param(
            f"func main() {{ prometheus.MustRegister(prometheus.NewCounter({OPTS})) }}", "yes", id="inline"
        ),
        pytest.param(
            f"var x = prometheus.NewCounter({OPTS})\nfunc init() {{ prometheus.MustRegister(x) }}\nfunc "
            f"main() {{}}",
            "yes",
            id="in init",
        ),
        pytest.param(
            "func main() "
            f"{{ x := prometheus.NewCounter({OPTS}); if err := prometheus.Register(x); err != nil {{}} }}",
            "yes",
            id="register",
        ),
        pytest.param(
            f"var x = prometheus.NewCounter({OPTS})\n"
            "func main() { for _, c := range []prometheus.Collector{x} { prometheus.MustRegister(c) } }",
            "yes",
            id="loop",
        ),
        pytest.param(
            f"func main() {{ all := []prometheus.Collector{{prometheus.NewCounter({OPTS})}}; "
            "prometheus.MustRegister(all...) }",
            "yes",
            id="spread",
        ),
        pytest.param(
            f"type m struct {{ x prometheus.Counter }}\nfunc newM() *m "
            f"{{ return &m{{x: prometheus.NewCounter({OPTS})}} }}\n"
            "func (m *m) register(r prometheus.Registerer) { r.MustRegister(m.x) }\n"
            "func main() { newM().register(prometheus.DefaultRegisterer) }",
            "yes",
            id="field",
        ),
        pytest.param(
            f"func make() prometheus.Counter {{ return prometheus.NewCounter({OPTS}) }}\n"
            "func add(cs ...prometheus.Collector) { prometheus.MustRegister(cs...) }\nfunc main() { x := "
            "make(); add(x) }",
            "yes",
            id="result and helper",
        ),
        pytest.param(
            "type c struct { d *prometheus.Desc }\n"
            'func newC() *c { return &c{d: prometheus.NewDesc("x", "", nil, nil)} }\n'
            "func (c *c) Describe(ch chan<- *prometheus.Desc) { ch <- c.d }\n"
            "func (c *c) Collect(ch chan<- prometheus.Metric) { "
            "ch <- prometheus.MustNewConstMetric(c.d, prometheus.GaugeValue, 1) }\n"
            "func main() { prometheus.MustRegister(newC()) }",
            "yes",
            id="collector",
        ),
        pytest.param(
            f"var x = prometheus.NewCounter({OPTS})\nfunc main() {{ x.Inc() }}", "no", id="only used"
        ),
        pytest.param(
            f"var x = prometheus.NewCounter({OPTS})\nfunc main() {{}}\nfunc dead() "
            f"{{ prometheus.MustRegister(x) }}",
            "no",
            id="registered by dead code",
        ),
        pytest.param(
            f"func main() {{}}\nfunc dead() {{ promauto.NewCounter({OPTS}) }}", "no", id="made by dead code"
        ),
        pytest.param(
            f"var x = prometheus.NewCounter({OPTS})\ntype own struct{{}}\nfunc (own) MustRegister(v any) "
            f"{{}}\n"
            "func main() { own{}.MustRegister(x) }",
            "no",
            id="another MustRegister",
        ),
        pytest.param(
            f"// import example.com/lib\nvar x = prometheus.NewCounter({OPTS})\nfunc main() "
            f"{{ lib.Take(x) }}",
            "unknown",
            id="handed to a library",
        ),
    ],
)
def test_registered(tmp_path: Path, body: str, expected: str) -> None:
    assert told(rows(tmp_path, body), "registered") == [(expected,)]


def test_a_package_that_no_binary_imports(tmp_path: Path) -> None:
    found = rows(tmp_path, "func main() {}", metrics__metrics=f"var X = promauto.NewCounter({OPTS})")
    assert told(found, "name", "registered", "binaries") == [("x_total", "no", ())]


def test_a_constructor_that_nobody_calls_keeps_the_known_part_of_the_name(tmp_path: Path) -> None:
    body = """
        func New(ns string) { promauto.NewCounter(prometheus.CounterOpts{Namespace: ns, Name: "x_total"}) }
        func main() {}
    """
    assert told(rows(tmp_path, body), "name", "registered") == [("x_total", "no")]


def test_a_prefix_of_the_registerer(tmp_path: Path) -> None:
    body = f"""
        func main() {{
            r := prometheus.WrapRegistererWithPrefix("p_", prometheus.DefaultRegisterer)
            promauto.With(r).NewCounter({OPTS})
        }}
    """
    assert told(rows(tmp_path, body), "name") == [("p_x_total",)]


class TestServed:
    SERVE = 'http.Handle("/metrics", promhttp.Handler()); http.ListenAndServe(":8080", nil)'

    def served(self, tmp_path: Path, body: str) -> list[tuple[object, ...]]:
        return told(rows(tmp_path, body), "registered", "served", "served_by")

    def test_default_registry(self, tmp_path: Path) -> None:
        body = f"var x = promauto.NewCounter({OPTS})\nfunc main() {{ {self.SERVE} }}"
        assert self.served(tmp_path, body) == [("yes", "yes", ("",))]

    def test_no_handler(self, tmp_path: Path) -> None:
        body = f'var x = promauto.NewCounter({OPTS})\nfunc main() {{ http.ListenAndServe(":8080", nil) }}'
        assert self.served(tmp_path, body) == [("yes", "no", ())]

    def test_handler_that_is_not_mounted(self, tmp_path: Path) -> None:
        body = (
            f"var x = promauto.NewCounter({OPTS})\nfunc h() http.Handler {{ return promhttp.Handler() }}\n"
            'func main() { http.ListenAndServe(":8080", nil) }'
        )
        assert self.served(tmp_path, body) == [("yes", "no", ())]

    def test_another_registry(self, tmp_path: Path) -> None:
        body = f"""
            func main() {{
                r := prometheus.NewRegistry()
                promauto.With(r).NewCounter({OPTS})
                {self.SERVE}
            }}
        """
        assert self.served(tmp_path, body) == [("yes", "no", ())]

    def test_the_handler_of_that_registry(self, tmp_path: Path) -> None:
        body = f"""
            func main() {{
                r := prometheus.NewRegistry()
                promauto.With(r).NewCounter({OPTS})
                http.Handle("/metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{{}}))
                http.ListenAndServe(":8080", nil)
            }}
        """
        assert self.served(tmp_path, body) == [("yes", "yes", ("",))]

    def test_an_empty_registry_is_served(self, tmp_path: Path) -> None:
        body = f"""
            var x = promauto.NewCounter({OPTS})
            func main() {{
                r := prometheus.NewRegistry()
                http.Handle("/metrics", promhttp.HandlerFor(r, promhttp.HandlerOpts{{}}))
                http.ListenAndServe(":8080", nil)
            }}
        """
        assert self.served(tmp_path, body) == [("yes", "no", ())]

    def test_not_registered(self, tmp_path: Path) -> None:
        body = f"var x = prometheus.NewCounter({OPTS})\nfunc main() {{ x.Inc(); {self.SERVE} }}"
        assert self.served(tmp_path, body) == [("no", "no", ())]

    @pytest.mark.parametrize(
        ("code", "served"),
        [
            ("New(prometheus.DefaultRegisterer); SERVE", "yes"),
            ("New(prometheus.NewRegistry()); SERVE", "no"),
            ("r := prometheus.NewRegistry(); New(r); Serve(r)", "yes"),
            ("r := prometheus.NewRegistry(); New(r); Serve(prometheus.NewRegistry())", "no"),
            ("New(own); Serve(own)", "yes"),
            ("New(own); Serve(other())", "no"),
            ("New(other()); Serve(prometheus.Gatherers{prometheus.DefaultGatherer, other()})", "yes"),
            ("a := app{reg: own}; New(a.reg); Serve(own)", "yes"),
            ("a := app{reg: own}; go a.serve(); New(a.reg)", "yes"),
            ("a := app{reg: own}; go a.serve(); New(prometheus.DefaultRegisterer)", "no"),
            ("r := own; if port != nil { r = other() }; New(r); Serve(own)", "unknown"),
            ("r := own; if port != nil { r = other() }; New(r); SERVE", "no"),
            ("New(prometheus.WrapRegistererWith(nil, own)); Serve(own)", "yes"),
            ("New(flag.Registry()); Serve(own)", "unknown"),
            ("New(nil); SERVE", "no"),
        ],
    )
    def test_a_registry_is_followed_to_its_handler(self, code: str, served: str, tmp_path: Path) -> None:
        body = f"""
            var own, shared, port = prometheus.NewRegistry(), prometheus.NewRegistry(), flag.Args()

            type app struct {{ reg *prometheus.Registry }}

            func (a app) serve() {{ Serve(a.reg) }}

            func other() *prometheus.Registry {{ return shared }}

            func New(r prometheus.Registerer) {{
                c := prometheus.NewCounter({OPTS})
                r.MustRegister(c)
            }}

            func Serve(g prometheus.Gatherer) {{
                http.Handle("/metrics", promhttp.HandlerFor(g, promhttp.HandlerOpts{{}}))
                http.ListenAndServe(":8080", nil)
            }}

            func main() {{ {code.replace("SERVE", self.SERVE)} }}
        """
        assert [row[1] for row in self.served(tmp_path, body)] == [served]

    def test_each_binary_has_its_own_registry(self, tmp_path: Path) -> None:
        meters = (
            'package meters\n\nimport "github.com/prometheus/client_golang/prometheus"\n\n'
            f"func New(r prometheus.Registerer) {{ r.MustRegister(prometheus.NewCounter({OPTS})) }}\n"
        )
        program = (
            'package main\n\nimport (\n"net/http"\n"example.com/app/meters"\n'
            '"github.com/prometheus/client_golang/prometheus"\n'
            '"github.com/prometheus/client_golang/prometheus/promhttp"\n)\n\n'
            f"func main() {{ meters.New(REGISTRY); {self.SERVE} }}\n"
        )
        files = {
            "go.mod": "module example.com/app\n\ngo 1.25\n",
            "meters/meters.go": meters,
            "a/main.go": program.replace("REGISTRY", "prometheus.DefaultRegisterer"),
            "b/main.go": program.replace("REGISTRY", "prometheus.NewRegistry()"),
        }
        (row,) = metric_table(store_of(tmp_path, files)).rows
        assert (row.get("binaries").value, row.get("served_by").value) == (("a", "b"), ("a",))


SOURCE = 'package m\n\nimport "github.com/prometheus/client_golang/prometheus"\n\n'
MADE = (
    "func New() prometheus.Counter {\n\tc := prometheus.NewCounter("
    + OPTS
    + ")\n\tprometheus.MustRegister(c)\n\treturn c\n}\n"
)
TOOL = "package main\n\nfunc main() {}\n"


@pytest.mark.parametrize(
    ("files", "answer"),
    [
        pytest.param({}, "yes", id="no program at all"),
        pytest.param(
            {"tool/go.mod": "module example.com/m/tool\n", "tool/main.go": TOOL},
            "yes",
            id="the only program is another module",
        ),
        pytest.param({"cmd/main.go": TOOL}, "no", id="a program in the module"),
        pytest.param(
            {
                "tool/go.mod": "module example.com/tool\nreplace example.com/m => ../\n",
                "tool/main.go": TOOL,
            },
            "no",
            id="a program is built with this copy of it",
        ),
        pytest.param(
            {
                "go.work": "go 1.22\nuse .\nuse ./tool\n",
                "tool/go.mod": "module example.com/tool\n",
                "tool/main.go": TOOL,
            },
            "no",
            id="in the workspace of a program",
        ),
    ],
)
def test_code_of_a_library_runs_elsewhere(files: dict[str, str], answer: str, tmp_path: Path) -> None:
    store = store_of(tmp_path, {"go.mod": "module example.com/m\n", "m/m.go": SOURCE + MADE, **files})
    assert told(list(metric_table(store).rows), "registered", "in_library") == [("no", answer)]


@pytest.mark.parametrize(
    ("code", "answer"),
    [
        pytest.param("c.Inc()\n\tvar out dto.Metric\n\tc.Write(&out)", "yes", id="its value is read"),
        pytest.param("c.Inc()", "no", id="nobody reads it"),
        pytest.param("c.Inc()\n\tw.Write([]byte{})", "no", id="something else is written"),
    ],
)
def test_a_metric_that_the_program_reads_itself(code: str, answer: str, tmp_path: Path) -> None:
    body = f"""
    // import bufio
    // import github.com/prometheus/client_model/go
    func main() {{
        var w bufio.Writer
        c := prometheus.NewCounter({OPTS})
        {code}
    }}
    """
    assert told(rows(tmp_path, body), "registered", "read_back") == [("no", answer)]


@pytest.mark.parametrize(
    ("serves", "answer"),
    [
        pytest.param('mux.Handle("/metrics", promhttp.Handler())', "unknown", id="vendored code serves"),
        pytest.param("_ = promhttp.InstrumentHandlerInFlight", "no", id="vendored code only counts requests"),
    ],
)
def test_vendored_code_may_serve(serves: str, answer: str, tmp_path: Path) -> None:
    vendored = (
        'package server\n\nimport (\n\t"net/http"\n\n\t"github.com/prometheus/client_golang/prometheus/promhttp"\n)\n\n'
        f'func Run() {{\n\tmux := http.NewServeMux()\n\t{serves}\n\thttp.ListenAndServe(":80", mux)\n}}\n'
    )
    main = (
        'package main\n\nimport (\n\t"example.org/server"\n\t"github.com/prometheus/client_golang/prometheus"\n'
        '\t"github.com/prometheus/client_golang/prometheus/promauto"\n)\n\n'
        f"var x = promauto.NewCounter({OPTS})\n\nfunc main() {{ server.Run() }}\n"
    )
    files = {"go.mod": "module example.com/m\n", "main.go": main, "vendor/example.org/server/s.go": vendored}
    assert told(list(metric_table(store_of(tmp_path, files)).rows), "served") == [(answer,)]


@pytest.mark.parametrize(
    ("registerer", "name", "labels"),
    [
        pytest.param("prometheus.NewRegistry()", "x_total", (), id="plain"),
        pytest.param("elsewhere.Registerer()", None, None, id="made by code that is not followed"),
        pytest.param("elsewhere.Shared", None, None, id="a variable of code that is not followed"),
        pytest.param("metrics.Registry", "x_total", (), id="a library's own, which adds nothing"),
        pytest.param("own()", "own_x_total", (), id="wrapped in a function"),
        pytest.param(
            'extprom.WrapRegistererWith(prometheus.Labels{"component": "a"}, prometheus.NewRegistry())',
            "x_total",
            ("component",),
            id="wrapped by a library",
        ),
        pytest.param("shared", "late_x_total", (), id="a variable that is set later"),
        pytest.param(
            "given(elsewhere.Run)", "x_total", (), id="a registry, from wherever: nothing wraps one"
        ),
    ],
)
def test_the_name_depends_on_the_registerer(
    registerer: str, name: str | None, labels: tuple[str, ...] | None, tmp_path: Path
) -> None:
    body = f"""
    // import example.org/elsewhere
    // import sigs.k8s.io/controller-runtime/pkg/metrics
    // import github.com/thanos-io/thanos/pkg/extprom
    var _, _, _ = elsewhere.X, metrics.X, extprom.X
    var shared prometheus.Registerer
    func given(run func() *prometheus.Registry) *prometheus.Registry {{
        reg := run()
        return reg
    }}
    func own() prometheus.Registerer {{
        return prometheus.WrapRegistererWithPrefix("own_", prometheus.NewRegistry())
    }}
    func count(f promauto.Factory) {{
        f.NewCounter({OPTS})
    }}
    func main() {{
        shared = prometheus.WrapRegistererWithPrefix("late_", prometheus.DefaultRegisterer)
        count(promauto.With({registerer}))
    }}
    """
    assert told(rows(tmp_path, body), "name", "labels") == [(name, labels)]


def test_a_collector_that_makes_its_metric_anew_is_registered(tmp_path: Path) -> None:
    body = """
type swapped struct {
	current *prometheus.GaugeVec
	make    func() *prometheus.GaugeVec
}

func newSwapped(reg prometheus.Registerer, opts prometheus.GaugeOpts) *swapped {
	f := func() *prometheus.GaugeVec {
		g := promauto.With(nil).NewGaugeVec(opts, []string{"state"})
		g.WithLabelValues("on")
		return g
	}
	s := &swapped{current: f(), make: f}
	if reg != nil {
		reg.MustRegister(s)
	}
	return s
}

func (s *swapped) Describe(ch chan<- *prometheus.Desc) { s.current.Describe(ch) }
func (s *swapped) Collect(ch chan<- prometheus.Metric) { s.current.Collect(ch) }

func main() { newSwapped(prometheus.DefaultRegisterer, prometheus.GaugeOpts{Name: "blocks"}) }
"""
    assert told(rows(tmp_path, body), "name", "registered") == [("blocks", "yes")]


def test_a_function_may_be_a_collector(tmp_path: Path) -> None:
    body = """
// import example.org/collect

func info() collect.Func {
	return func(ch chan<- prometheus.Metric) {
		ch <- prometheus.MustNewConstMetric(prometheus.NewDesc("build_info", "", nil, nil), prometheus.GaugeValue, 1)
	}
}

func main() { prometheus.MustRegister(info()) }
"""
    assert told(rows(tmp_path, body), "name", "registered") == [("build_info", "unknown")]


@pytest.mark.parametrize(("options", "read_back"), [("", "yes"), ('Name: "x_total"', "no")])
def test_a_metric_without_a_name_or_a_registry_is_a_stand_in(
    tmp_path: Path, options: str, read_back: str
) -> None:
    body = f"func main() {{ promauto.With(nil).NewCounter(prometheus.CounterOpts{{{options}}}).Inc() }}"
    assert told(rows(tmp_path, body), "registered", "read_back") == [("no", read_back)]


def test_callers_that_never_run_say_nothing_of_a_metric_that_others_make(tmp_path: Path) -> None:
    body = """
func gate(name string) { promauto.NewCounter(prometheus.CounterOpts{Name: name + "_total"}) }

func unused() { gate("b") }

func main() { gate("a") }
"""
    assert told(rows(tmp_path, body), "name", "registered") == [("a_total", "yes")]


def test_each_caller_registers_its_own(tmp_path: Path) -> None:
    body = """
    type sizes struct {
        desc *prometheus.Desc
    }
    func (s *sizes) Describe(ch chan<- *prometheus.Desc) { ch <- s.desc }
    func (s *sizes) Collect(ch chan<- prometheus.Metric) {
        ch <- prometheus.MustNewConstMetric(s.desc, prometheus.GaugeValue, 1)
    }
    func newSizes(prefix string) *sizes {
        return &sizes{desc: prometheus.NewDesc(prefix+"_size", "", nil, nil)}
    }
    func main() {
        prometheus.MustRegister(newSizes("a"))
        other := prometheus.WrapRegistererWith(prometheus.Labels{"component": "b"}, prometheus.DefaultRegisterer)
        other.MustRegister(newSizes("b"))
    }
    """
    found = told(rows(tmp_path, body), "name", "labels", "registered")
    assert sorted(found, key=str) == [("a_size", (), "yes"), ("b_size", ("component",), "yes")]


_SERVE = 'http.ListenAndServe(":80", nil)'


@pytest.mark.parametrize(
    ("body", "registered"),
    [
        pytest.param(f"{_SERVE}; prometheus.MustRegister(x)", "no", id="behind the server"),
        pytest.param(f"{_SERVE}; set()", "no", id="called behind the server"),
        pytest.param(f"{_SERVE}; own{{}}.set()", "no", id="a method called behind the server"),
        pytest.param(
            "srv := &http.Server{}; if err := srv.Serve(l); err != nil { print(err) }; set()",
            "no",
            id="behind a server that is looked at",
        ),
        pytest.param(
            f"go func() {{ {_SERVE}; prometheus.MustRegister(x) }}(); select {{}}", "no", id="in a goroutine"
        ),
        pytest.param(f"go {_SERVE}; set(); select {{}}", "yes", id="beside the server"),
        pytest.param("own{}.Serve(); set(); select {}", "yes", id="a Serve of our own that returns"),
        pytest.param(f"if len(os.Args) > 1 {{ {_SERVE} }}; set()", "yes", id="behind one that may not run"),
        pytest.param(f"if len(os.Args) > 1 {{ {_SERVE}; set() }}", "no", id="behind one in the same branch"),
        pytest.param(
            f"switch {{ case len(os.Args) > 1: {_SERVE}; set() }}", "no", id="behind one in the same case"
        ),
        pytest.param(f"if len(os.Args) > 1 {{ {_SERVE} }} else {{ set() }}", "yes", id="instead of one"),
        pytest.param(f"set(); {_SERVE}", "yes", id="before the server"),
    ],
)
def test_what_is_registered_when_the_server_has_stopped(tmp_path: Path, body: str, registered: str) -> None:
    registers = "{ prometheus.MustRegister(x) }"
    methods = f"func (own) set() {registers}" if "own{}.set" in body else f"func set() {registers}"
    text = f"""
    var x = prometheus.NewCounter({OPTS})
    var l net.Listener
    type own struct{{}}
    func (own) Serve() {{ go {_SERVE} }}
    func main() {{ {body} }}
    {methods if "set()" in body else ""}
    """
    assert told(rows(tmp_path, text), "registered") == [(registered,)]


@pytest.mark.parametrize(
    ("wait", "body", "registered"),
    [
        pytest.param(f"func wait() {{ {_SERVE} }}", "wait(); set()", "no", id="a wrapper of a server"),
        pytest.param(
            f"func wait() {{ go {_SERVE} }}", "wait(); set(); select {}", "yes", id="one that starts it"
        ),
        pytest.param(
            f"func wait() error {{ return inner() }}\nfunc inner() error {{ return {_SERVE} }}",
            "if err := wait(); err != nil { panic(err) }; set()",
            "no",
            id="a wrapper of a wrapper",
        ),
        pytest.param("func wait() { select {} }", "wait(); set()", "no", id="what never returns"),
        pytest.param("func wait() {}", "select {}; set()", "no", id="behind a select of nothing"),
        pytest.param(
            "func wait(ctx context.Context) { <-ctx.Done() }",
            "wait(context.Background()); set()",
            "no",
            id="a context",
        ),
        pytest.param(
            "func wait(ctx context.Context) {\n"
            "ctx, cancel := context.WithTimeout(ctx, 3); defer cancel()\n<-ctx.Done() }",
            "wait(context.Background()); set()",
            "yes",
            id="a context with a deadline",
        ),
        pytest.param(
            "func wait() { c := make(chan os.Signal, 1); signal.Notify(c, os.Interrupt); s := <-c; _ = s }",
            "wait(); set()",
            "no",
            id="a signal",
        ),
        pytest.param(
            "func wait(ctx context.Context, errs chan error) error {\n"
            "select { case <-ctx.Done(): return nil\ncase err := <-errs: return err } }",
            "wait(context.Background(), make(chan error)); set()",
            "no",
            id="a context or an error",
        ),
        pytest.param(
            "func wait(ctx context.Context, ready chan bool) {\n"
            "select { case <-ctx.Done():\ncase <-ready: } }",
            "wait(context.Background(), make(chan bool)); set()",
            "yes",
            id="a context or something else",
        ),
        pytest.param(
            f"func wait(on bool) {{ if !on {{ return }}\n{_SERVE} }}",
            "wait(len(os.Args) > 1); set()",
            "yes",
            id="a wrapper that may not serve",
        ),
        pytest.param(
            "type app struct{ srv *grpc.Server }\nfunc (a *app) Run(l net.Listener) error {\n"
            'if l == nil { return errors.New("no listener") }\nreturn a.srv.Serve(l) }\nfunc wait() {}',
            "a := &app{grpc.NewServer()}; a.Run(nil); set()",
            "no",
            id="a method around a gRPC server",
        ),
        pytest.param(
            f"func wait() {{ {_SERVE} }}", "go wait(); set(); select {}", "yes", id="a wrapper beside it"
        ),
        pytest.param(f"func wait() {{ {_SERVE} }}", "defer wait(); set()", "yes", id="a wrapper at the end"),
    ],
)
def test_functions_of_the_repository_serve_until_the_end_as_well(
    tmp_path: Path, wait: str, body: str, registered: str
) -> None:
    text = f"""
    var x = prometheus.NewCounter({OPTS})
    func set() {{ prometheus.MustRegister(x) }}
    func main() {{ {body} }}
    """
    assert told(rows(tmp_path, dedent(text) + wait + "\n"), "registered") == [(registered,)]


def test_promauto_behind_the_server_registers_nothing(tmp_path: Path) -> None:
    body = f"func main() {{ {_SERVE}; promauto.NewCounter({OPTS}) }}"
    assert told(rows(tmp_path, body), "registered") == [("no",)]


@pytest.mark.parametrize(
    ("mount", "served"),
    [
        ('mux.Handle("/", http.DefaultServeMux); http.ListenAndServe(":80", mux)', "yes"),
        ('mux.HandleFunc("/", http.DefaultServeMux.ServeHTTP); http.ListenAndServe(":80", mux)', "yes"),
        ('mux.Handle("/debug/", http.DefaultServeMux); http.ListenAndServe(":80", mux)', "no"),
        ('mux.Handle("/", http.DefaultServeMux)', "no"),
    ],
)
def test_a_mux_that_hands_on_to_the_default_one(tmp_path: Path, mount: str, served: str) -> None:
    body = (
        f"var x = promauto.NewCounter({OPTS})\n"
        'func main() { http.Handle("/metrics", promhttp.Handler()); mux := http.NewServeMux(); '
        f"{mount} }}"
    )
    assert told(rows(tmp_path, body), "served") == [(served,)]


@pytest.mark.parametrize(
    ("body", "registered"),
    [
        pytest.param("prometheus.MustRegister(x); _ = prometheus.Unregister(x)", "no", id="result dropped"),
        pytest.param(
            "prometheus.MustRegister(x); if !prometheus.Unregister(x) { print(1) }", "no", id="result asked"
        ),
        pytest.param(
            "prometheus.MustRegister(x); if len(os.Args) > 1 { prometheus.Unregister(x) }",
            "unknown",
            id="under a condition",
        ),
        pytest.param("prometheus.MustRegister(x); off()", "unknown", id="elsewhere"),
        pytest.param("prometheus.MustRegister(x); defer off()", "yes", id="at the end"),
        pytest.param("prometheus.MustRegister(x); <-done; off()", "yes", id="when it is done"),
        pytest.param("off(); prometheus.MustRegister(x)", "yes", id="before"),
        pytest.param(
            "prometheus.MustRegister(x); if err := load(); err != nil { off() }", "yes", id="taken back"
        ),
    ],
)
def test_a_metric_that_is_unregistered(tmp_path: Path, body: str, registered: str) -> None:
    text = f"""
    var x = prometheus.NewCounter({OPTS})
    var done = make(chan bool)
    func load() error {{ return nil }}
    func off() {{ prometheus.Unregister(x) }}
    func main() {{ {body} }}
    """
    assert told(rows(tmp_path, text), "registered") == [(registered,)]


def test_promauto_and_then_unregistered(tmp_path: Path) -> None:
    body = f"var x = promauto.NewCounter({OPTS})\nfunc main() {{ prometheus.Unregister(x) }}"
    assert told(rows(tmp_path, body), "registered") == [("unknown",)]


SWITCHED_BODY = """
func metricsOn() bool { return os.Getenv("BREAKER_METRICS") == "on" }
var on = false
var x = prometheus.NewCounter(OPTS)
func register(r prometheus.Registerer) { r.MustRegister(x) }
func main() {
    WAY
    http.Handle("/metrics", promhttp.Handler())
    http.ListenAndServe(":80", nil)
}
"""


@pytest.mark.parametrize(
    ("way", "served"),
    [
        ("prometheus.MustRegister(x)", "yes"),
        ("if metricsOn() { prometheus.MustRegister(x) }", "unknown"),
        ('if os.Getenv("BREAKER_METRICS") != "off" { prometheus.MustRegister(x) }', "yes"),
        ('if os.Getenv("BREAKER_METRICS") != "" { register(prometheus.DefaultRegisterer) }', "unknown"),
        ("if on { prometheus.MustRegister(x) }", "unknown"),
        ("if !metricsOn() { prometheus.Register(x) } else { prometheus.MustRegister(x) }", "yes"),
        (
            'if metricsOn() { promauto.NewGauge(prometheus.GaugeOpts{Name: "y"}) }; prometheus.MustRegister(x)',
            "yes",
        ),
        ("if err := prometheus.Register(x); err != nil { panic(err) }", "yes"),
    ],
)
def test_a_metric_that_a_setting_registers_is_served_where_the_setting_is_on(
    tmp_path: Path, way: str, served: str
) -> None:
    found = rows(tmp_path, SWITCHED_BODY.replace("OPTS", OPTS).replace("WAY", way))
    assert [row.get("served").value for row in found if row.get("name").value == "x_total"] == [served]
    assert [row.get("registered").value for row in found if row.get("name").value == "x_total"] == ["yes"]
