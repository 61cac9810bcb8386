"""Which names in Go code mean a secret: of variables, fields, keys of maps and headers.

Words of other trades (tokens of chains, of parsers, of pages) and names of things around a secret (its file,
its header, its manager) are not secrets.
"""

from __future__ import annotations

import re

from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.secret_values import TOKEN, is_other_token, names_a_secret, words

PATHS = frozenset(("path", "file", "dir", "filename", "filepath", "dirname"))
ABOUT_NAMES = frozenset(
    {"type", "kind", "name", "header", "field", "param", "prefix", "suffix", "env", "flag", "path"}
    | {"file", "url", "uri", "endpoint", "format", "label", "table", "column", "issuer", "topic"}
    | {"queue", "event", "error", "msg", "message", "regex", "pattern", "usage", "help", "description"}
    | {"scheme", "cookie", "audience", "key_name", "placeholder", "mode", "policy", "state", "status"}
    | {"scope", "grant", "method", "algorithm", "alg", "attribute", "annotation", "dir", "id"}
    | {"version", "ref", "service", "source", "provider", "backend", "store", "plugin", "parameter"}
    | {"query", "behavior", "behaviour", "option", "options", "strategy", "interval", "timeout", "handler"}
    | {"validator", "generator"}
    | PATHS
)
# words beside "token" that say in code, though not in a setting, that it gives no access
_OTHER_TOKENS = frozenset(
    {"contract", "mint", "task", "sync", "list", "start", "end", "prev", "previous", "csrf", "xsrf"}
    | {"race", "shard", "consistency", "ring", "instance", "range", "branch", "node", "tree", "keyword"}
    | {"current", "peek", "input", "output"}
)
_PUBLIC = frozenset(("withdrawal", "verifiable", "public"))  # credentials that are for everybody to see
_NOT_VALUES = frozenset(
    {"err", "error", "required", "missing", "invalid", "source", "provider", "manager", "missed", "no"}
    | {"sanitized", "redacted", "masked", "obfuscated", "censored", "scrubbed"}
)
_DSN_WORDS = frozenset(("dsn", "connstr", "connectionstring", "connstring", "databaseurl", "dburl"))
_HEADERS = frozenset(("authorization", "proxy-authorization", "x-api-key", "x-auth-token"))
_KEY = re.compile(r"[A-Za-z0-9_.:/-]{2,80}\Z")
_CHAIN = re.compile(rb"(?i)\b(?:nft|erc-?20|erc-?721|erc-?1155|go-ethereum|solidity|collection)\b")
_LEXER = re.compile(rb"\"go/(?:token|scanner|ast)\"|text/scanner|lexer")
# what a text that deals with secrets has in it, in lower case (IGNORECASE takes five times as long)
_SECRETS = re.compile(
    rb"passw|secret|token|api_?key|private_?key|access_?key|signing_?key|encryption_?key|jwt|dsn|credential|mnemonic|"
    rb"passphrase|conn(?:ection)?_?str|authorization|ed25519"
)
_ACCESS = re.compile(rb"(?i)\b(?:jwt|oauth2?|oidc|bearer|authenticat\w*|authoriz\w*|svid|vault)\b")
PAGES = re.compile(r"(?i)pagin|page|cursor|continuation|lex|tokeni")


def mentions(data: bytes) -> list[int]:
    """The offsets of the words in a text that have to do with secrets."""
    return [match.start() for match in _SECRETS.finditer(data.lower())]


def is_secret_name(name: str, root: Declaration) -> bool:
    """True when something of this name in the code of a declaration holds a secret."""
    name = name.replace("IDs", "Ids")
    parts = words(name)
    if is_dsn_name(name):
        return _NOT_VALUES.isdisjoint(parts)
    if not names_a_secret(name) or parts[-1] in ABOUT_NAMES or not _NOT_VALUES.isdisjoint(parts):
        return False
    rest = set(parts)
    if parts[-1] in ("credential", "credentials") and not _PUBLIC.isdisjoint(parts):
        return False
    if not names_a_secret("_".join(p for p in parts if p not in TOKEN)) and is_other_token(
        parts, _OTHER_TOKENS
    ):
        return False
    if (
        "pass" in rest
        and parts[-1] != "pass"
        and not names_a_secret("_".join(p for p in parts if p != "pass"))
    ):
        return False  # a pass over data, a pass-through
    return not (rest <= TOKEN | {"s"} and _is_other_token(root))


def is_dsn_name(name: str) -> bool:
    """True for names of connection strings, which carry a password where there is one."""
    parts = words(name)
    return "".join(parts) in _DSN_WORDS or (bool(parts) and parts[-1] == "dsn")


def names_something_about(name: str) -> bool:
    """True for the name of a name, a path, a message and the like."""
    parts = words(name)
    return not parts or parts[-1] in ABOUT_NAMES or parts[-1] in ("err", "ok", "ids", "len", "count", "ttl")


def names_a_path(name: str) -> bool:
    """True for the name of a file or a folder, in which a secret may be."""
    parts = words(name)
    return bool(parts) and parts[-1] in PATHS


def is_secret_key(key: str, root: Declaration) -> bool:
    """True for the key of a header, form field, flag or setting that holds a secret."""
    if _KEY.match(key) is None:
        return False
    return key.lower() in _HEADERS or is_secret_name(re.sub(r"[.:/-]", "_", key), root)


def deals_with_access(root: Declaration) -> bool:
    """True for a file that speaks of logins: a token in it, of whatever type, gives access."""
    return _ACCESS.search(root.file.data) is not None


def _is_other_token(root: Declaration) -> bool:
    """True where "token" is a word of another trade: of chains, of parsers, of pages."""
    data = root.file.data
    around = getattr(root.node, "name", "")
    return bool(_CHAIN.search(data) or _LEXER.search(data) or PAGES.search(around))
