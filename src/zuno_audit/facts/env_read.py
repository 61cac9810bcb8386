"""What Go code reads from the environment, as plain data: what code facts hand to `environment`."""

from __future__ import annotations

from msgspec import Struct

from zuno_audit.model.entity import UNKNOWN
from zuno_audit.model.location import Location


class EnvRead(Struct, frozen=True):
    """One place that reads a variable.

    `default` is the value used when it is missing (None when there is none or it cannot be known), `required`
    yes/no/unknown: the program refuses to start without it. `mechanism` is the call (`os.Getenv`,
    `env.GetString`, a struct tag), `directory` the folder of the package. `can_run` yes/no/unknown: some
    binary links the package and reaches the place.
    """

    name: str
    location: Location
    default: str | None = None
    required: str = UNKNOWN
    mechanism: str = "os.Getenv"
    directory: str = ""
    can_run: str = UNKNOWN
