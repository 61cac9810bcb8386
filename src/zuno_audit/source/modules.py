"""Go modules and workspaces: what the go.mod and go.work files of the tree say, with line numbers.

Grammar: https://go.dev/ref/mod#go-mod-file and #workspaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.model.entity import Problem
from zuno_audit.source.classify import FileKind, is_left_out_by_go

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

_TOKEN = re.compile(
    r"""\s*(?:
        (//.*)                              # a comment
      | ("(?:[^"\\]|\\.)*" | `[^`]*`)       # a string
      | (=> | [()\[\],])                    # a mark
      | ((?:(?!//)[^\s()\[\],"`])+)         # a word; a comment may follow it without a space
    )""",
    re.VERBOSE,
)


class Requirement(Struct, frozen=True):
    """One required (or excluded) module."""

    path: str
    version: str
    line: int
    indirect: bool = False


class Replacement(Struct, frozen=True):
    """One `replace`. `version` is empty when it is for all versions, `new_version` when `new` is a folder."""

    path: str
    version: str
    new: str
    new_version: str
    line: int

    @property
    def is_local(self) -> bool:
        """True when `new` is a folder."""
        return self.new in (".", "..") or self.new.startswith(("./", "../", "/"))


class GoModule(Struct, frozen=True):
    """One go.mod. `directory` is "" for the root; `go` and `toolchain` are empty when it does not say.

    `line`, `go_line`, `toolchain_line` are where the directives stand, 0 for those that are not there.
    """

    file: str
    directory: str
    path: str = ""
    line: int = 0
    go: str = ""
    go_line: int = 0
    toolchain: str = ""
    toolchain_line: int = 0
    requires: tuple[Requirement, ...] = ()
    replaces: tuple[Replacement, ...] = ()
    excludes: tuple[Requirement, ...] = ()
    retracts: tuple[tuple[str, int], ...] = ()  # the versions as they are written, and the line
    tools: tuple[tuple[str, int], ...] = ()  # packages, and the line
    problems: tuple[Problem, ...] = ()  # what is malformed

    def requirement(self, path: str) -> Requirement | None:
        """The `require` of this module path."""
        return next((r for r in self.requires if r.path == path), None)

    def import_path(self, directory: str) -> str:
        """The import path of the package in a folder of this module."""
        inside = directory[len(self.directory) :].strip("/")
        return f"{self.path}/{inside}" if inside else self.path


class GoWorkspace(Struct, frozen=True):
    """One go.work. `uses` are folders relative to the root of the audit, each with its line."""

    file: str
    go: str = ""
    go_line: int = 0
    toolchain: str = ""
    uses: tuple[tuple[str, int], ...] = ()
    replaces: tuple[Replacement, ...] = ()
    problems: tuple[Problem, ...] = ()  # what is malformed


class _Directive(Struct, frozen=True):
    verb: str
    arguments: tuple[str, ...]
    comment: str
    line: int


def modules(repository: Repository) -> tuple[GoModule, ...]:
    """All modules of the tree, sorted by folder; not those in `vendor`, `testdata` and the like.

    What could be understood of a malformed file is given. One that cannot be read is not there, and leaves a
    problem of the repository.
    """
    found = []
    for file in (*repository.glob("go.mod"), *repository.glob("**/go.mod")):
        if repository.kind(file) is FileKind.VENDORED or is_left_out_by_go(file):
            continue
        text = repository.text(file)
        if text is not None:
            found.append(parse_go_mod(file, text))
    return tuple(sorted({module.file: module for module in found}.values(), key=lambda m: m.directory))


def workspace(repository: Repository, file: str = "go.work") -> GoWorkspace | None:
    """The workspace at the root, or None."""
    text = repository.text(file) if file in repository else None
    if text is None:
        return None
    return parse_go_work(file, text)


class ModuleTree:
    """The modules of a tree by folder: whose a folder is, and which folder an import path means.

    A local `replace`, in a go.mod or in the go.work, gives the module in its folder another path besides its own.
    """

    def __init__(self, modules: tuple[GoModule, ...], work: GoWorkspace | None = None) -> None:
        self._modules = {module.directory: module for module in modules}
        self.paths: dict[str, str] = {m.directory: m.path for m in modules if m.path}  # by folder
        self._bounds = set(self._modules)
        self._folders: dict[str, list[str]] = {}  # of a module path
        self._roots: dict[str, str | None] = {}
        replaces = [(m.directory, r) for m in modules for r in m.replaces]
        if work is not None:
            replaces += [(dirname(work.file), r) for r in work.replaces]
        replaced = [
            (r.path, folder) for base, r in replaces if (folder := _local_folder(base, r)) is not None
        ]
        used = [folder for folder, _ in work.uses] if work is not None else []
        self.shared = frozenset((*used, *(folder for _, folder in replaced)))  # what others are built with
        for path, folder in (*((path, folder) for folder, path in self.paths.items()), *replaced):
            self.paths.setdefault(folder, path)
            self._bounds.add(folder)
            if folder not in self._folders.setdefault(path, []):
                self._folders[path].append(folder)

    def root_of(self, folder: str) -> str | None:
        """The folder of the innermost module that a folder belongs to, or None."""
        above: list[str] = []
        while folder not in self._roots and folder not in self._bounds and folder.strip("/"):
            above.append(folder)
            folder = dirname(folder)
        root = folder if folder in self._bounds else self._roots.get(folder)
        self._roots.update(dict.fromkeys(above, root))
        return root

    def module_of(self, folder: str) -> GoModule | None:
        """The module that a folder belongs to."""
        root = self.root_of(folder)
        return self._modules.get(root) if root is not None else None

    def import_path(self, folder: str) -> str:
        """The import path of a folder; outside every module it is the folder itself."""
        root = self.root_of(folder)
        if root is None or root not in self.paths:
            return folder
        inside = folder[len(root) :].strip("/")
        return f"{self.paths[root]}/{inside}" if inside else self.paths[root]

    def folders(self, import_path: str) -> Iterator[str]:
        """The folders that an import path may mean, those of the longest module path first; there may be no code."""
        module = import_path
        while module:
            for root in self._folders.get(module, ()):
                folder = f"{root}/{import_path[len(module) + 1 :]}".strip("/")
                if self.root_of(folder) == root:
                    yield folder
            module = module.rpartition("/")[0]


def _local_folder(base: str, replacement: Replacement) -> str | None:
    """The folder of the tree that a `replace` in the folder `base` names."""
    folder = normpath(join(base, replacement.new))
    if not replacement.is_local or folder.startswith(("..", "/")):
        return None
    return "" if folder == "." else folder


def parse_go_mod(file: str, text: str) -> GoModule:
    """A go.mod as data."""
    directives, problems = _directives(file, text)
    single = {
        d.verb: d for d in reversed(directives) if d.verb in ("module", "go", "toolchain") and d.arguments
    }
    requires = tuple(_requirements(file, directives, "require", problems))
    replaces = tuple(_replacements(file, directives, problems))
    excludes = tuple(_requirements(file, directives, "exclude", problems))
    if not _first(single, "module"):
        problems.append(Problem(file, 1, "there is no module directive"))
    return GoModule(
        file=file,
        directory=dirname(file),
        path=_first(single, "module"),
        line=_line(single, "module"),
        go=_first(single, "go"),
        go_line=_line(single, "go"),
        toolchain=_first(single, "toolchain"),
        toolchain_line=_line(single, "toolchain"),
        requires=requires,
        replaces=replaces,
        excludes=excludes,
        retracts=tuple((" ".join(d.arguments), d.line) for d in directives if d.verb == "retract"),
        tools=tuple((d.arguments[0], d.line) for d in directives if d.verb == "tool" and d.arguments),
        problems=tuple(problems),
    )


def parse_go_work(file: str, text: str) -> GoWorkspace:
    """A go.work as data."""
    directives, problems = _directives(file, text)
    single = {d.verb: d for d in reversed(directives) if d.verb in ("go", "toolchain") and d.arguments}
    uses = []
    for directive in directives:
        if directive.verb == "use" and len(directive.arguments) == 1:
            folder = normpath(join(dirname(file), directive.arguments[0]))
            uses.append(("" if folder == "." else folder, directive.line))
        elif directive.verb == "use":
            problems.append(Problem(file, directive.line, "`use` takes one folder"))
    replaces = tuple(_replacements(file, directives, problems))
    return GoWorkspace(
        file=file,
        go=_first(single, "go"),
        go_line=_line(single, "go"),
        toolchain=_first(single, "toolchain"),
        uses=tuple(uses),
        replaces=replaces,
        problems=tuple(problems),
    )


def go_version(text: str) -> tuple[int, int, int, int] | None:
    """A Go version as (major, minor, patch, stage) that sorts; None when it is none.

    A release candidate sorts before its release (https://go.dev/doc/toolchain#version).
    """
    match = re.fullmatch(
        r"(?:go)?(\d{1,4})(?:\.(\d{1,4}))?(?:\.(\d{1,4})|(?:rc|beta)(\d{1,4}))?", text.strip()
    )
    if not match:
        return None
    major, minor, patch, stage = match.groups()
    return (int(major), int(minor or 0), int(patch or 0), int(stage or 0) - 1000 if stage else 0)


def _first(single: dict[str, _Directive], verb: str) -> str:
    return single[verb].arguments[0] if verb in single else ""


def _line(single: dict[str, _Directive], verb: str) -> int:
    return single[verb].line if verb in single else 0


def _requirements(
    file: str, directives: list[_Directive], verb: str, problems: list[Problem]
) -> Iterator[Requirement]:
    for d in directives:
        if d.verb == verb and len(d.arguments) == 2:
            indirect = re.match(r"//\s*indirect(?:\s*;|\s*$)", d.comment) is not None
            yield Requirement(d.arguments[0], d.arguments[1], d.line, indirect)
        elif d.verb == verb:
            problems.append(Problem(file, d.line, f"`{verb}` takes a module path and a version"))


def _replacements(file: str, directives: list[_Directive], problems: list[Problem]) -> Iterator[Replacement]:
    for d in directives:
        if d.verb != "replace":
            continue
        arrow = d.arguments.index("=>") if "=>" in d.arguments else 0
        old, new = d.arguments[:arrow], d.arguments[arrow + 1 :]
        if len(old) in (1, 2) and len(new) in (1, 2):
            yield Replacement(old[0], "".join(old[1:]), new[0], "".join(new[1:]), d.line)
        else:
            problems.append(Problem(file, d.line, "`replace` takes a module path, `=>` and what replaces it"))


def _directives(file: str, text: str) -> tuple[list[_Directive], list[Problem]]:
    found: list[_Directive] = []
    problems: list[Problem] = []
    block, opened = "", 0
    for number, line in enumerate(text.split("\n"), start=1):
        words, comment, complete = _words(line)
        if not complete:
            problems.append(Problem(file, number, "this line cannot be read: a string is not closed"))
        elif block and words == [")"]:
            block = ""
        elif block and words:
            found.append(_Directive(block, tuple(words), comment, number))
        elif len(words) == 2 and words[1] == "(":
            block, opened = words[0], number
        elif len(words) == 3 and words[1:] == ["(", ")"]:
            continue
        elif words and not re.fullmatch(r"[a-z]+", words[0]):
            problems.append(Problem(file, number, "this line is not a directive"))
        elif words:
            found.append(_Directive(words[0], tuple(words[1:]), comment, number))
    if block:
        problems.append(Problem(file, opened, f"the block `{block} (` is not closed"))
    return found, problems


def _words(line: str) -> tuple[list[str], str, bool]:
    """The words of a line, its comment, and whether all of it could be read."""
    words: list[str] = []
    position = 0
    line = line.rstrip()
    while position < len(line):
        token = _TOKEN.match(line, position)
        if token is None:
            return words, "", False
        comment, string, mark, word = token.groups()
        if comment is not None:
            return words, comment, True
        words.append(_unquote(string) if string is not None else mark or word)
        position = token.end()
    return words, "", True


def _unquote(string: str) -> str:
    return string[1:-1] if string[0] == "`" else re.sub(r"\\(.)", r"\1", string[1:-1])
