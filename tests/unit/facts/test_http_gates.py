"""Handlers around a router or a handler: which let a plain request through."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of

from zuno_audit.facts.routes import http_route_table

MOD = {"go.mod": "module example.com/app\n\ngo 1.25\n"}
HEAD = """\
package main

import (
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/gorilla/mux"
	"github.com/justinas/alice"
	"github.com/labstack/echo/v4"
	"github.com/rs/cors"
	"golang.org/x/time/rate"
)

var (
	_ = os.Getenv
	_ = strings.HasPrefix
	_ = log.Println
	_ = chi.NewRouter
	_ = mux.NewRouter
	_ = alice.New
	_ = echo.New
	_ = cors.Default
	_ = rate.NewLimiter
)

func ok(w http.ResponseWriter, r *http.Request) { w.Write([]byte("OK")) }

"""
MAIN = """
func main() {
	inner := http.NewServeMux()
	inner.HandleFunc("/health", ok)
	SERVE
}
"""
LOGGED = """
func wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Println(r.URL.Path)
		next.ServeHTTP(w, r)
	})
}
"""
CLOSED = """
func wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "maintenance", http.StatusServiceUnavailable)
	})
}
"""
BODY = """
func wrap(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		%s
		next.ServeHTTP(w, r)
	})
}
"""


def served(tmp_path: Path, code: str, head: str = HEAD) -> object:
    rows = http_route_table(store_of(tmp_path, {**MOD, "main.go": head + code})).rows
    (row,) = [row for row in rows if row.get("route").value == "/health"]
    return row.get("served").value


@pytest.mark.parametrize(
    "serve",
    [
        'http.ListenAndServe(":80", wrap(inner))',
        'log.Fatal((&http.Server{Addr: ":80", Handler: wrap(inner)}).ListenAndServe())',
        'srv := &http.Server{Addr: ":80", Handler: wrap(inner)}\n\tgo func() { srv.ListenAndServe() }()',
        'srv := &http.Server{Addr: ":80"}\n\tsrv.Handler = wrap(inner)\n\tsrv.ListenAndServe()',
        'http.ListenAndServe(":80", wrap(wrap(inner)))',
        'h := wrap(inner)\n\thttp.ListenAndServe(":80", h)',
        'var h http.Handler = inner\n\th = wrap(h)\n\thttp.ListenAndServe(":80", h)',
        'go func() { http.ListenAndServe(":80", wrap(inner)) }()',
        'outer := http.NewServeMux()\n\touter.Handle("/", wrap(inner))\n\thttp.ListenAndServe(":80", outer)',
        'http.ListenAndServe(":80", cors.Default().Handler(wrap(inner)))',
        'http.ListenAndServe(":80", alice.New(wrap).Then(inner))',
        'http.ListenAndServe(":80", http.HandlerFunc(wrap(inner).ServeHTTP))',
    ],
)
@pytest.mark.parametrize(("wrap", "answer"), [(LOGGED, "yes"), (CLOSED, "no")])
def test_what_is_around_the_router_of_a_server(serve: str, wrap: str, answer: str, tmp_path: Path) -> None:
    assert served(tmp_path, wrap + MAIN.replace("SERVE", serve)) == answer


@pytest.mark.parametrize(
    ("first", "answer"),
    [
        ("if r.Method == http.MethodOptions { w.WriteHeader(204); return }", "yes"),
        ('if r.Method != "GET" { w.WriteHeader(405); return }', "yes"),
        ('if r.Method != "POST" { w.WriteHeader(405); return }', "no"),
        ('if r.URL.Path == "/health" { w.WriteHeader(404); return }', "no"),
        ('if strings.HasPrefix(r.URL.Path, "/admin") { w.WriteHeader(403); return }', "yes"),
        (
            'if origin := r.Header.Get("Origin"); origin != "" && origin != "x" { w.WriteHeader(403); return }',
            "yes",
        ),
        ('if r.Header.Get("Authorization") != "Bearer x" { w.WriteHeader(401); return }', "unknown"),
        ("if _, _, given := r.BasicAuth(); !given { w.WriteHeader(401); return }", "unknown"),
        ('if _, err := r.Cookie("session"); err != nil { w.WriteHeader(401); return }', "unknown"),
        ('if os.Getenv("OPEN") == "" { http.Error(w, "closed", 503); return }', "unknown"),
        ('if !limiter.Allow() { http.Error(w, "slow down", http.StatusTooManyRequests); return }', "yes"),
        ("defer func() { if p := recover(); p != nil { w.WriteHeader(500) } }()", "yes"),
        ("w.WriteHeader(503)", "no"),
        ('panic("closed")', "no"),
    ],
)
def test_a_middleware_that_looks_at_the_request(first: str, answer: str, tmp_path: Path) -> None:
    code = "var limiter = rate.NewLimiter(1, 5)\n" + BODY % first
    assert served(tmp_path, code + MAIN.replace("SERVE", 'http.ListenAndServe(":80", wrap(inner))')) == answer


GATE = """
type gate struct {
	next http.Handler
	open bool
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !g.open {
		http.NotFound(w, r)
		return
	}
	g.next.ServeHTTP(w, r)
}

