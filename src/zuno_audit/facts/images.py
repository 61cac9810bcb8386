"""Images that compose builds, and whether the builds can work as far as the files tell.

Table `image_build`: one row per compose service with a `build`. From what lies where in the builder (`image_stages`):
which Go version compiles, whether every COPY has a source, and whether all packages that the binary links have been
copied in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct

from zuno_audit.facts.build_scripts import builds, built_files, go_build_arguments
from zuno_audit.facts.compose import Build, compose_files
from zuno_audit.facts.dockerfile import Image, Stage, dockerfiles
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.facts.go_packages import go_modules, go_packages, module_tree
from zuno_audit.facts.image_stages import (
    ImageBuild,
    StageState,
    filled,
    followed_stages,
    image_builds,
)
from zuno_audit.languages import shell
from zuno_audit.languages.dockerfile import Instruction
from zuno_audit.languages.script import START, commands, resolve
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.modules import go_version

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_GO_COMMAND = re.compile(r"\bgo\s+(?:build|install|mod|run|test|generate|vet|get|tool|list)\b")
_GO_TOOL_OF_OTHERS = re.compile(r"\bgo\s+(?:install|run|get|build)\s+(?:-\S+\s+)*[^\s;&|]+@\S+")
_GO_TOOL_AT_LATEST = re.compile(r"\bgo\s+(?:install|run|get)\s+(?:-\S+\s+)*([^\s;&|]+@latest)\b")
_SHELL_PLACES = frozenset({"/", "/bin", "/usr", "/usr/bin"})
_SMALL = ("alpine", "scratch", "busybox", "static", "base", "static-debian", "wolfi-base", "distroless")
_LARGE = ("golang", "debian", "ubuntu", "node", "python", "buildpack-deps", "fedora", "centos", "rockylinux")
_SYSTEM_FOLDERS = frozenset(
    "bin boot dev etc go home lib lib64 media mnt opt proc root run sbin srv sys tmp usr var".split()
)
_WRITES_NOTHING = frozenset(
    "apk apt apt-get update-ca-certificates addgroup adduser groupadd useradd chmod chown set true echo cd ls export"
    " test fi done".split()
)
_SWITCHES = re.compile(r"auto|path|go1\.\d+.*")  # values of GOTOOLCHAIN that fetch another version
_OFFICIAL_GO = re.compile(r"(?:(?:docker\.io/|[\w.-]+/docker/)?(?:library/)?)?golang")


def image_packages(store: FactStore) -> tuple[tuple[ImageBuild, str | None], ...]:
    """Every build with the package (repository folder) of its binary, None when the Dockerfile hides it."""
    return tuple((image, package_of(store, image)) for image in store.get(image_builds))


def image_build_table(store: FactStore) -> Table:
    """Table `image_build`: see `_row` for the fields; all of them yes/no/unknown but the names.

    `counts` is yes for the first of the services that build the same image in the same way; services with `profiles`
    are built only when one of them is asked for.
    """
    read = store.get(compose_files)
    known = store.get(dockerfiles)
    first: dict[object, ImageBuild] = {}
    for image in store.get(image_builds):
        first.setdefault(_key(image.build), image)
    counting = {id(image) for image in first.values()}
    rows = tuple(_row(store, image, counts=id(image) in counting) for image in store.get(image_builds))
    paths = {path for row in rows for path in (str(row.fields["dockerfile"].value),)}
    problems = (*read.problems, *(p for p in known.problems if p.path in paths))
    return Table("image_build", rows, read.paths, problems)


def _key(build: Build) -> object:
    """What makes two builds the same."""
    return (build.context, build.dockerfile, build.target, tuple((a.name, a.value) for a in build.args))


def _row(store: FactStore, image: ImageBuild, *, counts: bool) -> Entity:
    service = image.service
    answers = {
        "dockerfile_exists": _dockerfile_exists(store, image),
        "sources": _sources(store, image),
        "toolchain": _toolchain(store, image),
        "links": _links(store, image),
        "shell": _has_shell(image),
    }
    fields = {
        "name": Answer(service.name),
        "file": Answer(image.file.path),
        "counts": Answer(YES if counts else NO),
        "profiles": Answer(service.profiles),
        "overlay": Answer(YES if image.file.is_overlay else NO),
        "dockerfile": Answer(image.build.dockerfile),
        "image": _image_name(store, image),
        "package": Answer(package_of(store, image)),
        **answers,
        "buildable": _all_of(answers),
        "multi_stage": _multi_stage(store, image),
        "small": _small(image),
    }
    return Entity("image_build", image.build.location, fields)


def _all_of(answers: Mapping[str, Answer]) -> Answer:
    """The worst of the answers with its reason."""
    for value in (NO, UNKNOWN):
        for answer in answers.values():
            if answer.value == value:
                return answer
    proof = tuple(p for a in answers.values() for p in a.proof[:1])
    return Answer(YES, "Dockerfile, sources, Go version and packages fit", proof)


def _has_shell(image: ImageBuild) -> Answer:
    """Whether the stages that RUN a line of shell have one: images without a system have none."""
    for stage in image.stages():
        base = image.image_of(stage)
        bare = base is not None and (
            base.name == "scratch" or (base.name.startswith("gcr.io/distroless/") and "debug" not in base.tag)
        )
        run = next((i for i in stage.all("RUN") if i.exec_form is None and i.flag("mount") is None), None)
        brings = any(
            normpath(c.target) in _SHELL_PLACES or c.target.startswith("/bin/") for c in stage.copies
        )
        if bare and base is not None and run is not None and stage.base_stage is None:
            if not brings and not stage.all("SHELL", "ONBUILD"):
                return Answer(NO, f"RUN needs a shell, and {base.text} has none", (run.location,))
    return Answer(YES, "every RUN has its shell", (image.build.location,))


def _image_name(store: FactStore, image: ImageBuild) -> Answer:
    """The name of the image that compose makes; without `image:` it begins with the project's name."""
    here = (image.service.location,)
    if image.service.image:
        named = shell.expand(image.service.image, default_environment(store, dirname(image.file.path)))
        return Answer(named or image.service.image, "the service names its image", here)
    if image.file.name:
        return Answer(f"{image.file.name}-{image.service.name}", "the project has a name", here)
    return Answer(None, "the project is called after the folder of the checkout", here)


