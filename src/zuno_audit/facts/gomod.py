"""Modules against what the code imports: `go mod download` and `go mod tidy` as far as files can tell.

Three tables. `go_module`: one row per go.mod. `go_requirement`: one row per required module.
`go_import`: one row per module-external import path of a module (the first place that imports it).

Test files and files under every build constraint count, as they do for `go mod tidy`; `//go:build ignore`
does not. The rules of go.sum are those of https://go.dev/ref/mod#go-sum-files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, join
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go_packages import GoHead, go_heads, module_of, module_roots
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_BLOCK = re.compile(r"^(require|replace|exclude|retract|tool|ignore|godebug)\s*\($")
_DIRECTIVE = re.compile(r"^(module|go|toolchain|require|replace|exclude|retract|tool|ignore|godebug)\s+(.+)$")


class Requirement(Struct, frozen=True):
    """One `require` line."""

    module: str
    version: str
    indirect: bool
    line: int


class Replacement(Struct, frozen=True):
    """One `replace` line. `target` is a module path, or a folder when it starts with `.` or `/`."""

    module: str
    version: str
    target: str
    target_version: str
    line: int

    @property
    def is_local(self) -> bool:
        return self.target.startswith(("./", "../", "/")) or self.target in (".", "..")


class GoMod(Struct, frozen=True):
    """What a go.mod file says. `go` and `toolchain` are empty when it does not say."""

    path: str
    module: str = ""
    go: str = ""
    go_line: int = 1
    toolchain: str = ""
    requirements: tuple[Requirement, ...] = ()
    replacements: tuple[Replacement, ...] = ()
    tools: tuple[tuple[str, int], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def directory(self) -> str:
        return dirname(self.path)


def read_go_mod(path: str, text: str) -> GoMod:
    """A go.mod file as data; lines that make no sense become problems."""
    found: dict[str, list[tuple[str, int, bool]]] = {}
    problems = []
    block = ""
    for number, raw in enumerate(text.splitlines(), 1):
        body, _, comment = raw.partition("//")
        body = body.strip()
        if not body:
            continue
        if block:
            if body == ")":
                block = ""
                continue
            verb, rest = block, body
        elif opening := _BLOCK.match(body):
            block = opening.group(1)
            continue
        elif directive := _DIRECTIVE.match(body):
            verb, rest = directive.group(1), directive.group(2)
        else:
            problems.append(Problem(path, number, "not a go.mod directive"))
            continue
        indirect = comment.strip() == "indirect" or comment.strip().startswith("indirect;")
        found.setdefault(verb, []).append((rest, number, indirect))
    if block:
        problems.append(Problem(path, len(text.splitlines()), f"the {block} block is not closed"))
    return _go_mod(path, found, problems)


def _go_mod(path: str, found: dict[str, list[tuple[str, int, bool]]], problems: list[Problem]) -> GoMod:
    requirements = []
    for rest, number, indirect in found.get("require", []):
        words = rest.replace('"', "").split()
        if len(words) == 2:
            requirements.append(Requirement(words[0], words[1], indirect, number))
        else:
            problems.append(Problem(path, number, "a require line needs a module and a version"))
    module = found.get("module", [("", 1, False)])[0][0].strip('"')
    if not module:
        problems.append(Problem(path, 1, "no module directive"))
    go, go_line, _ = found.get("go", [("", 1, False)])[0]
    return GoMod(
        path,
        module,
        go,
        go_line,
        found.get("toolchain", [("", 1, False)])[0][0],
        tuple(requirements),
        tuple(r for rest, number, _ in found.get("replace", []) if (r := _replacement(rest, number))),
        tuple((rest.strip('"'), number) for rest, number, _ in found.get("tool", [])),
        tuple(problems),
    )


def _replacement(rest: str, line: int) -> Replacement | None:
    left, arrow, right = rest.replace('"', "").partition("=>")
    old, new = left.split(), right.split()
    if not arrow or not old or not new:
        return None
    return Replacement(old[0], old[1] if len(old) > 1 else "", new[0], new[1] if len(new) > 1 else "", line)


def go_mods(store: FactStore) -> tuple[GoMod, ...]:
    """Every go.mod that the go tool looks at, sorted by path."""
    repository = store.repository
    roots = sorted(
        p
        for p in repository.files
        if (p == "go.mod" or p.endswith("/go.mod"))
        and not any(part in ("vendor", "testdata") or part[:1] in ("_", ".") for part in p.split("/"))
    )
    return tuple(read_go_mod(p, repository.text(p) or "") for p in roots)


class GoSum(Struct, frozen=True):
    """The entries of a go.sum: (module, version) of contents and of go.mod files."""

    contents: frozenset[tuple[str, str]] = frozenset()
    mods: frozenset[tuple[str, str]] = frozenset()
    problems: tuple[Problem, ...] = ()


def read_go_sum(path: str, text: str) -> GoSum:
    """A go.sum file as data. Blank lines are fine; anything else that is no entry is a problem."""
    contents, mods, problems = set(), set(), []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", words[2]):
            problems.append(Problem(path, number, "not a go.sum entry"))
        elif words[1].endswith("/go.mod"):
            mods.add((words[0], words[1].removesuffix("/go.mod")))
        else:
            contents.add((words[0], words[1]))
    return GoSum(frozenset(contents), frozenset(mods), tuple(problems))


class ModuleUse(Struct, frozen=True):
    """A go.mod with what the code below it imports from outside the module."""

    mod: GoMod
    sums: GoSum
    has_sum: bool
    imports: dict[str, Location]  # import path -> first place
    providers: dict[str, str]  # import path -> module that provides it
    vendored: bool = False

    def imported(self, module: str) -> Location | None:
        """A place that imports a package of this module."""
        return next((self.imports[i] for i, m in self.providers.items() if m == module), None)


def module_uses(store: FactStore) -> tuple[ModuleUse, ...]:
    """All modules of the repository with their imports."""
    roots = store.get(module_roots)
    by_root: dict[str, list[GoHead]] = {}
    for head in store.get(go_heads).values():
        root = module_of(dirname(head.path), roots)
        if root is not None and not head.is_ignored:
            by_root.setdefault(root, []).append(head)
    return tuple(_use(store, mod, by_root.get(mod.directory, [])) for mod in store.get(go_mods))


def _use(store: FactStore, mod: GoMod, heads: Iterable[GoHead]) -> ModuleUse:
    sum_path = join(mod.directory, "go.sum")
    has_sum = sum_path in store.repository
    sums = read_go_sum(sum_path, store.repository.text(sum_path) or "") if has_sum else GoSum()
    imports: dict[str, Location] = {}
    for head in heads:
        for imported in head.imports:
            if _is_external(imported.path, mod.module) and imported.path not in imports:
                imports[imported.path] = at_line(head.path, imported.line)
    for tool, line in mod.tools:
        if _is_external(tool, mod.module):
            imports.setdefault(tool, at_line(mod.path, line))
    modules = [r.module for r in mod.requirements] + [r.module for r in mod.replacements]
    providers = {i: m for i in sorted(imports) if (m := _provider(i, modules))}
    vendored = join(mod.directory, "vendor/modules.txt") in store.repository
    return ModuleUse(mod, sums, has_sum, imports, providers, vendored)


def _is_external(path: str, module: str) -> bool:
    """True for an import that another module must provide: not std, not C, not of this module."""
    first = path.split("/", 1)[0]
    return "." in first and not path.startswith((".", "/")) and not _within(path, module)


def _within(path: str, module: str) -> bool:
    return path == module or path.startswith(module + "/")


def _provider(path: str, modules: Iterable[str]) -> str | None:
    """The required module with the longest path that is a prefix of the import."""
    return max((m for m in modules if _within(path, m)), key=len, default=None)


def go_module_table(store: FactStore) -> Table:
    """Table `go_module`: module, go, sum_tracked, mod_tracked, complete (of go.sum), problems."""
    uses = store.get(module_uses)
    rows = tuple(_module_row(store, use) for use in uses)
    problems = tuple(p for use in uses for p in (*use.mod.problems, *use.sums.problems))
    return Table("go_module", rows, tuple(u.mod.path for u in uses), problems)


def _module_row(store: FactStore, use: ModuleUse) -> Entity:
    mod = use.mod
    sum_path = join(mod.directory, "go.sum")
    needs_sum = any(not _is_local(mod, r.module, r.version) for r in mod.requirements)
    here = at_line(mod.path)
    if not needs_sum:
        tracked = Answer(YES, "the module requires nothing that go.sum would have to vouch for", (here,))
    elif store.repository.is_tracked(sum_path):
        tracked = Answer(YES, f"{sum_path} is tracked", (at_line(sum_path),))
    else:
        state = "is not tracked by git" if sum_path in store.repository else "is missing"
        tracked = Answer(NO, f"{sum_path} {state}", (here,))
    return Entity(
        "go_module",
        here,
        {
            "module": Answer(mod.module or None, proof=(here,)),
            "directory": Answer(mod.directory),
            "go": Answer(mod.go or None, proof=(at_line(mod.path, mod.go_line),)),
            "tracked": _yes_no(store.repository.is_tracked(mod.path), "go.mod is not tracked by git"),
            "sum_tracked": tracked,
            "requirements": Answer(len(mod.requirements)),
        },
    )


def _yes_no(holds: bool, otherwise: str) -> Answer:
    return Answer(YES) if holds else Answer(NO, otherwise)


def go_requirement_table(store: FactStore) -> Table:
    """Table `go_requirement`: module, version, indirect, imported, in_sum, tidy."""
    uses = store.get(module_uses)
    rows = tuple(_requirement_row(use, r) for use in uses for r in use.mod.requirements)
    problems = tuple(p for use in uses for p in (*use.mod.problems, *use.sums.problems))
    return Table("go_requirement", rows, tuple(u.mod.path for u in uses), problems)


def _requirement_row(use: ModuleUse, requirement: Requirement) -> Entity:
    here = at_line(use.mod.path, requirement.line)
    place = use.imported(requirement.module)
    imported = (
        Answer(YES, f"{place.path}:{place.line} imports it", (place,))
        if place
        else Answer(NO, "no Go file of the module imports a package of it", (here,))
    )
    return Entity(
        "go_requirement",
        here,
        {
            "module": Answer(requirement.module),
            "version": Answer(requirement.version),
            "indirect": Answer(YES if requirement.indirect else NO),
            "imported": imported,
            "in_sum": _in_sum(use, requirement, place is not None),
            "tidy": _tidy(requirement, imported),
        },
    )


def _tidy(requirement: Requirement, imported: Answer) -> Answer:
    """Whether `go mod tidy` would leave this line as it is, as far as the main module's files tell."""
    if requirement.indirect:
        if imported.value == YES:
            return Answer(NO, f"it is marked // indirect, but {imported.because}", imported.proof)
        return Answer(UNKNOWN, "whether a dependency needs it is not in this repository", imported.proof)
    if imported.value == NO:
        return Answer(NO, f"it is required directly, but {imported.because}", imported.proof)
    return Answer(YES, imported.because, imported.proof)


