"""Prometheus: what is scraped, which alerts exist, and whether the code exports what they ask for.

Table `scrape_job`: one row per job of a configuration. Table `alert_rule`: one row per alert of a rule file.
What an alert is for is told by its expression, not by its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.compose import Service, compose_files
from zuno_audit.facts.go.label_values import DIGITS, label_values
from zuno_audit.facts.images import image_packages
from zuno_audit.facts.kubernetes import manifests
from zuno_audit.languages.promql import MAX_LENGTH, Matcher, Query, Selector, parse_promql
from zuno_audit.languages.yaml import YamlFile, YamlMap, YamlNode, items, read_yaml, texts
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location
from zuno_audit.source.classify import kind_by_path
from zuno_audit.source.glob import fits

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_METRIC_NAME = re.compile(r"[a-zA-Z_:][\w:]*")
_CHANGES_LETTERS = re.compile(rb"\bTo(?:Upper|Lower|Title)\(|\bTitle\(")
_HISTOGRAM_PART = re.compile(r"_(?:bucket|sum|count)$")
_ERROR_VALUE = re.compile(r"5|4\.\.|err|fail|internal|unavailable|ok|2\.\.|success", re.IGNORECASE)
_OTHER_STATE = re.compile(r"half|clos", re.IGNORECASE)
_OPEN = re.compile(r"(?:^|[|(])open", re.IGNORECASE)
_STATUS_LABELS = frozenset(
    {"status", "code", "status_code", "grpc_code", "grpc_status", "result", "outcome", "le"}
)
# fields of a rule: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/
_RULE_KEYS = frozenset({"alert", "expr", "for", "keep_firing_for", "labels", "annotations"})
_DURATION = re.compile(r"0|(?:\d+(?:ms|[smhdwy]))+")
_TARGET_LABELS = frozenset(
    {"job", "instance", "service", "namespace", "pod", "container"}
)  # Prometheus adds them


class PrometheusFile(Struct, frozen=True):
    """A file that Prometheus reads: its scrape jobs, the rule files it names, and its alert groups."""

    document: YamlFile
    jobs: tuple[YamlMap, ...]
    rule_files: tuple[str, ...]
    alerts: tuple[YamlMap, ...]
    records: tuple[YamlMap, ...] = ()

    @property
    def path(self) -> str:
        return self.document.path


class PrometheusFiles(Struct, frozen=True):
    """All of them, the paths looked at, and what could not be read."""

    files: tuple[PrometheusFile, ...]
    paths: tuple[str, ...]
    problems: tuple[Problem, ...]


def prometheus_files(store: FactStore) -> PrometheusFiles:
    """Every YAML file of ours with `scrape_configs`, alert groups or a PrometheusRule."""
    repository = store.repository
    files: list[PrometheusFile] = []
    problems: list[Problem] = []
    looked: list[str] = []
    for path in repository.files:
        if not path.endswith((".yml", ".yaml")) or kind_by_path(path) is not None:
            continue
        looked.append(path)
        data = repository.read(path)
        if data is None or not (
            b"scrape_configs" in data
            or (b"groups" in data and b"expr" in data and (b"alert" in data or b"record" in data))
        ):
            continue
        document = read_yaml(repository, path)
        problems += document.problems
        for root in document.documents:
            found = _file(document, root)
            if found is not None:
                files.append(found)
    return PrometheusFiles(tuple(files), tuple(looked), tuple(problems))


def _file(document: YamlFile, root: YamlNode) -> PrometheusFile | None:
    if not isinstance(root, YamlMap):
        return None
    jobs = tuple(j for j in items(root.get("scrape_configs")) if isinstance(j, YamlMap))
    is_resource = root.text("kind") == "PrometheusRule"  # of the operator; a rule file has no `spec`
    groups = root.get("spec", "groups") if is_resource else root.get("groups")
    rules = [r for g in items(groups) if isinstance(g, YamlMap) for r in items(g.get("rules"))]
    alerts, records = (
        tuple(r for r in rules if isinstance(r, YamlMap) and r.text(key)) for key in ("alert", "record")
    )
    if root.entry("clients") is not None or root.entry("positions") is not None:
        return None  # Promtail has scrape_configs of its own
    if not jobs and not alerts and not records and root.entry("scrape_configs") is None:
        return None
    return PrometheusFile(document, jobs, texts(root.get("rule_files")), alerts, records)


# ---------------------------------------------------------------- scraping


def scrape_job_table(store: FactStore) -> Table:
    """Table `scrape_job`: job, targets, serve (all serve metrics), delivered (a container mounts it)."""
    read = store.get(prometheus_files)
    rows = []
    for file in read.files:
        for job in file.jobs:
            here = file.document.at(job)
            targets = tuple(_targets(job))
            twice = _refused(file, job, here)
            fields = {
                "job": Answer(job.text("job_name")),
                "targets": Answer(targets),
                "serve": twice or _all_serve(store, file, job, targets, here),
                "delivered": _delivered(store, file.path, here),
            }
            rows.append(Entity("scrape_job", here, fields))
    return Table("scrape_job", tuple(rows), read.paths, read.problems)


def _refused(file: PrometheusFile, job: YamlMap, here: Location) -> Answer | None:
    """No where Prometheus does not start, because two jobs have one name."""
    name = job.text("job_name")
    other = next((o for o in file.jobs if o is not job and o.text("job_name") == name), None)
    if other is None:
        return None
    return Answer(NO, f"Prometheus refuses two jobs called {name}", (here, file.document.at(other)))


def _targets(job: YamlMap) -> Iterator[str]:
    for config in items(job.get("static_configs")):
        if isinstance(config, YamlMap):
            yield from texts(config.get("targets"))


def _all_serve(
    store: FactStore, file: PrometheusFile, job: YamlMap, targets: tuple[str, ...], here: Location
) -> Answer:
    if not targets:
        discovers = any(e.key.endswith("_sd_configs") for e in job.entries)
        return Answer(
            UNKNOWN if discovers else NO,
            "its targets are found at run time" if discovers else "it has no targets",
            (here,),
        )
    path = job.text("metrics_path") or "/metrics"
    is_tls = (job.text("scheme") or "http") == "https"
    answers = [_serves(store, target, path, here, is_tls=is_tls) for target in targets]
    for value in (NO, UNKNOWN):
        for answer in answers:
            if answer.value == value:
                return answer
    return Answer(
        YES, f"{len(targets)} targets serve {path}", (here, *(p for a in answers for p in a.proof[:1]))
    )


def _serves(store: FactStore, target: str, path: str, here: Location, *, is_tls: bool) -> Answer:
    """Whether a target host:port serves metrics, as far as compose and the code tell."""
    host, _, port = target.partition("/")[0].rpartition(":")
    host = host or target
    if host in ("localhost", "127.0.0.1"):
        if port == "9090":
            return Answer(YES, "Prometheus scrapes itself", (here,))
        inside = [s for s in _containers(store) if _inside(s, here.path)]
        if inside and not any(s.network_mode for s in inside):
            return Answer(NO, f"{host} is the container of Prometheus itself", (here, inside[0].location))
        return Answer(UNKNOWN, f"what runs on {host} is not known", (here,))
    service = _service(store, host)
    if service is None:
        value = NO if _is_nowhere(store, host, here.path) else UNKNOWN
        return Answer(value, f"{host} is no service of a compose file", (here,))
    apart = _apart(store, service, here)
    if apart is not None:
        return apart
    if service.build is None:
        return Answer(YES, f"{host} runs an image from elsewhere", (service.location,))
    packages = {p for image, p in store.get(image_packages) if image.service.name == service.name}
    rows = [r for r in store.table("http_route").rows if r.fields["binary"].value in packages]
    is_open = not packages or None in packages
    for row in (r for r in rows if r.fields["kind"].value == "prometheus"):
        ports = row.fields["ports"].value
        on_port = not isinstance(ports, tuple) or port in ports
        is_served = row.fields["served"].value == row.fields["on"].value == YES
        if row.fields["route"].value == path and is_served and on_port:
            if is_tls and row.fields["tls"].value == NO:
                return Answer(
                    NO, f"{host} serves {path} without TLS, but is asked for by https", (here, row.location)
                )
            return Answer(YES, f"{host} serves {path}", (row.location,))
        is_open |= row.fields["route"].value is None
        is_open |= UNKNOWN in (row.fields["served"].value, row.fields["on"].value)
    if is_open:
        return Answer(UNKNOWN, f"whether {host} serves {path} cannot be followed", (here,))
    return Answer(NO, f"{host} serves no metrics on {port}{path}", (here, service.location))


def _is_nowhere(store: FactStore, host: str, path: str) -> bool:
    """True for a bare name that nothing in the repository gives to a container, asked for by a Prometheus of a
    compose file."""
    containers = [s for s in _containers(store) if _inside(s, path)]
    if "." in host or not containers:
        return False
    files = [f.path for f in store.get(compose_files).files]
    texts_of = [store.repository.text(p) or "" for p in files]
    if any(word in text for text in texts_of for word in ("external:", "extra_hosts:", "links:")):
        return False
    return not any(one.name == host for one in store.get(manifests).objects)


def _apart(store: FactStore, service: Service, here: Location) -> Answer | None:
    """No where every Prometheus that gets the configuration is on other networks than a service; None otherwise."""
    merged = _merged(store, service)
    inside = [_merged(store, s) for s in _containers(store) if _inside(s, here.path)]
    if not inside or any(s.network_mode for s in (merged, *inside)):
        return None
    own = set(merged.networks or ("default",))
    if any(own & set(one.networks or ("default",)) for one in inside):
        return None
    reason = f"{inside[0].name} and {service.name} have no network in common"
    return Answer(NO, reason, (here, inside[0].location, service.location))


def _merged(store: FactStore, service: Service) -> Service:
    """The service with what all compose files beside its own say of it."""
    read = store.get(compose_files)
    file = read.file(service.path)
    path = file.base if file is not None and file.base is not None else service.path
    found = read.merged(path, *read.beside(path))
    return next((s for s in found if s.name == service.name), service)


def _containers(store: FactStore) -> list[Service]:
    """The Prometheus containers of all compose files."""
    services = [service for _, service in store.get(compose_files).services()]
    return [s for s in services if "prometheus" in (s.image or "") or "prometheus" in s.name]


def _inside(service: Service, path: str) -> str | None:
    """Where a file of the repository is in a container, by the mount that is most to the point."""
    found: dict[str, str] = {}
    for volume in service.volumes:
        if volume.path == path:
            found[volume.path] = volume.target
        elif volume.path is not None and (not volume.path or path.startswith(volume.path.rstrip("/") + "/")):
            found[volume.path] = join(volume.target, path[len(volume.path) :].lstrip("/"))
    return normpath(found[max(found, key=len)]) if found else None


def _asked_for(service: Service) -> str | None:
    """The configuration that a Prometheus container reads; None when it is computed."""
    words = [w for part in (*service.entrypoint, *service.command) for w in part.split()]
    for word, following in pairwise([*words, ""]):
        for flag in ("--config.file", "-config.file"):
            if word == flag or word.startswith(flag + "="):
                path = following if word == flag else word.partition("=")[2]
                return None if "$" in path else normpath(path)
    text = " ".join(words)
    return None if "config.file" in text or service.entrypoint else "/etc/prometheus/prometheus.yml"


def _service(store: FactStore, host: str) -> Service | None:
    for _, service in store.get(compose_files).services():
        names = (service.name, service.container_name, *service.aliases)
        if host in names and (service.image or service.build):
            return service
    return None


def _delivered(store: FactStore, path: str, here: Location) -> Answer:
    """Whether a Prometheus container of a compose file or a manifest gets the file."""
    because = "no Prometheus container mounts it"
    for service in _containers(store):
        at = _inside(service, path)
        wanted = _asked_for(service)
        if at is not None and (wanted is None or at == wanted):
            return Answer(YES, f"{service.name} mounts it", (here, service.location))
        if at is not None:
            because = f"{service.name} has it at {at} and reads {wanted}"
    return Answer(NO, because, (here,))


# ---------------------------------------------------------------- alerts


_HOLDS: dict[str, Callable[[float, float], bool]] = {
    "==": lambda x, y: x == y,
    "!=": lambda x, y: x != y,
    "<": lambda x, y: x < y,
    "<=": lambda x, y: x <= y,
    ">": lambda x, y: x > y,
    ">=": lambda x, y: x >= y,
}
_KEEPS_SIDES = frozenset(  # functions after which more still is more
    (
        "sum",
        "max",
        "min",
        "avg",
        "rate",
        "irate",
        "increase",
        "max_over_time",
        "min_over_time",
        "avg_over_time",
    )
)


_WITHIN = _KEEPS_SIDES - {
    "sum",
    "rate",
    "irate",
    "increase",
}  # functions whose result lies between their values
_RATES = frozenset({"rate", "irate", "increase"})
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_TOO_LONG = 30 * 86400  # seconds that a `for` may take


def alert_rule_table(store: FactStore) -> Table:
    """Table `alert_rule`: name, purpose (error-rate, breaker-open, service-down, other), valid (parses and
    compares), known (the code exports its metrics and labels), loaded (a configuration names the file)."""
    read = store.get(prometheus_files)
    recorded = store.get(recordings)
    rows = []
    for file in read.files:
        for alert in file.alerts:
            here = file.document.at(alert)
            query = parse_promql(recorded.unfold(alert.text("expr") or ""))
            fields = {
                "name": Answer(alert.text("alert")),
                "purpose": Answer(_purpose(query), proof=(here,)),
                "valid": _accepted(file, here) or _too_late(store, alert, query, here) or _valid(query, here),
                "known": _known(store, query, here),
                "loaded": _loaded(store, read, file, here),
                "metrics": Answer(query.metrics),
            }
            rows.append(Entity("alert_rule", here, fields))
    return Table("alert_rule", tuple(rows), read.paths, read.problems)


class Recordings(Struct, frozen=True):
    """The expressions of recording rules that are loaded, by the names they get."""

    rules: dict[str, str]

    def unfold(self, text: str) -> str:
        """An expression with what is recorded put in the place of its name, a few levels deep.

        What selects among the recorded series is left out.
        """
        for _ in range(4 if self.rules else 0):
            names = {n for n in _METRIC_NAME.findall(text) if n in self.rules}
            if not names or len(text) > MAX_LENGTH:
                break
            either = "|".join(sorted(map(re.escape, names), key=len, reverse=True))
            text = re.sub(
                rf"(?<![\w:\"'])({either})(?![\w:\"'(])(?:\s*\{{[^}}]*\}})?(\s*\[\w+\])?",
                lambda m: f"({self.rules[m[1]]}){m[2].rstrip(']') + ':]' if m[2] else ''}",
                text,
            )
        return text


def recordings(store: FactStore) -> Recordings:
    """The recording rules of every rule file that a configuration loads."""
    read = store.get(prometheus_files)
    found = {}
    for file in read.files:
        for rule in file.records:
            if _loaded(store, read, file, file.document.at(rule)).value == YES:
                found[rule.text("record") or ""] = rule.text("expr") or ""
    return Recordings(found)


def _accepted(file: PrometheusFile, here: Location) -> Answer | None:
    """No where Prometheus refuses the whole file because of one rule in it; None where it reads it."""
    for alert in file.alerts:
        name, place = alert.text("alert"), file.document.at(alert)
        unknown = next((e.key for e in alert.entries if e.key not in _RULE_KEYS and e.key != "<<"), None)
        if unknown is not None:
            reason = f"Prometheus refuses the file: {unknown} is no field of a rule ({name})"
            return Answer(NO, reason, tuple(dict.fromkeys((here, place))))
        for key in ("for", "keep_firing_for"):
            text = alert.text(key)
            if text is not None and not _DURATION.fullmatch(text):
                reason = f"Prometheus refuses the file: `{key}: {text}` is no duration ({name})"
                return Answer(NO, reason, tuple(dict.fromkeys((here, place))))
    return None


def _valid(query: Query, here: Location) -> Answer:
    if query.error:
        return Answer(NO, f"its expression does not parse: {query.error}", (here,))
    if not query.compares and "absent" not in query.functions:
        return Answer(
            NO, "its expression compares nothing, so it fires as soon as the series exists", (here,)
        )
    if _cannot_hold(query):
        return Answer(NO, "its expression never holds: what it compares is between 0 and 1", (here,))
    if _is_backwards(query):
        return Answer(NO, "its expression holds as long as all is well", (here,))
    return Answer(YES, "its expression parses", (here,))


def _too_late(store: FactStore, alert: YamlMap, query: Query, here: Location) -> Answer | None:
    """No where the alert waits for longer than anybody does, or looks back for less than two samples."""
    waits = alert.text("for")
    if waits is not None and _seconds(waits) > _TOO_LONG:
        return Answer(NO, f"it fires when its expression has held for {waits}", (here,))
    if not _RATES & set(query.functions):
        return None
    intervals = []
    for file in store.get(prometheus_files).files:
        root = next((d for d in file.document.documents if isinstance(d, YamlMap)), None)
        shared = (root.text("global", "scrape_interval") if root is not None else None) or "1m"
        intervals += [job.text("scrape_interval") or shared for job in file.jobs]
    if not intervals or not all(map(_DURATION.fullmatch, intervals)):
        return None
    shortest = min(intervals, key=_seconds)
    for selector in query.selectors:
        if _DURATION.fullmatch(selector.range) and _seconds(selector.range) < _seconds(shortest):
            reason = f"[{selector.range}] never holds two samples: targets are scraped every {shortest}"
            return Answer(NO, f"its expression never holds: {reason}", (here,))
    return None


def _seconds(duration: str) -> float:
    return sum(float(n) * _UNITS[unit] for n, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def _cannot_hold(query: Query) -> bool:
    """True when a value between 0 and 1 is compared with a number outside: `up`, or a part divided by the whole."""
    comparisons = [(o, n) for o, n in query.operators if o in _HOLDS]
    others = [o for o, _ in query.operators if o not in _HOLDS]
    if len(comparisons) != 1 or comparisons[0][1] is None:
        return False
    is_up = not others and len(query.selectors) == 1 and query.selectors[0].name == "up"
    if not (is_up and set(query.functions) <= _WITHIN) and not (others == ["/"] and _is_part(query)):
        return False
    operator, limit = comparisons[0][0], comparisons[0][1]
    return not any(_HOLDS[operator](value, limit) for value in (0.0, min(max(limit, 0.0), 1.0), 1.0))


def _is_part(query: Query) -> bool:
    """True for the sum of some series over the sum of all of them."""
    if len(query.selectors) != 2 or not set(query.functions) <= {"sum", *_RATES}:
        return False
    part, whole = query.selectors
    same = (part.name, part.range) == (whole.name, whole.range)
    return same and set(whole.matchers) < set(part.matchers) and query.functions.count("sum") == 2


def _is_backwards(query: Query) -> bool:
    """True when one series is compared with a number the wrong way round: it fires when nothing is wrong.

    `up` is 0 when a target is down, a state of a breaker is 1 while it is in it, and errors are many when there
    are more of them. Whatever computes more than that is left alone.
    """
    if len(query.selectors) != 1 or len(query.operators) != 1:
        return False
    operator, limit = query.operators[0]
    holds = _HOLDS.get(operator)
    if holds is None or limit is None or not set(query.functions) <= _KEEPS_SIDES:
        return False
    selector, purpose = query.selectors[0], _purpose(query)
    if purpose == "error-rate":
        return operator in ("<", "<=") or (operator == "==" and limit == 0)
    is_open = any("open" in m.value.lower() and m.operator in ("=", "=~") for m in selector.matchers)
    if selector.name == "up" or (purpose == "breaker-open" and is_open):
        bad = 0.0 if selector.name == "up" else 1.0
        return holds(1.0 - bad, limit) and not holds(bad, limit)
    return False


def _purpose(query: Query) -> str:
    """What an alert watches, by the series it looks at."""
    names = " ".join(query.metrics)
    if "up" in query.metrics:
        return "service-down"
    if "breaker" in names:
        states = [m for s in query.selectors for m in s.matchers if m.operator in ("=", "=~")]
        is_other = any(_OTHER_STATE.search(m.value) for m in states)
        return "breaker-open" if not is_other or any(_OPEN.search(m.value) for m in states) else "other"
    is_rate = any(f in query.functions for f in ("rate", "irate", "increase"))
    is_error = any(w in names for w in ("error", "fail", "panic")) or any(
        map(_selects_errors, query.selectors)
    )
    return "error-rate" if is_rate and is_error else "other"


def _selects_errors(selector: Selector) -> bool:
    return any(m.label in _STATUS_LABELS and _ERROR_VALUE.search(m.value) for m in selector.matchers)


def _known(store: FactStore, query: Query, here: Location) -> Answer:
    """Whether every series of the query is exported by a binary, with the labels that select it."""
    if query.error:
        return Answer(UNKNOWN, "its expression does not parse", (here,))
    jobs = _job_labels(store)
    answers = [_series(store, selector, jobs, here) for selector in query.selectors]
    for value in (NO, UNKNOWN):
        for answer in answers:
            if answer.value == value:
                return answer
    return Answer(YES, "the code exports what it asks for", tuple(p for a in answers for p in a.proof[:1]))


def _job_labels(store: FactStore) -> set[str]:
    """The values of the label `job`: names of jobs, labels of their targets, and "*" where relabelling decides."""
    found = set()
    for file in store.get(prometheus_files).files:
        for job in file.jobs:
            static = [c for c in items(job.get("static_configs")) if isinstance(c, YamlMap)]
            labels = [c.text("labels", "job") for c in static]
            found |= {label or job.text("job_name") or "" for label in labels or [None]}
            relabelled = [r for r in items(job.get("relabel_configs")) if isinstance(r, YamlMap)]
            if any(r.text("target_label") == "job" or r.text("action") == "labelmap" for r in relabelled):
                found.add("*")
    return found


def _series(store: FactStore, selector: Selector, jobs: set[str], here: Location) -> Answer:
    if selector.name in ("up", "scrape_duration_seconds", "ALERTS"):
        wanted = next((m.value for m in selector.matchers if m.label == "job" and m.operator == "="), None)
        if wanted is not None and wanted not in jobs and "*" not in jobs:
            return Answer(NO, f"no scrape job is called {wanted}", (here,))
        return Answer(
            YES if jobs else NO, "Prometheus makes it itself" if jobs else "no scrape job exists", (here,)
        )
    if not selector.name:
        return Answer(UNKNOWN, "a selector without a metric name", (here,))
    answer = exported(store, selector.name, tuple(m.label for m in selector.matchers), here)
    if answer.value != YES:
        return answer
    for matcher in selector.matchers:
        never = _never_set(store, selector.name, matcher)
        if never:
            return Answer(NO, never, (here, *answer.proof))
    for matcher in selector.matchers:
        if (
            matcher.operator == "="
            and matcher.label not in _TARGET_LABELS
            and (other := _spelt_otherwise(store, matcher.value))
        ):
            reason = f"the code has no value {matcher.value} for {matcher.label}, it says {other}"
            return Answer(NO, reason, (here,))
    return answer


def _never_set(store: FactStore, name: str, matcher: Matcher) -> str:
    """Why no series of a metric can have the label that a matcher asks for; empty where one may."""
    if matcher.operator not in ("=", "=~") or matcher.label in _TARGET_LABELS or not matcher.value:
        return ""
    given: set[str] = set()
    for row in _named(store, name):
        own = row.fields["labels"].value
        if row.fields["registered"].value == NO or not isinstance(own, tuple) or matcher.label not in own:
            continue
        values = label_values(store, row.location, matcher.label, own.index(matcher.label))
        if values is None:
            return ""
        given |= values
    wanted = matcher.value.replace("\\\\", "\\")  # as PromQL reads a string
    pattern = re.escape(wanted) if matcher.operator == "=" else wanted
    try:
        possible = [t for v in given for t in (map(str, range(1000)) if v == DIGITS else [v])]
        fits_one = any(re.fullmatch(pattern, text) for text in possible)
    except re.error:
        return ""
    if fits_one or not given:
        return ""
    said = ", ".join("numbers" if v == DIGITS else v for v in sorted(given)[:4])
    return f"the code never gives {matcher.label} the value {matcher.value}, only {said}"


def _named(store: FactStore, name: str) -> list[Entity]:
    """The metrics that a series may be of."""
    base = _HISTOGRAM_PART.sub("", name)
    return [r for r in store.table("metric").rows if r.fields["name"].value in (name, base)]


def _spelt_otherwise(store: FactStore, value: str) -> str:
    """How the Go code writes a label's value that it has with capital or small letters only; empty when it has it
    as it is, not at all, or changes letters where it does."""
    if value.lower() == value.upper() or not value.isascii():
        return ""
    found = ""
    literal = re.compile(rb'"' + re.escape(value.encode()) + rb'"', re.IGNORECASE)
    for path in store.repository.files:
        if not path.endswith(".go") or path.endswith("_test.go"):
            continue
        data = store.repository.read(path) or b""
        for match in literal.finditer(data):
            text = match.group()[1:-1].decode()
            if text == value or _CHANGES_LETTERS.search(data):
                return ""
            found = text
    return found


def exported(store: FactStore, name: str, labels: tuple[str, ...], here: Location) -> Answer:
    """Whether a binary registers a metric of this name with these labels, and serves it."""
    base = _HISTOGRAM_PART.sub("", name)
    rows = _named(store, name)
    if not rows:
        computed = [r for r in store.table("metric").rows if r.fields["name"].value is None]
        if any(r.fields["registered"].value != NO for r in computed):
            return Answer(
                UNKNOWN, f"{name} may be one of {len(computed)} metrics whose names are computed", (here,)
            )
        return Answer(NO, f"the code has no metric called {name}", (here,))
    registered = [r for r in rows if r.fields["registered"].value == YES]
    if not registered:
        answer = rows[0].fields["registered"]
        value = UNKNOWN if answer.value == UNKNOWN else NO
        return Answer(value, f"{name} is defined, but never registered", (here, rows[0].location))
    for row in registered:
        if (
            name != base
            and name.endswith("_bucket")
            and row.fields["type"].value not in ("histogram", "unknown")
        ):
            kind = row.fields["type"].value
            return Answer(NO, f"{base} is a {kind}, which has no buckets", (here, row.location))
        own = row.fields["labels"].value
        known = set(own) if isinstance(own, tuple) else set()
        missing = [x for x in labels if x not in known and x not in _TARGET_LABELS and x != "le"]
        if not missing and row.fields["served"].value == NO:
            return Answer(
                NO, f"{name} is registered, but {row.fields['served'].because}", (here, row.location)
            )
        if row.fields["written"].value == NO:
            return Answer(NO, f"{name} never appears: {row.fields['written'].because}", (here, row.location))
        if not missing and own is not None:
            return Answer(YES, f"{name} is registered", (row.location,))
        if own is None:
            return Answer(UNKNOWN, f"the labels of {name} are not known", (here, row.location))
    return Answer(NO, f"{name} has no label {missing[0]}", (here, registered[0].location))


def _loaded(store: FactStore, read: PrometheusFiles, file: PrometheusFile, here: Location) -> Answer:
    """Whether a Prometheus configuration names the rule file; a PrometheusRule is picked up by its kind."""
    if any(isinstance(d, YamlMap) and d.text("kind") == "PrometheusRule" for d in file.document.documents):
        return Answer(YES, "it is a PrometheusRule", (here,))
    configs = [f for f in read.files if f.jobs or f.rule_files]
    if not configs:
        return Answer(NO, "no Prometheus configuration is in the repository", (here,))
    missing = ""
    for config in configs:
        container = next((s for s in _containers(store) if _inside(s, config.path) is not None), None)
        if container is not None and config.rule_files:
            at, home = _inside(container, file.path), dirname(_inside(container, config.path) or "")
            wanted = [normpath(join(home, pattern)) for pattern in config.rule_files]
            if at is None or not any(fits(w.lstrip("/"), at.lstrip("/")) for w in wanted):
                where = f"has it at {at}" if at is not None else "does not mount it"
                missing = f"{container.name} {where} and loads {', '.join(wanted)}"
                continue
        for pattern in config.rule_files:
            near = normpath(join(dirname(config.path), pattern))
            if fits(near, file.path):
                return Answer(
                    YES,
                    f"{config.path} loads it",
                    (config.document.at(config.jobs[0]) if config.jobs else here,),
                )
            if fits(basename(pattern), basename(file.path)):
                return Answer(YES, f"{config.path} loads a file of that name", (here,))
    return Answer(NO, missing or f"rule_files of {configs[0].path} does not name it", (here,))
