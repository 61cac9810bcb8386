"""Checks made of a box's own words, for simple statements that no item of the checklist stands behind.

    `docs/runbook.md` exists            the file or folder is (not) there
    `.env` is ignored                   git leaves it out, and does not track it
    `deploy/prod.yaml` is committed     git tracks it
    Run `./scripts/migrate.sh`          the script is there; that it was run, no file can show

A statement that says more than that can fail by its simple part, and never passes by it. A condition ("if it
exists", "or") makes it no simple statement at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import normpath
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.model.location import at_line
from zuno_audit.model.verdict import Check, Status

if TYPE_CHECKING:
    from zuno_audit.source.repository import Repository

MAX_TEXT = 600  # characters of a statement that is read
MAX_PATHS = 12
_MARK = "§"
_CODE = re.compile(r"(?<!`)(`+)([^`\n]+)\1")
_LINK = re.compile(r"\[[^\[\]]{0,200}\]\(([^()\s]{1,300})\)")
_NOISE = re.compile(r"[*_~:;.!✅✓☑—–]|(?<=\s)-(?=\s)")
_NUMBERING = re.compile(r"\A\W*(?:\d+(?:\.\d+)+|\d+[.):])\s+")
_LEAD = (
    r"(?:(?:(?:check|verify|confirm) (?:if|whether)|please|always|verify|check|ensure|confirm|make sure"
    r"|assert|that"
    r"|the|a|an|both|all|our"
    r"|files?|folders?|directory|directories|scripts?|documents?)"
    r"\s+)*"
)
_NOUN = r"(?:\s*(?:files?|folders?|directory|directories|scripts?|documents?|page))?"
_PATHS = rf"(?P<paths>{_MARK}\d+(?:(?:\s*,\s*(?:and\s+)?|\s+and\s+){_MARK}\d+)*)"
_BE = r"(?:is|are|must be|should be|was|were|has been|have been)"
_THERE = (
    rf"(?:(?:must |should |does |do )?exists?|{_BE} (?:all )?"
    r"(?:present|there|in place|available|in the repo(?:sitory)?|added|created|written))"
)
_GONE = (
    r"(?:(?:does not|do not|doesn['’]t|don['’]t|must not|should not|no longer) exists?"
    rf"|{_BE} (?:gone|removed|deleted|not there|not present|absent))"
)
_IGNORED = (
    r"(?:(?:is|are|must be|should be|stays?|remains?) (?:all )?(?:git-?ignored|ignored(?: by git)?"
    rf"|(?:listed |covered )?(?:in|by) {_MARK}ignore"
    r"|(?:not|never) (?:committed|tracked|checked in)|untracked))"
)
_TRACKED = rf"(?:{_BE} (?:committed|tracked|checked in|under version control|in git))"
_WHERE = r"(?:\s+(?:in|to|from|into) (?:the )?(?:git|repo|repository|version control))?(?![\w-])"
_MORE = re.compile(
    r"\s*(?:,|and\b|with\b|which\b|that\b|containing\b|describing\b|documenting\b|explaining\b)"
)
_CONDITION = re.compile(r"(?i)\b(?:if|unless|when|where|once|or|optional|optionally|either|except|only)\b")
_KINDS = {
    "there": re.compile(rf"\A{_LEAD}{_PATHS}{_NOUN}\s+{_THERE}{_WHERE}"),
    "gone": re.compile(rf"\A{_LEAD}{_PATHS}{_NOUN}\s+{_GONE}{_WHERE}"),
    "ignored": re.compile(rf"\A{_LEAD}{_PATHS}{_NOUN}\s+{_IGNORED}{_WHERE}"),
    "tracked": re.compile(rf"\A{_LEAD}{_PATHS}{_NOUN}\s+{_TRACKED}{_WHERE}"),
}
_PROGRAMS = """
bash sh zsh python python3 node pwsh powershell ruby perl deno
"""
_USUAL_SUFFIXES = """
bat bash cfg conf crt css csv cue dockerfile env example gitignore go gql graphql graphqls html ini ipynb
js json jsonnet key kt lock make md markdown mjs mod pem pdf php properties proto ps1 py rb rs rst scm sh sql
sum svg tf toml ts tsv tsx txt xml yaml yml zsh dockerignore editorconfig
"""
_USUAL_NAMES = """
makefile dockerfile license tiltfile procfile codeowners jenkinsfile vagrantfile justfile
"""
_INTERPRETERS, _SUFFIXES = frozenset(_PROGRAMS.split()), frozenset(_USUAL_SUFFIXES.split())
_NAMES = frozenset(_USUAL_NAMES.split())
_RUNNERS = frozenset({"npm", "yarn", "pnpm"})
_SCRIPT = re.compile(r"(?:\./|\.\\)?[\w.@/\\-]+\.(?:sh|bash|ps1|bat|cmd|py|js|mjs|ts|rb|pl|go)\Z")


class _Statement(Struct, frozen=True):
    """A text with its code taken out: `words` holds `§0`, `§1`... for the spans."""

    words: str
    spans: tuple[str, ...]


def derived_check(text: str, folder: str, repository: Repository) -> Check | None:
    """The check that follows from the words of a box, or None where none does.

    `folder` is where the checklist lies, because paths may be meant from there. The check's `rule` is empty.
    """
    statement = _read(text[:MAX_TEXT])
    for kind, pattern in _KINDS.items():
        found = pattern.match(statement.words)
        if found is not None:
            return _simple(kind, found, statement, folder, repository)
    return _command(statement, folder, repository)


def _read(text: str) -> _Statement:
    spans: list[str] = []

    def take(span: str) -> str:
        if span.strip().lower().lstrip("./") in ("gitignore",):
            return f"{_MARK}ignore"
        spans.append(span.strip())
        return f"{_MARK}{len(spans) - 1}"

    words = _CODE.sub(lambda m: take(m.group(2)), text)
    words = _LINK.sub(lambda m: take(m.group(1)), words)
    words = re.sub(r"(?i)(?<![\w/])\.gitignore\b", f"{_MARK}ignore", words)
    words = _NOISE.sub(" ", _NUMBERING.sub("", words))
    return _Statement(" ".join(words.lower().split()), tuple(spans))


def _simple(
    kind: str, found: re.Match[str], statement: _Statement, folder: str, repository: Repository
) -> Check | None:
    rest = statement.words[found.end() :]
    if rest and (not _MORE.match(rest) or _CONDITION.search(rest)):
        return None
    spans = [statement.spans[int(n)] for n in re.findall(rf"{_MARK}(\d+)", found.group("paths"))]
    names_files = (
        re.search(r"\b(?:file|folder|director(?:y|ies)|script|document|page)", found.group()) is not None
    )
    paths = [_path(span) for span in spans]
    if len(paths) > MAX_PATHS or not all(p and (names_files or _is_path(p, kind, repository)) for p in paths):
        return None
    checks = [_look(kind, path, folder, repository) for path in paths if path]
    worst = next((c for status in _WORST for c in checks if c.status is status), checks[0])
    if rest and worst.status is Status.PASS:
        return Check(
            "", Status.MANUAL, f"{worst.reason} The rest of what it says a person must check.", worst.evidence
        )
    if worst.status is Status.PASS and len(checks) > 1:
        evidence = tuple(place for check in checks for place in check.evidence)
        return Check("", Status.PASS, " ".join(check.reason for check in checks), evidence)
    return worst


_WORST = (Status.FAIL, Status.NEEDS_EVIDENCE, Status.MANUAL)


def _path(span: str) -> str | None:
    """A path of the repository as it is looked up, or None for what is none."""
    path = span.replace("\\", "/").split("#")[0]
    path = path[2:] if path.startswith("./") else path
    if not path or len(path) > 300 or re.search(r"[\s<>|\"'$(){}=,;&?]|://|\A[/~]|\A[A-Za-z]:", path):
        return None
    return None if ".." in path.split("/") else path


def _is_path(path: str, kind: str, repository: Repository) -> bool:
    """True for what can only be a path: known in the tree, with a usual suffix, or with folders."""
    if path in repository or repository.is_directory(path) or path.lower() in _NAMES:
        return True
    if kind == "ignored":
        return "." in path or "/" in path or "*" in path
    first, _, rest = path.partition("/")
    last = path.rstrip("/").rpartition("/")[2]
    has_suffix = "." in last and last.rpartition(".")[2].lower() in _SUFFIXES
    return has_suffix or (bool(rest) and repository.is_directory(first)) or path.endswith("/")


def _look(kind: str, path: str, folder: str, repository: Repository) -> Check:
    if kind == "ignored":
        return _ignored(path, repository)
    if kind == "tracked":
        return _tracked(path, folder, repository)
    check = _there(path, folder, repository)
    if kind == "there":
        return check
    if check.status is Status.PASS:
        return Check("", Status.FAIL, check.reason, check.evidence)
    return check if check.status is not Status.FAIL else Check("", Status.PASS, check.reason)


def _found(path: str, folder: str, repository: Repository) -> list[str]:
    """The files that a path means: from the root, or from where the checklist lies."""
    for base in dict.fromkeys(("", folder)):
        at = normpath(f"{base}/{path}" if base else path)
        if "*" in path:
            if matching := sorted(repository.glob(at)):
                return matching
        elif at in repository:
            return [at]
        elif repository.is_directory(at):
            return [next(p for p in sorted(repository.files) if p.startswith(at + "/"))]
    return []


def _there(path: str, folder: str, repository: Repository) -> Check:
    found = _found(path, folder, repository)
    if found:
        return Check("", Status.PASS, f"{path} is there.", (at_line(found[0]),))
    if repository.is_ignored(path):
        return Check(
            "", Status.NEEDS_EVIDENCE, f"{path} is left out of git: no file of the repository shows it."
        )
    elsewhere = [other for other in repository.files if other.endswith("/" + path.rstrip("/"))]
    if elsewhere:
        reason = f"{path} is not at that place, but there is {elsewhere[0]}."
        return Check("", Status.MANUAL, reason, (at_line(elsewhere[0]),))
    return Check("", Status.FAIL, f"{path} is not in the repository.")


def _ignored(path: str, repository: Repository) -> Check:
    pattern = path if "*" in path else ""
    inside = [
        p
        for p in (repository.glob(f"**/{pattern}") if pattern else repository.files)
        if repository.is_tracked(p)
    ]
    prefix = path.rstrip("/") + "/"
    tracked = [p for p in inside if pattern or p == path or p.startswith(prefix)]
    if tracked:
        return Check("", Status.FAIL, f"{tracked[0]} is tracked by git.", (at_line(tracked[0]),))
    if repository.is_ignored(path):
        return Check("", Status.PASS, f"{path} is ignored by git and not tracked.", (at_line(".gitignore"),))
    return Check("", Status.FAIL, f"No pattern of .gitignore leaves out {path}.", (at_line(".gitignore"),))


def _tracked(path: str, folder: str, repository: Repository) -> Check:
    found = [p for p in _found(path, folder, repository) if repository.is_tracked(p)]
    if found:
        return Check("", Status.PASS, f"{path} is tracked by git.", (at_line(found[0]),))
    return Check("", Status.FAIL, f"{path} is not tracked by git.")


# -- commands


def _command(statement: _Statement, folder: str, repository: Repository) -> Check | None:
    """Whether the scripts that a statement tells to run are there."""
    if _CONDITION.search(statement.words):
        return None
    checks = [
        c for span in statement.spans[:MAX_PATHS] if (c := _script(span, folder, repository)) is not None
    ]
    return next((c for c in checks if c.status is Status.FAIL), checks[0] if checks else None)


def _script(span: str, folder: str, repository: Repository) -> Check | None:
    words = span.split()
    while len(words) > 1 and words[0] == "sudo":
        words = words[1:]
    if words and words[0] == "make":
        return _make_target(words[1:], repository)
    if len(words) > 2 and words[0] in _RUNNERS and words[1] == "run":
        return _package_script(words[2], repository)
    name = (
        next((w for w in words[1:2] if not w.startswith("-")), "")
        if words and words[0] in _INTERPRETERS
        else ""
    )
    name = name or (words[0] if words and ("/" in words[0] or "\\" in words[0]) else "")
    path = _path(name) if name and _SCRIPT.match(name) else None
    if path is None:
        return None
    found = _found(path, folder, repository)
    found = found or sorted(p for p in repository.files if p.endswith("/" + path))[:1]
    if found:
        return _runs(found[0], found[0])
    return Check("", Status.FAIL, f"The script {path} is not in the repository.")


def _runs(what: str, where: str, line: int = 1) -> Check:
    reason = f"{what} is there; that it was run, and how it ended, no file can show."
    return Check("", Status.NEEDS_EVIDENCE, reason, (at_line(where, line),))


def _make_target(words: list[str], repository: Repository) -> Check | None:
    targets = [w for w in words if re.fullmatch(r"[A-Za-z][\w.-]*", w)]
    if "-C" in words or "-f" in words or not targets:
        return None
    files = [p for p in repository.files if p.rpartition("/")[2] in ("Makefile", "makefile", "GNUmakefile")]
    for path in sorted(files, key=lambda p: (p.count("/"), p)):
        for number, line in _lines(repository.text(path) or ""):
            if re.match(
                rf"(?:[\w./-]+[ \t]+)*{re.escape(targets[0])}(?:[ \t]+[\w./-]+)*[ \t]*::?(?!=)", line
            ):
                return _runs(f"The target {targets[0]} of {path}", path, number)
    if any("include " in (repository.text(p) or "") or "%" in (repository.text(p) or "") for p in files):
        return None
    return Check("", Status.FAIL, f"No Makefile of the repository has a target {targets[0]}.")


def _package_script(name: str, repository: Repository) -> Check | None:
    import json

    files = [
        p for p in repository.files if p.rpartition("/")[2] == "package.json" and "node_modules/" not in p
    ]
    for path in files:
        try:
            data = json.loads(repository.text(path) or "")
        except (ValueError, RecursionError):
            return None
        scripts = data.get("scripts") if isinstance(data, dict) else None
        if isinstance(scripts, dict) and name in scripts:
            return _runs(f"The script {name} of {path}", path)
    return (
        Check("", Status.FAIL, f"No package.json of the repository has a script {name}.") if files else None
    )


def _lines(text: str) -> Iterator[tuple[int, str]]:
    return enumerate(text[:200_000].splitlines(), 1)