func chain(h http.Handler, all ...func(http.Handler) http.Handler) http.Handler {
	for _, one := range all {
		h = one(h)
	}
	return h
}

func only(open bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler { return &gate{next: next, open: open} }
}
"""


@pytest.mark.parametrize(
    ("handler", "answer"),
    [
        ("&gate{next: inner, open: true}", "yes"),
        ("&gate{next: inner}", "no"),
        ("only(true)(inner)", "yes"),
        ("only(false)(inner)", "no"),
        ("chain(inner, only(true), only(true))", "yes"),
        ("chain(inner, only(true), only(false))", "no"),
        ('http.StripPrefix("/api", inner)', "no"),
        ('http.StripPrefix("/", inner)', "yes"),
        ("http.MaxBytesHandler(inner, 100)", "yes"),
        ("http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { inner.ServeHTTP(w, r) })", "yes"),
        (
            "http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {"
            ' if r.URL.Path == "/x" { inner.ServeHTTP(w, r) } })',
            "no",
        ),
    ],
)
def test_wrappers_of_many_shapes(handler: str, answer: str, tmp_path: Path) -> None:
    code = GATE + MAIN.replace("SERVE", f'http.ListenAndServe(":80", {handler})')
    assert served(tmp_path, code) == answer


@pytest.mark.parametrize(("wrap", "answer"), [(LOGGED, "yes"), (CLOSED, "no")])
@pytest.mark.parametrize(
    "main",
    [
        'http.Handle("/health", wrap(http.HandlerFunc(ok)))\n\thttp.ListenAndServe(":80", nil)',
        'r := chi.NewRouter()\n\tr.Use(wrap)\n\tr.Get("/health", ok)\n\thttp.ListenAndServe(":80", r)',
        'r := mux.NewRouter()\n\tr.HandleFunc("/health", ok)\n\tr.Use(wrap)\n\thttp.ListenAndServe(":80", r)',
        'r := chi.NewRouter()\n\tsetUp(r)\n\tr.Get("/health", ok)\n\thttp.ListenAndServe(":80", r)',
    ],
)
def test_middlewares_of_a_route(main: str, wrap: str, answer: str, tmp_path: Path) -> None:
    set_up = "func setUp(r chi.Router) { r.Use(wrap) }\n"
    assert served(tmp_path, f"{wrap}{set_up}func main() {{\n\t{main}\n}}\n") == answer


GIN = """
package main

import (
	"log"

	"github.com/gin-gonic/gin"
)
func main() {
	r := gin.New()
	BEFORE
	r.GET("/health", func(c *gin.Context) { c.String(200, "OK") })
	AFTER
	r.Run(":80")
}

