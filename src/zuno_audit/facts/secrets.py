"""Real-looking secrets in tracked files: the table `secret_in_file`.

All text is joined once and searched for literal anchors; what stands around an anchor is then judged. The
value of a secret never leaves this module: rows have its name, its kind and its length. Files that a
generator wrote, locks of package managers and vendored code are left out.
"""

from __future__ import annotations

import base64
import binascii
import posixpath
import re
from bisect import bisect_right
from collections.abc import Iterator

from msgspec import Struct

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.dotenv import is_env_file, is_template
from zuno_audit.facts.kubernetes import manifests
from zuno_audit.facts.secret_values import (
    KEY_KINDS,
    is_mnemonic,
    is_placeholder,
    names_a_secret,
    real_kind,
    words,
)
from zuno_audit.languages.yaml import scalar_text
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, Span, at_line

MAX_FILE_BYTES = 1024 * 1024
MAX_HITS = 200_000  # of one anchor in the whole repository
MAX_JUDGED = 10_000  # values of names of secrets in the whole repository
MAX_NAME = 80  # bytes of a name before an anchor
MAX_LINE = 300  # bytes of a value that are looked at

PRIVATE_KEY = "private key"
KEYSTORE = "key store"
TOKEN = "access token"
SIGNED_JWT = "signed JWT"
URL_PASSWORD = "password in a URL"
URL_KEY = "key in a URL"
MNEMONIC = "words of a key"

