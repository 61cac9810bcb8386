"""What gRPC libraries do with interceptors, as data keyed by import path and name.

Sources: google.golang.org/grpc (server.go, dialoptions.go), go-grpc-middleware v1 and v2 documentation.
"""

from __future__ import annotations

GRPC = "google.golang.org/grpc"
XDS = "google.golang.org/grpc/xds"
MIDDLEWARE_V1 = "github.com/grpc-ecosystem/go-grpc-middleware"
MIDDLEWARE_V2 = "github.com/grpc-ecosystem/go-grpc-middleware/v2"

KRATOS = ("github.com/go-kratos/kratos/v2", "github.com/go-kratos/kratos")

# Server and dial options: which kind of interceptor they install, and whether a second use is added to the
# first ("chain"), panics ("once", server.go) or replaces it ("last", dialoptions.go).
INSTALLS: dict[tuple[str, str], tuple[str, str]] = {
    (GRPC, "UnaryInterceptor"): ("unary", "once"),
    (GRPC, "StreamInterceptor"): ("stream", "once"),
    (GRPC, "ChainUnaryInterceptor"): ("unary", "chain"),
    (GRPC, "ChainStreamInterceptor"): ("stream", "chain"),
    (MIDDLEWARE_V1, "WithUnaryServerChain"): ("unary", "once"),
    (MIDDLEWARE_V1, "WithStreamServerChain"): ("stream", "once"),
    (GRPC, "WithUnaryInterceptor"): ("unary", "last"),
    (GRPC, "WithStreamInterceptor"): ("stream", "last"),
    (GRPC, "WithChainUnaryInterceptor"): ("unary", "chain"),
    (GRPC, "WithChainStreamInterceptor"): ("stream", "chain"),
    # kratos (transport/grpc/server.go): a middleware runs around unary calls; StreamMiddleware only around messages
    **{
        (root + "/transport/grpc", name): entry
        for root in KRATOS
        for name, entry in (
            ("Middleware", ("unary", "chain")),
            ("UnaryInterceptor", ("unary", "last")),
            ("StreamInterceptor", ("stream", "last")),
        )
    },
}
# Options whose arguments are options of google.golang.org/grpc.
SPLICES = frozenset((root + "/transport/grpc", "Options") for root in KRATOS)

# Functions whose result is one interceptor that runs its arguments in order.
CHAINS: dict[tuple[str, str], str] = {
    (MIDDLEWARE_V1, "ChainUnaryServer"): "unary",
    (MIDDLEWARE_V1, "ChainStreamServer"): "stream",
    (MIDDLEWARE_V1, "ChainUnaryClient"): "unary",
    (MIDDLEWARE_V1, "ChainStreamClient"): "stream",
    **{(root + "/middleware", "Chain"): "unary" for root in KRATOS},
}

# Interceptors that recover. The value is the code that the client sees without a handler of one's own:
# v1 returns status.Errorf(codes.Internal, ...), v2 a PanicError, which gRPC reports as Unknown.
RECOVERS: dict[tuple[str, str], tuple[str, int]] = {
    (MIDDLEWARE_V1 + "/recovery", "UnaryServerInterceptor"): ("unary", 13),
    (MIDDLEWARE_V1 + "/recovery", "StreamServerInterceptor"): ("stream", 13),
    (MIDDLEWARE_V2 + "/interceptors/recovery", "UnaryServerInterceptor"): ("unary", 2),
    (MIDDLEWARE_V2 + "/interceptors/recovery", "StreamServerInterceptor"): ("stream", 2),
    **{(root + "/middleware/recovery", "Recovery"): ("unary", 13) for root in KRATOS},
}
# Functions that run an interceptor (first argument) for the calls that a matcher (second) accepts.
SELECTS: dict[tuple[str, str], str] = {
    (MIDDLEWARE_V2 + "/interceptors/selector", "UnaryServerInterceptor"): "unary",
    (MIDDLEWARE_V2 + "/interceptors/selector", "StreamServerInterceptor"): "stream",
}
RECOVERY_HANDLERS = frozenset({"WithRecoveryHandler", "WithRecoveryHandlerContext", "WithHandler"})

# Packages whose options never install an interceptor, apart from those above.
PLAIN_OPTIONS = frozenset({GRPC, XDS, *(root + "/transport/grpc" for root in KRATOS)})
# Packages whose interceptors are known not to recover (they observe, limit or authenticate).
PLAIN_INTERCEPTORS = (
    MIDDLEWARE_V1,
    MIDDLEWARE_V2,
    "go.opentelemetry.io/",
    "github.com/grpc-ecosystem/go-grpc-prometheus",
    "github.com/grpc-ecosystem/grpc-opentracing",
    "github.com/opentracing-contrib/",
    *(
        f"{root}/middleware/{name}"
        for root in KRATOS
        for name in (
            "auth",
            "circuitbreaker",
            "logging",
            "metadata",
            "metrics",
            "ratelimit",
            "tracing",
            "validate",
        )
    ),
)