def _dockerfile_exists(store: FactStore, image: ImageBuild) -> Answer:
    build = image.build
    proof = (build.location,)
    if build.inline is not None:
        return Answer(UNKNOWN, "the Dockerfile is written inside the compose file", proof)
    if "$" in build.dockerfile or "://" in build.context:
        return Answer(UNKNOWN, "the build context is not a folder of this repository", proof)
    if build.dockerfile not in store.repository:
        return Answer(NO, f"{build.dockerfile} does not exist", proof)
    if image.dockerfile is None or not image.dockerfile.stages:
        return Answer(NO, f"{build.dockerfile} has no FROM", proof)
    if build.target and image.dockerfile.stage(build.target) is None:
        return Answer(NO, f"{build.dockerfile} has no stage called {build.target}", proof)
    return Answer(YES, f"{build.dockerfile} is there", (at_line(build.dockerfile),))


def _sources(store: FactStore, image: ImageBuild) -> Answer:
    """Whether every COPY finds its source."""
    if image.dockerfile is None:
        return _dockerfile_exists(store, image)
    looked = 0
    for stage in image.stages():
        for copy in stage.copies:
            if copy.stage is not None:
                if not _stage_exists(image, stage, copy.stage):
                    reason = f"no earlier stage is called {copy.stage}"
                    return Answer(NO, reason, (copy.location,))
                for source in copy.sources:
                    if _is_never_made(store, image, copy.stage, source):
                        reason = f"nothing in stage {copy.stage} makes {source}"
                        return Answer(NO, reason, (copy.location,))
                continue
            for source in copy.sources:
                looked += 1
                missing = _missing_source(store, image, source)
                if missing:
                    return Answer(NO, missing, (copy.location,))
    return Answer(YES, f"{looked} COPY sources exist", (at_line(image.dockerfile.path),))


