"""Image builds: Go version, sources, what is copied in, size."""

from __future__ import annotations

from pathlib import Path

import pytest
from trees import store_of, values

from zuno_audit.facts.deployment import deployment_table, lost_variables
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.facts.health import service_health_table
from zuno_audit.facts.images import image_build_table
from zuno_audit.facts.tilt import tilt_load_table
from zuno_audit.model.entity import Entity

COMPOSE = """\
services:
  a:
    build:
      context: .
      dockerfile: Dockerfile
"""
DOCKERFILE = """\
FROM golang:1.25-alpine AS builder
WORKDIR /app
COPY go.mod go.sum ./
RUN go mod download
COPY shared ./shared
COPY services/a ./services/a
RUN CGO_ENABLED=0 go build -o build/a ./services/a/cmd
FROM alpine:latest
COPY --from=builder /app/build ./build
ENTRYPOINT ["/app/build/a"]
"""
MAIN = 'package main\n\nimport "example.com/app/shared"\n\nfunc main() { shared.X() }\n'
TREE = {
    "go.mod": "module example.com/app\n\ngo 1.25.1\n",
    "go.sum": "",
    "docker-compose.yml": COMPOSE,
    "services/a/cmd/main.go": MAIN,
    "shared/x.go": "package shared\n\nfunc X() {}\n",
}


def image(tmp_path: Path, dockerfile: str, **more: str) -> Entity:
    extra = {k.replace("__", "/").replace("dot_", "."): v for k, v in more.items()}
    (row,) = image_build_table(store_of(tmp_path, {**TREE, "Dockerfile": dockerfile, **extra})).rows
    return row


def test_a_build_that_fits_together(tmp_path: Path) -> None:
    row = image(tmp_path, DOCKERFILE)
    names = ("package", "sources", "toolchain", "links", "buildable", "multi_stage", "small")
    assert values(row, *names) == ("services/a/cmd", *["yes"] * 6)


@pytest.mark.parametrize(
    ("name", "text"),
    [("go__mod", "module example.com/app\n\ngo 1.25.1\n>>>>>>> theirs\n"), ("go__sum", "<<<<<<< ours\n")],
)
def test_a_module_that_the_go_command_refuses_builds_nothing(tmp_path: Path, name: str, text: str) -> None:
    files = {**TREE, "Dockerfile": DOCKERFILE, name.replace("__", "."): text}
    (row,) = image_build_table(store_of(tmp_path, files)).rows
    assert (row.get("buildable").value, row.get("buildable").failed) == ("unknown", True)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("1.25-alpine", "1.24-alpine", "no"),
        ("1.25-alpine", "1.25.0-alpine", "no"),
        ("1.25-alpine", "1.25.1", "yes"),
        ("1.25-alpine", "1.26rc1-alpine", "yes"),
        ("1.25-alpine", "latest", "unknown"),
        ("golang:1.25-alpine", "golang@sha256:abc", "unknown"),
        ("WORKDIR /app", "WORKDIR /app\nENV GOTOOLCHAIN=auto", "yes"),
        ("golang:1.25-alpine AS builder\n", "golang:1.24-alpine AS builder\nENV GOTOOLCHAIN=auto\n", "yes"),
        ("golang:1.25-alpine AS builder\n", "golang:1.24-alpine AS builder\nENV GOTOOLCHAIN=local\n", "no"),
        ("FROM golang:1.25-alpine", "ARG V=1.24\nFROM golang:${V}-alpine", "no"),
        ("FROM golang:1.25-alpine", "ARG V\nFROM golang:${V}-alpine", "unknown"),
    ],
)
def test_the_builder_must_not_be_older_than_go_mod(tmp_path: Path, old: str, new: str, expected: str) -> None:
    assert image(tmp_path, DOCKERFILE.replace(old, new)).get("toolchain").value == expected


