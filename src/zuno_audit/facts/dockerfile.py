"""Dockerfiles: stages, what they are built from, what they copy, and how the result runs.

Records for other facts and the tables `dockerfile` and `dockerfile_stage`.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

from msgspec import Struct

from zuno_audit.facts.base import FactStore
from zuno_audit.facts.compose import compose_files
from zuno_audit.facts.secret_values import redacted
from zuno_audit.languages import shell
from zuno_audit.languages.dockerfile import Instruction, parse_dockerfile
from zuno_audit.model.entity import NO, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location

_FILE_NAME = re.compile(
    r"(?:dockerfile|containerfile)(?:[._-][\w.-]+)?|[\w.-]+\.(?:dockerfile|containerfile)"
)
_OTHER_SUFFIXES = (".md", ".go", ".sh", ".txt", ".dockerignore", ".py", ".yaml", ".yml", ".json")


class Image(Struct, frozen=True):
    """An image reference in its parts. `tag` and `digest` are empty when not written."""

    text: str
    name: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """The last segment of the name: `golang` of `docker.io/library/golang`."""
        return self.name.rpartition("/")[2]


class Copy(Struct, frozen=True):
    """A COPY or ADD. `stage` is the stage or image of `--from`, None for the build context."""

    sources: tuple[str, ...]
    target: str
    stage: str | None
    location: Location


class Stage(Struct, frozen=True):
    """One stage. `image` is None when it cannot be known (an ARG without default)."""

    index: int
    name: str | None
    base: str  # as written behind FROM
    image: Image | None
    location: Location
    base_stage: int | None = None  # when the base is an earlier stage
    instructions: tuple[Instruction, ...] = ()

    def all(self, *names: str) -> tuple[Instruction, ...]:
        """The instructions of these names, in order."""
        return tuple(i for i in self.instructions if i.name in names)

    def last(self, name: str) -> Instruction | None:
        """The last instruction of a name: the one that counts for USER, CMD, ENTRYPOINT, HEALTHCHECK."""
        found = self.all(name)
        return found[-1] if found else None

    @property
    def copies(self) -> tuple[Copy, ...]:
        """What is copied into the stage."""
        return tuple(_copy(i) for i in self.all("COPY", "ADD"))

    @property
    def environment(self) -> tuple[tuple[str, str | None, Location], ...]:
        """The variables that ENV sets, with their places."""
        return tuple((name, value, i.location) for i in self.all("ENV") for name, value in i.pairs())

    @property
    def ports(self) -> tuple[str, ...]:
        """The ports of EXPOSE, as written."""
        return tuple(word for i in self.all("EXPOSE") for word in i.words)


class Dockerfile(Struct, frozen=True):
    """One file: the arguments before the first FROM and the stages in order."""

    path: str
    stages: tuple[Stage, ...]
    arguments: tuple[tuple[str, str | None], ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def final(self) -> Stage | None:
        """The last stage: what is built when no target is asked for."""
        return self.stages[-1] if self.stages else None

    def stage(self, name: str) -> Stage | None:
        """The stage of that name or number, or None."""
        for stage in self.stages:
            if name.lower() == (stage.name or "").lower() or name == str(stage.index):
                return stage
        return None

    def lineage(self, stage: Stage) -> tuple[Stage, ...]:
        """The stage and the stages it is built from, nearest first."""
        chain = [stage]
        while chain[-1].base_stage is not None:
            chain.append(self.stages[chain[-1].base_stage])
        return tuple(chain)

    def base_image(self, stage: Stage) -> Image | None:
        """The image at the bottom of a stage."""
        return self.lineage(stage)[-1].image

    def effective(self, stage: Stage, name: str) -> Instruction | None:
        """The instruction that counts in the image of a stage, inherited from the stages below it."""
        return next((found for part in self.lineage(stage) if (found := part.last(name)) is not None), None)


class Dockerfiles(Struct, frozen=True):
    """All Dockerfiles of the repository."""

    files: tuple[Dockerfile, ...]
    problems: tuple[Problem, ...] = ()

    def file(self, path: str) -> Dockerfile | None:
        """The Dockerfile at `path`, or None."""
        return next((file for file in self.files if file.path == path), None)


def dockerfiles(store: FactStore) -> Dockerfiles:
    """Every Dockerfile: by its name, or because a compose file builds it."""
    named = {path for path in store.repository.files if _has_dockerfile_name(path)}
    built = {s.build.dockerfile for _, s in store.get(compose_files).services() if s.build is not None}
    files = []
    for path in sorted(named | {path for path in built if path in store.repository}):
        text = store.repository.text(path)
        if text is None:
            files.append(Dockerfile(path, (), (), (Problem(path, 1, "the file cannot be read"),)))
        else:
            files.append(read_dockerfile(path, text))
    return Dockerfiles(tuple(files), tuple(problem for file in files for problem in file.problems))


def _has_dockerfile_name(path: str) -> bool:
    name = posixpath.basename(path).lower()
    if "file" not in name or name.endswith(_OTHER_SUFFIXES):
        return False
    return _FILE_NAME.fullmatch(name) is not None


def read_dockerfile(path: str, text: str) -> Dockerfile:
    """The stages of a Dockerfile's text."""
    source = parse_dockerfile(path, text)
    problems = list(source.problems)
    arguments: dict[str, str | None] = {}
    bodies: list[tuple[Instruction, list[Instruction]]] = []
    for instruction in source.instructions:
        if instruction.name == "FROM":
            bodies.append((instruction, []))
        elif bodies:
            bodies[-1][1].append(instruction)
        elif instruction.name == "ARG":
            arguments.update(instruction.pairs())
        else:
            problems.append(Problem(path, instruction.location.line, "an instruction before the first FROM"))
    if not bodies and not problems:
        problems.append(Problem(path, 1, "the Dockerfile has no FROM"))
    stages: list[Stage] = []
    for start, body in bodies:
        stages.append(_stage(start, tuple(body), stages, arguments))
    return Dockerfile(path, tuple(stages), tuple(arguments.items()), tuple(problems))


