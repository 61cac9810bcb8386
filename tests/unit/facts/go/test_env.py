"""Which environment variables Go code reads, with which default, and whether the read can run."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from trees import store_of

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.env_read import EnvRead
from zuno_audit.facts.go.env import can_run, env_reads

_IMPORTS = {
    "os": "os",
    "fmt": "fmt",
    "log": "log",
    "cmp": "cmp",
    "errors": "errors",
    "strconv": "strconv",
    "strings": "strings",
    "syscall": "syscall",
    "env": "github.com/caarlos0/env/v11",
    "envconfig": "github.com/kelseyhightower/envconfig",
    "cleanenv": "github.com/ilyakaznacheev/cleanenv",
    "viper": "github.com/spf13/viper",
    "cli": "github.com/urfave/cli/v2",
    "kingpin": "gopkg.in/alecthomas/kingpin.v2",
    "godotenv": "github.com/joho/godotenv",
}


def reads(tmp_path: Path, body: str, **others: str) -> list[EnvRead]:
    """What a program reads, see `program`."""
    return list(env_reads(program(tmp_path, body, **others)))


def runs(tmp_path: Path, body: str, **others: str) -> list[str]:
    """For each read of a program whether it can run."""
    store = program(tmp_path, body, **others)
    return [can_run(store, read) for read in env_reads(store)]


def program(tmp_path: Path, body: str, **others: str) -> FactStore:
    """A main package with this body; `others` are files of packages next to it (`a__b.go` is
    a/b.go).
    """
    files = {"go.mod": "module example.com/app\n\ngo 1.22\n", "main.go": _source("main", body)}
    for name, text in others.items():
        path = name.replace("__", "/") + ".go"
        files[path] = _source(path.split("/")[-2] if "/" in path else "main", text)
    return store_of(tmp_path, files)


def _source(package: str, body: str) -> str:
    body = dedent(body)
    used = [path for name, path in _IMPORTS.items() if f"{name}." in body]
    own = [line.removeprefix("// import ") for line in body.splitlines() if line.startswith("// import ")]
    imports = "".join(f'\t"{path}"\n' for path in [*used, *own])
    return f"package {package}\n\nimport (\n{imports})\n{body}"


def summary(found: list[EnvRead]) -> dict[str, tuple[str | None, str]]:
    """Default and required by name."""
    return {read.name: (read.default, read.required) for read in found}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param('func main() { fmt.Println(os.Getenv("PORT")) }', {"PORT"}, id="literal"),
        pytest.param(
            'func main() { v, ok := os.LookupEnv("PORT"); fmt.Println(v, ok) }', {"PORT"}, id="lookup"
        ),
        pytest.param(
            'func main() { v, ok := syscall.Getenv("PORT"); fmt.Println(v, ok) }', {"PORT"}, id="syscall"
        ),
        pytest.param(
            'const key = "PORT"\nfunc main() { fmt.Println(os.Getenv(key)) }', {"PORT"}, id="constant"
        ),
        pytest.param(
            'type Key string\nconst Port Key = "PORT"\nfunc main() { fmt.Println(os.Getenv(string(Port))) }',
            {"PORT"},
            id="typed constant",
        ),
        pytest.param(
            'const p = "APP_"\nfunc main() { fmt.Println(os.Getenv(p + "PORT")) }',
            {"APP_PORT"},
            id="concatenation",
        ),
        pytest.param(
            'func main() { for _, k := range []string{"A_1", "B_1"} { fmt.Println(os.Getenv(k)) } }',
            {"A_1", "B_1"},
            id="loop over a slice",
        ),
        pytest.param(
            'var keys = map[string]int{"A_1": 1, "B_1": 2}\n'
            "func main() { for k := range keys { fmt.Println(os.Getenv(k)) } }",
            {"A_1", "B_1"},
            id="loop over a map",
        ),
        pytest.param(
            'var t = []struct{ k, d string }{{"A_1", "x"}, {k: "B_1"}}\n'
            "func main() { for _, e := range t { fmt.Println(os.Getenv(e.k)) } }",
            {"A_1", "B_1"},
            id="loop over structs",
        ),
        pytest.param(
            "func get(d string, k string) string { return os.Getenv(k) }\nfunc main() { "
            'fmt.Println(get("d", "A_1")) }',
            {"A_1"},
            id="wrapper, key second",
        ),
        pytest.param(
            "func a(k string) string { return os.Getenv(k) }\nfunc b(k string) string { return a(k) }\n"
            'func c(k string) string { return b("APP_" + k) }\nfunc main() { fmt.Println(c("X")) }',
            {"APP_X"},
            id="three wrappers and a prefix",
        ),
        pytest.param(
            "type env struct{ prefix string }\n"
            "func (e env) get(k string) string { return os.Getenv(e.prefix + k) }\n"
            'func main() { e := env{prefix: "APP_"}; fmt.Println(e.get("X")) }',
            {"APP_X"},
            id="method wrapper with a prefix in the receiver",
        ),
        pytest.param(
            'func need(ks ...string) { for _, k := range ks { if os.Getenv(k) == "" { log.Fatal(k) } } }\n'
            'func main() { need("A_1", "B_1") }',
            {"A_1", "B_1"},
            id="variadic wrapper",
        ),
        pytest.param(
            "func as[T any](k string, parse func(string) T) T { return parse(os.Getenv(k)) }\n"
            'func main() { fmt.Println(as[string]("A_1", strings.TrimSpace), as("B_1", strings.ToUpper)) }',
            {"A_1", "B_1"},
            id="generic wrapper",
        ),
        pytest.param(
            'var getenv = os.Getenv\nfunc main() { fmt.Println(getenv("A_1")) }', {"A_1"}, id="variable"
        ),
        pytest.param(
            'func main() { get := func(k string) string { return os.Getenv(k) }; fmt.Println(get("A_1")) }',
            {"A_1"},
            id="closure",
        ),
        pytest.param(
            "type hooks struct{ getenv func(string) string }\ntype plugin struct{ hooks hooks }\n"
            'func (p *plugin) run() { fmt.Println(p.hooks.getenv("A_1")) }\n'
            "func main() { p := &plugin{}; p.hooks.getenv = os.Getenv; p.run() }",
            {"A_1"},
            id="function in a field",
        ),
        pytest.param(
            'func load(get func(string) string) { fmt.Println(get("A_1")) }\nfunc main() { load(os.Getenv) }',
            {"A_1"},
            id="function as an argument",
        ),
        pytest.param(
            'func main() { fmt.Println(os.ExpandEnv("http://$HOST:${PORT}"), os.Expand("$X_1", os.Getenv)) }',
            {"HOST", "PORT", "X_1"},
            id="expansion of constants",
        ),
        pytest.param(
            'func main() { for _, e := range os.Environ() { k, v, _ := strings.Cut(e, "="); '
            'if k == "A_1" { fmt.Println(v) } } }',
            {"A_1"},
            id="loop over the environment",
        ),
        pytest.param(
            "func main() { fmt.Println(fmt.Sprintf(os.Getenv(os.Args[1]))) }", set(), id="unknown key"
        ),
        pytest.param('func main() { os.Setenv("A_1", "x") }', set(), id="setting is not reading"),
        pytest.param(
            'func getEnv(k, d string) string { return d }\nfunc main() { fmt.Println(getEnv("A_1", "x")) }',
            set(),
            id="placeholder that never reads",
        ),
        pytest.param(
            "type fake struct{}\nfunc (fake) Getenv(k string) string { return k }\n"
            'func main() { os := fake{}; fmt.Println(os.Getenv("A_1")) }',
            set(),
            id="another thing called os",
        ),
        pytest.param(
            'func main() { // os.Getenv("A_1")\n fmt.Println("os.Getenv(\\"B_1\\")") }', set(), id="text"
        ),
        pytest.param(
            'func main() { m, _ := godotenv.Read(); fmt.Println(m["A_1"]) }', {"A_1"}, id="map of godotenv"
        ),
    ],
)
def test_names(tmp_path: Path, body: str, expected: set[str]) -> None:
    assert {read.name for read in reads(tmp_path, body)} == expected


@pytest.mark.parametrize(
    ("body", "default", "required"),
    [
        pytest.param('v := os.Getenv("K"); if v == "" { v = "d" }; fmt.Println(v)', "d", "no", id="assigned"),
        pytest.param('fmt.Println(cmp.Or(os.Getenv("K"), "d"))', "d", "no", id="cmp.Or"),
        pytest.param(
            'v := "d"; if e := os.Getenv("K"); e != "" { v = e }; fmt.Println(v)', "d", "no", id="overwritten"
        ),
        pytest.param(
            'v, ok := os.LookupEnv("K"); if !ok { v = "d" }; fmt.Println(v)', "d", "no", id="not ok"
        ),
        pytest.param(
            'v := os.Getenv("K"); if v == "" { log.Fatal("K") }; fmt.Println(v)', None, "yes", id="fatal"
        ),
        pytest.param(
            'v := os.Getenv("K"); if len(v) < 32 { panic("K") }; fmt.Println(v)', None, "yes", id="short"
        ),
        pytest.param(
            'v, ok := os.LookupEnv("K"); if !ok { os.Exit(1) }; fmt.Println(v)', None, "yes", id="exit"
        ),
        pytest.param(
            'v := os.Getenv("K"); if v == "" { log.Print("K") }; fmt.Println(v)', None, "no", id="only said"
        ),
        pytest.param(
            'v := os.Getenv("K"); if v != "" { log.Fatal("K") }; fmt.Println(v)', None, "no", id="reversed"
        ),
        pytest.param('fmt.Println(os.Getenv("K"))', None, "no", id="neither"),
    ],
)
def test_what_happens_without_it(tmp_path: Path, body: str, default: str | None, required: str) -> None:
    assert summary(reads(tmp_path, f"func main() {{ {body} }}")) == {"K": (default, required)}


@pytest.mark.parametrize(
    ("wrapper", "call", "default", "required"),
    [
        pytest.param(
            'func get(k, d string) string { if v := os.Getenv(k); v != "" { return v }; return d }',
            'get("K", "d")',
            "d",
            "no",
            id="fallback",
        ),
        pytest.param(
            "func get(d int, k string) int { v, ok := os.LookupEnv(k); if !ok { return d }; "
            "n, err := strconv.Atoi(v); if err != nil { return d }; return n }",
            'get(7, "K")',
            "7",
            "no",
            id="number, fallback first",
        ),
        pytest.param(
            'func get(k string) string { v := os.Getenv(k); if v == "" { panic(k) }; return v }',
            'get("K")',
            None,
            "yes",
            id="must",
        ),
        pytest.param(
            'func try(k string) (string, error) { v := os.Getenv(k); if v == "" { return "", errors.New(k) '
            "}; "
            "return v, nil }\n"
            "func get(k string) string { v, err := try(k); if err != nil { log.Fatal(err) }; return v }",
            'get("K")',
            None,
            "yes",
            id="must around a wrapper with an error",
        ),
        pytest.param(
            'func get(k string) string { v := os.Getenv(k); if v == "" { return "fixed" }; return v }',
            'get("K")',
            "fixed",
            "no",
            id="fixed default",
        ),
        pytest.param(
            'func get(k, d string) string { v := os.Getenv(k); if v == "" { v = d }; return v }',
            'get("K", "")',
            "",
            "no",
            id="empty default",
        ),
    ],
)
def test_wrappers_are_tried_out(
    tmp_path: Path, wrapper: str, call: str, default: str | None, required: str
) -> None:
    found = reads(tmp_path, f"{wrapper}\nfunc main() {{ fmt.Println({call}) }}")
    assert summary(found) == {"K": (default, required)}


def test_a_method_of_the_same_name_reads_nothing(tmp_path: Path) -> None:
    body = """
        type config struct{}
        func (config) get(name string) string { return os.Getenv(name) }

        type cache map[string]string
        func (c cache) get(name string) string { return c[name] }

        func main() {
            kept := cache{}
            fmt.Println(config{}.get("READ"), kept.get("KEPT"))
        }
    """
    assert [read.name for read in reads(tmp_path, body)] == ["READ"]


def test_a_wrapper_with_a_target(tmp_path: Path) -> None:
    body = """
        func need(target *string, key string) { v := os.Getenv(key); if v == "" { panic(key) }; *target = v }
        func main() { var a string; need(&a, "A_1"); fmt.Println(a) }
    """
    found = reads(tmp_path, body)
    assert summary(found) == {"A_1": (None, "yes")}
    assert [read.location.line for read in found] == [9]


def test_the_place_of_a_wrapped_read_is_the_call_that_knows_the_name(tmp_path: Path) -> None:
    found = reads(
        tmp_path,
        '// import example.com/app/env\nfunc main() {\n\tfmt.Println(env.Get("A_1"))\n}\n',
        env__env="func Get(k string) string { return os.Getenv(k) }",
    )
    assert [(r.location.path, r.mechanism) for r in found] == [("main.go", "env.Get")]


def test_a_constant_of_another_package(tmp_path: Path) -> None:
    found = reads(
        tmp_path,
        "// import example.com/app/names\nfunc main() { fmt.Println(os.Getenv(names.Port)) }\n",
        names__names='const Port = "PORT"',
    )
    assert [r.name for r in found] == ["PORT"]


class TestCanRun:
    def test_unlinked_package(self, tmp_path: Path) -> None:
        load = 'func Load() string { return os.Getenv("A_1") }'
        assert runs(tmp_path, "func main() {}", config__config=load) == ["no"]

    def test_function_that_nobody_calls(self, tmp_path: Path) -> None:
        body = 'func main() {}\nfunc load() string { return os.Getenv("A_1") }'
        assert runs(tmp_path, body) == ["no"]

    @pytest.mark.parametrize(
        "named",
        [
            "func main() { _ = load }",
            "var _ = load\n\nfunc main() {}",
            "func main() {\n\tif false {\n\t\tload()\n\t}\n}",
        ],
    )
    def test_named_where_nothing_runs(self, named: str, tmp_path: Path) -> None:
        body = named + '\n\nfunc load() string { return os.Getenv("A_1") }'
        assert runs(tmp_path, body) == ["no"]

    def test_kept_in_a_variable_that_is_called(self, tmp_path: Path) -> None:
        body = 'func main() {\n\tf := load\n\tf()\n}\n\nfunc load() string { return os.Getenv("A_1") }'
        assert runs(tmp_path, body) == ["yes"]

    def test_called_by_dead_code_only(self, tmp_path: Path) -> None:
        body = 'func main() {}\nfunc dead() { load() }\nfunc load() string { return os.Getenv("A_1") }'
        assert runs(tmp_path, body) == ["no"]

    @pytest.mark.parametrize(
        "declaration", ['var v = os.Getenv("A_1")', 'func init() { println(os.Getenv("A_1")) }']
    )
    def test_initializers_of_linked_packages_run(self, tmp_path: Path, declaration: str) -> None:
        main = "// import example.com/app/config\nfunc main() { config.X() }"
        assert runs(tmp_path, main, config__config=declaration) == ["yes"]

    def test_a_method_that_a_library_may_call(self, tmp_path: Path) -> None:
        body = """
            type handler struct{}
            func (handler) ServeHTTP(w int, r int) { println(os.Getenv("A_1")) }
            func main() { println(handler{}) }
        """
        assert runs(tmp_path, body) == ["unknown"]

    @pytest.mark.parametrize(
        ("use", "expected"),
        [
            ("func NewHandler() *Handler { return &Handler{} }", "no"),
            ("func (h *Handler) Twin() *Handler { return &Handler{} }", "no"),
            ("// Handler is for later\nvar about = `Handler`", "no"),
            ("func start() *Handler { return &Handler{} }\nfunc init() { println(start()) }", "unknown"),
            ("var shared Handler", "unknown"),
            ("type Outer struct { Handler }", "unknown"),
            ("type Other = Handler", "unknown"),
            ("type server struct{}\nfunc (server) Make() *Handler { return new(Handler) }", "unknown"),
        ],
    )
    def test_a_method_that_a_library_may_call_needs_a_value(
        self, tmp_path: Path, use: str, expected: str
    ) -> None:
        method = (
            'type Handler struct{}\nfunc (*Handler) ServeHTTP(w int, r int) { println(os.Getenv("A_1")) }\n'
        )
        main = "// import example.com/app/web\nfunc main() { web.X() }"
        assert runs(tmp_path, main, web__web=f"{method}{use}\nfunc X() {{}}") == [expected]

    def test_another_package_makes_the_value(self, tmp_path: Path) -> None:
        method = (
            'type Handler struct{}\nfunc (*Handler) ServeHTTP(w int, r int) { println(os.Getenv("A_1")) }\n'
        )
        main = "// import example.com/app/web\nfunc main() { println(web.Handler{}) }"
        assert runs(tmp_path, main, web__web=method) == ["unknown"]


class TestTags:
    def test_kelseyhightower(self, tmp_path: Path) -> None:
        body = """
            type DB struct { Host string `default:"localhost"` }
            type Config struct {
                MaxConns int `split_words:"true" required:"true"`
                Token string `envconfig:"API_TOKEN"`
                DB DB
                skipped string
                Ignored string `ignored:"true"`
            }
            func main() { var c Config; _ = envconfig.Process("app", &c) }
        """
        assert summary(reads(tmp_path, body)) == {
            "APP_MAX_CONNS": (None, "yes"),
            "APP_API_TOKEN": (None, "no"),
            "API_TOKEN": (None, "no"),
            "APP_DB_HOST": ("localhost", "no"),
        }

    def test_caarlos0(self, tmp_path: Path) -> None:
        body = """
            type DB struct { Host string `env:"HOST" envDefault:"localhost"` }
            type Config struct {
                Secret string `env:"SECRET,required"`
                DB DB `envPrefix:"DB_"`
                Other string
            }
            func main() { c := Config{}; _ = env.ParseWithOptions(&c, env.Options{Prefix: "APP_"}) }
        """
        assert summary(reads(tmp_path, body)) == {
            "APP_SECRET": (None, "yes"),
            "APP_DB_HOST": ("localhost", "no"),
        }

    def test_through_a_generic_helper(self, tmp_path: Path) -> None:
        body = """
            type Config struct { Secret string `env:"SECRET"` }
            func load[T any]() (T, error) { return env.ParseAs[T]() }
            func fill(c any) error { return env.Parse(c) }
            func main() { c, _ := env.ParseAs[Config](); _ = fill(&c) }
        """
        assert set(summary(reads(tmp_path, body))) == {"SECRET"}

    def test_cleanenv(self, tmp_path: Path) -> None:
        body = """
            type Config struct {
                Port string `env:"PORT,HTTP_PORT" env-default:"80"`
                Key string `env:"KEY" env-required:"true"`
            }
            func main() { var c Config; _ = cleanenv.ReadEnv(&c) }
        """
        assert summary(reads(tmp_path, body)) == {
            "PORT": ("80", "no"),
            "HTTP_PORT": ("80", "no"),
            "KEY": (None, "yes"),
        }

    def test_tags_of_a_struct_that_no_library_fills(self, tmp_path: Path) -> None:
        body = 'type Config struct { Port string `env:"PORT"` }\nfunc main() { println(Config{}) }'
        assert reads(tmp_path, body) == []


class TestLibraries:
    def test_viper_in_any_order(self, tmp_path: Path) -> None:
        body = """
            func main() {
                fmt.Println(viper.GetString("db.host"))
                viper.AutomaticEnv()
                viper.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
                viper.SetEnvPrefix("app")
                viper.SetDefault("db.host", "localhost")
                _ = viper.BindEnv("token", "API_TOKEN")
            }
        """
        assert summary(reads(tmp_path, body)) == {
            "APP_DB_HOST": ("localhost", "no"),
            "API_TOKEN": (None, "no"),
        }

    def test_viper_without_automatic_env(self, tmp_path: Path) -> None:
        assert reads(tmp_path, 'func main() { fmt.Println(viper.GetString("port")) }') == []

    def test_urfave_cli(self, tmp_path: Path) -> None:
        body = """
            var port = &cli.StringFlag{Name: "port", Value: "80", EnvVars: []string{"PORT", "HTTP_PORT"}}
            var key = cli.StringFlag{Name: "key", Required: true, Sources: cli.EnvVars("KEY")}
            func main() { println(port, key) }
        """
        assert summary(reads(tmp_path, body)) == {
            "PORT": ("80", "no"),
            "HTTP_PORT": ("80", "no"),
            "KEY": (None, "yes"),
        }

    def test_kingpin(self, tmp_path: Path) -> None:
        body = (
            'var p = kingpin.Flag("port", "").Envar("PORT").Default("80").String()\nfunc main() { println(p) '
            "}"
        )
        assert summary(reads(tmp_path, body)) == {"PORT": ("80", "no")}


def test_defaults_of_viper_belong_to_one_program(tmp_path: Path) -> None:
    program = 'package main\n\nimport "github.com/spf13/viper"\n\nfunc main() {{\n\t{}\n}}\n'
    files = {
        "go.mod": "module example.com/app\n\ngo 1.22\n",
        "cmd/a/main.go": program.format(
            'viper.SetDefault("port", -1); viper.BindEnv("port"); viper.SetDefault("batch", 9)'
        ),
        "cmd/b/main.go": program.format(
            'viper.SetDefault("port", 80); viper.BindEnv("port"); viper.AutomaticEnv(); viper.GetString("lease")'
        ),
    }
    store = store_of(tmp_path, files)
    rows = {read.location.path: read.default for read in store.get(env_reads) if read.name == "PORT"}
    assert rows == {"cmd/a/main.go": "-1", "cmd/b/main.go": "80"}
    assert {read.name for read in store.get(env_reads)} == {"PORT", "LEASE"}


def test_a_struct_that_a_function_fills_with_defaults(tmp_path: Path) -> None:
    code = """package main