def _stage_exists(image: ImageBuild, stage: Stage, name: str) -> bool:
    """True for an earlier stage or for what must be an image (it has a registry, a tag or a path)."""
    if "$" in name or any(c in name for c in "/:@."):
        return True
    found = image.dockerfile.stage(name) if image.dockerfile else None
    return found is not None and found.index < stage.index


def _is_never_made(store: FactStore, image: ImageBuild, name: str, source: str) -> bool:
    """True when it is certain that a stage has no file or folder at a path when another one copies it.

    Certain are stages whose commands only install packages and compile Go: then all there is, outside of the
    system's folders, are the folders worked in, what was copied in and what `go build -o` wrote.
    """
    stage = image.dockerfile.stage(name) if image.dockerfile else None
    path = normpath(join("/", source))
    if stage is None or image.dockerfile is None or re.search(r"[*?\[$]", source):
        return False
    if path.split("/")[1] in _SYSTEM_FOLDERS:
        return False
    lineage = {s.index for s in image.dockerfile.lineage(stage)}
    followed = followed_stages(store, image)
    last = followed.ends.get(stage.index)
    if last is None or not last.everything_known:
        return False
    made = set(last.places)
    for other, state, run in followed.runs:
        if other.index not in lineage:
            continue
        script = filled(run.script, state.variables)
        for command in commands(script, "shell"):
            outputs = _written(command.words)
            if outputs is None:
                return False
            for output in outputs:
                place = output if output.startswith("/") else resolve(command.folder, output)
                if place is None:
                    return False
                if place.startswith(START):
                    place = join(state.folder, place.removeprefix(START).lstrip("/"))
                made.add(normpath(place))
    if any(m == path or m.startswith(path + "/") for m in made):
        return False
    if any(path.startswith(target.rstrip("/") + "/") for target in last.from_elsewhere):
        return False
    original = last.original(path)
    return original is None or not _is_in_context(store, image, original)


def _is_in_context(store: FactStore, image: ImageBuild, inside: str) -> bool:
    path = normpath(join(image.build.context, inside))
    repository = store.repository
    return (
        path == "." or path in repository or repository.is_directory(path) or path in store.get(built_files)
    )


def _written(words: tuple[str, ...]) -> list[str] | None:
    """The files that a command of a builder makes outside of the system's folders; None when it may make any."""
    while words and ("=" in words[0] or words[0] in ("env", "exec", "then", "do", "else", "time")):
        words = words[1:]
    if any(">" in word for word in words):
        return None
    verb = words[0].rsplit("/", 1)[-1] if words else ""
    if not words or verb in _WRITES_NOTHING:
        return []
    if verb != "go" or len(words) < 2:
        return None
    if words[1] in ("mod", "env", "vet", "version", "test"):
        return []
    if words[1] != "build":
        return None
    for index, word in enumerate(words):
        name, given, value = word.partition("=")
        if name in ("-o", "--o"):
            target = value if given else (*words, "")[index + 1]
            return None if not target or target.endswith("/") or "$" in target else [target]
    return None


def _missing_source(store: FactStore, image: ImageBuild, source: str) -> str:
    """Why a COPY source is not in the build context; empty when it is, a script makes it, or is not known."""
    if re.search(r"[*?\[$]|<<|://|^git@", source):
        return ""
    inside = normpath(source.lstrip("/") or ".")
    if inside.startswith(".."):
        return f"{source} lies outside the build context"
    path = normpath(join(image.build.context, inside))
    if path == ".":
        return ""
    if path not in store.repository and not store.repository.is_directory(path):
        if path in store.get(built_files):
            return ""
        return f"{source} does not exist in {image.build.context}"
    pattern = image.ignore.excluded_by(inside)
    if pattern is not None and not any(p.negated for p in image.ignore.patterns):
        return f"{source} is left out of the build by {image.ignore.path}:{pattern.line}"
    return ""