_LOCK_FILES = frozenset(
    {"go.sum", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "cargo.lock", "poetry.lock", "uv.lock"}
    | {"composer.lock", "gemfile.lock", "go.work.sum", "bun.lock", ".terraform.lock.hcl", "buf.lock"}
)
_BINARY = (".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".pdf", ".woff", ".woff2", ".ttf", ".eot", ".gz")
_NOT_WRITTEN_BY_HAND = (".svg", ".map", ".min.js", ".sum", ".lock", ".pb.go")
_KEYSTORES = (".p12", ".pfx", ".jks", ".keystore", ".ppk")
_CODE = (
    ".go",
    ".ts",
    ".tsx",
    ".js",
    ".jsx",
    ".mjs",
    ".py",
    ".java",
    ".rs",
    ".sol",
    ".cs",
    ".rb",
    ".php",
    ".kt",
)
_TEST_FOLDERS = frozenset(
    {"test", "tests", "testdata", "fixtures", "fixture", "__tests__", "mock", "mocks", "e2e", "integration"}
)
_VENDORED = ("vendor/", "node_modules/", "third_party/")

# an anchor that must be in the text, and what the whole token looks like (the providers' own documentation)
_TOKENS: tuple[tuple[bytes, re.Pattern[bytes], str], ...] = tuple(
    (anchor, re.compile(pattern), name)
    for anchor, pattern, name in (
        (b"AKIA", rb"(?<![A-Z0-9])AKIA[A-Z2-7]{16}(?![A-Z0-9])", "AWS access key"),
        (b"ghp_", rb"ghp_[A-Za-z0-9]{36,}", "GitHub token"),
        (b"github_pat_", rb"github_pat_[A-Za-z0-9_]{40,}", "GitHub token"),
        (b"glpat-", rb"glpat-[A-Za-z0-9_-]{20,}", "GitLab token"),
        (b"xox", rb"xox[abprs]-[A-Za-z0-9-]{20,}", "Slack token"),
        (
            b"hooks.slack.com/",
            rb"hooks\.slack\.com/services/T[A-Z0-9]+/B[A-Z0-9]+/[A-Za-z0-9]{20,}",
            "Slack webhook",
        ),
        (b"AIza", rb"AIza[A-Za-z0-9_-]{35}", "Google API key"),
        (b"k_live_", rb"[srp]k_live_[A-Za-z0-9]{16,}", "Stripe key"),
        (b"SG.", rb"(?<![A-Za-z0-9])SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{30,}", "SendGrid key"),
        (b"sk-ant-", rb"sk-ant-[A-Za-z0-9_-]{30,}", "Anthropic key"),
        (b"sk-proj-", rb"sk-proj-[A-Za-z0-9_-]{30,}", "OpenAI key"),
        (b"AccountKey=", rb"AccountKey=[A-Za-z0-9+/]{60,}={0,2}", "Azure storage key"),
        (b".eyJ", rb"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{20,}", "signed JWT"),
    )
)
ANCHORS = (
    b" PRIVATE KEY",
    *(anchor for anchor, _, _ in _TOKENS),
)  # one is in every text that has such a secret
_EXAMPLE_JWT = b".eyJzdWIiOiIxMjM0NTY3ODkw"  # {"sub":"1234567890": the token that every introduction shows
_PEM = re.compile(
    rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----"
    rb"(?:[\s\"'+`\\]|\\n|\\r|[A-Za-z-]+:[^\n]*\n)*([A-Za-z0-9+/=]{40,})"
)
_NAME_ANCHORS = (
    *(b"secret", b"passw", b"requirepass", b"token", b"_key", b"-key"),
    *(b"mnemonic", b"credential", *(f"{kind}key".encode() for kind in sorted(KEY_KINDS))),
)
_NEWLINE = re.compile(rb"\n")
_NAME_BYTES = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
# the rest of a name and something behind it that a value may follow: what most words of code and prose lack
_CANDIDATE = re.compile(
    rb"([A-Za-z0-9_-]{0,80})(?:[\"'\]]?\s*(?:string\s*)?[:=]|[\"']\s*,|[ \t]+[^\s=:(){}.,])"
)
_QUOTED = rb"(?:\"([^\"\n]*)\"|'([^'\n]*)'|`([^`\n]*)`)"
_BARE = rb"([^\s\"'`,;]+)"
_IN_CODE = re.compile(rb"(?:[\"'\]]?\s*(?:string\s*)?(?::=|=>|[=:])|[\"']\s*,)\s*(?:\[\]byte\()?" + _QUOTED)
_IN_DOCUMENT = re.compile(rb"[\"'\]]?[ \t]*(?::=|=>|[=:])[ \t]*(?:" + _QUOTED + rb"|" + _BARE + rb")")
_IN_STATEMENT = re.compile(rb"\s+" + _QUOTED)
_OPTION = re.compile(rb"(?:[ \t]*=[ \t]*|[ \t]+)(?:" + _QUOTED + rb"|" + _BARE + rb")")
_URL_PASSWORD = re.compile(rb"://([^\s/:@\"'<>{}$`]*):([^\s/@\"'<>`]+)@([^\s/:\"'`<>?]+)")
_URL_KEYS = (
    (re.compile(rb"://[\w.-]*infura\.io/(?:ws/)?v3/([0-9a-f]{32})(?![0-9a-f])"), "Infura project key"),
    (re.compile(rb"://[\w.-]*alchemy(?:api)?\.(?:com|io)/v2/([A-Za-z0-9_-]{28,})"), "Alchemy key"),
    (re.compile(rb"://[\w.-]*quiknode\.pro/([0-9a-f]{32,})"), "QuickNode key"),
    (re.compile(rb"://([0-9a-f]{32})(?::[0-9a-f]{32})?@[\w.-]+/\d+"), "Sentry DSN"),
)
_LOCAL_HOST = re.compile(
    r"localhost|127\.|0\.0\.0\.0|host\.docker|\[|[^.]+$|.*\.(?:local|internal|test|example)$"
)


class Secret(Struct, frozen=True):
    """Something that looks like a secret. `name` says what it is called or which provider's it is."""

    name: str
    kind: str
    length: int
    location: Location


def secrets(store: FactStore) -> tuple[Secret, ...]:
    """Every real-looking secret in a tracked file, at most one for each line and sorted by place."""
    text = store.get(_text)
    found = [
        *_keystores(store),
        *_private_keys(text),
        *_tokens(text),
        *_urls(text),
        *_kubernetes(store),
        *_assignments(text),
    ]
    first: dict[tuple[str, int], Secret] = {}
    for secret in found:
        first.setdefault((secret.location.path, secret.location.line), secret)
    return tuple(sorted(first.values(), key=lambda secret: secret.location))


def secret_in_file(store: FactStore) -> Table:
    """Table `secret_in_file`: one row per real-looking secret in a tracked file.

    Fields: `name`, `kind`, `length`, `in_tests` yes/no (test code or test data), `template` yes/no (a file to
    be copied and filled in), `counts` yes/no: no for keys and values made up for tests.
    """
    rows = tuple(_row(secret) for secret in store.get(secrets))
    text = store.get(_text)
    return Table("secret_in_file", rows, text.paths, tuple(text.problems))


def _row(secret: Secret) -> Entity:
    path = secret.location.path
    in_tests = is_test_path(path)
    made_up = is_made_up(path) or (in_tests and secret.kind != TOKEN and not is_env_file(path))
    fields = {
        "name": Answer(secret.name),
        "kind": Answer(secret.kind),
        "length": Answer(secret.length),
        "in_tests": Answer(YES if in_tests else NO),
        "template": Answer(YES if is_template(path) else NO),
        "counts": Answer(NO if made_up else YES, "it was made up for tests" if made_up else ""),
    }
    return Entity("secret_in_file", secret.location, fields)


def is_test_path(path: str) -> bool:
    """True for test code and test data."""
    *folders, name = path.lower().split("/")
    return name.endswith(("_test.go", ".test.ts", ".spec.ts")) or not _TEST_FOLDERS.isdisjoint(folders)


def is_made_up(path: str) -> bool:
    """True when the name of the file says that what it holds protects nothing (`dummy_ca.key`)."""
    name = posixpath.basename(path).lower()
    return any(word in name for word in ("dummy", "snakeoil", "fake"))


class _Text:
    """All searched files as one piece of bytes, and the way back from an offset to a place."""

    def __init__(self, store: FactStore) -> None:
        parts: list[bytes] = []
        self.starts: list[int] = []
        paths: list[str] = []
        problems: list[Problem] = []
        self.judged = 0
        offset = 0
        for path, file in store.repository.files.items():
            if not file.tracked or file.is_link or _is_left_out(path):
                continue
            data = store.repository.read(path)
            if data is None:
                problems.append(Problem(path, 1, "the file cannot be read"))
            elif b"\0" in data[:1024]:
                continue
            elif len(data) > MAX_FILE_BYTES:
                problems.append(
                    Problem(path, 1, f"not searched for secrets: more than {MAX_FILE_BYTES} bytes")
                )
            elif b"// Code generated " not in data[:200]:
                self.starts.append(offset)
                paths.append(path)
                parts += (data, b"\n\0\n")
                offset += len(data) + 3
        self.bytes = b"".join(parts)
        self._lines: dict[int, list[int]] = {}
        self.paths = tuple(paths)
        self.problems = problems

    def path(self, offset: int) -> str:
        """The file of an offset."""
        return self.paths[bisect_right(self.starts, offset) - 1]

    def location(self, offset: int, length: int) -> Location:
        """The region of a match; it ends on its first line."""
        index = bisect_right(self.starts, offset) - 1
        lines = self._lines_of(index)
        line = bisect_right(lines, offset)
        column = len(self.bytes[lines[line - 1] : offset].decode("utf-8", "replace")) + 1
        end = self.bytes.find(b"\n", offset, offset + length)
        width = (end if end >= 0 else offset + length) - offset
        return Location(self.paths[index], Span(line, column, line, column + width))

    def _lines_of(self, index: int) -> list[int]:
        """Where the lines of a file begin."""
        if index not in self._lines:
            start = self.starts[index]
            end = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.bytes)
            newlines = _NEWLINE.finditer(self.bytes, start, end)
            self._lines[index] = [start, *(match.end() for match in newlines)]
        return self._lines[index]

    def hits(self, anchor: bytes, haystack: bytes | None = None) -> Iterator[int]:
        """Every offset of an anchor."""
        data = self.bytes if haystack is None else haystack
        position = data.find(anchor)
        for _ in range(MAX_HITS):
            if position < 0:
                return
            yield position
            position = data.find(anchor, position + len(anchor))


