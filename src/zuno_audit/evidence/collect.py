"""Runs the commands whose outputs the checklist asks for, and stores what they print with where it is from.

Nothing runs unless it was asked for. Programs come from PATH, never from the audited tree, and start without
a shell. Some commands (`go test`, `go build`) run code of the repository: that is what they are for.
"""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from msgspec import Struct

from zuno_audit.errors import ReportError
from zuno_audit.evidence.sidecar import SUFFIX, write_meta
from zuno_audit.model.redaction import redact

MAX_OUTPUT = 64 * 1024 * 1024
VERSION_SECONDS = 10.0
_UNABLE = re.compile(
    r"Cannot connect to the Docker daemon|unknown command: docker compose|is not a docker command"
    r"|permission denied while trying to connect|curl: \((?:6|7|28|35)\) |service \"[^\"]*\" is not running"
)
NO_DOCKER = 125  # what docker itself says when it could not do anything
TIMED_OUT = 124  # what timeout(1) says
_OUTPUT = "{output}"  # in a command: the file that the program writes itself


class Command(Struct, frozen=True):
    """One run. `name` is the file for its output, `words` the command, `folder` where it runs.

    `needs` is a path of the tree without which it makes no sense, `also` a second file that it writes.
    """

    name: str
    phases: tuple[str, ...]
    words: tuple[str, ...]
    folder: str = "."
    needs: str = "go.mod"
    version: tuple[str, ...] = ("--version",)
    also: str = ""
    url: str = ""

    @property
    def program(self) -> str:
        """The program's name."""
        return self.words[0]

    def line(self) -> str:
        """The command as a person would type it."""
        place = f"cd {self.folder} && " if self.folder != "." else ""
        return place + " ".join(_quoted(word) for word in self.words)


def _quoted(word: str) -> str:
    return f"'{word}'" if any(char in word for char in " ()*?[]{}$&;|<>") else word


_GO = ("version",)
_GATEWAY = "http://localhost:8081"
_PROMETHEUS = "http://localhost:9090"
_TRIVY = ("zuno-marketplace-auth-service:latest", "zuno-marketplace-graphql-gateway:latest")


def _go(
    name: str, phase: str, *words: str, folder: str = ".", also: str = "", needs: str = "go.mod"
) -> Command:
    return Command(name, (phase,), ("go", *words), folder, needs, _GO, also)


def _curl(name: str, phase: str, *options: str, url: str) -> Command:
    return Command(name, (phase,), ("curl", "-sS", "--max-time", "20", *options, url), needs="", url=url)


def _compose(name: str, phases: tuple[str, ...], *words: str) -> Command:
    return Command(name, phases, ("docker", "compose", *words), needs="docker-compose.yml")


COMMANDS: tuple[Command, ...] = (
    _go("go-mod-download.txt", "2", "mod", "download"),
    _go("go-mod-tidy.diff", "2", "mod", "tidy", "-diff"),
    _go("go-build.txt", "2", "build", "./..."),
    Command(
        "golangci-lint.json",
        ("2",),
        ("golangci-lint", "run", "--output.json.path", "stdout", "--show-stats=false", "./..."),
    ),
    _compose("docker-build.txt", ("2",), "build", "--no-cache"),
    Command("docker-images.jsonl", ("2",), ("docker", "images", "--format", "json"), needs=""),
    _go(
        "go-test.jsonl",
        "3",
        *("test", "-json", "-race", f"-coverprofile={_OUTPUT}", "./..."),
        also="coverage.out",
    ),
    _go(
        "go-test-e2e.jsonl",
        "3",
        "test",
        "-json",
        "-timeout",
        "10m",
        "./...",
        folder="test/e2e",
        needs="test/e2e",
    ),
    _compose("compose-ps.jsonl", ("3", "5"), "ps", "--all", "--format", "json"),
    Command("gosec.json", ("4",), ("gosec", "-exclude-generated", "-fmt", "json", "./...")),
    *(
        Command(f"trivy-{n}.json", ("4",), ("trivy", "image", "--format", "json", image), needs="")
        for n, image in enumerate(_TRIVY, 1)
    ),
    _curl("health.http", "5", "-i", url=f"{_GATEWAY}/health"),
    _curl("metrics.txt", "5", url=f"{_GATEWAY}/metrics"),
    _curl("prometheus-targets.json", "6", url=f"{_PROMETHEUS}/api/v1/targets"),
    _curl("prometheus-rules.json", "6", url=f"{_PROMETHEUS}/api/v1/rules"),
    _compose(
        "schema.sql",
        ("7",),
        "exec",
        "-T",
        "postgres",
        "pg_dump",
        "-U",
        "postgres",
        "--schema-only",
        "marketplace",
    ),
    _compose(
        "schema-migrations.sql",
        ("7",),
        *("exec", "-T", "postgres", "pg_dump", "-U", "postgres", "--data-only"),
        *("--table", "schema_migrations", "marketplace"),
    ),
)


class Planned(Struct, frozen=True):
    """A command and what keeps it from running here, empty when nothing does."""

    command: Command
    obstacle: str
    program: str = ""


class Collected(Struct, frozen=True):
    """How a run ended: its exit status, and what to say when it is not 0.

    `is_kept` is False when the command could not do its work here (no daemon, nobody answers): that is no
    evidence of anything, and nothing is stored.
    """

    command: Command
    exit_status: int
    complaint: str
    is_kept: bool = True


