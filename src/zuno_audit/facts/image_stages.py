"""Builds of images that compose asks for, and what lies where in their stages.

The Dockerfile is followed, instruction by instruction, as far as its files and arguments are known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from posixpath import basename, dirname, join, normpath
from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from zuno_audit.facts.compose import Build, ComposeFile, Service, compose_files
from zuno_audit.facts.dockerfile import Dockerfile, Image, Stage, dockerfiles, parse_image
from zuno_audit.facts.dockerignore import DockerIgnore, docker_ignore
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.languages import shell
from zuno_audit.languages.dockerfile import Instruction

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_FETCHES = re.compile(r"\bgit\s+(?:-\S+\s+\S+\s+)*(?:clone|fetch|pull|submodule)\b|\bgo\s+mod\s+init\b")
_WRITES_MODULES = re.compile(r"\bgo\s+(?:get|mod\s+(?:init|tidy|vendor|edit)|work)\b|-mod[= ]|GO111MODULE")
_GIVEN_BY_DOCKER = frozenset(  # arguments that a stage gets as soon as it declares them
    "TARGETPLATFORM TARGETOS TARGETARCH TARGETVARIANT BUILDPLATFORM BUILDOS BUILDARCH BUILDVARIANT HTTP_PROXY"
    " HTTPS_PROXY FTP_PROXY NO_PROXY ALL_PROXY SOURCE_DATE_EPOCH".split()
)


class Copied(Struct, frozen=True):
    """A file or folder of the build context (relative to it) and where it lies in the stage."""

    source: str
    target: str
    is_folder: bool

    def is_go_file_in(self, folder: str) -> bool:
        """True for a Go file that lies directly in a folder of the stage: packages are copied file by file, too."""
        return not self.is_folder and self.source.endswith(".go") and dirname(self.target) == folder


class StageState(Struct):
    """What is known of a stage while its instructions are followed."""

    folder: str = "/"
    toolchain: str = ""  # GOTOOLCHAIN
    variables: dict[str, str] = field(default_factory=dict)  # of ARG and ENV, where the value is known
    copied: list[Copied] = field(default_factory=list)
    places: list[str] = field(default_factory=list)  # of WORKDIR, VOLUME and all that is copied
    from_elsewhere: list[str] = field(default_factory=list)  # what is copied from other stages and images
    everything_known: bool = True
    fetches: bool = False  # sources that are not of this repository
    writes_modules: bool = False  # go.mod, go.sum or a vendor folder

    def original(self, path: str) -> str | None:
        """The path in the build context of what lies at an absolute path of the stage."""
        for copy in reversed(self.copied):
            if path == copy.target:
                return copy.source
            prefix = copy.target.rstrip("/") + "/"
            if copy.is_folder and path.startswith(prefix):
                return normpath(join(copy.source, path[len(prefix) :]))
        return next((dirname(c.source) or "." for c in reversed(self.copied) if c.is_go_file_in(path)), None)

    def now(self) -> StageState:
        """The state at this moment, which later instructions do not change."""
        return replace(
            self,
            copied=list(self.copied),
            places=list(self.places),
            from_elsewhere=list(self.from_elsewhere),
            variables=dict(self.variables),
        )


class ImageBuild(Struct, frozen=True):
    """A build with everything that is needed to judge it."""

    file: ComposeFile
    service: Service
    build: Build
    dockerfile: Dockerfile | None
    ignore: DockerIgnore
    arguments: Mapping[str, str]  # with the values that are known
    given: frozenset[str] = frozenset()  # names that compose gives a value, known or not

    def stages(self) -> list[Stage]:
        """The stages that the build runs, in order: the wanted one and all that it needs."""
        file = self.dockerfile
        if file is None or not file.stages:
            return []
        wanted = file.stage(self.build.target) if self.build.target else file.final
        needed: set[int] = set()
        todo = [wanted] if wanted is not None else []
        while todo:
            stage = todo.pop()
            if stage.index in needed:
                continue
            needed.add(stage.index)
            if stage.base_stage is not None:
                todo.append(file.stages[stage.base_stage])
            for copy in stage.copies:
                if copy.stage is not None and (source := file.stage(copy.stage)) is not None:
                    todo.append(source)
        return [s for s in file.stages if s.index in needed]

    def final(self) -> Stage | None:
        """The stage that becomes the image."""
        if self.dockerfile is None:
            return None
        return self.dockerfile.stage(self.build.target) if self.build.target else self.dockerfile.final

    def image_of(self, stage: Stage) -> Image | None:
        """The image a stage stands on, build arguments of compose put in."""
        if self.dockerfile is None:
            return None
        base = self.dockerfile.lineage(stage)[-1].base
        text = shell.expand(base, self.arguments)
        return parse_image(text) if text else None


def image_builds(store: FactStore) -> tuple[ImageBuild, ...]:
    """Every build of every compose file; an overlay's services count with their base."""
    files = store.get(compose_files)
    known = store.get(dockerfiles)
    found = []
    for file, service in files.services():
        if service.build is None:
            continue
        environment = default_environment(store, dirname(file.path))
        build = _expanded(service.build, environment)
        dockerfile = known.file(build.dockerfile)
        arguments = {n: v for n, v in (dockerfile.arguments if dockerfile else ()) if v is not None}
        given = {
            e.name: environment.get(e.name) if e.value is None else shell.expand(e.value, environment)
            for e in build.args
        }
        arguments |= {name: value for name, value in given.items() if value}
        ignore = docker_ignore(store.repository, build.context, build.dockerfile)
        names = frozenset(given)
        found.append(ImageBuild(file, service, build, dockerfile, ignore, arguments, names))
    return tuple(found)


