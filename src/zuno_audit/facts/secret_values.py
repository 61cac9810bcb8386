"""Is a text a secret, or only stands where one will be? Judgement of names and values, without any file.

A value counts as real when it is random (long, mixed, without a pattern) or made like a password that
somebody chose, and does not say of itself that it is a placeholder or a well-known development default.
"""

from __future__ import annotations

import base64
import hashlib
import math
import re
from collections import Counter
from itertools import pairwise

RANDOM = "random value"
PASSWORD = "password"

MIN_RANDOM_LENGTH = 20
MIN_RANDOM_ENTROPY = 3.0  # bits a character; hexadecimal digits have at most 4, words about 2.5 to 3
MIN_PASSWORD_LENGTH = 8
MAX_LENGTH = 4096  # longer values are data

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_SECRET_WORDS = frozenset(
    {"secret", "secrets", "password", "passwd", "passphrase", "passwort", "pwd", "token", "credential"}
    | {"credentials", "mnemonic", "apikey", "privatekey", "secretkey", "accesskey", "pass", "requirepass"}
)
KEY_KINDS = frozenset(
    {
        "api",
        "private",
        "secret",
        "access",
        "signing",
        "encryption",
        "auth",
        "jwt",
        "master",
        "refresh",
        "session",
    }
    | {"deployer", "wallet", "account", "hmac", "cipher", "aes"}
)
TOKEN = frozenset(("token", "tokens"))
# words beside "token" that say what it is when it gives no access: of chains, pages, models, parsers, calls
_OTHER_TOKENS = frozenset(
    {"nft", "erc", "standard", "fee", "gas", "reward", "native", "quote", "lp", "swap", "page", "next"}
    | {"continuation", "cursor", "pagination", "offset", "resume", "prompt", "completion", "max", "min"}
    | {"num", "total", "count", "limit", "budget", "rate", "burst", "bucket", "bos", "eos", "pad", "stop"}
    | {"lexer", "syntax", "delimiter", "cancel", "cancellation", "fencing", "idempotency", "per"}
)
# words that say that a token gives access, whatever stands beside them
_ACCESS = frozenset(
    {"api", "access", "auth", "authorization", "bearer", "oauth", "refresh", "session", "jwt", "login"}
    | {"admin", "bot", "personal", "bootstrap", "join", "deploy", "webhook", "vault"}
)
# an identifier of a cluster that etcd calls a token; the word alone is the secret of others (K3S_CLUSTER_TOKEN)
_IDENTIFIER = ("initial", "cluster", "token")
# a name that ends in one of these speaks about a secret and does not hold it
_ABOUT = frozenset(
    {"id", "ids", "name", "names", "path", "file", "dir", "url", "uri", "host", "port", "ttl", "expiry"}
    | {"expiration", "expires", "duration", "length", "len", "size", "type", "header", "address", "contract"}
    | {"count", "limit", "hash", "standard", "symbol", "decimals", "ref", "algorithm", "issuer", "policy"}
    | {"enabled", "required", "number", "balance", "prefix", "suffix", "format", "field", "column", "label"}
    | {"env", "var", "lifetime", "rotation", "cookie", "audience", "public", "min", "max", "bytes", "digest"}
    | {"language", "lang", "sock", "socket"}
)