def _stage(
    start: Instruction,
    body: tuple[Instruction, ...],
    earlier: list[Stage],
    arguments: Mapping[str, str | None],
) -> Stage:
    words = start.words
    base = words[0] if words else ""
    name = words[2] if len(words) > 2 and words[1].upper() == "AS" else None
    known = {key: value for key, value in arguments.items() if value is not None}
    text = shell.expand(base, known)
    below = next(
        (s.index for s in reversed(earlier) if s.name and s.name.lower() == (text or "").lower()), None
    )
    image = parse_image(text) if text and below is None else None
    return Stage(len(earlier), name, base, image, start.location, below, body)


def parse_image(text: str) -> Image:
    """An image reference split into name, tag and digest."""
    rest, _, digest = text.partition("@")
    head, slash, last = rest.rpartition("/")
    last, _, tag = last.partition(":")
    return Image(text, head + slash + last, tag, digest)


def _copy(instruction: Instruction) -> Copy:
    words = instruction.words
    return Copy(words[:-1], words[-1] if words else "", instruction.flag("from"), instruction.location)


def dockerfile(store: FactStore) -> Table:
    """Table `dockerfile`: one row per Dockerfile.

    Fields: `file`, `stages` (their number), `final_image`, `final_repository` and `final_tag` (what the last
    stage stands on, through earlier stages), `images` (all FROM images), `healthcheck` yes/no, `ports`,
    `env_names`, `user`, `entrypoint`, `command`, `services` (compose services that build it). All but
    `stages` and `images` are about the last stage; None where the file does not say or an ARG decides.
    """
    read = store.get(dockerfiles)
    builders: dict[str, list[str]] = {}
    for _, service in store.get(compose_files).services():
        if service.build is not None:
            builders.setdefault(service.build.dockerfile, []).append(service.name)
    rows = tuple(
        _file_row(file, file.final, tuple(builders.get(file.path, ())))
        for file in read.files
        if file.final is not None
    )
    return Table("dockerfile", rows, tuple(file.path for file in read.files), read.problems)