def _in_sum(use: ModuleUse, requirement: Requirement, imported: bool) -> Answer:
    """Whether go.sum can vouch for the module.

    The hash of its go.mod is always needed. The hash of its contents is needed when a package of it is
    built: when it is imported, and since Go 1.17 for every requirement, because from then on go.mod lists
    exactly the modules that provide packages (https://go.dev/ref/mod#graph-pruning).
    """
    here = (at_line(use.mod.path, requirement.line),)
    module, version = requirement.module, requirement.version
    replacement = _replacement_for(use.mod, module, version)
    if replacement is not None:
        if replacement.is_local:
            return Answer(YES, "it is replaced by a folder", here)
        module, version = replacement.target, replacement.target_version
    sum_path = join(use.mod.directory, "go.sum")
    if not use.has_sum:
        return Answer(NO, f"{sum_path} is missing", here)
    entry = (module, version)
    if entry not in use.sums.mods and entry not in use.sums.contents:
        return Answer(NO, f"{sum_path} has no entry for {module} {version}", here)
    if entry not in use.sums.mods:
        return Answer(NO, f"{sum_path} has no /go.mod hash for {module} {version}", here)
    if (imported or is_at_least(use.mod.go, "1.17")) and entry not in use.sums.contents:
        return Answer(NO, f"{sum_path} has no hash for the contents of {module} {version}", here)
    return Answer(YES, f"{sum_path} has its hashes", here)