import "github.com/kelseyhightower/envconfig"

type Config struct {
	Image  string `envconfig:"IMAGE" required:"true"`
	Policy string `envconfig:"PULL_POLICY"`
	Domain string `envconfig:"DOMAIN" default:"x"`
}

func defaults() Config { return Config{Policy: "Always", Domain: "y"} }

func main() {
	c := defaults()
	if err := envconfig.Process("", &c); err != nil {
		panic(err)
	}
}
"""
    store = store_of(tmp_path, {"go.mod": "module example.com/app\n\ngo 1.22\n", "main.go": code})
    found = {read.name: (read.default, read.required) for read in store.get(env_reads)}
    assert found == {"IMAGE": (None, "yes"), "PULL_POLICY": ("Always", "no"), "DOMAIN": ("x", "no")}


def test_an_answer_is_no_default(tmp_path: Path) -> None:
    code = """package main

import (
	"os"
	"strings"
)

func allowed(key string) bool {
	list := os.Getenv("ALLOWED_KEYS")
	if list == "" {
		return true
	}
	if strings.Contains(list, key) {
		return true
	}
	return false
}

func main() { println(allowed("x")) }
"""
    store = store_of(tmp_path, {"go.mod": "module example.com/app\n\ngo 1.22\n", "main.go": code})
    assert [(read.name, read.default) for read in store.get(env_reads)] == [("ALLOWED_KEYS", None)]


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        pytest.param("ctx context.Context, in *int", ["unknown"], id="a handler that a library may call"),
        pytest.param("ctx context.Context, a, b string, from, to int", ["no"], id="too many for a handler"),
    ],
)
def test_a_method_that_nobody_calls(tmp_path: Path, parameters: str, expected: list[str]) -> None:
    body = f"""
    // import context
    type Worker struct{{}}
    func (w *Worker) Process({parameters}) {{ _ = os.Getenv("PORT") }}
    func main() {{ fmt.Println(&Worker{{}}) }}
    """
    assert runs(tmp_path, body) == expected