def _file_row(file: Dockerfile, final: Stage, services: tuple[str, ...]) -> Entity:
    image = file.base_image(final)
    proof = (file.lineage(final)[-1].location,)
    chain = file.lineage(final)
    fields = {
        "file": Answer(file.path),
        "stages": Answer(len(file.stages), proof=tuple(stage.location for stage in file.stages)),
        "final_image": Answer(image.text if image else None, proof=proof),
        "final_repository": Answer(image.repository if image else None, proof=proof),
        "final_tag": Answer(image.tag if image else None, proof=proof),
        "images": Answer(tuple(stage.image.text for stage in file.stages if stage.image is not None)),
        "healthcheck": _healthcheck(file, final),
        "ports": Answer(tuple(port for stage in chain for port in stage.ports)),
        "env_names": Answer(tuple(name for stage in chain for name, _, _ in stage.environment)),
        "user": _text(file.effective(final, "USER")),
        "entrypoint": _text(file.effective(final, "ENTRYPOINT")),
        "command": _text(file.effective(final, "CMD")),
        "services": Answer(services),
    }
    return Entity("dockerfile", final.location, fields)


def _healthcheck(file: Dockerfile, stage: Stage) -> Answer:
    found = file.effective(stage, "HEALTHCHECK")
    if found is None:
        return Answer(NO, "there is no HEALTHCHECK", (stage.location,))
    if found.words[:1] == ("NONE",):
        return Answer(NO, "HEALTHCHECK is NONE", (found.location,))
    return Answer(YES, "HEALTHCHECK is set", (found.location,))


def _text(instruction: Instruction | None) -> Answer:
    if instruction is None:
        return Answer(None)
    return Answer(redacted(" ".join(instruction.words)), proof=(instruction.location,))


def dockerfile_stage(store: FactStore) -> Table:
    """Table `dockerfile_stage`: one row per stage.

    Fields: `file`, `index` (from 0), `name`, `final` yes/no, `base` (as written), `image`, `repository`,
    `tag`, `digest` (of the image the stage stands on, through earlier stages), `copy_sources` (from the build
    context), `copies_from` (stages and images), `env_names`, `arg_names`, `ports`, `runs` (number of RUN).
    """
    read = store.get(dockerfiles)
    rows = tuple(_stage_row(file, stage) for file in read.files for stage in file.stages)
    return Table("dockerfile_stage", rows, tuple(file.path for file in read.files), read.problems)


def _stage_row(file: Dockerfile, stage: Stage) -> Entity:
    image = file.base_image(stage)
    copies = stage.copies
    fields = {
        "file": Answer(file.path),
        "index": Answer(stage.index),
        "name": Answer(stage.name),
        "final": Answer(YES if stage is file.final else NO),
        "base": Answer(stage.base),
        "image": Answer(image.text if image else None),
        "repository": Answer(image.repository if image else None),
        "tag": Answer(image.tag if image else None),
        "digest": Answer(image.digest if image else None),
        "copy_sources": Answer(
            tuple(source for copy in copies if copy.stage is None for source in copy.sources),
            proof=tuple(copy.location for copy in copies if copy.stage is None),
        ),
        "copies_from": Answer(tuple(copy.stage for copy in copies if copy.stage is not None)),
        "env_names": Answer(tuple(name for name, _, _ in stage.environment)),
        "arg_names": Answer(tuple(name for i in stage.all("ARG") for name, _ in i.pairs())),
        "ports": Answer(stage.ports),
        "runs": Answer(len(stage.all("RUN"))),
    }
    return Entity("dockerfile_stage", stage.location, fields)