def is_at_least(version: str, wanted: str) -> bool:
    """True when a Go version such as `1.25.1` or `1.25rc1` is not older than another; false when unknown."""
    ours = go_version(version)
    theirs = go_version(wanted)
    return ours is not None and theirs is not None and ours >= theirs


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


def _is_local(mod: GoMod, module: str, version: str) -> bool:
    replacement = _replacement_for(mod, module, version)
    return replacement is not None and replacement.is_local


def _replacement_for(mod: GoMod, module: str, version: str) -> Replacement | None:
    """The replace line that applies; one for a version goes before one for all versions."""
    fitting = [r for r in mod.replacements if r.module == module and r.version in ("", version)]
    return max(fitting, key=lambda r: bool(r.version), default=None)


def go_import_table(store: FactStore) -> Table:
    """Table `go_import`: import (path), module (the requirement that provides it, or null), provided."""
    uses = store.get(module_uses)
    rows = tuple(row for use in uses for row in _import_rows(store, use))
    return Table("go_import", rows, tuple(sorted({r.location.path for r in rows})))


def _import_rows(store: FactStore, use: ModuleUse) -> Iterator[Entity]:
    workspace = {m.module for m in store.get(go_mods)} if _has_workspace(store) else set()
    for path, place in sorted(use.imports.items(), key=lambda item: (item[1], item[0])):
        module = use.providers.get(path) or _provider(path, workspace)
        if module:
            provided = Answer(YES, f"module {module} provides it", (place,))
        else:
            provided = Answer(NO, f"no module that {use.mod.path} requires provides it", (place,))
        fields = {"import": Answer(path), "module": Answer(module), "provided": provided}
        yield Entity("go_import", place, {**fields, "go_mod": Answer(use.mod.path)})


def _has_workspace(store: FactStore) -> bool:
    return any(p == "go.work" or p.endswith("/go.work") for p in store.repository.files)
