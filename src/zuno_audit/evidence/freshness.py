"""Whether evidence still speaks of the tree that is audited.

It does when it names a commit and no audited file differs from that commit, or when it is newer than the
newest commit and than every file that was changed since. What lies below `.zuno-audit/` is about the audit
and not audited, so evidence may be committed without making itself stale.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from zuno_audit.evidence.observation import Meta
from zuno_audit.evidence.places import OWN_FOLDER
from zuno_audit.source.info import changed_since, last_commit_time
from zuno_audit.source.repository import Repository

TOLERANCE = 300.0  # seconds by which clocks of two machines may differ


class Freshness:
    """Answers for one audited tree: `now` in seconds since 1970, `commit` its HEAD, None without git.

    `evidence_folder` is where evidence lies inside the tree, empty when it lies outside.
    """

    def __init__(
        self, repository: Repository, now: float, commit: str | None, evidence_folder: str = ""
    ) -> None:
        self.repository = repository
        self.now = now
        self.commit = commit
        self._own = tuple(f"{p.rstrip('/')}/" for p in (OWN_FOLDER, evidence_folder) if p)
        self._changed: dict[str, tuple[str, ...] | None] = {}

    def why_stale(self, meta: Meta, made_at: float | None, *, is_tracked: bool) -> str:
        """Empty for fresh evidence, else a clause that says why it decides nothing.

        `made_at` is what the content or, for a file that git does not track, the file system says: a checkout
        gives tracked files the time of the checkout, which says nothing.
        """
        if meta.commit:
            return self._by_commit(meta)
        if made_at is None and is_tracked:
            return "it names no commit, and for a tracked file the time of the file says nothing"
        if made_at is None:
            return "it names neither a commit nor a time"
        return self._by_time(made_at)

    def _by_commit(self, meta: Meta) -> str:
        short = meta.commit[:12]
        changed = self.changed_since(meta.commit)
        if changed is None:
            return f"it was made at commit {short}, which is not known here"
        if changed:
            others = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
            return f"it was made at commit {short}, and {changed[0]}{others} changed since"
        return f"it was made from uncommitted changes on top of commit {short}" if meta.dirty else ""

    def changed_since(self, commit: str) -> tuple[str, ...] | None:
        """Audited paths that differ from a commit, without the audit's own; None if it is unknown."""
        if commit not in self._changed:
            changed = changed_since(self.repository, commit)
            self._changed[commit] = changed and tuple(p for p in changed if not p.startswith(self._own))
        return self._changed[commit]

    def _by_time(self, made_at: float) -> str:
        if made_at > self.now + TOLERANCE:
            return "its time lies in the future"
        newest, what = self._newest
        if newest is None:
            return "nothing tells when the audited files were last changed"
        return f"it is older than {what}" if made_at < newest else ""

    @cached_property
    def _newest(self) -> tuple[float | None, str]:
        """When the audited tree was last changed, and by what."""
        committed = last_commit_time(self.repository)
        moments: list[tuple[float, str]] = [] if committed is None else [(float(committed), "the commit")]
        paths = self.changed_since(self.commit) if self.commit else tuple(self.repository.files)
        for path in paths or ():
            if not path.startswith(self._own) and (when := self._modified(path)) is not None:
                moments.append((when, f"the change of {path}"))
        return max(moments, default=(None, ""))

    def _modified(self, path: str) -> float | None:
        file = self.repository.files.get(path)
        name = path if file is None else file.name_on_disk.decode("utf-8", "surrogateescape")
        try:
            return Path(self.repository.root, name).lstat().st_mtime
        except OSError:
            return None