def test_a_build_argument_of_compose_decides_the_version(tmp_path: Path) -> None:
    dockerfile = DOCKERFILE.replace("FROM golang:1.25", "ARG V=1.24\nFROM golang:${V}")
    compose = COMPOSE + "      args: {V: '1.25'}\n"
    files = {**TREE, "Dockerfile": dockerfile, "docker-compose.yml": compose}
    (row,) = image_build_table(store_of(tmp_path, files)).rows
    assert row.get("toolchain").value == "yes"


def test_what_is_not_copied_in_cannot_be_linked(tmp_path: Path) -> None:
    row = image(tmp_path, DOCKERFILE.replace("COPY shared ./shared\n", ""))
    assert row.get("links").value == "no"
    assert "package shared" in row.get("links").because


def test_what_dockerignore_leaves_out_cannot_be_linked(tmp_path: Path) -> None:
    assert image(tmp_path, DOCKERFILE, dot_dockerignore="shared/x.go\n").get("links").value == "no"


def test_a_pattern_taken_back_is_copied_in(tmp_path: Path) -> None:
    assert image(tmp_path, DOCKERFILE, dot_dockerignore="**/*.go\n!**/*.go\n").get("links").value == "yes"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("COPY shared ./shared", "COPY sharde ./shared"),
        ("COPY shared ./shared", "COPY ../shared ./shared"),
        ("--from=builder", "--from=bulider"),
    ],
)
def test_a_copy_without_source_fails(tmp_path: Path, old: str, new: str) -> None:
    assert image(tmp_path, DOCKERFILE.replace(old, new)).get("sources").value == "no"


def test_an_image_that_ships_its_compiler_is_not_slim(tmp_path: Path) -> None:
    row = image(tmp_path, DOCKERFILE[: DOCKERFILE.index("FROM alpine")])
    assert values(row, "multi_stage", "small") == ("no", "no")


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        ("", "no"),
        ("    healthcheck: {test: [CMD, nc, -z, localhost, '1']}\n", "yes"),
        ("    healthcheck: {test: [CMD, curl, -f, 'http://localhost']}\n", "no"),
        ("    healthcheck: {disable: true}\n", "no"),
        ("    healthcheck: {interval: 5s}\n", "no"),
    ],
)
def test_a_health_check_needs_a_program_that_the_image_holds(
    tmp_path: Path, check: str, expected: str
) -> None:
    files = {**TREE, "Dockerfile": DOCKERFILE, "docker-compose.yml": COMPOSE + check}
    (row,) = service_health_table(store_of(tmp_path, files)).rows
    assert row.get("healthcheck").value == expected


def test_curl_that_is_installed_will_do(tmp_path: Path) -> None:
    dockerfile = DOCKERFILE.replace("FROM alpine:latest", "FROM alpine:latest\nRUN apk add --no-cache curl")
    compose = COMPOSE + "    healthcheck: {test: curl -f http://localhost}\n"
    files = {**TREE, "Dockerfile": dockerfile, "docker-compose.yml": compose}
    (row,) = service_health_table(store_of(tmp_path, files)).rows
    assert row.get("healthcheck").value == "yes"


SERVING = """package main

import (
	"net/http"
	"os"
)

func ok(w http.ResponseWriter, r *http.Request) {}

func main() {
	http.HandleFunc("/health", ok)
	http.ListenAndServe(ADDRESS, nil)
}
"""


@pytest.mark.parametrize(
    ("address", "url", "expected"),
    [
        ('":8080"', "http://localhost:8080/health", "yes"),
        ('":8080"', "http://127.0.0.1:8080/health/", "yes"),
        ('":8080"', "http://localhost:8081/health", "no"),
        ('":8080"', "http://localhost/health", "no"),
        ('":8080"', "http://localhost:8080/ready", "no"),
        ('":8080"', "http://localhost:$$PORT/health", "yes"),
        ('os.Getenv("ADDR")', "http://localhost:8081/health", "yes"),
    ],
)
def test_a_health_check_asks_for_what_the_program_serves(
    tmp_path: Path, address: str, url: str, expected: str
) -> None:
    check = f"    healthcheck: {{test: [CMD, wget, -qO-, '{url}']}}\n"
    files = {
        **TREE,
        "Dockerfile": DOCKERFILE,
        "docker-compose.yml": COMPOSE + check,
        "services/a/cmd/main.go": SERVING.replace("ADDRESS", address),
    }
    (row,) = service_health_table(store_of(tmp_path, files)).rows
    assert row.get("healthcheck").value == expected


