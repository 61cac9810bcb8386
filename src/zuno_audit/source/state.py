"""What the audited tree is, as one digest: two trees with the same digest hold the same for every rule.

Contents count, not times. What rules ask beyond the listed files (whether git ignores a path, which tags there are)
is not in it; `Repository.asked` has those questions and their answers.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository, SourceFile

MAX_STATE_BYTES = 512 * 1024 * 1024  # to read and digest more takes longer than the rules do
TICK_SECONDS = 0.02  # file systems tell the time of a change in steps of up to 10 ms


def state_of(repository: Repository) -> str | None:
    """The digest of the files and of what is odd about their listing; None for a tree that is too large.

    Nothing is recorded of files that cannot be read: a rule that does not look at them must not learn of them.
    """
    total = hashlib.blake2b(digest_size=32)
    total.update(
        msgspec.json.encode((repository.git is None, sorted(repository.missing), *repository.listed))
    )
    size = 0
    for file in repository.files.values():
        data, told = repository.peek(file)
        size += len(data)
        if size > MAX_STATE_BYTES:
            return None
        name = file.name_on_disk.hex()
        said = (name, file.tracked, file.is_link, told, _target(repository, file), len(data))
        total.update(msgspec.json.encode(said))
        total.update(data)
    return total.hexdigest()


def _target(repository: Repository, file: SourceFile) -> str:
    return repository.real_path(file.path) if file.is_link else ""


def is_untouched(repository: Repository, since: float) -> bool:
    """Whether no file of the tree has changed since a time, in seconds since 1970."""
    limit = since - TICK_SECONDS
    root = os.fsencode(repository.root)
    try:
        for file in repository.files.values():
            seen = os.lstat(os.path.join(root, file.name_on_disk))  # noqa: PTH118 - bytes
            if max(seen.st_ctime, seen.st_mtime) >= limit:
                return False
    except OSError:
        return False
    return True