def _text(store: FactStore) -> _Text:
    return _Text(store)


def _is_left_out(path: str) -> bool:
    if path.endswith(_NOT_WRITTEN_BY_HAND) or path.endswith(_BINARY):
        return True
    return posixpath.basename(path).lower() in _LOCK_FILES or any(
        path.startswith(folder) or f"/{folder}" in path for folder in _VENDORED
    )


def _keystores(store: FactStore) -> Iterator[Secret]:
    for path, file in store.repository.files.items():
        if file.tracked and path.lower().endswith(_KEYSTORES):
            yield Secret(posixpath.basename(path), KEYSTORE, 0, at_line(path))


def _private_keys(text: _Text) -> Iterator[Secret]:
    for hit in text.hits(b" PRIVATE KEY"):
        start = text.bytes.rfind(b"-----BEGIN", max(0, hit - 40), hit)
        match = _PEM.match(text.bytes, start, start + 4096) if start >= 0 else None
        if match is not None:
            yield Secret("PEM block", PRIVATE_KEY, len(match[1]), text.location(start, 27))


def _tokens(text: _Text) -> Iterator[Secret]:
    for anchor, pattern, name in _TOKENS:
        for hit in text.hits(anchor):
            match = pattern.search(text.bytes, max(0, hit - 200), hit + MAX_LINE)
            if match is None or not match.start() <= hit < match.end():
                continue
            value = match.group()
            if _EXAMPLE_JWT in value or _says_placeholder(value):
                continue
            kind = SIGNED_JWT if anchor == b".eyJ" else TOKEN
            yield Secret(name, kind, len(value), text.location(match.start(), len(value)))


def secrets_in_text(data: bytes) -> Iterator[tuple[int, int, str]]:
    """Offset, length and name of private keys, access tokens and real logins in the text of one file."""
    if b" PRIVATE KEY" in data:
        for match in _PEM.finditer(data):
            yield match.start(), 27, PRIVATE_KEY
    for anchor, pattern, name in _TOKENS:
        for match in pattern.finditer(data) if anchor in data else ():
            if _EXAMPLE_JWT not in match[0] and not _says_placeholder(match[0]):
                yield match.start(), len(match[0]), name
    for match in _URL_PASSWORD.finditer(data) if b"://" in data else ():
        if _is_real_login(match):
            yield match.start(2), len(match[2]), URL_PASSWORD