def test_compose_swallows_variables_of_the_shell() -> None:
    assert lost_variables('sh -c "for s in a b; do echo \\$s ${HOME}; done"') == ("s",)
    assert lost_variables('sh -c "for s in a b; do echo $$s; done"') == ()


def test_an_overlay_is_judged_with_its_base(tmp_path: Path) -> None:
    overlay = "services:\n  a:\n    depends_on: [b]\n"
    files = {**TREE, "Dockerfile": DOCKERFILE, "docker-compose.tls.yml": overlay}
    rows = deployment_table(store_of(tmp_path, files)).rows
    assert [values(r, "way", "works") for r in rows] == [("compose", "yes"), ("compose+overlay", "no")]
    assert "depends on b" in rows[1].get("works").because


@pytest.mark.parametrize(
    ("base", "overlay", "encrypted"),
    [
        ("", "environment: {TLS_ENABLED: 'true'}", "yes"),
        ("", "environment: {TLS_ENABLED: 'false'}", "no"),
        ("    environment: {TLS_ENABLED: 'false'}\n", "environment: {TLS_ENABLED: 'true'}", "yes"),
        ("    environment: {TLS_ENABLED: 'false'}\n", "volumes: ['./certs:/certs']", "no"),
        ("    env_file: [.env]\n", "volumes: ['./certs:/certs']", "no"),
        ("    env_file: [.env]\n", "environment: {TLS_ENABLED: 'true'}", "yes"),
        ("", "environment: {REDIS_TLS: 'false', SMTP_TLS_ENABLED: 'false'}", "yes"),
    ],
)
def test_an_overlay_that_leaves_tls_off_protects_nothing(
    tmp_path: Path, base: str, overlay: str, encrypted: str
) -> None:
    files = {
        **TREE,
        "Dockerfile": DOCKERFILE,
        ".env.example": "TLS_ENABLED=false\n",
        "docker-compose.yml": COMPOSE + base,
        "docker-compose.tls.yml": f"services:\n  a:\n    {overlay}\n",
    }
    rows = deployment_table(store_of(tmp_path, files)).rows
    assert [values(r, "way", "encrypted") for r in rows][1] == ("compose+overlay", encrypted)


def test_an_image_that_cannot_be_built_is_no_fault_of_the_overlay(tmp_path: Path) -> None:
    files = {
        **TREE,
        "Dockerfile": DOCKERFILE.replace("1.25-alpine", "1.20-alpine"),
        "docker-compose.tls.yml": "services:\n  a:\n    environment: {X: 'y'}\n",
    }
    rows = deployment_table(store_of(tmp_path, files)).rows
    assert [values(r, "works", "fits") for r in rows] == [("no", "yes"), ("no", "yes")]


def test_a_mounted_file_has_to_exist(tmp_path: Path) -> None:
    compose = COMPOSE + "    volumes: ['./conf/app.yaml:/app.yaml', './data:/data']\n"
    files = {**TREE, "Dockerfile": DOCKERFILE, "docker-compose.yml": compose}
    (row,) = deployment_table(store_of(tmp_path, files)).rows
    assert "conf/app.yaml" in row.get("works").because


