"""Go files that end too early, or do not parse elsewhere: what they may have held is not known to be missing."""

from __future__ import annotations

from pathlib import Path

from trees import store_of

from zuno_audit.checks import go_struct
from zuno_audit.facts import logs, tls
from zuno_audit.facts.go import package_uses, servers
from zuno_audit.model.rule_run import Outcome

GO_MOD = "module example.com/shop\n\nrequire google.golang.org/grpc v1.70.0\n"
MAIN = """package main

import "google.golang.org/grpc"

func main() {
\tlimits := []grpc.ServerOption{grpc.MaxRecvMsgSize(1 << 20)}
\tserver := grpc.NewServer(limits...)
\t_ = server
}
"""


def test_a_file_that_ends_before_its_server_is_a_problem(tmp_path: Path) -> None:
    cut = MAIN[: MAIN.index("\tserver :=")]
    files = {"go.mod": GO_MOD, "cmd/a/main.go": MAIN, "cmd/b/main.go": cut}
    table = store_of(tmp_path, files).get(servers.table)
    assert [row.location.path for row in table.rows] == ["cmd/a/main.go"]
    assert [problem.path for problem in table.problems] == ["cmd/b/main.go"]


def test_a_whole_file_without_a_server_is_none(tmp_path: Path) -> None:
    ends = {
        "a": "type Option = grpc.ServerOption\n",
        "b": "var (\n\tanswer grpc.ServerOption\n)\n\n",
        "c": "func f() grpc.ServerOption {\n\treturn nil\n}\r\n",
    }
    files = {
        f"{n}/{n}.go": f'package {n}\n\nimport "google.golang.org/grpc"\n\n{end}' for n, end in ends.items()
    }
    table = store_of(tmp_path, {"go.mod": GO_MOD, "main.go": MAIN, **files}).get(servers.table)
    assert table.problems == ()


def test_whether_an_import_is_used_is_not_known_in_a_file_that_does_not_parse(tmp_path: Path) -> None:
    program = (
        'package main\n\nimport "github.com/ethereum/go-ethereum/accounts/abi"\n\n'
        "func f() {\n\tabi.JSON(nil)\n}\n\nfunc g( {\n}\n"
    )
    table = store_of(tmp_path, {"go.mod": GO_MOD, "main.go": program}).get(package_uses.table)
    used = table.rows[0].get("used")
    assert (used.value, used.failed) == ("unknown", True)


def test_a_struct_is_not_known_to_be_missing_where_its_file_is_cut(tmp_path: Path) -> None:
    files = {"go.mod": GO_MOD, "domain/events.go": "package domain\n\ntype Other struct {\n\tName string\n"}
    arguments = {"name": "Event", "path": "domain/events.go", "within": "**", "fields": "From string"}
    run = go_struct.check(store_of(tmp_path, files), arguments)
    assert run.outcome is Outcome.FAILED
    assert "domain/events.go" in run.reason


def test_transport_and_logs_of_a_cut_program_are_not_known(tmp_path: Path) -> None:
    head = 'package main\n\nimport (\n\t"github.com/rs/zerolog"\n\t"google.golang.org/grpc"\n)\n\n'
    cut = (
        head
        + "func main() {\n\tlog := zerolog.New(nil)\n\tvar options []grpc.ServerOption\n\tlog.Print(options)\n"
    )
    store = store_of(tmp_path, {"go.mod": GO_MOD, "cmd/a/main.go": MAIN, "cmd/b/main.go": cut})
    assert [problem.path for problem in store.get(tls.grpc_transport_table).problems] == ["cmd/b/main.go"]
    rows = {row.get("binary").value: row.get("json") for row in store.get(logs.service_log_table).rows}
    assert (rows["cmd/b"].value, rows["cmd/b"].failed) == ("unknown", True)
    assert not rows["cmd/a"].failed
