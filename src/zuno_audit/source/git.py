"""The one door to git: every call is hardened, so that nothing the audited repository says is executed.

What can run a program, and what stops it here:

- hooks, `core.fsmonitor`, pagers, editors, credential helpers: overridden by `-c`, which outranks every file;
- network programs (`core.sshCommand`, `uploadpack`, `remote.*.vcs`, `core.gitProxy`, lazy fetches of a
  partial clone): GIT_ALLOW_PROTOCOL allows none, and that outranks `protocol.*.allow`;
- `filter.*`, `diff.external`, `textconv`, `gpg.program`: only the commands in `SAFE_COMMANDS` may run. None
  of them compares contents with the work tree; `source/info.py` does that, by hashing;
- aliases cannot replace built-in commands, and only built-in commands run;
- a `git` that lies in the audited tree: only absolute PATH entries outside of it are searched;
- the user's own settings, that could make two audits of one tree differ: scrubbed from the environment.

`--git-dir` and `--work-tree` are always given, so that `core.worktree` and `core.bare` cannot move the tree.
"""

from __future__ import annotations

import os
import subprocess
from functools import cached_property
from pathlib import Path

from msgspec import Struct

TIMEOUT_SECONDS = 20  # the slowest listing measured (10,600 files) takes 0.1 s
SAFE_COMMANDS = frozenset({"ls-files", "rev-parse", "symbolic-ref", "rev-list", "for-each-ref", "diff-tree"})
SAFE_COMMANDS_WITH = {"config": "--get", "diff-index": "--cached", "cat-file": "-e"}  # safe in this form only

_OVERRIDES = {
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "core.pager": "cat",
    "core.editor": "true",
    "core.sshCommand": "false",
    "core.gitProxy": "false",
    "core.askPass": "false",
    "core.alternateRefsCommand": "true",
    "core.excludesFile": os.devnull,
    "core.attributesFile": os.devnull,
    "core.untrackedCache": "false",
    "core.quotePath": "false",
    "credential.helper": "",
    "diff.external": "",
    "gpg.program": "false",
    "log.showSignature": "false",
    "protocol.allow": "never",
    "safe.directory": "*",
    "submodule.recurse": "false",
}
HARDENING = (
    "--no-pager",
    "--no-replace-objects",
    "--no-optional-locks",
    "--literal-pathspecs",
    *(part for key, value in _OVERRIDES.items() for part in ("-c", f"{key}={value}")),
)


class GitError(Exception):
    """git is missing, failed or took too long. The message is one line."""


class Asked(Struct, frozen=True):
    """A call of git that was started. Its answer must be asked for once."""

    command: str
    process: subprocess.Popen[bytes]

    def answer(self) -> tuple[bytes, str]:
        """stdout, and what git complained of on stderr although it succeeded.

        Raises GitError when it failed, or takes longer than TIMEOUT_SECONDS from now on.
        """
        with self.process as process:
            try:
                output, complaints = process.communicate(timeout=TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                raise GitError(f"git {self.command} took longer than {TIMEOUT_SECONDS} seconds") from None
            finally:
                process.kill()  # nothing is left running, however this ends
        complaint = complaints.decode("utf-8", "replace").strip()
        if process.returncode != 0:
            first = complaint.splitlines()[0] if complaint else f"exit status {process.returncode}"
            raise GitError(first.removeprefix("fatal: ").removeprefix("error: "))
        return output, complaint


class Git(Struct, frozen=True, dict=True):
    """Read-only questions to git about one work tree.

    `root` is the audited folder, `top` the folder that holds `.git`: `root` itself or a parent of it.
    """

    root: Path
    top: Path

    def run(self, command: str, *arguments: str) -> bytes:
        """stdout of `git COMMAND ARGUMENTS`. Raises GitError when it fails or takes over TIMEOUT_SECONDS."""
        return self.start(command, *arguments).answer()[0]

    def start(self, command: str, *arguments: str) -> Asked:
        """A call of git that runs until its answer is asked for. Raises GitError when it cannot be started."""
        if command not in SAFE_COMMANDS and SAFE_COMMANDS_WITH.get(command) not in arguments:
            raise GitError(f"git {command} is not among the commands that are known to be safe")
        if self.executable is None:
            raise GitError("git is not installed")
        try:
            process = subprocess.Popen(
                [self.executable, *self._options, command, *arguments],
                cwd=self.root,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment,
            )
        except (OSError, ValueError) as error:
            raise GitError(f"git cannot be started: {error}") from None
        return Asked(command, process)

    @cached_property
    def executable(self) -> str | None:
        """The git program, never one from the audited tree; None when there is none."""
        names = ("git.exe",) if os.name == "nt" else ("git",)
        for folder in self._search_path:
            for name in names:
                candidate = os.path.join(folder, name)  # noqa: PTH118 - hot path
                if os.path.isfile(candidate) and os.access(candidate, os.X_OK):  # noqa: PTH113
                    return candidate
        return None

    @cached_property
    def _search_path(self) -> tuple[str, ...]:
        entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
        return tuple(e for e in entries if Path(e).is_absolute() and not self._is_audited(e))

    def _is_audited(self, folder: str) -> bool:
        return Path(os.path.realpath(folder)).is_relative_to(self.top)

    @property
    def _options(self) -> tuple[str, ...]:
        return (*HARDENING, f"--git-dir={self.top / '.git'}", f"--work-tree={self.top}")

    @cached_property
    def _environment(self) -> dict[str, str]:
        kept = {
            k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "SSH_ASKPASS", "LC_", "LANG"))
        }
        return {
            **kept,
            "PATH": os.pathsep.join(self._search_path),
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_SYSTEM": os.devnull,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_ALLOW_PROTOCOL": "none",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "false",
            "GIT_PAGER": "cat",
        }


def find_git(root: Path) -> Git | None:
    """The work tree that `root` (resolved) lies in: the nearest folder upwards that holds `.git`, or None."""
    for folder in (root, *root.parents):
        if (folder / ".git").exists():
            return Git(root, folder)
    return None
