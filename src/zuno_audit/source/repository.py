"""The audited tree: which files there are, what they hold, what git knows of them."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from posixpath import splitext

from msgspec import Struct

from zuno_audit.model.entity import Problem
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.source.classify import HEAD_BYTES, FileKind, classify, is_media, kind_by_path
from zuno_audit.source.git import Git, GitError
from zuno_audit.source.gitignore import IgnoreMatch, IgnoreRules
from zuno_audit.source.glob import compile_glob, covers, is_plain, plain_prefix
from zuno_audit.source.reader import IsFolder, Reader, TooLarge, Unreadable, blob_ids

__all__ = ["CODE_ONLY", "FileKind", "IgnoreMatch", "Repository", "SourceFile", "compile_glob"]

CACHE_BYTES = (
    96 * 1024 * 1024
)  # what is kept of file contents; holds all Go code of the largest repository tried
BINARY_HEAD_BYTES = 8000  # git's own measure of "binary": a NUL in the first 8000 bytes
CODE_ONLY = frozenset({FileKind.CODE})


class SourceFile(Struct, frozen=True):
    """A file inside the tree. `path` is relative to the root, with `/`; bytes that are not UTF-8 are escaped.

    `disk_name` is the path on disk if it differs, `blob` git's id of the tracked content ("" if untracked).
    """

    path: str
    tracked: bool
    is_link: bool = False
    blob: str = ""
    disk_name: bytes = b""

    @property
    def name_on_disk(self) -> bytes:
        return self.disk_name or self.path.encode()


class Seen(Struct, frozen=True):
    """What a process has seen of a tree: what it could not read, what is odd, and what it asked, with the answers."""

    problems: tuple[Problem, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    asked: dict[tuple[str, ...], str] = {}


class Repository:
    """A read-only view of a directory tree. Nothing in it is ever executed, nothing outside of it is read.

    `files` holds tracked files and untracked ones that git does not ignore (without git: every file that
    `.gitignore` files do not ignore), sorted by path, and only files that are there. Symbolic links are
    listed, and `read` gives what a link inside the tree leads to, but `grep` passes them over: their target
    is a file of its own.
    `missing` are tracked paths that are not on disk.
    `problems` collects what could not be read, `diagnostics` what else a person should know of the tree; `listed` is
    what both said before anything was read. `asked` are the questions that the files alone do not answer, with the
    answers: whether a path is ignored, what git says.
    """

    def __init__(
        self,
        root: Path,
        files: Iterable[SourceFile],
        git: Git | None,
        missing: Iterable[str] = (),
        problems: Iterable[Problem] = (),
        diagnostics: Iterable[Diagnostic] = (),
    ) -> None:
        self.root = root
        self.git = git
        self.files: dict[str, SourceFile] = {f.path: f for f in sorted(files, key=lambda f: f.path)}
        self.missing = frozenset(missing)
        self.listed = (tuple(problems), tuple(diagnostics))
        self.problems, self.diagnostics = list(self.listed[0]), list(self.listed[1])
        self.asked: dict[tuple[str, ...], str] = {}
        self.reader = Reader(root)
        self._bytes: dict[str, bytes | None] = {}
        self._kept = 0
        self._globs: dict[str, tuple[str, ...]] = {}
        self._kinds: dict[str, FileKind] = {}

    def __contains__(self, path: str) -> bool:
        return path in self.files

    def is_tracked(self, path: str) -> bool:
        """True when git has the file in its index (without git: when the file is there)."""
        file = self.files.get(path)
        return path in self.missing if file is None else file.tracked

    def leave_out(self, pattern: str) -> int:
        """Takes paths that a pattern covers, and what lies below them, out of the tree; says how many files.

        Only before anything else was asked of it.
        """
        pattern = pattern.strip("/")

        def is_out(path: str) -> bool:
            return covers(pattern, path) or covers(f"{pattern}/**", path)

        gone = [path for path in self.files if is_out(path)]
        for path in gone:
            del self.files[path]
        self.missing = frozenset(path for path in self.missing if not is_out(path))
        self.problems = [problem for problem in self.problems if not is_out(problem.path)]
        self._globs.clear()
        self.__dict__.pop("_sorted_paths", None)
        return len(gone)

    def glob(self, pattern: str) -> Iterator[str]:
        """Paths that match, sorted: `*` and `?` inside a segment, `**` over any number of segments."""
        if pattern not in self._globs:
            self._globs[pattern] = tuple(self._matching(pattern))
        return iter(self._globs[pattern])

    def _matching(self, pattern: str) -> Iterator[str]:
        if is_plain(pattern):
            return iter((pattern,) if pattern in self.files else ())
        match = compile_glob(pattern).fullmatch
        return (path for path in self._below(plain_prefix(pattern)) if match(path))

    def _below(self, prefix: str) -> Iterator[str]:
        """The paths that begin with this text."""
        paths = self._sorted_paths
        for position in range(bisect_left(paths, prefix), len(paths)):
            if not paths[position].startswith(prefix):
                return
            yield paths[position]

    @cached_property
    def _sorted_paths(self) -> list[str]:
        return list(self.files)

    def real_path(self, path: str) -> str:
        """Where a link of the tree leads; other paths, and links that lead nowhere in the tree, as they are."""
        file = self.files.get(path)
        if file is None or not file.is_link:
            return path
        try:
            target = os.fsdecode(self.reader.resolve(file.name_on_disk))
        except Unreadable:
            return path
        return target if target in self.files else path

    def is_directory(self, path: str) -> bool:
        """True when some file lies below this folder."""
        prefix = path.strip("/") + "/"
        return bool(self.files) if prefix in ("/", "./") else any(True for _ in self._below(prefix))

    def read(self, path: str) -> bytes | None:
        """The bytes of a file, or None when it is not among `files`.

        None also, with a problem recorded, when it cannot be read, is too large, or is a Go file with binary
        data; with a diagnostic only when it is large and binary, because such a file is not source code.
        """
        if path in self._bytes:
            return self._bytes[path]
        file = self.files.get(path)
        data = None if file is None else self._load(file)
        if data is None or self._kept + len(data) <= CACHE_BYTES:
            self._bytes[path] = data
            self._kept += len(data or b"")
        return data

    def _load(self, file: SourceFile) -> bytes | None:
        try:
            data = self.reader.read(file.name_on_disk)
        except TooLarge as error:
            if not file.path.endswith(".go") and b"\0" in error.head[:BINARY_HEAD_BYTES]:
                self.diagnostics.append(Diagnostic(Level.NOTE, file.path, 1, f"not read: binary and {error}"))
                return None
            return self._refuse(file.path, str(error))
        except IsFolder as error:
            return None if file.is_link else self._refuse(file.path, str(error))
        except Unreadable as error:
            return self._refuse(file.path, str(error))
        if file.path.endswith(".go") and b"\0" in data[:BINARY_HEAD_BYTES]:
            return self._refuse(file.path, "binary data in a Go file")
        return data

    def peek(self, file: SourceFile) -> tuple[bytes, str]:
        """The bytes of a file, or why they are not read; like `read`, without recording that."""
        data = self._bytes.get(file.path)
        if data is None:
            try:
                data = self.reader.read(file.name_on_disk)
            except TooLarge as error:
                return error.head, str(error)
            except Unreadable as error:
                return b"", str(error)
        return data, ""

    @property
    def seen(self) -> Seen:
        """What came out so far beside the contents of files."""
        return Seen(tuple(self.problems), tuple(self.diagnostics), dict(self.asked))

    def adopt(self, seen: Seen) -> None:
        """Takes over what another process has seen of the same tree."""
        self.problems += [p for p in seen.problems if p not in self.problems]
        self.diagnostics += [d for d in seen.diagnostics if d not in self.diagnostics]
        self.asked |= seen.asked

    def unread_like(self, paths: Iterable[str]) -> tuple[Problem, ...]:
        """Problems at files that could belong among these: same suffix, same kind as far as paths show it.

        A prefilter passes over a file that cannot be read; whoever concludes something from the files that
        were found must count these, or what is in them would be taken for absent. A folder that could not be
        listed counts, and anything but pictures and the like when `paths` is empty.
        """
        if not self.problems:
            return ()
        looks = {(splitext(path)[1], kind_by_path(path)) for path in paths}
        if not looks:
            return tuple(p for p in self.problems if not is_media(p.path))
        return tuple(p for p in self.problems if self._look(p.path) in looks | {("", None)})

    def _look(self, path: str) -> tuple[str, FileKind | None]:
        is_file = path in self.files or path in self.missing
        return (splitext(path)[1], kind_by_path(path)) if is_file else ("", None)

    def is_changed(self, file: SourceFile) -> bool:
        """True when a tracked file is not what the index says; CRLF for LF and file modes do not count."""
        algorithm = "sha256" if len(file.blob) == 64 else "sha1"
        data = None if file.is_link else self._bytes.get(file.path)
        if data is not None:
            return file.blob not in blob_ids(data, algorithm)
        return file.blob not in self.reader.blob_ids(file.name_on_disk, algorithm, file.is_link)

    def _is_inside(self, path: str) -> bool:
        parts = path.split("/")
        return not ({"..", ".", "", ".git"} & set(parts) or "\0" in path)

    def _refuse(self, path: str, why: str) -> bytes | None:
        self.problems.append(Problem(path, 1, f"not read: {why}"))
        return None

    def text(self, path: str) -> str | None:
        """The file decoded as UTF-8 without byte order mark; bad bytes become U+FFFD. None like `read`."""
        data = self.read(path)
        return None if data is None else data.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")

    def kind(self, path: str) -> FileKind:
        """Whether a file is code, test, generated or vendored. A file that cannot be read counts as code."""
        if path not in self._kinds:
            by_path = kind_by_path(path)
            self._kinds[path] = by_path or classify(path, (self.read(path) or b"")[:HEAD_BYTES])
        return self._kinds[path]

    def grep(
        self, *literals: bytes, suffix: str = "", kinds: Collection[FileKind] = frozenset(FileKind)
    ) -> list[str]:
        """Paths with this suffix and kind whose bytes hold all literals. The prefilter of every question."""
        first, *others = literals or (b"",)
        return [
            path
            for path, data in self._contents(suffix, kinds)
            if first in data
            and (not others or all(literal in data for literal in others))
            and self.kind_is_among(path, kinds)
        ]

    def grep_any(
        self, *literals: bytes, suffix: str = "", kinds: Collection[FileKind] = frozenset(FileKind)
    ) -> list[str]:
        """Paths with this suffix and kind whose bytes hold at least one of the literals."""
        return [
            path
            for path, data in self._contents(suffix, kinds)
            if any(literal in data for literal in literals) and self.kind_is_among(path, kinds)
        ]

    def kind_is_among(self, path: str, kinds: Collection[FileKind]) -> bool:
        """True when the file's kind is one of these; costs nothing when they are all kinds."""
        return len(kinds) == len(FileKind) or self.kind(path) in kinds

    def _contents(self, suffix: str, kinds: Collection[FileKind]) -> Iterator[tuple[str, bytes]]:
        """Readable files with this suffix; those whose path shows another kind are not read at all."""
        every_kind = len(kinds) == len(FileKind)
        possible = {*kinds, FileKind.CODE}  # what the path does not show may be code or generated
        cache, read = self._bytes, self.read
        for path in self._with_suffix(suffix):
            if not every_kind and (kind_by_path(path) or FileKind.CODE) not in possible:
                continue
            data = cache.get(path) or read(path)
            if data is not None:
                yield path, data

    def _with_suffix(self, suffix: str) -> tuple[str, ...]:
        key = "\0" + suffix  # cannot be a pattern of `glob`
        if key not in self._globs:
            self._globs[key] = tuple(
                path for path, file in self.files.items() if path.endswith(suffix) and not file.is_link
            )
        return self._globs[key]

    def ignored(self, paths: Iterable[str]) -> dict[str, IgnoreMatch | None]:
        """The ignore pattern that decides about each path, or None.

        The paths need not exist; one that ends in `/`, or is a folder on disk, is judged as a folder. Tracked
        files are judged by the patterns too (like `git check-ignore --no-index`).
        """
        return {path: self._ignore_match(path) for path in paths}

    def is_ignored(self, path: str) -> bool | None:
        """True when ignore files leave this path out of git, whether or not it is tracked.

        None when the path lies outside of the tree.
        """
        if not self._is_inside(path.rstrip("/")):
            return None
        match = self._ignore_match(path)
        return match is not None and not match.negated

    def _ignore_match(self, path: str) -> IgnoreMatch | None:
        match = self._find_match(path)
        self.asked["ignored", path] = repr(match)
        return match

    def _find_match(self, path: str) -> IgnoreMatch | None:
        file = self.files.get(path)
        raw = file.name_on_disk if file else os.fsencode(path.rstrip("/"))
        is_folder = file is None and (
            path.endswith("/") or self.is_directory(path) or self._is_folder_on_disk(raw)
        )
        return self.ignore_rules.match(raw, is_folder)

    def _is_folder_on_disk(self, raw: bytes) -> bool:
        full = os.path.join(os.fsencode(self.root), raw)  # noqa: PTH118 - bytes
        return os.path.isdir(full) and not os.path.islink(full)  # noqa: PTH112, PTH114 - bytes

    def ask_git(self, *arguments: str) -> bytes:
        """What git says; empty without git. Raises GitError when it fails or takes too long."""
        said = self.git.run(*arguments) if self.git is not None else b""
        self.asked["git", *arguments] = said.decode("utf-8", "backslashreplace")
        return said

    def still_says(self, asked: Mapping[tuple[str, ...], str]) -> bool:
        """Whether these questions have the same answers here and now."""
        try:
            for kind, *arguments in asked:
                if kind == "git":
                    self.ask_git(*arguments)
                else:
                    self._ignore_match(*arguments)
        except GitError:
            return False
        return all(self.asked[question] == answer for question, answer in asked.items())

    @cached_property
    def ignore_rules(self) -> IgnoreRules:
        """What the ignore files of this tree say."""
        if self.git is None:
            return IgnoreRules(self.root, self.root)
        return IgnoreRules(self.root, self.git.top, self._exclude_file(self.git))

    def _exclude_file(self, git: Git) -> Path | None:
        if (git.top / ".git").is_dir():
            return git.top / ".git" / "info" / "exclude"
        try:
            raw = git.run("rev-parse", "--git-path", "info/exclude").removesuffix(b"\n")
        except GitError as error:
            self.diagnostics.append(Diagnostic(Level.NOTE, ".", 1, f"info/exclude is not read: {error}"))
            return None
        return git.root / os.fsdecode(raw)
