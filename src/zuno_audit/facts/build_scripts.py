"""Scripts that build binaries: which package each `go build` names, and whether that package can be built.

Table `build_script`: one row per package that a script builds. Batch, shell and PowerShell scripts and
Makefile targets are read as `languages.script` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from posixpath import basename, dirname, normpath
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.go_compile import go_compile
from zuno_audit.facts.go_packages import GoPackages, go_packages, module_tree
from zuno_audit.facts.gomod import has_workspace, module_uses
from zuno_audit.languages.script import (
    REPO_ROOT,
    SCRIPT_DIR,
    Command,
    commands,
    dialect_of,
    is_dynamic,
    places,
    resolve,
)
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.source.modules import ModuleTree

# `go help build`: the flags that take a value as a word of their own.
_VALUE_FLAGS = frozenset(
    re.findall(
        r"-\w+",
        """-o -p -C -asmflags -buildmode -compiler -covermode -coverpkg -gccgoflags -gcflags -installsuffix
        -ldflags -mod -modfile -overlay -pgo -pkgdir -tags -toolexec""",
    )
)
_PRINTS = frozenset({"echo", "printf", "rem", "write-host", "write-output", ":", "true", "false"})
_MAIN = re.compile(rb"^func\s+main\s*\(\s*\)", re.MULTILINE)


class BuildTarget(Struct, frozen=True):
    """One argument of a `go build`, with the folders it can mean."""

    script: str
    line: int
    text: str
    folders: tuple[str, ...]
    make_target: str = ""


def build_targets(path: str, text: str, modules: ModuleTree) -> Iterator[BuildTarget]:
    """Everything that a script builds with `go build` or `go install`."""
    dialect = dialect_of(path)
    if dialect is None:
        return
    for command in commands(text, dialect):
        arguments = go_build_arguments(command.words)
        if arguments is None:
            continue
        folder, targets = arguments
        start = command.folder if not folder else resolve(command.folder, folder)
        for target in targets or ["."]:
            own = next(modules.folders(target), None)
            if own is not None:
                yield BuildTarget(path, command.line, target, (own,), command.target)
            elif not _is_import_path(target):
                yield _target(path, command, start, target)


def _is_import_path(target: str) -> bool:
    """True for an import path: it names a package of some module, not a folder."""
    return "@" in target or ("." in target.split("/", 1)[0] and not target.startswith(".") and "/" in target)


def _target(path: str, command: Command, start: str | None, target: str) -> BuildTarget:
    plain = target.replace("\\", "/")
    if plain.endswith(".go"):
        plain = dirname(plain) or "."
    marked = None if is_dynamic(plain) else resolve(start, plain)
    shown = target.replace(SCRIPT_DIR, ".").replace(REPO_ROOT, ".").replace("//", "/")
    return BuildTarget(path, command.line, shown, places(marked, path), command.target)


def go_build_arguments(words: tuple[str, ...]) -> tuple[str, list[str]] | None:
    """The `-C` folder and the packages of a `go build` among these words; None when there is none."""
    if words[0].lstrip("@").lower() in _PRINTS:
        return None
    for i in range(len(words) - 1):
        name = words[i].replace("\\", "/").rsplit("/", 1)[-1].lower().removesuffix(".exe")
        if name == "go" and words[i + 1] in ("build", "install"):
            return _packages(words[i + 2 :])
    return None


def _packages(words: tuple[str, ...]) -> tuple[str, list[str]]:
    folder = ""
    found: list[str] = []
    skip = ""
    for word in words:
        if skip:
            folder = word if skip == "-C" else folder
            skip = ""
        elif word.startswith("-"):
            flag = "-" + word.lstrip("-").partition("=")[0]
            if flag in _VALUE_FLAGS and "=" not in word:
                skip = flag
        elif word in (">", ">>", "2>", "2>&1", "<") or word.startswith((">", "2>")):
            break
        else:
            found.append(word)
    return folder, found


def built_files(store: FactStore) -> dict[str, Location]:
    """Files that a tracked script makes with `go build -o`, each with the line that does."""
    repository = store.repository
    found: dict[str, Location] = {}
    for path in repository.files:
        dialect = dialect_of(path)
        if dialect is None or _is_foreign(path) or not repository.is_tracked(path):
            continue
        data = repository.read(path) or b""
        if b"go" not in data or b"-o" not in data:
            continue
        for command in commands(data.decode("utf-8", "replace"), dialect):
            output = _output(command.words)
            if output and go_build_arguments(command.words) is not None:
                for place in places(resolve(command.folder, output), path):
                    found.setdefault(place, at_line(path, command.line, "it is built here"))
    return found


def _output(words: tuple[str, ...]) -> str:
    """What follows `-o`."""
    for word, following in zip(words, (*words[1:], ""), strict=True):
        if word.startswith(("-o=", "--o=")):
            return word.partition("=")[2]
        if word in ("-o", "--o"):
            return following
    return ""


def build_script_table(store: FactStore) -> Table:
    """Table `build_script`: name, target, package (folder), works, from (where it has to be started)."""
    repository = store.repository
    looked = [p for p in repository.files if dialect_of(p) and not _is_foreign(p)]
    rows: list[Entity] = []
    for path in looked:
        data = repository.read(path)
        if data is not None and b"go" in data and (b"build" in data or b"install" in data):
            text = data.decode("utf-8", "replace")
            rows.extend(_row(store, t) for t in build_targets(path, text, store.get(module_tree)))
    return Table("build_script", tuple(rows), tuple(looked))


def _is_foreign(path: str) -> bool:
    return any(p in ("vendor", "node_modules", "testdata") for p in path.split("/"))


def _row(store: FactStore, target: BuildTarget) -> Entity:
    here = at_line(target.script, target.line)
    package, works = _judge(store, target, here)
    own = dirname(target.script)
    fields = {
        "name": Answer(basename(target.script)),
        "make_target": Answer(target.make_target),
        "target": Answer(target.text),
        "package": Answer(package, proof=(here,)),
        "works": works,
        "tracked": _tracked(store, target.script),
        "from_own_folder": _from_own_folder(target, package, own, here),
    }
    return Entity("build_script", here, fields)


def _tracked(store: FactStore, path: str) -> Answer:
    if store.repository.is_tracked(path):
        return Answer(YES, "git tracks it")
    return Answer(NO, "git does not track it")


def _from_own_folder(target: BuildTarget, package: str | None, own: str, here: Location) -> Answer:
    """Whether the script works when it is started from its own folder."""
    if package is None:
        return Answer(UNKNOWN, "the target depends on a variable", (here,))
    if target.folders and (len(target.folders) == 1 or target.folders[-1] == package or not own):
        return Answer(YES, "", (here,))
    return Answer(NO, f"{target.text} is relative to the repository's root", (here,))


def _judge(store: FactStore, target: BuildTarget, here: Location) -> tuple[str | None, Answer]:
    """The package that a target means, and whether it is a main package that can be linked."""
    if not target.folders:
        return None, Answer(UNKNOWN, f"{target.text} depends on a variable or leaves the repository", (here,))
    if _is_std_path(target.text):
        reason = f"the go tool looks for {target.text} in the standard library: ./ is missing before it"
        return target.folders[0], Answer(NO, reason, (here,))
    if target.text.replace("\\", "/").endswith("..."):
        return normpath(target.folders[0]), Answer(YES, f"{target.text} is a pattern", (here,))
    packages = store.get(go_packages)
    for folder in target.folders:
        if folder in packages.folders:
            return folder, builds(store, folder, here)
    return target.folders[0], Answer(NO, f"there is no Go package in {target.folders[0] or '.'}", (here,))


def _is_std_path(target: str) -> bool:
    """True for `services/x/cmd`: without a dot in front the go tool takes it for a standard package."""
    plain = target.replace("\\", "/")
    return re.match(r"[\w-]+(/|$)", plain) is not None and not plain.endswith(".go")


def builds(store: FactStore, folder: str, here: Location) -> Answer:
    """Whether the package in a folder is a main package, and no mistake in what it links is known."""
    packages = store.get(go_packages)
    package = packages.by_directory.get(folder)
    if package is None and folder in packages.folders:
        return Answer(UNKNOWN, f"no file in {folder or '.'} belongs to the default build", (here,))
    if package is None:
        return Answer(NO, f"there is no Go package in {folder or '.'}", (here,))
    first = at_line(package.files[0].path)
    if not package.is_main:
        return Answer(NO, f"{folder or '.'} is package {package.name}, not main", (here, first))
    if not any(_MAIN.search(store.repository.read(f.path) or b"") for f in package.files):
        return Answer(NO, f"package main in {folder or '.'} has no func main", (here, first))
    missing = missing_import(store, packages, folder)
    if missing is not None:
        return Answer(NO, missing.note, (here, missing))
    malformed = _malformed(store, folder)
    if malformed is not None:
        reason = f"{malformed.path}:{malformed.line} could not be read: {malformed.message}"
        return Answer(UNKNOWN, reason, (here, at_line(malformed.path, malformed.line)), failed=True)
    unprovided = _unprovided_import(store, packages, folder)
    if unprovided is not None:
        reason = f"{unprovided.path}:{unprovided.line} imports {unprovided.note}"
        return Answer(NO, reason, (here, unprovided))
    fault = store.get(go_compile).linked(folder)
    if fault is not None:
        reason = f"{fault.path}:{fault.line} does not compile: {fault.why}"
        return Answer(NO, reason, (here, at_line(fault.path, fault.line, fault.why)))
    return Answer(YES, f"{folder or '.'} is a main package", (here, first))


def _malformed(store: FactStore, main: str) -> Problem | None:
    """What is wrong with the text of the go.mod or go.sum that a main package is built with."""
    around = [
        u for u in store.get(module_uses) if f"{main}/".startswith(f"{u.module.directory}/".lstrip("/"))
    ]
    use = max(around, key=lambda u: len(u.module.directory), default=None)
    return next(iter(use.module.problems), use.sums.refused) if use is not None else None


def _unprovided_import(store: FactStore, packages: GoPackages, main: str) -> Location | None:
    """A place, in what a binary links, that imports a package which no module in go.mod provides.

    Nothing is said of a module without go.sum: its requirements were never worked out.
    """
    modules = store.get(module_tree)
    root = modules.root_of(main)
    use = next((u for u in store.get(module_uses) if u.module.directory == root), None)
    if use is None or not use.has_sum or has_workspace(store):
        return None
    lacking = use.imports.keys() - use.providers.keys()
    unprovided = {path for path in lacking if packages.at(path) is None}
    if not unprovided:
        return None
    for folder in sorted(packages.linked.get(main, ())):
        for head in packages.by_directory[folder].files if modules.root_of(folder) == root else ():
            for imported in head.imports:
                if imported.path in unprovided and not head.constraint:
                    note = f"{imported.path}, which no module in {use.module.file} provides"
                    return at_line(head.path, imported.line, note)
    return None


def missing_import(store: FactStore, packages: GoPackages, main: str) -> Location | None:
    """A place, in what a binary links, that imports a package of its own module that does not exist."""
    if packages.modules.root_of(main) is None:
        return None
    for folder in sorted(packages.linked.get(main, ())):
        for head in packages.by_directory[folder].files:
            for imported in head.imports:
                if packages.lacks(imported.path):
                    return at_line(head.path, imported.line, f"package {imported.path} does not exist")
    return None