def test_files_that_a_tiltfile_loads(tmp_path: Path) -> None:
    tiltfile = (
        "load('ext://restart_process', 'x')\n"
        "k8s_yaml(['k8s/a.yaml', './k8s/secrets.yaml'])\n"
        "local_resource('c', 'infra\\\\build.bat', deps=['./src'])\n"
        "docker_build('a', '.', dockerfile='Dockerfile')\n"
        "if os.path.exists('x'):\n  k8s_yaml(name)\n"
    )
    store = store_of(
        tmp_path, {"Tiltfile": tiltfile, "k8s/a.yaml": "a: 1\n", "src/x": ""}, {"k8s/secrets.yaml": "a: 1\n"}
    )
    assert [values(r, "file", "how", "exists", "tracked") for r in tilt_load_table(store).rows] == [
        ("k8s/a.yaml", "k8s_yaml", "yes", "yes"),
        ("k8s/secrets.yaml", "k8s_yaml", "yes", "no"),
        ("infra/build.bat", "local_resource", "no", "no"),
        ("src", "deps", "yes", "yes"),
        ("Dockerfile", "docker_build", "no", "no"),
    ]


def test_a_tiltfile_that_does_not_parse_is_a_problem(tmp_path: Path) -> None:
    table = tilt_load_table(store_of(tmp_path, {"Tiltfile": "k8s_yaml(\n"}))
    assert table.rows == ()
    assert len(table.problems) == 1


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("GOOS=linux go build -o ${SCRIPT_DIR}/server ./services/a/cmd\n", "yes"),
        ("GOOS=linux go build -o ${SCRIPT_DIR}/other ./services/a/cmd\n", "no"),
        ("# go build -o ${SCRIPT_DIR}/server ./services/a/cmd\n", "no"),
    ],
)
def test_a_script_may_make_what_the_image_copies(tmp_path: Path, script: str, expected: str) -> None:
    files = {
        **TREE,
        "docker-compose.yml": COMPOSE.replace("context: .", "context: dev"),
        "dev/Dockerfile": "FROM alpine:latest\nCOPY ./server /server\n",
        "dev/up.sh": f"#!/bin/sh\nSCRIPT_DIR=$(cd `dirname $0` && pwd)\n{script}docker compose up --build\n",
    }
    (row,) = image_build_table(store_of(tmp_path, files)).rows
    assert row.get("sources").value == expected


def test_a_tool_at_latest_may_need_a_newer_go_than_an_old_builder_has(tmp_path: Path) -> None:
    tool = "RUN go install example.org/tool@latest\n"
    old = f"FROM golang:1.19-alpine\n{tool}"
    new = f"FROM golang:1.25-alpine\n{tool}"
    found = [
        image_build_table(store_of(tmp_path / name, {**TREE, "Dockerfile": text}))
        .rows[0]
        .get("toolchain")
        .value
        for name, text in (("old", old), ("new", new))
    ]
    assert found == ["unknown", "yes"]


def test_services_that_build_the_same_image_count_once(tmp_path: Path) -> None:
    build = "    build: {context: ., dockerfile: Dockerfile, args: {A: %s}}\n"
    compose = "services:\n" + "".join(f"  {n}:\n{build % a}" for n, a in (("a", 1), ("b", 1), ("c", 2)))
    table = image_build_table(store_of(tmp_path, {**TREE, "docker-compose.yml": compose}))
    assert [values(row, "name", "counts") for row in table.rows] == [("a", "yes"), ("b", "no"), ("c", "yes")]


def test_an_overlay_fits_when_only_an_image_does_not_build(tmp_path: Path) -> None:
    overlay = "services:\n  a:\n    environment: [TLS=on]\n"
    old = DOCKERFILE.replace("1.25", "1.20")
    assert old != DOCKERFILE
    rows = deployment_table(
        store_of(tmp_path, {**TREE, "Dockerfile": old, "docker-compose.tls.yml": overlay})
    ).rows
    assert values(rows[1], "way", "works", "fits") == ("compose+overlay", "no", "yes")


@pytest.mark.parametrize(
    ("base", "small"),
    [
        ("ubuntu:24.04", "no"),
        ("debian:bookworm-slim", "no"),
        ("scratch", "yes"),
        ("gcr.io/distroless/base", "yes"),
    ],
)
def test_a_base_that_leaves_no_room_is_not_small(tmp_path: Path, base: str, small: str) -> None:
    stage = DOCKERFILE.split("FROM")[-1].splitlines()[0]
    assert values(image(tmp_path, DOCKERFILE.replace(stage, f" {base}")), "small") == (small,)


