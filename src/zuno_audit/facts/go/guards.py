"""What stands between a caller and the wire, as the questions about breakers answer it."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from zuno_audit.facts.go.values import Site


class Guard(Struct, frozen=True):
    """What stands between a caller and the wire.

    `guarded` is yes, no or unknown. The settings are None where they come from outside. `sites` prove it.
    `mixed` is set where an alternative is better, or may be.
    `asks_environment` is set where variables of the environment were read on the way, `reads_environment` where
    the guard reads them itself: what it does may depend on them.
    `useless` marks a breaker that works but for its settings, with which it never opens or closes at once.
    """

    guarded: str
    because: str
    sites: tuple[tuple[Site, str], ...] = ()
    max_failures: int | None = None
    reset_timeout_s: float | None = None
    half_open_max_calls: int | None = None
    setting_sites: tuple[tuple[Site, str], ...] = ()
    depends_on_caller: bool = False
    broken: bool = False
    useless: bool = False
    mixed: bool = False
    asks_environment: bool = False
    reads_environment: bool = False

    @property
    def settings(self) -> tuple[int | None, float | None, int | None]:
        return (self.max_failures, self.reset_timeout_s, self.half_open_max_calls)


def all_of(guards: list[Guard]) -> Guard:
    """Alternatives: each must be guarded, and settings count only where all agree."""
    if not guards:
        return Guard("unknown", "nothing is known of it")
    worst = min(guards, key=rank)
    reads = any(g.reads_environment for g in guards)
    if worst.guarded != "yes":
        mixed = any(g.guarded == "yes" or g.depends_on_caller or g.mixed for g in guards)
        return replace(worst, mixed=mixed or worst.mixed, reads_environment=reads)
    if len(guards) == 1:
        return worst
    failures = {g.max_failures for g in guards}
    resets = {g.reset_timeout_s for g in guards}
    probes = {g.half_open_max_calls for g in guards}
    return replace(
        worst,
        max_failures=failures.pop() if len(failures) == 1 else None,
        reset_timeout_s=resets.pop() if len(resets) == 1 else None,
        half_open_max_calls=probes.pop() if len(probes) == 1 else None,
        reads_environment=reads,
    )


def rank(guard: Guard) -> tuple[int, bool]:
    """How good a guard is: no, unknown, yes."""
    return {"no": 0, "unknown": 1, "yes": 2}[guard.guarded], guard.mixed
