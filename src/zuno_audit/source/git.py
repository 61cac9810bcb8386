"""The one door to git: every call is hardened, so that nothing the audited repository says is executed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

HARDENING = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
TIMEOUT_SECONDS = 60


class Git:
    """Read-only questions to git about one work tree."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def run(self, *arguments: str) -> bytes:
        """stdout of `git ARGUMENTS`."""
        done = subprocess.run(
            ["git", *HARDENING, *arguments],
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=TIMEOUT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"},
            check=True,
        )
        return done.stdout
