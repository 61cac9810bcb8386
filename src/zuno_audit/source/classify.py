"""Which files are ours and run in production: code, and not test, generated or vendored."""

from __future__ import annotations

import re
from enum import StrEnum

HEAD_BYTES = 4096  # how much of a file is looked at for a "generated" mark; licences come before it
_VENDORED = frozenset(
    {
        "vendor",
        "third_party",
        "third-party",
        "node_modules",
        "bower_components",
        "site-packages",
        ".venv",
        "venv",
    }
)
_TEST = frozenset({"test", "tests", "testdata", "__tests__", "e2e"})
_TEST_NAME = re.compile(
    r".*_test\.go|.*\.(?:test|spec)\.[cm]?[jt]sx?|test_.*\.py|.*_test\.py|conftest\.py|.*\.t\.sol"
)
_GENERATED_NAME = re.compile(
    r".*\.pb\.go|.*\.pb\.gw\.go|.*_pb2(?:_grpc)?\.pyi?|.*_pb\.(?:js|d\.ts|ts)|.*\.min\.(?:js|css)"
)
_MEDIA = (
    *(".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".svg", ".bmp", ".tiff", ".drawio", ".psd", ".pdf"),
    *(".woff", ".woff2", ".ttf", ".otf", ".eot", ".mp3", ".mp4", ".mov", ".webm", ".wav", ".ogg"),
)
_GO_MARK = re.compile(rb"// Code generated .* DO NOT EDIT\.")  # go.dev/s/generatedcode, without its ^ and $
_OTHER_MARK = re.compile(rb"@generated\b|\bcode generated\b.*\bdo not edit\b", re.IGNORECASE)


class FileKind(StrEnum):
    """`code` is what the checklist means by "the code"; most questions leave the others out."""

    CODE = "code"
    TEST = "test"
    GENERATED = "generated"
    VENDORED = "vendored"


def classify(path: str, head: bytes) -> FileKind:
    """The kind of a file, by its path and its first bytes.

    A file in a folder that is called exactly `test`, `tests`, `testdata`, `__tests__` or `e2e` is test code,
    also when it is Go code without `_test` in its name (test servers and set-up programs are kept there).
    """
    by_path = kind_by_path(path)
    if by_path is not None:
        return by_path
    marked = is_marked_go(head) if path.endswith(".go") else _is_marked(head)
    return FileKind.GENERATED if marked else FileKind.CODE


def kind_by_path(path: str) -> FileKind | None:
    """The kind where the path alone tells it, so that the file need not be read."""
    *folders, name = path.split("/")
    if not _VENDORED.isdisjoint(folders):
        return FileKind.VENDORED
    if not _TEST.isdisjoint(folders) or _TEST_NAME.fullmatch(name):
        return FileKind.TEST
    return FileKind.GENERATED if _GENERATED_NAME.fullmatch(name) else None


def is_media(path: str) -> bool:
    """True for pictures, fonts, films and sounds by their names: no question of an audit is about them."""
    return path.lower().endswith(_MEDIA)


def is_left_out_by_go(path: str) -> bool:
    """True when the go command never builds this file as part of `./...`, whatever it holds.

    That is a file or folder whose name begins with `_` or `.`, and anything in `testdata` (go help packages).
    """
    return any(part.startswith(("_", ".")) or part == "testdata" for part in path.split("/"))


def is_marked_go(head: bytes) -> bool:
    """Go's convention: a line comment of its own, before the package clause, not inside a block comment."""
    in_block = False
    for raw in head.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        line = raw.rstrip(b"\r")
        stripped = line.strip()
        if in_block or stripped.startswith(b"/*"):
            in_block = b"*/" not in stripped
        elif stripped and not stripped.startswith(b"//"):
            return False
        elif _GO_MARK.fullmatch(line):
            return True
    return False


def _is_marked(head: bytes) -> bool:
    return any(_OTHER_MARK.search(line) for line in head.splitlines()[:10])
