"""Entries that are kept between runs, as files in a folder of the user's; never in the tree that is audited.

Whatever is wrong with an entry or the folder, there is no entry, and the work is done anew.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

MAX_ENTRIES = 64  # of some 100 KB to 1 MB each; the oldest go
MAX_ENTRY_BYTES = 64 * 1024 * 1024
SUFFIX = ".json"


def user_folder() -> Path | None:
    """Where programs of this user keep what they can make again; None where the system names no such place."""
    home = os.environ.get("HOME") or os.environ.get("USERPROFILE")
    if given := os.environ.get("XDG_CACHE_HOME"):
        base = Path(given)
    elif sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", ""))
    elif sys.platform == "darwin":
        base = Path(home or "", "Library", "Caches")
    else:
        base = Path(home or "", ".cache")
    return base / "zuno-audit" if base.is_absolute() else None


class Entries:
    """The entries in a folder, by name. The folder is made when the first one is kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find(self, name: str) -> bytes | None:
        """The bytes of an entry, or None."""
        try:
            with (self.folder / (name + SUFFIX)).open("rb") as file:
                data = file.read(MAX_ENTRY_BYTES + 1)
        except OSError:
            return None
        return data if len(data) <= MAX_ENTRY_BYTES else None

    def keep(self, name: str, data: bytes) -> None:
        """Puts an entry in place of the one with this name, in one step; a folder that cannot be used keeps none."""
        import tempfile

        if len(data) > MAX_ENTRY_BYTES:
            return
        with suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, written = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".tmp")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(data)
                Path(written).replace(self.folder / (name + SUFFIX))
            except BaseException:
                with suppress(OSError):
                    Path(written).unlink()
                raise
            self._drop_oldest()

    def _drop_oldest(self) -> None:
        kept = sorted(self.folder.glob("*" + SUFFIX), key=lambda f: f.stat().st_mtime, reverse=True)
        for file in kept[MAX_ENTRIES:]:
            file.unlink()
