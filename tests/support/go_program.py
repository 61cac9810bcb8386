"""Tiny Go programs in strings, and what the analysis says of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from trees import store_of

from zuno_audit.facts.base import FactStore

GO_MOD = "module example.com/x\n\ngo 1.22\n"
# What a snippet may name without importing it.
PACKAGES = {
    "zerolog": "github.com/rs/zerolog",
    "atomic": "sync/atomic",
    "breaker": "github.com/eapache/go-resiliency/breaker",
    "circuitbreaker": "github.com/failsafe-go/failsafe-go/circuitbreaker",
    "cmp": "cmp",
    "cobra": "github.com/spf13/cobra",
    "codes": "google.golang.org/grpc/codes",
    "context": "context",
    "credentials": "google.golang.org/grpc/credentials",
    "debug": "runtime/debug",
    "errgroup": "golang.org/x/sync/errgroup",
    "errors": "errors",
    "failsafe": "github.com/failsafe-go/failsafe-go",
    "failsafegrpc": "github.com/failsafe-go/failsafe-go/failsafegrpc",
    "flag": "flag",
    "fmt": "fmt",
    "fx": "go.uber.org/fx",
    "gobreaker": "github.com/sony/gobreaker",
    "grpc": "google.golang.org/grpc",
    "grpc_middleware": "github.com/grpc-ecosystem/go-grpc-middleware",
    "grpc_recovery": "github.com/grpc-ecosystem/go-grpc-middleware/recovery",
    "grpc_retry": "github.com/grpc-ecosystem/go-grpc-middleware/retry",
    "http": "net/http",
    "hystrix": "github.com/afex/hystrix-go/hystrix",
    "insecure": "google.golang.org/grpc/credentials/insecure",
    "keepalive": "google.golang.org/grpc/keepalive",
    "io": "io",
    "json": "encoding/json",
    "log": "log",
    "logging": "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/logging",
    "math": "math",
    "os": "os",
    "otelgrpc": "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc",
    "rand": "math/rand",
    "rate": "golang.org/x/time/rate",
    "reflect": "reflect",
    "recovery": "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/recovery",
    "retrypolicy": "github.com/failsafe-go/failsafe-go/retrypolicy",
    "runtime": "runtime",
    "selector": "github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/selector",
    "slices": "slices",
    "slog": "log/slog",
    "sort": "sort",
    "status": "google.golang.org/grpc/status",
    "strconv": "strconv",
    "strings": "strings",
    "sync": "sync",
    "time": "time",
    "wire": "github.com/google/wire",
    "xds": "google.golang.org/grpc/xds",
    "zrpc": "github.com/zeromicro/go-zero/zrpc",
}


def analyse(root: Path, files: Mapping[str, str]) -> FactStore:
    """The facts about a module `example.com/x` with these files (`go.mod` is added)."""
    return store_of(root, {"go.mod": GO_MOD, **files})


def go_file(code: str, *, package: str = "main", local: tuple[str, ...] = ()) -> str:
    """A Go file around declarations: package clause and the imports that they use.

    A name in `PACKAGES` is imported where it stands before a dot; `local` are folders of the module.
    """
    text = re.sub(r"//[^\n]*", "", code)
    paths = {name: path for name, path in PACKAGES.items() if re.search(rf"(?<![\w.]){name}\.", text)}
    for folder in local:
        name = folder.rpartition("/")[2]
        if re.search(rf"(?<![\w.]){name}\.", text):
            paths[name] = f"example.com/x/{folder}"
    imports = "".join(f'\t{name} "{path}"\n' for name, path in sorted(paths.items()))
    return (
        f"package {package}\n\n" + (f"import (\n{imports})\n\n" if imports else "") + code.strip("\n") + "\n"
    )
