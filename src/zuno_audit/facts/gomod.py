"""Modules against what the code imports: `go mod download` and `go mod tidy` as far as files can tell.

Three tables. `go_module`: one row per go.mod. `go_requirement`: one row per required module.
`go_import`: one row per module-external import path of a module (the first place that imports it).

Test files and files under every build constraint count, as they do for `go mod tidy`; `//go:build ignore`
does not. The rules of go.sum are those of https://go.dev/ref/mod#go-sum-files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go_packages import GoHead, go_heads, go_modules, module_tree
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.modules import GoModule, Replacement, Requirement, go_version

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore


class GoSum(Struct, frozen=True):
    """The entries of a go.sum: (module, version) of contents and of go.mod files.

    `refused` is the line for which the go command refuses the whole file: one without exactly three words
    (cmd/go/internal/modfetch, readGoSum).
    """

    contents: frozenset[tuple[str, str]] = frozenset()
    mods: frozenset[tuple[str, str]] = frozenset()
    problems: tuple[Problem, ...] = ()
    refused: Problem | None = None


def read_go_sum(path: str, text: str) -> GoSum:
    """A go.sum file as data. Blank lines are fine; anything else that is no entry is a problem."""
    contents, mods, problems = set(), set(), []
    refused: Problem | None = None
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not re.fullmatch(r"h1:[A-Za-z0-9+/]{43}=", words[2]):
            problems.append(Problem(path, number, "not a go.sum entry"))
            refused = refused or (problems[-1] if len(words) != 3 else None)
        elif words[1].endswith("/go.mod"):
            mods.add((words[0], words[1].removesuffix("/go.mod")))
        else:
            contents.add((words[0], words[1]))
    return GoSum(frozenset(contents), frozenset(mods), tuple(problems), refused)


class ModuleUse(Struct, frozen=True):
    """A go.mod with what the code below it imports from outside the module."""

    module: GoModule
    sums: GoSum
    has_sum: bool
    imports: dict[str, Location]  # import path -> first place
    providers: dict[str, str]  # import path -> module that provides it
    vendored: bool = False
    has_code: bool = True

    def imported(self, module: str) -> Location | None:
        """A Go file that imports a package of this module."""
        here = self.module.file
        places = (self.imports[i] for i, m in self.providers.items() if m == module)
        return next((place for place in places if place.path != here), None)

    def tool(self, module: str) -> Location | None:
        """A `tool` line that names a package of this module."""
        here = self.module.file
        places = (self.imports[i] for i, m in self.providers.items() if m == module)
        return next((place for place in places if place.path == here), None)


def module_uses(store: FactStore) -> tuple[ModuleUse, ...]:
    """All modules of the repository with their imports."""
    modules = store.get(module_tree)
    by_root: dict[str, list[GoHead]] = {}
    for head in store.get(go_heads).values():
        root = modules.root_of(dirname(head.path))
        if root is not None and not head.is_ignored:
            by_root.setdefault(root, []).append(head)
    return tuple(_use(store, mod, by_root.get(mod.directory, [])) for mod in store.get(go_modules))


def _use(store: FactStore, mod: GoModule, heads: Iterable[GoHead]) -> ModuleUse:
    sum_path = join(mod.directory, "go.sum")
    has_sum = sum_path in store.repository
    sums = read_go_sum(sum_path, store.repository.text(sum_path) or "") if has_sum else GoSum()
    shared = _workspace_sums(store, mod.directory)
    if shared:
        sums = replace(sums, contents=sums.contents | shared.contents, mods=sums.mods | shared.mods)
    imports: dict[str, Location] = {}
    nested = [r.path for r in mod.requires if _within(r.path, mod.path)]  # modules in folders of this one
    has_code = False
    for head in heads:
        has_code = True
        for imported in head.imports:
            is_nested = any(_within(imported.path, module) for module in nested)
            if (is_nested or _is_external(imported.path, mod.path)) and imported.path not in imports:
                imports[imported.path] = at_line(head.path, imported.line)
    for tool, line in mod.tools:
        if _is_external(tool, mod.path):
            imports.setdefault(tool, at_line(mod.file, line))
    modules = [r.path for r in mod.requires] + [r.path for r in mod.replaces]
    providers = {i: m for i in sorted(imports) if (m := _provider(i, modules))}
    vendored = join(mod.directory, "vendor/modules.txt") in store.repository
    return ModuleUse(mod, sums, has_sum, imports, providers, vendored, has_code)


def _workspace_sums(store: FactStore, directory: str) -> GoSum | None:
    """What go.work.sum of the workspace around a module vouches for."""
    while True:
        path = join(directory, "go.work.sum")
        if path in store.repository:
            return read_go_sum(path, store.repository.text(path) or "")
        if not directory:
            return None
        directory = dirname(directory)


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
    problems = tuple(p for use in uses for p in (*use.module.problems, *use.sums.problems))
    return Table("go_module", rows, tuple(u.module.file for u in uses), problems)


def _module_row(store: FactStore, use: ModuleUse) -> Entity:
    mod = use.module
    sum_path = join(mod.directory, "go.sum")
    needs_sum = any(not _is_local(mod, r.path, r.version) for r in mod.requires)
    here = at_line(mod.file)
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
            "module": Answer(mod.path or None, proof=(here,)),
            "directory": Answer(mod.directory),
            "go": Answer(mod.go or None, proof=(at_line(mod.file, mod.go_line or 1),)),
            "tracked": _yes_no(store.repository.is_tracked(mod.file), "go.mod is not tracked by git"),
            "sum_tracked": tracked,
            "requirements": Answer(len(mod.requires)),
        },
    )


def _yes_no(holds: bool, otherwise: str) -> Answer:
    return Answer(YES) if holds else Answer(NO, otherwise)


def go_requirement_table(store: FactStore) -> Table:
    """Table `go_requirement`: module, version, indirect, imported, in_sum, tidy.

    A module without Go code has no rows: something else reads its go.mod.
    """
    uses = [use for use in store.get(module_uses) if use.has_code]
    rows = tuple(_requirement_row(store, use, r) for use in uses for r in use.module.requires)
    problems = tuple(p for use in uses for p in (*use.module.problems, *use.sums.problems))
    return Table("go_requirement", rows, tuple(u.module.file for u in uses), problems)


def _requirement_row(store: FactStore, use: ModuleUse, requirement: Requirement) -> Entity:
    here = at_line(use.module.file, requirement.line)
    place, tool = use.imported(requirement.path), use.tool(requirement.path)
    if place is not None:
        imported = Answer(YES, f"{place.path}:{place.line} imports it", (place,))
    elif tool is not None:
        imported = Answer(NO, f"only the tool directive in line {tool.line} needs it", (tool,))
    else:
        imported = Answer(NO, "no Go file of the module imports a package of it", (here,))
    return Entity(
        "go_requirement",
        here,
        {
            "module": Answer(requirement.path),
            "version": Answer(requirement.version),
            "indirect": Answer(YES if requirement.indirect else NO),
            "imported": imported,
            "in_sum": _in_sum(store, use, requirement, built=place is not None or tool is not None),
            "tidy": _tidy(requirement, imported, is_tool=tool is not None),
        },
    )


def _tidy(requirement: Requirement, imported: Answer, *, is_tool: bool) -> Answer:
    """Whether `go mod tidy` would leave this line as it is, as far as the main module's files tell.

    It marks what only a `tool` directive needs as indirect.
    """
    if requirement.indirect and is_tool and imported.value == NO:
        return Answer(YES, imported.because, imported.proof)
    if requirement.indirect:
        if imported.value == YES:
            return Answer(NO, f"it is marked // indirect, but {imported.because}", imported.proof)
        return Answer(UNKNOWN, "whether a dependency needs it is not in this repository", imported.proof)
    if imported.value == NO:
        return Answer(NO, f"it is required directly, but {imported.because}", imported.proof)
    return Answer(YES, imported.because, imported.proof)


def _local(store: FactStore, mod: GoModule, replacement: Replacement) -> Answer:
    """Whether the folder that replaces a module is one of this repository and holds a module."""
    here = (at_line(mod.file, replacement.line),)
    folder = normpath(join(mod.directory, replacement.new))
    if folder.startswith(("..", "/")):
        return Answer(NO, f"it is replaced by {replacement.new}, which lies outside of the repository", here)
    if normpath(join(folder, "go.mod")) not in store.repository:
        return Answer(NO, f"it is replaced by {replacement.new}, which holds no go.mod", here)
    return Answer(YES, "it is replaced by a folder", here)


def _in_sum(store: FactStore, use: ModuleUse, requirement: Requirement, *, built: bool) -> Answer:
    """Whether go.sum can vouch for the module.

    The hash of its go.mod is always needed. The hash of its contents is needed when a package of it is
    built: when it is imported, and since Go 1.17 for every requirement, because from then on go.mod lists
    exactly the modules that provide packages (https://go.dev/ref/mod#graph-pruning).
    """
    here = (at_line(use.module.file, requirement.line),)
    module, version = requirement.path, requirement.version
    replacement = _replacement_for(use.module, module, version)
    if replacement is not None:
        if replacement.is_local:
            return _local(store, use.module, replacement)
        module, version = replacement.new, replacement.new_version
    sum_path = join(use.module.directory, "go.sum")
    if not use.has_sum:
        return Answer(NO, f"{sum_path} is missing", here)
    if (refused := use.sums.refused) is not None:
        because = f"line {refused.line} of {refused.path} is no entry, and the go command refuses the file"
        return Answer(UNKNOWN, because, (at_line(refused.path, refused.line),), failed=True)
    entry = (module, version)
    if entry not in use.sums.mods and entry not in use.sums.contents:
        return Answer(NO, f"{sum_path} has no entry for {module} {version}", here)
    if entry not in use.sums.mods:
        return Answer(NO, f"{sum_path} has no /go.mod hash for {module} {version}", here)
    if (built or is_at_least(use.module.go, "1.17")) and entry not in use.sums.contents:
        return Answer(NO, f"{sum_path} has no hash for the contents of {module} {version}", here)
    return Answer(YES, f"{sum_path} has its hashes", here)


def is_at_least(version: str, wanted: str) -> bool:
    """True when a Go version such as `1.25.1` or `1.25rc1` is not older than another; false when unknown."""
    ours = go_version(version)
    theirs = go_version(wanted)
    return ours is not None and theirs is not None and ours >= theirs


def _is_local(mod: GoModule, module: str, version: str) -> bool:
    replacement = _replacement_for(mod, module, version)
    return replacement is not None and replacement.is_local


def _replacement_for(mod: GoModule, module: str, version: str) -> Replacement | None:
    """The replace line that applies; one for a version goes before one for all versions."""
    fitting = [r for r in mod.replaces if r.path == module and r.version in ("", version)]
    return max(fitting, key=lambda r: bool(r.version), default=None)


def go_import_table(store: FactStore) -> Table:
    """Table `go_import`: import (path), module (the requirement that provides it, or null), provided."""
    uses = store.get(module_uses)
    rows = tuple(row for use in uses for row in _import_rows(store, use))
    return Table("go_import", rows, tuple(sorted({r.location.path for r in rows})))


def _import_rows(store: FactStore, use: ModuleUse) -> Iterator[Entity]:
    workspace = {m.path for m in store.get(go_modules)} if has_workspace(store) else set()
    for path, place in sorted(use.imports.items(), key=lambda item: (item[1], item[0])):
        module = use.providers.get(path) or _provider(path, workspace)
        if module:
            provided = Answer(YES, f"module {module} provides it", (place,))
        else:
            provided = Answer(NO, f"no module that {use.module.file} requires provides it", (place,))
        fields = {"import": Answer(path), "module": Answer(module), "provided": provided}
        yield Entity("go_import", place, {**fields, "go_mod": Answer(use.module.file)})


def has_workspace(store: FactStore) -> bool:
    """Whether a go.work joins the modules of the repository."""
    return any(p == "go.work" or p.endswith("/go.work") for p in store.repository.files)