func closed(c *gin.Context) { c.AbortWithStatus(403) }

func login(c *gin.Context) {
	if c.GetHeader("Authorization") == "" {
		c.AbortWithStatusJSON(401, gin.H{})
		return
	}
	c.Next()
}

func noted(c *gin.Context) { log.Println(c.FullPath()) }
"""


@pytest.mark.parametrize(
    ("before", "after", "answer"),
    [
        ("r.Use(noted, gin.Recovery())", "", "yes"),
        ("r.Use(closed)", "", "no"),
        ("", "r.Use(closed)", "yes"),
        ("r.Use(login)", "", "unknown"),
        ('r.Group("/admin").Use(closed)', "", "yes"),
        ('admin := r.Group("/admin")\n\tadmin.Use(closed)', "", "yes"),
    ],
)
def test_middlewares_of_gin(before: str, after: str, answer: str, tmp_path: Path) -> None:
    assert served(tmp_path, GIN.replace("BEFORE", before).replace("AFTER", after), "") == answer


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("return next(c)", "yes"),
        ("return echo.NewHTTPError(503)", "no"),
        (
            'if c.Request().Header.Get("X-Role") == "" { return echo.ErrForbidden }\n\treturn next(c)',
            "unknown",
        ),
    ],
)
def test_middlewares_of_echo(body: str, answer: str, tmp_path: Path) -> None:
    code = (
        f"func mw(next echo.HandlerFunc) echo.HandlerFunc {{ return func(c echo.Context) error {{ {body} }} }}\n"
        'func main() {\n\te := echo.New()\n\te.Use(mw)\n\te.GET("/health", func(c echo.Context) error {'
        ' return c.String(200, "OK") })\n\te.Start(":80")\n}\n'
    )
    assert served(tmp_path, code) == answer


ALLOW = """
func allow(next http.Handler, paths ...string) http.Handler {
	known := map[string]bool{}
	for _, path := range paths {
		known[path] = true
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !known[r.URL.Path] {
			http.NotFound(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func serve(h http.Handler) { http.ListenAndServe(":80", h) }
"""


@pytest.mark.parametrize(
    ("serve", "answer"),
    [
        ("serve(http.DefaultServeMux)", "yes"),
        ('serve(allow(http.DefaultServeMux, "/graphql", "/health"))', "yes"),
        ('serve(allow(http.DefaultServeMux, "/graphql"))', "no"),
        ('http.ListenAndServe(":80", allow(http.DefaultServeMux, "/graphql", "/health"))', "yes"),
        ('http.ListenAndServe(":80", allow(http.DefaultServeMux, "/graphql"))', "no"),
        ('(&http.Server{Handler: allow(http.DefaultServeMux, "/graphql")}).ListenAndServe()', "no"),
    ],
)
def test_what_is_around_the_default_mux(serve: str, answer: str, tmp_path: Path) -> None:
    code = f'{ALLOW}func main() {{\n\thttp.HandleFunc("/health", ok)\n\t{serve}\n}}\n'
    assert served(tmp_path, code) == answer


TWICE = """http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if CONDITION {
			inner.ServeHTTP(w, r)
			return
		}
		if r.Header.Get("Authorization") == "" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})"""


@pytest.mark.parametrize(
    ("condition", "answer"),
    [
        ('r.URL.Path == "/health"', "yes"),
        ('strings.HasPrefix(r.URL.Path, "/health")', "yes"),
        ('r.URL.Path == "/other"', "unknown"),
    ],
)
def test_a_handler_that_asks_the_router_in_two_places(condition: str, answer: str, tmp_path: Path) -> None:
    serve = f'http.ListenAndServe(":80", {TWICE.replace("CONDITION", condition)})'
    store = store_of(tmp_path, {**MOD, "main.go": HEAD + MAIN.replace("SERVE", serve)})
    (row,) = http_route_table(store).rows
    assert row.get("served").value == answer
