"""Stages of Dockerfiles."""

from __future__ import annotations

from pathlib import Path

from trees import store_of, values

from zuno_audit.facts.dockerfile import dockerfile, dockerfile_stage

TEXT = """\
ARG GO=1.25
FROM golang:${GO}-alpine AS base
FROM base AS build
COPY go.mod go.sum ./
RUN go build -o /out ./cmd
FROM registry.example.org:5000/alpine:3.20@sha256:abc
COPY --from=build /out /app
ENV A=1 B=2
EXPOSE 80 443/tcp
HEALTHCHECK CMD wget -q localhost
USER app
"""


def test_stages_stand_on_the_images_below_them(tmp_path: Path) -> None:
    rows = dockerfile_stage(store_of(tmp_path, {"Dockerfile": TEXT})).rows
    assert [values(row, "name", "image", "final") for row in rows] == [
        ("base", "golang:1.25-alpine", "no"),
        ("build", "golang:1.25-alpine", "no"),
        (None, "registry.example.org:5000/alpine:3.20@sha256:abc", "yes"),
    ]
    assert values(rows[1], "copy_sources", "runs") == (("go.mod", "go.sum"), 1)
    assert values(rows[2], "copies_from", "tag", "repository") == (("build",), "3.20", "alpine")


def test_the_file_is_described_by_its_last_stage(tmp_path: Path) -> None:
    (row,) = dockerfile(store_of(tmp_path, {"build/app.Dockerfile": TEXT})).rows
    assert values(row, "stages", "final_repository", "healthcheck", "ports", "env_names", "user") == (
        3,
        "alpine",
        "yes",
        ("80", "443/tcp"),
        ("A", "B"),
        "app",
    )


def test_an_image_that_an_argument_decides_is_not_known(tmp_path: Path) -> None:
    (row,) = dockerfile(store_of(tmp_path, {"Dockerfile": "ARG BASE\nFROM $BASE\n"})).rows
    assert values(row, "final_image") == (None,)


def test_health_check_none_is_none(tmp_path: Path) -> None:
    (row,) = dockerfile(store_of(tmp_path, {"Dockerfile": "FROM a\nHEALTHCHECK NONE\n"})).rows
    assert values(row, "healthcheck") == ("no",)


def test_a_file_of_any_name_counts_when_compose_builds_it(tmp_path: Path) -> None:
    files = {
        "compose.yml": "services:\n  a: {build: {context: ., dockerfile: images/api}}\n",
        "images/api": "FROM scratch\n",
        "docs/Dockerfile.md": "about\n",
    }
    (row,) = dockerfile(store_of(tmp_path, files)).rows
    assert values(row, "file", "services") == ("images/api", ("a",))


def test_a_dockerfile_without_from_is_a_problem(tmp_path: Path) -> None:
    table = dockerfile(store_of(tmp_path, {"Dockerfile": "# nothing\n"}))
    assert (table.rows, len(table.problems)) == ((), 1)