def _toolchain(store: FactStore, image: ImageBuild) -> Answer:
    """Whether the Go version of the builder satisfies the go directive of the module."""
    wanted = _wanted_go(store, image)
    compiles = False
    for stage, state, run in followed_stages(store, image).runs:
        latest = _GO_TOOL_AT_LATEST.search(run.script)
        if latest is not None:
            answer = _stage_toolchain(image.image_of(stage), stage, state, run, wanted)
            if answer.value == NO:
                because = f"{latest.group(1)} may need a newer Go than the image has"
                return Answer(UNKNOWN, because, answer.proof[:1])
        compiles_here = _GO_COMMAND.search(_GO_TOOL_OF_OTHERS.sub("", run.script)) is not None
        base = image.image_of(stage)
        makes = _uses_make(run) and base is not None and base.repository == "golang"
        if not compiles_here and not makes:
            continue
        compiles = True
        answer = _stage_toolchain(base, stage, state, run, wanted)
        if answer.value != YES:
            return answer
    if not compiles:
        return Answer(YES, "the image compiles no Go code", (image.build.location,))
    return Answer(YES, f"the builder's Go is at least {wanted[0]}", (image.build.location, wanted[1]))


def _uses_make(run: Instruction) -> bool:
    return re.search(r"\b(?:make|mage|task|just)\b", run.script) is not None


def _wanted_go(store: FactStore, image: ImageBuild) -> tuple[str, Location]:
    """The go directive of the module that is built, with its place."""
    mods = {m.directory: m for m in store.get(go_modules)}
    package = package_of(store, image)
    folder = package if package is not None else normpath(image.build.context)
    mod = store.get(module_tree).module_of(folder) or mods.get("") or next(iter(mods.values()), None)
    if mod is None:
        return "", at_line("go.mod")
    return mod.go, at_line(mod.file, mod.go_line or 1, f"go {mod.go}")


def _stage_toolchain(
    base: Image | None, stage: Stage, state: StageState, run: Instruction, wanted: tuple[str, Location]
) -> Answer:
    proof = (stage.location, wanted[1])
    need = go_version(wanted[0])
    if base is None:
        return Answer(UNKNOWN, f"the image behind FROM {stage.base} is decided by a build argument", proof)
    have = re.match(r"v?(\d+)\.(\d+)(?:\.(\d+))?(?:(rc|beta)\d+)?(?=$|[-.@_])", base.tag)
    if base.repository != "golang" or have is None:
        return Answer(UNKNOWN, f"{base.text} does not say which Go version it holds", proof)
    if need is None:
        return Answer(UNKNOWN, "go.mod does not say which Go version it needs", proof)
    major, minor, patch, _stage = have.groups()
    version = (int(major), int(minor), int(patch) if patch else 10**6)
    if state.fetches:
        return Answer(UNKNOWN, "what the image compiles is fetched while it is built", proof)
    if version >= need[:3]:
        return Answer(YES, f"{base.text} has Go {major}.{minor}", proof)
    inline = re.search(r"\bGOTOOLCHAIN=(\S+)", run.script)
    toolchain = (inline.group(1) if inline else state.toolchain).strip("\"'")
    if toolchain and toolchain != "local" and _SWITCHES.fullmatch(toolchain):
        return Answer(YES, f"GOTOOLCHAIN={toolchain} lets go fetch version {wanted[0]}", proof)
    if not _OFFICIAL_GO.fullmatch(base.name):
        return Answer(UNKNOWN, f"{base.text} is older, but may be set up to fetch Go {wanted[0]}", proof)
    needs = f"{wanted[1].path} needs {wanted[0]}, and the image sets GOTOOLCHAIN=local"
    reason = f"{base.text} has Go {major}.{minor}, {needs}"
    return Answer(NO, reason, proof)


class Compiled(Struct, frozen=True):
    """A `go build` inside a builder: the package (context folder, None if unknown) and its place."""

    package: str | None
    text: str
    state: StageState
    location: Location
    folder: str | None  # where it runs, in the stage
    vendored: bool = False  # told to take nothing but the vendor folder


def _compiled(store: FactStore, image: ImageBuild) -> Iterator[Compiled]:
    for _stage, state, run in followed_stages(store, image).runs:
        script = filled(run.script, state.variables)
        for command in commands(script, "shell"):
            arguments = go_build_arguments(command.words)
            if arguments is None:
                continue
            start = command.folder if not arguments[0] else resolve(command.folder, arguments[0])
            for target in arguments[1] or ["."]:
                if "@" not in target:
                    package = _imported(store, image, target) or _inside(state, start, target)
                    folder = _absolute(state, start)
                    vendored = "-mod=vendor" in command.words
                    yield Compiled(package, target, state, run.location, folder, vendored)