def test_a_package_may_be_copied_file_by_file_to_another_place(tmp_path: Path) -> None:
    dockerfile = DOCKERFILE.replace(
        "COPY services/a ./services/a\nRUN CGO_ENABLED=0 go build -o build/a ./services/a/cmd",
        "COPY services/a/cmd/main.go main.go\nRUN CGO_ENABLED=0 go build -o build/a main.go",
    )
    assert dockerfile != DOCKERFILE
    (row,) = image_build_table(store_of(tmp_path, {**TREE, "Dockerfile": dockerfile})).rows
    assert row.get("links").value == "yes", row.get("links").because
    half = {"services/a/cmd/more.go": "package main\n"}
    (row,) = image_build_table(store_of(tmp_path / "half", {**TREE, **half, "Dockerfile": dockerfile})).rows
    assert row.get("links").value == "no"


@pytest.mark.parametrize("name", [".env", ".env.example"])
def test_paths_of_a_build_may_stand_in_the_environment(tmp_path: Path, name: str) -> None:
    """Compose replaces variables from `.env`; one that is not in git says nothing of the repository."""
    compose = COMPOSE.replace("dockerfile: Dockerfile", "dockerfile: ${A_DOCKERFILE}")
    tree = {**TREE, "docker-compose.yml": compose, "Dockerfile": DOCKERFILE}
    given = {name: "A_DOCKERFILE=./Dockerfile\n"}
    (row,) = image_build_table(store_of(tmp_path / "in-git", {**tree, **given})).rows
    assert row.get("dockerfile_exists").value == "yes"
    (row,) = image_build_table(store_of(tmp_path / "local", tree, {".env": given[name]})).rows
    assert row.get("dockerfile_exists").value == "unknown"


def test_secrets_of_an_environment_file_stay_in_it(tmp_path: Path) -> None:
    text = "PORT=80\nDB_PASSWORD=Tr0ub4dor-and-3\n"
    assert default_environment(store_of(tmp_path, {".env": text}), "") == {"PORT": "80"}


ARGUMENT = """\
services:
  a:
    build:
      context: .
      args:
        TARGET: ./services/a/cmd
"""
BY_ARGUMENT = DOCKERFILE.replace("build/a ./services/a/cmd", "build/a ${TARGET}").replace(
    "WORKDIR", "ARG TARGET\nWORKDIR"
)


@pytest.mark.parametrize(
    ("dockerfile", "expected"),
    [
        pytest.param(BY_ARGUMENT, "yes", id="declared in the stage"),
        pytest.param(
            "ARG TARGET\n" + BY_ARGUMENT.replace("ARG TARGET\n", ""), "no", id="declared before FROM only"
        ),
        pytest.param(BY_ARGUMENT.replace("TARGET", "OTHER"), "no", id="an argument that nobody gives"),
        pytest.param(
            BY_ARGUMENT.replace("ARG TARGET", "ARG TARGET\nARG OUT=build/a").replace(
                "-o build/a", "-o ${OUT}"
            ),
            "yes",
            id="an argument with a default",
        ),
        pytest.param(
            BY_ARGUMENT.replace("ARG TARGET", "ARG TARGET\nARG TARGETARCH").replace(
                "CGO_ENABLED=0", "CGO_ENABLED=0 GOARCH=$TARGETARCH"
            ),
            "yes",
            id="an argument that docker gives",
        ),
    ],
)
def test_a_stage_sees_the_arguments_that_it_declares(tmp_path: Path, dockerfile: str, expected: str) -> None:
    row = image(tmp_path, dockerfile, **{"docker-compose.yml": ARGUMENT})
    assert values(row, "buildable") == (expected,)


