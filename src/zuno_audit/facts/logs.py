"""What the binaries write to their logs: JSON or text, and with which keys.

Table `service_log`: one row per binary. A binary logs JSON when every package of its own logs through a
structured logger (zerolog, zap, slog, logrus) whose output is JSON, or when the standard logger is redirected
to one.
Table `log_shipper`: one row per configuration of a program that forwards logs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, dirname
from typing import TYPE_CHECKING

from zuno_audit.facts.compose import Service, compose_files
from zuno_audit.facts.go.reach import Reach, reach
from zuno_audit.languages.go.parse import GoFile
from zuno_audit.languages.go.syntax import BasicLit, Call, If
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import kind_by_path

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_JSON_BY_DEFAULT = ("github.com/rs/zerolog", "github.com/rs/zerolog/log", "go.uber.org/zap")
_STRUCTURED = (*_JSON_BY_DEFAULT, "log/slog", "github.com/sirupsen/logrus")
_WRITES = {
    "log": rb"(?:Print|Fatal|Panic)(?:f|ln)?\(",
    "fmt": rb"(?:Print(?:f|ln)?\(|Fprint(?:f|ln)?\(\s*os\.Std(?:out|err)\b)",
    "os": rb"Std(?:out|err)\.Write(?:String)?\(",
}
_BUILTIN = re.compile(rb"(?<![\w.])print(?:ln)?\(")
_REDIRECTING = (b".SetOutput(", b"slog.SetDefault(", b"zap.RedirectStdLog(")
_REDIRECTS = re.compile(rb"log\w*\.SetOutput\(|slog\.SetDefault\(|zap\.RedirectStdLog\(")
_TEXT_OUTPUT = re.compile(
    rb"ConsoleWriter\b|NewTextHandler\(|NewDevelopment\(|NewConsoleEncoder\(|TextFormatter\b"
)
_JSON_OUTPUT = re.compile(
    rb"NewJSONHandler\(|JSONFormatter\b|NewProduction\(|NewJSONEncoder\(|zerolog\.New\("
)
_SILENT = re.compile(
    rb"(?:zerolog\.New|NewJSONHandler|SetOutput|AddSync)\(\s*io(?:util)?\.Discard\b|evel\(\s*zerolog\.Disabled\s*\)"
)
_TIMED = re.compile(rb"\.Timestamp\(\)|\.Time\(|TimestampHook")
_KEYS = {
    "service": (b'"service"', b'"service_name"'),
    "trace_id": (b'"trace_id"', b'"traceId"', b'"trace.id"', b'"traceID"'),
}
_SHIPPERS = re.compile(
    r"(?:.*/)?(?:promtail|fluent-bit|fluent-?bit|fluentd?|filebeat|vector|logstash|alloy|loki)[\w.-]*\.(?:ya?ml|conf|toml|alloy|json)"
)
_STORE_IMAGES = re.compile(r"grafana/loki|elasticsearch|opensearch(?!-dash)")
_SHIPPING_DRIVERS = frozenset({"loki", "loki-docker-driver", "fluentd", "gelf"})  # of Docker, to Loki and ELK
_SHIPPER_IMAGES = re.compile(r"promtail|fluent|filebeat|logstash|vector|grafana/(?:loki|alloy)|elasticsearch")


def service_log_table(store: FactStore) -> Table:
    """Table `service_log`: binary, json, time_key, service_key, trace_key (the keys occur where it logs)."""
    reachable = store.get(reach)
    rows = [_row(reachable, binary) for binary in reachable.packages.mains()]
    return Table("service_log", tuple(rows), tuple(reachable.linked.files))


def _row(reachable: Reach, binary: str) -> Entity:
    linked = reachable.packages.linked[binary]
    paths = [p for p, folder in reachable.linked.files.items() if folder in linked]
    loggers = [p for p in paths if any(i.path in _STRUCTURED for i in reachable.packages.heads[p].imports)]
    first = at_line(reachable.packages.by_directory[binary].files[0].path)
    fields = {"binary": Answer(binary), "json": _json(reachable, binary, paths, loggers, first)}
    fields["time_key"] = _time(reachable, loggers, first)
    for key, spellings in _KEYS.items():
        fields[f"{key.split('_')[0]}_key"] = _has_key(reachable, loggers, key, spellings, first)
    return Entity("service_log", first, fields)


def _redirects(data: bytes) -> bool:
    """True when the standard logger writes elsewhere."""
    return any(call in data for call in _REDIRECTING) and _REDIRECTS.search(data) is not None


def _json(reachable: Reach, binary: str, paths: list[str], loggers: list[str], first: Location) -> Answer:
    for path in (head.path for head in reachable.packages.by_directory[binary].files):
        file = reachable.linked.file(path)
        if file is not None and file.error_line:
            because = f"{path} does not parse (line {file.error_line})"
            return Answer(UNKNOWN, because, (at_line(path, file.error_line),), failed=True)
    redirected = any(_redirects(reachable.linked.repository.read(p) or b"") for p in paths)
    plain = next(_plain_writes(reachable, binary, paths, {"log"} if redirected else set()), None)
    if plain is not None:
        return Answer(
            NO, f"{plain.path}:{plain.line} writes plain text with the {plain.note} package", (plain,)
        )
    if not loggers:
        return Answer(NO, "it uses no structured logger", (first,))
    text = [(p, m) for p in loggers if (m := _TEXT_OUTPUT.search(reachable.linked.repository.read(p) or b""))]
    for path, match in text:
        file = reachable.linked.file(path)
        if file is not None and not _is_conditional(reachable, file, match.start()):
            return Answer(
                NO,
                "its logger writes text for people, not JSON",
                (file.location(match.start(), match.end()),),
            )
    for path in loggers:
        silent = _SILENT.search(reachable.linked.repository.read(path) or b"")
        file = reachable.linked.file(path) if silent is not None else None
        if silent is not None and file is not None and not _is_conditional(reachable, file, silent.start()):
            return Answer(
                NO, "its logger is told to write nothing", (file.location(silent.start(), silent.end()),)
            )
    for path in loggers:
        data = reachable.linked.repository.read(path) or b""
        discards = re.search(rb"(?<![\w.])io(?:util)?\.Discard\b", data)
        if discards is not None:
            line = data.count(b"\n", 0, discards.start()) + 1
            return Answer(UNKNOWN, "its logger may be told to write nothing", (at_line(path, line),))
    if text:
        return Answer(UNKNOWN, "a setting decides whether its logger writes JSON", (at_line(text[0][0]),))
    by_default = any(i.path in _JSON_BY_DEFAULT for p in loggers for i in reachable.packages.heads[p].imports)
    if by_default or any(_JSON_OUTPUT.search(reachable.linked.repository.read(p) or b"") for p in loggers):
        return Answer(YES, "its logger writes JSON", (at_line(loggers[0]),))
    return Answer(UNKNOWN, "the format of its logger is not known", (at_line(loggers[0]),))


def _time(reachable: Reach, loggers: list[str], first: Location) -> Answer:
    """Whether the lines have a time: zerolog writes none unless it is told to, the others do."""
    if not loggers:
        return Answer(UNKNOWN, "it uses no structured logger", (first,))
    others = [x for x in _STRUCTURED if x != "github.com/rs/zerolog"]
    for path in loggers:
        if any(i.path in others for i in reachable.packages.heads[path].imports):
            return Answer(YES, "its logger adds the time", (at_line(path),))
        if _TIMED.search(reachable.linked.repository.read(path) or b""):
            return Answer(YES, f"{path} adds the time", (at_line(path),))
    return Answer(NO, "nothing adds the time to its lines", (first,))


def _plain_writes(reachable: Reach, binary: str, paths: list[str], excused: set[str]) -> Iterator[Location]:
    """Where code that the binary runs prints past its logger, own files first; `excused` packages do not count."""
    own = dirname(binary) if basename(binary) in ("cmd", "server", "main") else binary
    for path in sorted(paths, key=lambda p: bool(own) and not p.startswith(own + "/")):
        data = reachable.linked.repository.read(path) or b""
        names = {
            i.path: i.alias or i.path for i in reachable.packages.heads[path].imports if i.path in _WRITES
        }
        patterns = [
            (package, re.compile(rb"(?<![\w.])" + re.escape(name.encode()) + rb"\." + _WRITES[package]))
            for package, name in names.items()
            if package not in excused
        ]
        for package, pattern in (*patterns, ("builtin", _BUILTIN)):
            for match in pattern.finditer(data):
                if _is_called(reachable, binary, path, match.start()):
                    yield at_line(path, data.count(b"\n", 0, match.start()) + 1, package)
                    break


def _is_called(reachable: Reach, binary: str, path: str, offset: int) -> bool:
    """True when a call that begins there is code that the binary runs (not a comment or a text)."""
    function = reachable.enclosing(path, offset)
    if function is None or not any(isinstance(n, Call) and n.start == offset for n in function.nodes):
        return False
    return binary in reachable.mains(path, offset)


def _is_conditional(reachable: Reach, file: GoFile, offset: int) -> bool:
    function = reachable.enclosing(file.path, offset)
    if function is None:
        return False
    return any(isinstance(n, If) and n.start < offset < n.end for n in function.nodes)


def _has_key(
    reachable: Reach, loggers: list[str], key: str, spellings: tuple[bytes, ...], first: Location
) -> Answer:
    for path in loggers:
        data = reachable.linked.repository.read(path) or b""
        for spelling in spellings:
            at = data.find(spelling)
            if at >= 0 and _is_said(reachable, path, at):
                return Answer(YES, f"{path} adds {key}", (at_line(path, data.count(b"\n", 0, at) + 1),))
    return Answer(NO, f"nothing that logs adds the key {key}", (first,))


def _is_said(reachable: Reach, path: str, offset: int) -> bool:
    """True when the literal is code of a function that some program runs, or of a constant (not a comment or a tag)."""
    file = reachable.linked.file(path)
    function = reachable.enclosing(path, offset)
    if file is None:
        return False
    if function is None:
        line = file.data[file.data.rfind(b"\n", 0, offset) + 1 : offset]
        return re.search(rb"\w+\s*(?:string\s*)?=\s*$", line) is not None and not line.lstrip().startswith(
            b"//"
        )
    if not reachable.mains(path, function.node.start):
        return False
    return any(isinstance(n, BasicLit) and n.start == offset for n in function.nodes)


def log_shipper_table(store: FactStore) -> Table:
    """Table `log_shipper`: name, how (config, compose, driver, or store for what only keeps logs), configured (it
    gets a configuration that is there; something ships to a store)."""
    rows = []
    services = [service for _, service in store.get(compose_files).services()]
    for path in store.repository.files:
        if _SHIPPERS.fullmatch(path.lower()) and kind_by_path(path) is None:
            here = at_line(path)
            how = "store" if basename(path).lower().startswith("loki") else "config"
            rows.append((basename(path), how, here, _sends(store, services, path, here)))
    for service in services:
        if service.image and _SHIPPER_IMAGES.search(service.image):
            how = "store" if _STORE_IMAGES.search(service.image) else "compose"
            rows.append((service.name, how, service.location, _configured(store, services, service)))
    for service in services:
        driver = (service.log_driver or "").partition(":")[0].rpartition("/")[2]
        if driver in _SHIPPING_DRIVERS:
            yes = Answer(
                YES, f"the log driver {driver} of {service.name} ships its logs", (service.location,)
            )
            rows.append((service.name, "driver", service.location, yes))
    ships = any(how != "store" for _, how, _, _ in rows)
    made = []
    for name, how, place, answer in rows:
        if how == "store":
            answer = Answer(YES if ships else NO, f"nothing here ships logs to {name}", (place,))
        made.append(_shipper(name, how, place, answer))
    made.sort(key=lambda r: r.location)
    return Table("log_shipper", tuple(made), tuple(store.repository.files))


def _configured(store: FactStore, services: list[Service], service: Service) -> Answer:
    """Whether a shipper of a compose file is given a configuration that is in the repository."""
    given = [(v.path, v) for v in service.volumes if re.search(r"\.[a-z]+$|conf|etc", v.target)]
    mounts = [(path, volume) for path, volume in given if path is not None]
    for path, volume in mounts:
        if not (path in store.repository or store.repository.is_directory(path)):
            return Answer(
                NO, f"{service.name} mounts {path}, which is not in the repository", (volume.location,)
            )
    for path, volume in mounts:
        if path in store.repository:
            return _sends(store, services, path, volume.location)
    return Answer(YES, f"{service.name} runs", (service.location,))


def _sends(store: FactStore, services: list[Service], path: str, here: Location) -> Answer:
    """No where a configuration sends to a bare host that no compose file has; yes otherwise."""
    names = {n for s in services for n in (s.name, s.container_name)}
    hosts = re.findall(r"^\s*-?\s*(?:url|host|hosts|endpoint)\b\W*(?:https?://)?([a-z][\w-]*):\d+",
                       store.repository.text(path) or "", re.MULTILINE | re.IGNORECASE)  # fmt: skip
    unknown = [h for h in hosts if h not in names and h != "localhost"]
    if services and unknown and len(unknown) == len(hosts):
        return Answer(NO, f"{path} sends to {unknown[0]}, which is no service of a compose file", (here,))
    return Answer(YES, f"{path} is there", (here,))


def _shipper(name: str, how: str, place: Location, configured: Answer) -> Entity:
    return Entity("log_shipper", place, {"name": Answer(name), "how": Answer(how), "configured": configured})
