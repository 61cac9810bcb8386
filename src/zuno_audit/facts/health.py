"""Health checks of compose services: whether there is one, and whether its command can work in the image.

Table `service_health`: one row per service of a compose file, overlays merged into their base.
"""

from __future__ import annotations

import re
from posixpath import basename
from typing import TYPE_CHECKING

from zuno_audit.facts.compose import Service, compose_files
from zuno_audit.facts.image_stages import ImageBuild, image_builds
from zuno_audit.facts.images import image_packages
from zuno_audit.languages.script import commands
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_URL = re.compile(
    r"https?://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\])(?::(\d+))?(?=[/\s\"']|$)(/[\w./-]*)?"
)
_ALWAYS_FAILS = re.compile(
    r"\s*(?:(?:/bin/)?(?:ba)?sh\s+-c\s+)?[\"']?(?:exit\s+0*[1-9]\d*|(?:/bin/)?false)[\"']?\s*"
)
_SHELL_WORDS = {"exit", "test", "[", "true", "false", "echo", "if", "then", "fi", "!", "sh", "cd"}
_BUSYBOX = {
    "wget",
    "nc",
    "grep",
    "pgrep",
    "ps",
    "netstat",
    "cat",
    "ls",
    "pidof",
    "sleep",
    "awk",
    "sed",
    "kill",
    "stat",
}


def service_health_table(store: FactStore) -> Table:
    """Table `service_health`: name, file, has_build, healthcheck (a check that can work)."""
    read = store.get(compose_files)
    images = {(i.file.path, i.service.name): i for i in store.get(image_builds)}
    rows = []
    for file in read.files:
        if file.is_overlay:
            continue
        for service in read.merged(file.path, *read.beside(file.path)):
            image = images.get((file.path, service.name))
            fields = {
                "name": Answer(service.name),
                "file": Answer(file.path),
                "has_build": Answer(YES if service.build else NO),
                "healthcheck": _answered(store, service, image, _health(service, image)),
            }
            rows.append(Entity("service_health", service.location, fields))
    return Table("service_health", tuple(rows), read.paths, read.problems)


def _answered(store: FactStore, service: Service, image: ImageBuild | None, found: Answer) -> Answer:
    """The answer, but no where the check asks the program for something that it certainly does not answer."""
    check = service.healthcheck
    url = _URL.search(_script(check.test)) if check is not None and check.test else None
    binary = next((package for other, package in store.get(image_packages) if other is image), None)
    if found.value != YES or check is None or url is None or image is None or binary is None:
        return found
    rows = [row for row in store.table("http_route").rows if row.fields["binary"].value == binary]
    served = [row for row in rows if row.fields["served"].value != NO]
    if rows and not served:
        return Answer(
            NO, "its health check asks for HTTP, which its program does not serve", (check.location,)
        )
    ports = [known for row in served if isinstance(known := row.fields["ports"].value, tuple)]
    if not served or len(ports) < len(served):
        return found
    port, path = url.group(1) or "80", (url.group(2) or "/").rstrip("/") or "/"
    here = [row for row, known in zip(served, ports, strict=True) if port in known]
    if not here:
        listening = ", ".join(sorted({str(p) for known in ports for p in known}))
        reason = f"its health check asks port {port}, but it serves HTTP on {listening}"
        return Answer(NO, reason, (check.location,))
    paths = [str(row.fields["route"].value or "") for row in here]
    if all(paths) and not any(_leads_to(route, path) for route in paths):
        return Answer(NO, f"its health check asks for {path}, which it does not serve", (check.location,))
    return found


def _leads_to(route: str, path: str) -> bool:
    """True when a route may answer for a path: the same, a subtree, or one with a pattern."""
    return (
        route in (path, "/") or "{" in route or ":" in route or "*" in route or path.startswith(route + "/")
    )


def _health(service: Service, image: ImageBuild | None) -> Answer:
    check = service.healthcheck
    if check is not None and check.disabled:
        return Answer(NO, "its health check is disabled", (check.location,))
    if check is not None and check.test:
        return _works(check.test, check.location, image)
    dockerfile = image.dockerfile if image else None
    final = image.final() if image else None
    found = dockerfile.effective(final, "HEALTHCHECK") if dockerfile and final else None
    if found is None:
        where = "neither compose nor its Dockerfile" if service.build else "compose"
        verb = "gives it a health check" if service.build else "gives it no health check"
        return Answer(NO, f"{where} {verb}", (service.location,))
    words = found.exec_form or found.words
    if words[:1] == ("NONE",):
        return Answer(NO, "its HEALTHCHECK is NONE", (found.location,))
    return _works(("CMD-SHELL", found.arguments.removeprefix("CMD").strip()), found.location, image)


def _works(test: tuple[str, ...], place: Location, image: ImageBuild | None) -> Answer:
    """Whether a health check can succeed, and its programs are in an image that this repository builds."""
    if test[0] == "CMD" and len(test) == 2 and re.search(r"\s", test[1].strip()):
        reason = f"its health check runs no shell, and no program is called {test[1].strip()!r}"
        return Answer(NO, reason, (place,))
    if _ALWAYS_FAILS.fullmatch(_script(test)):
        return Answer(NO, "its health check fails whatever happens", (place,))
    if image is None:
        return Answer(YES, "a health check is configured", (place,))
    script = _script(test)
    missing = [p for p in _programs(script) if not _is_in(p, image)]
    if missing:
        return Answer(NO, f"its health check calls {missing[0]}, which its image does not hold", (place,))
    base = image.image_of(final) if (final := image.final()) else None
    if base is None:
        return Answer(UNKNOWN, "the image that the check runs in is not known", (place,))
    return Answer(YES, "a health check is configured", (place,))


def _script(test: tuple[str, ...]) -> str:
    if test[0] in ("CMD", "CMD-SHELL"):
        return " ".join(test[1:]).strip("[]").replace('", "', " ").replace('","', " ").strip('"')
    return " ".join(test)


def _programs(script: str) -> list[str]:
    found = []
    for command in commands(script, "shell"):
        word = basename(command.words[0])
        if word not in _SHELL_WORDS and re.fullmatch(r"[\w.-]+", word):
            found.append(word)
    return found


def _is_in(program: str, image: ImageBuild) -> bool:
    """True unless it is certain that the final image lacks the program."""
    final = image.final()
    base = image.image_of(final) if final is not None else None
    if final is None or base is None or image.dockerfile is None:
        return True
    stages = image.dockerfile.lineage(final)
    installs = " ".join(i.arguments for s in stages for i in s.all("RUN"))
    copied = " ".join(i.arguments for s in stages for i in s.all("COPY", "ADD", "ENTRYPOINT", "CMD"))
    if re.search(rf"(?<![\w.]){re.escape(program)}(?![\w-])", installs + " " + copied):
        return True
    if base.text == "scratch" or "distroless" in base.name:
        return False
    is_alpine = base.repository == "alpine" or "alpine" in base.tag
    known_absent = program in ("curl", "grpcurl", "grpc_health_probe", "grpc-health-probe", "jq", "bash")
    return program in _BUSYBOX or not (is_alpine and known_absent)
