"""What an item may ask of evidence. A kind is one question, with the thresholds as its arguments.

`judge(seen, arguments, tree) -> Judgement` gets every fresh observation of the kind's formats.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import cast

from msgspec import Struct

from zuno_audit.evidence.kinds.judgement import Judgement
from zuno_audit.evidence.observation import Seen
from zuno_audit.evidence.tree import Tree

Judge = Callable[[Sequence[Seen], Mapping[str, str], Tree], Judgement]


class Kind(Struct, frozen=True):
    """A kind of evidence: where it is judged, the formats that serve it, its arguments and its words.

    `exits` are the exit statuses that a run may end with and still be believed, when it is known.
    """

    name: str
    judge: str
    formats: tuple[str, ...]
    arguments: frozenset[str]
    defect: str
    fix: str
    exits: tuple[int, ...] = (0,)

    def function(self) -> Judge:
        """The function that decides."""
        module, _, name = self.judge.partition(":")
        return cast("Judge", getattr(import_module(f"{__name__}.{module}"), name))


_SCANS = ("golangci", "gosec", "sarif", "trivy")
_EVERYWHERE = frozenset({"environment"})  # argument of every kind: the run was made against this environment


def _kind(
    name: str,
    judge: str,
    formats: tuple[str, ...],
    arguments: str,
    defect: str,
    fix: str,
    exits: tuple[int, ...] = (0,),
) -> Kind:
    return Kind(name, judge, formats, _EVERYWHERE | set(arguments.split()), defect, fix, exits)


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        _kind(
            "go-test",
            "tests:judge",
            ("go_test", "junit"),
            "packages tests complete race no_skips",
            "Tests fail",
            "Mend the code or the test, run `go test -json` again and keep its output.",
            (0, 1),
        ),
        _kind(
            "coverage",
            "coverage:judge",
            ("coverage",),
            "more_than",
            "Test coverage is too low",
            "Test what is not covered (`go tool cover -func=coverage.out` lists it) and run the tests again.",
        ),
        _kind(
            "lint",
            "issues:judge",
            _SCANS,
            "tool linter severity",
            "The linter reports issues",
            "Mend the issues and run the linter again.",
            (0, 1),
        ),
        _kind(
            "scan",
            "issues:ran",
            _SCANS,
            "tool artifacts",
            "A scan did not get to its end",
            "Run the scan again over everything.",
            (0, 1),
        ),
        _kind(
            "vulnerabilities",
            "issues:vulnerabilities",
            ("trivy",),
            "artifacts severity",
            "An image has known vulnerabilities",
            "Update the base image and the packages it names, build again, scan again.",
            (0, 1),
        ),
        _kind(
            "images",
            "images:judge",
            ("docker_images",),
            "images count below_mb",
            "Images are missing or too large",
            "Build all images; leave build tools and caches out of the final stage.",
        ),
        _kind(
            "containers",
            "containers:judge",
            ("compose_ps",),
            "services count",
            "Services do not run",
            "Read the log of each service that does not run and mend its cause.",
        ),
        _kind(
            "targets",
            "prometheus:targets",
            ("prometheus",),
            "",
            "Prometheus targets are down",
            "Make every target reachable for Prometheus, or take it out of its configuration.",
        ),
        _kind(
            "alert",
            "prometheus:alert",
            ("prometheus",),
            "name",
            "An alert does not fire",
            "Trigger what the alert is for and save /api/v1/alerts while it fires.",
        ),
        _kind(
            "metric",
            "prometheus:metric",
            ("metrics_text", "prometheus"),
            "name state",
            "A metric is missing or in a bad state",
            "Export the metric and bring what it measures back to normal.",
        ),
        _kind(
            "query",
            "prometheus:query",
            ("prometheus",),
            "metric contains below",
            "A measured value is too high",
            "Find out what slows down or fails, and measure again.",
        ),
        _kind(
            "database",
            "database:judge",
            ("pg_dump",),
            "schemas tables index table method columns unique migrations",
            "The database lacks what the checklist asks for",
            "Apply all migrations and dump the schema again.",
        ),
        _kind(
            "tidy",
            "commands:tidy",
            ("tidy_diff", "command"),
            "",
            "go.mod is not tidy",
            "Run `go mod tidy` and commit what it changes.",
            (0, 1),
        ),
        _kind(
            "command",
            "commands:judge",
            ("command",),
            "run",
            "A command failed",
            "Read its output, mend the cause and run it again.",
            tuple(range(-64, 256)),
        ),
        _kind(
            "http",
            "http:judge",
            ("http_answer",),
            "path host status",
            "An address does not answer as it must",
            "Make the service answer, and save the answer with `curl -i`.",
        ),
        _kind(
            "graphql",
            "http:graphql",
            ("graphql_answer",),
            "fields",
            "A GraphQL operation does not answer as it must",
            "Send the operation again and save the answer.",
        ),
    )
}