def _imported(store: FactStore, image: ImageBuild, target: str) -> str | None:
    """The folder of the build context that an import path of ours means; None for anything else."""
    folder = next(store.get(module_tree).folders(target), None)
    if folder is None or image.build.context == ".":
        return folder
    return folder[len(image.build.context) + 1 :] if folder.startswith(image.build.context + "/") else None


def _inside(state: StageState, start: str | None, target: str) -> str | None:
    """The folder of the build context that a `go build` argument means inside a builder."""
    plain = target.rstrip("/") or "/"
    if plain.endswith(".go"):
        plain = dirname(plain) or "."
    if plain.startswith("/"):
        return None if "$" in plain else state.original(normpath(plain))
    path = _absolute(state, resolve(start, plain))
    return None if path is None else state.original(path)


def _absolute(state: StageState, folder: str | None) -> str | None:
    """The path in the stage of a folder that a script is in; None when it is not known."""
    if folder is None or "$" in folder:
        return None
    if folder.startswith(START):
        return normpath(join(state.folder, folder[len(START) :].lstrip("/")))
    return normpath(folder) if folder.startswith("/") else None


def package_of(store: FactStore, image: ImageBuild) -> str | None:
    """The package (repository folder) of the binary in the image, when the Dockerfile names it."""
    for compiled in _compiled(store, image):
        if compiled.package is not None:
            path = normpath(join(image.build.context, compiled.package))
            return "" if path == "." else path
    return None


def _links(store: FactStore, image: ImageBuild) -> Answer:
    """Whether what the Dockerfile compiles is a main package and all it links has been copied in."""
    if image.dockerfile is None:
        return _dockerfile_exists(store, image)
    seen = False
    for compiled in _compiled(store, image):
        seen = True
        answer = _linked(store, image, compiled)
        if answer.value != YES:
            return answer
    if not seen:
        return Answer(YES, "the Dockerfile names no Go package", (at_line(image.dockerfile.path),))
    return Answer(YES, "all packages that the binary links are copied in", (at_line(image.dockerfile.path),))


def _linked(store: FactStore, image: ImageBuild, compiled: Compiled) -> Answer:
    proof = (compiled.location,)
    if compiled.package is None:
        if "$" in compiled.text or not compiled.state.everything_known or compiled.text.endswith("..."):
            return Answer(UNKNOWN, f"{compiled.text} cannot be followed", proof)
        return Answer(NO, f"{compiled.text} has not been copied into the builder", proof)
    path = normpath(join(image.build.context, compiled.package))
    folder = "" if path == "." else path
    answer = builds(store, folder, compiled.location)
    if answer.value != YES:
        return answer
    if unfit := _file_missing(store, image, compiled) or _vendor_missing(store, image, compiled, folder):
        return Answer(NO, unfit, proof)
    if unfit := _module_unfit(store, image, compiled):
        return Answer(NO, unfit, proof)
    missing = _missing_package(store, image, compiled.state, folder)
    return Answer(NO, missing, proof) if missing else answer


def _file_missing(store: FactStore, image: ImageBuild, compiled: Compiled) -> str:
    """Says that the one file that is compiled is not there; empty when it is, or may be made on the way."""
    if not compiled.text.endswith(".go") or not compiled.state.everything_known:
        return ""
    path = normpath(join(image.build.context, compiled.package or ".", basename(compiled.text)))
    if path in store.repository or path in store.get(built_files) or re.search(r"[$*?\[]", compiled.text):
        return ""
    return f"{path} does not exist"


def _vendor_missing(store: FactStore, image: ImageBuild, compiled: Compiled, main: str) -> str:
    """Says that there is no vendor folder for -mod=vendor; empty when there is, or something fills it."""
    module = store.get(module_tree).root_of(main)
    if not compiled.vendored or module is None or store.repository.is_directory(join(module, "vendor")):
        return ""
    scripts = [run.script for _, _, run in followed_stages(store, image).runs]
    scripts += [store.repository.text(path) or "" for path in store.repository.grep(b"vendor")]
    if any(re.search(r"\bgo\s+(?:mod|work)\s+vendor\b", script) for script in scripts):
        return ""
    return f"-mod=vendor needs the folder {join(module, 'vendor')}, which is not in the repository"


