"""Scripts that make certificates: what they write, for which role, and who may read the keys.

Table `certificate_script`: one row per script. Shell scripts are followed command by command
(`languages.shell_run`); of PowerShell and batch scripts only the text is searched, so their answers say less.
Table `private_key`: one row per file that holds a private key.
"""

from __future__ import annotations

import re
import stat
from fnmatch import fnmatch
from posixpath import basename, normpath
from typing import TYPE_CHECKING

from msgspec import Struct, field

from zuno_audit.languages.script import dialect_of
from zuno_audit.languages.shell_run import UNKNOWN as NOT_KNOWN
from zuno_audit.languages.shell_run import Executed, run_shell
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Problem, Table
from zuno_audit.model.location import Location, at_line
from zuno_audit.source.classify import kind_by_path

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore

_MAKES_CERTIFICATES = re.compile(
    rb"\bopenssl\b.*\b(?:x509|req)\b|\bcfssl\b|\bmkcert\b|\bcertstrap\b|\bx509\b", re.DOTALL
)
_PEM_KEY = re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----\s*\n[A-Za-z0-9+/=\s:,-]{32}")
_MASK = re.compile(r"0?[0-7]?77")  # nothing for group and others
_KEY_NAME = re.compile(r".*(?:\.key|\.pem|-key|_key|\.p12|\.pfx|\.jks)")


class Certificate(Struct):
    """A certificate that a script signs. `usage` is the text of its extensions."""

    path: str
    line: int
    usage: str = ""
    is_root: bool = False
    usage_known: bool = True

    def serves(self, purpose: str) -> bool:
        """True when the certificate is for serverAuth or clientAuth.

        Without a list of uses it may be used as both: then one that is called after the other side alone is
        for that side, whatever it could do.
        """
        if purpose in self.usage or "extendedkeyusage" in self.usage.lower():
            return purpose in self.usage
        name = basename(self.path).lower()
        own, other = ("server", "client") if purpose == "serverAuth" else ("client", "server")
        return own in name or other not in name


class Output(Struct):
    """Everything that one script leaves behind."""

    keys: dict[str, int] = field(default_factory=dict)  # path -> line
    certificates: dict[str, Certificate] = field(default_factory=dict)
    modes: dict[str, tuple[str, int]] = field(default_factory=dict)  # path -> mode, line
    complete: bool = True
    texts: dict[str, str] = field(default_factory=dict)

    def key_of(self, certificate: Certificate) -> str | None:
        """The key that belongs to a certificate, by its name."""
        stem = certificate.path.rsplit(".", 1)[0]
        for key in self.keys:
            base = key.rsplit(".", 1)[0]
            if base == stem or base.removesuffix("-key") == stem.removesuffix("-cert"):
                return key
        return None


def certificate_output(text: str) -> Output:
    """What a shell script that calls openssl leaves behind."""
    run = run_shell(text)
    out = Output(complete=run.complete)
    found: list[str] = []  # by the last `find`
    mask: tuple[str, int] | None = None  # a umask under which new files are their owner's alone
    for command in run.commands:
        words = command.words
        for path in command.writes:
            content = command.text or " ".join(words[1:])
            out.texts[path] = out.texts.get(path, "") + content + "\n"
        name = basename(words[0])
        if name == "openssl" and len(words) > 1:
            before = set(out.keys)
            _openssl(out, command)
            out.modes |= {key: ("600", mask[1]) for key in out.keys if mask and key not in before}
        elif name == "chmod":
            _chmod(out, words, command.line)
        elif name == "find":
            found = _found_by(out, words)
            if "-exec" in words:
                _chmod(out, words[words.index("-exec") + 1 :], command.line, found)
        elif name == "xargs" and "chmod" in words:
            _chmod(out, words[words.index("chmod") :], command.line, found)
        elif name == "umask" and len(words) == 2:
            mask = (words[1], command.line) if _MASK.fullmatch(words[1]) else None
        elif name in ("cp", "mv") and len(words) >= 3:
            _copy(out, words, move=name == "mv")
        elif name == "rm":
            for path in words[1:]:
                _remove(out, path)
    return out


