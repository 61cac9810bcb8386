"""Sentry: which binaries initialise it, and whether their containers get the DSN.

Table `sentry_client`: one row per binary.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from zuno_audit.facts.deployed import deployments
from zuno_audit.facts.dotenv import default_environment
from zuno_audit.facts.go.analysis import analysis
from zuno_audit.facts.go.bindings import element
from zuno_audit.facts.go.late import is_late
from zuno_audit.facts.go.origins import origins
from zuno_audit.facts.go.search import Use, uses
from zuno_audit.facts.go.settings import settings
from zuno_audit.facts.images import image_packages
from zuno_audit.languages import shell
from zuno_audit.languages.go.syntax import (
    BasicLit,
    Binary,
    Call,
    CompositeLit,
    FuncLit,
    Ident,
    If,
    Return,
    walk,
)
from zuno_audit.model.entity import NO, UNKNOWN, YES, Answer, Entity, Table
from zuno_audit.model.location import Location, at_line

if TYPE_CHECKING:
    from zuno_audit.facts.base import FactStore
    from zuno_audit.facts.go.program import Declaration
    from zuno_audit.facts.go_packages import GoPackages

SENTRY = "github.com/getsentry/sentry-go"
DEFAULT = "SENTRY_DSN"  # what the library reads when the options name no DSN


def sentry_client_table(store: FactStore) -> Table:
    """Table `sentry_client`: binary, initialises, variable (that holds the DSN), documented, delivered."""
    values = store.get(origins)
    linked, packages = values.linked, values.linked.packages
    files = [file.path for file in linked.files_with(SENTRY.encode(), b"Init")]
    sites = list(uses(values.search.calls_to(SENTRY, "Init", among=files)))
    rows = []
    for binary in packages.mains():
        mine = [site for site in sites if binary in values.reach.mains(site.root.file.path, site.call.start)]
        rows.append(_row(store, packages, binary, mine))
    return Table("sentry_client", tuple(rows), tuple(linked.files))


def _row(store: FactStore, packages: GoPackages, binary: str, sites: list[Use]) -> Entity:
    first = packages.by_directory[binary].files[0].path
    if not sites:
        where = (at_line(first),)
        no = Answer(NO, f"nothing that {binary or 'the binary'} runs calls sentry.Init", where)
        fields = {"binary": Answer(binary), "initialises": no, "variable": Answer(None), "documented": no}
        return Entity("sentry_client", at_line(first), {**fields, "delivered": no})
    root, call = sites[0]
    here = root.file.location(call.start, call.fun.end, "sentry.Init")
    names = _variables(store, root, call)
    obstacle = _obstacle(root, call)
    if not obstacle and all(is_late(store.get(analysis), site.root, site.call) for site in sites):
        obstacle = "sentry.Init is called when the server has stopped"
    fields = {
        "binary": Answer(binary),
        "initialises": Answer(NO, obstacle, (here,))
        if obstacle
        else Answer(YES, "it calls sentry.Init", (here,)),
        "variable": Answer(names[0] if names else None),
        "documented": _documented(store, names, here),
        "delivered": _delivered(store, binary, names, here),
    }
    return Entity("sentry_client", here, fields)


def _obstacle(root: Declaration, call: Call) -> str:
    """What keeps the call from connecting whenever there is a DSN; empty where nothing is seen."""
    options = [n for argument in call.args for n in walk(argument) if isinstance(n, CompositeLit)]
    hooks = [h for o in options if (h := element(o, "BeforeSend")) is not None]
    if any(isinstance(h, FuncLit) and _drops(h) for h in hooks):
        return "BeforeSend drops every event"
    dsn = next((d for o in options if (d := element(o, "Dsn")) is not None), None)
    name = dsn.name if isinstance(dsn, Ident) else ""
    for node in root.nodes if name else ():
        if not isinstance(node, If) or node.init is not None or not isinstance(node.cond, Binary):
            continue
        test = node.cond
        sides = (test.x, test.y)
        is_about = any(isinstance(x, Ident) and x.name == name for x in sides) and any(
            isinstance(x, BasicLit) and x.value == "" for x in sides
        )
        around = node.body.start <= call.start < node.body.end
        leaves = any(isinstance(x, Return) for x in node.body.stmts) and node.end <= call.start
        if is_about and ((around and test.op == "==") or (leaves and test.op == "!=")):
            return f"it calls sentry.Init only where {name} is empty"
    return ""


def _drops(hook: FuncLit) -> bool:
    """True when every return of a hook gives nil."""
    returns = [n for n in walk(hook.body) if isinstance(n, Return)]
    return bool(returns) and all(
        len(r.values) == 1 and isinstance(r.values[0], Ident) and r.values[0].name == "nil" for r in returns
    )


def _variables(store: FactStore, root: Declaration, call: Call) -> list[str]:
    """The environment variables that the DSN comes from."""
    texts = store.get(settings)
    options = [n for argument in call.args for n in walk(argument) if isinstance(n, CompositeLit)]
    dsn = next((d for o in options if (d := element(o, "Dsn")) is not None), None)
    if dsn is None:
        return [DEFAULT]
    found = [n for t in texts.templates(dsn, root) for n in shell.names(t)]
    return list(dict.fromkeys(found))


def _documented(store: FactStore, names: list[str], here: Location) -> Answer:
    known = default_environment(store, "")
    if any(name in known for name in names):
        return Answer(YES, f"{names[0]} is in the env template", (here,))
    return Answer(NO, f"no env template names {', '.join(names) or 'its variable'}", (here,))


def _delivered(store: FactStore, binary: str, names: list[str], here: Location) -> Answer:
    if not names:
        return Answer(UNKNOWN, "where the DSN comes from cannot be followed", (here,))
    runs = deployments(store, binary)
    if not runs and any(package is None for _, package in store.get(image_packages)):
        return Answer(UNKNOWN, f"which compose service runs {binary} cannot be followed", (here,))
    if not runs:
        return Answer(NO, f"no compose service runs {binary}", (here,))
    for run in runs:
        own = {e.name: e for e in run.service.environment if e.name in names}
        if any(e.value is None or e.value.strip() for e in own.values()):
            return Answer(YES, f"{run.service.name} gets {names[0]}", (here, run.service.location))
        if set(names) <= own.keys():  # an empty value wins over an env file
            place = own[names[0]].location
            return Answer(NO, f"{run.service.name} gets an empty {names[0]}", (here, place))
        if run.service.env_files and any(re.search(r"(?:^|/)\.env", f.path) for f in run.service.env_files):
            return Answer(YES, f"{run.service.name} gets its env file", (here, run.service.location))
    reason = f"{runs[0].service.name} gets neither {names[0]} nor an env file"
    return Answer(NO, reason, (here, runs[0].service.location))