_LONG_PLACEHOLDERS = (
    *("example", "change", "replace", "placeholder", "dummy", "sample", "insert", "redacted", "default"),
    *("fixme", "generate", "foobar", "changeit", "password-here", "-here", "_here", "enter-", "put-your"),
    *("your-", "your_", "yourkey", "yoursecret", "yourpass", "supersecret", "super-secret", "super_secret"),
)
_SHORT_PLACEHOLDERS = frozenset(
    {
        "your",
        "my",
        "test",
        "testing",
        "tests",
        "dev",
        "development",
        "local",
        "localhost",
        "demo",
        "fake",
        "todo",
    }
    | {"mock", "stub", "qa", "ci", "staging", "foo", "bar", "abc", "none", "null", "nil", "tbd", "na", "not"}
    | {"secret", "secrets", "password", "passwd", "pass", "token", "key", "jwt", "apikey", "value", "string"}
    | {
        "xxx",
        "xxxx",
        "xxxxx",
        "something",
        "some",
        "random",
        "long",
        "here",
        "min",
        "chars",
        "unsafe",
        "insecure",
    }
)
# accounts and passwords that every image and tutorial has
_DEFAULTS = frozenset(
    {
        "postgres",
        "postgresql",
        "guest",
        "root",
        "admin",
        "administrator",
        "password",
        "passwd",
        "pass",
        "user",
    }
    | {"mysql", "mongo", "mongodb", "redis", "rabbitmq", "minio", "minioadmin", "rabbit", "secret", "test"}
    | {
        "username",
        "changeme",
        "letmein",
        "qwerty",
        "welcome",
        "hello",
        "master",
        "sa",
        "app",
        "db",
        "grafana",
    }
)
# words that stand beside those of a placeholder: "change this to a long random string in production"
_FILLERS = tuple(
    """
    please with this that must should least characters character chars more strong secure safe openssl
    base64 rand production prod only service server database user username account client access refresh
    signing session encryption private public hash salt auth token code hello world company corp acme
    organization project application from into never commit before deploy real letmein welcome live
    bytes bits digits number enter paste provide super very good anything everything secret password
    temp temporary initial first last name domain email localhost sandbox dashboard console
    """.split()
)
_FILLER_WORDS = frozenset(
    """
    a aes an and api app as at aws be bsc by co com db do dsn env eth for gcp hex hs id if in inc io is
    it jwt ltd me my net new nft no not of old on or org own pg pk put pwd rs rsa set sha sk so sql the
    to url use var xx you
    """.split()
)
_MADE_UP = re.compile(r"EXAMPLE(?:KEY)?=*\Z")  # how documentation marks keys
_BASE64 = re.compile(r"[A-Za-z0-9+/]{14,}={0,2}")
_JOINTS = re.compile(r"[-_.:,;/=]+")
_YEAR = re.compile(r"(?:19|20)\d\d")
_NOT_A_VALUE = re.compile(
    r"\$\{|\$\(|\{\{|\}\}|<[^>]*>|^@?[A-Za-z_][\w.:]*\((?:.*\))?[;,]?$|^\$|^%|^[&*@!][A-Za-z_-]+\d*(?:\s|$)"
    r"|^(?:\.{0,2}|~)/|^[A-Za-z]:\\|://|^arn:|^vault:|^sha\d+:"
    r"|^(?:os|process|config|cfg|env|var|data|local|secrets|this|self)\."
)
_RANDOM_CHARACTERS = re.compile(r"[A-Za-z0-9+/=]+")
_SEPARATORS = re.compile(r"[-_.:|,;#@!]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_LOGIN = re.compile(r"(://[^\s/:@]*:)(?!\$)[^\s/@]+@")
_SETTING = re.compile(r"(\b[A-Za-z][\w-]{2,60})(\s*=\s*|\s+)(?![$'\"]*\$)(?!-)([^\s;|&]+)")
_LEET = str.maketrans("0134578@$!", "oieastbasi")
_PHRASE = re.compile(
    "|".join(
        sorted(
            {w for w in (*_LONG_PLACEHOLDERS, *_FILLERS, *_SHORT_PLACEHOLDERS, *_DEFAULTS) if len(w) > 3},
            key=lambda word: (-len(word), word),
        )
    ).translate(str.maketrans("013457", "oieast"))
)
# sha256 of the private keys of the first accounts of every local test chain (public in its documentation)
_PUBLIC_TEST_KEYS = frozenset(
    {
        "bc1a50966c9e6486bc4ebf880b51611a2a97fcb8e7a6976e9b81a9e3e8ca0e3c",
        "8335c55334821eefd4334369ff9c04a8594f161013cf9d87f58802d87297837e",
        "b26ab6529d20ebebb4192256f202984754f785481c64b1a1aed58cac93b3617e",
    }
)


def words(name: str) -> tuple[str, ...]:
    """The words of an identifier in lower case: `jwtKey`, `JWT_KEY` and `jwt-key` alike."""
    return tuple(word.lower() for word in _WORD.findall(name))


def names_a_secret(name: str) -> bool:
    """True when something of this name holds a secret, judged by its words."""
    parts = words(name)
    if not parts or parts[-1] in _ABOUT:
        return False
    if any(b in ("key", "keys") and a in KEY_KINDS for a, b in pairwise(parts)):
        return True
    found = _SECRET_WORDS.intersection(parts)
    return bool(found) and not (found <= TOKEN and is_other_token(parts))


def is_other_token(parts: tuple[str, ...], words_of_others: frozenset[str] = _OTHER_TOKENS) -> bool:
    """True for the words of a name that calls something a token which counts, names or marks."""
    if parts[-3:] == _IDENTIFIER:
        return True
    return _ACCESS.isdisjoint(parts) and not words_of_others.isdisjoint(parts)


def redacted(text: str) -> str:
    """A command without the literal values of options and variables whose names say that they are secret."""
    text = _LOGIN.sub(r"\1***@", text)
    return _SETTING.sub(lambda m: m[1] + m[2] + "***" if names_a_secret(m[1]) else m[0], text)


def real_kind(value: str) -> str | None:
    """RANDOM or PASSWORD for a value that looks real, None for placeholders, defaults and anything else."""
    text = value.strip()
    if not MIN_PASSWORD_LENGTH <= len(text) <= MAX_LENGTH or _NOT_A_VALUE.search(text):
        return None
    if _is_public(text) or _is_sequence(text):
        return None
    encoded = _encoded_text(text)
    if encoded is not None:
        return real_kind(encoded)
    if _is_random(text):
        return RANDOM
    if any(character.isspace() for character in text):
        return None
    return PASSWORD if not is_placeholder(text) and _is_chosen_password(text) else None


def _encoded_text(text: str) -> str | None:
    """The readable text that a value is the base64 of."""
    if len(text) % 4 or _BASE64.fullmatch(text) is None:
        return None
    decoded = base64.b64decode(text)
    return decoded.decode() if decoded.isascii() and decoded.decode().isprintable() else None


def is_mnemonic(value: str) -> bool:
    """True for the words that a wallet's key is made of (BIP 39), which are not the same one over and over."""
    parts = value.split()
    if len(parts) not in (12, 15, 18, 21, 24) or len(set(parts)) * 3 < len(parts) * 2:
        return False
    if not {"your", "here", "the", "words", "mnemonic"}.isdisjoint(
        parts
    ):  # words of a sentence, none of the list
        return False
    return all(3 <= len(word) <= 8 and word.isalpha() and word.islower() for word in parts)


def is_placeholder(value: str) -> bool:
    """True for values that say of themselves that they are none, and for development defaults.

    The whole value says so, not a word in it: what stands beside the words is no password of its own.
    """
    lowered = value.strip().lower()
    if not lowered or len(set(lowered)) <= 3 or _NOT_A_VALUE.search(lowered) or _MADE_UP.search(value):
        return True
    if _says_placeholder(value.strip()):
        return not _is_password_beside_words(value.strip())
    stem = lowered.translate(_LEET).strip("0123456789!?.#*-_ aeiost") or lowered
    return lowered.rstrip("0123456789!?.#*-_") in _DEFAULTS or stem in _DEFAULTS


def _says_placeholder(value: str) -> bool:
    """Whether a word of placeholders or of development defaults is in a value."""
    lowered, parts = value.lower(), words(value)
    if any(word in lowered for word in _LONG_PLACEHOLDERS):
        return True
    if any(len(match[0]) > 5 for match in _PHRASE.finditer(lowered.translate(_LEET))):
        return True
    return not _SHORT_PLACEHOLDERS.isdisjoint(parts) or not _DEFAULTS.isdisjoint(parts)


def _without_words(value: str) -> list[str]:
    """The pieces of a value between the words that placeholders are made of, years and numbers that count up."""
    plain = value.lower().translate(_LEET)
    left = list(value)
    for match in _PHRASE.finditer(plain):
        left[match.start() : match.end()] = " " * (match.end() - match.start())
    rest = "".join(left)
    for match in _WORD.finditer(rest):
        if _is_filler(match[0].lower()):
            left[match.start() : match.end()] = " " * len(match[0])
    return "".join(left).split()


def _is_filler(word: str) -> bool:
    if word.isdigit():
        return _YEAR.fullmatch(word) is not None or _is_sequence(word)
    return word in _SHORT_PLACEHOLDERS or word in _DEFAULTS or word in _FILLER_WORDS


def _is_password_beside_words(value: str) -> bool:
    """Whether a password stands beside words that say that there is none: `Summer-change-9!xK`."""
    pieces = _without_words(value)
    if any(_is_dense(piece) for piece in pieces):
        return True
    rest = _JOINTS.sub("", "".join(pieces))
    return len(rest) >= (6 if _kinds(rest) == 4 else MIN_PASSWORD_LENGTH) and _is_chosen_password(rest)


def _is_dense(piece: str) -> bool:
    """True for a piece in which letters and digits take turns without a pattern (`7Tq2`, `k3v9x1w7`)."""
    text = _JOINTS.sub("", piece)
    if len(text) < 4 or _is_sequence(text):
        return False
    return _changes(text) >= 2 and (_kinds(text) >= 3 or _changes(text) >= 4)


def _is_random(text: str) -> bool:
    """A long run of letters and digits without a pattern, alone or between separators."""
    if _UUID.fullmatch(text):
        return entropy(text) >= MIN_RANDOM_ENTROPY
    if _MADE_UP.search(text):
        return False
    if any(word in text.lower() for word in ("example", "placeholder", "changeme", "replace")):
        return any(map(_is_random_run, _without_words(text)))
    return any(_is_random_run(part) for part in _SEPARATORS.split(text)) or _is_random_url_safe(text)


def _is_public(text: str) -> bool:
    """Whether this is the private key of an account that everybody has."""
    return hashlib.sha256(text.lower().removeprefix("0x").encode()).hexdigest() in _PUBLIC_TEST_KEYS


def _is_random_run(run: str) -> bool:
    if len(run) < MIN_RANDOM_LENGTH or _RANDOM_CHARACTERS.fullmatch(run) is None:
        return False
    return _changes(run) >= 4 and entropy(run) >= MIN_RANDOM_ENTROPY and not _is_sequence(run)


def _is_random_url_safe(text: str) -> bool:
    """Base64 of the URL alphabet has `-` and `_` at random places; words joined by them do not count."""
    parts = [part for part in re.split(r"[-_]", text) if part]
    if re.fullmatch(r"[A-Za-z0-9_-]{24,}={0,2}", text) is None or not parts:
        return False
    mixed = [part for part in parts if len(part) > 3 and _changes(part) >= 2]
    return sum(map(len, mixed)) * 2 > len(text) and entropy(text) >= 3.5 and not _is_sequence(text)


def _is_chosen_password(text: str) -> bool:
    """What a person types when a password must be good: kinds of characters mixed."""
    kinds = _kinds(text)
    if not any(c.isdigit() for c in text) or len(set(text)) < 6:
        return False
    if not _SEPARATORS.sub("", text).isalnum() and kinds < 3:
        return False
    return kinds >= 3 or (len(text) >= 12 and _changes(text) >= 4)


def _kinds(text: str) -> int:
    """How many kinds of characters there are: small and capital letters, digits, others."""
    kinds = (str.islower, str.isupper, str.isdigit, lambda c: not c.isalnum())
    return sum(any(map(kind, text)) for kind in kinds)


def _changes(text: str) -> int:
    """How often letters and digits take turns."""
    flags = [c.isdigit() for c in text if c.isalnum()]
    return sum(a != b for a, b in pairwise(flags))


def _is_sequence(text: str) -> bool:
    """True for `0123456789abcdef...`, repeated blocks and the like."""
    if _counts_up(text) or (len(text) > 5 and _counts_up(text[::2]) and _counts_up(text[1::2])):
        return True  # the second: a1b2c3
    return any(text[n:] == text[:-n] for n in range(1, min(len(text) // 2, 16) + 1))


def _counts_up(text: str) -> bool:
    return sum(ord(b) - ord(a) in (0, 1) for a, b in pairwise(text)) * 2 > len(text)


def entropy(text: str) -> float:
    """Shannon entropy in bits a character."""
    total = len(text)
    return -sum(n / total * math.log2(n / total) for n in Counter(text).values()) if total else 0.0
