"""What gRPC libraries do with interceptors, as data keyed by import path and name.

Sources: google.golang.org/grpc (server.go, dialoptions.go), go-grpc-middleware v1 and v2 documentation.
"""

from __future__ import annotations

GRPC = "google.golang.org/grpc"
XDS = "google.golang.org/grpc/xds"
MIDDLEWARE_V1 = "github.com/grpc-ecosystem/go-grpc-middleware"
MIDDLEWARE_V2 = "github.com/grpc-ecosystem/go-grpc-middleware/v2"

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
}

# Functions whose result is one interceptor that runs its arguments in order.
CHAINS: dict[tuple[str, str], str] = {
    (MIDDLEWARE_V1, "ChainUnaryServer"): "unary",
    (MIDDLEWARE_V1, "ChainStreamServer"): "stream",
    (MIDDLEWARE_V1, "ChainUnaryClient"): "unary",
    (MIDDLEWARE_V1, "ChainStreamClient"): "stream",
}

# Interceptors that recover. The value is the code that the client sees without a handler of one's own:
# v1 returns status.Errorf(codes.Internal, ...), v2 a PanicError, which gRPC reports as Unknown.
RECOVERS: dict[tuple[str, str], tuple[str, int]] = {
    (MIDDLEWARE_V1 + "/recovery", "UnaryServerInterceptor"): ("unary", 13),
    (MIDDLEWARE_V1 + "/recovery", "StreamServerInterceptor"): ("stream", 13),
    (MIDDLEWARE_V2 + "/interceptors/recovery", "UnaryServerInterceptor"): ("unary", 2),
    (MIDDLEWARE_V2 + "/interceptors/recovery", "StreamServerInterceptor"): ("stream", 2),
}
# Functions that run an interceptor (first argument) for the calls that a matcher (second) accepts.
SELECTS: dict[tuple[str, str], str] = {
    (MIDDLEWARE_V2 + "/interceptors/selector", "UnaryServerInterceptor"): "unary",
    (MIDDLEWARE_V2 + "/interceptors/selector", "StreamServerInterceptor"): "stream",
}
RECOVERY_HANDLERS = frozenset({"WithRecoveryHandler", "WithRecoveryHandlerContext"})

# Packages whose options never install an interceptor, apart from those above.
PLAIN_OPTIONS = frozenset({GRPC, XDS})
# Packages whose interceptors are known not to recover (they observe, limit or authenticate).
PLAIN_INTERCEPTORS = (
    MIDDLEWARE_V1,
    MIDDLEWARE_V2,
    "go.opentelemetry.io/",
    "github.com/grpc-ecosystem/go-grpc-prometheus",
    "github.com/grpc-ecosystem/grpc-opentracing",
    "github.com/opentracing-contrib/",
)
