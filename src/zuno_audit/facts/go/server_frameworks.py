"""Servers of go-zero, whose recovering interceptors are switched by its configuration.

Source: go-zero (zrpc/server.go, zrpc/internal/config.go): `Middlewares.Recover` installs an interceptor for unary
calls and one for streams, which answer codes.Internal. Its own loader of configuration switches it on where a file
says nothing; a struct that code fills in has it only where the code says so.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.go.client_frameworks import ZRPC
from zuno_audit.facts.go.recovery import Recovery
from zuno_audit.facts.go.values import Const, Struct, Zero

if TYPE_CHECKING:
    from zuno_audit.facts.go.evaluate import Evaluator
    from zuno_audit.facts.go.values import Extern, Site, Val
    from zuno_audit.source.repository import Repository

SERVERS = tuple((path, name) for path in ZRPC for name in ("NewServer", "MustNewServer"))
_OFF = re.compile(rb"""\bRecover["']?[ \t]*[:=][ \t]*false""")
_SET = re.compile(rb"\.Recover[ \t]*=[^=]|\.Middlewares[ \t]*=[^=]")
_LOADER = b'/go-zero/core/conf"'


def default(repository: Repository) -> tuple[str, str]:
    """What a configuration says that code does not fill in itself, and why."""
    if not repository.grep(_LOADER, suffix=".go"):
        return "unknown", "what loads its configuration decides whether go-zero's recovery is on"
    for suffix in (".yaml", ".yml", ".json", ".toml"):
        for path in repository.grep(b"Recover", suffix=suffix):
            if _OFF.search(repository.read(path) or b""):
                return "unknown", f"{path} switches go-zero's recovery off, perhaps that of this server"
    return "yes", "go-zero's recovery is on unless the configuration says otherwise"


def recovery(ev: Evaluator, call: Extern, otherwise: tuple[str, str]) -> Recovery:
    """What a server does with panics that is made with this configuration, of either kind of call."""
    sites: tuple[tuple[Site, str], ...] = ()
    if call.site is not None:
        sites = ((call.site, "the framework makes the server"),)
    if call.site is not None and otherwise[0] == "yes" and _SET.search(call.site.file.data):
        otherwise = (
            "unknown",
            "code sets what switches go-zero's recovery on, after the configuration is loaded",
        )
    found = [_of(ev, v, otherwise) for v in ev.force(call.args[0])] if call.args else []
    answers = {answer for answer, _ in found}
    answer = next((a for a in ("no", "unknown", "yes") if a in answers), "unknown")
    because = next((why for a, why in found if a == answer), "its configuration cannot be followed")
    if answer != "yes":
        return Recovery(answer, because, sites)
    return Recovery(
        "yes",
        because,
        sites,
        "yes",
        "go-zero answers codes.Internal",
        sites,
        "no",
        "it logs through logc",
        sites,
    )


def _of(ev: Evaluator, v: Val, otherwise: tuple[str, str]) -> tuple[str, str]:
    if not isinstance(v, Struct) or not v.fields:  # what nobody fills in here is loaded
        return otherwise
    chosen = ev.force(v.fields.get("Middlewares", ()))
    flags = [f for x in chosen if isinstance(x, Struct) for f in ev.force(x.fields.get("Recover", ()))]
    if any(isinstance(f, Const) and f.value is False for f in flags):
        return "no", "the configuration in the code leaves go-zero's recovery out"
    if flags and all(isinstance(f, Const) and f.value is True for f in flags):
        return "yes", "the configuration in the code switches go-zero's recovery on"
    if flags:
        return "unknown", "what switches go-zero's recovery on cannot be followed"
    if not v.open and all(isinstance(x, Struct | Zero) and not getattr(x, "open", False) for x in chosen):
        return "no", "the configuration in the code does not switch go-zero's recovery on"
    return otherwise