def _says_placeholder(value: bytes) -> bool:
    lowered = value.lower()
    return len(set(lowered)) < 9 or any(
        w in lowered for w in (b"example", b"xxxx", b"placeholder", b"0000000")
    )


def _urls(text: _Text) -> Iterator[Secret]:
    for hit in text.hits(b"://"):
        match = _URL_PASSWORD.match(text.bytes, hit, hit + MAX_LINE)
        if match is not None and _is_real_login(match):
            yield Secret(
                URL_PASSWORD, URL_PASSWORD, len(match[2]), text.location(match.start(2), len(match[2]))
            )
        for pattern, name in _URL_KEYS:
            key = pattern.match(text.bytes, hit, hit + MAX_LINE)
            if key is not None and not _says_placeholder(key[1]):
                yield Secret(name, URL_KEY, len(key[1]), text.location(key.start(1), len(key[1])))


def _is_real_login(match: re.Match[bytes]) -> bool:
    user, password, host = (part.decode("utf-8", "replace") for part in match.groups())
    if real_kind(password) is not None:
        return True
    is_local = _LOCAL_HOST.match(host.lower()) is not None or "example" in host.lower()
    return not is_local and len(password) >= 6 and not is_placeholder(password) and password != user


def _kubernetes(store: FactStore) -> Iterator[Secret]:
    """Values of Secret objects, decoded, and literal values of containers."""
    for item in store.get(manifests).objects:
        if not store.repository.is_tracked(item.path):
            continue
        if item.kind == "Secret":
            for field in ("data", "stringData"):
                node = item.body.map(field)
                for entry in node.entries if node is not None else ():
                    value = scalar_text(entry.value) or ""
                    where = Location(item.path, entry.span)
                    yield from _judged(entry.key, _decoded(value) if field == "data" else value, where)
        for container in item.containers:
            for variable in container.environment:
                if variable.value is not None and names_a_secret(variable.name):
                    yield from _judged(variable.name, variable.value, variable.location)


def _decoded(value: str) -> str:
    try:
        return base64.b64decode("".join(value.split()), validate=True).decode("utf-8", "replace")
    except (ValueError, binascii.Error):
        return value


def _judged(name: str, value: str, where: Location) -> Iterator[Secret]:
    if _PEM.search(value.encode()[:8192]) is not None:
        yield Secret(name, PRIVATE_KEY, len(value), where)
    elif (kind := real_kind(value)) is not None:
        yield Secret(name, kind, len(value), where)


def _assignments(text: _Text) -> Iterator[Secret]:
    lowered = text.bytes.lower()
    seen: set[int] = set()
    for anchor in _NAME_ANCHORS:
        for hit in text.hits(anchor, lowered):
            candidate = _CANDIDATE.match(text.bytes, hit)
            if candidate is not None and candidate.end(1) not in seen:
                seen.add(candidate.end(1))
                yield from _assignment(text, hit, candidate.end(1))


def _assignment(text: _Text, hit: int, end: int) -> Iterator[Secret]:
    """The secret that is assigned to the name around `hit`, which ends at `end`."""
    before = text.bytes[max(0, hit - MAX_NAME) : hit]
    start = hit - len(before) + len(before.rstrip(_NAME_BYTES))
    name = text.bytes[start:end].decode("utf-8", "replace")
    match = _value_pattern(text.path(hit), name).match(text.bytes, end, end + MAX_LINE)
    if match is None or not names_a_secret(name):
        return
    text.judged += 1
    if text.judged > MAX_JUDGED:
        if text.judged == MAX_JUDGED + 1:
            text.problems.append(Problem(text.path(hit), 1, "more values than are searched for secrets"))
        return
    group = next(i for i, value in enumerate(match.groups(), 1) if value is not None)
    value = match[group].decode("utf-8", "replace")
    kind = MNEMONIC if "mnemonic" in words(name) and is_mnemonic(value) else real_kind(value)
    if kind is not None:
        yield Secret(name.lstrip("-"), kind, len(value), text.location(match.start(group), len(match[group])))


def _value_pattern(path: str, name: str) -> re.Pattern[bytes]:
    """How a value follows a name: in code only quoted, after options and in old ENV lines behind a space."""
    if path.endswith(_CODE):
        return _IN_CODE
    if path.endswith(".sql") and name.lower() == "password":  # CREATE ROLE a LOGIN PASSWORD '...'
        return _IN_STATEMENT
    if name == "requirepass" or name.startswith("--"):
        return _OPTION
    return _OPTION if "dockerfile" in posixpath.basename(path).lower() else _IN_DOCUMENT
