"""The one door to semgrep: a subprocess that sees copies of the files concerned and nothing else.

What could make it look elsewhere or run something else, and what stops it here:

- ignore files, `nosemgrep` comments, names, links and sizes of the audited tree: the files are copied under
  numbers into a folder of our own, which has an empty `.semgrepignore`;
- settings, log-in, proxies, telemetry: the environment is made from nothing, HOME lies in that folder;
- the network: rules are given as a file, metrics and version check are off;
- a `semgrep` or helper in the audited tree: beside our own interpreter, only absolute PATH entries outside
  of the tree are searched, and handed on;
- endless work: limits for a file, for memory and for the whole; then the process group is killed.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from zuno_audit.errors import EngineError
from zuno_audit.facts.semgrep.wanted import RUN_SECONDS

SECONDS_PER_FILE = 20  # for one rule
MEMORY_MIB = 2000
MAX_OUTPUT = 64 * 1024 * 1024
_DONE = (0, 1)
_log = logging.getLogger(__name__)


def find_semgrep(root: Path) -> str | None:
    """The semgrep program: the one beside our interpreter, else the first on PATH outside of `root`."""
    for folder in (str(Path(sys.executable).parent), *_search_path(root)):
        candidate = Path(folder) / ("semgrep.exe" if os.name == "nt" else "semgrep")
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return str(candidate)
    return None


def _search_path(root: Path) -> tuple[str, ...]:
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return tuple(e for e in entries if Path(e).is_absolute() and not _is_inside(e, root))


def _is_inside(folder: str, root: Path) -> bool:
    return Path(os.path.realpath(folder)).is_relative_to(root.resolve())


def run_semgrep(
    program: str,
    rules: Sequence[Mapping[str, Any]],
    files: Mapping[str, bytes],
    root: Path,
    timeout: float = RUN_SECONDS,
) -> Any:
    """semgrep's JSON about some contents, by the plain names that they are given for the run.

    `root` is the audited folder, from which nothing may be started. Raises EngineError when semgrep cannot be
    started, takes too long, fails or answers what is no JSON.
    """
    with tempfile.TemporaryDirectory(prefix="zuno-audit-semgrep-") as folder:
        work = Path(folder).resolve()
        home, targets, config = work / "home", work / "targets", work / "rules.yaml"
        home.mkdir()
        targets.mkdir()
        (targets / ".semgrepignore").touch()
        for name, data in files.items():
            (targets / name).write_bytes(data)
        config.write_text(json.dumps({"rules": list(rules)}, ensure_ascii=False), "utf-8")
        output = work / "output.json"
        command = [program, *_options(config)]
        status = _wait(command, targets, _environment(program, home, root), output, timeout)
        return _answer(output, status)


def _options(config: Path) -> tuple[str, ...]:
    return (
        "scan",
        "--json",
        "--quiet",
        "--metrics=off",
        "--disable-version-check",
        "--disable-nosem",
        "--no-git-ignore",
        "--no-rewrite-rule-ids",
        "--max-target-bytes=0",
        f"--max-memory={MEMORY_MIB}",
        f"--timeout={SECONDS_PER_FILE}",
        "--timeout-threshold=1",
        f"--config={config}",
        ".",
    )


def _environment(program: str, home: Path, root: Path) -> dict[str, str]:
    path = os.pathsep.join((str(Path(program).parent), *_search_path(root)))
    kept = {name: os.environ[name] for name in ("SYSTEMROOT",) if name in os.environ}
    return {
        **kept,
        "PATH": path,
        "HOME": str(home),
        "USERPROFILE": str(home),
        "TMPDIR": str(home),
        "XDG_CONFIG_HOME": str(home),
        "XDG_CACHE_HOME": str(home),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "PYTHONNOUSERSITE": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "SEMGREP_SEND_METRICS": "off",
        "SEMGREP_ENABLE_VERSION_CHECK": "0",
        "GIT_CEILING_DIRECTORIES": str(home.parent),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def _wait(command: list[str], folder: Path, environment: dict[str, str], output: Path, timeout: float) -> int:
    """The exit status. Everything that was started is gone when this returns or raises."""
    with output.open("wb") as stdout, (output.parent / "errors.txt").open("w+b") as stderr:
        try:
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise EngineError(f"semgrep cannot be started: {error}.") from None
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise EngineError(f"semgrep took longer than {timeout:g} seconds.") from None
        finally:
            _kill(process)
        stderr.seek(0)
        _log.debug("semgrep: exit status %s, %s", status, stderr.read(4000).decode("utf-8", "replace"))
        return status


def _kill(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _answer(output: Path, status: int) -> Any:
    if output.stat().st_size > MAX_OUTPUT:
        raise EngineError(f"semgrep wrote more than {MAX_OUTPUT // 1024 // 1024} MiB.")
    if status not in _DONE:
        raise EngineError(f"semgrep failed (exit status {status}).", hint="-vv shows what it says.")
    try:
        return json.loads(output.read_bytes())
    except (ValueError, RecursionError):
        raise EngineError("semgrep's output is no JSON.") from None