def _expanded(build: Build, environment: Mapping[str, str]) -> Build:
    """The build with the variables of its paths replaced, as far as they are known."""
    if "$" not in build.context + build.dockerfile:
        return build
    context, dockerfile = (
        shell.expand(path, environment) or path for path in (build.context, build.dockerfile)
    )
    return replace(build, context=normpath(context), dockerfile=normpath(dockerfile))


class Followed(Struct, frozen=True):
    """Every RUN of a build with the state of its stage, and the states at the ends of the stages by their numbers."""

    runs: tuple[tuple[Stage, StageState, Instruction], ...]
    ends: Mapping[int, StageState]


def followed_stages(store: FactStore, image: ImageBuild) -> Followed:
    """The stages of a build, followed once."""
    return store.get(_all_followed)[(image.file.path, image.service.name)]


def _all_followed(store: FactStore) -> dict[tuple[str, str], Followed]:
    """The stages of every build."""
    return {(i.file.path, i.service.name): _follow(store, i) for i in store.get(image_builds)}


def _follow(store: FactStore, image: ImageBuild) -> Followed:
    runs: list[tuple[Stage, StageState, Instruction]] = []
    states: dict[int, StageState] = {}
    for stage in image.stages():
        below = states.get(stage.base_stage) if stage.base_stage is not None else None
        state = StageState(variables=_undeclared(image, stage)) if below is None else below.now()
        states[stage.index] = state
        for instruction in stage.instructions:
            if instruction.name == "WORKDIR":
                words = instruction.words
                state.folder = normpath(join(state.folder, *(filled(w, state.variables) for w in words[:1])))
                state.places.append(state.folder)
            elif instruction.name == "VOLUME":
                state.places.extend(instruction.words)
            elif instruction.name in ("ENV", "ARG"):
                for name, value in instruction.pairs():
                    known = _argument(image, name, value) if instruction.name == "ARG" else value
                    if known is None:
                        state.variables.pop(name, None)
                    else:
                        state.variables[name] = filled(known, state.variables)
                state.toolchain = state.variables.get("GOTOOLCHAIN", state.toolchain)
            elif instruction.name in ("COPY", "ADD"):
                _take_in(store, image, state, instruction, states)
            elif instruction.name == "RUN":
                if _FETCHES.search(instruction.script):
                    state.fetches, state.everything_known = True, False
                if _WRITES_MODULES.search(instruction.script):
                    state.writes_modules = True
                now = state.now()
                _mount(store, image, now, instruction)
                runs.append((stage, now, instruction))
    return Followed(tuple(runs), states)


