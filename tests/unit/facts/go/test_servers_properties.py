"""What must not matter to the answer about a server, and what must: programs put together at random."""

from __future__ import annotations

import tempfile
from pathlib import Path

from go_program import analyse, go_file
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.facts.go.test_servers_options import SAFETY
from zuno_audit.facts.go import servers

BOUNDED = settings(max_examples=25, deadline=None, derandomize=True)
NAMES = st.sampled_from(["opts", "options", "o", "list", "all", "serverOptions"])
NOISE = st.lists(
    st.sampled_from(
        [
            'log.Println("starting")',
            "n := 1; n++; _ = n",
            'if os.Getenv("DEBUG") != "" { log.Println("debug") }',
            "for i := 0; i < 3; i++ { log.Println(i) }",
            'm := map[string]int{"a": 1}; m["b"] = 2; _ = m',
            "func() { log.Println(time.Now()) }()",
            'defer log.Println("bye")',
            "{ var unused []grpc.ServerOption; unused = append(unused, grpc.Creds(nil)); _ = unused }",
        ]
    ),
    max_size=3,
)
# Code that does not run, or not before the server is made; `%s` is the list of options.
UNREACHABLE = st.sampled_from(
    [
        "",
        "if false { %s = nil }",
        "{ %s := []grpc.ServerOption{}; _ = %s }",
        "never := func() { %s = nil }; _ = never",
        "for i := 0; i < 0; i++ { %s = nil }",
        'switch "a" { case "b": %s = nil }',
    ]
)
PLACES = st.sampled_from(
    ["inline", "slice", "append", "branches", "helper", "package", "field", "pointer", "closure"]
)
KINDS = st.sampled_from(["Chain%sInterceptor", "%sInterceptor"])


def option(kind: str, call: str, interceptor: str) -> str:
    return f"grpc.{kind % call}(safety.{interceptor})"


def program(place: str, name: str, options: list[str], before: list[str], extra: str) -> dict[str, str]:
    """A main package, with helpers where the place asks for them, that makes one server of these options."""
    listed = "[]grpc.ServerOption{" + ", ".join(options) + "}"
    files: dict[str, str] = {}
    declarations = ""
    build = {
        "inline": f"{name} := []grpc.ServerOption{{}}; {name} = append({name}, {', '.join(options) or 'nil'})",
        "slice": f"{name} := {listed}",
        "append": f"var {name} []grpc.ServerOption"
        + "".join(f"; {name} = append({name}, {o})" for o in options),
        "branches": f'var {name} []grpc.ServerOption; if os.Getenv("TLS") != "" {{ {name} = append({listed}, grpc.Creds(nil)) }} else {{ {name} = {listed} }}',
        "helper": f"{name} := build()",
        "package": f"{name} := kit.Build()",
        "field": f"a := &app{{}}; a.fill(); {name} := a.list",
        "pointer": f"{name} := []grpc.ServerOption{{}}; fill(&{name})",
        "closure": f"{name} := []grpc.ServerOption{{}}; func() {{ {name} = append({name}, {listed}...) }}()",
    }[place]
    if place == "helper":
        declarations = f"func build() []grpc.ServerOption {{ return {listed} }}\n"
    elif place == "package":
        files["kit/kit.go"] = go_file(
            f"func Build() []grpc.ServerOption {{ return {listed} }}", package="kit", local=("safety",)
        )
    elif place == "field":
        declarations = f"type app struct {{ list []grpc.ServerOption }}\nfunc (a *app) fill() {{ a.list = append(a.list, {listed}...) }}\n"
    elif place == "pointer":
        declarations = f"func fill(p *[]grpc.ServerOption) {{ *p = append(*p, {listed}...) }}\n"
    lines = [*before, build, extra.replace("%s", name), f"server := grpc.NewServer({name}...)", "_ = server"]
    code = "func main() {\n" + "\n".join(lines) + "\n}\n" + declarations
    files["main.go"] = go_file(code, local=("safety", "kit"))
    files["safety/safety.go"] = SAFETY
    return files


def answer(files: dict[str, str]) -> tuple[str, str]:
    with tempfile.TemporaryDirectory() as folder:
        rows = servers.table(analyse(Path(folder), files)).rows
        own = [row for row in rows if row.get("via").value is None]
        assert len(own) == 1
        return str(own[0].get("unary_recovery").value), str(own[0].get("stream_recovery").value)


