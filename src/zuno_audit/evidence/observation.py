"""What evidence says, in one shape for all formats."""

from __future__ import annotations

from msgspec import Struct, field

PASSED = "pass"
FAILED = "fail"
SKIPPED = "skip"
UNFINISHED = "unfinished"


class BrokenEvidence(Exception):
    """A file of a known format that cannot be read to its end. `line` is 1-based."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class Observation(Struct, frozen=True):
    """One thing that a run saw.

    `kind` says what sort of thing (`test`, `issue`, `image`...), `name` which one, `state` how it was found,
    `number` its size, value or percentage, `labels` the rest. `line` is where the file says so.
    """

    kind: str
    name: str
    state: str = ""
    number: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    line: int = 1

    def label(self, name: str) -> str:
        """The value of a label, or empty text."""
        return dict(self.labels).get(name, "")


class Reading(Struct, frozen=True):
    """All that a file says. `made_at` is when it says that it was made, in seconds since 1970."""

    observations: tuple[Observation, ...]
    made_at: float | None = None


class Meta(Struct, frozen=True):
    """What the sidecar `NAME.meta.json` says of the run: all optional, `None` and empty mean not known."""

    commit: str = ""
    dirty: bool = False
    command: tuple[str, ...] = ()
    exit_status: int | None = None
    tool: str = ""
    version: str = ""
    made_at: float | None = None
    url: str = ""
    query: str = ""
    environment: str = ""


class Evidence(Struct, frozen=True):
    """One evidence file: `path` as reports show it, its `format`, what it says, and whether that counts.

    `stale` is empty for fresh evidence, else a clause that says why it decides nothing.
    """

    path: str
    format: str
    observations: tuple[Observation, ...]
    meta: Meta = field(default_factory=Meta)
    made_at: float | None = None
    stale: str = ""


class Seen(Struct, frozen=True):
    """An observation and the file it is from."""

    path: str
    observation: Observation
    meta: Meta

    @property
    def line(self) -> int:
        return self.observation.line
