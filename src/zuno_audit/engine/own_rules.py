"""The rules that the engine reports itself, because they are about suppressions and waivers.

The only place that names them; what they mean is in `rules/exceptions/`.
"""

from __future__ import annotations

SUPPRESSION_UNKNOWN_RULE = "suppression-unknown-rule"
SUPPRESSION_MALFORMED = "suppression-malformed"
SUPPRESSION_UNUSED = "suppression-unused"
WAIVER_EXPIRED = "waiver-expired"
WAIVER_UNUSED = "waiver-unused"

OWN_RULES = (
    SUPPRESSION_MALFORMED,
    SUPPRESSION_UNKNOWN_RULE,
    SUPPRESSION_UNUSED,
    WAIVER_EXPIRED,
    WAIVER_UNUSED,
)
ABOUT_WAIVERS = frozenset({WAIVER_EXPIRED, WAIVER_UNUSED})  # no exception is made for these
