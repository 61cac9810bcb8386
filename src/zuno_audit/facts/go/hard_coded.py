"""Secrets that stand in Go code: values of names, keys of signatures, logins, and defaults of flags."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from zuno_audit.facts.go.bindings import called_name
from zuno_audit.facts.go.program import Declaration
from zuno_audit.facts.go.secret_names import ABOUT_NAMES
from zuno_audit.facts.secret_values import is_placeholder, names_a_secret, real_kind, words
from zuno_audit.languages.go import syntax as s

if TYPE_CHECKING:
    from zuno_audit.facts.go.secret_flow import SecretFlow

HARD_CODED, WEAK_DEFAULT = "hard-coded", "weak-default"

_CERTAIN = frozenset(("password", "passwd", "pwd", "passphrase", "secret"))  # whatever the value looks like
_NO_VALUE = re.compile(
    r"(?-i:[A-Z][A-Z0-9_]*)\Z|.*[\s<>{}%$*].*|(?:/|\./|\.\./|~/|[a-z]+://[^@]*\Z|file:|env:).*|.*\.(?:json|ya?ml|pem|key|crt|txt)\Z|"
    r"(?:authorization|bearer|basic|x-[a-z-]+|true|false|none|null|nil|n/a)\Z",
    re.IGNORECASE | re.DOTALL,
)
_DOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}/(?=\S)")  # in front of labels and annotations
_WORDS_OF_NAMES = frozenset(("x", "key", "token", "secret", "password", "jwt", "api", "auth", "id"))
# arguments that are keys or passwords; "" stands for methods
_KEYS = {
    ("crypto/hmac", "New"): 1,
    ("crypto/aes", "NewCipher"): 0,
    ("crypto/des", "NewCipher"): 0,
    ("crypto/rc4", "NewCipher"): 0,
    ("golang.org/x/crypto/chacha20poly1305", "New"): 0,
    ("golang.org/x/crypto/ssh", "Password"): 0,
    ("github.com/ethereum/go-ethereum/crypto", "HexToECDSA"): 0,
    ("github.com/gorilla/sessions", "NewCookieStore"): 0,
    ("github.com/gorilla/csrf", "Protect"): 0,
    ("github.com/gorilla/securecookie", "New"): 0,
    ("github.com/aws/aws-sdk-go-v2/credentials", "NewStaticCredentialsProvider"): 1,
    ("github.com/aws/aws-sdk-go/aws/credentials", "NewStaticCredentials"): 1,
    ("github.com/minio/minio-go/v7/pkg/credentials", "NewStaticV4"): 1,
    ("net/smtp", "PlainAuth"): 2,
    ("net/url", "UserPassword"): 1,
    ("", "SignedString"): 0,
    ("", "SetBasicAuth"): 1,
}
_DERIVATION_LABELS = frozenset(("Bitcoin seed", "ed25519 seed", "Nist256p1 seed"))  # BIP-32 and SLIP-10
_LOGINS = frozenset(("SetBasicAuth", "UserPassword", "PlainAuth", "Password"))
# arguments that say where to connect to, with a login in them
_CONNECTS = {
    ("database/sql", "Open"): 1,
    ("github.com/jmoiron/sqlx", "Open"): 1,
    ("github.com/jmoiron/sqlx", "Connect"): 1,
    ("github.com/jmoiron/sqlx", "MustConnect"): 1,
    ("github.com/jackc/pgx/v5", "Connect"): 1,
    ("github.com/jackc/pgx/v4", "Connect"): 1,
    ("github.com/jackc/pgx/v5/pgxpool", "New"): 1,
    ("github.com/jackc/pgx/v4/pgxpool", "Connect"): 1,
    ("gorm.io/driver/postgres", "Open"): 0,
    ("gorm.io/driver/mysql", "Open"): 0,
    ("github.com/rabbitmq/amqp091-go", "Dial"): 0,
    ("github.com/streadway/amqp", "Dial"): 0,
    ("github.com/redis/go-redis/v9", "ParseURL"): 0,
    ("github.com/go-redis/redis/v8", "ParseURL"): 0,
    ("", "ApplyURI"): 0,
}
_LOGIN = re.compile(
    r"[a-z][a-z0-9+.-]*://[^\s/:@]*:[^\s/@%${}<>*]+@|.*\b(?:password|pwd)=[^\s;&%${}<>*'\"]+|[\w.-]+:[^\s:@%${}<>*]+@(?:tcp|unix)?\(",
    re.IGNORECASE | re.DOTALL,
)
_AUTHORIZATION = re.compile(r"(?:Bearer|Basic|token|ApiKey)\s+(\S{8,})\Z", re.IGNORECASE)
_FLAG_PACKAGES = frozenset(("flag", "github.com/spf13/pflag"))
# methods and functions that declare a flag: the index of its name and that of its default
_FLAGS = {"String": (0, 1), "StringVar": (1, 2), "StringP": (0, 2), "StringVarP": (1, 3)}


class Written(NamedTuple):
    """A secret in the code: what kind, what it is for, and the expression that is its value."""

    kind: str
    what: str
    value: s.Expr
    root: Declaration


class HardCoded:
    """Finds secrets in the code of one program."""

    def __init__(self, flow: SecretFlow) -> None:
        self.flow, self.texts = flow, flow.texts

    def written(self, node: s.Node, root: Declaration) -> Iterator[Written]:
        """The secrets that a node of a declaration writes down."""
        match node:
            case s.ValueSpec(names=names, values=values) if len(names) == len(values):
                for name, value in zip(names, values, strict=True):
                    yield from self._named(name.name, value, root)
            case s.Assign(lhs=lhs, rhs=rhs, op="=" | ":=") if len(lhs) == len(rhs):
                for target, value in zip(lhs, rhs, strict=True):
                    yield from self._named(_last_name(target), value, root)
            case s.CompositeLit(elements=elements):
                flag = self._flag_literal(elements)
                for key, value in elements:
                    if isinstance(key, s.Ident):
                        yield from self._named(key.name, value, root)
                if flag is not None:
                    yield Written(WEAK_DEFAULT, flag[0], flag[1], root)
            case s.Call():
                yield from self._called(node, root)
            case s.FuncLit() | s.FuncDecl() if _is_key_function(node):
                for statement in s.walk(node.body):
                    if isinstance(statement, s.Return) and statement.values:
                        yield from self._key(statement.values[0], root, "key of tokens")

    # ---------------------------------------------------------------- values of names

    @staticmethod
    def _named(name: str, value: s.Expr, root: Declaration) -> Iterator[Written]:
        text = literal_text(value)
        if text and is_value(name, text):
            yield Written(HARD_CODED, name, value, root)

    @staticmethod
    def _flag_literal(elements: list[tuple[s.Expr | None, s.Expr]]) -> tuple[str, s.Expr] | None:
        """`cli.StringFlag{Name: "password", Value: "..."}`."""
        fields = {k.name: v for k, v in elements if isinstance(k, s.Ident)}
        name, value = fields.get("Name"), fields.get("Value")
        if name is None or value is None:
            return None
        called, default = literal_text(name), literal_text(value)
        return (called, value) if called and default and is_weak(called, default) else None

    # ---------------------------------------------------------------- arguments

    def _called(self, call: s.Call, root: Declaration) -> Iterator[Written]:
        name, args = called_name(call), call.args
        path = self.flow.calls.path_of(call.fun, root) if isinstance(call.fun, s.Selector) else "."
        index = _KEYS.get((path, name))
        if index is not None and index < len(args):
            yield from self._key(args[index], root, f"{'password' if name in _LOGINS else 'key'} of {name}")
        index = _CONNECTS.get((path, name))
        if index is not None and index < len(args):
            found = self._literal(args[index], root)
            text = literal_text(found[0]) if found is not None else None
            if found is not None and text and _LOGIN.match(text):
                yield Written(HARD_CODED, f"login of {name}", *found)
        if name in ("Set", "Add") and len(args) == 2 and not path:
            header, text = literal_text(args[0]), literal_text(args[1])
            match = (
                _AUTHORIZATION.match(text) if header and text and header.lower() == "authorization" else None
            )
            if match is not None and not is_placeholder(match[1]):
                yield Written(HARD_CODED, "Authorization", args[1], root)
        yield from self._flag(call, name, path, root)

    def _key(self, expr: s.Expr, root: Declaration, what: str) -> Iterator[Written]:
        found = self._literal(expr, root)
        text = literal_text(found[0]) if found is not None else None
        if (
            found is not None
            and text
            and len(text) > 2
            and text not in _DERIVATION_LABELS
            and set(text) - set("*xX.")
        ):
            yield Written(HARD_CODED, what, *found)

    @staticmethod
    def _flag(call: s.Call, name: str, path: str, root: Declaration) -> Iterator[Written]:
        args = call.args
        if name == "Default" and len(args) == 1:
            inner: s.Expr = call.fun
            while isinstance(inner, s.Selector) and isinstance(inner.x, s.Call):
                if called_name(inner.x) == "Flag" and inner.x.args:
                    called, default = literal_text(inner.x.args[0]), literal_text(args[0])
                    if called and default and is_weak(called, default):
                        yield Written(WEAK_DEFAULT, called, args[0], root)
                    return
                inner = inner.x.fun
        places = _FLAGS.get(name)
        if places is None or len(args) != places[1] + 2 or (path and path not in _FLAG_PACKAGES):
            return
        called, default = literal_text(args[places[0]]), literal_text(args[places[1]])
        if called and default and is_weak(called, default):
            yield Written(WEAK_DEFAULT, called, args[places[1]], root)

    def _literal(self, expr: s.Expr, root: Declaration, depth: int = 0) -> tuple[s.Expr, Declaration] | None:
        """The text in the code that an expression is, through conversions, variables and constants."""
        if literal_text(expr):
            return expr, root
        if depth > 4:
            return None
        match expr:
            case s.Call(args=[inner]) if isinstance(expr.fun, s.ArrayType) or called_name(expr) == "string":
                return self._literal(inner, root, depth + 1)
            case s.Ident(name=name):
                variable = self.texts.bindings(root).variable(name, expr.start)
                if variable is not None:
                    sources = self.flow.reaching.sources(variable, expr.start, root)
                    only = sources[0] if len(sources) == 1 else None
                    if only is not None and only.kind == "value" and only.expr is not None:
                        return self._literal(only.expr, root, depth + 1)
                    return None
        value = self.texts.named_constant(expr, root)
        declared = self._declaration(expr, root) if value is not None else None
        return (
            self._literal(value, declared, depth + 1) if value is not None and declared is not None else None
        )

    def _declaration(self, expr: s.Expr, root: Declaration) -> Declaration | None:
        if isinstance(expr, s.Ident):
            return root.package.declaration(expr.name)
        if isinstance(expr, s.Selector) and isinstance(expr.x, s.Ident):
            path = self.flow.asked.program.imported(root.file).get(expr.x.name)
            package = self.flow.asked.program.package(path) if path else None
            return package.declaration(expr.sel) if package is not None else None
        return None


def is_weak(name: str, default: str) -> bool:
    """True for a default that a secret would have to replace: any text, but no reference to one."""
    return (
        names_a_secret(name)
        and words(name)[-1] not in ABOUT_NAMES
        and not _NO_VALUE.match(default)
        and not default.isdigit()
    )


def literal_text(expr: s.Expr) -> str | None:
    """A text in the code, also as `[]byte("...")`."""
    if isinstance(expr, s.Call) and isinstance(expr.fun, s.ArrayType) and len(expr.args) == 1:
        expr = expr.args[0]
    return expr.value if isinstance(expr, s.BasicLit) and isinstance(expr.value, str) else None


def _is_key_function(node: s.FuncLit | s.FuncDecl) -> bool:
    """`func(*jwt.Token) (any, error)`: what tells a JWT library the key of a token."""
    if len(node.params) != 1 or len(node.results) != 2:
        return False
    type_ = node.params[0].type
    return isinstance(type_, s.Star) and isinstance(type_.x, s.Selector) and type_.x.sel == "Token"


def is_value(name: str, text: str) -> bool:
    """True when a text in the code that something is called like is the secret itself, and not its name."""
    if len(text) < 4 or not names_a_secret(name) or _NO_VALUE.match(text):
        return False
    text = _DOMAIN.sub("", text)
    parts = words(name)
    if set(parts) & ABOUT_NAMES:
        return False
    plain = re.sub(r"[^a-z0-9]", "", text.lower())
    joined = "".join(parts)
    if plain in joined or joined in plain:
        return False
    if (
        not set(parts) & _CERTAIN
        and real_kind(text) is None
        and not (len(text) > 11 and re.search(r"\d", text))
    ):
        return False  # a key or a token without the looks of one
    return not set(words(text)) <= set(parts) | _WORDS_OF_NAMES  # the name of what holds a secret


def _last_name(expr: s.Expr) -> str:
    """The name of a variable or field that is assigned to."""
    return expr.name if isinstance(expr, s.Ident) else expr.sel if isinstance(expr, s.Selector) else ""
