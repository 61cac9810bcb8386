"""Servers that kratos and go-zero make."""

from __future__ import annotations

from pathlib import Path

import pytest
from go_program import analyse

from zuno_audit.facts.go import servers
from zuno_audit.model.entity import Entity

KRATOS = """package main

import (
	"context"
	"fmt"

	"github.com/go-kratos/kratos/v2/middleware"
	"github.com/go-kratos/kratos/v2/middleware/logging"
	"github.com/go-kratos/kratos/v2/middleware/recovery"
	"github.com/go-kratos/kratos/v2/middleware/selector"
	kgrpc "github.com/go-kratos/kratos/v2/transport/grpc"
	"google.golang.org/grpc"
)

var _, _, _ = logging.Server, recovery.Recovery, selector.Server

func own(next middleware.Handler) middleware.Handler {
	return func(ctx context.Context, req any) (reply any, err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v", r)
			}
		}()
		return next(ctx, req)
	}
}

func idle(next middleware.Handler) middleware.Handler {
	return func(ctx context.Context, req any) (any, error) { return next(ctx, req) }
}

func guard(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return handler(srv, ss)
}

func main() {
	srv := kgrpc.NewServer(OPTIONS)
	MORE
}
"""


def only(root: Path, text: str, files: dict[str, str] | None = None) -> Entity:
    (row,) = servers.table(analyse(root, {"main.go": text, **(files or {})})).rows
    return row


@pytest.mark.parametrize(
    ("options", "more", "unary", "stream"),
    [
        pytest.param("kgrpc.Middleware(recovery.Recovery())", "", "yes", "no", id="recovery"),
        pytest.param(
            "kgrpc.Address(x), kgrpc.Middleware(logging.Server(nil), recovery.Recovery())",
            "",
            "yes",
            "no",
            id="second",
        ),
        pytest.param(
            "kgrpc.Middleware(middleware.Chain(logging.Server(nil), recovery.Recovery()))",
            "",
            "yes",
            "no",
            id="chain",
        ),
        pytest.param("kgrpc.Middleware(own)", "", "yes", "no", id="middleware of one's own"),
        pytest.param("kgrpc.StreamInterceptor(guard)", "", "no", "yes", id="stream interceptor"),
        pytest.param(
            "kgrpc.Options(grpc.ChainStreamInterceptor(guard)), kgrpc.Middleware(own)",
            "",
            "yes",
            "yes",
            id="options of grpc",
        ),
        pytest.param("kgrpc.Timeout(1)", "", "no", "no", id="nothing"),
        pytest.param("kgrpc.Middleware(logging.Server(nil))", "", "no", "no", id="only logs"),
        pytest.param("kgrpc.Middleware(idle)", "", "no", "no", id="middleware that does nothing"),
        pytest.param(
            "kgrpc.StreamMiddleware(recovery.Recovery())", "", "no", "no", id="around messages only"
        ),
        pytest.param(
            "kgrpc.StreamInterceptor(guard), kgrpc.StreamInterceptor(other)",
            "",
            "no",
            "unknown",
            id="replaced by one that is not known",
        ),
        pytest.param(
            "kgrpc.Middleware(selector.Server(recovery.Recovery()).Prefix(x).Build())",
            "",
            "unknown",
            "no",
            id="some calls",
        ),
        pytest.param(
            "kgrpc.Options(grpc.ChainStreamInterceptor(guard)), kgrpc.Options(grpc.MaxRecvMsgSize(1))",
            "",
            "no",
            "no",
            id="options of grpc that others replace",
        ),
        pytest.param("", 'srv.Use("/*", recovery.Recovery())', "unknown", "no", id="added afterwards"),
    ],
)
def test_kratos(tmp_path: Path, options: str, more: str, unary: str, stream: str) -> None:
    row = only(tmp_path, KRATOS.replace("OPTIONS", options).replace("MORE", more))
    found = [row.get(name).value for name in ("unary_recovery", "stream_recovery")]
    assert found[0] == unary
    assert found[1] == stream or (stream == "unknown" and found[1] != "yes")


ZERO = """package main

import (
	"github.com/zeromicro/go-zero/core/conf"
	"github.com/zeromicro/go-zero/zrpc"
	"google.golang.org/grpc"
)

var _ = conf.Load

type Config struct{ zrpc.RpcServerConf }

func main() {
	CODE
	s.Start()
}

func register(s *grpc.Server) {}
"""
LOADED = (
    'var c Config\n\tconf.MustLoad("etc/a.yaml", &c)\n\ts := zrpc.MustNewServer(c.RpcServerConf, register)'
)


@pytest.mark.parametrize(
    ("code", "files", "answer"),
    [
        pytest.param(LOADED, {"etc/a.yaml": "Name: a\n"}, "yes", id="on by default"),
        pytest.param(
            'var c zrpc.RpcServerConf\n\tconf.MustLoad("etc/a.yaml", &c)\n\ts := zrpc.MustNewServer(c, register)',
            {},
            "yes",
            id="loaded into the struct itself",
        ),
        pytest.param(
            LOADED.replace("\ts :=", "\tc.Middlewares.Recover = false\n\ts :="),
            {},
            "unknown",
            id="set after loading",
        ),
        pytest.param(
            LOADED, {"etc/a.yaml": "Middlewares:\n  Recover: false\n"}, "unknown", id="switched off in a file"
        ),
        pytest.param(
            "s := zrpc.MustNewServer(zrpc.RpcServerConf{Middlewares: zrpc.ServerMiddlewaresConf{Recover: true}}, register)",
            {},
            "yes",
            id="on in the code",
        ),
        pytest.param(
            "s := zrpc.MustNewServer(zrpc.RpcServerConf{Middlewares: zrpc.ServerMiddlewaresConf{Recover: false}}, register)",
            {},
            "no",
            id="off in the code",
        ),
        pytest.param(
            's := zrpc.MustNewServer(zrpc.RpcServerConf{ListenOn: ":1"}, register)',
            {},
            "no",
            id="forgotten in the code",
        ),
    ],
)
def test_go_zero(tmp_path: Path, code: str, files: dict[str, str], answer: str) -> None:
    row = only(tmp_path, ZERO.replace("CODE", code), files)
    assert [row.get(name).value for name in ("unary_recovery", "stream_recovery")] == [answer, answer]
    assert answer != "yes" or row.get("internal").value == "yes"
