"""Where the rules, queries and the checklist lie: inside an installed wheel, or in the checkout."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from zuno_audit.errors import ConfigError


@lru_cache(maxsize=1)
def data_root() -> Path:
    """The folder that holds `rules` and `queries`.

    An installed wheel carries it as `zuno_audit/_data`; a checkout has it beside `pyproject.toml`. The
    package is asked first, because an editable install can leave a stale copy elsewhere. Raises ConfigError
    when neither is there.
    """
    packaged = Path(__file__).parent / "_data"
    if packaged.is_dir():
        return packaged
    checkout = Path(__file__).resolve().parents[2]
    if (checkout / "pyproject.toml").is_file() and (checkout / "rules").is_dir():
        return checkout
    raise ConfigError("the rules that belong to zuno-audit are missing", hint="Install zuno-audit again.")