@BOUNDED
@given(PLACES, NAMES, KINDS, KINDS, st.booleans(), st.booleans(), st.booleans(), NOISE, UNREACHABLE)
def test_the_answer_is_what_is_installed(
    place: str,
    name: str,
    unary_kind: str,
    stream_kind: str,
    unary: bool,
    stream: bool,
    turned: bool,
    noise: list[str],
    extra: str,
) -> None:
    """Where the list is made, what it is called, in which order, and what else is there does not matter."""
    options = [
        option(unary_kind, "Unary", "Unary" if unary else "Plain"),
        option(stream_kind, "Stream", "Stream" if stream else "PlainStream"),
    ]
    found = answer(program(place, name, options[::-1] if turned else options, noise, extra))
    assert found == ("yes" if unary else "no", "yes" if stream else "no")


@BOUNDED
@given(st.integers(2, 4), st.data(), NAMES)
def test_one_path_without_protection_is_enough(paths: int, data: st.DataObject, name: str) -> None:
    """Every branch must protect; take it away from any one and the answer is no longer yes."""
    safe, plain = (
        option("Chain%sInterceptor", "Unary", "Unary"),
        option("Chain%sInterceptor", "Unary", "Plain"),
    )
    broken = data.draw(st.integers(0, paths - 1) | st.none())
    cases = ""
    for path in range(paths):
        label = "default" if path == paths - 1 else f'case "{path}"'
        cases += f"{label}:\n {name} = append({name}, {plain if path == broken else safe})\n"
    body = f'var {name} []grpc.ServerOption\nswitch os.Getenv("MODE") {{\n{cases}}}\n_ = grpc.NewServer({name}...)'
    files = {
        "main.go": go_file(f"func main() {{\n{body}\n}}\n", local=("safety",)),
        "safety/safety.go": SAFETY,
    }
    assert answer(files)[0] == ("yes" if broken is None else "no")


GUARD = 'defer func() { if r := recover(); r != nil { err = errors.New("x") } }()'
SPOILED = [
    "defer recover()",
    'defer func() { func() { if r := recover(); r != nil { err = errors.New("x") } }() }()',
    "defer func() { if r := recover(); r != nil { panic(r) } }()",
    "defer func() { if r := recover(); r != nil { os.Exit(1) } }()",
    'if info.FullMethod != "/x" { ' + GUARD + " }",
    "defer func() { recover() }()",
    'defer func() { if r := recover(); r != nil { err := errors.New("x"); _ = err } }()',
    "go func() { " + GUARD + " }()",
    "// " + GUARD,
    "",
]
CALLS = [
    "return handler(ctx, req)",
    "resp, err = handler(ctx, req)\nreturn resp, err",
    "resp, err = handler(ctx, req)\nreturn",
]


@BOUNDED
@given(
    st.sampled_from([GUARD, *SPOILED]),
    st.sampled_from(CALLS),
    NOISE,
    NOISE,
    st.sampled_from(["plain", "method", "closure", "wrapped", "chained"]),
)
def test_an_interceptor_is_judged_by_what_it_does(
    guard: str, call: str, before: list[str], between: list[str], form: str
) -> None:
    """Noise around the guard and the way in which the interceptor is handed over do not matter."""
    body = "\n".join([*before, guard, *between, call])
    signature = "(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error)"
    declared = f"func unary{signature} {{\n{body}\n}}\n"
    given_as = "unary"
    if form == "method":
        declared = f"type guard struct{{}}\nfunc (guard) unary{signature} {{\n{body}\n}}\n"
        given_as = "guard{}.unary"
    elif form == "closure":
        declared = f"func make_() grpc.UnaryServerInterceptor {{ return func{signature} {{\n{body}\n}} }}\n"
        given_as = "make_()"
    elif form == "wrapped":
        declared += f"func outer{signature} {{ return unary(ctx, req, info, handler) }}\n"
        given_as = "outer"
    elif form == "chained":
        given_as = "grpc_middleware.ChainUnaryServer(safety.Plain, unary)"
    code = declared + f"func main() {{ _ = grpc.NewServer(grpc.UnaryInterceptor({given_as})) }}\n"
    files = {"main.go": go_file(code, local=("safety",)), "safety/safety.go": SAFETY}
    assert answer(files)[0] == ("yes" if guard == GUARD else "no")