def _undeclared(image: ImageBuild, stage: Stage) -> dict[str, str]:
    """The build's arguments at the start of a stage: nothing, for a stage sees only those that it declares.

    Only on images that are known to set no such variables themselves.
    """
    base = image.image_of(stage)
    if base is None or base.repository not in ("golang", "alpine", "scratch") or image.dockerfile is None:
        return {}
    names = {*image.arguments, *image.given, *(name for name, _ in image.dockerfile.arguments)}
    return {name: "" for name in names if not name.startswith(("GO", "PATH"))}


def _argument(image: ImageBuild, name: str, default: str | None) -> str | None:
    """The value of an ARG: what compose gives, else its default, else nothing; None when that is not known."""
    if (given := image.arguments.get(name)) is not None:
        return given
    if name in image.given or name.upper() in _GIVEN_BY_DOCKER:
        return None
    return default or ""


def filled(text: str, variables: Mapping[str, str]) -> str:
    """The text with the variables that are known; others, and those that it sets itself, stay as they are written."""
    if "$" not in text:
        return text

    def value(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(3)
        if name not in variables or re.search(rf"\b(?:{name}=|(?:for|read|in) +{name}\b)", text):
            return match.group()
        return variables[name] or match.group(2) or ""

    return re.sub(r"\$(?:\{(\w+)(?::?-([^}]*))?\}|(\w+))", value, text)


def _mount(store: FactStore, image: ImageBuild, state: StageState, run: Instruction) -> None:
    """What a RUN sees of the build context by `--mount=type=bind`, for as long as it runs."""
    for name, text in run.flags:
        options = dict(part.partition("=")[::2] for part in text.split(","))
        if name != "mount" or options.get("type", "bind") != "bind":
            continue
        target = options.get("target") or options.get("dst") or options.get("destination") or "."
        source = options.get("source") or options.get("src") or "."
        if "from" in options or "$" in text:
            state.everything_known = False
        else:
            _take_in_one(store, image, state, source, normpath(join(state.folder, target)), False)


def _take_in(
    store: FactStore,
    image: ImageBuild,
    state: StageState,
    instruction: Instruction,
    states: dict[int, StageState],
) -> None:
    words = tuple(filled(w, state.variables) for w in instruction.words)
    if len(words) < 2 or any("$" in w for w in words):
        state.everything_known = False
        return
    target = normpath(join(state.folder, words[-1]))
    state.places.append(target)
    into = words[-1].endswith("/") or len(words) > 2 or words[-1] in (".", "./")
    origin = instruction.flag("from")
    if origin is not None:
        state.from_elsewhere.append(target)
        source = image.dockerfile.stage(origin) if image.dockerfile else None
        if source is not None and source.index in states:
            for word in words[:-1]:
                if (path := states[source.index].original(normpath(word))) is not None:
                    state.copied.append(Copied(path, target, True))
        return
    for word in words[:-1]:
        _take_in_one(store, image, state, word, target, into)


def _take_in_one(
    store: FactStore, image: ImageBuild, state: StageState, word: str, target: str, into: bool
) -> None:
    inside = normpath(word.lstrip("/") or ".")
    if re.search(r"[*?\[]", inside):
        folder = dirname(inside)
        state.copied.append(Copied(folder or ".", target, True))
        return
    is_folder = store.repository.is_directory(normpath(join(image.build.context, inside))) or inside == "."
    place = join(target, basename(inside)) if into and not is_folder else target
    state.copied.append(Copied(inside, place, is_folder))