def _options(words: tuple[str, ...]) -> dict[str, str]:
    """The options of an openssl command with the words behind them."""
    found: dict[str, str] = {}
    for i, word in enumerate(words):
        if word.startswith("-"):
            following = words[i + 1] if i + 1 < len(words) and not words[i + 1].startswith("-") else ""
            found[word.lstrip("-")] = (found.get(word.lstrip("-"), "") + " " + following).strip()
    return found


def _openssl(out: Output, command: Executed) -> None:
    verb = command.words[1]
    options = _options(command.words[2:])
    target = options.get("out", "") or (command.writes[0] if command.writes else "")
    if verb in ("genpkey", "genrsa", "ecparam", "genec", "dsaparam") and target:
        out.keys[target] = command.line
    elif verb == "req":
        if "newkey" in options or ("new" in options and "keyout" in options):
            out.keys[options.get("keyout", "privkey.pem")] = command.line
        if "x509" in options and target:
            usage, known = _usage(out, options)
            out.certificates[target] = Certificate(target, command.line, usage, "CA" not in options, known)
            if (
                "CA" not in options
                and ("keyUsage" in usage or "Auth" in usage)
                and "keyCertSign" not in usage
            ):
                out.certificates[target].is_root = False
    elif verb == "x509" and "req" in options and target:
        usage, known = _usage(out, options)
        is_root = "signkey" in options and "CA" not in options
        out.certificates[target] = Certificate(target, command.line, usage, is_root, known)
    elif verb == "ca" and target:
        out.certificates[target] = Certificate(target, command.line, "", False, False)


def _usage(out: Output, options: dict[str, str]) -> tuple[str, bool]:
    """The text of the extensions a certificate gets, and whether all of it is known."""
    text = options.get("addext", "")
    name = options.get("extfile", "") or options.get("config", "")
    if name.startswith("<("):
        return text + name, True
    if name:
        return text + out.texts.get(name, ""), name in out.texts
    return text, "copy_extensions" not in options


def _chmod(out: Output, words: tuple[str, ...], line: int, given: list[str] | None = None) -> None:
    """Takes a `chmod` in; `given` are its files when `find` or `xargs` puts them in."""
    rest = [w for w in words[1:] if not w.startswith("-")]
    if not rest or basename(words[0]) != "chmod":
        return
    known = (*out.keys, *out.certificates)
    recursive = any(w.startswith("-") and "R" in w for w in words[1:])
    changed = list(given or ())
    for pattern in (normpath(p) for p in rest[1:]):
        for path in known:
            below = recursive and (pattern == "." or normpath(path).startswith(pattern + "/"))
            if below or normpath(path) == pattern or fnmatch(normpath(path), pattern):
                changed.append(path)
    for path in changed:
        only_adds = "+" in rest[0] and not re.search(r"[-=]", rest[0])
        if not only_adds or _has_bits(rest[0], 0o077, adds=True):
            out.modes[path] = (rest[0], line)


def _found_by(out: Output, words: tuple[str, ...]) -> list[str]:
    """The keys and certificates that a `find` lists."""
    end = next((i for i, w in enumerate(words) if i and w.startswith("-")), len(words))
    roots = [normpath(w) for w in words[1:end]] or ["."]
    names = [words[i + 1] for i, w in enumerate(words[:-1]) if w in ("-name", "-iname")] or ["*"]
    return [
        path
        for path in (*out.keys, *out.certificates)
        if any(root == "." or normpath(path).startswith(root + "/") for root in roots)
        and any(fnmatch(basename(path), name) for name in names)
    ]


def _copy(out: Output, words: tuple[str, ...], *, move: bool) -> None:
    source, target = words[-2], words[-1]
    if target.endswith("/") or "." not in basename(target):
        target = normpath(f"{target}/{basename(source)}")
    if source in out.keys:
        out.keys[target] = out.keys[source]
    if source in out.certificates:
        old = out.certificates[source]
        out.certificates[target] = Certificate(target, old.line, old.usage, old.is_root, old.usage_known)
    if move:
        _remove(out, source)


def _remove(out: Output, path: str) -> None:
    out.keys.pop(path, None)
    out.certificates.pop(path, None)


