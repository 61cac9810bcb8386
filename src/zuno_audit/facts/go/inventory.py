"""What the analysis knows of a repository's Go code, whatever its layout: `zuno-audit inventory`.

The same tables that the rules read, as the JSON of `zuno-audit/inventory/v1`. What cannot be known is null or
"unknown". No value of a secret gets in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.base import FactStore
from zuno_audit.model.entity import Answer, Entity
from zuno_audit.model.location import Location
from zuno_audit.source.classify import FileKind

if TYPE_CHECKING:
    from zuno_audit.facts.env_read import EnvRead

SCHEMA = "zuno-audit/inventory/v1"
REDACTED = "****"
MAX_EVIDENCE = 12
_LEFT_OUT = frozenset({FileKind.TEST, FileKind.GENERATED, FileKind.VENDORED})

_WITH_EVERYTHING = frozenset({"log_decoder"})  # tables that look at code that is not ours when asked


Section = Callable[[], list[dict[str, Any]]]


def sections(store: FactStore, *, include_all: bool) -> dict[str, Section]:
    """What makes the lists of the inventory, in its order; each is sorted by path and line (variables by name).

    Without `include_all` test, generated and vendored code is left out.
    """
    return _Inventory(store, include_all).sections()


class _Inventory:
    def __init__(self, store: FactStore, include_all: bool) -> None:
        self.store = store
        self.include_all = include_all

    def sections(self) -> dict[str, Section]:
        return {
            "grpc_servers": lambda: [self._server(row) for row in self._rows("grpc_server")],
            "grpc_clients": lambda: [self._client(row) for row in self._rows("grpc_client")],
            "log_decoders": lambda: [self._decoder(row) for row in self._rows("log_decoder")],
            "env_vars": self._env_vars,
            "secret_leaks": lambda: [self._leak(row) for row in self._rows("secret_leak")],
            "metrics": self._metrics,
        }

    def _rows(self, kind: str) -> list[Entity]:
        rows = [r for r in self.store.table(kind).rows if self._counts(r.location.path)]
        if self.include_all and kind in _WITH_EVERYTHING:
            everything = self.everything.table(kind).rows
            rows += [r for r in everything if self.store.repository.kind(r.location.path) in _LEFT_OUT]
        return sorted(rows, key=lambda r: r.location)

    def _counts(self, path: str) -> bool:
        return self.include_all or self.store.repository.kind(path) not in _LEFT_OUT

    # ------------------------------------------------------------ rows

    def _server(self, row: Entity) -> dict[str, Any]:
        unary, stream = row.get("unary_recovery"), row.get("stream_recovery")
        return {
            **_place(row),
            "service": row.get("service").value,
            "via": row.get("via").value,
            "unary_recovery": unary.value,
            "stream_recovery": stream.value,
            "evidence": _evidence([unary, stream]),
        }

    def _client(self, row: Entity) -> dict[str, Any]:
        breaker = row.get("circuit_breaker")
        return {
            **_place(row),
            "constructor": row.get("constructor").value,
            "target": row.get("target").value,
            "via": row.get("via").value,
            "circuit_breaker": breaker.value,
            "settings": {
                name: row.get(name).value
                for name in ("max_failures", "reset_timeout_s", "half_open_max_calls")
            },
            "evidence": _evidence([breaker]),
        }

    def _decoder(self, row: Entity) -> dict[str, Any]:
        names = ("function", "decode", "method", "event", "error", "arrays")
        return {**_place(row), **{name: row.get(name).value for name in names}}

    def _leak(self, row: Entity) -> dict[str, Any]:
        return {**_place(row), "kind": row.get("kind").value, "what": row.get("what").value}

    def _metrics(self) -> list[dict[str, Any]]:
        from zuno_audit.facts.go.metrics import metrics

        return [
            {
                "name": metric.name,
                "type": metric.kind,
                "labels": list(metric.labels) if metric.labels is not None else None,
                "registered": metric.registration.answer,
                "path": metric.location.path,
                "line": metric.location.line,
            }
            for metric in sorted(self.store.get(metrics), key=lambda m: m.location)
            if self._counts(metric.location.path)
        ]

    def _env_vars(self) -> list[dict[str, Any]]:
        from zuno_audit.facts.environment import environment
        from zuno_audit.facts.go.reach import reach
        from zuno_audit.facts.go.secret_guards import refusals
        from zuno_audit.facts.scripts_env import script_reads
        from zuno_audit.facts.secret_values import names_a_secret

        joined = self.store.get(environment)
        by_name: dict[str, list[EnvRead]] = {}
        reachable = self.store.get(reach)
        code = [
            r
            for r in self._reads()
            if self._counts(r.location.path) and not reachable.is_dead(r.code, r.offset)
        ]
        for read in (*code, *self.store.get(script_reads)):
            by_name.setdefault(read.name, []).append(read)
        in_code = {read.name for read in code}
        tried = refusals(self.store)
        out = []
        for name in sorted(by_name):
            reads = sorted(by_name[name], key=lambda r: r.location)
            deciding = [r for r in reads if r.location.path.endswith(".go")] if name in in_code else reads
            defaults = {r.default for r in deciding}
            default = deciding[0].default if len(defaults) == 1 else None
            if default and names_a_secret(name):
                default = REDACTED
            out.append(
                {
                    "name": name,
                    "required": _required(
                        [r.required for r in deciding], tried.get(name) if name in in_code else None
                    ),
                    "default": default,
                    "reads": [
                        {"path": path, "line": line, "mechanism": mechanism}
                        for path, line, mechanism in dict.fromkeys(
                            (r.location.path, r.location.line, r.mechanism) for r in reads
                        )
                    ],
                    "documented_in": joined.documented_in(name),
                }
            )
        return out

    def _reads(self) -> list[EnvRead]:
        """What Go code reads; with `include_all` in code that is not ours too."""
        from zuno_audit.facts.go.env import env_reads

        reads = list(self.store.get(env_reads))
        if self.include_all:
            kind = self.store.repository.kind
            reads += [r for r in self.everything.get(env_reads) if kind(r.location.path) in _LEFT_OUT]
        return list({(r.location, r.name): r for r in reads}.values())

    @cached_property
    def everything(self) -> FactStore:
        """The same repository, all of whose code is looked at."""
        return FactStore(self.store.repository, everything=True)


def _required(answers: list[str], tried: str | None) -> bool | None:
    """What a trial of the programs says, else what the code around the reads says."""
    if tried in ("yes", "no"):
        return tried == "yes"
    if "yes" in answers:
        return True
    return False if all(a == "no" for a in answers) else None


def _place(row: Entity) -> dict[str, Any]:
    return {"path": row.location.path, "line": row.location.line}


def _evidence(answers: Iterable[Answer]) -> list[dict[str, Any]]:
    """The proof of some answers, each place once, with what is to be seen there."""
    places: dict[Location, None] = {}
    for answer in answers:
        for place in answer.proof:
            places.setdefault(place)
    return [
        {"path": p.path, "line": p.line, "message": p.note} for p in list(places)[:MAX_EVIDENCE] if p.note
    ]
