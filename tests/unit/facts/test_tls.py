"""Credentials of gRPC servers and clients on every way to them."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.tls import grpc_transport_table

HEAD = """\
package main

import (
	"crypto/tls"
	"crypto/x509"
	"log"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
)

var _ = insecure.NewCredentials
var _ = os.Getenv
var _ = log.Fatal

func load() (credentials.TransportCredentials, error) {
	cert, err := tls.LoadX509KeyPair("a.crt", "a.key")
	if err != nil {
		return nil, err
	}
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}}
	cfg.ClientAuth = tls.RequireAndVerifyClientCert
	cfg.ClientCAs = x509.NewCertPool()
	return credentials.NewTLS(cfg), nil
}

"""
GOOD = """\
func main() {
	creds, err := load()
	if err != nil {
		log.Fatal(err)
	}
	s := grpc.NewServer(grpc.Creds(creds))
	_ = s
}
"""


def transport(tmp_path: Path, main: str, head: str = HEAD) -> tuple[object, str]:
    files = {"go.mod": "module example.com/app\n\ngo 1.25\n", "main.go": head + main}
    (row,) = grpc_transport_table(store_of(tmp_path, files)).rows
    return row.get("mutual").value, row.get("mutual").because


def test_a_server_that_demands_certificates_on_every_way(tmp_path: Path) -> None:
    assert transport(tmp_path, GOOD)[0] == "yes"


@pytest.mark.parametrize(
    "main",
    [
        """\
func both() (string, credentials.TransportCredentials, error) {
	creds, err := load()
	return ":50051", creds, err
}

func main() {
	_, creds, err := both()
	if err != nil {
		log.Fatal(err)
	}
	_ = grpc.NewServer(grpc.Creds(creds))
}
""",
        """\
type other struct{ options []grpc.ServerOption }

type app struct{ options []grpc.ServerOption }

func (a *app) with(o grpc.ServerOption) { a.options = append(a.options, o) }

func main() {
	creds, err := load()
	if err != nil {
		log.Fatal(err)
	}
	_ = other{options: []grpc.ServerOption{grpc.Creds(insecure.NewCredentials())}}
	a := &app{}
	a.with(grpc.Creds(creds))
	a.options = append(a.options, grpc.MaxRecvMsgSize(1))
	_ = grpc.NewServer(a.options...)
}
""",
    ],
)
def test_credentials_that_come_from_elsewhere(tmp_path: Path, main: str) -> None:
    assert transport(tmp_path, main)[0] == "yes"


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("RequireAndVerifyClientCert", "RequestClientCert", "does not demand"),
        ("RequireAndVerifyClientCert", "VerifyClientCertIfGiven", "does not demand"),
        ("	cfg.ClientAuth = tls.RequireAndVerifyClientCert\n", "", "does not demand"),
        ("	cfg.ClientCAs = x509.NewCertPool()\n", "", "ClientCAs"),
        ("grpc.Creds(creds)", "", "no transport credentials"),
        ("credentials.NewTLS(cfg), nil", "insecure.NewCredentials(), nil", "no transport credentials"),
    ],
)
def test_a_server_that_does_not(tmp_path: Path, old: str, new: str, reason: str) -> None:
    value, because = transport(tmp_path, GOOD.replace(old, new), HEAD.replace(old, new))
    assert value == "no"
    assert reason in because


OPTIONS = """\
func main() {
	var opts []grpc.ServerOption
	if os.Getenv("TLS") == "true" {
		creds, err := load()
		if err != nil {
			%s
		} else {
			opts = append(opts, grpc.Creds(creds))
		}
	}
	s := grpc.NewServer(opts...)
	_ = s
}
"""


def test_a_switch_may_turn_tls_off(tmp_path: Path) -> None:
    assert transport(tmp_path, OPTIONS % "log.Fatal(err)")[0] == "yes"


def test_a_switch_may_turn_only_the_demand_off(tmp_path: Path) -> None:
    demand = "\tcfg.ClientAuth = tls.RequireAndVerifyClientCert\n\tcfg.ClientCAs = x509.NewCertPool()\n"
    head = HEAD.replace(demand, f'\tif ca := os.Getenv("CA"); ca != "" {{\n{demand}\t}}\n')
    value, because = transport(tmp_path, GOOD, head)
    assert (value, because) == ("unknown", "a setting decides whether it demands a client certificate")


def test_a_silent_fall_back_to_plaintext_is_none(tmp_path: Path) -> None:
    value, because = transport(tmp_path, OPTIONS % 'log.Printf("going on without TLS: %v", err)')
    assert value == "no"
    assert "plaintext" in because


def test_credentials_from_elsewhere_are_unknown(tmp_path: Path) -> None:
    main = "func main() { grpc.NewServer(grpc.Creds(pick())) }\n\n"
    main += "var pick func() credentials.TransportCredentials"
    assert transport(tmp_path, main)[0] == "unknown"


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("grpc.WithTransportCredentials(insecure.NewCredentials())", "no"),
        ("grpc.WithInsecure()", "no"),
        ("grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{RootCAs: x509.NewCertPool()}))", "no"),
        (
            "grpc.WithTransportCredentials(credentials.NewTLS("
            "&tls.Config{Certificates: nil, InsecureSkipVerify: true}))",
            "no",
        ),
        ("grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{Certificates: certs()}))", "yes"),
        (
            "grpc.WithTransportCredentials(credentials.NewTLS("
            '&tls.Config{Certificates: certs(), InsecureSkipVerify: os.Getenv("DEV") != ""}))',
            "unknown",
        ),
    ],
)
def test_clients_present_a_certificate(tmp_path: Path, option: str, expected: str) -> None:
    certs = "func certs() []tls.Certificate { return nil }\n"
    main = f'func main() {{ grpc.NewClient("a:1", {option}) }}\n\n{certs}'
    assert transport(tmp_path, main)[0] == expected


def test_a_helper_that_nobody_calls_is_no_server(tmp_path: Path) -> None:
    files = {
        "go.mod": "module example.com/app\n\ngo 1.25\n",
        "main.go": HEAD + "func unused() { grpc.NewServer() }\n\nfunc main() { _, _ = load() }\n",
    }
    assert grpc_transport_table(store_of(tmp_path, files)).rows == ()


def test_options_come_through_a_helper(tmp_path: Path) -> None:
    main = (
        "func main() { creds, err := load(); if err != nil { panic(err) }; start(grpc.Creds(creds)) }\n\n"
        "func start(opts ...grpc.ServerOption) { grpc.NewServer(opts...) }\n"
    )
    files = {"go.mod": "module example.com/app\n\ngo 1.25\n", "main.go": HEAD + main}
    (row,) = grpc_transport_table(store_of(tmp_path, files)).rows
    assert values(row, "role", "mutual") == ("server", "yes")
