"""Where the tree stands in git's history: commit, branch, tags, and what differs from the commit.

What differs is found without `git status` or `git diff`: these may run the filters that a hostile
`.git/config` names. Files are hashed here instead and compared with the ids in the index.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from msgspec import Struct

from zuno_audit.model.result import RepositoryInfo
from zuno_audit.source.git import Git, GitError
from zuno_audit.source.repository import Repository

_MODULE = re.compile(
    r"^module[ \t]+\"?((?:github\.com|gitlab\.com|bitbucket\.org|codeberg\.org)/[\w.-]+/[\w.-]+)",
    re.MULTILINE,
)
_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_SCP_LIKE = re.compile(r"(?:[^@/:]+@)?([A-Za-z0-9.-]{2,}):(?![/:]/)/?([^\s:\\]+)")


class Tag(Struct, frozen=True):
    """A tag. `target` is the commit it leads to; only annotated tags carry a tagger and a date."""

    name: str
    annotated: bool
    target: str


def git_info(repository: Repository) -> RepositoryInfo:
    """Commit, branch, whether the audited files differ from the commit, and an https address of the repository."""
    git = repository.git
    if git is None:
        return RepositoryInfo()
    commit, branch = _head(git)
    return RepositoryInfo(
        commit,
        branch,
        is_dirty(repository, commit),
        https_url(_ask(git, "config", "--get", "remote.origin.url")) or _module_url(repository),
    )


def _module_url(repository: Repository) -> str | None:
    """Without an https origin: the address that the root module's path names, where its host is a known forge."""
    found = _MODULE.search(repository.text("go.mod") or "")
    return f"https://{found.group(1)}" if found else None


def _head(git: Git) -> tuple[str | None, str | None]:
    lines = (_ask(git, "rev-parse", "HEAD", "--symbolic-full-name", "HEAD") or "").split("\n")
    if len(lines) == 2:
        return lines[0], _branch(lines[1])
    return None, _branch(_ask(git, "symbolic-ref", "--quiet", "HEAD") or "")


def _branch(reference: str) -> str | None:
    return reference.removeprefix("refs/heads/") if reference.startswith("refs/heads/") else None


def _ask(git: Git, *arguments: str) -> str | None:
    """What git says, or None when it cannot say it: no such commit, no such setting, a broken repository."""
    try:
        return git.run(*arguments).decode("utf-8", "backslashreplace").removesuffix("\n")
    except GitError:
        return None


def https_url(remote: str | None) -> str | None:
    """The address of a remote as https without user, password, query and `.git`; None for a path."""
    if remote is None:
        return None
    scp = _SCP_LIKE.fullmatch(remote)
    if scp and "://" not in remote:
        host, path = scp.groups()
        return f"https://{host.lower()}/{_clean(path)}"
    try:
        parts = urlsplit(remote)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if (
        parts.scheme not in ("https", "http", "ssh", "git", "git+ssh", "ssh+git")
        or not host
        or not parts.path.strip("/")
    ):
        return None
    keeps_port = port is not None and parts.scheme in ("http", "https")
    return f"https://{host}{f':{port}' if keeps_port else ''}/{_clean(parts.path)}"


def _clean(path: str) -> str:
    return path.split("?")[0].split("#")[0].strip("/").removesuffix(".git")


def is_dirty(repository: Repository, commit: str | None) -> bool:
    """True when an audited file is untracked, deleted, staged or changed. File modes do not count."""
    if repository.git is None:
        return False
    if repository.missing or commit is None or any(not f.tracked for f in repository.files.values()):
        return bool(repository.files or repository.missing)
    return bool(_staged(repository.git)) or any(repository.is_changed(f) for f in repository.files.values())


def _staged(git: Git) -> tuple[str, ...]:
    return _names(git, "diff-index", "--cached", "--name-only", "-z", *_PLAIN_DIFF, "HEAD", "--", ".")


_PLAIN_DIFF = ("--no-ext-diff", "--no-textconv", "--no-renames", "--ignore-submodules=all", "--relative")


def _names(git: Git, *arguments: str) -> tuple[str, ...]:
    output = git.run(*arguments)
    return tuple(name.decode("utf-8", "backslashreplace") for name in output.split(b"\0") if name)


def changed_since(repository: Repository, commit: str) -> tuple[str, ...] | None:
    """Audited paths whose content differs from what it was at `commit` (a hex id), sorted.

    None when that commit is not known here (a shallow clone, another repository) or there is no git.
    """
    git = repository.git
    if git is None or not _COMMIT.fullmatch(commit):
        return None
    try:
        committed = _names(
            git, "diff-tree", "-r", "--name-only", "-z", *_PLAIN_DIFF, commit, "HEAD", "--", "."
        )
        changed = {*committed, *_staged(git), *repository.missing}
    except GitError:
        return None
    changed.update(p for p, f in repository.files.items() if not f.tracked or repository.is_changed(f))
    return tuple(sorted(changed))


def tags(repository: Repository) -> tuple[Tag, ...]:
    """All tags, sorted by name. Empty without git."""
    if repository.git is None:
        return ()
    shape = "%(refname:strip=2)%09%(objecttype)%09%(objectname)%09%(*objectname)"
    lines = (_ask(repository.git, "for-each-ref", f"--format={shape}", "refs/tags") or "").split("\n")
    return tuple(_tag(*line.split("\t")) for line in lines if line.count("\t") == 3)


def _tag(name: str, kind: str, object_id: str, peeled: str) -> Tag:
    return Tag(name, kind == "tag", peeled or object_id)


def last_commit_time(repository: Repository) -> int | None:
    """When the newest commit was made, in seconds since 1970 (committer time), or None."""
    if repository.git is None:
        return None
    answer = _ask(repository.git, "rev-list", "--max-count=1", "--timestamp", "HEAD")
    return int(answer.split()[0]) if answer else None
