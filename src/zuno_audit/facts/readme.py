"""What a README sends its reader to: links, files in commands, endpoints, versions; and whether they exist.

The instructions are read, never run. Only what the repository itself can answer is judged: a relative link,
a path in a command, a make target, a compose service, an endpoint on localhost, the Go version. The rest
(web links, placeholders, variables) is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from posixpath import dirname, join, normpath
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.documents import Document, markdown_documents
from zuno_audit.facts.kubernetes import helm_files, manifests
from zuno_audit.languages.markdown import Fence, code_spans, plain
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import at_line

SHELLS = frozenset(
    {"bash", "sh", "shell", "zsh", "console", "shell-session", "terminal", "powershell", "ps1", ""}
)
MAX_COMMAND = 2000

_VALUE_FLAGS = frozenset(
    ("-e", "--env", "-u", "--user", "-w", "--workdir", "--tail", "-n", "--scale", "-t", "--timeout")
)
_TARGETS = re.compile(r"^([^\s#:=][^#:=\n]*):(?!=)", re.MULTILINE)

_README = re.compile(r"readme(?:[._-][\w-]{2,5})?\.(?:md|markdown|rst|adoc)", re.IGNORECASE)
_EXTERNAL = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)
_OPEN_SLOT = re.compile(r"[<>$*{}|]|\.\.\.|…|your[-_]|path[-_/]to", re.IGNORECASE)
_WORD = re.compile("\"([^\"]*)\"|'([^']*)'|(\\S+)")
_ENDPOINT = re.compile(
    r"(?:\b(?:https?|wss?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?::(\d+))?"
    r"|(?<![\w./:@-])(?:localhost|127\.0\.0\.1):(\d+))(/[\w./-]*)"
)
_OPERATIONS = re.compile(r"(?:GET )?/(?:healthz?|readyz?|livez?|ready|metrics)")
_SCRIPT = re.compile(r"(?:\./)?[\w.-]+(?:/[\w.-]+)*\.(?:sh|bash|ps1|bat|cmd|py)")
_PROGRAMS = frozenset(
    (
        "docker",
        "docker-compose",
        "kubectl",
        "make",
        "go",
        "bash",
        "sh",
        "cp",
        "source",
        "psql",
        "sudo",
        "python3",
    )
)  # what a span of code in a sentence starts with when it is a command
_NOT_THERE = re.compile(
    r"\b(?:not|no longer|never|formerly|removed|deleted|creates?|generates?|generated|writes?|written)\b",
    re.IGNORECASE,
)  # words of a sentence about files that need not be there
_REQUEST = re.compile(r"^\s*(?:GET|POST|PUT|PATCH|DELETE)\s+(/[\w./-]+)\s*(?:HTTP/[\d.]+)?\s*$", re.MULTILINE)
_GO_VERSION = re.compile(
    r"\b(?:Go|Golang)\b[\s:`*]*(?:version\s*)?(?:>=?\s*|v)?(1\.\d{1,2}(?:\.\d+)?)\s*(\+|or (?:later|newer"
    r"|higher))?"
)
_GO_DIRECTIVE = re.compile(r"^go[ \t]+(\d+\.\d+(?:\.\d+)?)", re.MULTILINE)
_DEPLOYS = re.compile(
    r"^(?:docker[\s-]compose\b.*\bup\b|docker stack deploy\b|docker run\b|kubectl (?:apply|create"
    r"|rollout)\b|helm (?:install|upgrade)\b"
    r"|helmfile\b|kustomize build\b|skaffold (?:run|deploy)\b|tilt up\b|terraform apply\b"
    r"|ansible-playbook\b|systemctl (?:start|enable)\b"
    r"|make (?:deploy|up|run|start|install|prod)[\w-]*|\./[\w./-]*(?:deploy|install|start|run)[\w.-]*)"
)


_WORKLOADS = {
    **dict.fromkeys(("deployment", "deployments", "deploy", "deployment.apps"), "Deployment"),
    **dict.fromkeys(("statefulset", "statefulsets", "sts", "statefulset.apps"), "StatefulSet"),
    **dict.fromkeys(("daemonset", "daemonsets", "ds", "daemonset.apps"), "DaemonSet"),
}  # kubectl api-resources


class Reference(Struct, frozen=True):
    """Something a document points to, and whether it is there. `is_fed`: a file that a command reads by `<`."""

    kind: str
    target: str
    line: int
    resolves: Answer
    is_fed: bool = False


def document_reference(store: FactStore) -> Table:
    """Table `document_reference`: one row per thing that a README points to and the repository can answer.

    Fields: `kind` (link, anchor, path, package, make-target, compose-service, endpoint, go-version),
    `target`,
    `resolves` yes/no.
    """
    documents = _readmes(store)
    rows = [
        Entity(
            "document_reference",
            at_line(document.path, reference.line),
            {
                "kind": Answer(reference.kind),
                "target": Answer(reference.target),
                "resolves": reference.resolves,
            },
        )
        for document in documents
        for reference in _references(store, document)
        if reference.resolves.value != UNKNOWN
    ]
    rows.sort(key=lambda row: row.location)
    return Table("document_reference", tuple(rows), tuple(d.path for d in documents))


def deployment_instruction(store: FactStore) -> Table:
    """Table `deployment_instruction`: one row per README.

    Fields: `commands` (how many commands in it start or deploy the system), `headings` (of the document).
    """
    documents = _readmes(store)
    rows = []
    for document in documents:
        found = [
            at_line(document.path, line, command[:80])
            for fence in (*document.markdown.fences, *_spans(document))
            if fence.language in SHELLS
            for line, command in commands(fence)
            if _DEPLOYS.match(command)
        ]
        headings = tuple(heading.text for heading in document.markdown.headings)
        fields = {"commands": Answer(len(found), proof=tuple(found[:5])), "headings": Answer(headings)}
        rows.append(Entity("deployment_instruction", at_line(document.path), fields))
    return Table("deployment_instruction", tuple(rows), tuple(d.path for d in documents))


def _readmes(store: FactStore) -> list[Document]:
    return [d for d in store.get(markdown_documents) if _README.fullmatch(d.path.rpartition("/")[2])]


def _references(store: FactStore, document: Document) -> Iterator[Reference]:
    yield from _links(store, document)
    for fence in document.markdown.fences:
        if fence.language in SHELLS:
            yield from _Commands(store, document, fence).references()
        yield from _endpoints(store, fence)
    for span in _spans(document):
        yield from _Commands(store, document, span, is_loose=True).references()
    yield from _told_endpoints(store, document)
    yield from _go_versions(store, document)


def instructions(store: FactStore, document: Document, first: int, last: int) -> Iterator[Reference]:
    """What the commands in these lines of a document need of the repository, in blocks and in sentences."""
    for fence in document.markdown.fences:
        if fence.language in SHELLS and first <= fence.line <= last:
            yield from _Commands(store, document, fence, is_loose=True).references()
    for span in _spans(document):
        if first <= span.line <= last:
            yield from _Commands(store, document, span, is_loose=True).references()


def _spans(document: Document) -> Iterator[Fence]:
    """The commands that stand as code in a sentence, an item or a table, each as a block of its own."""
    for line in document.markdown.lines:
        if (
            line.role not in ("text", "item", "task", "table")
            or "`" not in line.text
            or _NOT_THERE.search(line.text)
        ):
            continue
        for code in code_spans(line.text):
            words = code.split()
            is_script = bool(words) and _SCRIPT.fullmatch(words[0]) is not None and "/" in words[0]
            if is_script or (len(words) > 1 and words[0] in _PROGRAMS):
                yield Fence("", line.number, (code,))


# --- links


def _links(store: FactStore, document: Document) -> Iterator[Reference]:
    for link in document.markdown.links:
        target = unquote(link.target.strip())
        if not target or _EXTERNAL.match(target) or re.search(r"[<>{}$]", target):
            continue
        path, _, anchor = target.partition("#")
        path = path.partition("?")[0]
        if not path:
            found = anchor.lower() in {a.lower() for a in document.markdown.anchors()} or not anchor
            known = found or f'"{anchor}"' in document.text  # an explicit <a id="...">
            yield Reference(
                "anchor", target, link.line, _found(known, f"no heading makes the anchor #{anchor}")
            )
            continue
        base = "" if path.startswith("/") else dirname(document.path)
        resolved = normpath(join(base, path.lstrip("/")))
        yield Reference("link", target, link.line, _in_tree(store, resolved))


def _found(condition: bool, otherwise: str) -> Answer:
    return Answer(YES) if condition else Answer(NO, otherwise)


def _in_tree(store: FactStore, path: str) -> Answer:
    if path.startswith(".."):
        return Answer(UNKNOWN, "it lies outside of the repository")
    if _exists(store, path):
        return Answer(YES)
    return Answer(NO, f"{path} is not in the repository")


def _exists(store: FactStore, path: str) -> bool:
    if path in (".", ""):
        return True
    return store.repository.is_tracked(path) or store.repository.is_directory(path)


# --- commands


def commands(fence: Fence) -> Iterator[tuple[int, str]]:
    """The commands of a shell block with their lines: prompts and comments dropped, `&&` and `;` split."""
    pending, start = "", 0
    for offset, raw in enumerate(fence.lines):
        text = re.sub(r"^\s*(?:\$|>|%|PS>|#(?=\s*(?:cd|go|make|docker)\b)\s*\$)\s+", "", raw).strip()
        if not pending:
            start = fence.line + offset
        if text.endswith("\\") and len(pending) < MAX_COMMAND:
            pending += text[:-1] + " "
            continue
        whole, pending = pending + text, ""
        if whole.startswith("#") or len(whole) > MAX_COMMAND:
            continue
        for part in re.split(r"\s*(?:&&|\|\||;)\s*", re.sub(r"\s+#\s.*$", "", whole)):
            if part:
                yield start, part


class _Commands:
    """One shell block, with the folder that its `cd` commands lead to.

    `is_loose`: the text around it may say where it is run, so a path counts as there wherever a file has it as its end.
    """

    def __init__(self, store: FactStore, document: Document, fence: Fence, *, is_loose: bool = False) -> None:
        self.store = store
        self.is_loose = is_loose
        self.fence = fence
        self.home = dirname(document.path)
        self.folder = self.home

    def references(self) -> Iterator[Reference]:
        cloned = False
        for line, command in commands(self.fence):
            words = _split(command)
            if not words:
                continue
            if words[:2] == ["git", "clone"]:
                cloned = True
            elif words[0] in ("cd", "pushd") and len(words) > 1:
                if cloned and "/" not in words[1].strip("/"):
                    cloned = False  # into the fresh clone: the root
                else:
                    yield from self._change(words[1], line)
            else:
                yield from self._command(words, line)

    def _change(self, target: str, line: int) -> Iterator[Reference]:
        if _OPEN_SLOT.search(target) or target in ("-", "~", "/") or target.startswith(("/", "~")):
            return
        for base in (self.folder, self.home, ""):
            resolved = normpath(join(base, target))
            if not resolved.startswith("..") and _exists(self.store, resolved):
                self.folder = "" if resolved == "." else resolved
                return
        answer = Answer(NO, f"there is no folder {normpath(join(self.folder, target))}")
        yield Reference("path", target, line, answer)

    def _command(self, words: list[str], line: int) -> Iterator[Reference]:
        words = _without_prefix(words)
        if not words:
            return
        program = words[0].rpartition("/")[2] if not words[0].startswith(".") else words[0]
        compose = _compose_words(words)
        if compose is not None:
            yield from self._compose(compose, line)
        elif program == "go" and len(words) > 2 and words[1] in ("run", "build", "test", "vet", "install"):
            yield from self._go(words[1], words[2:], line, inside=False)
        elif program == "make":
            yield from self._make(words[1:], line)
        elif words[0].startswith(("./", "../", ".\\")) or ("/" in words[0] and _SCRIPT.fullmatch(words[0])):
            yield self._path(words[0].replace("\\", "/"), line)
        elif program in (
            "bash",
            "sh",
            "zsh",
            "source",
            "python",
            "python3",
            "node",
            "cat",
            "cp",
            "pwsh",
            ".",
        ):
            arguments = [w for w in words[1:] if not w.startswith("-")]
            if arguments and re.search(r"[./]", arguments[0]) and not _is_free(arguments[0]):
                yield self._path(arguments[0], line)
        yield from self._inputs(words, line)
        if program == "kubectl":
            yield from self._workloads(words, line)

    def _workloads(self, words: list[str], line: int) -> Iterator[Reference]:
        """The workloads that kubectl is to work on (`deployment/api`), against the manifests."""
        for word in words[1:]:
            kind, _, name = word.partition("/")
            known = workloads(self.store).get(_WORKLOADS.get(kind.lower(), ""), set())
            if known and name and not _OPEN_SLOT.search(name):
                answer = _found(name in known, f"no manifest has a {kind} {name}")
                yield Reference("workload", word, line, answer)

    def _inputs(self, words: list[str], line: int) -> Iterator[Reference]:
        """Files that are fed to a command: `< file`, and `-f file` of kubectl, docker, psql and the like."""
        reads = words[0] in ("kubectl", "psql", "docker", "oc") and _compose_words(words) is None
        for flag, value in pairwise(words):
            if (flag == "<" or (reads and flag in ("-f", "--filename"))) and not _is_free(value):
                made = self.store.repository.is_ignored(normpath(join(self.folder, value)))
                if not made:  # a dump or the like, which git ignores
                    yield replace(self._path(value, line), is_fed=flag == "<")

    def _path(self, target: str, line: int) -> Reference:
        return Reference("path", target, line, self._resolve(target))

    def _resolve(self, target: str) -> Answer:
        if _is_free(target):
            return Answer(UNKNOWN, "it is a placeholder")
        candidates = [normpath(join(base, target)) for base in dict.fromkeys((self.folder, self.home, ""))]
        if any(not c.startswith("..") and _exists(self.store, c) for c in candidates):
            return Answer(YES)
        end = "/" + normpath(target).rstrip("/")
        if self.is_loose and any(
            ("/" + path).endswith(end) or end + "/" in path for path in self.store.repository.files
        ):
            return Answer(YES)
        return Answer(NO, f"{candidates[0]} is not in the repository")

    def _go(self, verb: str, words: list[str], line: int, *, inside: bool) -> Iterator[Reference]:
        """The packages and files of a go command; inside a container any folder may be the working"
        " directory."""
        skip = False
        for word in words:
            if skip or word.startswith("-"):
                skip = not skip and word in (
                    "-o",
                    "-run",
                    "-tags",
                    "-ldflags",
                    "-timeout",
                    "-coverprofile",
                    "-bench",
                    "-C",
                    "-p",
                )
                continue
            if _is_free(word.replace("...", "")) or "@" in word or re.match(r"[\w-]+\.[a-z]{2,}/", word):
                return
            target = word.removesuffix("...").rstrip("/") or "."
            if inside and any(p == target or p.endswith("/" + target) for p in self.store.repository.files):
                return
            answer = self._resolve(target)
            if answer.value == YES and verb == "run" and not self._has_main(target):
                answer = Answer(NO, f"there is no Go program in {normpath(join(self.folder, target))}")
            yield Reference("package", word, line, answer)
            if verb == "run":
                return

    def _has_main(self, target: str) -> bool:
        if target.endswith(".go"):
            return True
        for base in dict.fromkeys((self.folder, self.home, "")):
            folder = normpath(join(base, target))
            prefix = "" if folder == "." else folder + "/"
            for path in self.store.repository.files:
                if path.startswith(prefix) and path.endswith(".go") and "/" not in path[len(prefix) :]:
                    return True
        return False

    def _make(self, words: list[str], line: int) -> Iterator[Reference]:
        folder, targets = self.folder, []
        for before, word in pairwise(("make", *words)):
            if before == "-C":
                folder = normpath(join(self.folder, word))
            elif (
                before != "-f"
                and not word.startswith("-")
                and "=" not in word
                and not _OPEN_SLOT.search(word)
            ):
                targets.append(word)
        places = [folder]
        while places[-1]:
            places.append(dirname(places[-1]))
        if self.is_loose:
            places += [dirname(p) for p in self.store.repository.files if p.endswith("/Makefile")]
        every = [found for place in places if (found := make_targets(self.store, place)) is not None]
        known = set().union(*every) if self.is_loose and every else next(iter(every), None)
        for target in targets:
            because = "there is no Makefile" if known is None else f"the Makefile has no target {target}"
            yield Reference("make-target", target, line, _found(target in (known or ()), because))

    def _compose(self, words: list[str], line: int) -> Iterator[Reference]:
        rest = list(words)
        while rest and rest[0].startswith("-"):
            flag = rest.pop(0)
            if flag in ("-f", "--file", "--env-file", "-p", "--profile", "--project-name") and rest:
                value = rest.pop(0)
                if flag in ("-f", "--file"):
                    yield self._path(value, line)
        if not rest or rest[0] not in ("exec", "run", "logs", "restart", "stop", "start", "up", "build"):
            return
        verb = rest.pop(0)
        arguments = _positional(rest)
        services = arguments[:1] if verb in ("exec", "run") else arguments
        known = compose_services(self.store)
        for service in services:
            if known and not _OPEN_SLOT.search(service):
                answer = _found(service in known, f"no compose file has a service {service}")
                yield Reference("compose-service", service, line, answer)
        if verb in ("exec", "run") and arguments[1:3] in (["go", "run"], ["go", "test"]):
            yield from self._go(arguments[2], arguments[3:], line, inside=True)