def plan(root: Path, phases: Iterable[str] | None) -> tuple[Planned, ...]:
    """The commands of these phases (None: all), in order, with what is missing on this machine."""
    wanted = None if phases is None else {str(phase) for phase in phases}
    chosen = (c for c in COMMANDS if wanted is None or wanted & set(c.phases))
    return tuple(_planned(command, root) for command in chosen)


def _planned(command: Command, root: Path) -> Planned:
    program = find_program(command.program, root)
    if program is None:
        return Planned(command, f"not on this machine: {command.program}")
    if command.needs and not (root / command.needs).exists():
        return Planned(command, f"not in this repository: {command.needs}")
    return Planned(command, "", program)


def find_program(name: str, root: Path) -> str | None:
    """The program on PATH; absolute entries outside of the audited tree only."""
    top = root.resolve()
    for entry in _search_path(top):
        for ending in ("", ".exe") if os.name == "nt" else ("",):
            candidate = Path(entry, name + ending)
            if candidate.is_file() and os.access(candidate, os.X_OK) and not _is_below(candidate, top):
                return str(candidate)
    return None


def _search_path(top: Path) -> Iterator[str]:
    for entry in os.environ.get("PATH", os.defpath).split(os.pathsep):
        if Path(entry).is_absolute() and not _is_below(Path(entry), top):
            yield entry


def _is_below(path: Path, top: Path) -> bool:
    return path.resolve().is_relative_to(top)


def collect(
    planned: Planned,
    *,
    root: Path,
    folder: Path,
    commit: str | None,
    is_dirty: bool,
    seconds: float,
    environment: str = "",
) -> Collected:
    """Runs one command and writes its output and sidecar. A run that takes too long is ended.

    Raises ReportError when the folder cannot be written to.
    """
    command = planned.command
    folder = folder.resolve()
    try:
        prepare(folder)
        also = folder / command.also if command.also else None
        words = [word.replace(_OUTPUT, str(also)) for word in command.words]
        started = datetime.now(UTC)
        status, complaint = _run(planned, words, root, folder / command.name, seconds)
        unable = _UNABLE.search(complaint) if status else None
        if unable is not None or (status == NO_DOCKER and command.program == "docker"):
            at = unable.start() if unable is not None else 0
            (folder / command.name).unlink()
            (folder / (command.name + SUFFIX)).unlink(missing_ok=True)
            return Collected(command, status, _line_around(complaint, at), is_kept=False)
        meta = {
            "commit": commit,
            "dirty": is_dirty,
            "command": [word.replace(_OUTPUT, command.also) for word in command.words],
            "exit_status": status,
            "tool": command.program,
            "version": _version(planned, root),
            "made_at": started.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "url": command.url,
            "environment": environment,
        }
        for name in filter(None, (command.name, command.also)):
            if (folder / name).exists():
                (folder / (name + SUFFIX)).write_text(write_meta(meta), "utf-8")
    except OSError as error:
        raise ReportError(f"Evidence cannot be written: {error.strerror or error}.") from error
    return Collected(command, status, _line_around(complaint, len(complaint)))


def _line_around(text: str, position: int) -> str:
    """The line of a text that holds this position, without secrets."""
    start, end = text.rfind("\n", 0, position) + 1, text.find("\n", position)
    return redact(text[start : end if end >= 0 else len(text)].strip())[:300]


def prepare(folder: Path) -> None:
    """Makes the folder; evidence is left out of git, unless somebody wants it in."""
    is_new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    if is_new:
        (folder / ".gitignore").write_text("*\n", "utf-8")


def _run(planned: Planned, words: list[str], root: Path, target: Path, seconds: float) -> tuple[int, str]:
    """The exit status and the end of stderr. The output replaces the target in one step."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as output:
        try:
            with tempfile.TemporaryFile() as errors:
                status = _wait(planned, words, root, output, errors, seconds)
                errors.seek(max(errors.seek(0, os.SEEK_END) - 2000, 0))
                complaint = errors.read().decode("utf-8", "replace").strip()
            if output.tell() > MAX_OUTPUT:
                status, complaint = status or 1, f"it printed more than {MAX_OUTPUT // 1024 // 1024} MB"
            Path(output.name).replace(target)
        except BaseException:
            with suppress(OSError):
                Path(output.name).unlink()
            raise
    target.chmod(0o644)
    return status, complaint


def _wait(
    planned: Planned, words: list[str], root: Path, output: IO[bytes], errors: IO[bytes], seconds: float
) -> int:
    environment = {**os.environ, "PATH": os.pathsep.join(_search_path(root.resolve()))}
    process = subprocess.Popen(
        [planned.program, *words[1:]],
        cwd=root / planned.command.folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors,
        env=environment,
        start_new_session=True,
    )
    try:
        return int(process.wait(timeout=seconds))
    except subprocess.TimeoutExpired:
        return TIMED_OUT
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and what it started, when it is still there."""
    if process.poll() is None:
        with suppress(OSError):
            os.killpg(process.pid, 15) if hasattr(os, "killpg") else process.terminate()
        deadline = time.monotonic() + 5
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if process.poll() is None:
            with suppress(OSError):
                os.killpg(process.pid, 9) if hasattr(os, "killpg") else process.kill()
            process.wait()


def _version(planned: Planned, root: Path) -> str:
    """The first line that the program prints about its version, or empty text."""
    try:
        done = subprocess.run(
            [planned.program, *planned.command.version],
            capture_output=True,
            timeout=VERSION_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return lines[0][:200] if lines else ""
