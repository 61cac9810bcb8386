"""What the terminal can do and what the user wants of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping

WIDTH = 100  # where there is no terminal


def wants_color(choice: str, environment: Mapping[str, str], *, is_terminal: bool) -> bool:
    """`--color` decides, then NO_COLOR (no-color.org), then FORCE_COLOR, then whether it is a terminal."""
    if choice != "auto":
        return choice == "always"
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR"):
        return True
    return is_terminal and environment.get("TERM") != "dumb"


def stdout_color(choice: str) -> bool:
    """Whether the report on standard output is coloured."""
    return wants_color(choice, os.environ, is_terminal=sys.stdout.isatty())


def width() -> int:
    """Columns of the terminal; COLUMNS wins."""
    columns = os.environ.get("COLUMNS", "")
    if columns.isdecimal() and int(columns) > 0:
        return int(columns)
    try:  # what shutil.get_terminal_size does, without the compressors that come with it
        return (os.get_terminal_size(sys.__stdout__.fileno()).columns if sys.__stdout__ else 0) or WIDTH
    except (AttributeError, ValueError, OSError):
        return WIDTH
