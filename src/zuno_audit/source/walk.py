"""From a path on disk to a `Repository`: by git's index where there is one, by walking folders where not."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from zuno_audit.errors import SourceError
from zuno_audit.model.entity import Problem
from zuno_audit.model.finding import Diagnostic, Level
from zuno_audit.source.git import Asked, Git, GitError, find_git
from zuno_audit.source.gitignore import IgnoreRules
from zuno_audit.source.repository import Repository, SourceFile

MAX_FILES = 500_000  # about fifty times the largest repository tried
MAX_SECONDS = 20.0  # for listing; the largest repository tried takes 0.3 s without git


def open_repository(root: Path) -> Repository:
    """The repository at `root`, a folder anywhere inside a work tree or without git.

    Raises SourceError when there is no readable folder, when it is a repository without a work tree, or when
    it is too large to be listed: an audit of half a tree could pass for what lies in the other half.
    """
    return begin_listing(root).repository()


def begin_listing(root: Path) -> Listing:
    """`open_repository` in two steps: git lists the files until they are asked for.

    Raises SourceError when there is no readable folder, or it is a repository without a work tree.
    """
    folder = _checked(root)
    git = find_git(folder)
    if git is None:
        return Listing(folder)
    try:
        return Listing(folder, git, git.start("ls-files", *_LISTED))
    except GitError as error:
        return Listing(folder, git, None, str(error))


class Listing(Struct, frozen=True):
    """A folder whose files git is listing, where there is git. `failed` says why it could not be started."""

    folder: Path
    git: Git | None = None
    asked: Asked | None = None
    failed: str = ""

    def repository(self) -> Repository:
        """The repository, to be asked for once. Raises SourceError when it is too large to be listed."""
        if self.git is None:
            return _walked(self.folder, None, [])
        try:
            if self.asked is None:
                raise GitError(self.failed)
            files = _listed(self.git, self.asked)
        except GitError as error:
            note = Diagnostic(
                Level.NOTE,
                ".",
                1,
                f"git cannot read this repository ({error}); every file that is not ignored is audited",
            )
            return _walked(self.folder, self.git.top, [note])
        top = self.git.top
        if not files.files and not files.missing and top != self.folder and _is_left_out(self.folder, top):
            note = Diagnostic(Level.NOTE, ".", 1, "the work tree around this folder ignores it")
            return _walked(self.folder, None, [note])
        return _repository(self.folder, files, self.git)


def _checked(root: Path) -> Path:
    shown = str(root)
    try:
        folder = root.resolve(strict=True)
        with os.scandir(folder) as entries:
            names = {entry.name for _, entry in zip(range(1000), entries, strict=False)}
    except NotADirectoryError:
        raise SourceError(
            f"{shown} is a file, not a folder", hint="Give the root folder of the repository."
        ) from None
    except FileNotFoundError:
        raise SourceError(f"{shown} does not exist", hint="Give the root folder of the repository.") from None
    except (OSError, RuntimeError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise SourceError(f"{shown} cannot be read: {why}") from None
    if {"HEAD", "objects", "refs"} <= names and ".git" not in names:
        what = "the .git folder" if folder.name == ".git" else "a bare git repository"
        raise SourceError(
            f"{shown} is {what} and has no files to audit", hint="Check it out and audit the work tree."
        )
    return folder


class _Found(Struct):
    files: list[SourceFile] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)


def _repository(root: Path, found: _Found, git: Git | None) -> Repository:
    return Repository(root, found.files, git, found.missing, found.problems, found.diagnostics)


# --- by git ---


# One call lists the index (with modes), what is untracked and not ignored, and what was deleted.
_LISTED = ("-z", "-t", "--stage", "--cached", "--others", "--deleted", "--exclude-standard")


def _listed(git: Git, asked: Asked) -> _Found:
    output, complaint = asked.answer()
    found = _Found()
    deleted: set[bytes] = set()
    tracked: dict[bytes, tuple[str, str]] = {}
    for record in output.split(b"\0"):
        if record:
            _sort_in(git.root, record, found, tracked, deleted)
    for name, (mode, blob) in tracked.items():
        path = shown_path(name)
        if name in deleted:
            found.missing.append(path)
        else:
            found.files.append(SourceFile(path, True, mode == "120000", blob, _unless_plain(name, path)))
    if deleted:
        note = f"{len(deleted)} tracked files are not on disk, {min(found.missing)} among them"
        found.diagnostics.append(Diagnostic(Level.NOTE, ".", 1, note))
    for line in complaint.splitlines():
        found.diagnostics.append(Diagnostic(Level.WARNING, ".", 1, f"git: {line.removeprefix('warning: ')}"))
    return found


def _sort_in(
    root: Path, record: bytes, found: _Found, tracked: dict[bytes, tuple[str, str]], deleted: set[bytes]
) -> None:
    tag = record[:1]
    if tag == b"?":
        _add_untracked(root, record[2:], found)
        return
    entry, _, name = record[2:].partition(b"\t")
    mode, blob = entry.decode("ascii").split(" ")[:2]
    path = shown_path(name)
    if mode == "160000":
        note = "a submodule: its files belong to another repository and are not audited"
        found.diagnostics.append(Diagnostic(Level.NOTE, path, 1, note))
    elif tag == b"R":
        if _is_gone(root, name):  # git says "removed" of a file that it may not look at, too
            deleted.add(name)
    elif tag == b"S" and _is_gone(root, name):
        found.missing.append(path)
        found.problems.append(Problem(path, 1, "not read: tracked, but left out of this sparse checkout"))
    else:
        tracked[name] = (mode, blob)


def _is_gone(root: Path, name: bytes) -> bool:
    try:
        os.lstat(os.path.join(os.fsencode(root), name))  # noqa: PTH118 - bytes
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False


def _add_untracked(root: Path, name: bytes, found: _Found) -> None:
    path = shown_path(name)
    if name.endswith(b"/"):
        note = "a repository of its own inside the tree: its files are not audited"
        found.diagnostics.append(Diagnostic(Level.NOTE, path.rstrip("/"), 1, note))
        return
    is_link = os.path.islink(os.path.join(os.fsencode(root), name))  # noqa: PTH114, PTH118 - bytes
    found.files.append(SourceFile(path, False, is_link, "", _unless_plain(name, path)))


def _is_left_out(folder: Path, top: Path) -> bool:
    match = IgnoreRules(top, top).match(os.fsencode(folder.relative_to(top)), True)
    return match is not None and not match.negated


def shown_path(name: bytes) -> str:
    """A file name as text that can be written anywhere: bytes that are not UTF-8 become `\\xNN`."""
    return name.decode("utf-8", "backslashreplace")


def _unless_plain(name: bytes, path: str) -> bytes:
    """The name on disk, where the text does not already say it."""
    return b"" if path.encode() == name else name


# --- by walking ---


def _walked(root: Path, top: Path | None, diagnostics: list[Diagnostic]) -> Repository:
    found = _Found(diagnostics=diagnostics)
    rules = IgnoreRules(root, top, top / ".git" / "info" / "exclude") if top else IgnoreRules(root, root)
    deadline = time.monotonic() + MAX_SECONDS
    for name, is_link in _walk(os.fsencode(root), rules, found):
        path = shown_path(name)
        found.files.append(SourceFile(path, True, is_link, "", _unless_plain(name, path)))
        if len(found.files) > MAX_FILES or time.monotonic() > deadline:
            limit = f"{MAX_FILES} files or {MAX_SECONDS:.0f} seconds"
            raise SourceError(
                f"{root} is too large to be listed: more than {limit}", hint="Audit a part of it."
            )
    repository = _repository(root, found, None)
    repository.ignore_rules = rules
    return repository


def _walk(root: bytes, rules: IgnoreRules, found: _Found) -> Iterator[tuple[bytes, bool]]:
    """Files below `root` that are not ignored, and whether each is a link. Links are not entered."""
    waiting = [b""]
    while waiting:
        folder = waiting.pop()
        for entry in _entries(root, folder, found):
            name = folder + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name == b".git" or _is_ignored(rules, name, is_folder):
                continue
            if is_folder:
                waiting.append(name + b"/")
            elif entry.is_symlink() or entry.is_file(follow_symlinks=False):
                yield name, entry.is_symlink()
            else:
                what = _special(entry)
                found.diagnostics.append(Diagnostic(Level.NOTE, shown_path(name), 1, f"{what}: not read"))


def _entries(root: bytes, folder: bytes, found: _Found) -> list[os.DirEntry[bytes]]:
    try:
        with os.scandir(root + b"/" + folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        path = shown_path(folder.rstrip(b"/")) or "."
        found.problems.append(Problem(path, 1, f"not read: {error.strerror}"))
        return []


def _is_ignored(rules: IgnoreRules, name: bytes, is_folder: bool) -> bool:
    match = rules.match(name, is_folder)
    return match is not None and not match.negated


def _special(entry: os.DirEntry[bytes]) -> str:
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
    except OSError:
        return "not a regular file"
    return "a FIFO" if stat.S_ISFIFO(mode) else "not a regular file"