def _module_unfit(store: FactStore, image: ImageBuild, compiled: Compiled) -> str:
    """Why `go build` finds no module around the folder it runs in, or no checksums beside it; empty when it does."""
    state = compiled.state
    settings = state.variables.keys() & {"GOFLAGS", "GO111MODULE"}
    if compiled.folder is None or not state.everything_known or state.writes_modules or settings:
        return ""
    at = compiled.folder
    while (module := state.original(join(at, "go.mod"))) is None or not _is_in_context(store, image, module):
        if state.original(join(at, "go.work")) is not None:
            return ""
        if at == "/":
            return f"it is compiled in {compiled.folder}, and no go.mod is there or above"
        at = dirname(at)
    own = normpath(join(image.build.context, module))
    mod = next((m for m in store.get(go_modules) if m.file == own), None)
    if mod is None or not any(r.path for r in mod.requires) or state.original(join(at, "vendor")) is not None:
        return ""
    sums = state.original(join(at, "go.sum"))
    if sums is None and join(dirname(own), "go.sum") in store.repository:
        return f"{join(dirname(own), 'go.sum')} has not been copied beside go.mod"
    return ""


def _missing_package(store: FactStore, image: ImageBuild, state: StageState, main: str) -> str:
    """What a binary links but the builder does not have; empty when it has everything."""
    module = store.get(module_tree).root_of(main)
    if module is None or not state.everything_known:
        return ""
    have = [normpath(join(image.build.context, c.source)) for c in state.copied]
    if normpath(join(module, "go.mod")) not in have and not any(_covers(h, module) for h in have):
        return f"{join(module, 'go.mod')} has not been copied into the builder"
    packages = store.get(go_packages)
    for folder in sorted(packages.linked.get(main, ())):
        files = [head.path for head in packages.by_directory[folder].files]
        if not any(_covers(h, folder) for h in have) and not set(files) <= set(have):
            return (
                f"package {folder}, which {main or 'the binary'} links, has not been copied into the builder"
            )
        for head in packages.by_directory[folder].files:
            inside = head.path[len(image.build.context) + 1 :] if image.build.context != "." else head.path
            pattern = image.ignore.excluded_by(inside)
            if pattern is not None:
                return f"{head.path} is left out of the build by {image.ignore.path}:{pattern.line}"
    return ""


def _covers(source: str, folder: str) -> bool:
    return source == "." or folder == source or folder.startswith(source + "/")


# ---------------------------------------------------------------- size


def _multi_stage(store: FactStore, image: ImageBuild) -> Answer:
    stages = image.stages()
    if not stages:
        return _dockerfile_exists(store, image)
    proof = tuple(s.location for s in stages)
    final = stages[-1]
    compiles = any(_GO_COMMAND.search(i.script) for i in final.all("RUN"))
    if len(stages) < 2 and compiles:
        return Answer(NO, "the only stage compiles, so the compiler ships with the image", proof)
    if compiles:
        return Answer(NO, "the last stage compiles, so the compiler ships with the image", (final.location,))
    return Answer(YES, f"{len(stages)} stages", proof)


def _small(image: ImageBuild) -> Answer:
    """Whether the image stands on a base that is small enough for 100 MB."""
    final = image.final()
    base = image.image_of(final) if final is not None else None
    proof = (final.location,) if final is not None else (image.build.location,)
    if base is None:
        return Answer(UNKNOWN, "the base of the last stage is decided by a build argument", proof)
    tag = base.tag.lower()
    if base.text == "scratch" or base.repository in _SMALL or "distroless" in base.name:
        return Answer(YES, f"it stands on {base.text}", proof)
    if "alpine" in tag and base.repository != "golang":
        return Answer(YES, f"it stands on {base.text}", proof)
    if base.repository in _LARGE:
        return Answer(NO, f"it stands on {base.text}, which leaves a binary little room in 100 MB", proof)
    return Answer(UNKNOWN, f"the size of {base.text} is not known", proof)
