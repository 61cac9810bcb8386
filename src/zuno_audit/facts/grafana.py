"""Grafana dashboards: what they show, told by titles and queries.

Table `grafana_dashboard`: one row per dashboard JSON, or one per topic where only its panels tell what it is about.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from zuno_audit.facts.prometheus import exported, recordings
from zuno_audit.languages.promql import parse_promql
from zuno_audit.languages.yaml import YamlMap, items, read_yaml
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import kind_by_path

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

MAX_PANELS = 1000
MAX_DEPTH = 12
_TOPICS = {
    "health": re.compile(r"\bhealth|\bup\b|uptime|service (?:overview|status)|availab", re.IGNORECASE),
    "database": re.compile(r"\bdb_|\bpg_|database|postgres|mongo|\bsql\b|query_duration", re.IGNORECASE),
    "breaker": re.compile(r"breaker", re.IGNORECASE),
    "errors": re.compile(r"\berrors?\b|_errors?_|error.rate|5\.\.|5xx|fail", re.IGNORECASE),
}
_VARIABLE = re.compile(r"\$\{?__\w+\}?|\[\[\w+\]\]")


def grafana_dashboard_table(store: FactStore) -> Table:
    """Table `grafana_dashboard`: title, topics (health, database, breaker, errors), queries (how many),
    known (the code exports the metrics that its queries ask for; of the panels on the topic, where the row is of
    one), tracked, first (no for the further rows of a dashboard)."""
    repository = store.repository
    rows: list[Entity] = []
    problems: list[Problem] = []
    looked = [p for p in repository.files if p.endswith(".json") and kind_by_path(p) is None]
    for path in looked:
        data = repository.read(path)
        if data is None or (b'"panels"' not in data and b'"rows"' not in data):
            continue
        try:
            board = json.loads(data)
        except (ValueError, RecursionError):
            problems.append(Problem(path, 1, "not JSON"))
            continue
        if isinstance(board, dict):
            board = board.get("dashboard", board)
        if isinstance(board, dict) and isinstance(board.get("panels", board.get("rows")), list):
            rows += _rows(store, path, board)
    return Table("grafana_dashboard", tuple(rows), tuple(repository.files), tuple(problems))


def _rows(store: FactStore, path: str, board: dict[str, Any]) -> Iterator[Entity]:
    title = board.get("title") if isinstance(board.get("title"), str) else None
    panels = list(_panels(board, 0))[:MAX_PANELS]
    words = " ".join([title or "", path.rsplit("/", 1)[-1].replace("-", " ").replace("_", " ")])
    main = tuple(t for t, pattern in _TOPICS.items() if pattern.search(words))
    about = {
        topic: [p for p in panels if pattern.search(" ".join([str(p.get("title", "")), *_queries(p)]))]
        for topic, pattern in _TOPICS.items()
    }
    groups: list[tuple[tuple[str, ...], list[dict[str, Any]]]] = [(main, panels)]
    if not main and any(about.values()):
        groups = [((topic,), mine) for topic, mine in about.items() if mine]
    for index, (topics, mine) in enumerate(groups):
        yield _row(store, path, title, topics, mine, is_first=index == 0)


def _row(
    store: FactStore,
    path: str,
    title: str | None,
    topics: tuple[str, ...],
    panels: list[dict[str, Any]],
    *,
    is_first: bool,
) -> Entity:
    here = at_line(path)
    queries = [q for panel in panels for q in _queries(panel)]
    fields = {
        "title": Answer(title),
        "topics": Answer(topics, proof=(here,)),
        "queries": Answer(len(queries)),
        "known": _elsewhere(store, panels, here) or _known(store, queries, here),
        "tracked": _tracked(store, path),
        "first": Answer(YES if is_first else NO),
    }
    return Entity("grafana_dashboard", here, fields)


def _tracked(store: FactStore, path: str) -> Answer:
    if store.repository.is_tracked(path):
        return Answer(YES, "git tracks it")
    return Answer(NO, "git does not track it")


def _panels(board: dict[str, Any], depth: int) -> Iterator[dict[str, Any]]:
    for key in ("panels", "rows"):
        for panel in board.get(key) or () if isinstance(board.get(key), list) else ():
            if isinstance(panel, dict):
                yield panel
                if depth < MAX_DEPTH:
                    yield from _panels(panel, depth + 1)


def _queries(panel: dict[str, Any]) -> Iterator[str]:
    targets = panel.get("targets")
    for target in targets if isinstance(targets, list) else ():
        if isinstance(target, dict) and isinstance(target.get("expr"), str):
            yield target["expr"]


def _sources(panel: dict[str, Any]) -> Iterator[Any]:
    """The data source that each query of a panel asks: its own, else the panel's."""
    targets = panel.get("targets")
    for target in targets if isinstance(targets, list) else ():
        if isinstance(target, dict) and isinstance(target.get("expr"), str):
            yield target.get("datasource") or panel.get("datasource")


def _elsewhere(store: FactStore, panels: list[dict[str, Any]], here: Location) -> Answer | None:
    """No where every panel with queries asks a data source that Grafana is not given; None otherwise."""
    sources = store.get(datasources)
    asked = [source for panel in panels for source in _sources(panel)]
    uids = [d["uid"] for d in asked if isinstance(d, dict) and isinstance(d.get("uid"), str)]
    if not sources or len(uids) < len(asked) or not uids:
        return None
    missing = [
        u for u in uids if u not in sources and not u.startswith(("$", "[[", "-- ")) and u != "grafana"
    ]
    if len(missing) < len(uids):
        return None
    return Answer(NO, f"its panels ask the data source {missing[0]}, which is not provisioned", (here,))


def datasources(store: FactStore) -> frozenset[str]:
    """The uids of the data sources that files provision; one without a uid gets it from its name, as Grafana does."""
    found = set()
    paths = [p for p in store.repository.grep(b"datasources:") if p.endswith((".yml", ".yaml"))]
    for path in paths:
        for root in read_yaml(store.repository, path).documents:
            listed = (
                items(root.get("datasources")) if isinstance(root, YamlMap) and root.get("apiVersion") else ()
            )
            for source in listed:
                name = source.text("name") if isinstance(source, YamlMap) else None
                if name is not None and isinstance(source, YamlMap):
                    made = "P" + hashlib.sha256(name.encode()).hexdigest()[:16].upper()
                    found.add(source.text("uid") or made)
    return frozenset(found)


def _known(store: FactStore, queries: list[str], here: Location) -> Answer:
    """Whether at least one of its queries can show something, and none asks for what nobody exports."""
    if not queries:
        return Answer(NO, "it has no panel with a query", (here,))
    unknown = 0
    for text in queries:
        query = parse_promql(store.get(recordings).unfold(_VARIABLE.sub("5m", text)))
        if query.error:
            unknown += 1
            continue
        for selector in query.selectors:
            name = selector.name
            if name in ("", "up", "ALERTS") or name.startswith(
                ("go_", "process_", "promhttp_", "pg_", "redis_exporter")
            ):
                continue
            answer = exported(store, name, tuple(m.label for m in selector.matchers), here)
            if answer.value == NO:
                return answer
            unknown += answer.value == UNKNOWN
    if unknown:
        return Answer(UNKNOWN, f"{unknown} of its queries cannot be followed", (here,))
    return Answer(YES, "the code exports what it shows", (here,))