def certificate_script_table(store: FactStore) -> Table:
    """Table `certificate_script`: name, kind (shell, powershell, batch), executable, ca, server, client,
    key_mode, certificate_mode (yes when the script sets them tight enough), files (names it writes)."""
    rows, looked = [], []
    problems: list[Problem] = []
    for path in store.repository.files:
        kind = dialect_of(path)
        if kind in (None, "make") or kind_by_path(path) is not None:
            continue
        looked.append(path)
        data = store.repository.read(path)
        if data is not None and _MAKES_CERTIFICATES.search(data):
            text = data.decode("utf-8", "replace")
            rows.append(
                _shell_row(store, path, text) if kind == "shell" else _text_row(store, path, str(kind), text)
            )
    return Table("certificate_script", tuple(r for r in rows if r), tuple(looked), tuple(problems))


def _base(store: FactStore, path: str, kind: str) -> dict[str, Answer]:
    return {
        "name": Answer(basename(path)),
        "kind": Answer(kind),
        "tracked": _tracked(store, path),
        "executable": _executable(store, path, kind),
    }


def _tracked(store: FactStore, path: str) -> Answer:
    tracked = store.repository.is_tracked(path)
    return Answer(YES, "git tracks it") if tracked else Answer(NO, "git does not track it")


def _executable(store: FactStore, path: str, kind: str) -> Answer:
    if kind != "shell":
        return Answer(YES, "the system decides by the name")
    try:
        mode = (store.repository.root / path).lstat().st_mode
    except OSError:
        return Answer(UNKNOWN, "its mode cannot be read")
    if mode & stat.S_IXUSR:
        return Answer(YES, "its mode lets it run")
    return Answer(NO, "it is not executable, so it has to be started with `sh`", (at_line(path),))


def _shell_row(store: FactStore, path: str, text: str) -> Entity | None:
    out = certificate_output(text)
    if not out.certificates and not out.keys:
        return None
    roots = [c for c in out.certificates.values() if c.is_root]
    leaves = [c for c in out.certificates.values() if not c.is_root]
    names = sorted({basename(p) for p in (*out.keys, *out.certificates)})
    fields = {
        **_base(store, path, "shell"),
        "ca": _pair(path, out, roots, "a CA certificate"),
        "server": _pair(path, out, [c for c in leaves if _is_server(c)], "a server certificate"),
        "client": _pair(path, out, [c for c in leaves if _is_client(c)], "a client certificate"),
        "files": Answer(tuple(n for n in names if NOT_KNOWN not in n)),
        "key_mode": _mode(path, out, list(out.keys), 0o077, "keys"),
        "certificate_mode": _mode(path, out, list(out.certificates), 0o133, "certificates"),
    }
    return Entity("certificate_script", at_line(path), fields)


def _is_server(certificate: Certificate) -> bool:
    return certificate.serves("serverAuth")


def _is_client(certificate: Certificate) -> bool:
    return certificate.serves("clientAuth")


def _pair(path: str, out: Output, found: list[Certificate], what: str) -> Answer:
    """Whether a certificate of a role and its key are written."""
    if not out.complete:
        return Answer(None, "the script is too long to follow", failed=True)
    with_key = [c for c in found if out.key_of(c)]
    if with_key:
        names = ", ".join(basename(c.path).replace(NOT_KNOWN, "?") for c in with_key[:3])
        places = tuple(at_line(path, c.line) for c in with_key[:3])
        return Answer(YES, f"it writes {names} with the key", places)
    if found:
        return Answer(NO, f"it writes {what} but no key for it", (at_line(path, found[0].line),))
    return Answer(NO, f"it writes no {what.removeprefix('a ')}", (at_line(path),))


def _mode(path: str, out: Output, files: list[str], forbidden: int, what: str) -> Answer:
    """Whether the script takes the forbidden bits from all these files."""
    for file in files:
        mode, line = out.modes.get(file, ("", 0))
        name = basename(file).replace(NOT_KNOWN, "?")
        place = at_line(path, line or out.keys.get(file) or 1)
        if not mode:
            if what == "keys":
                return Answer(NO, f"the mode of {name} is never set", (place,))
            continue  # a certificate is public; openssl leaves it at 644 under the usual umask
        if _has_bits(mode, forbidden):
            return Answer(NO, f"{name} gets mode {mode}", (place,))
    places = tuple(
        dict.fromkeys(at_line(path, line) for f in files if (line := out.modes.get(f, ("", 0))[1]))
    )
    modes = sorted({out.modes[f][0] for f in files if f in out.modes})
    return Answer(YES if files else NO, f"{what} get mode {', '.join(modes) or 'of the umask'}", places)


