"""Git tags, as git knows them."""

from __future__ import annotations

from zuno_audit.facts.base import FactStore
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import at_line
from zuno_audit.source.git import GitError

FORMAT = "%(refname:strip=2)%00%(objecttype)%00%(*objecttype)%00%(*objectname)%00%(objectname)"
PLACE = at_line(".git/refs/tags")


def git_tag(store: FactStore) -> Table:
    """Table `git_tag`: one row per tag.

    Fields: `name`, `annotated` yes/no (a tag object with author and message, not a bare name), `commit`
    (what it points to, or None when that is no commit). Without git there is a single row whose fields are
    unknown.
    """
    repository = store.repository
    if repository.git is None:
        unknown = Answer(UNKNOWN, "the folder is not a git work tree, so its tags are not known")
        row = Entity("git_tag", at_line("."), {"name": unknown, "annotated": unknown, "commit": unknown})
        return Table("git_tag", (row,), (".",))
    try:
        said = repository.ask_git("for-each-ref", f"--format={FORMAT}", "refs/tags")
    except GitError as error:
        return Table("git_tag", (), (), (Problem(".git", 1, f"the tags cannot be read: {error}"),))
    listing = said.decode("utf-8", "replace")
    rows = tuple(_row(line) for line in sorted(listing.splitlines()) if line.count("\0") == 4)
    return Table("git_tag", rows, (".git",))


def _row(line: str) -> Entity:
    name, kind, target_kind, target, own = line.split("\0")
    annotated = kind == "tag"
    because = "it is a tag object" if annotated else "it is a bare name for a commit"
    commit = target if annotated and target_kind == "commit" else own if kind == "commit" else None
    fields = {
        "name": Answer(name),
        "annotated": Answer(YES if annotated else NO, because),
        "commit": Answer(commit),
    }
    return Entity("git_tag", PLACE, fields)
