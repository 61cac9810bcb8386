"""A hand-made result with every verdict, level, flow and suppression, and with text that wants to do harm."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import replace

from zuno_audit.model.control import Checklist, CheckRef, Control
from zuno_audit.model.finding import Diagnostic, Finding, Level, Suppression
from zuno_audit.model.location import Location, Span, at_line
from zuno_audit.model.result import AuditResult, RepositoryInfo
from zuno_audit.model.rule import RuleInfo
from zuno_audit.model.verdict import Check, Status, Verdict

PLANTED = "hunter2-Ein-Geheimnis-das-niemand-sehen-darf"

MAIN_GO = """package main

import "google.golang.org/grpc"

func main() {
\tname := "héllo 𝔘𝔫𝔦 [bold]x[/bold] <b>"; server := grpc.NewServer(opts...)
\tserver.Serve(listener)
}
"""
CONFIG_GO = f"""package config

func Load() Config {{
\treturn Config{{Secret: getEnv("JWT_SECRET", "{PLANTED}")}}
}}
"""
FILES = {
    ".env.example": f"JWT_SECRET={PLANTED}\nPORT=8080\n",
    "README.md": "# Sample\n",
    "Dockerfile": "FROM golang:1.24-alpine\n",
    "go.mod": "module example.com/sample\n\ngo 1.25\n",
    "services/user service/cmd/main.go": MAIN_GO,
    "services/auth/config/config.go": CONFIG_GO,
    "shared/größe.go": "\ufeffpackage shared\r\n\r\nconst Größe = 1\r\n",
}

RULES = (
    RuleInfo(
        id="fallback-secret",
        title="Hard-coded fallback for a secret",
        level=Level.ERROR,
        precision="very-high",
        why="Whoever reads the source can sign tokens.",
        fix="Refuse to start without the variable.\n\nThe length is to be checked too.",
        bad='secret := getEnv("SECRET", "…")',
        good='secret, err := requireEnv("SECRET")',
        security_severity="8.0",
        cwe=(798,),
        tags=("secrets",),
        pack="go",
    ),
    RuleInfo(
        id="grpc-server-without-unary-recovery",
        title="gRPC server without unary panic recovery",
        level=Level.ERROR,
        precision="high",
        why="One panic in a handler takes the whole process down.",
        fix="Pass a recovering interceptor to `grpc.NewServer`.",
        bad="grpc.NewServer()",
        good="grpc.NewServer(grpc.ChainUnaryInterceptor(recovery))",
        limits="A server built by reflection is not seen.",
        security_severity="5.5",
        cwe=(248,),
        tags=("grpc", "reliability"),
        pack="go",
    ),
    RuleInfo(
        id="monitoring-missing",
        title="No monitoring configuration",
        level=Level.WARNING,
        precision="medium",
        why="Nobody notices an outage.",
        fix="Add prometheus.yml.",
        tags=("observability",),
        pack="prometheus",
    ),
    RuleInfo(
        id="name-differs",
        title="Name differs from the checklist",
        level=Level.NOTE,
        precision="high",
        why="Readers of the checklist look for another name.",
        fix="Rename it, or change the checklist.",
        pack="go",
    ),
)


def _on(path: str, line: int, text: str, note: str = "") -> Location:
    """The place of `text` on a line of FILES."""
    source = FILES[path].split("\n")[line - 1]
    start = source.index(text) + 1
    return Location(path, Span(line, start, line, start + len(text)), note)


MAIN = "services/user service/cmd/main.go"
CONFIG = "services/auth/config/config.go"
SERVER = _on(MAIN, 6, "grpc.NewServer(opts...)")

FINDINGS = (
    Finding(
        rule="fallback-secret",
        level=Level.ERROR,
        message="JWT_SECRET falls back to a constant (hunt****, 44 characters).",
        location=_on(CONFIG, 4, f'"{PLANTED}"'),
        matched='"hunt****"',
        symbol="Load",
        fingerprint="0" * 31 + "1",
        checklist=("4.2.3",),
    ),
    Finding(
        rule="grpc-server-without-unary-recovery",
        level=Level.ERROR,
        message="The server is created without a unary interceptor that recovers: opts is "
        "[bold]empty[/bold] on one path \x1b[31m<script>alert(1)</script>.",
        location=SERVER,
        flow=(
            _on(MAIN, 6, "name", "name is set"),
            SERVER.noted("the server is created [here](99)"),
            _on(MAIN, 7, "server.Serve(listener)", "it serves ::error::now"),
        ),
        symbol="main",
        matched="grpc.NewServer(opts...)",
        fingerprint="0" * 31 + "2",
        checklist=("1.3.1.2", "1.3.2"),
    ),
    Finding(
        rule="grpc-server-without-unary-recovery",
        level=Level.ERROR,
        message="A second server on the same line does not recover.",
        location=_on(MAIN, 6, "NewServer(opts...)"),
        fingerprint="0" * 31 + "3",
        checklist=("1.3.2",),
    ),
    Finding(
        rule="monitoring-missing",
        level=Level.WARNING,
        message="No Prometheus configuration is tracked.",
        location=at_line("infra/monitoring/prometheus.yml"),
        undecided=True,
        fingerprint="0" * 31 + "4",
        checklist=("6.1.1",),
    ),
    Finding(
        rule="name-differs",
        level=Level.NOTE,
        message="The constant is called Größe; the checklist says Groesse.",
        location=_on("shared/größe.go", 3, "Größe"),
        letter=True,
        fingerprint="0" * 31 + "5",
        checklist=("1.1.1",),
    ),
    Finding(
        rule="fallback-secret",
        level=Level.ERROR,
        message="JWT_SECRET holds a value (hunt****, 44 characters).",
        location=_on(".env.example", 1, PLANTED),
        fingerprint="0" * 31 + "6",
        checklist=("4.2.3",),
        suppression=Suppression("inSource", "a sample, see the handbook", at_line(".env.example", 1)),
    ),
)


def _control(id_: str, section: str, title: str, by: str = "files", parent: str | None = None) -> Control:
    return Control(id_, parent, id_.partition(".")[0], section, title, by)


def _verdict(control: Control, status: Status, *checks: Check) -> Verdict:
    references = tuple(CheckRef(c.rule) for c in checks if c.rule != "checklist")
    return Verdict(replace(control, checks=references), status, checks)


def sample() -> AuditResult:
    """The result. Its text comes from FILES."""
    files = "files"
    verdicts = (
        _verdict(
            _control("1.1.1", "Names and numbers", "The constant Größe is defined"),
            Status.PASS,
            Check(
                "name-differs", Status.PASS, "1 of 1 constants is defined.", (at_line("shared/größe.go", 3),)
            ),
        ),
        _verdict(
            _control("1.3.1", "Panic recovery", "Every server recovers"),
            Status.FAIL,
            Check("checklist", Status.FAIL, "1 of 2 parts fails: 1.3.1.2."),
        ),
        _verdict(
            _control("1.3.1.1", "Panic recovery", "auth-service recovers, if there is one", files, "1.3.1"),
            Status.NOT_APPLICABLE,
            Check("grpc-server-without-unary-recovery", Status.NOT_APPLICABLE, "There is no such service."),
        ),
        _verdict(
            _control("1.3.1.2", "Panic recovery", "user service recovers from | panics", files, "1.3.1"),
            Status.FAIL,
            Check(
                "grpc-server-without-unary-recovery",
                Status.FAIL,
                "0 of 1 servers recovers: opts is empty.",
                (SERVER.noted("created here"),),
            ),
        ),
        _verdict(
            _control("1.3.2", "Panic recovery", "Every server has <both> interceptors"),
            Status.ERROR,
            Check("grpc-server-without-unary-recovery", Status.ERROR, "broken.go does not parse (line 3)."),
        ),
        _verdict(
            _control("4.2.3", "Secrets", "Secrets have no default", "person"),
            Status.FAIL,
            Check("fallback-secret", Status.FAIL, "1 of 2 secrets has a default.", (at_line(CONFIG, 4),)),
            Check("checklist", Status.MANUAL, "Look at the real .env."),
        ),
        _verdict(
            _control("6.1.1", "Monitoring", "Prometheus is configured", "evidence"),
            Status.NEEDS_EVIDENCE,
            Check("monitoring-missing", Status.PASS, "1 of 1 files is there.", (at_line("README.md", 1),)),
            Check("checklist", Status.NEEDS_EVIDENCE, "Run `curl localhost:9090/-/ready`."),
        ),
        *(
            _verdict(
                _control(f"S.1.{i}", "Team", f"{who} has signed", "person"),
                Status.MANUAL,
                Check("checklist", Status.MANUAL, f"Ask the {who}."),
            )
            for i, who in enumerate(("backend lead", "DevOps engineer", "QA tester", "産品 manager"), 1)
        ),
    )
    titles = (("1", "Code verification"), ("4", "Security"), ("6", "Monitoring"), ("S", "Final sign-off"))
    return AuditResult(
        tool_version="0.1.0",
        repository=RepositoryInfo(
            "0123456789abcdef0123456789abcdef01234567", "main", False, "https://github.com/acme/shop"
        ),
        checklist=Checklist("sample", "1.0.0", tuple(v.control for v in verdicts), titles),
        verdicts=verdicts,
        findings=tuple(sorted(FINDINGS, key=lambda f: f.sort_key)),
        diagnostics=(Diagnostic(Level.WARNING, "services/broken.go", 3, "not parsed: syntax error"),),
        rules=RULES,
        files=tuple(sorted(FILES)),
        read_text=FILES.get,
    )


def write_files(root: Path) -> None:
    """Put FILES below `root`, byte for byte."""
    for path, text in FILES.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode("utf-8"))