def _has_bits(mode: str, bits: int, *, adds: bool = False) -> bool:
    """True when a chmod mode grants one of the bits; a symbolic mode is read clause by clause.

    `adds`: only what the mode itself gives counts, not what it leaves as it was.
    """
    if re.fullmatch(r"[0-7]{3,4}", mode):
        return bool(int(mode, 8) & bits)
    granted = 0
    for who, grants in re.findall(r"([ugoa]*)[+=]([rwx]*)", mode):
        value = sum({"r": 4, "w": 2, "x": 1}[g] for g in grants)
        for one in who.replace("a", "ugo") or "ugo":
            granted |= value << {"u": 6, "g": 3, "o": 0}[one]
    takes = set(re.findall(r"([ugoa]+)[-=](?:[rwx]*)", mode))
    closes = any(set("go") <= set(w) or "a" in w for w in takes)
    return bool(granted & bits) or (not adds and not closes and bits & 0o077 == 0o077)


_TEXT_ROLES = {
    "ca": r"req\b[^\n]*-x509|-signkey|\bca\.(?:crt|pem|cer)\b",
    "server": r"serverAuth",
    "client": r"clientAuth",
}


def _any_purpose(body: str, role: str) -> re.Match[str] | None:
    """A certificate without a list of purposes serves for all: the name tells the role."""
    if role == "ca" or "extendedKeyUsage" in body or re.search(r"x509\s+-req\b[^\n]*-CA\b", body) is None:
        return None
    words = {"server": r"server\b|-service\b", "client": r"client\b|gateway\b"}[role]
    return re.search(rf"(?im)^\s*(?!function\b)[^\n]*[\"'][\w.-]*(?:{words})", body)


def _text_row(store: FactStore, path: str, kind: str, text: str) -> Entity:
    """A script of which only the text is searched: roles by extensions and by calls that name them."""
    body = re.sub(r"(?m)^\s*(?:#|::|rem\b).*$", "", text)
    fields = _base(store, path, kind)
    for role, pattern in _TEXT_ROLES.items():
        found = re.search(pattern, body) or _any_purpose(body, role)
        typed = re.search(r"(?i)-(?:Type|Role|Kind)\s", body) is not None
        called = re.search(rf"""(?im)^[^\n]*-(?:Type|Role|Kind)\s+["']?{role}\b""", body) is not None
        has = found is not None and (called or not typed)
        place = at_line(path, text.count("\n", 0, text.find(found.group())) + 1) if found else at_line(path)
        reason = f"it makes the {role} certificate" if has else f"nothing in it makes a {role} certificate"
        fields[role] = Answer(YES if has else NO, reason, (place,))
    fields["files"] = Answer(())
    fields["key_mode"] = Answer(UNKNOWN, "the system has no modes")
    fields["certificate_mode"] = Answer(UNKNOWN, "the system has no modes")
    return Entity("certificate_script", at_line(path), fields)


def private_key_table(store: FactStore) -> Table:
    """Table `private_key`: tracked, kind (code, test...). The key itself is never part of an answer."""
    repository = store.repository
    rows = []
    for path in repository.files:
        data = repository.read(path) if _may_hold_key(path) else None
        found = _PEM_KEY.search(data) if data is not None and b"PRIVATE KEY" in data else None
        if found and data is not None:
            place = Location(path, at_line(path, data.count(b"\n", 0, found.start()) + 1).span)
            kind = kind_by_path(path)
            fields = {
                "tracked": Answer(YES if repository.is_tracked(path) else NO),
                "kind": Answer(kind.value if kind else "code"),
            }
            rows.append(Entity("private_key", place, fields))
    return Table("private_key", tuple(rows), tuple(repository.files))


def _may_hold_key(path: str) -> bool:
    return _KEY_NAME.fullmatch(basename(path).lower()) is not None