SUMS = {
    "go.mod": "module example.com/app\n\ngo 1.25.1\n\nrequire example.com/other v1.0.0\n",
    "go.sum": "example.com/other v1.0.0 h1:x\n",
}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "RUN CGO_ENABLED=0 go build -o build/a ./services/a/cmd",
            "RUN <<EOF\nset -e\nCGO_ENABLED=0 go build -o build/a ./services/a/cmd\nEOF",
            "yes",
        ),
        (
            "COPY shared ./shared\nCOPY services/a ./services/a\nRUN CGO",
            "RUN --mount=type=bind,target=. CGO",
            "yes",
        ),
        ("COPY services/a ./services/a\n", "WORKDIR /elsewhere\nCOPY services/a ./services/a\n", "no"),
        (
            "RUN CGO_ENABLED=0 go build -o build/a ./services",
            "WORKDIR /\nRUN go build -o /app/build/a /app/services",
            "no",
        ),
        (
            "RUN CGO_ENABLED=0 go build -o build/a ./services/a/cmd",
            "WORKDIR /app/services\nRUN CGO_ENABLED=0 go build -o /app/build/a ./a/cmd",
            "yes",
        ),
        ("COPY go.mod go.sum ./", "COPY go.mod ./", "no"),
        ("COPY go.mod go.sum ./\nRUN go mod download\n", "COPY go.mod ./\nRUN go mod tidy\n", "yes"),
        ("RUN CGO_ENABLED=0 go build -o build/a ./services/a/cmd\n", "", "no"),
        ("--from=builder /app/build ./build", "--from=1 /kept ./build", "yes"),
    ],
)
def test_go_finds_its_module_and_what_it_made(tmp_path: Path, old: str, new: str, expected: str) -> None:
    dockerfile = DOCKERFILE.replace(
        "FROM alpine", "FROM alpine\nCOPY --from=builder /app /kept/\nFROM alpine", 1
    )
    assert old in dockerfile
    row = image(tmp_path, dockerfile.replace(old, new), **SUMS)
    assert values(row, "buildable") == (expected,)


@pytest.mark.parametrize(
    ("old", "new", "buildable"),
    [
        ("./services/a/cmd\n", "./services/a/cmd/main.go\n", "yes"),
        ("./services/a/cmd\n", "./services/a/cmd/server.go\n", "no"),
        ("go build", "go build -mod=vendor", "no"),
        ("RUN CGO_ENABLED=0 go build", "RUN go mod vendor && go build -mod=vendor", "yes"),
        ("FROM alpine:latest\n", "FROM scratch\n", "yes"),
        ("FROM alpine:latest\n", "FROM scratch\nRUN mkdir /x\n", "no"),
        ("FROM alpine:latest\n", "FROM gcr.io/distroless/static\nRUN mkdir /x\n", "no"),
        ("FROM alpine:latest\n", "FROM gcr.io/distroless/static:debug\nRUN mkdir /x\n", "yes"),
        (
            "FROM alpine:latest\n",
            "FROM scratch\nCOPY --from=busybox:1 /bin/sh /bin/sh\nRUN mkdir /x\n",
            "yes",
        ),
    ],
)
def test_what_a_run_needs_is_there(tmp_path: Path, old: str, new: str, buildable: str) -> None:
    assert image(tmp_path, DOCKERFILE.replace(old, new)).get("buildable").value == buildable


@pytest.mark.parametrize(
    ("first", "second", "works"),
    [("[]", "[a]", "yes"), ("[b]", "[]", "yes"), ("[b]", "[a]", "no"), ("[a]", "[]", "no")],
)
def test_services_that_wait_for_each_other_never_start(
    tmp_path: Path, first: str, second: str, works: str
) -> None:
    compose = f"services:\n  a: {{image: x, depends_on: {first}}}\n  b: {{image: y, depends_on: {second}}}\n"
    (row,) = deployment_table(store_of(tmp_path, {"docker-compose.yml": compose})).rows
    assert row.get("works").value == works
