"""Options of servers in variables of a package: who sets them, how often, and whether that happens in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.facts.go.test_servers_options import letters

# name: (the answers, code that fills `opts`)
VARIABLES = {
    "once": (
        "yn",
        """
var opts []grpc.ServerOption
var once sync.Once
func setup() { once.Do(func() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }) }
func main() { setup(); s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "once2": (
        "yn",
        """
var opts []grpc.ServerOption
var once sync.Once
func options() []grpc.ServerOption { once.Do(func() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }); return opts }
func main() { s := grpc.NewServer(options()...); _ = s }
""",
    ),
    "once twice": (
        "ynyn",
        """
var opts []grpc.ServerOption
var once sync.Once
func options() []grpc.ServerOption { once.Do(func() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }); return opts }
func main() { s := grpc.NewServer(options()...); t := grpc.NewServer(options()...); _, _ = s, t }
""",
    ),
    "other function": (
        "ynyn",
        """
var opts []grpc.ServerOption
var once sync.Once
func setup() { once.Do(build) }
func build() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }
func serve() { s := grpc.NewServer(opts...); _ = s }
func main() { setup(); serve() }
""",
    ),
    "init": (
        "yn",
        """
var opts []grpc.ServerOption
func init() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }
func main() { s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "oncevalue": (
        "yn",
        """
var options = sync.OnceValue(func() []grpc.ServerOption { return []grpc.ServerOption{grpc.UnaryInterceptor(safety.Unary)} })
func main() { s := grpc.NewServer(options()...); _ = s }
""",
    ),
    "twice for real": (
        "nn",
        """
var opts []grpc.ServerOption
func add() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }
func main() { add(); add(); s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "in a struct": (
        "yn",
        """
type deps struct { once sync.Once; opts []grpc.ServerOption }
var d deps
func (d *deps) options() []grpc.ServerOption { d.once.Do(func() { d.opts = append(d.opts, grpc.UnaryInterceptor(safety.Unary)) }); return d.opts }
func main() { s := grpc.NewServer(d.options()...); _ = s }
""",
    ),
    "package init order": (
        "yn",
        """
var opts = []grpc.ServerOption{grpc.StreamInterceptor(safety.PlainStream)}
func init() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)) }
func build() *grpc.Server { return grpc.NewServer(opts...) }
func main() { _ = build() }
""",
    ),
    "main sets": (
        "ynyn",
        """
var opts []grpc.ServerOption
func main() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)); serve() }
func serve() { s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "main sets by helper": (
        "ynyn",
        """
var opts []grpc.ServerOption
func configure() { opts = []grpc.ServerOption{grpc.UnaryInterceptor(safety.Unary)} }
func main() { configure(); serve() }
func serve() { s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "main sets too late": (
        "nn",
        """
var opts []grpc.ServerOption
func configure() { opts = []grpc.ServerOption{grpc.UnaryInterceptor(safety.Unary)} }
func main() { serve(); configure() }
func serve() { s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "self": (
        "yn",
        """
var opts []grpc.ServerOption
func main() { opts = append(opts, grpc.UnaryInterceptor(safety.Unary)); s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "self helper": (
        "yn",
        """
var opts []grpc.ServerOption
func add(o grpc.ServerOption) { opts = append(opts, o) }
func main() { add(grpc.UnaryInterceptor(safety.Unary)); s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "self helper both": (
        "yy",
        """
var opts []grpc.ServerOption
func add(o grpc.ServerOption) { opts = append(opts, o) }
func main() { add(grpc.UnaryInterceptor(safety.Unary)); add(grpc.StreamInterceptor(safety.Stream)); s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "never called": (
        "nn",
        """
var opts []grpc.ServerOption
func configure() { opts = []grpc.ServerOption{grpc.UnaryInterceptor(safety.Unary)} }
func main() { serve() }
func serve() { s := grpc.NewServer(opts...); _ = s }
""",
    ),
    "registry map": (
        "yn",
        """
var opts = map[string][]grpc.ServerOption{}
func main() { opts["a"] = append(opts["a"], grpc.UnaryInterceptor(safety.Unary)); s := grpc.NewServer(opts["a"]...); _ = s }
""",
    ),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_a_variable_of_a_package_has_what_it_was_given_by_then(tmp_path: Path, name: str) -> None:
    answers, code = VARIABLES[name]
    assert "".join(letters(tmp_path, code)) == answers
