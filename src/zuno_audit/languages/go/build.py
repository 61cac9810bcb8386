"""Build constraints, evaluated for the default build (linux/amd64, cgo, no extra tags).

Reference: `go help buildconstraint`, and the lists of known systems in go/build/syslist.go.
"""

from __future__ import annotations

import re

OPERATING_SYSTEMS = frozenset(
    [
        "aix",
        "android",
        "darwin",
        "dragonfly",
        "freebsd",
        "hurd",
        "illumos",
        "ios",
        "js",
        "linux",
        "nacl",
        "netbsd",
        "openbsd",
        "plan9",
        "solaris",
        "wasip1",
        "windows",
        "zos",
    ]
)
ARCHITECTURES = frozenset(
    [
        "386",
        "amd64",
        "arm",
        "arm64",
        "loong64",
        "mips",
        "mips64",
        "mips64le",
        "mipsle",
        "ppc64",
        "ppc64le",
        "riscv64",
        "s390x",
        "sparc64",
        "wasm",
    ]
)
DEFAULT_TAGS = frozenset(["linux", "amd64", "unix", "cgo", "gc"])

_TOKEN = re.compile(r"\s*(&&|\|\||!|\(|\)|[\w.]+)")
_GO_VERSION = re.compile(r"go1\.\d+$")


def is_in_default_build(path: str, constraint: str) -> bool:
    """True when `go build` on linux/amd64 compiles a file with this name and `//go:build` expression, if any."""
    name = path.rpartition("/")[2]
    if name.startswith(("_", ".")):
        return False
    system, architecture = platform_of(path)
    fits = system in ("", "linux") and architecture in ("", "amd64")
    return fits and (not constraint or evaluate_constraint(constraint))


def platform_of(path: str) -> tuple[str, str]:
    """The operating system and the architecture in the name of a Go file, empty where it is for all."""
    name = path.rpartition("/")[2]
    parts = name.removesuffix(".go").removesuffix("_test").split("_")[1:]
    if len(parts) >= 2 and parts[-2] in OPERATING_SYSTEMS and parts[-1] in ARCHITECTURES:
        return parts[-2], parts[-1]
    if parts and parts[-1] in OPERATING_SYSTEMS:
        return parts[-1], ""
    return "", parts[-1] if parts and parts[-1] in ARCHITECTURES else ""


def evaluate_constraint(text: str, tags: frozenset[str] = DEFAULT_TAGS) -> bool:
    """The value of a `//go:build` expression. A malformed one counts as true, so that its file is looked at."""
    tokens = _TOKEN.findall(text.partition("//")[0])
    try:
        value, rest = _either(tokens, tags)
    except IndexError:
        return True
    return value if not rest else True


def _either(tokens: list[str], tags: frozenset[str]) -> tuple[bool, list[str]]:
    value, tokens = _both(tokens, tags)
    while tokens and tokens[0] == "||":
        other, tokens = _both(tokens[1:], tags)
        value = value or other
    return value, tokens


def _both(tokens: list[str], tags: frozenset[str]) -> tuple[bool, list[str]]:
    value, tokens = _unary(tokens, tags)
    while tokens and tokens[0] == "&&":
        other, tokens = _unary(tokens[1:], tags)
        value = value and other
    return value, tokens


def _unary(tokens: list[str], tags: frozenset[str]) -> tuple[bool, list[str]]:
    head, rest = tokens[0], tokens[1:]
    if head == "!":
        value, rest = _unary(rest, tags)
        return not value, rest
    if head == "(":
        value, rest = _either(rest, tags)
        return value, rest[1:]
    return head in tags or bool(_GO_VERSION.match(head)), rest
