"""Comments of a file with their places, and nothing that only looks like one: no text inside a string.

One regular expression per syntax goes over the text once. Its alternatives are the things that hide comment
marks (strings, here-documents, fenced code) and, last, the comments themselves, so that whatever begins first
wins. Every alternative that can run over lines also ends at the end of the text: the work is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from posixpath import basename, splitext
from typing import Any, cast

from msgspec import Struct

MAX_BYTES = 1024 * 1024  # larger files are not written by hand
MAX_COMMENTS = 50_000


class Comment(Struct, frozen=True):
    """One comment. `line` and `column` say where its mark begins (1-based); `text` is without the marks.

    `stands_alone`: nothing but white space is before it on its first line.
    """

    text: str
    line: int
    column: int
    end_line: int
    stands_alone: bool


_DOUBLE = r'"(?:[^"\\\n]|\\.)*"?'
_SINGLE = r"'(?:[^'\\\n]|\\.)*'?"
_BACKTICK = r"`[^`]*(?:`|\Z)"
_TRIPLE = r'(?:"""(?:[^"\\]|\\.|"(?!""))*(?:"""|\Z))' + r"|(?:'''(?:[^'\\]|\\.|'(?!''))*(?:'''|\Z))"
_HERE = r"<<<|<<[-~]?[ \t]*\\?(['\"]?)([A-Za-z_]\w*)\1(?:.*?^[ \t]*\2[ \t]*$|.*\Z)"
_BLOCK = r"/\*(?P<block>.*?)(?:\*/|\Z)"
_HASH = r"\#(?P<hash>[^\n]*)"
_AT_WORD = r"(?:^|(?<=[\s;&|()]))"

_SYNTAX = {
    "c": rf"{_DOUBLE}|{_SINGLE}|{_BACKTICK}|//(?P<line>[^\n]*)|{_BLOCK}",
    "python": rf"{_TRIPLE}|{_DOUBLE}|{_SINGLE}|{_HASH}",
    "shell": rf"\\.|'[^']*(?:'|\Z)|\"(?:[^\"\\]|\\.)*(?:\"|\Z)|{_HERE}|{_AT_WORD}{_HASH}",
    "make": rf"\\.|{_DOUBLE}|'[^'\n]*'?|{_HASH}",
    "dockerfile": rf"{_HERE}|^[ \t]*{_HASH}",
    "dotenv": rf"{_DOUBLE}|'[^'\n]*'?|(?:^|(?<=\s)){_HASH}",
    "lines": rf"^[ \t]*{_HASH}",
    "sql": r"'(?:[^']|'')*(?:'|\Z)|\"[^\"]*(?:\"|\Z)|\$([A-Za-z_]\w*)?\$(?:.*?\$(?:\1)?\$|.*\Z)"
    rf"|--(?P<line>[^\n]*)|{_BLOCK}",
    "graphql": rf'"""(?:[^"\\]|\\.|"(?!""))*(?:"""|\Z)|{_DOUBLE}|{_HASH}',
    "markdown": r"^ {0,3}(`{3,}|~{3,})[^\n]*(?:\n.*?^ {0,3}\1[`~]*[ \t]*$|.*\Z)|(?<!`)(`+)(?!`)[^`\n]*\2"
    r"|<!--(?P<block>.*?)(?:-->|\Z)",
    "html": r"<!--(?P<block>.*?)(?:-->|\Z)",
    "batch": r"^[ \t]*@?(?:(?i:rem)(?=[ \t]|$)|::)(?P<line>[^\n]*)",
    "powershell": r"@'\n.*?(?:^'@|\Z)|@\"\n.*?(?:^\"@|\Z)|'[^']*(?:'|\Z)|\"(?:[^\"`]|`.)*(?:\"|\Z)"
    rf"|<\#(?P<block>.*?)(?:\#>|\Z)|{_AT_WORD}{_HASH}",
    "toml": rf"{_TRIPLE}|{_DOUBLE}|'[^'\n]*'?|{_HASH}",
    "yaml": rf"(?:^|(?<=\s)){_HASH}",
}

_BY_SUFFIX = {
    **dict.fromkeys((".go", ".mod", ".work", ".proto", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx"), "c"),
    **dict.fromkeys((".sol", ".java", ".kt", ".c", ".h", ".cc", ".cpp"), "c"),
    **dict.fromkeys((".py", ".pyi", ".star", ".bzl", ".tiltfile"), "python"),
    **dict.fromkeys((".sh", ".bash", ".zsh", ".ksh"), "shell"),
    **dict.fromkeys((".yaml", ".yml"), "yaml"),
    **dict.fromkeys((".md", ".markdown"), "markdown"),
    **dict.fromkeys((".html", ".htm", ".xml"), "html"),
    **dict.fromkeys((".graphql", ".graphqls", ".gql"), "graphql"),
    **dict.fromkeys((".bat", ".cmd"), "batch"),
    **dict.fromkeys((".ps1", ".psm1"), "powershell"),
    **dict.fromkeys((".tf", ".hcl", ".conf", ".cnf", ".ini", ".properties"), "lines"),
    ".sql": "sql",
    ".toml": "toml",
    ".mk": "make",
    ".env": "dotenv",
    ".dockerfile": "dockerfile",
}
_BY_NAME = {
    **dict.fromkeys(("makefile", "gnumakefile", "justfile"), "make"),
    **dict.fromkeys((".gitignore", ".dockerignore", ".gitattributes", "codeowners"), "lines"),
    "tiltfile": "python",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
}


def syntax_of(path: str) -> str | None:
    """How comments are written in this file, by its name; None where there are none, as in JSON."""
    name = basename(path).lower()
    if name.startswith(".env") or name.endswith((".env.example", ".env.sample", ".env.template")):
        return "dotenv"
    if name.startswith(("dockerfile.", "containerfile.")):
        return "dockerfile"
    return _BY_NAME.get(name) or _BY_SUFFIX.get(splitext(name)[1])


def comments(path: str, text: str) -> tuple[Comment, ...]:
    """The comments of a file in order; none where there is no syntax for them or YAML does not parse."""
    syntax = syntax_of(path)
    if syntax is None or len(text) > MAX_BYTES:
        return ()
    text = text.replace("\r\n", "\n")
    hidden = _yaml_scalars(text) if syntax == "yaml" else ()
    if hidden is None:
        return ()
    found = _scan(_pattern(syntax), text)
    return tuple(comment for comment in found if not _is_inside((comment.line, comment.column), hidden))


@lru_cache(maxsize=len(_SYNTAX))
def _pattern(syntax: str) -> re.Pattern[str]:
    return re.compile(_SYNTAX[syntax], re.DOTALL | re.MULTILINE)


def _scan(pattern: re.Pattern[str], text: str) -> Iterator[Comment]:
    line, line_start, at, count = 1, 0, 0, 0
    names = [name for name in ("line", "hash", "block") if name in pattern.groupindex]
    for match in pattern.finditer(text):
        body = next((match.group(name) for name in names if match.group(name) is not None), None)
        if body is None:
            continue
        start = match.start() + len(match.group()) - len(match.group().lstrip())
        line += text.count("\n", at, start)
        line_start, at = text.rfind("\n", 0, start) + 1, start
        end = line + text.count("\n", start, match.end())
        alone = not text[line_start:start].strip()
        yield Comment(body, line, start - line_start + 1, end, alone)
        count += 1
        if count >= MAX_COMMENTS:
            return


Region = tuple[tuple[int, int], tuple[int, int]]


def _yaml_scalars(text: str) -> tuple[Region, ...] | None:
    """Where the scalars of a YAML file are, in order; None when it does not parse."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    found: list[Region] = []
    try:
        while (event := loader.get_event()) is not None:
            if isinstance(event, yaml.ScalarEvent):
                first, last = cast("Any", event.start_mark), cast("Any", event.end_mark)
                found.append(((first.line + 1, first.column + 1), (last.line + 1, last.column + 1)))
    except (yaml.YAMLError, RecursionError):
        return None
    return tuple(found)


def _is_inside(place: tuple[int, int], regions: tuple[Region, ...]) -> bool:
    from bisect import bisect_right

    index = bisect_right(regions, (place, (1 << 60, 0))) - 1
    return index >= 0 and place < regions[index][1]