def _split(command: str) -> list[str]:
    """The words of a command, quotes removed."""
    return [next(filter(None, groups), "") for groups in _WORD.findall(command)]


def _without_prefix(words: list[str]) -> list[str]:
    """The command without `sudo`, `time` and assignments before it."""
    while words and (
        words[0] in ("sudo", "time", "exec", "nohup", "&") or re.fullmatch(r"\w+=\S*", words[0])
    ):
        words = words[1:]
    return words


def _compose_words(words: list[str]) -> list[str] | None:
    if words[0] == "docker-compose":
        return words[1:]
    return words[2:] if words[:2] == ["docker", "compose"] else None


def _positional(words: list[str]) -> list[str]:
    """Arguments from the first that is no flag on, without later flags unless they belong to a go command."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _VALUE_FLAGS else 1
    found = words[at:]
    return found if found[1:2] == ["go"] else [word for word in found if not word.startswith("-")]


def _is_free(target: str) -> bool:
    """True for what the repository cannot answer: placeholders, absolute and home paths, URLs."""
    return (
        bool(_OPEN_SLOT.search(target))
        or target.startswith(("/", "~", "-"))
        or _EXTERNAL.match(target) is not None
    )


def workloads(store: FactStore) -> dict[str, set[str]]:
    """The names of the workloads in the manifests, by kind; none where charts or overlays may make others."""
    found: dict[str, set[str]] = {}
    if helm_files(store.repository):
        return found
    for one in store.get(manifests).of_kind(*set(_WORKLOADS.values())):
        found.setdefault(one.kind, set()).add(one.name)
    return found


def make_targets(store: FactStore, folder: str) -> set[str] | None:
    """The targets of the Makefile in a folder, included ones as well; None when there is no Makefile."""
    for name in ("Makefile", "makefile", "GNUmakefile"):
        path = normpath(join(folder, name))
        if path in store.repository:
            text = _text_of(store, path)
            included = re.findall(r"^-?include[ \t]+(\S+)", text, re.MULTILINE)
            texts = (text, *(_text_of(store, normpath(join(folder, other))) for other in included))
            return {target for one in texts for line in _TARGETS.findall(one) for target in line.split()}
    return None


def _text_of(store: FactStore, path: str) -> str:
    return (store.repository.text(path) or "") if path in store.repository else ""


def compose_services(store: FactStore) -> set[str]:
    """The names of all compose services."""
    return {str(row.get("name").value) for row in store.table("compose_service").rows}


# --- endpoints and versions


def _endpoints(store: FactStore, fence: Fence) -> Iterator[Reference]:
    found = [(m.start(), m.group(3), m.group(1) or m.group(2) or "") for m in _ENDPOINT.finditer(fence.text)]
    found += [(m.start(), m.group(1), "") for m in _REQUEST.finditer(fence.text)]
    for at, path, port in sorted(found):
        path = path.rstrip("/.") or "/"
        if path != "/":
            line = fence.line + fence.text.count("\n", 0, at)
            yield Reference("endpoint", path, line, _is_served(store, path, port))


def _told_endpoints(store: FactStore, document: Document) -> Iterator[Reference]:
    """Endpoints of operations that a sentence names: "Health is at `/health`"."""
    for line in document.markdown.lines:
        if line.role in ("text", "item", "table") and "`" in line.text and not _NOT_THERE.search(line.text):
            for code in code_spans(line.text):
                if _OPERATIONS.fullmatch(code):
                    path = code.split()[-1]
                    yield Reference("endpoint", path, line.number, _is_served(store, path, ""))


def _is_served(store: FactStore, path: str, port: str) -> Answer:
    """Whether some binary answers at a path, on a port unless it is empty. What cannot be followed leaves it open."""
    is_open = elsewhere = is_ours = False
    if port and _is_of_another(store, port):
        return Answer(UNKNOWN, f"port {port} leads to an image from elsewhere")
    for row in store.table("http_route").rows:
        route, served = row.get("route").value, row.get("served").value
        is_ours = is_ours or not port or not _misses(row, port)
        if served == NO or (route is not None and not _covers(str(route), path)):
            continue
        if port and _misses(row, port):
            elsewhere = elsewhere or (route is not None and served == YES)
            continue
        if route is not None and served == YES:
            return Answer(YES)
        is_open = True
    if elsewhere and not is_open:
        return Answer(NO, f"what answers at {path} does not listen on port {port}")
    if is_open:
        return Answer(UNKNOWN, "there are routes that cannot be followed")
    if not is_ours:
        return Answer(UNKNOWN, f"no Go code is known to listen on port {port}")
    return Answer(NO, f"nothing in the code answers at {path}")


def _misses(row: Entity, port: str) -> bool:
    """True when it is known that nothing leads from this port to the server of a route."""
    known = [row.get("ports").value, row.get("published").value]
    return all(isinstance(ports, tuple) and port not in ports for ports in known)


def _is_of_another(store: FactStore, port: str) -> bool:
    """True for a port that compose publishes for an image that is not built here."""
    services = (service for _, service in store.get(compose_files).services() if service.build is None)
    return any(p.published == port for service in services for p in service.ports)


def _covers(route: str, path: str) -> bool:
    """A route covers its own path; one that ends in a slash, and is not the root, all below it."""
    return route.rstrip("/") == path or (len(route) > 1 and route.endswith("/") and path.startswith(route))


def _go_versions(store: FactStore, document: Document) -> Iterator[Reference]:
    """Statements like "Go 1.21+" against the go directive of the module."""
    text = store.repository.text("go.mod") if "go.mod" in store.repository else None
    directive = _GO_DIRECTIVE.search(text or "")
    if directive is None or dirname(document.path):
        return
    needed = _version(directive.group(1))
    for line in document.markdown.lines:
        if line.role in ("text", "item", "table", "task", "heading") and "1." in line.text:
            for match in _GO_VERSION.finditer(plain(line.text)):
                stated = _version(match.group(1))
                because = f"go.mod needs Go {directive.group(1)}"
                yield Reference(
                    "go-version",
                    f"Go {match.group(1)}",
                    line.number,
                    _found(_suffices(stated, needed), because),
                )


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def _suffices(stated: tuple[int, ...], needed: tuple[int, ...]) -> bool:
    """A statement without a patch level means any patch level of that release."""
    return stated >= needed[: len(stated)]
