"""What code reads from the environment, as plain data: what code facts hand to `environment`."""

from __future__ import annotations

from posixpath import dirname

from msgspec import Struct

from zuno_audit.model.entity import UNKNOWN
from zuno_audit.model.location import Location, Span


class EnvRead(Struct, frozen=True):
    """One place that reads a variable.

    `default` is the value used when it is missing (None when there is none or it cannot be known), `required`
    yes/no/unknown: the program refuses to start without it. `mechanism` is the call (`os.Getenv`,
    `env.GetString`, a struct tag), `directory` the folder of the package. The call that reads stands at the byte
    `offset` of the Go file `code`; in a script, which runs whenever somebody starts it, `code` is empty.
    `type` is the basic type, or `time.Duration`, of a field that a library turns the text into.
    """

    name: str
    location: Location
    default: str | None = None
    required: str = UNKNOWN
    mechanism: str = "os.Getenv"
    directory: str = ""
    code: str = ""
    offset: int = 0
    type: str = ""


def script_read(
    path: str, line: int, column: int, name: str, default: str | None, required: str, how: str
) -> EnvRead:
    """A read in a script."""
    where = Location(path, Span(line, column, line, column + len(name)))
    return EnvRead(name, where, default, required, how, dirname(path))
