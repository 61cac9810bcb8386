"""How Go code shows values, and which of its names say so: the ways, what formats make of their arguments, the
packages that log. `At` says where a value stands that is shown.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from zuno_audit.facts.go.program import Declaration

# the ways in which a value is shown
RAW = "raw"  # its text as it is
TEXT = "text"  # by fmt: %v, %s, %+v
SYNTAX = "syntax"  # by fmt: %#v
JSON = "json"  # by encoding/json
YAML = "yaml"  # by gopkg.in/yaml and its like
FIELD = "field"  # as a field of a structured log, by encoding/json where the value has no say
PRINTED = "printed"  # as a field of a log whose handler leaves it to fmt then: %+v

LOG_PACKAGES = re.compile(
    r"^(?:log|log/slog|fmt|k8s\.io/klog(?:/v2)?|github\.com/golang/glog|github\.com/sirupsen/logrus|"
    r"github\.com/rs/zerolog(?:/log)?|go\.uber\.org/zap|github\.com/go-kit/(?:kit/)?log(?:/level)?|"
    r"github\.com/hashicorp/go-hclog|github\.com/apex/log|github\.com/charmbracelet/log|"
    r"github\.com/go-logr/logr|github\.com/inconshreveable/log15(?:/v3)?|github\.com/golang/glog)$"
)
LOG_FIELDS = frozenset(
    {"String", "Str", "Any", "Interface", "Stringer", "ByteString", "Bytes", "Hex", "Reflect", "Strs"}
    | {"Strings", "Object", "Dict", "RawJSON", "Group", "Stringp", "Inline", "Objects", "Attr"}
)
FORMATS = frozenset(("Sprintf", "Sprint", "Sprintln"))
HIDES = re.compile(
    r"mask|redact|hide|hidden|obfuscat|censor|sanitiz|scrub|hash|digest|fingerprint|checksum|sum(?:256|512)?$|crc|len$|"
    r"bcrypt|scrypt|argon|encrypt|seal|verify|compare|equal|valid|exists?$|^is[A-Z]|^has[A-Z]|count|parse|lookup",
    re.IGNORECASE,
)
_VERB = re.compile(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(?:\[\d+\])?([a-zA-Z])")

Given = tuple[tuple[str, str | None], ...]


class At(NamedTuple):
    """Where an expression stands: its declaration, and what parameters of that are known to hold.

    With `only` nothing else counts as a secret but what is given. With `errors` the texts of errors are looked into
    that functions of the repository return.
    """

    root: Declaration
    given: Given = ()
    only: bool = False
    errors: bool = False


class Verb(NamedTuple):
    """A verb of a format: how it shows its argument, or None where it does not show the text."""

    how: str | None


def verbs_of(form: str) -> list[Verb]:
    """The verbs of a format, one for each argument. Types, addresses, numbers and truth values show no text,
    neither do a few first characters.
    """
    out: list[Verb] = []
    for flags, _, precision, verb in _VERB.findall(form.replace("%%", "")):
        if verb not in "svqxXw" or (precision and int(precision) <= 8):
            out.append(Verb(None))
        else:
            out.append(Verb(SYNTAX if verb == "v" and "#" in flags else TEXT))
    return out
