"""Hides secrets before any text leaves the audit: the first four characters at most, then `****`.

Two strengths: `redact` for sentences and Go code, `redact_source` for text cut out of other files, where the
unquoted value beside a secret-sounding name is hidden as well.
"""

from __future__ import annotations

import re

HIDDEN = "****"
SHOWN = 4
SHORTEST_SHOWN = 16  # of a shorter secret nothing is shown

_TOKENS = re.compile(
    r"""
    -----BEGIN[ ][A-Z0-9 ]{0,30}PRIVATE[ ]KEY-----
      [^-]{0,20000}(?:-----END[ ][A-Z0-9 ]{0,30}PRIVATE[ ]KEY-----)?
    | \beyJ[\w-]{8,4096}\.[\w-]{4,8192}(?:\.[\w-]{0,4096})?
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
    | \bgh[pousr]_[A-Za-z0-9]{20,255}
    | \bgithub_pat_\w{20,255}
    | \bglpat-[\w-]{16,100}
    | \bxox[abeoprs]-[A-Za-z0-9-]{8,250}
    | \b[sr]k_(?:live|test)_[A-Za-z0-9]{10,250}
    | \bwhsec_[A-Za-z0-9]{16,250}
    | \bAIza[\w-]{30,60}
    | \bya29\.[\w-]{20,2000}
    | \bsk-(?:ant-|proj-)?[A-Za-z0-9_-]{20,250}
    | \bSG\.[\w-]{16,64}\.[\w-]{16,64}
    | \bnpm_[A-Za-z0-9]{30,64}
    | \bpypi-[\w-]{40,400}
    | \bdop_v1_[a-f0-9]{32,128}
    | \bhvs\.[\w-]{20,200}
    | \b(?<![0-9a-fA-Fx])0x[0-9a-fA-F]{64}\b
    """,
    re.VERBOSE,
)
# One of these stands in every text that has such a token, one of the words in every text that names a secret.
_TOKEN_MARKS = (
    *(
        "-----BEGIN",
        "eyJ",
        "AKIA",
        "ASIA",
        "gh",
        "glpat-",
        "xox",
        "k_live_",
        "k_test_",
        "whsec_",
        "AIza",
        "ya29.",
    ),
    *("sk-", "SG.", "npm_", "pypi-", "dop_v1_", "hvs.", "0x"),
)
_NAME_WORDS = ("secret", "pass", "pwd", "token", "key", "credent", "dsn")
_USER_INFO = re.compile(r"(\b[A-Za-z][A-Za-z0-9+.-]{0,30}://)([^\s/@'\"`<>]{1,300})@")
_NAME = (
    r"(?:secret|passw(?:or)?d|passphrase|(?<![a-z])pass(?![a-z])|pwd|token|api[_-]?key|private[_-]?key|"
    r"access[_-]?key|signing[_-]?key|encryption[_-]?key|credential|dsn)[a-z0-9_]{0,40}"
)
_QUOTED = re.compile(rf"(?i)({_NAME}[\"']?\s{{0,4}}(?::=|=>|[:=,])\s{{0,4}})([\"'`])([^\"'`\n]{{1,4096}})\2")
_BARE = re.compile(
    rf"(?i)({_NAME}[ \t]{{0,4}}(?:=|:[ \t])[ \t]{{0,4}})"
    r"(\$\{[^}\n]{0,200}\}|[^\s\"'`,;(){}\[\]]{1,4096})"
)
_REFERENCE = re.compile(r"\$\{?[A-Za-z_]\w*\}?\Z|<[^<>]*>\Z")


def mask(secret: str) -> str:
    """A secret as it may be shown."""
    return (secret[:SHOWN] if len(secret) >= SHORTEST_SHOWN else "") + HIDDEN


def redact(text: str) -> str:
    """Text without well-known token shapes, user info in URLs and quoted values of secret-named keys."""
    if any(mark in text for mark in _TOKEN_MARKS):
        text = _TOKENS.sub(lambda m: mask(m.group()), text)
    if "://" in text:
        text = _USER_INFO.sub(rf"\1{HIDDEN}@", text)
    return _QUOTED.sub(_hide_quoted, text) if _names_a_secret(text) else text


def _names_a_secret(text: str) -> bool:
    """False when no name in the text can be that of a secret; quicker than the search for one."""
    folded = text.casefold()
    return any(word in folded for word in _NAME_WORDS)


def redact_source(text: str) -> str:
    """Text cut out of a file, like `redact`, with unquoted values of secret-named keys hidden too."""
    return _BARE.sub(_hide_bare, redact(text))


def _hide_quoted(match: re.Match[str]) -> str:
    key, quote, value = match.groups()
    if _is_harmless(value):
        return match.group()
    return f"{key}{quote}{mask(value)}{quote}"


def _hide_bare(match: re.Match[str]) -> str:
    key, value = match.groups()
    if _is_harmless(value):
        return match.group()
    return f"{key}{mask(value)}"


def _is_harmless(value: str) -> bool:
    """True for a reference to a variable, a `<placeholder>` and what is hidden already."""
    return HIDDEN in value or _REFERENCE.match(value) is not None
